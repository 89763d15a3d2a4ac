//! `weir edge`: the collector as a program of its own: workerd with a configuration made from variables, until SIGTERM.

mod child;
mod drain;
mod servers;

use crate::cli::EdgeOptions;
use crate::home::Home;
use crate::installation::Installation;
use crate::nats_config::Role;
use crate::surroundings::{secret, surroundings};
use crate::workerd_config::{self, Edge, EdgeNats};
use crate::{countries, edges, service, up};
use anyhow::{Context as _, Result, bail};
use child::Workerd;
use drain::Drain;
use std::net::SocketAddr;
use std::time::Duration;

/// After the signal: more than draining and sending may take together ends the process.
const END_ANYWAY: Duration = Duration::from_secs(15);

/// Runs an edge until SIGTERM or SIGINT.
pub(crate) async fn run(options: &EdgeOptions) -> Result<()> {
    service::start_log();
    let drain_within = Duration::from_millis(options.drain_ms + options.send_ms);
    let ended = service::cancelled_by_signal_within(drain_within + END_ANYWAY)?;
    let here = surroundings(&options.common, Role::Edge)?;
    let token = secret("WEIR_EDGE_TOKEN", options.edge_token_file.as_deref())?;
    let token = token.context("the token of the operator is not known: set WEIR_EDGE_TOKEN_FILE")?;
    let home = here.home;
    let Some(_lock) = home.try_lock("lock")? else {
        bail!("a Weir is already running on {}: set WEIR_HOME to another folder for this edge", home.root().display());
    };
    up::wait_for_leftovers(&home).await?;
    // Events are worth more than their countries.
    if let Err(error) = countries::ensure(&home) {
        tracing::warn!(error = format!("{error:#}"), "countries of visitors will not be known");
    }
    let address = SocketAddr::new(options.collector_host, options.collector_port);
    let authority =
        here.nats.ca_file.as_ref().map(|file| {
            std::fs::read_to_string(file).with_context(|| format!("cannot read the certificates in {}", file.display()))
        });
    let (servers, tls) = servers::of(&here.nats.url)?;
    install(
        &home,
        &Edge {
            index: 0,
            number: options.edge_index,
            address: address.to_string(),
            nats: EdgeNats {
                servers,
                tls,
                authority: authority.transpose()?,
                user: here.nats.user,
                password: here.nats.password,
            },
            region: &here.region,
            partitions: here.partitions,
            worker: &options.worker,
            token: &token,
        },
    )?;
    let program = Installation::find()?.tool("workerd")?;
    let mut workerd = Workerd::start(&home, &program, &workerd_config::arguments(&home, 0)).await?;
    tracing::info!(%address, edge = options.edge_index, "the edge starts");
    tokio::select! {
        status = workerd.ended() => bail!("workerd ended by itself ({}): its last lines say why", status?),
        () = ended.cancelled() => {}
    }
    let drain = Drain {
        address,
        token,
        take_for: Duration::from_millis(options.drain_ms),
        send_for: Duration::from_millis(options.send_ms),
    };
    tokio::select! {
        () = drain.run() => {}
        status = workerd.ended() => tracing::warn!(status = %status?, "workerd ended before everything was sent"),
    }
    workerd.end().await
}

fn install(home: &Home, edge: &Edge) -> Result<()> {
    workerd_config::install_worker(home, &Installation::find()?)?;
    home.create_folder(&edges::objects_folder(edge.index))?;
    workerd_config::install(home, edge)
}
