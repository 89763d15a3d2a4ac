//! A file of this machine that stays while somebody holds it.

use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A file of this machine, whole and checked. One of a cache stays there while this or a copy of it lives.
#[derive(Clone, Debug)]
pub struct LocalFile {
    path: PathBuf,
    _held: Option<Arc<()>>,
}

impl LocalFile {
    pub(super) fn held(path: PathBuf, held: Arc<()>) -> Self {
        Self { path, _held: Some(held) }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// A file that is no object: it stays for as long as its owner leaves it.
impl From<PathBuf> for LocalFile {
    fn from(path: PathBuf) -> Self {
        Self { path, _held: None }
    }
}

impl Deref for LocalFile {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.path
    }
}
