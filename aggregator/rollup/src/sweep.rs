//! What may be deleted: objects that no kept manifest names, once they are old enough. Pure, so that the simulation of crashes runs the same rule.

use std::collections::BTreeSet;

/// An object in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aged {
    /// Name.
    pub name: String,
    /// Time since it was written, milliseconds.
    pub age_ms: u64,
}

/// Manifests, divided into those that stay and those that go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Division {
    /// They stay, with everything that they name.
    pub kept: Vec<String>,
    /// They go.
    pub dropped: Vec<String>,
}

/// Divides the manifests of a line: those in use, the newest `keep`, and all that are younger than `sweep_after_ms` stay.
pub fn divide(mut written: Vec<Aged>, in_use: &[String], keep: usize, sweep_after_ms: u64) -> Division {
    // Names begin with the revision.
    written.sort_by(|a, b| b.name.cmp(&a.name));
    let mut division = Division::default();
    for (rank, object) in written.into_iter().enumerate() {
        let stays = rank < keep || object.age_ms <= sweep_after_ms || in_use.contains(&object.name);
        if stays { &mut division.kept } else { &mut division.dropped }.push(object.name);
    }
    division
}

/// Those of the files that may be deleted. `named` is what the kept manifests name; the files must have been listed before the manifests were.
pub fn unneeded(files: Vec<Aged>, named: &BTreeSet<String>, sweep_after_ms: u64) -> Vec<String> {
    files.into_iter().filter(|file| file.age_ms > sweep_after_ms && !named.contains(&file.name)).map(|file| file.name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn aged(name: &str, age_ms: u64) -> Aged {
        Aged { name: name.to_owned(), age_ms }
    }

    #[test]
    fn the_newest_the_young_and_those_in_use_stay() {
        let written = vec![aged("01", 90), aged("02", 80), aged("03", 70), aged("04", 1), aged("11", 60), aged("10", 65)];
        let division = divide(written, &["02".to_owned()], 2, 24);
        assert_eq!(division.kept, ["11", "10", "04", "02"]);
        assert_eq!(division.dropped, ["03", "01"]);
    }

    #[test]
    fn only_old_files_that_nobody_names_go() {
        let files = vec![aged("named", 90), aged("old", 90), aged("young", 24)];
        assert_eq!(unneeded(files, &BTreeSet::from(["named".to_owned()]), 24), ["old"]);
    }
}
