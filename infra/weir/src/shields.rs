//! `weir shield`: what a site does not want counted.

use crate::output::{Output, Usage};
use crate::session::Session;
use crate::sites;
use anyhow::{Context as _, Result};
use clap::ValueEnum;
use weir_event::shield::Shields;
use weir_reader::control::shields::{self as control, ShieldEntry, ShieldKind};

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

impl Kind {
    fn of_control(self) -> ShieldKind {
        match self {
            Self::Address => ShieldKind::Address,
            Self::Country => ShieldKind::Country,
            Self::Page => ShieldKind::Page,
            Self::Hostname => ShieldKind::Hostname,
        }
    }
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

fn parse(kind: Kind, value: &str) -> Result<ShieldEntry, Usage> {
    control::parse(kind.of_control(), value).map_err(|error| Usage(error.to_string()))
}

fn insert(shields: &mut Shields, entry: &ShieldEntry) -> Result<()> {
    Ok(control::insert(shields, entry)?)
}

fn delete(shields: &mut Shields, entry: &ShieldEntry) -> Result<()> {
    control::delete(shields, entry).with_context(|| match entry {
        ShieldEntry::Address(network) => format!("address {network}"),
        ShieldEntry::Country(text) | ShieldEntry::Page(text) | ShieldEntry::Hostname(text) => text.clone(),
    })
}
