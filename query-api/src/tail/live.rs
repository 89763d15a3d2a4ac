//! The live end of a partition: messages folded as the aggregator folds them, their rows in tables of the engine.

use crate::engine::{Engine, EngineError, Table};
use std::sync::Arc;
use thiserror::Error;
use weir_event::codec::{self, DecodeError};
use weir_reader::stream::Delivered;
use weir_rollup::fold::{self, Arrival, State};
use weir_rollup::row::EventRow;
use weir_rollup::rules::Rules;

/// Rows after which a new table is begun.
const TABLE_ROWS_MAX: u64 = 250_000;
/// Estimated size of a row beside its own texts: the fixed columns and the opening attributes.
const ROW_BYTES: u64 = 400;

/// What a live end may hold.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Rows.
    pub rows_max: u64,
    /// Estimated size, bytes.
    pub bytes_max: u64,
}

/// Why folding ended. The live end is of no use any more.
#[derive(Debug, Error)]
pub enum LiveError {
    /// A message is no batch.
    #[error("message {seq} cannot be decoded: {cause}")]
    Undecodable {
        /// Its sequence.
        seq: u64,
        /// What is wrong with it.
        cause: DecodeError,
    },
    /// Rows could not be kept.
    #[error("rows of the live end cannot be kept: {0}")]
    Engine(#[from] EngineError),
}

struct Chunk {
    table: Arc<Table>,
    rows: u64,
    bytes: u64,
    max_seq: u64,
    is_closed: bool,
}

/// State and rows from some sequence on.
pub struct Live {
    engine: Arc<Engine>,
    rules: Arc<Rules>,
    state: State,
    folded_seq: u64,
    chunks: Vec<Chunk>,
}

impl Live {
    /// Begins behind `sealed_seq` with the state after it.
    pub fn new(engine: Arc<Engine>, rules: Arc<Rules>, state: State, sealed_seq: u64) -> Self {
        Self { engine, rules, state, folded_seq: sealed_seq, chunks: Vec::new() }
    }

    /// Folds messages in stream order. Those before one that cannot be decoded are kept. Blocks.
    pub fn absorb(&mut self, messages: &[Delivered]) -> Result<(), LiveError> {
        let mut rows: Vec<EventRow> = Vec::new();
        let mut folded_seq = self.folded_seq;
        let mut fault = None;
        for message in messages {
            match codec::decode(message.schema, &message.payload) {
                Ok(batch) => {
                    let at = Arrival { seq: message.seq, stream_ms: message.stream_ms };
                    rows.extend(fold::fold(&mut self.state, &self.rules, &batch, at).rows);
                    folded_seq = message.seq;
                }
                Err(cause) => {
                    fault = Some(LiveError::Undecodable { seq: message.seq, cause });
                    break;
                }
            }
        }
        self.keep(&rows, folded_seq)?;
        self.folded_seq = folded_seq;
        fault.map_or(Ok(()), Err)
    }

    fn keep(&mut self, rows: &[EventRow], max_seq: u64) -> Result<(), EngineError> {
        if rows.is_empty() {
            return Ok(());
        }
        if self.chunks.last().is_none_or(|chunk| chunk.is_closed || chunk.rows >= TABLE_ROWS_MAX) {
            let table = Arc::new(self.engine.create_table()?);
            self.chunks.push(Chunk { table, rows: 0, bytes: 0, max_seq: 0, is_closed: false });
        }
        if let Some(chunk) = self.chunks.last_mut() {
            chunk.table.append(rows)?;
            chunk.rows += rows.len() as u64;
            chunk.bytes += rows.iter().map(row_bytes).sum::<u64>();
            chunk.max_seq = max_seq;
        }
        Ok(())
    }

    /// Lets tables go whose rows are all sealed. The others are closed, so that they can go with the next parts.
    pub fn release(&mut self, sealed_seq: u64) {
        self.chunks.retain(|chunk| chunk.max_seq > sealed_seq);
        self.chunks.iter_mut().for_each(|chunk| chunk.is_closed = true);
    }

    /// The tables, for a view.
    pub fn tables(&self) -> Vec<Arc<Table>> {
        self.chunks.iter().map(|chunk| Arc::clone(&chunk.table)).collect()
    }

    /// Rows in the tables.
    pub fn rows(&self) -> u64 {
        self.chunks.iter().map(|chunk| chunk.rows).sum()
    }

    /// Holds as much as it may.
    pub fn is_full(&self, limits: Limits) -> bool {
        self.rows() >= limits.rows_max || self.chunks.iter().map(|chunk| chunk.bytes).sum::<u64>() >= limits.bytes_max
    }

    /// Last folded sequence.
    pub fn folded_seq(&self) -> u64 {
        self.folded_seq
    }

    /// The watermark of one who was at the end of the stream at `end_ms` (0 = never was).
    pub fn watermark_ms(&self, end_ms: u64) -> u64 {
        self.state.watermark(end_ms.max(self.state.stream_ms()))
    }
}

fn row_bytes(row: &EventRow) -> u64 {
    let props: usize = row.props.iter().map(|prop| prop.key.len() + prop.value.len()).sum();
    ROW_BYTES + (row.name.len() + row.hostname.len() + row.pathname.len() + row.opening.referrer.len() + props) as u64
}
