//! Who may read what: sites and API keys as the control buckets tell them, and the one place that decides; what owners define.

use crate::error::ApiError;
use async_nats::jetstream::Context;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use weir_event::domain::normalise_domain;
use weir_event::site::Site;
use weir_event::subject::{DEFINITIONS_BUCKET, KEYS_BUCKET, SITES_BUCKET};
use weir_reader::buckets::{self, Change, Entry};
use weir_reader::definitions::Definitions;

/// Longest API key, bytes.
const KEY_BYTES_MAX: usize = 256;
/// Look-ups at the server at the same time: each is the price of an unknown key or site.
const LOOKUPS_MAX: usize = 32;
/// Pause before a bucket that could not be watched is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// What a key permits.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Grant {
    /// Public name of the key.
    pub id: String,
    /// The site it reads; 0 = every site.
    pub site_id: u32,
    /// What it permits.
    pub scope: Scope,
}

/// What keys permit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Scope {
    /// Reading the figures of one site.
    #[serde(rename = "stats:read")]
    StatsRead,
    /// Reading everything.
    #[serde(rename = "admin")]
    Admin,
    /// A scope of later versions: permits nothing here.
    #[serde(other)]
    Unknown,
}

impl Grant {
    /// Reads every site, and the state of the system.
    pub fn is_admin(&self) -> bool {
        self.scope == Scope::Admin && self.site_id == 0
    }

    fn reads(&self, site: &Site) -> bool {
        self.is_admin() || (self.scope == Scope::StatsRead && self.site_id == site.id)
    }
}

/// A value as of a revision of its bucket; `None` = deleted. A deleted key stays, so that a late answer cannot bring it back.
type Versioned<T> = (u64, Option<T>);

/// Copies of the buckets.
pub struct Directory {
    jetstream: OnceLock<Context>,
    sites: RwLock<HashMap<String, Versioned<Site>>>,
    keys: RwLock<HashMap<String, Versioned<Grant>>>,
    definitions: RwLock<HashMap<String, Versioned<Arc<Definitions>>>>,
    definitions_loaded: AtomicBool,
    sites_loaded: AtomicBool,
    keys_loaded: AtomicBool,
    lookups: Semaphore,
}

impl Default for Directory {
    fn default() -> Self {
        Self {
            jetstream: OnceLock::new(),
            sites: RwLock::default(),
            keys: RwLock::default(),
            definitions: RwLock::default(),
            definitions_loaded: AtomicBool::new(false),
            sites_loaded: AtomicBool::new(false),
            keys_loaded: AtomicBool::new(false),
            lookups: Semaphore::new(LOOKUPS_MAX),
        }
    }
}

impl Directory {
    /// The grant of a bearer token. A key that is not known yet is asked for at the server.
    pub async fn grant(&self, token: &str) -> Result<Grant, ApiError> {
        if token.is_empty() || token.len() > KEY_BYTES_MAX {
            return Err(ApiError::WrongKey);
        }
        let hash = hex(&Sha256::digest(token.as_bytes()));
        if let Some((_, grant)) = known(&self.keys, &hash) {
            return grant.ok_or(ApiError::WrongKey);
        }
        self.look_up(KEYS_BUCKET, &hash, |entry| self.take_key(entry)).await?;
        known(&self.keys, &hash).and_then(|(_, grant)| grant).ok_or(ApiError::WrongKey)
    }

    /// The only way from the name of a site to its figures. Unknown and foreign sites are refused alike.
    pub async fn authorise(&self, grant: &Grant, domain: &str) -> Result<Site, ApiError> {
        let domain = normalise_domain(domain).ok_or(ApiError::WrongKey)?;
        if known(&self.sites, &domain).is_none() && is_key(&domain) {
            self.look_up(SITES_BUCKET, &format!("site.{domain}"), |entry| self.take_site(entry)).await?;
        }
        let site = known(&self.sites, &domain).and_then(|(_, site)| site).ok_or(ApiError::WrongKey)?;
        if grant.reads(&site) { Ok(site) } else { Err(ApiError::WrongKey) }
    }

    /// The only way to the figures of all sites together, and of events whose site is not known.
    pub fn authorise_all(&self, grant: &Grant) -> Result<(), ApiError> {
        if grant.is_admin() { Ok(()) } else { Err(ApiError::WrongKey) }
    }

    /// The only way to the shadow of a replay: figures that are not served yet.
    pub fn authorise_shadow(&self, grant: &Grant) -> Result<(), ApiError> {
        self.authorise_all(grant)
    }

