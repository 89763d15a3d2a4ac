//! Replays as a query node sees them: rules that the manifest names, promotions and rollbacks under load, earlier revisions, shadows.

use crate::region::{ADMIN_KEY, KEY, PATIENCE, Region, Service, batch, event, other_rules, rules_with};
use serde_json::{Value, json};
use weir_reader::replays::Phase;

/// Visits by channel: `Direct` under the program's own rules, `Elsewhere` under others.
fn channels() -> Value {
    json!({"site_id": "a.example", "metrics": ["visits"], "date_range": "all", "dimensions": ["visit:channel"]})
}

/// Channels and their visits, by name.
fn visits(answer: &Value) -> Vec<(String, i64)> {
    let visits = |row: &Value| (row["dimensions"][0].as_str().unwrap().to_owned(), row["metrics"][0].as_i64().unwrap());
    let mut visits: Vec<_> = answer["results"].as_array().unwrap().iter().map(visits).collect();
    visits.sort();
    visits
}

/// Waits for these visits, and nothing else.
async fn until(service: &Service, expected: &[(&str, i64)]) {
    let expected: Vec<_> = expected.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
    service
        .until(|service| {
            let expected = expected.clone();
            async move { (visits(&service.query(&channels()).await) == expected).then_some(()) }
        })
        .await;
}

