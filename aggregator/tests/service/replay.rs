//! Replays: a shadow equals what folding from the stream's start gives, and switches neither lose nor double anything.

use crate::history::History;
use crate::support::{Aggregator, Content, PATIENCE, Region, batch, written};
use std::sync::Arc;
use std::time::Instant;
use tokio_util::sync::CancellationToken;
use weir_aggregator::Config;
use weir_aggregator::replay::diff::Options;
use weir_aggregator::replay::{Built, Logic, ReplayError, Replayer, Start, Wanted};
use weir_event::model::EventBatch;
use weir_reader::replays::Phase;
use weir_reader::{heads, replays};
use weir_rollup::manifest::{Level, Manifest, PromotionKind};
use weir_rollup::rules::{RuleData, Rules};

/// Rules under which every visit without a referrer has this channel instead of `Direct`.
fn rules_with(channel: &str) -> RuleData {
    let mut data = RuleData::built_in();
    let text = data.channels.replace("fallback = \"Direct\"", &format!("fallback = {channel:?}"));
    let text = text.replace("\"Direct\"", &format!("{channel:?}"));
    assert_ne!(text, data.channels, "the built-in rules know Direct");
    data.set("channels.toml", text).unwrap();
    data
}

fn compiled(data: &RuleData) -> Arc<Rules> {
    Arc::new(Rules::new(data.clone()).unwrap())
}

fn wanted(from_seq: u64, logic: Logic) -> Wanted {
    Wanted { start: Start::Seq(from_seq), partition: None, logic }
}

async fn build(replayer: &Replayer, wanted: Option<&Wanted>) -> Result<Built, ReplayError> {
    replayer.build(wanted, &|_| {}, CancellationToken::new()).await
}

/// A checkpoint at nearly every flush, and merges as usual.
fn config(region: &Region) -> Config {
    Config { checkpoint_every_ms: 1, ..region.config() }
}

async fn is_equal(replayer: &Replayer) -> bool {
    replayer.diff(&Options { limit: 10, site_id: None }).await.unwrap().equal
}

/// The batch that some producer sends next, now and then one that was sent before, with retries of old events.
fn next_batch(random: &mut Random, sent: &mut Vec<EventBatch>) -> EventBatch {
    if random.below(8) == 0 && !sent.is_empty() {
        return sent[random.below(sent.len())].clone();
    }
    let producer = random.below(3) as u8;
    let number = sent.iter().filter(|batch| batch.producer[0] == producer).count() as u64 + 1;
    let mut next = batch(producer, number);
    // Half of the visitors come once, so that visits are opened all the time.
    for (index, event) in next.events.iter_mut().enumerate().skip(10) {
        event.visitor_id = 1_000 * (u64::from(producer) + 1) + 100 * number + index as u64;
    }
    if let Some(before) = sent.last().filter(|_| random.below(3) == 0) {
        next.events.truncate(10);
        next.events.extend(before.events.iter().take(random.below(8)).cloned().map(|mut event| {
            event.retry = true;
            event
        }));
    }
    sent.push(next.clone());
    next
}

struct Random(u64);

impl Random {
    /// Numbers from 0, below a limit (splitmix64).
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % limit as u64) as usize
    }
}

/// A region with an oracle beside it.
struct Trial {
    region: Region,
    replayer: Replayer,
    aggregator: Option<Aggregator>,
    own: Arc<Rules>,
    /// What an operator chose; it stays when the program is replaced.
    pinned: Option<Arc<Rules>>,
    history: History,
    sent: Vec<EventBatch>,
    random: Random,
    /// What a rollback restores: history, pinned rules, and the end of the promotion.
    former: Option<(History, Option<Arc<Rules>>, u64)>,
}

impl Trial {
    async fn start(seed: u64) -> Self {
        let region = Region::start().await;
        let replayer = region.replayer().await;
        let aggregator = Some(Aggregator::start(config(&region)));
        let (own, history) = (Rules::built_in().unwrap(), History::default());
        Self { region, replayer, aggregator, own, pinned: None, history, sent: Vec::new(), random: Random(seed), former: None }
    }

    fn rules(&self) -> Arc<Rules> {
        Arc::clone(self.pinned.as_ref().unwrap_or(&self.own))
    }

