//! What a partition consists of at one revision: the manifest (an immutable object) and its head (a small KV entry, moved by compare-and-set).

mod archive;
mod balance;
mod change;
mod erasure;
mod numbers;
mod rollups;

pub use balance::{Mismatch, equal};
pub use change::{COMMIT_ORDER, Keep, Sealed, Step};
pub use erasure::{AWAITS_SWEEP, RECEIPT_KEPT_MS, Subject, covered_sql};
pub use numbers::Unusable;

use crate::ledger::HOUR_MS;
use serde::{Deserialize, Serialize};

/// Version of the manifest's JSON. Version 2 knows archive, rollups and erasures: a program that does not must neither read nor go on with it.
pub const MANIFEST_VERSION: u32 = 2;
/// Oldest version that is read.
pub const MANIFEST_VERSION_MIN: u32 = 1;
/// Rows so far around a span of days have a say in its rollups: a visit that touches a day lies within two days of it.
pub const ROLLUP_REACH_MS: i64 = 48 * HOUR_MS;

/// The entry in the heads bucket. Moving it is the only commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Counts commits from 1.
    pub revision: u64,
    /// Last stream sequence whose rows are in the manifest's parts.
    pub sealed_seq: u64,
    /// Object name of the manifest.
    pub manifest: String,
    /// SHA-256 of the manifest object's bytes, hex.
    pub checksum: String,
    /// Random id of the commit, by which its writer recognises it after an unclear answer.
    pub commit_id: String,
}

/// One revision of one partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`MANIFEST_VERSION`].
    pub version: u32,
    /// As in the head.
    pub revision: u64,
    /// Object name of the manifest it follows; `None` for the first.
    pub parent: Option<String>,
    /// Region and number of the partition.
    pub region: String,
    /// Number of the partition.
    pub partition: u32,
    /// Last stream sequence whose rows are in `parts`.
    pub sealed_seq: u64,
    /// JetStream time of that message, Unix milliseconds; 0 = nothing sealed yet.
    pub sealed_stream_ms: u64,
    /// The files, in the order of their first sequence.
    pub parts: Vec<Part>,
    /// The fold's state after `sealed_seq`: a base, then deltas to apply in order.
    pub state: Vec<ObjectRef>,
    /// Last sequence in the archive of raw batches; 0 = no archive yet.
    pub archived_seq: u64,
    /// Which logic made the rows from which sequence on, ascending; never empty.
    pub logic: Vec<LogicFrom>,
    /// Identity of the stream that `sealed_seq` counts in.
    pub stream: StreamIdentity,
    /// When it was written, Unix milliseconds.
    pub written_ms: u64,
    /// Events accepted through `sealed_seq`, counted by the fold: as many as the parts have rows. `None` in manifests of before the ledger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted: Option<u64>,
    /// States that are kept, the first one of each UTC day of stream time, ascending: where a replay can begin beside the stream's start.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checkpoints: Vec<Checkpoint>,
    /// The last promotion of a replay or the last rollback; `None` when there was none, or its rollback is no longer offered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promotion: Option<Promotion>,
    /// The raw batches as received, ascending and without a gap: the last one ends at `archived_seq`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub archive: Vec<ArchiveObject>,
    /// Figures made ahead, ascending and disjoint. One is listed exactly while it holds what the parts hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rollups: Vec<Rollup>,
    /// What is to be forgotten, in the order of positions. One stays listed until nothing that it covers is kept anywhere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub erasures: Vec<Erasure>,
    /// Accepted events whose rows were erased: `accepted - erased` rows are in the parts.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub erased: u64,
}

impl Manifest {
    /// What stands before the first commit: revision 0, nothing sealed.
    pub fn nothing(region: &str, partition: u32, stream: &str, created: &str) -> Self {
        Self {
            version: MANIFEST_VERSION,
            revision: 0,
            parent: None,
            region: region.to_owned(),
            partition,
            sealed_seq: 0,
            sealed_stream_ms: 0,
            parts: Vec::new(),
            state: Vec::new(),
            archived_seq: 0,
            logic: Vec::new(),
            stream: StreamIdentity { name: stream.to_owned(), created: created.to_owned(), sealed_message_id: String::new() },
            written_ms: 0,
            accepted: Some(0),
            checkpoints: Vec::new(),
            promotion: None,
            archive: Vec::new(),
            rollups: Vec::new(),
            erasures: Vec::new(),
            erased: 0,
        }
    }

