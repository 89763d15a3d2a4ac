//! The command line.

mod backup_options;
mod cluster_options;
mod delete_options;
#[cfg(test)]
mod documented;
mod edge_options;
mod key_options;
mod rejected_options;
mod replay_options;
mod rules_options;
mod site_options;
mod up_options;
mod worker_options;

pub(crate) use backup_options::BackupCommand;
pub(crate) use cluster_options::ClusterCommand;
pub(crate) use delete_options::{DeleteCommand, DeleteOptions, RetentionCommand};
pub(crate) use edge_options::EdgeOptions;
pub(crate) use key_options::KeyCommand;
pub(crate) use rejected_options::{RecoverOptions, RejectedCommand, RejectedFilter};
pub(crate) use replay_options::{
    DiffOptions, NdjsonOptions, PlanOptions, ReplayCommand, ReplayTarget, RunOptions, SwitchOptions, WantedOptions,
};
pub(crate) use rules_options::{RulesCommand, ShowOptions};
pub(crate) use site_options::{AccountCommand, CollectorOption, SetOptions, ShieldCommand, ShieldOptions, SiteCommand};
pub(crate) use up_options::UpOptions;
pub(crate) use worker_options::WorkerOptions;

use crate::home::Home;
use crate::import::Format;
use crate::output::Output;
use crate::session::Session;
use crate::{
    accounts, backup, cluster, countries, delete, demo, doctor, edge, flush, haproxy, import, keys, rejected, replay, rules,
    service, shields, site_settings, sites, status, tail, up,
};
use anyhow::Result;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Weir: web analytics from the edge to a dashboard.
///
/// State lies in the folder `WEIR_HOME` (default: .weir in the current folder). Commands other than `up` and `demo` find the running system
/// through its file run.json, or a cluster through the variables `WEIR_NATS_URL` and `WEIR_NATS_PASSWORD_FILE`. Exit status: 0 done, 1 failed (the reason is on standard error), 2 wrong usage; `replay diff` and `rules diff`: 0 equal,
/// 1 different, 2 error.
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
    /// Run an edge: the collector on workerd, with a configuration made from the variables, until SIGTERM; then it sends what it holds. `weir up` runs
    /// its own.
    Edge(Box<EdgeOptions>),
    /// Make, provision and look at the NATS cluster of a region: several servers, TLS, a user for each role.
    #[command(subcommand)]
    Cluster(ClusterCommand),
    /// Add and list accounts, which own sites.
    #[command(subcommand)]
    Account(AccountCommand),
    /// Add, list, show and change sites.
    #[command(subcommand)]
    Site(SiteCommand),
    /// What a site does not want counted: addresses, countries, pages; and the hosts it wants counted alone.
    #[command(subcommand)]
    Shield(ShieldCommand),
    /// Forget a site or a visitor: hidden from queries at once, then erased from files, archive and stream; receipts tell when that is final.
    #[command(subcommand)]
    Delete(DeleteCommand),
    /// How long events are kept, of all sites or of single ones.
    #[command(subcommand)]
    Retention(RetentionCommand),
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
    /// Make history anew after the logic was wrong: build a shadow of the files from the stream, compare, and serve it instead.
    #[command(subcommand)]
    Replay(ReplayCommand),
    /// Look for damaged and missing files, and rebuild them from the stream: rows are folded anew with the logic as it was, and served only when their
    /// checksum is that of before. Exit status: 0 everything is whole (again), 1 damaged files are left (`--dry-run`), 2 error.
    Repair(RepairOptions),
    /// Save the control plane in a file, and bring it back.
    #[command(subcommand)]
    Backup(BackupCommand),
    /// The rules that give visits their source, channel, browser, device: which are in force, and how they differ.
    #[command(subcommand)]
    Rules(RulesCommand),
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

