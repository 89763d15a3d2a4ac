//! The folder for unfinished files: one per running aggregator, emptied when its owner is gone.

use std::fs::File;
use std::path::{Path, PathBuf};

/// Start of the folders' names below the work folder.
const PREFIX: &str = "aggregator-";
/// File in each that its owner keeps locked.
const LOCK: &str = "lock";

/// A folder of this process alone. It is removed when dropped, or by a later process.
#[derive(Debug)]
pub(crate) struct WorkFolder {
    path: PathBuf,
    _lock: File,
}

impl WorkFolder {
    /// Makes a folder below `root` and removes those whose owners are gone.
    pub(crate) fn claim(root: &Path) -> std::io::Result<Self> {
        std::fs::create_dir_all(root)?;
        remove_abandoned(root)?;
        let path = root.join(format!("{PREFIX}{}", uuid::Uuid::new_v4().simple()));
        std::fs::create_dir(&path)?;
        let lock = File::create(path.join(LOCK))?;
        lock.lock()?;
        Ok(Self { path: path.canonicalize()?, _lock: lock })
    }

    /// The folder.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A new name in it.
    pub(crate) fn file(&self) -> PathBuf {
        self.path.join(format!("{}.part", uuid::Uuid::new_v4().simple()))
    }
}

impl Drop for WorkFolder {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.path) {
            tracing::warn!(%error, "the work folder could not be removed");
        }
    }
}

fn remove_abandoned(root: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(root)? {
        let entry = entry?;
        let is_ours = entry.file_name().to_string_lossy().starts_with(PREFIX);
        if !is_ours || !entry.file_type()?.is_dir() {
            continue;
        }
        let is_abandoned = match File::open(entry.path().join(LOCK)) {
            Ok(lock) => lock.try_lock().is_ok(),
            // Killed between making the folder and the lock, or being made this moment: a later start removes it.
            Err(_) => false,
        };
        if is_abandoned {
            tracing::info!(folder = ?entry.path(), "removing unfinished files of an earlier run");
            std::fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_goes_with_its_owner_and_not_before() {
        let root = tempfile::tempdir().unwrap();
        let left = root.path().join("aggregator-left");
        std::fs::create_dir(&left).unwrap();
        File::create(left.join(LOCK)).unwrap();
        File::create(left.join("x.part")).unwrap();
        std::fs::create_dir(root.path().join("other")).unwrap();
        let first = WorkFolder::claim(root.path()).unwrap();
        assert!(!left.exists(), "abandoned");
        assert!(root.path().join("other").exists(), "not ours");
        let second = WorkFolder::claim(root.path()).unwrap();
        assert!(first.path().exists(), "still owned");
        let path = second.path().to_owned();
        drop(second);
        assert!(!path.exists());
    }
}
