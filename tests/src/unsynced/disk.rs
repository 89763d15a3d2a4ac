//! The tree of folders and files, with the rule of what a power cut leaves of it. Knows nothing of FUSE.

use super::content::Content;
use nix::errno::Errno;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Number of the root folder.
pub(super) const ROOT: u64 = 1;

/// When a file's name is safe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    /// Once its folder was synced.
    Strict,
    /// Once its folder or the file itself was synced, together with the names of the folders above.
    Journalled,
}

/// What is left of unsynced writes at a power cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Survival {
    /// Nothing.
    Synced,
    /// A part, by chance from this seed.
    Chance(u64),
}

/// What a power cut took away, at most: with [`Survival::Chance`] some of it is left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// Files and folders whose names were not safe, or whose removal was not.
    pub names: u64,
    /// Files whose content was not safe.
    pub files: u64,
    /// Unsafe content, bytes, in whole pages.
    pub bytes: u64,
}

/// Folder, file or symbolic link.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    Folder(Folder),
    File(Content),
    Link(PathBuf),
}

/// Names in a folder, and what they name.
#[derive(Clone, Debug, Default)]
pub(super) struct Folder {
    pub(super) now: BTreeMap<OsString, u64>,
    safe: BTreeMap<OsString, u64>,
}

/// What a name can name.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) kind: Kind,
    pub(super) mode: u16,
    pub(super) owner: (u32, u32),
    pub(super) modified: SystemTime,
    /// The folder that named it last.
    pub(super) parent: u64,
    opened: u32,
}

/// The whole disk.
#[derive(Clone, Debug)]
pub struct Disk {
    names: Names,
    nodes: BTreeMap<u64, Node>,
    next: u64,
    /// Nodes that got or lost a name since their names were last made safe.
    renamed: BTreeSet<u64>,
}

impl Node {
    fn new(kind: Kind, mode: u16, owner: (u32, u32), parent: u64) -> Self {
        Self { kind, mode, owner, modified: SystemTime::now(), parent, opened: 0 }
    }
}

impl Disk {
    /// An empty disk.
    #[must_use]
    pub fn new(names: Names) -> Self {
        let root = Node::new(Kind::Folder(Folder::default()), 0o755, (0, 0), ROOT);
        Self { names, nodes: BTreeMap::from([(ROOT, root)]), next: ROOT + 1, renamed: BTreeSet::new() }
    }

    pub(super) fn node(&self, number: u64) -> Result<&Node, Errno> {
        self.nodes.get(&number).ok_or(Errno::ENOENT)
    }

    pub(super) fn node_mut(&mut self, number: u64) -> Result<&mut Node, Errno> {
        self.nodes.get_mut(&number).ok_or(Errno::ENOENT)
    }

    pub(super) fn folder(&self, number: u64) -> Result<&Folder, Errno> {
        match &self.node(number)?.kind {
            Kind::Folder(folder) => Ok(folder),
            _ => Err(Errno::ENOTDIR),
        }
    }

    fn folder_mut(&mut self, number: u64) -> Result<&mut Folder, Errno> {
        let node = self.node_mut(number)?;
        node.modified = SystemTime::now();
        match &mut node.kind {
            Kind::Folder(folder) => Ok(folder),
            _ => Err(Errno::ENOTDIR),
        }
    }

    pub(super) fn content(&self, number: u64) -> Result<&Content, Errno> {
        match &self.node(number)?.kind {
            Kind::File(content) => Ok(content),
            _ => Err(Errno::EISDIR),
        }
    }

    /// Content that is about to change.
    pub(super) fn content_mut(&mut self, number: u64) -> Result<&mut Content, Errno> {
        let node = self.node_mut(number)?;
        node.modified = SystemTime::now();
        match &mut node.kind {
            Kind::File(content) => Ok(content),
            _ => Err(Errno::EISDIR),
        }
    }

    pub(super) fn lookup(&self, folder: u64, name: &OsStr) -> Result<u64, Errno> {
        self.folder(folder)?.now.get(name).copied().ok_or(Errno::ENOENT)
    }

    /// How many names a node has now.
    pub(super) fn links(&self, number: u64) -> u32 {
        self.named(number, |folder| &folder.now)
    }

