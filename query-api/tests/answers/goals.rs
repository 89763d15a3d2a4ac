//! Goals, conversion, revenue and behaviour, with answers known by hand.

use crate::fixture::{Fixture, KEY, Layout, Visit, at, lines, post};
use serde_json::{Value, json};
use weir_event::model::Revenue;
use weir_rollup::row::{EventRow, Opening};

const DAY: [&str; 2] = ["2026-11-20", "2026-11-20"];

pub(crate) fn with_revenue(mut row: EventRow, currency: &str, amount_micros: i64) -> EventRow {
    row.revenue = Some(Revenue { currency: currency.to_owned(), amount_micros });
    row
}

pub(crate) fn with_scroll(mut row: EventRow, percent: u8) -> EventRow {
    row.scroll_depth = Some(percent);
    row
}

fn definitions() -> Value {
    json!({
        "goals": [
            {"id": 1, "display_name": "Signup", "goal_type": "event", "event_name": "Signup"},
            {"id": 2, "display_name": "Signup pro", "goal_type": "event", "event_name": "Signup", "custom_props": {"plan": "pro"}},
            {"id": 3, "display_name": "Purchase", "goal_type": "event", "event_name": "Purchase", "currency": "EUR"},
            {"id": 4, "display_name": "Tip", "goal_type": "event", "event_name": "Tip", "currency": "USD"},
            {"id": 5, "display_name": "Visit /blog*", "goal_type": "page", "page_path": "/blog*"},
            {"id": 6, "display_name": "Read", "goal_type": "scroll", "page_path": "/blog/**", "scroll_threshold": 50},
            {"id": 7, "display_name": "Never", "goal_type": "event", "event_name": "Never"},
        ],
        "segments": [
            {"id": 1, "name": "Google", "type": "site", "owner": "x", "filters": [["is", "visit:source", ["Google"]]]},
            {"id": 2, "name": "Bing", "type": "personal", "owner": KEY, "filters": [["is", "visit:source", ["Bing"]]]},
            {"id": 3, "name": "hers", "type": "personal", "owner": "x", "filters": [["is", "visit:source", ["Bing"]]]},
        ],
    })
}

/// Five visits of four visitors on 20 November.
fn rows() -> Vec<EventRow> {
    let opening = |visitor_id: u64, source: &str| Opening { visitor_id, source: source.to_owned(), ..Opening::default() };
    let time = |clock: &str| at(&format!("2026-11-20T{clock}:00Z"));
    // Visitor 1 by Google: reads half a post, signs up for pro, buys twice, once in dollars.
    let one = Visit::new(11, opening(1, "Google"));
    // Visitor 1 again, directly: nothing but a look.
    let again = Visit::new(12, opening(1, ""));
    // Visitor 2 by Google: signs up for free, reads a post hardly.
    let two = Visit::new(13, opening(2, "Google"));
    // Visitor 3 by Bing: buys without an amount, tips.
    let three = Visit::new(14, opening(3, "Bing"));
    // Visitor 4 by Bing: the list of posts.
    let four = Visit::new(15, opening(4, "Bing"));
    vec![
        one.event(1, time("08:00"), "pageview", "/blog/rust", &[]),
        with_scroll(one.event(2, time("08:01"), "engagement", "/blog/rust", &[]), 50),
        one.event(3, time("08:02"), "Signup", "/join", &[("plan", "pro")]),
        with_revenue(one.event(4, time("08:03"), "Purchase", "/shop", &[("product", "tea")]), "EUR", 19_990_000),
        with_revenue(one.event(5, time("08:04"), "Purchase", "/shop", &[("product", "pot")]), "EUR", 30_000_000),
        with_revenue(one.event(6, time("08:05"), "Purchase", "/shop", &[("product", "tea")]), "USD", 7_000_000),
        again.event(7, time("12:00"), "pageview", "/", &[]),
        two.event(8, time("09:00"), "pageview", "/blog/rust", &[]),
        with_scroll(two.event(9, time("09:01"), "engagement", "/blog/rust", &[]), 49),
        two.event(10, time("09:02"), "Signup", "/join", &[("plan", "free")]),
        three.event(11, time("10:00"), "pageview", "/shop", &[]),
        three.event(12, time("10:01"), "Purchase", "/shop", &[]),
        with_revenue(three.event(13, time("10:02"), "Tip", "/shop", &[]), "USD", 5_000_000),
        four.event(14, time("11:00"), "pageview", "/blog", &[]),
    ]
}

