//! The routes: who is let in, what is refused, what the page is served with.

use crate::fixture::{ADMIN_KEY, Fixture, KEY, Layout, NOW_MS, Visit, get, post};
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use serde_json::{Value, json};
use std::sync::Arc;
use tower::ServiceExt;
use weir_query_api::error::ApiError;
use weir_query_api::tail::{Condition, PartitionView};
use weir_rollup::row::{EventRow, Opening};

fn rows() -> Vec<EventRow> {
    let visit = |id: u64| Visit::new(id, Opening { visitor_id: id, ..Opening::default() });
    let ago = |seconds: i64| NOW_MS as i64 - seconds * 1_000;
    vec![
        visit(1).event(1, ago(4_000), "pageview", "/", &[]),
        visit(2).event(2, ago(299), "pageview", "/", &[]),
        visit(3).event(3, ago(301), "pageview", "/", &[]),
        visit(3).event(4, ago(10), "engagement", "/", &[]),
        visit(4).of_site(2).event(5, ago(5), "pageview", "/", &[]),
    ]
}

fn fixture() -> Fixture {
    Fixture::new(&Layout::sealed(&rows()))
}

fn query(site: &str) -> String {
    json!({"site_id": site, "metrics": ["visitors"], "date_range": "day"}).to_string()
}

async fn refused(fixture: &Fixture, request: Request<Body>, status: u16, text: &str) {
    let (found, body) = fixture.send(request).await;
    let body: Value = serde_json::from_str(&body).unwrap_or_else(|_| panic!("not JSON: {body}"));
    assert_eq!((found.as_u16(), &body["error"]), (status, &json!(text)));
    let code = body["code"].as_str().unwrap_or_else(|| panic!("no code: {body}"));
    assert!(ApiError::codes().any(|known| known == code), "{code}");
    assert_eq!(body.as_object().map(serde_json::Map::len), Some(2), "{body}");
}

const NO_KEY: &str = "Missing API key. Please use a valid Plausible API key as a Bearer Token.";
const WRONG_KEY: &str =
    "Invalid API key or site ID. Please make sure you're using a valid API key with access to the site you've requested.";
const NO_SITE: &str = "Missing site ID. Please provide the required site_id parameter with your request.";

