//! Routes for holders of a key.

use super::csv::{self, Table};
use super::{access, credential, etag};
use crate::answer::{Answer, Encoded};
use crate::control::{Grant, Right};
use crate::error::ApiError;
use crate::ledger::{LedgerAnswer, Period, UNKNOWN_SITES, Whose};
use crate::limits::Tenant;
use crate::query::{self, Refusal};
use crate::revision::Revision;
use crate::service::Service;
use axum::Json;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use http_body_util::BodyExt;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Instant;
use utoipa::IntoParams;
use weir_event::site::Site;

/// Largest request body.
pub(super) const BODY_BYTES_MAX: usize = 65_536;
/// Most that is read of a body that is too large.
const DRAIN_BYTES_MAX: usize = 8_000_000;

/// `?rev=`, which every route of figures takes.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Rev {
    /// Number of an earlier revision, or `shadow` for what a replay has built.
    #[param(value_type = Option<String>, required = false, nullable = false, pattern = "^([0-9]+|shadow)$")]
    rev: Option<String>,
}

pub(super) type RevisionParameter = Result<Query<Rev>, QueryRejection>;

/// The revision that is asked for, by someone who may.
pub(super) fn revision(service: &Service, grant: &Grant, parameter: RevisionParameter) -> Result<Revision, ApiError> {
    let Query(Rev { rev }) = parameter.map_err(|_| Refusal::QueryString)?;
    let revision = Revision::parse(rev.as_deref())?;
    if revision.is_shadow() {
        service.directory.authorise_shadow(grant)?;
    }
    Ok(revision)
}

/// `POST /api/v2/query`.
#[utoipa::path(
    post, path = "/api/v2/query", operation_id = "query", tag = "stats", params(Rev),
    responses((status = 200, description = "The figures; as CSV where the request prefers it.", content((Answer = "application/json"), (String = "text/csv"))))
)]
pub(super) async fn query(
    State(service): State<Arc<Service>>,
    headers: HeaderMap,
    parameter: RevisionParameter,
    body: Body,
) -> Result<Response, ApiError> {
    let began = Instant::now();
    let grant = grant(&service, &headers).await?;
    let revision = revision(&service, &grant, parameter)?;
    let body = read_json(body).await?;
    let site_name = query::site_id(&body)?;
    let site = service.directory.authorise(&grant, site_name).await?;
    let answer = ask(&service, &grant, site, &body, revision).await?;
    service.telemetry.queried(began.elapsed());
    if csv::is_wanted(&headers) {
        let answer: Value = serde_json::from_slice(&answer.body).map_err(|_| ApiError::Unavailable)?;
        return csv::respond(&Table::of_query(&answer), &answer);
    }
    let mut response = etag::respond(&headers, answer);
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept"));
    Ok(response)
}

/// Answers a query of v2 on an authorised site: what every route of figures goes through.
pub(super) async fn ask(
    service: &Service,
    grant: &Grant,
    site: Site,
    body: &Value,
    revision: Revision,
) -> Result<Encoded, ApiError> {
    let site_name = query::site_id(body)?.to_owned();
    let query = query::parse(body, &service.directory.definitions(site.id), &grant.id)?;
    service.query(Tenant::of(grant, &site), site, site_name, query, revision).await
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct SiteParameter {
    /// Domain of the site.
    #[param(value_type = String, required = true, min_length = 1, example = "a.example")]
    site_id: Option<String>,
}

/// `GET /api/v1/stats/realtime/visitors`: a bare number.
#[utoipa::path(
    get, path = "/api/v1/stats/realtime/visitors", operation_id = "current_visitors", tag = "stats", params(SiteParameter, Rev),
    responses((status = 200, description = "Visitors of the last five minutes.", body = i64, content_type = "application/json"))
)]
pub(super) async fn current_visitors(
    State(service): State<Arc<Service>>,
    headers: HeaderMap,
    parameter: Result<Query<SiteParameter>, QueryRejection>,
    at: RevisionParameter,
) -> Result<Json<i64>, ApiError> {
    let grant = grant(&service, &headers).await?;
    let revision = revision(&service, &grant, at)?;
    let site_name = parameter
        .ok()
        .and_then(|Query(parameter)| parameter.site_id)
        .filter(|site| !site.is_empty())
        .ok_or(Refusal::MissingSite)?;
    let site = service.directory.authorise(&grant, &site_name).await?;
    Ok(Json(service.current_visitors(Tenant::of(&grant, &site), site, revision).await?))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct LedgerParameters {
    /// Domain of the site. Admins may leave it out, for all sites together.
    #[param(value_type = Option<String>, required = false, nullable = false, example = "a.example")]
    site_id: Option<String>,
    /// A date such as `2026-11-21`, or an RFC 3339 time.
    #[param(value_type = Option<String>, required = false, nullable = false, pattern = "^[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ].+)?$")]
    from: Option<String>,
    /// The same, after `from`.
    #[param(value_type = Option<String>, required = false, nullable = false, pattern = "^[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ].+)?$")]
    to: Option<String>,
}

/// `GET /api/ledger`: what became of every event of a site, by hour. Admins may leave the site out, or ask for the events of unknown sites.
#[utoipa::path(
    get, path = "/api/ledger", operation_id = "ledger", tag = "operations", params(LedgerParameters, Rev),
    responses((status = 200, description = "The ledger.", body = LedgerAnswer))
)]
pub(super) async fn ledger(
    State(service): State<Arc<Service>>,
    headers: HeaderMap,
    parameters: Result<Query<LedgerParameters>, QueryRejection>,
    at: RevisionParameter,
) -> Result<Json<LedgerAnswer>, ApiError> {
    let grant = grant(&service, &headers).await?;
    let revision = revision(&service, &grant, at)?;
    let Query(LedgerParameters { site_id, from, to }) = parameters.map_err(|_| Refusal::QueryString)?;
    let site_name = site_id.filter(|site| !site.is_empty());
    let whose = match site_name.as_deref() {
        None if !grant.is_admin() => return Err(Refusal::MissingSite.into()),
        None => service.directory.authorise_all(&grant).map(|()| Whose::All)?,
        Some(UNKNOWN_SITES) => service.directory.authorise_all(&grant).map(|()| Whose::Unknown)?,
        Some(name) => Whose::Site(Box::new(service.directory.authorise(&grant, name).await?)),
    };
    let period = Period::parse(from.as_deref(), to.as_deref(), service.clock.now_ms() as i64)?;
    let tenant = if let Whose::Site(site) = &whose { Tenant::of(&grant, site) } else { Tenant::Admin };
    Ok(Json(service.ledger(tenant, whose, site_name, period, revision).await?))
}

