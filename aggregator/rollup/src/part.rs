//! The format of a part: schema, order, what its `meta` says, and the SQL that defines visit fragments, the ledger and the checksum.
//!
//! Each SQL text is defined once, here: the aggregator uses it to write and to merge parts, the query API for the live end.

use crate::fold::OldRetry;
use crate::ledger::{ACCEPTED, BOTS, HOUR_MS};

/// Version of the file format. It rises with every change of `schema.sql`.
pub const FORMAT_VERSION: u32 = 2;
/// Oldest version that is read. Version 1 has no table `ledger`.
pub const FORMAT_VERSION_MIN: u32 = 1;
/// The tables of a part.
pub const SCHEMA: &str = include_str!("schema.sql");
/// What each table and column means, as statements for the file itself. No part of the format: a file without them is as good.
pub const COMMENTS: &str = include_str!("comments.sql");
/// Order of the rows of `events` in a part, as an `ORDER BY` list.
pub const SORT_ORDER: &str = "site_id, event_ms // 3600000, visitor_id, event_ms, seq, idx";
/// Order of the rows of `visits` in a part, as an `ORDER BY` list.
pub const VISITS_SORT_ORDER: &str = "site_id, first_ms // 3600000 NULLS LAST, visitor_id, visit_id";
/// Order of the rows of `ledger` in a part, as an `ORDER BY` list.
pub const LEDGER_SORT_ORDER: &str = "site_id, hour_ms, kind, seq";

/// Keys of the table `meta`. Numbers are decimal text.
pub mod meta {
    /// [`super::FORMAT_VERSION`] of the writer.
    pub const FORMAT_VERSION: &str = "format_version";
    /// Region of the partition.
    pub const REGION: &str = "region";
    /// Number of the partition.
    pub const PARTITION: &str = "partition";
    /// `flush`, `hour`, `day` or `month`.
    pub const LEVEL: &str = "level";
    /// Lowest stream sequence of its rows.
    pub const MIN_SEQ: &str = "min_seq";
    /// Highest stream sequence of its rows.
    pub const MAX_SEQ: &str = "max_seq";
    /// Lowest `event_ms` of its rows.
    pub const MIN_EVENT_MS: &str = "min_event_ms";
    /// Highest `event_ms` of its rows.
    pub const MAX_EVENT_MS: &str = "max_event_ms";
    /// Rows of `events`.
    pub const EVENT_ROWS: &str = "event_rows";
    /// Rows of `visits`.
    pub const VISIT_ROWS: &str = "visit_rows";
    /// Rows of `controls`.
    pub const CONTROL_ROWS: &str = "control_rows";
    /// Rows of `ledger`.
    pub const LEDGER_ROWS: &str = "ledger_rows";
    /// Result of [`super::checksum_sql`] over `events`.
    pub const CONTENT_CHECKSUM: &str = "content_checksum";
    /// Logic version of the last of its rows, `<fold>-<16 hex digits>`.
    pub const LOGIC: &str = "logic";
    /// When it was written, Unix milliseconds.
    pub const WRITTEN_MS: &str = "written_ms";
}

/// Columns of `events` that hold an event's random id: forgotten after a day, therefore not part of the checksum.
const ID_COLUMNS: [&str; 2] = ["event_id_high", "event_id_low"];
/// Columns of `events` but the opening attributes, in the order of `schema.sql`.
const EVENT_COLUMNS: &str = "seq idx site_id event_ms received_ms event_id_high event_id_low retry visitor_id visit_id name hostname pathname \
                             props revenue_micros revenue_currency engagement_ms scroll_depth interactive bot origin";
/// The opening attributes of a visit, the last columns of `events` and of `visits`.
const OPENING_COLUMNS: &str = "source referrer channel utm_source utm_medium utm_campaign utm_content utm_term country region city device \
                               browser browser_version os os_version";

/// `SELECT` of all columns of `events` in order, without the ids of events received before `forget_ids_before_ms` (Unix milliseconds).
///
/// `events_relation`, here and below, is put after `FROM` as it is: a table name or a subquery in parentheses.
pub fn events_sql(events_relation: &str, forget_ids_before_ms: i64) -> String {
    let column = |column: &str| {
        if ID_COLUMNS.contains(&column) {
            format!("CASE WHEN received_ms >= {forget_ids_before_ms} THEN {column} END AS {column}")
        } else {
            column.to_owned()
        }
    };
    format!("SELECT {} FROM {events_relation}", list(event_columns(), column))
}

