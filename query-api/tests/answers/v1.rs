//! The stats endpoints of the API v1.

use crate::fixture::{Fixture, KEY, Layout, Visit, at, get};
use axum::http::header;
use serde_json::{Value, json};
use weir_rollup::row::{EventRow, Opening};

/// Three visits of the 19th and 20th. Now is the 21st, 10:20 UTC.
fn rows() -> Vec<EventRow> {
    let opening = |visitor_id: u64, source: &str, country: &str, version: &str| Opening {
        visitor_id,
        source: source.to_owned(),
        country: country.to_owned(),
        browser: "Firefox".to_owned(),
        browser_version: version.to_owned(),
        utm_campaign: if source == "Google" { "spring|sale".to_owned() } else { String::new() },
        ..Opening::default()
    };
    let first = Visit::new(11, opening(1, "Google", "DE", "130"));
    let second = Visit::new(12, opening(2, "", "AT", "131"));
    let third = Visit::new(13, opening(3, "Bing", "", "131"));
    vec![
        first.event(1, at("2026-11-20T08:00:00Z"), "pageview", "/", &[]),
        first.event(2, at("2026-11-20T08:01:00Z"), "pageview", "/docs/a", &[]),
        first.event(3, at("2026-11-20T08:01:40Z"), "Download", "/docs/a", &[("method", "HTTP")]),
        second.event(4, at("2026-11-20T15:00:00Z"), "pageview", "/docs/b", &[]),
        third.event(5, at("2026-11-19T12:00:00Z"), "pageview", "/", &[]),
    ]
}

fn fixture() -> Fixture {
    Fixture::new(&Layout::sealed(&rows()))
}

