//! Asking for data to be forgotten: a control record on the stream of the partition that has it.

use super::random;
use crate::backoff::Backoff;
use crate::error::ReaderError;
use async_nats::jetstream::Context;
use async_nats::jetstream::message::PublishMessage;
use bytes::Bytes;
use weir_event::codec;
use weir_event::model::{Control, ControlKind, EventBatch, SCHEMA_VERSION};
use weir_event::subject::{SCHEMA_HEADER, events_subject, message_id};

/// Attempts that the server does not confirm.
const ATTEMPTS_MAX: u32 = 5;
/// Length of ids, bytes.
const ID_BYTES: usize = 16;
/// Name of the sender in the batch.
const SENDER: &str = "control";

/// A control record that is on the stream: what it covers is hidden from here on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Its id, by which its receipt is found.
    pub id: String,
    /// The partition.
    pub partition: u32,
    /// Its sequence.
    pub seq: u64,
}

/// Puts a control record onto a partition's stream. It takes effect once, however often it is sent.
///
/// # Errors
/// When the server does not confirm it. It may be on the stream all the same.
pub async fn ask(
    jetstream: &Context,
    region: &str,
    partition: u32,
    kind: ControlKind,
    now_ms: u64,
) -> Result<Asked, ReaderError> {
    let (id, producer) = (random::bytes::<ID_BYTES>()?, random::bytes::<ID_BYTES>()?);
    let batch = EventBatch {
        producer: producer.to_vec(),
        number: 1,
        formed_ms: now_ms,
        batcher: SENDER.to_owned(),
        controls: vec![Control { id: id.to_vec(), requested_ms: now_ms, kind: Some(kind) }],
        ..EventBatch::default()
    };
    let (subject, payload) = (events_subject(region, partition), Bytes::from(codec::encode(&batch)));
    let message_id = message_id(&batch.producer, batch.number);
    let mut backoff = Backoff::default();
    let mut attempts = 1;
    loop {
        let message = PublishMessage::build()
            .payload(payload.clone())
            .message_id(&message_id)
            .header(SCHEMA_HEADER, SCHEMA_VERSION.to_string().as_str());
        let sent = async { jetstream.send_publish(subject.clone(), message).await?.await };
        match sent.await {
            Ok(ack) => return Ok(Asked { id: hex::encode(id), partition, seq: ack.sequence }),
            Err(cause) if attempts >= ATTEMPTS_MAX => {
                return Err(ReaderError::request("storing a control record", cause));
            }
            Err(_) => {
                attempts += 1;
                backoff.wait().await;
            }
        }
    }
}
