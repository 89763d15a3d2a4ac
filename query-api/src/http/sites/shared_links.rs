//! `/api/v1/sites/shared-links`: addresses that show a site's figures to whoever has them, perhaps behind a password.

use super::call::Call;
use super::refusal::SitesRefusal;
use crate::control::Right;
use crate::error::ApiError;
use crate::http::credential::is_over_tls;
use crate::service::Service;
use axum::Json;
use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, header};
use serde_json::{Value, json};
use std::sync::Arc;
use weir_event::site::Site;
use weir_reader::control::{links, random};
use weir_reader::definitions::SharedLink;

/// Most links of a site.
const LINKS_MAX: usize = 1_000;
/// Longest name, bytes.
const NAME_BYTES_MAX: usize = 255;
const CREATE: &str = "create a shared link";
const DELETE: &str = "delete a shared link";
const OTHER_PASSWORD: &str =
    "A shared link of this name is there, with another password or none. Delete it first, or choose another name.";

/// `GET /api/v1/sites/shared-links`: ours; Plausible has no such route. For those who could make one.
#[utoipa::path(
    get, path = "/api/v1/sites/shared-links", operation_id = "list_shared_links", tag = "sites",
    params(("site_id" = String, Query, description = "Domain of the site."), ("limit" = Option<u64>, Query, nullable = false, minimum = 1), ("after" = Option<String>, Query, nullable = false), ("before" = Option<String>, Query, nullable = false)),
    responses((status = 200, description = "Shared links of the site.", body = Object))
)]
pub(super) async fn index(
    State(service): State<Arc<Service>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    body: Body,
) -> Result<Json<Value>, ApiError> {
    let call = Call::read(service, &headers, Right::ChangeSite, query.as_deref(), body).await?;
    let site = call.site(Right::ChangeSite, &call.require("site_id", "list shared links")?).await?;
    let definitions = call.service.directory.definitions(site.id);
    let shown = |link: &SharedLink| json!({"id": link.id, "name": link.name, "url": url(&headers, &site, link), "password_protected": link.password.is_some()});
    Ok(Json(json!({"shared_links": definitions.shared_links.iter().map(shown).collect::<Vec<_>>()})))
}

/// `PUT /api/v1/sites/shared-links`: the link of a name, made if there is none. `password` is ours.
#[utoipa::path(
    put, path = "/api/v1/sites/shared-links", operation_id = "find_or_create_shared_link", tag = "sites",
    request_body = Object,
    responses((status = 200, description = "The link.", body = Object))
)]
pub(super) async fn find_or_create(
    State(service): State<Arc<Service>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    body: Body,
) -> Result<Json<Value>, ApiError> {
    let call = Call::read(service, &headers, Right::ChangeSite, query.as_deref(), body).await?;
    let (site_id, name) = (call.require("site_id", CREATE)?, call.require("name", CREATE)?);
    let site = call.site(Right::ChangeSite, &site_id).await?;
    let name = name.trim();
    if name.is_empty() || name.len() > NAME_BYTES_MAX {
        return Err(SitesRefusal::Invalid("Parameter `name` must have 1 to 255 bytes".to_owned()).into());
    }
    let password = call.params.text("password").filter(|password| !password.is_empty());
    if password.as_ref().is_some_and(|password| password.len() > links::PASSWORD_BYTES_MAX) {
        return Err(SitesRefusal::Invalid("Parameter `password` is too long".to_owned()).into());
    }
    let directory = &call.service.directory;
    let found = directory.definitions(site.id).shared_links.iter().find(|link| link.name == name).cloned();
    let link = match found {
        Some(link) => check(&call, link, password).await?,
        None => add(&call, &site, name, password).await?,
    };
    Ok(Json(json!({"name": link.name, "url": url(&headers, &site, &link)})))
}

/// `DELETE /api/v1/sites/shared-links/{link_id}`: ours. Ends all sessions of the link.
#[utoipa::path(
    delete, path = "/api/v1/sites/shared-links/{link_id}", operation_id = "delete_shared_link", tag = "sites",
    params(("link_id" = String, Path), ("site_id" = String, Query, description = "Domain of the site.")),
    responses((status = 200, description = "It is deleted.", body = Object))
)]
pub(super) async fn remove(
    State(service): State<Arc<Service>>,
    Path(link_id): Path<String>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    body: Body,
) -> Result<Json<Value>, ApiError> {
    let call = Call::read(service, &headers, Right::ChangeSite, query.as_deref(), body).await?;
    let site = call.site(Right::ChangeSite, &call.require("site_id", DELETE)?).await?;
    let link_id: u64 = link_id.parse().map_err(|_| SitesRefusal::Link)?;
    let mut was_there = false;
    let changed = call.service.directory.define(&site, |definitions| {
        was_there |= definitions.shared_links.iter().any(|link| link.id == link_id);
        definitions.shared_links.retain(|link| link.id != link_id);
        if was_there { Ok(()) } else { Err(SitesRefusal::Link) }
    });
    changed.await??;
    Ok(Json(json!({"deleted": true})))
}

/// A link that is there, if it is as it was asked for: who asks for a password must not be given a link without.
async fn check(call: &Call, link: SharedLink, password: Option<String>) -> Result<SharedLink, ApiError> {
    let is_as_wanted = match (password, link.password.clone()) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(password), Some(stored)) => call.service.directory.verify(password, stored).await?,
    };
    if is_as_wanted { Ok(link) } else { Err(SitesRefusal::Invalid(OTHER_PASSWORD.to_owned()).into()) }
}

async fn add(call: &Call, site: &Site, name: &str, password: Option<String>) -> Result<SharedLink, ApiError> {
    let directory = &call.service.directory;
    let slug = random::text(random::SLUG_CHARS).map_err(|error| {
        tracing::error!(%error, "no random bytes for a link");
        ApiError::Unavailable
    })?;
    let hashed = match password.clone() {
        Some(password) => Some(directory.hash(password).await?),
        None => None,
    };
    let changed = directory.define(site, |definitions| {
        if definitions.shared_links.iter().any(|link| link.name == name) {
            return Ok(());
        }
        if definitions.shared_links.len() >= LINKS_MAX {
            return Err(SitesRefusal::Invalid("Maximum number of shared links reached".to_owned()));
        }
        definitions.last_id += 1;
        let (id, name, slug, password) = (definitions.last_id, name.to_owned(), slug.clone(), hashed.clone());
        definitions.shared_links.push(SharedLink { id, name, slug, password });
        Ok(())
    });
    let definitions = changed.await??;
    let link = definitions.shared_links.iter().find(|link| link.name == name).ok_or(ApiError::Unavailable)?.clone();
    // Somebody else may have been first.
    if link.slug == slug { Ok(link) } else { check(call, link, password).await }
}

/// Where the dashboard shows it, on the host that was asked.
fn url(headers: &HeaderMap, site: &Site, link: &SharedLink) -> String {
    let scheme = if is_over_tls(headers) { "https" } else { "http" };
    let host = headers.get(header::HOST).and_then(|value| value.to_str().ok()).unwrap_or("localhost");
    format!("{scheme}://{host}/share/{}?auth={}", site.domain.replace('/', "%2F"), link.slug)
}
