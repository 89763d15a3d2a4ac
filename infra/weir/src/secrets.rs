//! `secrets.json`: what `weir up` makes up once per home, readable by its owner only.

use crate::home::Home;
use anyhow::{Context as _, Result, anyhow};
use serde::{Deserialize, Serialize};

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// Random characters of a key or password: 43 × log2(62) > 255 bits.
const CHARACTERS: usize = 43;

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
            admin_key: api_key()?,
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

/// A new API key: `weir_` and 43 random characters.
pub(crate) fn api_key() -> Result<String> {
    Ok(format!("weir_{}", random_text()?))
}

/// 43 random letters and digits.
pub(crate) fn random_text() -> Result<String> {
    let mut text = String::with_capacity(CHARACTERS);
    let mut bytes = [0_u8; 64];
    while text.len() < CHARACTERS {
        getrandom::fill(&mut bytes).map_err(|error| anyhow!("the system gives no random bytes: {error}"))?;
        text.extend(bytes.iter().filter_map(|byte| base62(*byte)).take(CHARACTERS - text.len()));
    }
    Ok(text)
}

/// The letter or digit of a random byte; `None` for the bytes that would make some likelier than others.
fn base62(byte: u8) -> Option<char> {
    (byte < 248).then(|| ALPHABET.get(usize::from(byte % 62)).map(|letter| char::from(*letter))).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, BTreeSet};

    #[test]
    fn every_letter_and_digit_is_equally_likely() {
        let mut counts = BTreeMap::new();
        for letter in (0..=255).filter_map(base62) {
            *counts.entry(letter).or_insert(0) += 1;
        }
        assert_eq!(counts.len(), 62);
        assert!(counts.values().all(|count| *count == 4), "{counts:?}");
    }

    #[test]
    fn keys_have_their_form_and_differ() {
        let keys: BTreeSet<String> = (0..100).map(|_| api_key().unwrap()).collect();
        assert_eq!(keys.len(), 100);
        for key in keys {
            let random = key.strip_prefix("weir_").unwrap();
            assert_eq!(random.len(), 43);
            assert!(random.chars().all(|letter| letter.is_ascii_alphanumeric()), "{key}");
        }
    }

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
