//! Changing one record of a control bucket: read, decide, write if nobody else wrote meanwhile, else decide anew.

use super::home;
use crate::backoff::Backoff;
use crate::buckets::{self, Change, Entry};
use crate::error::ReaderError;
use async_nats::jetstream::Context;
use async_nats::jetstream::context::PublishErrorKind;
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::time::Duration;
use thiserror::Error;

/// Attempts while others change the same record.
const ATTEMPTS_MAX: u32 = 100;
/// Attempts that the server does not confirm.
const UNCLEAR_MAX: u32 = 3;
/// Time to read a whole bucket.
const LIST_WITHIN: Duration = Duration::from_secs(30);

/// Why a record was not changed.
#[derive(Debug, Error)]
pub enum ChangeError<R> {
    /// The change does not fit what is stored.
    #[error("{0}")]
    Refused(R),
    /// Others change it all the time.
    #[error("the record {key} is being changed by too many at once: try again")]
    Contended {
        /// Its key.
        key: String,
    },
    /// The bucket is a copy.
    #[error("this region has a copy of what is set up, changes are made in its home region {home}: do it there")]
    Copied {
        /// Name of the home.
        home: String,
    },
    /// The server cannot be asked, or the record is damaged.
    #[error(transparent)]
    Failed(#[from] ReaderError),
}

/// A record after a change.
#[derive(Clone, Debug)]
pub struct Stored<T> {
    /// The record; `None` = deleted, or never there.
    pub value: Option<T>,
    /// The bucket's entry, for copies of the bucket. Revision 0 = the key was never written.
    pub entry: Entry,
}

/// Changes the record under a key. `decide` is told what is stored and says what is to be; `None` = nothing. It may be asked several times, also
/// after its own change was stored without a confirmation: it must then leave that as it is.
pub async fn change<T: Serialize + DeserializeOwned, R>(
    jetstream: &Context,
    bucket: &str,
    key: &str,
    mut decide: impl FnMut(Option<T>) -> Result<Option<T>, R>,
) -> Result<Stored<T>, ChangeError<R>> {
    let (mut unclear, mut backoff) = (0, Backoff::default());
    for _ in 0..ATTEMPTS_MAX {
        let entry = buckets::get(jetstream, bucket, key).await?;
        let entry = entry.unwrap_or_else(|| Entry { key: key.to_owned(), value: None, revision: 0 });
        let current = entry.value.as_ref().map(|bytes| parse(key, bytes)).transpose()?;
        let wanted = decide(current).map_err(ChangeError::Refused)?;
        let bytes = wanted.as_ref().map(|value| encode(key, value)).transpose()?;
        if bytes == entry.value {
            return Ok(Stored { value: wanted, entry });
        }
        if home::BUCKETS.contains(&bucket)
            && home::is_copied(key)
            && let Some(home) = home::home_of(jetstream, bucket).await?
        {
            return Err(ChangeError::Copied { home });
        }
        let sent = match bytes.clone() {
            Some(bytes) => buckets::publish_expecting(jetstream, bucket, key, entry.revision, bytes).await,
            None => buckets::delete_expecting(jetstream, bucket, key, entry.revision).await,
        };
        match sent {
            Ok(revision) => return Ok(Stored { value: wanted, entry: Entry { key: entry.key, value: bytes, revision } }),
            Err(PublishErrorKind::WrongLastSequence) => {}
            Err(_) if unclear < UNCLEAR_MAX => {
                unclear += 1;
                backoff.wait().await;
            }
            Err(cause) => {
                return Err(ReaderError::Request { operation: "changing a record", cause: Box::new(Unclear(cause)) }.into());
            }
        }
    }
    Err(ChangeError::Contended { key: key.to_owned() })
}

/// All records whose keys match a filter, by key.
pub async fn list<T: DeserializeOwned>(jetstream: &Context, bucket: &str, filter: &str) -> Result<Vec<(String, T)>, ReaderError> {
    let mut watch = buckets::watch(jetstream, bucket, filter).await?;
    let mut entries = BTreeMap::new();
    let all = async {
        while let Change::Entry(entry) = watch.next().await {
            match entry.value {
                Some(value) => entries.insert(entry.key, value),
                None => entries.remove(&entry.key),
            };
        }
    };
    let timed = tokio::time::timeout(LIST_WITHIN, all).await;
    timed.map_err(|cause| ReaderError::Request { operation: "reading a bucket within 30 s", cause: Box::new(cause) })?;
    entries.into_iter().map(|(key, value)| parse(&key, &value).map(|record| (key, record))).collect()
}

/// The server did not confirm a change.
#[derive(Debug, Error)]
#[error("{0}")]
struct Unclear(PublishErrorKind);

fn parse<T: DeserializeOwned>(key: &str, bytes: &[u8]) -> Result<T, ReaderError> {
    serde_json::from_slice(bytes).map_err(|cause| ReaderError::malformed(key, cause))
}

fn encode<T: Serialize>(key: &str, value: &T) -> Result<Bytes, ReaderError> {
    serde_json::to_vec(value).map(Bytes::from).map_err(|cause| ReaderError::malformed(key, cause))
}
