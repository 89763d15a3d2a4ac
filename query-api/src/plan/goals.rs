//! Goals as SQL: which event rows reach them.

use super::Parameters;
use super::predicate::{self, Subject};
use crate::query::goals::is_scroll;
use crate::query::{Dimension, Filter, Query};
use std::collections::BTreeSet;
use weir_reader::definitions::{Goal, GoalKind};

/// The rows reach one of the goals.
pub(super) fn any<'a>(goals: impl IntoIterator<Item = &'a Goal>, parameters: &mut Parameters) -> String {
    let conditions: Vec<String> = goals.into_iter().map(|goal| condition(goal, parameters)).collect();
    if conditions.is_empty() { "false".to_owned() } else { format!("({})", conditions.join(" OR ")) }
}

fn condition(goal: &Goal, parameters: &mut Parameters) -> String {
    let mut conditions = match &goal.kind {
        // A ping is an event only where a scroll goal is reached.
        GoalKind::Event { event_name } if event_name == "engagement" => vec!["false".to_owned()],
        GoalKind::Event { event_name } => vec![format!("rows.name = {}", parameters.bind(event_name))],
        GoalKind::Page { page_path } => vec!["rows.name = 'pageview'".to_owned(), path(page_path, parameters)],
        GoalKind::Scroll { page_path, scroll_threshold } => vec![
            "rows.name = 'engagement'".to_owned(),
            format!("coalesce(rows.scroll_depth BETWEEN {scroll_threshold} AND 100, false)"),
            path(page_path, parameters),
        ],
    };
    for (name, value) in &goal.custom_props {
        let found = predicate::value_sql(&Dimension::Prop(name.clone()), Subject::Row, parameters);
        conditions.push(format!("{found} = {}", parameters.bind(value)));
    }
    format!("({})", conditions.join(" AND "))
}

fn path(page_path: &str, parameters: &mut Parameters) -> String {
    if page_path.contains('*') {
        predicate::wildcard("rows.pathname", page_path, parameters)
    } else {
        format!("rows.pathname = {}", parameters.bind(page_path))
    }
}

/// The columns of events that tell whether one of the goals is reached, beside the name.
pub(super) fn columns(goals: &[Goal]) -> BTreeSet<&'static str> {
    let mut columns = BTreeSet::new();
    for goal in goals {
        columns.extend((!goal.custom_props.is_empty()).then_some("props"));
        columns.extend((!matches!(goal.kind, GoalKind::Event { .. })).then_some("pathname"));
        columns.extend(is_scroll(goal).then_some("scroll_depth"));
    }
    columns
}

/// Engagement pings must be read: a scroll goal is asked for.
pub(super) fn reads_pings(query: &Query) -> bool {
    let mut found = query.is_by_goal() && query.goals.iter().any(is_scroll);
    query.each_filter(&mut |filter, _, _| found |= matches!(filter, Filter::Goals(goals) if goals.iter().any(is_scroll)));
    found
}

/// A further condition on rows among which there are pings: those that reach none of the goals do not count. Begins with `AND`.
pub(super) fn without_idle_pings<'a>(goals: impl IntoIterator<Item = &'a Goal>, parameters: &mut Parameters) -> String {
    let reached = any(goals.into_iter().filter(|goal| is_scroll(goal)), parameters);
    format!(" AND (rows.name <> 'engagement' OR {reached})")
}

/// The goals that a matching row of the query may reach: its dimension's and those of its filters.
pub(super) fn of_matching_rows(query: &Query) -> Vec<&Goal> {
    let of_filters = query.filters.iter().filter_map(|filter| if let Filter::Goals(goals) = filter { Some(goals) } else { None });
    let of_dimension = query.is_by_goal().then_some(&query.goals);
    of_dimension.into_iter().chain(of_filters).flatten().collect()
}

/// A relation with every row of another once for each goal of the dimension that it reaches, `goal` being its index.
pub(super) fn by_goal(query: &Query, rows: &str, name: &str, parameters: &mut Parameters) -> String {
    let cases = query.goals.iter().enumerate();
    let cases: Vec<String> =
        cases.map(|(index, goal)| format!("CASE WHEN {} THEN {index} END", condition(goal, parameters))).collect();
    if cases.is_empty() {
        return format!("{name} AS (SELECT rows.*, 0 AS goal FROM {rows} AS rows WHERE false),\n");
    }
    let reached = format!("list_filter([{}], lambda reached: reached IS NOT NULL)", cases.join(", "));
    format!("{name} AS (SELECT rows.*, unnest({reached}) AS goal FROM {rows} AS rows),\n")
}

/// The value that stands for the goal with the index, one for each goal of the dimension.
pub(super) fn by_index(index: &str, values: &[String]) -> String {
    if values.is_empty() { "NULL".to_owned() } else { format!("[{}][{index} + 1]", values.join(", ")) }
}
