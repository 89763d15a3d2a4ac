//! The event crate for JavaScript edges and servers: the same verdicts as Weir's own edge, the same bytes on the stream.

use wasm_bindgen::prelude::*;
use weir_event::model::EventBatch;
use weir_event::{codec, validate};

/// What is wrong with an event or a body of `POST /api/event`, as the JSON text that the edge answers, or `undefined` when nothing is.
///
/// Of an array the answer is `{"errors":[{"index":0,"errors":{…}}]}`, with one entry for each refused event.
#[wasm_bindgen]
#[must_use]
pub fn validate(body: &str) -> Option<String> {
    let refused = match validate::parse_body(body.as_bytes()) {
        Err(error) => error.json(),
        Ok(validate::Body::One(Ok(_))) => return None,
        Ok(validate::Body::One(Err(errors))) => errors.json(),
        Ok(validate::Body::Many(events)) => {
            let refused: Vec<_> = events
                .iter()
                .enumerate()
                .filter_map(|(index, event)| event.as_ref().err().map(|errors| refusal(index, errors)))
                .collect();
            if refused.is_empty() {
                return None;
            }
            serde_json::json!({ "errors": refused })
        }
    };
    Some(refused.to_string())
}

fn refusal(index: usize, errors: &validate::EventErrors) -> serde_json::Value {
    let mut json = errors.json();
    serde_json::json!({ "index": index, "errors": json["errors"].take() })
}

/// Version of the batch format, for the header `Weir-Schema`.
#[wasm_bindgen(js_name = schemaVersion)]
#[must_use]
pub fn schema_version() -> u32 {
    weir_event::model::SCHEMA_VERSION
}

/// Reads a batch from the stream and gives its bytes back as Weir would write them: an error says why the bytes are no batch.
#[wasm_bindgen]
pub fn normalise(schema: u32, bytes: &[u8]) -> Result<Vec<u8>, JsError> {
    let batch: EventBatch = codec::decode(schema, bytes)?;
    Ok(codec::encode(&batch))
}

/// Reads the events of a body and makes them a batch: `context` is JSON with `site_id`, `received_ms`, `visitor_id` (decimal text),
/// `user_agent`, `country`, `producer` (32 hex digits) and `number`. Each event takes a random id from `random` (16 bytes each).
#[wasm_bindgen]
pub fn encode(body: &str, context: &str, random: &[u8]) -> Result<Vec<u8>, JsError> {
    crate::batch::encode(body.as_bytes(), context, random).map_err(|error| JsError::new(&error.to_string()))
}

mod batch;
