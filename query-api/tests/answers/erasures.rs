//! What is to be forgotten: hidden from the moment that it is asked for, as if it had never been there, and from nobody else.

use crate::fixture::{ADMIN_KEY, Fixture, KEY, Layout, Visit, at, get, lines, post};
use axum::http::StatusCode;
use bytes::Bytes;
use serde_json::{Value, json};
use std::sync::Arc;
use weir_event::codec;
use weir_event::model::{Control, ControlKind, DeleteVisitor, Event, EventBatch};
use weir_query_api::tail::Live;
use weir_reader::store::Store;
use weir_reader::stream::Delivered;
use weir_rollup::fold::State;
use weir_rollup::manifest::{Erasure, Manifest, Subject};
use weir_rollup::row::{EventRow, Opening};
use weir_rollup::rules::Rules;

/// 30 visits of 5 visitors of two sites, each with some views, a custom event and a ping, spread over parts and the live end so that nearly
/// every visit straddles them.
fn rows() -> Vec<EventRow> {
    let start_ms = at("2026-11-20T22:00:00Z");
    let mut rows = Vec::new();
    for number in 0..30_u64 {
        let opening = Opening {
            visitor_id: number % 5 + 1,
            source: ["", "Google", "Bing"][number as usize % 3].to_owned(),
            ..Opening::default()
        };
        let visit = Visit::new(100 + number, opening).of_site((number % 2) as u32 + 1);
        for step in 0..4_u64 {
            let seq = 1 + (number * 7 + step * 11) % 60;
            let event_ms = start_ms + (number * 20 * 60_000 + step * 60_000) as i64;
            let (name, page) = [("pageview", "/a"), ("Signup", "/a"), ("pageview", "/b"), ("engagement", "/b")][step as usize];
            let row = visit.event(seq, event_ms, name, page, &[]);
            rows.push(EventRow { position: weir_rollup::row::Position { seq, idx: number as u32 }, ..row });
        }
    }
    rows.sort_by_key(|row| row.position);
    rows
}

fn layout(rows: &[EventRow]) -> Layout {
    let between = |from: u64, to: u64| -> Vec<EventRow> {
        rows.iter().filter(|row| (from..to).contains(&row.position.seq)).cloned().collect()
    };
    Layout {
        parts: vec![between(1, 12), between(12, 25), between(25, 41)],
        tables: vec![between(41, 50), between(50, 61)],
        sealed_seq: 40,
        folded_seq: 60,
    }
}

fn manifest(fixture: &Fixture) -> Manifest {
    fixture.partition.borrow().manifest.as_deref().unwrap().clone()
}

fn serve(fixture: &Fixture, change: impl Fn(&mut Manifest)) {
    fixture.partition.send_modify(|view| {
        let view = Arc::make_mut(view);
        let mut manifest = view.manifest.as_deref().unwrap().clone();
        change(&mut manifest);
        view.manifest = Some(Arc::new(manifest));
    });
}

async fn answers(fixture: &Fixture) -> Vec<String> {
    let range = json!(["2026-11-20", "2026-11-21"]);
    let mut all = Vec::new();
    for (metrics, dimensions, filters) in [
        (
            json!(["visitors", "visits", "pageviews", "events", "bounce_rate", "visit_duration", "views_per_visit"]),
            json!([]),
            json!([]),
        ),
        (json!(["visitors", "visits", "pageviews"]), json!(["time:hour"]), json!([])),
        (json!(["visitors", "pageviews", "time_on_page"]), json!(["event:page"]), json!([])),
        (json!(["visitors", "visits", "bounce_rate"]), json!(["visit:source"]), json!([])),
        (json!(["visitors", "visits"]), json!(["visit:exit_page"]), json!([])),
        (json!(["visitors", "visits", "exit_rate"]), json!(["visit:exit_page"]), json!([])),
        (json!(["visitors", "events"]), json!(["event:name"]), json!([["is", "visit:entry_page", ["/a"]]])),
    ] {
        for site in ["a.example", "b.example"] {
            let body =
                json!({"site_id": site, "metrics": metrics, "dimensions": dimensions, "filters": filters, "date_range": range});
            let (status, text) = fixture.send(post(ADMIN_KEY, &body.to_string())).await;
            assert_eq!(status, StatusCode::OK, "{text} to {body}");
            all.push(format!("{site} {dimensions}: {}", lines(&serde_json::from_str::<Value>(&text).unwrap()).join("; ")));
        }
    }
    all
}

