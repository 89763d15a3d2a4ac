//! The power goes: what was acknowledged is there when it comes back, though every write that was not synced is gone.
//!
//! The whole home (streams, the edge's objects, files, secrets) lies on a disk that forgets; see `weir_tests::unsynced` for its model.
#![cfg(target_os = "linux")]

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::time::Duration;
use weir_tests::load::{Load, Sent};
use weir_tests::poll::{Look, soft, until};
use weir_tests::query::Stats;
use weir_tests::unsynced::{Names, Survival, UnsyncedDisk};
use weir_tests::weir::{Weir, client, repository};

const SITE: &str = "power.example";
const SENDERS: u32 = 8;
/// Acknowledged events before each cut.
const EVENTS: usize = 1_000;
const SENT_WITHIN: Duration = Duration::from_secs(40);
const SETTLED_WITHIN: Duration = Duration::from_secs(40);
/// Often, so that cuts fall into commits too.
const OPTIONS: [(&str, &str); 1] = [("WEIR_FLUSH_AFTER_MS", "250")];

/// Loads, cuts the power in the middle of it, and starts again with what survived.
async fn cut_under_load(weir: &Weir, disk: &mut UnsyncedDisk, survival: Survival) -> Result<Sent> {
    let load = Load::start(weir, SITE, SENDERS)?;
    load.progress(EVENTS, SENT_WITHIN).await?;
    weir.kill_everything_at(|| disk.cut())?;
    // The killed programs are gone, and their connections broken, once the disk has let go of them.
    let lost = tokio::task::block_in_place(|| disk.restore(survival))?;
    let sent = load.stop().await?;
    eprintln!("power cut after {} acknowledged events, {survival:?}: at stake were {lost:?}", sent.acknowledged.len());
    ensure!(lost.bytes > 0, "there was nothing unsynced: this cut proves nothing");
    Ok(sent)
}

/// Waits until the edge holds nothing more.
async fn drained(weir: &Weir) -> Result<()> {
    until("the backlog to drain", SETTLED_WITHIN, async || {
        let look = async {
            let secrets: Value = serde_json::from_slice(&std::fs::read(weir.home().join("secrets.json"))?)?;
            let url = format!("{}/internal/backlog", weir.run()?.collector_url);
            let request = client()?.get(url).bearer_auth(secrets["edge_token"].as_str().unwrap_or_default());
            let backlog: Value = request.send().await?.error_for_status()?.json().await?;
            Ok(if backlog["unsent_events"] == 0 { Look::Done(()) } else { Look::NotYet(backlog.to_string()) })
        };
        Ok(soft(look.await))
    })
    .await
}

/// Ids of the load's events that the streams hold.
async fn on_the_streams(weir: &Weir) -> Result<BTreeSet<String>> {
    let output = weir.output(&["tail", "--from-seq", "1", "--until-end", "--json"]).await?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut ids = BTreeSet::new();
    for line in String::from_utf8(output.stdout)?.lines() {
        let event: Value = serde_json::from_str(line)?;
        let path = event["event"]["pathname"].as_str().unwrap_or_default();
        ids.extend(path.strip_prefix("/id/").map(str::to_owned));
    }
    Ok(ids)
}

/// With what `weir up` sets, nothing acknowledged is lost: after each cut, by a strict disk and by one that writes back as it likes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost() -> Result<()> {
    let Some(mut disk) = UnsyncedDisk::mount_or_say(Names::Journalled)? else { return Ok(()) };
    let weir = Weir::start_in(disk.path(), &OPTIONS).await?;
    weir.add_site(SITE).await?;
    let key = weir.create_key(SITE).await?;
    let secrets = || std::fs::read(weir.home().join("secrets.json"));
    let before = secrets()?;
    let mut sent = Sent::default();
    for survival in [Survival::Synced, Survival::Chance(1), Survival::Synced] {
        sent = sent.and(cut_under_load(&weir, &mut disk, survival).await?);
        ensure!(secrets().context("secrets.json is gone")? == before, "secrets.json is another one");
        weir.up().await?;
    }
    Stats::new(&weir, SITE, &key)?.total(&["pageviews"], json!({})).await.context("a key of before")?;
    sent.verify(&weir, SITE, SETTLED_WITHIN).await?;
    let status = weir.json(&["status"]).await?;
    for partition in status["partitions"].as_array().context("no partitions in the status")? {
        ensure!(partition["alarms"].as_array().is_some_and(Vec::is_empty), "{partition}");
    }
    let stored = on_the_streams(&weir).await?;
    ensure!(sent.acknowledged.is_subset(&stored), "what is answered is not on the streams");
    Ok(())
}

/// The same with nats-server's default (it syncs every two minutes) loses what was acknowledged: the test above can fail.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_default_of_nats_server_would_lose() -> Result<()> {
    let root = tempfile::tempdir()?;
    root_with_default_nats(root.path())?;
    let Some(mut disk) = UnsyncedDisk::mount_or_say(Names::Journalled)? else { return Ok(()) };
    let root = root.path().to_str().context("a temporary folder that is not UTF-8")?;
    let weir = Weir::start_in(disk.path(), &[OPTIONS[0], ("WEIR_ROOT", root)]).await?;
    weir.add_site(SITE).await?;
    let sent = cut_under_load(&weir, &mut disk, Survival::Synced).await?;
    weir.up().await?;
    drained(&weir).await?;
    let stored = on_the_streams(&weir).await?;
    let lost = sent.acknowledged.difference(&stored).count();
    eprintln!("with nats-server's default {lost} of {} acknowledged events are lost", sent.acknowledged.len());
    ensure!(lost > 0, "nats-server's default lost nothing: the disk does not forget");
    Ok(())
}

/// The repository as `weir` sees it, with a nats-server that takes our configuration without `sync_interval`.
fn root_with_default_nats(root: &Path) -> Result<()> {
    let link_all = |from: &Path, to: &Path, but: &str| -> Result<()> {
        std::fs::create_dir_all(to)?;
        for entry in std::fs::read_dir(from)? {
            let entry = entry?;
            if entry.file_name() != but {
                symlink(entry.path(), to.join(entry.file_name()))?;
            }
        }
        Ok(())
    };
    let repository = repository();
    link_all(&repository, root, ".tools")?;
    link_all(&repository.join(".tools"), &root.join(".tools"), "bin")?;
    link_all(&repository.join(".tools/bin"), &root.join(".tools/bin"), "nats-server")?;
    let real = repository.join(".tools/bin/nats-server");
    let script = format!(
        "#!/bin/sh\n[ \"$1\" = -c ] && grep -q sync_interval \"$2\" || exit 9\nsed /sync_interval/d \"$2\" > \"$2.default\"\nexec '{}' -c \"$2.default\"\n",
        real.display()
    );
    let file = root.join(".tools/bin/nats-server");
    std::fs::write(&file, script)?;
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755))?;
    Ok(())
}
