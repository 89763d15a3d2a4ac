//! `weir cluster provision`: the streams and buckets of a region, on as many servers as wanted.

use super::status;
use crate::keys;
use crate::output::Output;
use crate::provision::{self, Provisioned, Wanted};
use crate::session::Session;
use anyhow::{Context as _, Result, bail};
use std::time::Duration;
use tokio::time::Instant;

/// Pause between attempts: the servers of a new cluster find each other in a few seconds.
const TRY_EVERY: Duration = Duration::from_millis(250);
/// Bytes of a server's store that the streams of events leave to everything else: buckets and refused payloads.
const OTHER_BYTES: u64 = 16 << 30;

/// Makes what is missing, raises what has fewer replicas, and returns when every replica has everything.
pub(crate) async fn provision(
    session: &Session,
    replicas: usize,
    store_bytes_max: u64,
    timeout: Duration,
    output: Output,
) -> Result<()> {
    let deadline = Instant::now() + timeout;
    let (region, partitions) = (session.run.region.as_str(), session.run.partitions);
    let room = store_bytes_max.saturating_sub(OTHER_BYTES.min(store_bytes_max / 2));
    let wanted = Wanted { region, partitions, replicas, stream_bytes_max: provision::stream_bytes_max(room, partitions) };
    let mut done = Provisioned::default();
    loop {
        // What was made stays made, so that the next attempt goes on from there.
        let error = match attempt(session, &wanted).await {
            Ok(mut provisioned) => {
                done.raised.append(&mut provisioned.raised);
                break;
            }
            Err(error) => error,
        };
        if error.is::<provision::FewerPartitions>() {
            return Err(error);
        }
        if Instant::now() > deadline {
            return Err(error).with_context(|| {
                format!("the cluster cannot keep {replicas} replicas: `weir cluster status` shows its servers")
            });
        }
        tokio::time::sleep(TRY_EVERY).await;
    }
    loop {
        let streams = status::streams(session).await;
        let behind = match &streams {
            Ok(streams) => streams.iter().find(|stream| !stream.is_whole(replicas)).map(|stream| stream.name.clone()),
            Err(error) => Some(format!("{error:#}")),
        };
        let Some(behind) = behind else { break };
        if Instant::now() > deadline {
            bail!("not every replica is there yet: {behind}; they go on by themselves, `weir cluster status` shows how far");
        }
        tokio::time::sleep(TRY_EVERY).await;
    }
    let names = provision::stream_names(region, partitions);
    let text = format!("{} streams and buckets of region {region}, {partitions} partitions, {replicas} replicas", names.len());
    output.result(&serde_json::json!({ "streams": names, "replicas": replicas, "raised": done.raised }), &text)
}

async fn attempt(session: &Session, wanted: &Wanted<'_>) -> Result<Provisioned> {
    provision::refuse_fewer_partitions(&session.jetstream, wanted.region, wanted.partitions).await?;
    let provisioned = provision::ensure(&session.jetstream, wanted).await?;
    if !session.secrets.admin_key.is_empty() {
        keys::ensure_admin(session).await?;
    }
    Ok(provisioned)
}
