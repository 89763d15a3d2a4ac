//! Every event that is sent is in the ledger once, whatever became of it: live, sealed, merged, and after the aggregator was killed.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use std::time::Duration;
use weir_tests::collector::{Collector, Visitor, pageview};
use weir_tests::poll::{Look, soft, until};
use weir_tests::query::Stats;
use weir_tests::weir::Weir;

const SITE: &str = "shop.example";
/// How soon an accepted event, and one that was refused, must be in the ledger.
const TOLD_WITHIN: Duration = Duration::from_secs(3);

/// Reads the ledger with one key.
struct Ledger {
    stats: Stats,
}

impl Ledger {
    async fn ask(&self, parameters: &str) -> Result<(u16, Value)> {
        let url = format!("{}/api/ledger{parameters}", self.stats.url());
        let answer = self.stats.client().get(url).bearer_auth(self.stats.key()).send().await?;
        let status = answer.status().as_u16();
        Ok((status, answer.json().await?))
    }

    async fn of(&self, site: &str) -> Result<Value> {
        let (status, answer) = self.ask(&format!("?site_id={site}")).await?;
        ensure!(status == 200, "{status} {answer}");
        Ok(answer)
    }

    /// Waits until the totals are these, and sees that rows and counts balance and hours add up.
    async fn await_totals(&self, site: &str, within: Duration, expected: &Value) -> Result<Value> {
        let found = until(&format!("the ledger of {site} to be {expected}"), within, async || {
            Ok(soft(
                async {
                    let answer = self.of(site).await?;
                    let is_it = answer["totals"] == *expected;
                    Ok(if is_it { Look::Done(answer) } else { Look::NotYet(answer["totals"].to_string()) })
                }
                .await,
            ))
        })
        .await?;
        let balance = &found["balance"];
        ensure!(balance["is_balanced"] == true, "{found}");
        ensure!(balance["accepted"] == expected["accepted"], "{found}");
        for figure in ["received", "accepted", "deduplicated", "late", "bots"] {
            let hours: u64 = found["hours"].as_array().into_iter().flatten().filter_map(|hour| hour[figure].as_u64()).sum();
            ensure!(Some(hours) == expected[figure].as_u64(), "{figure} by hours: {found}");
        }
        Ok(found)
    }
}

/// What the test has sent so far.
#[derive(Clone, Debug, Default)]
struct Sent {
    plain: u64,
    again: u64,
    bots: u64,
    late: u64,
    without_url: u64,
    wrong_id: u64,
}

impl Sent {
    fn totals(&self) -> Value {
        let accepted = self.plain + self.bots + self.late;
        let rejected = self.without_url + self.wrong_id + 1;
        json!({
            "received": accepted + self.again + rejected,
            "accepted": accepted,
            // The harness asks with one engagement ping whether the edge knows a site.
            "rejected": {"id": self.wrong_id, "no_session_for_engagement": 1, "url": self.without_url},
            "deduplicated": self.again,
            "late": self.late,
            "bots": self.bots,
        })
    }

    /// Sends one of each.
    async fn round(&mut self, collector: &Collector, round: u32) -> Result<()> {
        let visitor = |number: u32| Visitor::number(round * 100 + number);
        let with = |path: &str, more: Value| {
            let mut body = pageview(SITE, path);
            weir_tests::query::merge(&mut body, more);
            body
        };
        for number in 0..3 {
            collector.send(&visitor(number), &pageview(SITE, "/")).await?;
        }
        let id = format!("{round:032x}");
        collector.send(&visitor(4), &with("/id", json!({ "id": id }))).await?;
        // From another network, with another time.
        collector.send(&visitor(5), &with("/id", json!({"id": id, "retry": true, "age": 1500}))).await?;
        collector.send(&visitor(6), &with("/late", json!({"age": 3 * 3_600_000}))).await?;
        let mut bot = visitor(7);
        "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)".clone_into(&mut bot.user_agent);
        collector.send(&bot, &pageview(SITE, "/bot")).await?;
        let refused = collector.post(&visitor(8), &json!({"n": "pageview", "d": SITE})).await?;
        ensure!(refused.status() == 400, "{refused:?}");
        let partly = json!([pageview(SITE, "/several"), with("/", json!({"id": "short"})), {"n": "pageview", "d": SITE}]);
        let partly = collector.post(&visitor(9), &partly).await?;
        ensure!(partly.status() == 202, "{partly:?}");
        self.plain += 5;
        self.again += 1;
        self.late += 1;
        self.bots += 1;
        self.without_url += 2;
        self.wrong_id += 1;
        Ok(())
    }
}

