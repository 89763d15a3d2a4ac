//! The dimensions and metrics that are compared.

/// A dimension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Dimension {
    /// Plausible's name; empty for none.
    pub(super) name: &'static str,
    /// Its value in a row, SQL.
    pub(super) of_row: &'static str,
    /// Its value in a visit, SQL; `None` when a visit has none.
    pub(super) of_visit: Option<&'static str>,
    /// It is of a visit: its visits are those that began with the value, else those that have it in an event.
    pub(super) is_of_visit: bool,
}

/// No dimension: a site as a whole.
pub(super) const NONE: Dimension = of_visit("", "''");

/// All dimensions, none first.
pub(super) const DIMENSIONS: [Dimension; 20] = [
    NONE,
    of_event("event:name", "name", None),
    // The page of a bounce is the one it began with, as in the query API.
    of_event("event:page", "pathname", Some("coalesce(entry_page, '')")),
    of_event("event:hostname", "hostname", Some("coalesce(entry_hostname, '')")),
    of_visit("visit:source", "source"),
    of_visit("visit:referrer", "referrer"),
    of_visit("visit:channel", "channel"),
    of_visit("visit:utm_source", "utm_source"),
    of_visit("visit:utm_medium", "utm_medium"),
    of_visit("visit:utm_campaign", "utm_campaign"),
    of_visit("visit:utm_content", "utm_content"),
    of_visit("visit:utm_term", "utm_term"),
    of_visit("visit:country", "country"),
    of_visit("visit:region", "region"),
    of_visit("visit:city", "city"),
    of_visit("visit:device", "device"),
    of_visit("visit:browser", "browser"),
    of_visit("visit:browser_version", "browser_version"),
    of_visit("visit:os", "os"),
    of_visit("visit:os_version", "os_version"),
];

const fn of_visit(name: &'static str, column: &'static str) -> Dimension {
    Dimension { name, of_row: column, of_visit: Some(column), is_of_visit: true }
}

const fn of_event(name: &'static str, column: &'static str, of_visit: Option<&'static str>) -> Dimension {
    Dimension { name, of_row: column, of_visit, is_of_visit: false }
}

/// An event: neither a bot's nor an engagement ping.
pub(super) const IS_EVENT: &str = "bot = 0 AND name <> 'engagement'";

/// A metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Metric {
    Events,
    Pageviews,
    Visits,
    Visitors,
    Bounces,
    EngagementMs,
    RevenueMicros,
    BotEvents,
}

impl Metric {
    /// All of them, in the order in which they are told.
    pub(super) const ALL: [Self; 8] = [
        Self::Events,
        Self::Pageviews,
        Self::Visits,
        Self::Visitors,
        Self::Bounces,
        Self::EngagementMs,
        Self::RevenueMicros,
        Self::BotEvents,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Pageviews => "pageviews",
            Self::Visits => "visits",
            Self::Visitors => "visitors",
            Self::Bounces => "bounces",
            Self::EngagementMs => "engagement_ms",
            Self::RevenueMicros => "revenue_micros",
            Self::BotEvents => "bot_events",
        }
    }

    /// SQL of the metric over rows of which `condition` holds; `None` for what is counted by visits.
    pub(super) fn of_rows(self, condition: &str) -> Option<String> {
        match self {
            Self::Events => Some(format!("count(*) FILTER ({condition} AND {IS_EVENT})")),
            Self::Pageviews => Some(format!("count(*) FILTER ({condition} AND bot = 0 AND name = 'pageview')")),
            Self::EngagementMs => Some(bounded(&format!("sum(engagement_ms) FILTER ({condition} AND bot = 0)"))),
            Self::RevenueMicros => Some(bounded(&format!("sum(revenue_micros) FILTER ({condition} AND {IS_EVENT})"))),
            Self::BotEvents => Some(format!("count(*) FILTER ({condition} AND bot > 0)")),
            Self::Visits | Self::Visitors | Self::Bounces => None,
        }
    }

    /// SQL of the metric over visitors with their `<side>_visits` and `<side>_bounces`; `None` for what is counted by rows.
    pub(super) fn of_visitors(self, side: &str) -> Option<String> {
        match self {
            Self::Visits => Some(format!("CAST(sum({side}_visits) AS BIGINT)")),
            Self::Visitors => Some(format!("count(*) FILTER ({side}_visits > 0)")),
            Self::Bounces => Some(format!("CAST(sum({side}_bounces) AS BIGINT)")),
            _ => None,
        }
    }

    /// SQL of what one row gives to the metric, NULL for nothing.
    pub(super) fn share_of_row(self) -> String {
        match self {
            Self::Events => format!("nullif({IS_EVENT}, false)"),
            Self::Pageviews => "nullif(bot = 0 AND name = 'pageview', false)".to_owned(),
            Self::Visits => format!("CASE WHEN {IS_EVENT} THEN visit_id END"),
            Self::Visitors => format!("CASE WHEN {IS_EVENT} THEN visitor_id END"),
            Self::Bounces => format!("CASE WHEN {IS_EVENT} THEN {{'visit': visit_id, 'interactive': interactive}} END"),
            Self::EngagementMs => "CASE WHEN bot = 0 THEN nullif(engagement_ms, 0) END".to_owned(),
            Self::RevenueMicros => format!("CASE WHEN {IS_EVENT} THEN nullif(revenue_micros, 0) END"),
            Self::BotEvents => "nullif(bot > 0, false)".to_owned(),
        }
    }
}

/// A sum of no rows is 0; one that is too large for 64 bits stays at the limit.
fn bounded(sum: &str) -> String {
    format!("CAST(least(greatest(coalesce({sum}, 0), -{max}), {max}) AS BIGINT)", max = i64::MAX)
}
