//! What a batcher commits, forms and sends, and in which order: a state machine without clock, storage or network.
//!
//! Events are appended, committed to storage in groups, formed into batches and sent one after the other. The shell carries out what is
//! planned here: it performs the writes of a plan in one turn, makes them durable, and only then reports the plan as done. When storage
//! fails, the shell throws this state away and restores it from storage: memory is only a cache.

use std::collections::VecDeque;

use weir_event::codec;
use weir_event::model::EventBatch;

/// Size that batches are formed up to, bytes. Half of what a message may have, so that a batch never comes near the limit.
pub(crate) const BATCH_TARGET_BYTES: usize = 512 * 1024;

/// Names one append until its group is committed.
pub(crate) type Ticket = u64;

/// Encoded events that stay together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chunk {
    /// What `codec::append_event` wrote; at most [`BATCH_TARGET_BYTES`].
    pub(crate) bytes: Vec<u8>,
    /// How many events.
    pub(crate) events: u32,
    /// Receive time of the oldest, Unix milliseconds.
    pub(crate) oldest_ms: u64,
}

/// What is known of a stored row without its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    /// Key of the row; rows are used in the order of their keys.
    pub(crate) id: i64,
    /// Size of the bytes.
    pub(crate) bytes: usize,
    /// How many events.
    pub(crate) events: u32,
    /// Receive time of the oldest event, Unix milliseconds.
    pub(crate) oldest_ms: u64,
}

/// One change of storage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Write {
    /// Insert committed events that are not in a batch yet.
    InsertPending { id: i64, chunk: Chunk },
    /// Insert a batch whose bytes are all here.
    InsertBatch { id: i64, message_id: String, chunk: Chunk },
    /// Insert the batch of these bytes followed by the bytes of all pending rows up to `through_id`, and delete those rows.
    FormBatch { id: i64, message_id: String, head: Vec<u8>, through_id: i64, events: u32, oldest_ms: u64 },
    /// Delete a batch that is on the stream.
    DeleteBatch { id: i64 },
}

/// A group of appends on its way to storage.
#[derive(Debug)]
pub(crate) struct Commit {
    /// To be performed in one turn.
    pub(crate) writes: Vec<Write>,
    /// The appends that are on stable storage when the writes are.
    pub(crate) tickets: Vec<Ticket>,
    producer: Vec<u8>,
    batch: Option<Batch>,
    pending: Vec<Row>,
}

/// A batch being formed of what is pending.
#[derive(Debug)]
pub(crate) struct Forming {
    /// To be performed.
    pub(crate) write: Write,
    producer: Vec<u8>,
    batch: Batch,
    rows: usize,
}

/// A batch whose number and bytes are on stable storage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Batch {
    /// The stored row.
    pub(crate) row: Row,
    /// Its `Nats-Msg-Id`.
    pub(crate) message_id: String,
}

/// What the sender does next.
#[derive(Debug)]
pub(crate) enum Step {
    /// Nothing is to be sent.
    Idle,
    /// A batch is to be formed first.
    Form(Forming),
    /// This batch is the next on the stream.
    Send(Batch),
}

/// The backlog has no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("backlog has {backlog_bytes} bytes, the limit is {limit_bytes}")]
pub(crate) struct Full {
    /// What it holds.
    pub(crate) backlog_bytes: usize,
    /// What it may hold.
    pub(crate) limit_bytes: usize,
}

/// The state of one batcher.
#[derive(Debug)]
pub(crate) struct Core {
    batcher: String,
    producer: Vec<u8>,
    next_number: u64,
    next_id: i64,
    next_ticket: Ticket,
    backlog_bytes_max: usize,
    waiting: Vec<(Ticket, Vec<Chunk>)>,
    /// Appended and on its way to storage: what of it counts for the backlog.
    committing: Option<Row>,
    /// A commit on its way writes a batch directly.
    committing_batch: bool,
    pending: VecDeque<Row>,
    forming: bool,
    batches: VecDeque<Batch>,
}

impl Core {
    /// The state after a start: what storage holds, in the order of the keys, and a producer id never used before.
    pub(crate) fn restore(
        batcher: String,
        producer: Vec<u8>,
        backlog_bytes_max: usize,
        pending: Vec<Row>,
        formed: Vec<Batch>,
    ) -> Self {
        let last_id = pending.iter().map(|row| row.id).chain(formed.iter().map(|batch| batch.row.id)).max().unwrap_or(0);
        Self {
            batcher,
            producer,
            next_number: 1,
            next_id: last_id + 1,
            next_ticket: 1,
            backlog_bytes_max,
            waiting: Vec::new(),
            committing: None,
            committing_batch: false,
            pending: pending.into(),
            forming: false,
            batches: formed.into(),
        }
    }

