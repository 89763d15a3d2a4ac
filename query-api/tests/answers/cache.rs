//! A service with a cache answers exactly what one without does, whatever happens between the questions; and the traffic of other sites takes nothing out of it.

use crate::fixture::{Fixture, KEY, Layout, NOW_MS, Visit, ledger_of, post, send};
use crate::sealed::{manifest, write_part};
use axum::http::{HeaderMap, Request, StatusCode, header};
use http_body_util::BodyExt;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tower::ServiceExt;
use weir_query_api::tail::PartitionView;
use weir_rollup::row::{EventRow, Opening};

/// Reads site 2, `b.example`.
const OTHER_KEY: &str = "weir_two";
const MINUTE_MS: u64 = 60_000;

/// What can happen between two questions.
#[derive(Clone, Debug)]
enum Step {
    /// Rows of a site arrive: visitor, minutes ago, page.
    Arrive(u32, u64, i64, &'static str),
    /// A row is in a table already, and not yet in a view.
    Early,
    /// What is live becomes a part.
    Flush,
    /// All parts become one.
    Merge,
    /// A replay is promoted: the same events with other sources.
    Promote,
    /// The live end is folded anew.
    Reload,
    /// Time passes, milliseconds.
    Wait(u64),
    /// Somebody asks.
    Ask(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let page = prop::sample::select(vec!["/", "/a", "/b"]);
    prop_oneof![
        // Some events are dated ahead of the clock of this machine.
        4 => (1_u32..4, 1_u64..6, -2_i64..3_000, page).prop_map(|(site, visitor, ago, page)| Step::Arrive(site, visitor, ago, page)),
        1 => Just(Step::Early),
        2 => Just(Step::Flush),
        1 => Just(Step::Merge),
        1 => Just(Step::Promote),
        1 => Just(Step::Reload),
        2 => prop::sample::select(vec![1, 999, MINUTE_MS, 47 * MINUTE_MS, 600 * MINUTE_MS]).prop_map(Step::Wait),
        8 => (0..queries().len()).prop_map(Step::Ask),
    ]
}

fn queries() -> Vec<Value> {
    let visits = json!(["visitors", "visits", "pageviews", "bounce_rate", "visit_duration", "events"]);
    vec![
        json!({"metrics": visits, "date_range": "day"}),
        json!({"metrics": visits, "date_range": "day", "dimensions": ["time:hour"], "include": {"time_labels": true}}),
        json!({"metrics": visits, "date_range": "24h", "dimensions": ["visit:source"]}),
        json!({"metrics": visits, "date_range": "1d", "dimensions": ["event:page"], "include": {"total_rows": true}}),
        json!({"metrics": visits, "date_range": "month", "filters": [["is", "event:page", ["/a"]]]}),
        json!({"metrics": ["visitors"], "date_range": "all", "dimensions": ["time:day", "visit:source"]}),
        json!({"metrics": visits, "date_range": ["2026-11-20T23:30:00Z", "2026-11-21T09:59:59Z"]}),
    ]
}

/// The partition as an aggregator and a tail would leave it.
struct World {
    fixture: Fixture,
    /// Rows that are sealed, by part.
    parts: Vec<Vec<EventRow>>,
    /// Rows of the live end.
    live: Vec<EventRow>,
    /// A row that is not in a view yet.
    early: Option<EventRow>,
    revision: u64,
    source: &'static str,
    names: u64,
}

impl World {
    fn new() -> Self {
        let fixture = Fixture::new(&Layout { parts: Vec::new(), tables: Vec::new(), sealed_seq: 0, folded_seq: 0 });
        let (parts, live) = (Vec::new(), Vec::new());
        Self { fixture, parts, live, early: None, revision: 42, source: "Google", names: 100 }
    }

    fn now_ms(&self) -> u64 {
        self.fixture.now_ms.load(Ordering::Relaxed)
    }

    fn last_seq(&self) -> u64 {
        let rows = self.parts.iter().flatten().chain(&self.live).chain(&self.early);
        rows.map(|row| row.position.seq).max().unwrap_or(0)
    }

    fn row(&self, site: u32, visitor: u64, ago: i64, page: &str) -> EventRow {
        let opening = Opening { visitor_id: visitor, source: self.source.to_owned(), ..Opening::default() };
        let visit = Visit::new(visitor * 10 + u64::from(site), opening).of_site(site);
        visit.event(self.last_seq() + 1, self.now_ms() as i64 - ago * MINUTE_MS as i64, "pageview", page, &[])
    }

    /// The rows arrive in the table of the live end, and in a view.
    fn arrive(&mut self, row: EventRow) {
        let rows: Vec<EventRow> = self.early.take().into_iter().chain([row]).collect();
        let before = Arc::clone(&self.fixture.partition.borrow());
        let table = match before.tables.last() {
            Some(table) => Arc::clone(table),
            None => Arc::new(self.fixture.engine.create_table().unwrap()),
        };
        // An early one is in the table already.
        let (last, _) = rows.split_last().map(|(last, rest)| (last.clone(), rest)).unwrap();
        table.append(&[last]).unwrap();
        self.live.extend(rows);
        self.publish(|view| {
            if view.tables.is_empty() {
                view.tables.push(table);
            }
        });
    }

    fn early(&mut self) {
        let table = self.fixture.partition.borrow().tables.last().cloned();
        if let Some(table) = table.filter(|_| self.early.is_none()) {
            let row = self.row(1, 3, 1, "/a");
            table.append(std::slice::from_ref(&row)).unwrap();
            self.early = Some(row);
        }
    }

    /// The same rows in other files. `keep` = tables stay, as they do for views that are in use.
    fn seal(&mut self, parts: Vec<Vec<EventRow>>, keep: bool) {
        self.parts = parts.into_iter().filter(|rows| !rows.is_empty()).collect();
        self.revision += 1;
        let store = &self.fixture.service.store;
        let mut written = Vec::new();
        for rows in &self.parts {
            self.names += 1;
            written.push(write_part(store, &self.names.to_string(), rows));
        }
        let sealed_seq = self.parts.iter().flatten().map(|row| row.position.seq).max().unwrap_or(0);
        let manifest = Arc::new(manifest(written, sealed_seq, self.revision));
        self.live.retain(|row| row.position.seq > sealed_seq);
        self.publish(|view| {
            (view.manifest, view.sealed_seq) = (Some(manifest), sealed_seq);
            if !keep {
                view.tables.clear();
            }
        });
        if !keep {
            self.reload();
        }
    }

    /// A further part, beside those that are there.
    fn append(&mut self, rows: Vec<EventRow>) {
        let before = self.fixture.partition.borrow().manifest.clone().unwrap();
        self.revision += 1;
        self.names += 1;
        let sealed_seq = rows.iter().map(|row| row.position.seq).max().unwrap();
        let part = write_part(&self.fixture.service.store, &self.names.to_string(), &rows);
        let parts = before.parts.iter().cloned().chain([part]).collect();
        let manifest = Arc::new(manifest(parts, sealed_seq, self.revision));
        self.parts.push(rows);
        self.publish(|view| (view.manifest, view.sealed_seq) = (Some(manifest), sealed_seq));
    }

    /// The live end in a new table.
    fn reload(&mut self) {
        let table = Arc::new(self.fixture.engine.create_table().unwrap());
        table.append(&self.live).unwrap();
        self.early = None;
        self.publish(|view| view.tables = vec![table]);
    }

    fn publish(&mut self, change: impl FnOnce(&mut PartitionView)) {
        let folded_seq = self.parts.iter().flatten().chain(&self.live).map(|row| row.position.seq).max().unwrap_or(0);
        let (ledger, watermark_ms) = (Arc::new(ledger_of(&self.live)), self.now_ms() - 250);
        self.fixture.partition.send_modify(|view| {
            let view = Arc::make_mut(view);
            change(view);
            (view.folded_seq, view.ledgers, view.watermark_ms) = (folded_seq, vec![ledger], watermark_ms);
        });
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Arrive(site, visitor, ago, page) => {
                let row = self.row(*site, *visitor, *ago, page);
                self.arrive(row);
            }
            Step::Early => self.early(),
            Step::Flush => {
                let live = std::mem::take(&mut self.live);
                match (live.is_empty(), self.parts.is_empty()) {
                    (true, _) => {}
                    (false, true) => self.seal(vec![live], true),
                    (false, false) => self.append(live),
                }
            }
            Step::Merge => {
                let whole = self.parts.concat();
                self.seal(vec![whole], true);
            }
            Step::Promote => {
                self.source = if self.source == "Google" { "Bing" } else { "Google" };
                let mut parts = self.parts.clone();
                for row in parts.iter_mut().flatten().chain(&mut self.live) {
                    self.source.clone_into(&mut Arc::make_mut(&mut row.opening).source);
                }
                self.seal(parts, false);
            }
            Step::Reload => self.reload(),
            Step::Wait(ms) => {
                self.fixture.now_ms.fetch_add(*ms, Ordering::Relaxed);
            }
            Step::Ask(_) => {}
        }
    }
}

fn request(query: &Value) -> Request<axum::body::Body> {
    let mut body = json!({"site_id": "a.example"});
    body.as_object_mut().unwrap().extend(query.as_object().unwrap().clone());
    post(KEY, &body.to_string())
}

fn hits(fixture: &Fixture) -> u64 {
    fixture.service.cache.counts.hits.load(Ordering::Relaxed)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, max_shrink_iters: 40, ..ProptestConfig::default() })]

    #[test]
    fn the_cache_changes_no_answer(steps in prop::collection::vec(step(), 20..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut world = World::new();
            let uncached = world.fixture.uncached();
            for (index, step) in steps.iter().enumerate() {
                world.take(step);
                let Step::Ask(number) = step else { continue };
                let query = &queries()[*number];
                let expected = send(&uncached, request(query)).await;
                prop_assert_eq!(expected.0, StatusCode::OK, "{}", expected.1);
                // Twice: the second time it is there.
                for round in 0..2 {
                    let found = send(&world.fixture.router, request(query)).await;
                    prop_assert_eq!(&found, &expected, "step {} round {}: {}", index, round, query);
                }
            }
            let asked = steps.iter().filter(|step| matches!(step, Step::Ask(_))).count() as u64;
            prop_assert!(hits(&world.fixture) >= asked, "{} hits of {asked} that were asked again", hits(&world.fixture));
            Ok(())
        })?;
    }
}

