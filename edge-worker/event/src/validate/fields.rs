//! Reading single fields out of the JSON object of an event.

use serde_json::{Map, Value};

/// The first of the aliases that is there and not null.
pub(super) fn first<'a>(object: &'a Map<String, Value>, aliases: &[&str]) -> Option<&'a Value> {
    aliases.iter().filter_map(|alias| object.get(*alias)).find(|value| !value.is_null())
}

/// An object that may come as JSON in a string. `None` for anything else.
pub(super) fn object(value: &Value) -> Option<Map<String, Value>> {
    match value {
        Value::Object(map) => Some(map.clone()),
        Value::String(text) if !super::depth::deeper_than(text, super::JSON_DEPTH_MAX) => serde_json::from_str(text).ok(),
        _ => None,
    }
}

/// An integer, or a string that is one.
pub(super) fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// The text without NUL characters, which no store downstream need survive.
pub(super) fn clean(text: &str) -> String {
    text.chars().filter(|c| *c != '\0').collect()
}

/// At most `chars` characters.
pub(super) fn cut(text: &mut String, chars: usize) {
    if let Some((at, _)) = text.char_indices().nth(chars) {
        text.truncate(at);
    }
}
