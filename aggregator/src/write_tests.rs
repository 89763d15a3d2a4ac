use super::*;
use std::sync::Arc;
use weir_event::model::{Origin, Property, Revenue};
use weir_rollup::row::{Opening, Position};

/// 2023-11-14T22:00:00Z.
pub(crate) const HOUR_START_MS: i64 = 1_700_000_000_000 / 3_600_000 * 3_600_000;

/// Rows of 5 visitors on 3 sites, in stream order from `first_seq`, over `hours` hours.
pub(crate) fn rows(first_seq: u64, count: u64, hours: i64) -> Vec<EventRow> {
    (0..count)
        .map(|number| {
            // A fixed sequence that looks random.
            let random =
                (first_seq + number).wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407) >> 33;
            let visitor = random % 5;
            let opening = Opening { visitor_id: visitor + 100, browser: "Firefox".to_owned(), ..Opening::default() };
            EventRow {
                position: Position { seq: first_seq + number / 10, idx: (number % 10) as u32 },
                site_id: 1 + (random % 3) as u32,
                event_ms: HOUR_START_MS + (random as i64 * 7919) % (hours * 3_600_000),
                received_ms: HOUR_START_MS + number as i64,
                event_id: (u128::from(first_seq) << 64) | u128::from(number + 1),
                retry: number % 7 == 0,
                visit_id: visitor + 1000,
                name: if number % 4 == 0 { "engagement" } else { "pageview" }.to_owned(),
                hostname: "shop.example".to_owned(),
                pathname: format!("/{}", random % 11),
                props: vec![Property { key: "it's".to_owned(), value: "\"x\"\u{0}ü".to_owned() }],
                revenue: (number % 5 == 0).then(|| Revenue { currency: "EUR".to_owned(), amount_micros: -5 }),
                engagement_ms: (number % 4 == 0).then_some(1500),
                scroll_depth: (number % 4 == 0).then_some(80),
                interactive: number % 4 != 0,
                origin: if number % 2 == 0 { Origin::Edge } else { Origin::Import },
                opening: Arc::new(opening),
            }
        })
        .collect()
}

pub(crate) fn controls(seq: u64) -> Vec<ControlRow> {
    vec![ControlRow { position: Position { seq, idx: 3 }, record: vec![1, 2, 0, 255] }]
}

/// [`write_flush`] with the ledger that these rows have.
pub(crate) fn write(
    limits: &DuckLimits,
    file: &Path,
    label: &Label,
    rows: &mut [EventRow],
    controls: &[ControlRow],
) -> Result<Part, WriteError> {
    let ledger = ledger_of(rows);
    write_flush(limits, file, label, rows, controls, &ledger)
}

/// The ledger of rows.
pub(crate) fn ledger_of(rows: &[EventRow]) -> Vec<ledger::Row> {
    let mut book = ledger::Book::default();
    for row in rows {
        let tally = ledger::Tally { accepted: 1, ..ledger::Tally::default() };
        book.add(row.position.seq, &[ledger::Entry { site_id: row.site_id, hour_ms: ledger::hour_of(row.received_ms), tally }]);
    }
    book.rows()
}

pub(crate) fn limits(folder: &Path) -> DuckLimits {
    DuckLimits { memory_limit_mb: 256, threads: 1, temp: folder.to_owned() }
}

pub(crate) fn label(name: &str, level: Level) -> Label {
    Label {
        region: "local".to_owned(),
        partition: 0,
        level,
        logic: "1-0123456789abcdef".to_owned(),
        written_ms: 5,
        name: name.to_owned(),
        fallback_ms: 77,
    }
}

/// Opens a finished part as `p`.
pub(crate) fn read(file: &Path) -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    connection.execute_batch(&format!("ATTACH {} AS p (READ_ONLY)", quoted(file))).unwrap();
    connection
}

fn texts(connection: &Connection, sql: &str) -> Vec<String> {
    let mut statement = connection.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

#[test]
fn rows_come_back_sorted_and_whatever_their_order_was_the_checksum_is_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = (folder.path().join("it's a.duckdb"), folder.path().join("b.duckdb"));
    let first = write(&limits(folder.path()), &a, &label("a", Level::Flush), &mut rows(1, 45_000, 5), &[]).unwrap();
    let mut reversed = rows(1, 45_000, 5);
    reversed.reverse();
    let second = write(&limits(folder.path()), &b, &label("a", Level::Flush), &mut reversed, &[]).unwrap();
    assert_eq!(first.rows, 45_000);
    let told = |part: &Part| Part { bytes: 0, file_checksum: None, ..part.clone() };
    assert_eq!(told(&first), told(&second));
    assert_eq!((first.min_seq, first.max_seq, first.min_site_id, first.max_site_id), (1, 4500, 1, 3));
    assert!(!folder.path().join("it's a.duckdb.wal").exists());
    let connection = read(&a);
    let stored = texts(&connection, "SELECT seq || '-' || idx FROM p.events");
    assert_eq!(stored, texts(&connection, &format!("SELECT seq || '-' || idx FROM p.events ORDER BY {}", part::SORT_ORDER)));
    let visits = format!("SELECT v::VARCHAR FROM ({}) AS v ORDER BY ALL", part::visits_sql("p.events"));
    assert_eq!(texts(&connection, "SELECT v::VARCHAR FROM p.visits AS v ORDER BY ALL"), texts(&connection, &visits));
}

