//! The figures: one cell for each combination of dimension values.

use super::predicate::{Subject, value_sql};
use super::{Needs, Parameters, Scope, conversion, goals, pages, revenue};
use crate::query::goals::is_scroll;
use crate::query::{Dimension, EdgeField, Metric, Query, Range};
use std::fmt::Write;

/// Writes `row_cells`, `visit_cells` and `cells`.
pub(super) fn write(sql: &mut String, scope: &Scope<'_>, needs: Needs, parameters: &mut Parameters) {
    if needs.row_cells {
        write_row_cells(sql, scope, needs, parameters);
        conversion::write_totals(sql, scope, parameters);
    }
    if needs.visit_cells {
        write_visit_cells(sql, scope, parameters);
    }
    write_cells(sql, scope.query, needs, parameters);
}

/// Dimension columns `k0`, `k1`, … and the `GROUP BY` over them.
fn keys(query: &Query, prefix: &str) -> String {
    (0..query.dimensions.len()).map(|index| format!("{prefix}k{index}")).collect::<Vec<_>>().join(", ")
}

/// The names of the dimension columns, each followed by a comma.
pub(super) fn names(query: &Query) -> String {
    (0..query.dimensions.len()).fold(String::new(), |names, index| format!("{names}k{index}, "))
}

/// `GROUP BY` over the dimension columns of these indices, nothing where there are none.
pub(super) fn group_by(indices: &[usize]) -> String {
    let keys: Vec<String> = indices.iter().map(|index| format!("k{index}")).collect();
    if keys.is_empty() { String::new() } else { format!(" GROUP BY {}", keys.join(", ")) }
}

/// The indices of all dimensions.
pub(super) fn all_keys(query: &Query) -> Vec<usize> {
    (0..query.dimensions.len()).collect()
}

/// The dimension columns of these indices for rows, each followed by a comma.
pub(super) fn row_keys(scope: &Scope<'_>, indices: &[usize], parameters: &mut Parameters) -> String {
    let mut columns = String::new();
    for (index, dimension) in scope.query.dimensions.iter().enumerate().filter(|(index, _)| indices.contains(index)) {
        let value = match dimension {
            Dimension::Time(_) => scope.calendar.ordinal_sql(scope.time_unit, "rows.event_ms"),
            Dimension::Edge(field) => format!("coalesce(rows.{}, '')", field.column()),
            Dimension::Goal => "rows.goal".to_owned(),
            other => value_sql(other, Subject::Row, parameters),
        };
        let _infallible = write!(columns, "{value} AS k{index}, ");
    }
    columns
}

fn write_row_cells(sql: &mut String, scope: &Scope<'_>, needs: Needs, parameters: &mut Parameters) {
    let keys = all_keys(scope.query);
    let columns = row_keys(scope, &keys, parameters);
    let revenue = revenue::columns(scope.query, parameters);
    let rows = if scope.query.is_by_goal() { "goal_rows" } else { "matching_rows" };
    let events = if goals::reads_pings(scope.query) { "count(*) FILTER (name <> 'engagement')" } else { "count(*)" };
    let group_by = group_by(&keys);
    // Each aggregate costs time to plan, used or not.
    let counts_people = needs.of_events || !needs.visit_cells;
    let counts_visits = counts_people && scope.query.metrics.contains(&Metric::Visits);
    let pageviews = "count(*) FILTER (name = 'pageview') AS pageviews";
    let _infallible = if counts_people && !counts_visits && !keys.is_empty() && revenue.is_empty() {
        // One row a visitor first: half the time of a distinct count in each group.
        let names = names(scope.query);
        writeln!(
            sql,
            "row_cells AS (SELECT {names}count(*) AS visitors, sum(pageviews) AS pageviews, sum(events) AS events FROM (\
             SELECT {columns}{pageviews}, {events} AS events FROM {rows} AS rows{group_by}, visitor_id){group_by}),"
        )
    } else {
        let visitors = if counts_people { "count(DISTINCT visitor_id) AS visitors, " } else { "" };
        let visits = if counts_visits { "count(DISTINCT visit_id) AS visits, " } else { "" };
        writeln!(
            sql,
            "row_cells AS (SELECT {columns}{revenue}{visitors}{visits}{pageviews}, {events} AS events FROM {rows} AS rows{group_by}),"
        )
    };
}

