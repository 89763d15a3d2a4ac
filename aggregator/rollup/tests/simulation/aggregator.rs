//! An aggregator: loads the partition, folds the stream, seals what it folded. It takes one step at a time, so that others come in between.

use crate::archivist::ArchiveMerge;
use crate::commit::{Line, Prepared, SERVED, Stop};
use crate::durable::{Content, Durable, Message};
use crate::eraser;
use crate::merger::Merge;
use crate::partfile::PartFile;
use crate::run::{Orders, Rulebook};
use std::sync::Arc;
use weir_rollup::fold::{self, Arrival, KnownIds, Recall, State, old_retries, parts_to_search};
use weir_rollup::ledger::Book;
use weir_rollup::manifest::{ArchiveObject, Erasure, Keep, Level, LogicFrom, Manifest, ObjectRef, Part, Sealed, Step, Subject};
use weir_rollup::row::{ControlRow, EventRow};
use weir_rollup::rules::Rules;

/// A commit that takes longer is given up.
pub(crate) const COMMIT_MS_MAX: u64 = 3_600_000;
/// Checkpoints every three hours, so that replays have a choice; a rollback is offered for a day.
pub(crate) const KEEP: Keep = Keep { checkpoint_every_ms: 3 * 3_600_000, checkpoints: 400, rollback_offered_ms: 24 * 3_600_000 };

/// An aggregator, alive or not.
pub(crate) struct Aggregator {
    pub(crate) name: &'static str,
    pub(crate) alive: Option<Box<Alive>>,
}

/// What one has in memory.
pub(crate) struct Alive {
    pub(crate) line: Line,
    pub(crate) folding: Folding,
    flush: Option<Flush>,
    merge: Option<Merge>,
    archiving: Option<ArchiveMerge>,
}

/// A fold in work and what it has not yet sealed: for live ingestion and replays alike.
pub(crate) struct Folding {
    pub(crate) state: State,
    pub(crate) folded_seq: u64,
    logic: LogicFrom,
    rules: Arc<Rules>,
    rows: Vec<EventRow>,
    controls: Vec<ControlRow>,
    book: Book,
    messages: Vec<Message>,
    /// What a replay cannot find in parts.
    pub(crate) recall: Recall,
}

/// A flush in work.
pub(crate) struct Flush {
    step: usize,
    started_ms: u64,
    part: Option<(String, PartFile)>,
    archive: Option<(String, Vec<Message>)>,
    state: (String, Vec<u8>),
    sealed: Sealed,
    prepared: Option<Prepared>,
}

impl Aggregator {
    /// Takes a step. Whoever crashes or must load again has nothing left in memory.
    pub(crate) fn act(&mut self, durable: &mut Durable, rulebook: &Rulebook, orders: Orders) -> Result<(), String> {
        let Some(alive) = &mut self.alive else {
            self.alive = match Alive::load(durable, rulebook) {
                Ok(alive) => Some(Box::new(alive)),
                Err(Stop::Wrong(what)) => return Err(what),
                Err(_) => None,
            };
            return Ok(());
        };
        match alive.act(durable, orders) {
            Ok(()) => {}
            Err(Stop::Wrong(what)) => return Err(format!("aggregator {}: {what}", self.name)),
            Err(stop) => {
                durable.tell(|| format!("{} {stop:?}", self.name));
                self.alive = None;
            }
        }
        Ok(())
    }
}

impl Alive {
    fn load(durable: &Durable, rulebook: &Rulebook) -> Result<Self, Stop> {
        let line = Line::load(durable, SERVED)?
            .unwrap_or_else(|| Line::new(SERVED, Manifest::nothing("local", 0, "EVENTS_local_0", "t")));
        let (logic, rules) = rulebook.live(&line.manifest);
        let folding = Folding::load(durable, &line.manifest, logic, rules)?;
        if folding.folded_seq + 1 < durable.first_seq {
            return Err(Stop::Wrong(format!("messages after {} were purged unsealed", folding.folded_seq)));
        }
        Ok(Self { line, folding, flush: None, merge: None, archiving: None })
    }

    fn act(&mut self, durable: &mut Durable, orders: Orders) -> Result<(), Stop> {
        match durable.rng.u32(..10) {
            0..5 if self.flush.is_none() => self.fold(durable),
            5..8 if self.flush.is_some() || self.folding.has_pending() => self.flush(durable, orders),
            8 => self.merge(durable),
            9 if durable.rng.bool() => self.erase(durable),
            9 => self.archive(durable),
            _ => self.flush(durable, orders),
        }
    }

    fn fold(&mut self, durable: &mut Durable) -> Result<(), Stop> {
        for _ in 0..durable.rng.u32(1..6) {
            let Some(message) = durable.message(self.folding.folded_seq + 1).cloned() else { return Ok(()) };
            self.folding.take(durable, &self.line.manifest, message)?;
        }
        Ok(())
    }

