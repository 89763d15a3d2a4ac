//! The committed side of a partition: its manifest, moved by one compare-and-set after the other.

use crate::Shared;
use crate::status::now_ms;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use weir_reader::heads::{self, HeadKey, Swap};
use weir_reader::{ReaderError, manifests};
use weir_rollup::manifest::{Head, MANIFEST_VERSION, Manifest, Mismatch};

/// A commit that takes longer is given up: the sweeper may delete files that no manifest names after a day.
const COMMIT_TIMEOUT: Duration = Duration::from_hours(1);

/// Why a commit did not happen.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommitError {
    /// Somebody else moved the head: everything read from it is out of date.
    #[error("another aggregator moved the head")]
    Lost,
    /// NATS was away for an hour, or this process stood still.
    #[error("the commit took longer than an hour; it is given up and made again")]
    Expired,
    /// Reading or writing failed.
    #[error(transparent)]
    Failed(#[from] ReaderError),
    /// The manifest would not hold what was accepted.
    #[error("the ledger does not balance: {0}")]
    Unbalanced(#[from] Mismatch),
}

/// Which manifests of a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// Those that are served.
    Served,
    /// Those of a replay's shadow.
    Shadow {
        /// Id of the replay.
        replay_id: String,
    },
}

impl Line {
    /// Where its head is.
    pub(crate) fn head_key(&self, region: &str, partition: u32) -> HeadKey {
        match self {
            Self::Served => HeadKey::served(region, partition),
            Self::Shadow { replay_id } => HeadKey::shadow(replay_id, region, partition),
        }
    }
}

/// The committed manifest as this process knows it. Flushes and merges take turns at it.
pub(crate) struct Commits {
    shared: Arc<Shared>,
    line: Line,
    partition: u32,
    committed: Mutex<Committed>,
    /// Fires when somebody else moved the head.
    lost: CancellationToken,
}

/// A manifest and what the next commit must name.
#[derive(Clone, Debug)]
pub(crate) struct Committed {
    pub(crate) manifest: Manifest,
    /// `None` before the first commit.
    pub(crate) name: Option<String>,
    /// SHA-256 of its bytes; empty before the first commit.
    pub(crate) checksum: String,
    /// 0 before the first commit.
    pub(crate) kv_revision: u64,
}

impl Committed {
    /// What stands before the first commit: revision 0, nothing sealed.
    pub(crate) fn nothing(region: &str, partition: u32, stream: &str, created: &str) -> Self {
        let manifest = Manifest::nothing(region, partition, stream, created);
        Self { manifest, name: None, checksum: String::new(), kv_revision: 0 }
    }

    /// What a line's head names; `None` when nothing was committed yet.
    pub(crate) async fn load(shared: &Shared, line: &Line, partition: u32) -> Result<Option<Self>, ReaderError> {
        let key = line.head_key(&shared.config.region, partition);
        let Some(entry) = heads::get_at(&shared.jetstream, &key).await? else { return Ok(None) };
        let manifest = manifests::load(&shared.store, &entry.head).await?;
        Ok(Some(Self {
            manifest,
            name: Some(entry.head.manifest),
            kv_revision: entry.kv_revision,
            checksum: entry.head.checksum,
        }))
    }
}

impl Commits {
    pub(crate) fn new(shared: Arc<Shared>, line: Line, partition: u32, committed: Committed) -> Self {
        Self { shared, line, partition, committed: Mutex::new(committed), lost: CancellationToken::new() }
    }

    /// The manifest as last committed, and what the head says of it.
    pub(crate) async fn committed(&self) -> Committed {
        self.committed.lock().await.clone()
    }

    /// The manifest as last committed.
    pub(crate) async fn manifest(&self) -> Manifest {
        self.committed.lock().await.manifest.clone()
    }

    /// Whether it is what is served, and no shadow.
    pub(crate) fn is_served(&self) -> bool {
        self.line == Line::Served
    }

    /// Returns once somebody else moved the head.
    pub(crate) async fn lost(&self) {
        self.lost.cancelled().await;
    }

    /// Commits what `change` makes of the manifest, if it balances; `None` = it no longer fits, nothing is done. Returns the manifest as it then stands.
    ///
    /// `begun_ms` is when the first of the files that it names was stored (Unix milliseconds): they may be gone if that is long ago, as when
    /// this machine slept.
    ///
    /// Dropped half way, the commit may have happened or not: this must not be used again then.
    pub(crate) async fn commit(
        &self,
        begun_ms: u64,
        change: impl FnOnce(&mut Manifest) -> bool + Send,
    ) -> Result<Option<Manifest>, CommitError> {
        let mut committed = self.committed.lock().await;
        if self.lost.is_cancelled() {
            return Err(CommitError::Lost);
        }
        let mut manifest = committed.manifest.clone();
        // Manifests of before the ledger have no count: their rows begin it.
        manifest.accepted.get_or_insert(committed.manifest.rows());
        if !change(&mut manifest) {
            return Ok(None);
        }
        manifest.check_balance()?;
        manifest.version = MANIFEST_VERSION;
        manifest.revision += 1;
        manifest.parent.clone_from(&committed.name);
        manifest.written_ms = now_ms();
        manifest.parts.sort_by(|a, b| (a.min_seq, &a.name).cmp(&(b.min_seq, &b.name)));
        let commit_id = uuid::Uuid::new_v4().simple().to_string();
        let object = match self.line {
            Line::Served => manifests::put(&self.shared.store, &manifest, &commit_id).await?,
            Line::Shadow { .. } => manifests::put_shadow(&self.shared.store, &manifest, &commit_id).await?,
        };
        let head = Head {
            revision: manifest.revision,
            sealed_seq: manifest.sealed_seq,
            manifest: object.name.clone(),
            checksum: object.checksum.clone(),
            commit_id,
        };
        let key = self.line.head_key(&self.shared.config.region, self.partition);
        if now_ms().saturating_sub(begun_ms) > COMMIT_TIMEOUT.as_millis() as u64 {
            return Err(CommitError::Expired);
        }
        let swap = heads::compare_and_set(&self.shared.jetstream, &key, committed.kv_revision, &head);
        match tokio::time::timeout(COMMIT_TIMEOUT, swap).await {
            Ok(Ok(Swap::Committed { kv_revision })) => {
                let (name, checksum) = (Some(object.name), object.checksum);
                *committed = Committed { manifest: manifest.clone(), name, checksum, kv_revision };
                Ok(Some(manifest))
            }
            Ok(Ok(Swap::Lost { .. })) => {
                self.lost.cancel();
                Err(CommitError::Lost)
            }
            Ok(Err(error)) => Err(error.into()),
            Err(_) => Err(CommitError::Expired),
        }
    }
}
