//! Which metrics v1 knows, and beside what they have a value.

use super::filters::Filter;
use super::refusal::LegacyRefusal;

/// The metrics of v1.
pub(super) const METRICS: [&str; 9] = [
    "visitors",
    "visits",
    "pageviews",
    "views_per_visit",
    "bounce_rate",
    "visit_duration",
    "events",
    "conversion_rate",
    "time_on_page",
];
/// The metric where none is named.
const DEFAULT: &str = "visitors";

/// Reads the parameter `metrics` of a question that is broken down by `property`, or by none.
pub(super) fn parse(text: Option<&str>, property: Option<&str>, filters: &[Filter]) -> Result<Vec<&'static str>, LegacyRefusal> {
    let names: Vec<&str> = text.unwrap_or(DEFAULT).split(',').collect();
    if names.iter().enumerate().any(|(index, name)| names.iter().take(index).any(|earlier| earlier == name)) {
        return Err(LegacyRefusal::RepeatedMetric);
    }
    let known = |name: &str| {
        let found = METRICS.into_iter().find(|metric| *metric == name);
        found.ok_or_else(|| LegacyRefusal::UnknownMetric { metric: name.to_owned() })
    };
    let metrics = names.into_iter().map(|name| known(name).and_then(|metric| check(metric, property, filters).map(|()| metric)));
    metrics.collect()
}

fn check(metric: &'static str, property: Option<&str>, filters: &[Filter]) -> Result<(), LegacyRefusal> {
    let filters_by = |name: &str| filters.iter().any(|filter| filter.property == name);
    match metric {
        "time_on_page" => {
            if let Some(dimension) = ["event:goal", "event:name"].into_iter().find(|name| filters_by(name)) {
                return Err(LegacyRefusal::MetricWithFilter { metric, dimension });
            }
            match property {
                Some("event:page") => Ok(()),
                Some(_) => Err(LegacyRefusal::TimeOnPageBreakdown),
                None if filters_by("event:page") => Ok(()),
                None => Err(LegacyRefusal::TimeOnPageWithoutPage),
            }
        }
        "conversion_rate" if property == Some("event:goal") || filters_by("event:goal") => Ok(()),
        "conversion_rate" => Err(LegacyRefusal::ConversionRateWithoutGoal),
        "views_per_visit" if filters_by("event:page") => Err(LegacyRefusal::ViewsPerVisitWithPage),
        "views_per_visit" if property.is_some() => Err(LegacyRefusal::ViewsPerVisitBreakdown),
        "visits" | "views_per_visit" | "bounce_rate" | "visit_duration" => check_of_visits(metric, property, filters),
        _ => Ok(()),
    }
}

fn check_of_visits(metric: &str, property: Option<&str>, filters: &[Filter]) -> Result<(), LegacyRefusal> {
    let metric = metric.to_owned();
    if let Some(property) = property.filter(|property| is_of_events_only(property)) {
        return Err(LegacyRefusal::SessionMetricBreakdown { metric, property: property.to_owned() });
    }
    match filters.iter().find(|filter| is_of_events_only(&filter.property)) {
        Some(filter) => Err(LegacyRefusal::SessionMetricFilter { metric, property: filter.property.clone() }),
        None => Ok(()),
    }
}

fn is_of_events_only(property: &str) -> bool {
    matches!(property, "event:name" | "event:goal") || property.starts_with("event:props:")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::v1::filters;

    #[test]
    fn metrics_and_what_they_go_with() {
        let metrics = |text: Option<&str>, property: Option<&str>, by: &str| {
            parse(text, property, &filters::parse(Some(by)).unwrap())
                .map(|metrics| metrics.join(","))
                .map_err(|error| error.to_string())
        };
        let ok =
            |text: &str, property: Option<&str>, by: &str| assert_eq!(metrics(Some(text), property, by).as_deref(), Ok(text));
        let refused = |text: &str, property: Option<&str>, by: &str, expected: &str| {
            assert_eq!(metrics(Some(text), property, by), Err(expected.to_owned()));
        };
        assert_eq!(metrics(None, None, "").as_deref(), Ok("visitors"));
        ok("visitors,visits,pageviews,views_per_visit,bounce_rate,visit_duration,events", None, "visit:source==Google");
        ok("bounce_rate,time_on_page", Some("event:page"), "");
        ok("time_on_page", None, "event:page==/");
        ok("conversion_rate", Some("event:goal"), "");
        ok("conversion_rate", None, "event:goal==Signup");
        refused("visitors,visitors", None, "", "Metrics cannot be queried multiple times.");
        for unknown in ["led_zeppelin", "percentage", "scroll_depth", "", " visitors"] {
            let text = format!(
                "The metric `{unknown}` is not recognized. Find valid metrics from the documentation: https://plausible.io/docs/stats-api#metrics"
            );
            refused(unknown, None, "", &text);
        }
        refused(
            "time_on_page",
            None,
            "event:page==/;event:goal==A",
            "Metric `time_on_page` cannot be queried when filtering by `event:goal`",
        );
        refused(
            "time_on_page",
            None,
            "event:page==/;event:name==A",
            "Metric `time_on_page` cannot be queried when filtering by `event:name`",
        );
        refused(
            "time_on_page",
            Some("visit:source"),
            "event:page==/",
            "Metric `time_on_page` is not supported in breakdown queries (except `event:page` breakdown)",
        );
        refused("time_on_page", None, "", "Metric `time_on_page` can only be queried in a page breakdown or with a page filter.");
        refused(
            "conversion_rate",
            Some("event:page"),
            "",
            "Metric `conversion_rate` can only be queried in a goal breakdown or with a goal filter",
        );
        refused(
            "views_per_visit",
            None,
            "event:page==/",
            "Metric `views_per_visit` cannot be queried with a filter on `event:page`.",
        );
        refused("views_per_visit", Some("visit:os"), "", "Metric `views_per_visit` is not supported in breakdown queries.");
        refused("visits", Some("event:name"), "", "Session metric `visits` cannot be queried for breakdown by `event:name`.");
        refused(
            "bounce_rate",
            None,
            "event:props:a==b",
            "Session metric `bounce_rate` cannot be queried when using a filter on `event:props:a`.",
        );
    }
}
