//! One line to one event: what is taken, what is passed over, what is refused and why.

use super::record::Record;
use clap::ValueEnum;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::net::IpAddr;
use weir_event::identity::{normalise_address, previous_utc_day, utc_day, visitor_id};
use weir_event::log;
use weir_event::model::{BotMark, Event, Origin};
use weir_event::place::Countries;
use weir_event::redact::blank_address;
use weir_event::site::Site;
use weir_event::validate::{self, Context, Draft, parse_value};

const DAY_MS: i64 = 86_400_000;

/// Format of a file's lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A web server's access log in the combined format.
    Combined,
    /// One event a line, as JSON.
    Ndjson,
}

/// What became of a line.
#[derive(Debug, PartialEq)]
pub(super) enum Outcome {
    /// Nothing on it.
    Blank,
    /// An event.
    Taken(Box<Event>),
    /// A request that is no page view.
    Skipped,
    /// Cannot be an event, for this reason.
    Refused(String),
}

/// Turns lines into events of one site.
pub(super) struct Converter {
    site: Site,
    format: Format,
    digest: [u8; 32],
    shift_ms: i64,
    started_ms: u64,
    countries: Countries,
}

/// What a line tells beside the event itself.
#[derive(Default)]
struct Sender {
    time_ms: i64,
    address: String,
    user_agent: String,
    country: String,
    region: String,
    city: String,
}

impl Converter {
    pub(super) fn new(site: &Site, format: Format, record: &Record, digest: [u8; 32], countries: Countries) -> Self {
        let shift_ms = i64::from(record.shift_days) * DAY_MS;
        Self { site: site.clone(), format, digest, shift_ms, started_ms: record.started_ms, countries }
    }

    /// Judges a line. The same line of the same file always gives the same event.
    pub(super) fn convert(&self, line: &[u8]) -> Outcome {
        if line.iter().all(u8::is_ascii_whitespace) {
            return Outcome::Blank;
        }
        let converted = match self.format {
            Format::Combined => self.combined(line),
            Format::Ndjson => self.ndjson(line),
        };
        match converted {
            Ok(Some((draft, sender))) => match self.event(draft, sender) {
                Ok(event) => Outcome::Taken(Box::new(event)),
                Err(reason) => Outcome::Refused(reason),
            },
            Ok(None) => Outcome::Skipped,
            Err(reason) => Outcome::Refused(reason),
        }
    }

    fn combined(&self, line: &[u8]) -> Result<Option<(Draft, Sender)>, String> {
        // Servers write what clients send, whatever its encoding.
        let text = String::from_utf8_lossy(line);
        let line = log::parse_line(&text).map_err(|error| error.to_string())?;
        if !log::is_page_view(&line) {
            return Ok(None);
        }
        let url = if line.path.starts_with('/') { format!("https://{}{}", self.host(), line.path) } else { line.path };
        let value = serde_json::json!({ "name": "pageview", "domain": self.site.domain, "url": url, "referrer": line.referrer });
        let draft = parse_value(&value, validate::Sender::Anyone).map_err(|errors| errors.to_string())?;
        let time_ms = i64::try_from(line.time_ms).map_err(|_| "time is out of range".to_owned())?;
        Ok(Some((draft, Sender { time_ms, address: line.address, user_agent: line.user_agent, ..Sender::default() })))
    }

    fn ndjson(&self, line: &[u8]) -> Result<Option<(Draft, Sender)>, String> {
        let text = std::str::from_utf8(line).map_err(|_| "line is not valid UTF-8".to_owned())?;
        let mut value: Value = serde_json::from_str(text).map_err(|_| "line is not JSON".to_owned())?;
        let Value::Object(fields) = &mut value else { return Err("line is not a JSON object".to_owned()) };
        if !fields.contains_key("d") && !fields.contains_key("domain") {
            fields.insert("domain".to_owned(), Value::String(self.site.domain.clone()));
        }
        let mut take = |name: &str| match fields.remove(name) {
            None | Some(Value::Null) => Ok(String::new()),
            Some(Value::String(text)) => Ok(text),
            Some(_) => Err(format!("{name}: must be a string")),
        };
        let (timestamp, address, user_agent, country) = (take("timestamp")?, take("ip")?, take("user_agent")?, take("country")?);
        let (region, city) = (take("region")?, take("city")?);
        if timestamp.is_empty() {
            return Err("timestamp: is required".to_owned());
        }
        let time = chrono::DateTime::parse_from_rfc3339(&timestamp).map_err(|_| "timestamp: is not RFC 3339".to_owned())?;
        if !address.is_empty() && normalise_address(&address).is_none() {
            return Err("ip: is not an address".to_owned());
        }
        let is_code = country.len() == 2 && country.bytes().all(|byte| byte.is_ascii_alphabetic());
        if !country.is_empty() && !is_code {
            return Err("country: is not a code of two letters".to_owned());
        }
        let draft = parse_value(&value, validate::Sender::Anyone).map_err(|errors| errors.to_string())?;
        if !draft.domains.contains(&self.site.domain) {
            return Err("domain: is another site".to_owned());
        }
        Ok(Some((draft, Sender { time_ms: time.timestamp_millis(), address, user_agent, country, region, city })))
    }

