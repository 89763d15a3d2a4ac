//! Events through the real edge: how many a core takes durably, and how soon one is visible.

use crate::EDGE_SITE;
use crate::report::{Report, grouped, percentile};
use anyhow::{Result, ensure};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use weir_tests::collector::{Collector, Visitor, pageview};
use weir_tests::process;
use weir_tests::query::Stats;
use weir_tests::weir::Weir;

const PROBES: u32 = 100;
/// Senders at once, each with a connection of its own.
const SENDERS: u32 = 48;
const LOAD_FOR: Duration = Duration::from_secs(12);
const NO_OP_FOR: Duration = Duration::from_secs(4);

/// Sends single events and asks for each until it is counted.
pub(crate) async fn send_to_visible(weir: &Weir, report: &mut Report) -> Result<()> {
    let collector = Collector::of(weir)?;
    let stats = Stats::admin(weir, EDGE_SITE)?;
    let (mut visible, mut acknowledged) = (Vec::new(), Vec::new());
    for number in 0..PROBES {
        let page = format!("/probe/{number}");
        let sent = Instant::now();
        collector.send(&Visitor::number(number), &pageview(EDGE_SITE, &page)).await?;
        acknowledged.push(sent.elapsed().as_secs_f64() * 1000.0);
        loop {
            let found = stats.total(&["pageviews"], json!({"filters": [["is", "event:page", [page]]]})).await?;
            if found == [1.0] {
                break;
            }
            ensure!(sent.elapsed() < Duration::from_secs(20), "{page} is not visible after 20 s");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        visible.push(sent.elapsed().as_secs_f64() * 1000.0);
    }
    let text = |values: &mut [f64]| format!("p50 {:.0} ms, p99 {:.0} ms", percentile(values, 0.5), percentile(values, 0.99));
    report.add("event sent → acknowledged, idle", text(&mut acknowledged), "");
    report.add("event sent → visible in a query, idle", text(&mut visible), "p99 ≤ 2 s");
    Ok(())
}

/// What a request costs that does nothing: how fast this machine is at the moment, to read the next figures by.
pub(crate) async fn no_op(weir: &Weir, report: &mut Report) -> Result<()> {
    let workerd = weir.pid("workerd")?;
    let before = process::cpu_seconds(workerd)?;
    let (started, answered) = (Instant::now(), Arc::new(AtomicU64::new(0)));
    let mut senders = JoinSet::new();
    for _ in 0..SENDERS {
        let (collector, answered) = (Collector::of(weir)?, answered.clone());
        senders.spawn(async move {
            while started.elapsed() < NO_OP_FOR {
                if collector.client().get(format!("{}/nothing", collector.url())).send().await.is_ok() {
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
    }
    while let Some(joined) = senders.join_next().await {
        joined?;
    }
    let rate = answered.load(Ordering::Relaxed) as f64 / (process::cpu_seconds(workerd)? - before);
    report.add("workerd, a request that does nothing (for comparison)", format!("{} requests/s/core", grouped(rate)), "");
    Ok(())
}

/// Full load for some seconds: acknowledged events by processor time of workerd.
pub(crate) async fn throughput(weir: &Weir, events_a_request: u32, report: &mut Report) -> Result<()> {
    let acknowledged = Arc::new(AtomicU64::new(0));
    let refused = Arc::new(AtomicU64::new(0));
    let (workerd, nats) = (weir.pid("workerd")?, weir.pid("nats")?);
    let (workerd_before, nats_before) = (process::cpu_seconds(workerd)?, process::cpu_seconds(nats)?);
    let started = Instant::now();
    let mut senders = JoinSet::new();
    for sender in 0..SENDERS {
        let collector = Collector::of(weir)?;
        let (acknowledged, refused) = (acknowledged.clone(), refused.clone());
        senders.spawn(async move {
            let mut number = 0;
            while started.elapsed() < LOAD_FOR {
                number += 1;
                let visitor = Visitor::number(sender * 1_000 + number / 5);
                let page = |event: u32| pageview(EDGE_SITE, &format!("/section-{}/page-{}", event % 3, (number + event) % 200));
                let body =
                    if events_a_request == 1 { page(0) } else { json!((0..events_a_request).map(page).collect::<Vec<_>>()) };
                let good = collector.post(&visitor, &body).await.is_ok_and(|answer| answer.status() == 202);
                let counter = if good { &acknowledged } else { &refused };
                counter.fetch_add(u64::from(events_a_request), Ordering::Relaxed);
            }
        });
    }
    while let Some(joined) = senders.join_next().await {
        joined?;
    }
    let wall = started.elapsed().as_secs_f64();
    let workerd_seconds = process::cpu_seconds(workerd)? - workerd_before;
    let nats_seconds = process::cpu_seconds(nats)? - nats_before;
    let events = acknowledged.load(Ordering::Relaxed) as f64;
    let refused = refused.load(Ordering::Relaxed) as f64;
    let plural = if events_a_request == 1 { "one event" } else { "ten events" };
    let text = format!(
        "{} events/s/core of workerd ({} with nats-server), {} events/s on the clock, {} refused",
        grouped(events / workerd_seconds),
        grouped(events / (workerd_seconds + nats_seconds)),
        grouped(events / wall),
        grouped(refused)
    );
    let aim = if events_a_request == 1 { "≥ 3,500 events/s/core" } else { "≥ 20,000 events/s/core" };
    report.add(&format!("durable ingest through the edge, {plural} a request"), text, aim);
    Ok(())
}
