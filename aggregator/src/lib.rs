//! Folds partition streams into immutable DuckDB parts and commits them: consume → fold → collect → flush → commit.

pub mod affected;
mod archive;
mod balance;
mod commits;
mod compact;
mod config;
mod damage;
mod duck;
mod erase;
mod erase_archive;
mod erasing;
mod error;
mod flush;
mod intake;
mod merging;
mod monitor;
mod partition;
mod pending;
pub mod replay;
mod requests;
mod rolling;
pub mod rollups;
mod session;
mod standby;
mod status;
mod stored;
mod sweep;
mod template;
mod work;
pub mod write;

pub use config::{Config, ConfigError};
pub use error::RunError;

use monitor::Monitor;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use weir_reader::rules::{self, Rulebook};
use weir_reader::store::Store;
use weir_rollup::rules::{Rules, RulesError};

/// Pause before the object store is tried again.
const STORE_AGAIN_AFTER: Duration = Duration::from_secs(2);

/// What the tasks of one aggregator share.
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) client: async_nats::Client,
    pub(crate) jetstream: async_nats::jetstream::Context,
    pub(crate) store: Store,
    pub(crate) work: work::WorkFolder,
    pub(crate) rulebook: Rulebook,
}

/// Runs the aggregator until `cancel` fires, then flushes what is pending (at most 5 s) and returns.
///
/// NATS and the object store being away is waited for, at the start too. A partition that cannot go on stops with an alarm in its status; the others go on.
pub async fn run(config: Config, cancel: CancellationToken) -> Result<(), RunError> {
    config.validate()?;
    let monitor = Monitor::new(&config);
    let ended = CancellationToken::new();
    let _ends = ended.clone().drop_guard();
    monitor.serve(config.monitor, ended).await?;
    let rules = own_rules(&config)?;
    let store = Store::open(&config.files).map_err(|cause| RunError::Store { cause })?;
    let work = work::WorkFolder::claim(&config.work).map_err(|cause| RunError::Work { path: config.work.clone(), cause })?;
    let Some(client) = connect(&config, &cancel).await else { return Ok(()) };
    let jetstream = weir_reader::jetstream(client.clone());
    // Whoever reads the rows must have the rules too.
    if !put_rules(&store, &rules, &cancel).await? {
        return Ok(());
    }
    tracing::info!(region = config.region, partitions = config.partitions.len(), logic = rules.logic(), "aggregator starts");
    let rulebook = Rulebook::new(store.clone(), rules);
    let shared = Arc::new(Shared { config, client, jetstream, store, work, rulebook });
    let mut tasks = JoinSet::new();
    for partition in shared.config.partitions.clone() {
        let board = monitor.board(partition);
        tasks.spawn(partition::run(Arc::clone(&shared), partition, Arc::clone(&board), cancel.clone()));
        tasks.spawn(status::publish(Arc::clone(&shared), partition, Arc::clone(&board), cancel.clone()));
        tasks.spawn(damage::watch(Arc::clone(&shared), partition, Arc::clone(&board), cancel.clone()));
        tasks.spawn(monitor::follow(Arc::clone(&shared), partition, board, cancel.clone()));
        tasks.spawn(sweep::run(Arc::clone(&shared), partition, cancel.clone()));
    }
    monitor.ready();
    let mut outcome = Ok(());
    while let Some(ended) = tasks.join_next().await {
        if let Err(cause) = ended {
            tracing::error!(%cause, "a task of the aggregator failed");
            cancel.cancel();
            outcome = Err(RunError::Task { cause });
        }
    }
    tracing::info!("aggregator ends");
    outcome
}

fn own_rules(config: &Config) -> Result<Arc<Rules>, RulesError> {
    match &config.rules {
        Some(data) => Rules::new(data.clone()).map(Arc::new),
        None => Rules::built_in(),
    }
}

/// Stores the program's rules; waits while the store is away. Whether it was done before `cancel` fired.
async fn put_rules(store: &Store, rules: &Rules, cancel: &CancellationToken) -> Result<bool, RunError> {
    loop {
        let put = tokio::select! {
            put = rules::put(store, rules.data()) => put,
            () = cancel.cancelled() => return Ok(false),
        };
        match put {
            Ok(_) => return Ok(true),
            Err(cause) if cause.is_transient() => tracing::warn!(%cause, "the object store is away, waiting for it"),
            Err(cause) => return Err(RunError::Store { cause }),
        }
        tokio::select! {
            () = tokio::time::sleep(STORE_AGAIN_AFTER) => {}
            () = cancel.cancelled() => return Ok(false),
        }
    }
}

async fn connect(config: &Config, cancel: &CancellationToken) -> Option<async_nats::Client> {
    let mut is_first = true;
    loop {
        let attempt = tokio::select! {
            attempt = weir_reader::connect(&config.nats) => attempt,
            () = cancel.cancelled() => return None,
        };
        match attempt {
            Ok(client) => return Some(client),
            Err(error) if is_first => tracing::warn!(%error, "NATS is away, waiting for it"),
            Err(error) => tracing::debug!(%error, "NATS is still away"),
        }
        is_first = false;
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(500)) => {}
            () = cancel.cancelled() => return None,
        }
    }
}
