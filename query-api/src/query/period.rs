//! Date ranges: what their names mean on a site's local clock.

use super::calendar::{DAY_MS, HOUR_MS, MINUTE_MS, add_days, day_start_ms, local_date, month_start};
use super::vocabulary::TimeUnit;
use chrono::{DateTime, Datelike, FixedOffset, NaiveDate, Offset, TimeZone};
use chrono_tz::Tz;
use serde_json::Value;

/// Most days of a named range, and the longest custom one.
const DAYS_MAX: u32 = 5_000;
/// Most months of a named range.
const MONTHS_MAX: u32 = 100;
/// How far ranges of minutes go past now.
const NOW_MARGIN_MS: i64 = 5_000;
/// Custom ranges lie inside these years.
const YEARS: std::ops::RangeInclusive<i32> = 1970..=2200;

/// The range a request names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DateRange {
    /// The local day up to now.
    Day,
    /// The last 24 hours.
    Hours24,
    /// So many minutes up to now, and five seconds more for clocks that differ.
    Minutes(u32),
    /// So many whole days that end yesterday.
    Days(u32),
    /// So many whole months that end with the last one.
    Months(u32),
    /// The whole current month.
    Month,
    /// The whole current year.
    Year,
    /// From the day of the first event to today.
    All,
    /// From one day to another, both included.
    Dates(NaiveDate, NaiveDate),
    /// From one second to another, both included; Unix seconds.
    Seconds(i64, i64),
}

/// Instants `[start_ms, end_ms)`, Unix milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// First millisecond inside.
    pub start_ms: i64,
    /// First millisecond after it.
    pub end_ms: i64,
}

impl DateRange {
    /// The range that the JSON value names.
    pub fn parse(value: &Value) -> Option<Self> {
        match value {
            Value::String(name) => Self::parse_name(name),
            Value::Array(items) => match items.as_slice() {
                [Value::String(from), Value::String(to)] => {
                    Self::parse_dates(from, to).or_else(|| Self::parse_instants(from, to))
                }
                _ => None,
            },
            _ => None,
        }
    }

    fn parse_name(name: &str) -> Option<Self> {
        let count = |digits: &str, max: u32| {
            let digits_only = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            digits_only.then(|| digits.parse().ok()).flatten().filter(|count| (1..=max).contains(count))
        };
        match name {
            "day" => Some(Self::Day),
            "24h" => Some(Self::Hours24),
            "realtime" => Some(Self::Minutes(5)),
            "30m" => Some(Self::Minutes(30)),
            "month" => Some(Self::Month),
            "year" => Some(Self::Year),
            "all" => Some(Self::All),
            _ => match (name.strip_suffix("mo"), name.strip_suffix('d')) {
                (Some(digits), _) => count(digits, MONTHS_MAX).map(Self::Months),
                (None, Some(digits)) => count(digits, DAYS_MAX).map(Self::Days),
                (None, None) => None,
            },
        }
    }

    fn parse_dates(from: &str, to: &str) -> Option<Self> {
        let (from, to) = (Self::parse_date(from)?, Self::parse_date(to)?);
        let days = to.signed_duration_since(from).num_days();
        (0..i64::from(DAYS_MAX)).contains(&days).then_some(Self::Dates(from, to))
    }

    /// A date that ranges may begin or end with.
    pub(super) fn parse_date(text: &str) -> Option<NaiveDate> {
        (text.len() == 10).then(|| text.parse::<NaiveDate>().ok()).flatten().filter(|date| YEARS.contains(&date.year()))
    }

    fn parse_instants(from: &str, to: &str) -> Option<Self> {
        let instant =
            |text: &str| DateTime::<FixedOffset>::parse_from_rfc3339(text).ok().filter(|i| YEARS.contains(&i.to_utc().year()));
        let (from, to) = (instant(from)?.timestamp(), instant(to)?.timestamp());
        (0..=i64::from(DAYS_MAX) * 86_400).contains(&(to - from)).then_some(Self::Seconds(from, to))
    }

    /// The instants it means now, in the site's zone. `first_event_ms` is the time of the site's first event, which `all` begins with.
    pub fn resolve(self, zone: Tz, now_ms: i64, first_event_ms: Option<i64>) -> Range {
        self.resolve_at(zone, now_ms, first_event_ms, None)
    }

