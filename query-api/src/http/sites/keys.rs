//! `/api/sites/{domain}/keys`: API keys of a site, as far as the caller's own key reaches. Only a key's hash is kept; it is shown once.

use super::kept::permitted;
use super::refusal::SitesRefusal;
use crate::control::{Grant, Right};
use crate::error::ApiError;
use crate::http::api::read_json;
use crate::service::{Service, rfc3339};
use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use serde_json::{Value, json};
use std::sync::Arc;
use weir_event::key::Scope;
use weir_event::site::Site;

/// Most keys of a site that can be made here.
const KEYS_MAX: usize = 100;
const LIST: &str = "list API keys";
const CREATE: &str = "create an API key";
const DELETE: &str = "revoke an API key";

/// `GET /api/sites/{domain}/keys`: oldest first.
#[utoipa::path(
    get, path = "/api/sites/{domain}/keys", operation_id = "list_site_keys", tag = "sites",
    params(("domain" = String, Path)),
    responses((status = 200, description = "Keys that reach the site and nothing beyond the caller's reach; scopes that he may give.", body = Object))
)]
pub(super) async fn index(
    State(service): State<Arc<Service>>,
    Path(domain): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiError> {
    let (grant, site) = permitted(&service, &headers, &domain, Right::ChangeSite, LIST).await?;
    let keys = service.directory.keys_of(&grant, &site);
    let keys: Vec<Value> = keys.iter().map(|key| shown(&service, &grant, key)).collect();
    let grantable: Vec<&str> = service.directory.grantable(&grant).into_iter().map(Scope::name).collect();
    Ok(Json(json!({"keys": keys, "grantable": grantable})))
}

/// `POST /api/sites/{domain}/keys` `{"scopes": ["stats:read"]}`.
#[utoipa::path(
    post, path = "/api/sites/{domain}/keys", operation_id = "create_site_key", tag = "sites",
    params(("domain" = String, Path)), request_body = Object,
    responses((status = 200, description = "The key, shown this once.", body = Object))
)]
pub(super) async fn create(
    State(service): State<Arc<Service>>,
    Path(domain): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Value>, ApiError> {
    let (grant, site) = permitted(&service, &headers, &domain, Right::ChangeSite, CREATE).await?;
    let scopes = scopes(&read_json(body).await?)?;
    let grantable = service.directory.grantable(&grant);
    if !scopes.iter().all(|scope| grantable.contains(scope)) {
        return Err(SitesRefusal::Permission("give a scope that the own key does not have").into());
    }
    if service.directory.keys_of(&grant, &site).len() >= KEYS_MAX {
        return Err(SitesRefusal::Permission("create an API key: the site has as many as it may have").into());
    }
    let (key, record) = service.directory.add_key(&site, &scopes, service.clock.now_ms()).await?;
    let scopes: Vec<&str> = scopes.into_iter().map(Scope::name).collect();
    Ok(Json(json!({"key": key, "id": record.id, "scopes": scopes, "created": rfc3339(record.created_ms)})))
}

/// `DELETE /api/sites/{domain}/keys/{key_id}`: ends its sessions too.
#[utoipa::path(
    delete, path = "/api/sites/{domain}/keys/{key_id}", operation_id = "revoke_site_key", tag = "sites",
    params(("domain" = String, Path), ("key_id" = String, Path)),
    responses((status = 200, description = "It is revoked.", body = Object))
)]
pub(super) async fn remove(
    State(service): State<Arc<Service>>,
    Path((domain, key_id)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiError> {
    let (grant, site) = permitted(&service, &headers, &domain, Right::ChangeSite, DELETE).await?;
    let keys = service.directory.keys_of(&grant, &site);
    let key = keys.iter().find(|key| key.id == key_id).ok_or(SitesRefusal::HeldKey)?;
    service.directory.remove_key(&key.id).await?;
    Ok(Json(json!({"revoked": key.id})))
}

fn scopes(body: &Value) -> Result<Vec<Scope>, SitesRefusal> {
    let names = body.get("scopes").and_then(Value::as_array).filter(|names| !names.is_empty());
    let wrong =
        || SitesRefusal::Invalid("scopes: must be a list of stats:read, sites:read, sites:provision, events:write".to_owned());
    let mut scopes = Vec::new();
    for name in names.ok_or_else(wrong)? {
        let scope = name.as_str().and_then(Scope::parse).filter(|scope| *scope != Scope::Admin).ok_or_else(wrong)?;
        if !scopes.contains(&scope) {
            scopes.push(scope);
        }
    }
    Ok(scopes)
}

fn shown(service: &Service, caller: &Grant, key: &Grant) -> Value {
    let named = |site: &Site| key.sites().contains(&site.id);
    let sites = service.directory.sites_with(caller, Right::ChangeSite);
    let sites: Vec<String> = sites.into_iter().filter(named).map(|site| site.domain).collect();
    let scopes: Vec<&str> = key.own_scopes().iter().map(|scope| scope.name()).collect();
    json!({
        "id": key.id,
        "scopes": scopes,
        "sites": sites,
        "account": key.account(),
        "created": rfc3339(key.created_ms()),
        "is_own": key.id == caller.id,
        "revocable": true,
    })
}
