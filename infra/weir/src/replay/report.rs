//! A comparison of the shadow with what is served, as people read it.

use super::name;
use crate::human;
use crate::table::{Side, Table, plain};
use weir_aggregator::replay::diff::{Change, Report, Sample};

/// The whole comparison.
pub(super) fn text(report: &Report) -> Vec<String> {
    let mut lines = vec![summary(report)];
    lines.extend(partitions(report));
    if report.equal {
        return lines;
    }
    section(&mut lines, "totals over the whole stretch, of the sites that differ", totals(report));
    section(
        &mut lines,
        &heading("values that differ over the whole stretch", report.values.len(), report.values_total),
        values(report),
    );
    let differences = heading("differences by hour (UTC)", report.differences.len(), report.differences_total);
    section(&mut lines, &differences, hours(report));
    lines.push(String::new());
    lines
}

fn section(lines: &mut Vec<String>, heading: &str, body: Vec<String>) {
    // A table without rows has its headings alone.
    if body.len() > 1 {
        lines.extend([String::new(), heading.to_owned()]);
        lines.extend(body);
    }
}

fn heading(what: &str, shown: usize, all: u64) -> String {
    if all > shown as u64 {
        format!("{what}: the largest {} of {}, --limit shows more", human::count(shown as u64), human::count(all))
    } else {
        what.to_owned()
    }
}

fn summary(report: &Report) -> String {
    if report.equal {
        return "equal: the shadow holds the same events as what is served".to_owned();
    }
    let rows = report.rows;
    let mut said = vec![format!("{} changed", human::counted(rows.changed, "event"))];
    if rows.served_only > 0 {
        said.push(format!("{} only in what is served", human::count(rows.served_only)));
    }
    if rows.shadow_only > 0 {
        said.push(format!("{} only in the shadow", human::count(rows.shadow_only)));
    }
    format!("different: {}", said.join(", "))
}

fn partitions(report: &Report) -> Vec<String> {
    let mut table = Table::new([
        ("partition", Side::Left),
        ("from", Side::Right),
        ("through", Side::Right),
        ("served", Side::Right),
        ("shadow", Side::Right),
        ("", Side::Left),
    ]);
    for one in &report.partitions {
        table.row([
            &name(&one.region, one.partition),
            &human::count(one.from_seq),
            &human::count(one.through_seq),
            &human::count(one.served.rows),
            &human::count(one.shadow.rows),
            if one.equal { "equal" } else { "different" },
        ]);
    }
    table.lines(2)
}

fn totals(report: &Report) -> Vec<String> {
    let mut table = Table::new([
        ("site", Side::Left),
        ("metric", Side::Left),
        ("served", Side::Right),
        ("shadow", Side::Right),
        ("difference", Side::Right),
    ]);
    // What a site has not at all on either side need not be told.
    for one in report.totals.iter().filter(|one| (one.served, one.shadow) != (0, 0)) {
        let site = site(one.site.as_deref(), one.site_id);
        table.row([&site, one.metric, &number(one.served), &number(one.shadow), &human::difference(one.difference)]);
    }
    table.lines(2)
}

fn values(report: &Report) -> Vec<String> {
    let mut table = Table::new([
        ("site", Side::Left),
        ("dimension", Side::Left),
        ("value", Side::Left),
        ("metric", Side::Left),
        ("served", Side::Right),
        ("shadow", Side::Right),
        ("difference", Side::Right),
    ]);
    for one in &report.values {
        let [site, dimension, value, metric, served, shadow, difference] = &cells(one);
        table.row([site, dimension, value, metric, served, shadow, difference]);
    }
    table.lines(2)
}

/// Each difference with some of its events below it, unless they are those of the difference above.
fn hours(report: &Report) -> Vec<String> {
    let mut table = Table::new([
        ("hour", Side::Left),
        ("site", Side::Left),
        ("dimension", Side::Left),
        ("value", Side::Left),
        ("metric", Side::Left),
        ("served", Side::Right),
        ("shadow", Side::Right),
        ("difference", Side::Right),
    ]);
    for one in &report.differences {
        let [site, dimension, value, metric, served, shadow, difference] = &cells(&one.change);
        table.row([&one.hour, site, dimension, value, metric, served, shadow, difference]);
    }
    let mut lines = table.lines(2).into_iter();
    let mut all: Vec<String> = lines.next().into_iter().collect();
    let mut above: &[Sample] = &[];
    for (one, row) in report.differences.iter().zip(lines) {
        all.push(row);
        // Several metrics of one value are often made by the same events.
        if one.samples != above {
            let has_value = !one.change.dimension.is_empty();
            all.extend(one.samples.iter().map(|sample| sample_line(sample, has_value)));
        }
        above = &one.samples;
    }
    all
}

