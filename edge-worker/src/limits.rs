//! How much is taken of a site and of an address in a second: the limits that a site's owner set, and the operator's ceiling for every site.
//! In memory, for this edge alone.
//!
//! A limit is a bucket that holds a second's worth and fills all the time. A flood is therefore taken evenly: if each second began anew, its first
//! part would belong to the flood, and everybody else would wait for its end.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;

use weir_event::site::Limits;

use crate::ledger::Owner;

const SECOND_US: u64 = 1_000_000;
/// A request is taken whole while anything is left, and what it brought too much is waited for, but not longer than this, microseconds.
const DEBT_US_MAX: u64 = 10 * SECOND_US;
/// Most buckets of addresses: 100,000 take about 4 MB. An address that comes after them is not limited; its site is.
const ADDRESSES_MAX: usize = 100_000;
/// Bytes of a request's body that one event may have; what has more counts as several for the ceiling, since work and room grow with the bytes.
const EVENT_BYTES: usize = 2_000;

/// Most that this edge takes of any one site, by the second; 0 = no ceiling.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ceiling {
    /// Events, one for each [`EVENT_BYTES`] that it has begun.
    pub(crate) events_per_s: u32,
    /// Requests, however many events they hold.
    pub(crate) requests_per_s: u32,
}

/// What one request brings for one site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Share {
    /// The site.
    pub(crate) owner: Owner,
    /// What its owner set.
    pub(crate) limits: Limits,
    /// Events.
    pub(crate) events: u32,
    /// Bytes of the body that are theirs.
    pub(crate) bytes: usize,
}

impl Share {
    /// As how many events it counts for the ceiling.
    fn weight(&self) -> u32 {
        self.events.max(u32::try_from(self.bytes.div_ceil(EVENT_BYTES)).unwrap_or(u32::MAX))
    }
}

/// When a bucket is full, Unix microseconds; in the past = it is. A second before, it is empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Bucket(u64);

impl Bucket {
    /// Time until one fits, microseconds. A clock that was set back does not make it longer.
    fn wait_us(self, per_s: u32, now_us: u64) -> u64 {
        let full_us = self.0.clamp(now_us, now_us + SECOND_US + DEBT_US_MAX);
        if per_s == 0 { 0 } else { (full_us + each_us(per_s)).saturating_sub(now_us + SECOND_US) }
    }

    fn take(&mut self, count: u32, per_s: u32, now_us: u64) {
        if per_s > 0 {
            let full_us = self.0.max(now_us) + u64::from(count) * each_us(per_s);
            self.0 = full_us.min(now_us + SECOND_US + DEBT_US_MAX);
        }
    }

    fn is_full(self, now_us: u64) -> bool {
        self.0 <= now_us
    }
}

/// What one takes of a second.
fn each_us(per_s: u32) -> u64 {
    (SECOND_US / u64::from(per_s.max(1))).max(1)
}

/// Buckets of one site.
#[derive(Clone, Copy, Debug, Default)]
struct Site {
    own: Bucket,
    events: Bucket,
    requests: Bucket,
}

impl Site {
    fn wait_us(self, share: &Share, ceiling: Ceiling, now_us: u64) -> u64 {
        let own = self.own.wait_us(share.limits.site_per_s, now_us);
        let events = self.events.wait_us(ceiling.events_per_s, now_us);
        own.max(events).max(self.requests.wait_us(ceiling.requests_per_s, now_us))
    }

    fn take(&mut self, share: &Share, ceiling: Ceiling, now_us: u64) {
        self.own.take(share.events, share.limits.site_per_s, now_us);
        self.events.take(share.weight(), ceiling.events_per_s, now_us);
        self.requests.take(1, ceiling.requests_per_s, now_us);
    }

    fn is_full(self, now_us: u64) -> bool {
        self.own.is_full(now_us) && self.events.is_full(now_us) && self.requests.is_full(now_us)
    }
}

/// All buckets that are not full.
#[derive(Debug, Default)]
pub(crate) struct Buckets {
    /// When those that are full again were thrown away, Unix seconds.
    tidied_s: u64,
    sites: HashMap<u32, Site>,
    addresses: HashMap<(u32, u64), Bucket>,
}

thread_local! {
    static BUCKETS: RefCell<Buckets> = RefCell::default();
}

/// How long a request must wait because one of its sites takes no more of anybody, whole seconds. Takes nothing.
pub(crate) fn wait_for_sites(shares: &[Share], ceiling: Ceiling, now_ms: u64) -> Option<u64> {
    BUCKETS.with_borrow(|buckets| buckets.wait_for_sites(shares, ceiling, now_ms * 1_000))
}

