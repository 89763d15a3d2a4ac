//! Which currency the metrics of revenue are in. Amounts are never converted: a revenue goal counts those in its own currency.

use super::vocabulary::{Dimension, Metric};
use weir_reader::definitions::Goal;

/// What the metrics of revenue add up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Revenue {
    /// No such metric.
    None,
    /// No goal that counts has a currency: all values are null.
    NoGoal,
    /// Goals of several currencies in one result: all values are null.
    SeveralCurrencies,
    /// Every result is in this currency.
    Currency(String),
    /// Every result is in the currency of its goal, null where that has none: the names and currencies of the query's goals.
    OfGoal(Vec<(String, Option<String>)>),
}

impl Revenue {
    /// `goals` are those that the filters leave, none where no goal is named.
    pub(super) fn new(metrics: &[Metric], dimensions: &[Dimension], goals: &[Goal]) -> Self {
        if !metrics.iter().any(|metric| metric.is_of_revenue()) {
            return Self::None;
        }
        let mut currencies: Vec<&String> = goals.iter().filter_map(|goal| goal.currency.as_ref()).collect();
        currencies.sort_unstable();
        currencies.dedup();
        match currencies.as_slice() {
            [] => Self::NoGoal,
            _ if dimensions.contains(&Dimension::Goal) => {
                Self::OfGoal(goals.iter().map(|goal| (goal.display_name.clone(), goal.currency.clone())).collect())
            }
            [currency] => Self::Currency((*currency).clone()),
            _ => Self::SeveralCurrencies,
        }
    }

    /// Why all values are null: a code and a sentence, as clients know them.
    pub fn warning(&self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::NoGoal => {
                Some(("no_revenue_goals_matching", "Revenue metrics are null as there are no matching revenue goals."))
            }
            Self::SeveralCurrencies => Some((
                "no_single_revenue_currency",
                "Revenue metrics are null as there are multiple currencies for the selected event:goals.",
            )),
            Self::None | Self::Currency(_) | Self::OfGoal(_) => None,
        }
    }

    /// The currency of a result; `goal` is the goal's name where results are grouped by goal.
    pub fn currency(&self, goal: Option<&str>) -> Option<&str> {
        match self {
            Self::Currency(currency) => Some(currency),
            Self::OfGoal(goals) => {
                goals.iter().find(|(name, _)| goal == Some(name)).and_then(|(_, currency)| currency.as_deref())
            }
            Self::None | Self::NoGoal | Self::SeveralCurrencies => None,
        }
    }
}
