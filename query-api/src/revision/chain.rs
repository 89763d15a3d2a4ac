//! Which manifests of a partition were committed, as far as it is known. Those of lost commits lie in the same folder under the same numbers, therefore
//! only what a committed manifest names counts: its parent, and the one that a rollback would restore.

use std::collections::BTreeMap;
use weir_rollup::manifest::Manifest;

/// Names kept, about 100 bytes each: a month of a commit a minute.
const NAMES_MAX: usize = 43_200;

/// Names of committed manifests by revision.
pub(super) struct Chain {
    folder: String,
    names: BTreeMap<u64, String>,
}

impl Chain {
    /// Of the manifests in a folder; nothing is known yet.
    pub(super) fn new(folder: String) -> Self {
        Self { folder, names: BTreeMap::new() }
    }

    /// Takes over what a committed manifest names; the revision of its parent.
    pub(super) fn note(&mut self, manifest: &Manifest) -> Option<u64> {
        let former = manifest.promotion.as_ref().and_then(|promotion| promotion.former.as_ref());
        if let Some(former) = former {
            self.take(&former.name, manifest.revision);
        }
        let parent = manifest.parent.as_deref().and_then(|parent| self.take(parent, manifest.revision));
        while self.names.len() > NAMES_MAX {
            // The newest are the quickest to find again.
            self.names.pop_last();
        }
        parent
    }

    fn take(&mut self, name: &str, below: u64) -> Option<u64> {
        let file = name.strip_prefix(self.folder.as_str())?.strip_prefix('/')?;
        let revision = file.split_once('-')?.0.parse().ok().filter(|revision| *revision < below)?;
        self.names.insert(revision, name.to_owned());
        Some(revision)
    }

    /// The lowest known revision that is not below `from`, and its name.
    pub(super) fn first_from(&self, from: u64) -> Option<(u64, String)> {
        self.names.range(from..).next().map(|(revision, name)| (*revision, name.clone()))
    }

    /// Forgets one that is no longer there.
    pub(super) fn forget(&mut self, revision: u64) {
        self.names.remove(&revision);
    }
}
