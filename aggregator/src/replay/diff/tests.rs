use super::support::*;
use super::*;
use crate::compact::{self, Keeping, Places};
use crate::write::Label;
use crate::write::tests::{HOUR_START_MS, label, limits, read, rows};
use std::path::PathBuf;
use weir_event::model::Revenue;
use weir_rollup::manifest::{Level, Part};
use weir_rollup::merge;
use weir_rollup::part;
use weir_rollup::row::EventRow;

const ALL: Options = Options { limit: 1000, site_id: None };

fn shorts(changes: &[Change]) -> Vec<Short<'_>> {
    changes.iter().map(short).collect()
}

struct Outputs<'a>(&'a mut Parts, u32);

impl Places for Outputs<'_> {
    fn next(&mut self, level: Level) -> (Label, PathBuf) {
        self.1 += 1;
        let name = format!("merged {}", self.1);
        (label(&name, level), self.0.path().join(&name))
    }
}

#[test]
fn the_same_rows_in_other_parts_and_without_event_ids_are_equal() {
    let mut parts = Parts::new();
    let rows = rows(1, 900, 3);
    let served: Vec<Input> = rows.chunks(300).map(|rows| parts.part(rows)).collect();
    let listed: Vec<Part> = served.iter().map(|input| input.part.clone()).collect();
    let job = merge::plan(&listed, &merge::Limits { flush_parts: 2, ..merge::Limits::default() }).unwrap();
    let limits = limits(parts.path());
    let keeping = Keeping { ids_from_ms: i64::MAX, ledger_apart: vec![], part_bytes: u64::MAX };
    let merged = compact::run(&limits, &Interrupt::default(), &served, &job, &keeping, &mut Outputs(&mut parts, 0)).unwrap();
    assert_eq!(merged.outputs.len(), 3);
    let shadow = merged.outputs.into_iter().map(|output| Input { part: output.part, path: output.file.into() }).collect();
    let report = parts.report(&[sides(served, shadow)], &ALL);
    let checksum = report.partitions[0].served.checksum.clone();
    assert_eq!(checksum, part::combine_checksums(listed.iter().map(|part| part.content_checksum.as_str())).unwrap());
    let content = Content { rows: 900, checksum };
    let partition = PartitionContents {
        region: "local".to_owned(),
        partition: 0,
        from_seq: 1,
        through_seq: 1_000_000,
        served: content.clone(),
        shadow: content,
        equal: true,
    };
    assert_eq!(report, Report { equal: true, partitions: vec![partition], ..Report::default() });
}

#[test]
fn the_checksum_is_that_of_the_rows_inside_the_stretch() {
    let mut parts = Parts::new();
    let (input, other) = (parts.part(&rows(1, 500, 2)), parts.part(&rows(100, 50, 2)));
    let connection = read(&input.path);
    let expected: String = connection
        .query_row(&part::checksum_sql("(SELECT * FROM p.events WHERE seq > 10 AND seq <= 20)"), [], |row| row.get(0))
        .unwrap();
    // The same file on both sides; the other one lies wholly outside.
    let sides = Sides { after_seq: 10, through_seq: 20, ..sides(vec![input.clone(), other], vec![input]) };
    let report = parts.report(&[sides], &ALL);
    let found = &report.partitions[0];
    assert_eq!((found.from_seq, found.through_seq, found.equal), (11, 20, true));
    assert_eq!((&found.served, &found.shadow), (&Content { rows: 100, checksum: expected }, &found.served));
}

#[test]
fn nothing_on_both_sides_is_equal_and_nothing_on_one_is_not() {
    let mut parts = Parts::new();
    let empty = parts.report(&[sides(vec![], vec![])], &ALL);
    assert!(empty.equal);
    assert_eq!(empty.partitions[0].served, Content { rows: 0, checksum: "0-m0000000000000000".to_owned() });
    assert!(parts.report(&[], &ALL).equal);
    let input = parts.part(&[row(1, 1, 0)]);
    let report = parts.report(&[sides(vec![], vec![input])], &ALL);
    assert_eq!((report.equal, report.rows), (false, RowChanges { shadow_only: 1, ..RowChanges::default() }));
    assert_eq!((report.totals[0].served, report.totals[0].shadow), (0, 1));
}

