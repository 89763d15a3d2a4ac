//! A realistic mix: many dashboards of all sites at once, large ones looked at more often; once with answers that no cache has, once with such that one may have.

use super::request;
use super::served::Served;
use super::set::{self, Question, SPANS};
use super::traffic::{Random, SITES};
use crate::report::{Report, grouped, percentile};
use anyhow::Result;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Questions under way at once.
const ASKERS: u64 = 16;
const FOR: Duration = Duration::from_secs(15);
/// Seconds at the start that do not count: parts are attached.
const WARM_FOR: Duration = Duration::from_secs(3);
/// Dashboards among which the repeated questions are.
const REPEATED: u64 = 300;

pub(crate) async fn measure(served: &Served, report: &mut Report) -> Result<()> {
    load(served, WARM_FOR, None).await?;
    let uncached = load(served, FOR, None).await?;
    report.add("mix over 999 sites, every question new", uncached.text(), "≥ 600 queries/s, p99 ≤ 100 ms");
    let cached = load(served, FOR, Some(REPEATED)).await?;
    report.add("mix over 999 sites, questions repeat", cached.text(), "≥ 5,000 queries/s");
    Ok(())
}

struct Load {
    walls: Vec<f64>,
    seconds: f64,
    cpu_ms: f64,
}

impl Load {
    fn text(mut self) -> String {
        let count = self.walls.len() as f64;
        format!(
            "{} queries/s beside the load generator; {} queries/s for two cores by the service's CPU ({:.2} ms each); p50 {:.1} ms, p99 {:.1} ms",
            grouped(count / self.seconds),
            grouped(2_000.0 * count / self.cpu_ms),
            self.cpu_ms / count,
            percentile(&mut self.walls, 0.5),
            percentile(&mut self.walls, 0.99)
        )
    }
}

/// Asks for a while. With `repeated`, only so many different questions.
async fn load(served: &Served, span: Duration, repeated: Option<u64>) -> Result<Load> {
    let sets: Arc<Vec<Vec<Question>>> = Arc::new(SPANS.map(set::questions).into());
    let number = AtomicU64::new(0);
    let (started, before) = (Instant::now(), served.cpu_ms()?);
    let mut walls = Vec::new();
    let asking = (0..ASKERS).map(|_| async {
        let mut walls = Vec::new();
        while started.elapsed() < span {
            let number = number.fetch_add(1, Ordering::Relaxed);
            let asked = question(&sets, repeated.map_or(number, |repeated| number % repeated), repeated.is_none());
            let began = Instant::now();
            served.ask(&asked).await?;
            walls.push(began.elapsed().as_secs_f64() * 1e3);
        }
        anyhow::Ok(walls)
    });
    for found in futures::future::try_join_all(asking).await? {
        walls.extend(found);
    }
    Ok(Load { walls, seconds: started.elapsed().as_secs_f64(), cpu_ms: served.cpu_ms()? - before })
}

/// The n-th question: mostly of thirty days, of a site by the square root of its size.
fn question(sets: &[Vec<Question>], number: u64, is_new: bool) -> serde_json::Value {
    let mut random = Random::new(number);
    let span = random.pick(&[(0_usize, 25), (1, 65), (2, 10)]);
    let share = random.share();
    let site_id = 1 + (share * share * f64::from(SITES)) as u32;
    let set = sets.get(span).map(Vec::as_slice).unwrap_or_default();
    let index = random.below(set.len() as u64) as usize;
    let limit = if is_new { 10 + number % 1_000 } else { 10 };
    match (set.get(index), SPANS.get(span)) {
        (Some(question), Some(span)) => request(question, site_id.min(SITES), *span, limit),
        _ => serde_json::Value::Null,
    }
}
