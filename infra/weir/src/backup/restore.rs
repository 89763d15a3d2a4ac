//! Brings a backup back: objects first, then the control plane, the heads last. Each refusal says what to do.

use super::create::all_keys;
use super::format::{self, Header, Record};
use super::{BUCKETS, SUFFIX, newest, stream};
use crate::output::Output;
use crate::session::{Session, now_ms};
use anyhow::{Context as _, Result, bail, ensure};
use bytes::Bytes;
use serde::Serialize;
use serde_json::json;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use weir_event::subject::{HEADS_BUCKET, KEYS_BUCKET, head_key};
use weir_reader::manifests;
use weir_reader::store::{Store, checksum};
use weir_reader::stream::{message_id_at, state};
use weir_rollup::manifest::{Head, Manifest, StreamIdentity};

/// What was asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    /// Replace what is there.
    pub(crate) overwrite: bool,
    /// Go on with streams that were made anew.
    pub(crate) new_stream: bool,
    /// Take the heads as they were saved, though the object store has newer ones.
    pub(crate) as_saved: bool,
}

/// Keys by bucket.
type Keys = BTreeMap<String, BTreeMap<String, String>>;

/// What became of a partition.
#[derive(Debug, Serialize)]
struct Outcome {
    partition: u32,
    revision: u64,
    sealed_seq: u64,
    /// The object store had a newer state than the backup.
    newer_than_backup: bool,
    /// The stream is another one than before: it goes on behind what is sealed.
    new_stream: bool,
    /// Batches that came in before the restore and were moved behind.
    moved_batches: u64,
}

/// A partition's head, and whether its stream has to be made to fit.
struct Planned {
    partition: u32,
    head: Head,
    manifest: Manifest,
    newer: bool,
    adopt: bool,
}

/// Restores a backup: a file, or the newest of a folder.
pub(crate) async fn restore(session: &Session, path: &Path, wanted: Wanted, output: Output) -> Result<()> {
    let file = choose(path, &session.run.region)?;
    let (header, keys) = survey(&file)?;
    check_fits(session, &header)?;
    if !wanted.overwrite {
        refuse_unless_empty(session, &keys).await?;
    }
    let store = session.store()?;
    let objects = restore_objects(&file, &store).await?;
    let planned = plan(session, &store, &keys, wanted).await?;
    let mut written = 0;
    for bucket in BUCKETS.into_iter().filter(|bucket| *bucket != HEADS_BUCKET) {
        written += restore_keys(session, bucket, &keys).await?;
    }
    let mut outcomes = Vec::new();
    for one in planned {
        outcomes.push(restore_head(session, &store, one).await?);
    }
    let lines = outcomes.iter().map(Outcome::text);
    let first = format!("{}: {objects} objects and {written} keys put back", file.display());
    let text: Vec<String> = std::iter::once(first).chain(lines).collect();
    output.result(&json!({"file": file, "objects": objects, "keys": written, "partitions": outcomes}), &text.join("\n"))
}

impl Outcome {
    fn text(&self) -> String {
        let newer = if self.newer_than_backup { ", newer than the backup" } else { "" };
        let stream = match (self.new_stream, self.moved_batches) {
            (false, _) => String::new(),
            (true, 0) => ", goes on with the new stream".to_owned(),
            (true, moved) => format!(", goes on with the new stream, {moved} batches of which moved behind"),
        };
        format!("partition {}: revision {}, sealed through {}{newer}{stream}", self.partition, self.revision, self.sealed_seq)
    }
}

/// The file itself, or the newest backup of the region in a folder.
fn choose(path: &Path, region: &str) -> Result<PathBuf> {
    if !path.is_dir() {
        return Ok(path.to_owned());
    }
    let start = format!("weir-{region}-");
    let mut found = Vec::new();
    for entry in std::fs::read_dir(path).with_context(|| format!("cannot read {}", path.display()))? {
        let name = entry?.file_name();
        found.extend(name.to_str().filter(|name| name.starts_with(&start) && name.ends_with(SUFFIX)).map(str::to_owned));
    }
    let newest = found.into_iter().max();
    Ok(path.join(newest.with_context(|| format!("{} holds no backup of region {region}", path.display()))?))
}

/// Reads a backup through, so that nothing is begun with one that is damaged.
fn survey(file: &Path) -> Result<(Header, Keys)> {
    let mut keys = Keys::new();
    let read = format::read(open(file)?, |record| {
        if let Record::Key { bucket, key, value } = record {
            ensure!(BUCKETS.contains(&bucket.as_str()), "the backup names the bucket {bucket}, which this program does not know");
            keys.entry(bucket).or_default().insert(key, value);
        }
        Ok(())
    });
    Ok((read.with_context(|| file.display().to_string())?, keys))
}

