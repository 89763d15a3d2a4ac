use super::shred::is_canonical;
use super::*;
use proptest::prelude::*;
use weir_event::codec;
use weir_event::model::{Event, EventBatch, Property, Refused, Tombstone};
use weir_event::subject;
use weir_rollup::manifest::ArchiveObject;

fn batch(number: u64, events: u64) -> EventBatch {
    let event = |index: u64| Event {
        id_high: (number * 1_000 + index).wrapping_mul(0x9e37_79b9_7f4a_7c15),
        id_low: (number * 1_000 + index).wrapping_mul(0xbf58_476d_1ce4_e5b9),
        event_ms: 1_790_000_000_000 + number * 40 + index,
        received_ms: 1_790_000_000_000 + number * 40 + index,
        site_id: (index % 5) as u32 + 1,
        visitor_id: (index % 7).wrapping_mul(0x94d0_49bb_1331_11eb),
        name: "pageview".to_owned(),
        pathname: format!("/{}", index % 30),
        user_agent: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0".to_owned(),
        props: (0..index % 3).map(|key| Property { key: format!("k{key}"), value: "v".to_owned() }).collect(),
        ..Event::default()
    };
    EventBatch {
        producer: vec![number as u8 % 3; 16],
        number,
        formed_ms: 1_790_000_000_010 + number * 40,
        oldest_unsent_ms: if number.is_multiple_of(2) { 1_790_000_000_000 } else { 0 },
        batcher: "local/0/0".to_owned(),
        events: (0..events).map(event).collect(),
        controls: Vec::new(),
        tombstones: Vec::new(),
        refused: (0..number % 3)
            .map(|site| Refused { site_id: site as u32, hour_ms: 1_790_000_000_000, reason: "url".to_owned(), count: number })
            .collect(),
    }
}

fn delivered(seq: u64, batch: &EventBatch) -> Delivered {
    Delivered {
        seq,
        stream_ms: batch.formed_ms + 3,
        message_id: subject::message_id(&batch.producer, batch.number),
        schema: 1,
        payload: codec::encode(batch).into(),
    }
}

fn messages(first_seq: u64, count: u64, events: u64) -> Vec<Delivered> {
    (first_seq..first_seq + count).map(|seq| delivered(seq, &batch(seq, events))).collect()
}

fn object_of(encoded: &Encoded) -> (ArchiveObject, Bytes) {
    let Encoded { bytes, first_seq, last_seq, first_stream_ms, last_stream_ms, events } = encoded.clone();
    let (name, checksum) = (name("local", 0, first_seq, last_seq, "x"), String::new());
    let object =
        ArchiveObject { name, checksum, bytes: bytes.len() as u64, first_seq, last_seq, first_stream_ms, last_stream_ms, events };
    (object, bytes)
}

#[test]
fn batches_are_taken_apart_and_come_back_the_same() {
    let all = messages(7, 200, 20);
    assert!(all.iter().all(|message| is_canonical(&message.payload)));
    let encoded = encode(&all, LEVEL_MERGED).unwrap();
    assert_eq!((encoded.first_seq, encoded.last_seq, encoded.events), (7, 206, 4_000));
    assert_eq!((encoded.first_stream_ms, encoded.last_stream_ms), (all[0].stream_ms, all[199].stream_ms));
    assert_eq!(decode(&encoded.bytes).unwrap(), all);
    assert!(encoded.bytes.len() < 4_000 * 25, "{} bytes for 4,000 events of 16 random bytes each", encoded.bytes.len());
    let payloads: Vec<u8> = all.iter().flat_map(|message| message.payload.to_vec()).collect();
    let plain = zstd::bulk::compress(&payloads, i32::from(LEVEL_MERGED)).unwrap().len();
    assert!(encoded.bytes.len() < plain * 3 / 4, "{} bytes by column, {plain} plain", encoded.bytes.len());
}

