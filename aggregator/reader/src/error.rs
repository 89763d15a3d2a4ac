//! Why something of a region could not be read or committed.

use thiserror::Error;

/// An error of the NATS client or the store, as text with its cause.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why something of a region could not be read or committed.
#[derive(Debug, Error)]
pub enum ReaderError {
    /// The connection could not be made.
    #[error("cannot connect to {url}: {cause}")]
    Connect {
        /// Address of the server.
        url: String,
        /// What the client says.
        cause: Cause,
    },
    /// The address of the object store is without TLS, which nobody said to be allowed.
    #[error(
        "the object store at {endpoint} would be reached without TLS: use https://, or set allow_http = true (WEIR_S3_ALLOW_HTTP=true) if nobody else is on that network"
    )]
    Plaintext {
        /// The address.
        endpoint: String,
    },
    /// A request to the server failed or timed out. Trying again may work. A missing permission shows as a timeout.
    #[error("{operation} failed: {cause}")]
    Request {
        /// What was asked for.
        operation: &'static str,
        /// What the client says.
        cause: Cause,
    },
    /// There is no such stream or bucket.
    #[error("stream {stream} does not exist")]
    StreamMissing {
        /// Name of the stream.
        stream: String,
    },
    /// The stream no longer has the wanted message.
    #[error("stream {stream} has no message {wanted_seq}: the first available after it is {first_available_seq}")]
    Gap {
        /// Name of the stream.
        stream: String,
        /// Sequence that was to come next.
        wanted_seq: u64,
        /// First sequence that the stream still has.
        first_available_seq: u64,
    },
    /// The stream ends before the wanted message's predecessor: it was rewound.
    #[error("stream {stream} ends at {last_seq}, before message {wanted_seq}")]
    Rewound {
        /// Name of the stream.
        stream: String,
        /// Sequence that was to come next.
        wanted_seq: u64,
        /// Last sequence that the stream has.
        last_seq: u64,
    },
    /// The stream was deleted and made anew while it was read.
    #[error("stream {stream} was made anew: created {created}, was {former}")]
    Recreated {
        /// Name of the stream.
        stream: String,
        /// Creation time now.
        created: String,
        /// Creation time when reading began.
        former: String,
    },
    /// Reading ended by an earlier error.
    #[error("stream {stream} is closed")]
    Closed {
        /// Name of the stream.
        stream: String,
    },
    /// The store failed.
    #[error("cannot {operation} object {name}: {cause}")]
    Store {
        /// What was tried.
        operation: &'static str,
        /// Name of the object, or a folder.
        name: String,
        /// What the store says.
        cause: Cause,
    },
    /// The object is not there.
    #[error("object {name} does not exist")]
    ObjectMissing {
        /// Name of the object.
        name: String,
    },
    /// The object is larger than its kind may be.
    #[error("object {name} has {size_bytes} bytes, the limit is {limit_bytes}")]
    ObjectTooLarge {
        /// Name of the object.
        name: String,
        /// Its size.
        size_bytes: u64,
        /// The limit.
        limit_bytes: u64,
    },
    /// The object's bytes are not those that were written.
    #[error("object {name} has checksum {found}, expected {expected}")]
    Checksum {
        /// Name of the object.
        name: String,
        /// SHA-256 as committed.
        expected: String,
        /// SHA-256 of what is there.
        found: String,
    },
    /// The file's bytes are not those that were written. It is set aside and not served.
    #[error("object {name} is damaged ({reason}): `weir repair` rebuilds it")]
    Damaged {
        /// Name of the object.
        name: String,
        /// What was found.
        reason: String,
    },
    /// The bytes are not what they should be.
    #[error("{name} cannot be read: {cause}")]
    Malformed {
        /// Name of the object or key.
        name: String,
        /// What the decoder says.
        cause: Cause,
    },
    /// The object is of a version that this program does not know.
    #[error("{name} has version {found}, this program reads {known}")]
    Version {
        /// Name of the object.
        name: String,
        /// Its version.
        found: u32,
        /// The version this program reads.
        known: u32,
    },
    /// The name is not one of an object.
    #[error("{name:?} is not an object name")]
    Name {
        /// The name.
        name: String,
    },
}

impl ReaderError {
    pub(crate) fn request(operation: &'static str, cause: impl Into<Cause>) -> Self {
        Self::Request { operation, cause: cause.into() }
    }

    /// An object or record that is not what its name says.
    pub fn malformed(name: &str, cause: impl Into<Cause>) -> Self {
        Self::Malformed { name: name.to_owned(), cause: cause.into() }
    }

    pub(crate) fn store(operation: &'static str, name: &str, cause: impl Into<Cause>) -> Self {
        Self::Store { operation, name: name.to_owned(), cause: cause.into() }
    }

    /// Whether trying again later may help without anybody's doing: the server or the store was away.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Connect { .. } | Self::Request { .. } | Self::StreamMissing { .. } | Self::Store { .. } | Self::Closed { .. }
        )
    }
}
