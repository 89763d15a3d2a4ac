//! Replay from the command line: an incident from plan to rollback; crashes and load meanwhile.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::task::JoinHandle;
use weir_tests::collector::{Collector, Visitor};
use weir_tests::load::Load;
use weir_tests::query::{Stats, VISIBLE_WITHIN};
use weir_tests::weir::Weir;

const SITE: &str = "replay.example";
/// Time for a command under load, or for everything to come together again after a fault.
const SETTLED_WITHIN: Duration = Duration::from_mins(2);

/// Rules in which the medium `letterbox` is mail. The built-in ones take it for a referral.
fn corrected_rules(folder: &Path) -> Result<PathBuf> {
    let rules = folder.join("rules");
    std::fs::create_dir_all(&rules)?;
    let built_in = std::fs::read_to_string(weir_tests::weir::repository().join("aggregator/rollup/rules/channels.toml"))?;
    let email = "    { category = \"EMAIL\" },\n";
    ensure!(built_in.contains(email), "channels.toml looks otherwise");
    let corrected = built_in.replace(email, &format!("{email}    {{ medium = '^letterbox$' }},\n"));
    std::fs::write(rules.join("channels.toml"), corrected)?;
    Ok(rules)
}

/// Page views of visitors who each come once: every third from the letter.
async fn send(weir: &Weir, numbers: std::ops::Range<u32>) -> Result<()> {
    let collector = Collector::of(weir)?;
    for number in numbers {
        let tag = if number.is_multiple_of(3) { "?utm_source=tuesday&utm_medium=letterbox" } else { "" };
        let event = json!({"n": "pageview", "d": SITE, "u": format!("https://{SITE}/{}{tag}", number % 2)});
        collector.send(&Visitor::number(number), &event).await?;
    }
    Ok(())
}

async fn channels(stats: &Stats) -> Result<BTreeMap<String, f64>> {
    let by = stats.by("visit:channel", &["visits"], json!({})).await?;
    Ok(by.into_iter().filter_map(|(channel, metrics)| Some((channel, *metrics.first()?))).collect())
}

fn counts(pairs: &[(&str, f64)]) -> BTreeMap<String, f64> {
    pairs.iter().map(|(channel, visits)| ((*channel).to_owned(), *visits)).collect()
}

async fn revision(stats: &Stats) -> Result<u64> {
    stats.answer(&json!({"metrics": ["visits"]})).await?["meta"]["revision"].as_u64().context("no revision")
}

fn status_of(output: &Output, expected: i32) -> Result<()> {
    ensure!(output.status.code() == Some(expected), "expected exit status {expected}: {output:?}");
    Ok(())
}

fn json_of(output: &Output) -> Result<Value> {
    serde_json::from_slice(&output.stdout).with_context(|| format!("{output:?}"))
}

/// Waits until answers are of the head that a switch made, and everything sent is in them.
async fn settled(stats: &Stats, revision_min: u64, visits: f64) -> Result<()> {
    use weir_tests::poll::{Look, soft, until};
    until("the new revision to be served", SETTLED_WITHIN, async || {
        Ok(soft(
            async {
                let answer = stats.answer(&json!({"metrics": ["visits"]})).await?;
                let is_there = answer["meta"]["revision"].as_u64() >= Some(revision_min)
                    && answer["results"][0]["metrics"][0].as_f64() == Some(visits);
                Ok(if is_there { Look::Done(()) } else { Look::NotYet(answer.to_string()) })
            }
            .await,
        ))
    })
    .await
}

