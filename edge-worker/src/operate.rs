//! What operators ask: health, backlog, and in tests a panic.

use serde_json::json;
use weir_event::identity::utc_day;
use worker::{Env, Method, Request, Response, Result};

use crate::batcher::{Status, panic_url, status_url};
use crate::config::Config;
use crate::directory::cache;
use crate::platform::now_ms;
use crate::timeout::with_timeout;
use crate::{ledger, place, respond};

/// How long a batcher may take to answer, milliseconds.
const STATUS_TIMEOUT_MS: u64 = 3_000;

/// 200 only when events will be taken: sites and salt are loaded, and a batcher answers and has room.
pub(crate) async fn health(env: &Env, config: &Config) -> Result<Response> {
    let Some(snapshot) = cache::current(env).await else { return respond::unavailable("the site list is not loaded yet") };
    if snapshot.salt(&utc_day(now_ms())).is_none() {
        return respond::unavailable("today's salt is not loaded yet");
    }
    place::load(env).await;
    match status(env, config, 0, 0).await {
        Ok(status) if status.is_full => respond::unavailable("the backlog is full"),
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
    if !config.test_panic {
        return respond::not_found();
    }
    if request.url()?.query() == Some("in=batcher") {
        let stub = env.durable_object("BATCHER")?.get_by_name("p0-s0")?;
        return stub.fetch_with_request(Request::new(&panic_url(config, 0, 0), Method::Get)?).await;
    }
    panic!("a panic that the operator asked for");
}

/// What all batchers keep, and what was refused here.
async fn backlog(env: &Env, config: &Config) -> Result<Response> {
    let mut sum = Status::default();
    for partition in 0..config.partitions {
        for slot in 0..config.slots {
            match status(env, config, partition, slot).await {
                Ok(status) => sum = sum.and(status),
                Err(error) => {
                    worker::console_error!("batcher {partition}/{slot} does not answer: {error}");
                    return respond::unavailable("a batcher does not answer");
                }
            }
        }
    }
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
