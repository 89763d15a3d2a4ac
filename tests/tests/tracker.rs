//! The script in a real Chromium against the real worker: `browser/tracker.mjs` runs the cases, one per line of "Tracker behaviour" in the
//! contract and then some, and tells what the collector took; the system must have counted exactly that.

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;
use weir_tests::browser;
use weir_tests::poll::{Look, soft, until};
use weir_tests::query::Stats;
use weir_tests::weir::Weir;

/// The cases send for this site.
const SITE: &str = "tracker.example";
/// How soon what was taken is counted; the machine may still be busy with the browser's end.
const VISIBLE_WITHIN: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_case_of_the_contract() -> Result<()> {
    let weir = Weir::start().await?;
    weir.add_site(SITE).await?;
    let run = weir.run()?;
    let scratch = tempfile::tempdir()?;
    let script_id = weir_event::site::script_id(SITE);
    let environment = [
        ("COLLECTOR", run.collector_url.as_str()),
        ("SITE", SITE),
        ("SCRIPT_ID", &script_id),
        ("SCRATCH", scratch.path().to_str().context("a path in UTF-8")?),
    ];
    let said = browser::run("tracker.mjs", &environment).await?;
    let taken = said.lines().find_map(|line| line.strip_prefix("COUNTED ")).context("the cases tell what was taken")?;
    let mut taken: BTreeMap<String, BTreeMap<String, f64>> = serde_json::from_str(taken)?;
    let taken = taken.remove(SITE).context("the cases sent for the site")?;
    ensure!(taken.get("pageview").is_some_and(|views| *views > 50.0), "few page views: {taken:?}");

    // What was sent again counts once, and one event is from yesterday.
    let today = chrono::Utc::now().date_naive();
    let range = json!({"date_range": [today - chrono::Days::new(1), today]});
    let stats = Stats::admin(&weir, SITE)?;
    until("the figures of what was taken", VISIBLE_WITHIN, async || {
        Ok(soft(
            async {
                let counted = stats.by("event:name", &["events"], range.clone()).await?;
                let counted: BTreeMap<_, _> =
                    counted.into_iter().map(|(name, metrics)| (name, metrics.iter().sum::<f64>())).collect();
                Ok(if counted == taken { Look::Done(()) } else { Look::NotYet(format!("counted {counted:?}, taken {taken:?}")) })
            }
            .await,
        ))
    })
    .await
}
