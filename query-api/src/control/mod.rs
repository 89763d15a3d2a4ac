//! Who may do what: sites, keys, accounts and definitions as the control buckets tell them, and the one place that decides.

mod change;
mod copies;
mod grant;
mod held;
mod home;
mod shared;
pub mod token;

pub use grant::{Grant, Right};
pub use home::HomeSetting;
pub use shared::{Link, LinkRefusal};

use crate::error::ApiError;
use async_nats::jetstream::Context;
use copies::Copies;
use home::Home;
use shared::Attempts;
use std::hash::Hash;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use token::Subject;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use weir_event::domain::normalise_domain;
use weir_event::key::KeyRecord;
use weir_event::site::Site;
use weir_event::subject::{ACCOUNTS_BUCKET, DEFINITIONS_BUCKET, KEYS_BUCKET, SESSION_SECRET_KEY, SITES_BUCKET};
use weir_reader::ReaderError;
use weir_reader::buckets::{self, Change, Entry};
use weir_reader::control::accounts::Account;
use weir_reader::control::{definitions, home as home_buckets, keys, random};
use weir_reader::definitions::Definitions;

/// Longest API key, bytes.
const KEY_BYTES_MAX: usize = 256;
/// Look-ups at the server at the same time: each is the price of an unknown key or site.
const LOOKUPS_MAX: usize = 32;
/// Passwords that are checked at the same time: each takes 19 MB and tens of milliseconds of a core.
const PASSWORDS_MAX: usize = 2;
/// Pause before a bucket that could not be watched is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Copies of the control buckets.
pub struct Directory {
    jetstream: OnceLock<Context>,
    /// By domain; a renamed site under its former domain too.
    sites: Copies<String, Arc<Site>>,
    /// By SHA-256 of the key in hex.
    keys: Copies<String, Grant>,
    /// By number of the site.
    definitions: Copies<u32, Arc<Definitions>>,
    /// By id.
    accounts: Copies<String, Account>,
    /// Shared links by slug: site, and number inside it. May name links that are gone.
    slugs: Copies<String, (u32, u64)>,
    /// Signs sessions.
    secret: OnceLock<String>,
    /// Another region where all of this is changed.
    home: OnceLock<Home>,
    lookups: Semaphore,
    passwords: Semaphore,
    attempts: Attempts,
}

impl Default for Directory {
    fn default() -> Self {
        Self {
            jetstream: OnceLock::new(),
            sites: Copies::default(),
            keys: Copies::default(),
            definitions: Copies::default(),
            accounts: Copies::default(),
            slugs: Copies::default(),
            secret: OnceLock::new(),
            home: OnceLock::new(),
            lookups: Semaphore::new(LOOKUPS_MAX),
            passwords: Semaphore::new(PASSWORDS_MAX),
            attempts: Attempts::default(),
        }
    }
}

impl Directory {
    /// The grant of a bearer token. A key that is not known yet is asked for at the server.
    pub async fn grant(&self, token: &str) -> Result<Grant, ApiError> {
        if token.is_empty() || token.len() > KEY_BYTES_MAX {
            return Err(ApiError::WrongKey);
        }
        self.grant_of_hash(&keys::storage_key(token)).await
    }

    async fn grant_of_hash(&self, hash: &str) -> Result<Grant, ApiError> {
        if let Some(grant) = self.keys.get(&hash.to_owned()) {
            return Ok(grant);
        }
        if keys::is_storage_key(hash) {
            self.look_up(KEYS_BUCKET, hash, |entry| self.take_key(entry)).await?;
        }
        self.keys.get(&hash.to_owned()).ok_or(ApiError::WrongKey)
    }

    /// The grant of a session: what its key or link permits now.
    pub async fn grant_of_session(&self, token: &str, now_ms: u64) -> Result<Grant, ApiError> {
        let secret = self.secret.get().ok_or(ApiError::Unavailable)?;
        match token::open(secret, token, now_ms / 1_000).ok_or(ApiError::WrongKey)? {
            Subject::Key(hash) => self.grant_of_hash(&hash).await,
            Subject::Link { site_id, link_id, mark } => {
                let definitions = self.definitions(site_id);
                let link = definitions.shared_links.iter().find(|link| link.id == link_id).ok_or(ApiError::WrongKey)?;
                if shared::mark(link) == mark { Ok(Grant::of_link(site_id, link_id)) } else { Err(ApiError::WrongKey) }
            }
        }
    }

    /// The grant of a shared link's session where no cookie can be kept; `None` = the token is none of those.
    pub async fn grant_of_frame(&self, token: &str, now_ms: u64) -> Option<Grant> {
        match token::open(self.secret.get()?, token, now_ms / 1_000)? {
            Subject::Key(_) => None,
            Subject::Link { .. } => self.grant_of_session(token, now_ms).await.ok(),
        }
    }

    /// The token of a session for the holder of a key, good until `expires_ms`.
    pub async fn session_of_key(&self, key: &str, expires_ms: u64) -> Result<String, ApiError> {
        self.grant(key).await?;
        self.session(&Subject::Key(keys::storage_key(key)), expires_ms)
    }