/// What `repair` can be told.
#[derive(Clone, Debug, Args)]
pub(crate) struct RepairOptions {
    /// Say what is damaged, and rebuild nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Read every file through and compare its checksum, instead of looking at those alone that were found damaged or are gone.
    #[arg(long)]
    pub(crate) verify: bool,
}

/// What `tail` can be told.
#[derive(Clone, Debug, Args)]
pub(crate) struct TailOptions {
    /// Start at this stream sequence of each partition, or at the first one still there (`weir replay to ndjson` refuses then); default: what
    /// comes from now on.
    #[arg(long)]
    pub(crate) from_seq: Option<u64>,
    /// Only this partition.
    #[arg(long)]
    pub(crate) partition: Option<u32>,
    /// End at what is the end of the stream now.
    #[arg(long)]
    pub(crate) until_end: bool,
    /// Print the counts of refused events too, as `{"refused":{…}}` with their positions.
    #[arg(long)]
    pub(crate) refused: bool,
}

impl Command {
    /// Exit status of an error that is not wrong usage: of the commands that compare it is 2, since 1 says that they found a difference.
    pub(crate) fn status_on_error(&self) -> ExitCode {
        match self {
            Self::Replay(ReplayCommand::Diff(_)) | Self::Rules(RulesCommand::Diff { .. }) | Self::Repair(_) => ExitCode::from(2),
            _ => ExitCode::FAILURE,
        }
    }

    /// The niceness of what live ingestion comes before.
    pub(crate) fn background_nice(&self) -> Option<u8> {
        match self {
            Self::Replay(ReplayCommand::Run(options)) => Some(options.nice),
            _ => None,
        }
    }
}

/// Runs a command, which gives its exit status.
pub(crate) async fn run(command: Command, output: &Output) -> Result<ExitCode> {
    let output = *output;
    match command {
        Command::Replay(ReplayCommand::Diff(options)) => replay::diff(&Session::open().await?, &options, output).await,
        Command::Rules(RulesCommand::Diff { left, right }) => rules::diff(&left, &right, output).await,
        Command::Repair(options) => replay::repair(&Session::open().await?, &options, output).await,
        other => Box::pin(act(other, output)).await.map(|()| ExitCode::SUCCESS),
    }
}

/// Runs a command that has nothing to say by its exit status.
async fn act(command: Command, output: Output) -> Result<()> {
    match command {
        Command::Up(options) => up::run(&options, output).await,
        Command::Demo(options) => demo::run(&options, output).await,
        Command::Aggregator(options) => service::aggregator(&options).await,
        Command::QueryApi(options) => service::query_api(&options).await,
        Command::Edge(options) => edge::run(&options).await,
        Command::Cluster(command) => cluster(command, output).await,
        Command::Site(command) => site(command, output).await,
        Command::Shield(ShieldCommand::Add(ShieldOptions { site, kind, values })) => {
            shields::add(&Session::open().await?, &site, kind, &values, output).await
        }
        Command::Shield(ShieldCommand::Remove(ShieldOptions { site, kind, values })) => {
            shields::remove(&Session::open().await?, &site, kind, &values, output).await
        }
        Command::Shield(ShieldCommand::List { site }) => shields::list(&Session::open().await?, &site, output).await,
        Command::Delete(command) => delete(command, output).await,
        Command::Retention(RetentionCommand::Show) => delete::show_retention(&Session::open().await?, output).await,
        Command::Retention(RetentionCommand::Set { site, days, all, how }) => {
            // One of both is there.
            let days = all.or(days).unwrap_or_default();
            delete::set_retention(&Session::open().await?, site.as_deref(), days, how, output).await
        }
        Command::Rejected(command) => rejected(command, output).await,
        Command::Account(AccountCommand::Add { name }) => accounts::add(&Session::open().await?, &name, output).await,
        Command::Account(AccountCommand::List) => accounts::list(&Session::open().await?, output).await,
        Command::Key(KeyCommand::Create(options)) => keys::create(&Session::open().await?, &options.wanted()).await,
        Command::Key(KeyCommand::List) => keys::list(&Session::open().await?, output).await,
        Command::Key(KeyCommand::Revoke { key }) => keys::revoke(&Session::open().await?, &key, output).await,
        Command::Import(options) => import::command(&options, output).await,
        Command::Status => status::run(&Session::open().await?, output).await,
        Command::Flush { timeout } => flush::run(&Session::open().await?, Duration::from_secs(timeout), output).await,
        Command::Tail(options) => tail::run(&Session::open().await?, &options).await,
        Command::Doctor => Box::pin(doctor::run(&Home::from_environment()?, output)).await,
        Command::Countries(CountriesCommand::Refresh { ipv4, ipv6 }) => {
            countries::refresh(&Home::from_environment()?, ipv4.as_deref(), ipv6.as_deref(), output)
        }
        Command::HaproxyConfig { bind } => haproxy::print(&Session::open().await?, bind.as_deref()),
        Command::Backup(BackupCommand::Create { path }) => backup::create(&Session::open().await?, &path, output).await,
        Command::Backup(BackupCommand::Restore(options)) => {
            backup::restore(&Session::open().await?, &options.path, options.wanted(), output).await
        }
        Command::Replay(command) => replay(command, output).await,
        Command::Rules(RulesCommand::Show(options)) => rules::show(&options, output).await,
        // Handled before the runtime starts, and by the caller.
        Command::Reaper { .. } | Command::Repair(_) | Command::Rules(RulesCommand::Diff { .. }) => Ok(()),
    }
}

