//! The filter strings of v1, such as `event:page==/blog/*;visit:source==Google|Bing`, as filters of v2.

use super::refusal::LegacyRefusal;
use serde_json::{Value, json};

/// Properties by which v1 filters and breaks down, custom ones aside.
pub(super) const PROPERTIES: [&str; 22] = [
    "event:page",
    "event:name",
    "event:goal",
    "event:hostname",
    "visit:source",
    "visit:channel",
    "visit:referrer",
    "visit:utm_medium",
    "visit:utm_source",
    "visit:utm_campaign",
    "visit:utm_content",
    "visit:utm_term",
    "visit:device",
    "visit:browser",
    "visit:browser_version",
    "visit:os",
    "visit:os_version",
    "visit:country",
    "visit:region",
    "visit:city",
    "visit:entry_page",
    "visit:exit_page",
];

/// Some filter, in the words of v2.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Filter {
    /// What it looks at.
    pub(super) property: String,
    /// The filter of v2.
    pub(super) value: Value,
}

/// v1 knows the property.
pub(super) fn is_property(name: &str) -> bool {
    PROPERTIES.contains(&name) || name.strip_prefix("event:props:").is_some_and(|prop| !prop.is_empty())
}

/// Reads the parameter `filters`: all of them hold.
pub(super) fn parse(text: Option<&str>) -> Result<Vec<Filter>, LegacyRefusal> {
    let text = text.unwrap_or_default();
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    text.split(';').map(|filter| parse_one(filter.trim())).collect()
}

fn parse_one(filter: &str) -> Result<Filter, LegacyRefusal> {
    let invalid = || LegacyRefusal::InvalidFilter { filter: filter.to_owned() };
    // Whichever stands first: a value may hold the other one.
    let at = [filter.find("=="), filter.find("!=")].into_iter().flatten().min().ok_or_else(invalid)?;
    let (property, rest) = filter.split_at_checked(at).ok_or_else(invalid)?;
    let (operator, value) = rest.split_at_checked(2).ok_or_else(invalid)?;
    let (property, value, is_negated) = (property.trim(), value.trim(), operator == "!=");
    if property.is_empty() || value.is_empty() {
        return Err(invalid());
    }
    if !is_property(property) {
        return Err(LegacyRefusal::InvalidFilterProperty { property: property.to_owned() });
    }
    let operator = match (property, value.contains('*'), is_negated) {
        ("event:goal", _, true) => return Err(LegacyRefusal::GoalInequality { filter: filter.to_owned() }),
        // The name of a goal of pages may hold the wildcard itself.
        ("event:goal", _, false) | (_, false, false) => "is",
        (_, false, true) => "is_not",
        (_, true, false) => "matches_wildcard",
        (_, true, true) => "matches_wildcard_not",
    };
    // A pattern is one: its bars are the pattern's.
    let clauses = if operator.starts_with("matches") { vec![value.to_owned()] } else { members(value) };
    Ok(Filter { property: property.to_owned(), value: json!([operator, property, clauses]) })
}

/// The values between bars; a bar after a backslash is a bar.
fn members(text: &str) -> Vec<String> {
    let mut members = vec![String::new()];
    let mut chars = text.chars().peekable();
    while let Some(next) = chars.next() {
        let Some(last) = members.last_mut() else { break };
        match next {
            '\\' if chars.peek() == Some(&'|') => {
                chars.next();
                last.push('|');
            }
            '|' => members.push(String::new()),
            other => last.push(other),
        }
    }
    members
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_those_of_v2() {
        for (text, expected) in [
            ("event:goal==Signup", json!([["is", "event:goal", ["Signup"]]])),
            ("event:goal==Signup|Visit /blog*", json!([["is", "event:goal", ["Signup", "Visit /blog*"]]])),
            ("visit:country!=FR", json!([["is_not", "visit:country", ["FR"]]])),
            ("visit:source==Github|Twitter", json!([["is", "visit:source", ["Github", "Twitter"]]])),
            ("visit:browser!=Chrome|Safari", json!([["is_not", "visit:browser", ["Chrome", "Safari"]]])),
            (r"visit:utm_campaign==campaign\|one", json!([["is", "visit:utm_campaign", ["campaign|one"]]])),
            (r"visit:utm_campaign==a\|b|c\", json!([["is", "visit:utm_campaign", ["a|b", "c\\"]]])),
            ("event:page==/blog/*", json!([["matches_wildcard", "event:page", ["/blog/*"]]])),
            ("event:page!=/blog/*", json!([["matches_wildcard_not", "event:page", ["/blog/*"]]])),
            (
                " event:page == /a ; visit:device!=Mobile",
                json!([["is", "event:page", ["/a"]], ["is_not", "visit:device", ["Mobile"]]]),
            ),
            ("event:props:a b==x==y!=z", json!([["is", "event:props:a b", ["x==y!=z"]]])),
            ("", json!([])),
        ] {
            let found: Vec<Value> = parse(Some(text)).unwrap().into_iter().map(|filter| filter.value).collect();
            assert_eq!(Value::Array(found), expected, "{text}");
        }
        assert_eq!(parse(None), Ok(Vec::new()));
    }

    #[test]
    fn what_is_no_filter_is_refused_and_never_left_out() {
        for (text, expected) in [
            ("event:page", "Invalid filter 'event:page'. Please write filters as"),
            ("event:page==", "Invalid filter 'event:page=='. Please write filters as"),
            ("==x", "Invalid filter '==x'. Please write filters as"),
            ("event:page==/;", "Invalid filter ''. Please write filters as"),
            ("visit:screen==Mobile", "Invalid filter property 'visit:screen'. Please provide a valid filter property:"),
            ("event:props:==x", "Invalid filter property 'event:props:'."),
            ("event:goal!=Signup", "Invalid filter 'event:goal!=Signup'. The operator `!=` is not supported for goals"),
            ("ü", "Invalid filter 'ü'."),
        ] {
            let found = parse(Some(text)).unwrap_err().to_string();
            assert!(found.starts_with(expected), "{found}");
        }
    }

    #[test]
    fn every_property_is_a_dimension_of_v2_or_a_goal() {
        for name in PROPERTIES.into_iter().filter(|name| *name != "event:goal") {
            assert!(crate::query::Dimension::parse(name).is_some(), "{name}");
        }
    }
}
