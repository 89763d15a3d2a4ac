//! What `weir delete` and `weir retention` can be told.

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum DeleteCommand {
    /// Forget a site: its events, its record, keys, shared links and goals. Its number is never used again.
    Site {
        /// Its domain; the number of a site whose record is gone.
        site: String,
        /// Forget its events alone: the site stays.
        #[arg(long)]
        events_only: bool,
        #[command(flatten)]
        how: DeleteOptions,
    },
    /// Forget the events of one visitor of a site, received up to now.
    Visitor {
        /// Domain of the site.
        site: String,
        /// The visitor's id: 16 hex digits, as `weir tail` shows it, or the decimal number of the column `visitor_id`.
        visitor: String,
        #[command(flatten)]
        how: DeleteOptions,
    },
    /// Show the receipts: what was asked for, how far it is, and when nothing of it was kept anywhere any more.
    Status {
        /// Id of one.
        id: Option<String>,
    },
}

/// How to delete.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct DeleteOptions {
    /// Only tell what would be deleted.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do not ask.
    #[arg(long, conflicts_with = "dry_run")]
    pub(crate) yes: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RetentionCommand {
    /// Show how long events are kept: of all sites, and of those that chose a shorter time.
    Show,
    /// Keep events for so many days; older ones are forgotten, once a day. It cannot be undone.
    Set {
        /// Domain of a site.
        #[arg(required_unless_present = "all", requires = "days")]
        site: Option<String>,
        /// Days; 0 = as long as those of all sites.
        #[arg(value_parser = clap::value_parser!(u32).range(0..=36_500))]
        days: Option<u32>,
        /// For all sites; 0 = for ever.
        #[arg(long, value_name = "DAYS", conflicts_with = "site", value_parser = clap::value_parser!(u32).range(0..=36_500))]
        all: Option<u32>,
        #[command(flatten)]
        how: DeleteOptions,
    },
}
