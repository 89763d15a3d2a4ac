//! The ledger: what became of every event, counted by site and UTC hour of receipt.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

/// Length of an hour, milliseconds.
pub const HOUR_MS: i64 = 3_600_000;
/// Kind of the events that became rows.
pub const ACCEPTED: &str = "accepted";
/// Kind of the accepted events whose visit is marked as a bot's.
pub const BOTS: &str = "bots";
/// Kind of the events dropped because their id is known.
pub const DEDUPLICATED: &str = "deduplicated";
/// Kind of the accepted events that happened more than 30 minutes of stream time before they were folded.
pub const LATE: &str = "late";
/// Kind of the accepted events whose rows were erased: `accepted - erased` rows are kept.
pub const ERASED: &str = "erased";
/// What stands before the reason in the kind of refused events.
pub const REJECTED_PREFIX: &str = "rejected:";
/// The fold's only reason to refuse: engagement without a visit that it could belong to.
pub const NO_SESSION: &str = "no_session_for_engagement";

/// The kinds that every tally has, in the order of rows.
const FIXED: [&str; 5] = [ACCEPTED, BOTS, DEDUPLICATED, ERASED, LATE];

/// What became of some events. Those received = accepted + deduplicated + all rejected; late, bots and erased are among the accepted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Became rows.
    pub accepted: u64,
    /// Dropped: their id is known.
    pub deduplicated: u64,
    /// Among the accepted: happened more than 30 minutes of stream time ago.
    pub late: u64,
    /// Among the accepted: of a visit marked as a bot's.
    pub bots: u64,
    /// Among the accepted: their rows were erased.
    pub erased: u64,
    /// Refused by the edge or by the fold, by reason.
    pub rejected: BTreeMap<String, u64>,
}

/// What became of the events of one site that were received in one hour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The site; 0 = not known.
    pub site_id: u32,
    /// Start of the UTC hour, Unix milliseconds.
    pub hour_ms: i64,
    /// The counts.
    pub tally: Tally,
}

/// One row of a part's table `ledger`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row {
    /// The site; 0 = not known.
    pub site_id: u32,
    /// Start of the UTC hour, Unix milliseconds.
    pub hour_ms: i64,
    /// One of the kinds above, or [`REJECTED_PREFIX`] and a reason.
    pub kind: Cow<'static, str>,
    /// Events.
    pub count: u64,
    /// Highest stream sequence that is counted here.
    pub seq: u64,
}

impl Tally {
    /// How many events there were.
    pub fn received(&self) -> u64 {
        self.accepted.saturating_add(self.deduplicated).saturating_add(self.rejected_total())
    }

    /// How many were refused, for whatever reason.
    pub fn rejected_total(&self) -> u64 {
        self.rejected.values().copied().fold(0, u64::saturating_add)
    }

    /// Counts events of a kind. Kinds that this program does not know count nothing.
    pub fn count(&mut self, kind: &str, count: u64) {
        let place = match kind {
            ACCEPTED => &mut self.accepted,
            BOTS => &mut self.bots,
            DEDUPLICATED => &mut self.deduplicated,
            ERASED => &mut self.erased,
            LATE => &mut self.late,
            other => match other.strip_prefix(REJECTED_PREFIX) {
                Some(reason) => return self.refuse(reason, count),
                None => return,
            },
        };
        *place = place.saturating_add(count);
    }

    /// Counts refused events.
    pub fn refuse(&mut self, reason: &str, count: u64) {
        match self.rejected.get_mut(reason) {
            Some(place) => *place = place.saturating_add(count),
            None if count == 0 => {}
            None => drop(self.rejected.insert(reason.to_owned(), count)),
        }
    }

    /// Adds another tally.
    pub fn add(&mut self, other: &Self) {
        for (kind, count) in FIXED.iter().zip(other.fixed()) {
            self.count(kind, count);
        }
        for (reason, count) in &other.rejected {
            self.refuse(reason, *count);
        }
    }

