//! Answers as comma-separated values: RFC 4180, with nothing in them that a spreadsheet would run.

use crate::error::ApiError;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

/// What a spreadsheet takes for the beginning of a formula.
const FORMULA_STARTS: [char; 10] = ['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠'];
/// Metrics that are amounts of money, each answered with its currency.
const MONEY: [&str; 2] = ["total_revenue", "average_revenue"];

/// One cell of a table.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Field {
    /// No value.
    Empty,
    /// A number in JSON's notation.
    Number(String),
    /// A text that somebody else may have chosen.
    Text(String),
}

impl Field {
    /// A value of an answer. An amount of money is its number; anything else with an inside is its JSON.
    pub(super) fn new(value: &Value) -> Self {
        match value {
            Value::Null => Self::Empty,
            Value::Number(number) => Self::Number(number.to_string()),
            Value::String(text) => Self::Text(text.clone()),
            Value::Object(entries) if entries.contains_key("value") => entries.get("value").map_or(Self::Empty, Self::new),
            other => Self::Text(other.to_string()),
        }
    }
}

/// Named columns and rows of as many cells.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Table {
    /// Names of the columns.
    pub(super) columns: Vec<String>,
    /// The rows.
    pub(super) rows: Vec<Vec<Field>>,
}

impl Table {
    /// The results of a query: a column for each dimension and each metric, one more for a currency, and with a comparison two more for each metric.
    pub(super) fn of_query(answer: &Value) -> Self {
        let names = |key: &str| {
            let names = answer.pointer(&format!("/query/{key}")).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            names.iter().filter_map(Value::as_str).collect::<Vec<_>>()
        };
        let (dimensions, metrics) = (names("dimensions"), names("metrics"));
        let results = answer.get("results").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let is_compared = results.iter().any(|row| row.get("comparison").is_some());
        let mut columns: Vec<String> = dimensions.iter().map(|name| (*name).to_owned()).collect();
        for metric in &metrics {
            columns.push((*metric).to_owned());
            if MONEY.contains(metric) {
                columns.push(format!("{metric}_currency"));
            }
            if is_compared {
                columns.extend([format!("comparison_{metric}"), format!("change_{metric}")]);
            }
        }
        let rows = results.iter().map(|row| {
            let at = |pointer: String| row.pointer(&pointer).unwrap_or(&Value::Null);
            let mut fields: Vec<Field> =
                (0..dimensions.len()).map(|index| Field::new(at(format!("/dimensions/{index}")))).collect();
            for (index, metric) in metrics.iter().enumerate() {
                fields.push(Field::new(at(format!("/metrics/{index}"))));
                if MONEY.contains(metric) {
                    fields.push(Field::new(at(format!("/metrics/{index}/currency"))));
                }
                if is_compared {
                    fields.push(Field::new(at(format!("/comparison/metrics/{index}"))));
                    fields.push(Field::new(at(format!("/comparison/change/{index}"))));
                }
            }
            fields
        });
        Self { columns, rows: rows.collect() }
    }

    /// The table as text: a header, lines that end with CR LF.
    pub(super) fn to_csv(&self) -> String {
        let mut csv = String::new();
        write_line(&mut csv, self.columns.iter().map(|name| safe(name)));
        for row in &self.rows {
            write_line(
                &mut csv,
                row.iter().map(|field| match field {
                    Field::Empty => String::new(),
                    Field::Number(number) => number.clone(),
                    Field::Text(text) => safe(text),
                }),
            );
        }
        csv
    }
}

/// A text that no spreadsheet takes for a formula: a quote in front makes it text.
fn safe(text: &str) -> String {
    if text.starts_with(FORMULA_STARTS) { format!("'{text}") } else { text.to_owned() }
}

fn write_line(csv: &mut String, fields: impl Iterator<Item = String>) {
    for (index, field) in fields.enumerate() {
        if index > 0 {
            csv.push(',');
        }
        if field.contains(['"', ',', '\r', '\n']) {
            csv.push('"');
            csv.push_str(&field.replace('"', "\"\""));
            csv.push('"');
        } else {
            csv.push_str(&field);
        }
    }
    csv.push_str("\r\n");
}

/// The request prefers CSV: it names `text/csv`, and does not name JSON with at least the same weight.
pub(super) fn is_wanted(headers: &HeaderMap) -> bool {
    let accepted =
        headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    let (mut csv, mut json) = (0.0, 0.0);
    for range in accepted {
        let mut parts = range.split(';').map(str::trim);
        let weight = match parts.next().map(str::to_ascii_lowercase).as_deref() {
            Some("text/csv") => &mut csv,
            Some("application/json") => &mut json,
            _ => continue,
        };
        let given = parts.filter_map(|part| part.split_once('=')).find(|(name, _)| name.trim().eq_ignore_ascii_case("q"));
        *weight = given.map_or(1.0, |(_, value)| value.trim().parse().unwrap_or(0.0));
    }
    csv > json
}

