//! Following a partition: heads as they are committed, messages as they arrive; after each change a new view is published.

use super::live::{Limits, Live, LiveError};
use super::logic::{self, Lack};
use super::session::Session;
use super::{Condition, PartitionView, unreadable};
use crate::clock::Clock;
use crate::engine::Engine;
use async_nats::jetstream::Context;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use weir_reader::heads::HeadEntry;
use weir_reader::rules::Rulebook;
use weir_reader::store::Store;
use weir_reader::stream::{self, PartitionStream};
use weir_reader::{ReaderError, manifests, states};
use weir_rollup::fold::State;
use weir_rollup::manifest::Manifest;

/// Pause before a partition that could not be loaded is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// Pause before a missing logic is looked for again: rules may come into the store later.
const LOGIC_AGAIN_AFTER: Duration = Duration::from_secs(3);

/// What is known of a partition's head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeadSlot {
    /// Not told yet.
    Unknown,
    /// The head, `None` = nothing committed yet.
    Known(Option<HeadEntry>),
}

/// Follows one partition.
pub struct Follower {
    /// The engine that keeps the rows.
    pub engine: Arc<Engine>,
    /// The rules of the fold, by logic.
    pub rulebook: Arc<Rulebook>,
    /// Where manifests and states are.
    pub store: Store,
    /// The stream's server.
    pub jetstream: Context,
    /// Region of the partition.
    pub region: String,
    /// Its number.
    pub partition: u32,
    /// What its live end may hold.
    pub limits: Limits,
    /// The time.
    pub clock: Clock,
    /// Its head.
    pub heads: watch::Receiver<HeadSlot>,
    /// Where views go.
    pub views: watch::Sender<Arc<PartitionView>>,
}

/// Why following began anew.
pub(super) enum End {
    /// The manifest moved on in a way that the live end cannot follow.
    Reload,
    /// Somebody must act.
    Stop(String),
    /// It may work later.
    Again(String),
}

impl From<ReaderError> for End {
    fn from(error: ReaderError) -> Self {
        match error {
            ReaderError::Gap { .. } | ReaderError::Rewound { .. } | ReaderError::Recreated { .. } => {
                Self::Stop(error.to_string())
            }
            error => Self::Again(error.to_string()),
        }
    }
}

impl From<LiveError> for End {
    fn from(error: LiveError) -> Self {
        match error {
            LiveError::Undecodable { .. } => Self::Stop(error.to_string()),
            LiveError::Engine(_) => Self::Again(error.to_string()),
        }
    }
}

impl Follower {
    /// Follows until `cancel` fires.
    pub async fn run(mut self, cancel: CancellationToken) {
        loop {
            let end = tokio::select! {
                end = self.follow() => end,
                () = cancel.cancelled() => return,
            };
            let condition = match end {
                Ok(()) | Err(End::Reload) => continue,
                Err(End::Again(reason)) => Condition::Loading { reason },
                Err(End::Stop(reason)) => Condition::Stopped { reason },
            };
            self.warn_of(&condition);
            self.views.send_modify(|view| Arc::make_mut(view).condition = condition);
            tokio::select! {
                () = sleep(RETRY_AFTER) => {}
                () = cancel.cancelled() => return,
            }
        }
    }

    /// From loading the newest head to whatever ends it.
    async fn follow(&mut self) -> Result<(), End> {
        let Some(head) = self.head().await else { return pending().await };
        let manifest = self.load(head.as_ref()).await?;
        let rules = match logic::rules(&self.rulebook, manifest.as_deref()).await {
            Ok(rules) => rules,
            Err(Lack::Store(reason)) => return Err(End::Again(reason)),
            Err(Lack::Logic(reason)) => {
                let condition = Condition::SealedOnly { reason };
                self.warn_of(&condition);
                self.publish_sealed(manifest, condition);
                tokio::select! {
                    // The sender lives as long as this.
                    changed = self.heads.changed() => return changed.map_err(|_| End::Reload),
                    () = sleep(LOGIC_AGAIN_AFTER) => return Err(End::Reload),
                }
            }
        };
        let sealed_seq = manifest.as_ref().map_or(0, |manifest| manifest.sealed_seq);
        self.publish_sealed(manifest.clone(), Condition::Loading { reason: "the live end is not folded yet".to_owned() });
        let state = self.state(manifest.as_deref()).await?;
        let stream = PartitionStream::open(&self.jetstream, &self.region, self.partition, sealed_seq + 1).await?;
        self.check_identity(manifest.as_deref(), &stream).await?;
        let live = Live::new(Arc::clone(&self.engine), rules, self.store.clone(), manifest.clone(), state);
        tracing::info!(
            region = self.region,
            partition = self.partition,
            stream.sequence = sealed_seq,
            "the live end is followed"
        );
        Session::new(self, manifest, live, stream).run().await
    }

