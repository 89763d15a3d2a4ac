//! A damaged file: answers that need it fail with a code of their own, all others go on, and nothing of it is served.

use crate::fixture::{Fixture, KEY, Layout, NOW_MS, Visit, post};
use axum::http::StatusCode;
use serde_json::{Value, json};
use weir_rollup::row::{EventRow, Opening};

const DAY_MS: i64 = 86_400_000;

/// A page view of a visitor of its own, so many days ago.
fn row(seq: u64, days_ago: i64) -> EventRow {
    let visit = Visit::new(seq, Opening { visitor_id: seq, ..Opening::default() });
    visit.event(seq, NOW_MS as i64 - days_ago * DAY_MS - 60_000, "pageview", "/", &[])
}

async fn ask(fixture: &Fixture, range: &str) -> (StatusCode, Value) {
    let query = json!({"site_id": "a.example", "metrics": ["pageviews"], "date_range": range});
    let (status, text) = fixture.send(post(KEY, &query.to_string())).await;
    (status, serde_json::from_str(&text).unwrap())
}

#[tokio::test]
async fn what_needs_a_damaged_file_fails_and_the_rest_goes_on() {
    let layout = Layout { parts: vec![vec![row(1, 20)], vec![row(2, 0)]], tables: vec![], sealed_seq: 2, folded_seq: 2 };
    let fixture = Fixture::new(&layout);
    let name = fixture.partition.borrow().manifest.as_ref().unwrap().parts[0].name.clone();
    let path = fixture.service.store.local_path(&name).unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    for _ in 0..2 {
        let (status, answer) = ask(&fixture, "28d").await;
        assert_eq!((status, answer["code"].as_str()), (StatusCode::SERVICE_UNAVAILABLE, Some("part_damaged")), "{answer}");
        assert!(answer["error"].as_str().unwrap().contains("weir repair"), "{answer}");
        assert!(!path.exists(), "it is set aside");
    }
    let (status, answer) = ask(&fixture, "day").await;
    assert_eq!((status, &answer["results"][0]["metrics"]), (StatusCode::OK, &json!([1])), "{answer}");
    assert_eq!(fixture.service.store.damaged("parts/local-0").await.unwrap(), [name]);
    let metrics = weir_query_api::telemetry::render(&fixture.service);
    assert!(metrics.contains("\nquery_damaged_files 1\n"), "{metrics}");
}
