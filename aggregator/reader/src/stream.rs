//! A partition's stream, every message once and in order.

use crate::backoff::Backoff;
use crate::error::ReaderError;
use crate::pull::{self, Pull};
use async_nats::jetstream::consumer::DeliverPolicy;
use async_nats::jetstream::{Context, Message};
use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use weir_event::subject;

/// Messages read ahead of the caller: 16 × 0.9 MB.
const AHEAD_MESSAGES: usize = 16;

/// One message of a partition's stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// Stream sequence.
    pub seq: u64,
    /// When JetStream stored it, Unix milliseconds.
    pub stream_ms: u64,
    /// Header `Nats-Msg-Id`; empty when it has none.
    pub message_id: String,
    /// Header `Weir-Schema`; 0 when it has none or it is not a number.
    pub schema: u32,
    /// An encoded batch.
    pub payload: Bytes,
}

/// How far a stream reaches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamState {
    /// First sequence it still has; `last_seq + 1` when it is empty.
    pub first_seq: u64,
    /// Last sequence it ever gave, 0 = none yet.
    pub last_seq: u64,
    /// Messages it has.
    pub messages: u64,
    /// Their size, bytes.
    pub bytes: u64,
    /// Creation time, RFC 3339 with nanoseconds, as the server tells it.
    pub created: String,
}

/// Asks the leader how far a partition's stream reaches.
pub async fn state(jetstream: &Context, region: &str, partition: u32) -> Result<StreamState, ReaderError> {
    named_state(jetstream, &subject::events_stream(region, partition)).await
}

async fn named_state(jetstream: &Context, stream: &str) -> Result<StreamState, ReaderError> {
    let info = pull::info(jetstream, stream).await?;
    let state = info.state;
    let first_seq = if state.messages == 0 { state.last_seq + 1 } else { state.first_seq };
    Ok(StreamState { first_seq, last_seq: state.last_seq, messages: state.messages, bytes: state.bytes, created: info.created })
}

/// `Nats-Msg-Id` of the message at a sequence (empty when it has none), by which a recreated or rewound stream is told; `None` when the
/// stream does not have that message.
pub async fn message_id_at(jetstream: &Context, region: &str, partition: u32, seq: u64) -> Result<Option<String>, ReaderError> {
    let stream = subject::events_stream(region, partition);
    let state = named_state(jetstream, &stream).await?;
    if seq < state.first_seq || seq > state.last_seq {
        return Ok(None);
    }
    // A consumer rather than a direct get: it needs no further permission, and is never answered from a copy that lags behind.
    let deliver = DeliverPolicy::ByStartSequence { start_sequence: seq };
    let first = first_delivered(jetstream, region, partition, deliver).await?;
    Ok(first.filter(|delivered| delivered.seq == seq).map(|delivered| delivered.message_id))
}

/// When JetStream stored the message at a sequence, Unix milliseconds; `None` when the stream does not have that message.
pub async fn time_of(jetstream: &Context, region: &str, partition: u32, seq: u64) -> Result<Option<u64>, ReaderError> {
    let deliver = DeliverPolicy::ByStartSequence { start_sequence: seq.max(1) };
    let first = first_delivered(jetstream, region, partition, deliver).await?;
    Ok(first.filter(|delivered| delivered.seq == seq).map(|delivered| delivered.stream_ms))
}

/// The first sequence stored at a time (Unix milliseconds) or later; the one after the last when there is none.
pub async fn seq_at(jetstream: &Context, region: &str, partition: u32, time_ms: u64) -> Result<u64, ReaderError> {
    let state = state(jetstream, region, partition).await?;
    let nanos = i128::from(time_ms) * 1_000_000;
    let start_time = time::OffsetDateTime::from_unix_timestamp_nanos(nanos)
        .map_err(|cause| ReaderError::Request { operation: "asking for a time", cause: cause.into() })?;
    let first = first_delivered(jetstream, region, partition, DeliverPolicy::ByStartTime { start_time }).await?;
    Ok(first.map_or(state.last_seq + 1, |delivered| delivered.seq))
}

/// Deletes all messages of a partition's stream before a sequence. Only for what is kept elsewhere, or is to be forgotten.
pub async fn purge(jetstream: &Context, region: &str, partition: u32, before_seq: u64) -> Result<(), ReaderError> {
    pull::purge(jetstream, &subject::events_stream(region, partition), before_seq).await
}

