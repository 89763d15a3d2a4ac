//! Recalls, for a replay that goes on behind a checkpoint, the ids that rows before it have forgotten. Most replays ask for none: retries are rare.

use super::{ReplayError, Replayer};
use crate::duck::quoted;
use crate::flush::duck_limits;
use std::collections::HashSet;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use weir_event::codec;
use weir_event::model::EventBatch;
use weir_reader::history::{History, Reach};
use weir_reader::stream::Delivered;
use weir_rollup::fold::Recall;
use weir_rollup::manifest::{Manifest, covered_sql};
use weir_rollup::row::Position;

impl Replayer {
    /// What a shadow must know of the time before its checkpoint. Reads the raw batches of about a day after it, and, where they have old retries,
    /// those of about a day before it.
    pub(super) async fn recall(
        &self,
        served: &Manifest,
        shadow: &Manifest,
        checkpoint_seq: u64,
        cancel: &CancellationToken,
    ) -> Result<Recall, ReplayError> {
        let checkpoint = shadow.checkpoints.iter().find(|checkpoint| checkpoint.seq == checkpoint_seq);
        let Some(checkpoint) = checkpoint else { return Ok(Recall::default()) };
        let mut recall = Recall::new(checkpoint.stream_ms);
        self.read(served, shadow.sealed_seq + 1, served.sealed_seq, cancel, |message, batch| {
            recall.ask(batch, message.stream_ms)
        })
        .await?;
        let Some(from_ms) = recall.search_from_ms() else { return Ok(recall) };
        let reach = Reach::of(&self.shared.jetstream, &self.shared.store, served).await?;
        let from_seq = reach.seq_at(from_ms).await?.max(reach.first_seq());
        self.read(served, from_seq, checkpoint_seq, cancel, |message, batch| {
            recall.search(batch, message.seq);
            true
        })
        .await?;
        let rows = self.rows_at(shadow, recall.positions().collect(), covered_sql(&served.erasures)).await?;
        recall.keep(|position| rows.contains(&position));
        tracing::info!(partition = shadow.partition, copies = rows.len(), "old retries are known from before the checkpoint");
        Ok(recall)
    }

    /// Reads raw batches until `look` has seen enough.
    async fn read(
        &self,
        served: &Manifest,
        from_seq: u64,
        through_seq: u64,
        cancel: &CancellationToken,
        mut look: impl FnMut(&Delivered, &EventBatch) -> bool,
    ) -> Result<(), ReplayError> {
        if from_seq > through_seq {
            return Ok(());
        }
        let mut history = History::open(&self.shared.jetstream, &self.shared.store, served, from_seq).await?;
        for _ in from_seq..=through_seq {
            let message = tokio::select! {
                message = history.next() => message?,
                () = cancel.cancelled() => return Err(ReplayError::Cancelled),
            };
            // What cannot be decoded is told when it is folded.
            let Ok(batch) = codec::decode(message.schema, &message.payload) else { continue };
            if !look(&message, &batch) {
                break;
            }
        }
        Ok(())
    }

    /// Those of the positions at which a part has a row for which `hidden` (SQL) does not hold.
    async fn rows_at(
        &self,
        manifest: &Manifest,
        positions: Vec<Position>,
        hidden: String,
    ) -> Result<HashSet<Position>, ReplayError> {
        let Some((first, last)) = positions.iter().map(|position| position.seq).min().zip(positions.iter().map(|p| p.seq).max())
        else {
            return Ok(HashSet::new());
        };
        let reaches = |part: &&weir_rollup::manifest::Part| part.min_seq <= last && part.max_seq >= first && part.rows > 0;
        let mut files = Vec::new();
        for part in manifest.parts.iter().filter(reaches) {
            files.push(self.shared.store.fetch_part(part).await?);
        }
        let shared = Arc::clone(&self.shared);
        let look = move || -> Result<HashSet<Position>, duckdb::Error> {
            let places: Vec<String> = positions.iter().map(|position| format!("({}, {})", position.seq, position.idx)).collect();
            let places = places.join(", ");
            let (connection, mut found) = (duck_limits(&shared).open()?, HashSet::new());
            for file in &files {
                connection.execute_batch(&format!("ATTACH {} AS source (READ_ONLY)", quoted(file)))?;
                let sql = format!(
                    "SELECT seq, idx FROM source.events WHERE seq >= {first} AND seq <= {last} AND (seq, idx) IN (VALUES {places}) AND NOT {hidden}"
                );
                let mut statement = connection.prepare(&sql)?;
                let rows = statement.query_map([], |row| Ok(Position { seq: row.get(0)?, idx: row.get(1)? }))?;
                for row in rows {
                    found.insert(row?);
                }
                drop(statement);
                connection.execute_batch("DETACH source")?;
            }
            Ok(found)
        };
        tokio::task::spawn_blocking(look).await?.map_err(|error| ReplayError::from(crate::write::WriteError::from(error)))
    }
}
