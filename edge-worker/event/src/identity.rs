//! Who a visitor is for one day: a keyed hash that nobody can turn back once the day's salt is gone.

use std::hash::Hasher;
use std::net::{IpAddr, Ipv6Addr};

use siphasher::sip::SipHasher24;
use siphasher::sip128::{Hasher128, SipHasher24 as SipHasher128};

const DAY_MS: u64 = 86_400_000;

/// The visitor's id under one day's salt: SipHash-2-4 keyed with the salt's first half over its second half, the site, the address, the
/// user agent and the registrable domain of the page's host. Never 0, which means "none".
///
/// `address` is the text of [`normalise_address`], so that each address has one spelling.
pub fn visitor_id(salt: &[u8; 32], site_id: u32, address: &str, user_agent: &str, hostname: &str) -> u64 {
    let mut key = [0_u8; 16];
    let (first, second) = salt.split_at(16);
    key.copy_from_slice(first);
    let mut hasher = SipHasher24::new_with_key(&key);
    hasher.write(second);
    hasher.write(&site_id.to_le_bytes());
    for field in [address, user_agent, registrable_domain(hostname)] {
        hasher.write(&(field.len() as u64).to_le_bytes());
        hasher.write(field.as_bytes());
    }
    hasher.finish().max(1)
}

/// The id under which an event of one site is stored: the sender's random id mixed with the site's number, so that one event for several
/// sites is several, and the same event sent again is the same. Never 0, which means "none".
pub fn event_id(sender_id: u128, site_id: u32) -> u128 {
    let mut hasher = SipHasher128::new();
    hasher.write(&sender_id.to_le_bytes());
    hasher.write(&site_id.to_le_bytes());
    hasher.finish128().as_u128().max(1)
}

/// `shop.example.co.uk` → `example.co.uk`; a name without a public suffix stays as it is.
fn registrable_domain(hostname: &str) -> &str {
    psl::domain_str(hostname).unwrap_or(hostname)
}

/// The UTC day that holds this moment, `YYYY-MM-DD`: the name of its salt.
pub fn utc_day(ms: u64) -> String {
    let (year, month, day) = civil_from_days(ms / DAY_MS);
    format!("{year:04}-{month:02}-{day:02}")
}

/// The UTC day before the one that holds this moment; the first day has none before it and names itself.
pub fn previous_utc_day(ms: u64) -> String {
    utc_day(ms.saturating_sub(DAY_MS))
}

/// Howard Hinnant's `civil_from_days`, for days since 1970-01-01 that are not negative.
fn civil_from_days(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_index = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_index + 2) / 5 + 1;
    let month = if month_index < 10 { month_index + 3 } else { month_index - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

/// An address as headers spell it: quotes, `[]`, port and zone stripped, IPv4 inside IPv6 unpacked.
pub fn normalise_address(text: &str) -> Option<IpAddr> {
    let text = text.trim().trim_matches('"').trim();
    let host = match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?.0,
        None => match text.split_once(':') {
            Some((host, port)) if !port.contains(':') => host,
            _ => text,
        },
    };
    let host = host.split_once('%').map_or(host, |(address, _zone)| address);
    match host.parse().ok()? {
        IpAddr::V6(v6) => Some(canonical(v6)),
        v4 @ IpAddr::V4(_) => Some(v4),
    }
}

