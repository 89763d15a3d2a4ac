//! Which parts to merge next, by their number: flush parts into hours, hours into days, days into months.

mod calendar;

use crate::fold::EVENT_MS_MAX;
use crate::manifest::{Level, Manifest, Part};
use calendar::{DAY_MS, HOUR_MS, floor_to, month_of, month_start};
use std::collections::BTreeMap;
use std::ops::Range;

/// Rows younger than the month of so many days before the newest go into days: 9 to 40 days.
const DAY_PARTS_MIN_DAYS: i64 = 9;

/// When parts are merged. With the defaults a year of data stays below 7 flush + 36 hour + 40 day + 13 month = 96 parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// So many flush parts are merged.
    pub flush_parts: usize,
    /// Most flush parts that one job takes.
    pub flush_parts_max: usize,
    /// More hour parts than this: the oldest complete day becomes a day part.
    pub hour_parts: usize,
    /// More day parts than this: the oldest complete month becomes a month part.
    pub day_parts: usize,
    /// A part of this size, bytes, is not merged with others of its period again.
    pub target_bytes: u64,
    /// Most periods of a job.
    pub periods_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { flush_parts: 8, flush_parts_max: 64, hour_parts: 36, day_parts: 40, target_bytes: 256 << 20, periods_max: 60 }
    }
}

/// One merge: all rows of the inputs go into one new part for each period that has any, and the inputs leave the manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Names of the parts to merge.
    pub inputs: Vec<String>,
    /// Disjoint, ascending; together they hold every row of the inputs.
    pub periods: Vec<Period>,
}

/// What one new part holds: the inputs' rows with `event_ms` in `[start_ms, end_ms)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Period {
    /// Level of the new part.
    pub level: Level,
    /// Unix milliseconds.
    pub start_ms: i64,
    /// Unix milliseconds, excluded.
    pub end_ms: i64,
    /// Those of the job's inputs that are already a part of this period. They join only because new rows may fall into it.
    pub joined: Vec<String>,
}

impl Job {
    /// The hours (Unix milliseconds) whose ledger rows go to one of its periods: up to the start of the next one; the first has what is before it.
    pub fn ledger_hours(&self, period: &Period) -> Range<i64> {
        let is_first = self.periods.iter().all(|other| other.start_ms >= period.start_ms);
        let next = self.periods.iter().map(|other| other.start_ms).filter(|start_ms| *start_ms > period.start_ms).min();
        (if is_first { i64::MIN } else { period.start_ms })..next.unwrap_or(i64::MAX)
    }

    /// The job without the periods for which `touched` is false, and without the parts that would have joined there.
    ///
    /// For a caller who has looked which periods hold rows of the inputs that are in no [`Period::joined`]: the others need no rewrite.
    #[must_use]
    pub fn only(mut self, touched: impl Fn(&Period) -> bool) -> Self {
        let (kept, left): (Vec<_>, Vec<_>) = self.periods.into_iter().partition(touched);
        self.inputs.retain(|input| !left.iter().any(|period| period.joined.contains(input)));
        self.periods = kept;
        self
    }
}

/// The next job of a manifest. Parts on both sides of its barrier are looked at apart.
pub fn next_job(manifest: &Manifest, limits: &Limits) -> Option<Job> {
    let Some(barrier) = manifest.barrier() else { return plan(&manifest.parts, limits) };
    let (before, after): (Vec<Part>, Vec<Part>) = manifest.parts.iter().cloned().partition(|part| part.max_seq <= barrier);
    plan(&after, limits).or_else(|| plan(&before, limits))
}

/// The next job, or `None` when nothing is to be merged. Doing job after job always ends.
///
/// Rows of flush parts go into hours when they are of the newest day (UTC, by `event_ms` of all parts) or the day before, into days back to
/// the start of the month of nine days before, else into months. A flush part that spans more than `periods_max` of these gets longer
/// periods. Event times are taken to be the fold's, from 0 to the year 9999.
pub fn plan(parts: &[Part], limits: &Limits) -> Option<Job> {
    let newest_ms = parts.iter().map(|part| clamp(part.max_event_ms)).max()?;
    flush_job(parts, limits, newest_ms)
        .or_else(|| collect(parts, limits, Level::Hour, limits.hour_parts, newest_ms))
        .or_else(|| collect(parts, limits, Level::Day, limits.day_parts, newest_ms))
}

