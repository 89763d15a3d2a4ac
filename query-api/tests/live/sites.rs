//! The Sites API on a real nats-server: what is stored, by whom it is seen, and that nothing of it is lost or doubled.

use crate::region::{self, Region, Service, batch, event};
use reqwest::Method;
use serde_json::{Value, json};
use weir_event::site::Site;
use weir_event::subject::{KEYS_BUCKET, SITES_BUCKET};
use weir_reader::buckets;
use weir_reader::control::accounts;

const OWNER: &str = "weir_owner";
const STRANGER: &str = "weir_stranger";

/// Status and body.
async fn ask(service: &Service, key: &str, method: Method, path: &str, body: Value) -> (u16, Value) {
    let mut request = service.request(method, path).bearer_auth(key);
    if !body.is_null() {
        request = request.json(&body);
    }
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

async fn good(service: &Service, method: Method, path: &str, body: Value) -> Value {
    let (status, answer) = ask(service, OWNER, method.clone(), path, body.clone()).await;
    assert_eq!(status, 200, "{method} {path} {body}: {answer}");
    answer
}

async fn bad(service: &Service, method: Method, path: &str, body: Value) -> (u16, String) {
    let (status, answer) = ask(service, OWNER, method, path, body).await;
    (status, answer["error"].as_str().unwrap().to_owned())
}

/// A region with two accounts, each with a key that provisions.
async fn start() -> Region {
    let region = Region::start().await;
    for (key, name) in [(OWNER, "Shops"), (STRANGER, "Others")] {
        let account = accounts::add(&region.jetstream, name, region::now_ms()).await.unwrap();
        let record = json!({"id": key, "scopes": ["sites:provision"], "account": account.id, "created_ms": 1});
        region.put(KEYS_BUCKET, &region::hash(key), record).await;
    }
    region
}

async fn stored(region: &Region, domain: &str) -> Option<Site> {
    let entry = buckets::get(&region.jetstream, SITES_BUCKET, &format!("site.{domain}")).await.unwrap()?;
    entry.value.map(|value| serde_json::from_slice(&value).unwrap())
}

fn pageviews(domain: &str) -> Value {
    json!({"site_id": domain, "metrics": ["pageviews"], "date_range": "all"})
}

async fn counted(service: &Service, key: &str, domain: &str) -> Option<i64> {
    let (status, answer) = service.ask(key, &pageviews(domain)).await;
    (status == 200).then(|| answer["results"][0]["metrics"][0].as_i64().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_site_is_added_measured_renamed_and_removed() {
    let region = start().await;
    let service = region.serve(|_| {});
    service.healthy().await;
    let body = json!({"domain": "https://www.Shop.example/", "timezone": "europe/berlin",
        "tracker_script_configuration": {"hash_based_routing": true}});
    let made = good(&service, Method::POST, "/api/v1/sites", body.clone()).await;
    assert_eq!((&made["domain"], &made["timezone"]), (&json!("shop.example"), &json!("Europe/Berlin")));
    assert_eq!(
        (&made["custom_properties"], &made["tracker_script_configuration"]["hash_based_routing"]),
        (&json!([]), &json!(true))
    );
    // The record is what the edge reads: number, partition, settings.
    let site = stored(&region, "shop.example").await.unwrap();
    assert_eq!((site.partition, site.settings.script.hash_routing, site.account.is_some()), (0, true, true));
    let mut seen = event(1, "/");
    seen.site_id = site.id;
    region.publish(&batch(1, 1, vec![seen.clone()])).await;
    service.until(|service| async move { (counted(&service, OWNER, "shop.example").await == Some(1)).then_some(()) }).await;
    assert_eq!(
        bad(&service, Method::POST, "/api/v1/sites", body).await,
        (400, "domain: This domain cannot be registered. Perhaps one of your colleagues registered it?".to_owned())
    );
    for (body, text) in [
        (json!({}), "domain: can't be blank"),
        (json!({"domain": "a b"}), "domain: only letters, numbers, slashes and period allowed"),
        (json!({"domain": "x.example", "timezone": "Mars/Base"}), "timezone: is invalid"),
    ] {
        assert_eq!(bad(&service, Method::POST, "/api/v1/sites", body).await, (400, text.to_owned()));
    }
    // Renamed it is found under both names, here and at the edge; nobody else gets the former one.
    let renamed = good(&service, Method::PUT, "/api/v1/sites/shop.example", json!({"domain": "boutique.example"})).await;
    assert_eq!(renamed["domain"], "boutique.example");
    for domain in ["shop.example", "boutique.example"] {
        assert_eq!(counted(&service, OWNER, domain).await, Some(1), "{domain}");
        let record = stored(&region, domain).await.unwrap();
        assert_eq!((record.id, record.partition, record.domain.as_str()), (site.id, site.partition, "boutique.example"));
        let (status, shown) = ask(&service, OWNER, Method::GET, &format!("/api/v1/sites/{domain}"), Value::Null).await;
        assert_eq!((status, &shown["domain"]), (200, &json!("boutique.example")));
    }
    assert_eq!(bad(&service, Method::POST, "/api/v1/sites", json!({"domain": "shop.example"})).await.0, 400);
    assert_eq!(
        bad(&service, Method::PUT, "/api/v1/sites/shop.example", json!({"domain": "boutique.example"})).await,
        (400, "domain: New domain must be different than the current one".to_owned())
    );
    let script = json!({"tracker_script_configuration": {"hash_based_routing": false}});
    good(&service, Method::PUT, "/api/v1/sites/shop.example", script).await;
    assert!(
        !stored(&region, "shop.example").await.unwrap().settings.script.hash_routing,
        "the edge reads it under the former name too"
    );
    let listed = good(&service, Method::GET, "/api/v1/sites", Value::Null).await;
    let meta = json!({"after": null, "before": null, "limit": 100});
    assert_eq!(listed, json!({"sites": [{"domain": "boutique.example", "timezone": "Europe/Berlin"}], "meta": meta}));
    // Renamed back and forth: the first name counts again, the second is the former one.
    good(&service, Method::PUT, "/api/v1/sites/boutique.example", json!({"domain": "shop.example"})).await;
    assert_eq!(counted(&service, OWNER, "boutique.example").await, Some(1));
    assert_eq!(good(&service, Method::DELETE, "/api/v1/sites/boutique.example", Value::Null).await, json!({"deleted": true}));
    for domain in ["shop.example", "boutique.example"] {
        assert_eq!((stored(&region, domain).await, counted(&service, OWNER, domain).await), (None, None));
        let path = format!("/api/v1/sites/{domain}");
        assert_eq!(bad(&service, Method::GET, &path, Value::Null).await, (404, "Site could not be found".to_owned()));
    }
    // Added again it is another site: what was counted before is nobody's.
    good(&service, Method::POST, "/api/v1/sites", json!({"domain": "shop.example"})).await;
    let again = stored(&region, "shop.example").await.unwrap();
    assert!(again.id > site.id && again.timezone == "Etc/UTC");
    assert_eq!(counted(&service, OWNER, "shop.example").await, Some(0));
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn definitions_are_found_or_made_and_count_at_once() {
    let region = start().await;
    let service = region.serve(|_| {});
    service.healthy().await;
    good(&service, Method::POST, "/api/v1/sites", json!({"domain": "shop.example"})).await;
    let goals = "/api/v1/sites/goals";
    let signup = json!({"site_id": "shop.example", "goal_type": "event", "event_name": "Signup"});
    let made = good(&service, Method::PUT, goals, signup.clone()).await;
    assert_eq!(made["domain"], "shop.example");
    assert_eq!(good(&service, Method::PUT, goals, signup).await, made, "found");
    // As a form, as older clients send it.
    let form = service.request(Method::PUT, goals).bearer_auth(OWNER);
    let form = form.form(&[("site_id", "shop.example"), ("goal_type", "page"), ("page_path", "thanks")]).send().await.unwrap();
    assert_eq!(form.json::<Value>().await.unwrap()["display_name"], "Visit /thanks");
    let shown = good(&service, Method::GET, "/api/v1/sites/goals?site_id=shop.example&limit=1", Value::Null).await;
    assert_eq!((&shown["goals"][0]["goal_type"], &shown["goals"][0]["event_name"]), (&json!("page"), &Value::Null));
    let after = shown["meta"]["after"].as_str().unwrap();
    let path = format!("/api/v1/sites/goals?site_id=shop.example&limit=1&after={after}");
    let next = good(&service, Method::GET, &path, Value::Null).await;
    assert_eq!((&next["goals"][0]["id"], &next["meta"]["after"]), (&made["id"], &Value::Null));
    // A query knows the goal at once.
    let by_goal = json!({"site_id": "shop.example", "metrics": ["visitors"], "date_range": "day", "filters": [["is", "event:goal", ["Signup"]]]});
    assert_eq!(service.ask(OWNER, &by_goal).await.0, 200);
    for (body, text) in [
        (json!({"goal_type": "event"}), "Parameter `site_id` is required to create a goal"),
        (json!({"site_id": "shop.example"}), "Parameter `goal_type` is required to create a goal"),
        (json!({"site_id": "shop.example", "goal_type": "event"}), "Parameter `event_name` is required to create a goal"),
        (json!({"site_id": "shop.example", "goal_type": "page"}), "Parameter `page_path` is required to create a goal"),
    ] {
        assert_eq!(bad(&service, Method::PUT, goals, body).await, (400, text.to_owned()));
    }
    let gone = format!("/api/v1/sites/goals/{}", made["id"]);
    let of_site = json!({"site_id": "shop.example"});
    assert_eq!(good(&service, Method::DELETE, &gone, of_site.clone()).await, json!({"deleted": true}));
    assert_eq!(bad(&service, Method::DELETE, &gone, of_site.clone()).await, (404, "Goal could not be found".to_owned()));
    assert_eq!(service.ask(OWNER, &by_goal).await.0, 400);
    // Properties with slashes.
    for name in ["plan", "a/b", "plan"] {
        let body = json!({"site_id": "shop.example", "property": name});
        assert_eq!(good(&service, Method::PUT, "/api/v1/sites/custom-props", body).await, json!({"created": true}));
    }
    let props = "/api/v1/sites/custom-props?site_id=shop.example";
    let listed = json!({"custom_properties": [{"property": "a/b"}, {"property": "plan"}]});
    assert_eq!(good(&service, Method::GET, props, Value::Null).await, listed);
    good(&service, Method::DELETE, "/api/v1/sites/custom-props/a/b", of_site).await;
    assert_eq!(
        good(&service, Method::GET, "/api/v1/sites/shop.example", Value::Null).await["custom_properties"],
        json!(["plan"])
    );
    // Segments.
    let segment = json!({"site_id": "shop.example", "name": "Home", "type": "site", "filters": [["is", "event:page", ["/"]]]});
    let saved = good(&service, Method::POST, "/api/segments", segment.clone()).await;
    let by_segment = json!({"site_id": "shop.example", "metrics": ["visitors"], "date_range": "day", "filters": [["is", "segment", [saved["id"]]]]});
    assert_eq!(service.ask(OWNER, &by_segment).await.0, 200);
    assert_eq!(good(&service, Method::GET, "/api/segments?site_id=shop.example", Value::Null).await, json!([saved]));
    for filters in [json!([]), json!([["is", "segment", [1]]]), json!([["is", "x", ["/"]]])] {
        let mut wrong = segment.clone();
        (wrong["name"], wrong["filters"]) = (json!("Other"), filters);
        assert_eq!(bad(&service, Method::POST, "/api/segments", wrong).await.0, 400);
    }
    good(&service, Method::DELETE, &format!("/api/segments/{}?site_id=shop.example", saved["id"]), Value::Null).await;
    assert_eq!(service.ask(OWNER, &by_segment).await.0, 400);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_keys_and_annotations_are_stored() {
    let region = start().await;
    let service = region.serve(|_| {});
    service.healthy().await;
    good(&service, Method::POST, "/api/v1/sites", json!({"domain": "shop.example"})).await;
    let path = "/api/sites/shop.example/settings";
    let body = json!({"timezone": "Europe/Berlin", "script": {"web_vitals": true}, "shields": {"countries": ["ru"]}});
    let shown = good(&service, Method::PATCH, path, body).await;
    assert_eq!((&shown["timezone"], &shown["shields"]["countries"]), (&json!("Europe/Berlin"), &json!(["RU"])));
    assert_eq!(good(&service, Method::GET, path, Value::Null).await, shown);
    let site = stored(&region, "shop.example").await.unwrap();
    assert!(site.settings.script.web_vitals && site.settings.shields.countries == ["RU"], "the edge reads it");
    let (status, text) = bad(&service, Method::PATCH, path, json!({"limits": {"site_per_s": "many"}})).await;
    assert!(status == 400 && text.starts_with("limits.site_per_s: "), "{text}");
    assert_eq!(ask(&service, STRANGER, Method::PATCH, path, json!({"timezone": "UTC"})).await.0, 401);

    // A key that is made is good at once, shown once, listed, and good no longer when it is revoked.
    let keys = "/api/sites/shop.example/keys";
    let made = good(&service, Method::POST, keys, json!({"scopes": ["stats:read"]})).await;
    let key = made["key"].as_str().unwrap();
    assert_eq!(counted(&service, key, "shop.example").await, Some(0));
    assert_eq!(ask(&service, key, Method::PATCH, path, json!({"timezone": "UTC"})).await.1["code"], "not_permitted");
    let listed = good(&service, Method::GET, keys, Value::Null).await;
    let ids: Vec<&Value> = listed["keys"].as_array().unwrap().iter().map(|key| &key["id"]).collect();
    assert_eq!(ids, [&json!(OWNER), &made["id"]]);
    assert_eq!((&listed["keys"][0]["is_own"], &listed["keys"][1]["sites"]), (&json!(true), &json!(["shop.example"])));
    assert!(!listed.to_string().contains(key), "it is not shown again");
    let gone = format!("{keys}/{}", made["id"].as_str().unwrap());
    assert_eq!(ask(&service, STRANGER, Method::DELETE, &gone, Value::Null).await.0, 401);
    assert_eq!(good(&service, Method::DELETE, &gone, Value::Null).await, json!({"revoked": made["id"]}));
    assert_eq!(counted(&service, key, "shop.example").await, None);
    assert_eq!(bad(&service, Method::DELETE, &gone, Value::Null).await, (404, "Key could not be found".to_owned()));

    let note = json!({"site_id": "shop.example", "at": "2026-11-20", "note": " New checkout ", "type": "site"});
    let made = good(&service, Method::POST, "/api/annotations", note.clone()).await;
    assert_eq!((&made["note"], &made["at"]), (&json!("New checkout"), &json!("2026-11-20")));
    assert_eq!(good(&service, Method::POST, "/api/annotations", note.clone()).await, made, "found");
    assert_eq!(good(&service, Method::GET, "/api/annotations?site_id=shop.example", Value::Null).await, json!([made]));
    for (field, value) in [("at", "soon"), ("note", " "), ("type", "secret")] {
        let mut wrong = note.clone();
        wrong[field] = json!(value);
        assert_eq!(bad(&service, Method::POST, "/api/annotations", wrong).await.0, 400, "{field}");
    }
    let gone = format!("/api/annotations/{}?site_id=shop.example", made["id"]);
    good(&service, Method::DELETE, &gone, Value::Null).await;
    assert_eq!(bad(&service, Method::DELETE, &gone, Value::Null).await, (404, "Annotation could not be found".to_owned()));
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_at_once_lose_and_double_nothing() {
    let region = start().await;
    let (one, other) = (region.serve(|_| {}), region.serve(|config| config.work = config.work.join("other")));
    one.healthy().await;
    other.healthy().await;
    let added = futures_of(12, |index| {
        let service = if index % 2 == 0 { one.clone() } else { other.clone() };
        // Each domain is asked for twice, at two nodes: one gets it.
        async move {
            ask(&service, OWNER, Method::POST, "/api/v1/sites", json!({"domain": format!("s{}.example", index / 2)})).await.0
        }
    })
    .await;
    assert_eq!(
        (added.iter().filter(|status| **status == 200).count(), added.iter().filter(|status| **status == 400).count()),
        (6, 6)
    );
    let mut ids = Vec::new();
    for index in 0..6 {
        ids.push(stored(&region, &format!("s{index}.example")).await.unwrap().id);
    }
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 6, "numbers differ");
    let goals = futures_of(16, |index| {
        let service = if index % 2 == 0 { one.clone() } else { other.clone() };
        let body = json!({"site_id": "s0.example", "goal_type": "event", "event_name": format!("e{}", index / 2)});
        async move { ask(&service, OWNER, Method::PUT, "/api/v1/sites/goals", body).await }
    })
    .await;
    for pair in goals.chunks(2) {
        assert_eq!((pair[0].0, pair[1].0), (200, 200));
        assert_eq!(pair[0].1["id"], pair[1].1["id"], "found or made once");
    }
    let listed = good(&one, Method::GET, "/api/v1/sites/goals?site_id=s0.example", Value::Null).await;
    assert_eq!(listed["goals"].as_array().unwrap().len(), 8);
    one.stop().await;
    other.stop().await;
}

/// Runs them at the same time; their outcomes in order.
async fn futures_of<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
    count: usize,
    make: impl Fn(usize) -> F,
) -> Vec<T> {
    let tasks: Vec<_> = (0..count).map(|index| tokio::spawn(make(index))).collect();
    let mut outcomes = Vec::new();
    for task in tasks {
        outcomes.push(task.await.unwrap());
    }
    outcomes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shared_link_opens_with_its_password_at_every_node_until_it_is_removed() {
    let region = start().await;
    let (one, other) = (region.serve(|_| {}), region.serve(|config| config.work = config.work.join("other")));
    one.healthy().await;
    other.healthy().await;
    for domain in ["shop.example", "blog.example"] {
        good(&one, Method::POST, "/api/v1/sites", json!({"domain": domain})).await;
    }
    let links = "/api/v1/sites/shared-links";
    let open = good(&one, Method::PUT, links, json!({"site_id": "shop.example", "name": "WordPress"})).await;
    assert_eq!(good(&one, Method::PUT, links, json!({"site_id": "shop.example", "name": "WordPress"})).await, open);
    let secret = json!({"site_id": "shop.example", "name": "Board", "password": "open sesame"});
    let made = good(&one, Method::PUT, links, secret.clone()).await;
    assert_eq!(good(&one, Method::PUT, links, secret).await, made);
    // Whoever asks for a password is not given a link without, or with another one.
    for (name, password) in [("WordPress", "x"), ("Board", "x")] {
        let body = json!({"site_id": "shop.example", "name": name, "password": password});
        assert_eq!(bad(&one, Method::PUT, links, body).await.0, 400);
    }
    let url = made["url"].as_str().unwrap();
    let (address, slug) = url.split_once("?auth=").unwrap();
    assert!(address.ends_with("/share/shop.example") && slug.len() == 22, "{url}");
    let listed = good(&one, Method::GET, "/api/v1/sites/shared-links?site_id=shop.example", Value::Null).await;
    assert_eq!(listed["shared_links"].as_array().unwrap().iter().filter(|link| link["password_protected"] == true).count(), 1);
    assert!(!listed.to_string().contains("argon2"), "{listed}");
    let session = format!("/api/share/{slug}/session");
    let enter = async |service: &Service, body: Value| service.request(Method::POST, &session).json(&body).send().await.unwrap();
    for body in [json!({}), json!({"password": ""}), json!({"password": "Open sesame"}), json!({"password": 1})] {
        assert_eq!(enter(&one, body).await.status(), 401);
    }
    let entered = enter(&one, json!({"password": "open sesame"})).await;
    let cookie = entered.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    assert_eq!(entered.json::<Value>().await.unwrap(), json!({"domain": "shop.example", "timezone": "Etc/UTC"}));
    let query = async |service: &Service, domain: &str| {
        let request = service.request(Method::POST, "/api/v2/query").header("cookie", &cookie);
        request.json(&pageviews(domain)).send().await.unwrap().status().as_u16()
    };
    // The session is good at the other node too: both sign with one secret.
    other.until(|service| async move { (counted(&service, OWNER, "shop.example").await == Some(0)).then_some(()) }).await;
    assert_eq!((query(&one, "shop.example").await, query(&other, "shop.example").await), (200, 200));
    assert_eq!((query(&one, "blog.example").await, query(&one, "never.example").await), (401, 401));
    let by_cookie = one.request(Method::GET, "/api/v1/sites/shop.example").header("cookie", &cookie).send().await.unwrap();
    assert_eq!(by_cookie.status(), 401, "a link reads figures, not how the site is set up");
    let id = listed["shared_links"].as_array().unwrap().iter().find(|link| link["name"] == "Board").unwrap()["id"].clone();
    good(&one, Method::DELETE, &format!("/api/v1/sites/shared-links/{id}"), json!({"site_id": "shop.example"})).await;
    assert_eq!(query(&one, "shop.example").await, 401);
    other.until(|service| async move { (query(&service, "shop.example").await == 401).then_some(()) }).await;
    assert_eq!(enter(&one, json!({"password": "open sesame"})).await.status(), 404);
    one.stop().await;
    other.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_see_nothing_of_what_others_have() {
    let region = start().await;
    let service = region.serve(|_| {});
    service.healthy().await;
    good(&service, Method::POST, "/api/v1/sites", json!({"domain": "shop.example"})).await;
    good(&service, Method::POST, "/api/v1/sites", json!({"domain": "gone.example"})).await;
    good(&service, Method::DELETE, "/api/v1/sites/gone.example", Value::Null).await;
    let routes = [
        (Method::GET, "/api/v1/sites/@", Value::Null),
        (Method::PUT, "/api/v1/sites/@", json!({"domain": "mine.example"})),
        (Method::DELETE, "/api/v1/sites/@", Value::Null),
        (Method::PUT, "/api/v1/sites/goals?site_id=@", json!({"goal_type": "event", "event_name": "x"})),
        (Method::PUT, "/api/v1/sites/shared-links?site_id=@", json!({"name": "x", "password": "y"})),
        (
            Method::POST,
            "/api/segments?site_id=@",
            json!({"name": "x", "type": "personal", "filters": [["is", "event:page", ["/"]]]}),
        ),
        (Method::POST, "/api/v2/query", json!({"site_id": "@", "metrics": ["visitors"], "date_range": "day"})),
    ];
    for (method, path, body) in routes {
        let mut answers = Vec::new();
        for domain in ["shop.example", "gone.example", "never.example", "a.example"] {
            let body = serde_json::from_str(&body.to_string().replace('@', domain)).unwrap();
            answers.push(ask(&service, STRANGER, method.clone(), &path.replace('@', domain), body).await);
        }
        assert!([401, 404].contains(&answers[0].0), "{method} {path}: {answers:?}");
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{method} {path}: {answers:?}");
    }
    assert!(stored(&region, "shop.example").await.is_some() && stored(&region, "mine.example").await.is_none());
    let listed = ask(&service, STRANGER, Method::GET, "/api/v1/sites", Value::Null).await.1;
    assert_eq!(listed["sites"], json!([]));
    let teams = ask(&service, STRANGER, Method::GET, "/api/v1/sites/teams", Value::Null).await.1;
    assert_eq!((teams["teams"].as_array().unwrap().len(), &teams["teams"][0]["name"]), (1, &json!("Others")));
    // A key for some sites adds none.
    region.put_key("weir_single", 1).await;
    assert_eq!(ask(&service, "weir_single", Method::POST, "/api/v1/sites", json!({"domain": "x.example"})).await.0, 401);
    service.stop().await;
}

/// What else a record has is ours to say: numbers, partition, account, owner, slug, and the key itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_but_what_a_route_names_is_taken() {
    let region = start().await;
    let service = region.serve(|_| {});
    service.healthy().await;
    let (chosen, number) = ("chosen-by-a-stranger", 4_711);
    let with = |body: Value| {
        let mut all = json!({
            "id": number, "partition": number, "account": chosen, "owner": chosen, "created_ms": number, "former_domain": "gone.example", "slug": chosen,
            "key": chosen, "hash": chosen, "site": number, "link_id": number, "last_id": number, "settings": {"shields": {"countries": ["RU"]}},
        });
        all.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
        all
    };
    let own = good(&service, Method::POST, "/api/v1/sites", json!({"domain": "plain.example"})).await;
    let plain = stored(&region, "plain.example").await.unwrap();
    good(&service, Method::POST, "/api/v1/sites", with(json!({"domain": "shop.example"}))).await;
    let expect = |site: &Site, domain: &str| {
        assert_eq!((site.domain.as_str(), site.id, site.partition), (domain, plain.id + 1, plain.partition));
        assert_eq!((&site.account, &site.settings), (&plain.account, &plain.settings));
        assert!(site.created_ms >= plain.created_ms && site.former_domain.as_deref() != Some("gone.example"), "{site:?}");
    };
    expect(&stored(&region, "shop.example").await.unwrap(), "shop.example");
    good(&service, Method::PUT, "/api/v1/sites/shop.example", with(json!({"domain": "boutique.example"}))).await;
    expect(&stored(&region, "boutique.example").await.unwrap(), "boutique.example");
    assert_eq!(own["domain"], "plain.example");

    let site = json!({"site_id": "plain.example"});
    let filters = json!([["is", "event:page", ["/"]]]);
    let merged = |further: Value| {
        let mut body = with(site.clone());
        body.as_object_mut().unwrap().extend(further.as_object().unwrap().clone());
        body
    };
    for (method, path, body) in [
        (Method::PUT, "/api/v1/sites/goals", merged(json!({"goal_type": "event", "event_name": "Signup"}))),
        (Method::PUT, "/api/v1/sites/custom-props", merged(json!({"property": "plan"}))),
        (Method::PUT, "/api/v1/sites/shared-links", merged(json!({"name": "Board"}))),
        (Method::POST, "/api/segments", merged(json!({"name": "n", "type": "personal", "filters": filters}))),
        (Method::POST, "/api/annotations", merged(json!({"at": "2026-11-20", "note": "n", "type": "personal"}))),
        (Method::POST, "/api/sites/plain.example/keys", with(json!({"scopes": ["stats:read"]}))),
    ] {
        let made = good(&service, method, path, body).await.to_string();
        assert!(!made.contains(chosen) && !made.contains(&number.to_string()), "{path}: {made}");
    }
    // What is kept, and not only what is shown.
    let kept = region.jetstream.get_stream("KV_WEIR_DEFINITIONS").await.unwrap();
    let kept = kept.get_last_raw_message_by_subject(&format!("$KV.WEIR_DEFINITIONS.site.{}", plain.id)).await.unwrap();
    let kept = String::from_utf8(kept.payload.to_vec()).unwrap();
    for word in ["Signup", "plan", "Board", "\"n\""] {
        assert!(kept.contains(word), "{word} in {kept}");
    }
    assert!(!kept.contains(chosen) && !kept.contains(&number.to_string()), "{kept}");
    let listed = good(&service, Method::GET, "/api/sites/plain.example/keys", Value::Null).await;
    assert!(!listed.to_string().contains(chosen), "{listed}");
    assert_eq!(ask(&service, chosen, Method::GET, "/api/v1/sites", Value::Null).await.0, 401);
    // Settings refuse what they do not know, as a whole.
    let (status, text) =
        bad(&service, Method::PATCH, "/api/sites/plain.example/settings", with(json!({"timezone": "Europe/Berlin"}))).await;
    assert!(status == 400 && text.contains("is not a setting"), "{text}");
    assert_eq!(stored(&region, "plain.example").await.unwrap(), plain);
    service.stop().await;
}
