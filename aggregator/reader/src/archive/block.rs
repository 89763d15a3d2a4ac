//! A block: the messages of a stretch of the stream, by column.
//!
//! Columns of messages, from number 0x1800: what a message has (bit 0: its batch is taken apart, bit 1: its id is that of the batch's producer and
//! number, bit 2: its schema is [`SCHEMA_VERSION`]), its JetStream time (difference from the one before), then, where it has them, schema, length and bytes of
//! its id, length and bytes of a payload that is kept whole.

use super::columns::{self, Columns, Reading};
use super::shred::{Joiner, Shredder, is_canonical};
use super::wire::{unzigzag, zigzag};
use super::{ArchiveError, BLOCK_BYTES_MAX, MESSAGES_MAX, take_number};
use crate::stream::Delivered;
use bytes::Bytes;
use weir_event::model::SCHEMA_VERSION;
use weir_event::subject;

const FORM: u16 = 3 << 11;
const STREAM_MS: u16 = FORM + 1;
const SCHEMA: u16 = FORM + 2;
const ID_LENGTH: u16 = FORM + 3;
const ID: u16 = FORM + 4;
const WHOLE_LENGTH: u16 = FORM + 5;
const WHOLE: u16 = FORM + 6;

const TAKEN_APART: u64 = 1;
const USUAL_ID: u64 = 2;
const USUAL_SCHEMA: u64 = 4;
/// Size of a block's header.
const HEADER_BYTES: usize = 17;

/// What stands at the front of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockHeader {
    /// First sequence.
    pub first_seq: u64,
    /// Messages.
    pub messages: u32,
    /// Events in batches that are taken apart.
    pub events: u32,
    /// Level of compression.
    pub level: u8,
}

impl BlockHeader {
    /// Last sequence.
    pub fn last_seq(&self) -> u64 {
        self.first_seq.saturating_add(u64::from(self.messages)).saturating_sub(1)
    }
}

/// A block of an object, not yet decompressed.
#[derive(Clone, Debug)]
pub struct BlockRef {
    /// What stands at its front.
    pub header: BlockHeader,
    bytes: Bytes,
}

/// Messages as a block. It is read back before it is trusted: it may become the only copy.
pub(super) fn write(messages: &[Delivered], level: u8) -> Result<BlockRef, ArchiveError> {
    let block = BlockRef::new(write_columns(messages, level)?.into())?;
    let read = block.messages()?;
    let differs = read.iter().zip(messages).find(|(read, written)| read != written);
    match differs.map(|(_, written)| written.seq).or_else(|| Some(messages.get(read.len())?.seq)) {
        Some(seq) => Err(ArchiveError::NotTheSame { seq }),
        None => Ok(block),
    }
}

fn write_columns(messages: &[Delivered], level: u8) -> Result<Vec<u8>, ArchiveError> {
    let first_seq = messages.first().map_or(1, |message| message.seq);
    let mut columns = Columns::new();
    let mut shredder = Shredder::new();
    let mut before_ms = 0;
    for (wanted, message) in (first_seq..).zip(messages) {
        if message.seq != wanted {
            return Err(ArchiveError::Order { wanted, found: message.seq });
        }
        columns.varint(STREAM_MS, zigzag(message.stream_ms.wrapping_sub(before_ms)))?;
        before_ms = message.stream_ms;
        write_message(message, &mut shredder, &mut columns)?;
    }
    let mut out = Vec::with_capacity(1024);
    out.extend(first_seq.to_le_bytes());
    out.extend((messages.len() as u32).to_le_bytes());
    out.extend(shredder.events.to_le_bytes());
    out.push(level);
    columns.store(i32::from(level), &mut out)?;
    Ok(out)
}