/// Figures, watermark and whether nothing had to be found anew.
async fn ask(world: &World, query: &Value) -> (Value, String, bool) {
    let misses = || world.fixture.service.cache.counts.misses.load(Ordering::Relaxed);
    let before = misses();
    let (status, text) = world.fixture.send(request(query)).await;
    assert_eq!(status, StatusCode::OK, "{text}");
    let answer: Value = serde_json::from_str(&text).unwrap();
    (answer["results"].clone(), answer["meta"]["watermark"].as_str().unwrap().to_owned(), misses() == before)
}

#[tokio::test]
async fn what_other_sites_send_takes_nothing_away() {
    let mut world = World::new();
    let query = json!({"metrics": ["visitors", "pageviews"], "date_range": "day", "dimensions": ["event:page"]});
    let row = world.row(1, 1, 30, "/");
    world.arrive(row);
    let (figures, first_watermark, _) = ask(&world, &query).await;
    let mut last_watermark = first_watermark;
    for _ in 0..20 {
        world.take(&Step::Wait(1_500));
        let row = world.row(2, 9, 0, "/");
        world.arrive(row);
        let (again, watermark, was_there) = ask(&world, &query).await;
        assert!(was_there, "the other site's event changes nothing here");
        assert_eq!(again, figures);
        assert!(watermark > last_watermark, "the watermark moves while the figures stay");
        last_watermark = watermark;
    }
    let row = world.row(1, 2, 0, "/");
    world.arrive(row);
    let (again, _, was_there) = ask(&world, &query).await;
    assert!(!was_there && again != figures, "an event of its own does");
}