/// Two visits of two hours; the first has two page views, one in each hour.
fn journey() -> Vec<EventRow> {
    vec![row(5, 1, HOUR - 60_000), row(6, 2, HOUR - 50_000), row(7, 1, HOUR + 10), row(8, 3, HOUR + 20)]
}

#[test]
fn a_visit_with_another_channel_moves_its_figures() {
    let (served, mut shadow) = (journey(), journey());
    for row in shadow.iter_mut().filter(|row| row.visit_id == 1) {
        reopen(row, |opening| opening.channel = "Email".to_owned());
    }
    let report = Parts::new().compare(&served, &shadow, &ALL);
    assert_eq!(report.rows, RowChanges { changed: 2, ..RowChanges::default() });
    let totals: Vec<_> = report.totals.iter().map(|total| (total.metric, total.served, total.difference)).collect();
    let expected = [
        ("events", 4, 0),
        ("pageviews", 4, 0),
        ("visits", 3, 0),
        ("visitors", 3, 0),
        ("bounces", 2, 0),
        ("engagement_ms", 0, 0),
        ("revenue_micros", 0, 0),
        ("bot_events", 0, 0),
    ];
    assert_eq!(totals, expected);
    let channel = |metric, value, served, shadow| (metric, "visit:channel", value, served, shadow);
    assert_eq!(
        shorts(&report.values),
        [
            channel("events", "Email", 0, 2),
            channel("pageviews", "Email", 0, 2),
            channel("events", "Referral", 4, 2),
            channel("pageviews", "Referral", 4, 2),
            channel("visits", "Email", 0, 1),
            channel("visitors", "Email", 0, 1),
            channel("visits", "Referral", 3, 2),
            channel("visitors", "Referral", 3, 2),
        ]
    );
    // Events count in their hour, a visit in that of its first event.
    let hours: Vec<_> = report.differences.iter().map(|found| (found.hour.as_str(), short(&found.change))).collect();
    let (first, second) = ("2023-11-14T22:00:00Z", "2023-11-14T23:00:00Z");
    assert_eq!(
        hours,
        [
            (first, channel("events", "Email", 0, 1)),
            (first, channel("pageviews", "Email", 0, 1)),
            (first, channel("visits", "Email", 0, 1)),
            (first, channel("visitors", "Email", 0, 1)),
            (first, channel("events", "Referral", 2, 1)),
            (first, channel("pageviews", "Referral", 2, 1)),
            (first, channel("visits", "Referral", 2, 1)),
            (first, channel("visitors", "Referral", 2, 1)),
            (second, channel("events", "Email", 0, 1)),
            (second, channel("pageviews", "Email", 0, 1)),
            (second, channel("events", "Referral", 2, 1)),
            (second, channel("pageviews", "Referral", 2, 1)),
        ]
    );
    assert_eq!((report.values_total, report.differences_total), (8, 12));
    let sample = Sample {
        seq: 5,
        index: 0,
        time: "2023-11-14T22:59:00.000Z".to_owned(),
        name: "pageview".to_owned(),
        pathname: "/".to_owned(),
        served: Some("Referral".to_owned()),
        shadow: Some("Email".to_owned()),
    };
    assert_eq!(report.differences[0].samples, [sample]);
    assert!(report.differences.iter().all(|found| found.samples.len() == 1));
}

#[test]
fn a_bounce_that_ends_in_another_hour_changes_the_hour_it_began_in() {
    let (served, mut shadow) = (journey(), journey());
    shadow[2].interactive = false;
    let report = Parts::new().compare(&served, &shadow, &ALL);
    let found: Vec<_> = report.differences.iter().filter(|found| found.change.dimension.is_empty()).collect();
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].hour.as_str(), short(&found[0].change)), ("2023-11-14T22:00:00Z", ("bounces", "", "", 1, 2)));
    assert!(shorts(&report.values).contains(&("bounces", "event:page", "/", 2, 3)));
    assert!(report.values.iter().all(|change| change.metric == "bounces"));
}

#[test]
fn two_rows_that_change_in_the_same_way_are_told_in_whatever_column() {
    let changes: [fn(&mut EventRow); 4] = [
        |row| reopen(row, |opening| opening.os_version = "17.4".to_owned()),
        |row| reopen(row, |opening| opening.source = "Weir".to_owned()),
        |row| reopen(row, |opening| opening.bot = 1),
        |row| row.retry = true,
    ];
    for change in changes {
        let (served, mut shadow) = (journey(), journey());
        shadow.iter_mut().take(2).for_each(change);
        let report = Parts::new().compare(&served, &shadow, &ALL);
        assert_eq!((report.equal, report.rows.changed), (false, 2));
    }
}

