//! Requests for several queries, and those of v1: each query of a batch is read by itself, and what v1 becomes is of the form that v2 has.
#![no_main]

use chrono::NaiveDate;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use weir_reader::definitions::Definitions;

// The modules are pure; the crate around them would bring the database.
#[allow(dead_code, unused_imports, reason = "only its parser is called here")]
#[path = "../../../query-api/src/query/mod.rs"]
mod query;

#[allow(dead_code, reason = "only its parser is called here")]
#[path = "asked/http.rs"]
mod http;

#[allow(dead_code, reason = "only its parser is called here")]
#[path = "../../../query-api/src/ledger/period.rs"]
mod period;

use query::{Asked, QUERIES_MAX, Refusal};

/// 2026-11-22T04:00:00Z.
const NOW_MS: i64 = 1_795_320_000_000;

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    match serde_json::from_str::<Value>(&text) {
        Ok(body) => batch(&body),
        Err(_) => address(&text),
    }
});

fn batch(body: &Value) {
    let definitions = Definitions::default();
    let Ok(asked) = Asked::read(body) else { return };
    let names = asked.current_visitors.as_ref().map_or(0, Vec::len);
    assert!(asked.queries.len() <= QUERIES_MAX && names <= QUERIES_MAX && asked.queries.len() + names > 0);
    assert!(asked.current_visitors.iter().flatten().all(|name| !name.is_empty()));
    for query in &asked.queries {
        assert!(query.is_object());
        if let Ok(parsed) = query::parse(query, &definitions, "k1") {
            assert!(query::site_id(query).is_err() || parsed.echo.metrics.len() == parsed.metrics.len());
        }
    }
    // Asked together or alone, it is the same.
    let [first, ..] = asked.queries.as_slice() else { return };
    let alone = Asked::read(&serde_json::json!({ "queries": [first] })).expect("one of them is a request");
    assert_eq!(alone.queries, [first.clone()]);
}

fn address(text: &str) {
    let today = NaiveDate::from_ymd_opt(2026, 11, 22).unwrap_or_default();
    for body in http::bodies(text, today) {
        match query::parse(&body, &Definitions::default(), "k1") {
            Ok(parsed) => assert!(parsed.limit <= 1_000 || parsed.dimensions.len() <= 1),
            // Bounds that only v2 has: years, how many filters, how far to page, how long a property's name.
            Err(Refusal::Schema(errors)) => {
                assert!(errors.iter().all(|error| is_bound(error)), "{text:?} became {body}: {errors:?}")
            }
            Err(refusal) => assert!(!refusal.to_string().is_empty()),
        }
    }
    let (from, to) = text.split_once('&').map_or((text, None), |(from, to)| (from, Some(to)));
    if let Ok(period) = period::Period::parse(Some(from), to, NOW_MS) {
        assert!(period.from_ms < period.to_ms && period.holds(period.from_ms) && !period.holds(period.to_ms));
    }
}

fn is_bound(error: &str) -> bool {
    error.starts_with("#/date_range: Invalid date range")
        || error.starts_with("#/filters: Expected a maximum")
        || error.starts_with("#/pagination/offset: ")
        || error.contains("event:props:")
}
