//! DuckDB instances for writing: in memory, bounded, never on the network.

use duckdb::{Connection, InterruptHandle};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a writer's DuckDB may use.
#[derive(Clone, Debug)]
pub struct DuckLimits {
    /// Memory, MB.
    pub memory_limit_mb: u64,
    /// Threads.
    pub threads: u32,
    /// Folder for what does not fit in memory.
    pub temp: PathBuf,
}

impl DuckLimits {
    /// A fresh instance; files are attached to it.
    pub(crate) fn open(&self) -> Result<Connection, duckdb::Error> {
        let config = duckdb::Config::default()
            .max_memory(&format!("{}MB", self.memory_limit_mb))?
            .threads(i64::from(self.threads))?
            .with("temp_directory", self.temp.to_string_lossy())?
            .with("autoinstall_known_extensions", "false")?
            .with("autoload_known_extensions", "false")?;
        Connection::open_in_memory_with_flags(config)
    }
}

/// A path as an SQL text.
pub(crate) fn quoted(path: &Path) -> String {
    format!("'{}'", path.to_string_lossy().replace('\'', "''"))
}

/// Stops a blocking job from outside.
#[derive(Default)]
pub(crate) struct Interrupt {
    state: std::sync::Mutex<(bool, Option<Arc<InterruptHandle>>)>,
}

impl Interrupt {
    /// Makes the connection one that [`Interrupt::stop`] stops.
    pub(crate) fn watch(&self, connection: &Connection) {
        let mut state = self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let handle = connection.interrupt_handle();
        if state.0 {
            handle.interrupt();
        }
        state.1 = Some(handle);
    }

    /// Stops the running query and lets the job find out.
    pub(crate) fn stop(&self) {
        let mut state = self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        state.0 = true;
        if let Some(handle) = &state.1 {
            handle.interrupt();
        }
    }

    /// Whether the job should end.
    pub(crate) fn is_stopped(&self) -> bool {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner).0
    }
}
