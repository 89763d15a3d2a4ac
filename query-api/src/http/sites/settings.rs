//! `/api/sites/{domain}/settings`: how a site is set up, as the dashboard shows and changes it.

use super::change;
use super::kept::permitted;
use super::refusal::SitesRefusal;
use crate::control::{Grant, Right};
use crate::error::ApiError;
use crate::http::api::read_json;
use crate::limits::Tenant;
use crate::service::{Service, rfc3339};
use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use serde_json::{Value, json};
use std::sync::Arc;
use weir_event::shield::{ENTRIES_MAX, PATTERN_BYTES_MAX};
use weir_event::site::{Site, classic_snippet, snippet};

const READ: &str = "read the settings";
const CHANGE: &str = "change the settings";

/// `GET /api/sites/{domain}/settings`.
#[utoipa::path(
    get, path = "/api/sites/{domain}/settings", operation_id = "site_settings", tag = "sites",
    params(("domain" = String, Path)),
    responses((status = 200, description = "Zone, script, limits, shields, and whether events arrive.", body = Object))
)]
pub(super) async fn show(
    State(service): State<Arc<Service>>,
    Path(domain): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiError> {
    let (grant, site) = permitted(&service, &headers, &domain, Right::ReadSite, READ).await?;
    Ok(Json(shown(&service, &grant, &site).await?))
}

/// `PATCH /api/sites/{domain}/settings`: what is named changes, the rest stays. In force at the edge within 5 seconds.
#[utoipa::path(
    patch, path = "/api/sites/{domain}/settings", operation_id = "change_site_settings", tag = "sites",
    params(("domain" = String, Path)), request_body = Object,
    responses((status = 200, description = "The settings as they are then.", body = Object))
)]
pub(super) async fn update(
    State(service): State<Arc<Service>>,
    Path(domain): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Value>, ApiError> {
    let (grant, site) = permitted(&service, &headers, &domain, Right::ChangeSite, CHANGE).await?;
    let body = read_json(body).await?;
    change::apply(&mut site.clone(), &body)?;
    let changed = service.directory.update_site(&site, |site| {
        // It was judged above.
        let _judged = change::apply(site, &body);
    });
    let changed = changed.await?.map_err(|error| {
        tracing::warn!(%error, "settings of a site were not changed");
        SitesRefusal::Site
    })?;
    Ok(Json(shown(&service, &grant, &changed).await?))
}

async fn shown(service: &Service, grant: &Grant, site: &Site) -> Result<Value, ApiError> {
    let may = service.directory.rights(grant, site);
    let (total, last_ms) = service.received(Tenant::of(grant, site), site).await?;
    let url = service.collector_url.as_deref().map(|url| url.trim_end_matches('/'));
    let settings = &site.settings;
    Ok(json!({
        "domain": site.domain,
        "timezone": site.timezone,
        "created": rfc3339(site.created_ms),
        "former_domain": site.former_domain,
        "account": site.account,
        "snippet": url.map(|url| snippet(&site.domain, url)),
        "classic_snippet": url.map(|url| classic_snippet(&site.domain, url)),
        "script": settings.script,
        "limits": settings.limits,
        // Addresses are for those who put them there.
        "shields": may.contains(&Right::ChangeSite).then_some(&settings.shields),
        "shields_max": {"entries": ENTRIES_MAX, "bytes": PATTERN_BYTES_MAX},
        "events": {"total": total, "last": last_ms.and_then(|ms| u64::try_from(ms).ok()).map(rfc3339)},
        "may": may.into_iter().map(Right::name).collect::<Vec<_>>(),
    }))
}
