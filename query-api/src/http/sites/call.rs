//! A request to the Sites API: who asks, with which parameters, about which site.

use super::params::Params;
use super::refusal::SitesRefusal;
use crate::control::{Grant, Right};
use crate::error::ApiError;
use crate::http::api::grant;
use crate::service::Service;
use axum::body::Body;
use axum::http::HeaderMap;
use std::sync::Arc;
use weir_event::site::Site;

/// A request by somebody who may do such things at all.
pub(super) struct Call {
    pub(super) service: Arc<Service>,
    pub(super) grant: Grant,
    pub(super) params: Params,
}

impl Call {
    /// Reads a request. Whether the key permits this for any site comes first, then what is asked for.
    pub(super) async fn read(
        service: Arc<Service>,
        headers: &HeaderMap,
        right: Right,
        query: Option<&str>,
        body: Body,
    ) -> Result<Self, ApiError> {
        let grant = match grant(&service, headers).await {
            Err(ApiError::WrongKey) => return Err(SitesRefusal::Key.into()),
            other => other?,
        };
        if !grant.has(right) {
            return Err(SitesRefusal::Key.into());
        }
        let params = Params::read(headers, query, body).await?;
        Ok(Self { service, grant, params })
    }

    /// A parameter that must be there.
    pub(super) fn require(&self, parameter: &'static str, purpose: &'static str) -> Result<String, SitesRefusal> {
        self.params.text(parameter).ok_or(SitesRefusal::Missing { parameter, purpose })
    }

    /// The site of a domain, if the caller may do this with it.
    pub(super) async fn site(&self, right: Right, domain: &str) -> Result<Site, ApiError> {
        let site = self.service.directory.authorise_to(&self.grant, right, domain).await?;
        site.ok_or_else(|| SitesRefusal::Site.into())
    }
}
