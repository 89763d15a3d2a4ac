//! Requests of the query API: any JSON is a query within the limits, or is refused.
#![no_main]

use libfuzzer_sys::fuzz_target;

// The module is pure; the crate around it would bring the database.
#[allow(dead_code, unused_imports, reason = "only its parser is called here")]
#[path = "../../../query-api/src/query/mod.rs"]
mod query;

fuzz_target!(|data: &[u8]| {
    let Ok(body) = serde_json::from_slice::<serde_json::Value>(data) else { return };
    let _site = query::site_id(&body);
    if let Ok(parsed) = query::parse(&body) {
        assert!(parsed.limit <= query::RESULTS_MAX && parsed.dimensions.len() <= query::DIMENSIONS_MAX);
        assert!(!parsed.metrics.is_empty());
        let _filters = (parsed.filters_events(), parsed.looks_at_edges(), parsed.is_of_events(), parsed.time_dimension());
    }
});
