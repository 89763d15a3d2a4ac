//! Measures the figures of `make bench` on a real system on loopback and prints them beside the aims, as a Markdown table.
//!
//! `weir-bench` does so; `weir-bench replay [EVENTS]` measures a replay of so many events instead (default 10,000,000; a quarter of an hour),
//! `weir-bench soak [MINUTES [EVENTS_PER_S [EVENTS_A_REQUEST]]]` holds a steady load (default 60 minutes, 2,000 events a second, 5 a request),
//! `weir-bench hostile [ROUNDS]` puts one hostile site beside quiet ones (default 3 rounds; about four minutes),
//! `weir-bench queries [all|set|mix]` questions on a year of 999 sites (`WEIR_BENCH_PYTHON` names a Python with chdb: then beside ClickHouse).
//!
//! Throughput is counted per second of processor time of the process concerned, because the load generator shares the machine.

mod hostile;
mod ingest;
mod log_file;
mod queries;
mod replay;
mod report;
mod sealing;
mod soak;
mod year;

use anyhow::{Context as _, Result, bail};
use report::Report;
use std::path::Path;
use std::time::{Duration, Instant};
use weir_tests::process;
use weir_tests::weir::Weir;

/// The whole run, whatever happens.
const RUN_WITHIN: Duration = Duration::from_mins(6);
const REPLAY_WITHIN: Duration = Duration::from_hours(1);
const REPLAY_EVENTS: u64 = 10_000_000;
/// Time for a started system to settle before its memory is read.
const IDLE_FOR: Duration = Duration::from_secs(8);
/// Site that gets events through the edge. The two sites have neighbouring numbers, so each has a partition of its own.
pub(crate) const EDGE_SITE: &str = "edge.example";
/// Site that gets the imported events.
pub(crate) const LOG_SITE: &str = "log.example";

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let replay = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => None,
        ["replay"] => Some(REPLAY_EVENTS),
        ["replay", events] => Some(events.parse().context("EVENTS must be a number")?),
        ["soak", rest @ ..] => return Box::pin(run_soak(rest)).await,
        ["hostile"] => return Box::pin(run_hostile(3)).await,
        ["hostile", rounds] => return Box::pin(run_hostile(rounds.parse().context("ROUNDS must be a number")?)).await,
        ["queries"] => return Box::pin(run_queries("all")).await,
        ["queries", part @ ("all" | "set" | "plain" | "mix")] => return Box::pin(run_queries(part)).await,
        // The service that `queries` asks, in a process of its own.
        ["serve", port, nats_port, work] => return year::serve(port.parse()?, nats_port.parse()?, Path::new(work)).await,
        _ => bail!(
            "weir-bench | weir-bench replay [EVENTS] | weir-bench soak [MINUTES [EVENTS_PER_S [EVENTS_A_REQUEST]]] | weir-bench hostile [ROUNDS] | weir-bench queries [all|set|mix]"
        ),
    };
    let within = if replay.is_some() { REPLAY_WITHIN } else { RUN_WITHIN };
    let measuring = async {
        match replay {
            Some(events) => run_replay(events).await,
            None => run().await,
        }
    };
    tokio::time::timeout(within, measuring).await.with_context(|| format!("the benchmark takes longer than {within:?}"))?
}

async fn run_soak(numbers: &[&str]) -> Result<()> {
    let numbers = numbers.iter().map(|number| number.parse::<u64>().ok().filter(|number| *number > 0));
    let numbers = numbers.collect::<Option<Vec<_>>>().context("MINUTES, EVENTS_PER_S and EVENTS_A_REQUEST must be numbers")?;
    let number = |index: usize, default: u64| numbers.get(index).copied().unwrap_or(default);
    let plan = soak::Plan { minutes: number(0, 60), events_per_s: number(1, 2_000), events_a_request: number(2, 5) };
    let (mut report, started) = (Report::new(), Instant::now());
    let weir = Weir::start().await?;
    let within = Duration::from_secs(plan.minutes * 60) + RUN_WITHIN;
    tokio::time::timeout(within, soak::measure(&weir, plan, &mut report)).await.context("the soak takes too long")??;
    report.print(started.elapsed())
}

