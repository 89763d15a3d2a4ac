//! Streams and buckets that `weir up` makes when they are missing; those that are there stay as they are.

use anyhow::{Context as _, Result, bail};
use async_nats::jetstream::context::{CreateKeyValueErrorKind, KeyValueErrorKind};
use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType};
use async_nats::jetstream::{Context, kv};
use futures::TryStreamExt as _;
use std::path::Path;
use std::time::Duration;
use weir_event::subject::{
    ACCOUNTS_BUCKET, DEFINITIONS_BUCKET, HEADS_BUCKET, KEYS_BUCKET, REPLAY_BUCKET, SALTS_BUCKET, SITES_BUCKET, STATUS_BUCKET,
    events_stream, events_subject, rejected_stream, rejected_subject,
};

/// Most bytes of one partition's stream, unless the disk is small: the share of the free space below counts then.
const STREAM_BYTES_MAX: u64 = 64 * 1024 * 1024 * 1024;
/// Share of the free disk space that all new streams together may take.
const DISK_SHARE_PERCENT: u64 = 60;
/// Time in which JetStream drops a message whose id it has already stored.
const DUPLICATE_WINDOW: Duration = Duration::from_mins(10);
/// Salts are deleted this long after they were made.
const SALT_AGE_MAX: Duration = Duration::from_hours(48);
/// Bounds of the stream of refused payloads: past any of them the oldest go.
const REJECTED_BYTES_MAX: i64 = 64 * 1024 * 1024;
const REJECTED_MESSAGES_MAX: i64 = 100_000;
const REJECTED_AGE_MAX: Duration = Duration::from_hours(30 * 24);
/// Largest refused payload that is kept, with what is said of it, bytes.
const REJECTED_MESSAGE_BYTES_MAX: i32 = 64 * 1024;
/// Most bytes of a control bucket.
const BUCKET_BYTES_MAX: i64 = 1024 * 1024 * 1024;

/// Makes what is missing.
pub(crate) async fn provision(jetstream: &Context, region: &str, partitions: u32, store: &Path) -> Result<()> {
    refuse_fewer_partitions(jetstream, region, partitions).await?;
    let bytes_max = stream_bytes_max(free_bytes(store)?, partitions);
    for partition in 0..partitions {
        let config = stream_config(region, partition, bytes_max);
        let name = config.name.clone();
        jetstream.get_or_create_stream(config).await.with_context(|| format!("cannot make the stream {name}"))?;
    }
    let rejected = rejected_config(region);
    let name = rejected.name.clone();
    jetstream.get_or_create_stream(rejected).await.with_context(|| format!("cannot make the stream {name}"))?;
    for bucket in
        [SITES_BUCKET, ACCOUNTS_BUCKET, DEFINITIONS_BUCKET, KEYS_BUCKET, SALTS_BUCKET, HEADS_BUCKET, STATUS_BUCKET, REPLAY_BUCKET]
    {
        ensure_bucket(jetstream, bucket).await?;
    }
    Ok(())
}

/// Sites keep their partition for ever, so that a smaller number would leave some without one.
async fn refuse_fewer_partitions(jetstream: &Context, region: &str, partitions: u32) -> Result<()> {
    let prefix = events_stream(region, 0);
    let prefix = prefix.trim_end_matches('0');
    let names: Vec<String> = jetstream.stream_names().try_collect().await.context("cannot list the streams")?;
    let there = names.iter().filter_map(|name| name.strip_prefix(prefix)?.parse::<u32>().ok()).max().map_or(0, |last| last + 1);
    if there > partitions {
        bail!(
            "this home has {there} partitions, {partitions} were asked for: the number cannot become smaller, set WEIR_PARTITIONS={there}"
        );
    }
    Ok(())
}

