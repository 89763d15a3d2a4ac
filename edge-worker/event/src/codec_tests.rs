//! The bytes of schema version 1 are pinned: a change here needs a new version.

use proptest::prelude::*;

use super::*;
use crate::model::{
    BotMark, Control, ControlKind, DeleteSite, DeleteVisitor, Event, Fate, MoveSite, Origin, Property, Refused, Revenue,
    Tombstone,
};

/// A batch in which every field is set.
fn golden() -> EventBatch {
    let event = Event {
        id_high: 0x0102_0304_0506_0708,
        id_low: 0x090a_0b0c_0d0e_0f10,
        retry: true,
        event_ms: 1_795_000_000_000,
        received_ms: 1_795_000_000_123,
        site_id: 300,
        visitor_id: 0x1112_1314_1516_1718,
        previous_visitor_id: 0x191a_1b1c_1d1e_1f20,
        name: "Purchase".into(),
        hostname: "shop.example".into(),
        pathname: "/ü".into(),
        referrer: "https://search.example/".into(),
        user_agent: "Mozilla/5.0".into(),
        utm_source: "s".into(),
        utm_medium: "m".into(),
        utm_campaign: "c".into(),
        utm_content: "o".into(),
        utm_term: "t".into(),
        click_id: "gclid".into(),
        country: "DE".into(),
        region: "DE-BE".into(),
        city: "Berlin".into(),
        props: vec![Property { key: "plan".into(), value: "pro".into() }, Property { key: "seats".into(), value: "5".into() }],
        revenue: Some(Revenue { currency: "EUR".into(), amount_micros: -19_990_000 }),
        engagement_ms: Some(1_500),
        scroll_depth: Some(0),
        non_interactive: true,
        bot: BotMark::Headless.into(),
        origin: Origin::Import.into(),
        tracker_version: 36,
    };
    let control = |id: u8, kind| Control { id: vec![id; 16], requested_ms: 1_795_000_000_456, kind: Some(kind) };
    EventBatch {
        producer: (0xa0..0xb0).collect(),
        number: 7,
        formed_ms: 1_795_000_000_789,
        oldest_unsent_ms: 1_795_000_000_700,
        batcher: "local/0/1".into(),
        events: vec![event, Event::default()],
        controls: vec![
            control(1, ControlKind::DeleteSite(DeleteSite { site_id: 300 })),
            control(2, ControlKind::MoveSite(MoveSite { site_id: 300, to_partition: 1 })),
        ],
        refused: Vec::new(),
        tombstones: Vec::new(),
    }
}

const GOLDEN_HEX: &str = concat!(
    "0a10a0a1a2a3a4a5a6a7a8a9aaabacadaeaf10071895c2d9f29e3420bcc1d9f29e342a096c6f63616c2f302f3132e50109080706050403020111",
    "100f0e0d0c0b0a0918012080bcd9f29e3428fbbcd9f29e3430ac0239181716151413121141201f1e1d1c1b1a194a085075726368617365520c73",
    "686f702e6578616d706c655a032fc3bc621768747470733a2f2f7365617263682e6578616d706c652f6a0b4d6f7a696c6c612f352e307201737a",
    "016d820101638a01016f920101749a010567636c6964a201024445aa010544452d4245b201064265726c696eba010b0a04706c616e120370726f",
    "ba010a0a057365617473120135c2010a0a0345555210df978813c801dc0bd00100d80101e00102e80101f0012432003a1e0a1001010101010101",
    "01010101010101010110c8bfd9f29e34520308ac023a200a100202020202020202020202020202020210c8bfd9f29e345a0508ac021001",
);

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

#[test]
fn version_1_is_pinned() {
    let bytes = encode(&golden());
    assert_eq!(hex(&bytes), GOLDEN_HEX);
    assert_eq!(decode(1, &bytes).unwrap(), golden());
}

