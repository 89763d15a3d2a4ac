//! Which sites young parts have rows of. A flush writes a part a minute for all sites of a partition; one that has nothing of a site is not read for it, and
//! changes none of its figures' keys.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock};
use weir_rollup::manifest::{Level, Part};

/// Site numbers kept, 4 bytes each. Past it everything is forgotten and learned again.
const SITES_MAX: usize = 4_000_000;

#[derive(Default)]
struct Known {
    /// Ascending site numbers, by the name of the part.
    parts: HashMap<String, Arc<[u32]>>,
    sites: usize,
}

/// What is known of the sites of parts.
#[derive(Default)]
pub struct Presence {
    known: RwLock<Known>,
    /// Held by who learns, so that nobody learns the same beside him.
    pub(super) learning: tokio::sync::Mutex<()>,
}

impl Presence {
    /// Those of the parts that should be looked into: young ones, which come and go, and of which nothing is known.
    pub(super) fn unknown<'a>(&self, parts: impl Iterator<Item = &'a Part>) -> Vec<&'a Part> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let is_young = |part: &&Part| matches!(part.level, Level::Flush | Level::Hour);
        parts.filter(is_young).filter(|part| !known.parts.contains_key(&part.name)).collect()
    }

    /// Names of those of the parts that have no row of a site.
    pub(super) fn without<'a>(&self, parts: impl Iterator<Item = &'a Part>, site_id: u32) -> HashSet<&'a str> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let lacks = |part: &&Part| known.parts.get(&part.name).is_some_and(|sites| sites.binary_search(&site_id).is_err());
        parts.filter(lacks).map(|part| part.name.as_str()).collect()
    }

    /// Keeps the sites of a part.
    pub(super) fn learn(&self, name: &str, mut sites: Vec<u32>) {
        sites.sort_unstable();
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.sites + sites.len() > SITES_MAX {
            *known = Known::default();
        }
        known.sites += sites.len();
        if let Some(before) = known.parts.insert(name.to_owned(), sites.into()) {
            known.sites -= before.len();
        }
    }
}
