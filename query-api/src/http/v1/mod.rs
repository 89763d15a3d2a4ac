//! The stats endpoints of Plausible's API v1: each is translated into queries of v2, and their answers back.

mod filters;
mod metrics;
mod period;
mod refusal;
mod request;
mod shape;

pub use refusal::LegacyRefusal;

use super::api::{RevisionParameter, ask, grant, revision};
use super::csv;
use crate::error::ApiError;
use crate::query::Refusal;
use crate::query::calendar::local_date;
use crate::service::{Service, zone};
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use chrono::NaiveDate;
use request::{Breakdown, Common, Compare, Interval, Request};
use serde_json::{Value, json};
use std::sync::Arc;

type Parameters<T> = Result<Query<T>, QueryRejection>;

/// `GET /api/v1/stats/aggregate`: totals of a period.
pub(super) async fn aggregate(
    State(service): State<Arc<Service>>,
    headers: HeaderMap,
    common: Parameters<Common>,
    compare: Parameters<Compare>,
    at: RevisionParameter,
) -> Result<Response, ApiError> {
    answer(&service, &headers, common, compare, at, request::aggregate, shape::aggregate).await
}

/// `GET /api/v1/stats/timeseries`: a period bucket by bucket.
pub(super) async fn timeseries(
    State(service): State<Arc<Service>>,
    headers: HeaderMap,
    common: Parameters<Common>,
    interval: Parameters<Interval>,
    at: RevisionParameter,
) -> Result<Response, ApiError> {
    let shape = |request: &Request, answer: &Value, _: Option<&Value>| shape::timeseries(request, answer);
    answer(&service, &headers, common, interval, at, request::timeseries, shape).await
}

/// `GET /api/v1/stats/breakdown`: a period by the values of one property.
pub(super) async fn breakdown(
    State(service): State<Arc<Service>>,
    headers: HeaderMap,
    common: Parameters<Common>,
    breakdown: Parameters<Breakdown>,
    at: RevisionParameter,
) -> Result<Response, ApiError> {
    let shape = |request: &Request, answer: &Value, _: Option<&Value>| shape::breakdown(request, answer);
    answer(&service, &headers, common, breakdown, at, request::breakdown, shape).await
}

async fn answer<T>(
    service: &Service,
    headers: &HeaderMap,
    common: Parameters<Common>,
    special: Parameters<T>,
    at: RevisionParameter,
    translate: impl Fn(&Common, &T, NaiveDate) -> Result<Request, LegacyRefusal>,
    shape: impl Fn(&Request, &Value, Option<&Value>) -> Value,
) -> Result<Response, ApiError> {
    let grant = grant(service, headers).await?;
    let revision = revision(service, &grant, at)?;
    let (Query(common), Query(special)) = (common.map_err(|_| Refusal::QueryString)?, special.map_err(|_| Refusal::QueryString)?);
    let site_name = common.site().ok_or(Refusal::MissingSite)?;
    let site = service.directory.authorise(&grant, site_name).await?;
    let today = local_date(zone(&site), service.clock.now_ms() as i64);
    let request = translate(&common, &special, today)?;
    let run = async |body: &Value| -> Result<Value, ApiError> {
        let answer = ask(service, &grant, site.clone(), body, revision).await?;
        serde_json::from_slice(&answer).map_err(|_| ApiError::Unavailable)
    };
    let found = run(&request.body).await?;
    let previous = match &request.previous {
        None => None,
        Some(body) => Some(run(body).await?),
    };
    let results = shape(&request, &found, previous.as_ref());
    if csv::is_wanted(headers) {
        return csv::respond(&shape::table(&request, &results), &found);
    }
    let mut response = Json(json!({"results": results})).into_response();
    csv::add_freshness(&mut response, &found)?;
    Ok(response)
}
