//! A copy of a control bucket in memory: what is known of each key, and since which revision.

use serde::Deserialize;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};
use weir_reader::buckets::Entry;

/// A value as of a revision of its bucket; `None` = deleted. A deleted key stays, so that a late answer cannot bring it back.
type Versioned<T> = (u64, Option<T>);

/// The copy of one bucket.
pub(super) struct Copies<K, T> {
    values: RwLock<HashMap<K, Versioned<T>>>,
    loaded: AtomicBool,
}

impl<K, T> Default for Copies<K, T> {
    fn default() -> Self {
        Self { values: RwLock::default(), loaded: AtomicBool::new(false) }
    }
}

impl<K: Eq + Hash, T: Clone> Copies<K, T> {
    /// The value of a key; `None` = deleted, or not known.
    pub(super) fn get(&self, key: &K) -> Option<T> {
        self.read().get(key).and_then(|(_, value)| value.clone())
    }

    /// All values that satisfy a condition.
    pub(super) fn filter(&self, wanted: impl Fn(&K, &T) -> bool) -> Vec<T> {
        let values = self.read();
        let there = values.iter().filter_map(|(key, (_, value))| value.as_ref().map(|value| (key, value)));
        there.filter(|(key, value)| wanted(key, value)).map(|(_, value)| value.clone()).collect()
    }

    /// The keys of all values that satisfy a condition.
    pub(super) fn keys_of(&self, wanted: impl Fn(&T) -> bool) -> Vec<K>
    where
        K: Clone,
    {
        let values = self.read();
        values.iter().filter(|(_, (_, value))| value.as_ref().is_some_and(&wanted)).map(|(key, _)| key.clone()).collect()
    }

    /// Takes an entry over unless a newer one is known, in the form that is kept. One that cannot be read counts as deleted.
    pub(super) fn take<R: for<'de> Deserialize<'de>>(&self, key: K, entry: &Entry, keep: impl FnOnce(R) -> T) {
        let value = entry.value.as_ref().and_then(|bytes| {
            let parsed = serde_json::from_slice(bytes);
            if parsed.is_err() {
                tracing::warn!(bucket.revision = entry.revision, "record of a control bucket cannot be read");
            }
            parsed.ok().map(keep)
        });
        let mut values = self.values.write().unwrap_or_else(PoisonError::into_inner);
        if values.get(&key).is_none_or(|(revision, _)| *revision <= entry.revision) {
            values.insert(key, (entry.revision, value));
        }
    }

    /// Takes a value over unless a newer one is known.
    pub(super) fn put(&self, key: K, revision: u64, value: T) {
        let mut values = self.values.write().unwrap_or_else(PoisonError::into_inner);
        if values.get(&key).is_none_or(|(known, _)| *known <= revision) {
            values.insert(key, (revision, Some(value)));
        }
    }

    /// Says that the bucket was told to the end.
    pub(super) fn set_loaded(&self) {
        self.loaded.store(true, Ordering::Relaxed);
    }

    /// Whether the bucket was told to the end.
    pub(super) fn is_loaded(&self) -> bool {
        self.loaded.load(Ordering::Relaxed)
    }

    fn read(&self) -> RwLockReadGuard<'_, HashMap<K, Versioned<T>>> {
        self.values.read().unwrap_or_else(PoisonError::into_inner)
    }
}
