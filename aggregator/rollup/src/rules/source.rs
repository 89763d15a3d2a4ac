//! Known sources, found by the referrer's host or by `utm_source`.

use super::data::{RulesError, parse_toml};
use serde::Deserialize;
use std::collections::HashMap;

/// A second label under which registries sell names, as in `google.co.uk`.
const SECOND_LABELS: [&str; 8] = ["co", "com", "org", "net", "gov", "edu", "ac", "or"];

#[derive(Debug)]
pub(super) struct Sources {
    entries: Vec<Entry>,
    /// Hosts without wildcard → entry.
    hosts: HashMap<String, usize>,
    /// `name` of `name.*` → entry.
    any_suffix: HashMap<String, usize>,
    /// Lower-case names and aliases → entry.
    tags: HashMap<String, usize>,
}

#[derive(Debug, Deserialize)]
struct SourcesFile {
    source: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
struct Entry {
    name: String,
    category: String,
    domains: Vec<String>,
    #[serde(default)]
    aliases: Vec<String>,
}

/// A source with its category, which is empty for one that is in no list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) name: String,
    pub(super) category: String,
}

impl Sources {
    pub(super) fn new(text: &str) -> Result<Self, RulesError> {
        let entries = parse_toml::<SourcesFile>("sources.toml", text)?.source;
        let (mut hosts, mut any_suffix, mut tags) = (HashMap::new(), HashMap::new(), HashMap::new());
        for (index, entry) in entries.iter().enumerate() {
            for domain in &entry.domains {
                match domain.strip_suffix(".*") {
                    Some(name) => any_suffix.insert(name.to_owned(), index),
                    None => hosts.insert(domain.clone(), index),
                };
            }
            tags.insert(entry.name.to_lowercase(), index);
            tags.extend(entry.aliases.iter().map(|alias| (alias.clone(), index)));
        }
        Ok(Self { entries, hosts, any_suffix, tags })
    }

    /// The source behind a host (lower case, without `www.`): a known one, or the host itself.
    pub(super) fn of_host(&self, host: &str) -> Found {
        self.known_host(host).unwrap_or_else(|| Found { name: host.to_owned(), category: String::new() })
    }

    /// The source behind an app's package name: packages have no parents, as hosts do.
    pub(super) fn of_app(&self, package: &str) -> Found {
        let known = self.hosts.get(package).and_then(|index| self.found(*index));
        known.unwrap_or_else(|| Found { name: package.to_owned(), category: String::new() })
    }

    /// The source that a `utm_source` names: a known name, alias or host, or the text as it is.
    pub(super) fn of_tag(&self, tag: &str) -> Found {
        let lower = tag.to_lowercase();
        let host = lower.strip_prefix("www.").unwrap_or(&lower);
        let named = self.tags.get(&lower).and_then(|index| self.found(*index));
        named.or_else(|| self.known_host(host)).unwrap_or_else(|| Found { name: tag.to_owned(), category: String::new() })
    }

    fn known_host(&self, host: &str) -> Option<Found> {
        let parents = std::iter::successors(Some(host), |host| host.split_once('.').map(|(_, parent)| parent));
        parents.filter(|parent| parent.contains('.')).find_map(|parent| {
            let index = self.hosts.get(parent).or_else(|| self.any_suffix.get(before_suffix(parent)?));
            self.found(*index?)
        })
    }

    fn found(&self, index: usize) -> Option<Found> {
        self.entries.get(index).map(|entry| Found { name: entry.name.clone(), category: entry.category.clone() })
    }
}

/// The part of a host before its public suffix, where that is one label or a short second label and a country.
fn before_suffix(host: &str) -> Option<&str> {
    let (rest, last) = host.rsplit_once('.')?;
    match rest.rsplit_once('.') {
        Some((name, second)) if last.len() == 2 && SECOND_LABELS.contains(&second) => Some(name),
        _ => Some(rest),
    }
}

#[cfg(test)]
mod tests {
    use super::super::data::RuleData;
    use super::*;

    fn sources() -> Sources {
        Sources::new(&RuleData::built_in().sources).unwrap()
    }

    #[test]
    fn hosts_name_their_source() {
        let sources = sources();
        let check = |host: &str, name: &str, category: &str| {
            let expected = Found { name: name.to_owned(), category: category.to_owned() };
            assert_eq!(sources.of_host(host), expected, "{host}");
        };
        check("google.com", "Google", "SEARCH");
        check("google.co.uk", "Google", "SEARCH");
        check("images.google.de", "Google", "SEARCH");
        check("docs.google.com", "Google Workspace", "OTHER");
        check("mail.google.com", "Gmail", "EMAIL");
        check("google.evil.example", "google.evil.example", "");
        check("notgoogle.com", "notgoogle.com", "");
        check("t.co", "Twitter", "SOCIAL");
        check("lm.facebook.com", "Facebook", "SOCIAL");
        check("mail.yahoo.com", "Yahoo! Mail", "EMAIL");
        check("fr.search.yahoo.com", "Yahoo!", "SEARCH");
        check("chatgpt.com", "ChatGPT", "AI");
        check("amazon.co.jp", "Amazon", "SHOPPING");
        check("blog.example", "blog.example", "");
        check("localhost", "localhost", "");
        check("com", "com", "");
        check("", "", "");
        assert_eq!(sources.of_app("com.google.android.gm").name, "Gmail");
        assert_eq!(sources.of_app("com.google.android.apps.maps").name, "com.google.android.apps.maps");
    }

    #[test]
    fn tags_name_their_source() {
        let sources = sources();
        let check = |tag: &str, name: &str| assert_eq!(sources.of_tag(tag).name, name, "{tag}");
        check("google", "Google");
        check("GOOGLE", "Google");
        check("fb", "Facebook");
        check("chatgpt.com", "ChatGPT");
        check("www.bing.com", "Bing");
        check("Spring Newsletter", "Spring Newsletter");
    }

    #[test]
    fn the_list_is_well_formed() {
        let sources = sources();
        assert!(sources.entries.len() > 120);
        let mut seen = HashMap::new();
        for entry in &sources.entries {
            assert!(
                ["SEARCH", "SOCIAL", "VIDEO", "SHOPPING", "EMAIL", "AI", "OTHER"].contains(&entry.category.as_str()),
                "{entry:?}"
            );
            assert!(!entry.domains.is_empty(), "{entry:?}");
            let name = entry.name.to_lowercase();
            for key in entry.domains.iter().chain(&entry.aliases).chain((!entry.domains.contains(&name)).then_some(&name)) {
                assert_eq!(*key, key.to_lowercase());
                assert_eq!(seen.insert(key.clone(), &entry.name), None, "{key} is listed twice");
            }
        }
    }
}
