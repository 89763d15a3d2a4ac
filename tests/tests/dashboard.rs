//! A real Chromium loads a page with the tracker and then the dashboard; what visitors did is on both the API and the page.

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;
use weir_tests::browser;
use weir_tests::query::Stats;
use weir_tests::weir::{Weir, client, repository};

const SITE: &str = "browser.example";
const SHOP: &str = "shop.example";
const SHOP_ZONE: &str = "Europe/Berlin";
/// Nothing ever arrives from it.
const NEW: &str = "new.example";
/// Chromium is slow to start on a busy machine; the figures themselves are there sooner.
const VISIBLE_WITHIN: Duration = Duration::from_secs(5);
const IMPORTED_WITHIN: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_a_page_view_to_a_number_on_a_page() -> Result<()> {
    let weir = Weir::start().await?;
    weir.add_site(SITE).await?;
    let key = weir.create_key(SITE).await?;
    let run = weir.run()?;

    browser::run("visit.mjs", &[("COLLECTOR", &run.collector_url), ("SITE", SITE)]).await?;
    let stats = Stats::new(&weir, SITE, &key)?;
    // Headless Chromium names itself so: its visit is a bot's and left out, as it should be. The script's visitor has an ordinary name.
    stats.await_total(VISIBLE_WITHIN, &["visitors", "visits", "pageviews", "events"], json!({}), &[1.0, 1.0, 3.0, 4.0]).await?;
    let pages: BTreeMap<_, _> = stats.by("event:page", &["pageviews"], json!({})).await?;
    ensure!(
        pages == BTreeMap::from([("/".into(), vec![1.0]), ("/second".into(), vec![1.0]), ("/third".into(), vec![1.0])]),
        "{pages:?}"
    );
    let names = stats.by("event:name", &["events"], json!({})).await?;
    ensure!(names == BTreeMap::from([("pageview".into(), vec![3.0]), ("Signup".into(), vec![1.0])]), "{names:?}");
    let browsers = stats.by("visit:browser", &["visits"], json!({})).await?;
    ensure!(browsers == BTreeMap::from([("Chrome".into(), vec![1.0])]), "{browsers:?}");
    // The property travelled along.
    let tail = weir.output(&["tail", "--from-seq", "1", "--until-end", "--json"]).await?;
    ensure!(String::from_utf8_lossy(&tail.stdout).contains(r#"["plan","pro"]"#), "no property in the stream");

    browser::run("dashboard.mjs", &[("QUERY", &run.query_url), ("KEY", &key), ("SITE", SITE)]).await?;
    Ok(())
}

/// The main view on the history of a small shop.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_main_view_of_a_shop() -> Result<()> {
    let weir = Weir::start().await?;
    weir.json(&["site", "add", SHOP, "--timezone", SHOP_ZONE]).await?;
    weir.add_site(NEW).await?;
    let run = weir.run()?;
    let made = weir
        .json(&["key", "create", "--site", SHOP, "--site", NEW, "--scope", "stats:read", "--scope", "sites:provision"])
        .await?;
    let key = made["key"].as_str().unwrap_or_default().to_owned();
    define(&run.query_url, &key).await?;
    let views = import_history(&weir).await?;
    let everything = json!({"date_range": "all"});
    Stats::new(&weir, SHOP, &key)?.await_total(IMPORTED_WITHIN, &["pageviews"], everything, &[views]).await?;
    // From here on there is a revision that an address can name.
    weir.json(&["flush"]).await?;

    let environment = [
        ("QUERY", run.query_url.as_str()),
        ("COLLECTOR", &run.collector_url),
        ("KEY", &key),
        ("SITE", SHOP),
        ("ZONE", SHOP_ZONE),
        ("NEW_SITE", NEW),
    ];
    for script in ["panels", "filters", "url", "periods", "keyboard", "live", "views"] {
        browser::run(&format!("dashboard-{script}.mjs"), &environment).await?;
    }
    Ok(())
}

/// Goals and properties of the shop.
async fn define(query_url: &str, key: &str) -> Result<()> {
    let put = async |path: &str, body: Value| -> Result<()> {
        let answer = client()?.put(format!("{query_url}/api/v1/sites/{path}")).bearer_auth(key).json(&body).send().await?;
        ensure!(answer.status() == 200, "{path} {body}: {}", answer.text().await?);
        Ok(())
    };
    put("goals", json!({"site_id": SHOP, "goal_type": "event", "event_name": "Purchase", "currency": "EUR"})).await?;
    for name in ["Add to cart", "Newsletter", "Outbound Link: Click", "404"] {
        put("goals", json!({"site_id": SHOP, "goal_type": "event", "event_name": name})).await?;
    }
    put("goals", json!({"site_id": SHOP, "goal_type": "page", "page_path": "/checkout"})).await?;
    for property in ["product", "theme", "coupon"] {
        put("custom-props", json!({"site_id": SHOP, "property": property})).await?;
    }
    Ok(())
}

/// Imports nine weeks that end with today's first hour, and gives the number of page views.
async fn import_history(weir: &Weir) -> Result<f64> {
    let script = repository().join("tests/browser/shop-history.mjs");
    let mut node = Command::new("node");
    node.arg(script).env("DAYS", "63").env("SCALE", "0.35").env("SITE", SHOP);
    let output = tokio::task::spawn_blocking(move || node.output()).await??;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(file.path(), &output.stdout)?;
    weir.json(&["import", "--site", SHOP, "--format", "ndjson", &file.path().to_string_lossy()]).await?;
    let views = String::from_utf8_lossy(&output.stdout).matches(r#""name":"pageview""#).count();
    Ok(views as f64)
}
