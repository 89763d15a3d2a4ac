//! A line of manifests as one process knows it, and the two last steps of a commit.

use crate::durable::{Content, Crash, Durable};
use weir_rollup::manifest::{Head, MANIFEST_VERSION, Manifest};

/// Key of the head that is served.
pub(crate) const SERVED: &str = "served";

/// Why somebody stops.
#[derive(Debug)]
pub(crate) enum Stop {
    /// It is gone.
    Crash,
    /// It lost the head, took too long or found a file gone: it loads the partition again.
    Reload,
    /// A promise is broken.
    Wrong(String),
}

impl From<Crash> for Stop {
    fn from(_: Crash) -> Self {
        Self::Crash
    }
}

/// The committed manifest as a process knows it.
#[derive(Clone)]
pub(crate) struct Line {
    pub(crate) key: String,
    pub(crate) manifest: Manifest,
    name: Option<String>,
    kv: u64,
}

/// A manifest that is about to be committed.
#[derive(Clone)]
pub(crate) struct Prepared {
    manifest: Manifest,
    head: Head,
}

impl Line {
    /// One that nothing was committed to yet.
    pub(crate) fn new(key: &str, manifest: Manifest) -> Self {
        Self { key: key.to_owned(), manifest, name: None, kv: 0 }
    }

    /// What a head names; `None` when there is none.
    pub(crate) fn load(durable: &Durable, key: &str) -> Result<Option<Self>, Stop> {
        let Some(entry) = durable.head(key) else { return Ok(None) };
        let manifest = durable.manifest(&entry.head.manifest);
        let manifest =
            manifest.ok_or_else(|| Stop::Wrong(format!("the head {key} names {}, which is gone", entry.head.manifest)))?;
        Ok(Some(Self { key: key.to_owned(), manifest: manifest.clone(), name: Some(entry.head.manifest.clone()), kv: entry.kv }))
    }

    /// Name of the manifest as last committed.
    pub(crate) fn name(&self) -> Option<&String> {
        self.name.as_ref()
    }

    /// What a change makes of the manifest; `None` = it no longer fits.
    pub(crate) fn prepare(
        &self,
        durable: &mut Durable,
        change: impl FnOnce(&mut Manifest) -> bool,
    ) -> Result<Option<Prepared>, Stop> {
        let mut manifest = self.manifest.clone();
        if !change(&mut manifest) {
            return Ok(None);
        }
        manifest.check_balance().map_err(|mismatch| Stop::Wrong(format!("a commit does not balance: {mismatch}")))?;
        manifest.version = MANIFEST_VERSION;
        manifest.revision += 1;
        manifest.parent.clone_from(&self.name);
        manifest.written_ms = durable.now_ms;
        manifest.parts.sort_by(|a, b| (a.min_seq, &a.name).cmp(&(b.min_seq, &b.name)));
        let commit_id = durable.name("c");
        let folder = if self.key == SERVED { "manifests" } else { "shadow" };
        let head = Head {
            revision: manifest.revision,
            sealed_seq: manifest.sealed_seq,
            manifest: format!("{folder}/{:06}-{commit_id}", manifest.revision),
            checksum: String::new(),
            commit_id,
        };
        Ok(Some(Prepared { manifest, head }))
    }

    /// The last step but one.
    pub(crate) fn store(durable: &mut Durable, point: &'static str, prepared: &Prepared) -> Result<(), Stop> {
        Ok(durable.put(point, &prepared.head.manifest, Content::Manifest(Box::new(prepared.manifest.clone())))?)
    }

    /// The last step.
    pub(crate) fn swap(&mut self, durable: &mut Durable, point: &'static str, prepared: Prepared) -> Result<(), Stop> {
        let Prepared { manifest, head } = prepared;
        let kv = durable.compare_and_set(point, &self.key, self.kv, head.clone())?.ok_or(Stop::Reload)?;
        (self.manifest, self.name, self.kv) = (manifest, Some(head.manifest), kv);
        Ok(())
    }

    /// Both last steps of what nobody comes in between of; nothing when the change no longer fits.
    pub(crate) fn commit(
        &mut self,
        durable: &mut Durable,
        [manifest, head]: [&'static str; 2],
        change: impl FnOnce(&mut Manifest) -> bool,
    ) -> Result<(), Stop> {
        let Some(prepared) = self.prepare(durable, change)? else { return Ok(()) };
        Self::store(durable, manifest, &prepared)?;
        self.swap(durable, head, prepared)
    }
}
