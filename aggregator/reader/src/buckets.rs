//! The control buckets: reading a key from the leader, following all keys of a bucket.

use crate::backoff::Backoff;
use crate::error::ReaderError;
use crate::pull::{self, Pull};
use async_nats::HeaderMap;
use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::consumer::DeliverPolicy;
use async_nats::jetstream::context::PublishErrorKind;
use async_nats::jetstream::stream::RawMessageErrorKind;
use async_nats::jetstream::{Context, Message};
use bytes::Bytes;
use std::collections::VecDeque;

/// Header by which a bucket marks a deleted key.
const OPERATION_HEADER: &str = "KV-Operation";

/// The value of a key, and since which revision of the bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// The value; `None` = deleted.
    pub value: Option<Bytes>,
    /// Revision in the bucket: what a compare-and-set names.
    pub revision: u64,
}

/// What a watch tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A key has this value now. The same entry may be told again after a lost connection; the revision of a key never falls.
    Entry(Entry),
    /// All keys that were there when the watch began have been told. Comes once.
    CaughtUp,
}

fn stream_of(bucket: &str) -> String {
    format!("KV_{bucket}")
}

/// Reads a key from the bucket's leader: never a stale value. `None` when the key was never written; a deleted one has no value.
pub async fn get(jetstream: &Context, bucket: &str, key: &str) -> Result<Option<Entry>, ReaderError> {
    let stream =
        jetstream.get_stream_no_info(stream_of(bucket)).await.map_err(|cause| ReaderError::request("binding a bucket", cause))?;
    match stream.get_last_raw_message_by_subject(&format!("$KV.{bucket}.{key}")).await {
        Ok(message) => {
            let is_deleted = message.headers.get(OPERATION_HEADER).is_some();
            let value = (!is_deleted).then_some(message.payload);
            Ok(Some(Entry { key: key.to_owned(), value, revision: message.sequence }))
        }
        Err(error) => match error.kind() {
            RawMessageErrorKind::NoMessageFound => Ok(None),
            RawMessageErrorKind::JetStream(cause) if cause.error_code() == ErrorCode::NO_MESSAGE_FOUND => Ok(None),
            RawMessageErrorKind::JetStream(cause) if cause.error_code() == ErrorCode::STREAM_NOT_FOUND => {
                Err(ReaderError::StreamMissing { stream: stream_of(bucket) })
            }
            _ => Err(ReaderError::request("reading a key", error)),
        },
    }
}

/// Sends a value that the server takes only while the key's revision is `expected` (0 = never written); the new revision.
pub(crate) async fn publish_expecting(
    jetstream: &Context,
    bucket: &str,
    key: &str,
    expected: u64,
    value: Bytes,
) -> Result<u64, PublishErrorKind> {
    send_expecting(jetstream, bucket, key, expected, value, HeaderMap::new()).await
}

/// Deletes a key if its revision is `expected`; the new revision.
pub(crate) async fn delete_expecting(
    jetstream: &Context,
    bucket: &str,
    key: &str,
    expected: u64,
) -> Result<u64, PublishErrorKind> {
    let mut headers = HeaderMap::new();
    headers.insert(OPERATION_HEADER, "DEL");
    send_expecting(jetstream, bucket, key, expected, Bytes::new(), headers).await
}

async fn send_expecting(
    jetstream: &Context,
    bucket: &str,
    key: &str,
    expected: u64,
    value: Bytes,
    mut headers: HeaderMap,
) -> Result<u64, PublishErrorKind> {
    headers.insert("Nats-Expected-Last-Subject-Sequence", expected.to_string().as_str());
    let subject = format!("$KV.{bucket}.{key}");
    let acknowledgement = jetstream.publish_with_headers(subject, headers, value).await.map_err(|error| error.kind())?;
    acknowledgement.await.map(|done| done.sequence).map_err(|error| error.kind())
}

/// Follows the keys of a bucket that match a filter, first those that are there.
pub struct Watch {
    jetstream: Context,
    bucket: String,
    filter: String,
    messages: Option<Pull>,
    told: VecDeque<Change>,
    to_come: Option<u64>,
    backoff: Backoff,
}

/// Starts to follow the keys that match `filter` (`>` = all). Losses of the connection are repaired inside.
pub async fn watch(jetstream: &Context, bucket: &str, filter: &str) -> Result<Watch, ReaderError> {
    let mut watch = Watch {
        jetstream: jetstream.clone(),
        bucket: bucket.to_owned(),
        filter: filter.to_owned(),
        messages: None,
        told: VecDeque::new(),
        to_come: Some(0),
        backoff: Backoff::default(),
    };
    watch.open().await?;
    Ok(watch)
}

impl Watch {
    /// The next change; waits for one. Trying again after a lost connection goes on for ever.
    ///
    /// Dropping the future loses nothing, but makes a repair that is under way begin anew.
    pub async fn next(&mut self) -> Change {
        loop {
            if let Some(change) = self.told.pop_front() {
                return change;
            }
            match self.step().await {
                Ok(()) => self.backoff.reset(),
                Err(error) => {
                    if !self.backoff.is_failing() {
                        tracing::warn!(bucket.name = self.bucket, %error, "bucket cannot be read, trying again");
                    }
                    self.messages = None;
                    self.backoff.wait().await;
                }
            }
        }
    }

    async fn open(&mut self) -> Result<(), ReaderError> {
        let subject = format!("$KV.{}.{}", self.bucket, self.filter);
        let opened = pull::open(&self.jetstream, &stream_of(&self.bucket), DeliverPolicy::LastPerSubject, subject).await?;
        let pending = opened.pending;
        self.messages = Some(opened);
        if self.to_come.is_some() {
            self.expect(pending);
        }
        Ok(())
    }

    fn expect(&mut self, pending: u64) {
        self.to_come = (pending > 0).then_some(pending);
        if pending == 0 {
            self.told.push_back(Change::CaughtUp);
        }
    }

    async fn step(&mut self) -> Result<(), ReaderError> {
        let Some(messages) = self.messages.as_mut() else {
            return self.open().await;
        };
        let message = messages.next().await?;
        let (entry, pending) = entry(&self.bucket, &message)?;
        self.told.push_back(Change::Entry(entry));
        if self.to_come.is_some() {
            self.expect(pending);
        }
        Ok(())
    }
}

fn entry(bucket: &str, message: &Message) -> Result<(Entry, u64), ReaderError> {
    let info = message.info().map_err(|cause| ReaderError::Request { operation: "reading a key's revision", cause })?;
    let subject = message.subject.as_str();
    let key = subject.strip_prefix("$KV.").and_then(|rest| rest.strip_prefix(bucket)).and_then(|rest| rest.strip_prefix('.'));
    let is_deleted = message.headers.as_ref().is_some_and(|headers| headers.get(OPERATION_HEADER).is_some());
    let entry = Entry {
        key: key.unwrap_or(subject).to_owned(),
        value: (!is_deleted).then(|| message.payload.clone()),
        revision: info.stream_sequence,
    };
    Ok((entry, info.pending))
}
