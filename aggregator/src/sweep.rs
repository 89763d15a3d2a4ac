//! The sweeper, the only one that deletes: objects that no kept manifest names, once they are old enough.

use crate::damage::parts_folder;
use crate::{Shared, rollups};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio_util::sync::CancellationToken;
use weir_reader::heads::HeadKey;
use weir_reader::store::{Listed, Store, quarantined_name};
use weir_reader::{ReaderError, archive, heads, manifests, replays, states};
use weir_rollup::manifest::Manifest;
use weir_rollup::sweep::{self, Aged, Division};

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
    let mut files = store.list(&parts_folder(region, partition)).await?;
    files.extend(store.list(&states::folder(region, partition)).await?);
    files.extend(store.list(&archive::folder(region, partition)).await?);
    files.extend(store.list(&quarantined_name(&parts_folder(region, partition))).await?);
    files.extend(store.list(&rollups::folder(region, partition)).await?);
    let written = store.list(&manifests::folder(region, partition)).await?;
    let shadows = store.list(&manifests::shadow_folder(region, partition)).await?;
    let Some(entry) = heads::get(&shared.jetstream, region, partition).await? else { return Ok(0) };
    let served = manifests::load(store, &entry.head).await?;
    let is_awaited = served.erasures.iter().any(|erasure| erasure.done_ms.is_some() && erasure.final_ms.is_none());
    let mut in_use = vec![entry.head.manifest];
    // What a rollback restores is as good as served.
    in_use.extend(served.promotion.and_then(|promotion| promotion.former).map(|former| former.name));
    let shadow = shadow_in_use(shared, partition).await?;
    let after_ms = shared.config.sweep_after_ms;
    // Manifests of before an erasure name files that have what was erased.
    let keep = if is_awaited { 0 } else { shared.config.manifests_kept };
    let mut manifests = sweep::divide(aged(written), &in_use, keep, after_ms);
    let shadows = sweep::divide(aged(shadows), &Vec::from_iter(shadow), 0, after_ms);
    manifests.kept.extend(shadows.kept);
    manifests.dropped.extend(shadows.dropped);
    delete_unneeded(store, aged(files), manifests, after_ms).await
}

/// When the oldest object of a partition was written that the served manifest does not name, Unix milliseconds; `None` = there is none.
pub(crate) async fn oldest_left(shared: &Shared, partition: u32, served: &Manifest) -> Result<Option<u64>, ReaderError> {
    let (region, store) = (&shared.config.region, &shared.store);
    let named = served.objects();
    let mut files = store.list(&format!("parts/{region}-{partition}")).await?;
    files.extend(store.list(&archive::folder(region, partition)).await?);
    files.extend(store.list(&states::folder(region, partition)).await?);
    files.retain(|listed| !named.contains(listed.name.as_str()));
    files.extend(store.list(&manifests::shadow_folder(region, partition)).await?);
    let mut written = store.list(&manifests::folder(region, partition)).await?;
    // Names begin with the revision: the last one is served.
    written.sort_by(|a, b| a.name.cmp(&b.name));
    written.pop();
    files.extend(written);
    let since_epoch = |time: SystemTime| time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
    Ok(files.iter().map(|listed| since_epoch(listed.modified)).min())
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

/// Objects with their ages. A clock that was set back makes them young.
fn aged(listed: Vec<Listed>) -> Vec<Aged> {
    let now = SystemTime::now();
    let age_ms = |modified: SystemTime| now.duration_since(modified).map_or(0, |age| age.as_millis() as u64);
    listed.into_iter().map(|listed| Aged { age_ms: age_ms(listed.modified), name: listed.name }).collect()
}

/// Deletes files that no kept manifest names, then the dropped manifests.
async fn delete_unneeded(store: &Store, files: Vec<Aged>, manifests: Division, after_ms: u64) -> Result<usize, ReaderError> {
    let mut named = BTreeSet::new();
    for name in &manifests.kept {
        for object in manifests::read(store, name).await?.objects() {
            // What is set aside tells of a damage for as long as the file is needed.
            named.extend([object.to_owned(), quarantined_name(object)]);
        }
    }
    let doomed: Vec<String> = sweep::unneeded(files, &named, after_ms).into_iter().chain(manifests.dropped).collect();
    for name in &doomed {
        store.delete(name).await?;
    }
    Ok(doomed.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

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
            put(&quarantined_name(&format!("state/local-0/{name}.state.zst")), hours).await;
        }
        let mut manifest = crate::commits::Committed::nothing("local", 0, "S", "t").manifest;
        let mut names = Vec::new();
        for (revision, named) in [(1, "of-dropped"), (2, "named")] {
            manifest.revision = revision;
            let name = format!("state/local-0/{named}.state.zst");
            manifest.state = vec![weir_rollup::manifest::ObjectRef { name, checksum: String::new() }];
            names.push(manifests::put(&store, &manifest, "c").await.unwrap().name);
        }
        let mut files = Vec::new();
        for folder in ["parts/local-0", "state/local-0", "quarantine/state/local-0"] {
            files.extend(store.list(folder).await.unwrap());
        }
        let manifests = Division { dropped: vec![names.remove(0)], kept: names.clone() };
        let deleted = delete_unneeded(&store, aged(files), manifests, 24 * 3_600_000).await.unwrap();
        // Parts: named, old, of-dropped (no manifest names a part here); states: old, of-dropped, there and set aside; one manifest.
        assert_eq!(deleted, 8);
        let left = |prefix: &'static str| {
            let store = store.clone();
            async move { store.list(prefix).await.unwrap().into_iter().map(|listed| listed.name).collect::<HashSet<_>>() }
        };
        assert_eq!(left("parts/local-0").await, HashSet::from(["parts/local-0/young.duckdb".to_owned()]));
        let states = ["state/local-0/named.state.zst", "state/local-0/young.state.zst"].map(str::to_owned);
        assert_eq!(left("state/local-0").await, HashSet::from(states));
        let aside = ["named", "young"].map(|name| quarantined_name(&format!("state/local-0/{name}.state.zst")));
        assert_eq!(left("quarantine").await, HashSet::from(aside));
        assert_eq!(left("manifests/local-0").await, HashSet::from([names.remove(0)]));
    }
}
