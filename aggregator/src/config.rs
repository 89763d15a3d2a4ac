//! Settings of the aggregator.

use std::net::SocketAddr;
use std::path::PathBuf;
use thiserror::Error;
use weir_reader::NatsConfig;
use weir_reader::store::StoreConfig;
use weir_rollup::rules::RuleData;

/// Settings of the aggregator. Filled by the program that runs it; the variables named here are those of `weir`.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where NATS is, as the role `aggregator`.
    pub nats: NatsConfig,
    /// Name of the region; letters, digits, `-` and `_`.
    pub region: String,
    /// Numbers of the partitions to fold.
    pub partitions: Vec<u32>,
    /// Where the object store is; default: the folder `$WEIR_HOME/files`.
    pub files: StoreConfig,
    /// Folder for unfinished files, `$WEIR_HOME/.work`; on the same disk as `files`, or as the cache of a bucket.
    pub work: PathBuf,
    /// Longest time that a folded batch waits for its commit, milliseconds; default 60,000.
    pub flush_after_ms: u64,
    /// Event rows after which a flush comes at once; default 250,000.
    pub flush_rows_max: usize,
    /// Size of pending rows after which a flush comes at once, bytes; default 64 MB.
    pub flush_bytes_max: usize,
    /// Memory of one DuckDB writer, MB; default 512. Each partition has at most two: one flush and one merge.
    pub memory_limit_mb: u64,
    /// Threads of one DuckDB writer; default 1, since partitions already run beside each other.
    pub duckdb_threads: u32,
    /// Whether parts are merged; default true.
    pub compaction: bool,
    /// How long files that no kept manifest names stay, milliseconds; default 24 hours, and not less than two: a commit may take one.
    pub sweep_after_ms: u64,
    /// How many of the newest manifests are kept in any case; default 50.
    pub manifests_kept: usize,
    /// Of each stretch of stream time of this length the first sealed state is kept as a checkpoint for replays, milliseconds; default a day.
    pub checkpoint_every_ms: u64,
    /// How many of the newest checkpoints are kept; default 400.
    pub checkpoints_kept: usize,
    /// How long the rollback of a promotion is offered, milliseconds; default 7 days. Until then its former parts stay.
    pub rollback_offered_ms: u64,
    /// Whether raw batches are kept in the archive; default true. Without it, history lives only as long as the stream has it.
    pub archive: bool,
    /// So many small objects of the archive are merged without waiting for the end of their hour; default 64.
    pub archive_objects_max: usize,
    /// How long the stream keeps messages that are sealed and archived, milliseconds; default 7 days.
    pub stream_retention_ms: u64,
    /// How long the archive keeps raw batches, milliseconds; default 400 days.
    pub archive_retention_ms: u64,
    /// The program's own rules; default: the built-in ones.
    pub rules: Option<RuleData>,
    /// Address on which health and metrics are told; default: none.
    pub monitor: Option<SocketAddr>,
}

/// Why settings cannot be used.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ConfigError {
    /// The value is out of range.
    #[error("{field} is {value}, it must be {range}")]
    Range {
        /// Name of the setting.
        field: &'static str,
        /// Its value.
        value: String,
        /// What it may be.
        range: &'static str,
    },
}

impl Config {
    /// Settings with the defaults, for one home folder.
    pub fn new(nats: NatsConfig, region: &str, partitions: Vec<u32>, home: &std::path::Path) -> Self {
        Self {
            nats,
            region: region.to_owned(),
            partitions,
            files: home.join("files").into(),
            work: home.join(".work"),
            flush_after_ms: 60_000,
            flush_rows_max: 250_000,
            flush_bytes_max: 64_000_000,
            memory_limit_mb: 512,
            duckdb_threads: 1,
            compaction: true,
            sweep_after_ms: 24 * 3_600_000,
            manifests_kept: 50,
            checkpoint_every_ms: 24 * 3_600_000,
            checkpoints_kept: 400,
            rollback_offered_ms: 7 * 24 * 3_600_000,
            archive: true,
            archive_objects_max: 64,
            stream_retention_ms: 7 * 24 * 3_600_000,
            archive_retention_ms: 400 * 24 * 3_600_000,
            rules: None,
            monitor: None,
        }
    }

