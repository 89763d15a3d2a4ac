//! The table that is printed: what was measured, beside the aim.

use anyhow::Result;
use std::fmt::Write as _;
use std::io::Write as _;
use std::time::Duration;

/// Rows in the order of measuring.
#[derive(Default)]
pub(crate) struct Report {
    rows: Vec<[String; 3]>,
}

impl Report {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// A figure with its unit; no aim = empty.
    pub(crate) fn add(&mut self, what: &str, measured: String, aim: &str) {
        eprintln!("      {what}: {measured}");
        self.rows.push([what.to_owned(), measured, aim.to_owned()]);
    }

    /// Prints the table and the machine.
    pub(crate) fn print(&self, took: Duration) -> Result<()> {
        let mut text = String::from("\n| | measured | aim |\n|---|---|---|\n");
        for [what, measured, aim] in &self.rows {
            writeln!(text, "| {what} | {measured} | {aim} |")?;
        }
        writeln!(text, "\n{}; load generator on the same machine; run of {} s.", machine(), took.as_secs())?;
        std::io::stdout().write_all(text.as_bytes())?;
        Ok(())
    }
}

/// Processor, cores, memory, kernel.
fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let value = text.lines().find(|line| line.starts_with(name)).and_then(|line| line.split_once(':'));
        value.map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let kilobytes: f64 = field(&read("/proc/meminfo"), "MemTotal").trim_end_matches(" kB").parse().unwrap_or_default();
    let kernel = read("/proc/sys/kernel/osrelease");
    format!(
        "{cores} cores of {}, {:.0} GB, Linux {}",
        field(&read("/proc/cpuinfo"), "model name"),
        kilobytes / 1e6,
        kernel.trim()
    )
}

/// A number with its thousands apart, as in `12,345`.
pub(crate) fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The value below which this share of them lies.
pub(crate) fn percentile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let index = ((values.len() as f64 * share).ceil() as usize).clamp(1, values.len().max(1)) - 1;
    values.get(index).copied().unwrap_or(f64::NAN)
}
