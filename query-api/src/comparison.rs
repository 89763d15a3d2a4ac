//! Results beside those of another range: for each result what it was there, and by how much it changed.

use crate::answer::Row;
use crate::query::{Dimension, Direction, Metric, OrderKey, Query};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use utoipa::ToSchema;

/// What a result is compared with.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ComparedRow {
    /// Its labels there: those of the result, but of time the bucket that is as far from the start; null past the end.
    pub dimensions: Vec<Value>,
    /// Its figures there.
    pub metrics: Vec<Value>,
    /// By how much each metric changed: percent, of rates that are percent themselves points. Null where one of both is not known.
    pub change: Vec<Value>,
}

/// Puts the results of another range beside those of the range. The labels are those of the buckets of both ranges, in order.
pub fn join(query: &Query, rows: Vec<Row>, compared: Vec<Row>, labels: &[String], compared_labels: &[String]) -> Vec<Row> {
    let rows = if let [Dimension::Time(_)] = query.dimensions.as_slice() { with_empty(query, rows, labels) } else { rows };
    let time = query.time_dimension().map(|(index, _)| index);
    let counterpart: HashMap<&str, &String> = labels.iter().map(String::as_str).zip(compared_labels).collect();
    let known: HashMap<String, Vec<Value>> = compared.into_iter().map(|row| (key(&row.dimensions), row.metrics)).collect();
    let beside = |mut row: Row| {
        let mut dimensions = row.dimensions.clone();
        if let Some(label) = time.and_then(|index| dimensions.get_mut(index)) {
            *label = label.as_str().and_then(|label| counterpart.get(label)).map_or(Value::Null, |label| json!(label));
        }
        let metrics = known.get(&key(&dimensions)).cloned().unwrap_or_else(|| empty_metrics(query));
        let both = query.metrics.iter().zip(metrics.iter().zip(&row.metrics));
        let change = both.map(|(metric, (before, now))| change(*metric, before, now)).collect();
        row.comparison = Some(ComparedRow { dimensions, metrics, change });
        row
    };
    rows.into_iter().map(beside).collect()
}

/// Adds the buckets without a result, since there may be one in the other range.
fn with_empty(query: &Query, mut rows: Vec<Row>, labels: &[String]) -> Vec<Row> {
    let found: HashSet<String> = rows.iter().map(|row| key(&row.dimensions)).collect();
    let missing = labels.iter().map(|label| vec![json!(label)]).filter(|dimensions| !found.contains(&key(dimensions)));
    rows.extend(missing.map(|dimensions| Row { metrics: empty_metrics(query), dimensions, comparison: None }));
    if let Some((OrderKey::Dimension(_), direction)) = query.order_by.first() {
        // Labels of time are in the order of their texts.
        let label = |row: &Row| row.dimensions.first().and_then(Value::as_str).unwrap_or_default().to_owned();
        rows.sort_by_cached_key(label);
        if *direction == Direction::Desc {
            rows.reverse();
        }
    }
    rows
}

fn key(dimensions: &[Value]) -> String {
    Value::from(dimensions).to_string()
}

fn empty_metrics(query: &Query) -> Vec<Value> {
    query.metrics.iter().map(|metric| empty_value(*metric)).collect()
}

/// The figure where there is nothing.
fn empty_value(metric: Metric) -> Value {
    match metric {
        metric if metric.is_of_revenue() => Value::Null,
        Metric::VisitDuration | Metric::ScrollDepth | Metric::TimeOnPage | Metric::ExitRate => Value::Null,
        metric if metric.is_decimal() => json!(0.0),
        _ => json!(0),
    }
}

/// By how much a metric changed.
fn change(metric: Metric, before: &Value, now: &Value) -> Value {
    let (Some(before), Some(now)) = (number(before), number(now)) else { return Value::Null };
    match metric {
        Metric::ConversionRate | Metric::ExitRate => json!(((now - before) * 10.0).round() / 10.0),
        Metric::BounceRate if before > 0.0 => whole(now - before),
        Metric::BounceRate => Value::Null,
        _ if before == 0.0 => whole(if now > 0.0 { 100.0 } else { 0.0 }),
        _ => whole((now - before) / before * 100.0),
    }
}

/// The number of a figure; of an amount of money its value.
fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.get("value")?.as_f64())
}

fn whole(number: f64) -> Value {
    json!(number.round() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_percent_or_points() {
        let check = |metric, before: Value, now: Value, expected: Value| {
            assert_eq!(change(metric, &before, &now), expected, "{metric:?} {before} {now}");
        };
        check(Metric::Visitors, json!(100), json!(150), json!(50));
        check(Metric::Visitors, json!(3), json!(2), json!(-33));
        check(Metric::Visitors, json!(0), json!(2), json!(100));
        check(Metric::Visitors, json!(0), json!(0), json!(0));
        check(Metric::ViewsPerVisit, json!(1.5), json!(2.0), json!(33));
        check(Metric::BounceRate, json!(40), json!(30), json!(-10));
        check(Metric::BounceRate, json!(0), json!(30), Value::Null);
        check(Metric::ConversionRate, json!(1.2), json!(1.5), json!(0.3));
        check(Metric::ExitRate, json!(50.0), json!(33.3), json!(-16.7));
        check(Metric::ScrollDepth, Value::Null, json!(30), Value::Null);
        check(Metric::TimeOnPage, json!(30), Value::Null, Value::Null);
        check(Metric::Events, json!({"value": 10.0, "currency": "EUR"}), json!({"value": 5.0, "currency": "EUR"}), json!(-50));
    }
}
