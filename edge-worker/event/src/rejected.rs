//! A refused payload as it waits, without an address, to be looked at and sent again after a fix.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::domain::normalise_domain;
use crate::identity::event_id;
use crate::model::{BotMark, Event, Origin};
use crate::validate::{Body, BodyError, Context, EventErrors, Sender, parse_body};

/// Version of the JSON.
pub const REJECTED_VERSION: u32 = 1;
/// Most bytes of a payload that are kept; the rest is cut off, and it cannot be sent again.
pub const REJECTED_BODY_BYTES_MAX: usize = 16 * 1024;
/// Largest record that is read, bytes: escaped, a body may take several times its size.
pub const REJECTED_BYTES_MAX: usize = 64 * 1024;

/// A message on the stream of refused payloads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejected {
    /// [`REJECTED_VERSION`].
    pub version: u32,
    /// When the edge received it, Unix milliseconds.
    pub received_ms: u64,
    /// Why it was refused, as in the ledger.
    pub reason: String,
    /// What its sender was told, field → messages; empty where the site is not known.
    #[serde(default)]
    pub errors: Value,
    /// The sites it was meant for and did not reach; empty when that could not be read.
    #[serde(default)]
    pub domains: Vec<String>,
    /// The payload, one event or what was no JSON, with the sender's address blanked.
    pub body: String,
    /// It was longer than [`REJECTED_BODY_BYTES_MAX`].
    #[serde(default)]
    pub is_cut: bool,
    /// The sender's user agent, address blanked.
    #[serde(default)]
    pub user_agent: String,
    /// Where the sender was.
    #[serde(default)]
    pub country: String,
    /// See `country`.
    #[serde(default)]
    pub region: String,
    /// See `country`.
    #[serde(default)]
    pub city: String,
    /// Names the sender for its day without telling its address: the visitor id for site 0, 16 hex digits.
    #[serde(default)]
    pub sender: String,
    /// The same under the salt of the day before; empty when that is gone.
    #[serde(default)]
    pub previous_sender: String,
}

/// Why a refused payload still cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecoverError {
    /// Its end is missing.
    #[error("the payload was longer than {REJECTED_BODY_BYTES_MAX} bytes and is cut off")]
    Cut,
    /// Not a record of this version.
    #[error("the record cannot be read: {reason}")]
    Unreadable {
        /// What is wrong.
        reason: String,
    },
    /// The body as a whole is still wrong.
    #[error("request: {0}")]
    Body(BodyError),
    /// Its fields are still wrong.
    #[error("{0}")]
    Event(EventErrors),
    /// No site is known by these names.
    #[error("no site is known as {}: add it, or name another with --as-site", .domains.join(", "))]
    NoSite {
        /// The names.
        domains: Vec<String>,
    },
}

// The messages say all: as sources they would be told twice.
impl From<BodyError> for RecoverError {
    fn from(error: BodyError) -> Self {
        Self::Body(error)
    }
}

impl From<EventErrors> for RecoverError {
    fn from(errors: EventErrors) -> Self {
        Self::Event(errors)
    }
}

/// What a recovered event needs to know of its site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// Number of the site.
    pub site_id: u32,
    /// Its partition.
    pub partition: u32,
}

impl Rejected {
    /// Reads a message. Never panics, whatever the bytes are.
    ///
    /// # Errors
    /// When it is no record of this version.
    pub fn parse(bytes: &[u8]) -> Result<Self, RecoverError> {
        let unreadable = |reason: String| RecoverError::Unreadable { reason };
        if bytes.len() > REJECTED_BYTES_MAX {
            return Err(unreadable(format!("{} bytes, at most {REJECTED_BYTES_MAX}", bytes.len())));
        }
        let record: Self = serde_json::from_slice(bytes).map_err(|error| unreadable(error.to_string()))?;
        if record.version != REJECTED_VERSION {
            return Err(unreadable(format!("version {}, this program reads {REJECTED_VERSION}", record.version)));
        }
        Ok(record)
    }

