//! Everything that is secret in a running system, looked for everywhere it must not be: arguments and variables of processes, logs, answers, names of
//! files, files that are not for their owner alone, and the sources.
#![cfg(target_os = "linux")]

use anyhow::{Context as _, Result, ensure};
use async_nats::ConnectOptions;
use reqwest::{Client, Method, Response, StatusCode};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use weir_tests::chaos::bucket::{BUCKET, Bucket, KEY, SECRET};
use weir_tests::collector::{Collector, Visitor, pageview};
use weir_tests::query::{Stats, VISIBLE_WITHIN};
use weir_tests::secrets::{Found, Search, Secret, Watch, written_secrets};
use weir_tests::weir::{Weir, client, repository};

const SITE: &str = "secrets.example";
const LINK_PASSWORD: &str = "open sesame & \"come\" in / 4711";
/// What somebody typed by mistake.
const WRONG: &str = concat!("weir_", "typedByMistakeWithOneLetterTooManyIn0123456");
const RESTARTED_WITHIN: Duration = Duration::from_secs(10);
/// The only place of what NATS keeps: behind the permissions of its folder.
const STORE: &str = "nats/store/";

/// What was said to whom: the question, and the whole of the answer.
#[derive(Default)]
struct Answers(Vec<(String, Vec<u8>)>);

impl Answers {
    fn note(&mut self, question: &str, answer: impl AsRef<[u8]>) {
        self.0.push((question.to_owned(), answer.as_ref().to_vec()));
    }

    /// Notes an answer with its headers; its status and text.
    async fn take(&mut self, question: &str, answer: Response) -> Result<(StatusCode, String)> {
        let (status, headers) = (answer.status(), format!("{:?}", answer.headers()));
        let text = answer.text().await?;
        self.note(question, format!("{status} {headers} {text}"));
        Ok((status, text))
    }
}

/// The secrets, and of each the files that may hold it, by the beginnings of their names.
#[derive(Default)]
struct Secrets {
    all: Vec<Secret>,
    places: BTreeMap<String, Vec<&'static str>>,
}

