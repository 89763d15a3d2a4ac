//! The stats endpoints of Plausible's API v1: each is translated into queries of v2, and their answers back.

mod filters;
mod metrics;
mod period;
mod refusal;
mod request;
mod shape;

pub use refusal::LegacyRefusal;

use super::api::{Rev, RevisionParameter, ask, grant, revision};
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
use serde::Serialize;
use serde_json::Value;
use shape::{Entries, Totals};
use std::sync::Arc;

type Parameters<T> = Result<Query<T>, QueryRejection>;

/// `GET /api/v1/stats/aggregate`: totals of a period.
#[utoipa::path(
    get, path = "/api/v1/stats/aggregate", operation_id = "aggregate", tag = "stats v1", params(Common, Compare, Rev),
    responses((status = 200, description = "Metrics by name.", content((Totals = "application/json"), (String = "text/csv"))))
)]
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
#[utoipa::path(
    get, path = "/api/v1/stats/timeseries", operation_id = "timeseries", tag = "stats v1", params(Common, Interval, Rev),
    responses((status = 200, description = "An entry for each bucket.", content((Entries = "application/json"), (String = "text/csv"))))
)]
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
#[utoipa::path(
    get, path = "/api/v1/stats/breakdown", operation_id = "breakdown", tag = "stats v1", params(Common, Breakdown, Rev),
    responses((status = 200, description = "An entry for each value.", content((Entries = "application/json"), (String = "text/csv"))))
)]
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

async fn answer<T, R: Serialize>(
    service: &Service,
    headers: &HeaderMap,
    common: Parameters<Common>,
    special: Parameters<T>,
    at: RevisionParameter,
    translate: impl Fn(&Common, &T, NaiveDate) -> Result<Request, LegacyRefusal>,
    shape: impl Fn(&Request, &Value, Option<&Value>) -> R,
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
        serde_json::from_slice(&answer.body).map_err(|_| ApiError::Unavailable)
    };
    let found = run(&request.body).await?;
    let previous = match &request.previous {
        None => None,
        Some(body) => Some(run(body).await?),
    };
    let answer = serde_json::to_value(shape(&request, &found, previous.as_ref())).map_err(|_| ApiError::Unavailable)?;
    if csv::is_wanted(headers) {
        return csv::respond(&shape::table(&request, &answer), &found);
    }
    let mut response = Json(answer).into_response();
    csv::add_freshness(&mut response, &found)?;
    Ok(response)
}
