//! `/api/v1/sites`: listing, adding, changing and removing sites.

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
use weir_event::site::{ScriptSettings, Settings, Site, script_id};
use weir_reader::control::names::NameError;
use weir_reader::control::sites::{NewSite, SiteError};

/// Time zone of a site that names none.
const TIMEZONE: &str = "Etc/UTC";
const NO_CHANGES: &str = "Payload must contain at least one of the parameters 'domain', 'tracker_script_configuration'";
/// Options of Plausible's script that ours does not have: a site's own calls and attributes do it, whatever the record says.
const WITHOUT_SWITCH: [&str; 4] = ["track_404_pages", "revenue_tracking", "tagged_events", "pageview_props"];

/// `GET /api/v1/sites`.
#[utoipa::path(
    get, path = "/api/v1/sites", operation_id = "list_sites", tag = "sites",
    params(("limit" = Option<u64>, Query, nullable = false, minimum = 1), ("after" = Option<String>, Query, nullable = false), ("before" = Option<String>, Query, nullable = false)),
    responses((status = 200, description = "Sites of the key, newest first, with `meta` for paging.", body = Object))
)]
pub(super) async fn index(
    State(service): State<Arc<Service>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    body: Body,
) -> Result<Json<Value>, ApiError> {
    let call = Call::read(service, &headers, Right::ReadSite, query.as_deref(), body).await?;
    let wanted = Wanted::read(&call.params)?;
    let team = call.params.text("team_id");
    let mut sites = call.service.directory.sites_with(&call.grant, Right::ReadSite);
    sites.retain(|site| team.is_none() || site.account == team);
    let (sites, meta) = wanted.page(sites, |site| u64::from(site.id));
    let sites: Vec<Value> = sites.iter().map(|site| json!({"domain": site.domain, "timezone": site.timezone})).collect();
    Ok(Json(json!({"sites": sites, "meta": meta})))
}

/// `POST /api/v1/sites`.
#[utoipa::path(
    post, path = "/api/v1/sites", operation_id = "create_site", tag = "sites",
    request_body = Object,
    responses((status = 200, description = "The site.", body = Object))
)]
pub(super) async fn create(
    State(service): State<Arc<Service>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    body: Body,
) -> Result<Json<Value>, ApiError> {
    let call = Call::read(service, &headers, Right::ChangeSite, query.as_deref(), body).await?;
    let directory = &call.service.directory;
    let account = call.params.text("team_id").or_else(|| call.grant.account().map(str::to_owned));
    match directory.authorise_adding(&call.grant, account.as_deref()) {
        Some(true) => {}
        Some(false) => return Err(SitesRefusal::Team.into()),
        None => return Err(SitesRefusal::Key.into()),
    }
    let domain = call.params.text("domain").filter(|domain| !domain.trim().is_empty());
    let domain = domain.ok_or_else(|| SitesRefusal::Invalid("domain: can't be blank".to_owned()))?;
    let timezone = call.params.text("timezone").filter(|name| !name.is_empty()).unwrap_or_else(|| TIMEZONE.to_owned());
    let mut settings = Settings::default();
    if let Some(wanted) = call.params.value("tracker_script_configuration") {
        configure(&mut settings.script, wanted)?;
    }
    let new = NewSite { domain: clean(&domain), timezone, account, settings };
    let partitions: Vec<u32> = call.service.partitions.keys().copied().collect();
    let added = directory.add_site(new, &partitions, call.service.clock.now_ms()).await?;
    let site = added.map_err(|error| refusal(&error))?;
    Ok(Json(shown(&call.service, &site)))
}

/// `GET /api/v1/sites/{site_id}`.
#[utoipa::path(
    get, path = "/api/v1/sites/{site_id}", operation_id = "site", tag = "sites",
    params(("site_id" = String, Path)),
    responses((status = 200, description = "The site.", body = Object))
)]
pub(super) async fn show(
    State(service): State<Arc<Service>>,
    Path(site_id): Path<String>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    body: Body,
) -> Result<Json<Value>, ApiError> {
    let call = Call::read(service, &headers, Right::ReadSite, query.as_deref(), body).await?;
    let site = call.site(Right::ReadSite, &site_id).await?;
    Ok(Json(shown(&call.service, &site)))
}

