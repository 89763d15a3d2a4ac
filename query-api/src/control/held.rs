//! Keys as their site's owner sees them: which there are, and who may give and take them.

use super::{Directory, Grant, Right};
use crate::error::ApiError;
use weir_event::key::{KeyRecord, Scope};
use weir_event::site::Site;
use weir_event::subject::KEYS_BUCKET;
use weir_reader::control::keys;

impl Directory {
    /// The keys of a site that this caller may see and revoke, oldest first: those that reach nothing beyond what he may change himself. Never admins'.
    pub fn keys_of(&self, caller: &Grant, site: &Site) -> Vec<Grant> {
        let mut held = self.keys.filter(|_, key| !key.is_admin() && key.reaches(site));
        held.retain(|key| self.covers(caller, key));
        held.sort_by(|one, other| (one.created_ms(), &one.id).cmp(&(other.created_ms(), &other.id)));
        held
    }

    /// The scopes that a caller may give to others: his own, and what they include.
    pub fn grantable(&self, caller: &Grant) -> Vec<Scope> {
        caller.scopes().filter(|scope| *scope != Scope::Admin).collect()
    }

    /// Whatever the key reaches, the caller may change.
    fn covers(&self, caller: &Grant, key: &Grant) -> bool {
        if key.is_account_wide() {
            return caller.is_admin() || (caller.is_account_wide() && caller.account() == key.account());
        }
        // Sites that are gone are reached by nobody.
        let named = self.sites.filter(|domain, site| *domain == site.domain && key.sites().contains(&site.id));
        named.iter().all(|site| caller.permits(Right::ChangeSite, site))
    }

    /// Makes a key for one site; the key itself, which is not kept, and its record.
    pub async fn add_key(&self, site: &Site, scopes: &[Scope], now_ms: u64) -> Result<(String, KeyRecord), ApiError> {
        let jetstream = self.writable()?;
        let key = keys::new_key().map_err(|error| {
            tracing::error!(%error, "no random bytes for a key");
            ApiError::Unavailable
        })?;
        let record = KeyRecord::new(keys::public_id(&key), scopes, &[(site.id, site.domain.as_str())], None, now_ms);
        let stored = keys::store(jetstream, &key, &record).await.map_err(|error| {
            tracing::warn!(%error, "a key cannot be stored");
            self.unavailable()
        })?;
        self.took(KEYS_BUCKET, &stored.entry, |entry| self.take_key(entry)).await;
        Ok((key, record))
    }

    /// Revokes a key by its public id.
    pub async fn remove_key(&self, id: &str) -> Result<(), ApiError> {
        let jetstream = self.writable()?;
        for hash in self.keys.keys_of(|key| key.id == id) {
            let removed = keys::remove(jetstream, &hash).await.map_err(|error| {
                tracing::warn!(%error, "a key cannot be revoked");
                self.unavailable()
            })?;
            self.took(KEYS_BUCKET, &removed.entry, |entry| self.take_key(entry)).await;
        }
        Ok(())
    }
}
