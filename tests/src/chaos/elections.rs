//! Who leads the streams, asked of every server several times a second: a time in which a stream has no leader is an election.

use super::machine::Role;
use super::region::{PARTITIONS, REGION, Region};
use anyhow::Result;
use serde_json::Value;
use std::collections::BTreeSet;
use weir_event::subject::events_stream;

/// What the servers said at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leadership {
    /// Streams of events that no reachable server leads.
    pub leaderless: usize,
    /// Replicas of anything that are behind or away, as their leaders see it.
    pub behind: usize,
}

/// Asks every server.
pub async fn look(region: &Region, client: &reqwest::Client) -> Leadership {
    let servers = region.of(Role::Nats).map(|machine| {
        let url = format!("{}/jsz?accounts=true&streams=true", Region::monitor_url(machine));
        async move { ask(client, &url).await }
    });
    let said: Vec<Value> = futures::future::join_all(servers).await.into_iter().filter_map(Result::ok).collect();
    leadership(&said)
}

async fn ask(client: &reqwest::Client, url: &str) -> Result<Value> {
    Ok(client.get(url).send().await?.error_for_status()?.json().await?)
}

/// Reads what the servers said: pure.
fn leadership(said: &[Value]) -> Leadership {
    let mut led = BTreeSet::new();
    let mut behind = 0;
    for server in said {
        let accounts = server["account_details"].as_array().into_iter().flatten();
        for stream in accounts.flat_map(|account| account["stream_detail"].as_array().into_iter().flatten()) {
            let cluster = &stream["cluster"];
            // A leader alone lists the others as its replicas' states; its own name is the one that leads.
            let (Some(name), Some(leader)) = (stream["name"].as_str(), cluster["leader"].as_str()) else { continue };
            let replicas: Vec<&Value> = cluster["replicas"].as_array().into_iter().flatten().collect();
            let leads = replicas.iter().all(|replica| replica["name"].as_str() != Some(leader));
            if leads {
                led.insert(name.to_owned());
                behind += replicas.iter().filter(|replica| replica["current"] != true || replica["offline"] == true).count();
            }
        }
    }
    let leaderless = (0..PARTITIONS).filter(|partition| !led.contains(&events_stream(REGION, *partition))).count();
    Leadership { leaderless, behind }
}

/// Stretches of time without a leader, milliseconds, from moments at which one looked.
pub fn windows(samples: &[(u64, bool)]) -> Vec<(u64, u64)> {
    let mut windows: Vec<(u64, u64)> = Vec::new();
    for (index, (at_ms, is_led)) in samples.iter().enumerate() {
        if *is_led {
            continue;
        }
        // It began after the look before and ended before the one after.
        let before = index.checked_sub(1).and_then(|index| samples.get(index)).map_or(*at_ms, |sample| sample.0);
        let after = samples.get(index + 1).map_or(*at_ms, |sample| sample.0);
        match windows.last_mut() {
            Some(last) if last.1 >= before => last.1 = after,
            _ => windows.push((before, after)),
        }
    }
    windows
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn times_without_a_leader_are_joined() {
        let samples = [(0, true), (10, true), (20, false), (30, false), (40, true), (50, true), (60, false)];
        assert_eq!(windows(&samples), [(10, 40), (50, 60)]);
        assert_eq!(windows(&[(5, false), (6, true)]), [(5, 6)]);
        assert_eq!(windows(&[]), []);
    }

    #[test]
    fn the_leaders_own_word_counts() {
        let stream = |name: &str, leader: &str, replicas: &[&str]| {
            let replicas: Vec<Value> =
                replicas.iter().map(|name| json!({"name": name, "current": *name != "late", "offline": false})).collect();
            json!({"account_details": [{"stream_detail": [{"name": name, "cluster": {"leader": leader, "replicas": replicas}}]}]})
        };
        let first = events_stream(REGION, 0);
        // What a follower says of its leader may be of before.
        let follower = stream(&first, "a", &["a", "late"]);
        assert_eq!(leadership(std::slice::from_ref(&follower)), Leadership { leaderless: PARTITIONS as usize, behind: 0 });
        let leader = stream(&first, "a", &["b", "late"]);
        assert_eq!(leadership(&[follower, leader]), Leadership { leaderless: PARTITIONS as usize - 1, behind: 1 });
    }
}
