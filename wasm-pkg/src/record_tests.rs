//! Batches to JSON and back.

use super::*;
use crate::read::encode;
use proptest::prelude::*;
use serde_json::{Value, json};
use weir_event::model::{DeleteVisitor, EventBatch, MoveSite, Property, SCHEMA_VERSION};

fn batch() -> EventBatch {
    let event = Event {
        id_high: 1,
        id_low: u64::MAX,
        visitor_id: u64::MAX,
        name: "Purchase".into(),
        props: vec![Property { key: "plan".into(), value: "pro".into() }],
        revenue: Some(Revenue { currency: "EUR".into(), amount_micros: i64::MIN }),
        engagement_ms: Some(0),
        bot: 2,
        origin: 9,
        ..Event::default()
    };
    EventBatch {
        producer: vec![0xab; 16],
        number: 7,
        batcher: "local/0/0".into(),
        events: vec![event],
        controls: vec![
            Control {
                id: vec![1; 16],
                requested_ms: 5,
                kind: Some(ControlKind::MoveSite(MoveSite { site_id: 3, to_partition: 1 })),
            },
            Control {
                id: vec![2; 16],
                requested_ms: 5,
                kind: Some(ControlKind::DeleteVisitor(DeleteVisitor { site_id: 3, visitor_id: u64::MAX })),
            },
        ],
        refused: vec![Refused { site_id: 3, hour_ms: 3_600_000, reason: "url".into(), count: 2 }],
        ..EventBatch::default()
    }
}

fn decoded(batch: &EventBatch) -> Result<Value, Error> {
    Ok(serde_json::from_str(&decode(SCHEMA_VERSION, &codec::encode(batch))?).unwrap())
}

#[test]
fn the_shape() {
    let json = decoded(&batch()).unwrap();
    assert_eq!(json["producer"], "ab".repeat(16));
    assert_eq!(json["refused"], json!([{"site_id": 3, "hour_ms": 3_600_000, "reason": "url", "count": 2}]));
    assert_eq!(json["controls"][0]["kind"], json!({"move_site": {"site_id": 3, "to_partition": 1}}));
    let event = &json["events"][0];
    assert_eq!(event["id"], "0000000000000001ffffffffffffffff");
    assert_eq!(event["visitor_id"], "18446744073709551615");
    assert_eq!(event["props"], json!([["plan", "pro"]]));
    assert_eq!(event["revenue"], json!({"currency": "EUR", "amount_micros": "-9223372036854775808"}));
    assert_eq!((&event["engagement_ms"], &event["scroll_depth"]), (&json!(0), &Value::Null));
    assert_eq!((&event["bot"], &event["origin"]), (&json!("headless"), &json!(9)));
}

