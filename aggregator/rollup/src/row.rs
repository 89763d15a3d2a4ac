//! One row of a part's `events` table, as the fold makes it.

use std::sync::Arc;
use weir_event::model::{Origin, Property, Revenue};

/// Where an event stands in its partition: rows are folded and ordered by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Position {
    /// Stream sequence of the batch.
    pub seq: u64,
    /// Index of the event in the batch.
    pub idx: u32,
}

/// An event joined to its visit.
#[derive(Clone, Debug, PartialEq)]
pub struct EventRow {
    /// Where it stands in the stream.
    pub position: Position,
    /// The site.
    pub site_id: u32,
    /// When it happened, Unix milliseconds.
    pub event_ms: i64,
    /// When the edge received it, Unix milliseconds.
    pub received_ms: i64,
    /// Random id; 0 = none.
    pub event_id: u128,
    /// The sender said that it may have sent this before.
    pub retry: bool,
    /// Id of the visit: hash of site, visitor and opening position.
    pub visit_id: u64,
    /// `pageview`, `engagement` or a custom name.
    pub name: String,
    /// Host of the page.
    pub hostname: String,
    /// Path of the page.
    pub pathname: String,
    /// Custom properties in the order of arrival.
    pub props: Vec<Property>,
    /// Revenue.
    pub revenue: Option<Revenue>,
    /// Engaged time, milliseconds.
    pub engagement_ms: Option<u32>,
    /// Scroll depth, percent.
    pub scroll_depth: Option<u8>,
    /// The event ends a bounce, if it is the second such.
    pub interactive: bool,
    /// How it came in.
    pub origin: Origin,
    /// Attributes of the visit's opening event, shared by all its rows.
    pub opening: Arc<Opening>,
}

/// What a visit takes from the event that opened it. Empty strings stand for unknown or none.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Opening {
    /// The visitor id that is counted: the opening event's, under its own day's salt.
    pub visitor_id: u64,
    /// 0 = no bot, 1 = declared, 2 = headless, 3 = by user agent.
    pub bot: u8,
    /// Name of the source; empty = direct.
    pub source: String,
    /// Referrer as host and path.
    pub referrer: String,
    /// Acquisition channel.
    pub channel: String,
    /// `utm_source`, `source` or `ref`.
    pub utm_source: String,
    /// `utm_medium`.
    pub utm_medium: String,
    /// `utm_campaign`.
    pub utm_campaign: String,
    /// `utm_content`.
    pub utm_content: String,
    /// `utm_term`.
    pub utm_term: String,
    /// ISO 3166-1 alpha-2.
    pub country: String,
    /// ISO 3166-2.
    pub region: String,
    /// City name.
    pub city: String,
    /// `Desktop`, `Mobile`, `Tablet` or empty.
    pub device: String,
    /// Browser name.
    pub browser: String,
    /// `major.minor`.
    pub browser_version: String,
    /// Operating system name.
    pub os: String,
    /// `major.minor`.
    pub os_version: String,
}

/// One row of a part's `controls` table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlRow {
    /// Where it stands in the stream: after the events of its batch.
    pub position: Position,
    /// The protobuf message [`weir_event::model::Control`].
    pub record: Vec<u8>,
}
