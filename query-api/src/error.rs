//! Failures as HTTP answers: what callers may know, in one place. The body is always `{"error":"…"}`.

use crate::engine::EngineError;
use crate::query::Refusal;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use thiserror::Error;

/// Why a request gets no answer. The texts are part of the contract.
#[derive(Debug, Error)]
pub enum ApiError {
    /// No bearer token.
    #[error("Missing API key. Please use a valid Plausible API key as a Bearer Token.")]
    NoKey,
    /// Unknown key, unknown site, or a site of someone else.
    #[error(
        "Invalid API key or site ID. Please make sure you're using a valid API key with access to the site you've requested."
    )]
    WrongKey,
    /// A fault of the request.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// No such address.
    #[error("There is nothing at this address.")]
    NotFound,
    /// A revision that was swept, or its files.
    #[error("Revision {wanted} is no longer kept. The oldest is {oldest}.")]
    NoRevision {
        /// Its number.
        wanted: u64,
        /// The oldest one after it that is kept.
        oldest: u64,
    },
    /// A revision past the newest.
    #[error("There is no revision {wanted} yet.")]
    NoRevisionYet {
        /// Its number.
        wanted: u64,
    },
    /// No replay is in progress.
    #[error("There is no shadow: no replay is in progress.")]
    NoShadow,
    /// A replay is in progress, without this partition, or has built nothing of it yet.
    #[error("The replay in progress has no shadow of this site's events.")]
    NotInShadow,
    /// Known address, wrong method.
    #[error("This address does not accept the method.")]
    Method,
    /// The body is too large.
    #[error("The request body is larger than {limit_bytes} bytes.")]
    BodyTooLarge {
        /// The limit.
        limit_bytes: usize,
    },
    /// The body broke off.
    #[error("The request body could not be read.")]
    Body,
    /// The query took too long.
    #[error("The query took too long. Please ask for a shorter date range or fewer dimensions.")]
    TooSlow,
    /// Too many queries at once.
    #[error("Too many queries at the moment. Please try again.")]
    Busy,
    /// Something of ours does not work now.
    #[error("The query cannot be answered at the moment. Please try again.")]
    Unavailable,
}

impl ApiError {
    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::NoKey | Self::WrongKey => StatusCode::UNAUTHORIZED,
            Self::Refused(_) | Self::Body => StatusCode::BAD_REQUEST,
            Self::NotFound | Self::NoRevision { .. } | Self::NoRevisionYet { .. } | Self::NoShadow | Self::NotInShadow => {
                StatusCode::NOT_FOUND
            }
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::BodyTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow | Self::Busy | Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

/// The caller learns no more than that it is not his fault; the log has the rest.
impl From<EngineError> for ApiError {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Busy { .. } => Self::Busy,
            EngineError::Timeout { .. } => {
                tracing::warn!(%error, "query interrupted");
                Self::TooSlow
            }
            _ => {
                tracing::error!(%error, "query failed");
                Self::Unavailable
            }
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = self.status();
        let mut response = (status, axum::Json(json!({ "error": self.to_string() }))).into_response();
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
