//! Each sentence of the model, and the two ways of replacing a file that programs use.

use super::*;

const NOBODY: (u32, u32) = (0, 0);

fn name(text: &str) -> &OsStr {
    OsStr::new(text)
}

fn file(disk: &mut Disk, folder: u64, text: &str, bytes: &[u8]) -> u64 {
    let number = disk.make(folder, name(text), Kind::File(Content::default()), 0o600, NOBODY).unwrap();
    disk.content_mut(number).unwrap().write(0, bytes);
    number
}

fn folder(disk: &mut Disk, above: u64, text: &str) -> u64 {
    disk.make(above, name(text), Kind::Folder(Folder::default()), 0o700, NOBODY).unwrap()
}

fn after_cut(disk: &Disk, path: &str) -> Option<String> {
    let mut disk = disk.clone();
    disk.cut(Survival::Synced);
    disk.read(Path::new(path)).map(|bytes| String::from_utf8(bytes).unwrap())
}

#[test]
fn a_file_without_sync_is_gone() {
    for names in [Names::Strict, Names::Journalled] {
        let mut disk = Disk::new(names);
        file(&mut disk, ROOT, "a", b"x");
        assert_eq!(disk.read(Path::new("a")).unwrap(), b"x");
        assert_eq!(after_cut(&disk, "a"), None);
        assert_eq!(disk.at_stake(), Lost { names: 1, files: 1, bytes: 4096 });
    }
}

#[test]
fn a_synced_folder_keeps_the_name_but_not_the_content() {
    let mut disk = Disk::new(Names::Strict);
    file(&mut disk, ROOT, "a", b"x");
    disk.sync(ROOT).unwrap();
    assert_eq!(after_cut(&disk, "a").as_deref(), Some(""));
}

#[test]
fn syncing_a_file_saves_its_names_only_where_there_is_a_journal() {
    for (names, kept) in [(Names::Strict, None), (Names::Journalled, Some("x".to_owned()))] {
        let mut disk = Disk::new(names);
        let inner = folder(&mut disk, ROOT, "d");
        let number = file(&mut disk, inner, "a", b"x");
        disk.sync(number).unwrap();
        assert_eq!(after_cut(&disk, "d/a"), kept, "{names:?}");
        disk.sync(inner).unwrap();
        disk.sync(ROOT).unwrap();
        assert_eq!(after_cut(&disk, "d/a").as_deref(), Some("x"));
        assert_eq!(disk.at_stake(), Lost::default());
    }
}

#[test]
fn replacing_by_rename_needs_the_folders_sync_to_last_and_is_never_half() {
    let mut disk = Disk::new(Names::Journalled);
    let old = file(&mut disk, ROOT, "a", b"old");
    disk.sync(old).unwrap();
    let new = file(&mut disk, ROOT, "a.new", b"new");
    disk.sync(new).unwrap();
    disk.rename((ROOT, name("a.new")), (ROOT, name("a")), true).unwrap();
    assert_eq!(disk.read(Path::new("a")).unwrap(), b"new");
    assert_eq!((after_cut(&disk, "a").as_deref(), after_cut(&disk, "a.new").as_deref()), (Some("old"), Some("new")));
    disk.sync(ROOT).unwrap();
    assert_eq!((after_cut(&disk, "a").as_deref(), after_cut(&disk, "a.new")), (Some("new"), None));
}

#[test]
fn a_rename_without_a_sync_of_the_content_leaves_an_empty_file() {
    let mut disk = Disk::new(Names::Journalled);
    file(&mut disk, ROOT, "a.new", b"new");
    disk.rename((ROOT, name("a.new")), (ROOT, name("a")), true).unwrap();
    disk.sync(ROOT).unwrap();
    assert_eq!(after_cut(&disk, "a").as_deref(), Some(""));
}

