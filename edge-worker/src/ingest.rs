//! From the drafts of one request to encoded events for each partition.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;

use weir_event::codec;
use weir_event::identity::{previous_utc_day, utc_day, visitor_id};
use weir_event::model::{BotMark, Origin};
use weir_event::redact::blank_address;
use weir_event::validate::{Context, Draft};

use crate::client::{Client, Place};
use crate::directory::snapshot::{SiteEntry, Snapshot};
use crate::ledger::Owner;

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

/// An event that does not go to one of its sites, by a rule that is no fault of the sender.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dropped {
    /// Which draft.
    pub(crate) index: usize,
    /// The site's name.
    pub(crate) domain: String,
    /// The site, where it is known.
    pub(crate) owner: Owner,
    /// The rule.
    pub(crate) reason: &'static str,
}

/// Where the events of a request go.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Routed {
    /// By partition.
    pub(crate) groups: BTreeMap<u32, Group>,
    /// What goes nowhere.
    pub(crate) dropped: Vec<Dropped>,
}

/// The client of one draft: the request's, unless a trusted sender names another.
#[derive(Clone)]
pub(crate) struct Visitor {
    pub(crate) address: Option<IpAddr>,
    pub(crate) user_agent: String,
    pub(crate) place: Place,
    pub(crate) bot: BotMark,
    /// A rule that concerns all sites keeps the event out; its name.
    pub(crate) barred: Option<&'static str>,
}

impl Visitor {
    /// Who the draft is from.
    pub(crate) fn of(draft: &Draft, client: &Client) -> Self {
        let claims = &draft.claims;
        // A sender that names its client speaks for it alone: its own place and program say nothing.
        let is_own = claims.address.is_none();
        Self {
            address: claims.address.or(client.address),
            user_agent: claims.user_agent.clone().unwrap_or_else(|| client.user_agent.clone()),
            place: if is_own { client.place.clone() } else { Place::default() },
            bot: if draft.is_bot { BotMark::Declared } else { client.bot },
            barred: client.threat,
        }
    }
}

