//! The edge processes of one machine: how many, what each is called, and where its state lies.
//!
//! The first one keeps the names of a system that has only one: `workerd`, `workerd/do`, `workerd/config.capnp`.

use crate::home::Home;
use anyhow::{Context as _, Result};

/// Most edge processes of one machine.
pub(crate) const EDGES_MAX: u32 = 64;
/// Folder that holds what belongs to the edges.
const FOLDER: &str = "workerd";

/// Name of an edge process in `run.json` and of its log.
pub(crate) fn name(index: u32) -> String {
    numbered("workerd", index)
}

/// Folder of its Durable Objects, in the home: events that are acknowledged and not yet sent lie there.
pub(crate) fn objects_folder(index: u32) -> String {
    format!("{FOLDER}/{}", numbered("do", index))
}

/// Its configuration, in the home.
pub(crate) fn config_file(index: u32) -> String {
    format!("{FOLDER}/{}.capnp", numbered("config", index))
}

/// Folder of the edge with this name.
pub(crate) fn objects_folder_of(name: &str) -> String {
    format!("{FOLDER}/{}", name.replacen("workerd", "do", 1))
}

/// Edges beyond the `asked` ones that have a folder, ascending: they are started too, since only the edge that owns a folder sends what is
/// left in it.
pub(crate) fn leftovers(home: &Home, asked: u32) -> Result<Vec<u32>> {
    let folder = home.path(FOLDER);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let entry = entry.with_context(|| format!("cannot read {}", folder.display()))?;
        found.extend(entry.file_name().to_str().and_then(index_of).filter(|index| *index >= asked));
    }
    found.sort_unstable();
    Ok(found)
}

fn numbered(name: &str, index: u32) -> String {
    if index == 0 { name.to_owned() } else { format!("{name}-{index}") }
}

/// The edge that owns a folder.
fn index_of(folder: &str) -> Option<u32> {
    let index: u32 = folder.strip_prefix("do-")?.parse().ok()?;
    (index < EDGES_MAX && folder == numbered("do", index)).then_some(index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_named_as_the_only_one_was() {
        assert_eq!((name(0).as_str(), name(2).as_str()), ("workerd", "workerd-2"));
        assert_eq!((objects_folder(0).as_str(), objects_folder(1).as_str()), ("workerd/do", "workerd/do-1"));
        assert_eq!(
            (objects_folder_of("workerd").as_str(), objects_folder_of("workerd-1").as_str()),
            ("workerd/do", "workerd/do-1")
        );
        assert_eq!((config_file(0).as_str(), config_file(1).as_str()), ("workerd/config.capnp", "workerd/config-1.capnp"));
    }

    #[test]
    fn no_folder_is_left_without_its_edge() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path()).unwrap();
        home.create().unwrap();
        let check = |made: &[&str], asked: u32, expected: &[u32]| {
            for name in made {
                std::fs::create_dir(home.path("workerd").join(name)).unwrap();
            }
            assert_eq!(leftovers(&home, asked).unwrap(), expected, "{made:?} {asked}");
        };
        check(&[], 1, &[]);
        check(&["do-x", "do-01", "do-1000", "else-9", "do-2.emptied"], 1, &[]);
        check(&["do-5"], 1, &[5]);
        check(&["do-1"], 1, &[1, 5]);
        check(&[], 2, &[5]);
        check(&[], 6, &[]);
    }
}
