//! Deleting a visitor and a site by the command line: hidden at once, erased from the files soon, told by ledger and receipt.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use std::time::Duration;
use weir_tests::collector::{Collector, Visitor, pageview};
use weir_tests::poll::{Look, soft, until};
use weir_tests::query::Stats;
use weir_tests::weir::Weir;

const SITE: &str = "shop.example";
const OTHER: &str = "blog.example";
const WITHIN: Duration = Duration::from_secs(20);
const METRICS: [&str; 2] = ["visitors", "pageviews"];

/// The visitor who looked at a page, as `weir tail` shows the raw events.
async fn visitor_of(weir: &Weir, path: &str) -> Result<String> {
    let output = weir.output(&["tail", "--from-seq", "1", "--until-end"]).await?;
    let text = String::from_utf8(output.stdout)?;
    let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let found = lines
        .filter(|line| line["event"]["pathname"] == path)
        .find_map(|line| Some(line["event"]["visitor_id"].as_str()?.to_owned()));
    found.with_context(|| format!("nobody looked at {path}: {text}"))
}

/// Waits until files and history have nothing any more of what a receipt is for.
async fn erased(weir: &Weir, receipt: &str) -> Result<Value> {
    until("what was deleted to be erased", WITHIN, async || {
        Ok(soft(
            async {
                let receipts = weir.json(&["delete", "status", receipt]).await?;
                let is_done = receipts[0]["files_done"] == true && receipts[0]["history_done"] == true;
                Ok(if is_done { Look::Done(receipts[0].clone()) } else { Look::NotYet(receipts.to_string()) })
            }
            .await,
        ))
    })
    .await
}

async fn ledger(stats: &Stats) -> Result<Value> {
    let url = format!("{}/api/ledger?site_id={SITE}", stats.url());
    Ok(stats.client().get(url).bearer_auth(stats.key()).send().await?.json().await?)
}

fn receipt(deletion: &Value) -> Result<String> {
    deletion["receipts"][0].as_str().map(str::to_owned).with_context(|| format!("no receipt in {deletion}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_visitor_and_a_site_are_deleted() -> Result<()> {
    let weir = Weir::start().await?;
    weir.add_site(SITE).await?;
    weir.add_site(OTHER).await?;
    let collector = Collector::of(&weir)?;
    for number in 0..3 {
        for path in [format!("/{number}"), "/".to_owned()] {
            collector.send(&Visitor::number(number), &pageview(SITE, &path)).await?;
        }
        collector.send(&Visitor::number(number), &pageview(OTHER, "/")).await?;
    }
    let stats = Stats::admin(&weir, SITE)?;
    let day = json!({ "date_range": "day" });
    stats.await_total(WITHIN, &METRICS, day.clone(), &[3.0, 6.0]).await?;
    weir.flush().await?;
    let visitor = visitor_of(&weir, "/1").await?;

    let dry = weir.json(&["delete", "visitor", SITE, &visitor, "--dry-run"]).await?;
    ensure!(dry["rows"] == 2 && dry["parts"] == 1 && dry["receipts"] == json!([]), "{dry}");
    let refused = weir.output(&["delete", "visitor", SITE, &visitor]).await?;
    ensure!(refused.status.code() == Some(2), "nobody can be asked: {refused:?}");
    stats.await_total(WITHIN, &METRICS, day.clone(), &[3.0, 6.0]).await?;

    let deletion = weir.json(&["delete", "visitor", SITE, &visitor, "--yes"]).await?;
    stats.await_total(WITHIN, &METRICS, day.clone(), &[2.0, 4.0]).await.context("hidden before it is sealed")?;
    weir.flush().await?;
    let shown = erased(&weir, &receipt(&deletion)?).await?;
    ensure!(shown["visitor_id"] == visitor.as_str() && shown["final"] == Value::Null, "{shown}");
    stats.await_total(WITHIN, &METRICS, day.clone(), &[2.0, 4.0]).await?;
    let told = ledger(&stats).await?;
    let balance = &told["balance"];
    ensure!(
        balance["accepted"] == 6 && balance["erased"] == 2 && balance["in_files"] == 4 && balance["is_balanced"] == true,
        "{told}"
    );
    let dry = weir.json(&["delete", "visitor", SITE, &visitor, "--dry-run"]).await?;
    ensure!(dry["rows"] == 0, "{dry}");
    // Who comes again after the deletion is a new visitor.
    collector.send(&Visitor::number(1), &pageview(SITE, "/again")).await?;
    stats.await_total(WITHIN, &METRICS, day.clone(), &[3.0, 5.0]).await?;

    let deletion = weir.json(&["delete", "site", OTHER, "--yes"]).await?;
    ensure!(deletion["rows"] == 3, "{deletion}");
    weir.flush().await?;
    erased(&weir, &receipt(&deletion)?).await?;
    let sites = weir.json(&["site", "list"]).await?.to_string();
    ensure!(sites.contains(SITE) && !sites.contains(OTHER), "{sites}");
    stats.await_total(WITHIN, &METRICS, day, &[3.0, 5.0]).await?;
    let told = weir.json(&["status"]).await?.to_string();
    ensure!(!told.contains("ledger_mismatch"), "{told}");

    let set = weir.json(&["retention", "set", SITE, "30", "--yes"]).await?;
    ensure!(set["rows"] == 0 && set["days"] == 30, "{set}");
    weir.json(&["retention", "set", "--all", "400", "--dry-run"]).await?;
    let shown = weir.json(&["retention", "show"]).await?;
    ensure!(shown == json!({"days": 0, "sites": [{"site": SITE, "days": 30}]}), "{shown}");
    Ok(())
}
