//! What a replay would do: from which checkpoint it starts, what it reads, which hours and files it touches.

use super::{Logic, ReplayError, Replayer, Start, Wanted, rfc3339};
use crate::commits::{Committed, Line};
use serde::Serialize;
use std::collections::BTreeSet;
use weir_reader::history::Reach;
use weir_reader::replays;
use weir_reader::rules;
use weir_rollup::ledger::{HOUR_MS, hour_of};
use weir_rollup::manifest::{Checkpoint, LogicFrom, Manifest, Part};
use weir_rollup::rules::Rules;

/// Events a second that a replay folds and writes, until one on this machine has told its own figure.
const EVENTS_PER_S: u64 = 40_000;
/// Hours that are counted one by one; beyond that a part stands for every hour between its first and last.
const HOURS_MAX: usize = 20_000;

/// What a replay would do.
#[derive(Clone, Debug, Serialize)]
pub struct Plan {
    /// Logic version of the new rows; `None` = for each sequence the rules that the served manifest names.
    pub logic: Option<String>,
    /// Each partition that has something to rebuild.
    pub partitions: Vec<PartitionPlan>,
    /// How long building should take, seconds.
    pub estimated_s: u64,
}

/// What a replay would do in one partition.
#[derive(Clone, Debug, Serialize)]
pub struct PartitionPlan {
    /// Region of the partition.
    pub region: String,
    /// Its number.
    pub partition: u32,
    /// First sequence to be folded with the wanted logic.
    pub from_seq: u64,
    /// When that was stored, RFC 3339; `None` when it is yet to come.
    pub from_time: Option<String>,
    /// Where folding starts.
    pub checkpoint: CheckpointAt,
    /// What is read of archive and stream.
    pub read: Reading,
    /// Event rows to be made anew, about.
    pub events: u64,
    /// UTC hours (by the time of the event) whose rows are made anew.
    pub hours: Option<Hours>,
    /// What becomes of the files.
    pub files: Files,
    /// Last sealed sequence: so far it goes.
    pub sealed_seq: u64,
}

/// The state that folding starts from.
#[derive(Clone, Debug, Serialize)]
pub struct CheckpointAt {
    /// Last sequence folded into it; 0 = the stream's start.
    pub seq: u64,
    /// When that was stored, RFC 3339.
    pub time: Option<String>,
}

/// A stretch of the stream, wherever it is kept.
#[derive(Clone, Debug, Serialize)]
pub struct Reading {
    /// First sequence.
    pub first_seq: u64,
    /// Last sequence.
    pub last_seq: u64,
    /// Messages.
    pub messages: u64,
    /// Their size where they are kept, bytes, about.
    pub bytes: u64,
}

/// A stretch of hours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Hours {
    /// Start of the first, RFC 3339.
    pub first: String,
    /// Start of the last, RFC 3339.
    pub last: String,
    /// How many at most.
    pub count: u64,
}

/// What becomes of the served files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Files {
    /// Stay as they are.
    pub kept: u64,
    /// Have rows on both sides of the checkpoint: those up to it are written into a new file.
    pub split: u64,
    /// All their rows are made anew.
    pub replaced: u64,
}

/// Where a partition's replay starts.
#[derive(Clone, Debug)]
pub(super) struct Beginning {
    pub(super) partition: u32,
    pub(super) from_seq: u64,
    pub(super) checkpoint: Option<Checkpoint>,
    served: Manifest,
    reach: Reach,
}

impl Beginning {
    pub(super) fn checkpoint_seq(&self) -> u64 {
        self.checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.seq)
    }
}

impl Replayer {
    /// Says what a replay would do. Changes nothing.
    ///
    /// # Errors
    /// When it could not be done: see [`ReplayError`].
    pub async fn plan(&self, wanted: &Wanted) -> Result<Plan, ReplayError> {
        let logic = self.logic(&wanted.logic).await?;
        let mut partitions = Vec::new();
        for beginning in self.beginnings(wanted).await? {
            partitions.push(self.partition_plan(beginning).await?);
        }
        let events: u64 = partitions.iter().map(|plan| plan.events).sum();
        let estimated_s = events.div_ceil(self.events_per_s().await?);
        Ok(Plan { logic: logic.map(|logic| logic.logic), partitions, estimated_s })
    }

    /// The wanted logic, if it is another than the served; its rules compile.
    pub(super) async fn logic(&self, wanted: &Logic) -> Result<Option<LogicFrom>, ReplayError> {
        match wanted {
            Logic::Unchanged => Ok(None),
            Logic::BuiltIn => Ok(Some(LogicFrom::new(0, self.shared.rulebook.own().logic()))),
            Logic::Given(data) => {
                let data = data.clone();
                let rules = tokio::task::spawn_blocking(move || Rules::new(data)).await??;
                Ok(Some(LogicFrom { pinned: true, ..LogicFrom::new(0, rules.logic()) }))
            }
        }
    }

