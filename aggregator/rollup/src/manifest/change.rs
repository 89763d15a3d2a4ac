//! What each kind of commit makes of a manifest. Pure, so that the services and the simulation of crashes run the same rules.

use super::{ArchiveObject, Checkpoint, Erasure, LogicFrom, Manifest, ObjectRef, Part, Promotion, PromotionKind};
use crate::logic;
use std::collections::BTreeSet;

/// One step of a commit that seals rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The part with the rows is stored.
    Part,
    /// The raw batches are stored.
    Archive,
    /// The fold's state is stored.
    State,
    /// The manifest that names them is stored.
    Manifest,
    /// The head is moved to the manifest. Only this commits.
    Head,
}

/// The order of a commit: nothing is named before it is stored, and the head comes last.
pub const COMMIT_ORDER: [Step; 5] = [Step::Part, Step::Archive, Step::State, Step::Manifest, Step::Head];

/// What a flush seals.
#[derive(Clone, Debug)]
pub struct Sealed {
    /// The rows; `None` when nothing was received.
    pub part: Option<Part>,
    /// The raw batches.
    pub archive: Option<ArchiveObject>,
    /// The fold's state after `seq`.
    pub state: ObjectRef,
    /// Last sequence that was folded.
    pub seq: u64,
    /// JetStream time of that message, Unix milliseconds.
    pub stream_ms: u64,
    /// `Nats-Msg-Id` of that message.
    pub message_id: String,
    /// Events accepted since the last flush.
    pub accepted: u64,
    /// What made the rows.
    pub logic: LogicFrom,
    /// Erasures that were asked for since the last flush.
    pub erasures: Vec<Erasure>,
}

/// How long things are kept for replays and rollbacks.
#[derive(Clone, Copy, Debug)]
pub struct Keep {
    /// Of each stretch of stream time of this length the first sealed state is kept, milliseconds.
    pub checkpoint_every_ms: u64,
    /// How many of the newest checkpoints.
    pub checkpoints: usize,
    /// How long a rollback is offered, milliseconds.
    pub rollback_offered_ms: u64,
}

impl Manifest {
    /// Adds what was folded since; `false` = it is there already, nothing is changed.
    pub fn seal(&mut self, sealed: Sealed, keep: &Keep, now_ms: u64) -> bool {
        if self.sealed_seq >= sealed.seq {
            return false;
        }
        self.note_logic(sealed.logic);
        if let Some(part) = sealed.part {
            self.rollups.retain(|rollup| !rollup.depends_on(part.min_event_ms, part.max_event_ms));
            // A flush drops what an erasure covers already, and its ledger says how much that was.
            self.erased += part.accepted().saturating_sub(part.rows);
            self.parts.push(part);
        }
        self.accepted = self.accepted.map(|before| before + sealed.accepted);
        self.sealed_seq = sealed.seq;
        self.sealed_stream_ms = self.sealed_stream_ms.max(sealed.stream_ms);
        self.stream.sealed_message_id = sealed.message_id;
        if let Some(archive) = sealed.archive {
            // Where the archive ends earlier, what is missing is fetched from the stream first.
            self.append_archive(archive);
        }
        self.note_checkpoint(&sealed.state, keep);
        self.state = vec![sealed.state];
        self.note_erasures(sealed.erasures);
        self.expire_rollback(now_ms, keep.rollback_offered_ms);
        true
    }

    /// Rows after what is sealed are made with `logic`, wherever it says that it begins.
    pub fn note_logic(&mut self, logic: LogicFrom) {
        let from_seq = self.sealed_seq + 1;
        if logic::at(&self.logic, from_seq).is_none_or(|at| (&at.logic, at.pinned) != (&logic.logic, logic.pinned)) {
            self.logic.push(LogicFrom { from_seq, ..logic });
        }
    }

    /// Keeps the state at what is sealed now as a checkpoint when it is the first of its stretch of time.
    fn note_checkpoint(&mut self, state: &ObjectRef, keep: &Keep) {
        let stretch = |ms: u64| ms / keep.checkpoint_every_ms.max(1);
        let (seq, stream_ms) = (self.sealed_seq, self.sealed_stream_ms);
        if self.checkpoints.last().is_none_or(|last| stretch(last.stream_ms) < stretch(stream_ms)) {
            let message_id = self.stream.sealed_message_id.clone();
            self.checkpoints.push(Checkpoint { seq, stream_ms, message_id, state: state.clone() });
            let surplus = self.checkpoints.len().saturating_sub(keep.checkpoints);
            self.checkpoints.drain(..surplus);
        }
    }

