//! The load: events and queries at a steady rate through the front, each tried again as a browser's script would.
//!
//! The rate does not wait for answers: a system that stands still gets as many requests as one that runs.

use super::sent::{Event, Id, Sent, page};
use anyhow::Result;
use reqwest::Client;
use serde::Serialize;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::task::TaskTracker;

/// Sites that get events, one a partition.
pub const SITES: [&str; 2] = ["one.chaos.example", "two.chaos.example"];
/// Pages and visitors of each.
const PAGES: u64 = 40;
const VISITORS: u64 = 500;
/// How long a client waits for an answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// Pauses before the three retries: a client comes back later and later.
const PAUSES: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(3), Duration::from_secs(9)];

/// How fast a slow client is.
const A_BYTE_EVERY: Duration = Duration::from_millis(200);

/// What a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// An event of the steady load.
    Event,
    /// A query of it.
    Query,
    /// An event of an overload, which may be refused.
    Extra,
}

/// How a request went.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// What it was.
    pub kind: Kind,
    /// When its first try began and ended, milliseconds of the run.
    pub first_try_ms: (u64, u64),
    /// Tries it took.
    pub tries: u32,
    /// Whether the last one succeeded.
    pub is_good: bool,
    /// What the first try got, if it did not succeed.
    pub first_error: Option<String>,
}

/// What all tasks of the load share.
struct Shared {
    began: Instant,
    collector_url: String,
    query_url: String,
    admin_key: String,
    next: AtomicU64,
    sent: Mutex<Sent>,
    outcomes: Mutex<Vec<Outcome>>,
}

/// Running load.
pub struct Load {
    shared: Arc<Shared>,
    ended: Arc<AtomicBool>,
    tickers: Vec<JoinHandle<()>>,
    requests: TaskTracker,
    client: Client,
}

impl Load {
    /// Starts so many events and queries a second.
    pub fn start(
        began: Instant,
        (collector_url, query_url, admin_key): (&str, &str, &str),
        events_per_s: u32,
        queries_per_s: u32,
    ) -> Result<Self> {
        let shared = Arc::new(Shared {
            began,
            collector_url: collector_url.to_owned(),
            query_url: query_url.to_owned(),
            admin_key: admin_key.to_owned(),
            next: AtomicU64::new(1),
            sent: Mutex::default(),
            outcomes: Mutex::default(),
        });
        let client = Client::builder().timeout(ANSWER_WITHIN).no_proxy().pool_max_idle_per_host(64).build()?;
        let load = Self { shared, ended: Arc::default(), tickers: Vec::new(), requests: TaskTracker::new(), client };
        let tickers = vec![load.ticker(Kind::Event, events_per_s, None), load.ticker(Kind::Query, queries_per_s, None)];
        Ok(Self { tickers, ..load })
    }

    /// So many more events a second for a while.
    pub async fn overload(&self, events_per_s: u32, lasting: Duration) {
        // It ends by itself, with whatever state.
        let _ended = self.ticker(Kind::Extra, events_per_s, Some(lasting)).await;
    }

    fn ticker(&self, kind: Kind, per_second: u32, lasting: Option<Duration>) -> JoinHandle<()> {
        let (shared, ended, requests, client) =
            (Arc::clone(&self.shared), Arc::clone(&self.ended), self.requests.clone(), self.client.clone());
        tokio::spawn(async move {
            let mut ticks = tokio::time::interval(Duration::from_secs(1) / per_second.max(1));
            // A machine that was busy for a while sends what it should have sent.
            ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
            let began = Instant::now();
            while !ended.load(Ordering::Relaxed) && lasting.is_none_or(|lasting| began.elapsed() < lasting) {
                ticks.tick().await;
                let (shared, client) = (Arc::clone(&shared), client.clone());
                requests.spawn(async move { request(&shared, &client, kind).await });
            }
        })
    }

    /// Events acknowledged so far.
    pub fn acknowledged(&self) -> usize {
        locked(&self.shared.sent).acknowledged()
    }

    /// Ends the load, waits for what is under way, and tells what was sent and how it went.
    pub async fn stop(self) -> (Sent, Vec<Outcome>) {
        self.ended.store(true, Ordering::Relaxed);
        for ticker in self.tickers {
            let _ended = ticker.await;
        }
        self.requests.close();
        self.requests.wait().await;
        let outcomes = std::mem::take(&mut *locked(&self.shared.outcomes));
        (locked(&self.shared.sent).clone(), outcomes)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Now, Unix milliseconds.
pub fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_millis() as u64)
}

