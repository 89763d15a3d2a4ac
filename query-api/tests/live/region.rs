//! A region of one partition on a real nats-server, sealed by hand, and a service on it.

mod history;

pub(crate) use history::{other_rules, rules_with};

use crate::sealed::{manifest, write_part};
use async_nats::HeaderMap;
use async_nats::jetstream::{Context, kv, stream};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use weir_event::model::{Event, EventBatch};
use weir_event::{codec, subject};
use weir_query_api::limits::LimitSettings;
use weir_query_api::{Config, OtherRegionConfig, RunError};
use weir_reader::heads::{self, Swap};
use weir_reader::store::Store;
use weir_reader::stream::PartitionStream;
use weir_reader::{NatsConfig, manifests, states};
use weir_rollup::fold::{self, Arrival, KnownIds, State};
use weir_rollup::manifest::{Head, LogicFrom, Manifest, StreamIdentity};
use weir_rollup::row::EventRow;
use weir_rollup::rules::Rules;

/// Longest wait for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
pub(crate) const KEY: &str = "weir_reads_one_site";
pub(crate) const ADMIN_KEY: &str = "weir_reads_everything";

pub(crate) fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64
}

/// A page view of now.
pub(crate) fn event(visitor_id: u64, pathname: &str) -> Event {
    Event {
        event_ms: now_ms(),
        received_ms: now_ms(),
        site_id: 1,
        visitor_id: visitor_id + 1,
        name: "pageview".to_owned(),
        hostname: "a.example".to_owned(),
        pathname: pathname.to_owned(),
        user_agent: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0".to_owned(),
        ..Event::default()
    }
}

pub(crate) fn batch(producer: u8, number: u64, mut events: Vec<Event>) -> EventBatch {
    for (index, event) in events.iter_mut().enumerate() {
        event.id_high = u64::from(producer);
        event.id_low = number * 1_000 + index as u64 + 1;
    }
    let batcher = format!("local/0/{producer}");
    EventBatch { producer: vec![producer; 16], number, formed_ms: now_ms(), batcher, events, ..EventBatch::default() }
}

pub(crate) struct Region {
    folder: tempfile::TempDir,
    server: Option<Child>,
    port: u16,
    pub(crate) jetstream: Context,
    rules: Arc<Rules>,
    state: State,
    rows: Vec<EventRow>,
    committed: Option<(Manifest, u64, String)>,
}

impl Drop for Region {
    fn drop(&mut self) {
        self.kill_nats();
    }
}

