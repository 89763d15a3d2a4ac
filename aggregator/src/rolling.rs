//! Making rollups beside the fold, when there is nothing to merge: one job at a time, each committed for itself.

use crate::flush::duck_limits;
use crate::merging::{MergeError, Merger};
use crate::rollups::{self, Title};
use crate::status::now_ms;
use crate::write::WriteError;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;
use weir_reader::ReaderError;
use weir_reader::store::LocalFile;
use weir_rollup::manifest::{Manifest, Part, Rollup};
use weir_rollup::rollup::{self, Job, Limits, Pays, window_parts};

/// What a job reads: parts, or rollups.
struct Inputs {
    /// In the order in which they are read.
    names: Vec<String>,
    files: Vec<LocalFile>,
    rows: u64,
}

impl Merger {
    /// Makes the next rollup and commits it; the manifest then, `None` = there is none to make.
    pub(crate) async fn next_rollup(self: &Arc<Self>) -> Result<Option<Manifest>, MergeError> {
        let manifest = self.commits.manifest().await;
        if let Some(manifest) = self.drop_damaged(&manifest).await? {
            return Ok(Some(manifest));
        }
        let Some(job) = rollup::next_job(&manifest, &Limits::default()) else { return Ok(None) };
        let (started, begun_ms) = (Instant::now(), now_ms());
        let inputs = self.inputs_of(&manifest, &job).await?;
        let names = inputs.names.clone();
        let file = self.shared.work.file();
        let made = {
            let (merger, job, file) = (Arc::clone(self), job.clone(), file.clone());
            tokio::task::spawn_blocking(move || merger.write_rollup(&job, &inputs, &file)).await??
        };
        self.shared.store.put_file(&file, &made.name).await?;
        let (bytes, inputs) = (made.bytes, names.len());
        // When the manifest moved on so that it no longer fits, the next look tells what does.
        let committed = self
            .commits
            .commit(begun_ms, move |manifest| match job {
                Job::Build { .. } => manifest.add_rollup(made, &names),
                Job::Merge { .. } => manifest.merge_rollups(&names, made),
            })
            .await?;
        let manifest = match committed {
            Some(manifest) => manifest,
            None => self.commits.manifest().await,
        };
        let duration_ms = started.elapsed().as_millis() as u64;
        let rollups = manifest.rollups.len();
        tracing::info!(
            partition = self.partition,
            revision = manifest.revision,
            inputs,
            bytes,
            rollups,
            duration_ms,
            "rollup made"
        );
        Ok(Some(manifest))
    }

    /// Takes rollups off the list that somebody found damaged, so that they are made again; the manifest then, `None` = there are none.
    async fn drop_damaged(&self, manifest: &Manifest) -> Result<Option<Manifest>, MergeError> {
        if manifest.rollups.is_empty() {
            return Ok(None);
        }
        let damaged = self.shared.store.damaged(&rollups::folder(&self.shared.config.region, self.partition)).await?;
        if !manifest.rollups.iter().any(|rollup| damaged.contains(&rollup.name)) {
            return Ok(None);
        }
        tracing::warn!(partition = self.partition, ?damaged, "damaged rollups are made again");
        Ok(self.commits.commit(now_ms(), move |manifest| manifest.drop_rollups(&damaged)).await?)
    }

    async fn inputs_of(&self, manifest: &Manifest, job: &Job) -> Result<Inputs, ReaderError> {
        let store = &self.shared.store;
        match job {
            Job::Build { start_ms, end_ms } => {
                let names = window_parts(manifest, *start_ms, *end_ms);
                let parts = names.iter().filter_map(|name| manifest.parts.iter().find(|part| part.name == *name)).cloned();
                let parts: Vec<Part> = parts.collect();
                let rows = parts.iter().map(|part| part.rows).sum();
                Ok(Inputs { names, files: store.fetch_parts(parts).await?, rows })
            }
            Job::Merge { inputs, .. } => {
                let mut files = Vec::with_capacity(inputs.len());
                for rollup in inputs.iter().filter_map(|name| manifest.rollups.iter().find(|rollup| rollup.name == *name)) {
                    files.push(store.fetch(&rollup.name, Some(&rollup.checksum)).await?);
                }
                Ok(Inputs { names: inputs.clone(), files, rows: 0 })
            }
        }
    }

    fn write_rollup(&self, job: &Job, inputs: &Inputs, file: &Path) -> Result<Rollup, WriteError> {
        let (Job::Build { start_ms, end_ms } | Job::Merge { start_ms, end_ms, .. }) = *job;
        let region = self.shared.config.region.clone();
        let name = format!("{}/{}.duckdb", rollups::folder(&region, self.partition), uuid::Uuid::new_v4());
        let title = Title { name, start_ms, end_ms, region, partition: self.partition, written_ms: now_ms() };
        let limits = duck_limits(&self.shared);
        let paths: Vec<PathBuf> = inputs.files.iter().map(|file| file.path().to_owned()).collect();
        match job {
            Job::Build { .. } => {
                rollups::build_until(&limits, &self.interrupt, file, &title, &paths, inputs.rows, Pays::default())
            }
            Job::Merge { .. } => rollups::merge_until(&limits, &self.interrupt, file, &title, &paths),
        }
    }
}