async fn first_delivered(
    jetstream: &Context,
    region: &str,
    partition: u32,
    deliver: DeliverPolicy,
) -> Result<Option<Delivered>, ReaderError> {
    let mut opened = pull::open(jetstream, &subject::events_stream(region, partition), deliver, String::new()).await?;
    if opened.pending == 0 {
        return Ok(None);
    }
    delivered(&opened.next().await?).map(Some)
}

/// Reads a partition's stream from a sequence on: every message exactly once, in order, without a gap.
///
/// Losses of the connection and of the consumer are repaired inside. It ends with [`ReaderError::Gap`] when the next message is gone, and
/// with [`ReaderError::Recreated`] or [`ReaderError::Rewound`] when the stream is not the one that reading began with.
#[derive(Debug)]
pub struct PartitionStream {
    stream: String,
    created: String,
    receiver: mpsc::Receiver<Result<Delivered, ReaderError>>,
    task: JoinHandle<()>,
}

impl PartitionStream {
    /// Opens the stream of a partition at `from_seq` (from 1). Nothing of it needs to exist beyond `from_seq - 1`.
    pub async fn open(jetstream: &Context, region: &str, partition: u32, from_seq: u64) -> Result<Self, ReaderError> {
        let stream = subject::events_stream(region, partition);
        let wanted_seq = from_seq.max(1);
        let state = named_state(jetstream, &stream).await?;
        check_reach(&stream, wanted_seq, &state)?;
        let source = Source {
            jetstream: jetstream.clone(),
            stream: stream.clone(),
            created: state.created.clone(),
            wanted_seq,
            messages: None,
            is_fresh: true,
        };
        let (sender, receiver) = mpsc::channel(AHEAD_MESSAGES);
        let task = tokio::spawn(source.run(sender));
        Ok(Self { stream, created: state.created, receiver, task })
    }

    /// The next message; waits for one to arrive. May be dropped at any time without losing anything.
    pub async fn next(&mut self) -> Result<Delivered, ReaderError> {
        match self.receiver.recv().await {
            Some(result) => result,
            None => Err(ReaderError::Closed { stream: self.stream.clone() }),
        }
    }

    /// The next message if one is already here.
    pub fn try_next(&mut self) -> Result<Option<Delivered>, ReaderError> {
        match self.receiver.try_recv() {
            Ok(result) => result.map(Some),
            Err(mpsc::error::TryRecvError::Empty) => Ok(None),
            Err(mpsc::error::TryRecvError::Disconnected) => Err(ReaderError::Closed { stream: self.stream.clone() }),
        }
    }

    /// Creation time of the stream that is read.
    pub fn created(&self) -> &str {
        &self.created
    }
}

impl Drop for PartitionStream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The side that talks to the server.
struct Source {
    jetstream: Context,
    stream: String,
    created: String,
    wanted_seq: u64,
    messages: Option<Pull>,
    /// The consumer has not delivered yet: if its first message is not the wanted one, the stream has a gap.
    is_fresh: bool,
}

impl Source {
    async fn run(mut self, sender: mpsc::Sender<Result<Delivered, ReaderError>>) {
        let mut backoff = Backoff::default();
        loop {
            match self.step().await {
                Ok(Some(delivered)) => {
                    if backoff.is_failing() {
                        tracing::info!(stream.name = self.stream, stream.sequence = delivered.seq, "stream is read again");
                        backoff.reset();
                    }
                    if sender.send(Ok(delivered)).await.is_err() {
                        return;
                    }
                }
                Ok(None) => {}
                Err(error) if error.is_transient() => {
                    if !backoff.is_failing() {
                        tracing::warn!(stream.name = self.stream, %error, "stream cannot be read, trying again");
                    }
                    self.messages = None;
                    tokio::select! {
                        () = backoff.wait() => {}
                        () = sender.closed() => return,
                    }
                }
                Err(error) => {
                    // The receiver may be gone: then nobody wants the error.
                    let _gone = sender.send(Err(error)).await;
                    return;
                }
            }
        }
    }

