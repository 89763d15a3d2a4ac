//! Signing in and out: a key, or a shared link and its password, becomes a cookie that scripts cannot read and other pages cannot send.

use super::api::{grant, read_json};
use super::credential::{LINK_COOKIE, SESSION_COOKIE, is_over_tls};
use crate::error::ApiError;
use crate::query::Refusal;
use crate::service::Service;
use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse, Response};
use serde_json::{Value, json};
use std::sync::Arc;
use weir_event::key::Scope;

/// How long a session is good, seconds.
const LIFE_S: u64 = 12 * 60 * 60;

/// How these routes are described: a route that is not named here fails a test.
#[derive(utoipa::OpenApi)]
#[openapi(paths(sign_in, sign_out, who, open_link))]
pub(super) struct Described;

/// `POST /api/session` `{"key": "…"}`: a session with what the key permits.
#[utoipa::path(
    post, path = "/api/session", operation_id = "sign_in", tag = "sessions",
    security(()),
    request_body = Object,
    responses((status = 200, description = "A cookie stands for the key.", body = Object))
)]
pub(super) async fn sign_in(State(service): State<Arc<Service>>, headers: HeaderMap, body: Body) -> Result<Response, ApiError> {
    let body = read_json(body).await?;
    let key = body.get("key").and_then(Value::as_str).ok_or(ApiError::NoKey)?;
    let token = service.directory.session_of_key(key.trim(), service.clock.now_ms() + LIFE_S * 1_000).await?;
    Ok((StatusCode::NO_CONTENT, [cookie(&headers, SESSION_COOKIE, &token, LIFE_S)?]).into_response())
}

/// `GET /api/session`: who asks, and what he may.
#[utoipa::path(
    get, path = "/api/session", operation_id = "session", tag = "sessions",
    responses((status = 200, description = "Kind, scopes, and the site of a shared link.", body = Object))
)]
pub(super) async fn who(State(service): State<Arc<Service>>, headers: HeaderMap) -> Result<Json<Value>, ApiError> {
    let grant = grant(&service, &headers).await?;
    let scopes: Vec<&str> = grant.scopes().map(Scope::name).collect();
    Ok(Json(json!({
        "kind": if grant.is_link() { "link" } else { "key" },
        "id": grant.id,
        "operator": grant.is_admin(),
        "account": grant.account(),
        "may": scopes,
        "link_site": service.directory.link_site(&grant).map(|site| site.domain),
    })))
}

/// `DELETE /api/session`: forgets both sessions.
#[utoipa::path(
    delete, path = "/api/session", operation_id = "sign_out", tag = "sessions",
    security(()),
    responses((status = 200, description = "The cookie is void.", body = Object))
)]
pub(super) async fn sign_out(headers: HeaderMap) -> Result<Response, ApiError> {
    let cookies = [cookie(&headers, SESSION_COOKIE, "", 0)?, cookie(&headers, LINK_COOKIE, "", 0)?];
    Ok((StatusCode::NO_CONTENT, AppendHeaders(cookies)).into_response())
}

/// `POST /api/share/{slug}/session` `{"password": "…"}`: a session that reads the link's site. With `"embed": true` its token is told instead of becoming a
/// cookie: browsers keep none for a page in another's frame.
#[utoipa::path(
    post, path = "/api/share/{slug}/session", operation_id = "open_shared_link", tag = "sessions",
    security(()),
    params(("slug" = String, Path)),
    request_body = Object,
    responses((status = 200, description = "A cookie stands for the link.", body = Object))
)]
pub(super) async fn open_link(
    State(service): State<Arc<Service>>,
    Path(slug): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let body = read_json(body).await?;
    let Value::Object(fields) = &body else { return Err(Refusal::NotJson.into()) };
    let password = fields.get("password").and_then(Value::as_str);
    let now_ms = service.clock.now_ms();
    let link = service.directory.open_link(&slug, password, now_ms, now_ms + LIFE_S * 1_000).await??;
    let mut shown = json!({"domain": link.site.domain, "timezone": link.site.timezone});
    if fields.get("embed").and_then(Value::as_bool) == Some(true) {
        shown.as_object_mut().and_then(|shown| shown.insert("token".to_owned(), link.token.into()));
        return Ok(Json(shown).into_response());
    }
    let shown = Json(shown);
    Ok(([cookie(&headers, LINK_COOKIE, &link.token, LIFE_S)?], shown).into_response())
}

fn cookie(headers: &HeaderMap, name: &str, value: &str, life_s: u64) -> Result<(header::HeaderName, HeaderValue), ApiError> {
    // Without TLS a browser would not keep a cookie that is marked as secure.
    let secure = if is_over_tls(headers) { "; Secure" } else { "" };
    let text = format!("{name}={value}; Path=/; Max-Age={life_s}; HttpOnly; SameSite=Strict{secure}");
    let value = HeaderValue::from_str(&text).map_err(|_| ApiError::Unavailable)?;
    Ok((header::SET_COOKIE, value))
}
