//! Following a partition: heads as they are committed, messages as they arrive; after each change a new view is published.

use super::live::{Limits, Live, LiveError};
use super::{Condition, PartitionView};
use crate::clock::Clock;
use crate::engine::Engine;
use async_nats::jetstream::Context;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use weir_reader::heads::HeadEntry;
use weir_reader::store::Store;
use weir_reader::stream::{self, Delivered, PartitionStream};
use weir_reader::{ReaderError, manifests, states};
use weir_rollup::fold::State;
use weir_rollup::manifest::{LogicFrom, Manifest};
use weir_rollup::part;
use weir_rollup::rules::Rules;

/// Messages folded at once: with the stream's read-ahead at most 80 of 0.9 MB are in memory.
const MESSAGES_AT_ONCE: usize = 64;
/// Time between two appends while messages keep arriving: each is a transaction.
const APPEND_EVERY: Duration = Duration::from_millis(25);
/// How often the end of the stream is asked for.
const REACH_EVERY: Duration = Duration::from_millis(500);
/// Rows and ledger of the live end are compared at most so often, and whenever parts were sealed.
const CHECK_EVERY: Duration = Duration::from_secs(5);
/// Pause before a partition that could not be loaded is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// What is known of a partition's head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeadSlot {
    /// Not told yet.
    Unknown,
    /// The head, `None` = nothing committed yet.
    Known(Option<HeadEntry>),
}

/// Follows one partition.
pub struct Follower {
    /// The engine that keeps the rows.
    pub engine: Arc<Engine>,
    /// The rules of the fold.
    pub rules: Arc<Rules>,
    /// Where manifests and states are.
    pub store: Store,
    /// The stream's server.
    pub jetstream: Context,
    /// Region of the partition.
    pub region: String,
    /// Its number.
    pub partition: u32,
    /// What its live end may hold.
    pub limits: Limits,
    /// The time.
    pub clock: Clock,
    /// Its head.
    pub heads: watch::Receiver<HeadSlot>,
    /// Where views go.
    pub views: watch::Sender<Arc<PartitionView>>,
}

/// Why following began anew.
enum End {
    /// The manifest moved on in a way that the live end cannot follow.
    Reload,
    /// Somebody must act.
    Stop(String),
    /// It may work later.
    Again(String),
}

impl From<ReaderError> for End {
    fn from(error: ReaderError) -> Self {
        match error {
            ReaderError::Gap { .. } | ReaderError::Rewound { .. } | ReaderError::Recreated { .. } => {
                Self::Stop(error.to_string())
            }
            error => Self::Again(error.to_string()),
        }
    }
}

impl From<LiveError> for End {
    fn from(error: LiveError) -> Self {
        match error {
            LiveError::Undecodable { .. } => Self::Stop(error.to_string()),
            LiveError::Engine(_) => Self::Again(error.to_string()),
        }
    }
}

impl Follower {
    /// Follows until `cancel` fires.
    pub async fn run(mut self, cancel: CancellationToken) {
        loop {
            let end = tokio::select! {
                end = self.follow() => end,
                () = cancel.cancelled() => return,
            };
            let condition = match end {
                Ok(()) | Err(End::Reload) => continue,
                Err(End::Again(reason)) => Condition::Loading { reason },
                Err(End::Stop(reason)) => Condition::Stopped { reason },
            };
            let is_news = self.views.borrow().condition != condition;
            if is_news {
                let reason = condition.alarm().unwrap_or_default();
                tracing::warn!(region = self.region, partition = self.partition, reason, "the live end cannot be followed");
            }
            self.views.send_modify(|view| Arc::make_mut(view).condition = condition);
            tokio::select! {
                () = sleep(RETRY_AFTER) => {}
                () = cancel.cancelled() => return,
            }
        }
    }

