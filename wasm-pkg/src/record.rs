//! A batch as JSON, field by field as in `types.d.ts`. Knows nothing of JavaScript.
//!
//! Ids and money have 64 bits and more: they are text. Times and counts are numbers, and no larger than a JavaScript number holds exactly.

use serde_json::{Value, json};
use weir_event::codec;
use weir_event::model::{BotMark, Control, ControlKind, Event, Origin, Refused, Revenue};

use crate::error::Error;

/// Largest whole number that a JavaScript number holds exactly with all below it.
const SAFE_INTEGER_MAX: u64 = (1 << 53) - 1;
/// The marks in the order of their numbers, which are 0, 1, 2.
const BOTS: [BotMark; 3] = [BotMark::None, BotMark::Declared, BotMark::Headless];
/// Their names.
pub(crate) const BOT_NAMES: [&str; 3] = ["none", "declared", "headless"];
/// The origins in the order of their numbers, which are 0, 1.
const ORIGINS: [Origin; 2] = [Origin::Edge, Origin::Import];
/// Their names.
pub(crate) const ORIGIN_NAMES: [&str; 2] = ["edge", "import"];

/// Reads a message of the stream and says it as JSON.
pub(crate) fn decode(schema: u32, bytes: &[u8]) -> Result<String, Error> {
    let batch = codec::decode(schema, bytes)?;
    let record = json!({
        "producer": hex::encode(&batch.producer),
        "number": safe("number", batch.number)?,
        "formed_ms": safe("formed_ms", batch.formed_ms)?,
        "oldest_unsent_ms": safe("oldest_unsent_ms", batch.oldest_unsent_ms)?,
        "batcher": batch.batcher,
        "events": list(&batch.events, event)?,
        "controls": list(&batch.controls, control)?,
        "refused": list(&batch.refused, refused)?,
    });
    Ok(record.to_string())
}

fn event(event: &Event) -> Result<Value, Error> {
    let props: Vec<Value> = event.props.iter().map(|property| json!([property.key, property.value])).collect();
    let money = |revenue: &Revenue| json!({ "currency": revenue.currency, "amount_micros": revenue.amount_micros.to_string() });
    Ok(json!({
        "id": format!("{:032x}", event.id()),
        "retry": event.retry,
        "event_ms": safe("event_ms", event.event_ms)?,
        "received_ms": safe("received_ms", event.received_ms)?,
        "site_id": event.site_id,
        "visitor_id": event.visitor_id.to_string(),
        "previous_visitor_id": event.previous_visitor_id.to_string(),
        "name": event.name,
        "hostname": event.hostname,
        "pathname": event.pathname,
        "referrer": event.referrer,
        "user_agent": event.user_agent,
        "utm_source": event.utm_source,
        "utm_medium": event.utm_medium,
        "utm_campaign": event.utm_campaign,
        "utm_content": event.utm_content,
        "utm_term": event.utm_term,
        "click_id": event.click_id,
        "country": event.country,
        "region": event.region,
        "city": event.city,
        "props": props,
        "revenue": event.revenue.as_ref().map(money),
        "engagement_ms": event.engagement_ms,
        "scroll_depth": event.scroll_depth,
        "non_interactive": event.non_interactive,
        "bot": mark(event.bot, &BOTS.map(i32::from), &BOT_NAMES),
        "origin": mark(event.origin, &ORIGINS.map(i32::from), &ORIGIN_NAMES),
        "tracker_version": event.tracker_version,
    }))
}

fn control(control: &Control) -> Result<Value, Error> {
    let kind = control.kind.as_ref().map(|kind| match kind {
        ControlKind::DeleteSite(delete) => json!({ "delete_site": { "site_id": delete.site_id } }),
        ControlKind::MoveSite(to) => json!({ "move_site": { "site_id": to.site_id, "to_partition": to.to_partition } }),
        ControlKind::DeleteVisitor(delete) => {
            json!({ "delete_visitor": { "site_id": delete.site_id, "visitor_id": delete.visitor_id.to_string() } })
        }
    });
    let requested_ms = safe("requested_ms", control.requested_ms)?;
    Ok(json!({ "id": hex::encode(&control.id), "requested_ms": requested_ms, "kind": kind }))
}

fn refused(refused: &Refused) -> Result<Value, Error> {
    let (hour_ms, count) = (safe("hour_ms", refused.hour_ms)?, safe("count", refused.count)?);
    Ok(json!({ "site_id": refused.site_id, "hour_ms": hour_ms, "reason": refused.reason, "count": count }))
}

fn list<T>(items: &[T], one: impl Fn(&T) -> Result<Value, Error>) -> Result<Value, Error> {
    Ok(Value::Array(items.iter().map(one).collect::<Result<_, _>>()?))
}

/// The name of an enumeration's value, or its number where it has no name yet.
fn mark(number: i32, numbers: &[i32], names: &[&'static str]) -> Value {
    let name = numbers.iter().zip(names).find(|(known, _)| **known == number);
    name.map_or_else(|| number.into(), |(_, name)| (*name).into())
}

fn safe(field: &'static str, number: u64) -> Result<u64, Error> {
    if number > SAFE_INTEGER_MAX { Err(Error::UnsafeInteger { field, number }) } else { Ok(number) }
}

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
