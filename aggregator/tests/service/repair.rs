//! Damaged and missing parts: told, set aside, rebuilt from the stream with exactly the rows of before.

use crate::support::{Aggregator, Region, batch, expected};
use tokio_util::sync::CancellationToken;
use weir_aggregator::Config;
use weir_aggregator::replay::{ReplayError, Replayer};
use weir_reader::store::quarantined_name;
use weir_rollup::manifest::PromotionKind;

/// Flushes of one batch each, three of them; then the content.
async fn sealed(region: &Region, batches: std::ops::RangeInclusive<u64>) {
    for number in batches {
        let seq = region.publish(&batch(1, number)).await;
        region.seal(seq).await;
    }
}

async fn repair(replayer: &Replayer, dry: bool) -> (Vec<String>, Vec<String>) {
    let found = replayer.look_for_damage(true, &|_, _| {}).await.unwrap();
    let (mut damaged, mut missing) = (Vec::new(), Vec::new());
    for broken in &found.partitions {
        damaged.extend(broken.damaged.clone());
        missing.extend(broken.missing.clone());
        if !dry {
            replayer.repair(broken, &|_| {}, CancellationToken::new()).await.unwrap();
        }
    }
    (damaged, missing)
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_and_missing_parts_are_told_and_rebuilt() {
    let region = Region::start().await;
    let config = Config { compaction: false, checkpoint_every_ms: 1, ..region.config() };
    let aggregator = Aggregator::start(config);
    sealed(&region, 1..=4).await;
    let store = region.store();
    let parts = region.manifest().await.unwrap().parts;
    let (changed, gone) = (&parts[1], &parts[2]);
    let path = store.local_path(&changed.name).unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    std::fs::remove_file(store.local_path(&gone.name).unwrap()).unwrap();

    let replayer = region.replayer().await;
    assert_eq!(repair(&replayer, true).await, (vec![changed.name.clone()], vec![gone.name.clone()]));
    assert!(!path.exists() && store.local_path(&quarantined_name(&changed.name)).unwrap().exists());
    let alarm = region.alarm("part_damaged").await;
    assert!(alarm.contains(&changed.name) && alarm.contains("weir repair"), "{alarm}");
    // Ingestion goes on meanwhile.
    sealed(&region, 5..=5).await;

    assert_eq!(repair(&replayer, false).await, (vec![changed.name.clone()], vec![gone.name.clone()]));
    assert_eq!(region.content().await, expected(&region).await);
    let manifest = region.manifest().await.unwrap();
    assert!(manifest.parts.iter().all(|part| ![&changed.name, &gone.name].contains(&&part.name)));
    assert!(manifest.parts.iter().any(|part| part.name == parts[0].name), "what is before them stays");
    let promotion = manifest.promotion.unwrap();
    assert_eq!((promotion.kind, promotion.former), (PromotionKind::Promote, None), "nothing leads back to damaged files");
    region.wait_for_the_end_of("part_damaged").await;
    assert_eq!(repair(&replayer, true).await, (vec![], vec![]));
    sealed(&region, 6..=6).await;
    assert_eq!(region.content().await, expected(&region).await);
    aggregator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_rebuilt_must_be_what_was_there() {
    let region = Region::start().await;
    let aggregator = Aggregator::start(Config { compaction: false, ..region.config() });
    sealed(&region, 1..=2).await;
    aggregator.stop().await;
    let parts = region.manifest().await.unwrap().parts;
    std::fs::remove_file(region.store().local_path(&parts[1].name).unwrap()).unwrap();
    // A manifest that claims other rows than the stream gives.
    region.tamper(|manifest| manifest.parts[1].content_checksum.replace_range(.., "20-m0000000000000000")).await;
    let replayer = region.replayer().await;
    let found = replayer.look_for_damage(false, &|_, _| {}).await.unwrap();
    let outcome = replayer.repair(&found.partitions[0], &|_| {}, CancellationToken::new()).await;
    assert!(matches!(outcome, Err(ReplayError::OtherRows { .. })), "{outcome:?}");
    assert_eq!(region.manifest().await.unwrap().parts[1].name, parts[1].name, "nothing is switched");
    assert!(replayer.discard().await.unwrap().shadow, "and it can be given up");
}
