//! The answer to a query as JSON, keys in the order of the contract: results, meta, query.

use crate::buckets::Buckets;
use crate::comparison::{self, ComparedRow};
use crate::engine::{Cell, Rows};
use crate::money;
use crate::query::calendar::Calendar;
use crate::query::{Dimension, Direction, Echo, Metric, Query, Range, Revenue, TimeUnit};
use crate::regions::Absence;
use bytes::Bytes;
use chrono_tz::Tz;
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// For how long a visitor is recognised: visitor ids change with the UTC day. Visitors of several days, or regions, are not joined.
pub const IDENTITY_WINDOW: &str = "day";
/// Within what a visitor is recognised: each region has its own salts. Who was in two counts in each.
pub const IDENTITY_SCOPE: &str = "region";

/// The whole answer.
#[derive(Debug, Serialize, ToSchema)]
pub struct Answer {
    results: Vec<Row>,
    meta: Meta,
    query: EchoedQuery,
}

/// One result.
#[derive(Debug, Serialize, ToSchema)]
pub struct Row {
    /// Its figures, in the order of the query's metrics.
    pub metrics: Vec<Value>,
    /// Its labels, in the order of the query's dimensions.
    pub dimensions: Vec<Value>,
    /// What it is compared with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comparison: Option<ComparedRow>,
}

/// How fresh and complete the answer is.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Meta {
    /// Nothing here comes from another product.
    pub imports_included: bool,
    /// What is to be known of metrics, by their names.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metric_warnings: BTreeMap<&'static str, MetricWarning>,
    /// Why not, where it was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub imports_skip_reason: Option<&'static str>,
    /// Labels of all time buckets of the range.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_labels: Option<Vec<String>>,
    /// Labels of all time buckets of the range that is compared with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comparison_time_labels: Option<Vec<String>>,
    /// Results before pagination.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_rows: Option<i64>,
    /// Up to when all events are counted, RFC 3339 in UTC with milliseconds.
    pub watermark: String,
    /// The same by region.
    pub complete_through: BTreeMap<String, String>,
    /// Revision of the site's partition in the region that answers; of a shadow its own.
    pub revision: u64,
    /// The same by region, where there are several.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub revisions: BTreeMap<String, u64>,
    /// The figures are those of a replay's shadow.
    #[serde(skip_serializing_if = "is_false")]
    pub shadow: bool,
    /// Regions whose events are counted.
    pub regions: Vec<String>,
    /// Regions of which events are missing: all of them, or, where the region stands in `regions` too, those after its `complete_through`.
    pub regions_missing: Vec<String>,
    /// Why, by region.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub region_states: BTreeMap<String, Absence>,
    /// UTC hours of the range that may still change, RFC 3339: see [`crate::freshness::open_hours`].
    pub open_hours: Vec<String>,
    /// [`IDENTITY_WINDOW`].
    pub identity_window: &'static str,
    /// [`IDENTITY_SCOPE`], where there are several regions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity_scope: Option<&'static str>,
    /// Everything was counted, of all regions, nothing estimated or sampled.
    pub exact: bool,
}

impl Meta {
    /// Without what changes while the figures stay.
    fn lasting(&self) -> Self {
        Self {
            watermark: String::new(),
            complete_through: BTreeMap::new(),
            revision: 0,
            revisions: BTreeMap::new(),
            open_hours: Vec::new(),
            ..self.clone()
        }
    }
}

/// An answer as it is sent.
#[derive(Clone, Debug)]
pub struct Encoded {
    /// The JSON.
    pub body: Bytes,
    /// The same for answers that differ in nothing but freshness: 32 hex digits.
    pub tag: String,
    /// [`Meta::watermark`].
    pub watermark: String,
}

/// Why the values of a metric are not what one might expect.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct MetricWarning {
    /// A word for programs.
    pub code: &'static str,
    /// A sentence for people.
    pub warning: &'static str,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it")]
