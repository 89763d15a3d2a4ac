//! Rows and counts that are folded and not yet in a part.

use std::time::{Duration, Instant};
use weir_reader::stream::Delivered;
use weir_rollup::fold::{Counts, Folded, KnownIds, OldRetry};
use weir_rollup::ledger::{self, Book, Entry, Tally};
use weir_rollup::manifest::{Erasure, Subject};
use weir_rollup::row::{ControlRow, EventRow};

/// What a row costs beside its own texts: the row, and a share of its visit's attributes.
const ROW_BYTES: usize = size_of::<EventRow>() + 64;

/// For so long of stream time the fold's state knows every id.
const STATE_KNOWS_MS: u64 = 2 * 3_600_000;
/// What a site and hour costs in the book.
const BOOK_BYTES: usize = 256;

/// What was folded since the last flush.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    /// In stream order.
    pub(crate) rows: Vec<EventRow>,
    /// In stream order.
    pub(crate) controls: Vec<ControlRow>,
    /// What became of the events, and what the edge refused.
    pub(crate) book: Book,
    /// Events in batches that were no duplicates.
    pub(crate) received: u64,
    /// What became of them, counted apart from `book`.
    pub(crate) counts: Counts,
    /// The raw messages for the archive, in stream order; none where they are not kept.
    pub(crate) raw: Vec<Delivered>,
    raw_bytes: usize,
    bytes: usize,
    last: Option<LastFolded>,
    since: Option<Instant>,
    /// JetStream timestamp of the oldest pending message.
    since_stream_ms: u64,
}

/// The last message that was folded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LastFolded {
    pub(crate) seq: u64,
    pub(crate) stream_ms: u64,
    pub(crate) message_id: String,
}

/// When a flush comes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FlushLimits {
    pub(crate) after: Duration,
    pub(crate) rows_max: usize,
    pub(crate) bytes_max: usize,
}

impl Pending {
    /// Adds what a message of so many events gave. A message without rows counts too: its sequence is to be sealed.
    pub(crate) fn add(&mut self, delivered: &Delivered, events: usize, folded: Folded, now: Instant) {
        if !folded.duplicate_batch {
            self.received += events as u64;
        }
        self.counts.add(folded.counts);
        self.book.add(delivered.seq, &folded.ledger);
        self.bytes += folded.rows.iter().map(row_bytes).sum::<usize>();
        self.bytes += folded.controls.iter().map(|control| control.record.len() + size_of::<ControlRow>()).sum::<usize>();
        self.rows.extend(folded.rows);
        self.controls.extend(folded.controls);
        self.last =
            Some(LastFolded { seq: delivered.seq, stream_ms: delivered.stream_ms, message_id: delivered.message_id.clone() });
        if self.since.is_none() {
            self.since_stream_ms = delivered.stream_ms;
        }
        self.since.get_or_insert(now);
    }

    /// Drops the rows that an erasure covers. The ledger goes on counting them, and says that they were erased.
    pub(crate) fn erase(&mut self, erasures: &[Erasure]) {
        let Some(first) = self.rows.first().map(|row| row.position) else { return };
        let erasures: Vec<&Erasure> = erasures.iter().filter(|erasure| first < erasure.position()).collect();
        if erasures.is_empty() {
            return;
        }
        let (book, counts) = (&mut self.book, &mut self.counts);
        self.rows.retain(|row| {
            let is_covered = erasures.iter().any(|erasure| erasure.covers(&Subject::from(row)));
            if is_covered {
                counts.erased += 1;
                let tally = Tally { erased: 1, ..Tally::default() };
                book.add(row.position.seq, &[Entry { site_id: row.site_id, hour_ms: ledger::hour_of(row.received_ms), tally }]);
            }
            !is_covered
        });
    }

    /// What control records that are pending ask to be erased.
    pub(crate) fn erasures(&self) -> Vec<Erasure> {
        self.controls.iter().filter_map(Erasure::of_control).collect()
    }

    /// Keeps a message for the archive.
    pub(crate) fn keep_raw(&mut self, delivered: &Delivered) {
        self.raw_bytes += delivered.payload.len() + delivered.message_id.len() + size_of::<Delivered>();
        self.raw.push(delivered.clone());
    }

    /// Those of the ids asked for at a stream time of which a pending row is a copy. What is younger than two hours is known to the state,
    /// and not asked for. What is to be forgotten is nobody's copy.
    pub(crate) fn copies(&self, wanted: &[OldRetry], stream_ms: u64, erasures: &[Erasure]) -> KnownIds {
        if stream_ms.saturating_sub(self.since_stream_ms) < STATE_KNOWS_MS {
            return KnownIds::new();
        }
        let ids: KnownIds = wanted.iter().map(|retry| retry.id).collect();
        let is_copy = |row: &EventRow| {
            wanted.iter().any(|retry| retry.is_copy(row.site_id, row.event_ms, row.event_id))
                && !erasures.iter().any(|erasure| erasure.covers(&Subject::from(row)))
        };
        self.rows.iter().filter(|row| ids.contains(&row.event_id) && is_copy(row)).map(|row| row.event_id).collect()
    }

    /// The last message since the last flush.
    pub(crate) fn last(&self) -> Option<&LastFolded> {
        self.last.as_ref()
    }

    /// When the oldest pending message must be flushed; `None` = nothing is pending.
    pub(crate) fn deadline(&self, limits: FlushLimits) -> Option<Instant> {
        self.since.map(|since| since + limits.after)
    }

    /// Whether a flush must come now, by size.
    pub(crate) fn is_full(&self, limits: FlushLimits) -> bool {
        self.rows.len() >= limits.rows_max
            || self.bytes + self.book.len() * BOOK_BYTES >= limits.bytes_max
            || self.raw_bytes >= limits.bytes_max
    }
}

fn row_bytes(row: &EventRow) -> usize {
    let props: usize = row.props.iter().map(|prop| prop.key.len() + prop.value.len() + 48).sum();
    ROW_BYTES + row.name.len() + row.hostname.len() + row.pathname.len() + props
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn delivered(seq: u64) -> Delivered {
        Delivered { seq, stream_ms: seq * 10, message_id: format!("p-{seq}"), schema: 1, payload: Bytes::new() }
    }

    #[test]
    fn a_message_without_rows_is_pending_too_and_the_oldest_sets_the_deadline() {
        let limits = FlushLimits { after: Duration::from_mins(1), rows_max: 1, bytes_max: 1_000_000 };
        let mut pending = Pending::default();
        assert_eq!(pending.deadline(limits), None);
        let start = Instant::now();
        pending.add(&delivered(1), 0, Folded::default(), start);
        pending.add(&delivered(2), 0, Folded::default(), start + Duration::from_secs(5));
        assert_eq!(pending.deadline(limits), Some(start + Duration::from_mins(1)));
        assert_eq!(pending.last().map(|last| last.seq), Some(2));
        assert!(!pending.is_full(limits), "no rows");
        assert!(pending.is_full(FlushLimits { rows_max: 0, ..limits }));
        pending.keep_raw(&Delivered { payload: Bytes::from(vec![0; 1_000_000]), ..delivered(3) });
        assert!(pending.is_full(limits), "raw batches take memory too");
    }
}
