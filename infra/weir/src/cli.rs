//! The command line.

use crate::edges::EDGES_MAX;
use crate::home::Home;
use crate::import::Format;
use crate::keys::Scope;
use crate::output::Output;
use crate::session::Session;
use crate::shields::Kind;
use crate::{
    countries, demo, doctor, flush, haproxy, import, keys, rejected, service, shields, site_settings, sites, status, tail, up,
};
use anyhow::Result;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use std::time::Duration;
use weir_event::network::Network;

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
    /// Add, list, show and change sites.
    #[command(subcommand)]
    Site(SiteCommand),
    /// What a site does not want counted: addresses, countries, pages; and the hosts it wants counted alone.
    #[command(subcommand)]
    Shield(ShieldCommand),
    /// Inspect payloads that the edge refused, and send them again after a fix.
    #[command(subcommand)]
    Rejected(RejectedCommand),
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
    /// Print a configuration of haproxy that puts one address before all edges that run now (infra/haproxy/haproxy.cfg has the usual ports).
    HaproxyConfig {
        /// Where haproxy is to listen, like *:80 or `:443 ssl crt /path/to/combined.pem`; default: `WEIR_BIND`, else *:8090.
        #[arg(long)]
        bind: Option<String>,
    },
    /// Make the table of addresses and countries anew.
    #[command(subcommand)]
    Countries(CountriesCommand),
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
    /// Port of the collector; 0 takes a free one. Further edge processes take the next free ports.
    #[arg(long, env = "WEIR_COLLECTOR_PORT", default_value_t = 8080)]
    pub(crate) collector_port: u16,
    /// Edge processes (workerd). One uses at most one core; put a load balancer before several (`weir haproxy-config`). The number can be
    /// lowered only when the higher edges have sent everything: see `workerd/do-*` in the home.
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
    /// Batchers for each partition.
    #[arg(long, env = "WEIR_SLOTS", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub(crate) slots: u32,
    /// Most bytes of events that a batcher holds while NATS is away; over it, requests are answered 503.
    #[arg(long, env = "WEIR_BACKLOG_BYTES_MAX", default_value_t = 268_435_456, value_parser = clap::value_parser!(u64).range(1_048_576..=2_147_483_648))]
    pub(crate) backlog_bytes_max: u64,
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

#[derive(Debug, Subcommand)]
pub(crate) enum SiteCommand {
    /// Add a site. The edge takes its events within 5 s.
    Add {
        /// Its domain, as in the attribute data-domain of the script.
        domain: String,
        /// Time zone of its reports, by its IANA name.
        #[arg(long, default_value = "UTC")]
        timezone: String,
        #[command(flatten)]
        collector: CollectorOption,
    },
    /// List the sites.
    List {
        #[command(flatten)]
        collector: CollectorOption,
    },
    /// Show a site: its limits, the settings of its script, its shields, and what to paste into its pages.
    Show {
        /// Its domain.
        domain: String,
        #[command(flatten)]
        collector: CollectorOption,
    },
    /// Change limits and script of a site; what is not named stays. In force at the edge within 5 s.
    Set {
        /// Its domain.
        domain: String,
        #[command(flatten)]
        options: SetOptions,
    },
}

/// Where browsers reach the collector.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct CollectorOption {
    /// Address under which web sites reach the collector, for the snippet; default: the first edge of this machine.
    #[arg(long, env = "WEIR_COLLECTOR_URL")]
    pub(crate) collector_url: Option<String>,
}