    /// From loading the newest head to whatever ends it.
    async fn follow(&mut self) -> Result<(), End> {
        let Some(head) = self.head().await else { return pending().await };
        let manifest = self.load(head.as_ref()).await?;
        if let Some(reason) = self.lacks(manifest.as_deref()) {
            tracing::warn!(region = self.region, partition = self.partition, reason, "only sealed data is served");
            self.publish_sealed(manifest, Condition::SealedOnly { reason });
            // The sender lives as long as this.
            return self.heads.changed().await.map_err(|_| End::Reload);
        }
        let sealed_seq = manifest.as_ref().map_or(0, |manifest| manifest.sealed_seq);
        self.publish_sealed(manifest.clone(), Condition::Loading { reason: "the live end is not folded yet".to_owned() });
        let state = self.state(manifest.as_deref()).await?;
        let stream = PartitionStream::open(&self.jetstream, &self.region, self.partition, sealed_seq + 1).await?;
        self.check_identity(manifest.as_deref(), &stream).await?;
        let live = Live::new(Arc::clone(&self.engine), Arc::clone(&self.rules), self.store.clone(), manifest.clone(), state);
        tracing::info!(
            region = self.region,
            partition = self.partition,
            stream.sequence = sealed_seq,
            "the live end is followed"
        );
        let session = Session {
            follower: self,
            manifest,
            live: Some(live),
            stream,
            stream_reach: (0, 0),
            end_ms: 0,
            is_ready: false,
            checked: (0, Instant::now()),
            ledger_alarm: None,
        };
        session.run().await
    }

    /// The newest head, once it is known. `None` when nobody tells any more.
    async fn head(&mut self) -> Option<Option<HeadEntry>> {
        let slot = self.heads.wait_for(|slot| *slot != HeadSlot::Unknown).await.ok()?.clone();
        match slot {
            HeadSlot::Known(head) => Some(head),
            HeadSlot::Unknown => None,
        }
    }

    async fn load(&self, head: Option<&HeadEntry>) -> Result<Option<Arc<Manifest>>, End> {
        let Some(entry) = head else { return Ok(None) };
        let manifest = manifests::load(&self.store, &entry.head).await.map_err(|error| End::Again(error.to_string()))?;
        let readable = part::FORMAT_VERSION_MIN..=part::FORMAT_VERSION;
        if let Some(unknown) = manifest.parts.iter().find(|part| !readable.contains(&part.format)) {
            return Err(End::Stop(format!(
                "part {} has format {}, this program reads {} to {}",
                unknown.name,
                unknown.format,
                part::FORMAT_VERSION_MIN,
                part::FORMAT_VERSION
            )));
        }
        Ok(Some(Arc::new(manifest)))
    }

    async fn state(&self, manifest: Option<&Manifest>) -> Result<State, End> {
        let Some(manifest) = manifest else { return Ok(State::default()) };
        let Some(encoded) = states::load(&self.store, manifest).await? else { return Ok(State::default()) };
        let decoded = tokio::task::spawn_blocking(move || State::decode(&encoded)).await;
        decoded.map_err(|error| End::Again(error.to_string()))?.map_err(|error| End::Again(error.to_string()))
    }

    /// The logic of the newest rows, if this program does not have it.
    fn lacks(&self, manifest: Option<&Manifest>) -> Option<String> {
        let LogicFrom { logic, from_seq } = manifest?.logic.last()?;
        let own = self.rules.logic();
        (!is_known(logic, &own)).then(|| format!("from message {from_seq} on the logic is {logic}, this program has {own}"))
    }

    async fn check_identity(&self, manifest: Option<&Manifest>, stream: &PartitionStream) -> Result<(), End> {
        let Some(manifest) = manifest else { return Ok(()) };
        let sealed = &manifest.stream;
        if stream.created() != sealed.created {
            return Err(End::Stop(format!(
                "stream {} was created {}, the sealed one {}",
                sealed.name,
                stream.created(),
                sealed.created
            )));
        }
        if manifest.sealed_seq == 0 {
            return Ok(());
        }
        match stream::message_id_at(&self.jetstream, &self.region, self.partition, manifest.sealed_seq).await? {
            Some(found) if found != sealed.sealed_message_id => Err(End::Stop(format!(
                "message {} of stream {} is {found}, sealed was {}",
                manifest.sealed_seq, sealed.name, sealed.sealed_message_id
            ))),
            // Purged, but nothing after it: opening the stream checked that.
            _ => Ok(()),
        }
    }

