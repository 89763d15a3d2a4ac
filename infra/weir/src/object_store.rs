//! Where this system's objects are: variables, else `object-store.toml` in the home, else the folder that `WEIR_FILES` names, else `files` in the
//! home.
//!
//! The file is for commands too, which do not see the variables of the services. Keys come from variables or files, never from arguments.

use crate::home::Home;
use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use weir_reader::store::{CACHE_BYTES_MAX, S3Config, S3Key, StoreConfig};

/// Name of the file in the home.
const FILE: &str = "object-store.toml";
/// Largest such file.
const FILE_BYTES_MAX: u64 = 64_000;

/// What the file, or the variables `WEIR_S3_…`, can say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    bucket: Option<String>,
    endpoint: Option<String>,
    region: Option<String>,
    prefix: Option<String>,
    allow_http: Option<bool>,
    access_key_id_file: Option<PathBuf>,
    secret_access_key_file: Option<PathBuf>,
    cache_mb: Option<u64>,
}

/// Where the objects are, for a program whose cache is `cache` below `.work` of the home.
pub(crate) fn of(home: &Home, cache: &str) -> Result<StoreConfig> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let settings = match from_variables(variable)? {
        Some(settings) => settings,
        None => from_file(&home.path(FILE))?,
    };
    if settings.bucket.is_none() {
        return Ok(files_folder(home).into());
    }
    bucket(home, settings, cache)
}

/// The bucket of these settings, for a program whose cache is `cache` below `.work` of the home.
pub(crate) fn bucket(home: &Home, settings: Settings, cache: &str) -> Result<StoreConfig> {
    let Some(bucket) = settings.bucket else { bail!("no bucket is named: write `bucket = \"…\"`") };
    let key = match (settings.access_key_id_file, settings.secret_access_key_file) {
        (Some(id), Some(secret)) => Some(S3Key { id: read_key(home, &id)?, secret: read_key(home, &secret)? }),
        (None, None) => None,
        _ => bail!(
            "of the access key's two files only one is named: name both, or none to use AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        ),
    };
    let config = S3Config {
        endpoint: settings.endpoint,
        region: settings.region,
        prefix: settings.prefix.unwrap_or_default(),
        allow_http: settings.allow_http.unwrap_or(false),
        key,
        cache_bytes_max: settings.cache_mb.map_or(CACHE_BYTES_MAX, |mb| mb.saturating_mul(1_000_000)),
        ..S3Config::new(&bucket, &home.path(".work/cache").join(cache))
    };
    Ok(config.into())
}

/// The folder of files that `WEIR_FILES` names, which several programs of one machine may share; else the home's own.
fn files_folder(home: &Home) -> PathBuf {
    let named = std::env::var_os("WEIR_FILES").filter(|value| !value.is_empty());
    named.map_or_else(|| home.path("files"), |name| home.root().join(name))
}

/// The settings that variables make, if they name a bucket.
fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Result<Option<Settings>> {
    let Some(bucket) = variable("WEIR_S3_BUCKET") else { return Ok(None) };
    let allow_http = match variable("WEIR_S3_ALLOW_HTTP").as_deref() {
        None => None,
        Some("1" | "true" | "yes") => Some(true),
        Some("0" | "false" | "no") => Some(false),
        Some(other) => bail!("WEIR_S3_ALLOW_HTTP is {other:?}, it must be true or false"),
    };
    let cache_mb =
        variable("WEIR_CACHE_MB").map(|text| text.parse()).transpose().context("WEIR_CACHE_MB must be a number of megabytes")?;
    Ok(Some(Settings {
        bucket: Some(bucket),
        endpoint: variable("WEIR_S3_ENDPOINT"),
        region: variable("WEIR_S3_REGION"),
        prefix: variable("WEIR_S3_PREFIX"),
        allow_http,
        access_key_id_file: variable("WEIR_S3_ACCESS_KEY_ID_FILE").map(PathBuf::from),
        secret_access_key_file: variable("WEIR_S3_SECRET_ACCESS_KEY_FILE").map(PathBuf::from),
        cache_mb,
    }))
}

fn from_file(file: &Path) -> Result<Settings> {
    let size = match std::fs::metadata(file) {
        Ok(meta) => meta.len(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Settings::default()),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", file.display())),
    };
    if size > FILE_BYTES_MAX {
        bail!("{} has {size} bytes, the limit is {FILE_BYTES_MAX}", file.display());
    }
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let settings: Settings = toml::from_str(&text).with_context(|| format!("{} cannot be understood", file.display()))?;
    if settings.bucket.is_none() {
        bail!("{} names no bucket: write `bucket = \"…\"`, or delete the file to keep files in a folder", file.display());
    }
    Ok(settings)
}

/// A key's file; a relative name is one in the home.
fn read_key(home: &Home, file: &Path) -> Result<String> {
    let file = home.root().join(file);
    let text = std::fs::read_to_string(&file).with_context(|| format!("cannot read the key in {}", file.display()))?;
    Ok(text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_come_first_and_name_everything() {
        let told = |name: &str| match name {
            "WEIR_S3_BUCKET" => Some("weir".to_owned()),
            "WEIR_S3_ENDPOINT" => Some("http://127.0.0.1:9000".to_owned()),
            "WEIR_S3_ALLOW_HTTP" => Some("true".to_owned()),
            "WEIR_CACHE_MB" => Some("5".to_owned()),
            _ => None,
        };
        let settings = from_variables(told).unwrap().unwrap();
        assert_eq!((settings.bucket.as_deref(), settings.allow_http, settings.cache_mb), (Some("weir"), Some(true), Some(5)));
        assert_eq!(from_variables(|_| None).unwrap(), None);
        let wrong = |name: &str| if name == "WEIR_S3_ALLOW_HTTP" { Some("maybe".to_owned()) } else { told(name) };
        assert!(from_variables(wrong).unwrap_err().to_string().contains("WEIR_S3_ALLOW_HTTP"));
    }

    #[test]
    fn the_file_of_the_home_is_read_whole_or_refused() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path()).unwrap();
        assert_eq!(of(&home, "x").unwrap(), StoreConfig::Local(folder.path().join("files")));
        let write = |text: &str| std::fs::write(folder.path().join(FILE), text).unwrap();
        std::fs::write(folder.path().join("id"), "name\n").unwrap();
        std::fs::write(folder.path().join("secret"), "hidden\n").unwrap();
        write(
            "bucket = \"b\"\nprefix = \"eu\"\naccess_key_id_file = \"id\"\nsecret_access_key_file = \"secret\"\ncache_mb = 7\n",
        );
        let StoreConfig::S3(config) = of(&home, "x").unwrap() else { panic!("a bucket") };
        assert_eq!((config.bucket.as_str(), config.prefix.as_str(), config.cache_bytes_max), ("b", "eu", 7_000_000));
        assert_eq!(config.key, Some(S3Key { id: "name".to_owned(), secret: "hidden".to_owned() }));
        assert_eq!(config.cache, folder.path().join(".work/cache/x"));
        for (text, expected) in [
            ("prefix = \"eu\"\n", "names no bucket"),
            ("bucket = \"b\"\nsecret = \"x\"\n", "cannot be understood"),
            ("bucket = \"b\"\naccess_key_id_file = \"id\"\n", "only one is named"),
            ("bucket = \"b\"\naccess_key_id_file = \"id\"\nsecret_access_key_file = \"gone\"\n", "gone"),
        ] {
            write(text);
            let error = of(&home, "x").unwrap_err();
            assert!(format!("{error:#}").contains(expected), "{error:#}");
        }
    }
}
