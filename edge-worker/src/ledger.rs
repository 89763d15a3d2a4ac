//! What was refused or dropped: counted by site, hour and reason, and told to the stream once a second together with the refused payloads.
//!
//! The counts are in memory: a crash loses at most what came since they were last told. Told twice they can be too, when a batcher's answer
//! is lost on the way.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use weir_event::codec;
use weir_event::model::Refused;
use worker::{Context, Env, Result};

use crate::config::Config;
use crate::platform::now_ms;
use crate::timeout::sleep;
use crate::{batcher, directory};

/// Time between two reports, milliseconds.
const TELL_EVERY_MS: u64 = 1_000;
/// A report that has not begun after this time, milliseconds, was given up by the runtime: the next request makes another.
const TELLING_MS_MAX: u64 = 5_000;
/// Most counters that wait to be told; further ones are counted without their site.
const COUNTERS_MAX: usize = 10_000;
/// Most refused payloads that wait; of more than these a second, the rest is counted but not kept.
const PAYLOADS_MAX: usize = 100;
/// Most bytes of them.
const PAYLOAD_BYTES_MAX: usize = 1_000_000;
const HOUR_MS: u64 = 3_600_000;

/// The site that an event was for, as far as it is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Owner {
    /// Partition that takes the count.
    pub(crate) partition: u32,
    /// Number of the site; 0 = not known.
    pub(crate) site_id: u32,
}

/// Counters and payloads that wait.
#[derive(Debug, Default)]
struct Waiting {
    counts: BTreeMap<(Owner, u64, &'static str), u64>,
    payloads: VecDeque<Vec<u8>>,
    payload_bytes: usize,
    /// Since the isolate began, by reason.
    totals: BTreeMap<&'static str, u64>,
}

thread_local! {
    static WAITING: RefCell<Waiting> = RefCell::default();
    /// When the report that is under way began; 0 = none is.
    static TELLING_MS: Cell<u64> = const { Cell::new(0) };
}

impl Waiting {
    fn count(&mut self, owner: Owner, reason: &'static str, more: u32, now_ms: u64) {
        let total = self.totals.entry(reason).or_default();
        *total = total.saturating_add(more.into());
        let hour_ms = now_ms - now_ms % HOUR_MS;
        let mut key = (owner, hour_ms, reason);
        if self.counts.len() >= COUNTERS_MAX && !self.counts.contains_key(&key) {
            key.0 = Owner::default();
        }
        let count = self.counts.entry(key).or_default();
        *count = count.saturating_add(more.into());
    }

    fn keep(&mut self, payload: Vec<u8>) {
        if self.payloads.len() < PAYLOADS_MAX && self.payload_bytes + payload.len() <= PAYLOAD_BYTES_MAX {
            self.payload_bytes += payload.len();
            self.payloads.push_back(payload);
        }
    }

    /// What is to be told: the records for each partition, and the payloads, one a line. Both are taken away.
    fn take(&mut self) -> (BTreeMap<u32, Vec<Refused>>, Vec<u8>) {
        let mut records: BTreeMap<u32, Vec<Refused>> = BTreeMap::new();
        for ((owner, hour_ms, reason), count) in std::mem::take(&mut self.counts) {
            let record = Refused { site_id: owner.site_id, hour_ms, reason: reason.to_owned(), count };
            records.entry(owner.partition).or_default().push(record);
        }
        self.payload_bytes = 0;
        let mut lines = Vec::new();
        for payload in self.payloads.drain(..) {
            lines.extend(payload);
            lines.push(b'\n');
        }
        (records, lines)
    }
}

/// Counts some more for a site and a reason.
pub(crate) fn count(owner: Owner, reason: &'static str, more: u32) {
    if more > 0 {
        WAITING.with_borrow_mut(|waiting| waiting.count(owner, reason, more, now_ms()));
    }
}

/// Whether a payload would be kept: what is more than a second's share need not be made.
pub(crate) fn has_room() -> bool {
    WAITING.with_borrow(|waiting| waiting.payloads.len() < PAYLOADS_MAX)
}

/// Keeps a refused payload until it is told.
pub(crate) fn keep(payload: Vec<u8>) {
    WAITING.with_borrow_mut(|waiting| waiting.keep(payload));
}

/// All counts since the isolate began, by reason.
pub(crate) fn totals() -> BTreeMap<&'static str, u64> {
    WAITING.with_borrow(|waiting| waiting.totals.clone())
}

