//! The range that a range is compared with.

use super::Range;
use super::calendar::{DAY_MS, add_days, day_start_ms, local_date};
use super::period::DateRange;
use chrono::{DateTime, Datelike, Days, Months, NaiveDate};
use chrono_tz::Tz;

/// How the range to compare with is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// Which range.
    pub mode: ComparisonMode,
    /// Begin on the same day of the week. Not for a custom range.
    pub match_day_of_week: bool,
}

/// Which range is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ComparisonMode {
    /// The same number of days before.
    PreviousPeriod,
    /// The same days a year before.
    YearOverYear,
    /// This one: [`DateRange::Dates`] or [`DateRange::Seconds`].
    Custom(DateRange),
}

impl Comparison {
    /// The range that `range`, which `named` meant at `now_ms` (Unix milliseconds), is compared with. Days to come do not count, and what
    /// ends now is compared with what ended at the same time of day.
    pub fn resolve(self, named: DateRange, range: Range, zone: Tz, now_ms: i64) -> Range {
        if let ComparisonMode::Custom(custom) = self.mode {
            return custom.resolve(zone, now_ms, None);
        }
        if named.ends_now(range, now_ms) {
            return self.shifted(range, zone);
        }
        let first = local_date(zone, range.start_ms);
        let last = local_date(zone, range.end_ms - 1).min(local_date(zone, now_ms)).max(first);
        let days = last.signed_duration_since(first).num_days();
        let mut start = match self.mode {
            ComparisonMode::YearOverYear => year_before(first),
            _ => add_days(first, -days - 1),
        };
        if self.match_day_of_week {
            start = same_weekday(first, start);
        }
        Range { start_ms: day_start_ms(zone, start), end_ms: day_start_ms(zone, add_days(start, days + 1)) }
    }

    /// The same instants of earlier days.
    fn shifted(self, range: Range, zone: Tz) -> Range {
        let Range { start_ms, end_ms } = range;
        let by = |ms: i64| Range { start_ms: start_ms + ms, end_ms: end_ms + ms };
        match (self.mode, self.match_day_of_week) {
            (ComparisonMode::YearOverYear, matches) => {
                let shifted = Range { start_ms: year_before_ms(start_ms), end_ms: year_before_ms(end_ms) };
                let (first, start) = (local_date(zone, start_ms), local_date(zone, shifted.start_ms));
                let days = if matches { same_weekday(first, start).signed_duration_since(start).num_days() } else { 0 };
                Range { start_ms: shifted.start_ms + days * DAY_MS, end_ms: shifted.end_ms + days * DAY_MS }
            }
            (_, true) => by(-7 * DAY_MS),
            (_, false) => by(-DAY_MS),
        }
    }
}

/// The date a year earlier; of 29 February the 28th.
fn year_before(date: NaiveDate) -> NaiveDate {
    date.checked_sub_months(Months::new(12)).unwrap_or(date)
}

/// The same time of a UTC day a year earlier, Unix milliseconds.
fn year_before_ms(instant_ms: i64) -> i64 {
    let instant = DateTime::from_timestamp_millis(instant_ms).unwrap_or_default();
    instant.checked_sub_months(Months::new(12)).unwrap_or(instant).timestamp_millis()
}