    /// Takes events into the group that is committed next.
    ///
    /// # Errors
    /// When the backlog would grow over its limit.
    pub(crate) fn append(&mut self, chunks: Vec<Chunk>) -> Result<Ticket, Full> {
        let more: usize = chunks.iter().map(|chunk| chunk.bytes.len()).sum();
        let backlog_bytes = self.backlog_bytes();
        if backlog_bytes + more > self.backlog_bytes_max {
            return Err(Full { backlog_bytes, limit_bytes: self.backlog_bytes_max });
        }
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.waiting.push((ticket, chunks));
        Ok(ticket)
    }

    /// The group to commit now, when there is one and none is on its way. With nothing else unsent, its first part becomes a batch at once:
    /// one trip to stable storage instead of two.
    pub(crate) fn start_commit(&mut self, now_ms: u64) -> Option<Commit> {
        if self.waiting.is_empty() || self.committing.is_some() {
            return None;
        }
        let (tickets, chunks): (Vec<Ticket>, Vec<Vec<Chunk>>) = std::mem::take(&mut self.waiting).into_iter().unzip();
        let mut parts = merge(chunks.into_iter().flatten());
        self.committing = Some(Row {
            id: 0,
            bytes: parts.iter().map(|part| part.bytes.len()).sum(),
            events: parts.iter().map(|part| part.events).sum(),
            oldest_ms: oldest(parts.iter().map(|part| part.oldest_ms)),
        });
        let mut commit =
            Commit { writes: Vec::new(), tickets, producer: self.producer.clone(), batch: None, pending: Vec::new() };
        if self.pending.is_empty()
            && self.batches.is_empty()
            && !self.forming
            && let Some(first) = parts.pop_front()
        {
            let left_ms = oldest(parts.iter().map(|part| part.oldest_ms));
            let (id, message_id, mut bytes) = self.next_batch(now_ms, left_ms);
            bytes.extend_from_slice(&first.bytes);
            let chunk = Chunk { bytes, ..first };
            commit.batch = Some(Batch { row: row(id, &chunk), message_id: message_id.clone() });
            commit.writes.push(Write::InsertBatch { id, message_id, chunk });
            self.committing_batch = true;
        }
        for chunk in parts {
            let id = self.take_id();
            commit.pending.push(row(id, &chunk));
            commit.writes.push(Write::InsertPending { id, chunk });
        }
        Some(commit)
    }

    /// The group is on stable storage. A plan of a state that was given up meanwhile is ignored: storage told its outcome already.
    pub(crate) fn finish_commit(&mut self, commit: Commit) {
        if commit.producer != self.producer {
            return;
        }
        self.committing = None;
        self.committing_batch = false;
        self.batches.extend(commit.batch);
        self.pending.extend(commit.pending);
    }

    /// What the sender does next. A batch is formed only when none is left to send, so that it takes all that came in the meantime.
    pub(crate) fn next_step(&mut self, now_ms: u64) -> Step {
        if let Some(batch) = self.batches.front() {
            return Step::Send(batch.clone());
        }
        if self.forming || self.committing_batch {
            return Step::Idle;
        }
        let (mut bytes, mut rows) = (0, 0);
        let mut formed = Row { id: 0, bytes: 0, events: 0, oldest_ms: 0 };
        for row in &self.pending {
            bytes += row.bytes;
            if rows > 0 && bytes > BATCH_TARGET_BYTES {
                break;
            }
            rows += 1;
            let oldest_ms = oldest([formed.oldest_ms, row.oldest_ms].into_iter());
            formed = Row { id: row.id, bytes: formed.bytes + row.bytes, events: formed.events + row.events, oldest_ms };
        }
        if rows == 0 {
            return Step::Idle;
        }
        let later = self.pending.iter().skip(rows).chain(&self.committing).map(|row| row.oldest_ms);
        let left_ms = oldest(later.chain(self.waiting_oldest()));
        let (id, message_id, head) = self.next_batch(now_ms, left_ms);
        self.forming = true;
        let batch = Batch { row: Row { id, bytes: head.len() + formed.bytes, ..formed }, message_id: message_id.clone() };
        let write =
            Write::FormBatch { id, message_id, head, through_id: formed.id, events: formed.events, oldest_ms: formed.oldest_ms };
        Step::Form(Forming { write, producer: self.producer.clone(), batch, rows })
    }

