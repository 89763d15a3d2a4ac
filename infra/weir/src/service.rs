//! `weir aggregator` and `weir query-api`: the services, configured by flags, variables or the files of the home.

use crate::human;
use crate::nats_config::Role;
use crate::object_store;
use crate::operator::Commands;
use crate::regions;
use crate::rules;
use crate::surroundings::{CommonOptions, surroundings};
use anyhow::{Context as _, Result};
use clap::Args;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use weir_query_api::operator::OperatorActions;

/// What `weir aggregator` can be told.
#[derive(Clone, Debug, Args)]
pub(crate) struct AggregatorOptions {
    #[command(flatten)]
    common: CommonOptions,
    /// Fold only these partitions, separated by commas; default: all of the region.
    #[arg(long, env = "WEIR_OWNED_PARTITIONS", value_delimiter = ',')]
    owned_partitions: Vec<u32>,
    /// Longest time that an event waits for its file, milliseconds.
    #[arg(long, env = "WEIR_FLUSH_AFTER_MS")]
    flush_after_ms: Option<u64>,
    /// Rows after which a file is written at once.
    #[arg(long, env = "WEIR_FLUSH_ROWS_MAX")]
    flush_rows_max: Option<usize>,
    /// Memory of one DuckDB writer, MB.
    #[arg(long, env = "WEIR_AGGREGATOR_MEMORY_MB")]
    memory_limit_mb: Option<u64>,
    /// Keep raw batches in the archive. Without it, history can be replayed only as far as the stream reaches back.
    #[arg(long, env = "WEIR_ARCHIVE", action = clap::ArgAction::Set, value_parser = archive_switch, value_name = "on|off")]
    archive: Option<bool>,
    /// How long the stream keeps what is sealed and archived, like `7d`, `36h`, `90m`; default 7d. What is newer can be read without the archive.
    #[arg(long, env = "WEIR_STREAM_RETENTION", value_parser = human::duration_ms, value_name = "TIME")]
    stream_retention: Option<u64>,
    /// How long the archive keeps raw batches, like `400d`; default 400d, and no less than the stream's. Replays reach back so far.
    #[arg(long, env = "WEIR_ARCHIVE_RETENTION", value_parser = human::duration_ms, value_name = "TIME")]
    archive_retention: Option<u64>,
    /// Folder of rules to use instead of those this program was built with; what is not there is as built in (`weir rules show built-in --out DIR`
    /// fills one). For shipping rules without a new build: they hold from the next sealed sequence on, and `weir replay` makes older history
    /// anew. Rules that an operator promoted by a replay come first (`weir rules show` tells).
    #[arg(long, env = "WEIR_RULES_DIR", value_name = "DIR")]
    rules: Option<PathBuf>,
    /// Port of /health/live, /health/ready and /metrics (Prometheus); default: none of them.
    #[arg(long, env = "WEIR_METRICS_PORT")]
    metrics_port: Option<u16>,
    /// Address to listen on for them.
    #[arg(long, env = "WEIR_METRICS_HOST", default_value = "127.0.0.1")]
    metrics_host: IpAddr,
}

/// What `weir query-api` can be told.
#[derive(Clone, Debug, Args)]
pub(crate) struct QueryOptions {
    #[command(flatten)]
    common: CommonOptions,
    /// Port to listen on.
    #[arg(long, env = "WEIR_QUERY_PORT", default_value_t = 8000)]
    query_port: u16,
    /// Address to listen on.
    #[arg(long, env = "WEIR_QUERY_HOST", default_value = "127.0.0.1")]
    query_host: IpAddr,
    /// Address under which web sites reach the collector; the dashboard shows it in the snippet.
    #[arg(long, env = "WEIR_COLLECTOR_URL")]
    collector_url: Option<String>,
    /// Memory of DuckDB, MB.
    #[arg(long, env = "WEIR_QUERY_MEMORY_MB")]
    memory_limit_mb: Option<u64>,
    /// Threads of DuckDB; default: half the processors. More make one long query faster and many at once slower.
    #[arg(long, env = "WEIR_QUERY_THREADS")]
    duckdb_threads: Option<usize>,
    /// Longest time of one query, milliseconds.
    #[arg(long, env = "WEIR_QUERY_TIMEOUT_MS")]
    query_timeout_ms: Option<u64>,
    /// Queries that run at the same time; one account may run all but one of them.
    #[arg(long, env = "WEIR_RUNNING_QUERIES")]
    running_queries: Option<usize>,
    /// Requests of one API key in an hour; 0 = without a limit. Default 36,000.
    #[arg(long, env = "WEIR_REQUESTS_PER_HOUR")]
    requests_per_hour: Option<u32>,
    /// Seconds of query time of one account in an hour; 0 = without a limit. Default 3,600.
    #[arg(long, env = "WEIR_QUERY_SECONDS_PER_HOUR")]
    query_seconds_per_hour: Option<u32>,
    /// Size of the figures kept for those who ask again, MB; 0 = none. Default 64.
    #[arg(long, env = "WEIR_QUERY_CACHE_MB")]
    cache_mb: Option<u64>,
    /// How long new requests are still taken after SIGTERM, while /api/health/ready says 503 already, milliseconds. Default 0.
    #[arg(long, env = "WEIR_QUERY_DRAIN_MS")]
    drain_ms: Option<u64>,
}

