//! Regular expressions in statements.
//!
//! They stand in the text, not among the parameters: DuckDB compiles one that it knows when it plans once, another anew for every row.

use super::Statement;

/// A value matches a regular expression somewhere.
pub(super) fn matches(value: &str, pattern: &str) -> String {
    format!("regexp_matches({value}, {})", literal(pattern))
}

/// The statement that fails if one of the expressions cannot be compiled, and does nothing else. `None` = there are none.
pub fn pattern_check(patterns: &[&str]) -> Option<Statement> {
    let checks: Vec<String> = patterns.iter().map(|pattern| matches("''", pattern)).collect();
    (!checks.is_empty()).then(|| Statement { sql: format!("SELECT {}", checks.join(", ")), parameters: Vec::new() })
}

/// A text as SQL writes it. A quote is doubled; nothing else has a meaning there. Texts with a zero byte are refused before.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''").replace('\0', ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leaves_a_literal() {
        for (text, expected) in [
            ("", "''"),
            ("a'b", "'a''b'"),
            ("'", "''''"),
            ("\\'", "'\\'''"),
            ("'; DROP TABLE events; --", "'''; DROP TABLE events; --'"),
        ] {
            assert_eq!(literal(text), expected);
        }
    }
}
