//! Two complete regions: one answer over both, one of them stopped, killed, started late; what is set up in one and known in both.

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::time::Duration;
use weir_tests::collector::{Collector, Visitor, pageview};
use weir_tests::poll::{Look, soft, until};
use weir_tests::process;
use weir_tests::query::Stats;
use weir_tests::weir::{CHILDREN, Weir, client};

const SITE: &str = "two.example";
/// For an absence to be noticed, and for everything to come together after it.
const SETTLED_WITHIN: Duration = Duration::from_mins(1);

/// The two regions; `eu` is where sites and keys are changed.
struct Regions {
    eu: Weir,
    us: Weir,
}

impl Regions {
    /// Two systems that know of each other.
    async fn start() -> Result<Self> {
        let options = |region: &'static str| [("WEIR_REGION", region), ("WEIR_PARTITIONS", "1"), ("WEIR_SLOTS", "1")];
        let (in_eu, in_us) = (options("eu"), options("us"));
        let (eu, us) = tokio::try_join!(Weir::start_with(&in_eu), Weir::start_with(&in_us))?;
        // The same file for both: each leaves itself out.
        let text = format!("home = \"eu\"\n{}{}", entry("eu", &eu)?, entry("us", &us)?);
        for weir in [&eu, &us] {
            std::fs::write(weir.home().join("regions.toml"), &text)?;
        }
        tokio::try_join!(restart_query(&eu), restart_query(&us))?;
        Ok(Self { eu, us })
    }

    /// Waits until a region's answer is so.
    async fn expect(&self, asked: &Weir, visitors: u32, missing: &Value) -> Result<Value> {
        let stats = Stats::admin(asked, SITE)?;
        until(&format!("{visitors} visitors without {missing}"), SETTLED_WITHIN, async || {
            Ok(soft(
                async {
                    let answer = stats.answer(&json!({"metrics": ["visitors", "pageviews"]})).await?;
                    let (figures, meta) = (&answer["results"][0]["metrics"], &answer["meta"]);
                    let is_so = *figures == json!([visitors, visitors]) && meta["region_states"] == *missing;
                    Ok(if is_so { Look::Done(answer) } else { Look::NotYet(answer.to_string()) })
                }
                .await,
            ))
        })
        .await
        .with_context(|| asked.log("query-api"))
    }
}

/// A region in `regions.toml`.
fn entry(name: &str, weir: &Weir) -> Result<String> {
    let secrets: Value = serde_json::from_slice(&std::fs::read(weir.home().join("secrets.json"))?)?;
    let password = weir.home().join("query.password");
    std::fs::write(&password, secrets["nats_query"].as_str().context("no password of the role query")?)?;
    let (url, home) = (weir.run()?.nats_url, weir.home().display());
    Ok(format!(
        "[[region]]\nname = \"{name}\"\nnats_url = \"{url}\"\nnats_password_file = \"{}\"\npartitions = 1\nfiles = \"{home}/files\"\n",
        password.display()
    ))
}

async fn restart_query(weir: &Weir) -> Result<()> {
    let killed = weir.kill("query-api")?;
    weir.restarted("query-api", killed, SETTLED_WITHIN).await?;
    weir.serving(SETTLED_WITHIN).await
}

/// Stops or continues all programs of a region.
fn signal_all(weir: &Weir, signal: Signal) -> Result<()> {
    for child in CHILDREN {
        process::signal(weir.pid(child)?, signal);
    }
    Ok(())
}

async fn send(weir: &Weir, visitors: std::ops::Range<u32>) -> Result<()> {
    let collector = Collector::of(weir)?;
    for number in visitors {
        collector.send(&Visitor::number(number), &pageview(SITE, "/")).await?;
    }
    Ok(())
}

/// Adds a site by the query API of a region: status and code.
async fn add_by(weir: &Weir, domain: &str) -> Result<(u16, Value)> {
    let run = weir.run()?;
    let request = client()?.post(format!("{}/api/v1/sites", run.query_url)).bearer_auth(&run.admin_key);
    let answer = request.json(&json!({"domain": domain, "timezone": "UTC"})).send().await?;
    let status = answer.status().as_u16();
    Ok((status, answer.json::<Value>().await?["code"].clone()))
}

