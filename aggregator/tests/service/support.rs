//! A real nats-server with the aggregator's permissions, synthetic batches, and what the committed parts hold.

use crate::history::History;
use async_nats::HeaderMap;
use async_nats::jetstream::{Context, kv, stream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use weir_aggregator::replay::{Replayer, Settings};
use weir_aggregator::{Config, RunError};
use weir_event::model::{Event, EventBatch, Refused};
use weir_event::{codec, subject};
use weir_reader::store::Store;
use weir_reader::{NatsConfig, buckets, heads, manifests};
use weir_rollup::manifest::{Head, Manifest, Part};
use weir_rollup::part;
use weir_rollup::rules::Rules;

/// Longest wait for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A region of one partition in a temporary folder.
pub(crate) struct Region {
    pub(crate) folder: tempfile::TempDir,
    server: Option<Child>,
    port: u16,
    pub(crate) jetstream: Context,
}

impl Drop for Region {
    fn drop(&mut self) {
        self.kill_nats();
    }
}

impl Region {
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        std::fs::write(folder.path().join("nats.conf"), nats_conf(port, &folder.path().join("nats"))).unwrap();
        let server = spawn_nats(folder.path());
        let jetstream = weir_reader::jetstream(connect_patiently(&nats_config(port, "admin")).await);
        let region = Self { folder, server: Some(server), port, jetstream };
        region.make_stream().await;
        for bucket in [subject::HEADS_BUCKET, subject::STATUS_BUCKET, subject::REPLAY_BUCKET, subject::SITES_BUCKET] {
            let config = kv::Config { bucket: bucket.to_owned(), history: 1, ..kv::Config::default() };
            region.jetstream.create_key_value(config).await.unwrap();
        }
        region
    }

    pub(crate) async fn make_stream(&self) {
        let config = stream::Config {
            name: subject::events_stream("local", 0),
            subjects: vec![subject::events_subject("local", 0)],
            discard: stream::DiscardPolicy::New,
            duplicate_window: Duration::from_mins(10),
            allow_direct: true,
            ..stream::Config::default()
        };
        self.jetstream.create_stream(config).await.unwrap();
    }

    pub(crate) fn kill_nats(&mut self) {
        if let Some(mut server) = self.server.take() {
            server.kill().unwrap();
            server.wait().unwrap();
        }
    }

    pub(crate) fn restart_nats(&mut self) {
        self.server = Some(spawn_nats(self.folder.path()));
    }

    /// Copies what the server has on disk of the stream. It must not run.
    pub(crate) fn keep_stream(&self, name: &str) {
        copy_folder(&self.stream_folder(), &self.folder.path().join(name));
    }

    /// Puts such a copy in the place of what the server has. It must not run.
    pub(crate) fn show_stream(&self, name: &str) {
        std::fs::remove_dir_all(self.stream_folder()).unwrap();
        copy_folder(&self.folder.path().join(name), &self.stream_folder());
    }

    fn stream_folder(&self) -> PathBuf {
        self.folder.path().join("nats/jetstream/$G/streams").join(subject::events_stream("local", 0))
    }

    pub(crate) fn config(&self) -> Config {
        Config::new(nats_config(self.port, "aggregator"), "local", vec![0], self.folder.path())
    }

    /// Replays of this region.
    pub(crate) async fn replayer(&self) -> Replayer {
        let client = connect_patiently(&nats_config(self.port, "admin")).await;
        Replayer::open(Settings::new(client, "local", vec![0], self.folder.path())).unwrap()
    }

    pub(crate) async fn publish(&self, batch: &EventBatch) -> u64 {
        self.publish_raw(&subject::message_id(&batch.producer, batch.number), "1", codec::encode(batch)).await
    }

    /// Publishes until it is acknowledged, as a batcher does.
    pub(crate) async fn publish_raw(&self, id: &str, schema: &str, payload: Vec<u8>) -> u64 {
        let started = Instant::now();
        loop {
            let mut headers = HeaderMap::new();
            headers.insert("Nats-Msg-Id", id);
            headers.insert(subject::SCHEMA_HEADER, schema);
            let subject = subject::events_subject("local", 0);
            let sent = self.jetstream.publish_with_headers(subject, headers, payload.clone().into()).await;
            if let Ok(acknowledgement) = sent
                && let Ok(done) = acknowledgement.await
            {
                return done.sequence;
            }
            assert!(started.elapsed() < PATIENCE, "the batch was not taken");
        }
    }

    /// Asks for everything up to a sequence to be sealed; the answer.
    pub(crate) async fn flush(&self, through_seq: u64) -> serde_json::Value {
        let started = Instant::now();
        let subject = subject::flush_subject("local", 0);
        loop {
            let payload = serde_json::json!({ "through_seq": through_seq }).to_string();
            match self.jetstream.client().request(subject.clone(), payload.into()).await {
                Ok(answer) => return serde_json::from_slice(&answer.payload).unwrap(),
                Err(error) => assert!(started.elapsed() < PATIENCE, "no answer to the flush request: {error}"),
            }
        }
    }

    /// Asks until the sequence is sealed: an aggregator that loads the partition again may refuse meanwhile.
    pub(crate) async fn seal(&self, through_seq: u64) {
        let started = Instant::now();
        while self.flush(through_seq).await["sealed_seq"].as_u64().unwrap_or(0) < through_seq {
            assert!(started.elapsed() < PATIENCE, "not sealed");
        }
    }

    pub(crate) async fn manifest(&self) -> Option<Manifest> {
        let entry = heads::get(&self.jetstream, "local", 0).await.unwrap()?;
        Some(manifests::load(&self.store(), &entry.head).await.unwrap())
    }

    pub(crate) fn store(&self) -> Store {
        Store::local(&self.folder.path().join("files")).unwrap()
    }

    /// Waits until the partition's status has an alarm of this kind, and returns its message.
    pub(crate) async fn alarm(&self, code: &str) -> String {
        let started = Instant::now();
        loop {
            let entry = buckets::get(&self.jetstream, subject::STATUS_BUCKET, "aggregator.local.0").await.unwrap();
            let status: serde_json::Value = entry
                .and_then(|entry| entry.value)
                .map_or(serde_json::Value::Null, |value| serde_json::from_slice(&value).unwrap());
            let alarms = status["alarms"].as_array().cloned().unwrap_or_default();
            if let Some(alarm) = alarms.iter().find(|alarm| alarm["code"] == code) {
                return alarm["message"].as_str().unwrap().to_owned();
            }
            assert!(started.elapsed() < PATIENCE, "no alarm {code}: {status}");
            tokio::task::yield_now().await;
        }
    }

    /// The alarms that the partition's status tells, as text.
    pub(crate) async fn alarms(&self) -> String {
        let entry = buckets::get(&self.jetstream, subject::STATUS_BUCKET, "aggregator.local.0").await.unwrap();
        let value = entry.and_then(|entry| entry.value);
        let status: serde_json::Value = value.map_or(serde_json::Value::Null, |value| serde_json::from_slice(&value).unwrap());
        status["alarms"].to_string()
    }

    /// Waits until the status tells no such alarm.
    pub(crate) async fn wait_for_the_end_of(&self, code: &str) {
        let started = Instant::now();
        while self.alarms().await.contains(code) {
            assert!(started.elapsed() < PATIENCE, "the alarm {code} stays");
            tokio::task::yield_now().await;
        }
    }

    /// Checksums of the events and of the merged visits of the committed parts, and their number of rows.
    pub(crate) async fn content(&self) -> Content {
        let manifest = self.manifest().await.expect("something was committed");
        let store = self.store();
        let files: Vec<_> = manifest.parts.iter().map(|part| (store.local_path(&part.name).unwrap(), part.format)).collect();
        content(&files)
    }

    /// Commits a changed manifest, as nobody should.
    pub(crate) async fn tamper(&self, change: impl FnOnce(&mut Manifest)) {
        let entry = heads::get(&self.jetstream, "local", 0).await.unwrap().expect("something was committed");
        let mut manifest = manifests::load(&self.store(), &entry.head).await.unwrap();
        change(&mut manifest);
        manifest.revision += 1;
        let commit_id = format!("tampered{}", manifest.revision);
        let object = manifests::put(&self.store(), &manifest, &commit_id).await.unwrap();
        let (revision, sealed_seq) = (manifest.revision, manifest.sealed_seq);
        let head = Head { revision, sealed_seq, manifest: object.name, checksum: object.checksum, commit_id };
        let swap =
            heads::compare_and_set(&self.jetstream, &heads::HeadKey::served("local", 0), entry.kv_revision, &head).await.unwrap();
        assert!(matches!(swap, heads::Swap::Committed { .. }));
    }
}

