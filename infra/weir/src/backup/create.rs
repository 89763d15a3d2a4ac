//! Makes a backup of a running system, in one file that is there whole or not at all.

use super::format::{Header, Record, VERSION, Writer};
use super::{BUCKETS, SUFFIX};
use crate::human;
use crate::output::Output;
use crate::session::{Session, now_ms};
use anyhow::{Context as _, Result};
use chrono::{DateTime, Utc};
use serde_json::json;
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use weir_event::subject::{HEADS_BUCKET, REPLAY_BUCKET};
use weir_reader::buckets::{self, Change};
use weir_reader::manifests::MANIFEST_BYTES_MAX;
use weir_reader::states::STATE_OBJECT_BYTES_MAX;
use weir_reader::store::Store;
use weir_reader::{ReaderError, manifests, rules};
use weir_rollup::logic::LogicName;
use weir_rollup::manifest::{Head, Manifest, ObjectRef};

/// Makes a backup; in a folder under a name of its own, which is printed.
pub(crate) async fn create(session: &Session, path: &Path, output: Output) -> Result<()> {
    let now_ms = now_ms();
    let region = &session.run.region;
    let path = if path.is_dir() { path.join(file_name(region, now_ms)?) } else { path.to_owned() };
    let header = Header { weir_backup: VERSION, region: region.clone(), partitions: session.run.partitions, created_ms: now_ms };

    let (aside, file) = open_aside(&path)?;
    let written = write(session, file, &header).await;
    let written = written.and_then(|counts| put_in_place(&aside, &path).map(|()| counts));
    let (keys, objects) = match written {
        Ok(counts) => counts,
        Err(error) => {
            // It is of no use; the error says more than a failure to remove it would.
            let _unfinished = std::fs::remove_file(&aside);
            return Err(error);
        }
    };
    let bytes = std::fs::metadata(&path)?.len();
    let text = format!(
        "{}: {keys} keys and {objects} objects of region {region}, {}; keep it where this machine's disk and its object store are not",
        path.display(),
        human::bytes(bytes)
    );
    output.result(&json!({"file": path, "keys": keys, "objects": objects, "bytes": bytes, "created_ms": now_ms}), &text)
}

/// `weir-<region>-<time>.weir-backup`: in the order of their names, backups of a region are in the order of their time.
fn file_name(region: &str, now_ms: u64) -> Result<String> {
    let time = DateTime::<Utc>::from_timestamp_millis(now_ms.try_into()?).context("the clock of this machine is wrong")?;
    Ok(format!("weir-{region}-{}{SUFFIX}", time.format("%Y%m%dT%H%M%S%3fZ")))
}

fn open_aside(path: &Path) -> Result<(PathBuf, File)> {
    let mut aside = path.as_os_str().to_owned();
    aside.push(format!(".{}.new", std::process::id()));
    let aside = PathBuf::from(aside);
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&aside);
    let file = file.with_context(|| format!("cannot write {}", aside.display()))?;
    Ok((aside, file))
}

/// Gives a finished file its name, so that it survives a power failure.
fn put_in_place(aside: &Path, path: &Path) -> Result<()> {
    let place = || {
        std::fs::rename(aside, path)?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    };
    place().with_context(|| format!("cannot write {}", path.display()))
}

/// Writes and syncs everything; how many keys and objects.
async fn write(session: &Session, file: File, header: &Header) -> Result<(u64, u64)> {
    let mut writer = Writer::new(std::io::BufWriter::new(file), header)?;
    let (mut keys, mut heads) = (0, Vec::new());
    for bucket in BUCKETS {
        for (key, value) in all_keys(session, bucket).await? {
            if [HEADS_BUCKET, REPLAY_BUCKET].contains(&bucket) {
                // Replays keep their own record beside the heads of their shadows.
                heads.extend(serde_json::from_str::<Head>(&value).ok());
            }
            writer.record(&Record::Key { bucket: bucket.to_owned(), key, value })?;
            keys += 1;
        }
    }
    let store = session.store()?;
    let mut needed = BTreeMap::new();
    for head in &heads {
        let manifest = manifests::load(&store, head).await.with_context(|| format!("the manifest {}", head.manifest))?;
        needed.insert(head.manifest.clone(), Some(head.checksum.clone()));
        needed.extend(named_by(&manifest));
    }
    let mut objects = 0;
    for (object, checksum) in needed {
        let Some(record) = fetch(&store, object, checksum).await? else { continue };
        writer.record(&record)?;
        objects += 1;
    }
    let mut file = writer.finish()?;
    file.flush()?;
    file.get_ref().sync_all().context("the backup cannot be synced")?;
    Ok((keys, objects))
}

/// All keys of a bucket that are there now.
pub(super) async fn all_keys(session: &Session, bucket: &str) -> Result<BTreeMap<String, String>> {
    let mut watch = buckets::watch(&session.jetstream, bucket, ">").await.with_context(|| format!("the bucket {bucket}"))?;
    let mut keys = BTreeMap::new();
    while let Change::Entry(entry) = watch.next().await {
        match entry.value {
            Some(value) => {
                let text = String::from_utf8(value.to_vec()).with_context(|| format!("{bucket} {} is no text", entry.key))?;
                keys.insert(entry.key, text);
            }
            None => {
                keys.remove(&entry.key);
            }
        }
    }
    Ok(keys)
}

/// What a manifest needs beside parts, archive and rollups: states, rules, and the manifest that a rollback restores. Rules have no checksum there:
/// they are named by it.
fn named_by(manifest: &Manifest) -> BTreeMap<String, Option<String>> {
    let promotion = manifest.promotion.iter();
    let states = manifest.state.iter().chain(manifest.checkpoints.iter().map(|checkpoint| &checkpoint.state));
    let states = states.chain(manifest.logic.iter().filter_map(|from| from.state.as_ref()));
    let states = states.chain(promotion.flat_map(|promotion| promotion.state.iter().chain(&promotion.former)));
    let named = states.map(|ObjectRef { name, checksum }| (name.clone(), Some(checksum.clone())));
    let rules =
        manifest.logic.iter().filter_map(|from| LogicName::parse(&from.logic)).map(|logic| (rules::name(logic.rules), None));
    named.chain(rules).collect()
}

/// An object as a record. Rules may be missing: those that the program has built in are.
async fn fetch(store: &Store, object: String, checksum: Option<String>) -> Result<Option<Record>> {
    let limit = STATE_OBJECT_BYTES_MAX.max(MANIFEST_BYTES_MAX);
    let bytes = match &checksum {
        Some(checksum) => store.get_checked(&ObjectRef { name: object.clone(), checksum: checksum.clone() }, limit).await?,
        None => match store.get(&object, limit).await {
            Ok(bytes) => bytes,
            Err(ReaderError::ObjectMissing { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        },
    };
    let checksum = checksum.unwrap_or_else(|| weir_reader::store::checksum(&bytes));
    Ok(Some(Record::Object { object, checksum, hex: hex::encode(bytes) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_sort_by_time() {
        let name = |ms| file_name("eu", ms).unwrap();
        assert_eq!(name(1_700_000_000_123), "weir-eu-20231114T221320123Z.weir-backup");
        assert!(name(1_700_000_000_999) < name(1_700_000_001_000));
    }
}
