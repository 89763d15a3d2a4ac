//! One hostile site: it floods, and sends values without end. Its neighbours share its partition and its edge, lose nothing and are refused nothing.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use weir_tests::collector::{Collector, Visitor, pageview};
use weir_tests::load::Sent;
use weir_tests::poll::{Look, soft, until};
use weir_tests::query::Stats;
use weir_tests::weir::Weir;

const HOSTILE: &str = "hostile.example";
const NEIGHBOURS: [&str; 2] = ["quiet.example", "calm.example"];
/// Time for what was acknowledged to be in the answers, beside other tests.
const COUNTED_WITHIN: Duration = Duration::from_secs(15);

/// The ceiling of the first test.
const REQUESTS_PER_S: u64 = 20;
const EVENTS_PER_S: u64 = 60;
const FLOOD_FOR: Duration = Duration::from_secs(5);
const FLOODERS: u32 = 6;
/// Pause of a neighbour's sender between an answer and its next request: never more than half the ceiling.
const PAUSE: Duration = Duration::from_millis(100);

/// What a sender got.
#[derive(Default)]
struct Answers {
    sent: Sent,
    /// Events of requests that were answered 429.
    throttled: u64,
    /// Requests that were answered 202.
    taken: u64,
}

impl Answers {
    fn and(self, other: Self) -> Self {
        Self { sent: self.sent.and(other.sent), throttled: self.throttled + other.throttled, taken: self.taken + other.taken }
    }
}

/// Sends requests of so many events, one after the other, until the end. Anything but 202 and 429 with `Retry-After` is an error.
async fn send_until(
    ended: Arc<AtomicBool>,
    collector: Collector,
    site: &'static str,
    (sender, events, pause): (u32, u64, Duration),
) -> Result<Answers> {
    let (mut answers, mut next) = (Answers::default(), u64::from(sender) * 1_000_000);
    while !ended.load(Ordering::Relaxed) {
        let ids: Vec<u64> = (next..next + events).collect();
        next += events;
        let mut bodies: Vec<Value> = ids.iter().map(|id| pageview(site, &format!("/id/{id}"))).collect();
        let body = if events == 1 { bodies.remove(0) } else { Value::Array(bodies) };
        let answer = collector.post(&Visitor::number(sender * 100 + (next % 100) as u32), &body).await?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        match status {
            202 => {
                ensure!(!headers.contains_key("x-plausible-dropped"), "{site}: dropped: {headers:?}");
                answers.sent.acknowledged.extend(ids.iter().map(ToString::to_string));
                answers.taken += 1;
            }
            429 => {
                let after = headers.get("retry-after").and_then(|value| value.to_str().ok()?.parse::<u32>().ok());
                ensure!(after.is_some_and(|seconds| (1..=11).contains(&seconds)), "Retry-After of 429: {headers:?}");
                ensure!(headers.contains_key("access-control-allow-origin"), "a page cannot read it: {headers:?}");
                answers.throttled += events;
            }
            other => anyhow::bail!("{site}: {other} {}", answer.text().await?),
        }
        tokio::time::sleep(pause).await;
    }
    Ok(answers)
}

async fn all(mut senders: JoinSet<Result<Answers>>) -> Result<Answers> {
    let mut answers = Answers::default();
    while let Some(joined) = senders.join_next().await {
        answers = answers.and(joined??);
    }
    Ok(answers)
}

