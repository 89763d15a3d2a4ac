//! A service on rows: written into real parts, appended to real tables.

use crate::sealed::{manifest, write_part};
use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use bytes::Bytes;
use chrono::DateTime;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use weir_event::model::{Origin, Property};
use weir_query_api::cache::FigureCache;
use weir_query_api::clock::Clock;
use weir_query_api::control::Directory;
use weir_query_api::engine::{Engine, EngineConfig};
use weir_query_api::http;
use weir_query_api::limits::{LimitSettings, Limits};
use weir_query_api::operator::{Operator, OperatorActions};
use weir_query_api::regions::OtherRegion;
use weir_query_api::revision::Revisions;
use weir_query_api::service::Service;
use weir_query_api::tail::{Condition, PartitionView, TailLedger};
use weir_query_api::telemetry::Telemetry;
use weir_reader::buckets::Entry;
use weir_reader::store::Store;
use weir_rollup::ledger::{self, Tally, hour_of};
use weir_rollup::row::{EventRow, Opening, Position};

/// Saturday, 21 November 2026, 10:20:30.456 UTC.
pub(crate) const NOW_MS: u64 = 1_795_256_430_456;
/// Reads site 1, `a.example`.
pub(crate) const KEY: &str = "weir_one";
/// Reads everything.
pub(crate) const ADMIN_KEY: &str = "weir_admin";

/// Where rows are: groups of those in parts, groups of those in tables of the live end. All positions of the live end lie behind
/// those of the parts.
pub(crate) struct Layout {
    pub(crate) parts: Vec<Vec<EventRow>>,
    pub(crate) tables: Vec<Vec<EventRow>>,
    pub(crate) sealed_seq: u64,
    pub(crate) folded_seq: u64,
}

impl Layout {
    /// Everything in one part.
    pub(crate) fn sealed(rows: &[EventRow]) -> Self {
        let last = rows.iter().map(|row| row.position.seq).max().unwrap_or(0);
        Self { parts: vec![rows.to_vec()], tables: Vec::new(), sealed_seq: last, folded_seq: last }
    }
}

/// A router and what it stands on.
pub(crate) struct Fixture {
    pub(crate) router: Router,
    /// What stands behind it.
    pub(crate) service: Arc<Service>,
    /// The time, Unix milliseconds.
    pub(crate) now_ms: &'static AtomicU64,
    pub(crate) engine: Arc<Engine>,
    pub(crate) partition: watch::Sender<Arc<PartitionView>>,
    folder: tempfile::TempDir,
}

impl Fixture {
    pub(crate) fn new(layout: &Layout) -> Self {
        Self::build(layout, directory(&json!({})), LimitSettings::default())
    }

    /// The same service for operators with these means, which are not waited for.
    pub(crate) fn operated(&self, actions: Arc<dyn OperatorActions>) -> Router {
        http::router(Arc::new(Service { operator: Operator::new(Some(actions)).answering_within(Duration::ZERO), ..self.bare() }))
    }

    /// One whose site 1 has these definitions.
    pub(crate) fn with(layout: &Layout, definitions: &Value) -> Self {
        Self::build(layout, directory(definitions), LimitSettings::default())
    }

    /// One whose site 1 has its days in this zone.
    pub(crate) fn in_zone(layout: &Layout, zone: &str) -> Self {
        let directory = directory(&json!({}));
        directory.take_site(&site(1, "a.example", zone, 0));
        Self::build(layout, directory, LimitSettings::default())
    }

    /// One with limits.
    pub(crate) fn limited(layout: &Layout, limits: LimitSettings) -> Self {
        Self::build(layout, directory(&json!({})), limits)
    }

    fn build(layout: &Layout, directory: Directory, limits: LimitSettings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::local(&folder.path().join("files")).unwrap();
        let engine = Engine::open(EngineConfig {
            temp_dir: folder.path().join("temp"),
            memory_bytes_max: 500_000_000,
            threads: 2,
            running_max: 2,
            waiting_max: 4,
            timeout: Duration::from_secs(20),
            parts_max: 4,
        })
        .unwrap();
        let view = view(&engine, &store, "", layout);
        let (partition, receiver) = watch::channel(Arc::new(view));
        let now_ms: &'static AtomicU64 = Box::leak(Box::new(AtomicU64::new(NOW_MS)));
        let service = Service {
            engine: Arc::clone(&engine),
            directory,
            others: Vec::new(),
            revisions: Revisions::new(store.clone(), "local", [0].into_iter()),
            store,
            region: "local".to_owned(),
            collector_url: Some("https://edge.example/".to_owned()),
            partitions: BTreeMap::from([(0, receiver)]),
            cache: FigureCache::new(10_000_000),
            limits: Arc::new(Limits::new(limits)),
            operator: Operator::new(None),
            stopping: CancellationToken::new(),
            clock: Clock::Held(now_ms),
            telemetry: Telemetry::default(),
        };
        let service = Arc::new(service);
        Self { router: http::router(Arc::clone(&service)), service, now_ms, engine, partition, folder }
    }