#[test]
fn batches_full_of_tombstones_are_taken_apart_too() {
    let tombstones =
        (0..300).map(|idx| Tombstone { idx, site_id: 1, hour_ms: 1_790_000_000_000, ..Tombstone::default() }).collect();
    let all = [delivered(1, &EventBatch { tombstones, ..batch(1, 2) })];
    assert!(is_canonical(&all[0].payload), "a row of them is one entry of a shape");
    assert_eq!(decode(&encode(&all, 1).unwrap().bytes).unwrap(), all);
}

#[test]
fn what_is_no_batch_is_kept_whole() {
    let odd = [
        (0, "", &b""[..]),
        (1, "x", b""),
        (1, "", b"\xff\xff"),
        (2, "00-1", b"\x08\x01"),
        // A number in a longer form than needed, an event that ends early, a field number that no column has.
        (1, "a", b"\x10\x81\x00"),
        (1, "b", b"\x32\x02\x08\x80"),
        (1, "c", b"\x80\x20\x01"),
        // A field that no program knows yet.
        (1, "d", b"\x78\x05\x32\x04\xd2\x02\x01\x7a"),
    ];
    let all: Vec<Delivered> = (1..)
        .zip(odd)
        .map(|(seq, (schema, id, payload))| Delivered {
            seq,
            stream_ms: seq.wrapping_mul(u64::MAX / 3),
            message_id: id.to_owned(),
            schema,
            payload: Bytes::from_static(payload),
        })
        .collect();
    assert_eq!(decode(&encode(&all, 1).unwrap().bytes).unwrap(), all);
}

/// Columns that compression would not shorten are stored as they are: these bytes do not depend on Zstandard.
const PINNED: &str = concat!(
    "5745495241524348010000003e0100000900000000000000020000000200000001180000000100000001000000010006000000060000000a0001000000010000000f",
    "00020000000200000010000100000001000000180001000000010000002a0001000000010000002f0001000000010000003600010000000100000000080200000002",
    "00000001080600000006000000110810000000100000002008020000000200000028080200000002000000300802000000020000004a0802000000020000004f0802",
    "000000020000000018020000000200000001180300000003000000021801000000010000000318010000000100000004180100000001000000051801000000010000",
    "000618010000000100000000050a10182a320201020601016202000005112028304a050000000000000005000000000000001300020207070101707007",
    "00d20f01020179017a",
);

#[test]
fn the_format_is_pinned() {
    let small =
        EventBatch { producer: vec![1, 2], number: 3, formed_ms: 1_000, batcher: "b".to_owned(), ..EventBatch::default() };
    let event = Event { id_low: 5, event_ms: 990, received_ms: 991, site_id: 7, name: "p".to_owned(), ..Event::default() };
    let batch = EventBatch { events: vec![event.clone(), event], ..small };
    let one = Delivered { message_id: "0102-3".to_owned(), stream_ms: 1_001, ..delivered(9, &batch) };
    let odd = Delivered { seq: 10, stream_ms: 1_000, message_id: "y".to_owned(), schema: 2, payload: Bytes::from_static(b"z") };
    let all = [one, odd];
    let bytes = encode(&all, 1).unwrap().bytes;
    assert_eq!(hex::encode(&bytes), PINNED);
    assert_eq!(decode(&Bytes::from(hex::decode(PINNED).unwrap())).unwrap(), all);
    let mut later = bytes.to_vec();
    later[8] = 2;
    assert!(matches!(decode(&later.into()), Err(ArchiveError::Version)));
}

#[test]
fn gaps_are_refused() {
    let mut all = messages(1, 4, 1);
    all.remove(2);
    assert!(matches!(encode(&all, 1), Err(ArchiveError::Order { wanted: 3, found: 4 })));
    assert!(encode(&[], 1).is_err());
    let (first, third) = (encode(&messages(1, 2, 1), 1).unwrap(), encode(&messages(4, 2, 1), 1).unwrap());
    assert!(matches!(merge(vec![object_of(&first), object_of(&third)]), Err(ArchiveError::Order { wanted: 3, found: 4 })));
}

