//! The part of history that a replay keeps: served parts up to its checkpoint, those that straddle it divided by position.

use super::{ReplayError, Replayer};
use crate::Shared;
use crate::duck::quoted;
use crate::flush::{duck_limits, part_name};
use crate::status::now_ms;
use crate::work::discard;
use crate::write::{self, Label, WriteError};
use std::path::Path;
use std::sync::Arc;
use weir_rollup::logic;
use weir_rollup::manifest::{Manifest, Part};
use weir_rollup::part::{self, LEDGER_SORT_ORDER, SORT_ORDER};

impl Replayer {
    /// The parts with everything of a manifest up to a checkpoint of its, and nothing else. Divided parts are stored, and named by nobody yet.
    pub(super) async fn prefix(&self, served: &Manifest, checkpoint_seq: u64) -> Result<Vec<Part>, ReplayError> {
        let mut kept: Vec<Part> = served.parts.iter().filter(|part| part.max_seq <= checkpoint_seq).cloned().collect();
        for part in served.parts.iter().filter(|part| part.min_seq <= checkpoint_seq && part.max_seq > checkpoint_seq) {
            let (shared, part) = (Arc::clone(&self.shared), part.clone());
            let logic = logic::at(&served.logic, checkpoint_seq).map(|from| from.logic.clone()).unwrap_or_default();
            let (region, partition) = (self.region().to_owned(), served.partition);
            let label = Label {
                name: part_name(&region, partition),
                region,
                partition,
                level: part.level,
                logic,
                written_ms: now_ms(),
                fallback_ms: part.min_event_ms,
            };
            let source = self.shared.store.fetch_part(&part).await?;
            let (file, name) = (self.shared.work.file(), label.name.clone());
            let before = {
                let file = file.clone();
                let write = move || write_before(&shared, &source, part.format, checkpoint_seq, &file, &label);
                tokio::task::spawn_blocking(write).await?
            };
            if !matches!(before, Ok(Some(_))) {
                discard(&file);
            }
            let before = before?;
            if before.is_some() {
                self.shared.store.put_file(&file, &name).await?;
            }
            kept.extend(before);
        }
        Ok(kept)
    }
}

/// Writes what a part holds up to a sequence; `None` when that is nothing.
fn write_before(
    shared: &Shared,
    source: &Path,
    format: u32,
    through_seq: u64,
    file: &Path,
    label: &Label,
) -> Result<Option<Part>, WriteError> {
    let connection = duck_limits(shared).open()?;
    connection.execute_batch(&format!("ATTACH {} AS source (READ_ONLY)", quoted(source)))?;
    let events = format!("(SELECT * FROM source.events WHERE seq <= {through_seq})");
    // A checkpoint is where ledgers are never added up across; a part without a ledger counts what is left of its rows.
    let ledger = if format >= 2 {
        format!("(SELECT * FROM source.ledger WHERE seq <= {through_seq})")
    } else {
        format!("({})", part::counted_ledger_sql(&events))
    };
    let rows: u64 = connection.query_row(&format!("SELECT count(*) FROM {events}"), [], |row| row.get(0))?;
    let others: u64 = connection.query_row(
        &format!("SELECT (SELECT count(*) FROM {ledger}) + (SELECT count(*) FROM source.controls WHERE seq <= {through_seq})"),
        [],
        |row| row.get(0),
    )?;
    if rows + others == 0 {
        return Ok(None);
    }
    write::create(&connection, file, rows)?;
    connection.execute_batch(&format!(
        "BEGIN;
         INSERT INTO events SELECT * FROM {events} ORDER BY {SORT_ORDER};
         INSERT INTO controls SELECT * FROM source.controls WHERE seq <= {through_seq} ORDER BY seq, idx;
         INSERT INTO ledger SELECT seq, site_id, hour_ms, kind, count FROM {ledger} ORDER BY {LEDGER_SORT_ORDER};"
    ))?;
    let part = write::finish(&connection, file, label)?;
    write::expect_rows(part.rows, rows)?;
    Ok(Some(part))
}
