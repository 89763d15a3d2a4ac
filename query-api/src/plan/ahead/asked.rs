//! Which queries figures made ahead can answer, and which of them they need.

use crate::query::{Dimension, EdgeField, Filter, Leaf, Metric, Operator, Query, TimeUnit, VisitField};
use weir_rollup::rollup::{ALL, QUARTERS, ROW_DIMENSIONS};

/// The figures that a query needs: those of one dimension, or of none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Column of the dimension that results are grouped or filtered by; `quarters` = none.
    pub dimension: &'static str,
    /// The share of all visitors is asked for.
    needs_everyone: bool,
}

impl Asked {
    /// What a query needs; `None` = it can be answered from rows alone. `unit` as in the scope.
    pub fn of(query: &Query, unit: TimeUnit) -> Option<Self> {
        let is_series = query.time_dimension().is_some();
        if is_series && !matches!(unit, TimeUnit::Day | TimeUnit::Week | TimeUnit::Month) {
            return None;
        }
        let grouped = match query.dimensions.as_slice() {
            [] => None,
            [dimension] if dimension.is_time() => None,
            [dimension] => Some(column(dimension)?),
            _ => return None,
        };
        let filtered = match query.filters.as_slice() {
            [] => None,
            [Filter::Leaf(leaf)] if is_one_value(leaf) => Some(column(&leaf.dimension)?),
            _ => return None,
        };
        let dimension = match (grouped, filtered) {
            (None, None) => QUARTERS,
            (Some(dimension), None) | (None, Some(dimension)) => dimension,
            (Some(grouped), Some(filtered)) if grouped == filtered => grouped,
            _ => return None,
        };
        let is_of_rows = ROW_DIMENSIONS.contains(&dimension);
        let is_known = |metric: &Metric| match metric {
            Metric::Visitors | Metric::Visits | Metric::Pageviews | Metric::Events => true,
            Metric::BounceRate | Metric::VisitDuration | Metric::ViewsPerVisit => !is_of_rows,
            Metric::Percentage => !is_of_rows && grouped.is_some() && filtered.is_none(),
            _ => false,
        };
        let needs_everyone = query.metrics.contains(&Metric::Percentage);
        query.metrics.iter().all(is_known).then_some(Self { dimension, needs_everyone })
    }

    /// Results are those of single events, not of visits.
    pub fn is_of_rows(self) -> bool {
        ROW_DIMENSIONS.contains(&self.dimension)
    }

    /// The share of all visitors is asked for.
    pub fn needs_everyone(self) -> bool {
        self.needs_everyone
    }

    /// What a rollup must cover, by the names that it uses.
    pub fn coverage(self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.dimension).chain(self.needs_everyone.then_some(ALL))
    }
}

/// The value that a query's filter wants, the empty text for the label of what is not known.
pub(super) fn wanted(query: &Query) -> Option<&str> {
    let Some(Filter::Leaf(leaf)) = query.filters.first() else { return None };
    let clause = leaf.clauses.first()?;
    Some(if clause == leaf.dimension.empty_label() { "" } else { clause })
}

fn is_one_value(leaf: &Leaf) -> bool {
    leaf.operator == Operator::Is && leaf.case_sensitive && leaf.clauses.len() == 1
}

/// The column of a dimension in rollups. Names of places are not there: several codes may have one name.
fn column(dimension: &Dimension) -> Option<&'static str> {
    Some(match dimension {
        Dimension::Page => "pathname",
        Dimension::Hostname => "hostname",
        Dimension::Name => "name",
        Dimension::Visit(VisitField::CountryName | VisitField::RegionName) => return None,
        Dimension::Visit(field) => field.column(),
        Dimension::Edge(field @ (EdgeField::EntryPage | EdgeField::ExitPage)) => field.column(),
        _ => return None,
    })
}
