//! Visitors of this moment: each walks through the shop at his own pace.

use super::chance::Chance;
use super::rhythm::Calendar;
use super::visit::{Happening, visit};
use crate::session::{Session, http_client, now_ms};
use anyhow::{Result, anyhow};
use std::collections::VecDeque;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// A visit begins so often, milliseconds, on average. More often than in the history: a page that is looked at should show life.
const VISIT_EVERY_MS: u64 = 6_000;
/// How far ahead visitors are when the demo begins, so that some are there at once.
const AHEAD_MS: u64 = 90_000;

/// Sends what visitors do until the end. The edge being away for a while is no reason to stop.
pub(super) async fn send(session: &Session, ended: &CancellationToken) -> Result<()> {
    let seed = getrandom::u64().map_err(|error| anyhow!("the system gives no random bytes: {error}"))?;
    let (mut chance, client) = (Chance::seeded(seed), http_client()?);
    let url = format!("{}/api/event", session.run.collector_url);
    let mut coming = VecDeque::new();
    let mut next_ms = now_ms().saturating_sub(AHEAD_MS);
    loop {
        let at_ms = now_ms();
        while next_ms <= at_ms {
            let calendar = Calendar { now_ms: at_ms };
            let way = calendar.way(at_ms, &mut chance);
            enter(&mut coming, visit(&mut chance, next_ms, way, calendar.mood(at_ms)));
            next_ms += chance.span_ms(VISIT_EVERY_MS).max(1);
        }
        while let Some(one) = coming.pop_front_if(|one: &mut Happening| one.at_ms <= at_ms) {
            if let Err(error) = post(&client, &url, &one).await {
                tracing::warn!(%error, "an event of the demo's shop was not taken");
            }
        }
        let soonest_ms = coming.front().map_or(next_ms, |one| one.at_ms.min(next_ms));
        let pause = Duration::from_millis(soonest_ms.saturating_sub(now_ms()).max(20));
        if ended.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
            return Ok(());
        }
    }
}

/// Puts what will happen to what will happen anyway, in the order of time.
fn enter(coming: &mut VecDeque<Happening>, visit: Vec<Happening>) {
    coming.extend(visit);
    coming.make_contiguous().sort_by_key(|one| one.at_ms);
}

async fn post(client: &reqwest::Client, url: &str, one: &Happening) -> Result<()> {
    let person = &one.person;
    client
        .post(url)
        .header("user-agent", person.user_agent)
        // The edge listens on this machine only and believes what a proxy on it says.
        .header("x-forwarded-for", &person.address)
        .header("cf-ipcountry", person.country)
        .header("cf-region-code", person.region)
        .header("cf-ipcity", reqwest::header::HeaderValue::from_bytes(person.city.as_bytes())?)
        .json(&one.event)
        .send()
        .await?
        .error_for_status()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::people::Way;
    use super::super::visit::Mood;
    use super::*;

    #[test]
    fn visits_are_woven_into_each_other() {
        let (mut chance, mut coming) = (Chance::seeded(3), VecDeque::new());
        for start_ms in [50_000, 10_000, 30_000] {
            let way = Way::any(&mut chance);
            enter(&mut coming, visit(&mut chance, start_ms, way, Mood { has_new_checkout: true }));
        }
        let times: Vec<u64> = coming.iter().map(|one| one.at_ms).collect();
        assert!(times.len() >= 6 && times.is_sorted(), "{times:?}");
        assert_eq!(times.first(), Some(&10_000));
    }
}
