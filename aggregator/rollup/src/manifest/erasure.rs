//! Erasures: which events one covers, and what erasing makes of a manifest.

use super::{ArchiveObject, Checkpoint, Erasure, Manifest, ObjectRef, Part};
use crate::fold::EVENT_MS_MAX;
use crate::row::{ControlRow, EventRow, Position};
use std::collections::{HashMap, HashSet};
use weir_event::Message;
use weir_event::model::{Control, ControlKind, Event};

/// How long a receipt is shown after nothing is kept any more, milliseconds.
pub const RECEIPT_KEPT_MS: u64 = 400 * 24 * 3_600_000;

/// Longest time between an event and its message, milliseconds: an age is at most a day, and batches wait for hours at most.
const LATE_MS: i64 = 48 * 3_600_000;
/// What every erasure waits for last: that files of before it are swept.
pub const AWAITS_SWEEP: &str = "the sweeper";

/// What an event is erased by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subject {
    /// Its site.
    pub site_id: u32,
    /// The visitor that its row counts.
    pub visitor_id: u64,
    /// When it happened, Unix milliseconds.
    pub event_ms: i64,
    /// Where it stands.
    pub position: Position,
}

impl From<&EventRow> for Subject {
    fn from(row: &EventRow) -> Self {
        let EventRow { site_id, event_ms, position, .. } = *row;
        Self { site_id, visitor_id: row.opening.visitor_id, event_ms, position }
    }
}

impl Subject {
    /// An event of a batch. `counted` is the visitor that its row counts; `None` = it has no row, and goes with the visitor that it names.
    pub fn of_event(event: &Event, position: Position, counted: Option<u64>) -> Self {
        let event_ms = i64::try_from(event.event_ms).unwrap_or(EVENT_MS_MAX).min(EVENT_MS_MAX);
        Self { site_id: event.site_id, visitor_id: counted.unwrap_or(event.visitor_id), event_ms, position }
    }
}

impl Erasure {
    /// What a control record asks for; `None` = it asks for something else.
    pub fn of_control(row: &ControlRow) -> Option<Self> {
        let control = Control::decode(row.record.as_slice()).ok()?;
        let (site_id, visitor_id) = match control.kind? {
            ControlKind::DeleteSite(delete) => (delete.site_id, None),
            ControlKind::DeleteVisitor(delete) => (delete.site_id, Some(delete.visitor_id)),
            ControlKind::MoveSite(_) => return None,
        };
        let id = hex::encode(&control.id);
        let Position { seq, idx } = row.position;
        // Site 0 stands for every site, which only a retention means.
        (site_id > 0).then_some(Self { seq, idx, site_id, visitor_id, ..Self::new(id, control.requested_ms) })
    }

    /// One that covers everything from the start: nothing, since nothing stands before position 0.
    pub fn new(id: String, requested_ms: u64) -> Self {
        Self {
            id,
            seq: 0,
            idx: 0,
            site_id: 0,
            visitor_id: None,
            before_ms: None,
            requested_ms,
            parts_done: false,
            history_done: false,
            done_ms: None,
            final_ms: None,
        }
    }

    /// The events of a site (0 = of all) before a time. Each site has one such erasure, which later ones replace.
    pub fn retention(site_id: u32, before_ms: i64, requested_ms: u64) -> Self {
        let id = if site_id == 0 { "retention".to_owned() } else { format!("retention-{site_id}") };
        Self { site_id, before_ms: Some(before_ms), ..Self::new(id, requested_ms) }
    }

    /// What stands before it is covered.
    pub fn position(&self) -> Position {
        Position { seq: self.seq, idx: self.idx }
    }

    /// Whether something stands before its position from this sequence on.
    pub fn reaches(&self, first_seq: u64) -> bool {
        Position { seq: first_seq, idx: 0 } < self.position()
    }