/// `SELECT` that makes visit fragments, with the columns of `visits`, from any relation with the columns of `events`.
pub fn visits_sql(events_relation: &str) -> String {
    let view = "{'ms': event_ms, 'seq': seq, 'idx': idx, 'hostname': hostname, 'page': pathname}";
    fragments(
        events_relation,
        &format!(
            "min(event_ms) FILTER (name <> 'engagement') AS first_ms,
           max(event_ms) FILTER (name <> 'engagement') AS last_ms,
           count(*) FILTER (name = 'pageview') AS pageviews,
           count(*) FILTER (name <> 'engagement') AS events,
           count(*) FILTER (interactive AND name <> 'engagement') AS interactive_events,
           coalesce(sum(engagement_ms), 0) AS engagement_ms,
           min({view}) FILTER (name = 'pageview') AS entry,
           max({view}) FILTER (name = 'pageview') AS leave"
        ),
    )
}

/// `SELECT` that merges the fragments of each visit into one, with the columns of `visits`. Associative and commutative: the fragments of any
/// split of event rows, merged in any order and grouping, are the fragments of all rows.
pub fn merge_visits_sql(visits_relation: &str) -> String {
    let view = |end: &str| {
        format!("{{'ms': {end}_ms, 'seq': {end}_seq, 'idx': {end}_idx, 'hostname': {end}_hostname, 'page': {end}_page}}")
    };
    let (entry, leave) = (view("entry"), view("exit"));
    fragments(
        visits_relation,
        &format!(
            "min(first_ms) AS first_ms,
           max(last_ms) AS last_ms,
           sum(pageviews) AS pageviews,
           sum(events) AS events,
           sum(interactive_events) AS interactive_events,
           sum(engagement_ms) AS engagement_ms,
           min({entry}) FILTER (entry_ms IS NOT NULL) AS entry,
           max({leave}) FILTER (exit_ms IS NOT NULL) AS leave"
        ),
    )
}

/// One row a visit. What is equal in all rows of a visit is taken by `min`, so that the answer would not depend on the order even if it were
/// not. The first and the last page are the lowest and the highest record (time, sequence, index, …).
fn fragments(relation: &str, aggregates: &str) -> String {
    let opening_columns = || OPENING_COLUMNS.split_whitespace();
    format!(
        "SELECT site_id, visit_id, visitor_id, bot, first_ms, last_ms,
       CAST(pageviews AS UBIGINT) AS pageviews,
       CAST(events AS UBIGINT) AS events,
       CAST(interactive_events AS UBIGINT) AS interactive_events,
       CAST(engagement_ms AS UBIGINT) AS engagement_ms,
       entry.ms AS entry_ms, entry.seq AS entry_seq, entry.idx AS entry_idx, entry.hostname AS entry_hostname, entry.page AS entry_page,
       leave.ms AS exit_ms, leave.seq AS exit_seq, leave.idx AS exit_idx, leave.hostname AS exit_hostname, leave.page AS exit_page,
       {names}
FROM (
    SELECT site_id, visit_id,
           min(visitor_id) AS visitor_id,
           min(bot) AS bot,
           {aggregates},
           {opening}
    FROM {relation}
    GROUP BY site_id, visit_id
)",
        names = list(opening_columns(), str::to_owned),
        opening = list(opening_columns(), |column| format!("min({column}) AS {column}")),
    )
}

/// SQL of a row's hash over all columns but the ids, for relations with the columns of `events`; the DuckDB 1.5 hash, pinned by a test.
pub fn row_hash_sql() -> String {
    format!("hash({})", list(event_columns().filter(|column| !ID_COLUMNS.contains(column)), str::to_owned))
}

/// SQL of one hash of many that does not depend on their order.
///
/// DuckDB's hash of several values is an exclusive or with the hash of the last one: where the last column changes in two rows in the
/// same way, a plain exclusive or of the rows' hashes stays what it was. Hashed once more, it does not.
pub fn hash_of_hashes_sql(hash: &str) -> String {
    format!("coalesce(bit_xor(hash({hash})), 0)")
}