async fn run_hostile(rounds: u64) -> Result<()> {
    let (mut report, started) = (Report::new(), Instant::now());
    let weir = Weir::start_with(&hostile::OPTIONS).await?;
    let within = hostile::ROUND_WITHIN * u32::try_from(rounds).context("ROUNDS must be a small number")? + RUN_WITHIN;
    tokio::time::timeout(within, hostile::measure(&weir, rounds, &mut report))
        .await
        .context("the benchmark takes too long")??;
    report.print(started.elapsed())
}

async fn run_queries(part: &str) -> Result<()> {
    let (mut report, started) = (Report::new(), Instant::now());
    let python = std::env::var("WEIR_BENCH_PYTHON").ok();
    tokio::time::timeout(year::RUN_WITHIN, year::run(python.as_deref(), part, &mut report))
        .await
        .context("the benchmark takes too long")??;
    report.print(started.elapsed())
}

async fn run_replay(events: u64) -> Result<()> {
    let (mut report, started) = (Report::new(), Instant::now());
    let weir = Weir::start().await?;
    weir.add_site(EDGE_SITE).await?;
    weir.add_site(LOG_SITE).await?;
    replay::measure(&weir, events, &mut report).await?;
    report.print(started.elapsed())
}

async fn run() -> Result<()> {
    let mut report = Report::new();
    let started = Instant::now();
    let step = |number: u32, what: &str| eprintln!("[{number}/6] {what} ({} s)", started.elapsed().as_secs());

    step(1, "starting, idle memory");
    let weir = Weir::start().await?;
    weir.add_site(EDGE_SITE).await?;
    weir.add_site(LOG_SITE).await?;
    tokio::time::sleep(IDLE_FOR).await;
    idle_memory(&weir, &mut report)?;

    step(2, "100 events, each from send to visible");
    ingest::send_to_visible(&weir, &mut report).await?;

    step(3, "ingest through the edge");
    ingest::no_op(&weir, &mut report).await?;
    ingest::throughput(&weir, 1, &mut report).await?;
    ingest::throughput(&weir, 10, &mut report).await?;

    sealing::merge(&weir).await?;
    sealing::file_sizes(&weir, EDGE_SITE, "through the edge, with event ids", &mut report).await?;

    step(4, "2 M events from the stream into sealed files");
    sealing::seal(&weir, &mut report).await?;

    step(5, "bytes in sealed files");
    sealing::file_sizes(&weir, LOG_SITE, "imported", &mut report).await?;

    step(6, "30-day dashboard on 1 M events");
    queries::dashboard(&weir, &mut report).await?;
    busy_memory(&weir, &mut report)?;
    report.print(started.elapsed())
}

/// Resident memory of each process, MB.
fn memory(weir: &Weir) -> Result<Vec<(String, f64)>> {
    let mut all = vec![("supervisor".to_owned(), weir.supervisor_pid()?)];
    all.extend(weir.run()?.pids);
    all.into_iter().map(|(name, pid)| Ok((name, process::resident_bytes(pid)? as f64 / 1e6))).collect()
}

fn memory_text(processes: &[(String, f64)]) -> (f64, String) {
    let parts: Vec<_> = processes.iter().map(|(name, megabytes)| format!("{name} {megabytes:.0}")).collect();
    (processes.iter().map(|(_, megabytes)| megabytes).sum(), parts.join(", "))
}

fn idle_memory(weir: &Weir, report: &mut Report) -> Result<()> {
    let (total, parts) = memory_text(&memory(weir)?);
    report.add("everything, idle", format!("{total:.0} MB RSS ({parts})"), "≤ 300 MB RSS");
    Ok(())
}

fn busy_memory(weir: &Weir, report: &mut Report) -> Result<()> {
    let (total, parts) = memory_text(&memory(weir)?);
    report.add("everything, after this run", format!("{total:.0} MB RSS ({parts})"), "");
    Ok(())
}
