//! The year in files: folded by the real fold, written by the aggregator's own writer into the parts that merging leaves. Kept for the next run.

use super::rollups;
use super::traffic::{DAY_MS, Days, SEALED_MS};
use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use weir_aggregator::write::{self, DuckLimits, Label};
use weir_event::codec;
use weir_event::model::EventBatch;
use weir_reader::store::Store;
use weir_rollup::fold::{self, Arrival, KnownIds, State};
use weir_rollup::ledger::{self, Book, Entry, HOUR_MS, Tally, hour_of};
use weir_rollup::manifest::{Level, Part, Rollup};
use weir_rollup::row::EventRow;
use weir_rollup::rules::Rules;

/// Rises when the data changes: an older folder is then not used.
pub(crate) const VERSION: u32 = 1;
pub(crate) const PARTITIONS: u32 = 2;
pub(crate) const REGION: &str = "local";
const BATCH_EVENTS: usize = 500;
/// The live end begins after so many minutes of the hour that are in parts of flushes of five minutes each.
const FLUSH_MS: i64 = 300_000;

/// What is kept of a partition beside its files.
#[derive(Serialize, Deserialize)]
pub(crate) struct Partition {
    pub(crate) parts: Vec<Part>,
    /// Made from the parts; kept beside them.
    #[serde(skip)]
    pub(crate) rollups: Vec<Rollup>,
    /// What the live end begins with. Its rows are also in a part that no manifest names, for the other database.
    pub(crate) live: Part,
    pub(crate) sealed_seq: u64,
    /// The encoded state after it.
    state: String,
    /// The messages after it, encoded.
    messages: Vec<String>,
}

impl Partition {
    pub(crate) fn state(&self, folder: &Path) -> Result<Vec<u8>> {
        Ok(std::fs::read(folder.join(&self.state))?)
    }

    pub(crate) fn messages(&self, folder: &Path) -> Result<Vec<Vec<u8>>> {
        self.messages.iter().map(|name| Ok(std::fs::read(folder.join(name))?)).collect()
    }
}

/// The folder of the year, made if it is not there.
pub(crate) fn folder() -> PathBuf {
    weir_tests::weir::repository().join(format!("target/bench-year/{VERSION}"))
}

/// The partitions, written if they are not there yet.
pub(crate) fn partitions() -> Result<Vec<Partition>> {
    let folder = folder();
    std::thread::scope(|scope| {
        let folder = &folder;
        let threads: Vec<_> = (0..PARTITIONS).map(|partition| scope.spawn(move || of_partition(folder, partition))).collect();
        threads.into_iter().map(|thread| thread.join().map_err(|_| anyhow::anyhow!("a thread panicked"))?).collect()
    })
}

fn of_partition(folder: &Path, partition: u32) -> Result<Partition> {
    let mut made = parts_of(folder, partition)?;
    made.rollups = rollups::of_partition(folder, partition, &made)?;
    Ok(made)
}

fn parts_of(folder: &Path, partition: u32) -> Result<Partition> {
    let done = folder.join(format!("partition-{partition}.json"));
    if let Ok(text) = std::fs::read_to_string(&done) {
        return Ok(serde_json::from_str(&text)?);
    }
    let store = Store::local(&folder.join("files"))?;
    let made = Writer::new(folder, &store, partition)?.write()?;
    std::fs::write(&done, serde_json::to_vec(&made)?)?;
    Ok(made)
}

struct Writer<'a> {
    folder: &'a Path,
    store: &'a Store,
    partition: u32,
    rules: std::sync::Arc<Rules>,
    state: State,
    seq: u64,
    /// Rows that are not in a file yet, by the start of their period.
    open: BTreeMap<i64, Vec<EventRow>>,
    parts: Vec<Part>,
}

impl<'a> Writer<'a> {
    fn new(folder: &'a Path, store: &'a Store, partition: u32) -> Result<Self> {
        let (state, open, parts) = (State::default(), BTreeMap::new(), Vec::new());
        Ok(Self { folder, store, partition, rules: Rules::built_in()?, state, seq: 0, open, parts })
    }