#[tokio::test]
async fn what_other_sites_have_in_new_files_takes_nothing_away() {
    let mut world = World::new();
    let query = json!({"site_id": "b.example", "metrics": ["visitors", "pageviews"], "date_range": "month"});
    let row = world.row(2, 1, 30, "/");
    world.arrive(row);
    world.take(&Step::Flush);
    let ask = async |world: &World| {
        let misses = || world.fixture.service.cache.counts.misses.load(Ordering::Relaxed);
        let before = misses();
        let (status, text) = world.fixture.send(post(OTHER_KEY, &query.to_string())).await;
        assert_eq!(status, StatusCode::OK, "{text}");
        let answer: Value = serde_json::from_str(&text).unwrap();
        (answer["results"][0]["metrics"].clone(), answer["meta"]["revision"].clone(), misses() == before)
    };
    assert_eq!(ask(&world).await, (json!([1, 1]), json!(43), false));
    for revision in 44..50 {
        // By their numbers the part could have rows of the site between them.
        for site in [1, 3] {
            let row = world.row(site, 9, 0, "/");
            world.arrive(row);
        }
        let live = std::mem::take(&mut world.live);
        world.append(live);
        assert_eq!(ask(&world).await, (json!([1, 1]), json!(revision), true));
    }
    let row = world.row(2, 2, 0, "/");
    world.arrive(row);
    let live = std::mem::take(&mut world.live);
    world.append(live);
    assert_eq!(ask(&world).await, (json!([2, 2]), json!(50), false));
}

