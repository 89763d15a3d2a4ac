//! What an isolate knows: every site's number and partition, and the salts.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::rc::Rc;

use weir_event::site::{ScriptSettings, Settings, script_id};

use super::changes::Changes;
use super::salts;

/// A site as the edge needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SiteEntry {
    /// Number of the site.
    pub(crate) id: u32,
    /// Partition that takes its events.
    pub(crate) partition: u32,
    /// What its owner chose; `None` = nothing.
    pub(crate) settings: Option<Rc<Settings>>,
}

/// A copy of the directory.
#[derive(Debug, Clone, Default)]
pub(crate) struct Snapshot {
    generation: String,
    sequence: u64,
    sites: HashMap<String, SiteEntry>,
    salts: HashMap<String, [u8; 32]>,
    /// Domains by script id, made when the first site's own script is asked for.
    scripts: OnceCell<HashMap<String, String>>,
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
        self.scripts.take();
        for (domain, id, partition, settings) in changes.sites {
            self.sites.insert(domain, SiteEntry { id, partition, settings: settings.map(|settings| Rc::new(*settings)) });
        }
        for domain in changes.removed {
            self.sites.remove(&domain);
        }
        self.salts = changes.salts.into_iter().filter_map(|(day, hex)| Some((day, salts::parse(&hex)?))).collect();
        true
    }

    /// The site of this name.
    pub(crate) fn site(&self, domain: &str) -> Option<&SiteEntry> {
        self.sites.get(domain)
    }

    /// Domain and settings of the site whose own script has this id.
    pub(crate) fn script(&self, id: &str) -> Option<(&str, ScriptSettings)> {
        let scripts = self.scripts.get_or_init(|| self.sites.keys().map(|domain| (script_id(domain), domain.clone())).collect());
        let (domain, site) = self.sites.get_key_value(scripts.get(id)?)?;
        Some((domain, site.settings.as_ref().map(|settings| settings.script).unwrap_or_default()))
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
            sites: sites.iter().map(|(domain, id, partition)| ((*domain).to_owned(), *id, *partition, None)).collect(),
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
        let moved = SiteEntry { id: 1, partition: 1, settings: None };
        assert_eq!((snapshot.site("x"), snapshot.site("y")), (Some(&moved), None));
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

    #[test]
    fn a_site_is_found_by_its_script() {
        let mut snapshot = Snapshot::default();
        snapshot.apply(changes("a", 3, true, &[("x", 1, 0)], &[]));
        assert_eq!(snapshot.script(&script_id("x")), Some(("x", ScriptSettings::default())));
        assert_eq!(snapshot.script("x"), None);
        let chosen = Settings { script: ScriptSettings { web_vitals: true, ..ScriptSettings::default() }, ..Settings::default() };
        let mut later = changes("a", 4, false, &[("y", 2, 0)], &["x"]);
        later.sites[0].3 = Some(Box::new(chosen));
        snapshot.apply(later);
        assert_eq!(snapshot.script(&script_id("x")), None);
        assert!(snapshot.script(&script_id("y")).unwrap().1.web_vitals);
    }
}
