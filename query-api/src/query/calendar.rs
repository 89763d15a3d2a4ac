//! Local time of a site: where its days begin, and which bucket an instant falls into.
//!
//! Instants are Unix milliseconds. A bucket is known by its ordinal: hours, days, weeks since 1970 on the local clock, or months
//! since year 0; minutes and quarters of an hour as hours. A bucket that the clock shows twice is one; one that it skips is none.

use super::period::Range;
use super::vocabulary::TimeUnit;
use chrono::{DateTime, Datelike, Days, Months, NaiveDate, Offset, TimeZone};
use chrono_tz::Tz;
use std::collections::BTreeSet;

/// Milliseconds of a minute.
pub const MINUTE_MS: i64 = 60_000;
/// Milliseconds of a quarter of an hour.
pub const QUARTER_MS: i64 = 15 * MINUTE_MS;
/// Milliseconds of an hour.
pub const HOUR_MS: i64 = 3_600_000;
/// Milliseconds of a day.
pub const DAY_MS: i64 = 24 * HOUR_MS;
/// No zone changes its offset twice inside this time.
const STEP_MS: i64 = DAY_MS / 4;

/// Offset of the local clock at an instant, milliseconds.
pub fn offset_ms(zone: Tz, instant_ms: i64) -> i64 {
    let instant = DateTime::from_timestamp_millis(instant_ms).unwrap_or_default();
    i64::from(zone.offset_from_utc_datetime(&instant.naive_utc()).fix().local_minus_utc()) * 1_000
}

/// The local date at an instant.
pub fn local_date(zone: Tz, instant_ms: i64) -> NaiveDate {
    DateTime::from_timestamp_millis(instant_ms + offset_ms(zone, instant_ms)).unwrap_or_default().date_naive()
}

/// The first instant of a local date: midnight, or the end of the gap where the clock skips midnight.
pub fn day_start_ms(zone: Tz, date: NaiveDate) -> i64 {
    let midnight_utc = date.and_hms_opt(0, 0, 0).unwrap_or_default().and_utc().timestamp_millis();
    // Offsets lie between -15 and +15 hours, and a skipped day adds 24.
    first(midnight_utc - 2 * DAY_MS, midnight_utc + 2 * DAY_MS, |instant| local_date(zone, instant) >= date)
}

/// The first instant in (low, high] at which the test holds, given that it holds from some instant on.
fn first(mut low: i64, mut high: i64, test: impl Fn(i64) -> bool) -> i64 {
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if test(middle) { high = middle } else { low = middle }
    }
    high
}

/// The offsets of a zone over a range, as runs of equal offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calendar {
    /// Start of each run and its offset, ascending; the first starts with the range.
    runs: Vec<(i64, i64)>,
    start_ms: i64,
    end_ms: i64,
}

impl Calendar {
    /// The runs of `[start_ms, end_ms)`.
    pub fn new(zone: Tz, start_ms: i64, end_ms: i64) -> Self {
        let mut runs = vec![(start_ms, offset_ms(zone, start_ms))];
        let mut at = start_ms;
        while at < end_ms {
            let next = (at + STEP_MS).min(end_ms);
            let (before, after) = (offset_ms(zone, at), offset_ms(zone, next));
            if before != after {
                let change = first(at, next, |instant| offset_ms(zone, instant) == after);
                if change < end_ms {
                    runs.push((change, after));
                }
            }
            at = next;
        }
        Self { runs, start_ms, end_ms }
    }

    /// SQL for the ordinal of the bucket that holds the instant in `column`. For instants inside the range.
    pub fn ordinal_sql(&self, unit: TimeUnit, column: &str) -> String {
        match self.runs.as_slice() {
            [(_, offset)] => local_ordinal_sql(unit, &format!("({column} + {offset})")),
            _ => local_ordinal_sql(unit, &format!("({column} + {})", self.by_run_sql(column, |_, offset| offset))),
        }
    }