    /// Whether it may cover events that came by a message of this time, unless they were imported.
    fn is_of_stream_time(&self, stream_ms: u64) -> bool {
        let stream_ms = i64::try_from(stream_ms).unwrap_or(i64::MAX);
        self.before_ms.is_none_or(|before_ms| stream_ms < before_ms.saturating_add(LATE_MS))
    }

    /// Whether it is a site's whole past.
    pub fn is_whole_site(&self) -> bool {
        self.visitor_id.is_none() && self.before_ms.is_none()
    }

    /// Whether it has a say for a site.
    pub fn is_of_site(&self, site_id: u32) -> bool {
        self.site_id == 0 || self.site_id == site_id
    }

    /// Whether an event is to be forgotten.
    pub fn covers(&self, subject: &Subject) -> bool {
        subject.position < self.position()
            && self.is_of_site(subject.site_id)
            && self.visitor_id.is_none_or(|visitor_id| visitor_id == subject.visitor_id)
            && self.before_ms.is_none_or(|before_ms| subject.event_ms < before_ms)
    }

    /// Whether a part may have a row that it covers.
    pub fn may_cover(&self, part: &Part) -> bool {
        part.rows > 0
            && part.min_seq <= self.seq
            && (self.site_id == 0 || (part.min_site_id..=part.max_site_id).contains(&self.site_id))
            && self.before_ms.is_none_or(|before_ms| part.min_event_ms < before_ms)
    }

    /// Whether it covers every row of its site that a part has.
    pub fn covers_all_in(&self, part: &Part) -> bool {
        self.visitor_id.is_none()
            && part.max_seq < self.seq
            && self.before_ms.is_none_or(|before_ms| part.max_event_ms < before_ms)
    }

    /// SQL condition on rows of `events`: it covers them.
    pub fn sql(&self) -> String {
        let mut terms = Vec::new();
        if self.site_id > 0 {
            terms.push(format!("site_id = {}", self.site_id));
        }
        terms.extend(self.visitor_id.map(|visitor_id| format!("visitor_id = {visitor_id}")));
        terms.extend(self.before_ms.map(|before_ms| format!("event_ms < {before_ms}")));
        terms.push(format!("(seq < {seq} OR (seq = {seq} AND idx < {idx}))", seq = self.seq, idx = self.idx));
        format!("({})", terms.join(" AND "))
    }
}

/// SQL condition on rows of `events`: one of the erasures covers them.
pub fn covered_sql<'a>(erasures: impl IntoIterator<Item = &'a Erasure>) -> String {
    let terms: Vec<String> = erasures.into_iter().map(Erasure::sql).collect();
    if terms.is_empty() { "false".to_owned() } else { format!("({})", terms.join(" OR ")) }
}

impl Manifest {
    /// The erasures of which parts may still have rows.
    pub fn open_erasures(&self) -> impl Iterator<Item = &Erasure> {
        self.erasures.iter().filter(|erasure| !erasure.parts_done)
    }

    /// Lists erasures that are not yet, in the order of positions.
    pub(super) fn note_erasures(&mut self, erasures: Vec<Erasure>) {
        for erasure in erasures {
            if self.erasures.iter().all(|known| known.id != erasure.id) {
                self.erasures.push(erasure);
            }
        }
        self.sort_erasures();
    }

    fn sort_erasures(&mut self) {
        self.erasures.sort_by(|a, b| (a.position(), &a.id).cmp(&(b.position(), &b.id)));
    }

    /// Asks for a retention: it covers what is sealed. `false` = an earlier one covers as much, nothing is changed.
    pub fn retain_from(&mut self, erasure: Erasure) -> bool {
        let known = self.erasures.iter().position(|known| known.id == erasure.id);
        let is_covered = known.and_then(|at| self.erasures.get(at)).is_some_and(|known| known.before_ms >= erasure.before_ms);
        if is_covered || erasure.before_ms.is_none() {
            return false;
        }
        if let Some(at) = known {
            self.erasures.remove(at);
        }
        self.erasures.push(Erasure { seq: self.sealed_seq + 1, idx: 0, ..erasure });
        self.sort_erasures();
        true
    }