#[tokio::test]
async fn what_is_to_be_forgotten_is_as_if_it_had_never_been() {
    let rows = rows();
    let fixture = Fixture::new(&layout(&rows));
    let before = answers(&fixture).await;
    let erasure = |seq: u64, site_id: u32| Erasure { seq, idx: 15, site_id, ..Erasure::new(format!("{seq}"), 1) };
    let noon = Some(at("2026-11-21T03:00:00Z"));
    for (number, erasures) in [
        // In the middle of a part, of the live end, behind everything, between two parts.
        vec![Erasure { visitor_id: Some(2), ..erasure(17, 1) }],
        vec![Erasure { visitor_id: Some(2), ..erasure(45, 1) }],
        vec![erasure(33, 2)],
        vec![erasure(60, 1)],
        vec![erasure(61, 1)],
        vec![erasure(25, 1), Erasure { visitor_id: Some(4), ..erasure(52, 1) }],
        vec![Erasure { before_ms: noon, ..erasure(41, 0) }],
        vec![Erasure { before_ms: noon, ..erasure(41, 2) }, Erasure { visitor_id: Some(1), ..erasure(55, 2) }],
    ]
    .into_iter()
    .enumerate()
    {
        let is_covered = |row: &EventRow| erasures.iter().any(|erasure| erasure.covers(&Subject::from(row)));
        let left: Vec<EventRow> = rows.iter().filter(|row| !is_covered(row)).cloned().collect();
        assert!(left.len() < rows.len(), "{number}");
        let expected = answers(&Fixture::new(&layout(&left))).await;
        let (listed, asked): (Vec<_>, Vec<_>) = erasures.iter().cloned().partition(|erasure| erasure.seq <= 41);
        fixture.partition.send_modify(|view| Arc::make_mut(view).asked.clone_from(&asked));
        serve(&fixture, |manifest| manifest.erasures.clone_from(&listed));
        let found = answers(&fixture).await;
        assert_eq!(found, expected, "{number}: {erasures:?}");
        assert_ne!(found, before);
        for site in [1, 2] {
            let is_concerned = erasures.iter().any(|erasure| erasure.is_of_site(site));
            let of_site = |all: &[String]| all.iter().skip(site as usize - 1).step_by(2).cloned().collect::<Vec<_>>();
            assert_eq!(of_site(&found) == of_site(&before), !is_concerned, "{number}: site {site}");
        }
    }
    // Once the parts were written anew nothing is hidden any more; here they were not.
    serve(&fixture, |manifest| manifest.erasures.iter_mut().for_each(|erasure| erasure.parts_done = true));
    fixture.partition.send_modify(|view| Arc::make_mut(view).asked.clear());
    assert_eq!(answers(&fixture).await, before);
}

#[tokio::test]
async fn the_live_end_hears_of_it_before_it_is_sealed() {
    let fixture = Fixture::new(&Layout::sealed(&rows()));
    let store = Store::local(&fixture.folder().join("files")).unwrap();
    let mut live = Live::new(Arc::clone(&fixture.engine), Rules::built_in().unwrap(), store, None, State::default());
    let event = |visitor_id| Event { site_id: 1, visitor_id, name: "pageview".to_owned(), ..Event::default() };
    let kind = ControlKind::DeleteVisitor(DeleteVisitor { site_id: 1, visitor_id: 9 });
    let control = Control { id: vec![7; 16], requested_ms: 3, kind: Some(kind) };
    let batch = EventBatch { number: 1, events: vec![event(9), event(8)], controls: vec![control], ..EventBatch::default() };
    let payload = Bytes::from(codec::encode(&batch));
    live.absorb(&[Delivered { seq: 5, stream_ms: 1, message_id: String::new(), schema: 1, payload }]).unwrap();
    let expected = Erasure { seq: 5, idx: 2, site_id: 1, visitor_id: Some(9), ..Erasure::new("07".repeat(16), 3) };
    assert_eq!(live.asked(), [expected]);
    assert_eq!(live.imbalance().unwrap(), None);
    let mut sealed = manifest(&fixture);
    sealed.sealed_seq = 5;
    live.release(Some(Arc::new(sealed)));
    assert!(live.asked().is_empty());
}

#[tokio::test]
async fn the_ledger_tells_what_was_erased_and_balances() {
    let fixture = Fixture::new(&Layout::sealed(&rows()));
    let ledger = |of: Value| (of["balance"].clone(), of["totals"]["erased"].clone());
    let ask = async || {
        let (_, text) = fixture.send(get("/api/ledger?site_id=a.example&from=2026-11-20&to=2026-11-22", Some(KEY))).await;
        ledger(serde_json::from_str(&text).unwrap())
    };
    let (balance, erased) = ask().await;
    assert_eq!((&balance["is_balanced"], &erased), (&json!(true), &Value::Null));
    let accepted = balance["accepted"].as_u64().unwrap();
    // A part as it is after rows were erased.
    let name = manifest(&fixture).parts[0].name.clone();
    let path = fixture.folder().join("files").join(&name);
    let other = path.with_file_name("other.duckdb");
    std::fs::copy(&path, &other).unwrap();
    let connection = duckdb::Connection::open(&other).unwrap();
    connection
        .execute_batch(
            "INSERT INTO ledger SELECT seq, site_id, received_ms // 3600000 * 3600000, 'erased', 1 FROM events WHERE site_id = 1 AND visitor_id = 1;
             DELETE FROM events WHERE site_id = 1 AND visitor_id = 1; CHECKPOINT;",
        )
        .unwrap();
    connection.close().map_err(|(_, error)| error).unwrap();
    serve(&fixture, |manifest| {
        let part = &mut manifest.parts[0];
        (part.name, part.file_checksum) = ("parts/local-0/other.duckdb".to_owned(), None);
    });
    let (balance, erased) = ask().await;
    let expected = json!({"accepted": accepted, "erased": 12, "in_files": accepted - 12, "in_stream": 0, "is_balanced": true, "sealed_seq": 60, "folded_seq": 60});
    assert_eq!((balance, erased), (expected, json!(12)));
}
