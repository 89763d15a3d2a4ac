//! Which tests run: those of the sources by their names as `file::function`, and the fuzz targets as `fuzz::target`. Documents that name tests are held
//! against it.

use crate::served::root;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Folders that hold nothing that we wrote.
const SKIPPED: [&str; 3] = ["target", "node_modules", "dist"];

/// The tests that run.
pub(crate) struct Tests {
    /// Texts of the files that hold a test of this name.
    files: BTreeMap<String, Vec<String>>,
    fuzz_targets: BTreeSet<String>,
}

impl Tests {
    /// Those below folders of the repository.
    pub(crate) fn below(folders: &[&str]) -> Self {
        let folders: Vec<PathBuf> = folders.iter().map(|folder| root().join(folder)).collect();
        Self::in_folders(&folders, &root().join("tests/fuzz"))
    }

    /// Those below folders, and the targets of a fuzzing crate.
    pub(crate) fn in_folders(folders: &[PathBuf], fuzz: &Path) -> Self {
        let mut sources = BTreeMap::new();
        for folder in folders {
            read(folder, &mut sources);
        }
        let mut files: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (path, text) in sources.iter().filter(|(path, _)| is_built(path, &sources)) {
            for name in tests_of(text) {
                files.entry(format!("{}::{name}", stem(path))).or_default().push(text.clone());
            }
        }
        let manifest = std::fs::read_to_string(fuzz.join("Cargo.toml")).unwrap_or_default();
        let names = manifest.lines().filter_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'));
        let is_there = |name: &&str| fuzz.join("fuzz_targets").join(format!("{name}.rs")).exists();
        Self { files, fuzz_targets: names.filter(is_there).map(str::to_owned).collect() }
    }

    /// Texts of the files that hold a test; `None` = it is not there, or does not run.
    pub(crate) fn files(&self, name: &str) -> Option<&[String]> {
        self.files.get(name).map(Vec::as_slice)
    }

    /// Why a name is none of a test; `None` = it is one.
    pub(crate) fn fault(&self, name: &str) -> Option<String> {
        match name.strip_prefix("fuzz::") {
            Some(target) if self.fuzz_targets.contains(target) => None,
            Some(target) => {
                Some(format!("`{name}`: tests/fuzz has no target {target} (a file in fuzz_targets and a [[bin]] in Cargo.toml)"))
            }
            None if self.files.contains_key(name) => None,
            None => {
                Some(format!("`{name}`: no such test runs (a function under #[test] in a file of that name, built, not ignored)"))
            }
        }
    }
}

fn stem(path: &Path) -> &str {
    path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default()
}

/// Sources below a folder by path.
pub(crate) fn read(folder: &Path, found: &mut BTreeMap<PathBuf, String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() {
            if !SKIPPED.contains(&name) && !name.starts_with('.') {
                read(&path, found);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            found.insert(path, text);
        }
    }
}

/// Whether a file is part of a crate: its root, a test program, or named by `mod` or `#[path]`.
fn is_built(path: &Path, sources: &BTreeMap<PathBuf, String>) -> bool {
    let (Some(folder), name) = (path.parent(), stem(path)) else { return false };
    let is_test_program = folder.ends_with("tests") && folder.parent().is_some_and(|package| package.join("src").is_dir());
    if is_test_program || matches!(name, "main" | "lib") {
        return true;
    }
    // Named by a file beside it, or by the one that has the folder's name.
    let (module, above) = if name == "mod" { (stem(folder), folder.parent().unwrap_or(folder)) } else { (name, folder) };
    let is_declared = |text: &str| {
        let mut modules = text.lines().filter_map(|line| line.trim().strip_suffix(';')?.rsplit_once("mod "));
        modules.any(|(before, found)| found == module && (before.is_empty() || before.starts_with("pub")))
    };
    let file = format!("{name}.rs\"]");
    let is_placed = |text: &str| text.lines().any(|line| line.trim().starts_with("#[path = \"") && line.trim().ends_with(&file));
    let is_near = |other: &Path| other.parent() == Some(above) || other == above.with_extension("rs");
    sources.iter().any(|(other, text)| other != path && ((is_near(other) && is_declared(text)) || is_placed(text)))
}

/// Names of the functions under a test attribute that are not ignored.
fn tests_of(text: &str) -> Vec<&str> {
    let (mut is_test, mut is_ignored, mut found) = (false, false, Vec::new());
    for line in text.lines().map(str::trim) {
        if line.starts_with("#[test") || line.starts_with("#[tokio::test") {
            is_test = true;
        } else if line.starts_with("#[ignore") {
            is_ignored = true;
        } else if let Some(rest) = line.strip_prefix("async fn ").or_else(|| line.strip_prefix("fn ")) {
            if is_test && !is_ignored {
                found.push(rest.split(['(', '<']).next().unwrap_or_default());
            }
            (is_test, is_ignored) = (false, false);
        }
    }
    found
}