#[test]
fn a_row_keeps_every_value() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.duckdb");
    let mut one = rows(9, 1, 1);
    let part = write(&limits(folder.path()), &file, &label("a", Level::Flush), &mut one, &controls(9)).unwrap();
    let connection = read(&file);
    let row = texts(&connection, "SELECT to_json(e)::VARCHAR FROM p.events AS e").remove(0);
    let row: serde_json::Value = serde_json::from_str(&row).unwrap();
    let given = &one[0];
    assert_eq!(row["event_ms"], given.event_ms);
    assert_eq!((&row["event_id_high"], &row["event_id_low"]), (&serde_json::json!(9), &serde_json::json!(1)));
    assert_eq!(row["props"], "{\"it's\":\"\\\"x\\\"\\u0000ü\"}");
    assert_eq!((&row["revenue_micros"], &row["revenue_currency"]), (&serde_json::json!(-5), &serde_json::json!("EUR")));
    assert_eq!((&row["engagement_ms"], &row["scroll_depth"]), (&serde_json::json!(1500), &serde_json::json!(80)));
    assert_eq!((&row["retry"], &row["interactive"]), (&serde_json::json!(true), &serde_json::json!(false)));
    assert_eq!(
        (&row["visitor_id"], &row["browser"]),
        (&serde_json::json!(given.opening.visitor_id), &serde_json::json!("Firefox"))
    );
    let record: Vec<u8> = connection.query_row("SELECT record FROM p.controls", [], |row| row.get(0)).unwrap();
    assert_eq!(record, [1, 2, 0, 255]);
    let meta = texts(&connection, "SELECT key || '=' || value FROM p.meta ORDER BY key");
    assert_eq!(
        meta,
        [
            format!("content_checksum={}", part.content_checksum),
            "control_rows=1".to_owned(),
            "event_rows=1".to_owned(),
            "format_version=2".to_owned(),
            "ledger_rows=1".to_owned(),
            "level=flush".to_owned(),
            "logic=1-0123456789abcdef".to_owned(),
            format!("max_event_ms={}", given.event_ms),
            "max_seq=9".to_owned(),
            format!("min_event_ms={}", given.event_ms),
            "min_seq=9".to_owned(),
            "partition=0".to_owned(),
            "region=local".to_owned(),
            "visit_rows=1".to_owned(),
            "written_ms=5".to_owned(),
        ]
    );
}

#[test]
fn control_records_alone_make_a_part() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.duckdb");
    let part = write(&limits(folder.path()), &file, &label("a", Level::Flush), &mut [], &controls(4)).unwrap();
    assert_eq!((part.rows, part.min_seq, part.max_seq, part.min_event_ms, part.max_event_ms), (0, 4, 4, 77, 77));
}

#[test]
fn a_ledger_alone_makes_a_part_and_tells_its_hours() {
    let folder = tempfile::tempdir().unwrap();
    let row = |hour: i64, kind: &'static str, seq: u64| ledger::Row {
        site_id: 0,
        hour_ms: HOUR_START_MS + hour * 3_600_000,
        kind: kind.into(),
        count: 3,
        seq,
    };
    let rows = [row(0, "rejected:url", 8), row(2, "deduplicated", 9)];
    let file = folder.path().join("a.duckdb");
    let part = write_flush(&limits(folder.path()), &file, &label("a", Level::Flush), &mut [], &[], &rows).unwrap();
    assert_eq!((part.rows, part.min_seq, part.max_seq, part.min_event_ms), (0, 9, 9, 77));
    let hours = PartLedger { accepted: 0, min_hour_ms: HOUR_START_MS, max_hour_ms: HOUR_START_MS + 7_200_000 };
    assert_eq!(part.ledger, Some(hours));
    let told = texts(&read(&file), "SELECT site_id || ' ' || kind || ' ' || count || ' ' || seq FROM p.ledger");
    assert_eq!(told, ["0 rejected:url 3 8", "0 deduplicated 3 9"]);
}

