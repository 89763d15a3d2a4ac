//! What is known of a region's newest replay: one record, changed by compare-and-set.

use crate::backoff::Backoff;
use crate::buckets;
use crate::error::ReaderError;
use async_nats::jetstream::Context;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use weir_event::subject::{REPLAY_BUCKET, replay_key};

/// Version of the record's JSON.
pub const RECORD_VERSION: u32 = 1;

/// How far a replay is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The shadow is being built, or its building was interrupted.
    Building,
    /// The shadow is complete up to what was sealed then.
    Built,
    /// Partitions are being switched to the shadow, or that was interrupted.
    Promoting,
    /// The shadow is what is served.
    Promoted,
    /// Partitions are being switched back, or that was interrupted.
    RollingBack,
    /// What was served before is served again.
    RolledBack,
    /// Given up.
    Discarded,
}

impl Phase {
    /// There is a shadow: no other replay may begin.
    pub fn has_shadow(self) -> bool {
        matches!(self, Self::Building | Self::Built | Self::Promoting)
    }
}

/// The newest replay of a region.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// [`RECORD_VERSION`].
    pub version: u32,
    /// Its id, 32 hex digits.
    pub id: String,
    /// How far it is.
    pub phase: Phase,
    /// When it was begun, Unix milliseconds.
    pub created_ms: u64,
    /// When this record was written, Unix milliseconds.
    pub updated_ms: u64,
    /// Logic version of the rows to rebuild; `None` = the one that the served manifest names for each sequence.
    pub logic: Option<String>,
    /// That logic was chosen by an operator, and stays when the program is replaced.
    #[serde(default)]
    pub pinned: bool,
    /// The partitions that it covers, ascending.
    pub partitions: Vec<ReplayedPartition>,
    /// Events folded by the replay so far, and the time that took, for the next estimate.
    #[serde(default)]
    pub events: u64,
    /// See `events`; milliseconds.
    #[serde(default)]
    pub busy_ms: u64,
}

/// A partition of a replay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplayedPartition {
    /// Its number.
    pub partition: u32,
    /// First sequence folded with the wanted logic.
    pub from_seq: u64,
    /// The checkpoint that it begins at: rows after it are made anew; 0 = the stream's start.
    pub checkpoint_seq: u64,
}

/// A record and its revision in the bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordEntry {
    /// The record.
    pub record: Record,
    /// What the next change must name.
    pub kv_revision: u64,
}

/// Reads the record from the bucket's leader; `None` when there never was a replay.
pub async fn get(jetstream: &Context, region: &str) -> Result<Option<RecordEntry>, ReaderError> {
    let key = replay_key(region);
    let Some(entry) = buckets::get(jetstream, REPLAY_BUCKET, &key).await? else { return Ok(None) };
    let Some(value) = entry.value else { return Ok(None) };
    Ok(Some(RecordEntry { record: parse(&key, &value)?, kv_revision: entry.revision }))
}

/// Writes the record if its revision is still `expected` (0 = there is none); the new revision, or `None` when somebody else changed it.
///
/// As with heads, an unclear answer is followed up until the outcome is known.
pub async fn put(jetstream: &Context, region: &str, expected: u64, record: &Record) -> Result<Option<u64>, ReaderError> {
    let key = replay_key(region);
    let bytes = Bytes::from(serde_json::to_vec(record).map_err(|cause| ReaderError::malformed(&key, cause))?);
    let mut backoff = Backoff::default();
    loop {
        match buckets::publish_expecting(jetstream, REPLAY_BUCKET, &key, expected, bytes.clone()).await {
            Ok(revision) => return Ok(Some(revision)),
            Err(error) => tracing::debug!(key, %error, "compare-and-set of the replay's record was not confirmed"),
        }
        match buckets::get(jetstream, REPLAY_BUCKET, &key).await {
            Ok(Some(entry)) if entry.value.as_ref() == Some(&bytes) => return Ok(Some(entry.revision)),
            Ok(Some(entry)) if entry.revision == expected => {}
            Ok(None) if expected == 0 => {}
            Ok(_) => return Ok(None),
            Err(error) if error.is_transient() => {}
            Err(error) => return Err(error),
        }
        backoff.wait().await;
    }
}

fn parse(key: &str, value: &[u8]) -> Result<Record, ReaderError> {
    let record: Record = serde_json::from_slice(value).map_err(|cause| ReaderError::malformed(key, cause))?;
    if record.version != RECORD_VERSION {
        return Err(ReaderError::Version { name: key.to_owned(), found: record.version, known: RECORD_VERSION });
    }
    Ok(record)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_of_a_record_is_pinned() {
        let record = Record {
            version: 1,
            id: "ab".to_owned(),
            phase: Phase::RolledBack,
            created_ms: 1,
            updated_ms: 2,
            logic: Some("2-0123456789abcdef".to_owned()),
            pinned: true,
            partitions: vec![ReplayedPartition { partition: 1, from_seq: 7, checkpoint_seq: 5 }],
            events: 9,
            busy_ms: 8,
        };
        let text = concat!(
            r#"{"version":1,"id":"ab","phase":"rolled_back","created_ms":1,"updated_ms":2,"logic":"2-0123456789abcdef","pinned":true,"#,
            r#""partitions":[{"partition":1,"from_seq":7,"checkpoint_seq":5}],"events":9,"busy_ms":8}"#
        );
        assert_eq!(serde_json::to_string(&record).unwrap(), text);
        assert_eq!(parse("k", text.as_bytes()).unwrap(), record);
        let later = text.replace(r#"{"version":1"#, r#"{"version":2"#);
        assert!(matches!(parse("k", later.as_bytes()), Err(ReaderError::Version { found: 2, .. })));
    }
}
