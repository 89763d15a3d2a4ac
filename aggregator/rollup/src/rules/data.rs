//! The rule data: the files in `aggregator/rollup/rules`, and what can be wrong with them.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Version of the JSON object in which rule data is stored.
pub const RULES_VERSION: u32 = 1;
/// Largest rule file, bytes; the largest built-in one has about 250,000.
pub const RULE_FILE_BYTES_MAX: usize = 8_000_000;

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

/// Rule data as it is stored.
#[derive(Deserialize, Serialize)]
struct Stored<'a> {
    version: u32,
    files: BTreeMap<Cow<'a, str>, Cow<'a, str>>,
}

impl RuleData {
    /// The names of the files, in the order of the digest.
    pub fn names() -> [&'static str; 6] {
        Self::built_in().files().map(|(name, _)| name)
    }

    /// SHA-256 over all files, 64 hex digits: each file's name, length and bytes, in a fixed order.
    pub fn digest(&self) -> String {
        let mut hasher = Sha256::new();
        for (name, text) in self.files() {
            hasher.update(name.as_bytes());
            hasher.update([0]);
            hasher.update((text.len() as u64).to_le_bytes());
            hasher.update(text.as_bytes());
        }
        hex::encode(hasher.finalize())
    }

    /// Puts a text in the place of a file's.
    ///
    /// # Errors
    /// When there is no file of this name, or the text is too long.
    pub fn set(&mut self, name: &str, text: String) -> Result<(), RulesError> {
        if text.len() > RULE_FILE_BYTES_MAX {
            return Err(RulesError::FileTooLarge {
                name: name.to_owned(),
                size_bytes: text.len(),
                limit_bytes: RULE_FILE_BYTES_MAX,
            });
        }
        let file = match name {
            "user-agents.yaml" => &mut self.user_agents,
            "agents.toml" => &mut self.agents,
            "crawlers.json" => &mut self.crawlers,
            "bots.toml" => &mut self.bots,
            "sources.toml" => &mut self.sources,
            "channels.toml" => &mut self.channels,
            _ => return Err(RulesError::UnknownFile { name: name.to_owned() }),
        };
        *file = Cow::Owned(text);
        Ok(())
    }

    /// All files as one JSON object.
    pub fn encode(&self) -> Vec<u8> {
        let files = self.files().into_iter().map(|(name, text)| (Cow::Borrowed(name), Cow::Borrowed(text))).collect();
        // A map of texts can always be written.
        serde_json::to_vec(&Stored { version: RULES_VERSION, files }).unwrap_or_default()
    }

    /// What [`RuleData::encode`] wrote.
    ///
    /// # Errors
    /// When it is not that, or of another version, or a file is missing.
    pub fn decode(bytes: &[u8]) -> Result<Self, RulesError> {
        let stored: Stored = serde_json::from_slice(bytes).map_err(RulesError::Stored)?;
        if stored.version != RULES_VERSION {
            return Err(RulesError::Version { found: stored.version, known: RULES_VERSION });
        }
        let mut data = Self::built_in();
        for name in Self::names() {
            let text = stored.files.get(name).ok_or_else(|| RulesError::MissingFile { name: name.to_owned() })?;
            data.set(name, text.clone().into_owned())?;
        }
        Ok(data)
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
    /// Stored rule data is no JSON of the expected shape.
    #[error("stored rules are not readable")]
    Stored(#[source] serde_json::Error),
    /// Stored rule data is of a version that this program does not know.
    #[error("stored rules have version {found}, this program reads {known}")]
    Version {
        /// Their version.
        found: u32,
        /// The version this program reads.
        known: u32,
    },
    /// Stored rule data lacks a file.
    #[error("stored rules lack the file {name}")]
    MissingFile {
        /// Which.
        name: String,
    },
    /// There is no rule file of this name.
    #[error(
        "{name} is no rule file; there are user-agents.yaml, agents.toml, crawlers.json, bots.toml, sources.toml and channels.toml"
    )]
    UnknownFile {
        /// The name.
        name: String,
    },
    /// A rule file is too large.
    #[error("{name} has {size_bytes} bytes, the limit is {limit_bytes}")]
    FileTooLarge {
        /// Which.
        name: String,
        /// Its size.
        size_bytes: usize,
        /// The limit.
        limit_bytes: usize,
    },
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_rules_come_back_and_what_is_not_them_is_refused() {
        let mut data = RuleData::built_in();
        data.set("channels.toml", "fallback = 'x'".to_owned()).unwrap();
        let bytes = data.encode();
        assert!(bytes.starts_with(br#"{"version":1,"files":{"agents.toml":"#));
        assert_eq!(RuleData::decode(&bytes).unwrap(), data);
        assert_ne!(data.digest(), RuleData::built_in().digest());
        let refused = |text: &str| RuleData::decode(text.as_bytes()).unwrap_err();
        assert!(matches!(refused("x"), RulesError::Stored(_)));
        assert!(matches!(refused(r#"{"version":2,"files":{}}"#), RulesError::Version { found: 2, known: 1 }));
        assert!(matches!(refused(r#"{"version":1,"files":{}}"#), RulesError::MissingFile { .. }));
        assert!(matches!(data.set("other.toml", String::new()), Err(RulesError::UnknownFile { .. })));
        let long = "x".repeat(RULE_FILE_BYTES_MAX + 1);
        assert!(matches!(data.set("bots.toml", long), Err(RulesError::FileTooLarge { .. })));
    }
}