fn fixture() -> Fixture {
    Fixture::with(&Layout::sealed(&rows()), &definitions())
}

async fn check(fixture: &Fixture, mut query: Value, expected: &[&str]) {
    query.as_object_mut().unwrap().insert("date_range".to_owned(), json!(DAY));
    assert_eq!(fixture.results(query.clone()).await, expected, "{query}");
}

#[tokio::test]
async fn goals_as_dimension() {
    let fixture = fixture();
    check(
        &fixture,
        json!({"metrics": ["visitors", "visits", "events", "pageviews", "conversion_rate", "percentage"], "dimensions": ["event:goal"]}),
        &[
            "Visit /blog* -> 3 | 3 | 3 | 3 | 75.0 | 75.0",
            "Purchase -> 2 | 2 | 4 | 0 | 50.0 | 50.0",
            "Signup -> 2 | 2 | 2 | 0 | 50.0 | 50.0",
            "Read -> 1 | 1 | null | 0 | 25.0 | 25.0",
            "Signup pro -> 1 | 1 | 1 | 0 | 25.0 | 25.0",
            "Tip -> 1 | 1 | 1 | 0 | 25.0 | 25.0",
        ],
    )
    .await;
    check(
        &fixture,
        json!({"metrics": ["visitors"], "dimensions": ["event:goal"], "filters": [["contains", "event:goal", ["Signup", "Never"]]],
            "order_by": [["event:goal", "desc"]]}),
        &["Signup pro -> 1", "Signup -> 2"],
    )
    .await;
    check(
        &fixture,
        json!({"metrics": ["visitors", "events"], "dimensions": ["event:goal", "visit:source"], "filters": [["is", "event:goal", ["Purchase", "Read"]]],
            "order_by": [["event:goal", "asc"], ["visit:source", "asc"]]}),
        &["Purchase | Bing -> 1 | 1", "Purchase | Google -> 1 | 3", "Read | Google -> 1 | null"],
    )
    .await;
    let bare = Fixture::new(&Layout::sealed(&rows()));
    check(&bare, json!({"metrics": ["visitors", "conversion_rate"], "dimensions": ["event:goal"]}), &[]).await;
}

#[tokio::test]
async fn goals_as_filter() {
    let fixture = fixture();
    for (goals, expected) in [
        (json!(["Signup"]), "2 | 2 | 2 | 0 | 50.0"),
        (json!(["Signup pro"]), "1 | 1 | 1 | 0 | 25.0"),
        (json!(["Visit /blog*"]), "3 | 3 | 3 | 3 | 75.0"),
        (json!(["Read"]), "1 | 1 | null | 0 | 25.0"),
        (json!(["Read", "Signup"]), "2 | 2 | null | 0 | 50.0"),
        (json!(["Purchase", "Tip"]), "2 | 2 | 5 | 0 | 50.0"),
        (json!(["Never"]), "0 | 0 | 0 | 0 | 0.0"),
    ] {
        let filters = json!([["is", "event:goal", goals]]);
        check(
            &fixture,
            json!({"metrics": ["visitors", "visits", "events", "pageviews", "conversion_rate"], "filters": filters}),
            &[expected],
        )
        .await;
    }
    // No goal contains it: nothing matches, and nobody is refused.
    check(&fixture, json!({"metrics": ["visitors"], "filters": [["contains", "event:goal", ["zzz"]]]}), &["0"]).await;
    // Figures of the visits with a conversion.
    check(
        &fixture,
        json!({"metrics": ["bounce_rate", "visit_duration"], "filters": [["is", "event:goal", ["Signup"]]]}),
        &["0 | 210"],
    )
    .await;
    check(
        &fixture,
        json!({"metrics": ["visitors"], "dimensions": ["time:hour"], "filters": [["is", "event:goal", ["Signup"]]]}),
        &["2026-11-20 08:00:00 -> 1", "2026-11-20 09:00:00 -> 1"],
    )
    .await;
}

