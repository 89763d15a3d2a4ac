//! Signals to processes and what the kernel says of them.

use anyhow::{Context as _, Result};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Clock ticks a second in `/proc/<pid>/stat`: 100 on every Linux that matters.
const TICKS_PER_SECOND: f64 = 100.0;

/// Sends a signal. A process that is already gone is not an error.
pub fn signal(pid: u32, signal: Signal) {
    let _gone = kill(Pid::from_raw(pid as i32), signal);
}

/// Whether the process runs (a zombie does not).
pub fn is_alive(pid: u32) -> bool {
    if kill(Pid::from_raw(pid as i32), None).is_err() {
        return false;
    }
    // State follows the program name, which may hold blanks and brackets.
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .map_or(true, |stat| !stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('Z')))
}

/// A process and all that it and its children started, itself first.
pub fn tree(root: u32) -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let parents: Vec<(u32, u32)> = entries
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            // The parent is the second field behind the program's name, which may hold blanks and brackets.
            let parent = stat.rsplit(')').next()?.split_whitespace().nth(1)?.parse().ok()?;
            Some((pid, parent))
        })
        .collect();
    let mut found = vec![root];
    let mut next = 0;
    while let Some(parent) = found.get(next).copied() {
        found.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(pid, _)| *pid));
        next += 1;
    }
    found
}

/// Processor time (user and system) the process used since it started, seconds.
pub fn cpu_seconds(pid: u32) -> Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).with_context(|| format!("no process {pid}"))?;
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    // Fields 14 and 15 of proc(5); the state, field 3, is the first here.
    let ticks: u64 = fields.get(11..13).context("short stat line")?.iter().filter_map(|field| field.parse::<u64>().ok()).sum();
    Ok(ticks as f64 / TICKS_PER_SECOND)
}

/// Resident memory of the process, bytes.
pub fn resident_bytes(pid: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).with_context(|| format!("no process {pid}"))?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).context("no VmRSS line")?;
    let kilobytes: u64 = line.split_whitespace().nth(1).context("no VmRSS value")?.parse()?;
    Ok(kilobytes * 1024)
}