    /// Parts on both sides of this sequence must not be merged: a rollback would take those up to it back.
    pub fn barrier(&self) -> Option<u64> {
        self.promotion.as_ref().filter(|promotion| promotion.former.is_some()).map(|promotion| promotion.through_seq)
    }

    /// Event rows of all parts.
    pub fn rows(&self) -> u64 {
        self.parts.iter().map(|part| part.rows).sum()
    }
}

/// One immutable DuckDB file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Object name, `parts/<region>-<partition>/<id>.duckdb`.
    pub name: String,
    /// How it came about.
    pub level: Level,
    /// Lowest and highest stream sequence of its rows, both included.
    pub min_seq: u64,
    /// See `min_seq`.
    pub max_seq: u64,
    /// Lowest and highest `event_ms` of its rows, both included.
    pub min_event_ms: i64,
    /// See `min_event_ms`.
    pub max_event_ms: i64,
    /// Lowest and highest site number of its rows, both included.
    pub min_site_id: u32,
    /// See `min_site_id`.
    pub max_site_id: u32,
    /// Event rows.
    pub rows: u64,
    /// Size, bytes.
    pub bytes: u64,
    /// Checksum of the event rows (identical rows give identical checksums, whatever the file's bytes).
    pub content_checksum: String,
    /// Version of the file format.
    pub format: u32,
    /// What its ledger holds; `None` for a part of format 1, which has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ledger: Option<PartLedger>,
    /// SHA-256 of the file's bytes, hex; `None` for parts of before they were kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_checksum: Option<String>,
}

/// Raw batches of a stretch of the stream, as received, in one compressed object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchiveObject {
    /// Object name, `archive/<region>-<partition>/<first>-<last>-<id>.batches`.
    pub name: String,
    /// SHA-256 of its bytes, hex.
    pub checksum: String,
    /// Size, bytes.
    pub bytes: u64,
    /// First and last stream sequence, both included; every message between is in it.
    pub first_seq: u64,
    /// See `first_seq`.
    pub last_seq: u64,
    /// JetStream time of the first and the last message, Unix milliseconds.
    pub first_stream_ms: u64,
    /// See `first_stream_ms`.
    pub last_stream_ms: u64,
    /// Events in its batches.
    pub events: u64,
}

/// Figures of a span of UTC days, made ahead from the rows of all parts, in one DuckDB file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollup {
    /// Object name, `rollups/<region>-<partition>/<id>.duckdb`.
    pub name: String,
    /// SHA-256 of the file's bytes, hex.
    pub checksum: String,
    /// Size, bytes.
    pub bytes: u64,
    /// Version of the file format.
    pub format: u32,
    /// Midnight (UTC) at which its first day begins, Unix milliseconds.
    pub start_ms: i64,
    /// Midnight (UTC) after its last day, Unix milliseconds.
    pub end_ms: i64,
}

impl Rollup {
    /// Whether rows with times in `[min_event_ms, max_event_ms]` have a say in its figures.
    pub fn depends_on(&self, min_event_ms: i64, max_event_ms: i64) -> bool {
        min_event_ms < self.end_ms.saturating_add(ROLLUP_REACH_MS)
            && max_event_ms >= self.start_ms.saturating_sub(ROLLUP_REACH_MS)
    }
}

/// Events to forget: those of a site, of one of its visitors, or those before a time, as far as they stand before a position.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erasure {
    /// Id of the control record, hex; of a retention, a name of its own.
    pub id: String,
    /// Position of the control record: what stands before it is covered.
    pub seq: u64,
    /// See `seq`.
    pub idx: u32,
    /// The site; 0 = every site (retention only).
    pub site_id: u32,
    /// The visitor, by the id that is counted; `None` = everybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visitor_id: Option<u64>,
    /// Only events before this time, Unix milliseconds; `None` = whenever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before_ms: Option<i64>,
    /// When it was asked for, Unix milliseconds.
    pub requested_ms: u64,
    /// No part has a row that it covers.
    #[serde(default, skip_serializing_if = "is_false")]
    pub parts_done: bool,
    /// Neither has the archive an event, nor a kept state a visit.
    #[serde(default, skip_serializing_if = "is_false")]
    pub history_done: bool,
    /// When both were so, Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done_ms: Option<u64>,
    /// When nothing that it covers was kept anywhere any more (stream and swept files included), Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub final_ms: Option<u64>,
}

