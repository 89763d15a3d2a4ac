//! A machine: one program, started again a second after it ended, as systemd or Kubernetes would, until the region is stopped.
//!
//! Where the system allows it has a network namespace and a small disk of its own. A signal reaches every process of it.

use crate::process;
use anyhow::{Context as _, Result};
use nix::sys::signal::Signal;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::Ipv4Addr;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::task::JoinHandle;

/// Pause before a program that ended is started again.
const START_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// What a machine does in the region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// One of the NATS servers.
    Nats,
    /// One of the edges.
    Edge,
    /// One of the aggregators.
    Aggregator,
    /// One of the query nodes.
    Query,
}

/// What runs on it.
#[derive(Clone, Debug)]
pub struct Program {
    /// The program.
    pub file: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// All of its environment but PATH.
    pub environment: BTreeMap<String, OsString>,
}

/// One machine.
pub struct Machine {
    /// Its name, as in `nats-a`.
    pub name: String,
    /// Its role.
    pub role: Role,
    /// Its number on the switch.
    pub number: usize,
    /// Its address.
    pub address: Ipv4Addr,
    /// The folder of all its files.
    pub folder: PathBuf,
    namespace: Option<String>,
    state: Arc<Mutex<State>>,
    keeper: Mutex<Option<JoinHandle<()>>>,
}

struct State {
    program: Program,
    pid: Option<u32>,
    is_wanted: bool,
    starts: u32,
}

impl Machine {
    /// A machine that runs nothing yet.
    pub fn new(
        name: &str,
        role: Role,
        (number, address): (usize, Ipv4Addr),
        folder: &Path,
        namespace: Option<String>,
        program: Program,
    ) -> Self {
        let state = State { program, pid: None, is_wanted: false, starts: 0 };
        Self {
            name: name.to_owned(),
            role,
            number,
            address,
            folder: folder.to_owned(),
            namespace,
            state: Arc::new(Mutex::new(state)),
            keeper: Mutex::new(None),
        }
    }

    /// Starts the program and keeps it running.
    pub fn start(&self) -> Result<()> {
        std::fs::create_dir_all(&self.folder)?;
        self.state().is_wanted = true;
        let (state, namespace, log) = (Arc::clone(&self.state), self.namespace.clone(), self.log_path());
        let keeper = tokio::spawn(async move {
            while locked(&state).is_wanted {
                let started = spawn(&mut locked(&state), namespace.as_deref(), &log);
                if let Ok(mut child) = started {
                    let _status = child.wait().await;
                }
                locked(&state).pid = None;
                tokio::time::sleep(START_AGAIN_AFTER).await;
            }
        });
        *self.keeper.lock().unwrap_or_else(PoisonError::into_inner) = Some(keeper);
        Ok(())
    }

    /// Sends a signal to all processes of it. Nothing happens while none runs.
    pub fn signal(&self, signal: Signal) {
        for pid in self.pids() {
            process::signal(pid, signal);
        }
    }

    /// Ends it for good.
    pub fn stop(&self) {
        self.state().is_wanted = false;
        self.signal(Signal::SIGKILL);
        if let Some(keeper) = self.keeper.lock().unwrap_or_else(PoisonError::into_inner).take() {
            keeper.abort();
        }
    }

    /// Changes a variable of the program for its next start; `None` takes it away.
    pub fn set(&self, name: &str, value: Option<&str>) {
        let mut state = self.state();
        match value {
            Some(value) => state.program.environment.insert(name.to_owned(), value.into()),
            None => state.program.environment.remove(name),
        };
    }

    /// Process id of the program; `None` while it does not run.
    pub fn pid(&self) -> Option<u32> {
        self.state().pid
    }

    /// How often it was started.
    pub fn starts(&self) -> u32 {
        self.state().starts
    }

    /// All its processes: the program and whatever it started.
    pub fn pids(&self) -> Vec<u32> {
        self.pid().map(process::tree).unwrap_or_default()
    }

    /// Resident memory of all its processes, bytes.
    pub fn resident_bytes(&self) -> u64 {
        self.pids().into_iter().filter_map(|pid| process::resident_bytes(pid).ok()).sum()
    }

    /// End of its log, for error messages.
    pub fn log(&self) -> String {
        let text = std::fs::read_to_string(self.log_path()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let from = lines.len().saturating_sub(12);
        format!("{}:\n{}", self.name, lines.get(from..).unwrap_or_default().join("\n"))
    }

    /// Where its log is: beside its disk, which may be full.
    pub fn log_path(&self) -> PathBuf {
        self.folder.with_extension("log")
    }

    fn state(&self) -> MutexGuard<'_, State> {
        locked(&self.state)
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.stop();
    }
}

fn locked(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn spawn(state: &mut State, namespace: Option<&str>, log: &Path) -> Result<tokio::process::Child> {
    let log = std::fs::OpenOptions::new().create(true).append(true).open(log)?;
    let program = &state.program;
    let mut command = match namespace {
        // `ip netns exec` becomes the program: the process id stays.
        Some(namespace) => {
            let mut command = Command::new("ip");
            command.args(["netns", "exec", namespace]).arg(&program.file);
            command
        }
        None => Command::new(&program.file),
    };
    command
        .args(&program.arguments)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .envs(&program.environment)
        .current_dir(crate::weir::repository())
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log);
    let child =
        tokio::process::Command::from(command).spawn().with_context(|| format!("cannot start {}", program.file.display()))?;
    state.pid = child.id();
    state.starts += 1;
    // Whoever stopped the machine meanwhile did not see this process.
    Ok(child)
}
