//! The reaper: a child that outlives a killed supervisor just long enough to end its other children.
//!
//! It reads lines `+<pid>` and `-<pid>`. The supervisor holds the only other end of that pipe, so that the end of the input means
//! that the supervisor is gone, in whatever way. The reaper holds a lock until all is ended: the next `weir up` waits for it.

use crate::home::try_lock;
use crate::process::is_alive;
use anyhow::{Context as _, Result};
use nix::sys::signal::Signal;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::BufRead as _;
use std::path::Path;
use std::time::{Duration, Instant};

/// Name of its lock in the home.
pub(crate) const LOCK: &str = "reaper.lock";
/// How long killed processes may take to vanish.
const GONE_WITHIN: Duration = Duration::from_secs(5);

/// Runs until the input ends.
pub(crate) fn run(lock: &Path) -> Result<()> {
    let _held = take_lock(lock)?;
    let mut running = BTreeSet::new();
    for line in std::io::stdin().lock().lines() {
        follow(&mut running, &line.context("cannot read the supervisor's lines")?);
    }
    for id in &running {
        super::child::signal_group(*id, Signal::SIGKILL);
    }
    let deadline = Instant::now() + GONE_WITHIN;
    while running.iter().any(|id| is_alive(*id)) && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// Waits for the reaper of a former supervisor to finish.
fn take_lock(path: &Path) -> Result<File> {
    loop {
        if let Some(held) = try_lock(path)? {
            return Ok(held);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn follow(running: &mut BTreeSet<u32>, line: &str) {
    if let Some(id) = line.strip_prefix('+').and_then(|id| id.parse().ok()) {
        running.insert(id);
    } else if let Some(id) = line.strip_prefix('-').and_then(|id| id.parse().ok()) {
        running.remove(&id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_what_runs() {
        let mut running = BTreeSet::new();
        for line in ["+10", "+11", "-10", "nonsense", "+", "-99", "+12"] {
            follow(&mut running, line);
        }
        assert_eq!(running, BTreeSet::from([11, 12]));
    }
}
