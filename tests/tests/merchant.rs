//! What a merchant's programs do, on everything at once: make a site and its goals by the Sites API, sell something, ask for it in every way
//! the API has, and find that nobody else can.

use anyhow::{Context as _, Result, ensure};
use reqwest::{Method, Response};
use serde_json::{Value, json};
use std::time::Duration;
use weir_tests::collector::{Collector, Visitor, pageview};
use weir_tests::poll::{Look, soft, until};
use weir_tests::query::{Stats, VISIBLE_WITHIN};
use weir_tests::weir::{Weir, client};

const SHOP: &str = "shop.example";

/// The API with one key.
struct Api {
    url: String,
    key: String,
    client: reqwest::Client,
}

impl Api {
    fn new(weir: &Weir, key: &str) -> Result<Self> {
        Ok(Self { url: weir.run()?.query_url, key: key.to_owned(), client: client()? })
    }

    async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Result<Response> {
        let request = self.client.request(method, format!("{}{path}", self.url)).bearer_auth(&self.key);
        Ok(if let Some(body) = body { request.json(&body) } else { request }.send().await?)
    }

    /// Status and JSON of an answer.
    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Result<(u16, Value)> {
        let answer = self.send(method, path, body).await?;
        let (status, text) = (answer.status().as_u16(), answer.text().await?);
        Ok((status, serde_json::from_str(&text).with_context(|| format!("{path}: {status} {text}"))?))
    }

    async fn get(&self, path: &str) -> Result<(u16, Value)> {
        self.ask(Method::GET, path, None).await
    }

    /// What must work.
    async fn put(&self, path: &str, body: Value) -> Result<Value> {
        let (code, answer) = self.ask(Method::PUT, path, Some(body)).await?;
        ensure!(code == 200, "PUT {path}: {code} {answer}");
        Ok(answer)
    }
}

/// An account and a key of it that may do everything for its sites.
async fn account(weir: &Weir, name: &str) -> Result<Api> {
    let account = weir.json(&["account", "add", name]).await?;
    let id = account["id"].as_str().with_context(|| format!("no id in {account}"))?;
    let scopes = ["--scope", "stats:read", "--scope", "sites:provision"];
    let made = weir.json(&[&["key", "create", "--account", id], &scopes[..]].concat()).await?;
    Api::new(weir, made["key"].as_str().with_context(|| format!("no key in {made}"))?)
}

/// Waits until the edge takes events of a site.
async fn known_at_the_edge(weir: &Weir, domain: &str) -> Result<()> {
    let collector = Collector::of(weir)?;
    let ping = json!({"n": "engagement", "d": domain, "u": format!("https://{domain}/"), "e": 1});
    until(&format!("the edge to know {domain}"), Duration::from_secs(5), async || {
        Ok(soft(
            async {
                let answer = collector.post(&Visitor::number(9_999), &ping).await?;
                let is_known = answer.status() == 202 && !answer.headers().contains_key("x-plausible-dropped");
                Ok(if is_known { Look::Done(()) } else { Look::NotYet(answer.status().to_string()) })
            }
            .await,
        ))
    })
    .await
}