impl Region {
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        std::fs::write(folder.path().join("nats.conf"), nats_conf(port, &folder.path().join("nats"))).unwrap();
        let server = spawn_nats(folder.path());
        let jetstream = weir_reader::jetstream(connect_patiently(&nats_config(port, "admin")).await);
        let region = Self {
            folder,
            server: Some(server),
            port,
            jetstream,
            rules: Rules::built_in().unwrap(),
            state: State::default(),
            rows: Vec::new(),
            committed: None,
        };
        region.make_stream().await;
        for bucket in [
            subject::SITES_BUCKET,
            subject::KEYS_BUCKET,
            subject::ACCOUNTS_BUCKET,
            subject::DEFINITIONS_BUCKET,
            subject::HEADS_BUCKET,
            subject::REPLAY_BUCKET,
        ] {
            let config = kv::Config { bucket: bucket.to_owned(), history: 1, ..kv::Config::default() };
            region.jetstream.create_key_value(config).await.unwrap();
        }
        region.put_site("a.example", 1).await;
        // Sites that are put by hand have numbers below.
        region.put(subject::SITES_BUCKET, "next_id", json!(100)).await;
        region.put_key(KEY, 1).await;
        region.put_key(ADMIN_KEY, 0).await;
        region
    }

    async fn make_stream(&self) {
        let config = stream::Config {
            name: subject::events_stream("local", 0),
            subjects: vec![subject::events_subject("local", 0)],
            discard: stream::DiscardPolicy::New,
            allow_direct: true,
            ..stream::Config::default()
        };
        self.jetstream.create_stream(config).await.unwrap();
    }

    pub(crate) async fn recreate_stream(&self) {
        self.jetstream.delete_stream(subject::events_stream("local", 0)).await.unwrap();
        self.make_stream().await;
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

    pub(crate) async fn publish(&self, batch: &EventBatch) -> u64 {
        self.publish_raw(&subject::message_id(&batch.producer, batch.number), "1", codec::encode(batch)).await
    }

    /// Publishes until it is acknowledged.
    pub(crate) async fn publish_raw(&self, id: &str, schema: &str, payload: Vec<u8>) -> u64 {
        let started = Instant::now();
        loop {
            let mut headers = HeaderMap::new();
            headers.insert("Nats-Msg-Id", id);
            headers.insert(subject::SCHEMA_HEADER, schema);
            let sent =
                self.jetstream.publish_with_headers(subject::events_subject("local", 0), headers, payload.clone().into()).await;
            if let Ok(acknowledgement) = sent
                && let Ok(done) = acknowledgement.await
            {
                return done.sequence;
            }
            assert!(started.elapsed() < PATIENCE, "the batch was not taken");
        }
    }

    pub(crate) async fn put(&self, bucket: &str, key: &str, value: Value) {
        self.jetstream.get_key_value(bucket).await.unwrap().put(key, value.to_string().into()).await.unwrap();
    }

    pub(crate) async fn put_site(&self, domain: &str, id: u32) {
        let site = json!({"id": id, "domain": domain, "timezone": "UTC", "partition": 0, "created_ms": 1});
        self.put(subject::SITES_BUCKET, &format!("site.{domain}"), site).await;
    }

    pub(crate) async fn put_definitions(&self, site_id: u32, definitions: &Value) {
        self.put(subject::DEFINITIONS_BUCKET, &format!("site.{site_id}"), definitions.clone()).await;
    }

    pub(crate) async fn put_key(&self, key: &str, site_id: u32) {
        let scope = if site_id == 0 { "admin" } else { "stats:read" };
        let grant = json!({"id": "k", "site_id": site_id, "domain": "", "scope": scope, "created_ms": 1});
        self.put(subject::KEYS_BUCKET, &hash(key), grant).await;
    }

    pub(crate) async fn delete_key(&self, key: &str) {
        self.jetstream.get_key_value(subject::KEYS_BUCKET).await.unwrap().delete(hash(key)).await.unwrap();
    }

    fn store(&self) -> Store {
        Store::local(&self.folder.path().join("files")).unwrap()
    }

    pub(crate) fn revision(&self) -> u64 {
        self.committed.as_ref().map_or(0, |(manifest, _, _)| manifest.revision)
    }

    /// Seals all messages of the stream, as an aggregator does; the last sequence.
    pub(crate) async fn seal(&mut self) -> u64 {
        self.seal_with_logic(None).await
    }

    /// The same, saying that a given logic made the rows.
    pub(crate) async fn seal_with_logic(&mut self, logic: Option<&str>) -> u64 {
        let reach = weir_reader::stream::state(&self.jetstream, "local", 0).await.unwrap();
        let sealed_seq = self.committed.as_ref().map_or(0, |(manifest, _, _)| manifest.sealed_seq);
        let mut stream = PartitionStream::open(&self.jetstream, "local", 0, sealed_seq + 1).await.unwrap();
        let (mut rows, mut last) = (Vec::new(), None);
        for _ in sealed_seq..reach.last_seq {
            let delivered = stream.next().await.unwrap();
            let batch = codec::decode(delivered.schema, &delivered.payload).unwrap();
            let at = Arrival { seq: delivered.seq, stream_ms: delivered.stream_ms };
            let wanted = fold::old_retries(&self.state, &batch, delivered.stream_ms);
            let is_copy = |row: &&EventRow| wanted.iter().any(|retry| retry.is_copy(row.site_id, row.event_ms, row.event_id));
            let known: KnownIds = self.rows.iter().chain(&rows).filter(is_copy).map(|row| row.event_id).collect();
            rows.extend(fold::fold(&mut self.state, &self.rules, &batch, at, &known).rows);
            last = Some(delivered);
        }
        let Some(last) = last else { return sealed_seq };
        let part = write_part(&self.store(), &(self.revision() + 1).to_string(), &rows);
        self.rows.append(&mut rows);
        let identity = StreamIdentity {
            name: subject::events_stream("local", 0),
            created: stream.created().to_owned(),
            sealed_message_id: last.message_id.clone(),
        };
        let logic = logic.map_or_else(|| self.rules.logic(), str::to_owned);
        self.commit(|next| {
            next.parts.push(part);
            (next.sealed_seq, next.sealed_stream_ms, next.stream) = (last.seq, last.stream_ms, identity);
            next.logic = vec![LogicFrom::new(1, logic)];
        })
        .await;
        last.seq
    }

    /// Commits the same again with a state that has forgotten everything, as after two hours without events.
    pub(crate) async fn forget(&mut self) {
        self.state = State::default();
        self.commit(|_| {}).await;
    }

    /// The logic version of this program's rows, made by an earlier fold.
    pub(crate) fn earlier_logic(&self) -> String {
        format!("1-{}", self.rules.logic().split_once('-').unwrap().1)
    }

    /// Puts one part in the place of all.
    pub(crate) async fn merge(&mut self) {
        let part = write_part(&self.store(), &format!("merged-{}", self.revision()), &self.rows);
        self.commit(|next| next.parts = vec![part]).await;
    }

    /// Commits a change of what was committed last, with the state at hand.
    async fn commit(&mut self, change: impl FnOnce(&mut Manifest)) {
        let store = self.store();
        let (mut next, parent, expected) = match self.committed.clone() {
            Some((manifest, revision, name)) => (manifest, Some(name), revision),
            None => (manifest(Vec::new(), 0, 0), None, 0),
        };
        next.revision += 1;
        next.parent = parent;
        change(&mut next);
        next.accepted = Some(next.rows());
        let commit_id = format!("commit{}", next.revision);
        let state = states::name("local", 0, next.sealed_seq, &commit_id);
        next.state = vec![states::put(&store, &state, self.state.encode()).await.unwrap()];
        let object = manifests::put(&store, &next, &commit_id).await.unwrap();
        let (revision, sealed_seq) = (next.revision, next.sealed_seq);
        let head = Head { revision, sealed_seq, manifest: object.name.clone(), checksum: object.checksum, commit_id };
        match heads::compare_and_set(&self.jetstream, &heads::HeadKey::served("local", 0), expected, &head).await.unwrap() {
            Swap::Committed { kv_revision } => self.committed = Some((next, kv_revision, object.name)),
            Swap::Lost { .. } => panic!("somebody else commits"),
        }
    }

    /// The region as another one sees it.
    pub(crate) fn as_other(&self, name: &str) -> OtherRegionConfig {
        let nats = nats_config(self.port, "query");
        OtherRegionConfig { name: name.to_owned(), nats, partitions: 1, files: self.folder.path().join("files").into() }
    }

    /// A service on the region.
    pub(crate) fn serve(&self, change: impl FnOnce(&mut Config)) -> Service {
        let listen = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let path = |name: &str| self.folder.path().join(name);
        let mut config = Config::new(listen, nats_config(self.port, "query"), "local", vec![0], path("files"), path("work"));
        config.memory_limit_mb = 256;
        // Tests ask as often as they can.
        config.limits = LimitSettings::default();
        change(&mut config);
        let cancel = CancellationToken::new();
        let task = tokio::spawn(weir_query_api::run(config, cancel.clone()));
        Service {
            inner: Arc::new(Inner { client: reqwest::Client::new(), url: format!("http://{listen}"), cancel }),
            task: Some(Arc::new(task)),
        }
    }
}

