//! What a sender is told when its input is refused: field → messages, as the Plausible API says it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{BATCH_EVENTS_MAX, BODY_BYTES_MAX, JSON_DEPTH_MAX};

/// Why a body as a whole cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// Over [`BODY_BYTES_MAX`].
    #[error("must be at most {BODY_BYTES_MAX} bytes")]
    TooLarge,
    /// Not UTF-8.
    #[error("must be valid UTF-8")]
    NotUtf8,
    /// Arrays and objects nest deeper than [`JSON_DEPTH_MAX`].
    #[error("must not nest deeper than {JSON_DEPTH_MAX} levels")]
    TooDeep,
    /// Not JSON, or neither an object nor an array.
    #[error("Unable to parse request body as json")]
    NotJson,
    /// An array of more than [`BATCH_EVENTS_MAX`] events.
    #[error("must have at most {BATCH_EVENTS_MAX} events, has {events}")]
    TooManyEvents {
        /// How many there are.
        events: usize,
    },
    /// An empty array.
    #[error("must have at least one event")]
    NoEvents,
}

impl BodyError {
    /// The HTTP status of the answer.
    pub fn status(&self) -> u16 {
        if matches!(self, Self::TooLarge) { 413 } else { 400 }
    }

    /// The body of the answer.
    pub fn json(&self) -> Value {
        json!({ "errors": { "request": [self.to_string()] } })
    }

    /// Short name for counters.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::TooLarge => "body_too_large",
            Self::NotUtf8 => "not_utf8",
            Self::TooDeep => "too_deep",
            Self::NotJson => "not_json",
            Self::TooManyEvents { .. } => "too_many_events",
            Self::NoEvents => "no_events",
        }
    }
}

/// What is wrong with the fields of one event. Never empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventErrors {
    fields: BTreeMap<&'static str, Vec<String>>,
    domains: Vec<String>,
}

impl EventErrors {
    /// An event with one wrong field.
    pub fn one(field: &'static str, message: impl Into<String>) -> Self {
        let mut errors = Self::default();
        errors.add(field, message);
        errors
    }

    pub(super) fn add(&mut self, field: &'static str, message: impl Into<String>) {
        self.fields.entry(field).or_default().push(message.into());
    }

    pub(super) fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    pub(super) fn set_domains(&mut self, domains: Vec<String>) {
        self.domains = domains;
    }

    /// The sites that the event was meant for, as far as they could be read.
    pub fn domains(&self) -> &[String] {
        &self.domains
    }

    /// The body of the answer: `{"errors":{"url":["is required"]}}`.
    pub fn json(&self) -> Value {
        json!({ "errors": self.fields })
    }

    /// The same for one event of an array: `{"index":1,"errors":{"url":["is required"]}}`.
    pub fn json_at(&self, index: usize) -> Value {
        json!({ "index": index, "errors": self.fields })
    }

    /// The first wrong field, for counters.
    pub fn field(&self) -> &'static str {
        self.fields.keys().next().copied().unwrap_or("request")
    }
}

impl std::fmt::Display for EventErrors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let texts: Vec<String> =
            self.fields.iter().map(|(field, messages)| format!("{field}: {}", messages.join(", "))).collect();
        f.write_str(&texts.join("; "))
    }
}

impl std::error::Error for EventErrors {}
