//! A whole Weir: `weir up` in a temporary home on free ports, killed and removed on drop.

use crate::poll::{Look, soft, until};
use crate::process;
use anyhow::{Context as _, Result, bail, ensure};
use nix::sys::signal::Signal;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Mutex;
use std::time::Duration;

/// Time to become ready: generous, because other tests may use the machine.
pub const READY_WITHIN: Duration = Duration::from_secs(40);

/// Names of the four children in `run.json`.
pub const CHILDREN: [&str; 4] = ["nats", "workerd", "aggregator", "query-api"];

/// What `run.json` says: how programs find the running system.
#[derive(Clone, Debug, Deserialize)]
pub struct Run {
    /// Address of the collector, without trailing slash.
    pub collector_url: String,
    /// Address of the query API.
    pub query_url: String,
    /// Address of NATS.
    pub nats_url: String,
    /// Key that reads every site.
    pub admin_key: String,
    /// Process ids of the children.
    pub pids: BTreeMap<String, u32>,
}

impl Run {
    /// Process id of a child.
    pub fn pid(&self, child: &str) -> Result<u32> {
        self.pids.get(child).copied().with_context(|| format!("run.json names no {child}"))
    }
}

/// One running system. Nothing in it is bound to an async runtime, so tests of one file can share it.
pub struct Weir {
    home: PathBuf,
    supervisor: Mutex<Option<Supervisor>>,
    verb: &'static str,
    options: Vec<(String, String)>,
}

/// The supervisor and its guard: a shell that kills it when the test program ends in whatever way, and removes the home.
struct Supervisor {
    child: Child,
    guard: Child,
}

impl Weir {
    /// Starts a system in a new temporary home and waits until it serves.
    pub async fn start() -> Result<Self> {
        Self::start_with(&[]).await
    }

    /// The same with further environment variables.
    pub async fn start_with(options: &[(&str, &str)]) -> Result<Self> {
        Self::start_as("up", options).await
    }

    /// `weir demo` instead of `weir up`.
    pub async fn start_demo(options: &[(&str, &str)]) -> Result<Self> {
        Self::start_as("demo", options).await
    }

    /// The same in a folder that is there, for example one of another disk.
    pub async fn start_in(folder: &Path, options: &[(&str, &str)]) -> Result<Self> {
        let home = folder.join("home");
        std::fs::DirBuilder::new().mode(0o700).create(&home)?;
        Self::start_at(home, "up", options).await
    }

    async fn start_as(verb: &'static str, options: &[(&str, &str)]) -> Result<Self> {
        let private = std::fs::Permissions::from_mode(0o700);
        let home = tempfile::Builder::new().prefix("weir-test-").permissions(private).tempdir()?.keep();
        Self::start_at(home, verb, options).await
    }

    async fn start_at(home: PathBuf, verb: &'static str, options: &[(&str, &str)]) -> Result<Self> {
        let options = options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let weir = Self { home, supervisor: Mutex::new(None), verb, options };
        weir.up().await?;
        Ok(weir)
    }

    /// Starts the supervisor on this home (again) and waits until collector and query API serve.
    pub async fn up(&self) -> Result<()> {
        let before = self.run().ok();
        let mut child = self.spawn_up(&[])?;
        let guard = Command::new("sh")
            .args([
                "-c",
                r#"cat >/dev/null; kill -KILL "$1" 2>/dev/null; if [ -z "$WEIR_KEEP" ]; then sleep 1; rm -rf "$2" "$2.up.log"; fi"#,
                "sh",
            ])
            .arg(child.id().to_string())
            .arg(&self.home)
            .stdin(Stdio::piped())
            .spawn()?;
        let ready = until("weir up ready", READY_WITHIN, async || {
            if let Some(status) = child.try_wait()? {
                bail!("weir up ended with {status}:\n{}", self.log("up"));
            }
            Ok(soft(self.look_ready(before.as_ref()).await))
        })
        .await;
        *self.slot() = Some(Supervisor { child, guard });
        ready.with_context(|| self.log("up"))
    }