#[tokio::test]
async fn the_divisor_of_conversions() {
    let fixture = fixture();
    // Goals and properties do not narrow it; pages and visits do.
    let query = |filters: Value| json!({"metrics": ["visitors", "conversion_rate", "group_conversion_rate"], "filters": filters});
    for (filters, expected) in [
        (json!([["is", "event:goal", ["Signup"]], ["is", "event:props:plan", ["pro"]]]), "1 | 25.0 | 25.0"),
        (json!([["is", "event:goal", ["Signup"]], ["is", "visit:source", ["Google"]]]), "2 | 100.0 | 100.0"),
        (json!([["is", "event:goal", ["Purchase"]], ["is", "event:page", ["/shop"]]]), "2 | 100.0 | 100.0"),
        (json!([["is", "event:goal", ["Signup"]], ["is_not", "visit:entry_page", ["/"]]]), "2 | 50.0 | 50.0"),
        (json!([["is", "event:goal", ["Signup"]], ["has_done", ["is", "event:page", ["/blog/rust"]]]]), "2 | 100.0 | 100.0"),
        (json!([["is", "event:goal", ["Signup"]], ["contains", "visit:source", ["nowhere"]]]), "0 | 0.0 | 0.0"),
    ] {
        check(&fixture, query(filters), &[expected]).await;
    }
    check(
        &fixture,
        json!({"metrics": ["visitors", "conversion_rate", "group_conversion_rate"], "dimensions": ["visit:source"],
            "filters": [["is", "event:goal", ["Purchase"]]], "order_by": [["visit:source", "asc"]]}),
        &["Bing -> 1 | 25.0 | 50.0", "Google -> 1 | 25.0 | 50.0"],
    )
    .await;
    check(
        &fixture,
        json!({"metrics": ["group_conversion_rate"], "dimensions": ["visit:source", "event:goal"],
            "filters": [["is", "event:goal", ["Purchase", "Signup"]]], "order_by": [["visit:source", "asc"], ["event:goal", "asc"]]}),
        &["Bing | Purchase -> 50.0", "Google | Purchase -> 50.0", "Google | Signup -> 100.0"],
    )
    .await;
    check(
        &fixture,
        json!({"metrics": ["group_conversion_rate", "bounce_rate"], "dimensions": ["visit:source"],
            "filters": [["is", "event:goal", ["Purchase"]]], "order_by": [["visit:source", "asc"]]}),
        &["Bing -> 50.0 | 0", "Google -> 50.0 | 0"],
    )
    .await;
}

#[tokio::test]
async fn conversions_by_where_visits_began() {
    let fixture = fixture();
    check(
        &fixture,
        json!({"metrics": ["visitors", "conversion_rate", "group_conversion_rate"], "dimensions": ["visit:entry_page"],
            "filters": [["is", "event:goal", ["Purchase"]]], "order_by": [["visit:entry_page", "asc"]]}),
        &["/blog/rust -> 1 | 25.0 | 50.0", "/shop -> 1 | 25.0 | 100.0"],
    )
    .await;
    check(
        &fixture,
        json!({"metrics": ["visitors", "events", "group_conversion_rate"], "dimensions": ["event:props:product"],
            "filters": [["is", "event:goal", ["Purchase"]]], "order_by": [["event:props:product", "asc"]]}),
        &["(none) -> 1 | 1 | 25.0", "pot -> 1 | 1 | 100.0", "tea -> 1 | 2 | 100.0"],
    )
    .await;
    check(
        &fixture,
        json!({"metrics": ["visitors", "group_conversion_rate"], "dimensions": ["time:hour"],
            "filters": [["is", "event:goal", ["Signup"]]]}),
        &["2026-11-20 08:00:00 -> 1 | 100.0", "2026-11-20 09:00:00 -> 1 | 100.0"],
    )
    .await;
}

