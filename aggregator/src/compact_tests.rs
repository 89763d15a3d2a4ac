use super::*;
use crate::write::tests::{HOUR_START_MS, controls, label, ledger_of, limits, read, rows, write};
use crate::write::write_flush;
use std::collections::BTreeMap;
use std::path::Path;
use weir_rollup::ledger;
use weir_rollup::manifest::PartLedger;
use weir_rollup::merge::{Limits, plan};
use weir_rollup::row::{ControlRow, EventRow};

const KEEP_ALL: i64 = i64::MIN;

struct Folder {
    folder: tempfile::TempDir,
    made: u32,
}

impl Places for Folder {
    fn next(&mut self, level: Level) -> (Label, PathBuf) {
        self.made += 1;
        let name = format!("out{}", self.made);
        (label(&name, level), self.folder.path().join(&name))
    }
}

impl Folder {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), made: 0 }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn part(&self, name: &str, level: Level, mut rows: Vec<EventRow>, controls: &[ControlRow]) -> Input {
        let path = self.path().join(name);
        let part = write(&limits(self.path()), &path, &label(name, level), &mut rows, controls).unwrap();
        Input { part, path: path.into() }
    }

    fn merge(&mut self, inputs: &[Input], ids_from_ms: i64) -> Result<(Job, Merged), WriteError> {
        self.merge_keeping(inputs, &Keeping { ids_from_ms, ledger_apart: Vec::new(), part_bytes: u64::MAX })
    }

    fn merge_keeping(&mut self, inputs: &[Input], keeping: &Keeping) -> Result<(Job, Merged), WriteError> {
        let parts: Vec<Part> = inputs.iter().map(|input| input.part.clone()).collect();
        let job = plan(&parts, &Limits { flush_parts: 2, ..Limits::default() }).expect("a job");
        let limits = limits(self.path());
        run(&limits, &Interrupt::default(), inputs, &job, keeping, self).map(|merged| (job, merged))
    }
}

/// Checksums of the events, visits and controls of several files together.
fn content<'a>(files: impl Iterator<Item = &'a Path>) -> [String; 3] {
    let connection = duckdb::Connection::open_in_memory().unwrap();
    let files: Vec<&Path> = files.collect();
    for (index, file) in files.iter().enumerate() {
        connection.execute_batch(&format!("ATTACH {} AS in{index} (READ_ONLY)", quoted(file))).unwrap();
    }
    let indexes: Vec<usize> = (0..files.len()).collect();
    let union = |table: &str| format!("({})", union_all(&indexes, table));
    let one = |sql: String| connection.query_row(&sql, [], |row| row.get::<_, String>(0)).unwrap();
    let visits = format!("({})", part::merge_visits_sql(&union("visits")));
    [
        one(part::checksum_sql(&union("events"))),
        one(format!("SELECT count(*) || '-' || bit_xor(hash(v::VARCHAR)) FROM {visits} AS v")),
        one(format!(
            "SELECT coalesce(string_agg(seq || '.' || idx || record::VARCHAR, ',' ORDER BY seq), '') FROM {}",
            union("controls")
        )),
    ]
}

#[test]
fn a_merge_holds_exactly_the_rows_visits_and_controls_of_its_inputs() {
    let mut folder = Folder::new();
    let inputs = [
        folder.part("a", Level::Flush, rows(1, 3000, 3), &controls(1)),
        folder.part("b", Level::Flush, rows(1000, 2000, 2), &[]),
        folder.part("c", Level::Flush, vec![], &controls(2000)),
    ];
    let (_, merged) = folder.merge(&inputs, KEEP_ALL).unwrap();
    assert_eq!(merged.replaced, ["a", "b", "c"]);
    let hours: Vec<i64> = merged.outputs.iter().map(|output| (output.part.min_event_ms - HOUR_START_MS) / 3_600_000).collect();
    assert_eq!(hours, [0, 1, 2]);
    assert!(merged.outputs.iter().all(|output| output.part.level == Level::Hour && output.part.bytes > 0));
    let before = content(inputs.iter().map(|input| input.path.path()));
    assert_eq!(content(merged.outputs.iter().map(|output| output.file.as_path())), before);
    assert!(!before[2].is_empty());
    for output in &merged.outputs {
        let connection = read(&output.file);
        let sql = format!(
            "SELECT (SELECT list((seq, idx)) FROM p.events) = (SELECT list((seq, idx) ORDER BY {}) FROM p.events)",
            part::SORT_ORDER
        );
        assert!(connection.query_row(&sql, [], |row| row.get::<_, bool>(0)).unwrap(), "sorted");
    }
}

