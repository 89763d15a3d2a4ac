//! Several edge processes: one address before them by `HAProxy`, one killed under load, and what the commands say of them.

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::process::Child;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinSet;
use weir_tests::collector::{USER_AGENT, pageview};
use weir_tests::haproxy::{Haproxy, client_at, free_port};
use weir_tests::load::Sent;
use weir_tests::poll::{Look, soft, until, until_true};
use weir_tests::process;
use weir_tests::query::{Stats, VISIBLE_WITHIN};
use weir_tests::weir::{Weir, client};

const SITE: &str = "edges.example";
const SETTLED_WITHIN: Duration = Duration::from_mins(1);

async fn start(edges: &str) -> Result<Weir> {
    let weir = Weir::start_with(&[("WEIR_EDGES", edges)]).await?;
    weir.add_site(SITE).await?;
    for url in collectors(&weir)? {
        known_at(&url, SITE).await?;
    }
    Ok(weir)
}

fn run_file(weir: &Weir) -> Result<Value> {
    Ok(serde_json::from_slice(&std::fs::read(weir.home().join("run.json"))?)?)
}

fn collectors(weir: &Weir) -> Result<Vec<String>> {
    Ok(serde_json::from_value(run_file(weir)?["collector_urls"].clone())?)
}

/// Waits until an edge knows the site. The event of the question counts in no metric.
async fn known_at(url: &str, site: &str) -> Result<()> {
    let client = client()?;
    let body = json!({"n": "engagement", "d": site, "u": format!("http://{site}/"), "e": 1});
    until(&format!("{url} to know {site}"), Duration::from_secs(10), async || {
        let answer = client.post(format!("{url}/api/event")).header("user-agent", USER_AGENT).json(&body).send().await;
        Ok(soft(answer.map_err(Into::into).map(|answer| {
            if answer.status() == 202 && !answer.headers().contains_key("x-plausible-dropped") {
                Look::Done(())
            } else {
                Look::NotYet(format!("{} {:?}", answer.status(), answer.headers()))
            }
        })))
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_address_before_three_edges() -> Result<()> {
    let weir = start("3").await?;
    let run = run_file(&weir)?;
    let urls = collectors(&weir)?;
    ensure!(urls.len() == 3 && urls.iter().collect::<BTreeSet<_>>().len() == 3, "{urls:?}");
    ensure!(run["collector_url"] == urls.first().cloned().unwrap_or_default(), "{run}");
    let said = weir.log("up");
    ensure!(urls.iter().all(|url| said.contains(url)), "the ready line names {urls:?}: {said}");
    let haproxy = Haproxy::start(&urls).await?;

    // Twenty clients claim to be one and the same, from one country.
    for number in 1..=20 {
        let client = client_at(number)?;
        for page in 0..3 {
            let answer = client
                .post(format!("{}/api/event", haproxy.url()))
                .header("user-agent", USER_AGENT)
                .header("content-type", "text/plain")
                .header("x-forwarded-for", "203.0.113.77")
                .header("cf-connecting-ip", "203.0.113.77")
                .header("x-plausible-ip", "203.0.113.77")
                .header("forwarded", "for=203.0.113.77")
                .header("cf-ipcountry", "NO")
                .header("x-vercel-ip-country", "NO")
                .header("x-country-code", "NO")
                .body(pageview(SITE, &format!("/{page}")).to_string())
                .send()
                .await?;
            let status = answer.status();
            ensure!(status == 202 && !answer.headers().contains_key("x-plausible-dropped"), "{status} {:?}", answer.headers());
            ensure!(answer.headers().get("access-control-allow-origin").is_some_and(|origin| origin == "*"), "CORS");
        }
    }
    let stats = Stats::admin(&weir, SITE)?;
    let metrics = ["visitors", "visits", "pageviews"];
    stats.await_total(VISIBLE_WITHIN, &metrics, json!({}), &[20.0, 20.0, 60.0]).await?;
    let countries = stats.by("visit:country", &["visitors"], json!({})).await?;
    ensure!(!countries.contains_key("NO"), "a country that a client claimed is believed: {countries:?}");
    weir.flush().await?;
    stats.await_total(VISIBLE_WITHIN, &metrics, json!({}), &[20.0, 20.0, 60.0]).await?;

    servers_with_a_key(&weir, haproxy.url()).await?;

    // All edges took part: with two batchers each for the site's partition, two edges have at most four.
    let tail = weir.output(&["tail", "--from-seq", "1", "--until-end", "--json"]).await?;
    let lines: Vec<Value> = String::from_utf8(tail.stdout)?.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let batchers: BTreeSet<&str> =
        lines.iter().filter(|line| line["event"]["name"] == "pageview").filter_map(|line| line["batcher"].as_str()).collect();
    ensure!(batchers.len() > 4, "batchers {batchers:?}");

    // What the operator asks stays inside, and what is too large is refused readably.
    let client = client()?;
    let answer = client.get(format!("{}/internal/backlog", haproxy.url())).send().await?;
    ensure!(answer.status() == 404, "/internal through HAProxy: {}", answer.status());
    for bytes in [1_000_001, 5_000_000, 15_000_000] {
        for _ in 0..5 {
            let answer = client.post(format!("{}/api/event", haproxy.url())).body(vec![b' '; bytes]).send().await?;
            ensure!(
                answer.status() == 413 && answer.headers().contains_key("access-control-allow-origin"),
                "a body of {bytes} bytes: {} {:?}",
                answer.status(),
                answer.headers()
            );
        }
    }
    Ok(())
}

/// Whoever shows a valid key speaks for its clients; whoever only pretends to is refused.
async fn servers_with_a_key(weir: &Weir, url: &str) -> Result<()> {
    let site = "server.example";
    weir.add_site(site).await?;
    for url in collectors(weir)? {
        known_at(&url, site).await?;
    }
    let made = weir.json(&["key", "create", "--site", site, "--scope", "events:write"]).await?;
    let key = format!("Bearer {}", made["key"].as_str().context("no key")?);
    let client = client_at(200)?;
    let send = async |authorization: &[&str], number: u8| -> Result<u16> {
        let mut request = client.post(format!("{url}/api/event")).header("user-agent", USER_AGENT);
        for value in authorization {
            request = request.header("authorization", *value);
        }
        let request = request.header("x-forwarded-for", format!("203.0.113.{number}"));
        Ok(request.body(pageview(site, "/").to_string()).send().await?.status().as_u16())
    };
    for number in 1..=4 {
        let status = send(&[&key], number).await?;
        ensure!(status == 202, "a valid key: {status}");
    }
    for (authorization, expected) in [
        (&["Bearer weir_0000000000000000000000000000000000000000000"][..], 401),
        (&["bearer "], 202),
        (&["Basic abc", "Bearer abc"], 400),
        (&["Basic abc"], 202),
        (&["Basic abc, Bearer abc"], 202),
    ] {
        let status = send(authorization, 77).await?;
        ensure!(status == expected, "{authorization:?}: {status}");
    }
    // Four clients of the server, and itself, who showed no key three times.
    let stats = Stats::admin(weir, site)?;
    stats.await_total(VISIBLE_WITHIN, &["visitors", "pageviews"], json!({}), &[5.0, 7.0]).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn haproxy_config_names_the_edges_that_run() -> Result<()> {
    let weir = Weir::start_with(&[("WEIR_EDGES", "2")]).await?;
    let output = weir.output(&["haproxy-config", "--bind", &format!("127.0.0.1:{}", free_port()?)]).await?;
    ensure!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout)?;
    for url in collectors(&weir)? {
        ensure!(text.contains(url.trim_start_matches("http://")), "{url} is missing in\n{text}");
    }
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(file.path(), text)?;
    let checked = std::process::Command::new(weir_tests::haproxy::find()?).arg("-c").arg("-f").arg(file.path()).output()?;
    ensure!(checked.status.success(), "{checked:?}");
    Ok(())
}

/// Senders through one address, each event with its own id.
struct Senders {
    tasks: JoinSet<()>,
    ended: Arc<AtomicBool>,
    sent: Arc<Mutex<Sent>>,
}

impl Senders {
    fn start(url: &str, count: u8) -> Result<Self> {
        let (ended, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Sent::default())));
        let next = Arc::new(AtomicU64::new(1));
        let mut tasks = JoinSet::new();
        for sender in 0..count {
            let client = client_at(100 + sender)?;
            let (ended, sent, next, url) = (ended.clone(), sent.clone(), next.clone(), format!("{url}/api/event"));
            tasks.spawn(async move {
                while !ended.load(Ordering::Relaxed) {
                    let id = next.fetch_add(1, Ordering::Relaxed).to_string();
                    let is_good = send(&client, &url, &id).await;
                    {
                        let mut sent = sent.lock().unwrap_or_else(PoisonError::into_inner);
                        if is_good {
                            sent.acknowledged.insert(id)
                        } else {
                            sent.unclear.insert(id)
                        };
                    }
                    if !is_good {
                        // The address is away: come back soon, without spinning.
                        tokio::time::sleep(Duration::from_millis(10)).await;
                    }
                }
            });
        }
        Ok(Self { tasks, ended, sent })
    }

    fn acknowledged(&self) -> usize {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).acknowledged.len()
    }

    async fn progress(&self, more: usize) -> Result<()> {
        let goal = self.acknowledged() + more;
        until_true(&format!("{more} more acknowledged events"), SETTLED_WITHIN, async || self.acknowledged() >= goal).await
    }

    async fn stop(mut self) -> Result<Sent> {
        self.ended.store(true, Ordering::Relaxed);
        while let Some(joined) = self.tasks.join_next().await {
            joined?;
        }
        Ok(self.sent.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

async fn send(client: &reqwest::Client, url: &str, id: &str) -> bool {
    let body = json!({"n": "pageview", "d": SITE, "u": format!("https://{SITE}/id/{id}")}).to_string();
    match client.post(url).header("user-agent", USER_AGENT).body(body).send().await {
        Ok(answer) => {
            let is_taken = answer.status() == 202 && !answer.headers().contains_key("x-plausible-dropped");
            is_taken && answer.text().await.is_ok_and(|text| text == "ok")
        }
        Err(_) => false,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edge_is_killed_under_load() -> Result<()> {
    let weir = start("3").await?;
    let haproxy = Haproxy::start(&collectors(&weir)?).await?;
    let senders = Senders::start(haproxy.url(), 6)?;
    for child in ["workerd-1", "workerd", "workerd-2"] {
        senders.progress(150).await?;
        let killed = weir.kill(child)?;
        // The others go on meanwhile.
        senders.progress(50).await?;
        weir.restarted(child, killed, Duration::from_secs(10)).await?;
    }
    senders.progress(100).await?;
    let sent = senders.stop().await?;
    eprintln!("{} acknowledged, {} unclear events", sent.acknowledged.len(), sent.unclear.len());
    ensure!(sent.unclear.len() * 20 < sent.acknowledged.len(), "{} of {} failed", sent.unclear.len(), sent.acknowledged.len());
    sent.verify(&weir, SITE, SETTLED_WITHIN).await.with_context(|| weir.log("workerd-1"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_know_every_edge() -> Result<()> {
    let weir = start("3").await?;
    let status = weir.json(&["status"]).await?;
    let edges = status["edges"].as_array().with_context(|| status.to_string())?;
    let names: Vec<_> = edges.iter().filter_map(|edge| edge["name"].as_str()).collect();
    ensure!(
        names == ["workerd", "workerd-1", "workerd-2"] && edges.iter().all(|edge| edge["unsent_events"].is_u64()),
        "{status}"
    );
    weir.json(&["doctor"]).await?;
    weir.flush().await?;

    // What one edge still holds keeps a flush waiting, and the doctor sees an edge that does not answer.
    let stopped = weir.pid("workerd-2")?;
    process::signal(stopped, Signal::SIGSTOP);
    let flush = weir.output(&["flush", "--timeout", "1"]).await?;
    let doctor = weir.output(&["doctor"]).await?;
    process::signal(stopped, Signal::SIGCONT);
    ensure!(flush.status.code() == Some(1) && String::from_utf8_lossy(&flush.stderr).contains("edge"), "{flush:?}");
    ensure!(doctor.status.code() == Some(1), "{doctor:?}");
    Ok(())
}

/// Ends an extra `weir up`, whatever the test said.
struct Up(Child);

impl Drop for Up {
    fn drop(&mut self) {
        process::signal(self.0.id(), Signal::SIGTERM);
        let _reaped = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fewer_edges_leave_no_event_behind() -> Result<()> {
    let weir = start("2").await?;
    let second = collectors(&weir)?.into_iter().nth(1).context("no second edge")?;
    process::signal(weir.pid("nats")?, Signal::SIGSTOP);
    let client = client_at(1)?;
    for number in 0..10 {
        ensure!(send(&client, &format!("{second}/api/event"), &number.to_string()).await, "event {number} is not taken");
    }
    weir.kill_everything()?;

    let killed = run_file(&weir)?;
    let up = Up(weir.spawn_up(&[("WEIR_EDGES", "1")])?);
    // The second one is not offered to anybody, but runs until what it holds is on the stream.
    until("weir up with one edge asked for", Duration::from_secs(40), async || {
        let run = run_file(&weir).unwrap_or_default();
        let is_new = run["supervisor_pid"].is_u64() && run["supervisor_pid"] != killed["supervisor_pid"];
        let urls = collectors(&weir).unwrap_or_default();
        Ok(match urls.as_slice() {
            [url] if is_new && is_healthy(url).await => Look::Done(()),
            _ => Look::NotYet(format!("{run}")),
        })
    })
    .await
    .with_context(|| weir.log("up"))?;
    let stats = Stats::admin(&weir, SITE)?;
    stats.await_total(SETTLED_WITHIN, &["pageviews"], json!({}), &[10.0]).await?;
    until("the second edge to be put away", Duration::from_secs(20), async || {
        let run = run_file(&weir)?;
        let is_away = run["draining_edges"].is_null() && run["pids"]["workerd-1"].is_null();
        let is_aside = weir.home().join("workerd/do-1.emptied").is_dir() && !weir.home().join("workerd/do-1").exists();
        Ok(if is_away && is_aside { Look::Done(()) } else { Look::NotYet(run.to_string()) })
    })
    .await?;
    weir.flush().await?;
    weir.json(&["doctor"]).await?;
    stats.await_total(VISIBLE_WITHIN, &["pageviews"], json!({}), &[10.0]).await?;
    drop(up);
    Ok(())
}

async fn is_healthy(url: &str) -> bool {
    let Ok(client) = client() else { return false };
    client.get(format!("{url}/health")).send().await.is_ok_and(|answer| answer.status() == 200)
}