/// `PUT /api/v1/sites/{site_id}`: another domain, another configuration of its script, or both.
#[utoipa::path(
    put, path = "/api/v1/sites/{site_id}", operation_id = "update_site", tag = "sites",
    params(("site_id" = String, Path)),
    request_body = Object,
    responses((status = 200, description = "The site.", body = Object))
)]
pub(super) async fn update(
    State(service): State<Arc<Service>>,
    Path(site_id): Path<String>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    body: Body,
) -> Result<Json<Value>, ApiError> {
    let call = Call::read(service, &headers, Right::ChangeSite, query.as_deref(), body).await?;
    let (domain, script) = (call.params.text("domain"), call.params.value("tracker_script_configuration"));
    if domain.is_none() && script.is_none() {
        return Err(SitesRefusal::Invalid(NO_CHANGES.to_owned()).into());
    }
    let mut site = call.site(Right::ChangeSite, &site_id).await?;
    let mut settings = site.settings.script;
    if let Some(wanted) = script {
        configure(&mut settings, wanted)?;
    }
    let directory = &call.service.directory;
    if let Some(domain) = domain {
        let renamed = directory.rename_site(&site, &clean(&domain), call.service.clock.now_ms()).await?;
        site = renamed.map_err(|error| refusal(&error))?;
    }
    if let Some(wanted) = script {
        let changed = directory.update_site(&site, |site| {
            // It was judged above.
            let _checked = configure(&mut site.settings.script, wanted);
        });
        site = changed.await?.map_err(|error| refusal(&error))?;
    }
    Ok(Json(shown(&call.service, &site)))
}

/// `DELETE /api/v1/sites/{site_id}`.
#[utoipa::path(
    delete, path = "/api/v1/sites/{site_id}", operation_id = "delete_site", tag = "sites",
    params(("site_id" = String, Path)),
    responses((status = 200, description = "It is deleted.", body = Object))
)]
pub(super) async fn remove(
    State(service): State<Arc<Service>>,
    Path(site_id): Path<String>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    body: Body,
) -> Result<Json<Value>, ApiError> {
    let call = Call::read(service, &headers, Right::ChangeSite, query.as_deref(), body).await?;
    let site = call.site(Right::ChangeSite, &site_id).await?;
    let (region, now_ms) = (&call.service.region, call.service.clock.now_ms());
    call.service.directory.remove_site(&site, region, now_ms).await?.map_err(|error| refusal(&error))?;
    Ok(Json(json!({"deleted": true})))
}

fn shown(service: &Service, site: &Site) -> Value {
    let ScriptSettings { outbound_links, file_downloads, form_submissions, hash_routing, .. } = site.settings.script;
    json!({
        "domain": site.domain,
        "timezone": site.timezone,
        "custom_properties": service.directory.definitions(site.id).custom_props,
        "tracker_script_configuration": {
            "id": format!("pa-{}", script_id(&site.domain)),
            "installation_type": null,
            "track_404_pages": false,
            "hash_based_routing": hash_routing,
            "outbound_links": outbound_links,
            "file_downloads": file_downloads,
            "revenue_tracking": false,
            "tagged_events": false,
            "form_submissions": form_submissions,
            "pageview_props": false,
        },
    })
}

/// A domain as Plausible takes it: with a scheme before and a slash behind it too.
fn clean(domain: &str) -> String {
    let domain = domain.trim();
    let bare = domain.strip_prefix("https://").or_else(|| domain.strip_prefix("http://")).unwrap_or(domain);
    bare.trim_matches('/').to_owned()
}

fn configure(script: &mut ScriptSettings, wanted: &Value) -> Result<(), SitesRefusal> {
    let wrong = |name: &str, problem: &str| SitesRefusal::Invalid(format!("tracker_script_configuration.{name}: {problem}"));
    let Value::Object(fields) = wanted else {
        return Err(SitesRefusal::Invalid("tracker_script_configuration: is invalid".to_owned()));
    };
    for (name, value) in fields {
        let setting = match name.as_str() {
            "outbound_links" => &mut script.outbound_links,
            "file_downloads" => &mut script.file_downloads,
            "form_submissions" => &mut script.form_submissions,
            "hash_based_routing" => &mut script.hash_routing,
            name if WITHOUT_SWITCH.contains(&name) && value == true => return Err(wrong(name, "is not supported")),
            _ => continue,
        };
        *setting = value.as_bool().ok_or_else(|| wrong(name, "is invalid"))?;
    }
    Ok(())
}

fn refusal(error: &SiteError) -> ApiError {
    let text = match error {
        SiteError::Name(NameError::Domain(_)) => "domain: only letters, numbers, slashes and period allowed",
        SiteError::Name(NameError::Timezone(_)) => "timezone: is invalid",
        SiteError::Taken { .. } => "domain: This domain cannot be registered. Perhaps one of your colleagues registered it?",
        SiteError::Same => "domain: New domain must be different than the current one",
        SiteError::Missing { .. } => return SitesRefusal::Site.into(),
        SiteError::NoNumbers | SiteError::Unwanted(_) => return ApiError::Unavailable,
    };
    SitesRefusal::Invalid(text.to_owned()).into()
}
