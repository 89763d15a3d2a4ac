use super::*;
use proptest::prelude::*;

/// 2025-01-15T12:00:00Z.
const NOON: i64 = 1_736_942_400_000;

fn part(number: usize, level: Level, min_event_ms: i64, max_event_ms: i64) -> Part {
    Part {
        name: format!("parts/local-0/{number}.duckdb"),
        level,
        min_seq: number as u64,
        max_seq: number as u64,
        min_event_ms,
        max_event_ms,
        min_site_id: 1,
        max_site_id: 1,
        rows: 1,
        bytes: 1000,
        content_checksum: String::new(),
        file_checksum: None,
        format: 1,
        ledger: None,
    }
}

fn flushes(ranges: &[(i64, i64)]) -> Vec<Part> {
    ranges.iter().enumerate().map(|(number, (min, max))| part(number, Level::Flush, *min, *max)).collect()
}

fn levels(job: &Job) -> Vec<(Level, i64, i64)> {
    job.periods
        .iter()
        .map(|period| (period.level, (period.start_ms - NOON) / HOUR_MS, (period.end_ms - period.start_ms) / HOUR_MS))
        .collect()
}

#[test]
fn few_parts_are_left_alone() {
    assert_eq!(plan(&[], &Limits::default()), None);
    assert_eq!(plan(&flushes(&[(NOON, NOON); 7]), &Limits::default()), None);
}

#[test]
fn eight_flush_parts_become_their_hours_and_join_what_is_there() {
    let mut parts = flushes(&[(NOON, NOON + HOUR_MS); 8]);
    parts.push(part(20, Level::Hour, NOON + 5, NOON + 10));
    parts.push(part(21, Level::Hour, NOON - HOUR_MS, NOON - 1));
    parts.push(Part { bytes: Limits::default().target_bytes, ..part(22, Level::Hour, NOON + HOUR_MS, NOON + HOUR_MS) });
    let job = plan(&parts, &Limits::default()).unwrap();
    assert_eq!(levels(&job), [(Level::Hour, 0, 1), (Level::Hour, 1, 1)]);
    assert_eq!(job.inputs.len(), 9);
    assert_eq!(job.periods[0].joined, ["parts/local-0/20.duckdb"]);
    assert!(job.periods[1].joined.is_empty());
    let only = job.clone().only(|period| period.start_ms > NOON);
    assert_eq!((only.inputs.len(), levels(&only)), (8, vec![(Level::Hour, 1, 1)]));
    assert_eq!(job.clone().only(|_| true), job);
}

#[test]
fn old_rows_go_into_days_and_months() {
    let day = 24 * HOUR_MS;
    let mut ranges = vec![(NOON, NOON); 7];
    ranges.push((NOON - 3 * day, NOON - 3 * day));
    ranges.push((NOON - 15 * day, NOON - 15 * day));
    let job = plan(&flushes(&ranges), &Limits::default()).unwrap();
    assert_eq!(levels(&job), [(Level::Month, -45 * 24 + 12 - 24, 31 * 24), (Level::Day, -3 * 24 - 12, 24), (Level::Hour, 0, 1)]);
}

#[test]
fn a_huge_span_gives_few_periods() {
    let check = |from: i64, to: i64| {
        let mut ranges = vec![(NOON, NOON); 7];
        ranges.push((from, to));
        let job = plan(&flushes(&ranges), &Limits::default()).unwrap();
        assert!(job.periods.len() <= 60, "{}", job.periods.len());
        job
    };
    let year = 365 * 24 * HOUR_MS;
    assert!(check(NOON - year, NOON).periods.iter().any(|period| period.level == Level::Day));
    assert!(check(0, NOON).periods.iter().all(|period| period.level == Level::Month));
    check(0, EVENT_MS_MAX);
    check(i64::MIN, i64::MAX);
}

#[test]
fn hours_become_a_day_when_there_are_many() {
    let hours = |count: i64| -> Vec<Part> {
        (0..count).map(|hour| part(hour as usize, Level::Hour, NOON - hour * HOUR_MS, NOON - hour * HOUR_MS + 1)).collect()
    };
    assert_eq!(plan(&hours(36), &Limits::default()), None);
    let job = plan(&hours(37), &Limits::default()).unwrap();
    assert_eq!((job.inputs.len(), levels(&job)), (24, vec![(Level::Day, -36, 24)]));
}

