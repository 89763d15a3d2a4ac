//! `POST /api/event`: from a request to events on stable storage.

use std::rc::Rc;

use serde_json::{Value, json};
use weir_event::validate::{BODY_BYTES_MAX, Body, BodyError, Draft, EventErrors, parse_body};
use worker::wasm_bindgen::{JsCast, JsValue};
use worker::{Env, Method, Request, RequestInit, Response, Result, js_sys};

use crate::client::{Client, Peer, identify};
use crate::config::Config;
use crate::directory::{cache, snapshot::Snapshot};
use crate::ingest::{Group, IngestError, Routed, route, slot};
use crate::platform::{now_ms, random_bytes};
use crate::{batcher, refused, respond};

/// Takes the events of a request. 202 is sent only after they are on stable storage.
pub(crate) async fn collect(mut request: Request, env: &Env, config: &Rc<Config>) -> Result<Response> {
    let (client, user_agent) = sender(&request, config)?;
    if request.headers().get("x-debug-request")?.is_some_and(|value| value == "true") {
        return respond::ok(&client.address.map(|address| address.to_string()).unwrap_or_default());
    }
    let body = match read_body(&mut request).await?.and_then(|bytes| parse_body(&bytes)) {
        Ok(body) => body,
        Err(error) => {
            refused::count(error.reason(), 1);
            return respond::json(error.status(), &error.json());
        }
    };
    let (drafts, refusals) = match body {
        Body::One(Ok(draft)) => (vec![draft], Vec::new()),
        Body::One(Err(errors)) => {
            refused::count(errors.field(), 1);
            return respond::json(400, &errors.json());
        }
        Body::Many(outcomes) => divide(outcomes),
    };
    let errors = (!refusals.is_empty()).then(|| json!({ "errors": refusals }));
    if let (true, Some(errors)) = (drafts.is_empty(), &errors) {
        return respond::json(400, errors);
    }
    let Some(snapshot) = cache::current(env).await else {
        return respond::unavailable("the site list is not loaded yet");
    };
    let received_ms = now_ms();
    let routed = match ingest(drafts, &client, &user_agent, received_ms, &snapshot)? {
        Ok(routed) => routed,
        Err(IngestError::NoSalt) => return respond::unavailable("today's salt is not loaded yet"),
        Err(error @ IngestError::TooLarge) => {
            refused::count("too_large", 1);
            return respond::json(413, &EventErrors::one("request", error.to_string()).json());
        }
    };
    refused::count("not_found", routed.not_found);
    let slot = slot(&client, &user_agent, config.slots);
    if !keep(&routed, env, config, slot, received_ms).await {
        return respond::unavailable("events cannot be stored at the moment");
    }
    respond::accepted(routed.not_found, errors.as_ref())
}

/// Those that are good, and what is wrong with the others.
fn divide(outcomes: Vec<std::result::Result<Draft, EventErrors>>) -> (Vec<Draft>, Vec<Value>) {
    let (mut drafts, mut refusals) = (Vec::new(), Vec::new());
    for (index, outcome) in outcomes.into_iter().enumerate() {
        match outcome {
            Ok(draft) => drafts.push(draft),
            Err(errors) => {
                refused::count(errors.field(), 1);
                let mut refusal = errors.json();
                if let Some(object) = refusal.as_object_mut() {
                    object.insert("index".to_owned(), index.into());
                }
                refusals.push(refusal);
            }
        }
    }
    (drafts, refusals)
}

fn ingest(
    drafts: Vec<Draft>,
    client: &Client,
    user_agent: &str,
    now_ms: u64,
    snapshot: &Snapshot,
) -> Result<std::result::Result<Routed, IngestError>> {
    let mut ids = Vec::new();
    for draft in &drafts {
        for _ in &draft.domains {
            ids.push(u128::from_le_bytes(random_bytes::<16>()?));
        }
    }
    Ok(route(drafts, client, user_agent, now_ms, snapshot, || ids.pop().unwrap_or_default()))
}

/// Hands each partition its events. True when all of them are on stable storage.
async fn keep(routed: &Routed, env: &Env, config: &Config, slot: u32, received_ms: u64) -> bool {
    let mut requests = Vec::new();
    for (partition, group) in &routed.groups {
        if *partition >= config.partitions {
            worker::console_error!("a site is on partition {partition}, which this edge does not have");
            return false;
        }
        requests.push(append(env, config, *partition, slot, group, received_ms));
    }
    // The entry module ends a request whose batcher does not answer.
    futures::future::join_all(requests).await.into_iter().fold(true, |kept, answer| match answer {
        Ok(status) => kept && status == 202,
        Err(error) => {
            worker::console_error!("a batcher failed: {error}");
            false
        }
    })
}

async fn append(env: &Env, config: &Config, partition: u32, slot: u32, group: &Group, received_ms: u64) -> Result<u16> {
    let stub = env.durable_object("BATCHER")?.get_by_name(&format!("p{partition}-s{slot}"))?;
    let mut init = RequestInit::new();
    init.with_method(Method::Post).with_body(Some(js_sys::Uint8Array::from(group.bytes.as_slice()).into()));
    let url = batcher::append_url(&config.region, partition, slot, received_ms);
    Ok(stub.fetch_with_request(Request::new_with_init(&url, &init)?).await?.status_code())
}

/// The client and its user agent.
fn sender(request: &Request, config: &Config) -> Result<(Client, String)> {
    let headers = request.headers();
    let header = |name: &str| headers.get(name).ok().flatten();
    let client = identify(&peer(request), &config.trusted_proxies, header);
    Ok((client, headers.get("user-agent")?.unwrap_or_default()))
}

/// What the runtime says of the connection: plain workerd knows only `clientIp`.
fn peer(request: &Request) -> Peer {
    let property = |object: &JsValue, name: &str| js_sys::Reflect::get(object, &JsValue::from_str(name)).ok();
    let inner: &JsValue = request.inner().unchecked_ref();
    let Some(cf) = property(inner, "cf").filter(JsValue::is_object) else { return Peer::default() };
    let text = |name: &str| property(&cf, name).and_then(|value| value.as_string());
    Peer { client_ip: text("clientIp"), cloudflare: text("colo").is_some(), country: text("country") }
}

/// Reads the body, but never more than a body may have.
async fn read_body(request: &mut Request) -> Result<std::result::Result<Vec<u8>, BodyError>> {
    let length = request.headers().get("content-length")?.and_then(|length| length.parse::<usize>().ok());
    match length {
        Some(length) if length > BODY_BYTES_MAX => Ok(Err(BodyError::TooLarge)),
        // The runtime gives no more than the length that was announced.
        Some(_) => Ok(Ok(request.bytes().await?)),
        None => read_chunks(request).await,
    }
}

async fn read_chunks(request: &mut Request) -> Result<std::result::Result<Vec<u8>, BodyError>> {
    use futures::StreamExt;
    let Ok(mut chunks) = request.stream() else { return Ok(Ok(Vec::new())) };
    let mut bytes = Vec::new();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk?;
        if bytes.len() + chunk.len() > BODY_BYTES_MAX {
            return Ok(Err(BodyError::TooLarge));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(Ok(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_name_their_index() {
        let body = br#"[{"n":"x","u":"https://a.example"},{"n":"x"}]"#;
        let Ok(Body::Many(outcomes)) = parse_body(body) else { panic!("not many") };
        let (drafts, refusals) = divide(outcomes);
        assert_eq!(drafts.len(), 1);
        assert_eq!(refusals, [json!({"index": 1, "errors": {"url": ["is required"]}})]);
    }
}
