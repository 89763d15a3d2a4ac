//! What is said of parts and how objects are named: sums of checksums do not depend on their order, a name means one thing and stays in its folder.
#![no_main]

use std::path::Component;
use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use weir_reader::control::definitions;
use weir_reader::states;
use weir_reader::store::{Store, quarantined_name};
use weir_rollup::logic::LogicName;
use weir_rollup::manifest::Part;
use weir_rollup::part::combine_checksums;

fn store() -> &'static Store {
    static STORE: OnceLock<Store> = OnceLock::new();
    STORE.get_or_init(|| Store::local(&std::env::temp_dir().join("weir-fuzz-meta")).expect("a folder can be made"))
}

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    if let Ok(part) = serde_json::from_slice::<Part>(data) {
        let json = serde_json::to_vec(&part).expect("a part is JSON");
        assert_eq!(serde_json::from_slice::<Part>(&json).expect("and is read back"), part);
        assert!(part.ledger.is_some() || part.accepted() == part.rows);
        // Hours hold a part when a stretch around them does.
        let (first_ms, last_ms) = (part.min_event_ms.min(part.max_event_ms), part.max_event_ms);
        assert!(!part.may_hold_hours(first_ms, last_ms) || part.may_hold_hours(i64::MIN, i64::MAX));
        name(&part.name);
    }
    let lines: Vec<&str> = text.lines().collect();
    checksums(&lines);
    for line in lines.iter().take(20) {
        name(line);
        logic(line);
        let seq = states::seq_of(line);
        assert!(seq.is_none_or(|seq| states::seq_of(&states::name(line, 3, seq, "ab")) == Some(seq)), "{line:?}");
        if let Some(site_id) = definitions::site_of(line) {
            assert_eq!(definitions::key(site_id), *line, "a site has one key");
        }
    }
});

fn checksums(lines: &[&str]) {
    let Some(sum) = combine_checksums(lines.iter().copied()) else { return };
    assert_eq!(combine_checksums([sum.as_str()]).as_ref(), Some(&sum), "it is its own sum");
    assert_eq!(combine_checksums(lines.iter().rev().copied()).as_ref(), Some(&sum));
    let (left, right) = lines.split_at(lines.len() / 2);
    let halves = [left, right].map(|half| combine_checksums(half.iter().copied()).expect("a part of a sum is one"));
    assert_eq!(combine_checksums(halves.iter().map(String::as_str)).as_ref(), Some(&sum));
    let twice = combine_checksums(lines.iter().chain(lines).copied());
    assert!(twice.is_none_or(|twice| twice.ends_with("-m0000000000000000")), "the same rows twice are no rows");
}

/// Where an object is when its name is one: in the folder, under that name.
fn name(name: &str) {
    let root = store().local_path("x").expect("a plain name");
    let root = root.parent().expect("it is in the folder");
    for name in [name.to_owned(), quarantined_name(name)] {
        let Ok(path) = store().local_path(&name) else { continue };
        let below = path.strip_prefix(root).expect("it is in the folder");
        assert!(below.components().all(|part| matches!(part, Component::Normal(_))), "{name:?} is {path:?}");
        assert_eq!(below.to_str(), Some(name.as_str()));
    }
}

fn logic(text: &str) {
    if let Some(parsed) = LogicName::parse(text) {
        assert_eq!(format!("{}-{}", parsed.fold, parsed.rules), text, "a logic version has one spelling");
    }
}
