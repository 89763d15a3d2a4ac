//! The ledger: exact over files and live end, for whom it is meant, and what it says when counts and rows differ.

use crate::fixture::{ADMIN_KEY, Fixture, KEY, Layout, NOW_MS, Visit, at, get};
use axum::http::StatusCode;
use bytes::Bytes;
use serde_json::{Value, json};
use std::sync::Arc;
use weir_event::codec;
use weir_event::model::{Event, EventBatch};
use weir_query_api::tail::{Live, TailLedger};
use weir_reader::store::Store;
use weir_reader::stream::Delivered;
use weir_rollup::fold::State;
use weir_rollup::ledger::{Entry, Tally};
use weir_rollup::row::{EventRow, Opening, Position};
use weir_rollup::rules::Rules;

fn row(seq: u64, time: &str) -> EventRow {
    Visit::new(seq, Opening::default()).event(seq, at(&format!("2026-11-21T{time}Z")), "pageview", "/", &[])
}

fn bot(seq: u64, time: &str) -> EventRow {
    Visit::new(seq, Opening { bot: 2, ..Opening::default() }).event(seq, at(&format!("2026-11-21T{time}Z")), "pageview", "/", &[])
}

/// Sequences 1 to 4 are sealed, 5 is the live end, 6 came after the snapshot. The tables hold sealed rows too, as they do for a while.
fn fixture() -> Fixture {
    let of_other = Visit::new(4, Opening::default()).of_site(2).event(4, at("2026-11-21T10:00:00Z"), "pageview", "/", &[]);
    Fixture::new(&Layout {
        parts: vec![vec![row(1, "10:05:00"), row(2, "09:59:59.999")], vec![bot(3, "10:10:00"), of_other]],
        tables: vec![vec![bot(3, "10:10:00"), row(5, "10:00:00"), row(6, "10:20:00")]],
        sealed_seq: 4,
        folded_seq: 5,
    })
}

async fn ask(fixture: &Fixture, key: &str, parameters: &str) -> (StatusCode, Value) {
    let (status, text) = fixture.send(get(&format!("/api/ledger{parameters}"), Some(key))).await;
    (status, serde_json::from_str(&text).unwrap_or_else(|_| panic!("not JSON: {text}")))
}

/// Adds an entry of sequence 5 to the live end's ledger.
fn add_to_tail(fixture: &Fixture, site_id: u32, tally: Tally) {
    let ledger = TailLedger::default();
    ledger.append(vec![(5, Entry { site_id, hour_ms: at("2026-11-21T08:00:00Z"), tally })]);
    fixture.partition.send_modify(|view| Arc::make_mut(view).ledgers.push(Arc::new(ledger)));
}

fn rejected(reason: &str, count: u64) -> Tally {
    let mut tally = Tally::default();
    tally.refuse(reason, count);
    tally
}

#[tokio::test]
async fn the_ledger_of_a_site_is_that_of_files_and_live_end() {
    let fixture = fixture();
    add_to_tail(&fixture, 1, Tally { deduplicated: 1, ..rejected("url", 3) });
    let figures = |received: u64, accepted: u64, bots: u64| json!({"received": received, "accepted": accepted, "rejected": {}, "deduplicated": 0, "late": 0, "bots": bots});
    let with = |hour: &str, figures: Value| {
        let mut entry = json!({ "hour": hour });
        entry.as_object_mut().unwrap().extend(figures.as_object().unwrap().clone());
        entry
    };
    let refused = json!({"received": 4, "accepted": 0, "rejected": {"url": 3}, "deduplicated": 1, "late": 0, "bots": 0});
    let expected = json!({
        "site_id": "a.example",
        "from": "2026-11-20T10:00:00Z",
        "to": "2026-11-21T11:00:00Z",
        "hours": [
            with("2026-11-21T08:00:00Z", refused),
            with("2026-11-21T09:00:00Z", figures(1, 1, 0)),
            with("2026-11-21T10:00:00Z", figures(3, 3, 1)),
        ],
        "totals": {"received": 8, "accepted": 4, "rejected": {"url": 3}, "deduplicated": 1, "late": 0, "bots": 1},
        "balance": {"accepted": 4, "in_files": 3, "in_stream": 1, "is_balanced": true, "sealed_seq": 4, "folded_seq": 5},
        "meta": {"watermark": "2026-11-21T10:20:30.206Z", "revision": 42, "regions": ["local"], "identity_window": "day"},
    });
    assert_eq!(ask(&fixture, KEY, "?site_id=a.example").await, (StatusCode::OK, expected.clone()));
    assert_eq!(ask(&fixture, ADMIN_KEY, "?site_id=www.A.example").await.1["hours"], expected["hours"]);
    let (_, hour) = ask(&fixture, KEY, "?site_id=a.example&from=2026-11-21T09:10:00Z&to=2026-11-21T10:00:00Z").await;
    assert_eq!(hour["hours"], json!([expected["hours"][1]]));
    assert_eq!(hour["balance"]["in_files"], 1);
    let (_, none) = ask(&fixture, KEY, "?site_id=a.example&from=2026-11-19&to=2026-11-20").await;
    assert_eq!((&none["hours"], &none["balance"]["is_balanced"]), (&json!([]), &json!(true)));
    // As files of before the ledger.
    fixture.partition.send_modify(|view| {
        let view = Arc::make_mut(view);
        let mut manifest = view.manifest.as_deref().unwrap().clone();
        for part in &mut manifest.parts {
            (part.format, part.ledger) = (1, None);
        }
        view.manifest = Some(Arc::new(manifest));
    });
    assert_eq!(ask(&fixture, KEY, "?site_id=a.example").await, (StatusCode::OK, expected));
}

