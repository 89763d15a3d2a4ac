//! An operator who replays, promotes, rolls back and discards; the program that does it may be killed anywhere and is called again.

use crate::aggregator::{Folding, decode};
use crate::commit::{Line, SERVED, Stop};
use crate::durable::{Content, Durable, Message};
use crate::merger::Merge;
use crate::run::Rulebook;
use std::collections::HashSet;
use weir_rollup::fold::Recall;
use weir_rollup::logic;
use weir_rollup::manifest::{COMMIT_ORDER, LogicFrom, Manifest, ObjectRef, Part, Promotion, PromotionKind, Subject};
use weir_rollup::row::{EventRow, Position};

/// Its steps of a commit.
const COMMIT: [&str; 2] = ["replay: manifest", "replay: head"];

/// How far a replay is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Building,
    Promoting,
    Promoted,
    RollingBack,
    Over,
}

/// What is kept of a replay.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    id: String,
    from_seq: u64,
    checkpoint_seq: u64,
    wanted: Option<LogicFrom>,
    phase: Phase,
}

impl Record {
    pub(crate) fn has_shadow(&self) -> bool {
        matches!(self.phase, Phase::Building | Phase::Promoting)
    }

    pub(crate) fn key(&self) -> String {
        format!("shadow-{}", self.id)
    }
}

/// The next thing that an operator does.
pub(crate) fn act(durable: &mut Durable, rulebook: &Rulebook) -> Result<(), Stop> {
    let Some(record) = durable.record.clone() else { return begin(durable, rulebook) };
    match record.phase {
        Phase::Building => build(durable, rulebook, &record),
        Phase::Promoting => promote(durable, rulebook, &record),
        Phase::Promoted if durable.rng.bool() => enter(durable, &record, Phase::RollingBack),
        Phase::RollingBack => roll_back(durable, &record),
        Phase::Promoted | Phase::Over => begin(durable, rulebook),
    }
}

fn enter(durable: &mut Durable, record: &Record, phase: Phase) -> Result<(), Stop> {
    durable.tell(|| format!("replay {} is {phase:?}", record.id));
    Ok(durable.note("replay: record", Record { phase, ..record.clone() })?)
}

fn begin(durable: &mut Durable, rulebook: &Rulebook) -> Result<(), Stop> {
    let Some(served) = Line::load(durable, SERVED)?.filter(|served| served.manifest.sealed_seq > 0) else { return Ok(()) };
    let from_seq = durable.rng.u64(1..=served.manifest.sealed_seq);
    let checkpoints = served.manifest.checkpoints.iter().map(|checkpoint| checkpoint.seq);
    let checkpoint_seq = checkpoints.filter(|seq| *seq < from_seq).max().unwrap_or(0);
    let wanted = match durable.rng.u32(..3) {
        0 => None,
        1 => Some(rulebook.other.clone()),
        _ => Some(LogicFrom { pinned: true, ..rulebook.own.clone() }),
    };
    let id = durable.name("r");
    enter(durable, &Record { id, from_seq, checkpoint_seq, wanted, phase: Phase::Building }, Phase::Building)
}

/// Folds a stretch of the shadow; at its end it is promoted or thrown away.
fn build(durable: &mut Durable, rulebook: &Rulebook, record: &Record) -> Result<(), Stop> {
    let served = served(durable)?;
    let mut shadow = open(durable, record, &served.manifest)?;
    let target_seq = served.manifest.sealed_seq.min(shadow.manifest.sealed_seq + durable.rng.u64(1..30));
    advance(durable, rulebook, &mut shadow, &served.manifest, target_seq)?;
    if shadow.manifest.sealed_seq < served.manifest.sealed_seq {
        return Ok(());
    }
    let phase = if durable.rng.u32(..5) == 0 { Phase::Over } else { Phase::Promoting };
    enter(durable, record, phase)
}

/// Catches up with what is sealed and switches; a head that moved meanwhile is tried again the next time.
fn promote(durable: &mut Durable, rulebook: &Rulebook, record: &Record) -> Result<(), Stop> {
    // What was looked at some time ago, as when others committed between look and switch.
    let mut served = match durable.looked_at.take() {
        Some(line) => line,
        None => served(durable)?,
    };
    if is_switched(&served.manifest, record) {
        return enter(durable, record, Phase::Promoted);
    }
    let mut shadow = open(durable, record, &served.manifest)?;
    advance(durable, rulebook, &mut shadow, &served.manifest, served.manifest.sealed_seq)?;
    if durable.rng.bool() {
        durable.looked_at = Some(served);
        return Ok(());
    }
    if !served.manifest.ends_like(&shadow.manifest) {
        return Ok(());
    }
    let promotion = Promotion {
        replay_id: record.id.clone(),
        kind: PromotionKind::Promote,
        at_ms: durable.now_ms,
        revision: served.manifest.revision + 1,
        from_seq: record.checkpoint_seq + 1,
        through_seq: served.manifest.sealed_seq,
        former: served.name().map(|name| ObjectRef { name: name.clone(), checksum: String::new() }),
        state: shadow.manifest.state.last().cloned(),
    };
    served.commit(durable, COMMIT, |manifest| manifest.promote(&shadow.manifest, promotion))?;
    durable.tell(|| format!("promoted {}", record.id));
    enter(durable, record, Phase::Promoted)
}

