//! Lets the stream go: messages that are sealed, archived, older than the retention, and needed by nobody.

use super::ArchivingError;
use super::keeper::Keeper;
use crate::status::now_ms;
use std::time::Instant;
use weir_reader::heads::HeadKey;
use weir_reader::replays;
use weir_reader::{ReaderError, heads, history, stream};
use weir_rollup::archive::purge_before;
use weir_rollup::manifest::Manifest;

impl Keeper {
    /// Purges the stream as far as it may go. Before a message goes, its copy in the archive was read.
    pub(super) async fn purge(&mut self) -> Result<(), ArchivingError> {
        if self.purged.is_some_and(|at| at.elapsed() < self.purge_every()) {
            return Ok(());
        }
        let (config, jetstream) = (&self.shared.config, &self.shared.jetstream);
        let manifest = self.commits.manifest().await;
        let reach = stream::state(jetstream, &config.region, self.partition).await?;
        if manifest.sealed_seq <= reach.first_seq || manifest.stream.created != reach.created {
            return Ok(());
        }
        let old_ms = now_ms().saturating_sub(config.stream_retention_ms);
        let young_seq = stream::seq_at(jetstream, &config.region, self.partition, old_ms).await?;
        // A replay reads the archive first; without one it needs the stream.
        let needed_seq = if config.archive { None } else { self.shadow_needs().await? };
        let before_seq = purge_before(&manifest, config.archive, young_seq, needed_seq);
        self.purged = Some(Instant::now());
        if before_seq <= reach.first_seq {
            return Ok(());
        }
        if self.shared.config.archive {
            self.verify(&manifest, reach.first_seq, before_seq).await?;
        }
        stream::purge(&self.shared.jetstream, &self.shared.config.region, self.partition, before_seq).await?;
        tracing::info!(partition = self.partition, stream.sequence = before_seq, "the stream was purged before this message");
        Ok(())
    }

    /// Reads those objects of the archive that hold messages from `first_seq` to before `before_seq`.
    async fn verify(&mut self, manifest: &Manifest, first_seq: u64, before_seq: u64) -> Result<(), ArchivingError> {
        let mut next_seq = first_seq;
        for object in manifest.archive.iter().filter(|object| object.last_seq >= first_seq && object.first_seq < before_seq) {
            if object.first_seq > next_seq {
                break;
            }
            if !self.verified.contains(&object.name) {
                history::verify(&self.shared.store, object).await?;
                self.verified.insert(object.name.clone());
            }
            next_seq = object.last_seq + 1;
        }
        self.verified.retain(|name| manifest.archive.iter().any(|object| object.name == *name));
        if next_seq >= before_seq {
            return Ok(());
        }
        let stream = manifest.stream.name.clone();
        Err(ReaderError::Gap { stream, wanted_seq: next_seq, first_available_seq: before_seq }.into())
    }

    /// The first sequence that a replay in work still reads.
    async fn shadow_needs(&self) -> Result<Option<u64>, ReaderError> {
        let region = &self.shared.config.region;
        let record = match replays::get(&self.shared.jetstream, region).await {
            Ok(Some(entry)) if entry.record.phase.has_shadow() => entry.record,
            // The bucket is made by the next `weir up`: until then there are no replays.
            Ok(_) | Err(ReaderError::StreamMissing { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let replayed = record.partitions.iter().find(|replayed| replayed.partition == self.partition);
        let Some(checkpoint_seq) = replayed.map(|replayed| replayed.checkpoint_seq) else { return Ok(None) };
        let head = heads::get_at(&self.shared.jetstream, &HeadKey::shadow(&record.id, region, self.partition)).await?;
        Ok(Some(head.map_or(checkpoint_seq, |entry| entry.head.sealed_seq) + 1))
    }
}