/// Does a job as the aggregator would: rows are event times.
fn apply(parts: &mut Vec<(Part, Vec<i64>)>, job: &Job, next: &mut usize) {
    let rows: Vec<i64> =
        parts.iter().filter(|(part, _)| job.inputs.contains(&part.name)).flat_map(|(_, rows)| rows.clone()).collect();
    parts.retain(|(part, _)| !job.inputs.contains(&part.name));
    let mut placed = 0;
    for period in &job.periods {
        let mine: Vec<i64> = rows.iter().copied().filter(|ms| (period.start_ms..period.end_ms).contains(ms)).collect();
        placed += mine.len();
        if let (Some(min), Some(max)) = (mine.iter().min(), mine.iter().max()) {
            *next += 1;
            let bytes = mine.len() as u64 * 1000;
            parts.push((Part { bytes, rows: mine.len() as u64, ..part(*next, period.level, *min, *max) }, mine));
        }
    }
    assert_eq!(placed, rows.len(), "each row falls into exactly one period");
}

/// Merges until nothing is left to do and tells how many jobs it took.
fn settle(parts: &mut Vec<(Part, Vec<i64>)>, next: &mut usize, limits: &Limits) -> usize {
    for jobs in 0..1000 {
        let listed: Vec<Part> = parts.iter().map(|(part, _)| part.clone()).collect();
        let Some(job) = plan(&listed, limits) else { return jobs };
        assert!(!job.inputs.is_empty() && job.periods.len() <= limits.periods_max);
        let mut inputs = job.inputs.clone();
        inputs.sort();
        inputs.dedup();
        assert_eq!(inputs.len(), job.inputs.len(), "an input is listed once");
        assert!(job.periods.is_sorted_by(|a, b| a.end_ms <= b.start_ms), "periods are disjoint and ascend");
        apply(parts, &job, next);
    }
    panic!("merging does not end");
}

fn flush(parts: &mut Vec<(Part, Vec<i64>)>, next: &mut usize, rows: Vec<i64>) {
    if let (Some(min), Some(max)) = (rows.iter().min(), rows.iter().max()) {
        *next += 1;
        parts.push((part(*next, Level::Flush, *min, *max), rows));
    }
}

#[test]
fn a_year_stays_below_a_hundred_parts() {
    let (mut parts, mut next, mut most) = (Vec::new(), 0, 0);
    let start = NOON - 14 * 24 * HOUR_MS;
    for quarter in 0..366 * 24 * 4 {
        let now = start + quarter * HOUR_MS / 4;
        let late = if quarter % 5 == 0 { now - (quarter % 23) * HOUR_MS } else { now };
        flush(&mut parts, &mut next, vec![late, now]);
        settle(&mut parts, &mut next, &Limits::default());
        most = most.max(parts.len());
    }
    assert!(most < 100, "{most} parts");
    assert!(parts.iter().any(|(part, _)| part.level == Level::Month));
}

proptest! {
    #[test]
    fn merging_ends_and_loses_nothing(
        spans in proptest::collection::vec((0..400_i64, 0..400_i64, 0..24_i64, any::<bool>()), 1..60),
        target_bytes in prop_oneof![Just(u64::MAX), 1000..20_000_u64],
    ) {
        let limits = Limits { target_bytes, ..Limits::default() };
        let (mut parts, mut next, mut rows) = (Vec::new(), 0, 0);
        for (from_day, to_day, hour, wide) in spans {
            let from = NOON + from_day * DAY_MS + hour * HOUR_MS;
            let to = if wide { NOON + to_day * DAY_MS } else { from + hour * 1000 };
            flush(&mut parts, &mut next, vec![from, to, from.midpoint(to)]);
            rows += 3;
            settle(&mut parts, &mut next, &limits);
        }
        prop_assert_eq!(parts.iter().map(|(_, rows)| rows.len()).sum::<usize>(), rows);
        if target_bytes == u64::MAX {
            prop_assert!(parts.len() < 100, "{} parts", parts.len());
        }
    }
}
