//! The SQL of figures: by site and value of a dimension, over the whole stretch or by hour, on both sides.
//!
//! Distinct visits and visitors are counted by grouping twice or three times: plain groupings are spilled, distinct aggregates are not.

use super::dimension::{Dimension, IS_EVENT, Metric};
use super::hours::hour_sql;
use crate::write::WriteError;
use duckdb::Connection;
use weir_rollup::ledger::HOUR_MS;
use weir_rollup::part;

/// Rows of one side whose visits are made at a time, about: DuckDB does not spill what the texts of a visit are gathered in.
const ROWS_AT_A_TIME: u64 = 1_000_000;

/// What a figure is of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Span {
    /// The whole stretch.
    Stretch,
    /// One UTC hour.
    Hour,
}

/// Makes the table `visits` of the sites that differ, with the value of a dimension and the hour of the first event, on both sides.
pub(super) fn create_visits(connection: &Connection, dimension: Dimension) -> Result<(), WriteError> {
    let Some(value) = dimension.of_visit else { return Ok(()) };
    connection.execute_batch(
        "CREATE OR REPLACE TEMP TABLE visits (in_served BOOLEAN, in_shadow BOOLEAN, site_id UINTEGER, hour BIGINT, value VARCHAR,
                                              visitor_id UBIGINT, is_bounce BOOLEAN)",
    )?;
    // Of the visits that began with the value of a dimension of events, only bounces are counted.
    let of_interest = if dimension.is_of_visit { "" } else { " AND interactive_events < 2" };
    for side in ["served", "shadow"] {
        let sql =
            format!("SELECT CAST(coalesce(sum(rows), 0) AS UBIGINT) FROM {side}_hours SEMI JOIN differing_sites USING (site_id)");
        let slices = connection.query_row(&sql, [], |row| row.get::<_, u64>(0))? / ROWS_AT_A_TIME + 1;
        for slice in 0..slices {
            let rows = format!(
                "(SELECT * FROM {side} SEMI JOIN differing_sites USING (site_id) WHERE bot = 0 AND visit_id % {slices} = {slice})"
            );
            connection.execute_batch(&format!(
                "INSERT INTO visits
                 SELECT '{side}' = 'served', '{side}' = 'shadow', site_id, first_ms // {HOUR_MS}, {value}, visitor_id,
                        interactive_events < 2
                 FROM ({}) WHERE first_ms IS NOT NULL{of_interest}",
                part::visits_sql(&rows)
            ))?;
        }
    }
    Ok(())
}

/// Each a `SELECT` of `site_id`, `hour` (NULL = the stretch), `value`, `metric`, `served` and `shadow`; together they have all figures of
/// the dimension, differing or not, except those by rows of hours that do not differ. They need the table `visits`.
pub(super) fn selects(dimension: Dimension, span: Span) -> Vec<String> {
    let hour = |hour: &str| if span == Span::Hour { hour.to_owned() } else { "NULL::BIGINT".to_owned() };
    let keys = format!("site_id, {} AS hour, {} AS value", hour(&hour_sql()), dimension.of_row);
    let rows = both_sides(span);
    let counted = |side: &str| if side == "served" { "NOT is_shadow" } else { "is_shadow" };
    let columns = format!("SELECT {keys}, is_shadow, bot, name, engagement_ms, revenue_micros FROM ({rows})");
    let mut selects = vec![figures(&columns, |metric, side| metric.of_rows(counted(side)))];
    if !dimension.is_of_visit {
        // A visit counts for each value that one of its events has.
        let members = format!(
            "SELECT {keys}, visitor_id, visit_id, bool_or(NOT is_shadow) AS in_served, bool_or(is_shadow) AS in_shadow, false AS is_bounce
             FROM ({rows}) WHERE {IS_EVENT} GROUP BY ALL"
        );
        selects.push(figures(&visitors(&members), |metric, side| metric.of_visitors(side).filter(|_| metric != Metric::Bounces)));
    }
    if dimension.of_visit.is_some() {
        let members = format!("SELECT * REPLACE ({} AS hour) FROM visits", hour("hour"));
        selects.push(figures(&visitors(&members), |metric, side| {
            metric.of_visitors(side).filter(|_| dimension.is_of_visit || metric == Metric::Bounces)
        }));
    }
    selects
}

/// Rows of both sides that can make a difference.
fn both_sides(span: Span) -> String {
    let side = |is_shadow: bool, side: &str| match span {
        Span::Stretch => format!("SELECT {is_shadow} AS is_shadow, * FROM {side} SEMI JOIN differing_sites USING (site_id)"),
        Span::Hour => format!(
            "SELECT {is_shadow} AS is_shadow, * FROM {side} SEMI JOIN differing_hours \
             ON {side}.site_id = differing_hours.site_id AND {side}.{} = differing_hours.hour",
            hour_sql()
        ),
    };
    format!("{} UNION ALL {}", side(false, "served"), side(true, "shadow"))
}

/// Visits, each once, by visitor.
fn visitors(members: &str) -> String {
    format!(
        "SELECT site_id, hour, value, visitor_id,
                count(*) FILTER (in_served) AS served_visits, count(*) FILTER (in_served AND is_bounce) AS served_bounces,
                count(*) FILTER (in_shadow) AS shadow_visits, count(*) FILTER (in_shadow AND is_bounce) AS shadow_bounces
         FROM ({members}) GROUP BY ALL"
    )
}

/// `SELECT` of the figures of a relation that has `site_id`, `hour` and `value`; `sql` gives the metric of a side.
fn figures(relation: &str, sql: impl Fn(Metric, &str) -> Option<String>) -> String {
    let (mut columns, mut figures) = (Vec::new(), Vec::new());
    for (index, metric) in Metric::ALL.into_iter().enumerate() {
        if let (Some(served), Some(shadow)) = (sql(metric, "served"), sql(metric, "shadow")) {
            columns.push(format!("{served} AS served{index}, {shadow} AS shadow{index}"));
            figures.push(format!("{{'metric': {index}::UTINYINT, 'served': served{index}, 'shadow': shadow{index}}}"));
        }
    }
    format!(
        "SELECT site_id, hour, value, figure.metric AS metric, figure.served AS served, figure.shadow AS shadow FROM (
             SELECT site_id, hour, value, unnest([{figures}]) AS figure
             FROM (SELECT site_id, hour, value, {columns} FROM ({relation}) GROUP BY site_id, hour, value)
         )",
        figures = figures.join(", "),
        columns = columns.join(", ")
    )
}