#[test]
fn a_large_period_is_divided_by_site_and_never_by_time() {
    let mut folder = Folder::new();
    let of_site = |site_id: u32, count: u64| {
        let mut rows = rows(u64::from(site_id) * 1000, count, 1);
        for row in &mut rows {
            row.site_id = site_id;
        }
        rows
    };
    let sites = [of_site(3, 900), of_site(1, 3000), of_site(7, 700), of_site(9, 800)].concat();
    let inputs = [folder.part("a", Level::Flush, sites, &controls(1)), folder.part("b", Level::Flush, of_site(8, 900), &[])];
    let bytes: u64 = inputs.iter().map(|input| input.part.bytes).sum();
    let keeping = Keeping { ids_from_ms: KEEP_ALL, ledger_apart: Vec::new(), part_bytes: bytes / 4 };
    let (_, merged) = folder.merge_keeping(&inputs, &keeping).unwrap();
    let told: Vec<(u32, u32, u64)> =
        merged.outputs.iter().map(|Output { part, .. }| (part.min_site_id, part.max_site_id, part.rows)).collect();
    assert_eq!(told, [(1, 1, 3000), (3, 7, 1600), (8, 9, 1700)]);
    let before = content(inputs.iter().map(|input| input.path.path()));
    assert_eq!(content(merged.outputs.iter().map(|output| output.file.as_path())), before);
    assert_eq!(merged.outputs.iter().map(|output| output.part.accepted()).sum::<u64>(), 6300);
}

#[test]
fn what_is_left_when_sites_are_divided_goes_to_the_last_range() {
    let divide = |counts: &[(u32, u64)]| divide_sites(counts, 10);
    assert_eq!(divide(&[]), [0..=u32::MAX]);
    assert_eq!(divide(&[(1, 4), (5, 15)]), [0..=u32::MAX]);
    assert_eq!(divide(&[(1, 4), (5, 15), (6, 9), (9, 1)]), [0..=5, 6..=u32::MAX]);
    assert_eq!(divide(&[(1, 50), (2, 1), (3, 9), (4, 9)]), [0..=1, 2..=u32::MAX]);
    assert_eq!(divide(&[(1, 10), (u32::MAX, 10)]), [0..=1, 2..=u32::MAX]);
}

#[test]
fn an_hour_without_new_rows_is_left_alone_and_one_with_new_rows_is_written_anew() {
    let mut folder = Folder::new();
    let of_hour = |hour: i64, first_seq: u64| {
        let mut rows = rows(first_seq, 500, 1);
        for row in &mut rows {
            row.event_ms += hour * 3_600_000;
        }
        rows
    };
    let new = [of_hour(0, 2000), of_hour(2, 2100)].concat();
    let inputs = [
        folder.part("hour0", Level::Hour, of_hour(0, 1), &[]),
        folder.part("hour1", Level::Hour, of_hour(1, 100), &controls(100)),
        folder.part("a", Level::Flush, new, &[]),
        folder.part("b", Level::Flush, of_hour(0, 3000), &[]),
    ];
    let (job, merged) = folder.merge(&inputs, KEEP_ALL).unwrap();
    assert!(job.inputs.contains(&"hour1".to_owned()), "the plan cannot know");
    let mut replaced = merged.replaced.clone();
    replaced.sort();
    assert_eq!(replaced, ["a", "b", "hour0"]);
    assert_eq!(merged.outputs.iter().map(|output| output.part.rows).collect::<Vec<_>>(), [1500, 500]);
    let before = content(inputs.iter().filter(|input| input.part.name != "hour1").map(|input| input.path.path()));
    assert_eq!(content(merged.outputs.iter().map(|output| output.file.as_path())), before);
}