/// Sees to it that what was counted is told within a second, after the answer.
pub(crate) fn tell_soon(context: &Context, env: &Env, config: &Rc<Config>) {
    let has_news = WAITING.with_borrow(|waiting| !waiting.counts.is_empty() || !waiting.payloads.is_empty());
    let now = now_ms();
    let began_ms = TELLING_MS.get();
    if has_news && (began_ms == 0 || now.saturating_sub(began_ms) > TELLING_MS_MAX) {
        TELLING_MS.set(now);
        let (env, config) = (env.clone(), config.clone());
        context.wait_until(async move {
            sleep(TELL_EVERY_MS).await;
            TELLING_MS.set(0);
            tell(&env, &config).await;
        });
    }
}

async fn tell(env: &Env, config: &Config) {
    let (records, payloads) = WAITING.with_borrow_mut(Waiting::take);
    for (partition, refused) in records {
        let mut bytes = Vec::new();
        for record in &refused {
            codec::append_refused(record, &mut bytes);
        }
        let outcome = batcher::append(env, config, partition, 0, &bytes, now_ms()).await;
        if !matches!(outcome, Ok(202)) {
            take_back(partition, refused);
        }
    }
    if !payloads.is_empty()
        && let Err(error) = send_payloads(env, payloads).await
    {
        worker::console_error!("refused payloads could not be kept: {error}");
    }
}

/// Counts again what could not be told; it goes with the next report.
fn take_back(partition: u32, refused: Vec<Refused>) {
    WAITING.with_borrow_mut(|waiting| {
        for record in refused {
            let known = waiting.totals.keys().copied().find(|reason| *reason == record.reason);
            let owner = Owner { partition, site_id: record.site_id };
            if let Some(reason) = known
                && (waiting.counts.len() < COUNTERS_MAX || waiting.counts.contains_key(&(owner, record.hour_ms, reason)))
            {
                let count = waiting.counts.entry((owner, record.hour_ms, reason)).or_default();
                *count = count.saturating_add(record.count);
            }
        }
    });
}

async fn send_payloads(env: &Env, lines: Vec<u8>) -> Result<()> {
    match directory::post(env, "/rejected", lines).await?.status_code() {
        200..300 => Ok(()),
        status => Err(worker::Error::RustError(format!("the directory answered {status}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHOP: Owner = Owner { partition: 1, site_id: 7 };

    #[test]
    fn counts_by_site_hour_and_reason() {
        let mut waiting = Waiting::default();
        waiting.count(SHOP, "url", 1, 2 * HOUR_MS + 5);
        waiting.count(SHOP, "url", 2, 2 * HOUR_MS + 9);
        waiting.count(SHOP, "url", 4, 3 * HOUR_MS);
        waiting.count(Owner::default(), "not_json", 1, 0);
        let (records, lines) = waiting.take();
        let record = |site_id, hour_ms, reason: &str, count| Refused { site_id, hour_ms, reason: reason.into(), count };
        assert_eq!(records[&1], [record(7, 2 * HOUR_MS, "url", 3), record(7, 3 * HOUR_MS, "url", 4)]);
        assert_eq!(records[&0], [record(0, 0, "not_json", 1)]);
        assert!(lines.is_empty() && waiting.take().0.is_empty());
        assert_eq!(waiting.totals, [("not_json", 1), ("url", 7)].into());
    }

    #[test]
    fn what_waits_is_bounded() {
        let mut waiting = Waiting::default();
        for site_id in 0..20_000 {
            waiting.count(Owner { partition: 0, site_id }, "url", 1, 0);
        }
        let (records, _) = waiting.take();
        assert!(records[&0].len() <= COUNTERS_MAX + 1);
        assert_eq!(records[&0].iter().map(|record| record.count).sum::<u64>(), 20_000, "but nothing is left out");
        for _ in 0..200 {
            waiting.keep(vec![b'x'; 20]);
        }
        assert_eq!(waiting.take().1.len(), 100 * 21);
        waiting.keep(vec![0; PAYLOAD_BYTES_MAX + 1]);
        assert!(waiting.take().1.is_empty());
    }
}
