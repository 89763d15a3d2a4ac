//! From the drafts of one request to encoded events for each partition.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use weir_event::codec;
use weir_event::identity::{previous_utc_day, utc_day, visitor_id};
use weir_event::model::{BotMark, Origin};
use weir_event::redact::blank_address;
use weir_event::validate::{Context, Draft};

use crate::client::Client;
use crate::directory::snapshot::Snapshot;

/// Most bytes that the events of one request may take when encoded: an event that names 20 sites counts 20 times.
pub(crate) const REQUEST_BYTES_MAX: usize = 4_000_000;

/// Why no event of a request can be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum IngestError {
    /// The salt of the day is not known yet.
    #[error("today's salt is not loaded")]
    NoSalt,
    /// Over [`REQUEST_BYTES_MAX`].
    #[error("events for all named sites must take at most {REQUEST_BYTES_MAX} bytes")]
    TooLarge,
}

/// The request's events for one partition.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Group {
    /// What `codec::append_event` wrote.
    pub(crate) bytes: Vec<u8>,
    /// How many events.
    pub(crate) events: u32,
}

/// Where the events of a request go.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Routed {
    /// By partition.
    pub(crate) groups: BTreeMap<u32, Group>,
    /// Events for sites that are not known.
    pub(crate) not_found: u32,
}

/// Gives each draft its sites, its visitor and its id. The client's address stays in here: events leave without it, also where the sender
/// repeats it.
pub(crate) fn route(
    drafts: Vec<Draft>,
    client: &Client,
    user_agent: &str,
    now_ms: u64,
    snapshot: &Snapshot,
    mut random_id: impl FnMut() -> u128,
) -> Result<Routed, IngestError> {
    let salt = snapshot.salt(&utc_day(now_ms)).ok_or(IngestError::NoSalt)?;
    let previous_salt = snapshot.salt(&previous_utc_day(now_ms));
    let address = client.address.map(|address| address.to_string()).unwrap_or_default();
    let redacted_agent = client.address.as_ref().and_then(|address| blank_address(user_agent, address));
    let mut routed = Routed::default();
    let mut total_bytes = 0;
    for mut draft in drafts {
        if let Some(address) = &client.address {
            draft.redact_address(address);
        }
        for domain in &draft.domains {
            let Some(site) = snapshot.site(domain) else {
                routed.not_found += 1;
                continue;
            };
            let visitor = |salt: &[u8; 32]| visitor_id(salt, site.id, &address, user_agent, &draft.hostname);
            let event = draft.clone().into_event(&Context {
                id: random_id(),
                retry: false,
                event_ms: now_ms,
                received_ms: now_ms,
                site_id: site.id,
                visitor_id: visitor(salt),
                previous_visitor_id: previous_salt.map(visitor).unwrap_or_default(),
                user_agent: redacted_agent.clone().unwrap_or_else(|| user_agent.to_owned()),
                country: client.country.clone(),
                bot: BotMark::None,
                origin: Origin::Edge,
            });
            let group = routed.groups.entry(site.partition).or_default();
            let before = group.bytes.len();
            codec::append_event(&event, &mut group.bytes);
            group.events += 1;
            total_bytes += group.bytes.len() - before;
            if total_bytes > REQUEST_BYTES_MAX {
                return Err(IngestError::TooLarge);
            }
        }
    }
    Ok(routed)
}