#[tokio::test]
async fn revenue_by_currency() {
    let fixture = fixture();
    let answer = |query: Value| {
        let fixture = &fixture;
        let mut query = query;
        query.as_object_mut().unwrap().insert("date_range".to_owned(), json!(DAY));
        async move { fixture.answer(query).await }
    };
    let money = |value: f64, currency: &str, short: &str, long: &str| json!({"value": value, "currency": currency, "short": short, "long": long});
    // The amount in dollars is not the goal's.
    let total =
        answer(json!({"metrics": ["total_revenue", "average_revenue"], "filters": [["is", "event:goal", ["Purchase"]]]})).await;
    assert_eq!(
        total["results"][0]["metrics"],
        json!([money(49.99, "EUR", "€50.0", "€49.99"), money(24.995, "EUR", "€25.0", "€25.00")])
    );
    assert!(total["meta"].get("metric_warnings").is_none());
    // Beside a goal without currency.
    let mixed = answer(json!({"metrics": ["total_revenue"], "filters": [["is", "event:goal", ["Purchase", "Signup"]]]})).await;
    assert_eq!(mixed["results"][0]["metrics"], json!([money(49.99, "EUR", "€50.0", "€49.99")]));
    let by_goal =
        answer(json!({"metrics": ["visitors", "total_revenue", "average_revenue"], "dimensions": ["event:goal"],
        "order_by": [["total_revenue", "desc"], ["event:goal", "asc"]], "filters": [["is", "event:goal", ["Purchase", "Tip", "Signup"]]]}))
        .await;
    insta::assert_json_snapshot!(by_goal["results"], @r#"
    [
      {
        "metrics": [
          2,
          {
            "value": 49.99,
            "currency": "EUR",
            "short": "€50.0",
            "long": "€49.99"
          },
          {
            "value": 24.995,
            "currency": "EUR",
            "short": "€25.0",
            "long": "€25.00"
          }
        ],
        "dimensions": [
          "Purchase"
        ]
      },
      {
        "metrics": [
          1,
          {
            "value": 5.0,
            "currency": "USD",
            "short": "$5.0",
            "long": "$5.00"
          },
          {
            "value": 5.0,
            "currency": "USD",
            "short": "$5.0",
            "long": "$5.00"
          }
        ],
        "dimensions": [
          "Tip"
        ]
      },
      {
        "metrics": [
          2,
          null,
          null
        ],
        "dimensions": [
          "Signup"
        ]
      }
    ]
    "#);
    let nothing =
        answer(json!({"metrics": ["total_revenue"], "filters": [["is", "event:goal", ["Tip"]], ["is", "visit:source", ["x"]]]}))
            .await;
    assert_eq!(nothing["results"][0]["metrics"], json!([money(0.0, "USD", "$0.0", "$0.00")]));
}

#[tokio::test]
async fn revenue_that_has_no_value_says_why() {
    let fixture = fixture();
    let several = json!({"code": "no_single_revenue_currency", "warning": "Revenue metrics are null as there are multiple currencies for the selected event:goals."});
    let none = json!({"code": "no_revenue_goals_matching", "warning": "Revenue metrics are null as there are no matching revenue goals."});
    for (filters, total_rows, warning) in [
        (json!([["is", "event:goal", ["Purchase", "Tip"]]]), false, &several),
        (json!([["is", "event:goal", ["Signup"]]]), true, &none),
        (json!([]), false, &none),
    ] {
        let query = json!({"metrics": ["average_revenue", "total_revenue"], "date_range": DAY, "filters": filters, "include": {"total_rows": total_rows}});
        let answer = fixture.answer(query).await;
        assert_eq!(answer["meta"]["metric_warnings"], json!({"average_revenue": warning, "total_revenue": warning}));
        if !total_rows {
            assert_eq!(answer["results"], json!([{"metrics": [null, null], "dimensions": []}]));
        }
    }
    let quiet =
        fixture.answer(json!({"metrics": ["visitors"], "date_range": DAY, "filters": [["is", "event:goal", ["Signup"]]]})).await;
    assert!(quiet["meta"].get("metric_warnings").is_none());
}

#[tokio::test]
async fn sums_past_what_fits_are_the_largest_that_does() {
    let visit = Visit::new(1, Opening { visitor_id: 1, ..Opening::default() });
    let row = |seq: u64| with_revenue(visit.event(seq, at("2026-11-20T08:00:00Z"), "Tip", "/", &[]), "USD", i64::MAX);
    let fixture = Fixture::with(&Layout::sealed(&[row(1), row(2), row(3)]), &definitions());
    let query =
        json!({"metrics": ["total_revenue", "average_revenue"], "date_range": DAY, "filters": [["is", "event:goal", ["Tip"]]]});
    let answer = fixture.answer(query).await;
    for metric in [0, 1] {
        assert_eq!(answer["results"][0]["metrics"][metric]["short"], "$9.2T");
    }
}

#[tokio::test]
async fn behaviour() {
    let fixture = fixture();
    let query = |filters: Value| json!({"metrics": ["visitors", "visits", "pageviews", "bounce_rate"], "filters": filters});
    for (filters, expected) in [
        (json!([["has_done", ["is", "event:goal", ["Signup"]]]]), "2 | 2 | 2 | 0"),
        (json!([["has_not_done", ["is", "event:goal", ["Signup"]]]]), "3 | 3 | 3 | 67"),
        (json!([["not", ["has_done", ["is", "event:name", ["Signup"]]]]]), "3 | 3 | 3 | 67"),
        (json!([["has_done", ["is", "event:goal", ["Read"]]]]), "1 | 1 | 1 | 0"),
        // Reading is no event of its own.
        (json!([["has_done", ["is", "event:name", ["engagement"]]]]), "0 | 0 | 0 | 0"),
        (json!([["has_done", ["or", [["is", "event:name", ["engagement"]], ["is", "event:goal", ["Read"]]]]]]), "1 | 1 | 1 | 0"),
        // Both of one event, and each of another.
        (json!([["has_done", ["and", [["is", "event:page", ["/shop"]], ["is", "event:name", ["Signup"]]]]]]), "0 | 0 | 0 | 0"),
        (json!([["has_done", ["is", "event:page", ["/shop"]]], ["has_done", ["is", "event:name", ["Signup"]]]]), "1 | 1 | 1 | 0"),
        (json!([["has_done", ["is", "event:page", ["/shop"]]], ["is", "visit:source", ["Bing"]]]), "1 | 1 | 1 | 0"),
        (json!([["has_done", ["is", "event:name", ["Purchase"]]], ["is", "event:page", ["/shop"]]]), "2 | 2 | 1 | 0"),
        (json!([["or", [["has_done", ["is", "event:name", ["Tip"]]], ["is", "visit:entry_page", ["/"]]]]]), "2 | 2 | 2 | 50"),
        (json!([["has_done", ["is_not", "event:props:plan", ["(none)"]]]]), "2 | 2 | 2 | 0"),
    ] {
        check(&fixture, query(filters), &[expected]).await;
    }
    check(
        &fixture,
        json!({"metrics": ["visitors", "pageviews"], "dimensions": ["event:page"], "filters": [["has_done", ["is", "event:goal", ["Signup"]]]],
            "order_by": [["event:page", "asc"]]}),
        &["/blog/rust -> 2 | 2", "/join -> 2 | 0", "/shop -> 1 | 0"],
    )
    .await;
}

#[tokio::test]
async fn patterns() {
    let fixture = fixture();
    let query = |filters: Value| json!({"metrics": ["events"], "filters": filters});
    for (filters, expected) in [
        (json!([["matches", "event:page", ["^/b.*t$"]]]), "2"),
        (json!([["matches", "event:page", ["^/blog$", "join"]]]), "3"),
        (json!([["matches", "event:page", ["BLOG"]]]), "0"),
        (json!([["matches", "event:page", ["(?i)BLOG"]]]), "3"),
        (json!([["matches_not", "event:page", ["^/(blog|join)"]]]), "7"),
        (json!([["matches_wildcard", "event:page", ["/blog*"]]]), "3"),
        (json!([["matches_wildcard", "event:page", ["/blog/**", "*oi*"]]]), "4"),
        (json!([["matches_wildcard", "event:page", ["blog"]]]), "0"),
        (json!([["matches_wildcard", "event:page", ["/b%", "/_hop", "/b.og"]]]), "0"),
        (json!([["matches_wildcard_not", "event:page", ["/blog*"]]]), "9"),
        (json!([["matches", "visit:source", ["oo|ng$"]]]), "11"),
        (json!([["matches", "event:props:plan", ["."]]]), "2"),
        // Only what has the property is without it.
        (json!([["matches_not", "event:props:plan", ["^p"]]]), "1"),
        (json!([["contains_not", "event:props:plan", ["pro"]]]), "1"),
        (json!([["contains", "event:props:plan", ["none"]]]), "0"),
        (json!([["matches_wildcard_not", "event:props:plan", ["p*"]]]), "1"),
        (json!([["is_not", "event:props:plan", ["pro"]]]), "11"),
        (json!([["matches", "event:page", ["'; DROP TABLE events; --", "\\'", "$1", "join"]]]), "2"),
        (json!([["matches", "event:page", ["ü", "\\p{Greek}", "[[:alpha:]]join", "a\u{0}b"]]]), "0"),
    ] {
        check(&fixture, query(filters), &[expected]).await;
    }
}

#[tokio::test]
async fn patterns_that_cannot_be_compiled_are_refused() {
    let fixture = fixture();
    for pattern in ["(", "[a", "a{1001}", "(?=a)", "\\1", "(?P<n", "*", "((((a{100}){100}){100}){100})", "\\p{Nothing}"] {
        for filter in
            [json!(["matches", "event:page", ["ok", pattern]]), json!(["has_done", ["matches_not", "event:props:x", [pattern]]])]
        {
            let body = json!({"site_id": "a.example", "metrics": ["visitors"], "date_range": DAY, "filters": [filter]});
            let (status, text) = fixture.send(post(KEY, &body.to_string())).await;
            assert_eq!(status.as_u16(), 400, "{text} to {body}");
            let error: Value = serde_json::from_str(&text).unwrap();
            let expected = format!(
                "Invalid filters. The pattern `{pattern}` is not a valid regular expression (RE2 syntax), or too complex."
            );
            assert_eq!(error["error"], expected, "{body}");
        }
    }
    // The connection is as good as before.
    check(&fixture, json!({"metrics": ["visitors"]}), &["4"]).await;
}

#[tokio::test]
async fn segments() {
    let fixture = fixture();
    let query = |filters: Value| json!({"metrics": ["visitors", "visits"], "filters": filters});
    check(&fixture, query(json!([["is", "segment", [1]]])), &["2 | 2"]).await;
    check(&fixture, query(json!([["is", "segment", [2]]])), &["2 | 2"]).await;
    check(&fixture, query(json!([["is", "segment", [1, 2]]])), &["4 | 4"]).await;
    check(&fixture, query(json!([["not", ["is", "segment", [1, 2]]]])), &["1 | 1"]).await;
    let body = json!({"site_id": "a.example", "metrics": ["visitors"], "date_range": DAY, "filters": [["is", "segment", [3]]]});
    let (status, text) = fixture.send(post(KEY, &body.to_string())).await;
    assert_eq!(status.as_u16(), 400);
    assert!(text.contains("Some segments don't exist or aren't accessible."), "{text}");
    let answer = fixture.answer(json!({"metrics": ["visitors"], "date_range": DAY, "filters": [["is", "segment", [1]]]})).await;
    assert_eq!(answer["query"]["filters"], json!([["is", "segment", [1]]]));
    assert_eq!(lines(&answer), ["2"]);
}