/// Takes a request of this address. Where it must wait, nothing is taken: for how long, whole seconds.
pub(crate) fn take(shares: &[Share], ceiling: Ceiling, address: Option<&IpAddr>, now_ms: u64) -> Result<(), u64> {
    BUCKETS.with_borrow_mut(|buckets| buckets.take(shares, ceiling, address, now_ms * 1_000))
}

impl Buckets {
    fn wait_for_sites(&self, shares: &[Share], ceiling: Ceiling, now_us: u64) -> Option<u64> {
        let site = |share: &Share| self.sites.get(&share.owner.site_id).copied().unwrap_or_default();
        seconds(shares.iter().map(|share| site(share).wait_us(share, ceiling, now_us)).max())
    }

    fn take(&mut self, shares: &[Share], ceiling: Ceiling, address: Option<&IpAddr>, now_us: u64) -> Result<(), u64> {
        self.tidy(now_us);
        let of_address = |share: &Share| address.map(|address| (share.owner.site_id, hash(address)));
        let address_waits = shares.iter().filter_map(|share| {
            let bucket = self.addresses.get(&of_address(share)?)?;
            Some(bucket.wait_us(share.limits.address_per_s, now_us))
        });
        let wait_s = self.wait_for_sites(shares, ceiling, now_us).max(seconds(address_waits.max()));
        if let Some(wait_s) = wait_s {
            return Err(wait_s);
        }
        for share in shares {
            if ceiling != Ceiling::default() || share.limits.site_per_s > 0 {
                self.sites.entry(share.owner.site_id).or_default().take(share, ceiling, now_us);
            }
            if let (true, Some(key)) = (share.limits.address_per_s > 0, of_address(share))
                && (self.addresses.len() < ADDRESSES_MAX || self.addresses.contains_key(&key))
            {
                self.addresses.entry(key).or_default().take(share.events, share.limits.address_per_s, now_us);
            }
        }
        Ok(())
    }

    /// Once a second: a bucket that is full is as one that is not there.
    fn tidy(&mut self, now_us: u64) {
        if self.tidied_s != now_us / SECOND_US {
            self.tidied_s = now_us / SECOND_US;
            self.sites.retain(|_, site| !site.is_full(now_us));
            self.addresses.retain(|_, bucket| !bucket.is_full(now_us));
        }
    }
}

/// Whole seconds of a wait, at least one; none for no wait.
fn seconds(wait_us: Option<u64>) -> Option<u64> {
    wait_us.filter(|wait_us| *wait_us > 0).map(|wait_us| wait_us.div_ceil(SECOND_US))
}

