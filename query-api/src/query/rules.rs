//! Which metrics, dimensions and filters go together.

use super::refusal::Refusal;
use super::vocabulary::{Dimension, EdgeField, GOAL, Metric};
use super::{Filter, Query};

/// Checks how filters stand inside each other, beside these metrics; `unknown_goal` is one that the site does not have.
pub(super) fn check_filters(filters: &[Filter], metrics: &[Metric], unknown_goal: Option<String>) -> Result<(), Refusal> {
    let mut outside_only = None;
    let (mut is_deep_property, mut is_nested, mut is_of_visits) = (false, false, false);
    let mut check = |filter: &Filter, depth: usize, done: usize| {
        let (name, is_of_event) = match filter {
            Filter::Goals(_) => (Some(GOAL), true),
            Filter::Leaf(leaf) if leaf.dimension == Dimension::Hostname => (Some("event:hostname"), true),
            Filter::Leaf(leaf) => (None, leaf.dimension.is_of_events()),
            _ => return,
        };
        if depth > 0 && done == 0 {
            outside_only = outside_only.or(name);
        }
        is_deep_property |= depth > 0 && matches!(filter, Filter::Leaf(leaf) if matches!(leaf.dimension, Dimension::Prop(_)));
        is_nested |= done > 1;
        is_of_visits |= done == 1 && !is_of_event;
    };
    for filter in filters {
        filter.nodes(0, 0, &mut check);
    }
    if let Some(dimension) = outside_only {
        return Err(Refusal::TopLevelOnly { dimension: dimension.to_owned() });
    }
    // What stands inside a tree the divisor of a rate cannot leave out.
    if is_deep_property && metrics.iter().any(|metric| metric.is_rate_of_goals()) {
        return Err(Refusal::DeepProperty);
    }
    if is_nested {
        return Err(Refusal::NestedBehaviour);
    }
    if is_of_visits {
        return Err(Refusal::BehaviourOfVisits);
    }
    unknown_goal.map_or(Ok(()), |goal| Err(Refusal::GoalNotConfigured { goal }))
}

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
    if query.comparison.is_some() && query.date_range.is_of_minutes() {
        return Err(Refusal::ComparisonOfMinutes);
    }
    Ok(())
}

fn check_metric(metric: Metric, query: &Query) -> Result<(), Refusal> {
    match metric {
        Metric::ConversionRate | Metric::GroupConversionRate if !query.is_by_goal() && !query.filters_goals() => {
            Err(Refusal::GoalNeeded { metric: metric.name() })
        }
        Metric::ViewsPerVisit if filters_pages(query) => Err(Refusal::ViewsPerVisitOfPage),
        Metric::ViewsPerVisit if !query.dimensions.is_empty() => Err(Refusal::ViewsPerVisitByDimension),
        Metric::ScrollDepth if !by_page(query) && !filters_pages_at_top(query) => {
            Err(Refusal::PageNeeded { metric: metric.name() })
        }
        Metric::TimeOnPage if !by_page(query) && !filters_pages(query) => Err(Refusal::PageNeeded { metric: metric.name() }),
        Metric::ExitRate if query.dimensions != [Dimension::Edge(EdgeField::ExitPage)] => Err(Refusal::ExitRateByOther),
        Metric::ExitRate if query.filters_events() => Err(Refusal::ExitRateOfEvents),
        Metric::Percentage if query.dimensions.is_empty() => Err(Refusal::PercentageWithoutDimensions),
        _ => Ok(()),
    }
}

fn by_page(query: &Query) -> bool {
    query.dimensions.contains(&Dimension::Page)
}

fn filters_pages_at_top(query: &Query) -> bool {
    query.filters.iter().any(|filter| matches!(filter, Filter::Leaf(leaf) if leaf.dimension == Dimension::Page))
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
