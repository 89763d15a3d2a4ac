//! How far the import is: a bar on a terminal, a line now and then elsewhere.

use crate::output::Output;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal as _;

/// Steps in percent between lines.
const LINE_EVERY_PERCENT: u64 = 10;

/// What to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    /// Bar or lines, on standard error.
    Progress,
    /// Nothing.
    Nothing,
}

/// Shows how much of a file is read.
pub(super) enum Progress {
    Bar(ProgressBar),
    Lines { size: u64, next_percent: u64 },
    Nothing,
}

impl Progress {
    pub(super) fn new(shown: Shown, size: u64) -> Self {
        if shown == Shown::Nothing {
            return Self::Nothing;
        }
        if !std::io::stderr().is_terminal() {
            return Self::Lines { size, next_percent: LINE_EVERY_PERCENT };
        }
        let bar = ProgressBar::new(size);
        if let Ok(style) = ProgressStyle::with_template("{wide_bar} {bytes}/{total_bytes} {elapsed} (left: {eta})") {
            bar.set_style(style);
        }
        Self::Bar(bar)
    }

    pub(super) fn advance(&mut self, bytes_read: u64) {
        match self {
            Self::Bar(bar) => bar.set_position(bytes_read),
            Self::Lines { size, next_percent } => {
                let percent = bytes_read.saturating_mul(100) / (*size).max(1);
                if percent >= *next_percent {
                    Output::new(false).note(&format!("{percent} % read"));
                    *next_percent = percent / LINE_EVERY_PERCENT * LINE_EVERY_PERCENT + LINE_EVERY_PERCENT;
                }
            }
            Self::Nothing => {}
        }
    }

    pub(super) fn finish(&self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}
