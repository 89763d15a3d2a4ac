//! Rows that are folded and not yet in a part.

use std::time::{Duration, Instant};
use weir_reader::stream::Delivered;
use weir_rollup::fold::Folded;
use weir_rollup::row::{ControlRow, EventRow};

/// What a row costs beside its own texts: the row, and a share of its visit's attributes.
const ROW_BYTES: usize = size_of::<EventRow>() + 64;

/// What was folded since the last flush.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    /// In stream order.
    pub(crate) rows: Vec<EventRow>,
    /// In stream order.
    pub(crate) controls: Vec<ControlRow>,
    bytes: usize,
    last: Option<LastFolded>,
    since: Option<Instant>,
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
    /// Adds what a message gave. A message without rows counts too: its sequence is to be sealed.
    pub(crate) fn add(&mut self, delivered: &Delivered, folded: Folded, now: Instant) {
        self.bytes += folded.rows.iter().map(row_bytes).sum::<usize>();
        self.bytes += folded.controls.iter().map(|control| control.record.len() + size_of::<ControlRow>()).sum::<usize>();
        self.rows.extend(folded.rows);
        self.controls.extend(folded.controls);
        self.last =
            Some(LastFolded { seq: delivered.seq, stream_ms: delivered.stream_ms, message_id: delivered.message_id.clone() });
        self.since.get_or_insert(now);
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
        self.rows.len() >= limits.rows_max || self.bytes >= limits.bytes_max
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
        pending.add(&delivered(1), Folded::default(), start);
        pending.add(&delivered(2), Folded::default(), start + Duration::from_secs(5));
        assert_eq!(pending.deadline(limits), Some(start + Duration::from_mins(1)));
        assert_eq!(pending.last().map(|last| last.seq), Some(2));
        assert!(!pending.is_full(limits), "no rows");
        assert!(pending.is_full(FlushLimits { rows_max: 0, ..limits }));
    }
}
