//! A validated query: what was asked, free of JSON and of SQL.

mod asked;
pub mod calendar;
pub mod comparison;
pub mod filter;
pub mod goals;
pub mod period;
mod quote;
mod refusal;
mod request;
mod revenue;
mod rules;
mod segments;
mod vocabulary;
pub mod words;

pub use asked::Asked;
pub use comparison::{Comparison, ComparisonMode};
pub use filter::{Filter, Leaf, Operator};
pub use period::{DateRange, Range};
pub use refusal::Refusal;
pub use request::{parse, site_id};
pub use revenue::Revenue;
pub use segments::{SEGMENTS_MAX, check_segment};
pub use vocabulary::{Dimension, EdgeField, Metric, TimeUnit, VisitField};

use chrono::NaiveDate;
use chrono_tz::Tz;
use serde::Serialize;
use serde_json::Value;
use weir_reader::definitions::Goal;

/// Most results of one answer, and the default.
pub const RESULTS_MAX: usize = 10_000;
/// Most queries of one request, and most sites whose current visitors are asked for in it.
pub const QUERIES_MAX: usize = 40;
/// Most dimensions of one query.
pub const DIMENSIONS_MAX: usize = 8;

/// A query that breaks no rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// What is measured, at least one, each once.
    pub metrics: Vec<Metric>,
    /// What results are grouped by, each once, at most one of time.
    pub dimensions: Vec<Dimension>,
    /// Conditions that all hold.
    pub filters: Vec<Filter>,
    /// The goals that results are grouped by, and whose currencies count: those that the filters leave. Empty where no goal is named.
    pub goals: Vec<Goal>,
    /// What the metrics of revenue add up.
    pub revenue: Revenue,
    /// The days asked for.
    pub date_range: DateRange,
    /// What the days asked for are relative to.
    pub relative: Relative,
    /// What the results are compared with.
    pub comparison: Option<Comparison>,
    /// Say why nothing imported is in the answer.
    pub imports_meta: bool,
    /// The order, never empty.
    pub order_by: Vec<(OrderKey, Direction)>,
    /// List the labels of all time buckets.
    pub time_labels: bool,
    /// Count all results before pagination.
    pub total_rows: bool,
    /// Most results, 1 to [`RESULTS_MAX`].
    pub limit: usize,
    /// Results left out at the start.
    pub offset: u64,
    /// The request as the answer repeats it.
    pub echo: Echo,
}

/// What named date ranges are relative to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Relative {
    /// The day that stands for today.
    pub date: Option<NaiveDate>,
    /// A month or year that is not over ends today.
    pub ends_today: bool,
}

/// What results are ordered by: an index into the metrics or the dimensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderKey {
    /// That metric.
    Metric(usize),
    /// That dimension.
    Dimension(usize),
}

/// Direction of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Smallest first.
    Asc,
    /// Largest first.
    Desc,
}

/// The request as the answer repeats it, in the words of the caller.
#[derive(Clone, Debug, PartialEq)]
pub struct Echo {
    /// Names of the metrics.
    pub metrics: Vec<String>,
    /// Names of the dimensions.
    pub dimensions: Vec<String>,
    /// The filters as sent.
    pub filters: Value,
    /// The order, with names; the default order where none was sent.
    pub order_by: Vec<(String, Direction)>,
    /// The include object as sent.
    pub include: Value,
}

impl Query {
    /// The instants it is about, in the site's zone. `first_event_ms` as for [`DateRange::resolve`].
    pub fn range(&self, zone: Tz, now_ms: i64, first_event_ms: Option<i64>) -> Range {
        let range = self.date_range.resolve_at(zone, now_ms, first_event_ms, self.relative.date);
        if self.relative.ends_today { self.date_range.trim(range, zone, now_ms) } else { range }
    }

    /// The instants that those of [`Query::range`] are compared with.
    pub fn compared_range(&self, range: Range, zone: Tz, now_ms: i64) -> Option<Range> {
        self.comparison.map(|comparison| comparison.resolve(self.date_range, range, zone, now_ms))
    }

    /// Some filter looks at single events.
    pub fn filters_events(&self) -> bool {
        self.filters_goals() || self.any_leaf(|leaf| leaf.dimension.is_of_events())
    }

    /// Some filter is a goal that the event itself must reach.
    pub fn filters_goals(&self) -> bool {
        self.filters.iter().any(|filter| matches!(filter, Filter::Goals(_)))
    }

    /// Results are grouped by goal.
    pub fn is_by_goal(&self) -> bool {
        self.dimensions.contains(&Dimension::Goal)
    }

    /// Some metric compares with those who reached no goal.
    pub fn needs_everyone(&self) -> bool {
        self.metrics.iter().any(|metric| metric.is_rate_of_goals())
    }

    /// Calls `visit` for every node of the filters, with its depth and the number of [`Filter::Done`] around it.
    pub fn each_filter<'a>(&'a self, visit: &mut impl FnMut(&'a Filter, usize, usize)) {
        for filter in &self.filters {
            filter.nodes(0, 0, visit);
        }
    }

    /// The regular expressions of the filters.
    pub fn patterns(&self) -> Vec<&str> {
        let mut patterns = Vec::new();
        self.each_filter(&mut |filter, _, _| {
            if let Filter::Leaf(leaf) = filter
                && leaf.operator.is_regex()
            {
                patterns.extend(leaf.clauses.iter().map(String::as_str));
            }
        });
        patterns
    }

    /// A dimension or filter looks at where visits began or ended.
    pub fn looks_at_edges(&self) -> bool {
        self.dimensions.iter().any(Dimension::is_of_visits) || self.any_leaf(|leaf| leaf.dimension.is_of_visits())
    }

    /// Visitors and visits are those with a matching event, not those that overlap the range.
    pub fn is_of_events(&self) -> bool {
        self.filters_events() || self.dimensions.iter().any(Dimension::is_of_events)
    }

    /// The dimension of time and its index.
    pub fn time_dimension(&self) -> Option<(usize, Option<TimeUnit>)> {
        self.dimensions.iter().enumerate().find_map(|(index, dimension)| match dimension {
            Dimension::Time(unit) => Some((index, *unit)),
            _ => None,
        })
    }

    /// Some leaf of the filters is such.
    pub fn any_leaf(&self, test: impl Fn(&Leaf) -> bool) -> bool {
        let mut found = false;
        for filter in &self.filters {
            filter.leaves(&mut |leaf| found |= test(leaf));
        }
        found
    }
}
