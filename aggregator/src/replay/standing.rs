//! How the newest replay stands, the comparison with what is served, and giving it up.

use super::diff::{self, Options, Report, Sides};
use super::{ReplayError, Replayer, rfc3339};
use crate::commits::{Commits, Committed, Line};
use crate::compact::{self, Input};
use crate::duck::{DuckLimits, Interrupt};
use crate::flush::duck_limits;
use crate::status::now_ms;
use serde::Serialize;
use std::sync::Arc;
use weir_reader::replays::{self, Phase};
use weir_rollup::manifest::{Manifest, PromotionKind};

/// What a comparison may use: where every figure of millions of rows differs, 512 MB were too little.
const COMPARE_MEMORY_MB: u64 = 2_048;

/// How the newest replay stands.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    /// Its id.
    pub id: String,
    /// How far it is.
    pub phase: Phase,
    /// Logic version of the new rows; `None` = for each sequence the rules that the served manifest names.
    pub logic: Option<String>,
    /// When it was begun, RFC 3339.
    pub created: String,
    /// When it was worked on last, RFC 3339.
    pub updated: String,
    /// Events folded so far.
    pub events: u64,
    /// Time that took, milliseconds.
    pub busy_ms: u64,
    /// Each partition.
    pub partitions: Vec<PartitionStatus>,
}

/// How a replay stands in one partition.
#[derive(Clone, Debug, Serialize)]
pub struct PartitionStatus {
    /// Region of the partition.
    pub region: String,
    /// Its number.
    pub partition: u32,
    /// First sequence folded with the wanted logic.
    pub from_seq: u64,
    /// The checkpoint that it begins at.
    pub checkpoint_seq: u64,
    /// Last sequence that the shadow holds; `None` = not begun, or dropped.
    pub shadow_seq: Option<u64>,
    /// Last sequence that is sealed in what is served.
    pub served_seq: u64,
    /// Share of the sequences after the checkpoint that the shadow holds.
    pub percent: f64,
    /// It is what is served.
    pub promoted: bool,
    /// It can be rolled back.
    pub rollback_offered: bool,
}

/// What was given up.
#[derive(Clone, Debug, Serialize)]
pub struct Discarded {
    /// Id of the replay.
    pub id: String,
    /// A shadow was dropped; the sweeper deletes its files after a day.
    pub shadow: bool,
    /// A promotion can no longer be rolled back.
    pub rollback: bool,
}

impl Replayer {
    /// How the newest replay stands; `None` when there never was one.
    pub async fn status(&self) -> Result<Option<Status>, ReplayError> {
        let Some(entry) = replays::get(&self.shared.jetstream, self.region()).await? else { return Ok(None) };
        let record = entry.record;
        let mut partitions = Vec::new();
        for replayed in &record.partitions {
            let served = self.served(replayed.partition).await?.manifest;
            let shadow =
                if record.phase == Phase::Discarded { None } else { self.shadow_of(&record.id, replayed.partition).await? };
            let shadow_seq = shadow.map(|shadow| shadow.sealed_seq);
            let switch = served.promotion.as_ref().filter(|promotion| promotion.replay_id == record.id);
            partitions.push(PartitionStatus {
                region: self.region().to_owned(),
                partition: replayed.partition,
                from_seq: replayed.from_seq,
                checkpoint_seq: replayed.checkpoint_seq,
                shadow_seq,
                served_seq: served.sealed_seq,
                percent: percent(replayed.checkpoint_seq, shadow_seq, served.sealed_seq),
                promoted: switch.is_some_and(|switch| switch.kind == PromotionKind::Promote),
                rollback_offered: switch.is_some_and(|switch| switch.former.is_some()),
            });
        }
        Ok(Some(Status {
            id: record.id,
            phase: record.phase,
            logic: record.logic,
            created: rfc3339(record.created_ms),
            updated: rfc3339(record.updated_ms),
            events: record.events,
            busy_ms: record.busy_ms,
            partitions,
        }))
    }

    /// Compares what is served with the shadow, from the checkpoint to where the shorter of both ends.
    ///
    /// # Errors
    /// When there is no shadow, or the comparison fails.
    pub async fn diff(&self, options: &Options) -> Result<Report, ReplayError> {
        let entry = replays::get(&self.shared.jetstream, self.region()).await?.ok_or(ReplayError::None)?;
        let record = entry.record;
        if !record.phase.has_shadow() && record.phase != Phase::Promoted {
            let hint = "there is nothing to compare: begin a replay with `weir replay run --from-seq N`";
            return Err(ReplayError::Phase { id: record.id, phase: record.phase, hint });
        }
        let mut sides = Vec::new();
        for replayed in &record.partitions {
            let partition = replayed.partition;
            let served = self.served(partition).await?.manifest;
            // One that was not begun yet has nothing to be compared.
            let Some(shadow) = self.shadow_of(&record.id, partition).await? else { continue };
            sides.push(Sides {
                region: self.region().to_owned(),
                partition,
                after_seq: replayed.checkpoint_seq,
                through_seq: served.sealed_seq.min(shadow.sealed_seq),
                served: self.inputs(&served, replayed.checkpoint_seq).await?,
                shadow: self.inputs(&shadow, replayed.checkpoint_seq).await?,
            });
        }
        if sides.is_empty() {
            let hint = "there is nothing to compare yet: `weir replay run` builds the shadow";
            return Err(ReplayError::Phase { id: record.id, phase: record.phase, hint });
        }
        let limits = duck_limits(&self.shared);
        // Nothing else of this process runs beside it.
        let limits = DuckLimits { memory_limit_mb: limits.memory_limit_mb.max(COMPARE_MEMORY_MB), ..limits };
        let options = options.clone();
        let compare = move || diff::compare(&limits, &Interrupt::default(), &sides, &options);
        Ok(tokio::task::spawn_blocking(compare).await??)
    }