    /// SQL for the list of the ordinals of all buckets that an interval touches, each once, from the instant in column `first` to that in
    /// `last`, both included and inside the range.
    pub fn span_sql(&self, unit: TimeUnit, first: &str, last: &str) -> String {
        let between = |first: &str, last: &str| format!("range({first}, {last} + 1)");
        let plain = between(&self.ordinal_sql(unit, first), &self.ordinal_sql(unit, last));
        if self.runs.len() < 2 {
            return plain;
        }
        // Where the clock changes in between, the buckets before and after do not follow on each other, or come twice.
        let piece = |(index, (start, offset)): (usize, &(i64, i64))| {
            let end = self.runs.get(index + 1).map_or(self.end_ms, |(end, _)| *end);
            let from = local_ordinal_sql(unit, &format!("(greatest({first}, {start}) + {offset})"));
            let to = local_ordinal_sql(unit, &format!("(least({last}, {}) + {offset})", end - 1));
            format!("CASE WHEN {first} < {end} AND {last} >= {start} THEN {} ELSE [] END", between(&from, &to))
        };
        let pieces: Vec<String> = self.runs.iter().enumerate().map(piece).collect();
        let run = |column: &str| self.by_run_sql(column, |index, _| index as i64);
        format!("CASE WHEN {} = {} THEN {plain} ELSE list_distinct(flatten([{}])) END", run(first), run(last), pieces.join(", "))
    }

    /// SQL for a number that depends on the run an instant lies in: of its index and its offset.
    fn by_run_sql(&self, column: &str, value: impl Fn(usize, i64) -> i64) -> String {
        let case = |(index, (_, offset)): (usize, &(i64, i64))| match self.runs.get(index + 1) {
            Some((end, _)) => format!("WHEN {column} < {end} THEN {}", value(index, *offset)),
            None => format!("ELSE {}", value(index, *offset)),
        };
        let cases: Vec<String> = self.runs.iter().enumerate().map(case).collect();
        format!("CASE {} END", cases.join(" "))
    }

    /// The ordinals of all buckets that hold an instant of the range, ascending; at most `limit` + 1 of them.
    pub fn ordinals(&self, unit: TimeUnit, limit: usize) -> Vec<i64> {
        let mut found = BTreeSet::new();
        for (index, (from, offset)) in self.runs.iter().enumerate() {
            let end = self.runs.get(index + 1).map_or(self.end_ms, |(end, _)| *end);
            if end <= *from {
                continue;
            }
            for ordinal in ordinal(unit, from + offset)..=ordinal(unit, end - 1 + offset) {
                found.insert(ordinal);
                if found.len() > limit {
                    return found.into_iter().collect();
                }
            }
        }
        found.into_iter().collect()
    }

    /// The buckets (days, weeks or months) of the range, as far as it has them, ascending; `None` = one comes twice.
    pub fn buckets(&self, unit: TimeUnit) -> Option<Vec<Range>> {
        let mut found: Vec<(i64, Range)> = Vec::new();
        for (index, (from, offset)) in self.runs.iter().enumerate() {
            let end_ms = self.runs.get(index + 1).map_or(self.end_ms, |(end, _)| *end);
            let mut start_ms = *from;
            while start_ms < end_ms {
                let midnight_ms = ((start_ms + offset).div_euclid(DAY_MS) + 1) * DAY_MS - offset;
                let day = Range { start_ms, end_ms: midnight_ms.min(end_ms) };
                let bucket = ordinal(unit, start_ms + offset);
                match found.last_mut() {
                    Some((last, range)) if *last == bucket => range.end_ms = day.end_ms,
                    Some((last, _)) if *last > bucket => return None,
                    _ => found.push((bucket, day)),
                }
                start_ms = day.end_ms;
            }
        }
        Some(found.into_iter().map(|(_, range)| range).collect())
    }