    /// The counts of [`FIXED`].
    fn fixed(&self) -> [u64; 5] {
        [self.accepted, self.bots, self.deduplicated, self.erased, self.late]
    }
}

/// Start of the hour of a time.
pub fn hour_of(ms: i64) -> i64 {
    ms.div_euclid(HOUR_MS) * HOUR_MS
}

/// The entries of one batch while it is folded.
#[derive(Debug, Default)]
pub(crate) struct Collector {
    done: Vec<Entry>,
    current: Option<Entry>,
}

impl Collector {
    /// The tally of a site at a time. Neighbours mostly have the same one.
    pub(crate) fn at(&mut self, site_id: u32, ms: i64) -> &mut Tally {
        let hour_ms = hour_of(ms);
        if self.current.as_ref().is_some_and(|entry| entry.site_id != site_id || entry.hour_ms != hour_ms) {
            self.done.extend(self.current.take());
        }
        &mut self.current.get_or_insert_with(|| Entry { site_id, hour_ms, tally: Tally::default() }).tally
    }

    /// The entries, by site and hour, each once.
    pub(crate) fn finish(self) -> Vec<Entry> {
        let mut entries = self.done;
        entries.extend(self.current);
        entries.sort_by_key(|entry| (entry.site_id, entry.hour_ms));
        entries.dedup_by(|next, kept| {
            let is_same = (next.site_id, next.hour_ms) == (kept.site_id, kept.hour_ms);
            if is_same {
                kept.tally.add(&next.tally);
            }
            is_same
        });
        entries
    }
}

/// A count and the highest sequence in it.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    count: u64,
    seq: u64,
}

impl Sum {
    fn add(&mut self, count: u64, seq: u64) {
        if count > 0 {
            *self = Self { count: self.count.saturating_add(count), seq: self.seq.max(seq) };
        }
    }
}

#[derive(Clone, Debug, Default)]
struct Page {
    fixed: [Sum; 5],
    rejected: BTreeMap<String, Sum>,
}

/// The entries of many batches, added up. In whatever portions they come, the rows are the same.
#[derive(Clone, Debug, Default)]
pub struct Book(HashMap<(u32, i64), Page>);

impl Book {
    /// Adds the entries of the batch at a sequence.
    pub fn add(&mut self, seq: u64, entries: &[Entry]) {
        for entry in entries {
            let page = self.0.entry((entry.site_id, entry.hour_ms)).or_default();
            for (sum, count) in page.fixed.iter_mut().zip(entry.tally.fixed()) {
                sum.add(count, seq);
            }
            for (reason, count) in &entry.tally.rejected {
                page.rejected.entry(reason.clone()).or_default().add(*count, seq);
            }
        }
    }

    /// Everything together.
    pub fn total(&self) -> Tally {
        let mut total = Tally::default();
        for page in self.0.values() {
            for (kind, sum) in FIXED.iter().zip(page.fixed) {
                total.count(kind, sum.count);
            }
            for (reason, sum) in &page.rejected {
                total.refuse(reason, sum.count);
            }
        }
        total
    }

    /// Pairs of site and hour.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The rows of a part, by site, hour and kind.
    pub fn rows(&self) -> Vec<Row> {
        let mut rows: Vec<Row> =
            self.0.iter().flat_map(|((site_id, hour_ms), page)| page_rows(*site_id, *hour_ms, page)).collect();
        rows.sort_unstable();
        rows
    }
}

