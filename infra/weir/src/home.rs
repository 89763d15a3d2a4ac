//! `WEIR_HOME`: the folder that holds all state, and the files in it by which commands find the running system.

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::collections::BTreeMap;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// Folder used when `WEIR_HOME` is not set.
pub(crate) const DEFAULT_HOME: &str = ".weir";
/// Largest file of ours that is read back, bytes: these files have a few hundred.
const FILE_BYTES_MAX: u64 = 1_000_000;

/// The folder that holds all state of one system.
#[derive(Clone, Debug)]
pub(crate) struct Home {
    root: PathBuf,
}

/// `run.json`: how programs find the running system. Mode 0600, replaced as a whole whenever a pid changes, removed at the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RunFile {
    /// Address of the first collector, `http://127.0.0.1:<port>`.
    pub(crate) collector_url: String,
    /// Addresses of all collectors, the first one included: one for each edge process.
    #[serde(default)]
    pub(crate) collector_urls: Vec<String>,
    /// Edges of former days that only send what they still hold, by name: nobody should send to them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) draining_edges: BTreeMap<String, String>,
    /// Address of the query API and the dashboard.
    pub(crate) query_url: String,
    /// Address of NATS, `nats://127.0.0.1:<port>`.
    pub(crate) nats_url: String,
    /// API key that reads every site.
    pub(crate) admin_key: String,
    /// Name of the region.
    pub(crate) region: String,
    /// Number of partitions.
    pub(crate) partitions: u32,
    /// Process that started the others.
    pub(crate) supervisor_pid: u32,
    /// Process ids of `nats`, `workerd` (and `workerd-1` …), `aggregator`, `query-api`; a child that never ran is missing.
    pub(crate) pids: BTreeMap<String, u32>,
    /// Domain of the demo's site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) demo_site: Option<String>,
    /// Domain of the demo's shop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) demo_shop: Option<String>,
    /// Key that reads the demo's sites.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) demo_key: Option<String>,
}

impl RunFile {
    /// Addresses of all collectors; the file of an older program names only the first. Of a cluster (which has no supervisor) only those are
    /// known that were named.
    pub(crate) fn collectors(&self) -> Vec<String> {
        if self.collector_urls.is_empty() && self.supervisor_pid != 0 {
            vec![self.collector_url.clone()]
        } else {
            self.collector_urls.clone()
        }
    }

    /// Names and addresses of all edges, those that are being emptied included.
    pub(crate) fn edges(&self) -> Vec<(String, String)> {
        let serving = (0..).zip(self.collectors()).map(|(index, url)| (crate::edges::name(index), url));
        serving.chain(self.draining_edges.clone()).collect()
    }
}

impl Home {
    /// The folder that `WEIR_HOME` names, else `.weir` in the current folder.
    pub(crate) fn from_environment() -> Result<Self> {
        let named = std::env::var_os("WEIR_HOME").filter(|value| !value.is_empty());
        Self::at(Path::new(&named.unwrap_or_else(|| DEFAULT_HOME.into())))
    }

    /// This folder; it need not exist.
    pub(crate) fn at(root: &Path) -> Result<Self> {
        let root = std::path::absolute(root).with_context(|| format!("{} is not a usable WEIR_HOME", root.display()))?;
        Ok(Self { root })
    }

    /// Makes the folder and those in it.
    pub(crate) fn create(&self) -> Result<()> {
        for folder in ["", "logs", "nats", "workerd", "workerd/do", "geo", "files", ".work"] {
            self.create_folder(folder)?;
        }
        Ok(())
    }

    /// Makes one folder in it, for its owner only.
    pub(crate) fn create_folder(&self, name: &str) -> Result<()> {
        let path = self.root.join(name);
        DirBuilder::new().recursive(true).mode(0o700).create(&path).with_context(|| {
            format!("cannot make the folder {}: choose another one by the variable WEIR_HOME", path.display())
        })?;
        // A new folder's name survives a power failure once the folder above is synced. One above the home may be closed to us.
        match path.parent().map(File::open) {
            Some(Ok(above)) => above.sync_all().with_context(|| format!("cannot sync the folder above {}", path.display())),
            _ => Ok(()),
        }
    }

