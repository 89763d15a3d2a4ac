//! Whole visits, from the fragments of parts and the rows of the live end, with the columns that a query looks at and no others: each
//! further column costs time to plan and time to run.

use super::predicate::{self, Subject};
use super::relations::live_rows;
use super::{Parameters, Scope, Source, VISIT_REACH_MS};
use crate::query::{Dimension, EdgeField, Filter, Metric, Query, Range};
use std::collections::BTreeSet;
use std::fmt::Write;
use weir_rollup::rollup::{ENTRY_ORDER, EXIT_ORDER};

/// What of visits a query looks at.
struct Columns {
    pageviews: bool,
    interactive_events: bool,
    /// Pages and hosts where visits began or ended.
    edges: BTreeSet<&'static str>,
    /// Opening attributes.
    opening: BTreeSet<&'static str>,
}

/// Writes `visits`: each once, if it overlaps the range, with `visit_id`, `visitor_id`, `first_ms`, `last_ms` and what the query looks at; a
/// comma follows. `opening` are the filters that all fragments of a visit answer alike.
pub(super) fn write(sql: &mut String, scope: &Scope<'_>, sources: &[Source], opening: &[&Filter], parameters: &mut Parameters) {
    let columns = Columns::new(scope.query);
    let condition = predicate::all(opening.iter().copied(), Subject::Visit, parameters);
    let condition = if opening.is_empty() { String::new() } else { format!(" WHERE {condition}") };
    let Range { start_ms, end_ms } = scope.range;
    let _infallible = writeln!(
        sql,
        "visits AS (SELECT visit_id, min(visitor_id) AS visitor_id, min(first_ms) AS first_ms, max(last_ms) AS last_ms{} FROM (\n{}\n) AS visits{condition} \
         GROUP BY visit_id HAVING min(first_ms) < {end_ms} AND max(last_ms) >= {start_ms}),",
        columns.merged(),
        columns.fragments(scope, sources, &[reach(scope.range)]),
    );
}

/// Writes `visits` as [`write`] does, but those with a fragment in one of these windows, whatever the range; those that the windows do not hold
/// whole are incomplete.
pub(super) fn write_near(sql: &mut String, scope: &Scope<'_>, sources: &[Source], windows: &[Range]) {
    let columns = Columns::new(scope.query);
    let _infallible = writeln!(
        sql,
        "visits AS (SELECT visit_id, min(visitor_id) AS visitor_id, min(first_ms) AS first_ms, max(last_ms) AS last_ms{} FROM (\n{}\n) \
         GROUP BY visit_id),",
        columns.merged(),
        columns.fragments(scope, sources, windows),
    );
}

/// The fragments of all visits that overlap a range lie in this.
fn reach(range: Range) -> Range {
    Range { start_ms: range.start_ms - VISIT_REACH_MS, end_ms: range.end_ms + VISIT_REACH_MS }
}

impl Columns {
    fn new(query: &Query) -> Self {
        let asks = |metric| query.metrics.contains(&metric);
        let (mut edges, mut opening) = (BTreeSet::new(), BTreeSet::new());
        let needs_bounces = asks(Metric::BounceRate);
        let mut add = |dimension: &Dimension| match dimension {
            Dimension::Visit(field) => drop(opening.insert(field.column())),
            Dimension::Edge(field) => drop(edges.insert(field.column())),
            // For figures of visits, the page of a visit is the one it began with.
            Dimension::Page => drop(edges.insert(EdgeField::EntryPage.column())),
            Dimension::Hostname => drop(edges.insert(EdgeField::EntryHostname.column())),
            _ => {}
        };
        query.dimensions.iter().for_each(&mut add);
        query.each_filter(&mut |filter, _, _| {
            if let Filter::Leaf(leaf) = filter {
                add(&leaf.dimension);
            }
        });
        if query.looks_at_edges() {
            // Rows take all four of their visit.
            let all = [EdgeField::EntryPage, EdgeField::EntryHostname, EdgeField::ExitPage, EdgeField::ExitHostname];
            edges.extend(all.map(EdgeField::column));
        }
        Self { pageviews: asks(Metric::ViewsPerVisit), interactive_events: needs_bounces, edges, opening }
    }

