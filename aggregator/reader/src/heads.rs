//! The heads of partitions. Moving one by compare-and-set is the only commit there is.

use crate::backoff::Backoff;
use crate::buckets::{self, Change};
use crate::error::ReaderError;
use async_nats::jetstream::Context;
use async_nats::jetstream::context::PublishErrorKind;
use bytes::Bytes;
use weir_event::subject;
use weir_rollup::manifest::Head;

/// A head and its revision in the bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeadEntry {
    /// The head.
    pub head: Head,
    /// What the next compare-and-set must name.
    pub kv_revision: u64,
}

/// Where a head is kept: the served one of a partition, or that of a shadow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeadKey {
    bucket: &'static str,
    key: String,
}

impl HeadKey {
    /// The head of what is served.
    pub fn served(region: &str, partition: u32) -> Self {
        Self { bucket: subject::HEADS_BUCKET, key: subject::head_key(region, partition) }
    }

    /// The head of a shadow.
    pub fn shadow(replay_id: &str, region: &str, partition: u32) -> Self {
        Self { bucket: subject::REPLAY_BUCKET, key: subject::shadow_key(replay_id, region, partition) }
    }
}

/// The outcome of a compare-and-set, once it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Swap {
    /// The head is the new one, at this revision of the bucket.
    Committed {
        /// What the next compare-and-set must name.
        kv_revision: u64,
    },
    /// Somebody else moved the head first.
    Lost {
        /// The head that stands.
        current: Option<HeadEntry>,
    },
}

/// What a watch over heads tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeadChange {
    /// A partition's head. May be told again after a lost connection; `kv_revision` never falls for a partition.
    Moved {
        /// Region of the partition.
        region: String,
        /// Number of the partition.
        partition: u32,
        /// The head.
        entry: HeadEntry,
    },
    /// A key that is no head, a deleted one, or one that cannot be read.
    Unreadable {
        /// The key.
        key: String,
        /// What is wrong.
        reason: String,
    },
    /// All heads that were there when the watch began have been told.
    CaughtUp,
}

/// Reads a partition's served head from the bucket's leader; `None` when nothing was committed yet.
pub async fn get(jetstream: &Context, region: &str, partition: u32) -> Result<Option<HeadEntry>, ReaderError> {
    get_at(jetstream, &HeadKey::served(region, partition)).await
}

/// Reads a head from the bucket's leader; `None` when nothing was committed yet.
pub async fn get_at(jetstream: &Context, at: &HeadKey) -> Result<Option<HeadEntry>, ReaderError> {
    let HeadKey { bucket, key } = at;
    let Some(entry) = buckets::get(jetstream, bucket, key).await? else { return Ok(None) };
    let Some(value) = entry.value else {
        return Err(ReaderError::malformed(key, "the head was deleted"));
    };
    Ok(Some(HeadEntry { head: parse(key, &value)?, kv_revision: entry.revision }))
}

/// Moves a head if its revision in the bucket is still `expected` (0 = there is none), and returns once the outcome is known.
///
/// After an unclear answer the head is read and its commit id compared; while it is still the expected one, the very same bytes are sent
/// again. It goes on for as long as NATS is away: drop the future to give up, then nothing is known of the outcome.
pub async fn compare_and_set(jetstream: &Context, at: &HeadKey, expected: u64, head: &Head) -> Result<Swap, ReaderError> {
    let key = at.key.as_str();
    let bytes = Bytes::from(serde_json::to_vec(head).map_err(|cause| ReaderError::malformed(key, cause))?);
    let mut backoff = Backoff::default();
    loop {
        match send(jetstream, at, expected, bytes.clone()).await {
            Ok(kv_revision) => return Ok(Swap::Committed { kv_revision }),
            Err(error) => tracing::debug!(head.key = key, %error, "compare-and-set of the head was not confirmed"),
        }
        match get_at(jetstream, at).await {
            Ok(current) => {
                if let Some(swap) = decide(expected, &head.commit_id, current) {
                    return Ok(swap);
                }
            }
            Err(error) if error.is_transient() => {
                if !backoff.is_failing() {
                    tracing::warn!(head.key = key, %error, "outcome of a commit is not known yet");
                }
            }
            Err(error) => return Err(error),
        }
        backoff.wait().await;
    }
}