async fn parts(weir: &Weir) -> Result<u64> {
    let status = weir.json(&["status"]).await?;
    let partitions = status["partitions"].as_array().with_context(|| format!("no partitions in {status}"))?;
    Ok(partitions.iter().filter_map(|partition| partition["parts"].as_u64()).max().unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_event_is_in_the_ledger_once() -> Result<()> {
    let weir = Weir::start().await?;
    weir.add_site(SITE).await?;
    let ledger = Ledger { stats: Stats::new(&weir, SITE, &weir.create_key(SITE).await?)? };
    let collector = Collector::of(&weir)?;
    let mut sent = Sent::default();
    sent.round(&collector, 1).await?;
    let live = ledger.await_totals(SITE, TOLD_WITHIN, &sent.totals()).await.context("live")?;
    ensure!(live["balance"]["in_stream"] == 7 && live["balance"]["in_files"] == 0, "{live}");
    ensure!(live["meta"]["identity_window"] == "day", "{live}");

    weir.flush().await?;
    let sealed = ledger.await_totals(SITE, TOLD_WITHIN, &sent.totals()).await.context("sealed")?;
    ensure!(sealed["balance"]["in_stream"] == 0 && sealed["balance"]["in_files"] == 7, "{sealed}");

    // The aggregator is killed with events unsealed, and goes on.
    sent.round(&collector, 2).await?;
    let killed = weir.kill("aggregator")?;
    sent.round(&collector, 3).await?;
    ledger.await_totals(SITE, TOLD_WITHIN, &sent.totals()).await.context("without an aggregator")?;
    weir.restarted("aggregator", killed, Duration::from_secs(20)).await?;
    weir.flush().await?;
    ledger.await_totals(SITE, TOLD_WITHIN, &sent.totals()).await.context("after kill -9")?;

    // Flushes until parts are merged.
    let mut most = 0;
    for round in 4..40 {
        sent.round(&collector, round).await?;
        weir.flush().await?;
        let parts = parts(&weir).await?;
        if parts < most {
            break;
        }
        most = parts;
    }
    until("parts to be merged", Duration::from_secs(30), async || {
        let parts = parts(&weir).await?;
        Ok(if parts < most { Look::Done(()) } else { Look::NotYet(format!("{parts} parts")) })
    })
    .await?;
    let merged = ledger.await_totals(SITE, TOLD_WITHIN, &sent.totals()).await.context("merged")?;
    ensure!(merged["balance"]["in_files"] == sent.totals()["accepted"], "{merged}");

    // Bots are in the ledger and in no metric.
    let now = chrono::Utc::now();
    let days = [now - chrono::Duration::days(1), now].map(|day| day.format("%Y-%m-%d").to_string());
    let views = ledger.stats.total(&["pageviews"], json!({ "date_range": days })).await?;
    ensure!(views == [(sent.plain + sent.late) as f64], "{views:?}");
    let alarms = weir.json(&["status"]).await?.to_string();
    ensure!(!alarms.contains("ledger_mismatch"), "{alarms}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_site_owns_is_told_to_the_operator_alone() -> Result<()> {
    let weir = Weir::start().await?;
    weir.add_site(SITE).await?;
    let admin = Ledger { stats: Stats::admin(&weir, SITE)? };
    let rejected = |answer: &Value, reason: &str| answer["totals"]["rejected"][reason].as_u64().unwrap_or_default();
    let before = admin.of("(unknown)").await?;
    let collector = Collector::of(&weir)?;
    let visitor = Visitor::number(1);
    let answer = collector.post_bytes(&visitor, b"{".to_vec()).await?;
    ensure!(answer.status() == 400, "{answer:?}");
    let answer = collector.post(&visitor, &pageview("nobody.example", "/")).await?;
    ensure!(answer.status() == 202 && answer.headers().contains_key("x-plausible-dropped"), "{answer:?}");
    until("both in the ledger", TOLD_WITHIN, async || {
        Ok(soft(
            async {
                let now = admin.of("(unknown)").await?;
                // The harness may have asked for its site before the edge knew it.
                let is_there = rejected(&now, "not_json") == rejected(&before, "not_json") + 1
                    && rejected(&now, "not_found") > rejected(&before, "not_found");
                Ok(if is_there { Look::Done(()) } else { Look::NotYet(now["totals"].to_string()) })
            }
            .await,
        ))
    })
    .await?;
    let (status, all) = admin.ask("").await?;
    ensure!(status == 200 && all["balance"]["is_balanced"] == true && rejected(&all, "not_json") == 1, "{status} {all}");
    let merchant = Ledger { stats: Stats::new(&weir, SITE, &weir.create_key(SITE).await?)? };
    for (parameters, expected) in [("?site_id=(unknown)", 401), ("", 400), ("?site_id=nobody.example", 401)] {
        let (status, answer) = merchant.ask(parameters).await?;
        ensure!(status == expected, "{parameters}: {status} {answer}");
    }
    Ok(())
}
