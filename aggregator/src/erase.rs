//! Writes a part anew without the rows that erasures cover. Its ledger goes on counting them. Blocks: call it on a blocking thread.

use crate::compact::Input;
use crate::duck::{DuckLimits, Interrupt, quoted};
use crate::write::{self, Label, WriteError};
use std::path::Path;
use weir_rollup::ledger::{ERASED, HOUR_MS};
use weir_rollup::manifest::Part;
use weir_rollup::part::{self, LEDGER_SORT_ORDER, SORT_ORDER};

/// A part without the rows that were covered.
#[derive(Clone, Debug)]
pub(crate) struct Rewritten {
    pub(crate) part: Part,
    /// How many rows it lacks.
    pub(crate) erased: u64,
    /// Lowest and highest `event_ms` of those, both included.
    pub(crate) span: (i64, i64),
}

/// Writes what a part has beside the rows for which `condition` (SQL over the columns of `events`) holds; `None` = there are none, nothing is
/// written. Ledger rows up to one of the `apart` sequences are not added to those after it.
pub(crate) fn rewrite(
    limits: &DuckLimits,
    interrupt: &Interrupt,
    input: &Input,
    condition: &str,
    apart: &[u64],
    (label, file): (&Label, &Path),
) -> Result<Option<Rewritten>, WriteError> {
    let connection = limits.open()?;
    interrupt.watch(&connection);
    let result = (|| {
        connection.execute_batch(&format!("ATTACH {} AS source (READ_ONLY)", quoted(&input.path)))?;
        let sql = format!("SELECT count(*), min(event_ms), max(event_ms) FROM source.events WHERE {condition}");
        let (erased, first_ms, last_ms): (u64, Option<i64>, Option<i64>) =
            connection.query_row(&sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        let (Some(first_ms), Some(last_ms)) = (first_ms, last_ms) else { return Ok(None) };
        let rows = input.part.rows.saturating_sub(erased);
        write::create(&connection, file, rows)?;
        let ledger = format!(
            "(SELECT seq, site_id, hour_ms, kind, count FROM {before} UNION ALL \
             SELECT seq, site_id, received_ms // {HOUR_MS} * {HOUR_MS}, '{ERASED}', 1 FROM source.events WHERE {condition})",
            before = part::ledger_relation("source", input.part.format)
        );
        connection.execute_batch(&format!(
            "BEGIN;
             INSERT INTO events SELECT * FROM source.events WHERE NOT {condition} ORDER BY {SORT_ORDER};
             INSERT INTO controls SELECT * FROM source.controls ORDER BY seq, idx;
             INSERT INTO ledger {merged} ORDER BY {LEDGER_SORT_ORDER};",
            merged = part::merge_ledger_sql(&ledger, apart)
        ))?;
        let part = write::finish(&connection, file, label)?;
        write::expect_rows(part.rows, rows)?;
        write::expect_accepted(part.accepted(), input.part.accepted())?;
        Ok(Some(Rewritten { part, erased, span: (first_ms, last_ms) }))
    })();
    if interrupt.is_stopped() { Err(WriteError::Interrupted) } else { result }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::write::tests::{label, limits, rows, write};
    use duckdb::Connection;
    use weir_rollup::manifest::{Erasure, Level, Subject, covered_sql};

    #[test]
    fn covered_rows_go_and_the_ledger_says_how_many() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("before");
        let mut all = rows(1, 200, 3);
        let part = write(&limits(folder.path()), &path, &label("before", Level::Flush), &mut all, &[]).unwrap();
        let input = Input { part, path: path.into() };
        let victim = Subject::from(&all[17]);
        let erasure = Erasure {
            seq: victim.position.seq + 40,
            idx: 1,
            site_id: victim.site_id,
            visitor_id: Some(victim.visitor_id),
            ..Erasure::new("e".to_owned(), 1)
        };
        let site = Erasure { visitor_id: None, ..erasure.clone() };
        let none = Erasure { site_id: 4_000_000, ..erasure.clone() };
        let retention = Erasure { seq: u64::MAX >> 1, ..Erasure::retention(0, victim.event_ms + 1, 1) };
        for (number, erasures) in
            [vec![erasure.clone()], vec![site.clone()], vec![none], vec![erasure, retention], vec![site]].iter().enumerate()
        {
            let covered: Vec<_> =
                all.iter().filter(|row| erasures.iter().any(|erasure| erasure.covers(&Subject::from(*row)))).collect();
            let file = folder.path().join(format!("after-{number}"));
            let condition = covered_sql(erasures);
            let label = label("after", Level::Flush);
            let done = rewrite(&limits(folder.path()), &Interrupt::default(), &input, &condition, &[3], (&label, &file)).unwrap();
            let Some(done) = done else {
                assert!(covered.is_empty() && !file.exists());
                continue;
            };
            assert!(!covered.is_empty());
            assert_eq!(done.erased, covered.len() as u64);
            assert_eq!((done.part.rows, done.part.accepted()), (200 - done.erased, 200));
            assert_eq!(
                done.span,
                (covered.iter().map(|row| row.event_ms).min().unwrap(), covered.iter().map(|row| row.event_ms).max().unwrap())
            );
            let connection = Connection::open_in_memory().unwrap();
            connection.execute_batch(&format!("ATTACH {} AS p (READ_ONLY)", quoted(&file))).unwrap();
            let one = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, u64>(0)).unwrap();
            assert_eq!(one(&format!("SELECT count(*) FROM p.events WHERE {condition}")), 0);
            assert_eq!(one("SELECT CAST(sum(count) AS UBIGINT) FROM p.ledger WHERE kind = 'erased'"), done.erased);
            // By site and hour: accepted - erased = rows.
            let wrong = "SELECT count(*) FROM (
                     SELECT site_id, hour_ms, coalesce(sum(count::BIGINT) FILTER (kind = 'accepted'), 0) - coalesce(sum(count::BIGINT) FILTER (kind = 'erased'), 0) AS n
                     FROM p.ledger GROUP BY ALL)
                 FULL JOIN (SELECT site_id, received_ms // 3600000 * 3600000 AS hour_ms, count(*) AS rows FROM p.events GROUP BY ALL)
                 USING (site_id, hour_ms) WHERE n IS DISTINCT FROM coalesce(rows, 0)";
            assert_eq!(one(wrong), 0);
        }
    }
}
