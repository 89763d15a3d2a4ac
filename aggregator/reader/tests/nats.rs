//! Streams, buckets and heads with a real nats-server, which is killed in between.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where its surroundings fail")]

use async_nats::HeaderMap;
use async_nats::jetstream::{Context, kv, stream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use weir_event::subject;
use weir_reader::buckets::{self, Change, Entry};
use weir_reader::heads::{self, HeadChange, HeadEntry, Swap};
use weir_reader::stream::{self as partition_stream, PartitionStream};
use weir_reader::{NatsConfig, ReaderError};
use weir_rollup::manifest::Head;

const PATIENCE: Duration = Duration::from_secs(30);

struct Nats {
    folder: tempfile::TempDir,
    port: u16,
    server: Child,
    jetstream: Context,
}

impl Drop for Nats {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Nats {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let server = spawn(folder.path(), port);
        let jetstream = weir_reader::jetstream(connect(port).await);
        let nats = Self { folder, port, server, jetstream };
        let config = kv::Config { bucket: subject::HEADS_BUCKET.to_owned(), history: 1, ..kv::Config::default() };
        nats.jetstream.create_key_value(config).await.unwrap();
        let config = stream::Config {
            name: subject::events_stream("local", 0),
            subjects: vec![subject::events_subject("local", 0)],
            ..stream::Config::default()
        };
        nats.jetstream.create_stream(config).await.unwrap();
        nats
    }

    fn kill(&mut self) {
        self.server.kill().unwrap();
        self.server.wait().unwrap();
    }

    fn restart(&mut self) {
        self.kill();
        self.server = spawn(self.folder.path(), self.port);
    }

    async fn publish(&self, number: u64, payload_bytes: usize) {
        let started = Instant::now();
        loop {
            let mut headers = HeaderMap::new();
            headers.insert("Nats-Msg-Id", format!("m-{number}").as_str());
            headers.insert(subject::SCHEMA_HEADER, "1");
            let payload = vec![number as u8; payload_bytes].into();
            let sent = self.jetstream.publish_with_headers(subject::events_subject("local", 0), headers, payload).await;
            if let Ok(acknowledgement) = sent
                && acknowledgement.await.is_ok()
            {
                return;
            }
            assert!(started.elapsed() < PATIENCE, "the message was not taken");
        }
    }

    async fn open(&self, from_seq: u64) -> Result<PartitionStream, ReaderError> {
        PartitionStream::open(&self.jetstream, "local", 0, from_seq).await
    }
}

fn spawn(folder: &Path, port: u16) -> Child {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools/bin/nats-server");
    assert!(program.exists(), "{} is missing: run `make setup`", program.display());
    let mut command = Command::new(program);
    command.args(["-a", "127.0.0.1", "-p", &port.to_string(), "-js", "-sd"]).arg(folder);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("nats-server starts")
}

async fn connect(port: u16) -> async_nats::Client {
    let config = NatsConfig {
        url: format!("nats://127.0.0.1:{port}"),
        user: String::new(),
        password: String::new(),
        inbox_prefix: "_INBOX_test".to_owned(),
        ca_file: None,
    };
    let started = Instant::now();
    loop {
        match weir_reader::connect(&config).await {
            Ok(client) => return client,
            Err(error) => assert!(started.elapsed() < PATIENCE, "nats-server does not answer: {error}"),
        }
    }
}

fn head(revision: u64, commit_id: &str) -> Head {
    Head {
        revision,
        sealed_seq: revision * 10,
        manifest: format!("manifests/local-0/{revision:012}-{commit_id}.json"),
        checksum: "00".to_owned(),
        commit_id: commit_id.to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_message_comes_once_and_in_order_through_restarts_of_the_server() {
    let mut nats = Nats::start().await;
    for number in 1..=200 {
        nats.publish(number, if number == 20 { 900_000 } else { 10 }).await;
    }
    let mut stream = nats.open(11).await.unwrap();
    for seq in 11..=300 {
        if seq == 50 || seq == 201 || seq == 250 {
            nats.restart();
        }
        if seq > 200 {
            nats.publish(seq, 10).await;
        }
        let delivered = tokio::time::timeout(PATIENCE, stream.next()).await.unwrap().unwrap();
        assert_eq!((delivered.seq, delivered.message_id, delivered.schema), (seq, format!("m-{seq}"), 1));
        assert_eq!((delivered.payload.len(), delivered.payload[0]), (if seq == 20 { 900_000 } else { 10 }, seq as u8));
        assert!(delivered.stream_ms > 1_700_000_000_000);
    }
    assert_eq!(stream.try_next().unwrap(), None);
    let state = partition_stream::state(&nats.jetstream, "local", 0).await.unwrap();
    assert_eq!((state.first_seq, state.last_seq, state.messages, state.created.as_str()), (1, 300, 300, stream.created()));
    let id = |seq| partition_stream::message_id_at(&nats.jetstream, "local", 0, seq);
    assert_eq!(id(20).await.unwrap().as_deref(), Some("m-20"));
    assert_eq!(id(301).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_gone_ends_the_stream_with_its_reason() {
    let nats = Nats::start().await;
    for number in 1..=20 {
        nats.publish(number, 10).await;
    }
    let handle = nats.jetstream.get_stream(subject::events_stream("local", 0)).await.unwrap();
    handle.delete_message(15).await.unwrap();
    handle.purge().sequence(5).await.unwrap();
    assert!(matches!(nats.open(3).await, Err(ReaderError::Gap { wanted_seq: 3, first_available_seq: 5, .. })));
    assert!(matches!(nats.open(22).await, Err(ReaderError::Rewound { wanted_seq: 22, last_seq: 20, .. })));
    let mut stream = nats.open(5).await.unwrap();
    for seq in 5..15 {
        assert_eq!(stream.next().await.unwrap().seq, seq);
    }
    assert!(matches!(stream.next().await, Err(ReaderError::Gap { wanted_seq: 15, first_available_seq: 16, .. })));
    assert!(matches!(stream.next().await, Err(ReaderError::Closed { .. })));
    let other = PartitionStream::open(&nats.jetstream, "local", 1, 1).await;
    assert!(matches!(other, Err(ReaderError::StreamMissing { stream }) if stream == "EVENTS_local_1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_moves_only_from_where_it_stands() {
    let mut nats = Nats::start().await;
    let jetstream = nats.jetstream.clone();
    let swap = move |expected, head: Head| {
        let jetstream = jetstream.clone();
        async move { heads::compare_and_set(&jetstream, &heads::HeadKey::served("local", 0), expected, &head).await.unwrap() }
    };
    assert_eq!(heads::get(&nats.jetstream, "local", 0).await.unwrap(), None);
    let Swap::Committed { kv_revision: first } = swap(0, head(1, "a")).await else { panic!("the first commit") };
    let standing = HeadEntry { head: head(1, "a"), kv_revision: first };
    assert_eq!(swap(0, head(1, "b")).await, Swap::Lost { current: Some(standing.clone()) });
    assert_eq!(swap(0, head(1, "a")).await, Swap::Committed { kv_revision: first }, "sent twice");
    let racers = futures::future::join_all((0..8).map(|racer| swap(first, head(2, &format!("r{racer}"))))).await;
    assert_eq!(racers.iter().filter(|swap| matches!(swap, Swap::Committed { .. })).count(), 1);
    let before = heads::get(&nats.jetstream, "local", 0).await.unwrap().unwrap();
    nats.kill();
    let commit = tokio::spawn(swap(before.kv_revision, head(3, "c")));
    nats.server = spawn(nats.folder.path(), nats.port);
    let Swap::Committed { kv_revision } = tokio::time::timeout(PATIENCE, commit).await.unwrap().unwrap() else { panic!("lost") };
    assert_eq!(heads::get(&nats.jetstream, "local", 0).await.unwrap(), Some(HeadEntry { head: head(3, "c"), kv_revision }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_tells_what_is_there_then_what_changes_through_a_restart() {
    let mut nats = Nats::start().await;
    let mut watch = heads::watch(&nats.jetstream).await.unwrap();
    assert_eq!(watch.next().await, HeadChange::CaughtUp, "an empty bucket");
    for revision in 1..=2 {
        let expected = revision - 1;
        heads::compare_and_set(&nats.jetstream, &heads::HeadKey::served("eu.west", 7), expected, &head(revision, "a"))
            .await
            .unwrap();
        let entry = HeadEntry { head: head(revision, "a"), kv_revision: revision };
        assert_eq!(watch.next().await, HeadChange::Moved { region: "eu.west".to_owned(), partition: 7, entry });
    }
    let mut keys = buckets::watch(&nats.jetstream, subject::HEADS_BUCKET, ">").await.unwrap();
    assert!(matches!(keys.next().await, Change::Entry(Entry { key, value: Some(_), revision: 2 }) if key == "eu.west.7"));
    assert_eq!(keys.next().await, Change::CaughtUp);
    nats.restart();
    let store = loop {
        if let Ok(store) = nats.jetstream.get_key_value(subject::HEADS_BUCKET).await {
            break store;
        }
    };
    store.delete("eu.west.7").await.unwrap();
    let deleted = loop {
        match tokio::time::timeout(PATIENCE, keys.next()).await.unwrap() {
            // Told again after the restart.
            Change::Entry(Entry { value: Some(_), .. }) => {}
            other => break other,
        }
    };
    assert_eq!(deleted, Change::Entry(Entry { key: "eu.west.7".to_owned(), value: None, revision: 3 }));
    let key = buckets::get(&nats.jetstream, subject::HEADS_BUCKET, "eu.west.7").await.unwrap();
    assert_eq!(key.and_then(|entry| entry.value), None);
}
