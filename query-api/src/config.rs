//! Settings of the query API.

use crate::limits::LimitSettings;
use std::net::SocketAddr;
use std::path::PathBuf;
use thiserror::Error;
use weir_reader::NatsConfig;
use weir_reader::store::StoreConfig;

/// Settings of the query API. Filled by the program that runs it.
#[derive(Clone, Debug)]
pub struct Config {
    /// Address to listen on.
    pub listen: SocketAddr,
    /// Where NATS is, as the role `query`.
    pub nats: NatsConfig,
    /// Name of the region; letters, digits, `-` and `_`.
    pub region: String,
    /// Numbers of the partitions to serve.
    pub partitions: Vec<u32>,
    /// The other regions that answers are made of; default: none.
    pub others: Vec<OtherRegionConfig>,
    /// The region where sites, accounts, keys and definitions are changed: this one, whose control buckets are the original, or another one, whose buckets
    /// are copied into this one's; default: this one, as it always was.
    pub home: Option<String>,
    /// Where the object store is; default: the folder `$WEIR_HOME/files`.
    pub files: StoreConfig,
    /// Folder for what DuckDB puts on disk, `$WEIR_HOME/.work/query-api`; not shared with other programs.
    pub work: PathBuf,
    /// Address under which web sites reach the collector, for the snippet that the dashboard shows; default: not known.
    pub collector_url: Option<String>,
    /// Memory of DuckDB, MB: queries and the live ends together; default 2,048.
    pub memory_limit_mb: u64,
    /// Threads of DuckDB beside those that the queries run on; default: half the processors, at most 8. More make a single long query faster and
    /// all of them together slower.
    pub duckdb_threads: usize,
    /// Queries that run at the same time; default: one more than the machine has processors. One tenant may run all but one of them.
    pub running_queries_max: usize,
    /// Queries that wait for their turn, further ones are refused; default 256.
    pub waiting_queries_max: usize,
    /// Time one query may take, milliseconds; default 30,000.
    pub query_timeout_ms: u64,
    /// What one key and one tenant may take; default: 36,000 requests and 3,600 seconds of engine time an hour.
    pub limits: LimitSettings,
    /// Size of the figures kept for those who ask again, bytes; 0 = none; default 64 MB.
    pub cache_bytes_max: u64,
    /// How long the service still takes new requests after it was told to end, while `/api/health/ready` says 503 already, milliseconds; default 0.
    pub drain_ms: u64,
    /// Parts that stay attached; default 400.
    pub attached_parts_max: usize,
    /// Event rows in memory for one partition's live end; default 2,000,000. Past it folding waits for the next parts.
    pub tail_rows_max: u64,
    /// Estimated size of those rows, bytes; default 800 MB.
    pub tail_bytes_max: u64,
}

/// Another region, read from this one.
#[derive(Clone, Debug)]
pub struct OtherRegionConfig {
    /// Its name; letters, digits, `-` and `_`.
    pub name: String,
    /// Where its NATS is, as its role `query`.
    pub nats: NatsConfig,
    /// Number of its partitions: that of this region.
    pub partitions: u32,
    /// Where its files are.
    pub files: StoreConfig,
}

/// A setting that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{field}: {problem}")]
pub struct ConfigError {
    /// The setting.
    pub field: &'static str,
    /// What is wrong.
    pub problem: String,
}

impl Config {
    /// Settings with all defaults.
    pub fn new(
        listen: SocketAddr,
        nats: NatsConfig,
        region: &str,
        partitions: Vec<u32>,
        files: impl Into<StoreConfig>,
        work: PathBuf,
    ) -> Self {
        Self {
            listen,
            nats,
            region: region.to_owned(),
            partitions,
            others: Vec::new(),
            home: None,
            files: files.into(),
            work,
            collector_url: None,
            memory_limit_mb: 2_048,
            duckdb_threads: std::thread::available_parallelism().map_or(2, |threads| (threads.get() / 2).clamp(1, 8)),
            running_queries_max: std::thread::available_parallelism().map_or(2, std::num::NonZero::get).min(16) + 1,
            waiting_queries_max: 256,
            query_timeout_ms: 30_000,
            limits: LimitSettings { requests_per_hour: 36_000, engine_seconds_per_hour: 3_600 },
            cache_bytes_max: 64_000_000,
            drain_ms: 0,
            attached_parts_max: 400,
            tail_rows_max: 2_000_000,
            tail_bytes_max: 800_000_000,
        }
    }

    /// Checks everything that can be checked without the outside.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let check = |is_good: bool, field: &'static str, problem: &str| {
            if is_good { Ok(()) } else { Err(ConfigError { field, problem: problem.to_owned() }) }
        };
        let is_word = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        check(is_word(&self.region), "region", "letters, digits, - and _ are allowed")?;
        check(!self.partitions.is_empty(), "partitions", "at least one is needed")?;
        for (index, other) in self.others.iter().enumerate() {
            let is_taken = other.name == self.region || self.others.iter().take(index).any(|before| before.name == other.name);
            check(is_word(&other.name), "others", "a region's name has letters, digits, - and _")?;
            check(!is_taken, "others", &format!("region {} is named twice, or is this one", other.name))?;
            // A site's record names its partition, and is the same in all regions.
            let (found, wanted) = (other.partitions as usize, self.partitions.len());
            let problem =
                format!("region {} has {found} partitions, this one {wanted}: all regions need the same number", other.name);
            check(found == wanted, "others", &problem)?;
        }
        let is_known = |home: &String| *home == self.region || self.others.iter().any(|other| other.name == *home);
        check(self.home.as_ref().is_none_or(is_known), "home", "it must be this region or one of the others")?;
        check(self.memory_limit_mb >= 64, "memory_limit_mb", "at least 64 are needed")?;
        check(self.duckdb_threads >= 1, "duckdb_threads", "at least one is needed")?;
        check(self.running_queries_max >= 1, "running_queries_max", "at least one is needed")?;
        check((100..=600_000).contains(&self.query_timeout_ms), "query_timeout_ms", "between 100 and 600,000 is allowed")?;
        check(self.drain_ms <= 600_000, "drain_ms", "at most 600,000 are allowed")?;
        check(self.attached_parts_max >= 1, "attached_parts_max", "at least one is needed")?;
        check(self.tail_rows_max >= 1, "tail_rows_max", "at least one is needed")?;
        check(self.tail_bytes_max >= 1, "tail_bytes_max", "at least one is needed")
    }
}
