//! Streams and buckets, made when they are missing. Those that are there stay as they are, except that they may get more replicas.

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

/// The control buckets.
const BUCKETS: [&str; 8] =
    [SITES_BUCKET, ACCOUNTS_BUCKET, DEFINITIONS_BUCKET, KEYS_BUCKET, SALTS_BUCKET, HEADS_BUCKET, STATUS_BUCKET, REPLAY_BUCKET];

/// What there is to be.
pub(crate) struct Wanted<'a> {
    /// Name of the region.
    pub(crate) region: &'a str,
    /// Number of partitions.
    pub(crate) partitions: u32,
    /// Servers that keep each stream: 1, 3 or 5.
    pub(crate) replicas: usize,
    /// Most bytes of each new stream of events.
    pub(crate) stream_bytes_max: u64,
}

/// What was done.
#[derive(Debug, Default, serde::Serialize)]
pub(crate) struct Provisioned {
    /// Streams that have more replicas than before.
    pub(crate) raised: Vec<String>,
}

/// Makes what is missing on one machine, whose disk holds `store`.
pub(crate) async fn provision(jetstream: &Context, region: &str, partitions: u32, store: &Path) -> Result<()> {
    let stream_bytes_max = stream_bytes_max(free_bytes(store)?, partitions);
    refuse_fewer_partitions(jetstream, region, partitions).await?;
    ensure(jetstream, &Wanted { region, partitions, replicas: 1, stream_bytes_max }).await?;
    Ok(())
}

/// Makes what is missing, and gives what is there the wanted number of replicas if it has fewer.
pub(crate) async fn ensure(jetstream: &Context, wanted: &Wanted<'_>) -> Result<Provisioned> {
    let mut done = Provisioned::default();
    let streams = (0..wanted.partitions).map(|partition| stream_config(wanted, partition));
    for config in streams.chain([rejected_config(wanted)]) {
        let name = config.name.clone();
        jetstream.get_or_create_stream(config).await.with_context(|| format!("cannot make the stream {name}"))?;
        raise(jetstream, &name, wanted.replicas, &mut done).await?;
    }
    for bucket in BUCKETS {
        ensure_bucket(jetstream, bucket, wanted.replicas).await?;
        raise(jetstream, &format!("KV_{bucket}"), wanted.replicas, &mut done).await?;
    }
    Ok(done)
}

/// Names of all streams of a region, those of the buckets included.
pub(crate) fn stream_names(region: &str, partitions: u32) -> Vec<String> {
    let streams = (0..partitions).map(|partition| events_stream(region, partition));
    streams.chain([rejected_stream(region)]).chain(BUCKETS.map(|bucket| format!("KV_{bucket}"))).collect()
}

/// More replicas for a stream that has fewer; never less.
async fn raise(jetstream: &Context, name: &str, replicas: usize, done: &mut Provisioned) -> Result<()> {
    let stream = jetstream.get_stream(name).await.with_context(|| format!("cannot look at the stream {name}"))?;
    let config = &stream.cached_info().config;
    if config.num_replicas < replicas {
        let config = Config { num_replicas: replicas, ..config.clone() };
        jetstream.update_stream(config).await.with_context(|| format!("cannot give the stream {name} {replicas} replicas"))?;
        done.raised.push(name.to_owned());
    }
    Ok(())
}

/// Fewer partitions were asked for than there are.
#[derive(Debug, thiserror::Error)]
#[error(
    "this region has {there} partitions, {asked} were asked for: the number cannot become smaller, set WEIR_PARTITIONS={there}"
)]
pub(crate) struct FewerPartitions {
    there: u32,
    asked: u32,
}

/// Sites keep their partition for ever, so that a smaller number would leave some without one.
pub(crate) async fn refuse_fewer_partitions(jetstream: &Context, region: &str, partitions: u32) -> Result<()> {
    let prefix = events_stream(region, 0);
    let prefix = prefix.trim_end_matches('0');
    let names: Vec<String> = jetstream.stream_names().try_collect().await.context("cannot list the streams")?;
    let there = names.iter().filter_map(|name| name.strip_prefix(prefix)?.parse::<u32>().ok()).max().map_or(0, |last| last + 1);
    if there > partitions {
        return Err(FewerPartitions { there, asked: partitions }.into());
    }
    Ok(())
}

fn stream_config(wanted: &Wanted, partition: u32) -> Config {
    Config {
        name: events_stream(wanted.region, partition),
        subjects: vec![events_subject(wanted.region, partition)],
        retention: RetentionPolicy::Limits,
        storage: StorageType::File,
        // A full stream refuses; it never drops what was acknowledged.
        discard: DiscardPolicy::New,
        duplicate_window: DUPLICATE_WINDOW,
        max_bytes: wanted.stream_bytes_max as i64,
        num_replicas: wanted.replicas,
        allow_direct: true,
        ..Config::default()
    }
}

/// What was refused is worth less than what is to come: a full stream drops its oldest.
fn rejected_config(wanted: &Wanted) -> Config {
    Config {
        name: rejected_stream(wanted.region),
        subjects: vec![rejected_subject(wanted.region)],
        retention: RetentionPolicy::Limits,
        storage: StorageType::File,
        discard: DiscardPolicy::Old,
        max_bytes: REJECTED_BYTES_MAX,
        max_messages: REJECTED_MESSAGES_MAX,
        max_age: REJECTED_AGE_MAX,
        max_message_size: REJECTED_MESSAGE_BYTES_MAX,
        num_replicas: wanted.replicas,
        allow_direct: true,
        ..Config::default()
    }
}

async fn ensure_bucket(jetstream: &Context, bucket: &str, replicas: usize) -> Result<()> {
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
        num_replicas: replicas,
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
pub(crate) fn stream_bytes_max(free_bytes: u64, partitions: u32) -> u64 {
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

    const WANTED: Wanted = Wanted { region: "local", partitions: 2, replicas: 3, stream_bytes_max: 1000 };

    #[test]
    fn refused_payloads_are_bounded() {
        let config = rejected_config(&WANTED);
        assert_eq!((config.name.as_str(), config.subjects), ("REJECTED_local", vec!["rejected.local".to_owned()]));
        assert_eq!(config.discard, DiscardPolicy::Old);
        assert!(
            config.max_bytes > 0 && config.max_messages > 0 && config.max_message_size > 0 && config.max_age > Duration::ZERO
        );
    }

    #[test]
    fn a_stream_never_drops_what_it_has() {
        let config = stream_config(&WANTED, 1);
        assert_eq!(config.name, "EVENTS_local_1");
        assert_eq!(config.subjects, ["events.local.1"]);
        assert_eq!(config.discard, DiscardPolicy::New);
        assert_eq!(config.max_age, Duration::ZERO);
        assert!(config.max_bytes > 0 && config.allow_direct);
        assert_eq!(config.num_replicas, 3);
    }
}