    fn named(&self, number: u64, names: impl Fn(&Folder) -> &BTreeMap<OsString, u64>) -> u32 {
        let folders = self.nodes.values().filter_map(|node| match &node.kind {
            Kind::Folder(folder) => Some(names(folder)),
            _ => None,
        });
        folders.map(|names| names.values().filter(|named| **named == number).count() as u32).sum()
    }

    pub(super) fn make(&mut self, folder: u64, name: &OsStr, kind: Kind, mode: u16, owner: (u32, u32)) -> Result<u64, Errno> {
        let number = self.next;
        let names = self.folder_mut(folder)?;
        if names.now.contains_key(name) {
            return Err(Errno::EEXIST);
        }
        names.now.insert(name.to_owned(), number);
        self.nodes.insert(number, Node::new(kind, mode, owner, folder));
        self.renamed.insert(number);
        self.next += 1;
        Ok(number)
    }

    pub(super) fn link(&mut self, number: u64, folder: u64, name: &OsStr) -> Result<(), Errno> {
        self.content(number)?;
        let names = self.folder_mut(folder)?;
        if names.now.contains_key(name) {
            return Err(Errno::EEXIST);
        }
        names.now.insert(name.to_owned(), number);
        self.named_by(number, folder);
        Ok(())
    }

    fn named_by(&mut self, number: u64, folder: u64) {
        self.renamed.insert(number);
        if let Some(node) = self.nodes.get_mut(&number) {
            node.parent = folder;
        }
    }

    pub(super) fn unlink(&mut self, folder: u64, name: &OsStr) -> Result<(), Errno> {
        let number = self.lookup(folder, name)?;
        if matches!(self.node(number)?.kind, Kind::Folder(_)) {
            return Err(Errno::EISDIR);
        }
        self.folder_mut(folder)?.now.remove(name);
        self.renamed.insert(number);
        self.forget_unnamed(number);
        Ok(())
    }

    pub(super) fn remove_folder(&mut self, folder: u64, name: &OsStr) -> Result<(), Errno> {
        let number = self.lookup(folder, name)?;
        if !self.folder(number)?.now.is_empty() {
            return Err(Errno::ENOTEMPTY);
        }
        self.folder_mut(folder)?.now.remove(name);
        self.renamed.insert(number);
        self.forget_unnamed(number);
        Ok(())
    }

    pub(super) fn rename(&mut self, from: (u64, &OsStr), to: (u64, &OsStr), replace: bool) -> Result<(), Errno> {
        let number = self.lookup(from.0, from.1)?;
        let replaced = self.folder(to.0)?.now.get(to.1).copied();
        match replaced {
            Some(replaced) if replaced == number => return Ok(()),
            Some(_) if !replace => return Err(Errno::EEXIST),
            Some(replaced) => match (&self.node(number)?.kind, &self.node(replaced)?.kind) {
                (Kind::Folder(_), Kind::Folder(there)) if !there.now.is_empty() => return Err(Errno::ENOTEMPTY),
                (Kind::Folder(_), Kind::Folder(_)) => {}
                (Kind::Folder(_), _) => return Err(Errno::ENOTDIR),
                (_, Kind::Folder(_)) => return Err(Errno::EISDIR),
                _ => {}
            },
            None => {}
        }
        self.folder_mut(from.0)?.now.remove(from.1);
        self.folder_mut(to.0)?.now.insert(to.1.to_owned(), number);
        self.named_by(number, to.0);
        if let Some(replaced) = replaced {
            self.renamed.insert(replaced);
            self.forget_unnamed(replaced);
        }
        Ok(())
    }

    pub(super) fn open(&mut self, number: u64) -> Result<(), Errno> {
        self.node_mut(number)?.opened += 1;
        Ok(())
    }

    pub(super) fn close(&mut self, number: u64) {
        if let Some(node) = self.nodes.get_mut(&number) {
            node.opened = node.opened.saturating_sub(1);
        }
        self.forget_unnamed(number);
    }

    /// Frees what no name leads to, in neither picture, and nobody has open.
    fn forget_unnamed(&mut self, number: u64) {
        let is_open = self.nodes.get(&number).is_some_and(|node| node.opened > 0);
        if self.renamed.contains(&number) && !is_open && self.links(number) == 0 && self.named(number, |folder| &folder.safe) == 0
        {
            self.nodes.remove(&number);
        }
    }

