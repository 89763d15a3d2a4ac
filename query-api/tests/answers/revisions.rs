//! Earlier revisions: sealed files alone, as they were; what is no longer kept; who may ask for the shadow.

use crate::fixture::{ADMIN_KEY, Fixture, KEY, Layout, NOW_MS, Visit, get, post};
use crate::sealed::manifest;
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};
use std::sync::Arc;
use weir_query_api::tail::{Condition, PartitionView};
use weir_reader::manifests;
use weir_reader::store::Store;
use weir_rollup::manifest::{Manifest, Part};
use weir_rollup::row::{EventRow, Opening};

fn row(seq: u64) -> EventRow {
    let visit = Visit::new(seq, Opening { visitor_id: seq, ..Opening::default() });
    visit.event(seq, NOW_MS as i64 - 60_000, "pageview", "/", &[])
}

/// One, two, then three page views in files at the revisions 40, 41 and 42, and a fourth in the live end. A lost commit left another 41, and another 40.
async fn fixture() -> Fixture {
    let fixture = Fixture::new(&Layout {
        parts: vec![vec![row(1)], vec![row(2)], vec![row(3)]],
        tables: vec![vec![row(4)]],
        sealed_seq: 3,
        folded_seq: 4,
    });
    let parts: Vec<Part> = fixture.partition.borrow().manifest.as_ref().unwrap().parts.clone();
    let (first, second) = (earlier(&parts, 40, None), earlier(&parts, 41, Some("a")));
    for (manifest, commit_id) in
        [(&first, "a"), (&second, "a"), (&earlier(&[], 40, None), "0"), (&earlier(&[], 41, Some("a")), "z")]
    {
        manifests::put(&store(&fixture), manifest, commit_id).await.unwrap();
    }
    change(&fixture, |newest| newest.parent = Some(manifests::name("local", 0, 41, "a")));
    fixture
}

fn store(fixture: &Fixture) -> Store {
    Store::local(&fixture.folder().join("files")).unwrap()
}

/// The manifest of an earlier revision: one part fewer for each.
fn earlier(parts: &[Part], revision: u64, parent: Option<&str>) -> Manifest {
    let parts: Vec<Part> = parts.iter().take(revision as usize - 39).cloned().collect();
    let mut manifest = manifest(parts, revision - 39, revision);
    manifest.parent = parent.map(|commit_id| manifests::name("local", 0, revision - 1, commit_id));
    manifest.sealed_stream_ms = NOW_MS - 100_000 + revision * 1_000;
    manifest
}

fn change(fixture: &Fixture, change: impl FnOnce(&mut Manifest)) {
    fixture.partition.send_modify(|view| {
        let view = Arc::make_mut(view);
        change(Arc::make_mut(view.manifest.as_mut().unwrap()));
    });
}

async fn ask(fixture: &Fixture, key: &str, parameters: &str) -> (u16, Value) {
    let query = json!({"site_id": "a.example", "metrics": ["pageviews"], "date_range": "all"});
    let mut request: Request<_> = post(key, &query.to_string());
    *request.uri_mut() = format!("/api/v2/query{parameters}").parse().unwrap();
    let (status, text) = fixture.send(request).await;
    (status.as_u16(), serde_json::from_str(&text).unwrap())
}

/// Page views, revision and watermark.
async fn figures(fixture: &Fixture, parameters: &str) -> (i64, u64, String) {
    let (status, answer) = ask(fixture, KEY, parameters).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["meta"].get("shadow"), None);
    let meta = &answer["meta"];
    let watermark = meta["watermark"].as_str().unwrap().to_owned();
    (answer["results"][0]["metrics"][0].as_i64().unwrap(), meta["revision"].as_u64().unwrap(), watermark)
}

fn error(text: &str) -> Value {
    let known = [
        ("There is no revision", "no_revision_yet"),
        ("Revision", "no_revision"),
        ("There is no shadow", "no_shadow"),
        ("The replay in progress", "not_in_shadow"),
        ("Invalid rev. It", "invalid_revision"),
        ("Invalid rev. Please", "revision_of_all"),
        ("Invalid API key", "invalid_api_key"),
        ("The query string", "invalid_query_string"),
        ("The query cannot", "unavailable"),
    ];
    let code = known.iter().find(|(start, _)| text.starts_with(start)).map(|(_, code)| *code);
    json!({"error": text, "code": code})
}

