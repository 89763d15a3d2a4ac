//! The filter tree of a query: which shapes are accepted, and how deep and wide.

use super::refusal::Refusal;
use super::vocabulary::{Dimension, VisitField};
use serde_json::Value;

/// Deepest nesting of and, or, not.
pub const DEPTH_MAX: usize = 8;
/// Most leaves of all filters together.
pub const LEAVES_MAX: usize = 100;
/// Most clauses of all leaves together.
pub const CLAUSES_MAX: usize = 1_000;

/// A condition on events or visits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filter {
    /// All hold.
    And(Vec<Filter>),
    /// At least one holds.
    Or(Vec<Filter>),
    /// Does not hold.
    Not(Box<Filter>),
    /// A comparison.
    Leaf(Leaf),
}

/// A comparison of one dimension with some values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// How.
    pub operator: Operator,
    /// What.
    pub dimension: Dimension,
    /// With what: one match is enough.
    pub clauses: Vec<String>,
    /// Upper and lower case differ.
    pub case_sensitive: bool,
}

/// Kinds of comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// Equal to one of the clauses.
    Is,
    /// Equal to none.
    IsNot,
    /// Contains one of them.
    Contains,
    /// Contains none.
    ContainsNot,
}

impl Filter {
    /// Calls `visit` for every leaf.
    pub fn leaves<'a>(&'a self, visit: &mut impl FnMut(&'a Leaf)) {
        match self {
            Self::And(children) | Self::Or(children) => children.iter().for_each(|child| child.leaves(visit)),
            Self::Not(child) => child.leaves(visit),
            Self::Leaf(leaf) => visit(leaf),
        }
    }
}

/// What is wrong with a filter.
pub(super) enum FilterError {
    /// Not a filter at all: the schema's text.
    Shape,
    /// A filter that breaks a rule.
    Rule(Refusal),
}

/// What the whole list may still hold.
pub(super) struct Budget {
    leaves: usize,
    clauses: usize,
}

impl Budget {
    pub(super) fn new() -> Self {
        Self { leaves: LEAVES_MAX, clauses: CLAUSES_MAX }
    }
}

/// Reads one filter of the list.
pub(super) fn parse(value: &Value, depth: usize, budget: &mut Budget) -> Result<Filter, FilterError> {
    let too_big = || FilterError::Rule(Refusal::FilterTooBig);
    if depth >= DEPTH_MAX {
        return Err(too_big());
    }
    let items = value.as_array().ok_or(FilterError::Shape)?;
    let (operator, rest) = items.split_first().ok_or(FilterError::Shape)?;
    match (operator.as_str(), rest) {
        (Some("and"), [children]) => Ok(Filter::And(parse_children(children, depth, budget)?)),
        (Some("or"), [children]) => Ok(Filter::Or(parse_children(children, depth, budget)?)),
        (Some("not"), [child]) => Ok(Filter::Not(Box::new(parse(child, depth + 1, budget)?))),
        (Some(operator), [dimension, clauses]) => parse_leaf(operator, dimension, clauses, None, depth, budget),
        (Some(operator), [dimension, clauses, modifiers]) => {
            parse_leaf(operator, dimension, clauses, Some(modifiers), depth, budget)
        }
        _ => Err(FilterError::Shape),
    }
}

fn parse_children(value: &Value, depth: usize, budget: &mut Budget) -> Result<Vec<Filter>, FilterError> {
    let children = value.as_array().filter(|children| !children.is_empty()).ok_or(FilterError::Shape)?;
    children.iter().map(|child| parse(child, depth + 1, budget)).collect()
}

fn parse_leaf(
    operator: &str,
    dimension: &Value,
    clauses: &Value,
    modifiers: Option<&Value>,
    depth: usize,
    budget: &mut Budget,
) -> Result<Filter, FilterError> {
    let operator = match operator {
        "is" => Operator::Is,
        "is_not" => Operator::IsNot,
        "contains" => Operator::Contains,
        "contains_not" => Operator::ContainsNot,
        _ => return Err(FilterError::Shape),
    };
    let clauses: Vec<String> = clauses
        .as_array()
        .filter(|clauses| !clauses.is_empty())
        .and_then(|clauses| clauses.iter().map(|clause| clause.as_str().map(str::to_owned)).collect())
        .ok_or(FilterError::Shape)?;
    let spent = budget.leaves.checked_sub(1).zip(budget.clauses.checked_sub(clauses.len()));
    let Some((leaves, clauses_left)) = spent else { return Err(FilterError::Rule(Refusal::FilterTooBig)) };
    (budget.leaves, budget.clauses) = (leaves, clauses_left);
    let case_sensitive = match modifiers {
        None => true,
        Some(Value::Object(entries)) => match (entries.len(), entries.get("case_sensitive")) {
            (0, None) => true,
            (1, Some(Value::Bool(flag))) => *flag,
            _ => return Err(FilterError::Shape),
        },
        Some(_) => return Err(FilterError::Shape),
    };
    let name = dimension.as_str().ok_or(FilterError::Shape)?;
    if name == "event:goal" && matches!(operator, Operator::Is | Operator::Contains) {
        let rule = if depth > 0 {
            Refusal::TopLevelOnly { dimension: name.to_owned() }
        } else {
            Refusal::GoalNotConfigured { goal: clauses.first().cloned().unwrap_or_default() }
        };
        return Err(FilterError::Rule(rule));
    }
    let dimension = Dimension::parse(name).filter(|dimension| !dimension.is_time()).ok_or(FilterError::Shape)?;
    if dimension == Dimension::Hostname && depth > 0 {
        return Err(FilterError::Rule(Refusal::TopLevelOnly { dimension: name.to_owned() }));
    }
    if dimension == Dimension::Visit(VisitField::Country)
        && matches!(operator, Operator::Is | Operator::IsNot)
        && clauses.iter().any(|clause| clause.chars().count() != 2)
    {
        return Err(FilterError::Rule(Refusal::CountryCode));
    }
    Ok(Filter::Leaf(Leaf { operator, dimension, clauses, case_sensitive }))
}
