//! NATS is lost with everything in it: a backup and the object store give the same answers in a new system, which then goes on counting.

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;
use weir_tests::collector::{Collector, Visitor, pageview};
use weir_tests::query::Stats;
use weir_tests::weir::Weir;

const SITE: &str = "saved.example";
const SETTLED_WITHIN: Duration = Duration::from_secs(40);

async fn send(weir: &Weir, pages: std::ops::Range<u32>) -> Result<()> {
    let collector = Collector::of(weir)?;
    for page in pages {
        collector.send(&Visitor::number(page % 7), &pageview(SITE, &format!("/p{page}"))).await?;
    }
    Ok(())
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let (entry, target) = (entry?, |name: &std::ffi::OsStr| to.join(name));
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target(&entry.file_name()))?;
        } else {
            std::fs::copy(entry.path(), target(&entry.file_name()))?;
        }
    }
    Ok(())
}

/// A restore that must be refused: what it says.
async fn refused(weir: &Weir, backup: &Path, options: &[&str]) -> Result<String> {
    let file = backup.to_str().context("a path that is not UTF-8")?;
    let output = weir.output(&[&["backup", "restore", file], options].concat()).await?;
    ensure!(!output.status.success(), "restored with {options:?}: {}", String::from_utf8_lossy(&output.stdout));
    Ok(String::from_utf8(output.stderr)?)
}

async fn by_page(weir: &Weir, key: &str) -> Result<BTreeMap<String, Vec<f64>>> {
    Stats::new(weir, SITE, key)?.by("event:page", &["pageviews", "visitors"], json!({})).await
}

async fn no_alarms(weir: &Weir) -> Result<()> {
    let status = weir.json(&["status"]).await?;
    for partition in status["partitions"].as_array().context("no partitions in the status")? {
        ensure!(partition["alarms"].as_array().is_some_and(Vec::is_empty), "{partition}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_system_goes_on_from_a_backup() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let backups = folder.path().to_str().context("a path that is not UTF-8")?;
    let former = Weir::start().await?;
    former.add_site(SITE).await?;
    let account = former.json(&["account", "add", "Shop Ltd"]).await?;
    let key = former.create_key(SITE).await?;
    send(&former, 0..20).await?;
    former.flush().await?;
    let made = former.json(&["backup", "create", backups]).await?;
    let backup = PathBuf::from(made["file"].as_str().context("no file in what it printed")?);
    ensure!(std::fs::metadata(&backup)?.permissions().mode() & 0o777 == 0o600, "others may read the backup");
    let text = String::from_utf8(zstd::decode_all(std::fs::File::open(&backup)?)?)?;
    ensure!(!text.contains(&key) && !text.contains("\"bucket\":\"salts\""), "a key or a salt is in the backup");
    // Sealed after the backup: the object store knows of it, the backup does not.
    send(&former, 20..30).await?;
    former.flush().await?;
    let before = by_page(&former, &key).await?;
    ensure!(before.len() == 30, "{before:?}");
    former.stop(Signal::SIGTERM, Duration::from_secs(20)).await?;

    // The machine is lost; its files were in a store that is not.
    let weir = Weir::start().await?;
    copy_folder(&former.home().join("files"), &weir.home().join("files"))?;
    drop(former);
    weir.add_site(SITE).await?;
    send(&weir, 30..33).await?;
    let said = refused(&weir, folder.path(), &[]).await?;
    ensure!(said.contains("--overwrite"), "{said}");
    let said = refused(&weir, folder.path(), &["--overwrite"]).await?;
    ensure!(said.contains("--new-stream") && said.contains("was made at"), "{said}");
    let restored = weir.json(&["backup", "restore", backups, "--overwrite", "--new-stream"]).await?;
    let partitions = restored["partitions"].as_array().context("no partitions")?;
    ensure!(!partitions.is_empty() && partitions.iter().all(|one| one["new_stream"] == true), "{restored}");
    ensure!(partitions.iter().any(|one| one["newer_than_backup"] == true), "{restored}");
    ensure!(partitions.iter().any(|one| one["moved_batches"].as_u64() > Some(0)), "{restored}");

    // Answers of before, and what came in before the restore; the former key reads them.
    let mut expected = before;
    expected.extend((30..33).map(|page| (format!("/p{page}"), vec![1.0, 1.0])));
    let stats = Stats::new(&weir, SITE, &key)?;
    stats.await_total(SETTLED_WITHIN, &["pageviews"], json!({}), &[33.0]).await?;
    ensure!(by_page(&weir, &key).await? == expected);
    ensure!(weir.json(&["account", "list"]).await?.as_array().is_some_and(|all| all.contains(&account)));
    // It goes on: new events count, are sealed, and everything balances.
    send(&weir, 33..40).await?;
    weir.flush().await?;
    expected.extend((33..40).map(|page| (format!("/p{page}"), vec![1.0, 1.0])));
    ensure!(by_page(&weir, &key).await? == expected);
    no_alarms(&weir).await?;

    // The same system again, which has everything: nothing changes.
    let second = folder.path().join("second");
    let second = second.to_str().context("a path that is not UTF-8")?;
    weir.json(&["backup", "create", second]).await?;
    let again = weir.json(&["backup", "restore", second]).await?;
    ensure!(again["objects"] == 0 && again["keys"] == 0, "{again}");
    let same = |one: &Value| one["new_stream"] == false && one["newer_than_backup"] == false;
    ensure!(again["partitions"].as_array().is_some_and(|all| all.iter().all(same)), "{again}");
    weir.stop(Signal::SIGTERM, Duration::from_secs(20)).await?;
    weir.up().await?;
    stats_after_restart(&weir, &key, &expected).await?;
    no_alarms(&weir).await
}

async fn stats_after_restart(weir: &Weir, key: &str, expected: &BTreeMap<String, Vec<f64>>) -> Result<()> {
    Stats::new(weir, SITE, key)?.await_total(SETTLED_WITHIN, &["pageviews"], json!({}), &[40.0]).await?;
    ensure!(by_page(weir, key).await? == *expected);
    Ok(())
}
