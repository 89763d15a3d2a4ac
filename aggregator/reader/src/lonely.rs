//! Leaving a server that is cut off from the others: it keeps its clients' connections and can do nothing for them.

use async_nats::Client;
use async_nats::connection::State;
use serde::Deserialize;
use std::time::Duration;

/// Pause between questions, and how long an answer may take.
const ASK_EVERY: Duration = Duration::from_secs(2);
/// Questions in a row without an answer after which the next server is tried: longer than an election takes.
const UNANSWERED_MAX: u32 = 4;

/// An answer of JetStream; whoever cannot find a leader answers with an error.
#[derive(Deserialize)]
struct Answer {
    error: Option<serde::de::IgnoredAny>,
}

/// Asks now and then whether JetStream can be reached through the server, for ever, and goes to another one when it cannot.
pub(crate) async fn leave_lonely_server(client: Client) {
    let mut unanswered = 0;
    loop {
        tokio::time::sleep(ASK_EVERY).await;
        // While there is no connection the client tries one server after the other itself.
        if client.connection_state() != State::Connected || is_answered(&client).await {
            unanswered = 0;
            continue;
        }
        unanswered += 1;
        if unanswered < UNANSWERED_MAX {
            continue;
        }
        unanswered = 0;
        tracing::warn!("JetStream cannot be reached through this server: trying another one");
        if let Err(error) = client.force_reconnect().await {
            tracing::debug!(%error, "the connection is ending anyway");
        }
    }
}

async fn is_answered(client: &Client) -> bool {
    let asked = tokio::time::timeout(ASK_EVERY, client.request("$JS.API.INFO", bytes::Bytes::new()));
    matches!(asked.await, Ok(Ok(message)) if is_good(&message.payload))
}

fn is_good(payload: &[u8]) -> bool {
    serde_json::from_slice::<Answer>(payload).is_ok_and(|answer| answer.error.is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_without_a_leader_is_none() {
        assert!(is_good(br#"{"type":"io.nats.jetstream.api.v1.account_info_response","memory":0,"storage":0}"#));
        assert!(!is_good(br#"{"error":{"code":503,"err_code":10008,"description":"JetStream system temporarily unavailable"}}"#));
        assert!(!is_good(b""));
    }
}
