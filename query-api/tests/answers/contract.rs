//! `tests/contract/stats-v2.md`: every word of the contract has a row, every row a test that runs, and no word is without one.

use crate::fixture::{Fixture, KEY, Layout, Visit, at, post};
use crate::runs::{self, Tests};
use crate::served::root;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::time::Duration;
use weir_query_api::control::LinkRefusal;
use weir_query_api::engine::EngineError;
use weir_query_api::error::ApiError;
use weir_query_api::http::{LegacyRefusal, SitesRefusal};
use weir_query_api::query::{self, DateRange, Dimension, Metric, Refusal, words};
use weir_reader::definitions::Definitions;
use weir_rollup::row::Opening;

/// A row: the word, and its test as `file::function`.
struct Row {
    word: String,
    test: String,
}

/// The rows of each section.
fn contract() -> BTreeMap<String, Vec<Row>> {
    let text = std::fs::read_to_string(root().join("tests/contract/stats-v2.md")).unwrap();
    let mut sections: BTreeMap<String, Vec<Row>> = BTreeMap::new();
    let mut title = String::new();
    for line in text.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            heading.clone_into(&mut title);
        }
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let quoted = |cell: &str| cell.strip_prefix('`').and_then(|cell| cell.strip_suffix('`')).map(str::to_owned);
        if let (Some(word), Some(test)) =
            (cells.first().and_then(|cell| quoted(cell)), cells.last().and_then(|cell| quoted(cell)))
        {
            sections.entry(title.clone()).or_default().push(Row { word, test });
        }
    }
    sections
}

/// What a file must hold for a row to be believed: the word without its placeholders, nothing of a description.
fn core(word: &str) -> &str {
    if word.contains(' ') { "" } else { word.split('<').next().unwrap_or(word) }
}

#[test]
fn every_row_has_a_test_that_runs() {
    let tests = Tests::below(&["query-api", "tests"]);
    let mut faults = String::new();
    for (section, rows) in contract() {
        for Row { word, test } in rows {
            match tests.files(&test) {
                None => writeln!(faults, "{section}: `{word}` names the test `{test}`, which is not in the sources").unwrap(),
                Some(files) if section != "Errors" && !files.iter().any(|file| file.contains(core(&word))) => {
                    writeln!(faults, "{section}: `{word}` does not occur in the file of its test `{test}`").unwrap();
                }
                Some(_) => {}
            }
        }
    }
    assert!(faults.is_empty(), "tests/contract/stats-v2.md:\n{faults}");
}

#[test]
fn every_word_has_a_row_and_every_row_a_word() {
    let sections = contract();
    let mut faults = String::new();
    let mut check = |section: &str, expected: &[&str]| {
        let rows = sections.get(section).map(Vec::as_slice).unwrap_or_default();
        let found: Vec<&str> = rows.iter().map(|row| row.word.as_str()).collect();
        for word in expected.iter().filter(|word| !found.contains(word)) {
            writeln!(faults, "{section}: no row for `{word}`").unwrap();
        }
        for word in found.iter().filter(|word| !expected.contains(word)) {
            writeln!(faults, "{section}: the row `{word}` is no word of the program").unwrap();
        }
        let twice: BTreeSet<&&str> = found.iter().filter(|word| found.iter().filter(|other| other == word).count() > 1).collect();
        assert!(twice.is_empty(), "{section}: rows that are there twice: {twice:?}");
    };
    check("Metrics", &words::METRICS);
    check("Dimensions", &[&words::DIMENSIONS[..], &["event:props:<name>"]].concat());
    let operators =
        [&words::OPERATORS[..], &words::PATTERN_OPERATORS, &words::LIST_NODES, &words::NODES, &["case_sensitive", "segment"]];
    check("Filters", &operators.concat());
    let others = ["<N>d", "<N>mo", "two dates", "two times", "date"];
    check("Date ranges", &[&words::DATE_RANGES[..], &others].concat());
    check("Include", &words::INCLUDES);
    check("Comparisons", &[&words::COMPARISONS[..], &["match_day_of_week"]].concat());
    check("Errors", &ApiError::codes().collect::<Vec<_>>());
    assert!(faults.is_empty(), "tests/contract/stats-v2.md:\n{faults}");
}

