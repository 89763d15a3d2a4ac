//! A real Chromium loads a page with the tracker and then the dashboard; what the visitor did is on both the API and the page.

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::time::Duration;
use weir_tests::chromium;
use weir_tests::query::Stats;
use weir_tests::weir::{Weir, repository};

const SITE: &str = "browser.example";
/// Chromium is slow to start on a busy machine; the figures themselves are there sooner.
const VISIBLE_WITHIN: Duration = Duration::from_secs(5);

/// Runs a script of `tests/browser/` with what it needs in its environment.
async fn browse(script: &str, environment: &[(&str, &str)]) -> Result<()> {
    let screenshots = repository().join("target/screenshots");
    std::fs::create_dir_all(&screenshots)?;
    let mut node = Command::new("node");
    node.arg(repository().join("tests/browser").join(script))
        .env("CHROMIUM", chromium::find()?)
        .env("SCREENSHOTS", &screenshots)
        .envs(environment.iter().copied())
        .stdin(Stdio::null());
    let output =
        tokio::task::spawn_blocking(move || node.output()).await?.context("node drives the browser: install Node 20 or later")?;
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    eprintln!("{said}");
    ensure!(output.status.success(), "{script}: {}\n{said}", output.status);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_a_page_view_to_a_number_on_a_page() -> Result<()> {
    let weir = Weir::start().await?;
    weir.add_site(SITE).await?;
    let key = weir.create_key(SITE).await?;
    let run = weir.run()?;

    browse("visit.mjs", &[("COLLECTOR", &run.collector_url), ("SITE", SITE)]).await?;
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

    browse("dashboard.mjs", &[("QUERY", &run.query_url), ("KEY", &key), ("SITE", SITE)]).await
}
