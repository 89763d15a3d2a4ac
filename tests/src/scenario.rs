//! Traffic with known answers: visitors whose events follow from their number, and the figures that must come out.
//!
//! The answers are counted from the list of events by plain loops; nothing here is shared with the system under test.

use crate::collector::{Collector, Visitor};
use anyhow::Result;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// User agent, browser, operating system, device.
const BROWSERS: [(&str, &str, &str, &str); 4] = [
    (crate::collector::USER_AGENT, "Chrome", "Windows", "Desktop"),
    ("Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0", "Firefox", "GNU/Linux", "Desktop"),
    (
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1",
        "Safari",
        "iOS",
        "Mobile",
    ),
    (
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15",
        "Safari",
        "Mac",
        "Desktop",
    ),
];

/// How a visit comes about: referrer, query of the first page, source, channel.
const ARRIVALS: [(&str, &str, &str, &str); 5] = [
    ("", "", "Direct / None", "Direct"),
    ("https://www.google.com/", "", "Google", "Organic Search"),
    ("https://news.example.net/item/7", "", "news.example.net", "Referral"),
    ("", "?utm_source=letter&utm_medium=email&utm_campaign=spring&utm_content=top&utm_term=shoes", "letter", "Email"),
    ("https://www.bing.com/search", "", "Bing", "Organic Search"),
];

const COUNTRIES: [&str; 3] = ["DE", "FR", "JP"];
const PAGES: [&str; 5] = ["/", "/pricing", "/docs", "/docs/api", "/blog/über uns"];

/// One event of a visit.
#[derive(Clone, Debug)]
pub struct Event {
    /// Event name.
    pub name: &'static str,
    /// Page it happens on.
    pub page: &'static str,
    /// Whether it ends a bounce.
    pub interactive: bool,
}

/// One visit; every visitor makes one.
#[derive(Clone, Debug)]
pub struct Visit {
    /// Who.
    pub visitor: Visitor,
    /// Browser, operating system, device.
    pub agent: (&'static str, &'static str, &'static str),
    /// Referrer and query of the first page, source, channel.
    pub arrival: (&'static str, &'static str, &'static str, &'static str),
    /// What happened, in order.
    pub events: Vec<Event>,
    /// Whether the visit arrives as one JSON array.
    pub as_array: bool,
}

/// All the traffic of one test.
pub struct Scenario {
    /// The site.
    pub domain: String,
    /// Its visits.
    pub visits: Vec<Visit>,
}

/// Figures of a group of events.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures {
    /// Distinct visitors.
    pub visitors: f64,
    /// Distinct visits.
    pub visits: f64,
    /// Page views.
    pub pageviews: f64,
    /// All events.
    pub events: f64,
}

impl Figures {
    /// In the order visitors, visits, pageviews, events.
    pub fn metrics(&self) -> Vec<f64> {
        vec![self.visitors, self.visits, self.pageviews, self.events]
    }
}

/// Addresses and user agents of a group's visitors, and its other figures.
type Group<'a> = (BTreeSet<(&'a str, &'a str)>, Figures);

/// The metrics of [`Figures::metrics`].
pub const METRICS: [&str; 4] = ["visitors", "visits", "pageviews", "events"];

impl Scenario {
    /// The visits of visitors `from..to`.
    pub fn new(domain: &str, from: u32, to: u32) -> Self {
        Self { domain: domain.to_owned(), visits: (from..to).map(visit).collect() }
    }

    /// Number of events.
    pub fn len(&self) -> usize {
        self.visits.iter().map(|visit| visit.events.len()).sum()
    }

    /// Whether there is no traffic at all.
    pub fn is_empty(&self) -> bool {
        self.visits.is_empty()
    }

    /// Sends all of it, several visitors at a time, each one's events in order; returns when the last is acknowledged.
    pub async fn send(&self, collector: &Collector) -> Result<()> {
        stream::iter(&self.visits)
            .map(async |visit| {
                let bodies = visit.bodies(&self.domain);
                if visit.as_array {
                    collector.send(&visit.visitor, &json!(bodies)).await?;
                } else {
                    for body in &bodies {
                        collector.send(&visit.visitor, body).await?;
                    }
                }
                anyhow::Ok(())
            })
            .buffer_unordered(8)
            .try_collect()
            .await
    }

    /// Figures of the events that `keep` keeps.
    pub fn total(&self, keep: impl Fn(&Visit, &Event) -> bool) -> Figures {
        self.by(|visit, event| keep(visit, event).then(String::new)).remove("").unwrap_or_default()
    }

