//! What an erasure would change, counted before it is asked for.

use crate::duck::quoted;
use crate::write::WriteError;
use duckdb::Connection;
use std::path::Path;
use weir_reader::ReaderError;
use weir_reader::store::Store;
use weir_rollup::manifest::{Erasure, Manifest};

/// How much of what is served it covers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Affected {
    /// Event rows.
    pub rows: u64,
    /// Files that have such rows.
    pub parts: u64,
    /// Objects of the archive that may have such events.
    pub archive_objects: u64,
}

impl Affected {
    /// Adds what another partition has.
    pub fn add(&mut self, other: Self) {
        self.rows += other.rows;
        self.parts += other.parts;
        self.archive_objects += other.archive_objects;
    }
}

/// Why it could not be counted.
#[derive(Debug, thiserror::Error)]
pub enum CountError {
    /// A file cannot be fetched.
    #[error(transparent)]
    Store(#[from] ReaderError),
    /// A file cannot be read.
    #[error(transparent)]
    Read(#[from] WriteError),
    /// The thread that read ended early.
    #[error(transparent)]
    Task(#[from] tokio::task::JoinError),
}

/// Looks into the parts of a manifest.
///
/// # Errors
/// When one cannot be read.
pub async fn affected(store: &Store, manifest: &Manifest, erasure: &Erasure) -> Result<Affected, CountError> {
    let mut found = Affected { archive_objects: manifest.archive_before(erasure).count() as u64, ..Affected::default() };
    for part in manifest.parts.iter().filter(|part| erasure.may_cover(part)) {
        let file = store.fetch_part(part).await?;
        let condition = erasure.sql();
        let rows = tokio::task::spawn_blocking(move || count(file.path(), &condition)).await??;
        found.rows += rows;
        found.parts += u64::from(rows > 0);
    }
    if found.rows == 0 {
        found.archive_objects = 0;
    }
    Ok(found)
}

fn count(path: &Path, condition: &str) -> Result<u64, WriteError> {
    let connection = Connection::open_in_memory()?;
    connection.execute_batch(&format!("ATTACH {} AS part (READ_ONLY)", quoted(path)))?;
    Ok(connection.query_row(&format!("SELECT count(*) FROM part.events WHERE {condition}"), [], |row| row.get(0))?)
}
