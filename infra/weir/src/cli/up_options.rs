//! What `weir up` and `weir demo` can be told.

use super::worker_options::WorkerOptions;
use crate::edges::EDGES_MAX;
use clap::Args;

/// The options.
#[derive(Clone, Debug, Args)]
pub(crate) struct UpOptions {
    /// Port of the collector; 0 takes a free one. Further edge processes take the next free ports.
    #[arg(long, env = "WEIR_COLLECTOR_PORT", default_value_t = 8080)]
    pub(crate) collector_port: u16,
    /// Edge processes (workerd). One uses at most one core; put a load balancer before several (`weir haproxy-config`). When the
    /// number was higher before, the others are started too, out of sight, until they have sent what they hold.
    #[arg(long, env = "WEIR_EDGES", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=i64::from(EDGES_MAX)))]
    pub(crate) edges: u32,
    /// Port of the query API and the dashboard; 0 takes a free one.
    #[arg(long, env = "WEIR_QUERY_PORT", default_value_t = 8000)]
    pub(crate) query_port: u16,
    /// Port of nats-server; 0 takes a free one.
    #[arg(long, env = "WEIR_NATS_PORT", default_value_t = 4222)]
    pub(crate) nats_port: u16,
    /// Name of the region; a home keeps its region for ever.
    #[arg(long, env = "WEIR_REGION", default_value = "local", value_parser = region_name)]
    pub(crate) region: String,
    /// Number of partitions; it can grow, but not shrink.
    #[arg(long, env = "WEIR_PARTITIONS", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub(crate) partitions: u32,
    #[command(flatten)]
    pub(crate) worker: WorkerOptions,
}

pub(crate) fn region_name(text: &str) -> Result<String, String> {
    let fits = text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if fits && (1..=40).contains(&text.len()) {
        Ok(text.to_owned())
    } else {
        Err("1 to 40 lower-case letters, digits or hyphens".to_owned())
    }
}
