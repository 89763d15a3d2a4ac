//! Files in a bucket: a real S3 server, the whole system on it, the server going away and coming back.

use anyhow::{Context as _, Result, ensure};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};
use weir_reader::ReaderError;
use weir_reader::store::{S3Config, S3Key, Store, StoreConfig, checksum_of_file};
use weir_tests::collector::{Collector, Visitor, pageview};
use weir_tests::poll::{Look, soft, until};
use weir_tests::query::Stats;
use weir_tests::weir::Weir;

const SITE: &str = "bucket.example";
const BUCKET: &str = "weir";
const PREFIX: &str = "eu/one";
const KEY: &str = "tester";
const SECRET: &str = "only-for-tests";
/// For an outage to be noticed, and for everything to come together after it.
const SETTLED_WITHIN: Duration = Duration::from_mins(1);

/// A server of buckets on a folder.
struct Server {
    folder: tempfile::TempDir,
    service: S3Service,
    port: u16,
    serving: Option<JoinHandle<()>>,
}

impl Server {
    async fn start() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        std::fs::create_dir(folder.path().join(BUCKET))?;
        let files = s3s_fs::FileSystem::new(folder.path()).map_err(|error| anyhow::anyhow!("{error:?}"))?;
        let mut builder = S3ServiceBuilder::new(files);
        builder.set_auth(SimpleAuth::from_single(KEY, SECRET));
        let mut server = Self { folder, service: builder.build(), port: 0, serving: None };
        server.serve().await?;
        Ok(server)
    }

    /// Serves (again), at the same address.
    async fn serve(&mut self) -> Result<()> {
        let listener = TcpListener::bind(("127.0.0.1", self.port)).await?;
        self.port = listener.local_addr()?.port();
        let service = self.service.clone();
        self.serving = Some(tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                let service = service.clone();
                connections.spawn(async move {
                    // Its end is the client's business.
                    let _ended = Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(socket), service).await;
                });
            }
        }));
        Ok(())
    }

    /// Ends the server and all connections to it.
    async fn stop(&mut self) {
        if let Some(serving) = self.serving.take() {
            serving.abort();
            let _cancelled = serving.await;
        }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Where an object lies.
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(BUCKET).join(PREFIX).join(name)
    }

    /// A store on it with a cache of its own.
    fn store(&self, cache: &Path, cache_bytes_max: u64) -> Result<Store> {
        let config = S3Config {
            endpoint: Some(self.url()),
            prefix: PREFIX.to_owned(),
            allow_http: true,
            key: Some(S3Key { id: KEY.to_owned(), secret: SECRET.to_owned() }),
            cache_bytes_max,
            ..S3Config::new(BUCKET, cache)
        };
        Ok(Store::open(&StoreConfig::from(config))?)
    }
}

/// Files below a folder, with their sizes.
fn files(folder: &Path) -> Result<Vec<(PathBuf, u64)>> {
    let mut found = Vec::new();
    if !folder.exists() {
        return Ok(found);
    }
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.extend(files(&entry.path())?);
        } else {
            found.push((entry.path(), entry.metadata()?.len()));
        }
    }
    Ok(found)
}

