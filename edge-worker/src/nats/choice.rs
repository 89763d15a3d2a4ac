//! Which of several servers to speak to: any at first, the next one after a failure.

use super::answer::NatsError;

/// Requests in a row to one server that JetStream did not answer, after which the next server is tried: one that is cut off from the others
/// keeps its connections and can do nothing for them.
const UNANSWERED_MAX: u32 = 2;

/// The choice.
#[derive(Debug, Default)]
pub(crate) struct Choice {
    at: Option<usize>,
    unanswered: u32,
}

impl Choice {
    /// Index of the server among `count`. `random` lies in [0, 1): many edges must not all begin with the same one.
    pub(crate) fn server(&mut self, count: usize, random: f64) -> usize {
        let count = count.max(1);
        let first = (random.clamp(0.0, 1.0) * count as f64) as usize;
        *self.at.get_or_insert(first) % count
    }

    /// The server went away or could not be reached.
    pub(crate) fn next(&mut self) {
        self.at = self.at.map(|at| at.wrapping_add(1));
        self.unanswered = 0;
    }

    /// A request was answered.
    pub(crate) fn answered(&mut self) {
        self.unanswered = 0;
    }

    /// A request failed; whether to leave the server. What JetStream itself refuses, another server would refuse too.
    pub(crate) fn failed(&mut self, error: &NatsError) -> bool {
        if matches!(error, NatsError::Refused { .. }) {
            self.unanswered = 0;
            return false;
        }
        self.unanswered += 1;
        self.unanswered >= UNANSWERED_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_tried_in_turn_from_a_random_one_on() {
        let mut choice = Choice::default();
        assert_eq!(choice.server(3, 0.99), 2);
        assert_eq!(choice.server(3, 0.0), 2, "it stays");
        choice.next();
        assert_eq!(choice.server(3, 0.5), 0);
        choice.next();
        assert_eq!(choice.server(3, 0.5), 1);
        assert_eq!(choice.server(0, 0.5), 0);
        assert_eq!(Choice::default().server(2, 1.0), 0);
    }

    #[test]
    fn a_server_that_cannot_answer_is_left() {
        let nobody = NatsError::Status { status: 503 };
        let full = NatsError::Refused { code: 10_077, description: String::new() };
        let mut choice = Choice::default();
        assert!(!choice.failed(&nobody));
        assert!(!choice.failed(&full), "it answered");
        assert!(!choice.failed(&nobody));
        assert!(choice.failed(&nobody));
        choice.next();
        assert!(!choice.failed(&nobody));
        choice.answered();
        assert!(!choice.failed(&nobody));
    }
}