fn open(file: &Path) -> Result<BufReader<File>> {
    Ok(BufReader::new(File::open(file).with_context(|| format!("cannot read {}", file.display()))?))
}

fn check_fits(session: &Session, header: &Header) -> Result<()> {
    let (region, partitions) = (&session.run.region, session.run.partitions);
    ensure!(header.region == *region, "the backup is of region {}, this one is {region}: set WEIR_REGION", header.region);
    ensure!(
        header.partitions <= partitions,
        "the backup has {0} partitions, there are {partitions} here: set WEIR_PARTITIONS={0}",
        header.partitions
    );
    Ok(())
}

/// Keys may be there already: `weir up` makes one for the operator.
async fn refuse_unless_empty(session: &Session, keys: &Keys) -> Result<()> {
    for bucket in BUCKETS.into_iter().filter(|bucket| *bucket != KEYS_BUCKET) {
        let saved = keys.get(bucket);
        let there = all_keys(session, bucket).await?;
        if let Some(key) =
            there.iter().find(|(key, value)| saved.and_then(|saved| saved.get(*key)) != Some(value)).map(|(key, _)| key)
        {
            bail!(
                "there is something here already ({bucket}: {key}): `--overwrite` replaces what the backup has too, and leaves the rest as it is"
            );
        }
    }
    Ok(())
}

/// Puts objects back that are missing or damaged. How many.
async fn restore_objects(file: &Path, store: &Store) -> Result<u64> {
    let (sender, mut receiver) = tokio::sync::mpsc::channel(1);
    let file = file.to_owned();
    let reading = tokio::task::spawn_blocking(move || {
        format::read(open(&file)?, |record| {
            if let Record::Object { object, checksum, hex } = record {
                sender.blocking_send((object, checksum, hex)).context("nobody takes the objects")?;
            }
            Ok(())
        })
    });
    let mut restored = 0;
    while let Some((name, expected, digits)) = receiver.recv().await {
        let bytes = Bytes::from(hex::decode(digits).with_context(|| format!("object {name} of the backup"))?);
        ensure!(checksum(&bytes) == expected, "object {name} of the backup is damaged");
        let there = store.get(&name, bytes.len() as u64).await;
        if !there.is_ok_and(|there| there == bytes) {
            store.put(&name, bytes).await?;
            restored += 1;
        }
    }
    reading.await.context("reading the backup failed")??;
    Ok(restored)
}

/// Chooses each partition's head, and refuses when its stream is another one and nobody said what to do then.
async fn plan(session: &Session, store: &Store, keys: &Keys, wanted: Wanted) -> Result<Vec<Planned>> {
    let (region, mut planned, mut refusals) = (&session.run.region, Vec::new(), Vec::new());
    for partition in 0..session.run.partitions {
        let saved = keys.get(HEADS_BUCKET).and_then(|heads| heads.get(&head_key(region, partition)));
        let saved: Option<Head> = saved.map(|text| serde_json::from_str(text)).transpose().context("a head of the backup")?;
        let newer = match (&saved, wanted.as_saved) {
            (_, true) => None,
            (saved, false) => {
                let at_least = saved.as_ref().map_or(0, |saved| saved.revision + 1);
                newest::find(store, region, partition, at_least).await?
            }
        };
        let (head, manifest, newer) = match (newer, saved) {
            (Some((head, manifest)), _) => (head, manifest, true),
            (None, Some(head)) => {
                let manifest = manifests::load(store, &head).await.with_context(|| format!("the manifest {}", head.manifest))?;
                (head, manifest, false)
            }
            // It never sealed anything.
            (None, None) => continue,
        };
        let difference = difference(session, partition, &manifest).await?;
        if let Some(difference) = difference.as_ref().filter(|_| !wanted.new_stream) {
            refusals.push(format!("partition {partition}: {difference}"));
        }
        planned.push(Planned { partition, head, manifest, newer, adopt: difference.is_some() });
    }
    if !refusals.is_empty() {
        bail!(
            "the streams are not those of the backup ({}). If the former ones are lost for good, `weir backup restore --new-stream` goes on behind what \
             is sealed: what was in the lost streams alone, since the last flush, is lost then. If they can be brought back, do that first",
            refusals.join("; ")
        );
    }
    Ok(planned)
}