#[test]
fn rows_that_are_missing_or_new_or_moved_are_told() {
    let (served, mut shadow) = (journey(), journey());
    shadow.remove(1);
    shadow.extend([row(9, 4, HOUR + 30), row(10, 4, HOUR + 40)]);
    let report = Parts::new().compare(&served, &shadow, &ALL);
    assert_eq!(report.rows, RowChanges { changed: 0, served_only: 1, shadow_only: 2 });
    let of_site: Vec<_> = report.differences.iter().filter(|found| found.change.dimension.is_empty()).collect();
    let events = of_site.iter().find(|found| short(&found.change) == ("events", "", "", 2, 4)).unwrap();
    let presence: Vec<_> = events.samples.iter().map(|sample| (sample.seq, &sample.served, &sample.shadow)).collect();
    assert_eq!(presence, [(9, &None, &Some(String::new())), (10, &None, &Some(String::new()))]);
    let mut moved = journey();
    moved[3].event_ms -= HOUR;
    let report = Parts::new().compare(&served, &moved, &ALL);
    assert_eq!(report.rows, RowChanges { changed: 1, ..RowChanges::default() });
    assert!(report.values.is_empty(), "it left one hour for another");
    let sample = &report.differences[0].samples[0];
    assert_eq!((sample.seq, sample.served.is_some(), sample.shadow.is_some()), (8, true, true));
    assert_eq!(sample.time, "2023-11-14T23:00:00.020Z");
}

#[test]
fn bots_pings_and_revenue_count_for_what_they_are() {
    let mut served = journey();
    served[3].revenue = Some(Revenue { currency: "EUR".to_owned(), amount_micros: 7_000_000 });
    served[2] = EventRow { name: "engagement".to_owned(), engagement_ms: Some(900), interactive: false, ..served[2].clone() };
    let mut shadow = served.clone();
    reopen(&mut shadow[3], |opening| opening.bot = 3);
    shadow[2].engagement_ms = Some(1000);
    let report = Parts::new().compare(&served, &shadow, &ALL);
    let totals: Vec<_> = report.totals.iter().map(|total| (total.metric, total.served, total.shadow)).collect();
    let expected = [
        ("events", 3, 2),
        ("pageviews", 3, 2),
        ("visits", 3, 2),
        ("visitors", 3, 2),
        ("bounces", 3, 2),
        ("engagement_ms", 900, 1000),
        ("revenue_micros", 7_000_000, 0),
        ("bot_events", 0, 1),
    ];
    assert_eq!(totals, expected);
    assert_eq!(short(&report.values[0]), ("revenue_micros", "event:name", "pageview", 7_000_000, 0));
}

#[test]
fn what_no_figure_counts_is_a_changed_row_and_no_difference() {
    let (served, mut shadow) = (journey(), journey());
    shadow[0].received_ms += 1;
    let report = Parts::new().compare(&served, &shadow, &ALL);
    assert_eq!((report.equal, report.rows.changed), (false, 1));
    assert_eq!((report.values.len(), report.differences.len(), report.totals.len()), (0, 0, 8));
}

#[test]
fn a_row_that_is_there_twice_is_told() {
    let mut parts = Parts::new();
    let (all, twice) = (parts.part(&journey()), parts.part(&journey()[..1]));
    let report = parts.report(&[sides(vec![all.clone()], vec![all, twice])], &ALL);
    assert_eq!((report.equal, report.rows.shadow_only), (false, 1));
    assert_eq!((report.totals[0].served, report.totals[0].shadow), (4, 5));
}

#[test]
fn one_site_alone_is_compared() {
    let mut parts = Parts::new();
    let (mut served, mut shadow) = (journey(), journey());
    for rows in [&mut served, &mut shadow] {
        rows[0].site_id = 2;
    }
    shadow[0].pathname = "/a".to_owned();
    shadow[3].pathname = "/b".to_owned();
    let all = parts.compare(&served, &shadow, &ALL);
    assert_eq!(all.rows.changed, 2);
    assert_eq!(all.totals.iter().map(|total| total.site_id).collect::<Vec<_>>(), [[1; 8], [2; 8]].concat());
    let one = parts.compare(&served, &shadow, &Options { site_id: Some(2), ..ALL });
    assert_eq!((one.rows.changed, one.partitions[0].served.rows, one.totals.len()), (1, 1, 8));
    assert!(one.values.iter().all(|change| change.site_id == 2 && change.dimension == "event:page"));
    assert!(parts.compare(&served, &shadow, &Options { site_id: Some(3), ..ALL }).equal);
}

