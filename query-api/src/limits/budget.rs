//! How much engine time a tenant may use: an account that fills evenly up to a tenth of an hour's worth, and is charged afterwards. Whoever is in debt waits.

use super::Tenant;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// An account holds at most this share of what an hour brings.
const SAVED_SHARE: u64 = 10;
/// Accounts after which full ones are forgotten: about 100 bytes each.
const ACCOUNTS_MAX: usize = 100_000;
const HOUR_US: u64 = 3_600_000_000;

/// What a tenant has used and what it was not given back yet.
#[derive(Clone, Copy, Default)]
struct Account {
    used_us: u64,
    at_us: u64,
}

/// The accounts of all tenants. Times are microseconds since any start.
pub(super) struct Budgets {
    seconds_per_hour: u32,
    accounts: Mutex<HashMap<Tenant, Account>>,
}

impl Budgets {
    /// So many seconds of engine time an hour; `None` for 0 = without a limit.
    pub(super) fn new(seconds_per_hour: u32) -> Option<Self> {
        (seconds_per_hour > 0).then(|| Self { seconds_per_hour, accounts: Mutex::default() })
    }

    /// Seconds that an hour brings.
    pub(super) fn seconds_per_hour(&self) -> u32 {
        self.seconds_per_hour
    }

    /// Looks whether something is left.
    ///
    /// # Errors
    /// How long until then.
    pub(super) fn check(&self, tenant: &Tenant, now_us: u64) -> Result<(), Duration> {
        let accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(account) = accounts.get(tenant) else { return Ok(()) };
        let over_us = self.used_us(*account, now_us).saturating_sub(self.most_us() - 1);
        if over_us == 0 { Ok(()) } else { Err(Duration::from_micros(mul_div(over_us, HOUR_US, self.hour_us()))) }
    }

    /// Takes what was used.
    pub(super) fn charge(&self, tenant: &Tenant, used: Duration, now_us: u64) {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        let before_us = accounts.get(tenant).map_or(0, |account| self.used_us(*account, now_us));
        let used_us = before_us.saturating_add(used.as_micros() as u64);
        accounts.insert(tenant.clone(), Account { used_us, at_us: now_us });
        if accounts.len() > ACCOUNTS_MAX {
            accounts.retain(|_, account| self.used_us(*account, now_us) > 0);
        }
    }

    /// What counts as used now: the rest was given back by the time that passed.
    fn used_us(&self, account: Account, now_us: u64) -> u64 {
        let passed_us = now_us.saturating_sub(account.at_us);
        account.used_us.saturating_sub(mul_div(passed_us, self.hour_us(), HOUR_US))
    }

    /// Microseconds that an hour brings.
    fn hour_us(&self) -> u64 {
        u64::from(self.seconds_per_hour) * 1_000_000
    }

    /// Microseconds that may be used at once.
    fn most_us(&self) -> u64 {
        self.hour_us() / SAVED_SHARE
    }
}

/// `value * by / of`, without overflow.
fn mul_div(value: u64, by: u64, of: u64) -> u64 {
    u64::try_from(u128::from(value) * u128::from(by) / u128::from(of.max(1))).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND_US: u64 = 1_000_000;

    #[test]
    fn who_used_too_much_waits_and_nobody_else() {
        // An hour brings six minutes: 36 seconds can be used at once.
        let budgets = Budgets::new(360).unwrap();
        let (one, two) = (Tenant::Site(1), Tenant::Site(2));
        budgets.charge(&one, Duration::from_secs(35), 0);
        assert_eq!(budgets.check(&one, 0), Ok(()));
        budgets.charge(&one, Duration::from_secs(10), 0);
        let wait = budgets.check(&one, 0).unwrap_err();
        assert_eq!(wait.as_secs(), 90, "nine seconds too much, a tenth of a second each second");
        assert_eq!(budgets.check(&two, 0), Ok(()));
        assert!(budgets.check(&one, 89 * SECOND_US).is_err());
        assert_eq!(budgets.check(&one, 91 * SECOND_US), Ok(()));
        // Everything is given back at last, and not more.
        budgets.charge(&one, Duration::from_secs(35), 10 * 3_600 * SECOND_US);
        assert_eq!(budgets.check(&one, 10 * 3_600 * SECOND_US), Ok(()));
        budgets.charge(&one, Duration::from_secs(1), 10 * 3_600 * SECOND_US);
        assert!(budgets.check(&one, 10 * 3_600 * SECOND_US).is_err());
    }

    #[test]
    fn accounts_that_are_full_are_forgotten() {
        let budgets = Budgets::new(3_600).unwrap();
        for site in 0..ACCOUNTS_MAX as u32 {
            budgets.charge(&Tenant::Site(site), Duration::from_millis(1), 0);
        }
        budgets.charge(&Tenant::Admin, Duration::from_secs(1), SECOND_US);
        assert_eq!(budgets.accounts.lock().unwrap().len(), 1);
    }
}
