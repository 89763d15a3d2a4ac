//! Figures with answers known by hand.

use crate::fixture::{Fixture, Layout, Visit, at, lines};
use serde_json::{Value, json};
use weir_rollup::row::{EventRow, Opening};

/// Five visits of 19 and 20 November, one of a bot, one of another site.
fn rows() -> Vec<EventRow> {
    let opening = |visitor_id: u64, source: &str, country: &str| Opening {
        visitor_id,
        source: source.to_owned(),
        channel: if source.is_empty() { "Direct" } else { "Organic Search" }.to_owned(),
        country: country.to_owned(),
        device: "Desktop".to_owned(),
        browser: "Firefox".to_owned(),
        ..Opening::default()
    };
    // Visitor 1, two visits on the 20th; the first: / → /docs, a signup, 90 s; a ping that must not count.
    let first = Visit::new(11, opening(1, "Google", "DE"));
    let second = Visit::new(12, opening(1, "", "DE"));
    // Visitor 2 stays from 09:50 to 10:40 without an event between.
    let long = Visit::new(13, opening(2, "Google", "AT"));
    // Visitor 3 begins on the 19th and ends on the 20th.
    let midnight = Visit::new(14, opening(3, "Bing", ""));
    // Visitor 4 only on the 19th, a custom event without a pageview.
    let custom = Visit::new(15, opening(4, "", "US"));
    let bot = Visit::new(16, Opening { bot: 3, ..opening(5, "Google", "US") });
    let foreign = Visit::new(17, opening(6, "Google", "DE")).of_site(2);
    vec![
        first.event(1, at("2026-11-20T08:00:00Z"), "pageview", "/", &[]),
        first.event(2, at("2026-11-20T08:01:00Z"), "pageview", "/docs", &[]),
        first.event(3, at("2026-11-20T08:01:30Z"), "Signup", "/docs", &[("plan", "pro"), ("a/b~c \"d\"", "odd")]),
        first.event(4, at("2026-11-20T08:20:00Z"), "engagement", "/docs", &[]),
        second.event(5, at("2026-11-20T15:00:00Z"), "pageview", "/docs", &[]),
        long.event(6, at("2026-11-20T09:50:00Z"), "pageview", "/", &[]),
        long.event(7, at("2026-11-20T10:40:00Z"), "pageview", "/prices", &[]),
        midnight.event(8, at("2026-11-19T23:50:00Z"), "pageview", "/docs", &[]),
        midnight.event(9, at("2026-11-20T00:10:00Z"), "pageview", "/", &[]),
        custom.event(10, at("2026-11-19T12:00:00Z"), "Signup", "/", &[("plan", "free")]),
        bot.event(11, at("2026-11-20T12:00:00Z"), "pageview", "/", &[]),
        foreign.event(12, at("2026-11-20T12:00:00Z"), "pageview", "/", &[]),
    ]
}

async fn check(fixture: &Fixture, query: Value, expected: &[&str]) {
    assert_eq!(fixture.results(query.clone()).await, expected, "{query}");
}

const DAY: [&str; 2] = ["2026-11-20", "2026-11-20"];
const TWO_DAYS: [&str; 2] = ["2026-11-19", "2026-11-20"];

#[tokio::test]
async fn every_metric() {
    let fixture = Fixture::new(&Layout::sealed(&rows()));
    let all = json!(["visitors", "visits", "pageviews", "views_per_visit", "bounce_rate", "visit_duration", "events"]);
    // The 20th: visits 11, 12, 13, 14; whole durations 90 + 0 + 3000 + 1200 s; one bounce of four; 7 pageviews of whole visits.
    check(&fixture, json!({"metrics": all, "date_range": DAY}), &["3 | 4 | 6 | 1.75 | 25 | 1073 | 7"]).await;
    check(&fixture, json!({"metrics": all, "date_range": "1d"}), &["3 | 4 | 6 | 1.75 | 25 | 1073 | 7"]).await;
    check(&fixture, json!({"metrics": all, "date_range": TWO_DAYS}), &["4 | 5 | 7 | 1.4 | 40 | 858 | 9"]).await;
    check(&fixture, json!({"metrics": all, "date_range": ["2026-11-18", "2026-11-18"]}), &["0 | 0 | 0 | 0.0 | 0 | 0 | 0"]).await;
    // A quarter of an hour inside the long visit, without an event.
    let silent = json!(["2026-11-20T10:00:00Z", "2026-11-20T10:14:59Z"]);
    check(&fixture, json!({"metrics": all, "date_range": silent}), &["1 | 1 | 0 | 2.0 | 0 | 3000 | 0"]).await;
    check(&fixture, json!({"metrics": all, "date_range": "all"}), &["4 | 5 | 7 | 1.4 | 40 | 858 | 9"]).await;
}

