//! What was folded before: batches by producer and number, events by id.

use siphasher::sip128::{Hasher128, SipHasher24};
use std::collections::{BTreeMap, HashMap};
use std::hash::Hasher;

/// A producer unseen for this long of stream time counts as unknown.
const PRODUCER_KEPT_MS: u64 = 30 * 24 * 60 * 60 * 1000;
/// Ids are kept by the minute of stream time they were last seen in.
const ID_MINUTE_MS: u64 = 60 * 1000;
/// An id is known while it was seen in this minute or one of the 120 before.
const ID_KEPT_MINUTES: u64 = 120;
/// Past this number of ids the oldest minutes are forgotten: 50 MB of memory, 20 MB of state. Below 180 events a second it is never reached.
const IDS_MAX: usize = 1_300_000;
/// However many they are, ids of this many minutes are known: as long as JetStream itself knows a batch, and longer than rows wait for their file.
const ID_KEPT_MINUTES_MIN: u64 = 10;

/// A gap in a producer's numbers: batches lost, or a stream that was cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Jump {
    /// The number that should have come; 1 for a producer not known (any more).
    pub expected: u64,
    /// The number that came.
    pub found: u64,
}

/// What a batch's producer and number say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Folded before.
    Duplicate,
    /// The next, or one that cannot be told.
    Next,
    /// New, but not the next.
    After(Jump),
}

/// The last number of each producer.
#[derive(Clone, Debug, Default)]
pub(super) struct Producers(HashMap<u128, Last>);

#[derive(Clone, Copy, Debug)]
struct Last {
    number: u64,
    seen_ms: u64,
}

impl Producers {
    /// Judges a batch, and remembers it unless it is a duplicate.
    pub(super) fn check(&mut self, producer: &[u8], number: u64, stream_ms: u64) -> Verdict {
        let key = id_of(producer);
        if key == 0 || number == 0 {
            return Verdict::Next;
        }
        let last = self.0.get(&key).filter(|last| producer_known(last.seen_ms, stream_ms)).map_or(0, |last| last.number);
        if number <= last {
            return Verdict::Duplicate;
        }
        self.0.insert(key, Last { number, seen_ms: stream_ms });
        let expected = last.saturating_add(1);
        if number == expected { Verdict::Next } else { Verdict::After(Jump { expected, found: number }) }
    }

    /// Whether [`Producers::check`] would say that it was folded before.
    pub(super) fn is_duplicate(&self, producer: &[u8], number: u64, stream_ms: u64) -> bool {
        let key = id_of(producer);
        let last = self.0.get(&key).filter(|last| producer_known(last.seen_ms, stream_ms)).map_or(0, |last| last.number);
        key != 0 && number != 0 && number <= last
    }

    pub(super) fn purge(&mut self, stream_ms: u64) {
        self.0.retain(|_, last| producer_known(last.seen_ms, stream_ms));
    }

    /// (producer, number, seen) of the known producers, sorted.
    pub(super) fn entries(&self, stream_ms: u64) -> Vec<(u128, u64, u64)> {
        let known = self.0.iter().filter(|(_, last)| producer_known(last.seen_ms, stream_ms));
        let mut entries: Vec<_> = known.map(|(key, last)| (*key, last.number, last.seen_ms)).collect();
        entries.sort_unstable();
        entries
    }

    pub(super) fn restore(&mut self, producer: u128, number: u64, seen_ms: u64) {
        self.0.insert(producer, Last { number, seen_ms });
    }
}

fn producer_known(seen_ms: u64, stream_ms: u64) -> bool {
    stream_ms.saturating_sub(seen_ms) < PRODUCER_KEPT_MS
}

/// Ids of the last two hours of stream time, or of less where there are too many, with the minute each was last seen in.
///
/// From which minute on they are known changes only when stream time enters a new minute, so that it does not depend on how a minute's events
/// are divided into batches.
#[derive(Clone, Debug)]
pub(super) struct Ids {
    seen: HashMap<[u64; 2], u64>,
    /// How many were last seen in each minute that is known.
    counts: BTreeMap<u64, usize>,
    /// The newest minute.
    minute: u64,
    /// Ids last seen before this minute are not known. It never falls.
    first_minute: u64,
    /// Past this number the oldest are forgotten sooner.
    pub(super) max: usize,
}

impl Default for Ids {
    fn default() -> Self {
        Self::bounded(IDS_MAX)
    }
}