    /// Makes a file's content safe, or a folder's names.
    pub(super) fn sync(&mut self, number: u64) -> Result<(), Errno> {
        match &mut self.node_mut(number)?.kind {
            Kind::File(content) => content.sync(),
            Kind::Folder(folder) => folder.safe.clone_from(&folder.now),
            Kind::Link(_) => {}
        }
        if self.names == Names::Journalled {
            self.sync_names_of(number);
        }
        Ok(())
    }

    /// Makes the names safe that lead to a node now, up to the root, and the removal of its former ones.
    fn sync_names_of(&mut self, number: u64) {
        let mut way = vec![number];
        while let Some(node) = way.last().filter(|last| **last != ROOT).and_then(|last| self.nodes.get(last)) {
            way.push(node.parent);
        }
        if !way.iter().any(|number| self.renamed.contains(number)) {
            return;
        }
        for folder in self.nodes.values_mut().filter_map(|node| match &mut node.kind {
            Kind::Folder(folder) => Some(folder),
            _ => None,
        }) {
            let Folder { now, safe } = folder;
            safe.retain(|name, named| !way.contains(named) || now.get(name) == Some(named));
            safe.extend(now.iter().filter(|(_, named)| way.contains(named)).map(|(name, named)| (name.clone(), *named)));
        }
        for number in way {
            self.renamed.remove(&number);
        }
    }

    /// Makes everything safe, as `sync` and an orderly unmount do.
    pub fn sync_all(&mut self) {
        for node in self.nodes.values_mut() {
            match &mut node.kind {
                Kind::File(content) => content.sync(),
                Kind::Folder(folder) => folder.safe.clone_from(&folder.now),
                Kind::Link(_) => {}
            }
        }
    }

    /// What a power cut at this moment could take away.
    #[must_use]
    pub fn at_stake(&self) -> Lost {
        let mut lost = Lost::default();
        for node in self.nodes.values() {
            match &node.kind {
                Kind::File(content) => {
                    let bytes = content.unsafe_bytes();
                    lost.files += u64::from(bytes > 0);
                    lost.bytes += bytes;
                }
                Kind::Folder(folder) => {
                    let differing = |one: &BTreeMap<OsString, u64>, other: &BTreeMap<OsString, u64>| {
                        one.iter().filter(|(name, number)| other.get(*name) != Some(*number)).count() as u64
                    };
                    lost.names += differing(&folder.now, &folder.safe).max(differing(&folder.safe, &folder.now));
                }
                Kind::Link(_) => {}
            }
        }
        lost
    }

    /// Cuts the power: what programs see from now on is what was safe, and nothing is open any more.
    pub fn cut(&mut self, survival: Survival) -> Lost {
        let lost = self.at_stake();
        let mut random = match survival {
            Survival::Synced => None,
            Survival::Chance(seed) => Some(seed),
        };
        let mut chance = || random.as_mut().is_some_and(coin);
        let names_survive = chance();
        for node in self.nodes.values_mut() {
            node.opened = 0;
            match &mut node.kind {
                Kind::File(content) => content.cut(&mut chance),
                Kind::Folder(folder) if names_survive => folder.safe.clone_from(&folder.now),
                Kind::Folder(folder) => folder.now.clone_from(&folder.safe),
                Kind::Link(_) => {}
            }
        }
        self.renamed.clear();
        let mut parents = BTreeMap::from([(ROOT, ROOT)]);
        self.reach(ROOT, &mut parents);
        self.nodes.retain(|number, node| match parents.get(number) {
            Some(parent) => {
                node.parent = *parent;
                true
            }
            None => false,
        });
        lost
    }

    /// What can be reached from a folder, and by which folder.
    fn reach(&self, number: u64, parents: &mut BTreeMap<u64, u64>) {
        let Ok(folder) = self.folder(number) else { return };
        for named in folder.now.values() {
            if parents.insert(*named, number).is_none() {
                self.reach(*named, parents);
            }
        }
    }

    /// The content of a file by its path from the root, as it is read now.
    #[must_use]
    pub fn read(&self, path: &Path) -> Option<Vec<u8>> {
        let number = path.iter().try_fold(ROOT, |folder, name| self.lookup(folder, name).ok())?;
        self.content(number).ok().map(|content| content.read(0, usize::MAX).to_vec())
    }
}

/// One bit of `SplitMix64`.
fn coin(state: &mut u64) -> bool {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed ^ (mixed >> 31)) & 1 == 1
}

#[cfg(test)]
#[path = "disk_tests.rs"]
mod tests;