#[tokio::test]
async fn dimensions_of_visits() {
    let fixture = Fixture::new(&Layout::sealed(&rows()));
    let query = |dimension: &str| json!({"metrics": ["visitors", "visits", "bounce_rate", "percentage"], "date_range": DAY, "dimensions": [dimension]});
    check(
        &fixture,
        query("visit:source"),
        &["Google -> 2 | 2 | 0 | 66.7", "Bing -> 1 | 1 | 0 | 33.3", "Direct / None -> 1 | 1 | 100 | 33.3"],
    )
    .await;
    check(
        &fixture,
        query("visit:country"),
        &["(not set) -> 1 | 1 | 0 | 33.3", "AT -> 1 | 1 | 0 | 33.3", "DE -> 1 | 2 | 50 | 33.3"],
    )
    .await;
    check(&fixture, query("visit:channel"), &["Organic Search -> 3 | 3 | 0 | 100.0", "Direct -> 1 | 1 | 100 | 33.3"]).await;
    check(&fixture, query("visit:entry_page"), &["/ -> 2 | 2 | 0 | 66.7", "/docs -> 2 | 2 | 50 | 66.7"]).await;
    check(
        &fixture,
        query("visit:exit_page"),
        &["/ -> 1 | 1 | 0 | 33.3", "/docs -> 1 | 2 | 50 | 33.3", "/prices -> 1 | 1 | 0 | 33.3"],
    )
    .await;
    let custom = json!({"metrics": ["visits"], "date_range": ["2026-11-19", "2026-11-19"], "dimensions": ["visit:entry_page"]});
    check(&fixture, custom, &["(not set) -> 1", "/docs -> 1"]).await;
    let two = json!({"metrics": ["visits", "pageviews"], "date_range": DAY, "dimensions": ["visit:source", "visit:country"],
        "order_by": [["visit:country", "desc"], ["visits", "asc"]]});
    check(
        &fixture,
        two,
        &["Direct / None | DE -> 1 | 1", "Google | DE -> 1 | 2", "Google | AT -> 1 | 2", "Bing | (not set) -> 1 | 1"],
    )
    .await;
}

#[tokio::test]
async fn dimensions_of_events() {
    let fixture = Fixture::new(&Layout::sealed(&rows()));
    let pages = json!({"metrics": ["visitors", "visits", "pageviews", "bounce_rate", "visit_duration"], "date_range": DAY, "dimensions": ["event:page"],
        "order_by": [["event:page", "asc"]]});
    // Visits that entered on /: 11 (90 s) and 13 (3000 s); on /docs: 12, and 14, which entered the day before.
    check(&fixture, pages, &["/ -> 3 | 3 | 3 | 0 | 1545", "/docs -> 1 | 2 | 2 | 50 | 600", "/prices -> 1 | 1 | 1 | 0 | 0"]).await;
    let rates =
        json!({"metrics": ["bounce_rate"], "date_range": DAY, "dimensions": ["event:page"], "order_by": [["event:page", "asc"]]});
    check(&fixture, rates, &["/ -> 0", "/docs -> 50", "/prices -> 0"]).await;
    let names = json!({"metrics": ["visitors", "events"], "date_range": DAY, "dimensions": ["event:name"]});
    check(&fixture, names, &["pageview -> 3 | 6", "Signup -> 1 | 1"]).await;
    let props =
        |name: &str| json!({"metrics": ["events"], "date_range": TWO_DAYS, "dimensions": [format!("event:props:{name}")]});
    check(&fixture, props("plan"), &["(none) -> 7", "free -> 1", "pro -> 1"]).await;
    check(&fixture, props("a/b~c \"d\""), &["(none) -> 8", "odd -> 1"]).await;
    check(&fixture, props("$.plan"), &["(none) -> 9"]).await;
    check(&fixture, props("*"), &["(none) -> 9"]).await;
    let hosts = json!({"metrics": ["visitors", "bounce_rate"], "date_range": DAY, "dimensions": ["event:page", "event:hostname"], "pagination": {"limit": 1}});
    check(&fixture, hosts, &["/ | a.example -> 3 | 0"]).await;
}

#[tokio::test]
async fn visits_count_in_every_bucket_they_span() {
    let fixture = Fixture::new(&Layout::sealed(&rows()));
    let hours =
        json!({"metrics": ["visitors", "visits", "pageviews", "bounce_rate"], "date_range": DAY, "dimensions": ["time:hour"]});
    check(
        &fixture,
        hours,
        &[
            "2026-11-20 00:00:00 -> 1 | 1 | 1 | 0",
            "2026-11-20 08:00:00 -> 1 | 1 | 2 | 0",
            "2026-11-20 09:00:00 -> 1 | 1 | 1 | 0",
            "2026-11-20 10:00:00 -> 1 | 1 | 1 | 0",
            "2026-11-20 15:00:00 -> 1 | 1 | 1 | 100",
        ],
    )
    .await;
    let days =
        json!({"metrics": ["visitors", "visits", "pageviews", "events"], "date_range": TWO_DAYS, "dimensions": ["time:day"]});
    check(&fixture, days.clone(), &["2026-11-19 -> 2 | 2 | 1 | 2", "2026-11-20 -> 3 | 4 | 6 | 7"]).await;
    let weeks = json!({"metrics": ["visits"], "date_range": TWO_DAYS, "dimensions": ["time:week"]});
    check(&fixture, weeks, &["2026-11-19 -> 5"]).await;
    let months = json!({"metrics": ["visits"], "date_range": "month", "dimensions": ["time:month"]});
    check(&fixture, months, &["2026-11-01 -> 5"]).await;
    let labels = json!({"metrics": ["visits"], "date_range": ["2026-11-18", "2026-11-20"], "dimensions": ["time"], "include": {"time_labels": true}});
    let answer = fixture.answer(labels).await;
    assert_eq!(answer["meta"]["time_labels"], json!(["2026-11-18", "2026-11-19", "2026-11-20"]));
    assert_eq!(lines(&answer), ["2026-11-19 -> 2", "2026-11-20 -> 4"]);
}

