//! Why a v1 request is refused: the texts of that API, which differ from those of v2.

use strum::{IntoStaticStr, VariantNames};
use thiserror::Error;

const DOCS: &str = "https://plausible.io/docs/stats-api";

/// A fault of a v1 request. The texts are part of the contract.
#[derive(Clone, Debug, PartialEq, Eq, Error, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "snake_case")]
pub enum LegacyRefusal {
    /// No such period.
    #[error(
        "Error parsing `period` parameter: invalid period `{period}`. Please find accepted values in our docs: {DOCS}#time-periods"
    )]
    InvalidPeriod {
        /// As sent.
        period: String,
    },
    /// A date that is none.
    #[error("Error parsing `date` parameter: {problem}. Please specify a valid date in ISO-8601 format.")]
    InvalidDate {
        /// `invalid_format` or `invalid_date`.
        problem: &'static str,
    },
    /// A custom period without its days.
    #[error("The `date` parameter is required when using a custom period. See {DOCS}#time-periods")]
    MissingDates,
    /// Days of a custom period that cannot be read.
    #[error(
        "Invalid format for `date` parameter. When using a custom period, please include two ISO-8601 formatted dates joined by a comma. See {DOCS}#time-periods"
    )]
    InvalidDates,
    /// No such interval.
    #[error("Error parsing `interval` parameter: invalid interval `{interval}`. Valid intervals are `day`, `month`")]
    InvalidInterval {
        /// As sent.
        interval: String,
    },
    /// No such comparison.
    #[error("Error parsing `compare` parameter: invalid comparison `{compare}`. The only valid one is `previous_period`")]
    InvalidCompare {
        /// As sent.
        compare: String,
    },
    /// Not a truth value.
    #[error("Error parsing `with_imported` parameter: `{value}` is neither `true` nor `false`")]
    InvalidWithImported {
        /// As sent.
        value: String,
    },
    /// A breakdown by nothing.
    #[error("The `property` parameter is required. Please provide at least one property to show a breakdown by.")]
    MissingProperty,
    /// A breakdown by host, which v1 does not have.
    #[error(
        "Property 'event:hostname' is currently not supported for breakdowns.  Please provide a valid property for the breakdown endpoint: {DOCS}#properties"
    )]
    HostnameBreakdown,
    /// No such property.
    #[error("Invalid property '{property}'. Please provide a valid property for the breakdown endpoint: {DOCS}#properties")]
    InvalidProperty {
        /// As sent.
        property: String,
    },
    /// No such property in a filter.
    #[error("Invalid filter property '{property}'. Please provide a valid filter property: {DOCS}#properties")]
    InvalidFilterProperty {
        /// As sent.
        property: String,
    },
    /// A filter without operator.
    #[error(
        "Invalid filter '{filter}'. Please write filters as `property==value` or `property!=value`, joined by `;`: {DOCS}#filtering"
    )]
    InvalidFilter {
        /// As sent.
        filter: String,
    },
    /// A goal that must not be reached.
    #[error("Invalid filter '{filter}'. The operator `!=` is not supported for goals: {DOCS}#filtering")]
    GoalInequality {
        /// As sent.
        filter: String,
    },
    /// The same metric twice.
    #[error("Metrics cannot be queried multiple times.")]
    RepeatedMetric,
    /// No such metric.
    #[error("The metric `{metric}` is not recognized. Find valid metrics from the documentation: {DOCS}#metrics")]
    UnknownMetric {
        /// As sent.
        metric: String,
    },
    /// A metric beside a filter that it has no value for.
    #[error("Metric `{metric}` cannot be queried when filtering by `{dimension}`")]
    MetricWithFilter {
        /// The metric.
        metric: &'static str,
        /// What the filter looks at.
        dimension: &'static str,
    },
    /// Time on page in a breakdown by something else.
    #[error("Metric `time_on_page` is not supported in breakdown queries (except `event:page` breakdown)")]
    TimeOnPageBreakdown,
    /// Time on page of no page.
    #[error("Metric `time_on_page` can only be queried in a page breakdown or with a page filter.")]
    TimeOnPageWithoutPage,
    /// A rate of no goal.
    #[error("Metric `conversion_rate` can only be queried in a goal breakdown or with a goal filter")]
    ConversionRateWithoutGoal,
    /// Views per visit of a page.
    #[error("Metric `views_per_visit` cannot be queried with a filter on `event:page`.")]
    ViewsPerVisitWithPage,
    /// Views per visit in a breakdown.
    #[error("Metric `views_per_visit` is not supported in breakdown queries.")]
    ViewsPerVisitBreakdown,
    /// A figure of visits by something that only events have.
    #[error("Session metric `{metric}` cannot be queried for breakdown by `{property}`.")]
    SessionMetricBreakdown {
        /// The metric.
        metric: String,
        /// The property.
        property: String,
    },
    /// A figure of visits beside a filter on something that only events have.
    #[error("Session metric `{metric}` cannot be queried when using a filter on `{property}`.")]
    SessionMetricFilter {
        /// The metric.
        metric: String,
        /// The property.
        property: String,
    },
    /// No such number of results.
    #[error("Please provide limit as a number between 1 and 1000.")]
    InvalidLimit,
    /// No such page.
    #[error("Please provide page as a positive number.")]
    InvalidPage,
}
