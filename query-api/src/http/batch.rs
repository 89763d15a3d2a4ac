//! `POST /api/v2/queries`: all questions of one view in one request, each authorised, limited and answered by itself.

use super::api::{self, Rev, RevisionParameter, ask, read_json_within, revision};
use super::etag;
use crate::answer::{Answer, Encoded};
use crate::control::Grant;
use crate::error::ApiError;
use crate::limits::Tenant;
use crate::query::{self, Asked, QUERIES_MAX};
use crate::revision::Revision;
use crate::service::Service;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::StreamExt;
use futures::stream;
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;
use utoipa::ToSchema;

/// Largest request body: as many queries of 12 KB.
const BODY_BYTES_MAX: usize = 12 * 1_024 * QUERIES_MAX;

/// How the answer is described. It is written by hand, from answers that are JSON already.
#[derive(Serialize, ToSchema)]
pub(super) struct Answers {
    /// In the order of the queries: the answer to each, or why there is none.
    answers: Vec<OneAnswer>,
    /// By site: its current visitors, or why they are not told.
    #[serde(skip_serializing_if = "Option::is_none")]
    current_visitors: Option<BTreeMap<String, Value>>,
}

/// The answer to one query.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "it is never made, only described")]
pub(super) enum OneAnswer {
    /// As `POST /api/v2/query` gives it.
    Figures(Box<Answer>),
    /// What that would refuse it with.
    Fault {
        /// What is wrong, for people.
        error: String,
        /// The same for programs.
        code: String,
        /// The HTTP status.
        status: u16,
    },
}

/// `POST /api/v2/queries`.
#[utoipa::path(
    post, path = "/api/v2/queries", operation_id = "queries", tag = "stats", params(Rev),
    responses((status = 200, description = "The answer to each query, in their order.", body = Answers))
)]
pub(super) async fn queries(
    State(service): State<Arc<Service>>,
    headers: HeaderMap,
    parameter: RevisionParameter,
    body: Body,
) -> Result<Response, ApiError> {
    let began = Instant::now();
    let grant = api::grant(&service, &headers).await?;
    let revision = revision(&service, &grant, parameter)?;
    let asked = Asked::read(&read_json_within(body, BODY_BYTES_MAX).await?)?;
    // More at once than there are turns would only take places in the queue.
    let at_once = service.engine.turns_of_tenant();
    let count = asked.queries.len();
    let mut jobs = Vec::new();
    for (index, query) in asked.queries.into_iter().enumerate() {
        jobs.push(one(Arc::clone(&service), grant.clone(), query, revision, index == 0));
    }
    let answers: Vec<Result<Encoded, ApiError>> = stream::iter(jobs).buffered(at_once).collect().await;
    let mut visitors = Vec::new();
    for (index, name) in asked.current_visitors.iter().flatten().enumerate() {
        let is_first = index == 0 && count == 0;
        visitors.push((name.clone(), current(&service, &grant, name, revision, is_first).await));
    }
    let visitors = asked.current_visitors.is_some().then_some(visitors);
    service.telemetry.queried(began.elapsed());
    Ok(respond(&headers, &answers, visitors))
}

/// One query. The first of a request was counted with it.
async fn one(service: Arc<Service>, grant: Grant, body: Value, revision: Revision, is_first: bool) -> Result<Encoded, ApiError> {
    if !is_first {
        service.limits.admit(&grant)?;
    }
    let site = service.directory.authorise(&grant, query::site_id(&body)?).await?;
    ask(&service, &grant, site, &body, revision).await
}

async fn current(service: &Service, grant: &Grant, name: &str, revision: Revision, is_first: bool) -> Result<i64, ApiError> {
    if !is_first {
        service.limits.admit(grant)?;
    }
    let site = service.directory.authorise(grant, name).await?;
    service.current_visitors(Tenant::of(grant, &site), site, revision).await
}

/// Answers put together, each as it is.
fn respond(
    headers: &HeaderMap,
    answers: &[Result<Encoded, ApiError>],
    visitors: Option<Vec<(String, Result<i64, ApiError>)>>,
) -> Response {
    let mut hash = Sha256::new();
    let mut body = b"{\"answers\":[".to_vec();
    for (index, answer) in answers.iter().enumerate() {
        if index > 0 {
            body.push(b',');
        }
        match answer {
            Ok(answer) => {
                hash.update(&answer.tag);
                body.extend_from_slice(&answer.body);
            }
            Err(error) => {
                hash.update(error.code());
                body.extend_from_slice(fault(error).to_string().as_bytes());
            }
        }
        hash.update([0]);
    }
    body.push(b']');
    let is_passing = |error: &ApiError| error.status().is_server_error() || error.status().as_u16() == 429;
    let mut is_lasting = !answers.iter().any(|answer| answer.as_ref().err().is_some_and(is_passing));
    if let Some(visitors) = visitors {
        is_lasting &= !visitors.iter().any(|(_, count)| count.as_ref().err().is_some_and(is_passing));
        let counts = visitors.into_iter().map(|(name, count)| (name, count.map_or_else(|error| fault(&error), Value::from)));
        let counts = Value::Object(counts.collect()).to_string();
        hash.update(&counts);
        body.extend_from_slice(b",\"current_visitors\":");
        body.extend_from_slice(counts.as_bytes());
    }
    body.push(b'}');
    let tag = hash.finalize().iter().take(16).fold(0_u128, |tag, byte| tag << 8 | u128::from(*byte));
    // All have the same form, in which the earlier one is the smaller text.
    let watermark = answers.iter().flatten().map(|answer| answer.watermark.clone()).min();
    if !is_lasting {
        return ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], body).into_response();
    }
    let watermark = watermark.unwrap_or_default();
    etag::respond(headers, Encoded { body: Bytes::from(body), tag: format!("{tag:032x}"), watermark })
}

fn fault(error: &ApiError) -> Value {
    json!({"error": error.to_string(), "code": error.code(), "status": error.status().as_u16()})
}