#[tokio::test]
async fn filters() {
    let fixture = Fixture::new(&Layout::sealed(&rows()));
    let query = |filters: Value| json!({"metrics": ["visitors", "visits", "pageviews", "bounce_rate"], "date_range": DAY, "filters": filters});
    for (filters, expected) in [
        (json!([["is", "visit:source", ["Google"]]]), "2 | 2 | 4 | 0"),
        (json!([["is", "visit:source", ["Direct / None"]]]), "1 | 1 | 1 | 100"),
        (json!([["is_not", "visit:source", ["Google", "Bing"]]]), "1 | 1 | 1 | 100"),
        (json!([["contains", "visit:source", ["oog", "in"]]]), "3 | 3 | 5 | 0"),
        (json!([["contains_not", "visit:source", ["oog"]]]), "2 | 2 | 2 | 50"),
        (json!([["is", "visit:source", ["google"]]]), "0 | 0 | 0 | 0"),
        (json!([["is", "visit:source", ["google"], {"case_sensitive": false}]]), "2 | 2 | 4 | 0"),
        (json!([["contains", "visit:source", ["GOO"], {"case_sensitive": false}]]), "2 | 2 | 4 | 0"),
        (json!([["is", "visit:country", ["DE", "AT"]], ["is", "visit:source", ["Google"]]]), "2 | 2 | 4 | 0"),
        (json!([["or", [["is", "visit:country", ["AT"]], ["is", "visit:source", ["Bing"]]]]]), "2 | 2 | 3 | 0"),
        (json!([["not", ["and", [["is", "visit:country", ["DE"]], ["is", "visit:source", ["Google"]]]]]]), "3 | 3 | 4 | 33"),
        // Visitors, visits and pageviews of the page; the rate of the visits that saw it.
        (json!([["is", "event:page", ["/docs"]]]), "1 | 2 | 2 | 50"),
        (json!([["is_not", "event:page", ["/docs"]]]), "3 | 3 | 4 | 0"),
        (json!([["contains", "event:page", ["o", "pri"]]]), "2 | 3 | 3 | 33"),
        (json!([["is", "event:name", ["Signup"]]]), "1 | 1 | 0 | 0"),
        (json!([["is", "event:props:plan", ["pro"]]]), "1 | 1 | 0 | 0"),
        (json!([["is", "event:props:plan", ["(none)"]], ["is", "event:page", ["/docs"]]]), "1 | 2 | 2 | 50"),
        (json!([["is", "event:hostname", ["a.example"]]]), "3 | 4 | 6 | 25"),
        (json!([["is", "visit:entry_page", ["/docs"]]]), "2 | 2 | 2 | 50"),
        (json!([["is", "visit:exit_page", ["/prices"]], ["is", "event:page", ["/"]]]), "1 | 1 | 1 | 0"),
        (json!([["or", [["is", "visit:entry_page", ["/docs"]], ["is", "event:page", ["/prices"]]]]]), "3 | 3 | 3 | 33"),
        (json!([["is", "visit:source", ["'; DROP TABLE events; --"]]]), "0 | 0 | 0 | 0"),
        (json!([["is", "visit:city", ["(not set)"]]]), "3 | 4 | 6 | 25"),
    ] {
        check(&fixture, query(filters), &[expected]).await;
    }
}

#[tokio::test]
async fn pages_of_results() {
    let fixture = Fixture::new(&Layout::sealed(&rows()));
    let page = |limit: u64, offset: u64| {
        json!({"metrics": ["visits"], "date_range": DAY, "dimensions": ["visit:source"], "include": {"total_rows": true},
            "pagination": {"limit": limit, "offset": offset}})
    };
    for (limit, offset, expected) in
        [(2, 0, vec!["Google -> 2", "Bing -> 1"]), (2, 2, vec!["Direct / None -> 1"]), (2, 4, vec![])]
    {
        let answer = fixture.answer(page(limit, offset)).await;
        assert_eq!(lines(&answer), expected, "offset {offset}");
        assert_eq!(answer["meta"]["total_rows"], 3, "offset {offset}");
    }
}

#[tokio::test]
async fn the_shape_of_an_answer() {
    let fixture = Fixture::new(&Layout::sealed(&rows()));
    let query = json!({"metrics": ["visitors", "visit_duration"], "date_range": "7d", "dimensions": ["visit:device", "time:day"],
        "filters": [["is", "visit:browser", ["Firefox"]]], "include": {"total_rows": true}});
    insta::assert_json_snapshot!(fixture.answer(query).await);
}
