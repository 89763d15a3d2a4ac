//! The whole service on a real nats-server, with the permissions of its role: freshness, new heads, outages, keys.
#![expect(clippy::unwrap_used, reason = "a test ends where its surroundings fail")]

mod home;
mod region;
mod replay;
#[path = "../support/sealed.rs"]
mod sealed;
mod sites;

use region::{Region, batch, event};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use weir_event::model::Refused;

fn pageviews() -> Value {
    json!({"site_id": "a.example", "metrics": ["pageviews"], "date_range": "all"})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_acknowledged_event_is_counted_at_once_and_after_it_is_sealed() {
    let mut region = Region::start().await;
    let service = region.serve(|_| {});
    service.healthy().await;
    let seq = region.publish(&batch(1, 1, vec![event(1, "/"), event(1, "/b"), event(2, "/")])).await;
    let published = Instant::now();
    service.counts(3).await;
    let seen_after = published.elapsed();
    assert!(seen_after < Duration::from_secs(2), "seen after {seen_after:?}");
    let full = json!({"site_id": "a.example", "metrics": ["visitors", "visits", "bounce_rate"], "date_range": "all",
        "dimensions": ["visit:entry_page"], "order_by": [["visitors", "asc"]]});
    let live = service.query(&full).await;
    assert_eq!(live["meta"]["revision"], 0);
    assert!(region.seal().await >= seq);
    let sealed = service
        .until(|service| async move {
            let answer = service.query(&pageviews()).await;
            (answer["meta"]["revision"] == 1).then_some(answer)
        })
        .await;
    assert_eq!(sealed["results"][0]["metrics"][0], 3);
    assert_eq!(service.query(&full).await["results"], live["results"]);
    let status = service.status().await;
    assert_eq!((&status["tail_rows"], &status["sealed_seq"], &status["parts"]), (&json!(0), &json!(seq), &json!(1)));
    // A visit goes on over the seal: one visit, from a part and the live end.
    region.publish(&batch(1, 2, vec![event(2, "/c")])).await;
    service.counts(4).await;
    let visits = json!({"site_id": "a.example", "metrics": ["visits", "bounce_rate", "visitors"], "date_range": "all"});
    assert_eq!(service.query(&visits).await["results"][0]["metrics"], json!([2, 0, 2]));
    service.stop().await;
    // Another start folds the same.
    let service = region.serve(|_| {});
    service.healthy().await;
    assert_eq!(service.query(&visits).await["results"][0]["metrics"], json!([2, 0, 2]));
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_watermark_follows_the_clock_and_what_batchers_hold() {
    let region = Region::start().await;
    let service = region.serve(|_| {});
    service.healthy().await;
    let watermark = |answer: &Value| {
        let text = answer["meta"]["watermark"].as_str().unwrap();
        chrono::DateTime::parse_from_rfc3339(text).unwrap().timestamp_millis()
    };
    let before_ms = region::now_ms() as i64;
    let idle = service
        .until(|service| async move { Some(watermark(&service.query(&pageviews()).await)).filter(|ms| *ms >= before_ms) })
        .await;
    assert!(idle <= region::now_ms() as i64, "it never runs ahead");
    let mut holding = batch(1, 1, vec![event(1, "/")]);
    holding.oldest_unsent_ms = region::now_ms() - 5_000;
    let held_ms = holding.oldest_unsent_ms as i64;
    region.publish(&holding).await;
    service.counts(1).await;
    assert_eq!(watermark(&service.query(&pageviews()).await), held_ms);
    region.publish(&batch(1, 2, vec![event(1, "/")])).await;
    service.until(|service| async move { (watermark(&service.query(&pageviews()).await) > held_ms).then_some(()) }).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_answer_loses_or_doubles_while_heads_move() {
    let mut region = Region::start().await;
    let service = region.serve(|_| {});
    service.healthy().await;
    let asking = {
        let service = service.clone();
        tokio::spawn(async move {
            let mut seen = Vec::new();
            while seen.last() != Some(&300) {
                seen.push(service.query(&pageviews()).await["results"][0]["metrics"][0].as_i64().unwrap());
            }
            seen
        })
    };
    for number in 1..=60 {
        region.publish(&batch(1, number, (0..5).map(|visitor| event(visitor, "/")).collect())).await;
        if number % 7 == 0 {
            region.seal().await;
        }
        if number % 20 == 0 {
            region.merge().await;
        }
    }
    let seen = tokio::time::timeout(region::PATIENCE, asking).await.unwrap().unwrap();
    assert!(seen.is_sorted(), "{seen:?}");
    assert!(seen.iter().all(|count| count % 5 == 0), "{seen:?}");
    let last = region.revision();
    service.until(|service| async move { (service.status().await["revision"] == last).then_some(()) }).await;
    service.counts(300).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_go_on_while_nats_is_away() {
    let mut region = Region::start().await;
    let service = region.serve(|_| {});
    service.healthy().await;
    region.publish(&batch(1, 1, vec![event(1, "/")])).await;
    service.counts(1).await;
    region.kill_nats();
    service.counts(1).await;
    region.restart_nats();
    region.publish(&batch(1, 2, vec![event(2, "/")])).await;
    service.counts(2).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_waits_for_nats() {
    let mut region = Region::start().await;
    region.publish(&batch(1, 1, vec![event(1, "/")])).await;
    region.kill_nats();
    let service = region.serve(|_| {});
    let (status, body) = service.until(|service| async move { service.get("/api/health").await }).await;
    assert_eq!(status, 503, "{body}");
    region.restart_nats();
    service.healthy().await;
    service.counts(1).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_valid_at_once_and_until_revoked() {
    let region = Region::start().await;
    let service = region.serve(|_| {});
    service.healthy().await;
    for index in 0..20 {
        let key = format!("weir_{index}");
        region.put_key(&key, 1).await;
        assert_eq!(service.ask(&key, &pageviews()).await.0, 200, "{key} right after it was stored");
        region.delete_key(&key).await;
        service
            .until(|service| {
                let key = key.clone();
                async move { (service.ask(&key, &pageviews()).await.0 == 401).then_some(()) }
            })
            .await;
    }
    region.put_site("new.example", 9).await;
    let query = json!({"site_id": "new.example", "metrics": ["visitors"], "date_range": "day"});
    assert_eq!(service.ask(region::ADMIN_KEY, &query).await.0, 200, "a site right after it was stored");
    assert_eq!(service.ask(region::KEY, &query).await.0, 401);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn goals_are_those_of_now() {
    let region = Region::start().await;
    let service = region.serve(|_| {});
    service.healthy().await;
    region.publish(&batch(1, 1, vec![event(1, "/"), event(2, "/thanks")])).await;
    service.counts(2).await;
    let goals = |path: &str| json!({"goals": [{"id": 1, "display_name": "Done", "goal_type": "page", "page_path": path}]});
    let query = json!({"site_id": "a.example", "metrics": ["visitors", "conversion_rate"], "date_range": "all", "filters": [["is", "event:goal", ["Done"]]]});
    let (status, answer) = service.ask(region::KEY, &query).await;
    assert_eq!(status, 400, "{answer}");
    // What was counted before the goal was there counts too, and a changed goal is another one at once.
    for (path, expected) in [("/thanks", json!([1, 50.0])), ("/*", json!([2, 100.0])), ("/never", json!([0, 0.0]))] {
        region.put_definitions(1, &goals(path)).await;
        service
            .until(|service| {
                let (query, expected) = (query.clone(), expected.clone());
                async move {
                    let (status, answer) = service.ask(region::KEY, &query).await;
                    (status == 200 && answer["results"][0]["metrics"] == expected).then_some(())
                }
            })
            .await;
    }
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_decoded_stops_the_live_end_alone() {
    let mut region = Region::start().await;
    let service = region.serve(|_| {});
    service.healthy().await;
    region.publish(&batch(1, 1, vec![event(1, "/")])).await;
    region.seal().await;
    region.publish(&batch(1, 2, vec![event(1, "/")])).await;
    service.counts(2).await;
    region.publish_raw("x-1", "9", b"later".to_vec()).await;
    let alarm = service.until(|service| async move { service.status().await["alarms"][0].as_str().map(str::to_owned) }).await;
    assert!(alarm.contains("message 3 cannot be decoded"), "{alarm}");
    service.counts(2).await;
    assert_eq!(service.get("/api/health").await.unwrap().0, 200);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn newer_logic_leaves_what_is_sealed() {
    let mut region = Region::start().await;
    region.publish(&batch(1, 1, vec![event(1, "/")])).await;
    region.seal_with_logic(Some("99-0123456789abcdef")).await;
    let sealed_ms = region::now_ms() as i64;
    region.publish(&batch(1, 2, vec![event(1, "/")])).await;
    let service = region.serve(|_| {});
    service.healthy().await;
    let answer = service.query(&pageviews()).await;
    assert_eq!(answer["results"][0]["metrics"][0], 1);
    let watermark =
        chrono::DateTime::parse_from_rfc3339(answer["meta"]["watermark"].as_str().unwrap()).unwrap().timestamp_millis();
    assert!(watermark <= sealed_ms, "the watermark stands");
    let status = service.status().await;
    assert!(status["alarms"][0].as_str().unwrap().contains("99-0123456789abcdef"), "{status}");
    region.seal().await;
    service.counts(2).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_earlier_fold_with_the_same_rules_is_continued() {
    let mut region = Region::start().await;
    region.publish(&batch(1, 1, vec![event(1, "/")])).await;
    let earlier = region.earlier_logic();
    region.seal_with_logic(Some(&earlier)).await;
    region.publish(&batch(1, 2, vec![event(1, "/")])).await;
    let service = region.serve(|_| {});
    service.healthy().await;
    service.counts(2).await;
    assert_eq!(service.status().await["alarms"], json!([]));
    // The aggregator goes on with its own.
    region.publish(&batch(1, 3, vec![event(1, "/")])).await;
    region.seal().await;
    service.counts(3).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_ledger_is_the_same_live_and_sealed() {
    let mut region = Region::start().await;
    let service = region.serve(|_| {});
    service.healthy().await;
    let mut bot = event(3, "/");
    "curl/8.5.0".clone_into(&mut bot.user_agent);
    let mut old = event(4, "/");
    old.event_ms -= 2 * 3_600_000;
    let refused = |reason: &str, count: u64| Refused { site_id: 1, hour_ms: region::now_ms(), reason: reason.to_owned(), count };
    let mut full = batch(1, 1, vec![event(1, "/"), event(1, "/b"), bot, old]);
    full.refused = vec![refused("url", 3), refused("site_ip_blocklist", 1)];
    full.events.push(full.events[0].clone());
    region.publish(&full).await;
    let mut empty = batch(1, 2, vec![]);
    empty.refused = vec![refused("url", 2)];
    let seq = region.publish(&empty).await;
    let expected = json!({"received": 11, "accepted": 4, "rejected": {"url": 5, "site_ip_blocklist": 1}, "deduplicated": 1, "late": 1, "bots": 1});
    let live = service
        .until(|service| async move { Some(service.ledger().await).filter(|found| found["totals"]["received"] == 11) })
        .await;
    assert_eq!(live["totals"], expected);
    assert_eq!(
        live["balance"],
        json!({"accepted": 4, "in_files": 0, "in_stream": 4, "is_balanced": true, "sealed_seq": 0, "folded_seq": seq})
    );
    region.seal().await;
    service.until(|service| async move { (service.status().await["revision"] == 1).then_some(()) }).await;
    // Parts of this harness tell what events tell; what was refused is an aggregator's to write.
    let sealed = service.ledger().await;
    assert_eq!((&sealed["totals"]["accepted"], &sealed["totals"]["bots"]), (&json!(4), &json!(1)));
    assert_eq!(
        sealed["balance"],
        json!({"accepted": 4, "in_files": 4, "in_stream": 0, "is_balanced": true, "sealed_seq": seq, "folded_seq": seq})
    );
    let status = service.status().await;
    assert_eq!((&status["alarms"], &status["accepted"]), (&json!([]), &json!(4)));
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_retry_does_not_count_again_in_the_live_end() {
    let mut region = Region::start().await;
    let aged = |visitor: u64, hours: u64, retry: bool| {
        let mut event = event(visitor, "/");
        event.event_ms -= hours * 3_600_000;
        event.retry = retry;
        event
    };
    let first = batch(1, 1, vec![aged(1, 3, false), aged(2, 20, false)]);
    region.publish(&first).await;
    region.seal().await;
    region.forget().await;
    let service = region.serve(|_| {});
    service.healthy().await;
    service.counts(2).await;
    let mut again = batch(2, 1, vec![aged(1, 3, true), aged(2, 20, true), aged(3, 4, true)]);
    for (copy, original) in again.events.iter_mut().zip(&first.events) {
        (copy.id_high, copy.id_low) = (original.id_high, original.id_low);
    }
    region.publish(&again).await;
    service.counts(3).await;
    let live = service.ledger().await;
    assert_eq!((&live["totals"]["accepted"], &live["totals"]["deduplicated"]), (&json!(3), &json!(2)));
    assert_eq!(live["balance"]["is_balanced"], true);
    // Sealed it is the same.
    region.seal().await;
    service.until(|service| async move { (service.status().await["tail_rows"] == 0).then_some(()) }).await;
    service.counts(3).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_live_end_waits_for_the_next_parts() {
    let mut region = Region::start().await;
    let service = region.serve(|config| config.tail_rows_max = 10);
    service.healthy().await;
    for number in 1..=12 {
        region.publish(&batch(1, number, (0..5).map(|visitor| event(visitor, "/")).collect())).await;
    }
    service
        .until(|service| async move {
            service.status().await["alarms"][0].as_str().filter(|alarm| alarm.contains("larger than its limit")).map(|_| ())
        })
        .await;
    let held = service.query(&pageviews()).await["results"][0]["metrics"][0].as_i64().unwrap();
    assert!(held >= 10 && held % 5 == 0, "{held}");
    region.seal().await;
    service.counts(60).await;
    region.publish(&batch(1, 13, vec![event(1, "/")])).await;
    service.counts(61).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recreated_stream_is_not_taken_for_the_old_one() {
    let mut region = Region::start().await;
    for number in 1..=3 {
        region.publish(&batch(1, number, vec![event(1, "/")])).await;
    }
    region.seal().await;
    region.recreate_stream().await;
    for number in 1..=5 {
        region.publish(&batch(2, number, vec![event(2, "/")])).await;
    }
    let service = region.serve(|_| {});
    let alarm = service
        .until(|service| async move {
            service.status().await["alarms"][0].as_str().filter(|alarm| alarm.contains("created")).map(str::to_owned)
        })
        .await;
    assert!(alarm.contains("EVENTS_local_0"), "{alarm}");
    service.stop().await;
}
