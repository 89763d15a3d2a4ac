//! What operators see, and the steps of a replay: one at a time, told while they go on, refused to everyone else. The work itself is a stand-in's.

use crate::fixture::{ADMIN_KEY, Fixture, KEY, Layout, NOW_MS, Visit, get, send};
use axum::Router;
use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use tokio_util::sync::CancellationToken;
use weir_query_api::operator::{Action, ActionError, Answered, OperatorActions};
use weir_rollup::row::Opening;

const REPLAY: &str = "0123456789abcdef0123456789abcdef";

/// Notes what it is asked for. `run` lasts until it is stopped, `diff` fails.
#[derive(Default)]
struct StandIn {
    asked: Mutex<Vec<String>>,
}

impl OperatorActions for StandIn {
    fn status(&self) -> Answered<'_> {
        Box::pin(async { Ok(json!({"id": REPLAY, "phase": "built", "partitions": []})) })
    }

    fn rejected(&self, limit: u32) -> Answered<'_> {
        Box::pin(async move { Ok((1..=limit.min(3)).map(|seq| json!({"seq": seq})).collect()) })
    }

    fn perform(&self, action: Action, stop: CancellationToken) -> Answered<'_> {
        self.asked.lock().unwrap().push(format!("{action:?}"));
        Box::pin(async move {
            match action {
                Action::Run => {
                    stop.cancelled().await;
                    Err(ActionError("interrupted".to_owned()))
                }
                Action::Diff { .. } => Err(ActionError("there is nothing to compare yet".to_owned())),
                other => Ok(json!({"did": other.name()})),
            }
        })
    }
}

fn fixture() -> Fixture {
    let visit = |id: u64| Visit::new(id, Opening { visitor_id: id, ..Opening::default() });
    let at = |seq: u64| visit(seq).event(seq, NOW_MS as i64 - 5_000, "pageview", "/", &[]);
    Fixture::new(&Layout { parts: vec![vec![at(1), at(2)]], tables: vec![vec![at(3)]], sealed_seq: 2, folded_seq: 3 })
}

fn post(key: &str, action: &str, body: &Value) -> Request<Body> {
    let request = Request::post(format!("/api/operator/replay/{action}")).header("authorization", format!("Bearer {key}"));
    request.body(Body::from(body.to_string())).unwrap()
}

async fn ask(router: &Router, request: Request<Body>) -> (u16, Value) {
    let (status, text) = send(router, request).await;
    (status.as_u16(), serde_json::from_str(&text).unwrap())
}

