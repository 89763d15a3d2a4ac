//! The other regions: each complete in itself, read from here, never waited for.
//!
//! What is known of a region goes on counting while it is away, and the answer says up to when it is complete. A region of which nothing is known, or whose
//! files cannot be read, is left out, and the answer says that.

mod absence;
mod views;

pub use absence::{AWAY_AFTER_MS, Absence};
pub use views::{RegionView, Views};

use crate::error::ApiError;
use crate::tail::PartitionView;
use async_nats::jetstream::Context;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::time::timeout;
use weir_reader::store::{LocalFile, Store};
use weir_rollup::manifest::{Part, Rollup};

/// How long a question waits for files of another region. Fetching goes on beside it, for those who ask later.
const PATIENCE: Duration = Duration::from_secs(2);
/// For how long a region is left out whose files could not be read.
const LEFT_OUT_FOR: Duration = Duration::from_secs(10);

/// Another region.
#[derive(Debug)]
pub struct OtherRegion {
    /// Its name.
    pub name: String,
    /// Where its files are.
    pub store: Store,
    /// The newest view of each of its partitions.
    pub partitions: BTreeMap<u32, watch::Receiver<Arc<PartitionView>>>,
    jetstream: OnceLock<Context>,
    /// Until when it is left out, and why.
    unreadable: Mutex<Option<(Instant, String)>>,
}

impl OtherRegion {
    /// A region of which nothing is known yet.
    pub fn new(name: &str, store: Store, partitions: BTreeMap<u32, watch::Receiver<Arc<PartitionView>>>) -> Self {
        Self { name: name.to_owned(), store, partitions, jetstream: OnceLock::new(), unreadable: Mutex::default() }
    }

    /// Tells where its streams and buckets are.
    pub fn connect(&self, jetstream: Context) {
        self.jetstream.get_or_init(|| jetstream);
    }

    /// Its streams and buckets; `None` = nobody answered there since this service began.
    pub fn jetstream(&self) -> Option<&Context> {
        self.jetstream.get()
    }

    /// Why it is left out at the moment.
    pub fn unreadable(&self) -> Option<String> {
        let unreadable = self.unreadable.lock().unwrap_or_else(PoisonError::into_inner);
        unreadable.as_ref().filter(|(until, _)| *until > Instant::now()).map(|(_, reason)| reason.clone())
    }

    /// Leaves the region out for a while. The question begins anew without it.
    pub(crate) fn leave_out(&self, reason: &str) -> ApiError {
        tracing::warn!(region = self.name, reason, "files of another region cannot be read, answers do without it");
        let until = Instant::now() + LEFT_OUT_FOR;
        *self.unreadable.lock().unwrap_or_else(PoisonError::into_inner) = Some((until, reason.to_owned()));
        ApiError::RegionLost
    }

    /// Parts as files of this machine that are whole.
    pub(crate) async fn fetch(&self, parts: Vec<Part>) -> Result<Vec<LocalFile>, ApiError> {
        if parts.is_empty() {
            return Ok(Vec::new());
        }
        let store = self.store.clone();
        let fetching = tokio::spawn(async move { store.fetch_parts(parts).await });
        match timeout(PATIENCE, fetching).await {
            Ok(Ok(Ok(files))) => Ok(files),
            Ok(Ok(Err(error))) => Err(self.leave_out(&error.to_string())),
            Ok(Err(_)) | Err(_) => Err(self.leave_out("its files are still on their way")),
        }
    }

    /// A rollup as a file; `None` = rows have to answer.
    pub(crate) async fn fetch_rollup(&self, rollup: &Rollup) -> Option<LocalFile> {
        let (store, name, checksum) = (self.store.clone(), rollup.name.clone(), rollup.checksum.clone());
        let fetching = tokio::spawn(async move { store.fetch(&name, Some(&checksum)).await });
        timeout(PATIENCE, fetching).await.ok()?.ok()?.ok()
    }
}
