//! The front door beyond what a browser sends: servers with a key, places, bots, ids that come again, reasons of drops.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use std::time::Duration;
use weir_tests::collector::{Collector, USER_AGENT, Visitor, pageview};
use weir_tests::poll::{Look, until};
use weir_tests::query::Stats;
use weir_tests::weir::Weir;

const SITE: &str = "door.example";
const OTHER: &str = "other.example";
const WITHIN: Duration = Duration::from_secs(10);

/// The events on the stream, by path.
async fn events(weir: &Weir) -> Result<Vec<Value>> {
    let output = weir.output(&["tail", "--from-seq", "1", "--until-end"]).await?;
    let lines = String::from_utf8(output.stdout)?;
    let parsed = lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    Ok(parsed.map(|line| line["event"].clone()).filter(|event| !event.is_null()).collect())
}

async fn event(weir: &Weir, path: &str) -> Result<Value> {
    let all = events(weir).await?;
    all.iter().find(|event| event["pathname"] == path).cloned().with_context(|| format!("{path} is not on the stream: {all:?}"))
}

async fn write_key(weir: &Weir, scope: &str) -> Result<String> {
    let created = weir.json(&["key", "create", "--site", SITE, "--scope", scope]).await?;
    Ok(created["key"].as_str().context("a key")?.to_owned())
}

struct Sender {
    collector: Collector,
    key: String,
}

impl Sender {
    async fn post(&self, body: &Value) -> Result<(u16, String)> {
        let request = self.collector.client().post(self.collector.endpoint()).bearer_auth(&self.key);
        let response = request.header("user-agent", "shop-backend/1.0").body(body.to_string()).send().await?;
        Ok((response.status().as_u16(), response.text().await?))
    }
}

