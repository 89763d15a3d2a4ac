//! What the checklist of OWASP's API Security Top 10 asks of all routes alike: cookies, bodies without end, what an answer tells. And the checklist itself:
//! the tests that it names are there. Routes come from the description of the API, so that a new one is looked at without being named here.

use crate::fixture::{ADMIN_KEY, Fixture, KEY, Layout, NOW_MS, Visit, post, send};
use crate::openapi::{DASHBOARD, document};
use crate::runs::Tests;
use crate::served::{root, serve};
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use futures::stream;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use weir_query_api::error::ApiError;
use weir_query_api::operator::{Action, Answered, OperatorActions};
use weir_reader::control::links;
use weir_rollup::row::Opening;

const PASSWORD: &str = "open sesame, please";
/// More than any route takes, bytes.
const OVER: usize = 7_000_000;
/// What may be read of a body that has no end, bytes.
const READ_MAX: usize = 9_000_000;
const METHODS: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"];

/// Does everything at once, and nothing.
struct Nothing;

impl OperatorActions for Nothing {
    fn status(&self) -> Answered<'_> {
        Box::pin(async { Ok(Value::Null) })
    }

    fn rejected(&self, _limit: u32) -> Answered<'_> {
        Box::pin(async { Ok(json!([])) })
    }

    fn rules(&self, _file: Option<String>) -> Answered<'_> {
        Box::pin(async { Ok(json!({"files": []})) })
    }

    fn perform(&self, _action: Action, _stop: CancellationToken) -> Answered<'_> {
        Box::pin(async { Ok(Value::Null) })
    }
}

fn fixture() -> Fixture {
    let visit = Visit::new(1, Opening { visitor_id: 1, ..Opening::default() });
    let row = |seq: u64| visit.event(seq, NOW_MS as i64 - 60_000, "pageview", "/", &[]);
    let password = links::hash(PASSWORD).unwrap();
    let definitions = json!({"shared_links": [
        {"id": 4, "name": "open", "slug": "slug"},
        {"id": 5, "name": "closed", "slug": "closed", "password": password},
    ]});
    Fixture::with(&Layout { parts: vec![vec![row(1)]], tables: vec![vec![row(2)]], sealed_seq: 1, folded_seq: 2 }, &definitions)
}

/// Of each cookie that an answer sets: its name, its value, its attributes in order.
fn cookies(response: &Response) -> Vec<(String, String, Vec<String>)> {
    let set = response.headers().get_all(header::SET_COOKIE).iter().map(|value| value.to_str().unwrap());
    set.map(|text| {
        let mut fields = text.split(';').map(str::trim);
        let (name, value) = fields.next().unwrap().split_once('=').unwrap();
        let mut attributes: Vec<String> = fields.map(str::to_owned).collect();
        attributes.sort_unstable();
        (name.to_owned(), value.to_owned(), attributes)
    })
    .collect()
}

