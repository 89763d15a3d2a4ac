//! The filter tree of a query: which shapes are accepted, and how deep and wide.

use super::goals;
use super::refusal::Refusal;
use super::segments::{self, SEGMENT};
use super::vocabulary::{Dimension, GOAL, VisitField};
use serde_json::Value;
use weir_reader::definitions::{Definitions, Goal};

/// Deepest nesting of and, or, not, `has_done`.
pub const DEPTH_MAX: usize = 8;
/// Most leaves of all filters together.
pub const LEAVES_MAX: usize = 100;
/// Most clauses of all leaves together.
pub const CLAUSES_MAX: usize = 1_000;
/// Most clauses of all leaves with `matches` or `matches_not` together.
pub const PATTERNS_MAX: usize = 20;
/// Longest clause of such a leaf, bytes.
pub const PATTERN_BYTES_MAX: usize = 500;

/// A condition on events or visits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filter {
    /// All hold.
    And(Vec<Filter>),
    /// At least one holds.
    Or(Vec<Filter>),
    /// Does not hold.
    Not(Box<Filter>),
    /// The visit has an event in the range for which it holds.
    Done(Box<Filter>),
    /// The event reaches one of these goals; none = nothing matches.
    Goals(Vec<Goal>),
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
    /// Upper and lower case differ. Always so for patterns.
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
    /// One of the regular expressions (RE2) matches somewhere.
    Matches,
    /// None does.
    MatchesNot,
    /// One of the wildcards fits: `*` stands for anything.
    MatchesWildcard,
    /// None fits.
    MatchesWildcardNot,
}

impl Operator {
    fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "is" => Self::Is,
            "is_not" => Self::IsNot,
            "contains" => Self::Contains,
            "contains_not" => Self::ContainsNot,
            "matches" => Self::Matches,
            "matches_not" => Self::MatchesNot,
            "matches_wildcard" => Self::MatchesWildcard,
            "matches_wildcard_not" => Self::MatchesWildcardNot,
            _ => return None,
        })
    }

    /// Compares with regular expressions.
    pub fn is_regex(self) -> bool {
        matches!(self, Self::Matches | Self::MatchesNot)
    }

    fn is_pattern(self) -> bool {
        self.is_regex() || matches!(self, Self::MatchesWildcard | Self::MatchesWildcardNot)
    }
}

impl Filter {
    /// Calls `visit` for every leaf that is about the counted event or visit itself: not for those inside [`Filter::Done`].
    pub fn leaves<'a>(&'a self, visit: &mut impl FnMut(&'a Leaf)) {
        match self {
            Self::And(children) | Self::Or(children) => children.iter().for_each(|child| child.leaves(visit)),
            Self::Not(child) => child.leaves(visit),
            Self::Leaf(leaf) => visit(leaf),
            Self::Done(_) | Self::Goals(_) => {}
        }
    }

