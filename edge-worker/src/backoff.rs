//! How long to wait after a failure: twice as long each time, up to a limit, spread so that many do not come back at once.

/// Shortest wait, milliseconds.
const FIRST_MS: u64 = 100;
/// Longest wait, milliseconds.
const LAST_MS: u64 = 3_000;

/// Counts failures in a row.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The wait after one more failure, milliseconds: between half and all of the step. `random` lies in [0, 1).
    pub(crate) fn fail(&mut self, random: f64) -> u64 {
        let step = FIRST_MS.saturating_mul(1 << self.failures.min(10)).min(LAST_MS);
        self.failures = self.failures.saturating_add(1);
        step / 2 + (step as f64 / 2.0 * random.clamp(0.0, 1.0)) as u64
    }

    /// It worked: the next failure waits shortest again.
    pub(crate) fn succeed(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_limit() {
        let mut backoff = Backoff::default();
        assert_eq!([0; 7].map(|_| backoff.fail(0.0)), [50, 100, 200, 400, 800, 1_500, 1_500]);
        assert_eq!(backoff.fail(1.0), 3_000);
        backoff.succeed();
        assert_eq!(backoff.fail(1.0), 100);
    }
}
