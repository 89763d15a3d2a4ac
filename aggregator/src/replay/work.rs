//! Building: from the first message after the checkpoint to what is sealed now, to be gone on with after any interruption.

use super::pace::Pace;
use super::shadow::Company;
use super::{Progress, ReplayError, Replayer, Wanted};
use crate::status::now_ms;
use serde::Serialize;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use weir_reader::replays::{self, Phase, RECORD_VERSION, Record, RecordEntry, ReplayedPartition};
use weir_rollup::part;

/// How often the served head is looked at again after the shadow caught up with it: each time less is left.
const ROUNDS_MAX: usize = 8;

/// A shadow that is complete up to what was sealed when it was looked at last.
#[derive(Clone, Debug, Serialize)]
pub struct Built {
    /// Id of the replay.
    pub id: String,
    /// Logic version of the new rows; `None` = for each sequence the rules that the served manifest names.
    pub logic: Option<String>,
    /// Each partition.
    pub partitions: Vec<BuiltPartition>,
    /// Events folded by this call.
    pub events: u64,
    /// Time it took, milliseconds.
    pub elapsed_ms: u64,
    /// The same without waiting for live ingestion.
    pub busy_ms: u64,
    /// Events folded a second of `busy_ms`.
    pub events_per_s: u64,
}

/// A partition's shadow.
#[derive(Clone, Debug, Serialize)]
pub struct BuiltPartition {
    /// Region of the partition.
    pub region: String,
    /// Its number.
    pub partition: u32,
    /// First sequence folded with the wanted logic.
    pub from_seq: u64,
    /// The checkpoint that it began at.
    pub checkpoint_seq: u64,
    /// Last sequence that it holds.
    pub sealed_seq: u64,
    /// Event rows, those before the checkpoint included.
    pub rows: u64,
    /// Files.
    pub parts: u64,
    /// Checksum of all event rows, whatever the files.
    pub checksum: String,
}

impl Replayer {
    /// Builds a shadow, or goes on with the one that is there when the same is wanted (or nothing said), until it has everything that is sealed.
    ///
    /// # Errors
    /// When another shadow is there, the stream no longer reaches back so far, or the work fails; what was committed stays, to be gone on with.
    pub async fn build(
        &self,
        wanted: Option<&Wanted>,
        tell: &(dyn Fn(&Progress) + Send + Sync),
        cancel: CancellationToken,
    ) -> Result<Built, ReplayError> {
        let began = Instant::now();
        let RecordEntry { mut record, mut kv_revision } = self.record_to_build(wanted).await?;
        let mut company = Company::new(tell, Pace::watch(&self.shared, self.lag_target_ms), cancel);
        let mut partitions = Vec::new();
        let mut outcome = Ok(());
        for replayed in &record.partitions {
            match self.build_partition(&record, replayed, &mut company).await {
                Ok(built) => partitions.push(built),
                Err(error) => {
                    outcome = Err(error);
                    break;
                }
            }
        }
        let elapsed = began.elapsed();
        let busy = elapsed.saturating_sub(company.paused);
        record.events += company.events;
        record.busy_ms += busy.as_millis() as u64;
        record.updated_ms = now_ms();
        if outcome.is_ok() {
            record.phase = Phase::Built;
        }
        if !matches!(outcome, Err(ReplayError::Lost)) {
            kv_revision =
                replays::put(&self.shared.jetstream, self.region(), kv_revision, &record).await?.ok_or(ReplayError::Lost)?;
            tracing::debug!(kv_revision, "the replay's record is written");
        }
        outcome?;
        Ok(Built {
            id: record.id,
            logic: record.logic,
            partitions,
            events: company.events,
            elapsed_ms: elapsed.as_millis() as u64,
            busy_ms: busy.as_millis() as u64,
            events_per_s: per_second(company.events, busy),
        })
    }

