//! An incident handled from the dashboard's side: a wrong rule is looked up, changed, planned, built, compared, promoted and taken back over HTTP.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use std::time::Duration;
use weir_tests::collector::{Collector, Visitor};
use weir_tests::poll::{Look, soft, until};
use weir_tests::query::{Stats, VISIBLE_WITHIN};
use weir_tests::weir::Weir;

const SITE: &str = "operator.example";
/// Time for a piece of work, and for what is served to follow.
const DONE_WITHIN: Duration = Duration::from_mins(1);

/// The operator's way to the query API.
struct Operator<'a>(&'a Stats);

impl Operator<'_> {
    async fn get(&self, path: &str) -> Result<Value> {
        let request = self.0.client().get(format!("{}/api/operator/{path}", self.0.url())).bearer_auth(self.0.key());
        let answer = request.send().await?;
        let status = answer.status();
        let body: Value = answer.json().await?;
        ensure!(status == 200, "{path}: {status} {body}");
        Ok(body)
    }

    async fn post(&self, action: &str, body: &Value) -> Result<(u16, Value)> {
        let url = format!("{}/api/operator/replay/{action}", self.0.url());
        let answer = self.0.client().post(url).bearer_auth(self.0.key()).json(body).send().await?;
        Ok((answer.status().as_u16(), answer.json().await?))
    }

    /// Does something and waits for its end; what came of it.
    async fn act(&self, action: &str, body: &Value) -> Result<Value> {
        let (status, answer) = self.post(action, body).await?;
        ensure!(status == 200 || status == 202, "{action}: {status} {answer}");
        let work = until(&format!("the end of {action}"), DONE_WITHIN, async || {
            Ok(soft(self.get("replay").await.map(|state| {
                let work = state["work"].clone();
                if work["state"] == "running" { Look::NotYet(work.to_string()) } else { Look::Done(work) }
            })))
        })
        .await?;
        ensure!(work["action"] == action && work["state"] == "done" && work["error"].is_null(), "{work}");
        Ok(work["result"].clone())
    }
}

/// Waits until this channel has so many visits.
async fn channel(stats: &Stats, name: &str, visits: f64) -> Result<()> {
    until(&format!("{visits} visits by {name}"), DONE_WITHIN, async || {
        Ok(soft(stats.by("visit:channel", &["visits"], json!({})).await.map(|by| {
            let is_there = by.get(name).and_then(|metrics| metrics.first()) == Some(&visits);
            if is_there { Look::Done(()) } else { Look::NotYet(format!("{by:?}")) }
        })))
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_rule_is_corrected_from_the_dashboard() -> Result<()> {
    let weir = Weir::start().await?;
    weir.add_site(SITE).await?;
    let stats = Stats::admin(&weir, SITE)?;
    let operator = Operator(&stats);
    let collector = Collector::of(&weir)?;
    for number in 0..6 {
        let tag = if number % 2 == 0 { "?utm_source=tuesday&utm_medium=letterbox" } else { "" };
        let event = json!({"n": "pageview", "d": SITE, "u": format!("https://{SITE}/{tag}")});
        collector.send(&Visitor::number(number), &event).await?;
    }
    stats.await_total(VISIBLE_WITHIN, &["visits"], json!({}), &[6.0]).await?;
    operator.act("flush", &json!({})).await?;
    channel(&stats, "Referral", 3.0).await?;

    // What stands where.
    let overview = operator.get("overview").await?;
    ensure!(overview["can_act"] == true, "{overview}");
    let partitions = overview["regions"][0]["partitions"].as_array().context("no partitions")?;
    let rows: u64 = partitions.iter().filter_map(|one| one["parts"]["rows"].as_u64()).sum();
    ensure!(partitions.len() == 2 && rows == 6, "{overview}");

    // The rule as it is, and as it should be.
    let listed = operator.get("rules").await?;
    ensure!(listed["files"].as_array().is_some_and(|files| files.iter().any(|one| one["file"] == "channels.toml")), "{listed}");
    let rules = operator.get("rules/channels.toml").await?["text"].as_str().context("no text")?.to_owned();
    let email = "    { category = \"EMAIL\" },\n";
    ensure!(rules.contains(email), "channels.toml looks otherwise");
    let corrected = rules.replace(email, &format!("{email}    {{ medium = '^letterbox$' }},\n"));

    let plan = operator.act("plan", &json!({"from_seq": 1, "rules": {"channels.toml": corrected}})).await?;
    let events: u64 = plan["partitions"].as_array().into_iter().flatten().filter_map(|one| one["events"].as_u64()).sum();
    ensure!(events == 6 && plan["logic"].is_string(), "{plan}");
    let built = operator.act("run", &json!({})).await?;
    let rows: u64 = built["partitions"].as_array().into_iter().flatten().filter_map(|one| one["rows"].as_u64()).sum();
    ensure!(rows == 6 && built["logic"] == plan["logic"], "{built}");
    let diff = operator.act("diff", &json!({"site": SITE, "limit": 5})).await?;
    ensure!(diff["equal"] == false && diff["rows"]["changed"] == 3, "{diff}");
    channel(&stats, "Referral", 3.0).await?;

    // Promoted, it is served; rolled back, it is not. The replay must be the one that was looked at.
    let replay = operator.get("replay").await?;
    ensure!(replay["can"] == json!(["run", "diff", "promote", "discard"]) && replay["status"]["phase"] == "built", "{replay}");
    let named = json!({"replay_id": replay["status"]["id"]});
    ensure!(operator.post("promote", &json!({"replay_id": "another"})).await?.0 == 409, "another replay is promoted");
    let switched = operator.act("promote", &named).await?;
    ensure!(switched.as_array().is_some_and(|all| all.iter().all(|one| one["already"] == false)), "{switched}");
    channel(&stats, "Email", 3.0).await?;
    ensure!(operator.get("overview").await?.to_string().contains("\"kind\":\"promote\""), "the promotion is not shown");
    operator.act("rollback", &named).await?;
    channel(&stats, "Referral", 3.0).await?;
    ensure!(operator.get("replay").await?["status"]["phase"] == "rolled_back", "it is not told");

    // A refused payload is listed; a key of the site sees none of this.
    let unknown = json!({"n": "pageview", "d": "nobody.example", "u": "https://nobody.example/"});
    collector.post(&Visitor::number(7), &unknown).await?;
    until("the refused payload", DONE_WITHIN, async || {
        Ok(soft(operator.get("rejected?limit=5").await.map(|body| {
            if body["rejected"][0]["reason"] == "not_found" { Look::Done(()) } else { Look::NotYet(body.to_string()) }
        })))
    })
    .await?;
    let merchant = Stats::new(&weir, SITE, &weir.create_key(SITE).await?)?;
    for path in ["overview", "rejected", "rules", "replay"] {
        let request = merchant.client().get(format!("{}/api/operator/{path}", merchant.url())).bearer_auth(merchant.key());
        ensure!(request.send().await?.status() == 401, "{path}");
    }
    Ok(())
}
