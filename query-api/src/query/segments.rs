//! Segments: saved lists of filters that a filter names by number.

use super::filter::{Filter, FilterError, Parser};
use super::quote::quote;
use super::refusal::Refusal;
use super::rules;
use serde_json::Value;
use weir_reader::definitions::{Definitions, Segment, SegmentKind};

/// What stands in place of a dimension.
pub(super) const SEGMENT: &str = "segment";
/// Most segments that the filters of a query name.
pub const SEGMENTS_MAX: usize = 10;

/// `["is", "segment", …]`.
pub(super) fn is_segment(value: &Value) -> bool {
    value.as_array().and_then(|items| items.get(1)).is_some_and(|name| name == SEGMENT)
}

/// Whether a list may be saved as a segment: filters of a query, without segments.
///
/// # Errors
/// The refusal that a query with these filters would get.
pub fn check_segment(filters: &Value, definitions: &Definitions) -> Result<(), Refusal> {
    let invalid =
        |index: usize, value: &Value| Refusal::Schema(vec![format!("#/filters/{index}: Invalid filter {}", quote(value))]);
    let items = filters.as_array().filter(|items| !items.is_empty()).ok_or_else(|| invalid(0, filters))?;
    let mut parser = Parser::new(definitions, "");
    parser.in_segment = true;
    let mut tree = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        tree.push(parser.parse(item, 0).map_err(|error| match error {
            FilterError::Shape => invalid(index, item),
            FilterError::Rule(rule) => rule,
        })?);
    }
    rules::check_filters(&tree, &[], parser.unknown_goal)
}

/// The filters that the numbers stand for: of one segment all, of several at least one segment's.
pub(super) fn resolve(parser: &mut Parser<'_>, ids: &Value, depth: usize) -> Result<Filter, FilterError> {
    let ids: Vec<u64> = ids
        .as_array()
        .filter(|ids| !ids.is_empty())
        .and_then(|ids| ids.iter().map(Value::as_u64).collect())
        .ok_or(FilterError::Shape)?;
    parser.segments += ids.len();
    if parser.segments > SEGMENTS_MAX {
        return Err(FilterError::Rule(Refusal::TooManySegments));
    }
    let is_only = ids.len() == 1;
    let mut found = Vec::with_capacity(ids.len());
    for id in ids {
        found.push(filters(parser, id, if is_only { depth } else { depth + 1 })?);
    }
    Ok(if is_only { found.pop().unwrap_or(Filter::And(Vec::new())) } else { Filter::Or(found) })
}

fn filters(parser: &mut Parser<'_>, id: u64, depth: usize) -> Result<Filter, FilterError> {
    let unknown = || FilterError::Rule(Refusal::UnknownSegment);
    let readable = |segment: &&Segment| match segment.kind {
        SegmentKind::Site => true,
        SegmentKind::Personal => segment.owner == parser.key_id,
    };
    let definitions = parser.definitions;
    let segment = definitions.segments.iter().find(|segment| segment.id == id).filter(readable).ok_or_else(unknown)?;
    let items = segment.filters.as_array().filter(|items| !items.is_empty() && !parser.in_segment).ok_or_else(unknown)?;
    parser.in_segment = true;
    let parsed: Result<Vec<Filter>, FilterError> = items.iter().map(|item| parser.parse(item, depth)).collect();
    parser.in_segment = false;
    // What was saved and is no filter any more is not the caller's fault of form.
    parsed.map(Filter::And).map_err(|error| if matches!(error, FilterError::Shape) { unknown() } else { error })
}