/// A service in this process.
#[derive(Clone)]
pub(crate) struct Service {
    inner: Arc<Inner>,
    task: Option<Arc<JoinHandle<Result<(), RunError>>>>,
}

struct Inner {
    client: reqwest::Client,
    url: String,
    cancel: CancellationToken,
}

impl Service {
    /// Polls until there is something.
    pub(crate) async fn until<T, F: Future<Output = Option<T>>>(&self, ask: impl Fn(Self) -> F) -> T {
        let started = Instant::now();
        loop {
            if let Some(found) = ask(self.clone()).await {
                return found;
            }
            assert!(started.elapsed() < PATIENCE, "waited in vain; status: {:?}", self.get("/api/health").await);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub(crate) async fn healthy(&self) {
        self.until(|service| async move { service.get("/api/health").await.filter(|(status, _)| *status == 200) }).await;
    }

    /// Waits until so many page views are counted, and sees that there are never more.
    pub(crate) async fn counts(&self, expected: i64) {
        let query = json!({"site_id": "a.example", "metrics": ["pageviews"], "date_range": "all"});
        self.until(|service| {
            let query = query.clone();
            async move {
                let found = service.query(&query).await["results"][0]["metrics"][0].as_i64().unwrap();
                assert!(found <= expected, "{found} of {expected}");
                (found == expected).then_some(())
            }
        })
        .await;
    }

    pub(crate) async fn query(&self, query: &Value) -> Value {
        let (status, answer) = self.ask(KEY, query).await;
        assert_eq!(status, 200, "{answer}");
        answer
    }

    pub(crate) async fn ask(&self, key: &str, query: &Value) -> (u16, Value) {
        self.ask_at(key, query, "").await
    }

    /// The same, with what follows the address.
    pub(crate) async fn ask_at(&self, key: &str, query: &Value, parameters: &str) -> (u16, Value) {
        let Inner { client, url, .. } = &*self.inner;
        let response = client.post(format!("{url}/api/v2/query{parameters}")).bearer_auth(key).json(query).send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    /// A request that is still to be sent.
    pub(crate) fn request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        let Inner { client, url, .. } = &*self.inner;
        client.request(method, format!("{url}{path}"))
    }

    pub(crate) async fn get(&self, path: &str) -> Option<(u16, String)> {
        let Inner { client, url, .. } = &*self.inner;
        let response = client.get(format!("{url}{path}")).bearer_auth(ADMIN_KEY).send().await.ok()?;
        Some((response.status().as_u16(), response.text().await.ok()?))
    }

    /// The ledger of the site over the last day.
    pub(crate) async fn ledger(&self) -> Value {
        let (status, text) = self.get("/api/ledger?site_id=a.example").await.unwrap();
        assert_eq!(status, 200, "{text}");
        serde_json::from_str(&text).unwrap()
    }

    /// What `/api/status` says of the partition; null before it answers.
    pub(crate) async fn status(&self) -> Value {
        let Some((200, text)) = self.get("/api/status").await else { return Value::Null };
        serde_json::from_str::<Value>(&text).unwrap()[0].clone()
    }

    pub(crate) async fn stop(mut self) {
        self.inner.cancel.cancel();
        let task = Arc::into_inner(self.task.take().unwrap()).unwrap();
        tokio::time::timeout(Duration::from_secs(10), task).await.unwrap().unwrap().unwrap();
    }
}

pub(crate) fn hash(key: &str) -> String {
    Sha256::digest(key).iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
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

/// The role `query` may do what it needs and no more.
fn nats_conf(port: u16, store: &Path) -> String {
    let owned = [subject::SITES_BUCKET, subject::KEYS_BUCKET, subject::ACCOUNTS_BUCKET, subject::DEFINITIONS_BUCKET];
    let streams = owned.map(|bucket| format!("KV_{bucket}"));
    let streams = streams.iter().map(String::as_str).chain(["EVENTS_local_0", "KV_WEIR_HEADS", "KV_WEIR_REPLAY"]);
    let apis = [
        "STREAM.INFO.@",
        "STREAM.MSG.GET.@",
        "CONSUMER.CREATE.@.>",
        "CONSUMER.INFO.@.>",
        "CONSUMER.MSG.NEXT.@.>",
        "CONSUMER.DELETE.@.>",
    ];
    let subjects = streams.flat_map(|stream| apis.iter().map(move |api| format!("\"$JS.API.{}\"", api.replace('@', stream))));
    let writes = owned.iter().map(|bucket| format!("\"$KV.{bucket}.>\""));
    // The Sites API asks for events to be forgotten.
    let asks = std::iter::once("\"events.local.*\"".to_owned());
    let publish = subjects.chain(writes).chain(asks).collect::<Vec<_>>().join(", ");
    let store = store.display();
    format!(
        "listen: \"127.0.0.1:{port}\"\n\
         jetstream {{ store_dir: \"{store}\", sync_interval: always }}\n\
         authorization {{ users: [\n\
           {{ user: admin, password: secret }}\n\
           {{ user: query, password: secret, permissions: {{ publish: {{ allow: [{publish}] }}, subscribe: {{ allow: [\"_INBOX_query.>\"] }} }} }}\n\
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
