//! One run: region, load, faults, recovery, comparison.

use super::load::{Load, SITES};
use super::machine::{Machine, Role};
use super::plan::{Draw, Fault, Kind, draw};
use super::region::{Abilities, Region, names};
use super::report::{Hit, Report, requests};
use super::watch::{self, Sample, Samples};
use super::{check, elections, inject};
use crate::poll::until_true;
use anyhow::{Context as _, Result};
use chrono::Utc;
use nix::sys::signal::Signal;
use std::sync::PoisonError;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Load before the first fault.
const CALM: Duration = Duration::from_secs(5);
/// For recovery after the last fault: what takes longer fails, but is still looked at.
const RECOVERED_WITHIN: Duration = Duration::from_secs(90);
/// A server whose health check fails for so long is started again, as Kubernetes' liveness probe does.
const ILL_FOR_MAX: Duration = Duration::from_secs(15);

/// What a run is to be.
#[derive(Clone, Debug)]
pub struct Options {
    /// Seed of the faults.
    pub seed: u64,
    /// How many.
    pub faults: u64,
    /// Time between their beginnings, milliseconds.
    pub every_ms: u64,
    /// Longest one, milliseconds.
    pub longest_ms: u64,
    /// Only these kinds; empty = all that are possible.
    pub kinds: Vec<Kind>,
    /// These faults instead of drawn ones.
    pub planned: Option<Vec<Fault>>,
    /// Steady load.
    pub events_per_s: u32,
    /// Steady load.
    pub queries_per_s: u32,
    /// Whether shares of requests are judged.
    pub has_figures: bool,
}

/// Runs it. What is wrong stands in the report; an error means that it could not be carried out.
pub async fn run(options: &Options) -> Result<Report> {
    let region = Region::start(Abilities::here()).await?;
    eprintln!("seed {}: the region serves in {}", options.seed, region.folder().display());
    let (possible, left_out) = inject::possible(&region);
    let kinds: Vec<Kind> = possible.into_iter().filter(|kind| options.kinds.is_empty() || options.kinds.contains(kind)).collect();
    for left_out in &left_out {
        eprintln!("NOT TRIED: {left_out}");
    }
    let machines = names();
    let drawn = || {
        let Options { seed, faults: count, every_ms, longest_ms, .. } = *options;
        draw(&Draw { seed, count, every_ms, longest_ms, kinds: &kinds, machines: &machines })
    };
    let mut faults = options.planned.clone().unwrap_or_else(drawn);
    faults.retain(|fault| kinds.contains(&fault.kind));
    let mut report = Report { seed: options.seed, left_out, ..Report::default() };
    let ended = CancellationToken::new();
    let samples = Samples::default();
    let (began, first_day) = (Instant::now(), day());
    let admin_key = region.admin_key()?;
    let urls = (region.collector_url(), region.query_url(), admin_key.as_str());
    let load = Load::start(began, urls, options.events_per_s, options.queries_per_s)?;
    let working = async {
        let worked = work(&region, &load, options, &faults, began, &samples).await;
        ended.cancel();
        worked
    };
    let (worked, (), ()) =
        tokio::join!(working, watch::watch(&region, SITES[0], &admin_key, began, &samples, &ended), probe(&region, &ended));
    report.ran_ms = began.elapsed().as_millis() as u64;
    let (sent, outcomes) = load.stop().await;
    let samples = samples.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let hits = worked.with_context(|| region.logs())?;
    let leaders: Vec<(u64, bool)> = samples.iter().map(|sample| (sample.at_ms, sample.is_led)).collect();
    report.elections = elections::windows(&leaders);
    report.requests = requests(&outcomes, &report.elections);
    report.longest_stand_ms = watch::longest_stand(&samples);
    report.faults = with_recovery(hits, &samples);
    report.recovered_after_ms = match report.faults.last() {
        Some(last) => last.recovered_after_ms,
        None => Some(0),
    };
    report.complaint = samples.last().map(Sample::complaint).unwrap_or_default();
    report.machines =
        region.machines.iter().map(|machine| (machine.name.clone(), (machine.starts(), machine.resident_bytes()))).collect();
    match check::check(&region, &sent, &[first_day, day()]).await {
        Ok(checked) => report.checked = Some(checked),
        Err(error) => report.failures.push(format!("{error:#}")),
    }
    report.judge(options.has_figures);
    if !report.failures.is_empty() {
        eprintln!("{}", region.logs());
    }
    Ok(report)
}

fn day() -> String {
    Utc::now().format("%Y-%m-%d").to_string()
}

/// The faults one after the other, then the wait for recovery.
async fn work(
    region: &Region,
    load: &Load,
    options: &Options,
    faults: &[Fault],
    began: Instant,
    samples: &Samples,
) -> Result<Vec<Hit>> {
    let mut hits = Vec::new();
    let is_calm = async || load.acknowledged() > 0 && began.elapsed() > CALM;
    until_true("the load to be acknowledged", RECOVERED_WITHIN, is_calm).await?;
    let first = Instant::now();
    for fault in faults {
        tokio::time::sleep_until(first + Duration::from_millis(fault.at_ms)).await;
        let mut fault = fault.clone();
        fault.at_ms = began.elapsed().as_millis() as u64;
        eprintln!("{:>7.1} s  {fault}", fault.at_ms as f64 / 1000.0);
        let note = inject::inject(region, load, options.events_per_s, &fault).await.with_context(|| fault.to_string())?;
        hits.push(Hit { fault, over_ms: began.elapsed().as_millis() as u64, recovered_after_ms: None, note });
    }
    let over_ms = hits.last().map_or(0, |hit| hit.over_ms);
    let is_well = async || {
        let samples = samples.lock().unwrap_or_else(PoisonError::into_inner);
        watch::recovery(&samples, over_ms, u64::MAX).is_some()
    };
    // Whether it did recover is read from the samples.
    let _judged_later = until_true("recovery", RECOVERED_WITHIN, is_well).await;
    Ok(hits)
}

fn with_recovery(mut hits: Vec<Hit>, samples: &[Sample]) -> Vec<Hit> {
    let next: Vec<u64> = hits.iter().skip(1).map(|hit| hit.fault.at_ms).chain([u64::MAX]).collect();
    for (hit, next_ms) in hits.iter_mut().zip(next) {
        hit.recovered_after_ms = watch::recovery(samples, hit.over_ms, next_ms);
    }
    hits
}

/// The liveness probe of the NATS servers: one that switched its `JetStream` off because its disk was full comes back by a new start alone.
async fn probe(region: &Region, ended: &CancellationToken) {
    let Ok(client) = reqwest::Client::builder().timeout(Duration::from_secs(1)).no_proxy().build() else { return };
    let servers: Vec<&Machine> = region.of(Role::Nats).collect();
    let mut ill_since = vec![None; servers.len()];
    while ended.run_until_cancelled(tokio::time::sleep(Duration::from_secs(1))).await.is_some() {
        for (server, ill_since) in servers.iter().zip(&mut ill_since) {
            let url = format!("{}/healthz?js-enabled-only=true", Region::monitor_url(server));
            // The probe stands on the server's own machine: one that is cut off from here is not ill for it.
            match client.get(url).send().await {
                Ok(answer) if answer.status() != 200 => {
                    let since = *ill_since.get_or_insert_with(Instant::now);
                    if since.elapsed() > ILL_FOR_MAX {
                        eprintln!("          {} is ill and is started again", server.name);
                        server.signal(Signal::SIGKILL);
                        *ill_since = None;
                    }
                }
                _ => *ill_since = None,
            }
        }
    }
}