fn stream_config(region: &str, partition: u32, bytes_max: u64) -> Config {
    Config {
        name: events_stream(region, partition),
        subjects: vec![events_subject(region, partition)],
        retention: RetentionPolicy::Limits,
        storage: StorageType::File,
        // A full stream refuses; it never drops what was acknowledged.
        discard: DiscardPolicy::New,
        duplicate_window: DUPLICATE_WINDOW,
        max_bytes: bytes_max as i64,
        num_replicas: 1,
        allow_direct: true,
        ..Config::default()
    }
}

/// What was refused is worth less than what is to come: a full stream drops its oldest.
fn rejected_config(region: &str) -> Config {
    Config {
        name: rejected_stream(region),
        subjects: vec![rejected_subject(region)],
        retention: RetentionPolicy::Limits,
        storage: StorageType::File,
        discard: DiscardPolicy::Old,
        max_bytes: REJECTED_BYTES_MAX,
        max_messages: REJECTED_MESSAGES_MAX,
        max_age: REJECTED_AGE_MAX,
        max_message_size: REJECTED_MESSAGE_BYTES_MAX,
        num_replicas: 1,
        allow_direct: true,
        ..Config::default()
    }
}

async fn ensure_bucket(jetstream: &Context, bucket: &str) -> Result<()> {
    match jetstream.get_key_value(bucket).await {
        Ok(_) => return Ok(()),
        Err(error) if error.kind() == KeyValueErrorKind::GetBucket => {}
        Err(error) => return Err(error).with_context(|| format!("cannot open the bucket {bucket}")),
    }
    let config = kv::Config {
        bucket: bucket.to_owned(),
        history: 1,
        storage: StorageType::File,
        max_age: if bucket == SALTS_BUCKET { SALT_AGE_MAX } else { Duration::ZERO },
        max_bytes: BUCKET_BYTES_MAX,
        num_replicas: 1,
        ..kv::Config::default()
    };
    match jetstream.create_key_value(config).await {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == CreateKeyValueErrorKind::TimedOut => {
            bail!("making the bucket {bucket} timed out: look into the log of nats-server")
        }
        Err(error) => Err(error).with_context(|| format!("cannot make the bucket {bucket}")),
    }
}

/// Limit of each of `partitions` new streams on a disk with this much free space.
fn stream_bytes_max(free_bytes: u64, partitions: u32) -> u64 {
    (free_bytes / 100 * DISK_SHARE_PERCENT / u64::from(partitions.max(1))).clamp(1024 * 1024, STREAM_BYTES_MAX)
}

/// Free space of the disk that holds a folder, for this user.
pub(crate) fn free_bytes(folder: &Path) -> Result<u64> {
    let stat =
        nix::sys::statvfs::statvfs(folder).with_context(|| format!("cannot ask for the free space of {}", folder.display()))?;
    #[allow(clippy::unnecessary_cast, clippy::useless_conversion, reason = "the width of these numbers differs by platform")]
    let bytes = u64::from(stat.blocks_available()).saturating_mul(stat.fragment_size() as u64);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_share_the_disk() {
        let gib = 1024 * 1024 * 1024;
        assert_eq!(stream_bytes_max(1000 * gib, 2), 64 * gib);
        assert_eq!(stream_bytes_max(10 * gib, 2) / gib, 2);
        assert_eq!(stream_bytes_max(0, 2), 1024 * 1024);
    }

    #[test]
    fn refused_payloads_are_bounded() {
        let config = rejected_config("local");
        assert_eq!((config.name.as_str(), config.subjects), ("REJECTED_local", vec!["rejected.local".to_owned()]));
        assert_eq!(config.discard, DiscardPolicy::Old);
        assert!(
            config.max_bytes > 0 && config.max_messages > 0 && config.max_message_size > 0 && config.max_age > Duration::ZERO
        );
    }

    #[test]
    fn a_stream_never_drops_what_it_has() {
        let config = stream_config("local", 1, 1000);
        assert_eq!(config.name, "EVENTS_local_1");
        assert_eq!(config.subjects, ["events.local.1"]);
        assert_eq!(config.discard, DiscardPolicy::New);
        assert_eq!(config.max_age, Duration::ZERO);
        assert!(config.max_bytes > 0 && config.allow_direct);
    }
}
