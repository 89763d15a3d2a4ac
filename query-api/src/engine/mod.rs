//! One DuckDB instance in memory: parts attached to it, tables of the live end in it, statements run on a bounded number of threads.

mod bundles;
mod parts;
mod places;
mod run;
mod table;

pub use bundles::Bundle;
pub use parts::{AttachedPart, schema_of};
pub use run::{Cell, Rows, Session};
pub use table::{Reach, Table};

use crate::limits::{Queue, TurnBounds};
use duckdb::Connection;
use parts::Parts;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use thiserror::Error;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use weir_reader::ReaderError;
use weir_reader::store::LocalFile;
use weir_rollup::fold::{KnownIds, OldRetry};
use weir_rollup::part;

/// Limits of the engine.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// Folder for what does not fit into memory.
    pub temp_dir: PathBuf,
    /// Memory of DuckDB, bytes.
    pub memory_bytes_max: u64,
    /// Threads of DuckDB.
    pub threads: usize,
    /// Statements that run at the same time.
    pub running_max: usize,
    /// Statements that wait for their turn.
    pub waiting_max: usize,
    /// Time one statement may take.
    pub timeout: Duration,
    /// Parts that stay attached.
    pub parts_max: usize,
}

/// Why a statement gave no answer. None of it is the caller's fault.
#[derive(Debug, Error)]
pub enum EngineError {
    /// Too many statements wait already.
    #[error("{waiting} queries wait already")]
    Busy {
        /// How many.
        waiting: usize,
    },
    /// It took too long.
    #[error("the query took longer than {} ms", .limit.as_millis())]
    Timeout {
        /// The limit.
        limit: Duration,
    },
    /// The answer is too large.
    #[error("the answer has more than {limit_bytes} bytes")]
    TooLarge {
        /// The limit.
        limit_bytes: usize,
    },
    /// A part cannot be attached.
    #[error("part {name} cannot be attached: {cause}")]
    Attach {
        /// Name of the part.
        name: String,
        /// What DuckDB says.
        cause: duckdb::Error,
    },
    /// A part is not there.
    #[error("part {name} does not exist")]
    Missing {
        /// Name of the part.
        name: String,
    },
    /// A part's bytes are not those that were written.
    #[error("part {name} is damaged ({reason}): `weir repair` rebuilds it")]
    Damaged {
        /// Name of the part.
        name: String,
        /// What was found.
        reason: String,
    },
    /// The store does not give a part.
    #[error("a part cannot be read: {0}")]
    Store(ReaderError),
    /// A query needs more parts than may be attached at once.
    #[error("the query needs {found} parts, the limit is {limit}")]
    TooManyParts {
        /// How many it needs.
        found: usize,
        /// How many it may.
        limit: usize,
    },
    /// DuckDB failed.
    #[error("DuckDB failed: {0}")]
    Database(#[from] duckdb::Error),
    /// Rows could not be written as an Arrow batch.
    #[error("rows do not fit into a batch: {0}")]
    Batch(#[from] arrow::error::ArrowError),
    /// The service ends.
    #[error("the service ends")]
    Ending,
    /// The thread that ran it ended early.
    #[error("the query's thread ended early")]
    Lost,
}

impl From<ReaderError> for EngineError {
    fn from(error: ReaderError) -> Self {
        match error {
            ReaderError::Damaged { name, reason } => Self::Damaged { name, reason },
            ReaderError::ObjectMissing { name } => Self::Missing { name },
            error => Self::Store(error),
        }
    }
}

/// The instance. Cheap to share behind an [`Arc`].
pub struct Engine {
    config: EngineConfig,
    /// Everything that changes the catalog goes through this connection.
    catalog: Mutex<Connection>,
    idle: Mutex<Vec<Connection>>,
    parts: Mutex<Parts>,
    turns: Arc<Queue>,
    /// Fires when no statement may run any more.
    ending: CancellationToken,
    /// Threads that run statements.
    threads: TaskTracker,
    next_table: AtomicU64,
    /// Tables without holders, to be dropped on the next thread that may block.
    unheld: Mutex<Vec<String>>,
    bundles: Mutex<Vec<Arc<Bundle>>>,
}

impl Engine {
    /// Starts an instance. The database `nothing` holds the empty tables of a part, the schema `names` those of `places`.
    pub fn open(config: EngineConfig) -> Result<Arc<Self>, EngineError> {
        let flags = duckdb::Config::default()
            .with("memory_limit", format!("{}B", config.memory_bytes_max))?
            .with("threads", config.threads.to_string())?
            .with("temp_directory", path_text(&config.temp_dir))?
            .with("autoload_known_extensions", "false")?
            .with("autoinstall_known_extensions", "false")?
            .with("preserve_insertion_order", "false")?;
        let catalog = Connection::open_in_memory_with_flags(flags)?;
        catalog.execute_batch("ATTACH ':memory:' AS nothing; USE nothing;")?;
        catalog.execute_batch(part::SCHEMA)?;
        catalog.execute_batch("USE memory; CREATE SCHEMA tail;")?;
        places::load(&catalog)?;
        Ok(Arc::new(Self {
            turns: Queue::new(TurnBounds {
                running_max: config.running_max,
                tenant_running_max: tenant_running_max(config.running_max),
                waiting_max: config.waiting_max,
            }),
            ending: CancellationToken::new(),
            threads: TaskTracker::new(),
            parts: Mutex::new(Parts::new(config.parts_max)),
            config,
            catalog: Mutex::new(catalog),
            idle: Mutex::new(Vec::new()),
            next_table: AtomicU64::new(1),
            unheld: Mutex::new(Vec::new()),
            bundles: Mutex::new(Vec::new()),
        }))
    }

    /// Attaches the files that are not yet, and keeps all of them attached for as long as the answer lives. Blocks.
    pub fn attach(&self, files: &[(String, LocalFile)]) -> Result<Vec<Arc<AttachedPart>>, EngineError> {
        let mut parts = lock(&self.parts);
        parts.attach_all(&lock(&self.catalog), files)
    }

    /// How many parts are attached.
    pub fn attached_parts(&self) -> usize {
        lock(&self.parts).len()
    }

    /// How many statements of one tenant run at the same time.
    pub fn turns_of_tenant(&self) -> usize {
        tenant_running_max(self.config.running_max)
    }

    /// How many queries wait for their turn.
    pub fn waiting(&self) -> usize {
        self.turns.waiting()
    }

    /// How many statements run.
    pub fn running(&self) -> usize {
        self.turns.running()
    }

    /// Tenants whose statements run or wait.
    pub fn tenants(&self) -> usize {
        self.turns.tenants()
    }

    /// A new table with the columns of `events`, dropped with the value. Blocks.
    pub fn create_table(self: &Arc<Self>) -> Result<Table, EngineError> {
        let name = format!("tail.t{}", self.next_table.fetch_add(1, Ordering::Relaxed));
        let connection = lock(&self.catalog).try_clone()?;
        connection.execute_batch(&format!("CREATE TABLE {name} AS FROM nothing.events LIMIT 0"))?;
        Ok(Table::new(Arc::clone(self), name, connection))
    }

    /// Those of the wanted ids that rows of these tables have. Rows for which `hidden` (SQL) holds count as absent. Blocks.
    pub fn known_ids(
        &self,
        tables: impl Iterator<Item = String>,
        wanted: &[OldRetry],
        hidden: &str,
    ) -> Result<KnownIds, EngineError> {
        let select = |table| format!("SELECT site_id, event_ms, event_id_high, event_id_low FROM {table} WHERE NOT {hidden}");
        let selects = tables.map(select);
        let union = selects.collect::<Vec<_>>().join(" UNION ALL ");
        let sql = part::copies_sql(&format!("({union})"), wanted).filter(|_| !union.is_empty());
        let Some(sql) = sql else { return Ok(KnownIds::new()) };
        self.read(|connection| {
            let (mut statement, mut known) = (connection.prepare(&sql)?, KnownIds::new());
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let (site_id, event_ms, id) = (row.get(0)?, row.get(1)?, OldRetry::id_of(row.get(2)?, row.get(3)?));
                known.extend(wanted.iter().any(|retry| retry.is_copy(site_id, event_ms, id)).then_some(id));
            }
            Ok(known)
        })
    }

    /// Rows of tables of the live end after one sequence up to another. Blocks.
    pub fn count_rows<'a>(
        &self,
        tables: impl Iterator<Item = &'a str>,
        after_seq: u64,
        through_seq: u64,
    ) -> Result<u64, EngineError> {
        let mut rows = 0;
        for table in tables {
            let sql = format!("SELECT count(*) FROM {table} WHERE seq > {after_seq} AND seq <= {through_seq}");
            rows += self.read(|connection| connection.query_row(&sql, [], |row| row.get::<_, u64>(0)))?;
        }
        Ok(rows)
    }

