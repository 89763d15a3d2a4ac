//! Several queries in one request: each answered, refused and limited as if it had come alone.

use crate::fixture::{ADMIN_KEY, Fixture, KEY, Layout, NOW_MS, Visit, get, post};
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;
use weir_query_api::limits::LimitSettings;
use weir_rollup::row::Opening;

fn layout() -> Layout {
    let visit = |id: u64, site: u32| Visit::new(id, Opening { visitor_id: id, ..Opening::default() }).of_site(site);
    let ago = |seconds: i64| NOW_MS as i64 - seconds * 1_000;
    Layout::sealed(&[
        visit(1, 1).event(1, ago(4_000), "pageview", "/", &[]),
        visit(2, 1).event(2, ago(20), "pageview", "/docs", &[]),
        visit(3, 2).event(3, ago(20), "pageview", "/", &[]),
    ])
}

fn batch(key: &str, body: &Value) -> Request<Body> {
    let request = Request::post("/api/v2/queries").header("authorization", format!("Bearer {key}"));
    request.body(Body::from(body.to_string())).unwrap()
}

async fn answer(fixture: &Fixture, key: &str, body: &Value) -> Value {
    let (status, text) = fixture.send(batch(key, body)).await;
    assert_eq!(status, StatusCode::OK, "{text}");
    serde_json::from_str(&text).unwrap()
}

fn query(site: &str, more: &Value) -> Value {
    let mut query = json!({"site_id": site, "metrics": ["visitors"], "date_range": "day"});
    query.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    query
}

#[tokio::test]
async fn each_is_answered_as_if_it_had_come_alone() {
    let fixture = Fixture::new(&layout());
    let queries = [
        query("a.example", &json!({})),
        query("a.example", &json!({"dimensions": ["event:page"]})),
        query("b.example", &json!({})),
        query("a.example", &json!({"metrics": ["teleports"]})),
        query("a.example", &json!({"date_range": "7d", "dimensions": ["time:day"], "include": {"time_labels": true}})),
        json!({"metrics": ["visitors"], "date_range": "day"}),
        query("unknown.example", &json!({})),
        query("away.example", &json!({})),
    ];
    for key in [KEY, "weir_two", ADMIN_KEY] {
        let together = answer(&fixture, key, &json!({"queries": queries})).await;
        assert_eq!(together.as_object().unwrap().len(), 1, "{together}");
        let together = together["answers"].as_array().unwrap().clone();
        assert_eq!(together.len(), queries.len());
        for (query, found) in queries.iter().zip(together) {
            let (status, text) = fixture.send(post(key, &query.to_string())).await;
            let mut alone: Value = serde_json::from_str(&text).unwrap();
            if status != StatusCode::OK {
                alone["status"] = status.as_u16().into();
            }
            assert_eq!(found, alone, "{key} {query}");
        }
    }
}

#[tokio::test]
async fn current_visitors_come_along() {
    let fixture = Fixture::new(&layout());
    let both = answer(&fixture, KEY, &json!({"queries": [], "current_visitors": ["a.example", "b.example"]})).await;
    assert_eq!(both["answers"], json!([]));
    assert_eq!(both["current_visitors"]["a.example"], 1);
    let refused = &both["current_visitors"]["b.example"];
    assert_eq!((&refused["status"], &refused["code"]), (&json!(401), &json!("invalid_api_key")));
    let all = answer(&fixture, ADMIN_KEY, &json!({"current_visitors": ["a.example", "b.example"]})).await;
    assert_eq!(all["current_visitors"], json!({"a.example": 1, "b.example": 1}));
}

