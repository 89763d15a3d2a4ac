//! Manifests that were asked for last, so that a caller who asks again pays for the files alone.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use weir_rollup::manifest::Manifest;

/// Manifests kept: about 400 bytes for each part.
const MANIFESTS_MAX: usize = 16;

/// What a manifest is found by. Both never change once they were committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// A revision of a partition.
    Served {
        /// Number of the partition.
        partition: u32,
        /// The revision.
        revision: u64,
    },
    /// One revision of a shadow.
    Shadow {
        /// Name of the object.
        name: String,
    },
}

/// The manifests, the last used at the end.
#[derive(Default)]
pub(super) struct Kept(Mutex<VecDeque<(Key, Arc<Manifest>)>>);

impl Kept {
    /// The manifest of a key, if it is here.
    pub(super) fn get(&self, key: &Key) -> Option<Arc<Manifest>> {
        let mut kept = self.lock();
        let entry = kept.iter().position(|(known, _)| known == key).and_then(|index| kept.remove(index))?;
        let manifest = Arc::clone(&entry.1);
        kept.push_back(entry);
        Some(manifest)
    }

    /// Keeps a manifest.
    pub(super) fn put(&self, key: Key, manifest: Manifest) -> Arc<Manifest> {
        let manifest = Arc::new(manifest);
        let mut kept = self.lock();
        kept.retain(|(known, _)| *known != key);
        kept.push_back((key, Arc::clone(&manifest)));
        while kept.len() > MANIFESTS_MAX {
            kept.pop_front();
        }
        manifest
    }

    /// Forgets one whose files are no longer there.
    pub(super) fn forget(&self, key: &Key) {
        self.lock().retain(|(known, _)| known != key);
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(Key, Arc<Manifest>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
