//! Deletions: what is asked for is gone from all files and never comes back, and nothing else is touched.

use crate::support::{Aggregator, PATIENCE, Region, batch};
use std::time::Instant;
use tokio_util::sync::CancellationToken;
use weir_aggregator::Config;
use weir_aggregator::affected::affected;
use weir_aggregator::replay::{Logic, Replayer, Start, Wanted};
use weir_event::model::{ControlKind, DeleteSite, DeleteVisitor, Event};
use weir_event::subject;
use weir_reader::control::erasures;
use weir_reader::{archive, buckets};
use weir_rollup::manifest::{Erasure, Manifest};

const VISITOR: Erased = Erased { site_id: 2, visitor_id: Some(2) };
const SITE: Erased = Erased { site_id: 3, visitor_id: None };

/// What is asked to be forgotten.
#[derive(Clone, Copy, Debug)]
struct Erased {
    site_id: u32,
    visitor_id: Option<u64>,
}

impl Erased {
    fn kind(self) -> ControlKind {
        let Self { site_id, visitor_id } = self;
        match visitor_id {
            Some(visitor_id) => ControlKind::DeleteVisitor(DeleteVisitor { site_id, visitor_id }),
            None => ControlKind::DeleteSite(DeleteSite { site_id }),
        }
    }

    /// The same before a position.
    fn before(self, seq: u64) -> Erasure {
        Erasure { seq, site_id: self.site_id, visitor_id: self.visitor_id, ..Erasure::new(String::new(), 0) }
    }
}

fn config(region: &Region) -> Config {
    Config { checkpoint_every_ms: 1, ..region.config() }
}

async fn publish(region: &Region, numbers: std::ops::Range<u64>) -> u64 {
    let mut seq = 0;
    for number in numbers {
        seq = region.publish(&batch(1, number)).await;
    }
    seq
}

async fn ask(region: &Region, what: Erased) -> u64 {
    erasures::ask(&region.jetstream, "local", 0, what.kind(), 7).await.unwrap().seq
}

/// Rows that stand there before a position, hidden or not.
async fn rows_of(region: &Region, what: Erased, seq: u64) -> u64 {
    let (store, manifest) = (region.store(), region.manifest().await.unwrap());
    affected(&store, &manifest, &what.before(seq)).await.unwrap().rows
}

/// Waits until nothing is left to erase from files and history.
async fn until_done(region: &Region, erasures: usize) -> Manifest {
    let started = Instant::now();
    loop {
        let manifest = region.manifest().await.unwrap();
        if manifest.erasures.len() == erasures
            && manifest.erasures.iter().all(|erasure| erasure.parts_done && erasure.history_done)
        {
            return manifest;
        }
        if started.elapsed() > PATIENCE {
            let status = buckets::get(&region.jetstream, subject::STATUS_BUCKET, "aggregator.local.0").await.unwrap();
            panic!("not erased: {:?} {status:?}", manifest.erasures);
        }
        tokio::task::yield_now().await;
    }
}

/// The ledger of the files by kind, and their rows.
async fn totals(region: &Region) -> (u64, u64, u64) {
    let content = region.content().await;
    let of = |kind: &str| -> u64 {
        let words = content.ledger.iter().map(|line| line.split(' ').collect::<Vec<_>>());
        words.filter(|words| words[2] == kind).map(|words| words[3].parse::<u64>().unwrap()).sum()
    };
    (of("accepted"), of("erased"), content.rows)
}

/// Raw events in the archive that stand before a position.
async fn archived(region: &Region, what: Erased, seq: u64) -> usize {
    let (store, manifest) = (region.store(), region.manifest().await.unwrap());
    let mut found = 0;
    for object in &manifest.archive {
        for message in archive::decode(&archive::load(&store, object).await.unwrap()).unwrap() {
            let batch = weir_event::codec::decode(message.schema, &message.payload).unwrap();
            let is_it = |event: &Event| {
                event.site_id == what.site_id && what.visitor_id.is_none_or(|visitor_id| visitor_id == event.visitor_id)
            };
            found += batch.events.iter().filter(|event| message.seq < seq && is_it(event)).count();
        }
    }
    found
}