    /// The message's bytes; `None` when they would be more than [`REJECTED_BYTES_MAX`].
    pub fn encode(&self) -> Option<Vec<u8>> {
        serde_json::to_vec(self).ok().filter(|bytes| bytes.len() <= REJECTED_BYTES_MAX)
    }

    /// Cuts a payload to what is kept of it, and says whether it was longer.
    pub fn keep(body: &str) -> (String, bool) {
        let mut end = body.len().min(REJECTED_BODY_BYTES_MAX);
        while !body.is_char_boundary(end) {
            end -= 1;
        }
        (body.get(..end).unwrap_or_default().to_owned(), end < body.len())
    }

    /// Judges the payload again, and makes the events that it now gives, each with its partition. `site` knows the sites; `as_site` goes to
    /// that site whatever the payload says; `random_id` stands for the payload's own id where it has none, and must be the same each time.
    ///
    /// The event keeps the time of its arrival and its sender, so that its visit is the one it would have been among the recovered.
    ///
    /// # Errors
    /// When it is still wrong, or none of its sites is known.
    pub fn recover(
        &self,
        site: impl Fn(&str) -> Option<Target>,
        as_site: Option<&str>,
        random_id: u128,
    ) -> Result<Vec<(u32, Event)>, RecoverError> {
        if self.is_cut {
            return Err(RecoverError::Cut);
        }
        let mut body: Value = serde_json::from_str(&self.body).map_err(|_| BodyError::NotJson)?;
        if let (Some(domain), Some(fields)) = (as_site, body.as_object_mut()) {
            // Aliases of the domain are left behind: `d` is looked at first.
            fields.insert("d".to_owned(), domain.into());
        }
        let draft = match parse_body(body.to_string().as_bytes(), Sender::Anyone)? {
            Body::One(outcome) => outcome?,
            Body::Many(_) => return Err(BodyError::NotJson.into()),
        };
        let wanted: Vec<String> = match as_site.and_then(normalise_domain) {
            Some(domain) => vec![domain],
            // Other sites of the same payload took it when it came.
            None if !self.domains.is_empty() => self.domains.clone(),
            None => draft.domains.clone(),
        };
        let targets: Vec<Target> = wanted.iter().filter_map(|domain| site(domain)).collect();
        if targets.is_empty() {
            return Err(RecoverError::NoSite { domains: wanted });
        }
        let sender = |text: &str| u64::from_str_radix(text, 16).unwrap_or_default();
        let events = targets.into_iter().map(|target| {
            let visitor = |sender: u64| if sender == 0 { 0 } else { recovered_visitor(sender, target.site_id) };
            let context = Context {
                id: event_id(draft.id.unwrap_or(random_id), target.site_id),
                retry: true,
                event_ms: self.received_ms.saturating_sub(draft.age_ms),
                received_ms: self.received_ms,
                site_id: target.site_id,
                visitor_id: visitor(sender(&self.sender)).max(1),
                previous_visitor_id: visitor(sender(&self.previous_sender)),
                user_agent: self.user_agent.clone(),
                country: self.country.clone(),
                region: self.region.clone(),
                city: self.city.clone(),
                bot: if draft.is_bot { BotMark::Declared } else { BotMark::None },
                origin: Origin::Edge,
            };
            (target.partition, draft.clone().into_event(&context))
        });
        Ok(events.collect())
    }
}

