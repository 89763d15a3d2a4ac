//! What a cluster is, as `cluster.toml` in its folder remembers it. Everything else in the folder follows from it and from the secrets.

use super::node::Node;
use crate::home::Home;
use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Name of the file in the cluster's folder.
const FILE: &str = "cluster.toml";
/// Version of the file.
const VERSION: u32 = 1;
/// Most bytes that the streams of one server take, unless something else is asked for.
const STORE_BYTES_MAX: u64 = 1 << 40;

/// The cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Plan {
    version: u32,
    /// Name of the region.
    pub(crate) region: String,
    /// Number of partitions.
    pub(crate) partitions: u32,
    /// Where this folder lies on the machines that use it.
    pub(crate) installed_at: PathBuf,
    /// Folder of the streams on each server.
    pub(crate) store: PathBuf,
    /// Most bytes that the streams of one server take.
    pub(crate) store_bytes_max: u64,
    /// Address of the servers' monitoring.
    pub(crate) monitor_host: String,
    /// The bcrypt hash of each role's password, by which the servers know it.
    pub(crate) hashes: BTreeMap<String, String>,
    /// The servers.
    #[serde(rename = "node")]
    pub(crate) nodes: Vec<Node>,
}

/// What is asked for; what is not stays as it is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    pub(crate) region: Option<String>,
    pub(crate) partitions: Option<u32>,
    pub(crate) installed_at: Option<PathBuf>,
    pub(crate) store: Option<PathBuf>,
    pub(crate) store_bytes_max: Option<u64>,
    pub(crate) monitor_host: Option<String>,
    pub(crate) nodes: Vec<Node>,
}

impl Plan {
    /// The plan in a folder, if there is one.
    pub(crate) fn read(folder: &Home) -> Result<Option<Self>> {
        let path = folder.path(FILE);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        let plan: Self = toml::from_str(&text).with_context(|| format!("{} cannot be understood", path.display()))?;
        if plan.version != VERSION {
            bail!("{} has version {}, this program knows {VERSION}: use the program that wrote it", path.display(), plan.version);
        }
        Ok(Some(plan))
    }

    /// The file's name and content.
    pub(crate) fn file(&self) -> Result<(String, String)> {
        let text = toml::to_string(self).context("the plan cannot be written")?;
        Ok((FILE.to_owned(), format!("# Written by `weir cluster init`, which makes the other files from it.\n{text}")))
    }

    /// A new plan.
    pub(crate) fn new(folder: &Home, wanted: Wanted) -> Result<Self> {
        let region = wanted.region.context("which region? Name it with --region")?;
        let installed_at = wanted.installed_at.unwrap_or_else(|| folder.root().to_path_buf());
        Self {
            version: VERSION,
            region,
            partitions: wanted.partitions.context("how many partitions? Say it with --partitions")?,
            store: wanted.store.unwrap_or_else(|| installed_at.join("store")),
            installed_at,
            store_bytes_max: wanted.store_bytes_max.unwrap_or(STORE_BYTES_MAX),
            monitor_host: wanted.monitor_host.unwrap_or_else(|| "127.0.0.1".to_owned()),
            hashes: BTreeMap::new(),
            nodes: Vec::new(),
        }
        .with_nodes(wanted.nodes)?
        .checked()
    }

    /// The plan with what is asked for now. Region and addresses stay; partitions and servers can be added.
    pub(crate) fn changed(mut self, wanted: Wanted) -> Result<Self> {
        if let Some(region) = wanted.region.filter(|region| *region != self.region) {
            bail!("this folder is of the region {}: make that of {region} in another folder", self.region);
        }
        if let Some(partitions) = wanted.partitions {
            if partitions < self.partitions {
                bail!(
                    "the region has {} partitions, {partitions} were asked for: the number cannot become smaller",
                    self.partitions
                );
            }
            self.partitions = partitions;
        }
        self.installed_at = wanted.installed_at.unwrap_or(self.installed_at);
        self.store = wanted.store.unwrap_or(self.store);
        self.store_bytes_max = wanted.store_bytes_max.unwrap_or(self.store_bytes_max);
        self.monitor_host = wanted.monitor_host.unwrap_or(self.monitor_host);
        self.with_nodes(wanted.nodes)?.checked()
    }

