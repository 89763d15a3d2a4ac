//! Erasing: what a control record asks for is erased of a batch and nothing else; folding what is left gives no row that is covered.
#![no_main]

use std::cell::Cell;
use std::collections::HashMap;

use libfuzzer_sys::fuzz_target;
use weir_event::codec;
use weir_event::erase::Slot;
use weir_event::model::{EventBatch, SCHEMA_VERSION};
use weir_rollup::erase::{RowOf, erase_batch};
use weir_rollup::fold::{Arrival, Counts, Folded, KnownIds, State, fold};
use weir_rollup::manifest::{Erasure, Subject, covered_sql};
use weir_rollup::row::Position;
use weir_rollup::rules::Rules;

fuzz_target!(|data: &[u8]| {
    // Erasures (five bytes each, as many as the first byte says), then a batch.
    let Some((count, rest)) = data.split_first() else { return };
    let (chosen, message) = rest.split_at((usize::from(count % 4) * 5).min(rest.len()));
    let Ok(batch) = codec::decode(SCHEMA_VERSION, message) else { return };
    let at = Arrival { seq: 7, stream_ms: batch.formed_ms.min(1 << 50) };
    let whole = folded(&batch, at);
    let visitors: Vec<u64> =
        whole.rows.iter().map(|row| row.opening.visitor_id).chain(batch.events.iter().map(|event| event.visitor_id)).collect();
    let sites: Vec<u32> = batch.events.iter().map(|event| event.site_id).collect();
    let mut erasures: Vec<Erasure> = whole.controls.iter().filter_map(Erasure::of_control).collect();
    assert!(erasures.iter().all(|erasure| erasure.site_id > 0 && erasure.before_ms.is_none()));
    for [kind, site, visitor, seq, idx] in chosen.as_chunks::<5>().0.iter().copied() {
        let site_id = sites.get(usize::from(site) % sites.len().max(1)).copied().unwrap_or(1);
        let visitor_id = visitors.get(usize::from(visitor) % visitors.len().max(1)).copied().filter(|_| kind % 2 == 1);
        let before_ms = (kind % 3 == 2).then(|| at.stream_ms as i64 - i64::from(visitor) * 60_000);
        // Before the batch, at its end as a control record stands, or later.
        let (seq, idx) = (6 + u64::from(seq % 3), batch.places().saturating_add(u32::from(idx)));
        erasures.push(Erasure { seq, idx, site_id, visitor_id, before_ms, ..Erasure::new(format!("{kind:02x}"), 1) });
    }
    assert_eq!(covered_sql(&erasures).matches(" OR (seq = 7 AND").count() > 0, erasures.iter().any(|erasure| erasure.seq == 7));

    let rows: HashMap<Position, RowOf> = whole
        .rows
        .iter()
        .map(|row| (row.position, RowOf { visitor_id: row.opening.visitor_id, bot: row.opening.bot > 0 }))
        .collect();
    let stream_ms = Cell::new(at.stream_ms);
    let mut left = batch.clone();
    let erased =
        erase_batch(&mut left, Arrival { stream_ms: stream_ms.get(), ..at }, &erasures, |position| rows.get(&position).copied());
    assert_eq!((left.places(), left.tombstones.len()), (batch.places(), batch.tombstones.len() + erased));
    // Whatever is left has the index that it had.
    let before: HashMap<u32, Slot<'_>> = batch.slots().collect();
    for (idx, slot) in left.slots() {
        match slot {
            Slot::Event(_) => assert_eq!(before.get(&idx), Some(&slot)),
            // Forged indexes are put right by the first erasure.
            Slot::Erased(tombstone) => assert!(erased == 0 || tombstone.idx == idx, "{tombstone:?} at {idx}"),
        }
    }
    let bytes = codec::encode(&left);
    if bytes.len() <= codec::BATCH_BYTES_MAX {
        assert_eq!(codec::decode(SCHEMA_VERSION, &bytes).as_ref(), Ok(&left));
    }
    let again = erase_batch(&mut left.clone(), at, &erasures, |position| rows.get(&position).copied());
    assert_eq!(again, 0, "erased once, nothing is left to erase");

    let rest = folded(&left, at);
    let is_covered = |subject: &Subject| erasures.iter().any(|erasure| erasure.covers(subject));
    assert!(rest.rows.iter().all(|row| !is_covered(&Subject::from(row))), "what is covered is no row");
    assert_eq!(rest.counts.erased, rest.counts.accepted - rest.rows.len() as u64);
    // Whole visits are erased, except where only what is old goes.
    if erasures.iter().all(|erasure| erasure.before_ms.is_none()) {
        let stays = whole.rows.iter().filter(|row| !is_covered(&Subject::from(*row)));
        assert!(rest.rows.iter().eq(stays), "the others are the same rows");
        let told = |counts: &Counts| (counts.accepted, counts.deduplicated, counts.orphan_engagement, counts.late, counts.bots);
        assert_eq!(told(&rest.counts), told(&whole.counts), "it was received all the same");
    }
});

/// The batch folded into an empty state.
fn folded(batch: &EventBatch, at: Arrival) -> Folded {
    let rules = Rules::built_in().expect("the built-in rules compile");
    fold(&mut State::default(), &rules, batch, at, &KnownIds::default())
}