    fn session(&self, subject: &Subject, expires_ms: u64) -> Result<String, ApiError> {
        let secret = self.secret.get().ok_or(ApiError::Unavailable)?;
        Ok(token::seal(secret, subject, expires_ms / 1_000))
    }

    /// The only way from the name of a site to its figures. Unknown and foreign sites are refused alike.
    pub async fn authorise(&self, grant: &Grant, domain: &str) -> Result<Site, ApiError> {
        self.authorise_to(grant, Right::ReadFigures, domain).await?.ok_or(ApiError::WrongKey)
    }

    /// **The only way from the name of a site to the site**, for whoever may do this with it; `None` = he may not, or there is none.
    ///
    /// Whatever is refused is looked up at the server before: a site may just have been added, and nobody can tell by the time it takes whether a site
    /// is unknown, deleted or somebody else's.
    pub async fn authorise_to(&self, grant: &Grant, right: Right, domain: &str) -> Result<Option<Site>, ApiError> {
        let Some(domain) = normalise_domain(domain) else { return Ok(None) };
        let permitted = |site: &Arc<Site>| grant.permits(right, site);
        if let Some(site) = self.sites.get(&domain).filter(permitted) {
            return Ok(Some(Site::clone(&site)));
        }
        if is_key(&domain) {
            self.look_up(SITES_BUCKET, &format!("site.{domain}"), |entry| self.take_site(entry)).await?;
        }
        Ok(self.sites.get(&domain).filter(permitted).map(|site| Site::clone(&site)))
    }

    /// The only way to adding a site to an account, `None` = the operator's own. `Ok(false)` = he may add sites, but not there.
    pub fn authorise_adding(&self, grant: &Grant, account: Option<&str>) -> Option<bool> {
        let is_there = account.is_none_or(|id| self.accounts.get(&id.to_owned()).is_some());
        grant.may_add().then(|| grant.may_add_to(account) && is_there)
    }

    /// The only way to the figures of all sites together, and of events whose site is not known.
    pub fn authorise_all(&self, grant: &Grant) -> Result<(), ApiError> {
        if grant.is_admin() { Ok(()) } else { Err(ApiError::WrongKey) }
    }

    /// The only way to the shadow of a replay: figures that are not served yet.
    pub fn authorise_shadow(&self, grant: &Grant) -> Result<(), ApiError> {
        self.authorise_all(grant)
    }

    /// The sites whose figures a grant reads, by domain.
    pub fn sites(&self, grant: &Grant) -> Vec<Site> {
        self.sites_with(grant, Right::ReadFigures)
    }

    /// The sites with which a grant permits this, by domain.
    pub fn sites_with(&self, grant: &Grant, right: Right) -> Vec<Site> {
        let permitted = self.sites.filter(|domain, site| *domain == site.domain && grant.permits(right, site));
        let mut sites: Vec<Site> = permitted.iter().map(|site| Site::clone(site)).collect();
        sites.sort_by(|one, other| one.domain.cmp(&other.domain));
        sites
    }

    /// What a grant permits with a site.
    pub fn rights(&self, grant: &Grant, site: &Site) -> Vec<Right> {
        Right::ALL.into_iter().filter(|right| grant.permits(*right, site)).collect()
    }

    /// The site that the shared link of a grant shows.
    pub fn link_site(&self, grant: &Grant) -> Option<Site> {
        let id = grant.site()?;
        self.sites.filter(|domain, site| site.id == id && *domain == site.domain).first().map(|site| Site::clone(site))
    }

    /// The accounts that a grant knows of, newest first.
    pub fn accounts(&self, grant: &Grant) -> Vec<Account> {
        let mut accounts = self.accounts.filter(|id, _| grant.is_admin() || grant.account() == Some(id));
        accounts.sort_by(|one, other| (other.created_ms, &other.id).cmp(&(one.created_ms, &one.id)));
        accounts
    }

    /// What the owner of a site defined; nothing where there is no record.
    pub fn definitions(&self, site_id: u32) -> Arc<Definitions> {
        self.definitions.get(&site_id).unwrap_or_default()
    }

