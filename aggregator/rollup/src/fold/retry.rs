//! Old retries: events that may have been stored before the state's memory of ids began.
//!
//! The fold cannot look into files. It says what it must know ([`old_retries`]), its caller finds it out, and hands it over with the batch.
//! Rows keep their ids longer than any lookup reaches back ([`KEEP_IDS_MS`]), so that the answer does not depend on flushes and merges.

use super::{State, clamp_ms};
use crate::manifest::Part;
use std::collections::HashSet;
use weir_event::model::{Event, EventBatch};

/// A retry that happened longer than this before stream time is taken as it is: no client sends it (an age is at most 24 hours).
pub(super) const OLD_UNTIL_MS: u64 = 25 * 60 * 60 * 1000;
/// Copies of one event differ in time by at most this: a client's clock and the way to the edge are not exact.
pub(super) const APART_MS: i64 = 60 * 60 * 1000;
/// Rows keep their ids at least this long after they were received, measured in stream time. A lookup reaches back 26 hours, and an event
/// is received at most a minute before it happened.
pub const KEEP_IDS_MS: u64 = 27 * 60 * 60 * 1000;

/// The ids among those of [`old_retries`] that stored rows have.
pub type KnownIds = HashSet<u128>;

/// A retry to be looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OldRetry {
    /// Its site.
    pub site_id: u32,
    /// When it happened, Unix milliseconds.
    pub event_ms: i64,
    /// Its id.
    pub id: u128,
}

impl OldRetry {
    /// Whether a stored row is an earlier copy.
    pub fn is_copy(&self, site_id: u32, event_ms: i64, id: u128) -> bool {
        (self.site_id, self.id) == (site_id, id) && (self.from_ms()..=self.to_ms()).contains(&event_ms)
    }

    /// The id as a stored row has it, in halves.
    pub fn id_of(high: u64, low: u64) -> u128 {
        (u128::from(high) << 64) | u128::from(low)
    }

    /// Earliest time of a copy.
    pub fn from_ms(&self) -> i64 {
        self.event_ms.saturating_sub(APART_MS)
    }

    /// Latest time of a copy.
    pub fn to_ms(&self) -> i64 {
        self.event_ms.saturating_add(APART_MS)
    }
}

/// What the caller must look up among all rows folded so far before it folds this batch: mostly nothing.
pub fn old_retries(state: &State, batch: &EventBatch, stream_ms: u64) -> Vec<OldRetry> {
    // Almost no batch has a retry.
    if !batch.events.iter().any(|event| event.retry)
        || state.producers.is_duplicate(&batch.producer, batch.number, state.stream_ms.max(stream_ms))
    {
        return Vec::new();
    }
    let stream_ms = state.stream_ms.max(stream_ms);
    let old_after_ms = old_after_ms(state, stream_ms);
    let is_asked = |event: &&Event| is_old(event, stream_ms, old_after_ms) && !state.ids.knows(event.id(), stream_ms);
    let asked = batch.events.iter().filter(is_asked);
    asked.map(|event| OldRetry { site_id: event.site_id, event_ms: clamp_ms(event.event_ms), id: event.id() }).collect()
}

/// The parts that may hold a copy of one of these.
pub fn parts_to_search<'a>(parts: &'a [Part], wanted: &'a [OldRetry]) -> impl Iterator<Item = &'a Part> {
    parts.iter().filter(|part| {
        part.rows > 0
            && wanted.iter().any(|retry| {
                (part.min_site_id..=part.max_site_id).contains(&retry.site_id)
                    && part.max_event_ms >= retry.from_ms()
                    && part.min_event_ms <= retry.to_ms()
            })
    })
}

/// A retry that happened at least this long before stream time is looked up; the first copies of younger ones are in the state. It remembers an
/// hour longer: an event's time may be up to an hour after the one its first copy was given.
pub(super) fn old_after_ms(state: &State, stream_ms: u64) -> u64 {
    state.ids.known_for_ms(stream_ms).saturating_sub(APART_MS.unsigned_abs())
}

/// Whether a stored copy of the event counts.
pub(super) fn is_old(event: &Event, stream_ms: u64, old_after_ms: u64) -> bool {
    let age_ms = stream_ms.saturating_sub(event.event_ms);
    event.retry && event.id() != 0 && (old_after_ms..=OLD_UNTIL_MS).contains(&age_ms)
}
