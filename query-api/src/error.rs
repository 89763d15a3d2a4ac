//! Failures as HTTP answers: what callers may know, in one place. The body is always `{"error": "…", "code": "…"}`.

use crate::control::LinkRefusal;
use crate::engine::EngineError;
use crate::http::{LegacyRefusal, SitesRefusal};
use crate::operator::OperatorRefusal;
use crate::query::Refusal;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use strum::{IntoStaticStr, VariantNames};
use thiserror::Error;

/// Variants that only carry another error.
const WRAPPERS: [&str; 5] = ["refused", "legacy", "sites", "link", "operator"];

/// Why a request gets no answer. The texts are part of the contract, and so are the names of the variants in snake case: see [`ApiError::code`].
#[derive(Debug, Error, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "snake_case")]
pub enum ApiError {
    /// No bearer token.
    #[error("Missing API key. Please use a valid Plausible API key as a Bearer Token.")]
    #[strum(serialize = "missing_api_key")]
    NoKey,
    /// Unknown key, unknown site, or a site of someone else.
    #[error(
        "Invalid API key or site ID. Please make sure you're using a valid API key with access to the site you've requested."
    )]
    #[strum(serialize = "invalid_api_key")]
    WrongKey,
    /// A fault of the request.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A fault of a v1 request.
    #[error(transparent)]
    Legacy(#[from] LegacyRefusal),
    /// The Sites API does not do it.
    #[error(transparent)]
    Sites(#[from] SitesRefusal),
    /// A shared link does not open.
    #[error(transparent)]
    Link(#[from] LinkRefusal),
    /// An operator's request is refused.
    #[error(transparent)]
    Operator(#[from] OperatorRefusal),
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
    #[strum(serialize = "method_not_allowed")]
    Method,
    /// The body is too large.
    #[error("The request body is larger than {limit_bytes} bytes.")]
    BodyTooLarge {
        /// The limit.
        limit_bytes: usize,
    },
    /// The body broke off.
    #[error("The request body could not be read.")]
    #[strum(serialize = "unreadable_body")]
    Body,
    /// A key made too many requests.
    #[error(
        "Too many API requests. Your API key is limited to {limit} requests per hour. Please contact us to request more capacity."
    )]
    TooManyRequests {
        /// Requests allowed in an hour.
        limit: u32,
        /// Seconds until the next one is.
        retry_after_s: u64,
    },
    /// A tenant used too much of the engine.
    #[error(
        "Too many expensive queries. Your account is limited to {limit_s} seconds of query time per hour. Please ask for shorter date ranges or fewer dimensions, or contact us to request more capacity."
    )]
    TooMuchTime {
        /// Seconds allowed in an hour.
        limit_s: u32,
        /// Seconds until some are left.
        retry_after_s: u64,
    },
    /// The answer is too large.
    #[error(
        "The answer is larger than {limit_bytes} bytes. Please ask for fewer results with `pagination`, or fewer dimensions."
    )]
    AnswerTooLarge {
        /// The limit.
        limit_bytes: usize,
    },
    /// The query needs more memory than there is.
    #[error("The query needs too much memory. Please ask for a shorter date range or fewer dimensions.")]
    TooMuchMemory,
    /// The query took too long.
    #[error("The query took too long. Please ask for a shorter date range or fewer dimensions.")]
    #[strum(serialize = "query_timeout")]
    TooSlow,
    /// Too many queries at once.
    #[error("Too many queries at the moment. Please try again.")]
    #[strum(serialize = "too_many_queries")]
    Busy,
    /// A file that the answer needs is damaged or gone.
    #[error(
        "A file with events of this period is damaged and is not read. Other periods can be asked for; an operator rebuilds it with `weir repair`."
    )]
    PartDamaged,
    /// Files of another region could not be read while the question was answered; asked again, it is answered without that region.
    #[error("Files of a region could not be read. Please try again.")]
    RegionLost,
    /// Changes are made in the home region, which does not answer.
    #[error(
        "Sites, keys and definitions are changed in the home region {home}, which does not answer at the moment. Nothing was changed. Please try again."
    )]
    HomeRegionAway {
        /// Its name.
        home: String,
    },
    /// Something of ours does not work now.
    #[error("The query cannot be answered at the moment. Please try again.")]
    Unavailable,
}

impl ApiError {
    /// The name of the fault, for programs: it stays what it is when the text gets better.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Refused(refusal) => refusal.into(),
            Self::Legacy(refusal) => refusal.into(),
            Self::Sites(refusal) => refusal.into(),
            Self::Link(refusal) => refusal.into(),
            Self::Operator(refusal) => refusal.into(),
            other => other.into(),
        }
    }

    /// Every code there is.
    pub fn codes() -> impl Iterator<Item = &'static str> {
        let own = Self::VARIANTS.iter().filter(|code| !WRAPPERS.contains(code));
        own.chain(Refusal::VARIANTS)
            .chain(LegacyRefusal::VARIANTS)
            .chain(SitesRefusal::VARIANTS)
            .chain(LinkRefusal::VARIANTS)
            .chain(OperatorRefusal::VARIANTS)
            .copied()
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::NoKey | Self::WrongKey | Self::Link(LinkRefusal::Password) => StatusCode::UNAUTHORIZED,
            Self::Sites(refusal) => refusal.status(),
            Self::Operator(OperatorRefusal::NoActions) => StatusCode::NOT_IMPLEMENTED,
            Self::Refused(_) | Self::Legacy(_) | Self::Operator(OperatorRefusal::Invalid(_)) | Self::Body => {
                StatusCode::BAD_REQUEST
            }
            Self::Operator(_) => StatusCode::CONFLICT,
            Self::NotFound
            | Self::Link(LinkRefusal::Unknown)
            | Self::NoRevision { .. }
            | Self::NoRevisionYet { .. }
            | Self::NoShadow
            | Self::NotInShadow => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::BodyTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooManyRequests { .. } | Self::TooMuchTime { .. } | Self::Link(LinkRefusal::TooMany) => {
                StatusCode::TOO_MANY_REQUESTS
            }
            Self::AnswerTooLarge { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooMuchMemory
            | Self::TooSlow
            | Self::Busy
            | Self::PartDamaged
            | Self::RegionLost
            | Self::HomeRegionAway { .. }
            | Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

/// The caller learns no more than that it is not his fault; the log has the rest.
impl From<EngineError> for ApiError {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Busy { .. } => Self::Busy,
            EngineError::TooLarge { limit_bytes } => Self::AnswerTooLarge { limit_bytes },
            EngineError::Database(cause) if is_out_of_memory(&cause) => {
                tracing::warn!(error = %cause, "query needs too much memory");
                Self::TooMuchMemory
            }
            EngineError::Damaged { .. } | EngineError::Missing { .. } => {
                tracing::error!(%error, "query needs a file that is not whole");
                Self::PartDamaged
            }
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

/// DuckDB tells it by the first words of its text alone.
fn is_out_of_memory(error: &duckdb::Error) -> bool {
    error.to_string().contains("Out of Memory Error")
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = self.status();
        let mut response = (status, axum::Json(json!({"error": self.to_string(), "code": self.code()}))).into_response();
        let retry_after_s = match &self {
            Self::TooManyRequests { retry_after_s, .. } | Self::TooMuchTime { retry_after_s, .. } => Some(*retry_after_s),
            _ => (status == StatusCode::SERVICE_UNAVAILABLE).then_some(1),
        };
        if let Some(retry_after_s) = retry_after_s {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(retry_after_s));
        }
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
