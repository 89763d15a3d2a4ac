//! How far the building of a shadow is.

/// How far the building of a shadow is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The partition in work.
    pub partition: u32,
    /// First sequence that it folds.
    pub first_seq: u64,
    /// Last sequence folded.
    pub folded_seq: u64,
    /// Sequence to which it goes now; it may move on.
    pub target_seq: u64,
    /// Events folded since the start of the program, of all partitions.
    pub events: u64,
    /// Waits for live ingestion.
    pub paused: bool,
}