    fn event(&self, mut draft: Draft, sender: Sender) -> Result<Event, String> {
        let moved_ms = sender.time_ms.checked_add(self.shift_ms).and_then(|ms| u64::try_from(ms).ok());
        let event_ms = moved_ms.ok_or("timestamp: is before 1970")?;
        // The start of the first attempt, not now: a resumed import must judge every line as before.
        if event_ms > self.started_ms {
            return Err("timestamp: is in the future".to_owned());
        }
        let address = normalise_address(&sender.address);
        let mut user_agent = sender.user_agent;
        if let Some(address) = &address {
            draft.redact_address(address);
            if let Some(blanked) = blank_address(&user_agent, address) {
                user_agent = blanked;
            }
        }
        let country = match &address {
            Some(address) if sender.country.is_empty() => {
                self.countries.country(&address.to_canonical()).unwrap_or_default().to_owned()
            }
            _ => sender.country,
        };
        // A log may hold a host's name instead of its address: it serves as well to tell visitors apart.
        let identity = address.map_or(sender.address, |address: IpAddr| address.to_string());
        let visitor = |day: &str| visitor_id(&self.salt(day), self.site.id, &identity, &user_agent, &draft.hostname);
        let context = Context {
            id: 0,
            retry: false,
            event_ms,
            received_ms: event_ms,
            site_id: self.site.id,
            visitor_id: visitor(&utc_day(event_ms)),
            previous_visitor_id: visitor(&previous_utc_day(event_ms)),
            user_agent: user_agent.clone(),
            country,
            region: sender.region,
            city: sender.city,
            bot: BotMark::None,
            origin: Origin::Import,
        };
        Ok(draft.into_event(&context))
    }

    /// The salt of a day comes from the file, so that a resumed import gives the same visitors. Without the file nobody can turn an id back.
    fn salt(&self, day: &str) -> [u8; 32] {
        let mut hasher = Sha256::new();
        hasher.update(self.digest);
        hasher.update(b"weir import salt");
        hasher.update(day.as_bytes());
        hasher.finalize().into()
    }

