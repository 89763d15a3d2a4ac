//! `weir-bench queries`: a dashboard's questions on a year of 999 sites, beside ClickHouse on the same events, and a mix of them under load.

mod clickhouse;
mod isolation;
mod mix;
mod parts;
mod rollups;
mod served;
mod set;
mod traffic;

pub(crate) use served::serve;

use crate::report::{Report, grouped, percentile};
use anyhow::{Context as _, Result, ensure};
use clickhouse::ClickHouse;
use serde_json::{Value, json};
use served::{Region, Served};
use set::{Question, SPANS, Span};
use std::time::{Duration, Instant};
use weir_tests::process;

/// Large, middle, small: the first has over a million events, the second forty thousand, the third three thousand.
const ASKED: [(&str, u32); 3] = [("large", 1), ("middle", 30), ("small", 503)];
/// Runs of each question that are measured.
const RUNS: u64 = 10;
/// Rows of a list; each run asks for another number, so that no answer comes from a cache.
const LIST: u64 = 10;

/// What a side needed for a set of questions.
#[derive(Default, Clone, Copy)]
#[expect(clippy::struct_field_names, reason = "each says its unit")]
struct Cost {
    cold_ms: f64,
    warm_ms: f64,
    cpu_ms: f64,
}

/// Runs everything. `python` is an interpreter with `chdb`; without it, only Weir is measured. `part`: "all", "set",
/// "mix", or "plain", which is "set" without rollups.
pub(crate) async fn run(python: Option<&str>, part: &str, report: &mut Report) -> Result<()> {
    eprintln!("[1/4] the year's events in files ({})", parts::folder().display());
    let mut partitions = parts::partitions()?;
    if part == "plain" {
        for partition in &mut partitions {
            partition.rollups.clear();
        }
    }
    let rows: u64 = partitions.iter().flat_map(|partition| &partition.parts).map(|part| part.rows).sum();
    let bytes: u64 = partitions.iter().flat_map(|partition| &partition.parts).map(|part| part.bytes).sum();
    let files: usize = partitions.iter().map(|partition| partition.parts.len()).sum();
    let text = format!("{} events, {files} files, {:.1} bytes an event", grouped(rows as f64), bytes as f64 / rows as f64);
    report.add("a year of 999 sites", text, "10 M events");

    let ahead: u64 = partitions.iter().flat_map(|partition| &partition.rollups).map(|rollup| rollup.bytes).sum();
    let text =
        format!("{:.1} bytes an event, {:.1} % of the parts", ahead as f64 / rows as f64, ahead as f64 * 100.0 / bytes as f64);
    report.add("rollups of it", text, "≤ 25 %");

    eprintln!("[2/4] the other database, and the service");
    let mut other = python.map(|python| ClickHouse::start(python, &partitions)).transpose()?;
    let region = Region::start(&partitions).await?;
    let began = Instant::now();
    let served = region.serve().await?;
    let text = format!("{:.1} s, {:.0} ms CPU, {}", began.elapsed().as_secs_f64(), served.cpu_ms()?, memory(&served)?);
    report.add("start until ready", text, "");
    served.idle().await?;
    let text = format!("{:.0} s, {:.1} s CPU, {}", began.elapsed().as_secs_f64(), served.cpu_ms()? / 1e3, memory(&served)?);
    report.add("the same, until all small parts are bundled", text, "");
    drop(served);

    if part != "mix" {
        eprintln!("[3/4] the questions of a dashboard");
        for (size, site_id) in ASKED {
            for span in SPANS {
                drop_file_pages()?;
                let fresh = region.serve().await?;
                fresh.idle().await?;
                dashboard(&fresh, other.as_mut(), (size, site_id), span, report).await?;
            }
        }
    }
    if part != "set" && part != "plain" {
        eprintln!("[4/4] a mix of them under load");
        let served = region.serve().await?;
        served.idle().await?;
        mix::measure(&served, report).await?;
        isolation::measure(&served, report).await?;
        report.add("memory after the mix, all parts attached", memory(&served)?, "≤ 1 GB");
    }
    Ok(())
}

fn memory(served: &Served) -> Result<String> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", served.pid()))?;
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim().to_owned();
    Ok(format!("{:.0} MB RSS ({} of files)", process::resident_bytes(served.pid())? as f64 / 1e6, field("RssFile:")))
}

