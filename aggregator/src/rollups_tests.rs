use super::*;
use crate::write::tests::{label, limits, rows, write};
use std::sync::Arc;
use weir_rollup::manifest::Level;
use weir_rollup::row::{EventRow, Opening};

const DAY_MS: i64 = rollup::DAY_MS;
/// 2023-11-14T00:00:00Z.
const MIDNIGHT_MS: i64 = 1_699_920_000_000;

/// Rows over some days; visitors and visits of each day have their own ids.
fn days(first_seq: u64, count: u64, days: i64) -> Vec<EventRow> {
    let mut rows = rows(first_seq, count, 24 * days);
    for row in &mut rows {
        let day = row.event_ms.div_euclid(DAY_MS) as u64;
        row.visit_id += day * 100;
        row.opening = Arc::new(Opening { visitor_id: row.opening.visitor_id + day * 100, ..row.opening.as_ref().clone() });
    }
    rows
}

fn title(name: &str, first: i64, end: i64) -> Title {
    Title {
        name: name.to_owned(),
        start_ms: MIDNIGHT_MS + first * DAY_MS,
        end_ms: MIDNIGHT_MS + end * DAY_MS,
        region: "local".to_owned(),
        partition: 0,
        written_ms: 5,
    }
}

/// One hash of all figures of a rollup.
fn content(file: &Path) -> Vec<String> {
    let connection = Connection::open_in_memory().unwrap();
    connection.execute_batch(&format!("ATTACH {} AS r (READ_ONLY)", quoted(file))).unwrap();
    let of = |table: &str| {
        let sql = format!("SELECT count(*) || ' ' || coalesce(bit_xor(hash(t)), 0) FROM r.{table} AS t");
        connection.query_row(&sql, [], |row| row.get::<_, String>(0)).unwrap()
    };
    ["quarters", "days", "months", "covered"].map(of).to_vec()
}

#[test]
fn what_is_made_of_days_and_merged_is_what_is_made_of_all_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let limits = limits(folder.path());
    for (name, first_seq) in [("p1", 1), ("p2", 5_000)] {
        write(&limits, &path(name), &label(name, Level::Flush), &mut days(first_seq, 3_000, 20), &[]).unwrap();
    }
    let parts = [path("p1"), path("p2")];
    let pays = Pays { site_events: 0, row_events: 0 };
    let make = |name: &str, first: i64, end: i64| {
        build(&limits, &path(name), &title(name, first, end), &parts, 6_000, pays).unwrap();
        path(name)
    };
    let whole = make("whole", 1, 19);
    let pieces = [make("a", 1, 2), make("b", 2, 9), make("c", 9, 19)];
    let merged = merge_until(&limits, &Interrupt::default(), &path("merged"), &title("merged", 1, 19), &pieces).unwrap();
    assert_eq!(content(&path("merged")), content(&whole));
    assert_eq!((merged.start_ms, merged.end_ms, merged.format), (MIDNIGHT_MS + DAY_MS, MIDNIGHT_MS + 19 * DAY_MS, 1));
    assert_eq!(merged.checksum, store::checksum_of_file(&path("merged")).unwrap());
    assert!(content(&whole).iter().all(|table| !table.starts_with("0 ")), "{:?}", content(&whole));
}

#[test]
fn what_does_not_pay_has_no_figures() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let limits = limits(folder.path());
    write(&limits, &path("p"), &label("p", Level::Flush), &mut days(1, 3_000, 20), &[]).unwrap();
    let covered = |name: &str, pays: Pays| {
        build(&limits, &path(name), &title(name, 1, 19), &[path("p")], 3_000, pays).unwrap();
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(&format!("ATTACH {} AS r (READ_ONLY)", quoted(&path(name)))).unwrap();
        let mut statement =
            connection.prepare("SELECT DISTINCT dimension FROM r.covered WHERE site_id = 2 ORDER BY ALL").unwrap();
        let found = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
        found.collect::<Result<Vec<_>, _>>().unwrap()
    };
    assert!(covered("few", Pays { site_events: 1_000, row_events: 1 }).is_empty());
    assert_eq!(covered("all", Pays { site_events: 0, row_events: 0 }).len(), 23);
    let some = covered("some", Pays { site_events: 0, row_events: 20 });
    assert!(some.contains(&"all".to_owned()) && !some.contains(&"pathname".to_owned()), "{some:?}");
}