/// The sender's id for one site: as with visitor ids, nobody can tell that two sites had the same visitor.
fn recovered_visitor(sender: u64, site_id: u32) -> u64 {
    (event_id(sender.into(), site_id) as u64).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn rejected(body: &str, domains: &[&str]) -> Rejected {
        Rejected {
            version: 1,
            received_ms: 1_795_000_000_000,
            reason: "not_found".into(),
            errors: Value::Null,
            domains: domains.iter().map(|domain| (*domain).to_owned()).collect(),
            body: body.into(),
            is_cut: false,
            user_agent: "Firefox".into(),
            country: "DE".into(),
            region: String::new(),
            city: String::new(),
            sender: "00000000000000ff".into(),
            previous_sender: String::new(),
        }
    }

    fn site(domain: &str) -> Option<Target> {
        let known = ["a.example", "b.example"].iter().position(|known| *known == domain)? as u32;
        Some(Target { site_id: known + 1, partition: known })
    }

    #[test]
    fn version_1_is_pinned() {
        let text = r#"{"version":1,"received_ms":1795000000000,"reason":"not_found","errors":null,"domains":["a.example"],"body":"{}","is_cut":false,"user_agent":"Firefox","country":"DE","region":"","city":"","sender":"00000000000000ff","previous_sender":""}"#;
        let record = rejected("{}", &["a.example"]);
        assert_eq!(String::from_utf8(record.encode().unwrap()).unwrap(), text);
        assert_eq!(Rejected::parse(text.as_bytes()), Ok(record));
        assert!(matches!(Rejected::parse(b"{}"), Err(RecoverError::Unreadable { .. })));
        assert!(matches!(Rejected::parse(text.replace(":1,", ":2,").as_bytes()), Err(RecoverError::Unreadable { .. })));
    }

    #[test]
    fn goes_to_the_sites_that_it_did_not_reach() {
        let record =
            rejected(r#"{"n":"pageview","u":"https://a.example/x","d":"a.example,b.example","age":1000}"#, &["b.example"]);
        let events = record.recover(site, None, 9).unwrap();
        let [(1, event)] = events.as_slice() else { panic!("{events:?}") };
        assert_eq!((event.site_id, event.event_ms, event.received_ms), (2, 1_794_999_999_000, 1_795_000_000_000));
        assert_eq!(event.id(), event_id(9, 2));
        assert!(event.visitor_id > 1 && event.previous_visitor_id == 0 && event.retry);
        assert_eq!(record.recover(site, None, 9), Ok(events), "the same again");
    }

    #[test]
    fn goes_where_it_is_told_to() {
        let record = rejected(r#"{"n":"pageview","u":"https://x.example/","domain":"typo.example"}"#, &["typo.example"]);
        assert_eq!(record.recover(site, None, 9), Err(RecoverError::NoSite { domains: vec!["typo.example".into()] }));
        assert_eq!(record.recover(site, Some("A.example"), 9).unwrap()[0].1.site_id, 1);
        assert!(matches!(record.recover(site, Some("c.example"), 9), Err(RecoverError::NoSite { .. })));
    }

    #[test]
    fn stays_refused_while_it_is_wrong() {
        let errors = rejected(r#"{"n":"x","d":"a.example"}"#, &[]).recover(site, None, 9).unwrap_err();
        assert_eq!(errors.to_string(), "url: is required");
        assert_eq!(rejected("{", &[]).recover(site, None, 9), Err(RecoverError::Body(BodyError::NotJson)));
        assert_eq!(rejected("[{}]", &[]).recover(site, None, 9), Err(RecoverError::Body(BodyError::NotJson)));
        let cut = Rejected { is_cut: true, ..rejected("{}", &[]) };
        assert_eq!(cut.recover(site, None, 9), Err(RecoverError::Cut));
    }

    #[test]
    fn bodies_are_cut_between_characters() {
        assert_eq!(Rejected::keep("short"), ("short".to_owned(), false));
        let (kept, is_cut) = Rejected::keep(&"ü".repeat(REJECTED_BODY_BYTES_MAX));
        assert!(is_cut && kept.len() == REJECTED_BODY_BYTES_MAX);
        assert!(Rejected::keep(&format!("x{}", "ü".repeat(REJECTED_BODY_BYTES_MAX))).0.len() < REJECTED_BODY_BYTES_MAX);
    }

    proptest! {
        #[test]
        fn no_record_panics(body in ".*", sender in ".*", bytes: Vec<u8>) {
            let _ignored = Rejected::parse(&bytes);
            let record = Rejected { sender, ..rejected(&body, &[]) };
            let _ignored = record.recover(site, Some("a.example"), 1);
            let value = json!({"n": body, "u": body, "d": body}).to_string();
            let _ignored = rejected(&value, &[]).recover(site, None, 1);
        }
    }
}
