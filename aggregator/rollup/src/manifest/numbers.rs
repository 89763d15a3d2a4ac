//! Whether the numbers of a manifest can be reckoned with: sequences that have successors, times of the calendar, counts whose sums are counts.

use super::{Manifest, Part, Rollup};
use crate::fold::EVENT_MS_MAX;
use crate::rollup::DAY_MS;

/// Largest sequence and largest sum of counts or sizes: half of what there is, so that adding to them cannot overflow.
const COUNT_MAX: u64 = u64::MAX / 2;
/// Farthest time from 1970, milliseconds: midnight after the last one of events.
const TIME_MS_MAX: u64 = EVENT_MS_MAX as u64 + 1;

/// A number of a manifest that no program of ours can have written.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// It is too large.
    #[error("{what} are up to {found}, the limit is {limit}: fetch the manifest from a backup")]
    OutOfRange {
        /// What kind of number.
        what: &'static str,
        /// The largest one, or their sum.
        found: u64,
        /// What it may be.
        limit: u64,
    },
    /// A rollup is not of whole days: whoever looks for the day after it would find it again.
    #[error("the rollup {name} is not of whole days: fetch the manifest from a backup")]
    NotOfDays {
        /// Its name.
        name: String,
    },
}

impl Manifest {
    /// Checks them after it was read, before anything is reckoned with them.
    ///
    /// # Errors
    /// The first kind of number that cannot be.
    pub fn check_numbers(&self) -> Result<(), Unusable> {
        let parts = || self.parts.iter();
        let archive = || self.archive.iter();
        let sequences = [self.revision, self.sealed_seq, self.archived_seq]
            .into_iter()
            .chain(parts().flat_map(|part| [part.min_seq, part.max_seq]))
            .chain(archive().flat_map(|object| [object.first_seq, object.last_seq]))
            .chain(self.checkpoints.iter().map(|checkpoint| checkpoint.seq))
            .chain(self.logic.iter().map(|from| from.from_seq))
            .chain(self.promotion.iter().flat_map(|promotion| [promotion.revision, promotion.from_seq, promotion.through_seq]))
            .chain(self.erasures.iter().map(|erasure| erasure.seq));
        let hours = parts().filter_map(|part| part.ledger.as_ref()).flat_map(|ledger| [ledger.min_hour_ms, ledger.max_hour_ms]);
        let times = parts()
            .flat_map(|part| [part.min_event_ms, part.max_event_ms])
            .chain(hours)
            .chain(self.rollups.iter().flat_map(|rollup| [rollup.start_ms, rollup.end_ms]))
            .map(i64::unsigned_abs)
            .chain([self.sealed_stream_ms])
            .chain(archive().flat_map(|object| [object.first_stream_ms, object.last_stream_ms]))
            .chain(self.checkpoints.iter().map(|checkpoint| checkpoint.stream_ms));
        let rows = sum(parts().map(|part| part.rows).chain([self.erased]));
        let accepted = sum(parts().map(Part::accepted)).max(self.accepted.unwrap_or(0));
        let bytes = sum(parts().map(|part| part.bytes));
        let archived = sum(archive().map(|object| object.bytes)).max(sum(archive().map(|object| object.events)));
        let rolled = sum(self.rollups.iter().map(|rollup| rollup.bytes));
        let is_of_days = |rollup: &&Rollup| {
            let is_midnight = |ms: i64| ms.rem_euclid(DAY_MS) == 0;
            rollup.start_ms < rollup.end_ms && is_midnight(rollup.start_ms) && is_midnight(rollup.end_ms)
        };
        if let Some(rollup) = self.rollups.iter().find(|rollup| !is_of_days(rollup)) {
            return Err(Unusable::NotOfDays { name: rollup.name.clone() });
        }
        within("sequences", sequences.max().unwrap_or(0), COUNT_MAX)?;
        within("times", times.max().unwrap_or(0), TIME_MS_MAX)?;
        within("counts and sizes", rows.max(accepted).max(bytes).max(archived).max(rolled), COUNT_MAX)
    }
}

fn sum(numbers: impl Iterator<Item = u64>) -> u64 {
    numbers.fold(0, u64::saturating_add)
}

fn within(what: &'static str, found: u64, limit: u64) -> Result<(), Unusable> {
    if found <= limit { Ok(()) } else { Err(Unusable::OutOfRange { what, found, limit }) }
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    fn part(rows: u64) -> Part {
        Part {
            name: "p".to_owned(),
            level: Level::Flush,
            min_seq: 1,
            max_seq: 2,
            min_event_ms: -5,
            max_event_ms: EVENT_MS_MAX,
            min_site_id: 1,
            max_site_id: 1,
            rows,
            bytes: 1,
            content_checksum: String::new(),
            format: 2,
            ledger: None,
            file_checksum: None,
        }
    }

    fn manifest() -> Manifest {
        let end_ms = EVENT_MS_MAX + 1;
        let rollup = Rollup { name: "r".to_owned(), checksum: String::new(), bytes: 1, format: 1, start_ms: 0, end_ms };
        Manifest { parts: vec![part(COUNT_MAX - 1)], rollups: vec![rollup], erased: 1, ..Manifest::nothing("local", 0, "S", "t") }
    }

    #[test]
    fn what_cannot_be_reckoned_with_is_refused() {
        assert_eq!(manifest().check_numbers(), Ok(()));
        let check = |change: &dyn Fn(&mut Manifest), what: &str| {
            let mut changed = manifest();
            change(&mut changed);
            let told = changed.check_numbers().unwrap_err().to_string();
            assert!(told.starts_with(what), "{told}");
        };
        // The successor of a sequence, the sums of rows and of their ledgers, the reach of a rollup: each overflowed.
        check(&|manifest| manifest.sealed_seq = u64::MAX, "sequences");
        check(&|manifest| manifest.parts[0].max_seq = u64::MAX, "sequences");
        check(&|manifest| manifest.parts.push(part(u64::MAX)), "counts and sizes");
        check(&|manifest| manifest.erased = 2, "counts and sizes");
        check(&|manifest| manifest.accepted = Some(u64::MAX), "counts and sizes");
        check(&|manifest| manifest.parts[0].max_event_ms = i64::MAX, "times");
        check(&|manifest| manifest.rollups[0].start_ms = -DAY_MS << 23, "times");
        check(&|manifest| manifest.sealed_stream_ms = u64::MAX, "times");
        // The search for the next rollup came back to this day for ever.
        check(&|manifest| manifest.rollups[0].end_ms = DAY_MS - 1, "the rollup r is not of whole days");
        check(&|manifest| manifest.rollups[0].end_ms = 0, "the rollup r is not of whole days");
    }
}
