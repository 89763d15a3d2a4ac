//! What was sent, and what must therefore be in files and answers: pure, and told by the sender alone.

use anyhow::{Result, ensure};
use std::collections::{BTreeMap, BTreeSet};

const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 24 * HOUR_MS;
/// Edges' clocks may be wrong by this much, and an event may be under way for a while.
const MARGIN_MS: u64 = 60_000;

/// Number of an event, by which it is found again.
pub type Id = u64;

/// One event as its sender knows it.
#[derive(Clone, Copy, Debug)]
pub struct Event {
    /// Which of the sites.
    pub site: usize,
    /// Which page.
    pub page: u32,
    /// Which visitor.
    pub visitor: u32,
    /// When it was sent first, Unix milliseconds.
    pub first_ms: u64,
    /// When the last answer came, or none did any more.
    pub last_ms: u64,
    /// Answered 202: must be stored, once. Else it may be stored, at most once.
    pub is_acknowledged: bool,
}

/// Everything that was sent.
#[derive(Clone, Debug, Default)]
pub struct Sent {
    events: BTreeMap<Id, Event>,
}

/// What a site's answers must be, given which events are stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// Page views.
    pub pageviews: u64,
    /// Least and most visitors: equal unless midnight was near.
    pub visitors: (u64, u64),
    /// Page views by path.
    pub by_page: BTreeMap<String, u64>,
    /// Least and most page views by hour, Unix milliseconds of its start: equal unless its ends were near.
    pub by_hour: BTreeMap<u64, (u64, u64)>,
}

impl Sent {
    /// Notes an event, again when more is known of it.
    pub fn note(&mut self, id: Id, event: Event) {
        let noted = self.events.entry(id).or_insert(event);
        noted.last_ms = noted.last_ms.max(event.last_ms);
        noted.is_acknowledged |= event.is_acknowledged;
    }

    /// How many events are acknowledged.
    pub fn acknowledged(&self) -> usize {
        self.events.values().filter(|event| event.is_acknowledged).count()
    }

    /// How many have no good answer.
    pub fn unclear(&self) -> usize {
        self.events.len() - self.acknowledged()
    }

    /// Every acknowledged event is stored exactly once, every unclear one at most once, nothing else at all.
    ///
    /// # Errors
    /// Says how many are lost, doubled and unknown, with some of them.
    pub fn check_stored(&self, stored: &BTreeMap<Id, u64>) -> Result<()> {
        let lost: Vec<_> = self.events.iter().filter(|(id, event)| event.is_acknowledged && !stored.contains_key(id)).collect();
        let doubled: Vec<_> = stored.iter().filter(|(_, count)| **count != 1).collect();
        let unknown: Vec<_> = stored.keys().filter(|id| !self.events.contains_key(id)).collect();
        ensure!(
            lost.is_empty() && doubled.is_empty() && unknown.is_empty(),
            "of {} acknowledged and {} unclear events {} are lost {:?}, {} stored more than once {:?}, {} stored that nobody sent {:?}",
            self.acknowledged(),
            self.unclear(),
            lost.len(),
            lost.iter().take(5).collect::<Vec<_>>(),
            doubled.len(),
            doubled.iter().take(5).collect::<Vec<_>>(),
            unknown.len(),
            unknown.iter().take(5).collect::<Vec<_>>(),
        );
        Ok(())
    }

    /// What a site's answers must be if exactly these events are stored.
    pub fn expected(&self, site: usize, stored: &BTreeSet<Id>) -> Expected {
        let mut expected = Expected::default();
        let (mut visitors, mut days) = (BTreeSet::new(), BTreeSet::new());
        for (_, event) in self.events.iter().filter(|(id, event)| event.site == site && stored.contains(id)) {
            let (from_ms, to_ms) = (event.first_ms.saturating_sub(MARGIN_MS), event.last_ms + MARGIN_MS);
            expected.pageviews += 1;
            visitors.insert(event.visitor);
            days.extend([from_ms / DAY_MS, to_ms / DAY_MS]);
            *expected.by_page.entry(page(event.page)).or_default() += 1;
            for hour in from_ms / HOUR_MS..=to_ms / HOUR_MS {
                let (least, most) = expected.by_hour.entry(hour * HOUR_MS).or_default();
                *least += u64::from(from_ms / HOUR_MS == to_ms / HOUR_MS);
                *most += 1;
            }
        }
        // Over midnight a visitor is another one, unless a visit goes on.
        let visitors = visitors.len() as u64;
        expected.visitors = (visitors, visitors * days.len().max(1) as u64);
        expected
    }
}

/// Path of a page.
pub fn page(number: u32) -> String {
    format!("/page/{number}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(first_ms: u64, is_acknowledged: bool) -> Event {
        Event { site: 0, page: 1, visitor: 2, first_ms, last_ms: first_ms + 10, is_acknowledged }
    }

    fn sent(events: &[(Id, Event)]) -> Sent {
        let mut sent = Sent::default();
        for (id, event) in events {
            sent.note(*id, *event);
        }
        sent
    }

    #[test]
    fn lost_doubled_and_unknown_events_are_found() {
        let sent = sent(&[(1, event(0, true)), (2, event(0, false)), (3, event(0, false)), (3, event(5, true))]);
        let check = |stored: &[(Id, u64)]| sent.check_stored(&stored.iter().copied().collect());
        assert_eq!((sent.acknowledged(), sent.unclear()), (2, 1));
        assert!(check(&[(1, 1), (3, 1)]).is_ok() && check(&[(1, 1), (2, 1), (3, 1)]).is_ok());
        for (stored, expected) in [
            (vec![(1, 1)], "1 are lost"),
            (vec![(1, 1), (3, 2)], "1 stored more than once"),
            (vec![(1, 1), (2, 2), (3, 1)], "1 stored more than once"),
            (vec![(1, 1), (3, 1), (4, 1)], "1 stored that nobody sent"),
        ] {
            let error = check(&stored).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn hours_and_visitors_are_exact_away_from_their_ends() {
        let noon = 12 * HOUR_MS + HOUR_MS / 2;
        let stored = |ids: &[Id]| ids.iter().copied().collect::<BTreeSet<_>>();
        let exact = sent(&[(1, event(noon, true)), (2, event(noon + 1, true)), (9, event(noon, false))]);
        let expected = exact.expected(0, &stored(&[1, 2]));
        assert_eq!((expected.pageviews, expected.visitors), (2, (1, 1)));
        assert_eq!(expected.by_hour, BTreeMap::from([(12 * HOUR_MS, (2, 2))]));
        assert_eq!(expected.by_page, BTreeMap::from([("/page/1".to_owned(), 2)]));
        assert_eq!(exact.expected(1, &stored(&[1, 2])), Expected { visitors: (0, 0), ..Expected::default() });

        let midnight = sent(&[(1, event(DAY_MS - 1000, true))]).expected(0, &stored(&[1]));
        assert_eq!(midnight.visitors, (1, 2));
        assert_eq!(midnight.by_hour, BTreeMap::from([(23 * HOUR_MS, (0, 1)), (DAY_MS, (0, 1))]));
    }
}