#[test]
fn a_rewrite_changes_payloads_and_nothing_else() {
    let all = messages(1, 10, 3);
    let (object, bytes) = object_of(&encode(&all, LEVEL_MERGED).unwrap());
    assert!(rewrite(&object, &bytes, |_| None).unwrap().is_none());
    let other = Bytes::from(codec::encode(&batch(99, 0)));
    let rewritten = rewrite(&object, &bytes, |message| (message.seq == 4).then(|| other.clone())).unwrap().unwrap();
    let mut expected = all;
    expected[3].payload = other;
    assert_eq!(decode(&rewritten.bytes).unwrap(), expected);
    assert_eq!((rewritten.first_seq, rewritten.last_seq, rewritten.events), (1, 10, 27));
}

#[test]
fn damage_is_an_error_and_never_a_panic() {
    let bytes = encode(&messages(1, 3, 4), 1).unwrap().bytes;
    for position in 0..bytes.len() {
        let mut damaged = bytes.to_vec();
        damaged[position] ^= 0x41;
        // What is found out is enough: the checksum in the manifest tells the rest.
        drop(decode(&damaged.into()));
        drop(decode(&bytes.slice(..position)));
    }
}

#[test]
fn sequences_without_a_successor_are_refused() {
    let mut bytes = encode(&messages(1, 2, 1), 1).unwrap().bytes.to_vec();
    // The first sequence of the first block stands behind the object's start and the block's size.
    let at = MAGIC.len() + 8;
    bytes[at..at + 8].copy_from_slice(&(u64::MAX - 1).to_le_bytes());
    assert!(matches!(blocks(&bytes.into()), Err(ArchiveError::Damaged("a sequence"))));
}

#[test]
fn a_small_object_does_not_become_more_messages_than_a_block_can_have() {
    // Columns of zeros compress to nothing: 60,000,000 of them are two thousand bytes.
    let mut columns = columns::Columns::new();
    for number in [3 << 11, (3 << 11) + 1, 2 << 11] {
        columns.bytes(number, &vec![0; 20_000_000]).unwrap();
    }
    let mut block = Vec::new();
    block.extend(1_u64.to_le_bytes());
    block.extend(20_000_000_u32.to_le_bytes());
    block.extend([0_u8; 5]);
    columns.store(1, &mut block).unwrap();
    assert!(block.len() < 10_000, "{}", block.len());
    let mut object = [MAGIC, &ARCHIVE_VERSION.to_le_bytes()].concat();
    object.extend((block.len() as u32).to_le_bytes());
    object.extend(block);
    assert!(matches!(decode(&object.into()), Err(ArchiveError::Damaged("the number of messages"))));
}

#[test]
fn long_histories_are_divided_into_blocks_that_merges_keep() {
    // Text that differs everywhere, so that blocks are full.
    let mut all = messages(1, 60, 1);
    for message in &mut all {
        message.payload =
            (0..400_000_u64).map(|byte| (byte * message.seq).wrapping_mul(0x9e37_79b9) as u8).collect::<Vec<_>>().into();
    }
    let encoded = encode(&all, LEVEL_MERGED).unwrap();
    let parts = blocks(&encoded.bytes).unwrap();
    assert_eq!(parts.iter().map(|block| block.header.messages).collect::<Vec<_>>(), [40, 20]);
    assert_eq!((parts[1].header.first_seq, parts[1].header.last_seq()), (41, 60));
    let more = encode(&messages(61, 5, 2), 1).unwrap();
    let merged = merge(vec![object_of(&encoded), object_of(&more)]).unwrap();
    let of = |block: &BlockRef| (block.header.messages, block.header.level);
    assert_eq!(blocks(&merged.bytes).unwrap().iter().map(of).collect::<Vec<_>>(), [(40, 9), (20, 9), (5, 9)]);
    all.extend(messages(61, 5, 2));
    assert_eq!(decode(&merged.bytes).unwrap(), all);
}

