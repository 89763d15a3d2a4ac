mod properties;

use super::*;
use weir_event::model::{BotMark, DeleteSite, DeleteVisitor, Refused};

/// 2025-01-15T12:00:00Z.
const NOON: u64 = 1_736_942_400_000;
const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;

const CHROME: &str =
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36";

fn rules() -> Arc<Rules> {
    Rules::built_in().unwrap()
}

fn event(visitor_id: u64, event_ms: u64, name: &str) -> Event {
    Event {
        event_ms,
        received_ms: event_ms,
        site_id: 1,
        visitor_id,
        name: name.to_owned(),
        hostname: "shop.example".to_owned(),
        pathname: "/".to_owned(),
        user_agent: CHROME.to_owned(),
        ..Event::default()
    }
}

fn batch(number: u64, events: Vec<Event>) -> EventBatch {
    EventBatch { producer: vec![7; 16], number, batcher: "local/0/0".to_owned(), events, ..EventBatch::default() }
}

/// Folds batches at (sequence 1, 2, 3 …; the given stream times).
fn fold_all(state: &mut State, batches: &[(u64, EventBatch)]) -> Vec<Folded> {
    let rules = rules();
    (1..)
        .zip(batches)
        .map(|(seq, (stream_ms, batch))| fold(state, &rules, batch, Arrival { seq, stream_ms: *stream_ms }, &KnownIds::default()))
        .collect()
}

fn rows(folded: Vec<Folded>) -> Vec<EventRow> {
    folded.into_iter().flat_map(|folded| folded.rows).collect()
}

/// Groups rows into visits by their order of opening: 0, 0, 1 …
fn visit_numbers(rows: &[EventRow]) -> Vec<usize> {
    let mut seen = Vec::new();
    let number = |id: u64| {
        seen.iter().position(|known| *known == id).unwrap_or_else(|| {
            seen.push(id);
            seen.len() - 1
        })
    };
    rows.iter().map(|row| row.visit_id).map(number).collect()
}

/// Folds events one a batch, all at one stream time, and tells which visit each came to.
fn visits_of(events: Vec<Event>) -> Vec<usize> {
    let batches: Vec<_> = (1..).zip(events).map(|(number, event)| (NOON, batch(number, vec![event]))).collect();
    visit_numbers(&rows(fold_all(&mut State::default(), &batches)))
}

#[test]
fn a_hand_checked_sequence_gives_these_rows() {
    let mut landing = event(5, NOON, "pageview");
    landing.id_low = 1;
    landing.referrer = "https://www.google.com/search?q=x".to_owned();
    landing.country = "DE".to_owned();
    let mut second = event(5, NOON + MINUTE, "pageview");
    second.id_low = 2;
    second.pathname = "/b".to_owned();
    second.referrer = "https://shop.example/".to_owned();
    let mut ping = event(5, NOON + 2 * MINUTE, "engagement");
    ping.id_low = 3;
    ping.engagement_ms = Some(4000);
    ping.scroll_depth = Some(250);
    let mut orphan = ping.clone();
    (orphan.visitor_id, orphan.id_low) = (6, 4);
    let mut again = second.clone();
    again.retry = true;
    let first = batch(1, vec![landing, second]);
    let batches = [(NOON, first.clone()), (NOON + 1, first), (NOON + 2 * MINUTE, batch(3, vec![again, ping, orphan]))];
    let folded = fold_all(&mut State::default(), &batches);

    assert_eq!(folded[0].counts, Counts { accepted: 2, ..Counts::default() });
    assert!(folded[1].duplicate_batch && folded[1].rows.is_empty());
    assert_eq!(folded[2].jump, Some(Jump { expected: 2, found: 3 }));
    assert_eq!(folded[2].counts, Counts { accepted: 1, deduplicated: 1, orphan_engagement: 1, late: 0, bots: 0, erased: 0 });
    let brief = |row: &EventRow| {
        format!(
            "{}.{} {:+} {} {} visit={:016x} interactive={} depth={:?}",
            row.position.seq,
            row.position.idx,
            row.event_ms - NOON as i64,
            row.name,
            row.pathname,
            row.visit_id,
            row.interactive,
            row.scroll_depth
        )
    };
    let rows = rows(folded);
    assert_eq!(
        rows.iter().map(brief).collect::<Vec<_>>(),
        [
            "1.0 +0 pageview / visit=d0b975affbb1c0e0 interactive=true depth=None",
            "1.1 +60000 pageview /b visit=d0b975affbb1c0e0 interactive=true depth=None",
            "3.1 +120000 engagement / visit=d0b975affbb1c0e0 interactive=false depth=Some(100)",
        ]
    );
    let opening = crate::row::Opening {
        visitor_id: 5,
        source: "Google".to_owned(),
        referrer: "google.com/search".to_owned(),
        channel: "Organic Search".to_owned(),
        country: "DE".to_owned(),
        device: "Desktop".to_owned(),
        browser: "Chrome".to_owned(),
        browser_version: "131.0".to_owned(),
        os: "Windows".to_owned(),
        os_version: "10".to_owned(),
        ..crate::row::Opening::default()
    };
    assert!(rows.iter().all(|row| *row.opening == opening));
}