    /// What a bucket is called: its start on the local clock, but no week begins before the range.
    pub fn label(&self, unit: TimeUnit, ordinal: i64) -> String {
        let midnight = |day: i64| DateTime::from_timestamp_millis(day * DAY_MS).unwrap_or_default().date_naive();
        let instant =
            |ms: i64| DateTime::from_timestamp_millis(ordinal * ms).unwrap_or_default().format("%Y-%m-%d %H:%M:%S").to_string();
        match unit {
            TimeUnit::Minute => instant(MINUTE_MS),
            TimeUnit::Quarter => instant(QUARTER_MS),
            TimeUnit::Hour => instant(HOUR_MS),
            TimeUnit::Day => midnight(ordinal).to_string(),
            TimeUnit::Week => {
                let first = self.runs.first().map_or(0, |(_, offset)| offset + self.start_ms).div_euclid(DAY_MS);
                midnight((ordinal * 7 - 3).max(first)).to_string()
            }
            TimeUnit::Month => {
                let (year, month) = (ordinal.div_euclid(12), ordinal.rem_euclid(12) + 1);
                format!("{year:04}-{month:02}-01")
            }
        }
    }
}

/// SQL for the ordinal of the bucket at a local time, milliseconds.
fn local_ordinal_sql(unit: TimeUnit, local: &str) -> String {
    match unit {
        TimeUnit::Minute => format!("{local} // {MINUTE_MS}"),
        TimeUnit::Quarter => format!("{local} // {QUARTER_MS}"),
        TimeUnit::Hour => format!("{local} // {HOUR_MS}"),
        TimeUnit::Day => format!("{local} // {DAY_MS}"),
        TimeUnit::Week => format!("({local} // {DAY_MS} + 3) // 7"),
        TimeUnit::Month => {
            format!("(year(make_timestamp({local} * 1000)) * 12 + month(make_timestamp({local} * 1000)) - 1)")
        }
    }
}

/// The bucket that holds a local time, milliseconds.
fn ordinal(unit: TimeUnit, local_ms: i64) -> i64 {
    match unit {
        TimeUnit::Minute => local_ms.div_euclid(MINUTE_MS),
        TimeUnit::Quarter => local_ms.div_euclid(QUARTER_MS),
        TimeUnit::Hour => local_ms.div_euclid(HOUR_MS),
        TimeUnit::Day => local_ms.div_euclid(DAY_MS),
        TimeUnit::Week => (local_ms.div_euclid(DAY_MS) + 3).div_euclid(7),
        TimeUnit::Month => {
            let date = DateTime::from_timestamp_millis(local_ms).unwrap_or_default();
            i64::from(date.year()) * 12 + i64::from(date.month0())
        }
    }
}

/// Midnight (UTC) at which the month that holds an instant begins.
pub fn month_floor_ms(instant_ms: i64) -> i64 {
    let date = DateTime::from_timestamp_millis(instant_ms).unwrap_or_default().date_naive();
    month_start(date, 0).and_time(chrono::NaiveTime::MIN).and_utc().timestamp_millis()
}

/// The date so many days later or earlier; the date itself where the calendar ends.
pub fn add_days(date: NaiveDate, days: i64) -> NaiveDate {
    let shifted = if days < 0 {
        date.checked_sub_days(Days::new(days.unsigned_abs()))
    } else {
        date.checked_add_days(Days::new(days.unsigned_abs()))
    };
    shifted.unwrap_or(date)
}

