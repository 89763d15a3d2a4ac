//! The Sites API: sites, goals, custom properties, shared links, as Plausible's clients expect it; and what the dashboard keeps: segments, annotations, settings, keys.

mod annotations;
mod call;
mod change;
mod custom_props;
mod goals;
mod guests;
mod kept;
mod keys;
mod page;
mod params;
mod refusal;
mod segments;
mod settings;
mod shared_links;
mod site;

pub use refusal::SitesRefusal;

use crate::service::Service;
use axum::Router;
use axum::routing::{delete, get};
use std::sync::Arc;

/// How these routes are described: a route that is not named here fails a test.
#[derive(utoipa::OpenApi)]
#[openapi(paths(
    site::index,
    site::create,
    site::show,
    site::update,
    site::remove,
    guests::teams,
    guests::index,
    guests::invite,
    guests::remove,
    goals::index,
    goals::find_or_create,
    goals::remove,
    custom_props::index,
    custom_props::create,
    custom_props::remove,
    shared_links::index,
    shared_links::find_or_create,
    shared_links::remove,
    segments::index,
    segments::create,
    segments::remove,
    annotations::index,
    annotations::create,
    annotations::remove,
    settings::show,
    settings::update,
    keys::index,
    keys::create,
    keys::remove
))]
pub(super) struct Described;

/// Its routes.
pub(super) fn routes() -> Router<Arc<Service>> {
    Router::new()
        .route("/api/v1/sites", get(site::index).post(site::create))
        .route("/api/v1/sites/teams", get(guests::teams))
        .route("/api/v1/sites/{site_id}", get(site::show).put(site::update).delete(site::remove))
        .route("/api/v1/sites/goals", get(goals::index).put(goals::find_or_create))
        .route("/api/v1/sites/goals/{goal_id}", delete(goals::remove))
        .route("/api/v1/sites/custom-props", get(custom_props::index).put(custom_props::create))
        .route("/api/v1/sites/custom-props/{*property}", delete(custom_props::remove))
        .route("/api/v1/sites/shared-links", get(shared_links::index).put(shared_links::find_or_create))
        .route("/api/v1/sites/shared-links/{link_id}", delete(shared_links::remove))
        .route("/api/v1/sites/guests", get(guests::index).put(guests::invite))
        .route("/api/v1/sites/guests/{email}", delete(guests::remove))
        .route("/api/segments", get(segments::index).post(segments::create))
        .route("/api/segments/{segment_id}", delete(segments::remove))
        .route("/api/annotations", get(annotations::index).post(annotations::create))
        .route("/api/annotations/{annotation_id}", delete(annotations::remove))
        .route("/api/sites/{domain}/settings", get(settings::show).patch(settings::update))
        .route("/api/sites/{domain}/keys", get(keys::index).post(keys::create))
        .route("/api/sites/{domain}/keys/{key_id}", delete(keys::remove))
}
