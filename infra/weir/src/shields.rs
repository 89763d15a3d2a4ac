//! `weir shield`: what a site does not want counted.

use crate::output::{Output, Usage};
use crate::session::Session;
use crate::sites;
use anyhow::{Context as _, Result, bail};
use clap::ValueEnum;
use std::net::IpAddr;
use weir_event::domain::normalise_domain;
use weir_event::network::Network;
use weir_event::shield::{ENTRIES_MAX, PATTERN_BYTES_MAX, Shields};

/// Host of an event whose page had none.
const NO_HOST: &str = "(none)";

/// What a shield looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// Senders from this address or network (192.0.2.0/24) are not counted.
    Address,
    /// Senders from this country (two letters, ISO 3166-1) are not counted.
    Country,
    /// Views of these pages are not counted: * stands for any characters but /, ** for any.
    Page,
    /// Only pages of hosts in this list are counted, once there is any: * stands for any characters.
    Hostname,
}

/// A checked entry.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Entry {
    Address(Network),
    Country(String),
    Page(String),
    Hostname(String),
}

/// Adds entries and says what is in force then.
pub(crate) async fn add(session: &Session, domain: &str, kind: Kind, values: &[String], output: Output) -> Result<()> {
    let entries = values.iter().map(|value| parse(kind, value)).collect::<Result<Vec<_>, Usage>>()?;
    let site =
        sites::update(session, domain, |site| entries.iter().try_for_each(|entry| insert(&mut site.settings.shields, entry)))
            .await?;
    print(&site.domain, &site.settings.shields, true, output)
}

/// Removes entries, all of which must be there.
pub(crate) async fn remove(session: &Session, domain: &str, kind: Kind, values: &[String], output: Output) -> Result<()> {
    let entries = values.iter().map(|value| parse(kind, value)).collect::<Result<Vec<_>, Usage>>()?;
    let site =
        sites::update(session, domain, |site| entries.iter().try_for_each(|entry| delete(&mut site.settings.shields, entry)))
            .await?;
    print(&site.domain, &site.settings.shields, true, output)
}

/// Shows a site's shields.
pub(crate) async fn list(session: &Session, domain: &str, output: Output) -> Result<()> {
    let site = sites::require(session, domain).await?;
    print(&site.domain, &site.settings.shields, false, output)
}

fn print(domain: &str, shields: &Shields, is_changed: bool, output: Output) -> Result<()> {
    let mut lines = text(shields);
    if lines.is_empty() {
        lines.push(format!("{domain} has no shields"));
    }
    if is_changed {
        lines.push("in force at the edge within 5 s".to_owned());
    }
    output.result(shields, &lines.join("\n"))
}

/// A line for each entry.
pub(crate) fn text(shields: &Shields) -> Vec<String> {
    let addresses: Vec<String> = shields.addresses.iter().map(ToString::to_string).collect();
    [
        ("address", &addresses, "not counted"),
        ("country", &shields.countries, "not counted"),
        ("page", &shields.pages, "not counted"),
        ("hostname", &shields.hostnames, "counted, others are not"),
    ]
    .into_iter()
    .flat_map(|(kind, values, effect)| values.iter().map(move |value| format!("{kind:<9} {value}  ({effect})")))
    .collect()
}

fn parse(kind: Kind, value: &str) -> Result<Entry, Usage> {
    let value = value.trim();
    if value.len() > PATTERN_BYTES_MAX {
        return Err(Usage(format!("an entry has at most {PATTERN_BYTES_MAX} bytes, this one has {}", value.len())));
    }
    if value.chars().any(char::is_control) {
        return Err(Usage(format!("{value:?} has characters that cannot be in one")));
    }
    match kind {
        Kind::Address => address(value).map(Entry::Address),
        Kind::Country => country(value).map(Entry::Country),
        Kind::Page => page(value).map(Entry::Page),
        Kind::Hostname => hostname(value).map(Entry::Hostname),
    }
}

fn address(value: &str) -> Result<Network, Usage> {
    // The edge writes an IPv4 address in one form only.
    let plain = value.parse().map_or_else(|_| value.to_owned(), |address: IpAddr| address.to_canonical().to_string());
    plain.parse().map_err(|error: weir_event::network::NotANetwork| Usage(error.to_string()))
}

fn country(value: &str) -> Result<String, Usage> {
    if value.len() == 2 && value.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        Ok(value.to_ascii_uppercase())
    } else {
        Err(Usage(format!("{value:?} is not a country's code of two letters like DE")))
    }
}