    /// The columns of a whole visit, each after a comma.
    fn merged(&self) -> String {
        let mut sql = String::new();
        for (is_needed, column) in [(self.pageviews, "pageviews"), (self.interactive_events, "interactive_events")] {
            if is_needed {
                let _infallible = write!(sql, ", sum({column}) AS {column}");
            }
        }
        for column in &self.edges {
            let (function, order) = if column.starts_with("entry") { ("arg_min", ENTRY_ORDER) } else { ("arg_max", EXIT_ORDER) };
            let _infallible = write!(sql, ", {function}({column}, {order}) AS {column}");
        }
        for column in &self.opening {
            let _infallible = write!(sql, ", min({column}) AS {column}");
        }
        sql
    }

    fn fragments(&self, scope: &Scope<'_>, sources: &[Source], windows: &[Range]) -> String {
        let any = |last: &str, first: &str| {
            let one = |Range { start_ms, end_ms }: &Range| format!("{last} >= {start_ms} AND {first} < {end_ms}");
            if let [window] = windows {
                one(window)
            } else {
                format!("({})", windows.iter().map(one).collect::<Vec<_>>().join(" OR "))
            }
        };
        let (of_fragment, of_event) = (any("last_ms", "first_ms"), any("event_ms", "event_ms"));
        let site_id = scope.site_id;
        let (of_part, of_row) = (self.of_part(), self.of_row());
        let select = |source: &Source| match source {
            Source::Part { schema } => {
                format!("SELECT {of_part} FROM {schema}.visits WHERE site_id = {site_id} AND bot = 0 AND {of_fragment}")
            }
            Source::Tail { .. } | Source::Hiding { .. } => {
                let live = live_rows(source, site_id);
                format!("SELECT {of_row} {live} AND {of_event} AND name <> 'engagement'")
            }
        };
        let selects: Vec<String> = sources.iter().map(select).collect();
        if selects.is_empty() { format!("SELECT {of_part} FROM nothing.visits") } else { selects.join("\nUNION ALL ") }
    }

    /// The columns of a fragment, and the same of an event row, which is a fragment of one event.
    fn pairs(&self) -> Vec<(&'static str, &'static str)> {
        let mut pairs =
            vec![("visit_id", "visit_id"), ("visitor_id", "visitor_id"), ("first_ms", "event_ms"), ("last_ms", "event_ms")];
        if self.pageviews {
            pairs.push(("pageviews", "CAST(name = 'pageview' AS UBIGINT)"));
        }
        if self.interactive_events {
            pairs.push(("interactive_events", "CAST(interactive AS UBIGINT)"));
        }
        for (begin, [ms, seq, idx]) in
            [("entry", ["entry_ms", "entry_seq", "entry_idx"]), ("exit", ["exit_ms", "exit_seq", "exit_idx"])]
        {
            if self.edges.iter().any(|column| column.starts_with(begin)) {
                pairs.extend([(ms, "CASE WHEN name = 'pageview' THEN event_ms END"), (seq, "seq"), (idx, "idx")]);
            }
        }
        pairs.extend(
            self.edges.iter().map(|column| (*column, if column.ends_with("hostname") { "hostname" } else { "pathname" })),
        );
        pairs.extend(self.opening.iter().map(|column| (*column, *column)));
        pairs
    }

    fn of_part(&self) -> String {
        self.pairs().iter().map(|(column, _)| *column).collect::<Vec<_>>().join(", ")
    }

    fn of_row(&self) -> String {
        self.pairs().iter().map(|(column, value)| format!("{value} AS {column}")).collect::<Vec<_>>().join(", ")
    }
}
