//! Which batchers still hold events back, by what their last batch said.

use std::collections::BTreeMap;

/// A batcher silent for this long holds nothing back.
const SILENT_MS: u64 = 5 * 60 * 1000;
/// Entries are kept longer than they count, since `now` is the caller's.
const KEPT_MS: u64 = 60 * 60 * 1000;

/// The batchers that named an oldest unsent event in their last batch, by their stable names.
#[derive(Clone, Debug, Default)]
pub(super) struct Batchers(BTreeMap<String, Held>);

/// What a batcher said, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) oldest_unsent_ms: u64,
    pub(super) stream_ms: u64,
}

impl Batchers {
    /// Takes what a batch says of its batcher.
    pub(super) fn heard(&mut self, batcher: &str, oldest_unsent_ms: u64, stream_ms: u64) {
        if oldest_unsent_ms == 0 {
            self.0.remove(batcher);
        } else {
            self.0.insert(batcher.to_owned(), Held { oldest_unsent_ms, stream_ms });
        }
    }

    pub(super) fn watermark(&self, now_ms: u64) -> u64 {
        let holding = self.0.values().filter(|held| now_ms.saturating_sub(held.stream_ms) < SILENT_MS);
        holding.map(|held| held.oldest_unsent_ms).fold(now_ms, u64::min)
    }

    pub(super) fn purge(&mut self, stream_ms: u64) {
        self.0.retain(|_, held| stream_ms.saturating_sub(held.stream_ms) < KEPT_MS);
    }

    /// What is kept, by name.
    pub(super) fn entries(&self, stream_ms: u64) -> impl Iterator<Item = (&String, Held)> {
        self.0
            .iter()
            .map(|(name, held)| (name, *held))
            .filter(move |(_, held)| stream_ms.saturating_sub(held.stream_ms) < KEPT_MS)
    }

    pub(super) fn restore(&mut self, batcher: String, held: Held) {
        self.0.insert(batcher, held);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batcher_holds_the_watermark_until_its_next_batch_or_silence() {
        let now = 10_000_000;
        let mut batchers = Batchers::default();
        assert_eq!(batchers.watermark(now), now);
        batchers.heard("a", now - 9000, now - 1000);
        batchers.heard("b", now - 7000, now - 500);
        batchers.heard("c", 0, now);
        assert_eq!(batchers.watermark(now), now - 9000);
        batchers.heard("a", 0, now);
        assert_eq!(batchers.watermark(now), now - 7000);
        assert_eq!(batchers.watermark(now - 500 + SILENT_MS - 1), now - 7000);
        assert_eq!(batchers.watermark(now - 500 + SILENT_MS), now - 500 + SILENT_MS);
        batchers.heard("d", now + 5, now);
        batchers.heard("b", 0, now);
        assert_eq!(batchers.watermark(now), now);
    }
}