/// The difference that the corrected rule makes to three visits: values, samples, and what a person reads.
async fn check_difference(weir: &Weir) -> Result<()> {
    let diff = weir.output(&["replay", "diff", "--json"]).await?;
    status_of(&diff, 1)?;
    let diff = json_of(&diff)?;
    ensure!(diff["equal"] == false && diff["rows"]["changed"] == 3 && diff["rows"]["served_only"] == 0, "{diff}");
    let of = |channel: &str| {
        let values = diff["values"].as_array().cloned().unwrap_or_default();
        values.into_iter().find(|value| {
            (&value["dimension"], &value["value"], &value["metric"])
                == (&json!("visit:channel"), &json!(channel), &json!("visits"))
        })
    };
    let (email, referral) = (of("Email").context("no Email")?, of("Referral").context("no Referral")?);
    ensure!(email["served"] == 0 && email["shadow"] == 3 && email["site"] == SITE, "{email}");
    ensure!(referral["served"] == 3 && referral["difference"] == -3, "{referral}");
    let sample = diff["differences"].as_array().and_then(|all| all.iter().find(|one| one["dimension"] == "visit:channel"));
    let sample = sample.context("no difference by channel")?["samples"][0].clone();
    ensure!(sample["served"] == "Referral" && sample["shadow"] == "Email" && sample["seq"].is_u64(), "{sample}");
    let told = weir.output(&["replay", "diff"]).await?;
    status_of(&told, 1)?;
    let told = String::from_utf8(told.stdout)?;
    ensure!(told.contains("Email") && told.contains(SITE), "{told}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_channel_rule_is_corrected_looked_at_taken_over_and_taken_back() -> Result<()> {
    let weir = Weir::start().await?;
    weir.add_site(SITE).await?;
    let rules = corrected_rules(weir.home())?;
    let rules = rules.to_str().context("the home has a plain name")?;
    let stats = Stats::admin(&weir, SITE)?;
    let merchant = Stats::new(&weir, SITE, &weir.create_key(SITE).await?)?;

    send(&weir, 0..9).await?;
    stats.await_total(VISIBLE_WITHIN, &["visits"], json!({}), &[9.0]).await?;
    weir.flush().await?;
    let (wrong, right) = (counts(&[("Direct", 6.0), ("Referral", 3.0)]), counts(&[("Direct", 6.0), ("Email", 3.0)]));
    ensure!(channels(&stats).await? == wrong, "{:?}", channels(&stats).await?);
    let before = revision(&stats).await?;

    // What would be done.
    let plan = weir.json(&["replay", "plan", "--from-seq", "1", "--rules", rules]).await?;
    let partitions = plan["partitions"].as_array().context("no partitions")?;
    ensure!(partitions.iter().all(|one| one["from_seq"] == 1 && one["checkpoint"]["seq"] == 0), "{plan}");
    ensure!(partitions.iter().filter_map(|one| one["events"].as_u64()).sum::<u64>() == 9, "{plan}");
    ensure!(plan["logic"].as_str().is_some_and(|logic| logic.len() == 18), "{plan}");
    for wrong in [
        &["replay", "plan"][..],
        &["replay", "plan", "--from-seq", "0"],
        &["replay", "plan", "--from-seq", "1", "--from-time", "2026-01-01T00:00:00Z"],
    ] {
        status_of(&weir.output(wrong).await?, 2)?;
    }
    status_of(&weir.output(&["replay", "plan", "--from-seq", "999999"]).await?, 1)?;
    status_of(&weir.output(&["replay", "diff"]).await?, 2)?;
    status_of(&weir.output(&["replay", "promote", "--yes"]).await?, 1)?;
    weir.json(&["replay", "plan", "--from-seq", "1", "--rules", rules]).await?;

    // The shadow, and how it differs.
    status_of(&weir.output(&["replay", "run", "--partition", "0"]).await?, 2)?;
    // Without a start it is what was planned.
    let built = weir.json(&["replay", "run"]).await?;
    let rows = built["partitions"].as_array().into_iter().flatten().filter_map(|one| one["rows"].as_u64()).sum::<u64>();
    ensure!(rows == 9, "{built}");
    check_difference(&weir).await?;

    // Asked through the ordinary API, by operators alone.
    ensure!(channels(&stats.clone().at("shadow")).await? == right);
    ensure!(channels(&stats).await? == wrong, "what is served has not changed");
    let (code, refused) = merchant.clone().at("shadow").ask(&json!({"metrics": ["visits"]})).await?;
    ensure!(code == 401, "{code} {refused}");

    // Taken over: never by mistake.
    let asked = weir.output(&["replay", "promote"]).await?;
    status_of(&asked, 2)?;
    ensure!(String::from_utf8_lossy(&asked.stderr).contains("--yes"), "{asked:?}");
    send(&weir, 9..12).await?;
    stats.await_total(VISIBLE_WITHIN, &["visits"], json!({}), &[12.0]).await?;
    let promoted = weir.json(&["replay", "promote", "--yes"]).await?;
    let at = revision_of(&promoted)?;
    ensure!(at > before, "{promoted}");
    settled(&stats, at, 12.0).await?;
    ensure!(channels(&stats).await? == counts(&[("Direct", 8.0), ("Email", 4.0)]), "{:?}", channels(&stats).await?);

    // Later events have the new rule, sealed too; a revision from before still answers as it did.
    send(&weir, 12..18).await?;
    stats.await_total(VISIBLE_WITHIN, &["visits"], json!({}), &[18.0]).await?;
    weir.flush().await?;
    ensure!(channels(&stats).await? == counts(&[("Direct", 12.0), ("Email", 6.0)]), "{:?}", channels(&stats).await?);
    ensure!(channels(&merchant.clone().at(&before.to_string())).await? == wrong);
    let (code, gone) = merchant.clone().at("999999").ask(&json!({"metrics": ["visits"]})).await?;
    ensure!(code == 404, "{code} {gone}");

    // Taken back: the old answer for what was, and nothing that came meanwhile is lost.
    let standing = weir.json(&["replay", "status"]).await?;
    let offered = standing["partitions"].as_array().is_some_and(|all| all.iter().all(|one| one["rollback_offered"] == true));
    ensure!(standing["phase"] == "promoted" && offered, "{standing}");
    status_of(&weir.output(&["replay", "rollback"]).await?, 2)?;
    let rolled = weir.json(&["replay", "rollback", "--yes"]).await?;
    ensure!(revision_of(&rolled)? > at, "{rolled}");
    settled(&stats, revision_of(&rolled)?, 18.0).await?;
    // What was sealed before the promotion as it was; what was not, the promotion had not yet exchanged: it was folded with the new rules.
    let through_seq = rolled["partitions"][0]["through_seq"].as_u64().or(rolled[0]["through_seq"].as_u64());
    ensure!(through_seq.is_some(), "{rolled}");
    ensure!(
        channels(&stats).await? == counts(&[("Direct", 12.0), ("Referral", 3.0), ("Email", 3.0)]),
        "{:?}",
        channels(&stats).await?
    );
    send(&weir, 18..21).await?;
    stats.await_total(VISIBLE_WITHIN, &["visits"], json!({}), &[21.0]).await?;
    weir.flush().await?;
    ensure!(channels(&stats).await? == counts(&[("Direct", 14.0), ("Referral", 4.0), ("Email", 3.0)]));

    // A plan is done once. The same logic gives the same rows.
    status_of(&weir.output(&["replay", "run"]).await?, 2)?;
    weir.json(&["replay", "run", "--from-seq", "1"]).await?;
    let same = weir.output(&["replay", "diff", "--json"]).await?;
    status_of(&same, 0)?;
    let same = json_of(&same)?;
    ensure!(same["equal"] == true && same["differences"] == json!([]), "{same}");
    status_of(&weir.output(&["replay", "discard"]).await?, 2)?;
    weir.json(&["replay", "discard", "--yes"]).await?;
    Ok(())
}

fn revision_of(switched: &Value) -> Result<u64> {
    let list = switched.as_array().or(switched["partitions"].as_array()).context("no list of partitions")?;
    list.iter().filter_map(|one| one["revision"].as_u64()).max().with_context(|| switched.to_string())
}

/// The aggregator is replaced by one with other rules, while the query node still has the former as its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_with_other_rules_takes_over_in_the_middle_of_a_stream() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let channels_file = folder.path().join("rules/channels.toml");
    let rules = corrected_rules(folder.path())?;
    let corrected = std::fs::read(&channels_file)?;
    std::fs::copy(weir_tests::weir::repository().join("aggregator/rollup/rules/channels.toml"), &channels_file)?;
    let weir = Weir::start_with(&[("WEIR_RULES_DIR", rules.to_str().context("a plain name")?)]).await?;
    weir.add_site(SITE).await?;
    let stats = Stats::admin(&weir, SITE)?;
    send(&weir, 0..9).await?;
    weir.flush().await?;
    std::fs::write(&channels_file, corrected)?;
    let killed = weir.kill("aggregator")?;
    weir.restarted("aggregator", killed, SETTLED_WITHIN).await?;
    // Seals nothing new, and returns once the new one is at work.
    weir.flush().await?;

    let expected = counts(&[("Direct", 12.0), ("Referral", 3.0), ("Email", 3.0)]);
    send(&weir, 9..18).await?;
    stats.await_total(SETTLED_WITHIN, &["visits"], json!({}), &[18.0]).await?;
    ensure!(channels(&stats).await? == expected, "live: {:?}", channels(&stats).await?);
    weir.flush().await?;
    ensure!(channels(&stats).await? == expected, "sealed: {:?}", channels(&stats).await?);
    let killed = weir.kill("query-api")?;
    weir.restarted("query-api", killed, SETTLED_WITHIN).await?;
    weir.serving(SETTLED_WITHIN).await?;
    let stats = Stats::admin(&weir, SITE)?;
    ensure!(channels(&stats).await? == expected, "a node that starts: {:?}", channels(&stats).await?);

    weir.json(&["replay", "run", "--from-seq", "1"]).await?;
    status_of(&weir.output(&["replay", "diff"]).await?, 0)?;
    ensure!(channels(&stats.at("shadow")).await? == expected);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn raw_events_are_handed_on_and_what_is_gone_is_refused() -> Result<()> {
    let weir = Weir::start().await?;
    weir.add_site(SITE).await?;
    for number in 0..5 {
        send(&weir, number..number + 1).await?;
        weir.flush().await?;
    }
    let partition = weir.json(&["status"]).await?["partitions"]
        .as_array()
        .and_then(|all| all.iter().find(|one| one["last_seq"].as_u64() >= Some(5)).cloned())
        .context("no partition has the events")?;
    let (number, last_seq) = (partition["partition"].to_string(), partition["last_seq"].as_u64().context("no last_seq")?);
    let lines = async |arguments: &[&str]| -> Result<Vec<Value>> {
        let output = weir.output(&[&["replay", "to", "ndjson", "--partition", &number], arguments].concat()).await?;
        status_of(&output, 0)?;
        String::from_utf8(output.stdout)?.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
    };
    let all = lines(&["--from-seq", "1"]).await?;
    let pages = all.iter().filter(|line| line["event"]["name"] == "pageview").count();
    ensure!(pages == 5, "{all:?}");
    let middle = (last_seq - 1).to_string();
    let some = lines(&["--from-seq", &middle, "--to-seq", &middle]).await?;
    ensure!(!some.is_empty() && some.iter().all(|line| line["seq"].as_u64() == Some(last_seq - 1)), "{some:?}");

    // A time instead of a sequence.
    let plan = weir.json(&["replay", "plan", "--from-time", "2020-01-01T00:00:00Z"]).await?;
    ensure!(plan["partitions"].as_array().is_some_and(|all| all.iter().all(|one| one["from_seq"] == 1)), "{plan}");
    status_of(&weir.output(&["replay", "plan", "--from-time", "yesterday"]).await?, 2)?;
    Ok(())
}

/// Asks all the time; an answer that is no answer, or counts less than one before, is an error.
struct Asking {
    ended: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
    task: JoinHandle<Result<()>>,
}

impl Asking {
    fn start(weir: &Weir) -> Result<Self> {
        let stats = Stats::admin(weir, SITE)?;
        let (ended, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (stop, count) = (Arc::clone(&ended), Arc::clone(&answered));
        let task = tokio::spawn(async move {
            let (mut most, mut newest) = (0.0, 0);
            while !stop.load(Ordering::Relaxed) {
                let (code, answer) = stats.ask(&json!({"metrics": ["pageviews"]})).await?;
                ensure!(code == 200, "{code} {answer}");
                let pageviews = answer["results"][0]["metrics"][0].as_f64().context("no number")?;
                let revision = answer["meta"]["revision"].as_u64().context("no revision")?;
                ensure!(pageviews >= most, "{pageviews} page views after {most}: {answer}");
                ensure!(revision >= newest, "revision {revision} after {newest}");
                (most, newest) = (pageviews, revision);
                count.fetch_add(1, Ordering::Relaxed);
            }
            Ok(())
        });
        Ok(Self { ended, answered, task })
    }

    async fn stop(self) -> Result<u64> {
        self.ended.store(true, Ordering::Relaxed);
        self.task.await??;
        Ok(self.answered.load(Ordering::Relaxed))
    }
}

fn spawn(weir: &Weir, arguments: &[&str]) -> Result<Child> {
    let mut command = weir.command(arguments);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    Ok(command.spawn()?)
}

/// Kills a command after a while, wherever it is; whether it had ended before.
async fn kill_after(mut child: Child, pause: Duration) -> Result<bool> {
    tokio::time::sleep(pause).await;
    let has_ended = child.try_wait()?.is_some();
    if !has_ended {
        child.kill()?;
        child.wait()?;
    }
    Ok(has_ended)
}

/// Promotions and rollbacks, killed at other moments each time and finished by the next call, while events arrive and queries run.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn switches_under_load_lose_double_and_refuse_nothing_wherever_they_are_killed() -> Result<()> {
    let weir = Weir::start().await?;
    weir.add_site(SITE).await?;
    let rules = corrected_rules(weir.home())?;
    let rules = rules.to_str().context("the home has a plain name")?;
    let load = Load::start(&weir, SITE, 4)?;
    load.progress(300, SETTLED_WITHIN).await?;
    weir.flush().await?;
    let asking = Asking::start(&weir)?;
    let mut killed = 0;
    for round in 0..4_u64 {
        weir.json(&["replay", "run", "--from-seq", "2", "--rules", rules]).await?;
        load.progress(50, SETTLED_WITHIN).await?;
        for command in ["promote", "rollback"] {
            for attempt in 0..2 {
                let pause = Duration::from_millis(25 + 20 * round + 35 * attempt);
                let has_ended = kill_after(spawn(&weir, &["replay", command, "--yes"])?, pause).await?;
                killed += u64::from(!has_ended);
            }
            weir.json(&["replay", command, "--yes"]).await?;
            load.progress(30, SETTLED_WITHIN).await?;
        }
    }
    ensure!(killed >= 4, "only {killed} commands were killed before their end");
    let answered = asking.stop().await?;
    eprintln!("{killed} commands killed, {answered} queries answered");
    ensure!(answered > 20, "only {answered} queries were answered");
    let sent = load.stop().await?;
    sent.verify(&weir, SITE, SETTLED_WITHIN).await?;
    weir.json(&["replay", "run", "--from-seq", "1"]).await?;
    status_of(&weir.output(&["replay", "diff"]).await?, 0)
}

/// The replaying process and nats-server die in the middle, with events arriving all the time: it goes on, and the shadow is what is served.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_survives_its_own_death_and_that_of_nats() -> Result<()> {
    let weir = Weir::start().await?;
    weir.add_site(SITE).await?;
    let load = Load::start(&weir, SITE, 4)?;
    load.progress(600, SETTLED_WITHIN).await?;
    weir.flush().await?;
    let rules = corrected_rules(weir.home())?;
    let run = ["replay", "run", "--from-seq", "1", "--rules", rules.to_str().context("a plain name")?];
    for round in 0..4_u64 {
        kill_after(spawn(&weir, &run)?, Duration::from_millis(60 + 90 * round)).await?;
        load.progress(40, SETTLED_WITHIN).await?;
    }
    // With nats-server killed under it, the process waits for its return, or gives up and is called again.
    let mut running = spawn(&weir, &run)?;
    tokio::time::sleep(Duration::from_millis(80)).await;
    let nats = weir.kill("nats")?;
    weir.restarted("nats", nats, SETTLED_WITHIN).await?;
    weir.serving(SETTLED_WITHIN).await?;
    load.progress(100, SETTLED_WITHIN).await?;
    tokio::task::spawn_blocking(move || running.wait()).await??;
    weir.json(&run).await?;
    weir.json(&["replay", "promote", "--yes"]).await?;
    load.progress(50, SETTLED_WITHIN).await?;
    let sent = load.stop().await?;
    sent.verify(&weir, SITE, SETTLED_WITHIN).await?;
    weir.json(&["replay", "rollback", "--yes"]).await?;
    sent.verify(&weir, SITE, SETTLED_WITHIN).await?;
    weir.json(&["replay", "run", "--from-seq", "1"]).await?;
    status_of(&weir.output(&["replay", "diff"]).await?, 0)
}
