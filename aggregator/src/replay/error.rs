//! Why a replay cannot be planned, built or switched to.

use crate::commits::CommitError;
use crate::flush::FlushError;
use crate::merging::MergeError;
use crate::write::WriteError;
use std::path::PathBuf;
use thiserror::Error;
use weir_reader::ReaderError;
use weir_reader::replays::Phase;
use weir_reader::rules::LogicError;
use weir_rollup::rules::RulesError;

/// Why a replay cannot be planned, built or switched to. Nothing that is served has changed then, unless the variant says so.
#[derive(Debug, Error)]
pub enum ReplayError {
    /// There is no such partition.
    #[error("there is no partition {partition}: this region has 0 to {last}")]
    NoPartition {
        /// The number asked for.
        partition: u32,
        /// The highest there is.
        last: u32,
    },
    /// Nothing is sealed that could be rebuilt.
    #[error("nothing from there on is sealed yet: run `weir flush`, then try again")]
    NothingSealed,
    /// The sequence is beyond what is sealed.
    #[error(
        "sequence {wanted_seq} of partition {partition} is not sealed yet, the last that is is {sealed_seq}: run `weir flush`, then try again"
    )]
    NotSealed {
        /// Number of the partition.
        partition: u32,
        /// The sequence asked for.
        wanted_seq: u64,
        /// Last sealed sequence.
        sealed_seq: u64,
    },
    /// Neither archive nor stream have what is needed.
    #[error(
        "stream {stream} no longer holds sequence {needed_seq}, which a replay from {wanted_seq} needs, and neither does the archive: the first available sequence is {first_seq}, of {first_time}{hint}"
    )]
    Gone {
        /// Name of the stream.
        stream: String,
        /// The sequence asked for.
        wanted_seq: u64,
        /// The sequence that reading would begin at.
        needed_seq: u64,
        /// First sequence that is still there.
        first_seq: u64,
        /// When that was stored, RFC 3339.
        first_time: String,
        /// From where a replay is possible, as the end of a sentence.
        hint: String,
    },
    /// One shadow at a time.
    #[error(
        "the shadow of another replay is there ({id}): `weir replay run` without options goes on with it, `weir replay discard` drops it"
    )]
    Exists {
        /// Id of that replay.
        id: String,
    },
    /// There is nothing to work on.
    #[error("there is no replay: begin one with `weir replay run --from-seq N`")]
    None,
    /// The replay is not in a phase in which this can be done.
    #[error("the replay {id} is {}: {hint}", phase_text(*.phase))]
    Phase {
        /// Its id.
        id: String,
        /// Its phase.
        phase: Phase,
        /// What to do instead.
        hint: &'static str,
    },
    /// The former parts are no longer offered.
    #[error("partition {partition} has nothing to roll back to: the offer ended or another replay was promoted since")]
    NoFormer {
        /// Number of the partition.
        partition: u32,
    },
    /// Another process works on the same replay.
    #[error("another process works on this replay: wait for it, then look at `weir replay status`")]
    Lost,
    /// The head kept moving while it was to be switched.
    #[error("the head of partition {partition} moved {attempts} times while it was to be switched: try again")]
    Restless {
        /// Number of the partition.
        partition: u32,
        /// How often it was tried.
        attempts: u32,
    },
    /// Shadow and served manifest do not end at the same message: a fault in this program.
    #[error("the shadow of partition {partition} ends at {shadow_seq}, what is served at {served_seq}")]
    Apart {
        /// Number of the partition.
        partition: u32,
        /// End of the shadow.
        shadow_seq: u64,
        /// End of what is served.
        served_seq: u64,
    },
    /// A repair made other rows than those that were there.
    #[error(
        "what was rebuilt of partition {partition} is not what was there ({shadow_rows} rows, {served_rows} before): `weir replay diff` shows what can be compared, `weir replay promote` serves it all the same, `weir replay discard` gives it up"
    )]
    OtherRows {
        /// Number of the partition.
        partition: u32,
        /// Rows by the manifest that is served.
        served_rows: u64,
        /// Rows of the shadow.
        shadow_rows: u64,
    },
    /// The building was told to end; the shadow stays.
    #[error("interrupted: `weir replay run` goes on from here")]
    Cancelled,
    /// The last plan cannot be remembered or read.
    #[error("the last plan cannot be remembered or read: {cause}")]
    Plan {
        /// Why.
        cause: String,
    },
    /// The folder for unfinished files cannot be used.
    #[error("the work folder {path:?} cannot be used: {cause}")]
    Work {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        cause: std::io::Error,
    },
    /// A message cannot be folded.
    #[error("partition {partition}: {cause}")]
    Message {
        /// Number of the partition.
        partition: u32,
        /// What is wrong with it.
        cause: String,
    },
    /// A part could not be written or committed.
    #[error("the shadow of partition {partition} could not be written: {cause}")]
    Write {
        /// Number of the partition.
        partition: u32,
        /// Why.
        cause: String,
    },
    /// The comparison failed.
    #[error("the comparison failed: {0}")]
    Compare(#[from] WriteError),
    /// Stream, heads or store cannot be read.
    #[error(transparent)]
    Reader(#[from] ReaderError),
    /// The rules are not usable.
    #[error(transparent)]
    Rules(#[from] RulesError),
    /// This program does not have a logic that is needed.
    #[error(transparent)]
    Logic(#[from] LogicError),
    /// A thread ended early: a fault in this program.
    #[error("a task failed: {0}")]
    Task(#[from] tokio::task::JoinError),
}

impl ReplayError {
    pub(super) fn flush(partition: u32, error: &FlushError) -> Self {
        match error {
            FlushError::Commit(CommitError::Lost) => Self::Lost,
            error => Self::Write { partition, cause: error.to_string() },
        }
    }

    pub(super) fn commit(partition: u32, error: &CommitError) -> Self {
        match error {
            CommitError::Lost => Self::Lost,
            error => Self::Write { partition, cause: error.to_string() },
        }
    }

    pub(super) fn merge(partition: u32, error: &MergeError) -> Self {
        match error {
            MergeError::Commit(error) => Self::commit(partition, error),
            MergeError::Write(WriteError::Interrupted) => Self::Cancelled,
            error => Self::Write { partition, cause: error.to_string() },
        }
    }
}

fn phase_text(phase: Phase) -> &'static str {
    match phase {
        Phase::Building => "not built to its end",
        Phase::Built => "built and not promoted",
        Phase::Promoting => "half promoted",
        Phase::Promoted => "promoted",
        Phase::RollingBack => "half rolled back",
        Phase::RolledBack => "rolled back",
        Phase::Discarded => "discarded",
    }
}
