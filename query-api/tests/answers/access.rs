//! What is written down of a request, and what is counted: never who asked from where, for what, or about whom.

use crate::fixture::{Fixture, KEY, Layout, NOW_MS, Visit, get, post};
use serde_json::json;
use std::io::Write;
use std::sync::{Arc, Mutex};
use tracing_subscriber::fmt::MakeWriter;
use weir_rollup::row::Opening;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn a_line_for_each_request_without_anything_personal() {
    let log = Log::default();
    let writing = || tracing_subscriber::fmt().with_writer(log.clone()).with_max_level(tracing::Level::DEBUG).json().finish();
    // With a single subscriber, tracing lets whatever thread comes first decide for all of them whether a line is written, and the other tests' have none.
    let _second = tracing::Dispatch::new(writing());
    let _guard = tracing::subscriber::set_default(writing());
    let visit = Visit::new(1, Opening { visitor_id: 1, ..Opening::default() });
    let fixture = Fixture::new(&Layout::sealed(&[visit.event(1, NOW_MS as i64 - 1_000, "pageview", "/", &[])]));
    let filter = json!([["is", "event:page", ["/private-page"]]]);
    let body = json!({"site_id": "a.example", "metrics": ["visitors"], "date_range": "day", "filters": filter}).to_string();
    let mut request = post(KEY, &body);
    let headers = request.headers_mut();
    headers.insert("x-forwarded-for", "203.0.113.77".parse().unwrap());
    headers.insert("user-agent", "Private Browser".parse().unwrap());
    fixture.send(request).await;
    fixture.send(get("/api/ledger?site_id=a.example&from=2026-11-20", Some(KEY))).await;
    fixture.send(get("/api/sites", Some("weir_a_wrong_key"))).await;
    fixture.send(get("/somebody/private.html?x=private-parameter", None)).await;
    fixture.send(get("/api/health/live", None)).await;
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told: Vec<String> = lines
        .iter()
        .filter(|line| line["target"] == "weir::access")
        .map(|line| {
            let fields = &line["fields"];
            let text = |name: &str| fields[name].as_str().unwrap().to_owned();
            assert!(fields["duration_ms"].as_f64().unwrap() >= 0.0);
            format!("{} {} {} {}", text("key.id"), text("method"), text("route"), fields["status"])
        })
        .collect();
    let page = told.get(3).map_or("", String::as_str);
    // The fixture's keys have themselves as their public names.
    assert_eq!(told[..3], ["weir_one POST /api/v2/query 200", "weir_one GET /api/ledger 200", "- GET /api/sites 401"]);
    assert_eq!(page, "- GET /{*path} 404");
    assert_eq!(told[4..], ["- GET /api/health/live 200"]);
    for secret in ["private", "Private", "203.0.113.77", "a.example", "2026-11-20", "weir_a_wrong_key"] {
        assert!(!text.contains(secret), "{secret} in\n{text}");
    }
    let (_, metrics) = fixture.send(get("/metrics", None)).await;
    for line in [
        "query_route_duration_seconds_count{route=\"/api/v2/query\",status=\"200\"} 1",
        "query_route_duration_seconds_count{route=\"/{*path}\",status=\"404\"} 1",
        "query_cache_requests_total{outcome=\"miss\"} 1",
        "query_cache_entries 1",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line} in\n{metrics}");
    }
    assert!(!metrics.contains("private") && !metrics.contains("a.example"));
}
