//! Manifests as the object store keeps them: written back as read, and whatever commits make of one, what held before holds after.
#![no_main]

use std::collections::HashSet;

use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use weir_reader::manifests::parse;
use weir_rollup::manifest::{
    ArchiveObject, Erasure, Keep, Level, LogicFrom, Manifest, ObjectRef, Part, PartLedger, Promotion, PromotionKind, Rollup,
    Sealed,
};
use weir_rollup::rollup::DAY_MS;
use weir_rollup::{archive, logic, merge, rollup};

#[path = "shared/json.rs"]
mod json;

/// Bytes of a step: what is done, and three numbers for it.
const STEP_BYTES: usize = 4;
const STEPS_MAX: usize = 24;
/// Most parts and days for which the next rollup is looked for: every day is, one by one.
const DAYS_MAX: i64 = 30_000;
const NOW_MS: u64 = 1_795_320_000_000;

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| { json::mutate(data, size, max_size, seed) });

fuzz_target!(|data: &[u8]| {
    // A manifest as JSON in the first line, then steps.
    let (json, steps) = data.split_at(data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len()));
    let Ok(mut manifest) = parse("m", json) else { return };
    let written = serde_json::to_vec(&manifest).expect("a manifest is JSON");
    assert_eq!(parse("m", &written).ok().as_ref(), Some(&manifest));
    look(&manifest);
    let mut before = Holds::of(&manifest);
    for step in steps.get(1..).unwrap_or_default().as_chunks::<STEP_BYTES>().0.iter().take(STEPS_MAX) {
        let former = manifest.clone();
        if !apply(&mut manifest, &former, *step) {
            assert_eq!(manifest, former, "nothing is changed");
        }
        // What adds up step by step leaves the range some day.
        if manifest.check_numbers().is_err() {
            return;
        }
        let after = Holds::of(&manifest);
        after.must_hold_like(&before, *step);
        before = after;
        assert!(manifest.sealed_seq >= former.sealed_seq && manifest.sealed_stream_ms >= former.sealed_stream_ms);
    }
    let written = serde_json::to_vec(&manifest).expect("a manifest is JSON");
    assert_eq!(parse("m", &written).ok(), Some(manifest.clone()));
    look(&manifest);
});

/// Everything that only looks.
fn look(manifest: &Manifest) {
    let objects = manifest.objects();
    assert!(manifest.parts.iter().all(|part| objects.contains(part.name.as_str())));
    let _barrier = (manifest.barrier(), manifest.rows(), manifest.check_balance().is_ok());
    if let Some(job) = merge::next_job(manifest, &merge::Limits::default()) {
        assert!(job.inputs.iter().all(|input| objects.contains(input.as_str())));
        assert!(job.periods.windows(2).all(|pair| pair[0].end_ms <= pair[1].start_ms));
        assert!(job.periods.iter().all(|period| period.start_ms < period.end_ms));
    }
    if let Some(run) = archive::next_merge(&manifest.archive, &archive::Limits::default()) {
        assert!(run.len() > 1 && run.end <= manifest.archive.len());
    }
    let days = manifest.sealed_stream_ms as i64 / DAY_MS
        - manifest.parts.iter().map(|part| part.min_event_ms).min().unwrap_or(0) / DAY_MS;
    if days < DAYS_MAX {
        match rollup::next_job(manifest, &rollup::Limits::default()) {
            Some(rollup::Job::Build { start_ms, end_ms }) => assert!(start_ms < end_ms && start_ms % DAY_MS == 0),
            Some(rollup::Job::Merge { inputs, .. }) => assert!(inputs.iter().all(|input| objects.contains(input.as_str()))),
            None => {}
        }
    }
    let kept = archive::purge_before(manifest, true, u64::MAX, None);
    assert!(kept <= manifest.sealed_seq.max(1), "the last sealed message stays");
    for erasure in &manifest.erasures {
        assert!(erasure.sql().starts_with('('));
        let _looked = (manifest.states_before(erasure), manifest.archive_before(erasure).count(), manifest.awaited(erasure, 1));
    }
    let _logic = logic::at(&manifest.logic, manifest.sealed_seq);
}

/// What may hold of a manifest, and then holds after every commit too.
#[derive(Debug)]
struct Holds {
    is_balanced: bool,
    is_archive_whole: bool,
    are_rollups_apart: bool,
    are_erasures_ordered: bool,
    are_parts_sealed: bool,
}

impl Holds {
    fn of(manifest: &Manifest) -> Self {
        let has_no_gap = manifest.archive.windows(2).all(|pair| pair[0].last_seq + 1 == pair[1].first_seq);
        let ends = manifest.archive.last().is_none_or(|last| last.last_seq == manifest.archived_seq);
        let positions: Vec<_> = manifest.erasures.iter().map(|erasure| (erasure.position(), &erasure.id)).collect();
        let mut spans: Vec<_> = manifest.rollups.iter().map(|rollup| (rollup.start_ms, rollup.end_ms)).collect();
        spans.sort_unstable();
        Self {
            is_balanced: manifest.check_balance().is_ok(),
            is_archive_whole: has_no_gap && ends && manifest.archived_seq <= manifest.sealed_seq,
            are_rollups_apart: spans.iter().all(|(start, end)| start < end)
                && spans.windows(2).all(|pair| pair[0].1 <= pair[1].0),
            are_erasures_ordered: positions.is_sorted(),
            are_parts_sealed: manifest.parts.iter().all(|part| part.max_seq <= manifest.sealed_seq),
        }
    }

