//! A region on many processes: three nats-servers over TLS, two edges, two aggregators, two query nodes, and what each role may do.

use anyhow::{Context as _, Result, ensure};
use async_nats::{ConnectErrorKind, ConnectOptions, Event};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;
use weir_tests::cluster::{Cluster, Options, REGION};
use weir_tests::collector::{Collector, Visitor, pageview};
use weir_tests::load::Load;
use weir_tests::poll::{Look, soft, until};
use weir_tests::process;
use weir_tests::query::Stats;

const SITE: &str = "cluster.example";
const WITHIN: Duration = Duration::from_mins(1);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_are_exchanged_one_by_one_under_load() -> Result<()> {
    // Grown from one replica, as a system that was started small.
    let cluster = Cluster::start(Options { replicas: 1, ..Options::default() }).await?;
    let raised = cluster.json(&["cluster", "provision", "--replicas", "3"]).await?;
    ensure!(raised["raised"].as_array().is_some_and(|raised| raised.len() == 11), "{raised}");
    let again = cluster.json(&["cluster", "provision", "--replicas", "3"]).await?;
    ensure!(again["raised"] == json!([]), "{again}");
    let fewer = cluster.command(&["cluster", "provision"])?.env("WEIR_PARTITIONS", "1").output()?;
    ensure!(!fewer.status.success() && String::from_utf8_lossy(&fewer.stderr).contains("cannot become smaller"), "{fewer:?}");

    nothing_without_tls(&cluster)?;
    roles_keep_to_themselves(&cluster).await?;

    add_site(&cluster).await?;
    let load = Load::start_at(&cluster.collector_urls()?, SITE, 2)?;
    for server in ["nats-a", "nats-b", "nats-c"] {
        load.progress(20, WITHIN).await?;
        process::signal(cluster.pid(server)?, Signal::SIGUSR2);
        cluster.ended(server, WITHIN).await?;
        load.progress(20, WITHIN).await?;
        cluster.spawn(server)?;
        cluster.whole(WITHIN).await?;
    }
    let sent = load.stop().await?;
    eprintln!("{} events while every server was exchanged", sent.acknowledged.len());
    ensure!(sent.unclear.is_empty(), "{} events were refused: {:?}", sent.unclear.len(), sent.unclear.iter().take(5));
    for url in cluster.query_urls()? {
        sent.visible(&Stats::at_url(&url, SITE, &cluster.admin_key()?)?, WITHIN).await?;
    }
    cluster.json(&["flush"]).await?;
    let status = cluster.json(&["status"]).await?;
    ensure!(
        status["partitions"].as_array().is_some_and(|all| all.len() == 2 && all.iter().all(|one| one["lag"] == 0)),
        "{status}"
    );
    for url in cluster.query_urls()? {
        sent.visible(&Stats::at_url(&url, SITE, &cluster.admin_key()?)?, WITHIN).await?;
    }
    an_edge_leaves(&cluster).await
}

/// Adds the site by a command that knows the cluster from variables alone, and waits for both edges to know it.
async fn add_site(cluster: &Cluster) -> Result<()> {
    cluster.json(&["site", "add", SITE]).await?;
    for url in cluster.collector_urls()? {
        let collector = Collector::at_url(&url)?;
        // An engagement ping counts in no metric.
        let body = json!({"n": "engagement", "d": SITE, "u": format!("http://{SITE}/"), "e": 1});
        until(&format!("{url} to know {SITE}"), WITHIN, async || {
            Ok(soft(collector.post(&Visitor::number(1), &body).await.map(|answer| {
                if answer.status() == 202 && !answer.headers().contains_key("x-plausible-dropped") {
                    Look::Done(())
                } else {
                    Look::NotYet(format!("{} {:?}", answer.status(), answer.headers()))
                }
            })))
        })
        .await?;
    }
    Ok(())
}

