//! What a run found: figures, what they must be, and both as JSON.

use super::check::Checked;
use super::load::{Kind, Outcome};
use super::plan::Fault;
use serde::Serialize;
use std::collections::BTreeMap;

/// At least so many requests of the steady load succeed within three retries, of a million.
const WITHIN_RETRIES_MIN: u64 = 999_900;
/// At least so many succeed at the first try outside elections, of a million.
const FIRST_TRY_MIN: u64 = 999_000;
/// Longest time without newer answers, and for recovery after the last fault, milliseconds.
const STAND_MS_MAX: u64 = 60_000;

/// One fault and what became of it.
#[derive(Clone, Debug, Serialize)]
pub struct Hit {
    /// What was done.
    #[serde(flatten)]
    pub fault: Fault,
    /// When it was over, milliseconds of the run.
    pub over_ms: u64,
    /// How long after that everything was well again, milliseconds; `null` = the next fault came first, or never.
    pub recovered_after_ms: Option<u64>,
    /// What there is to say beside.
    pub note: String,
}

/// How requests went.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Requests {
    /// Of the steady load.
    pub sent: u64,
    /// Of those, good at last.
    pub good_within_three_retries: u64,
    /// First tries outside elections.
    pub first_tries_outside_elections: u64,
    /// Of those, good.
    pub good_first_outside_elections: u64,
    /// First tries while a stream had no leader.
    pub first_tries_in_elections: u64,
    /// Of those, good.
    pub good_first_in_elections: u64,
    /// Events beyond the steady load, and how many of them were taken.
    pub extra: u64,
    /// Taken of those.
    pub extra_good: u64,
    /// What first tries got instead of success, and how often.
    pub errors: BTreeMap<String, u64>,
    /// What those got at first that never succeeded.
    pub hopeless: BTreeMap<String, u64>,
}

/// A whole run.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// Seed that draws the same faults again.
    pub seed: u64,
    /// Length of the load, milliseconds.
    pub ran_ms: u64,
    /// What could not be tried here.
    pub left_out: Vec<String>,
    /// Faults.
    pub faults: Vec<Hit>,
    /// Requests.
    pub requests: Requests,
    /// Times in which a stream of events had no leader, milliseconds of the run.
    pub elections: Vec<(u64, u64)>,
    /// Longest time in which no newer answer was seen: when it began and how long, milliseconds.
    pub longest_stand_ms: (u64, u64),
    /// How long after the last fault everything was well, milliseconds.
    pub recovered_after_ms: Option<u64>,
    /// What was not, if it did not recover.
    pub complaint: String,
    /// What was compared.
    pub checked: Option<Checked>,
    /// Starts of each machine's program and its memory at the end, bytes.
    pub machines: BTreeMap<String, (u32, u64)>,
    /// Why the run is not good; empty = it is.
    pub failures: Vec<String>,
}

/// Adds up how requests went, given when there were elections.
pub fn requests(outcomes: &[Outcome], elections: &[(u64, u64)]) -> Requests {
    let mut sum = Requests::default();
    for outcome in outcomes {
        let is_good = outcome.is_good;
        if outcome.kind == Kind::Extra {
            sum.extra += 1;
            sum.extra_good += u64::from(is_good);
            continue;
        }
        let is_first_good = is_good && outcome.tries == 1;
        let (from, to) = outcome.first_try_ms;
        sum.sent += 1;
        sum.good_within_three_retries += u64::from(is_good);
        if elections.iter().any(|(began, ended)| from <= *ended && *began <= to) {
            sum.first_tries_in_elections += 1;
            sum.good_first_in_elections += u64::from(is_first_good);
        } else {
            sum.first_tries_outside_elections += 1;
            sum.good_first_outside_elections += u64::from(is_first_good);
        }
        if let Some(error) = &outcome.first_error {
            *sum.errors.entry(error.clone()).or_default() += 1;
            if !is_good {
                *sum.hopeless.entry(error.clone()).or_default() += 1;
            }
        }
    }
    sum
}

/// Of a million.
fn share(of: u64, all: u64) -> u64 {
    (of * 1_000_000).checked_div(all).unwrap_or(1_000_000)
}

fn percent(of: u64, all: u64) -> String {
    format!("{}.{:04} %", share(of, all) / 10_000, share(of, all) % 10_000)
}

impl Report {
    /// Adds what is not as it must be. `has_figures` = the run was long enough for shares to mean something.
    pub fn judge(&mut self, has_figures: bool) {
        let mut failures = Vec::new();
        let requests = &self.requests;
        if has_figures {
            let within = share(requests.good_within_three_retries, requests.sent);
            if within < WITHIN_RETRIES_MIN {
                failures.push(format!("{within} of a million requests succeeded within three retries, not {WITHIN_RETRIES_MIN}"));
            }
            let first = share(requests.good_first_outside_elections, requests.first_tries_outside_elections);
            if first < FIRST_TRY_MIN {
                failures.push(format!(
                    "{first} of a million requests succeeded at the first try outside elections, not {FIRST_TRY_MIN}"
                ));
            }
        }
        if self.longest_stand_ms.1 > STAND_MS_MAX {
            failures.push(format!("answers became no fresher for {} ms", self.longest_stand_ms.1));
        }
        match self.recovered_after_ms {
            Some(after_ms) if after_ms <= STAND_MS_MAX => {}
            other => failures
                .push(format!("not recovered within {STAND_MS_MAX} ms after the last fault ({other:?} ms): {}", self.complaint)),
        }
        self.failures.extend(failures);
    }

