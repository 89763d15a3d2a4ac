//! Who a visitor is across midnight UTC, when NATS is away and the edge is killed at the same time. The worker's clock is moved so that
//! midnight comes soon.

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use weir_tests::collector::{Collector, Visitor, pageview};
use weir_tests::poll::{Look, soft, until, until_true};
use weir_tests::process;
use weir_tests::query::Stats;
use weir_tests::weir::Weir;

const SITE: &str = "midnight.example";
const DAY_MS: i64 = 86_400_000;
/// Time for the start and the events before midnight.
const BEFORE_MIDNIGHT_MS: i64 = 30_000;

fn now_ms() -> Result<i64> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() as i64)
}

/// The events on the stream with their ids, by path.
async fn event(weir: &Weir, path: &str) -> Result<Value> {
    let output = weir.output(&["tail", "--from-seq", "1", "--until-end"]).await?;
    let lines = String::from_utf8(output.stdout)?;
    let events = lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()).map(|line| line["event"].clone());
    events.into_iter().find(|event| event["pathname"] == path).with_context(|| format!("{path} is not on the stream: {lines}"))
}

/// Sends until the collector takes it: the worker may just be starting.
async fn send(weir: &Weir, path: &str) -> Result<()> {
    until(&format!("{path} is taken"), Duration::from_secs(20), async || {
        let collector = Collector::of(weir)?;
        Ok(soft(collector.send(&Visitor::number(1), &pageview(SITE, path)).await.map(Look::Done)))
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_visit_survives_midnight_an_outage_and_a_restart() -> Result<()> {
    let now = now_ms()?;
    let offset_ms = -(now % DAY_MS) - BEFORE_MIDNIGHT_MS;
    let midnight_ms = now + BEFORE_MIDNIGHT_MS;
    let weir = Weir::start_with(&[("WEIR_TEST_CLOCK_OFFSET_MS", &offset_ms.to_string())]).await?;
    weir.add_site(SITE).await?;
    send(&weir, "/before").await?;
    ensure!(now_ms()? < midnight_ms, "the start took longer than {BEFORE_MIDNIGHT_MS} ms");
    let before = event(&weir, "/before").await?;

    process::signal(weir.pid("nats")?, Signal::SIGSTOP);
    until_true("midnight", Duration::from_mins(1), async || now_ms().is_ok_and(|now| now > midnight_ms + 1_000)).await?;
    send(&weir, "/after").await?;
    let killed = weir.kill("workerd")?;
    weir.restarted("workerd", killed, Duration::from_secs(10)).await?;
    send(&weir, "/restarted").await?;
    process::signal(weir.pid("nats")?, Signal::SIGCONT);

    let stats = Stats::admin(&weir, SITE)?;
    let dates = json!({"date_range": [day(now - 2 * DAY_MS), day(now + DAY_MS)]});
    let metrics = ["visitors", "visits", "pageviews"];
    stats.await_total(Duration::from_secs(30), &metrics, dates, &[1.0, 1.0, 3.0]).await?;
    let (after, restarted) = (event(&weir, "/after").await?, event(&weir, "/restarted").await?);
    ensure!(before["visitor_id"] != after["visitor_id"], "midnight makes another id: {before} {after}");
    ensure!(before["visitor_id"] == after["previous_visitor_id"], "the former id travels along: {before} {after}");
    ensure!(after["visitor_id"] == restarted["visitor_id"], "a restart changes nothing: {after} {restarted}");
    Ok(())
}

fn day(ms: i64) -> String {
    chrono::DateTime::from_timestamp_millis(ms).unwrap_or_default().format("%Y-%m-%d").to_string()
}
