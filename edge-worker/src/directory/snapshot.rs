//! What an isolate knows: every site's number and partition, and the salts.

use std::collections::HashMap;

use super::changes::Changes;
use super::salts;

/// A site as the edge needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SiteEntry {
    /// Number of the site.
    pub(crate) id: u32,
    /// Partition that takes its events.
    pub(crate) partition: u32,
}

/// A copy of the directory.
#[derive(Debug, Clone, Default)]
pub(crate) struct Snapshot {
    generation: String,
    sequence: u64,
    sites: HashMap<String, SiteEntry>,
    salts: HashMap<String, [u8; 32]>,
}

impl Snapshot {
    /// What to ask the directory for: the changes after this.
    pub(crate) fn known(&self) -> (&str, u64) {
        (&self.generation, self.sequence)
    }

    /// Whether the copy is already as it would be after these changes.
    pub(crate) fn is_brought_nothing_by(&self, changes: &Changes) -> bool {
        let is_same =
            !changes.reset && !changes.more && changes.generation == self.generation && changes.sequence == self.sequence;
        is_same && changes.salts.keys().all(|day| self.salts.contains_key(day)) && changes.salts.len() == self.salts.len()
    }

    /// Brings the copy up to date. False when the changes belong to another list: then ask for all of it.
    pub(crate) fn apply(&mut self, changes: Changes) -> bool {
        if changes.reset {
            self.sites.clear();
        } else if changes.generation != self.generation {
            return false;
        }
        self.generation = changes.generation;
        self.sequence = changes.sequence;
        for (domain, id, partition) in changes.sites {
            self.sites.insert(domain, SiteEntry { id, partition });
        }
        for domain in changes.removed {
            self.sites.remove(&domain);
        }
        self.salts = changes.salts.into_iter().filter_map(|(day, hex)| Some((day, salts::parse(&hex)?))).collect();
        true
    }

    /// The site of this name.
    pub(crate) fn site(&self, domain: &str) -> Option<SiteEntry> {
        self.sites.get(domain).copied()
    }

    /// The salt of a UTC day.
    pub(crate) fn salt(&self, day: &str) -> Option<&[u8; 32]> {
        self.salts.get(day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(generation: &str, sequence: u64, reset: bool, sites: &[(&str, u32, u32)], removed: &[&str]) -> Changes {
        Changes {
            generation: generation.into(),
            sequence,
            reset,
            sites: sites.iter().map(|(domain, id, partition)| ((*domain).to_owned(), *id, *partition)).collect(),
            removed: removed.iter().map(|domain| (*domain).to_owned()).collect(),
            salts: [("2026-01-01".to_owned(), "07".repeat(32))].into(),
            ..Changes::default()
        }
    }

    #[test]
    fn follows_the_directory() {
        let mut snapshot = Snapshot::default();
        assert!(snapshot.apply(changes("a", 3, true, &[("x", 1, 0), ("y", 2, 1)], &[])));
        assert!(snapshot.apply(changes("a", 5, false, &[("x", 1, 1)], &["y"])));
        assert_eq!((snapshot.site("x"), snapshot.site("y")), (Some(SiteEntry { id: 1, partition: 1 }), None));
        assert_eq!(snapshot.known(), ("a", 5));
        assert!(snapshot.is_brought_nothing_by(&changes("a", 5, false, &[], &[])));
        assert!(!snapshot.is_brought_nothing_by(&changes("a", 6, false, &[], &[])));
        assert!(!snapshot.is_brought_nothing_by(&Changes { salts: [].into(), ..changes("a", 5, false, &[], &[]) }));
        assert!(!snapshot.apply(changes("b", 9, false, &[("z", 3, 0)], &[])));
        assert_eq!(snapshot.known(), ("a", 5));
        assert!(snapshot.apply(changes("b", 1, true, &[("z", 3, 0)], &[])));
        assert_eq!((snapshot.site("x"), snapshot.site("z").map(|s| s.id)), (None, Some(3)));
        assert_eq!(snapshot.salt("2026-01-01"), Some(&[7; 32]));
        assert_eq!(snapshot.salt("2026-01-02"), None);
    }
}
