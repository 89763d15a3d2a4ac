//! The same rows give the same answers, wherever parts and the live end divide them, and those a plain loop over the rows gives.

use crate::fixture::{Fixture, Layout, NOW_MS, Visit};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use weir_rollup::row::{EventRow, Opening};

const HOUR_MS: i64 = 3_600_000;
/// Midnight of 20 November 2026.
const MIDNIGHT_MS: i64 = NOW_MS as i64 / (24 * HOUR_MS) * 24 * HOUR_MS - 24 * HOUR_MS;

/// Visits around a midnight: their openings, and events with time after the first, name and page.
#[derive(Clone, Debug)]
pub(crate) struct Story {
    visitor: u64,
    source: &'static str,
    bot: bool,
    begins_ms: i64,
    events: Vec<(i64, &'static str, &'static str)>,
}

pub(crate) fn story() -> impl Strategy<Value = Story> {
    let event = (
        0_i64..29 * 60_000,
        prop::sample::select(vec!["pageview", "pageview", "Signup", "engagement"]),
        prop::sample::select(vec!["/", "/a", "/b"]),
    );
    let source = prop::sample::select(vec!["", "Google", "Bing"]);
    (1_u64..6, source, prop::bool::weighted(0.1), -30 * HOUR_MS..30 * HOUR_MS, prop::collection::vec(event, 1..6)).prop_map(
        |(visitor, source, bot, begins_ms, mut events)| {
            // Engagement never opens a visit.
            if let Some(first) = events.first_mut() {
                first.1 = "pageview";
            }
            Story { visitor, source, bot, begins_ms, events }
        },
    )
}

pub(crate) fn rows(stories: &[Story], order: &[usize]) -> Vec<EventRow> {
    let mut rows = Vec::new();
    for (index, story) in stories.iter().enumerate() {
        let opening = Opening {
            visitor_id: story.visitor,
            bot: if story.bot { 3 } else { 0 },
            source: story.source.to_owned(),
            ..Opening::default()
        };
        let visit = Visit::new(index as u64 + 1, opening);
        let mut now_ms = MIDNIGHT_MS + story.begins_ms;
        for (gap_ms, name, page) in &story.events {
            rows.push(visit.event(0, now_ms, name, page, &[]));
            now_ms += gap_ms;
        }
    }
    // Arrival order is not event order.
    for (index, row) in rows.iter_mut().enumerate() {
        row.position.seq = 1 + (order.get(index % order.len()).copied().unwrap_or(0) * 97 + index) as u64;
    }
    rows.sort_by_key(|row| row.position.seq);
    for (seq, row) in rows.iter_mut().enumerate() {
        row.position.seq = seq as u64 + 1;
    }
    rows
}

/// Divides rows: the last `tail` of them into tables, the others among parts by the picks. Rows past what is folded, and rows of the
/// parts that are still in a table, are there too and must not count.
pub(crate) fn divide(rows: &[EventRow], picks: &[usize], tail: usize) -> Layout {
    let sealed = rows.len().saturating_sub(tail);
    let mut parts = vec![Vec::new(); 4];
    for (index, row) in rows.iter().take(sealed).enumerate() {
        parts[picks[index % picks.len()] % 4].push(row.clone());
    }
    let mut later = rows.last().unwrap().clone();
    later.position.seq = rows.len() as u64 + 1;
    later.visit_id = 999;
    let stale = rows.iter().take(sealed).rev().take(2).cloned();
    let mut tables = vec![stale.collect::<Vec<_>>(), vec![later]];
    for (index, row) in rows.iter().enumerate().skip(sealed) {
        tables[index % 2].push(row.clone());
    }
    Layout { parts, tables, sealed_seq: sealed as u64, folded_seq: rows.len() as u64 }
}

pub(crate) fn queries() -> Vec<Value> {
    let visits = json!(["visitors", "visits", "pageviews", "bounce_rate", "visit_duration", "events"]);
    let day = json!(["2026-11-20", "2026-11-20"]);
    let hours = json!(["2026-11-19T22:10:00Z", "2026-11-20T03:59:59Z"]);
    vec![
        json!({"metrics": ["visitors", "visits", "pageviews", "views_per_visit", "bounce_rate", "visit_duration", "events"], "date_range": day}),
        json!({"metrics": visits, "date_range": hours}),
        json!({"metrics": visits, "date_range": "7d", "dimensions": ["time:day"]}),
        json!({"metrics": visits, "date_range": hours, "dimensions": ["time:hour"]}),
        json!({"metrics": visits, "date_range": day, "dimensions": ["visit:source"], "include": {"total_rows": true}}),
        json!({"metrics": visits, "date_range": day, "dimensions": ["event:page"]}),
        json!({"metrics": ["visitors", "visits", "bounce_rate"], "date_range": day, "dimensions": ["visit:entry_page", "visit:exit_page"]}),
        json!({"metrics": visits, "date_range": day, "filters": [["is", "event:page", ["/a"]]]}),
        json!({"metrics": visits, "date_range": day, "filters": [["is", "visit:exit_page", ["/b"]], ["is_not", "visit:source", ["Bing"]]]}),
        json!({"metrics": ["visitors", "events", "percentage"], "date_range": "all", "dimensions": ["event:name", "time"]}),
    ]
}

