//! The format of a rollup: figures of a span of UTC days, made ahead, from which answers about long ranges are added up.
//!
//! The figures are exact as long as a visitor's visits all begin on one UTC day and end by the end of the next: visitor ids are made from
//! a salt of the day and are good for two. A site whose rows say otherwise is left out of the rollup, and its answers are read from rows.

mod build;
mod jobs;

pub use build::{Pays, build_sql, merge_sql};
pub use jobs::{Job, Limits, next_job, window_parts};

/// Version of the file format. It rises with every change of `rollup/schema.sql`.
pub const FORMAT_VERSION: u32 = 1;
/// The tables of a rollup.
pub const SCHEMA: &str = include_str!("rollup/schema.sql");
/// Milliseconds of a UTC day.
pub const DAY_MS: i64 = 86_400_000;
/// Milliseconds of the shortest grain.
pub const QUARTER_MS: i64 = 900_000;

/// Coverage of the figures without a dimension, by quarters of an hour.
pub const QUARTERS: &str = "quarters";
/// The dimension with one value, `''`, which everything has.
pub const ALL: &str = "all";
/// Dimensions of visits, by their columns.
pub const VISIT_DIMENSIONS: [&str; 18] = [
    "source",
    "referrer",
    "channel",
    "utm_source",
    "utm_medium",
    "utm_campaign",
    "utm_content",
    "utm_term",
    "country",
    "region",
    "city",
    "device",
    "browser",
    "browser_version",
    "os",
    "os_version",
    "entry_page",
    "exit_page",
];
/// Dimensions of single events, by their columns.
pub const ROW_DIMENSIONS: [&str; 3] = ["pathname", "hostname", "name"];
/// What is counted, beside `pageviews` and `events`: each has a column `_new` and one `_carried`.
pub const LASTING: [&str; 5] = ["visitors", "visits", "bounces", "duration_ms", "views"];
/// Order of the rows of `days` and `months`, as an `ORDER BY` list.
pub const SORT_ORDER: &str = "site_id, dimension, value, start_ms";

/// Order of the first pageviews of a visit's fragments as one number, from time, sequence and index. Sequences stay below 2^54 and indexes
/// below 2^24 (a batch has at most a megabyte).
pub const ENTRY_ORDER: &str = "entry_ms::HUGEINT * 302231454903657293676544 + entry_seq::HUGEINT * 16777216 + entry_idx";
/// The same of the last pageviews.
pub const EXIT_ORDER: &str = "exit_ms::HUGEINT * 302231454903657293676544 + exit_seq::HUGEINT * 16777216 + exit_idx";
