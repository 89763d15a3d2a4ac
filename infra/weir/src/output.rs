//! What the command prints: sentences for people, or JSON with `--json`; errors go to standard error.

use anyhow::{Error, Result};
use serde::Serialize;
use std::io::Write as _;
use std::process::ExitCode;

/// The command was called wrongly: exit status 2.
#[derive(Debug)]
pub(crate) struct Usage(pub(crate) String);

impl std::fmt::Display for Usage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// How to print.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    json: bool,
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether `--json` was given.
    pub(crate) fn is_json(self) -> bool {
        self.json
    }

    /// Prints the result: one line of JSON, or the text.
    pub(crate) fn result(self, value: &impl Serialize, text: &str) -> Result<()> {
        if self.json { line(&serde_json::to_string(value)?) } else { line(text) }
    }

    /// Prints a line for people; nothing with `--json`.
    pub(crate) fn text(self, text: &str) -> Result<()> {
        if self.json { Ok(()) } else { line(text) }
    }

    /// Prints something to be done or known beside the result, to standard error.
    #[expect(clippy::unused_self, reason = "called like the other ways to print")]
    pub(crate) fn note(self, text: &str) {
        // Nobody reads standard error any more: then there is nothing to tell.
        let _closed = writeln!(std::io::stderr(), "{text}");
    }

    /// Prints why the command failed: `weir: …`, or `{"error":"…"}` with `--json`, on standard error. The exit status of wrong usage is 2, that of
    /// anything else the given one.
    pub(crate) fn failure(self, error: &Error, status: ExitCode) -> ExitCode {
        if broken_pipe(error) {
            return ExitCode::SUCCESS;
        }
        let text = format!("{error:#}");
        self.note(&if self.json { serde_json::json!({ "error": text }).to_string() } else { format!("weir: {text}") });
        if error.downcast_ref::<Usage>().is_some() { ExitCode::from(2) } else { status }
    }
}

/// What a command that compares found: its exit status, 0 equal, 1 different. Its errors have the status 2.
pub(crate) fn compared(is_equal: bool) -> ExitCode {
    if is_equal { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Printing, when it must not decide over the exit status that its reader has gone away (`weir rules diff … | head`).
pub(crate) fn unless_closed(printed: Result<()>) -> Result<()> {
    printed.or_else(|error| if broken_pipe(&error) { Ok(()) } else { Err(error) })
}

/// Prints a line to standard output at once.
pub(crate) fn line(text: &str) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{text}")?;
    stdout.flush()?;
    Ok(())
}

/// The reader of our output went away (`weir tail | head`): that is no failure.
fn broken_pipe(error: &Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
        .any(|cause| cause.kind() == std::io::ErrorKind::BrokenPipe)
}
