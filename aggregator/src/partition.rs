//! One partition's loop: consume → fold → collect → flush → commit.

use crate::Shared;
use crate::archive::Archiving;
use crate::commits::{CommitError, Committed, Line};
use crate::flush::FlushError;
use crate::intake::{Intake, IntakeError};
use crate::merging::Merging;
use crate::pending::FlushLimits;
use crate::requests::Requests;
use crate::session::{self, End, Session};
use crate::standby::{self, Presence};
use crate::status::{Board, code};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use weir_event::subject;
use weir_reader::heads;
use weir_reader::stream::{self, Delivered, PartitionStream};

/// How long the last flush may take when the aggregator ends.
const LAST_FLUSH_MS: u64 = 5_000;
/// Longest pause before a partition is loaded again.
const RELOAD_PAUSE_MAX: Duration = Duration::from_secs(30);

/// Pause between two looks at the head of a partition that stands.
const HEAD_LOOK_EVERY: Duration = Duration::from_secs(2);
/// Pause between two looks at the stream of a partition that stands because of it.
const STREAM_LOOK_EVERY: Duration = Duration::from_secs(5);
/// Pause between two looks at what time alone calls for: retentions, receipts.
const LOOK_EVERY: Duration = Duration::from_mins(10);

/// Folds a partition until `cancel` fires. A partition that must stop says so in its status, and refuses requests until then.
pub(crate) async fn run(shared: Arc<Shared>, partition: u32, board: Arc<Board>, cancel: CancellationToken) {
    let Some(mut requests) = listen(&shared, partition).await else { return };
    let mut failures = 0_u32;
    let mut told = String::new();
    loop {
        let began = Instant::now();
        let end = match session(&shared, partition, &board, &mut requests, &cancel).await {
            Ok(end) | Err(end) => end,
        };
        match end {
            End::Cancelled => return requests.refuse_waiting("the aggregator ends").await,
            End::Stop { code, message } => {
                // It is looked at again and again: told once, and until it is loaded the alarm stays.
                if told != message {
                    tracing::error!(partition, alarm = code, message, "the partition stops");
                    told.clone_from(&message);
                }
                board.update(|numbers| numbers.stopped = true);
                board.alarm(code, message.clone());
                let revision = head_revision(&shared, partition).await;
                let reason = format!("the partition stands: {message}");
                tokio::select! {
                    () = refuse_all(&mut requests, &reason, &cancel) => return,
                    () = head_moves(&shared, partition, revision) => {
                        tracing::info!(partition, "an operator set the head: the partition is loaded again");
                    }
                    () = tokio::time::sleep(STREAM_LOOK_EVERY), if is_of_the_stream(code) => {}
                }
                continue;
            }
            End::Again { code, message } => {
                if code == Some(code::COMMIT_LOST) && was_switched(&shared, partition, board.revision()).await {
                    tracing::info!(partition, "an operator switched the history: the partition is loaded again");
                    continue;
                }
                if code == Some(code::COMMIT_LOST) {
                    drop(requests);
                    step_back(&shared, partition, &board, &cancel).await;
                    requests = match listen(&shared, partition).await {
                        Some(requests) => requests,
                        None => return,
                    };
                    continue;
                }
                tracing::warn!(partition, alarm = code, message, "the partition is loaded again");
                if let Some(code) = code {
                    board.alarm(code, message);
                }
            }
        }
        failures = if began.elapsed() > RELOAD_PAUSE_MAX { 0 } else { failures + 1 };
        let pause = Duration::from_millis(200 << failures.min(8)).min(RELOAD_PAUSE_MAX);
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = cancel.cancelled() => return requests.refuse_waiting("the aggregator ends").await,
        }
    }
}

/// Whether the cause of a stop may pass by itself: the server told of another stream than the one that was sealed. What a message holds stays as it is.
fn is_of_the_stream(code: &str) -> bool {
    [code::STREAM_MISMATCH, code::STREAM_GAP].contains(&code)
}

async fn listen(shared: &Shared, partition: u32) -> Option<Requests> {
    let subject = subject::flush_subject(&shared.config.region, partition);
    Requests::listen(&shared.client, subject)
        .await
        .inspect_err(|error| tracing::error!(partition, %error, "cannot listen for flush requests"))
        .ok()
}

