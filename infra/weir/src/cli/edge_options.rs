//! What `weir edge` can be told.

use super::worker_options::WorkerOptions;
use crate::surroundings::CommonOptions;
use clap::Args;
use std::net::IpAddr;
use std::path::PathBuf;

/// The options.
#[derive(Clone, Debug, Args)]
pub(crate) struct EdgeOptions {
    #[command(flatten)]
    pub(crate) common: CommonOptions,
    /// Address to listen on.
    #[arg(long, env = "WEIR_COLLECTOR_HOST", default_value = "127.0.0.1")]
    pub(crate) collector_host: IpAddr,
    /// Port to listen on.
    #[arg(long, env = "WEIR_COLLECTOR_PORT", default_value_t = 8080)]
    pub(crate) collector_port: u16,
    /// Number of this edge among all of the region, 0 to 1023, or a name that ends in it, like `edge-3`. No two may have the same.
    #[arg(long, env = "WEIR_EDGE_INDEX", default_value = "0", value_parser = edge_number)]
    pub(crate) edge_index: u32,
    /// File that holds what the operator's requests must show; the variable `WEIR_EDGE_TOKEN`, which holds it itself, comes first.
    #[arg(long, env = "WEIR_EDGE_TOKEN_FILE", value_name = "FILE")]
    pub(crate) edge_token_file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) worker: WorkerOptions,
    /// How long events are still taken after SIGTERM, while /health says 503 already, milliseconds: until whoever distributes requests has seen it.
    #[arg(long, env = "WEIR_EDGE_DRAIN_MS", default_value_t = 2_000, value_parser = clap::value_parser!(u64).range(0..=600_000))]
    pub(crate) drain_ms: u64,
    /// How long, after that, it may take to send what is held, milliseconds. What is left then stays in the home and is sent at the next start.
    #[arg(long, env = "WEIR_EDGE_SEND_MS", default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(0..=600_000))]
    pub(crate) send_ms: u64,
}

/// The number, or that at the end of a name.
fn edge_number(text: &str) -> Result<u32, String> {
    let digits = text.rsplit_once('-').map_or(text, |(_, digits)| digits);
    let number = digits.parse::<u32>().ok().filter(|number| *number < 1_024);
    number.ok_or_else(|| "a number from 0 to 1023, or a name that ends in one, like edge-3".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_edges() {
        for (text, expected) in
            [("0", Some(0)), ("17", Some(17)), ("weir-edge-3", Some(3)), ("edge", None), ("1024", None), ("", None)]
        {
            assert_eq!(edge_number(text).ok(), expected, "{text}");
        }
    }
}
