//! The queries of a dashboard over thirty days of one site with a million events.

use crate::LOG_SITE;
use crate::report::{Report, percentile};
use anyhow::{Result, ensure};
use serde_json::{Value, json};
use std::time::Instant;
use weir_tests::process;
use weir_tests::query::{Stats, merge};
use weir_tests::weir::Weir;

/// Runs of each query. Processor time comes in steps of 10 ms, so the mean of many is taken.
const RUNS: u64 = 20;

/// Runs each query of the set and reports processor and clock time.
pub(crate) async fn dashboard(weir: &Weir, report: &mut Report) -> Result<()> {
    let stats = Stats::admin(weir, LOG_SITE)?;
    let list = |dimension: &str, metrics: Value| json!({"metrics": metrics, "dimensions": [dimension]});
    let set = [
        ("totals", json!({"metrics": ["visitors", "visits", "pageviews", "views_per_visit", "bounce_rate", "visit_duration"]})),
        ("visitors by day", list("time:day", json!(["visitors", "pageviews"]))),
        ("top pages", list("event:page", json!(["visitors", "pageviews"]))),
        ("sources", list("visit:source", json!(["visitors"]))),
        ("devices", list("visit:device", json!(["visitors"]))),
        ("countries", list("visit:country", json!(["visitors"]))),
        (
            "one page, by day",
            json!({"metrics": ["visitors"], "dimensions": ["time:day"], "filters": [["is", "event:page", ["/section-0/page-0"]]]}),
        ),
        ("visitors by hour", list("time:hour", json!(["visitors"]))),
    ];
    let query_api = weir.pid("query-api")?;
    let (mut sum_cpu, mut sum_wall) = (0.0, 0.0);
    for (name, query) in set {
        let mut walls = Vec::new();
        let mut before = process::cpu_seconds(query_api)?;
        for run in 0..=RUNS {
            // Another limit each time: no answer may come from a cache.
            let mut request = json!({"date_range": "30d", "pagination": {"limit": 9_000 - run}});
            merge(&mut request, query.clone());
            let started = Instant::now();
            let rows = stats.rows(&request).await?;
            ensure!(!rows.is_empty(), "{name}: no rows");
            if run == 0 {
                // The first warms the files' pages.
                before = process::cpu_seconds(query_api)?;
            } else {
                walls.push(started.elapsed().as_secs_f64() * 1000.0);
            }
        }
        let cpu = (process::cpu_seconds(query_api)? - before) * 1000.0 / RUNS as f64;
        let (p50, p99) = (percentile(&mut walls, 0.5), percentile(&mut walls, 0.99));
        report.add(
            &format!("30-day query, 1 M-event site: {name}"),
            format!("{cpu:.1} ms CPU; clock p50 {p50:.1} ms, max {p99:.1} ms"),
            "≤ 5 ms CPU",
        );
        sum_cpu += cpu;
        sum_wall += p50;
    }
    report.add("30-day dashboard, all of these one after the other", format!("{sum_cpu:.0} ms CPU, {sum_wall:.0} ms"), "");
    Ok(())
}
