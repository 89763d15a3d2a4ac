use super::super::{Keep, Level, LogicFrom, PartLedger, Promotion, PromotionKind, Rollup, Sealed};
use super::*;
use crate::row::Position;
use weir_event::model::{DeleteSite, DeleteVisitor, MoveSite};

const DAY_MS: i64 = 86_400_000;

fn part(name: &str, seqs: (u64, u64), rows: u64, accepted: u64) -> Part {
    Part {
        name: name.to_owned(),
        level: Level::Flush,
        min_seq: seqs.0,
        max_seq: seqs.1,
        min_event_ms: 0,
        max_event_ms: DAY_MS,
        min_site_id: 2,
        max_site_id: 5,
        rows,
        bytes: 1,
        content_checksum: String::new(),
        format: 2,
        ledger: Some(PartLedger { accepted, min_hour_ms: 0, max_hour_ms: 0 }),
        file_checksum: None,
    }
}

fn manifest(parts: Vec<Part>) -> Manifest {
    let mut manifest = Manifest::nothing("local", 0, "S", "t");
    manifest.accepted = Some(parts.iter().map(Part::accepted).sum());
    manifest.erased = parts.iter().map(Part::accepted).sum::<u64>() - parts.iter().map(|part| part.rows).sum::<u64>();
    manifest.sealed_seq = parts.iter().map(|part| part.max_seq).max().unwrap_or(0);
    manifest.parts = parts;
    manifest.check_balance().unwrap();
    manifest
}

fn erasure(id: &str, seq: u64) -> Erasure {
    Erasure { seq, idx: 1, site_id: 3, visitor_id: Some(7), ..Erasure::new(id.to_owned(), 5) }
}

fn object(name: &str) -> ObjectRef {
    ObjectRef { name: name.to_owned(), checksum: String::new() }
}

fn names(names: &[&str]) -> HashSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn a_control_record_says_what_to_forget() {
    let row = |kind| {
        let control = Control { id: vec![0xab, 1], requested_ms: 9, kind };
        ControlRow { position: Position { seq: 4, idx: 2 }, record: control.encode_to_vec() }
    };
    let asked = Erasure::of_control(&row(Some(ControlKind::DeleteSite(DeleteSite { site_id: 3 })))).unwrap();
    assert_eq!(asked, Erasure { seq: 4, idx: 2, site_id: 3, ..Erasure::new("ab01".to_owned(), 9) });
    let visitor = DeleteVisitor { site_id: 3, visitor_id: 7 };
    let asked = Erasure::of_control(&row(Some(ControlKind::DeleteVisitor(visitor)))).unwrap();
    assert_eq!((asked.site_id, asked.visitor_id), (3, Some(7)));
    for other in [
        Some(ControlKind::MoveSite(MoveSite { site_id: 3, to_partition: 1 })),
        Some(ControlKind::DeleteSite(DeleteSite { site_id: 0 })),
        None,
    ] {
        assert_eq!(Erasure::of_control(&row(other)), None);
    }
}

#[test]
fn what_is_covered() {
    let subject =
        |site_id, visitor_id, event_ms, seq, idx| Subject { site_id, visitor_id, event_ms, position: Position { seq, idx } };
    let visitor = erasure("v", 10);
    let site = Erasure { visitor_id: None, ..visitor.clone() };
    let retention = Erasure { seq: 10, ..Erasure::retention(0, DAY_MS, 5) };
    for (site_id, visitor_id, event_ms, seq, idx, expected) in [
        (3, 7, 0, 9, 50, [true, true, true]),
        (3, 7, 0, 10, 0, [true, true, false]),
        (3, 7, 0, 10, 1, [false, false, false]),
        (3, 8, 0, 9, 0, [false, true, true]),
        (4, 7, DAY_MS - 1, 9, 0, [false, false, true]),
        (4, 7, DAY_MS, 9, 0, [false, false, false]),
    ] {
        let subject = subject(site_id, visitor_id, event_ms, seq, idx);
        assert_eq!([&visitor, &site, &retention].map(|erasure| erasure.covers(&subject)), expected, "{subject:?}");
    }
    let before = part("p", (1, 9), 1, 1);
    assert!(site.covers_all_in(&before) && !visitor.covers_all_in(&before) && !retention.covers_all_in(&before));
    assert!(!site.covers_all_in(&part("p", (1, 10), 1, 1)));
    assert!(visitor.may_cover(&part("p", (10, 12), 1, 1)) && !visitor.may_cover(&part("p", (11, 12), 1, 1)));
    assert!(!visitor.may_cover(&part("p", (1, 9), 0, 1)), "it has no rows");
}