/// What `site set` can be told.
#[derive(Clone, Debug, Default, Args)]
#[group(id = "settings", required = true, multiple = true, args = [
    "site_events_per_s", "address_events_per_s", "outbound_links", "file_downloads", "form_submissions", "hash_routing", "web_vitals", "respect_gpc",
])]
pub(crate) struct SetOptions {
    /// Most events a second that one edge takes for the site, from all senders; over it they are answered 429. 0 = no limit.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    pub(crate) site_events_per_s: Option<u32>,
    /// Most events a second that one edge takes for the site from one address. 0 = no limit.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    pub(crate) address_events_per_s: Option<u32>,
    /// Whether the site's own script counts clicks on links to other hosts: on or off.
    #[arg(long, value_name = "ON", value_parser = clap::builder::BoolishValueParser::new())]
    pub(crate) outbound_links: Option<bool>,
    /// Whether it counts downloads of files.
    #[arg(long, value_name = "ON", value_parser = clap::builder::BoolishValueParser::new())]
    pub(crate) file_downloads: Option<bool>,
    /// Whether it counts sent forms.
    #[arg(long, value_name = "ON", value_parser = clap::builder::BoolishValueParser::new())]
    pub(crate) form_submissions: Option<bool>,
    /// Whether the part after # names the page.
    #[arg(long, value_name = "ON", value_parser = clap::builder::BoolishValueParser::new())]
    pub(crate) hash_routing: Option<bool>,
    /// Whether it measures how fast pages load.
    #[arg(long, value_name = "ON", value_parser = clap::builder::BoolishValueParser::new())]
    pub(crate) web_vitals: Option<bool>,
    /// Whether it sends nothing for browsers with Global Privacy Control.
    #[arg(long, value_name = "ON", value_parser = clap::builder::BoolishValueParser::new())]
    pub(crate) respect_gpc: Option<bool>,
    #[command(flatten)]
    pub(crate) collector: CollectorOption,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ShieldCommand {
    /// Add entries to a list of a site; each list takes 500. In force at the edge within 5 s; what was counted before stays.
    Add(ShieldOptions),
    /// Remove entries.
    Remove(ShieldOptions),
    /// Show a site's lists.
    List {
        /// Domain of the site.
        #[arg(long)]
        site: String,
    },
}

/// What `shield add` and `shield remove` need to know.
#[derive(Clone, Debug, Args)]
pub(crate) struct ShieldOptions {
    /// Domain of the site.
    #[arg(long)]
    pub(crate) site: String,
    /// Which list.
    #[arg(value_enum)]
    pub(crate) kind: Kind,
    /// The entries, like 192.0.2.0/24, DE, /admin/** or *.shop.example.
    #[arg(required = true, num_args = 1..)]
    pub(crate) values: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RejectedCommand {
    /// List refused payloads, oldest first: number, time of arrival, reason, sites, beginning of the payload. They are kept for 30 days, at most
    /// 64 MB of them, and hold no addresses.
    List {
        #[command(flatten)]
        filter: RejectedFilter,
        /// At most so many, the newest.
        #[arg(long, default_value_t = 50, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
        limit: u32,
    },
    /// Show one refused payload with everything that is known of it.
    Show {
        /// Its number.
        seq: u64,
    },
    /// Judge refused payloads again and send what is good now to its sites. Each counts once, however often this is run or interrupted; what was
    /// sent is removed from the list, what still fails stays, with the reason. Exit status 1 when none of those chosen could be sent.
    Recover(RecoverOptions),
}

/// Which refused payloads.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct RejectedFilter {
    /// Only those meant for this site.
    #[arg(long, value_name = "DOMAIN")]
    pub(crate) site: Option<String>,
    /// Only those refused for this reason, like `not_found` or `url`.
    #[arg(long)]
    pub(crate) reason: Option<String>,
}

/// What `rejected recover` can be told.
#[derive(Clone, Debug, Args)]
#[group(id = "chosen", required = true, multiple = true, args = ["seqs", "all", "site", "reason"])]
pub(crate) struct RecoverOptions {
    /// Numbers of payloads, from `weir rejected list`.
    #[arg(value_name = "SEQ", conflicts_with_all = ["all", "site", "reason"])]
    pub(crate) seqs: Vec<u64>,
    /// All of them.
    #[arg(long, conflicts_with_all = ["site", "reason"])]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) filter: RejectedFilter,
    /// Send them to this site, whatever site they name.
    #[arg(long, value_name = "DOMAIN")]
    pub(crate) as_site: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Make a key for a site. It is printed this once, as {"key":"…"}; the query API knows it at once, the edge within 5 s.
    Create {
        /// Domain of the site.
        #[arg(long)]
        site: String,
        /// What the key may do.
        #[arg(long, value_enum, default_value = "stats:read")]
        scope: Scope,
    },
    /// List the keys by id.
    List,
    /// Make a key invalid.
    Revoke {
        /// Its id, or the key itself.
        key: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum CountriesCommand {
    /// Make the table in the home (geo/countries.bin) from files of ranges; a running edge takes it within a minute, imports from then on.
    /// Without files it is made from those of `make setup`, as `weir up` does when they are newer than the table.
    Refresh {
        /// CSV of IPv4 ranges, lines `first,last,country` (addresses as text or decimal numbers, country as two capitals).
        #[arg(long, value_name = "FILE", requires = "ipv6")]
        ipv4: Option<PathBuf>,
        /// CSV of IPv6 ranges.
        #[arg(long, value_name = "FILE", requires = "ipv4")]
        ipv6: Option<PathBuf>,
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
        Command::Site(command) => site(command, output).await,
        Command::Shield(ShieldCommand::Add(ShieldOptions { site, kind, values })) => {
            shields::add(&Session::open().await?, &site, kind, &values, output).await
        }
        Command::Shield(ShieldCommand::Remove(ShieldOptions { site, kind, values })) => {
            shields::remove(&Session::open().await?, &site, kind, &values, output).await
        }
        Command::Shield(ShieldCommand::List { site }) => shields::list(&Session::open().await?, &site, output).await,
        Command::Rejected(command) => rejected(command, output).await,
        Command::Key(KeyCommand::Create { site, scope }) => keys::create(&Session::open().await?, &site, scope).await,
        Command::Key(KeyCommand::List) => keys::list(&Session::open().await?, output).await,
        Command::Key(KeyCommand::Revoke { key }) => keys::revoke(&Session::open().await?, &key, output).await,
        Command::Import(options) => import::command(&options, output).await,
        Command::Status => status::run(&Session::open().await?, output).await,
        Command::Flush { timeout } => flush::run(&Session::open().await?, Duration::from_secs(timeout), output).await,
        Command::Tail(options) => tail::run(&Session::open().await?, &options).await,
        Command::Doctor => doctor::run(&Home::from_environment()?, output).await,
        Command::Countries(CountriesCommand::Refresh { ipv4, ipv6 }) => {
            countries::refresh(&Home::from_environment()?, ipv4.as_deref(), ipv6.as_deref(), output)
        }
        Command::HaproxyConfig { bind } => haproxy::print(&Session::open().await?, bind.as_deref()),
        // Handled before the runtime starts.
        Command::Reaper { .. } => Ok(()),
    }
}

async fn site(command: SiteCommand, output: Output) -> Result<()> {
    let session = Session::open().await?;
    match command {
        SiteCommand::Add { domain, timezone, collector } => sites::add(&session, &domain, &timezone, &collector, output).await,
        SiteCommand::List { collector } => sites::list(&session, &collector, output).await,
        SiteCommand::Show { domain, collector } => site_settings::show(&session, &domain, &collector, output).await,
        SiteCommand::Set { domain, options } => site_settings::set(&session, &domain, &options, output).await,
    }
}

async fn rejected(command: RejectedCommand, output: Output) -> Result<()> {
    let session = Session::open().await?;
    match command {
        RejectedCommand::List { filter, limit } => rejected::list(&session, &filter, limit, output).await,
        RejectedCommand::Show { seq } => rejected::show(&session, seq, output).await,
        RejectedCommand::Recover(options) => rejected::recover(&session, &options, output).await,
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

fn network_list(text: &str) -> Result<String, String> {
    let networks = Network::parse_list(text).map_err(|error| error.to_string())?;
    Ok(networks.iter().map(ToString::to_string).collect::<Vec<_>>().join(","))
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
            "site show shop.example",
            "site set shop.example --site-events-per-s 0 --web-vitals on",
            "shield add --site shop.example address 192.0.2.0/24 ::1",
            "shield remove --site shop.example hostname *.shop.example",
            "shield list --site shop.example",
            "countries refresh",
            "haproxy-config --bind *:80",
            "rejected list --site shop.example --reason url --limit 5",
            "rejected show 7",
            "rejected recover 7 8 --as-site shop.example",
            "rejected recover --all",
            "rejected recover --site shop.example --reason url",
            "key create --site shop.example",
            "key create --site shop.example --scope events:write",
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
    fn wrong_usage_is_refused() {
        for line in [
            "site set shop.example",
            "site set shop.example --collector-url https://edge.example",
            "site set shop.example --site-events-per-s -1",
            "site set shop.example --web-vitals perhaps",
            "shield add --site shop.example address",
            "shield add --site shop.example colour red",
            "key create --site shop.example --scope admin",
            "countries refresh --ipv4 file",
            "up --edges 0",
            "rejected recover",
            "rejected recover --as-site shop.example",
            "rejected recover 7 --all",
            "rejected recover --all --reason url",
            "rejected show x",
        ] {
            let words = std::iter::once("weir").chain(line.split(' '));
            assert!(Arguments::try_parse_from(words).is_err_and(|error| error.exit_code() == 2), "{line}");
        }
    }

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
