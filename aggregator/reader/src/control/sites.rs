//! Storing sites. Bucket `WEIR_SITES`: key `site.<domain>`, and `next_id`, the next free number.
//!
//! A renamed site has its record under its former domain too, with the new domain inside: the edge goes on taking events that name the former one,
//! and readers find the site by it. There is one former domain at most. After [`FORMER_KEPT_MS`] whoever wants it for a site of his own gets it.

use super::names::{self, NameError};
use super::{ChangeError, Stored, change, list};
use crate::buckets::Entry;
use crate::error::ReaderError;
use async_nats::jetstream::Context;
use thiserror::Error;
use weir_event::site::{Settings, Site};
use weir_event::subject::SITES_BUCKET;

/// Key of the next free site number.
const NEXT_ID: &str = "next_id";
/// For this long after a change nobody else can take the former domain, milliseconds.
pub const FORMER_KEPT_MS: u64 = 72 * 60 * 60 * 1_000;

/// Why a site cannot be added or changed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SiteError {
    /// The domain or time zone is none.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The domain belongs to a site.
    #[error("site {domain} is there already, with number {id}")]
    Taken {
        /// The domain.
        domain: String,
        /// Number of that site.
        id: u32,
    },
    /// There is no such site.
    #[error("there is no site {domain}: add it with `weir site add {domain}`")]
    Missing {
        /// Its domain.
        domain: String,
    },
    /// The new domain is the present one.
    #[error("the new domain must be different from the current one")]
    Same,
    /// Every number was given away.
    #[error("all site numbers are used up")]
    NoNumbers,
    /// The caller of `update` does not want it after all.
    #[error("{0}")]
    Unwanted(String),
}

/// What a new site is to be.
#[derive(Clone, Debug, Default)]
pub struct NewSite {
    /// Its domain, in any spelling.
    pub domain: String,
    /// Its time zone, in any spelling.
    pub timezone: String,
    /// Id of its account.
    pub account: Option<String>,
    /// What its owner chose.
    pub settings: Settings,
}

/// Key of a domain in the bucket.
pub fn key(domain: &str) -> String {
    format!("site.{domain}")
}

/// Whether the record under a domain is that of a site's former domain.
pub fn is_former(domain: &str, site: &Site) -> bool {
    site.domain != domain
}

/// All sites by domain; a renamed one once.
pub async fn all(jetstream: &Context) -> Result<Vec<Site>, ReaderError> {
    let stored: Vec<(String, Site)> = list(jetstream, SITES_BUCKET, "site.>").await?;
    Ok(stored.into_iter().filter(|(name, site)| *name == key(&site.domain)).map(|(_, site)| site).collect())
}

/// The site of a domain, also of a former one.
pub async fn find(jetstream: &Context, domain: &str) -> Result<Option<Site>, ChangeError<SiteError>> {
    let domain = names::domain(domain).map_err(refuse)?;
    let Some(entry) = crate::buckets::get(jetstream, SITES_BUCKET, &key(&domain)).await? else { return Ok(None) };
    let Some(value) = entry.value else { return Ok(None) };
    Ok(Some(serde_json::from_slice(&value).map_err(|cause| ReaderError::malformed(&key(&domain), cause))?))
}

/// Adds a site on one of the partitions. The edge takes its events as soon as it has read the bucket.
pub async fn create(
    jetstream: &Context,
    new: NewSite,
    partitions: &[u32],
    now_ms: u64,
) -> Result<Stored<Site>, ChangeError<SiteError>> {
    let domain = names::domain(&new.domain).map_err(refuse)?;
    let timezone = names::timezone(&new.timezone).map_err(refuse)?;
    if let Some(site) = find(jetstream, &domain).await?
        && !is_free(&domain, &site, now_ms)
    {
        return Err(ChangeError::Refused(SiteError::Taken { domain, id: site.id }));
    }
    let id = take_id(jetstream).await?;
    let partition = (id as usize).checked_rem(partitions.len()).and_then(|index| partitions.get(index)).copied().unwrap_or(0);
    let site = Site {
        id,
        domain: domain.clone(),
        timezone,
        partition,
        created_ms: now_ms,
        account: new.account,
        former_domain: None,
        renamed_ms: 0,
        settings: new.settings,
    };
    claim(jetstream, &domain, &site, now_ms).await
}

/// Changes a record, found by any of its domains, and its copy under the former domain.
pub async fn update(
    jetstream: &Context,
    domain: &str,
    mut decide: impl FnMut(&mut Site) -> Result<(), SiteError>,
) -> Result<Stored<Site>, ChangeError<SiteError>> {
    let found = require(jetstream, domain).await?;
    let stored = change(jetstream, SITES_BUCKET, &key(&found.domain), |current: Option<Site>| {
        let mut site = current.filter(|site| site.id == found.id).ok_or_else(|| missing(domain))?;
        decide(&mut site)?;
        Ok(Some(site))
    })
    .await?;
    if let Some(site) = &stored.value
        && let Some(former) = &site.former_domain
    {
        copy(jetstream, former, site).await?;
    }
    Ok(stored)
}

