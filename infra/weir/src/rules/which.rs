//! Which rules an operator means by a word.

use super::folder;
use crate::home::Home;
use crate::object_store;
use crate::session::Session;
use anyhow::{Context as _, Result, bail};
use serde::Serialize;
use std::path::{Path, PathBuf};
use weir_reader::store::{Store, StoreConfig};
use weir_reader::{ReaderError, heads, manifests, rules};
use weir_rollup::logic::LogicName;
use weir_rollup::rules::RuleData;

/// Hex digits of a digest in names.
const SHORT_DIGITS: usize = 16;

/// What a word says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Which {
    /// The rules of the newest rows that are served.
    Served,
    /// Those of this program.
    BuiltIn,
    /// Stored ones, by the beginning of their digest.
    Digest(String),
    /// Files in a folder.
    Folder(PathBuf),
}

/// Rules that were found.
#[derive(Debug)]
pub(super) struct Chosen {
    /// The word.
    pub(super) which: String,
    /// The files.
    pub(super) data: RuleData,
    /// Digest of all files, 64 hex digits.
    pub(super) digest: String,
    /// With `served`: the partitions that have files, in ascending order. `data` is what the first of them uses.
    pub(super) partitions: Vec<ServedBy>,
}

/// A partition and the logic of its newest rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct ServedBy {
    pub(super) region: String,
    pub(super) partition: u32,
    /// First sequence that was folded with it.
    pub(super) from_seq: u64,
    pub(super) logic: String,
    /// An operator chose it: it stays when the program is replaced.
    pub(super) pinned: bool,
}

impl Chosen {
    fn new(which: &str, data: RuleData) -> Self {
        Self { which: which.to_owned(), digest: data.digest(), data, partitions: Vec::new() }
    }

    /// The beginning of the digest, as in logic versions.
    pub(super) fn short(&self) -> &str {
        short(&self.digest)
    }

    /// Whether these are the rules this program was built with.
    pub(super) fn is_built_in(&self) -> bool {
        self.digest == RuleData::built_in().digest()
    }

    /// Whether some partitions use other rules than the first.
    pub(super) fn differs_by_partition(&self) -> bool {
        let digests = || self.partitions.iter().map(|one| rules_of(&one.logic));
        digests().any(|digest| Some(digest) != digests().next())
    }
}

/// The beginning of a digest, as in logic versions.
pub(super) fn short(digest: &str) -> &str {
    digest.get(..SHORT_DIGITS).unwrap_or(digest)
}

/// The digest's beginning in a logic version.
pub(super) fn rules_of(logic: &str) -> Option<&str> {
    LogicName::parse(logic).map(|name| name.rules)
}

impl Which {
    /// Reads a word. A folder whose name says something else is written `./served`.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let is_digest = (SHORT_DIGITS..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        match (text, rules_of(text)) {
            ("served", _) => Ok(Self::Served),
            ("built-in", _) => Ok(Self::BuiltIn),
            (_, Some(rules)) => Ok(Self::Digest(rules.to_ascii_lowercase())),
            _ if is_digest => Ok(Self::Digest(text.to_ascii_lowercase())),
            _ if Path::new(text).is_dir() => Ok(Self::Folder(text.into())),
            _ => bail!(
                "{text:?} names no rules: there are `served`, `built-in`, the digest of stored ones (16 to 64 hex digits), a logic version like \
                 2-0123456789abcdef, and folders"
            ),
        }
    }
}

/// Finds the rules that a word means. Only `served` needs a running system.
pub(super) async fn resolve(text: &str) -> Result<Chosen> {
    match Which::parse(text)? {
        Which::Served => served().await,
        Which::BuiltIn => Ok(Chosen::new(text, RuleData::built_in())),
        Which::Digest(digest) => {
            let home = Home::from_environment()?;
            Ok(Chosen::new(text, stored(&files(&home)?, &digest).await?))
        }
        Which::Folder(folder) => {
            let data =
                tokio::task::spawn_blocking(move || folder::read(&folder)).await.context("reading the folder failed")??;
            Ok(Chosen::new(text, data))
        }
    }
}

