//! One child: started, started again when it dies, ended with its whole process group.

use super::log_file;
use super::registry::Registry;
use anyhow::{Context as _, Result};
use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// A child that ran this long counts as healthy: its next death is its first.
const HEALTHY_AFTER: Duration = Duration::from_secs(30);

/// What to start.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    /// Name in `run.json` and of the log.
    pub(crate) name: String,
    /// The program's file.
    pub(crate) file: PathBuf,
    /// Its arguments.
    pub(crate) arguments: Vec<OsString>,
    /// Variables added to our environment.
    pub(crate) environment: Vec<(&'static str, OsString)>,
    /// Where standard output and error go.
    pub(crate) log: PathBuf,
}

/// A child under supervision.
pub(super) struct Child {
    program: Program,
    is_reaper: bool,
}

impl Child {
    pub(super) fn new(program: Program) -> Self {
        Self { program, is_reaper: false }
    }

    /// The child that ends the others if we are killed. It gets their process ids through its standard input.
    pub(super) fn reaper(program: Program) -> Self {
        Self { program, is_reaper: true }
    }

    pub(super) fn name(&self) -> String {
        self.program.name.clone()
    }

    /// Keeps the child running until `stop`; then ends it, by force at the moment that `kill_at` names.
    pub(super) async fn keep_running(
        self,
        registry: Arc<Registry>,
        stop: CancellationToken,
        kill_at: watch::Receiver<Option<Instant>>,
    ) {
        let mut deaths = 0;
        while !stop.is_cancelled() {
            let started = Instant::now();
            match self.spawn(&registry) {
                Ok(mut process) => {
                    let id = process.id();
                    tokio::select! {
                        status = process.wait() => {
                            let status = status.map_or_else(|error| error.to_string(), |status| status.to_string());
                            tracing::warn!(child = %self.program.name, status, "child died, starting it again");
                        }
                        () = stop.cancelled() => self.end(&mut process, kill_at.clone()).await,
                    }
                    self.forget(&registry, id);
                }
                Err(error) => {
                    tracing::error!(child = %self.program.name, error = format!("{error:#}"), "child could not be started");
                }
            }
            deaths = if started.elapsed() > HEALTHY_AFTER { 1 } else { deaths + 1 };
            registry.died(&self.program, deaths);
            tokio::select! {
                () = tokio::time::sleep(pause(deaths)) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    fn spawn(&self, registry: &Registry) -> Result<tokio::process::Child> {
        let program = &self.program;
        let log = log_file::open(&program.log)?;
        let mut process = tokio::process::Command::new(&program.file)
            .args(&program.arguments)
            .envs(program.environment.iter().map(|(name, value)| (name, value)))
            .stdin(if self.is_reaper { Stdio::piped() } else { Stdio::null() })
            .stdout(log.try_clone()?)
            .stderr(log)
            // Its own group: Ctrl-C in the terminal reaches only us, and the group can be ended as a whole.
            .process_group(0)
            .kill_on_drop(!self.is_reaper)
            .spawn()
            .with_context(|| format!("cannot start {}", program.file.display()))?;
        let id = process.id().context("the child ended at once")?;
        if self.is_reaper {
            let stdin = process.stdin.take().context("the reaper has no standard input")?;
            registry.reaper_started(std::fs::File::from(stdin.into_owned_fd()?));
        } else {
            registry.started(&program.name, id)?;
        }
        Ok(process)
    }

    async fn end(&self, process: &mut tokio::process::Child, kill_at: watch::Receiver<Option<Instant>>) {
        let Some(id) = process.id() else { return };
        // The reaper ends by the end of its input, which `forget` closes.
        signal_group(id, if self.is_reaper { Signal::SIGKILL } else { Signal::SIGTERM });
        let kill_at = (*kill_at.borrow()).unwrap_or_else(Instant::now);
        if tokio::time::timeout_at(kill_at, process.wait()).await.is_err() {
            tracing::warn!(child = %self.program.name, "child did not end in time, killing it");
            signal_group(id, Signal::SIGKILL);
            if let Err(error) = process.wait().await {
                tracing::error!(child = %self.program.name, %error, "child could not be killed");
            }
        }
    }

    fn forget(&self, registry: &Registry, id: Option<u32>) {
        if self.is_reaper {
            registry.reaper_ended();
        } else if let Some(id) = id {
            // What the child itself started dies with it.
            signal_group(id, Signal::SIGKILL);
            registry.ended(id);
        }
    }
}

/// Signals a process group; one that is gone already is fine.
pub(crate) fn signal_group(id: u32, signal: Signal) {
    let Ok(group) = i32::try_from(id) else { return };
    match killpg(Pid::from_raw(group), signal) {
        Ok(()) | Err(Errno::ESRCH | Errno::EPERM) => {}
        Err(error) => tracing::warn!(group, %error, "process group cannot be signalled"),
    }
}

/// Pause before the next start: none for the first deaths, then growing.
fn pause(deaths: u32) -> Duration {
    match deaths {
        0..=2 => Duration::from_millis(50),
        3 => Duration::from_millis(500),
        more => Duration::from_millis(1_000 << (more - 4).min(4)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_deaths_cost_no_time() {
        let pauses: Vec<u64> = (1..10).map(|deaths| pause(deaths).as_millis() as u64).collect();
        assert_eq!(pauses, [50, 50, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 16_000]);
    }
}
