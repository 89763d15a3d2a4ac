//! The disk as a FUSE file system. Once its power is cut, no request is answered until the programs that asked are gone.

use super::disk::{Disk, Folder, Kind};
use fuser::{
    BsdFileFlags, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo, KernelConfig, LockOwner,
    OpenFlags, RenameFlags, ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory, ReplyEmpty, ReplyEntry, ReplyOpen, ReplyStatfs,
    ReplyWrite, Request, TimeOrNow, WriteFlags,
};
use nix::fcntl::OFlag;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

/// Nobody else changes the disk: the kernel may keep what it was told.
const REMEMBERED_FOR: Duration = Duration::from_hours(1);
const BLOCK_BYTES: u32 = 4096;
/// Largest write of one request, bytes.
const WRITE_BYTES_MAX: u32 = 1024 * 1024;
/// Blocks that the disk claims to have and to have free: 64 GiB.
const BLOCKS: u64 = 16 * 1024 * 1024;

/// Whether requests are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Power {
    On,
    /// Cut: requests wait.
    Cut,
    /// Those who asked are dead: requests that wait are given back as failed, to nobody.
    Off,
}

/// Disk and power, shared by the file system and who cuts it.
#[derive(Debug)]
pub(super) struct Machine {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    disk: Disk,
    power: Power,
    next_handle: u64,
    /// Folders that are being listed: what they held when they were opened.
    listings: BTreeMap<u64, Vec<(u64, FileType, OsString)>>,
}

impl Machine {
    pub(super) fn new(disk: Disk) -> Self {
        let state = State { disk, power: Power::On, next_handle: 1, listings: BTreeMap::new() };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Switches; the disk stays exactly as the last answered request left it.
    pub(super) fn switch(&self, power: Power) {
        self.lock().power = power;
        self.changed.notify_all();
    }

    /// Works on the disk.
    pub(super) fn with_disk<T>(&self, work: impl FnOnce(&mut Disk) -> T) -> T {
        work(&mut self.lock().disk)
    }

    /// The state for one request, as soon as there is power.
    fn powered(&self) -> Result<MutexGuard<'_, State>, Errno> {
        let waited = self.changed.wait_while(self.lock(), |state| state.power == Power::Cut);
        let state = waited.unwrap_or_else(PoisonError::into_inner);
        if state.power == Power::On { Ok(state) } else { Err(Errno::EIO) }
    }
}

/// One mount of the disk.
pub(super) struct Serving(pub(super) Arc<Machine>);

impl Serving {
    fn with<T>(&self, work: impl FnOnce(&mut Disk) -> Result<T, nix::errno::Errno>) -> Result<T, Errno> {
        work(&mut self.0.powered()?.disk).map_err(errno)
    }

    fn entry(&self, reply: ReplyEntry, work: impl FnOnce(&mut Disk) -> Result<u64, nix::errno::Errno>) {
        match self.with(|disk| work(disk).and_then(|number| attributes(disk, number))) {
            Ok(found) => reply.entry(&REMEMBERED_FOR, &found, Generation(0)),
            Err(error) => reply.error(error),
        }
    }

    fn empty(&self, reply: ReplyEmpty, work: impl FnOnce(&mut Disk) -> Result<(), nix::errno::Errno>) {
        match self.with(work) {
            Ok(()) => reply.ok(),
            Err(error) => reply.error(error),
        }
    }
}

fn errno(error: nix::errno::Errno) -> Errno {
    Errno::from_i32(error as i32)
}

fn kind(kind: &Kind) -> FileType {
    match kind {
        Kind::Folder(_) => FileType::Directory,
        Kind::File(_) => FileType::RegularFile,
        Kind::Link(_) => FileType::Symlink,
    }
}

fn attributes(disk: &Disk, number: u64) -> Result<FileAttr, nix::errno::Errno> {
    let node = disk.node(number)?;
    let (size, nlink) = match &node.kind {
        Kind::File(content) => (content.size(), disk.links(number)),
        Kind::Folder(_) => (u64::from(BLOCK_BYTES), 2),
        Kind::Link(target) => (target.as_os_str().len() as u64, 1),
    };
    Ok(FileAttr {
        ino: INodeNo(number),
        size,
        blocks: size.div_ceil(512),
        atime: node.modified,
        mtime: node.modified,
        ctime: node.modified,
        crtime: node.modified,
        kind: kind(&node.kind),
        perm: node.mode,
        nlink,
        uid: node.owner.0,
        gid: node.owner.1,
        rdev: 0,
        blksize: BLOCK_BYTES,
        flags: 0,
    })
}

