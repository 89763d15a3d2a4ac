//! The live end of a partition: messages folded as the aggregator folds them, their rows in tables of the engine.

use super::ledger::TailLedger;
use crate::engine::{Engine, EngineError, Table};
use crate::service;
use std::sync::Arc;
use thiserror::Error;
use weir_event::codec::{self, DecodeError};
use weir_reader::store::Store;
use weir_reader::stream::Delivered;
use weir_rollup::fold::{self, Arrival, KnownIds, OldRetry, State};
use weir_rollup::ledger::Entry;
use weir_rollup::manifest::{Erasure, Manifest, Subject, covered_sql};
use weir_rollup::row::EventRow;
use weir_rollup::rules::Rules;

/// Rows after which a new table is begun.
const TABLE_ROWS_MAX: u64 = 250_000;
/// Estimated size of a row beside its own texts: the fixed columns and the opening attributes.
const ROW_BYTES: u64 = 400;
/// Estimated size of a ledger entry.
const ENTRY_BYTES: u64 = 96;

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
    /// Rows could not be kept, or copies of old retries not be looked up.
    #[error("rows of the live end cannot be kept: {0}")]
    Engine(#[from] EngineError),
}

struct Chunk {
    /// `None` until there are rows.
    table: Option<Arc<Table>>,
    ledger: Arc<TailLedger>,
    rows: u64,
    bytes: u64,
    max_seq: u64,
    is_closed: bool,
}

/// State and rows from some sequence on.
pub struct Live {
    engine: Arc<Engine>,
    rules: Arc<Rules>,
    store: Store,
    /// Where rows that are sealed are: with the chunks it holds everything up to `folded_seq`.
    manifest: Option<Arc<Manifest>>,
    state: State,
    folded_seq: u64,
    chunks: Vec<Chunk>,
    /// What control records behind what is sealed ask to be forgotten.
    asked: Vec<Erasure>,
}

impl Live {
    /// Begins behind what a manifest (`None` = nothing) seals, with the state after it.
    pub fn new(engine: Arc<Engine>, rules: Arc<Rules>, store: Store, manifest: Option<Arc<Manifest>>, state: State) -> Self {
        let folded_seq = manifest.as_ref().map_or(0, |manifest| manifest.sealed_seq);
        Self { engine, rules, store, manifest, state, folded_seq, chunks: Vec::new(), asked: Vec::new() }
    }

    /// Folds messages in stream order. Those before one that cannot be decoded are kept. Blocks.
    pub fn absorb(&mut self, messages: &[Delivered]) -> Result<(), LiveError> {
        let (mut rows, mut entries) = (Vec::<EventRow>::new(), Vec::new());
        let mut folded_seq = self.folded_seq;
        let mut fault = None;
        for message in messages {
            match codec::decode(message.schema, &message.payload) {
                Ok(batch) => {
                    let at = Arrival { seq: message.seq, stream_ms: message.stream_ms };
                    let known = self.known(&fold::old_retries(&self.state, &batch, at.stream_ms), &rows)?;
                    let folded = fold::fold(&mut self.state, &self.rules, &batch, at, &known);
                    rows.extend(folded.rows);
                    self.asked.extend(folded.controls.iter().filter_map(Erasure::of_control));
                    entries.extend(folded.ledger.into_iter().map(|entry| (message.seq, entry)));
                    folded_seq = message.seq;
                }
                Err(cause) => {
                    fault = Some(LiveError::Undecodable { seq: message.seq, cause });
                    break;
                }
            }
        }
        self.keep(&rows, entries, folded_seq)?;
        self.folded_seq = folded_seq;
        fault.map_or(Ok(()), Err)
    }

