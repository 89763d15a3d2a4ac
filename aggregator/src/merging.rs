//! Merging beside the fold: one job at a time, each committed for itself.

use crate::Shared;
use crate::commits::{CommitError, Commits};
use crate::compact::{self, Input, KeepIdsFrom, Merged, Places};
use crate::duck::Interrupt;
use crate::flush::{duck_limits, part_name};
use crate::status::{Board, code, now_ms};
use crate::write::{Label, WriteError};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use weir_reader::ReaderError;
use weir_rollup::fold::KEEP_IDS_MS;
use weir_rollup::manifest::{Level, Manifest};
use weir_rollup::merge::{self, Job};

/// Why a merge failed. Nothing is changed then.
#[derive(Debug, thiserror::Error)]
enum MergeError {
    #[error(transparent)]
    Write(#[from] WriteError),
    #[error(transparent)]
    Store(#[from] ReaderError),
    #[error(transparent)]
    Commit(#[from] CommitError),
    #[error(transparent)]
    Task(#[from] tokio::task::JoinError),
}

/// The merging of one partition.
pub(crate) struct Merging {
    worker: Arc<Worker>,
    task: Option<JoinHandle<()>>,
}

struct Worker {
    shared: Arc<Shared>,
    partition: u32,
    commits: Arc<Commits>,
    board: Arc<Board>,
    interrupt: Interrupt,
    cancel: CancellationToken,
}

impl Merging {
    pub(crate) fn new(shared: Arc<Shared>, partition: u32, commits: Arc<Commits>, board: Arc<Board>) -> Self {
        let worker =
            Worker { shared, partition, commits, board, interrupt: Interrupt::default(), cancel: CancellationToken::new() };
        Self { worker: Arc::new(worker), task: None }
    }

    /// Looks for something to merge, unless a merge is running.
    pub(crate) fn start(&mut self) {
        let is_running = self.task.as_ref().is_some_and(|task| !task.is_finished());
        if self.worker.shared.config.compaction && !is_running {
            self.task = Some(tokio::spawn(Arc::clone(&self.worker).run()));
        }
    }

    /// Tells a running merge to end, without waiting for it.
    pub(crate) fn interrupt(&self) {
        self.worker.cancel.cancel();
        self.worker.interrupt.stop();
    }

    /// Ends a running merge.
    pub(crate) async fn stop(&mut self) {
        self.interrupt();
        if let Some(task) = self.task.take()
            && let Err(error) = task.await
        {
            tracing::error!(partition = self.worker.partition, %error, "merging failed");
        }
    }
}

impl Worker {
    /// Merges until nothing is left to merge.
    async fn run(self: Arc<Self>) {
        loop {
            let manifest = tokio::select! {
                manifest = self.commits.manifest() => manifest,
                () = self.cancel.cancelled() => return,
            };
            let Some(job) = merge::plan(&manifest.parts, &merge::Limits::default()) else { return };
            let merged = tokio::select! {
                merged = self.merge(&manifest, job) => merged,
                // Dropping a commit half way is harmless: the commits are not used any more.
                () = self.cancel.cancelled() => return,
            };
            match merged {
                Ok(()) => self.board.clear(code::MERGE_FAILED),
                // The partition itself notices that it was lost.
                Err(MergeError::Write(WriteError::Interrupted) | MergeError::Commit(CommitError::Lost)) => return,
                Err(error) => {
                    tracing::warn!(partition = self.partition, %error, "parts could not be merged");
                    let is_unbalanced = matches!(
                        error,
                        MergeError::Write(WriteError::LedgerDiffers { .. }) | MergeError::Commit(CommitError::Unbalanced(_))
                    );
                    let code = if is_unbalanced { code::LEDGER_MISMATCH } else { code::MERGE_FAILED };
                    return self.board.alarm(code, error.to_string());
                }
            }
        }
    }

    async fn merge(self: &Arc<Self>, manifest: &Manifest, job: Job) -> Result<(), MergeError> {
        let started = Instant::now();
        let inputs = self.inputs(manifest, &job)?;
        let keep_ids = KeepIdsFrom(i64::try_from(manifest.sealed_stream_ms.saturating_sub(KEEP_IDS_MS)).unwrap_or(i64::MAX));
        let merged = {
            let worker = Arc::clone(self);
            let logic = manifest.logic.last().map(|from| from.logic.clone()).unwrap_or_default();
            let fallback_ms = i64::try_from(manifest.sealed_stream_ms).unwrap_or(i64::MAX);
            tokio::task::spawn_blocking(move || worker.write(&inputs, &job, keep_ids, logic, fallback_ms)).await??
        };
        let (inputs, outputs) = (merged.replaced.len(), merged.outputs.len());
        if inputs == 0 {
            return Ok(());
        }
        let committed = self.commits.commit(move |manifest| replace(manifest, &merged)).await?;
        let Some(manifest) = committed else { return Ok(()) };
        self.board.update(|numbers| {
            numbers.revision = manifest.revision;
            numbers.parts = manifest.parts.len() as u64;
            numbers.counts.merges += 1;
        });
        let duration_ms = started.elapsed().as_millis() as u64;
        tracing::info!(partition = self.partition, revision = manifest.revision, inputs, outputs, duration_ms, "merged");
        Ok(())
    }

    fn inputs(&self, manifest: &Manifest, job: &Job) -> Result<Vec<Input>, ReaderError> {
        let parts = manifest.parts.iter().filter(|part| job.inputs.contains(&part.name));
        parts.map(|part| Ok(Input { path: self.shared.store.local_path(&part.name)?, part: part.clone() })).collect()
    }

    fn write(
        &self,
        inputs: &[Input],
        job: &Job,
        keep_ids: KeepIdsFrom,
        logic: String,
        fallback_ms: i64,
    ) -> Result<Merged, MergeError> {
        let mut places = NewParts { shared: &self.shared, partition: self.partition, logic, fallback_ms };
        let merged = compact::run(&duck_limits(&self.shared), &self.interrupt, inputs, job, keep_ids, &mut places)?;
        for output in &merged.outputs {
            self.shared.store.adopt(&output.file, &output.part.name)?;
        }
        Ok(merged)
    }
}

/// Puts the outputs in the place of the inputs, if all of them are still listed.
fn replace(manifest: &mut Manifest, merged: &Merged) -> bool {
    let is_input = |name: &String| merged.replaced.contains(name);
    if manifest.parts.iter().filter(|part| is_input(&part.name)).count() != merged.replaced.len() {
        return false;
    }
    manifest.parts.retain(|part| !is_input(&part.name));
    manifest.parts.extend(merged.outputs.iter().map(|output| output.part.clone()));
    true
}

struct NewParts<'a> {
    shared: &'a Shared,
    partition: u32,
    logic: String,
    fallback_ms: i64,
}

impl Places for NewParts<'_> {
    fn next(&mut self, level: Level) -> (Label, PathBuf) {
        let region = self.shared.config.region.clone();
        let label = Label {
            name: part_name(&region, self.partition),
            region,
            partition: self.partition,
            level,
            logic: self.logic.clone(),
            written_ms: now_ms(),
            fallback_ms: self.fallback_ms,
        };
        (label, self.shared.work.file())
    }
}
