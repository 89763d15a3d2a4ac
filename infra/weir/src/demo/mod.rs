//! `weir demo`: a whole system with two sites: a real access log with live page views, and a small shop.

mod shop;
mod traffic;

use crate::cli::UpOptions;
use crate::import::{self, Format, Shown, Source};
use crate::installation::Installation;
use crate::output::Output;
use crate::ports::IfTaken;
use crate::session::{Session, http_client, now_ms};
use crate::up::{Running, start_log, with_system};
use crate::{keys, service, sites};
use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use traffic::{Traffic, page_views};
use weir_event::key::Scope;
use weir_event::site::Site;
use weir_reader::stream;

/// The site whose log is imported.
const DOMAIN: &str = "semicomplete.com";
/// The log, in the repository.
const LOG: &str = "tests/fixtures/access.log";
/// Time in which the query API must have read the import.
const COUNTED_WITHIN: Duration = Duration::from_mins(1);

/// Starts everything and keeps the demo going until a signal.
pub(crate) async fn run(options: &UpOptions, output: Output) -> Result<()> {
    start_log();
    let log = Installation::find()?.file(LOG, "git checkout -- tests/fixtures/access.log")?;
    let ended = service::cancelled_by_signal()?;
    with_system(options, IfTaken::UseNext, output, &ended, async |running| {
        tokio::select! {
            shown = show(running, &log, output, &ended) => shown,
            () = ended.cancelled() => Ok(()),
        }
    })
    .await
}

async fn show(running: &Running, log: &Path, output: Output, ended: &CancellationToken) -> Result<()> {
    let session = &running.session;
    let site = match sites::find(session, DOMAIN).await? {
        Some(site) => site,
        None => sites::create(session, DOMAIN, "UTC", None).await?,
    };
    let shop = shop::add(session).await?;
    let key = demo_key(session).await?;
    running.registry.update(|run| {
        run.demo_site = Some(DOMAIN.to_owned());
        run.demo_shop = Some(shop::DOMAIN.to_owned());
        run.demo_key = Some(key.clone());
    })?;
    output.text(&format!("importing the access log of {DOMAIN} …"))?;
    import_log(session, &site, log, output).await?;
    output.text(&format!("importing weeks of a small shop, {} …", shop::DOMAIN))?;
    let events = shop::import_history(session, &shop).await?;
    output.text(&format!("  {events} events"))?;
    wait_until_counted(session, &site).await?;
    wait_until_counted(session, &shop).await?;
    let (answer, body) = ask(session, &key).await?;
    let curl = format!(
        "curl -s {}/api/v2/query -H 'Authorization: Bearer {key}' -H 'Content-Type: application/json' -d '{body}'",
        session.run.query_url
    );
    let ready = json!({
        "ready": true, "dashboard": session.run.query_url, "collector_url": session.run.collector_url,
        "collector_urls": session.run.collector_urls, "query_url": session.run.query_url,
        "site": DOMAIN, "shop": shop::DOMAIN, "key": key, "curl": curl, "answer": answer,
    });
    let text = format!(
        "\nready\n  dashboard  {}\n  sites      {DOMAIN} (a real access log), {} (a made-up shop)\n  key        {key}   (the dashboard asks for it)\n  operator   the admin_key in {} opens the operators' view\n  collector  {}\n\n{curl}\n{answer}\n\nlive page views come in about every second; Ctrl-C ends everything\n",
        session.run.query_url,
        shop::DOMAIN,
        session.home.path("secrets.json").display(),
        session.run.collector_urls.join(" ")
    );
    output.result(&ready, &text)?;
    let traffic = Traffic::new(session, log.to_path_buf()).await?;
    let (views, visitors) = tokio::join!(traffic.send(ended), shop::send(session, ended));
    views.and(visitors)
}

/// The key of the demo before, if it is still valid: it reads both sites and may change how they are set up.
async fn demo_key(session: &Session) -> Result<String> {
    if let Some(key) = &session.secrets.demo_key
        && keys::is_stored_for(session, key, 2).await?
    {
        return Ok(key.clone());
    }
    let domains = vec![DOMAIN.to_owned(), shop::DOMAIN.to_owned()];
    let wanted = keys::Wanted { domains, account: None, scopes: vec![Scope::StatsRead, Scope::SitesProvision] };
    let (key, _) = keys::create_for(session, &wanted).await?;
    let mut secrets = session.secrets.clone();
    secrets.demo_key = Some(key.clone());
    secrets.save(&session.home)?;
    Ok(key)
}

async fn import_log(session: &Session, site: &Site, log: &Path, output: Output) -> Result<()> {
    let shift_days = shift_to_yesterday(log.to_path_buf()).await?;
    let source = Source { file: log.to_path_buf(), format: Format::Combined, shift_days };
    let tally = import::run(session, site, &source, Shown::Nothing).await?;
    output.text(&format!("  {}", tally.text()))
}

/// Days by which the log must be moved for its last day to be yesterday (UTC).
async fn shift_to_yesterday(log: PathBuf) -> Result<i32> {
    let views = tokio::task::spawn_blocking(move || page_views(&log)).await??;
    let last_ms = views.iter().map(|view| view.time_ms).max().context("the access log has no page views")?;
    shift_days(last_ms, now_ms())
}

fn shift_days(last_ms: u64, now_ms: u64) -> Result<i32> {
    let day = |ms: u64| i64::try_from(ms / 86_400_000);
    i32::try_from(day(now_ms)? - 1 - day(last_ms)?).context("the access log's days cannot be moved to yesterday")
}

/// Waits until the query API has read the site's stream to its present end.
async fn wait_until_counted(session: &Session, site: &Site) -> Result<()> {
    let last_seq = stream::state(&session.jetstream, &session.run.region, site.partition).await?.last_seq;
    let client = http_client()?;
    let deadline = Instant::now() + COUNTED_WITHIN;
    loop {
        let url = format!("{}/api/status", session.run.query_url);
        let answer = client.get(url).bearer_auth(&session.secrets.admin_key).send().await?.error_for_status()?;
        let partitions: Vec<Value> = answer.json().await?;
        let folded = partitions.iter().find(|one| one["partition"] == site.partition).and_then(|one| one["folded_seq"].as_u64());
        if folded.is_some_and(|seq| seq >= last_seq) {
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!("the query API has not read the import within {} s: look into its log", COUNTED_WITHIN.as_secs());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Puts the query that the demo shows; gives the answer and the query.
async fn ask(session: &Session, key: &str) -> Result<(Value, String)> {
    let body = json!({
        "site_id": DOMAIN, "metrics": ["visitors", "visits", "pageviews"], "date_range": "7d", "dimensions": ["event:page"],
        "pagination": { "limit": 3 },
    })
    .to_string();
    let url = format!("{}/api/v2/query", session.run.query_url);
    let request = http_client()?.post(url).bearer_auth(key).header("content-type", "application/json").body(body.clone());
    let answer = request.send().await?;
    let status = answer.status();
    let value: Value = answer.json().await.context("the query API's answer is not JSON")?;
    if !status.is_success() {
        bail!("the query API refused the demo's query with {status}: {value}");
    }
    Ok((value, body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_day_becomes_yesterday() {
        let day = 86_400_000;
        assert_eq!(shift_days(10 * day + 5, 10 * day + 7).unwrap(), -1);
        assert_eq!(shift_days(10 * day + 5, 12 * day - 1).unwrap(), 0);
        assert_eq!(shift_days(10 * day + 5, 1010 * day).unwrap(), 999);
    }
}
