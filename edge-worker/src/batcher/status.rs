//! What a batcher says of itself.

use serde::{Deserialize, Serialize};

/// Answer to a status request.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Status {
    /// Events that are not known to be on the stream.
    pub(crate) unsent_events: u64,
    /// Receive time of the oldest of them, Unix milliseconds; none when there is none.
    pub(crate) oldest_unsent_ms: Option<u64>,
    /// What they take, bytes.
    pub(crate) backlog_bytes: u64,
    /// Nothing more is taken.
    pub(crate) is_full: bool,
    /// Batches acknowledged by the stream since the start.
    pub(crate) batches_sent: u64,
    /// Sends that failed since the start.
    pub(crate) send_failures: u64,
    /// Why the last one did.
    pub(crate) last_failure: Option<String>,
}

impl Status {
    /// The sum over several batchers.
    #[must_use]
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            unsent_events: self.unsent_events + other.unsent_events,
            oldest_unsent_ms: [self.oldest_unsent_ms, other.oldest_unsent_ms].into_iter().flatten().min(),
            backlog_bytes: self.backlog_bytes + other.backlog_bytes,
            is_full: self.is_full || other.is_full,
            batches_sent: self.batches_sent + other.batches_sent,
            send_failures: self.send_failures + other.send_failures,
            last_failure: self.last_failure.or(other.last_failure),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums() {
        let a = Status { unsent_events: 2, oldest_unsent_ms: Some(7), ..Status::default() };
        let b = Status { unsent_events: 3, oldest_unsent_ms: Some(5), is_full: true, ..Status::default() };
        let sum = a.clone().and(b).and(Status::default());
        assert_eq!((sum.unsent_events, sum.oldest_unsent_ms, sum.is_full), (5, Some(5), true));
        assert_eq!(Status::default().and(a).oldest_unsent_ms, Some(7));
    }
}