#[test]
fn partitions_are_told_apart_and_count_together() {
    let mut parts = Parts::new();
    let (mut here, there) = (journey(), journey());
    let served = [parts.part(&here), parts.part(&there)];
    here[0].pathname = "/new".to_owned();
    let shadow = parts.part(&here);
    let [first, second] = served;
    let two = [
        sides(vec![first], vec![shadow]),
        Sides { region: "other".to_owned(), partition: 1, ..sides(vec![second.clone()], vec![second]) },
    ];
    let report = parts.report(&two, &ALL);
    let found: Vec<_> = report.partitions.iter().map(|found| (found.region.as_str(), found.partition, found.equal)).collect();
    assert_eq!(found, [("local", 0, false), ("other", 1, true)]);
    assert_eq!(report.rows, RowChanges { changed: 1, ..RowChanges::default() });
    assert!(shorts(&report.values).contains(&("events", "event:page", "/", 8, 7)));
    // The same position in the other partition is another row.
    assert!(report.differences.iter().all(|found| found.samples.iter().all(|sample| sample.served.as_deref() == Some("/"))));
}

#[test]
fn lists_are_cut_and_counted() {
    let mut parts = Parts::new();
    let (served, mut shadow) = (journey(), journey());
    for row in &mut shadow {
        let source = format!("source {}", row.position.seq);
        reopen(row, |opening| opening.source = source);
    }
    let all = parts.compare(&served, &shadow, &ALL);
    let cut = parts.compare(&served, &shadow, &Options { limit: 2, ..ALL });
    assert_eq!((cut.values_total, cut.differences_total), (all.values.len() as u64, all.differences.len() as u64));
    assert_eq!((cut.values, cut.differences), (all.values[..2].to_vec(), all.differences[..2].to_vec()));
    assert!(all.values.is_sorted_by_key(|change| -change.difference.abs()));
}

#[test]
fn a_comparison_that_is_told_to_end_does() {
    let mut parts = Parts::new();
    let sides = sides(vec![parts.part(&journey())], vec![]);
    let interrupt = Interrupt::default();
    interrupt.stop();
    let result = compare(&limits(parts.path()), &interrupt, &[sides], &ALL);
    assert!(matches!(result, Err(WriteError::Interrupted)), "{result:?}");
}

#[test]
fn the_json_is_the_contract() {
    let (served, mut shadow) = (vec![row(5, 1, 0)], vec![row(5, 1, 0)]);
    shadow[0].pathname = "/new".to_owned();
    let mut report = Parts::new().compare(&served, &shadow, &Options { limit: 1, site_id: None });
    report.totals.truncate(1);
    report.totals[0].site = Some("shop.example".to_owned());
    let change = r#""site_id":1,"metric":"events","dimension":"event:page","value":"/","served":1,"shadow":0,"difference":-1"#;
    let partition = &report.partitions[0];
    let (of_served, of_shadow) = (&partition.served.checksum, &partition.shadow.checksum);
    let expected = format!(
        r#"{{"equal":false,"partitions":[{{"region":"local","partition":0,"from_seq":1,"through_seq":1000000,"served":{{"rows":1,"checksum":"{of_served}"}},"shadow":{{"rows":1,"checksum":"{of_shadow}"}},"equal":false}}],"rows":{{"changed":1,"served_only":0,"shadow_only":0}},"totals":[{{"site_id":1,"site":"shop.example","metric":"events","served":1,"shadow":1,"difference":0}}],"values":[{{{change}}}],"differences":[{{{change},"hour":"2023-11-14T22:00:00Z","samples":[{{"seq":5,"index":0,"time":"2023-11-14T22:00:00.000Z","name":"pageview","pathname":"/","served":"/","shadow":"/new"}}]}}],"values_total":10,"differences_total":10}}"#
    );
    assert_eq!(serde_json::to_string(&report).unwrap(), expected);
    assert_eq!(HOUR_START_MS % HOUR, 0);
}
