//! The stream into sealed files: processor time of the aggregator for two million events, and the size of what it leaves.

use crate::log_file;
use crate::report::{Report, grouped};
use crate::{EDGE_SITE, LOG_SITE};
use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufWriter, Write as _};
use std::time::{Duration, Instant};
use weir_tests::collector::{Collector, Visitor, pageview};
use weir_tests::poll::{Look, until};
use weir_tests::process;
use weir_tests::query::Stats;
use weir_tests::weir::Weir;

/// Events of the site that the queries are about.
pub(crate) const EVENTS: u64 = 1_000_000;
/// Events of further sites on both partitions.
const OTHERS: [(&str, u64); 2] = [("second.example", 500_000), ("third.example", 500_000)];
/// The aggregator merges when a partition has so many parts of flushes.
const FLUSHES_TO_MERGE: u32 = 8;
const MERGED_WITHIN: Duration = Duration::from_mins(2);

/// Imports everything and waits until it is sealed and merged.
pub(crate) async fn seal(weir: &Weir, report: &mut Report) -> Result<()> {
    let mut files = Vec::new();
    for (index, (site, events)) in [(LOG_SITE, EVENTS)].into_iter().chain(OTHERS).enumerate() {
        if site != LOG_SITE {
            weir.add_site(site).await?;
        }
        let file = tempfile::NamedTempFile::new()?;
        let mut out = BufWriter::new(file.as_file());
        log_file::write(&mut out, events, 0x9e37_79b9 + index as u64)?;
        out.flush()?;
        drop(out);
        files.push((site, file));
    }
    // What came before must not count.
    weir.flush().await?;
    let aggregator = weir.pid("aggregator")?;
    let before = process::cpu_seconds(aggregator)?;
    let started = Instant::now();
    for (site, file) in &files {
        let summary = weir.json(&["import", "--site", site, "--format", "combined", &file.path().to_string_lossy()]).await?;
        ensure!(summary["taken"].as_u64() > Some(0), "{site}: {summary}");
    }
    let imported = started.elapsed().as_secs_f64();
    weir.json(&["flush", "--timeout", "120"]).await?;
    let sealed = process::cpu_seconds(aggregator)?;
    let sealed_wall = started.elapsed().as_secs_f64();
    merge(weir).await?;
    let merged = process::cpu_seconds(aggregator)?;
    ensure!(weir.pid("aggregator")? == aggregator, "the aggregator was restarted");

    let total = (EVENTS + OTHERS.iter().map(|(_, events)| events).sum::<u64>()) as f64;
    let rate = |until: f64| grouped(total / (until - before));
    report.add(
        "aggregator, stream → sealed sorted file, all enrichment",
        format!(
            "{} events/s/core; {} with merging; {} events/s on the clock",
            rate(sealed),
            rate(merged),
            grouped(total / sealed_wall)
        ),
        "≥ 250,000 events/s/core",
    );
    report.add("import of an access log", format!("{} lines/s on the clock", grouped(total / imported)), "");
    let stats = Stats::admin(weir, LOG_SITE)?;
    let found = stats.total(&["pageviews"], json!({"date_range": "30d"})).await?;
    ensure!(found == [EVENTS as f64], "{found:?} page views in the last 30 days instead of {EVENTS}");
    Ok(())
}

/// Seals everything and waits until no larger part is left as the flushes made it. Merging starts at a number of parts, so small ones are
/// added: one event and one flush each.
pub(crate) async fn merge(weir: &Weir) -> Result<()> {
    let collector = Collector::of(weir)?;
    for number in 0..FLUSHES_TO_MERGE {
        for site in [EDGE_SITE, LOG_SITE] {
            collector.send(&Visitor::number(number), &pageview(site, "/merge")).await?;
        }
        weir.flush().await?;
    }
    until("large parts to be merged", MERGED_WITHIN, async || {
        for partition in 0..2 {
            let manifest = newest_manifest(weir, partition)?;
            let flushed = manifest["parts"].as_array().into_iter().flatten().filter(|part| part["level"] == "flush");
            let rows: u64 = flushed.filter_map(|part| part["rows"].as_u64()).sum();
            if rows > 1_000 {
                return Ok(Look::NotYet(format!("{rows} rows in flush parts of partition {partition}")));
            }
        }
        Ok(Look::Done(()))
    })
    .await
}

/// Bytes an event in the files of a site's partition, by level, as the newest manifest names them.
pub(crate) async fn file_sizes(weir: &Weir, domain: &str, what: &str, report: &mut Report) -> Result<()> {
    let sites = weir.json(&["site", "list"]).await?;
    let site = sites.as_array().into_iter().flatten().find(|site| site["domain"] == domain);
    let partition =
        site.and_then(|site| site["partition"].as_u64()).with_context(|| format!("no partition of {domain} in {sites}"))?;
    let manifest = newest_manifest(weir, partition)?;
    let mut levels: BTreeMap<String, (u64, u64, u64)> = BTreeMap::new();
    for part in manifest["parts"].as_array().context("no parts")? {
        let (files, rows, bytes) = levels.entry(part["level"].as_str().unwrap_or("?").to_owned()).or_default();
        *files += 1;
        *rows += part["rows"].as_u64().unwrap_or_default();
        *bytes += part["bytes"].as_u64().unwrap_or_default();
    }
    let text: Vec<_> = levels
        .iter()
        .map(|(level, (files, rows, bytes))| {
            format!("{level} {:.1} ({files} files, {} events)", *bytes as f64 / (*rows).max(1) as f64, grouped(*rows as f64))
        })
        .collect();
    report.add(&format!("bytes per event in sealed files, {what}"), text.join("; "), "≤ 35");
    Ok(())
}

/// Manifest names begin with the revision in twelve digits.
fn newest_manifest(weir: &Weir, partition: u64) -> Result<Value> {
    let folder = weir.home().join(format!("files/manifests/local-{partition}"));
    let mut names: Vec<_> = std::fs::read_dir(&folder)?.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
    names.sort();
    let newest = names.pop().with_context(|| format!("no manifest in {}", folder.display()))?;
    Ok(serde_json::from_slice(&std::fs::read(newest)?)?)
}