pub(crate) fn is_false(value: &bool) -> bool {
    !*value
}

#[derive(Debug, Serialize, ToSchema)]
struct EchoedQuery {
    site_id: String,
    metrics: Vec<String>,
    date_range: [String; 2],
    #[serde(skip_serializing_if = "Option::is_none")]
    comparison_date_range: Option<[String; 2]>,
    filters: Value,
    dimensions: Vec<String>,
    #[schema(value_type = Vec<Vec<String>>)]
    order_by: Vec<(String, Direction)>,
    include: Value,
    pagination: Pagination,
}

#[derive(Debug, Serialize, ToSchema)]
struct Pagination {
    offset: u64,
    limit: usize,
}

/// What else the answer says of the query.
pub struct Context<'a> {
    /// The site as the caller named it.
    pub site: &'a str,
    /// The site's zone.
    pub zone: Tz,
    /// The range asked for.
    pub range: Range,
    /// Its clock.
    pub calendar: &'a Calendar,
    /// Its buckets of time.
    pub buckets: &'a Buckets,
    /// What the results are compared with.
    pub compared: Option<Compared>,
}

/// The results of another range.
pub struct Compared {
    /// The range.
    pub range: Range,
    /// Its clock.
    pub calendar: Calendar,
    /// Its buckets of time.
    pub buckets: Buckets,
    /// What was found, as [`crate::plan::compared`] orders the columns.
    pub rows: Rows,
}

impl Answer {
    /// Puts rows, as [`crate::plan::results`] orders their columns, and what is known of them together.
    pub fn new(query: Query, rows: Rows, context: Context<'_>, mut meta: Meta) -> Self {
        meta.metric_warnings = metric_warnings(&query);
        let columns = query.dimensions.len() + query.metrics.len();
        if query.total_rows {
            let total = rows.first().and_then(|row| row.get(columns));
            meta.total_rows = Some(if let Some(Cell::Integer(total)) = total { *total } else { 0 });
        }
        if query.imports_meta {
            meta.imports_skip_reason = Some("no_imported_data");
        }
        if query.time_labels {
            meta.time_labels = Some(context.buckets.labels.clone());
            meta.comparison_time_labels = context.compared.as_ref().map(|compared| compared.buckets.labels.clone());
        }
        let mut results = read(&query, rows, context.calendar, context.buckets.unit);
        let comparison_date_range = context.compared.as_ref().map(|compared| compared.range.echo(context.zone));
        if let Some(Compared { calendar, buckets, rows, .. }) = context.compared {
            let compared = read(&query, rows, &calendar, buckets.unit);
            results = comparison::join(&query, results, compared, &context.buckets.labels, &buckets.labels);
        }
        let Echo { metrics, dimensions, filters, order_by, include } = query.echo;
        let echo = EchoedQuery {
            site_id: context.site.to_owned(),
            metrics,
            date_range: context.range.echo(context.zone),
            comparison_date_range,
            filters,
            dimensions,
            order_by,
            include,
            pagination: Pagination { offset: query.offset, limit: query.limit },
        };
        Self { results, meta, query: echo }
    }

    /// Writes the answer.
    pub fn encode(&self) -> Encoded {
        // Maps with other keys than text cannot be written; there are none.
        let results = serde_json::to_vec(&self.results).unwrap_or_default();
        let [lasting, meta] = [&self.meta.lasting(), &self.meta].map(|meta| serde_json::to_vec(meta).unwrap_or_default());
        let query = serde_json::to_vec(&self.query).unwrap_or_default();
        let mut hash = Sha256::new();
        for part in [&results, &lasting, &query] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        let tag = hash.finalize().iter().take(16).fold(0_u128, |tag, byte| tag << 8 | u128::from(*byte));
        let parts: [&[u8]; 7] = [b"{\"results\":", &results, b",\"meta\":", &meta, b",\"query\":", &query, b"}"];
        Encoded { body: parts.concat().into(), tag: format!("{tag:032x}"), watermark: self.meta.watermark.clone() }
    }
}

