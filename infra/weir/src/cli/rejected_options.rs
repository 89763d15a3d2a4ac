//! What `weir rejected` can be told.

use clap::{Args, Subcommand};

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
