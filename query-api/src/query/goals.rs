//! Which of a site's goals a filter or dimension means.

use super::filter::{Filter, Operator};
use weir_reader::definitions::{Definitions, Goal, GoalKind};

/// The goals a filter names, oldest first; `None` = goals cannot be filtered like that.
pub(super) fn matching(
    definitions: &Definitions,
    operator: Operator,
    clauses: &[String],
    case_sensitive: bool,
) -> Option<Vec<Goal>> {
    let fold = |text: &str| if case_sensitive { text.to_owned() } else { text.to_lowercase() };
    let clauses: Vec<String> = clauses.iter().map(|clause| fold(clause)).collect();
    let names = |name: &str| match operator {
        Operator::Is => Some(clauses.iter().any(|clause| clause == name)),
        Operator::Contains => Some(clauses.iter().any(|clause| name.contains(clause.as_str()))),
        _ => None,
    };
    names("")?;
    Some(definitions.goals.iter().filter(|goal| names(&fold(&goal.display_name)) == Some(true)).cloned().collect())
}

/// The first clause that must be the name of a goal and is none. What contains something may match nothing.
pub(super) fn unknown<'a>(definitions: &Definitions, operator: Operator, clauses: &'a [String]) -> Option<&'a str> {
    let known = |clause: &String| definitions.goals.iter().any(|goal| goal.display_name == *clause);
    clauses.iter().find(|clause| operator == Operator::Is && !known(clause)).map(String::as_str)
}

/// The goals that all filters of the list leave: those that results can be grouped by, and whose currencies count.
pub(super) fn of_query(definitions: &Definitions, filters: &[Filter]) -> Vec<Goal> {
    let named = filters.iter().filter_map(|filter| if let Filter::Goals(goals) = filter { Some(goals) } else { None });
    let named: Vec<&Vec<Goal>> = named.collect();
    let left = |goal: &&Goal| named.iter().all(|goals| goals.iter().any(|other| other.id == goal.id));
    definitions.goals.iter().filter(left).cloned().collect()
}

/// Reached by reading, not by an event.
pub fn is_scroll(goal: &Goal) -> bool {
    matches!(goal.kind, GoalKind::Scroll { .. })
}
