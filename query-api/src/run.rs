//! The service from start to end: listen, follow the region, answer, and stop when told.

use crate::bundling::Bundling;
use crate::cache::FigureCache;
use crate::clock::Clock;
use crate::config::{Config, ConfigError};
use crate::control::{Directory, HomeSetting};
use crate::engine::{Engine, EngineConfig, EngineError};
use crate::http;
use crate::limits;
use crate::operator::{Operator, OperatorActions};
use crate::regions::OtherRegion;
use crate::revision::Revisions;
use crate::service::Service;
use crate::tail::{Follower, HeadSlot, Limits, PartitionView};
use crate::telemetry::Telemetry;
use async_nats::jetstream::Context;
use std::collections::BTreeMap;
use std::future::IntoFuture;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use weir_reader::heads::{self, HeadChange};
use weir_reader::rules::Rulebook;
use weir_reader::store::Store;
use weir_reader::{NatsConfig, ReaderError, connect, jetstream};
use weir_rollup::rules::{Rules, RulesError};

/// Pause before NATS is tried again.
const CONNECT_AGAIN_AFTER: Duration = Duration::from_millis(500);
/// How long requests under way may take when the service ends; then their statements are interrupted.
const LAST_REQUESTS: Duration = Duration::from_secs(5);
/// How long the answers to those that were interrupted may take.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

