//! How a site is set up, as the dashboard is told: snippet, switches, shields, and whether events arrive. Changes need NATS: see `live`.

use crate::fixture::{ADMIN_KEY, Fixture, KEY, Layout, NOW_MS, Visit, get};
use axum::http::StatusCode;
use serde_json::{Value, json};
use weir_rollup::row::{EventRow, Opening};

fn rows() -> Vec<EventRow> {
    let visit = |id: u64, bot: u8| Visit::new(id, Opening { visitor_id: id, bot, ..Opening::default() });
    let ago = |seconds: i64| NOW_MS as i64 - seconds * 1_000;
    vec![
        visit(1, 0).event(1, ago(400), "pageview", "/", &[]),
        visit(1, 0).event(2, ago(390), "engagement", "/", &[]),
        visit(2, 1).event(3, ago(5), "pageview", "/", &[]),
    ]
}

async fn settings(fixture: &Fixture, key: &str, site: &str) -> Value {
    let (status, text) = fixture.send(get(&format!("/api/sites/{site}/settings"), Some(key))).await;
    assert_eq!(status, StatusCode::OK, "{text}");
    serde_json::from_str(&text).unwrap()
}

#[tokio::test]
async fn everything_that_the_page_shows() {
    let mut rows = rows();
    let late = rows.split_off(2);
    let fixture = Fixture::new(&Layout { parts: vec![rows], tables: vec![late], sealed_seq: 2, folded_seq: 3 });
    let shown = settings(&fixture, ADMIN_KEY, "a.example").await;
    assert_eq!(
        (&shown["domain"], &shown["timezone"], &shown["former_domain"]),
        (&json!("a.example"), &json!("UTC"), &Value::Null)
    );
    assert_eq!(shown["events"], json!({"total": 3, "last": "2026-11-21T10:20:25.456Z"}), "bots and pings are events that arrive");
    assert_eq!(shown["script"]["outbound_links"], true);
    assert_eq!(shown["shields"], json!({"addresses": [], "countries": [], "pages": [], "hostnames": []}));
    assert_eq!(shown["may"], json!(["read_figures", "keep_segments", "read_site", "change_site"]));
    let snippet = shown["snippet"].as_str().unwrap();
    assert!(snippet.contains("src=\"https://edge.example/js/pa-") && snippet.contains("plausible.init()"), "{snippet}");
    assert!(shown["classic_snippet"].as_str().unwrap().contains("data-domain=\"a.example\""));
    let nothing = settings(&fixture, "weir_two", "b.example").await;
    assert_eq!(nothing["events"], json!({"total": 0, "last": null}), "other sites' events are not its own");
    // Who only reads does not learn whose addresses are left out.
    let read = settings(&fixture, KEY, "a.example").await;
    assert_eq!((&read["shields"], &read["may"]), (&Value::Null, &json!(["read_figures", "keep_segments", "read_site"])));
}

#[tokio::test]
async fn annotations_are_shown_to_whom_they_are_for() {
    let annotation =
        |id: u64, at: &str, kind: &str, owner: &str| json!({"id": id, "at": at, "note": "n", "type": kind, "owner": owner});
    let fixture = Fixture::with(
        &Layout::sealed(&[]),
        &json!({"annotations": [
            annotation(1, "2026-11-20", "site", "somebody"),
            annotation(2, "2026-11-21T08:00", "personal", KEY),
            annotation(3, "2026-11-22", "personal", "somebody"),
        ]}),
    );
    let (status, text) = fixture.send(get("/api/annotations?site_id=a.example", Some(KEY))).await;
    assert_eq!(status, StatusCode::OK);
    let expected = json!([
        {"id": 2, "at": "2026-11-21T08:00", "note": "n", "type": "personal"},
        {"id": 1, "at": "2026-11-20", "note": "n", "type": "site"},
    ]);
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), expected);
}