/// Another aggregator has the partition: this one waits until it is needed, and says nothing meanwhile.
async fn step_back(shared: &Shared, partition: u32, board: &Board, cancel: &CancellationToken) {
    tracing::info!(partition, "another aggregator has this partition: this one steps back");
    board.update(|numbers| numbers.stands_by = true);
    tokio::select! {
        () = standby::until_wanted(shared, partition) => {}
        () = cancel.cancelled() => {}
    }
    board.update(|numbers| numbers.stands_by = false);
}

/// Whether the head was moved by a promotion or rollback since a revision. What cannot be read counts as no.
async fn was_switched(shared: &Shared, partition: u32, revision: u64) -> bool {
    let served = Committed::load(shared, &Line::Served, partition).await;
    let switched = served.ok().flatten().and_then(|committed| committed.manifest.promotion);
    switched.is_some_and(|promotion| promotion.revision > revision)
}

/// Revision of a partition's head in its bucket; 0 = there is none, `None` = not known now.
async fn head_revision(shared: &Shared, partition: u32) -> Option<u64> {
    let head = heads::get(&shared.jetstream, &shared.config.region, partition).await;
    head.ok().map(|head| head.map_or(0, |entry| entry.kv_revision))
}

/// Returns when the head is another one: an operator restored it, so that the partition may go on.
async fn head_moves(shared: &Shared, partition: u32, mut before: Option<u64>) {
    loop {
        tokio::time::sleep(HEAD_LOOK_EVERY).await;
        let now = head_revision(shared, partition).await;
        match (before, now) {
            (Some(before), Some(now)) if before != now => return,
            (None, known) => before = known,
            _ => {}
        }
    }
}

async fn refuse_all(requests: &mut Requests, reason: &str, cancel: &CancellationToken) {
    requests.refuse_waiting(reason).await;
    loop {
        tokio::select! {
            () = cancel.cancelled() => return,
            message = requests.next() => requests.refuse(&message, reason).await,
        }
    }
}

/// From loading the partition to whatever ends it.
async fn session(
    shared: &Arc<Shared>,
    partition: u32,
    board: &Arc<Board>,
    requests: &mut Requests,
    cancel: &CancellationToken,
) -> Result<End, End> {
    let loaded = tokio::select! {
        loaded = session::load(shared, partition) => loaded?,
        () = cancel.cancelled() => return Ok(End::Cancelled),
    };
    let _presence = Presence::announce(&shared.client, &shared.config.region, partition);
    let mut folding = Folding::new(shared, partition, board, loaded).await;
    tracing::info!(partition, stream.sequence = folding.sealed_seq, "the partition is folded from here");
    let end = tokio::select! {
        end = folding.run(requests, cancel) => end,
        () = last_moment(cancel) => {
            tracing::warn!(partition, "the last flush took too long; the next start folds these messages again");
            Ok(End::Cancelled)
        }
    };
    folding.merging.stop().await;
    folding.archiving.stop().await;
    end
}

/// Returns when the time for the last flush is over.
async fn last_moment(cancel: &CancellationToken) {
    cancel.cancelled().await;
    tokio::time::sleep(Duration::from_millis(LAST_FLUSH_MS)).await;
}

/// A partition in work.
struct Folding<'a> {
    shared: &'a Arc<Shared>,
    partition: u32,
    board: &'a Arc<Board>,
    intake: Intake,
    stream: PartitionStream,
    merging: Merging,
    archiving: Archiving,
    limits: FlushLimits,
    folded_seq: u64,
    sealed_seq: u64,
}

impl<'a> Folding<'a> {
    async fn new(shared: &'a Arc<Shared>, partition: u32, board: &'a Arc<Board>, session: Session) -> Self {
        let config = &shared.config;
        let limits = FlushLimits {
            after: Duration::from_millis(config.flush_after_ms),
            rows_max: config.flush_rows_max,
            bytes_max: config.flush_bytes_max,
        };
        let Session { commits, state, logic, stream, sealed_seq } = session;
        let merging = Merging::new(Arc::clone(shared), partition, Arc::clone(&commits), Arc::clone(board));
        let archiving = Archiving::start(Arc::clone(shared), partition, Arc::clone(&commits), Arc::clone(board));
        let manifest = commits.manifest().await;
        // What it stood for is over.
        for code in [code::LOAD_FAILED, code::STREAM_MISMATCH, code::STREAM_GAP, code::UNDECODABLE_BATCH] {
            board.clear(code);
        }
        board.update(|numbers| {
            numbers.stopped = false;
            numbers.last_folded_seq = sealed_seq;
            numbers.sealed_seq = sealed_seq;
            numbers.archived_seq = manifest.archived_seq;
            numbers.revision = manifest.revision;
            numbers.parts = manifest.parts.len() as u64;
            numbers.rows_pending = 0;
        });
        let intake = Intake::new(shared, partition, commits, logic, state);
        Self { shared, partition, board, intake, stream, merging, archiving, limits, folded_seq: sealed_seq, sealed_seq }
    }

