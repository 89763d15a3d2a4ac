//! The region under test: three NATS servers over TLS, two edges, two aggregators, two query nodes, a bucket, and `HAProxy` before them.

use super::bucket::{BUCKET, Bucket, KEY, SECRET};
use super::clock;
use super::disk;
use super::front::{EDGES, Front, QUERIES};
use super::load::SITES;
use super::machine::{Machine, Program, Role};
use super::network::{self, Network};
use crate::poll::{Look, soft, until};
use crate::weir::{binary, client, repository};
use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;
use weir_reader::NatsConfig;
use weir_reader::store::{S3Config, S3Key, Store, StoreConfig};

/// Name of the region and number of its partitions, one for each site of the load.
pub const REGION: &str = "chaos";
/// Partitions.
pub const PARTITIONS: u32 = SITES.len() as u32;
/// NATS servers.
const SERVERS: [&str; 3] = ["a", "b", "c"];
/// Time to become ready, the tests of others beside it.
const READY_WITHIN: Duration = Duration::from_secs(90);
/// Size of a machine's disk.
const DISK_MB: u32 = 400;
const MONITOR_PORT: u16 = 8222;
const COLLECTOR_PORT: u16 = 8080;
const QUERY_PORT: u16 = 8000;

/// What the system allows.
#[derive(Clone, Debug, Default)]
pub struct Abilities {
    /// Namespaces and TAP devices: machines can be cut off and delayed.
    pub networks: bool,
    /// File systems can be mounted: disks can be full.
    pub disks: bool,
    /// The library that lies about the time.
    pub faketime: Option<PathBuf>,
}

impl Abilities {
    /// Tries what is possible here.
    pub fn here() -> Self {
        Self { networks: Self::networks(), disks: Self::disks(), faketime: clock::find() }
    }

    /// Whether namespaces can be made and joined.
    pub fn networks() -> bool {
        let name = format!("weirtry{}", std::process::id());
        let has_tap = nix::unistd::geteuid().is_root() && Path::new("/dev/net/tun").exists();
        let is_made = has_tap && network::ip(&["netns", "add", &name]).is_ok();
        is_made && network::ip(&["netns", "del", &name]).is_ok()
    }

    fn disks() -> bool {
        let Ok(folder) = tempfile::tempdir() else { return false };
        nix::unistd::geteuid().is_root()
            && disk::mount(folder.path(), 1).is_ok()
            && Command::new("umount").arg(folder.path()).status().is_ok_and(|status| status.success())
    }
}

/// The running region.
pub struct Region {
    /// What the system allows.
    pub abilities: Abilities,
    /// All machines.
    pub machines: Vec<Machine>,
    /// The network between them, where there is one.
    pub network: Option<Network>,
    /// The object store.
    pub bucket: Bucket,
    fronts: [Front; 2],
    folder: PathBuf,
    guard: Child,
}

impl Region {
    /// Starts everything and waits until it serves.
    pub async fn start(abilities: Abilities) -> Result<Self> {
        let prefix = format!("wc{:x}", std::process::id());
        let folder = tempfile::Builder::new().prefix("weir-chaos-").tempdir()?.keep();
        let names = names();
        let base = base_address(abilities.networks);
        let guard = guard(&prefix, &names, &folder)?;
        let network = if abilities.networks { Some(Network::new(&prefix, &names, base)?) } else { None };
        let here = network::address(base, 0);
        let bucket = Bucket::start(&folder.join("bucket"), IpAddr::V4(here)).await?;
        init_cluster(&folder, base)?;
        let machines = names.iter().enumerate().map(|(index, name)| {
            let address = network::address(base, index + 1);
            let (role, home) = (role_of(name), home_of(&folder, name));
            if abilities.disks {
                disk::mount(&home, DISK_MB)?;
            }
            let program = program(role, name, address, &folder, &home, &bucket, here, &abilities)?;
            let namespace = network.is_some().then(|| format!("{prefix}-{name}"));
            anyhow::Ok(Machine::new(name, role, (index + 1, address), &home, namespace, program))
        });
        let machines = machines.collect::<Result<Vec<_>>>()?;
        let at = |role: Role, port: u16| -> Vec<SocketAddr> {
            let of_role = machines.iter().filter(|machine| machine.role == role);
            of_role.map(|machine| SocketAddr::new(machine.address.into(), port)).collect()
        };
        let edges = Front::start(&EDGES, &at(Role::Edge, COLLECTOR_PORT), &folder.join("front-edges.log")).await?;
        let queries = Front::start(&QUERIES, &at(Role::Query, QUERY_PORT), &folder.join("front-queries.log")).await?;
        let mut region = Self { abilities, machines, network, bucket, fronts: [edges, queries], folder, guard };
        region.up().await.with_context(|| region.logs())?;
        Ok(region)
    }

