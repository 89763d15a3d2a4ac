//! A batch from JSON of the shape in `types.d.ts`: the inverse of `record`.

use serde_json::Value;
use weir_event::codec;
use weir_event::model::{
    Control, ControlKind, DeleteSite, DeleteVisitor, Event, EventBatch, MoveSite, Property, Refused, Revenue, SCHEMA_VERSION,
};

use crate::error::Error;
use crate::fields::{DECIMAL, Fields, decimal, hex_bytes};
use crate::record::{BOT_NAMES, ORIGIN_NAMES};

const HEX: &str = "pairs of hex digits";

/// Makes a message of JSON. What it makes, every reader takes.
pub(crate) fn encode(json: &str) -> Result<Vec<u8>, Error> {
    let mut fields = Fields::parse(json)?;
    let batch = EventBatch {
        producer: fields.read("producer", HEX, hex_bytes)?,
        number: fields.number("number")?,
        formed_ms: fields.number("formed_ms")?,
        oldest_unsent_ms: fields.number("oldest_unsent_ms")?,
        batcher: fields.text("batcher")?,
        events: fields.list("events", event)?,
        controls: fields.list("controls", control)?,
        refused: fields.list("refused", refused)?,
        tombstones: Vec::new(),
    };
    fields.end()?;
    checked(&batch)
}

/// The batch's bytes, when they are a batch that every reader takes.
pub(crate) fn checked(batch: &EventBatch) -> Result<Vec<u8>, Error> {
    let bytes = codec::encode(batch);
    codec::decode(SCHEMA_VERSION, &bytes)?;
    Ok(bytes)
}

fn event(value: Value) -> Result<Event, Error> {
    let mut fields = Fields::of(value)?;
    let id = fields.read("id", "32 hex digits", id)?;
    let event = Event {
        id_high: (id >> 64) as u64,
        id_low: id as u64,
        retry: fields.flag("retry")?,
        event_ms: fields.number("event_ms")?,
        received_ms: fields.number("received_ms")?,
        site_id: fields.number("site_id")?,
        visitor_id: fields.read("visitor_id", DECIMAL, decimal)?,
        previous_visitor_id: fields.read("previous_visitor_id", DECIMAL, decimal)?,
        name: fields.text("name")?,
        hostname: fields.text("hostname")?,
        pathname: fields.text("pathname")?,
        referrer: fields.text("referrer")?,
        user_agent: fields.text("user_agent")?,
        utm_source: fields.text("utm_source")?,
        utm_medium: fields.text("utm_medium")?,
        utm_campaign: fields.text("utm_campaign")?,
        utm_content: fields.text("utm_content")?,
        utm_term: fields.text("utm_term")?,
        click_id: fields.text("click_id")?,
        country: fields.text("country")?,
        region: fields.text("region")?,
        city: fields.text("city")?,
        props: fields.list("props", property)?,
        revenue: fields.value("revenue").map(revenue).transpose()?,
        engagement_ms: fields.optional_number("engagement_ms")?,
        scroll_depth: fields.optional_number("scroll_depth")?,
        non_interactive: fields.flag("non_interactive")?,
        bot: mark(&mut fields, "bot", &BOT_NAMES)?,
        origin: mark(&mut fields, "origin", &ORIGIN_NAMES)?,
        tracker_version: fields.number("tracker_version")?,
    };
    fields.end()?;
    Ok(event)
}

fn id(text: &str) -> Option<u128> {
    match text.len() {
        0 => Some(0),
        32 if text.bytes().all(|byte| byte.is_ascii_hexdigit()) => u128::from_str_radix(text, 16).ok(),
        _ => None,
    }
}

fn property(value: Value) -> Result<Property, Error> {
    let pair = match value {
        Value::Array(pair) => <[Value; 2]>::try_from(pair).ok(),
        _ => None,
    };
    match pair {
        Some([Value::String(key), Value::String(value)]) => Ok(Property { key, value }),
        _ => Err(Error::Field { field: "props", form: "pairs of texts" }),
    }
}

fn revenue(value: Value) -> Result<Revenue, Error> {
    let mut fields = Fields::of(value)?;
    let amount_micros = fields.read("amount_micros", "a whole number as text", |text| text.parse().ok())?;
    let revenue = Revenue { currency: fields.text("currency")?, amount_micros };
    fields.end()?;
    Ok(revenue)
}

/// The number of an enumeration's value that is named, or numbered.
fn mark(fields: &mut Fields, field: &'static str, names: &[&str]) -> Result<i32, Error> {
    let number = match fields.value(field) {
        None => Some(0),
        Some(Value::String(name)) => names.iter().position(|known| *known == name).and_then(|index| i32::try_from(index).ok()),
        Some(value) => value.as_i64().and_then(|number| i32::try_from(number).ok()),
    };
    number.ok_or(Error::Field { field, form: "one of its names, or a number" })
}

fn control(value: Value) -> Result<Control, Error> {
    let mut fields = Fields::of(value)?;
    let control = Control {
        id: fields.read("id", HEX, hex_bytes)?,
        requested_ms: fields.number("requested_ms")?,
        kind: fields.value("kind").map(kind).transpose()?,
    };
    fields.end()?;
    Ok(control)
}

fn kind(value: Value) -> Result<ControlKind, Error> {
    let mut kinds = Fields::of(value)?;
    let (delete, to, visitor) = (kinds.value("delete_site"), kinds.value("move_site"), kinds.value("delete_visitor"));
    kinds.end()?;
    match (delete, to, visitor) {
        (Some(delete), None, None) => {
            let mut fields = Fields::of(delete)?;
            let delete = DeleteSite { site_id: fields.number("site_id")? };
            fields.end()?;
            Ok(ControlKind::DeleteSite(delete))
        }
        (None, Some(to), None) => {
            let mut fields = Fields::of(to)?;
            let to = MoveSite { site_id: fields.number("site_id")?, to_partition: fields.number("to_partition")? };
            fields.end()?;
            Ok(ControlKind::MoveSite(to))
        }
        (None, None, Some(delete)) => {
            let mut fields = Fields::of(delete)?;
            let visitor_id = fields.read("visitor_id", DECIMAL, decimal)?;
            let delete = DeleteVisitor { site_id: fields.number("site_id")?, visitor_id };
            fields.end()?;
            Ok(ControlKind::DeleteVisitor(delete))
        }
        _ => Err(Error::Field { field: "kind", form: "one of delete_site, move_site and delete_visitor" }),
    }
}

fn refused(value: Value) -> Result<Refused, Error> {
    let mut fields = Fields::of(value)?;
    let refused = Refused {
        site_id: fields.number("site_id")?,
        hour_ms: fields.number("hour_ms")?,
        reason: fields.text("reason")?,
        count: fields.number("count")?,
    };
    fields.end()?;
    Ok(refused)
}
