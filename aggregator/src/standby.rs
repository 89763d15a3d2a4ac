//! Two aggregators on one partition: whoever loses a commit steps back, and takes over when the other one is gone.
//!
//! Only the compare-and-set of the head keeps rows from counting twice; stepping back saves the work of the second one. Whoever folds a partition
//! answers on a subject of its. The other one asks: no answer for a few seconds, or a head that stands still while messages wait, and it goes on.

use crate::Shared;
use async_nats::Client;
use bytes::Bytes;
use futures::StreamExt;
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;
use weir_event::subject;
use weir_reader::{heads, stream};

/// Pause between two questions.
const ASK_EVERY: Duration = Duration::from_secs(1);
/// How long an answer may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);
/// So many questions without an answer, and the other one is taken to be gone: two to six seconds.
const UNANSWERED_MAX: u32 = 3;
/// The other one answers and gets nowhere for so many times the longest wait for a flush: it is no longer waited for.
const STANDSTILL_FLUSHES: u32 = 3;

/// Answers for a partition for as long as it lives.
pub(crate) struct Presence(JoinHandle<()>);

impl Presence {
    /// Says from now on that the partition is folded here.
    pub(crate) fn announce(client: &Client, region: &str, partition: u32) -> Self {
        let (client, subject) = (client.clone(), subject::presence_subject(region, partition));
        Self(tokio::spawn(async move {
            let mut questions = match client.subscribe(subject).await {
                Ok(questions) => questions,
                Err(error) => return tracing::warn!(partition, %error, "nobody will know that this partition is folded here"),
            };
            while let Some(question) = questions.next().await {
                let Some(reply) = question.reply else { continue };
                if let Err(error) = client.publish(reply, Bytes::new()).await {
                    tracing::debug!(partition, %error, "an answer could not be sent");
                }
            }
        }))
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Returns when nobody else folds the partition any more.
pub(crate) async fn until_wanted(shared: &Shared, partition: u32) {
    let (mut unanswered, mut standstill) = (0, Standstill::default());
    while unanswered < UNANSWERED_MAX {
        tokio::time::sleep(ASK_EVERY).await;
        unanswered = if is_answered(shared, partition).await { 0 } else { unanswered + 1 };
        if standstill.is_too_long(shared, partition).await {
            tracing::warn!(partition, "the aggregator that has this partition gets nowhere: it is taken over");
            return;
        }
    }
    tracing::info!(partition, "the aggregator that had this partition is gone: it is taken over");
}

async fn is_answered(shared: &Shared, partition: u32) -> bool {
    let subject = subject::presence_subject(&shared.config.region, partition);
    let answer = shared.client.request(subject, Bytes::new());
    matches!(tokio::time::timeout(ANSWER_WITHIN, answer).await, Ok(Ok(_)))
}

/// Since when messages wait while the head does not move.
#[derive(Default)]
struct Standstill {
    revision: u64,
    since: Option<Instant>,
}

impl Standstill {
    /// Looks at head and stream. What cannot be read says nothing.
    async fn is_too_long(&mut self, shared: &Shared, partition: u32) -> bool {
        let region = &shared.config.region;
        let head = heads::get(&shared.jetstream, region, partition).await;
        let reach = stream::state(&shared.jetstream, region, partition).await;
        let (Ok(Some(head)), Ok(reach)) = (head, reach) else { return false };
        let longest = Duration::from_millis(shared.config.flush_after_ms).saturating_mul(STANDSTILL_FLUSHES);
        self.note(head.head.revision, reach.last_seq > head.head.sealed_seq, longest, Instant::now())
    }

    fn note(&mut self, revision: u64, is_waiting: bool, longest: Duration, now: Instant) -> bool {
        if revision != self.revision || !is_waiting {
            *self = Self { revision, since: None };
        }
        is_waiting && now.duration_since(*self.since.get_or_insert(now)) > longest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_waiting_messages_and_a_head_that_stands_make_a_standstill() {
        let (mut standstill, start) = (Standstill::default(), Instant::now());
        let mut at = |revision, is_waiting, seconds| {
            standstill.note(revision, is_waiting, Duration::from_secs(10), start + Duration::from_secs(seconds))
        };
        assert!(!at(1, true, 0));
        assert!(!at(1, true, 10));
        assert!(at(1, true, 11));
        assert!(!at(2, true, 12), "it moved");
        assert!(!at(2, false, 40), "nothing waits");
        assert!(!at(2, true, 41), "from now on");
        assert!(at(2, true, 52));
    }
}