#[tokio::test]
async fn a_revision_is_answered_from_its_files_alone() {
    let fixture = fixture().await;
    let (first, second) = ("2026-11-21T10:19:30.456Z".to_owned(), "2026-11-21T10:19:31.456Z".to_owned());
    assert_eq!(figures(&fixture, "").await.0, 4);
    assert_eq!(figures(&fixture, "?rev=42").await, (3, 42, "1970-01-01T00:00:00.000Z".to_owned()));
    assert_eq!(figures(&fixture, "?rev=40").await, (1, 40, first.clone()));
    assert_eq!(figures(&fixture, "?rev=41").await, (2, 41, second.clone()));
    let visitors = "/api/v1/stats/realtime/visitors?site_id=a.example";
    for (rev, expected) in [("", "4"), ("&rev=42", "3"), ("&rev=41", "2")] {
        assert_eq!(fixture.send(get(&format!("{visitors}{rev}"), Some(KEY))).await, (StatusCode::OK, expected.to_owned()));
    }
    for path in ["/api/ledger?site_id=a.example&rev=41", "/api/ledger?rev=41"] {
        let (_, text) = fixture.send(get(path, Some(ADMIN_KEY))).await;
        let ledger: Value = serde_json::from_str(&text).unwrap();
        let balance =
            json!({"accepted": 2, "in_files": 2, "in_stream": 0, "is_balanced": true, "sealed_seq": 2, "folded_seq": 2});
        assert_eq!((&ledger["balance"], &ledger["totals"]["accepted"]), (&balance, &json!(2)));
        assert_eq!((&ledger["meta"]["revision"], &ledger["meta"]["watermark"]), (&json!(41), &json!(second)));
    }
    // Later commits change nothing, and an earlier revision is answered while the live end is not.
    let newer = earlier(&[], 43, Some("b"));
    manifests::put(&store(&fixture), fixture.partition.borrow().manifest.as_ref().unwrap(), "b").await.unwrap();
    fixture.partition.send_replace(Arc::new(PartitionView {
        is_ready: false,
        ..PartitionView::sealed(Some(Arc::new(newer)), Condition::Loading { reason: String::new() })
    }));
    assert_eq!(ask(&fixture, KEY, "").await.0, 503);
    assert_eq!(figures(&fixture, "?rev=40").await, (1, 40, first));
    assert_eq!(figures(&fixture, "?rev=41").await, (2, 41, second));
    assert_eq!(figures(&fixture, "?rev=42").await.0, 3);
}

#[tokio::test]
async fn what_is_not_kept_is_not_found() {
    let fixture = fixture().await;
    assert_eq!(ask(&fixture, KEY, "?rev=43").await, (404, error("There is no revision 43 yet.")));
    assert_eq!(ask(&fixture, KEY, "?rev=0").await, (404, error("Revision 0 is no longer kept. The oldest is 40.")));
    let huge = "There is no revision 18446744073709551615 yet.";
    assert_eq!(ask(&fixture, KEY, "?rev=99999999999999999999").await, (404, error(huge)));
    // The files go before the manifests that name them.
    store(&fixture).delete("parts/local-0/0.duckdb").await.unwrap();
    for rev in [40, 41, 40] {
        let text = format!("Revision {rev} is no longer kept. The oldest is {}.", rev + 1);
        assert_eq!(ask(&fixture, KEY, &format!("?rev={rev}")).await, (404, error(&text)));
    }
    store(&fixture).delete(&manifests::name("local", 0, 40, "a")).await.unwrap();
    for rev in [40, 39, 1] {
        let text = format!("Revision {rev} is no longer kept. The oldest is 41.");
        assert_eq!(ask(&fixture, KEY, &format!("?rev={rev}")).await, (404, error(&text)));
    }
    // What is served now has to be there.
    let unavailable = error("The query cannot be answered at the moment. Please try again.");
    assert_eq!(ask(&fixture, KEY, "?rev=42").await, (503, unavailable.clone()));
    // A format of a later program.
    let mut later = earlier(&fixture.partition.borrow().manifest.as_ref().unwrap().parts, 41, None);
    later.parts[0].format = 99;
    manifests::put(&store(&fixture), &later, "later").await.unwrap();
    change(&fixture, |newest| (newest.revision, newest.parent) = (43, Some(manifests::name("local", 0, 41, "later"))));
    assert_eq!(ask(&fixture, KEY, "?rev=41").await, (503, unavailable));
}

#[tokio::test]
async fn a_region_that_has_sealed_nothing_has_no_revisions() {
    let fixture = fixture().await;
    let nothing = PartitionView::sealed(None, Condition::Live);
    fixture.partition.send_replace(Arc::new(nothing.clone()));
    for rev in [0, 1] {
        let text = format!("There is no revision {rev} yet.");
        assert_eq!(ask(&fixture, KEY, &format!("?rev={rev}")).await, (404, error(&text)));
    }
    fixture.partition.send_replace(Arc::new(PartitionView { is_ready: false, ..nothing }));
    assert_eq!(ask(&fixture, KEY, "?rev=1").await.0, 503, "it is not known yet");
}

#[tokio::test]
async fn revisions_that_are_none_and_callers_who_may_not() {
    let fixture = fixture().await;
    let invalid = "Invalid rev. It must be the number of a revision, or shadow.";
    let wrong_key =
        "Invalid API key or site ID. Please make sure you're using a valid API key with access to the site you've requested.";
    for (key, rev, status, text) in [
        (KEY, "abc", 400, invalid),
        (KEY, "", 400, invalid),
        (KEY, "-1", 400, invalid),
        (KEY, "1&rev=2", 400, "The query string is not valid."),
        (KEY, "shadow", 401, wrong_key),
        ("nobody", "shadow", 401, wrong_key),
        ("nobody", "abc", 401, wrong_key),
        // There is no server here that could tell.
        (ADMIN_KEY, "shadow", 503, "The query cannot be answered at the moment. Please try again."),
    ] {
        assert_eq!(ask(&fixture, key, &format!("?rev={rev}")).await, (status, error(text)), "{rev}");
        for path in ["/api/v1/stats/realtime/visitors", "/api/ledger"] {
            let (found, body) = fixture.send(get(&format!("{path}?site_id=a.example&rev={rev}"), Some(key))).await;
            assert_eq!((found.as_u16(), serde_json::from_str(&body).unwrap()), (status, error(text)), "{path} {rev}");
        }
    }
    let (status, _) = fixture.send(get("/api/v1/stats/realtime/visitors?site_id=b.example&rev=41", Some(KEY))).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED, "an earlier revision opens no other site");
}