/// What the head that stands says of a commit; `None` = it did not happen so far.
fn decide(expected: u64, commit_id: &str, current: Option<HeadEntry>) -> Option<Swap> {
    match current {
        Some(entry) if entry.head.commit_id == commit_id => Some(Swap::Committed { kv_revision: entry.kv_revision }),
        Some(entry) if entry.kv_revision == expected => None,
        None if expected == 0 => None,
        other => Some(Swap::Lost { current: other }),
    }
}

async fn send(jetstream: &Context, at: &HeadKey, expected: u64, bytes: Bytes) -> Result<u64, PublishErrorKind> {
    buckets::publish_expecting(jetstream, at.bucket, &at.key, expected, bytes).await
}

/// Follows the heads of all partitions of all regions.
pub struct HeadWatch {
    watch: buckets::Watch,
}

/// Starts to follow all heads, first those that are there.
pub async fn watch(jetstream: &Context) -> Result<HeadWatch, ReaderError> {
    Ok(HeadWatch { watch: buckets::watch(jetstream, subject::HEADS_BUCKET, ">").await? })
}

impl HeadWatch {
    /// The next change; waits for one.
    pub async fn next(&mut self) -> HeadChange {
        let entry = match self.watch.next().await {
            Change::CaughtUp => return HeadChange::CaughtUp,
            Change::Entry(entry) => entry,
        };
        let key = entry.key;
        let Some((region, partition)) = partition_of(&key) else {
            return HeadChange::Unreadable { key, reason: "not the key of a head".to_owned() };
        };
        let Some(value) = entry.value else {
            return HeadChange::Unreadable { key, reason: "the head was deleted".to_owned() };
        };
        match parse(&key, &value) {
            Ok(head) => HeadChange::Moved { region, partition, entry: HeadEntry { head, kv_revision: entry.revision } },
            Err(error) => HeadChange::Unreadable { key, reason: error.to_string() },
        }
    }
}

fn partition_of(key: &str) -> Option<(String, u32)> {
    let (region, partition) = key.rsplit_once('.')?;
    Some((region.to_owned(), partition.parse().ok()?))
}

fn parse(key: &str, value: &[u8]) -> Result<Head, ReaderError> {
    serde_json::from_slice(value).map_err(|cause| ReaderError::malformed(key, cause))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(commit_id: &str) -> Head {
        Head {
            revision: 7,
            sealed_seq: 41,
            manifest: "manifests/local-0/000000000007-c.json".to_owned(),
            checksum: "ab".to_owned(),
            commit_id: commit_id.to_owned(),
        }
    }

    fn entry(commit_id: &str, kv_revision: u64) -> HeadEntry {
        HeadEntry { head: head(commit_id), kv_revision }
    }

    #[test]
    fn the_format_of_a_head_is_pinned() {
        let text = r#"{"revision":7,"sealed_seq":41,"manifest":"manifests/local-0/000000000007-c.json","checksum":"ab","commit_id":"c"}"#;
        assert_eq!(serde_json::to_string(&head("c")).unwrap(), text);
        assert_eq!(parse("local.0", text.as_bytes()).unwrap(), head("c"));
    }

    #[test]
    fn an_unclear_commit_is_decided_by_the_head_that_stands() {
        assert_eq!(decide(3, "mine", Some(entry("mine", 4))), Some(Swap::Committed { kv_revision: 4 }));
        assert_eq!(decide(3, "mine", Some(entry("before", 3))), None, "not arrived yet");
        assert_eq!(decide(0, "mine", None), None, "not arrived yet, first commit");
        let other = entry("other", 4);
        assert_eq!(decide(3, "mine", Some(other.clone())), Some(Swap::Lost { current: Some(other.clone()) }));
        assert_eq!(decide(0, "mine", Some(other.clone())), Some(Swap::Lost { current: Some(other) }));
        assert_eq!(decide(3, "mine", None), Some(Swap::Lost { current: None }), "the bucket was emptied");
    }

    #[test]
    fn keys_name_region_and_partition() {
        assert_eq!(partition_of("local.1"), Some(("local".to_owned(), 1)));
        assert_eq!(partition_of("local"), None);
        assert_eq!(partition_of("local.x"), None);
    }
}
