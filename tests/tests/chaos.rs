//! The short form of `make chaos`: one region, a handful of faults, and nothing lost, doubled, or in need of a hand.

#![cfg(target_os = "linux")]

use anyhow::{Result, ensure};
use weir_tests::chaos::plan::{Fault, Kind};
use weir_tests::chaos::run::{Options, run};

fn fault(at_ms: u64, kind: Kind, machine: &str, for_ms: u64, by_ms: i64) -> Fault {
    Fault { at_ms, for_ms, kind, machine: machine.to_owned(), other: String::new(), by_ms }
}

/// What breaks here is fixed, so that every run covers the same ground; `weir-chaos` draws.
fn faults() -> Vec<Fault> {
    vec![
        fault(0, Kind::Kill, "edge-0", 0, 0),
        fault(3_000, Kind::Cut, "nats-a", 4_000, 0),
        fault(9_000, Kind::Freeze, "aggregator-0", 3_000, 0),
        fault(12_500, Kind::Kill, "nats-b", 0, 0),
        fault(14_500, Kind::Kill, "query-1", 0, 0),
        fault(18_000, Kind::DiskFull, "edge-1", 2_000, 0),
        // By now it has files.
        fault(20_500, Kind::Flip, "query-0", 0, 0),
        fault(21_000, Kind::Delay, "nats-c", 2_000, 100),
        fault(23_500, Kind::Overload3, "", 2_000, 0),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_breaks_nothing_is_lost_or_doubled_and_all_recovers() -> Result<()> {
    let options = Options {
        seed: 0,
        faults: 0,
        every_ms: 0,
        longest_ms: 0,
        kinds: Vec::new(),
        planned: Some(faults()),
        events_per_s: 30,
        queries_per_s: 3,
        // So short a run has too few requests for shares, and a machine that others use has its own pauses.
        has_figures: false,
    };
    let report = run(&options).await?;
    eprintln!("{}", report.text());
    ensure!(report.failures.is_empty(), "{}", report.failures.join("\n"));
    let checked = report.checked.as_ref().map_or(0, |checked| checked.acknowledged);
    ensure!(checked > 100, "only {checked} events were acknowledged");
    Ok(())
}
