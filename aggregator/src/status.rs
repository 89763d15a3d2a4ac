//! What a partition says of itself: numbers and alarms, in the status bucket every two seconds when they changed.

use crate::Shared;
use bytes::Bytes;
use serde::Serialize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio_util::sync::CancellationToken;
use weir_event::subject;
use weir_reader::standing::Standing;
use weir_rollup::fold::Counts;

/// Alarms that are kept: one of each kind.
const ALARMS_MAX: usize = 16;
/// An unchanged status is told again after this time, so that silence is noticed.
const REPEAT_AFTER: Duration = Duration::from_secs(20);

/// Something an operator must look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Alarm {
    pub(crate) code: &'static str,
    pub(crate) message: String,
    pub(crate) at_ms: u64,
}

/// Kinds of alarms.
pub(crate) mod code {
    /// The stream is not the one that was sealed. The partition stands.
    pub(crate) const STREAM_MISMATCH: &str = "stream_mismatch";
    /// Messages after the sealed ones are gone from the stream. The partition stands.
    pub(crate) const STREAM_GAP: &str = "stream_gap";
    /// A message cannot be decoded. The partition stands before it.
    pub(crate) const UNDECODABLE_BATCH: &str = "undecodable_batch";
    /// A producer's numbers have a gap: batches are missing.
    pub(crate) const NUMBER_JUMP: &str = "number_jump";
    /// Another aggregator moved the head: no alarm, this one steps back.
    pub(crate) const COMMIT_LOST: &str = "commit_lost";
    /// A part, state or manifest could not be written; it is tried again.
    pub(crate) const FLUSH_FAILED: &str = "flush_failed";
    /// The head, manifest or state, or parts that may hold copies of old retries, cannot be read; it is tried again.
    pub(crate) const LOAD_FAILED: &str = "load_failed";
    /// Rows, ledger and events do not agree. What would have made it so was not committed; it is tried again. The alarm stays until the
    /// aggregator starts again, so that somebody looks.
    pub(crate) const LEDGER_MISMATCH: &str = "ledger_mismatch";
    /// Files that the manifest names are damaged: set aside and not read. The alarm ends when they are rebuilt.
    pub(crate) const PART_DAMAGED: &str = "part_damaged";
    /// Parts could not be merged; it is tried again after the next flush.
    pub(crate) const MERGE_FAILED: &str = "merge_failed";
    /// Raw batches could not be archived, merged, or found whole before the stream lets them go; it is tried again. Nothing is purged meanwhile.
    pub(crate) const ARCHIVE_FAILED: &str = "archive_failed";
    /// The stream could not be purged; it is tried again.
    pub(crate) const PURGE_FAILED: &str = "purge_failed";
    /// A rollup could not be made; it is tried again after the next flush. Queries read rows meanwhile.
    pub(crate) const ROLLUP_FAILED: &str = "rollup_failed";

    /// All of them, for those who count alarms.
    pub(crate) const ALL: [&str; 12] = [
        STREAM_MISMATCH,
        STREAM_GAP,
        UNDECODABLE_BATCH,
        NUMBER_JUMP,
        FLUSH_FAILED,
        LOAD_FAILED,
        LEDGER_MISMATCH,
        PART_DAMAGED,
        MERGE_FAILED,
        ARCHIVE_FAILED,
        PURGE_FAILED,
        ROLLUP_FAILED,
    ];
}

/// How a stream stood, and when that was, Unix milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) standing: Standing,
    pub(crate) at_ms: u64,
}

/// A partition's numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Numbers {
    pub(crate) last_folded_seq: u64,
    pub(crate) sealed_seq: u64,
    /// Last sequence in the archive of raw batches.
    pub(crate) archived_seq: u64,
    pub(crate) revision: u64,
    pub(crate) parts: u64,
    pub(crate) rows_pending: u64,
    /// The partition stands until its stream is again the one that was sealed, or somebody acts: restores the head, takes a program that can
    /// read the message.
    pub(crate) stopped: bool,
    /// Another aggregator has the partition, and tells of it.
    #[serde(skip)]
    pub(crate) stands_by: bool,
    pub(crate) alarms: Vec<Alarm>,
    pub(crate) counts: Totals,
}

/// Totals since the program started. After a reload messages are folded again and count again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Totals {
    pub(crate) batches: u64,
    pub(crate) duplicate_batches: u64,
    pub(crate) accepted: u64,
    pub(crate) deduplicated: u64,
    pub(crate) orphan_engagement: u64,
    /// Refused by the edge, and engagement without a visit.
    pub(crate) rejected: u64,
    pub(crate) late: u64,
    pub(crate) bots: u64,
    pub(crate) flushes: u64,
    pub(crate) merges: u64,
}