async fn cluster(command: ClusterCommand, output: Output) -> Result<()> {
    match command {
        ClusterCommand::Init(options) => {
            let (folder, wanted) = options.wanted()?;
            cluster::init(&folder, wanted, output)
        }
        ClusterCommand::Provision { replicas, store_bytes_max, timeout } => {
            let session = Session::open().await?;
            cluster::provision(&session, replicas, store_bytes_max, Duration::from_secs(timeout), output).await
        }
        ClusterCommand::Status => cluster::status(&Session::open().await?, output).await,
    }
}

async fn site(command: SiteCommand, output: Output) -> Result<()> {
    let session = Session::open().await?;
    match command {
        SiteCommand::Add { domain, timezone, account, collector } => {
            sites::add(&session, &domain, &timezone, account.as_deref(), &collector, output).await
        }
        SiteCommand::List { collector } => sites::list(&session, &collector, output).await,
        SiteCommand::Show { domain, collector } => site_settings::show(&session, &domain, &collector, output).await,
        SiteCommand::Set { domain, options } => site_settings::set(&session, &domain, &options, output).await,
    }
}

async fn delete(command: DeleteCommand, output: Output) -> Result<()> {
    let session = Session::open().await?;
    match command {
        DeleteCommand::Site { site, events_only, how } => delete::site(&session, &site, events_only, how, output).await,
        DeleteCommand::Visitor { site, visitor, how } => delete::visitor(&session, &site, &visitor, how, output).await,
        DeleteCommand::Status { id } => delete::status(&session, id.as_deref(), output).await,
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

async fn replay(command: ReplayCommand, output: Output) -> Result<()> {
    match command {
        ReplayCommand::Plan(options) => replay::plan(&Session::open().await?, &options, output).await,
        ReplayCommand::Run(options) => replay::run(&Session::open().await?, &options, output).await,
        ReplayCommand::Promote(options) => replay::promote(options, output).await,
        ReplayCommand::Rollback(options) => replay::rollback(options, output).await,
        ReplayCommand::Discard(options) => replay::discard(options, output).await,
        ReplayCommand::Status => replay::status(&Session::open().await?, output).await,
        ReplayCommand::To(ReplayTarget::Ndjson(options)) => replay::to_ndjson(&Session::open().await?, &options, output).await,
        // Handled by the caller.
        ReplayCommand::Diff(_) => Ok(()),
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
    fn the_ceiling_of_a_site_has_unit_and_default() {
        for verb in ["up", "demo", "edge"] {
            let mut command = Arguments::command();
            let help = command.find_subcommand_mut(verb).unwrap().render_long_help().to_string();
            for expected in [
                "--site-events-per-s <EVENTS_PER_S>",
                "Most events a second",
                "[env: WEIR_SITE_EVENTS_PER_S",
                "[default: 3300]",
                "--site-requests-per-s <REQUESTS_PER_S>",
                "[env: WEIR_SITE_REQUESTS_PER_S",
                "[default: 375]",
            ] {
                assert!(help.contains(expected), "{verb}: {expected} is missing in\n{help}");
            }
        }
        let Command::Up(options) = Arguments::try_parse_from(["weir", "up", "--site-events-per-s", "0"]).unwrap().command else {
            panic!("another command")
        };
        assert_eq!(options.worker.site_events_per_s, 0);
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
            "delete site shop.example --events-only --dry-run",
            "delete site 7 --yes",
            "delete visitor shop.example 00000000000000ff --yes",
            "delete status",
            "delete status 0123",
            "retention show",
            "retention set shop.example 30 --dry-run",
            "retention set --all 400 --yes",
            "haproxy-config --bind *:80",
            "backup create /var/backups/weir",
            "backup restore /var/backups/weir --overwrite --new-stream --as-saved",
            "rejected list --site shop.example --reason url --limit 5",
            "rejected show 7",
            "rejected recover 7 8 --as-site shop.example",
            "rejected recover --all",
            "rejected recover --site shop.example --reason url",
            "key create --site shop.example",
            "key create --site shop.example --scope events:write",
            "key create shop.example blog.example --scope stats:read --scope events:write",
            "key create --account acc_0 --scope sites:provision",
            "key create --scope admin",
            "account add Shops",
            "account list",
            "site add shop.example --account acc_0",
            "key list",
            "key revoke abc",
            "import --site shop.example --format combined file.log",
            "status",
            "flush",
            "tail --from-seq 3",
            "replay plan --from-seq 7",
            "replay plan --from-time 2026-11-21T10:00:00Z --partition 1 --rules folder",
            "replay run",
            "replay run --rules folder",
            "replay run --from-seq 1 --built-in --lag-target-ms 100 --memory-limit-mb 256 --nice 5",
            "replay diff",
            "replay diff --site shop.example --limit 5",
            "replay promote --yes",
            "replay rollback",
            "replay discard --yes",
            "replay status",
            "replay to ndjson --from-seq 3 --to-seq 9 --partition 0",
            "repair --dry-run --verify",
            "rules show",
            "rules show built-in --file channels.toml",
            "rules show 2-0123456789abcdef --out folder",
            "rules diff served",
            "rules diff folder built-in",
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
            "key create --site shop.example --scope everything",
            "account add",
            "countries refresh --ipv4 file",
            "up --edges 0",
            "up --site-events-per-s -1",
            "edge --site-requests-per-s many",
            "delete site",
            "delete visitor shop.example",
            "delete site shop.example --yes --dry-run",
            "retention set shop.example",
            "retention set shop.example 30 --all 30",
            "retention set shop.example forever",
            "rejected recover",
            "rejected recover --as-site shop.example",
            "rejected recover 7 --all",
            "rejected recover --all --reason url",
            "rejected show x",
            "replay plan",
            "replay plan --from-seq 0",
            "replay plan --from-seq 1 --from-time 2026-11-21T10:00:00Z",
            "replay plan --from-time yesterday",
            "replay run --partition 1",
            "replay run --from-seq 1 --rules folder --built-in",
            "replay diff --limit 0",
            "replay to ndjson",
            "replay to parquet --from-seq 1",
            "rules diff",
            "rules show --file channels.toml --out folder",
        ] {
            let words = std::iter::once("weir").chain(line.split(' '));
            assert!(Arguments::try_parse_from(words).is_err_and(|error| error.exit_code() == 2), "{line}");
        }
    }
}
