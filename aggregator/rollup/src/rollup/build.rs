//! The SQL that makes a rollup from event rows and visit fragments, or from rollups of neighbouring spans.
//!
//! It runs in a connection whose default database is the new file, with the tables of [`super::SCHEMA`]. Temporary tables:
//! `paying` (sites with enough events), `people` (their visitors in the span), `whole` (all visits of those), `seen` (their events),
//! `visit_days` (the visits by the days that they touch), `one` (figures of one dimension), `found` (those that are kept).

use super::{ALL, DAY_MS, ENTRY_ORDER, EXIT_ORDER, LASTING, QUARTER_MS, QUARTERS, ROW_DIMENSIONS, SORT_ORDER, VISIT_DIMENSIONS};
use crate::manifest::ROLLUP_REACH_MS;
use std::fmt::Write;

/// When figures are made ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pays {
    /// A site needs so many events a day on average.
    pub site_events: u64,
    /// A dimension of it needs so many events for each row of figures.
    pub row_events: u64,
}

impl Default for Pays {
    fn default() -> Self {
        Self { site_events: 100, row_events: 2 }
    }
}

/// The statements that fill a rollup of `[start_ms, end_ms)`, both midnights (UTC).
///
/// `events` and `visits` are put after `FROM`: relations with the columns of a part's tables and all rows within two days of the span.
pub fn build_sql(events: &str, visits: &str, start_ms: i64, end_ms: i64, pays: Pays) -> Vec<String> {
    let span = Span { start_ms, end_ms };
    let mut statements = vec![paying(events, &span, pays)];
    statements.extend(people(visits, &span));
    statements.push(whole(visits, &span));
    statements.push(seen(events, &span));
    statements.push(visit_days());
    statements.push("CREATE TEMP TABLE found AS FROM days LIMIT 0".to_owned());
    statements.push(quarters(&span));
    statements.extend(keep(QUARTERS, &span, pays));
    statements.push(days_of_visits("''", &span));
    statements.extend(keep(ALL, &span, pays));
    for dimension in VISIT_DIMENSIONS {
        statements.push(days_of_visits(dimension, &span));
        statements.extend(keep(dimension, &span, pays));
    }
    for dimension in ROW_DIMENSIONS {
        statements.push(days_of_rows(dimension, &span));
        statements.extend(keep(dimension, &span, pays));
    }
    statements.push(format!("INSERT INTO days SELECT * FROM found ORDER BY {SORT_ORDER}"));
    statements.push(months(start_ms));
    statements.push("INSERT INTO covered SELECT * FROM kept ORDER BY ALL".to_owned());
    // What follows in the same connection begins anew.
    statements.extend(
        ["paying", "people", "whole", "seen", "visit_days", "one", "found", "kept"].map(|table| format!("DROP TABLE {table}")),
    );
    statements
}

/// The statements that fill a rollup with what others have, which together cover a span that begins at `start_ms`. `databases` are the names
/// under which those are attached.
pub fn merge_sql(databases: &[String], start_ms: i64) -> Vec<String> {
    let union = |table: &str| {
        let selects: Vec<String> = databases.iter().map(|database| format!("SELECT * FROM {database}.{table}")).collect();
        selects.join(" UNION ALL ")
    };
    vec![
        format!("INSERT INTO quarters SELECT * FROM ({}) ORDER BY site_id, start_ms", union("quarters")),
        format!("INSERT INTO days SELECT * FROM ({}) ORDER BY {SORT_ORDER}", union("days")),
        months(start_ms),
        // Days that follow on each other become one row.
        format!(
            "INSERT INTO covered SELECT site_id, dimension, min(start_ms), max(end_ms) FROM (\
             SELECT *, sum(CAST(is_first AS INTEGER)) OVER (PARTITION BY site_id, dimension ORDER BY start_ms) AS stretch FROM (\
             SELECT *, coalesce(lag(end_ms) OVER (PARTITION BY site_id, dimension ORDER BY start_ms) <> start_ms, true) AS is_first \
             FROM ({}))) GROUP BY site_id, dimension, stretch ORDER BY ALL",
            union("covered")
        ),
    ]
}

