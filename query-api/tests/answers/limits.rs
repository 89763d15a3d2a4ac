//! What one key and one tenant may take, at the routes and at the engine: nobody's load takes another's turn.

use crate::fixture::{ADMIN_KEY, Fixture, KEY, Layout, NOW_MS, Visit, get, post};
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tower::ServiceExt;
use weir_query_api::engine::{Engine, EngineConfig, EngineError};
use weir_query_api::limits::{LimitSettings, Tenant};
use weir_query_api::plan::Statement;
use weir_rollup::row::Opening;

const OTHER_KEY: &str = "weir_two";

fn fixture(limits: LimitSettings) -> Fixture {
    let visit = |id: u64, site: u32| Visit::new(id, Opening { visitor_id: id, ..Opening::default() }).of_site(site);
    let rows =
        [1, 2].map(|site| visit(u64::from(site), site).event(u64::from(site), NOW_MS as i64 - 1_000, "pageview", "/", &[]));
    Fixture::limited(&Layout::sealed(&rows), limits)
}

fn query(key: &str, site: &str, metric: &str) -> Request<Body> {
    post(key, &json!({"site_id": site, "metrics": [metric], "date_range": "day"}).to_string())
}

/// Status, seconds to wait, text.
async fn refusal(fixture: &Fixture, request: Request<Body>) -> (u16, u64, String) {
    let response = fixture.router.clone().oneshot(request).await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let body = http_body_util::BodyExt::collect(response.into_body()).await.unwrap().to_bytes();
    let after = headers.get(header::RETRY_AFTER).map_or(0, |value| value.to_str().unwrap().parse().unwrap());
    let body: Value = serde_json::from_slice(&body).unwrap();
    (status, after, body["error"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn a_key_makes_so_many_requests_an_hour() {
    let fixture = fixture(LimitSettings { requests_per_hour: 3, engine_seconds_per_hour: 0 });
    for _ in 0..2 {
        assert_eq!(fixture.send(query(KEY, "a.example", "visitors")).await.0, StatusCode::OK);
    }
    // Whatever it asks for, and whatever comes of it.
    assert_eq!(fixture.send(query(KEY, "b.example", "visitors")).await.0, StatusCode::UNAUTHORIZED);
    let text =
        "Too many API requests. Your API key is limited to 3 requests per hour. Please contact us to request more capacity.";
    for request in [
        query(KEY, "a.example", "visitors"),
        get("/api/sites", Some(KEY)),
        get("/api/v1/stats/realtime/visitors?site_id=a.example", Some(KEY)),
        get("/api/ledger?site_id=a.example", Some(KEY)),
    ] {
        let (status, after, found) = refusal(&fixture, request).await;
        assert_eq!((status, found.as_str()), (429, text));
        assert!((1..=1_200).contains(&after), "one is free every twenty minutes: {after}");
    }
    // Other keys are not touched, and admins are exempt.
    assert_eq!(fixture.send(query(OTHER_KEY, "b.example", "visitors")).await.0, StatusCode::OK);
    for _ in 0..10 {
        assert_eq!(fixture.send(query(ADMIN_KEY, "a.example", "visitors")).await.0, StatusCode::OK);
    }
    let (_, metrics) = fixture.send(get("/metrics", None)).await;
    for line in ["query_refused_total{limit=\"rate\"} 4", "query_requests_total{status=\"429\"} 4"] {
        assert!(metrics.lines().any(|found| found == line), "{line} in\n{metrics}");
    }
}

#[tokio::test]
async fn a_tenant_uses_so_much_engine_time_an_hour() {
    let fixture = fixture(LimitSettings { requests_per_hour: 0, engine_seconds_per_hour: 10 });
    // A tenth of an hour's worth may be used at once.
    let ask = |key, site, metric| fixture.send(query(key, site, metric));
    assert_eq!(ask(KEY, "a.example", "visitors").await.0, StatusCode::OK);
    fixture.service.limits.charge(&Tenant::Site(1), Duration::from_secs(2));
    let (status, after, text) = refusal(&fixture, query(KEY, "a.example", "visits")).await;
    assert_eq!(status, 429);
    assert_eq!(
        text,
        "Too many expensive queries. Your account is limited to 10 seconds of query time per hour. \
         Please ask for shorter date ranges or fewer dimensions, or contact us to request more capacity."
    );
    assert!(after >= 300, "a second is given back in six minutes: {after}");
    assert_eq!(ask(KEY, "a.example", "visitors").await.0, StatusCode::OK, "what is in the cache costs nothing");
    assert_eq!(ask(OTHER_KEY, "b.example", "visits").await.0, StatusCode::OK);
    assert_eq!(ask(ADMIN_KEY, "a.example", "visits").await.0, StatusCode::OK, "an admin pays for himself");
    assert_eq!(ask(KEY, "a.example", "visits").await.0, StatusCode::OK, "now it is in the cache");
}

fn engine(folder: &tempfile::TempDir, running_max: usize, waiting_max: usize) -> Arc<Engine> {
    Engine::open(EngineConfig {
        temp_dir: folder.path().join("temp"),
        memory_bytes_max: 200_000_000,
        threads: 1,
        running_max,
        waiting_max,
        timeout: Duration::from_mins(1),
        parts_max: 1,
    })
    .unwrap()
}

/// Work that tells when its turn comes, and lasts until it is let go.
struct Work {
    began: mpsc::UnboundedSender<(Tenant, std::sync::mpsc::Sender<()>)>,
}

impl Work {
    fn start(&self, engine: &Arc<Engine>, tenant: &Tenant) -> tokio::task::JoinHandle<Result<(), EngineError>> {
        let (engine, tenant, began) = (Arc::clone(engine), tenant.clone(), self.began.clone());
        tokio::spawn(async move {
            let name = tenant.clone();
            let work = move |_: &weir_query_api::engine::Session<'_>| {
                let (go, wait) = std::sync::mpsc::channel();
                began.send((name, go)).unwrap();
                // Let go, or given up.
                let _ended = wait.recv();
                Ok(())
            };
            engine.run_for(&tenant, work).await
        })
    }
}

/// Lets everything happen that can.
async fn settle(engine: &Engine, waiting: usize) {
    while engine.waiting() != waiting {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_queued_queries_do_not_take_anothers_turn() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(&folder, 3, 1_000);
    let (began, mut turns) = mpsc::unbounded_channel();
    let work = Work { began };
    let (crowd, other, third) = (Tenant::Account("crowd".into()), Tenant::Site(2), Tenant::Site(3));
    let mut tasks: Vec<_> = (0..100).map(|_| work.start(&engine, &crowd)).collect();
    settle(&engine, 98).await;
    let mut running = Vec::new();
    for _ in 0..2 {
        running.push(turns.recv().await.unwrap());
    }
    assert_eq!(engine.running(), 2, "all turns but one are the most of one tenant");
    // Another one comes: it runs at once, before all who wait.
    tasks.push(work.start(&engine, &other));
    let (tenant, other_turn) = turns.recv().await.unwrap();
    assert_eq!(tenant, other);
    // With every turn taken the next free one is not the crowd's either, but of him who has had none.
    tasks.push(work.start(&engine, &third));
    settle(&engine, 99).await;
    running.pop().unwrap().1.send(()).unwrap();
    let (tenant, third_turn) = turns.recv().await.unwrap();
    assert_eq!(tenant, third);
    // They go, and the crowd has what it may have and no more, one after the other until all are through.
    for turn in [other_turn, third_turn] {
        turn.send(()).unwrap();
    }
    let mut of_crowd = 2;
    running.push(turns.recv().await.unwrap());
    while let Some((tenant, turn)) = running.pop() {
        assert_eq!(tenant, crowd);
        assert!(engine.running() <= 3);
        turn.send(()).unwrap();
        if of_crowd < 100 - 1 {
            running.push(turns.recv().await.unwrap());
            of_crowd += 1;
        }
    }
    drop(work);
    while let Some((tenant, turn)) = turns.recv().await {
        assert_eq!(tenant, crowd);
        turn.send(()).unwrap();
    }
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    assert_eq!((engine.running(), engine.waiting(), engine.tenants()), (0, 0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_queue_has_place_for_whoever_waits_least() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(&folder, 1, 3);
    let (began, mut turns) = mpsc::unbounded_channel();
    let work = Work { began };
    let (crowd, other) = (Tenant::Site(1), Tenant::Site(2));
    let first = work.start(&engine, &crowd);
    let (_, first_turn) = turns.recv().await.unwrap();
    let waiting: Vec<_> = (0..3).map(|_| work.start(&engine, &crowd)).collect();
    settle(&engine, 3).await;
    assert!(matches!(work.start(&engine, &crowd).await.unwrap(), Err(EngineError::Busy { .. })), "its own line is full");
    let others = work.start(&engine, &other);
    // The last of the crowd loses its place.
    while !waiting.iter().any(tokio::task::JoinHandle::is_finished) {
        tokio::task::yield_now().await;
    }
    assert_eq!(engine.waiting(), 3);
    first_turn.send(()).unwrap();
    first.await.unwrap().unwrap();
    let (tenant, turn) = turns.recv().await.unwrap();
    assert_eq!(tenant, other);
    turn.send(()).unwrap();
    others.await.unwrap().unwrap();
    let mut displaced = 0;
    drop(work);
    let serve = tokio::spawn(async move {
        while let Some((_, turn)) = turns.recv().await {
            turn.send(()).unwrap();
        }
    });
    for task in waiting {
        displaced += usize::from(matches!(task.await.unwrap(), Err(EngineError::Busy { .. })));
    }
    serve.await.unwrap();
    assert_eq!(displaced, 1);
    assert_eq!((engine.running(), engine.waiting()), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_goes_away_frees_place_and_turn() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(&folder, 1, 100);
    let (began, mut turns) = mpsc::unbounded_channel();
    let work = Work { began };
    for round in 0..50 {
        let first = work.start(&engine, &Tenant::Site(1));
        let (_, turn) = turns.recv().await.unwrap();
        let waiting: Vec<_> = (0..4).map(|site| work.start(&engine, &Tenant::Site(site))).collect();
        settle(&engine, 4).await;
        // The turn ends at the moment at which they go.
        if round % 2 == 0 {
            turn.send(()).unwrap();
        }
        waiting.iter().for_each(tokio::task::JoinHandle::abort);
        drop(turn);
        first.await.unwrap().unwrap();
        for task in waiting {
            let _aborted = task.await;
        }
        // Who had his turn already is told that nobody waits for him.
        while engine.running() > 0 || engine.waiting() > 0 {
            while let Ok((_, turn)) = turns.try_recv() {
                drop(turn);
            }
            tokio::task::yield_now().await;
        }
        while turns.try_recv().is_ok() {}
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_interrupts_what_runs_and_refuses_what_waits() {
    /// Takes hours.
    const SLOW: &str = "SELECT count(*) FROM range(1000000000) AS a(i), range(1000000) AS b(j) WHERE a.i * b.j % 7 = 3";
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(&folder, 1, 10);
    let (started, has_started) = oneshot::channel();
    let slow = tokio::spawn({
        let engine = Arc::clone(&engine);
        async move {
            let work = move |session: &weir_query_api::engine::Session<'_>| {
                started.send(()).unwrap();
                session.query(&Statement { sql: SLOW.to_owned(), parameters: Vec::new() })
            };
            engine.run_for(&Tenant::Site(1), work).await
        }
    });
    has_started.await.unwrap();
    let waiting = tokio::spawn({
        let engine = Arc::clone(&engine);
        async move { engine.run_for(&Tenant::Site(2), |_| Ok(())).await }
    });
    settle(&engine, 1).await;
    engine.end().await;
    assert!(slow.await.unwrap().is_err());
    assert!(matches!(waiting.await.unwrap(), Err(EngineError::Ending)));
    assert!(matches!(engine.run(|_| Ok(())).await, Err(EngineError::Ending)), "nothing begins any more");
    assert_eq!((engine.running(), engine.waiting()), (0, 0));
}

#[tokio::test]
async fn health_tells_of_life_and_of_readiness() {
    let fixture = fixture(LimitSettings::default());
    let health = async |path: &str| {
        let (status, text) = fixture.send(get(path, None)).await;
        (status.as_u16(), text)
    };
    let good = (200, r#"{"status":"ok"}"#.to_owned());
    for path in ["/api/health", "/api/health/live", "/api/health/ready"] {
        assert_eq!(health(path).await, good, "{path}");
    }
    fixture.service.stopping.cancel();
    assert_eq!(health("/api/health/live").await, good, "it is not to be killed");
    for path in ["/api/health", "/api/health/ready"] {
        let (status, text) = health(path).await;
        assert_eq!((status, text.contains("the service is about to end")), (503, true), "{path}");
    }
    assert_eq!(fixture.send(query(KEY, "a.example", "visitors")).await.0, StatusCode::OK, "what comes is answered still");
}