/// Visitors, visits, pageviews, bounce rate, visit duration, events of `[start, end)`, by the definitions.
fn by_hand(rows: &[&EventRow], start_ms: i64, end_ms: i64) -> String {
    let live = || rows.iter().filter(|row| row.opening.bot == 0 && row.name != "engagement");
    let mut visits: BTreeMap<u64, Vec<&EventRow>> = BTreeMap::new();
    live().for_each(|row| visits.entry(row.visit_id).or_default().push(row));
    let span =
        |rows: &[&EventRow]| (rows.iter().map(|r| r.event_ms).min().unwrap(), rows.iter().map(|r| r.event_ms).max().unwrap());
    visits.retain(|_, rows| {
        let (first, last) = span(rows);
        first < end_ms && last >= start_ms
    });
    let inside: Vec<_> = live().filter(|row| (start_ms..end_ms).contains(&row.event_ms)).collect();
    let count = visits.len() as f64;
    let bounces = visits.values().filter(|rows| rows.len() < 2).count() as f64;
    let duration_ms: i64 = visits.values().map(|rows| span(rows).1 - span(rows).0).sum();
    let rate = |value: f64| if count > 0.0 { (value / count).round() } else { 0.0 };
    format!(
        "{} | {} | {} | {} | {} | {}",
        visits.values().map(|rows| rows[0].opening.visitor_id).collect::<BTreeSet<_>>().len(),
        visits.len(),
        inside.iter().filter(|row| row.name == "pageview").count(),
        rate(100.0 * bounces),
        rate(duration_ms as f64 / 1_000.0),
        inside.len(),
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, max_shrink_iters: 60, ..ProptestConfig::default() })]

    #[test]
    fn layout_changes_no_answer(
        stories in prop::collection::vec(story(), 1..12),
        order in prop::collection::vec(0_usize..50, 1..20),
        picks in prop::collection::vec(0_usize..4, 1..20),
        tail in 0_usize..40,
    ) {
        let rows = rows(&stories, &order);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let whole = Fixture::new(&Layout::sealed(&rows));
            let divided = Fixture::new(&divide(&rows, &picks, tail));
            for query in queries() {
                let expected = whole.answer(query.clone()).await;
                prop_assert_eq!(&divided.answer(query.clone()).await, &expected, "{}", query);
            }
            // A bucket is what a query of its hours says, and what a loop over the rows says.
            let metrics = json!(["visitors", "visits", "pageviews", "bounce_rate", "visit_duration", "events"]);
            let days = divided.results(json!({"metrics": metrics, "date_range": ["2026-11-18", "2026-11-21"], "dimensions": ["time:day"]})).await;
            let all: Vec<&EventRow> = rows.iter().collect();
            let mut expected = Vec::new();
            for (index, day) in ["2026-11-18", "2026-11-19", "2026-11-20", "2026-11-21"].iter().enumerate() {
                let start_ms = MIDNIGHT_MS + (index as i64 - 2) * 24 * HOUR_MS;
                let figures = by_hand(&all, start_ms, start_ms + 24 * HOUR_MS);
                let alone = divided.results(json!({"metrics": metrics, "date_range": [day, day]})).await;
                prop_assert_eq!(&alone, std::slice::from_ref(&figures));
                if !figures.starts_with("0 ") {
                    expected.push(format!("{day} -> {figures}"));
                }
            }
            prop_assert_eq!(days, expected);
            let by_source = divided.results(json!({"metrics": metrics, "date_range": ["2026-11-20", "2026-11-20"], "dimensions": ["visit:source"]})).await;
            for (source, label) in [("", "Direct / None"), ("Google", "Google"), ("Bing", "Bing")] {
                let some: Vec<&EventRow> = rows.iter().filter(|row| row.opening.source == source).collect();
                let figures = by_hand(&some, MIDNIGHT_MS, MIDNIGHT_MS + 24 * HOUR_MS);
                let found = by_source.iter().find_map(|line| line.strip_prefix(&format!("{label} -> ")));
                prop_assert_eq!(found.unwrap_or("0 | 0 | 0 | 0 | 0 | 0"), figures);
            }
            Ok(())
        })?;
    }
}