/// The slot of a client: its events take the same way, and so keep their order.
pub(crate) fn slot(client: &Client, user_agent: &str, slots: u32) -> u32 {
    let mut hasher = DefaultHasher::new();
    client.address.hash(&mut hasher);
    user_agent.hash(&mut hasher);
    (hasher.finish() % u64::from(slots.max(1))) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::changes::Changes;
    use weir_event::model::Event;
    use weir_event::validate::{Body, parse_body};

    const NOW_MS: u64 = 1_795_000_000_000;

    fn snapshot(salts: &[&str]) -> Snapshot {
        let mut snapshot = Snapshot::default();
        assert!(snapshot.apply(Changes {
            reset: true,
            sites: vec![("a.example".into(), 1, 0), ("b.example".into(), 2, 1)],
            salts: salts.iter().map(|day| ((*day).to_owned(), "07".repeat(32))).collect(),
            ..Changes::default()
        }));
        snapshot
    }

    fn drafts(body: &str) -> Vec<Draft> {
        match parse_body(body.as_bytes()).unwrap() {
            Body::One(draft) => vec![draft.unwrap()],
            Body::Many(drafts) => drafts.into_iter().map(Result::unwrap).collect(),
        }
    }

    fn client(address: &str) -> Client {
        Client { address: address.parse().ok(), country: "DE".into() }
    }

    fn events(group: &Group) -> Vec<Event> {
        codec::decode(1, &group.bytes).unwrap().events
    }

    fn run(body: &str, snapshot: &Snapshot) -> Result<Routed, IngestError> {
        let mut next = 0;
        route(drafts(body), &client("192.0.2.1"), "Firefox 192.0.2.1", NOW_MS, snapshot, || {
            next += 1;
            next
        })
    }

    #[test]
    fn a_list_of_sites_fans_out() {
        let today = utc_day(NOW_MS);
        let body = r#"{"n":"x","u":"https://a.example/192.0.2.1","d":"a.example,b.example,c.example"}"#;
        let routed = run(body, &snapshot(&[&today])).unwrap();
        assert_eq!((routed.groups.len(), routed.not_found), (2, 1));
        let (a, b) = (&events(&routed.groups[&0])[0], &events(&routed.groups[&1])[0]);
        assert_eq!((a.site_id, b.site_id, a.id(), b.id()), (1, 2, 1, 2));
        assert_eq!((a.event_ms, a.received_ms, a.country.as_str()), (NOW_MS, NOW_MS, "DE"));
        assert_ne!(a.visitor_id, b.visitor_id);
        assert_eq!(a.previous_visitor_id, 0);
        assert_eq!((a.pathname.as_str(), a.user_agent.as_str()), ("/-", "Firefox -"));
    }

    #[test]
    fn the_previous_day_gives_a_second_id() {
        let (today, yesterday) = (utc_day(NOW_MS), previous_utc_day(NOW_MS));
        let body = r#"{"n":"x","u":"https://a.example/"}"#;
        let both = run(body, &snapshot(&[&today, &yesterday])).unwrap();
        let event = &events(&both.groups[&0])[0];
        assert_eq!(event.visitor_id, event.previous_visitor_id, "the test gives both days the same salt");
        assert_eq!(run(body, &snapshot(&[&yesterday])), Err(IngestError::NoSalt));
    }

    #[test]
    fn one_request_has_a_limit() {
        let long = "v".repeat(2_000);
        let props: Vec<String> = (0..30).map(|i| format!(r#""k{i}":"{long}""#)).collect();
        let event = format!(r#"{{"n":"x","u":"https://a.example","d":"a.example,b.example","p":{{{}}}}}"#, props.join(","));
        let few = format!("[{}]", [event.as_str(); 10].join(","));
        let today = utc_day(NOW_MS);
        assert_eq!(run(&few, &snapshot(&[&today])).unwrap().groups[&0].events, 10);
        let drafts: Vec<Draft> = std::iter::repeat_n(drafts(&event).remove(0), 40).collect();
        let result = route(drafts, &client("192.0.2.1"), "", NOW_MS, &snapshot(&[&today]), || 1);
        assert_eq!(result, Err(IngestError::TooLarge));
    }

    #[test]
    fn a_client_keeps_its_slot() {
        let slots: Vec<u32> = (0..100).map(|i| slot(&client(&format!("192.0.2.{i}")), "Firefox", 4)).collect();
        assert_eq!(slots, (0..100).map(|i| slot(&client(&format!("192.0.2.{i}")), "Firefox", 4)).collect::<Vec<_>>());
        assert!((0..4).all(|slot| slots.iter().filter(|s| **s == slot).count() > 5));
        assert_eq!(slot(&client(""), "", 0), 0);
    }
}
