//! What the Sites API refuses, in Plausible's words where it has some.

use axum::http::StatusCode;
use strum::{IntoStaticStr, VariantNames};
use thiserror::Error;

/// Why the Sites API does not do what was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Error, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "snake_case")]
pub enum SitesRefusal {
    /// Unknown key, or one without the scope.
    #[error("Invalid API key. Please make sure you're using a valid API key with access to the resource you've requested.")]
    #[strum(serialize = "invalid_sites_api_key")]
    Key,
    /// Unknown, deleted or somebody else's.
    #[error("Site could not be found")]
    #[strum(serialize = "site_not_found")]
    Site,
    /// No such goal.
    #[error("Goal could not be found")]
    #[strum(serialize = "goal_not_found")]
    Goal,
    /// No such link.
    #[error("Shared link could not be found")]
    #[strum(serialize = "shared_link_not_found")]
    Link,
    /// No such key of the site.
    #[error("Key could not be found")]
    #[strum(serialize = "key_not_found")]
    HeldKey,
    /// No such annotation, or one that is not shown to the caller.
    #[error("Annotation could not be found")]
    #[strum(serialize = "annotation_not_found")]
    Annotation,
    /// No such segment, or one that is not shown to the caller.
    #[error("Segment not found with ID \"{id}\"")]
    #[strum(serialize = "segment_not_found")]
    Segment {
        /// What was asked for.
        id: String,
    },
    /// A parameter is missing.
    #[error("Parameter `{parameter}` is required to {purpose}")]
    #[strum(serialize = "missing_parameter")]
    Missing {
        /// Its name.
        parameter: &'static str,
        /// What it is for.
        purpose: &'static str,
    },
    /// A parameter cannot be used.
    #[error("{0}")]
    #[strum(serialize = "invalid_parameter")]
    Invalid(String),
    /// The key may add sites, but not to that account.
    #[error("You can't add sites to the selected team.")]
    #[strum(serialize = "team_not_permitted")]
    Team,
    /// The caller reads the site, no more.
    #[error("Not enough permissions to {0}")]
    #[strum(serialize = "not_permitted")]
    Permission(&'static str),
}

impl SitesRefusal {
    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Key => StatusCode::UNAUTHORIZED,
            Self::Site | Self::Goal | Self::Link | Self::HeldKey | Self::Annotation | Self::Segment { .. } => {
                StatusCode::NOT_FOUND
            }
            Self::Missing { .. } | Self::Invalid(_) => StatusCode::BAD_REQUEST,
            Self::Team | Self::Permission(_) => StatusCode::FORBIDDEN,
        }
    }
}
