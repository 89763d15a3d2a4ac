//! A real Chromium loads a page with the tracker and then the dashboard; what the visitor did is on both the API and the page.

use anyhow::{Result, ensure};
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;
use weir_tests::browser;
use weir_tests::query::Stats;
use weir_tests::weir::Weir;

const SITE: &str = "browser.example";
/// Chromium is slow to start on a busy machine; the figures themselves are there sooner.
const VISIBLE_WITHIN: Duration = Duration::from_secs(5);

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