    /// The sites that a grant reads, by domain.
    pub fn sites(&self, grant: &Grant) -> Vec<Site> {
        let sites = self.sites.read().unwrap_or_else(PoisonError::into_inner);
        let mut readable: Vec<Site> =
            sites.values().filter_map(|(_, site)| site.clone()).filter(|site| grant.reads(site)).collect();
        readable.sort_by(|one, other| one.domain.cmp(&other.domain));
        readable
    }

    /// What the owner of a site defined; nothing where there is no record.
    pub fn definitions(&self, site_id: u32) -> Arc<Definitions> {
        known(&self.definitions, &site_id.to_string()).and_then(|(_, definitions)| definitions).unwrap_or_default()
    }

    /// Why requests cannot be judged yet.
    pub fn missing(&self) -> Option<&'static str> {
        let lists = [
            (&self.sites_loaded, "the list of sites is not loaded yet"),
            (&self.keys_loaded, "the list of keys is not loaded yet"),
            (&self.definitions_loaded, "the definitions of sites are not loaded yet"),
        ];
        lists.into_iter().find_map(|(loaded, missing)| (!loaded.load(Ordering::Relaxed)).then_some(missing))
    }

    /// Takes an entry of the sites bucket over.
    pub fn take_site(&self, entry: &Entry) {
        let Some(domain) = entry.key.strip_prefix("site.") else { return };
        take(&self.sites, domain, entry);
    }

    /// Takes an entry of the keys bucket over.
    pub fn take_key(&self, entry: &Entry) {
        take(&self.keys, &entry.key, entry);
    }

    /// Takes an entry of the definitions bucket over.
    pub fn take_definitions(&self, entry: &Entry) {
        let Some(site_id) = entry.key.strip_prefix("site.") else { return };
        take_as(&self.definitions, site_id, entry, Arc::new);
    }

    /// Marks all buckets as told to the end.
    pub fn set_loaded(&self) {
        self.sites_loaded.store(true, Ordering::Relaxed);
        self.keys_loaded.store(true, Ordering::Relaxed);
        self.definitions_loaded.store(true, Ordering::Relaxed);
    }

    async fn look_up(&self, bucket: &str, key: &str, take: impl Fn(&Entry)) -> Result<(), ApiError> {
        let Some(jetstream) = self.jetstream.get() else { return Ok(()) };
        let _turn = self.lookups.acquire().await.map_err(|_| ApiError::Unavailable)?;
        match buckets::get(jetstream, bucket, key).await {
            Ok(Some(entry)) => take(&entry),
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(bucket.name = bucket, %error, "control bucket cannot be read");
                return Err(ApiError::Unavailable);
            }
        }
        Ok(())
    }

    /// Follows the buckets until `cancel` fires.
    pub async fn follow(&self, jetstream: Context, cancel: CancellationToken) {
        let jetstream = self.jetstream.get_or_init(|| jetstream);
        let sites = follow(jetstream, SITES_BUCKET, &self.sites_loaded, |entry| self.take_site(entry));
        let keys = follow(jetstream, KEYS_BUCKET, &self.keys_loaded, |entry| self.take_key(entry));
        let definitions = follow(jetstream, DEFINITIONS_BUCKET, &self.definitions_loaded, |entry| self.take_definitions(entry));
        tokio::select! {
            () = definitions => {}
            () = sites => {}
            () = keys => {}
            () = cancel.cancelled() => {}
        }
    }
}

async fn follow(jetstream: &Context, bucket: &str, loaded: &AtomicBool, take: impl Fn(&Entry)) {
    let mut watch = loop {
        match buckets::watch(jetstream, bucket, ">").await {
            Ok(watch) => break watch,
            Err(error) => {
                tracing::warn!(bucket.name = bucket, %error, "control bucket cannot be followed, trying again");
                tokio::time::sleep(RETRY_AFTER).await;
            }
        }
    };
    loop {
        match watch.next().await {
            Change::Entry(entry) => take(&entry),
            Change::CaughtUp => loaded.store(true, Ordering::Relaxed),
        }
    }
}

/// What is known of a key; `None` = nothing.
fn known<T: Clone>(map: &RwLock<HashMap<String, Versioned<T>>>, key: &str) -> Option<Versioned<T>> {
    map.read().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
}

