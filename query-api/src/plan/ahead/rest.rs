//! Figures of the rest of a range, from rows and visits around it: what begins there, and at its start what is there already.

use super::core;
use super::cover::Cover;
use crate::plan::predicate::{self, Subject, value_sql};
use crate::plan::relations::live_rows;
use crate::plan::{Parameters, Scope, Sources, visits};
use crate::query::Range;
use std::collections::BTreeSet;
use std::fmt::Write;

/// Writes what the selects need, each followed by a comma, and returns a `SELECT` for each share, with the columns of those of rollups.
pub(super) fn write(
    sql: &mut String,
    scope: &Scope<'_>,
    sources: &Sources,
    cover: &Cover,
    figures: &[&str],
    parameters: &mut Parameters,
) -> Vec<String> {
    let mut selects = Vec::new();
    if !cover.rest.is_empty() {
        selects = if cover.asked.is_of_rows() {
            of_rows(sql, scope, sources, cover, figures, parameters)
        } else {
            of_visits(sql, scope, sources, cover, figures, parameters)
        };
    }
    if cover.asked.needs_everyone() {
        let mut everyone = core::everyone(scope, cover);
        if !cover.rest.is_empty() {
            everyone.push(format!(
                "SELECT count(*)::BIGINT AS visitors FROM (SELECT min(first_ms) AS first_ms, max(last_ms) AS last_ms FROM near_visits \
                 GROUP BY visitor_id) WHERE {}",
                counts_here(scope.range, cover)
            ));
        }
        let _infallible =
            writeln!(sql, "everyone AS (SELECT sum(visitors) AS visitors FROM (\n{}\n)),", everyone.join("\nUNION ALL "));
    }
    selects
}

/// What lasts from `first_ms` to `last_ms` is counted in the rest.
fn counts_here(range: Range, cover: &Cover) -> String {
    let of = |rest: &Range| {
        let Range { start_ms, end_ms } = rest;
        let bound = if *start_ms == range.start_ms { "last_ms" } else { "first_ms" };
        format!("({bound} >= {start_ms} AND first_ms < {end_ms})")
    };
    format!("({})", cover.rest.iter().map(of).collect::<Vec<_>>().join(" OR "))
}

fn within(column: &str, ranges: &[Range]) -> String {
    let of = |range: &Range| format!("({column} >= {} AND {column} < {})", range.start_ms, range.end_ms);
    format!("({})", ranges.iter().map(of).collect::<Vec<_>>().join(" OR "))
}

/// The key of results with its name and a comma.
fn key(scope: &Scope<'_>, subject: Subject, parameters: &mut Parameters) -> String {
    match scope.query.dimensions.first() {
        Some(dimension) => format!("{} AS k0, ", value_sql(dimension, subject, parameters)),
        None => String::new(),
    }
}

