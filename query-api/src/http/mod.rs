//! The HTTP side: routes, limits, and what every answer carries.

mod access;
mod api;
mod batch;
mod credential;
mod csv;
mod dashboard;
mod etag;
mod openapi;
mod operator;
mod session;
mod sites;
mod status;
mod v1;

pub use sites::SitesRefusal;
pub use v1::LegacyRefusal;

use crate::error::ApiError;
use crate::service::Service;
use axum::Router;
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware;
use axum::routing::{get, post};
use std::sync::Arc;
use std::time::Duration;
use tower_http::compression::CompressionLayer;
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::timeout::TimeoutLayer;

/// Time a whole request may take, body included: the query's limit and some.
const REQUEST_TIMEOUT: Duration = Duration::from_mins(1);

/// The policy of answers that are no pages: shown as one all the same, they load nothing and stand in no frame.
const NO_PAGE: &str = "default-src 'none'; frame-ancestors 'none'";

/// All routes over a service.
pub fn router(service: Arc<Service>) -> Router {
    Router::new()
        .route("/api/v2/query", post(api::query))
        .route("/api/v2/queries", post(batch::queries))
        .route("/api/v2/query/schema", get(openapi::query_schema))
        .route("/api/openapi.json", get(openapi::document_route))
        .route("/api/v1/stats/realtime/visitors", get(api::current_visitors))
        .route("/api/v1/stats/aggregate", get(v1::aggregate))
        .route("/api/v1/stats/timeseries", get(v1::timeseries))
        .route("/api/v1/stats/breakdown", get(v1::breakdown))
        .route("/api/ledger", get(api::ledger))
        .route("/api/sites", get(api::sites))
        .route("/api/session", get(session::who).post(session::sign_in).delete(session::sign_out))
        .route("/api/share/{slug}/session", post(session::open_link))
        .merge(sites::routes())
        .merge(operator::routes())
        .route("/api/status", get(status::status))
        .route("/api/health", get(status::health))
        .route("/api/health/live", get(status::live))
        .route("/api/health/ready", get(status::ready))
        .route("/metrics", get(status::metrics))
        .route("/", get(dashboard::index))
        .route("/sites", get(dashboard::index))
        .route("/settings", get(dashboard::index))
        .route("/operator", get(dashboard::index))
        .route("/sign-in", get(dashboard::index))
        .route("/share/{domain}", get(dashboard::shared))
        .route("/{*path}", get(dashboard::asset))
        .method_not_allowed_fallback(|| async { ApiError::Method })
        .fallback(|| async { ApiError::NotFound })
        .layer(TimeoutLayer::with_status_code(axum::http::StatusCode::REQUEST_TIMEOUT, REQUEST_TIMEOUT))
        .layer(CompressionLayer::new())
        .layer(constant(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(constant(header::REFERRER_POLICY, "no-referrer"))
        .layer(constant(HeaderName::from_static("cross-origin-opener-policy"), "same-origin"))
        // Pages say what they may load; no other answer is shown as a page.
        .layer(SetResponseHeaderLayer::if_not_present(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(NO_PAGE)))
        // Figures change from one second to the next, and belong to one reader.
        .layer(SetResponseHeaderLayer::if_not_present(header::CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .layer(middleware::from_fn_with_state(Arc::clone(&service), access::log))
        .with_state(service)
}

fn constant(name: HeaderName, value: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::overriding(name, HeaderValue::from_static(value))
}