async fn replay(replayer: &Replayer, from_seq: u64) {
    let wanted = Wanted { start: Start::Seq(from_seq), partition: None, logic: Logic::Unchanged };
    replayer.build(Some(&wanted), &|_| {}, CancellationToken::new()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_deleted_is_gone_from_the_files_through_crashes_replays_and_rollbacks() {
    let region = Region::start().await;
    let mut aggregator = Aggregator::start(config(&region));
    for flush in 0..5 {
        let seq = publish(&region, flush * 3 + 1..flush * 3 + 4).await;
        region.seal(seq).await;
    }
    // The record comes in the middle of what is pending.
    publish(&region, 16..18).await;
    let visitor_seq = ask(&region, VISITOR).await;
    let last_seq = publish(&region, 18..20).await;
    region.seal(last_seq).await;
    aggregator.crash().await;
    let listed = region.manifest().await.unwrap().erasures;
    assert_eq!(listed.iter().map(|erasure| (erasure.seq, erasure.visitor_id)).collect::<Vec<_>>(), [(visitor_seq, Some(2))]);
    aggregator = Aggregator::start(config(&region));
    let manifest = until_done(&region, 1).await;
    assert_eq!(rows_of(&region, VISITOR, visitor_seq).await, 0);
    let later = rows_of(&region, VISITOR, u64::MAX).await;
    assert!(later > 0, "what came after the record stays");
    assert_eq!(archived(&region, VISITOR, visitor_seq).await, 0);
    assert!(archived(&region, VISITOR, u64::MAX).await > 0 && manifest.archived_seq == manifest.sealed_seq);
    let (accepted, erased, rows) = totals(&region).await;
    assert_eq!((accepted, rows + erased), (19 * 20, 19 * 20));
    assert_eq!((manifest.accepted, manifest.erased), (Some(accepted), erased));
    assert!(erased > 0);

    // A replay folds the stream, which still has everything, and gives the same rows.
    let replayer = region.replayer().await;
    let before = region.content().await;
    for from_seq in [1, visitor_seq - 3] {
        replay(&replayer, from_seq).await;
        let report = replayer.diff(&weir_aggregator::replay::diff::Options { limit: 10, site_id: None }).await.unwrap();
        assert!(report.equal, "from {from_seq}");
        replayer.discard().await.unwrap();
    }

    // Asked for between promotion and rollback: the former files come back without it.
    replay(&replayer, 1).await;
    replayer.promote(&|_| {}).await.unwrap();
    region.seal(last_seq).await;
    assert_eq!(region.content().await.events, before.events);
    let site_seq = ask(&region, SITE).await;
    region.seal(site_seq).await;
    until_done(&region, 2).await;
    assert_eq!(rows_of(&region, SITE, u64::MAX).await, 0);
    let switched = replayer.rollback().await.unwrap();
    let manifest = region.manifest().await.unwrap();
    assert!(manifest.revision >= switched[0].revision);
    if manifest.revision == switched[0].revision {
        assert_eq!(manifest.open_erasures().count(), 2, "hidden from the first moment");
    }
    let last_seq = publish(&region, 20..22).await;
    region.seal(last_seq).await;
    let manifest = until_done(&region, 2).await;
    assert_eq!(rows_of(&region, SITE, site_seq).await + rows_of(&region, VISITOR, visitor_seq).await, 0);
    assert_eq!(archived(&region, SITE, site_seq).await + archived(&region, VISITOR, visitor_seq).await, 0);
    let (accepted, erased, rows) = totals(&region).await;
    assert_eq!((accepted, rows + erased), (21 * 20, 21 * 20));
    assert_eq!((manifest.accepted, manifest.erased), (Some(accepted), erased));
    // No kept state has a visit that was deleted before it ended.
    for checkpoint in manifest.checkpoints.iter().filter(|checkpoint| checkpoint.seq < visitor_seq) {
        let encoded = weir_reader::states::load_object(&region.store(), &checkpoint.state).await.unwrap();
        let mut state = weir_rollup::fold::State::decode(&encoded).unwrap();
        assert!(!state.erase(&VISITOR.before(0)), "checkpoint {}", checkpoint.seq);
    }
    aggregator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_sites_are_untouched() {
    let (one, other) = (Region::start().await, Region::start().await);
    let mut contents = Vec::new();
    for (region, deletes) in [(&one, true), (&other, false)] {
        let aggregator = Aggregator::start(config(region));
        let mut seq = 0;
        for number in 1..12 {
            let mut batch = batch(1, number);
            // The same in both regions, and nothing of the deleted site in one of them.
            batch.formed_ms = 1_795_000_000_000;
            for event in &mut batch.events {
                event.received_ms = batch.formed_ms + number;
                event.event_ms = event.received_ms;
            }
            batch.refused.clear();
            if !deletes {
                // Positions stay.
                batch.erase(|_, event| {
                    let erased = weir_event::erase::Erased { fate: weir_event::model::Fate::Row, bot: false, late: true };
                    (event.site_id == SITE.site_id).then_some(erased)
                });
            }
            seq = region.publish(&batch).await;
            if number % 4 == 0 {
                region.seal(seq).await;
            }
        }
        if deletes {
            seq = ask(region, SITE).await;
        }
        region.seal(seq).await;
        until_done(region, usize::from(deletes)).await;
        contents.push(region.content().await);
        aggregator.stop().await;
    }
    let (left, never) = (&contents[0], &contents[1]);
    assert_eq!((left.rows, &left.events, &left.visits), (never.rows, &never.events, &never.visits));
    let counts = |lines: &[String]| lines.iter().filter(|line| !line.contains("late")).cloned().collect::<Vec<_>>();
    assert_eq!(counts(&left.ledger), counts(&never.ledger));
}
