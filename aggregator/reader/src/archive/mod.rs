//! The archive's format: raw batches as received, a stretch of the stream in one object.
//!
//! An object is `WEIRARCH`, its version, and blocks to its end; all numbers little-endian. A block: its size (u32, of what follows), first sequence
//! (u64), number of messages (u32), number of events (u32), level of compression (u8), then its columns: how many (u16), for each its number (u16), size (u32) and stored size
//! (u32; smaller than the size: Zstandard), then their bytes in that order. A block is read without any other. Messages are in the order of their
//! sequences, without a gap. Which columns there are is said in `block.rs` and `shred.rs`.

mod block;
mod columns;
mod objects;
mod shred;
mod wire;

#[cfg(test)]
mod tests;

pub use block::{BlockHeader, BlockRef};
pub use objects::{Encoded, OBJECT_BYTES_MAX, encode, folder, load, merge, name, put, rewrite};

use crate::stream::Delivered;
use bytes::Bytes;
use wire::NotCanonical;

/// Version of the format.
pub const ARCHIVE_VERSION: u32 = 1;
/// Raw bytes after which a block ends: long enough that visitors and pages come again in it.
pub const BLOCK_BYTES: usize = 16_000_000;
/// What a message costs beside its payload and id.
const MESSAGE_BYTES: usize = 32;
/// Most messages of a block: what [`BLOCK_BYTES`] leaves room for when they are empty, and one more. A small block of zeros must not become gigabytes.
const MESSAGES_MAX: u32 = (BLOCK_BYTES / MESSAGE_BYTES) as u32 + 1;
/// Largest block after decompression: one more message than [`BLOCK_BYTES`], and what is not in the messages themselves.
const BLOCK_BYTES_MAX: usize = 64_000_000;
/// Level of compression of what a flush writes: fast.
pub const LEVEL_FLUSH: u8 = 1;
/// Level of compression of what was merged.
pub const LEVEL_MERGED: u8 = 9;

const MAGIC: &[u8] = b"WEIRARCH";

/// Why an object of the archive cannot be read or made.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// It is no such object, or of another version.
    #[error("not an archive of version {ARCHIVE_VERSION}: a newer program may have written it, install that one")]
    Version,
    /// Its bytes do not fit together.
    #[error("damaged at {0}: fetch the object from a backup")]
    Damaged(&'static str),
    /// Zstandard refuses.
    #[error("a column cannot be compressed or decompressed: {0}")]
    Compression(std::io::Error),
    /// Messages to be written are not in order without a gap: a fault in this program.
    #[error("message {found} follows where {wanted} should: a fault in this program")]
    Order {
        /// Sequence that should come.
        wanted: u64,
        /// Sequence that came.
        found: u64,
    },
    /// What was written does not read back: a fault in this program.
    #[error("message {seq} does not read back as it was written: a fault in this program, the archive stays as it was")]
    NotTheSame {
        /// Its sequence.
        seq: u64,
    },
}

impl From<NotCanonical> for ArchiveError {
    fn from(_: NotCanonical) -> Self {
        Self::Damaged("a field")
    }
}

/// The blocks of an object in order, none of them decompressed.
///
/// # Errors
/// When the bytes are no archive of this version, or end within a block.
pub fn blocks(object: &Bytes) -> Result<Vec<BlockRef>, ArchiveError> {
    let mut rest = object.as_ref();
    if wire::take(&mut rest, MAGIC.len()) != Ok(MAGIC) || take_number::<4>(&mut rest).ok() != Some(u64::from(ARCHIVE_VERSION)) {
        return Err(ArchiveError::Version);
    }
    let mut blocks = Vec::new();
    while !rest.is_empty() {
        let size = take_number::<4>(&mut rest)? as usize;
        let block = wire::take(&mut rest, size).map_err(|_| ArchiveError::Damaged("the size of a block"))?;
        blocks.push(BlockRef::new(object.slice_ref(block))?);
    }
    Ok(blocks)
}

/// All messages of an object. For one that may be large, take its [`blocks`] one by one.
///
/// # Errors
/// When it cannot be read.
pub fn decode(object: &Bytes) -> Result<Vec<Delivered>, ArchiveError> {
    let mut messages = Vec::new();
    for block in blocks(object)? {
        messages.extend(block.messages()?);
    }
    Ok(messages)
}

/// Takes a number of so many bytes off the front.
fn take_number<const BYTES: usize>(bytes: &mut &[u8]) -> Result<u64, ArchiveError> {
    let front = wire::take(bytes, BYTES).map_err(|_| ArchiveError::Damaged("a header"))?;
    Ok(front.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}
