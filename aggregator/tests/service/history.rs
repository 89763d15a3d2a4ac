//! What a stream must give, folded from its start in memory: the oracle. It knows nothing of parts, checkpoints and manifests.

use crate::support::Region;
use std::sync::Arc;
use weir_event::codec;
use weir_event::model::EventBatch;
use weir_reader::stream::{Delivered, PartitionStream};
use weir_rollup::fold::{self, Arrival, KnownIds, State};
use weir_rollup::ledger::{Book, Entry};
use weir_rollup::row::EventRow;
use weir_rollup::rules::Rules;

/// Rules from a sequence on, and the state that the fold continued from instead of its own.
#[derive(Clone)]
pub(crate) struct Stretch {
    pub(crate) from_seq: u64,
    pub(crate) rules: Arc<Rules>,
    pub(crate) state: Option<State>,
}

/// Messages, and what was made of them.
#[derive(Clone, Default)]
pub(crate) struct History {
    messages: Vec<(Arrival, EventBatch)>,
    folded: usize,
    pub(crate) state: State,
    pub(crate) rows: Vec<EventRow>,
    ledger: Vec<(u64, Vec<Entry>)>,
    pub(crate) stretches: Vec<Stretch>,
}

impl History {
    /// Takes the next messages.
    pub(crate) fn take(&mut self, messages: Vec<Delivered>) {
        for delivered in messages {
            assert_eq!(delivered.seq, self.messages.len() as u64 + 1);
            let batch = codec::decode(delivered.schema, &delivered.payload).unwrap();
            self.messages.push((Arrival { seq: delivered.seq, stream_ms: delivered.stream_ms }, batch));
        }
    }

    /// Reads what is new in the stream.
    pub(crate) async fn read(&mut self, region: &Region) {
        let last_seq = weir_reader::stream::state(&region.jetstream, "local", 0).await.unwrap().last_seq;
        let next_seq = self.messages.len() as u64 + 1;
        if next_seq > last_seq {
            return;
        }
        let mut stream = PartitionStream::open(&region.jetstream, "local", 0, next_seq).await.unwrap();
        for seq in next_seq..=last_seq {
            let delivered = stream.next().await.unwrap();
            assert_eq!(delivered.seq, seq);
            self.take(vec![delivered]);
        }
    }

    /// Folds what was read and not folded yet.
    pub(crate) fn fold(&mut self, rules: &Arc<Rules>) {
        if self.stretches.last().is_none_or(|last| !Arc::ptr_eq(&last.rules, rules)) && self.folded < self.messages.len() {
            self.stretches.push(Stretch { from_seq: self.folded as u64 + 1, rules: Arc::clone(rules), state: None });
        }
        self.fold_through(self.messages.len());
    }

    fn fold_through(&mut self, through: usize) {
        while self.folded < through {
            let (arrival, batch) = &self.messages[self.folded];
            let stretch = self.stretches.iter().rev().find(|stretch| stretch.from_seq <= arrival.seq).unwrap();
            if let Some(state) = stretch.state.as_ref().filter(|_| stretch.from_seq == arrival.seq) {
                self.state = state.clone();
            }
            let wanted = fold::old_retries(&self.state, batch, arrival.stream_ms);
            let is_copy = |row: &&EventRow| wanted.iter().any(|retry| retry.is_copy(row.site_id, row.event_ms, row.event_id));
            let known: KnownIds = self.rows.iter().filter(is_copy).map(|row: &EventRow| row.event_id).collect();
            let folded = fold::fold(&mut self.state, &stretch.rules, batch, *arrival, &known);
            self.ledger.push((arrival.seq, folded.ledger));
            self.rows.extend(folded.rows);
            self.folded += 1;
        }
    }

    /// The same messages folded anew through a sequence, with other rules (`None` = the same) from a sequence on.
    pub(crate) fn replayed(&self, from_seq: u64, rules: Option<&Arc<Rules>>, through_seq: u64) -> Self {
        let mut stretches = self.stretches.clone();
        if let Some(rules) = rules {
            stretches.retain(|stretch| stretch.from_seq < from_seq);
            stretches.push(Stretch { from_seq, rules: Arc::clone(rules), state: None });
        }
        let mut again = Self { messages: self.messages.clone(), stretches, ..Self::default() };
        again.fold_through(through_seq as usize);
        again
    }

    /// What was before a promotion through a sequence, and what was folded since; the former rules from then on.
    pub(crate) fn rolled_back(self, former: &Self, through_seq: u64) -> Self {
        let Self { messages, folded, state, rows, ledger, stretches } = self;
        let last = former.stretches.last().unwrap().clone();
        let mut all = former.replayed(0, None, through_seq);
        all.stretches = former.stretches.iter().filter(|stretch| stretch.from_seq <= through_seq).cloned().collect();
        let mut promoted = Self { messages: messages.clone(), stretches: stretches.clone(), ..Self::default() };
        promoted.fold_through(through_seq as usize);
        if folded as u64 > through_seq {
            let since = stretches.iter().rev().find(|stretch| stretch.from_seq <= through_seq + 1).unwrap();
            all.stretches.push(Stretch { from_seq: through_seq + 1, state: Some(promoted.state), ..since.clone() });
            all.stretches.extend(stretches.iter().filter(|stretch| stretch.from_seq > through_seq + 1).cloned());
            all.state = state;
        }
        all.stretches.push(Stretch { from_seq: folded as u64 + 1, state: None, ..last });
        all.rows.extend(rows.into_iter().filter(|row| row.position.seq > through_seq));
        all.ledger.extend(ledger.into_iter().filter(|(seq, _)| *seq > through_seq));
        (all.messages, all.folded) = (messages, folded);
        all
    }

    /// What became of the events.
    pub(crate) fn book(&self) -> Book {
        let mut book = Book::default();
        self.ledger.iter().for_each(|(seq, entries)| book.add(*seq, entries));
        book
    }
}
