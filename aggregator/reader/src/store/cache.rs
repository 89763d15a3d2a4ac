//! Files of a bucket on this machine: bounded in bytes, those used longest ago go first, those in use stay.

use super::file::LocalFile;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, SystemTime};

/// Ending of what is being written.
const HALF: &str = "half";
/// Unfinished files of this age were left by a process that is gone.
const HALF_GONE: Duration = Duration::from_hours(24);

#[derive(Debug)]
struct Entry {
    bytes: u64,
    used: u64,
    /// Alive while somebody holds the file.
    held: Weak<()>,
}

#[derive(Debug, Default)]
struct Entries {
    by_name: HashMap<String, Entry>,
    clock: u64,
}

/// The cache. Its folder belongs to one program; a file that somebody else deletes is fetched again.
#[derive(Debug)]
pub(super) struct Cache {
    folder: PathBuf,
    bytes_max: u64,
    entries: Mutex<Entries>,
    /// Held by who fetches an object, so that it is fetched once.
    fetching: Mutex<HashMap<String, Weak<tokio::sync::Mutex<()>>>>,
}

impl Cache {
    /// Takes over what an earlier run left in the folder, which is made if it is missing. Blocks.
    pub(super) fn open(folder: &Path, bytes_max: u64) -> std::io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let folder = folder.canonicalize()?;
        let mut found = Vec::new();
        walk(&folder, &mut found)?;
        found.sort();
        let mut entries = Entries::default();
        for (_, path, bytes) in found {
            let Some(name) = path.strip_prefix(&folder).ok().and_then(Path::to_str) else { continue };
            entries.clock += 1;
            let entry = Entry { bytes, used: entries.clock, held: Weak::new() };
            entries.by_name.insert(name.to_owned(), entry);
        }
        let cache = Self { folder, bytes_max, entries: Mutex::new(entries), fetching: Mutex::default() };
        cache.make_room(0);
        Ok(cache)
    }

    /// The one who holds this may fetch the object.
    pub(super) fn turn(&self, name: &str) -> Arc<tokio::sync::Mutex<()>> {
        let mut fetching = self.fetching.lock().unwrap_or_else(PoisonError::into_inner);
        fetching.retain(|_, turn| turn.strong_count() > 0);
        if let Some(turn) = fetching.get(name).and_then(Weak::upgrade) {
            return turn;
        }
        let turn = Arc::new(tokio::sync::Mutex::new(()));
        fetching.insert(name.to_owned(), Arc::downgrade(&turn));
        turn
    }

    /// Where an object is when it is there. `name` is one that was checked.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        name.split('/').fold(self.folder.clone(), |path, part| path.join(part))
    }

    /// The file of an object if it is there, held.
    pub(super) fn get(&self, name: &str) -> Option<LocalFile> {
        let path = self.path(name);
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if !path.is_file() {
            entries.by_name.remove(name);
            return None;
        }
        entries.clock += 1;
        let clock = entries.clock;
        let entry = entries.by_name.get_mut(name)?;
        entry.used = clock;
        let held = entry.held.upgrade().unwrap_or_default();
        entry.held = Arc::downgrade(&held);
        Some(LocalFile::held(path, held))
    }

    /// A new path for what is being written; its folder exists. Blocks.
    pub(super) fn half(&self) -> std::io::Result<PathBuf> {
        std::fs::create_dir_all(&self.folder)?;
        Ok(self.folder.join(format!("{}.{HALF}", uuid::Uuid::new_v4().simple())))
    }

    /// Takes a finished file in, held. It is moved. Blocks.
    pub(super) fn insert(&self, name: &str, file: &Path) -> std::io::Result<LocalFile> {
        let bytes = std::fs::metadata(file)?.len();
        self.make_room(bytes);
        let path = self.path(name);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        std::fs::rename(file, &path)?;
        entries.clock += 1;
        let held = Arc::new(());
        let entry = Entry { bytes, used: entries.clock, held: Arc::downgrade(&held) };
        entries.by_name.insert(name.to_owned(), entry);
        Ok(LocalFile::held(path, held))
    }

    /// Deletes the file of an object. Blocks.
    pub(super) fn remove(&self, name: &str) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        self.delete(&mut entries, name);
    }

    /// Deletes files that nobody holds, those used longest ago first, until so many bytes more fit in. Blocks.
    pub(super) fn make_room(&self, bytes: u64) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let mut total = bytes.saturating_add(entries.by_name.values().map(|entry| entry.bytes).sum());
        if total <= self.bytes_max {
            return;
        }
        let free = entries.by_name.iter().filter(|(_, entry)| entry.held.strong_count() == 0);
        let mut free: Vec<(u64, u64, String)> = free.map(|(name, entry)| (entry.used, entry.bytes, name.clone())).collect();
        free.sort_unstable();
        for (_, bytes, name) in free {
            if total <= self.bytes_max {
                return;
            }
            self.delete(&mut entries, &name);
            total = total.saturating_sub(bytes);
        }
    }

    fn delete(&self, entries: &mut Entries, name: &str) {
        entries.by_name.remove(name);
        if let Err(error) = std::fs::remove_file(self.path(name))
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(object.name = name, %error, "a file of the cache cannot be deleted");
        }
    }

    /// Bytes of the files that are there.
    pub(super) fn bytes(&self) -> u64 {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).by_name.values().map(|entry| entry.bytes).sum()
    }
}

