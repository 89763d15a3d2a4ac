//! Parts and manifests as an aggregator leaves them.

use weir_reader::store::Store;
use weir_rollup::ledger::hour_of;
use weir_rollup::manifest::{Level, LogicFrom, Manifest, Part, PartLedger, StreamIdentity};
use weir_rollup::row::EventRow;
use weir_rollup::{columns, part};

/// A part of these rows, written into the store.
pub(crate) fn write_part(store: &Store, id: &str, rows: &[EventRow]) -> Part {
    let name = format!("parts/local-0/{id}.duckdb");
    let path = store.local_path(&name).unwrap();
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let connection = duckdb::Connection::open(&path).unwrap();
    connection.execute_batch(part::SCHEMA).unwrap();
    let mut appender = connection.appender("events").unwrap();
    appender.append_record_batch(columns::events_batch(rows).unwrap()).unwrap();
    appender.flush().unwrap();
    drop(appender);
    let (visits, ledger) = (part::visits_sql("events"), part::counted_ledger_sql("events"));
    connection.execute_batch(&format!("INSERT INTO visits {visits}; INSERT INTO ledger {ledger}; CHECKPOINT;")).unwrap();
    connection.close().map_err(|(_, error)| error).unwrap();
    let file_checksum = Some(weir_reader::store::checksum_of_file(&path).unwrap());
    let range = |value: fn(&EventRow) -> i64| (rows.iter().map(value).min().unwrap(), rows.iter().map(value).max().unwrap());
    let (min_event_ms, max_event_ms) = range(|row| row.event_ms);
    let (min_hour_ms, max_hour_ms) = range(|row| hour_of(row.received_ms));
    let (min_seq, max_seq) = range(|row| row.position.seq as i64);
    let (min_site_id, max_site_id) = range(|row| i64::from(row.site_id));
    Part {
        name,
        level: Level::Flush,
        min_seq: min_seq as u64,
        max_seq: max_seq as u64,
        min_event_ms,
        max_event_ms,
        min_site_id: min_site_id as u32,
        max_site_id: max_site_id as u32,
        rows: rows.len() as u64,
        bytes: 1,
        content_checksum: String::new(),
        file_checksum,
        format: part::FORMAT_VERSION,
        ledger: Some(PartLedger { accepted: rows.len() as u64, min_hour_ms, max_hour_ms }),
    }
}

/// The manifest of these parts.
pub(crate) fn manifest(parts: Vec<Part>, sealed_seq: u64, revision: u64) -> Manifest {
    let accepted = Some(parts.iter().map(|part| part.rows).sum());
    Manifest {
        version: 1,
        revision,
        parent: None,
        region: "local".to_owned(),
        partition: 0,
        sealed_seq,
        sealed_stream_ms: 0,
        parts,
        state: Vec::new(),
        archived_seq: 0,
        logic: vec![LogicFrom::new(1, "1-0")],
        stream: StreamIdentity { name: "EVENTS_local_0".to_owned(), created: String::new(), sealed_message_id: String::new() },
        written_ms: 0,
        accepted,
        checkpoints: Vec::new(),
        promotion: None,
        archive: Vec::new(),
        rollups: Vec::new(),
        erasures: Vec::new(),
        erased: 0,
    }
}
