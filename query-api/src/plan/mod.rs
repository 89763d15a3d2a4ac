//! From a query to one SQL statement over the parts and tails it needs.
//!
//! Numbers that we compute (site, sequences, instants) stand in the text, so that DuckDB skips row groups by them; what a caller
//! wrote is bound as a parameter. The statement is a chain of named relations:
//!
//! - `rows`: event rows in the range, without bots; engagement pings only where scroll goals are asked for;
//! - `visits`: visit fragments, merged to whole visits that overlap the range;
//! - `matching_rows`, `matching_visits`: those that the filters leave; `goal_rows`: the rows by the goals they reach;
//! - `total_rows`: those that the filters but those of goals leave;
//! - `row_cells`, `visit_cells`, `total_cells`: figures by dimension;
//! - `pings`, `depth_cells`, `time_cells`, `exit_cells`: figures of pages (see `pages`);
//! - `cells`: all joined, labels and rates in place.

mod ahead;
mod cells;
mod conversion;
mod goals;
mod ledger;
mod pages;
mod patterns;
mod predicate;
mod relations;
mod revenue;
mod visits;

pub use ahead::{Asked, Cover, Piece, cover};
pub use ledger::{counted, received_rows};
pub use patterns::pattern_check;

use crate::query::calendar::Calendar;
use crate::query::{Direction, Metric, OrderKey, Query, Range, TimeUnit};
use std::fmt::Write;

/// Where rows are found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// An attached part, by its schema.
    Part {
        /// Name of the attached database.
        schema: String,
    },
    /// A table of the live end, by the sequences that count.
    Tail {
        /// Name of the table.
        table: String,
        /// Rows up to this sequence are in parts.
        after_seq: u64,
        /// Rows after this one came later than the snapshot.
        through_seq: u64,
    },
    /// One of the others without rows that are to be forgotten. It is read by rows: what its visits were made of counts no more.
    Hiding {
        /// The other.
        of: Box<Source>,
        /// Condition on rows of `events`: such are hidden.
        condition: String,
    },
}

impl Source {
    /// The source without the rows for which a condition holds.
    #[must_use]
    pub fn hiding(self, condition: &str) -> Self {
        Self::Hiding { of: Box::new(self), condition: condition.to_owned() }
    }
}

/// The files and tables a query reads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources {
    /// For event rows.
    pub rows: Vec<Source>,
    /// For visit fragments, which reach further.
    pub fragments: Vec<Source>,
    /// What rollups know of the range; the sources are then for the rest. `None` = nothing.
    pub cover: Option<Cover>,
}

/// Everything a statement depends on.
#[derive(Clone, Copy)]
pub struct Scope<'a> {
    /// The query.
    pub query: &'a Query,
    /// The site.
    pub site_id: u32,
    /// The range in instants.
    pub range: Range,
    /// The site's clock over the range.
    pub calendar: &'a Calendar,
    /// The bucket, where there is a dimension of time.
    pub time_unit: TimeUnit,
}

/// A statement and its parameters `$1`, `$2`, ….
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The text.
    pub sql: String,
    /// The parameters, all text.
    pub parameters: Vec<String>,
}

/// A visit lasts less than two days (its visitor id is good for two), so that the fragments this far around a range hold it whole.
pub const VISIT_REACH_MS: i64 = 2 * crate::query::calendar::DAY_MS;

/// The range within which fragments of visits are looked for.
pub fn fragment_range(range: Range) -> Range {
    Range { start_ms: range.start_ms - VISIT_REACH_MS, end_ms: range.end_ms + VISIT_REACH_MS }
}

/// Parameters met so far.
#[derive(Default)]
struct Parameters(Vec<String>);

impl Parameters {
    /// The placeholder for a text; equal texts share one.
    fn bind(&mut self, text: &str) -> String {
        let index = self.0.iter().position(|known| known == text).unwrap_or_else(|| {
            self.0.push(text.to_owned());
            self.0.len() - 1
        });
        format!("CAST(${} AS VARCHAR)", index + 1)
    }
}

/// What the figures are taken from.
#[derive(Clone, Copy)]
struct Needs {
    /// Counts of rows, or visitors by event.
    row_cells: bool,
    /// Figures of visits, or visitors by visit.
    visit_cells: bool,
    /// Visitors and visits are those of matching rows.
    of_events: bool,
}

impl Needs {
    fn new(query: &Query) -> Self {
        let of_events = query.is_of_events();
        let counts_people = query.metrics.iter().any(|m| matches!(m, Metric::Visitors | Metric::Visits | Metric::Percentage));
        let of_rows = query.metrics.iter().any(|metric| metric.is_of_events());
        let of_visits = query.metrics.iter().any(|metric| metric.is_of_visits());
        Self {
            // With dimensions of events their rows decide which results there are.
            row_cells: of_rows || of_events,
            visit_cells: of_visits || (counts_people && !of_events),
            of_events,
        }
    }
}

/// The statement for the results of a query. Columns: the dimensions (text; the ordinal for time), the metrics, and with
/// `total_rows` the number of results before pagination in every row.
pub fn results(scope: &Scope<'_>, sources: &Sources) -> Statement {
    let (mut sql, parameters) = cells(scope, sources);
    write_page(&mut sql, scope.query);
    Statement { sql, parameters: parameters.0 }
}

