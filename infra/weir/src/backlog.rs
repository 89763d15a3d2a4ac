//! What the edges still hold: events that are acknowledged and not yet on the stream.

use crate::session::Session;
use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

/// What one edge holds.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Backlog {
    /// Events.
    pub(crate) unsent_events: u64,
    /// When the oldest of them was received, Unix milliseconds; `None` when there is none, or it is not known.
    pub(crate) oldest_unsent_ms: Option<u64>,
}

/// One edge as `weir status` shows it.
#[derive(Debug, Serialize)]
pub(crate) struct EdgeStatus {
    /// Its name in `run.json`.
    pub(crate) name: String,
    /// Address of its collector.
    pub(crate) url: String,
    /// Events that it has not yet sent; `null` when it does not answer.
    pub(crate) unsent_events: Option<u64>,
    /// When the oldest of them was received, Unix milliseconds.
    pub(crate) oldest_unsent_ms: Option<u64>,
    /// Why it did not answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
}

/// Asks the edge behind an address.
pub(crate) async fn of(client: &reqwest::Client, url: &str, token: &str) -> Result<Backlog> {
    let answer = client.get(format!("{url}/internal/backlog")).bearer_auth(token).send().await.context("it does not answer")?;
    let answer = answer.error_for_status().context("it refuses")?;
    answer.json().await.context("its answer is not what it should be")
}

/// Asks every edge.
pub(crate) async fn of_all(session: &Session, client: &reqwest::Client) -> Vec<EdgeStatus> {
    let asked = session.run.edges().into_iter().map(async |(name, url)| {
        let (found, error) = match of(client, &url, &session.secrets.edge_token).await {
            Ok(backlog) => (Some(backlog), None),
            Err(error) => (None, Some(format!("{error:#}"))),
        };
        EdgeStatus {
            name,
            url,
            unsent_events: found.as_ref().map(|backlog| backlog.unsent_events),
            oldest_unsent_ms: found.and_then(|backlog| backlog.oldest_unsent_ms),
            error,
        }
    });
    futures::future::join_all(asked).await
}
