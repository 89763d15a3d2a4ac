//! Objects as files of this machine: fetched, verified, put, set aside when they are damaged.

use super::bucket::Fetched;
use super::verified::Identity;
use super::{LocalFile, Place, QUARANTINE, Store, checksum_of_file, folder, object_path, quarantined_name};
use crate::error::ReaderError;
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use std::path::{Path, PathBuf};
use weir_rollup::manifest::Part;

/// Files that one caller fetches at the same time.
const FETCHES_AT_ONCE: usize = 8;

impl Store {
    /// A part as a file that is whole, for as long as the answer lives.
    ///
    /// # Errors
    /// [`ReaderError::Damaged`] when its bytes are not those that were written, [`ReaderError::ObjectMissing`] when it is gone.
    pub async fn fetch_part(&self, part: &Part) -> Result<LocalFile, ReaderError> {
        self.fetch(&part.name, part.file_checksum.as_deref()).await
    }

    /// As [`Store::fetch_part`], for several at the same time.
    pub async fn fetch_parts(&self, parts: Vec<Part>) -> Result<Vec<LocalFile>, ReaderError> {
        let fetch = |part: Part| {
            let store = self.clone();
            async move { store.fetch_part(&part).await }
        };
        futures::stream::iter(parts.into_iter().map(fetch)).buffered(FETCHES_AT_ONCE).try_collect().await
    }

    /// As [`Store::fetch_part`], on a thread that may block.
    pub fn fetch_part_blocking(&self, part: &Part) -> Result<LocalFile, ReaderError> {
        self.fetch_blocking(&part.name, part.file_checksum.as_deref())
    }

    /// An object as a file that has this checksum (`None` = not known), for as long as the answer lives.
    ///
    /// # Errors
    /// As [`Store::fetch_part`].
    pub async fn fetch(&self, name: &str, checksum: Option<&str>) -> Result<LocalFile, ReaderError> {
        match &self.place {
            Place::Folder(_) => {
                if let Some(file) = self.known(name, checksum)? {
                    return Ok(file);
                }
                let (store, name, checksum) = (self.clone(), name.to_owned(), checksum.map(str::to_owned));
                blocking("read", &name.clone(), move || store.fetch_in_folder(&name, checksum.as_deref())).await
            }
            Place::Bucket(bucket) => {
                object_path(name)?;
                if let Some(reason) = self.damage.recent(name) {
                    return Err(ReaderError::Damaged { name: name.to_owned(), reason });
                }
                let turn = bucket.cache.turn(name);
                let _turn = turn.lock().await;
                if let Some(file) = bucket.cache.get(name) {
                    let (store, name, path) = (self.clone(), name.to_owned(), file.path().to_owned());
                    let checksum = checksum.map(str::to_owned);
                    let is_known = checksum.as_deref().is_none_or(|checksum| {
                        Identity::of(&path).is_ok_and(|identity| store.verified.is_known(&name, &identity, checksum))
                    });
                    if is_known {
                        return Ok(file);
                    }
                    let check = move || match store.verified.check(&name, &path, checksum.as_deref().unwrap_or_default()) {
                        Ok(found) => Ok(found.is_ok()),
                        Err(cause) => Err(ReaderError::store("read", &name, cause)),
                    };
                    if blocking("read", &file.path().display().to_string(), check).await? {
                        return Ok(file);
                    }
                    // The disk of the cache is at fault; the object itself may be whole.
                    drop(file);
                }
                bucket.cache.remove(name);
                match bucket.fetch(name, checksum).await? {
                    Fetched::Whole(file) => {
                        if let (Some(checksum), Ok(identity)) = (checksum, Identity::of(file.path())) {
                            self.verified.note(name, identity, checksum);
                        }
                        self.damage.forget(name);
                        Ok(file)
                    }
                    Fetched::Damaged(found) => {
                        let reason = reason(&found);
                        self.damage.note(name, &reason);
                        let told = self.put(&quarantined_name(name), Bytes::from(reason.clone())).await;
                        if let Err(error) = told {
                            tracing::warn!(object.name = name, %error, "the damage could not be written down");
                        }
                        Err(ReaderError::Damaged { name: name.to_owned(), reason })
                    }
                }
            }
        }
    }

