//! Measures the archive: bytes an event as a flush writes them and after merging, and what that costs.
//!
//! `archive_bytes ACCESS_LOG EVENTS BATCH_EVENTS`: pages, referrers and agents of a real access log (combined format), its clients visiting a hundred
//! sites at once; every second page view is followed by an engagement ping. Ids are random, as the tracker makes them. A flush has 10,000 events.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use weir_event::model::{Event, EventBatch};
use weir_event::{codec, subject};
use weir_reader::archive::{self, Encoded, LEVEL_FLUSH};
use weir_reader::stream::Delivered;
use weir_rollup::manifest::ArchiveObject;

type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

const SITES: u64 = 100;
const FLUSH_EVENTS: usize = 10_000;
const COUNTRIES: [&str; 8] = ["US", "DE", "GB", "FR", "IN", "CA", "NL", "EE"];

/// What a line of the log says.
struct Line {
    client: u64,
    path: String,
    referrer: String,
    agent: String,
}

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [log, events, batch_events] = arguments.as_slice() else {
        return Err("archive_bytes ACCESS_LOG EVENTS BATCH_EVENTS".into());
    };
    let text = String::from_utf8_lossy(&std::fs::read(log)?).into_owned();
    let lines: Vec<Line> = text.lines().filter_map(line).collect();
    let (events, batch_events): (usize, usize) = (events.parse()?, batch_events.parse()?);
    let messages = messages(&lines, events, batch_events);
    let raw: usize = messages.iter().map(|message| message.payload.len()).sum();
    report("raw batches", raw, events, Duration::ZERO);
    let (mut objects, mut bytes, began) = (Vec::new(), 0, Instant::now());
    for flush in messages.chunks((FLUSH_EVENTS / batch_events).max(1)) {
        let encoded = archive::encode(flush, LEVEL_FLUSH)?;
        bytes += encoded.bytes.len();
        objects.push((object(&encoded), encoded.bytes));
    }
    report(&format!("{} objects of flushes", objects.len()), bytes, events, began.elapsed());
    let began = Instant::now();
    let merged = archive::merge(objects)?;
    report("merged", merged.bytes.len(), events, began.elapsed());
    let began = Instant::now();
    if archive::decode(&merged.bytes)? != messages {
        return Err("it does not read back the same".into());
    }
    report("read", merged.bytes.len(), events, began.elapsed());
    Ok(())
}

fn object(encoded: &Encoded) -> ArchiveObject {
    ArchiveObject {
        name: String::new(),
        checksum: String::new(),
        bytes: encoded.bytes.len() as u64,
        first_seq: encoded.first_seq,
        last_seq: encoded.last_seq,
        first_stream_ms: encoded.first_stream_ms,
        last_stream_ms: encoded.last_stream_ms,
        events: encoded.events,
    }
}

fn report(what: &str, bytes: usize, events: usize, took: Duration) {
    let rate = events as f64 / took.as_secs_f64();
    let speed = if took.is_zero() { String::new() } else { format!(", {rate:.0} events/s") };
    eprintln!("{what}: {bytes} bytes, {:.1} an event{speed}", bytes as f64 / events as f64);
}

fn line(text: &str) -> Option<Line> {
    let mut quoted = text.split('"');
    let client = quoted.next()?.split(' ').next()?;
    let path = quoted.next()?.split(' ').nth(1)?.to_owned();
    let referrer = quoted.nth(1)?.trim_matches('-').to_owned();
    let agent = quoted.nth(1)?.to_owned();
    Some(Line { client: client.bytes().fold(7, |hash, byte| mix(hash ^ u64::from(byte))), path, referrer, agent })
}

fn mix(mut value: u64) -> u64 {
    value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// A stream of about 300 events a second.
fn messages(lines: &[Line], count: usize, batch_events: usize) -> Vec<Delivered> {
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
    let mut next = [0_u64; SITES as usize];
    let mut events = (0_u64..).flat_map(|number| {
        // Sites by Zipf's law, about; each goes through the log from a place of its own.
        let site = (SITES as f64).powf(mix(number) as f64 / u64::MAX as f64) as u64 % SITES;
        let place = next.get_mut(site as usize).map_or(0, |place| {
            *place += 1;
            *place
        });
        let line = lines.get(((place + site * 97) % lines.len() as u64) as usize);
        let view = line.map(|line| event(line, site, number, now_ms + number * 5));
        let ping = view.clone().filter(|_| mix(number ^ 0x63).is_multiple_of(2)).map(|view| Event {
            name: "engagement".to_owned(),
            id_high: mix(number ^ (3 << 60)),
            id_low: mix(number ^ (4 << 60)),
            referrer: String::new(),
            engagement_ms: Some((mix(number) % 60_000) as u32),
            scroll_depth: Some((mix(number ^ 5) % 101) as u32),
            ..view
        });
        view.into_iter().chain(ping)
    });
    let batches = count.div_ceil(batch_events) as u64;
    let mut message = |seq: u64| {
        let events: Vec<Event> = events.by_ref().take(batch_events).collect();
        let formed_ms = events.last().map_or(0, |event| event.received_ms) + 2;
        let slot = seq % 2;
        let batch = EventBatch {
            producer: mix(slot).to_le_bytes().repeat(2),
            number: seq / 2 + 1,
            formed_ms,
            batcher: format!("local/0/{slot}"),
            events,
            ..EventBatch::default()
        };
        let message_id = subject::message_id(&batch.producer, batch.number);
        Delivered { seq, stream_ms: formed_ms + mix(seq) % 4, message_id, schema: 1, payload: codec::encode(&batch).into() }
    };
    (1..=batches).map(&mut message).collect()
}

fn event(line: &Line, site: u64, number: u64, at_ms: u64) -> Event {
    let visitor_id = mix(line.client ^ (site << 32));
    let country = COUNTRIES.get((line.client % 8) as usize).copied().unwrap_or_default();
    Event {
        id_high: mix(number ^ (1 << 60)),
        id_low: mix(number ^ (2 << 60)),
        event_ms: at_ms,
        received_ms: at_ms,
        site_id: site as u32 + 1,
        visitor_id,
        previous_visitor_id: mix(visitor_id),
        name: "pageview".to_owned(),
        hostname: format!("site-{site}.example"),
        pathname: line.path.clone(),
        referrer: line.referrer.clone(),
        user_agent: line.agent.clone(),
        country: country.to_owned(),
        tracker_version: 3,
        ..Event::default()
    }
}