    /// Figures by a key; `None` leaves the event out.
    pub fn by(&self, key: impl Fn(&Visit, &Event) -> Option<String>) -> BTreeMap<String, Figures> {
        let mut groups: BTreeMap<String, Group<'_>> = BTreeMap::new();
        for visit in &self.visits {
            let mut seen = BTreeSet::new();
            for event in &visit.events {
                let Some(key) = key(visit, event) else { continue };
                let (visitors, figures) = groups.entry(key.clone()).or_default();
                visitors.insert((&visit.visitor.address, &visit.visitor.user_agent));
                figures.events += 1.0;
                figures.pageviews += if event.name == "pageview" { 1.0 } else { 0.0 };
                figures.visits += if seen.insert(key) { 1.0 } else { 0.0 };
            }
        }
        groups
            .into_iter()
            .map(|(key, (visitors, mut figures))| {
                figures.visitors = visitors.len() as f64;
                (key, figures)
            })
            .collect()
    }

    /// Bounce rate (whole percent) and views per visit (two decimals) of the visits that `keep` keeps.
    pub fn visit_metrics(&self, keep: impl Fn(&Visit) -> bool) -> (f64, f64) {
        let kept: Vec<_> = self.visits.iter().filter(|visit| keep(visit)).collect();
        let bounces = kept.iter().filter(|visit| visit.events.iter().filter(|event| event.interactive).count() < 2).count();
        let views: usize = kept.iter().map(|visit| visit.pageviews().count()).sum();
        let visits = kept.len() as f64;
        ((bounces as f64 / visits * 100.0).round(), (views as f64 / visits * 100.0).round() / 100.0)
    }
}

impl Visit {
    /// Its page views.
    pub fn pageviews(&self) -> impl DoubleEndedIterator<Item = &Event> {
        self.events.iter().filter(|event| event.name == "pageview")
    }

    /// First page.
    pub fn entry(&self) -> &'static str {
        self.pageviews().next().map_or("", |event| event.page)
    }

    /// Last page.
    pub fn exit(&self) -> &'static str {
        self.pageviews().next_back().map_or("", |event| event.page)
    }

    /// Value of a query parameter of the first page.
    pub fn tag(&self, name: &str) -> Option<&'static str> {
        let query = self.arrival.1.trim_start_matches('?');
        query.split('&').filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    fn bodies(&self, domain: &str) -> Vec<Value> {
        let (referrer, query, ..) = self.arrival;
        let mut bodies = Vec::new();
        for (index, event) in self.events.iter().enumerate() {
            // Only the first page carries the campaign; later ones name the site itself as referrer.
            let (query, referrer) = if index == 0 { (query, referrer.to_owned()) } else { ("", format!("https://{domain}/")) };
            let url = format!("https://www.{domain}{}{query}", event.page);
            let mut body = json!({"n": event.name, "d": domain, "u": url, "i": event.interactive, "p": {"plan": "pro"}});
            if !referrer.is_empty() {
                body["r"] = json!(referrer);
            }
            bodies.push(body);
        }
        bodies
    }
}

fn visit(number: u32) -> Visit {
    let index = number as usize;
    let (user_agent, browser, os, device) = pick(&BROWSERS, index / 2);
    let mut visitor = Visitor::number(number);
    user_agent.clone_into(&mut visitor.user_agent);
    pick(&COUNTRIES, index / 3).clone_into(&mut visitor.country);
    // Two thirds of the visits see one page only: some of those bounce, some do not for their custom event.
    let views = if index.is_multiple_of(3) { 2 + index % 4 } else { 1 };
    let mut events: Vec<_> =
        (0..views).map(|step| Event { name: "pageview", page: pick(&PAGES, index + step * 2), interactive: true }).collect();
    let page = events.last().map_or("/", |event| event.page);
    if index.is_multiple_of(4) {
        events.push(Event { name: "Signup", page, interactive: true });
    }
    if index.is_multiple_of(5) {
        events.push(Event { name: "Hover", page, interactive: false });
    }
    Visit { visitor, agent: (browser, os, device), arrival: pick(&ARRIVALS, index), events, as_array: index % 7 == 3 }
}

/// The element at `index`, starting over at the end.
fn pick<T: Copy>(list: &[T], index: usize) -> T {
    #[expect(clippy::indexing_slicing, reason = "the remainder is below the length")]
    list[index % list.len()]
}
