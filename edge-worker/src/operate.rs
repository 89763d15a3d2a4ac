//! What operators ask: health, backlog, metrics, and in tests a panic.

use serde_json::json;
use weir_event::identity::utc_day;
use worker::{Env, Method, Request, Response, Result};

use crate::batcher::{Status, panic_url, probe_url, status_url};
use crate::config::Config;
use crate::directory::cache;
use crate::draining::State;
use crate::platform::now_ms;
use crate::timeout::with_timeout;
use crate::{draining, ledger, metrics, place, respond, writable};

/// How long a batcher may take to answer, milliseconds.
const STATUS_TIMEOUT_MS: u64 = 3_000;

/// 200 only when events will be taken: sites and salt are loaded, and a batcher answers and has room.
pub(crate) async fn health(env: &Env, config: &Config) -> Result<Response> {
    if draining::state() != State::Open {
        return respond::unavailable("this edge is about to end");
    }
    let Some(snapshot) = cache::current(env).await else { return respond::unavailable("the site list is not loaded yet") };
    if snapshot.salt(&utc_day(now_ms())).is_none() {
        return respond::unavailable("today's salt is not loaded yet");
    }
    place::load(env).await;
    match status(env, config, 0, 0).await {
        Ok(status) if status.is_full => respond::unavailable("the backlog is full"),
        Ok(_) if writable::is_in_doubt() && !can_store(env, config).await => respond::unavailable("events cannot be stored"),
        Ok(_) => respond::json(200, &json!({ "status": "ok" })),
        Err(error) => {
            worker::console_error!("a batcher is not healthy: {error}");
            respond::unavailable("the batcher does not answer")
        }
    }
}

/// Requests that need the operator's token.
pub(crate) async fn internal(request: &Request, path: &str, env: &Env, config: &Config) -> Result<Response> {
    let header = request.headers().get("authorization")?.unwrap_or_default();
    if !header.strip_prefix("Bearer ").is_some_and(|token| is_same(token.trim(), &config.edge_token)) {
        return respond::unauthorized();
    }
    if path == "/internal/backlog" {
        return backlog(env, config).await;
    }
    if path == "/internal/drain" {
        return drain(request);
    }
    if path == "/internal/metrics" {
        let Some(sum) = all_batchers(env, config).await else { return respond::unavailable("a batcher does not answer") };
        return respond::metrics(&metrics::render(&sum, &ledger::totals()));
    }
    if !config.test_panic {
        return respond::not_found();
    }
    if request.url()?.query() == Some("in=batcher") {
        let stub = env.durable_object("BATCHER")?.get_by_name("p0-s0")?;
        return stub.fetch_with_request(Request::new(&panic_url(config, 0, 0), Method::Get)?).await;
    }
    panic!("a panic that the operator asked for");
}

/// Sets how far the end of this edge has come.
fn drain(request: &Request) -> Result<Response> {
    let url = request.url()?;
    let named = url.query_pairs().find(|(key, _)| key == "state").and_then(|(_, name)| State::named(&name));
    let Some(state) = named else {
        return respond::json(400, &json!({ "error": "state must be open, leaving or closed" }));
    };
    draining::set(state);
    respond::json(200, &json!({ "status": "ok" }))
}

/// What all batchers keep together; `None` when one of them does not answer.
async fn all_batchers(env: &Env, config: &Config) -> Option<Status> {
    let mut sum = Status::default();
    for partition in 0..config.partitions {
        for slot in 0..config.slots {
            match status(env, config, partition, slot).await {
                Ok(status) => sum = sum.and(status),
                Err(error) => {
                    worker::console_error!("batcher {partition}/{slot} does not answer: {error}");
                    return None;
                }
            }
        }
    }
    Some(sum)
}

/// What all batchers keep, and what was refused here.
async fn backlog(env: &Env, config: &Config) -> Result<Response> {
    let Some(sum) = all_batchers(env, config).await else { return respond::unavailable("a batcher does not answer") };
    let mut body = serde_json::to_value(&sum).map_err(worker::Error::from)?;
    if let Some(object) = body.as_object_mut() {
        object.insert("refused".to_owned(), json!(ledger::totals()));
    }
    respond::json(200, &body)
}

async fn status(env: &Env, config: &Config, partition: u32, slot: u32) -> Result<Status> {
    let stub = env.durable_object("BATCHER")?.get_by_name(&format!("p{partition}-s{slot}"))?;
    let asking = async {
        let request = Request::new(&status_url(config, partition, slot), Method::Get)?;
        let mut response = stub.fetch_with_request(request).await?;
        match response.status_code() {
            200 => response.json().await,
            status => Err(worker::Error::RustError(format!("status {status}"))),
        }
    };
    let late = || Err(worker::Error::RustError(format!("no answer within {STATUS_TIMEOUT_MS} ms")));
    with_timeout(STATUS_TIMEOUT_MS, asking).await.unwrap_or_else(late)
}

/// Has a batcher write something; its disk may be full.
async fn can_store(env: &Env, config: &Config) -> bool {
    let trying = async {
        let stub = env.durable_object("BATCHER")?.get_by_name("p0-s0")?;
        let answer = stub.fetch_with_request(Request::new(&probe_url(config, 0, 0), Method::Post)?).await?;
        Result::<bool>::Ok(answer.status_code() == 200)
    };
    let is_stored = matches!(with_timeout(STATUS_TIMEOUT_MS, trying).await, Some(Ok(true)));
    writable::note(is_stored);
    is_stored
}

/// Compares without telling by its duration where the texts differ.
fn is_same(given: &str, expected: &str) -> bool {
    given.len() == expected.len() && given.bytes().zip(expected.bytes()).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens() {
        assert!(is_same("abc", "abc"));
        assert!(!is_same("abd", "abc") && !is_same("ab", "abc") && !is_same("", "abc"));
    }
}