#[test]
fn what_is_left_out_is_the_default() {
    assert_eq!(encode("{}").unwrap(), Vec::<u8>::new());
    let bytes = encode(r#"{"number":1,"events":[{"name":"pageview","bot":"declared"}]}"#).unwrap();
    let event = Event { name: "pageview".into(), bot: 1, ..Event::default() };
    assert_eq!(codec::decode(1, &bytes).unwrap(), EventBatch { number: 1, events: vec![event], ..EventBatch::default() });
}

#[test]
fn what_is_wrong_is_named() {
    let check = |json: &str, code: &str, text: &str| {
        let error = encode(json).unwrap_err();
        assert_eq!(error.code(), code, "{json}");
        assert!(error.to_string().contains(text), "{json}: {error}");
    };
    check("[", "invalid_field", "EOF");
    check("[]", "invalid_field", "must be an object");
    check(r#"{"evnets":[]}"#, "invalid_field", "evnets is no field");
    check(r#"{"events":[{"paht":"/"}]}"#, "invalid_field", "paht is no field");
    check(r#"{"events":[7]}"#, "invalid_field", "must be an object");
    check(r#"{"events":{}}"#, "invalid_field", "events must be a list");
    check(r#"{"number":-1}"#, "invalid_field", "number must be a whole number");
    check(r#"{"number":1.5}"#, "invalid_field", "number must be a whole number");
    check(r#"{"batcher":7}"#, "invalid_field", "batcher must be a text");
    check(r#"{"producer":"x"}"#, "invalid_field", "producer must be pairs of hex digits");
    check(r#"{"events":[{"id":"1"}]}"#, "invalid_field", "id must be 32 hex digits");
    check(r#"{"events":[{"id":"+0000000000000000000000000000001"}]}"#, "invalid_field", "id must be 32 hex digits");
    check(r#"{"events":[{"visitor_id":"ff"}]}"#, "invalid_field", "visitor_id must be a decimal number");
    check(r#"{"events":[{"site_id":4294967296}]}"#, "invalid_field", "site_id must be a whole number within its limits");
    check(r#"{"events":[{"retry":1}]}"#, "invalid_field", "retry must be true or false");
    check(r#"{"events":[{"props":[["a"]]}]}"#, "invalid_field", "props must be pairs of texts");
    check(r#"{"events":[{"revenue":{"currency":"EUR"}}]}"#, "invalid_field", "amount_micros must be a whole number as text");
    check(r#"{"events":[{"bot":"human"}]}"#, "invalid_field", "bot must be one of its names");
    check(r#"{"controls":[{"kind":{}}]}"#, "invalid_field", "kind must be one of");
    check(r#"{"controls":[{"kind":{"erase":{}}}]}"#, "invalid_field", "erase is no field");
    check(&format!(r#"{{"batcher":"{}"}}"#, "x".repeat(codec::BATCH_BYTES_MAX)), "too_large", "the limit is");
    check(&format!(r#"{{"events":[{}{{}}]}}"#, "{},".repeat(codec::BATCH_EVENTS_MAX)), "too_many_events", "records");
    check(&"[".repeat(100_000), "invalid_field", "recursion limit");
}

#[test]
fn numbers_that_javascript_would_round_are_refused() {
    let check = |batch: &EventBatch, expected: Option<&str>| {
        let found = decoded(batch).err();
        assert_eq!(found.as_ref().map(Error::code), expected.map(|_| "unsafe_integer"));
        if let (Some(error), Some(field)) = (found, expected) {
            assert_eq!(error.details()["field"], field);
        }
    };
    check(&EventBatch { number: SAFE_INTEGER_MAX, ..EventBatch::default() }, None);
    check(&EventBatch { number: SAFE_INTEGER_MAX + 1, ..EventBatch::default() }, Some("number"));
    let event = Event { event_ms: u64::MAX, ..Event::default() };
    check(&EventBatch { events: vec![event], ..EventBatch::default() }, Some("event_ms"));
    let refused = Refused { count: u64::MAX, ..Refused::default() };
    check(&EventBatch { refused: vec![refused], ..EventBatch::default() }, Some("count"));
}

#[test]
fn there_and_back() {
    let bytes = codec::encode(&batch());
    assert_eq!(encode(&decode(1, &bytes).unwrap()).unwrap(), bytes);
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes: Vec<u8>, schema in 0_u32..3) {
        if let Ok(json) = decode(schema, &bytes) {
            prop_assert!(encode(&json).is_ok());
        }
    }

    #[test]
    fn no_damage_panics(at in 0_usize..200, byte: u8, cut in 0_usize..200) {
        let mut bytes = codec::encode(&batch());
        if let Some(place) = bytes.get_mut(at) {
            *place = byte;
        }
        bytes.truncate(bytes.len().saturating_sub(cut));
        if let Ok(json) = decode(1, &bytes) {
            let again = encode(&json).unwrap();
            prop_assert_eq!(codec::decode(1, &again), codec::decode(1, &bytes));
        }
    }

    #[test]
    fn no_text_panics(json in ".*|[\\[\\]{}\":,a-z0-9]*") {
        let _ignored = encode(&json);
    }
}
