//! Answers over two regions: what both have, and what is said when one is away.

use crate::fixture::{ADMIN_KEY, Fixture, KEY, Layout, NOW_MS, Visit, at, get, lines, post, send};
use crate::property::{divide, queries, rows, story};
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::Arc;
use tower::ServiceExt;
use weir_query_api::tail::{Condition, PartitionView};
use weir_rollup::row::{EventRow, Opening};

/// Visitors with one page view each, on the day before now.
fn visitors(ids: std::ops::Range<u64>, page: &str) -> Vec<EventRow> {
    let of = |id: u64| {
        let visit = Visit::new(id, Opening { visitor_id: id, ..Opening::default() });
        visit.event(id, at("2026-11-20T08:00:00Z") + id as i64, "pageview", page, &[])
    };
    ids.map(of).collect()
}

/// Three visitors here: two sealed, one live. Five in the other region: four sealed, one live.
fn layouts() -> (Layout, Layout) {
    let here = Layout { parts: vec![visitors(1..3, "/")], tables: vec![visitors(3..4, "/")], sealed_seq: 2, folded_seq: 3 };
    let there =
        Layout { parts: vec![visitors(11..15, "/b")], tables: vec![visitors(15..16, "/")], sealed_seq: 14, folded_seq: 15 };
    (here, there)
}

fn query(extra: &Value) -> Request<Body> {
    let mut body = json!({"site_id": "a.example", "metrics": ["visitors", "visits", "pageviews"], "date_range": ["2026-11-20", "2026-11-20"]});
    body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    post(KEY, &body.to_string())
}

