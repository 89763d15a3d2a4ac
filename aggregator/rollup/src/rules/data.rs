//! The rule data: the files in `aggregator/rollup/rules`, and what can be wrong with them.

use std::borrow::Cow;

/// The texts of the rule files. They travel with the logic version that their digest names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleData {
    /// `user-agents.yaml`: uap-core's expressions.
    pub user_agents: Cow<'static, str>,
    /// `agents.toml`: names in reports, device classes.
    pub agents: Cow<'static, str>,
    /// `crawlers.json`: patterns of crawler-user-agents.
    pub crawlers: Cow<'static, str>,
    /// `bots.toml`: general patterns.
    pub bots: Cow<'static, str>,
    /// `sources.toml`: known sources.
    pub sources: Cow<'static, str>,
    /// `channels.toml`: acquisition channels.
    pub channels: Cow<'static, str>,
}

impl RuleData {
    /// The files this program was built with.
    pub fn built_in() -> Self {
        Self {
            user_agents: Cow::Borrowed(include_str!("../../rules/user-agents.yaml")),
            agents: Cow::Borrowed(include_str!("../../rules/agents.toml")),
            crawlers: Cow::Borrowed(include_str!("../../rules/crawlers.json")),
            bots: Cow::Borrowed(include_str!("../../rules/bots.toml")),
            sources: Cow::Borrowed(include_str!("../../rules/sources.toml")),
            channels: Cow::Borrowed(include_str!("../../rules/channels.toml")),
        }
    }

    /// Names and texts, in the order of the digest.
    pub fn files(&self) -> [(&'static str, &str); 6] {
        [
            ("user-agents.yaml", &self.user_agents),
            ("agents.toml", &self.agents),
            ("crawlers.json", &self.crawlers),
            ("bots.toml", &self.bots),
            ("sources.toml", &self.sources),
            ("channels.toml", &self.channels),
        ]
    }
}

/// What is wrong with rule data.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// `user-agents.yaml` is not YAML of the expected shape.
    #[error("user-agents.yaml is not readable")]
    UserAgents(#[from] serde_yaml_ng::Error),
    /// An expression of `user-agents.yaml` does not compile.
    #[error("user-agents.yaml holds an expression that does not compile")]
    UserAgentExpression(#[from] ua_parser::Error),
    /// `crawlers.json` is not an array of strings.
    #[error("crawlers.json is not readable")]
    Crawlers(#[from] serde_json::Error),
    /// A TOML file is not of the expected shape.
    #[error("{file} is not readable")]
    Toml {
        /// Which.
        file: &'static str,
        /// Why.
        source: Box<toml::de::Error>,
    },
    /// An expression does not compile.
    #[error("{file} holds an expression that does not compile")]
    Expression {
        /// Where.
        file: &'static str,
        /// Why.
        source: Box<regex::Error>,
    },
    /// An expression uses a name that is not defined.
    #[error("channels.toml uses the undefined name {name}")]
    UndefinedName {
        /// Which.
        name: String,
    },
}

/// Reads a TOML file.
pub(super) fn parse_toml<T: serde::de::DeserializeOwned>(file: &'static str, text: &str) -> Result<T, RulesError> {
    toml::from_str(text).map_err(|source| RulesError::Toml { file, source: Box::new(source) })
}

/// Compiles an expression of a file.
pub(super) fn expression(file: &'static str, pattern: &str) -> Result<regex::Regex, RulesError> {
    regex::Regex::new(pattern).map_err(|source| RulesError::Expression { file, source: Box::new(source) })
}
