//! Puts tombstones into raw batches. What became of their events is looked up in the rows of parts, while those are still there.

use crate::compact::Input;
use crate::duck::{DuckLimits, quoted};
use crate::pending::Pending;
use crate::write::WriteError;
use bytes::Bytes;
use std::collections::HashMap;
use weir_event::codec;
use weir_reader::archive::{self, ArchiveError, Encoded};
use weir_reader::stream::Delivered;
use weir_rollup::erase::{RowOf, erase_batch};
use weir_rollup::fold::Arrival;
use weir_rollup::manifest::{ArchiveObject, Erasure};
use weir_rollup::row::Position;

/// Rows by their positions.
type Rows = HashMap<Position, RowOf>;

/// The object with tombstones in the place of what the erasures cover; `None` = it has nothing of it. Blocks.
pub(crate) fn rewrite(
    object: &ArchiveObject,
    bytes: &Bytes,
    rows: &Rows,
    erasures: &[Erasure],
) -> Result<Option<Encoded>, ArchiveError> {
    archive::rewrite(object, bytes, |delivered| erase(delivered, rows, erasures))
}

/// The payload with tombstones; `None` = nothing of it is covered, or it is no batch.
fn erase(delivered: &Delivered, rows: &Rows, erasures: &[Erasure]) -> Option<Bytes> {
    let mut batch = codec::decode(delivered.schema, &delivered.payload).ok()?;
    let at = Arrival { seq: delivered.seq, stream_ms: delivered.stream_ms };
    let erased = erase_batch(&mut batch, at, erasures, |position| rows.get(&position).copied());
    (erased > 0).then(|| Bytes::from(codec::encode(&batch)))
}

/// The rows of the sites of the erasures that parts have of these sequences (both included). Blocks.
pub(crate) fn rows(
    limits: &DuckLimits,
    inputs: &[Input],
    (first_seq, last_seq): (u64, u64),
    erasures: &[Erasure],
) -> Result<Rows, WriteError> {
    let sites: Vec<String> = erasures.iter().map(|erasure| erasure.site_id.to_string()).collect();
    let of_sites = if erasures.iter().any(|erasure| erasure.site_id == 0) {
        String::new()
    } else {
        format!(" AND site_id IN ({})", sites.join(", "))
    };
    let connection = limits.open()?;
    let mut rows = Rows::new();
    for input in inputs {
        connection.execute_batch(&format!("ATTACH {} AS source (READ_ONLY)", quoted(&input.path)))?;
        let sql = format!(
            "SELECT seq, idx, visitor_id, bot > 0 FROM source.events WHERE seq >= {first_seq} AND seq <= {last_seq}{of_sites}"
        );
        let mut statement = connection.prepare(&sql)?;
        let mut found = statement.query([])?;
        while let Some(row) = found.next()? {
            let position = Position { seq: row.get(0)?, idx: row.get(1)? };
            rows.insert(position, RowOf { visitor_id: row.get(2)?, bot: row.get(3)? });
        }
        drop(found);
        drop(statement);
        connection.execute_batch("DETACH source")?;
    }
    Ok(rows)
}

/// Puts tombstones into the raw batches that are pending, before the pending rows are erased.
pub(crate) fn erase_pending(pending: &mut Pending, erasures: &[Erasure]) {
    let first = pending.raw.first().map(|message| message.seq);
    let erasures: Vec<Erasure> =
        erasures.iter().filter(|erasure| first.is_some_and(|first| erasure.reaches(first))).cloned().collect();
    if erasures.is_empty() {
        return;
    }
    let is_concerned = |site_id: u32| erasures.iter().any(|erasure| erasure.is_of_site(site_id));
    let rows: Rows = pending
        .rows
        .iter()
        .filter(|row| is_concerned(row.site_id))
        .map(|row| (row.position, RowOf { visitor_id: row.opening.visitor_id, bot: row.opening.bot > 0 }))
        .collect();
    for message in &mut pending.raw {
        if let Some(payload) = erase(message, &rows, &erasures) {
            message.payload = payload;
        }
    }
}