    /// Which old retries have a copy: in parts, in tables, or among rows that are not kept yet.
    fn known(&self, wanted: &[OldRetry], rows: &[EventRow]) -> Result<KnownIds, EngineError> {
        if wanted.is_empty() {
            return Ok(KnownIds::new());
        }
        let parts = self.manifest.iter().flat_map(|manifest| fold::parts_to_search(&manifest.parts, wanted));
        let attached = self.engine.attach(&service::files(&self.store, parts)?)?;
        let in_parts = attached.iter().map(|part| format!("{}.events", part.schema));
        let in_tables = self.chunks.iter().filter_map(|chunk| Some(chunk.table.as_ref()?.name().to_owned()));
        // What is to be forgotten is nobody's copy: else it would depend on when it is erased.
        let listed = self.manifest.iter().flat_map(|manifest| &manifest.erasures);
        let erasures: Vec<&Erasure> = listed.chain(&self.asked).collect();
        let hidden = covered_sql(erasures.iter().copied());
        let mut known = self.engine.known_ids(in_parts.chain(in_tables), wanted, &hidden)?;
        let ids: KnownIds = wanted.iter().map(|retry| retry.id).collect();
        let is_copy = |row: &&EventRow| {
            ids.contains(&row.event_id)
                && wanted.iter().any(|retry| retry.is_copy(row.site_id, row.event_ms, row.event_id))
                && !erasures.iter().any(|erasure| erasure.covers(&Subject::from(*row)))
        };
        known.extend(rows.iter().filter(is_copy).map(|row| row.event_id));
        Ok(known)
    }

    fn keep(&mut self, rows: &[EventRow], entries: Vec<(u64, Entry)>, max_seq: u64) -> Result<(), EngineError> {
        if rows.is_empty() && entries.is_empty() {
            return Ok(());
        }
        if self.chunks.last().is_none_or(|chunk| chunk.is_closed || chunk.rows >= TABLE_ROWS_MAX) {
            let ledger = Arc::new(TailLedger::default());
            self.chunks.push(Chunk { table: None, ledger, rows: 0, bytes: 0, max_seq: 0, is_closed: false });
        }
        if let Some(chunk) = self.chunks.last_mut() {
            if !rows.is_empty() {
                let table = match &chunk.table {
                    Some(table) => table,
                    None => chunk.table.insert(Arc::new(self.engine.create_table()?)),
                };
                table.append(rows)?;
            }
            chunk.rows += rows.len() as u64;
            chunk.bytes += rows.iter().map(row_bytes).sum::<u64>() + entries.len() as u64 * ENTRY_BYTES;
            chunk.ledger.append(entries);
            chunk.max_seq = max_seq;
        }
        Ok(())
    }

    /// Lets tables go whose rows are all sealed by a manifest. The others are closed, so that they can go with the next parts.
    pub fn release(&mut self, manifest: Option<Arc<Manifest>>) {
        let sealed_seq = manifest.as_ref().map_or(0, |manifest| manifest.sealed_seq);
        self.manifest = manifest;
        self.chunks.retain(|chunk| chunk.max_seq > sealed_seq);
        self.asked.retain(|erasure| erasure.seq > sealed_seq);
        self.chunks.iter_mut().for_each(|chunk| chunk.is_closed = true);
    }

    /// The tables, for a view.
    pub fn tables(&self) -> Vec<Arc<Table>> {
        self.chunks.iter().filter_map(|chunk| chunk.table.clone()).collect()
    }

    /// The ledgers, for a view.
    pub fn ledgers(&self) -> Vec<Arc<TailLedger>> {
        self.chunks.iter().map(|chunk| Arc::clone(&chunk.ledger)).collect()
    }

    /// What control records ask to be forgotten, for a view.
    pub fn asked(&self) -> Vec<Erasure> {
        self.asked.clone()
    }

    /// Compares the rows behind what is sealed with the ledger: how they differ, `None` when they do not. Blocks.
    pub fn imbalance(&self) -> Result<Option<String>, EngineError> {
        let sealed_seq = self.manifest.as_ref().map_or(0, |manifest| manifest.sealed_seq);
        let mut accepted = 0;
        self.chunks.iter().for_each(|chunk| {
            chunk.ledger.each(sealed_seq, self.folded_seq, |entry| accepted += entry.tally.accepted - entry.tally.erased);
        });
        let tables = self.tables();
        let rows = self.engine.count_rows(tables.iter().map(|table| table.name()), sealed_seq, self.folded_seq)?;
        let text = || {
            format!(
                "ledger_mismatch: behind message {sealed_seq} there are {rows} rows, the ledger has {accepted} accepted events"
            )
        };
        Ok((rows != accepted).then(text))
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
