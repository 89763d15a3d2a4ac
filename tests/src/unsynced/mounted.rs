//! The disk mounted in a folder: works like any other until its power is cut.

use super::disk::{Disk, Lost, Names, Survival};
use super::serve::{Machine, Power, Serving};
use anyhow::{Context as _, Result};
use fuser::{BackgroundSession, Config, MountOption, Session};
use nix::mount::{MntFlags, umount2};
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use tempfile::TempDir;

/// A mounted disk; unmounted on drop.
pub struct UnsyncedDisk {
    machine: Arc<Machine>,
    session: Option<BackgroundSession>,
    /// Unmounts when this process ends in whatever way.
    guard: Child,
    folder: TempDir,
}

impl UnsyncedDisk {
    /// An empty disk in a new temporary folder.
    ///
    /// # Errors
    /// Where FUSE cannot be used: it takes Linux, `/dev/fuse`, and root.
    pub fn mount(names: Names) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("weir-unsynced-").tempdir()?;
        let guard = Command::new("sh")
            .args(["-c", r#"cat >/dev/null; umount -l "$1" 2>/dev/null; rmdir "$1""#, "sh"])
            .arg(folder.path())
            .stdin(Stdio::piped())
            .spawn()?;
        let machine = Arc::new(Machine::new(Disk::new(names)));
        let mut disk = Self { machine, session: None, guard, folder };
        disk.serve()?;
        Ok(disk)
    }

    /// As [`UnsyncedDisk::mount`]; where FUSE cannot be used at all, says so on standard error and gives `None`: the test was not run then.
    ///
    /// # Errors
    /// When FUSE could be used and yet fails.
    pub fn mount_or_say(names: Names) -> Result<Option<Self>> {
        let reason = if !Path::new("/dev/fuse").exists() {
            "there is no /dev/fuse (in a container: --device /dev/fuse --cap-add SYS_ADMIN)".to_owned()
        } else if nix::unistd::geteuid().is_root() {
            match Self::mount(names) {
                Err(error) if is_forbidden(&error) => format!("{error:#}"),
                other => return other.map(Some),
            }
        } else {
            "only root may mount".to_owned()
        };
        // Not by the macro: the harness of tests would keep it to itself.
        writeln!(std::io::stderr(), "NOT RUN, nothing is proved about power cuts: {reason}")?;
        Ok(None)
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Cuts the power at this moment: whatever is asked of the disk from now on is not answered.
    pub fn cut(&self) {
        self.machine.switch(Power::Cut);
    }

    /// Gives the power back, with what survived, once all programs that used the disk are killed. Returns what was at stake.
    ///
    /// # Errors
    /// When it cannot be mounted again.
    pub fn restore(&mut self, survival: Survival) -> Result<Lost> {
        self.machine.switch(Power::Off);
        self.unmount()?;
        let lost = self.machine.with_disk(|disk| disk.cut(survival));
        self.machine.switch(Power::On);
        self.serve()?;
        Ok(lost)
    }

    /// What a power cut could take away now.
    pub fn at_stake(&self) -> Lost {
        self.machine.with_disk(|disk| disk.at_stake())
    }

    fn serve(&mut self) -> Result<()> {
        let mut config = Config::default();
        config.mount_options = vec![MountOption::FSName("weir-unsynced".to_owned())];
        let session = Session::new(Serving(Arc::clone(&self.machine)), self.folder.path(), &config).context(
            "cannot mount by FUSE: it takes /dev/fuse and root (in a container: --device /dev/fuse --cap-add SYS_ADMIN)",
        )?;
        self.session = Some(session.spawn()?);
        Ok(())
    }

    fn unmount(&mut self) -> Result<()> {
        let Some(session) = self.session.take() else { return Ok(()) };
        // Detached at once; the session ends when nobody uses it any more.
        umount2(self.folder.path(), MntFlags::MNT_DETACH | MntFlags::MNT_FORCE).context("cannot unmount")?;
        session.join().context("the file system failed")
    }
}

fn is_forbidden(error: &anyhow::Error) -> bool {
    let causes = error.chain().filter_map(|cause| cause.downcast_ref::<std::io::Error>());
    causes.map(std::io::Error::kind).any(|kind| kind == std::io::ErrorKind::PermissionDenied)
}

impl Drop for UnsyncedDisk {
    fn drop(&mut self) {
        self.machine.switch(Power::Off);
        if let Err(error) = self.unmount() {
            eprintln!("{}: {error:#}", self.folder.path().display());
        }
        let _gone = self.guard.kill();
        let _reaped = self.guard.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{File, OpenOptions};
    use std::io::{Read as _, Seek as _};
    use std::os::unix::fs::OpenOptionsExt as _;
    use std::os::unix::process::ExitStatusExt as _;

    /// The model holds through the kernel: its caches neither save nor lose anything.
    #[test]
    fn programs_see_the_model() {
        let Some(mut disk) = UnsyncedDisk::mount_or_say(Names::Journalled).unwrap() else { return };
        let at = |name: &str| disk.path().join(name);
        std::fs::create_dir(at("d")).unwrap();
        let mut synced = File::create(at("d/synced")).unwrap();
        synced.write_all(&[1; 10_000]).unwrap();
        synced.sync_all().unwrap();
        synced.write_all(b"more").unwrap();
        std::fs::write(at("d/closed"), "closed, not synced").unwrap();
        let mut direct = OpenOptions::new().create(true).write(true).custom_flags(OFLAG_DSYNC).open(at("d/direct")).unwrap();
        direct.write_all(b"every write is synced").unwrap();
        std::fs::write(at("renamed.new"), "renamed").unwrap();
        File::open(at("renamed.new")).unwrap().sync_all().unwrap();
        std::fs::rename(at("renamed.new"), at("renamed")).unwrap();
        File::open(disk.path()).unwrap().sync_all().unwrap();
        std::fs::hard_link(at("renamed"), at("linked")).unwrap();
        // Everything is there before the cut.
        let mut all: Vec<_> = std::fs::read_dir(at("d")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        all.sort();
        assert_eq!(all, ["closed", "direct", "synced"]);
        assert_eq!(std::fs::metadata(at("d/synced")).unwrap().len(), 10_004);
        let mut whole = File::options().read(true).append(true).open(at("d/synced")).unwrap();
        whole.write_all(b"end").unwrap();
        whole.rewind().unwrap();
        let mut text = Vec::new();
        whole.read_to_end(&mut text).unwrap();
        assert_eq!(text, [&[1; 10_000][..], b"moreend"].concat());
        drop((synced, direct, whole));

        disk.cut();
        let lost = disk.restore(Survival::Synced).unwrap();
        assert!(lost.files >= 2 && lost.names >= 2, "{lost:?}");
        let at = |name: &str| disk.path().join(name);
        assert_eq!(std::fs::read(at("d/synced")).unwrap(), [1; 10_000]);
        assert_eq!(std::fs::read(at("d/direct")).unwrap(), b"every write is synced");
        assert_eq!(std::fs::read(at("renamed")).unwrap(), b"renamed");
        assert!(!at("d/closed").exists() && !at("linked").exists() && !at("renamed.new").exists());
        assert_eq!(disk.at_stake(), Lost::default());
    }

    const OFLAG_DSYNC: i32 = nix::fcntl::OFlag::O_DSYNC.bits();

    /// A program that asks a disk without power waits; it dies with its request unanswered.
    #[test]
    fn nobody_gets_an_answer_after_the_cut() {
        let Some(mut disk) = UnsyncedDisk::mount_or_say(Names::Journalled).unwrap() else { return };
        disk.cut();
        let mut asking =
            Command::new("sh").args(["-c", r#"echo x > "$1/a"; echo y > /dev/full"#, "sh"]).arg(disk.path()).spawn().unwrap();
        asking.kill().unwrap();
        disk.restore(Survival::Synced).unwrap();
        assert_eq!(asking.wait().unwrap().signal(), Some(9));
        assert_eq!(std::fs::read_dir(disk.path()).unwrap().count(), 0);
    }
}