fn any_message() -> impl Strategy<Value = (u64, String, u32, Vec<u8>)> {
    let usual = (any::<u64>(), 0..9_u64, any::<bool>()).prop_map(|(number, events, is_usual)| {
        let batch = batch(number % 1_000_000, events);
        let id = if is_usual { subject::message_id(&batch.producer, batch.number) } else { "other".to_owned() };
        (batch.formed_ms, id, 1, codec::encode(&batch))
    });
    let odd = (any::<u64>(), ".{0,5}", 0..3_u32, proptest::collection::vec(any::<u8>(), 0..40));
    // What has the form of protobuf, with whatever fields.
    let field = (
        1..300_u32,
        prop_oneof![Just(0_u32), Just(1), Just(2), Just(5)],
        any::<u64>(),
        proptest::collection::vec(any::<u8>(), 0..9),
    );
    let formed = proptest::collection::vec(field, 0..12).prop_map(|fields| {
        let mut out = Vec::new();
        for (tag, kind, value, bytes) in fields {
            wire::put_varint(u64::from(tag << 3 | kind), &mut out);
            match kind {
                0 => wire::put_varint(value, &mut out),
                1 => out.extend(value.to_le_bytes()),
                5 => out.extend((value as u32).to_le_bytes()),
                _ => {
                    wire::put_varint(bytes.len() as u64, &mut out);
                    out.extend(bytes);
                }
            }
        }
        (5, String::new(), 1, out)
    });
    prop_oneof![4 => usual, 1 => odd, 2 => formed]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// However messages are divided into objects, and those merged, they read back the same.
    #[test]
    fn any_division_and_any_merges_read_back_the_same(
        given in proptest::collection::vec(any_message(), 1..60),
        first_seq in 1..u64::from(u32::MAX),
        cuts in proptest::collection::vec(any::<proptest::sample::Index>(), 0..6),
        merges in proptest::collection::vec((any::<proptest::sample::Index>(), 2..4_usize), 0..4),
    ) {
        let all: Vec<Delivered> = (first_seq..)
            .zip(given)
            .map(|(seq, (stream_ms, message_id, schema, payload))| Delivered { seq, stream_ms, message_id, schema, payload: payload.into() })
            .collect();
        let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(all.len())).chain([all.len()]).filter(|end| *end > 0).collect();
        ends.sort_unstable();
        ends.dedup();
        let mut begin = 0;
        let mut objects = Vec::new();
        for end in ends {
            objects.push(object_of(&encode(&all[begin..end], LEVEL_FLUSH).unwrap()));
            begin = end;
        }
        for (at, count) in merges {
            let start = at.index(objects.len());
            let end = (start + count).min(objects.len());
            let merged = object_of(&merge(objects[start..end].to_vec()).unwrap());
            prop_assert_eq!(merged.0.events, objects[start..end].iter().map(|(object, _)| object.events).sum::<u64>());
            objects.splice(start..end, [merged]);
        }
        let mut read = Vec::new();
        for (object, bytes) in &objects {
            let messages = decode(bytes).unwrap();
            prop_assert_eq!((messages[0].seq, messages[messages.len() - 1].seq), (object.first_seq, object.last_seq));
            prop_assert_eq!((messages[0].stream_ms, messages[messages.len() - 1].stream_ms), (object.first_stream_ms, object.last_stream_ms));
            read.extend(messages);
        }
        prop_assert_eq!(read, all);
    }

    /// Bytes of any kind are read or refused.
    #[test]
    fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), cut in 0..20_usize) {
        let mut object = b"WEIRARCH\x01\0\0\0".to_vec();
        object.extend((bytes.len().saturating_sub(cut) as u32).to_le_bytes());
        object.extend(bytes);
        drop(decode(&object.into()));
    }
}
