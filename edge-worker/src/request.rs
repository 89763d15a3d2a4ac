//! What the worker takes from the runtime's request: key, connection, body.

use weir_event::validate::{BODY_BYTES_MAX, BodyError};
use worker::wasm_bindgen::{JsCast, JsValue};
use worker::{Request, Result, js_sys};

use crate::client::{Peer, Place};

/// The key that the sender shows.
pub(crate) fn key(request: &Request) -> Result<Option<String>> {
    let header = request.headers().get("authorization")?.unwrap_or_default();
    Ok(header.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).map(|(_, key)| key.trim().to_owned()))
}

/// What the runtime says of the connection: plain workerd knows only `clientIp`.
pub(crate) fn peer(request: &Request) -> Peer {
    let property = |object: &JsValue, name: &str| js_sys::Reflect::get(object, &JsValue::from_str(name)).ok();
    let inner: &JsValue = request.inner().unchecked_ref();
    let Some(cf) = property(inner, "cf").filter(JsValue::is_object) else { return Peer::default() };
    let text = |name: &str| property(&cf, name).and_then(|value| value.as_string());
    let client_ip = text("clientIp");
    if text("colo").is_none() {
        return Peer { client_ip, ..Peer::default() };
    }
    let country = text("country").unwrap_or_default();
    let region = text("regionCode").filter(|region| !region.is_empty() && !country.is_empty());
    let bots = property(&cf, "botManagement").filter(JsValue::is_object);
    let is_verified_bot = bots.and_then(|bots| property(&bots, "verifiedBot")).and_then(|value| value.as_bool());
    Peer {
        client_ip,
        cloudflare: true,
        place: Place {
            region: region.map(|region| format!("{country}-{region}")).unwrap_or_default(),
            city: text("city").unwrap_or_default(),
            country,
        },
        is_verified_bot: is_verified_bot.unwrap_or_default(),
    }
}

/// How much of a body that is too large is read on and thrown away. A server that answers and closes while its client still writes is seen as
/// a broken connection, not as a 413: behind HAProxy always, with workerd alone as soon as 64 KB are left.
const DISCARDED_BYTES_MAX: usize = 16_000_000;

/// Reads the body, but never keeps more than a body may have.
pub(crate) async fn body(request: &mut Request) -> Result<std::result::Result<Vec<u8>, BodyError>> {
    use futures::StreamExt;
    let length = request.headers().get("content-length")?.and_then(|length| length.parse::<usize>().ok());
    if length.is_some_and(|length| length <= BODY_BYTES_MAX) {
        // The runtime gives no more than the length that was announced.
        return Ok(Ok(request.bytes().await?));
    }
    if length.is_some_and(|length| length > DISCARDED_BYTES_MAX) {
        return Ok(Err(BodyError::TooLarge));
    }
    let Ok(mut chunks) = request.stream() else { return Ok(Ok(Vec::new())) };
    let mut bytes = Vec::new();
    let mut read = 0;
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk?;
        read += chunk.len();
        if read > DISCARDED_BYTES_MAX {
            break;
        }
        if read <= BODY_BYTES_MAX {
            bytes.extend_from_slice(&chunk);
        }
    }
    if read > BODY_BYTES_MAX { Ok(Err(BodyError::TooLarge)) } else { Ok(Ok(bytes)) }
}
