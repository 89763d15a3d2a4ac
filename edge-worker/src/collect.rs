//! `POST /api/event`: from a request to events on stable storage.

use std::rc::Rc;

use serde_json::{Value, json};
use weir_event::validate::{BodyError, Draft, EventErrors, Sender, parse_json, parse_value};
use worker::{Env, Request, Response, Result};

use crate::client::{Client, identify};
use crate::config::Config;
use crate::directory::keys::{Verdict, judge};
use crate::directory::{cache, snapshot::Snapshot};
use crate::ingest::{IngestError, Routed, Visitor, owner, route, slot};
use crate::ledger::Owner;
use crate::limits::Share;
use crate::platform::{now_ms, random_bytes};
use crate::refuse::{Refusal, keep_payload, note_dropped, note_refusals};
use crate::{batcher, ledger, limits, place, request, respond, spam, writable};

/// Takes the events of a request. 202 is sent only after they are on stable storage.
pub(crate) async fn collect(mut request: Request, env: &Env, config: &Rc<Config>) -> Result<Response> {
    let key_sites = match request::key(&request)? {
        None => None,
        Some(key) => match judge(env, &key).await {
            Verdict::Sites(sites) => Some(sites),
            Verdict::Refused => {
                ledger::count(Owner::default(), "authorization", 1);
                let message = "is not a valid key with the scope events:write";
                return respond::json(401, &EventErrors::one("authorization", message).json());
            }
            Verdict::Unknown => return respond::unavailable("the key cannot be checked at the moment"),
        },
    };
    // Not before it is needed: it asks for twenty headers, and a flood is refused without.
    let client = |request: &Request| {
        let header = |name: &str| request.headers().get(name).ok().flatten();
        identify(&request::peer(request), &config.trusted_proxies, key_sites.is_some(), header)
    };
    if request.headers().get("x-debug-request")?.is_some_and(|value| value == "true") {
        return respond::ok(&client(&request).address.map(|address| address.to_string()).unwrap_or_default());
    }
    let now_ms = now_ms();
    let sender = if key_sites.is_some() { Sender::Trusted { now_ms } } else { Sender::Anyone };
    let bytes = match request::body(&mut request).await? {
        Ok(bytes) => bytes,
        Err(error) => return refuse_body(error, &[], &client(&request), now_ms, None),
    };
    let snapshot = cache::current(env).await;
    let (items, is_one) = match parse_json(&bytes) {
        Ok(Value::Array(items)) => (items, false),
        Ok(item) => (vec![item], true),
        // What a server cannot spell may name its client's address, which nobody could find in there to blank it: it is not kept.
        Err(error) if key_sites.is_some() => return refuse_body(error, &[], &client(&request), now_ms, snapshot.as_deref()),
        Err(error) => return refuse_body(error, &bytes, &client(&request), now_ms, snapshot.as_deref()),
    };
    let (drafts, refusals) = judge_items(&items, sender, key_sites.as_deref(), snapshot.as_deref());
    let errors = (!refusals.is_empty()).then(|| told(&refusals, is_one));
    if let (true, Some(errors)) = (drafts.is_empty(), &errors) {
        note_refusals(&refusals, &items, &client(&request), now_ms, snapshot.as_deref());
        return respond::json(400, errors);
    }
    let Some(snapshot) = snapshot else { return respond::unavailable("the site list is not loaded yet") };
    let shares = shares(&drafts, bytes.len(), &snapshot);
    if let Some(wait_s) = limits::wait_for_sites(&shares, config.site_ceiling, now_ms) {
        return throttled(&shares, wait_s);
    }
    let mut client = client(&request);
    if let Err(wait_s) = limits::take(&shares, config.site_ceiling, client.address.as_ref(), now_ms) {
        return throttled(&shares, wait_s);
    }
    if client.place.country.is_empty()
        && let Some(address) = &client.address
    {
        client.place.country = place::country(env, address).await.unwrap_or_default();
    }
    let visitors = visitors(drafts, &client, env).await;
    let indexes: Vec<usize> = visitors.iter().map(|(index, ..)| *index).collect();
    let drafts = visitors.into_iter().map(|(_, draft, visitor)| (draft, visitor)).collect();
    let mut random = Random::default();
    let routed = match route(drafts, now_ms, &snapshot, || random.next()) {
        Ok(routed) => routed,
        Err(IngestError::NoSalt) => return respond::unavailable("today's salt is not loaded yet"),
        Err(error @ IngestError::TooLarge) => {
            ledger::count(Owner::default(), "too_large", 1);
            return respond::json(413, &EventErrors::one("request", error.to_string()).json());
        }
    };
    if random.is_exhausted {
        return respond::unavailable("the runtime gives no random numbers");
    }
    let is_stored = keep(&routed, env, config, slot(&client, config.slots), now_ms).await;
    writable::note(is_stored);
    if !is_stored {
        return respond::unavailable("events cannot be stored at the moment");
    }
    // Only now: a request that is sent again is counted then.
    note_refusals(&refusals, &items, &client, now_ms, Some(&snapshot));
    note_dropped(&routed.dropped, &indexes, &items, &client, now_ms, &snapshot);
    respond::accepted(&routed.dropped, errors.as_ref())
}

