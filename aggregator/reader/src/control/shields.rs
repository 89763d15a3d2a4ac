//! What may stand in a site's shields, in one form, and how it gets there.

use std::net::IpAddr;
use thiserror::Error;
use weir_event::domain::normalise_domain;
use weir_event::network::{Network, NotANetwork};
use weir_event::shield::{ENTRIES_MAX, PATTERN_BYTES_MAX, Shields};

/// Host of an event whose page had none.
const NO_HOST: &str = "(none)";

/// What a shield looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShieldKind {
    /// The sender's address.
    Address,
    /// Its country.
    Country,
    /// The page.
    Page,
    /// The page's host: a list of those that are counted.
    Hostname,
}

/// A checked entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShieldEntry {
    /// An address or a network.
    Address(Network),
    /// A country's code, upper case.
    Country(String),
    /// A pattern over the path.
    Page(String),
    /// A pattern over the host.
    Hostname(String),
}

/// Why something cannot be an entry.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ShieldError {
    /// It is too long.
    #[error("an entry has at most {PATTERN_BYTES_MAX} bytes, this one has {0}")]
    TooLong(usize),
    /// It has control characters.
    #[error("{0:?} has characters that cannot be in one")]
    Characters(String),
    /// It is no network.
    #[error(transparent)]
    Network(#[from] NotANetwork),
    /// It is no country.
    #[error("{0:?} is not a country's code of two letters like DE")]
    Country(String),
    /// It is no path.
    #[error("{0:?} is not a page like /admin or /admin/**: paths begin with /")]
    Page(String),
    /// It is no host.
    #[error("{0:?} is not a host like shop.example or *.shop.example")]
    Hostname(String),
    /// The list is full.
    #[error("the list has {ENTRIES_MAX} entries already, that is the most: put networks or patterns together")]
    Full,
    /// It is not in the list.
    #[error("it is not in the list: `weir shield list` shows what is")]
    Missing,
}

/// Checks an entry and gives it its one form.
pub fn parse(kind: ShieldKind, value: &str) -> Result<ShieldEntry, ShieldError> {
    let value = value.trim();
    if value.len() > PATTERN_BYTES_MAX {
        return Err(ShieldError::TooLong(value.len()));
    }
    if value.chars().any(char::is_control) {
        return Err(ShieldError::Characters(value.to_owned()));
    }
    match kind {
        ShieldKind::Address => address(value).map(ShieldEntry::Address),
        ShieldKind::Country => country(value).map(ShieldEntry::Country),
        ShieldKind::Page => page(value).map(ShieldEntry::Page),
        ShieldKind::Hostname => hostname(value).map(ShieldEntry::Hostname),
    }
}

/// Appends an entry that is not there yet.
pub fn insert(shields: &mut Shields, entry: &ShieldEntry) -> Result<(), ShieldError> {
    match entry {
        ShieldEntry::Address(network) => put(&mut shields.addresses, network),
        ShieldEntry::Country(code) => put(&mut shields.countries, code),
        ShieldEntry::Page(pattern) => put(&mut shields.pages, pattern),
        ShieldEntry::Hostname(pattern) => put(&mut shields.hostnames, pattern),
    }
}

/// Removes an entry that must be there.
pub fn delete(shields: &mut Shields, entry: &ShieldEntry) -> Result<(), ShieldError> {
    match entry {
        ShieldEntry::Address(network) => take(&mut shields.addresses, network),
        ShieldEntry::Country(code) => take(&mut shields.countries, code),
        ShieldEntry::Page(pattern) => take(&mut shields.pages, pattern),
        ShieldEntry::Hostname(pattern) => take(&mut shields.hostnames, pattern),
    }
}

fn address(value: &str) -> Result<Network, ShieldError> {
    // The edge writes an IPv4 address in one form only.
    let plain = value.parse().map_or_else(|_| value.to_owned(), |address: IpAddr| address.to_canonical().to_string());
    Ok(plain.parse()?)
}

fn country(value: &str) -> Result<String, ShieldError> {
    if value.len() == 2 && value.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        Ok(value.to_ascii_uppercase())
    } else {
        Err(ShieldError::Country(value.to_owned()))
    }
}

