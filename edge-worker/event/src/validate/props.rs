//! Custom properties of an event.

use serde_json::{Map, Value};

use super::fields::clean;
use super::{PROP_KEY_BYTES_MAX, PROP_VALUE_BYTES_MAX, PROPS_MAX};
use crate::model::Property;

/// Names of events whose `path` property is the page's path, whatever the sender says.
const NAMES_WITH_PATH: [&str; 3] = ["404", "Form: Submission", "WP Form Completions"];

/// The first [`PROPS_MAX`] properties that have a value; blanks, lists and objects have none. The error is the message for the field `props`.
pub(super) fn parse(map: &Map<String, Value>) -> Result<Vec<Property>, String> {
    let mut props: Vec<Property> = Vec::new();
    for (key, value) in map {
        let Some(value) = text(value) else { continue };
        let property = Property { key: clean(key), value };
        if property.key.trim().is_empty() || props.iter().any(|known| known.key == property.key) {
            continue;
        }
        if property.key.len() > PROP_KEY_BYTES_MAX || property.value.len() > PROP_VALUE_BYTES_MAX {
            return Err(format!("keys should have at most {PROP_KEY_BYTES_MAX} bytes and values {PROP_VALUE_BYTES_MAX} bytes"));
        }
        props.push(property);
        if props.len() == PROPS_MAX {
            break;
        }
    }
    Ok(props)
}

/// Sets `path` on the events that are about one.
pub(super) fn force_path(name: &str, pathname: &str, props: &mut Vec<Property>) {
    if !NAMES_WITH_PATH.contains(&name) {
        return;
    }
    props.retain(|property| property.key != "path");
    props.truncate(PROPS_MAX - 1);
    props.push(Property { key: "path".to_owned(), value: pathname.to_owned() });
}

fn text(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => clean(text),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => number.to_string(),
        Value::Null | Value::Array(_) | Value::Object(_) => return None,
    };
    (!text.trim().is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pairs(value: &Value) -> Vec<(String, String)> {
        parse(value.as_object().unwrap()).unwrap().into_iter().map(|p| (p.key, p.value)).collect()
    }

    #[test]
    fn values_become_text() {
        let value = json!({ "z": "x", "a": 1, "b": 1.5, "c": true, "d": null, "e": "", "f": " ", "g": [1], "h": {"i": 1}, "": "k", "n": "a\0b" });
        let expected = [("z", "x"), ("a", "1"), ("b", "1.5"), ("c", "true"), ("n", "ab")];
        assert_eq!(pairs(&value), expected.map(|(k, v)| (k.to_owned(), v.to_owned())));
    }

    #[test]
    fn the_first_thirty_with_a_value_are_kept() {
        let map: Map<String, Value> = (0..40).map(|i| (format!("k{i:02}"), if i < 5 { json!("") } else { json!(i) })).collect();
        let kept = pairs(&Value::Object(map));
        assert_eq!(kept.len(), PROPS_MAX);
        assert_eq!((kept[0].0.as_str(), kept[29].0.as_str()), ("k05", "k34"));
    }

    #[test]
    fn long_keys_and_values_are_refused() {
        let check = |key: usize, value: usize, ok: bool| {
            let map = [("k".repeat(key), json!("v".repeat(value)))].into_iter().collect();
            assert_eq!(parse(&map).is_ok(), ok, "{key} {value}");
        };
        check(300, 2_000, true);
        check(301, 1, false);
        check(1, 2_001, false);
    }

    #[test]
    fn some_events_are_about_their_path() {
        let mut props = vec![Property { key: "path".into(), value: "/forged".into() }];
        force_path("404", "/real", &mut props);
        assert_eq!(props, [Property { key: "path".into(), value: "/real".into() }]);
        let mut none = Vec::new();
        force_path("Signup", "/real", &mut none);
        assert!(none.is_empty());
        let mut full = vec![Property { key: "k".into(), value: "v".into() }; PROPS_MAX];
        force_path("Form: Submission", "/real", &mut full);
        assert_eq!((full.len(), full[29].key.as_str()), (PROPS_MAX, "path"));
    }
}
