//! `HAProxy` with the configurations of `infra/haproxy` before the edges and the query nodes.

use crate::haproxy::{find, free_port};
use crate::poll::{Look, soft, until};
use crate::weir::{client, repository};
use anyhow::{Context as _, Result, bail};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A front and where it is reached; ended on drop.
pub struct Front {
    child: Child,
    url: String,
}

/// What a front stands before.
pub struct Behind<'a> {
    /// The configuration's name in `infra/haproxy`.
    pub config: &'a str,
    /// Its variable for the address to listen on.
    pub bind: &'a str,
    /// Where it listens: each has an address of its own, since both take the first port that is free.
    pub host: &'a str,
    /// The beginning of its variables for the servers, and how many there are.
    pub servers: (&'a str, usize),
    /// A path that answers 200 when somebody serves.
    pub health: &'a str,
}

/// Before edges.
pub const EDGES: Behind<'_> =
    Behind { config: "haproxy.cfg", bind: "WEIR_BIND", host: "127.0.0.1", servers: ("WEIR_EDGE_", 8), health: "/health" };
/// Before query nodes.
pub const QUERIES: Behind<'_> = Behind {
    config: "query.cfg",
    bind: "WEIR_QUERY_BIND",
    host: "127.0.0.2",
    servers: ("WEIR_QUERY_", 4),
    health: "/api/health/ready",
};

impl Front {
    /// Starts one.
    pub async fn start(behind: &Behind<'_>, servers: &[SocketAddr], log: &std::path::Path) -> Result<Self> {
        let program = tokio::task::spawn_blocking(find).await??;
        let address = format!("{}:{}", behind.host, free_port()?);
        let mut command = Command::new(program);
        command.arg("-f").arg(repository().join("infra/haproxy").join(behind.config)).env_clear().env(behind.bind, &address);
        let (prefix, count) = behind.servers;
        for index in 0..count {
            // Nobody listens on port 1.
            let server = servers.get(index).map_or_else(|| "127.0.0.1:1".to_owned(), ToString::to_string);
            command.env(format!("{prefix}{index}"), server);
        }
        let log = std::fs::File::create(log)?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        Ok(Self { child: command.spawn().context("cannot start haproxy")?, url: format!("http://{address}") })
    }

    /// Waits until somebody behind it serves.
    pub async fn serving(&mut self, behind: &Behind<'_>, within: Duration) -> Result<()> {
        let (client, url) = (client()?, format!("{}{}", self.url, behind.health));
        until(&format!("{url} to serve"), within, async || {
            if let Some(status) = self.child.try_wait()? {
                bail!("haproxy ended with {status}: it says why when it is started by hand");
            }
            let answer = client.get(&url).send().await;
            Ok(soft(answer.map_err(Into::into).map(|answer| match answer.status().as_u16() {
                200 => Look::Done(()),
                other => Look::NotYet(format!("it answers {other}")),
            })))
        })
        .await
    }

    /// Its address.
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}
