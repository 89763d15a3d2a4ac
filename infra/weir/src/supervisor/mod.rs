//! Starts the children, keeps them running, and ends them in order.

mod child;
mod log_file;
pub(crate) mod reaper;
mod registry;

pub(crate) use child::{Program, signal_group};
pub(crate) use log_file::cut as cut_log;
pub(crate) use registry::Registry;

use anyhow::{Context as _, Result, bail};
use child::Child;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Everything has ended this long after the end was asked for; what has not by then is killed.
const KILL_AFTER: Duration = Duration::from_secs(8);
/// The edge and the query API keep nothing that is not on disk, so they get a shorter time.
const FRONT_KILL_AFTER: Duration = Duration::from_millis(2_500);
/// The aggregator's last flush must end before nats-server does.
const AGGREGATOR_KILL_AFTER: Duration = Duration::from_millis(6_500);

/// The running children.
pub(crate) struct Supervisor {
    registry: Arc<Registry>,
    children: Vec<Supervised>,
    reaper: Supervised,
}

/// When a child is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Takes requests: every edge, and the query API.
    Front,
    Aggregator,
    Nats,
}

struct Supervised {
    name: String,
    stop: CancellationToken,
    kill_at: tokio::sync::watch::Sender<Option<Instant>>,
    task: JoinHandle<()>,
}

impl Supervisor {
    /// Starts with the reaper alone.
    pub(crate) fn new(registry: Arc<Registry>, reaper: Program) -> Self {
        raise_open_files();
        let reaper = supervise(Child::reaper(reaper), &registry);
        Self { registry, children: Vec::new(), reaper }
    }

    /// Starts a child and keeps it running.
    pub(crate) fn start(&mut self, program: Program) {
        self.children.push(supervise(Child::new(program), &self.registry));
    }

    /// Fails when a child does not stay up: it died several times in a short time.
    pub(crate) fn check(&self) -> Result<()> {
        if let Some((name, log)) = self.registry.unstable() {
            bail!("{name} does not stay up; the end of {}:\n{}", log.display(), log_file::end(&log));
        }
        Ok(())
    }

    /// Ends one child for good.
    pub(crate) async fn end(&self, name: &str) {
        for child in self.children.iter().filter(|child| child.name == name) {
            child.ask_to_end(Instant::now() + FRONT_KILL_AFTER);
            child.ended().await;
        }
    }

    /// Ends the children, the ones that take requests first, nats-server last. Takes at most [`KILL_AFTER`] and a little.
    pub(crate) async fn stop(self) -> Result<()> {
        let asked = Instant::now();
        let mut result = Ok(());
        for (stage, kill_after) in
            [(Stage::Front, FRONT_KILL_AFTER), (Stage::Aggregator, AGGREGATOR_KILL_AFTER), (Stage::Nats, KILL_AFTER)]
        {
            let group = self.children.iter().filter(|child| Stage::of(&child.name) == stage);
            for child in group.clone() {
                child.ask_to_end(asked + kill_after);
            }
            for child in group {
                child.ended().await;
            }
        }
        for child in self.children {
            let ended = child.task.await.with_context(|| format!("{} could not be ended", child.name));
            result = result.and(ended);
        }
        self.reaper.ask_to_end(asked + KILL_AFTER);
        let ended = self.reaper.task.await.context("the reaper could not be ended");
        result.and(ended)
    }
}

impl Stage {
    fn of(name: &str) -> Self {
        match name {
            "nats" => Self::Nats,
            "aggregator" => Self::Aggregator,
            _ => Self::Front,
        }
    }
}

impl Supervised {
    fn ask_to_end(&self, kill_at: Instant) {
        self.kill_at.send_replace(Some(kill_at));
        self.stop.cancel();
    }

    async fn ended(&self) {
        while !self.task.is_finished() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

fn supervise(child: Child, registry: &Arc<Registry>) -> Supervised {
    let name = child.name();
    let stop = CancellationToken::new();
    let (kill_at, kill_at_seen) = tokio::sync::watch::channel(None);
    let task = tokio::spawn(child.keep_running(Arc::clone(registry), stop.clone(), kill_at_seen));
    Supervised { name, stop, kill_at, task }
}

/// Parts, connections and databases need more open files than the usual first limit of 1024.
fn raise_open_files() {
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard
        && setrlimit(Resource::RLIMIT_NOFILE, hard.min(1_048_576).max(soft), hard).is_err()
    {
        tracing::warn!(limit = soft, "the limit of open files could not be raised");
    }
}
