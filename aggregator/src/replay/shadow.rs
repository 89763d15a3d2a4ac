//! A partition's shadow in work: made from a checkpoint, folded on, caught up with what is served.

use super::pace::Pace;
use super::plan::Beginning;
use super::{Progress, ReplayError, Replayer};
use crate::Shared;
use crate::commits::{Commits, Committed, Line};
use crate::duck::Interrupt;
use crate::intake::{Intake, IntakeError};
use crate::merging::Merger;
use crate::pending::FlushLimits;
use crate::session;
use crate::status::now_ms;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use weir_reader::history::History;
use weir_reader::replays::{Record, ReplayedPartition};
use weir_reader::states;
use weir_reader::stream::Delivered;
use weir_rollup::fold::State;
use weir_rollup::logic;
use weir_rollup::manifest::{LogicFrom, Manifest};
use weir_rollup::rules::Rules;

/// Pause between two tellings of the progress.
const TELL_EVERY: Duration = Duration::from_millis(200);

/// Who is told how far it is, who says when to wait and when to end.
pub(super) struct Company<'a> {
    pub(super) tell: &'a (dyn Fn(&Progress) + Send + Sync),
    pub(super) pace: Pace,
    pub(super) cancel: CancellationToken,
    /// Events folded so far.
    pub(super) events: u64,
    /// Time spent waiting for live ingestion.
    pub(super) paused: Duration,
    told: Instant,
}

impl<'a> Company<'a> {
    pub(super) fn new(tell: &'a (dyn Fn(&Progress) + Send + Sync), pace: Pace, cancel: CancellationToken) -> Self {
        Self { tell, pace, cancel, events: 0, paused: Duration::ZERO, told: Instant::now() }
    }

    /// Tells now and then; waits while live ingestion is behind.
    async fn look_up(&mut self, mut progress: Progress) -> Result<(), ReplayError> {
        if self.cancel.is_cancelled() {
            return Err(ReplayError::Cancelled);
        }
        progress.events = self.events;
        if self.pace.is_behind() {
            (self.tell)(&Progress { paused: true, ..progress });
            let began = Instant::now();
            tokio::select! {
                () = self.pace.wait() => {}
                () = self.cancel.cancelled() => return Err(ReplayError::Cancelled),
            }
            self.paused += began.elapsed();
            (self.tell)(&progress);
        } else if self.told.elapsed() >= TELL_EVERY {
            self.told = Instant::now();
            (self.tell)(&progress);
        }
        Ok(())
    }
}

/// A shadow that is folded on.
pub(super) struct Shadow {
    shared: Arc<Shared>,
    partition: u32,
    pub(super) commits: Arc<Commits>,
    merger: Arc<Merger>,
    intake: Intake,
    history: History,
    schedule: Vec<LogicFrom>,
    folded_seq: u64,
}

impl Replayer {
    /// Makes the first manifest of a shadow: the served history up to the checkpoint.
    pub(super) async fn begin_shadow(
        &self,
        record: &Record,
        replayed: &ReplayedPartition,
        served: &Manifest,
    ) -> Result<Committed, ReplayError> {
        let ReplayedPartition { partition, from_seq, checkpoint_seq } = *replayed;
        let wanted = record.logic.clone().map(|logic| LogicFrom { pinned: record.pinned, ..LogicFrom::new(from_seq, logic) });
        let begun_ms = now_ms();
        let parts = self.prefix(served, checkpoint_seq).await?;
        let manifest = served.shadow(checkpoint_seq, from_seq, wanted, parts);
        let nothing = Committed { manifest, name: None, checksum: String::new(), kv_revision: 0 };
        let line = Line::Shadow { replay_id: record.id.clone() };
        let commits = Commits::new(Arc::clone(&self.shared), line, partition, nothing);
        commits.commit(begun_ms, |_| true).await.map_err(|error| ReplayError::commit(partition, &error))?;
        Ok(commits.committed().await)
    }

