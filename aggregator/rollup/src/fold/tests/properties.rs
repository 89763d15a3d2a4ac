use super::*;
use crate::erase::{RowOf, erase_batch};
use crate::manifest::Subject;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// Stream time and batch; numbers and sequences come by the order.
type Step = (u64, Vec<Event>);

/// Few visitors, few times near midnight, out of order, some ids twice: every rule meets every other.
fn steps() -> impl Strategy<Value = Vec<Step>> {
    let name = prop_oneof![3 => Just("pageview"), 2 => Just("engagement"), 1 => Just("Signup")];
    let one = (0..4_u64, 0..3_u64, 0..300_u64, name, 0..40_u64, any::<bool>());
    let event = one.prop_map(|(visitor, previous, minute, name, id, interactive)| Event {
        id_low: id,
        previous_visitor_id: previous,
        non_interactive: !interactive,
        ..event(visitor, NOON + 10 * HOUR + minute * MINUTE, name)
    });
    let step = (0..50_u64, proptest::collection::vec(event, 0..6));
    proptest::collection::vec(step, 1..25).prop_map(|steps| {
        let mut stream_ms = NOON + 10 * HOUR;
        let advance = |(minutes, events): Step| {
            stream_ms += minutes * MINUTE;
            (stream_ms, events)
        };
        steps.into_iter().map(advance).collect()
    })
}

fn batches(steps: &[Step]) -> Vec<(u64, EventBatch)> {
    (1..).zip(steps).map(|(number, (stream_ms, events))| (*stream_ms, batch(number, events.clone()))).collect()
}

/// The same events, each alone in a batch: positions change, hence visit ids.
fn one_by_one(steps: &[Step]) -> Vec<(u64, EventBatch)> {
    let singles = steps.iter().flat_map(|(stream_ms, events)| events.iter().map(|event| (*stream_ms, event.clone())));
    (1..).zip(singles).map(|(number, (stream_ms, event))| (stream_ms, batch(number, vec![event]))).collect()
}

/// What must not depend on positions: each row without position and id, with the number of its visit.
fn structure(rows: &[EventRow]) -> Vec<(usize, EventRow)> {
    let plain = |row: &EventRow| EventRow { position: Position { seq: 0, idx: 0 }, visit_id: 0, ..row.clone() };
    visit_numbers(rows).into_iter().zip(rows.iter().map(plain)).collect()
}

/// Hours of stream time in which events come again and again, each with its own id and time; the first copy is no retry.
fn retried_steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (0..180_u64, proptest::collection::vec((0..12_u64, 0..50_u64), 0..5));
    proptest::collection::vec(step, 1..60).prop_map(|steps| {
        let mut stream_ms = NOON;
        let mut first_sent: BTreeMap<u64, u64> = BTreeMap::new();
        let mut sent = Vec::new();
        for (minutes, picks) in steps {
            stream_ms += minutes * MINUTE;
            let mut events = Vec::new();
            for (id, apart) in picks {
                let is_retry = first_sent.contains_key(&id);
                let first_ms = *first_sent.entry(id).or_insert(stream_ms);
                // No client sends what is older than a day; the clock of one may be up to 50 minutes apart.
                if stream_ms - first_ms <= 24 * HOUR {
                    let event_ms = if is_retry { first_ms - apart * MINUTE } else { first_ms };
                    events.push(Event {
                        id_low: id + 1,
                        retry: is_retry,
                        received_ms: stream_ms,
                        ..event(id, event_ms, "pageview")
                    });
                }
            }
            sent.push((stream_ms, events));
        }
        sent
    })
}

