//! Erasing beside the fold: raw batches, then parts, then kept states, each rewritten and committed for itself.

use crate::aggregator::decode;
use crate::commit::{Line, Stop};
use crate::durable::{Content, Durable, Message};
use std::collections::{HashMap, HashSet};
use weir_rollup::erase::{RowOf, erase_batch};
use weir_rollup::fold::Arrival;
use weir_rollup::manifest::{ArchiveObject, Erasure, ObjectRef};
use weir_rollup::row::{EventRow, Position};

/// Its steps of a commit.
const COMMIT: [&str; 2] = ["erase: manifest", "erase: head"];

/// Does the next step that is open.
pub(crate) fn act(durable: &mut Durable, line: &mut Line) -> Result<(), Stop> {
    let is_open = |erasure: &&Erasure| !(erasure.parts_done && erasure.history_done);
    let open: Vec<Erasure> = line.manifest.erasures.iter().filter(is_open).cloned().collect();
    if open.is_empty() || archive(durable, line, &open)? || parts(durable, line, &open)? || states(durable, line, &open)? {
        return Ok(());
    }
    let ids: Vec<String> = open.iter().map(|erasure| erasure.id.clone()).collect();
    let (clean, now_ms) = (line.manifest.objects().into_iter().map(str::to_owned).collect::<HashSet<_>>(), durable.now_ms);
    line.commit(durable, COMMIT, |manifest| {
        let parts = manifest.parts_erased(&ids, &clean);
        manifest.history_erased(&ids, &clean, now_ms) || parts
    })
}

/// Puts tombstones into messages, by the rows that their events became; how many.
pub(crate) fn erase_messages(messages: &mut [Message], rows: &[EventRow], erasures: &[Erasure]) -> usize {
    let row_of = |row: &EventRow| RowOf { visitor_id: row.opening.visitor_id, bot: row.opening.bot > 0 };
    let rows: HashMap<Position, RowOf> = rows.iter().map(|row| (row.position, row_of(row))).collect();
    let erase = |message: &mut Message| {
        let at = Arrival { seq: message.seq, stream_ms: message.stream_ms };
        erase_batch(&mut message.batch, at, erasures, |position| rows.get(&position).copied())
    };
    messages.iter_mut().map(erase).sum()
}

fn archive(durable: &mut Durable, line: &mut Line, open: &[Erasure]) -> Result<bool, Stop> {
    let objects: Vec<ArchiveObject> = line.manifest.archive.clone();
    for object in objects {
        let concerned: Vec<Erasure> = open.iter().filter(|erasure| line.manifest.may_be_in(erasure, &object)).cloned().collect();
        let Some(Content::Archive(messages)) = durable.get(&object.name) else { return Err(Stop::Reload) };
        let mut messages = messages.clone();
        let mut rows = Vec::new();
        for part in &line.manifest.parts {
            rows.extend(durable.part(&part.name).ok_or(Stop::Reload)?.rows.iter().cloned());
        }
        if erase_messages(&mut messages, &rows, &concerned) > 0 {
            let output = ArchiveObject { name: durable.name("archive/"), ..object.clone() };
            durable.put("erase: archive", &output.name, Content::Archive(messages))?;
            let replaced = [object.name];
            line.commit(durable, COMMIT, |manifest| manifest.exchange_archive(&replaced, vec![output]))?;
            return Ok(true);
        }
    }
    Ok(false)
}

fn parts(durable: &mut Durable, line: &mut Line, open: &[Erasure]) -> Result<bool, Stop> {
    for part in line.manifest.parts.clone() {
        let concerned: Vec<Erasure> = open.iter().filter(|erasure| erasure.may_cover(&part)).cloned().collect();
        let mut file = durable.part(&part.name).ok_or(Stop::Reload)?.clone();
        if let Some((erased, span)) = file.erase(&concerned) {
            let name = durable.name("parts/");
            let output = file.describe(&name, part.level, part.min_event_ms);
            durable.put("erase: part", &name, Content::Part(file))?;
            line.commit(durable, COMMIT, |manifest| manifest.erase_rows(&[part.name], [output], erased, span))?;
            durable.tell(|| format!("erased {erased} rows"));
            return Ok(true);
        }
    }
    Ok(false)
}

fn states(durable: &mut Durable, line: &mut Line, open: &[Erasure]) -> Result<bool, Stop> {
    let mut made: HashMap<String, ObjectRef> = HashMap::new();
    let mut kept: Vec<ObjectRef> = open.iter().flat_map(|erasure| line.manifest.states_before(erasure)).collect();
    kept.sort_by(|a, b| a.name.cmp(&b.name));
    kept.dedup();
    for object in kept {
        // One who stood still for days may find it swept.
        durable.get(&object.name).ok_or(Stop::Reload)?;
        let mut state = decode(durable, &object)?;
        let of_state = |erasure: &&Erasure| line.manifest.states_before(erasure).contains(&object);
        // Each of them has its own visits to forget.
        let found = open.iter().filter(of_state).filter(|erasure| state.erase(erasure)).count();
        if found > 0 {
            let name = durable.name("state/");
            durable.put("erase: state", &name, Content::State(state.encode()))?;
            made.insert(object.name, ObjectRef { name, checksum: String::new() });
        }
    }
    if made.is_empty() {
        return Ok(false);
    }
    line.commit(durable, COMMIT, |manifest| manifest.exchange_states(&made))?;
    Ok(true)
}
