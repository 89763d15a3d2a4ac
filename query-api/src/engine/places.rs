//! Tables with the names of places, for statements to look codes up in.

use crate::places;
use duckdb::Connection;

/// Makes `names.country` and `names.region`: columns `code` and `name`, each code once.
pub(super) fn load(connection: &Connection) -> Result<(), duckdb::Error> {
    connection.execute_batch(
        "CREATE SCHEMA names;
         CREATE TABLE names.country (code VARCHAR NOT NULL, name VARCHAR NOT NULL);
         CREATE TABLE names.region (code VARCHAR NOT NULL, name VARCHAR NOT NULL);",
    )?;
    append(connection, "country", places::countries())?;
    append(connection, "region", places::subdivisions())
}

fn append(
    connection: &Connection,
    table: &str,
    names: impl Iterator<Item = (&'static str, &'static str)>,
) -> Result<(), duckdb::Error> {
    let mut appender = connection.appender_to_db(table, "names")?;
    for (code, name) in names {
        appender.append_row([code, name])?;
    }
    appender.flush()
}
