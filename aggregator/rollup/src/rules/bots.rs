//! Which user agents are automation, by pattern.

use super::data::{RuleData, RulesError, parse_toml};
use regex::{Regex, RegexBuilder};
use serde::Deserialize;

/// Room for the compiled patterns: 1,500 of them need about 10 MB.
const COMPILED_BYTES_MAX: usize = 64 << 20;

#[derive(Debug)]
pub(super) struct Bots(Regex);

#[derive(Deserialize)]
struct BotsFile {
    patterns: Vec<String>,
}

impl Bots {
    pub(super) fn new(data: &RuleData) -> Result<Self, RulesError> {
        let mut patterns: Vec<String> = serde_json::from_str(&data.crawlers)?;
        patterns.extend(parse_toml::<BotsFile>("bots.toml", &data.bots)?.patterns);
        let any = patterns.iter().map(|pattern| format!("(?:{pattern})")).collect::<Vec<_>>().join("|");
        let compiled = RegexBuilder::new(&any).size_limit(COMPILED_BYTES_MAX).dfa_size_limit(COMPILED_BYTES_MAX).build();
        Ok(Self(compiled.map_err(|source| RulesError::Expression { file: "crawlers.json", source: Box::new(source) })?))
    }

    pub(super) fn is_bot(&self, user_agent: &str) -> bool {
        self.0.is_match(user_agent)
    }
}
