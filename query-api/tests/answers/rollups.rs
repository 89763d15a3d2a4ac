//! Figures made ahead give the answers that rows give: for random visits, zones, ranges and layouts.

use crate::fixture::{Fixture, Layout, Visit, lines};
use crate::rolled::{ALWAYS, checked, merge_rollups, write_rollup};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::Arc;
use weir_rollup::manifest::Rollup;
use weir_rollup::rollup::Pays;
use weir_rollup::row::{EventRow, Opening};

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 24 * 60 * MINUTE_MS;
/// Days of data.
const DAYS: i64 = 24;

/// A zone, the first day of the data; most with a change of the clock in between.
const PLACES: [(&str, &str); 8] = [
    ("UTC", "2026-10-20"),
    ("Europe/Berlin", "2026-10-14"),
    ("Europe/Berlin", "2026-03-20"),
    ("Asia/Kolkata", "2026-10-20"),
    ("Asia/Kathmandu", "2026-10-20"),
    ("Australia/Lord_Howe", "2026-09-25"),
    ("America/St_Johns", "2026-10-20"),
    ("Pacific/Apia", "2026-10-20"),
];

/// A visit: the day and minute it begins, whose it is, what it comes with, and its events: milliseconds after the one before, name, page, host,
/// and whether it ends a bounce.
#[derive(Clone, Debug)]
struct Story {
    day: i64,
    minute: i64,
    visitor: u64,
    source: &'static str,
    country: &'static str,
    bot: bool,
    events: Vec<(i64, &'static str, &'static str, &'static str, bool)>,
}

fn story() -> impl Strategy<Value = Story> {
    let event = (
        prop_oneof![3 => 0..29 * MINUTE_MS, 1 => Just(0)],
        prop::sample::select(vec!["pageview", "pageview", "pageview", "Signup", "engagement"]),
        prop::sample::select(vec!["/", "/a", "/b"]),
        prop::sample::select(vec!["a.example", "a.example", "shop.a.example"]),
        prop::bool::weighted(0.8),
    );
    // Near midnight (UTC), near that of a zone, or whenever.
    let minute = prop_oneof![2 => 1_380_i64..1_440, 1 => 0_i64..30, 1 => 1_040_i64..1_120, 3 => 0_i64..1_440];
    let opening =
        (prop::sample::select(vec!["", "Google", "Bing"]), prop::sample::select(vec!["DE", "IN"]), prop::bool::weighted(0.05));
    (0..DAYS, minute, 1_u64..5, opening, prop::collection::vec(event, 1..9)).prop_map(
        |(day, minute, visitor, (source, country, bot), mut events)| {
            // Engagement never opens a visit.
            if let Some(first) = events.first_mut() {
                (first.0, first.1) = (0, "Signup");
            }
            Story { day, minute, visitor, source, country, bot, events }
        },
    )
}

/// The rows of stories in an order of arrival that is not theirs.
fn rows(stories: &[Story], first_ms: i64, order: &[usize]) -> Vec<EventRow> {
    let mut rows = Vec::new();
    for (index, story) in stories.iter().enumerate() {
        let opening = Opening {
            // Ids change with the UTC day.
            visitor_id: story.day as u64 * 10 + story.visitor,
            bot: if story.bot { 3 } else { 0 },
            source: story.source.to_owned(),
            country: story.country.to_owned(),
            ..Opening::default()
        };
        let visit = Visit::new(index as u64 + 1, opening);
        let mut now_ms = first_ms + story.day * DAY_MS + story.minute * MINUTE_MS;
        for (gap_ms, name, page, host, interactive) in &story.events {
            now_ms += gap_ms;
            let row = visit.event(0, now_ms, name, page, &[]);
            rows.push(EventRow { hostname: (*host).to_owned(), interactive: *interactive && row.interactive, ..row });
        }
    }
    for (index, row) in rows.iter_mut().enumerate() {
        row.position.seq = (order.get(index % order.len()).copied().unwrap_or(0) * 997 + index) as u64;
    }
    rows.sort_by_key(|row| row.position.seq);
    for (seq, row) in rows.iter_mut().enumerate() {
        row.position.seq = seq as u64 + 1;
    }
    rows
}

/// The same rows twice: without rollups, and with some of the days between the cuts.
struct Both {
    plain: Fixture,
    rolled: Fixture,
}

impl Both {
    fn new(layout: &Layout, zone: &str, first_ms: i64, cuts: &[i64], pays: Pays) -> Self {
        let both = Self { plain: Fixture::in_zone(layout, zone), rolled: Fixture::in_zone(layout, zone) };
        let store = &both.rolled.service.store;
        let view = both.rolled.partition.borrow().as_ref().clone();
        let parts = &view.manifest.as_ref().unwrap().parts;
        let mut rollups: Vec<Rollup> = Vec::new();
        let mut days = cuts.to_vec();
        days.sort_unstable();
        for (index, pair) in days.windows(2).enumerate().filter(|(_, pair)| pair[0] < pair[1]) {
            let span = (first_ms + pair[0] * DAY_MS, first_ms + pair[1] * DAY_MS);
            rollups.push(write_rollup(store, &index.to_string(), parts, span, pays));
        }
        // The first two become one file, another is missing.
        if rollups.len() > 3 {
            let merged = merge_rollups(store, "merged", &rollups[..2]);
            rollups.splice(..2, [merged]);
            rollups.remove(1);
        }
        both.rolled.list(rollups);
        both
    }
}

impl Fixture {
    /// Lists these rollups in the manifest.
    fn list(&self, rollups: Vec<Rollup>) {
        self.partition.send_modify(|view| {
            let mut changed = view.as_ref().clone();
            let mut manifest = changed.manifest.as_ref().unwrap().as_ref().clone();
            manifest.rollups = rollups;
            changed.manifest = Some(Arc::new(manifest));
            *view = Arc::new(changed);
        });
    }

