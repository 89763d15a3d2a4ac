//! Figures that were found before: rows of statements, bounded in bytes, one run for those who ask the same at the same time.
//!
//! A statement's text names everything that its rows depend on: the parts it reads (immutable), the sequences of the site's own live rows, the site,
//! the range, what definitions of the site were made of. So the text is the key, nothing has to be invalidated, and the traffic of other sites changes no
//! key. What an answer says about freshness is never kept: it is told anew each time.

mod coverage;
mod figures;
mod presence;

pub use coverage::Coverage;
pub use figures::Figures;
pub use presence::Presence;

use crate::engine::{Cell, Rows};
use crate::plan::Statement;
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter};
use sha2::{Digest, Sha256};
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Rows heavier than this share of the cache are not kept: they would drive everything else out.
const SHARE_MAX: u64 = 8;
/// Weight of an entry beside its cells: key, list, and what the cache keeps of it.
const ENTRY_BYTES: u64 = 160;
/// Estimated weight of an entry, from which the cache sizes its tables.
const USUAL_BYTES: u64 = 2_000;

/// What a statement is found by: half of a SHA-256, because callers choose what stands in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key([u8; 16]);

impl Key {
    fn of(statement: &Statement) -> Self {
        let mut hash = Sha256::new();
        for text in std::iter::once(&statement.sql).chain(&statement.parameters) {
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text.as_bytes());
        }
        let mut key = [0; 16];
        key.iter_mut().zip(hash.finalize()).for_each(|(to, from)| *to = from);
        Self(key)
    }
}

#[derive(Clone)]
struct Bytes;

impl Weighter<Key, Arc<Rows>> for Bytes {
    fn weight(&self, _: &Key, rows: &Arc<Rows>) -> u64 {
        weight(rows)
    }
}

/// Estimated size of rows in memory.
fn weight(rows: &Rows) -> u64 {
    let cell = |cell: &Cell| size_of::<Cell>() + if let Cell::Text(text) = cell { text.len() } else { 0 };
    let cells: usize = rows.iter().map(|row| size_of::<Vec<Cell>>() + row.iter().map(cell).sum::<usize>()).sum();
    ENTRY_BYTES + cells as u64
}

/// Counts since the start.
#[derive(Debug, Default)]
pub struct CacheCounts {
    /// Rows that were there.
    pub hits: AtomicU64,
    /// Rows that were found anew.
    pub misses: AtomicU64,
    /// Rows that somebody else was finding at that moment.
    pub joined: AtomicU64,
}

type Lifecycle = DefaultLifecycle<Key, Arc<Rows>>;
type Entries = Cache<Key, Arc<Rows>, Bytes, DefaultHashBuilder, Lifecycle>;

/// The cache.
pub struct FigureCache {
    /// `None` = nothing is kept.
    entries: Option<Entries>,
    bytes_max: u64,
    /// Which parts have nothing of a site.
    pub presence: Presence,
    /// Of which sites rollups have figures.
    pub coverage: Coverage,
    /// How often it helped.
    pub counts: CacheCounts,
}

impl FigureCache {
    /// A cache of so many bytes; 0 = nothing is kept.
    pub fn new(bytes_max: u64) -> Self {
        let items = usize::try_from(bytes_max / USUAL_BYTES).unwrap_or(usize::MAX).max(16);
        let mut options = OptionsBuilder::new();
        // One shard, so that the limit is one for all.
        let options = options.shards(1).weight_capacity(bytes_max).estimated_items_capacity(items).build();
        let entries = options.ok().filter(|_| bytes_max > 0);
        let entries =
            entries.map(|options| Cache::with_options(options, Bytes, DefaultHashBuilder::default(), Lifecycle::default()));
        Self { entries, bytes_max, presence: Presence::default(), coverage: Coverage::default(), counts: CacheCounts::default() }
    }

    /// The rows of a statement: those kept, or what `find` finds. Who asks for the same meanwhile waits for it; when it fails or goes away, the next one finds
    /// them himself.
    ///
    /// # Errors
    /// Those of `find`. They are not kept.
    pub async fn rows<E>(&self, statement: &Statement, find: impl Future<Output = Result<Rows, E>>) -> Result<Arc<Rows>, E> {
        let Some(entries) = &self.entries else {
            self.counts.misses.fetch_add(1, Ordering::Relaxed);
            return find.await.map(Arc::new);
        };
        let key = Key::of(statement);
        if let Some(rows) = entries.get(&key) {
            self.counts.hits.fetch_add(1, Ordering::Relaxed);
            return Ok(rows);
        }
        let guard = match entries.get_value_or_guard_async(&key).await {
            Ok(rows) => {
                self.counts.joined.fetch_add(1, Ordering::Relaxed);
                return Ok(rows);
            }
            Err(guard) => guard,
        };
        self.counts.misses.fetch_add(1, Ordering::Relaxed);
        let rows = Arc::new(find.await?);
        if weight(&rows) <= self.bytes_max / SHARE_MAX {
            // Only a key that was removed meanwhile is refused; none is.
            let _kept = guard.insert(Arc::clone(&rows));
        }
        Ok(rows)
    }

    /// Bytes kept, estimated.
    pub fn bytes(&self) -> u64 {
        self.entries.as_ref().map_or(0, Cache::weight)
    }

    /// Statements whose rows are kept.
    pub fn entries(&self) -> u64 {
        self.entries.as_ref().map_or(0, |entries| entries.len() as u64)
    }
}

#[cfg(test)]
mod tests;
