//! Growing pauses between attempts.

use std::time::Duration;

/// Pauses that double from 100 ms to 5 s.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    attempts: u32,
}

impl Backoff {
    /// Length of the pause after `attempts` failures in a row.
    fn pause(attempts: u32) -> Duration {
        Duration::from_millis(100_u64.saturating_mul(1 << attempts.min(10)).min(5_000))
    }

    /// Waits after a failure.
    pub(crate) async fn wait(&mut self) {
        tokio::time::sleep(Self::pause(self.attempts)).await;
        self.attempts = self.attempts.saturating_add(1);
    }

    /// Tells that it worked.
    pub(crate) fn reset(&mut self) {
        self.attempts = 0;
    }

    /// Whether the last attempt failed.
    pub(crate) fn is_failing(&self) -> bool {
        self.attempts > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_to_a_limit() {
        let pauses: Vec<u64> = (0..8).map(|n| Backoff::pause(n).as_millis() as u64).collect();
        assert_eq!(pauses, [100, 200, 400, 800, 1600, 3200, 5000, 5000]);
        assert_eq!(Backoff::pause(u32::MAX).as_millis(), 5000);
    }
}
