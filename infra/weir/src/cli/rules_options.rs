//! What `weir rules` can be told.

use clap::{Args, Subcommand};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum RulesCommand {
    /// List the files of rules with their sizes and digests, print one of them, or write all into a folder to be edited.
    Show(ShowOptions),
    /// Compare two sets of rules, file by file, line by line. Exit status: 0 equal, 1 different, 2 error.
    Diff {
        /// The rules on the left, as WHICH of `weir rules show`.
        #[arg(value_name = "A")]
        left: String,
        /// The rules on the right.
        #[arg(value_name = "B", default_value = "built-in")]
        right: String,
    },
}

/// What `rules show` can be told.
#[derive(Clone, Debug, Args)]
pub(crate) struct ShowOptions {
    /// Which rules: `served`, those of the newest files; `built-in`, those of this program; a digest or a logic version, stored ones (16 to 64 hex
    /// digits, or like 2-0123456789abcdef); or a folder, as `weir replay run --rules` takes it.
    #[arg(default_value = "served")]
    pub(crate) which: String,
    /// Print this file, like channels.toml.
    #[arg(long, value_name = "NAME", conflicts_with = "out")]
    pub(crate) file: Option<String>,
    /// Write all files into this folder. A file that is there with another content is left alone and named.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}
