//! Requests of the query API: any JSON is a query within the limits, or is refused; what a caller wrote is in no statement, only in its parameters.
#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use weir_reader::definitions::Definitions;

// The modules are pure; the crate around them would bring the database.
#[allow(dead_code, unused_imports, reason = "only their parsers and statements are called here")]
#[path = "../../../query-api/src/query/mod.rs"]
mod query;

#[allow(dead_code, unused_imports, reason = "only statements of queries are made here")]
#[path = "../../../query-api/src/plan/mod.rs"]
mod plan;

#[allow(dead_code, reason = "statements of the ledger need its type")]
#[path = "../../../query-api/src/ledger/period.rs"]
mod period;

mod ledger {
    pub(crate) use crate::period::Period;
}

#[path = "shared/json.rs"]
mod json;

use query::calendar::Calendar;
use query::{Dimension, Filter, Query, Range};

/// 2026-11-22T04:00:00Z.
const NOW_MS: i64 = 1_795_320_000_000;
/// Stands in every text of a caller; in no text of ours.
const MARK: &str = "zq'\"$1;--";
/// Longest range whose statement is made: the clock of longer ones only takes longer.
const PLANNED_MS_MAX: i64 = 40 * 86_400_000;

fn definitions() -> &'static Definitions {
    static DEFINITIONS: OnceLock<Definitions> = OnceLock::new();
    DEFINITIONS.get_or_init(|| serde_json::from_str(include_str!("query/definitions.json")).expect("definitions are JSON"))
}

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| { json::mutate(data, size, max_size, seed) });

fuzz_target!(|data: &[u8]| {
    let Ok(body) = serde_json::from_slice::<serde_json::Value>(data) else { return };
    let _site = query::site_id(&body);
    let _segment = query::check_segment(&body, definitions());
    let key = if data.len() % 2 == 0 { "k1" } else { "k2" };
    let parsed = query::parse(&body, definitions(), key);
    if !json::has_fraction(&body) {
        let again = serde_json::from_str(&body.to_string()).expect("JSON is read back");
        assert_eq!(query::parse(&again, definitions(), key), parsed);
    }
    match parsed {
        Ok(parsed) => check(parsed),
        Err(refusal) => assert!(!refusal.to_string().is_empty()),
    }
});

fn check(mut parsed: Query) {
    assert!((1..=query::RESULTS_MAX).contains(&parsed.limit) && parsed.dimensions.len() <= query::DIMENSIONS_MAX);
    assert!(!parsed.metrics.is_empty() && !parsed.order_by.is_empty());
    let (mut deepest, mut leaves, mut clauses) = (0, 0, 0);
    parsed.each_filter(&mut |filter, depth, done| {
        deepest = deepest.max(depth);
        assert!(done <= 1);
        if let Filter::Leaf(leaf) = filter {
            leaves += 1;
            clauses += leaf.clauses.len();
        }
    });
    assert!(deepest <= query::filter::DEPTH_MAX && leaves <= query::filter::LEAVES_MAX && clauses <= query::filter::CLAUSES_MAX);
    assert!(parsed.patterns().iter().all(|pattern| pattern.len() <= query::filter::PATTERN_BYTES_MAX));
    let zone = if parsed.limit % 2 == 0 { chrono_tz::UTC } else { chrono_tz::America::St_Johns };
    let first_event_ms = (parsed.offset % 2 == 0).then_some(NOW_MS - 5 * 86_400_000);
    let range = parsed.range(zone, NOW_MS, first_event_ms);
    assert!(range.start_ms <= range.end_ms, "{range:?}");
    let compared = parsed.compared_range(range, zone, NOW_MS);
    assert!(compared.is_none_or(|compared| compared.start_ms <= compared.end_ms), "{compared:?}");

    parsed.filters.iter_mut().for_each(mark);
    for dimension in &mut parsed.dimensions {
        if let Dimension::Prop(name) = dimension {
            name.insert_str(0, MARK);
        }
    }
    let range = Range { end_ms: range.end_ms.min(range.start_ms.saturating_add(PLANNED_MS_MAX)), ..range };
    let calendar = Calendar::new(zone, range.start_ms, range.end_ms);
    let time_unit = parsed.time_dimension().and_then(|(_, unit)| unit).unwrap_or(query::TimeUnit::Hour);
    let part = plan::Source::Part { schema: "p1".to_owned() };
    let tail = plan::Source::Tail { table: "t1".to_owned(), after_seq: 3, through_seq: 9 }.hiding("site_id = 7");
    let sources = plan::Sources { rows: vec![part.clone(), tail.clone()], fragments: vec![part, tail], cover: None };
    let scope = plan::Scope { query: &parsed, site_id: 7, range, calendar: &calendar, time_unit };
    for statement in [plan::results(&scope, &sources), plan::compared(&scope, &sources, &[vec![MARK.to_owned()]])] {
        assert!(!statement.sql.contains("zq'"), "{}", statement.sql);
        assert_eq!(statement.sql.matches('\'').count() % 2, 0);
        // Every parameter is used, and every placeholder has one.
        let count = statement.parameters.len();
        assert!((1..=count).all(|number| statement.sql.contains(&format!("${number} "))), "{}", statement.sql);
        assert!(!statement.sql.contains(&format!("${} ", count + 1)));
    }
}

/// Puts the mark into every text of a filter that a caller wrote.
fn mark(filter: &mut Filter) {
    match filter {
        Filter::And(children) | Filter::Or(children) => children.iter_mut().for_each(mark),
        Filter::Not(child) | Filter::Done(child) => mark(child),
        Filter::Goals(_) => {}
        Filter::Leaf(leaf) => {
            leaf.clauses.iter_mut().for_each(|clause| clause.insert_str(0, MARK));
            if let Dimension::Prop(name) = &mut leaf.dimension {
                name.insert_str(0, MARK);
            }
        }
    }
}