    fn with_nodes(mut self, nodes: Vec<Node>) -> Result<Self> {
        for node in nodes {
            match self.nodes.iter().find(|known| known.name == node.name) {
                Some(known) if *known == node => {}
                Some(known) => bail!(
                    "the server {} is at {} with ports {}:{}:{}: it keeps its address; add one under another name",
                    known.name,
                    known.host,
                    known.client_port,
                    known.route_port,
                    known.monitor_port
                ),
                None => self.nodes.push(node),
            }
        }
        Ok(self)
    }

    fn checked(self) -> Result<Self> {
        if self.nodes.is_empty() {
            bail!("which servers? Name each with --node name=host");
        }
        for (index, one) in self.nodes.iter().enumerate() {
            let is_taken = |other: &Node| {
                let ports = |node: &Node| [node.client_port, node.route_port, node.monitor_port];
                other.host == one.host && ports(other).iter().any(|port| ports(one).contains(port))
            };
            if let Some(other) = self.nodes.iter().take(index).find(|other| is_taken(other)) {
                bail!(
                    "the servers {} and {} have the same address and port: give one of them ports of its own",
                    other.name,
                    one.name
                );
            }
        }
        Ok(self)
    }

    /// Addresses of all servers for clients, separated by commas.
    pub(crate) fn client_urls(&self) -> String {
        self.nodes.iter().map(Node::client_url).collect::<Vec<_>>().join(",")
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn wanted(nodes: &[(&str, u16)]) -> Wanted {
        let node = |(name, port): &(&str, u16)| Node {
            name: (*name).to_owned(),
            host: "10.0.0.1".to_owned(),
            client_port: *port,
            route_port: port + 1,
            monitor_port: port + 2,
        };
        Wanted {
            region: Some("eu".to_owned()),
            partitions: Some(2),
            nodes: nodes.iter().map(node).collect(),
            ..Wanted::default()
        }
    }

    #[test]
    fn a_cluster_grows_and_does_not_shrink() {
        let folder = Home::at(std::path::Path::new("/etc/weir")).unwrap();
        let plan = Plan::new(&folder, wanted(&[("a", 10), ("b", 20)])).unwrap();
        assert_eq!(plan.client_urls(), "tls://10.0.0.1:10,tls://10.0.0.1:20");
        assert_eq!(plan.clone().changed(Wanted::default()).unwrap(), plan);
        assert_eq!(plan.clone().changed(wanted(&[("a", 10)])).unwrap(), plan);
        let grown = plan.clone().changed(Wanted { partitions: Some(3), ..wanted(&[("c", 30)]) }).unwrap();
        assert_eq!((grown.partitions, grown.nodes.len()), (3, 3));
        for (wrong, expected) in [
            (Wanted { partitions: Some(1), ..Wanted::default() }, "cannot become smaller"),
            (Wanted { region: Some("us".to_owned()), ..Wanted::default() }, "another folder"),
            (wanted(&[("a", 40)]), "keeps its address"),
            (wanted(&[("c", 11)]), "same address and port"),
        ] {
            let error = plan.clone().changed(wrong).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        assert!(Plan::new(&folder, wanted(&[])).is_err());
    }

    #[test]
    fn the_file_says_the_same_when_it_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path()).unwrap();
        assert_eq!(Plan::read(&home).unwrap(), None);
        let plan = Plan::new(&home, wanted(&[("a", 10)])).unwrap();
        let (name, text) = plan.file().unwrap();
        std::fs::write(home.path(&name), text).unwrap();
        assert_eq!(Plan::read(&home).unwrap(), Some(plan));
    }
}