    /// Puts the wanted rules where every reader finds them.
    pub(super) async fn store_rules(&self, wanted: &Logic) -> Result<(), ReplayError> {
        match wanted {
            Logic::Unchanged => {}
            Logic::BuiltIn => drop(rules::put(&self.shared.store, self.shared.rulebook.own().data()).await?),
            Logic::Given(data) => drop(rules::put(&self.shared.store, data).await?),
        }
        Ok(())
    }

    /// Where each partition starts.
    pub(super) async fn beginnings(&self, wanted: &Wanted) -> Result<Vec<Beginning>, ReplayError> {
        let known = &self.shared.config.partitions;
        if let Some(partition) = wanted.partition {
            if !known.contains(&partition) {
                return Err(ReplayError::NoPartition { partition, last: known.iter().copied().max().unwrap_or(0) });
            }
            return Ok(vec![self.beginning(partition, wanted.start).await?]);
        }
        let (mut beginnings, mut unsealed) = (Vec::new(), Vec::new());
        for partition in known {
            match self.beginning(*partition, wanted.start).await {
                Ok(beginning) => beginnings.push(beginning),
                // Streams differ in length: what is beyond the end of one is not beyond that of another.
                Err(error @ (ReplayError::NothingSealed | ReplayError::NotSealed { .. })) => unsealed.push((*partition, error)),
                Err(error) => return Err(error),
            }
        }
        for (partition, error) in unsealed {
            match error {
                _ if beginnings.is_empty() => return Err(error),
                // Nothing to rebuild, but later events are to be folded with the same logic everywhere.
                ReplayError::NotSealed { sealed_seq, .. } => {
                    beginnings.push(self.beginning(partition, Start::Seq(sealed_seq + 1)).await?);
                }
                _ => {}
            }
        }
        beginnings.sort_by_key(|beginning| beginning.partition);
        Ok(beginnings)
    }

    async fn beginning(&self, partition: u32, start: Start) -> Result<Beginning, ReplayError> {
        let Some(Committed { manifest: served, .. }) = Committed::load(&self.shared, &Line::Served, partition).await? else {
            return Err(ReplayError::NothingSealed);
        };
        let reach = Reach::of(&self.shared.jetstream, &self.shared.store, &served).await?;
        let wanted_seq = match start {
            Start::Seq(seq) => seq.max(1),
            // What is not sealed yet is still to come.
            Start::TimeMs(ms) => reach.seq_at(ms).await?.min(served.sealed_seq + 1),
        };
        if wanted_seq > served.sealed_seq + 1 {
            return Err(ReplayError::NotSealed { partition, wanted_seq, sealed_seq: served.sealed_seq });
        }
        let checkpoint = served.checkpoints.iter().rev().find(|checkpoint| checkpoint.seq < wanted_seq).cloned();
        let beginning = Beginning { partition, from_seq: wanted_seq, checkpoint, served, reach };
        check_reach(&beginning).await?;
        Ok(beginning)
    }

    async fn partition_plan(&self, beginning: Beginning) -> Result<PartitionPlan, ReplayError> {
        let checkpoint_seq = beginning.checkpoint_seq();
        let Beginning { partition, from_seq, checkpoint, served, reach } = beginning;
        let messages = served.sealed_seq - checkpoint_seq;
        let from_ms = reach.time_of(from_seq).await?;
        let touched = || served.parts.iter().filter(|part| part.max_seq > checkpoint_seq);
        let split = touched().filter(|part| part.min_seq <= checkpoint_seq).count() as u64;
        Ok(PartitionPlan {
            region: self.region().to_owned(),
            partition,
            from_seq,
            from_time: from_ms.map(rfc3339),
            checkpoint: CheckpointAt { seq: checkpoint_seq, time: checkpoint.map(|checkpoint| rfc3339(checkpoint.stream_ms)) },
            read: Reading {
                first_seq: checkpoint_seq + 1,
                last_seq: served.sealed_seq,
                messages,
                bytes: bytes_of(&reach, checkpoint_seq + 1, served.sealed_seq),
            },
            events: touched().map(|part| rows_after(part, checkpoint_seq)).sum(),
            hours: hours(touched()),
            files: Files {
                kept: (served.parts.len() - touched().count()) as u64,
                split,
                replaced: touched().count() as u64 - split,
            },
            sealed_seq: served.sealed_seq,
        })
    }

    async fn events_per_s(&self) -> Result<u64, ReplayError> {
        let measured = replays::get(&self.shared.jetstream, self.region()).await?.and_then(|entry| {
            let record = entry.record;
            // Small replays measure their start.
            (record.events >= 100_000).then(|| share(record.events, 1_000, record.busy_ms))
        });
        Ok(measured.unwrap_or(EVENTS_PER_S).max(1))
    }
}

