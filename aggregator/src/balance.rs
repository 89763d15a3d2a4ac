//! The check of what is about to be flushed: two counts that know nothing of each other.

use crate::pending::Pending;
use weir_rollup::manifest::{Mismatch, equal};

/// Checks what is about to be flushed: every event of a batch that was no duplicate became a row, a known id or an orphan, and the ledger
/// says the same.
pub(crate) fn check_pending(pending: &Pending) -> Result<(), Mismatch> {
    let counts = pending.counts;
    let judged = counts.accepted + counts.deduplicated + counts.orphan_engagement;
    equal(pending.received, "events were received", judged, "were accepted, deduplicated or refused by the fold")?;
    let kept = pending.rows.len() as u64 + counts.erased;
    equal(counts.accepted, "events were accepted", kept, "rows are pending or were erased")?;
    let told = pending.book.total();
    equal(counts.accepted, "events were accepted", told.accepted, "are accepted by the ledger")?;
    equal(counts.erased, "rows were erased", told.erased, "are erased by the ledger")?;
    equal(counts.deduplicated, "events were deduplicated", told.deduplicated, "are deduplicated by the ledger")
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_rollup::ledger::{Entry, Tally};

    #[test]
    fn pending_rows_must_be_what_was_counted() {
        let check = |change: fn(&mut Pending), message: &str| {
            let mut pending = Pending::default();
            pending.received = 3;
            (pending.counts.accepted, pending.counts.deduplicated, pending.counts.orphan_engagement) = (0, 2, 1);
            pending.book.add(1, &[Entry { site_id: 1, hour_ms: 0, tally: Tally { deduplicated: 2, ..Tally::default() } }]);
            assert_eq!(check_pending(&pending), Ok(()));
            change(&mut pending);
            assert!(check_pending(&pending).unwrap_err().to_string().contains(message));
        };
        check(|pending| pending.received += 1, "4 events were received, but 3 were");
        check(|pending| (pending.received, pending.counts.accepted) = (4, 1), "but 0 rows are pending or were erased");
        check(|pending| (pending.received, pending.counts.accepted, pending.counts.erased) = (4, 1, 1), "but 0 are accepted by");
        check(|pending| (pending.received, pending.counts.deduplicated) = (4, 3), "but 2 are deduplicated by the ledger");
    }
}
