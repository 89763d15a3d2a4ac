//! Compares what is served with what a replay made of the same stretch of the stream.
//!
//! From coarse to fine, so that equal histories cost one reading of each side: hashes of (site, UTC hour) pairs, then the rows of the
//! pairs that differ, then the figures of the sites that differ, then sample rows of the differences that are listed. Rows are read from
//! the files each time and are not copied: what is larger than memory is spilled by DuckDB's own joins and groupings. Random ids of
//! events are no part of the comparison: merges forget them.

mod cells;
mod dimension;
mod figures;
mod hours;
mod report;
mod rows;
mod samples;
mod views;

pub use report::{Change, Content, Difference, PartitionContents, Report, RowChanges, Sample, Total};

use crate::compact::Input;
use crate::duck::{DuckLimits, Interrupt};
use crate::write::WriteError;
use duckdb::Connection;

/// Served and shadow parts of one partition.
#[derive(Clone, Debug)]
pub(crate) struct Sides {
    /// Region of the partition.
    pub(crate) region: String,
    /// Number of the partition.
    pub(crate) partition: u32,
    /// Rows with `after_seq < seq <= through_seq` are compared.
    pub(crate) after_seq: u64,
    /// See `after_seq`.
    pub(crate) through_seq: u64,
    /// Parts that are served.
    pub(crate) served: Vec<Input>,
    /// Parts of the shadow. May name files that are served too.
    pub(crate) shadow: Vec<Input>,
}

/// What is compared, and how much is told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Longest list of values, and of differences.
    pub limit: usize,
    /// Compare only rows of this site.
    pub site_id: Option<u32>,
}

impl Default for Options {
    fn default() -> Self {
        Self { limit: 20, site_id: None }
    }
}

/// Compares the sides of several partitions. Blocks: call it on a blocking thread.
pub(crate) fn compare(
    limits: &DuckLimits,
    interrupt: &Interrupt,
    sides: &[Sides],
    options: &Options,
) -> Result<Report, WriteError> {
    let connection = limits.open()?;
    interrupt.watch(&connection);
    let result = report(&connection, interrupt, sides, options);
    if interrupt.is_stopped() { Err(WriteError::Interrupted) } else { result }
}

fn report(connection: &Connection, interrupt: &Interrupt, sides: &[Sides], options: &Options) -> Result<Report, WriteError> {
    // Rows are grouped and joined, never taken in their order: keeping it would cost memory.
    connection.execute_batch("SET preserve_insertion_order = false")?;
    views::create(connection, sides, options.site_id)?;
    let partitions = hours::compare(connection, sides)?;
    let mut report = Report { equal: partitions.iter().all(|partition| partition.equal), partitions, ..Report::default() };
    if report.equal {
        return Ok(report);
    }
    report.rows = rows::changes(connection)?;
    go_on(interrupt)?;
    let changed = rows::changed_columns(connection)?;
    go_on(interrupt)?;
    report.totals = cells::totals(connection)?;
    let lists = cells::lists(connection, interrupt, &changed, options.limit)?;
    (report.values_total, report.values) = (lists.values_total, lists.values);
    go_on(interrupt)?;
    report.differences_total = lists.differences_total;
    report.differences = samples::add(connection, interrupt, lists.differences)?;
    Ok(report)
}

/// Fails when the job was told to end: an interrupt between two statements stops neither.
fn go_on(interrupt: &Interrupt) -> Result<(), WriteError> {
    if interrupt.is_stopped() { Err(WriteError::Interrupted) } else { Ok(()) }
}

#[cfg(test)]
mod property;
#[cfg(test)]
mod support;
#[cfg(test)]
mod tests;
