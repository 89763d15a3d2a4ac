//! Shared links: from a link's slug, and its password, to a session that reads one site.

use super::token::{self, Subject};
use super::{Directory, Grant, Right};
use crate::error::ApiError;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use strum::{IntoStaticStr, VariantNames};
use thiserror::Error;
use weir_event::site::Site;
use weir_reader::control::links;
use weir_reader::definitions::SharedLink;

/// Wrong passwords for one link in one minute, from all senders; then it waits for the next minute.
const WRONG_PER_MINUTE: u32 = 10;
/// Links whose wrong passwords are counted.
const COUNTED_MAX: usize = 10_000;
/// Longest slug, bytes.
const SLUG_BYTES_MAX: usize = 64;

/// A link that was opened.
#[derive(Debug)]
pub struct Link {
    /// The site that it shows.
    pub site: Site,
    /// The token of a session that reads it.
    pub token: String,
}

/// Why a link does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "snake_case")]
pub enum LinkRefusal {
    /// There is no such link, or its site is gone.
    #[error("Shared link could not be found")]
    #[strum(serialize = "unknown_shared_link")]
    Unknown,
    /// It needs a password and none came, or another one.
    #[error("Wrong password for this shared link.")]
    #[strum(serialize = "wrong_password")]
    Password,
    /// Too many wrong ones came.
    #[error("Too many wrong passwords for this shared link. Please try again in a minute.")]
    #[strum(serialize = "too_many_passwords")]
    TooMany,
}

impl Directory {
    /// Opens a shared link: `expires_ms` is when its session ends.
    pub async fn open_link(
        &self,
        slug: &str,
        password: Option<&str>,
        now_ms: u64,
        expires_ms: u64,
    ) -> Result<Result<Link, LinkRefusal>, ApiError> {
        let Some((site, link)) = self.link(slug) else { return Ok(Err(LinkRefusal::Unknown)) };
        if let Some(stored) = &link.password {
            let minute = now_ms / 60_000;
            if !self.attempts.may_try(slug, minute) {
                return Ok(Err(LinkRefusal::TooMany));
            }
            let Some(password) = password.filter(|password| password.len() <= links::PASSWORD_BYTES_MAX) else {
                return Ok(Err(LinkRefusal::Password));
            };
            if !self.verify(password.to_owned(), stored.clone()).await? {
                self.attempts.note_wrong(slug, minute);
                return Ok(Err(LinkRefusal::Password));
            }
        }
        let subject = Subject::Link { site_id: site.id, link_id: link.id, mark: mark(&link) };
        Ok(Ok(Link { token: self.session(&subject, expires_ms)?, site }))
    }

    /// The link of a slug, and its site, which must be there.
    fn link(&self, slug: &str) -> Option<(Site, SharedLink)> {
        let (site_id, link_id) = (slug.len() <= SLUG_BYTES_MAX).then(|| self.slugs.get(&slug.to_owned()))??;
        let definitions = self.definitions(site_id);
        let link = definitions.shared_links.iter().find(|link| link.id == link_id && link.slug == slug)?;
        let site = self.sites_with(&Grant::of_link(site_id, link_id), Right::ReadFigures).into_iter().next()?;
        Some((site, link.clone()))
    }

    /// Whether it is the password of a stored form; away from the threads that answer.
    pub async fn verify(&self, password: String, stored: String) -> Result<bool, ApiError> {
        let _turn = self.passwords.acquire().await.map_err(|_| ApiError::Unavailable)?;
        tokio::task::spawn_blocking(move || links::verify(&password, &stored)).await.map_err(|_| ApiError::Unavailable)
    }

    /// A password as it is stored.
    pub async fn hash(&self, password: String) -> Result<String, ApiError> {
        let _turn = self.passwords.acquire().await.map_err(|_| ApiError::Unavailable)?;
        let hashed = tokio::task::spawn_blocking(move || links::hash(&password)).await.map_err(|_| ApiError::Unavailable)?;
        hashed.map_err(|error| {
            tracing::error!(%error, "a password cannot be hashed");
            ApiError::Unavailable
        })
    }
}

/// Names a link as it is: with another slug or password it is another.
pub(super) fn mark(link: &SharedLink) -> String {
    let text = format!("{}\n{}", link.slug, link.password.as_deref().unwrap_or_default());
    let mut mark = token::hex(&Sha256::digest(text));
    mark.truncate(16);
    mark
}

/// Wrong passwords of the running minute, by slug.
#[derive(Default)]
pub(super) struct Attempts(Mutex<HashMap<String, (u64, u32)>>);

impl Attempts {
    fn may_try(&self, slug: &str, minute: u64) -> bool {
        let counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counted.get(slug).is_none_or(|(of, count)| *of != minute || *count < WRONG_PER_MINUTE)
    }

    fn note_wrong(&self, slug: &str, minute: u64) {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counted.len() >= COUNTED_MAX {
            counted.retain(|_, (of, _)| *of == minute);
        }
        let entry = counted.entry(slug.to_owned()).or_insert((minute, 0));
        *entry = if entry.0 == minute { (minute, entry.1 + 1) } else { (minute, 1) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_passwords_are_counted_by_the_minute() {
        let attempts = Attempts::default();
        for _ in 0..WRONG_PER_MINUTE {
            assert!(attempts.may_try("a", 7));
            attempts.note_wrong("a", 7);
        }
        assert!(!attempts.may_try("a", 7));
        assert!(attempts.may_try("b", 7) && attempts.may_try("a", 8));
        attempts.note_wrong("a", 8);
        assert!(attempts.may_try("a", 8));
    }
}
