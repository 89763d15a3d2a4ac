//! From the parameters of a v1 request to the queries of v2 that answer it.

use super::filters::{self, Filter};
use super::metrics;
use super::period::Period;
use super::refusal::LegacyRefusal;
use chrono::NaiveDate;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::IntoParams;

/// Most results of a breakdown.
const LIMIT_MAX: u64 = 1_000;
/// Results of a breakdown where no limit is given.
const LIMIT_DEFAULT: u64 = 100;

/// What every v1 question of a period takes.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct Common {
    /// Domain of the site.
    #[param(value_type = String, required = true, min_length = 1, example = "a.example")]
    pub(super) site_id: Option<String>,
    /// `30d` where it is left out. Ends with `date`.
    #[param(value_type = Option<String>, required = false, nullable = false, pattern = "^(day|7d|30d|month|6mo|12mo|custom)$")]
    pub(super) period: Option<String>,
    /// A day such as `2026-11-21`, today where it is left out; with the period `custom` first and last day, joined by a comma.
    #[param(value_type = Option<String>, required = false, nullable = false, pattern = "^[0-9]{4}-[0-9]{2}-[0-9]{2}(, ?[0-9]{4}-[0-9]{2}-[0-9]{2})?$")]
    pub(super) date: Option<String>,
    /// Conditions that all hold, such as `event:page==/blog/*;visit:source==Google|Bing`.
    #[param(value_type = Option<String>, required = false, nullable = false, example = "visit:source==Google")]
    pub(super) filters: Option<String>,
    /// Names joined by commas; `visitors` where they are left out.
    #[param(value_type = Option<String>, required = false, nullable = false, pattern = "^[a-z_]+(,[a-z_]+)*$", example = "visitors,pageviews")]
    pub(super) metrics: Option<String>,
    /// Accepted; nothing here is imported from elsewhere.
    #[param(value_type = Option<String>, required = false, nullable = false, pattern = "^(true|false)$")]
    pub(super) with_imported: Option<String>,
}

/// What totals take besides.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct Compare {
    /// Adds the figures of as many days before, and the change in percent.
    #[param(value_type = Option<String>, required = false, nullable = false, pattern = "^previous_period$")]
    pub(super) compare: Option<String>,
}

/// What graphs take besides.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct Interval {
    /// Length of a bucket: hours for `day`, months for `6mo` and `12mo`, else days where it is left out.
    #[param(value_type = Option<String>, required = false, nullable = false, pattern = "^(day|date|month)$")]
    pub(super) interval: Option<String>,
}

/// What breakdowns take besides.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct Breakdown {
    /// What to break down by.
    #[param(value_type = String, required = true, pattern = "^(event|visit):.+$", example = "visit:source")]
    pub(super) property: Option<String>,
    /// Most results, 100 where it is left out.
    #[param(value_type = Option<u64>, required = false, nullable = false, minimum = 1, maximum = 1000)]
    pub(super) limit: Option<String>,
    /// Which page of them, from 1.
    #[param(value_type = Option<u64>, required = false, nullable = false, minimum = 1, maximum = 1000)]
    pub(super) page: Option<String>,
}

/// Queries of v2 and what their figures are called in v1.
#[derive(Debug, PartialEq)]
pub(super) struct Request {
    /// The body of the query.
    pub(super) body: Value,
    /// The same query of the period before, with a comparison.
    pub(super) previous: Option<Value>,
    /// Names of the dimensions in the answer.
    pub(super) keys: Vec<String>,
    /// Names of the metrics in the answer, in the order of the query's, which can have one more.
    pub(super) metrics: Vec<&'static str>,
}

/// `aggregate`.
pub(super) fn aggregate(common: &Common, compare: &Compare, today: NaiveDate) -> Result<Request, LegacyRefusal> {
    let period = common.period(today)?;
    let is_compared = match compare.compare.as_deref() {
        None => false,
        Some("previous_period") => true,
        Some(other) => return Err(LegacyRefusal::InvalidCompare { compare: other.to_owned() }),
    };
    let filters = common.filters()?;
    let metrics = metrics::parse(common.metrics.as_deref(), None, &filters)?;
    let body = |period: Period| json!({"site_id": common.site_id, "metrics": metrics, "date_range": period.date_range(), "filters": values(&filters)});
    let previous = if is_compared { period.previous().map(&body) } else { None };
    Ok(Request { body: body(period), previous, keys: Vec::new(), metrics })
}

