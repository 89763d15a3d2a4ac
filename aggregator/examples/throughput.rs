//! Measures the aggregator: publishes synthetic events into a partition's stream, folds them, and reports events per second and core,
//! and bytes per event in merged files.
//!
//! `throughput URL USER PASSWORD EVENTS`, with a nats-server that has nothing of the region `bench` yet. The user must be able to make
//! streams and buckets. `throughput rows EVENTS PART_ROWS` measures without NATS: decode and fold, then write parts of so many rows.

use async_nats::HeaderMap;
use async_nats::jetstream::{Context, kv, stream};
use std::collections::VecDeque;
use std::future::IntoFuture;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio_util::sync::CancellationToken;
use weir_aggregator::Config;
use weir_aggregator::write::{DuckLimits, Label, write_flush};
use weir_event::model::{Event, EventBatch};
use weir_event::{codec, subject};
use weir_reader::{NatsConfig, heads, manifests, store::Store};
use weir_rollup::fold::{self, Arrival, KnownIds, State};
use weir_rollup::ledger::{self, Book, Tally};
use weir_rollup::manifest::Level;
use weir_rollup::row::EventRow;
use weir_rollup::rules::Rules;

type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// About 50 KB of synthetic events.
const BATCH_EVENTS: u64 = 200;
const REGION: &str = "bench";

#[tokio::main]
async fn main() -> Outcome<()> {
    let filter = tracing_subscriber::EnvFilter::from_default_env();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["rows", events, part_rows] => rows(events.parse()?, part_rows.parse()?),
        [url, user, password, events] => {
            let nats = NatsConfig {
                url: (*url).to_owned(),
                user: (*user).to_owned(),
                password: (*password).to_owned(),
                inbox_prefix: String::new(),
                ca_file: None,
            };
            through_nats(nats, events.parse()?).await
        }
        _ => Err("throughput URL USER PASSWORD EVENTS | throughput rows EVENTS PART_ROWS".into()),
    }
}

/// Random numbers that are the same each time.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    /// Small numbers more often, as with visits to sites and pages.
    fn skewed(&mut self, bound: u64) -> u64 {
        let (a, b) = (self.below(bound) + 1, self.below(bound) + 1);
        a * b / (bound + 1)
    }

    fn pick<'a>(&mut self, values: &[&'a str]) -> &'a str {
        values.get(self.below(values.len() as u64) as usize).copied().unwrap_or_default()
    }
}

const AGENTS: &[&str] = &[
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Safari/605.1.15",
];
const REFERRERS: &[&str] =
    &["", "", "https://www.google.com/", "https://news.ycombinator.com/item?id=1", "https://t.co/abc", "https://duckduckgo.com/"];
const COUNTRIES: &[&str] = &["US", "DE", "FR", "GB", "JP", "BR", "IN", ""];

/// Batch `number` of a stream in which each batch is 50 ms of time: 1,000 sites, visits of about four events.
fn batch(number: u64, start_ms: u64, random: &mut Random) -> EventBatch {
    let now_ms = start_ms + number * 50;
    let events = (0..BATCH_EVENTS)
        .map(|index| {
            let site_id = 1 + random.skewed(1000);
            // A visitor is active for a while, then others come.
            let visitor = (now_ms / 600_000) * 1_000_000 + site_id * 400 + random.skewed(120);
            let mix = visitor.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
            let mut fixed = Random(mix);
            Event {
                id_high: random.below(u64::MAX),
                id_low: random.below(u64::MAX) | 1,
                event_ms: now_ms + index / 4,
                received_ms: now_ms + index / 4,
                site_id: site_id as u32,
                visitor_id: mix,
                previous_visitor_id: mix ^ 0xABCD_EF01,
                name: if random.below(10) == 0 { "engagement".to_owned() } else { "pageview".to_owned() },
                hostname: format!("site{site_id}.example"),
                pathname: format!("/articles/{}", random.skewed(300)),
                referrer: fixed.pick(REFERRERS).to_owned(),
                user_agent: fixed.pick(AGENTS).to_owned(),
                country: fixed.pick(COUNTRIES).to_owned(),
                tracker_version: 1,
                ..Event::default()
            }
        })
        .collect();
    let batcher = format!("{REGION}/0/0");
    EventBatch { producer: vec![7; 16], number, formed_ms: now_ms, batcher, events, ..EventBatch::default() }
}