    fn write(mut self) -> Result<Partition> {
        let mut live = Vec::new();
        for events in Days::new(self.partition) {
            let (sealed, after): (Vec<_>, Vec<_>) = events.into_iter().partition(|event| (event.event_ms as i64) < SEALED_MS);
            live.extend(after);
            let last_ms = sealed.last().map(|event| event.event_ms as i64);
            for chunk in sealed.chunks(BATCH_EVENTS) {
                self.fold(chunk.to_vec());
            }
            if let Some(last_ms) = last_ms {
                self.close(period(last_ms).1)?;
                eprintln!(
                    "      partition {}: {}",
                    self.partition,
                    chrono::DateTime::from_timestamp_millis(last_ms).unwrap_or_default()
                );
            }
        }
        self.close(i64::MAX)?;
        let (sealed_seq, state) = (self.seq, format!("state-{}", self.partition));
        std::fs::write(self.folder.join(&state), self.state.encode())?;
        let mut messages = Vec::new();
        for (index, chunk) in live.chunks(50).enumerate() {
            let name = format!("message-{}-{index}", self.partition);
            let batch = self.fold(chunk.to_vec());
            std::fs::write(self.folder.join(&name), codec::encode(&batch))?;
            messages.push(name);
        }
        let parts = std::mem::take(&mut self.parts);
        self.close(i64::MAX)?;
        let live = self.parts.pop().context("the live end has no events")?;
        Ok(Partition { parts, rollups: Vec::new(), live, sealed_seq, state, messages })
    }

    fn fold(&mut self, events: Vec<weir_event::model::Event>) -> EventBatch {
        self.seq += 1;
        let formed_ms = events.last().map_or(0, |event| event.received_ms);
        let batcher = format!("{REGION}/{}/0", self.partition);
        let producer = vec![self.partition as u8 + 1; 16];
        let batch = EventBatch { producer, number: self.seq, formed_ms, batcher, events, ..EventBatch::default() };
        let at = Arrival { seq: self.seq, stream_ms: formed_ms };
        let folded = fold::fold(&mut self.state, &self.rules, &batch, at, &KnownIds::new());
        for row in folded.rows {
            self.open.entry(period(row.event_ms).1).or_default().push(row);
        }
        batch
    }

    /// Writes the periods that begin before a time.
    fn close(&mut self, before_ms: i64) -> Result<()> {
        while let Some(entry) = self.open.first_entry().filter(|entry| *entry.key() < before_ms) {
            let (start_ms, mut rows) = entry.remove_entry();
            let level = period(start_ms).0;
            let name = format!("parts/{REGION}-{}/{start_ms}.duckdb", self.partition);
            let file = self.store.local_path(&name)?;
            std::fs::create_dir_all(file.parent().context("no folder")?)?;
            // Of a run that was stopped.
            let _missing = std::fs::remove_file(&file);
            let label = Label {
                region: REGION.to_owned(),
                partition: self.partition,
                level,
                logic: self.rules.logic(),
                written_ms: 0,
                name,
                fallback_ms: start_ms,
            };
            let limits =
                DuckLimits { memory_limit_mb: 2_000, threads: 1, temp: self.folder.join(format!("temp-{}", self.partition)) };
            // Ids are older than a day by the time of the merge.
            if level == Level::Month || level == Level::Day {
                for row in &mut rows {
                    row.event_id = 0;
                }
            }
            let ledger = ledger(&rows);
            self.parts.push(write::write_flush(&limits, &file, &label, &mut rows, &[], &ledger)?);
        }
        Ok(())
    }
}

/// The ledger of rows, as the fold counts them.
fn ledger(rows: &[EventRow]) -> Vec<ledger::Row> {
    let mut book = Book::default();
    for row in rows {
        let tally = Tally { accepted: 1, bots: u64::from(row.opening.bot > 0), ..Tally::default() };
        book.add(row.position.seq, &[Entry { site_id: row.site_id, hour_ms: hour_of(row.received_ms), tally }]);
    }
    book.rows()
}

/// The part that merging has put a time into: months, the days of this one, the hours since yesterday, flushes of the last hour. Level and start.
fn period(event_ms: i64) -> (Level, i64) {
    let date = chrono::DateTime::from_timestamp_millis(event_ms).unwrap_or_default().date_naive();
    let month_start = |date: chrono::NaiveDate| {
        let first = chrono::Datelike::with_day(&date, 1).unwrap_or(date);
        first.and_time(chrono::NaiveTime::MIN).and_utc().timestamp_millis()
    };
    let now = chrono::DateTime::from_timestamp_millis(SEALED_MS).unwrap_or_default().date_naive();
    let today_ms = SEALED_MS.div_euclid(DAY_MS) * DAY_MS;
    if event_ms < month_start(now) {
        (Level::Month, month_start(date))
    } else if event_ms < today_ms - DAY_MS {
        (Level::Day, event_ms.div_euclid(DAY_MS) * DAY_MS)
    } else if event_ms < SEALED_MS.div_euclid(HOUR_MS) * HOUR_MS {
        (Level::Hour, event_ms.div_euclid(HOUR_MS) * HOUR_MS)
    } else {
        (Level::Flush, event_ms.div_euclid(FLUSH_MS) * FLUSH_MS)
    }
}