#[tokio::test]
async fn cookies_cannot_be_read_by_scripts_nor_sent_by_other_pages() {
    let fixture = fixture();
    let closed = "/api/share/closed/session";
    // Method, address, body, names of the cookies, seconds that they live.
    let ways: [(&str, &str, Value, &[&str], u32); 7] = [
        ("POST", "/api/session", json!({"key": KEY}), &["weir_session"], 43_200),
        ("POST", "/api/share/slug/session", json!({}), &["weir_share"], 43_200),
        ("POST", closed, json!({"password": PASSWORD}), &["weir_share"], 43_200),
        ("DELETE", "/api/session", Value::Null, &["weir_session", "weir_share"], 0),
        ("POST", "/api/session", json!({"key": "nobody"}), &[], 0),
        ("POST", closed, json!({"password": "Open sesame, please"}), &[], 0),
        ("POST", closed, json!({"password": PASSWORD, "embed": true}), &[], 0),
    ];
    // Whoever ends TLS in front says so; of several proxies the first speaks of the browser.
    for (proto, is_secure) in
        [(None, false), (Some("http"), false), (Some("https"), true), (Some("HTTPS"), true), (Some("https, http"), true)]
    {
        for (method, path, body, names, life_s) in &ways {
            let mut request = Request::builder().method(*method).uri(*path);
            if let Some(proto) = proto {
                request = request.header("x-forwarded-proto", proto);
            }
            let request = request.body(Body::from(body.to_string())).unwrap();
            let response = fixture.router.clone().oneshot(request).await.unwrap();
            let told = format!("{method} {path} {body} {proto:?}: {} {:?}", response.status(), response.headers());
            let found = cookies(&response);
            assert_eq!(found.iter().map(|(name, ..)| name.as_str()).collect::<Vec<_>>(), *names, "{told}");
            let mut expected = vec!["HttpOnly".to_owned(), format!("Max-Age={life_s}"), "Path=/".to_owned()];
            expected.push("SameSite=Strict".to_owned());
            expected.extend(is_secure.then(|| "Secure".to_owned()));
            for (name, value, attributes) in &found {
                assert_eq!(*attributes, expected, "{told}");
                assert_eq!(value.is_empty(), *life_s == 0, "{told}");
                assert!(!value.contains(KEY) && !value.contains(PASSWORD), "{told}");
                if *life_s > 0 {
                    is_of_its_own_page_only(&fixture, &format!("{name}={value}")).await;
                }
            }
        }
    }
}

/// A browser that sends it from another's page, or does not know `SameSite`, gets nothing for it.
async fn is_of_its_own_page_only(fixture: &Fixture, cookie: &str) {
    for (name, value, status) in [
        ("sec-fetch-site", "same-origin", 200),
        ("sec-fetch-site", "same-site", 401),
        ("sec-fetch-site", "cross-site", 401),
        ("origin", "https://stats.example", 200),
        ("origin", "https://evil.example", 401),
        ("origin", "null", 401),
    ] {
        let request = Request::get("/api/sites").header(header::COOKIE, cookie).header(header::HOST, "stats.example");
        let request = request.header(name, value).body(Body::empty()).unwrap();
        assert_eq!(fixture.send(request).await.0, status, "{cookie} with {name}: {value}");
    }
}

/// An operation of the description.
struct Operation {
    method: String,
    path: String,
    takes_a_body: bool,
}

impl Operation {
    fn request(&self, body: Body) -> Request<Body> {
        let request = Request::builder().method(self.method.as_str()).uri(&self.path);
        request.header(header::AUTHORIZATION, format!("Bearer {ADMIN_KEY}")).body(body).unwrap()
    }
}

/// An address whose placeholders are filled in.
fn filled(template: &str) -> String {
    let fill = |segment: &str| match segment.trim_start_matches(['{', '*']).trim_end_matches('}') {
        name if name == segment => segment.to_owned(),
        "slug" => "slug".to_owned(),
        "action" => "plan".to_owned(),
        "site_id" | "domain" => "a.example".to_owned(),
        _ => "1".to_owned(),
    };
    template.split('/').map(fill).collect::<Vec<_>>().join("/")
}

async fn operations(fixture: &Fixture) -> Vec<Operation> {
    let document = document(fixture).await;
    let paths = document["paths"].as_object().unwrap().iter();
    let operations = paths.flat_map(|(path, operations)| {
        let operations = operations.as_object().unwrap().iter();
        operations.map(|(method, operation)| Operation {
            method: method.to_uppercase(),
            path: filled(path),
            takes_a_body: operation.get("requestBody").is_some(),
        })
    });
    operations.collect()
}

/// A body of a gigabyte, and how much of it was asked for.
fn endless() -> (Body, Arc<AtomicUsize>) {
    let given = Arc::new(AtomicUsize::new(0));
    let piece = Bytes::from(vec![b' '; 65_536]);
    let count = Arc::clone(&given);
    let pieces = (0..16_384).map(move |_| {
        count.fetch_add(piece.len(), Ordering::Relaxed);
        Ok::<_, Infallible>(piece.clone())
    });
    (Body::from_stream(stream::iter(pieces)), given)
}

