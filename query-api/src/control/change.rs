//! Changing what the control buckets hold, for whoever was authorised before. The own copy is changed at once: who was answered sees his change.

use super::Directory;
use crate::error::ApiError;
use async_nats::jetstream::Context;
use std::sync::Arc;
use weir_event::site::Site;
use weir_reader::control::sites::{self, NewSite, SiteError};
use weir_reader::control::{ChangeError, definitions};
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
            Err(error) => return refused(error).map(Err),
        };
        self.take_definitions(&stored.entry);
        Ok(Ok(Arc::new(stored.value.unwrap_or_default())))
    }

    /// Adds a site on one of the partitions.
    pub async fn add_site(&self, new: NewSite, partitions: &[u32], now_ms: u64) -> Result<Result<Site, SiteError>, ApiError> {
        match sites::create(self.writable()?, new, partitions, now_ms).await {
            Ok(stored) => {
                self.take_site(&stored.entry);
                stored.value.map(Ok).ok_or(ApiError::Unavailable)
            }
            Err(error) => refused(error).map(Err),
        }
    }

    /// Gives a site another domain.
    pub async fn rename_site(&self, site: &Site, domain: &str, now_ms: u64) -> Result<Result<Site, SiteError>, ApiError> {
        match sites::rename(self.writable()?, &site.domain, domain, now_ms).await {
            Ok((site, entries)) => {
                for entry in &entries {
                    self.take_site(entry);
                }
                Ok(Ok(site))
            }
            Err(error) => refused(error).map(Err),
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
                self.take_site(&stored.entry);
                stored.value.map(Ok).ok_or(ApiError::Unavailable)
            }
            Err(error) => refused(error).map(Err),
        }
    }

    /// Removes a site and what is defined for it.
    pub async fn remove_site(&self, site: &Site) -> Result<Result<(), SiteError>, ApiError> {
        let jetstream = self.writable()?;
        match sites::remove(jetstream, &site.domain).await {
            Ok((site, entries)) => {
                for entry in &entries {
                    self.take_site(entry);
                }
                match definitions::remove::<SiteError>(jetstream, site.id).await {
                    Ok(stored) => self.take_definitions(&stored.entry),
                    // Nothing reads them without the site.
                    Err(error) => tracing::warn!(site.id = site.id, %error, "definitions of a removed site stay"),
                }
                Ok(Ok(()))
            }
            Err(error) => refused(error).map(Err),
        }
    }

    pub(super) fn writable(&self) -> Result<&Context, ApiError> {
        self.jetstream.get().ok_or(ApiError::Unavailable)
    }
}

/// What the caller did wrong, or why it is not his fault.
fn refused<R>(error: ChangeError<R>) -> Result<R, ApiError> {
    match error {
        ChangeError::Refused(reason) => Ok(reason),
        ChangeError::Contended { key } => {
            tracing::warn!(key, "a record is changed by too many at once");
            Err(ApiError::Busy)
        }
        ChangeError::Failed(error) => {
            tracing::warn!(%error, "a control bucket cannot be changed");
            Err(ApiError::Unavailable)
        }
    }
}
