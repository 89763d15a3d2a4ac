//! From the answers of v2 to those of v1.

use super::request::Request;
use crate::http::csv::{Field, Table};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use utoipa::ToSchema;

/// Totals: `{"results": {"visitors": {"value": 3}}}`.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
pub(in crate::http) struct Totals {
    results: BTreeMap<String, Total>,
}

/// The value of a metric, with a comparison also that of the period before and the change.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
struct Total {
    value: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    comparison_value: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    change: Option<Value>,
}

/// Entries of a graph or a list: `{"results": [{"date": "2026-11-21", "visitors": 3}]}`.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
pub(in crate::http) struct Entries {
    results: Vec<BTreeMap<String, Value>>,
}

/// The totals of a period.
pub(super) fn aggregate(request: &Request, answer: &Value, previous: Option<&Value>) -> Totals {
    let value =
        |answer: &Value, index: usize| answer.pointer(&format!("/results/0/metrics/{index}")).cloned().unwrap_or(Value::Null);
    let entry = |(index, metric): (usize, &&'static str)| {
        let now = value(answer, index);
        let before = previous.map(|previous| value(previous, index));
        let change = before.as_ref().map(|before| change(metric, before, &now));
        ((*metric).to_owned(), Total { value: now, comparison_value: before, change })
    };
    Totals { results: request.metrics.iter().enumerate().map(entry).collect() }
}

/// One entry for each bucket of the period, also for those without a visit.
pub(super) fn timeseries(request: &Request, answer: &Value) -> Entries {
    let rows: HashMap<&str, &Value> =
        results(answer).iter().filter_map(|row| Some((row.pointer("/dimensions/0")?.as_str()?, row))).collect();
    let labels = answer.pointer("/meta/time_labels").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let entry = |label: &Value| {
        let row = label.as_str().and_then(|label| rows.get(label));
        let figure = |(index, metric): (usize, &&'static str)| {
            let value = row.and_then(|row| row.pointer(&format!("/metrics/{index}")).cloned());
            ((*metric).to_owned(), value.unwrap_or_else(|| of_nothing(metric)))
        };
        let mut entry: BTreeMap<String, Value> = request.metrics.iter().enumerate().map(figure).collect();
        entry.insert("date".to_owned(), label.clone());
        entry
    };
    Entries { results: labels.iter().map(entry).collect() }
}

/// One entry for each result, the dimensions under their short names.
pub(super) fn breakdown(request: &Request, answer: &Value) -> Entries {
    let entry = |row: &Value| {
        let at = |kind: &str, index: usize| row.pointer(&format!("/{kind}/{index}")).cloned().unwrap_or(Value::Null);
        let keys = request.keys.iter().enumerate().map(|(index, key)| (key.clone(), at("dimensions", index)));
        // Last, so that a property that is called like a metric does not hide it.
        let figures = request.metrics.iter().enumerate().map(|(index, metric)| ((*metric).to_owned(), at("metrics", index)));
        keys.chain(figures).collect()
    };
    Entries { results: results(answer).iter().map(entry).collect() }
}

/// The shaped results as a table: totals have a line for each metric.
pub(super) fn table(request: &Request, answer: &Value) -> Table {
    let Some(Value::Object(totals)) = answer.get("results") else {
        let columns: Vec<String> =
            request.keys.iter().cloned().chain(request.metrics.iter().map(|metric| (*metric).to_owned())).collect();
        let line = |row: &Value| columns.iter().map(|column| row.get(column).map_or(Field::Empty, Field::new)).collect();
        let rows = results(answer).iter().map(line).collect();
        return Table { columns, rows };
    };
    let parts: Vec<&str> = if request.previous.is_some() { vec!["value", "comparison_value", "change"] } else { vec!["value"] };
    let line = |metric: &&'static str| {
        let field = |part: &&str| totals.get(*metric).and_then(|entry| entry.get(*part)).map_or(Field::Empty, Field::new);
        std::iter::once(Field::Text((*metric).to_owned())).chain(parts.iter().map(field)).collect()
    };
    let columns = std::iter::once("metric").chain(parts.iter().copied()).map(str::to_owned).collect();
    Table { columns, rows: request.metrics.iter().map(line).collect() }
}

fn results(answer: &Value) -> &[Value] {
    answer.get("results").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// The value of a metric in a bucket without a visit: a rate or a mean of nothing is none.
fn of_nothing(metric: &str) -> Value {
    match metric {
        "bounce_rate" | "visit_duration" | "time_on_page" => Value::Null,
        "views_per_visit" | "conversion_rate" => json!(0.0),
        _ => json!(0),
    }
}

/// The change from one period to the next: percent, for rates percentage points.
fn change(metric: &str, before: &Value, now: &Value) -> Value {
    let (Some(before), Some(now)) = (before.as_f64(), now.as_f64()) else { return Value::Null };
    match metric {
        "conversion_rate" => json!(((now - before) * 10.0).round() / 10.0),
        "bounce_rate" if before > 0.0 => json!((now - before).round() as i64),
        "bounce_rate" => Value::Null,
        _ if before == 0.0 => json!(if now > 0.0 { 100 } else { 0 }),
        _ => json!(((now - before) / before * 100.0).round() as i64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes() {
        let check = |metric: &str, before: Value, now: Value, expected: Value| {
            assert_eq!(change(metric, &before, &now), expected, "{metric} {before} {now}");
        };
        check("pageviews", json!(1), json!(3), json!(200));
        check("visitors", json!(0), json!(3), json!(100));
        check("visitors", json!(0), json!(0), json!(0));
        check("visit_duration", json!(300), json!(100), json!(-67));
        check("views_per_visit", json!(1.5), json!(2.0), json!(33));
        check("bounce_rate", json!(100), json!(50), json!(-50));
        check("bounce_rate", json!(0), json!(50), json!(null));
        check("conversion_rate", json!(12.5), json!(20.0), json!(7.5));
        check("time_on_page", json!(null), json!(20), json!(null));
    }

    #[test]
    fn a_property_does_not_hide_a_metric() {
        let request = Request { body: Value::Null, previous: None, keys: vec!["visitors".to_owned()], metrics: vec!["visitors"] };
        let answer = json!({"results": [{"dimensions": ["gold"], "metrics": [3]}]});
        assert_eq!(serde_json::to_value(breakdown(&request, &answer)).unwrap(), json!({"results": [{"visitors": 3}]}));
    }
}
