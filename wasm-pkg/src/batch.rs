//! A batch from a body and what the sender knows of its client. Knows nothing of JavaScript, so that it is tested natively.

use serde::Deserialize;
use weir_event::codec;
use weir_event::model::{BotMark, EventBatch, Origin};
use weir_event::validate::{self, Body, BodyError, Context, EventErrors};

/// What the caller knows.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Known {
    site_id: u32,
    received_ms: u64,
    visitor_id: String,
    #[serde(default)]
    user_agent: String,
    #[serde(default)]
    country: String,
    producer: String,
    number: u64,
}

/// Why there is no batch.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EncodeError {
    #[error("request: {0}")]
    Body(#[from] BodyError),
    #[error("event {index}: {errors}")]
    Event { index: usize, errors: EventErrors },
    #[error("context: {0}")]
    Context(#[from] serde_json::Error),
    #[error("context: {field} must be {form}")]
    Field { field: &'static str, form: &'static str },
    #[error("random must have 16 bytes an event, {wanted} in all, it has {found}")]
    Random { wanted: usize, found: usize },
}

pub(crate) fn encode(body: &[u8], context: &str, random: &[u8]) -> Result<Vec<u8>, EncodeError> {
    let known: Known = serde_json::from_str(context)?;
    let visitor_id =
        known.visitor_id.parse().map_err(|_| EncodeError::Field { field: "visitor_id", form: "a decimal number below 2^64" })?;
    let producer = hex::decode(&known.producer)
        .ok()
        .filter(|id| id.len() == 16)
        .ok_or(EncodeError::Field { field: "producer", form: "32 hex digits" })?;
    let drafts = match validate::parse_body(body)? {
        Body::One(draft) => vec![draft],
        Body::Many(drafts) => drafts,
    };
    let (ids, _) = random.as_chunks::<16>();
    if ids.len() != drafts.len() || random.len() != drafts.len() * 16 {
        return Err(EncodeError::Random { wanted: drafts.len() * 16, found: random.len() });
    }
    let mut batch = EventBatch { producer, number: known.number, formed_ms: known.received_ms, ..EventBatch::default() };
    for (index, (draft, id)) in drafts.into_iter().zip(ids).enumerate() {
        let draft = draft.map_err(|errors| EncodeError::Event { index, errors })?;
        batch.events.push(draft.into_event(&Context {
            id: u128::from_be_bytes(*id),
            retry: false,
            event_ms: known.received_ms,
            received_ms: known.received_ms,
            site_id: known.site_id,
            visitor_id,
            previous_visitor_id: 0,
            user_agent: known.user_agent.clone(),
            country: known.country.clone(),
            bot: BotMark::None,
            origin: Origin::Edge,
        }));
    }
    Ok(codec::encode(&batch))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTEXT: &str = r#"{"site_id":7,"received_ms":1795000000000,"visitor_id":"18446744073709551615","country":"NZ",
        "producer":"000102030405060708090a0b0c0d0e0f","number":3}"#;
    const BODY: &str = r#"{"n":"pageview","u":"https://shop.example/a","d":"shop.example"}"#;

    #[test]
    fn an_encoded_batch_reads_back() {
        let bytes = encode(BODY.as_bytes(), CONTEXT, &[9; 16]).expect("a good event");
        let batch = codec::decode(1, &bytes).expect("a batch");
        assert_eq!((batch.number, batch.events.len()), (3, 1));
        assert_eq!(batch.events[0].visitor_id, u64::MAX);
        assert_eq!(batch.events[0].pathname, "/a");
        assert_eq!(batch.events[0].id(), u128::from_be_bytes([9; 16]));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (body, context, random, expected) in [
            ("{", CONTEXT, 16, "request: Unable to parse request body as json"),
            (r#"{"n":"pageview","d":"a.example"}"#, CONTEXT, 16, "event 0: url: is required"),
            (BODY, CONTEXT, 15, "random must have 16 bytes an event, 16 in all, it has 15"),
            (BODY, &CONTEXT.replace("0e0f", "0e"), 16, "context: producer must be 32 hex digits"),
            (BODY, &CONTEXT.replace("184467", "x"), 16, "context: visitor_id must be a decimal number below 2^64"),
        ] {
            let error = encode(body.as_bytes(), context, &vec![0; random]).expect_err("must be refused");
            assert_eq!(error.to_string(), expected);
        }
    }
}