#[test]
fn counts_of_refused_events_are_pinned() {
    let refused = Refused { site_id: 300, hour_ms: 1_795_000_000_000, reason: "url".into(), count: 5 };
    let bytes = encode(&EventBatch { refused: vec![refused.clone()], ..EventBatch::default() });
    assert_eq!(hex(&bytes), "421108ac021080bcd9f29e341a0375726c2005");
    let mut appended = Vec::new();
    append_refused(&refused, &mut appended);
    assert_eq!(appended, bytes);
    append_event(&Event::default(), &mut appended);
    assert_eq!(split_runs(&appended, 1_000).unwrap(), [Run { range: 0..appended.len(), events: 1 }]);
}

#[test]
fn what_erases_and_what_was_erased_are_pinned() {
    let kind = ControlKind::DeleteVisitor(DeleteVisitor { site_id: 300, visitor_id: 0x1112_1314_1516_1718 });
    let control = Control { id: vec![3; 16], requested_ms: 1_795_000_000_456, kind: Some(kind) };
    let tombstone = Tombstone {
        idx: 4,
        site_id: 300,
        hour_ms: 1_794_996_000_000,
        id_high: 0x0102_0304_0506_0708,
        id_low: 0x090a_0b0c_0d0e_0f10,
        fate: Fate::Orphan.into(),
        bot: true,
        late: true,
    };
    let batch = EventBatch { controls: vec![control], tombstones: vec![tombstone], ..EventBatch::default() };
    let bytes = encode(&batch);
    let expected = concat!(
        "3a270a100303030303030303030303030303030310c8bfd9f29e34620c08ac02111817161514131211",
        "4a24080410ac021880aae5f09e342108070605040302012910",
        "0f0e0d0c0b0a09300238014001"
    );
    assert_eq!(hex(&bytes), expected);
    assert_eq!(decode(1, &bytes), Ok(batch));
}

#[test]
fn refuses_what_is_no_batch() {
    assert_eq!(decode(2, &[]), Err(DecodeError::UnknownSchema { version: 2 }));
    assert_eq!(decode(1, &vec![0; BATCH_BYTES_MAX + 1]), Err(DecodeError::TooLarge { size_bytes: BATCH_BYTES_MAX + 1 }));
    assert!(matches!(decode(1, &[0xff]), Err(DecodeError::Malformed { .. })));
    let empty_events = [0x32, 0].repeat(BATCH_EVENTS_MAX + 1);
    assert_eq!(decode(1, &empty_events), Err(DecodeError::TooManyEvents));
    assert_eq!(decode(1, &[]), Ok(EventBatch::default()));
}

#[test]
fn later_fields_are_ignored() {
    let mut bytes = encode(&golden());
    bytes.extend([0xfa, 0x01, 2, b'h', b'i']);
    assert_eq!(decode(1, &bytes).unwrap(), golden());
}

#[test]
fn runs_are_cut_between_events() {
    let mut bytes = Vec::new();
    for event in golden().events {
        append_event(&event, &mut bytes);
    }
    let runs = |max| split_runs(&bytes, max).unwrap().into_iter().map(|run| (run.range.len(), run.events)).collect::<Vec<_>>();
    assert_eq!(runs(1_000), [(bytes.len(), 2)]);
    assert_eq!(runs(1), [(bytes.len() - 2, 1), (2, 1)]);
    assert_eq!(split_runs(&[], 1), Ok(vec![]));
    assert!(matches!(split_runs(&[0x3a, 0], 1), Err(DecodeError::Malformed { .. })));
    assert!(matches!(split_runs(&[0x32, 5, 0], 1), Err(DecodeError::Malformed { .. })));
    let huge = Event { referrer: "x".repeat(BATCH_BYTES_MAX / 2), ..Event::default() };
    bytes.clear();
    append_event(&huge, &mut bytes);
    assert!(matches!(split_runs(&bytes, 1), Err(DecodeError::TooLarge { .. })));
}

