//! The alarm for damaged files: whoever finds one sets it aside, and as long as the manifest names it an operator must act.

use crate::Shared;
use crate::status::{Board, code};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use weir_reader::store::Store;
use weir_reader::{ReaderError, heads, manifests};
use weir_rollup::manifest::Manifest;

/// Pause between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Folder of a partition's parts.
pub(crate) fn parts_folder(region: &str, partition: u32) -> String {
    format!("parts/{region}-{partition}")
}

/// Raises and ends the alarm of a partition until `cancel` fires.
pub(crate) async fn watch(shared: Arc<Shared>, partition: u32, board: Arc<Board>, cancel: CancellationToken) {
    loop {
        match needed(&shared, partition).await {
            Ok(names) if names.is_empty() => board.clear(code::PART_DAMAGED),
            Ok(names) => board.alarm(code::PART_DAMAGED, message(&names)),
            // NATS or the store is away: others say so.
            Err(error) => tracing::debug!(partition, %error, "it is not known whether files are damaged"),
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = cancel.cancelled() => return,
        }
    }
}

/// Names of damaged parts that the served manifest names.
async fn needed(shared: &Shared, partition: u32) -> Result<Vec<String>, ReaderError> {
    let region = &shared.config.region;
    if shared.store.damaged(&parts_folder(region, partition)).await?.is_empty() {
        return Ok(Vec::new());
    }
    let Some(entry) = heads::get(&shared.jetstream, region, partition).await? else { return Ok(Vec::new()) };
    damaged_of(&shared.store, &manifests::load(&shared.store, &entry.head).await?).await
}

/// Names of the parts of a manifest that were found damaged, by whatever program.
pub(crate) async fn damaged_of(store: &Store, manifest: &Manifest) -> Result<Vec<String>, ReaderError> {
    let mut names = store.damaged(&parts_folder(&manifest.region, manifest.partition)).await?;
    names.retain(|name| manifest.parts.iter().any(|part| part.name == *name));
    Ok(names)
}

fn message(names: &[String]) -> String {
    let first = names.first().map_or("", String::as_str);
    let others = match names.len() {
        0 | 1 => String::new(),
        count => format!(" and {} more", count - 1),
    };
    format!("{first}{others}: damaged and not read, queries that need it fail; `weir repair` rebuilds it from the stream")
}
