//! The description of the API, and the API held against it.

use crate::fixture::{ADMIN_KEY, Fixture, KEY, Layout, Visit, at, get, post};
use crate::served::{root, run, serve, tool};
use axum::http::StatusCode;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;
use weir_query_api::error::ApiError;
use weir_query_api::query::words;
use weir_rollup::row::Opening;

/// The page and its files, which are no API.
pub(crate) const DASHBOARD: [&str; 7] = ["/", "/sites", "/settings", "/operator", "/sign-in", "/share/{domain}", "/{*path}"];

fn fixture() -> Fixture {
    let visit =
        |id: u64, source: &str| Visit::new(id, Opening { visitor_id: id, source: source.to_owned(), ..Opening::default() });
    Fixture::new(&Layout::sealed(&[
        visit(1, "Google").event(1, at("2026-11-20T08:00:00Z"), "pageview", "/", &[("plan", "pro")]),
        visit(2, "").event(2, at("2026-11-20T09:00:00Z"), "pageview", "/docs", &[]),
    ]))
}

pub(crate) async fn document(fixture: &Fixture) -> Value {
    let (status, body) = fixture.send(get("/api/openapi.json", None)).await;
    assert_eq!(status, StatusCode::OK);
    serde_json::from_str(&body).unwrap()
}

/// Every text between `start` and a quote in the sources below a folder.
fn literals(folder: &Path, start: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(literals(&path, start));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            // The formatter may put the text on a line of its own.
            let text: String = std::fs::read_to_string(&path).unwrap().split_whitespace().collect();
            found.extend(text.split(start).skip(1).filter_map(|rest| rest.split('"').next().map(str::to_owned)));
        }
    }
    found
}

#[tokio::test]
async fn every_route_is_described_and_nothing_else() {
    let document = document(&fixture()).await;
    assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.1")), "{}", document["openapi"]);
    let described: BTreeSet<String> = document["paths"].as_object().unwrap().keys().cloned().collect();
    let mut routed = literals(&root().join("query-api/src"), ".route(\"");
    routed.retain(|path| !DASHBOARD.contains(&path.as_str()));
    let routed: BTreeSet<String> = routed.into_iter().map(|path| path.replace("{*", "{")).collect();
    let missing: Vec<_> = routed.difference(&described).collect();
    assert!(
        missing.is_empty(),
        "routes without #[utoipa::path] and a line in `paths(…)` of query-api/src/http/openapi/mod.rs: {missing:?}"
    );
    let gone: Vec<_> = described.difference(&routed).collect();
    assert!(gone.is_empty(), "described, but no route: {gone:?}");
}

/// All `$ref` inside a value.
fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(entries) => {
            found.extend(entries.get("$ref").and_then(Value::as_str).map(str::to_owned));
            entries.values().for_each(|entry| references(entry, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

#[tokio::test]
async fn every_reference_leads_somewhere_and_every_fault_has_its_form() {
    let document = document(&fixture()).await;
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    assert!(found.contains("#/components/schemas/Query") && found.contains("#/components/schemas/Error"));
    for reference in found {
        assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
    }
    let codes = document["components"]["schemas"]["Error"]["properties"]["code"]["enum"].as_array().unwrap();
    assert!(ApiError::codes().all(|code| codes.contains(&json!(code))));
    for path in ["/api/v2/query", "/api/v1/stats/breakdown", "/api/ledger"] {
        let operation = document["paths"][path].as_object().unwrap().values().next().unwrap();
        for status in ["200", "400", "401", "404", "429", "503"] {
            assert!(operation["responses"].get(status).is_some(), "{path} {status}");
        }
    }
}

#[tokio::test]
async fn the_schema_of_a_query_has_the_words_that_are_answered() {
    let fixture = fixture();
    let (status, body) = fixture.send(get("/api/v2/query/schema", None)).await;
    assert_eq!(status, StatusCode::OK);
    let schema: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert_eq!(schema["required"], json!(["site_id", "metrics", "date_range"]));
    for word in
        words::metrics().chain(words::dimensions()).chain(words::OPERATORS).chain(words::PATTERN_OPERATORS).chain(words::NODES)
    {
        assert!(body.contains(&format!("\"{word}\"")), "{word}");
    }
    // Another key in the query is refused as the schema says; all of its keys are read.
    let known: Vec<String> = schema["properties"].as_object().unwrap().keys().cloned().collect();
    for key in known.iter().map(String::as_str).chain(["limit"]) {
        let query = json!({"site_id": "a.example", "metrics": ["visitors"], "date_range": "1d", key: 7});
        let (_, answer) = fixture.send(post(KEY, &query.to_string())).await;
        assert_eq!(answer.contains("does not allow additional properties"), key == "limit", "{key}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn schemathesis_finds_nothing() {
    let fixture = fixture();
    let url = serve(&fixture).await;
    let mut command = tool("clients", "schemathesis");
    let contract = root().join("tests/contract");
    // It keeps notes where it runs.
    command.current_dir(fixture.folder()).arg("--config-file").arg(contract.join("schemathesis.toml")).arg("run");
    command.arg(format!("{url}/api/openapi.json")).args(["--header", &format!("Authorization: Bearer {ADMIN_KEY}")]);
    command
        .env("HOME", fixture.folder())
        .env("SCHEMATHESIS_HOOKS", "schemathesis_hooks")
        .env("PYTHONPATH", &contract)
        .env("PYTHONDONTWRITEBYTECODE", "1");
    let (is_clean, report, errors) = run(command, "").await;
    // What was found stands at the end, behind pages of what was not.
    let found = report.split_once("=== ").map_or(report.as_str(), |(_, found)| found);
    assert!(is_clean, "{found}{errors}");
    assert!(report.contains("No issues found"), "{found}");
}