    fn must_hold_like(&self, before: &Self, step: [u8; STEP_BYTES]) {
        assert!(self.is_balanced || !before.is_balanced, "{step:?}: balance");
        assert!(self.is_archive_whole || !before.is_archive_whole, "{step:?}: archive");
        assert!(self.are_rollups_apart || !before.are_rollups_apart, "{step:?}: rollups");
        assert!(self.are_erasures_ordered || !before.are_erasures_ordered, "{step:?}: erasures");
        assert!(self.are_parts_sealed || !before.are_parts_sealed, "{step:?}: parts");
    }
}

/// Does one step; whether it says that something changed.
fn apply(manifest: &mut Manifest, former: &Manifest, [what, a, b, c]: [u8; STEP_BYTES]) -> bool {
    let state = ObjectRef { name: format!("s{a}-{b}"), checksum: String::new() };
    let keep = Keep { checkpoint_every_ms: u64::from(b) * 60_000, checkpoints: usize::from(c % 5), rollback_offered_ms: 1_000 };
    let day_ms = i64::from(a) * DAY_MS;
    match what % 14 {
        0 => {
            let seq = manifest.sealed_seq + u64::from(c);
            let part = (b > 0).then(|| part(format!("n{a}-{b}-{c}"), manifest.sealed_seq + 1, seq, day_ms, u64::from(b)));
            let archive = (c % 2 == 0).then(|| object(manifest.archived_seq + 1, seq));
            let logic = LogicFrom { pinned: c % 3 == 0, ..LogicFrom::new(0, format!("{}-0123456789abcdef", 1 + a % 3)) };
            let erasures = (c % 5 == 0).then(|| Erasure { seq, site_id: 1, ..Erasure::new(format!("{a:02x}"), 1) });
            let accepted = part.as_ref().map_or(0, Part::accepted);
            let (stream_ms, message_id) = (manifest.sealed_stream_ms + u64::from(a), format!("{c}"));
            let erasures = erasures.into_iter().collect();
            let sealed = Sealed { part, archive, state, seq, stream_ms, message_id, accepted, logic, erasures };
            let is_changed = manifest.seal(sealed, &keep, NOW_MS);
            assert_eq!(is_changed, c > 0);
            assert!(!is_changed || manifest.sealed_seq == seq);
            is_changed
        }
        1 => {
            let inputs: Vec<Part> = manifest.parts.iter().skip(usize::from(a)).take(usize::from(b)).cloned().collect();
            let (Some(first), Some(max_seq)) = (inputs.first(), inputs.iter().map(|part| part.max_seq).max()) else {
                return false;
            };
            let accepted: u64 = inputs.iter().map(Part::accepted).sum();
            let rows: u64 = inputs.iter().map(|part| part.rows).sum();
            let mut merged = Part { level: Level::Day, ..part(format!("x{a}-{b}"), first.min_seq, max_seq, day_ms, rows) };
            merged.ledger = Some(PartLedger { accepted, min_hour_ms: 0, max_hour_ms: 0 });
            let names: Vec<String> = inputs.into_iter().map(|part| part.name).collect();
            manifest.exchange(&names, [merged])
        }
        2 => {
            let rollup = rollup(format!("r{a}"), day_ms, day_ms + i64::from(b % 40 + 1) * DAY_MS);
            let made_from = if c % 2 == 0 { rollup::window_parts(manifest, rollup.start_ms, rollup.end_ms) } else { Vec::new() };
            manifest.add_rollup(rollup, &made_from)
        }
        3 => {
            let run: Vec<Rollup> = manifest.rollups.iter().skip(usize::from(a % 8)).take(usize::from(b % 4)).cloned().collect();
            let names: Vec<String> = run.iter().map(|rollup| rollup.name.clone()).collect();
            match (run.first(), run.last()) {
                (Some(first), Some(last)) if c % 2 == 0 && first.start_ms < last.end_ms => {
                    manifest.merge_rollups(&names, rollup(format!("m{a}"), first.start_ms, last.end_ms))
                }
                _ => manifest.drop_rollups(&names),
            }
        }
        4 => manifest.append_archive(object(manifest.archived_seq + u64::from(a % 3), manifest.archived_seq + u64::from(b))),
        5 => manifest.restart_archive(manifest.archived_seq + u64::from(a)),
        6 => manifest.expire_archive(u64::from(a) << b.min(48)),
        7 => {
            let run: Vec<ArchiveObject> = manifest.archive.iter().skip(usize::from(a)).take(usize::from(b)).cloned().collect();
            let (Some(first), Some(last)) = (run.first(), run.last()) else { return false };
            let outputs = vec![object(first.first_seq, last.last_seq + u64::from(c % 2))];
            let names: Vec<String> = run.into_iter().map(|object| object.name).collect();
            manifest.exchange_archive(&names, outputs)
        }
        8 => manifest.retain_from(Erasure::retention(u32::from(b % 3), day_ms, u64::from(c))),
        9 => {
            let known: HashSet<String> = manifest.parts.iter().skip(usize::from(c % 2)).map(|part| part.name.clone()).collect();
            manifest.parts_erased(&ids(manifest, a, b), &known)
        }
        10 => {
            let clean: HashSet<String> = manifest.objects().into_iter().skip(usize::from(c % 2)).map(str::to_owned).collect();
            manifest.history_erased(&ids(manifest, a, b), &clean, NOW_MS)
        }
        11 => manifest.erasures_final(&ids(manifest, a, b), NOW_MS + (u64::from(c) << 32)),
        12 => {
            let checkpoint_seq = manifest.checkpoints.get(usize::from(a)).map_or(0, |checkpoint| checkpoint.seq);
            let wanted = (b % 2 == 0).then(|| LogicFrom::new(0, "1-fedcba9876543210"));
            let parts: Vec<Part> = manifest.parts.iter().filter(|part| part.max_seq <= checkpoint_seq).cloned().collect();
            // Merges keep what is up to a checkpoint apart: no part has more rows than the ledgers of those up to it count.
            if parts.iter().map(|part| part.rows).sum::<u64>() > parts.iter().map(Part::accepted).sum() {
                return false;
            }
            let mut shadow = manifest.shadow(checkpoint_seq, checkpoint_seq + u64::from(c), wanted, parts);
            assert!(Holds::of(&shadow).is_balanced, "a shadow begins balanced");
            let rest = manifest.sealed_seq.saturating_sub(checkpoint_seq);
            if rest > 0 {
                let message_id = manifest.stream.sealed_message_id.clone();
                let made = part(format!("h{a}-{b}"), checkpoint_seq + 1, manifest.sealed_seq, day_ms, rest.min(9));
                let (accepted, logic) = (made.accepted(), LogicFrom::new(0, "1-fedcba9876543210"));
                let (seq, stream_ms, erasures) = (manifest.sealed_seq, manifest.sealed_stream_ms, Vec::new());
                let sealed =
                    Sealed { part: Some(made), archive: None, state, seq, stream_ms, message_id, accepted, logic, erasures };
                assert!(shadow.seal(sealed, &keep, NOW_MS));
            }
            let offered = (c % 4 > 0).then(|| ObjectRef { name: "former".to_owned(), checksum: String::new() });
            manifest.promote(&shadow, promotion(manifest, checkpoint_seq, offered))
        }
        _ => {
            // Rolled back to what stood before: nothing was sealed since, or what a step before this one sealed.
            let promotion = promotion(manifest, 0, None);
            let mut earlier = former.clone();
            earlier.erasures.truncate(usize::from(a));
            if !Holds::of(&earlier).is_balanced {
                return false;
            }
            manifest.roll_back(&earlier, promotion, NOW_MS);
            true
        }
    }
}

