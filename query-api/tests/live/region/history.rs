//! Other histories of a region: rules of its own, promotions, rollbacks, shadows, commits that were lost, sweeps.

use super::Region;
use crate::sealed::write_part;
use std::sync::Arc;
use weir_event::{codec, subject};
use weir_reader::heads::{self, HeadKey};
use weir_reader::replays::{self, Phase, Record, ReplayedPartition};
use weir_reader::stream::PartitionStream;
use weir_reader::{manifests, rules};
use weir_rollup::fold::{self, Arrival, KnownIds, State};
use weir_rollup::manifest::{Head, LogicFrom, Manifest, ObjectRef, Promotion, PromotionKind};
use weir_rollup::row::EventRow;
use weir_rollup::rules::{RuleData, Rules};

/// Rules under which a visit from nowhere has the channel `Elsewhere`.
pub(crate) fn other_rules() -> RuleData {
    rules_with("Elsewhere")
}

/// Rules under which it has this one.
pub(crate) fn rules_with(fallback: &str) -> RuleData {
    let mut data = RuleData::built_in();
    let channels = data.channels.replace(r#"fallback = "Direct""#, &format!("fallback = {fallback:?}"));
    assert_ne!(data.channels, channels);
    data.set("channels.toml", channels).unwrap();
    data
}

/// What a rollback restores.
pub(crate) struct Former {
    manifest: Manifest,
    state: State,
    rows: Vec<EventRow>,
    rules: Arc<Rules>,
}

impl Region {
    pub(crate) async fn store_rules(&self, data: &RuleData) {
        rules::put(&self.store(), data).await.unwrap();
    }

    /// Seals with these rules from now on.
    pub(crate) fn use_rules(&mut self, data: RuleData) {
        self.rules = Arc::new(Rules::new(data).unwrap());
    }

    /// The logic version of what is sealed next.
    pub(crate) fn logic(&self) -> String {
        self.rules.logic()
    }

    /// Folds everything sealed again.
    async fn refold(&self, rules: &Rules, through_seq: u64) -> (Vec<EventRow>, State) {
        let mut stream = PartitionStream::open(&self.jetstream, "local", 0, 1).await.unwrap();
        let (mut rows, mut state) = (Vec::new(), State::default());
        for _ in 0..through_seq {
            let delivered = stream.next().await.unwrap();
            let batch = codec::decode(delivered.schema, &delivered.payload).unwrap();
            let at = Arrival { seq: delivered.seq, stream_ms: delivered.stream_ms };
            rows.extend(fold::fold(&mut state, rules, &batch, at, &KnownIds::new()).rows);
        }
        (rows, state)
    }

    /// Exchanges everything sealed for what these rules make of it.
    pub(crate) async fn promote(&mut self, data: RuleData) -> Former {
        let (manifest, _, name) = self.committed.clone().unwrap();
        let rules = Arc::new(Rules::new(data).unwrap());
        let rules = std::mem::replace(&mut self.rules, rules);
        let (rows, state) = self.refold(&self.rules, manifest.sealed_seq).await;
        let part = write_part(&self.store(), &format!("promoted-{}", manifest.revision), &rows);
        let (rows, state) = (std::mem::replace(&mut self.rows, rows), std::mem::replace(&mut self.state, state));
        let logic = vec![LogicFrom { pinned: true, ..LogicFrom::new(1, self.rules.logic()) }];
        let former = Some(ObjectRef { name, checksum: "c".to_owned() });
        self.commit(|next| {
            (next.parts, next.logic) = (vec![part], logic);
            next.promotion = Some(promotion(PromotionKind::Promote, next, former));
        })
        .await;
        Former { manifest, state, rows, rules }
    }

    /// Puts what was served before a promotion back; nothing may have been sealed since.
    pub(crate) async fn roll_back(&mut self, former: Former) {
        (self.state, self.rows, self.rules) = (former.state, former.rows, former.rules);
        self.commit(|next| {
            assert_eq!(next.sealed_seq, former.manifest.sealed_seq);
            (next.parts, next.logic) = (former.manifest.parts, former.manifest.logic);
            next.promotion = Some(promotion(PromotionKind::Rollback, next, None));
        })
        .await;
    }

    /// Leaves the manifest of a commit that was lost: the next revision, without any part.
    pub(crate) async fn lose_a_commit(&self) {
        let (mut manifest, _, name) = self.committed.clone().unwrap();
        (manifest.revision, manifest.parent, manifest.parts) = (manifest.revision + 1, Some(name), Vec::new());
        for commit_id in ["0000", "zzzz"] {
            manifests::put(&self.store(), &manifest, commit_id).await.unwrap();
        }
    }

    /// Deletes the manifests of revisions, as the sweeper does.
    pub(crate) async fn sweep_manifests(&self, through_revision: u64) {
        for listed in self.store().list(&manifests::folder("local", 0)).await.unwrap() {
            let revision = manifests::read(&self.store(), &listed.name).await.unwrap().revision;
            if revision <= through_revision {
                self.store().delete(&listed.name).await.unwrap();
            }
        }
    }

    /// Builds a shadow of what is sealed, with these rules, or says that one of another partition is built.
    pub(crate) async fn build_shadow(&self, data: RuleData, partition: u32) {
        let (mut manifest, ..) = self.committed.clone().unwrap();
        let rules = Arc::new(Rules::new(data).unwrap());
        let (rows, _) = self.refold(&rules, manifest.sealed_seq).await;
        (manifest.revision, manifest.parent) = (1, None);
        manifest.parts = vec![write_part(&self.store(), "shadow", &rows)];
        let object = manifests::put_shadow(&self.store(), &manifest, "s").await.unwrap();
        let head = Head {
            revision: 1,
            sealed_seq: manifest.sealed_seq,
            manifest: object.name,
            checksum: object.checksum,
            commit_id: "s".to_owned(),
        };
        heads::compare_and_set(&self.jetstream, &HeadKey::shadow("ab", "local", 0), 0, &head).await.unwrap();
        self.record(Phase::Built, partition).await;
    }

    /// Writes how far the replay is.
    pub(crate) async fn record(&self, phase: Phase, partition: u32) {
        let expected = replays::get(&self.jetstream, "local").await.unwrap().map_or(0, |entry| entry.kv_revision);
        let record = Record {
            version: replays::RECORD_VERSION,
            id: "ab".to_owned(),
            phase,
            created_ms: 1,
            updated_ms: 1,
            logic: None,
            pinned: false,
            partitions: vec![ReplayedPartition { partition, from_seq: 1, checkpoint_seq: 0 }],
            events: 0,
            busy_ms: 0,
        };
        replays::put(&self.jetstream, "local", expected, &record).await.unwrap().unwrap();
    }

    /// A region of before replays.
    pub(crate) async fn drop_replay_bucket(&self) {
        self.jetstream.delete_key_value(subject::REPLAY_BUCKET).await.unwrap();
    }
}

fn promotion(kind: PromotionKind, next: &Manifest, former: Option<ObjectRef>) -> Promotion {
    let replay_id = "ab".to_owned();
    let (revision, through_seq) = (next.revision, next.sealed_seq);
    Promotion { replay_id, kind, at_ms: 1_700_000_000_000, revision, from_seq: 1, through_seq, former, state: None }
}
