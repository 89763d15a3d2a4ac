//! An event as its sender told it, before the edge adds what it knows.

use std::net::IpAddr;

use serde_json::{Map, Value};

use super::claims::Claims;
use super::fields::{clean, cut, first, integer, object};
use super::{
    AGE_MS_MAX, DOMAINS_MAX, ENGAGEMENT_MS_LIMIT, EventErrors, NAME_CHARS_MAX, REFERRER_CHARS_MAX, USER_AGENT_CHARS_MAX,
};
use super::{page, props, revenue};
use crate::domain::normalise_domain;
use crate::identity::event_id;
use crate::model::{BotMark, Event, Origin, Property, Revenue};
use crate::redact::blank_address;

/// The sender's part of an event. The fields mean what those of [`Event`] mean.
#[derive(Debug, Clone, Default, PartialEq)]
#[expect(missing_docs, reason = "documented on Event")]
pub struct Draft {
    /// Sites that it goes to, at least one: lower case, without `www.`.
    pub domains: Vec<String>,
    pub name: String,
    pub hostname: String,
    pub pathname: String,
    pub referrer: String,
    pub utm_source: String,
    pub utm_medium: String,
    pub utm_campaign: String,
    pub utm_content: String,
    pub utm_term: String,
    pub click_id: String,
    pub props: Vec<Property>,
    pub revenue: Option<Revenue>,
    pub engagement_ms: Option<u32>,
    pub scroll_depth: Option<u32>,
    pub non_interactive: bool,
    pub tracker_version: u32,
    /// Random id that the sender gave it; the same event sent again has the same. `None` = it gave none.
    pub id: Option<u128>,
    /// How long ago it happened, milliseconds, at most [`AGE_MS_MAX`].
    pub age_ms: u64,
    pub retry: bool,
    /// The sender declares itself automated.
    pub is_bot: bool,
    /// What a trusted sender says of its client.
    pub claims: Claims,
}

/// How much of what a sender says is taken from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sender {
    /// A browser, or anybody.
    Anyone,
    /// It has shown a key that may write: it speaks for its clients.
    Trusted {
        /// Now, Unix milliseconds: what `timestamp` is measured against.
        now_ms: u64,
    },
}

/// Most characters of a city's name.
const CITY_CHARS_MAX: usize = 100;

/// The receiver's part of an event. The fields mean what those of [`Event`] mean.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "documented on Event")]
pub struct Context {
    pub id: u128,
    pub retry: bool,
    pub event_ms: u64,
    pub received_ms: u64,
    pub site_id: u32,
    pub visitor_id: u64,
    pub previous_visitor_id: u64,
    /// Cut to [`USER_AGENT_CHARS_MAX`] characters.
    pub user_agent: String,
    /// Anything but two ASCII letters or `A1` counts as unknown.
    pub country: String,
    /// Anything but a subdivision code such as `DE-BE` counts as unknown.
    pub region: String,
    /// Cut to 100 characters.
    pub city: String,
    pub bot: BotMark,
    pub origin: Origin,
}

impl Draft {
    pub(super) fn from_json(value: &Value, sender: Sender) -> Result<Self, EventErrors> {
        let Value::Object(json) = value else { return Err(EventErrors::one("request", "must be an object")) };
        let mut errors = EventErrors::default();
        let mut draft = Self { name: name(json, &mut errors), referrer: referrer(json, &mut errors), ..Self::default() };
        draft.read_page(json, &mut errors);
        draft.domains = domains(json, &draft.hostname, &mut errors);
        if let Some(map) = first(json, &["p", "props", "m", "meta"]).and_then(object) {
            draft.props = props::parse(&map).unwrap_or_else(|message| {
                errors.add("props", message);
                Vec::new()
            });
        }
        props::force_path(&draft.name, &draft.pathname, &mut draft.props);
        draft.revenue = first(json, &["$", "revenue"]).and_then(object).and_then(|map| revenue::parse(&map));
        draft.non_interactive = first(json, &["i", "interactive"]) == Some(&Value::Bool(false));
        draft.tracker_version = first(json, &["v"]).and_then(integer).and_then(|v| v.try_into().ok()).unwrap_or_default();
        if draft.name == "engagement" {
            draft.read_engagement(json, &mut errors);
        }
        draft.read_queue(json, &mut errors);
        draft.is_bot = first(json, &["bot"]) == Some(&Value::Bool(true));
        if let Sender::Trusted { now_ms } = sender {
            draft.claims = Claims::read(json, now_ms, &mut errors);
        }
        if errors.is_empty() {
            return Ok(draft);
        }
        errors.set_domains(draft.domains);
        Err(errors)
    }

