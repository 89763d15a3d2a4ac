//! A whole cluster on one machine: nats-servers over TLS from `weir cluster init`, edges, aggregators and query nodes, each a process of its own that can
//! be killed, stopped and started again. All are ended when the test is.

use crate::poll::{Look, soft, until};
use crate::process;
use crate::weir::{binary, client, repository};
use anyhow::{Context as _, Result, bail, ensure};
use nix::sys::signal::Signal;
use serde_json::Value;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::Write as _;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Time for everything to serve: generous, because other tests may use the machine.
pub const READY_WITHIN: Duration = Duration::from_mins(1);
/// Name of the region.
pub const REGION: &str = "eu";

/// What a cluster is made of.
#[derive(Clone, Debug)]
pub struct Options {
    /// Servers of NATS.
    pub servers: usize,
    /// Servers that keep each stream.
    pub replicas: usize,
    /// Partitions.
    pub partitions: u32,
    /// Edges.
    pub edges: usize,
    /// Aggregators; each folds all partitions, one of them commits.
    pub aggregators: usize,
    /// Query nodes.
    pub queries: usize,
    /// Further variables of the weir processes.
    pub environment: Vec<(String, String)>,
}

impl Default for Options {
    fn default() -> Self {
        Self { servers: 3, replicas: 3, partitions: 2, edges: 2, aggregators: 2, queries: 2, environment: Vec::new() }
    }
}

/// How a process is started, the first time and again.
#[derive(Clone, Debug)]
pub struct Launch {
    /// What stands before the program, as `ip netns exec NAME`; empty = nothing.
    pub wrapper: Vec<OsString>,
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// Its whole environment beside `PATH`.
    pub environment: Vec<(String, OsString)>,
}

/// The cluster.
pub struct Cluster {
    root: PathBuf,
    options: Options,
    ports: BTreeMap<String, u16>,
    launches: Mutex<BTreeMap<String, Launch>>,
    running: Mutex<BTreeMap<String, Child>>,
    reaper: Mutex<Reaper>,
}

/// Ends what runs when the test program ends in whatever way: the one that `weir up` has.
struct Reaper {
    child: Child,
    input: Option<ChildStdin>,
}

impl Cluster {
    /// Makes a cluster and waits until all of it serves.
    pub async fn start(options: Options) -> Result<Self> {
        let cluster = Self::prepare(options)?;
        cluster.start_servers()?;
        let replicas = cluster.options.replicas.to_string();
        cluster.json(&["cluster", "provision", "--replicas", &replicas]).await.with_context(|| cluster.log("nats-a"))?;
        cluster.start_programs()?;
        cluster.serving(READY_WITHIN).await?;
        Ok(cluster)
    }

    /// Makes the files of a cluster; nothing runs yet.
    pub fn prepare(options: Options) -> Result<Self> {
        let root = tempfile::Builder::new().prefix("weir-cluster-").tempdir()?.keep();
        std::fs::create_dir_all(root.join("logs"))?;
        let mut names: Vec<String> = Vec::new();
        for server in server_names(options.servers) {
            names.extend(["client", "route", "monitor"].map(|port| format!("{server}.{port}")));
        }
        names.extend((0..options.edges).map(|index| format!("edge-{index}")));
        names.extend((0..options.queries).map(|index| format!("query-{index}")));
        let ports = names.into_iter().zip(free_ports()?).collect();
        let mut reaper = Command::new(binary()).arg("reaper").arg(root.join("reaper.lock")).stdin(Stdio::piped()).spawn()?;
        let input = reaper.stdin.take();
        let reaper = Mutex::new(Reaper { child: reaper, input });
        let cluster = Self { root, options, ports, launches: Mutex::default(), running: Mutex::default(), reaper };
        cluster.init(&[])?;
        let launches = cluster.all_launches()?;
        *cluster.launches.lock().unwrap_or_else(PoisonError::into_inner) = launches;
        Ok(cluster)
    }