/// Gives each draft its sites, its visitor and its id. The client's address stays in here: events leave without it, also where the sender
/// repeats it.
pub(crate) fn route(
    drafts: Vec<(Draft, Visitor)>,
    now_ms: u64,
    snapshot: &Snapshot,
    mut random_id: impl FnMut() -> u128,
) -> Result<Routed, IngestError> {
    let mut routed = Routed::default();
    let mut total_bytes = 0;
    for (index, (mut draft, visitor)) in drafts.into_iter().enumerate() {
        let event_ms = draft.event_ms(now_ms);
        let (salt, previous_salt) = salts(snapshot, event_ms, now_ms).ok_or(IngestError::NoSalt)?;
        let address = visitor.address.map(|address| address.to_string()).unwrap_or_default();
        if let Some(address) = &visitor.address {
            draft.redact_address(address);
        }
        let redacted_agent = visitor.address.as_ref().and_then(|address| blank_address(&visitor.user_agent, address));
        let stored_agent = redacted_agent.as_ref().unwrap_or(&visitor.user_agent);
        for domain in std::mem::take(&mut draft.domains) {
            let Some(site) = snapshot.site(&domain) else {
                routed.dropped.push(Dropped { index, domain, owner: Owner::default(), reason: "not_found" });
                continue;
            };
            if let Some(reason) = visitor.barred.or_else(|| shielded(site, &draft, &visitor)) {
                routed.dropped.push(Dropped { index, domain, owner: owner(site), reason });
                continue;
            }
            let id = |salt: &[u8; 32]| visitor_id(salt, site.id, &address, &visitor.user_agent, &draft.hostname);
            let event = draft.clone().into_event(&Context {
                id: draft.id_for(site.id, random_id()),
                retry: draft.retry,
                event_ms,
                received_ms: now_ms,
                site_id: site.id,
                visitor_id: id(salt),
                previous_visitor_id: previous_salt.map(id).unwrap_or_default(),
                user_agent: stored_agent.clone(),
                country: visitor.place.country.clone(),
                region: visitor.place.region.clone(),
                city: visitor.place.city.clone(),
                bot: visitor.bot,
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

/// The salt of the event's own day and of the day before. An event so old that its day's salt is gone is of a visitor of today.
fn salts(snapshot: &Snapshot, event_ms: u64, now_ms: u64) -> Option<(&[u8; 32], Option<&[u8; 32]>)> {
    match snapshot.salt(&utc_day(event_ms)) {
        Some(salt) => Some((salt, snapshot.salt(&previous_utc_day(event_ms)))),
        None => Some((snapshot.salt(&utc_day(now_ms))?, None)),
    }
}

fn shielded(site: &SiteEntry, draft: &Draft, visitor: &Visitor) -> Option<&'static str> {
    let shields = &site.settings.as_ref()?.shields;
    let country = visitor.place.country.to_ascii_uppercase();
    shields.check(visitor.address.as_ref(), &country, &draft.hostname, &draft.pathname).map(weir_event::shield::Shielded::reason)
}

/// Whose count it is.
pub(crate) fn owner(site: &SiteEntry) -> Owner {
    Owner { partition: site.partition, site_id: site.id }
}

/// The slot of a client: its events take the same way, and so keep their order.
pub(crate) fn slot(client: &Client, slots: u32) -> u32 {
    let mut hasher = DefaultHasher::new();
    client.address.hash(&mut hasher);
    client.user_agent.hash(&mut hasher);
    (hasher.finish() % u64::from(slots.max(1))) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::changes::Changes;
    use weir_event::identity::event_id;
    use weir_event::model::Event;
    use weir_event::shield::Shields;
    use weir_event::site::Settings;
    use weir_event::validate::{Body, Sender, parse_body};

    const NOW_MS: u64 = 1_795_000_000_000;

    /// `b.example` does not count Norway and its pages below /admin.
    fn shields() -> Settings {
        let shields = Shields { countries: vec!["NO".into()], pages: vec!["/admin**".into()], ..Shields::default() };
        Settings { shields, ..Settings::default() }
    }

    /// Each day has another.
    fn salt(day: &str) -> String {
        format!("{:02x}", day.bytes().fold(0_u8, u8::wrapping_add)).repeat(32)
    }

    fn snapshot(salts: &[&str]) -> Snapshot {
        let mut snapshot = Snapshot::default();
        assert!(snapshot.apply(Changes {
            reset: true,
            sites: vec![("a.example".into(), 1, 0, None), ("b.example".into(), 2, 1, Some(Box::new(shields())))],
            salts: salts.iter().map(|day| ((*day).to_owned(), salt(day))).collect(),
            ..Changes::default()
        }));
        snapshot
    }

    fn drafts(body: &str) -> Vec<Draft> {
        match parse_body(body.as_bytes(), Sender::Trusted { now_ms: NOW_MS }).unwrap() {
            Body::One(draft) => vec![draft.unwrap()],
            Body::Many(drafts) => drafts.into_iter().map(Result::unwrap).collect(),
        }
    }

    fn client(address: &str) -> Client {
        Client {
            address: address.parse().ok(),
            user_agent: "Firefox 192.0.2.1".into(),
            place: Place { country: "DE".into(), ..Place::default() },
            bot: BotMark::None,
            threat: None,
        }
    }

    fn events(group: &Group) -> Vec<Event> {
        codec::decode(1, &group.bytes).unwrap().events
    }

    fn visitors(drafts: Vec<Draft>, client: &Client) -> Vec<(Draft, Visitor)> {
        drafts.into_iter().map(|draft| (draft.clone(), Visitor::of(&draft, client))).collect()
    }

    fn run(body: &str, snapshot: &Snapshot) -> Result<Routed, IngestError> {
        let mut next = 0;
        route(visitors(drafts(body), &client("192.0.2.1")), NOW_MS, snapshot, || {
            next += 1;
            next
        })
    }

    fn reasons(routed: &Routed) -> Vec<(&str, u32, &str)> {
        routed.dropped.iter().map(|drop| (drop.domain.as_str(), drop.owner.site_id, drop.reason)).collect()
    }

    #[test]
    fn a_list_of_sites_fans_out() {
        let today = utc_day(NOW_MS);
        let body = r#"{"n":"x","u":"https://a.example/192.0.2.1","d":"a.example,b.example,c.example"}"#;
        let routed = run(body, &snapshot(&[&today])).unwrap();
        assert_eq!(routed.groups.len(), 2);
        assert_eq!(reasons(&routed), [("c.example", 0, "not_found")]);
        let (a, b) = (&events(&routed.groups[&0])[0], &events(&routed.groups[&1])[0]);
        assert_eq!((a.site_id, b.site_id, a.id(), b.id()), (1, 2, 1, 2));
        assert_eq!((a.event_ms, a.received_ms, a.country.as_str()), (NOW_MS, NOW_MS, "DE"));
        assert_ne!(a.visitor_id, b.visitor_id);
        assert_eq!(a.previous_visitor_id, 0);
        assert_eq!((a.pathname.as_str(), a.user_agent.as_str()), ("/-", "Firefox -"));
    }

    #[test]
    fn an_event_is_of_its_own_day() {
        let (today, yesterday) = (utc_day(NOW_MS), previous_utc_day(NOW_MS));
        let both = snapshot(&[&today, &yesterday]);
        let ids = |age_ms: u64, snapshot: &Snapshot| {
            let body = format!(r#"{{"n":"x","u":"https://a.example/","age":{age_ms}}}"#);
            let event = events(&run(&body, snapshot).unwrap().groups[&0]).remove(0);
            assert_eq!((event.event_ms, event.received_ms), (NOW_MS - age_ms, NOW_MS));
            (event.visitor_id, event.previous_visitor_id)
        };
        let (id_today, id_yesterday) = ids(0, &both);
        assert_ne!(id_today, id_yesterday);
        assert_eq!(ids(20 * 3_600_000, &both), (id_yesterday, 0), "yesterday's event is of yesterday's visitor");
        assert_eq!(ids(20 * 3_600_000, &snapshot(&[&today])), (id_today, 0), "whose salt may be gone");
        assert_eq!(run(r#"{"n":"x","u":"https://a.example/"}"#, &snapshot(&[&yesterday])), Err(IngestError::NoSalt));
    }

    #[test]
    fn a_sender_s_id_is_kept_apart_by_site() {
        let id = "000000000000000000000000000000ff";
        let body = format!(r#"{{"n":"x","u":"https://a.example/","d":"a.example,b.example","id":"{id}","retry":true}}"#);
        let routed = run(&body, &snapshot(&[&utc_day(NOW_MS)])).unwrap();
        let (a, b) = (&events(&routed.groups[&0])[0], &events(&routed.groups[&1])[0]);
        assert_eq!((a.id(), b.id(), a.retry), (event_id(0xff, 1), event_id(0xff, 2), true));
    }

    #[test]
    fn a_trusted_sender_names_its_client() {
        let today = snapshot(&[&utc_day(NOW_MS)]);
        let body =
            r#"{"n":"x","u":"https://a.example/203.0.113.9","ip":"203.0.113.9","user_agent":"App 203.0.113.9","bot":true}"#;
        let event = &events(&run(body, &today).unwrap().groups[&0])[0];
        let own = &events(&run(r#"{"n":"x","u":"https://a.example/"}"#, &today).unwrap().groups[&0])[0];
        assert_eq!((event.pathname.as_str(), event.user_agent.as_str(), event.country.as_str()), ("/-", "App -", ""));
        assert_eq!((event.bot, own.bot), (BotMark::Declared as i32, BotMark::None as i32));
        assert_ne!(event.visitor_id, own.visitor_id);
    }

    #[test]
    fn shields_and_threats_drop() {
        let today = snapshot(&[&utc_day(NOW_MS)]);
        let body = r#"{"n":"x","u":"https://a.example/admin/x","d":"a.example,b.example"}"#;
        let routed = run(body, &today).unwrap();
        assert_eq!((routed.groups.len(), reasons(&routed)), (1, vec![("b.example", 2, "site_page_blocklist")]));
        let norway = Client { place: Place { country: "no".into(), ..Place::default() }, ..client("192.0.2.1") };
        let from_norway = visitors(drafts(r#"{"n":"x","u":"https://b.example/"}"#), &norway);
        let routed = route(from_norway, NOW_MS, &today, || 1).unwrap();
        assert_eq!(reasons(&routed), [("b.example", 2, "site_country_blocklist")]);
        let threat = Client { threat: Some("dc_ip"), ..client("192.0.2.1") };
        let routed = route(visitors(drafts(body), &threat), NOW_MS, &today, || 1).unwrap();
        assert_eq!(reasons(&routed), [("a.example", 1, "dc_ip"), ("b.example", 2, "dc_ip")]);
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
        let result = route(visitors(drafts, &client("192.0.2.1")), NOW_MS, &snapshot(&[&today]), || 1);
        assert_eq!(result, Err(IngestError::TooLarge));
    }

    #[test]
    fn a_client_keeps_its_slot() {
        let slots: Vec<u32> = (0..100).map(|i| slot(&client(&format!("192.0.2.{i}")), 4)).collect();
        assert_eq!(slots, (0..100).map(|i| slot(&client(&format!("192.0.2.{i}")), 4)).collect::<Vec<_>>());
        assert!((0..4).all(|slot| slots.iter().filter(|s| **s == slot).count() > 5));
        assert_eq!(slot(&client(""), 0), 0);
    }
}
