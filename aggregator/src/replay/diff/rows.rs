//! Finds out how many rows of the differing hours differ, and in which columns.

use super::dimension::{DIMENSIONS, Dimension, NONE};
use super::hours::hour_sql;
use super::report::RowChanges;
use crate::write::WriteError;
use duckdb::Connection;
use weir_rollup::part;

/// Columns that change what rows and visits count for, whatever the dimension.
const COUNTED: &str = "site_id, event_ms, visitor_id, visit_id, name, revenue_micros, engagement_ms, interactive, bot";

/// Counts the rows that differ.
///
/// A row is known by its position. Each position is there once or not at all on a side; were it there twice, the surplus would count as
/// rows of that side alone.
pub(super) fn changes(connection: &Connection) -> Result<RowChanges, WriteError> {
    let sql = format!(
        "SELECT CAST(coalesce(sum(served) FILTER (served = shadow), 0) AS UBIGINT),
                CAST(coalesce(sum(served - shadow) FILTER (served > shadow), 0) AS UBIGINT),
                CAST(coalesce(sum(shadow - served) FILTER (shadow > served), 0) AS UBIGINT)
         FROM (
             SELECT count(*) FILTER (is_shadow = 0) AS served, count(*) FILTER (is_shadow = 1) AS shadow, bit_xor(hash) AS hash
             FROM (SELECT 0 AS is_shadow, place, seq, idx, {hash} AS hash FROM {served}
                   UNION ALL SELECT 1, place, seq, idx, {hash} FROM {shadow})
             GROUP BY place, seq, idx
         ) WHERE served <> shadow OR hash <> 0",
        hash = part::row_hash_sql(),
        served = of_differing_hours("served"),
        shadow = of_differing_hours("shadow"),
    );
    let changes = connection
        .query_row(&sql, [], |row| Ok(RowChanges { changed: row.get(0)?, served_only: row.get(1)?, shadow_only: row.get(2)? }))?;
    Ok(changes)
}

/// The dimensions whose figures can differ: those whose own column does, or all when rows count for something else than before.
pub(super) fn changed_columns(connection: &Connection) -> Result<Vec<Dimension>, WriteError> {
    let (served, shadow) = (column_hashes(connection, "served")?, column_hashes(connection, "shadow")?);
    let is_counted_otherwise = served.first() != shadow.first();
    let dimensions = DIMENSIONS.into_iter().zip(served.iter().zip(&shadow));
    Ok(dimensions
        .filter(|(_, (served, shadow))| is_counted_otherwise || served != shadow)
        .map(|(dimension, _)| dimension)
        .collect())
}

/// A hash for each dimension of its value in all rows; for [`NONE`], which is the first, one of what rows count for.
fn column_hashes(connection: &Connection, side: &str) -> Result<Vec<u64>, duckdb::Error> {
    let hashes: Vec<String> = DIMENSIONS
        .iter()
        .map(|dimension| {
            let columns = if *dimension == NONE { COUNTED } else { dimension.of_row };
            part::hash_of_hashes_sql(&format!("hash(place, seq, idx, {columns})"))
        })
        .collect();
    let sql = format!("SELECT {} FROM {}", hashes.join(", "), of_differing_hours(side));
    connection.query_row(&sql, [], |row| (0..DIMENSIONS.len()).map(|index| row.get(index)).collect())
}

/// Rows of a side in the hours that differ.
fn of_differing_hours(side: &str) -> String {
    format!(
        "(SELECT * FROM {side} SEMI JOIN differing ON {side}.place = differing.place AND {side}.site_id = differing.site_id \
         AND {side}.{hour} = differing.hour)",
        hour = hour_sql()
    )
}
