//! What becomes of archived raw batches: which objects are merged next, and what of the stream may go.

use crate::manifest::{ArchiveObject, Manifest};
use std::ops::Range;

/// Objects of one of these lengths of stream time (UTC hour, day, 30 days) become one when it is over.
const PERIODS_MS: [u64; 3] = [3_600_000, 24 * 3_600_000, 30 * 24 * 3_600_000];

/// Bounds of merging.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Largest merged object, bytes. One is read into memory whole.
    pub bytes_max: u64,
    /// So many objects of an hour are merged without waiting for its end.
    pub count_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes_max: 64_000_000, count_max: 64 }
    }
}

/// The objects to be merged next, all of a row; `None` = there is nothing to merge.
///
/// Objects of more than half the largest size are finished. Of the others those of an hour are merged when it is over, then those of a day, then those
/// of thirty days; and earlier when they suffice for a finished object, or are many.
pub fn next_merge(objects: &[ArchiveObject], limits: &Limits) -> Option<Range<usize>> {
    let newest_ms = objects.last()?.last_stream_ms;
    let of_period = PERIODS_MS.iter().find_map(|period_ms| {
        let period = |ms: u64| ms / period_ms;
        let is_over = |object: &ArchiveObject| period(object.last_stream_ms) < period(newest_ms);
        let belong = |a: &ArchiveObject, b: &ArchiveObject| period(a.last_stream_ms) == period(b.last_stream_ms);
        runs(objects, limits, belong).find(|run| run.len() > 1 && objects.get(run.start).is_some_and(is_over))
    });
    let by_size = || {
        runs(objects, limits, |_, _| true).find(|run| {
            let bytes: u64 = objects.get(run.clone()).unwrap_or_default().iter().map(|object| object.bytes).sum();
            run.len() > 1 && is_finished(bytes, limits)
        })
    };
    let [hour_ms, ..] = PERIODS_MS;
    let is_same_hour = |a: &ArchiveObject, b: &ArchiveObject| a.last_stream_ms / hour_ms == b.last_stream_ms / hour_ms;
    of_period.or_else(by_size).or_else(|| runs(objects, limits, is_same_hour).find(|run| run.len() >= limits.count_max))
}

fn is_finished(bytes: u64, limits: &Limits) -> bool {
    bytes > limits.bytes_max / 2
}

/// Stretches of unfinished objects that belong together and are together no larger than one may be, in order.
fn runs<'a>(
    objects: &'a [ArchiveObject],
    limits: &'a Limits,
    belong: impl Fn(&ArchiveObject, &ArchiveObject) -> bool + 'a,
) -> impl Iterator<Item = Range<usize>> + 'a {
    let mut next = 0;
    std::iter::from_fn(move || {
        let rest = objects.get(next..)?;
        let start = next + rest.iter().position(|object| !is_finished(object.bytes, limits))?;
        let first = objects.get(start)?;
        let mut bytes = 0;
        let fits = |object: &&ArchiveObject| {
            bytes += object.bytes;
            !is_finished(object.bytes, limits) && bytes <= limits.bytes_max && belong(first, object)
        };
        let count = objects.iter().skip(start).take_while(fits).count();
        next = start + count.max(1);
        Some(start..next)
    })
}