    async fn up(&mut self) -> Result<()> {
        for machine in self.of(Role::Nats) {
            machine.start()?;
        }
        until("the NATS servers to have a leader and the streams to be made", READY_WITHIN, async || {
            Ok(soft(self.weir(&["cluster", "provision", "--replicas", "3"]).await.map(|_| Look::Done(()))))
        })
        .await?;
        for machine in self.machines.iter().filter(|machine| machine.role != Role::Nats) {
            machine.start()?;
        }
        for site in SITES {
            self.weir(&["site", "add", site]).await?;
        }
        for (front, behind) in self.fronts.iter_mut().zip([&EDGES, &QUERIES]) {
            front.serving(behind, READY_WITHIN).await?;
        }
        until("every machine to be healthy", READY_WITHIN, async || {
            let mut ill = Vec::new();
            for machine in &self.machines {
                if !self.is_healthy(machine).await {
                    ill.push(machine.name.clone());
                }
            }
            Ok(if ill.is_empty() { Look::Done(()) } else { Look::NotYet(ill.join(", ")) })
        })
        .await
    }

    /// Machines of a role.
    pub fn of(&self, role: Role) -> impl Iterator<Item = &Machine> {
        self.machines.iter().filter(move |machine| machine.role == role)
    }

    /// A machine by name.
    pub fn machine(&self, name: &str) -> Result<&Machine> {
        self.machines.iter().find(|machine| machine.name == name).with_context(|| format!("there is no machine {name}"))
    }

    /// Where events are sent to.
    pub fn collector_url(&self) -> &str {
        self.fronts[0].url()
    }

    /// Where queries are sent to.
    pub fn query_url(&self) -> &str {
        self.fronts[1].url()
    }

    /// The key that reads every site.
    pub fn admin_key(&self) -> Result<String> {
        Ok(std::fs::read_to_string(self.folder.join("cluster/secrets/admin-key"))?.trim_end().to_owned())
    }

    /// Address of a machine's health, which answers 200 when it is fit for work; an aggregator has none.
    pub fn health_url(machine: &Machine) -> Option<String> {
        let address = machine.address;
        match machine.role {
            Role::Nats => Some(format!("{}/healthz?js-server-only=true", Self::monitor_url(machine))),
            Role::Edge => Some(format!("http://{address}:{COLLECTOR_PORT}/health")),
            Role::Query => Some(format!("http://{address}:{QUERY_PORT}/api/health/ready")),
            Role::Aggregator => None,
        }
    }

    /// Address of a NATS server's monitoring.
    pub fn monitor_url(machine: &Machine) -> String {
        format!("http://{}:{}", machine.address, MONITOR_PORT - 1 + machine.number as u16)
    }

    /// Whether a machine is fit for work.
    pub async fn is_healthy(&self, machine: &Machine) -> bool {
        let Some(url) = Self::health_url(machine) else { return machine.pid().is_some() };
        let Ok(client) = client() else { return false };
        let answer = client.get(url).timeout(Duration::from_secs(2)).send().await;
        answer.is_ok_and(|answer| answer.status() == 200)
    }

