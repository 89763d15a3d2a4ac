//! The state as bytes: what a restart continues from.

use super::State;
use super::dedupe::Ids;
use super::visits::{Visit, Visits, visit_id};
use super::watermark;
use crate::row::{Opening, Position};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use weir_event::Message;

/// Version of the encoded state.
pub const STATE_VERSION: u32 = 1;
/// Largest encoded state that is read: visits are most of it, about 100 bytes each while two hours of stream time have not passed them.
pub const STATE_BYTES_MAX: usize = 1 << 30;

/// Why bytes are no state.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum StateError {
    /// Larger than a state can be.
    #[error("state of {size_bytes} bytes, at most {limit_bytes}")]
    TooLarge {
        /// Size found.
        size_bytes: usize,
        /// [`STATE_BYTES_MAX`].
        limit_bytes: usize,
    },
    /// Not the protobuf message.
    #[error("state is not readable: {0}")]
    Malformed(#[from] prost::DecodeError),
    /// Written by another version of this program.
    #[error("state has version {found}, this program reads version {expected}")]
    Version {
        /// Version found.
        found: u32,
        /// [`STATE_VERSION`].
        expected: u32,
    },
    /// A record contradicts itself.
    #[error("state record {field} is damaged")]
    Damaged {
        /// Which.
        field: &'static str,
    },
}

/// Reads the version alone, before the rest is believed.
#[derive(Clone, PartialEq, prost::Message)]
struct VersionRecord {
    #[prost(uint32, tag = "1")]
    version: u32,
}

#[derive(Clone, PartialEq, prost::Message)]
struct StateRecord {
    #[prost(uint32, tag = "1")]
    version: u32,
    #[prost(uint64, tag = "2")]
    stream_ms: u64,
    #[prost(message, repeated, tag = "3")]
    producers: Vec<ProducerRecord>,
    #[prost(message, repeated, tag = "4")]
    ids: Vec<IdsRecord>,
    /// Every text of the visits once, sorted; visits name them by index.
    #[prost(string, repeated, tag = "5")]
    texts: Vec<String>,
    #[prost(message, repeated, tag = "6")]
    visits: Vec<VisitRecord>,
    #[prost(message, repeated, tag = "7")]
    batchers: Vec<BatcherRecord>,
    /// Ids last seen before this minute are not known.
    #[prost(uint64, tag = "8")]
    ids_first_minute: u64,
}

#[derive(Clone, PartialEq, prost::Message)]
struct ProducerRecord {
    #[prost(fixed64, tag = "1")]
    high: u64,
    #[prost(fixed64, tag = "2")]
    low: u64,
    #[prost(uint64, tag = "3")]
    number: u64,
    #[prost(uint64, tag = "4")]
    seen_ms: u64,
}

/// The ids last seen in one minute of stream time, as pairs of halves, sorted.
#[derive(Clone, PartialEq, prost::Message)]
struct IdsRecord {
    #[prost(uint64, tag = "1")]
    minute: u64,
    #[prost(fixed64, repeated, tag = "2")]
    halves: Vec<u64>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct VisitRecord {
    #[prost(uint32, tag = "1")]
    site_id: u32,
    #[prost(fixed64, tag = "2")]
    visitor_id: u64,
    #[prost(uint64, tag = "3")]
    seq: u64,
    #[prost(uint32, tag = "4")]
    idx: u32,
    #[prost(sint64, tag = "5")]
    first_ms: i64,
    #[prost(sint64, tag = "6")]
    last_ms: i64,
    #[prost(uint64, tag = "7")]
    touched_ms: u64,
    #[prost(uint32, tag = "8")]
    bot: u32,
    /// Indexes of the opening's texts in the order of [`texts_of`].
    #[prost(uint32, repeated, tag = "9")]
    texts: Vec<u32>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct BatcherRecord {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(uint64, tag = "2")]
    oldest_unsent_ms: u64,
    #[prost(uint64, tag = "3")]
    stream_ms: u64,
}

impl State {
    /// The state as bytes. Equal states give equal bytes; what no later lookup can find is left out.
    pub fn encode(&self) -> Vec<u8> {
        let now = self.stream_ms;
        let visits = self.visits.entries(now);
        let distinct: HashSet<&str> = visits.iter().flat_map(|(_, _, visit)| texts_of(&visit.opening)).collect();
        let mut texts: Vec<&str> = distinct.into_iter().collect();
        texts.sort_unstable();
        let index: HashMap<&str, u32> = texts.iter().copied().zip(0..).collect();
        let record = StateRecord {
            version: STATE_VERSION,
            stream_ms: now,
            producers: self.producers.entries(now).into_iter().map(ProducerRecord::from).collect(),
            ids: group_ids(&self.ids.entries()),
            visits: visits
                .iter()
                .map(|(site_id, visitor_id, visit)| visit_record(*site_id, *visitor_id, visit, &index))
                .collect(),
            texts: texts.into_iter().map(str::to_owned).collect(),
            batchers: self.batchers.entries(now).map(BatcherRecord::from).collect(),
            ids_first_minute: self.ids.first_minute(),
        };
        record.encode_to_vec()
    }

