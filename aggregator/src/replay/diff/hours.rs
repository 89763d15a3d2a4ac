//! Finds the pairs of site and UTC hour of which the two sides hold different rows.

use super::Sides;
use super::report::{Content, PartitionContents};
use crate::write::WriteError;
use duckdb::Connection;
use weir_rollup::ledger::HOUR_MS;
use weir_rollup::part;

/// SQL of the UTC hour of a row.
pub(super) fn hour_sql() -> String {
    format!("event_ms // {HOUR_MS}")
}

/// What each partition holds on both sides.
///
/// Makes the tables `differing` (`place`, `site_id`, `hour`), `differing_hours` (`site_id`, `hour`) and `differing_sites` (`site_id`).
pub(super) fn compare(connection: &Connection, sides: &[Sides]) -> Result<Vec<PartitionContents>, WriteError> {
    for side in ["served", "shadow"] {
        connection.execute_batch(&format!(
            "CREATE TEMP TABLE {side}_hours AS
             SELECT place, site_id, hour, count(*) AS rows, {xor} AS hash
             FROM (SELECT place, site_id, {hour} AS hour, {hash} AS row_hash FROM {side}) GROUP BY place, site_id, hour",
            xor = part::hash_of_hashes_sql("row_hash"),
            hash = part::row_hash_sql(),
            hour = hour_sql()
        ))?;
    }
    connection.execute_batch(
        "CREATE TEMP TABLE differing AS
         SELECT place, site_id, hour FROM served_hours FULL JOIN shadow_hours USING (place, site_id, hour)
         WHERE served_hours.rows IS DISTINCT FROM shadow_hours.rows OR served_hours.hash IS DISTINCT FROM shadow_hours.hash;
         CREATE TEMP TABLE differing_hours AS SELECT DISTINCT site_id, hour FROM differing;
         CREATE TEMP TABLE differing_sites AS SELECT DISTINCT site_id FROM differing",
    )?;
    let mut statement = connection.prepare("SELECT EXISTS (SELECT 1 FROM differing WHERE place = ?)")?;
    let contents = sides.iter().enumerate().map(|(place, sides)| {
        let (served, shadow) = (content(connection, "served", place)?, content(connection, "shadow", place)?);
        let differs: bool = statement.query_row([place], |row| row.get(0))?;
        Ok(PartitionContents {
            region: sides.region.clone(),
            partition: sides.partition,
            from_seq: sides.after_seq.saturating_add(1),
            through_seq: sides.through_seq,
            equal: !differs,
            served,
            shadow,
        })
    });
    contents.collect()
}

/// Rows and checksum of one side of a partition: those of all rows are the sum and the exclusive or of those of the hours.
fn content(connection: &Connection, side: &str, place: usize) -> Result<Content, duckdb::Error> {
    let sql = format!(
        "SELECT CAST(coalesce(sum(rows), 0) AS UBIGINT) AS total, printf('%d-m%016x', total, coalesce(bit_xor(hash), 0))
         FROM {side}_hours WHERE place = ?"
    );
    connection.query_row(&sql, [place], |row| Ok(Content { rows: row.get(0)?, checksum: row.get(1)? }))
}
