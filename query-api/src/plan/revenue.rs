//! Revenue as SQL: sums and counts of amounts in one currency, millionths of its unit.

use super::{Parameters, goals};
use crate::query::{Metric, Query, Revenue};

/// The columns of `row_cells` that the metrics of revenue are made of; each ends with a comma.
pub(super) fn columns(query: &Query, parameters: &mut Parameters) -> String {
    let currency = match &query.revenue {
        Revenue::None | Revenue::NoGoal | Revenue::SeveralCurrencies => return String::new(),
        Revenue::Currency(currency) => parameters.bind(currency),
        Revenue::OfGoal(_) => of_goal(query, "rows.goal", parameters),
    };
    let counts = format!("FILTER (coalesce(rows.revenue_currency = {currency}, false))");
    format!("sum(rows.revenue_micros) {counts} AS revenue_micros, count(rows.revenue_micros) {counts} AS revenues, ")
}

/// The value of a metric of revenue: millionths, NULL where the result has no currency. Sums past what fits are the largest that does.
pub(super) fn metric_sql(metric: Metric, query: &Query, parameters: &mut Parameters) -> String {
    let is_known = match &query.revenue {
        Revenue::None | Revenue::NoGoal | Revenue::SeveralCurrencies => return "NULL::BIGINT".to_owned(),
        Revenue::Currency(_) => "true".to_owned(),
        Revenue::OfGoal(_) => {
            let index = query.dimensions.iter().position(|dimension| *dimension == crate::query::Dimension::Goal).unwrap_or(0);
            format!("{} IS NOT NULL", of_goal(query, &format!("row_cells.k{index}"), parameters))
        }
    };
    let value = if metric == Metric::AverageRevenue {
        "round(row_cells.revenue_micros::DOUBLE / nullif(row_cells.revenues, 0))"
    } else {
        "row_cells.revenue_micros"
    };
    // The nearest DOUBLE below the largest BIGINT.
    let bounded = format!("greatest(least(coalesce({value}, 0), 9223372036854774784), -9223372036854774784)");
    format!("CASE WHEN {is_known} THEN CAST({bounded} AS BIGINT) END")
}

fn of_goal(query: &Query, index: &str, parameters: &mut Parameters) -> String {
    let currency = |currency: &Option<String>| currency.as_ref().map_or("NULL".to_owned(), |text| parameters.bind(text));
    let currencies: Vec<String> = query.goals.iter().map(|goal| &goal.currency).map(currency).collect();
    goals::by_index(index, &currencies)
}
