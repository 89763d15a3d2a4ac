//! How a partition's stream stands with its servers: size, limit, copies.

use crate::error::ReaderError;
use async_nats::jetstream::Context;
use async_nats::jetstream::response::Response;
use async_nats::jetstream::stream::ClusterInfo;
use serde::Deserialize;
use weir_event::subject;

/// How a stream stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Last sequence it ever gave, 0 = none yet.
    pub last_seq: u64,
    /// Messages it has.
    pub messages: u64,
    /// Their size, bytes.
    pub bytes: u64,
    /// Past this size it refuses, bytes; 0 = never.
    pub bytes_max: u64,
    /// Copies it should have.
    pub copies_wanted: u64,
    /// Copies that are up to date, the leader's included.
    pub copies_current: u64,
    /// Operations that the copy that is furthest behind lacks.
    pub copies_lag: u64,
}

#[derive(Deserialize)]
struct Info {
    config: Wanted,
    state: State,
    #[serde(default)]
    cluster: Option<ClusterInfo>,
}

#[derive(Deserialize)]
struct Wanted {
    max_bytes: i64,
    num_replicas: u64,
}

#[derive(Deserialize)]
struct State {
    last_seq: u64,
    messages: u64,
    bytes: u64,
}

/// Asks the leader of a partition's stream how it stands.
///
/// # Errors
/// When nobody answers: NATS is away, or the stream has no leader.
pub async fn standing(jetstream: &Context, region: &str, partition: u32) -> Result<Standing, ReaderError> {
    let stream = subject::events_stream(region, partition);
    match jetstream.request(format!("STREAM.INFO.{stream}"), &()).await {
        Ok(Response::Ok(info)) => Ok(read(&info)),
        Ok(Response::Err { error }) => Err(ReaderError::request("stream information", error)),
        Err(error) => Err(ReaderError::request("stream information", error)),
    }
}

fn read(info: &Info) -> Standing {
    let replicas = info.cluster.as_ref().map_or(&[][..], |cluster| &cluster.replicas);
    let current = replicas.iter().filter(|replica| replica.current && !replica.offline).count() as u64;
    Standing {
        last_seq: info.state.last_seq,
        messages: info.state.messages,
        bytes: info.state.bytes,
        bytes_max: u64::try_from(info.config.max_bytes).unwrap_or(0),
        copies_wanted: info.config.num_replicas,
        // Who answers is the leader.
        copies_current: current + 1,
        copies_lag: replicas.iter().filter_map(|replica| replica.lag).max().unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn told(cluster: &Value, max_bytes: i64, num_replicas: u64) -> Standing {
        let info = json!({
            "config": {"name": "EVENTS_local_0", "max_bytes": max_bytes, "num_replicas": num_replicas},
            "state": {"messages": 3, "bytes": 900, "first_seq": 5, "last_seq": 7},
            "cluster": cluster,
        });
        read(&serde_json::from_value(info).unwrap())
    }

    #[test]
    fn a_single_server_has_the_only_copy() {
        let expected =
            Standing { last_seq: 7, messages: 3, bytes: 900, bytes_max: 0, copies_wanted: 1, copies_current: 1, copies_lag: 0 };
        assert_eq!(told(&json!({"leader": "a"}), -1, 1), expected);
        assert_eq!(told(&Value::Null, -1, 1), expected);
    }

    #[test]
    fn copies_that_are_away_or_behind_do_not_count() {
        let replica = |name: &str, current: bool, offline: bool, lag: u64| json!({"name": name, "current": current, "offline": offline, "active": 1, "lag": lag});
        let three = |b: Value, c: Value| told(&json!({"name": "eu", "leader": "a", "replicas": [b, c]}), 4096, 3);
        let whole = three(replica("b", true, false, 0), replica("c", true, false, 0));
        assert_eq!((whole.copies_wanted, whole.copies_current, whole.copies_lag, whole.bytes_max), (3, 3, 0, 4096));
        let away = three(replica("b", true, true, 0), replica("c", false, false, 12));
        assert_eq!((away.copies_current, away.copies_lag), (1, 12));
    }
}
