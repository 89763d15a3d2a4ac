//! For random rows the report says what a plain count over the rows says.

use super::support::*;
use super::*;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use weir_event::model::Revenue;
use weir_rollup::row::{EventRow, Opening, Position};

/// What the rows of a visit share: site, visitor, bot, channel, country, browser.
type Shared = (u32, u64, u8, u8, u8, u8);
/// A row: visit, time, name, page, interactive, engagement, revenue.
type Own = (usize, i64, u8, u8, bool, Option<u32>, Option<i64>);
/// Site, hour, dimension, value, metric.
type Key = (u32, Option<i64>, &'static str, String, &'static str);

fn shared() -> impl Strategy<Value = Shared> {
    (1..3_u32, 0..3_u64, prop_oneof![4 => Just(0_u8), 1 => 1..4_u8], 0..3_u8, 0..2_u8, 0..2_u8)
}

fn own() -> impl Strategy<Value = Own> {
    (0..6_usize, 0..3 * HOUR, 0..3_u8, 0..3_u8, any::<bool>(), proptest::option::of(0..2000_u32), proptest::option::of(-9..9_i64))
}

fn rows(visits: &[Shared], events: &[Option<Own>]) -> Vec<EventRow> {
    let events = events.iter().enumerate().filter_map(|(number, own)| Some((number, (*own)?)));
    let rows = events.map(|(number, (visit, after_ms, name, page, interactive, engagement_ms, revenue))| {
        let (site_id, visitor_id, bot, channel, country, browser) = visits[visit];
        let opening = Opening {
            visitor_id,
            bot,
            channel: format!("channel {channel}"),
            country: if country == 0 { String::new() } else { "NZ".to_owned() },
            browser: format!("it's {browser}"),
            os_version: format!("{}", country ^ browser),
            ..Opening::default()
        };
        EventRow {
            position: Position { seq: 1 + number as u64 / 3, idx: number as u32 % 3 },
            site_id,
            name: ["pageview", "engagement", "signup"][usize::from(name)].to_owned(),
            pathname: format!("/{page}"),
            hostname: ["a.example", "b.example"][usize::from(page % 2)].to_owned(),
            interactive,
            engagement_ms,
            revenue: revenue.map(|amount_micros| Revenue { currency: "EUR".to_owned(), amount_micros }),
            opening: Arc::new(opening),
            ..row(1, visit as u64, after_ms)
        }
    });
    rows.collect()
}

/// The dimensions of a row; those of visits from the fourth on.
fn values(row: &EventRow) -> Vec<(&'static str, String)> {
    let opening = &row.opening;
    vec![
        ("event:name", row.name.clone()),
        ("event:page", row.pathname.clone()),
        ("event:hostname", row.hostname.clone()),
        ("", String::new()),
        ("visit:source", opening.source.clone()),
        ("visit:referrer", opening.referrer.clone()),
        ("visit:channel", opening.channel.clone()),
        ("visit:utm_source", opening.utm_source.clone()),
        ("visit:utm_medium", opening.utm_medium.clone()),
        ("visit:utm_campaign", opening.utm_campaign.clone()),
        ("visit:utm_content", opening.utm_content.clone()),
        ("visit:utm_term", opening.utm_term.clone()),
        ("visit:country", opening.country.clone()),
        ("visit:region", opening.region.clone()),
        ("visit:city", opening.city.clone()),
        ("visit:device", opening.device.clone()),
        ("visit:browser", opening.browser.clone()),
        ("visit:browser_version", opening.browser_version.clone()),
        ("visit:os", opening.os.clone()),
        ("visit:os_version", opening.os_version.clone()),
    ]
}

/// All figures of rows, by hour or over the whole stretch.
fn count(rows: &[EventRow], by_hour: bool) -> BTreeMap<Key, i64> {
    let mut figures: BTreeMap<Key, i64> = BTreeMap::new();
    let mut distinct: BTreeSet<(Key, u64)> = BTreeSet::new();
    let hour = |ms: i64| by_hour.then_some(ms / HOUR);
    let mut visits: BTreeMap<(u32, u64), Vec<&EventRow>> = BTreeMap::new();
    for row in rows {
        for (number, (dimension, value)) in values(row).into_iter().enumerate() {
            let key = |metric| (row.site_id, hour(row.event_ms), dimension, value.clone(), metric);
            let mut add = |metric, amount| *figures.entry(key(metric)).or_default() += amount;
            if row.opening.bot > 0 {
                add("bot_events", 1);
                continue;
            }
            add("engagement_ms", i64::from(row.engagement_ms.unwrap_or(0)));
            if row.name == "engagement" {
                continue;
            }
            add("events", 1);
            add("pageviews", i64::from(row.name == "pageview"));
            add("revenue_micros", row.revenue.as_ref().map_or(0, |revenue| revenue.amount_micros));
            if number < 3 {
                distinct.extend([(key("visits"), row.visit_id), (key("visitors"), row.opening.visitor_id)]);
            }
        }
        if row.opening.bot == 0 {
            visits.entry((row.site_id, row.visit_id)).or_default().push(row);
        }
    }
    for ((site_id, visit_id), mut rows) in visits {
        rows.retain(|row| row.name != "engagement");
        rows.sort_by_key(|row| (row.event_ms, row.position));
        let Some(first) = rows.first() else { continue };
        let is_bounce = rows.iter().filter(|row| row.interactive).count() < 2;
        let entry = rows.iter().find(|row| row.name == "pageview");
        for (number, (dimension, value)) in values(first).into_iter().enumerate() {
            let value = match dimension {
                "event:page" => entry.map(|row| row.pathname.clone()).unwrap_or_default(),
                "event:hostname" => entry.map(|row| row.hostname.clone()).unwrap_or_default(),
                _ => value,
            };
            let key = |metric| (site_id, hour(first.event_ms), dimension, value.clone(), metric);
            if number >= 3 {
                distinct.extend([(key("visits"), visit_id), (key("visitors"), first.opening.visitor_id)]);
            }
            if is_bounce && number > 0 {
                distinct.insert((key("bounces"), visit_id));
            }
        }
    }
    for (key, _) in distinct {
        *figures.entry(key).or_default() += 1;
    }
    figures
}