#[test]
fn erased_rows_stay_accepted_and_only_the_rollups_of_their_time_go() {
    let mut manifest = manifest(vec![part("a", (1, 5), 10, 10), part("b", (6, 9), 5, 5)]);
    let rollup = |name: &str, day: i64| Rollup {
        name: name.to_owned(),
        checksum: String::new(),
        bytes: 1,
        format: 1,
        start_ms: day * DAY_MS,
        end_ms: (day + 1) * DAY_MS,
    };
    manifest.rollups = vec![rollup("near", 0), rollup("far", 9)];
    assert!(!manifest.erase_rows(&["x".to_owned()], [], 3, (0, 1)));
    assert!(manifest.erase_rows(&["a".to_owned()], [part("c", (1, 5), 7, 10)], 3, (0, 1)));
    assert_eq!((manifest.erased, manifest.rows()), (3, 12));
    assert_eq!(manifest.rollups.iter().map(|rollup| rollup.name.as_str()).collect::<Vec<_>>(), ["far"]);
    manifest.check_balance().unwrap();
    // Rows that vanish without being counted are noticed.
    assert!(manifest.erase_rows(&["b".to_owned()], [part("d", (6, 9), 3, 5)], 1, (0, 1)));
    assert!(manifest.check_balance().is_err());
}

#[test]
fn an_erasure_is_done_when_every_part_that_it_may_cover_was_looked_into() {
    let mut manifest = manifest(vec![part("a", (1, 5), 10, 10), part("b", (6, 9), 5, 5), part("later", (11, 12), 5, 5)]);
    manifest.erasures = vec![erasure("e", 10)];
    let ids = ["e".to_owned()];
    assert!(!manifest.parts_erased(&ids, &names(&["a", "gone"])));
    assert_eq!(manifest.open_erasures().count(), 1);
    assert!(manifest.parts_erased(&ids, &names(&["a", "b"])));
    assert_eq!(manifest.open_erasures().count(), 0);
    assert!(!manifest.parts_erased(&ids, &names(&["a", "b"])), "it is done already");
}

#[test]
fn history_is_clean_when_archive_and_older_states_are() {
    let mut manifest = manifest(vec![part("a", (1, 20), 10, 10)]);
    manifest.erasures = vec![erasure("e", 10)];
    for (seq, name) in [(5, "s5"), (10, "s10")] {
        manifest.checkpoints.push(Checkpoint { seq, stream_ms: seq, message_id: String::new(), state: object(name) });
    }
    manifest.logic = vec![LogicFrom { state: Some(object("l8")), ..LogicFrom::new(9, "1-a") }];
    manifest.archive = [(1, 6), (7, 10), (11, 20)]
        .map(|(first_seq, last_seq)| ArchiveObject {
            name: format!("a{first_seq}"),
            checksum: String::new(),
            bytes: 1,
            first_seq,
            last_seq,
            first_stream_ms: 0,
            last_stream_ms: 0,
            events: 1,
        })
        .to_vec();
    let erasure = manifest.erasures[0].clone();
    assert_eq!(manifest.states_before(&erasure), [object("l8"), object("s5")]);
    let made = HashMap::from([("s5".to_owned(), object("clean5"))]);
    assert!(manifest.exchange_states(&made) && !manifest.exchange_states(&made));
    let ids = ["e".to_owned()];
    for clean in [&["clean5", "l8", "a1"][..], &["clean5", "a1", "a7"], &["s5", "l8", "a1", "a7"]] {
        assert!(!manifest.history_erased(&ids, &names(clean), 50), "{clean:?}");
    }
    assert!(!manifest.erasures_final(&ids, 60), "nothing is done yet");
    assert!(manifest.history_erased(&ids, &names(&["clean5", "l8", "a1", "a7"]), 50));
    assert!(!manifest.erasures_final(&ids, 60), "parts are not");
    assert!(manifest.parts_erased(&ids, &names(&["a"])) && manifest.erasures_final(&ids, 60));
    assert_eq!((manifest.erasures[0].done_ms, manifest.erasures[0].final_ms), (Some(50), Some(60)));
    assert!(!manifest.erasures_final(&[], 60 + RECEIPT_KEPT_MS - 1));
    assert!(manifest.erasures_final(&[], 60 + RECEIPT_KEPT_MS) && manifest.erasures.is_empty());
}