/// Whoever does not begin with a handshake gets no word of the protocol, neither as a client nor as a server.
fn nothing_without_tls(cluster: &Cluster) -> Result<()> {
    for (port, hello) in [
        ("nats-a.client", "CONNECT {\"verbose\":true,\"user\":\"admin\",\"pass\":\"x\"}\r\nPING\r\n"),
        ("nats-a.route", "CONNECT {\"verbose\":true,\"name\":\"x\",\"cluster\":\"weir-eu\"}\r\nPING\r\n"),
    ] {
        let mut socket = TcpStream::connect(("127.0.0.1", cluster.port(port)?))?;
        socket.write_all(hello.as_bytes())?;
        let mut said = Vec::new();
        // It ends by the server's closing it, or by a reset.
        let _end = socket.read_to_end(&mut said);
        let said = String::from_utf8_lossy(&said);
        ensure!(!said.contains("PONG") && !said.contains("+OK"), "{port} answered: {said}");
        // Servers introduce themselves to each other before the handshake, which they require.
        ensure!(!said.contains("INFO") || (port.ends_with("route") && said.contains("\"tls_required\":true")), "{port}: {said}");
    }
    Ok(())
}

/// A role's credentials are good for its own work alone.
async fn roles_keep_to_themselves(cluster: &Cluster) -> Result<()> {
    let url = format!("tls://127.0.0.1:{}", cluster.port("nats-a.client")?);
    let authority = cluster.folder().join("tls/ca.pem");
    let options = |user: &str, password: String| ConnectOptions::with_user_and_password(user.to_owned(), password).tls_first();
    let wrong = options("admin", "wrong".to_owned()).add_root_certificates(authority.clone()).connect(&url).await;
    let kind = wrong.err().map(|error| error.kind());
    ensure!(kind == Some(ConnectErrorKind::AuthorizationViolation), "a wrong password: {kind:?}");
    let stranger = options("admin", cluster.secret("nats-admin")?).connect(&url).await;
    let kind = stranger.err().map(|error| error.kind());
    ensure!(kind.is_some_and(|kind| kind != ConnectErrorKind::AuthorizationViolation), "an authority nobody knows: {kind:?}");

    for (role, subject) in [
        ("edge", "$JS.API.STREAM.MSG.GET.KV_WEIR_KEYS".to_owned()),
        ("edge", "$JS.API.STREAM.DELETE.EVENTS_eu_0".to_owned()),
        ("edge", "$KV.WEIR_HEADS.eu.0".to_owned()),
        ("aggregator", format!("events.{REGION}.0")),
        ("aggregator", "$KV.WEIR_KEYS.x".to_owned()),
        ("query", "$KV.WEIR_HEADS.eu.0".to_owned()),
        ("query", "$JS.API.STREAM.PURGE.EVENTS_eu_0".to_owned()),
    ] {
        let (told, mut denied) = tokio::sync::mpsc::unbounded_channel();
        let client = options(role, cluster.secret(&format!("nats-{role}"))?)
            .add_root_certificates(authority.clone())
            .event_callback(move |event| {
                let told = told.clone();
                async move {
                    if let Event::ServerError(error) = event {
                        let _test_ended = told.send(error.to_string());
                    }
                }
            })
            .connect(&url)
            .await
            .with_context(|| format!("{role} is not let in"))?;
        client.publish(subject.clone(), "".into()).await?;
        client.flush().await?;
        let said = tokio::time::timeout(WITHIN, denied.recv()).await.with_context(|| format!("{role} may publish {subject}"))?;
        ensure!(
            said.as_ref().is_some_and(|said| said.to_lowercase().contains("permissions violation")),
            "{role} {subject}: {said:?}"
        );
    }
    Ok(())
}

/// An edge that is asked to end is avoided, takes nothing more, sends what it holds, and ends without an error.
async fn an_edge_leaves(cluster: &Cluster) -> Result<()> {
    let url = cluster.collector_urls()?.first().cloned().context("no edge")?;
    let collector = Collector::at_url(&url)?;
    for number in 0..20 {
        collector.send(&Visitor::number(number), &pageview(SITE, "/last")).await?;
    }
    let workerd = cluster.workerd("edge-0")?;
    let ended = cluster.stop("edge-0", WITHIN).await?;
    let log = cluster.log("edge-0");
    ensure!(ended.success() && log.contains("the edge has sent everything"), "{ended} {log}");
    ensure!(!process::is_alive(workerd), "workerd outlives its edge");
    let query = cluster.query_urls()?.first().cloned().context("no query node")?;
    let stats = Stats::at_url(&query, SITE, &cluster.admin_key()?)?;
    let last: Value = json!({"filters": [["is", "event:page", ["/last"]]]});
    stats.await_total(WITHIN, &["pageviews"], last, &[20.0]).await
}
