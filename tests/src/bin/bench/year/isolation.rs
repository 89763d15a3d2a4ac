//! What one tenant's flood costs another: the answer times of a calm one, alone and beside one that asks a hundred times as much.

use super::request;
use super::served::{Served, neighbour_key};
use super::set::{self, SPANS};
use crate::report::{Report, percentile};
use anyhow::Result;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Sites of the two.
pub(crate) const CALM_SITE: u32 = 30;
pub(crate) const FLOODING_SITE: u32 = 31;
/// Questions that the flooding one has under way at once; the calm one has one.
const FLOOD: usize = 100;
const FOR: Duration = Duration::from_secs(15);
/// Pause of the calm one between two questions, so that the flood has a hundred times as many.
const PAUSE: Duration = Duration::from_millis(20);

pub(crate) async fn measure(served: &Served, report: &mut Report) -> Result<()> {
    calm(served, Duration::from_secs(3)).await?;
    let (alone_p50, alone_p99, _) = calm(served, FOR).await?;
    let is_over = AtomicBool::new(false);
    let asked = AtomicU64::new(0);
    let flood = futures::future::try_join_all((0..FLOOD).map(|asker| flood(served, asker * 1_000_000, &is_over, &asked)));
    let beside = async {
        let found = calm(served, FOR).await;
        is_over.store(true, Ordering::Relaxed);
        found
    };
    let (_, beside) = tokio::join!(flood, beside);
    let (p50, p99, calm_asked) = beside?;
    let text = format!(
        "alone p50 {alone_p50:.1} ms, p99 {alone_p99:.1} ms; beside {} questions to {calm_asked} of its own p50 {p50:.1} ms, p99 {p99:.1} ms; ratio {:.2}",
        asked.load(Ordering::Relaxed),
        p99 / alone_p99
    );
    report.add("a tenant beside another with 100 askers", text, "p99 ≤ 2×");
    Ok(())
}

/// Asks one question after another: p50, p99 and how many.
async fn calm(served: &Served, span: Duration) -> Result<(f64, f64, usize)> {
    let key = neighbour_key(CALM_SITE);
    let (started, mut walls) = (Instant::now(), Vec::new());
    while started.elapsed() < span {
        let asked = question(CALM_SITE, walls.len());
        let began = Instant::now();
        served.ask_as(&key, &asked).await?;
        walls.push(began.elapsed().as_secs_f64() * 1e3);
        tokio::time::sleep(PAUSE).await;
    }
    let count = walls.len();
    Ok((percentile(&mut walls, 0.5), percentile(&mut walls, 0.99), count))
}

/// Asks without a pause until it is over. Refusals are part of it.
async fn flood(served: &Served, begin: usize, is_over: &AtomicBool, asked: &AtomicU64) -> Result<()> {
    let key = neighbour_key(FLOODING_SITE);
    let mut number = begin;
    while !is_over.load(Ordering::Relaxed) {
        number += 1;
        let _refused = served.ask_as(&key, &question(FLOODING_SITE, number)).await;
        asked.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

/// A question of thirty days that was not asked before.
fn question(site_id: u32, number: usize) -> serde_json::Value {
    let span = SPANS[1];
    let set = set::questions(span);
    let limit = 10 + (number / set.len()) as u64 % 5_000;
    set.get(number % set.len()).map_or(serde_json::Value::Null, |question| request(question, site_id, span, limit))
}