struct Span {
    start_ms: i64,
    end_ms: i64,
}

impl Span {
    /// Whether a grain's number lies in the span.
    fn holds(&self, grain: &str, grain_ms: i64) -> String {
        format!("{grain} >= {} AND {grain} < {}", self.start_ms / grain_ms, self.end_ms / grain_ms)
    }
}

fn paying(events: &str, span: &Span, pays: Pays) -> String {
    let Span { start_ms, end_ms } = span;
    let least = pays.site_events.saturating_mul(((end_ms - start_ms) / DAY_MS).unsigned_abs());
    format!(
        "CREATE TEMP TABLE paying AS SELECT site_id, count(*) AS events FROM {events} \
         WHERE event_ms >= {start_ms} AND event_ms < {end_ms} AND bot = 0 AND name <> 'engagement' GROUP BY site_id HAVING count(*) >= {least}"
    )
}

/// A fragment that lies near the span, of a site that pays.
fn near(span: &Span) -> String {
    let (from, to) = (span.start_ms - ROLLUP_REACH_MS, span.end_ms + ROLLUP_REACH_MS);
    format!("bot = 0 AND last_ms >= {from} AND first_ms < {to} AND site_id IN (SELECT site_id FROM paying)")
}

/// Visitors in the span; sites with one whose visits do not keep to days are taken out.
fn people(visits: &str, span: &Span) -> Vec<String> {
    let Span { start_ms, end_ms } = span;
    vec![
        format!(
            "CREATE TEMP TABLE people AS SELECT site_id, visitor_id, min(first_ms) AS first_ms, max(last_ms) AS last_ms, \
             max(first_ms) AS begun_ms FROM (\
             SELECT site_id, min(visitor_id) AS visitor_id, min(first_ms) AS first_ms, max(last_ms) AS last_ms FROM {visits} \
             WHERE {} GROUP BY site_id, visit_id) GROUP BY site_id, visitor_id \
             HAVING max(last_ms) >= {} AND min(first_ms) < {}",
            near(span),
            start_ms - DAY_MS,
            end_ms + DAY_MS,
        ),
        format!(
            "DELETE FROM paying WHERE site_id IN (SELECT site_id FROM people \
             WHERE begun_ms // {DAY_MS} <> first_ms // {DAY_MS} OR last_ms // {DAY_MS} > first_ms // {DAY_MS} + 1)"
        ),
        format!(
            "DELETE FROM people WHERE last_ms < {start_ms} OR first_ms >= {end_ms} OR site_id NOT IN (SELECT site_id FROM paying)"
        ),
    ]
}

/// All visits of these visitors.
fn whole(visits: &str, span: &Span) -> String {
    let mut columns = String::new();
    for dimension in VISIT_DIMENSIONS {
        let value = match dimension {
            "entry_page" => format!("coalesce(arg_min(entry_page, {ENTRY_ORDER}), '')"),
            "exit_page" => format!("coalesce(arg_max(exit_page, {EXIT_ORDER}), '')"),
            opening => format!("min({opening})"),
        };
        // Writing to a string cannot fail.
        let _infallible = write!(columns, ", {value} AS {dimension}");
    }
    format!(
        "CREATE TEMP TABLE whole AS SELECT site_id, visit_id, min(visitor_id) AS visitor_id, min(first_ms) AS first_ms, \
         max(last_ms) AS last_ms, sum(pageviews) AS views, CAST(sum(interactive_events) < 2 AS UTINYINT) AS bounces{columns} \
         FROM {visits} AS near SEMI JOIN people USING (site_id, visitor_id) WHERE {} GROUP BY site_id, visit_id",
        near(span)
    )
}

fn seen(events: &str, span: &Span) -> String {
    format!(
        "CREATE TEMP TABLE seen AS SELECT site_id, visitor_id, visit_id, event_ms, pathname, hostname, name \
         FROM {events} AS near SEMI JOIN people USING (site_id, visitor_id) \
         WHERE bot = 0 AND name <> 'engagement' AND event_ms >= {} AND event_ms < {}",
        span.start_ms - DAY_MS,
        span.end_ms + DAY_MS
    )
}