async fn is_listed(weir: &Weir, domain: &str) -> Result<bool> {
    Ok(weir.json(&["site", "list"]).await?.to_string().contains(&format!("\"{domain}\"")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_regions_answer_as_one_and_each_goes_on_alone() -> Result<()> {
    let regions = Regions::start().await?;
    let Regions { eu, us } = &regions;

    // What is set up at home is known in the other region, at its edge too.
    eu.add_site(SITE).await?;
    let key = eu.create_key(SITE).await?;
    until("the first event of the other region", SETTLED_WITHIN, async || {
        Ok(match send(us, 0..1).await {
            Ok(()) => Look::Done(()),
            Err(error) => Look::NotYet(format!("{error:#}")),
        })
    })
    .await?;

    // Five visitors there, three here; who was in both counts in both. One region sealed, the other live.
    send(eu, 0..5).await?;
    send(us, 1..3).await?;
    eu.flush().await?;
    for asked in [eu, us] {
        let answer = regions.expect(asked, 8, &Value::Null).await?;
        let meta = &answer["meta"];
        let mut named: Vec<&str> = meta["regions"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        named.sort_unstable();
        ensure!(named == ["eu", "us"] && meta["regions_missing"] == json!([]) && meta["identity_scope"] == "region", "{meta}");
        ensure!(
            meta["complete_through"]["eu"].is_string() && meta["revisions"]["us"].is_u64() && meta["exact"] == true,
            "{meta}"
        );
    }
    ensure!(
        Stats::new(us, SITE, &key)?.total(&["visitors"], Value::Null).await? == [8.0],
        "a key of home reads in the other region"
    );

    // Changes: by the other region's query node they happen at home, its commands refuse them.
    ensure!(
        add_by(us, "three.example").await?.0 == 200
            && is_listed(eu, "three.example").await?
            && is_listed(us, "three.example").await?
    );
    let refused = us.output(&["site", "add", "four.example"]).await?;
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    ensure!(!refused.status.success() && said.contains("home region eu") && !is_listed(us, "four.example").await?, "{said}");

    // A whole region stands still: what is known of it goes on counting, and the answer says up to when.
    signal_all(us, Signal::SIGSTOP)?;
    send(eu, 10..12).await?;
    let answer = regions.expect(eu, 10, &json!({"us": "away"})).await?;
    let meta = &answer["meta"];
    ensure!(
        meta["regions_missing"] == json!(["us"]) && meta["regions"] == json!(["eu", "us"]) && meta["exact"] == false,
        "{meta}"
    );
    ensure!(meta["complete_through"]["us"].as_str() < meta["complete_through"]["eu"].as_str(), "{meta}");
    // Nobody waits for it, not even who starts.
    restart_query(eu).await?;
    let answer = regions.expect(eu, 7, &json!({"us": "not_loaded"})).await?;
    ensure!(answer["meta"]["regions"] == json!(["eu"]), "{answer}");
    signal_all(us, Signal::SIGCONT)?;
    regions.expect(eu, 10, &Value::Null).await?;

    // Its NATS is killed and comes back.
    let killed = us.kill("nats")?;
    us.restarted("nats", killed, SETTLED_WITHIN).await?;
    send(us, 20..21).await?;
    for asked in [eu, us] {
        regions.expect(asked, 11, &Value::Null).await?;
    }

    // Without home a region takes events and answers; only changes wait.
    process::signal(eu.pid("nats")?, Signal::SIGSTOP);
    send(us, 21..22).await?;
    regions.expect(us, 12, &json!({"eu": "away"})).await?;
    let (status, code) = add_by(us, "five.example").await?;
    ensure!((status, &code) == (503, &json!("home_region_away")), "{status} {code}");
    process::signal(eu.pid("nats")?, Signal::SIGCONT);
    regions.expect(us, 12, &Value::Null).await?;

    // A site that is deleted at home is forgotten in both.
    eu.json(&["delete", "site", SITE, "--yes"]).await?;
    until("the other region to forget the site", SETTLED_WITHIN, async || {
        Ok(if is_listed(us, SITE).await? { Look::NotYet("it is listed".to_owned()) } else { Look::Done(()) })
    })
    .await?;
    us.flush().await?;
    let receipts = us.json(&["delete", "status"]).await?;
    ensure!(receipts[0]["site_id"] == 1 && receipts[0]["hidden"] == true, "{receipts}");
    Ok(())
}