/// What differs: served and shadow.
fn differences(served: &[EventRow], shadow: &[EventRow], by_hour: bool) -> BTreeMap<Key, (i64, i64)> {
    let (served, shadow) = (count(served, by_hour), count(shadow, by_hour));
    let keys: BTreeSet<&Key> = served.keys().chain(shadow.keys()).collect();
    let of = |figures: &BTreeMap<Key, i64>, key: &Key| figures.get(key).copied().unwrap_or(0);
    let pairs = keys.into_iter().map(|key| (key.clone(), (of(&served, key), of(&shadow, key))));
    pairs.filter(|(_, (served, shadow))| served != shadow).collect()
}

fn key(change: &Change, hour: Option<i64>) -> (Key, (i64, i64)) {
    ((change.site_id, hour, change.dimension, change.value.clone(), change.metric), (change.served, change.shadow))
}

fn check(served: &[EventRow], shadow: &[EventRow]) -> Result<(), TestCaseError> {
    let mut parts = Parts::new();
    // Two parts on one side, one on the other.
    let (even, odd): (Vec<EventRow>, Vec<EventRow>) = served.iter().cloned().partition(|row| row.position.idx % 2 == 0);
    let served_parts = vec![parts.part(&even), parts.part(&odd)];
    let shadow_parts = vec![parts.part(shadow)];
    let report = parts.report(&[sides(served_parts, shadow_parts)], &Options { limit: 100_000, site_id: None });

    let positions =
        |rows: &[EventRow]| -> BTreeMap<Position, EventRow> { rows.iter().map(|row| (row.position, row.clone())).collect() };
    let (by_served, by_shadow) = (positions(served), positions(shadow));
    let only = |these: &BTreeMap<Position, EventRow>, those: &BTreeMap<Position, EventRow>| {
        these.keys().filter(|position| !those.contains_key(position)).count() as u64
    };
    let changed = by_served.iter().filter(|(key, row)| by_shadow.get(key).is_some_and(|other| other != *row));
    let expected = RowChanges {
        changed: changed.count() as u64,
        served_only: only(&by_served, &by_shadow),
        shadow_only: only(&by_shadow, &by_served),
    };
    prop_assert_eq!(report.rows, expected);
    prop_assert_eq!(report.equal, by_served == by_shadow);

    let mut expected = differences(served, shadow, false);
    expected.retain(|(_, _, dimension, ..), _| !dimension.is_empty());
    let found: BTreeMap<_, _> = report.values.iter().map(|change| key(change, None)).collect();
    prop_assert_eq!(found.len() as u64, report.values_total);
    prop_assert_eq!(found, expected);

    let expected = differences(served, shadow, true);
    let hour_of = |text: &str| HOUR_NAMES.iter().position(|name| *name == text).unwrap() as i64;
    let first = crate::write::tests::HOUR_START_MS / HOUR;
    let found: BTreeMap<_, _> =
        report.differences.iter().map(|found| key(&found.change, Some(first + hour_of(&found.hour)))).collect();
    prop_assert_eq!(found.len() as u64, report.differences_total);
    prop_assert_eq!(found, expected);

    let (all_served, all_shadow) = (count(served, false), count(shadow, false));
    for total in &report.totals {
        let key = (total.site_id, None, "", String::new(), total.metric);
        let of = |figures: &BTreeMap<Key, i64>| figures.get(&key).copied().unwrap_or(0);
        prop_assert_eq!((total.served, total.shadow), (of(&all_served), of(&all_shadow)), "{:?}", total);
    }
    for found in &report.differences {
        for sample in &found.samples {
            let position = Position { seq: sample.seq, idx: sample.index };
            let (served, shadow) = (by_served.get(&position), by_shadow.get(&position));
            prop_assert!(served != shadow, "a row that differs");
            let value = |row: Option<&EventRow>| {
                row.and_then(|row| values(row).into_iter().find(|(name, _)| *name == found.change.dimension))
                    .map(|(_, value)| value)
            };
            prop_assert_eq!((&sample.served, &sample.shadow), (&value(served), &value(shadow)));
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_report_is_what_a_plain_count_says(
        visits in proptest::collection::vec(shared(), 6),
        other_visits in proptest::collection::vec(proptest::option::weighted(0.2, shared()), 6),
        events in proptest::collection::vec(proptest::option::weighted(0.9, own()), 0..40),
        other_events in proptest::collection::vec(proptest::option::weighted(0.1, proptest::option::of(own())), 40),
    ) {
        let shadow_visits: Vec<Shared> = visits.iter().zip(other_visits).map(|(visit, other)| other.unwrap_or(*visit)).collect();
        let shadow_events: Vec<Option<Own>> = events.iter().zip(other_events).map(|(event, other)| other.unwrap_or(*event)).collect();
        check(&rows(&visits, &events), &rows(&shadow_visits, &shadow_events))?;
    }
}
