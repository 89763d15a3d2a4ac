//! The command line of `weir-chaos`.

use super::plan::Kind;
use super::run::{Options, run};
use anyhow::{Context as _, Result};
use clap::Parser;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

/// Breaks a region at random under load and compares what is left with what was sent.
#[derive(Debug, Parser)]
#[command(name = "weir-chaos")]
struct Arguments {
    /// Draws the faults: the same seed draws the same ones again. Default: chance.
    #[arg(long)]
    seed: Option<u64>,
    /// How long.
    #[arg(long, default_value_t = 20)]
    minutes: u64,
    /// How often something breaks.
    #[arg(long, default_value_t = 1.0)]
    faults_per_minute: f64,
    /// Only these kinds of faults, separated by commas, as in `kill,freeze,cut`.
    #[arg(long, value_delimiter = ',')]
    kinds: Vec<Kind>,
    /// Steady load: events a second.
    #[arg(long, default_value_t = 60)]
    events_per_s: u32,
    /// Steady load: queries a second.
    #[arg(long, default_value_t = 6)]
    queries_per_s: u32,
    /// Where the report goes as JSON.
    #[arg(long)]
    report: Option<PathBuf>,
}

/// Longest fault, as far as they come seldom enough.
const LONGEST_MS: u64 = 30_000;

/// Runs it, prints figures, and gives exit status 1 if they are not what they must be.
pub async fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let every_ms = (60_000.0 / arguments.faults_per_minute.clamp(0.01, 60.0)) as u64;
    let options = Options {
        seed: arguments.seed.unwrap_or_else(|| u64::from(fastrand::u32(..))),
        faults: arguments.minutes * 60_000 / every_ms,
        every_ms,
        longest_ms: LONGEST_MS.min(every_ms / 2),
        kinds: arguments.kinds,
        planned: None,
        events_per_s: arguments.events_per_s,
        queries_per_s: arguments.queries_per_s,
        has_figures: true,
    };
    eprintln!("seed {}: repeat with --seed {0}", options.seed);
    let report = run(&options).await?;
    if let Some(file) = &arguments.report {
        std::fs::write(file, serde_json::to_vec_pretty(&report)?).with_context(|| format!("cannot write {}", file.display()))?;
    }
    writeln!(std::io::stdout(), "{}", report.text())?;
    Ok(if report.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
