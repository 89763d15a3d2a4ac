//! Shields: what a site does not want counted, by address, country, page or host.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::network::Network;

/// Most entries of each list.
pub const ENTRIES_MAX: usize = 500;
/// Longest pattern, bytes.
pub const PATTERN_BYTES_MAX: usize = 300;

/// The shields of one site. They are configuration: the only place where addresses may rest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Shields {
    /// Senders from these networks are not counted.
    pub addresses: Vec<Network>,
    /// Nor those from these countries, ISO 3166-1 alpha-2 in upper case.
    pub countries: Vec<String>,
    /// Nor views of these pages: patterns for [`matches()`] over the path.
    pub pages: Vec<String>,
    /// Where there is any, only pages of these hosts are counted: patterns over the host, in which `*` also stands for dots.
    pub hostnames: Vec<String>,
}

/// Why a shield keeps an event out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shielded {
    /// By the sender's address.
    Address,
    /// By its country.
    Country,
    /// By the page.
    Page,
    /// The host is not on the list of those that are counted.
    Hostname,
}

impl Shielded {
    /// Plausible's name of the reason, for counters and answers.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Address => "site_ip_blocklist",
            Self::Country => "site_country_blocklist",
            Self::Page => "site_page_blocklist",
            Self::Hostname => "site_hostname_allowlist",
        }
    }
}

impl Shields {
    /// The first shield that keeps an event out, in Plausible's order.
    pub fn check(&self, address: Option<&IpAddr>, country: &str, hostname: &str, pathname: &str) -> Option<Shielded> {
        if !self.hostnames.is_empty() && !self.hostnames.iter().any(|pattern| matches_host(pattern, hostname)) {
            return Some(Shielded::Hostname);
        }
        if self.pages.iter().any(|pattern| matches(pattern, pathname)) {
            return Some(Shielded::Page);
        }
        if address.is_some_and(|address| self.addresses.iter().any(|network| network.contains(address))) {
            return Some(Shielded::Address);
        }
        (!country.is_empty() && self.countries.iter().any(|blocked| blocked == country)).then_some(Shielded::Country)
    }
}

/// Whether a path fits a pattern: `*` stands for any characters but `/`, `**` for any at all, everything else for itself.
pub fn matches(pattern: &str, path: &str) -> bool {
    glob(pattern.as_bytes(), path.as_bytes(), false)
}

fn matches_host(pattern: &str, host: &str) -> bool {
    glob(pattern.as_bytes(), host.as_bytes(), true)
}

/// Matches with one mark to return to for each kind of star, so that the time is at most pattern × text.
fn glob(pattern: &[u8], text: &[u8], star_is_all: bool) -> bool {
    // reachable[i]: the pattern read so far can have consumed i bytes of the text.
    let mut reachable = vec![false; text.len() + 1];
    if let Some(start) = reachable.first_mut() {
        *start = true;
    }
    let mut rest = pattern;
    while let Some((first, after)) = rest.split_first() {
        if *first == b'*' {
            let is_all = star_is_all || after.first() == Some(&b'*');
            rest = if after.first() == Some(&b'*') { after.split_first().map_or(after, |(_, tail)| tail) } else { after };
            let mut open = false;
            for (index, is_reachable) in reachable.iter_mut().enumerate() {
                if !is_all && index > 0 && text.get(index - 1) == Some(&b'/') {
                    open = false;
                }
                open |= *is_reachable;
                *is_reachable = open;
            }
        } else {
            let mut before = false;
            for (index, is_reachable) in reachable.iter_mut().enumerate() {
                let here = index > 0 && before && text.get(index - 1) == Some(first);
                before = std::mem::replace(is_reachable, here);
            }
            rest = after;
        }
    }
    reachable.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn patterns() {
        let check = |pattern: &str, path: &str, expected: bool| assert_eq!(matches(pattern, path), expected, "{pattern} {path}");
        check("/admin", "/admin", true);
        check("/admin", "/admin/x", false);
        check("/admin*", "/admin-x", true);
        check("/admin*", "/admin/x", false);
        check("/admin/**", "/admin/x/y", true);
        check("/admin**", "/admin", true);
        check("/*/edit", "/posts/edit", true);
        check("/*/edit", "/posts/7/edit", false);
        check("/**/edit", "/posts/7/edit", true);
        check("**", "", true);
        check("*", "/", false);
        check("***", "/a/b", true);
        check("", "", true);
        check("", "/", false);
        check("/ü*", "/übung", true);
        check("/a.c", "/abc", false);
    }

    #[test]
    fn shields_in_their_order() {
        let address: IpAddr = "203.0.113.9".parse().unwrap();
        let shields = Shields {
            addresses: vec!["203.0.113.0/24".parse().unwrap()],
            countries: vec!["NO".into()],
            pages: vec!["/admin/**".into()],
            hostnames: vec!["shop.example".into(), "*.shop.example".into()],
        };
        let check = |address: Option<&IpAddr>, country: &str, host: &str, path: &str, expected: Option<&str>| {
            assert_eq!(shields.check(address, country, host, path).map(Shielded::reason), expected);
        };
        check(None, "", "shop.example", "/", None);
        check(None, "DE", "a.b.shop.example", "/", None);
        check(Some(&address), "NO", "evil.example", "/admin/x", Some("site_hostname_allowlist"));
        check(Some(&address), "NO", "shop.example", "/admin/x", Some("site_page_blocklist"));
        check(Some(&address), "NO", "shop.example", "/", Some("site_ip_blocklist"));
        check(None, "NO", "shop.example", "/", Some("site_country_blocklist"));
        assert_eq!(Shields::default().check(Some(&address), "NO", "(none)", "/"), None);
    }

    #[test]
    fn as_json() {
        let json = r#"{"addresses":["203.0.113.0/24"],"countries":["NO"],"pages":[],"hostnames":[]}"#;
        let shields: Shields = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&shields).unwrap(), json);
        assert_eq!(serde_json::from_str::<Shields>("{}").unwrap(), Shields::default());
        assert!(serde_json::from_str::<Shields>(r#"{"addresses":["x"]}"#).is_err());
    }

    proptest! {
        #[test]
        fn text_without_stars_matches_itself_alone(text in "[a-z/]{0,8}", other in "[a-z/]{0,8}") {
            prop_assert!(matches(&text, &text));
            prop_assert_eq!(matches(&text, &other), text == other);
        }

        #[test]
        fn a_star_takes_one_segment(before in "[a-z]{0,4}", part in "[a-z]{0,4}", tail in "[a-z/]{0,6}") {
            let text = format!("/{before}{part}/{tail}");
            let segment = format!("/{before}*/{tail}");
            let all = format!("/{before}**");
            prop_assert!(matches(&segment, &text));
            prop_assert!(matches(&all, &text));
        }

        #[test]
        fn no_pattern_panics(pattern in ".*", text in ".*") {
            let _ignored = matches(&pattern, &text);
        }
    }
}