/// Runs the aggregator until SIGTERM or SIGINT.
pub(crate) async fn aggregator(options: &AggregatorOptions) -> Result<()> {
    start_log();
    let here = surroundings(&options.common, Role::Aggregator)?;
    let owned =
        if options.owned_partitions.is_empty() { (0..here.partitions).collect() } else { options.owned_partitions.clone() };
    let mut config = weir_aggregator::Config::new(here.nats, &here.region, owned, here.home.root());
    config.files = object_store::of(&here.home, "aggregator")?;
    set(&mut config.flush_after_ms, options.flush_after_ms);
    set(&mut config.flush_rows_max, options.flush_rows_max);
    set(&mut config.memory_limit_mb, options.memory_limit_mb);
    set(&mut config.archive, options.archive);
    set(&mut config.stream_retention_ms, options.stream_retention);
    set(&mut config.archive_retention_ms, options.archive_retention);
    if let Some(folder) = options.rules.clone().filter(|folder| !folder.as_os_str().is_empty()) {
        let read = tokio::task::spawn_blocking(move || rules::read_folder(&folder));
        config.rules = Some(read.await.context("reading the folder of rules failed")??);
    }
    config.monitor = options.metrics_port.map(|port| SocketAddr::new(options.metrics_host, port));
    config.validate().context("the aggregator's settings cannot be used")?;
    weir_aggregator::run(config, cancelled_by_signal()?).await.context("the aggregator failed")
}

/// Runs the query API until SIGTERM or SIGINT.
pub(crate) async fn query_api(options: &QueryOptions) -> Result<()> {
    start_log();
    let here = surroundings(&options.common, Role::Query)?;
    let listen = SocketAddr::new(options.query_host, options.query_port);
    let (files, work) = (object_store::of(&here.home, "query-api")?, here.home.path(".work/query-api"));
    let partitions = (0..here.partitions).collect();
    let mut config = weir_query_api::Config::new(listen, here.nats, &here.region, partitions, files, work);
    config.collector_url = options.collector_url.clone().or(here.run.map(|run| run.collector_url));
    set(&mut config.memory_limit_mb, options.memory_limit_mb);
    set(&mut config.duckdb_threads, options.duckdb_threads);
    set(&mut config.query_timeout_ms, options.query_timeout_ms);
    set(&mut config.running_queries_max, options.running_queries);
    set(&mut config.limits.requests_per_hour, options.requests_per_hour);
    set(&mut config.limits.engine_seconds_per_hour, options.query_seconds_per_hour);
    set(&mut config.cache_bytes_max, options.cache_mb.map(|mb| mb.saturating_mul(1_000_000)));
    set(&mut config.drain_ms, options.drain_ms);
    regions::tell(&mut config, &here.home)?;
    config.validate().context("the query API's settings cannot be used")?;
    let actions = Commands::on(&here.home)?.map(|commands| Arc::new(commands) as Arc<dyn OperatorActions>);
    weir_query_api::run_with(config, actions, cancelled_by_signal()?).await.context("the query API failed")
}

fn archive_switch(text: &str) -> Result<bool, String> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err("on or off".to_owned()),
    }
}

fn set<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}

/// Structured log lines on standard error, filtered by `RUST_LOG` (default: info).
pub(crate) fn start_log() {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info,async_nats=warn"));
    let lines = tracing_subscriber::fmt().json().flatten_event(true).with_env_filter(filter).with_writer(std::io::stderr);
    start_discreet(lines.finish());
}

/// Starts a log that leaves out what may hold secrets, whatever `RUST_LOG` asks for.
pub(crate) fn start_discreet(log: impl tracing::Subscriber + Send + Sync + 'static) {
    use tracing_subscriber::filter::filter_fn;
    use tracing_subscriber::layer::SubscriberExt as _;
    use tracing_subscriber::util::SubscriberInitExt as _;
    let started = log.with(filter_fn(|line| is_discreet(line.target(), *line.level()))).try_init();
    if let Err(error) = started {
        tracing::debug!(%error, "a log is there already");
    }
}

/// The NATS client writes whole answers at its debug level: what signs sessions, salts, events.
fn is_discreet(target: &str, level: tracing::Level) -> bool {
    level <= tracing::Level::INFO || target.split("::").next() != Some("async_nats")
}

/// Fires at SIGTERM or SIGINT. At the second one, or 30 s later, the process ends at once.
pub(crate) fn cancelled_by_signal() -> Result<CancellationToken> {
    cancelled_by_signal_within(Duration::from_secs(30))
}

/// The same with another time to end in.
pub(crate) fn cancelled_by_signal_within(end_within: Duration) -> Result<CancellationToken> {
    use tokio::signal::unix::{SignalKind, signal};
    let token = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen to SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen to SIGINT")?;
    let fired = token.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        fired.cancel();
        tokio::select! {
            _ = interrupt.recv() => {}
            () = tokio::time::sleep(end_within) => {}
        }
        std::process::exit(1);
    });
    Ok(token)
}

#[cfg(test)]
mod tests {
    use super::is_discreet;
    use tracing::Level;

    #[test]
    fn what_goes_over_the_line_to_nats_is_in_no_log() {
        for (target, level, expected) in [
            ("async_nats", Level::WARN, true),
            ("async_nats::connector", Level::INFO, true),
            ("async_nats::jetstream::context", Level::DEBUG, false),
            ("async_nats", Level::TRACE, false),
            ("async_nats_like", Level::TRACE, true),
            ("weir_reader", Level::DEBUG, true),
        ] {
            assert_eq!(is_discreet(target, level), expected, "{target} {level}");
        }
    }
}