impl Ids {
    /// Forgets by age alone up to this number of ids.
    pub(super) fn bounded(max: usize) -> Self {
        Self { seen: HashMap::new(), counts: BTreeMap::new(), minute: 0, first_minute: 0, max }
    }

    /// Lets stream time go on.
    pub(super) fn advance(&mut self, stream_ms: u64) {
        let minute = stream_ms / ID_MINUTE_MS;
        if minute > self.minute {
            self.first_minute = self.first_minute_at(minute);
            self.minute = minute;
            self.counts = self.counts.split_off(&self.first_minute);
            if self.seen.len() / 4 > self.counts.values().sum::<usize>() / 3 {
                self.purge();
            }
        }
    }

    /// From which minute on ids are known at this minute, the present or a later one.
    fn first_minute_at(&self, minute: u64) -> u64 {
        if minute <= self.minute {
            return self.first_minute;
        }
        let by_age = self.first_minute.max(minute.saturating_sub(ID_KEPT_MINUTES));
        let mut number: usize = self.counts.range(by_age..).map(|(_, count)| count).sum();
        let mut from = by_age;
        for (of, count) in self.counts.range(by_age..minute.saturating_sub(ID_KEPT_MINUTES_MIN).max(by_age)) {
            if number <= self.max {
                break;
            }
            number = number.saturating_sub(*count);
            from = of + 1;
        }
        from
    }

    /// For how long ids are known at this stream time, milliseconds.
    pub(super) fn known_for_ms(&self, stream_ms: u64) -> u64 {
        let minute = stream_ms / ID_MINUTE_MS;
        minute.saturating_sub(self.first_minute_at(minute)).min(ID_KEPT_MINUTES) * ID_MINUTE_MS
    }

    /// True when the id is not known. Either way it is known from now on. Id 0 means none and is never known.
    pub(super) fn first_sight(&mut self, id: u128) -> bool {
        if id == 0 {
            return true;
        }
        let former = self.seen.insert(halves(id), self.minute);
        if let Some(count) = former.and_then(|minute| self.counts.get_mut(&minute)) {
            *count = count.saturating_sub(1);
        }
        *self.counts.entry(self.minute).or_default() += 1;
        former.is_none_or(|minute| minute < self.first_minute)
    }

    /// Whether the id is known at this stream time.
    pub(super) fn knows(&self, id: u128, stream_ms: u64) -> bool {
        let first_minute = self.first_minute_at(stream_ms / ID_MINUTE_MS);
        self.seen.get(&halves(id)).is_some_and(|seen| *seen >= first_minute)
    }

    /// Frees what is not known any more.
    pub(super) fn purge(&mut self) {
        self.seen.retain(|_, seen| *seen >= self.first_minute);
        self.seen.shrink_to(self.seen.len() / 3 * 4);
    }

    /// Ids last seen before this minute are not known.
    pub(super) fn first_minute(&self) -> u64 {
        self.first_minute
    }

    /// (minute, id) of the known ids, sorted.
    pub(super) fn entries(&self) -> Vec<(u64, [u64; 2])> {
        let known = self.seen.iter().filter(|(_, seen)| **seen >= self.first_minute);
        let mut entries: Vec<_> = known.map(|(id, seen)| (*seen, *id)).collect();
        entries.sort_unstable();
        entries
    }

    /// Nothing seen yet, at this stream time.
    pub(super) fn at(stream_ms: u64, first_minute: u64) -> Self {
        let minute = stream_ms / ID_MINUTE_MS;
        let first_minute = first_minute.max(minute.saturating_sub(ID_KEPT_MINUTES));
        Self { minute, first_minute, ..Self::default() }
    }

    pub(super) fn restore(&mut self, minute: u64, id: [u64; 2]) {
        if self.seen.insert(id, minute).is_none() {
            *self.counts.entry(minute).or_default() += 1;
        }
    }
}

/// Upper and lower half: two words align better in the map than a `u128`.
fn halves(id: u128) -> [u64; 2] {
    [(id >> 64) as u64, id as u64]
}