/// The first sequence that the stream must keep, where everything from `young_seq` on is younger than its retention and `needed_seq` is the first one that
/// somebody still reads from it. The last sealed message stays in any case: it tells the stream from another.
pub fn purge_before(manifest: &Manifest, is_archived: bool, young_seq: u64, needed_seq: Option<u64>) -> u64 {
    let kept_elsewhere = if is_archived { manifest.archived_seq.min(manifest.sealed_seq) } else { manifest.sealed_seq };
    let bound = if kept_elsewhere == manifest.sealed_seq { manifest.sealed_seq } else { kept_elsewhere + 1 };
    bound.min(young_seq).min(needed_seq.unwrap_or(u64::MAX)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = PERIODS_MS[0];
    const LIMITS: Limits = Limits { bytes_max: 100, count_max: 5 };

    /// Objects of (hour, bytes).
    fn objects(of: &[(u64, u64)]) -> Vec<ArchiveObject> {
        let object = |(index, (hour, bytes)): (u64, &(u64, u64))| ArchiveObject {
            name: index.to_string(),
            checksum: String::new(),
            bytes: *bytes,
            first_seq: index + 1,
            last_seq: index + 1,
            first_stream_ms: hour * HOUR,
            last_stream_ms: hour * HOUR + index,
            events: 1,
        };
        (0..).zip(of).map(object).collect()
    }

    #[test]
    fn periods_that_are_over_are_merged_and_the_open_one_by_size_or_count() {
        for (of, expected) in [
            (&[][..], None),
            (&[(1, 1)], None),
            (&[(1, 1), (1, 1)], None),
            (&[(1, 1), (1, 1), (2, 1)], Some(0..2)),
            (&[(1, 1), (2, 1), (2, 1), (3, 1)], Some(1..3)),
            (&[(1, 1), (2, 1), (3, 1)], None),
            (&[(1, 1), (2, 1), (3, 1), (24, 1)], Some(0..3)),
            (&[(1, 1), (2, 1), (24, 9), (49, 1)], Some(0..2)),
            (&[(1, 1), (24, 9), (49, 1), (720, 1)], Some(0..3)),
            // By size: what would be too large together is divided.
            (&[(1, 40), (1, 40), (1, 40), (2, 1)], Some(0..2)),
            (&[(1, 80), (1, 40), (1, 40), (2, 1)], Some(1..3)),
            (&[(1, 80), (1, 80), (2, 1)], None),
            (&[(1, 30), (1, 30)], Some(0..2)),
            (&[(1, 1), (1, 1), (1, 1), (1, 1)], None),
            (&[(1, 1), (1, 1), (1, 1), (1, 1), (1, 1)], Some(0..5)),
        ] {
            assert_eq!(next_merge(&objects(of), &LIMITS), expected, "{of:?}");
        }
    }

    #[test]
    fn merging_ends_and_leaves_few_objects() {
        let mut all: Vec<ArchiveObject> = Vec::new();
        let mut merged_bytes = 0;
        for minute in 0..60 * 24 * 3 {
            let mut next = objects(&[(0, 1)]);
            next[0].last_stream_ms = minute * 60_000;
            all.append(&mut next);
            while let Some(run) = next_merge(&all, &Limits { bytes_max: 10_000, count_max: 64 }) {
                let bytes = all[run.clone()].iter().map(|object| object.bytes).sum();
                merged_bytes += bytes;
                let merged = ArchiveObject { bytes, ..all[run.end - 1].clone() };
                all.splice(run, [merged]);
            }
            assert!(all.len() <= 60 + 24 + 3, "{} after {minute} minutes", all.len());
        }
        assert_eq!(all.iter().map(|object| object.bytes).sum::<u64>(), 60 * 24 * 3);
        assert!(merged_bytes <= 60 * 24 * 3 * 2, "each is merged into its hour and its day: {merged_bytes}");
    }

    #[test]
    fn only_what_is_kept_elsewhere_old_and_not_needed_goes() {
        let manifest =
            |sealed_seq, archived_seq| Manifest { sealed_seq, archived_seq, ..Manifest::nothing("local", 0, "S", "t") };
        for (sealed, archived, is_archived, young, needed, expected) in [
            (9, 9, true, 20, None, 9),
            (9, 5, true, 20, None, 6),
            (9, 0, true, 20, None, 1),
            (9, 0, false, 20, None, 9),
            (9, 9, true, 4, None, 4),
            (9, 9, true, 20, Some(3), 3),
            (0, 0, true, 20, None, 1),
            (0, 0, false, 0, Some(0), 1),
        ] {
            let found = purge_before(&manifest(sealed, archived), is_archived, young, needed);
            assert_eq!(found, expected, "{sealed} {archived} {is_archived} {young} {needed:?}");
        }
    }
}
