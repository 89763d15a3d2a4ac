//! The ledger of the live end: entries in stream order, appended by one writer, read by sequence, freed all at once.

use std::sync::{PoisonError, RwLock};
use weir_rollup::ledger::Entry;

/// Entries of messages that follow each other. A snapshot reads those between two sequences, whatever is appended meanwhile.
#[derive(Debug, Default)]
pub struct TailLedger(RwLock<Vec<(u64, Entry)>>);

impl TailLedger {
    /// Adds the entries of messages, by their sequences.
    pub fn append(&self, entries: Vec<(u64, Entry)>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).extend(entries);
    }

    /// Looks at the entries after one sequence up to another.
    pub fn each(&self, after_seq: u64, through_seq: u64, mut look: impl FnMut(&Entry)) {
        let entries = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let first = entries.partition_point(|(seq, _)| *seq <= after_seq);
        entries.iter().skip(first).take_while(|(seq, _)| *seq <= through_seq).for_each(|(_, entry)| look(entry));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_rollup::ledger::Tally;

    #[test]
    fn a_snapshot_sees_what_lies_between_its_sequences() {
        let ledger = TailLedger::default();
        let entry = |accepted| Entry { site_id: 1, hour_ms: 0, tally: Tally { accepted, ..Tally::default() } };
        ledger.append(vec![(1, entry(1)), (2, entry(10)), (2, entry(100))]);
        ledger.append(vec![(4, entry(1_000)), (5, entry(10_000))]);
        for (after_seq, through_seq, expected) in [(0, 9, 11_111), (1, 4, 1_110), (2, 3, 0), (4, 4, 0), (5, 9, 0), (0, 0, 0)] {
            let mut accepted = 0;
            ledger.each(after_seq, through_seq, |entry| accepted += entry.tally.accepted);
            assert_eq!(accepted, expected, "{after_seq} {through_seq}");
        }
    }
}
