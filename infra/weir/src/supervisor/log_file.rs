//! Logs of the children: appended to, cut when they grow too long.

use anyhow::{Context as _, Result};
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Size at which a log is moved to `<name>.1` and begun anew.
pub(crate) const LOG_BYTES_MAX: u64 = 20_000_000;
/// How much of a log's end is shown.
const END_BYTES: u64 = 4_000;
/// How many lines of it.
const END_LINES: usize = 12;

/// Opens a log to append to.
pub(super) fn open(path: &Path) -> Result<File> {
    cut(path)?;
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("cannot write the log {}", path.display()))
}

/// Cuts a log that is too long. Its writer appends, so that it goes on at the new end.
pub(crate) fn cut(path: &Path) -> Result<()> {
    let Ok(metadata) = std::fs::metadata(path) else { return Ok(()) };
    if metadata.len() <= LOG_BYTES_MAX {
        return Ok(());
    }
    let former = path.with_extension("log.1");
    std::fs::copy(path, &former).with_context(|| format!("cannot copy the log {}", path.display()))?;
    let file = OpenOptions::new().write(true).open(path).with_context(|| format!("cannot cut the log {}", path.display()))?;
    file.set_len(0).with_context(|| format!("cannot cut the log {}", path.display()))
}

/// The last lines of a log.
pub(super) fn end(path: &Path) -> String {
    let read = || -> std::io::Result<String> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(END_BYTES)))?;
        let mut bytes = Vec::new();
        file.take(END_BYTES).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    let text = read().unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines.iter().skip(lines.len().saturating_sub(END_LINES)).copied().collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn a_long_log_is_cut_under_its_writer() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("child.log");
        let mut writer = open(&path).unwrap();
        writer.write_all(&vec![b'x'; LOG_BYTES_MAX as usize + 1]).unwrap();
        cut(&path).unwrap();
        writer.write_all(b"after\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "after\n");
        assert_eq!(std::fs::metadata(folder.path().join("child.log.1")).unwrap().len(), LOG_BYTES_MAX + 1);
        assert_eq!(end(&path), "after");
    }
}
