//! The SQL of a part, run by DuckDB on rows of the fold.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use duckdb::Connection;
use proptest::prelude::*;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use weir_event::model::{Event, EventBatch, Origin, Property, Revenue};
use weir_rollup::fold::{Arrival, KnownIds, OldRetry, State, fold};
use weir_rollup::row::{ControlRow, EventRow, Opening, Position};
use weir_rollup::rules::Rules;
use weir_rollup::{columns, ledger, part};

/// 2025-01-15T12:00:00Z.
const NOON: i64 = 1_736_942_400_000;

fn database() -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    connection.execute_batch("SET threads = 1").unwrap();
    connection.execute_batch(part::SCHEMA).unwrap();
    connection
}

fn insert(connection: &Connection, rows: &[EventRow]) {
    let mut appender = connection.appender("events").unwrap();
    appender.append_record_batch(columns::events_batch(rows).unwrap()).unwrap();
    appender.flush().unwrap();
}

fn text(connection: &Connection, sql: &str) -> String {
    connection.query_row(sql, [], |row| row.get(0)).unwrap()
}

/// Every row of a query as one text, sorted.
fn lines(connection: &Connection, sql: &str) -> Vec<String> {
    let mut statement = connection.prepare(&format!("SELECT CAST(r AS VARCHAR) FROM ({sql}) AS r ORDER BY 1")).unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

fn row(seq: u64, visit_id: u64, event_ms: i64, name: &str, pathname: &str) -> EventRow {
    EventRow {
        position: Position { seq, idx: 0 },
        site_id: 1,
        event_ms,
        received_ms: event_ms + 5,
        event_id: u128::from(seq) << 64,
        retry: false,
        visit_id,
        name: name.to_owned(),
        hostname: "shop.example".to_owned(),
        pathname: pathname.to_owned(),
        props: Vec::new(),
        revenue: None,
        engagement_ms: (name == "engagement").then_some(u32::MAX),
        scroll_depth: None,
        interactive: name != "engagement",
        origin: Origin::Edge,
        opening: Arc::new(Opening { visitor_id: visit_id + 1, source: "Google".to_owned(), ..Opening::default() }),
    }
}

#[test]
fn the_schema_is_pinned_to_its_version() {
    let digest = hex::encode(Sha256::digest(part::SCHEMA));
    assert_eq!(
        (part::FORMAT_VERSION, digest.get(..16).unwrap()),
        (2, "e838099dabcad185"),
        "a changed schema needs a new version"
    );
}

#[test]
fn every_table_column_and_key_is_explained() {
    let connection = database();
    connection.execute_batch(part::COMMENTS).unwrap();
    let silent = "SELECT table_name FROM duckdb_tables() WHERE coalesce(comment, '') = ''
                  UNION ALL SELECT table_name || '.' || column_name FROM duckdb_columns() WHERE NOT internal AND coalesce(comment, '') = ''";
    assert_eq!(lines(&connection, silent), [""; 0]);
    let about_meta = text(&connection, "SELECT comment FROM duckdb_tables() WHERE table_name = 'meta'");
    for key in [
        part::meta::FORMAT_VERSION,
        part::meta::REGION,
        part::meta::PARTITION,
        part::meta::LEVEL,
        part::meta::MIN_SEQ,
        part::meta::MAX_SEQ,
        part::meta::MIN_EVENT_MS,
        part::meta::MAX_EVENT_MS,
        part::meta::EVENT_ROWS,
        part::meta::VISIT_ROWS,
        part::meta::CONTROL_ROWS,
        part::meta::LEDGER_ROWS,
        part::meta::CONTENT_CHECKSUM,
        part::meta::LOGIC,
        part::meta::WRITTEN_MS,
    ] {
        assert!(about_meta.contains(key), "{key}");
    }
}

#[test]
fn arrow_columns_are_the_schemas() {
    let connection = database();
    let described = |sql: &str| lines(&connection, &format!("SELECT column_name, column_type FROM (DESCRIBE {sql})"));
    let batch = columns::events_batch(&[]).unwrap();
    let names: Vec<String> = batch.schema().fields().iter().map(|field| field.name().clone()).collect();
    let stored = connection
        .prepare("SELECT column_name, is_nullable FROM information_schema.columns WHERE table_name = 'events' ORDER BY ordinal_position")
        .unwrap()
        .query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)? == "YES")))
        .unwrap()
        .map(Result::unwrap)
        .collect::<Vec<_>>();
    let fields: Vec<_> = batch.schema().fields().iter().map(|field| (field.name().clone(), field.is_nullable())).collect();
    assert_eq!(fields, stored);
    assert_eq!(described("events"), described(&part::events_sql("events", 0)));
    assert_eq!(described("visits"), described(&part::visits_sql("events")));
    assert_eq!(described("visits"), described(&part::merge_visits_sql("visits")));
    assert_eq!(described("ledger"), described(&part::merge_ledger_sql("ledger", &[])));
    assert_eq!(described("ledger"), described(&part::counted_ledger_sql("events")));
    let mut statement = connection.prepare(&part::events_sql("events", 0)).unwrap();
    statement.execute([]).unwrap();
    assert_eq!(statement.column_names(), names);
}