/// Ten visitors from two campaigns look at two products; three of them buy.
async fn sell(weir: &Weir) -> Result<()> {
    let collector = Collector::of(weir)?;
    for number in 0..10 {
        let visitor = Visitor::number(number);
        let campaign = if number < 6 { "spring" } else { "autumn" };
        let product = if number % 2 == 0 { "shoe" } else { "hat" };
        collector.send(&visitor, &pageview(SHOP, &format!("/p/{product}?utm_source=letter&utm_campaign={campaign}"))).await?;
        if number < 3 {
            let sale = json!({
                "n": "Purchase", "d": SHOP, "u": format!("https://{SHOP}/thanks"),
                "p": {"product": product}, "$": {"currency": "EUR", "amount": "12.50"},
            });
            collector.send(&visitor, &sale).await?;
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shop_from_its_first_request_to_its_revenue() -> Result<()> {
    let weir = Weir::start().await?;
    let (shop, other) = (account(&weir, "Shop Ltd").await?, account(&weir, "Somebody else").await?);

    let (code, site) =
        shop.ask(Method::POST, "/api/v1/sites", Some(json!({"domain": SHOP, "timezone": "Europe/Berlin"}))).await?;
    ensure!(code == 200 && site["domain"] == SHOP && site["timezone"] == "Europe/Berlin", "{code} {site}");
    for goal in [
        json!({"site_id": SHOP, "goal_type": "event", "event_name": "Purchase", "currency": "EUR"}),
        json!({"site_id": SHOP, "goal_type": "page", "page_path": "/p/**", "display_name": "Looked at a product"}),
    ] {
        let made = shop.put("/api/v1/sites/goals", goal.clone()).await?;
        ensure!(made == shop.put("/api/v1/sites/goals", goal).await?, "asking twice makes one goal: {made}");
    }
    known_at_the_edge(&weir, SHOP).await?;
    sell(&weir).await?;

    let figures = Stats::new(&weir, SHOP, &shop.key)?;
    figures.await_total(VISIBLE_WITHIN, &["visitors", "events"], json!({}), &[10.0, 13.0]).await?;
    for sealed in [false, true] {
        if sealed {
            weir.flush().await?;
        }
        answers(&shop, &figures).await.with_context(|| format!("sealed: {sealed}"))?;
    }
    nobody_else(&shop, &other, &weir).await
}

/// The same questions in every language the API has.
async fn answers(shop: &Api, stats: &Stats) -> Result<()> {
    let by_goal = stats
        .answer(&json!({"metrics": ["visitors", "events", "conversion_rate", "total_revenue"], "dimensions": ["event:goal"], "order_by": [["visitors", "asc"]]}))
        .await?;
    let rows = by_goal["results"].as_array().context("no results")?;
    ensure!(rows.len() == 2, "{by_goal}");
    ensure!(rows[0]["dimensions"] == json!(["Purchase"]) && rows[1]["dimensions"] == json!(["Looked at a product"]), "{by_goal}");
    ensure!(rows[0]["metrics"][2] == json!(30.0) && rows[1]["metrics"][2] == json!(100.0), "{by_goal}");
    ensure!(rows[0]["metrics"][3]["value"] == json!(37.5) && rows[0]["metrics"][3]["currency"] == "EUR", "{by_goal}");

    let converted = json!({"filters": [["has_done", ["is", "event:goal", ["Purchase"]]]]});
    let campaigns = stats.by("visit:utm_campaign", &["visitors"], converted).await?;
    ensure!(campaigns == [("spring".to_owned(), vec![3.0])].into(), "{campaigns:?}");

    let meta = &by_goal["meta"];
    ensure!(meta["exact"] == true && meta["complete_through"].is_object() && meta["regions"] == json!(["local"]), "{meta}");

    let (code, answer) =
        shop.get(&format!("/api/v1/stats/aggregate?site_id={SHOP}&period=day&metrics=visitors,pageviews")).await?;
    ensure!(
        code == 200 && answer == json!({"results": {"visitors": {"value": 10}, "pageviews": {"value": 10}}}),
        "{code} {answer}"
    );
    let breakdown =
        "/api/v1/stats/breakdown?period=day&property=event:page&metrics=visitors&filters=visit:utm_campaign%3D%3Dautumn";
    let (code, answer) = shop.get(&format!("{breakdown}&site_id={SHOP}")).await?;
    let expected = json!({"results": [{"page": "/p/hat", "visitors": 2}, {"page": "/p/shoe", "visitors": 2}]});
    ensure!(code == 200 && answer == expected, "{code} {answer}");
    Ok(())
}

/// Another account finds neither the figures nor the site.
async fn nobody_else(shop: &Api, other: &Api, weir: &Weir) -> Result<()> {
    let listed = |answer: &Value| answer["sites"].as_array().map_or(0, Vec::len);
    let (_, own) = shop.get("/api/v1/sites").await?;
    let (_, foreign) = other.get("/api/v1/sites").await?;
    ensure!(listed(&own) == 1 && listed(&foreign) == 0, "{own} {foreign}");
    let (status, refused) = Stats::new(weir, SHOP, &other.key)?.ask(&json!({"metrics": ["visitors"]})).await?;
    let (unknown_status, unknown) =
        Stats::new(weir, "unknown.example", &other.key)?.ask(&json!({"metrics": ["visitors"]})).await?;
    ensure!(status == 401 && (status, &refused) == (unknown_status, &unknown), "{status} {refused}, {unknown_status} {unknown}");
    Ok(())
}
