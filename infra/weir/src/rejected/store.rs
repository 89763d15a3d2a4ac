//! The stream of refused payloads: read from start to end, one by one, and emptied.

use crate::session::Session;
use anyhow::{Context as _, Result, bail};
use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::consumer::{DeliverPolicy, pull};
use async_nats::jetstream::stream::{DirectGetErrorKind, Stream};
use futures::StreamExt as _;
use std::time::Duration;
use weir_event::rejected::{RecoverError, Rejected};
use weir_event::subject::{rejected_stream, rejected_subject};

/// How long the next message may take.
const NEXT_WITHIN: Duration = Duration::from_secs(5);

/// One message.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    /// Its number in the stream.
    pub(super) seq: u64,
    /// What it says.
    pub(super) record: Result<Rejected, RecoverError>,
}

/// The stream.
pub(super) struct Store {
    stream: Stream,
    subject: String,
}

impl Store {
    pub(super) async fn open(session: &Session) -> Result<Self> {
        let name = rejected_stream(&session.run.region);
        let stream = session.jetstream.get_stream(&name).await;
        let stream = stream.with_context(|| format!("cannot open the stream {name}: it is made by the next `weir up`"))?;
        Ok(Self { stream, subject: rejected_subject(&session.run.region) })
    }

    /// When the stream was made: with a message's number it names the message for ever.
    pub(super) fn created(&self) -> i128 {
        self.stream.cached_info().created.unix_timestamp_nanos()
    }

    /// Hands every message there is now to `take`, oldest first.
    pub(super) async fn each(&self, mut take: impl FnMut(Refusal)) -> Result<()> {
        let state = &self.stream.cached_info().state;
        if state.messages == 0 {
            return Ok(());
        }
        let last_seq = state.last_sequence;
        let config = pull::OrderedConfig {
            deliver_policy: DeliverPolicy::All,
            filter_subject: self.subject.clone(),
            ..pull::OrderedConfig::default()
        };
        let consumer = self.stream.create_consumer(config).await.context("cannot read the refused payloads")?;
        let mut messages = consumer.messages().await.context("cannot read the refused payloads")?;
        loop {
            let Ok(next) = tokio::time::timeout(NEXT_WITHIN, messages.next()).await else {
                // Somebody else may have recovered the rest meanwhile.
                let left = self.stream.get_info().await.context("cannot ask for the refused payloads")?.state;
                if left.messages == 0 || left.first_sequence > last_seq {
                    return Ok(());
                }
                bail!("the refused payloads could not be read in time: try again");
            };
            let Some(message) = next else { return Ok(()) };
            let message = message.context("cannot read the refused payloads")?;
            let info = message.info().map_err(|error| anyhow::anyhow!("a refused payload has no number: {error}"))?;
            let (seq, pending) = (info.stream_sequence, info.pending);
            if seq <= last_seq {
                take(Refusal { seq, record: Rejected::parse(&message.payload) });
            }
            if seq >= last_seq || pending == 0 {
                return Ok(());
            }
        }
    }

    /// One message; `None` when it is not there (any more).
    pub(super) async fn get(&self, seq: u64) -> Result<Option<Refusal>> {
        match self.stream.direct_get(seq).await {
            Ok(message) => Ok(Some(Refusal { seq, record: Rejected::parse(&message.payload) })),
            Err(error) if error.kind() == DirectGetErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).context("cannot read the refused payload"),
        }
    }

    /// Removes a message; one that is gone already is fine.
    pub(super) async fn delete(&self, seq: u64) -> Result<()> {
        match self.stream.delete_message(seq).await {
            Ok(_) => Ok(()),
            Err(error) if is_gone(&error) => Ok(()),
            Err(error) => Err(error).context("it was sent, but could not be removed from the list: that can be repeated"),
        }
    }
}

fn is_gone(error: &async_nats::jetstream::stream::DeleteMessageError) -> bool {
    use async_nats::jetstream::stream::DeleteMessageErrorKind::JetStream;
    match error.kind() {
        JetStream(cause) => {
            matches!(cause.error_code(), ErrorCode::SEQUENCE_NOT_FOUND | ErrorCode::NO_MESSAGE_FOUND)
                || format!("{cause}").contains("no message found")
        }
        _ => false,
    }
}