#[tokio::test]
async fn keys_and_sites() {
    let fixture = fixture();
    let bare = |value: Option<&str>| {
        let mut request = Request::post("/api/v2/query");
        if let Some(value) = value {
            request = request.header("authorization", value);
        }
        request.body(Body::from(query("a.example"))).unwrap()
    };
    refused(&fixture, bare(None), 401, NO_KEY).await;
    refused(&fixture, bare(Some("Basic abc")), 401, NO_KEY).await;
    refused(&fixture, bare(Some("Bearer")), 401, NO_KEY).await;
    refused(&fixture, bare(Some("Bearer nobody")), 401, WRONG_KEY).await;
    refused(&fixture, post(KEY, &query("b.example")), 401, WRONG_KEY).await;
    refused(&fixture, post(KEY, &query("unknown.example")), 401, WRONG_KEY).await;
    refused(&fixture, post(ADMIN_KEY, &query("unknown.example")), 401, WRONG_KEY).await;
    refused(&fixture, post(KEY, "{}"), 400, NO_SITE).await;
    refused(
        &fixture,
        post(KEY, r#"{"site_id": "a.example"}"#),
        400,
        "#: Required properties metrics, date_range were not present.",
    )
    .await;
    assert_eq!(fixture.send(post(KEY, &query("a.example"))).await.0, StatusCode::OK);
    assert_eq!(fixture.send(post(KEY, &query("www.A.example"))).await.0, StatusCode::OK);
    assert_eq!(fixture.send(post(ADMIN_KEY, &query("b.example"))).await.0, StatusCode::OK);
    assert_eq!(fixture.send(bare(Some("bearer  weir_one "))).await.0, StatusCode::OK);
    // The site's partition is not one of ours.
    refused(
        &fixture,
        post(ADMIN_KEY, &query("away.example")),
        503,
        "The query cannot be answered at the moment. Please try again.",
    )
    .await;
}

#[tokio::test]
async fn bodies() {
    let fixture = fixture();
    for body in ["", "{", "[1", "\u{0}", "{\"a\": NaN}", &"[".repeat(5_000)] {
        refused(&fixture, post(KEY, body), 400, "The request body is not valid JSON.").await;
    }
    let large = format!("{{\"site_id\": \"{}\"}}", "x".repeat(70_000));
    refused(&fixture, post(KEY, &large), 413, "The request body is larger than 65536 bytes.").await;
    let invalid = Request::post("/api/v2/query")
        .header("authorization", "Bearer weir_one")
        .body(Body::from(vec![b'"', 0xff, b'"']))
        .unwrap();
    refused(&fixture, invalid, 400, "The request body is not valid JSON.").await;
    refused(&fixture, get("/api/v2/query", Some(KEY)), 405, "This address does not accept the method.").await;
    refused(&fixture, get("/api/nothing", Some(KEY)), 404, "There is nothing at this address.").await;
    let hours = json!({"site_id": "a.example", "metrics": ["visits"], "date_range": "5000d", "dimensions": ["time:hour"]});
    refused(
        &fixture,
        post(KEY, &hours.to_string()),
        400,
        "Invalid date_range. It holds more than 10000 buckets of the time dimension.",
    )
    .await;
}

#[tokio::test]
async fn current_visitors_and_sites() {
    let fixture = fixture();
    let path = "/api/v1/stats/realtime/visitors";
    assert_eq!(fixture.send(get(&format!("{path}?site_id=a.example"), Some(KEY))).await, (StatusCode::OK, "2".to_owned()));
    refused(&fixture, get(&format!("{path}?site_id=b.example"), Some(KEY)), 401, WRONG_KEY).await;
    refused(&fixture, get(path, Some(KEY)), 400, NO_SITE).await;
    refused(&fixture, get(&format!("{path}?site_id=a.example&site_id=a.example"), Some(KEY)), 400, NO_SITE).await;
    refused(&fixture, get(path, None), 401, NO_KEY).await;
    let (_, sites) = fixture.send(get("/api/sites", Some("weir_two"))).await;
    assert_eq!(
        sites,
        r#"[{"domain":"b.example","timezone":"Europe/Berlin","may":["read_figures","keep_segments","read_site"],"script_url":"https://edge.example/js/script.js"}]"#
    );
    let (_, sites) = fixture.send(get("/api/sites", Some(ADMIN_KEY))).await;
    assert_eq!(serde_json::from_str::<Vec<Value>>(&sites).unwrap().len(), 3);
    refused(&fixture, get("/api/sites", Some("nobody")), 401, WRONG_KEY).await;
}

#[tokio::test]
async fn health_and_status() {
    let fixture = fixture();
    assert_eq!(fixture.send(get("/api/health", None)).await, (StatusCode::OK, r#"{"status":"ok"}"#.to_owned()));
    refused(&fixture, get("/api/status", Some(KEY)), 401, WRONG_KEY).await;
    let (_, status) = fixture.send(get("/api/status", Some(ADMIN_KEY))).await;
    assert_eq!(
        serde_json::from_str::<Value>(&status).unwrap(),
        json!([{"region": "local", "partition": 0, "first_seq": 1, "last_seq": 5, "sealed_seq": 5, "folded_seq": 5, "lag": 0, "parts": 1,
            "watermark": "2026-11-21T10:20:30.206Z", "revision": 42, "tail_rows": 0, "accepted": 5, "logic": "1-0", "promotion": null, "alarms": []}])
    );
    let (_, metrics) = fixture.send(get("/metrics", None)).await;
    for line in [
        "query_requests_total{status=\"200\"} 2",
        "query_requests_total{status=\"401\"} 1",
        "query_tail_lag_messages{region=\"local\",partition=\"0\"} 0",
        "query_duration_seconds_bucket{le=\"+Inf\"} 0",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line} in {metrics}");
    }
    fixture.partition.send_replace(Arc::new(PartitionView::loading("not connected to NATS")));
    let (status, body) = fixture.send(get("/api/health", None)).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(body.contains("partition local.0 is not ready: not connected to NATS"), "{body}");
    refused(&fixture, post(KEY, &query("a.example")), 503, "The query cannot be answered at the moment. Please try again.").await;
}

#[tokio::test]
async fn a_part_that_is_gone_says_nothing_of_itself() {
    let fixture = fixture();
    std::fs::remove_dir_all(fixture.folder().join("files/parts")).unwrap();
    let text = "A file with events of this period is damaged and is not read. Other periods can be asked for; an operator rebuilds it with `weir repair`.";
    refused(&fixture, post(KEY, &query("a.example")), 503, text).await;
    assert_eq!(fixture.engine.attached_parts(), 0);
}

#[tokio::test]
async fn an_alarm_is_told_to_admins() {
    let fixture = fixture();
    fixture.partition.send_modify(|view| {
        Arc::make_mut(view).condition = Condition::Stopped { reason: "message 7 cannot be decoded".to_owned() };
    });
    let (_, status) = fixture.send(get("/api/status", Some(ADMIN_KEY))).await;
    assert!(status.contains("\"alarms\":[\"message 7 cannot be decoded\"]"), "{status}");
    assert_eq!(fixture.send(post(KEY, &query("a.example"))).await.0, StatusCode::OK, "what was sealed is served");
}

#[tokio::test]
async fn the_page_is_served_strictly() {
    let fixture = fixture();
    let send = |request: Request<Body>| {
        let router = fixture.router.clone();
        async move { router.oneshot(request).await.unwrap() }
    };
    let page = send(get("/", None)).await;
    if page.status() == StatusCode::SERVICE_UNAVAILABLE {
        // Compiled without the dashboard: the answer says so.
        let (_, text) = fixture.send(get("/", None)).await;
        assert!(text.contains("make build"), "{text}");
        return;
    }
    let header = |response: &axum::response::Response, name: header::HeaderName| {
        response.headers().get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
    };
    assert_eq!(header(&page, header::CONTENT_TYPE), "text/html; charset=utf-8");
    assert_eq!(header(&page, header::CACHE_CONTROL), "no-cache");
    assert_eq!(header(&page, header::X_CONTENT_TYPE_OPTIONS), "nosniff");
    let policy = header(&page, header::CONTENT_SECURITY_POLICY);
    assert!(policy.starts_with("default-src 'none'; script-src 'self';") && !policy.contains("unsafe"), "{policy}");
    let tag = header(&page, header::ETAG);
    let again = Request::get("/").header("if-none-match", &tag).body(Body::empty()).unwrap();
    assert_eq!(send(again).await.status(), StatusCode::NOT_MODIFIED);
    assert_eq!(send(get("/../Cargo.toml", None)).await.status(), StatusCode::NOT_FOUND);
}