#[test]
fn a_visit_ends_after_thirty_idle_minutes_to_the_millisecond() {
    let at = |after: u64| event(5, NOON + after, "pageview");
    assert_eq!(visits_of(vec![at(0), at(30 * MINUTE)]), [0, 0]);
    assert_eq!(visits_of(vec![at(0), at(30 * MINUTE + 1)]), [0, 1]);
    assert_eq!(visits_of(vec![at(HOUR), at(30 * MINUTE)]), [0, 0]);
    assert_eq!(visits_of(vec![at(HOUR), at(30 * MINUTE - 1)]), [0, 1]);
    // An early event extends the visit to the past.
    assert_eq!(visits_of(vec![at(HOUR), at(35 * MINUTE), at(10 * MINUTE)]), [0, 0, 0]);
}

#[test]
fn between_two_visits_the_earlier_opened_takes_the_event() {
    let at = |after: u64| event(5, NOON + after, "pageview");
    assert_eq!(visits_of(vec![at(HOUR), at(0), at(30 * MINUTE)]), [0, 1, 0]);
    assert_eq!(visits_of(vec![at(0), at(HOUR), at(30 * MINUTE)]), [0, 1, 0]);
}

#[test]
fn engagement_refreshes_a_visit_and_never_opens_one() {
    let view = |after: u64| event(5, NOON + after, "pageview");
    let ping = |after: u64| event(5, NOON + after, "engagement");
    assert_eq!(visits_of(vec![view(0), ping(25 * MINUTE), view(50 * MINUTE)]), [0, 0, 0]);
    assert_eq!(visits_of(vec![view(0), view(50 * MINUTE)]), [0, 1]);
    assert_eq!(visits_of(vec![ping(0), view(0)]), [0]);
    assert_eq!(visits_of(vec![view(0), ping(31 * MINUTE)]), [0]);
}

#[test]
fn a_visit_crosses_midnight_by_the_previous_days_id() {
    let at = |visitor: u64, previous: u64, after: u64| Event {
        previous_visitor_id: previous,
        ..event(visitor, NOON + 12 * HOUR + after, "pageview")
    };
    let before = event(5, NOON + 12 * HOUR - 1, "pageview");
    assert_eq!(visits_of(vec![before.clone(), at(6, 5, 1), at(6, 5, 29 * MINUTE)]), [0, 0, 0]);
    // The previous id is unknown: another visit.
    assert_eq!(visits_of(vec![before.clone(), at(6, 0, 1)]), [0, 1]);
    // A visit opened under the new id first: then the earlier opened of both decides.
    assert_eq!(visits_of(vec![at(6, 5, 20 * MINUTE), before.clone(), at(6, 5, 5 * MINUTE)]), [0, 1, 0]);
    assert_eq!(visits_of(vec![before.clone(), at(6, 0, 20 * MINUTE), at(6, 5, 5 * MINUTE)]), [0, 1, 0]);
    let crossing = rows(fold_all(&mut State::default(), &[(NOON, batch(1, vec![before, at(6, 5, 1)]))]));
    assert!(crossing.iter().all(|row| row.opening.visitor_id == 5), "the id that opened the visit is counted");
}

#[test]
fn sites_and_visitors_do_not_mix() {
    let mut other_site = event(5, NOON, "pageview");
    other_site.site_id = 2;
    assert_eq!(visits_of(vec![event(5, NOON, "pageview"), event(6, NOON, "pageview"), other_site]), [0, 1, 2]);
}

#[test]
fn a_visit_untouched_for_two_hours_of_stream_time_is_absent() {
    let late = |stream_ms: u64| {
        let batches =
            [(NOON, batch(1, vec![event(5, NOON, "pageview")])), (stream_ms, batch(2, vec![event(5, NOON, "pageview")]))];
        visit_numbers(&rows(fold_all(&mut State::default(), &batches)))
    };
    assert_eq!(late(NOON + 2 * HOUR - 1), [0, 0]);
    assert_eq!(late(NOON + 2 * HOUR), [0, 1]);
    // Stream time never goes back.
    assert_eq!(late(0), [0, 0]);
}

