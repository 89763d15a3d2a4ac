//! Replay: history folded anew beside what is served, compared with it, and switched to by one compare-and-set per partition.
//!
//! A replay builds a *shadow*: a line of manifests of its own, which begins with the served parts up to a checkpoint and goes on with parts
//! folded from the stream. What is served is untouched until the promotion.

mod error;
mod pace;
mod plan;
mod planned;
mod prefix;
mod progress;
mod recall;
mod repair;
mod shadow;
mod standing;
mod switch;
mod work;

pub mod diff;

pub use error::ReplayError;
pub use plan::{CheckpointAt, Files, Hours, PartitionPlan, Plan, Reading};
pub use progress::Progress;
pub use repair::{Broken, Found, Repaired};
pub use standing::{Discarded, PartitionStatus, Status};
pub use switch::Switched;
pub use work::{Built, BuiltPartition};

use crate::work::WorkFolder;
use crate::{Config, Shared};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use weir_reader::NatsConfig;
use weir_reader::rules::Rulebook;
use weir_reader::store::{Store, StoreConfig};
use weir_rollup::rules::{RuleData, Rules};

/// Where a replay works and what it may use.
#[derive(Clone, Debug)]
pub struct Settings {
    /// A connection that may read streams and write the buckets of heads and replays.
    pub client: async_nats::Client,
    /// Name of the region.
    pub region: String,
    /// Numbers of its partitions.
    pub partitions: Vec<u32>,
    /// Where the object store is.
    pub files: StoreConfig,
    /// Folder for unfinished files, on the same disk.
    pub work: PathBuf,
    /// Memory of one DuckDB writer, MB; default 512. One is in use at a time.
    pub memory_limit_mb: u64,
    /// A replay pauses while live ingestion is further behind than this, milliseconds; default 5,000.
    pub lag_target_ms: u64,
}

impl Settings {
    /// Settings with the defaults, for one home folder.
    pub fn new(client: async_nats::Client, region: &str, partitions: Vec<u32>, home: &Path) -> Self {
        let region = region.to_owned();
        let (files, work) = (home.join("files").into(), home.join(".work"));
        Self { client, region, partitions, files, work, memory_limit_mb: 512, lag_target_ms: 5_000 }
    }
}

/// Where a replay begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// At this sequence of each stream.
    Seq(u64),
    /// At the first message stored at this time or later, Unix milliseconds.
    TimeMs(u64),
}

/// What the rows are made with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Logic {
    /// This program's fold, and for each sequence the rules that the served manifest names.
    Unchanged,
    /// This program's fold and its own rules.
    BuiltIn,
    /// This program's fold and these rules.
    Given(RuleData),
}

/// What to rebuild, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// From where on.
    pub start: Start,
    /// Only this partition.
    pub partition: Option<u32>,
    /// With what.
    pub logic: Logic,
}

/// Plans, builds, compares and switches replays of a region.
pub struct Replayer {
    shared: Arc<Shared>,
    lag_target_ms: u64,
}

impl Replayer {
    /// Opens the store; claims a folder for unfinished files.
    pub fn open(settings: Settings) -> Result<Self, ReplayError> {
        let Settings { client, region, partitions, files, work, memory_limit_mb, lag_target_ms } = settings;
        let store = Store::open(&files)?;
        let folder = WorkFolder::claim(&work).map_err(|cause| ReplayError::Work { path: work.clone(), cause })?;
        // The connection is there already; of the settings only those of writing are looked at.
        let nats = NatsConfig {
            url: String::new(),
            user: String::new(),
            password: String::new(),
            inbox_prefix: String::new(),
            ca_file: None,
        };
        let config = Config { files, work, memory_limit_mb, ..Config::new(nats, &region, partitions, Path::new("")) };
        let jetstream = weir_reader::jetstream(client.clone());
        let rulebook = Rulebook::new(store.clone(), Rules::built_in()?);
        let shared = Arc::new(Shared { config, client, jetstream, store, work: folder, rulebook });
        Ok(Self { shared, lag_target_ms })
    }

    /// Name of the region.
    pub fn region(&self) -> &str {
        &self.shared.config.region
    }
}

/// Unix milliseconds as RFC 3339 in UTC.
fn rfc3339(ms: u64) -> String {
    let instant = i64::try_from(ms).ok().and_then(chrono::DateTime::from_timestamp_millis).unwrap_or_default();
    instant.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}