    /// Serves the parts alone. What was shown of the live end before stays until it is folded again.
    fn publish_sealed(&self, manifest: Option<Arc<Manifest>>, condition: Condition) {
        let sealed_seq = manifest.as_ref().map_or(0, |manifest| manifest.sealed_seq);
        let before = self.views.borrow().clone();
        if matches!(condition, Condition::Loading { .. }) && before.folded_seq >= sealed_seq && before.is_ready {
            return;
        }
        self.views.send_replace(Arc::new(PartitionView {
            tables: Vec::new(),
            ledgers: Vec::new(),
            ledger_alarm: None,
            sealed_seq,
            folded_seq: sealed_seq,
            tail_rows: 0,
            watermark_ms: manifest.as_ref().map_or(0, |manifest| manifest.sealed_stream_ms),
            is_ready: before.is_ready || matches!(condition, Condition::SealedOnly { .. }),
            condition,
            stream: before.stream,
            manifest,
        }));
    }
}

/// The live end in work.
struct Session<'a> {
    follower: &'a mut Follower,
    manifest: Option<Arc<Manifest>>,
    /// Away while it is folded on a blocking thread.
    live: Option<Live>,
    stream: PartitionStream,
    stream_reach: (u64, u64),
    /// When everything that was in the stream had been folded, by this machine's clock; 0 = never yet.
    end_ms: u64,
    is_ready: bool,
    /// Up to which sequence, and when, rows and ledger were compared last.
    checked: (u64, Instant),
    ledger_alarm: Option<String>,
}

