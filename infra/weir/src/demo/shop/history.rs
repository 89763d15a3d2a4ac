//! The weeks before: a file of events for `weir import`, and until when it was made.

use super::chance::Chance;
use super::rhythm::{Calendar, DAY_MS, HOUR_MS};
use super::visit::{Happening, visit};
use crate::home::Home;
use anyhow::{Context as _, Result};
use chrono::{DateTime, SecondsFormat};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt::Write as _;

/// How far back the first history goes.
const DAYS: u64 = 60;
/// Where it is noted what was made.
const NOTE: &str = "demo-shop.json";

/// A stretch of history. The same stretch is the same file, which counts once however often it is imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stretch {
    /// Its begin, Unix milliseconds.
    pub(super) from_ms: u64,
    /// Its end.
    pub(super) through_ms: u64,
    /// It was imported.
    pub(super) is_done: bool,
}

impl Stretch {
    /// What is to be imported: what was begun, or what is missing since the last time, or all.
    pub(super) fn wanted(home: &Home, now_ms: u64) -> Result<Self> {
        let wanted = next(home.read_json(NOTE)?, now_ms);
        wanted.note(home)?;
        Ok(wanted)
    }

    /// Notes that it was imported.
    pub(super) fn done(self, home: &Home) -> Result<()> {
        Self { is_done: true, ..self }.note(home)
    }

    fn note(self, home: &Home) -> Result<()> {
        home.replace(NOTE, &serde_json::to_vec(&self)?)
    }

    /// Its events in the order of time, one a line.
    pub(super) fn lines(self) -> Result<String> {
        let mut happened = self.happened();
        happened.sort_by_key(|one| one.at_ms);
        let mut text = String::new();
        for one in &happened {
            writeln!(text, "{}", line(one)?).context("a line of the demo's history cannot be written")?;
        }
        Ok(text)
    }

    fn happened(self) -> Vec<Happening> {
        let calendar = Calendar { now_ms: self.through_ms };
        let mut chance = Chance::seeded(self.from_ms);
        let mut happened = Vec::new();
        let mut hour_ms = self.from_ms;
        while hour_ms < self.through_ms {
            for _ in 0..chance.count(calendar.visits_per_hour(hour_ms)) {
                let start_ms = hour_ms + chance.between(0, HOUR_MS);
                let way = calendar.way(start_ms, &mut chance);
                happened.extend(visit(&mut chance, start_ms, way, calendar.mood(start_ms)));
            }
            hour_ms += HOUR_MS;
        }
        // A visit may last longer than the stretch.
        happened.retain(|one| one.at_ms < self.through_ms);
        happened
    }
}

fn next(noted: Option<Stretch>, now_ms: u64) -> Stretch {
    let first_ms = (now_ms / DAY_MS).saturating_sub(DAYS) * DAY_MS;
    match noted {
        Some(begun) if !begun.is_done => begun,
        Some(last) => Stretch { from_ms: last.through_ms.max(first_ms), through_ms: now_ms, is_done: false },
        None => Stretch { from_ms: first_ms, through_ms: now_ms, is_done: false },
    }
}

/// As `weir import --format ndjson` reads it.
fn line(one: &Happening) -> Result<String> {
    let mut event = one.event.clone();
    let at = i64::try_from(one.at_ms).ok().and_then(DateTime::from_timestamp_millis).unwrap_or_default();
    if let Some(fields) = event.as_object_mut() {
        let person = &one.person;
        let region = if person.region.is_empty() { String::new() } else { format!("{}-{}", person.country, person.region) };
        for (name, value) in [
            ("timestamp", at.to_rfc3339_opts(SecondsFormat::Millis, true)),
            ("ip", person.address.clone()),
            ("user_agent", person.user_agent.to_owned()),
            ("country", person.country.to_owned()),
            ("region", region),
            ("city", person.city.to_owned()),
        ] {
            fields.insert(name.to_owned(), Value::String(value));
        }
    }
    Ok(serde_json::to_string(&event)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stretch_follows_the_one_before() {
        let now_ms = 1_795_256_430_000;
        let first = next(None, now_ms);
        assert_eq!((first.from_ms % DAY_MS, (now_ms - first.from_ms) / DAY_MS, first.through_ms), (0, DAYS, now_ms));
        assert_eq!(next(Some(first), now_ms + DAY_MS), first, "what was interrupted goes on as it began");
        let done = Stretch { is_done: true, ..first };
        let second = next(Some(done), now_ms + DAY_MS);
        assert_eq!((second.from_ms, second.through_ms, second.is_done), (now_ms, now_ms + DAY_MS, false));
        let late = next(Some(done), now_ms + 400 * DAY_MS);
        assert_eq!((late.through_ms - late.from_ms) / DAY_MS, DAYS, "never more than that");
    }

    #[test]
    fn the_same_stretch_is_the_same_file_in_the_order_of_time() {
        let stretch = Stretch { from_ms: 1_795_046_400_000, through_ms: 1_795_256_430_000, is_done: false };
        let text = stretch.lines().unwrap();
        assert_eq!(text, stretch.lines().unwrap());
        let times: Vec<String> = text
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap()["timestamp"].as_str().unwrap().to_owned())
            .collect();
        assert!(times.len() > 1_000 && times.is_sorted(), "{}", times.len());
        assert!(times.last().unwrap().as_str() < "2026-11-21T10:20:30.001Z");
        let first: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
        for field in ["ip", "user_agent", "country", "n", "d", "u"] {
            assert!(first[field].as_str().is_some_and(|text| !text.is_empty()), "{first}");
        }
    }
}