/// A body that cannot be used as a whole.
fn refuse_body(error: BodyError, bytes: &[u8], client: &Client, now_ms: u64, snapshot: Option<&Snapshot>) -> Result<Response> {
    ledger::count(Owner::default(), error.reason(), 1);
    if !bytes.is_empty() {
        let body = String::from_utf8_lossy(bytes);
        keep_payload(&body, error.reason(), &error.json(), &[], client, now_ms, snapshot);
    }
    respond::json(error.status(), &error.json())
}

/// Those that are good, each with its index, and what is wrong with the others.
fn judge_items(
    items: &[Value],
    sender: Sender,
    key_sites: Option<&[u32]>,
    snapshot: Option<&Snapshot>,
) -> (Vec<(usize, Draft)>, Vec<Refusal>) {
    let (mut drafts, mut refusals) = (Vec::new(), Vec::new());
    for (index, item) in items.iter().enumerate() {
        match parse_value(item, sender) {
            Ok(draft) if is_of_key(&draft, key_sites, snapshot) => drafts.push((index, draft)),
            Ok(_) => refusals.push(Refusal { index, errors: EventErrors::one("domain", "is not the site of the key") }),
            Err(errors) => refusals.push(Refusal { index, errors }),
        }
    }
    (drafts, refusals)
}

/// A key speaks for its own sites alone.
fn is_of_key(draft: &Draft, key_sites: Option<&[u32]>, snapshot: Option<&Snapshot>) -> bool {
    let (Some(key_sites), Some(snapshot)) = (key_sites, snapshot) else { return true };
    draft.domains.iter().all(|domain| snapshot.site(domain).is_some_and(|site| key_sites.contains(&site.id)))
}

/// What the sender is told of its refused events.
fn told(refusals: &[Refusal], is_one: bool) -> Value {
    match refusals {
        [refusal] if is_one => refusal.errors.json(),
        _ => json!({ "errors": refusals.iter().map(|refusal| refusal.errors.json_at(refusal.index)).collect::<Vec<_>>() }),
    }
}

/// What the request brings for each known site.
fn shares(drafts: &[(usize, Draft)], body_bytes: usize, snapshot: &Snapshot) -> Vec<Share> {
    let event_bytes = body_bytes / drafts.len().max(1);
    let mut shares: Vec<Share> = Vec::new();
    for site in drafts.iter().flat_map(|(_, draft)| &draft.domains).filter_map(|domain| snapshot.site(domain)) {
        let owner = owner(site);
        if let Some(share) = shares.iter_mut().find(|share| share.owner == owner) {
            share.events += 1;
            share.bytes += event_bytes;
        } else {
            let limits = site.settings.as_ref().map(|settings| settings.limits).unwrap_or_default();
            shares.push(Share { owner, limits, events: 1, bytes: event_bytes });
        }
    }
    shares
}

/// One of the sites takes no more at the moment: the request is refused for all of them.
fn throttled(shares: &[Share], wait_s: u64) -> Result<Response> {
    for share in shares {
        ledger::count(share.owner, "throttle", share.events);
    }
    respond::too_many(wait_s)
}

/// Each draft's visitor. Those whom a trusted sender names get their country here, and spam is told.
async fn visitors(drafts: Vec<(usize, Draft)>, client: &Client, env: &Env) -> Vec<(usize, Draft, Visitor)> {
    let referrers = drafts.iter().map(|(_, draft)| draft.referrer.as_str()).filter(|referrer| !referrer.is_empty());
    let mut spam = spam::judge(env, referrers).await.into_iter();
    let mut visitors = Vec::with_capacity(drafts.len());
    for (index, draft) in drafts {
        let mut visitor = Visitor::of(&draft, client);
        if let Some(address) = &draft.claims.address {
            visitor.place.country = place::country(env, address).await.unwrap_or_default();
        }
        if !draft.referrer.is_empty() && spam.next() == Some(true) {
            visitor.barred = visitor.barred.or(Some("spam_referrer"));
        }
        visitors.push((index, draft, visitor));
    }
    visitors
}

/// Random event ids. Taken from the runtime one by one; a failure is seen afterwards.
#[derive(Default)]
struct Random {
    is_exhausted: bool,
}

impl Random {
    fn next(&mut self) -> u128 {
        let Ok(bytes) = random_bytes::<16>() else {
            self.is_exhausted = true;
            return 1;
        };
        u128::from_le_bytes(bytes)
    }
}

/// Hands each partition its events. True when all of them are on stable storage.
async fn keep(routed: &Routed, env: &Env, config: &Config, slot: u32, received_ms: u64) -> bool {
    let mut requests = Vec::new();
    for (partition, group) in &routed.groups {
        if *partition >= config.partitions {
            worker::console_error!("a site is on partition {partition}, which this edge does not have");
            return false;
        }
        requests.push(batcher::append(env, config, *partition, slot, &group.bytes, received_ms));
    }
    // The entry module ends a request whose batcher does not answer.
    futures::future::join_all(requests).await.into_iter().fold(true, |kept, answer| match answer {
        Ok(status) => kept && status == 202,
        Err(error) => {
            worker::console_error!("a batcher failed: {error}");
            false
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_name_their_index() {
        let items = [json!({"n": "x", "u": "https://a.example"}), json!({"n": "x"})];
        let (drafts, refusals) = judge_items(&items, Sender::Anyone, None, None);
        assert_eq!(drafts.len(), 1);
        let one = json!({"errors": [{"index": 1, "errors": {"url": ["is required"]}}]});
        assert_eq!(told(&refusals, false), one);
        assert_eq!(told(&refusals, true), json!({"errors": {"url": ["is required"]}}));
    }
}