/// Asks each question of the set of both sides, once cold and then warm, and compares the answers.
async fn dashboard(
    served: &Served,
    mut other: Option<&mut ClickHouse>,
    (size, site_id): (&str, u32),
    span: Span,
    report: &mut Report,
) -> Result<()> {
    let mut sums = [Cost::default(); 2];
    let mut lines = Vec::new();
    for question in set::questions(span) {
        let ours = weir(served, &question, site_id, span).await?;
        let mut theirs = None;
        if let Some(other) = other.as_deref_mut() {
            let (rows, cost) = clickhouse(other, &question, site_id, span)?;
            ensure!(
                equal(&ours.0, &rows),
                "{size} {} {}: the answers differ\n{:?}\n{:?}",
                span.name,
                question.name,
                ours.0.iter().take(12).collect::<Vec<_>>(),
                rows.iter().take(12).collect::<Vec<_>>()
            );
            theirs = Some(cost);
        }
        let costs = [Some(ours.1), theirs];
        for (sum, cost) in sums.iter_mut().zip(costs) {
            let Some(cost) = cost else { continue };
            sum.cold_ms += cost.cold_ms;
            sum.warm_ms += cost.warm_ms;
            sum.cpu_ms += cost.cpu_ms;
        }
        lines.push((question.name, costs));
    }
    for (name, costs) in lines {
        report.add(&format!("{size} site, {}: {name}", span.name), cost_text(costs), "");
    }
    let aim = if size == "large" && span.name == "30 days" { "≤ 5 ms CPU each" } else { "" };
    let costs = [Some(sums[0]), other.map(|_| sums[1])];
    report.add(&format!("**{size} site, {}: all of these**", span.name), cost_text(costs), aim);
    Ok(())
}

fn cost_text([ours, theirs]: [Option<Cost>; 2]) -> String {
    let text = |cost: Cost| format!("{:.1} ms CPU, {:.1} ms, cold {:.0} ms", cost.cpu_ms, cost.warm_ms, cost.cold_ms);
    match (ours, theirs) {
        (Some(ours), Some(theirs)) => {
            format!("{}; ClickHouse {}; CPU ratio {:.2}", text(ours), text(theirs), ours.cpu_ms / theirs.cpu_ms)
        }
        (Some(cost), None) | (None, Some(cost)) => text(cost),
        (None, None) => String::new(),
    }
}

fn request(question: &Question, site_id: u32, span: Span, limit: u64) -> Value {
    let mut request = json!({
        "site_id": traffic::domain(site_id),
        "date_range": [span.from, span.to],
        "pagination": {"limit": if is_list(question) { limit } else { 9_000 - limit }},
    });
    weir_tests::query::merge(&mut request, question.request.clone());
    request
}

/// Its result is cut after some rows.
fn is_list(question: &Question) -> bool {
    question.sql.contains("{limit}")
}

async fn weir(served: &Served, question: &Question, site_id: u32, span: Span) -> Result<(Vec<Value>, Cost)> {
    let started = Instant::now();
    let answer: Value = serde_json::from_str(&served.ask(&request(question, site_id, span, LIST)).await?)?;
    let cold_ms = started.elapsed().as_secs_f64() * 1e3;
    let (mut walls, before) = (Vec::new(), served.cpu_ms()?);
    for run in 1..=RUNS {
        let asked = request(question, site_id, span, LIST + run);
        let started = Instant::now();
        served.ask(&asked).await?;
        walls.push(started.elapsed().as_secs_f64() * 1e3);
    }
    let cpu_ms = (served.cpu_ms()? - before) / RUNS as f64;
    let rows = answer["results"].as_array().context("no results")?;
    let flat = |row: &Value| {
        let cells = ["dimensions", "metrics"].into_iter().flat_map(|key| row[key].as_array().cloned().unwrap_or_default());
        Value::Array(cells.collect())
    };
    Ok((rows.iter().map(flat).collect(), Cost { cold_ms, warm_ms: percentile(&mut walls, 0.5), cpu_ms }))
}

fn clickhouse(other: &mut ClickHouse, question: &Question, site_id: u32, span: Span) -> Result<(Vec<Value>, Cost)> {
    let first = other.ask(&question.sql, site_id, span, LIST)?;
    let (mut walls, mut cpu_ms) = (Vec::new(), 0.0);
    for run in 1..=RUNS {
        let found = other.ask(&question.sql, site_id, span, LIST + run)?;
        walls.push(found.ms);
        cpu_ms += found.cpu_ms / RUNS as f64;
    }
    Ok((first.rows, Cost { cold_ms: first.ms, warm_ms: percentile(&mut walls, 0.5), cpu_ms }))
}

/// Equal rows in equal order; numbers may be written with or without decimals.
fn equal(ours: &[Value], theirs: &[Value]) -> bool {
    let cells = |row: &Value| row.as_array().cloned().unwrap_or_default();
    ours.len() == theirs.len()
        && ours.iter().zip(theirs).all(|(a, b)| {
            let (a, b) = (cells(a), cells(b));
            a.len() == b.len()
                && a.iter().zip(&b).all(|(a, b)| match (a.as_f64(), b.as_f64()) {
                    (Some(a), Some(b)) => (a - b).abs() < 1e-9,
                    _ => a == b,
                })
        })
}

/// Lets the kernel forget the pages of all files of both sides.
fn drop_file_pages() -> Result<()> {
    let mut folders = vec![parts::folder().join("files"), clickhouse::folder()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            } else if let Ok(file) = std::fs::File::open(entry.path()) {
                nix::fcntl::posix_fadvise(&file, 0, 0, nix::fcntl::PosixFadviseAdvice::POSIX_FADV_DONTNEED)?;
            }
        }
    }
    Ok(())
}

/// The whole run.
pub(crate) const RUN_WITHIN: Duration = Duration::from_hours(2);