fn cells(change: &Change) -> [String; 7] {
    [
        site(change.site.as_deref(), change.site_id),
        if change.dimension.is_empty() { "(all)".to_owned() } else { change.dimension.to_owned() },
        if change.dimension.is_empty() { String::new() } else { value(&change.value).to_owned() },
        change.metric.to_owned(),
        number(change.served),
        number(change.shadow),
        human::difference(change.difference),
    ]
}

fn sample_line(sample: &Sample, has_value: bool) -> String {
    let side = |side: &Option<String>| match side {
        None => "no such event".to_owned(),
        Some(text) if has_value => plain(value(text)),
        Some(_) => "this event".to_owned(),
    };
    format!(
        "      {}.{}  {}  {} {}  {} → {}",
        sample.seq,
        sample.index,
        sample.time,
        plain(&sample.name),
        plain(&sample.pathname),
        side(&sample.served),
        side(&sample.shadow)
    )
}

fn site(domain: Option<&str>, id: u32) -> String {
    domain.map_or_else(|| format!("site {id}"), str::to_owned)
}

fn value(text: &str) -> &str {
    if text.is_empty() { "(none)" } else { text }
}

fn number(number: i64) -> String {
    human::difference(number).trim_start_matches('+').to_owned()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use weir_aggregator::replay::diff::{Content, Difference, PartitionContents, RowChanges, Total};

    pub(in super::super) fn example() -> Report {
        let content = |checksum: &str| Content { rows: 1000, checksum: checksum.to_owned() };
        let change = |value: &str, served: i64, shadow: i64| Change {
            site_id: 1,
            site: Some("shop.example".to_owned()),
            metric: "visits",
            dimension: "visit:channel",
            value: value.to_owned(),
            served,
            shadow,
            difference: shadow - served,
        };
        let total = |metric, count| Total {
            site_id: 1,
            site: Some("shop.example".to_owned()),
            metric,
            served: count,
            shadow: count,
            difference: 0,
        };
        let sample = Sample {
            seq: 5,
            index: 0,
            time: "2026-11-21T10:05:00.000Z".to_owned(),
            name: "pageview".to_owned(),
            pathname: "/\u{1b}[2J".to_owned(),
            served: Some(String::new()),
            shadow: None,
        };
        let difference = |value, [served, shadow]: [i64; 2]| Difference {
            change: change(value, served, shadow),
            hour: "2026-11-21T10:00:00Z".to_owned(),
            samples: vec![sample.clone()],
        };
        Report {
            equal: false,
            partitions: vec![PartitionContents {
                region: "local".to_owned(),
                partition: 0,
                from_seq: 1,
                through_seq: 90,
                served: content("1000-ab"),
                shadow: content("1000-cd"),
                equal: false,
            }],
            rows: RowChanges { changed: 40, served_only: 0, shadow_only: 2 },
            totals: vec![total("visits", 10), total("bot_events", 0)],
            values: vec![change("Email", 0, 1500), change("", 1500, 0)],
            differences: vec![difference("Email", [0, 3]), difference("", [3, 0])],
            values_total: 2,
            differences_total: 1200,
        }
    }

    #[test]
    fn a_difference_can_be_read() {
        let expected = "different: 40 events changed, 2 only in the shadow
  partition  from  through  served  shadow
  local.0       1       90   1,000   1,000  different

totals over the whole stretch, of the sites that differ
  site          metric  served  shadow  difference
  shop.example  visits      10      10           0

values that differ over the whole stretch
  site          dimension      value   metric  served  shadow  difference
  shop.example  visit:channel  Email   visits       0   1,500      +1,500
  shop.example  visit:channel  (none)  visits   1,500       0      -1,500

differences by hour (UTC): the largest 2 of 1,200, --limit shows more
  hour                  site          dimension      value   metric  served  shadow  difference
  2026-11-21T10:00:00Z  shop.example  visit:channel  Email   visits       0       3          +3
      5.0  2026-11-21T10:05:00.000Z  pageview / [2J  (none) → no such event
  2026-11-21T10:00:00Z  shop.example  visit:channel  (none)  visits       3       0          -3
";
        assert_eq!(text(&example()).join("\n"), expected);
    }

    #[test]
    fn equal_histories_are_said_to_be_so() {
        let mut report = Report { equal: true, partitions: example().partitions, ..Report::default() };
        report.partitions[0].equal = true;
        let expected = "equal: the shadow holds the same events as what is served
  partition  from  through  served  shadow
  local.0       1       90   1,000   1,000  equal";
        assert_eq!(text(&report).join("\n"), expected);
    }
}
