//! What `weir edge` can be told.

use super::up_options::{SITE_EVENTS_PER_S, SITE_REQUESTS_PER_S, network_list};
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
    /// Batchers for each partition.
    #[arg(long, env = "WEIR_SLOTS", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub(crate) slots: u32,
    /// Most bytes of events that a batcher holds while NATS is away; over it, requests are answered 503.
    #[arg(long, env = "WEIR_BACKLOG_BYTES_MAX", default_value_t = 268_435_456, value_parser = clap::value_parser!(u64).range(1_048_576..=2_147_483_648))]
    pub(crate) backlog_bytes_max: u64,
    /// Most events a second that an edge process takes of any one site; over it, requests are answered 429 with Retry-After. An event with more than
    /// 2,000 bytes of its request counts for each 2,000. 0 = no ceiling. The default is a third of what a process takes, ten events a request.
    /// A site's own limit, if lower, holds.
    #[arg(long, env = "WEIR_SITE_EVENTS_PER_S", value_name = "EVENTS_PER_S", default_value_t = SITE_EVENTS_PER_S)]
    pub(crate) site_events_per_s: u32,
    /// Most requests a second with events for any one site that an edge process takes, however many events they hold; over it, 429 with
    /// Retry-After. 0 = no ceiling. The default is a third of what a process takes: a request costs as much as ten events.
    #[arg(long, env = "WEIR_SITE_REQUESTS_PER_S", value_name = "REQUESTS_PER_S", default_value_t = SITE_REQUESTS_PER_S)]
    pub(crate) site_requests_per_s: u32,
    /// Networks whose forwarding headers the collector believes, as CIDRs separated by commas.
    #[arg(long, env = "WEIR_TRUSTED_PROXIES", default_value = "127.0.0.0/8,::1/128", value_parser = network_list)]
    pub(crate) trusted_proxies: String,
    /// How long events are still taken after SIGTERM, while /health says 503 already, milliseconds: until whoever distributes requests has seen it.
    #[arg(long, env = "WEIR_EDGE_DRAIN_MS", default_value_t = 2_000, value_parser = clap::value_parser!(u64).range(0..=600_000))]
    pub(crate) drain_ms: u64,
    /// How long, after that, it may take to send what is held, milliseconds. What is left then stays in the home and is sent at the next start.
    #[arg(long, env = "WEIR_EDGE_SEND_MS", default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(0..=600_000))]
    pub(crate) send_ms: u64,
    /// Let the operator's token cause a panic in the edge worker, for tests.
    #[arg(long, env = "WEIR_TEST_PANIC", hide = true, action = clap::ArgAction::Set, default_value_t = false, value_parser = clap::builder::BoolishValueParser::new())]
    pub(crate) test_panic: bool,
    /// Move the edge worker's clock by this many milliseconds, for tests.
    #[arg(long, env = "WEIR_TEST_CLOCK_OFFSET_MS", hide = true, default_value_t = 0, allow_negative_numbers = true)]
    pub(crate) test_clock_offset_ms: i64,
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