fn visit_days() -> String {
    format!(
        "CREATE TEMP TABLE visit_days AS SELECT days.*, coalesce(counts.pageviews, 0) AS pageviews, coalesce(counts.events, 0) AS events \
         FROM (SELECT *, unnest(range(first_ms // {DAY_MS}, last_ms // {DAY_MS} + 1)) AS grain FROM whole) AS days LEFT JOIN (\
         SELECT site_id, visit_id, event_ms // {DAY_MS} AS grain, count(*) FILTER (name = 'pageview') AS pageviews, count(*) AS events \
         FROM seen GROUP BY ALL) AS counts USING (site_id, visit_id, grain)"
    )
}

/// `one` for the whole site by quarters.
fn quarters(span: &Span) -> String {
    let inside = span.holds("grain", QUARTER_MS);
    let grains = format!("unnest(range(first_ms // {QUARTER_MS}, last_ms // {QUARTER_MS} + 1)) AS grain");
    let visits = format!(
        "SELECT site_id, '' AS value, grain, {} FROM (SELECT *, {grains}, first_ms // {QUARTER_MS} AS begun FROM whole) \
         WHERE {inside} GROUP BY site_id, grain",
        of_visits("0", "0")
    );
    let people = format!(
        "SELECT site_id, '' AS value, grain, {} FROM (SELECT *, {grains}, first_ms // {QUARTER_MS} AS begun FROM people) \
         WHERE {inside} GROUP BY site_id, grain",
        of("visitors", "0", "0")
    );
    let rows = format!(
        "SELECT site_id, '' AS value, event_ms // {QUARTER_MS} AS grain, {} FROM seen WHERE {} GROUP BY site_id, grain",
        of("", "count(*) FILTER (name = 'pageview')", "count(*)"),
        span.holds(&format!("(event_ms // {QUARTER_MS})"), QUARTER_MS)
    );
    one(&[visits, people, rows], QUARTER_MS)
}

/// `one` for a dimension of visits, by days.
fn days_of_visits(value: &str, span: &Span) -> String {
    let inside = span.holds("grain", DAY_MS);
    let visits = format!(
        "SELECT site_id, {value} AS value, grain, {} FROM (SELECT *, first_ms // {DAY_MS} AS begun FROM visit_days) \
         WHERE {inside} GROUP BY site_id, value, grain",
        of_visits("sum(pageviews)", "sum(events)")
    );
    one(&[visits, lasting("visitors", "visitor_id", value, "visit_days", "grain", &inside)], DAY_MS)
}

/// `one` for a dimension of events, by days.
fn days_of_rows(value: &str, span: &Span) -> String {
    let inside = span.holds("grain", DAY_MS);
    let day = format!("event_ms // {DAY_MS}");
    let rows = format!(
        "SELECT site_id, {value} AS value, {day} AS grain, {} FROM seen WHERE {} GROUP BY site_id, value, grain",
        of("", "count(*) FILTER (name = 'pageview')", "count(*)"),
        span.holds(&format!("({day})"), DAY_MS)
    );
    let visitors = lasting("visitors", "visitor_id", value, "seen", &day, &inside);
    let visits = lasting("visits", "visit_id", value, "seen", &day, &inside);
    one(&[rows, visitors, visits], DAY_MS)
}

/// Counts of what has an id: from the first to the last grain in which it has a row with the value.
fn lasting(figure: &str, id: &str, value: &str, relation: &str, grain: &str, inside: &str) -> String {
    format!(
        "SELECT site_id, value, grain, {} FROM (SELECT *, unnest(range(begun, ended + 1)) AS grain FROM (\
         SELECT site_id, {value} AS value, {id}, min({grain}) AS begun, max({grain}) AS ended FROM {relation} GROUP BY site_id, value, {id})) \
         WHERE {inside} GROUP BY site_id, value, grain",
        of(figure, "0", "0")
    )
}

