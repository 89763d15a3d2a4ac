//! Writes rollups: figures of a span of days, from parts or from the rollups of its days, into one DuckDB file. Blocks.

use crate::duck::{DuckLimits, Interrupt, quoted};
use crate::write::WriteError;
use duckdb::Connection;
use std::path::{Path, PathBuf};
use weir_reader::store;
use weir_rollup::manifest::Rollup;
use weir_rollup::rollup::{self, Pays};

/// Name under which the file being written is attached.
const FILE: &str = "rollup";
/// Size of a file's blocks, bytes: small ones for what is made from few rows, since each column of each table begins a block.
const BLOCK_BYTES: [u32; 2] = [16_384, 65_536];
/// Rows of events from which blocks are larger.
const ROWS_OF_LARGE: u64 = 1_000_000;

/// What a rollup is to be called, and what it covers.
#[derive(Clone, Debug)]
pub struct Title {
    /// Object name it will have.
    pub name: String,
    /// Midnight (UTC) at which its first day begins, Unix milliseconds.
    pub start_ms: i64,
    /// Midnight after its last day.
    pub end_ms: i64,
    /// Region of the partition.
    pub region: String,
    /// Number of the partition.
    pub partition: u32,
    /// Unix milliseconds.
    pub written_ms: u64,
}

/// Where the rollups of a partition are.
pub(crate) fn folder(region: &str, partition: u32) -> String {
    format!("rollups/{region}-{partition}")
}

/// Writes a rollup of parts, which have together so many rows, to `file`, which must not exist. It is not yet durable.
pub fn build(
    limits: &DuckLimits,
    file: &Path,
    title: &Title,
    parts: &[PathBuf],
    rows: u64,
    pays: Pays,
) -> Result<Rollup, WriteError> {
    build_until(limits, &Interrupt::default(), file, title, parts, rows, pays)
}

pub(crate) fn build_until(
    limits: &DuckLimits,
    interrupt: &Interrupt,
    file: &Path,
    title: &Title,
    parts: &[PathBuf],
    rows: u64,
    pays: Pays,
) -> Result<Rollup, WriteError> {
    let statements = |databases: &[String]| {
        let relation = |table: &str| {
            let selects: Vec<String> = databases.iter().map(|database| format!("SELECT * FROM {database}.{table}")).collect();
            format!("({})", selects.join(" UNION ALL "))
        };
        rollup::build_sql(&relation("events"), &relation("visits"), title.start_ms, title.end_ms, pays)
    };
    write(limits, interrupt, file, title, parts, rows, statements)
}

/// Writes a rollup of those of its days, in their order, as [`build`].
pub(crate) fn merge_until(
    limits: &DuckLimits,
    interrupt: &Interrupt,
    file: &Path,
    title: &Title,
    rollups: &[PathBuf],
) -> Result<Rollup, WriteError> {
    write(limits, interrupt, file, title, rollups, ROWS_OF_LARGE, |databases| rollup::merge_sql(databases, title.start_ms))
}

fn write(
    limits: &DuckLimits,
    interrupt: &Interrupt,
    file: &Path,
    title: &Title,
    inputs: &[PathBuf],
    rows: u64,
    statements: impl FnOnce(&[String]) -> Vec<String>,
) -> Result<Rollup, WriteError> {
    let connection = limits.open()?;
    interrupt.watch(&connection);
    let result = fill(&connection, interrupt, file, title, inputs, rows, statements);
    if interrupt.is_stopped() { Err(WriteError::Interrupted) } else { result }
}

fn fill(
    connection: &Connection,
    interrupt: &Interrupt,
    file: &Path,
    title: &Title,
    inputs: &[PathBuf],
    rows: u64,
    statements: impl FnOnce(&[String]) -> Vec<String>,
) -> Result<Rollup, WriteError> {
    let [small, large] = BLOCK_BYTES;
    let block_bytes = if rows < ROWS_OF_LARGE { small } else { large };
    connection.execute_batch(&format!(
        "ATTACH {} AS {FILE} (STORAGE_VERSION 'v1.5.0', BLOCK_SIZE {block_bytes}, RECOVERY_MODE NO_WAL_WRITES); USE {FILE}; {}",
        quoted(file),
        rollup::SCHEMA
    ))?;
    let mut databases = Vec::with_capacity(inputs.len());
    for (index, input) in inputs.iter().enumerate() {
        connection.execute_batch(&format!("ATTACH {} AS in{index} (READ_ONLY)", quoted(input)))?;
        databases.push(format!("in{index}"));
    }
    for statement in statements(&databases) {
        if interrupt.is_stopped() {
            return Err(WriteError::Interrupted);
        }
        connection.execute_batch(&statement)?;
    }
    let pairs = [
        ("format_version", rollup::FORMAT_VERSION.to_string()),
        ("region", title.region.clone()),
        ("partition", title.partition.to_string()),
        ("start_ms", title.start_ms.to_string()),
        ("end_ms", title.end_ms.to_string()),
        ("written_ms", title.written_ms.to_string()),
    ];
    let mut insert = connection.prepare("INSERT INTO meta VALUES (?, ?)")?;
    for (key, value) in pairs {
        insert.execute([key, value.as_str()])?;
    }
    drop(insert);
    connection.execute_batch(&format!("CHECKPOINT {FILE}; USE memory; DETACH {FILE}"))?;
    let failed = |cause: std::io::Error| WriteError::File { path: file.to_owned(), cause };
    Ok(Rollup {
        name: title.name.clone(),
        checksum: store::checksum_of_file(file).map_err(failed)?,
        bytes: std::fs::metadata(file).map_err(failed)?.len(),
        format: rollup::FORMAT_VERSION,
        start_ms: title.start_ms,
        end_ms: title.end_ms,
    })
}

#[cfg(test)]
#[path = "rollups_tests.rs"]
mod tests;
