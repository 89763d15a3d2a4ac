//! Events to batches: the same file gives the same batches, with the same numbers and the same bytes, in every attempt.

use crate::publish::Batch;
use sha2::{Digest as _, Sha256};
use weir_event::Message as _;
use weir_event::codec;
use weir_event::model::{Event, EventBatch};
use weir_event::site::Site;

/// Most events of a batch.
const EVENTS_MAX: usize = 2_000;
/// Encoded size of its events that a batch does not exceed, bytes. One event has less than 200 KB by the limits of its fields.
const BYTES_MAX: usize = 512_000;
const _: () = assert!(BYTES_MAX + 200_000 < codec::BATCH_BYTES_MAX);

/// Collects events.
pub(super) struct Batches {
    producer: Vec<u8>,
    batcher: String,
    formed_ms: u64,
    number: u64,
    events: Vec<Event>,
    bytes: usize,
}

impl Batches {
    /// The producer is named by site and file, so that every attempt is the same producer.
    pub(super) fn new(site: &Site, digest: &[u8; 32], formed_ms: u64) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(b"weir import");
        hasher.update(site.id.to_be_bytes());
        hasher.update(digest);
        let producer = hasher.finalize().iter().take(16).copied().collect();
        Self { producer, batcher: format!("import/{}", hex::encode(digest)), formed_ms, number: 0, events: Vec::new(), bytes: 0 }
    }

    /// Takes an event in; gives the batch before it if there is no more room.
    pub(super) fn push(&mut self, event: Event) -> Option<Batch> {
        // A newer table of countries must not move the cuts of an import that goes on.
        let size = event.encoded_len() - event.country.len() + 16;
        let is_full = self.events.len() >= EVENTS_MAX || (self.bytes + size > BYTES_MAX && !self.events.is_empty());
        let full = if is_full { self.finish() } else { None };
        self.bytes += size;
        self.events.push(event);
        full
    }

    /// Gives what is left.
    pub(super) fn finish(&mut self) -> Option<Batch> {
        if self.events.is_empty() {
            return None;
        }
        self.number += 1;
        self.bytes = 0;
        let batch = EventBatch {
            producer: self.producer.clone(),
            number: self.number,
            formed_ms: self.formed_ms,
            oldest_unsent_ms: 0,
            batcher: self.batcher.clone(),
            events: std::mem::take(&mut self.events),
            controls: Vec::new(),
            refused: Vec::new(),
            tombstones: Vec::new(),
        };
        Some(Batch::new(&batch))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use weir_event::model::SCHEMA_VERSION;
    use weir_event::site::Settings;

    fn batches(site_id: u32, digest: u8, events: &[Event]) -> Vec<Batch> {
        let site = Site {
            id: site_id,
            domain: "shop.example".into(),
            timezone: "UTC".into(),
            partition: 0,
            created_ms: 0,
            account: None,
            former_domain: None,
            renamed_ms: 0,
            settings: Settings::default(),
        };
        let mut batches = Batches::new(&site, &[digest; 32], 5);
        let mut all: Vec<Batch> = events.iter().filter_map(|event| batches.push(event.clone())).collect();
        all.extend(batches.finish());
        all
    }

    fn events(sizes: &[usize]) -> Vec<Event> {
        let event =
            |(index, size): (usize, &usize)| Event { event_ms: index as u64, pathname: "x".repeat(*size), ..Event::default() };
        sizes.iter().enumerate().map(event).collect()
    }

    #[test]
    fn another_file_or_site_is_another_producer() {
        let events = events(&[1]);
        let id = |site, digest| batches(site, digest, &events)[0].message_id.clone();
        assert_eq!(id(1, 1), id(1, 1));
        assert_ne!(id(1, 1), id(2, 1));
        assert_ne!(id(1, 1), id(1, 2));
    }

    #[test]
    fn many_small_events_are_cut_by_number() {
        let all = batches(1, 1, &events(&[1; EVENTS_MAX + 1]));
        assert_eq!(all.iter().map(|batch| batch.number).collect::<Vec<_>>(), [1, 2]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn nothing_is_lost_and_every_attempt_is_the_same(sizes in proptest::collection::vec(0_usize..190_000, 0..40)) {
            let events = events(&sizes);
            let all = batches(1, 1, &events);
            prop_assert_eq!(&all, &batches(1, 1, &events));
            let mut found = Vec::new();
            for (index, batch) in all.iter().enumerate() {
                prop_assert_eq!(batch.number, index as u64 + 1);
                let decoded = codec::decode(SCHEMA_VERSION, &batch.payload).unwrap();
                prop_assert_eq!(decoded.number, batch.number);
                found.extend(decoded.events);
            }
            prop_assert_eq!(found, events);
        }
    }
}
