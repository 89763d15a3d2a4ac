//! Writes parts: rows of a flush, or rows selected from other parts, into one DuckDB file. Blocks: call it on a blocking thread.

pub use crate::duck::DuckLimits;
use crate::duck::quoted;
use crate::template;
use duckdb::Connection;
use std::path::{Path, PathBuf};
use thiserror::Error;
use weir_reader::store;
use weir_rollup::columns;
use weir_rollup::ledger;
use weir_rollup::manifest::{Level, Part, PartLedger};
use weir_rollup::part::{self, meta};
use weir_rollup::row::{ControlRow, EventRow};

/// Rows of one Arrow batch: as many as DuckDB takes at once. The columns are filled one after the other; so few rows stay in the
/// processor's cache meanwhile.
const BATCH_ROWS: usize = 2_048;
/// Name under which the file being written is attached.
const FILE: &str = "part";
/// Name under which the empty part is attached while its tables are copied.
const EMPTY: &str = "empty_part";

/// Why a part could not be written.
#[derive(Debug, Error)]
pub enum WriteError {
    /// DuckDB failed.
    #[error("DuckDB: {0}")]
    DuckDb(#[from] duckdb::Error),
    /// Rows could not be turned into columns.
    #[error("columns: {0}")]
    Columns(#[from] arrow::error::ArrowError),
    /// The disk failed.
    #[error("file {path:?}: {cause}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        cause: std::io::Error,
    },
    /// What was written is not what was given: a fault in this program.
    #[error("{written} rows were written, {expected} expected")]
    RowsDiffer {
        /// Rows in the files.
        written: u64,
        /// Rows given.
        expected: u64,
    },
    /// The ledger does not count the events whose rows were written: a fault in this program.
    #[error("the ledger that was written counts {accepted} accepted events, {expected} expected")]
    LedgerDiffers {
        /// What it counts.
        accepted: u64,
        /// What it should.
        expected: u64,
    },
    /// The job was told to end.
    #[error("interrupted")]
    Interrupted,
}

/// What a part says of itself beside its rows.
#[derive(Clone, Debug)]
pub struct Label {
    /// Region of the partition.
    pub region: String,
    /// Number of the partition.
    pub partition: u32,
    /// How the part comes about.
    pub level: Level,
    /// Logic version of its last row.
    pub logic: String,
    /// Unix milliseconds.
    pub written_ms: u64,
    /// Object name it will have.
    pub name: String,
    /// Stands for the times of a part without events (control records or ledger alone), Unix milliseconds.
    pub fallback_ms: i64,
}

/// Writes the rows of a flush to `file`, which must not exist, and tells what the manifest says of it.
///
/// The rows are brought into the part's order first. The file is complete when the call returns, and is not yet durable.
pub fn write_flush(
    limits: &DuckLimits,
    file: &Path,
    label: &Label,
    rows: &mut [EventRow],
    controls: &[ControlRow],
    ledger: &[ledger::Row],
) -> Result<Part, WriteError> {
    sort(rows);
    let connection = limits.open()?;
    create(&connection, file, rows.len() as u64)?;
    connection.execute_batch("BEGIN")?;
    let mut appender = connection.appender_to_catalog_and_db("events", FILE, "main")?;
    for chunk in rows.chunks(BATCH_ROWS) {
        appender.append_record_batch(columns::events_batch(chunk)?)?;
    }
    appender.flush()?;
    drop(appender);
    if !controls.is_empty() {
        let mut appender = connection.appender_to_catalog_and_db("controls", FILE, "main")?;
        appender.append_record_batch(columns::controls_batch(controls)?)?;
        appender.flush()?;
    }
    if !ledger.is_empty() {
        let mut appender = connection.appender_to_catalog_and_db("ledger", FILE, "main")?;
        appender.append_record_batch(columns::ledger_batch(ledger)?)?;
        appender.flush()?;
    }
    let part = finish(&connection, file, label)?;
    expect_rows(part.rows, rows.len() as u64)?;
    let erased: u64 = ledger.iter().filter(|row| row.kind == ledger::ERASED).map(|row| row.count).sum();
    expect_accepted(part.accepted(), part.rows + erased)?;
    Ok(part)
}

/// Fails when a ledger does not count the events that it should.
pub(crate) fn expect_accepted(accepted: u64, expected: u64) -> Result<(), WriteError> {
    if accepted == expected { Ok(()) } else { Err(WriteError::LedgerDiffers { accepted, expected }) }
}

/// Fails when rows were lost or doubled on the way.
pub(crate) fn expect_rows(written: u64, expected: u64) -> Result<(), WriteError> {
    if written == expected { Ok(()) } else { Err(WriteError::RowsDiffer { written, expected }) }
}

/// The order of [`part::SORT_ORDER`]. Sorting 250,000 rows here takes a tenth of what DuckDB needs for 37 columns.
fn sort(rows: &mut [EventRow]) {
    let hour = |ms: i64| ms.div_euclid(3_600_000);
    rows.sort_unstable_by(|a, b| {
        (a.site_id, hour(a.event_ms), a.opening.visitor_id, a.event_ms, a.position).cmp(&(
            b.site_id,
            hour(b.event_ms),
            b.opening.visitor_id,
            b.event_ms,
            b.position,
        ))
    });
}

/// Size of a file's blocks, bytes. Half-filled blocks make a small file large, and with blocks of 16 KB DuckDB cannot pack the bits of
/// 64-bit columns. Measured with 37 columns, bytes a row at 16, 64 and 256 KB: 143, 209, 799 (1,000 rows); 83, 51, 82 (13,000);
/// 59, 35, 38 (200,000); 68, 39, 41 (900,000).
fn block_bytes(rows: u64) -> u32 {
    match rows {
        0..2_500 => 16_384,
        2_500..2_000_000 => 65_536,
        _ => 262_144,
    }
}

/// Attaches a new file and makes its tables; they are the default ones afterwards.
///
/// No log is written: a file that was not finished is never read, and the checkpoint at its end writes the tables.
pub(crate) fn create(connection: &Connection, file: &Path, rows: u64) -> Result<(), WriteError> {
    let empty = template::file(file.parent().unwrap_or(Path::new(".")))?;
    connection.execute_batch(&format!(
        "ATTACH {} AS {FILE} (STORAGE_VERSION 'v1.5.0', BLOCK_SIZE {}, RECOVERY_MODE NO_WAL_WRITES);
         ATTACH {} AS {EMPTY} (READ_ONLY); COPY FROM DATABASE {EMPTY} TO {FILE} (SCHEMA); DETACH {EMPTY}; USE {FILE}",
        quoted(file),
        block_bytes(rows),
        quoted(&empty)
    ))?;
    Ok(())
}

/// Adds visits and meta to a file whose events, controls and ledger are in an open transaction, commits, and closes it.
pub(crate) fn finish(connection: &Connection, file: &Path, label: &Label) -> Result<Part, WriteError> {
    let visits = part::visits_sql("events");
    connection.execute_batch(&format!("INSERT INTO visits {visits} ORDER BY {}", part::VISITS_SORT_ORDER))?;
    let mut found = measure(connection, label)?;
    let level = level_text(label.level);
    let pairs = [
        (meta::FORMAT_VERSION, part::FORMAT_VERSION.to_string()),
        (meta::REGION, label.region.clone()),
        (meta::PARTITION, label.partition.to_string()),
        (meta::LEVEL, level.to_owned()),
        (meta::MIN_SEQ, found.part.min_seq.to_string()),
        (meta::MAX_SEQ, found.part.max_seq.to_string()),
        (meta::MIN_EVENT_MS, found.part.min_event_ms.to_string()),
        (meta::MAX_EVENT_MS, found.part.max_event_ms.to_string()),
        (meta::EVENT_ROWS, found.part.rows.to_string()),
        (meta::VISIT_ROWS, found.visit_rows.to_string()),
        (meta::CONTROL_ROWS, found.control_rows.to_string()),
        (meta::LEDGER_ROWS, found.ledger_rows.to_string()),
        (meta::CONTENT_CHECKSUM, found.part.content_checksum.clone()),
        (meta::LOGIC, label.logic.clone()),
        (meta::WRITTEN_MS, label.written_ms.to_string()),
    ];
    let mut statement = connection.prepare("INSERT INTO meta VALUES (?, ?)")?;
    for (key, value) in pairs {
        statement.execute([key, value.as_str()])?;
    }
    drop(statement);
    connection.execute_batch(&format!("COMMIT; CHECKPOINT {FILE}; USE memory; DETACH {FILE}"))?;
    let failed = |cause: std::io::Error| WriteError::File { path: file.to_owned(), cause };
    found.part.bytes = std::fs::metadata(file).map_err(failed)?.len();
    found.part.file_checksum = Some(store::checksum_of_file(file).map_err(failed)?);
    Ok(found.part)
}

struct Measured {
    part: Part,
    visit_rows: u64,
    control_rows: u64,
    ledger_rows: u64,
}

fn measure(connection: &Connection, label: &Label) -> Result<Measured, WriteError> {
    let content_checksum: String = connection.query_row(&part::checksum_sql("events"), [], |row| row.get(0))?;
    let sql = "SELECT count(*), min(seq), max(seq), min(event_ms), max(event_ms), min(site_id), max(site_id),
               (SELECT count(*) FROM visits), (SELECT count(*) FROM controls), (SELECT min(seq) FROM controls),
               (SELECT max(seq) FROM controls), min(received_ms), max(received_ms) FROM events";
    let ledger = measure_ledger(connection)?;
    let measured = connection.query_row(sql, [], |row| {
        let sequences: [Option<u64>; 5] = [row.get(1)?, row.get(2)?, row.get(9)?, row.get(10)?, ledger.max_seq];
        let present = || sequences.iter().copied().flatten();
        let received: [Option<i64>; 2] = [row.get(11)?, row.get(12)?];
        let hours = || received.map(|ms| ms.map(ledger::hour_of)).into_iter().chain(ledger.hours).flatten();
        let fallback_ms = ledger::hour_of(label.fallback_ms);
        Ok(Measured {
            part: Part {
                name: label.name.clone(),
                level: label.level,
                min_seq: present().min().unwrap_or(0),
                max_seq: present().max().unwrap_or(0),
                min_event_ms: row.get::<_, Option<i64>>(3)?.unwrap_or(label.fallback_ms),
                max_event_ms: row.get::<_, Option<i64>>(4)?.unwrap_or(label.fallback_ms),
                min_site_id: row.get::<_, Option<u32>>(5)?.unwrap_or(0),
                max_site_id: row.get::<_, Option<u32>>(6)?.unwrap_or(0),
                rows: row.get(0)?,
                bytes: 0,
                content_checksum,
                file_checksum: None,
                format: part::FORMAT_VERSION,
                ledger: Some(PartLedger {
                    accepted: ledger.accepted,
                    min_hour_ms: hours().min().unwrap_or(fallback_ms),
                    max_hour_ms: hours().max().unwrap_or(fallback_ms),
                }),
            },
            visit_rows: row.get(7)?,
            control_rows: row.get(8)?,
            ledger_rows: ledger.rows,
        })
    })?;
    Ok(measured)
}

struct MeasuredLedger {
    rows: u64,
    accepted: u64,
    max_seq: Option<u64>,
    hours: [Option<i64>; 2],
}

fn measure_ledger(connection: &Connection) -> Result<MeasuredLedger, duckdb::Error> {
    let sql = format!(
        "SELECT count(*), CAST(coalesce(sum(count) FILTER (kind = '{}'), 0) AS UBIGINT), max(seq), min(hour_ms), max(hour_ms) FROM ledger",
        ledger::ACCEPTED
    );
    connection.query_row(&sql, [], |row| {
        Ok(MeasuredLedger { rows: row.get(0)?, accepted: row.get(1)?, max_seq: row.get(2)?, hours: [row.get(3)?, row.get(4)?] })
    })
}

fn level_text(level: Level) -> &'static str {
    match level {
        Level::Flush => "flush",
        Level::Hour => "hour",
        Level::Day => "day",
        Level::Month => "month",
    }
}

#[cfg(test)]
#[path = "write_tests.rs"]
pub(crate) mod tests;
