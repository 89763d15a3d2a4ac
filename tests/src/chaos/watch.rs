//! Watching: how fresh answers are, who is fit for work, who leads, twice a second and more during the whole run.

use super::elections;
use super::load::now_ms;
use super::region::Region;
use serde_json::json;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Pause between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Longest time for one answer.
const ANSWER_WITHIN: Duration = Duration::from_millis(1_500);
/// Answers that are complete up to so recently are fresh.
pub const FRESH_WITHIN_MS: u64 = 5_000;

/// What was seen at one moment.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    /// When, milliseconds of the run.
    pub at_ms: u64,
    /// When, Unix milliseconds.
    pub now_ms: u64,
    /// Machines that are not fit for work.
    pub ill: Vec<String>,
    /// Streams of events have a leader.
    pub is_led: bool,
    /// Replicas that are behind.
    pub behind: usize,
    /// Up to when an answer through the front was complete, Unix milliseconds; `None` = no answer.
    pub watermark_ms: Option<u64>,
}

impl Sample {
    /// Everything is as it should be.
    pub fn is_well(&self) -> bool {
        let is_fresh = self.watermark_ms.is_some_and(|watermark_ms| watermark_ms + FRESH_WITHIN_MS > self.now_ms);
        self.ill.is_empty() && self.is_led && self.behind == 0 && is_fresh
    }

    /// What is not.
    pub fn complaint(&self) -> String {
        let behind_ms = self.watermark_ms.map(|watermark_ms| self.now_ms.saturating_sub(watermark_ms));
        format!("ill: {:?}, led: {}, replicas behind: {}, answers old by {behind_ms:?} ms", self.ill, self.is_led, self.behind)
    }
}

/// Samples so far.
pub type Samples = Arc<Mutex<Vec<Sample>>>;

/// Looks until it is cancelled.
pub async fn watch(region: &Region, site: &str, admin_key: &str, began: Instant, samples: &Samples, ended: &CancellationToken) {
    let Ok(client) = reqwest::Client::builder().timeout(ANSWER_WITHIN).no_proxy().build() else { return };
    while ended.run_until_cancelled(tokio::time::sleep(LOOK_EVERY)).await.is_some() {
        let at_ms = began.elapsed().as_millis() as u64;
        let now_ms = now_ms();
        let health = region.machines.iter().map(|machine| async {
            let is_fit = match Region::health_url(machine) {
                None => machine.pid().is_some(),
                Some(url) => client.get(url).send().await.is_ok_and(|answer| answer.status() == 200),
            };
            (!is_fit).then(|| machine.name.clone())
        });
        let (health, leadership, watermark_ms) = tokio::join!(
            futures::future::join_all(health),
            elections::look(region, &client),
            watermark(region, &client, site, admin_key)
        );
        let sample = Sample {
            at_ms,
            now_ms,
            ill: health.into_iter().flatten().collect(),
            is_led: leadership.leaderless == 0,
            behind: leadership.behind,
            watermark_ms,
        };
        samples.lock().unwrap_or_else(PoisonError::into_inner).push(sample);
    }
}

/// Up to when an answer is complete.
async fn watermark(region: &Region, client: &reqwest::Client, site: &str, admin_key: &str) -> Option<u64> {
    let question = json!({"site_id": site, "metrics": ["pageviews"], "date_range": "day"});
    let request = client.post(format!("{}/api/v2/query", region.query_url())).bearer_auth(admin_key).json(&question);
    let answer: serde_json::Value = request.send().await.ok()?.error_for_status().ok()?.json().await.ok()?;
    let text = answer["meta"]["complete_through"].as_object()?.values().next()?.as_str()?;
    let moment = chrono::DateTime::parse_from_rfc3339(text).ok()?;
    u64::try_from(moment.timestamp_millis()).ok()
}

/// Longest time in which nobody saw the watermark move on, milliseconds of the run: beginning and length.
pub fn longest_stand(samples: &[Sample]) -> (u64, u64) {
    let mut longest = (0, 0);
    let (mut highest, mut moved_at_ms) = (0, samples.first().map_or(0, |sample| sample.at_ms));
    for sample in samples {
        if sample.at_ms - moved_at_ms > longest.1 {
            longest = (moved_at_ms, sample.at_ms - moved_at_ms);
        }
        if let Some(watermark_ms) = sample.watermark_ms.filter(|watermark_ms| *watermark_ms > highest) {
            (highest, moved_at_ms) = (watermark_ms, sample.at_ms);
        }
    }
    longest
}

/// How long after a moment everything was well, milliseconds, and stayed so at the next look; `None` = never, or not before `until_ms`.
pub fn recovery(samples: &[Sample], after_ms: u64, until_ms: u64) -> Option<u64> {
    let later: Vec<&Sample> = samples.iter().filter(|sample| sample.at_ms >= after_ms && sample.at_ms < until_ms).collect();
    let well = later.windows(2).find(|pair| pair.iter().all(|sample| sample.is_well()))?;
    well.first().map(|sample| sample.at_ms - after_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(at_ms: u64, watermark_ms: Option<u64>, ill: &[&str]) -> Sample {
        let ill = ill.iter().map(|name| (*name).to_owned()).collect();
        Sample { at_ms, now_ms: 100_000 + at_ms, ill, is_led: true, behind: 0, watermark_ms }
    }

    #[test]
    fn standing_still_is_not_moving_on_or_not_answering() {
        let samples = [
            sample(0, Some(5), &[]),
            sample(100, Some(6), &[]),
            sample(200, Some(6), &[]),
            sample(300, None, &[]),
            // A node that is behind the other one.
            sample(400, Some(4), &[]),
            sample(500, Some(7), &[]),
            sample(600, Some(8), &[]),
        ];
        assert_eq!(longest_stand(&samples), (100, 400));
        assert_eq!(longest_stand(&[]), (0, 0));
    }

    #[test]
    fn recovered_is_well_twice() {
        let fresh = Some(100_000);
        let samples = [
            sample(0, fresh, &[]),
            sample(100, fresh, &["edge-0"]),
            sample(200, fresh, &[]),
            sample(300, None, &[]),
            sample(400, fresh, &[]),
            sample(500, fresh, &[]),
        ];
        assert_eq!(recovery(&samples, 50, 1_000), Some(350));
        assert_eq!(recovery(&samples, 50, 450), None);
        assert_eq!(recovery(&[sample(9_000, fresh, &[]), sample(9_100, fresh, &[])], 0, 10_000), None);
    }
}
