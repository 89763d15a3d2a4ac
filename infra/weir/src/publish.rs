//! One batch onto the stream: sent until it is acknowledged, always the same bytes.

use anyhow::{Context as _, Result, bail};
use async_nats::jetstream::Context;
use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use bytes::Bytes;
use std::time::Duration;
use tokio::time::Instant;
use weir_event::codec;
use weir_event::model::{EventBatch, SCHEMA_VERSION};
use weir_event::subject::{SCHEMA_HEADER, events_subject, message_id};

/// A batch ready to be published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Batch {
    /// Counts from 1 without gaps.
    pub(crate) number: u64,
    /// Its `Nats-Msg-Id`.
    pub(crate) message_id: String,
    /// Its bytes.
    pub(crate) payload: Vec<u8>,
}

impl Batch {
    /// Freezes a batch.
    pub(crate) fn new(batch: &EventBatch) -> Self {
        Self { number: batch.number, message_id: message_id(&batch.producer, batch.number), payload: codec::encode(batch) }
    }
}

/// How long a batch is tried.
const TRIED_FOR: Duration = Duration::from_secs(90);

/// Returns when the batch is on stable storage. The next one may be sent only then: numbers must arrive in order.
pub(crate) async fn publish(jetstream: &Context, region: &str, partition: u32, batch: &Batch) -> Result<()> {
    let subject = events_subject(region, partition);
    let payload = Bytes::from(batch.payload.clone());
    let deadline = Instant::now() + TRIED_FOR;
    let mut pause = Duration::from_millis(50);
    loop {
        let error = match attempt(jetstream, &subject, batch, payload.clone()).await {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        if is_full(&error) {
            bail!(
                "the stream of partition {region}.{partition} is full: nothing more is taken until the disk has room and the limit is raised"
            );
        }
        if Instant::now() > deadline {
            return Err(error).with_context(|| format!("batch {} could not be stored", batch.number));
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(2));
    }
}

async fn attempt(jetstream: &Context, subject: &str, batch: &Batch, payload: Bytes) -> Result<(), PublishError> {
    let message = PublishMessage::build()
        .payload(payload)
        .message_id(&batch.message_id)
        .header(SCHEMA_HEADER, SCHEMA_VERSION.to_string().as_str());
    // An acknowledgement "duplicate" means that it is stored already.
    jetstream.send_publish(subject.to_owned(), message).await?.await.map(|_| ())
}

fn is_full(error: &PublishError) -> bool {
    matches!(error.kind(), PublishErrorKind::Other) && format!("{error:?}").contains("maximum bytes exceeded")
}
