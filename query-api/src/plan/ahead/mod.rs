//! Answers about long ranges from figures made ahead (`weir_rollup::rollup`), where those are exactly what rows would give.
//!
//! A cover divides the range into pieces that rollups know and a rest that is read from rows. Counted is each visit, visitor, or visitor
//! and visit with an event of a value, in the piece or rest in which it begins; of the first of them also what began before and is still
//! there. Buckets of time do not depend on each other: those of the rest are answered from rows alone.
//!
//! What begins where is known exactly as long as a visitor's visits begin on one UTC day and end by the end of the next, which is so of all
//! sites that a rollup covers; and then nobody is missed who was there before and after a range but not in it, unless the range lies inside
//! one UTC day.

mod asked;
mod core;
mod cover;
mod rest;

pub use asked::Asked;
pub use cover::{Cover, Piece, cover};

use super::{Parameters, Scope, Sources, raw_cells};
use crate::query::{Metric, Query};
use std::fmt::Write;

/// What is added up, beside pageviews and events: see [`weir_rollup::rollup::LASTING`].
const FIGURES: [&str; 7] = ["visitors", "visits", "bounces", "duration_ms", "views", "pageviews", "events"];

/// Writes the relations up to `cells`.
pub(super) fn cells(scope: &Scope<'_>, sources: &Sources, cover: &Cover, parameters: &mut Parameters) -> String {
    let mut sql = String::from("WITH ");
    let figures = figures(scope.query, cover.asked);
    let is_series = scope.query.time_dimension().is_some();
    let mut relations = core::selects(scope, cover, &figures, parameters);
    if !is_series {
        relations.extend(rest::write(&mut sql, scope, sources, cover, &figures, parameters));
    }
    let sums: Vec<String> = figures.iter().map(|name| format!("CAST(coalesce(sum({name}), 0) AS BIGINT) AS {name}")).collect();
    let key = if scope.query.dimensions.is_empty() { "" } else { "k0, " };
    let group_by = if key.is_empty() { "" } else { " GROUP BY k0" };
    // Writing to a string cannot fail.
    let _infallible = write!(
        sql,
        "ahead AS (SELECT {key}{} FROM (\n{}\n){group_by}),\ncells AS (SELECT {} FROM ahead{}",
        sums.join(", "),
        relations.join("\nUNION ALL "),
        columns(scope.query, cover.asked, parameters).join(", "),
        if key.is_empty() { String::new() } else { format!(" WHERE {} > 0", main(scope.query, cover.asked)) },
    );
    if is_series {
        for range in &cover.rest {
            let rows = raw_cells(&Scope { range: *range, ..*scope }, sources, parameters);
            let _infallible = write!(sql, "\nUNION ALL SELECT * FROM ({rows} SELECT * FROM cells)");
        }
    }
    sql.push(')');
    sql
}

/// The figures that a query needs.
fn figures(query: &Query, asked: Asked) -> Vec<&'static str> {
    let asks = |metric| query.metrics.contains(&metric);
    let is_needed = |figure: &str| match figure {
        "visitors" => asks(Metric::Visitors) || asks(Metric::Percentage),
        "visits" => {
            main(query, asked) == "visits" || asks(Metric::Visits) || query.metrics.iter().any(|metric| metric.is_of_visits())
        }
        "bounces" => asks(Metric::BounceRate),
        "duration_ms" => asks(Metric::VisitDuration),
        "views" => asks(Metric::ViewsPerVisit),
        "pageviews" => asks(Metric::Pageviews),
        _ => main(query, asked) == "events" || asks(Metric::Events),
    };
    FIGURES.into_iter().filter(|figure| is_needed(figure)).collect()
}

/// What a result has at least one of.
fn main(query: &Query, asked: Asked) -> &'static str {
    let is_of_people = query.metrics.iter().any(|metric| !matches!(metric, Metric::Pageviews | Metric::Events));
    if asked.is_of_rows() || !is_of_people { "events" } else { "visits" }
}

fn columns(query: &Query, asked: Asked, parameters: &mut Parameters) -> Vec<String> {
    let mut columns = Vec::new();
    for dimension in &query.dimensions {
        columns.push(if dimension.is_time() {
            "k0 AS d0".to_owned()
        } else {
            format!("CASE WHEN k0 = '' THEN {} ELSE k0 END AS d0", parameters.bind(dimension.empty_label()))
        });
    }
    for (index, metric) in query.metrics.iter().enumerate() {
        columns.push(format!("{} AS m{index}", metric_sql(*metric, asked)));
    }
    columns
}

/// The value of a metric, by the formula that is used for rows.
fn metric_sql(metric: Metric, asked: Asked) -> String {
    let rate = |expression: &str, kind: &str| format!("CAST(coalesce({expression}, 0) AS {kind})");
    match metric {
        Metric::Visitors | Metric::Visits | Metric::Pageviews | Metric::Events => metric.name().to_owned(),
        Metric::BounceRate => rate("round(100.0 * bounces / nullif(visits, 0))", "BIGINT"),
        Metric::VisitDuration => rate("round(duration_ms / 1000.0 / nullif(visits, 0))", "BIGINT"),
        Metric::ViewsPerVisit => rate("round(views / nullif(visits, 0), 2)", "DOUBLE"),
        _ => {
            debug_assert!(asked.needs_everyone());
            rate("round(100.0 * visitors / (SELECT visitors FROM everyone), 1)", "DOUBLE")
        }
    }
}
