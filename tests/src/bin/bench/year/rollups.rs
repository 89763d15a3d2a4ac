//! The rollups of the year, made as the aggregator makes them. Kept for the next run.

use super::parts::{Partition, REGION};
use super::traffic::SEALED_MS;
use anyhow::Result;
use nix::sys::time::TimeValLike as _;
use std::path::Path;
use weir_aggregator::rollups::{self, Title};
use weir_aggregator::write::DuckLimits;
use weir_reader::store::Store;
use weir_rollup::manifest::{Manifest, Rollup};
use weir_rollup::rollup::{FORMAT_VERSION, Job, Limits, Pays, next_job, window_parts};

/// Those of a partition, made if they are not there yet.
pub(crate) fn of_partition(folder: &Path, partition: u32, parts: &Partition) -> Result<Vec<Rollup>> {
    let done = folder.join(format!("rollups-{FORMAT_VERSION}-{partition}.json"));
    if let Ok(text) = std::fs::read_to_string(&done) {
        return Ok(serde_json::from_str(&text)?);
    }
    let store = Store::local(&folder.join("files"))?;
    let mut manifest = Manifest::nothing(REGION, partition, "", "");
    manifest.parts.clone_from(&parts.parts);
    manifest.sealed_stream_ms = SEALED_MS as u64;
    let began_ms = cpu_ms()?;
    while let Some(Job::Build { start_ms, end_ms }) = next_job(&manifest, &Limits::default()) {
        let names = window_parts(&manifest, start_ms, end_ms);
        let paths = names.iter().map(|name| store.local_path(name)).collect::<Result<Vec<_>, _>>()?;
        let name = format!("rollups/{REGION}-{partition}/{start_ms}.duckdb");
        let file = store.local_path(&name)?;
        std::fs::create_dir_all(file.parent().unwrap_or(folder))?;
        // Of a run that was stopped.
        let _missing = std::fs::remove_file(&file);
        let title = Title { name, start_ms, end_ms, region: REGION.to_owned(), partition, written_ms: 0 };
        let limits = DuckLimits { memory_limit_mb: 2_000, threads: 1, temp: folder.join(format!("temp-{partition}")) };
        let rollup = rollups::build(&limits, &file, &title, &paths, manifest.rows(), Pays::default())?;
        anyhow::ensure!(manifest.add_rollup(rollup, &names), "the rollup of {start_ms} cannot be listed");
    }
    let rows: u64 = manifest.rows();
    let bytes: u64 = manifest.rollups.iter().map(|rollup| rollup.bytes).sum();
    eprintln!(
        "      rollups of partition {partition}: {} files, {bytes} bytes, about {:.2} us an event",
        manifest.rollups.len(),
        (cpu_ms()? - began_ms) * 1e3 / rows as f64
    );
    std::fs::write(&done, serde_json::to_vec(&manifest.rollups)?)?;
    Ok(manifest.rollups)
}

/// Processor time of this thread so far, milliseconds.
fn cpu_ms() -> Result<f64> {
    Ok(nix::time::clock_gettime(nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID)?.num_nanoseconds() as f64 / 1e6)
}
