//! How much of a range rollups know: pieces of it, and the rest.

use super::Asked;
use crate::plan::{Scope, fragment_range};
use crate::query::Range;
use crate::query::calendar::{DAY_MS, QUARTER_MS};
use weir_rollup::rollup::QUARTERS;

/// What must be covered for figures made ahead to be worth their planning.
const COVERED_MS_MIN: i64 = 7 * DAY_MS;
/// More pieces of a range that have to be read from rows than this cost more to plan than they save.
const REST_MAX: usize = 6;
/// Rows so far around a piece of the rest tell what begins in it: the day of the visit's or visitor's id and the one after.
const HULL_MS: i64 = DAY_MS;

/// A stretch of time for which a rollup has all figures that are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The stretch, on the grain of the figures.
    pub range: Range,
    /// Schema under which the rollup is attached.
    pub schema: String,
    /// All days of the rollup.
    pub span: Range,
}

/// How a range is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cover {
    /// What is asked.
    pub asked: Asked,
    /// Known from rollups; of each region ascending and disjoint, one region after the other.
    pub pieces: Vec<Piece>,
    /// To be read from rows; ascending, disjoint. With the pieces of any region the whole range.
    pub rest: Vec<Range>,
}

impl Cover {
    /// Where event rows are read.
    pub fn rows(&self, is_series: bool) -> Vec<Range> {
        if self.asked.is_of_rows() && !is_series { self.windows() } else { self.rest.clone() }
    }

    /// Where fragments of visits are read.
    pub fn fragments(&self, is_series: bool) -> Vec<Range> {
        if is_series {
            self.rest.iter().map(|range| fragment_range(*range)).collect()
        } else if self.asked.is_of_rows() {
            Vec::new()
        } else {
            self.windows()
        }
    }

    /// Around the rest, all that has a say in what begins in it.
    pub(super) fn windows(&self) -> Vec<Range> {
        let day = |ms: i64| ms.div_euclid(DAY_MS) * DAY_MS;
        let mut windows: Vec<Range> = Vec::new();
        for rest in &self.rest {
            let window = Range { start_ms: day(rest.start_ms) - HULL_MS, end_ms: day(rest.end_ms + DAY_MS - 1) + HULL_MS };
            match windows.last_mut().filter(|last| last.end_ms >= window.start_ms) {
                Some(last) => last.end_ms = window.end_ms,
                None => windows.push(window),
            }
        }
        windows
    }
}

/// How the range of a scope is answered from the stretches of each region that has rows of the site, ascending and disjoint; `None` = from rows alone. The
/// site has no event after `latest_ms`, Unix milliseconds. What is known is what is known in all regions: the rest is read from the rows of all.
pub fn cover(scope: &Scope<'_>, asked: Asked, regions: &[Vec<Piece>], latest_ms: i64) -> Option<Cover> {
    let Range { start_ms, end_ms } = scope.range;
    let runs =
        if scope.query.time_dimension().is_some() { of_buckets(scope, asked, regions)? } else { of_range(scope, asked, regions) };
    let covered: i64 = runs.iter().map(|run| run.end_ms - run.start_ms).sum();
    if covered < COVERED_MS_MIN || covered.saturating_mul(2) < end_ms.min(latest_ms).saturating_sub(start_ms) {
        return None;
    }
    let mut rest = Vec::new();
    let mut at = start_ms;
    for Range { start_ms, end_ms } in &runs {
        if at < *start_ms {
            rest.push(Range { start_ms: at, end_ms: *start_ms });
        }
        at = *end_ms;
    }
    if at < end_ms {
        rest.push(Range { start_ms: at, end_ms });
    }
    let pieces = regions.iter().flat_map(|stretches| runs.iter().flat_map(|run| pieces(stretches, *run))).collect();
    (rest.len() <= REST_MAX).then_some(Cover { asked, pieces, rest })
}

fn grain_ms(asked: Asked) -> i64 {
    if asked.dimension == QUARTERS { QUARTER_MS } else { DAY_MS }
}

/// The stretches of a range, on the grain, that all regions know.
fn of_range(scope: &Scope<'_>, asked: Asked, regions: &[Vec<Piece>]) -> Vec<Range> {
    let grain = grain_ms(asked);
    let up = |ms: i64| ms.div_euclid(grain) * grain + if ms.rem_euclid(grain) > 0 { grain } else { 0 };
    let whole = Range { start_ms: up(scope.range.start_ms), end_ms: scope.range.end_ms.div_euclid(grain) * grain };
    let mut runs = vec![whole];
    for stretches in regions {
        runs = runs.into_iter().flat_map(|run| pieces(stretches, run)).map(|piece| piece.range).collect();
    }
    runs
}

/// The stretches inside a range.
fn pieces(stretches: &[Piece], Range { start_ms, end_ms }: Range) -> Vec<Piece> {
    let inside = |stretch: &Piece| {
        let range = Range { start_ms: stretch.range.start_ms.max(start_ms), end_ms: stretch.range.end_ms.min(end_ms) };
        (range.start_ms < range.end_ms).then(|| Piece { range, schema: stretch.schema.clone(), span: stretch.span })
    };
    stretches.iter().filter_map(inside).collect()
}

/// The same in whole buckets, a bucket being covered or not. `None` = some bucket comes twice.
fn of_buckets(scope: &Scope<'_>, asked: Asked, regions: &[Vec<Piece>]) -> Option<Vec<Range>> {
    let grain = grain_ms(asked);
    let mut buckets = scope.calendar.buckets(scope.time_unit)?;
    if let Some(last) = buckets.last_mut() {
        last.end_ms = last.end_ms.max(scope.range.end_ms);
    }
    let is_known = |bucket: &&Range| {
        let is_on_grain = bucket.start_ms.rem_euclid(grain) == 0 && bucket.end_ms.rem_euclid(grain) == 0;
        // Somebody may have been there before and after a stretch inside a day, but not in it.
        let is_inside_a_day = (bucket.start_ms - 1).div_euclid(DAY_MS) == bucket.end_ms.div_euclid(DAY_MS);
        is_on_grain && !is_inside_a_day && regions.iter().all(|stretches| is_covered(stretches, **bucket))
    };
    let mut runs: Vec<Range> = Vec::new();
    for bucket in buckets.iter().filter(is_known) {
        match runs.last_mut().filter(|run| run.end_ms == bucket.start_ms) {
            Some(run) => run.end_ms = bucket.end_ms,
            None => runs.push(*bucket),
        }
    }
    Some(runs)
}

fn is_covered(stretches: &[Piece], range: Range) -> bool {
    let mut at = range.start_ms;
    for stretch in stretches.iter().filter(|stretch| stretch.range.end_ms > range.start_ms) {
        if stretch.range.start_ms > at || at >= range.end_ms {
            break;
        }
        at = stretch.range.end_ms;
    }
    at >= range.end_ms
}
