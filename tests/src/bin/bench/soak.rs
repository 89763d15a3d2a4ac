//! An hour at a steady rate: what grows, and what stays as it is.

use crate::report::{Report, grouped, percentile};
use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use weir_tests::collector::{Collector, Visitor, pageview};
use weir_tests::process;
use weir_tests::query::Stats;
use weir_tests::weir::Weir;

/// Sites with these shares of the events, percent. Neighbouring numbers lie in different partitions.
const SITES: [(&str, u32); 4] = [("soak-a.example", 40), ("soak-b.example", 30), ("soak-c.example", 20), ("soak-d.example", 10)];
/// People who come again and again: the fold keeps a visit for two hours, so that as many must begin as end within an hour.
const VISITORS: u64 = 10_000;
const PAGES: u64 = 2_000;
const SENDERS: u64 = 16;
const SAMPLE_EVERY: Duration = Duration::from_secs(15);
const QUERY_EVERY: Duration = Duration::from_millis(500);
/// Share of the time after which everything that is bounded has reached its bound: in an hour at 2,000 events a second the fold's ids take 27 minutes.
const WARM_UP: f64 = 0.5;

/// What is run.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) minutes: u64,
    pub(crate) events_per_s: u64,
    pub(crate) events_a_request: u64,
}

/// What the senders and askers count.
#[derive(Default)]
struct Counts {
    requests: AtomicU64,
    refused: AtomicU64,
    acknowledged: AtomicU64,
    failed_queries: AtomicU64,
    /// Milliseconds of each query, with the second of the run it was asked in.
    queries: Mutex<Vec<(f64, f64)>>,
    stopped: AtomicU64,
}

impl Counts {
    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed) > 0
    }
}

/// What is there at a moment.
struct Sample {
    at_s: f64,
    memory: BTreeMap<String, f64>,
    open_files: f64,
    files: f64,
    parts: f64,
    lag: f64,
    behind_s: f64,
    acknowledged: f64,
}

/// Runs the load and reports what grew.
pub(crate) async fn measure(weir: &Weir, plan: Plan, report: &mut Report) -> Result<()> {
    for (site, _) in SITES {
        weir.add_site(site).await?;
    }
    let counts = Arc::new(Counts::default());
    let started = Instant::now();
    let mut tasks = JoinSet::new();
    for sender in 0..SENDERS {
        let (collector, counts) = (Collector::of(weir)?, Arc::clone(&counts));
        tasks.spawn(async move { send(&collector, &counts, sender, plan).await });
    }
    let (stats, of) = (SITES.map(|(site, _)| Stats::admin(weir, site)), Arc::clone(&counts));
    let stats = stats.into_iter().collect::<Result<Vec<_>>>()?;
    tasks.spawn(async move { ask(&stats, &of, started).await });
    let cpu = cpu(weir)?;
    let samples = sample(weir, &counts, started, plan).await;
    counts.stopped.store(1, Ordering::Relaxed);
    while let Some(joined) = tasks.join_next().await {
        joined?;
    }
    let wall_s = started.elapsed().as_secs_f64();
    tell_load(&counts, plan, wall_s, report);
    tell_growth(&samples?, report);
    let used = cpu_text(&cpu, &self::cpu(weir)?, wall_s);
    report.add("processors used, cores", used, "");
    settle(weir, &counts, report).await
}