    /// Puts parts in the place of others that hold the same rows but `erased` ones, which happened between these times (both included).
    /// `false` = not all of the others are listed any more, nothing is changed.
    pub fn erase_rows(
        &mut self,
        replaced: &[String],
        outputs: impl IntoIterator<Item = Part>,
        erased: u64,
        (min_event_ms, max_event_ms): (i64, i64),
    ) -> bool {
        if !self.exchange(replaced, outputs) {
            return false;
        }
        self.erased += erased;
        self.rollups.retain(|rollup| !rollup.depends_on(min_event_ms, max_event_ms));
        true
    }

    /// No part has a row that these erasures cover, as far as those are concerned that were `looked_into`, by name. `false` = some were not,
    /// nothing is changed.
    pub fn parts_erased(&mut self, ids: &[String], looked_into: &HashSet<String>) -> bool {
        let is_known = |erasure: &Erasure, part: &Part| !erasure.may_cover(part) || looked_into.contains(&part.name);
        let of_ids = || self.erasures.iter().filter(|erasure| ids.contains(&erasure.id) && !erasure.parts_done);
        let done: Vec<String> = of_ids()
            .filter(|erasure| self.parts.iter().all(|part| is_known(erasure, part)))
            .map(|erasure| erasure.id.clone())
            .collect();
        for erasure in self.erasures.iter_mut().filter(|erasure| done.contains(&erasure.id)) {
            erasure.parts_done = true;
        }
        !done.is_empty()
    }

    /// The kept states that were made before an erasure's position, so that they may have what it covers. The newest is none: it folded the
    /// control record.
    pub fn states_before(&self, erasure: &Erasure) -> Vec<ObjectRef> {
        let of_time = |checkpoint: &&Checkpoint| erasure.is_of_stream_time(checkpoint.stream_ms);
        let checkpoints = self.checkpoints.iter().filter(of_time).map(|checkpoint| (checkpoint.seq, &checkpoint.state));
        let logic = self.logic.iter().filter_map(|from| Some((from.from_seq.saturating_sub(1), from.state.as_ref()?)));
        let promotion = self.promotion.iter().filter_map(|promotion| Some((promotion.through_seq, promotion.state.as_ref()?)));
        let all = checkpoints.chain(logic).chain(promotion);
        let mut found: Vec<ObjectRef> = all.filter(|(seq, _)| *seq < erasure.seq).map(|(_, state)| state.clone()).collect();
        found.sort_by(|a, b| a.name.cmp(&b.name));
        found.dedup();
        found
    }

    /// Puts states in the place of others, by name. `false` = none of those is listed any more, nothing is changed.
    pub fn exchange_states(&mut self, made: &HashMap<String, ObjectRef>) -> bool {
        let checkpoints = self.checkpoints.iter_mut().map(|checkpoint| &mut checkpoint.state);
        let logic = self.logic.iter_mut().filter_map(|from| from.state.as_mut());
        let promotion = self.promotion.iter_mut().filter_map(|promotion| promotion.state.as_mut());
        let mut is_changed = false;
        for state in checkpoints.chain(logic).chain(promotion).chain(&mut self.state) {
            if let Some(other) = made.get(&state.name) {
                state.clone_from(other);
                is_changed = true;
            }
        }
        is_changed
    }

