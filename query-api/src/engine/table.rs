//! A table of the live end: rows are appended by one writer, read by many, and freed all at once.

use super::{Engine, EngineError};
use duckdb::Connection;
use std::sync::{Arc, Mutex};
use weir_rollup::columns;
use weir_rollup::row::EventRow;

/// A table with the columns of `events`. It is dropped some time after its last holder: a query that reads it is one.
pub struct Table {
    engine: Arc<Engine>,
    /// Name with schema.
    name: String,
    connection: Mutex<Connection>,
}

impl Table {
    pub(super) fn new(engine: Arc<Engine>, name: String, connection: Connection) -> Self {
        Self { engine, name, connection: Mutex::new(connection) }
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
        Ok(())
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
