//! The sweeper, the only one that deletes: objects that no kept manifest names, once they are old enough.

use crate::Shared;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio_util::sync::CancellationToken;
use weir_reader::heads::HeadKey;
use weir_reader::store::{Listed, Store};
use weir_reader::{ReaderError, heads, manifests, replays, states};
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
    let shadows = store.list(&manifests::shadow_folder(region, partition)).await?;
    let Some(entry) = heads::get(&shared.jetstream, region, partition).await? else { return Ok(0) };
    let served = manifests::load(store, &entry.head).await?;
    let mut in_use = vec![entry.head.manifest];
    // What a rollback restores is as good as served.
    in_use.extend(served.promotion.and_then(|promotion| promotion.former).map(|former| former.name));
    let shadow = shadow_in_use(shared, partition).await?;
    let oldest = SystemTime::now() - Duration::from_millis(shared.config.sweep_after_ms);
    let (mut kept, mut dropped) = split(written, &in_use, shared.config.manifests_kept, oldest);
    let (kept_shadows, dropped_shadows) = split(shadows, &Vec::from_iter(shadow), 0, oldest);
    kept.extend(kept_shadows);
    dropped.extend(dropped_shadows);
    delete_unused(store, files, (kept, dropped), oldest).await
}

/// Name of the manifest of the shadow that is there, if one is.
async fn shadow_in_use(shared: &Shared, partition: u32) -> Result<Option<String>, ReaderError> {
    let region = &shared.config.region;
    let record = match replays::get(&shared.jetstream, region).await {
        Ok(Some(entry)) if entry.record.phase.has_shadow() => entry.record,
        // The bucket is made by the next `weir up`: until then there are no replays.
        Ok(_) | Err(ReaderError::StreamMissing { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    let key = HeadKey::shadow(&record.id, region, partition);
    Ok(heads::get_at(&shared.jetstream, &key).await?.map(|entry| entry.head.manifest))
}

/// Deletes files older than `oldest` that no kept manifest names, then the dropped manifests.
async fn delete_unused(
    store: &Store,
    files: Vec<Listed>,
    (kept, dropped): (Vec<String>, Vec<String>),
    oldest: SystemTime,
) -> Result<usize, ReaderError> {
    let mut named = HashSet::new();
    for name in &kept {
        name_objects(&manifests::read(store, name).await?, &mut named);
    }
    let unused = files.into_iter().filter(|file| file.modified < oldest && !named.contains(&file.name)).map(|file| file.name);
    let doomed: Vec<String> = unused.chain(dropped).collect();
    for name in &doomed {
        store.delete(name).await?;
    }
    Ok(doomed.len())
}

/// Names of the manifests to keep and to drop: those in use, the newest `keep`, and all younger than `oldest` stay.
fn split(mut written: Vec<Listed>, in_use: &[String], keep: usize, oldest: SystemTime) -> (Vec<String>, Vec<String>) {
    // Names begin with the revision.
    written.sort_by(|a, b| b.name.cmp(&a.name));
    let mut kept = Vec::new();
    let mut dropped = Vec::new();
    for (rank, listed) in written.into_iter().enumerate() {
        let stays = rank < keep || listed.modified >= oldest || in_use.contains(&listed.name);
        if stays { &mut kept } else { &mut dropped }.push(listed.name);
    }
    (kept, dropped)
}

fn name_objects(manifest: &Manifest, named: &mut HashSet<String>) {
    named.extend(manifest.parts.iter().map(|part| part.name.clone()));
    let checkpoints = manifest.checkpoints.iter().map(|checkpoint| &checkpoint.state);
    let logic = manifest.logic.iter().filter_map(|from| from.state.as_ref());
    let promotion = manifest.promotion.iter().filter_map(|promotion| promotion.state.as_ref());
    let states = manifest.state.iter().chain(checkpoints).chain(logic).chain(promotion);
    named.extend(states.map(|object| object.name.clone()));
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
        let (kept, dropped) = split(written, &[head], 2, hours(24));
        let names = |revisions: &[u64]| revisions.iter().map(|r| manifests::name("local", 0, *r, "c")).collect::<Vec<_>>();
        assert_eq!(kept, names(&[11, 10, 4, 2]));
        assert_eq!(dropped, names(&[3, 1]));
    }

    #[tokio::test]
    async fn only_old_files_that_no_kept_manifest_names_are_deleted() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::local(folder.path()).unwrap();
        let now = SystemTime::now();
        let put = async |name: &str, hours: u64| {
            store.put(name, bytes::Bytes::from_static(b"x")).await.unwrap();
            let file = std::fs::File::options().write(true).open(store.local_path(name).unwrap()).unwrap();
            file.set_modified(now - Duration::from_hours(hours)).unwrap();
        };
        for (name, hours) in [("named", 90), ("old", 90), ("young", 1), ("of-dropped", 90)] {
            put(&format!("parts/local-0/{name}.duckdb"), hours).await;
            put(&format!("state/local-0/{name}.state.zst"), hours).await;
        }
        let mut manifest = crate::commits::Committed::nothing("local", 0, "S", "t").manifest;
        let mut names = Vec::new();
        for (revision, named) in [(1, "of-dropped"), (2, "named")] {
            manifest.revision = revision;
            let name = format!("state/local-0/{named}.state.zst");
            manifest.state = vec![weir_rollup::manifest::ObjectRef { name, checksum: String::new() }];
            names.push(manifests::put(&store, &manifest, "c").await.unwrap().name);
        }
        let files = [store.list("parts/local-0").await.unwrap(), store.list("state/local-0").await.unwrap()].concat();
        let dropped = vec![names.remove(0)];
        let deleted = delete_unused(&store, files, (names.clone(), dropped), now - Duration::from_hours(24)).await.unwrap();
        // Parts: named, old, of-dropped (no manifest names a part here); states: old, of-dropped; one manifest.
        assert_eq!(deleted, 6);
        let left = |prefix: &'static str| {
            let store = store.clone();
            async move { store.list(prefix).await.unwrap().into_iter().map(|listed| listed.name).collect::<HashSet<_>>() }
        };
        assert_eq!(left("parts/local-0").await, HashSet::from(["parts/local-0/young.duckdb".to_owned()]));
        let states = ["state/local-0/named.state.zst", "state/local-0/young.state.zst"].map(str::to_owned);
        assert_eq!(left("state/local-0").await, HashSet::from(states));
        assert_eq!(left("manifests/local-0").await, HashSet::from([names.remove(0)]));
    }
}