fn start_ms(batches: u64) -> u64 {
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
    now_ms - batches * 50
}

/// Decode, fold and write without NATS.
fn rows(events: u64, part_rows: usize) -> Outcome<()> {
    let batches = events / BATCH_EVENTS;
    let (mut random, start_ms) = (Random(88_172_645_463_325_252), start_ms(batches));
    let encoded: Vec<Vec<u8>> = (1..=batches).map(|number| codec::encode(&batch(number, start_ms, &mut random))).collect();
    let bytes: usize = encoded.iter().map(Vec::len).sum();
    report("input", &format!("{} bytes an event, {} a batch", bytes as u64 / events, bytes as u64 / batches));
    let rules = Rules::built_in()?;
    let began = cpu_ms();
    for payload in &encoded {
        std::hint::black_box(codec::decode(1, payload)?);
    }
    report("decode", &rate(events, cpu_ms() - began));
    let (mut state, mut rows, mut book) = (State::default(), Vec::new(), Book::default());
    let began = cpu_ms();
    for (seq, payload) in (1..).zip(&encoded) {
        let arrival = Arrival { seq, stream_ms: start_ms + seq * 50 };
        let folded = fold::fold(&mut state, &rules, &codec::decode(1, payload)?, arrival, &KnownIds::new());
        book.add(seq, &folded.ledger);
        rows.extend(folded.rows);
    }
    report("decode and fold", &rate(events, cpu_ms() - began));
    let began = cpu_ms();
    let encoded_state = state.encode();
    report("state", &format!("{} bytes in {} ms", encoded_state.len(), cpu_ms() - began));
    let folder = std::env::temp_dir().join(format!("weir-throughput-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let limits = DuckLimits { memory_limit_mb: 512, threads: 1, temp: folder.clone() };
    let label = Label {
        region: REGION.to_owned(),
        partition: 0,
        level: Level::Flush,
        logic: String::new(),
        written_ms: 0,
        name: String::new(),
        fallback_ms: 0,
    };
    let count = rows.len() as u64;
    let began = cpu_ms();
    let mut bytes = 0;
    for (number, chunk) in rows.chunks_mut(part_rows).enumerate() {
        let ledger = ledger_of(chunk);
        bytes += write_flush(&limits, &folder.join(format!("{number}.duckdb")), &label, chunk, &[], &ledger)?.bytes;
    }
    report("write", &format!("{}, {} bytes a row", rate(count, cpu_ms() - began), bytes / count.max(1)));
    if std::env::var_os("KEEP").is_none() {
        std::fs::remove_dir_all(&folder)?;
    }
    Ok(())
}

/// The ledger of rows, as the aggregator has it at a flush.
fn ledger_of(rows: &[EventRow]) -> Vec<ledger::Row> {
    let mut book = Book::default();
    for row in rows {
        let bots = u64::from(row.opening.bot > 0);
        let tally = Tally { accepted: 1, bots, ..Tally::default() };
        book.add(row.position.seq, &[ledger::Entry { site_id: row.site_id, hour_ms: ledger::hour_of(row.received_ms), tally }]);
    }
    book.rows()
}

/// The whole aggregator behind a stream.
async fn through_nats(nats: NatsConfig, events: u64) -> Outcome<()> {
    let jetstream = weir_reader::jetstream(weir_reader::connect(&nats).await?);
    let batches = events / BATCH_EVENTS;
    make_stream(&jetstream).await?;
    publish(&jetstream, batches).await?;
    let home = std::env::temp_dir().join(format!("weir-throughput-{}", std::process::id()));
    let config = Config::new(nats, REGION, vec![0], &home);
    let cancel = CancellationToken::new();
    let (began, began_cpu) = (Instant::now(), cpu_ms());
    let aggregator = tokio::spawn(weir_aggregator::run(config, cancel.clone()));
    seal(&jetstream, batches).await?;
    let (wall, cpu) = (began.elapsed(), cpu_ms() - began_cpu);
    report("sealed", &format!("{events} events in {:.1} s: {}", wall.as_secs_f64(), rate(events, cpu)));
    settle(&jetstream, &home).await?;
    report("with merges", &rate(events, cpu_ms() - began_cpu));
    cancel.cancel();
    aggregator.await??;
    std::fs::remove_dir_all(&home)?;
    Ok(())
}

async fn make_stream(jetstream: &Context) -> Outcome<()> {
    let config = stream::Config {
        name: subject::events_stream(REGION, 0),
        subjects: vec![subject::events_subject(REGION, 0)],
        allow_direct: true,
        ..stream::Config::default()
    };
    jetstream.create_stream(config).await?;
    for bucket in [subject::HEADS_BUCKET, subject::STATUS_BUCKET] {
        let config = kv::Config { bucket: bucket.to_owned(), history: 1, ..kv::Config::default() };
        jetstream.create_key_value(config).await?;
    }
    Ok(())
}

async fn publish(jetstream: &Context, batches: u64) -> Outcome<()> {
    let (mut random, start_ms) = (Random(88_172_645_463_325_252), start_ms(batches));
    let mut waiting = VecDeque::new();
    for number in 1..=batches {
        let batch = batch(number, start_ms, &mut random);
        let mut headers = HeaderMap::new();
        headers.insert("Nats-Msg-Id", subject::message_id(&batch.producer, number).as_str());
        headers.insert(subject::SCHEMA_HEADER, "1");
        let subject = subject::events_subject(REGION, 0);
        waiting.push_back(jetstream.publish_with_headers(subject, headers, codec::encode(&batch).into()).await?.into_future());
        while waiting.len() >= 32 {
            if let Some(acknowledgement) = waiting.pop_front() {
                acknowledgement.await?;
            }
        }
    }
    for acknowledgement in waiting {
        acknowledgement.await?;
    }
    Ok(())
}

/// Waits until everything is sealed.
async fn seal(jetstream: &Context, through_seq: u64) -> Outcome<()> {
    loop {
        let request = serde_json::json!({ "through_seq": through_seq }).to_string();
        // Refused until the aggregator listens; timed out while it still folds.
        if let Ok(answer) = jetstream.client().request(subject::flush_subject(REGION, 0), request.into()).await {
            let answer: serde_json::Value = serde_json::from_slice(&answer.payload)?;
            if answer["sealed_seq"].as_u64() == Some(through_seq) {
                return Ok(());
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until no more merges come, and reports the sizes.
async fn settle(jetstream: &Context, home: &Path) -> Outcome<()> {
    let store = Store::local(&home.join("files"))?;
    let (mut revision, mut since) = (0, Instant::now());
    loop {
        let entry = heads::get(jetstream, REGION, 0).await?.ok_or("no head")?;
        if entry.head.revision != revision {
            (revision, since) = (entry.head.revision, Instant::now());
        }
        if since.elapsed() > Duration::from_secs(10) {
            let manifest = manifests::load(&store, &entry.head).await?;
            for level in [Level::Flush, Level::Hour, Level::Day] {
                let of_level = || manifest.parts.iter().filter(|part| part.level == level);
                let (rows, bytes) =
                    (of_level().map(|part| part.rows).sum::<u64>(), of_level().map(|part| part.bytes).sum::<u64>());
                let text =
                    format!("{} parts, {rows} rows, {:.1} bytes a row", of_level().count(), bytes as f64 / rows.max(1) as f64);
                report(&format!("{level:?}"), &text);
            }
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn rate(events: u64, cpu_ms: u64) -> String {
    format!("{} events a second of processor time ({cpu_ms} ms)", events * 1000 / cpu_ms.max(1))
}

/// Processor time of this process so far, in ticks of 10 ms. Linux only.
fn cpu_ms() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks: u64 = after_name.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    ticks * 10
}

#[expect(clippy::print_stdout, reason = "the figures are what this program is for")]
fn report(what: &str, figures: &str) {
    println!("{what}: {figures}");
}