/// The day of the week of `wanted` at `date` or after it; before it, where that would be `wanted` itself.
fn same_weekday(wanted: NaiveDate, date: NaiveDate) -> NaiveDate {
    let ahead = (7 + wanted.weekday().num_days_from_monday() - date.weekday().num_days_from_monday()) % 7;
    let next = date.checked_add_days(Days::new(u64::from(ahead))).unwrap_or(date);
    if ahead > 0 && next == wanted { add_days(next, -7) } else { next }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono_tz::{America, Europe, UTC};
    use serde_json::{Value, json};

    const NOW: &str = "2026-11-21T10:20:30.456Z";

    fn check(named: &Value, mode: ComparisonMode, match_day_of_week: bool, zone: Tz, expected: [&str; 2]) {
        let now_ms = DateTime::parse_from_rfc3339(NOW).unwrap().timestamp_millis();
        let named = DateRange::parse(named).unwrap();
        let range = named.resolve(zone, now_ms, None);
        let found = Comparison { mode, match_day_of_week }.resolve(named, range, zone, now_ms).echo(zone);
        assert_eq!(found, expected, "{named:?} {mode:?} {match_day_of_week}");
    }

    #[test]
    fn as_many_days_before() {
        let check = |named: Value, expected| check(&named, ComparisonMode::PreviousPeriod, false, UTC, expected);
        check(json!("7d"), ["2026-11-07T00:00:00+00:00", "2026-11-13T23:59:59+00:00"]);
        check(json!("6mo"), ["2025-10-29T00:00:00+00:00", "2026-04-30T23:59:59+00:00"]);
        // The month is 21 days old.
        check(json!("month"), ["2026-10-11T00:00:00+00:00", "2026-10-31T23:59:59+00:00"]);
        check(json!("year"), ["2025-02-10T00:00:00+00:00", "2025-12-31T23:59:59+00:00"]);
        check(json!(["2026-11-10", "2026-11-30"]), ["2026-10-29T00:00:00+00:00", "2026-11-09T23:59:59+00:00"]);
        check(json!(["2026-12-10", "2026-12-30"]), ["2026-12-09T00:00:00+00:00", "2026-12-09T23:59:59+00:00"]);
        // Until the same second.
        check(json!("day"), ["2026-11-20T00:00:00+00:00", "2026-11-20T10:20:30+00:00"]);
        check(json!("24h"), ["2026-11-19T10:20:30+00:00", "2026-11-20T10:20:30+00:00"]);
    }

    #[test]
    fn a_year_before() {
        let check = |named: Value, expected| check(&named, ComparisonMode::YearOverYear, false, UTC, expected);
        check(json!("7d"), ["2025-11-14T00:00:00+00:00", "2025-11-20T23:59:59+00:00"]);
        check(json!("month"), ["2025-11-01T00:00:00+00:00", "2025-11-21T23:59:59+00:00"]);
        check(json!("day"), ["2025-11-21T00:00:00+00:00", "2025-11-21T10:20:30+00:00"]);
        check(json!(["2024-02-29", "2024-03-01"]), ["2023-02-28T00:00:00+00:00", "2023-03-01T23:59:59+00:00"]);
    }

    #[test]
    fn on_the_same_day_of_the_week() {
        let previous = |named: Value, expected| check(&named, ComparisonMode::PreviousPeriod, true, UTC, expected);
        // Five days from Monday the 2nd: the five before begin on Wednesday 28 October; the next Monday is the 2nd itself.
        previous(json!(["2026-11-02", "2026-11-06"]), ["2026-10-26T00:00:00+00:00", "2026-10-30T23:59:59+00:00"]);
        // Ten days from Monday the 2nd: the ten before begin on Friday 23 October.
        previous(json!(["2026-11-02", "2026-11-11"]), ["2026-10-26T00:00:00+00:00", "2026-11-04T23:59:59+00:00"]);
        previous(json!("7d"), ["2026-11-07T00:00:00+00:00", "2026-11-13T23:59:59+00:00"]);
        previous(json!("day"), ["2026-11-14T00:00:00+00:00", "2026-11-14T10:20:30+00:00"]);
        let year = |named: Value, expected| check(&named, ComparisonMode::YearOverYear, true, UTC, expected);
        // Sunday, 1 January 2023; a year before, the 1st was a Saturday.
        year(json!(["2023-01-01", "2023-01-31"]), ["2022-01-02T00:00:00+00:00", "2022-02-01T23:59:59+00:00"]);
        year(json!("day"), ["2025-11-22T00:00:00+00:00", "2025-11-22T10:20:30+00:00"]);
    }

    #[test]
    fn days_are_those_of_the_zone() {
        check(
            &json!(["2026-03-29", "2026-03-29"]),
            ComparisonMode::PreviousPeriod,
            false,
            Europe::Berlin,
            ["2026-03-28T00:00:00+01:00", "2026-03-28T23:59:59+01:00"],
        );
        check(
            &json!("30d"),
            ComparisonMode::PreviousPeriod,
            false,
            America::New_York,
            ["2026-09-22T00:00:00-04:00", "2026-10-21T23:59:59-04:00"],
        );
        let custom = ComparisonMode::Custom(DateRange::parse(&json!(["2026-01-01", "2026-01-02"])).unwrap());
        check(&json!("day"), custom, true, Europe::Berlin, ["2026-01-01T00:00:00+01:00", "2026-01-02T23:59:59+01:00"]);
    }
}
