//! Files that were found damaged: set aside, remembered, never served.
//!
//! In a folder the file itself is moved below `quarantine/`; in a bucket an object of that name says what was found. So that every program
//! that reads the store knows of it, whoever found it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Folder of what was set aside.
pub const QUARANTINE: &str = "quarantine";
/// How long a damaged object of a bucket is not asked for again.
const BELIEVED_FOR: Duration = Duration::from_mins(1);

/// Name of the object that says that another is damaged.
pub fn quarantined_name(name: &str) -> String {
    format!("{QUARANTINE}/{name}")
}

/// What this process found.
#[derive(Debug, Default)]
pub(super) struct Damage {
    found: Mutex<BTreeMap<String, (String, Instant)>>,
    count: AtomicU64,
}

impl Damage {
    pub(super) fn note(&self, name: &str, reason: &str) {
        let before = self
            .found
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(name.to_owned(), (reason.to_owned(), Instant::now()));
        if before.is_none() {
            self.count.fetch_add(1, Ordering::Relaxed);
            tracing::error!(object.name = name, reason, "a file is damaged and no longer read; `weir repair` rebuilds it");
        }
    }

    /// Why an object is believed to be damaged, if it was looked at lately.
    pub(super) fn recent(&self, name: &str) -> Option<String> {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.get(name).filter(|(_, at)| at.elapsed() < BELIEVED_FOR).map(|(reason, _)| reason.clone())
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }

    pub(super) fn forget(&self, name: &str) {
        self.found.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
    }

    pub(super) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }
}
