//! Crashes, simulated: random interleavings of everything that reads or writes a partition, with a crash at any step of its input and output.
//!
//! Two aggregators, in each mergers of parts and archive, the sweeper, an operator who replays, promotes and rolls back, deletions and senders act on one partition in
//! an order that a seed decides. Fold, manifests, merge plan, sweeping and the order of a commit are the product's own code; stream, object store and
//! heads are kept in memory and can fail before or after each step. Whenever something was committed, and at the end, what is served must be exactly
//! what was acknowledged.
//!
//! `cargo test -p weir-rollup --test simulation -- --seeds 100000` runs more; `--seed 42` runs one and tells what it did.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it tells what it found")]
#![expect(clippy::unwrap_used, reason = "a test without the harness: a panic is a failure")]

mod aggregator;
mod archivist;
mod check;
mod commit;
mod durable;
mod eraser;
mod merger;
mod operator;
mod partfile;
mod run;
mod sender;
mod sweeper;

use clap::Parser;
use durable::Crashes;
use run::{Failure, Orders};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use weir_rollup::manifest::{COMMIT_ORDER, Step};

/// Orders in which a commit loses something: each must be found out.
const WRONG_ORDERS: [(&str, [Step; 5]); 3] = [
    ("the head before the manifest", [Step::Part, Step::Archive, Step::State, Step::Head, Step::Manifest]),
    ("the manifest and head before the part", [Step::Archive, Step::State, Step::Manifest, Step::Head, Step::Part]),
    ("the manifest and head before the state", [Step::Part, Step::Archive, Step::Manifest, Step::Head, Step::State]),
];

/// Simulates crashes of the committing path.
#[derive(Parser)]
struct Options {
    /// Seeds to run.
    #[arg(long, default_value_t = 10_000)]
    seeds: u64,
    /// First seed.
    #[arg(long, default_value_t = 1)]
    first: u64,
    /// Run this one alone and tell what it does.
    #[arg(long)]
    seed: Option<u64>,
    /// Threads; default: all processors.
    #[arg(long)]
    threads: Option<usize>,
    /// What `cargo test` hands to every test program.
    #[arg(hide = true)]
    filters: Vec<String>,
}

fn main() -> std::process::ExitCode {
    let options = Options::parse();
    let outcome = match options.seed {
        Some(seed) => run::run(seed, Orders::right(), true).map(|crashes| println!("seed {seed} holds; {crashes}")),
        None => all(&options),
    };
    match outcome {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}\nIt runs again with: cargo test -p weir-rollup --test simulation -- --seed {}", failure.seed);
            std::process::ExitCode::FAILURE
        }
    }
}

fn all(options: &Options) -> Result<(), Failure> {
    let crashes = many(options, COMMIT_ORDER, options.seeds)?;
    println!("{} seeds hold; {crashes}", options.seeds);
    for (name, order) in WRONG_ORDERS {
        match many(options, order, options.seeds) {
            Err(failure) => println!("wrong order ({name}) is found out by seed {}: {}", failure.seed, failure.what),
            Ok(_) => return Err(Failure { seed: options.first, what: format!("the wrong order ({name}) was not found out") }),
        }
    }
    Ok(())
}

/// Runs seeds until one fails, on all threads.
fn many(options: &Options, order: [Step; 5], seeds: u64) -> Result<Crashes, Failure> {
    let threads = options.threads.or_else(|| std::thread::available_parallelism().ok().map(Into::into)).unwrap_or(1);
    let (next, failed) = (AtomicU64::new(0), AtomicBool::new(false));
    let work = || {
        let mut crashes = Crashes::default();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= seeds || failed.load(Ordering::Relaxed) {
                return Ok(crashes);
            }
            let found = run::run(options.first + index, Orders { flush: order }, false);
            crashes.add(&found.inspect_err(|_| failed.store(true, Ordering::Relaxed))?);
        }
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let mut total = Crashes::default();
        for worker in workers {
            total.add(&worker.join().unwrap()?);
        }
        Ok(total)
    })
}
