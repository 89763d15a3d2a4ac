//! What NATS answers, reduced to what the edge asks for.

use serde::Deserialize;

/// One message that came back to a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Status of a message that carries no data: 204 end of a batch, 404 not found, 503 nobody answers.
    pub(crate) status: Option<u16>,
    /// `Nats-Subject`: where a fetched message is stored.
    pub(crate) subject: String,
    /// `Nats-Sequence` of a fetched message.
    pub(crate) sequence: u64,
    /// `KV-Operation` or `Nats-Marker-Reason` say that the key was deleted.
    pub(crate) deleted: bool,
    /// The data.
    pub(crate) payload: bytes::Bytes,
}

/// Why a request has no good answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NatsError {
    /// The connection is gone or could not be made.
    #[error("no connection to NATS: {reason}")]
    Disconnected {
        /// Why.
        reason: String,
    },
    /// No answer in time. The connection is given up, since the peer may be half-open.
    #[error("no answer from NATS within {timeout_ms} ms")]
    Timeout {
        /// How long was waited.
        timeout_ms: u64,
    },
    /// NATS answered with a status instead of data.
    #[error("NATS answered with status {status}")]
    Status {
        /// The status.
        status: u16,
    },
    /// JetStream refused.
    #[error("JetStream refused: {description} ({code})")]
    Refused {
        /// JetStream's error code.
        code: u64,
        /// What it says.
        description: String,
    },
    /// The answer cannot be read.
    #[error("answer from NATS cannot be read: {reason}")]
    Malformed {
        /// Why.
        reason: String,
    },
}

/// JetStream's code for a failed `Nats-Expected-Last-Subject-Sequence`.
pub(crate) const WRONG_LAST_SEQUENCE: u64 = 10_071;

/// JetStream's code for a sequence that has no message.
pub(crate) const NO_MESSAGE: u64 = 10_037;

#[derive(Debug, Deserialize)]
struct Envelope<T> {
    error: Option<ApiError>,
    #[serde(flatten)]
    body: Option<T>,
}

#[derive(Debug, Deserialize)]
struct ApiError {
    #[serde(default)]
    err_code: u64,
    #[serde(default)]
    description: String,
}

/// A stored message's acknowledgement.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct PubAck {
    /// The stream that took it.
    pub(crate) stream: String,
    /// Its sequence there.
    pub(crate) seq: u64,
    /// The stream had it already: a success all the same.
    #[serde(default)]
    pub(crate) duplicate: bool,
}

/// A stored message, of which only its being there counts.
#[derive(Debug, Deserialize)]
pub(crate) struct StoredMessage {
    /// The message.
    #[expect(dead_code, reason = "that it can be read says that it is there")]
    message: serde::de::IgnoredAny,
}

/// State of a stream.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct StreamInfo {
    /// When it was created: a recreated stream has another time.
    pub(crate) created: String,
    /// Its sequences.
    pub(crate) state: StreamState,
}

/// See [`StreamInfo`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct StreamState {
    /// Sequence of the newest message.
    pub(crate) last_seq: u64,
}

/// Reads the answer of a JetStream request or publish.
pub(crate) fn parse<T: serde::de::DeserializeOwned>(answer: &Answer) -> Result<T, NatsError> {
    if let Some(status) = answer.status {
        return Err(NatsError::Status { status });
    }
    let malformed = |reason: String| NatsError::Malformed { reason };
    let envelope: Envelope<T> = serde_json::from_slice(&answer.payload).map_err(|error| malformed(error.to_string()))?;
    if let Some(error) = envelope.error {
        return Err(NatsError::Refused { code: error.err_code, description: error.description });
    }
    envelope.body.ok_or_else(|| malformed("fields are missing".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ack(payload: &'static str) -> Result<PubAck, NatsError> {
        parse(&Answer { payload: bytes::Bytes::from_static(payload.as_bytes()), ..Answer::default() })
    }

    #[test]
    fn acknowledgements() {
        let expected = PubAck { stream: "EVENTS_local_0".into(), seq: 7, duplicate: false };
        assert_eq!(ack(r#"{"stream":"EVENTS_local_0","seq":7}"#), Ok(expected.clone()));
        let duplicate = ack(r#"{"stream":"EVENTS_local_0","seq":7,"domain":"x","duplicate":true}"#);
        assert_eq!(duplicate, Ok(PubAck { duplicate: true, ..expected }));
        let full = ack(
            r#"{"error":{"code":503,"err_code":10077,"description":"maximum bytes exceeded"},"stream":"EVENTS_local_0","seq":0}"#,
        );
        assert_eq!(full, Err(NatsError::Refused { code: 10_077, description: "maximum bytes exceeded".into() }));
        assert!(matches!(ack("{}"), Err(NatsError::Malformed { .. })));
        assert!(matches!(ack("+ACK"), Err(NatsError::Malformed { .. })));
        assert_eq!(parse::<PubAck>(&Answer { status: Some(503), ..Answer::default() }), Err(NatsError::Status { status: 503 }));
    }

    #[test]
    fn a_message_is_there_or_not() {
        let read = |payload: &'static [u8]| {
            parse::<StoredMessage>(&Answer { payload: bytes::Bytes::from_static(payload), ..Answer::default() })
        };
        assert!(read(br#"{"type":"x","message":{"subject":"a","seq":7,"data":"eA=="}}"#).is_ok());
        let gone = read(br#"{"error":{"code":404,"err_code":10037,"description":"no message found"}}"#);
        assert!(matches!(gone, Err(NatsError::Refused { code: NO_MESSAGE, .. })));
    }

    #[test]
    fn stream_info() {
        let payload = br#"{"type":"io.nats.jetstream.api.v1.stream_info_response","config":{},"created":"2026-11-21T00:00:00Z","state":{"messages":1,"last_seq":9}}"#;
        let info: StreamInfo = parse(&Answer { payload: bytes::Bytes::from_static(payload), ..Answer::default() }).unwrap();
        assert_eq!((info.created.as_str(), info.state.last_seq), ("2026-11-21T00:00:00Z", 9));
    }
}
