//! Backlog and refusals as Prometheus text.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::batcher::Status;

/// All numbers of an edge: what its batchers keep together, and what this isolate refused, by reason.
pub(crate) fn render(status: &Status, refused: &BTreeMap<&'static str, u64>) -> String {
    let mut text = String::new();
    let numbers = [
        (
            "edge_unsent_events",
            "gauge",
            "Events that were acknowledged and are not known to be on the stream.",
            status.unsent_events,
        ),
        (
            "edge_oldest_unsent_milliseconds",
            "gauge",
            "When the oldest of them was received, Unix time; 0 = there is none.",
            status.oldest_unsent_ms.unwrap_or(0),
        ),
        ("edge_backlog_bytes", "gauge", "What they take on disk.", status.backlog_bytes),
        ("edge_backlog_full", "gauge", "1 when a batcher takes nothing more.", u64::from(status.is_full)),
        ("edge_batches_sent_total", "counter", "Batches that the stream acknowledged.", status.batches_sent),
        ("edge_send_failures_total", "counter", "Sends to the stream that failed.", status.send_failures),
    ];
    for (name, kind, help, value) in numbers {
        // Writing to a string cannot fail.
        let _infallible = write!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}\n");
    }
    text.push_str(
        "# HELP edge_refused_events_total Events that were refused, by reason.\n# TYPE edge_refused_events_total counter\n",
    );
    for (reason, count) in refused {
        let _infallible = writeln!(text, "edge_refused_events_total{{reason=\"{reason}\"}} {count}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_has_its_description() {
        let status = Status { unsent_events: 3, oldest_unsent_ms: Some(7), is_full: true, ..Status::default() };
        let text = render(&status, &BTreeMap::from([("bad_url", 2)]));
        for expected in [
            "edge_unsent_events 3",
            "edge_oldest_unsent_milliseconds 7",
            "edge_backlog_full 1",
            "edge_refused_events_total{reason=\"bad_url\"} 2",
        ] {
            assert!(text.lines().any(|line| line == expected), "{expected} is missing in\n{text}");
        }
        assert!(render(&Status::default(), &BTreeMap::new()).contains("\nedge_oldest_unsent_milliseconds 0\n"));
        let described = text.lines().filter(|line| line.starts_with("# TYPE")).count();
        assert_eq!(described, 7);
    }
}
