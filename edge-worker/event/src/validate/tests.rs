//! Whole bodies: what is taken, what is kept, what the sender is told.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::model::{BotMark, Origin, Property, Revenue};

fn taken(body: &str) -> Draft {
    match parse_body(body.as_bytes(), Sender::Anyone) {
        Ok(Body::One(Ok(draft))) => draft,
        other => panic!("{body}: {other:?}"),
    }
}

fn refused(body: &str) -> Value {
    match parse_body(body.as_bytes(), Sender::Anyone) {
        Ok(Body::One(Err(errors))) => errors.json(),
        other => panic!("{body}: {other:?}"),
    }
}

fn props(pairs: &[(&str, &str)]) -> Vec<Property> {
    pairs.iter().map(|(key, value)| Property { key: (*key).to_owned(), value: (*value).to_owned() }).collect()
}

#[test]
fn every_short_and_long_field() {
    let expected = Draft {
        domains: vec!["shop.example".into()],
        name: "Purchase".into(),
        hostname: "shop.example".into(),
        pathname: "/cart#step".into(),
        referrer: "https://search.example/".into(),
        utm_source: "news".into(),
        props: props(&[("plan", "pro")]),
        revenue: Some(Revenue { currency: "EUR".into(), amount_micros: 9_500_000 }),
        non_interactive: true,
        tracker_version: 36,
        ..Draft::default()
    };
    let url = "https://www.shop.example/cart?utm_source=news#step";
    let short = json!({"n": "Purchase", "u": url, "d": "www.Shop.example", "r": "https://search.example/", "h": 1, "p": {"plan": "pro"},
        "$": {"currency": "EUR", "amount": "9.50"}, "i": false, "v": 36});
    let long = json!({"name": "Purchase", "url": url, "domain": "shop.example", "referrer": "https://search.example/", "hashMode": 1,
        "props": "{\"plan\":\"pro\"}", "revenue": "{\"currency\":\"EUR\",\"amount\":9.5}", "interactive": false, "v": "36"});
    assert_eq!(taken(&short.to_string()), expected);
    assert_eq!(taken(&long.to_string()), expected);
    let mut old = short;
    old["m"] = old["p"].take();
    assert_eq!(taken(&old.to_string()), expected);
}

