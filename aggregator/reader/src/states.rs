//! The fold's state at `sealed_seq`, kept as a compressed object beside the manifest.

use crate::error::ReaderError;
use crate::store::Store;
use bytes::Bytes;
use weir_rollup::manifest::{Manifest, ObjectRef};

/// Largest compressed state.
pub const STATE_OBJECT_BYTES_MAX: u64 = 1_000_000_000;
/// Largest state after decompression.
pub const STATE_BYTES_MAX: usize = 4_000_000_000;
/// Compression level: fast, the state is written every minute.
const ZSTD_LEVEL: i32 = 1;

/// Folder of a partition's states.
pub fn folder(region: &str, partition: u32) -> String {
    format!("state/{region}-{partition}")
}

/// Name of the state after a sequence.
pub fn name(region: &str, partition: u32, seq: u64, commit_id: &str) -> String {
    format!("{}/{seq}-{commit_id}.state.zst", folder(region, partition))
}

/// The sequence that the name of a state says.
pub fn seq_of(name: &str) -> Option<u64> {
    name.rsplit('/').next()?.split('-').next()?.parse().ok()
}

/// Writes an encoded state durably.
pub async fn put(store: &Store, name: &str, encoded: Vec<u8>) -> Result<ObjectRef, ReaderError> {
    let compressed = blocking(name, move || zstd::bulk::compress(&encoded, ZSTD_LEVEL)).await?;
    store.put(name, Bytes::from(compressed)).await
}

/// Reads the encoded state that a manifest names; `None` when it names none, which stands for the empty state.
///
/// This version reads a single base; deltas come with a later manifest version.
pub async fn load(store: &Store, manifest: &Manifest) -> Result<Option<Vec<u8>>, ReaderError> {
    let object = match manifest.state.as_slice() {
        [] => return Ok(None),
        [object] => object,
        _ => return Err(ReaderError::malformed("manifest", "it names state deltas, which this program does not read")),
    };
    load_object(store, object).await.map(Some)
}

/// Reads an encoded state by itself, as a checkpoint names it.
pub async fn load_object(store: &Store, object: &ObjectRef) -> Result<Vec<u8>, ReaderError> {
    let compressed = store.get_checked(object, STATE_OBJECT_BYTES_MAX).await?;
    blocking(&object.name, move || decompress(&compressed)).await
}

fn decompress(compressed: &[u8]) -> std::io::Result<Vec<u8>> {
    use std::io::Read;
    let mut bytes = Vec::new();
    let mut decoder = zstd::stream::read::Decoder::new(compressed)?.take(STATE_BYTES_MAX as u64 + 1);
    decoder.read_to_end(&mut bytes)?;
    if bytes.len() > STATE_BYTES_MAX {
        return Err(std::io::Error::other(format!("more than {STATE_BYTES_MAX} bytes after decompression")));
    }
    Ok(bytes)
}

async fn blocking<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T, ReaderError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result.map_err(|cause| ReaderError::malformed(name, cause)),
        Err(cause) => Err(ReaderError::malformed(name, cause)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_state_survives_the_store() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::local(folder.path()).unwrap();
        let encoded = b"state".repeat(1000);
        let object = put(&store, &name("local", 1, 77, "c"), encoded.clone()).await.unwrap();
        assert_eq!(object.name, "state/local-1/77-c.state.zst");
        let bytes = store.get_checked(&object, 1000).await.unwrap();
        assert_eq!(decompress(&bytes).unwrap(), encoded);
    }
}
