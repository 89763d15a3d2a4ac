//! From the JSON of a request to a [`Query`], with the refusals of the contract.

use super::filter::{self, FilterError, Parser};
use super::goals;
use super::period::DateRange;
use super::quote::quote;
use super::refusal::Refusal;
use super::vocabulary::{Dimension, Metric};
use super::{
    Comparison, ComparisonMode, DIMENSIONS_MAX, Direction, Echo, Filter, OrderKey, Query, RESULTS_MAX, Relative, Revenue, rules,
};
use chrono::NaiveDate;
use serde_json::{Map, Value};
use weir_reader::definitions::Definitions;

/// Largest offset of a page.
const OFFSET_MAX: u64 = 1_000_000_000;

const KEYS: [&str; 9] =
    ["site_id", "metrics", "date_range", "date", "dimensions", "filters", "order_by", "include", "pagination"];
const NOT_ALLOWED: &str = "Schema does not allow additional properties.";

/// The site that the request names, read before everything else so that it can be authorised first.
pub fn site_id(body: &Value) -> Result<&str, Refusal> {
    body.get("site_id").and_then(Value::as_str).filter(|site| !site.is_empty()).ok_or(Refusal::MissingSite)
}

/// Reads and checks a request of a site with these definitions, asked with the key of that id.
///
/// # Errors
/// What is wrong with it. Whether its regular expressions can be compiled only the engine knows.
pub fn parse(body: &Value, definitions: &Definitions, key_id: &str) -> Result<Query, Refusal> {
    let Some(object) = body.as_object() else { return Err(Refusal::Schema(vec![mismatch("#", "Object", body)])) };
    let mut reader = Reader { object, errors: Vec::new(), rule: None };
    reader.unknown_keys();
    let metrics = reader.metrics();
    let date_range = reader.date_range();
    let date = reader.date();
    let dimensions = reader.dimensions();
    let (filters, unknown_goal) = reader.filters(definitions, key_id);
    let order = reader.order_by();
    let include = reader.include();
    let (limit, offset) = reader.pagination();
    if !reader.errors.is_empty() {
        return Err(Refusal::Schema(reader.errors));
    }
    if let Some(rule) = reader.rule {
        return Err(rule);
    }
    let Some(date_range) = date_range else { return Err(Refusal::Schema(vec!["#/date_range: missing".to_owned()])) };
    let echo_dimensions: Vec<String> = dimensions.iter().map(|(name, _)| name.clone()).collect();
    let dimensions: Vec<Dimension> = dimensions.into_iter().map(|(_, dimension)| dimension).collect();
    let (order_by, echo_order) = resolve_order(order, &metrics, &dimensions, &echo_dimensions)?;
    rules::check_filters(&filters, &metrics, unknown_goal)?;
    let mut names_goals = dimensions.contains(&Dimension::Goal);
    for filter in &filters {
        filter.nodes(0, 0, &mut |node, _, _| names_goals |= matches!(node, Filter::Goals(_)));
    }
    let goals = if names_goals { goals::of_query(definitions, &filters) } else { Vec::new() };
    let query = Query {
        echo: Echo {
            metrics: metrics.iter().map(|metric| metric.name().to_owned()).collect(),
            dimensions: echo_dimensions,
            filters: object.get("filters").filter(|value| !value.is_null()).cloned().unwrap_or_else(|| Value::Array(Vec::new())),
            order_by: echo_order,
            include: object.get("include").filter(|value| !value.is_null()).cloned().unwrap_or_else(|| Value::Object(Map::new())),
        },
        revenue: Revenue::new(&metrics, &dimensions, &goals),
        metrics,
        dimensions,
        filters: rules::conjunction(filters),
        goals,
        date_range,
        relative: Relative { date, ..include.relative },
        comparison: include.comparison,
        imports_meta: include.imports_meta,
        order_by,
        time_labels: include.time_labels,
        total_rows: include.total_rows,
        limit,
        offset,
    };
    rules::check(&query)?;
    Ok(query)
}

#[derive(Default)]
struct Include {
    comparison: Option<Comparison>,
    relative: Relative,
    imports_meta: bool,
    time_labels: bool,
    total_rows: bool,
}

struct Reader<'a> {
    object: &'a Map<String, Value>,
    errors: Vec<String>,
    rule: Option<Refusal>,
}

impl<'a> Reader<'a> {
    fn unknown_keys(&mut self) {
        for key in self.object.keys().filter(|key| !KEYS.contains(&key.as_str())) {
            self.errors.push(format!("#/{}: {NOT_ALLOWED}", pointer(key)));
        }
        let missing: Vec<&str> =
            ["site_id", "metrics", "date_range"].into_iter().filter(|key| !self.object.contains_key(*key)).collect();
        match missing.as_slice() {
            [] => {}
            [one] => self.errors.push(format!("#: Required property {one} was not present.")),
            several => self.errors.push(format!("#: Required properties {} were not present.", several.join(", "))),
        }
    }