/// Gives a site another domain; it stays known under the present one, and no longer under the one before that. What was interrupted is done by
/// asking again. Gives all entries that changed.
pub async fn rename(
    jetstream: &Context,
    domain: &str,
    new_domain: &str,
    now_ms: u64,
) -> Result<(Site, Vec<Entry>), ChangeError<SiteError>> {
    let new_domain = names::domain(new_domain).map_err(refuse)?;
    let before = require(jetstream, domain).await?;
    if before.domain == new_domain {
        return Err(ChangeError::Refused(SiteError::Same));
    }
    let after =
        Site { domain: new_domain.clone(), former_domain: Some(before.domain.clone()), renamed_ms: now_ms, ..before.clone() };
    let mut entries = vec![claim(jetstream, &new_domain, &after, now_ms).await?.entry];
    entries.push(copy(jetstream, &before.domain, &after).await?);
    if let Some(oldest) = before.former_domain.filter(|oldest| *oldest != new_domain) {
        entries.push(forget(jetstream, &oldest, before.id).await?);
    }
    Ok((after, entries))
}

/// Removes a site: its number is never used again, so that its rows belong to nobody. Gives all entries that changed.
pub async fn remove(jetstream: &Context, domain: &str) -> Result<(Site, Vec<Entry>), ChangeError<SiteError>> {
    let site = require(jetstream, domain).await?;
    let mut entries = Vec::new();
    if let Some(former) = &site.former_domain {
        entries.push(forget(jetstream, former, site.id).await?);
    }
    entries.push(forget(jetstream, &site.domain, site.id).await?);
    Ok((site, entries))
}

async fn require(jetstream: &Context, domain: &str) -> Result<Site, ChangeError<SiteError>> {
    find(jetstream, domain).await?.ok_or_else(|| ChangeError::Refused(missing(domain)))
}

fn missing(domain: &str) -> SiteError {
    SiteError::Missing { domain: domain.to_owned() }
}

fn refuse(error: NameError) -> ChangeError<SiteError> {
    ChangeError::Refused(error.into())
}

/// The record under this domain is a former one whose time is over.
fn is_free(domain: &str, site: &Site, now_ms: u64) -> bool {
    is_former(domain, site) && site.renamed_ms.saturating_add(FORMER_KEPT_MS) <= now_ms
}

/// Puts a site under a domain that is free, or its own already.
async fn claim(jetstream: &Context, domain: &str, site: &Site, now_ms: u64) -> Result<Stored<Site>, ChangeError<SiteError>> {
    change(jetstream, SITES_BUCKET, &key(domain), |current: Option<Site>| match current {
        Some(current) if current.id != site.id && !is_free(domain, &current, now_ms) => {
            Err(SiteError::Taken { domain: domain.to_owned(), id: current.id })
        }
        _ => Ok(Some(site.clone())),
    })
    .await
}

/// Puts a site's record under its former domain, unless another site has that.
async fn copy(jetstream: &Context, former: &str, site: &Site) -> Result<Entry, ChangeError<SiteError>> {
    let stored = change(jetstream, SITES_BUCKET, &key(former), |current: Option<Site>| {
        Ok(current.map(|current| if current.id == site.id { site.clone() } else { current }))
    })
    .await?;
    Ok(stored.entry)
}

/// Removes the record under a domain if it is this site's.
async fn forget(jetstream: &Context, domain: &str, id: u32) -> Result<Entry, ChangeError<SiteError>> {
    let stored =
        change(jetstream, SITES_BUCKET, &key(domain), |current: Option<Site>| Ok(current.filter(|site| site.id != id))).await?;
    Ok(stored.entry)
}

/// Takes a number that no site ever had: the counter moves on before the site is written.
async fn take_id(jetstream: &Context) -> Result<u32, ChangeError<SiteError>> {
    let stored = change(jetstream, SITES_BUCKET, NEXT_ID, |next: Option<u32>| {
        next.unwrap_or(1).checked_add(1).map(Some).ok_or(SiteError::NoNumbers)
    })
    .await?;
    Ok(stored.value.unwrap_or(2) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_former_domain_is_free_after_its_time() {
        let site = Site {
            id: 1,
            domain: "new.example".into(),
            timezone: "UTC".into(),
            partition: 0,
            created_ms: 1,
            account: None,
            former_domain: Some("old.example".into()),
            renamed_ms: 1_000,
            settings: Settings::default(),
        };
        assert!(!is_free("old.example", &site, 1_000 + FORMER_KEPT_MS - 1));
        assert!(is_free("old.example", &site, 1_000 + FORMER_KEPT_MS));
        assert!(!is_free("new.example", &site, u64::MAX));
    }
}