/// The statement for what results of another range are compared with: those with the same labels, in no order. `labels` has the labels of
/// each result, without that of time. Columns: the dimensions and metrics, as in [`results`].
pub fn compared(scope: &Scope<'_>, sources: &Sources, labels: &[Vec<String>]) -> Statement {
    let (mut sql, mut parameters) = cells(scope, sources);
    sql.push_str("\nSELECT * FROM cells");
    let dimensions = scope.query.dimensions.iter().enumerate().filter(|(_, dimension)| !dimension.is_time());
    let columns: Vec<String> = dimensions.map(|(index, _)| format!("d{index}")).collect();
    if !columns.is_empty() {
        // Lists of texts can always be written.
        let labels = parameters.bind(&serde_json::to_string(labels).unwrap_or_default());
        let columns = columns.join(", ");
        let _infallible = write!(sql, " WHERE [{columns}] IN (SELECT unnest(from_json({labels}, '[[\"VARCHAR\"]]')))");
    }
    Statement { sql, parameters: parameters.0 }
}

/// The relations up to `cells`.
fn cells(scope: &Scope<'_>, sources: &Sources) -> (String, Parameters) {
    let mut parameters = Parameters::default();
    let sql = match &sources.cover {
        Some(cover) => ahead::cells(scope, sources, cover, &mut parameters),
        None => raw_cells(scope, sources, &mut parameters),
    };
    (sql, parameters)
}

/// The same from rows alone.
fn raw_cells(scope: &Scope<'_>, sources: &Sources, parameters: &mut Parameters) -> String {
    let needs = Needs::new(scope.query);
    let mut sql = String::from("WITH ");
    relations::write(&mut sql, scope, sources, needs, parameters);
    pages::write(&mut sql, scope, sources, parameters);
    cells::write(&mut sql, scope, needs, parameters);
    sql
}

fn write_page(sql: &mut String, query: &Query) {
    let mut order: Vec<String> = Vec::new();
    for (key, direction) in &query.order_by {
        let direction = match direction {
            Direction::Asc => "ASC",
            Direction::Desc => "DESC",
        };
        match key {
            OrderKey::Metric(index) => order.push(format!("m{index} {direction}")),
            OrderKey::Dimension(index) => order.push(format!("d{index} {direction}")),
        }
    }
    // Pages must not depend on chance.
    order.extend((0..query.dimensions.len()).map(|index| format!("d{index} ASC")));
    let order = order.join(", ");
    let page = format!("SELECT * FROM cells ORDER BY {order} LIMIT {} OFFSET {}", query.limit, query.offset);
    // Writing to a string cannot fail.
    let _infallible = if query.total_rows {
        write!(
            sql,
            "\nSELECT page.*, total.found FROM (SELECT count(*) AS found FROM cells) AS total LEFT JOIN ({page}) AS page ON true ORDER BY {order}"
        )
    } else {
        write!(sql, "\n{page}")
    };
}

/// The statement for the numbers of the sites that an attached part has rows of.
pub fn sites(schema: &str) -> Statement {
    Statement { sql: format!("SELECT DISTINCT CAST(site_id AS BIGINT) FROM {schema}.events"), parameters: Vec::new() }
}

/// The statement for what a rollup covers: site, name, first and last midnight.
pub fn covered(schema: &str) -> Statement {
    let sql = format!("SELECT CAST(site_id AS BIGINT), dimension, start_ms, end_ms FROM {schema}.covered ORDER BY ALL");
    Statement { sql, parameters: Vec::new() }
}

/// The statement for the time of a site's first event. One column, NULL where there is none.
pub fn first_event(site_id: u32, sources: &[Source]) -> Statement {
    let mut sql = String::from("SELECT min(event_ms) FROM (SELECT event_ms FROM nothing.events");
    for source in sources {
        let _infallible = write!(sql, "\nUNION ALL SELECT event_ms {}", relations::live_rows(source, site_id));
    }
    sql.push(')');
    Statement { sql, parameters: Vec::new() }
}

/// The statement for the number of all rows of a site, bots' included, and the time of the last one, null when there is none.
pub fn received(site_id: u32, sources: &[Source]) -> Statement {
    let mut sql = String::from("SELECT count(*), max(event_ms) FROM (SELECT event_ms FROM nothing.events");
    for source in sources {
        let _infallible = write!(sql, "\nUNION ALL SELECT event_ms {}", relations::all_rows(source, site_id));
    }
    sql.push(')');
    Statement { sql, parameters: Vec::new() }
}

/// The statement for the number of visitors with an event in a range, engagement pings included.
pub fn current_visitors(site_id: u32, range: Range, sources: &[Source]) -> Statement {
    let mut sql = String::from("SELECT count(DISTINCT visitor_id) FROM (SELECT visitor_id FROM nothing.events");
    for source in sources {
        let Range { start_ms, end_ms } = range;
        let live = relations::live_rows(source, site_id);
        let _infallible = write!(sql, "\nUNION ALL SELECT visitor_id {live} AND event_ms >= {start_ms} AND event_ms < {end_ms}");
    }
    sql.push(')');
    Statement { sql, parameters: Vec::new() }
}
