//! The pool of attached parts: a query's parts stay, of the others those used last.

use super::{EngineError, path_text};
use duckdb::Connection;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::Arc;
use weir_reader::store::LocalFile;

/// Most parts of one query: twenty times what compaction leaves of a year.
const QUERY_PARTS_MAX: usize = 2_000;

/// A part that stays attached for as long as someone holds this.
#[derive(Debug)]
pub struct AttachedPart {
    /// Name of its database inside the instance.
    pub schema: String,
}

/// The schema under which a part is attached: the same each time, so that a statement can be written, and compared, before anything is attached.
pub fn schema_of(name: &str) -> String {
    let hash = Sha256::digest(name.as_bytes());
    let start = hash.iter().take(8).fold(0_u64, |start, byte| start << 8 | u64::from(*byte));
    format!("part{start:016x}")
}

struct Slot {
    part: Arc<AttachedPart>,
    used: u64,
    /// Stays in the cache while it is attached.
    _file: LocalFile,
}

pub(super) struct Parts {
    slots: HashMap<String, Slot>,
    limit: usize,
    clock: u64,
}

impl Parts {
    pub(super) fn new(limit: usize) -> Self {
        Self { slots: HashMap::new(), limit, clock: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn attach_all(
        &mut self,
        connection: &Connection,
        files: &[(String, LocalFile)],
    ) -> Result<Vec<Arc<AttachedPart>>, EngineError> {
        if files.len() > QUERY_PARTS_MAX {
            return Err(EngineError::TooManyParts { found: files.len(), limit: QUERY_PARTS_MAX });
        }
        self.clock += 1;
        let mut attached = Vec::with_capacity(files.len());
        for (name, file) in files {
            attached.push(self.attach(connection, name, file)?);
        }
        self.shrink(connection);
        Ok(attached)
    }

    fn attach(&mut self, connection: &Connection, name: &str, file: &LocalFile) -> Result<Arc<AttachedPart>, EngineError> {
        if let Some(slot) = self.slots.get_mut(name) {
            slot.used = self.clock;
            return Ok(Arc::clone(&slot.part));
        }
        let schema = schema_of(name);
        let quoted = path_text(file).replace('\'', "''");
        connection.execute_batch(&format!("ATTACH '{quoted}' AS {schema} (READ_ONLY)")).map_err(|cause| {
            let name = name.to_owned();
            if file.exists() { EngineError::Attach { name, cause } } else { EngineError::Missing { name } }
        })?;
        let part = Arc::new(AttachedPart { schema });
        self.slots.insert(name.to_owned(), Slot { part: Arc::clone(&part), used: self.clock, _file: file.clone() });
        Ok(part)
    }

    /// Detaches a part that will not be asked for again, now or, while somebody holds it, when there are too many.
    pub(super) fn forget(&mut self, connection: &Connection, name: &str) {
        let Some(slot) = self.slots.get_mut(name) else { return };
        slot.used = 0;
        if Arc::strong_count(&slot.part) == 1 {
            self.detach(connection, name);
        }
    }

    /// Detaches parts that nobody holds, the longest unused first, until the limit is kept.
    fn shrink(&mut self, connection: &Connection) {
        let Some(excess) = self.slots.len().checked_sub(self.limit).filter(|excess| *excess > 0) else { return };
        let free = self.slots.iter().filter(|(_, slot)| Arc::strong_count(&slot.part) == 1);
        let mut free: Vec<(u64, String)> = free.map(|(name, slot)| (slot.used, name.clone())).collect();
        free.sort_unstable();
        for (_, name) in free.into_iter().take(excess) {
            self.detach(connection, &name);
        }
    }

    fn detach(&mut self, connection: &Connection, name: &str) {
        let Some(slot) = self.slots.remove(name) else { return };
        if let Err(error) = connection.execute_batch(&format!("DETACH {}", slot.part.schema)) {
            tracing::warn!(part.name = name, %error, "part cannot be detached");
        }
    }
}