/// Bytes without a pattern.
fn noise(length: u64) -> Vec<u8> {
    (0..length / 8).flat_map(|number| number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_go_in_pieces_are_cached_and_damaged_ones_are_never_served() -> Result<()> {
    let server = Server::start().await?;
    let folder = tempfile::tempdir()?;
    let store = server.store(&folder.path().join("a"), 100_000_000)?;
    let name = "parts/local-0/large.duckdb";
    let file = folder.path().join("large");
    std::fs::write(&file, noise(20_000_000))?;
    let checksum = checksum_of_file(&file)?;
    store.put_file(&file, name).await?;
    ensure!(!file.exists() && checksum_of_file(&server.path(name))? == checksum, "the object is the file");
    for number in 0..3 {
        let small = folder.path().join("small");
        std::fs::write(&small, noise(8 * (number + 1)))?;
        store.put_file(&small, &format!("parts/local-0/{number}.duckdb")).await?;
    }
    ensure!(store.list("parts/local-0").await?.len() == 4);

    // Another machine: nothing cached, many who ask at once, room for one such file.
    let other = server.store(&folder.path().join("b"), 20_000_100)?;
    let asking = (0..8).map(|_| {
        let (other, checksum) = (other.clone(), checksum.clone());
        tokio::spawn(async move { other.fetch(name, Some(&checksum)).await })
    });
    let mut held = Vec::new();
    for asked in asking.collect::<Vec<_>>() {
        held.push(asked.await??);
    }
    ensure!(held.iter().all(|file| file.path() == held[0].path()), "one file for all");
    ensure!(checksum_of_file(held[0].path())? == checksum);
    ensure!(files(&folder.path().join("b"))?.len() == 1, "no download is left half");
    let blocking = other.clone();
    let again = tokio::task::spawn_blocking(move || blocking.fetch_blocking("parts/local-0/2.duckdb", None)).await??;
    ensure!(std::fs::read(again.path())? == noise(24));

    // A bit of the object changes: who has it goes on, nobody else gets it.
    let mut bytes = std::fs::read(server.path(name))?;
    bytes[12_345_678] ^= 4;
    std::fs::write(server.path(name), &bytes)?;
    other.fetch(name, Some(&checksum)).await?;
    let third = server.store(&folder.path().join("c"), 100_000_000)?;
    for _ in 0..2 {
        let fetched = third.fetch(name, Some(&checksum)).await;
        ensure!(matches!(fetched, Err(ReaderError::Damaged { .. })), "{fetched:?}");
    }
    ensure!(files(&folder.path().join("c"))?.is_empty(), "it is not cached");
    ensure!(other.damaged("parts/local-0").await? == [name], "everybody is told");
    ensure!(!third.restore(name, &checksum).await?);
    bytes[12_345_678] ^= 4;
    std::fs::write(server.path(name), &bytes)?;
    ensure!(third.restore(name, &checksum).await? && other.damaged("parts/local-0").await?.is_empty());

    let missing = third.fetch("parts/local-0/none", None).await;
    ensure!(matches!(missing, Err(ReaderError::ObjectMissing { .. })), "{missing:?}");
    // A byte of the cache's own file changes: it is fetched again.
    let cached = third.fetch(name, Some(&checksum)).await?.path().to_owned();
    std::fs::write(&cached, noise(8))?;
    let again = third.fetch(name, Some(&checksum)).await?;
    ensure!(checksum_of_file(again.path())? == checksum);
    Ok(())
}

/// Codes of all alarms that `weir status` shows.
async fn alarms(weir: &Weir) -> Result<Vec<String>> {
    let status = weir.json(&["status"]).await?;
    let partitions = status["partitions"].as_array().context("no partitions")?;
    let alarms = partitions.iter().flat_map(|one| one["alarms"].as_array().cloned().unwrap_or_default());
    Ok(alarms.filter_map(|alarm| Some(alarm["code"].as_str()?.to_owned())).collect())
}

async fn send(weir: &Weir, visitors: std::ops::Range<u32>) -> Result<()> {
    let collector = Collector::of(weir)?;
    for number in visitors {
        collector.send(&Visitor::number(number), &pageview(SITE, "/")).await?;
    }
    Ok(())
}

async fn expect(weir: &Weir, visitors: u32) -> Result<()> {
    let stats = Stats::admin(weir, SITE)?;
    stats.await_total(SETTLED_WITHIN, &["visitors"], Value::Null, &[f64::from(visitors)]).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_system_on_a_bucket_outlives_the_buckets_absence() -> Result<()> {
    let mut server = Server::start().await?;
    let url = server.url();
    let weir = Weir::start_with(&[
        ("WEIR_S3_BUCKET", BUCKET),
        ("WEIR_S3_ENDPOINT", &url),
        ("WEIR_S3_PREFIX", PREFIX),
        ("WEIR_S3_ALLOW_HTTP", "true"),
        ("AWS_ACCESS_KEY_ID", KEY),
        ("AWS_SECRET_ACCESS_KEY", SECRET),
        ("WEIR_FLUSH_AFTER_MS", "500"),
    ])
    .await?;
    weir.add_site(SITE).await?;
    send(&weir, 0..20).await?;
    weir.flush().await?;
    expect(&weir, 20).await?;
    ensure!(files(&weir.home().join("files"))?.is_empty(), "nothing is in the folder");
    ensure!(!files(&server.path("parts"))?.is_empty(), "the parts are in the bucket");
    let logs: String = ["aggregator", "query-api", "up"].map(|name| weir.log(name)).concat();
    ensure!(!logs.contains(SECRET), "the key is in no log");

    server.stop().await;
    send(&weir, 20..30).await?;
    until("an alarm", SETTLED_WITHIN, async || {
        let told = alarms(&weir).await?;
        Ok(if told.iter().any(|code| code == "flush_failed") { Look::Done(()) } else { Look::NotYet(format!("{told:?}")) })
    })
    .await?;
    // Those in files and those of the live end.
    expect(&weir, 30).await?;

    server.serve().await?;
    until("everything in files and no alarm", SETTLED_WITHIN, async || {
        Ok(soft(
            async {
                weir.json(&["flush", "--timeout", "5"]).await?;
                let told = alarms(&weir).await?;
                Ok(if told.is_empty() { Look::Done(()) } else { Look::NotYet(format!("{told:?}")) })
            }
            .await,
        ))
    })
    .await?;
    expect(&weir, 30).await?;
    let looked = weir.json(&["repair", "--dry-run", "--verify"]).await?;
    ensure!(looked["whole"] == json!(true) && looked["found"]["verified"].as_u64() > Some(0), "{looked}");
    Ok(())
}
