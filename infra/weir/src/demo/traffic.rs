//! Live page views: visitors out of the access log who walk through its pages, with browsers and referrers of today.

use crate::session::{Session, http_client};
use anyhow::{Context as _, Result, anyhow};
use serde_json::json;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use weir_event::log::{self, LogLine};

/// Lines of the log that are looked at.
const LINES_MAX: usize = 100_000;
/// Visitors who are on the site at the same time.
const VISITORS: usize = 12;
/// Pause between page views, milliseconds: from, and how much more at most.
const PAUSE_MS: (u64, u32) = (500, 1_000);

const USER_AGENTS: [&str; 8] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Safari/605.1.15",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:144.0) Gecko/20100101 Firefox/144.0",
    "Mozilla/5.0 (iPad; CPU OS 17_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.7 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0",
];
const REFERRERS: [&str; 8] = [
    "",
    "",
    "https://www.google.com/",
    "https://www.google.com/",
    "https://duckduckgo.com/",
    "https://news.ycombinator.com/",
    "https://t.co/abc",
    "https://www.reddit.com/r/sysadmin/",
];
const COUNTRIES: [&str; 10] = ["US", "DE", "FR", "GB", "IN", "BR", "JP", "CA", "NL", "AU"];

/// Sends page views.
pub(super) struct Traffic {
    client: reqwest::Client,
    url: String,
    pages: Vec<String>,
    addresses: Vec<String>,
}

/// Somebody on the site.
#[derive(Clone)]
struct Visitor {
    address: String,
    country: &'static str,
    user_agent: &'static str,
    referrer: String,
    views_left: u32,
}

impl Traffic {
    /// Takes pages and addresses from the log.
    pub(super) async fn new(session: &Session, log: PathBuf) -> Result<Self> {
        let views = tokio::task::spawn_blocking(move || page_views(&log)).await??;
        let pages = views.iter().map(|view| view.path.clone()).collect();
        let mut addresses: Vec<String> = views.into_iter().map(|view| view.address).collect();
        addresses.sort_unstable();
        addresses.dedup();
        Ok(Self { client: http_client()?, url: format!("{}/api/event", session.run.collector_url), pages, addresses })
    }

    /// Sends about one page view a second until the end. The edge being away for a while is no reason to stop.
    pub(super) async fn send(&self, ended: &CancellationToken) -> Result<()> {
        let mut visitors: Vec<Visitor> = (0..VISITORS).map(|_| self.visitor()).collect::<Result<_>>()?;
        loop {
            let pause = Duration::from_millis(PAUSE_MS.0 + u64::from(random(PAUSE_MS.1)?));
            if ended.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
                return Ok(());
            }
            let index = random(VISITORS as u32)? as usize;
            let Some(visitor) = visitors.get_mut(index) else { continue };
            let page = pick(&self.pages)?.clone();
            if let Err(error) = self.view(visitor, &page).await {
                tracing::warn!(%error, "a page view of the demo was not taken");
            }
            visitor.referrer = format!("https://{}{page}", super::DOMAIN);
            visitor.views_left = visitor.views_left.saturating_sub(1);
            if visitor.views_left == 0 {
                *visitor = self.visitor()?;
            }
        }
    }

    fn visitor(&self) -> Result<Visitor> {
        Ok(Visitor {
            address: pick(&self.addresses)?.clone(),
            country: pick(&COUNTRIES)?,
            user_agent: pick(&USER_AGENTS)?,
            referrer: (*pick(&REFERRERS)?).to_owned(),
            views_left: 1 + random(5)?,
        })
    }

    async fn view(&self, visitor: &Visitor, page: &str) -> Result<()> {
        let body = json!({
            "n": "pageview", "d": super::DOMAIN, "u": format!("https://{}{page}", super::DOMAIN), "r": visitor.referrer,
        });
        self.client
            .post(&self.url)
            .header("user-agent", visitor.user_agent)
            // The edge listens on this machine only and believes what a proxy on it says.
            .header("x-forwarded-for", &visitor.address)
            .header("cf-ipcountry", visitor.country)
            .json(&body)
            .send()
            .await?
            .error_for_status()?;
        Ok(())
    }
}

/// The page views of a log.
pub(super) fn page_views(path: &Path) -> Result<Vec<LogLine>> {
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let lines = BufReader::new(file).split(b'\n').take(LINES_MAX);
    let mut views = Vec::new();
    for line in lines {
        let line = line.with_context(|| format!("cannot read {}", path.display()))?;
        if let Ok(line) = log::parse_line(&String::from_utf8_lossy(&line))
            && log::is_page_view(&line)
        {
            views.push(line);
        }
    }
    Ok(views)
}

fn pick<T>(items: &[T]) -> Result<&T> {
    items.get(random(items.len() as u32)? as usize).context("nothing to pick from")
}

/// A number below a limit; even enough for a show.
fn random(limit: u32) -> Result<u32> {
    let number = getrandom::u32().map_err(|error| anyhow!("the system gives no random bytes: {error}"))?;
    Ok(number % limit.max(1))
}
