//! The statements of the ledger: what was counted, and the rows that were counted.

use super::{Source, Statement};
use crate::ledger::Period;
use weir_rollup::part;

/// Hour, kind and count of what the ledgers of parts say; parts by schema and format. `site_id` `None` = every site.
pub fn counted(site_id: Option<u32>, period: Period, parts: &[(String, u32)]) -> Statement {
    let Period { from_ms, to_ms } = period;
    let of_site = of_site(site_id);
    let select = |relation: &str| {
        format!("SELECT hour_ms, kind, count FROM {relation} WHERE {of_site} AND hour_ms >= {from_ms} AND hour_ms < {to_ms}")
    };
    let union = parts.iter().map(|(schema, format)| select(&part::ledger_relation(schema, *format)));
    let union = std::iter::once(select("nothing.ledger")).chain(union).collect::<Vec<_>>().join("\nUNION ALL ");
    let sql = format!("SELECT hour_ms, kind, CAST(sum(count) AS BIGINT) FROM (\n{union}\n) GROUP BY hour_ms, kind");
    Statement { sql, parameters: Vec::new() }
}

/// How many rows the sources have of events received in a period. `site_id` `None` = every site.
pub fn received_rows(site_id: Option<u32>, period: Period, sources: &[Source]) -> Statement {
    let Period { from_ms, to_ms } = period;
    let of_site = of_site(site_id);
    let select = |source: &Source| {
        let from = from(source, &of_site);
        format!("SELECT count(*) AS rows FROM {from} AND received_ms >= {from_ms} AND received_ms < {to_ms}")
    };
    let union = std::iter::once("SELECT 0 AS rows".to_owned()).chain(sources.iter().map(select));
    let union = union.collect::<Vec<_>>().join("\nUNION ALL ");
    Statement { sql: format!("SELECT CAST(sum(rows) AS BIGINT) FROM (\n{union}\n)"), parameters: Vec::new() }
}

/// What stands there, hidden or not.
fn from(source: &Source, of_site: &str) -> String {
    match source {
        Source::Part { schema } => format!("{schema}.events WHERE {of_site}"),
        Source::Tail { table, after_seq, through_seq } => {
            format!("{table} WHERE {of_site} AND seq > {after_seq} AND seq <= {through_seq}")
        }
        Source::Hiding { of, .. } => from(of, of_site),
    }
}

fn of_site(site_id: Option<u32>) -> String {
    site_id.map_or_else(|| "true".to_owned(), |site_id| format!("site_id = {site_id}"))
}
