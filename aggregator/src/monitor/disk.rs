//! Free space of the disks that folders lie on.

use std::path::PathBuf;

/// A folder's disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Space {
    /// What the folder is for.
    pub(crate) folder: &'static str,
    /// Free for this program, bytes.
    pub(crate) free_bytes: u64,
    /// Altogether, bytes.
    pub(crate) size_bytes: u64,
}

/// Those of all folders that are there. Blocks.
pub(crate) fn spaces(folders: &[(&'static str, PathBuf)]) -> Vec<Space> {
    let space = |(folder, path): &(&'static str, PathBuf)| {
        let found = rustix::fs::statvfs(path).ok()?;
        let bytes = |blocks: u64| blocks.saturating_mul(found.f_frsize);
        Some(Space { folder, free_bytes: bytes(found.f_bavail), size_bytes: bytes(found.f_blocks) })
    };
    folders.iter().filter_map(space).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_there_has_a_disk() {
        let folders = [("work", std::env::temp_dir()), ("files", PathBuf::from("/no/such/folder"))];
        let found = spaces(&folders);
        assert_eq!(found.iter().map(|space| space.folder).collect::<Vec<_>>(), ["work"]);
        assert!(found.iter().all(|space| space.free_bytes <= space.size_bytes && space.size_bytes > 0), "{found:?}");
    }
}
