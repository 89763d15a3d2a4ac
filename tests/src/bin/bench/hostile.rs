//! One hostile site beside quiet ones, on one edge process and one partition: how much longer its neighbours wait.
//!
//! Quiet and hostile phases take turns, so that whatever else the machine does concerns both: the ratios count, not the milliseconds.

use crate::report::{Report, grouped, percentile};
use anyhow::{Context as _, Result};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use weir_tests::collector::{Collector, Visitor, pageview};
use weir_tests::process;
use weir_tests::query::Stats;
use weir_tests::weir::Weir;

const NEIGHBOURS: [&str; 4] = ["quiet-a.example", "quiet-b.example", "quiet-c.example", "quiet-d.example"];
const HOSTILE: &str = "hostile.example";
/// The ceiling as it is by default, and one partition for all.
pub(crate) const OPTIONS: [(&str, &str); 3] =
    [("WEIR_SITE_EVENTS_PER_S", "3300"), ("WEIR_SITE_REQUESTS_PER_S", "375"), ("WEIR_PARTITIONS", "1")];
/// One phase, and what passes between two of them unmeasured.
const PHASE: Duration = Duration::from_secs(15);
const SETTLE: Duration = Duration::from_secs(3);
/// A round takes 72 seconds.
pub(crate) const ROUND_WITHIN: Duration = Duration::from_mins(2);
/// A neighbour's sender begins a request this often, if the last one is answered.
const EVENT_EVERY: Duration = Duration::from_millis(40);
const QUERY_EVERY: Duration = Duration::from_millis(150);
const PROBE_EVERY: Duration = Duration::from_millis(250);
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// Connections of the hostile site, and requests a second of all of them: three times the ceiling, all that an edge process can take.
const FLOODERS: u32 = 24;
const FLOOD_REQUESTS_PER_S: u32 = 1_125;
/// Within the ceiling: so many requests of so many events, each with another path and other properties.
const VALUES_REQUESTS_PER_S: u32 = 300;
const VALUES_A_REQUEST: u32 = 10;

/// What the hostile site does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attack {
    /// Single events, three times the ceiling.
    Flood,
    /// Paths, properties and referrers without end, a tenth below the ceiling.
    Values,
}

impl Attack {
    const ALL: [Self; 2] = [Self::Flood, Self::Values];

    fn name(self) -> &'static str {
        match self {
            Self::Flood => "flood of single events",
            Self::Values => "values without end",
        }
    }

    fn requests_per_s(self) -> u32 {
        match self {
            Self::Flood => FLOOD_REQUESTS_PER_S,
            Self::Values => VALUES_REQUESTS_PER_S,
        }
    }

    fn body(self, number: u64) -> Value {
        match self {
            Self::Flood => pageview(HOSTILE, "/flood"),
            Self::Values => (0..u64::from(VALUES_A_REQUEST)).map(|event| values(number * 100 + event)).collect(),
        }
    }
}

/// No text of it comes twice.
fn values(number: u64) -> Value {
    json!({
        "n": "pageview", "d": HOSTILE, "u": format!("https://{HOSTILE}/section-{}/page-{number}?utm_campaign=c{number}", number % 1_000),
        "r": format!("https://referrer-{number}.example/from/{number}"),
        "p": {format!("key-{number}"): format!("value-{number}"), "order": number.to_string(), "session": format!("{number:032x}")},
    })
}

/// What is measured of the neighbours: milliseconds each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Figure {
    /// An event's request until it is answered.
    Event,
    /// A query.
    Query,
    /// From an event's acknowledgement until a query counts it.
    Visible,
    /// How far the watermark of an answer is behind.
    Watermark,
}

impl Figure {
    const ALL: [Self; 4] = [Self::Event, Self::Query, Self::Visible, Self::Watermark];

    fn name(self) -> &'static str {
        match self {
            Self::Event => "event → 202",
            Self::Query => "query",
            Self::Visible => "202 → visible",
            Self::Watermark => "watermark behind now",
        }
    }
}

