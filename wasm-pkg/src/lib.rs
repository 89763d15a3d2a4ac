//! The event crate for JavaScript edges and servers: the same verdicts as Weir's own edge, the same bytes on the stream.
//!
//! The exports below only carry values between JavaScript and the modules, which know nothing of it and are tested natively. Their types
//! in TypeScript stand in `types.d.ts`.

use js_sys::Uint8Array;
use wasm_bindgen::prelude::*;

mod answer;
mod batch;
mod error;
mod fields;
mod read;
mod record;
mod value;

use error::Error;
use value::{batch_bytes, body_bytes, json_of};

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = include_str!("types.d.ts");

/// What is wrong with an event or a body of `POST /api/event`, as the JSON text that the edge answers, or `undefined` when nothing is.
///
/// `trustedMs` is the time now, given where the sender has shown a key that may write: then its `timestamp`, `ip` and `user_agent` are judged too.
///
/// Of an array the text is `{"errors":[{"index":0,"errors":{…}}]}`, with one entry for each refused event.
///
/// # Errors
/// Only when `body` is neither text nor bytes, nor a value that JSON can say.
#[wasm_bindgen]
pub fn validate(
    #[wasm_bindgen(unchecked_param_type = "Body")] body: &JsValue,
    #[wasm_bindgen(js_name = trustedMs, unchecked_optional_param_type = "number")] trusted_ms: &JsValue,
) -> Result<Option<String>, JsValue> {
    Ok(answer::answer(&body_bytes(body)?, value::sender(trusted_ms)?).errors)
}

/// The status and the text that the edge answers to a body of `POST /api/event` for sites that it knows; see `validate` for `trustedMs`.
///
/// # Errors
/// Only when `body` is neither text nor bytes, nor a value that JSON can say.
#[wasm_bindgen(unchecked_return_type = "Answer")]
pub fn answer(
    #[wasm_bindgen(unchecked_param_type = "Body")] body: &JsValue,
    #[wasm_bindgen(js_name = trustedMs, unchecked_optional_param_type = "number")] trusted_ms: &JsValue,
) -> Result<JsValue, JsValue> {
    let answer = answer::answer(&body_bytes(body)?, value::sender(trusted_ms)?);
    let object = js_sys::Object::new();
    value::set(&object, "status", &answer.status.into())?;
    value::set(&object, "body", &answer.errors.as_deref().unwrap_or("ok").into())?;
    Ok(object.into())
}

/// Version of the batch format, for the header `Weir-Schema`.
#[wasm_bindgen(js_name = schemaVersion)]
#[must_use]
pub fn schema_version() -> u32 {
    weir_event::model::SCHEMA_VERSION
}

/// Reads the events of a body and makes them a batch. Each event that does not bring an id of its own takes one of 16 bytes from `random`,
/// which the platform's source of randomness fills when it is left out.
///
/// # Errors
/// A `WeirError`: what is wrong with the body, one of its events, the context or the random bytes.
#[wasm_bindgen]
pub fn encode(
    #[wasm_bindgen(unchecked_param_type = "Body")] body: &JsValue,
    #[wasm_bindgen(unchecked_param_type = "BatchContext | string")] context: &JsValue,
    #[wasm_bindgen(unchecked_optional_param_type = "Uint8Array")] random: &JsValue,
) -> Result<Uint8Array, JsValue> {
    let known = batch::Known::parse(&json_of(context, "context")?)?;
    let drafts = batch::drafts(&body_bytes(body)?, &known)?;
    let random = if random.is_undefined() || random.is_null() {
        value::fresh_random(drafts.len() * batch::ID_BYTES)?
    } else {
        value::random_bytes(random, drafts.len() * batch::ID_BYTES)?
    };
    Ok(Uint8Array::from(batch::encode(drafts, known, &random)?.as_slice()))
}

/// Makes a batch of events and counts that are at hand: the inverse of `decode`. What is left out takes the format's default.
///
/// # Errors
/// A `WeirError`: what is wrong with the batch.
#[wasm_bindgen(js_name = encodeBatch)]
pub fn encode_batch(#[wasm_bindgen(unchecked_param_type = "BatchInput")] batch: &JsValue) -> Result<Uint8Array, JsValue> {
    Ok(Uint8Array::from(read::encode(&json_of(batch, "batch")?)?.as_slice()))
}

/// Reads a batch from the stream. `schema` is what the header `Weir-Schema` said, the newest version when left out.
///
/// # Errors
/// A `WeirError`: why the bytes are no batch.
#[wasm_bindgen(unchecked_return_type = "Batch")]
pub fn decode(
    #[wasm_bindgen(unchecked_param_type = "Uint8Array")] bytes: &JsValue,
    #[wasm_bindgen(unchecked_optional_param_type = "number")] schema: &JsValue,
) -> Result<JsValue, JsValue> {
    let schema = if schema.is_undefined() { schema_version() } else { value::schema(schema)? };
    let text = record::decode(schema, &batch_bytes(bytes)?)?;
    value::parsed(&text)
}

/// Reads a batch from the stream and gives its bytes back as Weir would write them.
///
/// # Errors
/// A `WeirError`: why the bytes are no batch.
#[wasm_bindgen]
pub fn normalise(
    #[wasm_bindgen(unchecked_param_type = "number")] schema: &JsValue,
    #[wasm_bindgen(unchecked_param_type = "Uint8Array")] bytes: &JsValue,
) -> Result<Uint8Array, JsValue> {
    let batch = weir_event::codec::decode(value::schema(schema)?, &batch_bytes(bytes)?).map_err(Error::from)?;
    Ok(Uint8Array::from(weir_event::codec::encode(&batch).as_slice()))
}
