//! The oracle: what is served must be what was acknowledged, each event once, joined to visits as one fold from the start joins them.

use crate::aggregator::{copies, decode};
use crate::commit::{Line, SERVED, Stop};
use crate::durable::{Content, Durable, Message};
use crate::run::Rulebook;
use crate::sender::Senders;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use weir_rollup::fold::{self, Arrival, KnownIds, State, old_retries};
use weir_rollup::logic;
use weir_rollup::manifest::{Erasure, Manifest, Subject};
use weir_rollup::row::{ControlRow, EventRow, Position};

/// One fold of the whole stream, that nothing ever interrupts.
pub(crate) struct Reference {
    state: State,
    rows: BTreeMap<Position, EventRow>,
    /// Where each visit was opened.
    opened: HashMap<u64, u64>,
    /// What was asked to be forgotten.
    erasures: Vec<Erasure>,
}

fn is_covered(erasures: &[Erasure], row: &EventRow) -> bool {
    erasures.iter().any(|erasure| erasure.covers(&Subject::from(row)))
}

impl Reference {
    pub(crate) fn new() -> Self {
        Self { state: State::default(), rows: BTreeMap::new(), opened: HashMap::new(), erasures: Vec::new() }
    }

    /// Folds a message as soon as it is published.
    pub(crate) fn take(&mut self, rulebook: &Rulebook, message: &Message) {
        let earlier: Vec<EventRow> = self.rows.values().filter(|row| !is_covered(&self.erasures, row)).cloned().collect();
        let (rows, controls) = fold_one(&mut self.state, rulebook, message, &earlier);
        for row in rows {
            self.opened.entry(row.visit_id).or_insert(row.position.seq);
            self.rows.insert(row.position, row);
        }
        self.erasures.extend(controls.iter().filter_map(Erasure::of_control));
    }
}

fn fold_one(state: &mut State, rulebook: &Rulebook, message: &Message, earlier: &[EventRow]) -> (Vec<EventRow>, Vec<ControlRow>) {
    let wanted = old_retries(state, &message.batch, message.stream_ms);
    let known: KnownIds = copies(earlier, &wanted, &[]).into_iter().collect();
    let at = Arrival { seq: message.seq, stream_ms: message.stream_ms };
    let folded = fold::fold(state, &rulebook.own_rules, &message.batch, at, &known);
    (folded.rows, folded.controls)
}

/// Compares what is served with the oracle.
pub(crate) fn check(durable: &Durable, rulebook: &Rulebook, senders: &Senders, reference: &Reference) -> Result<(), String> {
    served(durable, rulebook, senders, reference).map_err(|stop| match stop {
        Stop::Wrong(what) => what,
        other => format!("{other:?}"),
    })
}

fn served(durable: &Durable, rulebook: &Rulebook, senders: &Senders, reference: &Reference) -> Result<(), Stop> {
    let line = Line::load(durable, SERVED)?;
    let manifest = line.map_or_else(|| Manifest::nothing("local", 0, "EVENTS_local_0", "t"), |line| line.manifest);
    check_objects(durable, &manifest)?;
    let mut rows: Vec<EventRow> = Vec::new();
    for part in &manifest.parts {
        let file = durable.part(&part.name).ok_or_else(|| gone(&part.name))?;
        rows.extend(file.rows.iter().cloned());
    }
    check_sources(durable, rulebook, &manifest, reference, &rows)?;
    check_erased(durable, &manifest, &rows)?;
    let rows = with_live_end(durable, rulebook, &manifest, rows)?;
    check_rows(&rows, reference)?;
    check_events(durable, senders, reference, &rows)
}

fn gone(name: &str) -> Stop {
    Stop::Wrong(format!("{name} is named by what is served, and gone"))
}

/// Everything that the served manifest names is there, and what a rollback would restore.
fn check_objects(durable: &Durable, manifest: &Manifest) -> Result<(), Stop> {
    let former = manifest.promotion.as_ref().and_then(|promotion| promotion.former.as_ref());
    let former = former.map(|former| durable.manifest(&former.name).ok_or_else(|| gone(&former.name))).transpose()?;
    let names = std::iter::once(manifest).chain(former).flat_map(Manifest::objects);
    for name in names {
        durable.get(name).ok_or_else(|| gone(name))?;
    }
    let archived: Vec<(u64, u64)> = manifest.archive.iter().map(|object| (object.first_seq, object.last_seq)).collect();
    let is_whole = archived.windows(2).all(|pair| pair[0].1 + 1 == pair[1].0);
    let ends = (archived.first().map_or(1, |first| first.0), archived.last().map_or(0, |last| last.1));
    if !is_whole || ends != (1, manifest.archived_seq) || manifest.archived_seq != manifest.sealed_seq {
        return Err(Stop::Wrong(format!("the archive {archived:?} does not reach from 1 to {}", manifest.sealed_seq)));
    }
    Ok(())
}