/// The program has a word if it reads it: each text that stands in its sources is tried.
#[test]
fn no_word_is_missing_from_the_lists() {
    let mut files = BTreeMap::new();
    runs::read(&root().join("query-api/src/query"), &mut files);
    let literals: BTreeSet<String> = files
        .values()
        .flat_map(|text| text.split('"').map(str::to_owned))
        .filter(|word| !word.is_empty() && word.len() < 40)
        .collect();
    let accepts = |extra: &Value| {
        let mut body = json!({"site_id": "a.example", "metrics": ["visitors"], "date_range": "1d"});
        body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        query::parse(&body, &Definitions::default(), "").is_ok()
    };
    let mut faults = String::new();
    let mut check = |list: &str, word: &str, is_read: bool, is_listed: bool| {
        if is_read && !is_listed {
            writeln!(faults, "`{word}` is read, and missing from words::{list} and tests/contract/stats-v2.md").unwrap();
        }
    };
    for word in &literals {
        let word = word.as_str();
        check("METRICS", word, Metric::parse(word).is_some(), words::METRICS.contains(&word));
        for name in [word.to_owned(), format!("visit:{word}"), format!("event:{word}"), format!("time:{word}")] {
            let is_listed = words::DIMENSIONS.contains(&name.as_str()) || name.starts_with("event:props:");
            check("DIMENSIONS", &name, Dimension::parse(&name).is_some(), is_listed);
        }
        let operators = [words::OPERATORS, words::PATTERN_OPERATORS].concat();
        check("OPERATORS", word, accepts(&json!({"filters": [[word, "visit:source", ["x"]]]})), operators.contains(&word));
        let leaf = json!(["is", "event:page", ["x"]]);
        check("LIST_NODES", word, accepts(&json!({"filters": [[word, [leaf]]]})), words::LIST_NODES.contains(&word));
        check("NODES", word, accepts(&json!({"filters": [[word, leaf]]})), words::NODES.contains(&word));
        let days = ["d", "mo"].iter().any(|unit| word.ends_with(unit) && word.starts_with(|first: char| first.is_ascii_digit()));
        check("DATE_RANGES", word, DateRange::parse(&json!(word)).is_some(), days || words::DATE_RANGES.contains(&word));
        let query = json!({"dimensions": ["time:day"], "include": {word: true}});
        check("INCLUDES", word, accepts(&query), words::INCLUDES.contains(&word));
        let query = json!({"include": {"comparisons": {"mode": word}}});
        check("COMPARISONS", word, accepts(&query), words::COMPARISONS.contains(&word));
    }
    assert!(faults.is_empty(), "{faults}");
}

#[test]
fn every_word_is_read() {
    let metrics: Vec<&str> = words::METRICS.into_iter().filter(|word| Metric::parse(word).is_none()).collect();
    let dimensions: Vec<&str> = words::DIMENSIONS.into_iter().filter(|word| Dimension::parse(word).is_none()).collect();
    let ranges: Vec<&str> = words::DATE_RANGES.into_iter().filter(|word| DateRange::parse(&json!(word)).is_none()).collect();
    assert!(metrics.is_empty() && dimensions.is_empty() && ranges.is_empty(), "not read: {metrics:?} {dimensions:?} {ranges:?}");
}

/// A visit that has every attribute, and one that has none.
fn fixture() -> Fixture {
    let text = |text: &str| text.to_owned();
    let full = Opening {
        visitor_id: 1,
        source: text("Google"),
        referrer: text("google.com/search"),
        channel: text("Organic Search"),
        utm_medium: text("cpc"),
        utm_source: text("google"),
        utm_campaign: text("spring"),
        utm_content: text("banner"),
        utm_term: text("shoes"),
        device: text("Mobile"),
        browser: text("Firefox"),
        browser_version: text("130"),
        os: text("Android"),
        os_version: text("14"),
        country: text("DE"),
        region: text("DE-BE"),
        ..Opening::default()
    };
    let full = Visit::new(1, full);
    let bare = Visit::new(2, Opening { visitor_id: 2, ..Opening::default() });
    Fixture::new(&Layout::sealed(&[
        full.event(1, at("2026-11-20T08:00:00Z"), "pageview", "/in", &[]),
        full.event(2, at("2026-11-20T08:01:00Z"), "pageview", "/out", &[]),
        bare.event(3, at("2026-11-20T09:00:00Z"), "Signup", "/", &[]),
    ]))
}

#[tokio::test]
async fn every_dimension_of_visits() {
    let fixture = fixture();
    for (dimension, value, empty) in [
        ("visit:source", "Google", "Direct / None"),
        ("visit:referrer", "google.com/search", "Direct / None"),
        ("visit:channel", "Organic Search", "Direct"),
        ("visit:utm_medium", "cpc", "(not set)"),
        ("visit:utm_source", "google", "(not set)"),
        ("visit:utm_campaign", "spring", "(not set)"),
        ("visit:utm_content", "banner", "(not set)"),
        ("visit:utm_term", "shoes", "(not set)"),
        ("visit:device", "Mobile", "(not set)"),
        ("visit:screen", "Mobile", "(not set)"),
        ("visit:browser", "Firefox", "(not set)"),
        ("visit:browser_version", "130", "(not set)"),
        ("visit:os", "Android", "(not set)"),
        ("visit:os_version", "14", "(not set)"),
        ("visit:country", "DE", "(not set)"),
        ("visit:region", "DE-BE", "(not set)"),
        ("visit:entry_page", "/in", "(not set)"),
        ("visit:exit_page", "/out", "(not set)"),
        ("visit:entry_page_hostname", "a.example", "(not set)"),
        ("visit:exit_page_hostname", "a.example", "(not set)"),
    ] {
        let ask = async |filters: Value| {
            let query = json!({"metrics": ["visitors", "visits"], "date_range": "1d", "dimensions": [dimension], "filters": filters,
                "order_by": [[dimension, "desc"]]});
            let mut results = fixture.results(query).await;
            results.sort();
            results
        };
        let (full, bare) = (format!("{value} -> 1 | 1"), format!("{empty} -> 1 | 1"));
        let mut both = vec![full.clone(), bare.clone()];
        both.sort();
        assert_eq!(ask(json!([])).await, both, "{dimension}");
        assert_eq!(ask(json!([["is", dimension, [value]]])).await, std::slice::from_ref(&full), "{dimension}");
        assert_eq!(ask(json!([["is_not", dimension, [value]]])).await, [bare], "{dimension}");
        assert_eq!(ask(json!([["contains", dimension, [value]]])).await, [full], "{dimension}");
    }
}

