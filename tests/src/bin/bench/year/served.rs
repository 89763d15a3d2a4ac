//! The query API on the year's files: a nats-server with the sites and the live end, and the service as a process of its own.

use super::isolation::{CALM_SITE, FLOODING_SITE};
use super::parts::{self, PARTITIONS, Partition, REGION};
use super::traffic::{self, SITES};
use anyhow::{Context as _, Result, ensure};
use async_nats::HeaderMap;
use async_nats::jetstream::{Context, kv, stream};
use nix::sys::time::TimeValLike as _;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use weir_event::subject;
use weir_query_api::Config;
use weir_reader::heads::{self, HeadKey, Swap};
use weir_reader::store::{self, Store};
use weir_reader::{NatsConfig, manifests, states};
use weir_rollup::manifest::{Head, LogicFrom, Manifest, StreamIdentity};
use weir_rollup::rules::Rules;

/// The only key.
pub(crate) const KEY: &str = "weir_bench";
/// The key of a site's owner.
pub(crate) fn neighbour_key(site_id: u32) -> String {
    format!("weir_bench_{site_id}")
}

const READY_WITHIN: Duration = Duration::from_mins(5);
/// It has no work left when it did nearly nothing for so long.
const IDLE_FOR: Duration = Duration::from_secs(2);

/// A nats-server with everything that a query API reads beside the files.
pub(crate) struct Region {
    nats: Child,
    port: u16,
    folder: tempfile::TempDir,
}

impl Drop for Region {
    fn drop(&mut self) {
        let _gone = self.nats.kill();
        let _gone = self.nats.wait();
    }
}