/// All files below a folder: when they were written, where they are, their sizes. Old unfinished ones are deleted.
fn walk(folder: &Path, found: &mut Vec<(SystemTime, PathBuf, u64)>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let (path, meta) = (entry.path(), entry.metadata()?);
        if meta.is_dir() {
            walk(&path, found)?;
        } else if path.extension().is_some_and(|ending| ending == HALF) {
            let age = meta.modified()?.elapsed().unwrap_or_default();
            if age > HALF_GONE {
                std::fs::remove_file(path)?;
            }
        } else {
            found.push((meta.modified()?, path, meta.len()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(cache: &Cache, name: &str, bytes: usize) -> LocalFile {
        let half = cache.half().unwrap();
        std::fs::write(&half, vec![0; bytes]).unwrap();
        cache.insert(name, &half).unwrap()
    }

    #[test]
    fn the_longest_unused_go_first_and_those_in_use_stay() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(folder.path(), 100).unwrap();
        let held = put(&cache, "parts/l-0/a", 40);
        drop(put(&cache, "parts/l-0/b", 30));
        drop(put(&cache, "parts/l-0/c", 30));
        drop(cache.get("parts/l-0/b").unwrap());
        drop(put(&cache, "parts/l-0/d", 30));
        let there = |name: &str| cache.get(name).is_some();
        assert!(there("parts/l-0/a") && there("parts/l-0/b") && !there("parts/l-0/c") && there("parts/l-0/d"));
        assert_eq!(cache.bytes(), 100);
        // One that does not fit is kept while it is used.
        let large = put(&cache, "parts/l-0/e", 500);
        assert!(there("parts/l-0/a") && there("parts/l-0/e") && !there("parts/l-0/b") && !there("parts/l-0/d"));
        drop((held, large));
        cache.make_room(0);
        assert!(!there("parts/l-0/a") && !there("parts/l-0/e"));
    }

    #[test]
    fn what_an_earlier_run_left_is_taken_over_and_what_is_gone_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        drop(put(&Cache::open(folder.path(), 100).unwrap(), "parts/l-0/a", 40));
        std::fs::write(folder.path().join("x.half"), "young").unwrap();
        let cache = Cache::open(folder.path(), 100).unwrap();
        assert_eq!(cache.bytes(), 40);
        let file = cache.get("parts/l-0/a").unwrap();
        std::fs::remove_file(file.path()).unwrap();
        assert!(cache.get("parts/l-0/a").is_none());
        assert_eq!(cache.bytes(), 0);
        drop(put(&Cache::open(folder.path(), 100).unwrap(), "parts/l-0/b", 40));
        assert_eq!(Cache::open(folder.path(), 10).unwrap().bytes(), 0, "a smaller limit holds at once");
    }
}
