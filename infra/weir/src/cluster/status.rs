//! `weir cluster status`: which servers answer, who leads what, how far behind each replica is.

use crate::output::Output;
use crate::provision;
use crate::session::Session;
use anyhow::{Context as _, Result, bail};
use async_nats::jetstream::stream::Info;
use serde::Serialize;
use std::collections::BTreeMap;
use weir_reader::NatsConfig;

/// One server.
#[derive(Debug, Serialize)]
struct ServerStatus {
    url: String,
    /// Its name; `null` when it does not answer.
    name: Option<String>,
    /// Version of its program.
    version: Option<String>,
    /// It sends its clients away, to end.
    lame_duck: bool,
    /// Streams that it leads.
    leads: usize,
    /// Why it did not let us in.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// One stream or bucket.
#[derive(Debug, Serialize)]
pub(super) struct StreamStatus {
    /// Its name.
    pub(super) name: String,
    /// How many replicas it is to have.
    pub(super) replicas: usize,
    /// The server that leads it; `null` during an election.
    pub(super) leader: Option<String>,
    /// The other servers that keep it.
    pub(super) followers: Vec<Follower>,
}

/// A server that keeps a copy.
#[derive(Debug, Serialize)]
pub(super) struct Follower {
    pub(super) name: String,
    /// It has everything.
    pub(super) current: bool,
    /// It cannot be reached.
    pub(super) offline: bool,
    /// Operations that it is behind.
    pub(super) lag: u64,
}

impl StreamStatus {
    fn new(info: &Info) -> Self {
        let cluster = info.cluster.clone().unwrap_or_default();
        let follower = |peer: &async_nats::jetstream::stream::PeerInfo| Follower {
            name: peer.name.clone(),
            current: peer.current,
            offline: peer.offline,
            lag: peer.lag.unwrap_or_default(),
        };
        Self {
            name: info.config.name.clone(),
            replicas: info.config.num_replicas,
            leader: cluster.leader,
            followers: cluster.replicas.iter().map(follower).collect(),
        }
    }

    /// Whether at least so many servers have all of it.
    pub(super) fn is_whole(&self, replicas: usize) -> bool {
        let current = self.followers.iter().filter(|follower| follower.current && !follower.offline).count();
        self.leader.is_some() && current + 1 >= replicas
    }

    fn line(&self) -> String {
        let follower = |follower: &Follower| match follower {
            Follower { name, offline: true, .. } => format!("{name} (away)"),
            Follower { name, current: true, lag: 0, .. } => name.clone(),
            Follower { name, lag, .. } => format!("{name} ({lag} behind)"),
        };
        let followers: Vec<String> = self.followers.iter().map(follower).collect();
        format!(
            "{:<24} R{} leader {}; {}",
            self.name,
            self.replicas,
            self.leader.as_deref().unwrap_or("none"),
            followers.join(", ")
        )
    }
}

/// Shows servers and streams. Fails when one is not as it should be.
pub(crate) async fn status(session: &Session, output: Output) -> Result<()> {
    let streams = streams(session).await?;
    let mut leads: BTreeMap<&str, usize> = BTreeMap::new();
    for leader in streams.iter().filter_map(|stream| stream.leader.as_deref()) {
        *leads.entry(leader).or_default() += 1;
    }
    let mut servers = futures::future::join_all(session.run.nats_url.split(',').map(|url| server(session, url.trim()))).await;
    for server in &mut servers {
        server.leads = server.name.as_deref().and_then(|name| leads.get(name)).copied().unwrap_or_default();
    }
    let away = servers.iter().filter(|server| server.error.is_some() || server.lame_duck).count();
    let behind = streams.iter().filter(|stream| !stream.is_whole(stream.replicas)).count();
    let is_good = away == 0 && behind == 0;
    let mut lines: Vec<String> = servers.iter().map(server_line).collect();
    lines.extend(streams.iter().map(StreamStatus::line));
    output.result(&serde_json::json!({ "ok": is_good, "servers": servers, "streams": streams }), &lines.join("\n"))?;
    if !is_good {
        bail!("{away} servers are away, {behind} streams lack a replica or a leader");
    }
    Ok(())
}

fn server_line(server: &ServerStatus) -> String {
    match (&server.name, &server.error) {
        (Some(name), _) => format!(
            "{name:<24} {} v{} leads {}{}",
            server.url,
            server.version.as_deref().unwrap_or("?"),
            server.leads,
            if server.lame_duck { ", is ending" } else { "" }
        ),
        (None, error) => format!("{:<24} {} {}", "away", server.url, error.as_deref().unwrap_or_default()),
    }
}

/// What there is of the region's streams and buckets.
pub(super) async fn streams(session: &Session) -> Result<Vec<StreamStatus>> {
    let mut all = Vec::new();
    for name in provision::stream_names(&session.run.region, session.run.partitions) {
        let stream = session.jetstream.get_stream(&name).await.with_context(|| format!("nothing is known of {name}"))?;
        all.push(StreamStatus::new(stream.cached_info()));
    }
    Ok(all)
}

async fn server(session: &Session, url: &str) -> ServerStatus {
    let config = NatsConfig { url: url.to_owned(), ..session.nats.clone() };
    let found = weir_reader::connect(&config).await;
    let info = found.as_ref().ok().map(async_nats::Client::server_info);
    ServerStatus {
        url: url.to_owned(),
        name: info.as_ref().map(|info| info.server_name.clone()),
        version: info.as_ref().map(|info| info.version.clone()),
        lame_duck: info.as_ref().is_some_and(|info| info.lame_duck_mode),
        leads: 0,
        error: found.err().map(|error| error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_whole_when_enough_servers_have_all_of_it() {
        let follower = |name: &str, current, offline, lag| Follower { name: name.to_owned(), current, offline, lag };
        let stream = |leader: Option<&str>, followers| StreamStatus {
            name: "EVENTS_eu_0".to_owned(),
            replicas: 3,
            leader: leader.map(str::to_owned),
            followers,
        };
        let good = stream(Some("a"), vec![follower("b", true, false, 0), follower("c", true, false, 0)]);
        assert!(good.is_whole(3));
        assert!(good.line().ends_with("R3 leader a; b, c"), "{}", good.line());
        let behind = stream(Some("a"), vec![follower("b", true, false, 0), follower("c", false, false, 7)]);
        assert!(!behind.is_whole(3) && behind.is_whole(2));
        assert!(behind.line().ends_with("b, c (7 behind)"));
        assert!(!stream(Some("a"), vec![follower("b", true, true, 0)]).is_whole(2));
        assert!(!stream(None, Vec::new()).is_whole(1));
        assert!(stream(Some("a"), Vec::new()).is_whole(1));
    }
}