#[test]
fn old_event_ids_are_dropped_and_nothing_else() {
    let mut folder = Folder::new();
    let inputs = [folder.part("a", Level::Flush, rows(1, 100, 1), &[]), folder.part("b", Level::Flush, rows(100, 100, 1), &[])];
    let (_, merged) = folder.merge(&inputs, HOUR_START_MS + 60).unwrap();
    let connection = read(&merged.outputs[0].file);
    let sql = "SELECT count(*) FILTER (event_id_low IS NULL AND event_id_high IS NULL AND received_ms < ?), \
               count(*) FILTER (event_id_low IS NOT NULL AND received_ms >= ?), count(*) FROM p.events";
    let start = HOUR_START_MS + 60;
    let counts: (u64, u64, u64) =
        connection.query_row(sql, [start, start], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
    assert_eq!(counts, (120, 80, 200));
    assert_eq!(merged.outputs[0].part.min_seq, 1);
}

#[test]
fn a_merge_that_is_told_to_end_changes_nothing() {
    let mut folder = Folder::new();
    let inputs = [folder.part("a", Level::Flush, rows(1, 100, 1), &[]), folder.part("b", Level::Flush, rows(100, 100, 1), &[])];
    let parts: Vec<Part> = inputs.iter().map(|input| input.part.clone()).collect();
    let job = plan(&parts, &Limits { flush_parts: 2, ..Limits::default() }).unwrap();
    let interrupt = Interrupt::default();
    interrupt.stop();
    let result = run(
        &limits(folder.path()),
        &interrupt,
        &inputs,
        &job,
        &Keeping { ids_from_ms: KEEP_ALL, ledger_apart: Vec::new(), part_bytes: u64::MAX },
        &mut folder,
    );
    assert!(matches!(result, Err(WriteError::Interrupted)));
    assert!(inputs.iter().all(|input| input.path.exists()));
}

/// Sums of the ledgers of files, by site, hour and kind, with the highest sequence.
fn ledgers(inputs: &[(&Path, u32)]) -> BTreeMap<(u32, i64, String), (u64, u64)> {
    let mut sums = BTreeMap::new();
    for (file, format) in inputs {
        let connection = read(file);
        let sql = format!("SELECT site_id, hour_ms, kind, count, seq FROM {}", part::ledger_relation("p", *format));
        let mut statement = connection.prepare(&sql).unwrap();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let key = (row.get(0).unwrap(), row.get(1).unwrap(), row.get(2).unwrap());
            let sum: &mut (u64, u64) = sums.entry(key).or_default();
            *sum = (sum.0 + row.get::<_, u64>(3).unwrap(), sum.1.max(row.get(4).unwrap()));
        }
    }
    sums
}

fn refused(hour: i64, count: u64, seq: u64) -> ledger::Row {
    ledger::Row { site_id: 2, hour_ms: HOUR_START_MS + hour * 3_600_000, kind: "rejected:url".into(), count, seq }
}

#[test]
fn a_merge_counts_what_its_inputs_counted_each_hour_with_its_period() {
    let mut folder = Folder::new();
    let part = |name: &str, mut rows: Vec<EventRow>, refused: &[ledger::Row]| {
        let path = folder.path().join(name);
        let ledger = [ledger_of(&rows), refused.to_vec()].concat();
        let part = write_flush(&limits(folder.path()), &path, &label(name, Level::Flush), &mut rows, &[], &ledger).unwrap();
        Input { part, path: path.into() }
    };
    let inputs = [
        part("a", rows(1, 300, 3), &[refused(0, 2, 900), refused(1, 1, 7), refused(9, 4, 8), refused(-5, 1, 2)]),
        part("b", rows(1000, 200, 2), &[refused(0, 3, 20), refused(9, 1, 9)]),
        part("c", vec![], &[refused(1, 5, 5)]),
    ];
    let (_, merged) = folder.merge(&inputs, KEEP_ALL).unwrap();
    let files = |inputs: &[(&Path, u32)]| ledgers(inputs);
    let before = files(&inputs.iter().map(|input| (input.path.path(), 2)).collect::<Vec<_>>());
    let outputs: Vec<(&Path, u32)> = merged.outputs.iter().map(|output| (output.file.as_path(), output.part.format)).collect();
    assert_eq!(files(&outputs), before);
    let hours = |output: &Output| {
        let ledger = output.part.ledger.clone().unwrap();
        [ledger.min_hour_ms, ledger.max_hour_ms].map(|ms| (ms - HOUR_START_MS) / 3_600_000)
    };
    // Part c has no events: its time is the fallback, far in the past, which makes a period of its own that takes nothing here.
    let periods: Vec<[i64; 2]> = merged.outputs.iter().map(hours).collect();
    assert_eq!(periods, [[-5, -5], [0, 0], [0, 1], [0, 9]]);
    let second = ledgers(&outputs[1..2]);
    assert_eq!(second.get(&(2, HOUR_START_MS, "rejected:url".to_owned())), Some(&(5, 900)));
}

