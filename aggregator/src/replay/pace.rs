//! Live ingestion comes first: a replay waits while it is behind.

use crate::Shared;
use crate::status::now_ms;
use serde::Deserialize;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use weir_event::subject::STATUS_BUCKET;
use weir_reader::{buckets, stream};

/// Pause between looks.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// An aggregator that has not told its status for so long does not run: nobody is held up by the replay.
const SILENT_AFTER_MS: u64 = 60_000;
/// Ends of a stream that are remembered: beyond that the oldest tell enough.
const SEEN_MAX: usize = 1_000;

/// What an aggregator says of a partition.
#[derive(Clone, Copy, Debug, Deserialize)]
struct Said {
    updated_ms: u64,
    last_folded_seq: u64,
    #[serde(default)]
    stopped: bool,
}

/// Ends of a stream that were seen and are perhaps not folded yet: when and which sequence, ascending.
#[derive(Debug, Default)]
struct Seen(VecDeque<(u64, u64)>);

impl Seen {
    /// Notes the end of the stream, and tells for how long the oldest end that is not folded is known, milliseconds.
    fn lag_ms(&mut self, now_ms: u64, last_seq: u64, said: Said) -> u64 {
        let is_silent = now_ms.saturating_sub(said.updated_ms) > SILENT_AFTER_MS;
        if said.stopped || is_silent {
            self.0.clear();
            return 0;
        }
        if self.0.back().is_none_or(|(_, seq)| *seq < last_seq) && self.0.len() < SEEN_MAX {
            self.0.push_back((now_ms, last_seq));
        }
        while self.0.front().is_some_and(|(_, seq)| *seq <= said.last_folded_seq) {
            self.0.pop_front();
        }
        self.0.front().map_or(0, |(since_ms, _)| now_ms.saturating_sub(*since_ms))
    }
}

/// Tells whether the replay should wait.
pub(super) struct Pace {
    behind: watch::Receiver<bool>,
    task: JoinHandle<()>,
}

impl Pace {
    /// Watches all partitions of a region.
    pub(super) fn watch(shared: &Arc<Shared>, lag_target_ms: u64) -> Self {
        let (sender, behind) = watch::channel(false);
        let shared = Arc::clone(shared);
        let task = tokio::spawn(async move {
            let mut seen = HashMap::new();
            loop {
                let lag_ms = lag_ms(&shared, &mut seen).await;
                // The receiver is gone: so is this task, in a moment.
                let _gone = sender.send(lag_ms > lag_target_ms);
                tokio::time::sleep(LOOK_EVERY).await;
            }
        });
        Self { behind, task }
    }

    /// Whether live ingestion is further behind than its target.
    pub(super) fn is_behind(&self) -> bool {
        *self.behind.borrow()
    }

    /// Returns when it is not.
    pub(super) async fn wait(&mut self) {
        // The sender lives as long as this.
        let _ended = self.behind.wait_for(|behind| !behind).await;
    }
}

impl Drop for Pace {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// How far the furthest partition is behind, milliseconds. What cannot be asked counts as not behind.
async fn lag_ms(shared: &Shared, seen: &mut HashMap<u32, Seen>) -> u64 {
    let (region, mut furthest_ms) = (&shared.config.region, 0);
    for partition in &shared.config.partitions {
        let key = format!("aggregator.{region}.{partition}");
        let Ok(Some(entry)) = buckets::get(&shared.jetstream, STATUS_BUCKET, &key).await else { continue };
        let Some(said) = entry.value.and_then(|value| serde_json::from_slice::<Said>(&value).ok()) else { continue };
        let Ok(reach) = stream::state(&shared.jetstream, region, *partition).await else { continue };
        furthest_ms = furthest_ms.max(seen.entry(*partition).or_default().lag_ms(now_ms(), reach.last_seq, said));
    }
    furthest_ms
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn behind_is_who_has_not_folded_what_was_there_long_ago() {
        let mut seen = Seen::default();
        let said = |updated_ms, last_folded_seq| Said { updated_ms, last_folded_seq, stopped: false };
        for (now_ms, last_seq, folded_seq, lag_ms) in [
            (1_000, 10, 10, 0),
            (2_000, 12, 10, 0),
            (3_000, 15, 10, 1_000),
            (4_000, 15, 12, 1_000),
            (5_000, 16, 15, 0),
            (6_000, 16, 16, 0),
        ] {
            assert_eq!(seen.lag_ms(now_ms, last_seq, said(now_ms, folded_seq)), lag_ms, "at {now_ms}");
        }
        assert_eq!(seen.lag_ms(100_000, 20, said(100_000, 16)), 0);
        assert_eq!(seen.lag_ms(110_000, 20, said(110_000, 16)), 10_000);
        assert_eq!(seen.lag_ms(111_000, 20, Said { stopped: true, ..said(111_000, 16) }), 0, "stopped");
        assert_eq!(seen.lag_ms(300_000, 20, said(111_000, 16)), 0, "does not run");
    }
}
