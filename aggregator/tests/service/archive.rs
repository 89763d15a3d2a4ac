//! The archive with a real nats-server and real files: what was received is kept once, wherever it is read, and the stream lets go only what is kept.

use crate::history::History as Oracle;
use crate::support::{Aggregator, PATIENCE, Region, batch, written};
use std::time::Instant;
use tokio_util::sync::CancellationToken;
use weir_aggregator::Config;
use weir_aggregator::replay::{Logic, ReplayError, Start, Wanted};
use weir_reader::history::{History, Reach};
use weir_reader::stream::{self, Delivered, PartitionStream};
use weir_rollup::rules::Rules;

/// Everything that is sealed and archived is old at once.
fn impatient(region: &Region) -> Config {
    Config { stream_retention_ms: 1, flush_rows_max: 40, checkpoint_every_ms: 1, ..region.config() }
}

async fn stream_of(region: &Region, from_seq: u64, last_seq: u64) -> Vec<Delivered> {
    let mut stream = PartitionStream::open(&region.jetstream, "local", 0, from_seq).await.unwrap();
    let mut messages = Vec::new();
    for _ in from_seq..=last_seq {
        messages.push(stream.next().await.unwrap());
    }
    messages
}

async fn history_of(region: &Region, from_seq: u64, last_seq: u64) -> Vec<Delivered> {
    let manifest = region.manifest().await.unwrap();
    let mut history = History::open(&region.jetstream, &region.store(), &manifest, from_seq).await.unwrap();
    let mut messages = Vec::new();
    for _ in from_seq..=last_seq {
        messages.push(history.next().await.unwrap());
    }
    messages
}

async fn first_seq(region: &Region) -> u64 {
    stream::state(&region.jetstream, "local", 0).await.unwrap().first_seq
}

/// Waits until the stream begins at a sequence.
async fn purged_to(region: &Region, seq: u64) {
    let started = Instant::now();
    while first_seq(region).await < seq {
        assert!(started.elapsed() < PATIENCE, "the stream begins at {}, not at {seq}", first_seq(region).await);
        tokio::task::yield_now().await;
    }
    assert_eq!(first_seq(region).await, seq);
}

async fn archived_to(region: &Region, seq: u64) {
    let started = Instant::now();
    while region.manifest().await.is_none_or(|manifest| manifest.archived_seq < seq) {
        assert!(started.elapsed() < PATIENCE, "not archived");
        tokio::task::yield_now().await;
    }
}

fn from_start() -> Wanted {
    Wanted { start: Start::Seq(1), partition: None, logic: Logic::Unchanged }
}

