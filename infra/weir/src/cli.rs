//! The command line.

use crate::home::Home;
use crate::import::Format;
use crate::output::Output;
use crate::session::Session;
use crate::{demo, doctor, flush, import, keys, service, sites, status, tail, up};
use anyhow::Result;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use std::time::Duration;

/// Weir: web analytics from the edge to a dashboard.
///
/// State lies in the folder `WEIR_HOME` (default: .weir in the current folder). Commands other than `up` and `demo` find the running system
/// through its file run.json. Exit status: 0 done, 1 failed (the reason is on standard error), 2 wrong usage.
#[derive(Debug, Parser)]
#[command(name = "weir", version, propagate_version = true, disable_help_subcommand = true)]
pub(crate) struct Arguments {
    /// Print JSON on standard output; errors are {"error":"…"} on standard error.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start everything on this machine and run until Ctrl-C: nats-server, workerd (the edge), aggregator, query API.
    Up(UpOptions),
    /// Start everything with a demo site: a real access log imported and a trickle of live page views. Runs until Ctrl-C.
    Demo(UpOptions),
    /// Run an aggregator: it folds the stream into immutable files. `weir up` starts one.
    Aggregator(service::AggregatorOptions),
    /// Run a query API with the dashboard. `weir up` starts one.
    QueryApi(service::QueryOptions),
    /// Add and list sites.
    #[command(subcommand)]
    Site(SiteCommand),
    /// Make, list and revoke API keys.
    #[command(subcommand)]
    Key(KeyCommand),
    /// Import page views and events from a file. Importing the same file twice counts once.
    Import(ImportOptions),
    /// Show each partition's stream, files, lag and watermark.
    Status,
    /// Seal everything received so far into files, and return when that is done.
    Flush {
        /// Give up after this many seconds.
        #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3600))]
        timeout: u64,
    },
    /// Print the raw events of the stream with their positions, one JSON object a line, until Ctrl-C.
    Tail(TailOptions),
    /// Check this installation and the running system; every complaint says what to do. Exit status 1 if there is one.
    Doctor,
    /// Ends the children of a supervisor that was killed. Started by `weir up`.
    #[command(hide = true)]
    Reaper {
        /// Lock file that says that it still has to do.
        lock: PathBuf,
    },
}

