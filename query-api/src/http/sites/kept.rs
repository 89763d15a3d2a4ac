//! What readers keep for a site, each for himself or for all: who asks, what he sees of it, and what he may change.

use super::params::Params;
use super::refusal::SitesRefusal;
use crate::control::{Grant, Right};
use crate::error::ApiError;
use crate::http::api::grant;
use crate::query::Refusal;
use crate::service::Service;
use axum::body::Body;
use axum::http::HeaderMap;
use weir_event::site::Site;
use weir_reader::definitions::SegmentKind;

/// Who asks, what, and about which site that he reads.
pub(super) async fn read(
    service: &Service,
    headers: &HeaderMap,
    query: Option<&str>,
    body: Body,
) -> Result<(Grant, Params, Site), ApiError> {
    let grant = grant(service, headers).await?;
    let params = Params::read(headers, query, body).await?;
    let site_id = params.text("site_id").filter(|site| !site.is_empty()).ok_or(Refusal::MissingSite)?;
    let site = service.directory.authorise(&grant, &site_id).await?;
    Ok((grant, params, site))
}

/// Who asks about a site that an address names and he reads, as far as he has the right.
pub(super) async fn permitted(
    service: &Service,
    headers: &HeaderMap,
    domain: &str,
    right: Right,
    what: &'static str,
) -> Result<(Grant, Site), ApiError> {
    let grant = grant(service, headers).await?;
    let site = service.directory.authorise(&grant, domain).await?;
    permit(service, &grant, right, &site, what).await?;
    Ok((grant, site))
}

/// Who reads a site may not therefore change what is kept for it.
pub(super) async fn permit(
    service: &Service,
    grant: &Grant,
    right: Right,
    site: &Site,
    what: &'static str,
) -> Result<(), ApiError> {
    let permitted = service.directory.authorise_to(grant, right, &site.domain).await?;
    if permitted.is_some() { Ok(()) } else { Err(SitesRefusal::Permission(what).into()) }
}

/// For whom something is to be kept.
pub(super) fn kind(params: &Params) -> Result<SegmentKind, SitesRefusal> {
    match params.text("type").as_deref() {
        Some("personal") => Ok(SegmentKind::Personal),
        Some("site") => Ok(SegmentKind::Site),
        _ => Err(SitesRefusal::Invalid("type must be personal or site".to_owned())),
    }
}

/// What it takes to add or take away something of this kind.
pub(super) fn right_to_keep(kind: SegmentKind) -> Right {
    match kind {
        SegmentKind::Personal => Right::KeepSegments,
        SegmentKind::Site => Right::ChangeSite,
    }
}

/// What is one's own is seen by its owner only. Readers by link have nothing of their own.
pub(super) fn is_visible(kind: SegmentKind, owner: &str, grant: &Grant) -> bool {
    kind == SegmentKind::Site || (owner == grant.id && !grant.is_link())
}
