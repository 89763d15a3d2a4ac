//! What operators see and do: partitions and their files, refused payloads, replays. For admins only.

mod overview;
mod replay;

use super::api::grant;
use crate::control::Grant;
use crate::error::ApiError;
use crate::operator::OperatorRefusal;
use crate::service::Service;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use utoipa::IntoParams;

/// Longest list of refused payloads.
const REJECTED_MAX: u32 = 1_000;
/// Its length unless another is asked for.
const REJECTED: u32 = 50;

/// How these routes are described: a route that is not named here fails a test.
#[derive(utoipa::OpenApi)]
#[openapi(paths(overview::show, rejected, replay::show, replay::act))]
pub(super) struct Described;

/// The routes.
pub(super) fn routes() -> Router<Arc<Service>> {
    Router::new()
        .route("/api/operator/overview", get(overview::show))
        .route("/api/operator/rejected", get(rejected))
        .route("/api/operator/replay", get(replay::show))
        .route("/api/operator/replay/{action}", post(replay::act))
}

/// The grant of an admin.
async fn admin(service: &Service, headers: &HeaderMap) -> Result<Grant, ApiError> {
    let grant = grant(service, headers).await?;
    service.directory.authorise_all(&grant)?;
    Ok(grant)
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Listed {
    /// At most so many, the newest.
    #[param(value_type = Option<u32>, required = false, nullable = false, minimum = 1, maximum = 1000)]
    limit: Option<u32>,
}

/// `GET /api/operator/rejected`: payloads that the edge refused, newest first.
#[utoipa::path(
    get, path = "/api/operator/rejected", operation_id = "rejected_payloads", tag = "operator", params(Listed),
    responses((status = 200, description = "Number, time, reason, sites, beginning of the payload.", body = Value))
)]
pub(super) async fn rejected(
    State(service): State<Arc<Service>>,
    headers: HeaderMap,
    parameters: Result<Query<Listed>, QueryRejection>,
) -> Result<Json<Value>, ApiError> {
    admin(&service, &headers).await?;
    let actions = service.operator.actions()?;
    let limit = parameters.ok().map_or(Some(REJECTED), |Query(listed)| Some(listed.limit.unwrap_or(REJECTED)));
    let limit = limit.filter(|limit| (1..=REJECTED_MAX).contains(limit));
    let limit =
        limit.ok_or_else(|| OperatorRefusal::Invalid(format!("limit: must be a whole number from 1 to {REJECTED_MAX}")))?;
    let mut listed = actions.rejected(limit).await.map_err(|error| {
        tracing::warn!(%error, "refused payloads cannot be listed");
        ApiError::Unavailable
    })?;
    if let Some(lines) = listed.as_array_mut() {
        lines.reverse();
    }
    Ok(Json(json!({"rejected": listed})))
}
