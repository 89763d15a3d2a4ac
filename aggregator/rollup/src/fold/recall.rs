//! Ids that rows have forgotten, recalled for a replay.
//!
//! Rows lose their ids a day after they were received. A replay that begins at a checkpoint folds retries of long ago, whose copies lie before the
//! checkpoint in parts without ids. The raw batches still have them: those before the checkpoint are searched for the ids that are asked for
//! after it, and what is found counts where its position is a row of the parts.

use super::retry::{APART_MS, OLD_UNTIL_MS, is_old};
use super::{KnownIds, OldRetry, clamp_ms};
use crate::row::Position;
use std::collections::{HashMap, HashSet};
use weir_event::erase::Slot;
use weir_event::model::EventBatch;

/// Copies of old retries that lie before a checkpoint. Filled in three passes: [`Recall::ask`], [`Recall::search`], [`Recall::keep`].
#[derive(Clone, Debug, Default)]
pub struct Recall {
    checkpoint_ms: u64,
    asked: HashSet<u128>,
    earliest_ms: Option<u64>,
    found: HashMap<Position, OldRetry>,
}

impl Recall {
    /// Nothing yet, for a replay from a checkpoint at this stream time.
    pub fn new(checkpoint_ms: u64) -> Self {
        Self { checkpoint_ms, ..Self::default() }
    }

    /// Notes the old retries of a batch after the checkpoint; `false` = neither it nor any later one can have a copy before the checkpoint.
    pub fn ask(&mut self, batch: &EventBatch, stream_ms: u64) -> bool {
        if stream_ms > self.checkpoint_ms.saturating_add(OLD_UNTIL_MS).saturating_add(2 * APART_MS.unsigned_abs()) {
            return false;
        }
        // How long the state will know ids is not known yet: all that can be asked for.
        for event in batch.events.iter().filter(|event| is_old(event, stream_ms, 0)) {
            self.asked.insert(event.id());
            let event_ms = event.event_ms;
            self.earliest_ms = Some(self.earliest_ms.map_or(event_ms, |earliest_ms| earliest_ms.min(event_ms)));
        }
        true
    }

    /// From which stream time on batches are to be searched, Unix milliseconds; `None` = nothing is asked for.
    pub fn search_from_ms(&self) -> Option<u64> {
        // A copy happened up to an hour earlier, and no message is stored more than an hour before its events happen.
        self.earliest_ms.map(|earliest_ms| earliest_ms.saturating_sub(2 * APART_MS.unsigned_abs()))
    }

    /// Looks for copies in a batch before the checkpoint.
    pub fn search(&mut self, batch: &EventBatch, seq: u64) {
        for (idx, slot) in batch.slots() {
            // What was erased has no row.
            let Slot::Event(event) = slot else { continue };
            if !self.asked.contains(&event.id()) {
                continue;
            }
            let copy = OldRetry { site_id: event.site_id, event_ms: clamp_ms(event.event_ms), id: event.id() };
            self.found.insert(Position { seq, idx }, copy);
        }
    }

    /// Where copies were found.
    pub fn positions(&self) -> impl Iterator<Item = Position> {
        self.found.keys().copied()
    }

    /// Forgets those that are no rows: they were dropped when they came.
    pub fn keep(&mut self, is_row: impl Fn(Position) -> bool) {
        self.found.retain(|position, _| is_row(*position));
    }

    /// Those of the retries that have a copy before the checkpoint.
    pub fn copies(&self, wanted: &[OldRetry]) -> KnownIds {
        let is_copy = |copy: &&OldRetry| wanted.iter().any(|retry| retry.is_copy(copy.site_id, copy.event_ms, copy.id));
        self.found.values().filter(is_copy).map(|copy| copy.id).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_event::model::Event;

    const HOUR: u64 = 3_600_000;

    fn batch(id: u64, event_ms: u64, retry: bool) -> EventBatch {
        let event = Event { id_low: id, event_ms, received_ms: event_ms, retry, site_id: 1, ..Event::default() };
        EventBatch { events: vec![event], ..EventBatch::default() }
    }

    #[test]
    fn a_copy_before_the_checkpoint_is_recalled_where_it_is_a_row() {
        let mut recall = Recall::new(100 * HOUR);
        assert_eq!(recall.search_from_ms(), None);
        assert!(recall.ask(&batch(7, 90 * HOUR, true), 101 * HOUR));
        assert!(recall.ask(&batch(8, 101 * HOUR, true), 101 * HOUR), "too young to be looked up");
        assert!(!recall.ask(&batch(9, 127 * HOUR, true), 128 * HOUR), "no copy can lie before the checkpoint");
        assert_eq!(recall.search_from_ms(), Some(88 * HOUR));
        for (seq, id) in [(1, 7), (2, 8), (3, 7)] {
            recall.search(&batch(id, 90 * HOUR, false), seq);
        }
        recall.keep(|position| position.seq == 1);
        assert_eq!(recall.positions().collect::<Vec<_>>(), [Position { seq: 1, idx: 0 }]);
        let wanted = |id, hours: i64| OldRetry { site_id: 1, event_ms: hours * 3_600_000, id };
        assert_eq!(recall.copies(&[wanted(7, 90), wanted(8, 101)]), KnownIds::from([7]));
        assert_eq!(recall.copies(&[wanted(7, 92)]), KnownIds::new(), "too far apart in time");
    }
}
