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
use crate::plan::{Cover, Source, Sources, fragment_range};
use crate::query::Range;
use std::collections::BTreeMap;
use std::sync::Arc;
use weir_reader::store::LocalFile;
use weir_rollup::ledger::Entry;
use weir_rollup::manifest::{Erasure, Manifest, Part, covered_sql};
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
    /// What control records of the live end ask to be forgotten.
    pub asked: Vec<Erasure>,
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
    /// When the stream was last heard of, by this machine's clock, Unix milliseconds; 0 = never.
    pub heard_ms: u64,
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
            asked: Vec::new(),
            ledger_alarm: None,
            sealed_seq,
            folded_seq: sealed_seq,
            tail_rows: 0,
            watermark_ms: manifest.as_ref().map_or(0, |manifest| manifest.sealed_stream_ms),
            condition,
            is_ready: true,
            stream: (0, 0),
            heard_ms: 0,
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
        let hidden = self.hidden(site_id);
        parts.filter(move |part| {
            part.rows > 0
                && !hidden.iter().any(|erasure| erasure.covers_all_in(part))
                && (part.min_site_id..=part.max_site_id).contains(&site_id)
                && part.max_event_ms >= range.start_ms
                && part.min_event_ms < range.end_ms
        })
    }

    /// The erasures of a site whose rows may still be there: they are hidden.
    pub fn hidden(&self, site_id: u32) -> Vec<&Erasure> {
        let listed = self.manifest.iter().flat_map(|manifest| manifest.open_erasures());
        let asked = self.asked.iter().filter(|erasure| erasure.seq > self.sealed_seq);
        listed.chain(asked).filter(|erasure| erasure.is_of_site(site_id)).collect()
    }

    /// The parts that may hold rows of a site in one of some ranges.
    pub fn parts_in(&self, site_id: u32, ranges: &[Range]) -> impl Iterator<Item = &Part> {
        let meets =
            |part: &Part| ranges.iter().any(|range| part.max_event_ms >= range.start_ms && part.min_event_ms < range.end_ms);
        self.parts(site_id, EVER).filter(move |part| meets(part))
    }

    /// The parts that may count, or hold, events received in these hours (both included).
    pub fn parts_of_hours(&self, first_ms: i64, last_ms: i64) -> impl Iterator<Item = &Part> {
        self.manifest.iter().flat_map(|manifest| &manifest.parts).filter(move |part| part.may_hold_hours(first_ms, last_ms))
    }

    /// Whether the manifest names a part.
    pub fn names_part(&self, name: &str) -> bool {
        self.manifest.iter().any(|manifest| manifest.parts.iter().any(|part| part.name == name))
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
        let hidden = self.hidden(site_id);
        self.tables.iter().filter_map(move |table| {
            let reach = table.reach(site_id, self.sealed_seq, self.folded_seq)?;
            let source = Source::Tail {
                table: table.name().to_owned(),
                after_seq: reach.first_seq.saturating_sub(1),
                through_seq: reach.last_seq,
            };
            let hides = hidden.iter().any(|erasure| erasure.seq >= reach.first_seq);
            Some(if hides { source.hiding(&covered_sql(hidden.iter().copied())) } else { source })
        })
    }

    /// No event of a site is later than this, Unix milliseconds. `None` = it has none.
    pub fn latest_ms(&self, site_id: u32) -> Option<i64> {
        let sealed = self.parts(site_id, EVER).map(|part| part.max_event_ms).max();
        let live = self.tables.iter().filter_map(|table| table.reach(site_id, self.sealed_seq, self.folded_seq));
        sealed.max(live.map(|reach| reach.latest_ms).max())
    }

    /// No live event of a site is earlier than this, Unix milliseconds. `None` = it has none.
    pub fn earliest_live_ms(&self, site_id: u32) -> Option<i64> {
        let live = self.tables.iter().filter_map(|table| table.reach(site_id, self.sealed_seq, self.folded_seq));
        live.map(|reach| reach.earliest_ms).min()
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

/// A range that holds everything.
pub const EVER: Range = Range { start_ms: i64::MIN / 4, end_ms: i64::MAX / 4 };

/// What a statement reads.
#[derive(Clone, Debug)]
pub struct Reads {
    /// Where event rows are looked for.
    pub rows: Vec<Range>,
    /// Where fragments of visits are looked for.
    pub fragments: Vec<Range>,
    /// What rollups know of the range; `None` = nothing.
    pub cover: Option<Cover>,
    /// The rollups of the cover, by their names.
    pub rollups: Vec<(String, LocalFile)>,
}

impl From<Range> for Reads {
    /// A range without figures made ahead.
    fn from(range: Range) -> Self {
        Self { rows: vec![range], fragments: vec![fragment_range(range)], cover: None, rollups: Vec::new() }
    }
}

/// All sources of a view for what is read; `schema` tells the schema of an attached part by its name.
pub fn sources(view: &PartitionView, site_id: u32, reads: &Reads, schema: impl Fn(&str) -> Option<String>) -> Sources {
    let hidden = view.hidden(site_id);
    let pick = |ranges: &[Range]| {
        // Several parts may be in one database: then what one of them hides all do, which have none of it.
        let mut schemas: BTreeMap<String, bool> = BTreeMap::new();
        for part in view.parts_in(site_id, ranges) {
            let Some(schema) = schema(&part.name) else { continue };
            *schemas.entry(schema).or_default() |= hidden.iter().any(|erasure| erasure.may_cover(part));
        }
        let source = |(schema, hides): (String, bool)| {
            let source = Source::Part { schema };
            if hides { source.hiding(&covered_sql(hidden.iter().copied())) } else { source }
        };
        let live = view.tail_sources_of(site_id).filter(|_| !ranges.is_empty());
        schemas.into_iter().map(source).chain(live).collect()
    };
    Sources { rows: pick(&reads.rows), fragments: pick(&reads.fragments), cover: reads.cover.clone() }
}
