//! The directory's tables in the Durable Object's SQLite: the last copy of the site list, which survives NATS being away.
//!
//! Table `sites`: key `domain`; a site that is gone stays as a row with `removed = 1`, so that isolates learn of it. `sequence` is that of
//! the bucket's message. Table `settings`: key `domain`, for sites whose owner chose something. Table `meta`: `generation`, `created` (time of
//! the bucket's stream) and `sequence` (complete up to it). Table `salts`: key `day`, sealed (see `seal`). Table `keys`: records of API keys
//! that were asked for, by the key's hash.

use worker::{Result, SqlStorage, SqlStorageValue as Value};

use super::changes::{Change, Changes};

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS sites (
    domain TEXT PRIMARY KEY, id INTEGER NOT NULL, partition INTEGER NOT NULL, sequence INTEGER NOT NULL, removed INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS sites_by_sequence ON sites (sequence);
CREATE TABLE IF NOT EXISTS settings (domain TEXT PRIMARY KEY, json TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS salts (day TEXT PRIMARY KEY, sealed BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS keys (hash TEXT PRIMARY KEY, record TEXT NOT NULL) WITHOUT ROWID;
";
/// Most changes in one answer.
const CHANGES_MAX: usize = 5_000;

/// Up to where the list is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Position {
    /// Names the list; empty before the first one is loaded.
    pub(crate) generation: String,
    /// Creation time of the bucket's stream that the list came from.
    pub(crate) created: String,
    /// The list is complete up to this sequence.
    pub(crate) sequence: u64,
}

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

    /// Up to where the list is known.
    pub(crate) fn position(&self) -> Result<Position> {
        let mut position = Position::default();
        for row in self.sql.exec("SELECT key, value FROM meta", None)?.raw() {
            if let [Value::String(key), Value::String(value)] = row?.as_slice() {
                match key.as_str() {
                    "generation" => position.generation.clone_from(value),
                    "created" => position.created.clone_from(value),
                    "sequence" => position.sequence = value.parse().unwrap_or_default(),
                    _ => {}
                }
            }
        }
        Ok(position)
    }

    /// Applies changes that end at a position. All of it happens in one turn, hence at once.
    pub(crate) fn apply(&self, changes: &[(u64, Change)], position: &Position) -> Result<()> {
        for (sequence, change) in changes {
            let sequence = integer(*sequence)?;
            match change {
                Change::Put { domain, id, partition, settings } => {
                    let values = vec![text(domain), Value::Integer((*id).into()), Value::Integer((*partition).into()), sequence];
                    drop(self.sql.exec("INSERT OR REPLACE INTO sites VALUES (?, ?, ?, ?, 0)", values)?);
                    match settings {
                        Some(settings) => {
                            let json = serde_json::to_string(settings)?;
                            drop(
                                self.sql
                                    .exec("INSERT OR REPLACE INTO settings VALUES (?, ?)", vec![text(domain), text(&json)])?,
                            );
                        }
                        None => drop(self.sql.exec("DELETE FROM settings WHERE domain = ?", vec![text(domain)])?),
                    }
                }
                Change::Remove { domain } => {
                    drop(
                        self.sql
                            .exec("UPDATE sites SET removed = 1, sequence = ? WHERE domain = ?", vec![sequence, text(domain)])?,
                    );
                }
            }
        }
        let sequence = position.sequence.to_string();
        for (key, value) in [("generation", &position.generation), ("created", &position.created), ("sequence", &sequence)] {
            drop(self.sql.exec("INSERT OR REPLACE INTO meta VALUES (?, ?)", vec![text(key), text(value)])?);
        }
        Ok(())
    }

    /// Replaces the whole list.
    pub(crate) fn replace(&self, changes: &[(u64, Change)], position: &Position) -> Result<()> {
        drop(self.sql.exec("DELETE FROM sites; DELETE FROM settings", None)?);
        self.apply(changes, position)
    }

    /// What changed after what an isolate knows; everything when it knows another list. Without salts.
    pub(crate) fn changes(&self, position: &Position, generation: &str, after: u64) -> Result<Changes> {
        let is_known = generation == position.generation && after <= position.sequence;
        let after = if is_known { after } else { 0 };
        let mut changes = Changes { generation: position.generation.clone(), reset: !is_known, ..Changes::default() };
        let query = "SELECT domain, id, partition, sequence, removed, json FROM sites LEFT JOIN settings USING (domain)
            WHERE sequence > ? ORDER BY sequence LIMIT ?";
        let limit = Value::Integer(CHANGES_MAX as i64);
        let mut last = after;
        for row in self.sql.exec(query, vec![integer(after)?, limit])?.raw() {
            let row = row?;
            let [Value::String(domain), id, partition, sequence, removed, json] = row.as_slice() else { continue };
            last = number(sequence);
            if number(removed) == 0 {
                let settings = if let Value::String(json) = json { serde_json::from_str(json).ok() } else { None };
                changes.sites.push((domain.clone(), number(id) as u32, number(partition) as u32, settings));
            } else {
                changes.removed.push(domain.clone());
            }
        }
        changes.more = changes.sites.len() + changes.removed.len() == CHANGES_MAX;
        changes.sequence = if changes.more { last } else { position.sequence };
        Ok(changes)
    }

    /// The sealed salts, by day.
    pub(crate) fn salts(&self) -> Result<Vec<(String, Vec<u8>)>> {
        let rows = self.sql.exec("SELECT day, sealed FROM salts", None)?.raw();
        let mut salts = Vec::new();
        for row in rows {
            if let [Value::String(day), Value::Blob(sealed)] = row?.as_slice() {
                salts.push((day.clone(), sealed.clone()));
            }
        }
        Ok(salts)
    }

    /// Keeps a sealed salt.
    pub(crate) fn keep_salt(&self, day: &str, sealed: Vec<u8>) -> Result<()> {
        drop(self.sql.exec("INSERT OR REPLACE INTO salts VALUES (?, ?)", vec![text(day), Value::Blob(sealed)])?);
        Ok(())
    }

    /// Forgets the salts of the days up to this one.
    pub(crate) fn forget_salts_through(&self, day: &str) -> Result<()> {
        drop(self.sql.exec("DELETE FROM salts WHERE day <= ?", vec![text(day)])?);
        Ok(())
    }

    /// The record of a key, as it was when it was last asked for.
    pub(crate) fn key(&self, hash: &str) -> Result<Option<String>> {
        match self.sql.exec("SELECT record FROM keys WHERE hash = ?", vec![text(hash)])?.raw().next().transpose()?.as_deref() {
            Some([Value::String(record)]) => Ok(Some(record.clone())),
            _ => Ok(None),
        }
    }

    /// Keeps the record of a key, or forgets it.
    pub(crate) fn keep_key(&self, hash: &str, record: Option<&str>) -> Result<()> {
        match record {
            Some(record) => drop(self.sql.exec("INSERT OR REPLACE INTO keys VALUES (?, ?)", vec![text(hash), text(record)])?),
            None => drop(self.sql.exec("DELETE FROM keys WHERE hash = ?", vec![text(hash)])?),
        }
        Ok(())
    }
}

fn text(text: &str) -> Value {
    Value::String(text.to_owned())
}

fn integer(number: u64) -> Result<Value> {
    Value::try_from_i64(i64::try_from(number).unwrap_or(i64::MAX))
}

fn number(value: &Value) -> u64 {
    match value {
        Value::Integer(number) => u64::try_from(*number).unwrap_or_default(),
        Value::Float(number) => *number as u64,
        _ => 0,
    }
}
