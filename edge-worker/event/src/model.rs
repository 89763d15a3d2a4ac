//! The records on the stream, as protobuf: field numbers are a contract and never change meaning.
//!
//! `weir-event.proto` beside this crate's sources says the same for programs in other languages.

/// Version of the payload, sent as the NATS header [`crate::subject::SCHEMA_HEADER`].
pub const SCHEMA_VERSION: u32 = 1;

/// One message on a partition's stream: what one batcher sends at once. Its bytes are frozen before the first publish.
#[derive(Clone, PartialEq, prost::Message)]
pub struct EventBatch {
    /// Random id (16 bytes) of the sender's run. A batcher takes a new one at every start.
    #[prost(bytes = "vec", tag = "1")]
    pub producer: Vec<u8>,
    /// Counts the batches of this producer from 1, without gaps.
    #[prost(uint64, tag = "2")]
    pub number: u64,
    /// When the batch was formed, Unix milliseconds.
    #[prost(uint64, tag = "3")]
    pub formed_ms: u64,
    /// Receive time of the oldest event that the batcher still holds after this batch, Unix milliseconds; 0 = none.
    #[prost(uint64, tag = "4")]
    pub oldest_unsent_ms: u64,
    /// Stable name of the sender (`<region>/<partition>/<slot>`, `import/<digest>`): it survives restarts, unlike `producer`.
    #[prost(string, tag = "5")]
    pub batcher: String,
    /// The events in the order of arrival.
    #[prost(message, repeated, tag = "6")]
    pub events: Vec<Event>,
    /// Control records, which take effect at this batch's position, after its events.
    #[prost(message, repeated, tag = "7")]
    pub controls: Vec<Control>,
    /// What the edge refused or dropped since it last said so. It counts once, with this batch.
    #[prost(message, repeated, tag = "8")]
    pub refused: Vec<Refused>,
    /// What stands for events that were erased, by index. Only raw batches of the archive have any: no sender makes them.
    #[prost(message, repeated, tag = "9")]
    pub tombstones: Vec<Tombstone>,
}

/// Stands in a batch for an event that was erased, so that the others keep their positions and the ledger its counts. It tells nothing of a
/// visitor: which site, which hour, and the random id by which a copy of the event is recognised.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct Tombstone {
    /// Index that the event had in its batch.
    #[prost(uint32, tag = "1")]
    pub idx: u32,
    /// The site.
    #[prost(uint32, tag = "2")]
    pub site_id: u32,
    /// Start of the UTC hour in which the event was received, Unix milliseconds.
    #[prost(uint64, tag = "3")]
    pub hour_ms: u64,
    /// Upper half of the random event id.
    #[prost(fixed64, tag = "4")]
    pub id_high: u64,
    /// Lower half of the random event id.
    #[prost(fixed64, tag = "5")]
    pub id_low: u64,
    /// What had become of the event.
    #[prost(enumeration = "Fate", tag = "6")]
    pub fate: i32,
    /// It was among the accepted ones of bots.
    #[prost(bool, tag = "7")]
    pub bot: bool,
    /// It was among the accepted ones that came late.
    #[prost(bool, tag = "8")]
    pub late: bool,
}

/// What had become of an event before it was erased.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum Fate {
    /// It was a row.
    Row = 0,
    /// It was dropped as a copy of one.
    Copy = 1,
    /// It was engagement without a visit.
    Orphan = 2,
}

/// One event of one site, address-free.
///
/// Tags 40–49 are reserved for what other front doors send: items of a purchase, user properties, further client ids.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Event {
    /// Upper half of the random event id.
    #[prost(fixed64, tag = "1")]
    pub id_high: u64,
    /// Lower half of the random event id.
    #[prost(fixed64, tag = "2")]
    pub id_low: u64,
    /// The sender says that it may have sent this event before.
    #[prost(bool, tag = "3")]
    pub retry: bool,
    /// When it happened: receive time minus the age the client reports, Unix milliseconds.
    #[prost(uint64, tag = "4")]
    pub event_ms: u64,
    /// When the edge received it, Unix milliseconds. Imports repeat `event_ms`.
    #[prost(uint64, tag = "5")]
    pub received_ms: u64,
    /// Immutable number of the site.
    #[prost(uint32, tag = "6")]
    pub site_id: u32,
    /// Visitor id under the salt of the event's own UTC day.
    #[prost(fixed64, tag = "7")]
    pub visitor_id: u64,
    /// Visitor id under the salt of the day before; 0 when that salt is gone.
    #[prost(fixed64, tag = "8")]
    pub previous_visitor_id: u64,
    /// `pageview`, `engagement` or the name of a custom event.
    #[prost(string, tag = "9")]
    pub name: String,
    /// Host of the page without `www.`; `(none)` when the address had none.
    #[prost(string, tag = "10")]
    pub hostname: String,
    /// Path of the page, percent-decoded, without trailing blanks; at least `/`. With hash routing the fragment follows.
    #[prost(string, tag = "11")]
    pub pathname: String,
    /// Raw referrer, at most 2,000 characters.
    #[prost(string, tag = "12")]
    pub referrer: String,
    /// Raw user agent, at most 500 characters.
    #[prost(string, tag = "13")]
    pub user_agent: String,
    /// First of the query parameters `utm_source`, `source`, `ref`.
    #[prost(string, tag = "14")]
    pub utm_source: String,
    /// Query parameter `utm_medium`.
    #[prost(string, tag = "15")]
    pub utm_medium: String,
    /// Query parameter `utm_campaign`.
    #[prost(string, tag = "16")]
    pub utm_campaign: String,
    /// Query parameter `utm_content`.
    #[prost(string, tag = "17")]
    pub utm_content: String,
    /// Query parameter `utm_term`.
    #[prost(string, tag = "18")]
    pub utm_term: String,
    /// Name (never the value) of a click-id parameter: `gclid`, `gbraid`, `wbraid`, `msclkid`, `fbclid`, `twclid`.
    #[prost(string, tag = "19")]
    pub click_id: String,
    /// ISO 3166-1 alpha-2 code, upper case; empty when unknown.
    #[prost(string, tag = "20")]
    pub country: String,
    /// ISO 3166-2 subdivision code; empty when unknown.
    #[prost(string, tag = "21")]
    pub region: String,
    /// City name; empty when unknown.
    #[prost(string, tag = "22")]
    pub city: String,
    /// Custom properties in the order of arrival, at most 30.
    #[prost(message, repeated, tag = "23")]
    pub props: Vec<Property>,
    /// Revenue, where the event carries any.
    #[prost(message, optional, tag = "24")]
    pub revenue: Option<Revenue>,
    /// Engaged time since the last engagement event, milliseconds. Only on `engagement`.
    #[prost(uint32, optional, tag = "25")]
    pub engagement_ms: Option<u32>,
    /// Deepest scroll position, percent of the page, 0–100. Only on `engagement`.
    #[prost(uint32, optional, tag = "26")]
    pub scroll_depth: Option<u32>,
    /// The event does not end a bounce.
    #[prost(bool, tag = "27")]
    pub non_interactive: bool,
    /// What the edge knows of automation; the fold's user-agent rules add to it.
    #[prost(enumeration = "BotMark", tag = "28")]
    pub bot: i32,
    /// How the event came in.
    #[prost(enumeration = "Origin", tag = "29")]
    pub origin: i32,
    /// Version number of the tracker that sent it; 0 = not told.
    #[prost(uint32, tag = "30")]
    pub tracker_version: u32,
}

