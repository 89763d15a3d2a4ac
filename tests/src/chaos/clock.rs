//! Wrong clocks: the edge's own test setting, `libfaketime` for programs that ask the C library.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Where Debian puts the library, by architecture.
const FOLDERS: [&str; 3] =
    ["/usr/lib/x86_64-linux-gnu/faketime", "/usr/lib/aarch64-linux-gnu/faketime", "/usr/local/lib/faketime"];
const LIBRARY: &str = "libfaketimeMT.so.1";

/// `LIBFAKETIME`, else where distributions put it, else Debian's package when root.
pub fn find() -> Option<PathBuf> {
    if let Some(given) = std::env::var_os("LIBFAKETIME").map(PathBuf::from) {
        return given.is_file().then_some(given);
    }
    let installed = || FOLDERS.iter().map(|folder| Path::new(folder).join(LIBRARY)).find(|file| file.is_file());
    installed().or_else(|| {
        if !nix::unistd::geteuid().is_root() || !Path::new("/usr/bin/apt-get").exists() {
            return None;
        }
        let install = ["install", "-y", "-qq", "--no-install-recommends", "libfaketime"];
        for arguments in [vec!["update", "-qq"], install.to_vec()] {
            Command::new("flock")
                .args(["/var/lock/weir-apt", "apt-get"])
                .args(arguments)
                .env("DEBIAN_FRONTEND", "noninteractive")
                .status()
                .ok()?;
        }
        installed()
    })
}

/// The variables by which a program's clock follows a file; the file must be there, see [`step`].
pub fn variables(library: &Path, file: &Path) -> Vec<(String, String)> {
    [
        ("LD_PRELOAD", library.display().to_string()),
        ("FAKETIME_TIMESTAMP_FILE", file.display().to_string()),
        // The file is read again every second.
        ("FAKETIME_CACHE_DURATION", "1".to_owned()),
        // What is waited for takes as long as ever: only the time of day steps.
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        ("FAKETIME_FORCE_MONOTONIC_FIX", "0".to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

/// Sets by how many milliseconds a clock is wrong.
pub fn step(file: &Path, by_ms: i64) -> std::io::Result<()> {
    let aside = file.with_extension("new");
    std::fs::write(&aside, format!("{}{}.{:03}\n", if by_ms < 0 { '-' } else { '+' }, by_ms.abs() / 1000, by_ms.abs() % 1000))?;
    std::fs::rename(aside, file)
}