    fn flush(&mut self, durable: &mut Durable, orders: Orders) -> Result<(), Stop> {
        let Some(mut flush) = self.flush.take().or_else(|| self.folding.begin_flush(durable, &self.line.manifest, true)) else {
            return Ok(());
        };
        // A merge that is being committed holds the manifest.
        let is_held = self.merge.as_ref().is_some_and(Merge::is_committing);
        let is_held = is_held || self.archiving.as_ref().is_some_and(ArchiveMerge::is_committing);
        if is_held && flush.commits_next(orders.flush) {
            self.flush = Some(flush);
            return Ok(());
        }
        if !flush.step(durable, &mut self.line, orders.flush)? {
            self.flush = Some(flush);
        }
        Ok(())
    }

    /// Erasing takes turns with merging: it has one step at a time, whole.
    fn erase(&mut self, durable: &mut Durable) -> Result<(), Stop> {
        let is_free = self.flush.as_ref().is_none_or(|flush| flush.prepared.is_none())
            && self.merge.is_none()
            && !self.archiving.as_ref().is_some_and(ArchiveMerge::is_committing);
        if is_free { eraser::act(durable, &mut self.line) } else { self.merge(durable) }
    }

    fn merge(&mut self, durable: &mut Durable) -> Result<(), Stop> {
        let Some(mut merge) = self.merge.take().or_else(|| Merge::begin(durable, &self.line.manifest)) else { return Ok(()) };
        let is_held = self.flush.as_ref().is_some_and(|flush| flush.prepared.is_some());
        let is_held = is_held || self.archiving.as_ref().is_some_and(ArchiveMerge::is_committing);
        if is_held || !merge.step(durable, &mut self.line)? {
            self.merge = Some(merge);
        }
        Ok(())
    }

    fn archive(&mut self, durable: &mut Durable) -> Result<(), Stop> {
        let begun = self.archiving.take().or_else(|| ArchiveMerge::begin(durable, &self.line.manifest));
        let Some(mut archiving) = begun else { return Ok(()) };
        let is_held = self.flush.as_ref().is_some_and(|flush| flush.prepared.is_some());
        let is_held = is_held || self.merge.as_ref().is_some_and(Merge::is_committing);
        if is_held || !archiving.step(durable, &mut self.line)? {
            self.archiving = Some(archiving);
        }
        Ok(())
    }
}

impl Folding {
    /// Goes on from a manifest's state.
    pub(crate) fn load(durable: &Durable, manifest: &Manifest, logic: LogicFrom, rules: Arc<Rules>) -> Result<Self, Stop> {
        let state = match manifest.state.first() {
            None => State::default(),
            Some(object) => decode(durable, object)?,
        };
        let folded_seq = manifest.sealed_seq;
        Ok(Self {
            state,
            folded_seq,
            logic,
            rules,
            rows: Vec::new(),
            controls: Vec::new(),
            book: Book::default(),
            messages: Vec::new(),
            recall: Recall::default(),
        })
    }

    pub(crate) fn has_pending(&self) -> bool {
        !self.messages.is_empty()
    }

    /// Folds with other rules from here on.
    pub(crate) fn go_on_with(&mut self, logic: LogicFrom, rules: Arc<Rules>) {
        (self.logic, self.rules) = (logic, rules);
    }

    /// Folds the next message.
    pub(crate) fn take(&mut self, durable: &Durable, manifest: &Manifest, message: Message) -> Result<(), Stop> {
        let wanted = old_retries(&self.state, &message.batch, message.stream_ms);
        let asked = self.controls.iter().filter_map(Erasure::of_control);
        let erasures: Vec<Erasure> = manifest.erasures.iter().cloned().chain(asked).collect();
        let mut known = KnownIds::new();
        for part in parts_to_search(&manifest.parts, &wanted) {
            // One who stood still for days may find it swept.
            let file = durable.part(&part.name).ok_or(Stop::Reload)?;
            known.extend(copies(&file.rows, &wanted, &erasures));
        }
        known.extend(copies(&self.rows, &wanted, &erasures));
        known.extend(self.recall.copies(&wanted));
        let at = Arrival { seq: message.seq, stream_ms: message.stream_ms };
        let folded = fold::fold(&mut self.state, &self.rules, &message.batch, at, &known);
        self.book.add(message.seq, &folded.ledger);
        self.rows.extend(folded.rows);
        self.controls.extend(folded.controls);
        self.folded_seq = message.seq;
        self.messages.push(message);
        Ok(())
    }

