//! `weir tail`: the raw events of the stream with their positions.

use crate::cli::TailOptions;
use crate::output;
use crate::session::Session;
use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use weir_event::codec;
use weir_event::model::{BotMark, Event, EventBatch, Origin};
use weir_reader::stream::{self, Delivered, PartitionStream};

/// Batches that wait to be printed.
const WAITING_MAX: usize = 4;

/// Prints events until Ctrl-C, or to the present end of the stream.
pub(crate) async fn run(session: &Session, options: &TailOptions) -> Result<()> {
    let partitions: Vec<u32> =
        (0..session.run.partitions).filter(|partition| options.partition.is_none_or(|only| only == *partition)).collect();
    if partitions.is_empty() {
        bail!(
            "there is no partition {}: this system has 0 to {}",
            options.partition.unwrap_or_default(),
            session.run.partitions.saturating_sub(1)
        );
    }
    let (sender, mut receiver) = mpsc::channel(WAITING_MAX);
    for partition in partitions {
        let jetstream = session.jetstream.clone();
        let (region, options, sender) = (session.run.region.clone(), options.clone(), sender.clone());
        tokio::spawn(async move {
            if let Err(error) = follow(&jetstream, &region, partition, &options, &sender).await {
                // Nobody prints any more: then nobody asks for the error either.
                let _closed = sender.send(Err(error)).await;
            }
        });
    }
    drop(sender);
    loop {
        tokio::select! {
            batch = receiver.recv() => match batch {
                Some(lines) => output::line(&lines?)?,
                None => return Ok(()),
            },
            ended = tokio::signal::ctrl_c() => return ended.context("cannot listen to Ctrl-C"),
        }
    }
}

async fn follow(
    jetstream: &async_nats::jetstream::Context,
    region: &str,
    partition: u32,
    options: &TailOptions,
    sender: &mpsc::Sender<Result<String>>,
) -> Result<()> {
    let state = stream::state(jetstream, region, partition).await?;
    let from_seq = options.from_seq.map_or(state.last_seq + 1, |from_seq| from_seq.max(state.first_seq).max(1));
    if options.until_end && from_seq > state.last_seq {
        return Ok(());
    }
    let mut stream = PartitionStream::open(jetstream, region, partition, from_seq).await?;
    loop {
        let delivered = stream.next().await?;
        let seq = delivered.seq;
        let mut batch = codec::decode(delivered.schema, &delivered.payload)
            .with_context(|| format!("message {seq} of partition {region}.{partition}"))?;
        if !options.refused {
            batch.refused.clear();
        }
        let lines = lines(region, partition, &delivered, &batch);
        if !lines.is_empty() && sender.send(Ok(lines)).await.is_err() {
            return Ok(());
        }
        if options.until_end && seq >= state.last_seq {
            return Ok(());
        }
    }
}

/// A batch's events, control records and counts of refused events, one JSON object a line.
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
    let events = batch.events.iter().enumerate().map(|(index, event)| with(index, "event", event_json(event)));
    let controls = batch.controls.iter().enumerate().map(|(index, control)| {
        let value = json!({ "id": hex::encode(&control.id), "requested_ms": control.requested_ms, "kind": format!("{:?}", control.kind) });
        with(batch.events.len() + index, "control", value)
    });
    let behind = batch.events.len() + batch.controls.len();
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