async fn conditional(fixture: &Fixture, query: &Value, tag: Option<&str>) -> (StatusCode, HeaderMap, String) {
    let mut request = request(query);
    if let Some(tag) = tag {
        request.headers_mut().insert(header::IF_NONE_MATCH, tag.parse().unwrap());
    }
    let response = fixture.router.clone().oneshot(request).await.unwrap();
    let (head, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (head.status, head.headers, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn who_has_the_figures_is_not_sent_them_again() {
    let mut world = World::new();
    let row = world.row(1, 1, 30, "/");
    world.arrive(row);
    let query = json!({"metrics": ["visitors"], "date_range": "month"});
    let (status, headers, body) = conditional(&world.fixture, &query, None).await;
    assert_eq!((status, body.is_empty()), (StatusCode::OK, false));
    let tag = headers[header::ETAG].to_str().unwrap().to_owned();
    assert!(tag.starts_with("W/\""), "only freshness may differ: {tag}");
    assert_eq!(headers[header::CACHE_CONTROL], "private, no-cache");
    // Another site's event, another revision, a later watermark: the figures are the same.
    world.take(&Step::Wait(5_000));
    let row = world.row(2, 9, 0, "/");
    world.arrive(row);
    world.take(&Step::Flush);
    let (status, headers, body) = conditional(&world.fixture, &query, Some(&tag)).await;
    assert_eq!((status, body.as_str()), (StatusCode::NOT_MODIFIED, ""));
    assert_eq!(headers[header::ETAG], tag.as_str());
    assert_eq!(headers["weir-watermark"], "2026-11-21T10:20:35.206Z", "how fresh they are now");
    let row = world.row(1, 2, 0, "/");
    world.arrive(row);
    let (status, headers, _) = conditional(&world.fixture, &query, Some(&tag)).await;
    assert_eq!(status, StatusCode::OK);
    assert_ne!(headers[header::ETAG], tag.as_str());
    // A tag is of one question.
    let other = json!({"metrics": ["visits"], "date_range": "month"});
    assert_eq!(conditional(&world.fixture, &other, Some(&tag)).await.0, StatusCode::OK);
}

#[tokio::test]
async fn meta_tells_what_is_complete() {
    let mut world = World::new();
    let row = world.row(1, 1, 30, "/");
    world.arrive(row);
    let query = json!({"metrics": ["visitors"], "date_range": ["2026-11-01", "2026-11-20"]});
    let (_, text) = world.fixture.send(request(&query)).await;
    let answer: Value = serde_json::from_str(&text).unwrap();
    let hours: Vec<String> = (10..24).map(|hour| format!("2026-11-20T{hour}:00:00Z")).collect();
    let watermark = "2026-11-21T10:20:30.206Z";
    assert_eq!(
        answer["meta"],
        json!({"imports_included": false, "watermark": watermark, "complete_through": {"local": watermark}, "revision": 42,
            "regions": ["local"], "regions_missing": [], "open_hours": hours, "identity_window": "day", "exact": true})
    );
    let past = json!({"metrics": ["visitors"], "date_range": ["2026-11-01", "2026-11-19"]});
    let (_, text) = world.fixture.send(request(&past)).await;
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap()["meta"]["open_hours"], json!([]));
    assert_eq!(world.now_ms(), NOW_MS);
}
