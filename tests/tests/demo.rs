//! `weir demo`: a real log and live page views on a dashboard, with one command.

use anyhow::{Context as _, Result, ensure};
use chrono::{Duration as Days, Utc};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::net::TcpListener;
use std::time::Duration;
use weir_tests::independent;
use weir_tests::poll::{Look, soft, until};
use weir_tests::query::Stats;
use weir_tests::weir::{Weir, client};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_demo_shows_the_log_and_live_page_views() -> Result<()> {
    // A taken port is no obstacle for the demo.
    let taken = TcpListener::bind("127.0.0.1:0")?;
    let port = taken.local_addr()?.port();
    let weir = Weir::start_demo(&[("WEIR_QUERY_PORT", &port.to_string())]).await?;
    let run: Value = until("the demo's site and key", Duration::from_secs(30), async || {
        let run: Value = serde_json::from_slice(&std::fs::read(weir.home().join("run.json"))?)?;
        Ok(if run["demo_key"].is_string() { Look::Done(run) } else { Look::NotYet("run.json does not name them".into()) })
    })
    .await?;
    let (site, key) = (run["demo_site"].as_str().context("no demo_site")?, run["demo_key"].as_str().context("no demo_key")?);
    let url = run["query_url"].as_str().context("no query_url")?;
    ensure!(!url.ends_with(&format!(":{port}")), "the taken port is used");

    // The log's four days end yesterday; visits and visitors are those of the log, for it was moved by whole days.
    let expected = independent::count()?;
    let day = |ago: i64| (Utc::now() - Days::days(ago)).format("%Y-%m-%d").to_string();
    let stats = Stats::new(&weir, site, key)?;
    let log = json!({"date_range": [day(4), day(1)]});
    let totals: Vec<f64> = ["pageviews", "visitors", "visits"].iter().filter_map(|name| expected[name].as_f64()).collect();
    stats.await_total(Duration::from_secs(30), &["pageviews", "visitors", "visits"], log.clone(), &totals).await?;
    let days = stats.by("time:day", &["pageviews"], log).await?;
    let counted: Vec<f64> = expected["days"].as_object().into_iter().flatten().filter_map(|(_, views)| views.as_f64()).collect();
    ensure!(days.into_values().flatten().collect::<Vec<_>>() == counted, "by day");

    // Live page views go on coming.
    let live =
        async || stats.total(&["pageviews"], json!({"date_range": "day"})).await.map(|metrics| metrics.iter().sum::<f64>());
    let first = live().await?;
    until("live page views", Duration::from_mins(1), async || {
        Ok(soft(live().await.map(|views| if views > first { Look::Done(()) } else { Look::NotYet(format!("{views}")) })))
    })
    .await?;

    shop_fills_every_panel(&weir, run["demo_shop"].as_str().context("no demo_shop")?, key).await?;

    // What it prints leads on: address, key and a query.
    let said = weir.log("up");
    for text in [url, key, "curl", &port.to_string()] {
        ensure!(said.contains(text), "the demo does not print {text}: {said}");
    }
    let page = client()?.get(url).send().await?;
    ensure!(page.status() == 200 && page.text().await?.contains("<html"), "no dashboard at {url}");
    weir.stop(Signal::SIGINT, Duration::from_secs(10)).await
}

/// What each panel of the dashboard asks, which must have something to show.
const PANELS: [(&str, &str, usize); 18] = [
    ("visit:channel", "visitors", 8),
    ("visit:source", "visitors", 15),
    ("visit:referrer", "visitors", 15),
    ("visit:utm_campaign", "visitors", 4),
    ("event:page", "pageviews", 25),
    ("visit:entry_page", "visitors", 15),
    ("visit:exit_page", "visitors", 15),
    ("visit:country", "visitors", 12),
    ("visit:region", "visitors", 20),
    ("visit:city", "visitors", 20),
    ("visit:browser", "visitors", 5),
    ("visit:os", "visitors", 4),
    ("visit:device", "visitors", 3),
    ("event:goal", "visitors", 11),
    ("event:props:product", "visitors", 10),
    ("event:props:coupon", "visitors", 3),
    ("event:props:url", "events", 3),
    ("event:props:LCP", "events", 50),
];

/// Weeks of history and visitors of this moment.
async fn shop_fills_every_panel(weir: &Weir, shop: &str, key: &str) -> Result<()> {
    let stats = Stats::new(weir, shop, key)?;
    let month = json!({"date_range": "28d"});
    for (dimension, metric, least) in PANELS {
        let found = stats.by(dimension, &[metric], month.clone()).await?;
        ensure!(found.len() >= least, "{dimension} has {} values, {least} are wanted", found.len());
    }
    let days = stats.by("time:day", &["visitors"], json!({"date_range": "56d"})).await?;
    ensure!(days.len() == 56 && days.values().flatten().all(|visitors| *visitors > 40.0), "{days:?}");
    let hours = stats.by("time:hour", &["visitors"], month.clone()).await?;
    let of = |hour: &str| hours.iter().filter(|(at, _)| at.contains(hour)).flat_map(|(_, visitors)| visitors).sum::<f64>();
    ensure!(of(" 20:") > 4.0 * of(" 03:"), "evenings are busier than nights: {} {}", of(" 20:"), of(" 03:"));
    let revenue = json!({"filters": [["is", "event:goal", ["Purchase"]]], "metrics": ["total_revenue"], "date_range": "28d"});
    let revenue = stats.answer(&revenue).await?;
    let revenue = &revenue["results"][0]["metrics"][0];
    ensure!(revenue["currency"] == "EUR" && revenue["value"].as_f64() > Some(1_000.0), "{revenue}");
    let url = format!("{}/api/v1/stats/realtime/visitors", stats.url());
    let current = async || -> Result<u64> {
        let request = stats.client().get(&url).bearer_auth(key).query(&[("site_id", shop)]);
        Ok(request.send().await?.error_for_status()?.json().await?)
    };
    until("current visitors", Duration::from_mins(1), async || {
        Ok(soft(current().await.map(|count| if count >= 3 { Look::Done(()) } else { Look::NotYet(format!("{count}")) })))
    })
    .await
}