async fn start() -> Result<(Weir, Collector)> {
    let weir = Weir::start().await?;
    weir.add_site(SITE).await?;
    weir.add_site(OTHER).await?;
    let collector = Collector::of(&weir)?;
    Ok((weir, collector))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_with_a_key_names_time_and_client() -> Result<()> {
    let (weir, collector) = start().await?;
    let sender = Sender { collector: collector.clone(), key: write_key(&weir, "events:write").await? };
    let two_hours_ago = chrono::Utc::now() - chrono::Duration::hours(2);
    let body = json!({"n": "pageview", "d": SITE, "u": format!("https://{SITE}/by-server"),
        "timestamp": two_hours_ago.to_rfc3339(), "ip": "8.8.8.8", "user_agent": USER_AGENT});
    ensure!(sender.post(&body).await? == (202, "ok".to_owned()), "{:?}", sender.post(&body).await?);
    let mut other_client = body.clone();
    other_client["ip"] = json!("8.8.4.4");
    other_client["u"] = json!(format!("https://{SITE}/by-server-2"));
    ensure!(sender.post(&other_client).await?.0 == 202, "a second client");

    let (first, second) = (event(&weir, "/by-server").await?, event(&weir, "/by-server-2").await?);
    ensure!(first["event_ms"] == json!(two_hours_ago.timestamp_millis()), "{first}");
    ensure!(first["user_agent"] == USER_AGENT && first["country"] == "US", "{first}");
    ensure!(first["visitor_id"] != second["visitor_id"], "two clients are two visitors");

    let old = json!({"n": "pageview", "d": SITE, "u": format!("https://{SITE}/"), "timestamp": "2020-01-01T00:00:00Z"});
    let expected = json!({"errors": {"timestamp": ["must lie within the last 24 hours"]}}).to_string();
    ensure!(sender.post(&old).await? == (400, expected), "{:?}", sender.post(&old).await?);
    let foreign = json!({"n": "pageview", "d": OTHER, "u": format!("https://{OTHER}/")});
    let expected = json!({"errors": {"domain": ["is not the site of the key"]}}).to_string();
    ensure!(sender.post(&foreign).await? == (400, expected), "a key is for its own site");

    // A body that cannot be read may name a client's address: it is not kept, and what is sent behind it is.
    let broken = collector.client().post(collector.endpoint()).bearer_auth(&sender.key).body(r#"{"n":"x","ip":"8.8.4.4",}"#);
    ensure!(broken.send().await?.status() == 400, "broken JSON");
    until("the refused time is kept", WITHIN, async || {
        let kept = weir.json(&["rejected", "list"]).await?.to_string();
        ensure!(!kept.contains("8.8.4.4"), "an address is kept: {kept}");
        Ok(if kept.contains("2020-01-01") { Look::Done(()) } else { Look::NotYet(kept) })
    })
    .await?;

    let reader = Sender { collector: collector.clone(), key: write_key(&weir, "stats:read").await? };
    ensure!(reader.post(&body).await?.0 == 401, "a key that reads may not write");
    let nobody = Sender { collector, key: "weir_nobody".to_owned() };
    ensure!(nobody.post(&body).await?.0 == 401, "nor may one that does not exist");
    weir.json(&["key", "revoke", &sender.key]).await?;
    until("a revoked key is refused", Duration::from_secs(15), async || {
        let (status, _) = sender.post(&body).await?;
        Ok(if status == 401 { Look::Done(()) } else { Look::NotYet(status.to_string()) })
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_anybody_says_of_time_and_client_is_not_believed() -> Result<()> {
    let (weir, collector) = start().await?;
    let mut body = pageview(SITE, "/forged");
    body["timestamp"] = json!("2020-01-01T00:00:00Z");
    body["ip"] = json!("8.8.8.8");
    collector.send(&Visitor { country: String::new(), ..Visitor::number(1) }, &body).await?;
    let event = event(&weir, "/forged").await?;
    ensure!(event["event_ms"] == event["received_ms"] && event["country"] != "US", "{event}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_country_comes_from_the_table_when_nobody_tells_it() -> Result<()> {
    let (weir, collector) = start().await?;
    for (address, path) in [("8.8.8.8", "/v4"), ("2001:4860:4860::8888", "/v6"), ("192.0.2.1", "/nowhere")] {
        let visitor = Visitor { address: address.into(), user_agent: USER_AGENT.into(), country: String::new() };
        collector.send(&visitor, &pageview(SITE, path)).await?;
    }
    let told = Visitor { address: "8.8.8.8".into(), user_agent: USER_AGENT.into(), country: "NZ".into() };
    collector.send(&told, &pageview(SITE, "/told")).await?;
    for (path, expected) in [("/v4", "US"), ("/v6", "US"), ("/nowhere", ""), ("/told", "NZ")] {
        let event = event(&weir, path).await?;
        ensure!(event["country"].as_str().unwrap_or_default() == expected, "{path}: {event}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_comes_again_counts_once_also_from_another_network() -> Result<()> {
    let (weir, collector) = start().await?;
    let mut body = pageview(SITE, "/once");
    body["id"] = json!("0123456789abcdef0123456789abcdef");
    body["d"] = json!(format!("{SITE},{OTHER}"));
    collector.send(&Visitor::number(1), &body).await?;
    body["age"] = json!(3_000);
    body["retry"] = json!(true);
    collector.send(&Visitor::number(2), &json!([body, pageview(SITE, "/more")])).await?;
    collector.send(&Visitor::number(1), &body).await?;
    for (site, views) in [(SITE, 2.0), (OTHER, 1.0)] {
        let stats = Stats::admin(&weir, site)?;
        stats.await_total(WITHIN, &["pageviews"], json!({"date_range": "day"}), &[views]).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bots_are_stored_and_not_counted() -> Result<()> {
    let (weir, collector) = start().await?;
    let browser = Visitor::number(1);
    let headless = Visitor { user_agent: "Mozilla/5.0 HeadlessChrome/120.0.0.0".into(), ..Visitor::number(2) };
    collector.send(&browser, &pageview(SITE, "/person")).await?;
    collector.send(&headless, &pageview(SITE, "/headless")).await?;
    let mut declared = pageview(SITE, "/declared");
    declared["bot"] = json!(true);
    collector.send(&Visitor::number(3), &declared).await?;
    let stats = Stats::admin(&weir, SITE)?;
    stats.await_total(WITHIN, &["visitors"], json!({"date_range": "day"}), &[1.0]).await?;
    for (path, mark) in [("/person", "none"), ("/headless", "headless"), ("/declared", "declared")] {
        let event = event(&weir, path).await?;
        ensure!(event["bot"] == mark, "{path}: {event}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drop_names_its_reason() -> Result<()> {
    let (weir, collector) = start().await?;
    let post = async |kind: &str, body: &Value| -> Result<(u16, String, String)> {
        let request = collector.client().post(collector.endpoint()).header("user-agent", USER_AGENT);
        let request = request.header("x-plausible-ip", "192.0.2.1").header("x-plausible-ip-type", kind);
        let response = request.body(body.to_string()).send().await?;
        let header =
            |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        Ok((response.status().as_u16(), header("x-plausible-dropped"), header("x-dropped-reason")))
    };
    let good = pageview(SITE, "/good");
    let dropped = |count: &str, reason: &str| (202, count.to_owned(), reason.to_owned());
    ensure!(post("residential", &good).await? == dropped("", ""), "a good one");
    ensure!(post("dc_ip", &pageview(SITE, "/dc")).await? == dropped("1", "dc_ip"), "a data centre");
    ensure!(post("threat_ip", &pageview(SITE, "/threat")).await? == dropped("1", "threat_ip"), "a threat");
    let mixed = json!([pageview("nobody.example", "/"), good, pageview("no-one.example", "/")]);
    ensure!(post("residential", &mixed).await? == dropped("2", "not_found"), "unknown sites");
    std::fs::write(weir.home().join("geo/spam-referrers.txt"), "# spam\nspam.example\n")?;
    let mut spam = pageview(SITE, "/spam");
    spam["r"] = json!("https://www.spam.example/buttons");
    ensure!(post("residential", &spam).await? == dropped("1", "spam_referrer"), "spam");
    ensure!(post("anonymous_vpn_ip", &pageview(SITE, "/vpn")).await?.0 == 202, "an anonymous one");
    ensure!(event(&weir, "/vpn").await?["country"] == "A1", "has no country");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_goes_by_plausible_s_names_too() -> Result<()> {
    let (_weir, collector) = start().await?;
    let status = async |method: reqwest::Method, path: &str| -> Result<u16> {
        let request = collector.client().request(method, format!("{}{path}", collector.url()));
        Ok(request.send().await?.status().as_u16())
    };
    for path in ["/health", "/api/health", "/api/system/health/live", "/api/system/health/ready"] {
        ensure!(status(reqwest::Method::GET, path).await? == 200, "GET {path}");
        ensure!(status(reqwest::Method::POST, path).await? == 405, "POST {path}");
    }
    ensure!(status(reqwest::Method::GET, "/api/system/health/x").await? == 404, "an unknown name");
    ensure!(status(reqwest::Method::GET, "/internal/backlog").await? == 401, "the operator's address needs a token");
    Ok(())
}