/// Takes an entry over unless a newer one is known. One that cannot be read counts as deleted.
fn take<T: for<'de> Deserialize<'de>>(map: &RwLock<HashMap<String, Versioned<T>>>, key: &str, entry: &Entry) {
    take_as(map, key, entry, |value| value);
}

/// As [`take`], the value kept in another form.
fn take_as<R: for<'de> Deserialize<'de>, T>(
    map: &RwLock<HashMap<String, Versioned<T>>>,
    key: &str,
    entry: &Entry,
    keep: impl Fn(R) -> T,
) {
    let value = entry.value.as_ref().and_then(|bytes| {
        let parsed = serde_json::from_slice(bytes).map(&keep);
        if parsed.is_err() {
            tracing::warn!(bucket.revision = entry.revision, "record of a control bucket cannot be read");
        }
        parsed.ok()
    });
    let mut map = map.write().unwrap_or_else(PoisonError::into_inner);
    if map.get(key).is_none_or(|(revision, _)| *revision <= entry.revision) {
        map.insert(key.to_owned(), (entry.revision, value));
    }
}

/// Can be part of a bucket's key: no wildcard, no empty segment.
fn is_key(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_/=.".contains(&byte))
        && text.split('.').all(|part| !part.is_empty())
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string cannot fail.
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn entry(key: &str, value: Option<&str>, revision: u64) -> Entry {
        Entry { key: key.to_owned(), value: value.map(|text| Bytes::from(text.to_owned())), revision }
    }

    fn site(id: u32, domain: &str) -> String {
        format!(r#"{{"id":{id},"domain":"{domain}","timezone":"UTC","partition":0,"created_ms":1}}"#)
    }

    fn key(site_id: u32, scope: &str) -> String {
        format!(r#"{{"id":"k","site_id":{site_id},"domain":"a.example","scope":"{scope}","created_ms":1}}"#)
    }

    fn directory() -> Directory {
        let directory = Directory::default();
        for (id, domain) in [(1, "a.example"), (2, "b.example")] {
            directory.take_site(&entry(&format!("site.{domain}"), Some(&site(id, domain)), u64::from(id)));
        }
        directory.take_site(&entry("next_id", Some("3"), 9));
        for (token, site_id, scope) in
            [("one", 1, "stats:read"), ("all", 0, "admin"), ("odd", 1, "sites:write"), ("half", 1, "admin")]
        {
            directory.take_key(&entry(&hex(&Sha256::digest(token)), Some(&key(site_id, scope)), 1));
        }
        directory
    }

    #[tokio::test]
    async fn a_key_reads_its_site_alone() {
        let directory = directory();
        for (token, domain, expected) in [
            ("one", "a.example", Some(1)),
            ("one", "www.A.example", Some(1)),
            ("one", "b.example", None),
            ("one", "c.example", None),
            ("one", "a.example > *", None),
            ("all", "b.example", Some(2)),
            ("all", "c.example", None),
            ("odd", "a.example", None),
            ("half", "a.example", None),
            ("half", "b.example", None),
        ] {
            let grant = directory.grant(token).await.unwrap();
            let found = directory.authorise(&grant, domain).await;
            assert_eq!(found.as_ref().map(|site| site.id).ok(), expected, "{token} {domain}");
            assert!(found.is_ok() || matches!(found, Err(ApiError::WrongKey)));
        }
        for token in ["", "nobody", "ONE", &"x".repeat(300)] {
            assert!(matches!(directory.grant(token).await, Err(ApiError::WrongKey)), "{token}");
        }
        let domains = |token: &'static str| {
            let directory = &directory;
            async move {
                directory.sites(&directory.grant(token).await.unwrap()).into_iter().map(|site| site.domain).collect::<Vec<_>>()
            }
        };
        assert_eq!(domains("one").await, ["a.example"]);
        assert_eq!(domains("all").await, ["a.example", "b.example"]);
        assert!(domains("odd").await.is_empty());
    }

    #[tokio::test]
    async fn a_revoked_key_stays_revoked() {
        let directory = directory();
        let hash = hex(&Sha256::digest("one"));
        directory.take_key(&entry(&hash, None, 7));
        directory.take_key(&entry(&hash, Some(&key(1, "stats:read")), 1));
        assert!(matches!(directory.grant("one").await, Err(ApiError::WrongKey)), "an answer that was late does not revive it");
        directory.take_key(&entry(&hash, Some("not json"), 8));
        assert!(matches!(directory.grant("one").await, Err(ApiError::WrongKey)));
    }
}
