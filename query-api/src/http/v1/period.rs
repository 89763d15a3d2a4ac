//! The periods of v1: days relative to a date, that date included.

use super::refusal::LegacyRefusal;
use chrono::{Days, Months, NaiveDate};

/// The period where none is named.
const DEFAULT: &str = "30d";

/// First and last local day, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Period {
    pub(super) from: NaiveDate,
    pub(super) to: NaiveDate,
    /// The dimension of time that a graph of it has by default.
    pub(super) interval: &'static str,
}

impl Period {
    /// Reads the parameters `period` and `date`. `30d` and `7d` are that many days which end with the date, months whole months.
    pub(super) fn parse(period: Option<&str>, date: Option<&str>, today: NaiveDate) -> Result<Self, LegacyRefusal> {
        let period = period.unwrap_or(DEFAULT);
        if !["day", "7d", "30d", "month", "6mo", "12mo", "custom"].contains(&period) {
            return Err(LegacyRefusal::InvalidPeriod { period: period.to_owned() });
        }
        if period == "custom" {
            let (from, to) = date.ok_or(LegacyRefusal::MissingDates)?.split_once(',').ok_or(LegacyRefusal::InvalidDates)?;
            let day = |text: &str| parse_date(text.trim()).map_err(|_| LegacyRefusal::InvalidDates);
            return Ok(Self { from: day(from)?, to: day(to)?, interval: "time:day" });
        }
        let date = date.map_or(Ok(today), parse_date).map_err(|problem| LegacyRefusal::InvalidDate { problem })?;
        // Dates of the first and last years that a calendar knows have no neighbours.
        let days = |from: Option<NaiveDate>, to: Option<NaiveDate>, interval| match (from, to) {
            (Some(from), Some(to)) => Ok(Self { from, to, interval }),
            _ => Err(LegacyRefusal::InvalidDate { problem: "invalid_date" }),
        };
        match period {
            "day" => days(Some(date), Some(date), "time:hour"),
            "7d" => days(date.checked_sub_days(Days::new(6)), Some(date), "time:day"),
            "30d" => days(date.checked_sub_days(Days::new(29)), Some(date), "time:day"),
            "month" => days(month_start(date, 0), month_end(date), "time:day"),
            "6mo" => days(month_start(date, 5), month_end(date), "time:month"),
            _ => days(month_start(date, 11), month_end(date), "time:month"),
        }
    }

    /// As many days that end the day before.
    pub(super) fn previous(self) -> Option<Self> {
        let days = Days::new(u64::try_from(self.to.signed_duration_since(self.from).num_days() + 1).ok()?);
        Some(Self { from: self.from.checked_sub_days(days)?, to: self.to.checked_sub_days(days)?, ..self })
    }

    /// The range in the words of v2.
    pub(super) fn date_range(self) -> [String; 2] {
        [self.from, self.to].map(|day| day.format("%Y-%m-%d").to_string())
    }
}

/// A date of ISO 8601 in its long form with four digits of year.
fn parse_date(text: &str) -> Result<NaiveDate, &'static str> {
    let is_shaped = text.len() == 10
        && text.bytes().enumerate().all(|(at, byte)| if at == 4 || at == 7 { byte == b'-' } else { byte.is_ascii_digit() });
    if !is_shaped {
        return Err("invalid_format");
    }
    text.parse().map_err(|_| "invalid_date")
}

fn month_start(date: NaiveDate, months_before: u32) -> Option<NaiveDate> {
    use chrono::Datelike;
    date.with_day(1)?.checked_sub_months(Months::new(months_before))
}

fn month_end(date: NaiveDate) -> Option<NaiveDate> {
    month_start(date, 0)?.checked_add_months(Months::new(1))?.pred_opt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(period: Option<&str>, date: Option<&str>) -> Result<[String; 2], LegacyRefusal> {
        Period::parse(period, date, "2026-11-21".parse().unwrap()).map(Period::date_range)
    }

    #[test]
    fn periods_end_with_their_date() {
        for (period, date, from, to) in [
            (None, None, "2026-10-23", "2026-11-21"),
            (Some("day"), None, "2026-11-21", "2026-11-21"),
            (Some("day"), Some("2021-01-01"), "2021-01-01", "2021-01-01"),
            (Some("7d"), Some("2021-01-07"), "2021-01-01", "2021-01-07"),
            (Some("30d"), Some("2021-01-30"), "2021-01-01", "2021-01-30"),
            (Some("month"), Some("2024-02-10"), "2024-02-01", "2024-02-29"),
            (Some("6mo"), Some("2021-01-01"), "2020-08-01", "2021-01-31"),
            (Some("12mo"), None, "2025-12-01", "2026-11-30"),
            (Some("custom"), Some("2020-12-01, 2021-01-02"), "2020-12-01", "2021-01-02"),
        ] {
            assert_eq!(parse(period, date).unwrap(), [from, to], "{period:?} {date:?}");
        }
    }

    #[test]
    fn the_previous_period_is_as_long() {
        let previous = |from: &str, to: &str| {
            Period { from: from.parse().unwrap(), to: to.parse().unwrap(), interval: "time:day" }.previous().unwrap().date_range()
        };
        assert_eq!(previous("2026-11-21", "2026-11-21"), ["2026-11-20", "2026-11-20"]);
        assert_eq!(previous("2024-03-01", "2024-03-31"), ["2024-01-30", "2024-02-29"]);
    }

    #[test]
    fn what_is_no_period_is_refused() {
        let text = |period: &str, date: Option<&str>| parse(Some(period), date).unwrap_err().to_string();
        assert_eq!(
            text("aosuhsacp", None),
            "Error parsing `period` parameter: invalid period `aosuhsacp`. Please find accepted values in our docs: https://plausible.io/docs/stats-api#time-periods"
        );
        for (date, problem) in [
            ("2021-dkjbAS", "invalid_format"),
            ("2021-02-30", "invalid_date"),
            ("+021-01-01", "invalid_format"),
            ("", "invalid_format"),
        ] {
            let expected = format!("Error parsing `date` parameter: {problem}. Please specify a valid date in ISO-8601 format.");
            assert_eq!(text("month", Some(date)), expected);
        }
        assert_eq!(parse(Some("custom"), None), Err(LegacyRefusal::MissingDates));
        for date in ["2020-131-2piaskj,s,a90uac", "2021-01-01", "2021-01-01,2021-01-02,2021-01-03", ",", "2021-01-01,2021-02-30"]
        {
            assert_eq!(parse(Some("custom"), Some(date)), Err(LegacyRefusal::InvalidDates), "{date}");
        }
    }
}