/// `GET /api/sites`: what the key reads.
#[utoipa::path(
    get, path = "/api/sites", operation_id = "readable_sites", tag = "sites",
    responses((status = 200, description = "Domains, time zones, and what the caller may do with each.", body = Vec<Value>))
)]
pub(super) async fn sites(State(service): State<Arc<Service>>, headers: HeaderMap) -> Result<Json<Vec<Value>>, ApiError> {
    let grant = grant(&service, &headers).await?;
    let sites = service.directory.sites(&grant);
    let script_url = service.collector_url.as_ref().map(|url| format!("{}/js/script.js", url.trim_end_matches('/')));
    let entry = |site: &Site| {
        let may: Vec<&str> = service.directory.rights(&grant, site).into_iter().map(Right::name).collect();
        let mut entry = json!({"domain": site.domain, "timezone": site.timezone, "may": may});
        if let (Some(url), Value::Object(fields)) = (&script_url, &mut entry) {
            fields.insert("script_url".to_owned(), json!(url));
        }
        entry
    };
    Ok(Json(sites.iter().map(entry).collect()))
}

/// The grant of the request: of its bearer token, or of its sessions. The request counts among those of its key.
pub(super) async fn grant(service: &Service, headers: &HeaderMap) -> Result<Grant, ApiError> {
    let grant = credential::grant(service, headers).await?;
    access::note_key(&grant.id);
    service.limits.admit(&grant)?;
    Ok(grant)
}

/// Reads JSON.
pub(super) async fn read_json(body: Body) -> Result<Value, ApiError> {
    read_json_within(body, BODY_BYTES_MAX).await
}

/// Reads JSON of at most so many bytes.
pub(super) async fn read_json_within(body: Body, limit_bytes: usize) -> Result<Value, ApiError> {
    serde_json::from_slice(&read_within(body, limit_bytes).await?).map_err(|_| Refusal::NotJson.into())
}

/// Reads a body within the limit of most routes.
pub(super) async fn read_bytes(body: Body) -> Result<Vec<u8>, ApiError> {
    read_within(body, BODY_BYTES_MAX).await
}

/// Reads a body within a limit. What is over it is read and dropped up to [`DRAIN_BYTES_MAX`], because a client that still sends does not see an answer.
async fn read_within(mut body: Body, limit_bytes: usize) -> Result<Vec<u8>, ApiError> {
    let mut bytes = Vec::new();
    let mut received_bytes = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| ApiError::Body)?;
        let Some(data) = frame.data_ref() else { continue };
        received_bytes += data.len();
        if received_bytes <= limit_bytes {
            bytes.extend_from_slice(data);
        } else if received_bytes > DRAIN_BYTES_MAX {
            break;
        }
    }
    if received_bytes > limit_bytes {
        return Err(ApiError::BodyTooLarge { limit_bytes });
    }
    Ok(bytes)
}
