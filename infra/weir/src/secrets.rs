//! `secrets.json`: what `weir up` makes up once per home, readable by its owner only.

use crate::home::Home;
use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use weir_reader::control::{keys, random};

/// The secrets of a home.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Secrets {
    /// NATS password of the edge.
    pub(crate) nats_edge: String,
    /// NATS password of the aggregator.
    pub(crate) nats_aggregator: String,
    /// NATS password of the query API.
    pub(crate) nats_query: String,
    /// NATS password of `weir up` and the other commands.
    pub(crate) nats_admin: String,
    /// Bearer token for the edge's internal addresses.
    pub(crate) edge_token: String,
    /// API key that reads every site.
    pub(crate) admin_key: String,
    /// Key of the demo's site, kept so that a second demo shows the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) demo_key: Option<String>,
}

impl Secrets {
    /// Those of the home, made at first.
    pub(crate) fn load_or_create(home: &Home) -> Result<Self> {
        if let Some(secrets) = home.read_json("secrets.json")? {
            return Ok(secrets);
        }
        let secrets = Self {
            nats_edge: random_text()?,
            nats_aggregator: random_text()?,
            nats_query: random_text()?,
            nats_admin: random_text()?,
            edge_token: random_text()?,
            admin_key: keys::new_key()?,
            demo_key: None,
        };
        secrets.save(home)?;
        Ok(secrets)
    }

    /// Those of the home.
    pub(crate) fn load(home: &Home) -> Result<Self> {
        home.read_json("secrets.json")?
            .with_context(|| format!("{} has no secrets.json: `weir up` makes it", home.root().display()))
    }

    /// Writes them back.
    pub(crate) fn save(&self, home: &Home) -> Result<()> {
        home.replace("secrets.json", &serde_json::to_vec_pretty(self)?)
    }
}

/// 43 random letters and digits.
pub(crate) fn random_text() -> Result<String> {
    Ok(random::text(random::SECRET_CHARS)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn secrets_of_a_home_stay_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path()).unwrap();
        assert!(Secrets::load(&home).is_err());
        let first = Secrets::load_or_create(&home).unwrap();
        let second = Secrets::load_or_create(&home).unwrap();
        assert_eq!(first.nats_admin, second.nats_admin);
        assert_ne!(first.nats_admin, first.nats_edge);
    }
}
