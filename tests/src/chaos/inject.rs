//! Carrying out one fault: it begins, lasts, and is over; what recovers is not this program's business.

use super::machine::{Machine, Role};
use super::plan::{Fault, Kind};
use super::region::Region;
use super::{clock, disk, load};
use anyhow::{Context as _, Result};
use nix::sys::signal::Signal;
use std::path::PathBuf;
use std::time::Duration;

/// How many clients dawdle at once.
const SLOW_CLIENTS: u32 = 100;
/// A full disk stays full: what is given free meanwhile is taken again.
const FILL_EVERY: Duration = Duration::from_millis(200);

/// Kinds that are possible here, and why the others are not.
pub fn possible(region: &Region) -> (Vec<Kind>, Vec<String>) {
    let mut not = Vec::new();
    let mut possible = Vec::new();
    for kind in Kind::all() {
        let lacks = match kind {
            Kind::Cut | Kind::Deaf | Kind::Delay if region.network.is_none() => {
                "network namespaces and /dev/net/tun need root on Linux"
            }
            Kind::DiskFull if !region.abilities.disks => "mounting a small file system needs root",
            Kind::Clock if region.abilities.faketime.is_none() => "libfaketime is not installed: apt-get install libfaketime",
            _ => "",
        };
        if lacks.is_empty() {
            possible.push(*kind);
        } else {
            not.push(format!("{} is left out: {lacks}", <&str>::from(kind)));
        }
    }
    (possible, not)
}

/// Carries a fault out and returns what there is to say beyond the plan.
pub async fn inject(region: &Region, load: &load::Load, events_per_s: u32, fault: &Fault) -> Result<String> {
    let lasting = Duration::from_millis(fault.for_ms);
    let machine = || region.machine(&fault.machine);
    let network = || region.network.as_ref().context("there is no network to cut");
    let mut note = String::new();
    match fault.kind {
        Kind::Kill => machine()?.signal(Signal::SIGKILL),
        Kind::Freeze => {
            machine()?.signal(Signal::SIGSTOP);
            tokio::time::sleep(lasting).await;
            machine()?.signal(Signal::SIGCONT);
        }
        Kind::Cut | Kind::Deaf | Kind::Delay => {
            let number = machine()?.number;
            let other = region.machine(&fault.other).map(|other| other.number);
            network()?.change(|wires| match (fault.kind, other) {
                (Kind::Cut, _) => wires.cut_off(number),
                (Kind::Deaf, Ok(other)) => wires.cut(other, number),
                _ => wires.delay(number, Duration::from_millis(fault.by_ms.unsigned_abs())),
            });
            tokio::time::sleep(lasting).await;
            network()?.change(|wires| wires.heal(number));
        }
        Kind::DiskFull => note = fill_disk(machine()?, lasting).await?,
        Kind::Clock => step_clock(machine()?, fault.by_ms, lasting).await?,
        Kind::Flip => note = flip(machine()?, fault.at_ms),
        Kind::BucketAway => {
            region.bucket.go_away();
            tokio::time::sleep(lasting).await;
            region.bucket.come_back().await?;
        }
        Kind::SlowClients => load::send_slowly(region.collector_url(), SLOW_CLIENTS, lasting).await,
        Kind::Overload3 => load.overload(events_per_s * 2, lasting).await,
        Kind::Overload10 => load.overload(events_per_s * 9, lasting).await,
    }
    Ok(note)
}

async fn fill_disk(machine: &Machine, lasting: Duration) -> Result<String> {
    let began = tokio::time::Instant::now();
    let mut bytes = 0;
    while began.elapsed() < lasting {
        let folder = machine.folder.clone();
        bytes += tokio::task::spawn_blocking(move || disk::fill(&folder)).await??;
        tokio::time::sleep(FILL_EVERY).await;
    }
    disk::clear(&machine.folder)?;
    Ok(format!("{} MB were free", bytes / 1_000_000))
}

/// An edge takes its clock's error at its start; the others follow a file.
async fn step_clock(machine: &Machine, by_ms: i64, lasting: Duration) -> Result<()> {
    if machine.role == Role::Edge {
        machine.set("WEIR_TEST_CLOCK_OFFSET_MS", Some(&by_ms.to_string()));
        machine.signal(Signal::SIGKILL);
        tokio::time::sleep(lasting).await;
        machine.set("WEIR_TEST_CLOCK_OFFSET_MS", None);
        machine.signal(Signal::SIGKILL);
    } else {
        clock::step(&Region::clock_file(machine), by_ms)?;
        tokio::time::sleep(lasting).await;
        clock::step(&Region::clock_file(machine), 0)?;
    }
    Ok(())
}

/// A bit of one of the node's cached files.
fn flip(machine: &Machine, chosen_by: u64) -> String {
    let work = machine.folder.join(".work");
    let files: Vec<PathBuf> =
        disk::files(&work).into_iter().filter(|file| file.extension().is_some_and(|kind| kind == "duckdb")).collect();
    let Some(file) = fastrand::Rng::with_seed(chosen_by).choice(files) else { return "it had no file yet".to_owned() };
    match disk::flip_bit(&file) {
        Ok(()) => file.strip_prefix(&work).unwrap_or(&file).display().to_string(),
        // Its owner was faster.
        Err(error) => format!("{}: {error}", file.display()),
    }
}