#[test]
fn a_site_has_one_retention_which_only_moves_on() {
    let mut manifest = manifest(vec![part("a", (1, 20), 10, 10)]);
    let asked = |before_ms| Erasure::retention(3, before_ms, 5);
    assert!(manifest.retain_from(asked(10)));
    manifest.erasures[0].parts_done = true;
    assert!(!manifest.retain_from(asked(10)) && !manifest.retain_from(asked(9)));
    assert!(manifest.retain_from(Erasure::retention(0, 4, 5)) && manifest.retain_from(asked(11)));
    let told: Vec<_> = manifest.erasures.iter().map(|erasure| (erasure.id.as_str(), erasure.seq, erasure.parts_done)).collect();
    assert_eq!(told, [("retention", 21, false), ("retention-3", 21, false)]);
}

#[test]
fn a_retention_looks_into_old_raw_batches_and_into_those_of_old_rows() {
    let day = DAY_MS as u64;
    let object = |first_seq: u64, first_stream_ms: u64| ArchiveObject {
        name: format!("a{first_seq}"),
        checksum: String::new(),
        bytes: 1,
        first_seq,
        last_seq: first_seq + 9,
        first_stream_ms,
        last_stream_ms: first_stream_ms,
        events: 1,
    };
    let young = |part: Part| Part { min_event_ms: 8 * DAY_MS, max_event_ms: 9 * DAY_MS, ..part };
    let mut manifest = manifest(vec![young(part("young", (1, 29), 5, 5)), part("imported", (31, 35), 5, 5)]);
    manifest.archive =
        vec![object(1, 6 * day), object(11, 8 * day), object(21, 9 * day), object(31, 9 * day), object(41, 6 * day)];
    let told = |erasure: &Erasure| manifest.archive_before(erasure).map(|object| object.name.clone()).collect::<Vec<_>>();
    assert_eq!(told(&Erasure { seq: 36, ..Erasure::retention(0, 5 * DAY_MS, 1) }), ["a1", "a31"]);
    assert_eq!(told(&Erasure { seq: 36, site_id: 3, ..Erasure::new("e".to_owned(), 1) }), ["a1", "a11", "a21", "a31"]);
}

#[test]
fn a_flush_counts_what_it_erased_and_lists_an_erasure_once() {
    let mut manifest = manifest(vec![]);
    let keep = Keep { checkpoint_every_ms: 100, checkpoints: 3, rollback_offered_ms: 1_000 };
    let sealed = |seq: u64, part: Part| Sealed {
        accepted: part.accepted(),
        part: Some(part),
        archive: None,
        state: object("s"),
        seq,
        stream_ms: seq,
        message_id: String::new(),
        logic: LogicFrom::new(1, "1-a"),
        erasures: vec![erasure("e", seq)],
    };
    assert!(manifest.seal(sealed(5, part("a", (1, 5), 6, 10)), &keep, 0));
    assert!(manifest.seal(sealed(9, part("b", (6, 9), 4, 4)), &keep, 0));
    assert_eq!((manifest.accepted, manifest.erased, manifest.erasures.len()), (Some(14), 4, 1));
    manifest.check_balance().unwrap();
}

#[test]
fn another_history_is_looked_through_again() {
    let promotion = Promotion {
        replay_id: "r".to_owned(),
        kind: PromotionKind::Promote,
        at_ms: 1,
        revision: 1,
        from_seq: 1,
        through_seq: 9,
        former: Some(object("former")),
        state: None,
    };
    let former = manifest(vec![part("a", (1, 9), 10, 10)]);
    let done = |id: &str| Erasure { parts_done: true, history_done: true, done_ms: Some(3), ..erasure(id, 9) };
    let mut served = former.clone();
    served.erasures = vec![done("done"), Erasure { final_ms: Some(4), ..done("final") }];
    let mut shadow = manifest(vec![part("b", (1, 9), 6, 10)]);
    shadow.erasures = vec![done("of the shadow")];
    assert!(served.promote(&shadow, promotion.clone()));
    let told = |manifest: &Manifest| -> Vec<(String, bool)> {
        manifest.erasures.iter().map(|erasure| (erasure.id.clone(), erasure.parts_done)).collect()
    };
    let expected = [("done", false), ("final", true), ("of the shadow", false)].map(|(id, done)| (id.to_owned(), done));
    assert_eq!(told(&served), expected);
    assert_eq!(served.erased, 4);
    for erasure in &mut served.erasures {
        erasure.parts_done = true;
    }
    served.roll_back(&former, promotion, 5);
    assert_eq!(told(&served), expected);
    assert_eq!((served.erased, served.rows()), (0, 10));
    served.check_balance().unwrap();
}