impl Event {
    /// The random id as one number; 0 = none (imports, whose batches cannot be sent twice).
    pub fn id(&self) -> u128 {
        (u128::from(self.id_high) << 64) | u128::from(self.id_low)
    }
}

/// How many events of a site the edge refused or dropped for one reason: an entry of the ledger.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Refused {
    /// The site; 0 = not known.
    #[prost(uint32, tag = "1")]
    pub site_id: u32,
    /// Start of the UTC hour in which they were received, Unix milliseconds.
    #[prost(uint64, tag = "2")]
    pub hour_ms: u64,
    /// Why: the first wrong field (`url`), or the rule that dropped them (`site_ip_blocklist`).
    #[prost(string, tag = "3")]
    pub reason: String,
    /// How many.
    #[prost(uint64, tag = "4")]
    pub count: u64,
}

/// A custom property of an event.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Property {
    /// At most 300 bytes.
    #[prost(string, tag = "1")]
    pub key: String,
    /// At most 2,000 bytes.
    #[prost(string, tag = "2")]
    pub value: String,
}

/// An amount of money, never converted.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Revenue {
    /// ISO 4217 code, upper case.
    #[prost(string, tag = "1")]
    pub currency: String,
    /// Millionths of the currency's unit.
    #[prost(sint64, tag = "2")]
    pub amount_micros: i64,
}

/// What the edge knows of automation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum BotMark {
    /// Nothing known: the fold decides by the user agent.
    None = 0,
    /// The sender declared itself automated.
    Declared = 1,
    /// A headless or remote-controlled browser.
    Headless = 2,
}

/// How an event came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum Origin {
    /// A browser or server through the edge.
    Edge = 0,
    /// A file that `weir import` read.
    Import = 1,
}

/// A record that changes what earlier events mean. Later kinds take further tags; readers keep what they do not know.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Control {
    /// Random id, 16 bytes: the same record sent twice takes effect once.
    #[prost(bytes = "vec", tag = "1")]
    pub id: Vec<u8>,
    /// When it was asked for, Unix milliseconds.
    #[prost(uint64, tag = "2")]
    pub requested_ms: u64,
    /// What is to happen.
    #[prost(oneof = "ControlKind", tags = "10, 11, 12")]
    pub kind: Option<ControlKind>,
}

/// The kinds of control records.
#[derive(Clone, PartialEq, Eq, prost::Oneof)]
pub enum ControlKind {
    /// Forget all events of a site before this position.
    #[prost(message, tag = "10")]
    DeleteSite(DeleteSite),
    /// From this position on the site's events arrive on another partition.
    #[prost(message, tag = "11")]
    MoveSite(MoveSite),
    /// Forget all events of a visitor before this position.
    #[prost(message, tag = "12")]
    DeleteVisitor(DeleteVisitor),
}

/// See [`ControlKind::DeleteSite`].
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct DeleteSite {
    /// The site.
    #[prost(uint32, tag = "1")]
    pub site_id: u32,
}

/// See [`ControlKind::DeleteVisitor`].
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct DeleteVisitor {
    /// The site.
    #[prost(uint32, tag = "1")]
    pub site_id: u32,
    /// The visitor, by the id that is counted: that of the events which opened the visits.
    #[prost(fixed64, tag = "2")]
    pub visitor_id: u64,
}

/// See [`ControlKind::MoveSite`].
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct MoveSite {
    /// The site.
    #[prost(uint32, tag = "1")]
    pub site_id: u32,
    /// Number of the partition that takes it over.
    #[prost(uint32, tag = "2")]
    pub to_partition: u32,
}