/// `SELECT` of one VARCHAR, the checksum of event rows: `<rows>-m<16 hex digits>`, a hash of the rows' hashes. It depends neither on the
/// order of the rows nor on event ids. Parts of before 21 November 2026 have `<rows>-<16 hex digits>`, a plain exclusive or.
pub fn checksum_sql(events_relation: &str) -> String {
    format!("SELECT printf('%d-m%016x', count(*), {}) FROM {events_relation}", hash_of_hashes_sql(&row_hash_sql()))
}

/// `FROM` of the ledger of a part: its table, or what the events of a part of format 1 tell, which is how many there were.
///
/// `database` is the name under which the part is attached; `format` its version.
pub fn ledger_relation(database: &str, format: u32) -> String {
    if format >= 2 { format!("{database}.ledger") } else { format!("({})", counted_ledger_sql(&format!("{database}.events"))) }
}

/// `SELECT` of the ledger rows that events themselves tell: the accepted, and bots among them.
pub fn counted_ledger_sql(events_relation: &str) -> String {
    let counted = |kind: &str, condition: &str| {
        format!(
            "SELECT max(seq) AS seq, site_id, received_ms // {HOUR_MS} * {HOUR_MS} AS hour_ms, '{kind}' AS kind, \
             CAST(count(*) AS UBIGINT) AS count FROM {events_relation} WHERE {condition} GROUP BY ALL"
        )
    };
    format!("{} UNION ALL {}", counted(ACCEPTED, "true"), counted(BOTS, "bot > 0"))
}

/// `SELECT` that adds up ledger rows by site, hour and kind, with the columns of `ledger` in its order.
///
/// Rows up to one of the `apart` sequences are not added to rows after it: there the ledger can be divided later.
pub fn merge_ledger_sql(ledger_relation: &str, apart: &[u64]) -> String {
    let stretch = apart.iter().fold(String::new(), |text, seq| text + &format!(", seq > {seq}"));
    format!(
        "SELECT max(seq) AS seq, site_id, hour_ms, kind, CAST(sum(count) AS UBIGINT) AS count FROM {ledger_relation} \
         GROUP BY site_id, hour_ms, kind{stretch}"
    )
}

/// `SELECT` of `site_id`, `event_ms`, `event_id_high` and `event_id_low` of all rows that may be copies of old retries; `None` when none is
/// wanted. Whether one is, [`OldRetry::is_copy`] tells.
pub fn copies_sql(events_relation: &str, wanted: &[OldRetry]) -> Option<String> {
    let from_ms = wanted.iter().map(OldRetry::from_ms).min()?;
    let to_ms = wanted.iter().map(OldRetry::to_ms).max()?;
    let low: Vec<String> = wanted.iter().map(|retry| (retry.id as u64).to_string()).collect();
    Some(format!(
        "SELECT site_id, event_ms, event_id_high, event_id_low FROM {events_relation} \
         WHERE event_ms >= {from_ms} AND event_ms <= {to_ms} AND event_id_low IN ({})",
        low.join(", ")
    ))
}

/// Checksum of several relations together, from their checksums; `None` when one is malformed or of another kind.
///
/// A merge has lost nothing when its inputs' combined checksum is its outputs'.
pub fn combine_checksums<'a>(checksums: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let mut sum = (0_u64, 0_u64);
    for checksum in checksums {
        let (rows, hash) = checksum.split_once("-m")?;
        sum.0 = sum.0.checked_add(rows.parse().ok()?)?;
        sum.1 ^= u64::from_str_radix(hash, 16).ok()?;
    }
    Some(format!("{}-m{:016x}", sum.0, sum.1))
}

fn event_columns() -> impl Iterator<Item = &'static str> {
    EVENT_COLUMNS.split_whitespace().chain(OPENING_COLUMNS.split_whitespace())
}

fn list(columns: impl Iterator<Item = &'static str>, sql: impl Fn(&'static str) -> String) -> String {
    columns.map(sql).collect::<Vec<_>>().join(", ")
}
