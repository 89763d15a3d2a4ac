//! How far a replay is: a bar for each partition on a terminal, a line now and then elsewhere.

use super::name;
use crate::human;
use crate::output::Output;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use weir_aggregator::replay::Progress;

/// Steps in percent between lines.
const LINE_EVERY_PERCENT: u64 = 10;
/// Longest time without a line.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Shows it on standard error.
pub(super) struct Display {
    region: String,
    shown: Mutex<Shown>,
}

enum Shown {
    Bars(MultiProgress, BTreeMap<u32, ProgressBar>),
    Lines(Lines),
    Nothing,
}

impl Display {
    /// A bar on a terminal, lines elsewhere, nothing with `--json`.
    pub(super) fn new(region: &str, output: Output) -> Self {
        let shown = if output.is_json() {
            Shown::Nothing
        } else if std::io::stderr().is_terminal() {
            Shown::Bars(MultiProgress::new(), BTreeMap::new())
        } else {
            Shown::Lines(Lines::new(Instant::now()))
        };
        Self { region: region.to_owned(), shown: Mutex::new(shown) }
    }

    /// Shows news.
    pub(super) fn show(&self, progress: &Progress) {
        match &mut *self.shown.lock().unwrap_or_else(PoisonError::into_inner) {
            Shown::Bars(all, bars) => {
                let bar = bars.entry(progress.partition).or_insert_with(|| bar(all, &name(&self.region, progress.partition)));
                bar.set_length(steps(progress).1);
                bar.set_position(steps(progress).0);
                let events = human::counted(progress.events, "event");
                bar.set_message(if progress.paused { format!("{events}, pauses for live ingestion") } else { events });
            }
            Shown::Lines(lines) => note(lines.news(&self.region, progress, Instant::now())),
            Shown::Nothing => {}
        }
    }

    /// Shows that it goes on when there are no news.
    pub(super) fn tick(&self) {
        if let Shown::Lines(lines) = &mut *self.shown.lock().unwrap_or_else(PoisonError::into_inner) {
            note(lines.again(Instant::now()));
        }
    }

    /// Takes the bars away.
    pub(super) fn finish(&self) {
        if let Shown::Bars(_, bars) = &*self.shown.lock().unwrap_or_else(PoisonError::into_inner) {
            for bar in bars.values() {
                bar.finish_and_clear();
            }
        }
    }
}

fn note(line: Option<String>) {
    if let Some(line) = line {
        Output::new(false).note(&line);
    }
}

fn bar(all: &MultiProgress, name: &str) -> ProgressBar {
    let bar = all.add(ProgressBar::new(0)).with_prefix(name.to_owned());
    if let Ok(style) = ProgressStyle::with_template("{prefix} {wide_bar} {percent} % {elapsed} (left: {eta}) {msg}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_secs(1));
    bar
}

/// Messages folded, and all that are to be.
fn steps(progress: &Progress) -> (u64, u64) {
    let all = (progress.target_seq + 1).saturating_sub(progress.first_seq);
    ((progress.folded_seq + 1).saturating_sub(progress.first_seq).min(all), all)
}

fn percent(progress: &Progress) -> u64 {
    let (done, all) = steps(progress);
    done.saturating_mul(100).checked_div(all).unwrap_or(100)
}

/// When to print a line.
struct Lines {
    last_at: Instant,
    last: String,
    told: BTreeMap<u32, (u64, bool)>,
}

impl Lines {
    fn new(now: Instant) -> Self {
        Self { last_at: now, last: "preparing".to_owned(), told: BTreeMap::new() }
    }

    /// The line, if it is time for one: at every step, at each pause and its end, and when there was none for long.
    fn news(&mut self, region: &str, progress: &Progress, now: Instant) -> Option<String> {
        let step = percent(progress) / LINE_EVERY_PERCENT;
        self.last = line(region, progress);
        let is_new = self.told.get(&progress.partition).is_none_or(|(told, paused)| step > *told || progress.paused != *paused);
        if !is_new {
            return self.again(now);
        }
        self.told.insert(progress.partition, (step, progress.paused));
        self.last_at = now;
        Some(self.last.clone())
    }

    /// The last line, if there was none for long.
    fn again(&mut self, now: Instant) -> Option<String> {
        if now.saturating_duration_since(self.last_at) < LINE_EVERY {
            return None;
        }
        self.last_at = now;
        Some(self.last.clone())
    }
}

fn line(region: &str, progress: &Progress) -> String {
    format!(
        "{}: {} %, sequence {} of {}, {}{}",
        name(region, progress.partition),
        percent(progress),
        human::count(progress.folded_seq),
        human::count(progress.target_seq),
        human::counted(progress.events, "event"),
        if progress.paused { "; pauses for live ingestion" } else { "" }
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(folded_seq: u64, paused: bool) -> Progress {
        Progress { partition: 0, first_seq: 1001, folded_seq, target_seq: 2000, events: 7, paused }
    }

    #[test]
    fn a_line_for_every_step_and_pause_and_at_least_every_ten_seconds() {
        let start = Instant::now();
        let mut lines = Lines::new(start);
        let mut told = |seconds: u64, progress: Progress| lines.news("local", &progress, start + Duration::from_secs(seconds));
        assert_eq!(told(0, at(1000, false)).unwrap(), "local.0: 0 %, sequence 1,000 of 2,000, 7 events");
        assert_eq!(told(1, at(1050, false)), None);
        assert_eq!(told(2, at(1100, false)).unwrap(), "local.0: 10 %, sequence 1,100 of 2,000, 7 events");
        assert_eq!(told(3, at(1199, false)), None);
        assert!(told(4, at(1199, true)).unwrap().ends_with("; pauses for live ingestion"));
        assert_eq!(told(13, at(1199, true)), None);
        assert!(told(14, at(1199, true)).is_some());
        assert!(told(15, at(1199, false)).is_some(), "it goes on");
        assert!(told(16, at(2000, false)).unwrap().starts_with("local.0: 100 %"));
        assert_eq!(lines.again(start + Duration::from_secs(25)), None);
        assert!(lines.again(start + Duration::from_secs(26)).is_some());
    }

    #[test]
    fn percent_of_little() {
        let of = |first_seq, folded_seq, target_seq| {
            percent(&Progress { partition: 0, first_seq, folded_seq, target_seq, events: 0, paused: false })
        };
        assert_eq!(of(1, 0, 0), 100, "nothing to do");
        assert_eq!(of(5, 4, 5), 0);
        assert_eq!(of(5, 5, 5), 100);
        assert_eq!(of(5, 9, 5), 100);
    }
}
