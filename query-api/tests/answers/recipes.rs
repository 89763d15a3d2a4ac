//! Questions that merchants ask, each as one query.

use crate::fixture::{Fixture, Layout, NOW_MS, Visit};
use crate::goals::with_revenue;
use chrono::{DateTime, SecondsFormat};
use serde_json::json;
use weir_rollup::row::Opening;

/// A shop: three visitors of a campaign, one from elsewhere; visits of the last half hour.
fn fixture() -> Fixture {
    let ago = |minutes: i64| NOW_MS as i64 - minutes * 60_000;
    let opening = |visitor_id: u64, source: &str, campaign: &str| Opening {
        visitor_id,
        source: source.to_owned(),
        utm_campaign: campaign.to_owned(),
        ..Opening::default()
    };
    let tea = [("product", "tea")];
    let pot = [("product", "pot")];
    let (one, two) = (Visit::new(1, opening(1, "Google", "spring")), Visit::new(2, opening(2, "Google", "spring")));
    let (three, four) = (Visit::new(3, opening(3, "Newsletter", "spring")), Visit::new(4, opening(4, "", "")));
    let order = |row, amount| with_revenue(row, "EUR", amount);
    let rows = vec![
        one.event(1, ago(20), "pageview", "/p/tea", &tea),
        one.event(2, ago(14), "pageview", "/p/tea", &tea),
        one.event(3, ago(13), "pageview", "/p/pot", &pot),
        order(one.event(4, ago(12), "Purchase", "/thanks", &[("product", "tea")]), 12_500_000),
        two.event(5, ago(11), "pageview", "/p/tea", &tea),
        order(two.event(6, ago(10), "Purchase", "/thanks", &[]), 20_000_000),
        order(two.event(7, ago(9), "Purchase", "/thanks", &[]), 2_500_000),
        three.event(8, ago(8), "pageview", "/", &[]),
        three.event(9, ago(7), "Signup", "/", &[]),
        four.event(10, ago(2), "pageview", "/p/pot", &pot),
        order(four.event(11, ago(1), "Purchase", "/thanks", &[]), 99_000_000),
    ];
    let definitions = json!({"goals": [{"id": 1, "display_name": "Purchase", "goal_type": "event", "event_name": "Purchase", "currency": "EUR"}]});
    Fixture::with(&Layout::sealed(&rows), &definitions)
}

#[tokio::test]
async fn product_views_in_the_last_fifteen_minutes() {
    let instant = |ms: i64| DateTime::from_timestamp_millis(ms).unwrap().to_rfc3339_opts(SecondsFormat::Secs, true);
    let query = json!({
        "metrics": ["pageviews", "visitors"],
        "dimensions": ["event:props:product"],
        "filters": [["is", "event:name", ["pageview"]], ["is_not", "event:props:product", ["(none)"]]],
        "date_range": [instant(NOW_MS as i64 - 15 * 60_000), instant(NOW_MS as i64)],
        "order_by": [["pageviews", "desc"], ["event:props:product", "asc"]],
    });
    assert_eq!(fixture().results(query).await, ["pot -> 2 | 2", "tea -> 2 | 2"]);
}

#[tokio::test]
async fn revenue_and_orders_by_source() {
    let query = json!({
        "metrics": ["total_revenue", "events", "average_revenue"],
        "dimensions": ["visit:source"],
        "filters": [["is", "event:goal", ["Purchase"]]],
        "date_range": "day",
    });
    let answer = fixture().answer(query).await;
    let rows = answer["results"].as_array().unwrap().iter().map(|row| {
        let metrics = &row["metrics"];
        format!("{} {} {} {}", row["dimensions"][0], metrics[0]["long"], metrics[1], metrics[2]["value"])
    });
    assert_eq!(rows.collect::<Vec<_>>(), [r#""Direct / None" "€99.00" 1 99.0"#, r#""Google" "€35.00" 3 11.667"#]);
}

#[tokio::test]
async fn conversion_of_a_campaign() {
    let query = json!({
        "metrics": ["visitors", "events", "conversion_rate"],
        "filters": [["is", "visit:utm_campaign", ["spring"]], ["is", "event:goal", ["Purchase"]]],
        "date_range": "day",
    });
    assert_eq!(fixture().results(query).await, ["2 | 3 | 66.67"]);
    let campaigns = json!({
        "metrics": ["visitors", "conversion_rate", "group_conversion_rate"],
        "dimensions": ["visit:utm_campaign"],
        "filters": [["is", "event:goal", ["Purchase"]]],
        "date_range": "day",
    });
    assert_eq!(fixture().results(campaigns).await, ["spring -> 2 | 50.0 | 66.67", "(not set) -> 1 | 25.0 | 100.0"]);
}
