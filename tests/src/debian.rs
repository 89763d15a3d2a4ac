//! Programs of Debian packages that tests need; they are never skipped.

use anyhow::{Result, bail, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Folders where distributions put them, beside those of PATH.
const FOLDERS: [&str; 2] = ["/usr/sbin", "/usr/local/sbin"];

/// The file that `variable` names, else one on PATH, else that of Debian's package, installed when root.
pub fn program(variable: &str, name: &str, package: &str) -> Result<PathBuf> {
    if let Some(given) = std::env::var_os(variable).map(PathBuf::from) {
        ensure!(given.is_file(), "{variable} names {}, which is no file", given.display());
        return Ok(given);
    }
    if let Some(found) = installed(name) {
        return Ok(found);
    }
    if nix::unistd::geteuid().is_root() && Path::new("/usr/bin/apt-get").exists() {
        for arguments in [vec!["update", "-qq"], vec!["install", "-y", "-qq", "--no-install-recommends", package]] {
            // Another test may be installing something.
            let waiting = ["-o", "DPkg::Lock::Timeout=120"];
            Command::new("flock")
                .args(["/var/lock/weir-apt", "apt-get"])
                .args(waiting)
                .args(arguments)
                .env("DEBIAN_FRONTEND", "noninteractive")
                .status()?;
        }
        if let Some(found) = installed(name) {
            return Ok(found);
        }
    }
    bail!("a test needs {name}: run `sudo apt-get install -y {package}`, or set {variable} to its program")
}

fn installed(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(FOLDERS.map(PathBuf::from));
    folders.map(|folder| folder.join(name)).find(|file| file.is_file())
}
