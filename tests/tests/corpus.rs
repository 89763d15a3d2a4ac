//! Malformed input to collector and query API: right status and text, the processes alive, nothing lost.

use anyhow::{Context as _, Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};
use weir_tests::collector::{Collector, Visitor, pageview};
use weir_tests::query::{Stats, VISIBLE_WITHIN};
use weir_tests::weir::Weir;

const SITE: &str = "corpus.example";
const MISSING: &str = "Missing API key. Please use a valid Plausible API key as a Bearer Token.";

/// A body and the answer it must get.
struct Case {
    what: &'static str,
    body: Vec<u8>,
    status: u16,
    /// Must be in the answer.
    text: &'static str,
    /// How many events of it count.
    taken: u32,
}

fn case(what: &'static str, body: impl Into<Vec<u8>>, status: u16, text: &'static str) -> Case {
    Case { what, body: body.into(), status, text, taken: u32::from(status == 202) }
}

/// A good event with some members replaced.
fn event(changes: Value) -> String {
    let mut body = pageview(SITE, "/here");
    weir_tests::query::merge(&mut body, changes);
    body.to_string()
}

fn nested(levels: usize) -> String {
    format!("{}{}", "[".repeat(levels), "]".repeat(levels))
}

fn event_cases() -> Vec<Case> {
    const NOT_JSON: &str = r#"{"errors":{"request":["Unable to parse request body as json"]}}"#;
    let good = event(json!({}));
    let with_raw_prop = |raw: &str| good.replacen('{', &format!(r#"{{"p":{raw},"#), 1);
    let mut cases = vec![
        case("a good event", good.clone(), 202, "ok"),
        case("empty body", "", 400, NOT_JSON),
        case("blank body", " \n", 400, NOT_JSON),
        case("truncated JSON", good.get(..good.len() / 2).unwrap_or_default(), 400, NOT_JSON),
        case("JSON and more", format!("{good}}}"), 400, NOT_JSON),
        case("a form", "n=pageview&d=corpus.example&u=https://corpus.example/", 400, NOT_JSON),
        case("a string", r#""pageview""#, 400, NOT_JSON),
        case("a number", "1e999", 400, NOT_JSON),
        case("null", "null", 400, NOT_JSON),
        case("NaN", with_raw_prop(r#"{"x":NaN}"#), 400, NOT_JSON),
        case("Infinity", good.replace(r#""pageview""#, "-Infinity"), 400, NOT_JSON),
        case("a bare null byte", good.replace("/here", "/he\0re"), 400, NOT_JSON),
        case("an escaped null byte", good.replace("/here", "/he\\u0000re"), 202, "ok"),
        case("a lone surrogate", good.replace("/here", "/\\ud800"), 400, NOT_JSON),
        case("invalid UTF-8", [good.as_bytes(), b"\xff\xfe"].concat(), 400, "must be valid UTF-8"),
        case(
            "invalid UTF-8 inside a string",
            good.replace("/here", "/@").bytes().map(|b| if b == b'@' { 0xff } else { b }).collect::<Vec<_>>(),
            400,
            "must be valid UTF-8",
        ),
        case(
            "an overlong encoding",
            good.replace("/here", "/@")
                .bytes()
                .flat_map(|b| if b == b'@' { vec![0xc0, 0xaf] } else { vec![b] })
                .collect::<Vec<_>>(),
            400,
            "must be valid UTF-8",
        ),
        case("nesting of 33", nested(33), 400, "must not nest deeper than 32 levels"),
        case("nesting of 100,000", nested(100_000), 400, "must not nest deeper than 32 levels"),
        case(
            "nesting in a property",
            with_raw_prop(&format!(r#"{{"deep":{}}}"#, nested(40))),
            400,
            "must not nest deeper than 32 levels",
        ),
        case("opening brackets only", "[".repeat(50_000), 400, r#"{"errors":{"request":["#),
        case("2 MB body", event(json!({"p": {"x": "y".repeat(2_000_000)}})), 413, "must be at most 1000000 bytes"),
        case("2 MB of brackets", "{".repeat(2_000_000), 413, "must be at most 1000000 bytes"),
        case("15 MB of brackets", "{".repeat(15_000_000), 413, "must be at most 1000000 bytes"),
        case("10 KB URL", event(json!({"u": format!("https://{SITE}/{}", "a".repeat(10_000))})), 400, r#""url""#),
        case("10 KB name", event(json!({"n": "n".repeat(10_000)})), 400, r#""event_name""#),
        case("10 KB domain", event(json!({"d": "d".repeat(10_000)})), 400, r#""domain""#),
        case("10 KB referrer is cut", event(json!({"r": format!("https://r.example/{}", "r".repeat(10_000))})), 202, "ok"),
        case(
            "a property too long",
            event(json!({"p": {"x": "y".repeat(2_001)}})),
            400,
            "keys should have at most 300 bytes and values 2000 bytes",
        ),
        case(
            "a key too long",
            event(json!({"p": {"k".repeat(301): "y"}})),
            400,
            "keys should have at most 300 bytes and values 2000 bytes",
        ),
        case("no URL", r#"{"n":"pageview","d":"corpus.example"}"#, 400, r#"{"errors":{"url":["is required"]}}"#),
        case("no name", r#"{"d":"corpus.example","u":"https://corpus.example/"}"#, 400, r#""event_name""#),
        case("a data URL", event(json!({"u": "data:text/plain,hello"})), 400, "scheme is not allowed"),
        case("an engagement without figures", event(json!({"n": "engagement"})), 400, "at least one of 'sd' or 'e' fields"),
        case("an empty array", "[]", 400, "must have at least one event"),
        case("an array of 101", json!(vec![pageview(SITE, "/many"); 101]).to_string(), 400, "must have at most 100 events"),
        case("an array of wrong things", r#"[1,"a",null,[]]"#, 400, r#""index":3"#),
        case(
            "an array of refused events",
            json!([{"n": "pageview"}, {"d": SITE}]).to_string(),
            400,
            r#""event_name":["can't be blank"]"#,
        ),
    ];
    cases.extend(wrong_types());
    // Arrays are judged one by one.
    let mixed = json!([pageview(SITE, "/here"), {"n": 5.5}, pageview(SITE, "/here"), {"d": SITE, "n": "x"}]).to_string();
    cases.push(Case { what: "an array with some bad", body: mixed.into(), status: 202, text: r#""index":1"#, taken: 2 });
    let hundred = json!(vec![pageview(SITE, "/here"); 100]).to_string();
    cases.push(Case { what: "an array of 100", body: hundred.into(), status: 202, text: "ok", taken: 100 });
    cases
}

/// Wrong types for each field: refused where the field is needed, ignored where it is not.
fn wrong_types() -> Vec<Case> {
    let mut cases = Vec::new();
    for (field, value, status) in [
        ("n", json!({}), 400),
        ("n", json!([]), 400),
        ("n", json!(true), 400),
        ("u", json!(5), 400),
        ("u", json!({}), 400),
        ("d", json!([]), 400),
        ("d", json!(5), 400),
        ("p", json!(5), 202),
        ("p", json!("{not json"), 202),
        ("p", json!({"list": [1], "map": {}, "null": null}), 202),
        ("$", json!("free"), 202),
        ("$", json!({"currency": "nonsense", "amount": "much"}), 202),
        ("i", json!("no"), 202),
        ("v", json!(-1), 202),
        ("h", json!([]), 202),
    ] {
        cases.push(case("a wrong type", event(json!({ field: value })), status, if status == 202 { "ok" } else { "errors" }));
    }
    cases
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn malformed_input_is_refused_and_nothing_is_lost() -> Result<()> {
    let weir = Weir::start().await?;
    weir.add_site(SITE).await?;
    let key = weir.create_key(SITE).await?;
    let pids = weir.run()?.pids;
    let collector = Collector::of(&weir)?;
    let stats = Stats::new(&weir, SITE, &key)?;

    let mut taken = 0;
    let mut wrong = Vec::new();
    for (number, case) in event_cases().into_iter().enumerate() {
        let what =
            format!("{} ({})", case.what, String::from_utf8_lossy(case.body.get(..case.body.len().min(150)).unwrap_or_default()));
        let answer = collector.post_bytes(&Visitor::number(number as u32), case.body).await.with_context(|| what.clone())?;
        let (code, text) = (answer.status().as_u16(), answer.text().await?);
        if code != case.status || !text.contains(case.text) {
            wrong.push(format!("{what}: {code} {text}\n    instead of {} … {}", case.status, case.text));
        }
        taken += case.taken;
        // A good event between the bad ones: neither is it lost nor does it suffer from its neighbours.
        collector.send(&Visitor::number(1000 + number as u32), &pageview(SITE, "/between")).await?;
        taken += 1;
    }
    ensure!(wrong.is_empty(), "collector:\n{}", wrong.join("\n"));
    odd_requests(&collector).await?;
    taken += odd_content_types(&collector).await?;

    stats.await_total(VISIBLE_WITHIN, &["events"], json!({}), &[f64::from(taken)]).await?;
    bad_queries(&stats).await?;
    weir.flush().await?;
    stats.await_total(VISIBLE_WITHIN, &["events"], json!({}), &[f64::from(taken)]).await?;
    ensure!(weir.run()?.pids == pids, "a process was restarted: {:?} → {:?}\n{}", pids, weir.run()?.pids, weir.log("up"));
    Ok(())
}

async fn odd_requests(collector: &Collector) -> Result<()> {
    let client = collector.client();
    // Wrong methods.
    for method in [Method::GET, Method::PUT, Method::DELETE, Method::PATCH] {
        let answer = client.request(method.clone(), collector.endpoint()).send().await?;
        ensure!(answer.status() == 405, "{method}: {}", answer.status());
        ensure!(
            answer.headers().get("allow").is_some_and(|allow| allow.to_str().is_ok_and(|allow| allow.contains("POST"))),
            "{method}: no Allow"
        );
    }
    let answer = client.post(format!("{}/js/script.js", collector.url())).send().await?;
    ensure!(answer.status() == 405, "POST to the script: {}", answer.status());
    let answer = client.get(format!("{}/nowhere", collector.url())).send().await?;
    ensure!(answer.status() == 404, "unknown path: {}", answer.status());

    // Unknown site: taken politely, said plainly.
    let answer = collector.post(&Visitor::number(1), &pageview("unknown.example", "/")).await?;
    let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    ensure!(
        answer.status() == 202
            && header("x-plausible-dropped").as_deref() == Some("1")
            && header("x-dropped-reason").as_deref() == Some("not_found"),
        "unknown site: {} {:?}",
        answer.status(),
        answer.headers()
    );
    ensure!(answer.text().await? == "ok", "unknown site's text");

    // Any page may send: CORS, with preflight.
    let answer = client
        .request(Method::OPTIONS, collector.endpoint())
        .header("origin", "https://elsewhere.example")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "content-type")
        .send()
        .await?;
    ensure!(answer.status().is_success(), "preflight: {}", answer.status());
    for (name, value) in [
        ("access-control-allow-origin", "*"),
        ("access-control-allow-methods", "POST"),
        ("access-control-allow-headers", "content-type"),
    ] {
        let found = answer.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        ensure!(found.to_lowercase().contains(&value.to_lowercase()), "preflight: {name}: {found}");
    }
    let answer = collector.post(&Visitor::number(1), &json!({})).await?;
    ensure!(
        answer.headers().get("access-control-allow-origin").is_some_and(|origin| origin == "*"),
        "refusals carry CORS headers too"
    );

    // The script.
    for name in ["script.js", "script.local.js"] {
        let answer = client.get(format!("{}/js/{name}", collector.url())).send().await?;
        let kind = answer.headers().get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        ensure!(answer.status() == 200 && kind.contains("javascript"), "{name}: {} {kind}", answer.status());
        ensure!(answer.text().await?.contains("/api/event"), "{name} does not send");
    }
    // What is internal is closed.
    let answer = client.get(format!("{}/internal/backlog", collector.url())).send().await?;
    ensure!(matches!(answer.status().as_u16(), 401 | 403 | 404), "backlog without token: {}", answer.status());
    Ok(())
}

/// The content type does not matter: beacons and old browsers send what they like. Returns the number of events taken.
async fn odd_content_types(collector: &Collector) -> Result<u32> {
    let mut taken = 0;
    for (index, kind) in
        ["application/json", "text/plain;charset=UTF-8", "", "application/x-www-form-urlencoded", "image/png", "nonsense"]
            .into_iter()
            .enumerate()
    {
        let request = collector.client().post(collector.endpoint()).header("content-type", kind).body(event(json!({})));
        let answer = Visitor::number(2000 + index as u32).sign(request).send().await?;
        ensure!(answer.status() == 202, "content type {kind:?}: {}", answer.status());
        taken += 1;
    }
    Ok(taken)
}

async fn bad_queries(stats: &Stats) -> Result<()> {
    let mut deep = json!(["is", "event:page", ["/"]]);
    for _ in 0..200 {
        deep = json!(["not", deep]);
    }
    let base = json!({"metrics": ["visitors"]});
    let cases = [
        (json!({"metrics": ["visitors", "x"]}), r#"#/metrics/1: Invalid metric "x""#),
        (json!({"metrics": []}), "#/metrics: "),
        (json!({"metrics": "visitors"}), "#/metrics: "),
        (json!({"metrics": [{}]}), "#/metrics/0: Invalid metric"),
        (json!({"dimensions": ["event:nothing"]}), r#"#/dimensions/0: Invalid dimension "event:nothing""#),
        (json!({"dimensions": [1]}), "#/dimensions/0: Invalid dimension"),
        (json!({"filters": [["like", "event:page", ["/"]]]}), "#/filters/0: Invalid filter"),
        (json!({"filters": [["is", "event:nothing", ["/"]]]}), "#/filters/0: Invalid filter"),
        (json!({"filters": [["is", "event:page", "/"]]}), "#/filters/0: Invalid filter"),
        (json!({"filters": [["and", []]]}), "#/filters/0: Invalid filter"),
        (json!({"filters": "all"}), "#/filters"),
        (json!({"filters": [deep]}), "The request body is not valid JSON."),
        (json!({"date_range": "yesteryear"}), "#/date_range: Invalid date range"),
        (json!({"date_range": ["2024-02-30", "2024-03-01"]}), "#/date_range: Invalid date range"),
        (json!({"date_range": {"from": 1}}), "#/date_range: Invalid date range"),
        (json!({"order_by": [["pageviews", "desc"]]}), "Entry is not a queried metric or dimension."),
        (json!({"order_by": [["visitors", "sideways"]]}), "#/order_by/0: Invalid order_by entry"),
        (json!({"pagination": {"limit": 0}}), "#/pagination/limit"),
        (json!({"pagination": {"limit": 10_001}}), "#/pagination/limit"),
        (json!({"pagination": {"offset": -1}}), "#/pagination/offset"),
        (json!({"include": {"time_labels": true}}), "Invalid include.time_labels: requires a time dimension."),
        (json!({"surprise": 1}), "#/surprise"),
        (
            json!({"metrics": ["bounce_rate"], "dimensions": ["event:name"]}),
            "Session metric(s) `bounce_rate` cannot be queried along with event dimension(s) `event:name`",
        ),
        (json!({"metrics": ["pageviews"], "dimensions": ["visit:entry_page"]}), "visit:entry_page"),
        (json!({"dimensions": ["visit:source'; DROP TABLE events; --"]}), "#/dimensions/0: Invalid dimension"),
        (json!({"metrics": ["visitors) FROM events; --"]}), "#/metrics/0: Invalid metric"),
        (json!({"date_range": ["2024-01-01'; --", "2024-01-02"]}), "#/date_range: Invalid date range"),
    ];
    let mut wrong = Vec::new();
    for (changes, text) in cases {
        let mut request = base.clone();
        weir_tests::query::merge(&mut request, changes.clone());
        let (code, body) = stats.ask(&request).await?;
        if code != 400 || !body["error"].as_str().is_some_and(|error| error.contains(text)) {
            wrong.push(format!(
                "{}: {code} {body}\n    instead of 400 … {text}",
                changes.to_string().chars().take(200).collect::<String>()
            ));
        }
    }
    ensure!(wrong.is_empty(), "query API:\n{}", wrong.join("\n"));
    hostile_values(stats).await?;
    odd_query_requests(stats).await
}

/// SQL in values is only text that nothing equals.
async fn hostile_values(stats: &Stats) -> Result<()> {
    for value in
        ["'", "' OR '1'='1", "'; DROP TABLE events; --", "%", "_", "\\", "\"", "\0", "$1", "?", "/*", "\u{202e}", "a\nb", "{{x}}"]
    {
        for (operation, dimension) in
            [("is", "event:page"), ("is", "visit:source"), ("contains", "event:name"), ("is", "visit:utm_source")]
        {
            let rows = stats.rows(&json!({"metrics": ["events"], "filters": [[operation, dimension, [value]]]})).await?;
            let metrics: Vec<_> = rows.iter().flat_map(|row| row.metrics.clone()).collect();
            ensure!(metrics == [0.0], "{operation} {dimension} {value:?}: {rows:?}");
        }
    }
    Ok(())
}

async fn odd_query_requests(stats: &Stats) -> Result<()> {
    let url = format!("{}/api/v2/query", stats.url());
    let good = json!({"site_id": SITE, "metrics": ["visitors"], "date_range": "day"});
    let check = async |what: &str, request: reqwest::RequestBuilder, expected: &[u16], text: &str| -> Result<()> {
        let answer = request.send().await.with_context(|| what.to_owned())?;
        let code = answer.status().as_u16();
        let body = answer.text().await?;
        let error = serde_json::from_str::<Value>(&body).ok().and_then(|body| body["error"].as_str().map(str::to_owned));
        ensure!(expected.contains(&code) && error.is_some_and(|error| error.contains(text)), "{what}: {code} {body}");
        Ok(())
    };
    let post = || stats.client().post(&url).header("content-type", "application/json");
    check("no key", post().json(&good), &[401], MISSING).await?;
    check("another scheme", post().json(&good).basic_auth(stats.key(), Some("")), &[401], MISSING).await?;
    check("a wrong key", post().json(&good).bearer_auth("weir_wrong"), &[401], "Invalid API key or site ID.").await?;
    check("a hostile key", post().json(&good).bearer_auth("../*.>"), &[401], "Invalid API key or site ID.").await?;
    let mut foreign = good.clone();
    foreign["site_id"] = json!("other.example");
    check("an unknown site", post().json(&foreign).bearer_auth(stats.key()), &[401], "Invalid API key or site ID.").await?;
    foreign["site_id"] = Value::Null;
    check("no site", post().json(&foreign).bearer_auth(stats.key()), &[400], "Missing site ID.").await?;
    for body in ["", "{", "[]", "nonsense", "{\"site_id\":", &nested(10_000)] {
        check(
            &format!("body {:?}", body.get(..body.len().min(20))),
            post().body(body.to_owned()).bearer_auth(stats.key()),
            &[400],
            "",
        )
        .await?;
    }
    check("not UTF-8", post().body(b"{\"site_id\":\"\xff\"}".to_vec()).bearer_auth(stats.key()), &[400], "").await?;
    let huge = json!({"site_id": SITE, "metrics": ["visitors"], "date_range": "day", "filters": [["is", "event:page", vec!["x"; 2_000_000]]]});
    check("a huge body", post().json(&huge).bearer_auth(stats.key()), &[400, 413], "").await?;
    let answer = stats.client().get(&url).bearer_auth(stats.key()).send().await?;
    ensure!(answer.status() == 405, "GET of the query: {}", answer.status());
    Ok(())
}
