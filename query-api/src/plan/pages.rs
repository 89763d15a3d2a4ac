//! Figures of pages: how far they are read, for how long, and how often they are the last.
//!
//! - `pings`, `goal_pings`, `depth_cells`, `time_cells`: engagement pings that the filters leave, and what they say;
//! - `exit_cells`: pageviews of each page, whatever page their visits ended on.

use super::predicate::{self, Subject};
use super::{Parameters, Scope, Sources, cells, goals, relations};
use crate::query::{Dimension, EdgeField, Filter, Leaf, Metric, Query, Range};
use std::collections::BTreeSet;
use std::fmt::Write;

/// Deepest point of a page, percent; what is above says that nothing is known.
const DEPTH_MAX: u8 = 100;

/// Writes the relations that the metrics need, each followed by a comma. After `matching_rows` and `visits`.
pub(super) fn write(sql: &mut String, scope: &Scope<'_>, sources: &Sources, parameters: &mut Parameters) {
    let asks = |metric| scope.query.metrics.contains(&metric);
    if asks(Metric::ScrollDepth) || asks(Metric::TimeOnPage) {
        write_pings(sql, scope, sources, parameters);
    }
    if asks(Metric::ScrollDepth) {
        write_depths(sql, scope, parameters);
    }
    if asks(Metric::TimeOnPage) {
        write_times(sql, scope, parameters);
    }
    if asks(Metric::ExitRate) {
        write_exits(sql, scope, sources, parameters);
    }
}

/// Joins what [`write`] wrote to the main relation.
pub(super) fn join(query: &Query, main: &str) -> String {
    let relation = |metric: &Metric| match metric {
        Metric::ScrollDepth => Some("depth_cells"),
        Metric::TimeOnPage => Some("time_cells"),
        Metric::ExitRate => Some("exit_cells"),
        _ => None,
    };
    let mut joins = String::new();
    for other in query.metrics.iter().filter_map(relation) {
        let keys: Vec<String> = (0..query.dimensions.len()).map(|index| format!("{other}.k{index} = {main}.k{index}")).collect();
        let condition = if keys.is_empty() { "true".to_owned() } else { keys.join(" AND ") };
        let _infallible = write!(joins, " LEFT JOIN {other} ON {condition}");
    }
    joins
}

/// The value of a metric, NULL where nothing is known.
pub(super) fn metric_sql(metric: Metric) -> String {
    let (value, kind) = match metric {
        Metric::ScrollDepth => ("depth_cells.depth", "BIGINT"),
        Metric::TimeOnPage => ("round(time_cells.engagement_ms / 1000.0 / nullif(time_cells.visits, 0))", "BIGINT"),
        _ => ("round(100.0 * visit_cells.visits / nullif(exit_cells.pageviews, 0), 1)", "DOUBLE"),
    };
    format!("CAST({value} AS {kind})")
}

fn write_pings(sql: &mut String, scope: &Scope<'_>, sources: &Sources, parameters: &mut Parameters) {
    let rows = rows(scope, sources, "engagement", &["engagement_ms", "scroll_depth"]);
    let condition = predicate::all(&scope.query.filters, Subject::Row, parameters);
    let visits = if scope.query.looks_at_edges() { " JOIN visits USING (visit_id)" } else { "" };
    let _infallible = writeln!(sql, "pings AS (SELECT rows.* FROM (\n{rows}\n) AS rows{visits} WHERE {condition}),");
    if scope.query.is_by_goal() {
        sql.push_str(&goals::by_goal(scope.query, "pings", "goal_pings", parameters));
    }
}

/// Of each visit the deepest point, of all visits the mean.
fn write_depths(sql: &mut String, scope: &Scope<'_>, parameters: &mut Parameters) {
    let pings = if scope.query.is_by_goal() { "goal_pings" } else { "pings" };
    let all = cells::all_keys(scope.query);
    let keys = cells::row_keys(scope, &all, parameters);
    let (names, group_by) = (cells::names(scope.query), cells::group_by(&all));
    let _infallible = writeln!(
        sql,
        "depth_cells AS (SELECT {names}round(avg(depth)) AS depth FROM (SELECT {keys}max(scroll_depth) AS depth FROM {pings} AS rows \
         WHERE scroll_depth <= {DEPTH_MAX} GROUP BY {names}visit_id){group_by}),"
    );
}

/// The engaged time, and the visits with an event or a ping.
fn write_times(sql: &mut String, scope: &Scope<'_>, parameters: &mut Parameters) {
    let (rows, pings) = if scope.query.is_by_goal() { ("goal_rows", "goal_pings") } else { ("matching_rows", "pings") };
    let all = cells::all_keys(scope.query);
    let keys = cells::row_keys(scope, &all, parameters);
    let (names, group_by) = (cells::names(scope.query), cells::group_by(&all));
    let _infallible = writeln!(
        sql,
        "time_cells AS (SELECT {names}sum(engagement_ms) AS engagement_ms, count(DISTINCT visit_id) AS visits FROM (\
         SELECT {keys}visit_id, 0 AS engagement_ms FROM {rows} AS rows \
         UNION ALL SELECT {keys}visit_id, coalesce(engagement_ms, 0) FROM {pings} AS rows){group_by}),"
    );
}

fn write_exits(sql: &mut String, scope: &Scope<'_>, sources: &Sources, parameters: &mut Parameters) {
    let rows = rows(scope, sources, "pageview", &["pathname", "hostname"]);
    let filters: Vec<Filter> = scope.query.filters.iter().map(of_page).collect();
    let condition = predicate::all(&filters, Subject::Row, parameters);
    let _infallible = writeln!(
        sql,
        "exit_cells AS (SELECT rows.pathname AS k0, count(*) AS pageviews FROM (\n{rows}\n) AS rows JOIN visits USING (visit_id) \
         WHERE {condition} GROUP BY k0),"
    );
}

/// The filter as it holds for a pageview, whose visit may end elsewhere.
fn of_page(filter: &Filter) -> Filter {
    let all = |children: &[Filter]| children.iter().map(of_page).collect();
    match filter {
        Filter::And(children) => Filter::And(all(children)),
        Filter::Or(children) => Filter::Or(all(children)),
        Filter::Not(child) => Filter::Not(Box::new(of_page(child))),
        Filter::Leaf(leaf) => {
            let dimension = match leaf.dimension {
                Dimension::Edge(EdgeField::ExitPage) => Dimension::Page,
                Dimension::Edge(EdgeField::ExitHostname) => Dimension::Hostname,
                ref other => other.clone(),
            };
            Filter::Leaf(Leaf { dimension, ..leaf.clone() })
        }
        Filter::Done(_) | Filter::Goals(_) => filter.clone(),
    }
}

/// Rows of one name in the range, with the columns that the query looks at and some more.
fn rows(scope: &Scope<'_>, sources: &Sources, name: &str, more: &[&'static str]) -> String {
    let mut columns: BTreeSet<&str> = relations::row_columns(scope.query);
    columns.extend(more);
    let columns = columns.into_iter().collect::<Vec<_>>().join(", ");
    let Range { start_ms, end_ms } = scope.range;
    let mut sql = format!("SELECT {columns} FROM nothing.events");
    for source in &sources.rows {
        let live = relations::live_rows(source, scope.site_id);
        let _infallible = write!(
            sql,
            "\nUNION ALL SELECT {columns} {live} AND event_ms >= {start_ms} AND event_ms < {end_ms} AND name = '{name}'"
        );
    }
    sql
}
