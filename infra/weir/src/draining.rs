//! Edges that are asked for no more: kept running out of sight until they have sent everything, then ended.

use crate::backlog;
use crate::edges;
use crate::session::{Session, http_client};
use crate::supervisor::{Registry, Supervisor};
use anyhow::{Context as _, Result};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Pause between questions.
const ASK_EVERY: Duration = Duration::from_secs(1);

/// Ends each edge that `run.json` names as draining once it holds nothing more. Returns when there is none left, or at the end.
pub(crate) async fn retire(session: &Session, supervisor: &Supervisor, registry: &Registry, ended: CancellationToken) {
    let mut left = session.run.draining_edges.clone();
    while !left.is_empty() && ended.run_until_cancelled(tokio::time::sleep(ASK_EVERY)).await.is_some() {
        let mut done = Vec::new();
        for (name, url) in &left {
            if is_empty(session, url).await {
                supervisor.end(name).await;
                if let Err(error) = forget(session, registry, name) {
                    tracing::warn!(edge = %name, error = format!("{error:#}"), "an edge has sent everything, but cannot be put away");
                }
                done.push(name.clone());
            }
        }
        left.retain(|name, _| !done.contains(name));
    }
}

/// An edge that does not answer may hold anything.
async fn is_empty(session: &Session, url: &str) -> bool {
    let Ok(client) = http_client() else { return false };
    backlog::of(&client, url, &session.secrets.edge_token).await.is_ok_and(|backlog| backlog.unsent_events == 0)
}

/// Takes it out of `run.json` and puts its folder aside. The folder is kept until another of its number is put
/// aside.
fn forget(session: &Session, registry: &Registry, name: &str) -> Result<()> {
    registry.update(|run| {
        run.draining_edges.remove(name);
        run.pids.remove(name);
    })?;
    let folder = session.home.path(&edges::objects_folder_of(name));
    let aside = folder.with_extension("emptied");
    if aside.exists() {
        std::fs::remove_dir_all(&aside).with_context(|| format!("cannot remove {}", aside.display()))?;
    }
    std::fs::rename(&folder, &aside).with_context(|| format!("cannot rename {}", folder.display()))
}