/// An aggregator in this process.
pub(crate) struct Aggregator {
    cancel: CancellationToken,
    task: JoinHandle<Result<(), RunError>>,
}

impl Aggregator {
    pub(crate) fn start(config: Config) -> Self {
        let cancel = CancellationToken::new();
        let task = tokio::spawn(weir_aggregator::run(config, cancel.clone()));
        Self { cancel, task }
    }

    /// The orderly end.
    pub(crate) async fn stop(self) {
        self.cancel.cancel();
        self.task.await.unwrap().unwrap();
    }

    /// Ends it wherever it is, as a crash does.
    pub(crate) async fn crash(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
    }
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) rows: u64,
    pub(crate) events: String,
    pub(crate) visits: String,
    /// The ledger, added up: a line for each site, hour and kind, with its count and highest sequence.
    pub(crate) ledger: Vec<String>,
}

fn content(files: &[(PathBuf, u32)]) -> Content {
    let connection = duckdb::Connection::open_in_memory().unwrap();
    let union = |table: &str| {
        let selects: Vec<String> = (0..files.len()).map(|index| format!("SELECT * FROM in{index}.{table}")).collect();
        format!("({})", selects.join(" UNION ALL "))
    };
    for (index, (file, _)) in files.iter().enumerate() {
        connection.execute_batch(&format!("ATTACH '{}' AS in{index} (READ_ONLY)", file.display())).unwrap();
    }
    let one = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, String>(0)).unwrap();
    let visits = format!("({})", part::merge_visits_sql(&union("visits")));
    let ledgers = files.iter().enumerate().map(|(index, (_, format))| {
        format!("SELECT seq, site_id, hour_ms, kind, count FROM {}", part::ledger_relation(&format!("in{index}"), *format))
    });
    let ledgers = format!("({})", ledgers.collect::<Vec<_>>().join(" UNION ALL "));
    let ledger = format!(
        "SELECT site_id || ' ' || hour_ms || ' ' || kind || ' ' || count || ' ' || seq FROM ({}) ORDER BY ALL",
        part::merge_ledger_sql(&ledgers, &[])
    );
    let mut statement = connection.prepare(&ledger).unwrap();
    let ledger = statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    Content {
        ledger,
        rows: one(&format!("SELECT count(*)::VARCHAR FROM {}", union("events"))).parse().unwrap(),
        events: one(&part::checksum_sql(&union("events"))),
        visits: one(&format!("SELECT count(*) || '-' || bit_xor(hash(v::VARCHAR)) FROM {visits} AS v")),
    }
}

