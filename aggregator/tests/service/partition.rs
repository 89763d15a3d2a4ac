//! A partition with a real nats-server and real files: nothing is lost, nothing counts twice, and what must stop stops.

use crate::support::{Aggregator, PATIENCE, Region, batch, expected};
use std::time::Instant;
use weir_aggregator::Config;
use weir_event::subject;

#[tokio::test(flavor = "multi_thread")]
async fn flushes_ends_crashes_and_merges_leave_exactly_what_one_fold_gives() {
    let region = Region::start().await;
    // Two batches a part, so that there are many parts, and merges among them.
    let config = Config { flush_rows_max: 40, ..region.config() };
    let mut last_seq = 0;
    let mut aggregator = Aggregator::start(config.clone());
    for number in 1..=60 {
        last_seq = region.publish(&batch(1, number)).await;
        if number % 20 == 7 {
            aggregator.crash().await;
            aggregator = Aggregator::start(config.clone());
        }
        if number % 20 == 14 {
            aggregator.stop().await;
            aggregator = Aggregator::start(config.clone());
        }
    }
    region.seal(last_seq).await;
    let expected = expected(&region).await;
    assert_eq!(expected.rows, 1200);
    assert_eq!(region.content().await, expected);
    let started = Instant::now();
    while region.manifest().await.unwrap().parts.len() > 12 {
        assert!(started.elapsed() < PATIENCE, "parts are not merged");
        tokio::task::yield_now().await;
    }
    assert_eq!(region.content().await, expected);
    aggregator.stop().await;
    let manifest = region.manifest().await.unwrap();
    assert_eq!((manifest.sealed_seq, manifest.stream.sealed_message_id), (60, subject::message_id(&[1; 16], 60)));
    assert_eq!(manifest.logic.len(), 1);
    assert!(std::fs::read_dir(region.folder.path().join(".work")).unwrap().all(|left| left.unwrap().path().is_dir()));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_orderly_end_seals_what_is_pending_and_duplicates_move_the_sealed_sequence() {
    let region = Region::start().await;
    let aggregator = Aggregator::start(region.config());
    region.publish(&batch(1, 1)).await;
    // The same batch again, after the stream has forgotten its id.
    region.publish_raw("another-id", "1", weir_event::codec::encode(&batch(1, 1))).await;
    let started = Instant::now();
    let answer = region.flush(u64::MAX).await;
    assert_eq!(answer["sealed_seq"], 2, "everything that is there");
    assert!(started.elapsed().as_secs() < 20, "without waiting for the minute");
    let rows = region.content().await.rows;
    assert_eq!(rows, 20);
    assert_eq!(region.flush(2).await["sealed_seq"], 2, "nothing to do");
    let revision = region.manifest().await.unwrap().revision;
    region.publish_raw("a-third-id", "1", weir_event::codec::encode(&batch(1, 1))).await;
    assert_eq!(region.flush(3).await["sealed_seq"], 3, "a duplicate alone");
    let manifest = region.manifest().await.unwrap();
    assert_eq!((manifest.revision, manifest.parts.len()), (revision + 1, 1));
    region.publish(&batch(1, 2)).await;
    aggregator.stop().await;
    let after = Aggregator::start(region.config());
    region.seal(4).await;
    assert_eq!(region.content().await, expected(&region).await);
    assert!(region.flush(4).await["sealed_seq"] == 4);
    after.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_aggregators_on_one_partition_count_every_event_once() {
    let region = Region::start().await;
    let config = Config { flush_rows_max: 60, flush_after_ms: 500, ..region.config() };
    let (first, second) = (Aggregator::start(config.clone()), Aggregator::start(config));
    let mut last_seq = 0;
    for number in 1..=80 {
        last_seq = region.publish(&batch(1, number)).await;
    }
    let started = Instant::now();
    while region.manifest().await.is_none_or(|manifest| manifest.sealed_seq < last_seq) {
        assert!(started.elapsed() < PATIENCE, "not sealed: {:?}", region.manifest().await.map(|manifest| manifest.sealed_seq));
        tokio::task::yield_now().await;
    }
    let expected = expected(&region).await;
    assert_eq!(region.content().await, expected);
    // Whichever of them has the partition, the other one takes over when it is gone.
    first.crash().await;
    last_seq = region.publish(&batch(1, 81)).await;
    while region.manifest().await.is_none_or(|manifest| manifest.sealed_seq < last_seq) {
        assert!(started.elapsed() < PATIENCE, "nobody took over");
        tokio::task::yield_now().await;
    }
    let third = Aggregator::start(Config { flush_rows_max: 60, flush_after_ms: 500, ..region.config() });
    second.crash().await;
    last_seq = region.publish(&batch(1, 82)).await;
    region.seal(last_seq).await;
    third.stop().await;
    assert_eq!(region.content().await, self::expected(&region).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn nats_may_be_killed_at_any_time() {
    let mut region = Region::start().await;
    let aggregator = Aggregator::start(Config { flush_rows_max: 100, ..region.config() });
    for number in 1..=60 {
        region.publish(&batch(1, number)).await;
        if number % 25 == 0 {
            region.kill_nats();
            region.restart_nats();
        }
    }
    region.seal(60).await;
    assert_eq!(region.content().await, expected(&region).await);
    aggregator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_made_anew_stops_the_partition() {
    let region = Region::start().await;
    let aggregator = Aggregator::start(region.config());
    region.publish(&batch(1, 1)).await;
    region.seal(1).await;
    region.jetstream.delete_stream(subject::events_stream("local", 0)).await.unwrap();
    region.make_stream().await;
    for number in 1..=3 {
        region.publish(&batch(2, number)).await;
    }
    let message = region.alarm("stream_mismatch").await;
    assert!(message.contains("EVENTS_local_0"), "{message}");
    assert!(region.flush(3).await["error"].as_str().unwrap().contains("stands"));
    aggregator.stop().await;
    // A fresh start sees it too.
    let aggregator = Aggregator::start(region.config());
    let started = Instant::now();
    while region.flush(3).await["error"].is_null() {
        assert!(started.elapsed() < PATIENCE);
    }
    aggregator.stop().await;
    assert_eq!(region.manifest().await.unwrap().sealed_seq, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_shows_itself_shorter_for_a_while_is_gone_on_with() {
    let mut region = Region::start().await;
    let aggregator = Aggregator::start(region.config());
    let publish = async |region: &Region, numbers: std::ops::RangeInclusive<u64>| {
        for number in numbers {
            region.publish(&batch(1, number)).await;
        }
    };
    publish(&region, 1..=3).await;
    region.seal(3).await;
    // As a server does that comes back with less than the others have, until it has caught up.
    region.kill_nats();
    region.keep_stream("shorter");
    region.restart_nats();
    publish(&region, 4..=9).await;
    region.seal(9).await;
    region.kill_nats();
    region.keep_stream("whole");
    region.show_stream("shorter");
    region.restart_nats();
    let message = region.alarm("stream_mismatch").await;
    assert!(message.contains("ends at 3"), "{message}");
    assert!(region.flush(9).await["error"].as_str().unwrap().contains("stands"));
    region.kill_nats();
    region.show_stream("whole");
    region.restart_nats();
    publish(&region, 10..=11).await;
    region.seal(11).await;
    region.wait_for_the_end_of("stream_mismatch").await;
    assert_eq!(region.content().await, expected(&region).await);
    aggregator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_purged_before_they_were_sealed_stop_the_partition() {
    let region = Region::start().await;
    let aggregator = Aggregator::start(region.config());
    region.publish(&batch(1, 1)).await;
    region.seal(1).await;
    aggregator.stop().await;
    for number in 2..=5 {
        region.publish(&batch(1, number)).await;
    }
    let stream = region.jetstream.get_stream(subject::events_stream("local", 0)).await.unwrap();
    stream.purge().sequence(4).await.unwrap();
    let aggregator = Aggregator::start(region.config());
    let message = region.alarm("stream_gap").await;
    assert!(message.contains("no message 2") && message.contains("is 4"), "{message}");
    aggregator.stop().await;
    assert_eq!(region.manifest().await.unwrap().sealed_seq, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_cannot_be_decoded_stops_the_partition_before_it() {
    for (schema, payload) in [("2", weir_event::codec::encode(&batch(1, 3))), ("1", vec![0xff; 40])] {
        let region = Region::start().await;
        region.publish(&batch(1, 1)).await;
        region.publish(&batch(1, 2)).await;
        region.publish_raw("x", schema, payload).await;
        region.publish(&batch(1, 4)).await;
        let aggregator = Aggregator::start(region.config());
        let message = region.alarm("undecodable_batch").await;
        assert!(message.contains("message 3"), "{message}");
        assert_eq!(region.manifest().await.unwrap().sealed_seq, 2, "what came before is sealed");
        aggregator.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_jump_in_the_numbers_of_a_producer_raises_an_alarm_and_nothing_stops() {
    let region = Region::start().await;
    let aggregator = Aggregator::start(region.config());
    region.publish(&batch(1, 1)).await;
    region.publish(&batch(1, 3)).await;
    let message = region.alarm("number_jump").await;
    assert!(message.contains("number 3, expected 2"), "{message}");
    region.seal(2).await;
    aggregator.stop().await;
}