/// The limit that an answer names, if it is the answer to a body that is too large.
fn refused_over((status, text): &(StatusCode, String)) -> Option<usize> {
    let body: Value = serde_json::from_str(text).ok()?;
    let limit = body["error"].as_str()?.strip_prefix("The request body is larger than ")?.strip_suffix(" bytes.")?;
    (*status == StatusCode::PAYLOAD_TOO_LARGE && body["code"] == "body_too_large").then(|| limit.parse().ok())?
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_by_every_route_that_takes_one() {
    let fixture = fixture();
    // Operators' routes look at a body where they have means only.
    let router = fixture.operated(Arc::new(Nothing));
    let spaces = |length: usize| Body::from(vec![b' '; length]);
    let operations = operations(&fixture).await;
    let mut taking = 0;
    for operation in &operations {
        let told = format!("{} {}", operation.method, operation.path);
        let answer = send(&router, operation.request(spaces(OVER))).await;
        if !operation.takes_a_body {
            // Those that read one all the same have the same limit; the others leave it where it is.
            assert!(answer.0 != StatusCode::INTERNAL_SERVER_ERROR, "{told}: {answer:?}");
            continue;
        }
        taking += 1;
        let limit = refused_over(&answer).unwrap_or_else(|| panic!("{told}: {answer:?}"));
        let (at, over) = (send(&router, operation.request(spaces(limit))).await, operation.request(spaces(limit + 1)));
        assert!(at.0.is_client_error() && refused_over(&at).is_none(), "{told} with {limit} bytes: {at:?}");
        assert_eq!(refused_over(&send(&router, over).await), Some(limit), "{told} with a byte more");
        let (body, given) = endless();
        assert_eq!(refused_over(&send(&router, operation.request(body)).await), Some(limit), "{told} without an end");
        assert!(given.load(Ordering::Relaxed) <= READ_MAX, "{told} read {given:?} bytes");
    }
    assert!(taking > 12 && operations.len() > taking + 12, "{taking} of {}", operations.len());
    let query = json!({"site_id": "a.example", "metrics": ["pageviews"], "date_range": "day"});
    let (status, answer) = send(&router, post(KEY, &query.to_string())).await;
    assert!(status == 200 && answer.contains("\"metrics\":[2]"), "it lives on: {answer}");
}

/// Words of the inside: places of files, the engine's and the compiler's texts, addresses of machines.
const INSIDE: [&str; 22] = [
    "/home/",
    "/root/",
    "/tmp/",
    "/var/",
    "/usr/",
    "/src/",
    ".rs:",
    ".duckdb",
    "panicked",
    "backtrace",
    "RUST_",
    "duckdb::",
    "SELECT ",
    "read_parquet",
    "Binder Error",
    "Catalog Error",
    "IO Error",
    "os error",
    "nats://",
    "127.0.0.1",
    "localhost",
    "thread '",
];

/// What stands behind an address: the answer to it, in short.
struct Told {
    /// Who asked what.
    question: String,
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl Told {
    /// Everything that is wrong with an answer.
    fn faults(&self, is_head: bool, inside: &[String], marker: &str) -> Vec<String> {
        let text = |name: &str| self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let mut faults = Vec::new();
        for (name, expected) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-opener-policy", "same-origin"),
        ] {
            if text(name) != expected {
                faults.push(format!("{name} is {:?}", text(name)));
            }
        }
        let policy = text("content-security-policy");
        if !policy.starts_with("default-src 'none'; ") || !policy.contains("frame-ancestors '") || policy.contains("unsafe") {
            faults.push(format!("the policy is {policy:?}"));
        }
        if text("cache-control").is_empty() {
            faults.push("nothing is said of caching".to_owned());
        }
        for name in self.headers.keys().map(header::HeaderName::as_str) {
            // Signing out forgets both cookies, whoever asks for it.
            let is_cookie = name == "set-cookie" && !self.question.starts_with("DELETE /api/session");
            if is_cookie || ["server", "x-powered-by", "via"].contains(&name) || name.starts_with("access-control") {
                faults.push(format!("it has the header {name}"));
            }
        }
        let all = format!("{:?} {}", self.headers, self.body);
        faults.extend(inside.iter().filter(|word| all.contains(word.as_str())).map(|word| format!("it tells {word:?}")));
        if all.contains(marker) {
            faults.push("it gives back a header of the request".to_owned());
        }
        let is_fault = self.status.is_client_error() || self.status.is_server_error();
        if is_fault {
            faults.extend(INSIDE.iter().filter(|word| all.contains(**word)).map(|word| format!("it tells of {word:?}")));
            if !is_head && !is_typed(&self.body) {
                faults.push("the body is no fault as the description has it".to_owned());
            }
            if text("content-type") != "application/json" {
                faults.push(format!("it is {:?}", text("content-type")));
            }
        }
        let is_odd = self.status == StatusCode::METHOD_NOT_ALLOWED;
        if is_odd != self.headers.contains_key(header::ALLOW) || (is_odd && text("allow").is_empty()) {
            faults.push(format!("Allow is {:?}", text("allow")));
        }
        faults.into_iter().map(|fault| format!("{}: {} {fault}: {}", self.question, self.status, self.body)).collect()
    }
}

/// Two texts and nothing else, the code one of those that are described.
fn is_typed(body: &str) -> bool {
    let Ok(Value::Object(fields)) = serde_json::from_str(body) else { return false };
    let names: BTreeSet<&str> = fields.keys().map(String::as_str).collect();
    let code = fields.get("code").and_then(Value::as_str);
    names == BTreeSet::from(["code", "error"])
        && fields["error"].is_string()
        && code.is_some_and(|code| ApiError::codes().any(|known| known == code))
}

/// Header of every question: nobody gives it back.
const MARKER: &str = "marker-4711-of-the-request";

async fn ask(router: &Router, method: &str, path: &str, key: Option<&str>, body: &str) -> Told {
    let mut request = Request::builder().method(Method::from_bytes(method.as_bytes()).unwrap()).uri(path);
    request = request.header("x-marker", MARKER).header(header::ORIGIN, "https://evil.example");
    if let Some(key) = key {
        request = request.header(header::AUTHORIZATION, format!("Bearer {key}"));
    }
    let request = request.body(Body::from(body.to_owned())).unwrap();
    let (parts, answer) = router.clone().oneshot(request).await.unwrap().into_parts();
    let answer = answer.collect().await.unwrap().to_bytes();
    let body = String::from_utf8_lossy(&answer).into_owned();
    Told { question: format!("{method} {path} by {key:?}"), status: parts.status, headers: parts.headers, body }
}

/// Addresses and the methods that are described for them; those of the dashboard are read only.
async fn routes(fixture: &Fixture) -> BTreeMap<String, BTreeSet<String>> {
    let mut routes: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for operation in operations(fixture).await {
        routes.entry(operation.path).or_default().insert(operation.method);
    }
    let others = ["/nowhere", "/%2e%2e/%2e%2e/etc/passwd", "/assets/..%2f..%2fCargo.toml", "/api/nowhere", "/.git/config"];
    for path in DASHBOARD.iter().map(|path| filled(path)).chain(others.map(str::to_owned)) {
        routes.entry(path).or_default().insert("GET".to_owned());
    }
    routes
}

#[tokio::test]
async fn every_answer_to_every_method_says_nothing_but_what_it_must() {
    let fixture = fixture();
    let routes = routes(&fixture).await;
    let good = json!({"site_id": "a.example", "metrics": ["visitors"], "date_range": "7d", "queries": []}).to_string();
    let probes = [
        ("", String::new()),
        ("?site_id=a.example&metrics=visitors&property=event:page&period=7d&date=2026-11-21", good),
        (
            "?site_id=a.example'%22%3Cscript%3E%00/etc/passwd&metrics=x&limit=-1&rev=9&from=x&period=custom",
            "{\"site_id\":".to_owned(),
        ),
        (
            "?site_id=a.example&rev=shadow&limit=x&property=%27;%20DROP",
            json!({"site_id": ["x"], "metrics": 7, "key": 1}).to_string(),
        ),
    ];
    let inside = [fixture.folder().display().to_string(), root().display().to_string()];
    let mut statuses: BTreeMap<u16, usize> = BTreeMap::new();
    let mut faults = BTreeSet::new();
    for is_whole in [true, false] {
        if !is_whole {
            // Nothing that an answer is made of is there any more.
            std::fs::remove_dir_all(fixture.folder().join("files")).unwrap();
            fixture.now_ms.fetch_add(1, Ordering::Relaxed);
        }
        let nodes = [fixture.operated(Arc::new(Nothing)), fixture.uncached()];
        for (path, described) in &routes {
            for method in METHODS {
                // Only operators' routes depend on what the node can do.
                let asked_nodes = if path.starts_with("/api/operator/") { &nodes[..] } else { &nodes[..1] };
                for (key, (query, body)) in [None, Some("nobody"), Some(KEY), Some(ADMIN_KEY)].into_iter().flat_map(|key| {
                    let asked = if key.is_some() { &probes[..] } else { &probes[..1] };
                    asked.iter().map(move |probe| (key, probe))
                }) {
                    for router in asked_nodes {
                        let told = ask(router, method, &format!("{path}{query}"), key, body).await;
                        let is_known = described.contains(method) || (method == "HEAD" && described.contains("GET"));
                        if is_known == (told.status == StatusCode::METHOD_NOT_ALLOWED) {
                            faults.insert(format!("{}: {} although described are {described:?}", told.question, told.status));
                        }
                        *statuses.entry(told.status.as_u16()).or_default() += 1;
                        faults.extend(told.faults(method == "HEAD", &inside, MARKER));
                    }
                }
            }
        }
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.iter().take(40).cloned().collect::<Vec<_>>().join("\n"));
    for status in [200, 400, 401, 404, 405, 503] {
        assert!(statuses.get(&status).is_some_and(|count| *count > 20), "too few answers {status}: {statuses:?}");
    }
    assert!(!statuses.contains_key(&500), "{statuses:?}");
}

/// What the server says before any route is asked.
#[tokio::test]
async fn a_request_that_is_none_learns_nothing() {
    let fixture = fixture();
    let url = serve(&fixture).await;
    let address = url.strip_prefix("http://").unwrap();
    for (question, expected) in [
        ("GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".to_owned(), ""),
        ("GET /nowhere HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".to_owned(), "HTTP/1.1 404"),
        ("GET / HTTP/9.9\r\n\r\n".to_owned(), "HTTP/1.1 400"),
        ("\u{16}\u{3}\u{1}\r\n\r\n".to_owned(), "HTTP/1.1 400"),
        ("GET / HTTP/1.1\r\nhost: x\r\ncontent-length: one\r\n\r\n".to_owned(), "HTTP/1.1 400"),
        (format!("GET / HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "y".repeat(600_000)), "HTTP/1.1 431"),
    ] {
        let mut socket = TcpStream::connect(address).await.unwrap();
        // It may be closed before all was read.
        let _sent = socket.write_all(question.as_bytes()).await;
        let mut said = Vec::new();
        let _end = socket.read_to_end(&mut said).await;
        let said = String::from_utf8_lossy(&said).to_lowercase();
        let start: String = question.chars().take(40).collect();
        assert!(said.starts_with(&expected.to_lowercase()) || (said.is_empty() && start.contains("x: y")), "{start}: {said}");
        let (head, _) = said.split_once("\r\n\r\n").unwrap_or((&said, ""));
        for word in ["server:", "x-powered-by", "hyper", "axum", "tokio", "rust"] {
            assert!(!head.contains(word), "{start}: {head}");
        }
    }
}

/// Names in backticks that look like `file::function`, by the risk whose row they stand in; those elsewhere under nothing.
fn named(text: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut named: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in text.lines() {
        let first = line.strip_prefix("| API").and_then(|rest| rest.split_whitespace().next());
        let risk = first.map_or_else(String::new, |number| format!("API{number}"));
        let is_word = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        // Every second piece stands between backticks.
        for name in line.split('`').skip(1).step_by(2) {
            if name.split_once("::").is_some_and(|(file, function)| is_word(file) && is_word(function)) {
                named.entry(risk.clone()).or_default().insert(name.to_owned());
            }
        }
    }
    named
}

#[test]
fn the_checklist_names_tests_that_are_there() {
    let text = std::fs::read_to_string(root().join("infra/security/owasp.md")).unwrap();
    let named = named(&text);
    let risks: Vec<String> = (1..=10).map(|number| format!("API{number}")).collect();
    let without: Vec<_> = risks.iter().filter(|risk| !named.contains_key(*risk)).collect();
    assert!(without.is_empty(), "infra/security/owasp.md names no test for {without:?}");
    let all: BTreeSet<&String> = named.values().flatten().collect();
    assert!(all.len() > 40, "{}: the names are not found any more", all.len());
    let tests = Tests::below(&["aggregator", "edge-worker", "infra", "query-api", "tests", "wasm-pkg"]);
    let faults: Vec<String> = all.iter().filter_map(|name| tests.fault(name)).collect();
    assert!(faults.is_empty(), "infra/security/owasp.md:\n{}", faults.join("\n"));
}

/// The search is one that can fail.
#[test]
fn a_test_is_one_that_runs() {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("a/src/lib.rs", "mod used;\nmod folder;\nfn helper() {}\n");
    write(
        "a/src/used.rs",
        "#[test]\nfn runs() {}\n#[ignore]\n#[test]\nfn waits() {}\n#[test]\n#[ignore = \"x\"]\nfn rests() {}\nfn no_test() {}\n",
    );
    write("a/src/unused.rs", "#[test]\nfn is_never_built() {}\n");
    write("a/src/folder/mod.rs", "    #[tokio::test(flavor = \"x\")]\n    async fn inside() {}\n");
    write("a/tests/whole.rs", "#[tokio::test]\nasync fn end_to_end() {}\n");
    write("a/tests/many/main.rs", "#[path = \"../support/other.rs\"]\nmod other;\n");
    write("a/tests/support/other.rs", "#[test]\nfn elsewhere() {}\n");
    write("a/target/debug/used.rs", "#[test]\nfn copied() {}\n");
    write("fuzz/fuzz_targets/body.rs", "");
    write("fuzz/fuzz_targets/forgotten.rs", "");
    write("fuzz/Cargo.toml", "[[bin]]\nname = \"body\"\n[[bin]]\nname = \"gone\"\n");
    let tests = Tests::in_folders(&[folder.path().join("a")], &folder.path().join("fuzz"));
    for name in ["used::runs", "mod::inside", "whole::end_to_end", "other::elsewhere", "fuzz::body"] {
        assert_eq!(tests.fault(name), None, "{name}");
    }
    for name in [
        "used::waits",
        "used::rests",
        "used::no_test",
        "used::copied",
        "lib::helper",
        "unused::is_never_built",
        "used::inside",
        "whole::end",
        "fuzz::forgotten",
        "fuzz::gone",
        "fuzz::nothing",
    ] {
        assert!(tests.fault(name).is_some(), "{name}");
    }
    let text = "See `a::b`.\n| API1 x | `c.rs` `d::e` | `f::g` |\n| API10 y | | `a::b` |\n";
    let found: Vec<_> = named(text).into_iter().map(|(risk, names)| format!("{risk} {names:?}")).collect();
    assert_eq!(found, [" {\"a::b\"}", "API1 {\"d::e\", \"f::g\"}", "API10 {\"a::b\"}"]);
}