#[tokio::test]
async fn admins_see_all_sites_and_unknown_ones() {
    let fixture = fixture();
    add_to_tail(&fixture, 0, rejected("not_found", 2));
    let (_, all) = ask(&fixture, ADMIN_KEY, "").await;
    assert_eq!(all["site_id"], Value::Null);
    assert_eq!(
        all["totals"],
        json!({"received": 7, "accepted": 5, "rejected": {"not_found": 2}, "deduplicated": 0, "late": 0, "bots": 1})
    );
    assert_eq!((&all["balance"]["in_files"], &all["balance"]["in_stream"]), (&json!(4), &json!(1)));
    let (_, unknown) = ask(&fixture, ADMIN_KEY, "?site_id=(unknown)").await;
    assert_eq!(unknown["totals"]["rejected"], json!({"not_found": 2}));
    assert_eq!((&unknown["totals"]["received"], &unknown["hours"].as_array().unwrap().len()), (&json!(2), &1));
    let wrong_key =
        "Invalid API key or site ID. Please make sure you're using a valid API key with access to the site you've requested.";
    for (key, parameters, status, code, error) in [
        (KEY, "?site_id=b.example", 401, "invalid_api_key", wrong_key),
        (KEY, "?site_id=(unknown)", 401, "invalid_api_key", wrong_key),
        (KEY, "?site_id=nobody.example", 401, "invalid_api_key", wrong_key),
        (KEY, "", 400, "missing_site_id", "Missing site ID. Please provide the required site_id parameter with your request."),
        ("nobody", "", 401, "invalid_api_key", wrong_key),
        (KEY, "?site_id=a.example&site_id=b.example", 400, "invalid_query_string", "The query string is not valid."),
        (
            KEY,
            "?site_id=a.example&from=now",
            400,
            "invalid_instant",
            "Invalid from. It must be a date such as 2026-11-21 or an RFC 3339 time.",
        ),
        (KEY, "?site_id=a.example&from=2026-10-01", 400, "period_too_long", "Invalid period. It may be 31 days long at most."),
        (ADMIN_KEY, "?site_id=away.example", 503, "unavailable", "The query cannot be answered at the moment. Please try again."),
    ] {
        let (found, body) = ask(&fixture, key, parameters).await;
        assert_eq!((found.as_u16(), body), (status, json!({"error": error, "code": code})), "{parameters}");
    }
}

#[tokio::test]
async fn counts_without_rows_are_told() {
    let fixture = fixture();
    add_to_tail(&fixture, 1, Tally { accepted: 1, ..Tally::default() });
    let (_, answer) = ask(&fixture, KEY, "?site_id=a.example").await;
    let expected = json!({"accepted": 5, "in_files": 3, "in_stream": 1, "is_balanced": false, "sealed_seq": 4, "folded_seq": 5});
    assert_eq!(answer["balance"], expected);
    fixture.partition.send_modify(|view| Arc::make_mut(view).ledger_alarm = Some("ledger_mismatch: 1 and 2".to_owned()));
    let (_, status) = fixture.send(get("/api/status", Some(ADMIN_KEY))).await;
    assert!(status.contains(r#""alarms":["ledger_mismatch: 1 and 2"]"#), "{status}");
    let (_, metrics) = fixture.send(get("/metrics", None)).await;
    assert!(metrics.contains("query_ledger_alarm{region=\"local\",partition=\"0\"} 1"), "{metrics}");
    assert!(metrics.contains("query_accepted_events{region=\"local\",partition=\"0\"} 6"), "{metrics}");
}

#[tokio::test]
async fn a_live_end_with_other_rows_than_it_counted_is_noticed() {
    let fixture = fixture();
    let store = Store::local(&fixture.folder().join("files")).unwrap();
    let mut live = Live::new(Arc::clone(&fixture.engine), Rules::built_in().unwrap(), store, None, State::default());
    let event = Event { received_ms: NOW_MS, event_ms: NOW_MS, site_id: 1, name: "pageview".to_owned(), ..Event::default() };
    let batch = EventBatch { number: 1, events: vec![event.clone(), event], ..EventBatch::default() };
    let payload = Bytes::from(codec::encode(&batch));
    live.absorb(&[Delivered { seq: 1, stream_ms: NOW_MS, message_id: String::new(), schema: 1, payload }]).unwrap();
    assert_eq!(live.imbalance().unwrap(), None);
    live.tables()[0].append(&[EventRow { position: Position { seq: 1, idx: 9 }, ..row(1, "10:00:00") }]).unwrap();
    let text = "ledger_mismatch: behind message 0 there are 3 rows, the ledger has 2 accepted events";
    assert_eq!(live.imbalance().unwrap().as_deref(), Some(text));
}
