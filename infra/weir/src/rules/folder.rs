//! A folder of rule files, as an operator edits them.

use anyhow::{Context as _, Error, Result, anyhow, bail};
use std::ffi::OsStr;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use weir_rollup::rules::{RULE_FILE_BYTES_MAX, RuleData, Rules};

/// Characters of a long error that are shown, at its start and at its end.
const ERROR_END_CHARS: usize = 400;

/// Reads a folder of rule files: what is not there is as built in. Rules that do not compile are refused. Blocks for some 100 ms.
pub(crate) fn read(folder: &Path) -> Result<RuleData> {
    let here = || format!("the rules in {}", folder.display());
    let data = files(folder).with_context(here)?;
    if let Err(error) = Rules::new(data.clone()) {
        return Err(anyhow!(shortened(&format!("{:#}", Error::from(error))))).with_context(here);
    }
    Ok(data)
}

/// An error whose middle is left out when it quotes a file whole, as those of expressions do.
fn shortened(text: &str) -> String {
    let count = text.chars().count();
    if count <= 2 * ERROR_END_CHARS {
        return text.to_owned();
    }
    let (head, tail) = (text.chars().take(ERROR_END_CHARS), text.chars().skip(count - ERROR_END_CHARS));
    head.chain(" … ".chars()).chain(tail).collect()
}

fn files(folder: &Path) -> Result<RuleData> {
    let mut data = RuleData::built_in();
    let mut is_empty = true;
    for entry in std::fs::read_dir(folder).context("cannot be listed")? {
        let path = entry.context("cannot be listed")?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with('.') || path.extension() == Some(OsStr::new("md")) {
            continue;
        }
        if !RuleData::names().contains(&name.as_str()) {
            bail!("{name} is no rule file: take it out; there are {}, and *.md for notes", RuleData::names().join(", "));
        }
        let text = text(&path).with_context(|| format!("{name} cannot be read"))?;
        data.set(&name, text)?;
        is_empty = false;
    }
    if is_empty {
        bail!("there is no rule file in it: `weir rules show --out {}` writes them", folder.display());
    }
    Ok(data)
}

fn text(path: &Path) -> Result<String> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        bail!("it is not a plain file");
    }
    if metadata.len() > RULE_FILE_BYTES_MAX as u64 {
        bail!("it has {} bytes, the limit is {RULE_FILE_BYTES_MAX}", metadata.len());
    }
    let mut text = String::new();
    file.take(RULE_FILE_BYTES_MAX as u64 + 1).read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(files: &[(&str, &str)]) -> Result<RuleData> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        read(folder.path())
    }

    #[test]
    fn what_is_not_there_is_built_in() {
        let channels = format!("{}\n# changed\n", RuleData::built_in().channels);
        let data = with(&[("channels.toml", &channels), ("NOTES.md", "x"), (".channels.toml.swp", "\u{0}")]).unwrap();
        assert_eq!(data.channels, channels);
        assert_eq!(data.sources, RuleData::built_in().sources);
    }

    #[test]
    fn errors_name_the_file() {
        let check = |files: &[(&str, &str)], expected: &str| {
            let error = format!("{:#}", with(files).unwrap_err());
            assert!(error.contains(expected) && error.len() < 2000, "{error}");
        };
        check(&[], "no rule file in it");
        check(&[("README.md", "x")], "no rule file in it");
        check(&[("chanels.toml", "")], "chanels.toml is no rule file");
        check(&[("channels.toml~", "")], "channels.toml~ is no rule file");
        check(&[("channels.toml", "x")], "channels.toml is not readable: TOML parse error");
        check(
            &[("channels.toml", "fallback = ''\n[[channel]]\nname = 'A'\nwhen = [{ medium = '(' }]\n[names]")],
            "channels.toml",
        );
        check(&[("bots.toml", "patterns = ['(']")], "holds an expression that does not compile");
        let folder = tempfile::tempdir().unwrap();
        let error = format!("{:#}", read(&folder.path().join("nowhere")).unwrap_err());
        assert!(error.contains("nowhere cannot") || error.contains("nowhere: cannot be listed"), "{error}");
        std::fs::create_dir(folder.path().join("bots.toml")).unwrap();
        assert!(format!("{:#}", read(folder.path()).unwrap_err()).contains("bots.toml cannot be read: it is not a plain file"));
    }

    #[test]
    fn a_large_file_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = File::create(folder.path().join("bots.toml")).unwrap();
        file.set_len(RULE_FILE_BYTES_MAX as u64 + 1).unwrap();
        assert!(format!("{:#}", read(folder.path()).unwrap_err()).contains("bots.toml cannot be read: it has 8000001 bytes"));
    }
}
