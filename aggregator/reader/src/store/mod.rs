//! The object store: parts, manifests, states. Names are relative to its root.
//!
//! What is put here survives a power failure once the call returns. What is read as a file was found whole before: its checksum is compared when this process
//! uses it first, and after each download. One that differs is set aside and never served.

mod bucket;
mod cache;
mod config;
mod damage;
mod file;
mod files;
mod folder;
mod verified;

pub use config::{CACHE_BYTES_MAX, S3Config, S3Key, StoreConfig};
pub use damage::{QUARANTINE, quarantined_name};
pub use file::LocalFile;

use crate::error::ReaderError;
use bucket::Bucket;
use bytes::Bytes;
use cache::Cache;
use damage::Damage;
use object_store::local::LocalFileSystem;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;
use verified::Verified;
use weir_rollup::manifest::ObjectRef;

/// The objects of a region. Cheap to clone; clones share what they know.
#[derive(Clone, Debug)]
pub struct Store {
    objects: Arc<dyn ObjectStore>,
    place: Place,
    verified: Arc<Verified>,
    damage: Arc<Damage>,
}

/// Where objects are as files.
#[derive(Clone, Debug)]
enum Place {
    /// In a folder of this machine.
    Folder(PathBuf),
    /// In a bucket, with a cache on this machine.
    Bucket(Arc<Bucket>),
}

/// An object as a listing tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Name.
    pub name: String,
    /// Size, bytes.
    pub bytes: u64,
    /// When it was last written.
    pub modified: SystemTime,
}

/// SHA-256 in lower-case hex.
pub fn checksum(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// SHA-256 of a file's bytes in lower-case hex. Blocks.
pub fn checksum_of_file(file: &Path) -> std::io::Result<String> {
    let mut hasher = Sha256::new();
    std::io::copy(&mut std::fs::File::open(file)?, &mut hasher)?;
    Ok(hex::encode(hasher.finalize()))
}

impl Store {
    /// The store that the settings name.
    ///
    /// # Errors
    /// When its folder, or that of its cache, cannot be used. Whether a bucket is there shows at its first use.
    pub fn open(config: &StoreConfig) -> Result<Self, ReaderError> {
        let config = match config {
            StoreConfig::Local(root) => return Self::local(root),
            StoreConfig::S3(config) => config,
        };
        let objects = bucket::connect(config)?;
        let cache = Cache::open(&config.cache, config.cache_bytes_max)
            .map_err(|cause| ReaderError::store("open", &config.cache.display().to_string(), cause))?;
        let bucket = Bucket { objects: Arc::clone(&objects), cache };
        Ok(Self::new(objects, Place::Bucket(Arc::new(bucket))))
    }

    /// The store below `root` (`$WEIR_HOME/files`), which is made if it is missing.
    pub fn local(root: &Path) -> Result<Self, ReaderError> {
        let failed = |cause: std::io::Error| ReaderError::store("open", &root.display().to_string(), cause);
        std::fs::create_dir_all(root).map_err(failed)?;
        let root = root.canonicalize().map_err(failed)?;
        let objects = LocalFileSystem::new_with_prefix(&root)
            .map_err(|cause| ReaderError::store("open", &root.display().to_string(), cause))?
            .with_fsync(true);
        Ok(Self::new(Arc::new(objects), Place::Folder(root)))
    }

    fn new(objects: Arc<dyn ObjectStore>, place: Place) -> Self {
        Self { objects, place, verified: Arc::default(), damage: Arc::default() }
    }

    /// Writes an object whole. Writing it again replaces it.
    pub async fn put(&self, name: &str, bytes: Bytes) -> Result<ObjectRef, ReaderError> {
        let path = object_path(name)?;
        let reference = ObjectRef { name: name.to_owned(), checksum: checksum(&bytes) };
        self.objects.put(&path, PutPayload::from_bytes(bytes)).await.map_err(|cause| ReaderError::store("put", name, cause))?;
        Ok(reference)
    }

    /// Reads an object whole, if it has at most `limit_bytes`.
    pub async fn get(&self, name: &str, limit_bytes: u64) -> Result<Bytes, ReaderError> {
        let path = object_path(name)?;
        let failed = |cause: object_store::Error| bucket::missing_or(name, "get", cause);
        let found = self.objects.get(&path).await.map_err(failed)?;
        if found.meta.size > limit_bytes {
            return Err(ReaderError::ObjectTooLarge { name: name.to_owned(), size_bytes: found.meta.size, limit_bytes });
        }
        found.bytes().await.map_err(failed)
    }

    /// Reads an object whole and compares its checksum.
    pub async fn get_checked(&self, object: &ObjectRef, limit_bytes: u64) -> Result<Bytes, ReaderError> {
        let bytes = self.get(&object.name, limit_bytes).await?;
        let found = checksum(&bytes);
        if found != object.checksum {
            return Err(ReaderError::Checksum { name: object.name.clone(), expected: object.checksum.clone(), found });
        }
        Ok(bytes)
    }

    /// All objects whose names start with the folder `prefix`.
    pub async fn list(&self, prefix: &str) -> Result<Vec<Listed>, ReaderError> {
        use futures::TryStreamExt;
        let path = object_path(prefix)?;
        let objects: Vec<_> =
            self.objects.list(Some(&path)).try_collect().await.map_err(|cause| ReaderError::store("list", prefix, cause))?;
        Ok(objects
            .into_iter()
            .map(|meta| Listed { name: meta.location.to_string(), bytes: meta.size, modified: meta.last_modified.into() })
            .collect())
    }

    /// Deletes an object. One that is not there counts as deleted.
    pub async fn delete(&self, name: &str) -> Result<(), ReaderError> {
        match self.objects.delete(&object_path(name)?).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(cause) => Err(ReaderError::store("delete", name, cause)),
        }
    }
}

