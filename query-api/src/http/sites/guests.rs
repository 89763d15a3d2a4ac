//! `/api/v1/sites/guests` and `/teams`. There are accounts and keys here, and no people: teams are accounts, guests there are none.

use super::call::Call;
use super::page::Wanted;
use super::refusal::SitesRefusal;
use crate::control::Right;
use crate::error::ApiError;
use crate::service::Service;
use axum::Json;
use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::HeaderMap;
use serde_json::{Value, json};
use std::sync::Arc;

const NO_GUESTS: &str = "Guests are not supported. Please share the site by a shared link or a key of its own instead.";

/// `GET /api/v1/sites/teams`: the accounts that the key knows of.
#[utoipa::path(
    get, path = "/api/v1/sites/teams", operation_id = "list_teams", tag = "sites",
    params(("limit" = Option<u64>, Query, nullable = false, minimum = 1), ("after" = Option<String>, Query, nullable = false), ("before" = Option<String>, Query, nullable = false)),
    responses((status = 200, description = "Accounts of the key.", body = Object))
)]
pub(super) async fn teams(
    State(service): State<Arc<Service>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    body: Body,
) -> Result<Json<Value>, ApiError> {
    let call = Call::read(service, &headers, Right::ReadSite, query.as_deref(), body).await?;
    let wanted = Wanted::read(&call.params)?;
    let accounts = call.service.directory.accounts(&call.grant);
    let numbered = (1..).zip(accounts.into_iter().rev()).collect();
    let (accounts, meta) = wanted.page(numbered, |(number, _)| *number);
    let shown = accounts.iter().map(|(_, account)| json!({"id": account.id, "name": account.name, "api_available": true}));
    Ok(Json(json!({"teams": shown.collect::<Vec<_>>(), "meta": meta})))
}

/// `GET /api/v1/sites/guests`: nobody.
#[utoipa::path(
    get, path = "/api/v1/sites/guests", operation_id = "list_guests", tag = "sites",
    params(("site_id" = String, Query, description = "Domain of the site."), ("limit" = Option<u64>, Query, nullable = false, minimum = 1), ("after" = Option<String>, Query, nullable = false), ("before" = Option<String>, Query, nullable = false)),
    responses((status = 200, description = "Guests of the site.", body = Object))
)]
pub(super) async fn index(
    State(service): State<Arc<Service>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    body: Body,
) -> Result<Json<Value>, ApiError> {
    let call = Call::read(service, &headers, Right::ReadSite, query.as_deref(), body).await?;
    let wanted = Wanted::read(&call.params)?;
    call.site(Right::ReadSite, &call.require("site_id", "list guests")?).await?;
    let (guests, meta) = wanted.page(Vec::<Value>::new(), |_| 0);
    Ok(Json(json!({"guests": guests, "meta": meta})))
}

/// `PUT /api/v1/sites/guests`: refused, whoever it is.
#[utoipa::path(
    put, path = "/api/v1/sites/guests", operation_id = "invite_guest", tag = "sites",
    request_body = Object,
    responses((status = 200, description = "The guest.", body = Object))
)]
pub(super) async fn invite(
    State(service): State<Arc<Service>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    body: Body,
) -> Result<Json<Value>, ApiError> {
    let call = Call::read(service, &headers, Right::ChangeSite, query.as_deref(), body).await?;
    let site_id = call.require("site_id", "create guest")?;
    call.require("email", "create guest")?;
    let roles = SitesRefusal::Missing { parameter: "role", purpose: "create guest. Possible values: `viewer` or `editor`" };
    call.params.text("role").filter(|role| matches!(role.as_str(), "viewer" | "editor")).ok_or(roles)?;
    call.site(Right::ChangeSite, &site_id).await?;
    Err(SitesRefusal::Invalid(NO_GUESTS.to_owned()).into())
}

/// `DELETE /api/v1/sites/guests/{email}`: he is none.
#[utoipa::path(
    delete, path = "/api/v1/sites/guests/{email}", operation_id = "remove_guest", tag = "sites",
    params(("email" = String, Path), ("site_id" = String, Query, description = "Domain of the site.")),
    responses((status = 200, description = "It is removed.", body = Object))
)]
pub(super) async fn remove(
    State(service): State<Arc<Service>>,
    Path(_email): Path<String>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    body: Body,
) -> Result<Json<Value>, ApiError> {
    let call = Call::read(service, &headers, Right::ChangeSite, query.as_deref(), body).await?;
    call.site(Right::ChangeSite, &call.require("site_id", "delete a guest")?).await?;
    Ok(Json(json!({"deleted": true})))
}
