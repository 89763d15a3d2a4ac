//! One partition's loop: consume → fold → collect → flush → commit.

use crate::Shared;
use crate::commits::CommitError;
use crate::flush::{self, FlushError};
use crate::merging::Merging;
use crate::pending::{FlushLimits, Pending};
use crate::requests::Requests;
use crate::session::{self, End, Session};
use crate::status::{Board, code};
use crate::stored::Stored;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use weir_event::codec;
use weir_event::model::EventBatch;
use weir_event::subject;
use weir_reader::stream::{self, Delivered};
use weir_rollup::fold::{self, Arrival, KnownIds, OldRetry, State};

/// How long the last flush may take when the aggregator ends.
const LAST_FLUSH_MS: u64 = 5_000;
/// Longest pause before a partition is loaded again.
const RELOAD_PAUSE_MAX: Duration = Duration::from_secs(30);

/// Folds a partition until `cancel` fires. A partition that must stop says so in its status, and refuses requests until then.
pub(crate) async fn run(shared: Arc<Shared>, partition: u32, board: Arc<Board>, cancel: CancellationToken) {
    let subject = subject::flush_subject(&shared.config.region, partition);
    let mut requests = match Requests::listen(&shared.client, subject).await {
        Ok(requests) => requests,
        Err(error) => return tracing::error!(partition, %error, "cannot listen for flush requests"),
    };
    let mut failures = 0_u32;
    loop {
        let began = Instant::now();
        let end = match session(&shared, partition, &board, &mut requests, &cancel).await {
            Ok(end) | Err(end) => end,
        };
        match end {
            End::Cancelled => return requests.refuse_waiting("the aggregator ends").await,
            End::Stop { code, message } => {
                tracing::error!(partition, alarm = code, message, "the partition stops");
                board.update(|numbers| numbers.stopped = true);
                board.alarm(code, message.clone());
                return refuse_all(&mut requests, &format!("the partition stands: {message}"), &cancel).await;
            }
            End::Again { code, message } => {
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
    session: Session,
    merging: Merging,
    pending: Pending,
    stored: Arc<Mutex<Stored>>,
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
        let merging = Merging::new(Arc::clone(shared), partition, Arc::clone(&session.commits), Arc::clone(board));
        let sealed_seq = session.sealed_seq;
        let manifest = session.commits.manifest().await;
        board.clear(code::LOAD_FAILED);
        board.update(|numbers| {
            numbers.last_folded_seq = sealed_seq;
            numbers.sealed_seq = sealed_seq;
            numbers.revision = manifest.revision;
            numbers.parts = manifest.parts.len() as u64;
            numbers.rows_pending = 0;
        });
        Self {
            shared,
            partition,
            board,
            session,
            merging,
            pending: Pending::default(),
            stored: Arc::new(Mutex::new(Stored::new(flush::duck_limits(shared)))),
            limits,
            folded_seq: sealed_seq,
            sealed_seq,
        }
    }

    async fn run(&mut self, requests: &mut Requests, cancel: &CancellationToken) -> Result<End, End> {
        self.merging.start();
        let commits = Arc::clone(&self.session.commits);
        loop {
            if self.pending.is_full(self.limits) || (self.has_pending() && requests.wants_flush(self.folded_seq)) {
                self.flush().await?;
            }
            requests.answer(self.sealed_seq).await;
            let deadline = self.pending.deadline(self.limits);
            tokio::select! {
                biased;
                () = cancel.cancelled() => return self.end().await,
                () = commits.lost() => return Err(lost()),
                () = sleep_until(deadline) => self.flush().await?,
                message = requests.next() => {
                    let reach = stream::state(&self.shared.jetstream, &self.shared.config.region, self.partition).await;
                    match reach {
                        Ok(reach) => requests.take(message, reach.last_seq).await,
                        Err(error) => requests.refuse(&message, &error.to_string()).await,
                    }
                }
                delivered = self.session.stream.next() => match delivered {
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

    fn has_pending(&self) -> bool {
        self.pending.last().is_some()
    }

    /// Folds one message. One that cannot be decoded stops the partition before it.
    async fn fold(&mut self, delivered: &Delivered) -> Result<(), End> {
        let batch = match codec::decode(delivered.schema, &delivered.payload) {
            Ok(batch) => batch,
            Err(error) => {
                self.flush().await?;
                let message = format!("message {} cannot be decoded: {error}", delivered.seq);
                return Err(End::Stop { code: code::UNDECODABLE_BATCH, message });
            }
        };
        let arrival = Arrival { seq: delivered.seq, stream_ms: delivered.stream_ms };
        let known = self.look_up(&batch, arrival).await?;
        let folded = fold::fold(&mut self.session.state, &self.shared.rules, &batch, arrival, &known);
        if let Some(jump) = &folded.jump {
            let (expected, found) = (jump.expected, jump.found);
            let message =
                format!("message {} of batcher {} has number {found}, expected {expected}", delivered.seq, batch.batcher);
            tracing::warn!(partition = self.partition, message, "batches are missing");
            self.board.alarm(code::NUMBER_JUMP, message);
        }
        let (is_duplicate, counts) = (folded.duplicate_batch, folded.counts);
        let rejected = folded.ledger.iter().map(|entry| entry.tally.rejected_total()).sum();
        self.pending.add(delivered, batch.events.len(), folded, Instant::now());
        self.folded_seq = delivered.seq;
        self.board.update(|numbers| {
            numbers.counts.add(is_duplicate, counts, rejected);
            numbers.last_folded_seq = delivered.seq;
            numbers.rows_pending = self.pending.rows.len() as u64;
        });
        Ok(())
    }

    /// Which old retries of a batch are stored already, in parts or among the pending rows.
    async fn look_up(&mut self, batch: &EventBatch, arrival: Arrival) -> Result<KnownIds, End> {
        let wanted = fold::old_retries(&self.session.state, batch, arrival.stream_ms);
        if wanted.is_empty() {
            return Ok(KnownIds::new());
        }
        match self.look_up_stored(wanted.clone()).await {
            Ok(mut known) => {
                let stream_ms = self.session.state.stream_ms().max(arrival.stream_ms);
                known.extend(self.pending.copies(&wanted, stream_ms));
                Ok(known)
            }
            Err(message) => {
                // What was folded so far is good.
                self.flush().await?;
                Err(End::Again { code: Some(code::LOAD_FAILED), message: format!("old retries cannot be looked up: {message}") })
            }
        }
    }

    async fn look_up_stored(&self, wanted: Vec<OldRetry>) -> Result<KnownIds, String> {
        let manifest = self.session.commits.manifest().await;
        let mut files = Vec::new();
        for part in fold::parts_to_search(&manifest.parts, &wanted) {
            files.push((part.name.clone(), self.shared.store.local_path(&part.name).map_err(|error| error.to_string())?));
        }
        if files.is_empty() {
            return Ok(KnownIds::new());
        }
        let stored = Arc::clone(&self.stored);
        let look = move || stored.lock().unwrap_or_else(PoisonError::into_inner).find(&files, &wanted);
        tokio::task::spawn_blocking(look).await.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
    }

    async fn flush(&mut self) -> Result<(), End> {
        if !self.has_pending() {
            return Ok(());
        }
        let pending = std::mem::take(&mut self.pending);
        let state = std::mem::take(&mut self.session.state);
        let flushed = flush::flush(self.shared, self.partition, &self.session.commits, pending, state).await;
        let (state, manifest): (State, _) = flushed.map_err(|error| failed(&error))?;
        self.session.state = state;
        let Some(manifest) = manifest else { return Ok(()) };
        self.sealed_seq = manifest.sealed_seq;
        self.board.clear(code::FLUSH_FAILED);
        self.board.update(|numbers| {
            numbers.sealed_seq = manifest.sealed_seq;
            numbers.revision = manifest.revision;
            numbers.parts = manifest.parts.len() as u64;
            numbers.rows_pending = 0;
            numbers.counts.flushes += 1;
        });
        self.merging.start();
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
