//! Requests to seal everything up to a sequence now.

use async_nats::{Client, Message, Subscriber};
use bytes::Bytes;
use futures::StreamExt;
use serde::Deserialize;

/// Requests that may wait; further ones are refused.
const WAITING_MAX: usize = 64;

#[derive(Deserialize)]
struct FlushRequest {
    through_seq: u64,
}

/// A request that waits until its sequence is sealed.
struct Waiting {
    through_seq: u64,
    message: Message,
}

/// The requests of a partition. They outlive a reload of the partition.
pub(crate) struct Requests {
    client: Client,
    subscriber: Subscriber,
    waiting: Vec<Waiting>,
}

impl Requests {
    /// Listens on the partition's subject.
    pub(crate) async fn listen(client: &Client, subject: String) -> Result<Self, async_nats::SubscribeError> {
        let subscriber = client.subscribe(subject).await?;
        Ok(Self { client: client.clone(), subscriber, waiting: Vec::new() })
    }

    /// The next request; waits for one. May be dropped at any time.
    pub(crate) async fn next(&mut self) -> Message {
        match self.subscriber.next().await {
            Some(message) => message,
            // The client is closed, which happens at the end of the program only.
            None => std::future::pending().await,
        }
    }

    /// Takes a request in: everything up to `through_seq`, but nothing beyond the stream's end.
    pub(crate) async fn take(&mut self, message: Message, last_seq: u64) {
        let through_seq = match serde_json::from_slice::<FlushRequest>(&message.payload) {
            Ok(request) => request.through_seq.min(last_seq),
            Err(error) => return self.refuse(&message, &format!("the payload must be {{\"through_seq\":n}}: {error}")).await,
        };
        if self.waiting.len() >= WAITING_MAX {
            return self.refuse(&message, "too many requests are waiting").await;
        }
        self.waiting.push(Waiting { through_seq, message });
    }

    /// Whether somebody waits for a flush that has everything it needs when `folded_seq` is folded.
    pub(crate) fn wants_flush(&self, folded_seq: u64) -> bool {
        self.waiting.iter().any(|waiting| waiting.through_seq <= folded_seq)
    }

    /// Answers those whose sequence is sealed.
    pub(crate) async fn answer(&mut self, sealed_seq: u64) {
        let (done, waiting) = self.waiting.drain(..).partition(|waiting| waiting.through_seq <= sealed_seq);
        self.waiting = waiting;
        let done: Vec<Waiting> = done;
        for Waiting { message, .. } in done {
            self.reply(&message, &serde_json::json!({ "sealed_seq": sealed_seq })).await;
        }
    }

    /// Tells everybody who waits that it will not happen.
    pub(crate) async fn refuse_waiting(&mut self, reason: &str) {
        for Waiting { message, .. } in std::mem::take(&mut self.waiting) {
            self.refuse(&message, reason).await;
        }
    }

    /// Answers a request with an error.
    pub(crate) async fn refuse(&self, message: &Message, reason: &str) {
        self.reply(message, &serde_json::json!({ "error": reason })).await;
    }

    async fn reply(&self, message: &Message, answer: &serde_json::Value) {
        let Some(subject) = message.reply.clone() else { return };
        if let Err(error) = self.client.publish(subject, Bytes::from(answer.to_string())).await {
            tracing::warn!(%error, "a flush request could not be answered");
        }
    }
}
