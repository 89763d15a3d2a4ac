//! The live end in work: messages folded as they arrive, manifests taken over as they are committed, rows and ledger compared.

use super::follow::{End, Follower};
use super::live::Live;
use super::logic::goes_on;
use super::{Condition, PartitionView};
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use weir_reader::ReaderError;
use weir_reader::stream::{self, Delivered, PartitionStream};
use weir_rollup::manifest::Manifest;

/// Messages folded at once: with the stream's read-ahead at most 80 of 0.9 MB are in memory.
const MESSAGES_AT_ONCE: usize = 64;
/// Time between two appends while messages keep arriving: each is a transaction.
const APPEND_EVERY: Duration = Duration::from_millis(25);
/// How often the end of the stream is asked for.
const REACH_EVERY: Duration = Duration::from_millis(500);
/// Rows and ledger of the live end are compared at most so often, and whenever parts were sealed.
const CHECK_EVERY: Duration = Duration::from_secs(5);

/// The live end in work.
pub(super) struct Session<'a> {
    follower: &'a mut Follower,
    manifest: Option<Arc<Manifest>>,
    /// Away while it is folded on a blocking thread.
    live: Option<Live>,
    stream: PartitionStream,
    stream_reach: (u64, u64),
    /// When the stream was last heard of, by this machine's clock; 0 = never.
    heard_ms: u64,
    /// When everything that was in the stream had been folded, by this machine's clock; 0 = never yet.
    end_ms: u64,
    is_ready: bool,
    /// Up to where an earlier view showed the live end: nothing is shown before this one has come as far.
    shown_seq: u64,
    /// Up to which sequence, and when, rows and ledger were compared last.
    checked: (u64, Instant),
    ledger_alarm: Option<String>,
}

impl<'a> Session<'a> {
    /// A live end that begins behind the manifest's `sealed_seq`.
    pub(super) fn new(follower: &'a mut Follower, manifest: Option<Arc<Manifest>>, live: Live, stream: PartitionStream) -> Self {
        let (shown_seq, stream_reach, heard_ms) = {
            let before = follower.views.borrow();
            (if before.is_ready { before.folded_seq } else { 0 }, before.stream, before.heard_ms)
        };
        Self {
            follower,
            manifest,
            live: Some(live),
            stream,
            stream_reach,
            heard_ms,
            end_ms: 0,
            is_ready: false,
            shown_seq,
            checked: (0, Instant::now()),
            ledger_alarm: None,
        }
    }

    /// Follows until something ends it.
    pub(super) async fn run(mut self) -> Result<(), End> {
        let mut reach = interval(REACH_EVERY);
        reach.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut next_append = Instant::now();
        loop {
            let is_full = self.is_full(self.live()?);
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
        let sealed_seq = manifest.as_ref().map_or(0, |manifest| manifest.sealed_seq);
        let is_same_stream = manifest.as_ref().is_none_or(|manifest| manifest.stream.created == self.stream.created());
        let goes_on = goes_on(self.manifest.as_deref(), manifest.as_deref(), self.follower.rulebook.own());
        let live = self.live.as_mut().ok_or(End::Reload)?;
        if !is_same_stream || !goes_on || sealed_seq > live.folded_seq() {
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
        self.heard_ms = asked_ms;
        if self.live.as_ref().is_some_and(|live| live.folded_seq() >= state.last_seq) {
            self.end_ms = asked_ms;
            self.is_ready = true;
        }
    }

    /// Holds as much as it may. What an earlier view showed fitted into memory, and has to be reached.
    fn is_full(&self, live: &Live) -> bool {
        live.folded_seq() >= self.shown_seq && live.is_full(self.follower.limits)
    }

    fn publish(&self) -> Result<(), End> {
        let live = self.live()?;
        let folded_seq = live.folded_seq();
        if !self.is_ready && folded_seq < self.shown_seq {
            // An earlier view shows more: keep it until this one has caught up.
            return Ok(());
        }
        let before = Arc::clone(&self.follower.views.borrow());
        let watermark_ms = live.watermark_ms(self.end_ms);
        self.follower.views.send_replace(Arc::new(PartitionView {
            manifest: self.manifest.clone(),
            tables: live.tables(),
            ledgers: live.ledgers(),
            asked: live.asked(),
            ledger_alarm: self.ledger_alarm.clone(),
            sealed_seq: self.manifest.as_ref().map_or(0, |manifest| manifest.sealed_seq),
            folded_seq,
            tail_rows: live.rows(),
            // What an earlier view had counted is counted here too.
            watermark_ms: if self.is_ready { watermark_ms } else { watermark_ms.max(before.watermark_ms) },
            condition: if self.is_full(live) { Condition::Full } else { Condition::Live },
            is_ready: self.is_ready || before.is_ready,
            stream: (self.stream_reach.0, self.stream_reach.1.max(folded_seq)),
            heard_ms: self.heard_ms,
        }));
        Ok(())
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
