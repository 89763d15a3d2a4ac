//! How many events a second are taken of a site and of an address, where the site has set a limit. In memory, for this edge alone.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;

use weir_event::site::Limits;

/// Most counters of one second: 100,000 take about 4 MB. What comes after them is not limited.
const COUNTERS_MAX: usize = 100_000;

/// Counters of the current second.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    second: u64,
    counts: HashMap<(u32, u64), u32>,
}

thread_local! {
    static COUNTERS: RefCell<Counters> = RefCell::default();
}

/// Counts events of one sender for one site. False when the site's or the address's limit of this second was reached before them.
pub(crate) fn admit(site_id: u32, limits: Limits, address: Option<&IpAddr>, events: u32, now_ms: u64) -> bool {
    limits == Limits::default() || COUNTERS.with_borrow_mut(|counters| counters.admit(site_id, limits, address, events, now_ms))
}

impl Counters {
    fn admit(&mut self, site_id: u32, limits: Limits, address: Option<&IpAddr>, events: u32, now_ms: u64) -> bool {
        let second = now_ms / 1_000;
        if second != self.second {
            self.second = second;
            self.counts.clear();
        }
        let of_address = address.map(|address| {
            let mut hasher = DefaultHasher::new();
            address.hash(&mut hasher);
            hasher.finish().max(1)
        });
        let keys = [(Some(0), limits.site_per_s), (of_address, limits.address_per_s)];
        let keys = keys.into_iter().filter(|(_, limit)| *limit > 0).filter_map(|(key, limit)| Some(((site_id, key?), limit)));
        let keys: Vec<((u32, u64), u32)> = keys.collect();
        if keys.iter().any(|(key, limit)| self.counts.get(key).is_some_and(|count| count >= limit)) {
            return false;
        }
        for (key, _) in keys {
            if self.counts.len() < COUNTERS_MAX || self.counts.contains_key(&key) {
                let count = self.counts.entry(key).or_default();
                *count = count.saturating_add(events);
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_by_site_and_by_address() {
        let mut counters = Counters::default();
        let limits = Limits { site_per_s: 3, address_per_s: 2 };
        let address = |last: u8| IpAddr::from([192, 0, 2, last]);
        let mut check = |site: u32, last: u8, events: u32, now_ms: u64, expected: bool| {
            assert_eq!(counters.admit(site, limits, Some(&address(last)), events, now_ms), expected, "{site} {last} {now_ms}");
        };
        check(1, 1, 1, 5_000, true);
        check(1, 1, 1, 5_999, true);
        check(1, 1, 1, 5_999, false);
        check(1, 2, 1, 5_999, true);
        check(1, 3, 1, 5_999, false);
        check(2, 1, 100, 5_999, true);
        check(2, 2, 1, 5_999, false);
        check(1, 1, 1, 6_000, true);
    }

    #[test]
    fn off_by_default() {
        for _ in 0..1_000 {
            assert!(admit(1, Limits::default(), None, 100, 0));
        }
        let one = Limits { site_per_s: 0, address_per_s: 1 };
        assert!(admit(9, one, None, 1, 7) && admit(9, one, None, 1, 7), "an unknown address is not limited");
    }
}
