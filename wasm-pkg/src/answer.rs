//! What the edge answers to a body of `POST /api/event`. Knows nothing of JavaScript.

use serde_json::{Value, json};
use weir_event::validate::{Body, Sender, parse_body};

/// An answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// HTTP status: 202 also where only some events of an array are refused.
    pub(crate) status: u16,
    /// The refusals as JSON text; none when every event is taken.
    pub(crate) errors: Option<String>,
}

/// Judges a body. Never panics, whatever the bytes are.
pub(crate) fn answer(body: &[u8], sender: Sender) -> Answer {
    match parse_body(body, sender) {
        Err(error) => Answer { status: error.status(), errors: Some(error.json().to_string()) },
        Ok(Body::One(Ok(_))) => Answer { status: 202, errors: None },
        Ok(Body::One(Err(errors))) => Answer { status: 400, errors: Some(errors.json().to_string()) },
        Ok(Body::Many(events)) => {
            let refused: Vec<Value> = events
                .iter()
                .enumerate()
                .filter_map(|(index, event)| event.as_ref().err().map(|errors| errors.json_at(index)))
                .collect();
            let status = if refused.len() == events.len() { 400 } else { 202 };
            Answer { status, errors: (!refused.is_empty()).then(|| json!({ "errors": refused }).to_string()) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_the_edge() {
        let check = |body: &str, status: u16, errors: Option<&str>| {
            let expected = Answer { status, errors: errors.map(str::to_owned) };
            assert_eq!(answer(body.as_bytes(), Sender::Anyone), expected, "{body}");
        };
        let good = r#"{"n":"pageview","u":"https://shop.example/a","d":"shop.example"}"#;
        let bad = r#"{"n":"pageview","d":"shop.example"}"#;
        check(good, 202, None);
        check(&format!("[{good},{good}]"), 202, None);
        check(bad, 400, Some(r#"{"errors":{"url":["is required"]}}"#));
        check("{", 400, Some(r#"{"errors":{"request":["Unable to parse request body as json"]}}"#));
        check("[]", 400, Some(r#"{"errors":{"request":["must have at least one event"]}}"#));
        check(&format!("[{good},{bad}]"), 202, Some(r#"{"errors":[{"index":1,"errors":{"url":["is required"]}}]}"#));
        check(
            &format!("[{bad},7]"),
            400,
            Some(
                r#"{"errors":[{"index":0,"errors":{"url":["is required"]}},{"index":1,"errors":{"request":["must be an object"]}}]}"#,
            ),
        );
        check(&" ".repeat(1_000_001), 413, Some(r#"{"errors":{"request":["must be at most 1000000 bytes"]}}"#));
    }

    #[test]
    fn bytes_that_are_no_text() {
        let errors = Some(r#"{"errors":{"request":["must be valid UTF-8"]}}"#.to_owned());
        assert_eq!(answer(&[b'"', 0xff, b'"'], Sender::Anyone), Answer { status: 400, errors });
    }

    #[test]
    fn only_a_trusted_sender_is_asked_for_its_claims() {
        let body = br#"{"n":"x","u":"https://a.example","timestamp":"today"}"#;
        assert_eq!(answer(body, Sender::Anyone).status, 202);
        let errors = r#"{"errors":{"timestamp":["must be a time such as 2026-01-31T12:00:00Z"]}}"#.to_owned();
        assert_eq!(answer(body, Sender::Trusted { now_ms: 1 }), Answer { status: 400, errors: Some(errors) });
    }
}
