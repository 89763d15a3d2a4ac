//! Running a statement: its turn, its thread, its time.

use super::{Engine, EngineError};
use crate::limits::Tenant;
use crate::plan::Statement;
use duckdb::types::ValueRef;
use duckdb::{Connection, InterruptHandle, params_from_iter};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

/// Largest answer: texts and 16 bytes for each cell.
const ANSWER_BYTES_MAX: usize = 64_000_000;
/// How often a statement that must end is interrupted until it does.
const INTERRUPT_EVERY: Duration = Duration::from_millis(20);

/// A value of an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// No value.
    Null,
    /// A whole number.
    Integer(i64),
    /// A number with decimals.
    Decimal(f64),
    /// A text.
    Text(String),
}

/// The rows of an answer.
pub type Rows = Vec<Vec<Cell>>;

impl Engine {
    /// Runs work of the service itself: see [`Engine::run_for`].
    pub async fn run<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Session<'_>) -> Result<T, EngineError> + Send + 'static,
    ) -> Result<T, EngineError> {
        self.run_for(&Tenant::System, work).await
    }

    /// Runs what `work` makes of a connection, when it is the tenant's turn, on a thread of its own, for at most the time limit. When the caller goes away
    /// the statement is interrupted.
    pub async fn run_for<T: Send + 'static>(
        self: &Arc<Self>,
        tenant: &Tenant,
        work: impl FnOnce(&Session<'_>) -> Result<T, EngineError> + Send + 'static,
    ) -> Result<T, EngineError> {
        let turn = tokio::select! {
            biased;
            () = self.ending.cancelled() => return Err(EngineError::Ending),
            turn = self.turns.turn(tenant) => turn.map_err(|full| EngineError::Busy { waiting: full.waiting })?,
        };
        let connection = self.checkout()?;
        let limit = self.config.timeout;
        let stop = Arc::new(AtomicBool::new(false));
        let timed_out = Arc::new(AtomicBool::new(false));
        let (done_sender, done) = oneshot::channel();
        let (alive, gone) = oneshot::channel::<()>();
        let until = Until { limit, gone, ending: self.ending.clone(), timed_out: Arc::clone(&timed_out) };
        let watch = tokio::spawn(watch(connection.interrupt_handle(), Arc::clone(&stop), done, until));
        let engine = Arc::clone(self);
        let task = self.threads.spawn_blocking(move || {
            engine.sweep();
            let result = work(&Session { engine: &engine, connection: &connection, stop: &stop });
            // The watch may have ended already.
            let _ended = done_sender.send(());
            drop(turn);
            (result, connection)
        });
        let (result, connection) = task.await.map_err(|_| EngineError::Lost)?;
        // Only then nobody interrupts the connection any more.
        let watched = watch.await;
        if result.is_ok() && watched.is_ok() {
            self.checkin(connection);
        }
        drop(alive);
        if result.is_err() && timed_out.load(Ordering::Relaxed) {
            return Err(EngineError::Timeout { limit });
        }
        result
    }

    /// Interrupts all statements, runs none any more, and returns when their threads have ended.
    pub async fn end(&self) {
        self.ending.cancel();
        self.threads.close();
        self.threads.wait().await;
    }
}

/// What ends a statement before it ends by itself.
struct Until {
    limit: Duration,
    gone: oneshot::Receiver<()>,
    ending: CancellationToken,
    timed_out: Arc<AtomicBool>,
}

/// Interrupts a statement when its time is over, its caller is gone or the service ends, until it ends.
async fn watch(handle: Arc<InterruptHandle>, stop: Arc<AtomicBool>, mut done: oneshot::Receiver<()>, until: Until) {
    tokio::select! {
        biased;
        _ = &mut done => return,
        _ = until.gone => {}
        () = until.ending.cancelled() => {}
        () = tokio::time::sleep(until.limit) => until.timed_out.store(true, Ordering::Relaxed),
    }
    stop.store(true, Ordering::Relaxed);
    loop {
        handle.interrupt();
        tokio::select! {
            _ = &mut done => return,
            () = tokio::time::sleep(INTERRUPT_EVERY) => {}
        }
    }
}

/// What a piece of work may do with its connection.
pub struct Session<'a> {
    /// The instance, to attach parts.
    pub engine: &'a Engine,
    connection: &'a Connection,
    stop: &'a AtomicBool,
}

impl Session<'_> {
    /// All rows of a statement.
    ///
    /// It is planned and run in one transaction. DuckDB plans by what it knows of the tables then, and leaves out a bound of the sequence that all rows keep:
    /// rows that were appended between planning and running would be counted, or break a plan that was made without them.
    pub fn query(&self, statement: &Statement) -> Result<Rows, EngineError> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(EngineError::Lost);
        }
        self.connection.execute_batch("BEGIN TRANSACTION READ ONLY")?;
        let rows = self.rows(statement);
        // After a failure nothing is left of the transaction; the connection is not used again.
        let ended = self.connection.execute_batch(if rows.is_ok() { "COMMIT" } else { "ROLLBACK" });
        let rows = rows?;
        ended?;
        Ok(rows)
    }

    /// Whether a statement that reads nothing can be planned and run. What ends because its time is over counts as accepted.
    pub fn accepts(&self, statement: &Statement) -> bool {
        self.query(statement).is_ok() || self.stop.load(Ordering::Relaxed)
    }

    fn rows(&self, statement: &Statement) -> Result<Rows, EngineError> {
        let mut prepared = self.connection.prepare(&statement.sql)?;
        let mut found = prepared.query(params_from_iter(statement.parameters.iter()))?;
        let mut rows = Rows::new();
        let mut bytes = 0;
        while let Some(row) = found.next()? {
            let columns = row.as_ref().column_count();
            let mut cells = Vec::with_capacity(columns);
            for column in 0..columns {
                let cell = cell(row.get_ref(column)?);
                bytes += 16 + if let Cell::Text(text) = &cell { text.len() } else { 0 };
                cells.push(cell);
            }
            if bytes > ANSWER_BYTES_MAX {
                return Err(EngineError::TooLarge { limit_bytes: ANSWER_BYTES_MAX });
            }
            rows.push(cells);
        }
        Ok(rows)
    }
}

fn cell(value: ValueRef<'_>) -> Cell {
    match value {
        ValueRef::BigInt(number) => Cell::Integer(number),
        ValueRef::Int(number) => Cell::Integer(i64::from(number)),
        ValueRef::Double(number) => Cell::Decimal(number),
        ValueRef::Text(bytes) => Cell::Text(String::from_utf8_lossy(bytes).into_owned()),
        // The statements give no other types.
        _ => Cell::Null,
    }
}
