//! Results beside those of another range, with answers known by hand.

use crate::fixture::{Fixture, Layout, Visit, at};
use serde_json::{Value, json};
use weir_rollup::row::{EventRow, Opening};

/// A visit of one pageview at each of these times.
fn rows() -> Vec<EventRow> {
    let visits = [
        ("2026-11-09T09:00:00Z", "Google"),
        ("2026-11-10T09:00:00Z", "Google"),
        ("2026-11-10T10:00:00Z", "Bing"),
        ("2026-11-12T09:00:00Z", "Google"),
        ("2026-11-12T10:00:00Z", "Google"),
        ("2026-11-12T11:00:00Z", ""),
        ("2026-11-20T05:00:00Z", "Google"),
        ("2026-11-20T12:00:00Z", "Google"),
        ("2026-11-21T06:00:00Z", "Google"),
        ("2026-11-21T07:00:00Z", "Google"),
        ("2026-11-21T10:20:10Z", "Bing"),
    ];
    let row = |(index, (time, source)): (usize, (&str, &str))| {
        let seq = index as u64 + 1;
        Visit::new(seq, Opening { visitor_id: seq, source: source.to_owned(), ..Opening::default() }).event(
            seq,
            at(time),
            "pageview",
            "/",
            &[],
        )
    };
    visits.into_iter().enumerate().map(row).collect()
}

async fn answer(query: Value) -> Value {
    Fixture::new(&Layout::sealed(&rows())).answer(query).await
}

fn previous() -> Value {
    json!({"comparisons": {"mode": "previous_period"}})
}

#[tokio::test]
async fn one_figure() {
    let query = json!({"metrics": ["visitors", "bounce_rate", "visit_duration"], "date_range": ["2026-11-11", "2026-11-12"], "include": previous()});
    let answer = answer(query).await;
    assert_eq!(
        answer["results"],
        json!([{"metrics": [3, 100, 0], "dimensions": [], "comparison": {"dimensions": [], "metrics": [3, 100, 0], "change": [0, 0, 0]}}])
    );
    assert_eq!(answer["query"]["comparison_date_range"], json!(["2026-11-09T00:00:00+00:00", "2026-11-10T23:59:59+00:00"]));
    assert_eq!(answer["query"]["include"], previous());
}

#[tokio::test]
async fn the_day_until_now_with_the_day_before_until_then() {
    let answer = answer(json!({"metrics": ["visitors"], "date_range": "day", "include": previous()})).await;
    let expected = json!({"metrics": [3], "dimensions": [], "comparison": {"dimensions": [], "metrics": [1], "change": [200]}});
    assert_eq!(answer["results"], json!([expected]));
}

#[tokio::test]
async fn the_same_results_of_a_page() {
    let query = json!({"metrics": ["visitors", "percentage"], "date_range": ["2026-11-11", "2026-11-12"], "dimensions": ["visit:source"],
        "include": previous(), "pagination": {"limit": 2}});
    let expected = json!([
        {"metrics": [2, 66.7], "dimensions": ["Google"],
            "comparison": {"dimensions": ["Google"], "metrics": [2, 66.7], "change": [0, 0]}},
        {"metrics": [1, 33.3], "dimensions": ["Direct / None"],
            "comparison": {"dimensions": ["Direct / None"], "metrics": [0, 0.0], "change": [100, 100]}},
    ]);
    assert_eq!(answer(query).await["results"], expected);
}

#[tokio::test]
async fn buckets_by_their_distance_from_the_start() {
    let query = json!({"metrics": ["visitors", "visit_duration"], "date_range": ["2026-11-11", "2026-11-12"], "dimensions": ["time:day"],
        "include": {"comparisons": {"mode": "previous_period"}, "time_labels": true}});
    let answer = answer(query).await;
    // Nobody came on the 11th, but on the 9th, two days before, somebody did.
    assert_eq!(
        answer["results"],
        json!([
            {"metrics": [0, null], "dimensions": ["2026-11-11"],
                "comparison": {"dimensions": ["2026-11-09"], "metrics": [1, 0], "change": [-100, null]}},
            {"metrics": [3, 0], "dimensions": ["2026-11-12"],
                "comparison": {"dimensions": ["2026-11-10"], "metrics": [2, 0], "change": [50, 0]}},
        ])
    );
    assert_eq!(answer["meta"]["time_labels"], json!(["2026-11-11", "2026-11-12"]));
    assert_eq!(answer["meta"]["comparison_time_labels"], json!(["2026-11-09", "2026-11-10"]));
}

