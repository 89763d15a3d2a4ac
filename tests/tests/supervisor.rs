//! The interface that other programs rely on: `weir up`, `run.json`, ports, signals, commands and their JSON.

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};
use weir_tests::collector::{Collector, Visitor, pageview};
use weir_tests::poll::{Look, until};
use weir_tests::process;
use weir_tests::query::{Stats, VISIBLE_WITHIN};
use weir_tests::weir::{CHILDREN, Weir, client};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn run_json_names_everything_for_its_owner_only() -> Result<()> {
    let weir = Weir::start().await?;
    let path = weir.home().join("run.json");
    ensure!(std::fs::metadata(&path)?.permissions().mode() & 0o777 == 0o600, "mode of run.json");
    let run: Value = serde_json::from_slice(&std::fs::read(&path)?)?;
    for name in ["collector_url", "query_url", "nats_url", "admin_key"] {
        ensure!(run[name].as_str().is_some_and(|text| !text.is_empty() && !text.ends_with('/')), "{name} in {run}");
    }
    for child in CHILDREN {
        let pid = run["pids"][child].as_u64().with_context(|| format!("{child} in {run}"))?;
        let command = std::fs::read_to_string(format!("/proc/{pid}/cmdline"))?;
        let program = if child == "nats" { "nats-server" } else { child };
        ensure!(command.contains(program), "process {pid} of {child} is {command:?}");
    }
    // Replaced when a process id changes.
    for child in ["query-api", "aggregator"] {
        let killed = weir.kill(child)?;
        let at = Instant::now();
        weir.restarted(child, killed, Duration::from_secs(2)).await?;
        eprintln!("{child} restarted after {:?}", at.elapsed());
        ensure!(std::fs::metadata(&path)?.permissions().mode() & 0o777 == 0o600, "mode of run.json after a restart");
    }
    let restarted: Value = serde_json::from_slice(&std::fs::read(&path)?)?;
    for name in ["collector_url", "query_url", "nats_url", "admin_key"] {
        ensure!(restarted[name] == run[name], "{name} changed: children restart on their old ports");
    }
    weir.serving(Duration::from_secs(20)).await?;

    // Everything listens on loopback only, secrets are for the owner only.
    for url in [&run["collector_url"], &run["query_url"], &run["nats_url"]] {
        ensure!(url.as_str().is_some_and(|url| url.contains("://127.0.0.1:")), "{url}");
    }
    for name in ["secrets.json", "nats/nats.conf", "workerd/config.capnp"] {
        let mode = std::fs::metadata(weir.home().join(name)).with_context(|| name.to_owned())?.permissions().mode() & 0o777;
        ensure!(mode == 0o600, "{name} has mode {mode:o}");
    }
    // A stranger does not get into NATS.
    let anonymous = run["nats_url"].as_str().unwrap_or_default().trim_start_matches("nats://");
    let mut socket = std::net::TcpStream::connect(anonymous)?;
    std::io::Write::write_all(&mut socket, b"CONNECT {\"verbose\":false}\r\nPING\r\n")?;
    let mut said = String::new();
    socket.set_read_timeout(Some(Duration::from_secs(5)))?;
    std::io::Read::read_to_string(&mut socket, &mut said)?;
    ensure!(said.contains("Authorization Violation"), "nats-server said {said}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_supervisor_a_home_and_signals_end_it() -> Result<()> {
    let weir = Weir::start().await?;
    let mut second = weir.spawn_up(&[])?;
    let status = until("the second up to be refused", Duration::from_secs(10), async || {
        Ok(second.try_wait()?.map_or_else(|| Look::NotYet("it runs".into()), Look::Done))
    })
    .await;
    if status.is_err() {
        second.kill()?;
    }
    ensure!(!status?.success() && weir.log("up").contains("already running"), "second up: {}", weir.log("up"));
    weir.serving(Duration::from_secs(5)).await?;

    for with in [Signal::SIGTERM, Signal::SIGINT] {
        let at = Instant::now();
        weir.stop(with, Duration::from_secs(10)).await?;
        eprintln!("{with} ended everything within {:?}", at.elapsed());
        weir.up().await?;
    }
    // A child that does not react is ended too.
    process::signal(weir.pid("aggregator")?, Signal::SIGSTOP);
    process::signal(weir.pid("nats")?, Signal::SIGSTOP);
    weir.stop(Signal::SIGTERM, Duration::from_secs(10)).await?;
    // Commands say that nothing runs.
    let output = weir.output(&["status"]).await?;
    ensure!(!output.status.success() && !output.stderr.is_empty(), "status without a system: {output:?}");
    weir.up().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_taken_port_is_a_clear_error() -> Result<()> {
    let home = tempfile::tempdir()?;
    for name in ["WEIR_COLLECTOR_PORT", "WEIR_QUERY_PORT", "WEIR_NATS_PORT"] {
        let taken = TcpListener::bind("127.0.0.1:0")?;
        let port = taken.local_addr()?.port();
        let mut up = std::process::Command::new(weir_tests::weir::binary());
        up.arg("up")
            .current_dir(weir_tests::weir::repository())
            .env_clear()
            .env("WEIR_HOME", home.path().join(name))
            .envs(["WEIR_COLLECTOR_PORT", "WEIR_QUERY_PORT", "WEIR_NATS_PORT"].map(|name| (name, "0")))
            .env(name, port.to_string());
        let output = tokio::task::spawn_blocking(move || up.output()).await??;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(!output.status.success() && said.contains(&port.to_string()) && said.contains("taken"), "{name}: {said}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sites_and_keys() -> Result<()> {
    let weir = Weir::start().await?;
    weir.json(&["site", "add", "www.Shop.example", "--timezone", "Europe/Berlin"]).await?;
    let again = weir.output(&["site", "add", "shop.example", "--timezone", "Europe/Berlin"]).await?;
    let sites = weir.json(&["site", "list"]).await?;
    let list = sites.as_array().with_context(|| sites.to_string())?;
    ensure!(list.len() == 1, "the same site twice ({}): {sites}", again.status);
    let site = list.first().context("no site")?;
    ensure!(site["domain"] == "shop.example" && site["timezone"] == "Europe/Berlin" && site["id"].is_u64(), "{site}");
    for arguments in
        [["site", "add", "no domain", "--timezone", "UTC"], ["site", "add", "good.example", "--timezone", "Mars/Base"]]
    {
        let output = weir.output(&arguments).await?;
        ensure!(!output.status.success() && !output.stderr.is_empty(), "{arguments:?} was accepted");
    }
    let output = weir.output(&["key", "create", "--site", "unknown.example", "--json"]).await?;
    let error: Value = serde_json::from_slice(&output.stderr).with_context(|| format!("{output:?}"))?;
    ensure!(!output.status.success() && error["error"].as_str().is_some_and(|text| text.contains("unknown.example")), "{error}");

    let made = weir.json(&["key", "create", "--site", "shop.example"]).await?;
    let key = made["key"].as_str().context("no key")?;
    ensure!(key.len() == 48 && key.starts_with("weir_"), "{key}");
    // `{"key":"…"}` is printed with and without --json.
    let plain: Value = serde_json::from_slice(&weir.output(&["key", "create", "--site", "shop.example"]).await?.stdout)?;
    ensure!(plain["key"].is_string(), "{plain}");
    let keys = weir.json(&["key", "list"]).await?;
    ensure!(keys.as_array().is_some_and(|keys| keys.iter().filter(|key| key["domain"] == "shop.example").count() == 2), "{keys}");

    // What a key reads.
    let answer: Value =
        client()?.get(format!("{}/api/sites", weir.run()?.query_url)).bearer_auth(key).send().await?.json().await?;
    let readable = answer.as_array().with_context(|| answer.to_string())?;
    ensure!(
        readable.len() == 1
            && readable.iter().all(|site| site["domain"] == "shop.example" && site["timezone"] == "Europe/Berlin"),
        "{answer}"
    );
    // Nothing below the home shows a key, except the admin key in run.json and secrets.json.
    let shown = files(weir.home())?
        .into_iter()
        .find(|path| std::fs::read(path).is_ok_and(|bytes| bytes.windows(key.len()).any(|window| window == key.as_bytes())));
    ensure!(shown.is_none(), "{shown:?} holds a key");
    Ok(())
}

/// All files below a folder.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            all.extend(files(&entry.path()).unwrap_or_default());
        } else {
            all.push(entry.path());
        }
    }
    Ok(all)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn countries_are_refreshed_without_a_rebuild() -> Result<()> {
    let weir = Weir::start().await?;
    let site = "countries.example";
    weir.add_site(site).await?;
    let notice = std::fs::read_to_string(weir.home().join("geo/NOTICE"))?;
    ensure!(notice.contains("CC BY 4.0"), "{notice}");
    let (v4, v6) = (weir.home().join("v4.csv"), weir.home().join("v6.csv"));
    std::fs::write(&v4, "198.18.0.0,198.18.0.255,NO\n198.18.1.0,198.18.1.255,SE\n")?;
    std::fs::write(&v6, "2001:db8::,2001:db8:ffff:ffff:ffff:ffff:ffff:ffff,FI\n")?;
    let (v4, v6) = (v4.to_string_lossy(), v6.to_string_lossy());
    let made = weir.json(&["countries", "refresh", "--ipv4", &v4, "--ipv6", &v6]).await?;
    ensure!(made["ipv4_ranges"] == 2 && made["ipv6_ranges"] == 1, "{made}");
    let wrong = weir.output(&["countries", "refresh", "--ipv4", &v6, "--ipv6", &v6]).await?;
    ensure!(wrong.status.code() == Some(1) && String::from_utf8_lossy(&wrong.stderr).contains("no ranges"), "{wrong:?}");

    // A running worker looks each minute; one that starts looks at once. The next `weir up` keeps a table that is newer than the pinned one.
    weir.stop(Signal::SIGTERM, Duration::from_secs(10)).await?;
    weir.up().await?;
    let collector = Collector::of(&weir)?;
    let from = |address: &str| Visitor { address: address.to_owned(), ..Visitor::number(0) };
    for address in ["198.18.0.1", "198.18.0.2", "198.18.1.1", "2001:db8::1", "198.19.0.1"] {
        collector.send(&from(address), &pageview(site, "/")).await?;
    }
    let stats = Stats::admin(&weir, site)?;
    stats.await_total(VISIBLE_WITHIN, &["pageviews"], json!({}), &[5.0]).await?;
    let countries = stats.by("visit:country", &["visitors"], json!({})).await?;
    for (code, expected) in [("NO", 2.0), ("SE", 1.0), ("FI", 1.0)] {
        ensure!(countries.get(code).is_some_and(|metrics| metrics == &[expected]), "{code}: {countries:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flush_status_tail_and_doctor() -> Result<()> {
    let weir = Weir::start().await?;
    let site = "ops.example";
    weir.add_site(site).await?;
    let collector = Collector::of(&weir)?;
    let paths: Vec<_> = (0..20).map(|number| format!("/tail/{number}")).collect();
    for (number, path) in paths.iter().enumerate() {
        collector.send(&Visitor::number(number as u32), &pageview(site, path)).await?;
    }
    // The edge tells each second what it refused, here while the site was not known: such a batch may come after a first flush.
    let status = until("everything sealed", Duration::from_secs(10), async || {
        weir.flush().await?;
        let status = weir.json(&["status"]).await?;
        let is_sealed = status["partitions"].as_array().is_some_and(|all| all.iter().all(|one| one["lag"] == 0));
        Ok(if is_sealed { Look::Done(status) } else { Look::NotYet(status.to_string()) })
    })
    .await?;
    let partitions = status["partitions"].as_array().context("no partitions")?;
    ensure!(partitions.len() == 2, "{status}");
    for partition in partitions {
        for name in ["partition", "first_seq", "last_seq", "sealed_seq", "lag", "parts"] {
            ensure!(partition[name].is_u64(), "{name} in {partition}");
        }
        ensure!(partition["lag"] == 0 && partition["sealed_seq"] == partition["last_seq"], "flushed: {partition}");
        chrono::DateTime::parse_from_rfc3339(partition["watermark"].as_str().unwrap_or_default())
            .with_context(|| partition.to_string())?;
        ensure!(partition["alarms"].as_array().is_none_or(Vec::is_empty), "{partition}");
    }
    let sites = weir.json(&["site", "list"]).await?;
    let own = partitions
        .iter()
        .find(|partition| partition["partition"] == sites[0]["partition"])
        .context("no partition of the site")?;
    ensure!(own["parts"].as_u64() > Some(0), "a part for the site's partition: {status}");

    // Finished parts, and nothing else, end in `.duckdb` outside dot-directories.
    let parts: Vec<_> = files(weir.home())?
        .into_iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "duckdb"))
        .filter(|path| !path.strip_prefix(weir.home()).unwrap_or(path).iter().any(|name| name.to_string_lossy().starts_with('.')))
        .collect();
    ensure!(!parts.is_empty(), "no part below the home");
    for part in &parts {
        let bytes = std::fs::read(part)?;
        ensure!(bytes.get(8..12) == Some(b"DUCK".as_slice()), "{} is no DuckDB file", part.display());
    }

    // All events, raw, with positions.
    let output = weir.output(&["tail", "--from-seq", "1", "--until-end", "--json"]).await?;
    ensure!(output.status.success(), "{output:?}");
    let lines: Vec<Value> = String::from_utf8(output.stdout)?.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let mut tailed: Vec<_> =
        lines.iter().filter_map(|line| line["event"]["pathname"].as_str()).filter(|path| path.starts_with("/tail/")).collect();
    tailed.sort_unstable_by_key(|path| path.trim_start_matches("/tail/").parse::<u32>().unwrap_or_default());
    ensure!(tailed == paths, "tail: {tailed:?}");
    ensure!(lines.iter().all(|line| line["seq"].is_u64() && line["index"].is_u64() && line["partition"].is_u64()), "positions");

    // People get text, programs JSON.
    for arguments in [vec!["status"], vec!["flush"], vec!["site", "list"], vec!["key", "list"], vec!["doctor"]] {
        let plain = weir.output(&arguments).await?;
        ensure!(plain.status.success() && !plain.stdout.is_empty(), "{arguments:?}: {plain:?}");
        weir.json(&arguments).await?;
    }
    // Nobody may listen in by accident: a flush of an idle system is quick.
    let at = Instant::now();
    weir.flush().await?;
    ensure!(at.elapsed() < Duration::from_secs(5), "an idle flush took {:?}", at.elapsed());
    metrics(&weir).await?;
    Stats::admin(&weir, site)?.await_total(VISIBLE_WITHIN, &["events"], json!({}), &[20.0]).await
}

async fn metrics(weir: &Weir) -> Result<()> {
    let text = client()?.get(format!("{}/metrics", weir.run()?.query_url)).send().await?.error_for_status()?.text().await?;
    ensure!(text.lines().any(|line| !line.starts_with('#') && line.contains(' ')), "metrics: {text}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_doctor_complains_when_something_is_wrong() -> Result<()> {
    let weir = Weir::start().await?;
    weir.json(&["doctor"]).await?;
    let readable_by_all = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(weir.home(), readable_by_all)?;
    let output = weir.output(&["doctor"]).await?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.code() == Some(1) && text.contains("chmod 700"), "doctor of an open home: {output:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_is_true() -> Result<()> {
    let weir = Weir::start().await?;
    let run = weir.run()?;
    let health = async |url: String| -> u16 {
        match client() {
            Ok(client) => client.get(url).send().await.map_or(0, |answer| answer.status().as_u16()),
            Err(_) => 0,
        }
    };
    ensure!(health(format!("{}/health", run.collector_url)).await == 200, "collector");
    ensure!(health(format!("{}/api/health", run.query_url)).await == 200, "query API");
    // Without NATS a query API that starts cannot know the heads, so it must not claim to serve.
    process::signal(run.pid("nats")?, Signal::SIGSTOP);
    let killed = weir.kill("query-api")?;
    let fresh = weir.restarted("query-api", killed, Duration::from_secs(2)).await?;
    let at = Instant::now();
    let mut looks = 0;
    while at.elapsed() < Duration::from_secs(2) && process::is_alive(fresh) {
        let status = health(format!("{}/api/health", run.query_url)).await;
        ensure!(status != 200, "the query API says it serves while NATS is silent");
        looks += 1;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    ensure!(looks > 0, "never looked");
    process::signal(run.pid("nats")?, Signal::SIGCONT);
    weir.serving(Duration::from_secs(30)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn help_of_every_command() -> Result<()> {
    let home = tempfile::tempdir()?;
    let commands: [&[&str]; 28] = [
        &[],
        &["up"],
        &["demo"],
        &["aggregator"],
        &["query-api"],
        &["site"],
        &["site", "add"],
        &["site", "list"],
        &["site", "show"],
        &["site", "set"],
        &["shield"],
        &["shield", "add"],
        &["shield", "remove"],
        &["shield", "list"],
        &["rejected"],
        &["rejected", "list"],
        &["rejected", "show"],
        &["rejected", "recover"],
        &["countries", "refresh"],
        &["haproxy-config"],
        &["key"],
        &["key", "create"],
        &["key", "list"],
        &["key", "revoke"],
        &["import"],
        &["status"],
        &["flush"],
        &["tail"],
    ];
    for command in commands.into_iter().chain([&["doctor"] as &[&str]]) {
        // A bare environment: the program finds its own libraries.
        let output = std::process::Command::new(weir_tests::weir::binary())
            .args(command)
            .arg("--help")
            .current_dir(home.path())
            .env_clear()
            .stdin(Stdio::null())
            .output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        ensure!(
            output.status.success() && text.contains("Usage: weir") && text.contains("--json"),
            "{command:?} --help: {output:?}"
        );
    }
    ensure!(std::fs::read_dir(home.path())?.next().is_none(), "--help leaves files behind");
    Ok(())
}
