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
use weir_rollup::fold::{self, Arrival, Counts, Jump, KnownIds, OldRetry, Recall, State};
use weir_rollup::manifest::{LogicFrom, Manifest, covered_sql};
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
    /// Raw batches are kept: what is served is archived, a shadow is not.
    is_archived: bool,
    /// What a replay cannot find in rows.
    recall: Recall,
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
        let is_archived = shared.config.archive && commits.is_served();
        let (shared, pending) = (Arc::clone(shared), Pending::default());
        Self { shared, partition, commits, pending, logic, rules, state, stored, is_archived, recall: Recall::default() }
    }

    /// Knows these old events too from here on.
    pub(crate) fn remember(&mut self, recall: Recall) {
        self.recall = recall;
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
        let places = batch.places() as usize;
        let taken = Taken {
            events: u64::from(batch.places()),
            jump: folded.jump,
            is_duplicate: folded.duplicate_batch,
            counts: folded.counts,
            rejected: folded.ledger.iter().map(|entry| entry.tally.rejected_total()).sum(),
            batcher: batch.batcher,
        };
        self.pending.add(delivered, places, folded, Instant::now());
        if self.is_archived {
            self.pending.keep_raw(delivered);
        }
        Ok(taken)
    }

    /// Which old retries of a batch are stored already, in parts or among the pending rows.
    async fn look_up(&self, batch: &EventBatch, arrival: Arrival) -> Result<KnownIds, String> {
        let wanted = fold::old_retries(&self.state, batch, arrival.stream_ms);
        if wanted.is_empty() {
            return Ok(KnownIds::new());
        }
        let manifest = self.commits.manifest().await;
        // What is to be forgotten is nobody's copy: else it would depend on when it is erased.
        let erasures = [manifest.erasures.clone(), self.pending.erasures()].concat();
        let mut known = self.look_up_stored(&manifest, wanted.clone(), covered_sql(&erasures)).await?;
        known.extend(self.recall.copies(&wanted));
        known.extend(self.pending.copies(&wanted, self.state.stream_ms().max(arrival.stream_ms), &erasures));
        Ok(known)
    }

    async fn look_up_stored(&self, manifest: &Manifest, wanted: Vec<OldRetry>, hidden: String) -> Result<KnownIds, String> {
        let mut files = Vec::new();
        for part in fold::parts_to_search(&manifest.parts, &wanted) {
            files.push((part.name.clone(), self.shared.store.fetch_part(part).await.map_err(|error| error.to_string())?));
        }
        if files.is_empty() {
            return Ok(KnownIds::new());
        }
        let stored = Arc::clone(&self.stored);
        let look = move || stored.lock().unwrap_or_else(PoisonError::into_inner).find(&files, &wanted, &hidden);
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