#[test]
fn what_was_removed_comes_back_until_its_folder_is_synced() {
    let mut disk = Disk::new(Names::Journalled);
    let number = file(&mut disk, ROOT, "a", b"x");
    disk.sync(number).unwrap();
    disk.unlink(ROOT, name("a")).unwrap();
    assert_eq!(disk.read(Path::new("a")), None);
    assert_eq!(after_cut(&disk, "a").as_deref(), Some("x"));
    disk.sync(ROOT).unwrap();
    assert_eq!(after_cut(&disk, "a"), None);
    assert_eq!(disk.at_stake(), Lost::default());
}

#[test]
fn a_moved_folder_takes_its_names_along() {
    let mut disk = Disk::new(Names::Journalled);
    let inner = folder(&mut disk, ROOT, "d");
    let number = file(&mut disk, inner, "a", b"x");
    disk.sync(number).unwrap();
    disk.rename((ROOT, name("d")), (ROOT, name("e")), true).unwrap();
    assert_eq!((after_cut(&disk, "d/a").as_deref(), after_cut(&disk, "e/a")), (Some("x"), None));
    disk.sync(number).unwrap();
    assert_eq!((after_cut(&disk, "d/a"), after_cut(&disk, "e/a").as_deref()), (None, Some("x")));
}

#[test]
fn chance_is_the_seeds_and_keeps_what_is_safe() {
    let mut disk = Disk::new(Names::Journalled);
    let safe = file(&mut disk, ROOT, "safe", b"s");
    disk.sync(safe).unwrap();
    for number in 0..64 {
        file(&mut disk, ROOT, &format!("unsafe-{number}"), b"u");
    }
    let survivors = |seed: u64| {
        let mut disk = disk.clone();
        disk.cut(Survival::Chance(seed));
        assert_eq!(disk.read(Path::new("safe")).unwrap(), b"s");
        assert_eq!(disk.at_stake(), Lost::default(), "what is there after a cut is there after the next one");
        (0..64).filter(|number| disk.read(Path::new(&format!("unsafe-{number}"))).is_some_and(|bytes| bytes == b"u")).count()
    };
    let all: Vec<usize> = (0..20).map(survivors).collect();
    assert_eq!(all, (0..20).map(survivors).collect::<Vec<_>>());
    assert!(all.contains(&0) && all.iter().any(|count| (1..64).contains(count)), "{all:?}");
}

#[test]
fn an_open_file_without_a_name_is_read_until_it_is_closed() {
    let mut disk = Disk::new(Names::Journalled);
    let number = file(&mut disk, ROOT, "a", b"x");
    disk.open(number).unwrap();
    disk.unlink(ROOT, name("a")).unwrap();
    assert_eq!(disk.content(number).unwrap().read(0, 9), b"x");
    disk.close(number);
    assert_eq!(disk.node(number).err(), Some(Errno::ENOENT));
}

#[test]
fn the_rules_of_names_are_kept() {
    let mut disk = Disk::new(Names::Journalled);
    let inner = folder(&mut disk, ROOT, "d");
    let number = file(&mut disk, inner, "a", b"x");
    disk.link(number, ROOT, name("b")).unwrap();
    assert_eq!(disk.links(number), 2);
    assert_eq!(disk.link(number, ROOT, name("b")).err(), Some(Errno::EEXIST));
    assert_eq!(disk.remove_folder(ROOT, name("d")).err(), Some(Errno::ENOTEMPTY));
    assert_eq!(disk.unlink(ROOT, name("d")).err(), Some(Errno::EISDIR));
    assert_eq!(disk.rename((ROOT, name("b")), (inner, name("a")), false).err(), None, "the same file");
    file(&mut disk, ROOT, "c", b"y");
    assert_eq!(disk.rename((ROOT, name("c")), (inner, name("a")), false).err(), Some(Errno::EEXIST));
    assert_eq!(disk.rename((ROOT, name("c")), (ROOT, name("d")), true).err(), Some(Errno::EISDIR));
    assert_eq!(disk.lookup(number, name("x")).err(), Some(Errno::ENOTDIR));
}