/// One request with its retries.
async fn request(shared: &Shared, client: &Client, kind: Kind) {
    let id = shared.next.fetch_add(1, Ordering::Relaxed);
    let (first_ms, ran_ms) = (now_ms(), |began: Instant| began.duration_since(shared.began).as_millis() as u64);
    let began = Instant::now();
    let mut outcome = Outcome { kind, first_try_ms: (ran_ms(began), 0), tries: 0, is_good: false, first_error: None };
    // What is to come more often than is good is not sent again.
    let pauses = if kind == Kind::Extra { &[] } else { PAUSES.as_slice() };
    for pause in std::iter::once(Duration::ZERO).chain(pauses.iter().copied()) {
        tokio::time::sleep(pause).await;
        outcome.tries += 1;
        let said = match kind {
            Kind::Query => ask(shared, client, id).await,
            Kind::Event | Kind::Extra => {
                note(shared, id, first_ms, false);
                send(shared, client, id, first_ms, outcome.tries > 1).await
            }
        };
        if outcome.tries == 1 {
            outcome.first_try_ms.1 = ran_ms(Instant::now());
            outcome.first_error = said.clone().err();
        }
        if said.is_ok() {
            outcome.is_good = true;
            break;
        }
    }
    if kind != Kind::Query {
        note(shared, id, first_ms, outcome.is_good);
    }
    locked(&shared.outcomes).push(outcome);
}

fn note(shared: &Shared, id: Id, first_ms: u64, is_acknowledged: bool) {
    let event = Event {
        site: site_of(id),
        page: (id / 2 % PAGES) as u32,
        visitor: (id / 2 % VISITORS) as u32,
        first_ms,
        last_ms: now_ms(),
        is_acknowledged,
    };
    locked(&shared.sent).note(id, event);
}

fn site_of(id: Id) -> usize {
    (id % SITES.len() as u64) as usize
}

/// Each visitor has a browser of its own: all come from one address.
fn user_agent(id: Id) -> String {
    let visitor = id / 2 % VISITORS;
    format!(
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.{visitor}.0 Safari/537.36"
    )
}

/// Sends an event; `Err` says what came instead of an acknowledgement.
async fn send(shared: &Shared, client: &Client, id: Id, first_ms: u64, is_retry: bool) -> Result<(), String> {
    let site = SITES.get(site_of(id)).copied().unwrap_or_default();
    let mut body = json!({
        "n": "pageview", "d": site, "u": format!("https://{site}{}", page((id / 2 % PAGES) as u32)),
        "p": {"id": id.to_string()}, "id": format!("{id:032x}"),
    });
    if is_retry {
        body["retry"] = true.into();
        body["age"] = now_ms().saturating_sub(first_ms).into();
    }
    let request = client.post(format!("{}/api/event", shared.collector_url)).header("user-agent", user_agent(id));
    let answer =
        request.header("content-type", "text/plain").body(body.to_string()).send().await.map_err(|error| told(&error))?;
    let (status, is_dropped) = (answer.status().as_u16(), answer.headers().contains_key("x-plausible-dropped"));
    let text = answer.text().await.map_err(|error| told(&error))?;
    if status == 202 && !is_dropped && text == "ok" { Ok(()) } else { Err(format!("event {status} {}", beginning(&text))) }
}

/// Asks one of a few questions.
async fn ask(shared: &Shared, client: &Client, number: u64) -> Result<(), String> {
    let site = SITES.get(site_of(number / 3)).copied().unwrap_or_default();
    let question = match number % 3 {
        0 => json!({"site_id": site, "metrics": ["pageviews", "visitors"], "date_range": "7d"}),
        1 => json!({"site_id": site, "metrics": ["pageviews"], "dimensions": ["event:page"], "date_range": "day"}),
        _ => json!({"site_id": site, "metrics": ["visitors"], "dimensions": ["time:hour"], "date_range": "day"}),
    };
    let request = client.post(format!("{}/api/v2/query", shared.query_url)).bearer_auth(&shared.admin_key).json(&question);
    let answer = request.send().await.map_err(|error| told(&error))?;
    let status = answer.status().as_u16();
    let text = answer.text().await.map_err(|error| told(&error))?;
    let is_answer = serde_json::from_str::<Value>(&text).is_ok_and(|answer| answer["results"].is_array());
    if status == 200 && is_answer { Ok(()) } else { Err(format!("query {status} {}", beginning(&text))) }
}

fn told(error: &reqwest::Error) -> String {
    let what = if error.is_timeout() {
        "no answer in time"
    } else if error.is_connect() {
        "no connection"
    } else {
        "the connection broke"
    };
    what.to_owned()
}

fn beginning(text: &str) -> String {
    text.chars().take(120).collect()
}

/// Clients that send the body of an event a byte at a time, until the time is over or the other side has enough of them.
pub async fn send_slowly(collector_url: &str, clients: u32, lasting: Duration) {
    let address = collector_url.trim_start_matches("http://").to_owned();
    let sending = (0..clients).map(|_| {
        let address = address.clone();
        async move {
            let mut socket = TcpStream::connect(address).await?;
            let head =
                "POST /api/event HTTP/1.1\r\nHost: edge.example\r\nContent-Type: text/plain\r\nContent-Length: 10000\r\n\r\n";
            socket.write_all(head.as_bytes()).await?;
            loop {
                socket.write_all(b" ").await?;
                tokio::time::sleep(A_BYTE_EVERY).await;
            }
            #[expect(unreachable_code, reason = "says what the errors are")]
            std::io::Result::Ok(())
        }
    });
    // How each of them ends is their own business.
    let _ended = tokio::time::timeout(lasting, futures::future::join_all(sending)).await;
}
