//! The sweeper: lists, reads the manifests that stay, deletes what none of them names.

use crate::commit::Stop;
use crate::durable::Durable;
use std::collections::BTreeSet;
use weir_rollup::sweep;

const AFTER_MS: u64 = 24 * 3_600_000;
/// Few, so that it is the age that protects.
const MANIFESTS_KEPT: usize = 2;

/// One sweep. What it listed before it read the manifests may be out of date when it deletes.
pub(crate) fn act(durable: &mut Durable) -> Result<(), Stop> {
    let mut files = durable.list("parts/");
    files.extend(durable.list("state/"));
    files.extend(durable.list("archive/"));
    let (written, shadows) = (durable.list("manifests/"), durable.list("shadow/"));
    let Some(entry) = durable.head(crate::commit::SERVED).cloned() else { return Ok(()) };
    let Some(served) = durable.manifest(&entry.head.manifest) else {
        return Err(Stop::Wrong("the served manifest is gone".to_owned()));
    };
    let former = served.promotion.as_ref().and_then(|promotion| promotion.former.clone());
    let in_use: Vec<String> = std::iter::once(entry.head.manifest).chain(former.map(|former| former.name)).collect();
    let shadow = durable.record.as_ref().filter(|record| record.has_shadow()).and_then(|record| durable.head(&record.key()));
    let shadow: Vec<String> = shadow.map(|entry| entry.head.manifest.clone()).into_iter().collect();
    let mut manifests = sweep::divide(written, &in_use, MANIFESTS_KEPT, AFTER_MS);
    let shadows = sweep::divide(shadows, &shadow, 0, AFTER_MS);
    manifests.kept.extend(shadows.kept);
    manifests.dropped.extend(shadows.dropped);
    let mut named = BTreeSet::new();
    for name in &manifests.kept {
        let manifest = durable.manifest(name).ok_or_else(|| Stop::Wrong(format!("kept manifest {name} is gone")))?;
        named.extend(manifest.objects().into_iter().map(str::to_owned));
    }
    for name in sweep::unneeded(files, &named, AFTER_MS).into_iter().chain(manifests.dropped) {
        durable.tell(|| format!("sweep {name}"));
        durable.delete("sweep", &name)?;
    }
    Ok(())
}