proptest! {
    #[test]
    fn appended_events_are_the_batch(batch in batch(), max in 1_usize..2_000) {
        let head = EventBatch {
            events: Vec::new(),
            controls: Vec::new(),
            refused: Vec::new(),
            tombstones: Vec::new(),
            ..batch.clone()
        };
        let mut events = Vec::new();
        batch.events.iter().for_each(|event| append_event(event, &mut events));
        let runs = split_runs(&events, max).unwrap();
        prop_assert_eq!(runs.iter().map(|run| run.events as usize).sum::<usize>(), batch.events.len());
        let mut bytes = encode(&head);
        for run in runs {
            bytes.extend(&events[run.range]);
        }
        prop_assert_eq!(bytes, encode(&EventBatch { controls: Vec::new(), refused: Vec::new(), tombstones: Vec::new(), ..batch }));
    }

    #[test]
    fn no_bytes_panic(bytes: Vec<u8>, schema in 0_u32..3) {
        let _ignored = decode(schema, &bytes);
    }

    #[test]
    fn no_damage_panics(at in 0_usize..600, byte: u8, cut in 0_usize..600) {
        let mut bytes = encode(&golden());
        if let Some(place) = bytes.get_mut(at) {
            *place = byte;
        }
        bytes.truncate(bytes.len().saturating_sub(cut));
        let _ignored = decode(1, &bytes);
    }

    #[test]
    fn decode_is_the_inverse_of_encode(batch in batch()) {
        let bytes = encode(&batch);
        prop_assert_eq!(decode(1, &bytes), Ok(batch));
    }
}

fn batch() -> impl Strategy<Value = EventBatch> {
    let controls = prop::collection::vec((any::<[u8; 16]>(), any::<u64>(), any::<u32>(), any::<Option<u32>>()), 0..3);
    (any::<[u8; 16]>(), any::<u64>(), any::<u64>(), ".*", prop::collection::vec(event(), 0..4), controls).prop_map(
        |(producer, number, at, batcher, events, controls)| EventBatch {
            producer: producer.to_vec(),
            number,
            formed_ms: at,
            oldest_unsent_ms: at ^ number,
            batcher,
            events,
            controls: controls
                .into_iter()
                .map(|(id, requested_ms, site_id, to)| Control {
                    id: id.to_vec(),
                    requested_ms,
                    kind: Some(to.map_or(ControlKind::DeleteSite(DeleteSite { site_id }), |to_partition| {
                        ControlKind::MoveSite(MoveSite { site_id, to_partition })
                    })),
                })
                .collect(),
            refused: vec![Refused { site_id: 1, hour_ms: at, reason: "url".into(), count: number }],
            tombstones: vec![Tombstone {
                idx: 3,
                site_id: 1,
                hour_ms: at,
                id_high: number,
                id_low: at,
                fate: 1,
                bot: true,
                late: false,
            }],
        },
    )
}

fn event() -> impl Strategy<Value = Event> {
    let numbers = (any::<u128>(), any::<u64>(), any::<u32>(), any::<i64>(), any::<bool>(), any::<Option<u32>>());
    (numbers, ".*", ".*", prop::collection::vec((".*", ".*"), 0..4)).prop_map(
        |((id, ms, site_id, money, flag, depth), first, second, props)| Event {
            id_high: (id >> 64) as u64,
            id_low: id as u64,
            retry: flag,
            event_ms: ms,
            received_ms: !ms,
            site_id,
            visitor_id: id as u64,
            previous_visitor_id: ms,
            name: first.clone(),
            pathname: second.clone(),
            user_agent: first.clone(),
            country: second,
            props: props.into_iter().map(|(key, value)| Property { key, value }).collect(),
            revenue: flag.then_some(Revenue { currency: first, amount_micros: money }),
            engagement_ms: depth,
            scroll_depth: depth,
            non_interactive: !flag,
            tracker_version: site_id,
            ..Event::default()
        },
    )
}
