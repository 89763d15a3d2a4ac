//! Switching: the shadow becomes what is served, or what was served before becomes so again. One compare-and-set for each partition.

use super::pace::Pace;
use super::shadow::Company;
use super::{Progress, ReplayError, Replayer};
use crate::commits::{CommitError, Commits, Committed, Line};
use crate::status::now_ms;
use serde::Serialize;
use std::sync::Arc;
use std::time::Instant;
use tokio_util::sync::CancellationToken;
use weir_event::subject;
use weir_reader::manifests;
use weir_reader::replays::{self, Phase, RecordEntry};
use weir_rollup::manifest::{Manifest, ObjectRef, Promotion, PromotionKind};

/// How often a head that moved meanwhile is tried again.
const ATTEMPTS_MAX: u32 = 50;

/// A partition that was switched.
#[derive(Clone, Debug, Serialize)]
pub struct Switched {
    /// Region of the partition.
    pub region: String,
    /// Its number.
    pub partition: u32,
    /// The revision that the switch made.
    pub revision: u64,
    /// First sequence whose rows were exchanged.
    pub from_seq: u64,
    /// Last sequence whose rows were exchanged.
    pub through_seq: u64,
    /// Time from the last look at the head to the new one, milliseconds; 0 when it was done already.
    pub switch_ms: u64,
    /// It was switched by an earlier, interrupted call.
    pub already: bool,
}

impl Replayer {
    /// Puts the shadow in the place of what is served, partition by partition. May be called again after an interruption: what is done stays done.
    ///
    /// Each partition's shadow is caught up to exactly what is sealed first. Later events are folded with its logic.
    ///
    /// # Errors
    /// When there is no complete shadow, or a partition cannot be switched; those before it are switched then.
    pub async fn promote(&self, tell: &(dyn Fn(&Progress) + Send + Sync)) -> Result<Vec<Switched>, ReplayError> {
        self.promote_if(tell, &|_, _| Ok(())).await
    }

    /// As [`Replayer::promote`], where `check` agrees: it gets what is served and the shadow, both up to the same sequence.
    pub(super) async fn promote_if(
        &self,
        tell: &(dyn Fn(&Progress) + Send + Sync),
        check: &(dyn Fn(&Manifest, &Manifest) -> Result<(), ReplayError> + Send + Sync),
    ) -> Result<Vec<Switched>, ReplayError> {
        let hint = "`weir replay run` builds it, `weir replay status` shows how far it is";
        let entry = self.enter(&[Phase::Built, Phase::Promoting, Phase::Promoted], Phase::Promoting, hint).await?;
        let record = entry.record.clone();
        let mut company = Company::new(tell, Pace::watch(&self.shared, u64::MAX), CancellationToken::new());
        let mut switched = Vec::new();
        for replayed in &record.partitions {
            let partition = replayed.partition;
            let done = self.served(partition).await?.manifest.promotion.filter(|done| done.replay_id == record.id);
            if let Some(done) = done {
                switched.push(self.already(partition, &done));
                continue;
            }
            let mut shadow = self.open_shadow(&record, replayed, &company.cancel).await?;
            let done = loop_until_switched(partition, async || {
                let served = self.served(partition).await?;
                shadow.advance(served.manifest.sealed_seq, &mut company).await?;
                let shadow = shadow.commits.manifest().await;
                check(&served.manifest, &shadow)?;
                self.put_in_place(served, &shadow, &record.id, replayed.checkpoint_seq + 1).await
            });
            match done.await {
                // Nothing was switched: the shadow can still be looked at, and given up.
                Err(error @ ReplayError::OtherRows { .. }) if switched.is_empty() => {
                    self.leave(entry, Phase::Built).await?;
                    return Err(error);
                }
                done => switched.push(done?),
            }
            self.nudge(partition).await;
        }
        self.leave(entry, Phase::Promoted).await?;
        Ok(switched)
    }

    /// Puts what was served before the promotion back, partition by partition: the former parts up to the promotion, everything sealed since,
    /// and the former logic from then on. May be called again after an interruption.
    ///
    /// # Errors
    /// When there is no promotion, or its former parts are no longer offered; partitions before it are switched then.
    pub async fn rollback(&self) -> Result<Vec<Switched>, ReplayError> {
        let hint = "there is no promotion that could be rolled back";
        let phases = [Phase::Promoting, Phase::Promoted, Phase::RollingBack, Phase::RolledBack];
        let entry = self.enter(&phases, Phase::RollingBack, hint).await?;
        let record = entry.record.clone();
        let mut switched = Vec::new();
        for replayed in &record.partitions {
            let partition = replayed.partition;
            let done = self.served(partition).await?.manifest.promotion.filter(|done| done.replay_id == record.id);
            match done {
                Some(done) if done.kind == PromotionKind::Rollback => switched.push(self.already(partition, &done)),
                // A promotion that was interrupted before this partition.
                None if entry.phase_before != Phase::Promoted => {}
                _ => {
                    let done = loop_until_switched(partition, async || {
                        let served = self.served(partition).await?;
                        self.put_back(served, &record.id).await
                    });
                    switched.push(done.await?);
                    self.nudge(partition).await;
                }
            }
        }
        self.leave(entry, Phase::RolledBack).await?;
        Ok(switched)
    }