    /// As [`DateRange::resolve`], with another day than today for the ranges of whole days, months and years.
    pub fn resolve_at(self, zone: Tz, now_ms: i64, first_event_ms: Option<i64>, day: Option<NaiveDate>) -> Range {
        let today = local_date(zone, now_ms);
        let day = day.unwrap_or(today);
        let now_end_ms = now_end_ms(now_ms);
        let days = |from: NaiveDate, to: NaiveDate| Range {
            start_ms: day_start_ms(zone, from),
            end_ms: day_start_ms(zone, add_days(to, 1)),
        };
        match self {
            Self::Day if day == today => Range { start_ms: day_start_ms(zone, today), end_ms: now_end_ms },
            Self::Day => days(day, day),
            Self::Hours24 => Range { start_ms: now_end_ms - 1_000 - 86_400_000, end_ms: now_end_ms },
            Self::Minutes(count) => {
                Range { start_ms: now_end_ms - 1_000 - i64::from(count) * MINUTE_MS, end_ms: now_end_ms + NOW_MARGIN_MS }
            }
            Self::Days(count) => days(add_days(day, -i64::from(count)), add_days(day, -1)),
            Self::Months(count) => days(month_start(day, -(count as i32)), add_days(month_start(day, 0), -1)),
            Self::Month => days(month_start(day, 0), add_days(month_start(day, 1), -1)),
            Self::Year => {
                let first = day.with_ordinal(1).unwrap_or(day);
                days(first, add_days(month_start(first, 12), -1))
            }
            Self::All => {
                let earliest = add_days(day, -i64::from(DAYS_MAX));
                let first = first_event_ms.map_or(day, |first| local_date(zone, first));
                days(first.clamp(earliest, day), day)
            }
            Self::Dates(from, to) => days(from, to),
            Self::Seconds(from, to) => Range { start_ms: from * 1_000, end_ms: to * 1_000 + 1_000 },
        }
    }

    /// What it meant, without the days to come: of a month or year that holds today the rest after it.
    pub fn trim(self, range: Range, zone: Tz, now_ms: i64) -> Range {
        let tomorrow_ms = day_start_ms(zone, add_days(local_date(zone, now_ms), 1));
        let is_current = range.start_ms < tomorrow_ms && tomorrow_ms < range.end_ms;
        match self {
            Self::Month | Self::Year if is_current => Range { end_ms: tomorrow_ms, ..range },
            _ => range,
        }
    }

    /// What it meant ends with the current second, not with a day.
    pub(super) fn ends_now(self, range: Range, now_ms: i64) -> bool {
        matches!(self, Self::Day | Self::Hours24) && range.end_ms == now_end_ms(now_ms)
    }

    /// It is of the last minutes.
    pub fn is_of_minutes(self) -> bool {
        matches!(self, Self::Minutes(_))
    }
}

/// The end of the current second: what was acknowledged before the question is in the answer.
fn now_end_ms(now_ms: i64) -> i64 {
    now_ms.div_euclid(1_000) * 1_000 + 1_000
}

impl Range {
    /// The bucket that `time` stands for: up to 48 hours are shown by hours, 40 days by days, 52 weeks by weeks.
    pub fn auto_unit(self) -> TimeUnit {
        let length_ms = self.end_ms - 1_000 - self.start_ms;
        if length_ms / HOUR_MS <= 48 {
            TimeUnit::Hour
        } else if length_ms / DAY_MS <= 40 {
            TimeUnit::Day
        } else if length_ms / (7 * DAY_MS) <= 52 {
            TimeUnit::Week
        } else {
            TimeUnit::Month
        }
    }

