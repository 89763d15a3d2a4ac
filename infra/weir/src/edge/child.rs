//! The workerd process of an edge: it does not outlive us, in whatever way we end.

use crate::home::Home;
use crate::supervisor::{reaper, signal_group};
use anyhow::{Context as _, Result};
use nix::sys::signal::Signal;
use std::ffi::OsString;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, ChildStdin, Command};

/// How long it may take to end after SIGTERM: everything is on disk by then.
const KILL_AFTER: Duration = Duration::from_millis(2_500);

/// The process, and the reaper that ends it if we are killed.
pub(super) struct Workerd {
    process: Child,
    /// Open for as long as we live: its end tells the reaper.
    reaper_input: ChildStdin,
    reaper: Child,
}

impl Workerd {
    /// Starts it. What it prints goes where our own output goes.
    pub(super) async fn start(home: &Home, program: &Path, arguments: &[OsString]) -> Result<Self> {
        let ourselves = std::env::current_exe().context("cannot tell where the weir command lies")?;
        let mut reaper = Command::new(ourselves)
            .arg("reaper")
            .arg(home.path(reaper::LOCK))
            .stdin(Stdio::piped())
            .process_group(0)
            .spawn()
            .context("cannot start the reaper")?;
        let mut reaper_input = reaper.stdin.take().context("the reaper has no standard input")?;
        let process = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let id = process.id().context("workerd ended at once")?;
        reaper_input.write_all(format!("+{id}\n").as_bytes()).await.context("the reaper does not listen")?;
        Ok(Self { process, reaper_input, reaper })
    }

    /// Waits until it ends.
    pub(super) async fn ended(&mut self) -> Result<ExitStatus> {
        self.process.wait().await.context("workerd cannot be waited for")
    }

    /// Ends it, by force if it takes long.
    pub(super) async fn end(mut self) -> Result<()> {
        if let Some(id) = self.process.id() {
            signal_group(id, Signal::SIGTERM);
            if tokio::time::timeout(KILL_AFTER, self.process.wait()).await.is_err() {
                signal_group(id, Signal::SIGKILL);
                self.process.wait().await.context("workerd cannot be ended")?;
            }
        }
        drop(self.reaper_input);
        self.reaper.wait().await.map(drop).context("the reaper cannot be waited for")
    }
}