    /// Ends the offer to roll a promotion back when its time is over: merges may cross it, and its former parts may go.
    fn expire_rollback(&mut self, now_ms: u64, offered_ms: u64) {
        if let Some(promotion) = &mut self.promotion
            && now_ms.saturating_sub(promotion.at_ms) > offered_ms
        {
            promotion.former = None;
        }
    }

    /// Puts parts in the place of others that hold the same rows; `false` = not all of those are listed any more, nothing is changed.
    pub fn exchange(&mut self, replaced: &[String], outputs: impl IntoIterator<Item = Part>) -> bool {
        let is_replaced = |part: &Part| replaced.contains(&part.name);
        if self.parts.iter().filter(|part| is_replaced(part)).count() != replaced.len() {
            return false;
        }
        self.parts.retain(|part| !is_replaced(part));
        self.parts.extend(outputs);
        true
    }

    /// The first manifest of a replay's shadow: this history up to a checkpoint (0 = nothing), which `parts` hold, and from there on the logic of
    /// [`logic::replayed`].
    #[must_use]
    pub fn shadow(&self, checkpoint_seq: u64, from_seq: u64, wanted: Option<LogicFrom>, parts: Vec<Part>) -> Self {
        let checkpoint = self.checkpoints.iter().find(|checkpoint| checkpoint.seq == checkpoint_seq);
        let accepted: u64 = parts.iter().map(Part::accepted).sum();
        let mut shadow = Self::nothing(&self.region, self.partition, &self.stream.name, &self.stream.created);
        shadow.sealed_seq = checkpoint_seq;
        shadow.sealed_stream_ms = checkpoint.map_or(0, |checkpoint| checkpoint.stream_ms);
        shadow.accepted = Some(accepted);
        shadow.erased = accepted.saturating_sub(parts.iter().map(|part| part.rows).sum());
        shadow.parts = parts;
        shadow.state = checkpoint.map(|checkpoint| checkpoint.state.clone()).into_iter().collect();
        shadow.logic = logic::replayed(&self.logic, checkpoint_seq, from_seq, wanted);
        shadow.stream.sealed_message_id = checkpoint.map(|checkpoint| checkpoint.message_id.clone()).unwrap_or_default();
        shadow.checkpoints = self.checkpoints.iter().filter(|checkpoint| checkpoint.seq <= checkpoint_seq).cloned().collect();
        shadow.erasures.clone_from(&self.erasures);
        shadow
    }

    /// Serves a replay's shadow instead; `false` = it is of another stream or does not end where this does, nothing is changed.
    pub fn promote(&mut self, shadow: &Manifest, promotion: Promotion) -> bool {
        if !self.ends_like(shadow) {
            return false;
        }
        self.parts.clone_from(&shadow.parts);
        self.rollups.clear();
        self.state.clone_from(&shadow.state);
        self.logic.clone_from(&shadow.logic);
        self.checkpoints.clone_from(&shadow.checkpoints);
        self.accepted = shadow.accepted;
        self.erased = shadow.erased;
        self.look_again(&shadow.erasures);
        self.promotion = Some(promotion);
        true
    }

    /// Whether both end with the same message of the same stream.
    pub fn ends_like(&self, other: &Self) -> bool {
        self.stream == other.stream && self.sealed_seq == other.sealed_seq
    }

    /// Serves what was served before a promotion: the former parts up to it, everything sealed since, and the former logic from here on.
    pub fn roll_back(&mut self, former: &Manifest, promotion: Promotion, now_ms: u64) {
        let through_seq = promotion.through_seq;
        self.parts.retain(|part| part.min_seq > through_seq);
        self.rollups.clone_from(&former.rollups);
        for part in &self.parts {
            self.rollups.retain(|rollup| !rollup.depends_on(part.min_event_ms, part.max_event_ms));
        }
        self.parts.extend(former.parts.iter().cloned());
        self.erased = self.erased_by_ledger();
        self.accepted = Some(self.rows() + self.erased);
        self.look_again(&former.erasures);
        self.logic = logic::rolled_back(&former.logic, &self.logic, through_seq, self.sealed_seq, promotion.state.clone());
        self.checkpoints.retain(|checkpoint| checkpoint.seq > through_seq);
        self.checkpoints.splice(0..0, former.checkpoints.iter().cloned());
        if self.sealed_seq == through_seq {
            self.state.clone_from(&former.state);
        }
        let revision = self.revision + 1;
        self.promotion =
            Some(Promotion { kind: PromotionKind::Rollback, at_ms: now_ms, revision, former: None, state: None, ..promotion });
    }

