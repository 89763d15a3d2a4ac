//! A named consumer without acknowledgements: what an ordered consumer is made of.
//!
//! The client's own ordered consumer starts a replacement without asking whether the stream is still the same, and without a name it needs
//! wider permissions. So this crate makes its consumers itself, and whoever reads one checks the sequence of every message.

use crate::error::ReaderError;
use async_nats::Client;
use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::consumer::pull::{Config, Stream};
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy};
use async_nats::jetstream::context::RequestErrorKind;
use async_nats::jetstream::response::Response;
use async_nats::jetstream::{Context, Message};
use futures::StreamExt;
use serde::Deserialize;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Messages in flight to one consumer: 64 × 0.9 MB stay under 60 MB, 64 × 50 KB suffice for full speed.
const PULL_MESSAGES: usize = 64;

/// Pause between looks at the connection while no message comes.
const CONNECTION_CHECK_EVERY: Duration = Duration::from_millis(250);

/// What the server says of a stream.
#[derive(Debug, Deserialize)]
pub(crate) struct Info {
    pub(crate) created: String,
    pub(crate) state: InfoState,
}

#[derive(Debug, Deserialize)]
pub(crate) struct InfoState {
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
    pub(crate) first_seq: u64,
    pub(crate) last_seq: u64,
}

/// Asks the leader for the state of a stream.
pub(crate) async fn info(jetstream: &Context, stream: &str) -> Result<Info, ReaderError> {
    let answer: Result<Response<Info>, _> = jetstream.request(format!("STREAM.INFO.{stream}"), &()).await;
    match answer {
        Ok(Response::Ok(info)) => Ok(info),
        Ok(Response::Err { error }) if error.error_code() == ErrorCode::STREAM_NOT_FOUND => {
            Err(ReaderError::StreamMissing { stream: stream.to_owned() })
        }
        Ok(Response::Err { error }) => Err(ReaderError::request("stream information", error)),
        Err(error) if error.kind() == RequestErrorKind::NoResponders => {
            Err(ReaderError::request("stream information", "JetStream does not answer"))
        }
        Err(error) => Err(ReaderError::request("stream information", error)),
    }
}

/// Deletes all messages of a stream before a sequence.
pub(crate) async fn purge(jetstream: &Context, stream: &str, before_seq: u64) -> Result<(), ReaderError> {
    #[derive(Deserialize)]
    struct Purged {}
    let request = serde_json::json!({ "seq": before_seq });
    let answer: Result<Response<Purged>, _> = jetstream.request(format!("STREAM.PURGE.{stream}"), &request).await;
    match answer {
        Ok(Response::Ok(Purged {})) => Ok(()),
        Ok(Response::Err { error }) => Err(ReaderError::request("purging a stream", error)),
        Err(error) => Err(ReaderError::request("purging a stream", error)),
    }
}

/// A consumer that is read.
pub(crate) struct Pull {
    /// Messages that it had to deliver when it was made.
    pub(crate) pending: u64,
    messages: Stream,
    client: Client,
    /// Connections that the client had made until then.
    connects: u64,
}

impl Pull {
    /// The next message; waits for one. After an error a new consumer must be made.
    ///
    /// A new connection counts as an error: the server may have restarted and lost the consumer, which its missing heartbeats would tell
    /// only 10 s later.
    pub(crate) async fn next(&mut self) -> Result<Message, ReaderError> {
        loop {
            tokio::select! {
                message = self.messages.next() => return match message {
                    Some(Ok(message)) => Ok(message),
                    Some(Err(cause)) => Err(ReaderError::request("reading a consumer", cause)),
                    None => Err(ReaderError::request("reading a consumer", "it ended")),
                },
                () = tokio::time::sleep(CONNECTION_CHECK_EVERY) => {
                    if connects(&self.client) != self.connects {
                        return Err(ReaderError::request("reading a consumer", "the connection was replaced"));
                    }
                }
            }
        }
    }
}

fn connects(client: &Client) -> u64 {
    client.statistics().connects.load(Ordering::Relaxed)
}

/// Makes a consumer that lives in memory, on one server, until 30 s after its reader is gone.
pub(crate) async fn open(
    jetstream: &Context,
    stream: &str,
    deliver: DeliverPolicy,
    filter_subject: String,
) -> Result<Pull, ReaderError> {
    let client = jetstream.client();
    let connects = connects(&client);
    let config = Config {
        name: Some(format!("weir-{}", uuid::Uuid::new_v4().simple())),
        ack_policy: AckPolicy::None,
        deliver_policy: deliver,
        filter_subject,
        max_deliver: 1,
        num_replicas: 1,
        memory_storage: true,
        inactive_threshold: Duration::from_secs(30),
        ..Config::default()
    };
    let consumer = jetstream
        .create_consumer_on_stream(config, stream)
        .await
        .map_err(|cause| ReaderError::request("making a consumer", cause))?;
    let pending = consumer.cached_info().num_pending;
    let messages = consumer
        .stream()
        .max_messages_per_batch(PULL_MESSAGES)
        .expires(Duration::from_secs(30))
        .heartbeat(Duration::from_secs(5))
        .messages()
        .await
        .map_err(|cause| ReaderError::request("reading a consumer", cause))?;
    Ok(Pull { pending, messages, client, connects })
}