/// A name of plain segments; nothing that could leave the root.
fn object_path(name: &str) -> Result<ObjectPath, ReaderError> {
    let is_plain = |part: &str| !part.is_empty() && part != "." && part != ".." && !part.contains(['\\', '\0', '#']);
    let wrong = || ReaderError::Name { name: name.to_owned() };
    if !name.split('/').all(is_plain) {
        return Err(wrong());
    }
    ObjectPath::parse(name).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::local(&folder.path().join("files")).unwrap();
        (folder, store)
    }

    #[tokio::test]
    async fn objects_come_back_whole_or_not_at_all() {
        let (_folder, store) = store();
        let object = store.put("state/local-0/5-a.state.zst", Bytes::from_static(b"abc")).await.unwrap();
        assert_eq!(object.checksum, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(store.get_checked(&object, 3).await.unwrap(), "abc");
        assert!(matches!(
            store.get(&object.name, 2).await,
            Err(ReaderError::ObjectTooLarge { size_bytes: 3, limit_bytes: 2, .. })
        ));
        std::fs::write(store.local_path(&object.name).unwrap(), "abd").unwrap();
        assert!(matches!(store.get_checked(&object, 3).await, Err(ReaderError::Checksum { .. })));
        assert!(matches!(store.get("state/local-0/6", 3).await, Err(ReaderError::ObjectMissing { .. })));
    }

    #[tokio::test]
    async fn a_finished_file_is_taken_in_listed_and_deleted() {
        let (folder, store) = store();
        let file = folder.path().join("work.duckdb");
        std::fs::write(&file, "part").unwrap();
        store.put_file(&file, "parts/local-0/x.duckdb").await.unwrap();
        assert!(!file.exists());
        let listed = store.list("parts/local-0").await.unwrap();
        assert_eq!(
            listed.iter().map(|object| (object.name.as_str(), object.bytes)).collect::<Vec<_>>(),
            [("parts/local-0/x.duckdb", 4)]
        );
        store.delete("parts/local-0/x.duckdb").await.unwrap();
        store.delete("parts/local-0/x.duckdb").await.unwrap();
        assert!(store.list("parts/local-0").await.unwrap().is_empty());
    }

    #[test]
    fn names_cannot_leave_the_root() {
        let (_folder, store) = store();
        for name in ["", "..", "../x", "/etc/passwd", "a//b", "a/../../b", "a\\b", "a/./b", "a\0"] {
            assert!(matches!(store.local_path(name), Err(ReaderError::Name { .. })), "{name:?}");
        }
        assert!(store.local_path("parts/local-0/x.duckdb").unwrap().ends_with("files/parts/local-0/x.duckdb"));
    }

    #[tokio::test]
    async fn a_damaged_file_is_found_set_aside_and_put_back_when_it_is_whole() {
        let (_folder, store) = store();
        let name = "parts/local-0/x.duckdb";
        let object = store.put(name, Bytes::from_static(b"part")).await.unwrap();
        let fetched = store.fetch(name, Some(&object.checksum)).await.unwrap();
        assert_eq!(std::fs::read(fetched.path()).unwrap(), b"part");
        assert!(matches!(store.fetch("parts/local-0/y", Some("ab")).await, Err(ReaderError::ObjectMissing { .. })));
        // Another process, which has not looked at it yet.
        let other = Store::local(&store.local_path("parts").unwrap().join("..")).unwrap();
        std::fs::write(fetched.path(), b"pArt").unwrap();
        assert!(matches!(other.fetch(name, Some(&object.checksum)).await, Err(ReaderError::Damaged { .. })));
        assert!(!fetched.path().exists());
        assert!(matches!(store.fetch_blocking(name, Some(&object.checksum)), Err(ReaderError::Damaged { .. })));
        assert_eq!((other.damaged_count(), store.damaged_count()), (1, 1));
        assert_eq!(store.damaged("parts/local-0").await.unwrap(), [name]);
        assert_eq!(store.damaged("parts/local-1").await.unwrap(), [""; 0]);
        assert!(!store.restore(name, &object.checksum).await.unwrap());
        std::fs::write(store.local_path(&quarantined_name(name)).unwrap(), b"part").unwrap();
        assert!(store.restore(name, &object.checksum).await.unwrap());
        assert_eq!(store.damaged("parts").await.unwrap(), [""; 0]);
        store.fetch(name, Some(&object.checksum)).await.unwrap();
    }
}
