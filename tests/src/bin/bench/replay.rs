//! Replay: how fast and with how much memory it folds millions of events, and what live ingestion and queries feel of it.

use crate::report::{Report, grouped, percentile};
use crate::{EDGE_SITE, LOG_SITE, log_file};
use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use std::io::{BufWriter, Write as _};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use weir_tests::collector::{Collector, Visitor, pageview};
use weir_tests::process;
use weir_tests::query::Stats;
use weir_tests::weir::Weir;

/// Live events a second, in requests of ten.
const LIVE_EVENTS_PER_S: u32 = 1_000;
/// How long live ingestion and queries are watched without a replay, for comparison.
const ALONE_FOR: Duration = Duration::from_secs(20);
/// Pause between looks at the replaying process.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Imports so many events, replays them under load, promotes and rolls back.
pub(crate) async fn measure(weir: &Weir, events: u64, report: &mut Report) -> Result<()> {
    let half = events / 2;
    for (index, site) in [LOG_SITE, EDGE_SITE].into_iter().enumerate() {
        let file = tempfile::NamedTempFile::new()?;
        let mut out = BufWriter::new(file.as_file());
        log_file::write(&mut out, half, 0x51f1_5ee5 + index as u64)?;
        out.flush()?;
        drop(out);
        weir.json(&["import", "--site", site, "--format", "combined", &file.path().to_string_lossy()]).await?;
        eprintln!("      {site} imported");
    }
    weir.json(&["flush", "--timeout", "3600"]).await?;

    let live = Live::start(weir)?;
    let alone = watch(weir, || Ok(false)).await?;
    report.add("send → visible, query p99, 1,000 events/s, alone", alone.text(), "");

    let mut command = weir.command(&["replay", "run", "--from-seq", "1", "--json"]);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn()?;
    let pid = child.id();
    let (mut cpu_s, mut memory_bytes) = (0.0, 0);
    let beside = watch(weir, || {
        if let (Ok(cpu), Ok(memory)) = (process::cpu_seconds(pid), process::resident_bytes(pid)) {
            (cpu_s, memory_bytes) = (cpu, memory_bytes.max(memory));
        }
        Ok(process::is_alive(pid))
    })
    .await?;
    let mut told = String::new();
    std::io::Read::read_to_string(child.stdout.as_mut().context("no output")?, &mut told)?;
    ensure!(child.wait()?.success(), "the replay failed: {told}");
    let built: Value = serde_json::from_str(&told)?;
    let folded = built["events"].as_u64().context("no events")? as f64;
    report.add(
        &format!("replay of {} events under that load, merged", grouped(folded)),
        format!(
            "{} events/s/core; {:.0} s on the clock, of which {:.0} s waiting for live ingestion; {:.0} MB RSS at most",
            grouped(folded / cpu_s),
            built["elapsed_ms"].as_f64().unwrap_or_default() / 1e3,
            (built["elapsed_ms"].as_f64().unwrap_or_default() - built["busy_ms"].as_f64().unwrap_or_default()) / 1e3,
            memory_bytes as f64 / 1e6
        ),
        "≥ 250,000 events/s/core",
    );
    report.add("send → visible, query p99, 1,000 events/s, beside the replay", beside.text(), "");

    let started = Instant::now();
    let diff = weir.output(&["replay", "diff"]).await?;
    ensure!(diff.status.code() == Some(0), "the same logic gave other rows: {diff:?}");
    report.add("comparing both histories, equal", format!("{:.1} s", started.elapsed().as_secs_f64()), "");
    for command in ["promote", "rollback"] {
        let started = Instant::now();
        let switched = weir.json(&["replay", command, "--yes"]).await?;
        let list = switched.as_array().context("no list")?;
        let slowest = list.iter().filter_map(|one| one["switch_ms"].as_u64()).max().context("nothing was switched")?;
        let text =
            format!("{slowest} ms a partition; {:.2} s with catching up, the whole command", started.elapsed().as_secs_f64());
        report.add(&format!("{command}, 1,000 events/s"), text, "≤ 1 s each");
    }
    live.stop().await
}

/// What live ingestion and queries take, milliseconds.
#[derive(Default)]
struct Felt {
    visible: Vec<f64>,
    queries: Vec<f64>,
}

impl Felt {
    fn text(mut self) -> String {
        format!(
            "visible p50 {:.0} ms, max {:.0} ms; 30-day query p50 {:.0} ms, p99 {:.0} ms",
            percentile(&mut self.visible, 0.5),
            percentile(&mut self.visible, 1.0),
            percentile(&mut self.queries, 0.5),
            percentile(&mut self.queries, 0.99)
        )
    }
}

/// Sends a probe and asks a query in turn: for a while, or for as long as something goes on.
async fn watch(weir: &Weir, mut goes_on: impl FnMut() -> Result<bool>) -> Result<Felt> {
    let (collector, stats, log) = (Collector::of(weir)?, Stats::admin(weir, EDGE_SITE)?, Stats::admin(weir, LOG_SITE)?);
    let (started, mut felt, mut number) = (Instant::now(), Felt::default(), 0);
    let with_end = goes_on()?;
    while if with_end { goes_on()? } else { started.elapsed() < ALONE_FOR } {
        number += 1;
        let page = format!("/probe/{}/{number}", started.elapsed().as_nanos());
        let sent = Instant::now();
        collector.send(&Visitor::number(number), &pageview(EDGE_SITE, &page)).await?;
        while stats.total(&["pageviews"], json!({"filters": [["is", "event:page", [page]]]})).await? != [1.0] {
            ensure!(sent.elapsed() < Duration::from_mins(1), "{page} is not visible after a minute");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        felt.visible.push(sent.elapsed().as_secs_f64() * 1e3);
        let asked = Instant::now();
        log.total(&["visitors", "pageviews"], json!({"date_range": "30d"})).await?;
        felt.queries.push(asked.elapsed().as_secs_f64() * 1e3);
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(felt)
}

/// Events at a steady pace.
struct Live {
    ended: Arc<AtomicBool>,
    senders: JoinSet<Result<()>>,
}

impl Live {
    fn start(weir: &Weir) -> Result<Self> {
        let ended = Arc::new(AtomicBool::new(false));
        let mut senders = JoinSet::new();
        for sender in 0..4_u32 {
            let (collector, ended) = (Collector::of(weir)?, Arc::clone(&ended));
            let site = if sender.is_multiple_of(2) { EDGE_SITE } else { LOG_SITE };
            senders.spawn(async move {
                let mut pace = tokio::time::interval(Duration::from_secs(1) * 10 * 4 / LIVE_EVENTS_PER_S);
                let mut number = sender;
                while !ended.load(Ordering::Relaxed) {
                    pace.tick().await;
                    number += 4;
                    let events: Vec<Value> = (0..10).map(|page| pageview(site, &format!("/live/{page}"))).collect();
                    collector.send(&Visitor::number(number % 40_000), &json!(events)).await?;
                }
                Ok(())
            });
        }
        Ok(Self { ended, senders })
    }

    async fn stop(mut self) -> Result<()> {
        self.ended.store(true, Ordering::Relaxed);
        while let Some(sender) = self.senders.join_next().await {
            sender??;
        }
        Ok(())
    }
}
