//! Parts for tests, made as the aggregator makes them.

use super::*;
use crate::write::tests::{HOUR_START_MS, label, limits, write};
use std::path::Path;
use std::sync::Arc;
use weir_event::model::Origin;
use weir_rollup::manifest::Level;
use weir_rollup::row::{EventRow, Opening, Position};

pub(super) const HOUR: i64 = 3_600_000;

/// Makes parts in a folder of its own.
pub(super) struct Parts {
    pub(super) folder: tempfile::TempDir,
    made: u32,
}

impl Parts {
    pub(super) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), made: 0 }
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// One part of these rows.
    pub(super) fn part(&mut self, rows: &[EventRow]) -> Input {
        self.made += 1;
        let name = format!("part {}", self.made);
        let path = self.path().join(&name);
        let part = write(&limits(self.path()), &path, &label(&name, Level::Flush), &mut rows.to_vec(), &[]).unwrap();
        Input { part, path: path.into() }
    }

    /// Compares two sets of rows, one part each.
    pub(super) fn compare(&mut self, served: &[EventRow], shadow: &[EventRow], options: &Options) -> Report {
        let sides = sides(vec![self.part(served)], vec![self.part(shadow)]);
        self.report(&[sides], options)
    }

    pub(super) fn report(&self, sides: &[Sides], options: &Options) -> Report {
        compare(&limits(self.path()), &Interrupt::default(), sides, options).unwrap()
    }
}

/// Everything of one partition.
pub(super) fn sides(served: Vec<Input>, shadow: Vec<Input>) -> Sides {
    Sides { region: "local".to_owned(), partition: 0, after_seq: 0, through_seq: 1_000_000, served, shadow }
}

/// A page view of a visit that is its visitor's only one, so many milliseconds after the first hour began.
pub(super) fn row(seq: u64, visit: u64, after_ms: i64) -> EventRow {
    EventRow {
        position: Position { seq, idx: 0 },
        site_id: 1,
        event_ms: HOUR_START_MS + after_ms,
        received_ms: HOUR_START_MS + after_ms,
        event_id: u128::from(seq),
        retry: false,
        visit_id: visit,
        name: "pageview".to_owned(),
        hostname: "shop.example".to_owned(),
        pathname: "/".to_owned(),
        props: vec![],
        revenue: None,
        engagement_ms: None,
        scroll_depth: None,
        interactive: true,
        origin: Origin::Edge,
        opening: Arc::new(Opening { visitor_id: visit + 100, channel: "Referral".to_owned(), ..Opening::default() }),
    }
}

/// Changes what a visit took from its opening event.
pub(super) fn reopen(row: &mut EventRow, change: impl FnOnce(&mut Opening)) {
    change(Arc::make_mut(&mut row.opening));
}

/// A change, shortly: metric, dimension, value, served, shadow.
pub(super) type Short<'a> = (&'a str, &'a str, &'a str, i64, i64);

pub(super) fn short(change: &Change) -> Short<'_> {
    assert_eq!(change.difference, change.shadow - change.served);
    (change.metric, change.dimension, &change.value, change.served, change.shadow)
}

/// The hours from `HOUR_START_MS` on, as the report names them.
pub(super) const HOUR_NAMES: [&str; 4] =
    ["2023-11-14T22:00:00Z", "2023-11-14T23:00:00Z", "2023-11-15T00:00:00Z", "2023-11-15T01:00:00Z"];