fn flush_job(parts: &[Part], limits: &Limits, newest_ms: i64) -> Option<Job> {
    let mut flushed: Vec<&Part> = parts.iter().filter(|part| part.level == Level::Flush).collect();
    if flushed.is_empty() || flushed.len() < limits.flush_parts {
        return None;
    }
    flushed.sort_by(|a, b| (a.min_seq, &a.name).cmp(&(b.min_seq, &b.name)));
    flushed.truncate(limits.flush_parts_max.max(1));
    let periods = (0..).find_map(|coarseness| Grid::new(newest_ms, coarseness).cover(&flushed, limits.periods_max.max(1)))?;
    Some(job(flushed, periods, parts, limits))
}

/// When there are more parts of a level than the limit, those of the oldest complete period of the next level become one part.
fn collect(parts: &[Part], limits: &Limits, level: Level, parts_max: usize, newest_ms: i64) -> Option<Job> {
    let of_level: Vec<&Part> = parts.iter().filter(|part| part.level == level).collect();
    if of_level.len() <= parts_max {
        return None;
    }
    let period_of = if level == Level::Hour { day_period } else { month_period };
    let current = period_of(newest_ms).start_ms;
    let mut by_period: BTreeMap<i64, Vec<&Part>> = BTreeMap::new();
    for part in of_level {
        let start_ms = period_of(clamp(part.min_event_ms)).start_ms;
        if start_ms < current {
            by_period.entry(start_ms).or_default().push(part);
        }
    }
    let (start_ms, inputs) = by_period.into_iter().next()?;
    Some(job(inputs, vec![period_of(start_ms)], parts, limits))
}

/// A job with the small parts that the periods already have.
fn job<'a>(mut inputs: Vec<&'a Part>, mut periods: Vec<Period>, parts: &'a [Part], limits: &Limits) -> Job {
    for period in &mut periods {
        let of_period = |part: &&Part| {
            part.level == period.level
                && part.bytes < limits.target_bytes
                && period.start_ms <= part.min_event_ms
                && part.max_event_ms < period.end_ms
        };
        let joined: Vec<&Part> = parts.iter().filter(of_period).collect();
        period.joined = joined.iter().map(|part| part.name.clone()).collect();
        inputs.extend(joined);
    }
    Job { inputs: inputs.into_iter().map(|part| part.name.clone()).collect(), periods }
}

/// How time is divided into target periods.
struct Grid {
    /// From here on hours.
    hours_from: i64,
    /// From here on days.
    days_from: i64,
    /// Before that so many months.
    months: i64,
}

impl Grid {
    /// Coarseness 0 has hours, 1 has days at best, 2 months, each further one twice as many months.
    fn new(newest_ms: i64, coarseness: u32) -> Self {
        let today = floor_to(newest_ms, DAY_MS);
        let hours_from = if coarseness == 0 { today - DAY_MS } else { i64::MAX };
        let days_from = if coarseness <= 1 { month_start(month_of(today - DAY_PARTS_MIN_DAYS * DAY_MS)) } else { i64::MAX };
        Self { hours_from, days_from, months: 1 << coarseness.saturating_sub(2).min(30) }
    }

    fn period_of(&self, ms: i64) -> Period {
        if ms >= self.hours_from {
            let start_ms = floor_to(ms, HOUR_MS);
            Period { level: Level::Hour, start_ms, end_ms: start_ms + HOUR_MS, joined: Vec::new() }
        } else if ms >= self.days_from {
            day_period(ms)
        } else {
            let first = floor_to(month_of(ms), self.months);
            let (start_ms, end_ms) = (month_start(first), month_start(first + self.months));
            Period { level: Level::Month, start_ms, end_ms, joined: Vec::new() }
        }
    }

    /// The periods that hold every time of every part, ascending; `None` when they are too many.
    fn cover(&self, parts: &[&Part], periods_max: usize) -> Option<Vec<Period>> {
        let mut periods: BTreeMap<i64, Period> = BTreeMap::new();
        for part in parts {
            let mut next_ms = clamp(part.min_event_ms);
            while next_ms <= clamp(part.max_event_ms) {
                let period = self.period_of(next_ms);
                next_ms = period.end_ms;
                periods.insert(period.start_ms, period);
                if periods.len() > periods_max {
                    return None;
                }
            }
        }
        Some(periods.into_values().collect())
    }
}

fn day_period(ms: i64) -> Period {
    let start_ms = floor_to(ms, DAY_MS);
    Period { level: Level::Day, start_ms, end_ms: start_ms + DAY_MS, joined: Vec::new() }
}

fn month_period(ms: i64) -> Period {
    let month = month_of(ms);
    Period { level: Level::Month, start_ms: month_start(month), end_ms: month_start(month + 1), joined: Vec::new() }
}

fn clamp(event_ms: i64) -> i64 {
    event_ms.clamp(0, EVENT_MS_MAX)
}

#[cfg(test)]
mod tests;
