//! The relations a query starts from: rows in the range, whole visits that overlap it, and what the filters leave of both.

use super::predicate::{self, Subject};
use super::{Needs, Parameters, Scope, Source, Sources, conversion, goals, visits};
use crate::query::{Dimension, Filter, Query, Range};
use std::collections::BTreeSet;
use std::fmt::Write;

/// `FROM … WHERE …` for the rows of a site that are no bot's.
pub(super) fn live_rows(source: &Source, site_id: u32) -> String {
    match source {
        Source::Part { schema } => format!("FROM {schema}.events WHERE site_id = {site_id} AND bot = 0"),
        Source::Tail { table, after_seq, through_seq } => {
            format!("FROM {table} WHERE site_id = {site_id} AND bot = 0 AND seq > {after_seq} AND seq <= {through_seq}")
        }
        Source::Hiding { of, condition } => format!("{} AND NOT {condition}", live_rows(of, site_id)),
    }
}

/// The same for all rows of a site.
pub(super) fn all_rows(source: &Source, site_id: u32) -> String {
    match source {
        Source::Part { schema } => format!("FROM {schema}.events WHERE site_id = {site_id}"),
        Source::Tail { table, after_seq, through_seq } => {
            format!("FROM {table} WHERE site_id = {site_id} AND seq > {after_seq} AND seq <= {through_seq}")
        }
        Source::Hiding { of, condition } => format!("{} AND NOT {condition}", all_rows(of, site_id)),
    }
}

/// Writes the relations up to `matching_rows` and `matching_visits`, as far as they are needed, each followed by a comma.
pub(super) fn write(sql: &mut String, scope: &Scope<'_>, sources: &Sources, needs: Needs, parameters: &mut Parameters) {
    let by_rows = scope.query.filters_events();
    let looks_at_edges = scope.query.looks_at_edges();
    let uses_rows = needs.row_cells || by_rows || has_behaviour(scope.query);
    let uses_visits = needs.visit_cells || looks_at_edges;
    let (opening, rest): (Vec<_>, Vec<_>) = scope.query.filters.iter().partition(|filter| predicate::is_of_opening(filter));
    // Writing to a string cannot fail.
    if uses_rows {
        let opening = predicate::all(opening.iter().copied(), Subject::Row, parameters);
        let _infallible = write!(sql, "rows AS (SELECT * FROM (\n{}\n) AS rows WHERE {opening}),\n", rows(scope, &sources.rows));
    }
    if uses_visits {
        visits::write(sql, scope, &sources.fragments, &opening, parameters);
    }
    if needs.row_cells || by_rows {
        let visits = if looks_at_edges { " JOIN visits USING (visit_id)" } else { "" };
        let edges = if looks_at_edges {
            ", visits.entry_page, visits.entry_hostname, visits.exit_page, visits.exit_hostname"
        } else {
            ""
        };
        let all = predicate::all(rest.iter().copied(), Subject::Row, parameters);
        let pings = if goals::reads_pings(scope.query) {
            goals::without_idle_pings(goals::of_matching_rows(scope.query), parameters)
        } else {
            String::new()
        };
        let _infallible = writeln!(sql, "matching_rows AS (SELECT rows.*{edges} FROM rows{visits} WHERE {all}{pings}),");
        if scope.query.is_by_goal() {
            sql.push_str(&goals::by_goal(scope.query, "matching_rows", "goal_rows", parameters));
        }
        if scope.query.needs_everyone() {
            let everyone = rest.iter().copied().filter(|filter| !conversion::is_of_converts(filter));
            let all = predicate::all(everyone, Subject::Row, parameters);
            let pings = if goals::reads_pings(scope.query) { " AND rows.name <> 'engagement'" } else { "" };
            let _infallible = writeln!(sql, "total_rows AS (SELECT rows.*{edges} FROM rows{visits} WHERE {all}{pings}),");
        }
    }
    if needs.visit_cells {
        let condition = if by_rows {
            "visit_id IN (SELECT visit_id FROM matching_rows)".to_owned()
        } else {
            predicate::all(rest.iter().copied(), Subject::Visit, parameters)
        };
        let _infallible = writeln!(sql, "matching_visits AS (SELECT * FROM visits WHERE {condition}),");
    }
}

fn has_behaviour(query: &Query) -> bool {
    let mut found = false;
    query.each_filter(&mut |filter, _, _| found |= matches!(filter, Filter::Done(_)));
    found
}

fn rows(scope: &Scope<'_>, sources: &[Source]) -> String {
    let columns = row_columns(scope.query).into_iter().collect::<Vec<_>>().join(", ");
    let pings = if goals::reads_pings(scope.query) { "" } else { " AND name <> 'engagement'" };
    let Range { start_ms, end_ms } = scope.range;
    let select = |source: &Source| {
        let live = live_rows(source, scope.site_id);
        format!("SELECT {columns} {live} AND event_ms >= {start_ms} AND event_ms < {end_ms}{pings}")
    };
    let selects: Vec<String> = sources.iter().map(select).collect();
    if selects.is_empty() { format!("SELECT {columns} FROM nothing.events") } else { selects.join("\nUNION ALL ") }
}

/// The columns of events that a query looks at.
pub(super) fn row_columns(query: &Query) -> BTreeSet<&'static str> {
    let mut columns = BTreeSet::from(["visit_id", "visitor_id", "event_ms", "name"]);
    let mut add = |dimension: &Dimension| {
        columns.extend(match dimension {
            Dimension::Page => Some("pathname"),
            Dimension::Hostname => Some("hostname"),
            Dimension::Prop(_) => Some("props"),
            Dimension::Visit(field) => Some(field.column()),
            Dimension::Name | Dimension::Goal | Dimension::Edge(_) | Dimension::Time(_) => None,
        });
    };
    query.dimensions.iter().for_each(&mut add);
    let mut columns_of_goals = if query.is_by_goal() { goals::columns(&query.goals) } else { BTreeSet::new() };
    query.each_filter(&mut |filter, _, _| match filter {
        Filter::Leaf(leaf) => add(&leaf.dimension),
        Filter::Goals(reached) => columns_of_goals.extend(goals::columns(reached)),
        _ => {}
    });
    columns.extend(columns_of_goals);
    if query.metrics.iter().any(|metric| metric.is_of_revenue()) {
        columns.extend(["revenue_micros", "revenue_currency"]);
    }
    columns
}