#[test]
fn a_ledger_that_does_not_count_the_rows_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut rows = rows(1, 10, 1);
    let mut ledger = ledger_of(&rows);
    ledger.truncate(1);
    let file = folder.path().join("a.duckdb");
    let refused = write_flush(&limits(folder.path()), &file, &label("a", Level::Flush), &mut rows, &[], &ledger);
    assert!(matches!(refused, Err(WriteError::LedgerDiffers { expected: 10, .. })), "{refused:?}");
}

#[test]
fn a_file_that_exists_is_not_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.duckdb");
    let write_it = || write(&limits(folder.path()), &file, &label("a", Level::Flush), &mut rows(1, 10, 1), &[]);
    write_it().unwrap();
    assert!(matches!(write_it(), Err(WriteError::DuckDb(_))));
}

/// The bytes of a small part, and what the manifest says of it.
fn small_part() -> &'static (Part, Vec<u8>) {
    static PART: std::sync::OnceLock<(Part, Vec<u8>)> = std::sync::OnceLock::new();
    PART.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("x");
        let label = label("parts/local-0/x.duckdb", Level::Flush);
        let part = write(&limits(folder.path()), &file, &label, &mut rows(1, 200, 2), &controls(9)).unwrap();
        (part, std::fs::read(&file).unwrap())
    })
}

/// Whether a file with these bytes is served as the small part, and is out of the way when it is not.
fn is_served(bytes: &[u8]) -> bool {
    let (folder, part) = (tempfile::tempdir().unwrap(), &small_part().0);
    let store = weir_reader::store::Store::local(folder.path()).unwrap();
    let path = store.local_path(&part.name).unwrap();
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, bytes).unwrap();
    match store.fetch_part_blocking(part) {
        Ok(file) => {
            assert_eq!(file.path(), path);
            true
        }
        Err(weir_reader::ReaderError::Damaged { name, .. }) => {
            assert_eq!(name, part.name);
            assert!(!path.exists() && store.damaged_here() == [name]);
            false
        }
        Err(error) => panic!("{error}"),
    }
}

/// The small part with one bit changed.
fn changed(place: usize, bit: u8) -> Vec<u8> {
    let mut bytes = small_part().1.clone();
    bytes[place] ^= 1 << bit;
    bytes
}

#[test]
fn a_whole_file_is_served_and_one_that_is_longer_shorter_or_changed_where_it_matters_is_not() {
    let bytes = &small_part().1;
    assert!(is_served(bytes));
    let position = |wanted: &[u8]| bytes.windows(wanted.len()).position(|window| window == wanted).unwrap();
    let header = (0..64).chain([4_096, 8_192]);
    let places = header.chain([position(b"content_checksum"), position(b"Firefox"), bytes.len() - 1]);
    for place in places {
        assert!(!is_served(&changed(place, 0)), "byte {place}");
    }
    assert!(!is_served(&bytes[..bytes.len() - 1]) && !is_served(&[bytes.as_slice(), b"x"].concat()) && !is_served(b""));
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(200))]

    #[test]
    fn one_changed_bit_anywhere_is_found(place in proptest::prelude::any::<proptest::sample::Index>(), bit in 0..8_u8) {
        proptest::prop_assert!(!is_served(&changed(place.index(small_part().1.len()), bit)));
    }
}

#[test]
fn a_file_explains_itself_to_plain_sql() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("part.duckdb");
    std::fs::write(&file, &small_part().1).unwrap();
    let connection = Connection::open_in_memory().unwrap();
    connection.execute_batch(&format!("ATTACH {} AS part (READ_ONLY)", quoted(&file))).unwrap();
    let count = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, u64>(0)).unwrap();
    let silent = "database_name = 'part' AND coalesce(comment, '') = ''";
    assert_eq!(count(&format!("SELECT count(*) FROM duckdb_tables() WHERE {silent}")), 0);
    assert_eq!(count(&format!("SELECT count(*) FROM duckdb_columns() WHERE {silent}")), 0);
    assert!(count("SELECT count(*) FROM duckdb_columns() WHERE database_name = 'part'") > 80);
    // Copied from the empty part, not made by the schema: they must be the same tables.
    let tables = |database: &str| -> Vec<String> {
        let sql = format!(
            "SELECT sql FROM duckdb_tables() WHERE database_name = '{database}'
             UNION ALL SELECT table_name || constraint_text FROM duckdb_constraints() WHERE database_name = '{database}' ORDER BY 1"
        );
        connection.prepare(&sql).unwrap().query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    connection.execute_batch(part::SCHEMA).unwrap();
    assert_eq!(tables("part"), tables("memory"));
    let unexplained = "SELECT count(*) FROM part.meta AS said, duckdb_tables() AS told
        WHERE told.database_name = 'part' AND told.table_name = 'meta' AND NOT contains(told.comment, said.key)";
    assert_eq!(count(unexplained), 0);
}