impl Secrets {
    fn add(&mut self, name: &str, value: &str, places: &[&'static str]) {
        self.all.push(Secret::new(name, value));
        self.places.insert(name.to_owned(), places.to_vec());
    }

    /// What `weir up` made up.
    fn of_the_home(&mut self, home: &Path) -> Result<()> {
        let made: Value = serde_json::from_slice(&std::fs::read(home.join("secrets.json"))?)?;
        for (name, value) in made.as_object().context("secrets.json")? {
            let further: &[&str] = match name.as_str() {
                "nats_edge" => &["secrets.json", "nats/nats.conf", "workerd/config"],
                "nats_aggregator" | "nats_query" | "nats_admin" => &["secrets.json", "nats/nats.conf"],
                "edge_token" => &["secrets.json", "workerd/config"],
                "admin_key" => &["secrets.json", "run.json"],
                other => anyhow::bail!("secrets.json has {other}: say here where it may rest"),
            };
            self.add(name, value.as_str().with_context(|| format!("{name} is no text"))?, further);
        }
        Ok(())
    }

    /// What rests in NATS in the clear.
    async fn of_the_streams(&mut self, weir: &Weir) -> Result<()> {
        let password = self.all.iter().find(|secret| secret.name == "nats_admin").context("no password of the admin")?;
        let options = ConnectOptions::with_user_and_password("admin".to_owned(), String::from_utf8(password.value.clone())?);
        let client = options.custom_inbox_prefix("_INBOX_admin").connect(weir.run()?.nats_url).await?;
        let jetstream = async_nats::jetstream::new(client);
        for stream in ["KV_WEIR_KEYS", "KV_WEIR_SALTS"] {
            let stream = jetstream.get_stream(stream).await?;
            let state = &stream.cached_info().state;
            for sequence in state.first_sequence..=state.last_sequence {
                let Ok(message) = stream.get_raw_message(sequence).await else { continue };
                // Keys lie below their hashes, which are none; what else is there is.
                let text = std::str::from_utf8(&message.payload)?.trim_matches('"').to_owned();
                if !text.is_empty() && !text.contains('{') {
                    self.add(&format!("{} of {sequence}", message.subject), &text, &[STORE]);
                }
            }
        }
        let has = |word: &str| self.all.iter().any(|secret| secret.name.contains(word));
        ensure!(has("$KV.WEIR_KEYS.") && has("$KV.WEIR_SALTS."), "neither salt nor signature: {:?}", self.places.keys());
        Ok(())
    }
}

/// The value of the only cookie that an answer sets.
fn cookie(answer: &Response) -> Result<String> {
    let set = answer.headers().get("set-cookie").context("no cookie")?.to_str()?;
    Ok(set.split(';').next().context("no cookie")?.to_owned())
}

/// A merchant's work: a key, a link with a password, signing in, wrongly too, and questions of every kind.
async fn work(weir: &Weir, secrets: &mut Secrets, answers: &mut Answers) -> Result<()> {
    weir.add_site(SITE).await?;
    let scopes =
        ["key", "create", "--site", SITE, "--scope", "stats:read", "--scope", "sites:provision", "--scope", "events:write"];
    let key = weir.json(&scopes).await?["key"].as_str().context("no key")?.to_owned();
    secrets.add("key of a merchant", &key, &[]);
    secrets.add("password of a link", LINK_PASSWORD, &[]);
    secrets.add("what was typed by mistake", WRONG, &[]);
    let (client, url) = (client()?, weir.run()?.query_url);

    let made = ask(&client, Method::PUT, &format!("{url}/api/v1/sites/shared-links"), &key)
        .json(&json!({"site_id": SITE, "name": "Board", "password": LINK_PASSWORD}));
    let (status, made) = answers.take("making a link", made.send().await?).await?;
    ensure!(status == 200, "{status} {made}");
    let made: Value = serde_json::from_str(&made)?;
    let slug = made["url"].as_str().and_then(|url| url.split_once("auth=")).context("no slug")?.1.to_owned();

    // Answers that give a session out are the only ones that hold it.
    let session = client.post(format!("{url}/api/session")).json(&json!({"key": key})).send().await?;
    ensure!(session.status() == 204, "{}", session.status());
    let session = cookie(&session)?;
    let open = |password: &str| client.post(format!("{url}/api/share/{slug}/session")).json(&json!({"password": password}));
    let link = cookie(&open(LINK_PASSWORD).send().await?)?;
    for (name, cookie) in [("session", &session), ("session of a link", &link)] {
        secrets.add(name, cookie.split_once('=').context("no value")?.1, &[]);
    }
    let (status, _) = answers.take("wrong password", open(WRONG).send().await?).await?;
    ensure!(status == 401, "{status}");
    let wrong = client.post(format!("{url}/api/session")).json(&json!({"key": WRONG}));
    let (status, _) = answers.take("wrong sign-in", wrong.send().await?).await?;
    ensure!(status == 401, "{status}");

    let admin = weir.run()?.admin_key;
    for path in [
        "/",
        "/sign-in",
        "/api/session",
        "/api/sites",
        "/api/status",
        "/api/health",
        "/metrics",
        "/api/openapi.json",
        "/api/ledger",
        "/api/operator/overview",
        "/api/operator/rejected",
        "/api/operator/replay",
        "/api/operator/rules",
        "/api/v1/sites",
        &format!("/api/v1/sites/{SITE}"),
        &format!("/api/sites/{SITE}/settings"),
        &format!("/api/sites/{SITE}/keys"),
        &format!("/api/v1/sites/shared-links?site_id={SITE}"),
        &format!("/api/v1/sites/guests?site_id={SITE}"),
        // By mistake in an address.
        &format!("/api/sites?key={key}"),
        &format!("/{admin}"),
    ] {
        for with in [&key, &admin, WRONG] {
            answers.take(path, ask(&client, Method::GET, &format!("{url}{path}"), with).send().await?).await?;
        }
        for with in [&session, &link] {
            answers.take(path, client.get(format!("{url}{path}")).header("cookie", with).send().await?).await?;
        }
    }
    let broken = ask(&client, Method::POST, &format!("{url}/api/v2/query"), &key).body(format!("{{\"site_id\": {key}"));
    answers.take("a broken query", broken.send().await?).await?;
    Ok(())
}

fn ask(client: &Client, method: Method, url: &str, key: &str) -> reqwest::RequestBuilder {
    client.request(method, url).bearer_auth(key)
}

/// What the collectors are asked, by servers with a key, operators, and people who try.
async fn collect(weir: &Weir, secrets: &Secrets, answers: &mut Answers) -> Result<()> {
    let value = |name: &str| {
        let found = secrets.all.iter().find(|secret| secret.name == name).context("no such secret")?;
        Ok::<_, anyhow::Error>(String::from_utf8(found.value.clone())?)
    };
    let (key, token, client) = (value("key of a merchant")?, value("edge_token")?, client()?);
    let run: Value = serde_json::from_slice(&std::fs::read(weir.home().join("run.json"))?)?;
    let urls: Vec<String> = serde_json::from_value(run["collector_urls"].clone())?;
    ensure!(urls.len() == 2, "{urls:?}");
    for url in urls {
        for (path, key) in [
            ("/internal/backlog", &*token),
            ("/internal/metrics", &token),
            ("/internal/backlog", &key),
            ("/internal/backlog", WRONG),
            ("/health", &token),
            ("/js/script.js", &key),
            ("/nowhere", &token),
        ] {
            answers.take(path, ask(&client, Method::GET, &format!("{url}{path}"), key).send().await?).await?;
        }
        for (body, key) in [(pageview(SITE, "/server").to_string(), &*key), ("{".to_owned(), &key), ("{}".to_owned(), WRONG)] {
            let event = ask(&client, Method::POST, &format!("{url}/api/event"), key).body(body);
            answers.take("an event with a key", event.header("user-agent", "server").send().await?).await?;
        }
        let collector = Collector::at_url(&url)?;
        for number in 0..10 {
            collector.send(&Visitor::number(number), &pageview(SITE, "/")).await?;
        }
    }
    Ok(())
}

/// Services end and begin again, NATS under them, somebody knocks with a wrong password.
async fn trouble(weir: &Weir) -> Result<()> {
    let wrong = ConnectOptions::with_user_and_password("admin".to_owned(), WRONG.to_owned());
    ensure!(wrong.connect(weir.run()?.nats_url).await.is_err(), "a wrong password is taken");
    for child in ["nats", "aggregator", "query-api", "workerd"] {
        let killed = weir.kill(child)?;
        weir.restarted(child, killed, RESTARTED_WITHIN).await?;
    }
    weir.serving(Duration::from_secs(30)).await
}

/// What commands print.
async fn commands(weir: &Weir, answers: &mut Answers) -> Result<()> {
    for arguments in [
        &["status"][..],
        &["doctor"],
        &["flush"],
        &["status", "--json"],
        &["site", "list"],
        &["key", "list"],
        &["account", "list"],
        &["key", "revoke", "nobody"],
        &["site", "add", "not a domain"],
        &["--help"],
    ] {
        let output = weir.output(arguments).await?;
        ensure!(!output.stdout.is_empty() || !output.stderr.is_empty(), "{arguments:?} says nothing");
        answers.note(&format!("weir {arguments:?}"), [output.stdout, output.stderr].concat());
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_secret_shows_itself() -> Result<()> {
    let watch = Watch::begin();
    let folder = tempfile::tempdir()?;
    let bucket = Bucket::start(&folder.path().join("bucket"), [127, 0, 0, 1].into()).await?;
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text)?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
        Ok::<_, anyhow::Error>(path.to_str().context("a path in UTF-8")?.to_owned())
    };
    let weir = Weir::start_with(&[
        ("WEIR_EDGES", "2"),
        ("WEIR_S3_BUCKET", BUCKET),
        ("WEIR_S3_ENDPOINT", &bucket.url()),
        ("WEIR_S3_ALLOW_HTTP", "true"),
        ("WEIR_S3_ACCESS_KEY_ID_FILE", &file("id", KEY)?),
        ("WEIR_S3_SECRET_ACCESS_KEY_FILE", &file("secret", SECRET)?),
        ("WEIR_FLUSH_AFTER_MS", "500"),
        ("RUST_LOG", "debug"),
    ])
    .await?;
    let (mut secrets, mut answers) = (Secrets::default(), Answers::default());
    secrets.add("S3 secret", SECRET, &[]);
    secrets.of_the_home(weir.home())?;
    work(&weir, &mut secrets, &mut answers).await?;
    collect(&weir, &secrets, &mut answers).await?;
    Stats::admin(&weir, SITE)?.await_total(VISIBLE_WITHIN * 10, &["pageviews"], json!({}), &[22.0]).await?;
    trouble(&weir).await?;
    commands(&weir, &mut answers).await?;
    secrets.of_the_streams(&weir).await?;

    let search = Search::new(&secrets.all)?;
    ensure!(answers.0.len() > 100, "{} answers", answers.0.len());
    for (question, answer) in &answers.0 {
        let told = search.bytes(answer);
        ensure!(told.is_empty(), "{question} tells {told:?}: {}", String::from_utf8_lossy(answer));
    }
    let started = watch.end()?;
    ensure!(started.commands.len() > 12 && started.environments.len() > 3, "too few processes were seen: {started:?}");
    for bytes in started.commands.iter().chain(&started.environments) {
        let told = search.bytes(bytes);
        ensure!(told.is_empty(), "a process was started with {told:?}: {}", String::from_utf8_lossy(bytes));
    }
    let output = std::fs::read(weir.home().with_extension("up.log"))?;
    ensure!(!output.is_empty() && search.bytes(&output).is_empty(), "weir up prints {:?}", search.bytes(&output));
    judge(weir.home(), &search.folder(weir.home())?, &secrets)?;
    // What went to the bucket is no secret's place either.
    let stored = search.folder(&folder.path().join("bucket"))?;
    ensure!(stored.files > 2 && stored.held.is_empty() && stored.names.is_empty(), "{stored:?}");
    Ok(())
}

/// Where secrets rest: in the files that are documented, each for its owner alone.
fn judge(home: &Path, found: &Found, secrets: &Secrets) -> Result<()> {
    ensure!(found.files > 30 && found.names.is_empty(), "{} files, names {:?}", found.files, found.names);
    let (mut seen, mut wrong) = (BTreeSet::new(), Vec::new());
    for held in &found.held {
        let file = held.file.to_str().context("a path in UTF-8")?;
        for name in &held.secrets {
            let place = secrets.places.get(name).and_then(|places| places.iter().find(|place| file.starts_with(**place)));
            match place {
                Some(place) => drop(seen.insert((name.clone(), *place))),
                None => wrong.push(format!("{file} holds: {name}")),
            }
        }
        // Files of nats-server have its own permissions; nobody else gets as far as them.
        ensure!(held.mode == 0o600 || file.starts_with(STORE), "{file} has mode {:o}", held.mode);
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    // The search finds what is there: every secret at each of its places.
    for (name, places) in &secrets.places {
        for place in places {
            ensure!(seen.contains(&(name.clone(), *place)), "{name} was not found in {place}: {seen:?}");
        }
    }
    // The home and each folder in it are closed, whoever made the home; what is deeper lies behind them.
    let is_outer = |folder: &&PathBuf| folder.strip_prefix(home).is_ok_and(|inner| inner.components().count() < 2);
    let open: Vec<_> = found.open_folders.iter().filter(is_outer).collect();
    ensure!(open.is_empty(), "others may enter {open:?}");
    Ok(())
}

/// No source holds a secret, and nothing that makes an image or a container tells one by value.
#[test]
fn no_source_holds_a_secret() -> Result<()> {
    let listed = Command::new("git").args(["ls-files", "-z"]).current_dir(repository()).output();
    let Some(listed) = listed.ok().filter(|output| output.status.success()) else {
        eprintln!("NOT RUN: the sources are no git repository");
        return Ok(());
    };
    let (mut looked, mut told) = (0, Vec::new());
    for name in
        listed.stdout.split(|byte| *byte == 0).filter_map(|name| std::str::from_utf8(name).ok()).filter(|name| !name.is_empty())
    {
        let path = Path::new(name);
        let file = path.file_name().and_then(|file| file.to_str()).unwrap_or_default();
        let kept =
            [".pem", ".key", ".p12"].iter().any(|ending| file.ends_with(ending)) || ["secrets.json", ".env"].contains(&file);
        if kept {
            told.push(format!("{name} should not be kept here"));
        }
        // Texts alone; what is deleted and not yet committed is passed over.
        let Ok(text) = std::fs::read_to_string(repository().join(path)) else { continue };
        looked += 1;
        told.extend(written_secrets(&text).into_iter().map(|line| format!("{name}: {line}")));
    }
    ensure!(looked > 500, "only {looked} sources were looked at");
    ensure!(told.is_empty(), "{}", told.join("\n"));
    Ok(())
}