fn ids(manifest: &Manifest, a: u8, b: u8) -> Vec<String> {
    manifest.erasures.iter().skip(usize::from(a % 4)).take(usize::from(b % 4)).map(|erasure| erasure.id.clone()).collect()
}

fn part(name: String, min_seq: u64, max_seq: u64, day_ms: i64, rows: u64) -> Part {
    Part {
        name,
        level: Level::Flush,
        min_seq,
        max_seq,
        min_event_ms: day_ms,
        max_event_ms: day_ms + DAY_MS / 2,
        min_site_id: 1,
        max_site_id: 3,
        rows,
        bytes: 4096,
        content_checksum: String::new(),
        format: 2,
        ledger: Some(PartLedger { accepted: rows, min_hour_ms: day_ms, max_hour_ms: day_ms }),
        file_checksum: None,
    }
}

fn object(first_seq: u64, last_seq: u64) -> ArchiveObject {
    let (name, checksum) = (format!("archive/local-0/{first_seq}-{last_seq}-x.batches"), String::new());
    ArchiveObject { name, checksum, bytes: 9, first_seq, last_seq, first_stream_ms: 1, last_stream_ms: 2, events: 1 }
}

fn rollup(name: String, start_ms: i64, end_ms: i64) -> Rollup {
    Rollup { name, checksum: String::new(), bytes: 1, format: 1, start_ms, end_ms }
}

fn promotion(manifest: &Manifest, checkpoint_seq: u64, former: Option<ObjectRef>) -> Promotion {
    Promotion {
        replay_id: "ab".to_owned(),
        kind: PromotionKind::Promote,
        at_ms: NOW_MS,
        revision: manifest.revision + 1,
        from_seq: checkpoint_seq + 1,
        through_seq: manifest.sealed_seq,
        former,
        state: None,
    }
}
