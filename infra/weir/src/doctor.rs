//! `weir doctor`: looks at everything that usually goes wrong, and says what to do.

use crate::home::{Home, RunFile};
use crate::installation::Installation;
use crate::output::Output;
use crate::process::is_alive;
use crate::remote::{self, Remote};
use crate::session::{Session, http_client, now_ms};
use crate::status::{self, PartitionStatus};
use crate::{countries, ports, provision};
use anyhow::{Context as _, Result, bail};
use serde::Serialize;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;
use weir_reader::ReaderError;
use weir_reader::replays::{self, Phase, RecordEntry};

/// Free disk space under which something will soon fail, bytes.
const FREE_BYTES_MIN: u64 = 2_000_000_000;
/// Messages not yet in files that are still normal: several minutes of a busy site.
const LAG_MAX: u64 = 10_000;
/// Age past which a shadow that nobody promotes should be given up.
const SHADOW_AGE_MAX_MS: u64 = 7 * 86_400_000;
/// Time for everything that is asked over the network.
const ANSWER_WITHIN: Duration = Duration::from_secs(15);

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Check {
    #[serde(rename = "check")]
    name: String,
    ok: bool,
    /// What was found; if it is not good, what to do.
    message: String,
}

/// What was looked at so far.
#[derive(Default)]
struct Findings(Vec<Check>);

impl Findings {
    fn good(&mut self, check: &str, message: impl Into<String>) {
        self.0.push(Check { name: check.to_owned(), ok: true, message: message.into() });
    }

    fn bad(&mut self, check: &str, message: impl Into<String>) {
        self.0.push(Check { name: check.to_owned(), ok: false, message: message.into() });
    }

    fn result(&mut self, check: &str, result: Result<String>) {
        match result {
            Ok(message) => self.good(check, message),
            Err(error) => self.bad(check, format!("{error:#}")),
        }
    }
}

/// Looks at the installation, the home and the running system.
pub(crate) async fn run(home: &Home, output: Output) -> Result<()> {
    let mut findings = Findings::default();
    installation(&mut findings);
    folder(home, &mut findings);
    match found(home) {
        Ok(Found::Cluster(remote)) => Box::pin(cluster(*remote, &mut findings)).await,
        Ok(Found::Here(run)) => Box::pin(system(home, &run, &mut findings)).await,
        Ok(Found::Nothing) => {
            findings.good("system", format!("nothing runs on {}: `weir up` starts it", home.root().display()));
            default_ports(&mut findings);
        }
        Err(error) => findings.bad("system", format!("{error:#}: end `weir up`, remove the file, start it again")),
    }
    let bad = findings.0.iter().filter(|check| !check.ok).count();
    let lines: Vec<String> = findings
        .0
        .iter()
        .map(|check| format!("{} {:<14} {}", if check.ok { "ok " } else { "BAD" }, check.name, check.message))
        .collect();
    output.result(&serde_json::json!({ "ok": bad == 0, "checks": findings.0 }), &lines.join("\n"))?;
    if bad > 0 {
        bail!("{bad} of {} checks are bad", findings.0.len());
    }
    Ok(())
}

/// What there is to look at.
enum Found {
    /// A cluster that the variables name.
    Cluster(Box<Remote>),
    /// What runs on the home.
    Here(Box<RunFile>),
    Nothing,
}

fn found(home: &Home) -> Result<Found> {
    if let Some(remote) = remote::from_variables()? {
        return Ok(Found::Cluster(Box::new(remote)));
    }
    Ok(home.run_file()?.map_or(Found::Nothing, |run| Found::Here(Box::new(run))))
}

fn installation(findings: &mut Findings) {
    let installation = match Installation::find() {
        Ok(installation) => installation,
        Err(error) => return findings.bad("installation", format!("{error:#}")),
    };
    for tool in ["nats-server", "workerd"] {
        let version = installation.tool(tool).and_then(|path| {
            let said = std::process::Command::new(&path).arg("--version").output()?;
            if !said.status.success() {
                bail!("{} does not run: remove it and run `make setup`", path.display());
            }
            Ok(String::from_utf8_lossy(&said.stdout).trim().to_owned())
        });
        findings.result(tool, version);
    }
    for (check, file, command) in [
        ("edge worker", "target/edge/index_bg.wasm", "make build"),
        ("country table", ".tools/geo/country-ipv4.csv", "make setup"),
    ] {
        findings.result(check, installation.file(file, command).map(|path| path.display().to_string()));
    }
}

