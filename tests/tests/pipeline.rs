//! N events with known answers through HTTP: the query API returns exactly those within two seconds, and the same after a flush, after
//! merging and after a restart of everything.

use anyhow::{Result, ensure};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use weir_tests::collector::{Collector, Visitor, pageview};
use weir_tests::poll::{Look, soft, until};
use weir_tests::query::{Row, Stats, VISIBLE_WITHIN};
use weir_tests::scenario::{Event, METRICS, Scenario, Visit};
use weir_tests::weir::Weir;

const SITE: &str = "shop.example";
/// Midnight or a full hour may pass during the test: the last two days hold all of it.
fn two_days() -> Value {
    let now = chrono::Utc::now();
    let yesterday = now - chrono::Duration::days(1);
    json!({"date_range": [yesterday.format("%Y-%m-%d").to_string(), now.format("%Y-%m-%d").to_string()]})
}

fn with(more: Value) -> Value {
    let mut request = two_days();
    weir_tests::query::merge(&mut request, more);
    request
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_answers_are_exact_live_sealed_merged_and_after_a_restart() -> Result<()> {
    let weir = Weir::start().await?;
    weir.add_site(SITE).await?;
    let scenario = Scenario::new(SITE, 0, 120);
    let started = chrono::Utc::now();
    scenario.send(&Collector::of(&weir)?).await?;
    send_bots(&weir).await?;

    let stats = Stats::new(&weir, SITE, &weir.create_key(SITE).await?)?;
    stats.await_total(VISIBLE_WITHIN, &METRICS, two_days(), &scenario.total(|_, _| true).metrics()).await?;
    check_all(&stats, &scenario, started).await.map_err(|error| error.context("live"))?;

    weir.flush().await?;
    check_all(&stats, &scenario, started).await.map_err(|error| error.context("sealed"))?;

    let scenario = grow_until_merged(&weir, &stats).await?;
    check_all(&stats, &scenario, started).await.map_err(|error| error.context("merged"))?;

    weir.stop(Signal::SIGTERM, Duration::from_secs(10)).await?;
    weir.up().await?;
    let stats = Stats::new(&weir, SITE, stats.key())?;
    check_all(&stats, &scenario, started).await.map_err(|error| error.context("restarted"))?;

    // And it goes on: later events of the same visitors join their visits.
    let more = Scenario::new(SITE, scenario.visits.len() as u32, scenario.visits.len() as u32 + 20);
    more.send(&Collector::of(&weir)?).await?;
    let all = Scenario::new(SITE, 0, scenario.visits.len() as u32 + 20);
    stats.await_total(VISIBLE_WITHIN, &METRICS, two_days(), &all.total(|_, _| true).metrics()).await?;
    check_all(&stats, &all, started).await.map_err(|error| error.context("after the restart"))
}

/// Bots are stored but not counted.
async fn send_bots(weir: &Weir) -> Result<()> {
    let mut bot = Visitor::number(90_000);
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)".clone_into(&mut bot.user_agent);
    Collector::of(weir)?.post(&bot, &pageview(SITE, "/bot")).await?;
    Ok(())
}

/// Sends 10 visits and flushes, again and again, until the number of parts falls.
async fn grow_until_merged(weir: &Weir, stats: &Stats) -> Result<Scenario> {
    let mut visits = 120;
    let mut most = 0;
    for _ in 0..40 {
        Scenario::new(SITE, visits, visits + 10).send(&Collector::of(weir)?).await?;
        visits += 10;
        weir.flush().await?;
        let parts = parts(weir).await?;
        if parts < most {
            let all = Scenario::new(SITE, 0, visits);
            stats.await_total(VISIBLE_WITHIN, &METRICS, two_days(), &all.total(|_, _| true).metrics()).await?;
            return Ok(all);
        }
        most = parts;
    }
    // The merge may be some seconds behind the last flush.
    until("flushed parts to be merged", Duration::from_secs(30), async || {
        let parts = parts(weir).await?;
        Ok(if parts < most { Look::Done(()) } else { Look::NotYet(format!("{parts} parts")) })
    })
    .await?;
    Ok(Scenario::new(SITE, 0, visits))
}

