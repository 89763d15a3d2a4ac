//! The archive of raw batches: what a flush adds, and the work beside the fold that keeps it in shape.

mod keeper;
mod purge;

use crate::Shared;
use crate::commits::{CommitError, Commits};
use crate::status::{Board, code};
use keeper::Keeper;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use weir_reader::ReaderError;
use weir_reader::archive::{self, ArchiveError, LEVEL_FLUSH};
use weir_reader::stream::Delivered;
use weir_rollup::manifest::ArchiveObject;

/// Longest pause between two looks at what is to be done: time alone makes things old.
const LOOK_EVERY: Duration = Duration::from_mins(1);

/// Why the archive could not be written. Nothing is changed then.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ArchivingError {
    #[error(transparent)]
    Format(#[from] ArchiveError),
    #[error(transparent)]
    Store(#[from] ReaderError),
    #[error(transparent)]
    Commit(#[from] CommitError),
    #[error(transparent)]
    Task(#[from] tokio::task::JoinError),
}

/// Stores the raw batches of a flush. `None` = there are none, or the archive ends earlier: then what is missing is fetched from the stream first.
pub(crate) async fn store_flush(
    shared: &Arc<Shared>,
    partition: u32,
    commits: &Commits,
    raw: Vec<Delivered>,
) -> Result<Option<ArchiveObject>, ArchivingError> {
    let Some(first_seq) = raw.first().map(|message| message.seq) else { return Ok(None) };
    if commits.manifest().await.archived_seq + 1 != first_seq {
        return Ok(None);
    }
    let encoded = tokio::task::spawn_blocking(move || archive::encode(&raw, LEVEL_FLUSH)).await??;
    Ok(Some(archive::put(&shared.store, &shared.config.region, partition, encoded).await?))
}

/// The work on one partition's archive.
pub(crate) struct Archiving {
    wake: Arc<Notify>,
    cancel: CancellationToken,
    task: Option<JoinHandle<()>>,
}

impl Archiving {
    /// Starts to work until [`Self::stop`].
    pub(crate) fn start(shared: Arc<Shared>, partition: u32, commits: Arc<Commits>, board: Arc<Board>) -> Self {
        let (wake, cancel) = (Arc::new(Notify::new()), CancellationToken::new());
        let keeper = Keeper::new(shared, partition, commits);
        let task = tokio::spawn(run(keeper, board, Arc::clone(&wake), cancel.clone()));
        Self { wake, cancel, task: Some(task) }
    }

    /// Tells that something was sealed.
    pub(crate) fn wake(&self) {
        self.wake.notify_one();
    }

    /// Ends the work. What it was about to commit is not committed.
    pub(crate) async fn stop(&mut self) {
        self.cancel.cancel();
        if let Some(task) = self.task.take()
            && let Err(error) = task.await
        {
            tracing::error!(%error, "archiving failed");
        }
    }
}

impl Drop for Archiving {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

async fn run(mut keeper: Keeper, board: Arc<Board>, wake: Arc<Notify>, cancel: CancellationToken) {
    loop {
        let is_over = tokio::select! {
            is_over = look(&mut keeper, &board) => is_over,
            // Dropping a commit half way is harmless: the commits are not used any more.
            () = cancel.cancelled() => true,
        };
        if is_over {
            return;
        }
        tokio::select! {
            () = wake.notified() => {}
            () = tokio::time::sleep(LOOK_EVERY.min(keeper.purge_every())) => {}
            () = cancel.cancelled() => return,
        }
    }
}

/// Does what is to be done now; `true` = another aggregator has the partition.
async fn look(keeper: &mut Keeper, board: &Board) -> bool {
    let (alarm, outcome) = match keeper.tidy().await {
        Ok(()) => {
            board.clear(code::ARCHIVE_FAILED);
            (code::PURGE_FAILED, keeper.purge().await)
        }
        Err(error) => (code::ARCHIVE_FAILED, Err(error)),
    };
    let archived_seq = keeper.archived_seq().await;
    board.update(|numbers| numbers.archived_seq = archived_seq);
    match outcome {
        Ok(()) => board.clear(code::PURGE_FAILED),
        Err(ArchivingError::Commit(CommitError::Lost)) => return true,
        Err(error) => {
            // An object that is not what was written is the archive's fault, whoever found out.
            let is_damaged = matches!(error, ArchivingError::Store(ReaderError::Checksum { .. } | ReaderError::Malformed { .. }));
            let alarm = if is_damaged { code::ARCHIVE_FAILED } else { alarm };
            tracing::warn!(alarm, %error, "the archive is not in shape");
            board.alarm(alarm, error.to_string());
        }
    }
    false
}