    /// Why requests cannot be judged yet.
    pub fn missing(&self) -> Option<&'static str> {
        let lists = [
            (self.sites.is_loaded(), "the list of sites is not loaded yet"),
            (self.keys.is_loaded(), "the list of keys is not loaded yet"),
            (self.definitions.is_loaded(), "the definitions of sites are not loaded yet"),
            (self.accounts.is_loaded(), "the list of accounts is not loaded yet"),
            (self.secret.get().is_some(), "the secret of sessions is not known yet"),
        ];
        lists.into_iter().find_map(|(is_there, missing)| (!is_there).then_some(missing))
    }

    /// Takes an entry of the sites bucket over.
    pub fn take_site(&self, entry: &Entry) {
        let Some(domain) = entry.key.strip_prefix("site.") else { return };
        self.sites.take(domain.to_owned(), entry, |site: Site| Arc::new(site));
    }

    /// Takes an entry of the keys bucket over.
    pub fn take_key(&self, entry: &Entry) {
        if entry.key == SESSION_SECRET_KEY {
            let secret = entry.value.as_ref().and_then(|bytes| serde_json::from_slice::<String>(bytes).ok());
            if let Some(secret) = secret {
                self.secret.get_or_init(|| secret);
            }
        } else {
            self.keys.take(entry.key.clone(), entry, |record: KeyRecord| Grant::of_key(&record));
        }
    }

    /// Takes an entry of the definitions bucket over.
    pub fn take_definitions(&self, entry: &Entry) {
        let Some(site_id) = definitions::site_of(&entry.key) else { return };
        self.definitions.take(site_id, entry, |definitions: Definitions| Arc::new(definitions));
        for link in &self.definitions(site_id).shared_links {
            self.slugs.put(link.slug.clone(), entry.revision, (site_id, link.id));
        }
    }

    /// Takes an entry of the accounts bucket over.
    pub fn take_account(&self, entry: &Entry) {
        let Some(id) = entry.key.strip_prefix("account.") else { return };
        self.accounts.take(id.to_owned(), entry, |account: Account| account);
    }

    /// Marks all buckets as told to the end. Sessions are signed with a secret of this process unless another one is known.
    pub fn set_loaded(&self) {
        self.sites.set_loaded();
        self.keys.set_loaded();
        self.definitions.set_loaded();
        self.accounts.set_loaded();
        if let Ok(secret) = random::text(random::SECRET_CHARS) {
            self.secret.get_or_init(|| secret);
        }
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

    /// Follows the buckets of a region until `cancel` fires, and keeps them up where they are copies of its home's.
    pub async fn follow(&self, jetstream: Context, region: &str, home: HomeSetting, cancel: CancellationToken) {
        let jetstream = self.jetstream.get_or_init(|| jetstream);
        let copying = async {
            match home {
                HomeSetting::Unsaid => {}
                HomeSetting::Here => become_home(jetstream).await,
                HomeSetting::At(other) => {
                    let home = self.home.get_or_init(|| Home::new(other, jetstream.clone(), region));
                    Box::pin(home.keep()).await;
                }
            }
            std::future::pending::<()>().await;
        };
        let secret = Box::pin(self.agree_on_secret(jetstream));
        tokio::select! {
            () = follow(jetstream, SITES_BUCKET, &self.sites, |entry| self.take_site(entry)) => {}
            () = follow(jetstream, KEYS_BUCKET, &self.keys, |entry| self.take_key(entry)) => {}
            () = follow(jetstream, DEFINITIONS_BUCKET, &self.definitions, |entry| self.take_definitions(entry)) => {}
            () = follow(jetstream, ACCOUNTS_BUCKET, &self.accounts, |entry| self.take_account(entry)) => {}
            () = secret => {}
            () = Box::pin(copying) => {}
            () = cancel.cancelled() => {}
        }
    }

    /// Makes the secret of sessions unless there is one; all query nodes have the same. Does not return.
    async fn agree_on_secret(&self, jetstream: &Context) {
        loop {
            match keys::session_secret(jetstream).await {
                Ok(stored) => break self.take_key(&stored.entry),
                Err(error) => {
                    tracing::warn!(%error, "the secret of sessions cannot be read or made, trying again");
                    tokio::time::sleep(RETRY_AFTER).await;
                }
            }
        }
        std::future::pending::<()>().await;
    }
}

/// Says that the buckets are the original, whatever they were before.
async fn become_home(jetstream: &Context) {
    for bucket in home_buckets::BUCKETS {
        let claimed = || async {
            if home_buckets::home_of(jetstream, bucket).await?.is_some() {
                tracing::warn!(bucket.name = bucket, "a copy becomes the original: this region is the home from now on");
                home_buckets::set_home(jetstream, bucket, None).await?;
            }
            Ok::<_, ReaderError>(())
        };
        while let Err(error) = claimed().await {
            tracing::warn!(bucket.name = bucket, %error, "a control bucket cannot be read, trying again");
            tokio::time::sleep(RETRY_AFTER).await;
        }
    }
}

async fn follow<K: Eq + Hash, T: Clone>(jetstream: &Context, bucket: &str, copies: &Copies<K, T>, take: impl Fn(&Entry)) {
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
            Change::CaughtUp => copies.set_loaded(),
        }
    }
}

/// Can be part of a bucket's key: no wildcard, no empty segment.
fn is_key(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_/=.".contains(&byte))
        && text.split('.').all(|part| !part.is_empty())
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
            directory.take_key(&entry(&keys::storage_key(token), Some(&key(site_id, scope)), 1));
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
        let hash = keys::storage_key("one");
        directory.take_key(&entry(&hash, None, 7));
        directory.take_key(&entry(&hash, Some(&key(1, "stats:read")), 1));
        assert!(matches!(directory.grant("one").await, Err(ApiError::WrongKey)), "an answer that was late does not revive it");
        directory.take_key(&entry(&hash, Some("not json"), 8));
        assert!(matches!(directory.grant("one").await, Err(ApiError::WrongKey)));
    }
}
