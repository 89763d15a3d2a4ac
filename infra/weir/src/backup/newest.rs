//! The newest state of a partition that the object store still has whole. It may be newer than the backup: each commit left its manifest there.

use anyhow::{Context as _, Result};
use std::collections::BTreeSet;
use weir_reader::manifests::{self, MANIFEST_BYTES_MAX};
use weir_reader::store::{Store, checksum};
use weir_rollup::manifest::{Head, Manifest};

/// The newest manifest of a partition whose objects are all there, as a head of its own; `None` when there is none.
///
/// Of two manifests of one revision one lost its commit. Both list what was sealed then; the one that goes further is taken.
pub(super) async fn find(store: &Store, region: &str, partition: u32, at_least: u64) -> Result<Option<(Head, Manifest)>> {
    let folder = manifests::folder(region, partition);
    let mut names = Vec::new();
    for listed in store.list(&folder).await? {
        names.extend(
            commit_of(&listed.name).filter(|(revision, _)| *revision >= at_least).map(|(revision, _)| (revision, listed.name)),
        );
    }
    names.sort_unstable();
    if names.is_empty() {
        return Ok(None);
    }
    let there = objects_of(store, region, partition).await?;
    let mut best: Option<(Head, Manifest)> = None;
    for (revision, name) in names.into_iter().rev() {
        if best.as_ref().is_some_and(|(head, _)| head.revision > revision) {
            break;
        }
        let bytes = store.get(&name, MANIFEST_BYTES_MAX).await?;
        // One of a newer program is refused: going on with an older one would drop what was sealed since.
        let manifest = manifests::read(store, &name).await.with_context(|| format!("the manifest {name}"))?;
        let is_whole = manifest.objects().iter().all(|object| there.contains(*object));
        let goes_further = best.as_ref().is_none_or(|(head, _)| manifest.sealed_seq > head.sealed_seq);
        if is_whole && goes_further {
            let commit_id = commit_of(&name).map(|(_, id)| id).unwrap_or_default();
            let head = Head { revision, sealed_seq: manifest.sealed_seq, checksum: checksum(&bytes), commit_id, manifest: name };
            best = Some((head, manifest));
        }
    }
    Ok(best)
}

/// Revision and commit id by a manifest's name.
fn commit_of(name: &str) -> Option<(u64, String)> {
    let (revision, id) = name.rsplit('/').next()?.strip_suffix(".json")?.split_once('-')?;
    Some((revision.parse().ok()?, id.to_owned()))
}

/// Names of all objects of a partition.
async fn objects_of(store: &Store, region: &str, partition: u32) -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for kind in ["parts", "state", "rollups", "archive"] {
        let listed = store.list(&format!("{kind}/{region}-{partition}")).await?;
        names.extend(listed.into_iter().map(|listed| listed.name));
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use weir_rollup::manifest::ObjectRef;

    fn manifest(revision: u64, sealed_seq: u64, state: &str) -> Manifest {
        let state = vec![ObjectRef { name: format!("state/local-0/{state}"), checksum: String::new() }];
        Manifest { revision, sealed_seq, state, ..Manifest::nothing("local", 0, "EVENTS_local_0", "t") }
    }

    #[tokio::test]
    async fn the_newest_whole_one_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::local(folder.path()).unwrap();
        assert_eq!(find(&store, "local", 0, 0).await.unwrap(), None);
        for state in ["a", "b"] {
            store.put(&format!("state/local-0/{state}"), Bytes::from_static(b"s")).await.unwrap();
        }
        for (manifest, commit) in [
            (manifest(9, 90, "a"), "w"),
            (manifest(10, 100, "b"), "x"),
            (manifest(10, 101, "b"), "y"),
            (manifest(11, 110, "gone"), "z"),
        ] {
            manifests::put(&store, &manifest, commit).await.unwrap();
        }
        let (head, found) = find(&store, "local", 0, 0).await.unwrap().unwrap();
        assert_eq!((head.revision, head.sealed_seq, head.commit_id.as_str()), (10, 101, "y"), "11 lacks its state");
        assert_eq!(manifests::load(&store, &head).await.unwrap(), found);
        assert_eq!(find(&store, "local", 0, 11).await.unwrap(), None);
        assert_eq!(find(&store, "local", 1, 0).await.unwrap(), None);
    }
}