/// Which values are amounts of money, and in which currency.
struct Money {
    revenue: Revenue,
    goal: Option<usize>,
    metrics: Vec<bool>,
}

impl Money {
    fn new(query: &Query) -> Self {
        Self {
            revenue: query.revenue.clone(),
            goal: query.dimensions.iter().position(|dimension| *dimension == Dimension::Goal),
            metrics: query.metrics.iter().map(|metric| metric.is_of_revenue()).collect(),
        }
    }

    /// The currency of a result with these dimensions.
    fn currency(&self, dimensions: &[Cell]) -> Option<String> {
        let goal = self.goal.and_then(|index| dimensions.get(index));
        let goal = if let Some(Cell::Text(name)) = goal { Some(name.as_str()) } else { None };
        self.revenue.currency(goal).map(str::to_owned)
    }

    fn value(&self, metric: usize, cell: Cell, currency: Option<&str>) -> Value {
        match (cell, currency) {
            (Cell::Integer(micros), Some(currency)) if self.metrics.get(metric) == Some(&true) => money::amount(micros, currency),
            (cell, _) => value(cell),
        }
    }
}

fn metric_warnings(query: &Query) -> BTreeMap<&'static str, MetricWarning> {
    let Some((code, warning)) = query.revenue.warning() else { return BTreeMap::new() };
    let metrics = query.metrics.iter().filter(|metric| metric.is_of_revenue());
    metrics.map(|metric| (Metric::name(*metric), MetricWarning { code, warning })).collect()
}

/// Rows as results: labels, then figures.
fn read(query: &Query, rows: Rows, calendar: &Calendar, unit: TimeUnit) -> Vec<Row> {
    let time = query.time_dimension().map(|(index, _)| index);
    let (dimensions, metrics) = (query.dimensions.len(), query.metrics.len());
    let money = Money::new(query);
    let results = rows.into_iter().filter(|row| !is_empty_page(query, row)).map(|mut row| {
        row.truncate(dimensions + metrics);
        let metrics = row.split_off(dimensions);
        let dimension = |(index, cell): (usize, Cell)| match cell {
            Cell::Integer(ordinal) if Some(index) == time => calendar.label(unit, ordinal).into(),
            other => value(other),
        };
        let currency = money.currency(&row);
        let metric = |(index, cell)| money.value(index, cell, currency.as_deref());
        Row {
            metrics: metrics.into_iter().enumerate().map(metric).collect(),
            dimensions: row.into_iter().enumerate().map(dimension).collect(),
            comparison: None,
        }
    });
    results.collect()
}

/// The labels of results, without those of time: what [`crate::plan::compared`] takes.
pub fn labels(query: &Query, rows: &Rows) -> Vec<Vec<String>> {
    let time = query.time_dimension().map(|(index, _)| index);
    let text = |cell: &Cell| if let Cell::Text(text) = cell { text.clone() } else { String::new() };
    let of_row = |row: &Vec<Cell>| {
        let cells = row.iter().take(query.dimensions.len()).enumerate().filter(|(index, _)| Some(*index) != time);
        cells.map(|(_, cell)| text(cell)).collect()
    };
    rows.iter().filter(|row| !is_empty_page(query, row)).map(of_row).collect()
}

/// With `total_rows`, a page past the end is one row of nothing but the total. Labels are never null; without any there is one result.
fn is_empty_page(query: &Query, row: &[Cell]) -> bool {
    match row.first().filter(|_| !query.dimensions.is_empty()) {
        Some(label) => *label == Cell::Null,
        None => query.offset > 0,
    }
}

fn value(cell: Cell) -> Value {
    match cell {
        Cell::Null => Value::Null,
        Cell::Integer(number) => number.into(),
        Cell::Decimal(number) => number.into(),
        Cell::Text(text) => text.into(),
    }
}
