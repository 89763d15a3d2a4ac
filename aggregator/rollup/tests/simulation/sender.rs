//! Senders: what is acknowledged, each event with an id of its own, some of it late, some of it sent again.

use crate::durable::{Durable, Message};
use std::collections::BTreeMap;
use weir_event::model::{Control, ControlKind, DeleteSite, DeleteVisitor, Event, EventBatch};

const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 24 * HOUR_MS;

/// What was acknowledged.
#[derive(Default)]
pub(crate) struct Senders {
    /// Event time by id.
    pub(crate) acknowledged: BTreeMap<u128, Sent>,
    number: u64,
}

/// An event as it was first sent.
#[derive(Clone)]
pub(crate) struct Sent {
    pub(crate) event: Event,
    pub(crate) first_ms: u64,
}

/// Somebody asks for a site or a visitor to be forgotten.
fn deletion(durable: &mut Durable, number: u64) -> Control {
    let site_id = durable.rng.u32(1..4);
    let visitor_id = (durable.now_ms / DAY_MS - durable.rng.u64(..2)) * 100 + durable.rng.u64(1..5);
    let kind = if durable.rng.bool() {
        ControlKind::DeleteSite(DeleteSite { site_id })
    } else {
        ControlKind::DeleteVisitor(DeleteVisitor { site_id, visitor_id })
    };
    durable.tell(|| format!("deletion {kind:?}"));
    Control { id: number.to_be_bytes().repeat(2), requested_ms: durable.now_ms, kind: Some(kind) }
}

impl Senders {
    /// Lets time pass and publishes a batch.
    pub(crate) fn act(&mut self, durable: &mut Durable) -> Message {
        // Mostly minutes, sometimes hours: midnights, hours and days come up.
        let minutes = if durable.rng.u32(..12) == 0 { durable.rng.u64(60..900) } else { durable.rng.u64(..30) };
        durable.now_ms += minutes * 60_000 + durable.rng.u64(..60_000);
        let is_again = durable.rng.u32(..20) == 0 && !durable.log.is_empty();
        let batch = if is_again {
            // The acknowledgement was lost: the same bytes once more.
            let index = durable.rng.usize(..durable.log.len());
            durable.log[index].batch.clone()
        } else {
            self.number += 1;
            let events = (0..durable.rng.u32(..5)).map(|_| self.event(durable)).collect();
            let is_asked = durable.rng.u32(..25) == 0;
            let controls = is_asked.then(|| deletion(durable, self.number)).into_iter().collect();
            EventBatch {
                controls,
                producer: vec![7; 16],
                number: self.number,
                batcher: "local/0/0".to_owned(),
                events,
                ..EventBatch::default()
            }
        };
        let message = Message { seq: durable.last_seq() + 1, stream_ms: durable.now_ms, batch };
        durable.log.push(message.clone());
        message
    }

    fn event(&mut self, durable: &mut Durable) -> Event {
        let now_ms = durable.now_ms;
        if durable.rng.u32(..6) == 0
            && let Some(event) = self.retried(durable)
        {
            return event;
        }
        let age_ms = match durable.rng.u32(..8) {
            0 => durable.rng.u64(..23 * HOUR_MS),
            1 => durable.rng.u64(..HOUR_MS),
            _ => durable.rng.u64(..30_000),
        };
        let (event_ms, person) = (now_ms - age_ms, durable.rng.u64(1..5));
        let day = event_ms / DAY_MS;
        let id = self.acknowledged.len() as u64 + 1;
        let event = Event {
            id_low: id,
            event_ms,
            received_ms: now_ms,
            site_id: durable.rng.u32(1..4),
            visitor_id: day * 100 + person,
            previous_visitor_id: (day - 1) * 100 + person,
            name: "pageview".to_owned(),
            hostname: "shop.example".to_owned(),
            pathname: format!("/{}", durable.rng.u32(..3)),
            referrer: "https://ref.example/".to_owned(),
            ..Event::default()
        };
        self.acknowledged.insert(u128::from(id), Sent { event: event.clone(), first_ms: now_ms });
        event
    }

    /// An event that was sent before, as a client sends it whose answer was lost.
    fn retried(&self, durable: &mut Durable) -> Option<Event> {
        let now_ms = durable.now_ms;
        let young: Vec<&Sent> = self.acknowledged.values().filter(|sent| now_ms - sent.event.event_ms < DAY_MS).collect();
        let sent = *durable.rng.choice(&young)?;
        // Clocks and ways differ by some minutes.
        let event_ms = sent.event.event_ms - durable.rng.u64(..600_000);
        Some(Event { retry: now_ms > sent.first_ms, event_ms, received_ms: now_ms, ..sent.event.clone() })
    }
}