async fn served() -> Result<Chosen> {
    let session = Session::open().await?;
    let store = session.store()?;
    let region = &session.run.region;
    let mut partitions = Vec::new();
    for partition in session.partitions(None)? {
        let Some(entry) = heads::get(&session.jetstream, region, partition).await? else { continue };
        let manifest = manifests::load(&store, &entry.head)
            .await
            .with_context(|| format!("the manifest of partition {region}.{partition}"))?;
        let last = manifest.logic.last().with_context(|| format!("the manifest of {region}.{partition} names no logic"))?;
        let (region, from_seq, logic) = (region.clone(), last.from_seq, last.logic.clone());
        partitions.push(ServedBy { region, partition, from_seq, logic, pinned: last.pinned });
    }
    let Some(first) = partitions.first() else {
        bail!("nothing is in files yet, so that no rules are served: `weir rules show built-in` shows those of this program");
    };
    let data = of_logic(&store, &first.logic).await?;
    Ok(Chosen { partitions, ..Chosen::new("served", data) })
}

/// The rules of a logic version.
pub(super) async fn of_logic(store: &Store, logic: &str) -> Result<RuleData> {
    let digest = rules_of(logic).with_context(|| format!("{logic:?} is no logic version"))?;
    stored(store, digest).await
}

/// The store of a home, which is not made here.
pub(super) fn files(home: &Home) -> Result<Store> {
    let config = object_store::of(home, "commands")?;
    if let StoreConfig::Local(root) = &config
        && !root.is_dir()
    {
        bail!("{} does not exist: set WEIR_HOME to the home of the system you mean", root.display());
    }
    Ok(Store::open(&config)?)
}

async fn stored(store: &Store, digest: &str) -> Result<RuleData> {
    let built_in = RuleData::built_in();
    if built_in.digest().starts_with(digest) {
        return Ok(built_in);
    }
    let found = match rules::get(store, short(digest)).await {
        Err(ReaderError::ObjectMissing { .. }) => None,
        found => Some(found?).filter(|data| data.digest().starts_with(digest)),
    };
    if let Some(data) = found {
        return Ok(data);
    }
    let known = rules::list(store).await?;
    let known = if known.is_empty() { "there are none".to_owned() } else { format!("there are {}", known.join(", ")) };
    bail!("the rules {digest} are not in the store: {known}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_str().unwrap();
        let digest = |text: &str| Which::Digest(text.to_owned());
        for (text, expected) in [
            ("served", Which::Served),
            ("built-in", Which::BuiltIn),
            ("2-0123456789abcdef", digest("0123456789abcdef")),
            ("0123456789ABCDEF", digest("0123456789abcdef")),
            (&"ab".repeat(32), digest(&"ab".repeat(32))),
            (path, Which::Folder(folder.path().into())),
        ] {
            assert_eq!(Which::parse(text).unwrap(), expected, "{text}");
        }
        for wrong in ["", "own", "0123456789abcde", "0-0123456789abcdef", "2-0123", &"a".repeat(65), "no/such/folder"] {
            assert!(Which::parse(wrong).is_err_and(|error| error.to_string().contains("built-in")), "{wrong}");
        }
    }

    #[tokio::test]
    async fn stored_rules_are_found_by_any_length_of_their_digest() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::local(folder.path()).unwrap();
        let mut data = RuleData::built_in();
        let own = data.digest();
        assert_eq!(stored(&store, short(&own)).await.unwrap(), data, "the program's own need not be stored");
        data.set("channels.toml", format!("{}\n", data.channels)).unwrap();
        let digest = data.digest();
        let missing = stored(&store, &digest).await.unwrap_err().to_string();
        assert!(missing.contains("not in the store: there are none"), "{missing}");
        rules::put(&store, &data).await.unwrap();
        for length in [16, 20, 64] {
            assert_eq!(stored(&store, digest.get(..length).unwrap()).await.unwrap(), data, "{length}");
        }
        assert_eq!(of_logic(&store, &format!("1-{}", short(&digest))).await.unwrap(), data);
        let other = format!("{}{}", short(&digest), "0".repeat(48));
        let missing = stored(&store, &other).await.unwrap_err().to_string();
        assert!(missing.contains(short(&digest)), "{missing}");
    }

    #[test]
    fn partitions_are_compared_by_rules_not_by_fold() {
        let by = |logic: &str| ServedBy { region: "local".into(), partition: 0, from_seq: 1, logic: logic.into(), pinned: false };
        let mut chosen = Chosen::new("served", RuleData::built_in());
        assert!(chosen.is_built_in() && !chosen.differs_by_partition());
        chosen.partitions = vec![by("1-0123456789abcdef"), by("2-0123456789abcdef")];
        assert!(!chosen.differs_by_partition());
        chosen.partitions.push(by("2-0123456789abcdee"));
        assert!(chosen.differs_by_partition());
    }
}
