//! A command's way to the running system: its `run.json`, the admin's NATS connection, the control buckets.

use crate::home::{Home, RunFile};
use crate::nats_config::Role;
use crate::object_store;
use crate::remote::{self, Remote};
use crate::secrets::Secrets;
use anyhow::{Context as _, Result, bail};
use async_nats::jetstream::{self, kv};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use weir_event::subject;
use weir_reader::NatsConfig;
use weir_reader::buckets::{self, Entry};
use weir_reader::store::{Store, StoreConfig};
use weir_reader::{heads, manifests, stream};
use weir_rollup::manifest::Manifest;

/// The running system as the admin sees it.
pub(crate) struct Session {
    /// Its home.
    pub(crate) home: Home,
    /// Its `run.json`.
    pub(crate) run: RunFile,
    /// Its secrets.
    pub(crate) secrets: Secrets,
    /// How the admin reaches NATS.
    pub(crate) nats: NatsConfig,
    /// The admin's connection.
    pub(crate) client: async_nats::Client,
    /// JetStream over it.
    pub(crate) jetstream: jetstream::Context,
}

impl Session {
    /// Connects to the cluster that the variables name, else to the system that runs on `WEIR_HOME`.
    pub(crate) async fn open() -> Result<Self> {
        match remote::from_variables()? {
            Some(remote) => Self::open_remote(remote).await,
            None => Self::open_at(Home::from_environment()?).await,
        }
    }

    /// Connects to a cluster.
    pub(crate) async fn open_remote(remote: Remote) -> Result<Self> {
        let Remote { home, run, secrets, nats } = remote;
        let client = weir_reader::connect(&nats).await.with_context(|| {
            format!("no server of {} lets us in: look at the servers, WEIR_NATS_CA_FILE and the password", nats.url)
        })?;
        let jetstream = weir_reader::jetstream(client.clone());
        Ok(Self { home, run, secrets, nats, client, jetstream })
    }

    /// Connects to the system that runs on this home.
    pub(crate) async fn open_at(home: Home) -> Result<Self> {
        let run = home.running()?;
        let secrets = Secrets::load(&home)?;
        let nats = nats_config(Role::Admin, &run.nats_url, &secrets);
        let client = weir_reader::connect(&nats).await.with_context(|| {
            format!("the Weir on {} does not answer: start it with `weir up`, or look with `weir doctor`", home.root().display())
        })?;
        let jetstream = weir_reader::jetstream(client.clone());
        Ok(Self { home, run, secrets, nats, client, jetstream })
    }

    /// The numbers of the partitions, or the one that was asked for if there is such a one.
    pub(crate) fn partitions(&self, only: Option<u32>) -> Result<Vec<u32>> {
        let count = self.run.partitions;
        match only {
            Some(partition) if partition >= count => {
                bail!("there is no partition {partition}: this system has 0 to {}", count.saturating_sub(1))
            }
            Some(partition) => Ok(vec![partition]),
            None => Ok((0..count).collect()),
        }
    }

    /// The region's object store.
    pub(crate) fn store(&self) -> Result<Store> {
        Ok(Store::open(&self.store_config()?)?)
    }

    /// Where the region's object store is.
    pub(crate) fn store_config(&self) -> Result<StoreConfig> {
        object_store::of(&self.home, "commands")
    }

    /// What a partition serves; a manifest of nothing before its first commit.
    pub(crate) async fn manifest(&self, partition: u32) -> Result<Manifest> {
        let region = &self.run.region;
        if let Some(entry) = heads::get(&self.jetstream, region, partition).await? {
            let loaded = manifests::load(&self.store()?, &entry.head).await;
            return loaded.with_context(|| format!("the manifest of partition {region}.{partition}"));
        }
        let created = stream::state(&self.jetstream, region, partition).await?.created;
        Ok(Manifest::nothing(region, partition, &subject::events_stream(region, partition), &created))
    }

    /// A control bucket.
    pub(crate) async fn bucket(&self, name: &str) -> Result<kv::Store> {
        self.jetstream.get_key_value(name).await.with_context(|| format!("cannot open the bucket {name}"))
    }

    /// Reads a key, from the leader.
    pub(crate) async fn get(&self, bucket: &str, key: &str) -> Result<Option<Entry>> {
        Ok(buckets::get(&self.jetstream, bucket, key).await?.filter(|entry| entry.value.is_some()))
    }
}

/// How a role reaches NATS.
pub(crate) fn nats_config(role: Role, url: &str, secrets: &Secrets) -> NatsConfig {
    NatsConfig {
        url: url.to_owned(),
        user: role.user().to_owned(),
        password: role.password(secrets).to_owned(),
        inbox_prefix: role.inbox_prefix(),
        ca_file: None,
    }
}

/// An HTTP client for our own services.
pub(crate) fn http_client() -> Result<reqwest::Client> {
    Ok(reqwest::Client::builder().timeout(Duration::from_secs(10)).connect_timeout(Duration::from_secs(2)).no_proxy().build()?)
}

/// Now, Unix milliseconds.
pub(crate) fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_millis() as u64)
}
