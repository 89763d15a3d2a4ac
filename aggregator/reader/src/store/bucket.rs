//! Files of the store where it is a bucket: fetched into the cache, checked, uploaded in pieces.

use super::cache::Cache;
use super::config::S3Config;
use super::file::LocalFile;
use super::{checksum_of_file, object_path};
use crate::error::ReaderError;
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::path::Path as ObjectPath;
use object_store::prefix::PrefixStore;
use object_store::{BackoffConfig, ClientOptions, MultipartUpload, ObjectStore, ObjectStoreExt as _, PutPayload, RetryConfig};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// Bytes of one request: each must be done in [`REQUEST_TIMEOUT`].
const PIECE_BYTES: u64 = 8 * 1_024 * 1_024;
/// Pieces of one file under way at the same time: 32 MB of memory.
const PIECES_AT_ONCE: usize = 4;
/// Time of one request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a request that fails is tried again: callers have their own patience.
const RETRY_FOR: Duration = Duration::from_secs(10);

/// The client of a bucket. Says nothing about whether it exists.
pub(super) fn connect(config: &S3Config) -> Result<Arc<dyn ObjectStore>, ReaderError> {
    // The first one stays; all of ours are the same.
    let _installed_before = rustls::crypto::ring::default_provider().install_default();
    let options = ClientOptions::new()
        .with_allow_http(config.allow_http)
        .with_connect_timeout(Duration::from_secs(5))
        .with_timeout(REQUEST_TIMEOUT);
    let backoff = BackoffConfig { init_backoff: Duration::from_millis(100), max_backoff: Duration::from_secs(2), base: 2.0 };
    let retry = RetryConfig { backoff, max_retries: 6, retry_timeout: RETRY_FOR };
    let mut builder = AmazonS3Builder::from_env().with_client_options(options).with_retry(retry).with_bucket_name(&config.bucket);
    if let Some(endpoint) = &config.endpoint {
        builder = builder.with_endpoint(endpoint);
    }
    if let Some(region) = &config.region {
        builder = builder.with_region(region);
    }
    if let Some(key) = &config.key {
        builder = builder.with_access_key_id(&key.id).with_secret_access_key(&key.secret);
    }
    // Also one from the usual variables: the client itself would say it at each request alone.
    let named = [AmazonS3ConfigKey::Endpoint, AmazonS3ConfigKey::S3Endpoint].map(|key| builder.get_config_value(&key));
    let is_clear = |endpoint: &String| !endpoint.to_ascii_lowercase().starts_with("https://");
    if let Some(endpoint) = named.into_iter().flatten().find(|endpoint| !config.allow_http && is_clear(endpoint)) {
        return Err(ReaderError::Plaintext { endpoint });
    }
    let bucket = builder.build().map_err(|cause| ReaderError::store("open", &config.bucket, cause))?;
    if config.prefix.is_empty() {
        return Ok(Arc::new(bucket));
    }
    Ok(Arc::new(PrefixStore::new(bucket, object_path(config.prefix.trim_end_matches('/'))?)))
}

/// A bucket's objects as files.
#[derive(Debug)]
pub(super) struct Bucket {
    pub(super) objects: Arc<dyn ObjectStore>,
    pub(super) cache: Cache,
}

/// What came of fetching an object.
pub(super) enum Fetched {
    /// It is whole, and in the cache.
    Whole(LocalFile),
    /// Twice it did not have the expected checksum but this one.
    Damaged(String),
}

impl Bucket {
    /// Fetches an object into the cache, twice if it does not arrive whole. Only one task at a time may do this for an object.
    pub(super) async fn fetch(&self, name: &str, checksum: Option<&str>) -> Result<Fetched, ReaderError> {
        let path = object_path(name)?;
        let mut found = String::new();
        for _ in 0..2 {
            let half = self.cache.half().map_err(|cause| ReaderError::store("cache", name, cause))?;
            let downloaded = self.download(name, &path, &half).await;
            let checked = match downloaded {
                Ok(()) => check(name, &half, checksum).await,
                Err(error) => Err(error),
            };
            match checked {
                Ok(None) => {
                    let file = self.cache.insert(name, &half).map_err(|cause| ReaderError::store("cache", name, cause))?;
                    return Ok(Fetched::Whole(file));
                }
                Ok(Some(other)) => {
                    found = other;
                    discard(&half).await;
                }
                Err(error) => {
                    discard(&half).await;
                    return Err(error);
                }
            }
        }
        Ok(Fetched::Damaged(found))
    }

    async fn download(&self, name: &str, path: &ObjectPath, half: &Path) -> Result<(), ReaderError> {
        let failed = |cause: object_store::Error| missing_or(name, "get", cause);
        let local = |cause: std::io::Error| ReaderError::store("cache", name, cause);
        let bytes = self.objects.head(path).await.map_err(failed)?.size;
        self.cache.make_room(bytes);
        let mut file = tokio::fs::File::create(half).await.map_err(local)?;
        let ranges: Vec<Range<u64>> = pieces(bytes);
        let mut pieces = futures::stream::iter(ranges).map(|range| self.objects.get_range(path, range)).buffered(PIECES_AT_ONCE);
        while let Some(piece) = pieces.try_next().await.map_err(failed)? {
            file.write_all(&piece).await.map_err(local)?;
        }
        file.flush().await.map_err(local)
    }