    /// Neither archive nor kept states have anything that these erasures cover; `clean` are the objects of both that were looked into, by
    /// name. `false` = some were not, nothing is changed.
    pub fn history_erased(&mut self, ids: &[String], clean: &HashSet<String>, now_ms: u64) -> bool {
        let is_clean = |erasure: &Erasure| {
            self.states_before(erasure).iter().all(|state| clean.contains(&state.name))
                && self.archive_before(erasure).all(|object| clean.contains(&object.name))
        };
        let done: Vec<String> = self
            .erasures
            .iter()
            .filter(|erasure| ids.contains(&erasure.id) && !erasure.history_done && is_clean(erasure))
            .map(|erasure| erasure.id.clone())
            .collect();
        for erasure in self.erasures.iter_mut().filter(|erasure| done.contains(&erasure.id)) {
            erasure.history_done = true;
            erasure.done_ms = Some(now_ms);
        }
        !done.is_empty()
    }

    /// Raw batches from this sequence on came into the archive: they may have what was erased from it before.
    pub(super) fn look_into_archive(&mut self, first_seq: u64) {
        for erasure in self.erasures.iter_mut().filter(|erasure| erasure.final_ms.is_none() && erasure.reaches(first_seq)) {
            (erasure.history_done, erasure.done_ms) = (false, None);
        }
    }

    /// The raw batches among which an erasure may cover some.
    pub fn archive_before(&self, erasure: &Erasure) -> impl Iterator<Item = &ArchiveObject> {
        self.archive.iter().filter(move |object| self.may_be_in(erasure, object))
    }

    /// Whether an object of the archive may have what an erasure covers. Events older than their message by more than two days were imported:
    /// those tell by their rows.
    pub fn may_be_in(&self, erasure: &Erasure, object: &ArchiveObject) -> bool {
        let overlaps = |part: &Part| part.min_seq <= object.last_seq && part.max_seq >= object.first_seq;
        erasure.reaches(object.first_seq)
            && (erasure.is_of_stream_time(object.first_stream_ms)
                || self.parts.iter().any(|part| erasure.may_cover(part) && overlaps(part)))
    }

    /// What an erasure waits for before it is final; empty = it is, or only for somebody to look. `first_seq` is the first message that the
    /// stream still has.
    pub fn awaited(&self, erasure: &Erasure, first_seq: u64) -> Vec<&'static str> {
        if erasure.final_ms.is_some() {
            return Vec::new();
        }
        let is_offered = self.promotion.as_ref().is_some_and(|promotion| promotion.former.is_some());
        [
            (!erasure.parts_done, "files"),
            (!erasure.history_done, "archive and states"),
            (is_offered, "the end of the offer to roll back"),
            (first_seq <= erasure.seq, "the stream's retention"),
            (true, AWAITS_SWEEP),
        ]
        .into_iter()
        .filter_map(|(waits, what)| waits.then_some(what))
        .collect()
    }

    /// Nothing that these erasures cover is kept anywhere any more. Receipts are forgotten after [`RECEIPT_KEPT_MS`]. `false` = nothing is
    /// changed.
    pub fn erasures_final(&mut self, ids: &[String], now_ms: u64) -> bool {
        let before = self.erasures.clone();
        for erasure in self.erasures.iter_mut().filter(|erasure| ids.contains(&erasure.id)) {
            if erasure.parts_done && erasure.history_done && erasure.final_ms.is_none() {
                erasure.final_ms = Some(now_ms);
            }
        }
        self.erasures.retain(|erasure| erasure.final_ms.is_none_or(|ms| now_ms.saturating_sub(ms) < RECEIPT_KEPT_MS));
        self.erasures != before
    }

    /// Another history is served from here on, of which parts and states may have what was erased from the former: everything that is not
    /// final is to be looked for again. Erasures that only the other history knows are listed too.
    pub(super) fn look_again(&mut self, other: &[Erasure]) {
        self.note_erasures(other.to_vec());
        for erasure in self.erasures.iter_mut().filter(|erasure| erasure.final_ms.is_none()) {
            (erasure.parts_done, erasure.history_done, erasure.done_ms) = (false, false, None);
        }
    }
}

#[cfg(test)]
#[path = "erasure_tests.rs"]
mod tests;
