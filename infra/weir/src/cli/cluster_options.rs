//! What `weir cluster` can be told.

use crate::cluster::{Node, Ports, Wanted};
use crate::output::Usage;
use anyhow::Result;
use clap::{Args, Subcommand};
use std::net::IpAddr;
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum ClusterCommand {
    /// Make the files of a cluster of nats-servers: certificates of an authority of its own, configurations, secrets, variables for each role. What
    /// is there stays, so that it can be called again: for a further server (`--node`), more partitions, or what was removed (a server's
    /// certificate, a secret) and is to be made anew.
    Init(Box<InitOptions>),
    /// Make the region's streams and buckets on the running servers; what has fewer replicas gets more.
    Provision {
        /// Servers that keep each stream.
        #[arg(long, default_value_t = 3, value_parser = replicas)]
        replicas: usize,
        /// Most bytes that the streams of one server take; new streams of events share them.
        #[arg(long, env = "WEIR_NATS_STORE_BYTES_MAX", default_value_t = 1 << 40)]
        store_bytes_max: u64,
        /// Give up after this many seconds.
        #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3600))]
        timeout: u64,
    },
    /// Show the servers, who leads each stream, and how far behind each replica is. Exit status 1 when a server or a replica is away.
    Status,
}

/// What `cluster init` can be told.
#[derive(Clone, Debug, Args)]
pub(crate) struct InitOptions {
    /// The folder. It holds all secrets of the cluster: give each machine only what its role needs.
    dir: PathBuf,
    /// Name of the region. Needed at first.
    #[arg(long, value_parser = super::up_options::region_name)]
    region: Option<String>,
    /// Number of partitions; it can grow, but not shrink. Needed at first.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=256))]
    partitions: Option<u32>,
    /// A server, as name=host or name=host:client-port:route-port:monitor-port; once for each.
    #[arg(long = "node", value_name = "NAME=HOST")]
    nodes: Vec<String>,
    /// Port for clients of servers that name none.
    #[arg(long, default_value_t = 4222)]
    client_port: u16,
    /// Port for the other servers of servers that name none.
    #[arg(long, default_value_t = 6222)]
    route_port: u16,
    /// Port of the monitoring of servers that name none.
    #[arg(long, default_value_t = 8222)]
    monitor_port: u16,
    /// Address of the monitoring, which is without TLS and password; default: loopback.
    #[arg(long)]
    monitor_host: Option<IpAddr>,
    /// Where this folder lies on the machines that use it; default: where it is.
    #[arg(long, value_name = "DIR")]
    installed_at: Option<PathBuf>,
    /// Folder of the streams on each server, in which each has one of its name; default: `store` where the folder is installed.
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
    /// Most bytes that the streams of one server take; default 1 TiB.
    #[arg(long)]
    store_bytes_max: Option<u64>,
}

impl InitOptions {
    /// The folder, and what is asked for.
    pub(crate) fn wanted(self) -> Result<(PathBuf, Wanted)> {
        let ports = Ports { client: self.client_port, route: self.route_port, monitor: self.monitor_port };
        let nodes =
            self.nodes.iter().map(|text| Node::parse(text, ports).map_err(|error| Usage(format!("--node {text}: {error}"))));
        let wanted = Wanted {
            region: self.region,
            partitions: self.partitions,
            installed_at: self.installed_at,
            store: self.store,
            store_bytes_max: self.store_bytes_max,
            monitor_host: self.monitor_host.map(|host| match host {
                IpAddr::V4(host) => host.to_string(),
                IpAddr::V6(host) => format!("[{host}]"),
            }),
            nodes: nodes.collect::<Result<_, _>>()?,
        };
        Ok((self.dir, wanted))
    }
}

fn replicas(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(replicas @ (1 | 3 | 5)) => Ok(replicas),
        _ => Err("1, 3 or 5: an even number bears no more losses than the one below".to_owned()),
    }
}