    /// What a client's queue adds.
    fn read_queue(&mut self, json: &Map<String, Value>, errors: &mut EventErrors) {
        match first(json, &["id", "event_id"]).map(random_id) {
            None => {}
            Some(Some(id)) => self.id = Some(id),
            Some(None) => errors.add("id", "must be 32 hexadecimal digits"),
        }
        match first(json, &["age", "age_ms"]).map(|age| integer(age).and_then(|ms| u64::try_from(ms).ok())) {
            None => {}
            Some(Some(age_ms)) if age_ms <= AGE_MS_MAX => self.age_ms = age_ms,
            Some(Some(_)) => errors.add("age", format!("must be at most {AGE_MS_MAX}")),
            Some(None) => errors.add("age", "must be a number of milliseconds"),
        }
        self.retry = match first(json, &["retry"]) {
            Some(Value::Bool(flag)) => *flag,
            Some(value) => integer(value) == Some(1),
            None => false,
        };
    }

    fn read_page(&mut self, json: &Map<String, Value>, errors: &mut EventErrors) {
        let hash_routing = match first(json, &["h", "hashMode"]) {
            Some(Value::Bool(flag)) => *flag,
            Some(value) => integer(value) == Some(1),
            None => false,
        };
        let parsed = match first(json, &["u", "url"]) {
            None => Err("is required".to_owned()),
            Some(Value::String(text)) if text.trim().is_empty() => Err("is required".to_owned()),
            Some(Value::String(text)) => page::parse(text, hash_routing),
            Some(_) => Err("must be a string".to_owned()),
        };
        match parsed {
            Ok(page) => {
                self.hostname = page.hostname;
                self.pathname = page.pathname;
                self.utm_source = page.utm_source;
                self.utm_medium = page.utm_medium;
                self.utm_campaign = page.utm_campaign;
                self.utm_content = page.utm_content;
                self.utm_term = page.utm_term;
                self.click_id = page.click_id;
            }
            Err(message) => errors.add("url", message),
        }
    }

    fn read_engagement(&mut self, json: &Map<String, Value>, errors: &mut EventErrors) {
        let depth = first(json, &["sd"]).and_then(integer).and_then(|sd| u32::try_from(sd).ok());
        self.scroll_depth = depth.map(|sd| sd.min(100));
        let engaged = first(json, &["e"]).and_then(integer).and_then(|e| u64::try_from(e).ok());
        self.engagement_ms = engaged.filter(|e| *e < ENGAGEMENT_MS_LIMIT).and_then(|e| u32::try_from(e).ok());
        if self.scroll_depth.is_none() && self.engagement_ms.is_none() {
            errors.add("event_name", "engagement event requires a valid integer value for at least one of 'sd' or 'e' fields");
        }
    }

    /// When it happened, Unix milliseconds, by the receiver's clock.
    pub fn event_ms(&self, received_ms: u64) -> u64 {
        self.claims.event_ms.unwrap_or_else(|| received_ms.saturating_sub(self.age_ms))
    }

    /// The id under which it is stored for a site: from its sender's id where it gave one, else `random`.
    pub fn id_for(&self, site_id: u32, random: u128) -> u128 {
        self.id.map_or(random, |id| event_id(id, site_id))
    }

    /// Blanks the sender's own address wherever it repeats it, in any spelling.
    pub fn redact_address(&mut self, address: &IpAddr) {
        let texts = [
            &mut self.name,
            &mut self.hostname,
            &mut self.pathname,
            &mut self.referrer,
            &mut self.utm_source,
            &mut self.utm_medium,
            &mut self.utm_campaign,
            &mut self.utm_content,
            &mut self.utm_term,
        ];
        let props = self.props.iter_mut().flat_map(|property| [&mut property.key, &mut property.value]);
        for text in texts.into_iter().chain(props) {
            if let Some(blanked) = blank_address(text, address) {
                *text = blanked;
            }
        }
    }