    /// Checks every setting that has a range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let is_name = !self.region.is_empty()
            && self.region.len() <= 40
            && self.region.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        check("region", &self.region, is_name, "1 to 40 letters, digits, - or _")?;
        let mut distinct = self.partitions.clone();
        distinct.sort_unstable();
        distinct.dedup();
        let is_set = !distinct.is_empty() && distinct.len() == self.partitions.len() && distinct.len() <= 256;
        check("partitions", &format!("{:?}", self.partitions), is_set, "1 to 256 different numbers")?;
        in_range("flush_after_ms", self.flush_after_ms, 100, 3_600_000, "100 to 3,600,000")?;
        in_range("flush_rows_max", self.flush_rows_max as u64, 1, 5_000_000, "1 to 5,000,000")?;
        in_range("flush_bytes_max", self.flush_bytes_max as u64, 1_000_000, 4_000_000_000, "1 MB to 4 GB")?;
        in_range("memory_limit_mb", self.memory_limit_mb, 64, 1_000_000, "64 to 1,000,000")?;
        in_range("duckdb_threads", u64::from(self.duckdb_threads), 1, 256, "1 to 256")?;
        in_range("sweep_after_ms", self.sweep_after_ms, 7_200_000, 3_155_760_000_000, "2 hours to 100 years")?;
        in_range("manifests_kept", self.manifests_kept as u64, 2, 100_000, "2 to 100,000")?;
        in_range("checkpoint_every_ms", self.checkpoint_every_ms, 1, 3_155_760_000_000, "1 to 100 years")?;
        in_range("checkpoints_kept", self.checkpoints_kept as u64, 1, 4_000, "1 to 4,000")?;
        in_range("rollback_offered_ms", self.rollback_offered_ms, 60_000, 3_155_760_000_000, "a minute to 100 years")?;
        in_range("archive_objects_max", self.archive_objects_max as u64, 2, 1_000, "2 to 1,000")?;
        in_range("stream_retention_ms", self.stream_retention_ms, 1, 3_155_760_000_000, "1 to 100 years")?;
        let beyond_stream = self.stream_retention_ms..=3_155_760_000_000;
        let is_longer = beyond_stream.contains(&self.archive_retention_ms);
        check("archive_retention_ms", &self.archive_retention_ms.to_string(), is_longer, "the stream's retention to 100 years")
    }
}

fn in_range(field: &'static str, value: u64, low: u64, high: u64, range: &'static str) -> Result<(), ConfigError> {
    check(field, &value.to_string(), (low..=high).contains(&value), range)
}

fn check(field: &'static str, value: &str, is_right: bool, range: &'static str) -> Result<(), ConfigError> {
    if is_right { Ok(()) } else { Err(ConfigError::Range { field, value: value.to_owned(), range }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> Config {
        let nats = NatsConfig {
            url: "nats://127.0.0.1:4222".to_owned(),
            user: String::new(),
            password: String::new(),
            inbox_prefix: String::new(),
            ca_file: None,
        };
        Config::new(nats, "local", vec![0, 1], std::path::Path::new("/nowhere"))
    }

    #[test]
    fn the_defaults_are_valid_and_each_range_is_checked() {
        assert_eq!(config().validate(), Ok(()));
        for (field, wrong) in [
            ("region", Config { region: "a.b".to_owned(), ..config() }),
            ("region", Config { region: String::new(), ..config() }),
            ("partitions", Config { partitions: vec![], ..config() }),
            ("partitions", Config { partitions: vec![1, 1], ..config() }),
            ("flush_after_ms", Config { flush_after_ms: 0, ..config() }),
            ("flush_rows_max", Config { flush_rows_max: 0, ..config() }),
            ("flush_bytes_max", Config { flush_bytes_max: 0, ..config() }),
            ("memory_limit_mb", Config { memory_limit_mb: 1, ..config() }),
            ("duckdb_threads", Config { duckdb_threads: 0, ..config() }),
            ("sweep_after_ms", Config { sweep_after_ms: 60_000, ..config() }),
            ("manifests_kept", Config { manifests_kept: 0, ..config() }),
            ("checkpoint_every_ms", Config { checkpoint_every_ms: 0, ..config() }),
            ("checkpoints_kept", Config { checkpoints_kept: 0, ..config() }),
            ("rollback_offered_ms", Config { rollback_offered_ms: 0, ..config() }),
            ("archive_objects_max", Config { archive_objects_max: 1, ..config() }),
            ("stream_retention_ms", Config { stream_retention_ms: 0, ..config() }),
            ("archive_retention_ms", Config { archive_retention_ms: 3_600_000, ..config() }),
        ] {
            assert!(matches!(wrong.validate(), Err(ConfigError::Range { field: found, .. }) if found == field), "{field}");
        }
    }
}
