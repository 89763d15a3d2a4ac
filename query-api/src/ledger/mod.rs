//! The ledger: what became of every event, by hour of receipt, and whether as many rows are kept as were accepted.

mod period;

pub use period::Period;

use crate::answer::{IDENTITY_WINDOW, is_false};
use crate::engine::{Cell, EngineError, Session};
use crate::error::ApiError;
use crate::plan::{self, Source};
use crate::regions::RegionView;
use crate::service::{Attached, rfc3339};
use crate::tail::PartitionView;
use chrono::{DateTime, SecondsFormat};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use utoipa::ToSchema;
use weir_event::site::Site;
use weir_rollup::ledger::{HOUR_MS, Tally};
use weir_rollup::manifest::Part;

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
    /// Among the accepted: no row any more.
    #[serde(skip_serializing_if = "is_none")]
    erased: u64,
}

impl From<Tally> for Figures {
    fn from(tally: Tally) -> Self {
        let received = tally.received();
        let Tally { accepted, deduplicated, late, bots, erased, rejected } = tally;
        Self { received, accepted, rejected, deduplicated, late, bots, erased }
    }
}

/// Accepted and erased events by the ledger, and the rows that stand for the others, counted one by one.
#[derive(Debug, Serialize, ToSchema)]
struct Balance {
    accepted: u64,
    /// Accepted events whose rows were erased.
    #[serde(skip_serializing_if = "is_none")]
    erased: u64,
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
    /// Where there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<String>,
    partition: u32,
    accepted: u64,
    #[serde(skip_serializing_if = "is_none")]
    erased: u64,
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
    /// Regions of which events are missing.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    regions_missing: BTreeSet<String>,
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
    /// The partitions and what they hold, in each region.
    pub counted: Vec<(u32, RegionView)>,
    /// Regions of which events are missing.
    pub missing: BTreeSet<String>,
    /// The views are those of a replay's shadow.
    pub shadow: bool,
}

impl Question {
    /// Reads files and live ends. A region whose files cannot be read is left out from then on.
    pub fn answer(self, session: &Session<'_>) -> Result<Result<LedgerAnswer, ApiError>, EngineError> {
        let mut hours: BTreeMap<i64, Tally> = BTreeMap::new();
        let mut balances = Vec::new();
        let regions: BTreeSet<&String> = self.counted.iter().map(|(_, at)| &at.region).collect();
        let is_one_region = regions.len() == 1;
        for (partition, at) in &self.counted {
            match (self.read(session, *partition, at, &mut hours), &at.other) {
                (Ok(balance), _) => {
                    let region = (!is_one_region).then(|| at.region.clone());
                    balances.push(PartitionBalance { region, ..balance });
                }
                (
                    Err(error @ (EngineError::Missing { .. } | EngineError::Damaged { .. } | EngineError::Store(_))),
                    Some(other),
                ) => {
                    return Ok(Err(other.leave_out(&error.to_string())));
                }
                (Err(error), _) => return Err(error),
            }
        }
        let mut total = Tally::default();
        hours.retain(|_, tally| tally.received() > 0);
        for tally in hours.values() {
            total.add(tally);
        }
        let views = || self.counted.iter().map(|(_, at)| at);
        let watermark_ms = views().map(|at| at.view.watermark_ms).min().unwrap_or(0);
        let revision = views().filter(|at| at.other.is_none()).map(|at| at.view.revision()).sum();
        Ok(Ok(LedgerAnswer {
            site_id: self.site_name.clone(),
            from: seconds(self.period.from_ms),
            to: seconds(self.period.to_ms),
            hours: hours.into_iter().map(|(hour_ms, tally)| Hour { hour: seconds(hour_ms), figures: tally.into() }).collect(),
            totals: total.into(),
            balance: summed(balances),
            meta: Meta {
                watermark: rfc3339(watermark_ms),
                revision,
                shadow: self.shadow,
                regions: regions.into_iter().cloned().collect(),
                regions_missing: self.missing.clone(),
                identity_window: IDENTITY_WINDOW,
            },
        }))
    }

    /// Adds what one partition has to the hours.
    fn read(
        &self,
        session: &Session<'_>,
        partition: u32,
        RegionView { view, store, .. }: &RegionView,
        hours: &mut BTreeMap<i64, Tally>,
    ) -> Result<PartitionBalance, EngineError> {
        let (site_id, period) = (self.whose.site_id(), self.period);
        let parts: Vec<_> = parts(view, period).collect();
        let attached = Attached::of(session, store, parts.iter().copied())?;
        let schemas = || parts.iter().filter_map(|part| Some((attached.schema(&part.name)?, part.format)));
        let (mut accepted, mut erased) = (0, 0);
        for row in session.query(&plan::counted(site_id, period, &schemas().collect::<Vec<_>>()))? {
            let [Cell::Integer(hour_ms), Cell::Text(kind), Cell::Integer(count)] = row.as_slice() else { continue };
            let mut tally = Tally::default();
            tally.count(kind, u64::try_from(*count).unwrap_or(0));
            accepted += tally.accepted;
            erased += tally.erased;
            hours.entry(*hour_ms).or_default().add(&tally);
        }
        view.each_tail_entry(|entry| {
            if site_id.is_none_or(|site_id| site_id == entry.site_id) && period.holds(entry.hour_ms) {
                accepted += entry.tally.accepted;
                erased += entry.tally.erased;
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
        let is_balanced = accepted == in_files + in_stream + erased;
        let (sealed_seq, folded_seq) = (view.sealed_seq, view.folded_seq);
        Ok(PartitionBalance {
            region: None,
            partition,
            accepted,
            erased,
            in_files,
            in_stream,
            is_balanced,
            sealed_seq,
            folded_seq,
        })
    }
}

/// The parts that count events of a period.
pub fn parts(view: &PartitionView, period: Period) -> impl Iterator<Item = &Part> {
    view.parts_of_hours(period.from_ms, period.to_ms - HOUR_MS)
}

/// Nothing was erased: then nothing is said of it.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it")]
fn is_none(count: &u64) -> bool {
    *count == 0
}

fn summed(partitions: Vec<PartitionBalance>) -> Balance {
    let sum = |value: fn(&PartitionBalance) -> u64| partitions.iter().map(value).sum();
    let only = match partitions.as_slice() {
        [only] => Some((only.sealed_seq, only.folded_seq)),
        _ => None,
    };
    Balance {
        accepted: sum(|one| one.accepted),
        erased: sum(|one| one.erased),
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