#[test]
fn a_part_of_format_1_is_merged_and_its_events_are_its_ledger() {
    let mut folder = Folder::new();
    let mut inputs =
        [folder.part("a", Level::Flush, rows(1, 100, 1), &[]), folder.part("b", Level::Flush, rows(100, 100, 1), &[])];
    let connection = duckdb::Connection::open(inputs[0].path.path()).unwrap();
    connection.execute_batch("DROP TABLE ledger").unwrap();
    drop(connection);
    (inputs[0].part.format, inputs[0].part.ledger) = (1, None);
    let before = ledgers(&[(&inputs[0].path, 1), (&inputs[1].path, 2)]);
    let (_, merged) = folder.merge(&inputs, KEEP_ALL).unwrap();
    assert_eq!(merged.outputs.len(), 1);
    assert_eq!((merged.outputs[0].part.format, merged.outputs[0].part.accepted()), (2, 200));
    assert_eq!(ledgers(&[(&merged.outputs[0].file, 2)]), before);
}

/// A file as a program of then wrote it; `tests/formats` is never written anew.
fn of_format(folder: &Folder, format: u32, packed: &[u8]) -> Input {
    let path = folder.path().join(format!("format{format}"));
    std::fs::write(&path, zstd::decode_all(packed).unwrap()).unwrap();
    let at_ms = 1_736_942_400_000 + i64::from(format) * 60_000;
    let ledger = PartLedger { accepted: 6, min_hour_ms: 1_736_942_400_000, max_hour_ms: 1_736_942_400_000 };
    let part = Part {
        name: format!("format{format}"),
        level: Level::Flush,
        min_seq: u64::from(format) * 10,
        max_seq: u64::from(format) * 10 + 2,
        min_event_ms: at_ms,
        max_event_ms: at_ms + 5_000,
        min_site_id: 1,
        max_site_id: 1,
        rows: 6,
        bytes: 1,
        content_checksum: String::new(),
        format,
        ledger: (format >= 2).then_some(ledger),
        file_checksum: None,
    };
    Input { part, path: path.into() }
}

#[test]
fn files_of_every_format_there_was_are_read() {
    let mut folder = Folder::new();
    let inputs = [
        of_format(&folder, 1, include_bytes!("../tests/formats/format-1.duckdb.zst")),
        of_format(&folder, 2, include_bytes!("../tests/formats/format-2.duckdb.zst")),
    ];
    let before = content(inputs.iter().map(|input| input.path.path()));
    let (_, merged) = folder.merge(&inputs, KEEP_ALL).unwrap();
    let outputs: Vec<(&Path, u32)> = merged.outputs.iter().map(|output| (output.file.as_path(), output.part.format)).collect();
    assert_eq!(content(outputs.iter().map(|(file, _)| *file)), before);
    let hour = |kind: &str| (1, 1_736_942_400_000, kind.to_owned());
    let expected = [(hour("accepted"), (12, 22)), (hour("bots"), (4, 22)), (hour("rejected:url"), (3, 22))];
    assert_eq!(ledgers(&outputs), BTreeMap::from(expected));
}
