//! What becomes of refused and dropped events: they are counted for their sites, and what may be recovered is kept without an address.

use serde_json::Value;
use weir_event::identity::{normalise_address, previous_utc_day, utc_day, visitor_id};
use weir_event::redact::blank_address;
use weir_event::rejected::{REJECTED_VERSION, Rejected};
use weir_event::validate::{EventErrors, USER_AGENT_CHARS_MAX};

use crate::client::{Client, Place};
use crate::directory::snapshot::Snapshot;
use crate::ingest::{Dropped, owner};
use crate::ledger::{self, Owner};

/// An event that is refused, and why.
pub(crate) struct Refusal {
    /// Its place in the body.
    pub(crate) index: usize,
    /// What is wrong.
    pub(crate) errors: EventErrors,
}

/// Counts refused events for their sites, and keeps what they were.
pub(crate) fn note_refusals(refusals: &[Refusal], items: &[Value], client: &Client, now_ms: u64, snapshot: Option<&Snapshot>) {
    for refusal in refusals {
        let reason = refusal.errors.field();
        let sites = || refusal.errors.domains().iter().filter_map(|domain| snapshot?.site(domain));
        let mut is_known = false;
        for site in sites() {
            is_known = true;
            ledger::count(owner(site), reason, 1);
        }
        if !is_known {
            ledger::count(Owner::default(), reason, 1);
        }
        if let Some(item) = items.get(refusal.index) {
            keep_payload(
                &without_claimed_address(item),
                reason,
                &refusal.errors.json(),
                refusal.errors.domains(),
                client,
                now_ms,
                snapshot,
            );
        }
    }
}

/// Counts dropped events for their sites. Those for sites that are not known are kept: the site may be added.
pub(crate) fn note_dropped(
    dropped: &[Dropped],
    indexes: &[usize],
    items: &[Value],
    client: &Client,
    now_ms: u64,
    snapshot: &Snapshot,
) {
    for event in dropped {
        ledger::count(event.owner, event.reason, 1);
    }
    let unknown: Vec<&Dropped> = dropped.iter().filter(|event| event.owner == Owner::default()).collect();
    for group in unknown.chunk_by(|a, b| a.index == b.index) {
        let item = group.first().and_then(|event| items.get(*indexes.get(event.index)?));
        if let Some(item) = item {
            let domains: Vec<String> = group.iter().map(|event| event.domain.clone()).collect();
            keep_payload(&without_claimed_address(item), "not_found", &Value::Null, &domains, client, now_ms, Some(snapshot));
        }
    }
}

/// The event as text, without the address that its sender names as its client's.
fn without_claimed_address(item: &Value) -> String {
    let mut item = item.clone();
    let claimed = item.as_object_mut().and_then(|fields| fields.remove("ip"));
    let address = claimed.as_ref().and_then(Value::as_str).and_then(normalise_address);
    let text = item.to_string();
    address.and_then(|address| blank_address(&text, &address)).unwrap_or(text)
}

/// Keeps a refused payload without the sender's address; its visitor id for site 0 stands for it.
pub(crate) fn keep_payload(
    body: &str,
    reason: &str,
    errors: &Value,
    domains: &[String],
    client: &Client,
    now_ms: u64,
    snapshot: Option<&Snapshot>,
) {
    if !ledger::has_room() {
        return;
    }
    let blank = |text: &str| client.address.as_ref().and_then(|a| blank_address(text, a)).unwrap_or_else(|| text.to_owned());
    let salt = |day: &str| snapshot.and_then(|snapshot| snapshot.salt(day));
    let address = client.address.map(|address| address.to_string()).unwrap_or_default();
    let sender = |salt: &[u8; 32]| format!("{:016x}", visitor_id(salt, 0, &address, &client.user_agent, ""));
    let (body, is_cut) = Rejected::keep(&blank(body));
    let domains = domains.iter().map(|domain| blank(domain)).collect();
    let Place { country, region, city } = client.place.clone();
    let record = Rejected {
        version: REJECTED_VERSION,
        received_ms: now_ms,
        reason: reason.to_owned(),
        errors: errors.get("errors").cloned().unwrap_or_default(),
        domains,
        body,
        is_cut,
        user_agent: blank(&client.user_agent.chars().take(USER_AGENT_CHARS_MAX).collect::<String>()),
        country,
        region,
        city,
        sender: salt(&utc_day(now_ms)).map(sender).unwrap_or_default(),
        previous_sender: salt(&previous_utc_day(now_ms)).map(sender).unwrap_or_default(),
    };
    if let Some(bytes) = record.encode() {
        ledger::keep(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_claimed_address_is_not_kept() {
        let item = json!({"n": "x", "ip": "203.0.113.9", "u": "https://a.example/203.0.113.9"});
        assert_eq!(without_claimed_address(&item), r#"{"n":"x","u":"https://a.example/-"}"#);
        assert_eq!(without_claimed_address(&json!("x")), "\"x\"");
    }
}
