//! What survives a crash: stream, object store, heads. Every step on it can be the last one of whoever takes it.

use crate::commit::Line;
use crate::operator::Record;
use crate::partfile::PartFile;
use fastrand::Rng;
use std::collections::BTreeMap;
use std::fmt;
use weir_event::model::EventBatch;
use weir_rollup::manifest::{Head, Manifest};

/// Of so many steps one is the last.
const CRASH_ONE_IN: u32 = 60;

/// A message of the stream.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Message {
    pub(crate) seq: u64,
    pub(crate) stream_ms: u64,
    pub(crate) batch: EventBatch,
}

impl Message {
    pub(crate) fn id(&self) -> String {
        format!("p-{}", self.batch.number)
    }
}

/// What an object holds.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    Part(PartFile),
    State(Vec<u8>),
    Manifest(Box<Manifest>),
    Archive(Vec<Message>),
}

/// A head and its revision in the bucket.
#[derive(Clone, Debug)]
pub(crate) struct HeadEntry {
    pub(crate) head: Head,
    pub(crate) kv: u64,
}

/// Whoever took the step is gone; whether it was taken is not known to anybody.
#[derive(Debug)]
pub(crate) struct Crash;

/// How often each step was the last one, before and after it took effect.
#[derive(Clone, Debug, Default)]
pub(crate) struct Crashes {
    pub(crate) steps: u64,
    points: BTreeMap<(&'static str, bool), u64>,
}

impl Crashes {
    pub(crate) fn add(&mut self, other: &Self) {
        self.steps += other.steps;
        for (point, times) in &other.points {
            *self.points.entry(*point).or_default() += times;
        }
    }
}

impl fmt::Display for Crashes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let times: u64 = self.points.values().sum();
        write!(formatter, "{} steps, {times} crashes at {} points", self.steps, self.points.len())?;
        for ((point, is_after), times) in &self.points {
            write!(formatter, "\n  {times:>7} {} {point}", if *is_after { "after " } else { "before" })?;
        }
        Ok(())
    }
}

/// The durable things of one partition.
pub(crate) struct Durable {
    pub(crate) rng: Rng,
    /// Unix milliseconds.
    pub(crate) now_ms: u64,
    /// Everything that was ever published; the stream has those from `first_seq` on.
    pub(crate) log: Vec<Message>,
    pub(crate) first_seq: u64,
    pub(crate) crashes: Crashes,
    /// The newest replay.
    pub(crate) record: Option<Record>,
    /// What an operator's program read some time ago; gone when it crashes, which makes no difference.
    pub(crate) looked_at: Option<Line>,
    /// A promotion was rolled back.
    pub(crate) has_rolled_back: bool,
    objects: BTreeMap<String, (Content, u64)>,
    heads: BTreeMap<String, HeadEntry>,
    next_kv: u64,
    next_name: u64,
    is_telling: bool,
}

impl Durable {
    pub(crate) fn new(seed: u64, is_telling: bool) -> Self {
        Self {
            rng: Rng::with_seed(seed),
            // Shortly before a midnight.
            now_ms: 1_736_982_000_000,
            log: Vec::new(),
            first_seq: 1,
            crashes: Crashes::default(),
            record: None,
            looked_at: None,
            has_rolled_back: false,
            objects: BTreeMap::new(),
            heads: BTreeMap::new(),
            next_kv: 1,
            next_name: 1,
            is_telling,
        }
    }

    pub(crate) fn tell(&self, what: impl FnOnce() -> String) {
        if self.is_telling {
            println!("{:>6} {}", self.now_ms / 60_000 % 1_000_000, what());
        }
    }