    /// Changes what is in the rollups, and lists them so.
    fn change_rollups(&self, sql: &str) {
        let (view, store) = (self.partition.borrow().clone(), &self.service.store);
        let change = |rollup: &Rollup| {
            let connection = duckdb::Connection::open(store.local_path(&rollup.name).unwrap()).unwrap();
            connection.execute_batch(sql).unwrap();
            connection.close().map_err(|(_, error)| error).unwrap();
            checked(store, rollup.clone())
        };
        self.list(view.manifest.as_ref().unwrap().rollups.iter().map(change).collect());
    }
}

fn queries(range: &Value) -> Vec<Value> {
    let all = json!(["visitors", "visits", "pageviews", "events", "bounce_rate", "visit_duration"]);
    let of_rows = json!(["visitors", "visits", "pageviews", "events"]);
    let mut queries = vec![
        json!({"metrics": ["visitors", "visits", "pageviews", "events", "bounce_rate", "visit_duration", "views_per_visit"]}),
        json!({"metrics": ["events", "pageviews"]}),
        json!({"metrics": ["visitors"], "dimensions": ["event:page"], "filters": [["is", "event:page", ["/a"]]]}),
        json!({"metrics": ["visitors", "percentage"], "dimensions": ["visit:source"], "include": {"total_rows": true}}),
        json!({"metrics": ["visits"], "dimensions": ["visit:entry_page"], "pagination": {"limit": 2}}),
        json!({"metrics": ["pageviews"], "dimensions": ["visit:country"]}),
        json!({"metrics": all, "dimensions": ["time:day"], "include": {"time_labels": true}}),
        json!({"metrics": all, "dimensions": ["time:week"]}),
        json!({"metrics": all, "dimensions": ["time:month"]}),
        json!({"metrics": ["events"], "dimensions": ["time:day"]}),
        json!({"metrics": all, "include": {"comparisons": {"mode": "previous_period"}}}),
    ];
    for dimension in ["visit:source", "visit:country", "visit:device"] {
        queries.push(json!({"metrics": all, "dimensions": [dimension]}));
    }
    for dimension in ["visit:entry_page", "visit:exit_page"] {
        queries.push(
            json!({"metrics": ["visitors", "visits", "bounce_rate", "visit_duration", "percentage"], "dimensions": [dimension]}),
        );
    }
    for dimension in ["event:page", "event:hostname", "event:name"] {
        queries.push(json!({"metrics": of_rows, "dimensions": [dimension]}));
    }
    for (filter, metrics) in [
        (json!(["is", "visit:source", ["Google"]]), &all),
        (json!(["is", "visit:source", ["Direct / None"]]), &all),
        (json!(["is", "visit:exit_page", ["/b"]]), &all),
        (json!(["is", "visit:entry_page", ["(not set)"]]), &all),
        (json!(["is", "event:page", ["/a"]]), &of_rows),
        (json!(["is", "event:name", ["Signup"]]), &of_rows),
    ] {
        queries.push(json!({"metrics": metrics, "filters": [filter]}));
        queries.push(json!({"metrics": metrics, "filters": [filter], "dimensions": ["time:day"]}));
    }
    for query in &mut queries {
        query["date_range"] = range.clone();
    }
    queries
}

fn first_ms(date: &str) -> i64 {
    crate::fixture::at(&format!("{date}T00:00:00Z"))
}

/// Days of the data as a query asks for them: local days, or instants.
fn range(first_ms: i64, (from, to): (i64, i64), instants: Option<(i64, i64)>) -> Value {
    let at = |ms: i64| chrono::DateTime::from_timestamp_millis(ms).unwrap();
    let day = |day: i64| first_ms + day * DAY_MS;
    match instants {
        Some((after, before)) => {
            let second = |ms: i64| at(ms).to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
            json!([second(day(from) + after), second(day(to) - before)])
        }
        None => json!([at(day(from)).date_naive().to_string(), at(day(to)).date_naive().to_string()]),
    }
}

fn layout(rows: &[EventRow], picks: &[usize], tail: usize) -> Layout {
    crate::property::divide(rows, picks, tail)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 5, max_shrink_iters: 10, ..ProptestConfig::default() })]

    #[test]
    fn rollups_change_no_answer(
        stories in prop::collection::vec(story(), 60..140),
        order in prop::collection::vec(0_usize..50, 1..20),
        picks in prop::collection::vec(0_usize..4, 1..20),
        tail in prop_oneof![3 => Just(0_usize), 1 => 0_usize..6],
        place in 0..PLACES.len(),
        cuts in prop::collection::vec(0_i64..DAYS, 2..7),
        days in (0_i64..6, 14_i64..DAYS),
        asked in prop::collection::vec(any::<prop::sample::Index>(), 12),
        instants in prop::option::of((prop_oneof![0..DAY_MS, (0_i64..96).prop_map(|quarter| quarter * 15 * MINUTE_MS)], 1_000..DAY_MS)),
    ) {
        let (zone, date) = PLACES[place];
        let first_ms = first_ms(date);
        let rows = rows(&stories, first_ms, &order);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let cuts = [cuts, vec![1, DAYS - 1]].concat();
            let both = Both::new(&layout(&rows, &picks, tail), zone, first_ms, &cuts, ALWAYS);
            let queries = queries(&range(first_ms, days, instants));
            for query in asked.iter().map(|index| index.get(&queries)) {
                let expected = both.plain.answer(query.clone()).await;
                prop_assert_eq!(&both.rolled.answer(query.clone()).await, &expected, "{} {}", zone, query);
            }
            Ok(())
        })?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2, max_shrink_iters: 10, ..ProptestConfig::default() })]

    /// Visitors divided among two regions, each with rollups of its own days.
    #[test]
    fn rollups_of_two_regions_change_no_answer(
        stories in prop::collection::vec(story(), 60..120),
        picks in prop::collection::vec(0_usize..4, 1..20),
        place in 0..PLACES.len(),
        cuts in (prop::collection::vec(0_i64..DAYS, 1..5), prop::collection::vec(0_i64..DAYS, 1..5)),
        days in (0_i64..6, 14_i64..DAYS),
        asked in prop::collection::vec(any::<prop::sample::Index>(), 10),
    ) {
        let (zone, date) = PLACES[place];
        let first_ms = first_ms(date);
        let rows = rows(&stories, first_ms, &[0]);
        let of = |rest: u64| {
            let mut some: Vec<EventRow> = rows.iter().filter(|row| row.opening.visitor_id % 2 == rest).cloned().collect();
            some.iter_mut().zip(1..).for_each(|(row, seq)| row.position.seq = seq);
            layout(&some, &picks, 0)
        };
        prop_assume!((0..2).all(|rest| rows.iter().any(|row| row.opening.visitor_id % 2 == rest)));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let whole = Fixture::in_zone(&layout(&rows, &picks, 0), zone);
            let here = Both::new(&of(0), zone, first_ms, &[cuts.0, vec![1, DAYS - 1]].concat(), ALWAYS).rolled;
            let (router, away, other) = here.beside_in(&of(1), zone);
            let view = away.borrow().clone();
            let mut days_there = [cuts.1, vec![2, DAYS - 2]].concat();
            days_there.sort_unstable();
            let spans = days_there.windows(2).filter(|pair| pair[0] < pair[1]).enumerate();
            let write = |(index, pair): (usize, &[i64])| {
                let span = (first_ms + pair[0] * DAY_MS, first_ms + pair[1] * DAY_MS);
                write_rollup(&other.store, &format!("away-{index}"), &view.manifest.as_ref().unwrap().parts, span, ALWAYS)
            };
            let rollups = spans.map(write).collect();
            away.send_modify(|view| {
                let view = Arc::make_mut(view);
                let mut manifest = view.manifest.as_ref().unwrap().as_ref().clone();
                manifest.rollups = rollups;
                view.manifest = Some(Arc::new(manifest));
            });
            let queries = queries(&range(first_ms, days, None));
            for query in asked.iter().map(|index| index.get(&queries)) {
                let mut body = json!({"site_id": "a.example"});
                body.as_object_mut().unwrap().extend(query.as_object().unwrap().clone());
                let (_, text) = crate::fixture::send(&router, crate::fixture::post(crate::fixture::KEY, &body.to_string())).await;
                let found: Value = serde_json::from_str(&text).unwrap();
                let expected = whole.answer(query.clone()).await;
                prop_assert_eq!(&found["results"], &expected["results"], "{} {}", zone, query);
            }
            Ok(())
        })?;
    }
}