fn folder(home: &Home, findings: &mut Findings) {
    let root = home.root();
    let Ok(metadata) = std::fs::metadata(root) else {
        return findings.good("home", format!("{} does not exist yet: `weir up` makes it", root.display()));
    };
    if metadata.permissions().mode().trailing_zeros() >= 6 {
        findings.good("home", root.display().to_string());
    } else {
        findings.bad("home", format!("others can look into {}: run `chmod 700` on it", root.display()));
    }
    match provision::free_bytes(root) {
        Ok(free) if free < FREE_BYTES_MIN => {
            findings.bad(
                "disk",
                format!("only {} MB are free for {}: make room, or events will be refused", free / 1_000_000, root.display()),
            );
        }
        Ok(free) => findings.good("disk", format!("{} MB free", free / 1_000_000)),
        Err(error) => findings.bad("disk", format!("{error:#}")),
    }
}

fn default_ports(findings: &mut Findings) {
    for (port, purpose) in [(8080, ports::COLLECTOR), (8000, ports::QUERY), (4222, ports::NATS)] {
        let chosen = ports::choose(port, purpose, ports::IfTaken::Fail);
        findings.result("port", chosen.map(|held| format!("{} is free for {}", held.port, purpose.name)));
    }
}

async fn system(home: &Home, run: &RunFile, findings: &mut Findings) {
    processes(home, run, findings);
    findings.result("countries", countries::describe(home));
    services(run, findings).await;
    let look = format!("look into {}", home.log("nats").display());
    Box::pin(nats(run, Session::open_at(home.clone()), &look, findings)).await;
}

async fn cluster(remote: Remote, findings: &mut Findings) {
    let run = remote.run.clone();
    services(&run, findings).await;
    Box::pin(nats(&run, Session::open_remote(remote), "look at `weir cluster status`", findings)).await;
}

async fn services(run: &RunFile, findings: &mut Findings) {
    for (_, url) in run.edges() {
        findings.result("edge", health(&format!("{url}/health")).await);
    }
    if !run.query_url.is_empty() {
        findings.result("query API", health(&format!("{}/api/health", run.query_url)).await);
    }
}

/// Looks at the streams and what became of them. `look` says where to go on when NATS does not answer.
async fn nats(run: &RunFile, open: impl Future<Output = Result<Session>>, look: &str, findings: &mut Findings) {
    let asked = tokio::time::timeout(ANSWER_WITHIN, async {
        let session = open.await?;
        let replay = replays::get(&session.jetstream, &run.region).await;
        Ok::<_, anyhow::Error>((status::collect(&session).await?, replay))
    });
    match asked.await {
        Ok(Ok((partitions, replay))) => {
            findings.good("nats", run.nats_url.clone());
            findings.result("replay", judge_replay(replay, now_ms()));
            for one in &partitions {
                partition(one, findings);
            }
        }
        Ok(Err(error)) => findings.bad("nats", format!("{error:#}: {look}")),
        Err(_) => findings.bad("nats", format!("it does not answer within 15 s: {look}")),
    }
}

fn processes(home: &Home, run: &RunFile, findings: &mut Findings) {
    if is_alive(run.supervisor_pid) {
        findings.good("supervisor", format!("process {}", run.supervisor_pid));
    } else {
        findings.bad("supervisor", "it is gone, and its children with it: run `weir up` again");
    }
    let edges = run.edges().into_iter().map(|(name, _)| name);
    for name in ["nats", "aggregator", "query-api"].map(str::to_owned).into_iter().chain(edges) {
        match run.pids.get(&name) {
            Some(id) if is_alive(*id) => findings.good(&name, format!("process {id}")),
            _ => findings.bad(&name, format!("it does not run: look into {}", home.log(&name).display())),
        }
    }
}

async fn health(url: &str) -> Result<String> {
    let answer = match http_client()?.get(url).send().await {
        Ok(answer) => answer,
        Err(error) => bail!("{url} does not answer ({error}): look into its log"),
    };
    let status = answer.status();
    if !status.is_success() {
        let said = answer.text().await.unwrap_or_default();
        bail!("{url} says {status} {}: look into its log", said.trim());
    }
    Ok(url.to_owned())
}