    /// Makes a flush of what is pending, without what is to be forgotten; `None` = nothing is.
    pub(crate) fn begin_flush(&mut self, durable: &mut Durable, manifest: &Manifest, with_archive: bool) -> Option<Flush> {
        let mut messages = std::mem::take(&mut self.messages);
        let erasures: Vec<Erasure> = std::mem::take(&mut self.controls).iter().filter_map(Erasure::of_control).collect();
        let covering = [manifest.erasures.clone(), erasures.clone()].concat();
        let mut file = PartFile { rows: std::mem::take(&mut self.rows), ledger: std::mem::take(&mut self.book).rows() };
        eraser::erase_messages(&mut messages, &file.rows, &covering);
        file.erase(&covering);
        let (first, last) = (messages.first()?, messages.last()?);
        let part = (!file.is_empty()).then(|| (durable.name("parts/"), file));
        let fallback_ms = last.stream_ms as i64;
        let state = (durable.name("state/"), self.state.encode());
        let archive_name = durable.name("archive/");
        let archived = ArchiveObject {
            name: archive_name.clone(),
            checksum: String::new(),
            bytes: 1,
            first_seq: first.seq,
            last_seq: last.seq,
            first_stream_ms: first.stream_ms,
            last_stream_ms: last.stream_ms,
            events: messages.iter().map(|message| message.batch.events.len() as u64).sum(),
        };
        let described = part.as_ref().map(|(name, file)| file.describe(name, Level::Flush, fallback_ms));
        let sealed = Sealed {
            accepted: described.as_ref().map_or(0, Part::accepted),
            part: described,
            archive: with_archive.then_some(archived),
            state: ObjectRef { name: state.0.clone(), checksum: String::new() },
            seq: last.seq,
            stream_ms: last.stream_ms,
            message_id: last.id(),
            logic: self.logic.clone(),
            erasures,
        };
        let archive = with_archive.then_some((archive_name, messages));
        Some(Flush { step: 0, started_ms: durable.now_ms, part, archive, state, sealed, prepared: None })
    }
}

impl Flush {
    /// Takes the next step; `true` = it is committed.
    pub(crate) fn step(&mut self, durable: &mut Durable, line: &mut Line, order: [Step; 5]) -> Result<bool, Stop> {
        if durable.now_ms - self.started_ms > COMMIT_MS_MAX {
            return Err(Stop::Reload);
        }
        match order[self.step] {
            Step::Part => {
                if let Some((name, file)) = &self.part {
                    durable.put("flush: part", name, Content::Part(file.clone()))?;
                }
            }
            Step::Archive => {
                if let Some((name, messages)) = &self.archive {
                    durable.put("flush: archive", name, Content::Archive(messages.clone()))?;
                }
            }
            Step::State => durable.put("flush: state", &self.state.0, Content::State(self.state.1.clone()))?,
            Step::Manifest => {
                let prepared = self.prepare(durable, line)?;
                Line::store(durable, "flush: manifest", &prepared)?;
            }
            Step::Head => {
                let prepared = self.prepare(durable, line)?;
                line.swap(durable, "flush: head", prepared)?;
                durable.tell(|| format!("sealed {} at revision {}", line.manifest.sealed_seq, line.manifest.revision));
            }
        }
        self.step += 1;
        Ok(self.step == order.len())
    }

    /// Whether its next step works on the manifest.
    fn commits_next(&self, order: [Step; 5]) -> bool {
        matches!(order[self.step], Step::Manifest | Step::Head)
    }

    fn prepare(&mut self, durable: &mut Durable, line: &Line) -> Result<Prepared, Stop> {
        if self.prepared.is_none() {
            let (sealed, now_ms) = (self.sealed.clone(), durable.now_ms);
            self.prepared = line.prepare(durable, |manifest| manifest.seal(sealed, &KEEP, now_ms))?;
        }
        self.prepared.clone().ok_or_else(|| Stop::Wrong("the manifest is ahead of what was folded".to_owned()))
    }
}

/// A state by its object; one that is gone or cannot be read is nobody's to go on from.
pub(crate) fn decode(durable: &Durable, object: &ObjectRef) -> Result<State, Stop> {
    let bytes = durable.state(&object.name).ok_or_else(|| Stop::Wrong(format!("state {} is gone", object.name)))?;
    State::decode(bytes).map_err(|error| Stop::Wrong(error.to_string()))
}

/// Ids of the wanted retries that rows have. What is to be forgotten is nobody's copy: else it would depend on when it is erased.
pub(crate) fn copies(rows: &[EventRow], wanted: &[fold::OldRetry], erasures: &[Erasure]) -> Vec<u128> {
    let is_copy = |row: &&EventRow| {
        wanted.iter().any(|retry| retry.is_copy(row.site_id, row.event_ms, row.event_id))
            && !erasures.iter().any(|erasure| erasure.covers(&Subject::from(*row)))
    };
    rows.iter().filter(is_copy).map(|row| row.event_id).collect()
}
