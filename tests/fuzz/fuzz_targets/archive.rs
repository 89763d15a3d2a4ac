//! Objects of the archive: any bytes are messages in order or are refused, within the memory of a block; messages come back as they were put in.
#![no_main]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use weir_event::codec;
use weir_event::model::SCHEMA_VERSION;
use weir_event::subject::message_id;
use weir_reader::archive::{self, Encoded, LEVEL_FLUSH};
use weir_reader::stream::Delivered;
use weir_rollup::manifest::ArchiveObject;

/// Memory that reading one block may take: its columns and its messages, 64 MB each, while they grow twice that, and half a million messages.
const BLOCK_MEMORY_MAX: usize = 400_000_000;
const MESSAGES_MAX: usize = 64;

/// Counts what is allocated, and how much it was at most.
struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = NOW.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        MOST.fetch_max(now, Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Ordering::Relaxed);
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fuzz_target!(|data: &[u8]| {
    // The first byte says what the rest is: an object, or messages to make one of.
    let Some((first, rest)) = data.split_first() else { return };
    if first % 2 == 0 { read(&Bytes::copy_from_slice(rest)) } else { write(rest) }
});

fn read(object: &Bytes) {
    let Ok(blocks) = archive::blocks(object) else { return };
    for block in blocks {
        let before = NOW.load(Ordering::Relaxed);
        MOST.store(before, Ordering::Relaxed);
        let messages = block.messages();
        let taken = MOST.load(Ordering::Relaxed) - before;
        assert!(taken < BLOCK_MEMORY_MAX, "{taken} bytes");
        let Ok(messages) = messages else { continue };
        assert_eq!(messages.len(), block.header.messages as usize);
        assert!(messages.iter().zip(block.header.first_seq..).all(|(message, seq)| message.seq == seq));
        let (Some(last), true) = (messages.last(), messages.len() <= MESSAGES_MAX) else { continue };
        assert_eq!(last.seq, block.header.last_seq());
        // What is larger than a message of the stream is none that is archived.
        if messages.iter().all(|message| message.payload.len() <= codec::BATCH_BYTES_MAX) {
            let again = archive::encode(&messages, LEVEL_FLUSH).expect("messages in order are an object");
            assert_eq!(archive::decode(&again.bytes).expect("what was written is read"), messages);
            let merged = archive::merge(vec![(listed(&again), again.bytes.clone())]).expect("it follows itself");
            assert_eq!(archive::decode(&merged.bytes).expect("what was merged is read"), messages);
        }
    }
}

/// Messages: size of the payload (two bytes), what its id and schema are (one byte), the payload.
fn write(mut rest: &[u8]) {
    let mut messages = Vec::new();
    let mut stream_ms = 1_795_320_000_000_u64;
    while let Some(([low, high, form], tail)) = rest.split_first_chunk::<3>() {
        let (payload, tail) = tail.split_at(usize::from(u16::from_le_bytes([*low, *high])).min(tail.len()));
        rest = tail;
        stream_ms = if form % 8 == 0 { stream_ms.wrapping_mul(3) } else { stream_ms + u64::from(*form) };
        let usual = codec::decode(SCHEMA_VERSION, payload).map(|batch| message_id(&batch.producer, batch.number));
        let message_id = if form % 3 == 0 { usual.unwrap_or_default() } else { "x".repeat(usize::from(form % 5)) };
        let schema = if form % 4 == 1 { u32::from(*form) } else { SCHEMA_VERSION };
        let seq = messages.len() as u64 + 7;
        messages.push(Delivered { seq, stream_ms, message_id, schema, payload: Bytes::copy_from_slice(payload) });
        if messages.len() >= MESSAGES_MAX {
            break;
        }
    }
    let Ok(whole) = archive::encode(&messages, LEVEL_FLUSH) else { return assert!(messages.is_empty()) };
    assert_eq!(archive::decode(&whole.bytes).expect("what was written is read"), messages);
    let unchanged = archive::rewrite(&listed(&whole), &whole.bytes, |_| None).expect("it can be read");
    assert!(unchanged.is_none());
    if messages.len() > 1 && messages[0].stream_ms % 16 == 0 {
        let halves = messages.split_at(messages.len() / 2);
        let halves = [halves.0, halves.1].map(|half| archive::encode(half, LEVEL_FLUSH).expect("half of it is an object"));
        let merged = archive::merge(halves.iter().map(|half| (listed(half), half.bytes.clone())).collect())
            .expect("they follow each other");
        assert_eq!(archive::decode(&merged.bytes).expect("what was merged is read"), messages);
        assert_eq!((merged.first_seq, merged.last_seq, merged.events), (whole.first_seq, whole.last_seq, whole.events));
    }
}

fn listed(encoded: &Encoded) -> ArchiveObject {
    let Encoded { bytes, first_seq, last_seq, first_stream_ms, last_stream_ms, events } = encoded.clone();
    let (name, checksum, bytes) = (String::new(), String::new(), bytes.len() as u64);
    ArchiveObject { name, checksum, bytes, first_seq, last_seq, first_stream_ms, last_stream_ms, events }
}