fn encode(text: &str) -> String {
    text.bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

fn path(endpoint: &str, parameters: &[(&str, &str)]) -> String {
    let pairs: Vec<String> = parameters.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
    format!("/api/v1/stats/{endpoint}?site_id=a.example&{}", pairs.join("&"))
}

async fn ask(fixture: &Fixture, endpoint: &str, parameters: &[(&str, &str)]) -> Value {
    let (status, body) = fixture.send(get(&path(endpoint, parameters), Some(KEY))).await;
    let body: Value = serde_json::from_str(&body).unwrap_or_else(|_| panic!("not JSON: {body}"));
    assert!(status.is_success(), "{status}: {body} to {parameters:?}");
    assert_eq!(body.as_object().map(serde_json::Map::len), Some(1), "nothing but results: {body}");
    body["results"].clone()
}

async fn refused(fixture: &Fixture, endpoint: &str, parameters: &[(&str, &str)], code: &str, text: &str) {
    let (status, body) = fixture.send(get(&path(endpoint, parameters), Some(KEY))).await;
    let body: Value = serde_json::from_str(&body).unwrap_or_else(|_| panic!("not JSON: {body}"));
    assert_eq!((status.as_u16(), body), (400, json!({"error": text, "code": code})), "{parameters:?}");
}

#[tokio::test]
async fn aggregate() {
    let fixture = fixture();
    assert_eq!(ask(&fixture, "aggregate", &[]).await, json!({"visitors": {"value": 3}}), "30 days with today");
    let all = "visitors,visits,pageviews,views_per_visit,bounce_rate,visit_duration,events";
    assert_eq!(
        ask(&fixture, "aggregate", &[("period", "day"), ("date", "2026-11-20"), ("metrics", all)]).await,
        json!({"visitors": {"value": 2}, "visits": {"value": 2}, "pageviews": {"value": 3}, "views_per_visit": {"value": 1.5},
            "bounce_rate": {"value": 50}, "visit_duration": {"value": 50}, "events": {"value": 4}})
    );
    assert_eq!(ask(&fixture, "aggregate", &[("period", "day")]).await, json!({"visitors": {"value": 0}}), "today");
    assert_eq!(
        ask(&fixture, "aggregate", &[("period", "custom"), ("date", "2026-11-19,2026-11-19")]).await,
        json!({"visitors": {"value": 1}})
    );
    assert_eq!(ask(&fixture, "aggregate", &[("period", "7d"), ("date", "2026-11-19")]).await, json!({"visitors": {"value": 1}}));
    assert_eq!(
        ask(&fixture, "aggregate", &[("period", "6mo"), ("with_imported", "true")]).await,
        json!({"visitors": {"value": 3}})
    );
}

#[tokio::test]
async fn aggregate_compared() {
    let parameters = [
        ("period", "day"),
        ("date", "2026-11-20"),
        ("metrics", "visitors,pageviews,bounce_rate,visit_duration"),
        ("compare", "previous_period"),
    ];
    assert_eq!(
        ask(&fixture(), "aggregate", &parameters).await,
        json!({"visitors": {"value": 2, "comparison_value": 1, "change": 100}, "pageviews": {"value": 3, "comparison_value": 1, "change": 200},
            "bounce_rate": {"value": 50, "comparison_value": 100, "change": -50}, "visit_duration": {"value": 50, "comparison_value": 0, "change": 100}})
    );
}

#[tokio::test]
async fn timeseries() {
    let fixture = fixture();
    let days = ask(
        &fixture,
        "timeseries",
        &[("period", "custom"), ("date", "2026-11-18, 2026-11-20"), ("metrics", "visitors,bounce_rate,visit_duration")],
    )
    .await;
    assert_eq!(
        days,
        json!([{"date": "2026-11-18", "visitors": 0, "bounce_rate": null, "visit_duration": null},
            {"date": "2026-11-19", "visitors": 1, "bounce_rate": 100, "visit_duration": 0},
            {"date": "2026-11-20", "visitors": 2, "bounce_rate": 50, "visit_duration": 50}])
    );
    let hours = ask(&fixture, "timeseries", &[("period", "day"), ("date", "2026-11-20")]).await;
    let hours = hours.as_array().unwrap();
    assert_eq!(hours.len(), 24);
    assert_eq!(hours[8], json!({"date": "2026-11-20 08:00:00", "visitors": 1}));
    assert_eq!(hours[23], json!({"date": "2026-11-20 23:00:00", "visitors": 0}));
    let months = ask(&fixture, "timeseries", &[("period", "6mo")]).await;
    let labels: Vec<&str> = months.as_array().unwrap().iter().filter_map(|row| row["date"].as_str()).collect();
    assert_eq!(labels, ["2026-06-01", "2026-07-01", "2026-08-01", "2026-09-01", "2026-10-01", "2026-11-01"]);
    assert_eq!(months[5]["visitors"], 3);
    for interval in ["day", "date"] {
        let year = ask(&fixture, "timeseries", &[("period", "12mo"), ("interval", interval)]).await;
        assert_eq!(year.as_array().map(Vec::len), Some(365));
    }
    assert_eq!(ask(&fixture, "timeseries", &[("period", "7d")]).await.as_array().map(Vec::len), Some(7));
    assert_eq!(ask(&fixture, "timeseries", &[]).await.as_array().map(Vec::len), Some(30));
}

#[tokio::test]
async fn breakdown() {
    let fixture = fixture();
    let by = |property: &'static str| [("property", property), ("metrics", "visitors,bounce_rate")];
    assert_eq!(
        ask(&fixture, "breakdown", &by("visit:source")).await,
        json!([{"source": "Bing", "visitors": 1, "bounce_rate": 100}, {"source": "Direct / None", "visitors": 1, "bounce_rate": 100},
            {"source": "Google", "visitors": 1, "bounce_rate": 0}])
    );
    assert_eq!(
        ask(&fixture, "breakdown", &by("visit:browser_version")).await,
        json!([{"browser": "Firefox", "browser_version": "131", "visitors": 2, "bounce_rate": 100},
            {"browser": "Firefox", "browser_version": "130", "visitors": 1, "bounce_rate": 0}])
    );
    let pages = [("property", "event:page"), ("limit", "2"), ("page", "2")];
    assert_eq!(ask(&fixture, "breakdown", &pages).await, json!([{"page": "/docs/b", "visitors": 1}]));
    // What has no campaign is left out.
    assert_eq!(
        ask(&fixture, "breakdown", &[("property", "visit:utm_campaign")]).await,
        json!([{"utm_campaign": "spring|sale", "visitors": 1}])
    );
    let countries = json!([{"country": "AT", "visitors": 1}, {"country": "DE", "visitors": 1}]);
    assert_eq!(ask(&fixture, "breakdown", &[("property", "visit:country")]).await, countries);
    let methods = [("property", "event:props:method"), ("filters", "event:name==Download")];
    assert_eq!(ask(&fixture, "breakdown", &methods).await, json!([{"method": "HTTP", "visitors": 1}]));
}

#[tokio::test]
async fn filters() {
    let fixture = fixture();
    for (filters, visitors) in [
        ("visit:source==Google", 1),
        ("visit:source!=Google", 2),
        ("visit:source==Google|Bing", 2),
        ("visit:source==Direct / None", 1),
        (r"visit:utm_campaign==spring\|sale", 1),
        ("visit:source==Google;event:page==/", 1),
        ("event:props:method==HTTP", 1),
        ("event:hostname==a.example", 3),
        ("visit:country!=DE", 2),
        ("event:page==/docs/*", 2),
        ("event:page!=/docs/*", 2),
        ("visit:source==x' OR 1=1 --", 0),
        ("", 3),
    ] {
        assert_eq!(
            ask(&fixture, "aggregate", &[("filters", filters)]).await,
            json!({"visitors": {"value": visitors}}),
            "{filters}"
        );
    }
}

#[tokio::test]
async fn faults() {
    let fixture = fixture();
    let check = async |endpoint: &str, parameters: &[(&str, &str)], code: &str, text: &str| {
        refused(&fixture, endpoint, parameters, code, text).await;
    };
    for endpoint in ["aggregate", "timeseries", "breakdown"] {
        let period = "Error parsing `period` parameter: invalid period `x`. Please find accepted values in our docs: https://plausible.io/docs/stats-api#time-periods";
        check(endpoint, &[("period", "x")], "invalid_period", period).await;
        let (status, _) = fixture.send(get(&format!("/api/v1/stats/{endpoint}?site_id=b.example"), Some(KEY))).await;
        assert_eq!(status.as_u16(), 401, "a foreign site");
        let (status, body) =
            fixture.send(get(&format!("/api/v1/stats/{endpoint}?site_id=a.example&period=7d&period=day"), Some(KEY))).await;
        assert!(status.as_u16() == 400 && body.contains("invalid_query_string"), "{body}");
        let (status, body) = fixture.send(get(&format!("/api/v1/stats/{endpoint}?site_id="), Some(KEY))).await;
        assert!(status.as_u16() == 400 && body.contains("missing_site_id"), "{body}");
    }
    let property = "The `property` parameter is required. Please provide at least one property to show a breakdown by.";
    check("breakdown", &[], "missing_property", property).await;
    let property = "Invalid property 'visit:x'. Please provide a valid property for the breakdown endpoint: https://plausible.io/docs/stats-api#properties";
    check("breakdown", &[("property", "visit:x")], "invalid_property", property).await;
    let host = "Property 'event:hostname' is currently not supported for breakdowns.  Please provide a valid property for the breakdown endpoint: https://plausible.io/docs/stats-api#properties";
    check("breakdown", &[("property", "event:hostname")], "hostname_breakdown", host).await;
    for limit in ["0", "1001", "x", "-1", "1.5", ""] {
        let text = "Please provide limit as a number between 1 and 1000.";
        check("breakdown", &[("property", "event:page"), ("limit", limit)], "invalid_limit", text).await;
    }
    for page in ["0", "x", "99999999999999999999"] {
        let parameters = [("property", "event:page"), ("page", page)];
        check("breakdown", &parameters, "invalid_page", "Please provide page as a positive number.").await;
    }
    let interval = "Error parsing `interval` parameter: invalid interval `hour`. Valid intervals are `day`, `month`";
    check("timeseries", &[("interval", "hour")], "invalid_interval", interval).await;
    check("aggregate", &[("metrics", "visitors,visitors")], "repeated_metric", "Metrics cannot be queried multiple times.").await;
    let compare = "Error parsing `compare` parameter: invalid comparison `x`. The only valid one is `previous_period`";
    check("aggregate", &[("compare", "x")], "invalid_compare", compare).await;
    let imported = "Error parsing `with_imported` parameter: `x` is neither `true` nor `false`";
    check("aggregate", &[("with_imported", "x")], "invalid_with_imported", imported).await;
}

#[tokio::test]
async fn v1_as_csv() {
    let fixture = fixture();
    let csv = async |endpoint: &str, parameters: &[(&str, &str)]| {
        let mut request = get(&path(endpoint, parameters), Some(KEY));
        request.headers_mut().insert(header::ACCEPT, "text/csv".parse().unwrap());
        fixture.send(request).await.1
    };
    let pages = [("property", "visit:source"), ("metrics", "visitors,pageviews")];
    assert_eq!(csv("breakdown", &pages).await, "source,visitors,pageviews\r\nBing,1,1\r\nDirect / None,1,1\r\nGoogle,1,2\r\n");
    let days = [("period", "custom"), ("date", "2026-11-18,2026-11-19"), ("metrics", "visitors,bounce_rate")];
    assert_eq!(csv("timeseries", &days).await, "date,visitors,bounce_rate\r\n2026-11-18,0,\r\n2026-11-19,1,100\r\n");
    let totals = [("period", "day"), ("date", "2026-11-20"), ("compare", "previous_period")];
    assert_eq!(csv("aggregate", &totals).await, "metric,value,comparison_value,change\r\nvisitors,2,1,100\r\n");
}
