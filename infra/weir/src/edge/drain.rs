//! The end of an edge: first nobody sends to it any more, then it takes nothing more, then it sends what it holds.

use crate::backlog;
use crate::session::http_client;
use anyhow::{Context as _, Result};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use tokio::time::Instant;

/// Pause between questions.
const ASK_EVERY: Duration = Duration::from_millis(100);

/// What there is to drain.
pub(super) struct Drain {
    /// Where the collector listens.
    pub(super) address: SocketAddr,
    /// The operator's token.
    pub(super) token: String,
    /// How long events are still taken, while the health check fails.
    pub(super) take_for: Duration,
    /// How long sending may take after that.
    pub(super) send_for: Duration,
}

impl Drain {
    /// Drains; what goes wrong is logged, since the edge ends in any case and what it holds is on disk.
    pub(super) async fn run(&self) {
        match self.drain().await {
            Ok(0) => tracing::info!("the edge has sent everything"),
            Ok(left) => {
                tracing::warn!(events = left, "the edge ends with events that it will send at its next start on this home");
            }
            Err(error) => tracing::warn!(error = format!("{error:#}"), "the edge could not be drained"),
        }
    }

    /// How many events are left.
    async fn drain(&self) -> Result<u64> {
        let client = http_client()?;
        let url = format!("http://{}", reachable(self.address));
        if !self.take_for.is_zero() {
            tell(&client, &url, "leaving", &self.token).await?;
            tokio::time::sleep(self.take_for).await;
        }
        tell(&client, &url, "closed", &self.token).await?;
        let deadline = Instant::now() + self.send_for;
        loop {
            let left = backlog::of(&client, &url, &self.token).await?.unsent_events;
            if left == 0 || Instant::now() > deadline {
                return Ok(left);
            }
            tokio::time::sleep(ASK_EVERY).await;
        }
    }
}

async fn tell(client: &reqwest::Client, url: &str, state: &str, token: &str) -> Result<()> {
    let answer = client.get(format!("{url}/internal/drain?state={state}")).bearer_auth(token).send().await;
    answer
        .and_then(reqwest::Response::error_for_status)
        .map(drop)
        .with_context(|| format!("the edge cannot be told that it is {state}"))
}

/// An address by which this machine reaches what listens on all of them.
fn reachable(address: SocketAddr) -> SocketAddr {
    let host = match address.ip() {
        IpAddr::V4(host) if host.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(host) if host.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        host => host,
    };
    SocketAddr::new(host, address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_listens_everywhere_is_reached_here() {
        for (address, expected) in [("0.0.0.0:1", "127.0.0.1:1"), ("[::]:2", "[::1]:2"), ("10.0.0.1:3", "10.0.0.1:3")] {
            assert_eq!(reachable(address.parse().unwrap()).to_string(), expected);
        }
    }
}
