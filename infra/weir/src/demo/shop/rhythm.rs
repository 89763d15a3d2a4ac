//! How many come at which time: the day, the week, a slow growth, and two things that happened.

use super::chance::Chance;
use super::people::{PRESS, Way};
use super::visit::Mood;
use chrono::{DateTime, Datelike as _, Timelike as _};
use chrono_tz::Europe::Berlin;
use chrono_tz::Tz;

/// The shop's zone.
pub(super) const TIMEZONE: &str = "Europe/Berlin";
/// Visits of an hour, all days and hours taken together.
const VISITS_PER_HOUR: f64 = 8.0;
pub(super) const HOUR_MS: u64 = 3_600_000;
pub(super) const DAY_MS: u64 = 24 * HOUR_MS;
/// A newspaper wrote about the shop so long ago.
pub(super) const PRESS_DAYS_AGO: u64 = 13;
/// The checkout became simpler so long ago.
pub(super) const CHECKOUT_DAYS_AGO: u64 = 9;
/// A campaign began so long ago.
pub(super) const CAMPAIGN_DAYS_AGO: u64 = 21;
/// How the shop grew, from so long ago.
const GROWTH_DAYS: f64 = 70.0;

/// Share of each local hour, 1 = as all.
const HOURS: [f64; 24] = [
    0.35, 0.2, 0.12, 0.1, 0.12, 0.25, 0.55, 0.85, 1.05, 1.2, 1.3, 1.25, 1.3, 1.15, 1.1, 1.15, 1.2, 1.3, 1.5, 1.75, 1.95, 1.8,
    1.3, 0.7,
];
/// Share of each weekday, Monday first.
const WEEKDAYS: [f64; 7] = [0.98, 0.96, 0.97, 1.05, 0.9, 0.92, 1.24];

/// The present, from which everything that happened is so many days away.
#[derive(Clone, Copy, Debug)]
pub(super) struct Calendar {
    pub(super) now_ms: u64,
}

impl Calendar {
    /// Visits that are expected in the hour of this time.
    pub(super) fn visits_per_hour(self, at_ms: u64) -> f64 {
        let local =
            i64::try_from(at_ms).ok().and_then(DateTime::from_timestamp_millis).unwrap_or_default().with_timezone(&Berlin);
        let hour = HOURS.get(local.hour() as usize).copied().unwrap_or(1.0);
        let weekday = WEEKDAYS.get(local.weekday().num_days_from_monday() as usize).copied().unwrap_or(1.0);
        let growth = 1.15 - 0.4 * (self.days_ago(at_ms) / GROWTH_DAYS).min(1.0);
        let campaign = if self.days_ago(at_ms) < CAMPAIGN_DAYS_AGO as f64 { 1.1 } else { 1.0 };
        VISITS_PER_HOUR * hour * weekday * growth * campaign * (1.0 + self.press(at_ms))
    }

    /// How much more than usual come because of the newspaper.
    fn press(self, at_ms: u64) -> f64 {
        let since = PRESS_DAYS_AGO as f64 - self.days_ago(at_ms);
        if since < 0.0 { 0.0 } else { 2.6 * (-since / 0.45).exp() }
    }

    /// The way of somebody who comes at this time.
    pub(super) fn way(self, at_ms: u64, chance: &mut Chance) -> Way {
        let press = self.press(at_ms);
        if chance.happens(press / (1.0 + press)) {
            return PRESS;
        }
        let way = Way::any(chance);
        let is_early = way.query.contains("matcha-launch") && self.days_ago(at_ms) >= CAMPAIGN_DAYS_AGO as f64;
        if is_early { Way { query: "", ..way } } else { way }
    }

    /// What is different at this time.
    pub(super) fn mood(self, at_ms: u64) -> Mood {
        Mood { has_new_checkout: self.days_ago(at_ms) < CHECKOUT_DAYS_AGO as f64 }
    }

    /// The shop's day so many days ago, like `2026-11-21`.
    pub(super) fn day(self, days_ago: u64) -> String {
        local(self.now_ms.saturating_sub(days_ago * DAY_MS)).format("%Y-%m-%d").to_string()
    }

    fn days_ago(self, at_ms: u64) -> f64 {
        self.now_ms.saturating_sub(at_ms) as f64 / DAY_MS as f64
    }
}

fn local(at_ms: u64) -> DateTime<Tz> {
    i64::try_from(at_ms).ok().and_then(DateTime::from_timestamp_millis).unwrap_or_default().with_timezone(&Berlin)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evenings_are_busier_than_nights_and_the_newspaper_is_seen() {
        // Saturday, 21 November 2026, 10:20:30 UTC.
        let calendar = Calendar { now_ms: 1_795_256_430_000 };
        let at = |days_ago: u64, hour: u64| calendar.now_ms / DAY_MS * DAY_MS - days_ago * DAY_MS + hour * HOUR_MS;
        assert!(calendar.visits_per_hour(at(3, 19)) > 8.0 * calendar.visits_per_hour(at(3, 2)));
        let day = |days_ago: u64| (0..24).map(|hour| calendar.visits_per_hour(at(days_ago, hour))).sum::<f64>();
        assert!(day(13) > 1.5 * day(20), "{} {}", day(13), day(20));
        assert!(day(28) < day(7) && day(56) < day(28));
        assert!((100.0..300.0).contains(&day(2)), "{}", day(2));
        assert!(calendar.mood(at(2, 0)).has_new_checkout && !calendar.mood(at(12, 0)).has_new_checkout);
        let mut chance = Chance::seeded(1);
        assert!((0..500).all(|_| !calendar.way(at(30, 12), &mut chance).query.contains("matcha-launch")));
        assert!((0..500).any(|_| calendar.way(at(3, 12), &mut chance).query.contains("matcha-launch")));
    }

    #[test]
    fn the_zone_is_one() {
        assert_eq!(TIMEZONE.parse(), Ok(Berlin));
    }
}