fn canonical(v6: Ipv6Addr) -> IpAddr {
    v6.to_ipv4_mapped().map_or(IpAddr::V6(v6), IpAddr::V4)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SALT: [u8; 32] = [7; 32];

    #[test]
    fn an_id_depends_on_every_part() {
        let id = |salt: &[u8; 32], site, address, agent, host| visitor_id(salt, site, address, agent, host);
        let base = id(&SALT, 1, "192.0.2.1", "Firefox", "shop.example");
        assert_eq!(base, id(&SALT, 1, "192.0.2.1", "Firefox", "shop.example"));
        let mut late = SALT;
        late[31] = 8;
        assert_ne!(base, id(&[8; 32], 1, "192.0.2.1", "Firefox", "shop.example"));
        assert_ne!(base, id(&late, 1, "192.0.2.1", "Firefox", "shop.example"));
        assert_ne!(base, id(&SALT, 2, "192.0.2.1", "Firefox", "shop.example"));
        assert_ne!(base, id(&SALT, 1, "192.0.2.2", "Firefox", "shop.example"));
        assert_ne!(base, id(&SALT, 1, "192.0.2.1", "Chrome", "shop.example"));
        assert_ne!(base, id(&SALT, 1, "192.0.2.1", "Firefox", "other.example"));
        // A byte that wanders from one field to the next is another visitor.
        assert_ne!(id(&SALT, 1, "192.0.2.1", "1x", "a.b"), id(&SALT, 1, "192.0.2.11", "x", "a.b"));
    }

    #[test]
    fn subdomains_share_a_visitor() {
        let id = |host| visitor_id(&SALT, 1, "192.0.2.1", "Firefox", host);
        assert_eq!(id("example.co.uk"), id("deep.shop.example.co.uk"));
        assert_ne!(id("example.co.uk"), id("other.co.uk"));
        assert_ne!(id("localhost"), id("(none)"));
    }

    /// Pinned: a change would make every visitor of the running day a new one.
    #[test]
    fn ids_are_pinned() {
        let mut salt = [0_u8; 32];
        for (index, byte) in salt.iter_mut().enumerate() {
            *byte = index as u8;
        }
        assert_eq!(visitor_id(&salt, 42, "2001:db8::1", "Mozilla/5.0", "www.shop.example"), PINNED_ID);
    }
    const PINNED_ID: u64 = 7_631_811_459_444_820_066;

    /// Pinned: a change would count events again that are retried across it.
    #[test]
    fn event_ids_are_pinned() {
        assert_eq!(event_id(7, 42), PINNED_EVENT_ID);
        assert_ne!(event_id(7, 42), event_id(7, 43));
        assert_ne!(event_id(7, 42), event_id(8, 42));
    }
    const PINNED_EVENT_ID: u128 = 65_846_727_424_480_841_955_902_428_743_094_586_724;

    #[test]
    fn days() {
        let check = |ms, day: &str, previous: &str| {
            assert_eq!((utc_day(ms), previous_utc_day(ms)), (day.to_owned(), previous.to_owned()));
        };
        check(0, "1970-01-01", "1970-01-01");
        check(86_400_000, "1970-01-02", "1970-01-01");
        check(951_782_400_000, "2000-02-29", "2000-02-28");
        check(951_868_800_000, "2000-03-01", "2000-02-29");
        check(1_767_225_599_999, "2025-12-31", "2025-12-30");
        check(1_767_225_600_000, "2026-01-01", "2025-12-31");
        check(4_107_542_400_000, "2100-03-01", "2100-02-28");
    }

    #[test]
    fn addresses() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(normalise_address(text).map(|a| a.to_string()).as_deref(), expected, "{text:?}");
        };
        check("192.0.2.1", Some("192.0.2.1"));
        check(" 192.0.2.1:8080 ", Some("192.0.2.1"));
        check("\"[2001:DB8::1]:443\"", Some("2001:db8::1"));
        check("[2001:db8::1]", Some("2001:db8::1"));
        check("2001:0db8:0:0:0:0:0:1", Some("2001:db8::1"));
        check("::ffff:192.0.2.1", Some("192.0.2.1"));
        check("fe80::1%eth0", Some("fe80::1"));
        check("unknown", None);
        check("_hidden", None);
        check("[2001:db8::1", None);
        check("192.0.2.256", None);
        check("", None);
    }

    proptest! {
        #[test]
        fn any_text_is_an_address_or_not(text in ".*") {
            if let Some(address) = normalise_address(&text) {
                prop_assert_eq!(normalise_address(&address.to_string()), Some(address));
            }
        }

        #[test]
        fn days_are_in_order(ms in 0_u64..8_000_000_000_000, more in 0_u64..8_000_000_000_000) {
            prop_assert!(utc_day(ms) <= utc_day(ms + more));
            prop_assert_eq!(previous_utc_day(ms + DAY_MS), utc_day(ms));
        }

        #[test]
        fn no_visitor_is_zero(salt: [u8; 32], site: u32, address in ".*", agent in ".*", host in ".*") {
            prop_assert_ne!(visitor_id(&salt, site, &address, &agent, &host), 0);
        }
    }
}