#[test]
fn an_event_row_is_stored_as_it_is() {
    let connection = database();
    let opening = Opening {
        visitor_id: u64::MAX,
        bot: 3,
        source: "Google".to_owned(),
        referrer: "google.com/search".to_owned(),
        channel: "Organic Search".to_owned(),
        utm_source: "us".to_owned(),
        utm_medium: "um".to_owned(),
        utm_campaign: "uc".to_owned(),
        utm_content: "un".to_owned(),
        utm_term: "ut".to_owned(),
        country: "DE".to_owned(),
        region: "DE-BE".to_owned(),
        city: "Berlin".to_owned(),
        device: "Desktop".to_owned(),
        browser: "Chrome".to_owned(),
        browser_version: "131.0".to_owned(),
        os: "Windows".to_owned(),
        os_version: "10".to_owned(),
    };
    let prop = |key: &str, value: &str| Property { key: key.to_owned(), value: value.to_owned() };
    let full = EventRow {
        position: Position { seq: u64::MAX, idx: u32::MAX },
        site_id: u32::MAX,
        event_id: (1 << 64) | 2,
        retry: true,
        props: vec![prop("plan", "a"), prop("b\"\0", "ü\u{1F600}\n"), prop("plan", "pro")],
        revenue: Some(Revenue { currency: "EUR".to_owned(), amount_micros: i64::MIN }),
        engagement_ms: Some(7),
        scroll_depth: Some(100),
        origin: Origin::Import,
        opening: Arc::new(opening),
        ..row(1, 7, NOON, "Sign'up\0", "/ü")
    };
    let plain = EventRow { event_id: 0, ..row(2, 3, 0, "pageview", "/") };
    insert(&connection, &[full, plain]);
    let stored = lines(&connection, "SELECT * FROM events").join("\n").replace('\0', "<NUL>");
    assert_eq!(stored, include_str!("stored_rows.txt").trim_end());
    assert_eq!(text(&connection, "SELECT json_extract_string(props, '$.plan') FROM events WHERE props IS NOT NULL"), "pro");
    let kept = part::events_sql("events", NOON);
    assert_eq!(
        lines(&connection, &format!("SELECT event_id_high, event_id_low FROM ({kept})"))[0],
        "{'event_id_high': 1, 'event_id_low': 2}"
    );
    let forgotten = part::events_sql("events", NOON + 6);
    assert_eq!(
        text(&connection, &format!("SELECT CAST(count(event_id_high) + count(event_id_low) AS VARCHAR) FROM ({forgotten})")),
        "0"
    );
}

