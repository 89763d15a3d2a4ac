//! Erasing raw batches: which of their events an erasure covers, by the rows that they became.
//!
//! An event is erased with the visitor that its row counts, which is that of its visit. Events without a row (copies, engagement without a
//! visit) go with the visitor that they name. Folding what is left gives the rows that nothing covers, and the same ledger.

use crate::fold::{Arrival, IDLE_MS};
use crate::manifest::{Erasure, Subject};
use crate::row::Position;
use weir_event::erase::Erased;
use weir_event::model::{Event, EventBatch, Fate};

/// Name of the events that only report engagement.
const ENGAGEMENT: &str = "engagement";

/// What is to be known of the row that an event became.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowOf {
    /// The visitor that it counts.
    pub visitor_id: u64,
    /// It is of a bot's visit.
    pub bot: bool,
}

/// Puts tombstones in the place of the events that one of the erasures covers. `row` tells what became of the event at an index; `None` = no
/// row. Returns how many there were.
///
/// `stream_ms` of the arrival is stream time, by which an event is late or not.
pub fn erase_batch(batch: &mut EventBatch, at: Arrival, erasures: &[Erasure], row: impl Fn(Position) -> Option<RowOf>) -> usize {
    let stream_ms = i64::try_from(at.stream_ms).unwrap_or(i64::MAX);
    batch.erase(|idx, event| {
        let position = Position { seq: at.seq, idx };
        let row = row(position);
        let subject = Subject::of_event(event, position, row.map(|row| row.visitor_id));
        let is_covered = erasures.iter().any(|erasure| erasure.covers(&subject));
        is_covered.then(|| Erased {
            fate: fate(event, row),
            bot: row.is_some_and(|row| row.bot),
            late: row.is_some() && subject.event_ms.saturating_add(IDLE_MS) < stream_ms,
        })
    })
}

fn fate(event: &Event, row: Option<RowOf>) -> Fate {
    match row {
        Some(_) => Fate::Row,
        // The fold knows a copy by its id.
        None if event.name == ENGAGEMENT => Fate::Orphan,
        None => Fate::Copy,
    }
}
