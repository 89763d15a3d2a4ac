//! Changing what the control buckets hold, for whoever was authorised before. The own copy is changed at once: who was answered sees his change.

use super::Directory;
use crate::error::ApiError;
use std::sync::Arc;
use weir_event::model::{ControlKind, DeleteSite};
use weir_event::site::Site;
use weir_event::subject::{DEFINITIONS_BUCKET, KEYS_BUCKET, SITES_BUCKET};
use weir_reader::control::sites::{self, NewSite, SiteError};
use weir_reader::control::{ChangeError, definitions, erasures, keys};
use weir_reader::definitions::Definitions;

impl Directory {
    /// Changes the definitions of a site; as they are then. `decide` may be asked several times: what it adds it must find again.
    pub async fn define<R>(
        &self,
        site: &Site,
        decide: impl FnMut(&mut Definitions) -> Result<(), R>,
    ) -> Result<Result<Arc<Definitions>, R>, ApiError> {
        let stored = match definitions::update(self.writable()?, site.id, decide).await {
            Ok(stored) => stored,
            Err(error) => return self.refused(error).map(Err),
        };
        self.took(DEFINITIONS_BUCKET, &stored.entry, |entry| self.take_definitions(entry)).await;
        Ok(Ok(Arc::new(stored.value.unwrap_or_default())))
    }

    /// Adds a site on one of the partitions.
    pub async fn add_site(&self, new: NewSite, partitions: &[u32], now_ms: u64) -> Result<Result<Site, SiteError>, ApiError> {
        match sites::create(self.writable()?, new, partitions, now_ms).await {
            Ok(stored) => {
                self.took(SITES_BUCKET, &stored.entry, |entry| self.take_site(entry)).await;
                stored.value.map(Ok).ok_or(ApiError::Unavailable)
            }
            Err(error) => self.refused(error).map(Err),
        }
    }

    /// Gives a site another domain.
    pub async fn rename_site(&self, site: &Site, domain: &str, now_ms: u64) -> Result<Result<Site, SiteError>, ApiError> {
        match sites::rename(self.writable()?, &site.domain, domain, now_ms).await {
            Ok((site, entries)) => {
                for entry in &entries {
                    self.took(SITES_BUCKET, entry, |entry| self.take_site(entry)).await;
                }
                Ok(Ok(site))
            }
            Err(error) => self.refused(error).map(Err),
        }
    }

    /// Changes what the owner of a site chose.
    pub async fn update_site(&self, site: &Site, mut decide: impl FnMut(&mut Site)) -> Result<Result<Site, SiteError>, ApiError> {
        let change = |site: &mut Site| {
            decide(site);
            Ok(())
        };
        match sites::update(self.writable()?, &site.domain, change).await {
            Ok(stored) => {
                self.took(SITES_BUCKET, &stored.entry, |entry| self.take_site(entry)).await;
                stored.value.map(Ok).ok_or(ApiError::Unavailable)
            }
            Err(error) => self.refused(error).map(Err),
        }
    }

    /// Removes a site with its keys and what is defined for it, and has its events forgotten.
    pub async fn remove_site(&self, site: &Site, region: &str, now_ms: u64) -> Result<Result<(), SiteError>, ApiError> {
        let jetstream = self.writable()?;
        // Where the site is removed; other regions follow.
        let region = self.written_region().unwrap_or(region);
        // First of all: what was removed halfway can be asked for again.
        let kind = ControlKind::DeleteSite(DeleteSite { site_id: site.id });
        match erasures::ask(jetstream, region, site.partition, kind, now_ms).await {
            Ok(asked) => {
                tracing::info!(site.id = site.id, erasure = asked.id, "the events of a removed site are to be forgotten");
            }
            Err(error) => {
                tracing::warn!(site.id = site.id, %error, "the events of a site cannot be deleted");
                return Err(self.unavailable());
            }
        }
        match sites::remove(jetstream, &site.domain).await {
            Ok((site, entries)) => {
                for entry in &entries {
                    self.took(SITES_BUCKET, entry, |entry| self.take_site(entry)).await;
                }
                match keys::remove_of_site(jetstream, site.id).await {
                    Ok(entries) => {
                        for entry in &entries {
                            self.took(KEYS_BUCKET, entry, |entry| self.take_key(entry)).await;
                        }
                    }
                    // They permit nothing without the site.
                    Err(error) => tracing::warn!(site.id = site.id, %error, "keys of a removed site stay"),
                }
                match definitions::remove::<SiteError>(jetstream, site.id).await {
                    Ok(stored) => self.took(DEFINITIONS_BUCKET, &stored.entry, |entry| self.take_definitions(entry)).await,
                    // Nothing reads them without the site.
                    Err(error) => tracing::warn!(site.id = site.id, %error, "definitions of a removed site stay"),
                }
                Ok(Ok(()))
            }
            Err(error) => self.refused(error).map(Err),
        }
    }

    /// What the caller did wrong, or why it is not his fault.
    fn refused<R>(&self, error: ChangeError<R>) -> Result<R, ApiError> {
        match error {
            ChangeError::Refused(reason) => Ok(reason),
            ChangeError::Contended { key } => {
                tracing::warn!(key, "a record is changed by too many at once");
                Err(ApiError::Busy)
            }
            // A copy whose home this node was not told.
            ChangeError::Copied { home } => Err(ApiError::HomeRegionAway { home }),
            ChangeError::Failed(error) => {
                tracing::warn!(%error, "a control bucket cannot be changed");
                Err(self.unavailable())
            }
        }
    }
}
