//! The rooms of the dashboard beside its main view, in a real Chromium through the real stack: signing in, overview, settings, shared links, operations.

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use std::fmt::Write as _;
use std::time::Duration;
use weir_tests::browser;
use weir_tests::collector::{Collector, USER_AGENT, Visitor, pageview};
use weir_tests::query::Stats;
use weir_tests::weir::{Weir, repository};

const SHOP: &str = "shop.example";
const BLOG: &str = "blog.example";
/// Sites are known to the edge by an engagement ping, but this one must have received nothing.
const NEW: &str = "new.example";
const VISITORS_TODAY: u32 = 3;
const VISIBLE_WITHIN: Duration = Duration::from_secs(10);

/// A key for a site with these scopes: id and text.
async fn key(weir: &Weir, site: &str, scopes: &[&str]) -> Result<(String, String)> {
    let mut arguments = vec!["key", "create", "--site", site];
    arguments.extend(scopes.iter().flat_map(|scope| ["--scope", *scope]));
    let made = weir.json(&arguments).await?;
    let field = |name: &str| made[name].as_str().map(str::to_owned).with_context(|| format!("no {name} in {made}"));
    Ok((field("id")?, field("key")?))
}

/// Visitors on each of the last ten days, today left out.
async fn import_visitors(weir: &Weir, site: &str, a_day: u32) -> Result<()> {
    let mut lines = String::new();
    for day in 1..=10 {
        let time = (chrono::Utc::now() - chrono::Duration::days(day)).to_rfc3339();
        for visitor in 0..a_day {
            let line = json!({
                "n": "pageview", "d": site, "u": format!("https://{site}/"), "timestamp": time,
                "ip": format!("198.18.{day}.{visitor}"), "user_agent": USER_AGENT,
            });
            writeln!(lines, "{line}")?;
        }
    }
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(file.path(), lines)?;
    weir.json(&["import", "--site", site, "--format", "ndjson", &file.path().to_string_lossy()]).await?;
    let expected = f64::from(a_day) * 10.0;
    Stats::admin(weir, site)?.await_total(VISIBLE_WITHIN, &["visitors"], json!({"date_range": "28d"}), &[expected]).await
}

/// All but the first come by a medium that the built-in rules take for a referral.
async fn visit_today(weir: &Weir, site: &str) -> Result<()> {
    let collector = Collector::of(weir)?;
    for number in 0..VISITORS_TODAY {
        let path = if number == 0 { "/today" } else { "/today?utm_source=tuesday&utm_medium=letterbox" };
        collector.send(&Visitor::number(number), &pageview(site, path)).await?;
    }
    let expected = f64::from(VISITORS_TODAY);
    Stats::admin(weir, site)?.await_total(VISIBLE_WITHIN, &["visitors"], json!({}), &[expected]).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signing_in_and_setting_up() -> Result<()> {
    let weir = Weir::start().await?;
    for site in [SHOP, BLOG] {
        weir.add_site(site).await?;
    }
    weir.json(&["site", "add", NEW]).await?;
    import_visitors(&weir, SHOP, 4).await?;
    let run = weir.run()?;
    let (id, once) = key(&weir, SHOP, &["stats:read"]).await?;
    let (_, owner) = key(&weir, BLOG, &["stats:read", "sites:provision"]).await?;
    let (_, reader) = key(&weir, BLOG, &["stats:read"]).await?;
    let (query, collector, admin) =
        (("QUERY", run.query_url.as_str()), ("COLLECTOR", run.collector_url.as_str()), ("ADMIN", run.admin_key.as_str()));

    browser::run("rooms-sign-in.mjs", &[query, admin, ("KEY", &once), ("KEY_ID", &id), ("SITE", SHOP)]).await?;
    browser::run("rooms-sites.mjs", &[query, admin, ("SITES", &format!("{SHOP},{BLOG},{NEW}"))]).await?;
    browser::run("rooms-setup.mjs", &[query, collector, admin, ("NEW_SITE", NEW)]).await?;
    browser::run("rooms-settings.mjs", &[query, ("OWNER", &owner), ("READER", &reader), ("SITE", BLOG)]).await?;
    browser::run("rooms-keyboard.mjs", &[query, ("OWNER", &owner), ("SITE", BLOG)]).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sharing() -> Result<()> {
    let weir = Weir::start().await?;
    weir.add_site(SHOP).await?;
    visit_today(&weir, SHOP).await?;
    let run = weir.run()?;
    let (_, owner) = key(&weir, SHOP, &["stats:read", "sites:provision"]).await?;
    let visitors = VISITORS_TODAY.to_string();
    let environment = [("QUERY", run.query_url.as_str()), ("OWNER", &owner), ("SITE", SHOP), ("VISITORS", &visitors)];
    browser::run("rooms-share.mjs", &environment).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operations() -> Result<()> {
    let weir = Weir::start().await?;
    weir.add_site(SHOP).await?;
    import_visitors(&weir, SHOP, 5).await?;
    visit_today(&weir, SHOP).await?;
    weir.flush().await?;
    let run = weir.run()?;
    let (_, owner) = key(&weir, SHOP, &["stats:read", "sites:provision"]).await?;
    let (query, collector, admin) = (run.query_url.as_str(), run.collector_url.as_str(), run.admin_key.as_str());
    let environment = [("QUERY", query), ("COLLECTOR", collector), ("ADMIN", admin), ("OWNER", &owner), ("SITE", SHOP)];
    // Rules in which that medium is mail.
    let built_in = std::fs::read_to_string(repository().join("aggregator/rollup/rules/channels.toml"))?;
    let email = "    { category = \"EMAIL\" },\n";
    ensure!(built_in.contains(email), "channels.toml looks otherwise");
    let rules = weir.home().join("channels.toml");
    std::fs::write(&rules, built_in.replace(email, &format!("{email}    {{ medium = '^letterbox$' }},\n")))?;
    let rules = rules.to_str().context("the home has a plain name")?;
    browser::run("rooms-operator.mjs", &[environment.as_slice(), &[("RULES", rules)]].concat()).await?;
    Ok(())
}
