//! The ledger: what became of every event, by hour of receipt, and whether as many rows are kept as were accepted.

mod period;

pub use period::Period;

use crate::answer::{IDENTITY_WINDOW, is_false};
use crate::engine::{Cell, EngineError, Session};
use crate::plan::{self, Source};
use crate::service::{Attached, rfc3339};
use crate::tail::PartitionView;
use chrono::{DateTime, SecondsFormat};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use utoipa::ToSchema;
use weir_event::site::Site;
use weir_reader::store::Store;
use weir_rollup::ledger::{HOUR_MS, Tally};

/// How the events of sites that are not known are asked for, by admins.
pub const UNKNOWN_SITES: &str = "(unknown)";
/// The partition on whose stream refusals of unknown sites are counted.
pub const UNKNOWN_SITES_PARTITION: u32 = 0;

/// Whose ledger.
#[derive(Clone, Debug)]
pub enum Whose {
    /// One site's.
    Site(Box<Site>),
    /// That of events whose site is not known.
    Unknown,
    /// All sites' together.
    All,
}

impl Whose {
    /// The number that rows carry; `None` = any.
    fn site_id(&self) -> Option<u32> {
        match self {
            Self::Site(site) => Some(site.id),
            Self::Unknown => Some(0),
            Self::All => None,
        }
    }
}

/// The answer, keys in the order of the contract.
#[derive(Debug, Serialize, ToSchema)]
pub struct LedgerAnswer {
    site_id: Option<String>,
    from: String,
    to: String,
    hours: Vec<Hour>,
    totals: Figures,
    balance: Balance,
    meta: Meta,
}

#[derive(Debug, Serialize, ToSchema)]
struct Hour {
    hour: String,
    #[serde(flatten)]
    figures: Figures,
}

#[derive(Debug, Serialize, ToSchema)]
struct Figures {
    received: u64,
    accepted: u64,
    rejected: BTreeMap<String, u64>,
    deduplicated: u64,
    late: u64,
    bots: u64,
}

impl From<Tally> for Figures {
    fn from(tally: Tally) -> Self {
        let received = tally.received();
        let Tally { accepted, deduplicated, late, bots, rejected } = tally;
        Self { received, accepted, rejected, deduplicated, late, bots }
    }
}

/// Accepted events by the ledger, and the rows that stand for them, counted one by one.
#[derive(Debug, Serialize, ToSchema)]
struct Balance {
    accepted: u64,
    in_files: u64,
    in_stream: u64,
    is_balanced: bool,
    /// `None` where several partitions are summed up: each counts by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    sealed_seq: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    folded_seq: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    partitions: Option<Vec<PartitionBalance>>,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
struct PartitionBalance {
    partition: u32,
    accepted: u64,
    in_files: u64,
    in_stream: u64,
    is_balanced: bool,
    sealed_seq: u64,
    folded_seq: u64,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LedgerMeta)]
struct Meta {
    watermark: String,
    revision: u64,
    #[serde(skip_serializing_if = "is_false")]
    shadow: bool,
    regions: Vec<String>,
    identity_window: &'static str,
}

/// A question to the ledger, on one view of each partition that it needs.
pub struct Question {
    /// Whose.
    pub whose: Whose,
    /// The site as the caller named it.
    pub site_name: Option<String>,
    /// Which hours.
    pub period: Period,
    /// The partitions and what they hold.
    pub views: Vec<(u32, Arc<PartitionView>)>,
    /// The views are those of a replay's shadow.
    pub shadow: bool,
    /// Where parts are.
    pub store: Store,
    /// Name of the region.
    pub region: String,
}

