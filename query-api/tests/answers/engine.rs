//! Limits of the engine: time, turns, attached parts.

use crate::fixture::{Fixture, Layout, NOW_MS, Visit};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use weir_query_api::engine::{Cell, Engine, EngineConfig, EngineError};
use weir_query_api::plan::Statement;
use weir_rollup::row::Opening;

const PATIENCE: Duration = Duration::from_secs(20);

fn engine(folder: &tempfile::TempDir, timeout_ms: u64) -> Arc<Engine> {
    Engine::open(EngineConfig {
        temp_dir: folder.path().join("temp"),
        memory_bytes_max: 200_000_000,
        threads: 1,
        running_max: 1,
        waiting_max: 1,
        timeout: Duration::from_millis(timeout_ms),
        parts_max: 1,
    })
    .unwrap()
}

fn statement(sql: &str) -> Statement {
    Statement { sql: sql.to_owned(), parameters: Vec::new() }
}

/// Takes hours.
const SLOW: &str = "SELECT count(*) FROM range(1000000000) AS a(i), range(1000000) AS b(j) WHERE a.i * b.j % 7 = 3";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_statement_is_interrupted_and_the_next_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(&folder, 200);
    for _ in 0..3 {
        let began = Instant::now();
        let result = engine.run(|session| session.query(&statement(SLOW))).await;
        assert!(matches!(result, Err(EngineError::Timeout { .. })), "{result:?}");
        assert!(began.elapsed() < PATIENCE);
        let rows = engine.run(|session| session.query(&statement("SELECT 7::BIGINT"))).await.unwrap();
        assert_eq!(rows, [[Cell::Integer(7)]]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_who_left_frees_his_turn() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(&folder, 60_000);
    let (started, mut has_started) = tokio::sync::mpsc::channel(1);
    let task = tokio::spawn({
        let engine = Arc::clone(&engine);
        async move {
            engine
                .run(move |session| {
                    started.blocking_send(()).unwrap();
                    session.query(&statement(SLOW))
                })
                .await
        }
    });
    has_started.recv().await.unwrap();
    task.abort();
    let next = engine.run(|session| session.query(&statement("SELECT 7::BIGINT")));
    assert!(tokio::time::timeout(PATIENCE, next).await.unwrap().is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn those_who_wait_are_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(&folder, 60_000);
    let (started, mut has_started) = tokio::sync::mpsc::channel(2);
    let slow = |engine: &Arc<Engine>| {
        let (engine, started) = (Arc::clone(engine), started.clone());
        tokio::spawn(async move {
            engine
                .run(move |session| {
                    started.blocking_send(()).unwrap();
                    session.query(&statement(SLOW))
                })
                .await
        })
    };
    let running = slow(&engine);
    has_started.recv().await.unwrap();
    let waiting = slow(&engine);
    let began = Instant::now();
    while engine.waiting() < 1 {
        assert!(began.elapsed() < PATIENCE);
        tokio::task::yield_now().await;
    }
    let refused = engine.run(|session| session.query(&statement("SELECT 7::BIGINT"))).await;
    assert!(matches!(refused, Err(EngineError::Busy { .. })), "{refused:?}");
    waiting.abort();
    assert!(waiting.await.unwrap_err().is_cancelled());
    running.abort();
    let next = engine.run(|session| session.query(&statement("SELECT 7::BIGINT")));
    assert!(tokio::time::timeout(PATIENCE, next).await.unwrap().is_ok());
    assert_eq!(engine.waiting(), 0);
}

#[tokio::test]
async fn parts_nobody_uses_are_detached_past_the_limit() {
    let day_ms = 24 * 3_600_000;
    let row = |index: u64| {
        let visit = Visit::new(index, Opening { visitor_id: index, ..Opening::default() });
        visit.event(index, NOW_MS as i64 - 10 * day_ms * index as i64, "pageview", "/", &[])
    };
    let parts = (1..=9).map(|index| vec![row(index)]).collect();
    // The fixture keeps four parts.
    let fixture = Fixture::new(&Layout { parts, tables: Vec::new(), sealed_seq: 9, folded_seq: 9 });
    let visits = json!({"metrics": ["visits"], "date_range": "100d"});
    for _ in 0..3 {
        assert_eq!(fixture.results(visits.clone()).await, ["9"]);
    }
    assert!(fixture.engine.attached_parts() <= 9);
    // One part is enough here, and the others must go.
    assert_eq!(fixture.results(json!({"metrics": ["visits"], "date_range": ["2026-11-11", "2026-11-11"]})).await, ["1"]);
    assert_eq!(fixture.engine.attached_parts(), 4);
    assert_eq!(fixture.results(visits).await, ["9"]);
}

#[tokio::test]
async fn a_table_goes_with_its_last_holder() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(&folder, 10_000);
    let tables = |engine: &Arc<Engine>| {
        let engine = Arc::clone(engine);
        async move {
            let sql = statement("SELECT count(*) FROM duckdb_tables() WHERE schema_name = 'tail'");
            engine.run(move |session| session.query(&sql)).await.unwrap()
        }
    };
    let table = Arc::new(engine.create_table().unwrap());
    let held = Arc::clone(&table);
    drop(table);
    assert_eq!(tables(&engine).await, [[Cell::Integer(1)]]);
    drop(held);
    assert_eq!(tables(&engine).await, [[Cell::Integer(0)]]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_stands_still_while_rows_are_appended() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(&folder, 20_000);
    let row = |seq: u64| {
        let visit = Visit::new(seq.wrapping_mul(0x9e37_79b9_7f4a_7c15), Opening::default());
        visit.event(seq, NOW_MS as i64, "pageview", "/", &[])
    };
    for _ in 0..20 {
        let table = Arc::new(engine.create_table().unwrap());
        let appended = Arc::new(AtomicU64::new(0));
        let appending = tokio::task::spawn_blocking({
            let (table, appended) = (Arc::clone(&table), Arc::clone(&appended));
            move || {
                for seq in 1..=60 {
                    table.append(&[row(seq)]).unwrap();
                    appended.store(seq, Ordering::Release);
                }
            }
        });
        loop {
            let last = appended.load(Ordering::Acquire);
            let sql = format!(
                "SELECT count(*) FROM (SELECT visit_id, count(*) FROM {} WHERE seq <= {last} GROUP BY visit_id)",
                table.name()
            );
            let rows = engine.run(move |session| session.query(&statement(&sql))).await.unwrap();
            assert_eq!(rows, [[Cell::Integer(last as i64)]]);
            if last == 60 || appending.is_finished() {
                break;
            }
        }
        appending.await.unwrap();
    }
}
