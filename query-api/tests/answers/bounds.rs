//! How large a question and an answer may be, and what is said to whoever asks for more.

use crate::fixture::{Fixture, KEY, Layout, NOW_MS, Visit, post};
use axum::http::StatusCode;
use serde_json::{Value, json};
use weir_query_api::engine::EngineError;
use weir_query_api::error::ApiError;
use weir_query_api::plan::Statement;
use weir_rollup::row::Opening;

const TOO_BIG: &str = "Invalid filters. At most 100 comparisons with 1000 clauses together, nested 8 deep, are allowed.";

fn fixture() -> Fixture {
    let visit = Visit::new(1, Opening { visitor_id: 1, ..Opening::default() });
    Fixture::new(&Layout::sealed(&[visit.event(1, NOW_MS as i64 - 1_000, "pageview", "/", &[])]))
}

async fn ask(fixture: &Fixture, part: Value) -> (u16, String) {
    let mut body = json!({"site_id": "a.example", "metrics": ["visitors"], "date_range": "day"});
    body.as_object_mut().unwrap().extend(part.as_object().unwrap().clone());
    let (status, text) = fixture.send(post(KEY, &body.to_string())).await;
    let answer: Value = serde_json::from_str(&text).unwrap();
    (status.as_u16(), answer["error"].as_str().unwrap_or_default().to_owned())
}

fn leaf() -> Value {
    json!(["is", "event:page", ["/"]])
}

fn nested(depth: usize) -> Value {
    (0..depth).fold(leaf(), |inner, _| json!(["not", inner]))
}

#[tokio::test]
async fn filters_are_so_deep_and_so_many() {
    let fixture = fixture();
    let clauses = |count: usize| json!(["is", "event:page", (0..count).map(|index| index.to_string()).collect::<Vec<_>>()]);
    for (filters, is_good) in [
        (json!([nested(7)]), true),
        (json!([nested(8)]), false),
        (json!([nested(50)]), false),
        (json!(vec![leaf(); 100]), true),
        (json!([["or", vec![leaf(); 100]]]), true),
        (json!([["or", vec![leaf(); 101]]]), false),
        (json!([["and", [["or", vec![leaf(); 60]], ["or", vec![leaf(); 60]]]]]), false),
        (json!([clauses(1_000)]), true),
        (json!([clauses(1_001)]), false),
        (json!([clauses(600), clauses(600)]), false),
    ] {
        let found = ask(&fixture, json!({"filters": filters})).await;
        let expected = if is_good { (200, String::new()) } else { (400, TOO_BIG.to_owned()) };
        assert_eq!(found, expected, "{filters}");
    }
    let (status, text) = ask(&fixture, json!({"filters": vec![leaf(); 101]})).await;
    assert_eq!((status, text.as_str()), (400, "#/filters: Expected a maximum of 100 items but got 101."));
}

#[tokio::test]
async fn ranges_pages_and_dimensions_are_bounded() {
    let fixture = fixture();
    let dimensions: Vec<String> = (0..9).map(|index| format!("event:props:p{index}")).collect();
    for (part, is_good) in [
        (json!({"date_range": "5000d"}), true),
        (json!({"date_range": "5001d"}), false),
        (json!({"date_range": "100mo"}), true),
        (json!({"date_range": "101mo"}), false),
        (json!({"date_range": ["1990-01-01", "2026-01-01"]}), false),
        (json!({"date_range": ["2300-01-01", "2300-01-02"]}), false),
        (json!({"pagination": {"limit": 10_000}}), true),
        (json!({"pagination": {"limit": 10_001}}), false),
        (json!({"pagination": {"limit": 0}}), false),
        (json!({"pagination": {"offset": 1_000_000_000}}), true),
        (json!({"pagination": {"offset": 1_000_000_001}}), false),
        (json!({"pagination": {"offset": -1}}), false),
        (json!({"dimensions": dimensions[..8]}), true),
        (json!({"dimensions": dimensions}), false),
        (json!({"dimensions": [format!("event:props:{}", "x".repeat(300))]}), true),
        (json!({"dimensions": [format!("event:props:{}", "x".repeat(301))]}), false),
        (json!({"date_range": "400d", "dimensions": ["time:hour"]}), true),
        (json!({"date_range": "420d", "dimensions": ["time:hour"]}), false),
    ] {
        let (status, text) = ask(&fixture, part.clone()).await;
        assert_eq!((status, text.is_empty()), if is_good { (200, true) } else { (400, false) }, "{part}: {text}");
    }
}

/// The status and text of what goes wrong in the engine.
async fn failing(fixture: &Fixture, sql: String) -> (StatusCode, String) {
    let statement = Statement { sql, parameters: Vec::new() };
    let outcome = fixture.engine.run(move |session| session.query(&statement)).await;
    let error = ApiError::from(outcome.unwrap_err());
    (error.status(), error.to_string())
}

#[tokio::test]
async fn an_answer_is_so_large_and_takes_so_much_memory() {
    let fixture = fixture();
    let text = "The answer is larger than 64000000 bytes. Please ask for fewer results with `pagination`, or fewer dimensions.";
    let large = "SELECT repeat('x', 1000) FROM range(100000)".to_owned();
    assert_eq!(failing(&fixture, large).await, (StatusCode::UNPROCESSABLE_ENTITY, text.to_owned()));
    let text = "The query needs too much memory. Please ask for a shorter date range or fewer dimensions.";
    // One value cannot be put on disk.
    let hungry = "SELECT length(string_agg(repeat('x', 1000000), '')) FROM range(2000)".to_owned();
    assert_eq!(failing(&fixture, hungry).await, (StatusCode::SERVICE_UNAVAILABLE, text.to_owned()));
    // The next one is answered.
    assert_eq!(ask(&fixture, json!({})).await, (200, String::new()));
    let parts = EngineError::TooManyParts { found: 3_000, limit: 2_000 };
    assert_eq!(ApiError::from(parts).status(), StatusCode::SERVICE_UNAVAILABLE);
}
