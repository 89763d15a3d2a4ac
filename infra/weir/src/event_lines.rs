//! Raw events of the stream as lines of JSON, each with its position.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use weir_event::codec;
use weir_event::erase::Slot;
use weir_event::model::{BotMark, Event, EventBatch, Origin};
use weir_reader::stream::Delivered;

/// A message's events and control records, and with `refused` its counts of refused events, one JSON object a line; empty when it has none of them.
pub(crate) fn of(region: &str, partition: u32, delivered: &Delivered, refused: bool) -> Result<String> {
    let mut batch = codec::decode(delivered.schema, &delivered.payload)
        .with_context(|| format!("message {} of partition {region}.{partition}", delivered.seq))?;
    if !refused {
        batch.refused.clear();
    }
    Ok(lines(region, partition, delivered, &batch))
}

fn lines(region: &str, partition: u32, delivered: &Delivered, batch: &EventBatch) -> String {
    let head = |index: usize| {
        json!({
            "region": region, "partition": partition, "seq": delivered.seq, "index": index, "stream_ms": delivered.stream_ms,
            "producer": hex::encode(&batch.producer), "number": batch.number, "batcher": batch.batcher,
        })
    };
    let with = |index: usize, name: &str, value: Value| {
        let mut line = head(index);
        line[name] = value;
        line.to_string()
    };
    let events = batch.slots().map(|(index, slot)| match slot {
        Slot::Event(event) => with(index as usize, "event", event_json(event)),
        Slot::Erased(tombstone) => {
            with(index as usize, "erased", json!({ "site_id": tombstone.site_id, "hour_ms": tombstone.hour_ms }))
        }
    });
    let places = batch.places() as usize;
    let controls = batch.controls.iter().enumerate().map(|(index, control)| {
        let value = json!({ "id": hex::encode(&control.id), "requested_ms": control.requested_ms, "kind": format!("{:?}", control.kind) });
        with(places + index, "control", value)
    });
    let behind = places + batch.controls.len();
    let refused = batch.refused.iter().enumerate().map(|(index, refused)| {
        let value =
            json!({ "site_id": refused.site_id, "hour_ms": refused.hour_ms, "reason": refused.reason, "count": refused.count });
        with(behind + index, "refused", value)
    });
    events.chain(controls).chain(refused).collect::<Vec<_>>().join("\n")
}

fn event_json(event: &Event) -> Value {
    // Ids have 64 bits, more than a JSON number keeps in many programs: they are text.
    let id = |id: u64| format!("{id:016x}");
    json!({
        "id": format!("{:032x}", event.id()),
        "retry": event.retry,
        "event_ms": event.event_ms,
        "received_ms": event.received_ms,
        "site_id": event.site_id,
        "visitor_id": id(event.visitor_id),
        "previous_visitor_id": id(event.previous_visitor_id),
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
        "props": event.props.iter().map(|property| json!([property.key, property.value])).collect::<Vec<_>>(),
        "revenue": event.revenue.as_ref().map(|revenue| json!({ "currency": revenue.currency, "amount_micros": revenue.amount_micros })),
        "engagement_ms": event.engagement_ms,
        "scroll_depth": event.scroll_depth,
        "non_interactive": event.non_interactive,
        "bot": BotMark::try_from(event.bot).map_or_else(|_| event.bot.to_string(), |mark| format!("{mark:?}").to_lowercase()),
        "origin": Origin::try_from(event.origin).map_or_else(|_| event.origin.to_string(), |origin| format!("{origin:?}").to_lowercase()),
        "tracker_version": event.tracker_version,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_event::model::Refused;

    #[test]
    fn every_event_is_a_line_with_its_position() {
        let event = Event { id_high: 1, id_low: 2, name: "pageview".into(), pathname: "/\n".into(), ..Event::default() };
        let batch = EventBatch {
            producer: vec![0xab],
            number: 7,
            batcher: "local/0/0".into(),
            events: vec![event.clone(), event],
            refused: vec![Refused { site_id: 3, hour_ms: 0, reason: "url".into(), count: 4 }],
            ..EventBatch::default()
        };
        let delivered = Delivered { seq: 5, stream_ms: 9, message_id: String::new(), schema: 1, payload: Vec::new().into() };
        let text = lines("local", 0, &delivered, &batch);
        let parsed: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(parsed.len(), 3);
        assert_eq!(parsed[2]["refused"], json!({"site_id": 3, "hour_ms": 0, "reason": "url", "count": 4}));
        assert_eq!((parsed[1]["seq"].as_u64(), parsed[1]["index"].as_u64()), (Some(5), Some(1)));
        assert_eq!(parsed[0]["event"]["id"], "00000000000000010000000000000002");
        assert_eq!(parsed[0]["event"]["pathname"], "/\n");
        assert_eq!(parsed[0]["producer"], "ab");
    }
}