/// Parts of the busiest partition.
async fn parts(weir: &Weir) -> Result<u64> {
    let status = weir.json(&["status"]).await?;
    let partitions = status["partitions"].as_array().cloned().unwrap_or_default();
    ensure!(!partitions.is_empty(), "no partitions in {status}");
    Ok(partitions.iter().filter_map(|partition| partition["parts"].as_u64()).max().unwrap_or_default())
}

type Key = fn(&Visit, &Event) -> String;

fn tag(visit: &Visit, name: &str) -> String {
    visit.tag(name).unwrap_or("(not set)").to_owned()
}

async fn check_all(stats: &Stats, scenario: &Scenario, started: chrono::DateTime<chrono::Utc>) -> Result<()> {
    check_totals(stats, scenario).await?;
    check_dimensions(stats, scenario).await?;
    check_filters(stats, scenario).await?;
    check_order_and_pages(stats, scenario).await?;
    check_times(stats, scenario, started).await
}

async fn check_totals(stats: &Stats, scenario: &Scenario) -> Result<()> {
    let totals = stats.total(&METRICS, two_days()).await?;
    ensure!(totals == scenario.total(|_, _| true).metrics(), "totals {totals:?}");
    let (bounce_rate, views_per_visit) = scenario.visit_metrics(|_| true);
    let found = stats.total(&["bounce_rate", "views_per_visit"], two_days()).await?;
    ensure!(found == [bounce_rate, views_per_visit], "{found:?} instead of {bounce_rate} {views_per_visit}");
    // A whole run takes seconds, so no visit can be longer.
    let duration = stats.total(&["visit_duration"], two_days()).await?;
    ensure!(duration.first().is_some_and(|seconds| (0.0..60.0).contains(seconds)), "duration {duration:?}");
    let answer = stats.answer(&with(json!({"metrics": ["visitors"]}))).await?;
    let watermark = answer["meta"]["watermark"].as_str().unwrap_or_default();
    let watermark = chrono::DateTime::parse_from_rfc3339(watermark)?;
    ensure!((chrono::Utc::now() - watermark.to_utc()).num_seconds().abs() < 10, "watermark {watermark} is not near now");
    ensure!(answer["meta"]["revision"].is_u64(), "revision {}", answer["meta"]);
    Ok(())
}