    /// Runs an admin's command with `--json` and parses what it prints.
    pub async fn weir(&self, arguments: &[&str]) -> Result<Value> {
        let output = self.output(arguments).await?;
        let stdout = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "weir {}: {}\n{stdout}\n{errors}", arguments.join(" "), output.status);
        serde_json::from_str(stdout.trim()).with_context(|| format!("weir {} printed: {stdout}", arguments.join(" ")))
    }

    /// Runs an admin's command with `--json` to its end.
    pub async fn output(&self, arguments: &[&str]) -> Result<Output> {
        let mut command = Command::new(binary());
        let edges: Vec<String> =
            self.of(Role::Edge).map(|machine| format!("http://{}:{COLLECTOR_PORT}", machine.address)).collect();
        command
            .args(arguments)
            .arg("--json")
            .current_dir(repository())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .envs(self.admin_variables()?)
            .env("WEIR_HOME", self.folder.join("admin"))
            .env("WEIR_QUERY_URL", self.query_url())
            .env("WEIR_COLLECTOR_URL", self.collector_url())
            .env("WEIR_EDGE_URLS", edges.join(","))
            // The machines' network is in this program alone.
            .env("WEIR_ALLOW_PLAINTEXT", "1")
            .envs(bucket_variables(&self.bucket))
            .stdin(Stdio::null());
        Ok(tokio::task::spawn_blocking(move || command.output()).await??)
    }

    fn admin_variables(&self) -> Result<BTreeMap<String, OsString>> {
        variables(&self.folder.join("cluster/env/admin.env"))
    }

    /// The admin's way to NATS.
    pub fn nats(&self) -> Result<NatsConfig> {
        let variables = self.admin_variables()?;
        let get = |name: &str| variables.get(name).and_then(|value| value.to_str()).unwrap_or_default().to_owned();
        let password = std::fs::read_to_string(get("WEIR_NATS_PASSWORD_FILE"))?.trim_end().to_owned();
        Ok(NatsConfig {
            url: get("WEIR_NATS_URL"),
            user: get("WEIR_NATS_USER"),
            password,
            inbox_prefix: "_INBOX_admin".to_owned(),
            ca_file: Some(get("WEIR_NATS_CA_FILE").into()),
        })
    }

    /// The object store, with a cache of its own.
    pub fn store(&self) -> Result<Store> {
        let config = S3Config {
            endpoint: Some(self.bucket.url()),
            allow_http: true,
            key: Some(S3Key { id: KEY.to_owned(), secret: SECRET.to_owned() }),
            ..S3Config::new(BUCKET, &self.folder.join("check-cache"))
        };
        Ok(Store::open(&StoreConfig::from(config))?)
    }

    /// The file that an aggregator's or query node's clock follows.
    pub fn clock_file(machine: &Machine) -> PathBuf {
        machine.folder.with_extension("clock")
    }

    /// Ends of all logs, for error messages.
    pub fn logs(&self) -> String {
        self.machines.iter().map(Machine::log).collect::<Vec<_>>().join("\n\n")
    }

    /// The folder of everything.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        for machine in &self.machines {
            machine.stop();
        }
        // The guard does the rest once its input is closed.
        drop(self.guard.stdin.take());
        let _ended = self.guard.wait();
    }
}

/// Names of all machines.
pub fn names() -> Vec<String> {
    let servers = SERVERS.map(|server| format!("nats-{server}"));
    let others = ["edge", "aggregator", "query"].into_iter().flat_map(|role| [0, 1].map(|index| format!("{role}-{index}")));
    servers.into_iter().chain(others).collect()
}

fn role_of(name: &str) -> Role {
    match name.split('-').next() {
        Some("nats") => Role::Nats,
        Some("edge") => Role::Edge,
        Some("aggregator") => Role::Aggregator,
        _ => Role::Query,
    }
}

/// A network of this process, or loopback addresses of it.
fn base_address(has_network: bool) -> Ipv4Addr {
    let [_, _, high, low] = std::process::id().to_be_bytes();
    Ipv4Addr::new(if has_network { 10 } else { 127 }, high, low, 0)
}

/// A NATS server's folder is named by `weir cluster init`.
fn home_of(folder: &Path, name: &str) -> PathBuf {
    match name.strip_prefix("nats-") {
        Some(server) => folder.join("nats").join(server),
        None => folder.join(name),
    }
}

/// A shell that ends all processes, unmounts and removes everything when this process ends in whatever way.
fn guard(prefix: &str, names: &[String], folder: &Path) -> Result<Child> {
    let script = r#"
        cat >/dev/null
        prefix="$1"; folder="$2"; shift 2
        for name in "$@"; do
            ip netns pids "$prefix-$name" 2>/dev/null | xargs -r kill -KILL 2>/dev/null
            ip netns del "$prefix-$name" 2>/dev/null
        done
        # Without namespaces: whoever was told of the folder.
        for told in $(grep -laF "$folder" /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null); do
            pid="${told#/proc/}"; pid="${pid%%/*}"
            [ "$pid" = "$$" ] || kill -KILL "$pid" 2>/dev/null
        done
        [ -n "$WEIR_KEEP" ] && exit
        for mounted in $(awk -v folder="$folder/" 'index($2, folder) == 1 { print $2 }' /proc/mounts); do umount -l "$mounted"; done
        rm -rf "$folder"
    "#;
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh", prefix]).arg(folder).args(names).stdin(Stdio::piped()).stdout(Stdio::null());
    command.spawn().context("cannot start sh")
}

