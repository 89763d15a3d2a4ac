//! Keeps the archive in shape: fetches from the stream what it lacks, merges what is small, forgets what is too old.

use super::ArchivingError;
use crate::Shared;
use crate::commits::Commits;
use crate::status::now_ms;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};
use weir_reader::archive::{self, BLOCK_BYTES, Encoded, LEVEL_MERGED};
use weir_reader::stream::{self, Delivered, PartitionStream};
use weir_rollup::archive::{Limits, next_merge};
use weir_rollup::manifest::{ArchiveObject, Manifest};

/// Keeps one partition's archive in shape.
pub(super) struct Keeper {
    pub(super) shared: Arc<Shared>,
    pub(super) partition: u32,
    pub(super) commits: Arc<Commits>,
    /// Names of objects that were read to their end.
    pub(super) verified: HashSet<String>,
    /// When the stream was last looked at for what may go.
    pub(super) purged: Option<Instant>,
}

impl Keeper {
    pub(super) fn new(shared: Arc<Shared>, partition: u32, commits: Arc<Commits>) -> Self {
        Self { shared, partition, commits, verified: HashSet::new(), purged: None }
    }

    /// Pause between two looks at what the stream may let go.
    pub(super) fn purge_every(&self) -> Duration {
        Duration::from_millis(self.shared.config.stream_retention_ms.clamp(20, 60_000))
    }

    /// Last sequence in the archive.
    pub(super) async fn archived_seq(&self) -> u64 {
        self.commits.manifest().await.archived_seq
    }

    /// Does all there is to do.
    pub(super) async fn tidy(&mut self) -> Result<(), ArchivingError> {
        if self.shared.config.archive {
            while self.catch_up().await? {}
            while self.merge().await? {}
        }
        self.expire().await
    }

    /// Archives the next stretch of what was sealed without it: before there was an archive, or while it was off. `false` = nothing is missing.
    async fn catch_up(&self) -> Result<bool, ArchivingError> {
        let (region, jetstream) = (&self.shared.config.region, &self.shared.jetstream);
        let manifest = self.commits.manifest().await;
        if manifest.archived_seq >= manifest.sealed_seq {
            return Ok(false);
        }
        let reach = stream::state(jetstream, region, self.partition).await?;
        if reach.first_seq > manifest.archived_seq + 1 {
            self.begin_anew(&manifest, reach.first_seq.min(manifest.sealed_seq + 1)).await?;
            return Ok(true);
        }
        let mut stream = PartitionStream::open(jetstream, region, self.partition, manifest.archived_seq + 1).await?;
        let (mut messages, mut bytes): (Vec<Delivered>, usize) = (Vec::new(), 0);
        while bytes < BLOCK_BYTES && messages.last().is_none_or(|last| last.seq < manifest.sealed_seq) {
            let message = stream.next().await?;
            bytes += message.payload.len();
            messages.push(message);
        }
        drop(stream);
        let encoded = tokio::task::spawn_blocking(move || archive::encode(&messages, LEVEL_MERGED)).await??;
        let begun_ms = now_ms();
        let object = self.put(encoded).await?;
        let last_seq = object.last_seq;
        self.commits.commit(begun_ms, move |manifest| manifest.append_archive(object)).await?;
        tracing::info!(partition = self.partition, stream.sequence = last_seq, "archived from the stream");
        Ok(true)
    }

    /// What lies between the archive and the stream is nowhere: the archive begins behind it.
    async fn begin_anew(&self, manifest: &Manifest, first_seq: u64) -> Result<(), ArchivingError> {
        if !manifest.archive.is_empty() {
            let archived_seq = manifest.archived_seq;
            tracing::warn!(
                partition = self.partition,
                archived_seq,
                first_seq,
                "the stream begins behind the archive's end: it is begun anew"
            );
        }
        self.commits.commit(now_ms(), move |manifest| manifest.restart_archive(first_seq)).await?;
        Ok(())
    }

    /// Merges what is to be merged next; `false` = nothing is.
    async fn merge(&self) -> Result<bool, ArchivingError> {
        let began = Instant::now();
        let limits = Limits { count_max: self.shared.config.archive_objects_max, ..Limits::default() };
        let manifest = self.commits.manifest().await;
        let Some(run) = next_merge(&manifest.archive, &limits) else { return Ok(false) };
        let mut inputs = Vec::new();
        for object in manifest.archive.get(run).unwrap_or_default() {
            inputs.push((object.clone(), archive::load(&self.shared.store, object).await?));
        }
        let replaced: Vec<String> = inputs.iter().map(|(object, _)| object.name.clone()).collect();
        let encoded = tokio::task::spawn_blocking(move || archive::merge(inputs)).await??;
        let begun_ms = now_ms();
        let output = self.put(encoded).await?;
        let (objects, events, bytes) = (replaced.len(), output.events, output.bytes);
        self.commits.commit(begun_ms, move |manifest| manifest.exchange_archive(&replaced, vec![output])).await?;
        let duration_ms = began.elapsed().as_millis() as u64;
        tracing::info!(partition = self.partition, objects, events, bytes, duration_ms, "archive merged");
        Ok(true)
    }

    async fn expire(&self) -> Result<(), ArchivingError> {
        let before_ms = now_ms().saturating_sub(self.shared.config.archive_retention_ms);
        if self.commits.manifest().await.expire_archive(before_ms) {
            self.commits.commit(now_ms(), move |manifest| manifest.expire_archive(before_ms)).await?;
        }
        Ok(())
    }

    async fn put(&self, encoded: Encoded) -> Result<ArchiveObject, ArchivingError> {
        Ok(archive::put(&self.shared.store, &self.shared.config.region, self.partition, encoded).await?)
    }
}
