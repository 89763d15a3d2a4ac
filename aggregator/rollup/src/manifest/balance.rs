//! The invariant of a partition: as many rows in its parts as events were accepted and not erased, by counts that know nothing of each other.

use super::{Manifest, Part};

/// Which two counts that must be equal are not.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{left} {what_left}, but {right} {what_right}")]
pub struct Mismatch {
    left: u64,
    what_left: &'static str,
    right: u64,
    what_right: &'static str,
}

/// Compares two counts.
pub fn equal(left: u64, what_left: &'static str, right: u64, what_right: &'static str) -> Result<(), Mismatch> {
    if left == right { Ok(()) } else { Err(Mismatch { left, what_left, right, what_right }) }
}

impl Manifest {
    /// Checks it before it is committed. One of before the ledger has no count of its own: its parts begin it.
    pub fn check_balance(&self) -> Result<(), Mismatch> {
        let kept = self.rows() + self.erased;
        equal(self.accepted.unwrap_or(kept), "events were accepted", kept, "rows are in the parts or were erased")?;
        let told = self.parts.iter().map(Part::accepted).sum();
        equal(told, "events are accepted by the ledgers of the parts", kept, "rows are in the parts or were erased")
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Level, PartLedger};
    use super::*;

    fn part(rows: u64, accepted: Option<u64>) -> Part {
        Part { rows, ledger: accepted.map(|accepted| PartLedger { accepted, min_hour_ms: 0, max_hour_ms: 0 }), ..part_named("p") }
    }

    fn part_named(name: &str) -> Part {
        Part {
            name: name.to_owned(),
            level: Level::Flush,
            min_seq: 1,
            max_seq: 1,
            min_event_ms: 0,
            max_event_ms: 0,
            min_site_id: 1,
            max_site_id: 1,
            rows: 0,
            bytes: 1,
            content_checksum: String::new(),
            format: 2,
            ledger: None,
            file_checksum: None,
        }
    }

    #[test]
    fn a_manifest_must_have_a_row_for_every_accepted_event_that_was_not_erased() {
        for (accepted, erased, parts, message) in [
            (Some(0), 0, vec![], None),
            (None, 0, vec![part(5, None)], None),
            (Some(12), 0, vec![part(5, None), part(7, Some(7))], None),
            // A merge may move counts between parts.
            (Some(12), 0, vec![part(5, Some(7)), part(7, Some(5))], None),
            (Some(12), 2, vec![part(3, Some(5)), part(7, Some(7))], None),
            (
                Some(12),
                0,
                vec![part(3, Some(5)), part(7, Some(7))],
                Some("12 events were accepted, but 10 rows are in the parts or were erased"),
            ),
            (
                Some(13),
                0,
                vec![part(5, None), part(7, Some(7))],
                Some("13 events were accepted, but 12 rows are in the parts or were erased"),
            ),
            (
                None,
                0,
                vec![part(7, Some(6))],
                Some("6 events are accepted by the ledgers of the parts, but 7 rows are in the parts or were erased"),
            ),
        ] {
            let mut manifest = Manifest::nothing("local", 0, "S", "t");
            (manifest.accepted, manifest.erased, manifest.parts) = (accepted, erased, parts);
            assert_eq!(manifest.check_balance().err().map(|mismatch| mismatch.to_string()).as_deref(), message);
        }
    }
}
