//! Programs that other people wrote for Plausible, unmodified but for the host: they get the figures that are right.

use crate::fixture::{Fixture, KEY, Layout, NOW_MS, Visit, at};
use crate::served::{json, root, run, serve, tool};
use chrono::{DateTime, Days, NaiveDate, Utc};
use serde_json::{Value, json};
use std::sync::atomic::Ordering;
use std::time::SystemTime;
use weir_rollup::row::Opening;

/// Three page views of two visitors on a day, and one a minute before now.
fn fixture(day: NaiveDate, now_ms: u64) -> Fixture {
    let time = |clock: &str| at(&format!("{day}T{clock}Z"));
    let visit =
        |id: u64, source: &str| Visit::new(id, Opening { visitor_id: id, source: source.to_owned(), ..Opening::default() });
    let (one, two, now) = (visit(1, "Google"), visit(2, ""), visit(3, "Google"));
    let fixture = Fixture::new(&Layout::sealed(&[
        one.event(1, time("08:00:00"), "pageview", "/", &[]),
        one.event(2, time("08:01:00"), "pageview", "/docs", &[]),
        two.event(3, time("09:00:00"), "pageview", "/docs", &[]),
        now.event(4, now_ms as i64 - 60_000, "pageview", "/", &[]),
    ]));
    fixture.now_ms.store(now_ms, Ordering::Relaxed);
    fixture
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plausible_mcp() {
    let day = NaiveDate::from_ymd_opt(2026, 11, 19).unwrap();
    let fixture = fixture(day, NOW_MS);
    let url = serve(&fixture).await;
    let range = format!("{day},{day}");
    let calls = json!([
        ["doctor", {}],
        ["get_aggregate_stats", {"site_id": "https://a.example/", "date_range": range}],
        ["get_breakdown", {"site_id": "a.example", "property_name": "source", "date_range": range}],
        ["get_breakdown", {"site_id": "a.example", "property_name": "page", "date_range": range, "limit": 1}],
        ["get_timeseries", {"site_id": "a.example", "date_range": range}],
        ["get_timeseries", {"site_id": "a.example", "date_range": "6mo", "interval": "month"}],
        ["get_realtime_visitors", {"site_id": "a.example"}],
        ["get_aggregate_stats", {"site_id": "b.example", "date_range": range}],
        ["get_aggregate_stats", {"site_id": "a.example", "date_range": "fortnight"}],
    ]);
    let mut command = tool("clients", "python");
    let server = root().join(".tools/clients/bin/plausible-mcp");
    command.arg(root().join("tests/contract/mcp_session.py")).arg(server);
    // It keeps a note in the home directory.
    command.env("PLAUSIBLE_BASE_URL", &url).env("PLAUSIBLE_API_KEY", KEY).env("HOME", fixture.folder());
    let (is_done, answers, errors) = run(command, &calls.to_string()).await;
    assert!(is_done, "{errors}");
    let answers: Vec<String> = serde_json::from_str(&answers).unwrap_or_else(|_| panic!("{answers} {errors}"));
    let answer = |index: usize| json(&answers[index]);
    assert_eq!(answer(0)["status"], "healthy", "{answers:?}");
    assert_eq!(answer(1)["totals"], json!({"visitors": 2, "pageviews": 3, "bounce_rate": 50, "visit_duration": 30}));
    assert_eq!(answer(2)["results"], json!([{"source": "Direct / None", "visitors": 1}, {"source": "Google", "visitors": 1}]));
    assert_eq!(answer(3)["results"], json!([{"page": "/docs", "visitors": 2}]));
    assert_eq!(answer(4)["timeseries"], json!([{"date": day.to_string(), "visitors": 2}]));
    assert_eq!(answer(5)["data_points"], 6);
    assert_eq!(answer(6)["realtime_visitors"], 1);
    assert!(answers[7].starts_with("[ENVIRONMENT_FIXABLE: STOP & ASK HUMAN] Authentication failed (HTTP 401)"), "{}", answers[7]);
    assert!(answers[8].contains("HTTP 400") && answers[8].contains("invalid period `fortnight`"), "{}", answers[8]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn airbyte_source_plausible() {
    // It reads up to the day that its own clock shows. Two days before it, no visit of this minute can fall.
    let now_ms = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis() as u64;
    let day = DateTime::<Utc>::from_timestamp_millis(now_ms as i64).unwrap().date_naive() - Days::new(2);
    let fixture = fixture(day, now_ms);
    let url = serve(&fixture).await;
    let start = day - Days::new(1);
    let file = |name: &str, content: &Value| {
        let path = fixture.folder().join(name);
        std::fs::write(&path, content.to_string()).unwrap();
        path
    };
    let config = |key: &str| json!({"api_key": key, "site_id": "a.example", "api_url": format!("{url}/api/v1/stats"), "start_date": start.to_string()});
    let (good, bad) = (file("config.json", &config(KEY)), file("wrong.json", &config("nobody")));
    let source = async |arguments: &[&str]| {
        let mut command = tool("airbyte", "python");
        command.arg(root().join("tests/contract/airbyte_source.py")).args(arguments).env("HOME", fixture.folder());
        let (is_done, output, errors) = run(command, "").await;
        let messages = output.lines().filter_map(|line| serde_json::from_str(line).ok()).collect::<Vec<Value>>();
        (is_done, messages, errors)
    };
    let of =
        |messages: &[Value], kind: &str| messages.iter().find(|message| message["type"] == kind).cloned().unwrap_or_default();
    let (is_done, found, errors) = source(&["discover", "--config", good.to_str().unwrap()]).await;
    assert!(is_done, "{found:?} {errors}");
    let stream = of(&found, "CATALOG")["catalog"]["streams"][0].clone();
    assert_eq!(stream["name"], "stats");
    let catalog = file(
        "catalog.json",
        &json!({"streams": [{"stream": stream, "sync_mode": "full_refresh", "destination_sync_mode": "overwrite"}]}),
    );
    let (is_done, read, errors) =
        source(&["read", "--config", good.to_str().unwrap(), "--catalog", catalog.to_str().unwrap()]).await;
    assert!(is_done, "{read:?} {errors}");
    let records: Vec<&Value> =
        read.iter().filter(|message| message["type"] == "RECORD").map(|message| &message["record"]["data"]).collect();
    // Days without a visit have no bounce rate, and the connector leaves them out. Today may have the visit of the fixture's clock.
    assert_eq!(
        records.first(),
        Some(
            &&json!({"date": day.to_string(), "visitors": 2, "visits": 2, "pageviews": 3, "bounce_rate": 50, "visit_duration": 30})
        ),
        "{read:?}"
    );
    assert!(records.len() <= 2, "{records:?}");
    let (is_done, refused, _) =
        source(&["read", "--config", bad.to_str().unwrap(), "--catalog", catalog.to_str().unwrap()]).await;
    assert!(!is_done && !refused.iter().any(|message| message["type"] == "RECORD"), "{refused:?}");
}
