//! Rows as Arrow batches, with the columns and types of `schema.sql` in its order.

use crate::ledger;
use crate::row::{ControlRow, EventRow, Opening};
use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Int64Array, RecordBatch, StringArray, UInt8Array, UInt32Array, UInt64Array,
};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::error::ArrowError;
use std::collections::BTreeMap;
use std::sync::Arc;
use weir_event::model::Property;

/// Event rows as a batch for the table `events`.
///
/// # Errors
/// When a column's texts are larger than 2 GiB together: keep batches below 1 million rows.
pub fn events_batch(rows: &[EventRow]) -> Result<RecordBatch, ArrowError> {
    let own = |value: fn(&EventRow) -> &str| texts(rows.iter().map(value));
    let opened = |value: fn(&Opening) -> &str| texts(rows.iter().map(|row| value(&row.opening)));
    let has_id = |row: &EventRow| row.event_id != 0;
    batch(vec![
        column("seq", false, UInt64Array::from_iter_values(rows.iter().map(|row| row.position.seq))),
        column("idx", false, UInt32Array::from_iter_values(rows.iter().map(|row| row.position.idx))),
        column("site_id", false, UInt32Array::from_iter_values(rows.iter().map(|row| row.site_id))),
        column("event_ms", false, Int64Array::from_iter_values(rows.iter().map(|row| row.event_ms))),
        column("received_ms", false, Int64Array::from_iter_values(rows.iter().map(|row| row.received_ms))),
        column("event_id_high", true, optional_words(rows, |row| has_id(row).then_some((row.event_id >> 64) as u64))),
        column("event_id_low", true, optional_words(rows, |row| has_id(row).then_some(row.event_id as u64))),
        column("retry", false, rows.iter().map(|row| Some(row.retry)).collect::<BooleanArray>()),
        column("visitor_id", false, UInt64Array::from_iter_values(rows.iter().map(|row| row.opening.visitor_id))),
        column("visit_id", false, UInt64Array::from_iter_values(rows.iter().map(|row| row.visit_id))),
        column("name", false, own(|row| &row.name)),
        column("hostname", false, own(|row| &row.hostname)),
        column("pathname", false, own(|row| &row.pathname)),
        column("props", true, rows.iter().map(|row| props_json(&row.props)).collect::<StringArray>()),
        column("revenue_micros", true, rows.iter().map(|row| Some(row.revenue.as_ref()?.amount_micros)).collect::<Int64Array>()),
        column(
            "revenue_currency",
            true,
            rows.iter().map(|row| Some(row.revenue.as_ref()?.currency.as_str())).collect::<StringArray>(),
        ),
        column("engagement_ms", true, rows.iter().map(|row| row.engagement_ms).collect::<UInt32Array>()),
        column("scroll_depth", true, rows.iter().map(|row| row.scroll_depth).collect::<UInt8Array>()),
        column("interactive", false, rows.iter().map(|row| Some(row.interactive)).collect::<BooleanArray>()),
        column("bot", false, UInt8Array::from_iter_values(rows.iter().map(|row| row.opening.bot))),
        column("origin", false, UInt8Array::from_iter_values(rows.iter().map(|row| row.origin as u8))),
        column("source", false, opened(|opening| &opening.source)),
        column("referrer", false, opened(|opening| &opening.referrer)),
        column("channel", false, opened(|opening| &opening.channel)),
        column("utm_source", false, opened(|opening| &opening.utm_source)),
        column("utm_medium", false, opened(|opening| &opening.utm_medium)),
        column("utm_campaign", false, opened(|opening| &opening.utm_campaign)),
        column("utm_content", false, opened(|opening| &opening.utm_content)),
        column("utm_term", false, opened(|opening| &opening.utm_term)),
        column("country", false, opened(|opening| &opening.country)),
        column("region", false, opened(|opening| &opening.region)),
        column("city", false, opened(|opening| &opening.city)),
        column("device", false, opened(|opening| &opening.device)),
        column("browser", false, opened(|opening| &opening.browser)),
        column("browser_version", false, opened(|opening| &opening.browser_version)),
        column("os", false, opened(|opening| &opening.os)),
        column("os_version", false, opened(|opening| &opening.os_version)),
    ])
}

/// Control records as a batch for the table `controls`.
///
/// # Errors
/// When the records are larger than 2 GiB together.
pub fn controls_batch(rows: &[ControlRow]) -> Result<RecordBatch, ArrowError> {
    batch(vec![
        column("seq", false, UInt64Array::from_iter_values(rows.iter().map(|row| row.position.seq))),
        column("idx", false, UInt32Array::from_iter_values(rows.iter().map(|row| row.position.idx))),
        column("record", false, BinaryArray::from_iter_values(rows.iter().map(|row| &row.record))),
    ])
}

/// Ledger rows as a batch for the table `ledger`.
///
/// # Errors
/// When the kinds are larger than 2 GiB together.
pub fn ledger_batch(rows: &[ledger::Row]) -> Result<RecordBatch, ArrowError> {
    batch(vec![
        column("seq", false, UInt64Array::from_iter_values(rows.iter().map(|row| row.seq))),
        column("site_id", false, UInt32Array::from_iter_values(rows.iter().map(|row| row.site_id))),
        column("hour_ms", false, Int64Array::from_iter_values(rows.iter().map(|row| row.hour_ms))),
        column("kind", false, texts(rows.iter().map(|row| row.kind.as_ref()))),
        column("count", false, UInt64Array::from_iter_values(rows.iter().map(|row| row.count))),
    ])
}

/// A JSON object of strings with its keys sorted; of equal keys the last holds. `None` = no properties.
pub fn props_json(props: &[Property]) -> Option<String> {
    if props.is_empty() {
        return None;
    }
    let sorted: BTreeMap<&str, &str> = props.iter().map(|prop| (prop.key.as_str(), prop.value.as_str())).collect();
    serde_json::to_string(&sorted).ok()
}

type Column = (Field, ArrayRef);

fn column(name: &str, nullable: bool, array: impl arrow::array::Array + 'static) -> Column {
    let kind: DataType = array.data_type().clone();
    (Field::new(name, kind, nullable), Arc::new(array))
}

fn batch(columns: Vec<Column>) -> Result<RecordBatch, ArrowError> {
    let (fields, arrays): (Vec<Field>, Vec<ArrayRef>) = columns.into_iter().unzip();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)
}

fn texts<'a>(values: impl Iterator<Item = &'a str>) -> StringArray {
    StringArray::from_iter_values(values)
}

fn optional_words(rows: &[EventRow], value: impl Fn(&EventRow) -> Option<u64>) -> UInt64Array {
    rows.iter().map(value).collect()
}
