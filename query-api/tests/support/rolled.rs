//! Rollups as an aggregator leaves them.

use weir_reader::store::{self, Store};
use weir_rollup::manifest::{Part, Rollup};
use weir_rollup::rollup::{self, Pays};

/// Everything is covered, however little it is.
pub(crate) const ALWAYS: Pays = Pays { site_events: 0, row_events: 0 };

fn new(store: &Store, id: &str, start_ms: i64, end_ms: i64) -> (duckdb::Connection, Rollup) {
    let name = format!("rollups/local-0/{id}.duckdb");
    let path = store.local_path(&name).unwrap();
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let connection = duckdb::Connection::open(&path).unwrap();
    connection.execute_batch(rollup::SCHEMA).unwrap();
    (connection, Rollup { name, checksum: String::new(), bytes: 1, format: rollup::FORMAT_VERSION, start_ms, end_ms })
}

/// The rollup as it is now in the store.
pub(crate) fn checked(store: &Store, rollup: Rollup) -> Rollup {
    Rollup { checksum: store::checksum_of_file(&store.local_path(&rollup.name).unwrap()).unwrap(), ..rollup }
}

fn run(connection: duckdb::Connection, statements: &[String]) {
    for statement in statements {
        connection.execute_batch(statement).unwrap_or_else(|error| panic!("{error}\n{statement}"));
    }
    connection.close().map_err(|(_, error)| error).unwrap();
}

/// A rollup of these parts.
pub(crate) fn write_rollup(store: &Store, id: &str, parts: &[Part], (start_ms, end_ms): (i64, i64), pays: Pays) -> Rollup {
    let (connection, rollup) = new(store, id, start_ms, end_ms);
    let (mut events, mut visits) = (Vec::new(), Vec::new());
    for (index, part) in parts.iter().enumerate() {
        let path = store.local_path(&part.name).unwrap();
        connection.execute_batch(&format!("ATTACH '{}' AS p{index} (READ_ONLY)", path.display())).unwrap();
        events.push(format!("SELECT * FROM p{index}.events"));
        visits.push(format!("SELECT * FROM p{index}.visits"));
    }
    let union = |selects: Vec<String>| format!("({})", selects.join(" UNION ALL "));
    run(connection, &rollup::build_sql(&union(events), &union(visits), start_ms, end_ms, pays));
    checked(store, rollup)
}

/// A rollup of neighbours.
pub(crate) fn merge_rollups(store: &Store, id: &str, inputs: &[Rollup]) -> Rollup {
    let (start_ms, end_ms) = (inputs.first().unwrap().start_ms, inputs.last().unwrap().end_ms);
    let (connection, rollup) = new(store, id, start_ms, end_ms);
    let mut databases = Vec::new();
    for (index, input) in inputs.iter().enumerate() {
        let path = store.local_path(&input.name).unwrap();
        connection.execute_batch(&format!("ATTACH '{}' AS r{index} (READ_ONLY)", path.display())).unwrap();
        databases.push(format!("r{index}"));
    }
    run(connection, &rollup::merge_sql(&databases, start_ms));
    checked(store, rollup)
}
