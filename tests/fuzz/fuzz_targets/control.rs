//! What is set up, as the control buckets hold it: records are written back as read, names have one spelling, and no definitions make a query panic.
#![no_main]

use std::fmt::Debug;

use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use weir_event::key::{KeyRecord, Scope};
use weir_event::site::{Settings, Site};
use weir_reader::control::accounts::Account;
use weir_reader::control::retention::Retention;
use weir_reader::control::{links, names};
use weir_reader::definitions::Definitions;
use weir_reader::replays::Record;
use weir_rollup::manifest::Head;

// The module is pure; the crate around it would bring the database.
#[allow(dead_code, unused_imports, reason = "only its parser is called here")]
#[path = "../../../query-api/src/query/mod.rs"]
mod query;

#[path = "shared/json.rs"]
mod json;

/// 2026-11-22T04:00:00Z.
const NOW_MS: u64 = 1_795_320_000_000;
const DAY_MS: i64 = 86_400_000;

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| { json::mutate(data, size, max_size, seed) });

fuzz_target!(|data: &[u8]| {
    if let Some(site) = read::<Site>(data) {
        let retention = Retention { overall_days: site.id, sites: vec![(site.id, site.settings.retention_days)] };
        let today_ms = NOW_MS as i64 / DAY_MS * DAY_MS;
        assert!(retention.cutoffs(NOW_MS).iter().all(|(_, cutoff_ms)| *cutoff_ms < today_ms && cutoff_ms % DAY_MS == 0));
        let _far = retention.cutoffs(site.created_ms);
    }
    let _settings = read::<Settings>(data);
    let _head = read::<Head>(data);
    let _account = read::<Account>(data);
    let _replay = read::<Record>(data);
    if let Some(key) = read::<KeyRecord>(data) {
        key_permits(&key);
    }
    if !serde_json::from_slice(data).is_ok_and(|value| json::has_fraction(&value))
        && let Some(definitions) = read::<Definitions>(data)
    {
        asks(&definitions);
    }
    let text = String::from_utf8_lossy(data);
    if let Ok(domain) = names::domain(&text) {
        // `www.www.example` loses one `www.` each time.
        assert!(domain.starts_with("www.") || names::domain(&domain).as_ref() == Ok(&domain), "made of {text:?}");
        assert!(
            domain.bytes().all(|byte| byte.is_ascii_graphic() && !b"*>\"'\\".contains(&byte)),
            "{domain:?} names a key of a bucket"
        );
    }
    if let Ok(zone) = names::timezone(&text) {
        assert!(zone.eq_ignore_ascii_case(&text) && names::timezone(&zone).as_ref() == Ok(&zone));
    }
    // No password is verified by a text that is no hash of it: hashing takes as much memory as the text says, unless that is refused.
    if !text.contains("$m=19456,t=2,p=1$") {
        assert!(!links::verify("", &text));
    }
});

/// A record, if the bytes are one; what is written of it is read as the same.
fn read<T: Serialize + DeserializeOwned + PartialEq + Debug>(data: &[u8]) -> Option<T> {
    let record = serde_json::from_slice::<T>(data).ok()?;
    let written = serde_json::to_vec(&record).expect("a record is JSON");
    assert_eq!(serde_json::from_slice::<T>(&written).expect("and is read back"), record);
    Some(record)
}

fn key_permits(key: &KeyRecord) {
    let (scopes, sites) = (key.scopes(), key.site_ids());
    assert!(!key.is_admin() || (scopes.contains(&Scope::Admin) && sites.is_empty() && key.account.is_none()));
    // What is made anew of what it permits permits the same.
    let named: Vec<(u32, &str)> = sites.iter().map(|site_id| (*site_id, key.domain.as_str())).collect();
    let again = KeyRecord::new(key.id.clone(), &scopes, &named, key.account.clone(), key.created_ms);
    assert_eq!((again.scopes(), again.site_ids(), again.is_admin()), (scopes, sites, key.is_admin()), "{key:?}");
}

/// Questions about everything that is defined.
fn asks(definitions: &Definitions) {
    let ids: Vec<u64> = definitions.segments.iter().map(|segment| segment.id).collect();
    let goals: Vec<&str> = definitions.goals.iter().map(|goal| goal.display_name.as_str()).collect();
    let mut filters: Vec<Value> = ids.chunks(4).take(3).map(|ids| json!(["is", "segment", ids])).collect();
    filters.extend(goals.chunks(4).take(3).map(|names| json!(["is", "event:goal", names])));
    for filters in [json!([]), json!(filters), json!([["contains", "event:goal", [""]]])] {
        for dimensions in [json!(["event:goal"]), json!(["time:day"])] {
            let metrics = json!(["visitors", "total_revenue"]);
            let body =
                json!({"site_id": "a", "metrics": metrics, "date_range": "7d", "filters": filters, "dimensions": dimensions});
            if let Ok(query) = query::parse(&body, definitions, "k1") {
                assert!(query.goals.iter().all(|goal| definitions.goals.contains(goal)));
                let _warning = query.revenue.warning();
            }
        }
    }
    for segment in &definitions.segments {
        if query::check_segment(&segment.filters, definitions).is_ok() {
            let body = json!({"site_id": "a", "metrics": ["visitors"], "date_range": "7d", "filters": segment.filters});
            match query::parse(&body, definitions, "k1") {
                Err(query::Refusal::Schema(errors)) => panic!("{} can be saved but not asked: {errors:?}", segment.filters),
                parsed => drop(parsed),
            }
        }
    }
}
