//! Revisions that a caller asks for by number, and the shadow of a replay: their sealed files alone, without the live end.

mod chain;
mod kept;
mod walk;
mod wanted;

pub use wanted::Revision;

use crate::error::ApiError;
use crate::tail::{Condition, PartitionView, unreadable};
use async_nats::jetstream::Context;
use chain::Chain;
use kept::{Kept, Key};
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use tokio::sync::{Mutex, Semaphore};
use weir_reader::heads::{self, HeadEntry, HeadKey};
use weir_reader::store::Store;
use weir_reader::{ReaderError, manifests, replays};
use weir_rollup::manifest::{Head, Manifest};

/// Heads asked for at the same time.
const LOOKUPS_MAX: usize = 8;

/// Finds the manifests of revisions.
pub struct Revisions {
    jetstream: OnceLock<Context>,
    store: Store,
    region: String,
    /// Names of manifests that were committed. Who walks along the parents of one holds its lock, so that nobody walks the same way beside him.
    chains: BTreeMap<u32, Mutex<Chain>>,
    kept: Kept,
    lookups: Semaphore,
}

impl Revisions {
    /// Those of these partitions of a region.
    pub fn new(store: Store, region: &str, partitions: impl Iterator<Item = u32>) -> Self {
        let chain = |partition| (partition, Mutex::new(Chain::new(manifests::folder(region, partition))));
        Self {
            jetstream: OnceLock::new(),
            store,
            region: region.to_owned(),
            chains: partitions.map(chain).collect(),
            kept: Kept::default(),
            lookups: Semaphore::new(LOOKUPS_MAX),
        }
    }

    /// Tells where heads and replays are.
    pub fn connect(&self, jetstream: Context) {
        self.jetstream.get_or_init(|| jetstream);
    }

    /// The view of a partition at a revision. `served` is its newest view, which answers by itself where nothing else is asked for.
    pub async fn view(
        &self,
        partition: u32,
        revision: Revision,
        served: Arc<PartitionView>,
    ) -> Result<Arc<PartitionView>, ApiError> {
        let manifest = match revision {
            Revision::Newest if served.is_ready => return Ok(served),
            Revision::Newest => return Err(ApiError::Unavailable),
            Revision::Number(wanted) => self.number(partition, wanted, &served).await?,
            Revision::Shadow => self.shadow(partition).await?,
        };
        if let Some(reason) = unreadable(&manifest) {
            tracing::warn!(region = self.region, partition, revision = manifest.revision, reason, "revision cannot be read");
            return Err(ApiError::Unavailable);
        }
        Ok(Arc::new(PartitionView::sealed(Some(manifest), Condition::Live)))
    }

    /// What to say where a file of a revision is no longer there.
    pub async fn gone(&self, partition: u32, revision: Revision, served: &PartitionView) -> ApiError {
        let Revision::Number(wanted) = revision else { return ApiError::NoShadow };
        self.kept.forget(&Key::Served { partition, revision: wanted });
        let newest = served.revision();
        let Some(chain) = self.chains.get(&partition).filter(|_| wanted < newest) else {
            tracing::error!(region = self.region, partition, revision = wanted, "a file of the newest revision is missing");
            return ApiError::Unavailable;
        };
        walk::oldest_after(&self.store, &mut *chain.lock().await, wanted, newest)
            .await
            .map_or_else(|error| self.failed(partition, &error), |oldest| ApiError::NoRevision { wanted, oldest })
    }

    async fn number(&self, partition: u32, wanted: u64, served: &PartitionView) -> Result<Arc<Manifest>, ApiError> {
        let newest = served.manifest.clone().filter(|manifest| manifest.revision >= wanted);
        let newest = match newest {
            Some(newest) => newest,
            None if served.manifest.is_none() && !served.is_ready => return Err(ApiError::Unavailable),
            // It may have been committed a moment ago.
            None => self.committed(partition, wanted).await?.ok_or(ApiError::NoRevisionYet { wanted })?,
        };
        if newest.revision == wanted {
            return Ok(newest);
        }
        let key = Key::Served { partition, revision: wanted };
        if let Some(manifest) = self.kept.get(&key) {
            return Ok(manifest);
        }
        let Some(chain) = self.chains.get(&partition) else { return Err(ApiError::Unavailable) };
        let found = walk::find(&self.store, &mut *chain.lock().await, &newest, wanted, walk::STEPS_MAX).await;
        match found.map_err(|error| self.failed(partition, &error))? {
            walk::Found::Manifest(manifest) => Ok(self.kept.put(key, *manifest)),
            walk::Found::Gone { oldest } => Err(ApiError::NoRevision { wanted, oldest }),
            walk::Found::TooFar => {
                tracing::warn!(
                    region = self.region,
                    partition,
                    revision = wanted,
                    "revision is far back, the next request goes on"
                );
                Err(ApiError::Unavailable)
            }
        }
    }

    /// The manifest that the head names now, if it has at least this revision.
    async fn committed(&self, partition: u32, at_least: u64) -> Result<Option<Arc<Manifest>>, ApiError> {
        // Not connected yet: then nothing newer than what is served is known.
        let Some(jetstream) = self.jetstream.get() else { return Ok(None) };
        let entry = self.head(jetstream, partition, &HeadKey::served(&self.region, partition)).await?;
        let Some(HeadEntry { head, .. }) = entry.filter(|entry| entry.head.revision >= at_least) else { return Ok(None) };
        let key = Key::Served { partition, revision: head.revision };
        self.load(partition, key, &head).await.map(Some)
    }

    async fn shadow(&self, partition: u32) -> Result<Arc<Manifest>, ApiError> {
        let jetstream = self.jetstream.get().ok_or(ApiError::Unavailable)?;
        let record = match replays::get(jetstream, &self.region).await {
            // A region without the bucket never had a replay.
            Ok(None) | Err(ReaderError::StreamMissing { .. }) => return Err(ApiError::NoShadow),
            Ok(Some(entry)) => entry.record,
            Err(error) => return Err(self.failed(partition, &error)),
        };
        if !record.phase.has_shadow() {
            return Err(ApiError::NoShadow);
        }
        if record.partitions.iter().all(|covered| covered.partition != partition) {
            return Err(ApiError::NotInShadow);
        }
        let key = HeadKey::shadow(&record.id, &self.region, partition);
        let Some(HeadEntry { head, .. }) = self.head(jetstream, partition, &key).await? else {
            return Err(ApiError::NotInShadow);
        };
        // Given up and swept meanwhile, or exchanged for a newer one: then the next request finds that.
        let key = Key::Shadow { name: head.manifest.clone() };
        self.load(partition, key, &head).await
    }

    async fn head(&self, jetstream: &Context, partition: u32, key: &HeadKey) -> Result<Option<HeadEntry>, ApiError> {
        let _turn = self.lookups.acquire().await.map_err(|_| ApiError::Unavailable)?;
        heads::get_at(jetstream, key).await.map_err(|error| self.failed(partition, &error))
    }

    async fn load(&self, partition: u32, key: Key, head: &Head) -> Result<Arc<Manifest>, ApiError> {
        if let Some(manifest) = self.kept.get(&key) {
            return Ok(manifest);
        }
        let manifest = manifests::load(&self.store, head).await.map_err(|error| self.failed(partition, &error))?;
        Ok(self.kept.put(key, manifest))
    }

    fn failed(&self, partition: u32, error: &ReaderError) -> ApiError {
        tracing::warn!(region = self.region, partition, %error, "revision cannot be looked up");
        ApiError::Unavailable
    }
}
