//! `weir site`: adding, listing and changing sites.

use crate::accounts;
use crate::cli::CollectorOption;
use crate::output::Output;
use crate::session::{Session, now_ms};
use crate::site_settings::{Shown, collector_url};
use anyhow::{Context as _, Result};
use weir_event::site::{Settings, Site};
use weir_reader::control::sites::{self, NewSite, SiteError};

/// Adds a site and says so.
pub(crate) async fn add(
    session: &Session,
    domain: &str,
    timezone: &str,
    account: Option<&str>,
    option: &CollectorOption,
    output: Output,
) -> Result<()> {
    let site = create(session, domain, timezone, account).await?;
    let shown = Shown::new(site, &collector_url(session, option));
    output.result(&shown, &shown.added_text())
}

/// All sites, by domain.
pub(crate) async fn all(session: &Session) -> Result<Vec<Site>> {
    let mut sites = sites::all(&session.jetstream).await?;
    sites.sort_by(|one, other| one.domain.cmp(&other.domain));
    Ok(sites)
}

/// Lists the sites by domain.
pub(crate) async fn list(session: &Session, option: &CollectorOption, output: Output) -> Result<()> {
    let url = collector_url(session, option);
    let sites: Vec<Shown> = all(session).await?.into_iter().map(|site| Shown::new(site, &url)).collect();
    let lines: Vec<String> = sites.iter().map(Shown::line).collect();
    let text = if lines.is_empty() { "no sites yet: add one with `weir site add DOMAIN`".to_owned() } else { lines.join("\n") };
    output.result(&sites, &text)
}

/// The site of a domain, also of a former one.
pub(crate) async fn find(session: &Session, domain: &str) -> Result<Option<Site>> {
    Ok(sites::find(&session.jetstream, domain).await?)
}

/// The site of a domain, which must be there.
pub(crate) async fn require(session: &Session, domain: &str) -> Result<Site> {
    find(session, domain).await?.with_context(|| SiteError::Missing { domain: domain.to_owned() }.to_string())
}

/// Adds a site, to an account if one is named.
pub(crate) async fn create(session: &Session, domain: &str, timezone: &str, account: Option<&str>) -> Result<Site> {
    let account = match account {
        Some(id) => Some(accounts::require(session, id).await?.id),
        None => None,
    };
    let new = NewSite { domain: domain.to_owned(), timezone: timezone.to_owned(), account, settings: Settings::default() };
    let partitions: Vec<u32> = (0..session.run.partitions.max(1)).collect();
    let stored = sites::create(&session.jetstream, new, &partitions, now_ms()).await?;
    stored.value.context("the site could not be stored")
}

/// Changes the record of a site. `change` is asked again when somebody else changed the record in between, so that no change gets lost.
pub(crate) async fn update(session: &Session, domain: &str, change: impl Fn(&mut Site) -> Result<()>) -> Result<Site> {
    let decide = |site: &mut Site| change(site).map_err(|error| SiteError::Unwanted(format!("{error:#}")));
    let stored = sites::update(&session.jetstream, domain, decide).await?;
    stored.value.context("the site could not be stored")
}
