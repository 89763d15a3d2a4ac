//! How many requests a key may make: so many an hour, evenly, with a burst for a dashboard that asks for everything at once.

use governor::clock::{Clock, DefaultClock};
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// A key that has not asked for long may make this share of an hour's requests at once.
const BURST_SHARE: u32 = 10;
/// Smallest burst, unless fewer requests are allowed in a whole hour.
const BURST_MIN: u32 = 600;
/// Requests between two looks for keys that have not asked for long, so that they take no memory.
const SWEEP_EVERY: u32 = 10_000;

type Limiter<C> = RateLimiter<String, DashMapStateStore<String>, C, NoOpMiddleware<<C as Clock>::Instant>>;

/// The rates of all keys.
pub(super) struct Rates<C: Clock = DefaultClock> {
    limiter: Limiter<C>,
    clock: C,
    per_hour: u32,
    taken: AtomicU32,
}

impl Rates {
    /// So many requests an hour for each key; `None` for 0 = without a limit.
    pub(super) fn new(per_hour: u32) -> Option<Self> {
        Self::by(per_hour, DefaultClock::default())
    }
}

impl<C: Clock + Clone> Rates<C> {
    fn by(per_hour: u32, clock: C) -> Option<Self> {
        let rate = NonZeroU32::new(per_hour)?;
        let burst = NonZeroU32::new((per_hour / BURST_SHARE).max(per_hour.min(BURST_MIN)))?;
        let quota = Quota::per_hour(rate).allow_burst(burst);
        let limiter = RateLimiter::new(quota, DashMapStateStore::default(), clock.clone());
        Some(Self { limiter, clock, per_hour, taken: AtomicU32::new(0) })
    }

    /// Requests allowed in an hour.
    pub(super) fn per_hour(&self) -> u32 {
        self.per_hour
    }

    /// Counts a request.
    ///
    /// # Errors
    /// How long to wait.
    pub(super) fn take(&self, key_id: &str) -> Result<(), Duration> {
        if self.taken.fetch_add(1, Ordering::Relaxed) % SWEEP_EVERY == SWEEP_EVERY - 1 {
            self.limiter.retain_recent();
        }
        self.limiter.check_key(&key_id.to_owned()).map_err(|not_until| not_until.wait_time_from(self.clock.now()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use governor::clock::FakeRelativeClock;

    #[test]
    fn a_burst_then_evenly_and_each_key_for_itself() {
        let clock = FakeRelativeClock::default();
        let rates = Rates::by(3_600, clock.clone()).unwrap();
        let all = |key: &str| (0..5_000).take_while(|_| rates.take(key).is_ok()).count();
        assert_eq!(all("one"), 600, "the burst");
        assert_eq!(rates.take("one"), Err(Duration::from_secs(1)));
        assert_eq!(all("two"), 600, "another key is not touched");
        clock.advance(Duration::from_secs(10));
        assert_eq!(all("one"), 10);
        clock.advance(Duration::from_hours(1));
        assert_eq!(all("one"), 600, "what was not used is not saved up");
    }

    #[test]
    fn few_requests_may_come_at_once() {
        let rates = Rates::by(3, FakeRelativeClock::default()).unwrap();
        assert!((0..3).all(|_| rates.take("one").is_ok()));
        assert_eq!(rates.take("one"), Err(Duration::from_mins(20)));
        assert!(Rates::new(0).is_none());
    }

    #[test]
    fn keys_that_do_not_ask_are_forgotten() {
        let clock = FakeRelativeClock::default();
        let rates = Rates::by(3_600, clock.clone()).unwrap();
        for key in 0..SWEEP_EVERY - 1 {
            rates.take(&key.to_string()).unwrap();
        }
        clock.advance(Duration::from_hours(1));
        rates.take("last").unwrap();
        assert_eq!(rates.limiter.len(), 1);
    }
}
