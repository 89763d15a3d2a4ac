//! Refused payloads: kept without an address, looked at, and sent again after a fix, each counted exactly once.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use weir_tests::collector::{Collector, Visitor, pageview};
use weir_tests::poll::{Look, soft, until};
use weir_tests::query::{Stats, VISIBLE_WITHIN};
use weir_tests::weir::Weir;

/// How soon a refused payload must be in the list.
const LISTED_WITHIN: Duration = Duration::from_secs(10);

/// Waits until the list has a number of entries, and gives them.
async fn listed(weir: &Weir, filter: &[&str], count: usize) -> Result<Vec<Value>> {
    let arguments = [&["rejected", "list", "--limit", "1000"], filter].concat();
    until(&format!("{count} refused payloads {filter:?}"), LISTED_WITHIN, async || {
        Ok(soft(weir.json(&arguments).await.map(|list| {
            let list = list.as_array().cloned().unwrap_or_default();
            if list.len() == count { Look::Done(list) } else { Look::NotYet(format!("{} are there", list.len())) }
        })))
    })
    .await
}

fn seq_of(entry: &Value) -> Result<String> {
    Ok(entry["seq"].as_u64().with_context(|| entry.to_string())?.to_string())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_for_a_site_that_was_added_later() -> Result<()> {
    let weir = Weir::start().await?;
    let (site, known) = ("later.example", "known.example");
    weir.add_site(known).await?;
    let collector = Collector::of(&weir)?;
    let visitor = Visitor::number(7);
    let url = format!("https://{site}/page?from={}", visitor.address);
    let event = json!({"n": "pageview", "d": site, "u": url, "p": {"sender": visitor.address, "plan": "pro"}});
    let answer = collector.post(&visitor, &event).await?;
    ensure!(answer.status() == 202 && answer.headers().contains_key("x-plausible-dropped"), "{:?}", answer.headers());

    let entries = listed(&weir, &["--site", site], 1).await?;
    let entry = entries.first().context("no entry")?;
    ensure!(entry["reason"] == "not_found" && entry["domains"] == json!([site]), "{entry}");
    ensure!(entry["body"].as_str().is_some_and(|body| body.contains("later.example")), "{entry}");
    chrono::DateTime::parse_from_rfc3339(entry["time"].as_str().unwrap_or_default()).with_context(|| entry.to_string())?;
    let seq = seq_of(entry)?;
    let shown = weir.json(&["rejected", "show", &seq]).await?;
    ensure!(shown["body"].as_str().is_some_and(|body| body.contains("\"plan\":\"pro\"")), "{shown}");
    ensure!(!shown.to_string().contains(&visitor.address), "the address is kept: {shown}");
    ensure!(!holds(&weir.home().join("nats"), visitor.address.as_bytes())?, "the address is below nats/");

    // Without its site it stays where it is.
    let early = weir.output(&["rejected", "recover", &seq]).await?;
    let said = String::from_utf8_lossy(&early.stdout).into_owned() + &String::from_utf8_lossy(&early.stderr);
    ensure!(early.status.code() == Some(1) && said.contains(site) && said.contains("--as-site"), "{early:?}");
    listed(&weir, &["--site", site], 1).await?;

    weir.json(&["site", "add", site]).await?;
    let recovered = weir.json(&["rejected", "recover", &seq]).await?;
    ensure!(recovered["events"] == 1 && recovered["payloads"] == 1, "{recovered}");
    let stats = Stats::admin(&weir, site)?;
    stats.await_total(VISIBLE_WITHIN, &["pageviews", "visitors"], json!({}), &[1.0, 1.0]).await?;
    listed(&weir, &["--site", site], 0).await?;
    let again = weir.output(&["rejected", "recover", &seq]).await?;
    ensure!(again.status.code() == Some(1), "{again:?}");
    weir.flush().await?;
    stats.await_total(VISIBLE_WITHIN, &["pageviews", "visitors"], json!({}), &[1.0, 1.0]).await?;
    let plans = stats.by("event:props:plan", &["pageviews"], json!({})).await?;
    ensure!(plans.get("pro").is_some_and(|metrics| metrics == &[1.0]), "{plans:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_site_that_was_spelt_wrongly_and_an_event_that_stays_wrong() -> Result<()> {
    let weir = Weir::start().await?;
    let (site, typo) = ("right.example", "rihgt.example");
    weir.add_site(site).await?;
    let collector = Collector::of(&weir)?;
    for number in 0..3 {
        collector.post(&Visitor::number(number), &pageview(typo, &format!("/{number}"))).await?;
    }
    let answer = collector.post(&Visitor::number(9), &json!({"n": "pageview", "d": site})).await?;
    ensure!(answer.status() == 400, "{}", answer.status());
    let wrong = listed(&weir, &["--reason", "url"], 1).await?;
    let entry = wrong.first().context("no entry")?;
    ensure!(entry["errors"].to_string().contains("is required") && entry["domains"] == json!([site]), "{entry}");
    listed(&weir, &["--site", typo], 3).await?;

    let all = weir.output(&["rejected", "recover", "--reason", "url", "--json"]).await?;
    let said: Value = serde_json::from_slice(&all.stdout).with_context(|| format!("{all:?}"))?;
    ensure!(all.status.code() == Some(1) && said["failed"].to_string().contains("url: is required"), "{all:?}");
    let recovered = weir.json(&["rejected", "recover", "--site", typo, "--as-site", site]).await?;
    ensure!(recovered["events"] == 3, "{recovered}");
    Stats::admin(&weir, site)?.await_total(VISIBLE_WITHIN, &["pageviews", "visitors"], json!({}), &[3.0, 3.0]).await?;
    listed(&weir, &["--site", typo], 0).await?;
    listed(&weir, &["--reason", "url"], 1).await?;

    for arguments in [&["rejected", "recover"][..], &["rejected", "recover", "1", "--all"], &["rejected", "list", "--limit", "0"]]
    {
        let output = weir.output(arguments).await?;
        ensure!(output.status.code() == Some(2), "{arguments:?}: {output:?}");
    }
    let nobody = weir.output(&["rejected", "recover", "--all", "--as-site", "unknown.example"]).await?;
    ensure!(nobody.status.code() == Some(1) && String::from_utf8_lossy(&nobody.stderr).contains("unknown.example"), "{nobody:?}");
    let missing = weir.output(&["rejected", "show", "4711"]).await?;
    ensure!(missing.status.code() == Some(1), "{missing:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recovery_that_is_killed_and_run_again_counts_once() -> Result<()> {
    const EVENTS: usize = 300;
    let weir = Weir::start().await?;
    let site = "many.example";
    let collector = Collector::of(&weir)?;
    // The edge hands on a hundred a second.
    for first in (0..EVENTS).step_by(100) {
        let events: Vec<Value> = (first..first + 100).map(|number| pageview(site, &format!("/{number}"))).collect();
        let answer = collector.post(&Visitor::number(first as u32), &json!(events)).await?;
        ensure!(answer.headers().get("x-plausible-dropped").is_some_and(|count| count == "100"), "{:?}", answer.headers());
        listed(&weir, &[], first + 100).await?;
    }
    weir.json(&["site", "add", site]).await?;

    let mut killed = weir.command(&["rejected", "recover", "--all"]).stdin(Stdio::null()).stdout(Stdio::null()).spawn()?;
    let stats = Stats::admin(&weir, site)?;
    let some = until("some events to be recovered", LISTED_WITHIN, async || {
        Ok(soft(
            stats
                .total(&["pageviews"], json!({}))
                .await
                .map(|found| if found.first() > Some(&0.0) { Look::Done(found) } else { Look::NotYet("none".into()) }),
        ))
    })
    .await;
    killed.kill()?;
    killed.wait()?;
    eprintln!("killed when {:?} events were there", some?);
    // Two operators at once, who know nothing of each other, finish it.
    let (one, other) =
        tokio::join!(weir.output(&["rejected", "recover", "--all"]), weir.output(&["rejected", "recover", "--all"]));
    ensure!(one?.status.code().is_some() && other?.status.code().is_some(), "a recovery was ended by a signal");
    listed(&weir, &[], 0).await?;
    stats.await_total(VISIBLE_WITHIN, &["pageviews"], json!({}), &[EVENTS as f64]).await?;
    weir.flush().await?;
    stats.await_total(VISIBLE_WITHIN, &["pageviews"], json!({}), &[EVENTS as f64]).await?;
    let pages = stats.pages_of("event:page", "pageviews", json!({}), 1_000).await?;
    ensure!(pages.len() == EVENTS && pages.values().all(|count| (count - 1.0).abs() < 0.1), "{pages:?}");
    Ok(())
}

/// Whether a file below a folder holds these bytes.
fn holds(folder: &Path, wanted: &[u8]) -> Result<bool> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let found = if path.is_dir() {
            holds(&path, wanted)?
        } else {
            std::fs::read(&path).is_ok_and(|bytes| bytes.windows(wanted.len()).any(|window| window == wanted))
        };
        if found {
            return Ok(true);
        }
    }
    Ok(false)
}
