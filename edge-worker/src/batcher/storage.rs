//! The batcher's tables in the Durable Object's SQLite.
//!
//! Table `pending`: committed events that are not in a batch; key `id`, in the order of arrival. Table `batches`: batches not known to be
//! on the stream; key `id`, in the order of sending. Table `meta`: the batcher's name under `batcher`.

use worker::{Result, SqlStorage, SqlStorageValue as Value};

use super::core::{Batch, Row, Write};

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS pending (id INTEGER PRIMARY KEY, events INTEGER NOT NULL, oldest_ms INTEGER NOT NULL, bytes BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS batches (
    id INTEGER PRIMARY KEY, message_id TEXT NOT NULL, events INTEGER NOT NULL, oldest_ms INTEGER NOT NULL, bytes BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
";

/// The tables.
#[derive(Debug)]
pub(crate) struct Tables {
    sql: SqlStorage,
}

impl Tables {
    /// Opens them; the first time they are made.
    pub(crate) fn open(sql: SqlStorage) -> Result<Self> {
        drop(sql.exec(SCHEMA, None)?);
        Ok(Self { sql })
    }

    /// The batcher's name: the one given, or the one that was given last.
    pub(crate) fn name(&self, given: Option<String>) -> Result<Option<String>> {
        let mut rows = self.sql.exec("SELECT value FROM meta WHERE key = 'batcher'", None)?.raw();
        let stored = match rows.next().transpose()?.as_deref() {
            Some([Value::String(name)]) => Some(name.clone()),
            _ => None,
        };
        if let Some(name) = &given
            && stored != given
        {
            let values = vec![Value::String(name.clone())];
            drop(
                self.sql.exec(
                    "INSERT INTO meta VALUES ('batcher', ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                    values,
                )?,
            );
        }
        Ok(given.or(stored))
    }

    /// What is pending, in order.
    pub(crate) fn pending(&self) -> Result<Vec<Row>> {
        let rows = self.sql.exec("SELECT id, length(bytes), events, oldest_ms FROM pending ORDER BY id", None)?.raw();
        rows.map(|row| read_row(&row?)).collect()
    }

    /// The batches, in order.
    pub(crate) fn batches(&self) -> Result<Vec<Batch>> {
        let rows = self.sql.exec("SELECT id, length(bytes), events, oldest_ms, message_id FROM batches ORDER BY id", None)?.raw();
        rows.map(|row| {
            let row = row?;
            match row.last() {
                Some(Value::String(message_id)) => Ok(Batch { row: read_row(&row)?, message_id: message_id.clone() }),
                _ => Err(unexpected("batches.message_id")),
            }
        })
        .collect()
    }

    /// The frozen bytes of a batch.
    pub(crate) fn batch_bytes(&self, id: i64) -> Result<Vec<u8>> {
        match self.sql.exec("SELECT bytes FROM batches WHERE id = ?", vec![Value::Integer(id)])?.raw().next() {
            Some(row) => blob(row?),
            None => Err(unexpected("batches.id")),
        }
    }

    /// Writes more than may fit into what is left of a file, to see whether it can be; [`Self::probed`] takes it away.
    pub(crate) fn probe(&self) -> Result<()> {
        let insert =
            "INSERT INTO meta VALUES ('probe', hex(zeroblob(65536))) ON CONFLICT (key) DO UPDATE SET value = excluded.value";
        drop(self.sql.exec(insert, None)?);
        Ok(())
    }

    /// After a probe that is on stable storage.
    pub(crate) fn probed(&self) -> Result<()> {
        drop(self.sql.exec("DELETE FROM meta WHERE key = 'probe'", None)?);
        Ok(())
    }

    /// Carries out one planned change.
    pub(crate) fn perform(&self, write: &Write) -> Result<()> {
        match write {
            Write::InsertPending { id, chunk } => {
                let values = vec![
                    Value::Integer(*id),
                    Value::Integer(chunk.events.into()),
                    milliseconds(chunk.oldest_ms)?,
                    Value::Blob(chunk.bytes.clone()),
                ];
                drop(self.sql.exec("INSERT INTO pending VALUES (?, ?, ?, ?)", values)?);
            }
            Write::InsertBatch { id, message_id, chunk } => {
                self.insert_batch(*id, message_id, chunk.events, chunk.oldest_ms, chunk.bytes.clone())?;
            }
            Write::FormBatch { id, message_id, head, through_id, events, oldest_ms } => {
                let mut bytes = head.clone();
                let through = || vec![Value::Integer(*through_id)];
                for row in self.sql.exec("SELECT bytes FROM pending WHERE id <= ? ORDER BY id", through())?.raw() {
                    bytes.append(&mut blob(row?)?);
                }
                self.insert_batch(*id, message_id, *events, *oldest_ms, bytes)?;
                drop(self.sql.exec("DELETE FROM pending WHERE id <= ?", through())?);
            }
            Write::DeleteBatch { id } => drop(self.sql.exec("DELETE FROM batches WHERE id = ?", vec![Value::Integer(*id)])?),
        }
        Ok(())
    }

    fn insert_batch(&self, id: i64, message_id: &str, events: u32, oldest_ms: u64, bytes: Vec<u8>) -> Result<()> {
        let values = vec![
            Value::Integer(id),
            Value::String(message_id.to_owned()),
            Value::Integer(events.into()),
            milliseconds(oldest_ms)?,
            Value::Blob(bytes),
        ];
        drop(self.sql.exec("INSERT INTO batches VALUES (?, ?, ?, ?, ?)", values)?);
        Ok(())
    }
}

fn read_row(row: &[Value]) -> Result<Row> {
    let integer = |index: usize| match row.get(index) {
        Some(Value::Integer(value)) => Ok(*value),
        Some(Value::Float(value)) => Ok(*value as i64),
        _ => Err(unexpected("a number")),
    };
    Ok(Row { id: integer(0)?, bytes: integer(1)? as usize, events: integer(2)? as u32, oldest_ms: integer(3)? as u64 })
}

fn blob(row: Vec<Value>) -> Result<Vec<u8>> {
    match row.into_iter().next() {
        Some(Value::Blob(bytes)) => Ok(bytes),
        _ => Err(unexpected("bytes")),
    }
}

fn milliseconds(ms: u64) -> Result<Value> {
    i64::try_from(ms).map_err(|_| unexpected("a time")).and_then(Value::try_from_i64)
}

fn unexpected(what: &str) -> worker::Error {
    worker::Error::RustError(format!("storage does not hold what it should: {what}"))
}
