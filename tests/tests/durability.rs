//! An hour without NATS: what the edge acknowledged meanwhile is kept, drained fast and in order, and counted once.

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use weir_tests::collector::{Collector, Visitor};
use weir_tests::poll::{Look, soft, until};
use weir_tests::process;
use weir_tests::query::Stats;
use weir_tests::weir::{Weir, client};

const SITE: &str = "outage.example";
/// An hour of 200 events/s, 100 a request: the most that a tracker's queue sends at once.
const REQUESTS: u64 = 7_200;
const EVENTS_A_REQUEST: u64 = 100;
const EVENTS: u64 = REQUESTS * EVENTS_A_REQUEST;
const SENDERS: usize = 8;
/// Five times the 200 events/s at which they would have arrived.
const DRAIN_EVENTS_PER_S_MIN: f64 = 1_000.0;
/// The backlog is on disk: workerd's memory must not grow with it (it is about 160 MB). Measured: see the test's output.
const RESIDENT_BYTES_MAX: u64 = 1 << 30;
const SENT_WITHIN: Duration = Duration::from_mins(3);
const DRAINED_WITHIN: Duration = Duration::from_mins(2);
const SETTLED_WITHIN: Duration = Duration::from_mins(1);
/// Requests that arrive at the same moment may overtake each other on their way to the batcher.
const OVERTAKEN_BY_MS: u64 = 1_000;
/// How soon a sender comes back after a refusal; a browser would take longer.
const COME_BACK_AFTER: Duration = Duration::from_millis(50);

/// The body of one request. Its events have the same ids whenever it is sent.
fn body(request: u64, is_retry: bool) -> String {
    let mut body = String::from("[");
    for index in 0..EVENTS_A_REQUEST {
        let comma = if index == 0 { "" } else { "," };
        let _infallible = write!(
            body,
            r#"{comma}{{"n":"pageview","d":"{SITE}","u":"https://{SITE}/r/{request}","id":"{:024x}{index:08x}","retry":{is_retry}}}"#,
            request + 1
        );
    }
    body.push(']');
    body
}

/// Each request comes from another client.
fn visitor(request: u64) -> Visitor {
    Visitor::number(request as u32)
}

/// Senders at work: each takes the next request and sends it, if need be again and again, until it is acknowledged.
struct Senders {
    tasks: JoinSet<Result<()>>,
    acknowledged: Arc<AtomicU64>,
    sent_again: Arc<AtomicU64>,
}

