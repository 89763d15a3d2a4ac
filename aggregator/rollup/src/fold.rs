//! The fold: batches in stream order become event rows, each joined to its visit.
//!
//! Everything that decides about a row is in the batch, its arrival and the [`State`]. Time is *stream time*, the running maximum of the
//! JetStream timestamps of the folded batches. Event times are kept as they came and clamped at the year 9999.

mod codec;
mod dedupe;
mod opening;
mod recall;
mod retry;
mod visits;
mod watermark;

use crate::ledger::{self, Collector, Tally};
use crate::manifest::Erasure;
use crate::row::{ControlRow, EventRow, Position};
use crate::rules::Rules;
use std::sync::Arc;
use visits::Visits;
use weir_event::erase::Slot;
use weir_event::model::{Control, ControlKind, Event, EventBatch, Fate, Origin, Tombstone};

pub use codec::{STATE_BYTES_MAX, STATE_VERSION, StateError};
pub use dedupe::Jump;
pub use recall::Recall;
pub use retry::{KEEP_IDS_MS, KnownIds, OldRetry, old_retries, parts_to_search};

/// Version of the fold's code, first half of the logic version. It rises with every change that can change a row. Version 1 did not look up
/// old retries, version 2 knew all ids of two hours.
pub const FOLD_VERSION: u32 = 3;
/// An event joins a visit that was active at most this long before or after it.
pub const IDLE_MS: i64 = 30 * 60 * 1000;
/// Event times above this (the last millisecond of the year 9999) are taken as this.
pub const EVENT_MS_MAX: i64 = 253_402_300_799_999;
/// Stream time between two purges of the state.
const PURGE_EVERY_MS: u64 = 10 * 60 * 1000;
/// Name of the events that only report engagement.
const ENGAGEMENT: &str = "engagement";

/// Where and when a batch stands in its stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Stream sequence.
    pub seq: u64,
    /// JetStream timestamp, Unix milliseconds.
    pub stream_ms: u64,
}

/// What the fold remembers between batches. It is a function of the batches folded so far and of nothing else.
#[derive(Clone, Debug, Default)]
pub struct State {
    stream_ms: u64,
    purged_ms: u64,
    producers: dedupe::Producers,
    ids: dedupe::Ids,
    visits: Visits,
    batchers: watermark::Batchers,
}

/// What one batch gave.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Folded {
    /// Rows in the order of their positions.
    pub rows: Vec<EventRow>,
    /// Control records in the order of their positions.
    pub controls: Vec<ControlRow>,
    /// The producer's number was folded before: nothing was done and the state is unchanged.
    pub duplicate_batch: bool,
    /// The producer's numbers have a gap before this batch.
    pub jump: Option<Jump>,
    /// What became of the events.
    pub counts: Counts,
    /// The same by site and hour of receipt, and what the edge refused; by site and hour, each once.
    pub ledger: Vec<ledger::Entry>,
}

/// What became of events. Those received = `accepted + deduplicated + orphan_engagement`, where the batch was no duplicate;
/// `accepted - erased` became rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Became rows, or would have.
    pub accepted: u64,
    /// Dropped: their id is known.
    pub deduplicated: u64,
    /// Dropped: engagement without a live visit.
    pub orphan_engagement: u64,
    /// Among the accepted: happened more than 30 minutes of stream time ago.
    pub late: u64,
    /// Among the accepted: of a visit marked as a bot's.
    pub bots: u64,
    /// Among the accepted: erased from the batch, so that they give no row.
    pub erased: u64,
}

impl Counts {
    /// Adds others.
    pub fn add(&mut self, other: Self) {
        self.accepted += other.accepted;
        self.deduplicated += other.deduplicated;
        self.orphan_engagement += other.orphan_engagement;
        self.late += other.late;
        self.bots += other.bots;
        self.erased += other.erased;
    }
}

impl State {
    /// Stream time: the highest JetStream timestamp folded so far, Unix milliseconds; 0 at the start.
    pub fn stream_ms(&self) -> u64 {
        self.stream_ms
    }

