//! `/api/annotations`: notes on days and minutes of a site's chart, for oneself or for all who read the site.

use super::kept::{is_visible, kind, permit, read, right_to_keep};
use super::refusal::SitesRefusal;
use crate::error::ApiError;
use crate::service::Service;
use axum::Json;
use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::HeaderMap;
use chrono::{NaiveDate, NaiveDateTime};
use serde_json::{Value, json};
use std::sync::Arc;
use weir_reader::definitions::{Annotation, Definitions};

/// Most annotations of a site.
const ANNOTATIONS_MAX: usize = 500;
/// Longest note, bytes.
const NOTE_BYTES_MAX: usize = 500;
const DAY: &str = "%Y-%m-%d";
const MINUTE: &str = "%Y-%m-%dT%H:%M";
const CREATE: &str = "create annotation";
const DELETE: &str = "delete annotation";

/// `GET /api/annotations`: those of the site, and the caller's own; newest first.
#[utoipa::path(
    get, path = "/api/annotations", operation_id = "list_annotations", tag = "sites",
    params(("site_id" = String, Query, description = "Domain of the site.")),
    responses((status = 200, description = "Annotations of the site that the key may read.", body = Object))
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
    let mut visible: Vec<&Annotation> =
        definitions.annotations.iter().filter(|one| is_visible(one.kind, &one.owner, &grant)).collect();
    visible.sort_by(|one, other| (&other.at, other.id).cmp(&(&one.at, one.id)));
    Ok(Json(visible.into_iter().map(shown).collect()))
}

/// `POST /api/annotations`.
#[utoipa::path(
    post, path = "/api/annotations", operation_id = "create_annotation", tag = "sites",
    request_body = Object,
    responses((status = 200, description = "The annotation.", body = Object))
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
    let at = time(&params.text("at").unwrap_or_default())?;
    let note = params.text("note").unwrap_or_default().trim().to_owned();
    if note.is_empty() || note.len() > NOTE_BYTES_MAX {
        return Err(invalid("note should be 1 to 500 byte(s)").into());
    }
    // Found again by its id, should the change be asked for twice.
    let mut made = Annotation { id: 0, at, note, kind, owner: grant.id };
    let changed = service.directory.define(&site, |definitions| add(definitions, &mut made));
    changed.await??;
    Ok(Json(shown(&made)))
}

/// `DELETE /api/annotations/{annotation_id}`.
#[utoipa::path(
    delete, path = "/api/annotations/{annotation_id}", operation_id = "delete_annotation", tag = "sites",
    params(("annotation_id" = String, Path), ("site_id" = String, Query, description = "Domain of the site.")),
    responses((status = 200, description = "It is deleted.", body = Object))
)]
pub(super) async fn remove(
    State(service): State<Arc<Service>>,
    Path(annotation_id): Path<String>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    body: Body,
) -> Result<Json<Value>, ApiError> {
    let (grant, params, site) = read(&service, &headers, query.as_deref(), body).await?;
    drop(params);
    let definitions = service.directory.definitions(site.id);
    let id: Option<u64> = annotation_id.parse().ok();
    let annotation = definitions.annotations.iter().find(|one| Some(one.id) == id && is_visible(one.kind, &one.owner, &grant));
    let annotation = annotation.ok_or(SitesRefusal::Annotation)?;
    permit(&service, &grant, right_to_keep(annotation.kind), &site, DELETE).await?;
    let changed = service.directory.define(&site, |definitions| {
        definitions.annotations.retain(|known| known.id != annotation.id);
        Ok::<(), SitesRefusal>(())
    });
    changed.await??;
    Ok(Json(shown(annotation)))
}

/// Adds an annotation under the next id, unless the very same is there.
fn add(definitions: &mut Definitions, made: &mut Annotation) -> Result<(), SitesRefusal> {
    let is_same = |known: &&Annotation| Annotation { id: known.id, ..made.clone() } == **known;
    if let Some(known) = definitions.annotations.iter().find(is_same) {
        made.id = known.id;
        return Ok(());
    }
    if definitions.annotations.len() >= ANNOTATIONS_MAX {
        return Err(SitesRefusal::Permission("create annotation: the site has as many as it may have"));
    }
    definitions.last_id += 1;
    made.id = definitions.last_id;
    definitions.annotations.push(made.clone());
    Ok(())
}

/// A day or a minute in its one form.
fn time(text: &str) -> Result<String, SitesRefusal> {
    let day = NaiveDate::parse_from_str(text, DAY).map(|day| day.format(DAY).to_string());
    let minute = || NaiveDateTime::parse_from_str(text, MINUTE).map(|minute| minute.format(MINUTE).to_string());
    day.or_else(|_| minute()).map_err(|_| invalid("at must be a day like 2026-11-20 or a minute like 2026-11-20T14:05"))
}

fn shown(annotation: &Annotation) -> Value {
    json!({"id": annotation.id, "at": annotation.at, "note": annotation.note, "type": annotation.kind})
}

fn invalid(text: &str) -> SitesRefusal {
    SitesRefusal::Invalid(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_reader::definitions::SegmentKind;

    #[test]
    fn days_and_minutes() {
        for (text, expected) in [
            ("2026-11-20", Some("2026-11-20")),
            ("2026-11-20T14:05", Some("2026-11-20T14:05")),
            ("2026-02-30", None),
            ("2026-11-20T25:00", None),
            ("2026-11-20T14:05:06Z", None),
            ("yesterday", None),
            ("", None),
        ] {
            assert_eq!(time(text).ok().as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn the_very_same_is_added_once() {
        let mut definitions = Definitions { last_id: 6, ..Definitions::default() };
        let note = |note: &str| Annotation {
            id: 0,
            at: "2026-11-20".to_owned(),
            note: note.to_owned(),
            kind: SegmentKind::Site,
            owner: "k".to_owned(),
        };
        let (mut one, mut again, mut other) = (note("a"), note("a"), note("b"));
        for made in [&mut one, &mut again, &mut other] {
            add(&mut definitions, made).unwrap();
        }
        assert_eq!([one.id, again.id, other.id, definitions.last_id], [7, 7, 8, 8]);
    }
}
