//! Repair: damaged and missing parts are folded anew from the stream, and served only if they hold what the manifest says that they held.

use super::{Logic, Progress, ReplayError, Replayer, Start, Wanted};
use crate::damage::{damaged_of, parts_folder};
use serde::Serialize;
use std::collections::HashSet;
use tokio_util::sync::CancellationToken;
use weir_reader::ReaderError;
use weir_rollup::manifest::{Manifest, Part};
use weir_rollup::part;

/// What a look at the files found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Found {
    /// Parts that the served manifests name.
    pub parts: u64,
    /// Parts that were read through, and are whole.
    pub verified: u64,
    /// Names of parts that were set aside though they are whole, and are back.
    pub restored: Vec<String>,
    /// Partitions with parts that must be rebuilt.
    pub partitions: Vec<Broken>,
}

/// The damaged parts of a partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Broken {
    /// Region of the partition.
    pub region: String,
    /// Its number.
    pub partition: u32,
    /// Names of parts whose bytes are not those that were written.
    pub damaged: Vec<String>,
    /// Names of parts that are gone.
    pub missing: Vec<String>,
    /// Lowest stream sequence of their rows: from there on history is folded anew.
    pub from_seq: u64,
    /// Their event rows.
    pub rows: u64,
}

/// A partition that was rebuilt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Repaired {
    /// Region of the partition.
    pub region: String,
    /// Its number.
    pub partition: u32,
    /// The revision that serves the rebuilt parts.
    pub revision: u64,
    /// Event rows of all parts, and their checksum: those of before the damage.
    pub rows: u64,
    /// See `rows`.
    pub checksum: String,
}

impl Replayer {
    /// Looks for parts that are damaged or missing; with `verify` each file is read through. `tell` gets how many of how many were looked at.
    ///
    /// # Errors
    /// When manifests or the store cannot be read.
    pub async fn look_for_damage(&self, verify: bool, tell: &(dyn Fn(u64, u64) + Send + Sync)) -> Result<Found, ReplayError> {
        let mut found = Found::default();
        let mut manifests = Vec::new();
        for partition in self.shared.config.partitions.clone() {
            match self.served(partition).await {
                Ok(served) => manifests.push(served.manifest),
                Err(ReplayError::NothingSealed) => {}
                Err(error) => return Err(error),
            }
        }
        let all = manifests.iter().map(|manifest| manifest.parts.len() as u64).sum();
        for manifest in &manifests {
            let broken = self.look_at(manifest, verify, &mut found, &|looked| tell(looked, all)).await?;
            found.partitions.extend(broken);
        }
        Ok(found)
    }

    async fn look_at(
        &self,
        manifest: &Manifest,
        verify: bool,
        found: &mut Found,
        tell: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<Option<Broken>, ReplayError> {
        let store = &self.shared.store;
        let aside: HashSet<String> = damaged_of(store, manifest).await?.into_iter().collect();
        let listed = store.list(&parts_folder(&manifest.region, manifest.partition)).await?;
        let there: HashSet<&str> = listed.iter().map(|listed| listed.name.as_str()).collect();
        let (mut damaged, mut missing) = (Vec::new(), Vec::new());
        for part in &manifest.parts {
            found.parts += 1;
            tell(found.parts);
            if aside.contains(&part.name) {
                let is_back = match &part.file_checksum {
                    Some(checksum) => store.restore(&part.name, checksum).await?,
                    None => false,
                };
                if is_back {
                    found.restored.push(part.name.clone());
                } else {
                    damaged.push(part);
                }
            } else if !there.contains(part.name.as_str()) {
                missing.push(part);
            } else if verify {
                match store.fetch_part(part).await {
                    Ok(_) => found.verified += u64::from(part.file_checksum.is_some()),
                    Err(ReaderError::Damaged { .. }) => damaged.push(part),
                    Err(error) => return Err(error.into()),
                }
            }
        }
        let both = || damaged.iter().chain(&missing);
        let Some(from_seq) = both().map(|part| part.min_seq).min() else { return Ok(None) };
        let names = |parts: &[&Part]| parts.iter().map(|part| part.name.clone()).collect();
        Ok(Some(Broken {
            region: manifest.region.clone(),
            partition: manifest.partition,
            damaged: names(&damaged),
            missing: names(&missing),
            from_seq,
            rows: both().map(|part| part.rows).sum(),
        }))
    }

    /// Folds a partition anew from its damaged parts on, with the logic as it was, and serves that instead. What was served before is not offered for a rollback.
    ///
    /// # Errors
    /// When the stream no longer reaches back so far, another replay is in progress, or what was rebuilt is not what was there: then it stays a shadow, to be
    /// compared and promoted or discarded by hand.
    pub async fn repair(
        &self,
        broken: &Broken,
        tell: &(dyn Fn(&Progress) + Send + Sync),
        cancel: CancellationToken,
    ) -> Result<Repaired, ReplayError> {
        let partition = broken.partition;
        // Sequences begin at 1; a part of control records alone may say 0.
        let start = Start::Seq(broken.from_seq.max(1));
        let wanted = Wanted { start, partition: Some(partition), logic: Logic::Unchanged };
        self.build(Some(&wanted), tell, cancel).await?;
        let switched = self.promote_if(tell, &|served, shadow| expect_same(served, shadow)).await?;
        self.discard().await?;
        let manifest = self.served(partition).await?.manifest;
        Ok(Repaired {
            region: self.region().to_owned(),
            partition,
            revision: switched.first().map_or(manifest.revision, |switched| switched.revision),
            rows: manifest.rows(),
            checksum: checksum(&manifest).unwrap_or_default(),
        })
    }
}

/// Checksum of all event rows, by what the manifest says of its parts; `None` when one has a checksum of an earlier kind.
fn checksum(manifest: &Manifest) -> Option<String> {
    part::combine_checksums(manifest.parts.iter().map(|part| part.content_checksum.as_str()))
}

/// Checksums of an earlier kind cannot be added up: then the numbers of rows are compared.
fn expect_same(served: &Manifest, shadow: &Manifest) -> Result<(), ReplayError> {
    let is_same = match (checksum(served), checksum(shadow)) {
        (Some(served), Some(shadow)) => served == shadow,
        _ => served.rows() == shadow.rows(),
    };
    if is_same {
        return Ok(());
    }
    Err(ReplayError::OtherRows { partition: served.partition, served_rows: served.rows(), shadow_rows: shadow.rows() })
}