#[tokio::test]
async fn every_named_date_range() {
    let fixture = fixture();
    // Now is Saturday, 21 November 2026, 10:20:30.
    for (range, from, to) in [
        ("day", "2026-11-21T00:00:00+00:00", "2026-11-21T10:20:30+00:00"),
        ("24h", "2026-11-20T10:20:30+00:00", "2026-11-21T10:20:30+00:00"),
        ("month", "2026-11-01T00:00:00+00:00", "2026-11-30T23:59:59+00:00"),
        ("year", "2026-01-01T00:00:00+00:00", "2026-12-31T23:59:59+00:00"),
        ("all", "2026-11-20T00:00:00+00:00", "2026-11-21T23:59:59+00:00"),
        ("7d", "2026-11-14T00:00:00+00:00", "2026-11-20T23:59:59+00:00"),
        ("28d", "2026-10-24T00:00:00+00:00", "2026-11-20T23:59:59+00:00"),
        ("30d", "2026-10-22T00:00:00+00:00", "2026-11-20T23:59:59+00:00"),
        ("91d", "2026-08-22T00:00:00+00:00", "2026-11-20T23:59:59+00:00"),
        ("6mo", "2026-05-01T00:00:00+00:00", "2026-10-31T23:59:59+00:00"),
        ("12mo", "2025-11-01T00:00:00+00:00", "2026-10-31T23:59:59+00:00"),
    ] {
        let answer = fixture.answer(json!({"metrics": ["visitors"], "date_range": range})).await;
        assert_eq!(answer["query"]["date_range"], json!([from, to]), "{range}");
    }
    let body = json!({"site_id": "a.example", "metrics": ["visitors"], "date_range": "fortnight"});
    assert!(fixture.send(post(KEY, &body.to_string())).await.1.contains("#/date_range: Invalid date range"));
}

/// Faults that a fixture without NATS, or one request alone, does not cause: they keep status and code.
#[test]
fn faults_by_status_and_code() {
    let text = String::new;
    let busy = ApiError::from(EngineError::Busy { waiting: 1 });
    let slow = ApiError::from(EngineError::Timeout { limit: Duration::from_secs(1) });
    for (fault, status, code) in [
        (busy, 503, "too_many_queries"),
        (slow, 503, "query_timeout"),
        (ApiError::Body, 400, "unreadable_body"),
        (Refusal::RevisionOfAll.into(), 400, "revision_of_all"),
        (SitesRefusal::Key.into(), 401, "invalid_sites_api_key"),
        (SitesRefusal::Site.into(), 404, "site_not_found"),
        (SitesRefusal::Goal.into(), 404, "goal_not_found"),
        (SitesRefusal::Link.into(), 404, "shared_link_not_found"),
        (SitesRefusal::HeldKey.into(), 404, "key_not_found"),
        (SitesRefusal::Annotation.into(), 404, "annotation_not_found"),
        (SitesRefusal::Segment { id: text() }.into(), 404, "segment_not_found"),
        (SitesRefusal::Missing { parameter: "name", purpose: "create" }.into(), 400, "missing_parameter"),
        (SitesRefusal::Invalid(text()).into(), 400, "invalid_parameter"),
        (SitesRefusal::Team.into(), 403, "team_not_permitted"),
        (SitesRefusal::Permission("create a goal").into(), 403, "not_permitted"),
        (LinkRefusal::Unknown.into(), 404, "unknown_shared_link"),
        (LinkRefusal::Password.into(), 401, "wrong_password"),
        (LinkRefusal::TooMany.into(), 429, "too_many_passwords"),
        (LegacyRefusal::MissingDates.into(), 400, "missing_dates"),
        (LegacyRefusal::InvalidDates.into(), 400, "invalid_dates"),
    ] {
        assert_eq!((fault.status().as_u16(), fault.code()), (status, code));
    }
}