    /// The event for one of the sites.
    pub fn into_event(self, context: &Context) -> Event {
        let mut user_agent = clean(&context.user_agent);
        cut(&mut user_agent, USER_AGENT_CHARS_MAX);
        let country = context.country.to_ascii_uppercase();
        let known = is_country(&country);
        let mut city = clean(&context.city);
        cut(&mut city, CITY_CHARS_MAX);
        Event {
            id_high: (context.id >> 64) as u64,
            id_low: context.id as u64,
            retry: context.retry,
            event_ms: context.event_ms,
            received_ms: context.received_ms,
            site_id: context.site_id,
            visitor_id: context.visitor_id,
            previous_visitor_id: context.previous_visitor_id,
            name: self.name,
            hostname: self.hostname,
            pathname: self.pathname,
            referrer: self.referrer,
            user_agent,
            utm_source: self.utm_source,
            utm_medium: self.utm_medium,
            utm_campaign: self.utm_campaign,
            utm_content: self.utm_content,
            utm_term: self.utm_term,
            click_id: self.click_id,
            country: if known { country } else { String::new() },
            region: if is_region(&context.region) { context.region.clone() } else { String::new() },
            city,
            props: self.props,
            revenue: self.revenue,
            engagement_ms: self.engagement_ms,
            scroll_depth: self.scroll_depth,
            non_interactive: self.non_interactive,
            bot: context.bot.into(),
            origin: context.origin.into(),
            tracker_version: self.tracker_version,
        }
    }
}

fn name(json: &Map<String, Value>, errors: &mut EventErrors) -> String {
    let text = match first(json, &["n", "name"]) {
        None => String::new(),
        Some(Value::String(text)) => clean(text),
        Some(Value::Number(number)) if !number.is_f64() => number.to_string(),
        Some(_) => {
            errors.add("event_name", "is invalid");
            return String::new();
        }
    };
    if text.trim().is_empty() {
        errors.add("event_name", "can't be blank");
    } else if text.chars().count() > NAME_CHARS_MAX {
        errors.add("event_name", format!("should be at most {NAME_CHARS_MAX} character(s)"));
    }
    text
}

fn referrer(json: &Map<String, Value>, errors: &mut EventErrors) -> String {
    match first(json, &["r", "referrer"]) {
        None => String::new(),
        Some(Value::String(text)) => {
            let mut text = clean(text);
            cut(&mut text, REFERRER_CHARS_MAX);
            text
        }
        Some(_) => {
            errors.add("referrer", "is invalid");
            String::new()
        }
    }
}

/// 32 hexadecimal digits, with or without the dashes of a UUID; zero is none.
fn random_id(value: &Value) -> Option<u128> {
    let text = value.as_str()?;
    let digits: String = if text.len() == 36 { text.split('-').collect() } else { text.to_owned() };
    let is_hex = digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    u128::from_str_radix(&digits, 16).ok().filter(|id| is_hex && *id != 0)
}

/// Two letters, or `A1`, which stands for an anonymising network; `XX` is how Cloudflare says that it does not know.
fn is_country(text: &str) -> bool {
    text == "A1" || (text.len() == 2 && text.bytes().all(|b| b.is_ascii_uppercase()) && text != "XX")
}

/// ISO 3166-2: a country, a hyphen, and up to three letters or digits.
fn is_region(text: &str) -> bool {
    let fits = |part: &str, sizes: std::ops::RangeInclusive<usize>| {
        sizes.contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
    };
    text.split_once('-').is_some_and(|(country, part)| fits(country, 2..=2) && fits(part, 1..=3))
}

/// The named sites, or the page's host when none is named.
fn domains(json: &Map<String, Value>, hostname: &str, errors: &mut EventErrors) -> Vec<String> {
    let text = match first(json, &["d", "domain"]) {
        // The page is refused already, so that nobody can know its host.
        None if hostname.is_empty() => return Vec::new(),
        None if hostname == "(none)" => "",
        None => hostname,
        Some(Value::String(text)) => text,
        Some(_) => {
            errors.add("domain", "is invalid");
            return Vec::new();
        }
    };
    let mut domains: Vec<String> = Vec::new();
    for domain in text.split(',').filter_map(normalise_domain) {
        if domains.contains(&domain) {
            continue;
        }
        if domains.len() == DOMAINS_MAX {
            errors.add("domain", format!("should have at most {DOMAINS_MAX} domain(s)"));
            break;
        }
        domains.push(domain);
    }
    if domains.is_empty() {
        errors.add("domain", "can't be blank");
    }
    domains
}
