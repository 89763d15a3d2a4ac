//! Why the aggregator as a whole cannot run.

use crate::config::ConfigError;
use std::net::SocketAddr;
use std::path::PathBuf;
use thiserror::Error;
use weir_reader::ReaderError;
use weir_rollup::rules::RulesError;

/// Why the aggregator as a whole cannot run.
#[derive(Debug, Error)]
pub enum RunError {
    /// A setting is out of range.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The built-in rules cannot be read.
    #[error(transparent)]
    Rules(#[from] RulesError),
    /// The object store cannot be opened.
    #[error("the object store cannot be opened: {cause}")]
    Store {
        /// What the store says.
        #[source]
        cause: ReaderError,
    },
    /// The work folder cannot be used.
    #[error("the work folder {path:?} cannot be used: {cause}")]
    Work {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        #[source]
        cause: std::io::Error,
    },
    /// The port for health and metrics is taken or not ours.
    #[error("cannot listen on {listen} for health and metrics: {cause}; choose another WEIR_METRICS_PORT")]
    Listen {
        /// The address.
        listen: SocketAddr,
        /// What the system says.
        #[source]
        cause: std::io::Error,
    },
    /// A task panicked: a fault in this program.
    #[error("a task failed: {cause}")]
    Task {
        /// What the runtime says.
        #[source]
        cause: tokio::task::JoinError,
    },
}
