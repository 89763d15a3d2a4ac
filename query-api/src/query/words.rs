//! The words of the query language in one list each: for the JSON schema that is served, and for the check that each has a test.

use super::vocabulary::{Dimension, Metric};

/// Metrics of the contract.
pub const METRICS: [&str; 15] = [
    "visitors",
    "visits",
    "pageviews",
    "views_per_visit",
    "bounce_rate",
    "visit_duration",
    "events",
    "percentage",
    "scroll_depth",
    "time_on_page",
    "exit_rate",
    "conversion_rate",
    "group_conversion_rate",
    "total_revenue",
    "average_revenue",
];

/// Dimensions of the contract. Custom properties, `event:props:<name>`, come on top.
pub const DIMENSIONS: [&str; 35] = [
    "event:name",
    "event:page",
    "event:hostname",
    "event:goal",
    "visit:entry_page",
    "visit:exit_page",
    "visit:entry_page_hostname",
    "visit:exit_page_hostname",
    "visit:source",
    "visit:referrer",
    "visit:channel",
    "visit:utm_medium",
    "visit:utm_source",
    "visit:utm_campaign",
    "visit:utm_content",
    "visit:utm_term",
    "visit:device",
    "visit:screen",
    "visit:browser",
    "visit:browser_version",
    "visit:os",
    "visit:os_version",
    "visit:country",
    "visit:region",
    "visit:city",
    "visit:country_name",
    "visit:region_name",
    "visit:city_name",
    "time",
    "time:minute",
    "time:15min",
    "time:hour",
    "time:day",
    "time:week",
    "time:month",
];

/// Comparisons of a dimension with values that take the modifier `case_sensitive`.
pub const OPERATORS: [&str; 4] = ["is", "is_not", "contains", "contains_not"];
/// Comparisons with patterns, which take no modifier.
pub const PATTERN_OPERATORS: [&str; 4] = ["matches", "matches_not", "matches_wildcard", "matches_wildcard_not"];
/// Nodes over several filters.
pub const LIST_NODES: [&str; 2] = ["and", "or"];
/// Nodes over one filter.
pub const NODES: [&str; 3] = ["not", "has_done", "has_not_done"];
/// Date ranges with a name of their own; `<N>d` and `<N>mo`, two dates and two times come on top.
pub const DATE_RANGES: [&str; 7] = ["day", "24h", "month", "year", "all", "realtime", "30m"];
/// Keys of `include`.
pub const INCLUDES: [&str; 6] =
    ["imports", "time_labels", "total_rows", "comparisons", "trim_relative_date_range", "imports_meta"];
/// Ways to compare with another range.
pub const COMPARISONS: [&str; 3] = ["previous_period", "year_over_year", "custom"];

/// The metrics that are answered.
pub fn metrics() -> impl Iterator<Item = &'static str> {
    METRICS.into_iter().filter(|name| Metric::parse(name).is_some())
}

/// The dimensions that are answered, without custom properties.
pub fn dimensions() -> impl Iterator<Item = &'static str> {
    DIMENSIONS.into_iter().filter(|name| Dimension::parse(name).is_some())
}
