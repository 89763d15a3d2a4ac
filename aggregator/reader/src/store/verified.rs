//! Which files were found whole: each is read through once in a process, and again when it is no longer the same file.

use super::checksum_of_file;
use std::collections::HashMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// Files that are remembered, about 200 bytes each. Past it everything is forgotten and verified again.
const KNOWN_MAX: usize = 200_000;

/// What tells a file from one that was put in its place or written to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    device: u64,
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
}

impl Identity {
    /// Of the file that is there now.
    pub(super) fn of(path: &Path) -> std::io::Result<Self> {
        let meta = std::fs::metadata(path)?;
        Ok(Self { device: meta.dev(), inode: meta.ino(), bytes: meta.len(), modified: (meta.mtime(), meta.mtime_nsec()) })
    }
}

/// Files that were found whole, by the names of their objects.
#[derive(Debug, Default)]
pub(super) struct Verified {
    known: Mutex<HashMap<String, (Identity, String)>>,
}

impl Verified {
    /// Whether this very file was found to have this checksum.
    pub(super) fn is_known(&self, name: &str, file: &Identity, checksum: &str) -> bool {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(name).is_some_and(|(identity, found)| identity == file && found == checksum)
    }

    /// Remembers what was found.
    pub(super) fn note(&self, name: &str, file: Identity, checksum: &str) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KNOWN_MAX {
            known.clear();
        }
        known.insert(name.to_owned(), (file, checksum.to_owned()));
    }

    /// Reads a file through unless that was done; what its checksum is when it is not the expected one. Blocks.
    pub(super) fn check(&self, name: &str, path: &Path, expected: &str) -> std::io::Result<Result<(), String>> {
        // Looked at before it is read: a file that changes meanwhile is read again next time.
        let identity = Identity::of(path)?;
        if self.is_known(name, &identity, expected) {
            return Ok(Ok(()));
        }
        let found = checksum_of_file(path)?;
        if found != expected {
            return Ok(Err(found));
        }
        self.note(name, identity, expected);
        Ok(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, SystemTime};

    #[test]
    fn a_file_that_changed_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("x");
        std::fs::write(&file, "abc").unwrap();
        let (sum, verified) = (super::super::checksum(b"abc"), Verified::default());
        assert_eq!(verified.check("x", &file, &sum).unwrap(), Ok(()));
        assert!(verified.is_known("x", &Identity::of(&file).unwrap(), &sum));
        assert!(!verified.is_known("x", &Identity::of(&file).unwrap(), "other"));
        std::fs::write(&file, "abd").unwrap();
        let later = SystemTime::now() + Duration::from_secs(5);
        std::fs::File::options().write(true).open(&file).unwrap().set_modified(later).unwrap();
        assert_eq!(verified.check("x", &file, &sum).unwrap(), Err(super::super::checksum(b"abd")));
        std::fs::remove_file(&file).unwrap();
        assert!(verified.check("x", &file, &sum).is_err());
    }
}