    /// For people.
    pub fn text(&self) -> String {
        let requests = &self.requests;
        let mut lines =
            vec![format!("seed {} · {:.1} minutes · {} faults", self.seed, self.ran_ms as f64 / 60_000.0, self.faults.len())];
        lines.extend(self.left_out.iter().map(|left_out| format!("NOT TRIED: {left_out}")));
        for hit in &self.faults {
            let after = hit
                .recovered_after_ms
                .map_or("not before the next fault".to_owned(), |ms| format!("after {:.1} s", ms as f64 / 1000.0));
            let note = if hit.note.is_empty() { String::new() } else { format!(" ({})", hit.note) };
            lines.push(format!("  at {:>6.1} s  {}{note}: well {after}", hit.fault.at_ms as f64 / 1000.0, hit.fault));
        }
        lines.push(format!(
            "requests {} · good within three retries {} · at the first try outside elections {} of {}, in elections {} of {}",
            requests.sent,
            percent(requests.good_within_three_retries, requests.sent),
            percent(requests.good_first_outside_elections, requests.first_tries_outside_elections),
            requests.first_tries_outside_elections,
            percent(requests.good_first_in_elections, requests.first_tries_in_elections),
            requests.first_tries_in_elections,
        ));
        lines.push(format!(
            "overload: {} further events, {} taken",
            requests.extra,
            percent(requests.extra_good, requests.extra)
        ));
        lines.push(format!("first tries got instead: {:?}", requests.errors));
        if !requests.hopeless.is_empty() {
            lines.push(format!("never succeeded: {:?}", requests.hopeless));
        }
        lines.push(format!(
            "elections {} · answers stood still for at most {:.1} s (at {:.1} s) · recovered from the last fault {}",
            self.elections.len(),
            self.longest_stand_ms.1 as f64 / 1000.0,
            self.longest_stand_ms.0 as f64 / 1000.0,
            self.recovered_after_ms.map_or("never".to_owned(), |ms| format!("after {:.1} s", ms as f64 / 1000.0)),
        ));
        if let Some(checked) = &self.checked {
            lines.push(format!(
                "acknowledged {} · unclear {} · stored {} in {} files, {} in the streams · lost 0 · doubled 0 · answers and ledger as sent · alarms {:?}",
                checked.acknowledged, checked.unclear, checked.stored, checked.parts, checked.streamed, checked.alarms
            ));
        }
        for (name, (starts, bytes)) in &self.machines {
            lines.push(format!("  {name}: {starts} starts, {} MB", bytes / 1_000_000));
        }
        lines.extend(self.failures.iter().map(|failure| format!("FAILED: {failure}")));
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(kind: Kind, first_try_ms: (u64, u64), tries: u32, is_good: bool) -> Outcome {
        let first_error = (tries > 1 || !is_good).then(|| "503".to_owned());
        Outcome { kind, first_try_ms, tries, is_good, first_error }
    }

    #[test]
    fn first_tries_count_apart_in_elections() {
        let outcomes = [
            outcome(Kind::Event, (0, 10), 1, true),
            outcome(Kind::Query, (20, 40), 2, true),
            outcome(Kind::Event, (90, 100), 4, false),
            outcome(Kind::Extra, (0, 1), 1, false),
        ];
        let sum = requests(&outcomes, &[(30, 60)]);
        assert_eq!((sum.sent, sum.good_within_three_retries), (3, 2));
        assert_eq!((sum.first_tries_in_elections, sum.good_first_in_elections), (1, 0));
        assert_eq!((sum.first_tries_outside_elections, sum.good_first_outside_elections), (2, 1));
        assert_eq!((sum.extra, sum.extra_good, sum.errors["503"], sum.hopeless["503"]), (1, 0, 2, 1));
    }

    #[test]
    fn a_run_is_judged_by_its_figures() {
        let judged = |change: fn(&mut Report)| {
            let mut report = Report { recovered_after_ms: Some(0), ..Report::default() };
            report.requests = Requests {
                sent: 100_000,
                good_within_three_retries: 99_990,
                first_tries_outside_elections: 100_000,
                good_first_outside_elections: 99_900,
                ..Requests::default()
            };
            change(&mut report);
            report.judge(true);
            report.failures.len()
        };
        assert_eq!(judged(|_| {}), 0);
        assert_eq!(judged(|report| report.requests.good_within_three_retries -= 1), 1);
        assert_eq!(judged(|report| report.requests.good_first_outside_elections -= 1), 1);
        assert_eq!(judged(|report| report.longest_stand_ms.1 = 60_001), 1);
        assert_eq!(judged(|report| report.recovered_after_ms = None), 1);
        assert_eq!(judged(|report| report.failures.push("lost".into())), 1);
    }
}
