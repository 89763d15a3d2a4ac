//! Which rollup to make next: of days that are settled and have none, or of neighbours that are many and small.

use super::DAY_MS;
use crate::ledger::HOUR_MS;
use crate::manifest::{Manifest, ROLLUP_REACH_MS, Rollup};

/// When rollups are made and merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// A day is settled when the stream has come so far behind its end, milliseconds: no less than the reach of a rollup and the age of the
    /// oldest event that is still accepted, or rollups would be dropped again as soon as they are made.
    pub settled_after_ms: i64,
    /// Most rows that one is made from, estimated; a single day may have more.
    pub rows_max: u64,
    /// So many neighbours of a size (up to 7, 63 or more days) become one.
    pub neighbours: usize,
    /// One does not become larger than this, bytes.
    pub bytes_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { settled_after_ms: ROLLUP_REACH_MS + 24 * HOUR_MS, rows_max: 8_000_000, neighbours: 8, bytes_max: 256 << 20 }
    }
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Job {
    /// Make one from rows.
    Build {
        /// Midnight (UTC) at which its first day begins, Unix milliseconds.
        start_ms: i64,
        /// Midnight after its last day.
        end_ms: i64,
    },
    /// Make one from others.
    Merge {
        /// Their names, in the order of their days; each ends where the next begins.
        inputs: Vec<String>,
        /// As of [`Job::Build`].
        start_ms: i64,
        /// As of [`Job::Build`].
        end_ms: i64,
    },
}

/// The next job of a manifest, `None` when nothing is to be done. Doing job after job ends.
pub fn next_job(manifest: &Manifest, limits: &Limits) -> Option<Job> {
    build(manifest, limits).or_else(|| merge(&manifest.rollups, limits))
}

/// Names of the parts whose rows have a say in a rollup of `[start_ms, end_ms)`, ascending.
pub fn window_parts(manifest: &Manifest, start_ms: i64, end_ms: i64) -> Vec<String> {
    let span = Rollup { name: String::new(), checksum: String::new(), bytes: 0, format: 0, start_ms, end_ms };
    let parts = manifest.parts.iter().filter(|part| part.rows > 0 && span.depends_on(part.min_event_ms, part.max_event_ms));
    let mut names: Vec<String> = parts.map(|part| part.name.clone()).collect();
    names.sort_unstable();
    names
}

/// The oldest settled days without figures.
fn build(manifest: &Manifest, limits: &Limits) -> Option<Job> {
    let settled_ms = i64::try_from(manifest.sealed_stream_ms).ok()?.saturating_sub(limits.settled_after_ms);
    let settled_end = settled_ms.div_euclid(DAY_MS) * DAY_MS;
    let mut start_ms = i64::MIN;
    loop {
        start_ms = first_day_with_rows(manifest, start_ms)?;
        match manifest.rollups.iter().find(|rollup| rollup.start_ms <= start_ms && start_ms < rollup.end_ms) {
            Some(rollup) => start_ms = rollup.end_ms,
            None => break,
        }
    }
    if start_ms >= settled_end {
        return None;
    }
    let next = manifest.rollups.iter().map(|rollup| rollup.start_ms).filter(|next| *next > start_ms).min();
    let last_end = settled_end.min(next.unwrap_or(i64::MAX));
    let mut end_ms = start_ms + DAY_MS;
    let mut rows = rows_between(manifest, start_ms, end_ms);
    while end_ms < last_end {
        // Stretches without a row are passed over.
        if first_day_with_rows(manifest, end_ms) != Some(end_ms) {
            break;
        }
        rows += rows_between(manifest, end_ms, end_ms + DAY_MS);
        if rows > limits.rows_max {
            break;
        }
        end_ms += DAY_MS;
    }
    Some(Job::Build { start_ms, end_ms })
}

/// The first midnight not before `from_ms` whose day may have rows.
fn first_day_with_rows(manifest: &Manifest, from_ms: i64) -> Option<i64> {
    let parts = manifest.parts.iter().filter(|part| part.rows > 0 && part.max_event_ms >= from_ms);
    parts.map(|part| part.min_event_ms.max(from_ms).div_euclid(DAY_MS) * DAY_MS).min()
}

/// Rows in a stretch of time, if those of each part are spread evenly.
fn rows_between(manifest: &Manifest, start_ms: i64, end_ms: i64) -> u64 {
    let of_part = |part: &crate::manifest::Part| {
        let length = i128::from(part.max_event_ms) - i128::from(part.min_event_ms) + 1;
        let inside = i128::from(end_ms.min(part.max_event_ms + 1)) - i128::from(start_ms.max(part.min_event_ms));
        u64::try_from(i128::from(part.rows) * inside.max(0) / length.max(1)).unwrap_or(u64::MAX)
    };
    manifest.parts.iter().map(of_part).fold(0, u64::saturating_add)
}

/// Neighbours of one size, once there are enough of them.
fn merge(rollups: &[Rollup], limits: &Limits) -> Option<Job> {
    let days = |rollup: &Rollup| (rollup.end_ms - rollup.start_ms) / DAY_MS;
    [8, 64, i64::MAX].into_iter().find_map(|days_below| {
        let mut run: Vec<&Rollup> = Vec::new();
        let mut bytes = 0_u64;
        for rollup in rollups {
            let follows = run.last().is_none_or(|last| last.end_ms == rollup.start_ms);
            let fits = days(rollup) < days_below && bytes + rollup.bytes <= limits.bytes_max;
            if !follows || !fits {
                run.clear();
                bytes = 0;
            }
            if days(rollup) < days_below && rollup.bytes <= limits.bytes_max {
                run.push(rollup);
                bytes += rollup.bytes;
            }
            if run.len() >= limits.neighbours.max(2) {
                let (first, last) = (run.first()?, run.last()?);
                let (start_ms, end_ms) = (first.start_ms, last.end_ms);
                return Some(Job::Merge { inputs: run.iter().map(|rollup| rollup.name.clone()).collect(), start_ms, end_ms });
            }
        }
        None
    })
}

#[cfg(test)]
mod tests;