async fn check_dimensions(stats: &Stats, scenario: &Scenario) -> Result<()> {
    let dimensions: [(&str, Key); 14] = [
        ("event:page", |_, event| event.page.to_owned()),
        ("event:name", |_, event| event.name.to_owned()),
        ("visit:source", |visit, _| visit.arrival.2.to_owned()),
        ("visit:channel", |visit, _| visit.arrival.3.to_owned()),
        ("visit:country", |visit, _| visit.visitor.country.clone()),
        ("visit:browser", |visit, _| visit.agent.0.to_owned()),
        ("visit:os", |visit, _| visit.agent.1.to_owned()),
        ("visit:device", |visit, _| visit.agent.2.to_owned()),
        ("visit:utm_source", |visit, _| tag(visit, "utm_source")),
        ("visit:utm_medium", |visit, _| tag(visit, "utm_medium")),
        ("visit:utm_campaign", |visit, _| tag(visit, "utm_campaign")),
        ("visit:utm_content", |visit, _| tag(visit, "utm_content")),
        ("visit:utm_term", |visit, _| tag(visit, "utm_term")),
        ("visit:referrer", |visit, _| match visit.arrival.0 {
            "" => "Direct / None".to_owned(),
            url => url.trim_start_matches("https://").trim_start_matches("www.").trim_end_matches('/').to_owned(),
        }),
    ];
    for (dimension, key) in dimensions {
        let expected: BTreeMap<_, _> = scenario
            .by(|visit, event| Some(key(visit, event)))
            .into_iter()
            .map(|(key, figures)| (key, figures.metrics()))
            .collect();
        let found = stats.by(dimension, &METRICS, two_days()).await?;
        ensure!(found == expected, "{dimension}\n   found {found:?}\nexpected {expected:?}");
    }
    // Entry and exit pages go with visit metrics only.
    for (dimension, page) in [("visit:entry_page", Visit::entry as fn(&Visit) -> &'static str), ("visit:exit_page", Visit::exit)]
    {
        let expected: BTreeMap<_, _> = scenario
            .by(|visit, _| Some(page(visit).to_owned()))
            .into_iter()
            .map(|(key, figures)| {
                (key.clone(), vec![figures.visitors, figures.visits, scenario.visit_metrics(|visit| page(visit) == key).0])
            })
            .collect();
        let found = stats.by(dimension, &["visitors", "visits", "bounce_rate"], two_days()).await?;
        ensure!(found == expected, "{dimension}\n   found {found:?}\nexpected {expected:?}");
    }
    // Two dimensions at once.
    let rows = stats.rows(&with(json!({"metrics": ["visits"], "dimensions": ["visit:source", "visit:country"]}))).await?;
    let expected = scenario.by(|visit, _| Some(format!("{}|{}", visit.arrival.2, visit.visitor.country)));
    ensure!(rows.len() == expected.len(), "{} rows instead of {}", rows.len(), expected.len());
    for row in rows {
        let figures = expected.get(&row.dimensions.join("|"));
        ensure!(figures.map(|figures| vec![figures.visits]) == Some(row.metrics.clone()), "{row:?} instead of {figures:?}");
    }
    Ok(())
}

async fn check_filters(stats: &Stats, scenario: &Scenario) -> Result<()> {
    type Keep = fn(&Visit, &Event) -> bool;
    let filters: [(Value, Keep); 10] = [
        (json!([["is", "event:page", ["/pricing"]]]), |_, event| event.page == "/pricing"),
        (json!([["is", "event:page", ["/pricing", "/docs"]]]), |_, event| ["/pricing", "/docs"].contains(&event.page)),
        (json!([["is_not", "event:page", ["/pricing"]]]), |_, event| event.page != "/pricing"),
        (json!([["contains", "event:page", ["docs"]]]), |_, event| event.page.contains("docs")),
        (json!([["is", "event:name", ["Signup"]]]), |_, event| event.name == "Signup"),
        (json!([["is", "visit:source", ["Google"]]]), |visit, _| visit.arrival.2 == "Google"),
        (json!([["is", "visit:country", ["DE", "JP"]], ["is", "visit:browser", ["Safari"]]]), |visit, _| {
            ["DE", "JP"].contains(&visit.visitor.country.as_str()) && visit.agent.0 == "Safari"
        }),
        (json!([["or", [["is", "visit:country", ["FR"]], ["is", "visit:os", ["iOS"]]]]]), |visit, _| {
            visit.visitor.country == "FR" || visit.agent.1 == "iOS"
        }),
        (json!([["not", ["and", [["is", "visit:device", ["Mobile"]], ["is_not", "visit:country", ["DE"]]]]]]), |visit, _| {
            !(visit.agent.2 == "Mobile" && visit.visitor.country != "DE")
        }),
        (
            json!([["not", ["or", [["is", "visit:utm_campaign", ["spring"]], ["contains", "visit:source", ["oo"]]]]]]),
            |visit, _| !(visit.tag("utm_campaign") == Some("spring") || visit.arrival.2.contains("oo")),
        ),
    ];
    for (filter, keep) in filters {
        let found = stats.total(&METRICS, with(json!({"filters": filter}))).await?;
        let expected = scenario.total(keep).metrics();
        ensure!(found == expected, "{filter}: found {found:?}, expected {expected:?}");
    }
    let found = stats.total(&["bounce_rate"], with(json!({"filters": [["is", "visit:country", ["DE"]]]}))).await?;
    let expected = scenario.visit_metrics(|visit| visit.visitor.country == "DE").0;
    ensure!(found == [expected], "bounce rate of DE: {found:?} instead of {expected}");
    let nothing = stats.total(&METRICS, with(json!({"filters": [["is", "event:page", ["/nowhere"]]]}))).await?;
    ensure!(nothing == [0.0; 4], "a page that nobody saw: {nothing:?}");
    Ok(())
}

async fn check_order_and_pages(stats: &Stats, scenario: &Scenario) -> Result<()> {
    let ask = async |order: Value, limit: u32, offset: u32| -> Result<Vec<Row>> {
        stats
            .rows(&with(json!({
                "metrics": ["pageviews"], "dimensions": ["event:page"], "order_by": order,
                "filters": [["is", "event:name", ["pageview"]]], "pagination": {"limit": limit, "offset": offset},
            })))
            .await
    };
    let mut expected: Vec<(String, f64)> = scenario
        .by(|_, event| (event.name == "pageview").then(|| event.page.to_owned()))
        .into_iter()
        .map(|(page, figures)| (page, figures.pageviews))
        .collect();
    let names = |rows: Vec<Row>| rows.into_iter().flat_map(|row| row.dimensions).collect::<Vec<_>>();
    let by_name: Vec<_> = expected.iter().map(|(page, _)| page.clone()).collect();
    let found = names(ask(json!([["event:page", "asc"]]), 100, 0).await?);
    ensure!(found == by_name, "by page: {found:?} instead of {by_name:?}");
    let paged =
        [names(ask(json!([["event:page", "desc"]]), 2, 0).await?), names(ask(json!([["event:page", "desc"]]), 100, 2).await?)]
            .concat();
    ensure!(paged.iter().eq(by_name.iter().rev()), "pages of two: {paged:?}");
    expected.sort_by(|left, right| right.1.total_cmp(&left.1).then(left.0.cmp(&right.0)));
    let found = ask(json!([["pageviews", "desc"], ["event:page", "asc"]]), 3, 1).await?;
    let found: Vec<_> = found.into_iter().map(|row| (row.dimensions.concat(), row.metrics.iter().sum::<f64>())).collect();
    let wanted: Vec<_> = expected.into_iter().skip(1).take(3).collect();
    ensure!(found == wanted, "by views: {found:?} instead of {wanted:?}");
    Ok(())
}

/// All of it happened between the start of the test and now.
async fn check_times(stats: &Stats, scenario: &Scenario, started: chrono::DateTime<chrono::Utc>) -> Result<()> {
    for (dimension, format) in [("time:hour", "%Y-%m-%d %H:00:00"), ("time:day", "%Y-%m-%d")] {
        let found = stats.by(dimension, &["pageviews", "events"], two_days()).await?;
        let (first, last) = (started.format(format).to_string(), chrono::Utc::now().format(format).to_string());
        ensure!(found.keys().all(|bucket| (&first..=&last).contains(&bucket)), "{dimension}: {:?}", found.keys());
        let mut sum = vec![0.0, 0.0];
        for metrics in found.values() {
            sum.iter_mut().zip(metrics).for_each(|(sum, metric)| *sum += metric);
        }
        let expected = scenario.total(|_, _| true);
        ensure!(sum == vec![expected.pageviews, expected.events], "{dimension}: {found:?}");
    }
    // `day` is the local day up to now.
    if started.date_naive() == chrono::Utc::now().date_naive() {
        let found = stats.total(&METRICS, json!({"date_range": "day"})).await?;
        ensure!(found == scenario.total(|_, _| true).metrics(), "day: {found:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sites_keys_and_partitions() -> Result<()> {
    let weir = Weir::start().await?;
    // Ids count up and partitions are the id modulo two, so two neighbours are on two partitions.
    let sites = ["one.example", "two.example", "three.example"];
    for (index, site) in sites.iter().enumerate() {
        let added = Instant::now();
        weir.add_site(site).await?;
        ensure!(added.elapsed() < Duration::from_secs(8), "{site} took {:?} to be known", added.elapsed());
        Scenario::new(site, 0, 10 + 5 * index as u32).send(&Collector::of(&weir)?).await?;
    }
    let status = weir.json(&["status"]).await?;
    ensure!(
        status["partitions"].as_array().is_some_and(|all| all.iter().all(|partition| partition["last_seq"].as_u64() > Some(0))),
        "both partitions are used: {status}"
    );
    let keys = [weir.create_key(sites[0]).await?, weir.create_key(sites[1]).await?];
    for (index, site) in sites.iter().enumerate() {
        let expected = Scenario::new(site, 0, 10 + 5 * index as u32).total(|_, _| true).metrics();
        Stats::admin(&weir, site)?.await_total(VISIBLE_WITHIN, &METRICS, two_days(), &expected).await?;
    }

    // Valid at once: no wait between create and use.
    for (site, key) in sites.iter().zip(&keys) {
        Stats::new(&weir, site, key)?.total(&["visitors"], two_days()).await?;
    }
    let fresh = weir.create_key(sites[2]).await?;
    let (status, body) = Stats::new(&weir, sites[2], &fresh)?.ask(&with(json!({"metrics": ["visitors"]}))).await?;
    ensure!(status == 200, "a fresh key: {status} {body}");

    // A key reads its own site only; unknown site and unknown key look the same.
    for (site, key) in [(sites[1], keys[0].as_str()), ("nowhere.example", keys[0].as_str()), (sites[0], "weir_nonsense")] {
        let (status, body) = Stats::new(&weir, site, key)?.ask(&with(json!({"metrics": ["visitors"]}))).await?;
        ensure!(
            status == 401 && body["error"].as_str().is_some_and(|text| text.starts_with("Invalid API key or site ID")),
            "{site}: {status} {body}"
        );
    }

    // Revoked keys end soon.
    let list = weir.json(&["key", "list"]).await?;
    let id = list
        .as_array()
        .or_else(|| list["keys"].as_array())
        .and_then(|keys| keys.iter().find(|key| key["domain"] == sites[2]))
        .and_then(|key| key["id"].as_str().map(str::to_owned))
        .ok_or_else(|| anyhow::anyhow!("no id of the key of {} in {list}", sites[2]))?;
    ensure!(!list.to_string().contains(&fresh), "the list shows a key");
    weir.json(&["key", "revoke", &id]).await?;
    let revoked = Stats::new(&weir, sites[2], &fresh)?;
    until("the revoked key to be refused", Duration::from_secs(5), async || {
        Ok(soft(
            revoked
                .ask(&with(json!({"metrics": ["visitors"]})))
                .await
                .map(|(status, _)| if status == 401 { Look::Done(()) } else { Look::NotYet(format!("{status}")) }),
        ))
    })
    .await?;
    Stats::new(&weir, sites[0], &keys[0])?.total(&["visitors"], two_days()).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_event_can_go_to_several_sites() -> Result<()> {
    let weir = Weir::start().await?;
    for site in ["a.example", "b.example"] {
        weir.add_site(site).await?;
    }
    let collector = Collector::of(&weir)?;
    let visitor = Visitor::number(1);
    let body = json!({"n": "pageview", "d": "a.example, www.b.example", "u": "https://a.example/both"});
    collector.send(&visitor, &body).await?;
    for site in ["a.example", "b.example"] {
        Stats::admin(&weir, site)?.await_total(VISIBLE_WITHIN, &METRICS, two_days(), &[1.0; 4]).await?;
    }
    Ok(())
}