/// What a query node shows: the sealed rows and those that it folds behind them, without what is to be forgotten.
fn with_live_end(
    durable: &Durable,
    rulebook: &Rulebook,
    manifest: &Manifest,
    sealed: Vec<EventRow>,
) -> Result<Vec<EventRow>, Stop> {
    let mut state = manifest.state.first().map_or_else(|| Ok(State::default()), |object| decode(durable, object))?;
    let mut erasures: Vec<Erasure> = manifest.open_erasures().cloned().collect();
    let mut rows = sealed;
    rows.retain(|row| !is_covered(&erasures, row));
    for seq in manifest.sealed_seq + 1..=durable.last_seq() {
        let message = durable.message(seq).ok_or_else(|| Stop::Wrong(format!("message {seq} is not sealed, and gone")))?;
        let (new, controls) = fold_one(&mut state, rulebook, message, &rows);
        rows.extend(new);
        erasures.extend(controls.iter().filter_map(Erasure::of_control));
        rows.retain(|row| !is_covered(&erasures, row));
    }
    Ok(rows)
}

/// What is said to be erased is: neither a part nor the archive has it.
fn check_erased(durable: &Durable, manifest: &Manifest, rows: &[EventRow]) -> Result<(), Stop> {
    for erasure in &manifest.erasures {
        if erasure.parts_done
            && let Some(row) = rows.iter().find(|row| erasure.covers(&Subject::from(*row)))
        {
            return Err(Stop::Wrong(format!("row {:?} is there, though it was erased", row.position)));
        }
        let archived = manifest.archive.iter().filter(|_| erasure.history_done && erasure.is_whole_site());
        let messages = archived.filter_map(|object| match durable.get(&object.name) {
            Some(Content::Archive(messages)) => Some(messages),
            _ => None,
        });
        let before = messages.flatten().filter(|message| message.seq < erasure.seq);
        if let Some(message) = before.into_iter().find(|m| m.batch.events.iter().any(|event| event.site_id == erasure.site_id)) {
            return Err(Stop::Wrong(format!("the archive has an event in {} that was erased", message.seq)));
        }
    }
    Ok(())
}

/// The rows are those of one fold from the start. Their attributes are looked at apart: they are of the logic that the manifest names.
fn check_rows(rows: &[EventRow], reference: &Reference) -> Result<(), Stop> {
    let mut found: BTreeMap<Position, &EventRow> = BTreeMap::new();
    for row in rows {
        if found.insert(row.position, row).is_some() {
            return Err(Stop::Wrong(format!("row {:?} is there twice", row.position)));
        }
    }
    let kept = || reference.rows.iter().filter(|(_, row)| !is_covered(&reference.erasures, row));
    let wanted: Vec<&Position> = kept().map(|(position, _)| position).collect();
    if found.keys().collect::<Vec<_>>() != wanted {
        let missing = wanted.iter().find(|position| !found.contains_key(position));
        let surplus = found.keys().find(|position| !wanted.contains(position));
        return Err(Stop::Wrong(format!("rows differ: missing {missing:?}, surplus {surplus:?}")));
    }
    for (row, (_, wanted)) in found.values().zip(kept()) {
        let told = |row: &EventRow| (row.site_id, row.event_ms, row.visit_id, row.name.clone(), row.pathname.clone());
        if told(row) != told(wanted) {
            return Err(Stop::Wrong(format!("row {:?} is {:?}, it should be {:?}", row.position, told(row), told(wanted))));
        }
    }
    Ok(())
}

/// Every acknowledged event that nobody asked to forget, each once, and nothing else: straight from the list of what was sent.
fn check_events(durable: &Durable, senders: &Senders, reference: &Reference, rows: &[EventRow]) -> Result<(), Stop> {
    let mut seen = BTreeSet::new();
    for row in rows {
        let message = durable.log.get(row.position.seq as usize - 1);
        let event = message.and_then(|message| message.batch.events.get(row.position.idx as usize));
        let event = event.ok_or_else(|| Stop::Wrong(format!("row {:?} is nobody's event", row.position)))?;
        if !seen.insert(event.id()) {
            return Err(Stop::Wrong(format!("event {} counts twice", event.id())));
        }
    }
    let erased: BTreeSet<u128> =
        reference.rows.values().filter(|row| is_covered(&reference.erasures, row)).map(|row| row.event_id).collect();
    match senders.acknowledged.keys().find(|id| !seen.contains(id) && !erased.contains(id)) {
        Some(id) => Err(Stop::Wrong(format!("event {id} was acknowledged and is lost"))),
        None => Ok(()),
    }
}

/// Sealed rows have the attributes that the logic gives which the manifest names for the opening of their visit. A visit that is open when a
/// promotion is rolled back can have those of both.
fn check_sources(
    durable: &Durable,
    rulebook: &Rulebook,
    manifest: &Manifest,
    reference: &Reference,
    rows: &[EventRow],
) -> Result<(), Stop> {
    if durable.has_rolled_back {
        return Ok(());
    }
    for row in rows {
        let opened_seq = reference.opened.get(&row.visit_id).copied().unwrap_or(0);
        let named = logic::at(&manifest.logic, opened_seq).map(|from| from.logic.as_str()).unwrap_or_default();
        let wanted = rulebook.source(named);
        if row.opening.source != wanted {
            let (position, found) = (row.position, &row.opening.source);
            return Err(Stop::Wrong(format!("row {position:?} has the source {found:?}, logic {named} says {wanted:?}")));
        }
    }
    Ok(())
}