    /// Accepted events by the ledgers of the parts that have no row.
    fn erased_by_ledger(&self) -> u64 {
        self.parts.iter().map(Part::accepted).sum::<u64>().saturating_sub(self.rows())
    }

    /// Names of all objects that it needs: parts, states, raw batches and figures made ahead.
    pub fn objects(&self) -> BTreeSet<&str> {
        let checkpoints = self.checkpoints.iter().map(|checkpoint| &checkpoint.state);
        let logic = self.logic.iter().filter_map(|from| from.state.as_ref());
        let promotion = self.promotion.iter().filter_map(|promotion| promotion.state.as_ref());
        let states = self.state.iter().chain(checkpoints).chain(logic).chain(promotion);
        let mut names: BTreeSet<&str> = states.map(|object| object.name.as_str()).collect();
        names.extend(self.parts.iter().map(|part| part.name.as_str()));
        names.extend(self.archive.iter().map(|object| object.name.as_str()));
        names.extend(self.rollups.iter().map(|rollup| rollup.name.as_str()));
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keep(checkpoint_every_ms: u64, checkpoints: usize) -> Keep {
        Keep { checkpoint_every_ms, checkpoints, rollback_offered_ms: 1_000 }
    }

    #[test]
    fn the_logic_history_grows_only_when_the_logic_changes() {
        let mut manifest = Manifest::nothing("local", 0, "S", "t");
        let pinned = LogicFrom { pinned: true, ..LogicFrom::new(1, "1-b") };
        for (sealed_seq, logic) in [
            (0, LogicFrom::new(1, "1-a")),
            (9, LogicFrom::new(1, "1-a")),
            (20, LogicFrom::new(1, "1-b")),
            (30, pinned.clone()),
            (40, pinned),
        ] {
            manifest.sealed_seq = sealed_seq;
            manifest.note_logic(logic);
        }
        let told: Vec<(u64, &str, bool)> =
            manifest.logic.iter().map(|from| (from.from_seq, from.logic.as_str(), from.pinned)).collect();
        assert_eq!(told, [(1, "1-a", false), (21, "1-b", false), (31, "1-b", true)]);
    }

    #[test]
    fn the_first_state_of_a_stretch_is_kept_and_the_oldest_go() {
        let mut manifest = Manifest::nothing("local", 0, "S", "t");
        let state = ObjectRef { name: "s".to_owned(), checksum: String::new() };
        for (seq, stream_ms) in [(1, 5), (2, 6), (3, 100), (4, 199), (5, 300), (9, 400)] {
            (manifest.sealed_seq, manifest.sealed_stream_ms) = (seq, stream_ms);
            manifest.note_checkpoint(&state, &keep(100, 3));
        }
        assert_eq!(manifest.checkpoints.iter().map(|checkpoint| checkpoint.seq).collect::<Vec<_>>(), [3, 5, 9]);
    }

    #[test]
    fn what_is_sealed_already_is_not_sealed_again() {
        let sealed = |seq: u64| Sealed {
            part: None,
            archive: None,
            state: ObjectRef { name: format!("s{seq}"), checksum: String::new() },
            seq,
            stream_ms: seq,
            message_id: String::new(),
            accepted: 0,
            logic: LogicFrom::new(1, "1-a"),
            erasures: Vec::new(),
        };
        let mut manifest = Manifest::nothing("local", 0, "S", "t");
        assert!(manifest.seal(sealed(5), &keep(100, 3), 0));
        let before = manifest.clone();
        assert!(!manifest.seal(sealed(5), &keep(100, 3), 0));
        assert_eq!(manifest, before);
        assert_eq!(manifest.objects(), BTreeSet::from(["s5"]));
    }
}
