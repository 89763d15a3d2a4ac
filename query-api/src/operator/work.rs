//! A piece of an operator's work: what, since when, and what came of it.

use super::ActionError;
use crate::service::rfc3339;
use serde_json::{Value, json};

/// How it stands.
#[derive(Clone, Debug, PartialEq)]
enum State {
    Running,
    Done { at_ms: u64, result: Value },
    Failed { at_ms: u64, error: String },
}

/// A piece of work.
#[derive(Clone, Debug, PartialEq)]
pub struct Work {
    action: &'static str,
    began_ms: u64,
    state: State,
}

impl Work {
    pub(super) fn begun(action: &'static str, now_ms: u64) -> Self {
        Self { action, began_ms: now_ms, state: State::Running }
    }

    pub(super) fn end(&mut self, outcome: Result<Value, ActionError>, now_ms: u64) {
        self.state = match outcome {
            Ok(result) => State::Done { at_ms: now_ms, result },
            Err(ActionError(error)) => State::Failed { at_ms: now_ms, error },
        };
    }

    /// What is done.
    pub fn action(&self) -> &'static str {
        self.action
    }

    /// It has not ended yet.
    pub fn is_under_way(&self) -> bool {
        self.state == State::Running
    }

    /// As the dashboard reads it.
    pub fn shown(&self) -> Value {
        let (state, ended, result, error) = match &self.state {
            State::Running => ("running", None, None, None),
            State::Done { at_ms, result } => ("done", Some(*at_ms), Some(result), None),
            State::Failed { at_ms, error } => ("failed", Some(*at_ms), None, Some(error)),
        };
        json!({
            "action": self.action,
            "state": state,
            "began": rfc3339(self.began_ms),
            "ended": ended.map(rfc3339),
            "result": result,
            "error": error,
        })
    }
}
