//! `/api/operator/replay`: how the newest replay stands, and the steps from plan to rollback.

use super::admin;
use crate::error::ApiError;
use crate::http::api::read_json_within;
use crate::operator::{Action, OperatorRefusal, Work, offered};
use crate::service::Service;
use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use std::sync::Arc;

/// Largest request body: rules are texts in it.
const BODY_BYTES_MAX: usize = 6_000_000;
/// Interrupts what is under way.
const STOP: &str = "stop";

/// `GET /api/operator/replay`.
#[utoipa::path(
    get, path = "/api/operator/replay", operation_id = "replay", tag = "operator",
    responses((status = 200, description = "How the newest replay stands, what can be done next, and what is being done.", body = Value))
)]
pub(super) async fn show(State(service): State<Arc<Service>>, headers: HeaderMap) -> Result<Json<Value>, ApiError> {
    admin(&service, &headers).await?;
    let status = status(&service).await?;
    let work = service.operator.work();
    let can = if work.as_ref().is_some_and(Work::is_under_way) { vec![STOP] } else { offered(&status) };
    Ok(Json(json!({"status": status, "can": can, "work": work.as_ref().map(Work::shown)})))
}

/// `POST /api/operator/replay/{action}`: plan, run, diff, promote, rollback, discard, and stop, which interrupts what is under way.
#[utoipa::path(
    post, path = "/api/operator/replay/{action}", operation_id = "act_on_replay", tag = "operator",
    params(("action" = String, Path)), request_body = Object,
    responses(
        (status = 200, description = "It has ended, well or not.", body = Value),
        (status = 202, description = "It goes on; `GET /api/operator/replay` tells how far it is.", body = Value)
    )
)]
pub(super) async fn act(
    State(service): State<Arc<Service>>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    admin(&service, &headers).await?;
    service.operator.actions()?;
    let work = if name == STOP {
        service.operator.stop().await?
    } else {
        let body = read_json_within(body, BODY_BYTES_MAX).await?;
        let action = Action::read(&name, &body).ok_or(ApiError::NotFound)??;
        if action.names_its_replay() && body["replay_id"] != status(&service).await?["id"] {
            return Err(OperatorRefusal::Changed.into());
        }
        service.operator.begin(action, service.clock, &service.stopping).await?
    };
    let status = if work.is_under_way() { StatusCode::ACCEPTED } else { StatusCode::OK };
    Ok((status, Json(json!({"work": work.shown()}))))
}

async fn status(service: &Service) -> Result<Value, ApiError> {
    service.operator.actions()?.status().await.map_err(|error| {
        tracing::warn!(%error, "the replay's state cannot be read");
        ApiError::Unavailable
    })
}
