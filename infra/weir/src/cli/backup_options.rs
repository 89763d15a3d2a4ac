//! What `weir backup` can be told.

use crate::backup::Wanted;
use clap::{Args, Subcommand};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum BackupCommand {
    /// Write sites, accounts, definitions, keys (hashed), heads and replays into one file, with the manifests, states and rules that the heads name.
    /// Without events, which are in the object store, and without salts, which must not outlive two days. The file is for its owner only.
    Create {
        /// The file; in a folder one is made whose name says region and time.
        path: PathBuf,
    },
    /// Put a backup back into an empty system that has the former object store. Where the object store has a newer state than the backup, that one is
    /// served. Can be repeated after an interruption.
    Restore(RestoreOptions),
}

/// What `backup restore` can be told.
#[derive(Clone, Debug, Args)]
pub(crate) struct RestoreOptions {
    /// The file; of a folder the newest one of this region.
    pub(crate) path: PathBuf,
    /// Replace what is here already and in the backup too.
    #[arg(long)]
    overwrite: bool,
    /// The former streams are lost: go on with those that are here, behind what is sealed.
    #[arg(long)]
    new_stream: bool,
    /// Serve what the backup names, though the object store has a newer state. What was sealed since is read from the stream again, if that is the
    /// former one.
    #[arg(long)]
    as_saved: bool,
}

impl RestoreOptions {
    pub(crate) fn wanted(&self) -> Wanted {
        Wanted { overwrite: self.overwrite, new_stream: self.new_stream, as_saved: self.as_saved }
    }
}