/// Figures made ahead in two regions are read where both know them, and only there.
#[tokio::test]
async fn rollups_of_two_regions_are_read_where_both_have_them() {
    let date = "2026-10-20";
    let rows = rows(&regular(), first_ms(date), &[0]);
    let of = |rest: u64| {
        let mut some: Vec<EventRow> = rows.iter().filter(|row| row.opening.visitor_id % 2 == rest).cloned().collect();
        some.iter_mut().zip(1..).for_each(|(row, seq)| row.position.seq = seq);
        layout(&some, &[0, 1], 0)
    };
    let here = Both::new(&of(0), "UTC", first_ms(date), &[1, 22], ALWAYS).rolled;
    let (router, away, other) = here.beside_in(&of(1), "UTC");
    let ask = async || {
        let body = json!({"site_id": "a.example", "metrics": ["visitors"], "date_range": [date, "2026-11-12"]});
        let (_, text) = crate::fixture::send(&router, crate::fixture::post(crate::fixture::KEY, &body.to_string())).await;
        serde_json::from_str::<Value>(&text).unwrap()["results"][0]["metrics"][0].as_i64().unwrap()
    };
    let exact = ask().await;
    assert_eq!(exact, 2 * DAYS);
    here.change_rollups("UPDATE quarters SET visitors_new = visitors_new + 100");
    assert_eq!(ask().await, exact, "the other region has none: rows answer for both");
    let view = away.borrow().clone();
    let span = (first_ms(date) + 2 * DAY_MS, first_ms(date) + 20 * DAY_MS);
    let rollup = write_rollup(&other.store, "away", &view.manifest.as_ref().unwrap().parts, span, ALWAYS);
    away.send_modify(|view| {
        let view = Arc::make_mut(view);
        let manifest = view.manifest.as_ref().unwrap().as_ref().clone();
        view.manifest = Some(Arc::new(weir_rollup::manifest::Manifest { rollups: vec![rollup], ..manifest }));
    });
    assert!(ask().await > exact, "both have figures made ahead, and one of them is wrong");
}