/// Columns of one figure that lasts, 0 for the others.
fn of(figure: &str, pageviews: &str, events: &str) -> String {
    let columns = LASTING.map(|name| {
        if name == figure {
            format!("count(*) FILTER (grain = begun) AS {name}_new, count(*) FILTER (grain > begun) AS {name}_carried, ")
        } else {
            format!("0 AS {name}_new, 0 AS {name}_carried, ")
        }
    });
    format!("{}{pageviews} AS pageviews, {events} AS events", columns.concat())
}

/// Columns of all figures of visits.
fn of_visits(pageviews: &str, events: &str) -> String {
    let column = |name: &str| {
        let (count, sum) = match name {
            "visitors" => return format!("0 AS {name}_new, 0 AS {name}_carried, "),
            "visits" => ("count(*)", String::new()),
            "bounces" => ("", "sum(bounces)".to_owned()),
            "duration_ms" => ("", "sum(last_ms - first_ms)".to_owned()),
            _ => ("", format!("sum({name})")),
        };
        format!(
            "coalesce({count}{sum} FILTER (grain = begun), 0) AS {name}_new, coalesce({count}{sum} FILTER (grain > begun), 0) AS {name}_carried, "
        )
    };
    format!("{}{pageviews} AS pageviews, {events} AS events", LASTING.map(column).concat())
}

/// Adds relations of the same columns up.
fn one(relations: &[String], grain_ms: i64) -> String {
    let sums = figures().map(|figure| format!("sum({figure}) AS {figure}")).collect::<Vec<_>>().join(", ");
    format!(
        "CREATE OR REPLACE TEMP TABLE one AS SELECT site_id, value, grain * {grain_ms} AS start_ms, {sums} FROM ({}) GROUP BY site_id, value, grain",
        relations.join(" UNION ALL ")
    )
}

/// All columns of figures, in their order.
fn figures() -> impl Iterator<Item = String> {
    let lasting = LASTING.into_iter().flat_map(|name| [format!("{name}_new"), format!("{name}_carried")]);
    lasting.chain(["pageviews".to_owned(), "events".to_owned()])
}

/// Keeps of `one` the sites for which it pays.
fn keep(dimension: &str, span: &Span, pays: Pays) -> Vec<String> {
    let Span { start_ms, end_ms } = span;
    let create = if dimension == QUARTERS { "CREATE TEMP TABLE kept AS" } else { "INSERT INTO kept" };
    let covered = format!(
        "{create} SELECT site_id, '{dimension}' AS dimension, {start_ms}::BIGINT AS start_ms, {end_ms}::BIGINT AS end_ms FROM (\
         SELECT site_id, count(*) AS rows FROM one GROUP BY site_id) JOIN paying USING (site_id) WHERE rows * {} <= events",
        pays.row_events
    );
    let figures = figures().collect::<Vec<_>>().join(", ");
    let of_kept = format!("site_id IN (SELECT site_id FROM kept WHERE dimension = '{dimension}')");
    let rows = if dimension == QUARTERS {
        format!("INSERT INTO quarters SELECT site_id, start_ms, {figures} FROM one WHERE {of_kept} ORDER BY site_id, start_ms")
    } else {
        format!("INSERT INTO found SELECT site_id, '{dimension}', value, start_ms, {figures} FROM one WHERE {of_kept}")
    };
    vec![covered, rows]
}

/// `months` from `days` of a span that begins at `start_ms`.
fn months(start_ms: i64) -> String {
    let sums = figures().map(|figure| {
        let carried = figure.ends_with("_carried");
        let filter = if carried { " FILTER (WHERE start_ms = piece)" } else { "" };
        format!("coalesce(sum({figure}){filter}, 0)")
    });
    let sums = sums.collect::<Vec<_>>().join(", ");
    let month = "epoch_ms(CAST(date_trunc('month', make_timestamp(start_ms * 1000)) AS TIMESTAMP))";
    format!(
        "INSERT INTO months SELECT site_id, dimension, value, piece AS start_ms, {sums} FROM (\
         SELECT *, greatest({month}, {start_ms}) AS piece FROM days) GROUP BY site_id, dimension, value, piece ORDER BY {SORT_ORDER}"
    )
}
