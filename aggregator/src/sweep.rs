//! The sweeper, the only one that deletes: objects that no kept manifest names, once they are old enough.

use crate::Shared;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio_util::sync::CancellationToken;
use weir_reader::store::Listed;
use weir_reader::{ReaderError, heads, manifests, states};
use weir_rollup::manifest::Manifest;

/// Pause between sweeps.
const SWEEP_EVERY: Duration = Duration::from_hours(1);

/// Sweeps every hour until `cancel` fires.
pub(crate) async fn run(shared: Arc<Shared>, partition: u32, cancel: CancellationToken) {
    // A minute after the start, when the partition is at work again.
    let mut pause = Duration::from_mins(1);
    loop {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = cancel.cancelled() => return,
        }
        pause = SWEEP_EVERY;
        let swept = tokio::select! {
            swept = sweep(&shared, partition) => swept,
            () = cancel.cancelled() => return,
        };
        match swept {
            Ok(0) => {}
            Ok(deleted) => tracing::info!(partition, deleted, "objects swept"),
            Err(error) => tracing::warn!(partition, %error, "objects could not be swept"),
        }
    }
}

/// Deletes what is no longer needed and returns how many objects that were.
async fn sweep(shared: &Shared, partition: u32) -> Result<usize, ReaderError> {
    let (region, store) = (&shared.config.region, &shared.store);
    // Files first, manifests then: a file that is listed here and committed meanwhile is too young to be deleted.
    let mut files = store.list(&format!("parts/{region}-{partition}")).await?;
    files.extend(store.list(&states::folder(region, partition)).await?);
    let written = store.list(&manifests::folder(region, partition)).await?;
    let Some(entry) = heads::get(&shared.jetstream, region, partition).await? else { return Ok(0) };
    let oldest = SystemTime::now() - Duration::from_millis(shared.config.sweep_after_ms);
    let (kept, dropped) = split(written, &entry.head.manifest, shared.config.manifests_kept, oldest);
    let mut named = HashSet::new();
    for name in &kept {
        name_objects(&manifests::read(store, name).await?, &mut named);
    }
    let unused = files.into_iter().filter(|file| file.modified < oldest && !named.contains(&file.name)).map(|file| file.name);
    // Manifests go last: as long as one is there, what it names is there too.
    let doomed: Vec<String> = unused.chain(dropped).collect();
    for name in &doomed {
        store.delete(name).await?;
    }
    Ok(doomed.len())
}

/// Names of the manifests to keep and to drop: the head's, the newest `keep`, and all younger than `oldest` stay.
fn split(mut written: Vec<Listed>, head: &str, keep: usize, oldest: SystemTime) -> (Vec<String>, Vec<String>) {
    // Names begin with the revision.
    written.sort_by(|a, b| b.name.cmp(&a.name));
    let mut kept = Vec::new();
    let mut dropped = Vec::new();
    for (rank, listed) in written.into_iter().enumerate() {
        let stays = rank < keep || listed.modified >= oldest || listed.name == head;
        if stays { &mut kept } else { &mut dropped }.push(listed.name);
    }
    (kept, dropped)
}

fn name_objects(manifest: &Manifest, named: &mut HashSet<String>) {
    named.extend(manifest.parts.iter().map(|part| part.name.clone()));
    named.extend(manifest.state.iter().map(|object| object.name.clone()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_the_young_and_the_heads_manifest_stay() {
        let now = SystemTime::now();
        let hours = |hours: u64| now - Duration::from_secs(hours * 3600);
        let listed =
            |revision: u64, age: u64| Listed { name: manifests::name("local", 0, revision, "c"), bytes: 1, modified: hours(age) };
        let written = vec![listed(1, 90), listed(2, 80), listed(3, 70), listed(4, 1), listed(11, 60), listed(10, 65)];
        let head = manifests::name("local", 0, 2, "c");
        let (kept, dropped) = split(written, &head, 2, hours(24));
        let names = |revisions: &[u64]| revisions.iter().map(|r| manifests::name("local", 0, *r, "c")).collect::<Vec<_>>();
        assert_eq!(kept, names(&[11, 10, 4, 2]));
        assert_eq!(dropped, names(&[3, 1]));
    }
}