/// `timeseries`.
pub(super) fn timeseries(common: &Common, interval: &Interval, today: NaiveDate) -> Result<Request, LegacyRefusal> {
    let period = common.period(today)?;
    let dimension = match interval.interval.as_deref() {
        None => period.interval,
        Some("day" | "date") => "time:day",
        Some("month") => "time:month",
        Some(other) => return Err(LegacyRefusal::InvalidInterval { interval: other.to_owned() }),
    };
    let filters = common.filters()?;
    let metrics = metrics::parse(common.metrics.as_deref(), None, &filters)?;
    let in_group = metrics.iter().map(|metric| if *metric == "conversion_rate" { "group_conversion_rate" } else { metric });
    let body = json!({"site_id": common.site_id, "metrics": in_group.collect::<Vec<_>>(), "date_range": period.date_range(),
        "filters": values(&filters), "dimensions": [dimension], "include": {"time_labels": true}});
    Ok(Request { body, previous: None, keys: vec!["date".to_owned()], metrics })
}

/// `breakdown`.
pub(super) fn breakdown(common: &Common, breakdown: &Breakdown, today: NaiveDate) -> Result<Request, LegacyRefusal> {
    let period = common.period(today)?;
    let property = match breakdown.property.as_deref() {
        None => return Err(LegacyRefusal::MissingProperty),
        Some("event:hostname") => return Err(LegacyRefusal::HostnameBreakdown),
        Some(property) if !filters::is_property(property) => {
            return Err(LegacyRefusal::InvalidProperty { property: property.to_owned() });
        }
        Some(property) => property,
    };
    let filters = common.filters()?;
    let metrics = metrics::parse(common.metrics.as_deref(), Some(property), &filters)?;
    let limit = breakdown.limit.as_deref().map_or(Some(LIMIT_DEFAULT), natural).filter(|limit| *limit <= LIMIT_MAX);
    let limit = limit.ok_or(LegacyRefusal::InvalidLimit)?;
    let page = breakdown.page.as_deref().map_or(Some(1), natural).ok_or(LegacyRefusal::InvalidPage)?;

    let is_rate_of_all = property == "event:goal" || property.starts_with("event:props:");
    let rename =
        |metric: &&'static str| if *metric == "conversion_rate" && !is_rate_of_all { "group_conversion_rate" } else { metric };
    let mut asked: Vec<&str> = metrics.iter().map(rename).collect();
    // Time on page says nothing of how much a page matters.
    let leader = asked.iter().copied().find(|metric| *metric != "time_on_page").unwrap_or_else(|| {
        asked.push("visitors");
        "visitors"
    });
    let dimensions = match property {
        "visit:browser_version" => vec!["visit:browser", property],
        "visit:os_version" => vec!["visit:os", property],
        _ => vec![property],
    };
    let mut conditions = values(&filters);
    conditions.extend(has_value(property));
    let body = json!({"site_id": common.site_id, "metrics": asked, "date_range": period.date_range(), "filters": conditions,
        "dimensions": dimensions, "order_by": [[leader, "desc"], [property, "asc"]],
        "pagination": {"limit": limit, "offset": (page - 1).saturating_mul(limit)}});
    let key = |name: &&str| {
        let short = ["event:props:", "event:", "visit:"].iter().find_map(|prefix| name.strip_prefix(prefix));
        short.unwrap_or(name).to_owned()
    };
    Ok(Request { body, previous: None, keys: dimensions.iter().map(key).collect(), metrics })
}

impl Common {
    /// The site named, if any is.
    pub(super) fn site(&self) -> Option<&str> {
        self.site_id.as_deref().filter(|site| !site.is_empty())
    }

    fn period(&self, today: NaiveDate) -> Result<Period, LegacyRefusal> {
        if let Some(value) = self.with_imported.as_deref().filter(|value| !matches!(*value, "true" | "false")) {
            return Err(LegacyRefusal::InvalidWithImported { value: value.to_owned() });
        }
        Period::parse(self.period.as_deref(), self.date.as_deref(), today)
    }

    fn filters(&self) -> Result<Vec<Filter>, LegacyRefusal> {
        filters::parse(self.filters.as_deref())
    }
}

fn values(filters: &[Filter]) -> Vec<Value> {
    filters.iter().map(|filter| filter.value.clone()).collect()
}

/// Breakdowns of v1 leave out what has no value, by these properties.
fn has_value(property: &str) -> Option<Value> {
    match property {
        "visit:country" | "visit:region" | "visit:city" => Some(json!(["matches", property, ["."]])),
        "visit:utm_medium" | "visit:utm_source" | "visit:utm_campaign" | "visit:utm_content" | "visit:utm_term"
        | "visit:entry_page" | "visit:exit_page" => Some(json!(["is_not", property, ["(not set)"]])),
        _ => None,
    }
}

fn natural(text: &str) -> Option<u64> {
    text.parse().ok().filter(|number| *number > 0)
}
