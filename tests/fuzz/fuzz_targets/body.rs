//! Bodies of `POST /api/event`: an event that is taken survives the way to the stream and back unchanged, and names no address of its sender.
#![no_main]

use std::net::IpAddr;

use libfuzzer_sys::fuzz_target;
use weir_event::codec;
use weir_event::model::{BotMark, Event, EventBatch, Origin, SCHEMA_VERSION};
use weir_event::redact::blank_address;
use weir_event::validate::{AGE_MS_MAX, Body, Context, DOMAINS_MAX, Draft, PROPS_MAX, Sender, parse_body};

const NOW_MS: u64 = 1_795_000_000_000;

fuzz_target!(|data: &[u8]| {
    // The first byte chooses the sender: the same body may be a browser's or a server's.
    let Some((first, body)) = data.split_first() else { return };
    let sender = if first % 2 == 0 { Sender::Anyone } else { Sender::Trusted { now_ms: NOW_MS } };
    match parse_body(body, sender) {
        Ok(Body::One(outcome)) => judge(vec![outcome]),
        Ok(Body::Many(outcomes)) => judge(outcomes),
        Err(error) => assert!(error.json().is_object()),
    }
});

fn judge(outcomes: Vec<Result<Draft, weir_event::validate::EventErrors>>) {
    let mut events = Vec::new();
    for (index, outcome) in outcomes.into_iter().enumerate() {
        match outcome {
            Ok(draft) => events.push(taken(draft)),
            Err(errors) => {
                assert!(!errors.field().is_empty());
                assert!(errors.json()["errors"].as_object().is_some_and(|fields| !fields.is_empty()));
                assert_eq!(errors.json_at(index)["index"], index);
            }
        }
    }
    let batch = EventBatch { producer: vec![1; 16], number: 1, events, ..EventBatch::default() };
    let bytes = codec::encode(&batch);
    if bytes.len() <= codec::BATCH_BYTES_MAX {
        assert_eq!(codec::decode(SCHEMA_VERSION, &bytes), Ok(batch));
    }
}

fn taken(mut draft: Draft) -> Event {
    assert!((1..=DOMAINS_MAX).contains(&draft.domains.len()), "{:?}", draft.domains);
    assert!(!draft.name.is_empty() && draft.pathname.starts_with('/') && !draft.hostname.is_empty(), "{draft:?}");
    assert!(draft.props.len() <= PROPS_MAX);
    let event_ms = draft.event_ms(NOW_MS);
    assert!(event_ms <= NOW_MS && event_ms >= NOW_MS - AGE_MS_MAX, "{event_ms}");
    let address = draft.claims.address.unwrap_or(IpAddr::from([192, 0, 2, 1]));
    draft.redact_address(&address);
    let event = draft.clone().into_event(&Context {
        id: draft.id_for(7, 9),
        retry: draft.retry,
        event_ms,
        received_ms: NOW_MS,
        site_id: 7,
        visitor_id: 1,
        previous_visitor_id: 0,
        user_agent: draft.claims.user_agent.clone().unwrap_or_default(),
        country: draft.name.clone(),
        region: draft.pathname.clone(),
        city: draft.hostname.clone(),
        bot: BotMark::None,
        origin: Origin::Edge,
    });
    assert_ne!(event.id(), 0);
    let props = event.props.iter().flat_map(|property| [&property.key, &property.value]);
    for text in [&event.name, &event.hostname, &event.pathname, &event.referrer, &event.utm_source, &event.utm_term]
        .into_iter()
        .chain(props)
    {
        assert!(!text.contains('\0'), "{text:?}");
        assert_eq!(blank_address(text, &address), None, "{text:?} holds {address}");
    }
    event
}