    /// One attempt at a promotion; `None` = the head moved.
    async fn put_in_place(
        &self,
        served: Committed,
        shadow: &Manifest,
        replay_id: &str,
        from_seq: u64,
    ) -> Result<Option<Switched>, ReplayError> {
        let began = Instant::now();
        let partition = shadow.partition;
        let (shadow_seq, served_seq) = (shadow.sealed_seq, served.manifest.sealed_seq);
        if !served.manifest.ends_like(shadow) {
            return Err(ReplayError::Apart { partition, shadow_seq, served_seq });
        }
        let former = served.name.clone().map(|name| ObjectRef { name, checksum: served.checksum.clone() });
        let promotion = Promotion {
            replay_id: replay_id.to_owned(),
            kind: PromotionKind::Promote,
            at_ms: now_ms(),
            revision: served.manifest.revision + 1,
            from_seq,
            through_seq: served_seq,
            former,
            state: shadow.state.last().cloned(),
        };
        self.commit(served, began, |manifest| manifest.promote(shadow, promotion)).await
    }

    /// One attempt at a rollback; `None` = the head moved.
    async fn put_back(&self, served: Committed, replay_id: &str) -> Result<Option<Switched>, ReplayError> {
        let partition = served.manifest.partition;
        let promotion = served.manifest.promotion.clone().filter(|done| done.replay_id == replay_id);
        let Some(promotion) = promotion else { return Err(ReplayError::NoFormer { partition }) };
        let Some(former) = promotion.former.clone() else { return Err(ReplayError::NoFormer { partition }) };
        let former = manifests::read_checked(&self.shared.store, &former).await?;
        let began = Instant::now();
        let change = |manifest: &mut Manifest| {
            manifest.roll_back(&former, promotion, now_ms());
            true
        };
        self.commit(served, began, change).await
    }

    async fn commit(
        &self,
        served: Committed,
        began: Instant,
        change: impl FnOnce(&mut Manifest) -> bool + Send,
    ) -> Result<Option<Switched>, ReplayError> {
        let partition = served.manifest.partition;
        let commits = Commits::new(Arc::clone(&self.shared), Line::Served, partition, served);
        match commits.commit(now_ms(), change).await {
            Ok(Some(manifest)) => {
                let Some(done) = &manifest.promotion else { return Ok(None) };
                let switch_ms = began.elapsed().as_millis() as u64;
                Ok(Some(Switched { switch_ms, already: false, ..self.already(partition, done) }))
            }
            Ok(None) | Err(CommitError::Lost) => Ok(None),
            Err(error) => Err(ReplayError::commit(partition, &error)),
        }
    }

    fn already(&self, partition: u32, done: &Promotion) -> Switched {
        Switched {
            region: self.region().to_owned(),
            partition,
            revision: done.revision,
            from_seq: done.from_seq,
            through_seq: done.through_seq,
            switch_ms: 0,
            already: true,
        }
    }

    /// Asks the aggregator to commit, so that it finds out now, and waits for no answer. If it does not hear, its next commit tells.
    async fn nudge(&self, partition: u32) {
        let payload = serde_json::json!({ "through_seq": u64::MAX }).to_string();
        let subject = subject::flush_subject(self.region(), partition);
        let told = async {
            self.shared.client.publish(subject, payload.into()).await.map_err(|error| error.to_string())?;
            self.shared.client.flush().await.map_err(|error| error.to_string())
        };
        if let Err(error) = told.await {
            tracing::debug!(partition, error, "the aggregator was not reached");
        }
    }

    /// Takes the record to the phase of the work, if it is in one of `from`.
    async fn enter(&self, from: &[Phase], to: Phase, hint: &'static str) -> Result<Entered, ReplayError> {
        let entry = replays::get(&self.shared.jetstream, self.region()).await?.ok_or(ReplayError::None)?;
        let phase_before = entry.record.phase;
        if !from.contains(&phase_before) {
            return Err(ReplayError::Phase { id: entry.record.id, phase: phase_before, hint });
        }
        let RecordEntry { record, kv_revision } = self.put_phase(entry, to).await?;
        Ok(Entered { record, kv_revision, phase_before })
    }

    async fn leave(&self, entered: Entered, to: Phase) -> Result<(), ReplayError> {
        let Entered { record, kv_revision, .. } = entered;
        self.put_phase(RecordEntry { record, kv_revision }, to).await.map(drop)
    }

    pub(super) async fn put_phase(&self, mut entry: RecordEntry, phase: Phase) -> Result<RecordEntry, ReplayError> {
        entry.record.phase = phase;
        entry.record.updated_ms = now_ms();
        let written = replays::put(&self.shared.jetstream, self.region(), entry.kv_revision, &entry.record).await?;
        entry.kv_revision = written.ok_or(ReplayError::Lost)?;
        Ok(entry)
    }
}

/// A record while its partitions are switched.
struct Entered {
    record: replays::Record,
    kv_revision: u64,
    phase_before: Phase,
}

async fn loop_until_switched(
    partition: u32,
    mut attempt: impl AsyncFnMut() -> Result<Option<Switched>, ReplayError>,
) -> Result<Switched, ReplayError> {
    for _ in 0..ATTEMPTS_MAX {
        if let Some(switched) = attempt().await? {
            return Ok(switched);
        }
    }
    Err(ReplayError::Restless { partition, attempts: ATTEMPTS_MAX })
}