/// Waits until the ledger of a site says that so many of its events were over a limit.
async fn await_throttled(stats: &Stats, site: &str, expected: u64) -> Result<()> {
    until(&format!("{expected} throttled events in the ledger of {site}"), COUNTED_WITHIN, async || {
        Ok(soft(
            async {
                let request = stats.client().get(format!("{}/api/ledger?site_id={site}", stats.url())).bearer_auth(stats.key());
                let answer: Value = request.send().await?.json().await?;
                let found = answer["totals"]["rejected"]["throttle"].as_u64().unwrap_or_default();
                let is_balanced = answer["balance"]["is_balanced"] == true;
                ensure!(found <= expected, "more than were refused: {answer}");
                Ok(if found == expected && is_balanced { Look::Done(()) } else { Look::NotYet(answer.to_string()) })
            }
            .await,
        ))
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_is_answered_as_documented_and_its_neighbours_lose_nothing() -> Result<()> {
    let ceiling = (REQUESTS_PER_S.to_string(), EVENTS_PER_S.to_string());
    let weir = Weir::start_with(&[
        ("WEIR_PARTITIONS", "1"),
        ("WEIR_SITE_REQUESTS_PER_S", &ceiling.0),
        ("WEIR_SITE_EVENTS_PER_S", &ceiling.1),
    ])
    .await?;
    for site in NEIGHBOURS.into_iter().chain([HOSTILE]) {
        weir.add_site(site).await?;
    }
    let neighbours_end = Arc::new(AtomicBool::new(false));
    let mut neighbours = Vec::new();
    for site in NEIGHBOURS {
        let mut senders = JoinSet::new();
        senders.spawn(send_until(Arc::clone(&neighbours_end), Collector::of(&weir)?, site, (1, 1, PAUSE)));
        neighbours.push((site, senders));
    }
    // First single events, then eight a request: over the ceiling of requests, then over that of events.
    let mut flood = Answers::default();
    for (round, events, ceiling_per_s) in [(0, 1, REQUESTS_PER_S), (1, 8, EVENTS_PER_S)] {
        let (ended, mut senders) = (Arc::new(AtomicBool::new(false)), JoinSet::new());
        let began = Instant::now();
        for sender in 0..FLOODERS {
            let how = (10 + round * FLOODERS + sender, events, Duration::ZERO);
            senders.spawn(send_until(Arc::clone(&ended), Collector::of(&weir)?, HOSTILE, how));
        }
        tokio::time::sleep(FLOOD_FOR).await;
        ended.store(true, Ordering::Relaxed);
        let answers = all(senders).await?;
        // A second's worth had gathered, and the last request is taken whole.
        let most = began.elapsed().as_secs_f64().mul_add(ceiling_per_s as f64, (ceiling_per_s + events) as f64);
        let taken = answers.sent.acknowledged.len();
        ensure!(taken > 0 && taken as f64 <= most, "{taken} events of {events} a request were taken, at most {most} may be");
        ensure!(answers.throttled > 0, "no flood: nothing was refused");
        flood = flood.and(answers);
    }
    neighbours_end.store(true, Ordering::Relaxed);
    for (site, senders) in neighbours {
        let answers = all(senders).await?;
        ensure!(answers.throttled == 0, "{site} was refused {} events", answers.throttled);
        ensure!(answers.taken > 5, "{site} sent {} requests", answers.taken);
        answers.sent.verify(&weir, site, COUNTED_WITHIN).await.with_context(|| site.to_owned())?;
        await_throttled(&Stats::admin(&weir, site)?, site, 0).await?;
    }
    flood.sent.verify(&weir, HOSTILE, COUNTED_WITHIN).await.context("the flood")?;
    await_throttled(&Stats::admin(&weir, HOSTILE)?, HOSTILE, flood.throttled).await
}

/// Paths, properties and referrers of the second test, each another one.
const VALUES: usize = 3_000;
const EVENTS_A_REQUEST: usize = 100;
/// Limits of an event: see `infra/security/limits.md`.
const PROPS: usize = 30;
const KEY_BYTES: usize = 300;
const VALUE_BYTES: usize = 2_000;
const NAME_CHARS: usize = 120;
const URL_BYTES: usize = 2_000;

/// A text of just so many bytes that no other number gives.
fn long(number: usize, start: &str, bytes: usize) -> String {
    let mut text = format!("{start}{number}-");
    text.extend(std::iter::repeat_n('x', bytes.saturating_sub(text.len())));
    text
}

/// An event whose every text is as long as it may be, and another in each event.
fn largest(number: usize, visited: &str) -> Value {
    let props: serde_json::Map<String, Value> = (0..PROPS)
        .map(|prop| {
            (long(number * PROPS + prop, "key-", KEY_BYTES), json!(long(prop, &format!("{visited}/v/{number}/"), VALUE_BYTES)))
        })
        .collect();
    json!({
        "n": long(number, "name-", NAME_CHARS), "d": HOSTILE, "u": long(number, &format!("{visited}/u/"), URL_BYTES),
        "r": long(number, &format!("{visited}/r/"), VALUE_BYTES), "p": props,
    })
}

/// What is above a limit, and what is said.
fn too_large(visited: &str) -> Vec<(&'static str, Value)> {
    let with = |name: &str, value: Value| {
        let mut event = pageview(HOSTILE, "/refused");
        weir_tests::query::merge(&mut event, json!({ name: value }));
        event
    };
    vec![
        ("event_name", with("n", json!(long(0, "", NAME_CHARS + 1)))),
        ("url", with("u", json!(long(0, &format!("{visited}/"), URL_BYTES + 1)))),
        ("props", with("p", json!({ long(0, "", KEY_BYTES + 1): "x" }))),
        ("props", with("p", json!({ "x": long(0, "", VALUE_BYTES + 1) }))),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn values_without_end_are_bounded_and_no_address_that_a_caller_names_is_visited() -> Result<()> {
    let weir = Weir::start_with(&[("WEIR_PARTITIONS", "1")]).await?;
    let neighbour = NEIGHBOURS[0];
    for site in [neighbour, HOSTILE] {
        weir.add_site(site).await?;
    }
    // Whoever visits an address of the events is seen here.
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let visited = format!("http://{}", listener.local_addr()?);
    let visits = Arc::new(AtomicU64::new(0));
    let seen = Arc::clone(&visits);
    let watch = tokio::spawn(async move {
        while listener.accept().await.is_ok() {
            seen.fetch_add(1, Ordering::Relaxed);
        }
    });

    let collector = Collector::of(&weir)?;
    // A crawler names the page of its keeper.
    let visitor =
        Visitor { user_agent: format!("Mozilla/5.0 (compatible; Googlebot/2.1; +{visited}/bot.html)"), ..Visitor::number(1) };
    let bot = json!({"n": "pageview", "d": HOSTILE, "u": format!("{visited}/bot"), "r": visited});
    collector.send(&visitor, &bot).await?;
    for request in 0..VALUES / EVENTS_A_REQUEST {
        let one = |event: usize| {
            let number = request * EVENTS_A_REQUEST + event;
            json!({
                "n": "pageview", "d": HOSTILE, "u": format!("{visited}/path/{number}?utm_source=source-{number}"),
                "r": format!("{visited}/referrer/{number}"),
                "p": {long(number, "key-", KEY_BYTES): format!("{visited}/value"), "id": format!("{visited}/{number}")},
            })
        };
        collector.send(&Visitor::number(request as u32), &Value::Array((0..EVENTS_A_REQUEST).map(one).collect())).await?;
        if request % 5 == 0 {
            let event = json!({"n": "pageview", "d": neighbour, "u": format!("https://{neighbour}/{}", request / 5), "p": {"n": request}});
            collector.send(&Visitor::number(request as u32), &event).await?;
        }
    }
    // 70 KB each, ten a request.
    for request in 0..2 {
        let events = (0..10).map(|event| largest(request * 10 + event, &visited)).collect();
        collector.send(&Visitor::number(7), &Value::Array(events)).await?;
    }
    for (field, event) in too_large(&visited) {
        let answer = collector.post(&Visitor::number(8), &event).await?;
        let (status, said) = (answer.status().as_u16(), answer.json::<Value>().await?);
        ensure!(status == 400 && said["errors"][field].is_array(), "{field}: {status} {said}");
    }
    let more = json!({"n": "pageview", "d": HOSTILE, "u": format!("{visited}/more"), "p": (0..=PROPS).map(|n| (format!("p{n:02}"), json!("v"))).collect::<serde_json::Map<_, _>>()});
    collector.send(&Visitor::number(9), &more).await?;

    let (hostile, quiet) = (Stats::admin(&weir, HOSTILE)?, Stats::admin(&weir, neighbour)?);
    for state in ["live", "sealed"] {
        check_hostile(&hostile, &visited).await.context(state)?;
        let pages = quiet.by("event:page", &["pageviews", "visitors"], json!({})).await?;
        let expected = (0..6).map(|page| (format!("/{page}"), vec![1.0, 1.0])).collect();
        ensure!(pages == expected, "{state}: the neighbour's pages: {pages:?}");
        let props = quiet.by("event:props:n", &["events"], json!({})).await?;
        ensure!(props.len() == 6 && props.values().all(|events| events == &[1.0]), "{state}: {props:?}");
        if state == "live" {
            weir.flush().await?;
        }
    }
    ensure!(visits.load(Ordering::Relaxed) == 0, "an address that a caller named was visited {visits:?} times");
    // The listener would have seen it.
    let _answer = collector.client().get(&visited).timeout(Duration::from_millis(500)).send().await;
    ensure!(visits.load(Ordering::Relaxed) > 0, "the listener sees nobody");
    watch.abort();
    Ok(())
}

/// Everything that was taken is counted, in answers of bounded size.
async fn check_hostile(stats: &Stats, visited: &str) -> Result<()> {
    // The bot is stored and counts in no metric.
    let total = [VALUES as f64 + 1.0, VALUES as f64 + 21.0];
    stats.await_total(COUNTED_WITHIN, &["pageviews", "events"], json!({}), &total).await?;
    let paths =
        stats.pages_of("event:page", "pageviews", json!({"filters": [["contains", "event:page", ["/path/"]]]}), 700).await?;
    ensure!(paths.len() == VALUES && paths.values().all(|views| (*views - 1.0).abs() < 0.1), "{} paths", paths.len());
    let values = stats
        .pages_of("event:props:id", "events", json!({"filters": [["contains", "event:props:id", [visited]]]}), 10_000)
        .await?;
    ensure!(values.len() == VALUES, "{} values of a property", values.len());
    let sources: BTreeSet<String> = stats.pages_of("visit:utm_source", "visits", json!({}), 1_000).await?.into_keys().collect();
    ensure!(sources.len() > 1, "{sources:?}");
    let limited = json!({"metrics": ["pageviews"], "dimensions": ["event:page"], "pagination": {"limit": 7, "offset": 11}, "include": {"total_rows": true}});
    let answer = stats.answer(&limited).await?;
    ensure!(
        answer["results"].as_array().is_some_and(|rows| rows.len() == 7)
            && answer["meta"]["total_rows"].as_u64() >= Some(VALUES as u64),
        "{}",
        answer["meta"]
    );
    let too_many = json!({"metrics": ["pageviews"], "dimensions": ["event:page"], "pagination": {"limit": 10_001}});
    let (code, said) = stats.ask(&too_many).await?;
    ensure!(code == 400, "{code} {said}");
    // The last of the largest, by its name and by a property's, which are as long as they may be.
    let name = long(19, "name-", NAME_CHARS);
    let only = json!({"filters": [["is", "event:name", [name]]]});
    let by_key = stats.by(&format!("event:props:{}", long(19 * PROPS + 4, "key-", KEY_BYTES)), &["events"], only).await?;
    let value = long(4, &format!("{visited}/v/19/"), VALUE_BYTES);
    ensure!(by_key.get(&value) == Some(&vec![1.0]), "{} values of the longest key", by_key.len());
    // One more than thirty properties: the first thirty are there.
    let only = json!({"filters": [["is", "event:page", ["/more"]]]});
    for (key, expected) in [("p29", "v"), ("p30", "(none)")] {
        let found = stats.by(&format!("event:props:{key}"), &["events"], only.clone()).await?;
        ensure!(found.keys().eq([expected]), "{key}: {found:?}");
    }
    Ok(())
}
