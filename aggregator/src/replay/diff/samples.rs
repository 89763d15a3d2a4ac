//! Rows that make a difference, as examples.

use super::cells::HourChange;
use super::dimension::{DIMENSIONS, Dimension};
use super::go_on;
use super::report::{Difference, Sample};
use crate::duck::Interrupt;
use crate::write::WriteError;
use duckdb::Connection;
use std::collections::{BTreeMap, BTreeSet};
use weir_rollup::ledger::HOUR_MS;

/// Samples of one difference.
const SAMPLES: usize = 3;

/// Where a row stands: place, sequence and index.
type Position = (u32, u64, u32);

/// A row of one side.
struct Found {
    time: String,
    name: String,
    pathname: String,
    /// In the order of [`DIMENSIONS`].
    values: Vec<String>,
}

/// The differences with their samples.
pub(super) fn add(
    connection: &Connection,
    interrupt: &Interrupt,
    changes: Vec<HourChange>,
) -> Result<Vec<Difference>, WriteError> {
    let mut positions = Vec::with_capacity(changes.len());
    for change in &changes {
        go_on(interrupt)?;
        positions.push(find(connection, change)?);
    }
    let wanted: BTreeSet<Position> = positions.iter().flatten().copied().collect();
    let (served, shadow) = (read(connection, "served", &wanted)?, read(connection, "shadow", &wanted)?);
    let differences = changes.into_iter().zip(positions).map(|(change, positions)| {
        let sample = |position: &Position| sample(*position, change.dimension, served.get(position), shadow.get(position));
        Difference { samples: positions.iter().filter_map(sample).collect(), change: change.change, hour: change.hour }
    });
    Ok(differences.collect())
}

/// The first rows that do not give the same to the figure on both sides. None, when only events of other hours make the difference, as
/// with a visit that is no bounce any more.
fn find(connection: &Connection, wanted: &HourChange) -> Result<Vec<Position>, WriteError> {
    let HourChange { dimension, metric, hour_ms, change, .. } = wanted;
    let side = |side: &str| {
        format!(
            "(SELECT place, seq, idx, {} AS share FROM {side} \
             WHERE site_id = {} AND event_ms >= {hour_ms} AND event_ms < {} AND {} = ?)",
            metric.share_of_row(),
            change.site_id,
            hour_ms + HOUR_MS,
            dimension.of_row
        )
    };
    let sql = format!(
        "SELECT place, seq, idx FROM {} AS a FULL JOIN {} AS b USING (place, seq, idx)
         WHERE a.share IS DISTINCT FROM b.share ORDER BY place, seq, idx LIMIT {SAMPLES}",
        side("served"),
        side("shadow")
    );
    let mut statement = connection.prepare(&sql)?;
    let positions = statement.query_map([&change.value, &change.value], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    Ok(positions.collect::<Result<_, _>>()?)
}

/// Reads rows of one side.
fn read(connection: &Connection, side: &str, wanted: &BTreeSet<Position>) -> Result<BTreeMap<Position, Found>, WriteError> {
    if wanted.is_empty() {
        return Ok(BTreeMap::new());
    }
    let positions: Vec<String> = wanted.iter().map(|(place, seq, idx)| format!("({place}, {seq}, {idx})")).collect();
    let values: Vec<&str> = DIMENSIONS.iter().map(|dimension| dimension.of_row).collect();
    let sql = format!(
        "SELECT place, seq, idx, strftime(make_timestamp(event_ms * 1000), '%Y-%m-%dT%H:%M:%S.%gZ'), name, pathname, {}
         FROM {side} JOIN (VALUES {}) AS wanted (place, seq, idx) USING (place, seq, idx)",
        values.join(", "),
        positions.join(", ")
    );
    let mut statement = connection.prepare(&sql)?;
    let rows = statement.query_map([], |row| {
        let values = (0..DIMENSIONS.len()).map(|index| row.get(6 + index)).collect::<Result<_, _>>()?;
        let found = Found { time: row.get(3)?, name: row.get(4)?, pathname: row.get(5)?, values };
        Ok(((row.get(0)?, row.get(1)?, row.get(2)?), found))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn sample(position: Position, dimension: Dimension, served: Option<&Found>, shadow: Option<&Found>) -> Option<Sample> {
    let either = served.or(shadow)?;
    let index = DIMENSIONS.iter().position(|other| *other == dimension)?;
    let value = |row: Option<&Found>| row.and_then(|row| row.values.get(index).cloned());
    Some(Sample {
        seq: position.1,
        index: position.2,
        time: either.time.clone(),
        name: either.name.clone(),
        pathname: either.pathname.clone(),
        served: value(served),
        shadow: value(shadow),
    })
}