    /// First and last second of the range in the zone, as the answer repeats them.
    pub fn echo(self, zone: Tz) -> [String; 2] {
        [self.start_ms, self.end_ms - 1_000].map(|instant| {
            let instant = DateTime::from_timestamp_millis(instant).unwrap_or_default();
            let offset = zone.offset_from_utc_datetime(&instant.naive_utc()).fix();
            instant.with_timezone(&offset).format("%Y-%m-%dT%H:%M:%S%:z").to_string()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono_tz::{America, Asia, Europe, Pacific, UTC};
    use serde_json::json;

    fn resolve(value: &Value, zone: Tz, now: &str) -> [String; 2] {
        let now = DateTime::parse_from_rfc3339(now).unwrap().timestamp_millis();
        DateRange::parse(value).expect("a known range").resolve(zone, now, None).echo(zone)
    }

    #[test]
    fn names_mean_what_the_contract_says() {
        let now = "2026-11-21T10:20:30.456Z";
        let check = |name: &str, zone: Tz, from: &str, to: &str| {
            assert_eq!(resolve(&json!(name), zone, now), [from, to], "{name} {zone}");
        };
        check("day", UTC, "2026-11-21T00:00:00+00:00", "2026-11-21T10:20:30+00:00");
        check("day", Pacific::Auckland, "2026-11-21T00:00:00+13:00", "2026-11-21T23:20:30+13:00");
        check("day", Asia::Kolkata, "2026-11-21T00:00:00+05:30", "2026-11-21T15:50:30+05:30");
        check("24h", UTC, "2026-11-20T10:20:30+00:00", "2026-11-21T10:20:30+00:00");
        check("1d", UTC, "2026-11-20T00:00:00+00:00", "2026-11-20T23:59:59+00:00");
        check("7d", UTC, "2026-11-14T00:00:00+00:00", "2026-11-20T23:59:59+00:00");
        check("30d", Europe::Berlin, "2026-10-22T00:00:00+02:00", "2026-11-20T23:59:59+01:00");
        check("month", America::New_York, "2026-11-01T00:00:00-04:00", "2026-11-30T23:59:59-05:00");
        check("6mo", UTC, "2026-05-01T00:00:00+00:00", "2026-10-31T23:59:59+00:00");
        check("12mo", UTC, "2025-11-01T00:00:00+00:00", "2026-10-31T23:59:59+00:00");
        check("year", Europe::Berlin, "2026-01-01T00:00:00+01:00", "2026-12-31T23:59:59+01:00");
        check("all", UTC, "2026-11-21T00:00:00+00:00", "2026-11-21T23:59:59+00:00");
    }

    #[test]
    fn the_local_date_decides_what_today_is() {
        assert_eq!(
            resolve(&json!("1d"), Pacific::Kiritimati, "2026-12-31T10:30:00Z"),
            ["2026-12-31T00:00:00+14:00", "2026-12-31T23:59:59+14:00"]
        );
        assert_eq!(
            resolve(&json!("year"), Pacific::Honolulu, "2027-01-01T09:59:59Z"),
            ["2026-01-01T00:00:00-10:00", "2026-12-31T23:59:59-10:00"]
        );
    }

    #[test]
    fn custom_ranges_include_both_ends() {
        let now = "2026-11-21T10:20:30Z";
        assert_eq!(
            resolve(&json!(["2026-03-29", "2026-03-29"]), Europe::Berlin, now),
            ["2026-03-29T00:00:00+01:00", "2026-03-29T23:59:59+02:00"]
        );
        assert_eq!(
            resolve(&json!(["2026-11-01T10:00:00+02:00", "2026-11-01T09:30:00Z"]), UTC, now),
            ["2026-11-01T08:00:00+00:00", "2026-11-01T09:30:00+00:00"]
        );
    }

    #[test]
    fn all_begins_with_the_first_event() {
        let at = |text: &str| DateTime::parse_from_rfc3339(text).unwrap().timestamp_millis();
        let range = DateRange::All.resolve(Europe::Berlin, at("2026-11-21T10:00:00Z"), Some(at("2026-11-02T23:30:00Z")));
        assert_eq!(range.echo(Europe::Berlin)[0], "2026-11-03T00:00:00+01:00");
        let range = DateRange::All.resolve(UTC, at("2026-11-21T10:00:00Z"), Some(0));
        assert_eq!(range.echo(UTC)[0], "2013-03-14T00:00:00+00:00", "5,000 days at most");
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for value in [
            json!("0d"),
            json!("5001d"),
            json!("101mo"),
            json!("+7d"),
            json!("d"),
            json!("7"),
            json!("7 d"),
            json!("5m"),
            json!(""),
            json!(7),
            json!(null),
            json!([]),
            json!(["2026-01-01"]),
            json!(["2026-01-02", "2026-01-01"]),
            json!(["2026-02-30", "2026-03-01"]),
            json!(["1969-12-31", "1970-01-05"]),
            json!(["2026-01-01", "2026-01-01T00:00:00Z"]),
            json!(["2000-01-01", "2026-01-01"]),
            json!(["2026-01-01T00:00:00", "2026-01-02T00:00:00"]),
            json!(["9999999999-01-01", "2026-01-01"]),
        ] {
            assert_eq!(DateRange::parse(&value), None, "{value}");
        }
    }

    #[test]
    fn ranges_of_minutes_go_a_little_past_now() {
        let now = "2026-11-21T10:20:30.456Z";
        assert_eq!(resolve(&json!("realtime"), UTC, now), ["2026-11-21T10:15:30+00:00", "2026-11-21T10:20:35+00:00"]);
        let expected = ["2026-11-21T15:35:30+05:45", "2026-11-21T16:05:35+05:45"];
        assert_eq!(resolve(&json!("30m"), Asia::Kathmandu, now), expected);
    }

    #[test]
    fn another_day_than_today() {
        let now_ms = DateTime::parse_from_rfc3339("2026-11-21T10:20:30Z").unwrap().timestamp_millis();
        let check = |name: &str, day: &str, from: &str, to: &str| {
            let range = DateRange::parse(&json!(name)).unwrap().resolve_at(UTC, now_ms, None, Some(day.parse().unwrap()));
            assert_eq!(range.echo(UTC), [from, to], "{name} {day}");
        };
        check("day", "2026-11-20", "2026-11-20T00:00:00+00:00", "2026-11-20T23:59:59+00:00");
        check("day", "2026-11-21", "2026-11-21T00:00:00+00:00", "2026-11-21T10:20:30+00:00");
        check("7d", "2026-03-01", "2026-02-22T00:00:00+00:00", "2026-02-28T23:59:59+00:00");
        check("month", "2024-02-10", "2024-02-01T00:00:00+00:00", "2024-02-29T23:59:59+00:00");
        check("3mo", "2026-01-31", "2025-10-01T00:00:00+00:00", "2025-12-31T23:59:59+00:00");
        check("year", "2025-05-05", "2025-01-01T00:00:00+00:00", "2025-12-31T23:59:59+00:00");
        check("all", "2026-05-05", "2026-05-05T00:00:00+00:00", "2026-05-05T23:59:59+00:00");
        check("24h", "2026-05-05", "2026-11-20T10:20:30+00:00", "2026-11-21T10:20:30+00:00");
    }

    #[test]
    fn months_and_years_can_end_today() {
        let now_ms = DateTime::parse_from_rfc3339("2026-11-21T23:20:30Z").unwrap().timestamp_millis();
        let trimmed = |value: Value, zone: Tz| {
            let range = DateRange::parse(&value).unwrap();
            range.trim(range.resolve(zone, now_ms, None), zone, now_ms).echo(zone)[1].clone()
        };
        assert_eq!(trimmed(json!("month"), UTC), "2026-11-21T23:59:59+00:00");
        assert_eq!(trimmed(json!("month"), Europe::Berlin), "2026-11-22T23:59:59+01:00");
        assert_eq!(trimmed(json!("year"), America::New_York), "2026-11-21T23:59:59-05:00");
        for (value, end) in [
            (json!("day"), "2026-11-21T23:20:30+00:00"),
            (json!("7d"), "2026-11-20T23:59:59+00:00"),
            (json!(["2026-11-01", "2026-11-30"]), "2026-11-30T23:59:59+00:00"),
        ] {
            assert_eq!(trimmed(value.clone(), UTC), end, "{value}");
        }
        let earlier = DateRange::Month.resolve_at(UTC, now_ms, None, Some("2026-10-05".parse().unwrap()));
        assert_eq!(DateRange::Month.trim(earlier, UTC, now_ms), earlier);
    }

    #[test]
    fn automatic_buckets_follow_the_length() {
        let unit = |value: Value| {
            let range = DateRange::parse(&value).unwrap();
            range.resolve(UTC, 1_795_000_000_000, None).auto_unit()
        };
        for value in [json!("day"), json!("24h"), json!("realtime"), json!(["2026-01-01", "2026-01-02"])] {
            assert_eq!(unit(value.clone()), TimeUnit::Hour, "{value}");
        }
        for value in [json!("30d"), json!("3d"), json!(["2026-01-01", "2026-02-10"])] {
            assert_eq!(unit(value.clone()), TimeUnit::Day, "{value}");
        }
        for value in [json!("91d"), json!("6mo"), json!("12mo"), json!("year"), json!(["2026-01-01", "2026-02-11"])] {
            assert_eq!(unit(value.clone()), TimeUnit::Week, "{value}");
        }
        assert_eq!(unit(json!("13mo")), TimeUnit::Month);
    }
}