/// What the ledger of a part holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartLedger {
    /// Accepted events that it counts. A merge may put them into another part than the rows.
    pub accepted: u64,
    /// Lowest and highest UTC hour (its start, both included) that it counts or in which an event of this part was received.
    pub min_hour_ms: i64,
    /// See `min_hour_ms`.
    pub max_hour_ms: i64,
}

impl Part {
    /// Whether it may count, or have, events received in these hours (both included).
    pub fn may_hold_hours(&self, first_ms: i64, last_ms: i64) -> bool {
        match &self.ledger {
            Some(ledger) => ledger.min_hour_ms <= last_ms && ledger.max_hour_ms >= first_ms,
            // An event happens at most a day before it is received, and a minute after.
            None => {
                self.min_event_ms <= last_ms.saturating_add(2 * HOUR_MS)
                    && self.max_event_ms >= first_ms.saturating_sub(25 * HOUR_MS)
            }
        }
    }

    /// Accepted events that its ledger counts.
    pub fn accepted(&self) -> u64 {
        self.ledger.as_ref().map_or(self.rows, |ledger| ledger.accepted)
    }
}

/// How a part came about: a flush, or a merge by period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Written by a flush; touches whatever hours it touches.
    Flush,
    /// All rows of one UTC hour at the time of the merge.
    Hour,
    /// Of one UTC day.
    Day,
    /// Of one UTC month.
    Month,
}

/// An object and the checksum of its bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectRef {
    /// Object name.
    pub name: String,
    /// SHA-256 of its bytes, hex.
    pub checksum: String,
}

/// Logic version and the sequence from which on it holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogicFrom {
    /// First sequence folded with it.
    pub from_seq: u64,
    /// Fold version and rule digest, `<fold>-<first 16 hex digits of the digest>`.
    pub logic: String,
    /// The rules were chosen by an operator: a newer program goes on with them instead of its own.
    #[serde(default, skip_serializing_if = "is_false")]
    pub pinned: bool,
    /// State that the fold continued from instead of its own: after a rollback, that of the replay which made the rows that stayed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<ObjectRef>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it")]
fn is_false(value: &bool) -> bool {
    !*value
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it")]
fn is_zero(value: &u64) -> bool {
    *value == 0
}

/// The fold's state after a sequence, kept so that a replay can begin there. Ledger rows are never added up across a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Last sequence folded into it.
    pub seq: u64,
    /// JetStream time of that message, Unix milliseconds.
    pub stream_ms: u64,
    /// `Nats-Msg-Id` of that message.
    pub message_id: String,
    /// The encoded state.
    pub state: ObjectRef,
}

/// What put another history in the place of the served one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PromotionKind {
    /// The shadow of a replay became what is served.
    Promote,
    /// What was served before a promotion became so again.
    Rollback,
}

/// A switch of a partition's history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Promotion {
    /// Id of the replay.
    pub replay_id: String,
    /// Which way.
    pub kind: PromotionKind,
    /// When, Unix milliseconds.
    pub at_ms: u64,
    /// The revision that the switch made.
    pub revision: u64,
    /// First sequence whose rows were exchanged.
    pub from_seq: u64,
    /// Last sequence whose rows were exchanged: what was sealed at the switch.
    pub through_seq: u64,
    /// The manifest that a rollback restores; `None` = there is nothing to roll back to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub former: Option<ObjectRef>,
    /// The fold's state at `through_seq` in the history that came in; `None` = the empty one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<ObjectRef>,
}

/// What tells a stream from a recreated or rewound one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamIdentity {
    /// Name of the stream.
    pub name: String,
    /// Its creation time, RFC 3339 with nanoseconds, as the server tells it.
    pub created: String,
    /// `Nats-Msg-Id` of the message at `sealed_seq`; empty when nothing is sealed.
    pub sealed_message_id: String,
}
