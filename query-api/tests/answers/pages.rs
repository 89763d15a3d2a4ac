//! Figures of pages with answers known by hand: how far they are read, for how long, how often they are the last.

use crate::fixture::{Fixture, Layout, Visit, at};
use serde_json::{Value, json};
use weir_rollup::row::{EventRow, Opening};

const DAY: [&str; 2] = ["2026-11-20", "2026-11-20"];

fn rows() -> Vec<EventRow> {
    let opening = |visitor_id: u64, source: &str| Opening { visitor_id, source: source.to_owned(), ..Opening::default() };
    let (one, two, three) =
        (Visit::new(1, opening(1, "Google")), Visit::new(2, opening(2, "Google")), Visit::new(3, opening(3, "")));
    let bot = Visit::new(4, Opening { bot: 1, ..opening(4, "Google") });
    let view =
        |visit: &Visit, seq, time: &str, page: &str| visit.event(seq, at(&format!("2026-11-20T{time}Z")), "pageview", page, &[]);
    let ping = |visit: &Visit, seq, time: &str, page: &str, engagement_ms, scroll_depth| EventRow {
        engagement_ms: Some(engagement_ms),
        scroll_depth,
        ..visit.event(seq, at(&format!("2026-11-20T{time}Z")), "engagement", page, &[])
    };
    vec![
        view(&one, 1, "08:00:00", "/"),
        ping(&one, 2, "08:00:10", "/", 10_000, Some(40)),
        view(&one, 3, "08:00:20", "/docs"),
        ping(&one, 4, "08:01:00", "/docs", 4_400, Some(30)),
        ping(&one, 5, "08:02:00", "/docs", 4_300, Some(81)),
        // 255 says that nothing is known.
        ping(&one, 6, "09:03:00", "/docs", 300, Some(255)),
        view(&two, 7, "08:10:00", "/docs"),
        ping(&two, 8, "08:11:00", "/docs", 20_000, Some(20)),
        view(&two, 9, "08:12:00", "/docs"),
        view(&two, 10, "08:13:00", "/"),
        // No ping at all.
        view(&three, 11, "10:00:00", "/"),
        view(&bot, 12, "10:00:00", "/"),
        ping(&bot, 13, "10:01:00", "/", 90_000, Some(100)),
    ]
}

async fn check(query: Value, expected: &[&str]) {
    let fixture = Fixture::new(&Layout::sealed(&rows()));
    assert_eq!(fixture.results(query.clone()).await, expected, "{query}");
}

#[tokio::test]
async fn depth_and_time_of_pages() {
    let metrics = json!(["visitors", "scroll_depth", "time_on_page"]);
    // /: 40 of one visit of three; 10 s over three visits. /docs: 81 and 20 of two; 29 s over two.
    let by_page = json!({"metrics": metrics, "date_range": DAY, "dimensions": ["event:page"]});
    check(by_page, &["/ -> 3 | 40 | 3", "/docs -> 2 | 51 | 15"]).await;
    let one_page = json!({"metrics": metrics, "date_range": DAY, "filters": [["is", "event:page", ["/docs"]]]});
    check(one_page, &["2 | 51 | 15"]).await;
    // Of two pages together the deepest point of each visit.
    let both = json!({"metrics": metrics, "date_range": DAY, "filters": [["contains", "event:page", ["/"]]], "dimensions": ["visit:source"]});
    check(both, &["Google -> 2 | 51 | 20", "Direct / None -> 1 | null | 0"]).await;
    let by_hour =
        json!({"metrics": metrics, "date_range": DAY, "filters": [["is", "event:page", ["/docs"]]], "dimensions": ["time:hour"]});
    check(by_hour, &["2026-11-20 08:00:00 -> 2 | 51 | 14"]).await;
    let nobody = json!({"metrics": ["scroll_depth", "time_on_page"], "date_range": DAY, "filters": [["is", "event:page", ["/nowhere"]]],
        "include": {"total_rows": true}});
    check(nobody, &["null | null"]).await;
    let of_visits = json!({"metrics": ["scroll_depth", "bounce_rate"], "date_range": DAY, "dimensions": ["event:page"],
        "filters": [["is", "visit:entry_page", ["/docs"]]], "order_by": [["scroll_depth", "asc"]]});
    check(of_visits, &["/docs -> 20 | 0", "/ -> null | 0"]).await;
}