impl Session<'_> {
    async fn run(mut self) -> Result<(), End> {
        let mut reach = interval(REACH_EVERY);
        reach.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut next_append = Instant::now();
        loop {
            let is_full = self.live()?.is_full(self.follower.limits);
            tokio::select! {
                changed = self.follower.heads.changed() => match changed {
                    Ok(()) => self.take_head().await?,
                    // The service ends.
                    Err(_) => return pending().await,
                },
                delivered = next(&mut self.stream, next_append, is_full) => {
                    self.absorb(delivered?).await?;
                    next_append = Instant::now() + APPEND_EVERY;
                    if self.end_ms == 0 && self.live()?.folded_seq() >= self.stream_reach.1 {
                        reach.reset_immediately();
                    }
                }
                _ = reach.tick() => {
                    self.ask_reach().await;
                    if self.live()?.folded_seq() > self.checked.0 && self.checked.1.elapsed() >= CHECK_EVERY {
                        self.check_ledger().await?;
                    }
                }
            }
            self.publish()?;
        }
    }

    fn live(&self) -> Result<&Live, End> {
        self.live.as_ref().ok_or_else(|| End::Again("the thread that folds ended early".to_owned()))
    }

    /// Folds a message and what else has arrived.
    async fn absorb(&mut self, first: Delivered) -> Result<(), End> {
        let mut messages = vec![first];
        while messages.len() < MESSAGES_AT_ONCE {
            match self.stream.try_next()? {
                Some(message) => messages.push(message),
                None => break,
            }
        }
        let Some(mut live) = self.live.take() else { return Err(End::Again("the thread that folds ended early".to_owned())) };
        let folded = tokio::task::spawn_blocking(move || {
            let result = live.absorb(&messages);
            (live, result)
        });
        let (live, result) = folded.await.map_err(|error| End::Again(error.to_string()))?;
        self.live = Some(live);
        if let Err(error) = result {
            // What was folded before the fault is good.
            self.publish()?;
            return Err(error.into());
        }
        Ok(())
    }

    /// Moves on to a new manifest, if the rows after it are the ones at hand.
    async fn take_head(&mut self) -> Result<(), End> {
        let Some(head) = self.follower.head().await else { return pending().await };
        let manifest = self.follower.load(head.as_ref()).await?;
        let logic = |manifest: &Option<Arc<Manifest>>| manifest.as_ref().map(|manifest| manifest.logic.last().cloned());
        let sealed_seq = manifest.as_ref().map_or(0, |manifest| manifest.sealed_seq);
        let is_first = self.manifest.is_none() && self.follower.lacks(manifest.as_deref()).is_none();
        let is_same_stream = manifest.as_ref().is_none_or(|manifest| manifest.stream.created == self.stream.created());
        let is_same_logic = is_first || logic(&manifest) == logic(&self.manifest);
        let live = self.live.as_mut().ok_or(End::Reload)?;
        if !is_same_stream || !is_same_logic || sealed_seq > live.folded_seq() {
            return Err(End::Reload);
        }
        live.release(manifest.clone());
        self.manifest = manifest;
        self.check_ledger().await
    }

    /// Compares the rows of the live end with its ledger.
    async fn check_ledger(&mut self) -> Result<(), End> {
        let Some(live) = self.live.take() else { return Err(End::Again("the thread that folds ended early".to_owned())) };
        let checked = tokio::task::spawn_blocking(move || {
            let imbalance = live.imbalance();
            (live, imbalance)
        });
        let (live, imbalance) = checked.await.map_err(|error| End::Again(error.to_string()))?;
        self.checked = (live.folded_seq(), Instant::now());
        self.live = Some(live);
        let imbalance = imbalance.map_err(|error| End::Again(error.to_string()))?;
        if let Some(reason) = imbalance.as_deref().filter(|_| self.ledger_alarm != imbalance) {
            tracing::error!(
                region = self.follower.region,
                partition = self.follower.partition,
                reason,
                "the live end does not balance"
            );
        }
        self.ledger_alarm = imbalance;
        Ok(())
    }

    /// Asks how far the stream reaches. Everything sent before the question is counted once its end is folded.
    async fn ask_reach(&mut self) {
        let asked_ms = self.follower.clock.now_ms();
        // While the server is away the watermark stands.
        let Ok(state) = stream::state(&self.follower.jetstream, &self.follower.region, self.follower.partition).await else {
            return;
        };
        self.stream_reach = (state.first_seq, state.last_seq);
        if self.live.as_ref().is_some_and(|live| live.folded_seq() >= state.last_seq) {
            self.end_ms = asked_ms;
            self.is_ready = true;
        }
    }

    fn publish(&self) -> Result<(), End> {
        let live = self.live()?;
        let folded_seq = live.folded_seq();
        if !self.is_ready && self.follower.views.borrow().is_ready && folded_seq < self.follower.views.borrow().folded_seq {
            // An earlier view shows more: keep it until this one has caught up.
            return Ok(());
        }
        self.follower.views.send_replace(Arc::new(PartitionView {
            manifest: self.manifest.clone(),
            tables: live.tables(),
            ledgers: live.ledgers(),
            ledger_alarm: self.ledger_alarm.clone(),
            sealed_seq: self.manifest.as_ref().map_or(0, |manifest| manifest.sealed_seq),
            folded_seq,
            tail_rows: live.rows(),
            watermark_ms: live.watermark_ms(self.end_ms),
            condition: if live.is_full(self.follower.limits) { Condition::Full } else { Condition::Live },
            is_ready: self.is_ready || self.follower.views.borrow().is_ready,
            stream: (self.stream_reach.0, self.stream_reach.1.max(folded_seq)),
        }));
        Ok(())
    }
}

/// Whether this program continues rows of a logic: the same rules, and a version of the fold that it replaces. From the next commit on its
/// own version holds.
fn is_known(logic: &str, own: &str) -> bool {
    let parts = |text: &str| text.split_once('-').and_then(|(fold, rules)| Some((fold.parse::<u32>().ok()?, rules.to_owned())));
    match (parts(logic), parts(own)) {
        (Some((fold, rules)), Some((own_fold, own_rules))) => (1..=own_fold).contains(&fold) && rules == own_rules,
        _ => false,
    }
}

/// The next message, not before the time of the next append, and none while the live end is full.
async fn next(stream: &mut PartitionStream, not_before: Instant, is_full: bool) -> Result<Delivered, ReaderError> {
    if is_full {
        return pending().await;
    }
    sleep_until(not_before).await;
    stream.next().await
}

#[cfg(test)]
mod tests {
    use super::is_known;

    #[test]
    fn earlier_folds_with_the_same_rules_are_continued() {
        for (logic, is_ours) in
            [("2-ab", true), ("1-ab", true), ("3-ab", false), ("2-cd", false), ("0-ab", false), ("ab", false), ("", false)]
        {
            assert_eq!(is_known(logic, "2-ab"), is_ours, "{logic}");
        }
    }
}
