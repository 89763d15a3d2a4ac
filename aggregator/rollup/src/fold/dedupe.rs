//! What was folded before: batches by producer and number, events by id.

use siphasher::sip128::{Hasher128, SipHasher24};
use std::collections::HashMap;
use std::hash::Hasher;

/// A producer unseen for this long of stream time counts as unknown.
const PRODUCER_KEPT_MS: u64 = 30 * 24 * 60 * 60 * 1000;
/// Ids are kept by the minute of stream time they were last seen in.
const ID_MINUTE_MS: u64 = 60 * 1000;
/// An id is known while it was seen in this minute or one of the 120 before.
const ID_KEPT_MINUTES: u64 = 120;

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

/// Ids of the last two hours of stream time, with the minute each was last seen in.
#[derive(Clone, Debug, Default)]
pub(super) struct Ids(HashMap<[u64; 2], u64>);

impl Ids {
    /// True when the id is not known. Either way it is known from now on. Id 0 means none and is never known.
    pub(super) fn first_sight(&mut self, id: u128, stream_ms: u64) -> bool {
        if id == 0 {
            return true;
        }
        let minute = stream_ms / ID_MINUTE_MS;
        let seen = self.0.insert(halves(id), minute);
        !seen.is_some_and(|seen| id_known(seen, minute))
    }

    /// Whether the id is known.
    pub(super) fn knows(&self, id: u128, stream_ms: u64) -> bool {
        self.0.get(&halves(id)).is_some_and(|seen| id_known(*seen, stream_ms / ID_MINUTE_MS))
    }

    pub(super) fn purge(&mut self, stream_ms: u64) {
        let minute = stream_ms / ID_MINUTE_MS;
        self.0.retain(|_, seen| id_known(*seen, minute));
    }

    /// (minute, id) of the known ids, sorted.
    pub(super) fn entries(&self, stream_ms: u64) -> Vec<(u64, [u64; 2])> {
        let minute = stream_ms / ID_MINUTE_MS;
        let known = self.0.iter().filter(|(_, seen)| id_known(**seen, minute));
        let mut entries: Vec<_> = known.map(|(id, seen)| (*seen, *id)).collect();
        entries.sort_unstable();
        entries
    }

    pub(super) fn restore(&mut self, minute: u64, id: [u64; 2]) {
        self.0.insert(id, minute);
    }
}

fn id_known(seen_minute: u64, minute: u64) -> bool {
    minute.saturating_sub(seen_minute) <= ID_KEPT_MINUTES
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

    #[test]
    fn an_id_is_known_for_two_hours_after_its_last_sight() {
        let mut ids = Ids::default();
        let minute = 60_000;
        assert!(ids.first_sight(9, 0));
        assert!(!ids.first_sight(9, 120 * minute));
        assert!(!ids.first_sight(9, 240 * minute));
        assert!(ids.first_sight(9, 361 * minute));
        assert!(ids.first_sight(0, 0));
        assert!(ids.first_sight(0, 0));
        ids.purge(1000 * minute);
        assert!(ids.entries(0).is_empty());
    }
}