/// What `up` and `demo` can be told.
#[derive(Clone, Debug, Args)]
pub(crate) struct UpOptions {
    /// Port of the collector; 0 takes a free one.
    #[arg(long, env = "WEIR_COLLECTOR_PORT", default_value_t = 8080)]
    pub(crate) collector_port: u16,
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
    /// Batchers for each partition.
    #[arg(long, env = "WEIR_SLOTS", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub(crate) slots: u32,
    /// Most bytes of events that a batcher holds while NATS is away; over it, requests are answered 503.
    #[arg(long, env = "WEIR_BACKLOG_BYTES_MAX", default_value_t = 268_435_456, value_parser = clap::value_parser!(u64).range(1_048_576..=2_147_483_648))]
    pub(crate) backlog_bytes_max: u64,
    /// Networks whose forwarding headers the collector believes, as CIDRs separated by commas.
    #[arg(long, env = "WEIR_TRUSTED_PROXIES", default_value = "127.0.0.0/8,::1/128", value_parser = cidr_list)]
    pub(crate) trusted_proxies: String,
    /// Let the operator's token cause a panic in the edge worker, for tests.
    #[arg(long, env = "WEIR_TEST_PANIC", hide = true, action = clap::ArgAction::Set, default_value_t = false, value_parser = clap::builder::BoolishValueParser::new())]
    pub(crate) test_panic: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SiteCommand {
    /// Add a site. The edge takes its events within 5 s.
    Add {
        /// Its domain, as in the attribute data-domain of the script.
        domain: String,
        /// Time zone of its reports, by its IANA name.
        #[arg(long, default_value = "UTC")]
        timezone: String,
    },
    /// List the sites.
    List,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Make a key that reads a site's statistics. It is printed this once, as {"key":"…"}, and valid at once.
    Create {
        /// Domain of the site.
        #[arg(long)]
        site: String,
    },
    /// List the keys by id.
    List,
    /// Make a key invalid.
    Revoke {
        /// Its id, or the key itself.
        key: String,
    },
}

/// What `import` can be told.
#[derive(Clone, Debug, Args)]
pub(crate) struct ImportOptions {
    /// Domain of the site.
    #[arg(long)]
    pub(crate) site: String,
    /// Format of the lines: `combined` is a web server's access log, whose page views are taken; `ndjson` has the fields of POST /api/event
    /// plus timestamp (RFC 3339), ip, `user_agent` and optionally country.
    #[arg(long, value_enum)]
    pub(crate) format: Format,
    /// Move all times by this many days.
    #[arg(long, default_value_t = 0, allow_negative_numbers = true, value_parser = clap::value_parser!(i32).range(-36_500..=36_500))]
    pub(crate) shift_days: i32,
    /// The file.
    pub(crate) file: PathBuf,
}

/// What `tail` can be told.
#[derive(Clone, Debug, Args)]
pub(crate) struct TailOptions {
    /// Start at this stream sequence of each partition, or at the first one still there; default: what comes from now on.
    #[arg(long)]
    pub(crate) from_seq: Option<u64>,
    /// Only this partition.
    #[arg(long)]
    pub(crate) partition: Option<u32>,
    /// End at what is the end of the stream now.
    #[arg(long)]
    pub(crate) until_end: bool,
}

/// Runs a command.
pub(crate) async fn run(command: Command, output: &Output) -> Result<()> {
    let output = *output;
    match command {
        Command::Up(options) => up::run(&options, output).await,
        Command::Demo(options) => demo::run(&options, output).await,
        Command::Aggregator(options) => service::aggregator(&options).await,
        Command::QueryApi(options) => service::query_api(&options).await,
        Command::Site(SiteCommand::Add { domain, timezone }) => {
            sites::add(&Session::open().await?, &domain, &timezone, output).await
        }
        Command::Site(SiteCommand::List) => sites::list(&Session::open().await?, output).await,
        Command::Key(KeyCommand::Create { site }) => keys::create(&Session::open().await?, &site).await,
        Command::Key(KeyCommand::List) => keys::list(&Session::open().await?, output).await,
        Command::Key(KeyCommand::Revoke { key }) => keys::revoke(&Session::open().await?, &key, output).await,
        Command::Import(options) => import::command(&options, output).await,
        Command::Status => status::run(&Session::open().await?, output).await,
        Command::Flush { timeout } => flush::run(&Session::open().await?, Duration::from_secs(timeout), output).await,
        Command::Tail(options) => tail::run(&Session::open().await?, &options).await,
        Command::Doctor => doctor::run(&Home::from_environment()?, output).await,
        // Handled before the runtime starts.
        Command::Reaper { .. } => Ok(()),
    }
}

fn region_name(text: &str) -> Result<String, String> {
    let fits = text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if fits && (1..=40).contains(&text.len()) {
        Ok(text.to_owned())
    } else {
        Err("1 to 40 lower-case letters, digits or hyphens".to_owned())
    }
}

fn cidr_list(text: &str) -> Result<String, String> {
    let is_cidr = |item: &str| {
        let (address, bits) = item.split_once('/').unwrap_or((item, "0"));
        match address.parse() {
            Ok(std::net::IpAddr::V4(_)) => bits.parse::<u8>().is_ok_and(|bits| bits <= 32),
            Ok(std::net::IpAddr::V6(_)) => bits.parse::<u8>().is_ok_and(|bits| bits <= 128),
            Err(_) => false,
        }
    };
    match text.split(',').map(str::trim).find(|item| !is_cidr(item)) {
        Some(wrong) if !text.trim().is_empty() => Err(format!("{wrong:?} is not a network like 10.0.0.0/8")),
        _ => Ok(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn json_is_accepted_after_any_command() {
        for line in [
            "up",
            "demo",
            "aggregator",
            "query-api",
            "site add shop.example",
            "site list",
            "key create --site shop.example",
            "key list",
            "key revoke abc",
            "import --site shop.example --format combined file.log",
            "status",
            "flush",
            "tail --from-seq 3",
            "doctor",
        ] {
            let words = std::iter::once("weir").chain(line.split(' ')).chain(std::iter::once("--json"));
            let parsed = Arguments::try_parse_from(words).unwrap_or_else(|error| panic!("{line}: {error}"));
            assert!(parsed.json, "{line}");
        }
    }

    #[test]
    fn networks() {
        for fits in ["127.0.0.0/8,::1/128", "", "10.0.0.1"] {
            assert!(cidr_list(fits).is_ok(), "{fits}");
        }
        for wrong in ["10.0.0.0/33", "local", "10.0.0.0/8,,"] {
            assert!(cidr_list(wrong).is_err(), "{wrong}");
        }
    }
}
