//! Time buckets and figures of pages are those that a plain walk over the events gives, where clocks change and in zones of half and
//! quarter hours.

use crate::fixture::{Fixture, Visit};
use crate::property::divide;
use chrono::{DateTime, NaiveDate, TimeZone};
use chrono_tz::Tz;
use proptest::prelude::*;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use weir_rollup::row::{EventRow, Opening};

const MINUTE_MS: i64 = 60_000;

/// A zone, a day of it, and an instant around which visits happen: mostly a change of the clock.
const PLACES: [(&str, &str, &str); 9] = [
    ("Europe/Berlin", "2026-10-25", "2026-10-25T01:00:00Z"),
    ("Europe/Berlin", "2026-03-29", "2026-03-29T01:00:00Z"),
    ("Australia/Lord_Howe", "2026-04-05", "2026-04-04T15:00:00Z"),
    ("Australia/Lord_Howe", "2026-10-04", "2026-10-03T15:30:00Z"),
    ("America/St_Johns", "2026-11-01", "2026-11-01T04:30:00Z"),
    ("Africa/Cairo", "2026-04-24", "2026-04-23T22:00:00Z"),
    ("Asia/Kathmandu", "2026-11-19", "2026-11-18T18:15:00Z"),
    ("Asia/Kolkata", "2026-11-19", "2026-11-19T10:00:00Z"),
    ("America/Havana", "2026-11-01", "2026-11-01T05:00:00Z"),
];