/// A batch of new visitors.
fn visitors(number: u64, count: u64) -> weir_event::model::EventBatch {
    batch(1, number, (0..count).map(|index| event(number * 100 + index, "/")).collect())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rules_that_the_manifest_names_are_followed() {
    let mut region = Region::start().await;
    region.publish(&visitors(1, 1)).await;
    region.seal().await;
    let service = region.serve(|_| {});
    service.healthy().await;
    region.publish(&visitors(2, 1)).await;
    until(&service, &[("Direct", 2)]).await;
    // What is sealed now and comes later is made with other rules.
    let other = other_rules();
    region.store_rules(&other).await;
    region.use_rules(other);
    region.seal().await;
    region.publish(&visitors(3, 1)).await;
    until(&service, &[("Direct", 1), ("Elsewhere", 2)]).await;
    let status = service.status().await;
    assert_eq!((&status["alarms"], &status["logic"]), (&json!([]), &json!(region.logic())));
    assert_eq!(status["promotion"], Value::Null);
    service.stop().await;
    // A node that starts later has them too; so has one that comes before the first commit.
    let mut empty = Region::start().await;
    let early = empty.serve(|_| {});
    early.healthy().await;
    empty.publish(&visitors(1, 1)).await;
    until(&early, &[("Direct", 1)]).await;
    empty.store_rules(&other_rules()).await;
    empty.use_rules(other_rules());
    empty.seal().await;
    empty.publish(&visitors(2, 1)).await;
    until(&early, &[("Elsewhere", 2)]).await;
    early.stop().await;
    let late = region.serve(|_| {});
    late.healthy().await;
    until(&late, &[("Direct", 1), ("Elsewhere", 2)]).await;
    late.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn missing_rules_are_waited_for() {
    let mut region = Region::start().await;
    region.use_rules(other_rules());
    region.publish(&visitors(1, 1)).await;
    region.seal().await;
    region.publish(&visitors(2, 1)).await;
    let service = region.serve(|_| {});
    service.healthy().await;
    let answer = service.query(&channels()).await;
    assert_eq!(visits(&answer), [("Elsewhere".to_owned(), 1)], "what is sealed is served");
    let alarm = service.status().await["alarms"][0].as_str().unwrap().to_owned();
    assert!(alarm.contains(&format!("the rules of logic {} cannot be read", region.logic())), "{alarm}");
    assert_eq!(service.query(&channels()).await["meta"]["watermark"], answer["meta"]["watermark"], "the watermark stands");
    region.store_rules(&other_rules()).await;
    until(&service, &[("Elsewhere", 2)]).await;
    assert_eq!(service.status().await["alarms"], json!([]));
    // The same for a node that follows already.
    region.use_rules(rules_with("Nowhere"));
    region.seal().await;
    region.publish(&visitors(3, 1)).await;
    service.until(|service| async move { service.status().await["alarms"][0].as_str().map(|_| ()) }).await;
    until(&service, &[("Elsewhere", 1), ("Nowhere", 1)]).await;
    region.store_rules(&rules_with("Nowhere")).await;
    until(&service, &[("Elsewhere", 1), ("Nowhere", 2)]).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promotion_and_rollback_show_one_history_at_a_time() {
    let mut region = Region::start().await;
    region.store_rules(&other_rules()).await;
    for number in 1..=20 {
        region.publish(&visitors(number, 2)).await;
    }
    region.seal().await;
    let service = region.serve(|_| {});
    service.healthy().await;
    until(&service, &[("Direct", 40)]).await;
    let asking = {
        let service = service.clone();
        tokio::spawn(async move {
            let mut seen: Vec<(u64, Vec<(String, i64)>)> = Vec::new();
            while seen.last().is_none_or(|(_, visits)| visits.iter().map(|(_, count)| count).sum::<i64>() < 200) {
                let answer = service.query(&channels()).await;
                seen.push((answer["meta"]["revision"].as_u64().unwrap(), visits(&answer)));
            }
            seen
        })
    };
    let mut number = 20;
    for _ in 0..4 {
        for step in 0..20 {
            number += 1;
            region.publish(&visitors(number, 1)).await;
            if step % 10 == 9 {
                // Messages that are not sealed are folded again under the other rules.
                let visits = 40 + (number as i64 - 20);
                let former = region.promote(other_rules()).await;
                until(&service, &[("Elsewhere", visits)]).await;
                let status = service.status().await;
                let (sealed_seq, revision) = (&status["sealed_seq"], region.revision());
                let promotion = json!({"kind": "promote", "replay_id": "ab", "at": "2023-11-14T22:13:20.000Z", "revision": revision,
                    "from_seq": 1, "through_seq": sealed_seq, "rollback_offered": true});
                assert_eq!((&status["promotion"], &status["alarms"]), (&promotion, &json!([])));
                region.roll_back(former).await;
                if step == 19 {
                    until(&service, &[("Direct", visits)]).await;
                    assert_eq!(service.status().await["promotion"]["kind"], "rollback");
                }
            }
        }
        region.seal().await;
        region.merge().await;
    }
    region.publish(&visitors(number + 1, 80)).await;
    let seen = tokio::time::timeout(PATIENCE, asking).await.unwrap().unwrap();
    for (revision, visits) in &seen {
        assert_eq!(visits.len(), 1, "histories are mixed at revision {revision}: {visits:?}");
    }
    assert!(seen.is_sorted_by_key(|(revision, _)| *revision), "the revision never goes back: {seen:?}");
    assert!(seen.is_sorted_by_key(|(_, visits)| visits[0].1), "nothing is lost meanwhile: {seen:?}");
    for channel in ["Direct", "Elsewhere"] {
        assert!(seen.iter().any(|(_, visits)| visits[0].0 == channel), "{channel}");
    }
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_live_end_is_folded_again_as_far_as_it_was_shown() {
    let mut region = Region::start().await;
    region.store_rules(&other_rules()).await;
    region.publish(&visitors(1, 1)).await;
    region.seal().await;
    let service = region.serve(|config| config.tail_rows_max = 10);
    service.healthy().await;
    for number in 2..=9 {
        region.publish(&visitors(number, 5)).await;
    }
    let held = service
        .until(|service| async move {
            let status = service.status().await;
            status["alarms"][0].as_str().filter(|alarm| alarm.contains("larger than its limit"))?;
            status["folded_seq"].as_u64()
        })
        .await;
    region.promote(other_rules()).await;
    let revision = region.revision();
    let folded = service.until(|service| async move {
        let status = service.status().await;
        (status["revision"] == revision).then(|| status["folded_seq"].as_u64()).flatten()
    });
    assert!(folded.await >= held);
    region.seal().await;
    until(&service, &[("Elsewhere", 41)]).await;
    service.stop().await;
}

/// Visits at a revision.
async fn at(service: &Service, key: &str, rev: &str) -> (u16, Value) {
    service.ask_at(key, &channels(), &format!("?rev={rev}")).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_earlier_revision_answers_as_it_did() {
    let mut region = Region::start().await;
    region.store_rules(&other_rules()).await;
    region.publish(&visitors(1, 3)).await;
    region.seal().await;
    let service = region.serve(|_| {});
    service.healthy().await;
    region.publish(&visitors(2, 1)).await;
    until(&service, &[("Direct", 4)]).await;
    let (status, first) = at(&service, KEY, "1").await;
    assert_eq!((status, visits(&first)), (200, vec![("Direct".to_owned(), 3)]), "{first}");
    assert_eq!((&first["meta"]["revision"], &first["meta"].get("shadow")), (&json!(1), &None));
    region.lose_a_commit().await;
    region.promote(other_rules()).await;
    // At once, whether the node has seen the commit or not.
    let (status, second) = at(&service, KEY, "2").await;
    assert_eq!((status, visits(&second)), (200, vec![("Elsewhere".to_owned(), 3)]), "{second}");
    region.seal().await;
    region.merge().await;
    until(&service, &[("Elsewhere", 4)]).await;
    for (rev, expected) in [("1", &first), ("2", &second)] {
        let (_, found) = at(&service, KEY, rev).await;
        assert_eq!((&found["results"], &found["meta"]), (&expected["results"], &expected["meta"]));
    }
    let (_, third) = at(&service, KEY, "3").await;
    assert_eq!(visits(&third), [("Elsewhere".to_owned(), 4)]);
    let told = |revision: u64| json!({"error": format!("There is no revision {revision} yet."), "code": "no_revision_yet"});
    assert_eq!(at(&service, KEY, "9").await, (404, told(9)));
    // A node that knows no way yet, after a sweep: the promotion still names what it put away.
    service.stop().await;
    region.sweep_manifests(2).await;
    let service = region.serve(|_| {});
    service.healthy().await;
    for rev in [2, 1, 0, 2] {
        let text = format!("Revision {rev} is no longer kept. The oldest is 3.");
        assert_eq!(at(&service, KEY, &rev.to_string()).await, (404, json!({"error": text, "code": "no_revision"})));
    }
    assert_eq!(visits(&at(&service, KEY, "3").await.1), [("Elsewhere".to_owned(), 4)]);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_shadow_is_shown_to_admins() {
    let mut region = Region::start().await;
    region.publish(&visitors(1, 3)).await;
    region.seal().await;
    let service = region.serve(|_| {});
    service.healthy().await;
    let none = json!({"error": "There is no shadow: no replay is in progress.", "code": "no_shadow"});
    assert_eq!(at(&service, ADMIN_KEY, "shadow").await, (404, none.clone()));
    region.build_shadow(other_rules(), 0).await;
    region.publish(&visitors(2, 1)).await;
    until(&service, &[("Direct", 4)]).await;
    let (status, shadow) = at(&service, ADMIN_KEY, "shadow").await;
    assert_eq!((status, visits(&shadow)), (200, vec![("Elsewhere".to_owned(), 3)]), "{shadow}");
    assert_eq!((&shadow["meta"]["revision"], &shadow["meta"]["shadow"]), (&json!(1), &json!(true)));
    let (status, ledger) = service.get("/api/ledger?site_id=a.example&rev=shadow").await.unwrap();
    let ledger: Value = serde_json::from_str(&ledger).unwrap();
    assert_eq!((status, &ledger["balance"]["in_files"], &ledger["meta"]["shadow"]), (200, &json!(3), &json!(true)), "{ledger}");
    let (status, current) = service.get("/api/v1/stats/realtime/visitors?site_id=a.example&rev=shadow").await.unwrap();
    assert_eq!((status, current.as_str()), (200, "3"));
    let wrong = service.ask("nobody", &channels()).await;
    assert_eq!(at(&service, KEY, "shadow").await, wrong, "as a wrong key");
    for (phase, partition, error) in [
        (Phase::Promoting, 7, "The replay in progress has no shadow of this site's events."),
        (Phase::Promoted, 0, "There is no shadow: no replay is in progress."),
        (Phase::Discarded, 0, "There is no shadow: no replay is in progress."),
    ] {
        region.record(phase, partition).await;
        assert_eq!(
            at(&service, ADMIN_KEY, "shadow").await,
            (404, json!({"error": error, "code": if error.contains("no replay") { "no_shadow" } else { "not_in_shadow" }}))
        );
    }
    region.drop_replay_bucket().await;
    assert_eq!(at(&service, ADMIN_KEY, "shadow").await, (404, none));
    service.stop().await;
}