    /// Runs something of ours, out of turn: it must be short. A connection that failed is not used again.
    fn read<T>(&self, work: impl FnOnce(&Connection) -> Result<T, duckdb::Error>) -> Result<T, EngineError> {
        let connection = self.checkout()?;
        let found = work(&connection)?;
        self.checkin(connection);
        Ok(found)
    }

    /// Drops the tables that nobody holds. Blocks.
    fn sweep(&self) {
        let unheld = std::mem::take(&mut *lock(&self.unheld));
        for name in unheld {
            let dropped = lock(&self.catalog).execute_batch(&format!("DROP TABLE {name}"));
            if let Err(error) = dropped {
                tracing::warn!(table.name = name, %error, "table of the live end cannot be dropped, trying again");
                lock(&self.unheld).push(name);
            }
        }
    }

    fn checkout(&self) -> Result<Connection, EngineError> {
        if let Some(connection) = lock(&self.idle).pop() {
            return Ok(connection);
        }
        Ok(lock(&self.catalog).try_clone()?)
    }

    fn checkin(&self, connection: Connection) {
        let mut idle = lock(&self.idle);
        if idle.len() < self.config.running_max {
            idle.push(connection);
        }
    }
}

/// A lock whose holder panicked guards nothing that could be half changed here: the connection rolls back by itself.
/// One turn is kept for whoever comes next.
fn tenant_running_max(running_max: usize) -> usize {
    running_max.saturating_sub(1).max(1)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn path_text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