    /// A key that may be absent or null.
    fn optional(&self, key: &str) -> Option<&'a Value> {
        self.object.get(key).filter(|value| !value.is_null())
    }

    /// The list under a key, its length and uniqueness checked.
    fn list(&mut self, value: &'a Value, key: &str, items_min: usize, items_max: usize, unique: bool) -> &'a [Value] {
        let Some(items) = value.as_array() else {
            self.errors.push(mismatch(&format!("#/{key}"), "Array", value));
            return &[];
        };
        if items.len() < items_min {
            self.errors.push(format!("#/{key}: Expected a minimum of {items_min} items but got {}.", items.len()));
        }
        if items.len() > items_max {
            self.errors.push(format!("#/{key}: Expected a maximum of {items_max} items but got {}.", items.len()));
            return &[];
        }
        if unique && items.iter().enumerate().any(|(index, item)| items.iter().take(index).any(|earlier| earlier == item)) {
            self.errors.push(format!("#/{key}: Expected items to be unique but they were not."));
        }
        items
    }

    fn metrics(&mut self) -> Vec<Metric> {
        let Some(value) = self.object.get("metrics") else { return Vec::new() };
        let items = self.list(value, "metrics", 1, 20, true);
        let mut metrics = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            match item.as_str().and_then(Metric::parse) {
                Some(metric) => metrics.push(metric),
                None => self.errors.push(format!("#/metrics/{index}: Invalid metric {}", quote(item))),
            }
        }
        metrics
    }

    fn date_range(&mut self) -> Option<DateRange> {
        let value = self.object.get("date_range")?;
        let range = DateRange::parse(value);
        if range.is_none() {
            self.errors.push(format!("#/date_range: Invalid date range {}", quote(value)));
        }
        range
    }

    fn date(&mut self) -> Option<NaiveDate> {
        let value = self.optional("date")?;
        let Some(text) = value.as_str() else {
            self.errors.push(mismatch("#/date", "String", value));
            return None;
        };
        let date = DateRange::parse_date(text);
        if date.is_none() {
            let date = text.chars().take(100).collect();
            self.rule = self.rule.take().or(Some(Refusal::Date { date }));
        }
        date
    }

    fn dimensions(&mut self) -> Vec<(String, Dimension)> {
        let Some(value) = self.optional("dimensions") else { return Vec::new() };
        let items = self.list(value, "dimensions", 0, DIMENSIONS_MAX, true);
        let mut dimensions = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            match item.as_str().and_then(|name| Some((name.to_owned(), Dimension::parse(name)?))) {
                Some(dimension) => dimensions.push(dimension),
                None => self.errors.push(format!("#/dimensions/{index}: Invalid dimension {}", quote(item))),
            }
        }
        dimensions
    }

    /// The filters, and a goal among them that the site does not have.
    fn filters(&mut self, definitions: &Definitions, key_id: &str) -> (Vec<Filter>, Option<String>) {
        let Some(value) = self.optional("filters") else { return (Vec::new(), None) };
        let items = self.list(value, "filters", 0, filter::LEAVES_MAX, false);
        let mut parser = Parser::new(definitions, key_id);
        let mut filters = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            match parser.top_level(item) {
                Ok(found) => filters.extend(found),
                Err(FilterError::Shape) => self.errors.push(format!("#/filters/{index}: Invalid filter {}", quote(item))),
                Err(FilterError::Rule(rule)) => self.rule = self.rule.take().or(Some(rule)),
            }
        }
        (filters, parser.unknown_goal)
    }

    fn order_by(&mut self) -> Option<Vec<(&'a str, Direction, &'a Value)>> {
        let value = self.optional("order_by")?;
        let items = self.list(value, "order_by", 0, 28, false);
        let mut order = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let entry = match item.as_array().map(Vec::as_slice) {
                Some([Value::String(name), Value::String(direction)]) => match direction.as_str() {
                    "asc" => Some((name.as_str(), Direction::Asc, item)),
                    "desc" => Some((name.as_str(), Direction::Desc, item)),
                    _ => None,
                },
                _ => None,
            };
            match entry {
                Some(entry) => order.push(entry),
                None => self.errors.push(format!("#/order_by/{index}: Invalid order_by entry {}", quote(item))),
            }
        }
        Some(order)
    }

    fn include(&mut self) -> Include {
        let mut include = Include::default();
        let Some(value) = self.optional("include") else { return include };
        let Some(entries) = value.as_object() else {
            self.errors.push(mismatch("#/include", "Object", value));
            return include;
        };
        for (key, entry) in entries {
            let path = format!("#/include/{}", pointer(key));
            if key == "comparisons" {
                include.comparison = self.comparison(&path, entry);
                continue;
            }
            let Some(flag) = entry.as_bool() else {
                self.errors.push(mismatch(&path, "Boolean", entry));
                continue;
            };
            match key.as_str() {
                "time_labels" => include.time_labels = flag,
                "total_rows" => include.total_rows = flag,
                // Nothing here is imported from elsewhere: both values give the same results.
                "imports" | "imports_meta" => include.imports_meta |= flag,
                "trim_relative_date_range" => include.relative.ends_today = flag,
                _ => self.errors.push(format!("{path}: {NOT_ALLOWED}")),
            }
        }
        include
    }

    fn comparison(&mut self, path: &str, value: &Value) -> Option<Comparison> {
        let comparison = parse_comparison(value);
        if comparison.is_none() && !value.is_null() {
            self.errors.push(format!("{path}: Invalid comparisons {}", quote(value)));
        }
        comparison
    }

    fn pagination(&mut self) -> (usize, u64) {
        let (mut limit, mut offset) = (RESULTS_MAX as u64, 0);
        let Some(value) = self.optional("pagination") else { return (RESULTS_MAX, 0) };
        let Some(entries) = value.as_object() else {
            self.errors.push(mismatch("#/pagination", "Object", value));
            return (RESULTS_MAX, 0);
        };
        for (key, entry) in entries {
            let path = format!("#/pagination/{}", pointer(key));
            match key.as_str() {
                "limit" => limit = self.integer(&path, entry, 1, RESULTS_MAX as u64),
                "offset" => offset = self.integer(&path, entry, 0, OFFSET_MAX),
                _ => self.errors.push(format!("{path}: {NOT_ALLOWED}")),
            }
        }
        (usize::try_from(limit).unwrap_or(RESULTS_MAX), offset)
    }

    fn integer(&mut self, path: &str, value: &Value, min: u64, max: u64) -> u64 {
        match (value.as_u64(), value.as_i64()) {
            (Some(number), _) if number > max => self.errors.push(format!("{path}: Expected the value to be <= {max}")),
            (Some(number), _) if number >= min => return number,
            (Some(_), _) | (None, Some(_)) => self.errors.push(format!("{path}: Expected the value to be >= {min}")),
            (None, None) => self.errors.push(mismatch(path, "Integer", value)),
        }
        min
    }
}