    /// The batch's number and bytes are on stable storage. As with commits, only plans of this state count.
    pub(crate) fn finish_forming(&mut self, forming: Forming) {
        if forming.producer != self.producer {
            return;
        }
        self.forming = false;
        self.pending.drain(..forming.rows.min(self.pending.len()));
        self.batches.push_back(forming.batch);
    }

    /// The batch is on the stream; the write need not be durable, since sending it again does no harm.
    pub(crate) fn acknowledged(&mut self, id: i64) -> Option<Write> {
        self.batches.pop_front_if(|batch| batch.row.id == id).map(|batch| Write::DeleteBatch { id: batch.row.id })
    }

    /// What is kept until it is on the stream, bytes.
    pub(crate) fn backlog_bytes(&self) -> usize {
        let waiting: usize = self.waiting.iter().flat_map(|(_, chunks)| chunks).map(|chunk| chunk.bytes.len()).sum();
        waiting + self.rows().map(|row| row.bytes).sum::<usize>()
    }

    /// Events that are not known to be on the stream.
    pub(crate) fn unsent_events(&self) -> u64 {
        let waiting: u64 = self.waiting.iter().flat_map(|(_, chunks)| chunks).map(|chunk| u64::from(chunk.events)).sum();
        waiting + self.rows().map(|row| u64::from(row.events)).sum::<u64>()
    }

    /// Receive time of the oldest of them, Unix milliseconds; 0 = none.
    pub(crate) fn oldest_unsent_ms(&self) -> u64 {
        oldest(self.rows().map(|row| row.oldest_ms).chain(self.waiting_oldest()))
    }

    /// Whether all that was appended is on the stream.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.rows().next().is_none()
    }

    /// The batcher's stable name.
    pub(crate) fn batcher(&self) -> &str {
        &self.batcher
    }

    /// Whether appends wait for a commit.
    pub(crate) fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    fn rows(&self) -> impl Iterator<Item = &Row> {
        self.batches.iter().map(|batch| &batch.row).chain(&self.pending).chain(&self.committing)
    }

    fn waiting_oldest(&self) -> impl Iterator<Item = u64> {
        self.waiting.iter().flat_map(|(_, chunks)| chunks).map(|chunk| chunk.oldest_ms)
    }

    fn take_id(&mut self) -> i64 {
        let id = self.next_id;
        self.next_id += 1;
        id
    }

    /// Key, message id and encoded head of the next batch.
    fn next_batch(&mut self, now_ms: u64, oldest_unsent_ms: u64) -> (i64, String, Vec<u8>) {
        let number = self.next_number;
        self.next_number += 1;
        let head = EventBatch {
            producer: self.producer.clone(),
            number,
            formed_ms: now_ms,
            oldest_unsent_ms,
            batcher: self.batcher.clone(),
            events: Vec::new(),
            controls: Vec::new(),
            refused: Vec::new(),
            tombstones: Vec::new(),
        };
        (self.take_id(), weir_event::subject::message_id(&self.producer, number), codec::encode(&head))
    }
}

fn row(id: i64, chunk: &Chunk) -> Row {
    Row { id, bytes: chunk.bytes.len(), events: chunk.events, oldest_ms: chunk.oldest_ms }
}

/// The smallest of the times that are known; 0 when none is.
fn oldest(times: impl Iterator<Item = u64>) -> u64 {
    times.filter(|ms| *ms > 0).min().unwrap_or(0)
}

/// Puts chunks together, in their order, as long as they fit into one batch.
fn merge(chunks: impl Iterator<Item = Chunk>) -> VecDeque<Chunk> {
    let mut parts: VecDeque<Chunk> = VecDeque::new();
    for chunk in chunks {
        match parts.back_mut() {
            Some(part) if part.bytes.len() + chunk.bytes.len() <= BATCH_TARGET_BYTES => {
                part.bytes.extend_from_slice(&chunk.bytes);
                part.events += chunk.events;
                part.oldest_ms = oldest([part.oldest_ms, chunk.oldest_ms].into_iter());
            }
            _ => parts.push_back(chunk),
        }
    }
    parts
}

#[cfg(test)]
#[path = "core_tests.rs"]
mod tests;