/// One phase.
#[derive(Default)]
struct Phase {
    times: Mutex<BTreeMap<Figure, Vec<f64>>>,
    ended: AtomicBool,
    /// Requests of neighbours that were not answered 202, queries that failed.
    failed: AtomicU64,
    hostile_taken: AtomicU64,
    hostile_throttled: AtomicU64,
    hostile_failed: AtomicU64,
}

impl Phase {
    fn times(&self) -> MutexGuard<'_, BTreeMap<Figure, Vec<f64>>> {
        self.times.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, figure: Figure, ms: f64) {
        self.times().entry(figure).or_default().push(ms);
    }

    fn is_ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    fn at(&self, figure: Figure, share: f64) -> f64 {
        self.times().get_mut(&figure).map_or(f64::NAN, |times| percentile(times, share))
    }
}

/// A hostile phase with the quiet one before it.
struct Pair {
    attack: Attack,
    quiet: Arc<Phase>,
    hostile: Arc<Phase>,
}

/// Runs so many rounds, each a quiet and a hostile phase for every attack.
pub(crate) async fn measure(weir: &Weir, rounds: u64, report: &mut Report) -> Result<()> {
    for site in NEIGHBOURS.into_iter().chain([HOSTILE]) {
        weir.add_site(site).await?;
    }
    let numbers = Arc::new(AtomicU64::new(1));
    let mut pairs = Vec::new();
    phase(weir, None, &numbers).await.context("warming up")?;
    for round in 1..=rounds {
        for attack in Attack::ALL {
            let quiet = phase(weir, None, &numbers).await?;
            eprintln!("      round {round} of {rounds}: {}", attack.name());
            let hostile = phase(weir, Some(attack), &numbers).await?;
            pairs.push(Pair { attack, quiet, hostile });
        }
    }
    for attack in Attack::ALL {
        let of: Vec<&Pair> = pairs.iter().filter(|pair| pair.attack == attack).collect();
        tell_load(attack, &of, report);
        for figure in Figure::ALL {
            tell(attack, figure, &of, report);
        }
    }
    if let [first, .., last] = pairs.as_slice() {
        for figure in Figure::ALL {
            let text = format!(
                "p50 {:.1} → {:.1} ms, p99 {:.1} → {:.1} ms",
                first.quiet.at(figure, 0.5),
                last.quiet.at(figure, 0.5),
                first.quiet.at(figure, 0.99),
                last.quiet.at(figure, 0.99)
            );
            report.add(
                &format!("quiet, first and last phase: {}", figure.name()),
                text,
                "the hostile site's rows do no harm afterwards",
            );
        }
    }
    Ok(())
}

async fn phase(weir: &Weir, attack: Option<Attack>, numbers: &Arc<AtomicU64>) -> Result<Arc<Phase>> {
    let (phase, mut neighbours, mut hostile) = (Arc::new(Phase::default()), JoinSet::new(), JoinSet::new());
    if let Some(attack) = attack {
        for sender in 0..FLOODERS {
            let (collector, phase, numbers) = (Collector::of(weir)?, Arc::clone(&phase), Arc::clone(numbers));
            hostile.spawn(async move { harm(&collector, &phase, &numbers, attack, sender).await });
        }
    }
    tokio::time::sleep(SETTLE).await;
    let cpu = cpu(weir)?;
    for (sender, site) in (0..).zip(NEIGHBOURS) {
        let (collector, of) = (Collector::of(weir)?, Arc::clone(&phase));
        neighbours.spawn(async move { send(&collector, &of, site, sender).await });
    }
    let stats = NEIGHBOURS.iter().map(|site| Stats::admin(weir, site)).collect::<Result<Vec<_>>>()?;
    let of = Arc::clone(&phase);
    neighbours.spawn(async move { ask(&stats, &of).await });
    let (collector, stats) = (Collector::of(weir)?, Stats::admin(weir, NEIGHBOURS[0])?);
    let (of, numbers) = (Arc::clone(&phase), Arc::clone(numbers));
    neighbours.spawn(async move { probe(&collector, &stats, &of, &numbers).await });
    tokio::time::sleep(PHASE).await;
    let used = cpu_text(&cpu, &self::cpu(weir)?);
    phase.ended.store(true, Ordering::Relaxed);
    for tasks in [&mut neighbours, &mut hostile] {
        while let Some(joined) = tasks.join_next().await {
            joined?;
        }
    }
    eprintln!(
        "      {:<24} event p50 {:.1} p99 {:.1} ms, query p50 {:.1} p99 {:.1} ms, visible p50 {:.0} p99 {:.0} ms; cores: {used}",
        attack.map_or("quiet", Attack::name),
        phase.at(Figure::Event, 0.5),
        phase.at(Figure::Event, 0.99),
        phase.at(Figure::Query, 0.5),
        phase.at(Figure::Query, 0.99),
        phase.at(Figure::Visible, 0.5),
        phase.at(Figure::Visible, 0.99),
    );
    Ok(phase)
}