#[test]
fn the_first_alias_that_is_not_null_wins() {
    let draft = taken(r#"{"n":null,"name":"a","u":"https://a.example/x","url":"https://b.example/","d":null,"r":null}"#);
    assert_eq!((draft.name.as_str(), draft.pathname.as_str(), draft.referrer.as_str()), ("a", "/x", ""));
    assert_eq!(draft.domains, ["a.example"]);
}

#[test]
fn odd_but_good() {
    assert_eq!(taken(r#"{"n":404,"u":"https://a.example/gone"}"#).props, props(&[("path", "/gone")]));
    assert_eq!(
        taken(r#"{"n":"x","u":"https://a.example","d":"a.example, www.B.example,,a.example"}"#).domains,
        ["a.example", "b.example"]
    );
    assert_eq!(taken(r#"{"n":"x","u":"/p","d":"app"}"#).hostname, "(none)");
    assert_eq!(taken(r#"{"n":"x\u0000y","u":"https://a.example/\u0000","p":{"k\u0000":"v\u0000"}}"#).name, "xy");
    assert_eq!(taken(r#"{"n":"x","u":"https://a.example","p":7,"$":"nonsense","i":"no","v":-1}"#).props, []);
    assert_eq!(
        taken(&json!({"n": "x", "u": "https://a.example", "r": "é".repeat(3_000)}).to_string()).referrer.chars().count(),
        2_000
    );
    assert!(taken(r#"{"n":"x","u":"https://a.example","$":{"currency":"??","amount":1}}"#).revenue.is_none());
}

#[test]
fn wrong_fields_are_named() {
    let check = |body: &str, expected: Value| assert_eq!(refused(body), json!({ "errors": expected }), "{body}");
    check(r#"{"n":"x","d":"a.example"}"#, json!({"url": ["is required"]}));
    check(r#"{"n":"x","d":"a.example","u":" "}"#, json!({"url": ["is required"]}));
    check(r#"{"n":"x","d":"a.example","u":7}"#, json!({"url": ["must be a string"]}));
    check(r#"{"n":"x","d":"a.example","u":"data:x"}"#, json!({"url": ["scheme is not allowed"]}));
    check(r#"{"n":"x","d":"a.example","u":"http://["}"#, json!({"url": ["must be a valid url"]}));
    check(r#"{"n":"x","u":"/p"}"#, json!({"domain": ["can't be blank"]}));
    check(r#"{"n":"x","u":"/p","d":" , "}"#, json!({"domain": ["can't be blank"]}));
    check(r#"{"n":"x","u":"/p","d":7}"#, json!({"domain": ["is invalid"]}));
    check(r#"{"n":" ","u":"https://a.example"}"#, json!({"event_name": ["can't be blank"]}));
    check(r#"{"n":true,"u":"https://a.example"}"#, json!({"event_name": ["is invalid"]}));
    check(r#"{"n":1.5,"u":"https://a.example"}"#, json!({"event_name": ["is invalid"]}));
    check(r#"{"n":"x","u":"https://a.example","r":[]}"#, json!({"referrer": ["is invalid"]}));
    check("{}", json!({"event_name": ["can't be blank"], "url": ["is required"]}));
    let long_name = json!({"n": "é".repeat(121), "u": "https://a.example"}).to_string();
    check(&long_name, json!({"event_name": ["should be at most 120 character(s)"]}));
    let long_prop = json!({"n": "x", "u": "https://a.example", "p": {"k": "v".repeat(2_001)}}).to_string();
    check(&long_prop, json!({"props": ["keys should have at most 300 bytes and values 2000 bytes"]}));
    let many: Vec<String> = (0..21).map(|i| format!("{i}.example")).collect();
    let many = json!({"n": "x", "u": "/", "d": many.join(",")}).to_string();
    check(&many, json!({"domain": ["should have at most 20 domain(s)"]}));
}

#[test]
fn engagement() {
    let body = |fields: &str| format!(r#"{{"n":"engagement","u":"https://a.example"{fields}}}"#);
    let check = |fields: &str, ms: Option<u32>, depth: Option<u32>| {
        let draft = taken(&body(fields));
        assert_eq!((draft.engagement_ms, draft.scroll_depth), (ms, depth), "{fields}");
    };
    check(r#","e":1500,"sd":40"#, Some(1_500), Some(40));
    check(r#","e":"0","sd":"101""#, Some(0), Some(100));
    check(r#","e":2592000000,"sd":0"#, None, Some(0));
    check(r#","e":2591999999,"sd":-1"#, Some(2_591_999_999), None);
    check(r#","e":"soon","sd":7"#, None, Some(7));
    let message = "engagement event requires a valid integer value for at least one of 'sd' or 'e' fields";
    for fields in ["", r#","sd":1.5"#, r#","e":-1,"sd":"x""#] {
        assert_eq!(refused(&body(fields)), json!({"errors": {"event_name": [message]}}));
    }
    assert_eq!(taken(r#"{"n":"pageview","u":"https://a.example","e":5,"sd":5}"#).engagement_ms, None);
}

#[test]
fn what_a_queue_adds() {
    let body = |fields: &str| format!(r#"{{"n":"x","u":"https://a.example"{fields}}}"#);
    let check = |fields: &str, id: Option<u128>, age_ms: u64, retry: bool| {
        let draft = taken(&body(fields));
        assert_eq!((draft.id, draft.age_ms, draft.retry), (id, age_ms, retry), "{fields}");
    };
    check("", None, 0, false);
    check(r#","id":"000000000000000000000000000000aB","age":86400000,"retry":true"#, Some(0xab), 86_400_000, true);
    check(r#","event_id":"00000000-0000-0000-0000-00000000000a","age_ms":"5","retry":1"#, Some(10), 5, true);
    check(r#","retry":"no""#, None, 0, false);
    for id in [r#""x""#, "7", r#""+0000000000000000000000000000001""#, r#""00000000000000000000000000000000""#] {
        assert_eq!(
            refused(&body(&format!(r#","id":{id}"#))),
            json!({"errors": {"id": ["must be 32 hexadecimal digits"]}}),
            "{id}"
        );
    }
    assert_eq!(refused(&body(r#","age":86400001"#)), json!({"errors": {"age": ["must be at most 86400000"]}}));
    for age in ["-1", "1.5", r#""soon""#] {
        let expected = json!({"errors": {"age": ["must be a number of milliseconds"]}});
        assert_eq!(refused(&body(&format!(r#","age":{age}"#))), expected, "{age}");
    }
    assert!(taken(&body(r#","bot":true"#)).is_bot && !taken(&body(r#","bot":"true""#)).is_bot);
}

#[test]
fn refusals_know_their_sites() {
    let Ok(Body::One(Err(errors))) = parse_body(br#"{"n":"x","d":"a.example,b.example"}"#, Sender::Anyone) else { panic!() };
    assert_eq!(errors.domains(), ["a.example", "b.example"]);
}

#[test]
fn whole_bodies() {
    let check = |body: &[u8], status: u16, message: &str| {
        let error = parse_body(body, Sender::Anyone).unwrap_err();
        assert_eq!((error.status(), error.json()), (status, json!({"errors": {"request": [message]}})));
    };
    let not_json = "Unable to parse request body as json";
    for body in ["", "{", r#"{"n":NaN}"#, "null", "7", "\"x\"", r#"{"n":"x"}}"#, r#"{"n":"\ud800"}"#, "{'n':1}", r#"{"n":1e999}"#]
    {
        check(body.as_bytes(), 400, not_json);
    }
    check(b"{\"n\":\"\xff\"}", 400, "must be valid UTF-8");
    check(&vec![b' '; BODY_BYTES_MAX + 1], 413, "must be at most 1000000 bytes");
    check("[".repeat(33).as_bytes(), 400, "must not nest deeper than 32 levels");
    check("[".repeat(500_000).as_bytes(), 400, "must not nest deeper than 32 levels");
    check(b"[]", 400, "must have at least one event");
    let many = Value::Array(vec![json!({}); 101]).to_string();
    check(many.as_bytes(), 400, "must have at most 100 events, has 101");
}

#[test]
fn arrays_are_judged_one_by_one() {
    let body = br#"[{"n":"x","u":"https://a.example"},7,{"n":"y"}]"#;
    let Ok(Body::Many(outcomes)) = parse_body(body, Sender::Anyone) else { panic!("not many") };
    assert_eq!(outcomes.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, false]);
    assert_eq!(outcomes[1].as_ref().unwrap_err().json(), json!({"errors": {"request": ["must be an object"]}}));
}

#[test]
fn the_receiver_adds_its_part() {
    let context = Context {
        id: (7 << 64) | 9,
        retry: true,
        event_ms: 1,
        received_ms: 2,
        site_id: 3,
        visitor_id: 4,
        previous_visitor_id: 5,
        user_agent: "é".repeat(600),
        country: "de".into(),
        region: "DE-BE".into(),
        city: "Berlin".into(),
        bot: BotMark::Declared,
        origin: Origin::Import,
    };
    let draft = taken(r#"{"n":"x","u":"https://a.example/p"}"#);
    let event = draft.clone().into_event(&context);
    assert_eq!((event.id(), event.id_high, event.id_low), (context.id, 7, 9));
    assert_eq!((event.user_agent.chars().count(), event.country.as_str(), event.pathname.as_str()), (500, "DE", "/p"));
    for unknown in ["", "T1", "XX", "DEU", "é"] {
        assert_eq!(draft.clone().into_event(&Context { country: unknown.into(), ..context.clone() }).country, "", "{unknown}");
    }
}

#[test]
fn the_own_address_is_blanked_everywhere() {
    let mut draft = taken(
        r#"{"n":"a 192.0.2.1","u":"https://192.0.2.1/192.0.2.1?utm_source=192.0.2.1&utm_medium=192.0.2.1&utm_campaign=192.0.2.1&utm_content=192.0.2.1&utm_term=192.0.2.1",
        "d":"a.example","r":"https://x.example/?ip=192%2E0%2E2%2E1","p":{"ip":"192.0.2.1","192.0.2.1":"k"}}"#,
    );
    draft.redact_address(&"192.0.2.1".parse().unwrap());
    let text = format!("{draft:?}");
    assert!(!text.contains("192"), "{text}");
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes: Vec<u8>) {
        let _ignored = parse_body(&bytes, Sender::Trusted { now_ms: 1_795_000_000_000 });
    }

    #[test]
    fn no_json_panics(name in json_value(), url in json_value(), domain in json_value(), props in json_value(), revenue in json_value(), e in json_value()) {
        let event = json!({"n": name, "u": url, "d": domain, "p": props, "$": revenue, "e": e, "sd": e, "h": e, "r": domain});
        if let Ok(mut draft) = parse_value(&event, Sender::Anyone) {
            prop_assert!(!draft.domains.is_empty());
            prop_assert!(draft.pathname.starts_with('/'));
            prop_assert!(draft.props.len() <= PROPS_MAX);
            draft.redact_address(&"192.0.2.1".parse().unwrap());
        }
    }

    #[test]
    fn cut_and_changed_bodies_do_not_panic(cut in 0_usize..200, at in 0_usize..200, byte: u8) {
        let body = json!({"n": "x", "u": "https://a.example/%C3%A9?utm_source=%00", "p": "{\"a\":[{}]}", "$": {"currency": "EUR", "amount": 1e300}}).to_string();
        let mut bytes = body.into_bytes();
        if let Some(place) = bytes.get_mut(at) {
            *place = byte;
        }
        bytes.truncate(bytes.len().saturating_sub(cut));
        let _ignored = parse_body(&bytes, Sender::Trusted { now_ms: 1_795_000_000_000 });
    }
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".*".prop_map(Value::from),
        "(https?|data|app):/{0,3}[a-z.]*/.*".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((".*", inner), 0..4).prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}
