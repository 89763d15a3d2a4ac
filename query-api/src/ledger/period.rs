//! The hours that a request for the ledger names.

use crate::query::Refusal;
use chrono::{DateTime, NaiveDate, NaiveTime};
use weir_rollup::ledger::{HOUR_MS, hour_of};

/// Longest period.
const DAYS_MAX: i64 = 31;
/// Length of the period where none is named.
const DEFAULT_MS: i64 = 24 * HOUR_MS;

/// Whole UTC hours, half-open, Unix milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// Start of the first hour.
    pub from_ms: i64,
    /// End of the last.
    pub to_ms: i64,
}

impl Period {
    /// The hours that touch the time from `from` to `to`: dates (their start, UTC) or RFC 3339 times. Without `to` it ends now, without
    /// `from` it is a day long.
    pub fn parse(from: Option<&str>, to: Option<&str>, now_ms: i64) -> Result<Self, Refusal> {
        let to_ms = to.map_or(Ok(now_ms), |text| instant("to", text))?;
        let from_ms = from.map_or(Ok(to_ms - DEFAULT_MS), |text| instant("from", text))?;
        if from_ms >= to_ms {
            return Err(Refusal::EmptyPeriod);
        }
        if to_ms - from_ms > DAYS_MAX * 24 * HOUR_MS {
            return Err(Refusal::PeriodTooLong { days_max: DAYS_MAX });
        }
        Ok(Self { from_ms: hour_of(from_ms), to_ms: hour_of(to_ms + HOUR_MS - 1) })
    }

    /// Whether an hour, by its start, is one of these.
    pub fn holds(&self, hour_ms: i64) -> bool {
        (self.from_ms..self.to_ms).contains(&hour_ms)
    }
}

fn instant(name: &'static str, text: &str) -> Result<i64, Refusal> {
    let date = || text.parse::<NaiveDate>().ok().map(|date| date.and_time(NaiveTime::MIN).and_utc().timestamp_millis());
    let time = || DateTime::parse_from_rfc3339(text).ok().map(|time| time.timestamp_millis());
    let is_date = text.len() == "2026-11-21".len() && text.starts_with(|first: char| first.is_ascii_digit());
    (if is_date { date() } else { time() }).ok_or(Refusal::Instant { name })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-21T10:20:30.456Z.
    const NOW_MS: i64 = 1_795_256_430_456;

    #[test]
    fn periods_are_whole_hours() {
        let check = |from: Option<&str>, to: Option<&str>, expected: &str| {
            let told = match Period::parse(from, to, NOW_MS) {
                Ok(period) => [period.from_ms, period.to_ms]
                    .map(|ms| DateTime::from_timestamp_millis(ms).unwrap().format("%m-%dT%H:%M:%S").to_string())
                    .join(" "),
                Err(refusal) => refusal.to_string(),
            };
            assert_eq!(told, expected, "{from:?} {to:?}");
        };
        let wrong = |name: &str| format!("Invalid {name}. It must be a date such as 2026-11-21 or an RFC 3339 time.");
        check(None, None, "11-20T10:00:00 11-21T11:00:00");
        check(Some("2026-11-21"), None, "11-21T00:00:00 11-21T11:00:00");
        check(None, Some("2026-11-21"), "11-20T00:00:00 11-21T00:00:00");
        check(Some("2026-11-01"), Some("2026-12-02"), "11-01T00:00:00 12-02T00:00:00");
        check(Some("2026-11-21T06:30:00+02:00"), Some("2026-11-21T04:30:00.001Z"), "11-21T04:00:00 11-21T05:00:00");
        check(Some("2026-11-21T06:00:00Z"), Some("2026-11-21T07:00:00Z"), "11-21T06:00:00 11-21T07:00:00");
        check(Some("2026-11-01"), Some("2026-12-03"), "Invalid period. It may be 31 days long at most.");
        check(Some("2026-11-21"), Some("2026-11-21"), "Invalid period. `from` must be before `to`.");
        check(Some("2026-11-22"), None, "Invalid period. `from` must be before `to`.");
        for text in ["", "yesterday", "2026-11-31", "2026-11-21T06", "+262000-01-1", "-99999-1-1"] {
            check(Some(text), None, &wrong("from"));
            check(None, Some(text), &wrong("to"));
        }
        check(Some("9999-12-31T23:59:59Z"), Some("9999-12-31T23:59:60Z"), "12-31T23:00:00 01-01T00:00:00");
    }
}