impl Question {
    /// Reads files and live ends.
    pub fn answer(self, session: &Session<'_>) -> Result<LedgerAnswer, EngineError> {
        let mut hours: BTreeMap<i64, Tally> = BTreeMap::new();
        let mut balances = Vec::new();
        for (partition, view) in &self.views {
            balances.push(self.read(session, *partition, view, &mut hours)?);
        }
        let mut total = Tally::default();
        hours.retain(|_, tally| tally.received() > 0);
        for tally in hours.values() {
            total.add(tally);
        }
        let watermark_ms = self.views.iter().map(|(_, view)| view.watermark_ms).min().unwrap_or(0);
        Ok(LedgerAnswer {
            site_id: self.site_name,
            from: seconds(self.period.from_ms),
            to: seconds(self.period.to_ms),
            hours: hours.into_iter().map(|(hour_ms, tally)| Hour { hour: seconds(hour_ms), figures: tally.into() }).collect(),
            totals: total.into(),
            balance: summed(balances),
            meta: Meta {
                watermark: rfc3339(watermark_ms),
                revision: self.views.iter().map(|(_, view)| view.revision()).sum(),
                shadow: self.shadow,
                regions: vec![self.region],
                identity_window: IDENTITY_WINDOW,
            },
        })
    }

    /// Adds what one partition has to the hours.
    fn read(
        &self,
        session: &Session<'_>,
        partition: u32,
        view: &PartitionView,
        hours: &mut BTreeMap<i64, Tally>,
    ) -> Result<PartitionBalance, EngineError> {
        let (site_id, period) = (self.whose.site_id(), self.period);
        let parts: Vec<_> = view.parts_of_hours(period.from_ms, period.to_ms - HOUR_MS).collect();
        let attached = Attached::of(session, &self.store, parts.iter().copied())?;
        let schemas = || parts.iter().filter_map(|part| Some((attached.schema(&part.name)?, part.format)));
        let mut accepted = 0;
        for row in session.query(&plan::counted(site_id, period, &schemas().collect::<Vec<_>>()))? {
            let [Cell::Integer(hour_ms), Cell::Text(kind), Cell::Integer(count)] = row.as_slice() else { continue };
            let mut tally = Tally::default();
            tally.count(kind, u64::try_from(*count).unwrap_or(0));
            accepted += tally.accepted;
            hours.entry(*hour_ms).or_default().add(&tally);
        }
        view.each_tail_entry(|entry| {
            if site_id.is_none_or(|site_id| site_id == entry.site_id) && period.holds(entry.hour_ms) {
                accepted += entry.tally.accepted;
                hours.entry(entry.hour_ms).or_default().add(&entry.tally);
            }
        });
        let count = |sources: Vec<Source>| -> Result<u64, EngineError> {
            let rows = session.query(&plan::received_rows(site_id, period, &sources))?;
            let Some([Cell::Integer(count)]) = rows.first().map(Vec::as_slice) else { return Ok(0) };
            Ok(u64::try_from(*count).unwrap_or(0))
        };
        let in_files = count(schemas().map(|(schema, _)| Source::Part { schema }).collect())?;
        let in_stream = count(view.tail_sources().collect())?;
        let is_balanced = accepted == in_files + in_stream;
        let (sealed_seq, folded_seq) = (view.sealed_seq, view.folded_seq);
        Ok(PartitionBalance { partition, accepted, in_files, in_stream, is_balanced, sealed_seq, folded_seq })
    }
}

fn summed(partitions: Vec<PartitionBalance>) -> Balance {
    let sum = |value: fn(&PartitionBalance) -> u64| partitions.iter().map(value).sum();
    let only = match partitions.as_slice() {
        [only] => Some((only.sealed_seq, only.folded_seq)),
        _ => None,
    };
    Balance {
        accepted: sum(|one| one.accepted),
        in_files: sum(|one| one.in_files),
        in_stream: sum(|one| one.in_stream),
        is_balanced: partitions.iter().all(|one| one.is_balanced),
        sealed_seq: only.map(|(sealed_seq, _)| sealed_seq),
        folded_seq: only.map(|(_, folded_seq)| folded_seq),
        partitions: only.is_none().then_some(partitions),
    }
}

/// Unix milliseconds as RFC 3339 without fractions.
fn seconds(ms: i64) -> String {
    DateTime::from_timestamp_millis(ms).unwrap_or_default().to_rfc3339_opts(SecondsFormat::Secs, true)
}