    async fn publish_and_seal(&mut self, batches: usize) {
        let mut seq = 0;
        for _ in 0..batches {
            let batch = next_batch(&mut self.random, &mut self.sent);
            // Sent again after the stream's window: a message id of its own.
            let id = format!("{}-{}", batch.number, uuid::Uuid::new_v4());
            seq = self.region.publish_raw(&id, "1", weir_event::codec::encode(&batch)).await;
        }
        self.region.seal(seq).await;
        self.history.read(&self.region).await;
        let rules = self.rules();
        self.history.fold(&rules);
    }

    /// Replaces the program by one with other rules of its own.
    async fn upgrade(&mut self, data: &RuleData) {
        self.aggregator.take().unwrap().stop().await;
        self.own = compiled(data);
        let config = Config { rules: Some(data.clone()), ..config(&self.region) };
        self.aggregator = Some(Aggregator::start(config));
    }

    async fn check(&self, what: &str) {
        let expected = written(&self.region, self.history.clone());
        assert_eq!(self.region.content().await, expected, "{what}");
        let manifest = self.region.manifest().await.unwrap();
        assert_eq!(manifest.accepted, Some(expected.rows), "{what}");
    }

    async fn manifest(&self) -> Manifest {
        self.region.manifest().await.unwrap()
    }

    async fn promote(&mut self, from_seq: u64, rules: Option<&RuleData>) {
        let through_seq = self.manifest().await.sealed_seq;
        let compiled = rules.map(compiled);
        let replayed = self.history.replayed(from_seq, compiled.as_ref(), through_seq);
        self.former = Some((std::mem::replace(&mut self.history, replayed), self.pinned.clone(), through_seq));
        let revision = self.manifest().await.revision;
        let switched = self.replayer.promote(&|_| {}).await.unwrap();
        assert_eq!((switched.len(), switched[0].through_seq, switched[0].already), (1, through_seq, false));
        assert!(switched[0].revision > revision);
        if let Some(compiled) = compiled {
            self.pinned = Some(compiled);
        }
    }

