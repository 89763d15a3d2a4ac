//! A part's rows, and what the manifest says of them.

use std::ops::Range;
use weir_rollup::ledger::{self, Row};
use weir_rollup::manifest::{Erasure, Level, Part, PartLedger, Subject};
use weir_rollup::row::EventRow;

/// What a part holds.
#[derive(Clone, Debug, Default)]
pub(crate) struct PartFile {
    pub(crate) rows: Vec<EventRow>,
    pub(crate) ledger: Vec<Row>,
}

impl PartFile {
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.ledger.is_empty()
    }

    /// What the manifest says of it.
    pub(crate) fn describe(&self, name: &str, level: Level, fallback_ms: i64) -> Part {
        let seqs = || self.rows.iter().map(|row| row.position.seq).chain(self.ledger.iter().map(|row| row.seq));
        let times = || self.rows.iter().map(|row| row.event_ms);
        let sites = || self.rows.iter().map(|row| row.site_id);
        let of_kind = |kind: &str| self.ledger.iter().filter(|row| row.kind == kind).map(|row| row.count).sum();
        let hours = || self.ledger.iter().map(|row| row.hour_ms);
        Part {
            name: name.to_owned(),
            level,
            min_seq: seqs().min().unwrap_or(0),
            max_seq: seqs().max().unwrap_or(0),
            min_event_ms: times().min().unwrap_or(fallback_ms),
            max_event_ms: times().max().unwrap_or(fallback_ms),
            min_site_id: sites().min().unwrap_or(0),
            max_site_id: sites().max().unwrap_or(0),
            rows: self.rows.len() as u64,
            bytes: 40 * self.rows.len() as u64,
            content_checksum: String::new(),
            format: 2,
            ledger: Some(PartLedger {
                accepted: of_kind(ledger::ACCEPTED),
                min_hour_ms: hours().min().unwrap_or(fallback_ms),
                max_hour_ms: hours().max().unwrap_or(fallback_ms),
            }),
            file_checksum: None,
        }
    }

    /// Its rows of a time, and its counts of these hours.
    pub(crate) fn slice(&self, times: &Range<i64>, hours: &Range<i64>) -> Self {
        Self {
            rows: self.rows.iter().filter(|row| times.contains(&row.event_ms)).cloned().collect(),
            ledger: self.ledger.iter().filter(|row| hours.contains(&row.hour_ms)).cloned().collect(),
        }
    }

    /// What it holds up to a sequence.
    pub(crate) fn through(&self, seq: u64) -> Self {
        Self {
            rows: self.rows.iter().filter(|row| row.position.seq <= seq).cloned().collect(),
            ledger: self.ledger.iter().filter(|row| row.seq <= seq).cloned().collect(),
        }
    }

    /// Drops the rows that erasures cover, which the ledger goes on counting; how many, and the lowest and highest time of them.
    pub(crate) fn erase(&mut self, erasures: &[Erasure]) -> Option<(u64, (i64, i64))> {
        let is_covered = |row: &EventRow| erasures.iter().any(|erasure| erasure.covers(&Subject::from(row)));
        let (gone, rows): (Vec<EventRow>, Vec<EventRow>) = std::mem::take(&mut self.rows).into_iter().partition(is_covered);
        self.rows = rows;
        self.ledger.extend(gone.iter().map(|row| Row {
            site_id: row.site_id,
            hour_ms: ledger::hour_of(row.received_ms),
            kind: ledger::ERASED.into(),
            count: 1,
            seq: row.position.seq,
        }));
        let times = || gone.iter().map(|row| row.event_ms);
        Some((gone.len() as u64, (times().min()?, times().max()?)))
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.rows.extend(other.rows);
        self.ledger.extend(other.ledger);
    }
}