/// The work as it is when it has ended.
async fn ended(router: &Router) -> Value {
    loop {
        let (_, body) = ask(router, get("/api/operator/replay", Some(ADMIN_KEY))).await;
        if body["work"]["state"] != "running" {
            return body;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn partitions_and_their_files() {
    let fixture = fixture();
    let (status, overview) = ask(&fixture.router, get("/api/operator/overview", Some(ADMIN_KEY))).await;
    assert_eq!((status, &overview["now"], &overview["can_act"]), (200, &json!("2026-11-21T10:20:30.456Z"), &json!(false)));
    assert_eq!(overview["regions"].as_array().map(Vec::len), Some(1));
    let partition = &overview["regions"][0]["partitions"][0];
    for (name, expected) in [
        ("partition", json!(0)),
        ("last_seq", json!(3)),
        ("sealed_seq", json!(2)),
        ("folded_seq", json!(3)),
        ("lag", json!(0)),
        ("unsealed", json!(1)),
        ("lag_ms", json!(250)),
        ("revision", json!(42)),
        ("tail_rows", json!(1)),
        ("condition", json!("live")),
        ("alarms", json!([])),
        ("promotion", json!(null)),
    ] {
        assert_eq!(partition[name], expected, "{name}");
    }
    let parts = &partition["parts"];
    assert_eq!((&parts["count"], &parts["rows"]), (&json!(1), &json!(2)));
    let levels = parts["levels"].as_array().unwrap();
    let names: Vec<&str> = levels.iter().map(|level| level["level"].as_str().unwrap()).collect();
    assert_eq!(names, ["flush", "hour", "day", "month"]);
    let sum = |field: &str| levels.iter().map(|level| level[field].as_u64().unwrap()).sum::<u64>();
    assert_eq!((sum("parts"), sum("rows"), json!(sum("bytes"))), (1, 2, parts["bytes"].clone()));
}

#[tokio::test]
async fn a_node_without_means_says_so_and_only_admins_learn_it() {
    let fixture = fixture();
    for path in ["/api/operator/overview", "/api/operator/rejected", "/api/operator/replay"] {
        for (key, status) in [(None, 401), (Some(KEY), 401), (Some("nobody"), 401)] {
            assert_eq!(ask(&fixture.router, get(path, key)).await.0, status, "{path}");
        }
    }
    for path in ["/api/operator/rejected", "/api/operator/replay"] {
        let (status, body) = ask(&fixture.router, get(path, Some(ADMIN_KEY))).await;
        assert_eq!((status, &body["code"]), (501, &json!("no_operator_actions")), "{path}");
    }
    for action in ["plan", "run", "diff", "promote", "rollback", "discard", "stop"] {
        let (status, body) = ask(&fixture.router, post(ADMIN_KEY, action, &json!({"from_seq": 1}))).await;
        assert_eq!((status, &body["code"]), (501, &json!("no_operator_actions")), "{action}");
        assert_eq!(ask(&fixture.router, post(KEY, action, &json!({"from_seq": 1}))).await.0, 401, "{action}");
    }
}

#[tokio::test]
async fn refused_payloads_are_listed_newest_first() {
    let router = fixture().operated(Arc::new(StandIn::default()));
    let (_, body) = ask(&router, get("/api/operator/rejected", Some(ADMIN_KEY))).await;
    assert_eq!(body, json!({"rejected": [{"seq": 3}, {"seq": 2}, {"seq": 1}]}));
    assert_eq!(ask(&router, get("/api/operator/rejected?limit=1", Some(ADMIN_KEY))).await.1["rejected"], json!([{"seq": 1}]));
    let (status, body) = ask(&router, get("/api/operator/rejected?limit=0", Some(ADMIN_KEY))).await;
    assert_eq!((status, &body["code"]), (400, &json!("invalid_replay")));
}

#[tokio::test]
async fn a_replay_goes_on_behind_the_request_and_is_alone() {
    let stand_in = Arc::new(StandIn::default());
    let router = fixture().operated(Arc::clone(&stand_in) as Arc<dyn OperatorActions>);
    let (_, before) = ask(&router, get("/api/operator/replay", Some(ADMIN_KEY))).await;
    assert_eq!((&before["work"], &before["status"]["id"]), (&Value::Null, &json!(REPLAY)));
    assert_eq!(before["can"], json!(["run", "diff", "promote", "discard"]));
    assert_eq!(ask(&router, post(ADMIN_KEY, "stop", &json!({}))).await.1["code"], "nothing_at_work");

    let (status, body) = ask(&router, post(ADMIN_KEY, "run", &json!({}))).await;
    assert_eq!((status, &body["work"]["state"], &body["work"]["action"]), (202, &json!("running"), &json!("run")));
    let (_, during) = ask(&router, get("/api/operator/replay", Some(ADMIN_KEY))).await;
    assert_eq!((&during["can"], &during["work"]["state"]), (&json!(["stop"]), &json!("running")));
    for action in ["plan", "run", "diff", "promote"] {
        let body = json!({"from_seq": 1, "replay_id": REPLAY});
        let (status, body) = ask(&router, post(ADMIN_KEY, action, &body)).await;
        assert_eq!((status, &body["code"]), (409, &json!("replay_busy")), "{action}");
    }
    assert_eq!(ask(&router, post(ADMIN_KEY, "stop", &json!({}))).await.1["work"]["action"], "run");
    let after = ended(&router).await;
    assert_eq!((&after["work"]["state"], &after["work"]["error"]), (&json!("failed"), &json!("interrupted")));

    ask(&router, post(ADMIN_KEY, "plan", &json!({"from_seq": 7}))).await;
    let work = ended(&router).await["work"].clone();
    let at = "2026-11-21T10:20:30.456Z";
    assert_eq!(
        work,
        json!({"action": "plan", "state": "done", "began": at, "ended": at, "result": {"did": "plan"}, "error": null})
    );
    ask(&router, post(ADMIN_KEY, "diff", &json!({}))).await;
    assert_eq!(ended(&router).await["work"]["error"], "there is nothing to compare yet");
    let asked = stand_in.asked.lock().unwrap().clone();
    assert!(asked.len() == 3 && asked[1].contains("Seq(7)"), "{asked:?}");
}

#[tokio::test]
async fn what_changes_what_is_served_names_its_replay() {
    let stand_in = Arc::new(StandIn::default());
    let router = fixture().operated(Arc::clone(&stand_in) as Arc<dyn OperatorActions>);
    for action in ["promote", "rollback", "discard"] {
        for body in [json!({}), json!({"replay_id": null}), json!({"replay_id": "another"})] {
            let (status, answer) = ask(&router, post(ADMIN_KEY, action, &body)).await;
            assert_eq!((status, &answer["code"]), (409, &json!("replay_changed")), "{action} {body}");
        }
        let (status, _) = ask(&router, post(ADMIN_KEY, action, &json!({"replay_id": REPLAY}))).await;
        assert!(status == 200 || status == 202, "{action} {status}");
        assert_eq!(ended(&router).await["work"]["result"]["did"], action);
    }
    assert_eq!(stand_in.asked.lock().unwrap().len(), 3);
    assert_eq!(ask(&router, post(ADMIN_KEY, "plan", &json!({}))).await.1["code"], "invalid_replay");
    assert_eq!(ask(&router, post(ADMIN_KEY, "teleport", &json!({}))).await.0, 404);
}
