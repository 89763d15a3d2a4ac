//! `weir flush`: everything received before now is in sealed files when it returns.

use crate::backlog::{self, Backlog};
use crate::output::Output;
use crate::session::{Session, http_client, now_ms};
use anyhow::{Context as _, Result, bail};
use async_nats::client::RequestErrorKind;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tokio::time::Instant;
use weir_event::subject::flush_subject;
use weir_reader::stream;

/// Pause between questions.
const ASK_EVERY: Duration = Duration::from_millis(50);

/// The aggregator may answer a request for two minutes: one that takes longer is asked again.
const ANSWER_WITHIN: Duration = Duration::from_secs(100);

/// The aggregator's answer.
#[derive(Debug, Deserialize)]
struct Answer {
    sealed_seq: Option<u64>,
    error: Option<String>,
}

/// What became of a partition.
#[derive(Debug, Serialize)]
struct Outcome {
    region: String,
    partition: u32,
    through_seq: u64,
    sealed_seq: u64,
}

/// Waits for every edge to send what it holds, then has every partition sealed through its end.
pub(crate) async fn run(session: &Session, timeout: Duration, output: Output) -> Result<()> {
    let asked_ms = now_ms();
    let deadline = Instant::now() + timeout;
    let (client, edges) = (http_client()?, session.run.edges());
    futures::future::try_join_all(edges.iter().map(|(_, url)| wait_for_edge(session, &client, url, asked_ms, deadline))).await?;
    let partitions: Vec<u32> = (0..session.run.partitions).collect();
    let sealed = futures::future::try_join_all(partitions.iter().map(|partition| seal(session, *partition, deadline))).await?;
    let lines: Vec<String> = sealed
        .iter()
        .map(|one| format!("partition {}.{}: sealed through {}", one.region, one.partition, one.sealed_seq))
        .collect();
    output.result(&serde_json::json!({ "partitions": sealed }), &lines.join("\n"))
}

async fn wait_for_edge(session: &Session, client: &reqwest::Client, url: &str, asked_ms: u64, deadline: Instant) -> Result<()> {
    loop {
        let said = match backlog::of(client, url, &session.secrets.edge_token).await {
            Ok(backlog) if is_sent(&backlog, asked_ms) => return Ok(()),
            Ok(backlog) => format!("it still holds {} events", backlog.unsent_events),
            Err(error) => format!("{error:#}"),
        };
        if Instant::now() > deadline {
            bail!("the edge {url} did not send what it received ({said}): look at `weir doctor`, then try again");
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}

/// Whether nothing received up to that moment is left. An edge that cannot name its oldest event may hold anything.
fn is_sent(backlog: &Backlog, asked_ms: u64) -> bool {
    backlog.unsent_events == 0 || backlog.oldest_unsent_ms.is_some_and(|oldest_ms| oldest_ms > asked_ms)
}

async fn seal(session: &Session, partition: u32, deadline: Instant) -> Result<Outcome> {
    let region = &session.run.region;
    let through_seq = stream::state(&session.jetstream, region, partition).await?.last_seq;
    let subject = flush_subject(region, partition);
    let payload = serde_json::json!({ "through_seq": through_seq }).to_string();
    let mut said = "no answer".to_owned();
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            bail!(
                "partition {region}.{partition} was not sealed through {through_seq} in time ({said}): look at `weir status` and the aggregator's log"
            );
        }
        let request = async_nats::Request::new().payload(payload.clone().into()).timeout(Some(left.min(ANSWER_WITHIN)));
        match session.client.send_request(subject.clone(), request).await {
            Ok(message) => {
                match serde_json::from_slice(&message.payload).context("the aggregator's answer is not what it should be")? {
                    Answer { sealed_seq: Some(sealed_seq), .. } if sealed_seq >= through_seq => {
                        return Ok(Outcome { region: region.clone(), partition, through_seq, sealed_seq });
                    }
                    Answer { error: Some(error), .. } => said = error,
                    Answer { sealed_seq, .. } => said = format!("sealed only through {}", sealed_seq.unwrap_or_default()),
                }
            }
            // The aggregator is being started again.
            Err(error) if error.kind() == RequestErrorKind::NoResponders => "no aggregator listens".clone_into(&mut said),
            Err(error) => said = error.to_string(),
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_later_need_not_be_sent() {
        let check = |unsent_events, oldest_unsent_ms, expected| {
            let backlog = Backlog { unsent_events, oldest_unsent_ms };
            assert_eq!(is_sent(&backlog, 1000), expected, "{backlog:?}");
        };
        check(0, None, true);
        check(3, Some(999), false);
        check(3, Some(1000), false);
        check(3, Some(1001), true);
        check(3, None, false);
    }
}