    /// A step that may be the last one.
    fn step<T>(&mut self, point: &'static str, effect: impl FnOnce(&mut Self) -> T) -> Result<T, Crash> {
        self.crashes.steps += 1;
        let fate = self.rng.u32(..CRASH_ONE_IN);
        if fate == 0 {
            *self.crashes.points.entry((point, false)).or_default() += 1;
            self.tell(|| format!("CRASH before {point}"));
            return Err(Crash);
        }
        let result = effect(self);
        if fate == 1 {
            *self.crashes.points.entry((point, true)).or_default() += 1;
            self.tell(|| format!("CRASH after {point}"));
            return Err(Crash);
        }
        Ok(result)
    }

    /// A name that nobody else has.
    pub(crate) fn name(&mut self, prefix: &str) -> String {
        self.next_name += 1;
        format!("{prefix}{:08}", self.next_name)
    }

    pub(crate) fn put(&mut self, point: &'static str, name: &str, content: Content) -> Result<(), Crash> {
        self.step(point, |durable| {
            let now_ms = durable.now_ms;
            durable.objects.insert(name.to_owned(), (content, now_ms));
        })
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Content> {
        self.objects.get(name).map(|(content, _)| content)
    }

    /// Names and ages of the objects whose names begin so.
    pub(crate) fn list(&self, prefix: &str) -> Vec<weir_rollup::sweep::Aged> {
        let of_prefix = self.objects.iter().filter(|(name, _)| name.starts_with(prefix));
        let aged = |(name, (_, written_ms)): (&String, &(Content, u64))| weir_rollup::sweep::Aged {
            name: name.clone(),
            age_ms: self.now_ms - written_ms,
        };
        of_prefix.map(aged).collect()
    }

    pub(crate) fn delete(&mut self, point: &'static str, name: &str) -> Result<(), Crash> {
        self.step(point, |durable| drop(durable.objects.remove(name)))
    }

    pub(crate) fn head(&self, key: &str) -> Option<&HeadEntry> {
        self.heads.get(key)
    }

    /// Moves a head if its revision is still the expected one; the new one, `None` = somebody else moved it.
    pub(crate) fn compare_and_set(
        &mut self,
        point: &'static str,
        key: &str,
        expected: u64,
        head: Head,
    ) -> Result<Option<u64>, Crash> {
        self.step(point, |durable| {
            if durable.heads.get(key).map_or(0, |entry| entry.kv) != expected {
                return None;
            }
            durable.next_kv += 1;
            durable.heads.insert(key.to_owned(), HeadEntry { head, kv: durable.next_kv });
            Some(durable.next_kv)
        })
    }

    /// Writes down how far a replay is.
    pub(crate) fn note(&mut self, point: &'static str, record: Record) -> Result<(), Crash> {
        self.step(point, |durable| durable.record = Some(record))
    }

    pub(crate) fn last_seq(&self) -> u64 {
        self.log.len() as u64
    }

    /// A message that the stream still has.
    pub(crate) fn message(&self, seq: u64) -> Option<&Message> {
        let index = usize::try_from(seq).ok()?.checked_sub(1)?;
        self.log.get(index).filter(|_| seq >= self.first_seq)
    }

    /// A message of the archive or, behind it, of the stream.
    pub(crate) fn history(&self, manifest: &Manifest, seq: u64) -> Option<&Message> {
        let archived = manifest.archive.iter().find(|object| (object.first_seq..=object.last_seq).contains(&seq));
        match archived {
            Some(object) => match self.get(&object.name) {
                Some(Content::Archive(messages)) => messages.iter().find(|message| message.seq == seq),
                _ => None,
            },
            None => self.message(seq),
        }
    }

    pub(crate) fn manifest(&self, name: &str) -> Option<&Manifest> {
        match self.get(name) {
            Some(Content::Manifest(manifest)) => Some(manifest),
            _ => None,
        }
    }

    pub(crate) fn part(&self, name: &str) -> Option<&PartFile> {
        match self.get(name) {
            Some(Content::Part(part)) => Some(part),
            _ => None,
        }
    }

    pub(crate) fn state(&self, name: &str) -> Option<&Vec<u8>> {
        match self.get(name) {
            Some(Content::State(state)) => Some(state),
            _ => None,
        }
    }
}
