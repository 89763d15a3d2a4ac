//! Objects made of messages or of other objects, and where they are kept.

use super::block::{self, BlockRef};
use super::{ARCHIVE_VERSION, ArchiveError, BLOCK_BYTES, LEVEL_MERGED, MAGIC, MESSAGE_BYTES, blocks};
use crate::error::ReaderError;
use crate::store::Store;
use crate::stream::Delivered;
use bytes::Bytes;
use weir_rollup::manifest::{ArchiveObject, ObjectRef};

/// Largest object that is read: twice what merges make, for what one flush may write.
pub const OBJECT_BYTES_MAX: u64 = 256_000_000;

/// An object not yet put anywhere.
#[derive(Clone, Debug)]
pub struct Encoded {
    /// Its bytes.
    pub bytes: Bytes,
    /// First and last sequence, both included.
    pub first_seq: u64,
    /// See `first_seq`.
    pub last_seq: u64,
    /// JetStream time of the first and the last message, Unix milliseconds.
    pub first_stream_ms: u64,
    /// See `first_stream_ms`.
    pub last_stream_ms: u64,
    /// Events in its batches.
    pub events: u64,
}

/// Folder of a partition's archive.
pub fn folder(region: &str, partition: u32) -> String {
    format!("archive/{region}-{partition}")
}

/// Name of a new object.
pub fn name(region: &str, partition: u32, first_seq: u64, last_seq: u64, id: &str) -> String {
    format!("{}/{first_seq}-{last_seq}-{id}.batches", folder(region, partition))
}

/// Messages as an object. Works hard: call it on a blocking thread.
///
/// # Errors
/// When there is no message, or they are not in the order of their sequences without a gap.
pub fn encode(messages: &[Delivered], level: u8) -> Result<Encoded, ArchiveError> {
    let mut blocks = Vec::new();
    push_messages(messages, level, &mut blocks)?;
    let none = ArchiveError::Damaged("its first message: there is none");
    let (Some(first), Some(last)) = (messages.first(), messages.last()) else { return Err(none) };
    assemble(&blocks, first.stream_ms, last.stream_ms)
}

/// Objects that follow each other as one, compressed better. Works hard: call it on a blocking thread.
///
/// # Errors
/// When one cannot be read, or they do not follow each other.
pub fn merge(inputs: Vec<(ArchiveObject, Bytes)>) -> Result<Encoded, ArchiveError> {
    let first_stream_ms = inputs.first().map_or(0, |(object, _)| object.first_stream_ms);
    let last_stream_ms = inputs.last().map_or(0, |(object, _)| object.last_stream_ms);
    let (mut merged, mut pending, mut pending_bytes) = (Vec::new(), Vec::new(), 0);
    for (_, input) in inputs {
        for block in blocks(&input)? {
            let is_finished = block.header.level >= LEVEL_MERGED && block.raw_bytes()? > BLOCK_BYTES / 2;
            if is_finished {
                push_messages(&std::mem::take(&mut pending), LEVEL_MERGED, &mut merged)?;
                pending_bytes = 0;
                // Of the larger object only this stretch stays in memory.
                merged.push(block);
                continue;
            }
            for message in block.messages()? {
                pending_bytes += message_bytes(&message);
                pending.push(message);
                if pending_bytes >= BLOCK_BYTES {
                    push_messages(&std::mem::take(&mut pending), LEVEL_MERGED, &mut merged)?;
                    pending_bytes = 0;
                }
            }
        }
    }
    push_messages(&pending, LEVEL_MERGED, &mut merged)?;
    assemble(&merged, first_stream_ms, last_stream_ms)
}

/// The object with other payloads in the place of some; `None` = `change` gave none. Sequences, times and ids stay. Works hard: call it on a blocking
/// thread.
///
/// # Errors
/// When it cannot be read.
pub fn rewrite(
    object: &ArchiveObject,
    bytes: &Bytes,
    mut change: impl FnMut(&Delivered) -> Option<Bytes>,
) -> Result<Option<Encoded>, ArchiveError> {
    let (mut rewritten, mut is_changed) = (Vec::new(), false);
    for block in blocks(bytes)? {
        let (mut messages, mut is_touched) = (block.messages()?, false);
        for message in &mut messages {
            if let Some(payload) = change(message) {
                message.payload = payload;
                is_touched = true;
            }
        }
        is_changed |= is_touched;
        rewritten.push(if is_touched { block::write(&messages, block.header.level)? } else { block });
    }
    if !is_changed {
        return Ok(None);
    }
    assemble(&rewritten, object.first_stream_ms, object.last_stream_ms).map(Some)
}

fn message_bytes(message: &Delivered) -> usize {
    message.payload.len() + message.message_id.len() + MESSAGE_BYTES
}

/// Adds messages as blocks of no more than [`BLOCK_BYTES`] and a message.
fn push_messages(messages: &[Delivered], level: u8, blocks: &mut Vec<BlockRef>) -> Result<(), ArchiveError> {
    let mut rest = messages;
    while !rest.is_empty() {
        let mut bytes = 0;
        let fits = |message: &&Delivered| {
            let is_full = bytes >= BLOCK_BYTES;
            bytes += message_bytes(message);
            !is_full
        };
        let count = rest.iter().take_while(fits).count();
        let (block, after) = rest.split_at_checked(count).unwrap_or((rest, &[]));
        blocks.push(block::write(block, level)?);
        rest = after;
    }
    Ok(())
}

fn assemble(blocks: &[BlockRef], first_stream_ms: u64, last_stream_ms: u64) -> Result<Encoded, ArchiveError> {
    let first_seq = blocks.first().map_or(0, |block| block.header.first_seq);
    let mut bytes = Vec::with_capacity(64 + blocks.iter().map(|block| block.bytes().len() + 4).sum::<usize>());
    bytes.extend(MAGIC);
    bytes.extend(ARCHIVE_VERSION.to_le_bytes());
    let (mut next_seq, mut events) = (first_seq, 0);
    for block in blocks {
        if block.header.first_seq != next_seq {
            return Err(ArchiveError::Order { wanted: next_seq, found: block.header.first_seq });
        }
        next_seq = block.header.last_seq() + 1;
        events += u64::from(block.header.events);
        bytes.extend((block.bytes().len() as u32).to_le_bytes());
        bytes.extend(block.bytes());
    }
    Ok(Encoded { bytes: bytes.into(), first_seq, last_seq: next_seq.saturating_sub(1), first_stream_ms, last_stream_ms, events })
}

/// Writes an object durably; what a manifest says of it.
pub async fn put(store: &Store, region: &str, partition: u32, encoded: Encoded) -> Result<ArchiveObject, ReaderError> {
    let Encoded { bytes, first_seq, last_seq, first_stream_ms, last_stream_ms, events } = encoded;
    let name = name(region, partition, first_seq, last_seq, &uuid::Uuid::new_v4().simple().to_string());
    let size = bytes.len() as u64;
    let ObjectRef { name, checksum } = store.put(&name, bytes).await?;
    Ok(ArchiveObject { name, checksum, bytes: size, first_seq, last_seq, first_stream_ms, last_stream_ms, events })
}

/// Reads an object and checks that it is the one that was committed.
pub async fn load(store: &Store, object: &ArchiveObject) -> Result<Bytes, ReaderError> {
    let reference = ObjectRef { name: object.name.clone(), checksum: object.checksum.clone() };
    store.get_checked(&reference, OBJECT_BYTES_MAX).await
}
