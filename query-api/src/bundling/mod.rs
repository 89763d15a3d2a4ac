//! Keeping bundles: after each change of a manifest those that its parts call for are made, one at a time, beside the queries.

mod build;
mod wanted;

pub use build::{BuildError, build};
pub use wanted::{Wanted, wanted};

use crate::engine::Engine;
use crate::tail::PartitionView;
use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use weir_reader::store::Store;

/// Pause before what failed is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(10);
/// Pause between two looks at the manifests.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Makes and drops bundles.
pub struct Bundling {
    /// Reads the bundles.
    pub engine: Arc<Engine>,
    /// Where parts are.
    pub store: Store,
    /// Where bundles are put: a folder of their own, on this machine.
    pub folder: PathBuf,
    /// The views of all partitions.
    pub views: BTreeMap<u32, watch::Receiver<Arc<PartitionView>>>,
}

impl Bundling {
    /// Goes on until `cancel` fires.
    pub async fn run(self, cancel: CancellationToken) {
        let this = Arc::new(self);
        let mut seen: Vec<(u32, u64)> = Vec::new();
        loop {
            let now: Vec<(u32, u64)> =
                this.views.iter().map(|(partition, view)| (*partition, view.borrow().revision())).collect();
            let mut pause = LOOK_EVERY;
            if now != seen {
                let worker = Arc::clone(&this);
                let stop = cancel.clone();
                let outcome = tokio::task::spawn_blocking(move || worker.keep(&stop)).await;
                match outcome {
                    Ok(Ok(())) => seen = now,
                    Ok(Err(error)) => {
                        tracing::warn!(%error, "parts cannot be bundled, queries read them one by one");
                        pause = RETRY_AFTER;
                    }
                    Err(_) => pause = RETRY_AFTER,
                }
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = cancel.cancelled() => return,
            }
        }
    }

    /// Makes what is wanted and missing, the smallest first, and drops what no manifest calls for. Blocks.
    pub fn keep(&self, cancel: &CancellationToken) -> Result<(), BuildError> {
        std::fs::create_dir_all(&self.folder)?;
        let mut all = Vec::new();
        for view in self.views.values() {
            let manifest = view.borrow().manifest.clone();
            all.extend(manifest.iter().flat_map(|manifest| wanted(&manifest.parts)));
        }
        all.sort_by_key(|bundle| bundle.rows);
        for bundle in &all {
            if cancel.is_cancelled() {
                return Ok(());
            }
            self.provide(bundle)?;
        }
        let files: HashSet<PathBuf> = all.iter().map(|bundle| self.file(bundle)).collect();
        self.engine
            .bundles()
            .iter()
            .filter(|old| old.file().starts_with(&self.folder) && !files.contains(old.file()))
            .for_each(|old| self.engine.drop_bundle(old.file()));
        for entry in std::fs::read_dir(&self.folder)? {
            let path = entry?.path();
            if !files.contains(&path) && path.is_file() {
                std::fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    /// A file of an earlier run is used again: its name tells its parts, and it is only renamed when it is whole.
    fn provide(&self, bundle: &Wanted) -> Result<(), BuildError> {
        let file = self.file(bundle);
        if self.engine.bundles().iter().any(|known| known.file() == file) {
            return Ok(());
        }
        if !file.exists() {
            let began = std::time::Instant::now();
            build(&self.store, bundle, &file)?;
            let (parts, rows) = (bundle.parts.len(), bundle.rows);
            tracing::info!(parts, rows, duration_ms = began.elapsed().as_millis() as u64, "parts are bundled");
        }
        Ok(self.engine.add_bundle(bundle.names().map(str::to_owned).collect(), file)?)
    }

    fn file(&self, bundle: &Wanted) -> PathBuf {
        Path::new(&self.folder).join(format!("{}.duckdb", bundle.id()))
    }
}
