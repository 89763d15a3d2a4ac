//! The figures of the sites that differ, by dimension and value: over the whole stretch, and by hour.

use super::dimension::{Dimension, Metric, NONE};
use super::figures::{self, Span};
use super::go_on;
use super::report::{Change, Total};
use crate::duck::Interrupt;
use crate::write::WriteError;
use duckdb::{Connection, Row};
use weir_rollup::ledger::HOUR_MS;

/// What differs: the first of each list, and how many there are.
pub(super) struct Lists {
    pub(super) values: Vec<Change>,
    pub(super) values_total: u64,
    pub(super) differences: Vec<HourChange>,
    pub(super) differences_total: u64,
}

/// A change in the hour that starts at a time, Unix milliseconds.
pub(super) struct HourChange {
    pub(super) dimension: Dimension,
    pub(super) metric: Metric,
    pub(super) hour_ms: i64,
    /// The same as RFC 3339.
    pub(super) hour: String,
    pub(super) change: Change,
}

/// The largest differences first; the rest makes the order total.
const LARGEST_FIRST: &str = "ORDER BY abs(shadow::HUGEINT - served) DESC, site_id, hour, dimension, value, metric LIMIT ?";

/// Every metric of each site that differs, over the whole stretch.
pub(super) fn totals(connection: &Connection) -> Result<Vec<Total>, WriteError> {
    figures::create_visits(connection, NONE)?;
    let selects = figures::selects(NONE, Span::Stretch).join(" UNION ALL ");
    let sql = format!("SELECT site_id, metric, served, shadow FROM ({selects}) ORDER BY site_id, metric");
    let mut statement = connection.prepare(&sql)?;
    let totals = statement.query_map([], |row| {
        let (metric, served, shadow) = (metric(row.get(1)?), row.get(2)?, row.get(3)?);
        Ok(Total {
            site_id: row.get(0)?,
            site: None,
            metric: metric.name(),
            served,
            shadow,
            difference: difference(served, shadow),
        })
    })?;
    Ok(totals.collect::<Result<_, _>>()?)
}

/// Figures that differ, of these dimensions.
pub(super) fn lists(
    connection: &Connection,
    interrupt: &Interrupt,
    dimensions: &[Dimension],
    limit: usize,
) -> Result<Lists, WriteError> {
    for (table, dimension) in [("cells", ""), ("top_values", "dimension UTINYINT, "), ("top_differences", "dimension UTINYINT, ")]
    {
        connection.execute_batch(&format!(
            "CREATE TEMP TABLE {table} (site_id UINTEGER, hour BIGINT, {dimension}value VARCHAR, metric UTINYINT, served BIGINT, shadow BIGINT)"
        ))?;
    }
    let (mut values_total, mut differences_total) = (0, 0);
    for (index, dimension) in dimensions.iter().enumerate() {
        go_on(interrupt)?;
        figures::create_visits(connection, *dimension)?;
        let keep = |span: Span, table: &str| {
            connection.execute_batch("DELETE FROM cells")?;
            // One after the other: each may need all of the memory.
            for select in figures::selects(*dimension, span) {
                connection.execute_batch(&format!("INSERT INTO cells SELECT * FROM ({select}) WHERE served <> shadow"))?;
            }
            let insert = format!(
                "INSERT INTO {table} SELECT site_id, hour, {index} AS dimension, value, metric, served, shadow FROM cells {LARGEST_FIRST}"
            );
            connection.execute(&insert, [limit])?;
            connection.query_row("SELECT count(*) FROM cells", [], |row| row.get::<_, u64>(0))
        };
        // Without a dimension, the figures of the stretch are the totals.
        if *dimension != NONE {
            values_total += keep(Span::Stretch, "top_values")?;
        }
        differences_total += keep(Span::Hour, "top_differences")?;
    }
    let values = top(connection, "top_values", dimensions, limit)?.into_iter().map(|found| found.change).collect();
    Ok(Lists { values, values_total, differences: top(connection, "top_differences", dimensions, limit)?, differences_total })
}

/// The first of all dimensions together.
fn top(connection: &Connection, table: &str, dimensions: &[Dimension], limit: usize) -> Result<Vec<HourChange>, WriteError> {
    let sql = format!(
        "SELECT site_id, metric, dimension, value, served, shadow, coalesce(hour * {HOUR_MS}, 0) AS hour_ms,
                strftime(make_timestamp(hour_ms * 1000), '%Y-%m-%dT%H:%M:%SZ')
         FROM {table} {LARGEST_FIRST}"
    );
    let mut statement = connection.prepare(&sql)?;
    let changes = statement.query_map([limit], |row: &Row<'_>| {
        let dimension = dimensions.get(row.get::<_, usize>(2)?).copied().unwrap_or(NONE);
        let (metric, served, shadow) = (metric(row.get(1)?), row.get(4)?, row.get(5)?);
        Ok(HourChange {
            dimension,
            metric,
            hour_ms: row.get(6)?,
            hour: row.get(7)?,
            change: Change {
                site_id: row.get(0)?,
                site: None,
                metric: metric.name(),
                dimension: dimension.name,
                value: row.get(3)?,
                served,
                shadow,
                difference: difference(served, shadow),
            },
        })
    })?;
    Ok(changes.collect::<Result<_, _>>()?)
}

fn metric(index: usize) -> Metric {
    Metric::ALL.get(index).copied().unwrap_or(Metric::Events)
}

fn difference(served: i64, shadow: i64) -> i64 {
    shadow.saturating_sub(served)
}
