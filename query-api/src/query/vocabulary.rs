//! The words of a query: metrics and dimensions, with their names and the columns behind them.

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Metric {
    /// Distinct visitors.
    Visitors,
    /// Visits.
    Visits,
    /// Events named `pageview`.
    Pageviews,
    /// Pageviews of the visits divided by visits, two decimals.
    ViewsPerVisit,
    /// Visits with fewer than two interactive events, percent of visits.
    BounceRate,
    /// Mean time from a visit's first to its last event, whole seconds.
    VisitDuration,
    /// All events but engagement pings.
    Events,
    /// Visitors of the row, percent of all visitors, one decimal.
    Percentage,
    /// Visitors who reached a goal, percent of those whom the other filters leave, two decimals.
    ConversionRate,
    /// As [`Metric::ConversionRate`], percent of those in the row's group.
    GroupConversionRate,
    /// Sum of the revenue of events.
    TotalRevenue,
    /// Mean of the revenue of events that have one.
    AverageRevenue,
    /// How far visits read down a page, mean of the deepest point of each visit, whole percent; null where none told.
    ScrollDepth,
    /// Engaged time on a page divided by the visits that saw it, whole seconds; null where none saw it.
    TimeOnPage,
    /// Visits that ended on a page, percent of the page's pageviews, one decimal; null where it had none.
    ExitRate,
}

impl Metric {
    const ALL: [(&'static str, Self); 15] = [
        ("visitors", Self::Visitors),
        ("visits", Self::Visits),
        ("pageviews", Self::Pageviews),
        ("views_per_visit", Self::ViewsPerVisit),
        ("bounce_rate", Self::BounceRate),
        ("visit_duration", Self::VisitDuration),
        ("events", Self::Events),
        ("percentage", Self::Percentage),
        ("conversion_rate", Self::ConversionRate),
        ("group_conversion_rate", Self::GroupConversionRate),
        ("total_revenue", Self::TotalRevenue),
        ("average_revenue", Self::AverageRevenue),
        ("scroll_depth", Self::ScrollDepth),
        ("time_on_page", Self::TimeOnPage),
        ("exit_rate", Self::ExitRate),
    ];

    /// The metric of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, metric)| *metric)
    }

    /// Its name in requests.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, metric)| *metric == self).map_or("", |(name, _)| name)
    }

    /// A figure of whole visits, which no single event has.
    pub fn is_of_visits(self) -> bool {
        matches!(self, Self::ViewsPerVisit | Self::BounceRate | Self::VisitDuration | Self::ExitRate)
    }

    /// A figure of event rows.
    pub fn is_of_events(self) -> bool {
        self.is_of_revenue() || self.is_of_pings() || matches!(self, Self::Pageviews | Self::Events)
    }

    /// A figure of engagement pings.
    pub fn is_of_pings(self) -> bool {
        matches!(self, Self::ScrollDepth | Self::TimeOnPage)
    }

    /// A share of visitors who reached a goal.
    pub fn is_rate_of_goals(self) -> bool {
        matches!(self, Self::ConversionRate | Self::GroupConversionRate)
    }

    /// An amount of money.
    pub fn is_of_revenue(self) -> bool {
        matches!(self, Self::TotalRevenue | Self::AverageRevenue)
    }

    /// Answered with decimals.
    pub fn is_decimal(self) -> bool {
        let is_rate = matches!(self, Self::Percentage | Self::ConversionRate | Self::GroupConversionRate | Self::ExitRate);
        is_rate || self == Self::ViewsPerVisit
    }
}

/// Name of the dimension of goals.
pub(super) const GOAL: &str = "event:goal";

/// What results are grouped or filtered by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Dimension {
    /// Path of the event's page.
    Page,
    /// Name of the event.
    Name,
    /// Host of the event's page.
    Hostname,
    /// The goals that the event reaches. In filters they are [`super::Filter::Goals`].
    Goal,
    /// A custom property of the event.
    Prop(String),
    /// An attribute of the visit's opening event.
    Visit(VisitField),
    /// Where the visit came in or went out.
    Edge(EdgeField),
    /// A bucket of local time; `None` = chosen by the length of the range.
    Time(Option<TimeUnit>),
}

/// Attributes that a visit takes from its opening event; every row and fragment repeats them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VisitField {
    /// Name of the source.
    Source,
    /// Referrer as host and path.
    Referrer,
    /// Acquisition channel.
    Channel,
    /// Campaign parameter of that name.
    UtmSource,
    /// Campaign parameter of that name.
    UtmMedium,
    /// Campaign parameter of that name.
    UtmCampaign,
    /// Campaign parameter of that name.
    UtmContent,
    /// Campaign parameter of that name.
    UtmTerm,
    /// Two-letter country code.
    Country,
    /// Subdivision code.
    Region,
    /// City name.
    City,
    /// Name of the country.
    CountryName,
    /// Name of the subdivision.
    RegionName,
    /// City name, as [`VisitField::City`].
    CityName,
    /// Kind of device.
    Device,
    /// Browser name.
    Browser,
    /// Browser version.
    BrowserVersion,
    /// Operating system.
    Os,
    /// Version of the operating system.
    OsVersion,
}