fn write_message(message: &Delivered, shredder: &mut Shredder, columns: &mut Columns) -> Result<(), ArchiveError> {
    let mut form = 0;
    let payload = &message.payload;
    if message.schema == SCHEMA_VERSION && is_canonical(payload) {
        form |= TAKEN_APART;
        shredder.shred(message.stream_ms, payload, columns)?;
        let (producer, number) = shredder.producer();
        if message.message_id == subject::message_id(producer, number) {
            form |= USUAL_ID;
        }
    } else {
        columns.varint(WHOLE_LENGTH, payload.len() as u64)?;
        columns.bytes(WHOLE, payload)?;
    }
    if form & USUAL_ID == 0 {
        columns.varint(ID_LENGTH, message.message_id.len() as u64)?;
        columns.bytes(ID, message.message_id.as_bytes())?;
    }
    if message.schema == SCHEMA_VERSION {
        form |= USUAL_SCHEMA;
    } else {
        columns.varint(SCHEMA, u64::from(message.schema))?;
    }
    columns.varint(FORM, form)
}

impl BlockRef {
    pub(super) fn new(bytes: Bytes) -> Result<Self, ArchiveError> {
        let mut front = bytes.as_ref();
        let first_seq = take_number::<8>(&mut front)?;
        let messages = take_number::<4>(&mut front)? as u32;
        let events = take_number::<4>(&mut front)? as u32;
        let level = take_number::<1>(&mut front)? as u8;
        // Every message has a sequence, and the last one a successor.
        first_seq.checked_add(u64::from(messages)).ok_or(ArchiveError::Damaged("a sequence"))?;
        Ok(Self { header: BlockHeader { first_seq, messages, events, level }, bytes })
    }

    /// Its bytes as they stand in the object, without their size.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Size of its columns after decompression.
    pub(super) fn raw_bytes(&self) -> Result<usize, ArchiveError> {
        columns::raw_bytes(self.bytes.get(HEADER_BYTES..).unwrap_or_default())
    }

    /// Decompresses it. Works hard: call it on a blocking thread.
    ///
    /// # Errors
    /// When its bytes do not fit together.
    pub fn messages(&self) -> Result<Vec<Delivered>, ArchiveError> {
        if self.header.messages > MESSAGES_MAX {
            return Err(ArchiveError::Damaged("the number of messages"));
        }
        let mut columns = Reading::load(self.bytes.get(HEADER_BYTES..).unwrap_or_default())?;
        let mut joiner = Joiner::new(BLOCK_BYTES_MAX);
        let mut messages = Vec::new();
        let mut stream_ms = 0_u64;
        for index in 0..u64::from(self.header.messages) {
            stream_ms = stream_ms.wrapping_add(unzigzag(columns.varint(STREAM_MS)?));
            let seq = self.header.first_seq.checked_add(index).ok_or(ArchiveError::Damaged("a sequence"))?;
            messages.push(read_message(seq, stream_ms, &mut joiner, &mut columns)?);
        }
        if columns.is_read() { Ok(messages) } else { Err(ArchiveError::Damaged("the end of a column")) }
    }
}

fn read_message(seq: u64, stream_ms: u64, joiner: &mut Joiner, columns: &mut Reading) -> Result<Delivered, ArchiveError> {
    let form = columns.varint(FORM)?;
    let payload =
        if form & TAKEN_APART > 0 { joiner.join(stream_ms, columns)? } else { read_bytes(WHOLE_LENGTH, WHOLE, columns)? };
    let message_id = if form & USUAL_ID > 0 {
        let (producer, number) = joiner.producer();
        subject::message_id(producer, number)
    } else {
        String::from_utf8(read_bytes(ID_LENGTH, ID, columns)?).map_err(|_| ArchiveError::Damaged("a message id"))?
    };
    let schema = if form & USUAL_SCHEMA > 0 {
        SCHEMA_VERSION
    } else {
        u32::try_from(columns.varint(SCHEMA)?).map_err(|_| ArchiveError::Damaged("a schema"))?
    };
    Ok(Delivered { seq, stream_ms, message_id, schema, payload: Bytes::from(payload) })
}

fn read_bytes(length: u16, bytes: u16, columns: &mut Reading) -> Result<Vec<u8>, ArchiveError> {
    let count = usize::try_from(columns.varint(length)?).map_err(|_| ArchiveError::Damaged("a length"))?;
    let mut out = Vec::new();
    columns.bytes(bytes, count, &mut out)?;
    Ok(out)
}