fn page(value: &str) -> Result<String, Usage> {
    if value.starts_with(['/', '*']) {
        Ok(value.to_owned())
    } else {
        Err(Usage(format!("{value:?} is not a page like /admin or /admin/**: paths begin with /")))
    }
}

fn hostname(value: &str) -> Result<String, Usage> {
    let wrong = || Usage(format!("{value:?} is not a host like shop.example or *.shop.example"));
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

fn insert(shields: &mut Shields, entry: &Entry) -> Result<()> {
    match entry {
        Entry::Address(network) => put(&mut shields.addresses, network),
        Entry::Country(code) => put(&mut shields.countries, code),
        Entry::Page(pattern) => put(&mut shields.pages, pattern),
        Entry::Hostname(pattern) => put(&mut shields.hostnames, pattern),
    }
}

fn delete(shields: &mut Shields, entry: &Entry) -> Result<()> {
    match entry {
        Entry::Address(network) => take(&mut shields.addresses, network),
        Entry::Country(code) => take(&mut shields.countries, code),
        Entry::Page(pattern) => take(&mut shields.pages, pattern),
        Entry::Hostname(pattern) => take(&mut shields.hostnames, pattern),
    }
    .with_context(|| match entry {
        Entry::Address(network) => format!("address {network}"),
        Entry::Country(text) | Entry::Page(text) | Entry::Hostname(text) => text.clone(),
    })
}

/// Appends what is not there yet.
fn put<T: Clone + PartialEq>(list: &mut Vec<T>, entry: &T) -> Result<()> {
    if list.contains(entry) {
        return Ok(());
    }
    if list.len() >= ENTRIES_MAX {
        bail!("the list has {ENTRIES_MAX} entries already, that is the most: put networks or patterns together");
    }
    list.push(entry.clone());
    Ok(())
}

fn take<T: PartialEq>(list: &mut Vec<T>, entry: &T) -> Result<()> {
    let before = list.len();
    list.retain(|known| known != entry);
    if list.len() == before {
        bail!("it is not in the list: `weir shield list` shows what is");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_force(kind: Kind, value: &str) -> Option<String> {
        let mut shields = Shields::default();
        insert(&mut shields, &parse(kind, value).ok()?).unwrap();
        let line = text(&shields).concat();
        line.split_whitespace().nth(1).map(str::to_owned)
    }

    #[test]
    fn entries_are_written_in_one_form() {
        let check = |kind, value, expected: Option<&str>| assert_eq!(in_force(kind, value).as_deref(), expected, "{value}");
        check(Kind::Address, "203.0.113.9", Some("203.0.113.9/32"));
        check(Kind::Address, "203.0.113.0/24", Some("203.0.113.0/24"));
        check(Kind::Address, "2001:DB8::/32", Some("2001:db8::/32"));
        check(Kind::Address, "::ffff:203.0.113.9", Some("203.0.113.9/32"));
        check(Kind::Country, "de", Some("DE"));
        check(Kind::Page, "/admin/**", Some("/admin/**"));
        check(Kind::Page, "**/secret", Some("**/secret"));
        check(Kind::Hostname, "www.Shop.Example", Some("shop.example"));
        check(Kind::Hostname, "*.Shop.example", Some("*.shop.example"));
        check(Kind::Hostname, "(none)", Some("(none)"));
        for value in ["", "home", "10.0.0.0/33", "203.0.113.0/x"] {
            check(Kind::Address, value, None);
        }
        for value in ["", "D", "DEU", "1A"] {
            check(Kind::Country, value, None);
        }
        for value in ["", "admin", "https://shop.example/admin", "/a\nb"] {
            check(Kind::Page, value, None);
        }
        let long = format!("/{}", "a".repeat(PATTERN_BYTES_MAX));
        check(Kind::Page, &long, None);
        for value in ["", "https://shop.example", "shop.example/x", "a b.example", "*.müller.example"] {
            check(Kind::Hostname, value, None);
        }
    }

    #[test]
    fn lists_are_bounded_and_hold_an_entry_once() {
        let mut shields = Shields::default();
        let page = |number: usize| parse(Kind::Page, &format!("/{number}")).unwrap();
        for number in 0..ENTRIES_MAX {
            insert(&mut shields, &page(number)).unwrap();
        }
        insert(&mut shields, &page(0)).unwrap();
        assert_eq!(shields.pages.len(), ENTRIES_MAX);
        assert!(insert(&mut shields, &page(ENTRIES_MAX)).is_err());
        delete(&mut shields, &page(7)).unwrap();
        assert!(delete(&mut shields, &page(7)).is_err());
        insert(&mut shields, &page(ENTRIES_MAX)).unwrap();
    }
}
