//! What a browser learns of who it is, a shared page in another's frame, and which addresses are pages.

use crate::fixture::{ADMIN_KEY, Fixture, KEY, Layout, NOW_MS, get};
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use serde_json::{Value, json};
use tower::ServiceExt;

fn fixture() -> Fixture {
    let links = json!({"shared_links": [{"id": 4, "name": "l", "slug": "slug"}]});
    Fixture::with(&Layout::sealed(&[]), &links)
}

async fn json_of(fixture: &Fixture, request: Request<Body>) -> (StatusCode, Value) {
    let (status, text) = fixture.send(request).await;
    (status, serde_json::from_str(&text).unwrap())
}

fn open(body: &Value) -> Request<Body> {
    Request::post("/api/share/slug/session").body(Body::from(body.to_string())).unwrap()
}

#[tokio::test]
async fn who_asks() {
    let fixture = fixture();
    let who = async |key: Option<&str>| json_of(&fixture, get("/api/session", key)).await;
    assert_eq!(who(None).await.1["code"], "missing_api_key");
    let (status, body) = who(Some("nobody")).await;
    assert_eq!((status, &body["code"]), (StatusCode::UNAUTHORIZED, &json!("invalid_api_key")));
    let reader = json!({"kind": "key", "id": KEY, "operator": false, "account": null, "may": ["stats:read", "sites:read"], "link_site": null});
    assert_eq!(who(Some(KEY)).await, (StatusCode::OK, reader));
    let (_, admin) = who(Some(ADMIN_KEY)).await;
    assert_eq!((&admin["operator"], admin["may"].as_array().unwrap().len()), (&json!(true), 5));
    let response = fixture.router.clone().oneshot(open(&json!({}))).await.unwrap();
    let cookie = response.headers()[header::SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned();
    let request = Request::get("/api/session").header(header::COOKIE, cookie).body(Body::empty()).unwrap();
    let link = json!({"kind": "link", "id": "link.1.4", "operator": false, "account": null, "may": [], "link_site": "a.example"});
    assert_eq!(json_of(&fixture, request).await, (StatusCode::OK, link));
}

#[tokio::test]
async fn a_frame_shows_the_token_of_its_link() {
    let fixture = fixture();
    let response = fixture.router.clone().oneshot(open(&json!({"embed": true}))).await.unwrap();
    assert!(!response.headers().contains_key(header::SET_COOKIE), "a frame keeps no cookie");
    let (_, body) = json_of(&fixture, open(&json!({"embed": true}))).await;
    assert_eq!((&body["domain"], &body["timezone"]), (&json!("a.example"), &json!("UTC")));
    let token = body["token"].as_str().unwrap();
    let (_, sites) = json_of(&fixture, get("/api/sites", Some(token))).await;
    assert_eq!(sites.as_array().unwrap().len(), 1);
    assert_eq!((&sites[0]["domain"], &sites[0]["may"]), (&json!("a.example"), &json!(["read_figures"])));
    // Only a link's: a key's session stays where scripts cannot read it.
    let of_key = fixture.service.directory.session_of_key(KEY, NOW_MS + 60_000).await.unwrap();
    assert_eq!(fixture.send(get("/api/sites", Some(&of_key))).await.0, StatusCode::UNAUTHORIZED);
    let (content, _) = token.rsplit_once('.').unwrap();
    let forged = format!("{content}.{}", "0".repeat(64));
    assert_eq!(fixture.send(get("/api/sites", Some(&forged))).await.0, StatusCode::UNAUTHORIZED);
    fixture.now_ms.fetch_add(13 * 3_600_000, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(fixture.send(get("/api/sites", Some(token))).await.0, StatusCode::UNAUTHORIZED, "it is over");
}

#[tokio::test]
async fn pages_and_who_may_frame_them() {
    let fixture = fixture();
    let page = async |path: &str| {
        let response = fixture.router.clone().oneshot(get(path, None)).await.unwrap();
        let policy = response.headers().get(header::CONTENT_SECURITY_POLICY);
        (response.status(), policy.map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default())
    };
    for path in [
        "/",
        "/sites",
        "/settings?site=a.example",
        "/operator",
        "/sign-in",
        "/share/a.example?auth=slug",
        "/share/a.example%2Fshop",
    ] {
        let (status, policy) = page(path).await;
        // Compiled without the dashboard, there is no page to be framed.
        assert!(status == StatusCode::SERVICE_UNAVAILABLE || policy.ends_with("frame-ancestors 'none'"), "{path} {policy}");
    }
    for (query, is_framed) in
        [("embed=true", true), ("auth=slug&embed=true", true), ("embed=false", false), ("embed", false), ("embed=truer", false)]
    {
        let (_, policy) = page(&format!("/share/a.example?{query}")).await;
        assert_eq!(policy.ends_with("frame-ancestors *"), is_framed, "{query} {policy}");
        assert!(policy.is_empty() || policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"), "{policy}");
    }
    let (_, policy) = page("/settings?embed=true").await;
    assert!(!policy.contains("frame-ancestors *"), "only what is shared");
    assert_eq!(page("/nowhere").await.0, StatusCode::NOT_FOUND);
}