fn page(value: &str) -> Result<String, ShieldError> {
    if value.starts_with(['/', '*']) { Ok(value.to_owned()) } else { Err(ShieldError::Page(value.to_owned())) }
}

fn hostname(value: &str) -> Result<String, ShieldError> {
    let wrong = || ShieldError::Hostname(value.to_owned());
    if value == NO_HOST {
        return Ok(NO_HOST.to_owned());
    }
    if value.contains('*') {
        let pattern = value.to_ascii_lowercase();
        let fits = pattern.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.*".contains(&byte));
        return if fits { Ok(pattern) } else { Err(wrong()) };
    }
    let name = normalise_domain(value).ok_or_else(wrong)?;
    if name.contains(['/', ' ', ':']) { Err(wrong()) } else { Ok(name) }
}

fn put<T: Clone + PartialEq>(list: &mut Vec<T>, entry: &T) -> Result<(), ShieldError> {
    if list.contains(entry) {
        return Ok(());
    }
    if list.len() >= ENTRIES_MAX {
        return Err(ShieldError::Full);
    }
    list.push(entry.clone());
    Ok(())
}

fn take<T: PartialEq>(list: &mut Vec<T>, entry: &T) -> Result<(), ShieldError> {
    let before = list.len();
    list.retain(|known| known != entry);
    if list.len() == before { Err(ShieldError::Missing) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_force(kind: ShieldKind, value: &str) -> Option<String> {
        Some(match parse(kind, value).ok()? {
            ShieldEntry::Address(network) => network.to_string(),
            ShieldEntry::Country(text) | ShieldEntry::Page(text) | ShieldEntry::Hostname(text) => text,
        })
    }

    #[test]
    fn entries_are_written_in_one_form() {
        use ShieldKind::{Address, Country, Hostname, Page};
        let check = |kind, value, expected: Option<&str>| assert_eq!(in_force(kind, value).as_deref(), expected, "{value}");
        check(Address, "203.0.113.9", Some("203.0.113.9/32"));
        check(Address, "203.0.113.0/24", Some("203.0.113.0/24"));
        check(Address, "2001:DB8::/32", Some("2001:db8::/32"));
        check(Address, "::ffff:203.0.113.9", Some("203.0.113.9/32"));
        check(Country, "de", Some("DE"));
        check(Page, "/admin/**", Some("/admin/**"));
        check(Page, "**/secret", Some("**/secret"));
        check(Hostname, "www.Shop.Example", Some("shop.example"));
        check(Hostname, "*.Shop.example", Some("*.shop.example"));
        check(Hostname, "(none)", Some("(none)"));
        for value in ["", "home", "10.0.0.0/33", "203.0.113.0/x"] {
            check(Address, value, None);
        }
        for value in ["", "D", "DEU", "1A"] {
            check(Country, value, None);
        }
        for value in ["", "admin", "https://shop.example/admin", "/a\nb"] {
            check(Page, value, None);
        }
        let long = format!("/{}", "a".repeat(PATTERN_BYTES_MAX));
        check(Page, &long, None);
        for value in ["", "https://shop.example", "shop.example/x", "a b.example", "*.müller.example"] {
            check(Hostname, value, None);
        }
    }

    #[test]
    fn lists_are_bounded_and_hold_an_entry_once() {
        let mut shields = Shields::default();
        let page = |number: usize| parse(ShieldKind::Page, &format!("/{number}")).unwrap();
        for number in 0..ENTRIES_MAX {
            insert(&mut shields, &page(number)).unwrap();
        }
        insert(&mut shields, &page(0)).unwrap();
        assert_eq!(shields.pages.len(), ENTRIES_MAX);
        assert_eq!(insert(&mut shields, &page(ENTRIES_MAX)), Err(ShieldError::Full));
        delete(&mut shields, &page(7)).unwrap();
        assert_eq!(delete(&mut shields, &page(7)), Err(ShieldError::Missing));
        insert(&mut shields, &page(ENTRIES_MAX)).unwrap();
    }
}