    fn host(&self) -> &str {
        self.site.domain.split('/').next().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_event::place::encode;
    use weir_event::site::Settings;

    const LINE: &str = r#"203.0.113.9 - - [17/May/2015:10:05:03 +0000] "GET /a%20b/?utm_source=x&me=203.0.113.9 HTTP/1.1" 200 203 "http://other.example/?from=203.0.113.9" "Agent 203.0.113.9""#;

    fn converter(format: Format, shift_days: i32) -> Converter {
        let site = Site {
            id: 7,
            domain: "shop.example".into(),
            timezone: "UTC".into(),
            partition: 1,
            created_ms: 0,
            account: None,
            former_domain: None,
            renamed_ms: 0,
            settings: Settings::default(),
        };
        let record = Record { started_ms: 1_700_000_000_000, shift_days, ..Record::default() };
        Converter::new(
            &site,
            format,
            &record,
            [3; 32],
            Countries::parse(encode(&[(0xcb00_7100, *b"NO"), (0xcb00_7200, [0, 0])], &[]).unwrap()).unwrap(),
        )
    }

    fn taken(outcome: Outcome) -> Event {
        match outcome {
            Outcome::Taken(event) => *event,
            other => panic!("{other:?}"),
        }
    }

    fn ndjson(line: &str) -> Outcome {
        converter(Format::Ndjson, 0).convert(line.as_bytes())
    }

    #[test]
    fn a_page_view_of_a_log() {
        let event = taken(converter(Format::Combined, 0).convert(LINE.as_bytes()));
        assert_eq!(
            (event.name.as_str(), event.hostname.as_str(), event.pathname.as_str()),
            ("pageview", "shop.example", "/a b/")
        );
        assert_eq!(event.event_ms, 1_431_857_103_000);
        assert_eq!(event.received_ms, event.event_ms);
        assert_eq!((event.site_id, event.id(), event.origin), (7, 0, Origin::Import.into()));
        assert_eq!((event.utm_source.as_str(), event.country.as_str()), ("x", "NO"));
        assert!(!format!("{event:?}").contains("203.0.113.9"), "{event:?}");
    }

    #[test]
    fn a_place_is_taken_as_it_is_told() {
        let place = |fields: &str| {
            let line = format!(r#"{{"n":"pageview","u":"https://shop.example/","timestamp":"2023-01-01T10:00:00Z"{fields}}}"#);
            let event = taken(ndjson(&line));
            [event.country, event.region, event.city].join("|")
        };
        assert_eq!(place(r#","country":"DE","region":"DE-BE","city":"Berlin""#), "DE|DE-BE|Berlin");
        assert_eq!(place(r#","country":"DE","region":"somewhere""#), "DE||");
        assert_eq!(place(""), "||");
    }

    #[test]
    fn a_shift_moves_by_whole_days() {
        let plain = taken(converter(Format::Combined, 0).convert(LINE.as_bytes()));
        let moved = taken(converter(Format::Combined, 3).convert(LINE.as_bytes()));
        assert_eq!(moved.event_ms - plain.event_ms, 3 * 86_400_000);
        let early = converter(Format::Combined, -36_000).convert(LINE.as_bytes());
        assert_eq!(early, Outcome::Refused("timestamp: is before 1970".to_owned()));
    }

    #[test]
    fn visitors_last_a_day_and_are_known_the_day_after() {
        let today = taken(converter(Format::Combined, 0).convert(LINE.as_bytes()));
        let again = taken(converter(Format::Combined, 0).convert(LINE.replace("10:05", "23:59").as_bytes()));
        let tomorrow = taken(converter(Format::Combined, 1).convert(LINE.as_bytes()));
        let other = taken(converter(Format::Combined, 0).convert(LINE.replace("203.0.113.9", "203.0.113.10").as_bytes()));
        assert_eq!(today.visitor_id, again.visitor_id);
        assert_ne!(today.visitor_id, tomorrow.visitor_id);
        assert_eq!(today.visitor_id, tomorrow.previous_visitor_id);
        assert_ne!(today.visitor_id, other.visitor_id);
    }

    #[test]
    fn what_is_no_page_view_is_skipped() {
        for (from, to) in [("GET", "POST"), (" 200 ", " 404 "), ("/a%20b/", "/a.css")] {
            assert_eq!(converter(Format::Combined, 0).convert(LINE.replace(from, to).as_bytes()), Outcome::Skipped, "{to}");
        }
        assert_eq!(converter(Format::Combined, 0).convert(b"  "), Outcome::Blank);
        assert!(matches!(converter(Format::Combined, 0).convert(b"nonsense"), Outcome::Refused(_)));
    }

    #[test]
    fn a_line_of_json() {
        let event = taken(ndjson(
            r#"{"name":"Signup","url":"https://shop.example/join","props":{"plan":"pro"},"timestamp":"2022-03-04T05:06:07.089+01:00","ip":"203.0.113.9","user_agent":"Agent","country":"fr"}"#,
        ));
        assert_eq!((event.name.as_str(), event.pathname.as_str(), event.country.as_str()), ("Signup", "/join", "FR"));
        assert_eq!(event.event_ms, 1_646_366_767_089);
        assert_eq!(event.user_agent, "Agent");
    }

    #[test]
    fn reasons_for_refusing() {
        for (line, expected) in [
            (r#"{"name":"pageview","url":"https://shop.example/"}"#, "timestamp: is required"),
            (r#"{"name":"pageview","url":"https://shop.example/","timestamp":"yesterday"}"#, "timestamp: is not RFC 3339"),
            (
                r#"{"name":"pageview","url":"https://shop.example/","timestamp":"2999-01-01T00:00:00Z"}"#,
                "timestamp: is in the future",
            ),
            (
                r#"{"name":"pageview","url":"https://shop.example/","timestamp":"2020-01-01T00:00:00Z","domain":"b.example"}"#,
                "domain: is another site",
            ),
            (
                r#"{"name":"pageview","url":"https://shop.example/","timestamp":"2020-01-01T00:00:00Z","ip":"nobody"}"#,
                "ip: is not an address",
            ),
            (r#"{"name":"pageview","timestamp":"2020-01-01T00:00:00Z"}"#, "url: is required"),
            ("[1]", "line is not a JSON object"),
            ("{", "line is not JSON"),
        ] {
            assert_eq!(ndjson(line), Outcome::Refused(expected.to_owned()), "{line}");
        }
        assert_eq!(converter(Format::Ndjson, 0).convert(b"\xff{}"), Outcome::Refused("line is not valid UTF-8".to_owned()));
    }
}
