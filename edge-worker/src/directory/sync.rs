//! The directory's requests to NATS: sites, salts and keys from their buckets, refused payloads to their stream.

use bytes::Bytes;
use serde_json::json;
use weir_event::subject::{KEYS_BUCKET, SALTS_BUCKET, SITES_BUCKET, rejected_subject};

use super::changes::{self, Change};
use crate::nats::answer::{Answer, NO_MESSAGE, NatsError, PubAck, StoredMessage, StreamInfo, WRONG_LAST_SEQUENCE, parse};
use crate::nats::connection::{Connection, Outgoing};

/// How long one request may take, milliseconds. The connection is given up after it.
const TIMEOUT_MS: u64 = 3_000;
/// Messages of one request for sites.
const BATCH: usize = 500;
/// Status that ends a batch of messages.
const END_OF_BATCH: u16 = 204;
/// Status of what is not there.
const NOT_FOUND: u16 = 404;

/// The bucket's stream: when it was created, and its last sequence.
pub(crate) async fn sites_stream(nats: &Connection) -> Result<StreamInfo, NatsError> {
    parse(&nats.request(request(format!("$JS.API.STREAM.INFO.KV_{SITES_BUCKET}"), Bytes::new()), TIMEOUT_MS).await?)
}

/// The next changes after a sequence, at most [`BATCH`] messages, each with its sequence. Empty when there is nothing more. A message that
/// cannot be read is reported and passed over.
pub(crate) async fn sites_after(nats: &Connection, sequence: u64) -> Result<Vec<(u64, Option<Change>)>, NatsError> {
    let query = json!({ "seq": sequence + 1, "next_by_subj": format!("$KV.{SITES_BUCKET}.>"), "batch": BATCH });
    let outgoing = request(format!("$JS.API.DIRECT.GET.KV_{SITES_BUCKET}"), Bytes::from(query.to_string()));
    let answers = nats.request_many(outgoing, TIMEOUT_MS, |answer| answer.status.is_some()).await?;
    let mut found = Vec::with_capacity(answers.len());
    for answer in answers {
        match answer.status {
            None => found.push((answer.sequence, read(&answer))),
            Some(END_OF_BATCH | NOT_FOUND) => {}
            Some(status) => return Err(NatsError::Status { status }),
        }
    }
    Ok(found)
}

/// Whether the bucket's leader has the message at a sequence.
pub(crate) async fn has_sites_message(nats: &Connection, sequence: u64) -> Result<bool, NatsError> {
    let query = Bytes::from(json!({ "seq": sequence }).to_string());
    let outgoing = request(format!("$JS.API.STREAM.MSG.GET.KV_{SITES_BUCKET}"), query);
    match parse::<StoredMessage>(&nats.request(outgoing, TIMEOUT_MS).await?) {
        Ok(_) => Ok(true),
        Err(NatsError::Refused { code: NO_MESSAGE, .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

fn read(answer: &Answer) -> Option<Change> {
    changes::read(&answer.subject, answer.deleted, &answer.payload).unwrap_or_else(|error| {
        worker::console_error!("{} at {} is passed over: {error}", answer.subject, answer.sequence);
        None
    })
}

/// The salt of a day, when there is one.
pub(crate) async fn salt(nats: &Connection, day: &str) -> Result<Option<String>, NatsError> {
    value(nats, SALTS_BUCKET, day).await
}

/// The record of the API key with this hash, when there is one.
pub(crate) async fn key(nats: &Connection, hash: &str) -> Result<Option<String>, NatsError> {
    value(nats, KEYS_BUCKET, hash).await
}

/// Puts a refused payload on the region's stream.
pub(crate) async fn put_rejected(nats: &Connection, region: &str, payload: Bytes) -> Result<(), NatsError> {
    parse::<PubAck>(&nats.request(request(rejected_subject(region), payload), TIMEOUT_MS).await?).map(|_| ())
}

async fn value(nats: &Connection, bucket: &str, key: &str) -> Result<Option<String>, NatsError> {
    let subject = format!("$JS.API.DIRECT.GET.KV_{bucket}.$KV.{bucket}.{key}");
    let answer = nats.request(request(subject, Bytes::new()), TIMEOUT_MS).await?;
    match answer.status {
        Some(NOT_FOUND) => Ok(None),
        Some(status) => Err(NatsError::Status { status }),
        None if answer.deleted => Ok(None),
        None => Ok(Some(String::from_utf8_lossy(&answer.payload).into_owned())),
    }
}

/// Offers a salt for a day. Whether it won or another edge was first, the bucket has one afterwards.
pub(crate) async fn offer_salt(nats: &Connection, day: &str, salt: String) -> Result<(), NatsError> {
    let headers = vec![("Nats-Expected-Last-Subject-Sequence", "0".to_owned())];
    let outgoing = Outgoing { subject: format!("$KV.{SALTS_BUCKET}.{day}"), headers, payload: Bytes::from(salt) };
    match parse::<PubAck>(&nats.request(outgoing, TIMEOUT_MS).await?) {
        Ok(_) | Err(NatsError::Refused { code: WRONG_LAST_SEQUENCE, .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

fn request(subject: String, payload: Bytes) -> Outgoing {
    Outgoing { subject, headers: Vec::new(), payload }
}
