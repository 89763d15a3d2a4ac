//! Two regions: what is set up is changed in one, and copied into the other.

use crate::region::{ADMIN_KEY, KEY, Region, Service, now_ms};
use reqwest::Method;
use serde_json::{Value, json};
use weir_event::codec;
use weir_event::model::{ControlKind, DeleteSite};
use weir_event::subject::SITES_BUCKET;
use weir_query_api::Config;
use weir_reader::buckets;
use weir_reader::control::ChangeError;
use weir_reader::control::sites::{self, NewSite};
use weir_reader::stream::PartitionStream;

fn pageviews(domain: &str) -> Value {
    json!({"site_id": domain, "metrics": ["pageviews"], "date_range": "all"})
}

async fn stored(region: &Region, domain: &str) -> Option<Value> {
    let entry = buckets::get(&region.jetstream, SITES_BUCKET, &format!("site.{domain}")).await.unwrap()?;
    entry.value.map(|value| serde_json::from_slice(&value).unwrap())
}

/// Adds a site by way of a service: status and code.
async fn add(service: &Service, domain: &str) -> (u16, Value) {
    let body = json!({"domain": domain, "timezone": "UTC"});
    let sent = service.request(Method::POST, "/api/v1/sites").bearer_auth(ADMIN_KEY).json(&body).send().await.unwrap();
    (sent.status().as_u16(), sent.json::<Value>().await.unwrap()["code"].clone())
}

/// What the operator is told of the home.
async fn told(service: &Service) -> Option<Value> {
    let (status, text) = service.get("/api/operator/overview").await?;
    (status == 200).then(|| serde_json::from_str::<Value>(&text).unwrap()["regions"][0]["home"].clone())
}

async fn until_it_is(service: &Service, state: &str) {
    service.until(|service| async move { told(&service).await.filter(|home| home["state"] == *state) }).await;
}

fn at_home(home: &Region) -> impl FnOnce(&mut Config) {
    let other = home.as_other("eu");
    move |config: &mut Config| {
        config.others.push(other);
        config.home = Some("eu".to_owned());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_set_up_is_changed_at_home_and_copied() {
    let (mut home, region) = (Region::start().await, Region::start().await);
    home.put_site("early.example", 7).await;
    let service = region.serve(at_home(&home));
    service.healthy().await;
    until_it_is(&service, "following").await;
    assert!(stored(&region, "early.example").await.is_some());
    assert_eq!(stored(&region, "early.example").await, stored(&home, "early.example").await);
    // A key of home is good here.
    home.put_key("weir_late", 7).await;
    let asked = pageviews("early.example");
    service
        .until(|service| {
            let asked = asked.clone();
            async move { (service.ask("weir_late", &asked).await.0 == 200).then_some(()) }
        })
        .await;
    // What is changed here is changed at home, and seen by who was answered.
    assert_eq!(add(&service, "new.example").await.0, 200);
    assert!(stored(&home, "new.example").await.is_some());
    assert_eq!(stored(&region, "new.example").await, stored(&home, "new.example").await);
    assert_eq!(service.ask(ADMIN_KEY, &pageviews("new.example")).await.0, 200);
    // Nobody writes into the copy.
    let new = NewSite { domain: "own.example".to_owned(), timezone: "UTC".to_owned(), ..NewSite::default() };
    let refused = sites::create(&region.jetstream, new, &[0], now_ms()).await;
    assert!(matches!(&refused, Err(ChangeError::Copied { home }) if home == "eu"), "{refused:?}");

    home.kill_nats();
    service
        .until(|service| async move { (add(&service, "lost.example").await == (503, json!("home_region_away"))).then_some(()) })
        .await;
    assert_eq!(service.ask(KEY, &pageviews("a.example")).await.0, 200, "reading needs no home");
    assert_eq!(stored(&region, "lost.example").await, None);
    home.restart_nats();
    service.until(|service| async move { (add(&service, "late.example").await.0 == 200).then_some(()) }).await;

    // A site that is removed at home is forgotten here too.
    sites::remove(&home.jetstream, "early.example").await.unwrap();
    let region = &region;
    service.until(|_| async move { stored(region, "early.example").await.is_none().then_some(()) }).await;
    let mut stream = PartitionStream::open(&region.jetstream, "local", 0, 1).await.unwrap();
    let message = stream.next().await.unwrap();
    let asked = codec::decode(message.schema, &message.payload).unwrap().controls;
    assert_eq!(asked[0].kind, Some(ControlKind::DeleteSite(DeleteSite { site_id: 7 })));
    assert_eq!(service.ask(ADMIN_KEY, &pageviews("early.example")).await.0, 401);
    service.stop().await;

    // The copy becomes the original where it is said so.
    let service = region.serve(|config| config.home = Some("local".to_owned()));
    service.healthy().await;
    service.until(|service| async move { (add(&service, "own.example").await.0 == 200).then_some(()) }).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_region_with_sites_of_its_own_is_not_overwritten() {
    let (home, region) = (Region::start().await, Region::start().await);
    region.put_site("own.example", 7).await;
    home.put_site("other.example", 7).await;
    let service = region.serve(at_home(&home));
    service.healthy().await;
    until_it_is(&service, "refused").await;
    let reason = told(&service).await.unwrap()["reason"].clone();
    assert!(reason.as_str().unwrap().contains("site.own.example"), "{reason}");
    assert!(stored(&region, "own.example").await.is_some() && stored(&region, "other.example").await.is_none());
    assert_eq!(add(&service, "mine.example").await.0, 200);
    assert!(stored(&region, "mine.example").await.is_some() && stored(&home, "mine.example").await.is_none());
    service.stop().await;
}
