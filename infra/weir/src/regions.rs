//! The other regions that a query API reads: `regions.toml` in the home, or the file that `WEIR_REGIONS_FILE` names.

use crate::home::Home;
use crate::nats_config::Role;
use crate::object_store::{self, Settings};
use crate::plaintext;
use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use weir_query_api::{Config, OtherRegionConfig};
use weir_reader::NatsConfig;
use weir_reader::store::StoreConfig;

/// Name of the file in the home.
const FILE: &str = "regions.toml";
/// Largest such file.
const FILE_BYTES_MAX: u64 = 256_000;

/// What the file says. Relative names of files are in the home.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Regions {
    /// Where sites, accounts, keys and definitions are changed.
    home: Option<String>,
    #[serde(default)]
    region: Vec<Region>,
}

/// A region. The one that reads the file may be among them, so that all regions can have the same file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Region {
    name: String,
    nats_url: String,
    nats_ca_file: Option<PathBuf>,
    nats_user: Option<String>,
    nats_password_file: PathBuf,
    partitions: u32,
    /// A folder that this machine sees …
    files: Option<PathBuf>,
    /// … or a bucket, with the words of `object-store.toml`.
    store: Option<Settings>,
}

/// Tells the query API of this home what the file says; without one it reads its own region alone.
pub(crate) fn tell(config: &mut Config, home: &Home) -> Result<()> {
    let named = std::env::var_os("WEIR_REGIONS_FILE").filter(|value| !value.is_empty());
    let file = home.root().join(named.clone().unwrap_or_else(|| FILE.into()));
    if named.is_none() && !file.exists() {
        return Ok(());
    }
    let read = || -> Result<Regions> {
        let size = std::fs::metadata(&file)?.len();
        if size > FILE_BYTES_MAX {
            bail!("it has {size} bytes, the limit is {FILE_BYTES_MAX}");
        }
        Ok(toml::from_str(&std::fs::read_to_string(&file)?)?)
    };
    let regions = read().with_context(|| format!("the regions in {} cannot be understood", file.display()))?;
    take(config, home, regions).with_context(|| format!("the regions in {} cannot be used", file.display()))
}

fn take(config: &mut Config, home: &Home, regions: Regions) -> Result<()> {
    config.home = regions.home;
    for region in regions.region {
        if region.name == config.region {
            continue;
        }
        let name = region.name.clone();
        config.others.push(other(home, region).with_context(|| format!("region {name}"))?);
    }
    // Answers and their keys in the cache do not depend on the order in the file.
    config.others.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(())
}

fn other(home: &Home, region: Region) -> Result<OtherRegionConfig> {
    plaintext::refuse_nats(&region.nats_url)?;
    let password = password(&home.root().join(&region.nats_password_file))?;
    let files: StoreConfig = match (region.files, region.store) {
        (Some(folder), None) => home.root().join(folder).into(),
        (None, Some(settings)) => object_store::bucket(home, settings, &format!("query-api-{}", region.name))?,
        _ => bail!("either `files = \"folder\"` or a table `[region.store]` with a bucket has to say where its files are"),
    };
    let nats = NatsConfig {
        url: region.nats_url,
        user: region.nats_user.unwrap_or_else(|| Role::Query.user().to_owned()),
        password,
        inbox_prefix: Role::Query.inbox_prefix(),
        ca_file: region.nats_ca_file.map(|file| home.root().join(file)),
    };
    Ok(OtherRegionConfig { name: region.name, nats, partitions: region.partitions, files })
}

fn password(file: &Path) -> Result<String> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read the NATS password in {}", file.display()))?;
    Ok(text.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::SocketAddr;

    const GOOD: &str = "home = \"us\"\n\
        [[region]]\nname = \"us\"\nnats_url = \"tls://us:4222\"\nnats_password_file = \"us.password\"\npartitions = 2\nfiles = \"/mnt/us\"\n\
        [[region]]\nname = \"eu\"\nnats_url = \"x\"\nnats_password_file = \"missing\"\npartitions = 2\nfiles = \"/mnt/eu\"\n\
        [[region]]\nname = \"ap\"\nnats_url = \"tls://ap:4222\"\nnats_user = \"reader\"\nnats_ca_file = \"ap.pem\"\nnats_password_file = \"us.password\"\npartitions = 2\n\
        [region.store]\nbucket = \"weir-ap\"\nprefix = \"ap\"\n";

    fn read(text: &str) -> Result<Config> {
        let folder = tempfile::tempdir()?;
        let home = Home::at(folder.path())?;
        std::fs::write(folder.path().join("us.password"), "hidden\n")?;
        let none = String::new;
        let own = NatsConfig { url: none(), user: none(), password: none(), inbox_prefix: none(), ca_file: None };
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut config = Config::new(listen, own, "eu", vec![0, 1], folder.path().join("files"), folder.path().join("work"));
        take(&mut config, &home, toml::from_str(text)?)?;
        Ok(config)
    }

    #[test]
    fn every_region_but_this_one_is_read() {
        let config = read(GOOD).unwrap();
        config.validate().unwrap();
        let names: Vec<_> = config.others.iter().map(|other| other.name.as_str()).collect();
        assert_eq!((names, config.home.as_deref()), (vec!["ap", "us"], Some("us")));
        assert!(matches!(&config.others[0].files, StoreConfig::S3(s3) if s3.bucket == "weir-ap" && s3.prefix == "ap"));
        assert_eq!((config.others[0].nats.user.as_str(), config.others[1].nats.user.as_str()), ("reader", "query"));
        assert_eq!(config.others[1].nats.password, "hidden");
        assert!(config.others[0].nats.ca_file.as_ref().is_some_and(|file| file.is_absolute() && file.ends_with("ap.pem")));
        assert_eq!(config.others[1].nats.ca_file, None);
        assert_eq!(config.others[1].files, StoreConfig::Local("/mnt/us".into()));
    }

    #[test]
    fn what_cannot_be_used_is_refused_at_the_start() {
        let refused = |text: &str| match read(text) {
            Ok(config) => config.validate().unwrap_err().to_string(),
            Err(error) => format!("{error:#}"),
        };
        for (from, to, expected) in [
            ("home = \"us\"", "home = \"mars\"", "home: it must be"),
            (
                "partitions = 2\nfiles = \"/mnt/us\"",
                "partitions = 4\nfiles = \"/mnt/us\"",
                "region us has 4 partitions, this one 2",
            ),
            ("tls://us:4222", "nats://us:4222", "without TLS"),
            ("tls://us:4222", "tls://query:x@us:4222", "holds a user or password"),
            ("files = \"/mnt/us\"", "", "either `files"),
            ("files = \"/mnt/us\"", "file = \"/mnt/us\"", "unknown field"),
            ("nats_password_file = \"us.password\"", "nats_password_file = \"none\"", "cannot read the NATS password"),
            ("name = \"ap\"", "name = \"us\"", "region us is named twice"),
            ("name = \"us\"", "name = \"u s\"", "letters, digits"),
        ] {
            let found = refused(&GOOD.replacen(from, to, 1));
            assert!(found.contains(expected), "{to}: {found}");
        }
    }
}