    /// Gives the shadow up, or after a promotion the offer to roll it back. Files are deleted by the sweeper, a day later.
    ///
    /// # Errors
    /// When there never was a replay, or a switch was interrupted half-way.
    pub async fn discard(&self) -> Result<Discarded, ReplayError> {
        let entry = replays::get(&self.shared.jetstream, self.region()).await?.ok_or(ReplayError::None)?;
        let (id, phase) = (entry.record.id.clone(), entry.record.phase);
        match phase {
            Phase::Promoting | Phase::RollingBack => {
                let hint = "finish it with `weir replay promote` or `weir replay rollback` first";
                Err(ReplayError::Phase { id, phase, hint })
            }
            Phase::Building | Phase::Built => {
                self.put_phase(entry, Phase::Discarded).await?;
                Ok(Discarded { id, shadow: true, rollback: false })
            }
            Phase::Promoted => {
                let mut rollback = false;
                for replayed in &entry.record.partitions {
                    rollback |= self.withdraw(&id, replayed.partition).await?;
                }
                self.put_phase(entry, Phase::Discarded).await?;
                Ok(Discarded { id, shadow: false, rollback })
            }
            Phase::RolledBack | Phase::Discarded => {
                self.put_phase(entry, Phase::Discarded).await?;
                Ok(Discarded { id, shadow: false, rollback: false })
            }
        }
    }

    /// Ends the offer to roll a partition back; whether there was one.
    async fn withdraw(&self, replay_id: &str, partition: u32) -> Result<bool, ReplayError> {
        loop {
            let commits = Commits::new(Arc::clone(&self.shared), Line::Served, partition, self.served(partition).await?);
            let committed = commits.commit(now_ms(), |manifest| {
                let switch = manifest.promotion.as_mut().filter(|switch| switch.replay_id == replay_id);
                switch.and_then(|switch| switch.former.take()).is_some()
            });
            match committed.await {
                Ok(committed) => return Ok(committed.is_some()),
                Err(crate::commits::CommitError::Lost) => {}
                Err(error) => return Err(ReplayError::commit(partition, &error)),
            }
        }
    }

    async fn shadow_of(&self, replay_id: &str, partition: u32) -> Result<Option<Manifest>, ReplayError> {
        let line = Line::Shadow { replay_id: replay_id.to_owned() };
        Ok(Committed::load(&self.shared, &line, partition).await?.map(|committed| committed.manifest))
    }

    async fn inputs(&self, manifest: &Manifest, after_seq: u64) -> Result<Vec<Input>, ReplayError> {
        let parts = manifest.parts.iter().filter(|part| part.max_seq > after_seq);
        Ok(compact::inputs(&self.shared.store, parts).await?)
    }
}

fn percent(checkpoint_seq: u64, shadow_seq: Option<u64>, served_seq: u64) -> f64 {
    let (done, all) =
        (shadow_seq.unwrap_or(checkpoint_seq).saturating_sub(checkpoint_seq), served_seq.saturating_sub(checkpoint_seq));
    if all == 0 {
        return if shadow_seq.is_some() { 100.0 } else { 0.0 };
    }
    // In tenths, cut off: 100 means that nothing is missing.
    (done.saturating_mul(1_000) / all).min(1_000) as f64 / 10.0
}

#[cfg(test)]
mod tests {
    use super::percent;

    #[test]
    #[expect(clippy::float_cmp, reason = "tenths, computed the same way")]
    fn a_hundred_percent_is_everything() {
        for (checkpoint, shadow, served, expected) in [
            (0, None, 10, 0.0),
            (0, Some(0), 10, 0.0),
            (10, Some(15), 20, 50.0),
            (0, Some(9_999), 10_000, 99.9),
            (0, Some(10), 10, 100.0),
            (10, Some(10), 10, 100.0),
            (10, None, 10, 0.0),
        ] {
            assert_eq!(percent(checkpoint, shadow, served), expected, "{checkpoint} {shadow:?} {served}");
        }
    }
}