impl Senders {
    fn start(weir: &Weir, requests: u64) -> Result<Self> {
        let (next, acknowledged, sent_again) = <(Arc<AtomicU64>, Arc<AtomicU64>, Arc<AtomicU64>)>::default();
        let mut tasks = JoinSet::new();
        for _ in 0..SENDERS {
            let collector = Collector::of(weir)?;
            let (next, acknowledged, sent_again) = (next.clone(), acknowledged.clone(), sent_again.clone());
            tasks.spawn(async move {
                loop {
                    let request = next.fetch_add(1, Ordering::Relaxed);
                    if request >= requests {
                        return Ok(());
                    }
                    let mut is_retry = false;
                    while !is_taken(&collector, request, is_retry).await? {
                        is_retry = true;
                        sent_again.fetch_add(1, Ordering::Relaxed);
                        tokio::time::sleep(COME_BACK_AFTER).await;
                    }
                    acknowledged.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        Ok(Self { tasks, acknowledged, sent_again })
    }

    /// Waits for this many acknowledged requests; `look` sees every poll.
    async fn reach(&mut self, requests: u64, mut look: impl FnMut()) -> Result<()> {
        until(&format!("{requests} requests acknowledged"), SENT_WITHIN, async || {
            look();
            while let Some(ended) = self.tasks.try_join_next() {
                ended??;
            }
            let acknowledged = self.acknowledged.load(Ordering::Relaxed);
            Ok(if acknowledged >= requests { Look::Done(()) } else { Look::NotYet(format!("{acknowledged} are")) })
        })
        .await
    }
}

/// Whether a request was acknowledged. An error means that the edge answered something that no sender would come back after.
async fn is_taken(collector: &Collector, request: u64, is_retry: bool) -> Result<bool> {
    let Ok(answer) = collector.post_bytes(&visitor(request), body(request, is_retry).into_bytes()).await else {
        return Ok(false);
    };
    let status = answer.status();
    let (is_dropped, retry_after) =
        (answer.headers().contains_key("x-plausible-dropped"), answer.headers().contains_key("retry-after"));
    // An answer that breaks off is none.
    let Ok(text) = answer.text().await else { return Ok(false) };
    if status.is_server_error() {
        ensure!(status != 503 || retry_after, "503 without Retry-After: {text}");
        return Ok(false);
    }
    ensure!(status == 202 && !is_dropped && text == "ok", "request {request}: {status} {text} (dropped: {is_dropped})");
    Ok(true)
}

/// What `/internal/backlog` says.
async fn backlog(weir: &Weir) -> Result<Value> {
    let secrets: Value = serde_json::from_slice(&std::fs::read(weir.home().join("secrets.json"))?)?;
    let token = secrets["edge_token"].as_str().context("no edge_token in secrets.json")?;
    let url = format!("{}/internal/backlog", weir.run()?.collector_url);
    Ok(client()?.get(url).bearer_auth(token).send().await?.error_for_status()?.json().await?)
}

/// Stops NATS and returns its process id once it really stands still: on a busy machine its threads go on for a while.
async fn silence_nats(weir: &Weir) -> Result<u32> {
    let nats = weir.pid("nats")?;
    process::signal(nats, Signal::SIGSTOP);
    until("every thread of NATS to stop", SETTLED_WITHIN, async || {
        let mut running = 0;
        for task in std::fs::read_dir(format!("/proc/{nats}/task"))? {
            // State follows the name in brackets: `T` is stopped.
            let stat = std::fs::read_to_string(task?.path().join("stat")).unwrap_or_default();
            running += usize::from(!stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('T')));
        }
        Ok(if running == 0 { Look::Done(nats) } else { Look::NotYet(format!("{running} threads run")) })
    })
    .await
}

/// Waits until the edge holds nothing more and returns how long that took.
async fn drained(weir: &Weir) -> Result<Duration> {
    let started = Instant::now();
    until("the backlog to drain", DRAINED_WITHIN, async || {
        Ok(soft(backlog(weir).await.map(|backlog| match backlog["unsent_events"].as_u64() {
            Some(0) => Look::Done(()),
            _ => Look::NotYet(backlog.to_string()),
        })))
    })
    .await?;
    Ok(started.elapsed())
}

/// Every request's page has been viewed exactly as often as it has events, by as many visitors as there were clients.
async fn verify(weir: &Weir, requests: u64) -> Result<()> {
    let stats = Stats::admin(weir, SITE)?;
    let expected = [(requests * EVENTS_A_REQUEST) as f64, requests as f64];
    stats.await_total(SETTLED_WITHIN, &["pageviews", "visitors"], json!({}), &expected).await?;
    let pages: BTreeMap<String, f64> = stats.pages_of("event:page", "pageviews", json!({}), 10_000).await?;
    let wrong: Vec<_> = pages.iter().filter(|(_, count)| **count as u64 != EVENTS_A_REQUEST).take(5).collect();
    ensure!(pages.len() as u64 == requests && wrong.is_empty(), "{} of {requests} pages, wrong: {wrong:?}", pages.len());
    Ok(())
}

/// No partition alarms: a gap in a producer's numbers, or numbers out of order, would be one.
async fn no_alarms(weir: &Weir) -> Result<()> {
    let status = weir.json(&["status"]).await?;
    for partition in status["partitions"].as_array().context("no partitions in the status")? {
        ensure!(partition["alarms"].as_array().is_some_and(Vec::is_empty), "{partition}");
    }
    Ok(())
}

/// Batches of one producer stand on the stream in the order of their numbers, and events of one batcher in the order of their arrival.
async fn in_order(weir: &Weir) -> Result<()> {
    let mut tail = weir.command(&["tail", "--from-seq", "1", "--until-end", "--json"]);
    tail.stdin(Stdio::null()).stdout(Stdio::piped());
    let batches = tokio::task::spawn_blocking(move || -> Result<u64> {
        let mut tail = tail.spawn()?;
        let (mut numbers, mut arrivals, mut batches) = (BTreeMap::new(), BTreeMap::new(), 0);
        for line in BufReader::new(tail.stdout.take().context("no stdout")?).lines() {
            let line = line?;
            // The first event of each batch.
            if !line.contains(r#""index":0,"#) {
                continue;
            }
            let first: Value = serde_json::from_str(&line)?;
            let number = first["number"].as_u64().context("no number")?;
            let before = numbers.insert(first["producer"].to_string(), number).unwrap_or(0);
            ensure!(number > before, "batch {number} stands behind {before}: {line}");
            let arrival = first["event"]["received_ms"].as_u64().context("no received_ms")?;
            let before = arrivals.insert(first["batcher"].to_string(), arrival).unwrap_or(0);
            ensure!(arrival + OVERTAKEN_BY_MS >= before, "{before} stands before {arrival}: {line}");
            batches += 1;
        }
        ensure!(tail.wait()?.success(), "weir tail failed");
        Ok(batches)
    })
    .await??;
    ensure!(batches >= 200, "{EVENTS} events in only {batches} batches");
    eprintln!("{batches} batches with events, all in order");
    Ok(())
}

/// 720,000 events while NATS is silent, and workerd killed in the middle of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_hour_without_nats() -> Result<()> {
    let weir = Weir::start().await?;
    weir.add_site(SITE).await?;
    drained(&weir).await?;
    let nats = silence_nats(&weir).await?;

    let started = Instant::now();
    let mut senders = Senders::start(&weir, REQUESTS)?;
    let mut resident_max = 0;
    let mut first = weir.pid("workerd")?;
    senders.reach(REQUESTS / 2, || resident_max = resident_max.max(process::resident_bytes(first).unwrap_or(0))).await?;
    let killed = weir.kill("workerd")?;
    ensure!(killed == first, "workerd was restarted before it was killed");
    first = weir.restarted("workerd", killed, Duration::from_secs(10)).await?;
    senders.reach(REQUESTS, || resident_max = resident_max.max(process::resident_bytes(first).unwrap_or(0))).await?;
    let sent_for = started.elapsed().as_secs_f64();
    let again = senders.sent_again.load(Ordering::Relaxed);
    ensure!(again > 0, "nobody noticed that workerd was killed");
    ensure!(process::is_alive(nats) && weir.pid("nats")? == nats, "NATS was restarted meanwhile");
    ensure!(weir.pid("workerd")? == first, "workerd ended by itself");

    let held = backlog(&weir).await?;
    let unsent = held["unsent_events"].as_u64().context("no unsent_events")?;
    process::signal(nats, Signal::SIGCONT);
    let drained_for = drained(&weir).await?.as_secs_f64();
    resident_max = resident_max.max(process::resident_bytes(first)?);
    let rate = unsent as f64 / drained_for;
    eprintln!(
        "{EVENTS} events acknowledged in {sent_for:.1} s ({:.0} events/s), {again} requests sent again; workerd at most {} MB for a backlog of \
         {} MB; {unsent} events drained in {drained_for:.1} s ({rate:.0} events/s)",
        EVENTS as f64 / sent_for,
        resident_max >> 20,
        held["backlog_bytes"].as_u64().unwrap_or(0) >> 20,
    );
    ensure!(rate >= DRAIN_EVENTS_PER_S_MIN, "drained {rate:.0} events/s");
    ensure!(resident_max <= RESIDENT_BYTES_MAX, "workerd took {resident_max} bytes");

    verify(&weir, REQUESTS).await?;
    // Nothing is lost; but were they really kept by the edge, all of them?
    ensure!(unsent >= EVENTS, "{held}: some had reached NATS before");
    weir.flush().await?;
    verify(&weir, REQUESTS).await?;
    no_alarms(&weir).await?;
    in_order(&weir).await
}

/// Over the cap the edge says 503 and when to come back; what it refused is taken later, and counts once like everything else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_the_cap_senders_keep_their_events() -> Result<()> {
    const REQUESTS: u64 = 400;
    let weir = Weir::start_with(&[("WEIR_BACKLOG_BYTES_MAX", "1048576")]).await?;
    weir.add_site(SITE).await?;
    drained(&weir).await?;
    let nats = silence_nats(&weir).await?;
    let mut senders = Senders::start(&weir, REQUESTS)?;
    until("every sender to be refused", SENT_WITHIN, async || {
        let again = senders.sent_again.load(Ordering::Relaxed);
        let acknowledged = senders.acknowledged.load(Ordering::Relaxed);
        ensure!(acknowledged < REQUESTS, "{acknowledged} requests of 22 kB fit into batchers of 1 MB");
        Ok(if again >= 10 * SENDERS as u64 { Look::Done(()) } else { Look::NotYet(format!("{again} refusals")) })
    })
    .await?;
    let held = backlog(&weir).await?;
    let acknowledged = senders.acknowledged.load(Ordering::Relaxed);
    ensure!(held["is_full"] == true && held["unsent_events"].as_u64() >= Some(acknowledged * EVENTS_A_REQUEST), "{held}");
    process::signal(nats, Signal::SIGCONT);
    senders.reach(REQUESTS, || ()).await?;
    drained(&weir).await?;
    eprintln!(
        "{acknowledged} requests taken, the others refused {} times and taken later",
        senders.sent_again.load(Ordering::Relaxed)
    );
    verify(&weir, REQUESTS).await?;
    no_alarms(&weir).await
}
