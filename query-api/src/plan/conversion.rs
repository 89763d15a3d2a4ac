//! Conversion rates: visitors who reached a goal among those whom the other filters leave.

use super::cells::{group_by, row_keys};
use super::{Parameters, Scope};
use crate::query::{Dimension, Filter, Metric, Query};
use std::fmt::Write;

/// A filter that tells who converted, which the divisor leaves out.
pub(super) fn is_of_converts(filter: &Filter) -> bool {
    match filter {
        Filter::Goals(_) => true,
        Filter::Leaf(leaf) => matches!(leaf.dimension, Dimension::Prop(_)),
        _ => false,
    }
}

/// Writes `total_cells`: visitors of all rows by the dimensions but goals.
pub(super) fn write_totals(sql: &mut String, scope: &Scope<'_>, parameters: &mut Parameters) {
    if !scope.query.metrics.contains(&Metric::GroupConversionRate) {
        return;
    }
    let keys = group_keys(scope.query);
    let columns = row_keys(scope, &keys, parameters);
    // Writing to a string cannot fail.
    let _infallible = writeln!(
        sql,
        "total_cells AS (SELECT {columns}count(DISTINCT visitor_id) AS visitors FROM total_rows AS rows{}),",
        group_by(&keys)
    );
}

/// How `total_cells` stand beside the relation of the figures.
pub(super) fn join(query: &Query, main: &str) -> String {
    if !query.metrics.contains(&Metric::GroupConversionRate) {
        return String::new();
    }
    let on: Vec<String> = group_keys(query).iter().map(|index| format!("total_cells.k{index} = {main}.k{index}")).collect();
    format!(" LEFT JOIN total_cells ON {}", if on.is_empty() { "true".to_owned() } else { on.join(" AND ") })
}

/// Percent with two decimals; `main` has the visitors who converted.
pub(super) fn rate_sql(metric: Metric, main: &str) -> String {
    let everyone = match metric {
        Metric::GroupConversionRate => "total_cells.visitors",
        _ => "(SELECT count(DISTINCT visitor_id) FROM total_rows)",
    };
    format!("round(100.0 * {main}.visitors / nullif({everyone}, 0), 2)")
}

fn group_keys(query: &Query) -> Vec<usize> {
    let keys = query.dimensions.iter().enumerate().filter(|(_, dimension)| **dimension != Dimension::Goal);
    keys.map(|(index, _)| index).collect()
}