/// A replay that was interrupted while partitions were switched leaves some with one history and some with the other; a shadow that nobody
/// promotes keeps its files.
fn judge_replay(replay: Result<Option<RecordEntry>, ReaderError>, now_ms: u64) -> Result<String> {
    let Some(record) = replay.context("its record cannot be read")?.map(|entry| entry.record) else {
        return Ok("there was none".to_owned());
    };
    let (id, age_ms) = (&record.id, now_ms.saturating_sub(record.updated_ms));
    let interrupted =
        |switch: &str| format!("{id} is being {switch} or was interrupted while it was: unless that runs now, finish it");
    match record.phase {
        Phase::Promoting => bail!("{} with `weir replay promote`", interrupted("promoted")),
        Phase::RollingBack => bail!("{} with `weir replay rollback`", interrupted("rolled back")),
        phase if phase.has_shadow() && age_ms > SHADOW_AGE_MAX_MS => bail!(
            "the shadow of {id} has been waiting for {} days and keeps its files: promote it with `weir replay promote`, or give it up with \
             `weir replay discard`",
            age_ms / 86_400_000
        ),
        phase if phase.has_shadow() => Ok(format!("{id} has a shadow: `weir replay status` says what to do with it")),
        _ => Ok(format!("{id} is finished")),
    }
}

fn partition(one: &PartitionStatus, findings: &mut Findings) {
    let name = format!("{}.{}", one.region, one.partition);
    if one.sealed_seq > one.last_seq {
        findings.bad(
            &name,
            format!(
                "files reach to {}, the stream only to {}: it was recreated or rewound, restore it",
                one.sealed_seq, one.last_seq
            ),
        );
    } else if one.first_seq > one.sealed_seq + 1 {
        findings.bad(
            &name,
            format!("the stream begins at {}, files end at {}: messages between are gone", one.first_seq, one.sealed_seq),
        );
    } else if one.lag > LAG_MAX {
        findings.bad(&name, format!("{} messages are not in files yet: look into the aggregator's log", one.lag));
    } else {
        findings.good(&name, format!("sealed through {} of {}, {} files", one.sealed_seq, one.last_seq, one.parts));
    }
    if let Some(damaged) = status::damaged_line(&one.damaged) {
        findings.bad(&name, damaged.trim_start());
    }
    for alarm in one.alarms.as_array().into_iter().flatten() {
        let text = |field: &str| alarm[field].as_str().unwrap_or("?").to_owned();
        findings.bad(&name, format!("alarm {}: {}", text("code"), text("message")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_reader::replays::Record;

    fn judged(first_seq: u64, last_seq: u64, sealed_seq: u64) -> bool {
        let lag = last_seq.saturating_sub(sealed_seq);
        let status = PartitionStatus { first_seq, last_seq, sealed_seq, lag, ..status::tests::example() };
        let mut findings = Findings::default();
        partition(&status, &mut findings);
        findings.0.iter().all(|check| check.ok)
    }

    #[test]
    fn streams_against_heads() {
        assert!(judged(1, 0, 0), "empty");
        assert!(judged(1, 50, 40), "normal");
        assert!(judged(41, 50, 40), "trimmed up to the files");
        assert!(!judged(42, 50, 40), "a gap");
        assert!(!judged(1, 30, 40), "rewound");
        assert!(!judged(1, 20_000, 40), "far behind");
    }

    #[test]
    fn replays_that_need_somebody() {
        let judged = |phase, days: u64| {
            let record = Record {
                version: 1,
                id: "ab".to_owned(),
                phase,
                created_ms: 0,
                updated_ms: 0,
                logic: None,
                pinned: false,
                partitions: Vec::new(),
                events: 0,
                busy_ms: 0,
            };
            judge_replay(Ok(Some(RecordEntry { record, kv_revision: 1 })), days * 86_400_000 + 1)
                .map_err(|error| error.to_string())
        };
        assert!(judge_replay(Ok(None), 0).is_ok());
        assert!(judged(Phase::Promoting, 0).unwrap_err().ends_with("with `weir replay promote`"));
        assert!(judged(Phase::RollingBack, 0).unwrap_err().ends_with("with `weir replay rollback`"));
        assert!(judged(Phase::Built, 6).unwrap().contains("has a shadow"));
        assert!(judged(Phase::Building, 7).unwrap_err().contains("for 7 days"));
        assert_eq!(judged(Phase::Promoted, 8).unwrap(), "ab is finished");
        let missing = ReaderError::StreamMissing { stream: "KV_WEIR_REPLAY".to_owned() };
        assert!(judge_replay(Err(missing), 0).is_err());
    }
}