    /// The newest head, once it is known. `None` when nobody tells any more.
    pub(super) async fn head(&mut self) -> Option<Option<HeadEntry>> {
        let slot = self.heads.wait_for(|slot| *slot != HeadSlot::Unknown).await.ok()?.clone();
        match slot {
            HeadSlot::Known(head) => Some(head),
            HeadSlot::Unknown => None,
        }
    }

    pub(super) async fn load(&self, head: Option<&HeadEntry>) -> Result<Option<Arc<Manifest>>, End> {
        let Some(entry) = head else { return Ok(None) };
        let manifest = manifests::load(&self.store, &entry.head).await.map_err(|error| End::Again(error.to_string()))?;
        if let Some(reason) = unreadable(&manifest) {
            return Err(End::Stop(reason));
        }
        Ok(Some(Arc::new(manifest)))
    }

    async fn state(&self, manifest: Option<&Manifest>) -> Result<State, End> {
        let Some(manifest) = manifest else { return Ok(State::default()) };
        let Some(encoded) = states::load(&self.store, manifest).await? else { return Ok(State::default()) };
        let decoded = tokio::task::spawn_blocking(move || State::decode(&encoded)).await;
        decoded.map_err(|error| End::Again(error.to_string()))?.map_err(|error| End::Again(error.to_string()))
    }

    async fn check_identity(&self, manifest: Option<&Manifest>, stream: &PartitionStream) -> Result<(), End> {
        let Some(manifest) = manifest else { return Ok(()) };
        let sealed = &manifest.stream;
        if stream.created() != sealed.created {
            return Err(End::Stop(format!(
                "stream {} was created {}, the sealed one {}",
                sealed.name,
                stream.created(),
                sealed.created
            )));
        }
        if manifest.sealed_seq == 0 {
            return Ok(());
        }
        match stream::message_id_at(&self.jetstream, &self.region, self.partition, manifest.sealed_seq).await? {
            Some(found) if found != sealed.sealed_message_id => Err(End::Stop(format!(
                "message {} of stream {} is {found}, sealed was {}",
                manifest.sealed_seq, sealed.name, sealed.sealed_message_id
            ))),
            // Purged, but nothing after it: opening the stream checked that.
            _ => Ok(()),
        }
    }

    /// Tells the log of a condition, once.
    fn warn_of(&self, condition: &Condition) {
        if self.views.borrow().condition != *condition {
            let reason = condition.alarm().unwrap_or_default();
            tracing::warn!(region = self.region, partition = self.partition, reason, "the live end cannot be followed");
        }
    }

    /// Serves the parts alone. What was shown of the live end before stays until it is folded again.
    fn publish_sealed(&self, manifest: Option<Arc<Manifest>>, condition: Condition) {
        let sealed_seq = manifest.as_ref().map_or(0, |manifest| manifest.sealed_seq);
        let before = self.views.borrow().clone();
        if matches!(condition, Condition::Loading { .. }) && before.folded_seq >= sealed_seq && before.is_ready {
            return;
        }
        let is_ready = before.is_ready || matches!(condition, Condition::SealedOnly { .. });
        self.views.send_replace(Arc::new(PartitionView {
            is_ready,
            stream: before.stream,
            heard_ms: before.heard_ms,
            ..PartitionView::sealed(manifest, condition)
        }));
    }
}