    /// Calls `visit` for every node, parents first, with its depth and the number of [`Filter::Done`] around it.
    pub fn nodes<'a>(&'a self, depth: usize, done: usize, visit: &mut impl FnMut(&'a Self, usize, usize)) {
        visit(self, depth, done);
        match self {
            Self::And(children) | Self::Or(children) => {
                for child in children {
                    child.nodes(depth + 1, done, visit);
                }
            }
            Self::Not(child) => child.nodes(depth + 1, done, visit),
            Self::Done(child) => child.nodes(depth + 1, done + 1, visit),
            Self::Goals(_) | Self::Leaf(_) => {}
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

/// Reads the filters of one request.
pub(super) struct Parser<'a> {
    pub(super) definitions: &'a Definitions,
    /// Id of the key that asks.
    pub(super) key_id: &'a str,
    leaves: usize,
    clauses: usize,
    patterns: usize,
    pub(super) segments: usize,
    pub(super) in_segment: bool,
    /// A goal that a filter names and the site does not have: told only when nothing else is wrong with the filters.
    pub(super) unknown_goal: Option<String>,
}

impl<'a> Parser<'a> {
    pub(super) fn new(definitions: &'a Definitions, key_id: &'a str) -> Self {
        let (leaves, clauses, patterns) = (LEAVES_MAX, CLAUSES_MAX, PATTERNS_MAX);
        Self { definitions, key_id, leaves, clauses, patterns, segments: 0, in_segment: false, unknown_goal: None }
    }

    /// Reads one filter of the list. A segment becomes the filters it stands for.
    pub(super) fn top_level(&mut self, value: &Value) -> Result<Vec<Filter>, FilterError> {
        match (segments::is_segment(value), self.parse(value, 0)?) {
            (true, Filter::And(children)) => Ok(children),
            (_, filter) => Ok(vec![filter]),
        }
    }

    pub(super) fn parse(&mut self, value: &Value, depth: usize) -> Result<Filter, FilterError> {
        if depth >= DEPTH_MAX {
            return Err(FilterError::Rule(Refusal::FilterTooBig));
        }
        let items = value.as_array().ok_or(FilterError::Shape)?;
        let (operator, rest) = items.split_first().ok_or(FilterError::Shape)?;
        match (operator.as_str().ok_or(FilterError::Shape)?, rest) {
            ("and", [children]) => Ok(Filter::And(self.children(children, depth)?)),
            ("or", [children]) => Ok(Filter::Or(self.children(children, depth)?)),
            ("not", [child]) => Ok(Filter::Not(Box::new(self.parse(child, depth + 1)?))),
            ("has_done", [child]) => Ok(Filter::Done(Box::new(self.parse(child, depth + 1)?))),
            ("has_not_done", [child]) => Ok(Filter::Not(Box::new(Filter::Done(Box::new(self.parse(child, depth + 1)?))))),
            ("is", [Value::String(name), clauses]) if name == SEGMENT => segments::resolve(self, clauses, depth),
            (operator, [Value::String(name), clauses, modifiers @ ..]) => {
                let operator = Operator::parse(operator).ok_or(FilterError::Shape)?;
                let is_modified = !modifiers.is_empty();
                if is_modified && operator.is_pattern() {
                    return Err(FilterError::Shape);
                }
                let case_sensitive = case_sensitive(modifiers).ok_or(FilterError::Shape)?;
                let clauses = self.clauses(operator, name, clauses)?;
                if name == GOAL {
                    let goals =
                        goals::matching(self.definitions, operator, &clauses, case_sensitive).ok_or(FilterError::Shape)?;
                    let unknown = goals::unknown(self.definitions, operator, &clauses).filter(|_| !is_modified);
                    self.unknown_goal = self.unknown_goal.take().or(unknown.map(str::to_owned));
                    return Ok(Filter::Goals(goals));
                }
                leaf(operator, name, clauses, case_sensitive)
            }
            _ => Err(FilterError::Shape),
        }
    }

    fn children(&mut self, value: &Value, depth: usize) -> Result<Vec<Filter>, FilterError> {
        let children = value.as_array().filter(|children| !children.is_empty()).ok_or(FilterError::Shape)?;
        children.iter().map(|child| self.parse(child, depth + 1)).collect()
    }

    /// The clauses of a leaf, taken from what the whole list may hold.
    fn clauses(&mut self, operator: Operator, name: &str, clauses: &Value) -> Result<Vec<String>, FilterError> {
        let clauses = texts(clauses, name == "visit:city").ok_or(FilterError::Shape)?;
        let left = self.leaves.checked_sub(1).zip(self.clauses.checked_sub(clauses.len()));
        (self.leaves, self.clauses) = left.ok_or(FilterError::Rule(Refusal::FilterTooBig))?;
        if operator.is_regex() {
            let left = self.patterns.checked_sub(clauses.len()).filter(|_| clauses.iter().all(|c| c.len() <= PATTERN_BYTES_MAX));
            self.patterns = left.ok_or(FilterError::Rule(Refusal::PatternsTooBig))?;
        }
        Ok(clauses)
    }
}

/// `None` = not what modifiers look like.
fn case_sensitive(modifiers: &[Value]) -> Option<bool> {
    match modifiers {
        [] => Some(true),
        [Value::Object(entries)] => match (entries.len(), entries.get("case_sensitive")) {
            (0, None) => Some(true),
            (1, Some(Value::Bool(flag))) => Some(*flag),
            _ => None,
        },
        _ => None,
    }
}

/// Clauses as texts. Cities may be given by numbers, all of them: those are texts of digits here.
fn texts(clauses: &Value, takes_numbers: bool) -> Option<Vec<String>> {
    let clauses = clauses.as_array().filter(|clauses| !clauses.is_empty())?;
    let texts: Option<Vec<String>> = clauses.iter().map(|clause| clause.as_str().map(str::to_owned)).collect();
    let numbers = || clauses.iter().map(|clause| clause.as_i64().map(|number| number.to_string())).collect();
    if takes_numbers { texts.or_else(numbers) } else { texts }
}

fn leaf(operator: Operator, name: &str, clauses: Vec<String>, case_sensitive: bool) -> Result<Filter, FilterError> {
    let dimension = Dimension::parse(name).filter(|dimension| !dimension.is_time()).ok_or(FilterError::Shape)?;
    if dimension == Dimension::Visit(VisitField::Country)
        && matches!(operator, Operator::Is | Operator::IsNot)
        && clauses.iter().any(|clause| clause.chars().count() != 2)
    {
        return Err(FilterError::Rule(Refusal::CountryCode));
    }
    Ok(Filter::Leaf(Leaf { operator, dimension, clauses, case_sensitive }))
}
