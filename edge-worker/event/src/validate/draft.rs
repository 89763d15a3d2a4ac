//! An event as its sender told it, before the edge adds what it knows.

use std::net::IpAddr;

use serde_json::{Map, Value};

use super::fields::{clean, cut, first, integer, object};
use super::{DOMAINS_MAX, ENGAGEMENT_MS_LIMIT, EventErrors, NAME_CHARS_MAX, REFERRER_CHARS_MAX, USER_AGENT_CHARS_MAX};
use super::{page, props, revenue};
use crate::domain::normalise_domain;
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
}

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
    /// Anything but two ASCII letters counts as unknown.
    pub country: String,
    pub bot: BotMark,
    pub origin: Origin,
}

impl Draft {
    pub(super) fn from_json(value: &Value) -> Result<Self, EventErrors> {
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
        if errors.is_empty() { Ok(draft) } else { Err(errors) }
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
        let known = country.len() == 2 && country.bytes().all(|b| b.is_ascii_uppercase()) && country != "XX";
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
            region: String::new(),
            city: String::new(),
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
