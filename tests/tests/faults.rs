//! Crashes under load: whatever is killed, every acknowledged event counts exactly once, judged by id.

use anyhow::{Result, ensure};
use nix::sys::signal::Signal;
use std::time::{Duration, Instant};
use weir_tests::load::{Load, Sent};
use weir_tests::poll::until_true;
use weir_tests::process;
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
        weir.restarted("nats", nats, LATER_RESTART_WITHIN).await?;
        weir.restarted("workerd", workerd, LATER_RESTART_WITHIN).await?;
        weir.serving(SETTLED_WITHIN).await?;
    }
    let sent = loads.stop().await?;
    verify(&weir, &sent).await
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
