//! The way back from a manifest along its parents to an earlier revision, for as long as they are kept.

use super::chain::Chain;
use weir_reader::store::Store;
use weir_reader::{ReaderError, manifests};
use weir_rollup::manifest::Manifest;

/// Manifests read for one request: three days of a commit a minute.
pub(super) const STEPS_MAX: usize = 5_000;

/// What the way leads to.
#[derive(Debug)]
pub(super) enum Found {
    /// The wanted manifest.
    Manifest(Box<Manifest>),
    /// It was swept; the oldest after it that is still there.
    Gone {
        /// Its revision.
        oldest: u64,
    },
    /// It is further back than one request goes. What was learned stays, so that the next one begins where this one ended.
    TooFar,
}

/// Finds the manifest of revision `wanted`, which lies before `newest`, in at most `steps_max` steps.
pub(super) async fn find(
    store: &Store,
    chain: &mut Chain,
    newest: &Manifest,
    wanted: u64,
    steps_max: usize,
) -> Result<Found, ReaderError> {
    let mut parent = chain.note(newest);
    let mut reached = newest.revision;
    for _ in 0..steps_max {
        // What is known from before shortens the way.
        let known = chain.first_from(wanted).filter(|(revision, _)| *revision < reached);
        let Some((revision, name)) = known.filter(|_| parent.is_some()) else { return Ok(Found::Gone { oldest: reached }) };
        let Some(manifest) = read(store, &name, revision).await? else {
            chain.forget(revision);
            return Ok(Found::Gone { oldest: oldest_after(store, chain, revision, newest.revision).await? });
        };
        if revision == wanted {
            return Ok(Found::Manifest(Box::new(manifest)));
        }
        parent = chain.note(&manifest);
        reached = revision;
    }
    Ok(Found::TooFar)
}

/// The lowest known revision after `revision` that is still there; `newest` is.
pub(super) async fn oldest_after(store: &Store, chain: &mut Chain, revision: u64, newest: u64) -> Result<u64, ReaderError> {
    let mut from = revision.saturating_add(1);
    while let Some((known, name)) = chain.first_from(from).filter(|(known, _)| *known < newest) {
        if read(store, &name, known).await?.is_some() {
            return Ok(known);
        }
        chain.forget(known);
        from = known + 1;
    }
    Ok(newest)
}