fn write_visit_cells(sql: &mut String, scope: &Scope<'_>, parameters: &mut Parameters) {
    let query = scope.query;
    let mut columns = String::new();
    let mut from = "matching_visits AS visits".to_owned();
    for (index, dimension) in query.dimensions.iter().enumerate() {
        let value = match dimension {
            Dimension::Time(_) => {
                // A visit counts in every bucket from its first to its last event.
                let Range { start_ms, end_ms } = scope.range;
                let span = scope.calendar.span_sql(scope.time_unit, "from_ms", "to_ms");
                from = format!(
                    "(SELECT *, unnest({span}) AS bucket FROM (SELECT *, greatest(first_ms, {start_ms}) AS from_ms, \
                     least(last_ms, {}) AS to_ms FROM matching_visits)) AS visits",
                    end_ms - 1
                );
                "visits.bucket".to_owned()
            }
            // For a figure of visits, the page of a visit is the one it began with.
            Dimension::Page => value_sql(&Dimension::Edge(EdgeField::EntryPage), Subject::Visit, parameters),
            Dimension::Hostname => value_sql(&Dimension::Edge(EdgeField::EntryHostname), Subject::Visit, parameters),
            other => value_sql(other, Subject::Visit, parameters),
        };
        let _infallible = write!(columns, "{value} AS k{index}, ");
    }
    let asks = |metric| query.metrics.contains(&metric);
    let figures = [
        (true, "count(*) AS visits"),
        (!query.metrics.iter().all(|metric| counts_no_people(*metric)), "count(DISTINCT visitor_id) AS visitors"),
        (asks(Metric::ViewsPerVisit), "coalesce(sum(pageviews), 0) AS pageviews"),
        (asks(Metric::BounceRate), "count(*) FILTER (interactive_events < 2) AS bounces"),
        (asks(Metric::VisitDuration), "coalesce(sum(last_ms - first_ms), 0) AS duration_ms"),
    ];
    let figures: Vec<&str> = figures.iter().filter(|(is_needed, _)| *is_needed).map(|(_, figure)| *figure).collect();
    let _infallible =
        writeln!(sql, "visit_cells AS (SELECT {columns}{} FROM {from}{}),", figures.join(", "), group_by(&all_keys(query)));
}

/// Needs no distinct visitors of visits.
fn counts_no_people(metric: Metric) -> bool {
    metric.is_of_visits() || matches!(metric, Metric::Visits | Metric::Pageviews | Metric::Events)
}

fn write_cells(sql: &mut String, query: &Query, needs: Needs, parameters: &mut Parameters) {
    let main = if needs.of_events || !needs.visit_cells { "row_cells" } else { "visit_cells" };
    let mut columns: Vec<String> = Vec::new();
    for (index, dimension) in query.dimensions.iter().enumerate() {
        columns.push(if dimension.is_time() {
            format!("{main}.k{index} AS d{index}")
        } else if *dimension == Dimension::Goal {
            let names: Vec<String> = query.goals.iter().map(|goal| parameters.bind(&goal.display_name)).collect();
            format!("{} AS d{index}", goals::by_index(&format!("{main}.k{index}"), &names))
        } else {
            format!("CASE WHEN {main}.k{index} = '' THEN '{}' ELSE {main}.k{index} END AS d{index}", dimension.empty_label())
        });
    }
    for (index, metric) in query.metrics.iter().enumerate() {
        columns.push(format!("{} AS m{index}", metric_sql(*metric, main, query, parameters)));
    }
    let _infallible = write!(sql, "cells AS (SELECT {} FROM {main}", columns.join(", "));
    if needs.row_cells && needs.visit_cells {
        let other = if main == "row_cells" { "visit_cells" } else { "row_cells" };
        let _infallible = if query.dimensions.is_empty() {
            write!(sql, " CROSS JOIN {other}")
        } else {
            write!(sql, " LEFT JOIN {other} USING ({})", keys(query, ""))
        };
    }
    sql.push_str(&conversion::join(query, main));
    sql.push_str(&pages::join(query, main));
    sql.push(')');
}

/// The value of a metric; nothing counted is 0.
fn metric_sql(metric: Metric, main: &str, query: &Query, parameters: &mut Parameters) -> String {
    let rate = |expression: &str, kind: &str| format!("CAST(coalesce({expression}, 0) AS {kind})");
    match metric {
        Metric::Visitors => rate(&format!("{main}.visitors"), "BIGINT"),
        Metric::Visits => rate(&format!("{main}.visits"), "BIGINT"),
        Metric::Pageviews => rate("row_cells.pageviews", "BIGINT"),
        Metric::Events => events_sql(query),
        Metric::BounceRate => rate("round(100.0 * visit_cells.bounces / nullif(visit_cells.visits, 0))", "BIGINT"),
        Metric::VisitDuration => rate("round(visit_cells.duration_ms / 1000.0 / nullif(visit_cells.visits, 0))", "BIGINT"),
        Metric::ViewsPerVisit => rate("round(visit_cells.pageviews / nullif(visit_cells.visits, 0), 2)", "DOUBLE"),
        Metric::Percentage => {
            let all = if main == "row_cells" { "matching_rows" } else { "matching_visits" };
            rate(&format!("round(100.0 * {main}.visitors / (SELECT count(DISTINCT visitor_id) FROM {all}), 1)"), "DOUBLE")
        }
        Metric::ConversionRate | Metric::GroupConversionRate => rate(&conversion::rate_sql(metric, main), "DOUBLE"),
        Metric::ScrollDepth | Metric::TimeOnPage | Metric::ExitRate => pages::metric_sql(metric),
        Metric::TotalRevenue | Metric::AverageRevenue => revenue::metric_sql(metric, query, parameters),
    }
}

/// The number of events; what is read is no event, so that results of scroll goals have none.
fn events_sql(query: &Query) -> String {
    let events = "CAST(coalesce(row_cells.events, 0) AS BIGINT)";
    match query.dimensions.iter().position(|dimension| *dimension == Dimension::Goal) {
        Some(index) => {
            let is_scroll: Vec<String> = query.goals.iter().map(|goal| is_scroll(goal).to_string()).collect();
            let is_scroll = goals::by_index(&format!("row_cells.k{index}"), &is_scroll);
            format!("CASE WHEN {is_scroll} THEN NULL ELSE {events} END")
        }
        None if query.filters_goals() && query.goals.iter().any(is_scroll) => "NULL::BIGINT".to_owned(),
        None => events.to_owned(),
    }
}
