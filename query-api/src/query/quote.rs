//! How refusals quote the refused value: as Elixir's `inspect` does, since clients know those texts.

use serde_json::Value;
use std::fmt::Write;

/// Longest quotation, characters.
const QUOTE_CHARS_MAX: usize = 500;

/// The value in the notation of the error texts, cut at [`QUOTE_CHARS_MAX`].
pub(super) fn quote(value: &Value) -> String {
    let mut text = String::new();
    write_value(&mut text, value);
    if let Some((at, _)) = text.char_indices().nth(QUOTE_CHARS_MAX) {
        text.truncate(at);
        text.push('…');
    }
    text
}

fn write_value(text: &mut String, value: &Value) {
    match value {
        Value::Null => text.push_str("nil"),
        Value::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    text.push_str(", ");
                }
                write_value(text, item);
            }
            text.push(']');
        }
        Value::Object(entries) => {
            text.push_str("%{");
            for (index, (key, item)) in entries.iter().enumerate() {
                if index > 0 {
                    text.push_str(", ");
                }
                write_value(text, &Value::String(key.clone()));
                text.push_str(" => ");
                write_value(text, item);
            }
            text.push('}');
        }
        // JSON and Elixir write the others alike. Writing to a string cannot fail.
        other => {
            let _infallible = write!(text, "{other}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn quotes_as_the_clients_know_it() {
        assert_eq!(quote(&json!(["is", "x", ["a", 1, null]])), r#"["is", "x", ["a", 1, nil]]"#);
        assert_eq!(quote(&json!({"a": {"b": true}})), r#"%{"a" => %{"b" => true}}"#);
        assert_eq!(quote(&json!("ü".repeat(600))).chars().count(), QUOTE_CHARS_MAX + 1);
    }
}
