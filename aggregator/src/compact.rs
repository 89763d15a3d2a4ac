//! Merges parts: rows of several files into one file per period. Blocks: call it on a blocking thread.
//!
//! Ledger rows go by their own hour: to the period it falls into, else to the one before, so that they need not be where the event rows
//! are that they count. Together the outputs count what the inputs did.

use crate::duck::{DuckLimits, Interrupt, quoted};
use crate::write::{self, Label, WriteError};
use duckdb::Connection;
use std::ops::{Range, RangeInclusive};
use std::path::PathBuf;
use weir_reader::ReaderError;
use weir_reader::store::{LocalFile, Store};
use weir_rollup::manifest::{Level, Part};
use weir_rollup::merge::{Job, Period};
use weir_rollup::part::{self, LEDGER_SORT_ORDER};

/// A file to read.
#[derive(Clone, Debug)]
pub(crate) struct Input {
    pub(crate) part: Part,
    pub(crate) path: LocalFile,
}

/// These parts as files.
pub(crate) async fn inputs(store: &Store, parts: impl Iterator<Item = &Part>) -> Result<Vec<Input>, ReaderError> {
    let mut inputs = Vec::new();
    for part in parts {
        inputs.push(Input { path: store.fetch_part(part).await?, part: part.clone() });
    }
    Ok(inputs)
}

/// Names and places for the files that a merge writes.
pub(crate) trait Places {
    /// Label and path of the next file.
    fn next(&mut self, level: Level) -> (Label, PathBuf);
}

/// A file that was written.
#[derive(Clone, Debug)]
pub(crate) struct Output {
    pub(crate) part: Part,
    pub(crate) file: PathBuf,
}

/// What a merge did.
#[derive(Clone, Debug)]
pub(crate) struct Merged {
    /// Names of the parts whose rows are in `outputs`. Parts of the job that got no new rows are not among them: they stay.
    pub(crate) replaced: Vec<String>,
    /// The files that stand for them.
    pub(crate) outputs: Vec<Output>,
}

/// Name of the table with the inputs' ledgers, added up.
const LEDGER: &str = "memory.main.merged_ledger";

/// What of the inputs is kept apart or dropped.
#[derive(Clone, Debug)]
pub(crate) struct Keeping {
    /// Event ids of rows received before this time, Unix milliseconds, are dropped.
    pub(crate) ids_from_ms: i64,
    /// Ledger rows up to one of these sequences are not added to those after it.
    pub(crate) ledger_apart: Vec<u64>,
    /// A period of more than twice this is divided by site into parts of at least this, bytes.
    pub(crate) part_bytes: u64,
}

/// Runs a job. Together the outputs hold exactly the rows of the replaced inputs.
pub(crate) fn run(
    limits: &DuckLimits,
    interrupt: &Interrupt,
    inputs: &[Input],
    job: &Job,
    keeping: &Keeping,
    places: &mut dyn Places,
) -> Result<Merged, WriteError> {
    let connection = limits.open()?;
    interrupt.watch(&connection);
    let result = merge(&connection, interrupt, inputs, job, keeping, places);
    if interrupt.is_stopped() { Err(WriteError::Interrupted) } else { result }
}

fn merge(
    connection: &Connection,
    interrupt: &Interrupt,
    inputs: &[Input],
    job: &Job,
    keeping: &Keeping,
    places: &mut dyn Places,
) -> Result<Merged, WriteError> {
    let job = without_untouched(connection, inputs, job)?;
    let taken: Vec<&Input> = inputs.iter().filter(|input| job.inputs.contains(&input.part.name)).collect();
    for (index, input) in taken.iter().enumerate() {
        connection.execute_batch(&format!("ATTACH {} AS in{index} (READ_ONLY)", quoted(&input.path)))?;
    }
    let ledgers = taken.iter().enumerate().map(|(index, input)| {
        format!(
            "SELECT seq, site_id, hour_ms, kind, count FROM {}",
            part::ledger_relation(&format!("in{index}"), input.part.format)
        )
    });
    let ledgers = ledgers.collect::<Vec<_>>().join(" UNION ALL ");
    if !taken.is_empty() {
        connection.execute_batch(&format!(
            "CREATE TABLE {LEDGER} AS {}",
            part::merge_ledger_sql(&format!("({ledgers})"), &keeping.ledger_apart)
        ))?;
    }
    let mut merged = Merged { replaced: taken.iter().map(|input| input.part.name.clone()).collect(), outputs: Vec::new() };
    let mut has_controls = has_controls(connection, taken.len())?;
    for period in &job.periods {
        if interrupt.is_stopped() {
            return Err(WriteError::Interrupted);
        }
        let hours = job.ledger_hours(period);
        let outputs = write_period(connection, &taken, period, hours, keeping, has_controls, places)?;
        has_controls = has_controls && outputs.is_empty();
        merged.outputs.extend(outputs);
    }
    let expected = taken.iter().map(|input| input.part.rows).sum();
    write::expect_rows(merged.outputs.iter().map(|output| output.part.rows).sum(), expected)?;
    let expected = taken.iter().map(|input| input.part.accepted()).sum();
    write::expect_accepted(merged.outputs.iter().map(|output| output.part.accepted()).sum(), expected)?;
    Ok(merged)
}

