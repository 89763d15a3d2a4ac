//! `weir rules diff`: two sets of rules, file by file, line by line.

use super::which::{self, Chosen};
use crate::output::{self, Output};
use anyhow::Result;
use serde::Serialize;
use serde_json::json;
use similar::TextDiff;
use std::process::ExitCode;
use std::time::Duration;

/// Lines of context around a change.
const CONTEXT_LINES: usize = 3;
/// Time after which a comparison of texts that have little in common becomes coarser.
const PRECISE_WITHIN: Duration = Duration::from_secs(3);

/// One file of both sets.
#[derive(Debug, Serialize)]
struct Compared {
    file: &'static str,
    equal: bool,
    /// Unified diff; empty when equal.
    diff: String,
}

/// Prints the differences; the exit status tells whether there are any.
pub(crate) async fn diff(left: &str, right: &str, output: Output) -> Result<ExitCode> {
    let (left, right) = (which::resolve(left).await?, which::resolve(right).await?);
    for chosen in [&left, &right] {
        if let Some(first) = chosen.partitions.first().filter(|_| chosen.differs_by_partition()) {
            let first = format!("{}.{}", first.region, first.partition);
            output
                .note(&format!("the partitions use different rules, `served` is those of {first}: `weir rules show` lists all"));
        }
    }
    let files = compare(&left, &right);
    let is_equal = files.iter().all(|file| file.equal);
    let side = |chosen: &Chosen| json!({ "which": chosen.which, "digest": chosen.digest });
    let value = json!({ "equal": is_equal, "a": side(&left), "b": side(&right), "files": files });
    output::unless_closed(output.result(&value, &text(&left, &right, &files)))?;
    Ok(output::compared(is_equal))
}

fn compare(left: &Chosen, right: &Chosen) -> Vec<Compared> {
    let sides = left.data.files().into_iter().zip(right.data.files());
    sides
        .map(|((file, old), (_, new))| {
            let equal = old == new;
            let diff = if equal { String::new() } else { unified(&label(left, file), &label(right, file), old, new) };
            Compared { file, equal, diff }
        })
        .collect()
}

fn label(chosen: &Chosen, file: &str) -> String {
    format!("{}/{file}\t{}", chosen.which.trim_end_matches('/'), chosen.short())
}

fn unified(old_label: &str, new_label: &str, old: &str, new: &str) -> String {
    let diff = TextDiff::configure().timeout(PRECISE_WITHIN).diff_lines(old, new);
    diff.unified_diff().context_radius(CONTEXT_LINES).header(old_label, new_label).to_string()
}

fn text(left: &Chosen, right: &Chosen, files: &[Compared]) -> String {
    let diffs: Vec<&str> = files.iter().filter(|file| !file.equal).map(|file| file.diff.trim_end_matches('\n')).collect();
    if diffs.is_empty() {
        return format!("{} and {} are equal: rules {}", left.which, right.which, left.short());
    }
    diffs.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_changed_line_is_shown_in_its_file() {
        let built_in = which::resolve("built-in").await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let changed = built_in.data.channels.replace("name = \"Email\"", "name = \"Mail\"");
        std::fs::write(folder.path().join("channels.toml"), changed).unwrap();
        let edited = which::resolve(folder.path().to_str().unwrap()).await.unwrap();
        let files = compare(&built_in, &edited);
        let different: Vec<&str> = files.iter().filter(|file| !file.equal).map(|file| file.file).collect();
        assert_eq!(different, ["channels.toml"]);
        let text = text(&built_in, &edited, &files);
        assert!(text.starts_with("--- built-in/channels.toml\t"), "{text}");
        assert!(text.contains("\n-name = \"Email\"\n+name = \"Mail\"\n"), "{text}");
        assert!(text.contains("\n@@ "), "{text}");
        let same = compare(&built_in, &built_in);
        assert!(same.iter().all(|file| file.equal && file.diff.is_empty()));
        assert!(super::text(&built_in, &built_in, &same).starts_with("built-in and built-in are equal: rules "));
    }
}