    async fn run(&mut self, requests: &mut Requests, cancel: &CancellationToken) -> Result<End, End> {
        self.merging.start();
        let commits = Arc::clone(&self.intake.commits);
        let mut next_look = Instant::now() + LOOK_EVERY;
        loop {
            let is_wanted = self.intake.has_pending() && requests.wants_flush(self.folded_seq);
            if self.intake.pending.is_full(self.limits) || is_wanted {
                self.flush().await?;
            }
            requests.answer(self.sealed_seq).await;
            let deadline = self.intake.pending.deadline(self.limits);
            tokio::select! {
                biased;
                () = cancel.cancelled() => return self.end().await,
                () = commits.lost() => return Err(lost()),
                () = sleep_until(deadline) => self.flush().await?,
                () = tokio::time::sleep_until(next_look.into()) => {
                    next_look = Instant::now() + LOOK_EVERY;
                    self.merging.start();
                }
                message = requests.next() => {
                    let reach = stream::state(&self.shared.jetstream, &self.shared.config.region, self.partition).await;
                    match reach {
                        Ok(reach) => requests.take(message, reach.last_seq).await,
                        Err(error) => requests.refuse(&message, &error.to_string()).await,
                    }
                }
                delivered = self.stream.next() => match delivered {
                    Ok(delivered) => self.fold(&delivered).await?,
                    Err(error) => {
                        // What was folded so far is good.
                        self.flush().await?;
                        return Err(error.into());
                    }
                },
            }
        }
    }

    /// Folds one message. One that cannot be decoded stops the partition before it.
    async fn fold(&mut self, delivered: &Delivered) -> Result<(), End> {
        let taken = match self.intake.take(delivered).await {
            Ok(taken) => taken,
            Err(error) => {
                // What was folded so far is good.
                self.flush().await?;
                let message = error.to_string();
                return Err(match error {
                    IntakeError::Undecodable { .. } => End::Stop { code: code::UNDECODABLE_BATCH, message },
                    IntakeError::LookUp(_) => End::Again { code: Some(code::LOAD_FAILED), message },
                });
            }
        };
        if let Some(jump) = &taken.jump {
            let (expected, found) = (jump.expected, jump.found);
            let message =
                format!("message {} of batcher {} has number {found}, expected {expected}", delivered.seq, taken.batcher);
            tracing::warn!(partition = self.partition, message, "batches are missing");
            self.board.alarm(code::NUMBER_JUMP, message);
        }
        self.folded_seq = delivered.seq;
        self.board.update(|numbers| {
            numbers.counts.add(taken.is_duplicate, taken.counts, taken.rejected);
            numbers.last_folded_seq = delivered.seq;
            numbers.rows_pending = self.intake.pending.rows.len() as u64;
        });
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), End> {
        let Some(manifest) = self.intake.flush().await.map_err(|error| failed(&error))? else { return Ok(()) };
        self.sealed_seq = manifest.sealed_seq;
        self.board.clear(code::FLUSH_FAILED);
        self.board.update(|numbers| {
            numbers.sealed_seq = manifest.sealed_seq;
            numbers.archived_seq = manifest.archived_seq;
            numbers.revision = manifest.revision;
            numbers.parts = manifest.parts.len() as u64;
            numbers.rows_pending = 0;
            numbers.counts.flushes += 1;
        });
        self.merging.start();
        self.archiving.wake();
        Ok(())
    }

    /// The orderly end: one last flush.
    async fn end(&mut self) -> Result<End, End> {
        self.merging.interrupt();
        self.flush().await?;
        Ok(End::Cancelled)
    }
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}

fn lost() -> End {
    End::Again { code: Some(code::COMMIT_LOST), message: CommitError::Lost.to_string() }
}

fn failed(error: &FlushError) -> End {
    match error {
        FlushError::Commit(CommitError::Lost) => lost(),
        error if error.is_unbalanced() => End::Again { code: Some(code::LEDGER_MISMATCH), message: error.to_string() },
        error => End::Again { code: Some(code::FLUSH_FAILED), message: error.to_string() },
    }
}
