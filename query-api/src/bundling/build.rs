//! Writing a bundle: all rows of its parts in the order of a part, by slices of sites so that little memory is needed.

use super::Wanted;
use crate::engine::EngineError;
use duckdb::Connection;
use std::path::Path;
use thiserror::Error;
use weir_reader::ReaderError;
use weir_reader::store::Store;
use weir_rollup::part::{self, SORT_ORDER, VISITS_SORT_ORDER};

/// Memory of the instance that writes.
const MEMORY: &str = "300MB";
/// Rows of a group, which is read as a whole or not: most sites have fewer than DuckDB's 122,880, and smaller groups pack worse.
const ROW_GROUP_ROWS: u64 = 16_384;
/// Event rows that are sorted at once.
const SLICE_ROWS: u64 = 250_000;

/// Why a bundle could not be made. Its parts are read one by one then.
#[derive(Debug, Error)]
pub enum BuildError {
    /// DuckDB failed.
    #[error("DuckDB failed: {0}")]
    Database(#[from] duckdb::Error),
    /// The disk failed.
    #[error("the folder of the bundles failed: {0}")]
    File(#[from] std::io::Error),
    /// A part has no place.
    #[error("a part cannot be found: {0}")]
    Store(#[from] ReaderError),
    /// It cannot be attached.
    #[error("the bundle cannot be attached: {0}")]
    Engine(#[from] EngineError),
    /// It does not hold what its parts do.
    #[error("{written} rows were written, {expected} expected")]
    RowsDiffer {
        /// Rows in the bundle.
        written: u64,
        /// Rows of the parts.
        expected: u64,
    },
}

/// Writes the bundle to `file`, which appears when it is whole. Blocks.
pub fn build(store: &Store, bundle: &Wanted, file: &Path) -> Result<(), BuildError> {
    let half = file.with_extension("half");
    if half.exists() {
        std::fs::remove_file(&half)?;
    }
    let flags = duckdb::Config::default()
        .with("memory_limit", MEMORY)?
        .with("threads", "1")?
        .with("temp_directory", file.with_extension("temp").to_string_lossy())?
        .with("autoload_known_extensions", "false")?
        .with("autoinstall_known_extensions", "false")?;
    let connection = Connection::open_in_memory_with_flags(flags)?;
    let mut files = Vec::with_capacity(bundle.parts.len());
    for (index, part) in bundle.parts.iter().enumerate() {
        let file = store.fetch_part_blocking(part)?;
        connection.execute_batch(&format!("ATTACH {} AS in{index} (READ_ONLY)", quoted(&file)))?;
        files.push(file);
    }
    connection.execute_batch(&format!(
        "ATTACH {} AS bundle (STORAGE_VERSION 'v1.5.0', BLOCK_SIZE 65536, ROW_GROUP_SIZE {ROW_GROUP_ROWS}, RECOVERY_MODE NO_WAL_WRITES); USE bundle; {}",
        quoted(&half),
        part::SCHEMA
    ))?;
    connection.execute_batch("BEGIN")?;
    for (first, last) in slices(&connection, bundle)? {
        for (table, order) in [("events", SORT_ORDER), ("visits", VISITS_SORT_ORDER)] {
            let union = union(bundle, &format!("SELECT * FROM in#.{table} WHERE site_id BETWEEN {first} AND {last}"));
            connection.execute_batch(&format!("INSERT INTO {table} SELECT * FROM ({union}) ORDER BY {order}"))?;
        }
    }
    let written = connection.query_row("SELECT count(*) FROM events", [], |row| row.get(0))?;
    if written != bundle.rows {
        return Err(BuildError::RowsDiffer { written, expected: bundle.rows });
    }
    connection.execute_batch("COMMIT; CHECKPOINT bundle; USE memory; DETACH bundle")?;
    std::fs::rename(half, file)?;
    Ok(())
}

/// Ranges of sites with about [`SLICE_ROWS`] event rows each; together they hold all sites.
fn slices(connection: &Connection, bundle: &Wanted) -> Result<Vec<(u32, u32)>, BuildError> {
    let union = union(bundle, "SELECT site_id, count(*) AS found FROM in#.events GROUP BY site_id");
    let mut statement = connection
        .prepare(&format!("SELECT site_id, CAST(sum(found) AS UBIGINT) FROM ({union}) GROUP BY site_id ORDER BY site_id"))?;
    let mut rows = statement.query([])?;
    let (mut slices, mut first, mut count) = (Vec::new(), 0_u32, 0_u64);
    while let Some(row) = rows.next()? {
        count += row.get::<_, u64>(1)?;
        if count >= SLICE_ROWS {
            let last: u32 = row.get(0)?;
            slices.push((first, last));
            (first, count) = (last.saturating_add(1), 0);
        }
    }
    slices.push((first, u32::MAX));
    Ok(slices)
}

/// The same of each part; `#` stands for its number.
fn union(bundle: &Wanted, select: &str) -> String {
    let selects: Vec<String> = (0..bundle.parts.len()).map(|index| select.replace('#', &index.to_string())).collect();
    selects.join(" UNION ALL ")
}

fn quoted(path: &Path) -> String {
    format!("'{}'", path.to_string_lossy().replace('\'', "''"))
}