    /// Up to when the answers are complete, for a caller who has folded to the end of the stream at `now_ms`: the oldest event that a
    /// batcher said it still holds, or `now_ms`. A batcher holds the watermark back until its next batch, at most five minutes.
    pub fn watermark(&self, now_ms: u64) -> u64 {
        self.batchers.watermark(now_ms)
    }

    /// Visits that an event could still join.
    pub fn live_visits(&self) -> usize {
        self.visits.live(self.stream_ms)
    }

    /// Forgets the visits that an erasure is about, as far as they ended before its time. Returns whether there were any.
    ///
    /// For states of before the erasure's position: a later one has forgotten them, and may have newer visits of the same visitors.
    pub fn erase(&mut self, erasure: &Erasure) -> bool {
        self.visits.erase(erasure)
    }

    /// Frees what no later lookup can find. It changes no row, whenever it runs; [`fold`] runs it every ten minutes of stream time.
    pub fn purge(&mut self) {
        self.producers.purge(self.stream_ms);
        self.ids.purge();
        self.visits.purge(self.stream_ms);
        self.batchers.purge(self.stream_ms);
        self.purged_ms = self.stream_ms;
    }
}

/// Folds the next batch of the stream. Total: any batch gives an answer.
///
/// Batches must come in the order of their sequences. A batch without a producer or with number 0 cannot be recognised when it comes
/// again; only the ids of its events can. `known` are those ids of [`old_retries`] that rows of earlier batches have.
pub fn fold(state: &mut State, rules: &Rules, batch: &EventBatch, at: Arrival, known: &KnownIds) -> Folded {
    let folded = fold_batch(state, rules, batch, at, known);
    if state.stream_ms.saturating_sub(state.purged_ms) >= PURGE_EVERY_MS {
        state.purge();
    }
    folded
}

fn fold_batch(state: &mut State, rules: &Rules, batch: &EventBatch, at: Arrival, known: &KnownIds) -> Folded {
    let stream_ms = state.stream_ms.max(at.stream_ms);
    let jump = match state.producers.check(&batch.producer, batch.number, stream_ms) {
        dedupe::Verdict::Duplicate => return Folded { duplicate_batch: true, ..Folded::default() },
        dedupe::Verdict::Next => None,
        dedupe::Verdict::After(jump) => Some(jump),
    };
    state.stream_ms = stream_ms;
    state.ids.advance(stream_ms);
    let old_after_ms = retry::old_after_ms(state, stream_ms);
    state.batchers.heard(&batch.batcher, batch.oldest_unsent_ms, stream_ms);
    let mut folded = Folded { jump, rows: Vec::with_capacity(batch.events.len()), ..Folded::default() };
    let mut ledger = Collector::default();
    for (idx, slot) in batch.slots() {
        let event = match slot {
            Slot::Event(event) => event,
            Slot::Erased(tombstone) => {
                fold_tombstone(state, tombstone, &mut folded.counts, &mut ledger);
                continue;
            }
        };
        let tally = ledger.at(event.site_id, clamp_ms(event.received_ms));
        let is_stored = !known.is_empty() && retry::is_old(event, stream_ms, old_after_ms) && known.contains(&event.id());
        // An id counts as seen, stored or not.
        if !state.ids.first_sight(event.id()) || is_stored {
            folded.counts.deduplicated += 1;
            tally.deduplicated += 1;
        } else {
            fold_event(state, rules, event, Position { seq: at.seq, idx }, &mut folded, tally);
        }
    }
    for refused in batch.refused.iter().filter(|refused| refused.count > 0) {
        ledger.at(refused.site_id, clamp_ms(refused.hour_ms)).refuse(&refused.reason, refused.count);
    }
    for (idx, control) in (batch.places()..).zip(&batch.controls) {
        fold_control(state, control, Position { seq: at.seq, idx }, &mut folded);
    }
    folded.ledger = ledger.finish();
    folded
}

