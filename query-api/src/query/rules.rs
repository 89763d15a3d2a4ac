//! Which metrics, dimensions and filters go together.

use super::refusal::Refusal;
use super::vocabulary::{Dimension, Metric};
use super::{Filter, Query};

/// Checks a query whose form is right.
pub(super) fn check(query: &Query) -> Result<(), Refusal> {
    if query.dimensions.iter().filter(|dimension| dimension.is_time()).count() > 1 {
        return Err(Refusal::TwoTimeDimensions);
    }
    query.metrics.iter().try_for_each(|metric| check_metric(*metric, query))?;
    check_kinds(query)?;
    if query.time_labels && query.time_dimension().is_none() {
        return Err(Refusal::TimeLabelsWithoutTime);
    }
    Ok(())
}

fn check_metric(metric: Metric, query: &Query) -> Result<(), Refusal> {
    match metric {
        Metric::ConversionRate | Metric::GroupConversionRate => Err(Refusal::GoalNeeded { metric: metric.name() }),
        Metric::ViewsPerVisit if filters_pages(query) => Err(Refusal::ViewsPerVisitOfPage),
        Metric::ViewsPerVisit if !query.dimensions.is_empty() => Err(Refusal::ViewsPerVisitByDimension),
        Metric::Percentage if query.dimensions.is_empty() => Err(Refusal::PercentageWithoutDimensions),
        _ => Ok(()),
    }
}

fn filters_pages(query: &Query) -> bool {
    query.any_leaf(|leaf| leaf.dimension == Dimension::Page)
}

/// A figure of whole visits has no value for a single event, except that a visit's entry page stands for its page
/// (and the entry's host for its host); a count of events has none for a visit's entry and exit.
fn check_kinds(query: &Query) -> Result<(), Refusal> {
    let named = |test: fn(&Dimension) -> bool| {
        let matching = query.dimensions.iter().zip(&query.echo.dimensions).filter(|(dimension, _)| test(dimension));
        matching.map(|(_, name)| name.as_str()).collect::<Vec<_>>()
    };
    let metrics = |test: fn(Metric) -> bool| {
        query.metrics.iter().filter(|metric| test(**metric)).map(|metric| metric.name()).collect::<Vec<_>>()
    };
    let of_visits = metrics(Metric::is_of_visits);
    let by_event = named(Dimension::is_of_events);
    let by_entry_page =
        by_event.contains(&"event:page") && by_event.iter().all(|name| matches!(*name, "event:page" | "event:hostname"));
    if !of_visits.is_empty() && !by_event.is_empty() && !by_entry_page {
        return Err(Refusal::VisitMetricsByEvent { metrics: backquoted(&of_visits), dimensions: backquoted(&by_event) });
    }
    let of_events = metrics(Metric::is_of_events);
    let by_visit = named(Dimension::is_of_visits);
    if !of_events.is_empty() && !by_visit.is_empty() {
        return Err(Refusal::EventMetricsByVisit { metrics: backquoted(&of_events), dimensions: backquoted(&by_visit) });
    }
    Ok(())
}

fn backquoted(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// Joins the list of filters into one condition; `None` = everything matches.
pub(super) fn conjunction(filters: Vec<Filter>) -> Vec<Filter> {
    filters.into_iter().flat_map(|filter| if let Filter::And(children) = filter { children } else { vec![filter] }).collect()
}