#[tokio::test(flavor = "multi_thread")]
async fn history_goes_on_across_archive_and_stream_and_a_replay_from_the_start_gives_the_same() {
    let region = Region::start().await;
    let (mut oracle, rules) = (Oracle::default(), Rules::built_in().unwrap());
    let mut sent = Vec::new();
    let aggregator = Aggregator::start(impatient(&region));
    for round in 0..4_u64 {
        for number in 1..=5 {
            // Read before it can be sealed: what is sealed may be gone.
            let seq = region.publish(&batch(1, round * 5 + number)).await;
            if number == 1 {
                continue;
            }
            assert_eq!(seq, round * 5 + number);
        }
        // Nothing of a round is purged before the next one is sealed: the aggregator may have sealed some of it already, by size.
        let available = first_seq(&region).await;
        sent.retain(|message: &Delivered| message.seq < available);
        sent.extend(stream_of(&region, available, (round + 1) * 5).await);
        region.seal((round + 1) * 5).await;
        purged_to(&region, (round + 1) * 5).await;
    }
    let manifest = region.manifest().await.unwrap();
    assert_eq!((manifest.sealed_seq, manifest.archived_seq, manifest.archive[0].first_seq), (20, 20, 1));
    assert_eq!(manifest.archive.iter().map(|object| object.events).sum::<u64>(), 400);
    // What comes now is in the stream alone.
    aggregator.stop().await;
    for number in 21..=23 {
        region.publish(&batch(1, number)).await;
    }
    for from_seq in [1, 2, 6, 19, 20, 21, 23] {
        let read = history_of(&region, from_seq, 23).await;
        assert_eq!(read.iter().map(|message| message.seq).collect::<Vec<_>>(), (from_seq..=23).collect::<Vec<_>>());
        let kept: Vec<&Delivered> = sent.iter().filter(|message| message.seq >= from_seq).collect();
        assert_eq!(read.iter().filter(|message| sent.iter().any(|sent| sent.seq == message.seq)).collect::<Vec<_>>(), kept);
    }
    // The oracle reads what the history gives; that it is what was sent was shown.
    oracle.take(history_of(&region, 1, 23).await);
    oracle.fold(&rules);
    let aggregator = Aggregator::start(impatient(&region));
    region.seal(23).await;
    purged_to(&region, 23).await;
    let served = region.content().await;
    assert_eq!(served, written(&region, oracle.clone()));
    let replayer = region.replayer().await;
    let plan = replayer.plan(&from_start()).await.unwrap();
    assert_eq!((plan.partitions[0].read.first_seq, plan.partitions[0].read.messages), (1, 23));
    assert!(plan.partitions[0].from_time.is_some() && plan.partitions[0].read.bytes > 0);
    let built = replayer.build(Some(&from_start()), &|_| {}, CancellationToken::new()).await.unwrap();
    assert_eq!((built.partitions[0].checksum.as_str(), built.events), (served.events.as_str(), 460));
    replayer.promote(&|_| {}).await.unwrap();
    assert_eq!(region.content().await, served);
    // The archive is that of the partition, whatever history is served.
    region.publish(&batch(1, 24)).await;
    region.seal(24).await;
    archived_to(&region, 24).await;
    replayer.rollback().await.unwrap();
    oracle.take(history_of(&region, 24, 24).await);
    oracle.fold(&rules);
    assert_eq!(region.content().await, written(&region, oracle));
    aggregator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn times_are_found_in_archive_and_stream() {
    let region = Region::start().await;
    let aggregator = Aggregator::start(Config { flush_rows_max: 1_000, ..impatient(&region) });
    for number in 1..=6 {
        region.publish(&batch(1, number)).await;
    }
    let sent = stream_of(&region, 1, 6).await;
    region.seal(6).await;
    purged_to(&region, 6).await;
    aggregator.stop().await;
    region.publish(&batch(1, 7)).await;
    let reach = Reach::of(&region.jetstream, &region.store(), &region.manifest().await.unwrap()).await.unwrap();
    assert_eq!((reach.first_seq(), reach.stream.first_seq), (1, 6));
    for message in &sent {
        assert_eq!(reach.time_of(message.seq).await.unwrap(), Some(message.stream_ms), "{}", message.seq);
        let first = sent.iter().find(|other| other.stream_ms >= message.stream_ms).unwrap();
        assert_eq!(reach.seq_at(message.stream_ms).await.unwrap(), first.seq, "{}", message.seq);
    }
    assert_eq!(
        (reach.seq_at(0).await.unwrap(), reach.time_of(0).await.unwrap(), reach.time_of(8).await.unwrap()),
        (1, None, None)
    );
    assert_eq!(reach.seq_at(u64::from(u32::MAX) * 1_000).await.unwrap(), 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn crashes_and_merges_leave_every_message_in_the_archive_once() {
    let mut region = Region::start().await;
    // A flush for each message, so that there are many objects, and merges among them.
    let config = Config { flush_rows_max: 20, archive_objects_max: 5, ..region.config() };
    let mut aggregator = Aggregator::start(config.clone());
    for number in 1..=45 {
        region.publish(&batch(1, number)).await;
        match number % 20 {
            7 => {
                aggregator.crash().await;
                aggregator = Aggregator::start(config.clone());
            }
            14 => {
                aggregator.stop().await;
                aggregator = Aggregator::start(config.clone());
            }
            19 => {
                region.kill_nats();
                region.restart_nats();
            }
            _ => {}
        }
    }
    region.seal(45).await;
    archived_to(&region, 45).await;
    let started = Instant::now();
    while region.manifest().await.unwrap().archive.len() > 9 {
        assert!(started.elapsed() < PATIENCE, "objects are not merged");
        tokio::task::yield_now().await;
    }
    assert_eq!(history_of(&region, 1, 45).await, stream_of(&region, 1, 45).await);
    let manifest = region.manifest().await.unwrap();
    let reach: Vec<(u64, u64)> = manifest.archive.iter().map(|object| (object.first_seq, object.last_seq)).collect();
    assert!(reach.windows(2).all(|pair| pair[0].1 + 1 == pair[1].0), "{reach:?}");
    assert_eq!((reach[0].0, reach[reach.len() - 1].1, first_seq(&region).await), (1, 45, 1));
    aggregator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_begins_where_the_stream_still_reaches() {
    let region = Region::start().await;
    let without = Config { archive: false, ..region.config() };
    let aggregator = Aggregator::start(without.clone());
    for number in 1..=5 {
        region.publish(&batch(1, number)).await;
    }
    region.seal(5).await;
    aggregator.stop().await;
    assert_eq!(region.manifest().await.unwrap().archived_seq, 0);
    let sent = stream_of(&region, 1, 5).await;
    // A program that archives takes over: what was sealed before is archived too, before it may be purged.
    let aggregator = Aggregator::start(impatient(&region));
    purged_to(&region, 5).await;
    assert_eq!(history_of(&region, 1, 5).await, sent);
    aggregator.stop().await;
    // Switched off again, and purged: then on again, and what is nowhere any more is told.
    let aggregator = Aggregator::start(Config { archive: false, ..impatient(&region) });
    for number in 6..=9 {
        region.publish(&batch(1, number)).await;
    }
    region.seal(9).await;
    purged_to(&region, 9).await;
    aggregator.stop().await;
    let aggregator = Aggregator::start(impatient(&region));
    archived_to(&region, 9).await;
    let manifest = region.manifest().await.unwrap();
    assert_eq!(manifest.archive.iter().map(|object| (object.first_seq, object.last_seq)).collect::<Vec<_>>(), [(9, 9)]);
    let gone = region.replayer().await.plan(&from_start()).await.unwrap_err();
    assert!(matches!(gone, ReplayError::Gone { needed_seq: 1, first_seq: 9, .. }), "{gone}");
    aggregator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_damaged_in_the_archive_stays_in_the_stream() {
    let region = Region::start().await;
    let aggregator = Aggregator::start(region.config());
    for number in 1..=3 {
        region.publish(&batch(1, number)).await;
    }
    region.seal(3).await;
    archived_to(&region, 3).await;
    aggregator.stop().await;
    let object = region.manifest().await.unwrap().archive[0].clone();
    let path = region.folder.path().join("files").join(&object.name);
    let bytes = std::fs::read(&path).unwrap();
    let mut damaged = bytes.clone();
    damaged[bytes.len() / 2] ^= 1;
    std::fs::write(&path, &damaged).unwrap();
    let aggregator = Aggregator::start(impatient(&region));
    let message = region.alarm("archive_failed").await;
    assert!(message.contains(&object.name), "{message}");
    assert_eq!(first_seq(&region).await, 1);
    assert!(
        History::open(&region.jetstream, &region.store(), &region.manifest().await.unwrap(), 1)
            .await
            .unwrap()
            .next()
            .await
            .is_err()
    );
    // Ingestion goes on, and once the object is whole again so does the rest.
    region.publish(&batch(1, 4)).await;
    region.seal(4).await;
    assert_eq!(first_seq(&region).await, 1);
    std::fs::write(&path, &bytes).unwrap();
    purged_to(&region, 4).await;
    aggregator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_archive_the_stream_keeps_what_a_replay_still_reads() {
    let region = Region::start().await;
    let config = Config { archive: false, ..region.config() };
    let aggregator = Aggregator::start(config.clone());
    for number in 1..=5 {
        region.publish(&batch(1, number)).await;
    }
    region.seal(5).await;
    aggregator.stop().await;
    let replayer = region.replayer().await;
    let cancel = CancellationToken::new();
    cancel.cancel();
    let interrupted = replayer.build(Some(&from_start()), &|_| {}, cancel).await;
    assert!(matches!(interrupted, Err(ReplayError::Cancelled)));
    let aggregator = Aggregator::start(Config { stream_retention_ms: 1, ..config });
    for number in 6..=9 {
        region.publish(&batch(1, number)).await;
        region.seal(number).await;
    }
    let built = replayer.build(None, &|_| {}, CancellationToken::new()).await.unwrap();
    assert_eq!(built.partitions[0].checksum, region.content().await.events);
    replayer.discard().await.unwrap();
    region.publish(&batch(1, 10)).await;
    region.seal(10).await;
    purged_to(&region, 10).await;
    aggregator.stop().await;
}