fn mode_of(mode: u32, umask: u32) -> u16 {
    (mode & !umask & 0o7777) as u16
}

impl Filesystem for Serving {
    fn init(&mut self, _: &Request, config: &mut KernelConfig) -> io::Result<()> {
        // The largest that both sides can is taken.
        let _nearest = config.set_max_write(WRITE_BYTES_MAX);
        Ok(())
    }

    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        self.entry(reply, |disk| disk.lookup(parent.0, name));
    }

    fn getattr(&self, _: &Request, ino: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        match self.with(|disk| attributes(disk, ino.0)) {
            Ok(found) => reply.attr(&REMEMBERED_FOR, &found),
            Err(error) => reply.error(error),
        }
    }

    fn setattr(
        &self,
        _: &Request,
        ino: INodeNo,
        mode: Option<u32>,
        uid: Option<u32>,
        gid: Option<u32>,
        size: Option<u64>,
        _: Option<TimeOrNow>,
        mtime: Option<TimeOrNow>,
        _: Option<SystemTime>,
        _: Option<FileHandle>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let changed = self.with(|disk| {
            if let Some(size) = size {
                disk.content_mut(ino.0)?.resize(usize::try_from(size).map_err(|_| nix::errno::Errno::EFBIG)?);
            }
            let node = disk.node_mut(ino.0)?;
            node.mode = mode.map_or(node.mode, |mode| mode_of(mode, 0));
            node.owner = (uid.unwrap_or(node.owner.0), gid.unwrap_or(node.owner.1));
            match mtime {
                Some(TimeOrNow::SpecificTime(time)) => node.modified = time,
                Some(TimeOrNow::Now) => node.modified = SystemTime::now(),
                None => {}
            }
            attributes(disk, ino.0)
        });
        match changed {
            Ok(found) => reply.attr(&REMEMBERED_FOR, &found),
            Err(error) => reply.error(error),
        }
    }

    fn readlink(&self, _: &Request, ino: INodeNo, reply: ReplyData) {
        let target = self.with(|disk| match &disk.node(ino.0)?.kind {
            Kind::Link(target) => Ok(target.clone()),
            _ => Err(nix::errno::Errno::EINVAL),
        });
        match target {
            Ok(target) => reply.data(target.as_os_str().as_encoded_bytes()),
            Err(error) => reply.error(error),
        }
    }

    fn mkdir(&self, request: &Request, parent: INodeNo, name: &OsStr, mode: u32, umask: u32, reply: ReplyEntry) {
        let owner = (request.uid(), request.gid());
        self.entry(reply, |disk| disk.make(parent.0, name, Kind::Folder(Folder::default()), mode_of(mode, umask), owner));
    }

    fn symlink(&self, request: &Request, parent: INodeNo, name: &OsStr, target: &Path, reply: ReplyEntry) {
        let owner = (request.uid(), request.gid());
        self.entry(reply, |disk| disk.make(parent.0, name, Kind::Link(target.to_owned()), 0o777, owner));
    }

    fn unlink(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        self.empty(reply, |disk| disk.unlink(parent.0, name));
    }

    fn rmdir(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        self.empty(reply, |disk| disk.remove_folder(parent.0, name));
    }

    fn rename(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        newparent: INodeNo,
        newname: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        if flags.intersects(RenameFlags::RENAME_EXCHANGE | RenameFlags::RENAME_WHITEOUT) {
            return reply.error(Errno::EINVAL);
        }
        let replace = !flags.contains(RenameFlags::RENAME_NOREPLACE);
        self.empty(reply, |disk| disk.rename((parent.0, name), (newparent.0, newname), replace));
    }

    fn link(&self, _: &Request, ino: INodeNo, newparent: INodeNo, newname: &OsStr, reply: ReplyEntry) {
        self.entry(reply, |disk| disk.link(ino.0, newparent.0, newname).map(|()| ino.0));
    }

    fn open(&self, _: &Request, ino: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        match self.with(|disk| disk.open(ino.0)) {
            Ok(()) => reply.opened(FileHandle(0), FopenFlags::FOPEN_KEEP_CACHE),
            Err(error) => reply.error(error),
        }
    }

    fn create(&self, request: &Request, parent: INodeNo, name: &OsStr, mode: u32, umask: u32, _: i32, reply: ReplyCreate) {
        let owner = (request.uid(), request.gid());
        let opened = self.with(|disk| {
            let number =
                disk.make(parent.0, name, Kind::File(super::content::Content::default()), mode_of(mode, umask), owner)?;
            disk.open(number)?;
            attributes(disk, number)
        });
        match opened {
            Ok(found) => {
                reply.created(&REMEMBERED_FOR, &found, Generation(0), FileHandle(0), FopenFlags::FOPEN_KEEP_CACHE);
            }
            Err(error) => reply.error(error),
        }
    }

    fn read(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        match self.with(|disk| disk.content(ino.0).map(|content| content.read(offset, size as usize).to_vec())) {
            Ok(bytes) => reply.data(&bytes),
            Err(error) => reply.error(error),
        }
    }

    fn write(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        flags: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let written = self.with(|disk| {
            disk.content_mut(ino.0)?.write(usize::try_from(offset).map_err(|_| nix::errno::Errno::EFBIG)?, data);
            if OFlag::from_bits_truncate(flags.0).intersects(OFlag::O_DSYNC | OFlag::O_SYNC) {
                disk.sync(ino.0)?;
            }
            Ok(())
        });
        match written {
            Ok(()) => reply.written(data.len() as u32),
            Err(error) => reply.error(error),
        }
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        // Closing a file makes nothing safe.
        self.empty(reply, |_| Ok(()));
    }

    fn release(&self, _: &Request, ino: INodeNo, _: FileHandle, _: OpenFlags, _: Option<LockOwner>, _: bool, reply: ReplyEmpty) {
        self.empty(reply, |disk| {
            disk.close(ino.0);
            Ok(())
        });
    }

    fn fsync(&self, _: &Request, ino: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        self.empty(reply, |disk| disk.sync(ino.0));
    }

    fn fsyncdir(&self, _: &Request, ino: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        self.empty(reply, |disk| disk.sync(ino.0));
    }

    fn opendir(&self, _: &Request, ino: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        let opened = self.0.powered().and_then(|mut state| {
            let listing = listing(&state.disk, ino.0).map_err(errno)?;
            let handle = state.next_handle;
            state.next_handle += 1;
            state.listings.insert(handle, listing);
            Ok(handle)
        });
        match opened {
            Ok(handle) => reply.opened(FileHandle(handle), FopenFlags::empty()),
            Err(error) => reply.error(error),
        }
    }

    fn readdir(&self, _: &Request, _: INodeNo, fh: FileHandle, offset: u64, mut reply: ReplyDirectory) {
        let state = match self.0.powered() {
            Ok(state) => state,
            Err(error) => return reply.error(error),
        };
        let entries = state.listings.get(&fh.0).map(Vec::as_slice).unwrap_or_default();
        for (next, (number, kind, name)) in (1..).zip(entries).skip(usize::try_from(offset).unwrap_or(usize::MAX)) {
            if reply.add(INodeNo(*number), next, *kind, name) {
                break;
            }
        }
        reply.ok();
    }

    fn releasedir(&self, _: &Request, _: INodeNo, fh: FileHandle, _: OpenFlags, reply: ReplyEmpty) {
        if let Ok(mut state) = self.0.powered() {
            state.listings.remove(&fh.0);
        }
        reply.ok();
    }

    fn statfs(&self, _: &Request, _: INodeNo, reply: ReplyStatfs) {
        reply.statfs(BLOCKS, BLOCKS, BLOCKS, BLOCKS, BLOCKS, BLOCK_BYTES, 255, BLOCK_BYTES);
    }
}

fn listing(disk: &Disk, number: u64) -> Result<Vec<(u64, FileType, OsString)>, nix::errno::Errno> {
    let folder = disk.folder(number)?;
    let parent = disk.node(number)?.parent;
    let mut entries =
        vec![(number, FileType::Directory, OsString::from(".")), (parent, FileType::Directory, OsString::from(".."))];
    for (name, number) in &folder.now {
        entries.push((*number, kind(&disk.node(*number)?.kind), name.clone()));
    }
    Ok(entries)
}