    /// As [`Store::fetch`], on a thread that may block.
    pub fn fetch_blocking(&self, name: &str, checksum: Option<&str>) -> Result<LocalFile, ReaderError> {
        match &self.place {
            Place::Folder(_) => self.fetch_in_folder(name, checksum),
            Place::Bucket(_) => on_runtime("get", name, self.fetch(name, checksum)),
        }
    }

    /// Takes a finished file in as an object. The file is gone afterwards, even after an error.
    pub async fn put_file(&self, file: &Path, name: &str) -> Result<(), ReaderError> {
        let put = match &self.place {
            Place::Folder(_) => {
                let (store, file, name) = (self.clone(), file.to_owned(), name.to_owned());
                return blocking("put", &name.clone(), move || store.put_file_blocking(&file, &name)).await;
            }
            Place::Bucket(bucket) => bucket.put_file(file, name).await,
        };
        remove_left(file);
        put
    }

    /// As [`Store::put_file`], on a thread that may block.
    pub fn put_file_blocking(&self, file: &Path, name: &str) -> Result<(), ReaderError> {
        let Place::Folder(root) = &self.place else { return on_runtime("put", name, self.put_file(file, name)) };
        let moved = self
            .local_path(name)
            .and_then(|target| folder::move_durably(file, &target, root).map_err(|cause| ReaderError::store("put", name, cause)));
        remove_left(file);
        moved
    }

    /// Where an object lies in a folder of this machine, whether it is there or not, and unverified.
    ///
    /// # Errors
    /// When the store is a bucket.
    pub fn local_path(&self, name: &str) -> Result<PathBuf, ReaderError> {
        match &self.place {
            Place::Folder(root) => Ok(object_path(name)?.parts().fold(root.clone(), |path, part| path.join(part.as_ref()))),
            Place::Bucket(_) => Err(ReaderError::store("find", name, "the objects are in a bucket, not in a folder")),
        }
    }

    /// A file of the folder that is known to be whole; `None` = it has to be read first, or is not there.
    fn known(&self, name: &str, checksum: Option<&str>) -> Result<Option<LocalFile>, ReaderError> {
        let path = self.local_path(name)?;
        let is_known = Identity::of(&path)
            .is_ok_and(|identity| checksum.is_none_or(|checksum| self.verified.is_known(name, &identity, checksum)));
        Ok(is_known.then(|| path.into()))
    }

    fn fetch_in_folder(&self, name: &str, checksum: Option<&str>) -> Result<LocalFile, ReaderError> {
        if let Some(file) = self.known(name, checksum)? {
            return Ok(file);
        }
        let path = self.local_path(name)?;
        match self.verified.check(name, &path, checksum.unwrap_or_default()) {
            Ok(Ok(())) => {
                self.damage.forget(name);
                Ok(path.into())
            }
            Ok(Err(found)) => {
                let reason = reason(&found);
                self.damage.note(name, &reason);
                self.set_aside(name, &path);
                Err(ReaderError::Damaged { name: name.to_owned(), reason })
            }
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => {
                if !self.local_path(&quarantined_name(name))?.exists() {
                    return Err(ReaderError::ObjectMissing { name: name.to_owned() });
                }
                let reason = format!("it was moved to {QUARANTINE}/");
                self.damage.note(name, &reason);
                Err(ReaderError::Damaged { name: name.to_owned(), reason })
            }
            Err(cause) => Err(ReaderError::store("read", name, cause)),
        }
    }

