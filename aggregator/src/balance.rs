//! The invariant of a partition: as many rows in its parts as events were accepted, by two counts that know nothing of each other.

use crate::pending::Pending;
use weir_rollup::manifest::Manifest;

/// Which two counts that must be equal are not.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{left} {what_left}, but {right} {what_right}")]
pub(crate) struct Mismatch {
    left: u64,
    what_left: &'static str,
    right: u64,
    what_right: &'static str,
}

/// Checks a manifest before it is committed. One of before the ledger has no count of its own: its parts begin it.
pub(crate) fn check_manifest(manifest: &Manifest) -> Result<(), Mismatch> {
    let rows = manifest.rows();
    equal(manifest.accepted.unwrap_or(rows), "events were accepted", rows, "rows are in the parts")?;
    let told = manifest.parts.iter().map(weir_rollup::manifest::Part::accepted).sum();
    equal(told, "events are accepted by the ledgers of the parts", rows, "rows are in the parts")
}

/// Checks what is about to be flushed: every event of a batch that was no duplicate became a row, a known id or an orphan, and the ledger
/// says the same.
pub(crate) fn check_pending(pending: &Pending) -> Result<(), Mismatch> {
    let counts = pending.counts;
    let judged = counts.accepted + counts.deduplicated + counts.orphan_engagement;
    equal(pending.received, "events were received", judged, "were accepted, deduplicated or refused by the fold")?;
    equal(counts.accepted, "events were accepted", pending.rows.len() as u64, "rows are pending")?;
    let told = pending.book.total();
    equal(counts.accepted, "events were accepted", told.accepted, "are accepted by the ledger")?;
    equal(counts.deduplicated, "events were deduplicated", told.deduplicated, "are deduplicated by the ledger")
}

fn equal(left: u64, what_left: &'static str, right: u64, what_right: &'static str) -> Result<(), Mismatch> {
    if left == right { Ok(()) } else { Err(Mismatch { left, what_left, right, what_right }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commits::Committed;
    use weir_rollup::ledger::{Entry, Tally};
    use weir_rollup::manifest::{Level, Part, PartLedger};

    fn part(rows: u64, accepted: Option<u64>) -> Part {
        Part {
            name: "p".to_owned(),
            level: Level::Flush,
            min_seq: 1,
            max_seq: 1,
            min_event_ms: 0,
            max_event_ms: 0,
            min_site_id: 1,
            max_site_id: 1,
            rows,
            bytes: 1,
            content_checksum: String::new(),
            format: 2,
            ledger: accepted.map(|accepted| PartLedger { accepted, min_hour_ms: 0, max_hour_ms: 0 }),
        }
    }

    #[test]
    fn a_manifest_must_have_a_row_for_every_accepted_event() {
        for (accepted, parts, message) in [
            (Some(0), vec![], None),
            (None, vec![part(5, None)], None),
            (Some(12), vec![part(5, None), part(7, Some(7))], None),
            // A merge may move counts between parts.
            (Some(12), vec![part(5, Some(7)), part(7, Some(5))], None),
            (Some(13), vec![part(5, None), part(7, Some(7))], Some("13 events were accepted, but 12 rows are in the parts")),
            (
                None,
                vec![part(7, Some(6))],
                Some("6 events are accepted by the ledgers of the parts, but 7 rows are in the parts"),
            ),
        ] {
            let mut manifest = Committed::nothing("local", 0, "S", "t").manifest;
            (manifest.accepted, manifest.parts) = (accepted, parts);
            assert_eq!(check_manifest(&manifest).err().map(|mismatch| mismatch.to_string()).as_deref(), message);
        }
    }

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
        check(|pending| (pending.received, pending.counts.accepted) = (4, 1), "but 0 rows are pending");
        check(|pending| (pending.received, pending.counts.deduplicated) = (4, 3), "but 2 are deduplicated by the ledger");
    }
}