#[test]
fn the_opening_bot_mark_holds_for_the_visit() {
    let mut state = State::default();
    let mut first = event(5, NOON, "pageview");
    first.bot = BotMark::Headless as i32;
    let mut crawler = event(6, NOON, "pageview");
    crawler.bot = BotMark::Declared as i32;
    crawler.user_agent = "curl/8.5.0".to_owned();
    let mut unknown = event(7, NOON, "pageview");
    unknown.bot = 99;
    let events = vec![first, event(5, NOON, "pageview"), crawler, unknown, event(8, NOON, "pageview")];
    let folded = fold_all(&mut state, &[(NOON, batch(1, events))]);
    assert_eq!(folded[0].counts.bots, 4);
    assert_eq!(folded[0].rows.iter().map(|row| row.opening.bot).collect::<Vec<_>>(), [2, 2, 3, 1, 0]);
}

#[test]
fn the_ledger_counts_by_site_and_hour_of_receipt() {
    let of = |site_id: u32, received_ms: u64, event: Event| Event { site_id, received_ms, ..event };
    let mut bot = event(6, NOON, "pageview");
    bot.bot = BotMark::Headless as i32;
    let mut twice = event(7, NOON, "pageview");
    twice.id_low = 9;
    let events = vec![
        of(1, NOON, event(5, NOON - HOUR, "pageview")),
        of(2, NOON, event(5, NOON, "pageview")),
        of(1, NOON + 2, bot),
        of(1, NOON - 1, event(5, NOON - 2 * HOUR, "pageview")),
        of(1, NOON + 3, twice.clone()),
        of(1, NOON + 4, twice),
        of(1, NOON + 5, event(8, NOON, "engagement")),
    ];
    let refused =
        |site_id: u32, hour_ms: u64, reason: &str, count: u64| Refused { site_id, hour_ms, reason: reason.to_owned(), count };
    let batch = EventBatch {
        refused: vec![
            refused(1, NOON, "url", 3),
            refused(0, NOON, "not_found", 1),
            refused(1, NOON + 5, "url", 1),
            refused(3, NOON, "id", 0),
        ],
        ..batch(1, events)
    };
    let folded = fold_all(&mut State::default(), &[(NOON + 5, batch.clone()), (NOON + 6, batch)]);
    let told: Vec<String> = folded[0]
        .ledger
        .iter()
        .map(|entry| {
            let tally = &entry.tally;
            let hours = (entry.hour_ms - NOON as i64) / HOUR as i64;
            let (accepted, deduplicated) = (tally.accepted, tally.deduplicated);
            format!(
                "{} {hours:+} {accepted} {deduplicated} late={} bots={} {:?}",
                entry.site_id, tally.late, tally.bots, tally.rejected
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            r#"0 +0 0 0 late=0 bots=0 {"not_found": 1}"#,
            "1 -1 1 0 late=1 bots=0 {}",
            r#"1 +0 3 1 late=1 bots=1 {"no_session_for_engagement": 1, "url": 4}"#,
            "2 +0 1 0 late=0 bots=0 {}",
        ]
    );
    assert!(folded[1].duplicate_batch && folded[1].ledger.is_empty(), "a batch counts once");
}

#[test]
fn an_old_retry_is_dropped_when_a_stored_row_is_its_copy() {
    let copy = |age_ms: u64, retry: bool| Event { id_low: 9, retry, ..event(5, NOON - age_ms, "pageview") };
    let check = |event: Event, asked: bool, accepted: u64| {
        let mut state = State::default();
        let batch = batch(1, vec![event.clone(), event]);
        let wanted = old_retries(&state, &batch, NOON);
        assert_eq!(wanted.len(), if asked { 2 } else { 0 }, "{:?}", batch.events[0]);
        let known = KnownIds::from([9]);
        let folded = fold(&mut state, &rules(), &batch, Arrival { seq: 1, stream_ms: NOON }, &known);
        assert_eq!((folded.counts.accepted, folded.counts.deduplicated), (accepted, 2 - accepted));
    };
    check(copy(3 * HOUR, true), true, 0);
    check(copy(HOUR, true), true, 0);
    check(copy(25 * HOUR, true), true, 0);
    // Too young to be forgotten, too old to be sent, no retry: the ids of the state alone decide.
    check(copy(HOUR - 1, true), false, 1);
    check(copy(25 * HOUR + 1, true), false, 1);
    check(copy(3 * HOUR, false), false, 1);
    check(Event { id_low: 0, ..copy(3 * HOUR, true) }, false, 2);
    // Without a stored copy the first is taken, and its id is known from then on.
    let mut state = State::default();
    let first = batch(1, vec![copy(3 * HOUR, true), copy(3 * HOUR, true)]);
    assert_eq!(fold_all(&mut state, &[(NOON, first.clone())])[0].counts.accepted, 1);
    assert!(old_retries(&state, &first, NOON).is_empty(), "a duplicate batch");
    assert!(old_retries(&state, &batch(2, vec![copy(3 * HOUR, true)]), NOON + HOUR).is_empty(), "known");
    assert_eq!(old_retries(&state, &batch(2, vec![copy(3 * HOUR, true)]), NOON + 3 * HOUR).len(), 1, "forgotten");
}

#[test]
fn a_deleted_sites_visits_end_and_the_record_comes_once() {
    let delete = Control { id: vec![1; 16], requested_ms: NOON, kind: Some(ControlKind::DeleteSite(DeleteSite { site_id: 1 })) };
    let with = |number: u64| EventBatch { controls: vec![delete.clone()], ..batch(number, vec![event(5, NOON, "pageview")]) };
    let folded = fold_all(&mut State::default(), &[(NOON, with(1)), (NOON, with(2)), (NOON, with(3))]);
    let controls: Vec<_> = folded.iter().flat_map(|folded| &folded.controls).map(|row| row.position).collect();
    assert_eq!(controls, [Position { seq: 1, idx: 1 }]);
    assert_eq!(visit_numbers(&rows(folded)), [0, 1, 1]);
}

#[test]
fn a_deleted_visitors_visits_end_and_nobody_elses() {
    let kind = ControlKind::DeleteVisitor(DeleteVisitor { site_id: 1, visitor_id: 5 });
    let delete = Control { id: vec![1; 16], requested_ms: NOON, kind: Some(kind) };
    let events = || vec![event(5, NOON, "pageview"), event(6, NOON, "pageview")];
    let with = EventBatch { controls: vec![delete], ..batch(1, events()) };
    let mut state = State::default();
    let folded = fold_all(&mut state, &[(NOON, with), (NOON, batch(2, events()))]);
    assert_eq!(visit_numbers(&rows(folded)), [0, 1, 2, 1]);
    let erasure = |site_id, before_ms| Erasure { site_id, before_ms, ..Erasure::new("e".to_owned(), 1) };
    assert!(!state.erase(&erasure(2, None)) && !state.erase(&erasure(0, Some(NOON as i64))));
    assert!(state.erase(&Erasure { visitor_id: Some(5), ..erasure(1, None) }));
    assert_eq!(state.live_visits(), 1);
    assert!(state.erase(&erasure(0, Some(NOON as i64 + 1))));
    assert_eq!(state.live_visits(), 0);
}

#[test]
fn the_watermark_follows_the_batchers() {
    let mut state = State::default();
    let holding = EventBatch { oldest_unsent_ms: NOON - 5000, ..batch(1, vec![]) };
    fold_all(&mut state, &[(NOON, holding)]);
    assert_eq!(state.watermark(NOON + 10), NOON - 5000);
    let decoded = State::decode(&state.encode()).unwrap();
    assert_eq!(decoded.watermark(NOON + 10), NOON - 5000);
    assert_eq!(state.watermark(NOON + 5 * MINUTE), NOON + 5 * MINUTE);
    fold_all(&mut state, &[(NOON + 1, batch(2, vec![]))]);
    assert_eq!(state.watermark(NOON + 10), NOON + 10);
}

#[test]
fn the_encoded_state_is_pinned() {
    let mut state = State::default();
    let mut opening = event(5, 1000, "pageview");
    opening.id_low = 9;
    fold_all(&mut state, &[(2000, EventBatch { oldest_unsent_ms: 7, ..batch(1, vec![opening]) })]);
    let hex = hex::encode(state.encode());
    assert_eq!(
        hex,
        "080110d00f1a17090707070707070707110707070707070707180120d00f22121210000000000000000009000000000000002a002a0231302a053133312e302a06\
         4368726f6d652a074465736b746f702a064469726563742a0757696e646f777332280801110500000000000000180128d00f30d00f38d00f4a1000000500000000\
         0000000004030206013a100a096c6f63616c2f302f30100718d00f"
    );
}

#[test]
fn damaged_states_are_refused() {
    use prost::Message;
    assert!(matches!(State::decode(b"\xff\xff"), Err(StateError::Malformed(_))));
    assert_eq!(State::decode(b"").unwrap_err(), StateError::Version { found: 0, expected: STATE_VERSION });
    let newer = EventBatch { number: 0, ..EventBatch::default() };
    assert!(State::decode(&newer.encode_to_vec()).is_err());
    // Field 1 = version 1, then a visit that names text 0 of none, then an odd number of id halves.
    assert_eq!(State::decode(&[8, 1, 50, 0]).unwrap_err(), StateError::Damaged { field: "texts" });
    assert_eq!(State::decode(&[8, 1, 34, 10, 18, 8, 0, 0, 0, 0, 0, 0, 0, 0]).unwrap_err(), StateError::Damaged { field: "ids" });
}