/// A producer's or control record's id as a number: 16 bytes as they are, other lengths hashed, none = 0.
pub(super) fn id_of(bytes: &[u8]) -> u128 {
    if bytes.is_empty() {
        return 0;
    }
    <[u8; 16]>::try_from(bytes).map_or_else(
        |_| {
            let mut hasher = SipHasher24::new();
            hasher.write(bytes);
            hasher.finish128().as_u128()
        },
        u128::from_be_bytes,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 24 * 60 * 60 * 1000;

    #[test]
    fn numbers_are_judged_by_producer() {
        let mut producers = Producers::default();
        let a = [1_u8; 16];
        let b = [2_u8; 16];
        assert_eq!(producers.check(&a, 1, 0), Verdict::Next);
        assert_eq!(producers.check(&a, 1, 5), Verdict::Duplicate);
        assert_eq!(producers.check(&b, 3, 5), Verdict::After(Jump { expected: 1, found: 3 }));
        assert_eq!(producers.check(&a, 4, 5), Verdict::After(Jump { expected: 2, found: 4 }));
        assert_eq!(producers.check(&a, 3, 5), Verdict::Duplicate);
        assert_eq!(producers.check(&a, 5, 5), Verdict::Next);
        assert_eq!(producers.check(&[], 5, 5), Verdict::Next);
        assert_eq!(producers.check(&[], 5, 5), Verdict::Next);
        assert_eq!(producers.check(&a, u64::MAX, 5), Verdict::After(Jump { expected: 6, found: u64::MAX }));
        assert_eq!(producers.check(&a, u64::MAX, 5), Verdict::Duplicate);
    }

    #[test]
    fn a_producer_expires_after_thirty_days_of_silence() {
        let mut producers = Producers::default();
        producers.check(b"short", 7, 0);
        assert_eq!(producers.check(b"short", 7, 30 * DAY - 1), Verdict::Duplicate);
        assert_eq!(producers.check(b"short", 7, 30 * DAY), Verdict::After(Jump { expected: 1, found: 7 }));
    }

    const MINUTE: u64 = 60_000;

    fn first_sight(ids: &mut Ids, id: u128, minute: u64) -> bool {
        ids.advance(minute * MINUTE);
        ids.first_sight(id)
    }

    #[test]
    fn an_id_is_known_for_two_hours_after_its_last_sight() {
        let mut ids = Ids::default();
        assert!(first_sight(&mut ids, 9, 0));
        assert!(!first_sight(&mut ids, 9, 120));
        assert!(!first_sight(&mut ids, 9, 240));
        assert!(first_sight(&mut ids, 9, 361));
        assert!(ids.first_sight(0) && ids.first_sight(0));
        assert_eq!(ids.known_for_ms(400 * MINUTE), 120 * MINUTE);
        assert!(ids.knows(9, 481 * MINUTE) && !ids.knows(9, 482 * MINUTE));
        ids.advance(1000 * MINUTE);
        assert!(ids.entries().is_empty());
    }

    #[test]
    fn too_many_ids_are_known_for_a_shorter_time() {
        let mut ids = Ids::bounded(5);
        // Two a minute: after minute 20 those of 10 minutes and more are forgotten, though they are more than five.
        for minute in 0..=20 {
            assert!(first_sight(&mut ids, u128::from(minute) * 2 + 1, minute));
            assert!(first_sight(&mut ids, u128::from(minute) * 2 + 2, minute));
        }
        assert_eq!(ids.known_for_ms(20 * MINUTE), 10 * MINUTE);
        assert!(!ids.knows(19, 20 * MINUTE) && ids.knows(21, 20 * MINUTE));
        assert!(!ids.knows(21, 21 * MINUTE) && ids.knows(23, 21 * MINUTE), "as it will be a minute later");
        assert!(ids.first_sight(19) && !ids.first_sight(21));
        // What is seen no more frees place: the rest is known for as long as its age allows. What was forgotten stays so.
        assert!(first_sight(&mut ids, 99, 60));
        assert!(first_sight(&mut ids, 33, 60) && !first_sight(&mut ids, 41, 60) && !first_sight(&mut ids, 42, 60));
        assert!(ids.seen.len() < 43, "{}", ids.seen.len());
    }

    #[test]
    fn what_is_restored_knows_and_forgets_the_same() {
        let mut ids = Ids::bounded(5);
        for minute in 0..=30 {
            first_sight(&mut ids, u128::from(minute % 17) + 1, minute);
            let mut again = Ids { max: 5, ..Ids::at(minute * MINUTE, ids.first_minute()) };
            ids.entries().into_iter().for_each(|(minute, id)| again.restore(minute, id));
            assert_eq!((again.entries(), again.first_minute()), (ids.entries(), ids.first_minute()));
            for later in minute..minute + 130 {
                assert_eq!(again.known_for_ms(later * MINUTE), ids.known_for_ms(later * MINUTE), "{minute} {later}");
            }
        }
    }
}
