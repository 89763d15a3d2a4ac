//! A disk that is full, then a folder that may not be written to: ingestion stops with an alarm, files stay readable, work resumes by itself.
//!
//! Needs the right to mount a small disk, as root has it; without it the test says so and ends.

use crate::support::{Aggregator, PATIENCE, Region, batch, expected};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;
use weir_aggregator::Config;

/// Size of the disk: enough for some small parts.
const DISK_BYTES: &str = "8m";

/// A disk in memory, unmounted when dropped.
struct Disk(PathBuf);

impl Disk {
    fn mount(folder: &Path) -> Option<Self> {
        std::fs::create_dir(folder).unwrap();
        let size = format!("size={DISK_BYTES}");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder).status();
        mounted.is_ok_and(|status| status.success()).then(|| Self(folder.to_owned()))
    }
}

/// A folder in which nothing can be made, even by root, until this is dropped.
struct Forbidden(PathBuf);

impl Forbidden {
    fn new(folder: &Path) -> Self {
        assert!(Command::new("chattr").arg("+i").arg(folder).status().unwrap().success());
        Self(folder.to_owned())
    }
}

impl Drop for Forbidden {
    fn drop(&mut self) {
        assert!(Command::new("chattr").arg("-i").arg(&self.0).status().is_ok_and(|status| status.success()));
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: a file may still be open.
        let _gone = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// Writes until nothing fits any more.
fn fill(file: &Path) {
    let mut ballast = std::fs::File::create(file).unwrap();
    let error = std::io::copy(&mut std::io::repeat(1), &mut ballast).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
}

/// Unfinished files.
fn unfinished(work: &Path) -> usize {
    let folders = std::fs::read_dir(work).unwrap().map(|entry| entry.unwrap().path());
    folders
        .map(|folder| {
            std::fs::read_dir(folder).unwrap().filter(|entry| entry.as_ref().unwrap().path().extension().is_some()).count()
        })
        .sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_and_a_lost_permission_stop_nothing_for_good() {
    let region = Region::start().await;
    let Some(disk) = Disk::mount(&region.folder.path().join("disk")) else {
        return eprintln!("skipped: no right to mount a disk");
    };
    let (files, work) = (disk.0.join("files"), disk.0.join("work"));
    let config = Config { files: files.clone().into(), work: work.clone(), flush_after_ms: 200, ..region.config() };
    // Where the support looks for files.
    std::os::unix::fs::symlink(&files, region.folder.path().join("files")).unwrap();
    let aggregator = Aggregator::start(config);
    region.seal(region.publish(&batch(1, 1)).await).await;
    let before = region.content().await;

    let ballast = disk.0.join("ballast");
    fill(&ballast);
    let seq = region.publish(&batch(1, 2)).await;
    region.alarm("flush_failed").await;
    assert_eq!(region.content().await, before, "what is in files is read all the same");
    std::fs::remove_file(&ballast).unwrap();
    region.seal(seq).await;
    region.wait_for_the_end_of("flush_failed").await;
    // A file that is being written this moment is none of them.
    let started = Instant::now();
    while unfinished(&work) > 0 {
        assert!(started.elapsed() < PATIENCE, "something is left of the attempts");
        tokio::task::yield_now().await;
    }
    assert_eq!(region.content().await, expected(&region).await);

    let forbidden = Forbidden::new(&files.join("parts/local-0"));
    let seq = region.publish(&batch(1, 3)).await;
    let alarm = region.alarm("flush_failed").await;
    assert!(alarm.contains("not permitted"), "{alarm}");
    drop(forbidden);
    region.seal(seq).await;
    region.wait_for_the_end_of("flush_failed").await;
    assert_eq!(region.content().await, expected(&region).await);
    aggregator.stop().await;
}
