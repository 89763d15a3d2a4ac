//! The JSON schema of a query's body, made of the words that this program answers.
//!
//! It describes the form of a query. Which metrics, dimensions and filters go together are rules beyond it.

use crate::query::words;
use crate::query::{DIMENSIONS_MAX, QUERIES_MAX, RESULTS_MAX};
use serde_json::{Map, Value, json};

/// How dates look.
const DATE: &str = "^[0-9]{4}-[0-9]{2}-[0-9]{2}$";
/// How times look: RFC 3339.
const TIME: &str = "^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})$";
const TITLE: &str = "Query of Weir, compatible with Plausible's Stats API v2";

/// The schema as a document of its own.
pub(super) fn schema() -> Value {
    let mut schema = query("#/$defs/");
    if let Some(object) = schema.as_object_mut() {
        object.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
        object.insert("title".to_owned(), json!(TITLE));
        object.insert("$defs".to_owned(), json!({"QueryFilter": filter("#/$defs/")}));
    }
    schema
}

/// The schema as components of the `OpenAPI` document.
pub(super) fn components() -> Map<String, Value> {
    const PREFIX: &str = "#/components/schemas/";
    [("Query", query(PREFIX)), ("QueryFilter", filter(PREFIX))]
        .into_iter()
        .map(|(name, schema)| (name.to_owned(), schema))
        .collect()
}

/// The body of several queries. One that is not of the form of `Query` is refused by itself, not the whole request.
pub(super) fn batch() -> Value {
    let query = json!({"type": "object", "description": "A body of `POST /api/v2/query`."});
    let site = json!({"type": "string", "minLength": 1, "description": "Domain of a site.", "examples": ["a.example"]});
    json!({
        "type": "object",
        "properties": {
            "queries": {"type": "array", "items": query, "maxItems": QUERIES_MAX},
            "current_visitors": {"type": "array", "items": site, "maxItems": QUERIES_MAX},
        },
    })
}

/// A key that may also be null.
fn optional(kind: &str) -> Value {
    json!([kind, "null"])
}

/// A list of exactly these.
fn tuple(items: &[Value]) -> Value {
    json!({"type": "array", "prefixItems": items, "minItems": items.len(), "maxItems": items.len()})
}

fn dimension() -> Value {
    json!({"anyOf": [{"enum": words::dimensions().collect::<Vec<_>>()}, {"type": "string", "pattern": "^event:props:.+$", "maxLength": 300}]})
}

/// What filters look at: not time.
fn filtered_dimension() -> Value {
    let names: Vec<&str> = words::dimensions().filter(|name| !name.starts_with("time")).collect();
    json!({"anyOf": [{"enum": names}, {"type": "string", "pattern": "^event:props:.+$", "maxLength": 300}]})
}

fn query(prefix: &str) -> Value {
    let metrics: Vec<&str> = words::metrics().collect();
    let direction = json!({"enum": ["asc", "desc"]});
    let order = tuple(&[json!({"anyOf": [{"enum": metrics}, dimension()]}), direction]);
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["site_id", "metrics", "date_range"],
        "properties": {
            "site_id": {"type": "string", "minLength": 1, "description": "Domain of the site.", "examples": ["a.example"]},
            "metrics": {"type": "array", "items": {"enum": metrics}, "minItems": 1, "maxItems": 20, "uniqueItems": true},
            "date_range": date_range(),
            "date": {"type": optional("string"), "format": "date", "pattern": DATE, "description": "The day that stands for today."},
            "dimensions": {"type": optional("array"), "items": dimension(), "maxItems": DIMENSIONS_MAX, "uniqueItems": true},
            "filters": {"type": optional("array"), "items": {"$ref": format!("{prefix}QueryFilter")}},
            "order_by": {"type": optional("array"), "items": order, "maxItems": 28},
            "include": include(),
            "pagination": {
                "type": optional("object"),
                "additionalProperties": false,
                "properties": {
                    "limit": {"type": "integer", "minimum": 1, "maximum": RESULTS_MAX},
                    "offset": {"type": "integer", "minimum": 0, "maximum": 1_000_000_000},
                },
            },
        },
    })
}

/// From one day or second to another.
fn custom_ranges() -> [Value; 2] {
    let date = json!({"type": "string", "format": "date", "pattern": DATE});
    let time = json!({"type": "string", "format": "date-time", "pattern": TIME});
    [tuple(&[date.clone(), date]), tuple(&[time.clone(), time])]
}

fn date_range() -> Value {
    let [dates, times] = custom_ranges();
    json!({"anyOf": [
        {"enum": words::DATE_RANGES},
        {"type": "string", "pattern": "^0*([1-9][0-9]{0,2}|[1-4][0-9]{3}|5000)d$", "description": "So many whole days that end yesterday.", "examples": ["7d", "28d", "30d", "91d"]},
        {"type": "string", "pattern": "^0*([1-9][0-9]?|100)mo$", "description": "So many whole months that end with the last one.", "examples": ["6mo", "12mo"]},
        dates,
        times,
    ]})
}

fn include() -> Value {
    let keys = words::INCLUDES.into_iter().map(|key| (key.to_owned(), json!({"type": "boolean"})));
    let mut properties: Map<String, Value> = keys.collect();
    properties.insert("comparisons".to_owned(), comparisons());
    json!({"type": optional("object"), "additionalProperties": false, "properties": properties})
}

fn comparisons() -> Value {
    let match_day_of_week = json!({"type": "boolean"});
    let [dates, times] = custom_ranges();
    json!({"anyOf": [
        {"type": "null"},
        {
            "type": "object", "additionalProperties": false, "required": ["mode"],
            "properties": {"mode": {"enum": ["previous_period", "year_over_year"]}, "match_day_of_week": match_day_of_week},
        },
        {
            "type": "object", "additionalProperties": false, "required": ["mode", "date_range"],
            "properties": {"mode": {"const": "custom"}, "date_range": {"anyOf": [dates, times]}, "match_day_of_week": match_day_of_week},
        },
    ]})
}

fn filter(prefix: &str) -> Value {
    let child = json!({"$ref": format!("{prefix}QueryFilter")});
    let texts = json!({"type": "array", "items": {"type": "string"}, "minItems": 1});
    let modifiers =
        json!({"type": "object", "additionalProperties": false, "properties": {"case_sensitive": {"type": "boolean"}}});
    let one_of = |words: &[&str]| json!({"enum": words});
    let numbers = json!({"type": "array", "items": {"type": "integer"}, "minItems": 1});
    let cities = [one_of(&words::OPERATORS), json!({"const": "visit:city"}), numbers.clone(), modifiers.clone()];
    let comparison = [one_of(&words::OPERATORS), filtered_dimension(), texts.clone(), modifiers];
    json!({"anyOf": [
        {"type": "array", "prefixItems": comparison, "minItems": 3, "maxItems": 4},
        {"type": "array", "prefixItems": cities, "minItems": 3, "maxItems": 4},
        tuple(&[one_of(&words::PATTERN_OPERATORS), filtered_dimension(), texts]),
        tuple(&[json!({"const": "is"}), json!({"const": "segment"}), numbers]),
        tuple(&[one_of(&words::LIST_NODES), json!({"type": "array", "items": child, "minItems": 1})]),
        tuple(&[one_of(&words::NODES), child]),
    ]})
}