/// What happened, each time so many milliseconds after the one before: page, and of a ping the engaged time and depth.
type Happening = (i64, &'static str, Option<(u32, u8)>);

fn happening() -> impl Strategy<Value = Happening> {
    let ping = (0_u32..90_000, prop_oneof![4 => 0_u8..=100, 1 => Just(255_u8)]);
    (0..29 * MINUTE_MS, prop::sample::select(vec!["/", "/a", "/b"]), prop::option::of(ping))
}

/// Visitor, start in milliseconds from the middle, what happened.
type Story = (u64, i64, Vec<Happening>);

fn story() -> impl Strategy<Value = Story> {
    (1_u64..5, -4 * 60 * MINUTE_MS..3 * 60 * MINUTE_MS, prop::collection::vec(happening(), 1..8))
}

fn rows(stories: &[Story], middle_ms: i64) -> Vec<EventRow> {
    let mut rows = Vec::new();
    for (index, (visitor_id, start_ms, happenings)) in stories.iter().enumerate() {
        let visit = Visit::new(index as u64 + 1, Opening { visitor_id: *visitor_id, ..Opening::default() });
        let mut now_ms = middle_ms + start_ms;
        for (number, (gap_ms, page, ping)) in happenings.iter().enumerate() {
            now_ms += gap_ms;
            let seq = rows.len() as u64 + 1;
            rows.push(match ping.filter(|_| number > 0) {
                None => visit.event(seq, now_ms, "pageview", page, &[]),
                Some((engagement_ms, depth)) => EventRow {
                    engagement_ms: Some(engagement_ms),
                    scroll_depth: Some(depth),
                    ..visit.event(seq, now_ms, "engagement", page, &[])
                },
            });
        }
    }
    rows
}

/// What the clock on the wall shows, down to so many minutes.
fn label(zone: Tz, instant_ms: i64, minutes: u32) -> String {
    let local = DateTime::from_timestamp_millis(instant_ms).unwrap().with_timezone(&zone).naive_local();
    let minute: u32 = local.format("%M").to_string().parse().unwrap();
    local.format(&format!("%Y-%m-%d %H:{:02}:00", minute / minutes * minutes)).to_string()
}

/// Instants of a local day.
fn day(zone: Tz, date: &str) -> (i64, i64) {
    let date: NaiveDate = date.parse().unwrap();
    let start = |date: NaiveDate| {
        // The first minute of the date, which may not be midnight.
        let mut local = date.and_hms_opt(0, 0, 0).unwrap();
        loop {
            if let Some(found) = zone.from_local_datetime(&local).earliest() {
                return found.timestamp_millis();
            }
            local += chrono::TimeDelta::minutes(1);
        }
    };
    (start(date), start(date.succ_opt().unwrap()))
}

/// Visitors, visits, pageviews by what the clock showed while the visits lasted.
fn by_time(rows: &[EventRow], zone: Tz, (start_ms, end_ms): (i64, i64), minutes: u32) -> Vec<String> {
    let mut found: BTreeMap<String, (BTreeSet<u64>, BTreeSet<u64>, u32)> = BTreeMap::new();
    let mut visits: BTreeMap<u64, Vec<&EventRow>> = BTreeMap::new();
    rows.iter().filter(|row| row.name == "pageview").for_each(|row| visits.entry(row.visit_id).or_default().push(row));
    for (visit, rows) in &visits {
        let (first, last) = (rows.first().unwrap().event_ms.max(start_ms), rows.last().unwrap().event_ms.min(end_ms - 1));
        let mut at = first;
        while at <= last {
            let (visitors, visits, _) = found.entry(label(zone, at, minutes)).or_default();
            visitors.insert(rows[0].opening.visitor_id);
            visits.insert(*visit);
            at = (at / MINUTE_MS + 1) * MINUTE_MS;
        }
        for row in rows.iter().filter(|row| (start_ms..end_ms).contains(&row.event_ms)) {
            found.entry(label(zone, row.event_ms, minutes)).or_default().2 += 1;
        }
    }
    let line = |(label, (visitors, visits, views)): (String, (BTreeSet<u64>, BTreeSet<u64>, u32))| {
        format!("{label} -> {} | {} | {views}", visitors.len(), visits.len())
    };
    found.into_iter().map(line).collect()
}

fn known(value: Option<String>) -> String {
    value.unwrap_or_else(|| "null".to_owned())
}

/// Visits, scroll depth, time on page of rows that share a label.
fn of_page(rows: &[&EventRow]) -> Option<String> {
    let visits: BTreeSet<u64> = rows.iter().filter(|row| row.name == "pageview").map(|row| row.visit_id).collect();
    let mut depths: BTreeMap<u64, u8> = BTreeMap::new();
    for row in rows {
        if let Some(depth) = row.scroll_depth.filter(|depth| *depth <= 100) {
            let deepest = depths.entry(row.visit_id).or_default();
            *deepest = depth.max(*deepest);
        }
    }
    let sum: u32 = depths.values().map(|depth| u32::from(*depth)).sum();
    let depth = (!depths.is_empty()).then(|| (f64::from(sum) / depths.len() as f64).round().to_string());
    let engaged: u64 = rows.iter().filter_map(|row| row.engagement_ms).map(u64::from).sum();
    let seen: BTreeSet<u64> = rows.iter().map(|row| row.visit_id).collect();
    let time = (engaged as f64 / 1_000.0 / seen.len() as f64).round();
    (!visits.is_empty()).then(|| format!("{} | {} | {time}", visits.len(), known(depth)))
}

fn by_label(rows: &[&EventRow], label: impl Fn(&EventRow) -> String) -> Vec<String> {
    let mut found: BTreeMap<String, Vec<&EventRow>> = BTreeMap::new();
    for row in rows {
        found.entry(label(row)).or_default().push(row);
    }
    found.iter().filter_map(|(label, rows)| Some(format!("{label} -> {}", of_page(rows)?))).collect()
}

/// Visits and exit rate by exit page.
fn exits(rows: &[EventRow], (start_ms, end_ms): (i64, i64)) -> Vec<String> {
    let mut visits: BTreeMap<u64, Vec<&EventRow>> = BTreeMap::new();
    let views = || rows.iter().filter(|row| row.name == "pageview");
    views().for_each(|row| visits.entry(row.visit_id).or_default().push(row));
    let mut exits: BTreeMap<&str, u32> = BTreeMap::new();
    for rows in visits.values() {
        let (first, last) = (rows.first().unwrap(), rows.last().unwrap());
        if first.event_ms < end_ms && last.event_ms >= start_ms {
            *exits.entry(last.pathname.as_str()).or_default() += 1;
        }
    }
    let line = |(page, count): (&str, u32)| {
        let seen = views().filter(|row| row.pathname == page && (start_ms..end_ms).contains(&row.event_ms)).count();
        let rate = (seen > 0).then(|| format!("{:?}", (f64::from(count) * 100.0 / seen as f64 * 10.0).round() / 10.0));
        format!("{page} -> {count} | {}", known(rate))
    };
    exits.into_iter().map(line).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 18, max_shrink_iters: 40, ..ProptestConfig::default() })]

    #[test]
    fn buckets_and_pages_are_those_of_a_plain_walk(
        place in prop::sample::select(PLACES.to_vec()),
        stories in prop::collection::vec(story(), 1..8),
        picks in prop::collection::vec(0_usize..4, 1..12),
        tail in 0_usize..20,
    ) {
        let (name, date, middle) = place;
        let zone: Tz = name.parse().unwrap();
        let rows = rows(&stories, crate::fixture::at(middle));
        let range = day(zone, date);
        let inside: Vec<&EventRow> = rows.iter().filter(|row| (range.0..range.1).contains(&row.event_ms)).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let fixture = Fixture::in_zone(&divide(&rows, &picks, tail), name);
            let dates = json!([date, date]);
            for (dimension, minutes) in [("time:minute", 1), ("time:15min", 15), ("time:hour", 60)] {
                let query = json!({"metrics": ["visitors", "visits", "pageviews"], "date_range": dates, "dimensions": [dimension]});
                prop_assert_eq!(fixture.results(query).await, by_time(&rows, zone, range, minutes), "{} in {}", dimension, name);
            }
            let metrics = json!(["visits", "scroll_depth", "time_on_page"]);
            let by_page = json!({"metrics": metrics, "date_range": dates, "dimensions": ["event:page"], "order_by": [["event:page", "asc"]]});
            prop_assert_eq!(fixture.results(by_page).await, by_label(&inside, |row| row.pathname.clone()));
            let of_one = json!({"metrics": metrics, "date_range": dates, "dimensions": ["time:15min"], "filters": [["is", "event:page", ["/a"]]]});
            let rows_of_one: Vec<&EventRow> = inside.iter().copied().filter(|row| row.pathname == "/a").collect();
            prop_assert_eq!(fixture.results(of_one).await, by_label(&rows_of_one, |row| label(zone, row.event_ms, 15)));
            let by_exit = json!({"metrics": ["visits", "exit_rate"], "date_range": dates, "dimensions": ["visit:exit_page"],
                "order_by": [["visit:exit_page", "asc"]]});
            prop_assert_eq!(fixture.results(by_exit).await, exits(&rows, range));
            Ok(())
        })?;
    }
}
