//! The fold of any messages in any order: it always gives an answer, every event is counted once, and its state can be kept.
#![no_main]

use libfuzzer_sys::fuzz_target;
use weir_event::codec;
use weir_event::model::SCHEMA_VERSION;
use weir_rollup::fold::{Arrival, KnownIds, State, fold, old_retries};
use weir_rollup::rules::Rules;

fuzz_target!(|data: &[u8]| {
    let rules = Rules::built_in().expect("the built-in rules compile");
    let mut state = State::default();
    let mut stored = KnownIds::default();
    let mut rest = data;
    let mut seq = 0;
    // Messages with their size (two bytes) and the minutes since the last one (one byte) before them.
    while let Some(([low, high, minutes], tail)) = rest.split_first_chunk::<3>() {
        let size = usize::from(u16::from_le_bytes([*low, *high])).min(tail.len());
        let (message, tail) = tail.split_at(size);
        rest = tail;
        let Ok(batch) = codec::decode(SCHEMA_VERSION, message) else { continue };
        seq += 1;
        let stream_ms = state.stream_ms().saturating_add(u64::from(*minutes) * 60_000);
        let asked = old_retries(&state, &batch, stream_ms);
        let known: KnownIds = asked.iter().map(|retry| retry.id).filter(|id| stored.contains(id)).collect();
        let folded = fold(&mut state, &rules, &batch, Arrival { seq, stream_ms }, &known);
        let counts = folded.counts;
        assert_eq!(folded.rows.len() as u64 + counts.erased, counts.accepted);
        assert!(folded.rows.iter().all(|row| !known.contains(&row.event_id)), "a known event became a row again");
        stored.extend(folded.rows.iter().map(|row| row.event_id));
        if folded.duplicate_batch {
            assert!(folded.rows.is_empty() && folded.ledger.is_empty());
            continue;
        }
        assert_eq!(counts.accepted + counts.deduplicated + counts.orphan_engagement, u64::from(batch.places()));
        assert!(counts.late <= counts.accepted && counts.bots <= counts.accepted);
        // The ledger counts the same.
        let sum =
            |count: fn(&weir_rollup::ledger::Tally) -> u64| folded.ledger.iter().map(|entry| count(&entry.tally)).sum::<u64>();
        assert_eq!((sum(|tally| tally.accepted), sum(|tally| tally.deduplicated)), (counts.accepted, counts.deduplicated));
        assert_eq!((sum(|tally| tally.late), sum(|tally| tally.bots)), (counts.late, counts.bots));
        assert_eq!(sum(|tally| tally.erased), counts.erased);
    }
    let bytes = state.encode();
    let again = State::decode(&bytes).expect("a state that was encoded can be decoded");
    assert_eq!(again.encode(), bytes);
});