    /// The supervisor as a child process, output in `up.log` beside the home; does not wait for anything.
    pub fn spawn_up(&self, options: &[(&str, &str)]) -> Result<Child> {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.log_path("up"))?;
        let mut command = self.command(&[self.verb]);
        command.envs(options.iter().copied()).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        command.spawn().with_context(|| format!("cannot start {}", binary().display()))
    }

    async fn look_ready(&self, before: Option<&Run>) -> Result<Look<()>> {
        let run = self.run()?;
        for child in CHILDREN {
            let pid = run.pid(child)?;
            if before.is_some_and(|before| before.pids.get(child) == Some(&pid)) || !process::is_alive(pid) {
                return Ok(Look::NotYet(format!("{child} not started yet")));
            }
        }
        self.look_serving(&run).await
    }

    async fn look_serving(&self, run: &Run) -> Result<Look<()>> {
        let client = client()?;
        for url in [format!("{}/health", run.collector_url), format!("{}/api/health", run.query_url)] {
            let answer = client.get(&url).send().await?;
            let status = answer.status();
            if status != 200 {
                return Ok(Look::NotYet(format!("{url} answered {status}: {}", answer.text().await.unwrap_or_default())));
            }
        }
        Ok(Look::Done(()))
    }

    /// Waits until collector and query API serve, whatever process does it.
    pub async fn serving(&self, within: Duration) -> Result<()> {
        until("collector and query API serving", within, async || Ok(soft(async { self.look_serving(&self.run()?).await }.await)))
            .await
            .with_context(|| self.log("up"))
    }

    /// The home, `WEIR_HOME`.
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// Reads `run.json` anew.
    pub fn run(&self) -> Result<Run> {
        let path = self.home.join("run.json");
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(serde_json::from_str(&text)?)
    }

    /// Process id of a child, from `run.json`.
    pub fn pid(&self, child: &str) -> Result<u32> {
        self.run()?.pid(child)
    }

    /// Process id of the supervisor.
    pub fn supervisor_pid(&self) -> Result<u32> {
        self.slot().as_ref().map(|supervisor| supervisor.child.id()).context("weir is not up")
    }

    /// Kills one child at once and returns its process id.
    pub fn kill(&self, child: &str) -> Result<u32> {
        let pid = self.pid(child)?;
        process::signal(pid, Signal::SIGKILL);
        Ok(pid)
    }

    /// Waits until a child runs under another process id than the killed one.
    pub async fn restarted(&self, child: &str, killed: u32, within: Duration) -> Result<u32> {
        until(&format!("{child} restarted"), within, async || {
            Ok(soft(self.run().and_then(|run| run.pid(child)).map(|pid| {
                if pid != killed && process::is_alive(pid) {
                    Look::Done(pid)
                } else {
                    Look::NotYet(format!("run.json names {pid}"))
                }
            })))
        })
        .await
    }

    /// Kills supervisor and children at once, as a power failure would.
    pub fn kill_everything(&self) -> Result<()> {
        let run = self.run()?;
        let mut supervisor = self.slot().take().context("weir is not up")?;
        process::signal(supervisor.child.id(), Signal::SIGKILL);
        for pid in run.pids.values() {
            process::signal(*pid, Signal::SIGKILL);
        }
        supervisor.child.wait()?;
        dismiss(&mut supervisor.guard);
        Ok(())
    }

    /// Does something, a power cut for example, and kills all processes at that moment, before they can react to it.
    pub fn kill_everything_at(&self, moment: impl FnOnce()) -> Result<()> {
        let mut supervisor = self.slot().take().context("weir is not up")?;
        let pids: Vec<u32> = process::tree(supervisor.child.id()).split_off(1);
        moment();
        process::signal(supervisor.child.id(), Signal::SIGKILL);
        for pid in pids {
            process::signal(pid, Signal::SIGKILL);
        }
        dismiss(&mut supervisor.guard);
        // Reaped by whoever waits for it: it may hang on a disk without power until then.
        std::thread::spawn(move || supervisor.child.wait());
        Ok(())
    }

    /// Kills only the supervisor and reaps it.
    pub fn kill_supervisor(&self) -> Result<()> {
        let mut supervisor = self.slot().take().context("weir is not up")?;
        supervisor.child.kill()?;
        supervisor.child.wait()?;
        dismiss(&mut supervisor.guard);
        Ok(())
    }

    /// Ends the system by a signal; fails if supervisor or children are still there after `within`.
    pub async fn stop(&self, with: Signal, within: Duration) -> Result<()> {
        let run = self.run()?;
        let mut supervisor = self.slot().take().context("weir is not up")?;
        process::signal(supervisor.child.id(), with);
        let ended = until("weir up to end", within, async || {
            if supervisor.child.try_wait()?.is_none() {
                return Ok(Look::NotYet("the supervisor still runs".into()));
            }
            Ok(match run.pids.iter().find(|(_, pid)| process::is_alive(**pid)) {
                Some((name, _)) => Look::NotYet(format!("{name} still runs")),
                None => Look::Done(()),
            })
        })
        .await;
        if ended.is_err() {
            supervisor.child.kill()?;
            supervisor.child.wait()?;
        }
        dismiss(&mut supervisor.guard);
        ended.with_context(|| self.log("up"))
    }

    /// The weir program on this home with nothing else in its environment but `PATH` and the ports, run from the repository's root.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command
            .args(arguments)
            .current_dir(repository())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("WEIR_HOME", &self.home)
            .envs(["WEIR_COLLECTOR_PORT", "WEIR_QUERY_PORT", "WEIR_NATS_PORT"].map(|name| (name, "0")))
            // At its own low priority a replay stands still beside tests that take whole processors.
            .env("WEIR_REPLAY_NICE", "0")
            // One site gets what a whole edge takes, in benchmarks and where something is broken under load: no ceiling unless a test names one.
            .envs(["WEIR_SITE_EVENTS_PER_S", "WEIR_SITE_REQUESTS_PER_S"].map(|name| (name, "0")))
            .envs(self.options.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        command
    }

    /// Runs a command to its end, whatever its exit status.
    pub async fn output(&self, arguments: &[&str]) -> Result<Output> {
        let mut command = self.command(arguments);
        command.stdin(Stdio::null());
        Ok(tokio::task::spawn_blocking(move || command.output()).await??)
    }

    /// Runs a command with `--json` and parses what it prints; a failed command is an error that shows its output.
    pub async fn json(&self, arguments: &[&str]) -> Result<Value> {
        let mut with_json = arguments.to_vec();
        with_json.push("--json");
        let output = self.output(&with_json).await?;
        let stdout = String::from_utf8_lossy(&output.stdout);
        ensure!(
            output.status.success(),
            "weir {}: {}\n{stdout}\n{}",
            arguments.join(" "),
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        serde_json::from_str(stdout.trim()).with_context(|| format!("weir {} printed: {stdout}", arguments.join(" ")))
    }

    /// Adds a site and returns once the edge knows it (the contract says within 5 s).
    pub async fn add_site(&self, domain: &str) -> Result<()> {
        self.add_site_in(domain, "UTC").await
    }

    /// The same with a time zone.
    pub async fn add_site_in(&self, domain: &str, timezone: &str) -> Result<()> {
        self.json(&["site", "add", domain, "--timezone", timezone]).await?;
        let url = format!("{}/api/event", self.run()?.collector_url);
        let client = client()?;
        // An engagement ping opens no visit and counts in no metric: it only asks whether the site is known.
        let body = serde_json::json!({"n": "engagement", "d": domain, "u": format!("http://{domain}/"), "e": 1});
        until(&format!("the edge to know {domain}"), Duration::from_secs(5), async || {
            Ok(soft(
                async {
                    let answer = client.post(&url).header("user-agent", crate::collector::USER_AGENT).json(&body).send().await?;
                    Ok(if answer.status() == 202 && !answer.headers().contains_key("x-plausible-dropped") {
                        Look::Done(())
                    } else {
                        Look::NotYet(format!("{} {:?}", answer.status(), answer.headers()))
                    })
                }
                .await,
            ))
        })
        .await
    }

    /// Makes a key for a site.
    pub async fn create_key(&self, domain: &str) -> Result<String> {
        let made = self.json(&["key", "create", "--site", domain]).await?;
        made["key"].as_str().map(str::to_owned).with_context(|| format!("no key in {made}"))
    }

    /// Seals everything received so far.
    pub async fn flush(&self) -> Result<Value> {
        self.json(&["flush"]).await
    }

    /// End of a log, for error messages: `up` is the supervisor's own, else a child's.
    pub fn log(&self, name: &str) -> String {
        let path = if name == "up" { self.log_path(name) } else { self.home.join(format!("logs/{name}.log")) };
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let from = lines.len().saturating_sub(25);
        format!("{}:\n{}", path.display(), lines.get(from..).unwrap_or_default().join("\n"))
    }

    fn log_path(&self, name: &str) -> PathBuf {
        self.home.with_extension(format!("{name}.log"))
    }

    fn slot(&self) -> std::sync::MutexGuard<'_, Option<Supervisor>> {
        self.supervisor.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Drop for Weir {
    fn drop(&mut self) {
        let pids = self.run().map(|run| run.pids).unwrap_or_default();
        let running = self.slot().take();
        if let Some(mut supervisor) = running {
            let _gone = supervisor.child.kill();
            let _reaped = supervisor.child.wait();
            // The children would end by themselves; a test must not wait for that.
            for pid in pids.values() {
                process::signal(*pid, Signal::SIGKILL);
            }
            dismiss(&mut supervisor.guard);
        }
        if std::env::var_os("WEIR_KEEP").is_none() {
            // The killed programs may be in the middle of a last write.
            for _ in 0..100 {
                let _again = std::fs::remove_dir_all(&self.home);
                if !self.home.exists() && pids.values().all(|pid| !process::is_alive(*pid)) {
                    break;
                }
                std::thread::sleep(Duration::from_millis(20));
            }
            let _gone = std::fs::remove_file(self.log_path("up"));
        }
    }
}

/// Ends a guard whose supervisor is already reaped.
fn dismiss(guard: &mut Child) {
    let _gone = guard.kill();
    let _reaped = guard.wait();
}

/// The weir program: `WEIR_BIN`, else the release build.
pub fn binary() -> PathBuf {
    std::env::var_os("WEIR_BIN").map_or_else(|| repository().join("target/release/weir"), PathBuf::from)
}

/// Root of the repository.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_path_buf).unwrap_or_default()
}

/// A file in `tests/fixtures/`.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

/// An HTTP client with a deadline, for loopback.
pub fn client() -> Result<reqwest::Client> {
    Ok(reqwest::Client::builder().timeout(Duration::from_secs(20)).no_proxy().build()?)
}