/// Sends its share of the requests at their times; what is refused is not sent again.
async fn send(collector: &Collector, counts: &Counts, sender: u64, plan: Plan) {
    let requests_per_s = plan.events_per_s as f64 / plan.events_a_request as f64 / SENDERS as f64;
    let mut ticks = tokio::time::interval(Duration::from_secs_f64(1.0 / requests_per_s));
    let mut random = Random(sender + 1);
    while !counts.is_stopped() {
        ticks.tick().await;
        let visitor = Visitor::number(random.below(VISITORS) as u32);
        let share = random.below(100) as u32;
        let (mut site, mut sum) = (SITES[0].0, 0);
        for (name, percent) in SITES {
            if (sum..sum + percent).contains(&share) {
                site = name;
            }
            sum += percent;
        }
        let mut page = || pageview(site, &format!("/section-{}/page-{}", random.below(9), random.below(PAGES)));
        let body =
            if plan.events_a_request == 1 { page() } else { Value::Array((0..plan.events_a_request).map(|_| page()).collect()) };
        let good = collector.post(&visitor, &body).await.is_ok_and(|answer| answer.status() == 202);
        counts.requests.fetch_add(1, Ordering::Relaxed);
        if good {
            counts.acknowledged.fetch_add(plan.events_a_request, Ordering::Relaxed);
        } else {
            counts.refused.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Questions of a dashboard, one after the other, uncached since time goes on.
async fn ask(stats: &[Stats], counts: &Counts, started: Instant) {
    let questions = [
        json!({"metrics": ["visitors", "pageviews", "bounce_rate"], "date_range": "day"}),
        json!({"metrics": ["visitors"], "dimensions": ["time:hour"], "date_range": "day"}),
        json!({"metrics": ["visitors"], "dimensions": ["event:page"], "date_range": "7d"}),
        json!({"metrics": ["pageviews"], "dimensions": ["time:minute"], "date_range": "realtime"}),
    ];
    let mut ticks = tokio::time::interval(QUERY_EVERY);
    for (stats, question) in stats.iter().cycle().zip(questions.iter().cycle().flat_map(|question| [question; 3])) {
        ticks.tick().await;
        if counts.is_stopped() {
            break;
        }
        let asked = Instant::now();
        if stats.answer(question).await.is_err() {
            counts.failed_queries.fetch_add(1, Ordering::Relaxed);
        }
        let taken = (started.elapsed().as_secs_f64(), asked.elapsed().as_secs_f64() * 1000.0);
        counts.queries.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(taken);
    }
}

async fn sample(weir: &Weir, counts: &Counts, started: Instant, plan: Plan) -> Result<Vec<Sample>> {
    let (mut samples, mut ticks) = (Vec::<Sample>::new(), tokio::time::interval(SAMPLE_EVERY));
    while started.elapsed() < Duration::from_secs(plan.minutes * 60) {
        ticks.tick().await;
        let status = weir.json(&["status"]).await?;
        let partitions = status["partitions"].as_array().or(status.as_array()).context("weir status names no partitions")?;
        let sum = |field: &str| partitions.iter().filter_map(|partition| partition[field].as_f64()).sum::<f64>();
        let now = chrono::Utc::now();
        let behind_s = partitions.iter().filter_map(|partition| {
            let watermark = chrono::DateTime::parse_from_rfc3339(partition["watermark"].as_str()?).ok()?;
            Some((now - watermark.to_utc()).num_milliseconds() as f64 / 1000.0)
        });
        let run = weir.run()?;
        let sample = Sample {
            at_s: started.elapsed().as_secs_f64(),
            memory: crate::memory(weir)?.into_iter().collect(),
            open_files: run.pids.values().map(|pid| entries(&format!("/proc/{pid}/fd"))).sum(),
            files: files_below(weir.home()),
            parts: sum("parts"),
            lag: sum("lag"),
            behind_s: behind_s.fold(0.0, f64::max),
            acknowledged: counts.acknowledged.load(Ordering::Relaxed) as f64,
        };
        if samples.len() % 20 == 0 {
            let memory: Vec<String> = sample.memory.iter().map(|(name, size)| format!("{name} {size:.0}")).collect();
            eprintln!(
                "      {:>5.0} s: {} events, {} parts, {} files, lag {}, behind {:.1} s, MB: {}",
                sample.at_s,
                grouped(sample.acknowledged),
                sample.parts,
                sample.files,
                sample.lag,
                sample.behind_s,
                memory.join(", ")
            );
        }
        samples.push(sample);
    }
    Ok(samples)
}

fn tell_load(counts: &Counts, plan: Plan, wall_s: f64, report: &mut Report) {
    let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed) as f64;
    let text = format!(
        "{} events acknowledged in {:.0} minutes, {} a second (wanted {}, {} a request); {} of {} requests refused",
        grouped(load(&counts.acknowledged)),
        wall_s / 60.0,
        grouped(load(&counts.acknowledged) / wall_s),
        plan.events_per_s,
        plan.events_a_request,
        grouped(load(&counts.refused)),
        grouped(load(&counts.requests)),
    );
    report.add("soak: load", text, "none refused");
    let queries = counts.queries.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let (first, second): (Vec<_>, Vec<_>) = queries.iter().partition(|(at_s, _)| *at_s < wall_s / 2.0);
    let text = |times: Vec<(f64, f64)>| {
        let mut times: Vec<f64> = times.into_iter().map(|(_, ms)| ms).collect();
        format!("p50 {:.0} ms, p99 {:.0} ms", percentile(&mut times, 0.5), percentile(&mut times, 0.99))
    };
    let failed = counts.failed_queries.load(Ordering::Relaxed);
    report.add(
        "soak: queries, first and second half",
        format!("{}; {}; {failed} of {} failed", text(first), text(second), queries.len()),
        "equal",
    );
}

fn tell_growth(samples: &[Sample], report: &mut Report) {
    let warm = (samples.len() as f64 * WARM_UP) as usize;
    let Some((samples, last)) = samples.get(warm..).zip(samples.last()) else { return };
    let names: Vec<&String> = last.memory.keys().collect();
    for name in names {
        let points: Vec<(f64, f64)> =
            samples.iter().filter_map(|sample| Some((sample.at_s / 3600.0, *sample.memory.get(name)?))).collect();
        report.add(&format!("soak: {name}, MB after warm-up"), spread(&points, "MB"), "flat");
    }
    let series = |of: fn(&Sample) -> f64| samples.iter().map(|sample| (sample.at_s / 3600.0, of(sample))).collect::<Vec<_>>();
    report.add("soak: open files and sockets", spread(&series(|sample| sample.open_files), ""), "flat");
    report.add("soak: parts", spread(&series(|sample| sample.parts), ""), "bounded");
    report.add("soak: files in the home", spread(&series(|sample| sample.files), ""), "bounded by hours");
    report.add("soak: messages not sealed", spread(&series(|sample| sample.lag), ""), "no growth");
    report.add("soak: watermark behind now, s", spread(&series(|sample| sample.behind_s), "s"), "no growth");
}

/// Medians of the first and last third, the highest, and the slope of the line of least squares by the hour.
fn spread(points: &[(f64, f64)], unit: &str) -> String {
    let third = points.len() / 3;
    let median = |points: &[(f64, f64)]| {
        let mut values: Vec<f64> = points.iter().map(|(_, value)| *value).collect();
        percentile(&mut values, 0.5)
    };
    let highest = points.iter().map(|(_, value)| *value).fold(0.0, f64::max);
    format!(
        "first third {:.1}, last third {:.1}, highest {highest:.1}, slope {:+.1} {unit} an hour",
        median(&points[..third]),
        median(&points[points.len() - third..]),
        slope(points)
    )
}

fn slope(points: &[(f64, f64)]) -> f64 {
    let count = points.len().max(1) as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let both: f64 = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
    let own: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    if own > 0.0 { both / own } else { 0.0 }
}

/// Seals the rest and compares what is counted with what was acknowledged.
async fn settle(weir: &Weir, counts: &Counts, report: &mut Report) -> Result<()> {
    weir.flush().await?;
    let mut counted = 0.0;
    for (site, _) in SITES {
        let total = Stats::admin(weir, site)?.total(&["pageviews"], json!({"date_range": "7d"})).await?;
        counted += total.first().copied().unwrap_or_default();
        // The range ends with yesterday where it is a named one.
        let today = Stats::admin(weir, site)?.total(&["pageviews"], json!({"date_range": "day"})).await?;
        counted += today.first().copied().unwrap_or_default();
    }
    let acknowledged = counts.acknowledged.load(Ordering::Relaxed) as f64;
    report.add("soak: counted − acknowledged", grouped((counted - acknowledged).abs()), "0");
    ensure!(counted >= acknowledged, "{counted} events are counted, {acknowledged} were acknowledged");
    Ok(())
}

fn cpu(weir: &Weir) -> Result<BTreeMap<String, f64>> {
    weir.run()?.pids.into_iter().map(|(name, pid)| Ok((name, process::cpu_seconds(pid)?))).collect()
}

fn cpu_text(before: &BTreeMap<String, f64>, after: &BTreeMap<String, f64>, wall_s: f64) -> String {
    let used = after
        .iter()
        .map(|(name, seconds)| format!("{name} {:.2}", (seconds - before.get(name).copied().unwrap_or_default()) / wall_s));
    used.collect::<Vec<_>>().join(", ")
}

fn entries(folder: &str) -> f64 {
    std::fs::read_dir(folder).map_or(0, Iterator::count) as f64
}

fn files_below(folder: &Path) -> f64 {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0.0 };
    let of = |entry: std::fs::DirEntry| if entry.path().is_dir() { files_below(&entry.path()) } else { 1.0 };
    entries.filter_map(Result::ok).map(of).sum()
}

/// Numbers that look random, the same in each run (splitmix64).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit.max(1)
    }
}
