//! What one tenant may take of the service: requests by key, engine time and turns by tenant, so that nobody's load slows another's.

mod budget;
mod queue;
mod rate;
mod tenant;
mod turns;

pub use queue::{Full, Queue, Turn};
pub use tenant::Tenant;
pub use turns::TurnBounds;

use crate::control::Grant;
use crate::error::ApiError;
use budget::Budgets;
use rate::Rates;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What may be taken. 0 = without a limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LimitSettings {
    /// Requests of one key in an hour.
    pub requests_per_hour: u32,
    /// Seconds of engine time of one tenant in an hour.
    pub engine_seconds_per_hour: u32,
}

/// What was refused, by its reason.
#[derive(Debug, Default)]
pub struct Refused {
    /// Requests over the rate of their key.
    pub rate: AtomicU64,
    /// Queries over the engine time of their tenant.
    pub engine_time: AtomicU64,
    /// Queries that found no place to wait.
    pub queue: AtomicU64,
}

/// The limits of keys and tenants. Admins are exempt from rate and engine time; they wait for their turn as everyone does.
pub struct Limits {
    rates: Option<Rates>,
    budgets: Option<Budgets>,
    began: Instant,
    /// What was refused.
    pub refused: Refused,
}

impl Limits {
    /// Limits as set.
    pub fn new(settings: LimitSettings) -> Self {
        Self {
            rates: Rates::new(settings.requests_per_hour),
            budgets: Budgets::new(settings.engine_seconds_per_hour),
            began: Instant::now(),
            refused: Refused::default(),
        }
    }

    /// Counts a request of a key.
    ///
    /// # Errors
    /// The contract's 429 when the key has made too many.
    pub fn admit(&self, grant: &Grant) -> Result<(), ApiError> {
        let Some(rates) = self.rates.as_ref().filter(|_| !grant.is_admin()) else { return Ok(()) };
        rates.take(&grant.id).map_err(|after| {
            self.refused.rate.fetch_add(1, Ordering::Relaxed);
            ApiError::TooManyRequests { limit: rates.per_hour(), retry_after_s: whole_seconds(after) }
        })
    }

    /// Looks whether a tenant has engine time left.
    ///
    /// # Errors
    /// A 429 that says until when it has not.
    pub fn afford(&self, tenant: &Tenant) -> Result<(), ApiError> {
        let Some(budgets) = self.budgets.as_ref().filter(|_| tenant.is_limited()) else { return Ok(()) };
        budgets.check(tenant, self.now_us()).map_err(|after| {
            self.refused.engine_time.fetch_add(1, Ordering::Relaxed);
            ApiError::TooMuchTime { limit_s: budgets.seconds_per_hour(), retry_after_s: whole_seconds(after) }
        })
    }

    /// Takes engine time off a tenant's account, after it was used.
    pub fn charge(&self, tenant: &Tenant, used: Duration) {
        if let Some(budgets) = self.budgets.as_ref().filter(|_| tenant.is_limited()) {
            budgets.charge(tenant, used, self.now_us());
        }
    }

    fn now_us(&self) -> u64 {
        self.began.elapsed().as_micros() as u64
    }
}

/// Seconds to wait, at least one: `Retry-After` knows no parts of them.
fn whole_seconds(after: Duration) -> u64 {
    (after.as_millis() as u64).div_ceil(1_000).max(1)
}
