//! What `weir replay` can be told.

use chrono::DateTime;
use clap::{Args, Subcommand};
use std::path::PathBuf;
use weir_aggregator::replay::Start;

#[derive(Debug, Subcommand)]
pub(crate) enum ReplayCommand {
    /// Say what a replay would read, rebuild and replace, and how long that takes. Nothing that is served changes; `weir replay run` remembers it.
    Plan(PlanOptions),
    /// Build the shadow: the partitions' files as the wanted logic makes them, beside those that are served. Runs at a low priority and pauses
    /// while live ingestion is behind. Interrupted at any time, it goes on when it is run again. Without --from-seq and --from-time it
    /// goes on with the shadow that is there, else it does what was planned last. There is one shadow at a time.
    Run(RunOptions),
    /// Compare the shadow with what is served, event by event. Exit status: 0 equal, 1 different, 2 error.
    Diff(DiffOptions),
    /// Serve the shadow instead of the files it was built beside. Takes a moment; queries and live ingestion go on. `weir replay rollback` takes it
    /// back.
    Promote(SwitchOptions),
    /// Serve again what was served before the promotion, with everything received since.
    Rollback(SwitchOptions),
    /// Give the shadow up; after a promotion, give the offered rollback up, so that its files can be removed.
    Discard(SwitchOptions),
    /// Show the newest replay: how far it is, and what to do next.
    Status,
    /// Print what the stream holds in another format.
    #[command(subcommand)]
    To(ReplayTarget),
}

#[derive(Debug, Subcommand)]
pub(crate) enum ReplayTarget {
    /// One raw event a line, as `weir tail` prints it, partition by partition, each in order.
    Ndjson(NdjsonOptions),
}

/// Where a replay begins.
#[derive(Clone, Debug, Args)]
#[group(id = "start", required = false, multiple = false)]
pub(crate) struct StartOptions {
    /// First stream sequence to make anew, of each partition.
    #[arg(long, value_name = "N", value_parser = sequence)]
    from_seq: Option<u64>,
    /// Make anew what was received at this time or later, RFC 3339 like 2026-11-21T10:00:00Z.
    #[arg(long, value_name = "RFC3339", value_parser = time_ms)]
    from_time: Option<u64>,
}

impl StartOptions {
    /// The start that was named, if one was.
    pub(crate) fn start(&self) -> Option<Start> {
        self.from_seq.map(Start::Seq).or_else(|| self.from_time.map(Start::TimeMs))
    }
}

/// The partitions of a replay, and the rules it uses.
#[derive(Clone, Debug, Args)]
pub(crate) struct WantedOptions {
    /// Only this partition.
    #[arg(long, value_name = "P")]
    pub(crate) partition: Option<u32>,
    /// Fold with the rules in this folder; what is not there is as built in (`weir rules show --out DIR` fills one). Without --rules and
    /// --built-in each event is folded with the rules it was folded with before.
    #[arg(long, value_name = "DIR", conflicts_with = "built_in")]
    pub(crate) rules: Option<PathBuf>,
    /// Fold with the rules that this program was built with.
    #[arg(long)]
    pub(crate) built_in: bool,
}

/// What `replay plan` can be told.
#[derive(Clone, Debug, Args)]
#[group(skip)]
#[command(mut_group("start", |group| group.required(true)))]
pub(crate) struct PlanOptions {
    #[command(flatten)]
    pub(crate) start: StartOptions,
    #[command(flatten)]
    pub(crate) wanted: WantedOptions,
}

/// What `replay run` can be told.
#[derive(Clone, Debug, Args)]
#[command(mut_arg("partition", |arg| arg.requires("start")))]
pub(crate) struct RunOptions {
    #[command(flatten)]
    pub(crate) start: StartOptions,
    #[command(flatten)]
    pub(crate) wanted: WantedOptions,
    /// Pause while live ingestion is further behind than this, milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 5000, value_parser = clap::value_parser!(u64).range(100..=3_600_000))]
    pub(crate) lag_target_ms: u64,
    /// How far it gives way to others on the machine, 0–19 (niceness). At 19 it gets next to nothing beside programs that take whole processors;
    /// it waits for live ingestion at any value.
    #[arg(long, env = "WEIR_REPLAY_NICE", value_name = "N", default_value_t = 19, value_parser = clap::value_parser!(u8).range(0..=19))]
    pub(crate) nice: u8,
    /// Memory of the writer of files, MB.
    #[arg(long, value_name = "MB", default_value_t = 512, value_parser = clap::value_parser!(u64).range(64..=1_000_000))]
    pub(crate) memory_limit_mb: u64,
}

/// What `replay diff` can be told.
#[derive(Clone, Debug, Args)]
pub(crate) struct DiffOptions {
    /// Only this site.
    #[arg(long, value_name = "DOMAIN")]
    pub(crate) site: Option<String>,
    /// At most so many values, and so many differences by hour: the largest.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) limit: u32,
}

/// What the commands that change what is served can be told.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct SwitchOptions {
    /// Do not ask. Needed where nobody can answer.
    #[arg(long)]
    pub(crate) yes: bool,
}

/// What `replay to ndjson` can be told.
#[derive(Clone, Debug, Args)]
pub(crate) struct NdjsonOptions {
    /// First sequence of each partition. One that neither archive nor stream have any more is an error.
    #[arg(long, value_name = "N", value_parser = sequence)]
    pub(crate) from_seq: u64,
    /// Last stream sequence; default: the end of the stream as it is now.
    #[arg(long, value_name = "M", value_parser = sequence)]
    pub(crate) to_seq: Option<u64>,
    /// Only this partition.
    #[arg(long, value_name = "P")]
    pub(crate) partition: Option<u32>,
}

fn sequence(text: &str) -> Result<u64, String> {
    match text.parse() {
        Ok(0) => Err("sequences start at 1".to_owned()),
        Ok(seq) => Ok(seq),
        Err(_) => Err("not a stream sequence: a whole number from 1".to_owned()),
    }
}

fn time_ms(text: &str) -> Result<u64, String> {
    let at = DateTime::parse_from_rfc3339(text)
        .map_err(|_| "not a time with its zone in RFC 3339, like 2026-11-21T10:00:00Z or 2026-11-21T11:00:00+01:00".to_owned())?;
    u64::try_from(at.timestamp_millis()).map_err(|_| "before 1970, when nothing was received yet".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_and_times() {
        assert_eq!(sequence("7"), Ok(7));
        assert!(sequence("0").is_err_and(|error| error.contains("start at 1")));
        assert!(sequence("-1").is_err() && sequence("x").is_err());
        assert_eq!(time_ms("1970-01-01T01:00:01.5+01:00"), Ok(1500));
        for wrong in ["", "2026-11-21", "2026-11-21T10:00:00", "1969-12-31T23:59:59Z", "now"] {
            assert!(time_ms(wrong).is_err(), "{wrong}");
        }
    }
}
