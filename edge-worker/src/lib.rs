//! The collector: parses and validates what web sites send and keeps it until it is on the stream.
//!
//! `ingest`, `client`, `batcher::core`, `directory::snapshot` and their like are pure and tested natively; the rest is a thin shell over
//! the runtime. Time comes from `platform` alone.

mod backoff;
mod batcher;
mod client;
mod collect;
mod config;
mod directory;
mod draining;
mod ingest;
mod kept;
mod ledger;
mod limits;
mod metrics;
mod nats;
pub mod objects;
mod operate;
mod place;
mod platform;
mod refuse;
mod request;
mod respond;
mod script;
mod spam;
mod timeout;
mod writable;

use draining::State;
use worker::{Context, Env, Method, Request, Response, Result, event};

/// How the paths begin that are only read.
const READ_ONLY: [&str; 5] = ["/js/", "/health", "/api/health", "/api/system/health/", "/internal/"];

/// Every request from outside.
#[event(fetch, respond_with_errors)]
async fn fetch(request: Request, env: Env, context: Context) -> Result<Response> {
    let config = match platform::config(&env) {
        Ok(config) => config,
        Err(error) => {
            worker::console_error!("the worker cannot run: {error}");
            return respond::unavailable("the collector is not configured");
        }
    };
    let method = request.method();
    let is_read = matches!(method, Method::Get | Method::Head);
    match request.path().as_str() {
        "/api/event" => match method {
            Method::Post if draining::state() == State::Closed => respond::unavailable("this edge is about to end"),
            Method::Post => {
                let response = collect::collect(request, &env, &config).await;
                ledger::tell_soon(&context, &env, &config);
                response
            }
            Method::Options => respond::preflight(),
            _ => respond::method_not_allowed("POST, OPTIONS"),
        },
        path if path.starts_with("/js/") && is_read => script::serve(&request, path, &env).await,
        // The last two are Plausible's names.
        "/health" | "/api/health" | "/api/system/health/ready" if is_read => operate::health(&env, &config).await,
        "/api/system/health/live" if is_read => respond::ok("ok"),
        path @ ("/internal/backlog" | "/internal/drain" | "/internal/metrics" | "/internal/panic") if is_read => {
            operate::internal(&request, path, &env, &config).await
        }
        path if !is_read && READ_ONLY.iter().any(|start| path.starts_with(start)) => respond::method_not_allowed("GET, HEAD"),
        _ => respond::not_found(),
    }
}