    /// Reads one message. `None`: the consumer was replaced or a message was seen already.
    async fn step(&mut self) -> Result<Option<Delivered>, ReaderError> {
        let Some(messages) = self.messages.as_mut() else {
            self.messages = Some(self.reopen().await?);
            self.is_fresh = true;
            return Ok(None);
        };
        let delivered = delivered(&messages.next().await?)?;
        let step = judge(delivered.seq, self.wanted_seq, self.is_fresh);
        self.is_fresh = false;
        match step {
            Step::Take => {
                self.wanted_seq += 1;
                Ok(Some(delivered))
            }
            Step::Skip => Ok(None),
            Step::Reopen => {
                self.messages = None;
                Ok(None)
            }
            Step::Gap => Err(ReaderError::Gap {
                stream: self.stream.clone(),
                wanted_seq: self.wanted_seq,
                first_available_seq: delivered.seq,
            }),
        }
    }

    async fn reopen(&self) -> Result<Pull, ReaderError> {
        let state = named_state(&self.jetstream, &self.stream).await?;
        if state.created != self.created {
            return Err(ReaderError::Recreated {
                stream: self.stream.clone(),
                created: state.created,
                former: self.created.clone(),
            });
        }
        check_reach(&self.stream, self.wanted_seq, &state)?;
        let deliver = DeliverPolicy::ByStartSequence { start_sequence: self.wanted_seq };
        pull::open(&self.jetstream, &self.stream, deliver, String::new()).await
    }
}

/// What to do with a message.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    Take,
    Skip,
    Reopen,
    Gap,
}

fn judge(seq: u64, wanted_seq: u64, is_fresh: bool) -> Step {
    match seq.cmp(&wanted_seq) {
        std::cmp::Ordering::Equal => Step::Take,
        std::cmp::Ordering::Less => Step::Skip,
        // On the way something was dropped: a new consumer tells whether the stream still has it.
        std::cmp::Ordering::Greater if !is_fresh => Step::Reopen,
        std::cmp::Ordering::Greater => Step::Gap,
    }
}

fn check_reach(stream: &str, wanted_seq: u64, state: &StreamState) -> Result<(), ReaderError> {
    let stream = stream.to_owned();
    if wanted_seq > state.last_seq + 1 {
        return Err(ReaderError::Rewound { stream, wanted_seq, last_seq: state.last_seq });
    }
    if wanted_seq < state.first_seq {
        return Err(ReaderError::Gap { stream, wanted_seq, first_available_seq: state.first_seq });
    }
    Ok(())
}

fn delivered(message: &Message) -> Result<Delivered, ReaderError> {
    let info = message.info().map_err(|cause| ReaderError::Request { operation: "reading a message's sequence", cause })?;
    let header = |name: &str| message.headers.as_ref().and_then(|headers| headers.get(name)).map_or("", |value| value.as_str());
    Ok(Delivered {
        seq: info.stream_sequence,
        stream_ms: u64::try_from(info.published.unix_timestamp_nanos() / 1_000_000).unwrap_or(0),
        message_id: header("Nats-Msg-Id").to_owned(),
        schema: header(subject::SCHEMA_HEADER).parse().unwrap_or(0),
        payload: message.payload.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(first_seq: u64, last_seq: u64) -> StreamState {
        StreamState { first_seq, last_seq, messages: last_seq + 1 - first_seq, bytes: 0, created: String::new() }
    }

    #[test]
    fn every_message_is_taken_once_and_in_order() {
        for (seq, wanted, fresh, expected) in [
            (5, 5, true, Step::Take),
            (5, 5, false, Step::Take),
            (4, 5, true, Step::Skip),
            (4, 5, false, Step::Skip),
            (6, 5, false, Step::Reopen),
            (6, 5, true, Step::Gap),
        ] {
            assert_eq!(judge(seq, wanted, fresh), expected, "seq {seq}, wanted {wanted}, fresh {fresh}");
        }
    }

    #[test]
    fn a_stream_must_reach_from_before_the_wanted_message() {
        assert!(check_reach("S", 1, &reach(1, 0)).is_ok(), "empty stream from its start");
        assert!(check_reach("S", 8, &reach(8, 7)).is_ok(), "purged to its end");
        assert!(check_reach("S", 3, &reach(1, 7)).is_ok());
        assert!(matches!(check_reach("S", 3, &reach(5, 7)), Err(ReaderError::Gap { wanted_seq: 3, first_available_seq: 5, .. })));
        assert!(matches!(check_reach("S", 9, &reach(1, 7)), Err(ReaderError::Rewound { wanted_seq: 9, last_seq: 7, .. })));
    }
}