    /// `weir cluster init` with the servers of this cluster and further arguments.
    pub fn init(&self, more: &[&str]) -> Result<()> {
        let mut command = Command::new(binary());
        command.args(["cluster", "init"]).arg(self.folder()).args(["--region", REGION]);
        command.args(["--partitions", &self.options.partitions.to_string()]).env_clear();
        for server in server_names(self.options.servers) {
            let port = |kind: &str| self.port(&format!("{server}.{kind}"));
            let name = server.trim_start_matches("nats-");
            let node = format!("{name}=127.0.0.1:{}:{}:{}", port("client")?, port("route")?, port("monitor")?);
            command.args(["--node", &node]);
        }
        let output = command.args(more).output().with_context(|| format!("cannot start {}", binary().display()))?;
        ensure!(output.status.success(), "weir cluster init: {}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }

    fn all_launches(&self) -> Result<BTreeMap<String, Launch>> {
        let mut all = BTreeMap::new();
        for server in server_names(self.options.servers) {
            let config = self.folder().join(format!("nats/{}.conf", server.trim_start_matches("nats-")));
            let program = repository().join(".tools/bin/nats-server");
            let environment = vec![("GOMEMLIMIT".to_owned(), "300MiB".into())];
            all.insert(server, Launch { wrapper: Vec::new(), program, arguments: vec!["-c".into(), config.into()], environment });
        }
        for (role, verb, count) in [
            ("edge", "edge", self.options.edges),
            ("aggregator", "aggregator", self.options.aggregators),
            ("query", "query-api", self.options.queries),
        ] {
            for index in 0..count {
                let name = format!("{role}-{index}");
                let environment = self.environment(verb, &name)?;
                let launch = Launch { wrapper: Vec::new(), program: binary(), arguments: vec![verb.into()], environment };
                all.insert(name, launch);
            }
        }
        Ok(all)
    }

    /// The variables of a program: its role's file, and what is its own.
    fn environment(&self, role: &str, name: &str) -> Result<Vec<(String, OsString)>> {
        let file = self.folder().join(format!("env/{role}.env"));
        let text = std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let mut all: Vec<(String, OsString)> =
            text.lines().filter_map(|line| line.split_once('=')).map(|(name, value)| (name.to_owned(), value.into())).collect();
        let mut put = |name: &str, value: OsString| all.push((name.to_owned(), value));
        put("WEIR_HOME", self.root.join(name).into());
        put("WEIR_FILES", self.root.join("files").into());
        put("WEIR_ROOT", repository().into());
        match role {
            "edge" => {
                put("WEIR_COLLECTOR_PORT", self.port(name)?.to_string().into());
                put("WEIR_EDGE_INDEX", name.into());
                put("WEIR_EDGE_DRAIN_MS", "0".into());
                put("WEIR_SLOTS", "1".into());
                put("WEIR_SITE_EVENTS_PER_S", "0".into());
                put("WEIR_SITE_REQUESTS_PER_S", "0".into());
            }
            "query-api" => put("WEIR_QUERY_PORT", self.port(name)?.to_string().into()),
            "aggregator" => put("WEIR_FLUSH_AFTER_MS", "2000".into()),
            _ => {
                put("WEIR_EDGE_URLS", self.collector_urls()?.join(",").into());
                put("WEIR_QUERY_URL", self.query_urls()?.first().cloned().unwrap_or_default().into());
            }
        }
        all.extend(self.options.environment.iter().map(|(name, value)| (name.clone(), value.into())));
        Ok(all)
    }

    /// Starts the servers of NATS.
    pub fn start_servers(&self) -> Result<()> {
        server_names(self.options.servers).iter().try_for_each(|name| self.spawn(name))
    }

    /// Starts everything that is not a server of NATS.
    pub fn start_programs(&self) -> Result<()> {
        let names: Vec<String> = self.launches().keys().filter(|name| !name.starts_with("nats-")).cloned().collect();
        names.iter().try_for_each(|name| self.spawn(name))
    }

    /// Changes how a process is started from the next time on.
    pub fn change(&self, name: &str, change: impl FnOnce(&mut Launch)) -> Result<()> {
        change(self.launches().get_mut(name).with_context(|| format!("there is no {name}"))?);
        Ok(())
    }

    /// Starts a process, the first time or again.
    pub fn spawn(&self, name: &str) -> Result<()> {
        let launch = self.launches().get(name).cloned().with_context(|| format!("there is no {name}"))?;
        let mut words = launch.wrapper.iter().cloned().chain([launch.program.clone().into()]).chain(launch.arguments);
        let log = File::options().create(true).append(true).open(self.log_path(name))?;
        let child = Command::new(words.next().context("no program")?)
            .args(words)
            .current_dir(&self.root)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .envs(launch.environment)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start {}", launch.program.display()))?;
        self.tell_reaper(&format!("+{}", child.id()));
        if let Some(former) = self.running().insert(name.to_owned(), child) {
            bail!("{name} ran already, as {}", former.id());
        }
        Ok(())
    }

    /// Process id of what runs; of an edge, that of `weir edge` ([`Self::workerd`] is its child).
    pub fn pid(&self, name: &str) -> Result<u32> {
        self.running().get(name).map(Child::id).with_context(|| format!("{name} does not run"))
    }

    /// Process id of an edge's workerd.
    pub fn workerd(&self, edge: &str) -> Result<u32> {
        let pid = self.pid(edge)?;
        let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        let all: Vec<u32> = std::fs::read_dir(format!("/proc/{pid}/task"))?
            .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("children")).ok())
            .chain([children])
            .flat_map(|list| list.split_whitespace().filter_map(|id| id.parse().ok()).collect::<Vec<u32>>())
            .collect();
        let is_workerd =
            |id: &u32| std::fs::read_to_string(format!("/proc/{id}/comm")).is_ok_and(|name| name.trim() == "workerd");
        all.into_iter().find(is_workerd).with_context(|| format!("{edge} has no workerd"))
    }

