//! The aggregator's numbers as Prometheus text.

use super::Monitor;
use super::disk::Space;
use crate::status::{Numbers, Seen, code};
use std::collections::BTreeMap;
use std::fmt::{Display, Write};
use std::sync::atomic::Ordering;

/// Name, meaning and value of a partition's number.
type Metric<T> = (&'static str, &'static str, fn(&T) -> u64);

/// Of the partition's owner: whoever stands by knows an old state only.
const GAUGES: [Metric<Numbers>; 5] = [
    ("aggregator_folded_sequence", "Last sequence of the stream that was folded.", |numbers| numbers.last_folded_seq),
    ("aggregator_sealed_sequence", "Last sequence of the stream that is in files.", |numbers| numbers.sealed_seq),
    ("aggregator_archived_sequence", "Last sequence in the archive of raw batches.", |numbers| numbers.archived_seq),
    ("aggregator_revision", "Commits so far.", |numbers| numbers.revision),
    ("aggregator_parts", "Files that the manifest names.", |numbers| numbers.parts),
];

/// Of every aggregator.
const STATES: [Metric<Numbers>; 3] = [
    ("aggregator_partition_stands_by", "1 while another aggregator has the partition.", |numbers| u64::from(numbers.stands_by)),
    ("aggregator_partition_stopped", "1 when the partition stands until its stream is as it was or somebody acts.", |numbers| {
        u64::from(numbers.stopped)
    }),
    ("aggregator_pending_rows", "Rows that were folded and are not in files yet.", |numbers| numbers.rows_pending),
];

const COUNTERS: [Metric<Numbers>; 10] = [
    ("aggregator_batches_total", "Batches folded since the start.", |numbers| numbers.counts.batches),
    ("aggregator_duplicate_batches_total", "Batches that had come before.", |numbers| numbers.counts.duplicate_batches),
    ("aggregator_accepted_events_total", "Events that count.", |numbers| numbers.counts.accepted),
    ("aggregator_deduplicated_events_total", "Events that had counted before.", |numbers| numbers.counts.deduplicated),
    ("aggregator_orphan_engagements_total", "Engagement without a visit.", |numbers| numbers.counts.orphan_engagement),
    ("aggregator_rejected_events_total", "Events refused by the edge, and engagement without a visit.", |numbers| {
        numbers.counts.rejected
    }),
    ("aggregator_late_events_total", "Events that came late.", |numbers| numbers.counts.late),
    ("aggregator_bot_events_total", "Events of bots.", |numbers| numbers.counts.bots),
    ("aggregator_flushes_total", "Files written from the stream.", |numbers| numbers.counts.flushes),
    ("aggregator_merges_total", "Merges of files.", |numbers| numbers.counts.merges),
];

const STREAMS: [Metric<Seen>; 8] = [
    ("aggregator_stream_seen_milliseconds", "When the stream's leader answered last, Unix time.", |seen| seen.at_ms),
    ("aggregator_stream_last_sequence", "Last sequence of the stream.", |seen| seen.standing.last_seq),
    ("aggregator_stream_messages", "Messages of the stream.", |seen| seen.standing.messages),
    ("aggregator_stream_bytes", "Size of the stream.", |seen| seen.standing.bytes),
    ("aggregator_stream_bytes_max", "Size past which the stream refuses; 0 = never.", |seen| seen.standing.bytes_max),
    ("aggregator_stream_copies_wanted", "Copies that the stream should have.", |seen| seen.standing.copies_wanted),
    ("aggregator_stream_copies_current", "Copies of the stream that are up to date.", |seen| seen.standing.copies_current),
    ("aggregator_stream_copies_lag", "Operations that the copy furthest behind lacks.", |seen| seen.standing.copies_lag),
];

/// All numbers. Metrics of which nothing is known yet have their description alone.
pub(super) fn render(monitor: &Monitor, disks: &[Space]) -> String {
    let mut text = Text::default();
    let partitions: BTreeMap<u32, (Numbers, Option<Seen>)> =
        monitor.boards.iter().map(|(partition, board)| (*partition, (board.snapshot(), board.seen()))).collect();
    let labels = |partition: u32| format!("region=\"{}\",partition=\"{partition}\"", monitor.region);
    text.describe("aggregator_ready", "1 when NATS and the object store were reached.", "gauge");
    text.value("aggregator_ready", "", u64::from(monitor.ready.load(Ordering::Relaxed)));
    for (kind, metrics) in [("gauge", &STATES[..]), ("counter", &COUNTERS[..])] {
        for (name, help, value) in metrics {
            text.describe(name, help, kind);
            for (partition, (numbers, _)) in &partitions {
                text.value(name, &labels(*partition), value(numbers));
            }
        }
    }
    for (name, help, value) in &GAUGES {
        text.describe(name, help, "gauge");
        for (partition, (numbers, _)) in partitions.iter().filter(|(_, (numbers, _))| !numbers.stands_by) {
            text.value(name, &labels(*partition), value(numbers));
        }
    }
    for (name, help, value) in &STREAMS {
        text.describe(name, help, "gauge");
        for (partition, (_, seen)) in &partitions {
            if let Some(seen) = seen {
                text.value(name, &labels(*partition), value(seen));
            }
        }
    }
    text.describe("aggregator_alarm", "1 while an operator must look at it, by kind.", "gauge");
    for (partition, (numbers, _)) in &partitions {
        for (code, raised) in alarms(numbers) {
            text.value("aggregator_alarm", &format!("{},code=\"{code}\"", labels(*partition)), u64::from(raised));
        }
    }
    for (name, help, value) in [
        ("aggregator_disk_free_bytes", "Free space of the disk of a folder.", (|space| space.free_bytes) as fn(&Space) -> u64),
        ("aggregator_disk_size_bytes", "Size of the disk of a folder.", |space| space.size_bytes),
    ] {
        text.describe(name, help, "gauge");
        for space in disks {
            text.value(name, &format!("folder=\"{}\"", space.folder), value(space));
        }
    }
    text.0
}

/// Every kind of alarm, and whether it is raised.
fn alarms(numbers: &Numbers) -> BTreeMap<&'static str, bool> {
    let mut alarms: BTreeMap<_, _> = code::ALL.into_iter().map(|code| (code, false)).collect();
    if !numbers.stands_by {
        alarms.extend(numbers.alarms.iter().map(|alarm| (alarm.code, true)));
    }
    alarms
}

#[derive(Default)]
struct Text(String);

impl Text {
    fn describe(&mut self, name: &str, help: &str, kind: &str) {
        self.line(format_args!("# HELP {name} {help}\n# TYPE {name} {kind}"));
    }

    fn value(&mut self, name: &str, labels: &str, value: u64) {
        if labels.is_empty() {
            self.line(format_args!("{name} {value}"));
        } else {
            self.line(format_args!("{name}{{{labels}}} {value}"));
        }
    }

    fn line(&mut self, line: impl Display) {
        // Writing to a string cannot fail.
        let _infallible = writeln!(self.0, "{line}");
    }
}