fn roll_back(durable: &mut Durable, record: &Record) -> Result<(), Stop> {
    let mut served = served(durable)?;
    let promotion = served.manifest.promotion.clone().filter(|done| done.replay_id == record.id);
    let Some((promotion, former)) = promotion.and_then(|done| done.former.clone().map(|former| (done, former))) else {
        return enter(durable, record, Phase::Over);
    };
    let gone = || Stop::Wrong(format!("{}, which a rollback restores, is gone", former.name));
    let restored = durable.manifest(&former.name).cloned().ok_or_else(gone)?;
    // Whether it comes to that or not.
    durable.has_rolled_back = true;
    let now_ms = durable.now_ms;
    served.commit(durable, COMMIT, |manifest| {
        manifest.roll_back(&restored, promotion, now_ms);
        true
    })?;
    durable.tell(|| format!("rolled back {}", record.id));
    enter(durable, record, Phase::Over)
}

fn is_switched(manifest: &Manifest, record: &Record) -> bool {
    manifest.promotion.as_ref().is_some_and(|done| done.replay_id == record.id)
}

fn served(durable: &Durable) -> Result<Line, Stop> {
    Line::load(durable, SERVED)?.ok_or_else(|| Stop::Wrong("nothing is served any more".to_owned()))
}

/// The shadow as of its last commit; made when there is none yet.
fn open(durable: &mut Durable, record: &Record, served: &Manifest) -> Result<Line, Stop> {
    if let Some(line) = Line::load(durable, &record.key())? {
        return Ok(line);
    }
    let mut parts: Vec<Part> = Vec::new();
    for part in served.parts.iter().filter(|part| part.min_seq <= record.checkpoint_seq) {
        if part.max_seq <= record.checkpoint_seq {
            parts.push(part.clone());
            continue;
        }
        let whole = durable.part(&part.name).ok_or_else(|| Stop::Wrong(format!("part {} is gone", part.name)))?;
        let before = whole.through(record.checkpoint_seq);
        if !before.is_empty() {
            let name = durable.name("parts/");
            parts.push(before.describe(&name, part.level, part.min_event_ms));
            durable.put("replay: divided part", &name, Content::Part(before))?;
        }
    }
    let shadow = served.shadow(record.checkpoint_seq, record.from_seq, record.wanted.clone(), parts);
    let mut line = Line::new(&record.key(), shadow);
    line.commit(durable, COMMIT, |_| true)?;
    Ok(line)
}

/// Folds, seals and merges a shadow through a sequence.
fn advance(durable: &mut Durable, rulebook: &Rulebook, line: &mut Line, served: &Manifest, target_seq: u64) -> Result<(), Stop> {
    let from_seq = line.manifest.sealed_seq + 1;
    let Some(from) = logic::at(&line.manifest.logic, from_seq).or_else(|| line.manifest.logic.first()).cloned() else {
        return Ok(());
    };
    let rules = rulebook.rules(&from.logic);
    let mut folding = Folding::load(durable, &line.manifest, from, rules)?;
    folding.recall = recall(durable, line, served, target_seq)?;
    for seq in from_seq..=target_seq {
        if let Some(from) = line.manifest.logic.iter().find(|from| from.from_seq == seq).cloned() {
            flush(durable, line, &mut folding)?;
            folding.go_on_with(from.clone(), rulebook.rules(&from.logic));
            if let Some(object) = &from.state {
                folding.state = decode(durable, object)?;
            }
        }
        let message = message(durable, served, seq)?.clone();
        folding.take(durable, &line.manifest, message)?;
    }
    flush(durable, line, &mut folding)?;
    while let Some(mut merge) = Merge::begin(durable, &line.manifest) {
        while !merge.step(durable, line)? {}
    }
    Ok(())
}

fn message<'a>(durable: &'a Durable, served: &Manifest, seq: u64) -> Result<&'a Message, Stop> {
    let message = durable.history(served, seq);
    message.ok_or_else(|| Stop::Wrong(format!("message {seq} is neither in the archive nor in the stream")))
}

/// Copies of old retries that lie before the checkpoint.
fn recall(durable: &Durable, line: &Line, served: &Manifest, target_seq: u64) -> Result<Recall, Stop> {
    let checkpoint_seq = line.manifest.checkpoints.last().map_or(0, |checkpoint| checkpoint.seq);
    let checkpoint_ms = line.manifest.checkpoints.last().map_or(0, |checkpoint| checkpoint.stream_ms);
    let mut recall = Recall::new(checkpoint_ms);
    for seq in line.manifest.sealed_seq + 1..=target_seq {
        let message = message(durable, served, seq)?;
        if !recall.ask(&message.batch, message.stream_ms) {
            break;
        }
    }
    let Some(from_ms) = recall.search_from_ms() else { return Ok(recall) };
    for seq in 1..=checkpoint_seq {
        let message = message(durable, served, seq)?;
        if message.stream_ms >= from_ms {
            recall.search(&message.batch, seq);
        }
    }
    let files = line.manifest.parts.iter().filter_map(|part| durable.part(&part.name));
    let erasures = &served.erasures;
    let is_kept = |row: &&EventRow| !erasures.iter().any(|erasure| erasure.covers(&Subject::from(*row)));
    let rows: HashSet<Position> = files.flat_map(|file| file.rows.iter().filter(is_kept).map(|row| row.position)).collect();
    recall.keep(|position| rows.contains(&position));
    Ok(recall)
}

fn flush(durable: &mut Durable, line: &mut Line, folding: &mut Folding) -> Result<(), Stop> {
    if let Some(mut flush) = folding.begin_flush(durable, &line.manifest, false) {
        while !flush.step(durable, line, COMMIT_ORDER)? {}
    }
    Ok(())
}
