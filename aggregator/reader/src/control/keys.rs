//! Storing API keys: only their SHA-256 is kept. Bucket `WEIR_KEYS`.

use super::{ChangeError, Stored, change, random};
use crate::buckets::Entry;
use crate::error::ReaderError;
use async_nats::jetstream::Context;
use sha2::{Digest, Sha256};
use std::convert::Infallible;
use weir_event::key::KeyRecord;
use weir_event::subject::{KEYS_BUCKET, SESSION_SECRET_KEY};

/// A new API key: `weir_` and 43 random characters.
pub fn new_key() -> Result<String, ReaderError> {
    Ok(format!("weir_{}", random::text(random::SECRET_CHARS)?))
}

/// SHA-256 of the key in lower-case hex: its name in the bucket.
pub fn storage_key(key: &str) -> String {
    hex::encode(Sha256::digest(key.as_bytes()))
}

/// Public name of a key: the first characters of its hash.
pub fn public_id(key: &str) -> String {
    storage_key(key).chars().take(12).collect()
}

/// Whether an entry of the bucket is that of a key.
pub fn is_storage_key(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Stores the record of a key.
pub async fn store(jetstream: &Context, key: &str, record: &KeyRecord) -> Result<Stored<KeyRecord>, ChangeError<Infallible>> {
    change(jetstream, KEYS_BUCKET, &storage_key(key), |_: Option<KeyRecord>| Ok(Some(record.clone()))).await
}

/// All keys with their hashes, oldest first.
pub async fn all(jetstream: &Context) -> Result<Vec<(String, KeyRecord)>, ReaderError> {
    // `*` matches one word: keys, and not the secret beside them.
    let mut records: Vec<(String, KeyRecord)> = super::list(jetstream, KEYS_BUCKET, "*").await?;
    records.sort_by_key(|(_, record)| record.created_ms);
    Ok(records)
}

/// Forgets the key with this hash.
pub async fn remove(jetstream: &Context, hash: &str) -> Result<Stored<KeyRecord>, ChangeError<Infallible>> {
    change(jetstream, KEYS_BUCKET, hash, |_: Option<KeyRecord>| Ok(None)).await
}

/// Forgets the keys that are for this site alone; those for several stay for the others. Gives all entries that changed.
pub async fn remove_of_site(jetstream: &Context, site_id: u32) -> Result<Vec<Entry>, ChangeError<Infallible>> {
    let mut entries = Vec::new();
    for (hash, record) in all(jetstream).await? {
        if record.site_ids() == [site_id] {
            entries.push(remove(jetstream, &hash).await?.entry);
        }
    }
    Ok(entries)
}

/// The secret that signs sessions, made by the first who asks.
pub async fn session_secret(jetstream: &Context) -> Result<Stored<String>, ChangeError<Infallible>> {
    let fresh = random::text(random::SECRET_CHARS)?;
    change(jetstream, KEYS_BUCKET, SESSION_SECRET_KEY, |current: Option<String>| {
        Ok(Some(current.unwrap_or_else(|| fresh.clone())))
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_their_form() {
        let key = new_key().unwrap();
        assert_eq!((key.len(), key.starts_with("weir_")), (48, true));
        assert!(is_storage_key(&storage_key(&key)) && !is_storage_key(SESSION_SECRET_KEY));
        assert_eq!(storage_key("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(public_id("abc"), "ba7816bf8f01");
    }
}
