//! Which days' salts are needed when, and their text form.

use std::collections::BTreeMap;

use weir_event::identity::{previous_utc_day, utc_day};

/// A day's salt is made this long before the day begins, milliseconds: NATS may be away around midnight.
const AHEAD_MS: u64 = 2 * 60 * 60 * 1_000;
/// A salt is known for 48 hours: from then until this long after its day began, milliseconds.
const KEPT_MS: u64 = 48 * 60 * 60 * 1_000 - AHEAD_MS;

/// A day whose salt should be known now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// The UTC day.
    pub(crate) day: String,
    /// It is the day that has passed: only the first start ever makes a salt for it.
    pub(crate) is_past: bool,
}

/// The days whose salts are needed now: today, tomorrow when it is near, and yesterday unless its time is over. Today comes first.
pub(crate) fn wanted(now_ms: u64) -> Vec<Wanted> {
    let today = utc_day(now_ms);
    let soon = utc_day(now_ms + AHEAD_MS);
    let mut days = vec![Wanted { day: today.clone(), is_past: false }];
    if soon != today {
        days.push(Wanted { day: soon, is_past: false });
    }
    let yesterday = previous_utc_day(now_ms);
    if yesterday > last_forgotten(now_ms) {
        days.push(Wanted { day: yesterday, is_past: true });
    }
    days
}

/// The last day whose salt, and those before it, are to be forgotten.
pub(crate) fn last_forgotten(now_ms: u64) -> String {
    utc_day(now_ms.saturating_sub(KEPT_MS))
}

/// Forgets the salts whose time is over.
pub(crate) fn forget_old(salts: &mut BTreeMap<String, String>, now_ms: u64) {
    let last = last_forgotten(now_ms);
    salts.retain(|day, _| *day > last);
}

/// 64 hex digits to the salt.
pub(crate) fn parse(hex: &str) -> Option<[u8; 32]> {
    let digits = hex.trim().as_bytes();
    let (pairs, []) = digits.as_chunks::<2>() else { return None };
    let mut salt = [0_u8; 32];
    if pairs.len() != salt.len() {
        return None;
    }
    for (byte, [high, low]) in salt.iter_mut().zip(pairs) {
        let digit = |c: u8| char::from(c).to_digit(16);
        *byte = u8::try_from(digit(*high)? * 16 + digit(*low)?).ok()?;
    }
    Some(salt)
}

/// The salt as 64 hex digits.
pub(crate) fn format(salt: &[u8; 32]) -> String {
    use std::fmt::Write;
    let mut hex = String::with_capacity(64);
    for byte in salt {
        // Writing to a string cannot fail.
        let _infallible = write!(hex, "{byte:02x}");
    }
    hex
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: u64 = 1_767_225_600_000 + 12 * 3_600_000;

    #[test]
    fn the_days_that_are_needed() {
        let check = |now_ms: u64, expected: &[(&str, bool)]| {
            let found = wanted(now_ms);
            assert_eq!(found.iter().map(|w| (w.day.as_str(), w.is_past)).collect::<Vec<_>>(), expected);
        };
        const HOUR: u64 = 3_600_000;
        check(NOON, &[("2026-01-01", false), ("2025-12-31", true)]);
        check(NOON + 10 * HOUR - 1, &[("2026-01-01", false), ("2025-12-31", true)]);
        check(NOON + 10 * HOUR, &[("2026-01-01", false), ("2026-01-02", false)]);
        check(NOON + 12 * HOUR, &[("2026-01-02", false), ("2026-01-01", true)]);
    }

    #[test]
    fn old_ones_are_forgotten() {
        let mut salts: BTreeMap<String, String> =
            ["2025-12-30", "2025-12-31", "2026-01-01", "2026-01-02"].map(|day| (day.to_owned(), String::new())).into();
        forget_old(&mut salts, NOON);
        assert_eq!(salts.keys().collect::<Vec<_>>(), ["2025-12-31", "2026-01-01", "2026-01-02"]);
        forget_old(&mut salts, NOON + 10 * 3_600_000);
        assert_eq!(salts.keys().collect::<Vec<_>>(), ["2026-01-01", "2026-01-02"], "made 48 hours ago");
    }

    #[test]
    fn text_form() {
        let mut salt = [0xab; 32];
        salt[0] = 7;
        assert_eq!(parse(&format(&salt)), Some(salt));
        for bad in ["", "ab", "zz", &"ab".repeat(33), &"g".repeat(64), &"é".repeat(32)] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
