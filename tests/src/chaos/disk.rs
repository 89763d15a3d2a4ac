//! Small disks: a file system in memory under a machine's folder, which can be filled up.

use anyhow::{Context as _, Result, ensure};
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Name of the file that fills a disk.
const BALLAST: &str = "ballast";

/// Puts a disk of so many megabytes under a folder, for the region's lifetime.
pub fn mount(folder: &Path, megabytes: u32) -> Result<()> {
    std::fs::create_dir_all(folder)?;
    let size = format!("size={megabytes}m,mode=0700");
    let output = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "weir-chaos"]).arg(folder).output();
    let output = output.context("cannot run mount")?;
    ensure!(output.status.success(), "mount: {}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(())
}

/// Writes until nothing more goes in, and returns how many bytes did. Call it again to fill what was given free meanwhile.
pub fn fill(folder: &Path) -> Result<u64> {
    let mut file = OpenOptions::new().create(true).append(true).open(ballast(folder))?;
    let mut written = 0;
    // Smaller and smaller pieces, to the last byte.
    for piece in [1 << 20, 1 << 12, 1] {
        let bytes = vec![0_u8; piece];
        loop {
            match file.write(&bytes) {
                Ok(0) => break,
                Ok(count) => written += count as u64,
                Err(error) if error.kind() == ErrorKind::StorageFull => break,
                Err(error) => return Err(error).context("the disk cannot be filled"),
            }
        }
    }
    Ok(written)
}

/// Gives the space free again.
pub fn clear(folder: &Path) -> Result<()> {
    match std::fs::remove_file(ballast(folder)) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error).context("the ballast cannot be removed"),
        _ => Ok(()),
    }
}

fn ballast(folder: &Path) -> PathBuf {
    folder.join(BALLAST)
}

/// Changes one bit in the middle of a file, in place: whoever has it open sees it too.
pub fn flip_bit(file: &Path) -> Result<()> {
    use std::os::unix::fs::FileExt as _;
    let opened = OpenOptions::new().read(true).write(true).open(file)?;
    let at = opened.metadata()?.len() / 2;
    let mut byte = [0_u8];
    opened.read_exact_at(&mut byte, at)?;
    opened.write_all_at(&byte.map(|byte| byte ^ 16), at)?;
    Ok(())
}

/// Files below a folder.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => found.extend(files(&entry.path())),
            Ok(kind) if kind.is_file() => found.push(entry.path()),
            _ => {}
        }
    }
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bit_changes_and_changes_back() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, [0; 9]).unwrap();
        flip_bit(&file).unwrap();
        assert_eq!(std::fs::read(&file).unwrap(), [0, 0, 0, 0, 16, 0, 0, 0, 0]);
        flip_bit(&file).unwrap();
        assert_eq!(std::fs::read(&file).unwrap(), [0; 9]);
        assert_eq!(files(folder.path()), [file]);
    }
}
