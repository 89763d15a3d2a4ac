//! A site as the control plane knows it: the record behind a domain.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::shield::Shields;

/// Characters of a script id.
const SCRIPT_ID_CHARS: usize = 22;
/// What script ids are written with.
const SCRIPT_ID_ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Record of one site in the sites bucket. Unknown fields are ignored, so that older edges survive newer records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Site {
    /// Immutable number, from 1.
    pub id: u32,
    /// Lower-case domain without `www.`, as in `data-domain`.
    pub domain: String,
    /// IANA time zone of its reports.
    pub timezone: String,
    /// Number of the partition whose stream takes its events.
    pub partition: u32,
    /// When it was added, Unix milliseconds.
    pub created_ms: u64,
    /// Id of the account that owns it; `None` = the operator's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The domain that it had before, under which it is still known; the record under that domain is this same one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub former_domain: Option<String>,
    /// When it got its domain in the place of the former one, Unix milliseconds; 0 = it has its first.
    #[serde(default, skip_serializing_if = "is_default")]
    pub renamed_ms: u64,
    /// What its owner chose.
    #[serde(default, skip_serializing_if = "Settings::is_default")]
    pub settings: Settings,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// What a site's owner chose. None of it is read by the fold: the edge applies it before an event is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// What is not counted.
    pub shields: Shields,
    /// How much is taken.
    pub limits: Limits,
    /// What the site's own script does.
    pub script: ScriptSettings,
    /// How many days events are kept; 0 = as long as those of all sites.
    #[serde(skip_serializing_if = "is_default")]
    pub retention_days: u32,
}

impl Settings {
    /// Nothing was chosen.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Most events that one edge takes of a site; 0 = as many as come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// From all senders, events a second.
    pub site_per_s: u32,
    /// From one address, events a second.
    pub address_per_s: u32,
}

/// What the script `/js/pa-<script id>.js` does for its site; the page's `plausible.init()` may say otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own, as in the script's options")]
pub struct ScriptSettings {
    /// Counts clicks on links to other hosts.
    pub outbound_links: bool,
    /// Counts downloads of files.
    pub file_downloads: bool,
    /// Counts sent forms.
    pub form_submissions: bool,
    /// The part after `#` names the page.
    pub hash_routing: bool,
    /// Measures how fast pages load.
    pub web_vitals: bool,
    /// Sends nothing for browsers with Global Privacy Control.
    pub respect_gpc: bool,
}

impl Default for ScriptSettings {
    fn default() -> Self {
        Self {
            outbound_links: true,
            file_downloads: true,
            form_submissions: true,
            hash_routing: false,
            web_vitals: false,
            respect_gpc: false,
        }
    }
}

/// Name of a site's own script, `/js/pa-<script id>.js`: 22 letters and digits, made from the domain, so that it never changes. It is no secret.
pub fn script_id(domain: &str) -> String {
    let digest = Sha256::digest(format!("weir script {domain}"));
    let base = SCRIPT_ID_ALPHABET.len() as u8;
    let letter = |byte: &u8| SCRIPT_ID_ALPHABET.get(usize::from(byte % base)).map_or('0', |letter| char::from(*letter));
    digest.iter().take(SCRIPT_ID_CHARS).map(letter).collect()
}

/// What to paste into a site's pages: its own script, with its settings. `collector_url` is where browsers reach the collector, without a slash at its end.
pub fn snippet(domain: &str, collector_url: &str) -> String {
    let script_id = script_id(domain);
    format!(
        "<script async src=\"{collector_url}/js/pa-{script_id}.js\"></script>\n\
         <script>window.plausible=window.plausible||function(){{(plausible.q=plausible.q||[]).push(arguments)}},\
         plausible.init=plausible.init||function(i){{plausible.o=i||{{}}}};plausible.init()</script>"
    )
}

/// The same by Plausible's older way, where the page names site and extensions.
pub fn classic_snippet(domain: &str, collector_url: &str) -> String {
    format!("<script defer data-domain=\"{domain}\" src=\"{collector_url}/js/script.js\"></script>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_of_yesterday_are_read() {
        let old = r#"{"id":7,"domain":"shop.example","timezone":"UTC","partition":1,"created_ms":5}"#;
        let site: Site = serde_json::from_str(old).unwrap();
        assert_eq!(site.settings, Settings::default());
        assert_eq!(serde_json::to_string(&site).unwrap(), old);
    }

    #[test]
    fn settings_survive() {
        let json = r#"{"id":7,"domain":"a","timezone":"UTC","partition":1,"created_ms":5,"settings":{"limits":{"site_per_s":9},"later":1}}"#;
        let site: Site = serde_json::from_str(json).unwrap();
        assert_eq!(site.settings.limits, Limits { site_per_s: 9, address_per_s: 0 });
        assert_eq!(serde_json::from_str::<Site>(&serde_json::to_string(&site).unwrap()).unwrap(), site);
    }

    #[test]
    fn script_ids_are_pinned() {
        assert_eq!(script_id("shop.example"), PINNED);
        assert_ne!(script_id("shop.example"), script_id("shop2.example"));
    }
    const PINNED: &str = "YOYGvZIzhuZLF06395M17x";
}