    async fn rollback(&mut self) {
        let revision = self.manifest().await.revision;
        let switched = self.replayer.rollback().await.unwrap();
        assert_eq!((switched.len(), switched[0].already), (1, false));
        assert!(switched[0].revision > revision);
        let (former, pinned, through_seq) = self.former.take().unwrap();
        self.history = std::mem::take(&mut self.history).rolled_back(&former, through_seq);
        self.pinned = pinned;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_logic_gives_the_same_rows_from_any_position() {
    let mut trial = Trial::start(1).await;
    for flush in 0..12 {
        let batches = 1 + trial.random.below(3);
        trial.publish_and_seal(batches).await;
        if flush == 5 {
            trial.upgrade(&rules_with("Later")).await;
        }
    }
    trial.check("as sealed").await;
    assert!(trial.manifest().await.checkpoints.len() >= 10);
    for from in [0, 1, 50, 99, 100] {
        let (sealed_seq, served) = (trial.manifest().await.sealed_seq, trial.region.content().await);
        let from_seq = 1 + sealed_seq * from / 100;
        let wanted = wanted(from_seq, Logic::Unchanged);
        let plan = trial.replayer.plan(&wanted).await.unwrap();
        assert!(plan.partitions[0].checkpoint.seq < from_seq);
        let built = build(&trial.replayer, Some(&wanted)).await.unwrap();
        assert_eq!(built.partitions[0].checksum, served.events, "from {from_seq}");
        assert!(is_equal(&trial.replayer).await, "from {from_seq}");
        assert_eq!(build(&trial.replayer, Some(&wanted)).await.unwrap().events, 0, "there is nothing more to do");
        trial.promote(from_seq, None).await;
        assert_eq!(trial.region.content().await, served, "promoted from {from_seq}");
        assert!(is_equal(&trial.replayer).await, "what was promoted is what is served");
        trial.publish_and_seal(2).await;
        trial.check("later events").await;
        trial.rollback().await;
        trial.check(&format!("rolled back from {from_seq}")).await;
    }
    trial.aggregator.unwrap().stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_rules_hold_from_their_position_on_and_a_rollback_takes_them_back() {
    let mut trial = Trial::start(2).await;
    for _ in 0..10 {
        let batches = 1 + trial.random.below(3);
        trial.publish_and_seal(batches).await;
    }
    let (other, sealed_seq) = (rules_with("Other"), trial.manifest().await.sealed_seq);
    let from_seq = sealed_seq / 2;
    let mut wanted = wanted(from_seq, Logic::Given(other.clone()));
    build(&trial.replayer, Some(&wanted)).await.unwrap();
    let report = trial.replayer.diff(&Options { limit: 50, site_id: None }).await.unwrap();
    assert!(!report.equal);
    assert!(report.values.iter().any(|value| (value.dimension, value.value.as_str()) == ("visit:channel", "Other")));
    // One shadow at a time.
    wanted.start = Start::Seq(1);
    assert!(matches!(build(&trial.replayer, Some(&wanted)).await, Err(ReplayError::Exists { .. })));
    // Events that come before the promotion are caught up with.
    trial.publish_and_seal(2).await;
    trial.promote(from_seq, Some(&other)).await;
    trial.check("promoted").await;
    let promotion = trial.manifest().await.promotion.unwrap();
    assert_eq!((promotion.kind, promotion.from_seq), (PromotionKind::Promote, trial.plan_checkpoint(from_seq).await + 1));
    assert!(trial.manifest().await.logic.last().unwrap().pinned);
    // Later events have the promoted rules, after a new program too.
    trial.publish_and_seal(3).await;
    trial.check("later events").await;
    trial.upgrade(&rules_with("Own")).await;
    trial.publish_and_seal(8).await;
    trial.check("a new program keeps what an operator chose").await;
    let before = trial.manifest().await;
    assert!(before.parts.iter().all(|part| part.max_seq <= promotion.through_seq || part.min_seq > promotion.through_seq));
    trial.rollback().await;
    trial.check("rolled back").await;
    trial.publish_and_seal(3).await;
    trial.check("events after the rollback").await;
    // The same logic again: nothing differs, whatever happened.
    for from_seq in [1, sealed_seq, trial.manifest().await.sealed_seq] {
        let again = Wanted { start: Start::Seq(from_seq), partition: None, logic: Logic::Unchanged };
        build(&trial.replayer, Some(&again)).await.unwrap();
        assert!(is_equal(&trial.replayer).await, "from {from_seq}");
        trial.replayer.discard().await.unwrap();
    }
    trial.aggregator.unwrap().stop().await;
}

impl Trial {
    async fn plan_checkpoint(&self, from_seq: u64) -> u64 {
        let former = self.former.as_ref().map(|(_, _, through_seq)| *through_seq).unwrap();
        assert!(from_seq <= former);
        replays::get(&self.region.jetstream, "local").await.unwrap().unwrap().record.partitions[0].checkpoint_seq
    }
}

/// Random histories of flushes, programs, promotions and rollbacks; after each step what is served is what the oracle says.
async fn random_history(seed: u64) {
    let mut trial = Trial::start(seed).await;
    trial.publish_and_seal(2).await;
    for step in 0..14 {
        let choice = trial.random.below(10);
        let sealed_seq = trial.manifest().await.sealed_seq;
        let from_seq = 1 + trial.random.below(sealed_seq as usize + 1) as u64;
        let other = rules_with(["A", "B", "C"][trial.random.below(3)]);
        let what = match choice {
            0..=3 => {
                let batches = 1 + trial.random.below(6);
                trial.publish_and_seal(batches).await;
                "publish".to_owned()
            }
            4 => {
                trial.upgrade(&other).await;
                trial.publish_and_seal(1).await;
                "upgrade".to_owned()
            }
            5 | 6 if trial.former.is_some() => {
                trial.rollback().await;
                "rollback".to_owned()
            }
            _ => {
                let given = (trial.random.below(3) > 0).then_some(other);
                let logic = given.clone().map_or(Logic::Unchanged, Logic::Given);
                build(&trial.replayer, Some(&wanted(from_seq, logic))).await.unwrap();
                if given.is_none() {
                    assert!(is_equal(&trial.replayer).await, "seed {seed}, step {step}, from {from_seq}");
                }
                trial.promote(from_seq, given.as_ref()).await;
                format!("promote from {from_seq}, {}", if given.is_some() { "other rules" } else { "the same" })
            }
        };
        trial.check(&format!("seed {seed}, step {step}: {what}")).await;
    }
    trial.aggregator.unwrap().stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn random_histories_are_what_folding_them_gives() {
    let seeds: Vec<u64> = match std::env::var("WEIR_TEST_SEED") {
        Ok(seed) => vec![seed.parse().unwrap()],
        Err(_) => (100..104).collect(),
    };
    for seed in seeds {
        random_history(seed).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_replay_goes_on_and_an_interrupted_switch_is_finished() {
    let mut trial = Trial::start(3).await;
    for _ in 0..6 {
        trial.publish_and_seal(2).await;
    }
    let wanted = wanted(3, Logic::Given(rules_with("Other")));
    let cancel = CancellationToken::new();
    cancel.cancel();
    let interrupted = trial.replayer.build(Some(&wanted), &|_| {}, cancel).await;
    assert!(matches!(interrupted, Err(ReplayError::Cancelled)));
    assert!(matches!(trial.replayer.promote(&|_| {}).await, Err(ReplayError::Phase { phase: Phase::Building, .. })));
    assert!(matches!(trial.replayer.rollback().await, Err(ReplayError::Phase { .. })));
    // Another process goes on, without being told what.
    let other = trial.region.replayer().await;
    build(&other, None).await.unwrap();
    // As if the promotion had been killed before its compare-and-set: the record alone says that it began.
    set_phase(&trial, Phase::Promoting).await;
    assert!(matches!(other.discard().await, Err(ReplayError::Phase { .. })));
    assert!(matches!(build(&other, None).await, Err(ReplayError::Phase { .. })));
    trial.promote(3, Some(&rules_with("Other"))).await;
    trial.check("promoted").await;
    // As if it had been killed after it.
    set_phase(&trial, Phase::Promoting).await;
    let again = other.promote(&|_| {}).await.unwrap();
    assert!(again[0].already);
    trial.publish_and_seal(2).await;
    set_phase(&trial, Phase::RollingBack).await;
    trial.rollback().await;
    trial.check("rolled back").await;
    set_phase(&trial, Phase::RollingBack).await;
    assert!(other.rollback().await.unwrap()[0].already);
    trial.check("rolled back once").await;
    // Before the first partition of a promotion was switched there is nothing to take back.
    build(&other, Some(&wanted)).await.unwrap();
    set_phase(&trial, Phase::Promoting).await;
    assert!(other.rollback().await.unwrap().is_empty());
    trial.check("nothing to roll back").await;
    trial.aggregator.unwrap().stop().await;
}

async fn set_phase(trial: &Trial, phase: Phase) {
    let mut entry = replays::get(&trial.region.jetstream, "local").await.unwrap().unwrap();
    entry.record.phase = phase;
    replays::put(&trial.region.jetstream, "local", entry.kv_revision, &entry.record).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_stream_no_longer_holds_is_refused_by_name() {
    let mut trial = Trial::start(4).await;
    trial.aggregator.take().unwrap().stop().await;
    trial.aggregator = Some(Aggregator::start(Config { archive: false, ..config(&trial.region) }));
    for _ in 0..5 {
        trial.publish_and_seal(2).await;
    }
    let sealed_seq = trial.manifest().await.sealed_seq;
    let late = trial.replayer.plan(&wanted(sealed_seq + 2, Logic::Unchanged)).await.unwrap_err();
    assert!(matches!(late, ReplayError::NotSealed { sealed_seq: found, .. } if found == sealed_seq), "{late}");
    let stream = trial.region.jetstream.get_stream("EVENTS_local_0").await.unwrap();
    stream.purge().sequence(6).await.unwrap();
    let gone = trial.replayer.plan(&wanted(2, Logic::Unchanged)).await.unwrap_err();
    let text = gone.to_string();
    assert!(matches!(gone, ReplayError::Gone { needed_seq: 2, first_seq: 6, .. }), "{text}");
    assert!(text.contains("EVENTS_local_0") && text.contains("first available sequence is 6, of 20"), "{text}");
    // From the checkpoint after the gap on it works.
    build(&trial.replayer, Some(&wanted(7, Logic::Unchanged))).await.unwrap();
    assert!(is_equal(&trial.replayer).await);
    let none = Wanted { partition: Some(7), ..wanted(7, Logic::Unchanged) };
    assert!(matches!(trial.replayer.plan(&none).await, Err(ReplayError::NoPartition { partition: 7, last: 0 })));
    trial.aggregator.unwrap().stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_is_the_first_message_stored_then_or_later() {
    let mut trial = Trial::start(5).await;
    trial.publish_and_seal(6).await;
    let time_of = async |seq| weir_reader::stream::time_of(&trial.region.jetstream, "local", 0, seq).await.unwrap();
    let third_ms = time_of(3).await.unwrap();
    let first_ms = time_of(1).await.unwrap();
    let from = async |time_ms| {
        let wanted = Wanted { start: Start::TimeMs(time_ms), ..wanted(1, Logic::Unchanged) };
        trial.replayer.plan(&wanted).await.unwrap().partitions[0].from_seq
    };
    assert_eq!(from(first_ms - 1).await, 1);
    assert!(from(third_ms).await <= 3);
    assert!(from(third_ms + 1).await > 3);
    assert_eq!(from(first_ms + 3_600_000).await, 7, "what is to come");
    assert_eq!(time_of(99).await, None);
    trial.aggregator.unwrap().stop().await;
}

/// A discarded shadow may be followed by another; heads that nobody moved stay.
#[tokio::test(flavor = "multi_thread")]
async fn a_shadow_changes_nothing_that_is_served() {
    let mut trial = Trial::start(6).await;
    trial.publish_and_seal(5).await;
    let head = heads::get(&trial.region.jetstream, "local", 0).await.unwrap();
    assert!(matches!(trial.replayer.status().await, Ok(None)));
    assert!(matches!(build(&trial.replayer, None).await, Err(ReplayError::None)));
    build(&trial.replayer, Some(&wanted(1, Logic::BuiltIn))).await.unwrap();
    let status = trial.replayer.status().await.unwrap().unwrap();
    assert_eq!((status.phase, status.partitions[0].shadow_seq), (Phase::Built, Some(5)));
    assert!(trial.replayer.discard().await.unwrap().shadow);
    build(&trial.replayer, Some(&wanted(2, Logic::Unchanged))).await.unwrap();
    assert_eq!(heads::get(&trial.region.jetstream, "local", 0).await.unwrap(), head);
    let started = Instant::now();
    trial.promote(2, None).await;
    assert!(started.elapsed() < PATIENCE);
    assert!(trial.replayer.discard().await.unwrap().rollback, "the offer ends");
    assert!(matches!(trial.replayer.rollback().await, Err(ReplayError::Phase { phase: Phase::Discarded, .. })));
    trial.publish_and_seal(1).await;
    trial.check("goes on").await;
    let content: Content = trial.region.content().await;
    assert!(content.rows > 0);
    trial.aggregator.unwrap().stop().await;
}

/// Rows forget their ids a day after they were received. A retry that was recognised by one then must be recognised when it is replayed.
#[tokio::test(flavor = "multi_thread")]
async fn a_replay_knows_what_old_retries_are_copies_of_though_the_rows_have_forgotten() {
    let region = Region::start().await;
    let aggregator = Aggregator::start(Config { compaction: false, ..config(&region) });
    let now_ms = batch(1, 1).formed_ms;
    let mut first = batch(1, 1);
    for event in &mut first.events {
        // Received so long ago that the next merge drops the ids.
        (event.event_ms, event.received_ms) = (now_ms - 20 * 3_600_000, now_ms - 40 * 3_600_000);
    }
    region.seal(region.publish(&first).await).await;
    region.seal(region.publish(&batch(1, 2)).await).await;
    let mut retried = first.clone();
    (retried.number, retried.events) = (3, first.events.iter().take(5).cloned().collect());
    retried.events.iter_mut().for_each(|event| event.retry = true);
    region.seal(region.publish(&retried).await).await;
    assert_eq!(region.content().await.rows, 40, "the retries are copies");
    aggregator.stop().await;
    let merging = Aggregator::start(Config { flush_rows_max: 1, ..config(&region) });
    for number in 4..=12 {
        region.seal(region.publish(&batch(1, number)).await).await;
    }
    let started = Instant::now();
    while region.manifest().await.unwrap().parts.iter().any(|part| part.min_seq == 1 && part.level == Level::Flush) {
        assert!(started.elapsed() < PATIENCE, "the first part is not merged");
        tokio::task::yield_now().await;
    }
    let before = region.content().await;
    let replayer = region.replayer().await;
    let built = build(&replayer, Some(&wanted(3, Logic::Unchanged))).await.unwrap();
    assert_eq!(built.partitions[0].checkpoint_seq, 2, "behind the first copies, before their retries");
    assert!(is_equal(&replayer).await);
    replayer.promote(&|_| {}).await.unwrap();
    assert_eq!(region.content().await, before);
    merging.stop().await;
}