#[tokio::test]
async fn exits_of_pages() {
    let metrics = json!(["visits", "exit_rate"]);
    let query =
        |filters: Value| json!({"metrics": metrics, "date_range": DAY, "dimensions": ["visit:exit_page"], "filters": filters});
    // /: two exits of three views; /docs: one of three.
    check(query(json!([])), &["/ -> 2 | 66.7", "/docs -> 1 | 33.3"]).await;
    check(query(json!([["is", "visit:source", ["Google"]]])), &["/ -> 1 | 50.0", "/docs -> 1 | 33.3"]).await;
    check(query(json!([["is", "visit:exit_page", ["/docs"]]])), &["/docs -> 1 | 33.3"]).await;
    check(query(json!([["is", "visit:entry_page", ["/"]]])), &["/ -> 1 | 50.0", "/docs -> 1 | 100.0"]).await;
    let alone = json!({"metrics": ["exit_rate"], "date_range": DAY, "dimensions": ["visit:exit_page"]});
    check(alone, &["/ -> 66.7", "/docs -> 33.3"]).await;
}

#[tokio::test]
async fn places_by_name() {
    let places = [("DE", "DE-BE", "Berlin"), ("US", "US-CA", "2950159"), ("XX", "XX-99", ""), ("", "", "")];
    let row = |(index, (country, region, city)): (usize, (&str, &str, &str))| {
        let seq = index as u64 + 1;
        let opening = Opening {
            visitor_id: seq,
            country: country.to_owned(),
            region: region.to_owned(),
            city: city.to_owned(),
            ..Opening::default()
        };
        Visit::new(seq, opening).event(seq, at("2026-11-20T08:00:00Z"), "pageview", "/", &[])
    };
    let fixture = Fixture::new(&Layout::sealed(&places.into_iter().enumerate().map(row).collect::<Vec<_>>()));
    let by = |dimension: &str| json!({"metrics": ["visitors"], "date_range": DAY, "dimensions": [dimension], "order_by": [[dimension, "asc"]]});
    for (dimension, expected) in [
        ("visit:country_name", ["(not set) -> 1", "Germany -> 1", "United States -> 1", "XX -> 1"]),
        ("visit:region_name", ["(not set) -> 1", "Berlin -> 1", "California -> 1", "XX-99 -> 1"]),
        ("visit:region", ["(not set) -> 1", "DE-BE -> 1", "US-CA -> 1", "XX-99 -> 1"]),
    ] {
        assert_eq!(fixture.results(by(dimension)).await, expected, "{dimension}");
    }
    assert_eq!(fixture.results(by("visit:city_name")).await, ["(not set) -> 2", "2950159 -> 1", "Berlin -> 1"]);
    let count = |filter: Value| json!({"metrics": ["visitors", "pageviews"], "date_range": DAY, "filters": [filter]});
    for (filter, expected) in [
        (json!(["is", "visit:country_name", ["Germany", "United States"]]), "2 | 2"),
        (json!(["contains", "visit:country_name", ["UNITED"], {"case_sensitive": false}]), "1 | 1"),
        (json!(["is_not", "visit:region_name", ["Berlin"]]), "3 | 3"),
        (json!(["is", "visit:region_name", ["XX-99"]]), "1 | 1"),
        (json!(["is", "visit:country_name", ["(not set)"]]), "1 | 1"),
        (json!(["is", "visit:city", [2_950_159, 1]]), "1 | 1"),
        (json!(["is", "visit:city_name", ["Berlin"]]), "1 | 1"),
    ] {
        assert_eq!(fixture.results(count(filter.clone())).await, [expected], "{filter}");
    }
}
