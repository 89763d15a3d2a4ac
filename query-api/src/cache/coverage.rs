//! Of which sites and dimensions rollups have figures: looked up once for each file.

use crate::engine::{Cell, EngineError, Rows, Session, schema_of};
use crate::plan::{self, Asked, Piece};
use crate::query::Range;
use crate::regions::RegionView;
use crate::service::Service;
use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};
use weir_reader::store::LocalFile;
use weir_rollup::manifest::Rollup;
use weir_rollup::rollup::{ALL, FORMAT_VERSION, QUARTERS, ROW_DIMENSIONS, VISIT_DIMENSIONS};

/// Entries kept, 24 bytes each. Past it everything is forgotten and learned again.
const ENTRIES_MAX: usize = 4_000_000;

/// Days of one dimension.
type Days = (&'static str, Range);

#[derive(Default)]
struct Known {
    /// By the name of the rollup, then by site.
    rollups: HashMap<String, HashMap<u32, Vec<Days>>>,
    entries: usize,
}

/// What is known of rollups.
#[derive(Default)]
pub struct Coverage {
    known: RwLock<Known>,
    /// Held by who learns, so that nobody learns the same beside him.
    learning: tokio::sync::Mutex<()>,
}

impl Coverage {
    /// The days for which a rollup has all that is asked for, ascending. None of a rollup of which nothing is known.
    pub(super) fn stretches(&self, rollup: &Rollup, site_id: u32, asked: Asked) -> Vec<Piece> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let Some(days) = known.rollups.get(&rollup.name).and_then(|sites| sites.get(&site_id)) else { return Vec::new() };
        let of = |dimension: &'static str| days.iter().filter(move |(name, _)| *name == dimension).map(|(_, range)| *range);
        let mut ranges = vec![Range { start_ms: rollup.start_ms, end_ms: rollup.end_ms }];
        for dimension in asked.coverage() {
            ranges = ranges.iter().flat_map(|range| of(dimension).filter_map(|other| both(*range, other))).collect();
        }
        let span = Range { start_ms: rollup.start_ms, end_ms: rollup.end_ms };
        ranges.into_iter().map(|range| Piece { range, schema: schema_of(&rollup.name), span }).collect()
    }

    fn lacks(&self, rollups: &[Rollup]) -> Vec<Rollup> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let is_unknown = |rollup: &&Rollup| rollup.format == FORMAT_VERSION && !known.rollups.contains_key(&rollup.name);
        rollups.iter().filter(is_unknown).cloned().collect()
    }

    fn learn(&self, name: String, rows: &Rows) {
        let mut sites: HashMap<u32, Vec<Days>> = HashMap::new();
        for row in rows {
            let [Cell::Integer(site_id), Cell::Text(dimension), Cell::Integer(start_ms), Cell::Integer(end_ms)] = row.as_slice()
            else {
                continue;
            };
            let (Ok(site_id), Some(dimension)) = (u32::try_from(*site_id), named(dimension)) else { continue };
            sites.entry(site_id).or_default().push((dimension, Range { start_ms: *start_ms, end_ms: *end_ms }));
        }
        let entries: usize = sites.values().map(Vec::len).sum();
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.entries + entries > ENTRIES_MAX {
            *known = Known::default();
        }
        known.entries += entries;
        known.rollups.insert(name, sites);
    }
}

/// What two ranges share.
fn both(one: Range, other: Range) -> Option<Range> {
    let range = Range { start_ms: one.start_ms.max(other.start_ms), end_ms: one.end_ms.min(other.end_ms) };
    (range.start_ms < range.end_ms).then_some(range)
}

fn named(dimension: &str) -> Option<&'static str> {
    let known = [QUARTERS, ALL].into_iter().chain(VISIT_DIMENSIONS).chain(ROW_DIMENSIONS);
    known.into_iter().find(|name| *name == dimension)
}

/// Looks into those of the rollups into which nobody has looked. One that cannot be read stays unknown: rows answer then.
pub(super) async fn learn(service: &Service, at: &RegionView, rollups: &[Rollup]) {
    let coverage = &service.cache.coverage;
    if coverage.lacks(rollups).is_empty() {
        return;
    }
    let _learning = coverage.learning.lock().await;
    for rollup in coverage.lacks(rollups) {
        let name = rollup.name.clone();
        let Some(files) = fetch(at, std::slice::from_ref(&rollup)).await else { continue };
        let look = move |session: &Session<'_>| -> Result<Rows, EngineError> {
            let _attached = session.engine.attach(&files)?;
            session.query(&plan::covered(&schema_of(&rollup.name)))
        };
        match service.engine.run(look).await {
            Ok(rows) => coverage.learn(name, &rows),
            Err(error) => tracing::warn!(rollup.name = name, %error, "rollup cannot be read, rows are read instead"),
        }
    }
}

/// Rollups as files that are whole, with their names; `None` = not all of them are, and rows have to answer.
pub(super) async fn fetch(at: &RegionView, rollups: &[Rollup]) -> Option<Vec<(String, LocalFile)>> {
    let mut files = Vec::with_capacity(rollups.len());
    for rollup in rollups {
        files.push((rollup.name.clone(), at.fetch_rollup(rollup).await?));
    }
    Some(files)
}