/// What the stream must give: all its messages folded at once into one part.
pub(crate) async fn expected(region: &Region) -> Content {
    let (rules, mut history) = (Rules::built_in().unwrap(), History::default());
    history.read(region).await;
    history.fold(&rules);
    written(region, history)
}

/// A history as one part.
pub(crate) fn written(region: &Region, mut history: History) -> Content {
    let file = region.folder.path().join(format!("expected-{}", uuid::Uuid::new_v4()));
    let limits = weir_aggregator::write::DuckLimits { memory_limit_mb: 256, threads: 1, temp: region.folder.path().to_owned() };
    let label = weir_aggregator::write::Label {
        region: "local".to_owned(),
        partition: 0,
        level: weir_rollup::manifest::Level::Flush,
        logic: String::new(),
        written_ms: 0,
        name: String::new(),
        fallback_ms: 0,
    };
    let book = history.book();
    let part: Part = weir_aggregator::write::write_flush(&limits, &file, &label, &mut history.rows, &[], &book.rows()).unwrap();
    let content = content(&[(file, part.format)]);
    assert_eq!(content.rows, part.rows);
    content
}

/// 20 page views of 7 visitors on 3 sites, about now; with every third batch some refusals.
pub(crate) fn batch(producer: u8, number: u64) -> EventBatch {
    let now_ms = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as u64;
    let events = (0..20)
        .map(|index| {
            let visitor = (number * 20 + index) % 7;
            Event {
                id_high: u64::from(producer) + 1,
                id_low: number * 20 + index + 1,
                event_ms: now_ms - 3_600_000 * (index % 3),
                received_ms: now_ms,
                site_id: 1 + (visitor % 3) as u32,
                visitor_id: visitor + 1,
                name: "pageview".to_owned(),
                hostname: "shop.example".to_owned(),
                pathname: format!("/{index}"),
                user_agent: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0".to_owned(),
                ..Event::default()
            }
        })
        .collect();
    let batcher = format!("local/0/{producer}");
    let refused = |site_id: u32, reason: &str| Refused { site_id, hour_ms: now_ms, reason: reason.to_owned(), count: number };
    let refused = if number.is_multiple_of(3) { vec![refused(0, "not_found"), refused(2, "url")] } else { Vec::new() };
    EventBatch { producer: vec![producer; 16], number, formed_ms: now_ms, batcher, events, refused, ..EventBatch::default() }
}