    /// Uploads a file, which then goes into the cache.
    pub(super) async fn put_file(&self, file: &Path, name: &str) -> Result<(), ReaderError> {
        let path = object_path(name)?;
        let failed = |cause: object_store::Error| ReaderError::store("put", name, cause);
        let local = |cause: std::io::Error| ReaderError::store("read", name, cause);
        let mut source = tokio::fs::File::open(file).await.map_err(local)?;
        let bytes = source.metadata().await.map_err(local)?.len();
        if bytes <= PIECE_BYTES {
            let whole = read_piece(&mut source, bytes).await.map_err(local)?;
            self.objects.put(&path, PutPayload::from_bytes(whole)).await.map_err(failed)?;
        } else {
            let mut upload = self.objects.put_multipart(&path).await.map_err(failed)?;
            if let Err(error) = upload_pieces(&mut upload, &mut source, bytes, name).await {
                // What was uploaded would be paid for. If this fails too, the bucket's own rules clean it up.
                if let Err(error) = upload.abort().await {
                    tracing::warn!(object.name = name, %error, "an unfinished upload stays");
                }
                return Err(error);
            }
        }
        // From another disk it cannot be moved: then it is fetched when it is wanted.
        if let Err(error) = self.cache.insert(name, file) {
            tracing::debug!(object.name = name, %error, "a new file is not in the cache");
        }
        Ok(())
    }
}

async fn upload_pieces(
    upload: &mut Box<dyn MultipartUpload>,
    source: &mut tokio::fs::File,
    bytes: u64,
    name: &str,
) -> Result<(), ReaderError> {
    let failed = |cause: object_store::Error| ReaderError::store("put", name, cause);
    for group in pieces(bytes).chunks(PIECES_AT_ONCE) {
        let mut under_way = Vec::with_capacity(group.len());
        for range in group {
            let piece = read_piece(source, range.end - range.start).await;
            let piece = piece.map_err(|cause| ReaderError::store("read", name, cause))?;
            under_way.push(upload.put_part(PutPayload::from_bytes(piece)));
        }
        futures::future::try_join_all(under_way).await.map_err(failed)?;
    }
    upload.complete().await.map_err(failed)?;
    Ok(())
}

async fn read_piece(source: &mut tokio::fs::File, bytes: u64) -> std::io::Result<Bytes> {
    let mut piece = Vec::with_capacity(usize::try_from(bytes).unwrap_or(0));
    let read = source.take(bytes).read_to_end(&mut piece).await?;
    if read as u64 == bytes { Ok(piece.into()) } else { Err(std::io::ErrorKind::UnexpectedEof.into()) }
}

/// The pieces of so many bytes.
fn pieces(bytes: u64) -> Vec<Range<u64>> {
    let starts = (0..bytes.div_ceil(PIECE_BYTES)).map(|piece| piece * PIECE_BYTES);
    starts.map(|start| start..bytes.min(start + PIECE_BYTES)).collect()
}

/// Another checksum than the expected one.
async fn check(name: &str, file: &Path, expected: Option<&str>) -> Result<Option<String>, ReaderError> {
    let Some(expected) = expected else { return Ok(None) };
    let file = file.to_owned();
    let found = match tokio::task::spawn_blocking(move || checksum_of_file(&file)).await {
        Ok(found) => found.map_err(|cause| ReaderError::store("read", name, cause))?,
        Err(cause) => return Err(ReaderError::store("read", name, cause)),
    };
    Ok((found != expected).then_some(found))
}

async fn discard(half: &Path) {
    if let Err(error) = tokio::fs::remove_file(half).await
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(file = %half.display(), %error, "an unfinished file cannot be deleted");
    }
}

/// The error of a request for one object.
pub(super) fn missing_or(name: &str, operation: &'static str, cause: object_store::Error) -> ReaderError {
    match cause {
        object_store::Error::NotFound { .. } => ReaderError::ObjectMissing { name: name.to_owned() },
        cause => ReaderError::store(operation, name, cause),
    }
}

#[cfg(test)]
mod tests {
    use super::super::config::S3Key;
    use super::*;

    #[test]
    fn a_bucket_without_tls_is_one_that_somebody_allowed() {
        let opened = |endpoint: &str, allow_http: bool| {
            let endpoint = Some(endpoint.to_owned());
            let key = Some(S3Key { id: "id".to_owned(), secret: "hidden".to_owned() });
            connect(&S3Config { endpoint, allow_http, key, region: Some("x".to_owned()), ..S3Config::new("b", Path::new("/c")) })
        };
        for (endpoint, allow_http, is_good) in [
            ("https://s3.example:9000", false, true),
            ("HTTPS://s3.example", false, true),
            ("http://s3.example:9000", true, true),
            ("http://s3.example:9000", false, false),
            ("HTTP://s3.example", false, false),
            ("http://127.0.0.1:9000", false, false),
        ] {
            match opened(endpoint, allow_http) {
                Ok(_) => assert!(is_good, "{endpoint}"),
                Err(error @ ReaderError::Plaintext { .. }) => {
                    let told = error.to_string();
                    assert!(!is_good && told.contains(endpoint) && told.contains("allow_http = true"), "{told}");
                    assert!(!error.is_transient() && !told.contains("hidden"), "{told}");
                }
                Err(other) => panic!("{endpoint}: {other}"),
            }
        }
    }

    #[test]
    fn pieces_are_everything_once() {
        assert_eq!(pieces(0), []);
        assert_eq!((pieces(5).len(), pieces(5).first()), (1, Some(&(0..5))));
        assert_eq!((pieces(PIECE_BYTES).len(), pieces(PIECE_BYTES).first()), (1, Some(&(0..PIECE_BYTES))));
        assert_eq!(
            pieces(2 * PIECE_BYTES + 1),
            [0..PIECE_BYTES, PIECE_BYTES..2 * PIECE_BYTES, 2 * PIECE_BYTES..2 * PIECE_BYTES + 1]
        );
    }
}
