//! Filters as SQL conditions.

use super::Parameters;
use crate::query::{Dimension, Filter, Leaf, Operator};

/// Which relations a condition may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    /// An event row, beside its visit where entry or exit is looked at (`visits`).
    Row,
    /// A whole visit.
    Visit,
}

/// SQL for the value of a dimension, empty text where it has none. Not for time.
pub(super) fn value_sql(dimension: &Dimension, subject: Subject, parameters: &mut Parameters) -> String {
    let relation = match subject {
        Subject::Row => "rows",
        Subject::Visit => "visits",
    };
    match dimension {
        Dimension::Page => format!("{relation}.pathname"),
        Dimension::Name => format!("{relation}.name"),
        Dimension::Hostname => format!("{relation}.hostname"),
        Dimension::Prop(name) => {
            // A JSON pointer: any name can be written as one.
            let pointer = parameters.bind(&format!("/{}", name.replace('~', "~0").replace('/', "~1")));
            format!("coalesce(json_extract_string({relation}.props, {pointer}), '(none)')")
        }
        Dimension::Visit(field) => format!("{relation}.{}", field.column()),
        Dimension::Edge(field) => format!("coalesce(visits.{}, '')", field.column()),
        Dimension::Time(_) => "NULL".to_owned(),
    }
}

/// All of the filters as one condition.
pub(super) fn all<'a>(filters: impl IntoIterator<Item = &'a Filter>, subject: Subject, parameters: &mut Parameters) -> String {
    let conditions: Vec<String> = filters.into_iter().map(|filter| condition(filter, subject, parameters)).collect();
    if conditions.is_empty() { "true".to_owned() } else { conditions.join(" AND ") }
}

/// Looks only at what all rows and fragments of a visit share.
pub(super) fn is_of_opening(filter: &Filter) -> bool {
    let mut shared = true;
    filter.leaves(&mut |leaf| shared &= matches!(leaf.dimension, Dimension::Visit(_)));
    shared
}

fn condition(filter: &Filter, subject: Subject, parameters: &mut Parameters) -> String {
    let mut join = |children: &[Filter], word: &str| {
        let conditions: Vec<String> = children.iter().map(|child| condition(child, subject, parameters)).collect();
        format!("({})", conditions.join(word))
    };
    match filter {
        Filter::And(children) => join(children, " AND "),
        Filter::Or(children) => join(children, " OR "),
        Filter::Not(child) => format!("NOT {}", condition(child, subject, parameters)),
        Filter::Leaf(leaf) => leaf_condition(leaf, subject, parameters),
    }
}

fn leaf_condition(leaf: &Leaf, subject: Subject, parameters: &mut Parameters) -> String {
    let mut value = value_sql(&leaf.dimension, subject, parameters);
    if !leaf.case_sensitive {
        value = format!("lower({value})");
    }
    let is_equality = matches!(leaf.operator, Operator::Is | Operator::IsNot);
    let mut operands = Vec::with_capacity(leaf.clauses.len());
    for clause in &leaf.clauses {
        // The label of an empty value stands for it; properties carry theirs in the value.
        let is_label = is_equality && clause == leaf.dimension.empty_label() && !matches!(leaf.dimension, Dimension::Prop(_));
        let operand = parameters.bind(if is_label { "" } else { clause });
        operands.push(if leaf.case_sensitive { operand } else { format!("lower({operand})") });
    }
    let positive = if is_equality {
        format!("{value} IN ({})", operands.join(", "))
    } else {
        operands.iter().map(|operand| format!("contains({value}, {operand})")).collect::<Vec<_>>().join(" OR ")
    };
    match leaf.operator {
        Operator::Is | Operator::Contains => format!("({positive})"),
        Operator::IsNot | Operator::ContainsNot => format!("(NOT ({positive}))"),
    }
}