#[test]
fn control_rows_are_stored() {
    let connection = database();
    let control = ControlRow { position: Position { seq: 3, idx: 4 }, record: vec![0, 255] };
    let mut appender = connection.appender("controls").unwrap();
    appender.append_record_batch(columns::controls_batch(&[control]).unwrap()).unwrap();
    appender.flush().unwrap();
    assert_eq!(text(&connection, "SELECT seq || ' ' || idx || ' ' || hex(record) FROM controls"), "3 4 00FF");
}

#[test]
fn a_ledger_is_stored_added_up_and_told_from_events() {
    let connection = database();
    let hour_ms = NOON;
    let row = |seq, hour_ms, kind: &'static str, count| ledger::Row { site_id: 1, hour_ms, kind: kind.into(), count, seq };
    let rows = [
        row(1, hour_ms, "accepted", 2),
        row(5, hour_ms, "accepted", u64::MAX / 2),
        row(3, hour_ms, "rejected:url", 1),
        row(4, 0, "late", 1),
    ];
    let mut appender = connection.appender("ledger").unwrap();
    appender.append_record_batch(columns::ledger_batch(&rows).unwrap()).unwrap();
    appender.flush().unwrap();
    assert_eq!(
        lines(&connection, &part::merge_ledger_sql("ledger", &[])),
        [
            "{'seq': 3, 'site_id': 1, 'hour_ms': 1736942400000, 'kind': 'rejected:url', 'count': 1}",
            "{'seq': 4, 'site_id': 1, 'hour_ms': 0, 'kind': late, 'count': 1}",
            "{'seq': 5, 'site_id': 1, 'hour_ms': 1736942400000, 'kind': accepted, 'count': 9223372036854775809}",
        ]
    );
    let bot =
        EventRow { opening: Arc::new(Opening { bot: 2, ..Opening::default() }), ..self::row(8, 1, NOON + 1, "pageview", "/") };
    insert(
        &connection,
        &[self::row(7, 1, NOON + 3_599_994, "pageview", "/"), self::row(6, 1, NOON + 3_599_995, "pageview", "/"), bot],
    );
    assert_eq!(
        lines(&connection, &format!("SELECT * FROM {}", part::ledger_relation("memory", 1))),
        [
            "{'seq': 6, 'site_id': 1, 'hour_ms': 1736946000000, 'kind': accepted, 'count': 1}",
            "{'seq': 8, 'site_id': 1, 'hour_ms': 1736942400000, 'kind': accepted, 'count': 2}",
            "{'seq': 8, 'site_id': 1, 'hour_ms': 1736942400000, 'kind': bots, 'count': 1}",
        ]
    );
    assert_eq!(part::ledger_relation("p", 2), "p.ledger");
}

#[test]
fn what_may_be_a_copy_of_an_old_retry_is_found() {
    let connection = database();
    let id = |number: u64| u128::from(number) << 64 | u128::from(u64::MAX - number);
    let stored = |seq: u64, event_ms: i64| EventRow { event_id: id(seq), ..row(seq, 1, event_ms, "pageview", "/") };
    insert(
        &connection,
        &[stored(1, NOON), stored(2, NOON - 3_600_000), stored(3, NOON + 3_600_001), EventRow { event_id: 0, ..stored(4, NOON) }],
    );
    let wanted = |number: u64, site_id: u32| OldRetry { site_id, event_ms: NOON, id: id(number) };
    let all = [wanted(1, 1), wanted(1, 2), wanted(2, 1), wanted(3, 1), wanted(4, 1), wanted(5, 1)];
    let sql = part::copies_sql("events", &all).unwrap();
    let is_copy = |row: &duckdb::Row<'_>| {
        let (site_id, event_ms, id) = (row.get(0)?, row.get(1)?, OldRetry::id_of(row.get(2)?, row.get(3)?));
        Ok(all.iter().any(|retry| retry.is_copy(site_id, event_ms, id)).then_some(id))
    };
    let mut statement = connection.prepare(&format!("{sql} ORDER BY event_id_high")).unwrap();
    let found: Vec<Option<u128>> = statement.query_map([], is_copy).unwrap().map(Result::unwrap).collect();
    assert_eq!(found, [Some(id(1)), Some(id(2))]);
    let other_site = [wanted(1, 2)];
    assert!(!other_site[0].is_copy(1, NOON, id(1)) && other_site[0].is_copy(2, NOON, id(1)));
    assert_eq!(part::copies_sql("events", &[]), None);
}

