//! Merging beside the fold: new parts are stored one by one, then one commit puts them in the place of the old ones.

use crate::aggregator::COMMIT_MS_MAX;
use crate::commit::{Line, Prepared, Stop};
use crate::durable::{Content, Durable};
use crate::partfile::PartFile;
use weir_rollup::fold::KEEP_IDS_MS;
use weir_rollup::manifest::{Manifest, Part};
use weir_rollup::merge::{self, Limits};

/// Small, so that all levels come up.
const LIMITS: Limits =
    Limits { flush_parts: 3, flush_parts_max: 6, hour_parts: 3, day_parts: 2, target_bytes: 4_000, periods_max: 12 };

/// A merge in work.
pub(crate) struct Merge {
    started_ms: u64,
    replaced: Vec<String>,
    outputs: Vec<(Part, PartFile)>,
    stored: usize,
    prepared: Option<Prepared>,
}

impl Merge {
    /// The next job; `None` = there is none, or its files are gone because this process stood still for days.
    pub(crate) fn begin(durable: &mut Durable, manifest: &Manifest) -> Option<Self> {
        let job = merge::next_job(manifest, &LIMITS)?;
        let inputs: Option<Vec<PartFile>> = job.inputs.iter().map(|name| durable.part(name).cloned()).collect();
        let inputs = inputs?;
        let ids_from_ms = manifest.sealed_stream_ms.saturating_sub(KEEP_IDS_MS) as i64;
        let mut outputs = Vec::new();
        for period in &job.periods {
            let mut file = PartFile::default();
            for input in &inputs {
                file.add(input.slice(&(period.start_ms..period.end_ms), &job.ledger_hours(period)));
            }
            file.rows.iter_mut().filter(|row| row.received_ms < ids_from_ms).for_each(|row| row.event_id = 0);
            if !file.is_empty() {
                let name = durable.name("parts/");
                outputs.push((file.describe(&name, period.level, period.start_ms), file));
            }
        }
        Some(Self { started_ms: durable.now_ms, replaced: job.inputs, outputs, stored: 0, prepared: None })
    }

    /// Whether it holds the manifest.
    pub(crate) fn is_committing(&self) -> bool {
        self.prepared.is_some()
    }

    /// Takes the next step; `true` = it is done, or its inputs are no longer listed.
    pub(crate) fn step(&mut self, durable: &mut Durable, line: &mut Line) -> Result<bool, Stop> {
        if durable.now_ms - self.started_ms > COMMIT_MS_MAX {
            return Err(Stop::Reload);
        }
        if let Some((part, file)) = self.outputs.get(self.stored) {
            durable.put("merge: part", &part.name, Content::Part(file.clone()))?;
            self.stored += 1;
            return Ok(false);
        }
        if let Some(prepared) = self.prepared.take() {
            line.swap(durable, "merge: head", prepared)?;
            durable.tell(|| format!("merged {} into {} parts", self.replaced.len(), self.outputs.len()));
            return Ok(true);
        }
        let outputs: Vec<Part> = self.outputs.iter().map(|(part, _)| part.clone()).collect();
        let Some(prepared) = line.prepare(durable, |manifest| manifest.exchange(&self.replaced, outputs))? else {
            return Ok(true);
        };
        Line::store(durable, "merge: manifest", &prepared)?;
        self.prepared = Some(prepared);
        Ok(false)
    }
}
