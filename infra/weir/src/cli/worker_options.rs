//! What the edge worker can be told, by whoever starts it: `weir up`, `weir demo`, `weir edge`.

use clap::Args;
use weir_event::network::Network;

/// Ceiling of every site, events a second of one edge process: a third of the 9,900 that it takes when ten come in a request.
const SITE_EVENTS_PER_S: u32 = 3_300;
/// The same in requests: a third of 1,126. Four fifths of a request's cost are there whatever it holds, so events alone would let one site's single
/// ones take the whole process.
const SITE_REQUESTS_PER_S: u32 = 375;

/// The options, which the worker gets as bindings.
#[derive(Clone, Debug, Args)]
pub(crate) struct WorkerOptions {
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
    /// Let the operator's token cause a panic in the edge worker, for tests.
    #[arg(long, env = "WEIR_TEST_PANIC", hide = true, action = clap::ArgAction::Set, default_value_t = false, value_parser = clap::builder::BoolishValueParser::new())]
    pub(crate) test_panic: bool,
    /// Move the edge worker's clock by this many milliseconds, for tests.
    #[arg(long, env = "WEIR_TEST_CLOCK_OFFSET_MS", hide = true, default_value_t = 0, allow_negative_numbers = true)]
    pub(crate) test_clock_offset_ms: i64,
}

fn network_list(text: &str) -> Result<String, String> {
    let networks = Network::parse_list(text).map_err(|error| error.to_string())?;
    Ok(networks.iter().map(ToString::to_string).collect::<Vec<_>>().join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks() {
        for fits in ["127.0.0.0/8,::1/128", "", "10.0.0.1"] {
            assert!(network_list(fits).is_ok(), "{fits}");
        }
        for wrong in ["10.0.0.0/33", "local", "10.0.0.0/8,x"] {
            assert!(network_list(wrong).is_err(), "{wrong}");
        }
    }
}
