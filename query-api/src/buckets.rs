//! The time buckets of a query's range and what they are called.

use crate::query::calendar::{Calendar, MINUTE_MS};
use crate::query::{Query, RESULTS_MAX, Range, Refusal, TimeUnit};
use chrono_tz::Tz;

/// The buckets of one range.
#[derive(Clone, Debug)]
pub struct Buckets {
    /// How long one is; of no meaning without a dimension of time.
    pub unit: TimeUnit,
    /// What they are called, in order: all of them, empty ones too. Of minutes only those that are over.
    pub labels: Vec<String>,
}

impl Buckets {
    /// The buckets of `calendar`'s `range` at `now_ms` (Unix milliseconds).
    ///
    /// # Errors
    /// When there are more than an answer may have results.
    pub fn new(query: &Query, calendar: &Calendar, range: Range, zone: Tz, now_ms: i64) -> Result<Self, Refusal> {
        let Some((_, unit)) = query.time_dimension() else { return Ok(Self { unit: TimeUnit::Day, labels: Vec::new() }) };
        Self::of(unit.unwrap_or_else(|| range.auto_unit()), calendar, range, zone, now_ms)
    }

    /// As [`Buckets::new`], of a length that is known.
    ///
    /// # Errors
    /// When there are more than an answer may have results.
    pub fn of(unit: TimeUnit, calendar: &Calendar, range: Range, zone: Tz, now_ms: i64) -> Result<Self, Refusal> {
        let ordinals = calendar.ordinals(unit, RESULTS_MAX);
        if ordinals.len() > RESULTS_MAX {
            return Err(Refusal::TooManyBuckets { limit: RESULTS_MAX });
        }
        let ordinals = if unit == TimeUnit::Minute {
            let end_ms = (range.end_ms - 1_000).min(now_ms.div_euclid(MINUTE_MS) * MINUTE_MS);
            Calendar::new(zone, range.start_ms, end_ms).ordinals(unit, RESULTS_MAX)
        } else {
            ordinals
        };
        Ok(Self { unit, labels: ordinals.iter().map(|ordinal| calendar.label(unit, *ordinal)).collect() })
    }
}