/// Why the service could not start, or ended.
#[derive(Debug, Error)]
pub enum RunError {
    /// A setting cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The port is taken or not ours.
    #[error("cannot listen on {listen}: {cause}")]
    Listen {
        /// The address.
        listen: SocketAddr,
        /// What the system says.
        cause: std::io::Error,
    },
    /// The folder for work files cannot be made.
    #[error("cannot make {folder}: {cause}")]
    Work {
        /// The folder.
        folder: String,
        /// What the system says.
        cause: std::io::Error,
    },
    /// The object store cannot be opened.
    #[error(transparent)]
    Store(#[from] ReaderError),
    /// The rules of the fold do not load.
    #[error(transparent)]
    Rules(#[from] RulesError),
    /// DuckDB does not start.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The server ended by itself.
    #[error("serving ended: {0}")]
    Serve(std::io::Error),
}

/// Serves until `cancel` fires.
///
/// It listens at once and says 503 on `/api/health` until the region is loaded; NATS may come later and go away meanwhile.
pub async fn run(config: Config, cancel: CancellationToken) -> Result<(), RunError> {
    run_with(config, None, cancel).await
}

/// As [`run`], for operators who may work on the files from the dashboard.
pub async fn run_with(
    config: Config,
    actions: Option<Arc<dyn OperatorActions>>,
    cancel: CancellationToken,
) -> Result<(), RunError> {
    config.validate()?;
    let listener = TcpListener::bind(config.listen).await.map_err(|cause| RunError::Listen { listen: config.listen, cause })?;
    let temp_dir = config.work.clone();
    std::fs::create_dir_all(&temp_dir).map_err(|cause| RunError::Work { folder: temp_dir.display().to_string(), cause })?;
    let engine = Engine::open(EngineConfig {
        temp_dir,
        memory_bytes_max: config.memory_limit_mb * 1_000_000,
        threads: config.duckdb_threads,
        running_max: config.running_queries_max,
        waiting_max: config.waiting_queries_max,
        timeout: Duration::from_millis(config.query_timeout_ms),
        parts_max: config.attached_parts_max,
    })?;
    let store = Store::open(&config.files)?;
    let rules = Rules::built_in()?;
    let (senders, partitions) = channels(&config.partitions);
    let (mut others, mut followed) = (Vec::new(), Vec::new());
    for other in &config.others {
        let (senders, partitions) = channels(&config.partitions);
        let store = Store::open(&other.files)?;
        followed.push(region(&config, &engine, &rules, &other.name, &other.nats, &store, senders));
        others.push(Arc::new(OtherRegion::new(&other.name, store, partitions)));
    }
    let service = Arc::new(Service {
        engine: Arc::clone(&engine),
        directory: Directory::default(),
        store: store.clone(),
        region: config.region.clone(),
        collector_url: config.collector_url.clone(),
        revisions: Revisions::new(store.clone(), &config.region, config.partitions.iter().copied()),
        partitions,
        others,
        cache: FigureCache::new(config.cache_bytes_max),
        limits: Arc::new(limits::Limits::new(config.limits)),
        stopping: cancel.clone(),
        operator: Operator::new(actions),
        clock: Clock::System,
        telemetry: Telemetry::default(),
    });
    let drain = Duration::from_millis(config.drain_ms);
    let ended = CancellationToken::new();
    let mut tasks = JoinSet::new();
    let bundles = |name: &str, store: &Store, views: &Receivers| Bundling {
        engine: Arc::clone(&engine),
        store: store.clone(),
        folder: config.work.join(name),
        views: views.clone(),
    };
    tasks.spawn(bundles("bundles", &store, &service.partitions).run(ended.clone()));
    for (other, region) in service.others.iter().zip(followed) {
        tasks.spawn(bundles(&format!("bundles-{}", other.name), &other.store, &other.partitions).run(ended.clone()));
        let other = Arc::clone(other);
        tasks.spawn(region.follow(move |jetstream| other.connect(jetstream), ended.clone()));
    }
    let own = region(&config, &engine, &rules, &config.region, &config.nats, &store, senders);
    let home = match &config.home {
        None => HomeSetting::Unsaid,
        Some(home) => {
            let other = service.others.iter().find(|other| other.name == *home);
            other.map_or(HomeSetting::Here, |other| HomeSetting::At(Arc::clone(other)))
        }
    };
    tasks.spawn(follow_own(own, Arc::clone(&service), home, ended.clone()));
    let router = http::router(service);
    let closing = close(cancel.clone(), drain);
    let mut serving = pin!(axum::serve(listener, router).with_graceful_shutdown(closing).into_future());
    let outcome = tokio::select! {
        served = &mut serving => served,
        () = last_moment(&cancel, drain) => {
            engine.end().await;
            timeout(LAST_ANSWERS, serving).await.unwrap_or(Ok(()))
        }
    };
    ended.cancel();
    // Cancelled or panicked, there is nothing left to do.
    while tasks.join_next().await.is_some() {}
    engine.end().await;
    outcome.map_err(RunError::Serve)
}

/// Returns when no new requests are taken any more. Until then whoever distributes them can learn that this one ends.
async fn close(cancel: CancellationToken, drain: Duration) {
    cancel.cancelled().await;
    sleep(drain).await;
    tracing::info!("no new requests are taken, those under way are answered");
}

/// Returns when the time for the last requests is over.
async fn last_moment(cancel: &CancellationToken, drain: Duration) {
    cancel.cancelled().await;
    sleep(drain + LAST_REQUESTS).await;
}

type Views = watch::Sender<Arc<PartitionView>>;
type Receivers = BTreeMap<u32, watch::Receiver<Arc<PartitionView>>>;

/// A channel for the views of each partition.
fn channels(partitions: &[u32]) -> (BTreeMap<u32, Views>, Receivers) {
    let channel = |partition: &u32| {
        let (sender, receiver) = watch::channel(Arc::new(PartitionView::loading("not connected to NATS")));
        ((*partition, sender), (*partition, receiver))
    };
    partitions.iter().map(channel).unzip()
}

/// What is needed to follow a region.
struct Region {
    name: String,
    nats: NatsConfig,
    engine: Arc<Engine>,
    rulebook: Arc<Rulebook>,
    store: Store,
    limits: Limits,
    senders: BTreeMap<u32, Views>,
}

fn region(
    config: &Config,
    engine: &Arc<Engine>,
    rules: &Arc<Rules>,
    name: &str,
    nats: &NatsConfig,
    store: &Store,
    senders: BTreeMap<u32, Views>,
) -> Region {
    Region {
        name: name.to_owned(),
        nats: nats.clone(),
        engine: Arc::clone(engine),
        rulebook: Arc::new(Rulebook::new(store.clone(), Arc::clone(rules))),
        store: store.clone(),
        limits: Limits { rows_max: config.tail_rows_max, bytes_max: config.tail_bytes_max },
        senders,
    }
}

impl Region {
    /// Follows until `cancel` fires. `connected` is told the region's streams and buckets once somebody answers there.
    async fn follow(self, connected: impl FnOnce(Context) + Send, cancel: CancellationToken) {
        let jetstream = tokio::select! {
            jetstream = connect_until(&self.name, &self.nats) => jetstream,
            () = cancel.cancelled() => return,
        };
        connected(jetstream.clone());
        let mut tasks = JoinSet::new();
        let mut heads = BTreeMap::new();
        for (partition, views) in self.senders {
            let (sender, receiver) = watch::channel(HeadSlot::Unknown);
            heads.insert(partition, sender);
            let follower = Follower {
                engine: Arc::clone(&self.engine),
                rulebook: Arc::clone(&self.rulebook),
                store: self.store.clone(),
                jetstream: jetstream.clone(),
                region: self.name.clone(),
                partition,
                limits: self.limits,
                clock: Clock::System,
                heads: receiver,
                views,
            };
            tasks.spawn(follower.run(cancel.clone()));
        }
        tasks.spawn(follow_heads(jetstream, self.name, heads, cancel));
        tasks.join_all().await;
    }
}

/// Follows the service's own region, with what is set up in it.
async fn follow_own(region: Region, service: Arc<Service>, home: HomeSetting, cancel: CancellationToken) {
    let (told, connected) = oneshot::channel();
    let control = async {
        let Ok(jetstream) = connected.await else { return };
        let service: &Service = &service;
        service.revisions.connect(Context::clone(&jetstream));
        Box::pin(service.directory.follow(jetstream, &service.region, home, cancel.clone())).await;
    };
    // Nobody listens any more when the service ends.
    let tell = |jetstream| drop(told.send(jetstream));
    tokio::join!(region.follow(tell, cancel.clone()), Box::pin(control));
}

async fn connect_until(region: &str, nats: &NatsConfig) -> Context {
    let mut is_first = true;
    loop {
        match connect(nats).await {
            Ok(client) => return jetstream(client),
            Err(error) => {
                if is_first {
                    tracing::warn!(region, %error, "not connected to NATS, trying again");
                    is_first = false;
                }
                sleep(CONNECT_AGAIN_AFTER).await;
            }
        }
    }
}

/// Tells each partition its head, until `cancel` fires.
async fn follow_heads(
    jetstream: Context,
    region: String,
    slots: BTreeMap<u32, watch::Sender<HeadSlot>>,
    cancel: CancellationToken,
) {
    let follow = async {
        let mut watch = loop {
            match heads::watch(&jetstream).await {
                Ok(watch) => break watch,
                Err(error) => {
                    tracing::warn!(%error, "heads cannot be followed, trying again");
                    sleep(CONNECT_AGAIN_AFTER).await;
                }
            }
        };
        loop {
            match watch.next().await {
                HeadChange::Moved { region: of, partition, entry } if of == region => {
                    let Some(slot) = slots.get(&partition) else { continue };
                    slot.send_if_modified(|slot| {
                        let is_old = matches!(slot, HeadSlot::Known(Some(known)) if known.kv_revision >= entry.kv_revision);
                        if !is_old {
                            *slot = HeadSlot::Known(Some(entry));
                        }
                        !is_old
                    });
                }
                HeadChange::Moved { .. } => {}
                HeadChange::Unreadable { key, reason } => tracing::error!(key, reason, "head cannot be read"),
                HeadChange::CaughtUp => {
                    for slot in slots.values() {
                        slot.send_if_modified(|slot| {
                            let is_unknown = *slot == HeadSlot::Unknown;
                            if is_unknown {
                                *slot = HeadSlot::Known(None);
                            }
                            is_unknown
                        });
                    }
                }
            }
        }
    };
    tokio::select! {
        () = follow => {}
        () = cancel.cancelled() => {}
    }
}
