//! Why a request is refused: every text that a caller can read with status 400.

use super::QUERIES_MAX;
use super::filter::{CLAUSES_MAX, DEPTH_MAX, LEAVES_MAX, PATTERN_BYTES_MAX, PATTERNS_MAX};
use super::segments::SEGMENTS_MAX;
use strum::{IntoStaticStr, VariantNames};
use thiserror::Error;

/// A fault of the request. The texts are part of the contract, therefore they are sentences; so are the names of the variants, in snake case: they are
/// the codes of the errors.
#[derive(Clone, Debug, PartialEq, Eq, Error, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "snake_case")]
pub enum Refusal {
    /// The body is not JSON.
    #[error("The request body is not valid JSON.")]
    #[strum(serialize = "invalid_json")]
    NotJson,
    /// No list of queries.
    #[error(
        "`queries` and `current_visitors` must be lists of at most {QUERIES_MAX} queries and {QUERIES_MAX} site IDs, not both empty."
    )]
    #[strum(serialize = "invalid_queries")]
    Queries,
    /// No site named.
    #[error("Missing site ID. Please provide the required site_id parameter with your request.")]
    #[strum(serialize = "missing_site_id")]
    MissingSite,
    /// Faults of form, each with the path to its place.
    #[error("{}", .0.join("\n"))]
    #[strum(serialize = "invalid_schema")]
    Schema(Vec<String>),
    /// The order names something that is not asked for.
    #[error("Invalid order_by entry '{entry}'. Entry is not a queried metric or dimension.")]
    OrderByNotQueried {
        /// The entry as sent.
        entry: String,
    },
    /// Time labels without a time dimension.
    #[error("Invalid include.time_labels: requires a time dimension.")]
    TimeLabelsWithoutTime,
    /// Metrics of visits beside dimensions of events.
    #[error("Session metric(s) {metrics} cannot be queried along with event dimension(s) {dimensions}")]
    VisitMetricsByEvent {
        /// The metrics in backquotes.
        metrics: String,
        /// The dimensions in backquotes.
        dimensions: String,
    },
    /// Metrics of events beside dimensions of visits.
    #[error("Event metric(s) {metrics} cannot be queried along with session dimension(s) {dimensions}")]
    EventMetricsByVisit {
        /// The metrics in backquotes.
        metrics: String,
        /// The dimensions in backquotes.
        dimensions: String,
    },
    /// Views per visit by page filter.
    #[error("Metric `views_per_visit` cannot be queried with a filter on `event:page`.")]
    ViewsPerVisitOfPage,
    /// Views per visit with dimensions.
    #[error("Metric `views_per_visit` cannot be queried with `dimensions`.")]
    ViewsPerVisitByDimension,
    /// Percentage of nothing.
    #[error("Metric `percentage` can only be queried with `dimensions`.")]
    PercentageWithoutDimensions,
    /// A metric of pages without a page.
    #[error("Metric `{metric}` can only be queried with event:page filters or dimensions.")]
    PageNeeded {
        /// Its name.
        metric: &'static str,
    },
    /// Exit rate by something else than exit pages.
    #[error("Metric `exit_rate` requires a `\"visit:exit_page\"` dimension. No other dimensions are allowed.")]
    ExitRateByOther,
    /// Exit rate of some events.
    #[error("Metric `exit_rate` cannot be queried when filtering on event dimensions.")]
    ExitRateOfEvents,
    /// A day that is none.
    #[error("Failed to convert '{date}' to date")]
    Date {
        /// As sent.
        date: String,
    },
    /// A comparison of the last minutes.
    #[error("Invalid include.comparisons: date ranges of minutes cannot be compared.")]
    ComparisonOfMinutes,
    /// A metric of goals without a goal.
    #[error("Metric `{metric}` can only be queried with event:goal filters or dimensions.")]
    GoalNeeded {
        /// Its name.
        metric: &'static str,
    },
    /// A goal that the site does not have.
    #[error(
        "Invalid filters. The goal `{goal}` is not configured for this site. Find out how to configure goals here: https://plausible.io/docs/stats-api#filtering-by-goals"
    )]
    GoalNotConfigured {
        /// Its name.
        goal: String,
    },
    /// A dimension inside a tree that may only stand outside.
    #[error("Invalid filters. Dimension `{dimension}` can only be filtered at the top level.")]
    TopLevelOnly {
        /// Its name.
        dimension: String,
    },
    /// A rate with a property filter inside a tree.
    #[error(
        "Invalid filters. When `conversion_rate` or `group_conversion_rate` metrics are used, custom property filters can only be used on top level."
    )]
    DeepProperty,
    /// `has_done` inside `has_done`.
    #[error("Invalid filters. Behavioral filters (has_done, has_not_done) cannot be nested.")]
    NestedBehaviour,
    /// `has_done` of what is no event.
    #[error("Invalid filters. Behavioral filters (has_done, has_not_done) can only be used with event dimension filters.")]
    BehaviourOfVisits,
    /// Too many segments.
    #[error("Invalid filters. You can only use up to {SEGMENTS_MAX} segment filters in a query.")]
    TooManySegments,
    /// A segment that is not there, or someone else's.
    #[error("Invalid filters. Some segments don't exist or aren't accessible.")]
    UnknownSegment,
    /// Too many or too long regular expressions.
    #[error("Invalid filters. At most {PATTERNS_MAX} patterns of {PATTERN_BYTES_MAX} bytes each are allowed.")]
    PatternsTooBig,
    /// No regular expression.
    #[error("Invalid filters. The pattern `{pattern}` is not a valid regular expression (RE2 syntax), or too complex.")]
    Pattern {
        /// It.
        pattern: String,
    },
    /// A country that is no code.
    #[error("Invalid visit:country filter, visit:country needs to be a valid 2-letter country code.")]
    CountryCode,
    /// Too many or too deep filters.
    #[error(
        "Invalid filters. At most {LEAVES_MAX} comparisons with {CLAUSES_MAX} clauses together, nested {DEPTH_MAX} deep, are allowed."
    )]
    FilterTooBig,
    /// Two time dimensions.
    #[error("Invalid dimensions. Only one time dimension is allowed.")]
    TwoTimeDimensions,
    /// More buckets than results.
    #[error("Invalid date_range. It holds more than {limit} buckets of the time dimension.")]
    TooManyBuckets {
        /// How many may be.
        limit: usize,
    },
    /// A query string that cannot be read, or names something twice.
    #[error("The query string is not valid.")]
    #[strum(serialize = "invalid_query_string")]
    QueryString,
    /// A revision that is none.
    #[error("Invalid rev. It must be the number of a revision, or shadow.")]
    #[strum(serialize = "invalid_revision")]
    Revision,
    /// A revision by number without a site, where several partitions count them.
    #[error("Invalid rev. Please provide the site_id parameter with it: revisions are counted by partition.")]
    RevisionOfAll,
    /// A time that is none.
    #[error("Invalid {name}. It must be a date such as 2026-11-21 or an RFC 3339 time.")]
    #[strum(serialize = "invalid_instant")]
    Instant {
        /// Name of the parameter.
        name: &'static str,
    },
    /// A period that ends before it begins.
    #[error("Invalid period. `from` must be before `to`.")]
    EmptyPeriod,
    /// A period that is too long.
    #[error("Invalid period. It may be {days_max} days long at most.")]
    PeriodTooLong {
        /// How long it may be.
        days_max: i64,
    },
}