#[test]
fn a_fragment_counts_by_the_definitions() {
    let connection = database();
    let quiet = EventRow { interactive: false, ..row(5, 1, NOON + 4, "Scroll", "/quiet") };
    insert(
        &connection,
        &[
            row(3, 1, NOON, "pageview", "/tie-later"),
            row(2, 1, NOON, "pageview", "/tie-first"),
            row(4, 1, NOON + 9, "engagement", "/after"),
            quiet,
            row(1, 1, NOON - 7, "Early", "/early"),
            row(6, 1, NOON + 1, "engagement", "/"),
            row(7, 2, NOON, "engagement", "/pings-alone"),
            row(8, 3, NOON, "Signup", "/no-page"),
        ],
    );
    let brief = "SELECT visit_id, visitor_id, first_ms - 1736942400000 AS first, last_ms - 1736942400000 AS last, pageviews, events, \
                 interactive_events, engagement_ms, entry_page, entry_seq, exit_page, exit_seq, source";
    assert_eq!(
        lines(&connection, &format!("{brief} FROM ({})", part::visits_sql("events"))),
        [
            "{'visit_id': 1, 'visitor_id': 2, 'first': -7, 'last': 4, 'pageviews': 2, 'events': 4, 'interactive_events': 3, \
             'engagement_ms': 8589934590, 'entry_page': /tie-first, 'entry_seq': 2, 'exit_page': /tie-later, 'exit_seq': 3, 'source': Google}",
            "{'visit_id': 2, 'visitor_id': 3, 'first': NULL, 'last': NULL, 'pageviews': 0, 'events': 0, 'interactive_events': 0, \
             'engagement_ms': 4294967295, 'entry_page': NULL, 'entry_seq': NULL, 'exit_page': NULL, 'exit_seq': NULL, 'source': Google}",
            "{'visit_id': 3, 'visitor_id': 4, 'first': 0, 'last': 0, 'pageviews': 0, 'events': 1, 'interactive_events': 1, \
             'engagement_ms': 0, 'entry_page': NULL, 'entry_seq': NULL, 'exit_page': NULL, 'exit_seq': NULL, 'source': Google}",
        ]
    );
}

#[test]
fn the_checksum_is_pinned_and_adds_up() {
    let connection = database();
    let rows = [row(1, 1, NOON, "pageview", "/a"), row(2, 1, NOON, "engagement", "/b"), row(3, 2, NOON, "pageview", "/c")];
    let checksum = |relation: &str| text(&connection, &part::checksum_sql(relation));
    assert_eq!(checksum("events"), "0-m0000000000000000");
    insert(&connection, &rows);
    let whole = checksum("events");
    assert_eq!(whole, "3-mb500722c72db4f5a");
    assert_eq!(checksum("(SELECT * FROM events ORDER BY seq DESC)"), whole);
    assert_eq!(checksum(&format!("({})", part::events_sql("events", i64::MAX))), whole, "ids do not count");
    let (first, rest) = (checksum("(SELECT * FROM events WHERE seq = 1)"), checksum("(SELECT * FROM events WHERE seq > 1)"));
    assert_eq!(part::combine_checksums([first.as_str(), rest.as_str()]).as_deref(), Some(whole.as_str()));
    assert_ne!(checksum("(SELECT * REPLACE ('/x' AS pathname) FROM events)"), whole);
    assert_ne!(checksum("(SELECT * REPLACE (os || 'x' AS os) FROM events)"), whole);
    assert_eq!(part::combine_checksums([]).as_deref(), Some("0-m0000000000000000"));
    assert_eq!(part::combine_checksums(["1-mzz"]), None);
    assert_eq!(part::combine_checksums(["1-00000000000000ff"]), None, "of the former kind");
    // Two equal changes of the last column do not cancel.
    assert_ne!(
        checksum("(SELECT * REPLACE (os_version || '1' AS os_version) FROM events WHERE seq < 3)"),
        checksum("(SELECT * FROM events WHERE seq < 3)")
    );
}

