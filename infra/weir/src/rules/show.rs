//! `weir rules show`: the files of a set of rules; one of them; or all of them written into a folder.

use super::which::{self, Chosen, ServedBy};
use crate::cli::ShowOptions;
use crate::human;
use crate::output::Output;
use crate::table::{Side, Table};
use anyhow::{Context as _, Result, bail};
use serde::Serialize;
use serde_json::json;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::path::Path;
use weir_reader::store::checksum;
use weir_rollup::rules::{RuleData, RulesError};

/// A file as a list shows it.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Listed {
    file: &'static str,
    bytes: usize,
    /// SHA-256 of the text, hex.
    digest: String,
}

/// Shows, prints or writes rules.
pub(crate) async fn show(options: &ShowOptions, output: Output) -> Result<()> {
    let chosen = which::resolve(&options.which).await?;
    if chosen.differs_by_partition() && (options.file.is_some() || options.out.is_some()) {
        let first = chosen.partitions.first().map(name).unwrap_or_default();
        output.note(&format!("the partitions use different rules, these are those of {first}: `weir rules show` lists all"));
    }
    match (&options.file, &options.out) {
        (Some(file), _) => print(&chosen, file, output),
        (None, Some(folder)) => write(&chosen, folder, output),
        (None, None) => list(&chosen, output),
    }
}

fn list(chosen: &Chosen, output: Output) -> Result<()> {
    let files = files(&chosen.data);
    let mut lines: Vec<String> = chosen.partitions.iter().map(partition_line).collect();
    let built_in = if chosen.is_built_in() { ", those of this program" } else { "" };
    let of = chosen.partitions.first().filter(|_| chosen.differs_by_partition()).map(|one| format!(" of {}", name(one)));
    lines.push(format!("rules {}{}{built_in}", chosen.short(), of.unwrap_or_default()));
    let mut table = Table::new([("file", Side::Left), ("bytes", Side::Right), ("sha256", Side::Left)]);
    for one in &files {
        table.row([one.file, &human::count(one.bytes as u64), which::short(&one.digest)]);
    }
    lines.extend(table.lines(2));
    if chosen.differs_by_partition() {
        lines.push("the other partitions' rules: `weir rules show LOGIC`, compared: `weir rules diff LOGIC LOGIC`".to_owned());
    }
    let value = json!({
        "which": chosen.which, "digest": chosen.digest, "built_in": chosen.is_built_in(),
        "equal": !chosen.differs_by_partition(), "partitions": chosen.partitions, "files": files,
    });
    output.result(&value, &lines.join("\n"))
}

fn partition_line(one: &ServedBy) -> String {
    let pinned = if one.pinned { ", chosen by an operator" } else { "" };
    format!("{:<12} logic {} since sequence {}{pinned}", name(one), one.logic, human::count(one.from_seq))
}

fn name(one: &ServedBy) -> String {
    format!("{}.{}", one.region, one.partition)
}

fn files(data: &RuleData) -> Vec<Listed> {
    let listed = |(file, text): (&'static str, &str)| Listed { file, bytes: text.len(), digest: checksum(text.as_bytes()) };
    data.files().map(listed).into()
}

fn print(chosen: &Chosen, file: &str, output: Output) -> Result<()> {
    let found = chosen.data.files().into_iter().find(|(name, _)| *name == file);
    let Some((name, text)) = found else { return Err(RulesError::UnknownFile { name: file.to_owned() }.into()) };
    let value = json!({ "which": chosen.which, "file": name, "digest": checksum(text.as_bytes()), "text": text });
    output.result(&value, text.strip_suffix('\n').unwrap_or(text))
}

fn write(chosen: &Chosen, folder: &Path, output: Output) -> Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
    // Nothing is written if anything would be lost.
    for (name, text) in chosen.data.files() {
        let path = folder.join(name);
        match std::fs::read(&path) {
            Ok(there) if there == text.as_bytes() => {}
            Ok(_) => bail!("{} is there with another content: choose an empty folder", path.display()),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
    }
    for (name, text) in chosen.data.files() {
        let path = folder.join(name);
        let written =
            OpenOptions::new().write(true).create_new(true).open(&path).and_then(|mut file| file.write_all(text.as_bytes()));
        match written {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            written => written.with_context(|| format!("cannot write {}", path.display()))?,
        }
    }
    let value = json!({ "which": chosen.which, "digest": chosen.digest, "folder": folder, "files": files(&chosen.data) });
    let text = format!(
        "{} of the rules {} written to {}\nedit them, then: weir rules diff {} {}",
        human::counted(chosen.data.files().len() as u64, "file"),
        chosen.short(),
        folder.display(),
        chosen.which,
        folder.display()
    );
    output.result(&value, &text)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn built_in() -> Chosen {
        which::resolve("built-in").await.unwrap()
    }

    #[tokio::test]
    async fn written_rules_are_read_again_and_edits_are_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("rules");
        let output = Output::new(true);
        write(&built_in().await, &out, output).unwrap();
        assert_eq!(super::super::read_folder(&out).unwrap(), RuleData::built_in());
        write(&built_in().await, &out, output).unwrap();
        std::fs::remove_file(out.join("agents.toml")).unwrap();
        std::fs::write(out.join("channels.toml"), "# edited").unwrap();
        let error = write(&built_in().await, &out, output).unwrap_err().to_string();
        assert!(error.contains("channels.toml is there with another content"), "{error}");
        assert!(!out.join("agents.toml").exists(), "all or nothing");
    }

    #[tokio::test]
    async fn a_file_that_is_none_is_named() {
        let error = print(&built_in().await, "chanels.toml", Output::new(true)).unwrap_err().to_string();
        assert!(error.contains("chanels.toml is no rule file"), "{error}");
    }

    #[test]
    fn a_partition_on_one_line() {
        let one = ServedBy { region: "local".into(), partition: 1, from_seq: 1234, logic: "2-ab".into(), pinned: true };
        assert_eq!(partition_line(&one), "local.1      logic 2-ab since sequence 1,234, chosen by an operator");
    }
}
