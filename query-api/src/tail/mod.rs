//! A partition as queries see it: its sealed parts and the live end of its stream behind them.

mod follow;
mod ledger;
mod live;
mod logic;
mod session;

pub use follow::{Follower, HeadSlot};
pub use ledger::TailLedger;
pub use live::{Limits, Live, LiveError};

use crate::engine::Table;
use crate::plan::{Source, Sources};
use crate::query::Range;
use crate::query::calendar::DAY_MS;
use std::collections::BTreeSet;
use std::sync::Arc;
use weir_rollup::ledger::Entry;
use weir_rollup::manifest::{Manifest, Part};
use weir_rollup::part;

/// One consistent state of a partition: the parts of a manifest, and of the tables the rows after its `sealed_seq` up to `folded_seq`.
///
/// Whoever holds it keeps the tables; the parts' files stay for as long as a manifest of the last day, or one of the newest, names them.
#[derive(Clone, Debug)]
pub struct PartitionView {
    /// The manifest; `None` = nothing was sealed yet.
    pub manifest: Option<Arc<Manifest>>,
    /// Tables with the rows of the live end.
    pub tables: Vec<Arc<Table>>,
    /// What became of the events of the live end.
    pub ledgers: Vec<Arc<TailLedger>>,
    /// What the live end's rows and its ledger disagree about; `None` when they agree.
    pub ledger_alarm: Option<String>,
    /// Rows up to this sequence are read from the parts.
    pub sealed_seq: u64,
    /// Rows up to this sequence are in the tables.
    pub folded_seq: u64,
    /// Rows in the tables.
    pub tail_rows: u64,
    /// Up to when all events are counted, Unix milliseconds.
    pub watermark_ms: u64,
    /// How it stands.
    pub condition: Condition,
    /// Reached the end of the stream once, or cannot: queries are answered.
    pub is_ready: bool,
    /// First and last sequence of the stream, as last heard.
    pub stream: (u64, u64),
}

/// How a partition stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Not loaded yet.
    Loading {
        /// What it waits for.
        reason: String,
    },
    /// The live end is followed.
    Live,
    /// The live end is larger than its limit: it is followed again when the next parts are sealed.
    Full,
    /// Only sealed data is served, since this program does not have the logic of the newer: it is looked for again.
    SealedOnly {
        /// Which logic it lacks, and why.
        reason: String,
    },
    /// Somebody must act: the stream is not the one that was sealed, or cannot be read.
    Stopped {
        /// What is wrong.
        reason: String,
    },
}

impl Condition {
    /// What to tell an operator; `None` when all is well.
    pub fn alarm(&self) -> Option<&str> {
        match self {
            Self::Live => None,
            Self::Full => Some("the live end is larger than its limit"),
            Self::Loading { reason } | Self::SealedOnly { reason } | Self::Stopped { reason } => Some(reason),
        }
    }
}

impl PartitionView {
    /// Before anything is known.
    pub fn loading(reason: &str) -> Self {
        let condition = Condition::Loading { reason: reason.to_owned() };
        Self { is_ready: false, ..Self::sealed(None, condition) }
    }

    /// The parts of a manifest (`None` = nothing was sealed yet) alone.
    pub fn sealed(manifest: Option<Arc<Manifest>>, condition: Condition) -> Self {
        let sealed_seq = manifest.as_ref().map_or(0, |manifest| manifest.sealed_seq);
        Self {
            tables: Vec::new(),
            ledgers: Vec::new(),
            ledger_alarm: None,
            sealed_seq,
            folded_seq: sealed_seq,
            tail_rows: 0,
            watermark_ms: manifest.as_ref().map_or(0, |manifest| manifest.sealed_stream_ms),
            condition,
            is_ready: true,
            stream: (0, 0),
            manifest,
        }
    }

    /// Revision of the manifest, 0 = nothing sealed.
    pub fn revision(&self) -> u64 {
        self.manifest.as_ref().map_or(0, |manifest| manifest.revision)
    }

    /// Messages of the stream that are not counted yet.
    pub fn lag(&self) -> u64 {
        self.stream.1.saturating_sub(self.folded_seq)
    }

