//! A site as the control plane knows it: the record behind a domain.

use serde::{Deserialize, Serialize};

/// Record of one site in the sites bucket. Unknown fields are ignored, so that older edges survive newer records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Site {
    /// Immutable number, from 1.
    pub id: u32,
    /// Lower-case domain without `www.`, as in `data-domain`.
    pub domain: String,
    /// IANA time zone of its reports.
    pub timezone: String,
    /// Number of the partition whose stream takes its events.
    pub partition: u32,
    /// When it was added, Unix milliseconds.
    pub created_ms: u64,
}
