//! Imported files count as they should: the real access log as an independent program counts it, twice and interrupted, and events with
//! their own times.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::Stdio;
use std::time::Duration;
use weir_tests::collector::USER_AGENT;
use weir_tests::independent;
use weir_tests::poll::{Look, soft, until};
use weir_tests::query::Stats;
use weir_tests::weir::{Weir, fixture};

/// The days of the access log.
const DAYS: [&str; 2] = ["2015-05-17", "2015-05-20"];
const VISIBLE_WITHIN: Duration = Duration::from_secs(30);

fn number(value: &Value, name: &str) -> Result<f64> {
    value[name].as_f64().with_context(|| format!("no {name} in {value}"))
}

async fn import_log(weir: &Weir, site: &str) -> Result<Value> {
    weir.json(&["import", "--site", site, "--format", "combined", &fixture("access.log").to_string_lossy()]).await
}

/// Compares what the query API says with the independent count.
async fn check_log(weir: &Weir, site: &str, expected: &Value) -> Result<()> {
    let stats = Stats::admin(weir, site)?;
    let days = json!({"date_range": DAYS});
    let (views, visits) = (number(expected, "pageviews")?, number(expected, "visits")?);
    let totals = [views, number(expected, "visitors")?, visits];
    stats.await_total(VISIBLE_WITHIN, &["pageviews", "visitors", "visits"], days.clone(), &totals).await?;

    let found = stats.total(&["bounce_rate", "visit_duration", "views_per_visit"], days.clone()).await?;
    let wanted = [
        (number(expected, "bounces")? / visits * 100.0).round(),
        (number(expected, "duration_seconds")? / visits).round(),
        (views / visits * 100.0).round() / 100.0,
    ];
    ensure!(found == wanted, "bounce rate, duration, views a visit: {found:?} instead of {wanted:?}");

    let pages = stats.by("event:page", &["pageviews", "visitors"], days.clone()).await?;
    let wanted: BTreeMap<String, Vec<f64>> = serde_json::from_value(expected["pages"].clone())?;
    let differing: Vec<_> = wanted
        .keys()
        .chain(pages.keys())
        .filter(|page| pages.get(*page) != wanted.get(*page))
        .map(|page| format!("{page}: {:?} instead of {:?}", pages.get(page), wanted.get(page)))
        .collect();
    ensure!(differing.is_empty(), "{} pages differ: {:#?}", differing.len(), differing.iter().take(10).collect::<Vec<_>>());

    for (dimension, name) in [("time:day", "days"), ("time:hour", "hours")] {
        let found: BTreeMap<_, _> = stats
            .by(dimension, &["pageviews"], days.clone())
            .await?
            .into_iter()
            .map(|(bucket, metrics)| (bucket, metrics.iter().sum()))
            .collect();
        let wanted: BTreeMap<String, f64> = serde_json::from_value(expected[name].clone())?;
        ensure!(found == wanted, "{dimension}: {found:?} instead of {wanted:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_access_log_counts_as_an_independent_program_counts_it() -> Result<()> {
    let expected = independent::count()?;
    let weir = Weir::start().await?;
    weir.add_site("log.example").await?;
    let first = import_log(&weir, "log.example").await?;
    check_log(&weir, "log.example", &expected).await?;
    let views = number(&expected, "pageviews")? + number(&expected, "bot_pageviews")?;
    ensure!(first["taken"].as_f64() == Some(views), "{first} instead of {views} taken");

    // The same file again counts once.
    import_log(&weir, "log.example").await?;
    check_log(&weir, "log.example", &expected).await.context("imported twice")?;
    weir.flush().await?;
    check_log(&weir, "log.example", &expected).await.context("sealed")?;

    // Another site is another import; one of a site in another time zone has its own days.
    weir.add_site_in("zone.example", "Asia/Tokyo").await?;
    import_log(&weir, "zone.example").await?;
    let stats = Stats::admin(&weir, "zone.example")?;
    let week = json!({"date_range": ["2015-05-15", "2015-05-24"]});
    stats.await_total(VISIBLE_WITHIN, &["pageviews"], week.clone(), &[number(&expected, "pageviews")?]).await?;
    let hours: BTreeMap<String, f64> = serde_json::from_value(expected["hours"].clone())?;
    let mut local = BTreeMap::new();
    for (hour, views) in hours {
        let hour = chrono::NaiveDateTime::parse_from_str(&hour, "%Y-%m-%d %H:%M:%S")? + chrono::Duration::hours(9);
        *local.entry(hour.format("%Y-%m-%d").to_string()).or_default() += views;
    }
    let found: BTreeMap<String, f64> =
        stats.by("time:day", &["pageviews"], week).await?.into_iter().map(|(day, metrics)| (day, metrics.iter().sum())).collect();
    ensure!(found == local, "days in Tokyo: {found:?} instead of {local:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupted_import_counts_once() -> Result<()> {
    let weir = Weir::start().await?;
    weir.add_site("interrupted.example").await?;
    // Long enough that it can be killed half-way.
    let lines = 150_000_u32;
    let mut log = String::new();
    for number in 0..lines {
        let visitor = number % 5_000;
        writeln!(
            log,
            r#"198.18.{}.{} - - [{:02}/Mar/2021:{:02}:{:02}:{:02} +0000] "GET /p/{} HTTP/1.1" 200 5 "-" "{USER_AGENT}""#,
            visitor >> 8,
            visitor & 255,
            1 + number / 86_400,
            number / 3_600 % 24,
            number / 60 % 60,
            number % 60,
            number % 100
        )?;
    }
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(file.path(), log)?;
    let path = file.path().to_string_lossy().into_owned();
    let arguments = ["import", "--site", "interrupted.example", "--format", "combined", path.as_str(), "--json"];
    let stats = Stats::admin(&weir, "interrupted.example")?;
    let range = json!({"date_range": ["2021-03-01", "2021-03-31"]});
    for _ in 0..2 {
        let before = stats.total(&["pageviews"], range.clone()).await?;
        let mut import = weir.command(&arguments);
        let mut import = import.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        // Killed as soon as more of its events are there than before.
        until("the import to be under way", VISIBLE_WITHIN, async || {
            Ok(soft(
                stats
                    .total(&["pageviews"], range.clone())
                    .await
                    .map(|found| if found > before { Look::Done(()) } else { Look::NotYet(format!("{found:?}")) }),
            ))
        })
        .await?;
        import.kill()?;
        import.wait()?;
    }
    let summary = weir.json(arguments.get(..6).unwrap_or_default()).await?;
    ensure!(summary["taken"].as_u64() == Some(u64::from(lines)), "{summary}");
    stats.await_total(VISIBLE_WITHIN, &["pageviews"], range.clone(), &[f64::from(lines)]).await?;
    weir.flush().await?;
    stats.await_total(VISIBLE_WITHIN, &["pageviews"], range.clone(), &[f64::from(lines)]).await?;
    let pages = stats.by("event:page", &["pageviews"], range).await?;
    ensure!(pages.len() == 100 && pages.values().all(|metrics| *metrics == [f64::from(lines / 100)]), "{pages:?}");
    Ok(())
}

/// Two visitors, one over midnight; all fields of an NDJSON line; identical lines; refused lines.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_keep_their_own_times_and_fields() -> Result<()> {
    let weir = Weir::start().await?;
    let site = "fields.example";
    weir.add_site(site).await?;
    let line = |time: &str, ip: &str, more: Value| {
        let mut line = json!({
            "n": "pageview", "d": site, "u": format!("https://{site}/"), "timestamp": time, "ip": ip, "user_agent": USER_AGENT, "country": "SE",
        });
        weir_tests::query::merge(&mut line, more);
        line.to_string()
    };
    let lines = [
        // A visit of 25 minutes over midnight, by two identities of one person.
        line("2019-12-31T23:50:00Z", "192.0.2.1", json!({"r": "https://www.google.com/", "u": format!("https://{site}/in")})),
        line("2020-01-01T00:05:00Z", "192.0.2.1", json!({"u": format!("https://{site}/next")})),
        line("2020-01-01T00:15:00Z", "192.0.2.1", json!({"n": "Buy", "u": format!("https://{site}/next"), "$": {"currency": "EUR", "amount": "12.50"}})),
        // Later that day: a visitor of the new day.
        line("2020-01-01T12:00:00+02:00", "192.0.2.1", json!({})),
        // Identical lines are separate events.
        line("2020-01-02T10:00:00Z", "2001:db8::7", json!({"country": "NO"})),
        line("2020-01-02T10:00:00Z", "2001:db8::7", json!({"country": "NO"})),
        // Out of order: 20 minutes earlier, it extends that visit.
        line("2020-01-02T09:40:00.250Z", "2001:db8::7", json!({"country": "NO", "u": format!("https://{site}/first")})),
        // Long names of the fields.
        json!({
            "name": "pageview", "domain": site, "url": format!("https://{site}/long?utm_source=paper&utm_medium=print"), "props": {"a": "b"},
            "timestamp": "2001-02-03T04:05:06Z", "ip": "192.0.2.9", "user_agent": USER_AGENT,
        })
        .to_string(),
    ];
    let refused = [
        "not json".to_owned(),
        "{}".to_owned(),
        line("2020-01-02T10:00:00Z", "192.0.2.3", json!({"u": "data:x"})),
        line("not a time", "192.0.2.3", json!({})),
        line("2999-01-01T00:00:00Z", "192.0.2.3", json!({})),
        line("2020-01-02T10:00:00Z", "192.0.2.3", json!({"d": "other.example"})),
        "[".repeat(1000),
    ];
    let text = lines.iter().chain(&refused).fold(String::new(), |text, line| text + line + "\n");
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(file.path(), text)?;
    let summary = weir.json(&["import", "--site", site, "--format", "ndjson", &file.path().to_string_lossy()]).await?;
    ensure!(summary["taken"].as_u64() == Some(lines.len() as u64), "{summary}");
    let refusals = &summary["refused"];
    let count =
        refusals.as_u64().or_else(|| refusals.as_object().map(|reasons| reasons.values().filter_map(Value::as_u64).sum()));
    ensure!(count == Some(refused.len() as u64), "{summary}");

    let stats = Stats::admin(&weir, site)?;
    let all = json!({"date_range": ["2015-01-01", "2020-12-31"]});
    // Visitors: over midnight, later that day, Norway.
    let metrics = ["visitors", "visits", "pageviews", "events"];
    stats.await_total(VISIBLE_WITHIN, &metrics, all.clone(), &[3.0, 3.0, 6.0, 7.0]).await?;
    for sealed in [false, true] {
        if sealed {
            weir.flush().await?;
        }
        check_fields(&stats, &all).await.with_context(|| format!("sealed: {sealed}"))?;
    }
    Ok(())
}

async fn check_fields(stats: &Stats, all: &Value) -> Result<()> {
    let expect = async |dimension: &str, metrics: &[&str], range: Value, expected: Value| -> Result<()> {
        let found = stats.by(dimension, metrics, range).await?;
        let wanted: BTreeMap<String, Vec<f64>> = serde_json::from_value(expected)?;
        ensure!(found == wanted, "{dimension} {metrics:?}: {found:?} instead of {wanted:?}");
        Ok(())
    };
    // 25 min + 0 + 20 min less a quarter second over three visits; one of them bounces.
    let found = stats.total(&["visit_duration", "bounce_rate", "views_per_visit"], all.clone()).await?;
    ensure!(found == [900.0, 33.0, 2.0], "{found:?}");
    expect("visit:country", &["visitors", "pageviews"], all.clone(), json!({"SE": [2, 3], "NO": [1, 3]})).await?;
    expect("visit:source", &["visits"], all.clone(), json!({"Google": [1], "Direct / None": [2]})).await?;
    // A quarter of a century ago.
    let long_ago = json!({"date_range": ["2001-01-01", "2001-12-31"]});
    expect("visit:source", &["visits"], long_ago.clone(), json!({"paper": [1]})).await?;
    expect("visit:utm_medium", &["visits"], long_ago.clone(), json!({"print": [1]})).await?;
    expect("event:page", &["pageviews"], long_ago.clone(), json!({"/long": [1]})).await?;
    expect("time:hour", &["pageviews"], long_ago, json!({"2001-02-03 04:00:00": [1]})).await?;
    expect("visit:entry_page", &["visits"], all.clone(), json!({"/in": [1], "/": [1], "/first": [1]})).await?;
    expect("visit:exit_page", &["visits"], all.clone(), json!({"/next": [1], "/": [2]})).await?;
    expect("event:name", &["events"], all.clone(), json!({"pageview": [6], "Buy": [1]})).await?;
    let days = json!({"2019-12-31": [1], "2020-01-01": [2], "2020-01-02": [3]});
    expect("time:day", &["pageviews"], all.clone(), days).await?;
    let hours = json!({"2020-01-01 00:00:00": [1, 2], "2020-01-01 10:00:00": [1, 1]});
    expect("time:hour", &["pageviews", "events"], json!({"date_range": ["2020-01-01", "2020-01-01"]}), hours).await?;
    // Part of the range: only the visit of that day.
    let second = stats.total(&["visitors", "visits", "pageviews"], json!({"date_range": ["2020-01-02", "2020-01-02"]})).await?;
    ensure!(second == [1.0, 1.0, 3.0], "{second:?}");
    Ok(())
}
