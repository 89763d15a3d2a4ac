//! What a comparison tells. The JSON is a contract.

use serde::Serialize;

/// What a comparison tells.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// All rows are the same on both sides.
    pub equal: bool,
    /// What each side holds, in the order in which the partitions were given.
    pub partitions: Vec<PartitionContents>,
    /// Event rows that differ.
    pub rows: RowChanges,
    /// Every metric of every site that differs, over the whole stretch; by site.
    pub totals: Vec<Total>,
    /// Metrics of single values that differ over the whole stretch, the largest difference first.
    pub values: Vec<Change>,
    /// Metrics of single values and hours that differ, the largest difference first.
    pub differences: Vec<Difference>,
    /// How many there are, of which `values` has the first.
    pub values_total: u64,
    /// How many there are, of which `differences` has the first.
    pub differences_total: u64,
}

/// One partition of a comparison.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PartitionContents {
    /// Its region.
    pub region: String,
    /// Its number.
    pub partition: u32,
    /// First sequence that was compared.
    pub from_seq: u64,
    /// Last sequence that was compared.
    pub through_seq: u64,
    /// What is served.
    pub served: Content,
    /// What the shadow has.
    pub shadow: Content,
    /// Both are the same.
    pub equal: bool,
}

/// The compared event rows of one side of a partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Content {
    /// How many.
    pub rows: u64,
    /// Their checksum, as `weir_rollup::part::checksum_sql` makes it.
    pub checksum: String,
}

/// Event rows that differ. A row is known by its position in the stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RowChanges {
    /// On both sides, and different.
    pub changed: u64,
    /// Served alone.
    pub served_only: u64,
    /// In the shadow alone.
    pub shadow_only: u64,
}

/// One metric of one site over the whole stretch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Total {
    /// The site.
    pub site_id: u32,
    /// Its domain; not known here, whoever prints the report fills it in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
    /// Name of the metric.
    pub metric: &'static str,
    /// As served.
    pub served: i64,
    /// In the shadow.
    pub shadow: i64,
    /// Shadow less served.
    pub difference: i64,
}

/// One metric of one value of a dimension, over the whole stretch, that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The site.
    pub site_id: u32,
    /// Its domain; not known here, whoever prints the report fills it in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
    /// Name of the metric.
    pub metric: &'static str,
    /// Name of the dimension; empty for none.
    pub dimension: &'static str,
    /// The value; empty for unknown or none.
    pub value: String,
    /// As served.
    pub served: i64,
    /// In the shadow.
    pub shadow: i64,
    /// Shadow less served.
    pub difference: i64,
}

/// A change in one hour.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// What changed.
    #[serde(flatten)]
    pub change: Change,
    /// Start of the UTC hour, RFC 3339. An event counts in its own hour, a visit in that of its first event.
    pub hour: String,
    /// Some rows that make the difference, in the order of the stream; at most 3.
    pub samples: Vec<Sample>,
}

/// A row that makes a difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Sample {
    /// Its stream sequence.
    pub seq: u64,
    /// Its index in the batch.
    pub index: u32,
    /// When the event happened, RFC 3339; as served, if the row is served.
    pub time: String,
    /// Name of the event.
    pub name: String,
    /// Path of its page.
    pub pathname: String,
    /// The value of the dimension as served, empty without a dimension; `None` when the row is not served.
    pub served: Option<String>,
    /// The same in the shadow.
    pub shadow: Option<String>,
}
