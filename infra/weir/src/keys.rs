//! `weir key`: API keys. Only their SHA-256 is stored.

use crate::output::{self, Output};
use crate::session::{Session, http_client, now_ms};
use crate::{secrets, sites};
use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::time::Duration;
use tokio::time::Instant;
use weir_event::subject::KEYS_BUCKET;

/// What a key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Scope {
    /// Read the site's statistics.
    #[value(name = "stats:read")]
    StatsRead,
    /// Send events for the site from a server, with their time and the client's address and user agent.
    #[value(name = "events:write")]
    EventsWrite,
}

impl Scope {
    fn name(self) -> &'static str {
        match self {
            Self::StatsRead => "stats:read",
            Self::EventsWrite => "events:write",
        }
    }
}

/// How long the query API may take to know a new or a revoked key.
const KNOWN_WITHIN: Duration = Duration::from_secs(5);

/// What is stored of a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KeyRecord {
    /// Public name of the key, by which it is listed and revoked.
    pub(crate) id: String,
    /// Its site; 0 = every site.
    pub(crate) site_id: u32,
    /// Domain of that site; empty for every site.
    pub(crate) domain: String,
    /// `stats:read`, `events:write` or `admin`.
    pub(crate) scope: String,
    /// When it was made, Unix milliseconds.
    pub(crate) created_ms: u64,
}

/// Makes a key for a site and prints it, always as JSON: it is shown this once.
pub(crate) async fn create(session: &Session, domain: &str, scope: Scope) -> Result<()> {
    let (key, record) = create_for(session, domain, scope).await?;
    let made = serde_json::json!({ "key": key, "id": record.id, "site": record.domain, "scope": record.scope });
    output::line(&made.to_string())
}

/// Makes a key for a site.
pub(crate) async fn create_for(session: &Session, domain: &str, scope: Scope) -> Result<(String, KeyRecord)> {
    let site = sites::require(session, domain).await?;
    let key = secrets::api_key()?;
    let id = storage_key(&key).chars().take(12).collect();
    let record = KeyRecord { id, site_id: site.id, domain: site.domain, scope: scope.name().to_owned(), created_ms: now_ms() };
    store(session, &key, &record).await?;
    if scope == Scope::StatsRead {
        wait_until_known(session, &key, true).await;
    }
    Ok((key, record))
}

/// Stores the record of the key that reads every site, if it is missing.
pub(crate) async fn ensure_admin(session: &Session) -> Result<()> {
    let key = &session.secrets.admin_key;
    if session.get(KEYS_BUCKET, &storage_key(key)).await?.is_some() {
        return Ok(());
    }
    let record =
        KeyRecord { id: "admin".to_owned(), site_id: 0, domain: String::new(), scope: "admin".to_owned(), created_ms: now_ms() };
    store(session, key, &record).await
}

/// Whether a key is stored.
pub(crate) async fn is_stored(session: &Session, key: &str) -> Result<bool> {
    Ok(session.get(KEYS_BUCKET, &storage_key(key)).await?.is_some())
}

/// Lists the keys, oldest first.
pub(crate) async fn list(session: &Session, output: Output) -> Result<()> {
    let records: Vec<KeyRecord> = stored(session).await?.into_iter().map(|(_, record)| record).collect();
    let lines: Vec<String> = records
        .iter()
        .map(|record| {
            format!("{:<14} {:<12} {}", record.id, record.scope, if record.site_id == 0 { "every site" } else { &record.domain })
        })
        .collect();
    let text = if lines.is_empty() { "no keys yet".to_owned() } else { lines.join("\n") };
    output.result(&records, &text)
}

/// Makes a key invalid, named by its id or by itself.
pub(crate) async fn revoke(session: &Session, name: &str, output: Output) -> Result<()> {
    let hash = storage_key(name);
    let found = stored(session).await?.into_iter().find(|(key, record)| record.id == name || *key == hash);
    let Some((key, record)) = found else {
        bail!("there is no key {name}: `weir key list` shows the ids");
    };
    if record.site_id == 0 {
        bail!("the admin key of this home cannot be revoked: the programs use it");
    }
    session.bucket(KEYS_BUCKET).await?.delete(&key).await.context("the key could not be deleted")?;
    if key == hash {
        wait_until_known(session, name, false).await;
    }
    output.result(&serde_json::json!({ "revoked": record.id }), &format!("key {} for {} is revoked", record.id, record.domain))
}

async fn stored(session: &Session) -> Result<Vec<(String, KeyRecord)>> {
    let mut records = Vec::new();
    for entry in session.list(KEYS_BUCKET, ">").await? {
        let record: KeyRecord =
            serde_json::from_slice(&entry.value.unwrap_or_default()).context("the record of a key is damaged")?;
        records.push((entry.key, record));
    }
    records.sort_by_key(|(_, record)| record.created_ms);
    Ok(records)
}

async fn store(session: &Session, key: &str, record: &KeyRecord) -> Result<()> {
    let bucket = session.bucket(KEYS_BUCKET).await?;
    bucket.put(storage_key(key), serde_json::to_vec(record)?.into()).await.context("the key could not be stored")?;
    Ok(())
}

/// SHA-256 of the key in lower-case hex: its name in the bucket.
fn storage_key(key: &str) -> String {
    hex::encode(Sha256::digest(key.as_bytes()))
}

/// Asks the query API until it accepts (or refuses) the key. One that is away will read the bucket when it comes back.
async fn wait_until_known(session: &Session, key: &str, accepted: bool) {
    let Ok(client) = http_client() else { return };
    let deadline = Instant::now() + KNOWN_WITHIN;
    while Instant::now() < deadline {
        let answer = client.get(format!("{}/api/sites", session.run.query_url)).bearer_auth(key).send().await;
        if answer.is_ok_and(|answer| answer.status().is_success() == accepted) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tracing::warn!("the query API did not answer within 5 s: it will know of the change when it is back");
}