/// Refuses what neither archive nor stream hold.
async fn check_reach(beginning: &Beginning) -> Result<(), ReplayError> {
    let Beginning { from_seq, served, reach, .. } = beginning;
    let first_seq = reach.first_seq();
    let needed_seq = if *from_seq < first_seq { *from_seq } else { beginning.checkpoint_seq() + 1 };
    if needed_seq >= first_seq {
        return Ok(());
    }
    let first_ms = reach.time_of(first_seq).await?;
    let possible = served.checkpoints.iter().find(|checkpoint| checkpoint.seq + 1 >= first_seq);
    let hint = match possible {
        Some(checkpoint) => format!("; a replay is possible from sequence {} on", checkpoint.seq + 1),
        None => "; a replay is possible after the first flush of the next day".to_owned(),
    };
    Err(ReplayError::Gone {
        stream: served.stream.name.clone(),
        wanted_seq: *from_seq,
        needed_seq,
        first_seq,
        first_time: first_ms.map_or_else(|| "yet to come".to_owned(), rfc3339),
        hint,
    })
}

/// Size of a stretch of sequences: in the archive as far as that reaches, then in the stream; if messages are of the same size.
fn bytes_of(reach: &Reach, first_seq: u64, last_seq: u64) -> u64 {
    let within = |first: u64, last: u64| (last.min(last_seq) + 1).saturating_sub(first.max(first_seq));
    let archived_seq = reach.archive.last().map_or(0, |object| object.last_seq);
    let archived = reach
        .archive
        .iter()
        .map(|object| share(object.bytes, within(object.first_seq, object.last_seq), object.last_seq - object.first_seq + 1));
    let streamed = within(reach.stream.first_seq.max(archived_seq + 1), reach.stream.last_seq);
    archived.sum::<u64>() + share(reach.stream.bytes, streamed, reach.stream.messages)
}

/// `whole` × `part` ÷ `of`, 0 of nothing.
fn share(whole: u64, part: u64, of: u64) -> u64 {
    let share = u128::from(whole) * u128::from(part) / u128::from(of.max(1));
    u64::try_from(share).unwrap_or(u64::MAX)
}

/// Rows of a part after a sequence, if they are spread evenly.
fn rows_after(part: &Part, seq: u64) -> u64 {
    let after = part.max_seq.saturating_sub(seq.max(part.min_seq.saturating_sub(1)));
    share(part.rows, after, part.max_seq - part.min_seq + 1)
}

/// The hours between the first and the last event of each part.
fn hours<'a>(parts: impl Iterator<Item = &'a Part>) -> Option<Hours> {
    let mut counted: BTreeSet<i64> = BTreeSet::new();
    for part in parts.filter(|part| part.rows > 0) {
        let (first, last) = (hour_of(part.min_event_ms), hour_of(part.max_event_ms));
        let step = ((last - first) / HOUR_MS / HOURS_MAX as i64 + 1) * HOUR_MS;
        counted.extend((first..=last).step_by(usize::try_from(step).unwrap_or(usize::MAX)));
        counted.insert(last);
    }
    let text = |ms: i64| rfc3339(u64::try_from(ms).unwrap_or(0));
    Some(Hours { first: text(*counted.first()?), last: text(*counted.last()?), count: counted.len() as u64 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_rollup::manifest::Level;

    fn part(min_seq: u64, max_seq: u64, rows: u64, event_ms: [i64; 2]) -> Part {
        Part {
            name: String::new(),
            level: Level::Flush,
            min_seq,
            max_seq,
            min_event_ms: event_ms[0],
            max_event_ms: event_ms[1],
            min_site_id: 1,
            max_site_id: 1,
            rows,
            bytes: 1,
            content_checksum: String::new(),
            file_checksum: None,
            format: 2,
            ledger: None,
        }
    }

    #[test]
    fn rows_are_taken_to_be_spread_evenly() {
        let part = part(11, 20, 100, [0, 0]);
        for (seq, rows) in [(0, 100), (10, 100), (11, 90), (15, 50), (19, 10), (20, 0)] {
            assert_eq!(rows_after(&part, seq), rows, "{seq}");
        }
    }

    #[test]
    fn an_hour_that_two_parts_touch_is_one() {
        let parts = [part(1, 1, 1, [5, 2 * HOUR_MS]), part(2, 2, 1, [HOUR_MS, HOUR_MS + 1]), part(3, 3, 0, [9 * HOUR_MS; 2])];
        let told = hours(parts.iter()).unwrap();
        assert_eq!((told.first.as_str(), told.count), ("1970-01-01T00:00:00.000Z", 3));
        assert_eq!(told.last, "1970-01-01T02:00:00.000Z");
        assert_eq!(hours([].iter()), None);
    }
}