#[tokio::test]
async fn a_shorter_range_leaves_buckets_without_a_counterpart() {
    let query = json!({"metrics": ["visitors"], "date_range": ["2026-11-11", "2026-11-12"], "dimensions": ["time:day"],
        "order_by": [["time:day", "desc"]],
        "include": {"comparisons": {"mode": "custom", "date_range": ["2026-11-20", "2026-11-20"]}}});
    assert_eq!(
        answer(query).await["results"],
        json!([
            {"metrics": [3], "dimensions": ["2026-11-12"], "comparison": {"dimensions": [null], "metrics": [0], "change": [100]}},
            {"metrics": [0], "dimensions": ["2026-11-11"], "comparison": {"dimensions": ["2026-11-20"], "metrics": [2], "change": [-100]}},
        ])
    );
}

#[tokio::test]
async fn time_beside_another_dimension() {
    let query = json!({"metrics": ["visitors"], "date_range": ["2026-11-11", "2026-11-12"], "dimensions": ["visit:source", "time:day"],
        "order_by": [["visit:source", "desc"]], "include": previous()});
    assert_eq!(
        answer(query).await["results"],
        json!([
            {"metrics": [2], "dimensions": ["Google", "2026-11-12"],
                "comparison": {"dimensions": ["Google", "2026-11-10"], "metrics": [1], "change": [100]}},
            {"metrics": [1], "dimensions": ["Direct / None", "2026-11-12"],
                "comparison": {"dimensions": ["Direct / None", "2026-11-10"], "metrics": [0], "change": [100]}},
        ])
    );
}

#[tokio::test]
async fn ranges_that_only_the_dashboard_names() {
    let count = |query: Value| async move { answer(query).await["results"][0]["metrics"][0].clone() };
    assert_eq!(count(json!({"metrics": ["visitors"], "date_range": "realtime"})).await, 1);
    assert_eq!(count(json!({"metrics": ["visitors"], "date_range": "30m"})).await, 1);
    assert_eq!(count(json!({"metrics": ["visitors"], "date_range": "day", "date": "2026-11-12"})).await, 3);
    assert_eq!(count(json!({"metrics": ["visitors"], "date_range": "7d", "date": "2026-11-12"})).await, 3);
    assert_eq!(count(json!({"metrics": ["visitors"], "date_range": "month", "date": "2026-10-12"})).await, 0);
    let trimmed = answer(json!({"metrics": ["visitors"], "date_range": "month", "dimensions": ["time:day"],
        "include": {"trim_relative_date_range": true, "time_labels": true, "imports_meta": true}}))
    .await;
    assert_eq!(trimmed["query"]["date_range"][1], "2026-11-21T23:59:59+00:00");
    assert_eq!(trimmed["meta"]["time_labels"].as_array().unwrap().len(), 21);
    assert_eq!(trimmed["meta"]["imports_skip_reason"], "no_imported_data");
}

#[tokio::test]
async fn minutes_that_are_over() {
    let answer = answer(
        json!({"metrics": ["visitors"], "date_range": "30m", "dimensions": ["time:minute"], "include": {"time_labels": true}}),
    )
    .await;
    let labels: Vec<&str> = answer["meta"]["time_labels"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert_eq!((labels.len(), labels[0], labels[29]), (30, "2026-11-21 09:50:00", "2026-11-21 10:19:00"));
    assert_eq!(answer["results"], json!([{"metrics": [1], "dimensions": ["2026-11-21 10:20:00"]}]));
}
