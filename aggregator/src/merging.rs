//! Merging beside the fold: one job at a time, each committed for itself.

use crate::Shared;
use crate::commits::{CommitError, Commits};
use crate::compact::{self, Input, Keeping, Merged, Places};
use crate::duck::Interrupt;
use crate::erasing::Eraser;
use crate::flush::{duck_limits, part_name};
use crate::status::{Board, code, now_ms};
use crate::work::discard;
use crate::write::{Label, WriteError};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use weir_reader::ReaderError;
use weir_reader::archive::ArchiveError;
use weir_rollup::fold::KEEP_IDS_MS;
use weir_rollup::logic;
use weir_rollup::manifest::{Level, Manifest};
use weir_rollup::merge::{self, Job};

/// Why a merge failed. Nothing is changed then.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MergeError {
    #[error(transparent)]
    Write(#[from] WriteError),
    #[error(transparent)]
    Store(#[from] ReaderError),
    #[error(transparent)]
    Commit(#[from] CommitError),
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    #[error(transparent)]
    Task(#[from] tokio::task::JoinError),
}

/// Merges the parts of one line of manifests.
pub(crate) struct Merger {
    pub(crate) shared: Arc<Shared>,
    pub(crate) partition: u32,
    pub(crate) commits: Arc<Commits>,
    pub(crate) interrupt: Arc<Interrupt>,
}

impl Merger {
    /// Does the next job and commits it; the manifest then, `None` = there was nothing to merge.
    pub(crate) async fn next(self: &Arc<Self>) -> Result<Option<Manifest>, MergeError> {
        let mut manifest = self.commits.manifest().await;
        // Damaged parts wait for their repair; the others need not.
        let damaged = self.shared.store.damaged_here();
        manifest.parts.retain(|part| !damaged.contains(&part.name));
        let Some(job) = merge::next_job(&manifest, &merge::Limits::default()) else { return Ok(None) };
        self.merge(&manifest, job).await
    }

    async fn merge(self: &Arc<Self>, manifest: &Manifest, job: Job) -> Result<Option<Manifest>, MergeError> {
        let (started, begun_ms) = (Instant::now(), now_ms());
        let inputs = self.inputs(manifest, &job).await?;
        let keeping = keeping(manifest, &inputs);
        let merged = {
            let merger = Arc::clone(self);
            let last_seq = inputs.iter().map(|input| input.part.max_seq).max().unwrap_or(0);
            let logic = logic::at(&manifest.logic, last_seq).map(|from| from.logic.clone()).unwrap_or_default();
            let fallback_ms = i64::try_from(manifest.sealed_stream_ms).unwrap_or(i64::MAX);
            tokio::task::spawn_blocking(move || merger.write(&inputs, &job, &keeping, logic, fallback_ms)).await??
        };
        for (index, output) in merged.outputs.iter().enumerate() {
            if let Err(error) = self.shared.store.put_file(&output.file, &output.part.name).await {
                merged.outputs.iter().skip(index).for_each(|output| discard(&output.file));
                return Err(error.into());
            }
        }
        let (inputs, outputs) = (merged.replaced.len(), merged.outputs.len());
        if inputs == 0 {
            return Ok(None);
        }
        // When the manifest moved on so that it no longer fits, the next look tells what does.
        let committed = self
            .commits
            .commit(begun_ms, move |manifest| {
                manifest.exchange(&merged.replaced, merged.outputs.into_iter().map(|output| output.part))
            })
            .await?;
        let manifest = match committed {
            Some(manifest) => manifest,
            None => self.commits.manifest().await,
        };
        let duration_ms = started.elapsed().as_millis() as u64;
        tracing::info!(partition = self.partition, revision = manifest.revision, inputs, outputs, duration_ms, "merged");
        Ok(Some(manifest))
    }

    async fn inputs(&self, manifest: &Manifest, job: &Job) -> Result<Vec<Input>, ReaderError> {
        let parts = manifest.parts.iter().filter(|part| job.inputs.contains(&part.name));
        compact::inputs(&self.shared.store, parts).await
    }

    fn write(
        &self,
        inputs: &[Input],
        job: &Job,
        keeping: &Keeping,
        logic: String,
        fallback_ms: i64,
    ) -> Result<Merged, MergeError> {
        let mut places = NewParts { shared: &self.shared, partition: self.partition, logic, fallback_ms, made: Vec::new() };
        let merged = compact::run(&duck_limits(&self.shared), &self.interrupt, inputs, job, keeping, &mut places);
        if merged.is_err() {
            places.made.iter().for_each(|file| discard(file));
        }
        Ok(merged?)
    }
}

/// What a merge forgets of ids, and where it must not add the ledger up: at checkpoints, where a replay may divide it.
fn keeping(manifest: &Manifest, inputs: &[Input]) -> Keeping {
    let ids_from_ms = i64::try_from(manifest.sealed_stream_ms.saturating_sub(KEEP_IDS_MS)).unwrap_or(i64::MAX);
    let first_seq = inputs.iter().map(|input| input.part.min_seq).min().unwrap_or(0);
    let last_seq = inputs.iter().map(|input| input.part.max_seq).max().unwrap_or(0);
    let seqs = manifest.checkpoints.iter().map(|checkpoint| checkpoint.seq);
    Keeping {
        ids_from_ms,
        ledger_apart: seqs.filter(|seq| (first_seq..last_seq).contains(seq)).collect(),
        part_bytes: merge::Limits::default().target_bytes,
    }
}

/// The merging of one partition.
pub(crate) struct Merging {
    worker: Arc<Worker>,
    task: Option<JoinHandle<()>>,
}

struct Worker {
    merger: Arc<Merger>,
    eraser: Eraser,
    board: Arc<Board>,
    cancel: CancellationToken,
}

impl Merging {
    pub(crate) fn new(shared: Arc<Shared>, partition: u32, commits: Arc<Commits>, board: Arc<Board>) -> Self {
        let interrupt = Arc::new(Interrupt::default());
        let eraser = Eraser::new(Arc::clone(&shared), partition, Arc::clone(&commits), Arc::clone(&interrupt));
        let merger = Arc::new(Merger { shared, partition, commits, interrupt });
        Self { worker: Arc::new(Worker { merger, eraser, board, cancel: CancellationToken::new() }), task: None }
    }

    /// Looks for something to erase or to merge, unless that is going on.
    pub(crate) fn start(&mut self) {
        let is_running = self.task.as_ref().is_some_and(|task| !task.is_finished());
        if !is_running {
            self.task = Some(tokio::spawn(Arc::clone(&self.worker).run()));
        }
    }

    /// Tells a running merge to end, without waiting for it.
    pub(crate) fn interrupt(&self) {
        self.worker.cancel.cancel();
        self.worker.merger.interrupt.stop();
    }

    /// Ends a running merge.
    pub(crate) async fn stop(&mut self) {
        self.interrupt();
        if let Some(task) = self.task.take()
            && let Err(error) = task.await
        {
            tracing::error!(partition = self.worker.merger.partition, %error, "merging failed");
        }
    }
}

impl Worker {
    /// The next step: what is to be erased comes before what is to be merged.
    async fn next(&self) -> Result<Option<Manifest>, MergeError> {
        if let Some(manifest) = self.eraser.next().await? {
            return Ok(Some(manifest));
        }
        if self.merger.shared.config.compaction { self.merger.next().await } else { Ok(None) }
    }

    /// Erases and merges until nothing is left to do, then makes rollups until none is left to make.
    async fn run(self: Arc<Self>) {
        loop {
            let merged = tokio::select! {
                merged = self.next() => merged,
                // Dropping a commit half way is harmless: the commits are not used any more.
                () = self.cancel.cancelled() => return,
            };
            match merged {
                Ok(Some(manifest)) => {
                    self.board.clear(code::MERGE_FAILED);
                    self.board.update(|numbers| {
                        numbers.revision = manifest.revision;
                        numbers.parts = manifest.parts.len() as u64;
                        numbers.counts.merges += 1;
                    });
                }
                Ok(None) => {
                    if !self.roll().await {
                        return;
                    }
                }
                // Lost, which the partition itself notices.
                Err(MergeError::Write(WriteError::Interrupted) | MergeError::Commit(CommitError::Lost)) => return,
                // The file is set aside and has an alarm of its own: what is left to merge is looked for without it.
                Err(MergeError::Store(ReaderError::Damaged { .. })) => {}
                Err(error) => {
                    tracing::warn!(partition = self.merger.partition, %error, "parts could not be merged");
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

    /// Makes one rollup; `false` = there is nothing more to do now.
    async fn roll(&self) -> bool {
        let rolled = tokio::select! {
            rolled = self.merger.next_rollup() => rolled,
            // As with merges.
            () = self.cancel.cancelled() => return false,
        };
        match rolled {
            Ok(Some(manifest)) => {
                self.board.clear(code::ROLLUP_FAILED);
                self.board.update(|numbers| numbers.revision = manifest.revision);
                true
            }
            Ok(None) | Err(MergeError::Write(WriteError::Interrupted) | MergeError::Commit(CommitError::Lost)) => false,
            Err(error) => {
                tracing::warn!(partition = self.merger.partition, %error, "a rollup could not be made");
                self.board.alarm(code::ROLLUP_FAILED, error.to_string());
                false
            }
        }
    }
}

struct NewParts<'a> {
    shared: &'a Shared,
    partition: u32,
    logic: String,
    fallback_ms: i64,
    /// What was written so far.
    made: Vec<PathBuf>,
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
        let file = self.shared.work.file();
        self.made.push(file.clone());
        (label, file)
    }
}