/// What a flushed part and a merge leave: rows, some of them without their ids. The state forgets ids past a number.
fn fold_with_store(steps: &[Step], flushes: &[bool], merges: &[bool], ids_max: usize) -> Vec<Folded> {
    let rules = rules();
    let (mut state, mut pending, mut stored) = (State::default(), Vec::<EventRow>::new(), Vec::<EventRow>::new());
    state.ids.max = ids_max;
    let mut all = Vec::new();
    for (index, (stream_ms, batch)) in batches(steps).iter().enumerate() {
        let wanted = old_retries(&state, batch, *stream_ms);
        let has = |row: &&EventRow| wanted.iter().any(|retry| retry.is_copy(row.site_id, row.event_ms, row.event_id));
        let known: KnownIds = pending.iter().chain(&stored).filter(has).map(|row| row.event_id).collect();
        let folded = fold(&mut state, &rules, batch, Arrival { seq: index as u64 + 1, stream_ms: *stream_ms }, &known);
        pending.extend(folded.rows.iter().cloned());
        all.push(folded);
        if flushes[index] {
            stored.append(&mut pending);
            state = State::decode(&state.encode()).unwrap();
            state.ids.max = ids_max;
        }
        if merges[index] {
            let keep_from_ms = (state.stream_ms() - KEEP_IDS_MS) as i64;
            stored.iter_mut().filter(|row| row.received_ms < keep_from_ms).for_each(|row| row.event_id = 0);
        }
    }
    all
}