impl Region {
    pub(crate) async fn start(partitions: &[Partition]) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let port = free_port()?;
        let program = weir_tests::weir::repository().join(".tools/bin/nats-server");
        let mut command = Command::new(&program);
        command.args(["-js", "-a", "127.0.0.1", "-p", &port.to_string(), "-sd"]).arg(folder.path().join("nats"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let nats = command.spawn().with_context(|| format!("cannot start {}: run `make setup`", program.display()))?;
        let region = Self { nats, port, folder };
        region.fill(partitions).await?;
        Ok(region)
    }

    async fn fill(&self, partitions: &[Partition]) -> Result<()> {
        let jetstream = weir_reader::jetstream(connect(self.port).await?);
        let buckets = [
            subject::SITES_BUCKET,
            subject::KEYS_BUCKET,
            subject::HEADS_BUCKET,
            subject::REPLAY_BUCKET,
            subject::DEFINITIONS_BUCKET,
            subject::ACCOUNTS_BUCKET,
        ];
        for bucket in buckets {
            jetstream.create_key_value(kv::Config { bucket: bucket.to_owned(), ..kv::Config::default() }).await?;
        }
        let sites = jetstream.get_key_value(subject::SITES_BUCKET).await?;
        for id in 1..=SITES {
            let domain = traffic::domain(id);
            let site = json!({"id": id, "domain": domain, "timezone": traffic::zone(id), "partition": traffic::partition(id), "created_ms": 1});
            sites.put(format!("site.{domain}"), site.to_string().into()).await?;
        }
        let key = json!({"id": "bench", "site_id": 0, "domain": "", "scope": "admin", "created_ms": 1});
        jetstream.get_key_value(subject::KEYS_BUCKET).await?.put(store::checksum(KEY.as_bytes()), key.to_string().into()).await?;
        for site_id in [CALM_SITE, FLOODING_SITE] {
            let domain = traffic::domain(site_id);
            let key = json!({"id": domain, "site_id": site_id, "domain": domain, "scope": "stats:read", "created_ms": 1});
            let place = store::checksum(neighbour_key(site_id).as_bytes());
            jetstream.get_key_value(subject::KEYS_BUCKET).await?.put(place, key.to_string().into()).await?;
        }
        for (number, partition) in (0..PARTITIONS).zip(partitions) {
            seal(&jetstream, number, partition).await?;
        }
        Ok(())
    }

    /// Starts the service and waits until it answers.
    pub(crate) async fn serve(&self) -> Result<Served> {
        let port = free_port()?;
        let arguments = ["serve", &port.to_string(), &self.port.to_string()];
        let mut command = Command::new(std::env::current_exe()?);
        command.args(arguments).arg(self.folder.path().join("work")).stdin(Stdio::null()).stdout(Stdio::null());
        let child = command.spawn()?;
        let client = reqwest::Client::builder().pool_max_idle_per_host(64).build()?;
        let served = Served { child, client, url: format!("http://127.0.0.1:{port}") };
        let started = Instant::now();
        loop {
            let answer = served.client.get(format!("{}/api/health", served.url)).send().await;
            if answer.is_ok_and(|answer| answer.status() == 200) {
                return Ok(served);
            }
            ensure!(started.elapsed() < READY_WITHIN, "the query API does not become ready");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Commits a manifest of the partition's parts and publishes its live end.
async fn seal(jetstream: &Context, number: u32, partition: &Partition) -> Result<()> {
    let name = subject::events_stream(REGION, number);
    let config = stream::Config {
        name: name.clone(),
        subjects: vec![subject::events_subject(REGION, number)],
        discard: stream::DiscardPolicy::New,
        allow_direct: true,
        first_sequence: Some(partition.sealed_seq + 1),
        ..stream::Config::default()
    };
    jetstream.create_stream(config).await?;
    let opened = weir_reader::stream::PartitionStream::open(jetstream, REGION, number, partition.sealed_seq + 1).await?;
    let store = Store::local(&parts::folder().join("files"))?;
    let state =
        states::put(&store, &states::name(REGION, number, partition.sealed_seq, "bench"), partition.state(&parts::folder())?)
            .await?;
    let manifest = Manifest {
        version: 1,
        revision: 1,
        parent: None,
        region: REGION.to_owned(),
        partition: number,
        sealed_seq: partition.sealed_seq,
        sealed_stream_ms: traffic::SEALED_MS as u64,
        parts: partition.parts.clone(),
        state: vec![state],
        archived_seq: 0,
        logic: vec![LogicFrom::new(1, Rules::built_in()?.logic())],
        stream: StreamIdentity { name, created: opened.created().to_owned(), sealed_message_id: String::new() },
        written_ms: traffic::SEALED_MS as u64,
        accepted: Some(partition.parts.iter().map(|part| part.rows).sum()),
        checkpoints: Vec::new(),
        promotion: None,
        archive: Vec::new(),
        rollups: partition.rollups.clone(),
        erasures: Vec::new(),
        erased: 0,
    };
    let object = manifests::put(&store, &manifest, "bench").await?;
    let head = Head {
        revision: 1,
        sealed_seq: partition.sealed_seq,
        manifest: object.name,
        checksum: object.checksum,
        commit_id: "bench".to_owned(),
    };
    let swap = heads::compare_and_set(jetstream, &HeadKey::served(REGION, number), 0, &head).await?;
    ensure!(matches!(swap, Swap::Committed { .. }), "the head of partition {number} is taken");
    for (index, message) in partition.messages(&parts::folder())?.into_iter().enumerate() {
        let mut headers = HeaderMap::new();
        headers.insert("Nats-Msg-Id", format!("{number}-{index}").as_str());
        headers.insert(subject::SCHEMA_HEADER, "1");
        jetstream.publish_with_headers(subject::events_subject(REGION, number), headers, message.into()).await?.await?;
    }
    Ok(())
}

/// A running service.
pub(crate) struct Served {
    child: Child,
    client: reqwest::Client,
    url: String,
}

impl Drop for Served {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

impl Served {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Processor time of the process so far, milliseconds.
    pub(crate) fn cpu_ms(&self) -> Result<f64> {
        let clock = nix::time::clock_getcpuclockid(nix::unistd::Pid::from_raw(self.pid() as i32))?;
        Ok(nix::time::clock_gettime(clock)?.num_nanoseconds() as f64 / 1e6)
    }

    /// Waits until the process has no work of its own left.
    pub(crate) async fn idle(&self) -> Result<()> {
        let started = Instant::now();
        loop {
            let before = self.cpu_ms()?;
            tokio::time::sleep(IDLE_FOR).await;
            if self.cpu_ms()? - before < 0.05 * IDLE_FOR.as_secs_f64() * 1e3 {
                return Ok(());
            }
            ensure!(started.elapsed() < READY_WITHIN, "the query API does not come to rest");
        }
    }

    /// Asks; the answer's text.
    pub(crate) async fn ask(&self, request: &Value) -> Result<String> {
        self.ask_as(KEY, request).await
    }

    /// Asks with a key; the answer's text.
    pub(crate) async fn ask_as(&self, key: &str, request: &Value) -> Result<String> {
        let answer = self.client.post(format!("{}/api/v2/query", self.url)).bearer_auth(key).json(request).send().await?;
        let status = answer.status();
        let text = answer.text().await?;
        ensure!(status == 200, "{request}: {status} {text}");
        Ok(text)
    }
}

/// `weir-bench serve PORT NATS_PORT WORK`: the service with its defaults, until killed.
pub(crate) async fn serve(port: u16, nats_port: u16, work: &Path) -> Result<()> {
    let listen = SocketAddr::from(([127, 0, 0, 1], port));
    let config =
        Config::new(listen, nats(nats_port), REGION, (0..PARTITIONS).collect(), parts::folder().join("files"), work.to_owned());
    weir_query_api::run(config, CancellationToken::new()).await?;
    Ok(())
}

fn nats(port: u16) -> NatsConfig {
    NatsConfig {
        url: format!("nats://127.0.0.1:{port}"),
        user: String::new(),
        password: String::new(),
        inbox_prefix: String::new(),
        ca_file: None,
    }
}

async fn connect(port: u16) -> Result<async_nats::Client> {
    let started = Instant::now();
    loop {
        match weir_reader::connect(&nats(port)).await {
            Ok(client) => return Ok(client),
            Err(error) => ensure!(started.elapsed() < READY_WITHIN, "nats-server does not answer: {error}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn free_port() -> Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
