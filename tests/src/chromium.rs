//! Finds a Chromium for the browser tests; they never skip.

use anyhow::{Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Names a Chromium goes by on PATH.
const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// `CHROMIUM`, else one on PATH, else Debian's package when root.
pub fn find() -> Result<PathBuf> {
    if let Some(given) = std::env::var_os("CHROMIUM").map(PathBuf::from) {
        if given.is_file() {
            return Ok(given);
        }
        bail!("CHROMIUM names {}, which is no file", given.display());
    }
    if let Some(found) = on_path() {
        return Ok(found);
    }
    if nix::unistd::geteuid().is_root() && Path::new("/usr/bin/apt-get").exists() {
        for arguments in [vec!["update", "-qq"], vec!["install", "-y", "-qq", "chromium"]] {
            Command::new("flock")
                .args(["/var/lock/weir-apt", "apt-get"])
                .args(arguments)
                .env("DEBIAN_FRONTEND", "noninteractive")
                .status()?;
        }
        if let Some(found) = on_path() {
            return Ok(found);
        }
    }
    bail!("the browser tests need Chromium: run `sudo apt-get install -y chromium`, or set CHROMIUM to a Chromium or Chrome")
}

fn on_path() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    NAMES.iter().find_map(|name| std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file()))
}