fn nats_config(port: u16, user: &str) -> NatsConfig {
    NatsConfig {
        url: format!("nats://127.0.0.1:{port}"),
        user: user.to_owned(),
        password: "secret".to_owned(),
        inbox_prefix: format!("_INBOX_{user}"),
        ca_file: None,
    }
}

/// Of the aggregator's permissions only what it is meant to have.
fn nats_conf(port: u16, store: &Path) -> String {
    let streams = ["EVENTS_local_0", "KV_WEIR_HEADS", "KV_WEIR_STATUS", "KV_WEIR_REPLAY", "KV_WEIR_SITES"];
    let apis = ["STREAM.INFO.@", "STREAM.MSG.GET.@", "CONSUMER.CREATE.@.>", "CONSUMER.INFO.@.>", "CONSUMER.MSG.NEXT.@.>"];
    let mut publish: Vec<String> =
        streams.iter().flat_map(|stream| apis.iter().map(move |api| format!("$JS.API.{}", api.replace('@', stream)))).collect();
    publish.extend(
        ["$KV.WEIR_HEADS.>", "$KV.WEIR_STATUS.>", "weir.presence.local.*", "$JS.API.STREAM.PURGE.EVENTS_local_0"]
            .map(str::to_owned),
    );
    let store = store.display();
    let publish = publish.iter().map(|subject| format!("{subject:?}")).collect::<Vec<_>>().join(", ");
    format!(
        "listen: \"127.0.0.1:{port}\"\n\
         jetstream {{ store_dir: \"{store}\", sync_interval: always }}\n\
         authorization {{ users: [\n\
           {{ user: admin, password: secret }}\n\
           {{ user: aggregator, password: secret, permissions: {{ publish: {{ allow: [{publish}] }}, \
              subscribe: {{ allow: [\"_INBOX_aggregator.>\", \"weir.flush.local.*\", \"weir.presence.local.*\"] }}, allow_responses: true }} }}\n\
         ] }}\n"
    )
}

fn spawn_nats(folder: &Path) -> Child {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools/bin/nats-server");
    assert!(program.exists(), "{} is missing: run `make setup`", program.display());
    let log = std::fs::File::create(folder.join("nats.log")).unwrap();
    let mut command = Command::new(program);
    command.arg("-c").arg(folder.join("nats.conf")).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    command.spawn().unwrap()
}

async fn connect_patiently(config: &NatsConfig) -> async_nats::Client {
    let started = Instant::now();
    loop {
        match weir_reader::connect(config).await {
            Ok(client) => return client,
            Err(error) => assert!(started.elapsed() < PATIENCE, "nats-server does not answer: {error}"),
        }
    }
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let place = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &place);
        } else {
            std::fs::copy(entry.path(), place).unwrap();
        }
    }
}
