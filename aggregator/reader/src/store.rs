//! The object store: parts, manifests, states. Names are relative to its root.
//!
//! What is put here survives a power failure once the call returns: the file and the folders above it are synced.

use crate::error::ReaderError;
use bytes::Bytes;
use object_store::local::LocalFileSystem;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;
use weir_rollup::manifest::ObjectRef;

/// The objects of a region, in a folder of this machine.
#[derive(Clone, Debug)]
pub struct Store {
    objects: Arc<dyn ObjectStore>,
    root: PathBuf,
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

impl Store {
    /// The store below `root` (`$WEIR_HOME/files`), which is made if it is missing.
    pub fn local(root: &Path) -> Result<Self, ReaderError> {
        let failed = |cause: std::io::Error| ReaderError::store("open", &root.display().to_string(), cause);
        std::fs::create_dir_all(root).map_err(failed)?;
        let root = root.canonicalize().map_err(failed)?;
        let objects = LocalFileSystem::new_with_prefix(&root)
            .map_err(|cause| ReaderError::store("open", &root.display().to_string(), cause))?
            .with_fsync(true);
        Ok(Self { objects: Arc::new(objects), root })
    }

    /// Where an object lies on this machine, for DuckDB to attach. Says nothing about whether it exists.
    pub fn local_path(&self, name: &str) -> Result<PathBuf, ReaderError> {
        let path = object_path(name)?;
        Ok(path.parts().fold(self.root.clone(), |path, part| path.join(part.as_ref())))
    }

    /// Writes an object whole. Writing it again replaces it.
    pub async fn put(&self, name: &str, bytes: Bytes) -> Result<ObjectRef, ReaderError> {
        let path = object_path(name)?;
        let reference = ObjectRef { name: name.to_owned(), checksum: checksum(&bytes) };
        self.objects.put(&path, PutPayload::from_bytes(bytes)).await.map_err(|cause| ReaderError::store("put", name, cause))?;
        Ok(reference)
    }

    /// Takes a finished file of the same disk in as an object: synced, then moved. Blocks: call it on a blocking thread.
    pub fn adopt(&self, file: &Path, name: &str) -> Result<(), ReaderError> {
        let target = self.local_path(name)?;
        move_durably(file, &target, &self.root).map_err(|cause| ReaderError::store("adopt", name, cause))
    }

    /// Reads an object whole, if it has at most `limit_bytes`.
    pub async fn get(&self, name: &str, limit_bytes: u64) -> Result<Bytes, ReaderError> {
        let path = object_path(name)?;
        let failed = |cause: object_store::Error| match cause {
            object_store::Error::NotFound { .. } => ReaderError::ObjectMissing { name: name.to_owned() },
            cause => ReaderError::store("get", name, cause),
        };
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

/// Moves a file so that it is whole and in its place after a power failure.
fn move_durably(file: &Path, target: &Path, root: &Path) -> std::io::Result<()> {
    std::fs::File::open(file)?.sync_all()?;
    let folder = target.parent().unwrap_or(root);
    if !folder.is_dir() {
        std::fs::create_dir_all(folder)?;
        // The new folders' own entries must survive too.
        for above in folder.ancestors().skip(1).take_while(|above| above.starts_with(root)) {
            std::fs::File::open(above)?.sync_all()?;
        }
    }
    std::fs::rename(file, target)?;
    std::fs::File::open(folder)?.sync_all()
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
        store.adopt(&file, "parts/local-0/x.duckdb").unwrap();
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
}