#[test]
fn rows_sort_by_the_order_of_a_part() {
    let connection = database();
    insert(
        &connection,
        &[
            row(1, 9, NOON + 3_600_000, "pageview", "/"),
            row(2, 9, NOON + 2, "pageview", "/"),
            row(3, 4, NOON + 3, "pageview", "/"),
        ],
    );
    let sorted = format!("SELECT string_agg(seq, ' ') FROM (SELECT seq FROM events ORDER BY {})", part::SORT_ORDER);
    assert_eq!(text(&connection, &sorted), "3 2 1");
    connection.execute_batch(&format!("SELECT * FROM visits ORDER BY {}", part::VISITS_SORT_ORDER)).unwrap();
}

/// Rows of a fold over few visitors, out of order.
fn folded_rows() -> impl Strategy<Value = Vec<EventRow>> {
    let name = prop_oneof![3 => Just("pageview"), 2 => Just("engagement"), 1 => Just("Signup")];
    let one = (0..3_u64, 0..90_u64, name, 0..4_u32, any::<bool>());
    let event = one.prop_map(|(visitor_id, minute, name, page, quiet)| Event {
        site_id: 1 + (visitor_id / 2) as u32,
        visitor_id,
        event_ms: NOON as u64 + minute * 60_000,
        name: name.to_owned(),
        hostname: "shop.example".to_owned(),
        pathname: format!("/{page}"),
        engagement_ms: (name == "engagement").then_some(page * 1000),
        non_interactive: quiet,
        referrer: format!("https://{page}.example/"),
        ..Event::default()
    });
    proptest::collection::vec(event, 1..40).prop_map(|events| {
        let batch = EventBatch { number: 1, events, ..EventBatch::default() };
        fold(
            &mut State::default(),
            &Rules::built_in().unwrap(),
            &batch,
            Arrival { seq: 1, stream_ms: NOON as u64 },
            &KnownIds::default(),
        )
        .rows
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn merged_fragments_of_any_split_are_the_fragments_of_all_rows(
        rows in folded_rows(),
        split in proptest::collection::vec(0..4_u8, 40),
    ) {
        let connection = database();
        insert(&connection, &rows);
        connection.execute_batch("CREATE TABLE place (idx UINTEGER, part UTINYINT)").unwrap();
        for (idx, part) in split.iter().enumerate() {
            connection.execute("INSERT INTO place VALUES (?, ?)", duckdb::params![idx as u32, part]).unwrap();
        }
        let of_part = |number: u8| part::visits_sql(&format!("(SELECT e.* FROM events e JOIN place USING (idx) WHERE part = {number})"));
        let whole = lines(&connection, &part::visits_sql("events"));
        let flat = format!("({} UNION ALL {} UNION ALL {} UNION ALL {})", of_part(0), of_part(1), of_part(2), of_part(3));
        prop_assert_eq!(&lines(&connection, &part::merge_visits_sql(&flat)), &whole);
        let pair = |a: u8, b: u8| part::merge_visits_sql(&format!("({} UNION ALL {})", of_part(a), of_part(b)));
        let nested = format!("({} UNION ALL {})", pair(3, 1), pair(2, 0));
        prop_assert_eq!(&lines(&connection, &part::merge_visits_sql(&nested)), &whole);
    }
}
