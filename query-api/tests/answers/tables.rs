//! Answers as CSV, and the codes of errors.

use crate::fixture::{ADMIN_KEY, Fixture, KEY, Layout, Visit, at, post};
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use tower::ServiceExt;
use weir_query_api::error::ApiError;
use weir_rollup::row::Opening;

fn fixture() -> Fixture {
    let visit =
        |id: u64, source: &str| Visit::new(id, Opening { visitor_id: id, source: source.to_owned(), ..Opening::default() });
    Fixture::new(&Layout::sealed(&[
        visit(1, "=HYPERLINK(\"https://evil.example\")").event(1, at("2026-11-20T08:00:00Z"), "pageview", "/", &[]),
        visit(2, "News, \"daily\"\nedition").event(2, at("2026-11-20T09:00:00Z"), "pageview", "/", &[]),
        visit(3, "").event(3, at("2026-11-20T09:00:00Z"), "pageview", "/", &[]),
        visit(4, "").event(4, at("2026-11-20T10:00:00Z"), "pageview", "/", &[]),
    ]))
}

fn wanting(mut request: Request<Body>, accept: &'static str) -> Request<Body> {
    request.headers_mut().insert(header::ACCEPT, accept.parse().unwrap());
    request
}

#[tokio::test]
async fn a_breakdown_as_csv() {
    let fixture = fixture();
    let query = json!({"site_id": "a.example", "metrics": ["visitors", "bounce_rate"], "date_range": "1d", "dimensions": ["visit:source"],
        "include": {"total_rows": true}});
    let request = wanting(post(KEY, &query.to_string()), "text/csv");
    let response = fixture.router.clone().oneshot(request).await.unwrap();
    let header = |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(header("content-type"), "text/csv; charset=utf-8; header=present");
    assert_eq!(header("content-disposition"), "attachment; filename=\"weir.csv\"");
    assert_eq!(header("weir-watermark"), "2026-11-21T10:20:30.206Z");
    assert_eq!(header("weir-revision"), "42");
    assert_eq!(header("weir-total-rows"), "3");
    assert!(response.headers().get_all("vary").iter().any(|value| value.to_str().is_ok_and(|text| text.contains("accept"))));
    let (_, csv) = fixture.send(wanting(post(KEY, &query.to_string()), "text/csv")).await;
    assert_eq!(
        csv,
        "visit:source,visitors,bounce_rate\r\nDirect / None,2,100\r\n\"'=HYPERLINK(\"\"https://evil.example\"\")\",1,100\r\n\
         \"News, \"\"daily\"\"\nedition\",1,100\r\n"
    );
}

#[tokio::test]
async fn json_unless_csv_is_preferred_and_errors_are_json() {
    let fixture = fixture();
    let query = json!({"site_id": "a.example", "metrics": ["visitors"], "date_range": "1d"}).to_string();
    for accept in ["*/*", "application/json", "application/json, text/csv;q=0.9"] {
        let (status, body) = fixture.send(wanting(post(KEY, &query), accept)).await;
        assert!(status.is_success() && body.starts_with("{\"results\":[{\"metrics\":[4]"), "{accept}: {body}");
    }
    assert_eq!(fixture.send(wanting(post(KEY, &query), "text/csv, */*;q=0.1")).await.1, "visitors\r\n4\r\n");
    let (status, body) = fixture.send(wanting(post(KEY, "{}"), "text/csv")).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(serde_json::from_str::<Value>(&body).unwrap()["code"], "missing_site_id");
}

#[tokio::test]
async fn codes_name_the_fault() {
    let fixture = fixture();
    let query = |extra: Value| {
        let mut body = json!({"site_id": "a.example", "metrics": ["visitors"], "date_range": "1d"});
        body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        body.to_string()
    };
    for (key, body, code) in [
        ("", query(json!({})), "missing_api_key"),
        ("nobody", query(json!({})), "invalid_api_key"),
        (KEY, "{".to_owned(), "invalid_json"),
        (KEY, "{}".to_owned(), "missing_site_id"),
        (KEY, query(json!({"metrics": ["x"]})), "invalid_schema"),
        (KEY, query(json!({"order_by": [["visits", "asc"]]})), "order_by_not_queried"),
        (KEY, query(json!({"include": {"time_labels": true}})), "time_labels_without_time"),
        (KEY, query(json!({"metrics": ["percentage"]})), "percentage_without_dimensions"),
        (ADMIN_KEY, query(json!({"site_id": "away.example"})), "unavailable"),
    ] {
        let (_, answer) = fixture.send(post(key, &body)).await;
        let answer: Value = serde_json::from_str(&answer).unwrap_or_else(|_| panic!("not JSON: {answer}"));
        assert_eq!(answer["code"], code, "{body}");
    }
}

#[test]
fn codes_are_words_and_mean_one_thing() {
    let codes: Vec<&str> = ApiError::codes().collect();
    for code in &codes {
        assert!(!code.is_empty() && code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{code}");
    }
    let shared: BTreeSet<&str> =
        codes.iter().copied().filter(|code| codes.iter().filter(|other| *other == code).count() > 1).collect();
    assert!(shared.is_empty(), "one code for two faults: {shared:?}");
}
