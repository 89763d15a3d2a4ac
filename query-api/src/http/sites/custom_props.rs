//! `/api/v1/sites/custom-props`: the custom properties that a site announces.

use super::call::Call;
use super::refusal::SitesRefusal;
use crate::control::Right;
use crate::error::ApiError;
use crate::service::Service;
use axum::Json;
use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::HeaderMap;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::sync::Arc;

/// Longest name, characters.
const NAME_CHARS_MAX: usize = 300;
/// Most properties of a site.
const PROPS_MAX: usize = 300;
const CREATE: &str = "create a custom property";
const DELETE: &str = "delete a custom property";

/// `GET /api/v1/sites/custom-props`.
#[utoipa::path(
    get, path = "/api/v1/sites/custom-props", operation_id = "list_custom_props", tag = "sites",
    params(("site_id" = String, Query, description = "Domain of the site."), ("limit" = Option<u64>, Query, nullable = false, minimum = 1), ("after" = Option<String>, Query, nullable = false), ("before" = Option<String>, Query, nullable = false)),
    responses((status = 200, description = "Custom properties of the site.", body = Object))
)]
pub(super) async fn index(
    State(service): State<Arc<Service>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    body: Body,
) -> Result<Json<Value>, ApiError> {
    let call = Call::read(service, &headers, Right::ReadSite, query.as_deref(), body).await?;
    let site = call.site(Right::ReadSite, &call.require("site_id", "list custom properties")?).await?;
    let definitions = call.service.directory.definitions(site.id);
    let props: Vec<Value> = definitions.custom_props.iter().map(|name| json!({"property": name})).collect();
    Ok(Json(json!({"custom_properties": props})))
}

/// `PUT /api/v1/sites/custom-props`.
#[utoipa::path(
    put, path = "/api/v1/sites/custom-props", operation_id = "allow_custom_prop", tag = "sites",
    request_body = Object,
    responses((status = 200, description = "It is allowed.", body = Object))
)]
pub(super) async fn create(
    State(service): State<Arc<Service>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    body: Body,
) -> Result<Json<Value>, ApiError> {
    let call = Call::read(service, &headers, Right::ChangeSite, query.as_deref(), body).await?;
    let (site_id, name) = (call.require("site_id", CREATE)?, call.require("property", CREATE)?);
    let site = call.site(Right::ChangeSite, &site_id).await?;
    let name = name.trim();
    if name.is_empty() {
        return Err(SitesRefusal::Missing { parameter: "property", purpose: CREATE }.into());
    }
    if name.chars().count() > NAME_CHARS_MAX {
        return Err(SitesRefusal::Invalid("Parameter `property` is too long".to_owned()).into());
    }
    let changed = call.service.directory.define(&site, |definitions| {
        let props = &mut definitions.custom_props;
        if let Err(index) = props.binary_search_by(|known| known.as_str().cmp(name)) {
            if props.len() >= PROPS_MAX {
                return Err(SitesRefusal::Invalid("Can't add any more custom properties".to_owned()));
            }
            props.insert(index, name.to_owned());
        }
        Ok(())
    });
    changed.await??;
    Ok(Json(json!({"created": true})))
}

/// `DELETE /api/v1/sites/custom-props/{property}`.
#[utoipa::path(
    delete, path = "/api/v1/sites/custom-props/{property}", operation_id = "disallow_custom_prop", tag = "sites",
    params(("property" = String, Path), ("site_id" = String, Query, description = "Domain of the site.")),
    responses((status = 200, description = "It is no longer allowed.", body = Object))
)]
pub(super) async fn remove(
    State(service): State<Arc<Service>>,
    Path(name): Path<String>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    body: Body,
) -> Result<Json<Value>, ApiError> {
    let call = Call::read(service, &headers, Right::ChangeSite, query.as_deref(), body).await?;
    let site = call.site(Right::ChangeSite, &call.require("site_id", DELETE)?).await?;
    let changed = call.service.directory.define(&site, |definitions| {
        definitions.custom_props.retain(|known| *known != name);
        Ok::<(), Infallible>(())
    });
    let Ok(_) = changed.await?;
    Ok(Json(json!({"deleted": true})))
}
