//! Erasing events of a batch: what stands in their place, and which index every event has then.

use crate::model::{Event, EventBatch, Fate, Tombstone};

/// Length of an hour, milliseconds.
const HOUR_MS: u64 = 3_600_000;

/// What stands at an index of a batch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Slot<'a> {
    /// An event.
    Event(&'a Event),
    /// An event stood here.
    Erased(&'a Tombstone),
}

/// What is known of an event that is to be erased.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Erased {
    /// What had become of it.
    pub fate: Fate,
    /// Among the accepted ones of bots.
    pub bot: bool,
    /// Among the accepted ones that came late.
    pub late: bool,
}

impl EventBatch {
    /// What stands at the indexes 0, 1, 2, …: as many as [`EventBatch::places`] says, whatever the tombstones claim.
    pub fn slots(&self) -> impl Iterator<Item = (u32, Slot<'_>)> {
        let mut events = self.events.iter();
        let mut tombstones = self.tombstones.iter().peekable();
        (0_u32..).map_while(move |index| {
            if let Some(tombstone) = tombstones.next_if(|tombstone| tombstone.idx <= index) {
                return Some((index, Slot::Erased(tombstone)));
            }
            let next = events.next().map(Slot::Event);
            Some((index, next.or_else(|| tombstones.next().map(Slot::Erased))?))
        })
    }

    /// How many events it has or had.
    pub fn places(&self) -> u32 {
        u32::try_from(self.events.len() + self.tombstones.len()).unwrap_or(u32::MAX)
    }

    /// Puts tombstones in the place of the events for which `decide` says so, by their index. Returns how many those were.
    pub fn erase(&mut self, mut decide: impl FnMut(u32, &Event) -> Option<Erased>) -> usize {
        let made: Vec<Tombstone> = self
            .slots()
            .map(|(idx, slot)| match slot {
                Slot::Erased(tombstone) => Some(Tombstone { idx, ..*tombstone }),
                Slot::Event(event) => decide(idx, event).map(|erased| tombstone(idx, event, erased)),
            })
            .collect::<Vec<Option<Tombstone>>>()
            .into_iter()
            .flatten()
            .collect();
        let erased = made.len() - self.tombstones.len();
        if erased > 0 {
            let gone: std::collections::BTreeSet<u32> = made.iter().map(|tombstone| tombstone.idx).collect();
            let stays: Vec<bool> =
                self.slots().filter(|(_, slot)| matches!(slot, Slot::Event(_))).map(|(idx, _)| !gone.contains(&idx)).collect();
            let mut stays = stays.into_iter();
            self.events.retain(|_| stays.next().unwrap_or(true));
            self.tombstones = made;
        }
        erased
    }
}

fn tombstone(idx: u32, event: &Event, erased: Erased) -> Tombstone {
    Tombstone {
        idx,
        site_id: event.site_id,
        hour_ms: event.received_ms / HOUR_MS * HOUR_MS,
        id_high: event.id_high,
        id_low: event.id_low,
        fate: erased.fate.into(),
        bot: erased.bot,
        late: erased.late,
    }
}

impl Tombstone {
    /// The random id of the event as one number; 0 = none.
    pub fn id(&self) -> u128 {
        (u128::from(self.id_high) << 64) | u128::from(self.id_low)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ROW: Erased = Erased { fate: Fate::Row, bot: false, late: true };

    fn event(id_low: u64) -> Event {
        Event { id_low, site_id: 7, received_ms: HOUR_MS + 5, name: "pageview".into(), ..Event::default() }
    }

    fn numbers(batch: &EventBatch) -> Vec<(u32, u64, bool)> {
        let number = |(idx, slot): (u32, Slot<'_>)| match slot {
            Slot::Event(event) => (idx, event.id_low, false),
            Slot::Erased(tombstone) => (idx, tombstone.id_low, true),
        };
        batch.slots().map(number).collect()
    }

    #[test]
    fn the_others_keep_their_indexes() {
        let mut batch = EventBatch { events: (10..14).map(event).collect(), ..EventBatch::default() };
        assert_eq!(batch.erase(|idx, _| (idx == 1).then_some(ROW)), 1);
        assert_eq!(numbers(&batch), [(0, 10, false), (1, 11, true), (2, 12, false), (3, 13, false)]);
        let first = batch.tombstones[0];
        assert_eq!((first.site_id, first.hour_ms, first.late, first.fate()), (7, HOUR_MS, true, Fate::Row));
        assert_eq!(batch.erase(|_, event| (event.id_low > 11).then_some(ROW)), 2);
        assert_eq!(numbers(&batch), [(0, 10, false), (1, 11, true), (2, 12, true), (3, 13, true)]);
        assert_eq!((batch.erase(|_, _| None), batch.places()), (0, 4));
    }

    #[test]
    fn forged_tombstones_leave_every_event_an_index_of_its_own() {
        let tombstone = |idx: u32| Tombstone { idx, ..Tombstone::default() };
        let batch = EventBatch {
            events: vec![event(1), event(2)],
            tombstones: vec![tombstone(900), tombstone(0), tombstone(0)],
            ..EventBatch::default()
        };
        let indexes: Vec<u32> = batch.slots().map(|(idx, _)| idx).collect();
        assert_eq!(indexes, [0, 1, 2, 3, 4]);
        assert_eq!(batch.places(), 5);
    }

    proptest! {
        #[test]
        fn erasing_by_and_by_is_erasing_at_once(count in 0..20_u64, first in any::<u32>(), second in any::<u32>()) {
            let whole = EventBatch { events: (0..count).map(event).collect(), ..EventBatch::default() };
            let is_in = |mask: u32, idx: u32| (mask >> (idx % 32)) & 1 == 1;
            let (mut twice, mut once) = (whole.clone(), whole);
            twice.erase(|idx, _| is_in(first, idx).then_some(ROW));
            twice.erase(|idx, _| is_in(second, idx).then_some(ROW));
            once.erase(|idx, _| (is_in(first, idx) || is_in(second, idx)).then_some(ROW));
            prop_assert_eq!(&twice, &once);
            prop_assert!(once.slots().all(|(idx, slot)| matches!(slot, Slot::Erased(_)) == is_in(first | second, idx)));
        }
    }
}
