//! A table of the live end: rows are appended by one writer, read by many, and freed all at once.

use super::{Engine, EngineError};
use duckdb::Connection;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use weir_rollup::columns;
use weir_rollup::row::EventRow;

/// Rows of one site: their sequences, ascending, and the earliest and the latest time of an event.
#[derive(Debug)]
struct Marks {
    seqs: Vec<u64>,
    earliest_ms: i64,
    latest_ms: i64,
}

/// Between which sequences a site has rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reach {
    /// The first one.
    pub first_seq: u64,
    /// The last one.
    pub last_seq: u64,
    /// No event is earlier than this, Unix milliseconds.
    pub earliest_ms: i64,
    /// No event is later than this, Unix milliseconds.
    pub latest_ms: i64,
}

/// A table with the columns of `events`. It is dropped some time after its last holder: a query that reads it is one.
pub struct Table {
    engine: Arc<Engine>,
    /// Name with schema.
    name: String,
    connection: Mutex<Connection>,
    /// Where rows of each site are: what other sites send does not change what is said of one.
    marks: RwLock<HashMap<u32, Marks>>,
}

impl Table {
    pub(super) fn new(engine: Arc<Engine>, name: String, connection: Connection) -> Self {
        Self { engine, name, connection: Mutex::new(connection), marks: RwLock::default() }
    }

    /// Name with schema.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Adds rows; all or none of them. Blocks.
    pub fn append(&self, rows: &[EventRow]) -> Result<(), EngineError> {
        if rows.is_empty() {
            return Ok(());
        }
        self.engine.sweep();
        let batch = columns::events_batch(rows)?;
        let connection = super::lock(&self.connection);
        let (schema, table) = self.name.split_once('.').unwrap_or(("main", &self.name));
        let mut appender = connection.appender_to_db(table, schema)?;
        appender.append_record_batch(batch)?;
        appender.flush()?;
        self.mark(rows);
        Ok(())
    }

    /// Where a site has rows after one sequence up to another; `None` = nowhere.
    pub fn reach(&self, site_id: u32, after_seq: u64, through_seq: u64) -> Option<Reach> {
        let marks = self.marks.read().unwrap_or_else(PoisonError::into_inner);
        let Marks { seqs, earliest_ms, latest_ms } = marks.get(&site_id)?;
        let first = seqs.partition_point(|seq| *seq <= after_seq);
        let end = seqs.partition_point(|seq| *seq <= through_seq);
        let inside = seqs.get(first..end)?;
        Some(Reach { first_seq: *inside.first()?, last_seq: *inside.last()?, earliest_ms: *earliest_ms, latest_ms: *latest_ms })
    }

    fn mark(&self, rows: &[EventRow]) {
        let mut marks = self.marks.write().unwrap_or_else(PoisonError::into_inner);
        for row in rows {
            let marks =
                marks.entry(row.site_id).or_insert(Marks { seqs: Vec::new(), earliest_ms: i64::MAX, latest_ms: i64::MIN });
            marks.earliest_ms = marks.earliest_ms.min(row.event_ms);
            marks.latest_ms = marks.latest_ms.max(row.event_ms);
            // They come in stream order; a batch has many of one sequence.
            match marks.seqs.last() {
                Some(last) if *last == row.position.seq => {}
                Some(last) if *last > row.position.seq => {
                    let at = marks.seqs.partition_point(|seq| *seq < row.position.seq);
                    marks.seqs.insert(at, row.position.seq);
                }
                _ => marks.seqs.push(row.position.seq),
            }
        }
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        // Dropping may happen on an async thread, where DuckDB must not be waited for.
        super::lock(&self.engine.unheld).push(std::mem::take(&mut self.name));
    }
}

impl std::fmt::Debug for Table {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Table").field("name", &self.name).finish_non_exhaustive()
    }
}
