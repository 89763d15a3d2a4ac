//! The empty part: made once in a folder, and its tables copied into each new file. Making the comments of 83 columns anew for every file took 25 ms.

use crate::duck::quoted;
use crate::work::discard;
use crate::write::WriteError;
use duckdb::Connection;
use std::path::{Path, PathBuf};
use weir_reader::store;
use weir_rollup::part;

/// The empty part in a folder. Several may make it at the same time: one of the same files stays.
pub(crate) fn file(folder: &Path) -> Result<PathBuf, WriteError> {
    // Named by what it holds: another version of this program makes its own.
    let digest = store::checksum([part::SCHEMA, part::COMMENTS].concat().as_bytes());
    let file = folder.join(format!("empty-{digest}"));
    if file.exists() {
        return Ok(file);
    }
    let half = folder.join(format!("{}.part", uuid::Uuid::new_v4().simple()));
    let made =
        make(&half).and_then(|()| std::fs::rename(&half, &file).map_err(|cause| WriteError::File { path: file.clone(), cause }));
    if made.is_err() {
        discard(&half);
    }
    made.map(|()| file)
}

fn make(half: &Path) -> Result<(), WriteError> {
    let connection = Connection::open_in_memory()?;
    connection.execute_batch(&format!(
        "ATTACH {} AS empty (STORAGE_VERSION 'v1.5.0', BLOCK_SIZE 16384, RECOVERY_MODE NO_WAL_WRITES); USE empty; BEGIN; {} {} COMMIT;
         CHECKPOINT empty; USE memory; DETACH empty",
        quoted(half),
        part::SCHEMA,
        part::COMMENTS
    ))?;
    Ok(())
}