#[tokio::test]
async fn what_is_no_list_is_refused_whole() {
    let fixture = Fixture::new(&layout());
    let many = vec![query("a.example", &json!({})); 41];
    for body in [
        json!({}),
        json!([]),
        json!({"queries": []}),
        json!({"queries": [], "current_visitors": []}),
        json!({"queries": "all"}),
        json!({"queries": [query("a.example", &json!({})), 7]}),
        json!({"current_visitors": [""]}),
        json!({"queries": many}),
        json!({"current_visitors": [7]}),
        json!({"current_visitors": vec!["a.example"; 41]}),
    ] {
        let (status, text) = fixture.send(batch(KEY, &body)).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");
        assert!(text.contains("\"invalid_queries\"") && text.contains("at most 40"), "{text}");
    }
    assert_eq!(fixture.send(batch("nobody", &json!({"queries": many}))).await.0, StatusCode::UNAUTHORIZED);
    let large = json!({"queries": [query("a.example", &json!({"date": "x".repeat(500_000)}))]});
    assert_eq!(fixture.send(batch(KEY, &large)).await.0, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(fixture.send(batch(KEY, &json!({"queries": many[..40]}))).await.0, StatusCode::OK);
}

#[tokio::test]
async fn each_counts_as_a_request_of_its_key() {
    let fixture = Fixture::limited(&layout(), LimitSettings { requests_per_hour: 3, engine_seconds_per_hour: 0 });
    let body = json!({"queries": vec![query("a.example", &json!({})); 4], "current_visitors": ["a.example"]});
    let (status, text) = fixture.send(batch(KEY, &body)).await;
    assert_eq!(status, StatusCode::OK);
    let together: Value = serde_json::from_str(&text).unwrap();
    let codes: Vec<&Value> = together["answers"].as_array().unwrap().iter().map(|one| &one["code"]).collect();
    let refused = json!("too_many_requests");
    assert_eq!(codes, [&Value::Null, &Value::Null, &Value::Null, &refused]);
    assert_eq!(together["current_visitors"]["a.example"]["code"], refused);
    assert_eq!(fixture.send(batch(KEY, &body)).await.0, StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn figures_that_are_known_are_not_sent_again() {
    let fixture = Fixture::new(&layout());
    let body = json!({"queries": [query("a.example", &json!({})), query("a.example", &json!({"dimensions": ["event:page"]}))]});
    let send = async |body: &Value, tag: &str| {
        let mut request = batch(KEY, body);
        request.headers_mut().insert(header::IF_NONE_MATCH, tag.parse().unwrap());
        let (parts, body) = fixture.router.clone().oneshot(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let header = |name: &str| parts.headers.get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
        (parts.status, header("etag"), header("weir-watermark"), body)
    };
    let (status, tag, watermark, text) = send(&body, "\"none\"").await;
    assert_eq!((status, watermark.as_str()), (StatusCode::OK, "2026-11-21T10:20:30.206Z"));
    assert!(tag.starts_with("W/\"") && !text.is_empty());
    let (status, same, watermark, text) = send(&body, &tag).await;
    assert_eq!((status, &same, watermark.as_str()), (StatusCode::NOT_MODIFIED, &tag, "2026-11-21T10:20:30.206Z"));
    assert!(text.is_empty());
    // Another order is another answer; a fault of ours is none to be kept.
    let queries = body["queries"].as_array().unwrap();
    let (_, other, _, _) = send(&json!({"queries": [queries[1], queries[0]]}), &tag).await;
    assert_ne!(other, tag);
    let request = batch(ADMIN_KEY, &json!({"queries": [queries[0], query("away.example", &json!({}))]}));
    let response = fixture.router.clone().oneshot(request).await.unwrap();
    assert_eq!((response.status(), response.headers().get(header::ETAG)), (StatusCode::OK, None));
}

#[tokio::test]
async fn all_are_of_one_revision() {
    let fixture = Fixture::new(&layout());
    let send = async |key: &str| {
        let mut request = batch(key, &json!({"queries": [query("a.example", &json!({}))]}));
        *request.uri_mut() = "/api/v2/queries?rev=shadow".parse().unwrap();
        fixture.send(request).await
    };
    assert_eq!(send(KEY).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(send(ADMIN_KEY).await.0, StatusCode::OK);
    assert!(fixture.send(get("/api/v2/queries", Some(KEY))).await.0 == StatusCode::METHOD_NOT_ALLOWED);
}