    /// Reads what [`State::encode`] wrote.
    ///
    /// # Errors
    /// When the bytes are too large, of another version, or no state.
    pub fn decode(bytes: &[u8]) -> Result<Self, StateError> {
        if bytes.len() > STATE_BYTES_MAX {
            return Err(StateError::TooLarge { size_bytes: bytes.len(), limit_bytes: STATE_BYTES_MAX });
        }
        let version = VersionRecord::decode(bytes)?.version;
        if version != STATE_VERSION {
            return Err(StateError::Version { found: version, expected: STATE_VERSION });
        }
        let record = StateRecord::decode(bytes)?;
        let ids = Ids::at(record.stream_ms, record.ids_first_minute);
        let mut state = Self { stream_ms: record.stream_ms, purged_ms: record.stream_ms, ids, ..Self::default() };
        for producer in record.producers {
            let id = (u128::from(producer.high) << 64) | u128::from(producer.low);
            state.producers.restore(id, producer.number, producer.seen_ms);
        }
        for ids in record.ids {
            let (pairs, rest) = ids.halves.as_chunks::<2>();
            if !rest.is_empty() {
                return Err(StateError::Damaged { field: "ids" });
            }
            for id in pairs {
                state.ids.restore(ids.minute, *id);
            }
        }
        for visit in record.visits {
            restore_visit(&mut state.visits, &visit, &record.texts)?;
        }
        for batcher in record.batchers {
            let held = watermark::Held { oldest_unsent_ms: batcher.oldest_unsent_ms, stream_ms: batcher.stream_ms };
            state.batchers.restore(batcher.name, held);
        }
        Ok(state)
    }
}

impl From<(u128, u64, u64)> for ProducerRecord {
    fn from((id, number, seen_ms): (u128, u64, u64)) -> Self {
        Self { high: (id >> 64) as u64, low: id as u64, number, seen_ms }
    }
}

impl From<(&String, watermark::Held)> for BatcherRecord {
    fn from((name, held): (&String, watermark::Held)) -> Self {
        Self { name: name.clone(), oldest_unsent_ms: held.oldest_unsent_ms, stream_ms: held.stream_ms }
    }
}

/// Sorted (minute, id) pairs, one record a minute.
fn group_ids(entries: &[(u64, [u64; 2])]) -> Vec<IdsRecord> {
    let same_minute = |a: &(u64, _), b: &(u64, _)| a.0 == b.0;
    let group = |group: &[(u64, [u64; 2])]| IdsRecord {
        minute: group.first().map_or(0, |(minute, _)| *minute),
        halves: group.iter().flat_map(|(_, id)| *id).collect(),
    };
    entries.chunk_by(same_minute).map(group).collect()
}

fn visit_record(site_id: u32, visitor_id: u64, visit: &Visit, index: &HashMap<&str, u32>) -> VisitRecord {
    VisitRecord {
        site_id,
        visitor_id,
        seq: visit.opened.seq,
        idx: visit.opened.idx,
        first_ms: visit.first_ms,
        last_ms: visit.last_ms,
        touched_ms: visit.touched_ms,
        bot: u32::from(visit.opening.bot),
        texts: texts_of(&visit.opening).iter().map(|text| index.get(text).copied().unwrap_or_default()).collect(),
    }
}

fn restore_visit(visits: &mut Visits, record: &VisitRecord, texts: &[String]) -> Result<(), StateError> {
    let damaged = StateError::Damaged { field: "visits" };
    let mut names = record.texts.iter().map(|index| texts.get(*index as usize).cloned());
    let mut next = || names.next().flatten().ok_or(StateError::Damaged { field: "texts" });
    let opening = Opening {
        visitor_id: record.visitor_id,
        bot: u8::try_from(record.bot).map_err(|_| damaged)?,
        source: next()?,
        referrer: next()?,
        channel: next()?,
        utm_source: next()?,
        utm_medium: next()?,
        utm_campaign: next()?,
        utm_content: next()?,
        utm_term: next()?,
        country: next()?,
        region: next()?,
        city: next()?,
        device: next()?,
        browser: next()?,
        browser_version: next()?,
        os: next()?,
        os_version: next()?,
    };
    let opened = Position { seq: record.seq, idx: record.idx };
    let visit = Visit {
        opened,
        id: visit_id(record.site_id, record.visitor_id, opened),
        first_ms: record.first_ms,
        last_ms: record.last_ms,
        touched_ms: record.touched_ms,
        opening: Arc::new(opening),
    };
    visits.restore(record.site_id, record.visitor_id, visit);
    Ok(())
}

/// The opening's texts in the order that [`restore_visit`] reads.
fn texts_of(opening: &Opening) -> [&str; 16] {
    [
        &opening.source,
        &opening.referrer,
        &opening.channel,
        &opening.utm_source,
        &opening.utm_medium,
        &opening.utm_campaign,
        &opening.utm_content,
        &opening.utm_term,
        &opening.country,
        &opening.region,
        &opening.city,
        &opening.device,
        &opening.browser,
        &opening.browser_version,
        &opening.os,
        &opening.os_version,
    ]
}
