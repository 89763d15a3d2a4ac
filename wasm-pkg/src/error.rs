//! Why a call failed: a code and the values that belong to it, for JavaScript as a `WeirError`.

use serde_json::{Map, Value, json};
use wasm_bindgen::JsValue;
use weir_event::codec::DecodeError;
use weir_event::validate::{BodyError, EventErrors};

/// Every way in which a call can fail.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("{argument} must be {form}")]
    Argument { argument: &'static str, form: &'static str },
    #[error("request: {0}")]
    Body(#[from] BodyError),
    #[error("event {index}: {errors}")]
    Event { index: usize, errors: EventErrors },
    #[error("random must have 16 bytes an event, {wanted} in all, it has {found}")]
    Random { wanted: usize, found: usize },
    #[error("not JSON: {0}")]
    Json(serde_json::Error),
    #[error("must be an object")]
    NoObject,
    #[error("{field} must be {form}")]
    Field { field: &'static str, form: &'static str },
    #[error("{field} is no field")]
    UnknownField { field: String },
    #[error("the {field} {number} is more than a JavaScript number holds exactly")]
    UnsafeInteger { field: &'static str, number: u64 },
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

impl Error {
    /// Short name, which never changes.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Argument { .. } => "invalid_argument",
            Self::Body(_) => "invalid_body",
            Self::Event { .. } => "invalid_event",
            Self::Random { .. } => "invalid_random",
            Self::Json(_) | Self::NoObject | Self::Field { .. } | Self::UnknownField { .. } => "invalid_field",
            Self::UnsafeInteger { .. } => "unsafe_integer",
            Self::Decode(DecodeError::UnknownSchema { .. }) => "unknown_schema",
            Self::Decode(DecodeError::TooLarge { .. }) => "too_large",
            Self::Decode(DecodeError::TooManyEvents) => "too_many_events",
            Self::Decode(DecodeError::Malformed { .. }) => "malformed",
        }
    }

    /// The values that belong to it: properties of the exception.
    pub(crate) fn details(&self) -> Map<String, Value> {
        let details = match self {
            Self::Argument { argument, .. } => json!({ "argument": argument }),
            Self::Body(error) => {
                let mut json = error.json();
                json!({ "status": error.status(), "errors": json["errors"].take() })
            }
            Self::Event { index, errors } => {
                let mut json = errors.json();
                json!({ "index": index, "errors": json["errors"].take() })
            }
            Self::Field { field, .. } | Self::UnsafeInteger { field, .. } => json!({ "field": field }),
            Self::UnknownField { field } => json!({ "field": field }),
            Self::Random { wanted, found } => json!({ "wanted": wanted, "found": found }),
            Self::Decode(DecodeError::UnknownSchema { version }) => json!({ "version": version }),
            Self::Decode(DecodeError::TooLarge { size_bytes }) => json!({ "size_bytes": size_bytes }),
            Self::Json(_) | Self::NoObject | Self::Decode(_) => Value::Null,
        };
        match details {
            Value::Object(map) => map,
            _ => Map::new(),
        }
    }
}

impl From<Error> for JsValue {
    fn from(error: Error) -> Self {
        crate::value::exception(&error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_details() {
        let check = |error: Error, code: &str, details: Value| {
            assert_eq!((error.code(), Value::Object(error.details())), (code, details), "{error}");
        };
        let errors = json!({"request": ["must be at most 1000000 bytes"]});
        check(Error::Body(BodyError::TooLarge), "invalid_body", json!({"status": 413, "errors": errors}));
        let errors = json!({"url": ["is required"]});
        check(
            Error::Event { index: 2, errors: EventErrors::one("url", "is required") },
            "invalid_event",
            json!({"index": 2, "errors": errors}),
        );
        check(DecodeError::TooManyEvents.into(), "too_many_events", json!({}));
        check(DecodeError::UnknownSchema { version: 9 }.into(), "unknown_schema", json!({"version": 9}));
        check(Error::UnsafeInteger { field: "number", number: u64::MAX }, "unsafe_integer", json!({"field": "number"}));
        check(Error::UnknownField { field: "x".into() }, "invalid_field", json!({"field": "x"}));
    }
}
