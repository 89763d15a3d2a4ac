//! Merging of the archive beside the fold: one new object is stored, then one commit puts it in the place of the old ones.

use crate::aggregator::COMMIT_MS_MAX;
use crate::commit::{Line, Prepared, Stop};
use crate::durable::{Content, Durable, Message};
use weir_rollup::archive::{Limits, next_merge};
use weir_rollup::manifest::{ArchiveObject, Manifest};

/// Small, so that objects are merged several times and finished some time. What a flush writes counts 1.
const LIMITS: Limits = Limits { bytes_max: 40, count_max: 3 };

/// A merge of raw batches in work.
pub(crate) struct ArchiveMerge {
    started_ms: u64,
    replaced: Vec<String>,
    output: ArchiveObject,
    messages: Vec<Message>,
    is_stored: bool,
    prepared: Option<Prepared>,
}

impl ArchiveMerge {
    /// The next merge; `None` = there is none, or its objects are gone because this process stood still for days.
    pub(crate) fn begin(durable: &mut Durable, manifest: &Manifest) -> Option<Self> {
        let inputs = &manifest.archive[next_merge(&manifest.archive, &LIMITS)?];
        let (first, last) = (inputs.first()?, inputs.last()?);
        let mut messages = Vec::new();
        for input in inputs {
            match durable.get(&input.name) {
                Some(Content::Archive(found)) => messages.extend(found.iter().cloned()),
                _ => return None,
            }
        }
        let output = ArchiveObject {
            name: durable.name("archive/"),
            bytes: inputs.iter().map(|object| object.bytes).sum(),
            first_seq: first.first_seq,
            first_stream_ms: first.first_stream_ms,
            events: inputs.iter().map(|object| object.events).sum(),
            ..last.clone()
        };
        let replaced = inputs.iter().map(|object| object.name.clone()).collect();
        Some(Self { started_ms: durable.now_ms, replaced, output, messages, is_stored: false, prepared: None })
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
        if !self.is_stored {
            durable.put("archive: object", &self.output.name, Content::Archive(self.messages.clone()))?;
            self.is_stored = true;
            return Ok(false);
        }
        if let Some(prepared) = self.prepared.take() {
            line.swap(durable, "archive: head", prepared)?;
            durable.tell(|| format!("merged {} objects of the archive", self.replaced.len()));
            return Ok(true);
        }
        let output = self.output.clone();
        let Some(prepared) = line.prepare(durable, |manifest| manifest.exchange_archive(&self.replaced, vec![output]))? else {
            return Ok(true);
        };
        Line::store(durable, "archive: manifest", &prepared)?;
        self.prepared = Some(prepared);
        Ok(false)
    }
}
