//! Crashes under load: whatever is killed, every acknowledged event counts exactly once, judged by id.

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};
use weir_tests::collector::{Collector, Visitor};
use weir_tests::load::{Load, Sent};
use weir_tests::poll::until_true;
use weir_tests::process;
use weir_tests::query::Stats;
use weir_tests::weir::{CHILDREN, Weir};

const SITE: &str = "faults.example";
/// Two senders' sites: both partitions are under load.
const OTHER: &str = "other.example";
const SENDERS: u32 = 6;
/// The first restart of a child must not take longer.
const FIRST_RESTART_WITHIN: Duration = Duration::from_secs(2);
/// Later ones back off.
const LATER_RESTART_WITHIN: Duration = Duration::from_secs(20);
/// Time for everything to come together again after the last fault.
const SETTLED_WITHIN: Duration = Duration::from_mins(1);

/// Loads on two sites at once.
struct Loads([(&'static str, Load); 2]);

impl Loads {
    fn start(weir: &Weir) -> Result<Self> {
        Ok(Self([(SITE, Load::start(weir, SITE, SENDERS)?), (OTHER, Load::start(weir, OTHER, SENDERS / 3)?)]))
    }

    async fn progress(&self, more: usize) -> Result<()> {
        for (_, load) in &self.0 {
            load.progress(more, SETTLED_WITHIN).await?;
        }
        Ok(())
    }

    async fn stop(self) -> Result<Vec<(&'static str, Sent)>> {
        let mut sent = Vec::new();
        for (site, load) in self.0 {
            sent.push((site, load.stop().await?));
        }
        Ok(sent)
    }
}

async fn start() -> Result<Weir> {
    let weir = Weir::start().await?;
    weir.add_site(SITE).await?;
    weir.add_site(OTHER).await?;
    Ok(weir)
}

async fn verify(weir: &Weir, sent: &[(&'static str, Sent)]) -> Result<()> {
    for (site, sent) in sent {
        eprintln!("{site}: {} acknowledged, {} unclear events", sent.acknowledged.len(), sent.unclear.len());
        sent.verify(weir, site, SETTLED_WITHIN).await.map_err(|error| error.context(format!("{site}; {}", weir.log("up"))))?;
    }
    Ok(())
}

/// Kills one child `times` times while events arrive.
async fn kill_under_load(child: &str, times: u32) -> Result<()> {
    let weir = start().await?;
    let loads = Loads::start(&weir)?;
    for round in 0..times {
        loads.progress(60 + 70 * round as usize).await?;
        let killed = weir.kill(child)?;
        let within = if round == 0 { FIRST_RESTART_WITHIN } else { LATER_RESTART_WITHIN };
        let at = Instant::now();
        weir.restarted(child, killed, within).await?;
        weir.serving(SETTLED_WITHIN).await?;
        eprintln!("round {round}: {child} serving again after {:?}", at.elapsed());
    }
    loads.progress(50).await?;
    let sent = loads.stop().await?;
    verify(&weir, &sent).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_workerd() -> Result<()> {
    kill_under_load("workerd", 4).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_nats() -> Result<()> {
    kill_under_load("nats", 4).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_aggregator() -> Result<()> {
    kill_under_load("aggregator", 4).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_query_api() -> Result<()> {
    kill_under_load("query-api", 3).await
}

/// The aggregator dies at random points of its commits: many flushes under load, killed at another delay each time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_aggregator_while_it_seals() -> Result<()> {
    let weir = start().await?;
    let loads = Loads::start(&weir)?;
    for round in 0..4_u64 {
        loads.progress(80).await?;
        let mut flush = weir.command(&["flush", "--json"]);
        flush.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
        let mut flush = flush.spawn()?;
        tokio::time::sleep(Duration::from_millis(15 + 35 * round)).await;
        let killed = weir.kill("aggregator")?;
        weir.restarted("aggregator", killed, LATER_RESTART_WITHIN).await?;
        // Whether that flush still succeeds is open; it must end.
        tokio::task::spawn_blocking(move || flush.wait()).await??;
    }
    let sent = loads.stop().await?;
    verify(&weir, &sent).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_everything_at_once() -> Result<()> {
    let weir = start().await?;
    let mut all = vec![(SITE, Sent::default()), (OTHER, Sent::default())];
    for round in 0..3_usize {
        let loads = Loads::start(&weir)?;
        loads.progress(60 + 40 * round).await?;
        weir.kill_everything()?;
        for ((_, all), (_, sent)) in all.iter_mut().zip(loads.stop().await?) {
            *all = std::mem::take(all).and(sent);
        }
        weir.up().await?;
        verify(&weir, &all).await?;
    }
    Ok(())
}

/// Batches are sent but not yet deleted when NATS dies under the publish; new events arrive before the edge can try again; then the edge
/// dies too. A batch that was regrouped for its retry would now be dropped as a duplicate with the new events in it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frozen_batches_survive_a_crash_between_publish_and_delete() -> Result<()> {
    let weir = start().await?;
    let loads = Loads::start(&weir)?;
    let mut kills = Vec::new();
    for round in 0..4_u64 {
        loads.progress(50).await?;
        // Frozen, it has batches in its socket without having answered; it may store some of them before it dies.
        let nats = weir.pid("nats")?;
        process::signal(nats, Signal::SIGSTOP);
        loads.progress(30).await?;
        process::signal(nats, Signal::SIGCONT);
        tokio::time::sleep(Duration::from_millis(round * 2)).await;
        process::signal(nats, Signal::SIGKILL);
        // Acknowledged while NATS is away: only the edge's own storage has them.
        loads.progress(20).await?;
        let workerd = weir.kill("workerd")?;
        kills.push(chrono::Utc::now().timestamp_millis());
        weir.restarted("nats", nats, LATER_RESTART_WITHIN).await?;
        weir.restarted("workerd", workerd, LATER_RESTART_WITHIN).await?;
        weir.serving(SETTLED_WITHIN).await?;
    }
    let sent = loads.stop().await?;
    verify(&weir, &sent).await?;
    let resent = resent_batches(&weir, &kills).await?;
    eprintln!("batches of a dead process that the next one sent: {resent:?}");
    ensure!(resent.iter().any(|resent| *resent > 0), "the case never arose: {resent:?}");
    Ok(())
}

/// For each death of the edge: batches formed by a process that was dead when they came onto the stream, before the next death.
async fn resent_batches(weir: &Weir, kills: &[i64]) -> Result<Vec<usize>> {
    let output = weir.output(&["tail", "--from-seq", "1", "--until-end", "--json"]).await?;
    let lines: Vec<Value> = String::from_utf8(output.stdout)?.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    // A producer is one life of one batcher; its first event tells when it lived.
    let mut born = BTreeMap::new();
    for line in &lines {
        let (producer, received) = (line["producer"].to_string(), line["event"]["received_ms"].as_i64().unwrap_or(i64::MAX));
        let first = born.entry(producer).or_insert(received);
        *first = received.min(*first);
    }
    let ends = kills.iter().skip(1).chain([&i64::MAX]);
    let counts = kills.iter().zip(ends).map(|(killed, next)| {
        let late: BTreeSet<_> = lines
            .iter()
            .filter(|line| born.get(&line["producer"].to_string()).is_some_and(|born| born < killed))
            .filter(|line| line["stream_ms"].as_i64().is_some_and(|at| (killed..next).contains(&&at)))
            .map(|line| (line["partition"].as_u64(), line["seq"].as_u64()))
            .collect();
        late.len()
    });
    Ok(counts.collect())
}

/// While NATS is away the edge takes what it has room for, then says so; what it took is kept.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_backlog_is_refused_and_what_was_taken_is_kept() -> Result<()> {
    let weir = Weir::start_with(&[("WEIR_BACKLOG_BYTES_MAX", "1048576")]).await?;
    weir.add_site(SITE).await?;
    let collector = Collector::of(&weir)?;
    let nats = weir.pid("nats")?;
    process::signal(nats, Signal::SIGSTOP);
    let visitor = Visitor::number(1);
    let mut taken = 0_u32;
    let filler = "x".repeat(1_900);
    let answer = loop {
        let event = json!({"n": "pageview", "d": SITE, "u": format!("https://{SITE}/{taken}"), "p": {"a": filler, "b": filler, "c": filler}});
        let answer = collector.post(&visitor, &json!(vec![event; 20])).await?;
        if answer.status() != 202 {
            break answer;
        }
        taken += 20;
        ensure!(taken < 2_000, "{taken} events of 5.7 kB in a backlog of 1 MB");
    };
    ensure!(answer.status() == 503 && answer.headers().contains_key("retry-after"), "{} {:?}", answer.status(), answer.headers());
    ensure!(taken > 60, "only {taken} events taken");
    process::signal(nats, Signal::SIGCONT);
    weir.serving(SETTLED_WITHIN).await?;
    let stats = Stats::admin(&weir, SITE)?;
    stats.await_total(SETTLED_WITHIN, &["events"], json!({}), &[f64::from(taken)]).await?;
    collector.send(&visitor, &weir_tests::collector::pageview(SITE, "/after")).await?;
    stats.await_total(SETTLED_WITHIN, &["events"], json!({}), &[f64::from(taken + 1)]).await?;
    weir.flush().await?;
    stats.await_total(SETTLED_WITHIN, &["events"], json!({}), &[f64::from(taken + 1)]).await
}

/// A Rust panic resets the whole Wasm instance, all its batchers included: the next request is served, stored events survive.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn panics_of_the_worker() -> Result<()> {
    let weir = Weir::start_with(&[("WEIR_TEST_PANIC", "1")]).await?;
    weir.add_site(SITE).await?;
    weir.add_site(OTHER).await?;
    let secrets: Value = serde_json::from_slice(&std::fs::read(weir.home().join("secrets.json"))?)?;
    let token = secrets["edge_token"].as_str().context("no edge_token in secrets.json")?;
    let client = reqwest::Client::builder().timeout(Duration::from_secs(5)).build()?;
    let (collector, workerd) = (Collector::of(&weir)?, weir.pid("workerd")?);
    let loads = Loads::start(&weir)?;
    for place in ["", "?in=batcher", "", "?in=batcher"] {
        loads.progress(40).await?;
        // No answer, or a 500: both are the end of that request only.
        let panicked = client.get(format!("{}/internal/panic{place}", collector.url())).bearer_auth(token).send().await;
        ensure!(panicked.as_ref().map_or(true, |answer| answer.status().is_server_error()), "panic{place}: {panicked:?}");
        let at = Instant::now();
        weir.serving(Duration::from_secs(10)).await?;
        eprintln!(
            "panic{place}: {:?}, serving again after {:?}",
            panicked.map(|answer| answer.status().as_u16()).ok(),
            at.elapsed()
        );
    }
    loads.progress(40).await?;
    let sent = loads.stop().await?;
    verify(&weir, &sent).await?;
    ensure!(weir.pid("workerd")? == workerd, "workerd itself died of a panic in the worker");
    Ok(())
}

/// A half-open peer: NATS stops answering but its connections stay. Every program must find out by its own deadline and recover.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silent_nats() -> Result<()> {
    let weir = start().await?;
    let loads = Loads::start(&weir)?;
    loads.progress(50).await?;
    let nats = weir.pid("nats")?;
    process::signal(nats, Signal::SIGSTOP);
    let stopped = Instant::now();
    // The edge goes on taking events into its own storage.
    loads.progress(50).await?;
    until_true("12 s of silence", Duration::from_secs(30), async || stopped.elapsed() > Duration::from_secs(12)).await?;
    process::signal(nats, Signal::SIGCONT);
    // A supervisor may take the silent server for dead and restart it: both are right.
    weir.serving(SETTLED_WITHIN).await?;
    loads.progress(50).await?;
    let sent = loads.stop().await?;
    verify(&weir, &sent).await
}

/// Nothing is left behind by a supervisor that could not clean up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn children_end_with_a_killed_supervisor() -> Result<()> {
    let weir = start().await?;
    let loads = Loads::start(&weir)?;
    loads.progress(40).await?;
    let run = weir.run()?;
    weir.kill_supervisor()?;
    until_true("children to end with their supervisor", Duration::from_secs(10), async || {
        run.pids.values().all(|pid| !process::is_alive(*pid))
    })
    .await?;
    let sent = loads.stop().await?;
    // The home is free again: a new supervisor takes it, whatever the old one left behind.
    weir.up().await?;
    let run = weir.run()?;
    for child in CHILDREN {
        ensure!(process::is_alive(run.pid(child)?), "{child} runs again");
    }
    verify(&weir, &sent).await
}