    /// Opens a shadow where its last commit left it; makes it when there is none yet.
    pub(super) async fn open_shadow(
        &self,
        record: &Record,
        replayed: &ReplayedPartition,
        cancel: &CancellationToken,
    ) -> Result<Shadow, ReplayError> {
        let (partition, line) = (replayed.partition, Line::Shadow { replay_id: record.id.clone() });
        let committed = if let Some(committed) = Committed::load(&self.shared, &line, partition).await? {
            committed
        } else {
            let served = self.served(partition).await?.manifest;
            self.begin_shadow(record, replayed, &served).await?
        };
        let manifest = committed.manifest.clone();
        let sealed_seq = manifest.sealed_seq;
        let message = |cause: String| ReplayError::Message { partition, cause };
        let state = match states::load(&self.shared.store, &manifest).await? {
            Some(encoded) => session::decode_state(encoded).await.map_err(message)?,
            None => State::default(),
        };
        // The archive is that of what is served; the shadow must be of the same stream.
        let served = self.served(partition).await?.manifest;
        if served.stream.created != manifest.stream.created {
            let (stream, created) = (manifest.stream.name, served.stream.created);
            return Err(weir_reader::ReaderError::Recreated { stream, created, former: manifest.stream.created }.into());
        }
        let history = History::open(&self.shared.jetstream, &self.shared.store, &served, sealed_seq + 1).await?;
        let commits = Arc::new(Commits::new(Arc::clone(&self.shared), line, partition, committed));
        let merger = Merger {
            shared: Arc::clone(&self.shared),
            partition,
            commits: Arc::clone(&commits),
            interrupt: Arc::new(Interrupt::default()),
        };
        let logic = rules_at(&self.shared, &manifest.logic, sealed_seq + 1).await?;
        let mut intake = Intake::new(&self.shared, partition, Arc::clone(&commits), logic, state);
        intake.remember(self.recall(&served, &manifest, replayed.checkpoint_seq, cancel).await?);
        Ok(Shadow {
            shared: Arc::clone(&self.shared),
            partition,
            commits,
            merger: Arc::new(merger),
            intake,
            history,
            schedule: manifest.logic,
            folded_seq: sealed_seq,
        })
    }

    /// What a partition serves.
    pub(super) async fn served(&self, partition: u32) -> Result<Committed, ReplayError> {
        Committed::load(&self.shared, &Line::Served, partition).await?.ok_or(ReplayError::NothingSealed)
    }
}

impl Beginning {
    /// What the record says of it.
    pub(super) fn replayed(&self) -> ReplayedPartition {
        ReplayedPartition { partition: self.partition, from_seq: self.from_seq, checkpoint_seq: self.checkpoint_seq() }
    }
}

async fn rules_at(shared: &Shared, schedule: &[LogicFrom], seq: u64) -> Result<(LogicFrom, Arc<Rules>), ReplayError> {
    let Some(from) = logic::at(schedule, seq).or_else(|| schedule.first()) else {
        let own = Arc::clone(shared.rulebook.own());
        return Ok((LogicFrom::new(1, own.logic()), own));
    };
    Ok((from.clone(), shared.rulebook.for_logic(&from.logic).await?))
}

impl Shadow {
    /// Folds, seals and merges through a sequence.
    pub(super) async fn advance(&mut self, target_seq: u64, company: &mut Company<'_>) -> Result<(), ReplayError> {
        let config = &self.shared.config;
        // A replay flushes by size alone.
        let limits = FlushLimits { after: Duration::MAX, rows_max: config.flush_rows_max, bytes_max: config.flush_bytes_max };
        let first_seq = self.folded_seq + 1;
        while self.folded_seq < target_seq {
            let (partition, folded_seq) = (self.partition, self.folded_seq);
            company.look_up(Progress { partition, first_seq, folded_seq, target_seq, events: 0, paused: false }).await?;
            let delivered = tokio::select! {
                delivered = self.history.next() => delivered?,
                () = company.cancel.cancelled() => return Err(ReplayError::Cancelled),
            };
            self.prepare(delivered.seq).await?;
            company.events += self.take(&delivered).await?;
            if self.intake.pending.is_full(limits) {
                self.flush().await?;
            }
        }
        self.flush().await?;
        let (partition, folded_seq, events) = (self.partition, self.folded_seq, company.events);
        (company.tell)(&Progress { partition, first_seq, folded_seq, target_seq, events, paused: false });
        Ok(())
    }

    /// Changes rules and state where the schedule says so.
    async fn prepare(&mut self, seq: u64) -> Result<(), ReplayError> {
        let Some(from) = self.schedule.iter().find(|from| from.from_seq == seq).cloned() else { return Ok(()) };
        self.flush().await?;
        self.intake.go_on_with(rules_at(&self.shared, &self.schedule, seq).await?);
        if let Some(object) = &from.state {
            let encoded = states::load_object(&self.shared.store, object).await?;
            let state = session::decode_state(encoded).await;
            self.intake.go_on_from(state.map_err(|cause| ReplayError::Message { partition: self.partition, cause })?);
        }
        Ok(())
    }

    async fn take(&mut self, delivered: &Delivered) -> Result<u64, ReplayError> {
        let failed = |error: IntakeError| ReplayError::Message { partition: self.partition, cause: error.to_string() };
        let taken = self.intake.take(delivered).await.map_err(failed)?;
        self.folded_seq = delivered.seq;
        Ok(taken.events)
    }

    /// Seals what is folded, and merges.
    pub(super) async fn flush(&mut self) -> Result<(), ReplayError> {
        self.intake.flush().await.map_err(|error| ReplayError::flush(self.partition, &error))?;
        loop {
            match self.merger.next().await {
                Ok(Some(_)) => {}
                Ok(None) => return Ok(()),
                Err(error) => return Err(ReplayError::merge(self.partition, &error)),
            }
        }
    }
}
