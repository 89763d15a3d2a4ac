//! Regular expressions in statements. Whether one can be compiled only DuckDB (RE2) knows.

use super::{Parameters, Statement};

/// A value matches a regular expression somewhere.
pub(super) fn matches(value: &str, pattern: &str, parameters: &mut Parameters) -> String {
    format!("regexp_matches({value}, {})", parameters.bind(pattern))
}

/// The statement that fails if one of the expressions cannot be compiled, and does nothing else. `None` = there are none.
pub fn pattern_check(patterns: &[&str]) -> Option<Statement> {
    let mut parameters = Parameters::default();
    let checks: Vec<String> = patterns.iter().map(|pattern| matches("''", pattern, &mut parameters)).collect();
    (!checks.is_empty()).then(|| Statement { sql: format!("SELECT {}", checks.join(", ")), parameters: parameters.0 })
}