/// A visit each on every day, of two visitors; every third over midnight.
fn regular() -> Vec<Story> {
    let story = |day: i64, visitor: u64| Story {
        day,
        minute: if day % 3 == 0 { 1_430 } else { 600 },
        visitor,
        source: if visitor == 1 { "Google" } else { "" },
        country: "DE",
        bot: false,
        events: vec![(0, "pageview", "/", "a.example", true), (20 * MINUTE_MS, "pageview", "/a", "a.example", true)],
    };
    (0..DAYS).flat_map(|day| [story(day, 1), story(day, 2)]).collect()
}

/// What a rollup says is what the answer says: a change of one is seen, and where none is seen rows were read.
#[tokio::test]
async fn rollups_are_read_where_they_can_be() {
    let date = "2026-10-20";
    let rows = rows(&regular(), first_ms(date), &[0]);
    let both =
        |zone: &str, tail: usize, pays: Pays| Both::new(&layout(&rows, &[0, 1], tail), zone, first_ms(date), &[1, 22], pays);
    let spoil = "UPDATE quarters SET visitors_new = visitors_new + 100; UPDATE days SET visitors_new = visitors_new + 100; \
                 UPDATE months SET visitors_new = visitors_new + 100";
    let check = async |both: &Both, query: Value, expected: bool| {
        let mut query = query;
        if query["date_range"].is_null() {
            query["date_range"] = json!([date, "2026-11-12"]);
        }
        let plain = lines(&both.plain.answer(query.clone()).await);
        let rolled = lines(&both.rolled.answer(query.clone()).await);
        assert_eq!(plain != rolled, expected, "{query}\n{plain:?}\n{rolled:?}");
    };
    let visitors = json!(["visitors"]);
    let utc = both("UTC", 0, ALWAYS);
    utc.rolled.change_rollups(spoil);
    for (query, expected) in [
        (json!({"metrics": visitors}), true),
        (json!({"metrics": visitors, "dimensions": ["time:day"]}), true),
        (json!({"metrics": visitors, "dimensions": ["time:hour"], "date_range": [date, "2026-11-08"]}), false),
        (json!({"metrics": visitors, "dimensions": ["event:page"]}), true),
        (json!({"metrics": visitors, "dimensions": ["visit:source"], "filters": [["is", "visit:country", ["DE"]]]}), false),
        (json!({"metrics": visitors, "filters": [["is", "visit:country", ["DE"]]]}), true),
        (json!({"metrics": visitors, "filters": [["is", "visit:country", ["DE", "IN"]]]}), false),
        (json!({"metrics": visitors, "filters": [["is", "visit:country", ["de"], {"case_sensitive": false}]]}), false),
        (json!({"metrics": visitors, "filters": [["is", "event:page", ["/a"]]], "dimensions": ["time:day"]}), true),
        (json!({"metrics": ["visitors", "bounce_rate"], "dimensions": ["event:page"]}), false),
        (json!({"metrics": visitors, "date_range": [date, "2026-10-24"]}), false),
        (json!({"metrics": visitors, "dimensions": ["visit:country_name"]}), false),
    ] {
        check(&utc, query, expected).await;
    }
    // What was there already counts where days begin, and only there.
    let carried = both("UTC", 0, ALWAYS);
    carried.rolled.change_rollups(
        "UPDATE quarters SET visits_carried = 0; UPDATE days SET visits_carried = 0; UPDATE months SET visits_carried = 0",
    );
    check(&carried, json!({"metrics": ["visits"], "dimensions": ["time:day"]}), true).await;
    check(&carried, json!({"metrics": ["visits"]}), false).await;
    check(&carried, json!({"metrics": ["visits"], "date_range": ["2026-10-24", "2026-11-12"]}), true).await;
    // Days of another zone end inside the days of the rollup: no dimension is known by quarters of an hour.
    let away = both("Asia/Kathmandu", 0, ALWAYS);
    away.rolled.change_rollups(spoil);
    check(&away, json!({"metrics": visitors, "dimensions": ["time:day"]}), true).await;
    check(&away, json!({"metrics": visitors, "dimensions": ["event:page"]}), true).await;
    check(&away, json!({"metrics": visitors, "filters": [["is", "event:page", ["/a"]]], "dimensions": ["time:day"]}), false)
        .await;
    // One that is damaged is not read.
    let damaged = both("UTC", 0, ALWAYS);
    damaged.rolled.change_rollups(spoil);
    let listed = damaged.rolled.partition.borrow().manifest.as_ref().unwrap().rollups.clone();
    damaged.rolled.list(listed.into_iter().map(|rollup| Rollup { checksum: "0".repeat(64), ..rollup }).collect());
    check(&damaged, json!({"metrics": visitors}), false).await;
    // Live events near its days make a rollup useless, and it has no figures of a site with too few events.
    for other in [both("UTC", 6, ALWAYS), both("UTC", 0, Pays { site_events: 1_000, row_events: 0 })] {
        other.rolled.change_rollups(spoil);
        check(&other, json!({"metrics": visitors}), false).await;
    }
}

/// A visitor whose id does not change with the day cannot be counted by days: his site is left out.
#[tokio::test]
async fn a_site_whose_visitors_do_not_keep_to_days_is_read_from_rows() {
    let date = "2026-10-20";
    let mut rows = rows(&regular(), first_ms(date), &[0]);
    for row in &mut rows {
        row.opening = Arc::new(Opening { visitor_id: 7, ..row.opening.as_ref().clone() });
    }
    let both = Both::new(&layout(&rows, &[0, 1], 0), "UTC", first_ms(date), &[1, 22], ALWAYS);
    for query in queries(&json!([date, "2026-11-12"])) {
        assert_eq!(both.rolled.answer(query.clone()).await, both.plain.answer(query.clone()).await, "{query}");
    }
}