/// The job without the periods into which no new rows fall: what is already there needs no rewriting.
fn without_untouched(connection: &Connection, inputs: &[Input], job: &Job) -> Result<Job, WriteError> {
    let is_new = |input: &&Input| !job.periods.iter().any(|period| period.joined.contains(&input.part.name));
    let mut touched: Vec<i64> = Vec::new();
    let mut has_controls = false;
    for input in inputs.iter().filter(is_new) {
        connection.execute_batch(&format!("ATTACH {} AS probe (READ_ONLY)", quoted(&input.path)))?;
        has_controls |= connection.query_row("SELECT EXISTS (SELECT 1 FROM probe.controls)", [], |row| row.get::<_, bool>(0))?;
        for period in job.periods.iter().filter(|period| overlaps(&input.part, period)) {
            let sql = "SELECT EXISTS (SELECT 1 FROM probe.events WHERE event_ms >= ? AND event_ms < ?)";
            if connection.query_row(sql, [period.start_ms, period.end_ms], |row| row.get(0))? {
                touched.push(period.start_ms);
            }
        }
        if input.part.format >= 2 {
            let sql = "SELECT EXISTS (SELECT 1 FROM probe.ledger WHERE hour_ms >= ? AND hour_ms < ?)";
            for period in &job.periods {
                let hours = job.ledger_hours(period);
                if connection.query_row(sql, [hours.start, hours.end], |row| row.get(0))? {
                    touched.push(period.start_ms);
                }
            }
        }
        connection.execute_batch("DETACH probe")?;
    }
    if touched.is_empty() && has_controls {
        // Control records need a part to go to.
        touched.extend(job.periods.first().map(|period| period.start_ms));
    }
    Ok(job.clone().only(|period| touched.contains(&period.start_ms)))
}

fn overlaps(part: &Part, period: &Period) -> bool {
    part.min_event_ms < period.end_ms && part.max_event_ms >= period.start_ms
}

