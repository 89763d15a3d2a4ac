//! The home of what is set up: one region's control buckets are the original, other regions have copies, which nobody changes but who copies.
//!
//! A copy is told by a mark in the bucket itself, so that every program leaves it alone. A key is copied by comparing its values, the copy's first: who writes
//! into the copy has then seen a value of home that is no older than any before, and several may copy at the same time. What is absent at home deletes nothing,
//! only what was deleted there: a home that lost its buckets takes nobody's sites along.

use crate::buckets::{self, Change, Entry};
use crate::error::ReaderError;
use async_nats::jetstream::Context;
use async_nats::jetstream::context::PublishErrorKind;
use bytes::Bytes;
use std::collections::BTreeMap;
use weir_event::subject::{ACCOUNTS_BUCKET, DEFINITIONS_BUCKET, KEYS_BUCKET, SESSION_SECRET_KEY, SITES_BUCKET};

/// The buckets that have a home.
pub const BUCKETS: [&str; 4] = [SITES_BUCKET, ACCOUNTS_BUCKET, DEFINITIONS_BUCKET, KEYS_BUCKET];
/// Key of the mark: the name of the home as a JSON string. Of two words, so that the edge, which may read keys of one word, does not meet it.
const MARK: &str = "control.home";

/// What is to be done with a key of a copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing: it is as at home. The copy's entry; `None` = never written.
    None(Option<Entry>),
    /// The value is to be set, or to be deleted.
    Write {
        /// Revision of the key in the copy; 0 = never written.
        expected: u64,
        /// What the copy has.
        former: Option<Bytes>,
        /// What home has; `None` = it was deleted there.
        value: Option<Bytes>,
    },
}

/// The region whose bucket this one is a copy of; `None` = it is an original.
pub async fn home_of(jetstream: &Context, bucket: &str) -> Result<Option<String>, ReaderError> {
    let entry = buckets::get(jetstream, bucket, MARK).await?;
    let value = entry.and_then(|entry| entry.value);
    value.map(|bytes| serde_json::from_slice(&bytes).map_err(|cause| ReaderError::malformed(MARK, cause))).transpose()
}

/// Says that a bucket is a copy of that of a region; `None` = that it is an original.
pub async fn set_home(jetstream: &Context, bucket: &str, home: Option<&str>) -> Result<(), ReaderError> {
    let expected = buckets::get(jetstream, bucket, MARK).await?.map_or(0, |entry| entry.revision);
    let value = home.map(|home| serde_json::to_vec(home).map(Bytes::from));
    let value = value.transpose().map_err(|cause| ReaderError::malformed(MARK, cause))?;
    write(jetstream, bucket, MARK, expected, value).await.map(drop)
}

/// Whether a key is copied. Sessions are each region's own.
pub fn is_copied(key: &str) -> bool {
    key != MARK && key != SESSION_SECRET_KEY
}

/// All values of a bucket that are there.
pub async fn values(jetstream: &Context, bucket: &str) -> Result<BTreeMap<String, Bytes>, ReaderError> {
    let mut watch = buckets::watch(jetstream, bucket, ">").await?;
    let mut values = BTreeMap::new();
    while let Change::Entry(entry) = watch.next().await {
        match entry.value.filter(|_| is_copied(&entry.key)) {
            Some(value) => values.insert(entry.key, value),
            None => values.remove(&entry.key),
        };
    }
    Ok(values)
}

/// Compares a key of a copy with home.
pub async fn compare(home: &Context, copy: &Context, bucket: &str, key: &str) -> Result<Step, ReaderError> {
    // In this order: see above.
    let here = buckets::get(copy, bucket, key).await?;
    let there = buckets::get(home, bucket, key).await?;
    Ok(step(here, there))
}

fn step(here: Option<Entry>, there: Option<Entry>) -> Step {
    let Some(there) = there else { return Step::None(here) };
    let former = here.as_ref().and_then(|entry| entry.value.clone());
    if former == there.value {
        return Step::None(here);
    }
    Step::Write { expected: here.map_or(0, |entry| entry.revision), former, value: there.value }
}

/// Writes into a copy what home has; `None` = somebody else was first, and it has to be compared again.
pub async fn write(
    copy: &Context,
    bucket: &str,
    key: &str,
    expected: u64,
    value: Option<Bytes>,
) -> Result<Option<Entry>, ReaderError> {
    let sent = match value.clone() {
        Some(value) => buckets::publish_expecting(copy, bucket, key, expected, value).await,
        None => buckets::delete_expecting(copy, bucket, key, expected).await,
    };
    match sent {
        Ok(revision) => Ok(Some(Entry { key: key.to_owned(), value, revision })),
        Err(PublishErrorKind::WrongLastSequence) => Ok(None),
        Err(cause) => Err(ReaderError::request("writing into a copy", cause.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(value: Option<&'static str>, revision: u64) -> Entry {
        Entry { key: "site.a".to_owned(), value: value.map(Bytes::from), revision }
    }

    #[test]
    fn a_copy_becomes_what_home_has_and_nothing_is_deleted_by_absence() {
        let check = |here: Option<Entry>, there: Option<Entry>, expected: Step| assert_eq!(step(here, there), expected);
        let write = |expected, former: Option<&'static str>, value: Option<&'static str>| Step::Write {
            expected,
            former: former.map(Bytes::from),
            value: value.map(Bytes::from),
        };
        check(None, None, Step::None(None));
        check(None, Some(entry(Some("x"), 9)), write(0, None, Some("x")));
        check(Some(entry(Some("x"), 3)), Some(entry(Some("x"), 9)), Step::None(Some(entry(Some("x"), 3))));
        check(Some(entry(Some("x"), 3)), Some(entry(Some("y"), 9)), write(3, Some("x"), Some("y")));
        check(Some(entry(Some("x"), 3)), Some(entry(None, 9)), write(3, Some("x"), None));
        check(Some(entry(None, 3)), Some(entry(None, 9)), Step::None(Some(entry(None, 3))));
        check(Some(entry(None, 3)), Some(entry(Some("x"), 9)), write(3, None, Some("x")));
        check(Some(entry(Some("x"), 3)), None, Step::None(Some(entry(Some("x"), 3))));
        assert!(is_copied("site.a.example") && is_copied("next_id") && !is_copied(SESSION_SECRET_KEY) && !is_copied(MARK));
    }
}