impl Totals {
    /// Adds what a batch gave.
    pub(crate) fn add(&mut self, is_duplicate: bool, counts: Counts, rejected: u64) {
        self.batches += 1;
        self.duplicate_batches += u64::from(is_duplicate);
        self.accepted += counts.accepted;
        self.deduplicated += counts.deduplicated;
        self.orphan_engagement += counts.orphan_engagement;
        self.rejected += rejected;
        self.late += counts.late;
        self.bots += counts.bots;
    }
}

/// Where a partition's tasks write and its publisher reads.
#[derive(Debug, Default)]
pub(crate) struct Board {
    numbers: Mutex<Numbers>,
    seen: Mutex<Option<Seen>>,
}

impl Board {
    /// Changes the numbers.
    pub(crate) fn update(&self, change: impl FnOnce(&mut Numbers)) {
        change(&mut self.numbers.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Raises an alarm; one of the same kind is replaced.
    pub(crate) fn alarm(&self, code: &'static str, message: String) {
        self.update(|numbers| raise(&mut numbers.alarms, Alarm { code, message, at_ms: now_ms() }));
    }

    /// Ends an alarm whose cause is gone.
    pub(crate) fn clear(&self, code: &'static str) {
        self.update(|numbers| numbers.alarms.retain(|alarm| alarm.code != code));
    }

    /// The revision as last known.
    pub(crate) fn revision(&self) -> u64 {
        self.numbers.lock().unwrap_or_else(PoisonError::into_inner).revision
    }

    /// Notes how the partition's stream stands now.
    pub(crate) fn stands(&self, standing: Standing) {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(Seen { standing, at_ms: now_ms() });
    }

    /// How the stream stood last; `None` = not known yet.
    pub(crate) fn seen(&self) -> Option<Seen> {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The numbers as they are.
    pub(crate) fn snapshot(&self) -> Numbers {
        self.numbers.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn raise(alarms: &mut Vec<Alarm>, alarm: Alarm) {
    alarms.retain(|other| other.code != alarm.code);
    alarms.push(alarm);
    let surplus = alarms.len().saturating_sub(ALARMS_MAX);
    alarms.drain(..surplus);
}

/// The wall clock, Unix milliseconds.
pub(crate) fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

#[derive(Serialize)]
struct Told<'a> {
    updated_ms: u64,
    #[serde(flatten)]
    numbers: &'a Numbers,
}

/// Tells the status until `cancel` fires, and once more then. A status that cannot be told is told later.
pub(crate) async fn publish(shared: Arc<Shared>, partition: u32, board: Arc<Board>, cancel: CancellationToken) {
    let subject = format!("$KV.{}.aggregator.{}.{partition}", subject::STATUS_BUCKET, shared.config.region);
    let mut told: Option<(Numbers, Instant)> = None;
    loop {
        let is_last = tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(2)) => false,
            () = cancel.cancelled() => true,
        };
        let numbers = board.snapshot();
        let is_news = told.as_ref().is_none_or(|(before, at)| *before != numbers || at.elapsed() >= REPEAT_AFTER);
        if is_news && !numbers.stands_by && tell(&shared, &subject, &numbers).await {
            told = Some((numbers, Instant::now()));
        }
        if is_last {
            return;
        }
    }
}

async fn tell(shared: &Shared, subject: &str, numbers: &Numbers) -> bool {
    let Ok(bytes) = serde_json::to_vec(&Told { updated_ms: now_ms(), numbers }) else { return false };
    let put = async {
        match shared.jetstream.publish(subject.to_owned(), Bytes::from(bytes)).await {
            Ok(acknowledgement) => acknowledgement.await.map(|_| ()),
            Err(error) => Err(error),
        }
    };
    match tokio::time::timeout(Duration::from_secs(2), put).await {
        Ok(Ok(())) => true,
        Ok(Err(error)) => {
            tracing::debug!(%error, "the status could not be told");
            false
        }
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_is_flat_json_and_an_alarm_replaces_its_kind() {
        let board = Board::default();
        board.alarm(code::NUMBER_JUMP, "a".to_owned());
        board.alarm(code::NUMBER_JUMP, "b".to_owned());
        board.update(|numbers| {
            numbers.sealed_seq = 7;
            numbers.alarms.iter_mut().for_each(|alarm| alarm.at_ms = 5);
        });
        let numbers = board.snapshot();
        let json = serde_json::to_value(Told { updated_ms: 9, numbers: &numbers }).unwrap();
        assert_eq!(json["updated_ms"], 9);
        assert_eq!(json["sealed_seq"], 7);
        assert_eq!(json["alarms"], serde_json::json!([{"code": "number_jump", "message": "b", "at_ms": 5}]));
        assert_eq!(json["counts"]["accepted"], 0);
        board.clear(code::NUMBER_JUMP);
        assert!(board.snapshot().alarms.is_empty());
    }
}
