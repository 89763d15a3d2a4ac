//! Rule data in the object store, and compiled rules by the logic that a manifest names.

use crate::error::ReaderError;
use crate::store::Store;
use bytes::Bytes;
use std::sync::{Arc, Mutex, PoisonError};
use thiserror::Error;
use weir_rollup::fold::FOLD_VERSION;
use weir_rollup::logic::LogicName;
use weir_rollup::rules::{RULE_FILE_BYTES_MAX, RuleData, Rules, RulesError};

/// Folder of the stored rules.
pub const FOLDER: &str = "rules";
/// Largest stored rules: six files, every byte of which may be escaped to six.
const RULES_BYTES_MAX: u64 = 6 * 6 * RULE_FILE_BYTES_MAX as u64;
/// Compiled rules that are kept beside the program's own, about 30 MB each.
const KEPT_MAX: usize = 3;

/// Why this program does not have a logic.
#[derive(Debug, Error)]
pub enum LogicError {
    /// The text is no logic version.
    #[error("{logic:?} is no logic version")]
    Malformed {
        /// The text.
        logic: String,
    },
    /// It was made by a newer program.
    #[error("logic {logic} needs version {fold} of the fold, this program has {known}")]
    FoldIsNewer {
        /// The logic version.
        logic: String,
        /// Its fold.
        fold: u32,
        /// This program's fold.
        known: u32,
    },
    /// The rules cannot be read from the store.
    #[error("the rules of logic {logic} cannot be read: {cause}")]
    Unreadable {
        /// The logic version.
        logic: String,
        /// What the store says.
        #[source]
        cause: ReaderError,
    },
    /// The rules in the store are not usable, or not those of their name.
    #[error("the rules of logic {logic} cannot be used: {cause}")]
    Unusable {
        /// The logic version.
        logic: String,
        /// What is wrong.
        cause: String,
    },
}

/// Object name of rules, by the first 16 hex digits of their digest.
pub fn name(rules: &str) -> String {
    format!("{FOLDER}/{rules}.json")
}

/// Stores rule data, unless it is there; the first 16 hex digits of its digest.
pub async fn put(store: &Store, data: &RuleData) -> Result<String, ReaderError> {
    let digest: String = data.digest().chars().take(16).collect();
    let name = name(&digest);
    match store.get(&name, RULES_BYTES_MAX).await {
        Ok(found) if found == data.encode() => {}
        Ok(_) | Err(ReaderError::ObjectMissing { .. } | ReaderError::ObjectTooLarge { .. }) => {
            store.put(&name, Bytes::from(data.encode())).await?;
        }
        Err(error) => return Err(error),
    }
    Ok(digest)
}

/// Reads stored rule data by the first 16 hex digits of its digest, and checks that it is what its name says.
pub async fn get(store: &Store, rules: &str) -> Result<RuleData, ReaderError> {
    let name = name(rules);
    let bytes = store.get(&name, RULES_BYTES_MAX).await?;
    let data = RuleData::decode(&bytes).map_err(|cause| ReaderError::malformed(&name, cause))?;
    let found = data.digest();
    if found.starts_with(rules) { Ok(data) } else { Err(ReaderError::Checksum { name, expected: rules.to_owned(), found }) }
}

/// The first 16 hex digits of the digests of all stored rules, sorted.
pub async fn list(store: &Store) -> Result<Vec<String>, ReaderError> {
    let listed = store.list(FOLDER).await?;
    let digest = |name: &str| Some(name.strip_prefix(FOLDER)?.strip_prefix('/')?.strip_suffix(".json")?.to_owned());
    let mut digests: Vec<String> = listed.iter().filter_map(|object| digest(&object.name)).collect();
    digests.sort_unstable();
    Ok(digests)
}

/// Compiled rules by logic: the program's own, and those that were asked for last.
pub struct Rulebook {
    store: Store,
    own: Arc<Rules>,
    others: Mutex<Vec<(String, Arc<Rules>)>>,
}

impl Rulebook {
    /// A book with the program's own rules.
    pub fn new(store: Store, own: Arc<Rules>) -> Self {
        Self { store, own, others: Mutex::new(Vec::new()) }
    }

    /// The program's own rules.
    pub fn own(&self) -> &Arc<Rules> {
        &self.own
    }

    /// The rules of a logic version whose fold this program has or replaces.
    pub async fn for_logic(&self, logic: &str) -> Result<Arc<Rules>, LogicError> {
        let Some(parsed) = LogicName::parse(logic) else { return Err(LogicError::Malformed { logic: logic.to_owned() }) };
        if !parsed.is_foldable() {
            return Err(LogicError::FoldIsNewer { logic: logic.to_owned(), fold: parsed.fold, known: FOLD_VERSION });
        }
        if self.own.digest().starts_with(parsed.rules) {
            return Ok(Arc::clone(&self.own));
        }
        if let Some(rules) = self.kept(parsed.rules) {
            return Ok(rules);
        }
        let unreadable = |cause| LogicError::Unreadable { logic: logic.to_owned(), cause };
        let data = get(&self.store, parsed.rules).await.map_err(unreadable)?;
        let unusable = |cause: String| LogicError::Unusable { logic: logic.to_owned(), cause };
        let compiled: Result<Rules, RulesError> =
            tokio::task::spawn_blocking(move || Rules::new(data)).await.map_err(|error| unusable(error.to_string()))?;
        let rules = Arc::new(compiled.map_err(|error| unusable(error.to_string()))?);
        self.keep(parsed.rules, &rules);
        Ok(rules)
    }

    fn kept(&self, digest: &str) -> Option<Arc<Rules>> {
        let others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        others.iter().find(|(known, _)| known == digest).map(|(_, rules)| Arc::clone(rules))
    }

    fn keep(&self, digest: &str, rules: &Arc<Rules>) {
        let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        others.retain(|(known, _)| known != digest);
        others.push((digest.to_owned(), Arc::clone(rules)));
        let surplus = others.len().saturating_sub(KEPT_MAX);
        others.drain(..surplus);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn rules_are_found_by_the_logic_that_names_them() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::local(folder.path()).unwrap();
        let own = Rules::built_in().unwrap();
        let book = Rulebook::new(store.clone(), Arc::clone(&own));
        assert!(Arc::ptr_eq(&book.for_logic(&own.logic()).await.unwrap(), &own));
        let mut data = RuleData::built_in();
        data.set("channels.toml", format!("{}\n# changed\n", data.channels)).unwrap();
        let digest = data.digest();
        let short = digest.get(..16).unwrap();
        let logic = format!("1-{short}");
        assert!(matches!(book.for_logic(&logic).await, Err(LogicError::Unreadable { .. })));
        assert_eq!(put(&store, &data).await.unwrap(), short);
        assert_eq!(list(&store).await.unwrap(), [short.to_owned()]);
        assert_eq!(book.for_logic(&logic).await.unwrap().digest(), digest);
        let newer = format!("9999-{short}");
        assert!(matches!(book.for_logic(&newer).await, Err(LogicError::FoldIsNewer { fold: 9999, .. })));
        assert!(matches!(book.for_logic("x").await, Err(LogicError::Malformed { .. })));
        let other = name("0123456789abcdef");
        store.put(&other, Bytes::from(data.encode())).await.unwrap();
        assert!(matches!(get(&store, "0123456789abcdef").await, Err(ReaderError::Checksum { .. })));
        store.put(&name(short), Bytes::from_static(b"half")).await.unwrap();
        assert!(get(&store, short).await.is_err());
        put(&store, &data).await.unwrap();
        assert!(get(&store, short).await.is_ok(), "a damaged object is written again");
    }
}
