//! Where the objects of a region are: a folder of this machine, or a bucket that speaks S3.

use std::path::{Path, PathBuf};

/// Where the objects of a region are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreConfig {
    /// A folder of this machine, `$WEIR_HOME/files` by default.
    Local(PathBuf),
    /// A bucket; files are read by way of a cache on this machine.
    S3(Box<S3Config>),
}

/// A bucket that speaks S3, and the cache in front of it.
///
/// What is not said here comes from the variables that every S3 client knows (`AWS_REGION`, `AWS_ACCESS_KEY_ID`, roles of containers and machines, …).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct S3Config {
    /// Name of the bucket.
    pub bucket: String,
    /// Address of the server, like `https://s3.example:9000`; default: Amazon's of the region.
    pub endpoint: Option<String>,
    /// Region that requests are signed for; default `us-east-1`.
    pub region: Option<String>,
    /// Start of all object names, so that a bucket can hold more than one Weir; default: none.
    pub prefix: String,
    /// Whether the address may be `http://`; default false: such an address is refused when the store is opened.
    pub allow_http: bool,
    /// The key; default: from the usual variables.
    pub key: Option<S3Key>,
    /// Folder of the cache, not shared with other programs.
    pub cache: PathBuf,
    /// Size of the cache, bytes; files in use stay beyond it. Default 20 GB.
    pub cache_bytes_max: u64,
}

/// An access key. It shows itself nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct S3Key {
    /// Its name.
    pub id: String,
    /// What signs.
    pub secret: String,
}

impl std::fmt::Debug for S3Key {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("S3Key")
    }
}

/// Size of a cache when nothing is said, bytes.
pub const CACHE_BYTES_MAX: u64 = 20_000_000_000;

impl S3Config {
    /// A bucket with all defaults.
    pub fn new(bucket: &str, cache: &Path) -> Self {
        Self {
            bucket: bucket.to_owned(),
            endpoint: None,
            region: None,
            prefix: String::new(),
            allow_http: false,
            key: None,
            cache: cache.to_owned(),
            cache_bytes_max: CACHE_BYTES_MAX,
        }
    }
}

impl From<PathBuf> for StoreConfig {
    fn from(root: PathBuf) -> Self {
        Self::Local(root)
    }
}

impl From<S3Config> for StoreConfig {
    fn from(config: S3Config) -> Self {
        Self::S3(Box::new(config))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_does_not_show_itself() {
        let key = Some(S3Key { id: "name".to_owned(), secret: "hidden".to_owned() });
        let told = format!("{:?}", StoreConfig::from(S3Config { key, ..S3Config::new("b", Path::new("/c")) }));
        assert!(told.contains("S3Key") && !told.contains("hidden") && !told.contains("name"), "{told}");
    }
}
