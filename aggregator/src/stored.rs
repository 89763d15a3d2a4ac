//! Looks old retries up in the parts. Blocks: call it on a blocking thread.

use crate::duck::{DuckLimits, quoted};
use duckdb::Connection;
use std::collections::HashMap;
use weir_reader::store::LocalFile;
use weir_rollup::fold::{KnownIds, OldRetry};
use weir_rollup::part;

/// A connection that keeps what it looked into attached: old retries come in crowds.
pub(crate) struct Stored {
    limits: DuckLimits,
    connection: Option<Connection>,
    /// Names of attached parts, the names they are attached under, and the files themselves.
    attached: HashMap<String, (String, LocalFile)>,
    attachments: u64,
}

impl Stored {
    pub(crate) fn new(limits: DuckLimits) -> Self {
        Self { limits, connection: None, attached: HashMap::new(), attachments: 0 }
    }

    /// Those of the wanted ids that rows of these parts (name and file) have. Rows for which `hidden` (SQL) holds count as absent.
    pub(crate) fn find(
        &mut self,
        parts: &[(String, LocalFile)],
        wanted: &[OldRetry],
        hidden: &str,
    ) -> Result<KnownIds, duckdb::Error> {
        let found = self.look(parts, wanted, hidden);
        if found.is_err() {
            // Whatever state it is in, the next lookup begins anew.
            self.attached.clear();
            self.connection = None;
        }
        found
    }

    fn look(&mut self, parts: &[(String, LocalFile)], wanted: &[OldRetry], hidden: &str) -> Result<KnownIds, duckdb::Error> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.limits.open()?,
        };
        self.attached.retain(|name, (database, _)| {
            parts.iter().any(|(part, _)| part == name) || connection.execute_batch(&format!("DETACH {database}")).is_err()
        });
        let mut union = Vec::new();
        for (name, file) in parts {
            if !self.attached.contains_key(name) {
                self.attachments += 1;
                let database = format!("stored{}", self.attachments);
                connection.execute_batch(&format!("ATTACH {} AS {database} (READ_ONLY)", quoted(file)))?;
                self.attached.insert(name.clone(), (database, file.clone()));
            }
            union.extend(self.attached.get(name).map(|(database, _)| {
                format!("SELECT site_id, event_ms, event_id_high, event_id_low FROM {database}.events WHERE NOT {hidden}")
            }));
        }
        let relation = format!("({})", union.join(" UNION ALL "));
        let mut known = KnownIds::new();
        if let Some(sql) = part::copies_sql(&relation, wanted).filter(|_| !union.is_empty()) {
            let mut statement = connection.prepare(&sql)?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let (site_id, event_ms, id) = (row.get(0)?, row.get(1)?, OldRetry::id_of(row.get(2)?, row.get(3)?));
                known.extend(wanted.iter().any(|retry| retry.is_copy(site_id, event_ms, id)).then_some(id));
            }
        }
        self.connection = Some(connection);
        Ok(known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::write::tests::{HOUR_START_MS, label, limits, rows, write};
    use weir_rollup::manifest::Level;

    #[test]
    fn ids_are_found_in_every_part_and_parts_come_and_go() {
        let folder = tempfile::tempdir().unwrap();
        let part = |name: &str, first_seq: u64| {
            let file = folder.path().join(name);
            write(&limits(folder.path()), &file, &label(name, Level::Flush), &mut rows(first_seq, 50, 1), &[]).unwrap();
            (name.to_owned(), LocalFile::from(file))
        };
        let (a, b) = (part("a", 1), part("it's b", 1000));
        let copy = |first_seq: u64, number: usize| {
            let row = rows(first_seq, 50, 1).remove(number);
            OldRetry { site_id: row.site_id, event_ms: row.event_ms + 60_000, id: row.event_id }
        };
        let wanted = [copy(1, 3), copy(1000, 4), OldRetry { event_ms: HOUR_START_MS - 7_200_000, ..copy(1, 5) }];
        let mut stored = Stored::new(limits(folder.path()));
        let ids = |numbers: &[usize]| numbers.iter().map(|number| wanted[*number].id).collect::<KnownIds>();
        assert_eq!(stored.find(&[], &wanted, "false").unwrap(), ids(&[]));
        assert_eq!(stored.find(std::slice::from_ref(&a), &wanted, "false").unwrap(), ids(&[0]));
        assert_eq!(stored.find(&[a.clone(), b.clone()], &wanted, "false").unwrap(), ids(&[0, 1]));
        assert_eq!(stored.find(std::slice::from_ref(&b), &wanted, "false").unwrap(), ids(&[1]));
        assert_eq!(stored.attached.len(), 1);
        assert!(stored.find(&[a.clone(), ("gone".to_owned(), folder.path().join("gone").into())], &wanted, "false").is_err());
        assert_eq!(stored.find(&[b.clone(), a.clone()], &wanted, "false").unwrap(), ids(&[0, 1]));
        assert_eq!(stored.find(&[b, a], &wanted, "(seq < 1000)").unwrap(), ids(&[1]), "the first is to be forgotten");
    }
}