    /// The same service without a cache.
    pub(crate) fn uncached(&self) -> Router {
        http::router(Arc::new(self.bare()))
    }

    /// The same service with another region, `away`, beside its own: that region, and the way to tell a view of it. Its parts have names of their own.
    pub(crate) fn beside(&self, layout: &Layout) -> (Router, watch::Sender<Arc<PartitionView>>, Arc<OtherRegion>) {
        self.beside_in(layout, "UTC")
    }

    /// The same where site 1 has its days in a zone.
    pub(crate) fn beside_in(&self, layout: &Layout, zone: &str) -> (Router, watch::Sender<Arc<PartitionView>>, Arc<OtherRegion>) {
        let store = Store::local(&self.folder.path().join("away")).unwrap();
        let (sender, receiver) = watch::channel(Arc::new(view(&self.engine, &store, "away-", layout)));
        let other = Arc::new(OtherRegion::new("away", store, BTreeMap::from([(0, receiver)])));
        let cache = FigureCache::new(10_000_000);
        let service = Service { others: vec![Arc::clone(&other)], cache, ..self.bare() };
        service.directory.take_site(&site(1, "a.example", zone, 0));
        (http::router(Arc::new(service)), sender, other)
    }

    fn bare(&self) -> Service {
        Service {
            engine: Arc::clone(&self.engine),
            directory: directory(&json!({})),
            others: Vec::new(),
            revisions: Revisions::new(self.service.store.clone(), "local", [0].into_iter()),
            store: self.service.store.clone(),
            region: "local".to_owned(),
            collector_url: None,
            partitions: self.service.partitions.clone(),
            cache: FigureCache::new(0),
            limits: Arc::new(Limits::new(LimitSettings::default())),
            operator: Operator::new(None),
            stopping: CancellationToken::new(),
            clock: Clock::Held(self.now_ms),
            telemetry: Telemetry::default(),
        }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Status, body as text.
    pub(crate) async fn send(&self, request: Request<Body>) -> (StatusCode, String) {
        send(&self.router, request).await
    }

    /// The whole answer to a query of site 1.
    pub(crate) async fn answer(&self, query: Value) -> Value {
        let mut body = json!({"site_id": "a.example"});
        body.as_object_mut().unwrap().extend(query.as_object().unwrap().clone());
        let (status, text) = self.send(post(KEY, &body.to_string())).await;
        assert_eq!(status, StatusCode::OK, "{text} to {body}");
        serde_json::from_str(&text).unwrap()
    }

    /// The results as lines: dimensions, then metrics.
    pub(crate) async fn results(&self, query: Value) -> Vec<String> {
        lines(&self.answer(query).await)
    }
}

/// A layout as a view, its parts written into a store.
fn view(engine: &Arc<Engine>, store: &Store, prefix: &str, layout: &Layout) -> PartitionView {
    let parts = layout.parts.iter().enumerate().filter(|(_, rows)| !rows.is_empty());
    let parts = parts.map(|(index, rows)| write_part(store, &format!("{prefix}{index}"), rows)).collect();
    let (mut tables, mut ledgers) = (Vec::new(), Vec::new());
    for rows in &layout.tables {
        let table = engine.create_table().unwrap();
        table.append(rows).unwrap();
        tables.push(Arc::new(table));
        ledgers.push(Arc::new(ledger_of(rows)));
    }
    PartitionView {
        manifest: Some(Arc::new(manifest(parts, layout.sealed_seq, 42))),
        tables,
        ledgers,
        asked: Vec::new(),
        ledger_alarm: None,
        sealed_seq: layout.sealed_seq,
        folded_seq: layout.folded_seq,
        tail_rows: layout.tables.iter().map(|rows| rows.len() as u64).sum(),
        watermark_ms: NOW_MS - 250,
        condition: Condition::Live,
        is_ready: true,
        stream: (1, layout.folded_seq),
        heard_ms: NOW_MS,
    }
}

/// Status, body as text.
pub(crate) async fn send(router: &Router, request: Request<Body>) -> (StatusCode, String) {
    let response = router.clone().oneshot(request).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

/// The ledger of rows of the live end, in the order of their sequences.
pub(crate) fn ledger_of(rows: &[EventRow]) -> TailLedger {
    let tail = TailLedger::default();
    let entry = |row: &EventRow| {
        let tally = Tally { accepted: 1, bots: u64::from(row.opening.bot > 0), ..Tally::default() };
        (row.position.seq, ledger::Entry { site_id: row.site_id, hour_ms: hour_of(row.received_ms), tally })
    };
    let mut entries: Vec<_> = rows.iter().map(entry).collect();
    entries.sort_by_key(|(seq, _)| *seq);
    tail.append(entries);
    tail
}

pub(crate) fn lines(answer: &Value) -> Vec<String> {
    let join = |values: &Value| values.as_array().unwrap().iter().map(plain).collect::<Vec<_>>().join(" | ");
    let line = |row: &Value| {
        let (dimensions, metrics) = (join(&row["dimensions"]), join(&row["metrics"]));
        if dimensions.is_empty() { metrics } else { format!("{dimensions} -> {metrics}") }
    };
    answer["results"].as_array().unwrap().iter().map(line).collect()
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

pub(crate) fn post(key: &str, body: &str) -> Request<Body> {
    let request = Request::post("/api/v2/query").header("authorization", format!("Bearer {key}"));
    request.header("content-type", "application/json").body(Body::from(body.to_owned())).unwrap()
}

pub(crate) fn get(path: &str, key: Option<&str>) -> Request<Body> {
    let mut request = Request::get(path);
    if let Some(key) = key {
        request = request.header("authorization", format!("Bearer {key}"));
    }
    request.body(Body::empty()).unwrap()
}

fn entry(key: String, value: &Value) -> Entry {
    Entry { key, value: Some(Bytes::from(value.to_string())), revision: 1 }
}

fn site(id: u32, domain: &str, timezone: &str, partition: u32) -> Entry {
    let site = json!({"id": id, "domain": domain, "timezone": timezone, "partition": partition, "created_ms": 1});
    entry(format!("site.{domain}"), &site)
}

fn directory(definitions: &Value) -> Directory {
    let directory = Directory::default();
    for (id, domain, timezone, partition) in
        [(1, "a.example", "UTC", 0), (2, "b.example", "Europe/Berlin", 0), (3, "away.example", "UTC", 7)]
    {
        directory.take_site(&site(id, domain, timezone, partition));
    }
    for (key, site_id, scope) in [(KEY, 1, "stats:read"), ("weir_two", 2, "stats:read"), (ADMIN_KEY, 0, "admin")] {
        let grant = json!({"id": key, "site_id": site_id, "domain": "", "scope": scope, "created_ms": 1});
        let hash = Sha256::digest(key).iter().fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").unwrap();
            text
        });
        directory.take_key(&entry(hash, &grant));
    }
    directory.take_definitions(&entry("site.1".to_owned(), definitions));
    directory.set_loaded();
    directory
}

/// Unix milliseconds of an RFC 3339 time.
pub(crate) fn at(text: &str) -> i64 {
    DateTime::parse_from_rfc3339(text).unwrap().timestamp_millis()
}

/// A visit under construction: its rows share visitor, visit and opening.
pub(crate) struct Visit {
    site_id: u32,
    id: u64,
    opening: Arc<Opening>,
}

impl Visit {
    pub(crate) fn new(id: u64, opening: Opening) -> Self {
        Self { site_id: 1, id, opening: Arc::new(opening) }
    }

    pub(crate) fn of_site(mut self, site_id: u32) -> Self {
        self.site_id = site_id;
        self
    }

    /// An event of the visit; the time in milliseconds.
    pub(crate) fn event(&self, seq: u64, event_ms: i64, name: &str, pathname: &str, props: &[(&str, &str)]) -> EventRow {
        EventRow {
            position: Position { seq, idx: 0 },
            site_id: self.site_id,
            event_ms,
            received_ms: event_ms,
            event_id: u128::from(seq),
            retry: false,
            visit_id: self.id,
            name: name.to_owned(),
            hostname: "a.example".to_owned(),
            pathname: pathname.to_owned(),
            props: props.iter().map(|(key, value)| Property { key: (*key).to_owned(), value: (*value).to_owned() }).collect(),
            revenue: None,
            engagement_ms: (name == "engagement").then_some(5_000),
            scroll_depth: None,
            interactive: name != "engagement",
            origin: Origin::Edge,
            opening: Arc::clone(&self.opening),
        }
    }
}
