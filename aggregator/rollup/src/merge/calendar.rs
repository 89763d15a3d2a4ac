//! UTC hours, days and months in Unix milliseconds.

pub(super) const HOUR_MS: i64 = 3_600_000;
pub(super) const DAY_MS: i64 = 24 * HOUR_MS;

/// The greatest multiple of `step` that is not above.
pub(super) fn floor_to(value: i64, step: i64) -> i64 {
    value.div_euclid(step) * step
}

/// Months since January of the year 0, of a time. (Days are counted in years that begin in March, so that a leap day is the last.)
pub(super) fn month_of(ms: i64) -> i64 {
    let days = ms.div_euclid(DAY_MS) + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    (era * 400 + year_of_era) * 12 + month_from_march + 2
}

/// The first millisecond of a month counted as by [`month_of`].
pub(super) fn month_start(month: i64) -> i64 {
    let from_march = month - 2;
    let (year, month_from_march) = (from_march.div_euclid(12), from_march.rem_euclid(12));
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * month_from_march + 2) / 5;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    (era * 146_097 + day_of_era - 719_468) * DAY_MS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_are_the_calendars() {
        let check = |ms: i64, year: i64, month: i64| {
            assert_eq!(month_of(ms), year * 12 + month - 1, "{ms}");
        };
        check(0, 1970, 1);
        check(-1, 1969, 12);
        check(951_782_399_999, 2000, 2); // 2000-02-28T23:59:59.999Z
        check(951_868_799_999, 2000, 2); // 2000-02-29T23:59:59.999Z
        check(951_868_800_000, 2000, 3); // 2000-03-01
        check(1_709_251_199_999, 2024, 2); // 2024-02-29
        check(1_735_689_599_999, 2024, 12);
        check(1_735_689_600_000, 2025, 1);
        check(253_402_300_799_999, 9999, 12);
    }

    #[test]
    fn a_month_starts_where_the_one_before_ends() {
        for month in 0..12 * 3000 {
            assert_eq!(month_of(month_start(month)), month);
            assert_eq!(month_of(month_start(month + 1) - 1), month);
        }
        assert_eq!(month_start(1970 * 12), 0);
        assert_eq!(month_start(2025 * 12 + 1), 1_738_368_000_000); // 2025-02-01
    }
}
