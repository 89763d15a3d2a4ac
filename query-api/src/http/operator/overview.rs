//! `GET /api/operator/overview`: how each partition stands, and the files that it consists of.

use super::admin;
use crate::error::ApiError;
use crate::http::status::promotion;
use crate::regions::{Absence, OtherRegion};
use crate::service::{Service, rfc3339};
use crate::tail::{Condition, PartitionView};
use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::watch;
use weir_rollup::manifest::{Level, Manifest, Part};

const LEVELS: [Level; 4] = [Level::Flush, Level::Hour, Level::Day, Level::Month];

/// `GET /api/operator/overview`.
#[utoipa::path(
    get, path = "/api/operator/overview", operation_id = "operator_overview", tag = "operator",
    responses((status = 200, description = "Regions, their partitions, and the files of each.", body = Value))
)]
pub(super) async fn show(State(service): State<Arc<Service>>, headers: HeaderMap) -> Result<Json<Value>, ApiError> {
    admin(&service, &headers).await?;
    let now_ms = service.clock.now_ms();
    let own = json!({
        "region": service.region,
        "state": "own",
        "home": service.directory.home(),
        "partitions": partitions(&service.partitions, now_ms),
    });
    let other = |other: &Arc<OtherRegion>| {
        json!({
            "region": other.name,
            "state": state(other, now_ms),
            "reason": other.unreadable(),
            "partitions": partitions(&other.partitions, now_ms),
        })
    };
    Ok(Json(json!({
        "now": rfc3339(now_ms),
        "can_act": service.operator.actions().is_ok(),
        "regions": std::iter::once(own).chain(service.others.iter().map(other)).collect::<Vec<_>>(),
    })))
}

/// How another region stands: what keeps most of its partitions out of answers, `live` when nothing does.
fn state(other: &OtherRegion, now_ms: u64) -> &'static str {
    if other.unreadable().is_some() {
        return Absence::Unreadable.name();
    }
    let absences = other.partitions.values().filter_map(|view| Absence::of(&view.borrow(), now_ms));
    absences.min_by_key(|absence| absence.is_counted()).map_or("live", Absence::name)
}

fn partitions(views: &BTreeMap<u32, watch::Receiver<Arc<PartitionView>>>, now_ms: u64) -> Vec<Value> {
    views.iter().map(|(number, view)| partition(*number, &view.borrow(), now_ms)).collect()
}

fn partition(number: u32, view: &PartitionView, now_ms: u64) -> Value {
    let manifest = view.manifest.as_deref();
    json!({
        "partition": number,
        "first_seq": view.stream.0,
        "last_seq": view.stream.1,
        "sealed_seq": view.sealed_seq,
        "folded_seq": view.folded_seq,
        "lag": view.lag(),
        "unsealed": view.stream.1.saturating_sub(view.sealed_seq),
        "watermark": rfc3339(view.watermark_ms),
        "lag_ms": now_ms.saturating_sub(view.watermark_ms),
        "revision": view.revision(),
        "tail_rows": view.tail_rows,
        "accepted": view.accepted(),
        "condition": condition(&view.condition),
        "alarms": view.alarms().collect::<Vec<_>>(),
        "parts": parts(manifest.map(|manifest| manifest.parts.as_slice()).unwrap_or_default()),
        "logic": manifest.map_or_else(Vec::new, logic),
        "checkpoints": manifest.map_or_else(Vec::new, checkpoints),
        "promotion": manifest.and_then(|manifest| manifest.promotion.as_ref()).map(promotion),
    })
}

/// Files, rows and bytes, altogether and by level.
fn parts(parts: &[Part]) -> Value {
    let sum = |parts: &[&Part]| {
        let (rows, bytes) = parts.iter().fold((0_u64, 0_u64), |(rows, bytes), part| (rows + part.rows, bytes + part.bytes));
        (parts.len(), rows, bytes)
    };
    let level = |level: Level| {
        let (count, rows, bytes) = sum(&parts.iter().filter(|part| part.level == level).collect::<Vec<_>>());
        json!({"level": level, "parts": count, "rows": rows, "bytes": bytes})
    };
    let (count, rows, bytes) = sum(&parts.iter().collect::<Vec<_>>());
    json!({"count": count, "rows": rows, "bytes": bytes, "levels": LEVELS.map(level)})
}

fn logic(manifest: &Manifest) -> Vec<Value> {
    let each = manifest.logic.iter();
    each.map(|one| json!({"from_seq": one.from_seq, "logic": one.logic, "pinned": one.pinned})).collect()
}

fn checkpoints(manifest: &Manifest) -> Vec<Value> {
    manifest.checkpoints.iter().map(|one| json!({"seq": one.seq, "time": rfc3339(one.stream_ms)})).collect()
}

fn condition(condition: &Condition) -> &'static str {
    match condition {
        Condition::Live => "live",
        Condition::Loading { .. } => "loading",
        Condition::Full => "full",
        Condition::SealedOnly { .. } => "sealed_only",
        Condition::Stopped { .. } => "stopped",
    }
}