/// An answer as a file. How fresh the figures are stands in the headers, where JSON has its `meta`.
pub(super) fn respond(table: &Table, answer: &Value) -> Result<Response, ApiError> {
    let fixed = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8; header=present")),
        (header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"weir.csv\"")),
    ];
    let mut response = (fixed, table.to_csv()).into_response();
    add_freshness(&mut response, answer)?;
    Ok(response)
}

/// Says in headers what the answer to a query says of itself.
pub(super) fn add_freshness(response: &mut Response, answer: &Value) -> Result<(), ApiError> {
    let headers = response.headers_mut();
    headers.append(header::VARY, HeaderValue::from_static("accept"));
    for (name, pointer) in
        [("weir-watermark", "/meta/watermark"), ("weir-revision", "/meta/revision"), ("weir-total-rows", "/meta/total_rows")]
    {
        let Some(value) = answer.pointer(pointer).filter(|value| !value.is_null()) else { continue };
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        headers.insert(HeaderName::from_static(name), HeaderValue::from_str(&text).map_err(|_| ApiError::Unavailable)?);
    }
    let missing = answer.pointer("/meta/regions_missing").and_then(Value::as_array);
    let missing: Vec<&str> = missing.into_iter().flatten().filter_map(Value::as_str).collect();
    if !missing.is_empty() {
        let missing = HeaderValue::from_str(&missing.join(", ")).map_err(|_| ApiError::Unavailable)?;
        headers.insert(HeaderName::from_static("weir-regions-missing"), missing);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn columns_follow_the_query() {
        let answer = json!({"results": [
            {"metrics": [3, {"value": 12.5, "currency": "EUR", "short": "€12.5", "long": "€12.50"}], "dimensions": ["a, \"b\""]},
            {"metrics": [0, null], "dimensions": ["=1+1"]},
        ], "query": {"metrics": ["visitors", "total_revenue"], "dimensions": ["visit:source"]}});
        assert_eq!(
            Table::of_query(&answer).to_csv(),
            "visit:source,visitors,total_revenue,total_revenue_currency\r\n\"a, \"\"b\"\"\",3,12.5,EUR\r\n'=1+1,0,,\r\n"
        );
        let compared = json!({"results": [{"metrics": [-3], "dimensions": [], "comparison": {"dimensions": [], "metrics": [1], "change": [-400]}}],
            "query": {"metrics": ["visitors"], "dimensions": []}});
        assert_eq!(Table::of_query(&compared).to_csv(), "visitors,comparison_visitors,change_visitors\r\n-3,1,-400\r\n");
        let empty = json!({"results": [], "query": {"metrics": ["visits"], "dimensions": ["event:page"]}});
        assert_eq!(Table::of_query(&empty).to_csv(), "event:page,visits\r\n");
    }

    #[test]
    fn what_the_request_prefers() {
        let wanted = |accept: &str| {
            let headers = HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_str(accept).unwrap())]);
            is_wanted(&headers)
        };
        for accept in
            ["text/csv", "text/csv, */*", "application/json;q=0.5, text/csv;q=0.8", "TEXT/CSV; header=present", "text/csv;q=0.1"]
        {
            assert!(wanted(accept), "{accept}");
        }
        for accept in
            ["*/*", "", "application/json", "text/html", "text/csv;q=0", "text/csv;q=x", "application/json, text/csv", "text/*"]
        {
            assert!(!wanted(accept), "{accept}");
        }
        assert!(!is_wanted(&HeaderMap::new()));
    }

    /// A reader of RFC 4180, written by its grammar.
    fn read(csv: &str) -> Vec<Vec<String>> {
        let (mut rows, mut row, mut field) = (Vec::new(), Vec::new(), String::new());
        let mut chars = csv.chars().peekable();
        while let Some(first) = chars.next() {
            match first {
                '"' => loop {
                    match chars.next() {
                        Some('"') if chars.peek() == Some(&'"') => {
                            chars.next();
                            field.push('"');
                        }
                        Some('"') => break,
                        Some(inside) => field.push(inside),
                        None => panic!("open quotes"),
                    }
                },
                ',' => row.push(std::mem::take(&mut field)),
                '\r' => {
                    assert_eq!(chars.next(), Some('\n'), "a bare CR");
                    row.push(std::mem::take(&mut field));
                    rows.push(std::mem::take(&mut row));
                }
                other => field.push(other),
            }
        }
        assert!(row.is_empty() && field.is_empty(), "the last line ends too");
        rows
    }

    proptest! {
        #[test]
        fn every_text_comes_back_and_none_is_a_formula(texts in prop::collection::vec("[=+@\t\r\n,\"';a\u{ff1d}-]{0,6}|\\PC{0,8}", 1..6)) {
            let table = Table { columns: texts.clone(), rows: vec![texts.iter().cloned().map(Field::Text).collect()] };
            let found = read(&table.to_csv());
            prop_assert_eq!(found.len(), 2);
            for (field, text) in found.iter().flatten().zip(texts.iter().chain(&texts)) {
                prop_assert!(!field.starts_with(FORMULA_STARTS));
                prop_assert!(field == text || field.strip_prefix('\'') == Some(text.as_str()));
            }
        }
    }
}
