//! Flush: pending rows and the fold's state become files, then a commit names them.

use crate::archive::{self, ArchivingError};
use crate::balance;
use crate::commits::{CommitError, Commits};
use crate::duck::DuckLimits;
use crate::erase_archive;
use crate::pending::{LastFolded, Pending};
use crate::status::now_ms;
use crate::work::discard;
use crate::write::{self, Label, WriteError};
use crate::{Config, Shared};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;
use weir_reader::{ReaderError, states};
use weir_rollup::fold::{STATE_BYTES_MAX, State};
use weir_rollup::manifest::{Keep, Level, LogicFrom, Manifest, Mismatch, Part, Sealed};

/// Why a flush failed. The stream still has everything: reload and fold again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FlushError {
    #[error("the part could not be written: {0}")]
    Write(#[from] WriteError),
    #[error("a file could not be stored: {0}")]
    Store(#[from] ReaderError),
    #[error("the raw batches could not be archived: {0}")]
    Archive(#[from] ArchivingError),
    #[error(transparent)]
    Commit(#[from] CommitError),
    #[error("the ledger does not balance: {0}")]
    Unbalanced(#[from] Mismatch),
    #[error("the writer failed: {0}")]
    Task(#[from] tokio::task::JoinError),
    /// A state that no restart could read must not be committed.
    #[error(
        "the state has {size_bytes} bytes, the limit is {limit_bytes}: the partition has more visits in two hours than it can hold"
    )]
    StateTooLarge { size_bytes: usize, limit_bytes: usize },
    /// Merges never take the partition's last word, so a flush always fits.
    #[error("the manifest is ahead of what was folded")]
    Ahead,
}

impl FlushError {
    /// Two counts that must be equal are not.
    pub(crate) fn is_unbalanced(&self) -> bool {
        matches!(
            self,
            Self::Unbalanced(_) | Self::Commit(CommitError::Unbalanced(_)) | Self::Write(WriteError::LedgerDiffers { .. })
        )
    }
}

/// How long things are kept for replays and rollbacks.
fn keep(config: &Config) -> Keep {
    Keep {
        checkpoint_every_ms: config.checkpoint_every_ms,
        checkpoints: config.checkpoints_kept,
        rollback_offered_ms: config.rollback_offered_ms,
    }
}

/// What a DuckDB writer of this aggregator may use.
pub(crate) fn duck_limits(shared: &Shared) -> DuckLimits {
    DuckLimits {
        memory_limit_mb: shared.config.memory_limit_mb,
        threads: shared.config.duckdb_threads,
        temp: shared.work.path().to_owned(),
    }
}

/// Name of a new part.
pub(crate) fn part_name(region: &str, partition: u32) -> String {
    format!("parts/{region}-{partition}/{}.duckdb", uuid::Uuid::new_v4())
}

/// Seals everything that is pending. `state` is the fold's state after the last pending message; it is given back. `logic` made the rows.
pub(crate) async fn flush(
    shared: &Arc<Shared>,
    partition: u32,
    commits: &Commits,
    logic: &LogicFrom,
    mut pending: Pending,
    state: State,
) -> Result<(State, Option<Manifest>), FlushError> {
    let Some(last) = pending.last().cloned() else { return Ok((state, None)) };
    let erasures = pending.erasures();
    let listed = commits.manifest().await.erasures;
    let covering = [listed, erasures.clone()].concat();
    erase_archive::erase_pending(&mut pending, &covering);
    pending.erase(&covering);
    balance::check_pending(&pending)?;
    let (started, begun_ms) = (Instant::now(), now_ms());
    let (rows, accepted) = (pending.rows.len(), pending.counts.accepted);
    let raw = archive::store_flush(shared, partition, commits, std::mem::take(&mut pending.raw));
    let written = async {
        let shared = Arc::clone(shared);
        let label = label(&shared, partition, &logic.logic, &last);
        tokio::task::spawn_blocking(move || {
            let written = write_part(&shared, &label, pending)?;
            tracing::debug!(partition, duration_ms = started.elapsed().as_millis() as u64, "part written");
            let encoded = state.encode();
            Ok::<_, FlushError>((written, encoded, state))
        })
        .await?
    };
    let (written, archive) = tokio::join!(written, raw);
    if archive.is_err()
        && let Ok((Some((_, file)), ..)) = &written
    {
        // It will be written anew.
        discard(file);
    }
    let (written, encoded, state) = written?;
    let archive = archive?;
    let part = match written {
        Some((part, file)) => {
            shared.store.put_file(&file, &part.name).await?;
            Some(part)
        }
        None => None,
    };
    let state_bytes = encoded.len();
    if state_bytes > STATE_BYTES_MAX {
        return Err(FlushError::StateTooLarge { size_bytes: state_bytes, limit_bytes: STATE_BYTES_MAX });
    }
    tracing::debug!(partition, state_bytes, duration_ms = started.elapsed().as_millis() as u64, "state encoded");
    let name = states::name(&shared.config.region, partition, last.seq, &uuid::Uuid::new_v4().simple().to_string());
    let state_object = states::put(&shared.store, &name, encoded).await?;
    tracing::debug!(partition, duration_ms = started.elapsed().as_millis() as u64, "state stored");
    let sealed = Sealed {
        part,
        archive,
        state: state_object,
        seq: last.seq,
        stream_ms: last.stream_ms,
        message_id: last.message_id,
        accepted,
        logic: logic.clone(),
        erasures,
    };
    let keep = keep(&shared.config);
    let committed = commits.commit(begun_ms, move |manifest| manifest.seal(sealed, &keep, now_ms())).await?;
    let Some(manifest) = committed else { return Err(FlushError::Ahead) };
    tracing::info!(
        partition,
        stream.sequence = manifest.sealed_seq,
        revision = manifest.revision,
        rows,
        state_bytes,
        duration_ms = started.elapsed().as_millis() as u64,
        "flushed"
    );
    Ok((state, Some(manifest)))
}

fn label(shared: &Shared, partition: u32, logic: &str, last: &LastFolded) -> Label {
    Label {
        region: shared.config.region.clone(),
        partition,
        level: Level::Flush,
        logic: logic.to_owned(),
        written_ms: now_ms(),
        name: part_name(&shared.config.region, partition),
        fallback_ms: i64::try_from(last.stream_ms).unwrap_or(i64::MAX),
    }
}

/// Writes the part, and tells where; `None` when nothing was received: then only the sealed sequence moves.
fn write_part(shared: &Shared, label: &Label, mut pending: Pending) -> Result<Option<(Part, PathBuf)>, FlushError> {
    let ledger = pending.book.rows();
    if pending.rows.is_empty() && pending.controls.is_empty() && ledger.is_empty() {
        return Ok(None);
    }
    let file = shared.work.file();
    match write::write_flush(&duck_limits(shared), &file, label, &mut pending.rows, &pending.controls, &ledger) {
        Ok(part) => Ok(Some((part, file))),
        Err(error) => {
            discard(&file);
            Err(error.into())
        }
    }
}
