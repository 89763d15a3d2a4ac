//! The views of one partition in all regions that one answer is made of.

use super::{Absence, OtherRegion};
use crate::revision::Revision;
use crate::service::Service;
use crate::tail::PartitionView;
use std::collections::BTreeMap;
use std::sync::Arc;
use weir_reader::store::{LocalFile, Store};
use weir_rollup::manifest::Rollup;

/// What one region has of a partition.
#[derive(Clone, Debug)]
pub struct RegionView {
    /// Name of the region.
    pub region: String,
    /// Where its files are.
    pub store: Store,
    /// The view.
    pub view: Arc<PartitionView>,
    /// The region, if it is another one than the service's own.
    pub other: Option<Arc<OtherRegion>>,
}

impl RegionView {
    /// A rollup as a file; `None` = rows have to answer.
    pub(crate) async fn fetch_rollup(&self, rollup: &Rollup) -> Option<LocalFile> {
        match &self.other {
            Some(other) => other.fetch_rollup(rollup).await,
            None => match self.store.fetch(&rollup.name, Some(&rollup.checksum)).await {
                Ok(file) => Some(file),
                Err(error) => {
                    tracing::warn!(rollup.name = rollup.name, %error, "rollup cannot be read, rows are read instead");
                    None
                }
            },
        }
    }
}

/// What an answer is made of, and what it lacks.
#[derive(Clone, Debug)]
pub struct Views {
    /// The regions whose events are counted; the service's own comes first.
    pub counted: Vec<RegionView>,
    /// The regions of which events are missing.
    pub absences: BTreeMap<String, Absence>,
    /// There are other regions than the service's own.
    pub is_federated: bool,
}

impl Views {
    /// Beside the view of the service's own region, those that the others have of the same partition. A revision is one of the own region alone.
    pub(crate) fn beside(service: &Service, own: Arc<PartitionView>, partition: u32, revision: Revision) -> Self {
        let now_ms = service.clock.now_ms();
        let is_federated = !service.others.is_empty();
        let mut absences = BTreeMap::new();
        if let Some(absence) = Absence::of(&own, now_ms).filter(|_| is_federated && revision == Revision::Newest) {
            absences.insert(service.region.clone(), absence);
        }
        let own = RegionView { region: service.region.clone(), store: service.store.clone(), view: own, other: None };
        let mut counted = vec![own];
        for other in &service.others {
            // Regions have the same partitions: that is looked at when the service starts.
            let Some(view) = other.partitions.get(&partition).map(|view| Arc::clone(&view.borrow())) else { continue };
            let absence = match revision {
                Revision::Newest if other.unreadable().is_some() => Some(Absence::Unreadable),
                Revision::Newest => Absence::of(&view, now_ms),
                Revision::Number(_) | Revision::Shadow => Some(Absence::OtherRevision),
            };
            if let Some(absence) = absence {
                absences.insert(other.name.clone(), absence);
            }
            if absence.is_none_or(Absence::is_counted) {
                let (region, store) = (other.name.clone(), other.store.clone());
                counted.push(RegionView { region, store, view, other: Some(Arc::clone(other)) });
            }
        }
        Self { counted, absences, is_federated }
    }

    /// Up to when the events of all counted regions are counted, Unix milliseconds.
    pub fn watermark_ms(&self) -> u64 {
        self.counted.iter().map(|at| at.view.watermark_ms).min().unwrap_or(0)
    }

    /// Revision in the service's own region.
    pub fn revision(&self) -> u64 {
        self.counted.first().map_or(0, |own| own.view.revision())
    }

    /// Names of the regions whose events are counted.
    pub fn regions(&self) -> Vec<String> {
        self.counted.iter().map(|at| at.region.clone()).collect()
    }

    /// Names of the regions of which events are missing.
    pub fn missing(&self) -> Vec<String> {
        self.absences.keys().cloned().collect()
    }
}
