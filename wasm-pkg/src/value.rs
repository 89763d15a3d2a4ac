//! JavaScript values to bytes and text, and back. What is too large is refused before it is copied.

use js_sys::{JSON, JsString, Object, Reflect, Symbol, Uint8Array};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};
use weir_event::codec::{BATCH_BYTES_MAX, DecodeError};
use weir_event::validate::{BODY_BYTES_MAX, Sender};

use crate::error::Error;

/// Longest JSON text of a batch, UTF-16 units: `decode` gives at most about 20 million, for a batch of nothing but empty events.
const JSON_UNITS_MAX: usize = 24 << 20;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = crypto, js_name = getRandomValues, catch)]
    fn fill_random(bytes: &Uint8Array) -> Result<Uint8Array, JsValue>;
}

/// The bytes of a body: text, bytes, or a value that becomes JSON. One that is too large is as long as needed to be refused for that.
pub(crate) fn body_bytes(body: &JsValue) -> Result<Vec<u8>, JsValue> {
    let oversized = || vec![b' '; BODY_BYTES_MAX + 1];
    if let Some(bytes) = typed_array(body) {
        return Ok(if bytes.length() as usize > BODY_BYTES_MAX { oversized() } else { bytes.to_vec() });
    }
    let text = text_of(body, "body")?;
    Ok(if text.length() as usize > BODY_BYTES_MAX { oversized() } else { String::from(text).into_bytes() })
}

/// The bytes of a message on the stream.
pub(crate) fn batch_bytes(value: &JsValue) -> Result<Vec<u8>, JsValue> {
    let form = "a Uint8Array";
    let bytes = typed_array(value).ok_or(Error::Argument { argument: "bytes", form })?;
    let size_bytes = bytes.length() as usize;
    if size_bytes > BATCH_BYTES_MAX {
        return Err(Error::from(DecodeError::TooLarge { size_bytes }).into());
    }
    Ok(bytes.to_vec())
}

/// The bytes given as random, as many as wanted.
pub(crate) fn random_bytes(value: &JsValue, wanted: usize) -> Result<Vec<u8>, JsValue> {
    let bytes = typed_array(value).ok_or(Error::Argument { argument: "random", form: "a Uint8Array" })?;
    let found = bytes.length() as usize;
    if found != wanted {
        return Err(Error::Random { wanted, found }.into());
    }
    Ok(bytes.to_vec())
}

/// Bytes from the platform's source of randomness, at most 65,536.
pub(crate) fn fresh_random(wanted: usize) -> Result<Vec<u8>, JsValue> {
    let bytes = Uint8Array::new_with_length(u32::try_from(wanted).unwrap_or(0));
    Ok(fill_random(&bytes)?.to_vec())
}

/// The number in the header `Weir-Schema`.
pub(crate) fn schema(value: &JsValue) -> Result<u32, JsValue> {
    let number = whole(value).and_then(|number| u32::try_from(number).ok());
    Ok(number.ok_or(Error::Argument { argument: "schema", form: "a whole number" })?)
}

/// A sender is trusted when the time is given.
pub(crate) fn sender(trusted_ms: &JsValue) -> Result<Sender, JsValue> {
    if trusted_ms.is_undefined() {
        return Ok(Sender::Anyone);
    }
    let now_ms = whole(trusted_ms).ok_or(Error::Argument { argument: "trustedMs", form: "a whole number" })?;
    Ok(Sender::Trusted { now_ms })
}

fn whole(value: &JsValue) -> Option<u64> {
    let is_whole = |number: &f64| number.fract() == 0.0 && (0.0..=9e15).contains(number);
    value.as_f64().filter(is_whole).map(|number| number as u64)
}

/// The value as JSON text; text is taken for JSON already.
pub(crate) fn json_of(value: &JsValue, argument: &'static str) -> Result<String, JsValue> {
    let text = text_of(value, argument)?;
    if text.length() as usize > JSON_UNITS_MAX {
        return Err(Error::Argument { argument, form: "less than 24 MiB of JSON" }.into());
    }
    Ok(text.into())
}

/// JSON text as a value.
pub(crate) fn parsed(text: &str) -> Result<JsValue, JsValue> {
    JSON::parse(text)
}

/// Sets a property of an object that this package makes.
pub(crate) fn set(object: &JsValue, name: &str, value: &JsValue) -> Result<(), JsValue> {
    Reflect::set(object, &name.into(), value).map(|_was_set| ())
}

/// The error as an exception: an `Error` named `WeirError` with `code` and what belongs to it.
pub(crate) fn exception(error: &Error) -> JsValue {
    let exception = js_sys::Error::new(&error.to_string());
    exception.set_name("WeirError");
    let mut details = error.details();
    details.insert("code".to_owned(), error.code().into());
    for (name, detail) in details {
        let detail = parsed(&detail.to_string()).unwrap_or(JsValue::NULL);
        // The object is our own: nothing keeps a property from being set.
        let _set = set(&exception, &name, &detail);
    }
    exception.into()
}

fn text_of(value: &JsValue, argument: &'static str) -> Result<JsString, JsValue> {
    if let Some(text) = value.dyn_ref::<JsString>() {
        return Ok(text.clone());
    }
    // What JSON cannot say at all (a function, a symbol, undefined) gives no text; what it cannot say whole throws.
    let text: JsValue = JSON::stringify(value)?.into();
    text.dyn_into().map_err(|_| Error::Argument { argument, form: "text or a value that JSON can say" }.into())
}

/// The value if it is a `Uint8Array`, of whatever realm: a `Buffer` and one of another window are some too.
fn typed_array(value: &JsValue) -> Option<Uint8Array> {
    let tag = value.dyn_ref::<Object>().and_then(|object| Reflect::get(object, &Symbol::to_string_tag()).ok());
    let is_bytes = tag.and_then(|tag| tag.as_string()).as_deref() == Some("Uint8Array");
    is_bytes.then(|| value.clone().unchecked_into())
}