    /// The folder itself.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// A path in it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Log of a child.
    pub(crate) fn log(&self, child: &str) -> PathBuf {
        self.root.join("logs").join(format!("{child}.log"))
    }

    /// Reads `run.json`; `None` when there is none.
    pub(crate) fn run_file(&self) -> Result<Option<RunFile>> {
        self.read_json("run.json")
    }

    /// Reads `run.json` of a system that should be running.
    pub(crate) fn running(&self) -> Result<RunFile> {
        self.run_file()?.with_context(|| {
            format!(
                "no Weir is running on {}: start one with `weir up`, or set WEIR_HOME to the home of the one you mean",
                self.root.display()
            )
        })
    }

    /// Replaces `run.json`.
    pub(crate) fn write_run_file(&self, run: &RunFile) -> Result<()> {
        self.replace("run.json", &serde_json::to_vec_pretty(run)?)
    }

    /// Removes `run.json`.
    pub(crate) fn remove_run_file(&self) -> Result<()> {
        match std::fs::remove_file(self.path("run.json")) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error).context("cannot remove run.json"),
            _ => Ok(()),
        }
    }

    /// Reads a small JSON file; `None` when there is none.
    pub(crate) fn read_json<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>> {
        let path = self.path(name);
        let size = match std::fs::metadata(&path) {
            Ok(metadata) => metadata.len(),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        if size > FILE_BYTES_MAX {
            bail!("{} has {size} bytes, that cannot be one of Weir's files", path.display());
        }
        match std::fs::read(&path) {
            Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes).with_context(|| format!("{} is damaged", path.display()))?)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
    }

    /// Replaces a file as a whole, readable by its owner only: readers see the former or the new one, and after a power failure the new one.
    pub(crate) fn replace(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let path = self.path(name);
        let aside = self.path(&format!("{name}.{}.new", std::process::id()));
        let write = || -> std::io::Result<()> {
            let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&aside)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            std::fs::rename(&aside, &path)?;
            // Its name must survive too, and not only its bytes.
            File::open(path.parent().unwrap_or(&self.root))?.sync_all()
        };
        write().with_context(|| format!("cannot write {}", path.display()))
    }

    /// Takes a lock file if no other process holds it. The lock ends with the process that holds it, in whatever way it ends.
    pub(crate) fn try_lock(&self, name: &str) -> Result<Option<File>> {
        try_lock(&self.path(name))
    }
}

/// Takes a lock file if no other process holds it.
pub(crate) fn try_lock(path: &Path) -> Result<Option<File>> {
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path);
    let file = file.with_context(|| format!("cannot open {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("cannot lock {}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn run(pid: u32) -> RunFile {
        RunFile {
            collector_url: "http://127.0.0.1:1".into(),
            collector_urls: vec!["http://127.0.0.1:1".into(), "http://127.0.0.1:4".into()],
            draining_edges: BTreeMap::new(),
            query_url: "http://127.0.0.1:2".into(),
            nats_url: "nats://127.0.0.1:3".into(),
            admin_key: "weir_x".into(),
            region: "local".into(),
            partitions: 2,
            supervisor_pid: 1,
            pids: BTreeMap::from([("nats".to_owned(), pid)]),
            demo_site: None,
            demo_shop: None,
            demo_key: None,
        }
    }

    #[test]
    fn run_file_is_private_and_never_seen_half_written() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path()).unwrap();
        assert_eq!(home.run_file().unwrap(), None);
        home.write_run_file(&run(0)).unwrap();
        let mode = std::fs::metadata(home.path("run.json")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let writer = std::thread::spawn({
            let home = home.clone();
            move || (1..300).for_each(|pid| home.write_run_file(&run(pid)).unwrap())
        });
        let mut last = 0;
        while !writer.is_finished() {
            let seen = home.run_file().unwrap().expect("always there").pids["nats"];
            assert!(seen >= last, "{seen} after {last}");
            last = seen;
        }
        writer.join().unwrap();
        assert_eq!(home.run_file().unwrap(), Some(run(299)));
        let names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["run.json"]);
    }

    #[test]
    fn a_lock_is_free_again_when_its_holder_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path()).unwrap();
        let held = home.try_lock("lock").unwrap().expect("free at first");
        assert!(home.try_lock("lock").unwrap().is_none());
        drop(held);
        assert!(home.try_lock("lock").unwrap().is_some());
    }
}