fn init_cluster(folder: &Path, base: Ipv4Addr) -> Result<()> {
    let mut command = Command::new(binary());
    command.env_clear().args(["cluster", "init"]).arg(folder.join("cluster"));
    command.args(["--region", REGION, "--partitions", &PARTITIONS.to_string(), "--monitor-host", "0.0.0.0"]);
    command.arg("--store").arg(folder.join("nats"));
    for (index, server) in SERVERS.iter().enumerate() {
        let port = MONITOR_PORT + index as u16;
        command.arg("--node").arg(format!("{server}={}:4222:6222:{port}", network::address(base, index + 1)));
    }
    let output = command.output().with_context(|| format!("cannot start {}", binary().display()))?;
    ensure!(output.status.success(), "weir cluster init: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

#[expect(clippy::too_many_arguments, reason = "all that a machine depends on")]
fn program(
    role: Role,
    name: &str,
    address: Ipv4Addr,
    folder: &Path,
    home: &Path,
    bucket: &Bucket,
    front: Ipv4Addr,
    abilities: &Abilities,
) -> Result<Program> {
    let cluster = folder.join("cluster");
    let mut environment = BTreeMap::new();
    let verb = match role {
        Role::Nats => {
            let server = name.trim_start_matches("nats-");
            environment.insert("GOMEMLIMIT".to_owned(), "300MiB".into());
            return Ok(Program {
                file: repository().join(".tools/bin/nats-server"),
                arguments: vec!["-c".into(), cluster.join(format!("nats/{server}.conf")).into()],
                environment,
            });
        }
        Role::Edge => "edge",
        Role::Aggregator => "aggregator",
        Role::Query => "query-api",
    };
    environment.extend(variables(&cluster.join(format!("env/{verb}.env")))?);
    environment.extend(bucket_variables(bucket).map(|(name, value)| (name.to_owned(), OsString::from(value))));
    let index = name.rsplit('-').next().unwrap_or_default();
    let own = [
        ("WEIR_HOME", home.display().to_string()),
        ("WEIR_COLLECTOR_HOST", address.to_string()),
        ("WEIR_COLLECTOR_PORT", COLLECTOR_PORT.to_string()),
        ("WEIR_EDGE_INDEX", index.to_owned()),
        ("WEIR_TRUSTED_PROXIES", format!("{front}/32,127.0.0.0/8")),
        ("WEIR_QUERY_HOST", address.to_string()),
        ("WEIR_QUERY_PORT", QUERY_PORT.to_string()),
        ("WEIR_FLUSH_AFTER_MS", "10000".to_owned()),
        ("WEIR_SITE_EVENTS_PER_S", "0".to_owned()),
        ("WEIR_SITE_REQUESTS_PER_S", "0".to_owned()),
        ("WEIR_REQUESTS_PER_HOUR", "0".to_owned()),
        ("WEIR_QUERY_SECONDS_PER_HOUR", "0".to_owned()),
    ];
    environment.extend(own.map(|(name, value)| (name.to_owned(), OsString::from(value))));
    if let (Some(library), true) = (&abilities.faketime, role != Role::Edge) {
        let file = home.with_extension("clock");
        clock::step(&file, 0)?;
        environment.extend(clock::variables(library, &file).into_iter().map(|(name, value)| (name, OsString::from(value))));
    }
    Ok(Program { file: binary(), arguments: vec![verb.into()], environment })
}

fn bucket_variables(bucket: &Bucket) -> [(&'static str, String); 5] {
    [
        ("WEIR_S3_BUCKET", BUCKET.to_owned()),
        ("WEIR_S3_ENDPOINT", bucket.url()),
        ("WEIR_S3_ALLOW_HTTP", "true".to_owned()),
        ("AWS_ACCESS_KEY_ID", KEY.to_owned()),
        ("AWS_SECRET_ACCESS_KEY", SECRET.to_owned()),
    ]
}

/// Reads a file of `NAME=value` lines.
fn variables(file: &Path) -> Result<BTreeMap<String, OsString>> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    Ok(text
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.to_owned(), OsString::from(value)))
        .collect())
}
