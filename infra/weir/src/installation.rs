//! Where the programs and files lie that `weir` starts and reads: in the repository around the executable.

use anyhow::{Context as _, Result, bail};
use std::path::{Path, PathBuf};

/// The folder that holds `.tools/`, `target/` and `tests/`.
#[derive(Clone, Debug)]
pub(crate) struct Installation {
    root: PathBuf,
}

impl Installation {
    /// `WEIR_ROOT`, else the nearest folder above the executable that holds `.tools/bin`, else the current folder.
    pub(crate) fn find() -> Result<Self> {
        if let Some(root) = std::env::var_os("WEIR_ROOT").filter(|root| !root.is_empty()) {
            return Ok(Self { root: std::path::absolute(root)? });
        }
        let executable = std::env::current_exe().context("cannot tell where the weir command lies")?;
        let above = executable.ancestors().find(|folder| folder.join(".tools/bin").is_dir()).map(Path::to_path_buf);
        Ok(Self { root: above.map_or_else(std::env::current_dir, Ok)? })
    }

    /// One of the pinned programs.
    pub(crate) fn tool(&self, name: &str) -> Result<PathBuf> {
        self.file(&format!(".tools/bin/{name}"), "make setup")
    }

    /// A file that `command` makes.
    pub(crate) fn file(&self, name: &str, command: &str) -> Result<PathBuf> {
        let path = self.root.join(name);
        if !path.is_file() {
            bail!("{} is missing: run `{command}` in the repository (or set WEIR_ROOT to its folder)", path.display());
        }
        Ok(path)
    }
}