    /// The parts that may hold rows of a site in a range.
    pub fn parts(&self, site_id: u32, range: Range) -> impl Iterator<Item = &Part> {
        let parts = self.manifest.iter().flat_map(|manifest| &manifest.parts);
        parts.filter(move |part| {
            part.rows > 0
                && (part.min_site_id..=part.max_site_id).contains(&site_id)
                && part.max_event_ms >= range.start_ms
                && part.min_event_ms < range.end_ms
        })
    }

    /// The parts that may count, or hold, events received in these hours (both included).
    pub fn parts_of_hours(&self, first_ms: i64, last_ms: i64) -> impl Iterator<Item = &Part> {
        self.manifest.iter().flat_map(|manifest| &manifest.parts).filter(move |part| part.may_hold_hours(first_ms, last_ms))
    }

    /// Looks at the ledger entries of the live end.
    pub fn each_tail_entry(&self, mut look: impl FnMut(&Entry)) {
        self.ledgers.iter().for_each(|ledger| ledger.each(self.sealed_seq, self.folded_seq, &mut look));
    }

    /// Events accepted so far, sealed and live.
    pub fn accepted(&self) -> u64 {
        let mut accepted = self.manifest.as_ref().map_or(0, |manifest| manifest.accepted.unwrap_or_else(|| manifest.rows()));
        self.each_tail_entry(|entry| accepted += entry.tally.accepted);
        accepted
    }

    /// What to tell an operator.
    pub fn alarms(&self) -> impl Iterator<Item = &str> {
        self.condition.alarm().into_iter().chain(self.ledger_alarm.as_deref())
    }

    /// The tables that have rows of a site, as sources: bounded by its own rows, so that they are the same for as long as those are.
    pub fn tail_sources_of(&self, site_id: u32) -> impl Iterator<Item = Source> {
        self.tables.iter().filter_map(move |table| {
            let reach = table.reach(site_id, self.sealed_seq, self.folded_seq)?;
            Some(Source::Tail {
                table: table.name().to_owned(),
                after_seq: reach.first_seq.saturating_sub(1),
                through_seq: reach.last_seq,
            })
        })
    }

    /// No event of a site is later than this, Unix milliseconds. `None` = it has none.
    pub fn latest_ms(&self, site_id: u32) -> Option<i64> {
        let sealed = self.parts(site_id, EVER).map(|part| part.max_event_ms).max();
        let live = self.tables.iter().filter_map(|table| table.reach(site_id, self.sealed_seq, self.folded_seq));
        sealed.max(live.map(|reach| reach.latest_ms).max())
    }

    /// The tables, as sources.
    pub fn tail_sources(&self) -> impl Iterator<Item = Source> {
        self.tables.iter().map(|table| Source::Tail {
            table: table.name().to_owned(),
            after_seq: self.sealed_seq,
            through_seq: self.folded_seq,
        })
    }
}

/// Why this program cannot read the parts of a manifest.
pub fn unreadable(manifest: &Manifest) -> Option<String> {
    let readable = part::FORMAT_VERSION_MIN..=part::FORMAT_VERSION;
    let unknown = manifest.parts.iter().find(|part| !readable.contains(&part.format))?;
    let (name, format) = (&unknown.name, unknown.format);
    Some(format!("part {name} has format {format}, this program reads {} to {}", readable.start(), readable.end()))
}

/// The range within which fragments of visits are looked for.
pub fn fragment_range(range: Range) -> Range {
    let reach = crate::plan::VISIT_REACH_MS;
    Range { start_ms: range.start_ms - reach, end_ms: range.end_ms + reach }
}

/// A range that holds everything.
pub const EVER: Range = Range { start_ms: i64::MIN / 4, end_ms: i64::MAX / 4 };

/// All sources of a view for a range; `schema` tells the schema of an attached part by its name.
pub fn sources(view: &PartitionView, site_id: u32, range: Range, schema: impl Fn(&str) -> Option<String>) -> Sources {
    debug_assert!(range.end_ms <= EVER.end_ms + DAY_MS);
    let pick = |range: Range| {
        // Several parts may be in one database.
        let schemas: BTreeSet<String> = view.parts(site_id, range).filter_map(|part| schema(&part.name)).collect();
        schemas.into_iter().map(|schema| Source::Part { schema }).chain(view.tail_sources_of(site_id)).collect()
    };
    Sources { rows: pick(range), fragments: pick(fragment_range(range)) }
}