/// `None` where it is no comparison.
fn parse_comparison(value: &Value) -> Option<Comparison> {
    let entries = value.as_object()?;
    if entries.keys().any(|key| !matches!(key.as_str(), "mode" | "match_day_of_week" | "date_range")) {
        return None;
    }
    let range = entries.get("date_range").filter(|range| !range.is_null());
    let mode = match (entries.get("mode")?.as_str()?, range) {
        ("previous_period", None) => ComparisonMode::PreviousPeriod,
        ("year_over_year", None) => ComparisonMode::YearOverYear,
        ("custom", Some(range)) if range.is_array() => ComparisonMode::Custom(DateRange::parse(range)?),
        _ => return None,
    };
    let match_day_of_week = entries.get("match_day_of_week").map_or(Some(false), Value::as_bool)?;
    Some(Comparison { mode, match_day_of_week })
}

type Order = (Vec<(OrderKey, Direction)>, Vec<(String, Direction)>);

/// Finds what the order names. The default is time ascending, then the first metric descending.
fn resolve_order(
    order: Option<Vec<(&str, Direction, &Value)>>,
    metrics: &[Metric],
    dimensions: &[Dimension],
    dimension_names: &[String],
) -> Result<Order, Refusal> {
    let mut keys = Vec::new();
    let mut echo = Vec::new();
    for (name, direction, entry) in order.unwrap_or_default() {
        let metric = metrics.iter().position(|metric| metric.name() == name).map(OrderKey::Metric);
        let dimension = || dimension_names.iter().position(|known| known == name).map(OrderKey::Dimension);
        let Some(key) = metric.or_else(dimension) else { return Err(Refusal::OrderByNotQueried { entry: quote(entry) }) };
        keys.push((key, direction));
        echo.push((name.to_owned(), direction));
    }
    if keys.is_empty() {
        if let Some(index) = dimensions.iter().position(Dimension::is_time) {
            keys.push((OrderKey::Dimension(index), Direction::Asc));
            echo.extend(dimension_names.get(index).map(|name| (name.clone(), Direction::Asc)));
        }
        keys.push((OrderKey::Metric(0), Direction::Desc));
        echo.extend(metrics.first().map(|metric| (metric.name().to_owned(), Direction::Desc)));
    }
    Ok((keys, echo))
}

fn mismatch(path: &str, expected: &str, value: &Value) -> String {
    let found = match value {
        Value::Null => "Null",
        Value::Bool(_) => "Boolean",
        Value::Number(number) if number.is_f64() => "Number",
        Value::Number(_) => "Integer",
        Value::String(_) => "String",
        Value::Array(_) => "Array",
        Value::Object(_) => "Object",
    };
    format!("{path}: Type mismatch. Expected {expected} but got {found}.")
}

/// A key as part of a JSON pointer, cut to a bearable length.
fn pointer(key: &str) -> String {
    key.chars().take(100).collect::<String>().replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