    /// The record of the replay to build: the one that is there, or a new one.
    async fn record_to_build(&self, wanted: Option<&Wanted>) -> Result<RecordEntry, ReplayError> {
        let there = replays::get(&self.shared.jetstream, self.region()).await?;
        let unfinished = there.clone().filter(|entry| entry.record.phase.has_shadow());
        let Some(wanted) = wanted else {
            let entry = unfinished.ok_or(ReplayError::None)?;
            return check_buildable(entry);
        };
        let logic = self.logic(&wanted.logic).await?;
        let beginnings = self.beginnings(wanted).await?;
        let partitions: Vec<ReplayedPartition> = beginnings.iter().map(super::plan::Beginning::replayed).collect();
        let (name, pinned) = (logic.as_ref().map(|logic| logic.logic.clone()), logic.is_some_and(|logic| logic.pinned));
        if let Some(entry) = unfinished {
            let is_same = (&entry.record.logic, entry.record.pinned) == (&name, pinned)
                && from_seqs(&entry.record.partitions) == from_seqs(&partitions);
            return if is_same { check_buildable(entry) } else { Err(ReplayError::Exists { id: entry.record.id }) };
        }
        self.store_rules(&wanted.logic).await?;
        let record = Record {
            version: RECORD_VERSION,
            id: uuid::Uuid::new_v4().simple().to_string(),
            phase: Phase::Building,
            created_ms: now_ms(),
            updated_ms: now_ms(),
            logic: name,
            pinned,
            partitions,
            events: 0,
            busy_ms: 0,
        };
        let expected = there.map_or(0, |entry| entry.kv_revision);
        let written = replays::put(&self.shared.jetstream, self.region(), expected, &record).await?;
        let kv_revision = written.ok_or(ReplayError::Lost)?;
        self.forget().await;
        Ok(RecordEntry { record, kv_revision })
    }

    async fn build_partition(
        &self,
        record: &Record,
        replayed: &ReplayedPartition,
        company: &mut Company<'_>,
    ) -> Result<BuiltPartition, ReplayError> {
        let mut shadow = self.open_shadow(record, replayed, &company.cancel).await?;
        let mut sealed_seq = 0;
        for _ in 0..ROUNDS_MAX {
            let served_seq = self.served(replayed.partition).await?.manifest.sealed_seq;
            if sealed_seq == served_seq {
                break;
            }
            if let Err(error) = shadow.advance(served_seq, company).await {
                if matches!(error, ReplayError::Cancelled) {
                    // What was folded is good.
                    shadow.flush().await?;
                }
                return Err(error);
            }
            sealed_seq = served_seq;
        }
        let manifest = shadow.commits.manifest().await;
        let checksums = manifest.parts.iter().map(|part| part.content_checksum.as_str());
        Ok(BuiltPartition {
            region: self.region().to_owned(),
            partition: replayed.partition,
            from_seq: replayed.from_seq,
            checkpoint_seq: replayed.checkpoint_seq,
            sealed_seq: manifest.sealed_seq,
            rows: manifest.rows(),
            checksum: part::combine_checksums(checksums).unwrap_or_default(),
            parts: manifest.parts.len() as u64,
        })
    }
}

/// Once a promotion began, the shadow is caught up by the promotion alone.
fn check_buildable(entry: RecordEntry) -> Result<RecordEntry, ReplayError> {
    match entry.record.phase {
        Phase::Building | Phase::Built => Ok(entry),
        phase => Err(ReplayError::Phase {
            id: entry.record.id,
            phase,
            hint: "`weir replay promote` finishes the promotion, `weir replay rollback` takes it back",
        }),
    }
}

fn from_seqs(partitions: &[ReplayedPartition]) -> Vec<(u32, u64)> {
    partitions.iter().map(|replayed| (replayed.partition, replayed.from_seq)).collect()
}

fn per_second(events: u64, busy: Duration) -> u64 {
    let per_second = u128::from(events) * 1_000 / busy.as_millis().max(1);
    u64::try_from(per_second).unwrap_or(u64::MAX)
}