fn page_rows(site_id: u32, hour_ms: i64, page: &Page) -> impl Iterator<Item = Row> {
    let fixed = FIXED.iter().zip(page.fixed).map(|(kind, sum)| (Cow::Borrowed(*kind), sum));
    let rejected = page.rejected.iter().map(|(reason, sum)| (Cow::Owned(format!("{REJECTED_PREFIX}{reason}")), *sum));
    let counted = fixed.chain(rejected).filter(|(_, sum)| sum.count > 0);
    counted.map(move |(kind, Sum { count, seq })| Row { site_id, hour_ms, kind, count, seq })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_tally_adds_up_by_kind() {
        let mut tally = Tally::default();
        for (kind, count) in [
            (ACCEPTED, 5),
            (BOTS, 2),
            (LATE, 1),
            (ERASED, 2),
            (DEDUPLICATED, 3),
            ("rejected:url", 4),
            ("rejected:url", 1),
            ("later", 9),
        ] {
            tally.count(kind, count);
        }
        tally.refuse("none", 0);
        assert_eq!(tally.received(), 5 + 3 + 5);
        assert_eq!(tally.rejected, BTreeMap::from([("url".to_owned(), 5)]));
        let mut twice = tally.clone();
        twice.add(&tally);
        assert_eq!((twice.received(), twice.bots, twice.late, twice.erased), (26, 4, 2, 4));
    }

    #[test]
    fn a_page_gives_its_kinds_that_have_events_each_with_its_last_sequence() {
        let mut book = Book::default();
        let mut collector = Collector::default();
        collector.at(7, HOUR_MS + 5).accepted += 2;
        collector.at(0, 3).refuse("url", 1);
        collector.at(7, HOUR_MS).refuse(NO_SESSION, 1);
        collector.at(7, 2 * HOUR_MS - 1).late += 1;
        book.add(4, &collector.finish());
        book.add(6, &[Entry { site_id: 7, hour_ms: HOUR_MS, tally: Tally { accepted: 1, ..Tally::default() } }]);
        let told: Vec<String> = book
            .rows()
            .iter()
            .map(|row| format!("{} {} {} {} {}", row.site_id, row.hour_ms, row.kind, row.count, row.seq))
            .collect();
        assert_eq!(
            told,
            [
                "0 0 rejected:url 1 4",
                "7 3600000 accepted 3 6",
                "7 3600000 late 1 4",
                "7 3600000 rejected:no_session_for_engagement 1 4"
            ]
        );
        assert_eq!((book.len(), book.total().received()), (2, 5));
    }

    proptest! {
        #[test]
        fn any_portions_give_the_same_rows(
            counts in proptest::collection::vec((0..3_u32, 0..3_i64, 0..6_usize, 0..4_u64), 0..40),
            split in proptest::collection::vec(0..4_usize, 40),
        ) {
            let kinds = [ACCEPTED, BOTS, DEDUPLICATED, ERASED, LATE, "rejected:url"];
            let entry = |(site_id, hour, kind, count): (u32, i64, usize, u64)| {
                let mut tally = Tally::default();
                tally.count(kinds[kind], count);
                Entry { site_id, hour_ms: hour * HOUR_MS, tally }
            };
            let entries: Vec<Entry> = counts.into_iter().map(entry).collect();
            let (mut whole, mut books) = (Book::default(), vec![Book::default(); 4]);
            for (index, entry) in entries.iter().enumerate() {
                whole.add(index as u64, std::slice::from_ref(entry));
                books[split[index]].add(index as u64, std::slice::from_ref(entry));
            }
            // What a merge of parts does: sums by site, hour and kind, the highest sequence stays.
            let mut merged: BTreeMap<(u32, i64, String), (u64, u64)> = BTreeMap::new();
            for row in books.iter().flat_map(Book::rows) {
                let sum = merged.entry((row.site_id, row.hour_ms, row.kind.into_owned())).or_default();
                *sum = (sum.0 + row.count, sum.1.max(row.seq));
            }
            let rows: Vec<_> = whole.rows().into_iter().map(|row| ((row.site_id, row.hour_ms, row.kind.into_owned()), (row.count, row.seq))).collect();
            prop_assert_eq!(rows, merged.into_iter().collect::<Vec<_>>());
        }
    }
}