    /// Moves a damaged file out of the way. If that fails it is found damaged again.
    fn set_aside(&self, name: &str, path: &Path) {
        let Place::Folder(root) = &self.place else { return };
        let moved = self
            .local_path(&quarantined_name(name))
            .map_err(|error| error.to_string())
            .and_then(|target| folder::move_durably(path, &target, root).map_err(|error| error.to_string()));
        if let Err(error) = moved {
            tracing::warn!(object.name = name, error, "a damaged file could not be set aside");
        }
    }

    /// Looks at an object again that was set aside: when it is whole after all (a fault of memory or of the way), it is put back. Whether it is.
    pub async fn restore(&self, name: &str, checksum: &str) -> Result<bool, ReaderError> {
        self.damage.forget(name);
        match &self.place {
            Place::Folder(_) => {
                let (store, name, checksum) = (self.clone(), name.to_owned(), checksum.to_owned());
                blocking("read", &name.clone(), move || store.restore_in_folder(&name, &checksum)).await
            }
            Place::Bucket(_) => match self.fetch(name, Some(checksum)).await {
                Ok(_) => self.delete(&quarantined_name(name)).await.map(|()| true),
                Err(ReaderError::Damaged { .. } | ReaderError::ObjectMissing { .. }) => Ok(false),
                Err(error) => Err(error),
            },
        }
    }

    fn restore_in_folder(&self, name: &str, checksum: &str) -> Result<bool, ReaderError> {
        let aside = self.local_path(&quarantined_name(name))?;
        let failed = |cause: std::io::Error| ReaderError::store("read", name, cause);
        if !aside.exists() {
            return Ok(false);
        }
        if checksum_of_file(&aside).map_err(failed)? != checksum {
            return Ok(false);
        }
        let Place::Folder(root) = &self.place else { return Ok(false) };
        folder::move_durably(&aside, &self.local_path(name)?, root).map_err(failed)?;
        Ok(true)
    }

    /// Names of objects below a folder that this process or another one found damaged. They may no longer be needed.
    pub async fn damaged(&self, folder: &str) -> Result<Vec<String>, ReaderError> {
        let aside = self.list(&quarantined_name(folder)).await?;
        let start = format!("{QUARANTINE}/");
        let mut names: Vec<String> =
            aside.into_iter().filter_map(|listed| listed.name.strip_prefix(&start).map(str::to_owned)).collect();
        names.extend(self.damaged_here().into_iter().filter(|name| name.starts_with(folder)));
        names.sort_unstable();
        names.dedup();
        Ok(names)
    }

    /// Names of objects that this process found damaged.
    pub fn damaged_here(&self) -> Vec<String> {
        self.damage.names()
    }

    /// How many objects this process found damaged since its start.
    pub fn damaged_count(&self) -> u64 {
        self.damage.count()
    }

    /// Size of the cache, bytes; 0 where there is none.
    pub fn cache_bytes(&self) -> u64 {
        match &self.place {
            Place::Folder(_) => 0,
            Place::Bucket(bucket) => bucket.cache.bytes(),
        }
    }
}

fn reason(found: &str) -> String {
    format!("its checksum is {found}")
}

/// A file that could not be put is of no use: whoever wrote it writes it again.
fn remove_left(file: &Path) {
    if let Err(error) = std::fs::remove_file(file)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(file = %file.display(), %error, "an unfinished file cannot be deleted");
    }
}

/// Waits for work of the store on a thread that may block.
fn on_runtime<T>(
    operation: &'static str,
    name: &str,
    work: impl Future<Output = Result<T, ReaderError>>,
) -> Result<T, ReaderError> {
    let runtime = tokio::runtime::Handle::try_current().map_err(|cause| ReaderError::store(operation, name, cause))?;
    runtime.block_on(work)
}

async fn blocking<T: Send + 'static>(
    operation: &'static str,
    name: &str,
    work: impl FnOnce() -> Result<T, ReaderError> + Send + 'static,
) -> Result<T, ReaderError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome,
        Err(cause) => Err(ReaderError::store(operation, name, cause)),
    }
}
