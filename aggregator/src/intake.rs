//! Messages in, rows pending, parts out: what live ingestion and a replay do alike.

use crate::Shared;
use crate::commits::Commits;
use crate::flush::{self, FlushError};
use crate::pending::Pending;
use crate::stored::Stored;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use weir_event::codec::{self, DecodeError};
use weir_event::model::EventBatch;
use weir_reader::stream::Delivered;
use weir_rollup::fold::{self, Arrival, Counts, Jump, KnownIds, OldRetry, State};
use weir_rollup::manifest::{LogicFrom, Manifest};
use weir_rollup::rules::Rules;

/// Why a message was not taken in. What came before it is pending and good.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IntakeError {
    /// It is no batch.
    #[error("message {seq} cannot be decoded: {cause}")]
    Undecodable {
        /// Its sequence.
        seq: u64,
        /// What is wrong with it.
        cause: DecodeError,
    },
    /// Whether its old retries are stored already could not be found out.
    #[error("old retries cannot be looked up: {0}")]
    LookUp(String),
}

/// What a message gave.
pub(crate) struct Taken {
    /// Events that it carried.
    pub(crate) events: u64,
    /// Its batcher.
    pub(crate) batcher: String,
    /// Batches are missing before it.
    pub(crate) jump: Option<Jump>,
    /// It was folded before.
    pub(crate) is_duplicate: bool,
    /// What became of its events.
    pub(crate) counts: Counts,
    /// Events refused, by the edge or the fold.
    pub(crate) rejected: u64,
}

/// A fold in work and what it has not yet sealed.
pub(crate) struct Intake {
    shared: Arc<Shared>,
    partition: u32,
    pub(crate) commits: Arc<Commits>,
    pub(crate) pending: Pending,
    logic: LogicFrom,
    rules: Arc<Rules>,
    state: State,
    stored: Arc<Mutex<Stored>>,
}

impl Intake {
    /// Goes on from a state.
    pub(crate) fn new(
        shared: &Arc<Shared>,
        partition: u32,
        commits: Arc<Commits>,
        (logic, rules): (LogicFrom, Arc<Rules>),
        state: State,
    ) -> Self {
        let stored = Arc::new(Mutex::new(Stored::new(flush::duck_limits(shared))));
        Self { shared: Arc::clone(shared), partition, commits, pending: Pending::default(), logic, rules, state, stored }
    }

    /// Folds with other rules from here on. Nothing may be pending: a part has one logic.
    pub(crate) fn go_on_with(&mut self, (logic, rules): (LogicFrom, Arc<Rules>)) {
        debug_assert!(!self.has_pending(), "rows of two logics in one part");
        (self.logic, self.rules) = (logic, rules);
    }

    /// Folds from another state from here on. Nothing may be pending.
    pub(crate) fn go_on_from(&mut self, state: State) {
        debug_assert!(!self.has_pending(), "rows of two states in one part");
        self.state = state;
    }

    /// Whether a message was taken in since the last flush.
    pub(crate) fn has_pending(&self) -> bool {
        self.pending.last().is_some()
    }

    /// Folds the next message.
    pub(crate) async fn take(&mut self, delivered: &Delivered) -> Result<Taken, IntakeError> {
        let batch = codec::decode(delivered.schema, &delivered.payload)
            .map_err(|cause| IntakeError::Undecodable { seq: delivered.seq, cause })?;
        let arrival = Arrival { seq: delivered.seq, stream_ms: delivered.stream_ms };
        let known = self.look_up(&batch, arrival).await.map_err(IntakeError::LookUp)?;
        let folded = fold::fold(&mut self.state, &self.rules, &batch, arrival, &known);
        let taken = Taken {
            events: batch.events.len() as u64,
            jump: folded.jump,
            is_duplicate: folded.duplicate_batch,
            counts: folded.counts,
            rejected: folded.ledger.iter().map(|entry| entry.tally.rejected_total()).sum(),
            batcher: batch.batcher,
        };
        self.pending.add(delivered, batch.events.len(), folded, Instant::now());
        Ok(taken)
    }

    /// Which old retries of a batch are stored already, in parts or among the pending rows.
    async fn look_up(&self, batch: &EventBatch, arrival: Arrival) -> Result<KnownIds, String> {
        let wanted = fold::old_retries(&self.state, batch, arrival.stream_ms);
        if wanted.is_empty() {
            return Ok(KnownIds::new());
        }
        let mut known = self.look_up_stored(wanted.clone()).await?;
        known.extend(self.pending.copies(&wanted, self.state.stream_ms().max(arrival.stream_ms)));
        Ok(known)
    }

    async fn look_up_stored(&self, wanted: Vec<OldRetry>) -> Result<KnownIds, String> {
        let manifest = self.commits.manifest().await;
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

    /// Seals what is pending; the manifest then, `None` = nothing was.
    ///
    /// After an error the fold's state is gone: load the partition again.
    pub(crate) async fn flush(&mut self) -> Result<Option<Manifest>, FlushError> {
        if !self.has_pending() {
            return Ok(None);
        }
        let pending = std::mem::take(&mut self.pending);
        let state = std::mem::take(&mut self.state);
        let (state, manifest) = flush::flush(&self.shared, self.partition, &self.commits, &self.logic, pending, state).await?;
        self.state = state;
        Ok(manifest)
    }
}