impl VisitField {
    const ALL: [(&'static str, &'static str, Self); 20] = [
        ("source", "source", Self::Source),
        ("referrer", "referrer", Self::Referrer),
        ("channel", "channel", Self::Channel),
        ("utm_source", "utm_source", Self::UtmSource),
        ("utm_medium", "utm_medium", Self::UtmMedium),
        ("utm_campaign", "utm_campaign", Self::UtmCampaign),
        ("utm_content", "utm_content", Self::UtmContent),
        ("utm_term", "utm_term", Self::UtmTerm),
        ("country", "country", Self::Country),
        ("region", "region", Self::Region),
        ("city", "city", Self::City),
        ("country_name", "country", Self::CountryName),
        ("region_name", "region", Self::RegionName),
        ("city_name", "city", Self::CityName),
        ("device", "device", Self::Device),
        ("screen", "device", Self::Device),
        ("browser", "browser", Self::Browser),
        ("browser_version", "browser_version", Self::BrowserVersion),
        ("os", "os", Self::Os),
        ("os_version", "os_version", Self::OsVersion),
    ];

    /// Its column in events and visits; of a name the column of the code.
    pub fn column(self) -> &'static str {
        Self::ALL.iter().find(|(_, _, field)| *field == self).map_or("", |(_, column, _)| column)
    }
}

/// The page or host of a visit's first or last pageview.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EdgeField {
    /// Path of the first pageview.
    EntryPage,
    /// Host of the first pageview.
    EntryHostname,
    /// Path of the last pageview.
    ExitPage,
    /// Host of the last pageview.
    ExitHostname,
}

impl EdgeField {
    /// Its column in visits.
    pub fn column(self) -> &'static str {
        match self {
            Self::EntryPage => "entry_page",
            Self::EntryHostname => "entry_hostname",
            Self::ExitPage => "exit_page",
            Self::ExitHostname => "exit_hostname",
        }
    }
}

/// Length of a time bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TimeUnit {
    /// A local minute.
    Minute,
    /// A quarter of a local hour.
    Quarter,
    /// A local hour.
    Hour,
    /// A local day.
    Day,
    /// A local week from Monday.
    Week,
    /// A local month.
    Month,
}

impl Dimension {
    /// The dimension of that name, time included.
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "event:page" => Self::Page,
            "event:name" => Self::Name,
            "event:hostname" => Self::Hostname,
            GOAL => Self::Goal,
            "visit:entry_page" => Self::Edge(EdgeField::EntryPage),
            "visit:entry_page_hostname" => Self::Edge(EdgeField::EntryHostname),
            "visit:exit_page" => Self::Edge(EdgeField::ExitPage),
            "visit:exit_page_hostname" => Self::Edge(EdgeField::ExitHostname),
            "time" => Self::Time(None),
            "time:minute" => Self::Time(Some(TimeUnit::Minute)),
            "time:15min" => Self::Time(Some(TimeUnit::Quarter)),
            "time:hour" => Self::Time(Some(TimeUnit::Hour)),
            "time:day" => Self::Time(Some(TimeUnit::Day)),
            "time:week" => Self::Time(Some(TimeUnit::Week)),
            "time:month" => Self::Time(Some(TimeUnit::Month)),
            _ => {
                if let Some(prop) = name.strip_prefix("event:props:") {
                    return (!prop.is_empty() && prop.len() <= PROP_NAME_BYTES_MAX).then(|| Self::Prop(prop.to_owned()));
                }
                let field = name.strip_prefix("visit:")?;
                Self::Visit(VisitField::ALL.iter().find(|(known, _, _)| *known == field)?.2)
            }
        })
    }

    /// Only single events have it.
    pub fn is_of_events(&self) -> bool {
        matches!(self, Self::Page | Self::Name | Self::Hostname | Self::Goal | Self::Prop(_))
    }

    /// Only whole visits have it.
    pub fn is_of_visits(&self) -> bool {
        matches!(self, Self::Edge(_))
    }

    /// A time bucket.
    pub fn is_time(&self) -> bool {
        matches!(self, Self::Time(_))
    }

    /// What stands for an empty value in answers and filters.
    pub fn empty_label(&self) -> &'static str {
        match self {
            Self::Visit(VisitField::Source | VisitField::Referrer) => "Direct / None",
            Self::Visit(VisitField::Channel) => "Direct",
            Self::Prop(_) => "(none)",
            _ => "(not set)",
        }
    }
}

/// Longest property name, bytes: what the edge accepts.
const PROP_NAME_BYTES_MAX: usize = 300;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metric_names_are_unique_and_round_trip() {
        for (name, metric) in Metric::ALL {
            assert_eq!(Metric::parse(name), Some(metric));
            assert_eq!(metric.name(), name);
        }
        assert_eq!(Metric::parse("visitor"), None);
    }

    #[test]
    fn dimensions_by_name() {
        assert_eq!(Dimension::parse("visit:utm_term"), Some(Dimension::Visit(VisitField::UtmTerm)));
        assert_eq!(Dimension::parse("visit:screen"), Some(Dimension::Visit(VisitField::Device)));
        assert_eq!(Dimension::parse("event:props:a b"), Some(Dimension::Prop("a b".into())));
        for unknown in ["", "event:props:", "visit:", "visit:entry", "page", "time:5min", "Visit:source"] {
            assert_eq!(Dimension::parse(unknown), None, "{unknown}");
        }
        assert_eq!(Dimension::parse(&format!("event:props:{}", "x".repeat(301))), None);
    }

    #[test]
    fn every_visit_field_is_a_column_of_the_part_schema() {
        for (_, column, field) in VisitField::ALL {
            assert_eq!(field.column(), column);
            assert!(weir_rollup::part::SCHEMA.contains(&format!("\n    {column} ")), "{column}");
        }
    }
}
