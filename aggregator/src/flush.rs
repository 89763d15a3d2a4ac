//! Flush: pending rows and the fold's state become files, then a commit names them.

use crate::balance::{self, Mismatch};
use crate::commits::{CommitError, Commits};
use crate::duck::DuckLimits;
use crate::pending::{LastFolded, Pending};
use crate::status::now_ms;
use crate::write::{self, Label, WriteError};
use crate::{Config, Shared};
use std::sync::Arc;
use std::time::Instant;
use weir_reader::{ReaderError, states};
use weir_rollup::fold::{STATE_BYTES_MAX, State};
use weir_rollup::logic;
use weir_rollup::manifest::{Checkpoint, Level, LogicFrom, Manifest, ObjectRef, Part};

/// Why a flush failed. The stream still has everything: reload and fold again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FlushError {
    #[error("the part could not be written: {0}")]
    Write(#[from] WriteError),
    #[error("a file could not be stored: {0}")]
    Store(#[from] ReaderError),
    #[error(transparent)]
    Commit(#[from] CommitError),
    #[error("the ledger does not balance: {0}")]
    Unbalanced(#[from] Mismatch),
    #[error("the writer failed: {0}")]
    Task(#[from] tokio::task::JoinError),
    /// A state that no restart could read must not be committed.
    #[error(
        "the state has {size_bytes} bytes, the limit is {limit_bytes}: the partition has more events in two hours than it can hold"
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
    pending: Pending,
    state: State,
) -> Result<(State, Option<Manifest>), FlushError> {
    let Some(last) = pending.last().cloned() else { return Ok((state, None)) };
    balance::check_pending(&pending)?;
    let started = Instant::now();
    let (rows, accepted) = (pending.rows.len(), pending.counts.accepted);
    let (part, encoded, state) = {
        let shared = Arc::clone(shared);
        let label = label(&shared, partition, &logic.logic, &last);
        tokio::task::spawn_blocking(move || {
            let part = write_part(&shared, &label, pending)?;
            tracing::debug!(partition, duration_ms = started.elapsed().as_millis() as u64, "part written");
            let encoded = state.encode();
            Ok::<_, FlushError>((part, encoded, state))
        })
        .await??
    };
    let state_bytes = encoded.len();
    if state_bytes > STATE_BYTES_MAX {
        return Err(FlushError::StateTooLarge { size_bytes: state_bytes, limit_bytes: STATE_BYTES_MAX });
    }
    tracing::debug!(partition, state_bytes, duration_ms = started.elapsed().as_millis() as u64, "state encoded");
    let name = states::name(&shared.config.region, partition, last.seq, &uuid::Uuid::new_v4().simple().to_string());
    let state_object = states::put(&shared.store, &name, encoded).await?;
    tracing::debug!(partition, duration_ms = started.elapsed().as_millis() as u64, "state stored");
    let logic = logic.clone();
    let Config { checkpoint_every_ms, checkpoints_kept, rollback_offered_ms, .. } = shared.config;
    let committed = commits
        .commit(move |manifest| {
            if manifest.sealed_seq >= last.seq {
                return false;
            }
            note_logic(&mut manifest.logic, manifest.sealed_seq, logic);
            manifest.parts.extend(part);
            manifest.accepted = manifest.accepted.map(|before| before + accepted);
            manifest.sealed_seq = last.seq;
            manifest.sealed_stream_ms = manifest.sealed_stream_ms.max(last.stream_ms);
            manifest.stream.sealed_message_id = last.message_id;
            note_checkpoint(manifest, &state_object, checkpoint_every_ms, checkpoints_kept);
            manifest.state = vec![state_object];
            expire_rollback(manifest, now_ms(), rollback_offered_ms);
            true
        })
        .await?;
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

/// Writes and stores the part; `None` when nothing was received: then only the sealed sequence moves.
fn write_part(shared: &Shared, label: &Label, mut pending: Pending) -> Result<Option<Part>, FlushError> {
    let ledger = pending.book.rows();
    if pending.rows.is_empty() && pending.controls.is_empty() && ledger.is_empty() {
        return Ok(None);
    }
    let file = shared.work.file();
    let part = write::write_flush(&duck_limits(shared), &file, label, &mut pending.rows, &pending.controls, &ledger)?;
    shared.store.adopt(&file, &label.name)?;
    Ok(Some(part))
}

/// Rows after `sealed_seq` are made with `logic`, wherever it says that it begins.
pub(crate) fn note_logic(history: &mut Vec<LogicFrom>, sealed_seq: u64, logic: LogicFrom) {
    if logic::at(history, sealed_seq + 1).is_none_or(|at| (&at.logic, at.pinned) != (&logic.logic, logic.pinned)) {
        history.push(LogicFrom { from_seq: sealed_seq + 1, ..logic });
    }
}

/// Ends the offer to roll a promotion back when its time is over: merges may cross it, and its former parts may go.
fn expire_rollback(manifest: &mut Manifest, now_ms: u64, offered_ms: u64) {
    if let Some(promotion) = &mut manifest.promotion
        && now_ms.saturating_sub(promotion.at_ms) > offered_ms
    {
        promotion.former = None;
    }
}

/// Keeps the state at what is sealed now as a checkpoint when it is the first of its stretch of time.
fn note_checkpoint(manifest: &mut Manifest, state: &ObjectRef, every_ms: u64, kept: usize) {
    let stretch = |ms: u64| ms / every_ms.max(1);
    let (seq, stream_ms) = (manifest.sealed_seq, manifest.sealed_stream_ms);
    if manifest.checkpoints.last().is_none_or(|last| stretch(last.stream_ms) < stretch(stream_ms)) {
        let message_id = manifest.stream.sealed_message_id.clone();
        manifest.checkpoints.push(Checkpoint { seq, stream_ms, message_id, state: state.clone() });
        let surplus = manifest.checkpoints.len().saturating_sub(kept);
        manifest.checkpoints.drain(..surplus);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_logic_history_grows_only_when_the_logic_changes() {
        let mut history = Vec::new();
        let pinned = LogicFrom { pinned: true, ..LogicFrom::new(1, "1-b") };
        for (sealed_seq, logic) in [
            (0, LogicFrom::new(1, "1-a")),
            (9, LogicFrom::new(1, "1-a")),
            (20, LogicFrom::new(1, "1-b")),
            (30, pinned.clone()),
            (40, pinned),
        ] {
            note_logic(&mut history, sealed_seq, logic);
        }
        let told: Vec<(u64, &str, bool)> = history.iter().map(|from| (from.from_seq, from.logic.as_str(), from.pinned)).collect();
        assert_eq!(told, [(1, "1-a", false), (21, "1-b", false), (31, "1-b", true)]);
    }

    #[test]
    fn the_first_state_of_a_stretch_is_kept_and_the_oldest_go() {
        let mut manifest = crate::commits::Committed::nothing("local", 0, "S", "t").manifest;
        let state = ObjectRef { name: "s".to_owned(), checksum: String::new() };
        for (seq, stream_ms) in [(1, 5), (2, 6), (3, 100), (4, 199), (5, 300), (9, 400)] {
            (manifest.sealed_seq, manifest.sealed_stream_ms) = (seq, stream_ms);
            note_checkpoint(&mut manifest, &state, 100, 3);
        }
        assert_eq!(manifest.checkpoints.iter().map(|checkpoint| checkpoint.seq).collect::<Vec<_>>(), [3, 5, 9]);
    }
}
