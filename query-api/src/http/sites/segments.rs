//! `/api/segments`: filters saved under a name, for oneself or for all who read the site. Queries name them as `["is", "segment", [id]]`.

use super::kept::{is_visible, kind, permit, read, right_to_keep};
use super::refusal::SitesRefusal;
use crate::error::ApiError;
use crate::query;
use crate::service::Service;
use axum::Json;
use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::HeaderMap;
use serde_json::{Value, json};
use std::sync::Arc;
use weir_reader::definitions::{Definitions, Segment, SegmentKind};

/// Most segments of a site.
const SEGMENTS_MAX: usize = 500;
/// Longest name, bytes.
const NAME_BYTES_MAX: usize = 255;
/// Longest filters, bytes of JSON.
const FILTERS_BYTES_MAX: usize = 5 * 1024;
const CREATE: &str = "create segment";
const DELETE: &str = "delete segment";

/// `GET /api/segments`: those of the site, and the caller's own; newest first.
#[utoipa::path(
    get, path = "/api/segments", operation_id = "list_segments", tag = "sites",
    params(("site_id" = String, Query, description = "Domain of the site."), ("limit" = Option<u64>, Query, nullable = false, minimum = 1), ("after" = Option<String>, Query, nullable = false), ("before" = Option<String>, Query, nullable = false)),
    responses((status = 200, description = "Segments of the site that the key may use.", body = Object))
)]
pub(super) async fn index(
    State(service): State<Arc<Service>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    body: Body,
) -> Result<Json<Value>, ApiError> {
    let (grant, params, site) = read(&service, &headers, query.as_deref(), body).await?;
    drop(params);
    let definitions = service.directory.definitions(site.id);
    let visible = definitions.segments.iter().rev().filter(|segment| is_visible(segment.kind, &segment.owner, &grant));
    Ok(Json(visible.map(shown).collect()))
}

/// `POST /api/segments`.
#[utoipa::path(
    post, path = "/api/segments", operation_id = "create_segment", tag = "sites",
    request_body = Object,
    responses((status = 200, description = "The segment.", body = Object))
)]
pub(super) async fn create(
    State(service): State<Arc<Service>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    body: Body,
) -> Result<Json<Value>, ApiError> {
    let (grant, params, site) = read(&service, &headers, query.as_deref(), body).await?;
    let kind = kind(&params)?;
    permit(&service, &grant, right_to_keep(kind), &site, CREATE).await?;
    let name = params.text("name").unwrap_or_default().trim().to_owned();
    if name.is_empty() || name.len() > NAME_BYTES_MAX {
        return Err(invalid("name should be 1 to 255 byte(s)").into());
    }
    let definitions = service.directory.definitions(site.id);
    let filters = params.value("filters").cloned().unwrap_or_default();
    check_filters(&filters, &definitions)?;
    let changed = service.directory.define(&site, |definitions| add(definitions, &name, kind, &grant.id, &filters));
    let definitions = changed.await??;
    let made = definitions.segments.iter().find(|segment| segment.name == name).ok_or(ApiError::Unavailable)?;
    Ok(Json(shown(made)))
}

/// `DELETE /api/segments/{segment_id}`.
#[utoipa::path(
    delete, path = "/api/segments/{segment_id}", operation_id = "delete_segment", tag = "sites",
    params(("segment_id" = String, Path), ("site_id" = String, Query, description = "Domain of the site.")),
    responses((status = 200, description = "It is deleted.", body = Object))
)]
pub(super) async fn remove(
    State(service): State<Arc<Service>>,
    Path(segment_id): Path<String>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    body: Body,
) -> Result<Json<Value>, ApiError> {
    let (grant, params, site) = read(&service, &headers, query.as_deref(), body).await?;
    drop(params);
    let definitions = service.directory.definitions(site.id);
    let id: Option<u64> = segment_id.parse().ok();
    let segment =
        definitions.segments.iter().find(|segment| Some(segment.id) == id && is_visible(segment.kind, &segment.owner, &grant));
    let segment = segment.ok_or(SitesRefusal::Segment { id: segment_id })?;
    permit(&service, &grant, right_to_keep(segment.kind), &site, DELETE).await?;
    let changed = service.directory.define(&site, |definitions| {
        definitions.segments.retain(|known| known.id != segment.id);
        Ok::<(), SitesRefusal>(())
    });
    changed.await??;
    Ok(Json(shown(segment)))
}

/// Adds a segment, unless the very same is there.
fn add(definitions: &mut Definitions, name: &str, kind: SegmentKind, owner: &str, filters: &Value) -> Result<(), SitesRefusal> {
    if let Some(there) = definitions.segments.iter().find(|segment| segment.name == name) {
        let is_same = there.kind == kind && there.owner == owner && there.filters == *filters;
        return if is_same { Ok(()) } else { Err(invalid("name has already been taken")) };
    }
    if definitions.segments.len() >= SEGMENTS_MAX {
        return Err(SitesRefusal::Permission("create segment: the site has as many as it may have"));
    }
    definitions.last_id += 1;
    let (id, name, owner) = (definitions.last_id, name.to_owned(), owner.to_owned());
    definitions.segments.push(Segment { id, name, filters: filters.clone(), kind, owner });
    Ok(())
}

/// Filters that a query takes, without segments in them.
fn check_filters(filters: &Value, definitions: &Definitions) -> Result<(), ApiError> {
    if filters.as_array().is_none_or(Vec::is_empty) {
        return Err(invalid("filters must be an array with at least one member").into());
    }
    if filters.to_string().len() > FILTERS_BYTES_MAX {
        return Err(invalid("filters should be at most 5120 byte(s)").into());
    }
    Ok(query::check_segment(filters, definitions)?)
}

fn shown(segment: &Segment) -> Value {
    json!({"id": segment.id, "name": segment.name, "type": segment.kind, "filters": segment.filters})
}

fn invalid(text: &str) -> SitesRefusal {
    SitesRefusal::Invalid(text.to_owned())
}
