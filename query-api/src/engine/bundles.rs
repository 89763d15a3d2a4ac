//! Bundles: copies of many small parts in one file of this machine, read in their place.
//!
//! Planning a statement costs about a millisecond a table, whatever is in it; a year is some seventy parts. A bundle holds all rows of
//! its parts and nothing else, so that it may stand for them wherever all of them are listed. It is derived and can be lost at any time.

use super::{AttachedPart, Engine, EngineError, lock};
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A bundle that is attached.
#[derive(Debug)]
pub struct Bundle {
    /// Names of its parts.
    pub parts: HashSet<String>,
    /// Where it is.
    file: PathBuf,
    attached: Arc<AttachedPart>,
}

impl Bundle {
    /// Where it is.
    pub fn file(&self) -> &Path {
        &self.file
    }
}

impl Engine {
    /// Reads a finished file in the place of these parts from now on. Blocks.
    pub fn add_bundle(&self, parts: HashSet<String>, file: PathBuf) -> Result<(), EngineError> {
        let name = key(&file);
        let attached = self.attach(&[(name, file.clone().into())])?;
        let Some(attached) = attached.into_iter().next() else { return Ok(()) };
        lock(&self.bundles).push(Arc::new(Bundle { parts, file, attached }));
        Ok(())
    }

    /// The bundles, oldest first.
    pub fn bundles(&self) -> Vec<Arc<Bundle>> {
        lock(&self.bundles).clone()
    }

    /// Uses a bundle no more and deletes its file; statements that read it go on. Blocks.
    pub fn drop_bundle(&self, file: &Path) {
        lock(&self.bundles).retain(|bundle| bundle.file != file);
        lock(&self.parts).forget(&lock(&self.catalog), &key(file));
        if let Err(error) = std::fs::remove_file(file) {
            tracing::warn!(file = %file.display(), %error, "bundle cannot be deleted");
        }
    }

    /// Detaches a part that was looked into once. Blocks.
    pub fn release(&self, name: &str) {
        lock(&self.parts).forget(&lock(&self.catalog), name);
    }

    /// Which parts are read in bundles, and in which, where these are all the parts that belong to a view: those of a bundle that are not asked for have no row
    /// that a statement looks for.
    pub fn bundled(&self, listed: &HashSet<&str>) -> HashMap<String, Arc<AttachedPart>> {
        let mut of_part = HashMap::new();
        for bundle in choose(&self.bundles(), listed) {
            of_part.extend(bundle.parts.iter().map(|name| (name.clone(), Arc::clone(&bundle.attached))));
        }
        of_part
    }
}

/// Bundles without a common part, all of whose parts are listed; the newest first.
fn choose(bundles: &[Arc<Bundle>], listed: &HashSet<&str>) -> Vec<Arc<Bundle>> {
    let mut chosen: Vec<Arc<Bundle>> = Vec::new();
    for bundle in bundles.iter().rev() {
        let is_whole = bundle.parts.iter().all(|name| listed.contains(name.as_str()));
        if is_whole && chosen.iter().all(|other| other.parts.is_disjoint(&bundle.parts)) {
            chosen.push(Arc::clone(bundle));
        }
    }
    chosen
}

/// Its name among the parts.
fn key(file: &Path) -> String {
    format!("bundle {}", file.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bundle(file: &str, parts: &[&str]) -> Arc<Bundle> {
        Arc::new(Bundle {
            parts: parts.iter().map(|part| (*part).to_owned()).collect(),
            file: file.into(),
            attached: Arc::new(AttachedPart { schema: file.to_owned() }),
        })
    }

    #[test]
    fn a_bundle_stands_for_its_parts_only_where_all_are_listed_and_none_twice() {
        let bundles = [bundle("old", &["a", "b"]), bundle("other", &["x", "y"]), bundle("new", &["a", "b", "c"])];
        let check = |listed: &[&str], expected: &[&str]| {
            let chosen = choose(&bundles, &listed.iter().copied().collect());
            let files: Vec<_> = chosen.iter().map(|bundle| bundle.file.to_string_lossy().into_owned()).collect();
            assert_eq!(files, expected, "{listed:?}");
        };
        check(&["a", "b", "c", "d"], &["new"]);
        check(&["a", "b", "d"], &["old"]);
        check(&["a", "b", "c", "x", "y"], &["new", "other"]);
        check(&["a", "x"], &[]);
        check(&[], &[]);
    }
}