fn group_by(scope: &Scope<'_>) -> &'static str {
    if scope.query.dimensions.is_empty() { "" } else { " GROUP BY k0" }
}

fn name(scope: &Scope<'_>) -> &'static str {
    if scope.query.dimensions.is_empty() { "" } else { "k0, " }
}

/// A `SELECT` of some figures, 0 for the others.
fn select(scope: &Scope<'_>, figures: &[&str], known: &[(&str, &str)], from: &str) -> Option<String> {
    let value = |figure: &&str| known.iter().find(|(name, _)| name == figure).map(|(_, value)| *value);
    if figures.iter().all(|figure| value(figure).is_none()) {
        return None;
    }
    let columns: Vec<String> =
        figures.iter().map(|figure| format!("({})::BIGINT AS {figure}", value(figure).unwrap_or("0"))).collect();
    Some(format!("SELECT {}{} FROM {from}{}", name(scope), columns.join(", "), group_by(scope)))
}

fn of_visits(
    sql: &mut String,
    scope: &Scope<'_>,
    sources: &Sources,
    cover: &Cover,
    figures: &[&str],
    parameters: &mut Parameters,
) -> Vec<String> {
    visits::write_near(sql, scope, &sources.fragments, &cover.windows());
    let here = counts_here(scope.range, cover);
    let key_of_visit = key(scope, Subject::Visit, parameters);
    let of_visit = predicate::all(&scope.query.filters, Subject::Visit, parameters);
    let _infallible = writeln!(sql, "near_visits AS (SELECT {key_of_visit}* FROM visits WHERE {of_visit}),");
    let names = name(scope);
    let mut selects = vec![
        select(
            scope,
            figures,
            &[
                ("visits", "count(*)"),
                ("bounces", "count(*) FILTER (interactive_events < 2)"),
                ("duration_ms", "coalesce(sum(last_ms - first_ms), 0)"),
                ("views", "coalesce(sum(pageviews), 0)"),
            ],
            &format!("near_visits WHERE {here}"),
        ),
        select(
            scope,
            figures,
            &[("visitors", "count(*)")],
            &format!(
                "(SELECT {names}min(first_ms) AS first_ms, max(last_ms) AS last_ms FROM near_visits GROUP BY {names}visitor_id) WHERE {here}"
            ),
        ),
    ];
    if figures.contains(&"pageviews") || figures.contains(&"events") {
        // Rows know their own opening, but not the pages of their visit.
        let joins = if scope.query.looks_at_edges() { " JOIN visits USING (visit_id)" } else { "" };
        let of_row = predicate::all(&scope.query.filters, Subject::Row, parameters);
        let key_of_row = key(scope, Subject::Row, parameters);
        let rows = rows(scope, sources, &cover.rest);
        selects.push(select(
            scope,
            figures,
            &[("pageviews", "count(*) FILTER (name = 'pageview')"), ("events", "count(*)")],
            &format!("(SELECT {key_of_row}rows.name FROM (\n{rows}\n) AS rows{joins} WHERE {of_row})"),
        ));
    }
    selects.into_iter().flatten().collect()
}

fn of_rows(
    sql: &mut String,
    scope: &Scope<'_>,
    sources: &Sources,
    cover: &Cover,
    figures: &[&str],
    parameters: &mut Parameters,
) -> Vec<String> {
    let (here, names) = (counts_here(scope.range, cover), name(scope));
    let key = key(scope, Subject::Row, parameters);
    let condition = predicate::all(&scope.query.filters, Subject::Row, parameters);
    let rows = rows(scope, sources, &cover.windows());
    let _infallible = writeln!(
        sql,
        "near_rows AS (SELECT {key}rows.visitor_id, rows.visit_id, rows.event_ms, rows.name FROM (\n{rows}\n) AS rows WHERE {condition}),"
    );
    let lasting = |id: &str| {
        format!(
            "(SELECT {names}min(event_ms) AS first_ms, max(event_ms) AS last_ms FROM near_rows GROUP BY {names}{id}) WHERE {here}"
        )
    };
    let inside = within("event_ms", &cover.rest);
    let selects = [
        select(scope, figures, &[("visitors", "count(*)")], &lasting("visitor_id")),
        select(scope, figures, &[("visits", "count(*)")], &lasting("visit_id")),
        select(
            scope,
            figures,
            &[("pageviews", "count(*) FILTER (name = 'pageview')"), ("events", "count(*)")],
            &format!("near_rows WHERE {inside}"),
        ),
    ];
    selects.into_iter().flatten().collect()
}

/// Event rows in these ranges, with the columns that the query looks at.
fn rows(scope: &Scope<'_>, sources: &Sources, ranges: &[Range]) -> String {
    let columns: BTreeSet<&str> = crate::plan::relations::row_columns(scope.query);
    let columns = columns.into_iter().collect::<Vec<_>>().join(", ");
    let mut sql = format!("SELECT {columns} FROM nothing.events");
    let inside = within("event_ms", ranges);
    for source in &sources.rows {
        let live = live_rows(source, scope.site_id);
        let _infallible = write!(sql, "\nUNION ALL SELECT {columns} {live} AND {inside} AND name <> 'engagement'");
    }
    sql
}
