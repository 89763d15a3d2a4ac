//! Filters as SQL conditions.

use super::{Parameters, goals, patterns};
use crate::query::{Dimension, Filter, Leaf, Operator, VisitField};

/// Which relations a condition may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    /// An event row, beside its visit where entry or exit is looked at (`visits`).
    Row,
    /// A whole visit.
    Visit,
}

impl Subject {
    fn relation(self) -> &'static str {
        match self {
            Self::Row => "rows",
            Self::Visit => "visits",
        }
    }
}

/// SQL for the value of a dimension, empty text where it has none. Not for time.
pub(super) fn value_sql(dimension: &Dimension, subject: Subject, parameters: &mut Parameters) -> String {
    let relation = subject.relation();
    match dimension {
        Dimension::Page => format!("{relation}.pathname"),
        Dimension::Name => format!("{relation}.name"),
        Dimension::Hostname => format!("{relation}.hostname"),
        Dimension::Prop(name) => {
            let property = property(name, relation, parameters);
            format!("coalesce({property}, '(none)')")
        }
        Dimension::Visit(field) => place_sql(*field, &format!("{relation}.{}", field.column())),
        Dimension::Edge(field) => format!("coalesce(visits.{}, '')", field.column()),
        Dimension::Time(_) | Dimension::Goal => "NULL".to_owned(),
    }
}

/// The value of a property, NULL where the event does not have it.
fn property(name: &str, relation: &str, parameters: &mut Parameters) -> String {
    // A JSON pointer: any name can be written as one.
    let pointer = parameters.bind(&format!("/{}", name.replace('~', "~0").replace('/', "~1")));
    format!("json_extract_string({relation}.props, {pointer})")
}

/// A value fits a wildcard, in which `*` and `**` stand for anything.
pub(super) fn wildcard(value: &str, pattern: &str, parameters: &mut Parameters) -> String {
    let escaped = pattern.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_").replace("**", "*").replace('*', "%");
    format!("{value} LIKE {} ESCAPE '\\'", parameters.bind(&escaped))
}

/// The value of a field: of names of places the name, or the code where none is known.
fn place_sql(field: VisitField, column: &str) -> String {
    let table = match field {
        VisitField::CountryName => "country",
        VisitField::RegionName => "region",
        _ => return column.to_owned(),
    };
    format!("coalesce((SELECT known.name FROM memory.names.{table} AS known WHERE known.code = {column}), {column})")
}

/// All of the filters as one condition.
pub(super) fn all<'a>(filters: impl IntoIterator<Item = &'a Filter>, subject: Subject, parameters: &mut Parameters) -> String {
    let conditions: Vec<String> = filters.into_iter().map(|filter| condition(filter, subject, parameters)).collect();
    if conditions.is_empty() { "true".to_owned() } else { conditions.join(" AND ") }
}

/// Looks only at what all rows and fragments of a visit share.
pub(super) fn is_of_opening(filter: &Filter) -> bool {
    match filter {
        Filter::And(children) | Filter::Or(children) => children.iter().all(is_of_opening),
        Filter::Not(child) => is_of_opening(child),
        Filter::Leaf(leaf) => matches!(leaf.dimension, Dimension::Visit(_)),
        Filter::Done(_) | Filter::Goals(_) => false,
    }
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
        Filter::Done(child) => done(child, subject, parameters),
        Filter::Goals(reached) => goals::any(reached, parameters),
        Filter::Leaf(leaf) => leaf_condition(leaf, subject, parameters),
    }
}

/// The visit has a row for which the filter holds. The row is another one than that which is asked about, therefore the name is used again.
fn done(filter: &Filter, subject: Subject, parameters: &mut Parameters) -> String {
    let mut reached = Vec::new();
    filter.nodes(0, 0, &mut |node, _, _| {
        if let Filter::Goals(goals) = node {
            reached.extend(goals);
        }
    });
    let pings = goals::without_idle_pings(reached, parameters);
    let condition = condition(filter, Subject::Row, parameters);
    format!("({}.visit_id IN (SELECT rows.visit_id FROM rows WHERE {condition}{pings}))", subject.relation())
}

fn leaf_condition(leaf: &Leaf, subject: Subject, parameters: &mut Parameters) -> String {
    let is_negative =
        matches!(leaf.operator, Operator::IsNot | Operator::ContainsNot | Operator::MatchesNot | Operator::MatchesWildcardNot);
    let is_equality = matches!(leaf.operator, Operator::Is | Operator::IsNot);
    let positive = if is_equality { equality(leaf, subject, parameters) } else { likeness(leaf, subject, parameters) };
    let condition = if is_negative { format!("(NOT ({positive}))") } else { format!("({positive})") };
    match &leaf.dimension {
        // Only what is there contains something, or does not.
        Dimension::Prop(name) if !is_equality => {
            let property = property(name, subject.relation(), parameters);
            format!("({property} IS NOT NULL AND {condition})")
        }
        _ => condition,
    }
}

fn equality(leaf: &Leaf, subject: Subject, parameters: &mut Parameters) -> String {
    let (value, fold) = folded(leaf, subject, parameters);
    let mut operands = Vec::with_capacity(leaf.clauses.len());
    for clause in &leaf.clauses {
        // The label of an empty value stands for it; properties carry theirs in the value.
        let is_label = clause == leaf.dimension.empty_label() && !matches!(leaf.dimension, Dimension::Prop(_));
        operands.push(fold(parameters.bind(if is_label { "" } else { clause })));
    }
    format!("{value} IN ({})", operands.join(", "))
}

fn likeness(leaf: &Leaf, subject: Subject, parameters: &mut Parameters) -> String {
    let (value, fold) = folded(leaf, subject, parameters);
    let mut compare = |clause: &String| match leaf.operator {
        Operator::Matches | Operator::MatchesNot => patterns::matches(&value, clause, parameters),
        Operator::MatchesWildcard | Operator::MatchesWildcardNot => wildcard(&value, clause, parameters),
        _ => format!("contains({value}, {})", fold(parameters.bind(clause))),
    };
    leaf.clauses.iter().map(&mut compare).collect::<Vec<_>>().join(" OR ")
}

/// The value of a leaf's dimension, and what is done to an operand, so that both are compared as the leaf wants it.
fn folded(leaf: &Leaf, subject: Subject, parameters: &mut Parameters) -> (String, fn(String) -> String) {
    let value = value_sql(&leaf.dimension, subject, parameters);
    if leaf.case_sensitive {
        (value, |operand| operand)
    } else {
        (format!("lower({value})"), |operand| format!("lower({operand})"))
    }
}