/// By what the present stream differs from the one that was sealed; `None` = it is the same.
async fn difference(session: &Session, partition: u32, manifest: &Manifest) -> Result<Option<String>> {
    let (jetstream, region) = (&session.jetstream, &session.run.region);
    let (sealed, seq) = (&manifest.stream, manifest.sealed_seq);
    let reach = match state(jetstream, region, partition).await {
        Ok(reach) => reach,
        Err(weir_reader::ReaderError::StreamMissing { stream }) => return Ok(Some(format!("{stream} is not there"))),
        Err(error) => return Err(error.into()),
    };
    if reach.created != sealed.created {
        return Ok(Some(format!("{} was made at {}, the sealed one at {}", sealed.name, reach.created, sealed.created)));
    }
    if reach.last_seq < seq {
        return Ok(Some(format!("{} ends at {}, sealed is {seq}", sealed.name, reach.last_seq)));
    }
    let found = if seq > 0 { message_id_at(jetstream, region, partition, seq).await? } else { None };
    let is_other = found.as_ref().is_some_and(|found| *found != sealed.sealed_message_id);
    Ok(is_other.then(|| format!("message {seq} of {} is another one", sealed.name)))
}

/// Writes the keys of a bucket that are missing or differ. How many.
async fn restore_keys(session: &Session, bucket: &str, keys: &Keys) -> Result<u64> {
    let Some(saved) = keys.get(bucket) else { return Ok(0) };
    let there = all_keys(session, bucket).await?;
    let store = session.bucket(bucket).await?;
    let mut written = 0;
    for (key, value) in saved.iter().filter(|(key, value)| there.get(*key) != Some(value)) {
        store.put(key, value.clone().into()).await.with_context(|| format!("cannot write {bucket} {key}"))?;
        written += 1;
    }
    Ok(written)
}

/// Makes the stream fit if it has to, and sets the head.
async fn restore_head(session: &Session, store: &Store, planned: Planned) -> Result<Outcome> {
    let Planned { partition, mut head, manifest, newer, adopt } = planned;
    let (jetstream, region) = (&session.jetstream, &session.run.region);
    let mut moved_batches = 0;
    if adopt {
        moved_batches = stream::begin_behind(jetstream, region, partition, manifest.sealed_seq).await?;
        let created = state(jetstream, region, partition).await?.created;
        let commit_id = random_id()?;
        // The message that was sealed last is gone with its stream.
        let stream = StreamIdentity { created, sealed_message_id: String::new(), ..manifest.stream.clone() };
        let parent = Some(head.manifest.clone());
        let adopted = Manifest { revision: manifest.revision + 1, parent, stream, written_ms: now_ms(), ..manifest };
        let object = manifests::put(store, &adopted, &commit_id).await?;
        let (revision, sealed_seq) = (adopted.revision, adopted.sealed_seq);
        head = Head { revision, sealed_seq, manifest: object.name, checksum: object.checksum, commit_id };
    }
    let (key, value) = (head_key(region, partition), Bytes::from(serde_json::to_vec(&head)?));
    // One that stands already is left alone: its aggregator goes on undisturbed.
    if session.get(HEADS_BUCKET, &key).await?.is_none_or(|there| there.value.as_ref() != Some(&value)) {
        let bucket = session.bucket(HEADS_BUCKET).await?;
        bucket.put(key, value).await.context("cannot write the head: run the same command again")?;
    }
    Ok(Outcome {
        partition,
        revision: head.revision,
        sealed_seq: head.sealed_seq,
        newer_than_backup: newer,
        new_stream: adopt,
        moved_batches,
    })
}

fn random_id() -> Result<String> {
    let mut bytes = [0_u8; 8];
    getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("the system gives no random numbers: {error}"))?;
    Ok(hex::encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_folder_the_newest_backup_of_the_region_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        assert!(choose(folder.path(), "eu").unwrap_err().to_string().contains("no backup of region eu"));
        for name in ["weir-eu-20260102T0Z", "weir-eu-20260103T0Z", "weir-us-20260104T0Z"] {
            std::fs::write(folder.path().join(format!("{name}{SUFFIX}")), "").unwrap();
        }
        std::fs::write(folder.path().join("weir-eu-20260105T0Z.weir-backup.1.new"), "").unwrap();
        let chosen = choose(folder.path(), "eu").unwrap();
        assert_eq!(chosen, folder.path().join("weir-eu-20260103T0Z.weir-backup"));
        assert_eq!(choose(&chosen, "us").unwrap(), chosen, "a file is a file");
    }
}
