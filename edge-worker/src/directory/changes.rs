//! Changes of the site list: how they come out of the bucket's stream, and how they go to the isolates.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use weir_event::site::{Settings, Site};

/// Keys of sites begin with this; other keys of the bucket are no sites.
const KEY_PREFIX: &str = "site.";

/// What a message of the bucket means for the site list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    /// The site is there, with this number on this partition.
    Put {
        /// Its domain.
        domain: String,
        /// Its number.
        id: u32,
        /// Its partition.
        partition: u32,
        /// What its owner chose; `None` = nothing.
        settings: Option<Box<Settings>>,
    },
    /// The site is gone.
    Remove {
        /// Its domain.
        domain: String,
    },
}

/// Reads a message: the subject it is stored under, whether its headers say that the key was deleted, and its payload. `None` when it is
/// about something else; an error when it is a site's but cannot be read.
pub(crate) fn read(subject: &str, deleted: bool, payload: &[u8]) -> Result<Option<Change>, serde_json::Error> {
    let bucket = weir_event::subject::SITES_BUCKET;
    let key = subject.strip_prefix("$KV.").and_then(|rest| rest.strip_prefix(bucket)).and_then(|rest| rest.strip_prefix('.'));
    let Some(domain) = key.and_then(|key| key.strip_prefix(KEY_PREFIX)) else { return Ok(None) };
    let domain = domain.to_owned();
    if deleted {
        return Ok(Some(Change::Remove { domain }));
    }
    let site: Site = serde_json::from_slice(payload)?;
    let settings = (!site.settings.is_default()).then(|| Box::new(site.settings));
    Ok(Some(Change::Put { domain, id: site.id, partition: site.partition, settings }))
}

/// What the directory answers to an isolate that knows the list up to a sequence.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Changes {
    /// Names the list: changes of one generation cannot be applied to another.
    pub(crate) generation: String,
    /// The list is complete up to this sequence when these changes are applied.
    pub(crate) sequence: u64,
    /// The list begins anew: forget what was known.
    pub(crate) reset: bool,
    /// There are further changes.
    pub(crate) more: bool,
    /// Sites that are there: domain, number, partition, what the owner chose.
    pub(crate) sites: Vec<(String, u32, u32, Option<Box<Settings>>)>,
    /// Domains that are gone.
    pub(crate) removed: Vec<String>,
    /// All salts that are known, by UTC day, in hex.
    pub(crate) salts: BTreeMap<String, String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_the_bucket() {
        let json = br#"{"id":7,"domain":"shop.example","timezone":"UTC","partition":1,"created_ms":5,"later":true}"#;
        let put = Change::Put { domain: "shop.example".into(), id: 7, partition: 1, settings: None };
        assert_eq!(read("$KV.WEIR_SITES.site.shop.example", false, json).unwrap(), Some(put));
        let gone = Change::Remove { domain: "shop.example".into() };
        assert_eq!(read("$KV.WEIR_SITES.site.shop.example", true, b"").unwrap(), Some(gone));
        assert_eq!(read("$KV.WEIR_SITES.next_id", false, b"8").unwrap(), None);
        assert_eq!(read("$KV.OTHER.site.x", false, b"8").unwrap(), None);
        assert!(read("$KV.WEIR_SITES.site.x", false, b"{").is_err());
    }
}