/// Folds an event that is not known yet.
fn fold_event(state: &mut State, rules: &Rules, event: &Event, position: Position, folded: &mut Folded, tally: &mut Tally) {
    let event_ms = clamp_ms(event.event_ms);
    let engagement = event.name == ENGAGEMENT;
    let visitor = visits::Visitor { site_id: event.site_id, id: event.visitor_id, previous_id: event.previous_visitor_id };
    let joined = match state.visits.join(visitor, event_ms, state.stream_ms) {
        Some(joined) => joined,
        None if engagement => {
            folded.counts.orphan_engagement += 1;
            return tally.refuse(ledger::NO_SESSION, 1);
        }
        None => state.visits.open(visitor, event_ms, state.stream_ms, position, Arc::new(opening::of(event, rules))),
    };
    let is_bot = joined.opening.bot > 0;
    let is_late = event_ms.saturating_add(IDLE_MS) < clamp_ms(state.stream_ms);
    folded.counts.accepted += 1;
    folded.counts.bots += u64::from(is_bot);
    folded.counts.late += u64::from(is_late);
    tally.accepted += 1;
    tally.bots += u64::from(is_bot);
    tally.late += u64::from(is_late);
    folded.rows.push(EventRow {
        position,
        site_id: event.site_id,
        event_ms,
        received_ms: clamp_ms(event.received_ms),
        event_id: event.id(),
        retry: event.retry,
        visit_id: joined.visit_id,
        name: event.name.clone(),
        hostname: event.hostname.clone(),
        pathname: event.pathname.clone(),
        props: event.props.clone(),
        revenue: event.revenue.clone(),
        engagement_ms: event.engagement_ms,
        scroll_depth: event.scroll_depth.map(|percent| percent.min(100) as u8),
        interactive: !engagement && !event.non_interactive,
        origin: Origin::try_from(event.origin).unwrap_or(Origin::Edge),
        opening: joined.opening,
    });
}

/// Counts an event that was erased as what it was. Its id is known from here on, as it was before.
fn fold_tombstone(state: &mut State, tombstone: &Tombstone, counts: &mut Counts, ledger: &mut Collector) {
    let tally = ledger.at(tombstone.site_id, clamp_ms(tombstone.hour_ms));
    if !state.ids.first_sight(tombstone.id()) || tombstone.fate() == Fate::Copy {
        counts.deduplicated += 1;
        tally.deduplicated += 1;
        return;
    }
    if tombstone.fate() == Fate::Orphan {
        counts.orphan_engagement += 1;
        return tally.refuse(ledger::NO_SESSION, 1);
    }
    let (bot, late) = (u64::from(tombstone.bot), u64::from(tombstone.late));
    for (of_batch, of_hour, count) in [
        (&mut counts.accepted, &mut tally.accepted, 1),
        (&mut counts.erased, &mut tally.erased, 1),
        (&mut counts.bots, &mut tally.bots, bot),
        (&mut counts.late, &mut tally.late, late),
    ] {
        *of_batch += count;
        *of_hour += count;
    }
}

/// Emits a control record once. The visits of a deleted site or visitor end here: later events open new ones.
fn fold_control(state: &mut State, control: &Control, position: Position, folded: &mut Folded) {
    if !state.ids.first_sight(dedupe::id_of(&control.id)) {
        return;
    }
    match control.kind {
        Some(ControlKind::DeleteSite(delete)) => state.visits.forget(delete.site_id, None),
        Some(ControlKind::DeleteVisitor(delete)) => state.visits.forget(delete.site_id, Some(delete.visitor_id)),
        Some(ControlKind::MoveSite(_)) | None => {}
    }
    folded.controls.push(ControlRow { position, record: weir_event::Message::encode_to_vec(control) });
}

fn clamp_ms(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(EVENT_MS_MAX).min(EVENT_MS_MAX)
}

#[cfg(test)]
mod tests;
