//! Cursor paging: newest first, the same limit on each page, `null` where there is no further page.

use super::params::Params;
use super::refusal::SitesRefusal;
use serde_json::{Value, json};

/// Entries of a page unless a limit is given.
const LIMIT: usize = 100;
/// Largest limit.
const LIMIT_MAX: usize = 1_000;

/// Which page is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    after: Option<u64>,
    before: Option<u64>,
    limit: usize,
}

impl Wanted {
    /// From `after`, `before` and `limit`. Limits out of range become the nearest that is in range.
    pub(super) fn read(params: &Params) -> Result<Self, SitesRefusal> {
        let cursor = |name: &str| params.text(name).filter(|text| !text.is_empty()).map(|text| parse(&text)).transpose();
        let limit = params.text("limit").and_then(|text| text.parse::<i64>().ok()).unwrap_or(LIMIT as i64);
        Ok(Self { after: cursor("after")?, before: cursor("before")?, limit: limit.clamp(1, LIMIT_MAX as i64) as usize })
    }

    /// The page of `all`, and its `meta`. `id` gives what entries are ordered by; no two may have the same.
    pub(super) fn page<T>(self, mut all: Vec<T>, id: impl Fn(&T) -> u64) -> (Vec<T>, Value) {
        all.sort_by_key(|entry| std::cmp::Reverse(id(entry)));
        let first = match (self.after, self.before) {
            (Some(after), _) => all.partition_point(|entry| id(entry) >= after),
            (None, Some(before)) => all.partition_point(|entry| id(entry) > before).saturating_sub(self.limit),
            (None, None) => 0,
        };
        let end = match (self.after, self.before) {
            (None, Some(before)) => all.partition_point(|entry| id(entry) > before),
            _ => first.saturating_add(self.limit).min(all.len()),
        };
        let (has_before, has_after) = (first > 0, end < all.len());
        let entries: Vec<T> = all.drain(first..end).collect();
        let after = entries.last().filter(|_| has_after).map(|entry| cursor(id(entry)));
        let before = entries.first().filter(|_| has_before).map(|entry| cursor(id(entry)));
        (entries, json!({"after": after, "before": before, "limit": self.limit}))
    }
}

fn cursor(id: u64) -> String {
    format!("c{id:x}")
}

fn parse(text: &str) -> Result<u64, SitesRefusal> {
    let id = text.strip_prefix('c').and_then(|digits| u64::from_str_radix(digits, 16).ok());
    id.ok_or_else(|| SitesRefusal::Invalid(format!("{text:?} is not a cursor: take `after` or `before` of an answer's `meta`")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(after: Option<u64>, before: Option<u64>, limit: usize, count: u64) -> (Vec<u64>, Value) {
        Wanted { after, before, limit }.page((1..=count).collect(), |id| *id)
    }

    #[test]
    fn first_middle_last() {
        assert_eq!(page(None, None, 2, 5), (vec![5, 4], json!({"after": "c4", "before": null, "limit": 2})));
        assert_eq!(page(Some(4), None, 2, 5), (vec![3, 2], json!({"after": "c2", "before": "c3", "limit": 2})));
        assert_eq!(page(Some(2), None, 2, 5), (vec![1], json!({"after": null, "before": "c1", "limit": 2})));
        assert_eq!(page(None, Some(3), 2, 5), (vec![5, 4], json!({"after": "c4", "before": null, "limit": 2})));
        assert_eq!(page(None, Some(1), 2, 5), (vec![3, 2], json!({"after": "c2", "before": "c3", "limit": 2})));
        assert_eq!(page(None, None, 2, 0), (vec![], json!({"after": null, "before": null, "limit": 2})));
        // What is named may be gone meanwhile.
        assert_eq!(page(Some(100), None, 2, 3).0, [3, 2]);
        assert_eq!(page(None, Some(0), 2, 3).0, [2, 1]);
    }

    #[test]
    fn walking_forth_and_back_meets_each_entry_once() {
        for count in 0..12 {
            for limit in 1..5 {
                let (mut seen, mut at) = (Vec::new(), None);
                loop {
                    let (entries, meta) = page(at, None, limit, count);
                    seen.extend(entries);
                    match meta["after"].as_str() {
                        Some(cursor) => at = Some(parse(cursor).unwrap()),
                        None => break,
                    }
                }
                assert_eq!(seen, (1..=count).rev().collect::<Vec<_>>());
                let (mut back, mut at) = (seen.last().copied().into_iter().collect::<Vec<_>>(), seen.last().copied());
                while let Some(before) = at {
                    let (entries, meta) = page(None, Some(before), limit, count);
                    back.splice(0..0, entries);
                    at = meta["before"].as_str().map(|cursor| parse(cursor).unwrap());
                }
                assert_eq!(back, seen);
            }
        }
    }

    #[test]
    fn cursors_are_ours() {
        assert_eq!(parse(&cursor(u64::MAX)), Ok(u64::MAX));
        for text in ["4", "c", "cxyz", "c-1"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