    /// Sends a signal to a process; to an edge's workerd too when it is one that nobody can handle.
    pub fn signal(&self, name: &str, signal: Signal) -> Result<()> {
        if name.starts_with("edge-") && matches!(signal, Signal::SIGSTOP | Signal::SIGCONT | Signal::SIGKILL) {
            // One that died already is no reason not to signal the other.
            if let Ok(workerd) = self.workerd(name) {
                process::signal(workerd, signal);
            }
        }
        process::signal(self.pid(name)?, signal);
        Ok(())
    }

    /// Kills a process at once and waits until it is gone.
    pub fn kill(&self, name: &str) -> Result<()> {
        self.signal(name, Signal::SIGKILL)?;
        let mut child = self.running().remove(name).with_context(|| format!("{name} does not run"))?;
        child.wait()?;
        self.tell_reaper(&format!("-{}", child.id()));
        Ok(())
    }

    /// Waits until a process that was asked to has ended.
    pub async fn ended(&self, name: &str, within: Duration) -> Result<ExitStatus> {
        let ended = until(&format!("{name} to end"), within, async || {
            let status = self.running().get_mut(name).with_context(|| format!("{name} does not run"))?.try_wait()?;
            Ok(status.map_or_else(|| Look::NotYet("it still runs".to_owned()), Look::Done))
        })
        .await
        .with_context(|| self.log(name))?;
        if let Some(child) = self.running().remove(name) {
            self.tell_reaper(&format!("-{}", child.id()));
        }
        Ok(ended)
    }

    /// Ends a process by SIGTERM and waits for it.
    pub async fn stop(&self, name: &str, within: Duration) -> Result<ExitStatus> {
        process::signal(self.pid(name)?, Signal::SIGTERM);
        self.ended(name, within).await
    }

    /// Names of the processes, whether they run or not.
    pub fn names(&self) -> Vec<String> {
        self.launches().keys().cloned().collect()
    }

    /// Names of those that have ended without being asked to.
    pub fn dead(&self) -> Vec<String> {
        let mut running = self.running();
        running.iter_mut().filter_map(|(name, child)| (!matches!(child.try_wait(), Ok(None))).then(|| name.clone())).collect()
    }

    /// Forgets a process that has ended by itself, so that it can be started again.
    pub fn bury(&self, name: &str) {
        if let Some(mut child) = self.running().remove(name) {
            let _gone = child.kill();
            let _reaped = child.wait();
            self.tell_reaper(&format!("-{}", child.id()));
        }
    }

    /// Waits until every edge and every query node says that it is healthy.
    pub async fn serving(&self, within: Duration) -> Result<()> {
        let client = client()?;
        let edges = self.collector_urls()?.into_iter().enumerate().map(|(index, url)| (format!("edge-{index}"), url + "/health"));
        let queries =
            self.query_urls()?.into_iter().enumerate().map(|(index, url)| (format!("query-{index}"), url + "/api/health"));
        for (name, url) in edges.chain(queries) {
            until(&format!("{name} serving"), within, async || {
                if self.dead().contains(&name) {
                    bail!("{name} ended");
                }
                let asked = async {
                    let answer = client.get(&url).send().await?;
                    let status = answer.status();
                    Ok(if status == 200 { Look::Done(()) } else { Look::NotYet(format!("{status} {}", answer.text().await?)) })
                };
                Ok(soft(asked.await))
            })
            .await
            .with_context(|| self.log(&name))?;
        }
        Ok(())
    }

    /// The folder that `weir cluster init` made.
    pub fn folder(&self) -> PathBuf {
        self.root.join("cluster")
    }

    /// The folder that holds everything.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Addresses of the collectors.
    pub fn collector_urls(&self) -> Result<Vec<String>> {
        self.urls("edge", self.options.edges)
    }

