//! The folder for unfinished files: one per running aggregator, emptied when its owner is gone.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Start of the folders' names below the work folder.
const PREFIX: &str = "aggregator-";
/// Start of the name of one that is being made.
const STARTING: &str = "starting-";
/// One that is being made for so long is nobody's any more.
const STARTING_MAX: Duration = Duration::from_hours(1);
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
        let id = uuid::Uuid::new_v4().simple().to_string();
        // Under its name it is seen by others only when it is locked: one without an owner is removed.
        let (unseen, path) = (root.join(format!("{STARTING}{id}")), root.join(format!("{PREFIX}{id}")));
        std::fs::create_dir(&unseen)?;
        let lock = File::create(unseen.join(LOCK))?;
        lock.lock()?;
        std::fs::rename(&unseen, &path)?;
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

/// Deletes an unfinished file, so that a full disk does not stay full of them.
pub(crate) fn discard(file: &Path) {
    let log = file.with_extension("part.wal");
    for file in [file, &log] {
        if let Err(error) = std::fs::remove_file(file)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(file = %file.display(), %error, "an unfinished file cannot be deleted");
        }
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
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let is_abandoned = if name.starts_with(PREFIX) {
            File::open(entry.path().join(LOCK)).is_ok_and(|lock| lock.try_lock().is_ok())
        } else if name.starts_with(STARTING) {
            let modified = entry.metadata().and_then(|metadata| metadata.modified());
            modified.is_ok_and(|modified| modified.elapsed().is_ok_and(|age| age > STARTING_MAX))
        } else {
            false
        };
        if is_abandoned {
            tracing::info!(folder = ?entry.path(), "removing unfinished files of an earlier run");
            match std::fs::remove_dir_all(entry.path()) {
                // Another one that starts this moment was faster.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                outcome => outcome?,
            }
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
        std::fs::create_dir(root.path().join("starting-now")).unwrap();
        let second = WorkFolder::claim(root.path()).unwrap();
        assert!(root.path().join("starting-now").exists(), "somebody else starts this moment");
        assert!(first.path().exists(), "still owned");
        let path = second.path().to_owned();
        drop(second);
        assert!(!path.exists());
    }
}
