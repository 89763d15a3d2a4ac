//! Clients that were made for Plausible, unmodified but for the host, and our own npm package, against the real worker: `browser/clients.mjs`
//! runs them, and the system counts what each sent.

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;
use weir_tests::browser;
use weir_tests::poll::{Look, soft, until};
use weir_tests::query::Stats;
use weir_tests::weir::Weir;

/// How soon what was taken is counted; the machine may still be busy with the browser's end.
const VISIBLE_WITHIN: Duration = Duration::from_secs(10);

type Counts = BTreeMap<String, f64>;

fn counts(pairs: &[(&str, f64)]) -> Counts {
    pairs.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_client_is_counted() -> Result<()> {
    let automatic =
        [("Outbound Link: Click", 1.0), ("File Download", 1.0), ("Form: Submission", 1.0), ("Tagged", 1.0), ("Purchase", 1.0)];
    let expected = [
        ("official.example", counts(&[&automatic[..], &[("pageview", 2.0)]].concat())),
        ("older.example", counts(&[("pageview", 2.0), ("Signup", 1.0), ("Outbound Link: Click", 1.0)])),
        ("ours.example", counts(&[&automatic[..], &[("pageview", 3.0), ("Later", 1.0), ("Web Vitals", 1.0)]].concat())),
        ("server.example", counts(&[("pageview", 1.0), ("Order", 1.0)])),
    ];
    let weir = Weir::start().await?;
    for (site, _) in &expected {
        weir.add_site(site).await?;
    }
    let run = weir.run()?;
    let scratch = tempfile::tempdir()?;
    let scratch = scratch.path().to_str().context("a path in UTF-8")?;
    let said = browser::run("clients.mjs", &[("COLLECTOR", &run.collector_url), ("SCRATCH", scratch)]).await?;
    let taken = said.lines().find_map(|line| line.strip_prefix("COUNTED ")).context("the clients tell what was taken")?;
    let taken: BTreeMap<String, Counts> = serde_json::from_str(taken)?;
    for (site, expected) in &expected {
        ensure!(taken.get(*site) == Some(expected), "{site}: taken {:?}, expected {expected:?}", taken.get(*site));
        let stats = Stats::admin(&weir, site)?;
        until(&format!("the figures of {site}"), VISIBLE_WITHIN, async || {
            Ok(soft(
                async {
                    let counted = stats.by("event:name", &["events"], json!({})).await?;
                    let counted: Counts = counted.into_iter().map(|(name, metrics)| (name, metrics.iter().sum())).collect();
                    Ok(if counted == *expected {
                        Look::Done(())
                    } else {
                        Look::NotYet(format!("counted {counted:?}, expected {expected:?}"))
                    })
                }
                .await,
            ))
        })
        .await?;
    }
    Ok(())
}
