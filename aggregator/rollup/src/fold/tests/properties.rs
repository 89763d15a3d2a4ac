use super::*;
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
            let folded = fold(&mut state, &rules, batch, Arrival { seq: index as u64 + 1, stream_ms: *stream_ms });
            prop_assert_eq!(&folded, &whole[index]);
        }
        let mut again = State::default();
        fold_all(&mut again, &batches);
        prop_assert_eq!(again.encode(), state.encode());
    }

    #[test]
    fn purging_at_any_time_or_never_changes_no_row(steps in steps(), purges in proptest::collection::vec(any::<bool>(), 25)) {
        let rules = rules();
        let (mut never, mut often) = (State::default(), State::default());
        for (index, (stream_ms, batch)) in batches(&steps).iter().enumerate() {
            let at = Arrival { seq: index as u64 + 1, stream_ms: *stream_ms };
            if purges[index] {
                often.purge();
            }
            prop_assert_eq!(fold_batch(&mut never, &rules, batch, at), fold(&mut often, &rules, batch, at));
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
            found.push(fold(&mut state, &rules, batch, at));
            for (_, earlier) in redelivered.iter().filter(|(after, earlier)| *after == index && *earlier <= index) {
                let before = state.encode();
                let folded = fold(&mut state, &rules, &batches[*earlier].1, at);
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
            let folded = fold(&mut state, &rules, &batch, Arrival { seq, stream_ms: number(11) });
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
