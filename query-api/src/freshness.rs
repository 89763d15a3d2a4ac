//! How fresh and complete an answer is: what stands in `meta` beside the figures, made anew for every answer.

use crate::query::Range;
use chrono::{DateTime, SecondsFormat};
use weir_event::validate::AGE_MS_MAX;

/// Most open hours listed.
pub const OPEN_HOURS_MAX: usize = 48;
const HOUR_MS: i64 = 3_600_000;

/// UTC hours inside a range whose figures may still change: events of theirs can still be on their way. A script keeps an event for a day at most when it cannot
/// send it. The earliest ones, at most [`OPEN_HOURS_MAX`]; whatever follows them is open too.
pub fn open_hours(range: Range, complete_through_ms: u64, now_ms: i64) -> Vec<String> {
    let complete_ms = i64::try_from(complete_through_ms).unwrap_or(i64::MAX);
    // The hour that a day-old event of the watermark's instant belongs to is the first.
    let oldest_ms = complete_ms.saturating_sub(AGE_MS_MAX as i64).max(range.start_ms);
    let end_ms = range.end_ms.min(now_ms.saturating_add(1));
    let first = oldest_ms.div_euclid(HOUR_MS);
    let last = (end_ms - 1).div_euclid(HOUR_MS);
    if oldest_ms >= end_ms {
        return Vec::new();
    }
    (first..=last).take(OPEN_HOURS_MAX).map(|hour| instant(hour * HOUR_MS)).collect()
}

fn instant(ms: i64) -> String {
    DateTime::from_timestamp_millis(ms).unwrap_or_default().to_rfc3339_opts(SecondsFormat::Secs, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> i64 {
        DateTime::parse_from_rfc3339(text).unwrap().timestamp_millis()
    }

    fn open(from: &str, to: &str, complete: &str, now: &str) -> (usize, Option<String>, Option<String>) {
        let hours = open_hours(Range { start_ms: at(from), end_ms: at(to) }, at(complete) as u64, at(now));
        (hours.len(), hours.first().cloned(), hours.last().cloned())
    }

    #[test]
    fn hours_are_open_for_a_day_after_the_watermark_reached_them() {
        let (complete, now) = ("2026-11-21T10:20:00Z", "2026-11-21T10:20:30Z");
        let text = |text: &str| Some(text.to_owned());
        // Past days are closed.
        assert_eq!(open("2026-11-01T00:00:00Z", "2026-11-20T10:00:00Z", complete, now), (0, None, None));
        // Yesterday is not yet.
        assert_eq!(
            open("2026-11-01T00:00:00Z", "2026-11-21T00:00:00Z", complete, now),
            (14, text("2026-11-20T10:00:00Z"), text("2026-11-20T23:00:00Z"))
        );
        // Nor is today, up to now; the future is no figure.
        assert_eq!(
            open("2026-11-21T00:00:00Z", "2026-12-01T00:00:00Z", complete, now),
            (11, text("2026-11-21T00:00:00Z"), text("2026-11-21T10:00:00Z"))
        );
        assert_eq!(open("2026-11-22T00:00:00Z", "2026-12-01T00:00:00Z", complete, now), (0, None, None));
        // A range that begins inside an hour, in a zone of half hours.
        assert_eq!(
            open("2026-11-21T09:30:00Z", "2026-11-21T09:45:00Z", complete, now),
            (1, text("2026-11-21T09:00:00Z"), text("2026-11-21T09:00:00Z"))
        );
    }

    #[test]
    fn the_list_is_bounded_when_the_watermark_stands() {
        let (count, first, _) =
            open("2026-01-01T00:00:00Z", "2026-11-22T00:00:00Z", "2026-10-01T00:00:00Z", "2026-11-21T10:20:30Z");
        assert_eq!((count, first), (OPEN_HOURS_MAX, Some("2026-09-30T00:00:00Z".to_owned())));
        // Nothing is known to be complete.
        let ever = Range { start_ms: i64::MIN / 4, end_ms: i64::MAX / 4 };
        assert_eq!(open_hours(ever, 0, i64::MAX / 8).len(), OPEN_HOURS_MAX);
        assert_eq!(open_hours(ever, u64::MAX, i64::MAX).len(), 0);
    }
}