fn hash(address: &IpAddr) -> u64 {
    let mut hasher = DefaultHasher::new();
    address.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Ceiling = Ceiling { events_per_s: 0, requests_per_s: 0 };

    fn share(site_id: u32, limits: Limits, events: u32) -> Share {
        Share { owner: Owner { partition: 0, site_id }, limits, events, bytes: 0 }
    }

    fn address(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[test]
    fn limits_by_site_and_by_address() {
        let mut buckets = Buckets::default();
        let limits = Limits { site_per_s: 4, address_per_s: 2 };
        let mut check = |site: u32, last: u8, events: u32, now_ms: u64, expected: Result<(), u64>| {
            let found = buckets.take(&[share(site, limits, events)], NONE, Some(&address(last)), now_ms * 1_000);
            assert_eq!(found, expected, "{site} {last} {now_ms}");
        };
        check(1, 1, 1, 5_000, Ok(()));
        check(1, 1, 1, 5_000, Ok(()));
        check(1, 1, 1, 5_000, Err(1));
        check(1, 2, 1, 5_000, Ok(()));
        check(1, 3, 1, 5_000, Ok(()));
        check(1, 4, 1, 5_000, Err(1));
        // A quarter of a second later there is room for one, but not of the first address.
        check(1, 1, 1, 5_250, Err(1));
        check(1, 4, 1, 5_250, Ok(()));
        check(1, 1, 1, 5_400, Err(1));
        check(1, 1, 1, 5_500, Ok(()));
        // Another site is not concerned.
        check(2, 1, 1, 5_000, Ok(()));
    }

    #[test]
    fn a_request_is_taken_whole_and_waited_for() {
        let mut buckets = Buckets::default();
        let limits = Limits { site_per_s: 10, address_per_s: 0 };
        let mut check = |events: u32, now_ms: u64, expected: Result<(), u64>| {
            assert_eq!(buckets.take(&[share(1, limits, events)], NONE, None, now_ms * 1_000), expected, "{now_ms}");
        };
        check(35, 1_000, Ok(()));
        check(1, 1_000, Err(3));
        check(1, 3_599, Err(1));
        check(1, 3_600, Ok(()));
        check(1_000_000, 60_000, Ok(()));
        check(1, 60_000, Err(11));
        // The clock was set back by an hour: nobody waits an hour.
        check(1, 10_000, Err(11));
        check(1, 71_000, Ok(()));
    }

    #[test]
    fn a_flood_is_taken_evenly() {
        let mut buckets = Buckets::default();
        let ceiling = Ceiling { events_per_s: 1_000, requests_per_s: 100 };
        let flood = [share(1, Limits::default(), 1)];
        let mut taken_in = |from_ms: u64, to_ms: u64| {
            let times = (from_ms..to_ms).flat_map(|now_ms| [now_ms; 5]);
            times.filter(|now_ms| buckets.take(&flood, ceiling, None, *now_ms * 1_000).is_ok()).count()
        };
        assert_eq!(taken_in(0, 100), 109, "what had gathered, and what came since");
        for from_ms in (100..3_000).step_by(100) {
            assert_eq!(taken_in(from_ms, from_ms + 100), 10, "{from_ms}");
        }
    }

    #[test]
    fn the_ceiling_is_for_every_site_and_a_lower_limit_holds() {
        let ceiling = Ceiling { events_per_s: 50, requests_per_s: 20 };
        let taken = |limits: Limits, events: u32, bytes: usize, ceiling: Ceiling| {
            let one = [Share { bytes, ..share(7, limits, events) }];
            let mut buckets = Buckets::default();
            (0..200).filter(|_| buckets.take(&one, ceiling, None, 9_000_000).is_ok()).count()
        };
        let limits = |site_per_s: u32| Limits { site_per_s, address_per_s: 0 };
        assert_eq!(taken(limits(0), 1, 100, ceiling), 20, "requests");
        assert_eq!(taken(limits(0), 10, 1_000, ceiling), 5, "events");
        assert_eq!(taken(limits(0), 1, 9_999, ceiling), 10, "bytes: each counts five times");
        assert_eq!(taken(limits(3), 1, 9_999, ceiling), 3, "the site's own, which counts events alone");
        assert_eq!(taken(limits(30), 1, 100, ceiling), 20, "which cannot be above");
        assert_eq!(taken(limits(0), 1, 100, Ceiling { requests_per_s: 0, ..ceiling }), 50);
        assert_eq!(taken(limits(0), 100, 1_000_000, NONE), 200, "none at all");
    }

    #[test]
    fn a_request_that_must_wait_takes_nothing() {
        let mut buckets = Buckets::default();
        let limited = share(1, Limits { site_per_s: 1, address_per_s: 0 }, 1);
        let other = share(2, Limits { site_per_s: 1, address_per_s: 0 }, 1);
        assert_eq!(buckets.take(&[limited], NONE, None, 0), Ok(()));
        assert_eq!(buckets.wait_for_sites(&[other, limited], NONE, 500_000), Some(1));
        assert_eq!(buckets.take(&[other, limited], NONE, None, 500_000), Err(1));
        assert_eq!(buckets.wait_for_sites(&[other], NONE, 500_000), None);
        assert_eq!(buckets.take(&[other], NONE, None, 500_000), Ok(()));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut buckets = Buckets::default();
        let by_address = share(1, Limits { site_per_s: 0, address_per_s: 1 }, 1);
        for number in 0..=ADDRESSES_MAX {
            let address = IpAddr::from((number as u128).to_be_bytes());
            assert_eq!(buckets.take(&[by_address], NONE, Some(&address), 0), Ok(()));
        }
        assert_eq!((buckets.addresses.len(), buckets.sites.len()), (ADDRESSES_MAX, 0));
        assert_eq!(buckets.take(&[by_address], NONE, None, 0), Ok(()), "an unknown address is not limited");
        assert_eq!(buckets.take(&[share(2, Limits::default(), 1)], Ceiling { events_per_s: 2, ..NONE }, None, 1_000_000), Ok(()));
        assert_eq!((buckets.addresses.len(), buckets.sites.len()), (0, 1), "full again, and thrown away");
    }
}
