//! Batches to bytes: the payload of a message on a partition's stream.

use std::ops::Range;

use prost::Message;
use prost::bytes::Buf;
use prost::encoding::{self, DecodeContext, WireType, decode_key, skip_field};

use crate::model::{Event, EventBatch, Refused, SCHEMA_VERSION};

/// Largest payload of one message, bytes. NATS takes 1 MiB at most, headers included.
pub const BATCH_BYTES_MAX: usize = 900_000;
/// Most events of one batch. A real event takes more than 30 bytes, so no batch of [`BATCH_BYTES_MAX`] comes near it; the limit keeps a
/// forged payload of two-byte events from taking 250 times its size in memory.
pub const BATCH_EVENTS_MAX: usize = 30_000;

/// Field number of `EventBatch.events`.
const EVENTS_TAG: u32 = 6;
/// Field number of `EventBatch.controls`.
const CONTROLS_TAG: u32 = 7;
/// Field number of `EventBatch.refused`.
const REFUSED_TAG: u32 = 8;
/// Field number of `EventBatch.tombstones`.
const TOMBSTONES_TAG: u32 = 9;

/// Why a payload is no batch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The header names a version that this program does not know.
    #[error("schema version {version} is unknown, this program reads {SCHEMA_VERSION}")]
    UnknownSchema {
        /// The version that the message named.
        version: u32,
    },
    /// The payload is larger than any sender may make it.
    #[error("batch has {size_bytes} bytes, the limit is {BATCH_BYTES_MAX}")]
    TooLarge {
        /// Size of the payload.
        size_bytes: usize,
    },
    /// The payload holds more records than any sender may put in.
    #[error("batch has more than {BATCH_EVENTS_MAX} records")]
    TooManyEvents,
    /// The bytes are not the protobuf message `EventBatch`.
    #[error("batch is not a protobuf EventBatch: {reason}")]
    Malformed {
        /// What the protobuf decoder said.
        reason: String,
    },
}

/// The batch as protobuf. The same batch always gives the same bytes.
pub fn encode(batch: &EventBatch) -> Vec<u8> {
    batch.encode_to_vec()
}

/// Reads a payload of the given schema version. Never panics, whatever the bytes are, and takes memory in proportion to them.
pub fn decode(schema: u32, bytes: &[u8]) -> Result<EventBatch, DecodeError> {
    if schema != SCHEMA_VERSION {
        return Err(DecodeError::UnknownSchema { version: schema });
    }
    if bytes.len() > BATCH_BYTES_MAX {
        return Err(DecodeError::TooLarge { size_bytes: bytes.len() });
    }
    if records(bytes).map_err(malformed)? > BATCH_EVENTS_MAX {
        return Err(DecodeError::TooManyEvents);
    }
    EventBatch::decode(bytes).map_err(malformed)
}

/// Appends one event in the form it has inside a batch. A batch without events, followed by events in this form, is that batch with
/// these events: so a batcher puts events together without decoding them.
pub fn append_event(event: &Event, out: &mut Vec<u8>) {
    encoding::message::encode(EVENTS_TAG, event, out);
}

/// The same for a count of refused events.
pub fn append_refused(refused: &Refused, out: &mut Vec<u8>) {
    encoding::message::encode(REFUSED_TAG, refused, out);
}

/// A stretch of records that [`append_event`] and [`append_refused`] wrote one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Where in the bytes.
    pub range: Range<usize>,
    /// How many events; counts of refused ones are none.
    pub events: u32,
}

/// Cuts what [`append_event`] and [`append_refused`] wrote into runs of at most `run_bytes_max` bytes (a record larger than that is a run
/// by itself).
///
/// # Errors
/// When the bytes are anything else, or a record is too large for any batch.
pub fn split_runs(bytes: &[u8], run_bytes_max: usize) -> Result<Vec<Run>, DecodeError> {
    let mut runs: Vec<Run> = Vec::new();
    let mut rest = bytes;
    while rest.has_remaining() {
        let start = bytes.len() - rest.len();
        let (tag, wire_type) = decode_key(&mut rest).map_err(malformed)?;
        if !matches!(tag, EVENTS_TAG | REFUSED_TAG) || wire_type != WireType::LengthDelimited {
            return Err(DecodeError::Malformed { reason: format!("field {tag} among events") });
        }
        let events = u32::from(tag == EVENTS_TAG);
        skip_field(wire_type, tag, &mut rest, DecodeContext::default()).map_err(malformed)?;
        let end = bytes.len() - rest.len();
        if end - start > BATCH_BYTES_MAX / 2 {
            return Err(DecodeError::TooLarge { size_bytes: end - start });
        }
        match runs.last_mut() {
            Some(run) if end - run.range.start <= run_bytes_max => {
                run.range.end = end;
                run.events += events;
            }
            _ => runs.push(Run { range: start..end, events }),
        }
    }
    Ok(runs)
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
fn malformed(error: prost::DecodeError) -> DecodeError {
    DecodeError::Malformed { reason: error.to_string() }
}

/// Counts the records without decoding them.
fn records(mut bytes: &[u8]) -> Result<usize, prost::DecodeError> {
    let mut records = 0;
    while bytes.has_remaining() {
        let (tag, wire_type) = decode_key(&mut bytes)?;
        if wire_type == WireType::LengthDelimited && matches!(tag, EVENTS_TAG | CONTROLS_TAG | REFUSED_TAG | TOMBSTONES_TAG) {
            records += 1;
        }
        skip_field(wire_type, tag, &mut bytes, DecodeContext::default())?;
    }
    Ok(records)
}

#[cfg(test)]
#[path = "codec_tests.rs"]
mod tests;
