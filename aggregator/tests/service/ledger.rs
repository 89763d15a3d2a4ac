//! The ledger in committed parts: it counts every event once, it is checked at every commit, and older homes get one.

use crate::support::{Aggregator, PATIENCE, Region, batch, expected};
use std::time::Instant;
use weir_aggregator::Config;
use weir_event::model::{Event, EventBatch, Refused};
use weir_rollup::ledger::hour_of;
use weir_rollup::manifest::LogicFrom;
use weir_rollup::rules::Rules;

const HOUR: u64 = 3_600_000;

fn now_ms() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as u64
}

/// Lines of a ledger without hours and sequences: site, kind, count.
fn brief(ledger: &[String]) -> Vec<String> {
    let line = |line: &String| {
        let fields: Vec<&str> = line.split(' ').collect();
        format!("{} {} {}", fields[0], fields[2], fields[3])
    };
    ledger.iter().map(line).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_event_is_counted_once_and_refusals_need_no_events() {
    let region = Region::start().await;
    let aggregator = Aggregator::start(region.config());
    let received_ms = now_ms();
    let event = |id_low: u64, name: &str, user_agent: &str| Event {
        id_low,
        event_ms: received_ms,
        received_ms,
        site_id: 1,
        visitor_id: id_low,
        name: name.to_owned(),
        hostname: "shop.example".to_owned(),
        user_agent: user_agent.to_owned(),
        ..Event::default()
    };
    let browser = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
    let events = vec![
        event(1, "pageview", browser),
        event(1, "pageview", browser),
        event(2, "pageview", "Googlebot/2.1 (+http://www.google.com/bot.html)"),
        event(3, "engagement", browser),
        Event { event_ms: received_ms - 20 * 3_600_000, ..event(4, "pageview", browser) },
    ];
    let full = EventBatch { producer: vec![1; 16], number: 1, events, ..EventBatch::default() };
    let refused = vec![Refused { site_id: 0, hour_ms: received_ms, reason: "not_found".to_owned(), count: 7 }];
    region.publish(&full).await;
    region.publish(&EventBatch { producer: vec![1; 16], number: 2, refused, ..EventBatch::default() }).await;
    region.publish_raw("again", "1", weir_event::codec::encode(&full)).await;
    region.seal(3).await;
    let content = region.content().await;
    assert_eq!(
        brief(&content.ledger),
        [
            "0 rejected:not_found 7",
            "1 accepted 3",
            "1 bots 1",
            "1 deduplicated 1",
            "1 late 1",
            "1 rejected:no_session_for_engagement 1"
        ]
    );
    assert_eq!(content, expected(&region).await);
    let refused = vec![Refused { site_id: 9, hour_ms: received_ms, reason: "url".to_owned(), count: 1 }];
    region.publish(&EventBatch { producer: vec![1; 16], number: 3, refused, ..EventBatch::default() }).await;
    region.seal(4).await;
    let manifest = region.manifest().await.unwrap();
    assert_eq!(manifest.accepted, Some(3));
    assert_eq!(manifest.parts.iter().map(|part| part.rows).collect::<Vec<_>>(), [3, 0]);
    let ledger = manifest.parts[1].ledger.clone().unwrap();
    let hour_ms = hour_of(received_ms as i64);
    assert_eq!((ledger.accepted, ledger.min_hour_ms, ledger.max_hour_ms), (0, hour_ms, hour_ms));
    aggregator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_does_not_balance_is_refused_with_an_alarm() {
    let region = Region::start().await;
    let aggregator = Aggregator::start(region.config());
    region.publish(&batch(1, 1)).await;
    region.seal(1).await;
    aggregator.stop().await;
    // As if a part had lost a row.
    region.tamper(|manifest| manifest.accepted = Some(21)).await;
    let revision = region.manifest().await.unwrap().revision;
    let aggregator = Aggregator::start(region.config());
    let seq = region.publish(&batch(1, 2)).await;
    // The answer comes when somebody has repaired it.
    let sealed = async {
        let message = region.alarm("ledger_mismatch").await;
        assert!(message.contains("41 events were accepted, but 40 rows are in the parts"), "{message}");
        assert_eq!(region.manifest().await.unwrap().revision, revision, "nothing was committed");
        region.tamper(|manifest| manifest.accepted = Some(20)).await;
    };
    tokio::join!(region.seal(seq), sealed);
    assert_eq!(region.manifest().await.unwrap().accepted, Some(40));
    assert_eq!(region.content().await, expected(&region).await);
    region.alarm("ledger_mismatch").await;
    aggregator.stop().await;
}

/// Makes the region look as a version without a ledger left it.
async fn make_old(region: &Region) {
    let manifest = region.manifest().await.unwrap();
    for part in &manifest.parts {
        let file = region.store().local_path(&part.name).unwrap();
        let connection = duckdb::Connection::open(file).unwrap();
        connection.execute_batch("DROP TABLE ledger; UPDATE meta SET value = '1' WHERE key = 'format_version'").unwrap();
    }
    region
        .tamper(|manifest| {
            manifest.accepted = None;
            let digest = manifest.logic[0].logic.split_once('-').unwrap().1.to_owned();
            manifest.logic = vec![LogicFrom::new(1, format!("1-{digest}"))];
            for part in &mut manifest.parts {
                (part.format, part.ledger, part.file_checksum) = (1, None, None);
            }
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_home_of_before_the_ledger_goes_on() {
    let region = Region::start().await;
    // A part a batch.
    let config = Config { flush_rows_max: 20, ..region.config() };
    let aggregator = Aggregator::start(config.clone());
    for number in 1..=5 {
        region.publish(&batch(1, number)).await;
    }
    region.seal(5).await;
    aggregator.stop().await;
    make_old(&region).await;
    let old = region.manifest().await.unwrap();
    let aggregator = Aggregator::start(config);
    let started = Instant::now();
    while region.manifest().await.unwrap().logic.len() < 2 {
        assert!(started.elapsed() < PATIENCE, "the new logic is not announced");
        tokio::task::yield_now().await;
    }
    let announced = region.manifest().await.unwrap();
    let logic = LogicFrom::new(6, Rules::built_in().unwrap().logic());
    assert_eq!((announced.revision, announced.sealed_seq, announced.logic.last()), (old.revision + 1, 5, Some(&logic)));
    assert_eq!((announced.accepted, &announced.parts), (Some(100), &old.parts));
    for number in 6..=12 {
        region.publish(&batch(1, number)).await;
    }
    region.seal(12).await;
    let started = Instant::now();
    while region.manifest().await.unwrap().parts.iter().any(|part| part.format == 1) {
        assert!(started.elapsed() < PATIENCE, "old parts are not merged");
        tokio::task::yield_now().await;
    }
    aggregator.stop().await;
    let (content, expected) = (region.content().await, expected(&region).await);
    assert_eq!((content.rows, content.events, content.visits), (expected.rows, expected.events, expected.visits));
    let accepted = |ledger: &[String]| brief(ledger).into_iter().filter(|line| line.contains("accepted")).collect::<Vec<_>>();
    assert_eq!(accepted(&content.ledger), accepted(&expected.ledger), "events tell how many were accepted");
    assert_eq!(region.manifest().await.unwrap().accepted, Some(240));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_retry_does_not_count_again() {
    let region = Region::start().await;
    let now_ms = now_ms();
    let batch = |producer: u8, events: &[(u64, bool, u64)]| {
        let event = |(id_low, retry, age_ms): &(u64, bool, u64)| Event {
            id_low: *id_low,
            retry: *retry,
            event_ms: now_ms - age_ms,
            received_ms: now_ms,
            site_id: 1,
            visitor_id: *id_low,
            name: "pageview".to_owned(),
            ..Event::default()
        };
        EventBatch {
            producer: vec![producer; 16],
            number: 1,
            events: events.iter().map(event).collect(),
            ..EventBatch::default()
        }
    };
    let aggregator = Aggregator::start(region.config());
    region.publish(&batch(1, &[(1, false, 3 * HOUR), (2, false, 20 * HOUR), (3, false, 3 * HOUR)])).await;
    region.seal(1).await;
    aggregator.stop().await;
    // As two hours later: the state has forgotten the ids, rows have them.
    region.tamper(|manifest| manifest.state.clear()).await;
    let aggregator = Aggregator::start(region.config());
    let again =
        [(1, true, 3 * HOUR + 60_000), (2, true, 20 * HOUR), (4, true, 3 * HOUR), (4, true, 3 * HOUR), (3, true, 6 * HOUR)];
    region.publish(&batch(2, &again)).await;
    region.seal(2).await;
    let content = region.content().await;
    // 1 and 2 are copies, 4 comes twice, and 3 is another event: two events three hours apart are not one.
    assert_eq!(brief(&content.ledger), ["1 accepted 5", "1 deduplicated 3", "1 late 5"]);
    region.publish(&batch(3, &[(4, true, 3 * HOUR), (1, true, 3 * HOUR)])).await;
    region.seal(3).await;
    assert_eq!(brief(&region.content().await.ledger), ["1 accepted 5", "1 deduplicated 5", "1 late 5"]);
    aggregator.stop().await;
}
