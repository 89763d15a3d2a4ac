use super::*;
use crate::manifest::{Level, Part};

const MIDNIGHT_MS: i64 = 20_000 * DAY_MS;

fn part(name: &str, first_day: i64, days: i64, rows: u64) -> Part {
    let min_event_ms = MIDNIGHT_MS + first_day * DAY_MS;
    Part {
        name: name.to_owned(),
        level: Level::Month,
        min_seq: 1,
        max_seq: 2,
        min_event_ms,
        max_event_ms: min_event_ms + days * DAY_MS - 1,
        min_site_id: 1,
        max_site_id: 1,
        rows,
        bytes: 1,
        content_checksum: String::new(),
        format: 2,
        ledger: None,
        file_checksum: None,
    }
}

fn rollup(name: &str, start_ms: i64, end_ms: i64, bytes: u64) -> Rollup {
    Rollup { name: name.to_owned(), checksum: String::new(), bytes, format: 1, start_ms, end_ms }
}

/// A manifest with rows on these days whose stream has come to the start of day `now`.
fn manifest(parts: Vec<Part>, now: i64) -> Manifest {
    let mut manifest = Manifest::nothing("local", 0, "S", "t");
    manifest.parts = parts;
    manifest.sealed_stream_ms = (MIDNIGHT_MS + now * DAY_MS) as u64;
    manifest
}

/// Does all jobs; the spans of what is then there, in days.
fn work(manifest: &mut Manifest, limits: &Limits) -> Vec<(i64, i64)> {
    for number in 0..10_000 {
        let Some(job) = next_job(manifest, limits) else { break };
        let name = format!("r{number}");
        assert!(match job {
            Job::Build { start_ms, end_ms } => {
                let parts = window_parts(manifest, start_ms, end_ms);
                manifest.add_rollup(rollup(&name, start_ms, end_ms, 10), &parts)
            }
            Job::Merge { inputs, start_ms, end_ms } => {
                let bytes = 10 * inputs.len() as u64;
                manifest.merge_rollups(&inputs, rollup(&name, start_ms, end_ms, bytes))
            }
        });
        assert!(number < 9_999, "it does not end");
    }
    let day = |ms: i64| (ms - MIDNIGHT_MS) / DAY_MS;
    manifest.rollups.iter().map(|rollup| (day(rollup.start_ms), day(rollup.end_ms))).collect()
}

#[test]
fn settled_days_are_covered_once_whatever_the_parts_are() {
    let check = |parts: Vec<Part>, now: i64, rows_max: u64, expected: &[(i64, i64)]| {
        let limits = Limits { rows_max, ..Limits::default() };
        assert_eq!(work(&mut manifest(parts, now), &limits), expected);
    };
    check(vec![], 10, 100, &[]);
    check(vec![part("a", 0, 2, 10)], 3, 100, &[]);
    check(vec![part("a", 0, 2, 10)], 4, 100, &[(0, 1)]);
    check(vec![part("a", 0, 2, 10)], 50, 100, &[(0, 2)]);
    // As many rows as one may be made from; a day has to be taken whole.
    check(vec![part("a", 0, 4, 40)], 50, 20, &[(0, 2), (2, 4)]);
    check(vec![part("a", 0, 2, 400)], 50, 20, &[(0, 1), (1, 2)]);
    // What has no rows is passed over.
    check(vec![part("a", 0, 2, 10), part("old", -900, 1, 1)], 50, 100, &[(-900, -899), (0, 2)]);
    check(vec![part("a", 0, 2, 10), part("b", 1, 3, 10)], 50, 100, &[(0, 4)]);
}

#[test]
fn a_year_of_days_leaves_few_files() {
    let mut manifest = manifest(vec![part("a", 0, 400, 400)], 4);
    let mut most = 0;
    for now in 4..400 {
        manifest.sealed_stream_ms = (MIDNIGHT_MS + now * DAY_MS) as u64;
        let spans = work(&mut manifest, &Limits::default());
        assert_eq!((spans[0].0, spans.last().unwrap().1), (0, now - 3), "one after the other");
        assert!(spans.windows(2).all(|pair| pair[0].1 == pair[1].0));
        most = most.max(spans.len());
    }
    assert!(most <= 19, "{most} files");
}

#[test]
fn what_is_large_stays_as_it_is() {
    let limits = Limits { bytes_max: 40, ..Limits::default() };
    let mut manifest = manifest(vec![part("a", 0, 40, 40)], 4);
    for now in 4..40 {
        manifest.sealed_stream_ms = (MIDNIGHT_MS + now * DAY_MS) as u64;
        work(&mut manifest, &limits);
    }
    assert_eq!(manifest.rollups.len(), 36, "eight of them would be too large");
}

#[test]
fn a_rollup_is_listed_only_for_the_parts_it_was_made_from() {
    let mut manifest = manifest(vec![part("a", 0, 1, 10), part("far", 9, 1, 10)], 20);
    let made = rollup("r", MIDNIGHT_MS, MIDNIGHT_MS + DAY_MS, 1);
    assert_eq!(window_parts(&manifest, made.start_ms, made.end_ms), ["a"]);
    manifest.parts.push(part("late", 2, 1, 1));
    assert!(!manifest.add_rollup(made.clone(), &["a".to_owned()]), "a part came meanwhile");
    assert!(manifest.add_rollup(made.clone(), &["a".to_owned(), "late".to_owned()]));
    assert!(!manifest.add_rollup(made.clone(), &["a".to_owned(), "late".to_owned()]), "its days have one");
    assert!(!manifest.merge_rollups(&["other".to_owned()], made.clone()));
    assert!(manifest.merge_rollups(&["r".to_owned()], Rollup { name: "s".to_owned(), ..made }));
    assert_eq!(manifest.rollups.len(), 1);
    assert!(!manifest.drop_rollups(&["r".to_owned()]) && manifest.drop_rollups(&["s".to_owned()]));
    assert!(manifest.rollups.is_empty());
}