async fn ask(router: &Router, request: Request<Body>) -> (StatusCode, Value) {
    let (status, text) = send(router, request).await;
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

async fn answer(router: &Router) -> Value {
    let (status, answer) = ask(router, query(&json!({}))).await;
    assert_eq!(status, 200, "{answer}");
    answer
}

async fn headers(router: &Router, request: Request<Body>) -> HeaderMap {
    router.clone().oneshot(request).await.unwrap().headers().clone()
}

fn figures(answer: &Value) -> &Value {
    &answer["results"][0]["metrics"]
}

#[tokio::test]
async fn one_answer_counts_both_and_names_both() {
    let (here, there) = layouts();
    let fixture = Fixture::new(&here);
    let (router, away, _) = fixture.beside(&there);
    away.send_modify(|view| Arc::make_mut(view).watermark_ms = NOW_MS - 2_000);
    let found = answer(&router).await;
    assert_eq!(figures(&found), &json!([8, 8, 8]));
    let meta = &found["meta"];
    assert_eq!((&meta["regions"], &meta["regions_missing"]), (&json!(["local", "away"]), &json!([])));
    let (earlier, later) = ("2026-11-21T10:20:28.456Z", "2026-11-21T10:20:30.206Z");
    assert_eq!(meta["complete_through"], json!({"away": earlier, "local": later}));
    assert_eq!((&meta["watermark"], &meta["revisions"]), (&json!(earlier), &json!({"away": 42, "local": 42})));
    assert_eq!((&meta["identity_scope"], &meta["exact"]), (&json!("region"), &json!(true)));
    assert!(meta.get("region_states").is_none());
    // Nothing of this is said where there is one region.
    let alone = fixture.answer(json!({"metrics": ["visitors"], "date_range": "7d"})).await;
    assert!(["revisions", "identity_scope", "region_states"].iter().all(|name| alone["meta"].get(*name).is_none()), "{alone}");

    let pages = ask(&router, query(&json!({"metrics": ["visitors"], "dimensions": ["event:page"]}))).await.1;
    assert_eq!(lines(&pages), ["/ -> 4", "/b -> 4"]);
    let first = ask(&router, query(&json!({"date_range": "all"}))).await.1;
    assert_eq!(figures(&first), &json!([8, 8, 8]));
    let all = get("/api/v1/stats/aggregate?site_id=a.example&metrics=visitors&period=day&date=2026-11-20", Some(KEY));
    assert_eq!(ask(&router, all).await.1["results"]["visitors"]["value"], 8);
}

#[tokio::test]
async fn a_region_that_is_away_goes_on_counting_with_what_is_known() {
    let (here, there) = layouts();
    let fixture = Fixture::new(&here);
    let (router, away, _) = fixture.beside(&there);
    let tag = async || headers(&router, query(&json!({}))).await["etag"].clone();
    let before = tag().await;
    away.send_modify(|view| Arc::make_mut(view).heard_ms = NOW_MS - 6_000);
    let found = answer(&router).await;
    assert_eq!(figures(&found), &json!([8, 8, 8]), "figures never jump down because somebody is away");
    assert_eq!((&found["meta"]["regions"], &found["meta"]["regions_missing"]), (&json!(["local", "away"]), &json!(["away"])));
    assert_eq!((&found["meta"]["region_states"], &found["meta"]["exact"]), (&json!({"away": "away"}), &json!(false)));
    assert_ne!(tag().await, before, "who has the figures has to learn what they lack");
    let v1 = || get("/api/v1/stats/aggregate?site_id=a.example&metrics=visitors&period=day&date=2026-11-20", Some(KEY));
    assert_eq!(headers(&router, v1()).await["weir-regions-missing"], "away");

    let stopped = Condition::Stopped { reason: "the stream was made anew".to_owned() };
    away.send_modify(|view| Arc::make_mut(view).condition = stopped);
    assert_eq!(answer(&router).await["meta"]["region_states"], json!({"away": "stopped"}));

    away.send_modify(|view| {
        let view = Arc::make_mut(view);
        (view.condition, view.heard_ms) = (Condition::Live, NOW_MS);
    });
    assert_eq!(answer(&router).await["meta"]["regions_missing"], json!([]));
    assert_eq!(tag().await, before);
    assert!(!headers(&router, v1()).await.contains_key("weir-regions-missing"));
}

#[tokio::test]
async fn a_region_of_which_nothing_is_known_is_left_out_and_heals() {
    let (here, there) = layouts();
    let fixture = Fixture::new(&here);
    let (router, away, _) = fixture.beside(&there);
    let known = away.send_replace(Arc::new(PartitionView::loading("not connected to NATS")));
    for _ in 0..2 {
        let found = answer(&router).await;
        assert_eq!(figures(&found), &json!([3, 3, 3]));
        assert_eq!((&found["meta"]["regions"], &found["meta"]["regions_missing"]), (&json!(["local"]), &json!(["away"])));
        assert_eq!(found["meta"]["region_states"], json!({"away": "not_loaded"}));
        assert_eq!(found["meta"]["complete_through"].as_object().unwrap().len(), 1);
    }
    away.send_replace(known);
    assert_eq!(figures(&answer(&router).await), &json!([8, 8, 8]));
    // Not even the figures that were kept are those of before.
    away.send_replace(Arc::new(PartitionView::loading("again")));
    assert_eq!(figures(&answer(&router).await), &json!([3, 3, 3]));
}

#[tokio::test]
async fn a_region_whose_files_cannot_be_read_is_left_out_of_everything() {
    let (here, there) = layouts();
    for request in 0..3 {
        let fixture = Fixture::new(&here);
        let (router, _away, other) = fixture.beside(&there);
        std::fs::remove_dir_all(other.store.local_path("parts").unwrap()).unwrap();
        let figures_of = match request {
            0 => figures(&answer(&router).await).clone(),
            1 => ask(&router, get("/api/v1/stats/realtime/visitors?site_id=a.example", Some(KEY))).await.1,
            _ => {
                let ledger = get("/api/ledger?site_id=a.example&from=2026-11-20&to=2026-11-22", Some(KEY));
                ask(&router, ledger).await.1["totals"]["accepted"].clone()
            }
        };
        assert_eq!(figures_of, [json!([3, 3, 3]), json!(0), json!(3)][request]);
        let found = answer(&router).await;
        assert_eq!((figures(&found), &found["meta"]["region_states"]), (&json!([3, 3, 3]), &json!({"away": "unreadable"})));
        assert!(other.unreadable().is_some());
    }
}

#[tokio::test]
async fn the_own_regions_damage_is_nobody_elses() {
    let (here, there) = layouts();
    let fixture = Fixture::new(&here);
    let (router, _away, _) = fixture.beside(&there);
    std::fs::remove_dir_all(fixture.folder().join("files/parts")).unwrap();
    let (status, body) = ask(&router, query(&json!({}))).await;
    assert_eq!((status.as_u16(), &body["code"]), (503, &json!("part_damaged")));
}

#[tokio::test]
async fn a_revision_is_one_of_the_own_region() {
    let (here, there) = layouts();
    let fixture = Fixture::new(&here);
    let (router, _away, _) = fixture.beside(&there);
    let body = json!({"site_id": "a.example", "metrics": ["visitors"], "date_range": ["2026-11-20", "2026-11-20"]});
    let mut request = post(KEY, &body.to_string());
    *request.uri_mut() = "/api/v2/query?rev=42".parse().unwrap();
    let found = ask(&router, request).await.1;
    assert_eq!(figures(&found), &json!([2]), "what is sealed here");
    assert_eq!(
        (&found["meta"]["regions"], &found["meta"]["region_states"]),
        (&json!(["local"]), &json!({"away": "other_revision"}))
    );
}

#[tokio::test]
async fn the_ledger_and_the_operator_see_each_region() {
    let (here, there) = layouts();
    let fixture = Fixture::new(&here);
    let (router, away, _) = fixture.beside(&there);
    let ledger = || get("/api/ledger?from=2026-11-20&to=2026-11-22", Some(ADMIN_KEY));
    let found = ask(&router, ledger()).await.1;
    assert_eq!((&found["totals"]["accepted"], &found["balance"]["is_balanced"]), (&json!(8), &json!(true)));
    let partitions: Vec<_> = found["balance"]["partitions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["region"].as_str(), one["accepted"].as_u64()))
        .collect();
    assert_eq!(partitions, [(Some("local"), Some(3)), (Some("away"), Some(5))]);
    assert_eq!((&found["meta"]["regions"], found["meta"].get("regions_missing")), (&json!(["away", "local"]), None));
    let overview = async || ask(&router, get("/api/operator/overview", Some(ADMIN_KEY))).await.1["regions"].clone();
    let told = overview().await;
    assert_eq!((&told[0]["region"], &told[0]["state"], &told[0]["home"]), (&json!("local"), &json!("own"), &Value::Null));
    assert_eq!(
        (&told[1]["region"], &told[1]["state"], &told[1]["partitions"][0]["accepted"]),
        (&json!("away"), &json!("live"), &json!(5))
    );
    away.send_modify(|view| Arc::make_mut(view).heard_ms = 0);
    assert_eq!(overview().await[1]["state"], "away");
    assert_eq!(ask(&router, ledger()).await.1["meta"]["regions_missing"], json!(["away"]));
    let status = ask(&router, get("/api/status", Some(ADMIN_KEY))).await.1;
    assert_eq!((&status[0]["region"], &status[1]["region"]), (&json!("local"), &json!("away")));
    let metrics = send(&router, get("/metrics", None)).await.1;
    assert!(metrics.contains("query_region_missing{region=\"away\"} 1\n"), "{metrics}");
    assert!(metrics.contains("query_accepted_events{region=\"away\",partition=\"0\"} 5\n"), "{metrics}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, max_shrink_iters: 40, ..ProptestConfig::default() })]

    #[test]
    fn regions_change_no_answer(
        stories in prop::collection::vec(story(), 1..12),
        order in prop::collection::vec(0_usize..50, 1..20),
        picks in prop::collection::vec(0_usize..4, 1..20),
        tails in (0_usize..20, 0_usize..20),
    ) {
        let rows = rows(&stories, &order);
        // A visitor is one of one region: elsewhere he would be another.
        let of = |rest: u64, tail: usize| {
            let mut some: Vec<EventRow> = rows.iter().filter(|row| row.opening.visitor_id % 2 == rest).cloned().collect();
            some.iter_mut().zip(1..).for_each(|(row, seq)| row.position.seq = seq);
            if some.is_empty() {
                return Layout { parts: Vec::new(), tables: Vec::new(), sealed_seq: 0, folded_seq: 0 };
            }
            divide(&some, &picks, tail)
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let whole = Fixture::new(&Layout::sealed(&rows));
            let fixture = Fixture::new(&of(0, tails.0));
            let (router, _away, _) = fixture.beside(&of(1, tails.1));
            for query in queries() {
                let mut body = json!({"site_id": "a.example"});
                body.as_object_mut().unwrap().extend(query.as_object().unwrap().clone());
                let found = ask(&router, post(KEY, &body.to_string())).await.1;
                let expected = whole.answer(query.clone()).await;
                prop_assert_eq!(&found["results"], &expected["results"], "{}", query);
                prop_assert_eq!(&found["meta"]["total_rows"], &expected["meta"]["total_rows"]);
            }
            Ok(())
        })?;
    }
}
