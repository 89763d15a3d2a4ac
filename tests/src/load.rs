//! Load whose every event has its own name, so that lost and doubled ones are found by id, not by count.

use crate::collector::{Collector, Visitor};
use crate::query::Stats;
use crate::weir::Weir;
use anyhow::{Result, ensure};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::JoinSet;

/// Path prefix of the load's pages.
const PREFIX: &str = "/id/";

/// Ids by what the sender knows of them.
#[derive(Clone, Debug, Default)]
pub struct Sent {
    /// Answered 202: must count exactly once.
    pub acknowledged: BTreeSet<String>,
    /// Sent without a good answer: may count once or not at all.
    pub unclear: BTreeSet<String>,
}

/// Running senders.
pub struct Load {
    senders: JoinSet<()>,
    ended: Arc<AtomicBool>,
    sent: Arc<Mutex<Sent>>,
}

impl Load {
    /// Starts `senders` tasks, each sending one event after the other for its own visitors, in single events and small arrays.
    pub fn start(weir: &Weir, domain: &str, senders: u32) -> Result<Self> {
        Self::start_at(&[weir.run()?.collector_url], domain, senders)
    }

    /// The same for several collectors, among which the senders are divided.
    pub fn start_at(urls: &[String], domain: &str, senders: u32) -> Result<Self> {
        let ended = Arc::new(AtomicBool::new(false));
        let sent = Arc::new(Mutex::new(Sent::default()));
        let next = Arc::new(AtomicU64::new(next_base()));
        let mut tasks = JoinSet::new();
        for (sender, url) in (0..senders).zip(urls.iter().cycle()) {
            // A pool of its own each: a broken connection is that sender's alone. A dead peer is given up soon.
            let collector = Collector::at_url(url)?;
            let (ended, sent, next, domain) = (ended.clone(), sent.clone(), next.clone(), domain.to_owned());
            tasks.spawn(async move {
                while !ended.load(Ordering::Relaxed) {
                    let count = 1 + u64::from(sender % 3);
                    let first = next.fetch_add(count, Ordering::Relaxed);
                    let ids: Vec<String> = (first..first + count).map(|number| number.to_string()).collect();
                    let visitor = Visitor::number(sender * 50 + (first % 50) as u32);
                    let good = send(&collector, &visitor, &domain, &ids).await;
                    record(&sent, ids, good);
                    if !good {
                        // The server is away: come back soon, without spinning.
                        tokio::time::sleep(Duration::from_millis(10)).await;
                    }
                }
            });
        }
        Ok(Self { senders: tasks, ended, sent })
    }

    /// How many events are acknowledged by now.
    pub fn acknowledged(&self) -> usize {
        self.sent.lock().unwrap_or_else(std::sync::PoisonError::into_inner).acknowledged.len()
    }

    /// Waits until `more` further events are acknowledged.
    pub async fn progress(&self, more: usize, within: Duration) -> Result<()> {
        let goal = self.acknowledged() + more;
        crate::poll::until_true(&format!("{more} more acknowledged events"), within, async || self.acknowledged() >= goal).await
    }

    /// Ends the senders and tells what they sent.
    pub async fn stop(mut self) -> Result<Sent> {
        self.ended.store(true, Ordering::Relaxed);
        while let Some(joined) = self.senders.join_next().await {
            joined?;
        }
        Ok(self.sent.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone())
    }
}

fn record(sent: &Mutex<Sent>, ids: Vec<String>, good: bool) {
    let mut sent = sent.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if good { sent.acknowledged.extend(ids) } else { sent.unclear.extend(ids) }
}

/// Ids of two loads of one test never meet.
fn next_base() -> u64 {
    static LOADS: AtomicU64 = AtomicU64::new(1);
    LOADS.fetch_add(1, Ordering::Relaxed) * 10_000_000
}

async fn send(collector: &Collector, visitor: &Visitor, domain: &str, ids: &[String]) -> bool {
    let mut events: Vec<_> = ids
        .iter()
        .map(|id| json!({"n": "pageview", "d": domain, "u": format!("https://{domain}{PREFIX}{id}"), "p": {"id": id}}))
        .collect();
    let body = if events.len() == 1 { events.remove(0) } else { json!(events) };
    match collector.post(visitor, &body).await {
        Ok(answer) => {
            let dropped = answer.headers().contains_key("x-plausible-dropped");
            let status = answer.status();
            // An answer whose body breaks off is no acknowledgement.
            let whole = answer.text().await;
            status == 202 && !dropped && whole.is_ok_and(|text| text == "ok")
        }
        Err(_) => false,
    }
}

/// What the query API counts of a load: how often each id.
pub async fn counted(stats: &Stats) -> Result<BTreeMap<String, f64>> {
    let all =
        stats.pages_of("event:page", "pageviews", json!({"filters": [["contains", "event:page", [PREFIX]]]}), 10_000).await?;
    Ok(all.into_iter().map(|(page, count)| (page.trim_start_matches(PREFIX).to_owned(), count)).collect())
}

impl Sent {
    /// Joins what two loads sent.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.acknowledged.extend(other.acknowledged);
        self.unclear.extend(other.unclear);
        self
    }

    /// Every acknowledged id counts exactly once, every unclear one at most once, nothing else at all.
    pub fn check(&self, counted: &BTreeMap<String, f64>) -> Result<()> {
        let lost: Vec<_> = self.acknowledged.iter().filter(|id| !counted.contains_key(*id)).collect();
        let doubled: Vec<_> = counted.iter().filter(|(_, count)| (**count - 1.0).abs() > 0.1).collect();
        let unknown: Vec<_> =
            counted.keys().filter(|id| !self.acknowledged.contains(*id) && !self.unclear.contains(*id)).collect();
        ensure!(
            lost.is_empty() && doubled.is_empty() && unknown.is_empty(),
            "of {} acknowledged and {} unclear events: {} lost {:?}, {} doubled {:?}, {} unknown {:?}",
            self.acknowledged.len(),
            self.unclear.len(),
            lost.len(),
            lost.iter().take(5).collect::<Vec<_>>(),
            doubled.len(),
            doubled.iter().take(5).collect::<Vec<_>>(),
            unknown.len(),
            unknown.iter().take(5).collect::<Vec<_>>(),
        );
        Ok(())
    }

    /// Waits until the acknowledged events are visible, then checks by id: live, and again once everything is sealed.
    pub async fn verify(&self, weir: &Weir, domain: &str, within: Duration) -> Result<()> {
        let stats = Stats::admin(weir, domain)?;
        self.visible(&stats, within).await?;
        weir.flush().await?;
        self.check(&counted(&stats).await?)
    }

    /// Waits until the acknowledged events are visible, then checks by id.
    pub async fn visible(&self, stats: &Stats, within: Duration) -> Result<()> {
        use crate::poll::{Look, soft, until};
        ensure!(!self.acknowledged.is_empty(), "the load sent nothing");
        until("all acknowledged events to be visible", within, async || {
            Ok(soft(counted(stats).await.map(|counted| {
                let missing = self.acknowledged.iter().filter(|id| !counted.contains_key(*id)).count();
                if missing == 0 {
                    Look::Done(())
                } else {
                    Look::NotYet(format!("{missing} of {} missing", self.acknowledged.len()))
                }
            })))
        })
        .await?;
        self.check(&counted(stats).await?)
    }
}
