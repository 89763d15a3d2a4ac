//! Figures of the pieces that rollups know.

use super::asked::wanted;
use super::cover::{Cover, Piece};
use crate::plan::{Parameters, Scope};
use crate::query::Range;
use crate::query::calendar::month_floor_ms;
use weir_rollup::rollup::{ALL, LASTING, QUARTERS};

/// One `SELECT` for each table that has a share, with the key (where results have one) and the figures.
pub(super) fn selects(scope: &Scope<'_>, cover: &Cover, figures: &[&str], parameters: &mut Parameters) -> Vec<String> {
    let dimension = cover.asked.dimension;
    let is_series = scope.query.time_dimension().is_some();
    let key = match scope.query.dimensions.first() {
        None => String::new(),
        Some(time) if time.is_time() => format!("{} AS k0, ", scope.calendar.ordinal_sql(scope.time_unit, "start_ms")),
        Some(_) => "value AS k0, ".to_owned(),
    };
    let value = match wanted(scope.query) {
        Some(value) => format!(" AND value = {}", parameters.bind(value)),
        None => String::new(),
    };
    let mut selects = Vec::new();
    let mut previous_end = None;
    for piece in &cover.pieces {
        let begins = if is_series {
            let ordinal = |column: &str| scope.calendar.ordinal_sql(scope.time_unit, column);
            let begins = format!("{} <> {}", ordinal("start_ms"), ordinal("(start_ms - 1)"));
            // The first of a run of pieces begins with a bucket.
            if previous_end == Some(piece.range.start_ms) {
                begins
            } else {
                format!("({begins} OR start_ms = {})", piece.range.start_ms)
            }
        } else {
            starts(scope.range, piece)
        };
        previous_end = Some(piece.range.end_ms);
        let columns: Vec<String> = figures.iter().map(|figure| column(figure, &begins)).collect();
        let columns = columns.join(", ");
        let dimension_is = if dimension == QUARTERS { String::new() } else { format!(" AND dimension = '{dimension}'{value}") };
        for (table, range) in tables(piece, dimension, is_series) {
            selects.push(format!("SELECT {key}{columns} {}{dimension_is}", from(scope, piece, table, range)));
        }
    }
    selects
}

/// The same for the visitors of everything.
pub(super) fn everyone(scope: &Scope<'_>, cover: &Cover) -> Vec<String> {
    let select = |piece: &Piece| {
        let column = column("visitors", &starts(scope.range, piece));
        let of = |(table, range): (&str, Range)| {
            format!("SELECT {column} {} AND dimension = '{ALL}'", from(scope, piece, table, range))
        };
        tables(piece, ALL, false).into_iter().map(of).collect::<Vec<_>>()
    };
    cover.pieces.iter().flat_map(select).collect()
}

fn from(scope: &Scope<'_>, piece: &Piece, table: &str, range: Range) -> String {
    format!(
        "FROM {}.{table} WHERE site_id = {} AND start_ms >= {} AND start_ms < {}",
        piece.schema, scope.site_id, range.start_ms, range.end_ms
    )
}

/// When what was carried into a grain counts: in the first of the range.
fn starts(range: Range, piece: &Piece) -> String {
    if piece.range.start_ms == range.start_ms { format!("start_ms = {}", range.start_ms) } else { "false".to_owned() }
}

fn column(figure: &str, begins: &str) -> String {
    if !LASTING.contains(&figure) {
        format!("{figure}::BIGINT AS {figure}")
    } else if begins == "false" {
        format!("{figure}_new::BIGINT AS {figure}")
    } else {
        format!("{figure}_new::BIGINT + CASE WHEN {begins} THEN {figure}_carried::BIGINT ELSE 0 END AS {figure}")
    }
}

/// The tables of a piece, and which part of it each answers: whole months where there are any.
fn tables(piece: &Piece, dimension: &str, is_series: bool) -> Vec<(&'static str, Range)> {
    let Range { start_ms, end_ms } = piece.range;
    if dimension == QUARTERS {
        return vec![("quarters", piece.range)];
    }
    if is_series {
        return vec![("days", piece.range)];
    }
    // A month of the rollup has those of its days that the rollup has.
    let begin = |ms: i64| month_floor_ms(ms).max(piece.span.start_ms);
    let first = if begin(start_ms) == start_ms { start_ms } else { next_month_ms(start_ms).min(end_ms) };
    let last = if end_ms == piece.span.end_ms { end_ms } else { month_floor_ms(end_ms).max(first) };
    let parts = [("days", start_ms, first), ("months", first, last), ("days", last, end_ms)];
    parts
        .into_iter()
        .filter(|(_, start_ms, end_ms)| start_ms < end_ms)
        .map(|(table, start_ms, end_ms)| (table, Range { start_ms, end_ms }))
        .collect()
}

fn next_month_ms(ms: i64) -> i64 {
    month_floor_ms(month_floor_ms(ms) + 32 * crate::query::calendar::DAY_MS)
}
