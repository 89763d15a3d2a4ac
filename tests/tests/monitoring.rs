//! What alerts and dashboard ask for is what the programs tell: every metric is there, Prometheus understands every rule and every question.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::Duration;
use weir_tests::collector::{Collector, Visitor};
use weir_tests::haproxy::free_port;
use weir_tests::poll::{Look, soft, until};
use weir_tests::prometheus::{Prometheus, Target};
use weir_tests::query::{Stats, VISIBLE_WITHIN};
use weir_tests::weir::{Weir, client, repository};

const SITE: &str = "watched.example";
/// How the names of our own metrics begin. Others' (`up`, `node_…`, `haproxy_…`) are not asked for here.
const OURS: [&str; 3] = ["aggregator_", "edge_", "query_"];
/// Told only by query nodes that read other regions.
const WITH_REGIONS: &str = "query_region_missing";

/// Names of our metrics in a text, whatever stands around them.
fn named(text: &str) -> BTreeSet<String> {
    let words = text.split(|character: char| !(character.is_ascii_alphanumeric() || character == '_'));
    words.filter(|word| OURS.iter().any(|start| word.starts_with(start))).map(str::to_owned).collect()
}

/// Names that a program describes, with those of a histogram's or summary's series.
fn told(text: &str) -> BTreeSet<String> {
    let described = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    described
        .flat_map(|described| {
            let (name, kind) = described.split_once(' ').unwrap_or((described, ""));
            let series = if matches!(kind, "histogram" | "summary") { vec!["_bucket", "_sum", "_count"] } else { vec![""] };
            series.into_iter().map(move |end| format!("{name}{end}"))
        })
        .collect()
}

/// All questions of the dashboard, of all regions.
fn questions() -> Result<Vec<String>> {
    let text = std::fs::read_to_string(repository().join("infra/monitoring/grafana/weir.json"))?;
    let board: Value = serde_json::from_str(&text)?;
    let panels = board["panels"].as_array().context("no panels")?;
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    targets.map(|target| Ok(target["expr"].as_str().context("no expr")?.replace("$region", ".*"))).collect()
}

async fn text(url: &str, token: Option<&str>) -> Result<String> {
    let request = client()?.get(url);
    let request = if let Some(token) = token { request.bearer_auth(token) } else { request };
    let answer = request.send().await?;
    let (status, body) = (answer.status(), answer.text().await?);
    ensure!(status == 200, "{url}: {status} {body}");
    Ok(body)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn alerts_and_dashboard_ask_for_what_is_told() -> Result<()> {
    let port = free_port()?.to_string();
    let weir = Weir::start_with(&[("WEIR_METRICS_PORT", port.as_str())]).await?;
    weir.add_site(SITE).await?;
    let stats = Stats::admin(&weir, SITE)?;
    Collector::of(&weir)?
        .send(&Visitor::number(1), &serde_json::json!({"n": "pageview", "d": SITE, "u": format!("https://{SITE}/")}))
        .await?;
    stats.await_total(VISIBLE_WITHIN, &["pageviews"], serde_json::json!({}), &[1.0]).await?;
    weir.flush().await?;

    let run = weir.run()?;
    let secrets: Value = serde_json::from_slice(&std::fs::read(weir.home().join("secrets.json"))?)?;
    let token = secrets["edge_token"].as_str().context("no edge_token in secrets.json")?;
    let aggregator = format!("http://127.0.0.1:{port}");
    let (edge_url, query_url) = (format!("{}/internal/metrics", run.collector_url), format!("{}/metrics", run.query_url));
    ensure!(text(&edge_url, None).await.is_err(), "strangers read the edge's numbers");
    ensure!(text(&format!("{aggregator}/health/ready"), None).await?.starts_with("ok"), "the aggregator is not ready");

    // Every metric that is asked for is told.
    let mut all = told(&text(&query_url, None).await?);
    all.extend(told(&text(&format!("{aggregator}/metrics"), None).await?));
    all.extend(told(&text(&edge_url, Some(token)).await?));
    all.insert(WITH_REGIONS.to_owned());
    let mut wanted = named(&questions()?.join("\n"));
    for entry in std::fs::read_dir(repository().join("infra/monitoring/rules"))? {
        wanted.extend(named(&std::fs::read_to_string(entry?.path())?));
    }
    let missing: Vec<&String> = wanted.difference(&all).collect();
    ensure!(missing.is_empty() && wanted.len() > 20, "nobody tells {missing:?} of {wanted:?}");

    // Prometheus reads all of it, and finds nothing wrong with a system that is well.
    let prometheus = Prometheus::start(&[
        Target { job: "weir-query", url: &run.query_url, path: "/metrics", token: None },
        Target { job: "weir-aggregator", url: &aggregator, path: "/metrics", token: None },
        Target { job: "weir-edge", url: &run.collector_url, path: "/internal/metrics", token: Some(token) },
    ])
    .await?;
    until("everybody asked, every rule tried, the file told", Duration::from_secs(30), async || {
        let up = prometheus
            .query("sum(up) + count(aggregator_stream_seen_milliseconds) + (max(aggregator_flushes_total) >= bool 1)")
            .await?;
        let sum = up.first().and_then(|one| one["value"][1].as_str()).unwrap_or("0").to_owned();
        let rules = prometheus.rules().await?;
        let untried = rules.iter().filter(|rule| rule["health"] != "ok").count();
        // Three programs, two streams, one file.
        Ok(soft(Ok(if sum == "6" && untried == 0 {
            Look::Done(())
        } else {
            Look::NotYet(format!("{sum} of 6, {untried} rules not yet tried"))
        })))
    })
    .await?;
    let rules = prometheus.rules().await?;
    let raised: Vec<&Value> = rules.iter().filter(|rule| rule["state"] == "firing").map(|rule| &rule["name"]).collect();
    ensure!(rules.len() > 20 && raised.is_empty(), "{} rules, {raised:?} fire", rules.len());
    // A rate needs two scrapes.
    let questions = questions()?;
    until("answers to most questions of the dashboard", Duration::from_secs(30), async || {
        let mut unanswered = Vec::new();
        for question in &questions {
            if prometheus.query(question).await?.is_empty() {
                unanswered.push(question);
            }
        }
        let is_enough = unanswered.len() * 4 < questions.len();
        Ok(if is_enough { Look::Done(()) } else { Look::NotYet(format!("{unanswered:?}")) })
    })
    .await
}