    /// Addresses of the query nodes.
    pub fn query_urls(&self) -> Result<Vec<String>> {
        self.urls("query", self.options.queries)
    }

    /// A port of `nats-a.client`, `nats-a.route`, `nats-a.monitor`, `edge-0`, `query-0` and so on.
    pub fn port(&self, name: &str) -> Result<u16> {
        self.ports.get(name).copied().with_context(|| format!("there is no port of {name}"))
    }

    /// A secret of the cluster by its file's name, like `nats-edge`.
    pub fn secret(&self, name: &str) -> Result<String> {
        let file = self.folder().join("secrets").join(name);
        Ok(std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?.trim_end().to_owned())
    }

    /// The API key that reads every site.
    pub fn admin_key(&self) -> Result<String> {
        self.secret("admin-key")
    }

    /// A weir command as the admin of the cluster.
    pub fn command(&self, arguments: &[&str]) -> Result<Command> {
        let mut command = Command::new(binary());
        command.args(arguments).current_dir(repository()).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.envs(self.environment("admin", "admin")?);
        Ok(command)
    }

    /// Runs a command to its end, whatever its exit status.
    pub async fn output(&self, arguments: &[&str]) -> Result<Output> {
        let mut command = self.command(arguments)?;
        command.stdin(Stdio::null());
        Ok(tokio::task::spawn_blocking(move || command.output()).await??)
    }

    /// Runs a command with `--json` and parses what it prints; a failed command is an error that shows its output.
    pub async fn json(&self, arguments: &[&str]) -> Result<Value> {
        let output = self.output(&[arguments, &["--json"]].concat()).await?;
        let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        ensure!(output.status.success(), "weir {}: {}\n{stdout}\n{stderr}", arguments.join(" "), output.status);
        serde_json::from_str(stdout.trim()).with_context(|| format!("weir {} printed: {stdout}", arguments.join(" ")))
    }

    /// Waits until every server is there and every replica has everything.
    pub async fn whole(&self, within: Duration) -> Result<Value> {
        until("a whole cluster", within, async || Ok(soft(self.json(&["cluster", "status"]).await.map(Look::Done)))).await
    }

    /// End of a process's log, for error messages.
    pub fn log(&self, name: &str) -> String {
        let path = self.log_path(name);
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        format!("{}:\n{}", path.display(), lines.get(lines.len().saturating_sub(25)..).unwrap_or_default().join("\n"))
    }

    /// A process's whole log.
    pub fn log_path(&self, name: &str) -> PathBuf {
        self.root.join("logs").join(format!("{name}.log"))
    }

    fn urls(&self, role: &str, count: usize) -> Result<Vec<String>> {
        (0..count).map(|index| Ok(format!("http://127.0.0.1:{}", self.port(&format!("{role}-{index}"))?))).collect()
    }

    fn launches(&self) -> MutexGuard<'_, BTreeMap<String, Launch>> {
        self.launches.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn running(&self) -> MutexGuard<'_, BTreeMap<String, Child>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell_reaper(&self, line: &str) {
        let mut reaper = self.reaper.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(input) = &mut reaper.input {
            // One that is gone cannot be told: then the drop alone ends what runs.
            let _gone = writeln!(input, "{line}");
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let running = std::mem::take(&mut *self.running());
        for (name, mut child) in running {
            // An edge's reaper ends its workerd.
            process::signal(child.id(), Signal::SIGCONT);
            let _gone = child.kill();
            if child.wait().is_err() {
                eprintln!("{name} could not be ended");
            }
        }
        let mut reaper = self.reaper.lock().unwrap_or_else(PoisonError::into_inner);
        drop(reaper.input.take());
        let _reaped = reaper.child.wait();
        if std::env::var_os("WEIR_KEEP").is_none() {
            for _ in 0..100 {
                let _again = std::fs::remove_dir_all(&self.root);
                if !self.root.exists() {
                    break;
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }
}

/// `nats-a`, `nats-b` and so on.
fn server_names(count: usize) -> Vec<String> {
    ('a'..='z').take(count).map(|letter| format!("nats-{letter}")).collect()
}

/// Ports that are free now, below those that outgoing connections take.
fn free_ports() -> Result<Vec<u16>> {
    let start = 15_000 + (std::process::id() % 8_000) as u16 * 2;
    let free = (start..32_000).chain(15_000..start).filter(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok());
    let free: Vec<u16> = free.take(40).collect();
    ensure!(free.len() == 40, "fewer than 40 ports are free between 15000 and 32000");
    Ok(free)
}