fn has_controls(connection: &Connection, inputs: usize) -> Result<bool, WriteError> {
    for index in 0..inputs {
        if connection.query_row(&format!("SELECT EXISTS (SELECT 1 FROM in{index}.controls)"), [], |row| row.get(0))? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Writes the parts of one period, none when no input has anything for it. The first that is written takes all control records.
fn write_period(
    connection: &Connection,
    taken: &[&Input],
    period: &Period,
    ledger_hours: Range<i64>,
    keeping: &Keeping,
    mut with_controls: bool,
    places: &mut dyn Places,
) -> Result<Vec<Output>, WriteError> {
    let indexes: Vec<usize> =
        (0..taken.len()).filter(|index| taken.get(*index).is_some_and(|input| overlaps(&input.part, period))).collect();
    let Period { start_ms, end_ms, .. } = period;
    let inside = format!("event_ms >= {start_ms} AND event_ms < {end_ms}");
    let in_hours = format!("hour_ms >= {} AND hour_ms < {}", ledger_hours.start, ledger_hours.end);
    let mut outputs = Vec::new();
    for sites in site_ranges(connection, taken, &indexes, &inside, keeping.part_bytes)? {
        let of_sites = format!("site_id >= {} AND site_id <= {}", sites.start(), sites.end());
        let rows = count_rows(connection, &indexes, &format!("{inside} AND {of_sites}"))?;
        let has_ledger: bool = connection.query_row(
            &format!("SELECT EXISTS (SELECT 1 FROM {LEDGER} WHERE {in_hours} AND {of_sites})"),
            [],
            |row| row.get(0),
        )?;
        if rows == 0 && !with_controls && !has_ledger {
            continue;
        }
        let (mut label, file) = places.next(period.level);
        // A part without events counts as one of its period all the same.
        label.fallback_ms = label.fallback_ms.clamp(*start_ms, end_ms - 1);
        write::create(connection, &file, rows)?;
        connection.execute_batch("BEGIN")?;
        if !indexes.is_empty() {
            let keep_from_ms = keeping.ids_from_ms;
            let union = union_all(&indexes, &format!("events WHERE {inside} AND {of_sites}"));
            let kept = |column: &str| format!("CASE WHEN received_ms >= {keep_from_ms} THEN {column} END AS {column}");
            connection.execute_batch(&format!(
                "INSERT INTO events SELECT * REPLACE ({}, {}) FROM ({union}) ORDER BY {}",
                kept("event_id_high"),
                kept("event_id_low"),
                part::SORT_ORDER
            ))?;
        }
        if with_controls {
            let union = union_all(&(0..taken.len()).collect::<Vec<_>>(), "controls");
            connection.execute_batch(&format!("INSERT INTO controls SELECT * FROM ({union}) ORDER BY seq, idx"))?;
        }
        connection.execute_batch(&format!(
            "INSERT INTO ledger SELECT * FROM {LEDGER} WHERE {in_hours} AND {of_sites} ORDER BY {LEDGER_SORT_ORDER}"
        ))?;
        let part = write::finish(connection, &file, &label)?;
        outputs.push(Output { part, file });
        with_controls = false;
    }
    Ok(outputs)
}

fn count_rows(connection: &Connection, indexes: &[usize], condition: &str) -> Result<u64, WriteError> {
    let mut rows = 0;
    for index in indexes {
        let sql = format!("SELECT count(*) FROM in{index}.events WHERE {condition}");
        rows += connection.query_row(&sql, [], |row| row.get::<_, u64>(0))?;
    }
    Ok(rows)
}

/// Ranges of sites that together hold all sites, each of about `part_bytes` or more: one of a period that is not large.
fn site_ranges(
    connection: &Connection,
    taken: &[&Input],
    indexes: &[usize],
    inside: &str,
    part_bytes: u64,
) -> Result<Vec<RangeInclusive<u32>>, WriteError> {
    let inputs = || indexes.iter().filter_map(|index| taken.get(*index));
    let (bytes, rows) = inputs().fold((0, 0), |(bytes, rows), input| (bytes + input.part.bytes, rows + input.part.rows));
    let wanted_rows = rows.saturating_mul(part_bytes).div_ceil(bytes.max(1)).max(1);
    if count_rows(connection, indexes, inside)? / wanted_rows < 2 {
        return Ok(vec![0..=u32::MAX]);
    }
    let union = union_all(indexes, &format!("events WHERE {inside}"));
    let sql = format!("SELECT site_id, count(*) FROM ({union}) GROUP BY site_id ORDER BY site_id");
    let mut statement = connection.prepare(&sql)?;
    let counts = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<Vec<(u32, u64)>, _>>()?;
    Ok(divide_sites(&counts, wanted_rows))
}

/// Ranges with at least so many rows each, what is left at the end in the last one. `counts` are the rows of each site, ascending.
fn divide_sites(counts: &[(u32, u64)], wanted_rows: u64) -> Vec<RangeInclusive<u32>> {
    let mut left: u64 = counts.iter().map(|(_, rows)| rows).sum();
    let (mut ranges, mut first, mut rows) = (Vec::new(), 0, 0);
    for (site_id, count) in counts {
        (rows, left) = (rows + count, left - count);
        if rows >= wanted_rows && left >= wanted_rows {
            ranges.push(first..=*site_id);
            (first, rows) = (site_id.saturating_add(1), 0);
        }
    }
    ranges.push(first..=u32::MAX);
    ranges
}

fn union_all(indexes: &[usize], rest: &str) -> String {
    let selects: Vec<String> = indexes.iter().map(|index| format!("SELECT * FROM in{index}.{rest}")).collect();
    selects.join(" UNION ALL ")
}

#[cfg(test)]
#[path = "compact_tests.rs"]
mod tests;
