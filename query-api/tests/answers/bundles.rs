//! Bundles: the same answers from fewer files, and none that a manifest does not allow.

use crate::fixture::{Fixture, Layout, NOW_MS, Visit};
use crate::sealed::manifest;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use weir_query_api::bundling::Bundling;
use weir_query_api::tail::PartitionView;
use weir_reader::store::Store;
use weir_rollup::row::{EventRow, Opening};

const DAY_MS: i64 = 24 * 3_600_000;

/// Visits that go through several parts, so that fragments must be merged, and a live end.
fn layout() -> Layout {
    let row = |seq: u64, visit: u64, at_ms: i64, name: &str| -> EventRow {
        let opening = Opening { visitor_id: visit, source: format!("source {}", visit % 3), ..Opening::default() };
        Visit::new(visit, opening).event(seq, at_ms, name, &format!("/{}", seq % 4), &[])
    };
    let rows_of = |part: u64| -> Vec<EventRow> {
        let at = |index: u64| NOW_MS as i64 - 9 * DAY_MS + (part * 20 + index) as i64 * 1_500_000;
        (0..20)
            .map(|index| {
                row(part * 20 + index + 1, index / 2 + part * 9, at(index), if index % 3 == 0 { "signup" } else { "pageview" })
            })
            .collect()
    };
    Layout { parts: (0..5).map(rows_of).collect(), tables: vec![rows_of(5)], sealed_seq: 100, folded_seq: 120 }
}

fn questions() -> Vec<Value> {
    let last = json!("28d");
    vec![
        json!({"metrics": ["visitors", "visits", "pageviews", "bounce_rate", "visit_duration", "views_per_visit"], "date_range": "all"}),
        json!({"metrics": ["visitors", "pageviews"], "dimensions": ["time:day"], "date_range": last}),
        json!({"metrics": ["visitors", "events"], "dimensions": ["event:page"], "date_range": last}),
        json!({"metrics": ["visits"], "dimensions": ["visit:exit_page"], "date_range": last}),
        json!({"metrics": ["visitors"], "dimensions": ["visit:source"], "date_range": ["2026-11-13", "2026-11-13"]}),
        json!({"metrics": ["events"], "date_range": ["2026-11-12T22:00:00Z", "2026-11-13T06:30:00Z"]}),
    ]
}

fn bundling(fixture: &Fixture) -> Bundling {
    Bundling {
        engine: Arc::clone(&fixture.engine),
        store: Store::local(&fixture.folder().join("files")).unwrap(),
        folder: fixture.folder().join("bundles"),
        views: BTreeMap::from([(0, fixture.partition.subscribe())]),
    }
}

async fn answers(fixture: &Fixture) -> Vec<Vec<String>> {
    let mut answers = Vec::new();
    for question in questions() {
        answers.push(fixture.results(question).await);
    }
    answers
}

/// Serves another choice of the parts.
fn list(fixture: &Fixture, choose: impl Fn(&str) -> bool) {
    fixture.partition.send_modify(|view| {
        let old = view.manifest.clone().unwrap();
        let parts = old.parts.iter().filter(|part| choose(&part.name)).cloned().collect();
        let next = manifest(parts, old.sealed_seq, old.revision + 1);
        *view = Arc::new(PartitionView { manifest: Some(Arc::new(next)), ..PartitionView::clone(view) });
    });
}

#[tokio::test]
async fn a_bundle_answers_as_its_parts_do() {
    let (single, bundled) = (Fixture::new(&layout()), Fixture::new(&layout()));
    let expected = answers(&single).await;
    assert!(expected.iter().all(|rows| !rows.is_empty()), "{expected:?}");
    let bundling = bundling(&bundled);
    bundling.keep(&CancellationToken::new()).unwrap();
    assert_eq!(bundled.engine.bundles().len(), 1);
    assert_eq!(answers(&bundled).await, expected);
    assert_eq!(bundled.engine.attached_parts(), 1, "no part is read by itself");
}

#[tokio::test]
async fn a_part_that_is_no_longer_listed_is_not_counted_though_a_bundle_has_it() {
    let (single, bundled) = (Fixture::new(&layout()), Fixture::new(&layout()));
    let bundling = bundling(&bundled);
    bundling.keep(&CancellationToken::new()).unwrap();
    let before = answers(&bundled).await;
    for fixture in [&single, &bundled] {
        list(fixture, |name| !name.ends_with("/2.duckdb"));
    }
    let expected = answers(&single).await;
    assert_ne!(before, expected);
    assert_eq!(answers(&bundled).await, expected, "with the bundle of before");
    let old = bundled.engine.bundles();
    bundling.keep(&CancellationToken::new()).unwrap();
    assert_eq!(answers(&bundled).await, expected, "with the next one");
    assert_eq!(bundled.engine.bundles().len(), 1);
    assert!(old.iter().all(|bundle| !bundle.file().exists()));
    list(&bundled, |name| name.ends_with("/1.duckdb"));
    bundling.keep(&CancellationToken::new()).unwrap();
    assert!(bundled.engine.bundles().is_empty(), "one part needs no bundle");
    let pageviews = json!({"metrics": ["events"], "date_range": "all"});
    assert_eq!(bundled.results(pageviews).await, ["40"]);
}

#[tokio::test]
async fn a_bundle_of_an_earlier_run_is_used_again_and_a_half_one_is_not() {
    let first = Fixture::new(&layout());
    let bundling = bundling(&first);
    bundling.keep(&CancellationToken::new()).unwrap();
    let file = first.engine.bundles()[0].file().to_owned();
    let written = std::fs::metadata(&file).unwrap().modified().unwrap();
    std::fs::write(file.with_extension("half"), "nothing").unwrap();
    let second = Bundling { engine: Fixture::new(&layout()).engine.clone(), ..bundling };
    second.keep(&CancellationToken::new()).unwrap();
    assert_eq!(second.engine.bundles().len(), 1);
    assert_eq!(std::fs::metadata(&file).unwrap().modified().unwrap(), written);
    assert!(!file.with_extension("half").exists());
}
