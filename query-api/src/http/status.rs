//! Routes for operators: health, state of the partitions, metrics.

use super::api::grant;
use crate::error::ApiError;
use crate::service::{Service, rfc3339};
use crate::telemetry;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::sync::Arc;
use weir_rollup::manifest::Promotion;

/// `GET /api/health/live`: 200 for as long as the process answers at all.
#[utoipa::path(
    get, path = "/api/health/live", operation_id = "live", tag = "operations", security(()),
    responses((status = 200, description = "The process lives.", body = Value))
)]
pub(super) async fn live() -> Json<Value> {
    Json(json!({"status": "ok"}))
}

/// `GET /api/health`: as `/api/health/ready`.
#[utoipa::path(
    get, path = "/api/health", operation_id = "health", tag = "operations", security(()),
    responses((status = 200, description = "Queries are answered.", body = Value), (status = 503, description = "Not yet, or not much longer.", body = Value))
)]
pub(super) async fn health(service: State<Arc<Service>>) -> Response {
    ready(service).await
}

/// `GET /api/health/ready`: 200 while queries are answered, else 503 and why.
#[utoipa::path(
    get, path = "/api/health/ready", operation_id = "ready", tag = "operations", security(()),
    responses((status = 200, description = "Queries are answered.", body = Value), (status = 503, description = "Not yet, or not much longer.", body = Value))
)]
pub(super) async fn ready(State(service): State<Arc<Service>>) -> Response {
    match service.unready() {
        None => Json(json!({"status": "ok"})).into_response(),
        Some(reason) => (StatusCode::SERVICE_UNAVAILABLE, Json(json!({"status": "starting", "error": reason}))).into_response(),
    }
}

/// `GET /metrics`.
#[utoipa::path(
    get, path = "/metrics", operation_id = "metrics", tag = "operations", security(()),
    responses((status = 200, description = "Counts in the format of Prometheus.", body = String, content_type = "text/plain"))
)]
pub(super) async fn metrics(State(service): State<Arc<Service>>) -> Response {
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    ([(header::CONTENT_TYPE, kind)], telemetry::render(&service)).into_response()
}

/// `GET /api/status`, for admins: how each partition stands.
#[utoipa::path(
    get, path = "/api/status", operation_id = "status", tag = "operations",
    responses((status = 200, description = "One entry for each partition.", body = Vec<Value>))
)]
pub(super) async fn status(State(service): State<Arc<Service>>, headers: HeaderMap) -> Result<Json<Vec<Value>>, ApiError> {
    if !grant(&service, &headers).await?.is_admin() {
        return Err(ApiError::WrongKey);
    }
    let partitions = service.all_partitions().map(|(region, partition, view)| {
        let view = view.borrow();
        let manifest = view.manifest.as_deref();
        json!({
            "region": region,
            "partition": partition,
            "first_seq": view.stream.0,
            "last_seq": view.stream.1,
            "sealed_seq": view.sealed_seq,
            "folded_seq": view.folded_seq,
            "lag": view.lag(),
            "parts": manifest.map_or(0, |manifest| manifest.parts.len()),
            "watermark": rfc3339(view.watermark_ms),
            "revision": view.revision(),
            "tail_rows": view.tail_rows,
            "accepted": view.accepted(),
            "logic": manifest.and_then(|manifest| manifest.logic.last()).map(|last| &last.logic),
            "promotion": manifest.and_then(|manifest| manifest.promotion.as_ref()).map(promotion),
            "alarms": view.alarms().collect::<Vec<_>>(),
        })
    });
    Ok(Json(partitions.collect()))
}

/// What put the history that is served in the place of another.
pub(super) fn promotion(promotion: &Promotion) -> Value {
    json!({
        "kind": promotion.kind,
        "replay_id": promotion.replay_id,
        "at": rfc3339(promotion.at_ms),
        "revision": promotion.revision,
        "from_seq": promotion.from_seq,
        "through_seq": promotion.through_seq,
        "rollback_offered": promotion.former.is_some(),
    })
}
