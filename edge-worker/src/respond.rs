//! Answers to the outside. Each may be read by pages of any origin.

use std::collections::BTreeSet;

use serde_json::Value;
use worker::{Response, ResponseBuilder, Result};

use crate::ingest::Dropped;

/// When to come back, seconds.
const RETRY_AFTER_S: &str = "2";

/// Headers of every answer.
fn builder(status: u16) -> Result<ResponseBuilder> {
    let exposed = "x-plausible-dropped, x-dropped-reason, retry-after";
    ResponseBuilder::new()
        .with_status(status)
        .with_header("access-control-allow-origin", "*")?
        .with_header("access-control-expose-headers", exposed)
}

fn text(builder: ResponseBuilder, body: &str) -> Result<Response> {
    Ok(builder.with_header("content-type", "text/plain; charset=utf-8")?.fixed(body.as_bytes().to_vec()))
}

/// JSON with a status.
pub(crate) fn json(status: u16, body: &Value) -> Result<Response> {
    let builder = builder(status)?.with_header("cache-control", "no-store")?;
    Ok(builder.with_header("content-type", "application/json; charset=utf-8")?.fixed(body.to_string().into_bytes()))
}

/// Events were taken, or dropped by a rule that is no fault of the sender: 202. The header that names the reasons is ours.
pub(crate) fn accepted(dropped: &[Dropped], errors: Option<&Value>) -> Result<Response> {
    let mut builder = builder(202)?;
    if !dropped.is_empty() {
        let reasons: BTreeSet<&str> = dropped.iter().map(|dropped| dropped.reason).collect();
        let reasons = reasons.into_iter().collect::<Vec<_>>().join(", ");
        builder = builder.with_header("x-plausible-dropped", &dropped.len().to_string())?;
        builder = builder.with_header("x-dropped-reason", &reasons)?;
    }
    match errors {
        Some(errors) => {
            Ok(builder.with_header("content-type", "application/json; charset=utf-8")?.fixed(errors.to_string().into_bytes()))
        }
        None => text(builder, "ok"),
    }
}

/// More than the site takes: 429, and when there is room again.
pub(crate) fn too_many(retry_after_s: u64) -> Result<Response> {
    let builder =
        builder(429)?.with_header("cache-control", "no-store")?.with_header("retry-after", &retry_after_s.to_string())?;
    text(builder, "more events than the site takes in a second")
}

/// Plain text with 200.
pub(crate) fn ok(body: &str) -> Result<Response> {
    text(builder(200)?, body)
}

/// Numbers in the format of Prometheus.
pub(crate) fn metrics(body: &str) -> Result<Response> {
    let builder = builder(200)?.with_header("cache-control", "no-store")?;
    let builder = builder.with_header("content-type", "text/plain; version=0.0.4; charset=utf-8")?;
    Ok(builder.fixed(body.as_bytes().to_vec()))
}

/// Not now, but soon: 503.
pub(crate) fn unavailable(reason: &str) -> Result<Response> {
    text(builder(503)?.with_header("cache-control", "no-store")?.with_header("retry-after", RETRY_AFTER_S)?, reason)
}

/// 405 with the methods that there are.
pub(crate) fn method_not_allowed(allow: &str) -> Result<Response> {
    text(builder(405)?.with_header("allow", allow)?, "method not allowed")
}

/// 404.
pub(crate) fn not_found() -> Result<Response> {
    text(builder(404)?, "not found")
}

/// 401.
pub(crate) fn unauthorized() -> Result<Response> {
    text(builder(401)?.with_header("www-authenticate", "Bearer")?, "a valid token is needed")
}

/// The answer to a browser that asks whether it may send JSON.
pub(crate) fn preflight() -> Result<Response> {
    Ok(builder(204)?
        .with_header("access-control-allow-methods", "POST, OPTIONS")?
        .with_header("access-control-allow-headers", "content-type, authorization, x-debug-request")?
        .with_header("access-control-max-age", "86400")?
        .empty())
}