proptest! {
    #[test]
    fn a_restart_anywhere_changes_no_row(steps in steps(), restarts in proptest::collection::vec(any::<bool>(), 25)) {
        let batches = batches(&steps);
        let whole = fold_all(&mut State::default(), &batches);
        let mut state = State::default();
        let rules = rules();
        for (index, (stream_ms, batch)) in batches.iter().enumerate() {
            if restarts[index] {
                state = State::decode(&state.encode()).unwrap();
            }
            let folded = fold(&mut state, &rules, batch, Arrival { seq: index as u64 + 1, stream_ms: *stream_ms }, &KnownIds::default());
            prop_assert_eq!(&folded, &whole[index]);
        }
        let mut again = State::default();
        fold_all(&mut again, &batches);
        prop_assert_eq!(again.encode(), state.encode());
    }

    #[test]
    fn what_is_left_of_erased_batches_gives_the_rows_that_nothing_covers(
        steps in steps(),
        at in 0..25_usize,
        visitor in 0..4_u64,
        is_whole in any::<bool>(),
    ) {
        let mut batches = batches(&steps);
        let at = at % batches.len();
        let kind = if is_whole {
            ControlKind::DeleteSite(DeleteSite { site_id: 1 })
        } else {
            ControlKind::DeleteVisitor(DeleteVisitor { site_id: 1, visitor_id: visitor })
        };
        batches[at].1.controls = vec![Control { id: vec![1; 16], requested_ms: 1, kind: Some(kind) }];
        let whole = fold_all(&mut State::default(), &batches);
        let erasure = Erasure::of_control(&whole[at].controls[0]).unwrap();
        let found: BTreeMap<Position, RowOf> = whole
            .iter()
            .flat_map(|folded| &folded.rows)
            .map(|row| (row.position, RowOf { visitor_id: row.opening.visitor_id, bot: row.opening.bot > 0 }))
            .collect();
        let mut stream_ms = 0;
        let mut left = batches.clone();
        for (index, (arrived_ms, batch)) in left.iter_mut().enumerate() {
            stream_ms = stream_ms.max(*arrived_ms);
            let arrival = Arrival { seq: index as u64 + 1, stream_ms };
            erase_batch(batch, arrival, std::slice::from_ref(&erasure), |position| found.get(&position).copied());
        }
        let again = fold_all(&mut State::default(), &left);
        prop_assert!(!is_whole || left[..=at].iter().all(|(_, batch)| batch.events.is_empty()));
        for (whole, again) in whole.iter().zip(&again) {
            let kept: Vec<&EventRow> = whole.rows.iter().filter(|row| !erasure.covers(&Subject::from(*row))).collect();
            prop_assert_eq!(&again.rows.iter().collect::<Vec<_>>(), &kept);
            prop_assert_eq!(again.counts.erased, (whole.rows.len() - kept.len()) as u64);
            prop_assert_eq!(Counts { erased: 0, ..again.counts }, whole.counts);
            let mut ledger = again.ledger.clone();
            for entry in &mut ledger {
                entry.tally.erased = 0;
            }
            prop_assert_eq!(&ledger, &whole.ledger);
        }
    }

    #[test]
    fn purging_at_any_time_or_never_changes_no_row(steps in steps(), purges in proptest::collection::vec(any::<bool>(), 25)) {
        let rules = rules();
        let none = KnownIds::default();
        let (mut never, mut often) = (State::default(), State::default());
        for (index, (stream_ms, batch)) in batches(&steps).iter().enumerate() {
            let at = Arrival { seq: index as u64 + 1, stream_ms: *stream_ms };
            if purges[index] {
                often.purge();
            }
            prop_assert_eq!(fold_batch(&mut never, &rules, batch, at, &none), fold(&mut often, &rules, batch, at, &none));
            prop_assert_eq!(never.encode(), often.encode());
        }
    }

    #[test]
    fn redelivered_batches_change_nothing(steps in steps(), redelivered in proptest::collection::vec((0..25_usize, 0..25_usize), 0..10)) {
        let rules = rules();
        let batches = batches(&steps);
        let whole = fold_all(&mut State::default(), &batches);
        let mut state = State::default();
        let mut found = Vec::new();
        // The same positions, as if the redelivered ones stood between them: a position is a number, gaps do not matter.
        for (index, (stream_ms, batch)) in batches.iter().enumerate() {
            let at = Arrival { seq: index as u64 + 1, stream_ms: *stream_ms };
            found.push(fold(&mut state, &rules, batch, at, &KnownIds::default()));
            for (_, earlier) in redelivered.iter().filter(|(after, earlier)| *after == index && *earlier <= index) {
                let before = state.encode();
                let folded = fold(&mut state, &rules, &batches[*earlier].1, at, &KnownIds::default());
                prop_assert_eq!(folded, Folded { duplicate_batch: true, ..Folded::default() });
                prop_assert_eq!(before, state.encode());
            }
        }
        prop_assert_eq!(found, whole);
    }

    #[test]
    fn other_batches_of_the_same_events_give_the_same_visits(steps in steps()) {
        let together = rows(fold_all(&mut State::default(), &batches(&steps)));
        let alone = rows(fold_all(&mut State::default(), &one_by_one(&steps)));
        prop_assert_eq!(structure(&together), structure(&alone));
    }

    #[test]
    fn counts_balance_and_visits_keep_their_rules(steps in steps()) {
        let batches = batches(&steps);
        let folded = fold_all(&mut State::default(), &batches);
        for ((_, batch), folded) in batches.iter().zip(&folded) {
            let counts = folded.counts;
            prop_assert_eq!(batch.events.len() as u64, counts.accepted + counts.deduplicated + counts.orphan_engagement);
            prop_assert_eq!(folded.rows.len() as u64, counts.accepted);
            let mut total = crate::ledger::Tally::default();
            folded.ledger.iter().for_each(|entry| total.add(&entry.tally));
            prop_assert_eq!(total.received(), batch.events.len() as u64);
            prop_assert_eq!(
                (total.accepted, total.deduplicated, total.late, total.bots, total.rejected_total()),
                (counts.accepted, counts.deduplicated, counts.late, counts.bots, counts.orphan_engagement)
            );
        }
        let mut ids: Vec<u128> = Vec::new();
        let mut openings: BTreeMap<u64, EventRow> = BTreeMap::new();
        for row in folded.into_iter().flat_map(|folded| folded.rows) {
            prop_assert!(row.visit_id != 0);
            if row.event_id != 0 && steps.last().unwrap().0 < NOON + 12 * HOUR {
                prop_assert!(!ids.contains(&row.event_id));
                ids.push(row.event_id);
            }
            let opened = openings.entry(row.visit_id).or_insert_with(|| row.clone());
            prop_assert!(Arc::ptr_eq(&opened.opening, &row.opening));
            prop_assert!(opened.name != "engagement");
            prop_assert_eq!(row.visit_id, visits::visit_id(1, opened.opening.visitor_id, opened.position));
        }
    }

    #[test]
    fn old_retries_are_found_wherever_flushes_merges_and_restarts_fall(
        steps in retried_steps(),
        flushes in proptest::collection::vec(any::<bool>(), 60),
        merges in proptest::collection::vec(any::<bool>(), 60),
        ids_max in prop_oneof![Just(usize::MAX), 1..20_usize],
    ) {
        // One store that never flushes or forgets, and one that does as it is told.
        let whole = fold_with_store(&steps, &[false; 60], &[false; 60], ids_max);
        let divided = fold_with_store(&steps, &flushes, &merges, ids_max);
        let remembering = fold_with_store(&steps, &[false; 60], &[false; 60], usize::MAX);
        prop_assert_eq!(&whole, &remembering, "what the state forgets is found in the rows");
        prop_assert_eq!(&divided, &whole);
        let rows = rows(whole);
        let mut ids: Vec<(u128, i64)> = rows.iter().map(|row| (row.event_id, row.event_ms)).collect();
        ids.sort_unstable();
        ids.dedup_by_key(|(id, _)| *id);
        prop_assert_eq!(ids.len(), rows.len(), "every id once");
    }

    #[test]
    fn any_batch_gives_an_answer(
        numbers in proptest::collection::vec(any::<u64>(), 12),
        producer in proptest::collection::vec(any::<u8>(), 0..20),
        texts in proptest::collection::vec(".{0,40}", 12),
        marks in any::<[i32; 2]>(),
        extremes in any::<bool>(),
    ) {
        let number = |index: usize| if extremes { [0, 1, u64::MAX, u64::MAX - 1][(numbers[index] % 4) as usize] } else { numbers[index] };
        let event = Event {
            id_high: number(0),
            id_low: number(1),
            event_ms: number(2),
            received_ms: number(3),
            site_id: number(4) as u32,
            visitor_id: number(5),
            previous_visitor_id: number(6),
            name: texts[0].clone(),
            hostname: texts[1].clone(),
            referrer: format!("https://{}", texts[2]),
            user_agent: texts[3].clone(),
            utm_source: texts[4].clone(),
            utm_medium: texts[5].clone(),
            utm_campaign: texts[6].clone(),
            click_id: texts[7].clone(),
            scroll_depth: Some(number(7) as u32),
            engagement_ms: Some(number(8) as u32),
            bot: marks[0],
            origin: marks[1],
            ..Event::default()
        };
        let batch = EventBatch {
            producer,
            number: number(9),
            oldest_unsent_ms: number(10),
            batcher: texts[8].clone(),
            events: vec![event.clone(), Event { id_low: 1, ..event }],
            controls: vec![Control::default()],
            ..EventBatch::default()
        };
        let mut state = State::default();
        let rules = rules();
        for seq in [number(11), 1, u64::MAX] {
            let folded = fold(&mut state, &rules, &batch, Arrival { seq, stream_ms: number(11) }, &KnownIds::default());
            prop_assert!(folded.rows.iter().all(|row| (0..=EVENT_MS_MAX).contains(&row.event_ms)));
            prop_assert!(crate::columns::events_batch(&folded.rows).is_ok());
            state.watermark(number(0));
        }
        let encoded = state.encode();
        prop_assert_eq!(State::decode(&encoded).unwrap().encode(), encoded);
    }

    #[test]
    fn decoding_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _refused_or_read = State::decode(&bytes);
        let mut versioned = vec![8, 1];
        versioned.extend(bytes);
        let _refused_or_read = State::decode(&versioned);
    }
}
