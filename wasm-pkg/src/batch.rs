//! A batch from a body and what the sender knows of its client. Knows nothing of JavaScript.

use weir_event::model::{BotMark, EventBatch, Origin};
use weir_event::validate::{Body, Context, Draft, Sender, parse_body};

use crate::error::Error;
use crate::fields::{DECIMAL, Fields, decimal, hex_bytes};
use crate::read::checked;

/// Random bytes of an event's id.
pub(crate) const ID_BYTES: usize = 16;

/// What the caller knows of itself and of the client.
#[derive(Debug)]
pub(crate) struct Known {
    producer: Vec<u8>,
    number: u64,
    is_trusted: bool,
    /// What all events have in common; the rest is each one's own.
    context: Context,
}

impl Known {
    /// Reads `BatchContext` of `types.d.ts`.
    pub(crate) fn parse(json: &str) -> Result<Self, Error> {
        let mut fields = Fields::parse(json)?;
        let given = |text: &str| decimal(text).filter(|_| !text.is_empty());
        let known = Self {
            producer: fields.read("producer", "32 hex digits", |text| hex_bytes(text).filter(|id| id.len() == ID_BYTES))?,
            number: required(&mut fields, "number")?,
            is_trusted: fields.flag("trusted")?,
            context: Context {
                id: 0,
                retry: false,
                event_ms: 0,
                received_ms: required(&mut fields, "received_ms")?,
                site_id: required(&mut fields, "site_id")?,
                visitor_id: fields.read("visitor_id", DECIMAL, given)?,
                previous_visitor_id: fields.read("previous_visitor_id", DECIMAL, decimal)?,
                user_agent: fields.text("user_agent")?,
                country: fields.text("country")?,
                region: fields.text("region")?,
                city: fields.text("city")?,
                bot: if fields.flag("headless")? { BotMark::Headless } else { BotMark::None },
                origin: Origin::Edge,
            },
        };
        fields.end()?;
        Ok(known)
    }
}

fn required<T: TryFrom<u64>>(fields: &mut Fields, field: &'static str) -> Result<T, Error> {
    fields.optional_number(field)?.ok_or(Error::Field { field, form: "given" })
}

/// The events of a body, all of them good.
pub(crate) fn drafts(body: &[u8], known: &Known) -> Result<Vec<Draft>, Error> {
    let sender = if known.is_trusted { Sender::Trusted { now_ms: known.context.received_ms } } else { Sender::Anyone };
    let outcomes = match parse_body(body, sender)? {
        Body::One(outcome) => vec![outcome],
        Body::Many(outcomes) => outcomes,
    };
    let named = |(index, outcome): (usize, Result<Draft, _>)| outcome.map_err(|errors| Error::Event { index, errors });
    outcomes.into_iter().enumerate().map(named).collect()
}

/// The batch of these events; `random` has [`ID_BYTES`] for each.
pub(crate) fn encode(drafts: Vec<Draft>, known: Known, random: &[u8]) -> Result<Vec<u8>, Error> {
    let (ids, rest) = random.as_chunks::<ID_BYTES>();
    if ids.len() != drafts.len() || !rest.is_empty() {
        return Err(Error::Random { wanted: drafts.len() * ID_BYTES, found: random.len() });
    }
    let event = |(draft, random): (Draft, &[u8; ID_BYTES])| {
        let common = known.context.clone();
        let context = Context {
            id: draft.id_for(common.site_id, u128::from_be_bytes(*random)),
            retry: draft.retry,
            event_ms: draft.event_ms(common.received_ms),
            user_agent: draft.claims.user_agent.clone().unwrap_or(common.user_agent),
            bot: if draft.is_bot { BotMark::Declared } else { common.bot },
            ..common
        };
        draft.into_event(&context)
    };
    let events = drafts.into_iter().zip(ids).map(event).collect();
    let formed_ms = known.context.received_ms;
    checked(&EventBatch { producer: known.producer, number: known.number, formed_ms, events, ..EventBatch::default() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_event::codec;

    const CONTEXT: &str = r#"{"site_id":7,"received_ms":1795000000000,"visitor_id":"18446744073709551615","country":"NZ",
        "producer":"000102030405060708090a0b0c0d0e0f","number":3}"#;
    const BODY: &str = r#"{"n":"pageview","u":"https://shop.example/a","d":"shop.example"}"#;

    fn made(body: &str, context: &str, random: &[u8]) -> Result<Vec<u8>, Error> {
        let known = Known::parse(context)?;
        encode(drafts(body.as_bytes(), &known)?, known, random)
    }

    #[test]
    fn an_encoded_batch_reads_back() {
        let bytes = made(BODY, CONTEXT, &[9; 16]).expect("a good event");
        let batch = codec::decode(1, &bytes).expect("a batch");
        assert_eq!((batch.number, batch.events.len()), (3, 1));
        assert_eq!(batch.events[0].visitor_id, u64::MAX);
        assert_eq!(batch.events[0].pathname, "/a");
        assert_eq!(batch.events[0].id(), u128::from_be_bytes([9; 16]));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (body, context, random, expected) in [
            ("{", CONTEXT, 16, "request: Unable to parse request body as json"),
            (r#"{"n":"pageview","d":"a.example"}"#, CONTEXT, 16, "event 0: url: is required"),
            (BODY, CONTEXT, 15, "random must have 16 bytes an event, 16 in all, it has 15"),
            (BODY, &CONTEXT.replace("0e0f", "0e"), 16, "producer must be 32 hex digits"),
            (BODY, &CONTEXT.replace("184467", "x"), 16, "visitor_id must be a decimal number below 2^64"),
            (BODY, &CONTEXT.replace("\"number\":3", "\"number\":-3"), 16, "number must be a whole number within its limits"),
            (BODY, &CONTEXT.replace("\"number\":3", "\"nunber\":3"), 16, "number must be given"),
            (BODY, &CONTEXT.replace("country", "land"), 16, "land is no field"),
            (BODY, "[]", 16, "must be an object"),
        ] {
            let error = made(body, context, &vec![0; random]).expect_err("must be refused");
            assert_eq!(error.to_string(), expected);
        }
    }

    #[test]
    fn what_the_sender_says_is_kept_as_the_edge_keeps_it() {
        let body = r#"{"n":"x","u":"https://a.example","id":"000102030405060708090a0b0c0d0e0f","age":1000,"retry":true,"bot":true,
            "timestamp":"2026-11-18T11:06:30Z","user_agent":"App/1"}"#;
        let event = |context: &str| {
            let bytes = made(body, context, &[9; 16]).expect("a good event");
            codec::decode(1, &bytes).expect("a batch").events.remove(0)
        };
        let anyone = event(CONTEXT);
        let id = weir_event::identity::event_id(0x0001_0203_0405_0607_0809_0a0b_0c0d_0e0f, 7);
        assert_eq!((anyone.id(), anyone.retry, anyone.bot), (id, true, BotMark::Declared.into()));
        assert_eq!((anyone.event_ms, anyone.user_agent.as_str()), (1_794_999_999_000, ""));
        let trusted = event(&CONTEXT.replace("\"country\"", "\"trusted\":true,\"country\""));
        assert_eq!((trusted.event_ms, trusted.user_agent.as_str()), (1_794_999_990_000, "App/1"));
    }
}
