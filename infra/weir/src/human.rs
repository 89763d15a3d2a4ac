//! Numbers, sizes and times as people read them.

use chrono::{DateTime, SecondsFormat};
use std::time::Duration;

/// A number with commas between thousands.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A difference, with its sign.
pub(crate) fn difference(number: i64) -> String {
    let sign = match number {
        ..=-1 => "-",
        0 => "",
        1.. => "+",
    };
    format!("{sign}{}", count(number.unsigned_abs()))
}

/// A count and its noun: `1 file`, `2 files`.
pub(crate) fn counted(number: u64, noun: &str) -> String {
    format!("{} {noun}{}", count(number), if number == 1 { "" } else { "s" })
}

/// A size.
pub(crate) fn bytes(size: u64) -> String {
    let size = size as f64;
    match size {
        ..1e3 => format!("{size} bytes"),
        ..1e6 => format!("{:.1} kB", size / 1e3),
        ..1e9 => format!("{:.1} MB", size / 1e6),
        _ => format!("{:.1} GB", size / 1e9),
    }
}

/// A duration, roughly.
pub(crate) fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..10 => format!("{:.1} s", duration.as_secs_f64()),
        10..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", (seconds + 30) / 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// A duration as people write it (`90m`, `7d`), milliseconds.
pub(crate) fn duration_ms(text: &str) -> Result<u64, String> {
    let wrong = || "a whole number with s, m, h or d behind it, like 7d".to_owned();
    let number = text.trim_end_matches(|character: char| character.is_ascii_alphabetic());
    let unit_ms = match text.trim_start_matches(number) {
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 24 * 3_600_000,
        _ => return Err(wrong()),
    };
    number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit_ms)).ok_or_else(wrong)
}

/// Unix milliseconds as RFC 3339 in UTC.
pub(crate) fn moment(ms: u64) -> String {
    let at = i64::try_from(ms).ok().and_then(DateTime::from_timestamp_millis);
    at.map(|at| at.to_rfc3339_opts(SecondsFormat::Millis, true)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        for (number, expected) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(count(number), expected);
        }
        for (number, expected) in [(0, "0"), (-1500, "-1,500"), (3, "+3"), (i64::MIN, "-9,223,372,036,854,775,808")] {
            assert_eq!(difference(number), expected);
        }
        assert_eq!(counted(1, "file") + ", " + &counted(0, "file"), "1 file, 0 files");
        for (size, expected) in
            [(0, "0 bytes"), (999, "999 bytes"), (1500, "1.5 kB"), (2_000_000, "2.0 MB"), (3_400_000_000, "3.4 GB")]
        {
            assert_eq!(bytes(size), expected);
        }
    }

    #[test]
    fn times() {
        for (ms, expected) in [(0, "0.0 s"), (1_250, "1.2 s"), (61_000, "61 s"), (600_000, "10 min"), (9_000_000, "2 h 30 min")] {
            assert_eq!(duration(Duration::from_millis(ms)), expected);
        }
        for (text, ms) in [("90s", 90_000), ("5m", 300_000), ("36h", 129_600_000), ("7d", 604_800_000), ("0d", 0)] {
            assert_eq!(duration_ms(text), Ok(ms));
        }
        for wrong in ["", "7", "d", "7 d", "7w", "-1d", "1.5h", "99999999999999999999d", "213503982335d", "7dd"] {
            assert!(duration_ms(wrong).is_err(), "{wrong}");
        }
        assert_eq!(moment(1_795_000_000_000), "2026-11-18T11:06:40.000Z");
        assert_eq!(moment(u64::MAX), "");
    }
}
