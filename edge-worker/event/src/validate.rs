//! Bodies of `POST /api/event` to events: which are taken, what is kept of them, and what their senders are told.

mod claims;
mod depth;
mod draft;
mod error;
mod fields;
mod page;
mod props;
mod revenue;

pub use claims::{Claims, TIMESTAMP_AHEAD_MS_MAX};
pub use draft::{Context, Draft, Sender};
pub use error::{BodyError, EventErrors};

use serde_json::Value;

/// Largest body, bytes.
pub const BODY_BYTES_MAX: usize = 1_000_000;
/// Most events of one body.
pub const BATCH_EVENTS_MAX: usize = 100;
/// Deepest nesting of arrays and objects.
pub const JSON_DEPTH_MAX: usize = 32;
/// Longest page address, bytes.
pub const URL_BYTES_MAX: usize = 2_000;
/// Longest event name, characters.
pub const NAME_CHARS_MAX: usize = 120;
/// Longest referrer kept, characters; the rest is cut off.
pub const REFERRER_CHARS_MAX: usize = 2_000;
/// Longest user agent kept, characters; the rest is cut off.
pub const USER_AGENT_CHARS_MAX: usize = 500;
/// Most properties kept of one event; the rest is left out.
pub const PROPS_MAX: usize = 30;
/// Longest key of a property, bytes.
pub const PROP_KEY_BYTES_MAX: usize = 300;
/// Longest value of a property, bytes.
pub const PROP_VALUE_BYTES_MAX: usize = 2_000;
/// Most sites that one event may go to.
pub const DOMAINS_MAX: usize = 20;
/// Engaged time from this on is not believed, milliseconds (30 days).
pub const ENGAGEMENT_MS_LIMIT: u64 = 30 * 24 * 60 * 60 * 1_000;

/// Longest time between an event and its arrival, milliseconds (24 hours).
pub const AGE_MS_MAX: u64 = 24 * 60 * 60 * 1_000;

/// A body that could be read: what became of each of its events.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "one lives at a time, and one event is the usual body")]
pub enum Body {
    /// The body was one object.
    One(Result<Draft, EventErrors>),
    /// The body was an array: one outcome an element, in its order.
    Many(Vec<Result<Draft, EventErrors>>),
}

/// Judges a body. Never panics, whatever the bytes are. Only of a trusted sender the [`Claims`] are read.
///
/// # Errors
/// When the body as a whole cannot be used.
pub fn parse_body(bytes: &[u8], sender: Sender) -> Result<Body, BodyError> {
    Ok(match parse_json(bytes)? {
        Value::Array(items) => Body::Many(items.iter().map(|item| Draft::from_json(item, sender)).collect()),
        item => Body::One(Draft::from_json(&item, sender)),
    })
}

/// The JSON of a body: an object, or an array of at most [`BATCH_EVENTS_MAX`] elements and at least one.
///
/// # Errors
/// When the body as a whole cannot be used.
pub fn parse_json(bytes: &[u8]) -> Result<Value, BodyError> {
    if bytes.len() > BODY_BYTES_MAX {
        return Err(BodyError::TooLarge);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| BodyError::NotUtf8)?;
    if depth::deeper_than(text, JSON_DEPTH_MAX) {
        return Err(BodyError::TooDeep);
    }
    match serde_json::from_str(text).map_err(|_| BodyError::NotJson)? {
        Value::Array(items) if items.len() > BATCH_EVENTS_MAX => Err(BodyError::TooManyEvents { events: items.len() }),
        Value::Array(items) if items.is_empty() => Err(BodyError::NoEvents),
        json @ (Value::Array(_) | Value::Object(_)) => Ok(json),
        _ => Err(BodyError::NotJson),
    }
}

/// Judges one event that is JSON already, as in the lines of an import.
///
/// # Errors
/// Every field that is wrong, with the reason.
pub fn parse_value(value: &Value, sender: Sender) -> Result<Draft, EventErrors> {
    Draft::from_json(value, sender)
}

#[cfg(test)]
#[path = "validate/tests.rs"]
mod tests;