/// Reads a manifest; `None` when it was swept.
async fn read(store: &Store, name: &str, revision: u64) -> Result<Option<Manifest>, ReaderError> {
    match manifests::read(store, name).await {
        Ok(manifest) if manifest.revision == revision => Ok(Some(manifest)),
        Ok(manifest) => Err(ReaderError::Malformed {
            name: name.to_owned(),
            cause: format!("it is of revision {}, not {revision}", manifest.revision).into(),
        }),
        Err(ReaderError::ObjectMissing { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_rollup::manifest::{MANIFEST_VERSION, ObjectRef, Promotion, PromotionKind, StreamIdentity};

    /// A store with the revisions 1 to 9, and what lost commits left at 4 and 7.
    struct Kept {
        _folder: tempfile::TempDir,
        store: Store,
        chain: Chain,
        newest: Manifest,
    }

    fn manifest(revision: u64) -> Manifest {
        Manifest {
            version: MANIFEST_VERSION,
            revision,
            parent: (revision > 1).then(|| name(revision - 1)),
            region: "local".to_owned(),
            partition: 0,
            sealed_seq: revision * 10,
            sealed_stream_ms: 0,
            parts: Vec::new(),
            state: Vec::new(),
            archived_seq: 0,
            logic: Vec::new(),
            stream: StreamIdentity { name: String::new(), created: String::new(), sealed_message_id: String::new() },
            written_ms: 0,
            accepted: None,
            checkpoints: Vec::new(),
            promotion: None,
            archive: Vec::new(),
            rollups: Vec::new(),
            erasures: Vec::new(),
            erased: 0,
        }
    }

    fn name(revision: u64) -> String {
        manifests::name("local", 0, revision, "c")
    }

    async fn kept() -> Kept {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::local(folder.path()).unwrap();
        for revision in 1..=9 {
            manifests::put(&store, &manifest(revision), "c").await.unwrap();
        }
        for (revision, commit_id) in [(4, "0"), (7, "z")] {
            manifests::put(&store, &Manifest { sealed_seq: 0, ..manifest(revision) }, commit_id).await.unwrap();
        }
        let chain = Chain::new(manifests::folder("local", 0));
        Kept { _folder: folder, store, chain, newest: manifest(9) }
    }

    impl Kept {
        /// The sealed sequence of a revision, or the oldest that is left.
        async fn find(&mut self, wanted: u64) -> Result<u64, u64> {
            match find(&self.store, &mut self.chain, &self.newest, wanted, STEPS_MAX).await.unwrap() {
                Found::Manifest(manifest) => Ok(manifest.sealed_seq),
                Found::Gone { oldest } => Err(oldest),
                Found::TooFar => panic!("{wanted} is too far"),
            }
        }

        async fn sweep(&self, revisions: impl Iterator<Item = u64>) {
            for revision in revisions {
                self.store.delete(&name(revision)).await.unwrap();
            }
        }
    }

    #[tokio::test]
    async fn what_was_committed_is_found_along_the_parents() {
        let mut kept = kept().await;
        for wanted in [7, 4, 8, 1, 4, 7] {
            assert_eq!(kept.find(wanted).await, Ok(wanted * 10));
        }
        assert_eq!(kept.find(0).await, Err(1));
    }

    #[tokio::test]
    async fn a_long_way_is_gone_in_several_requests() {
        let mut kept = kept().await;
        for is_there in [false, false, true] {
            let found = find(&kept.store, &mut kept.chain, &kept.newest, 2, 3).await.unwrap();
            assert_eq!(matches!(found, Found::Manifest(_)), is_there, "{found:?}");
            assert!(is_there || matches!(found, Found::TooFar), "{found:?}");
        }
    }

    #[tokio::test]
    async fn where_the_way_breaks_off_is_told() {
        let mut unknown = kept().await;
        unknown.sweep(1..=3).await;
        for wanted in [3, 0, 2] {
            assert_eq!(unknown.find(wanted).await, Err(4), "{wanted} by a way that is not known");
        }
        let mut known = kept().await;
        assert_eq!(known.find(1).await, Ok(10));
        known.sweep(1..=5).await;
        for wanted in [1, 5, 3, 0] {
            assert_eq!(known.find(wanted).await, Err(6), "{wanted} by a way that is known");
        }
        assert_eq!(known.find(6).await, Ok(60));
        known.sweep(6..=8).await;
        assert_eq!(known.find(8).await, Err(9));
        assert_eq!(known.find(6).await, Err(9));
        assert_eq!(oldest_after(&known.store, &mut known.chain, 2, 9).await.unwrap(), 9);
    }

    #[tokio::test]
    async fn what_a_rollback_would_restore_is_found_behind_the_end_of_the_way() {
        let mut kept = kept().await;
        let former = Some(ObjectRef { name: name(3), checksum: String::new() });
        let (replay_id, kind) = ("ab".to_owned(), PromotionKind::Promote);
        let promotion = Promotion { replay_id, kind, at_ms: 1, revision: 4, from_seq: 1, through_seq: 30, former, state: None };
        kept.newest.promotion = Some(promotion);
        kept.sweep([1, 2, 4, 5, 6].into_iter()).await;
        assert_eq!(kept.find(3).await, Ok(30));
        assert_eq!(kept.find(5).await, Err(7));
        assert_eq!(kept.find(2).await, Err(3));
    }

    #[tokio::test]
    async fn names_of_other_folders_and_other_revisions_lead_nowhere() {
        for parent in
            ["shadow/local-0/000000000008-c.json", "manifests/local-0/x", "manifests/local-0/000000000009-c.json", "../x"]
        {
            let mut kept = kept().await;
            kept.newest.parent = Some(parent.to_owned());
            assert_eq!(kept.find(8).await, Err(9), "{parent}");
        }
        let mut kept = kept().await;
        kept.store.put(&name(8), bytes::Bytes::from(serde_json::to_vec(&manifest(7)).unwrap())).await.unwrap();
        assert!(matches!(
            find(&kept.store, &mut kept.chain, &kept.newest, 5, STEPS_MAX).await,
            Err(ReaderError::Malformed { .. })
        ));
    }
}