/// The first day of the month so many months later or earlier.
pub fn month_start(date: NaiveDate, months: i32) -> NaiveDate {
    let first = date.with_day(1).unwrap_or(date);
    let shift = Months::new(months.unsigned_abs());
    let shifted = if months < 0 { first.checked_sub_months(shift) } else { first.checked_add_months(shift) };
    shifted.unwrap_or(first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono_tz::{Africa, America, Asia, Australia, Europe, Pacific, UTC};

    fn date(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn instant(text: &str) -> i64 {
        DateTime::parse_from_rfc3339(text).unwrap().timestamp_millis()
    }

    #[test]
    fn days_begin_at_local_midnight_or_after_the_gap() {
        let check = |zone: Tz, day: &str, expected: &str| {
            let found = DateTime::from_timestamp_millis(day_start_ms(zone, date(day))).unwrap().to_rfc3339();
            assert_eq!(found, DateTime::parse_from_rfc3339(expected).unwrap().to_utc().to_rfc3339(), "{zone} {day}");
        };
        check(UTC, "2026-03-29", "2026-03-29T00:00:00Z");
        check(Europe::Berlin, "2026-03-29", "2026-03-28T23:00:00Z");
        check(Europe::Berlin, "2026-03-30", "2026-03-29T22:00:00Z");
        check(America::New_York, "2026-11-02", "2026-11-02T05:00:00Z");
        check(Asia::Kathmandu, "2026-05-01", "2026-04-30T18:15:00Z");
        // Midnight is skipped: the day begins at 01:00.
        check(Africa::Cairo, "2026-04-24", "2026-04-23T22:00:00Z");
        check(America::Santiago, "2026-09-06", "2026-09-06T04:00:00Z");
        // Midnight comes twice: the day begins with the first.
        check(America::Havana, "2026-11-01", "2026-11-01T04:00:00Z");
        // A day that was skipped is empty.
        check(Pacific::Apia, "2011-12-30", "2011-12-30T10:00:00Z");
        check(Pacific::Apia, "2011-12-31", "2011-12-30T10:00:00Z");
    }

    #[test]
    fn a_day_has_as_many_hours_as_the_clock_shows() {
        let hours = |zone: Tz, day: &str| {
            let (start, end) = (day_start_ms(zone, date(day)), day_start_ms(zone, add_days(date(day), 1)));
            let calendar = Calendar::new(zone, start, end);
            let labels: Vec<_> =
                calendar.ordinals(TimeUnit::Hour, 100).iter().map(|o| calendar.label(TimeUnit::Hour, *o)).collect();
            ((end - start) / HOUR_MS, labels)
        };
        let (length, labels) = hours(Europe::Berlin, "2026-03-29");
        assert_eq!((length, labels.len()), (23, 23));
        assert!(!labels.contains(&"2026-03-29 02:00:00".to_owned()) && labels.contains(&"2026-03-29 03:00:00".to_owned()));
        let (length, labels) = hours(Europe::Berlin, "2026-10-25");
        assert_eq!((length, labels.len()), (25, 24));
        let (length, labels) = hours(Australia::Lord_Howe, "2026-04-05");
        assert_eq!((length, labels.len()), (24, 24), "half an hour longer");
        assert_eq!(labels.first().unwrap(), "2026-04-05 00:00:00");
        let (_, labels) = hours(Africa::Cairo, "2026-04-24");
        assert_eq!((labels.len(), labels[0].as_str()), (23, "2026-04-24 01:00:00"));
    }

    #[test]
    fn weeks_begin_on_monday_but_not_before_the_range() {
        let calendar = Calendar::new(UTC, instant("2026-11-04T00:00:00Z"), instant("2026-11-17T00:00:00Z"));
        let labels: Vec<_> = calendar.ordinals(TimeUnit::Week, 10).iter().map(|o| calendar.label(TimeUnit::Week, *o)).collect();
        assert_eq!(labels, ["2026-11-04", "2026-11-09", "2026-11-16"]);
        let labels: Vec<_> = calendar.ordinals(TimeUnit::Month, 10).iter().map(|o| calendar.label(TimeUnit::Month, *o)).collect();
        assert_eq!(labels, ["2026-11-01"]);
    }

    #[test]
    fn offsets_change_inside_a_year_where_the_zone_says() {
        let calendar = Calendar::new(Europe::Berlin, instant("2025-12-31T23:00:00Z"), instant("2026-12-31T23:00:00Z"));
        assert_eq!(
            calendar.runs,
            [
                (instant("2025-12-31T23:00:00Z"), HOUR_MS),
                (instant("2026-03-29T01:00:00Z"), 2 * HOUR_MS),
                (instant("2026-10-25T01:00:00Z"), HOUR_MS)
            ]
        );
        assert_eq!(calendar.ordinals(TimeUnit::Day, 1_000).len(), 365);
        assert_eq!(calendar.ordinals(TimeUnit::Hour, 10).len(), 11, "stops past the limit");
    }

    #[test]
    fn months_move_by_first_days() {
        assert_eq!(month_start(date("2026-03-31"), -1), date("2026-02-01"));
        assert_eq!(month_start(date("2026-01-15"), -1), date("2025-12-01"));
        assert_eq!(month_start(date("2026-12-15"), 1), date("2027-01-01"));
    }
}
