//! Which user agents are automation, by pattern.

use super::data::{RuleData, RulesError, expression, parse_toml};
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
        let crawlers: Vec<String> = serde_json::from_str(&data.crawlers)?;
        let general = parse_toml::<BotsFile>("bots.toml", &data.bots)?.patterns;
        let patterns = crawlers.iter().chain(&general);
        let any = patterns.map(|pattern| format!("(?:{pattern})")).collect::<Vec<_>>().join("|");
        let compiled = RegexBuilder::new(&any).size_limit(COMPILED_BYTES_MAX).dfa_size_limit(COMPILED_BYTES_MAX).build();
        compiled.map(Self).map_err(|source| culprit(&crawlers, &general, source))
    }

    pub(super) fn is_bot(&self, user_agent: &str) -> bool {
        self.0.is_match(user_agent)
    }
}

/// Which single pattern does not compile; the error of all together quotes them all.
fn culprit(crawlers: &[String], general: &[String], of_all: regex::Error) -> RulesError {
    let files = [("bots.toml", general), ("crawlers.json", crawlers)];
    let mut each = files.into_iter().flat_map(|(file, patterns)| patterns.iter().map(move |pattern| (file, pattern)));
    let found = each.find_map(|(file, pattern)| expression(file, pattern).err());
    found.unwrap_or_else(|| RulesError::Expression { file: "crawlers.json", source: Box::new(of_all) })
}