/// A steady rate, begun at another moment by each of several, so that they do not send together. A late request is not made up for by a burst.
fn ticks(every: Duration, (number, of): (u32, u32)) -> tokio::time::Interval {
    let mut ticks = tokio::time::interval_at(tokio::time::Instant::now() + every * number / of, every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

async fn harm(collector: &Collector, phase: &Phase, numbers: &AtomicU64, attack: Attack, sender: u32) {
    let mut ticks = ticks(Duration::from_secs(1) * FLOODERS / attack.requests_per_s(), (sender, FLOODERS));
    while !phase.is_ended() {
        ticks.tick().await;
        let number = numbers.fetch_add(1, Ordering::Relaxed);
        let visitor = Visitor::number(100_000 + sender * 1_000 + (number % 1_000) as u32);
        let counter = match collector.post(&visitor, &attack.body(number)).await.map(|answer| answer.status().as_u16()) {
            Ok(202) => &phase.hostile_taken,
            Ok(429) => &phase.hostile_throttled,
            _ => &phase.hostile_failed,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

async fn send(collector: &Collector, phase: &Phase, site: &str, sender: u32) {
    let mut ticks = ticks(EVENT_EVERY, (sender, NEIGHBOURS.len() as u32));
    for number in 0.. {
        ticks.tick().await;
        if phase.is_ended() {
            break;
        }
        let event = pageview(site, &format!("/page-{}", number % 40));
        let began = Instant::now();
        if collector.send(&Visitor::number(sender * 1_000 + number % 300), &event).await.is_ok() {
            phase.note(Figure::Event, ms_since(began));
        } else {
            phase.failed.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Questions of a dashboard; new events make that none is answered from the cache.
async fn ask(stats: &[Stats], phase: &Phase) {
    let questions = [
        json!({"metrics": ["visitors", "pageviews", "bounce_rate"]}),
        json!({"metrics": ["visitors"], "dimensions": ["time:hour"]}),
        json!({"metrics": ["visitors", "pageviews"], "dimensions": ["event:page"], "pagination": {"limit": 10}}),
    ];
    let mut ticks = ticks(QUERY_EVERY, (0, 1));
    for (stats, question) in stats.iter().cycle().zip(questions.iter().cycle()) {
        ticks.tick().await;
        if phase.is_ended() {
            break;
        }
        let began = Instant::now();
        let Ok(answer) = stats.answer(question).await else {
            phase.failed.fetch_add(1, Ordering::Relaxed);
            continue;
        };
        phase.note(Figure::Query, ms_since(began));
        if let Some(watermark) = answer["meta"]["watermark"].as_str().and_then(|text| DateTime::parse_from_rfc3339(text).ok()) {
            phase.note(Figure::Watermark, (Utc::now() - watermark.to_utc()).num_milliseconds() as f64);
        }
    }
}

/// Single events, each asked for until it is counted.
async fn probe(collector: &Collector, stats: &Stats, phase: &Phase, numbers: &AtomicU64) {
    let mut ticks = ticks(PROBE_EVERY, (0, 1));
    loop {
        ticks.tick().await;
        if phase.is_ended() {
            break;
        }
        let page = format!("/probe/{}", numbers.fetch_add(1, Ordering::Relaxed));
        if collector.send(&Visitor::number(7), &pageview(NEIGHBOURS[0], &page)).await.is_err() {
            phase.failed.fetch_add(1, Ordering::Relaxed);
            continue;
        }
        let acknowledged = Instant::now();
        let only = json!({"filters": [["is", "event:page", [page]]]});
        while !stats.total(&["pageviews"], only.clone()).await.is_ok_and(|found| found == [1.0]) && acknowledged.elapsed() < PHASE
        {
            tokio::time::sleep(LOOK_EVERY).await;
        }
        phase.note(Figure::Visible, ms_since(acknowledged));
    }
}

fn ms_since(began: Instant) -> f64 {
    began.elapsed().as_secs_f64() * 1_000.0
}

fn tell_load(attack: Attack, pairs: &[&Pair], report: &mut Report) {
    let sum =
        |of: fn(&Phase) -> &AtomicU64| pairs.iter().map(|pair| of(&pair.hostile).load(Ordering::Relaxed)).sum::<u64>() as f64;
    let seconds = (PHASE + SETTLE).as_secs_f64() * pairs.len() as f64;
    let quiet: u64 = pairs.iter().map(|pair| pair.quiet.failed.load(Ordering::Relaxed)).sum();
    let text = format!(
        "{} requests/s taken, {} refused (429), {} failed; of the neighbours' requests {} failed ({quiet} in the quiet phases)",
        grouped(sum(|phase| &phase.hostile_taken) / seconds),
        grouped(sum(|phase| &phase.hostile_throttled) / seconds),
        grouped(sum(|phase| &phase.hostile_failed)),
        grouped(sum(|phase| &phase.failed)),
    );
    report.add(&format!("hostile: {}", attack.name()), text, "none of the neighbours' fails");
}

/// The median of the rounds' ratios, and each of them.
fn tell(attack: Attack, figure: Figure, pairs: &[&Pair], report: &mut Report) {
    let text = [("p50", 0.5), ("p99", 0.99)].map(|(name, share)| {
        let mut ratios: Vec<f64> =
            pairs.iter().map(|pair| pair.hostile.at(figure, share) / pair.quiet.at(figure, share)).collect();
        let each: Vec<String> = ratios.iter().map(|ratio| format!("{ratio:.2}")).collect();
        let mut quiet: Vec<f64> = pairs.iter().map(|pair| pair.quiet.at(figure, share)).collect();
        let mut hostile: Vec<f64> = pairs.iter().map(|pair| pair.hostile.at(figure, share)).collect();
        format!(
            "{name} × {:.2} ({}; {:.1} → {:.1} ms)",
            percentile(&mut ratios, 0.5),
            each.join(", "),
            percentile(&mut quiet, 0.5),
            percentile(&mut hostile, 0.5)
        )
    });
    report.add(&format!("{}: {}", attack.name(), figure.name()), text.join("; "), "≤ × 2");
}

fn cpu(weir: &Weir) -> Result<BTreeMap<String, f64>> {
    weir.run()?.pids.into_iter().map(|(name, pid)| Ok((name, process::cpu_seconds(pid)?))).collect()
}

fn cpu_text(before: &BTreeMap<String, f64>, after: &BTreeMap<String, f64>) -> String {
    let used = after.iter().map(|(name, seconds)| {
        format!("{name} {:.2}", (seconds - before.get(name).copied().unwrap_or_default()) / PHASE.as_secs_f64())
    });
    used.collect::<Vec<_>>().join(", ")
}
