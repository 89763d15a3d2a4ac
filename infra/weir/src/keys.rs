//! `weir key`: API keys. Only their SHA-256 is stored.

use crate::output::{self, Output};
use crate::session::{Session, http_client, now_ms};
use crate::{accounts, sites};
use anyhow::{Context as _, Result, bail};
use std::collections::HashMap;
use std::time::Duration;
use tokio::time::Instant;
use weir_event::key::{KeyRecord, Scope};
use weir_event::site::Site;
use weir_event::subject::KEYS_BUCKET;
use weir_reader::control::keys as control;

/// How long the query API may take to know a new or a revoked key.
const KNOWN_WITHIN: Duration = Duration::from_secs(5);

/// What a key is to permit.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    /// Domains of its sites; none = all sites of the account.
    pub(crate) domains: Vec<String>,
    /// Id of the account whose sites it is for.
    pub(crate) account: Option<String>,
    /// What it may do there.
    pub(crate) scopes: Vec<Scope>,
}

/// Makes a key and prints it, always as JSON: it is shown this once.
pub(crate) async fn create(session: &Session, wanted: &Wanted) -> Result<()> {
    let (key, record) = create_for(session, wanted).await?;
    let mut made = serde_json::json!({ "key": key, "id": record.id });
    let mut put =
        |name: &str, value: serde_json::Value| made.as_object_mut().and_then(|fields| fields.insert(name.to_owned(), value));
    // Keys of one site and one scope are told as ever.
    if let [domain] = wanted.domains.as_slice() {
        put("site", domain_of(session, domain).await?.into());
    } else if !wanted.domains.is_empty() {
        put("sites", wanted.domains.clone().into());
    }
    match wanted.scopes.as_slice() {
        [scope] => put("scope", scope.name().into()),
        scopes => put("scopes", scopes.iter().map(|scope| scope.name()).collect::<Vec<_>>().into()),
    };
    if let Some(account) = &record.account {
        put("account", account.clone().into());
    }
    output::line(&made.to_string())
}

async fn domain_of(session: &Session, domain: &str) -> Result<String> {
    Ok(sites::require(session, domain).await?.domain)
}

/// Makes a key.
pub(crate) async fn create_for(session: &Session, wanted: &Wanted) -> Result<(String, KeyRecord)> {
    let mut named = Vec::new();
    for domain in &wanted.domains {
        let site = sites::require(session, domain).await?;
        if wanted.account.is_some() && site.account != wanted.account {
            bail!("site {} does not belong to account {}", site.domain, wanted.account.as_deref().unwrap_or_default());
        }
        if !named.iter().any(|known: &Site| known.id == site.id) {
            named.push(site);
        }
    }
    let account = match &wanted.account {
        Some(id) => Some(accounts::require(session, id).await?.id),
        None => None,
    };
    check(wanted)?;
    let key = control::new_key()?;
    let ids: Vec<(u32, &str)> = named.iter().map(|site| (site.id, site.domain.as_str())).collect();
    let record = KeyRecord::new(control::public_id(&key), &wanted.scopes, &ids, account, now_ms());
    store(session, &key, &record).await?;
    if wanted.scopes.iter().any(|scope| *scope != Scope::EventsWrite) {
        wait_until_known(session, &key, true).await;
    }
    Ok((key, record))
}

/// Whether such a key makes sense.
fn check(wanted: &Wanted) -> Result<()> {
    let Wanted { domains, account, scopes } = wanted;
    if scopes.contains(&Scope::Admin) {
        if scopes.len() > 1 || !domains.is_empty() || account.is_some() {
            bail!("a key of scope admin is for everything: leave sites, account and other scopes away");
        }
        return Ok(());
    }
    if domains.is_empty() && account.is_none() {
        bail!("for which sites? Name their domains, or an account with --account");
    }
    if scopes.contains(&Scope::EventsWrite) && domains.is_empty() {
        bail!("a key of scope events:write names its sites: the edge does not know accounts");
    }
    Ok(())
}

/// Stores the record of the key that reads every site, if it is missing.
pub(crate) async fn ensure_admin(session: &Session) -> Result<()> {
    let key = &session.secrets.admin_key;
    if session.get(KEYS_BUCKET, &control::storage_key(key)).await?.is_some() {
        return Ok(());
    }
    store(session, key, &KeyRecord::new("admin".to_owned(), &[Scope::Admin], &[], None, now_ms())).await
}

/// Whether a key for so many sites is stored.
pub(crate) async fn is_stored_for(session: &Session, key: &str, sites: usize) -> Result<bool> {
    let entry = session.get(KEYS_BUCKET, &control::storage_key(key)).await?;
    let record = entry.and_then(|entry| entry.value).and_then(|value| serde_json::from_slice::<KeyRecord>(&value).ok());
    Ok(record.is_some_and(|record| record.site_ids().len() == sites))
}

/// Lists the keys, oldest first.
pub(crate) async fn list(session: &Session, output: Output) -> Result<()> {
    let records: Vec<KeyRecord> = control::all(&session.jetstream).await?.into_iter().map(|(_, record)| record).collect();
    let domains: HashMap<u32, String> = sites::all(session).await?.into_iter().map(|site| (site.id, site.domain)).collect();
    let lines: Vec<String> = records.iter().map(|record| line(record, &domains)).collect();
    let text = if lines.is_empty() { "no keys yet".to_owned() } else { lines.join("\n") };
    output.result(&records, &text)
}

fn line(record: &KeyRecord, domains: &HashMap<u32, String>) -> String {
    let scopes: Vec<&str> = record.scopes().into_iter().map(Scope::name).collect();
    format!("{:<14} {:<12} {}", record.id, scopes.join(","), reach(record, domains))
}

/// What a key is for, in words.
fn reach(record: &KeyRecord, domains: &HashMap<u32, String>) -> String {
    let name = |id: &u32| domains.get(id).cloned().unwrap_or_else(|| format!("removed site {id}"));
    let named = record.site_ids().iter().map(name).collect::<Vec<_>>().join(",");
    match &record.account {
        _ if record.is_admin() => "every site".to_owned(),
        Some(account) if named.is_empty() => format!("every site of {account}"),
        _ => named,
    }
}

/// Makes a key invalid, named by its id or by itself.
pub(crate) async fn revoke(session: &Session, name: &str, output: Output) -> Result<()> {
    let hash = control::storage_key(name);
    let stored = control::all(&session.jetstream).await?;
    let found = stored.into_iter().find(|(key, record)| record.id == name || *key == hash);
    let Some((key, record)) = found else {
        bail!("there is no key {name}: `weir key list` shows the ids");
    };
    if key == control::storage_key(&session.secrets.admin_key) {
        bail!("the admin key of this home cannot be revoked: the programs use it");
    }
    control::remove(&session.jetstream, &key).await.context("the key could not be deleted")?;
    if key == hash {
        wait_until_known(session, name, false).await;
    }
    let domains = sites::all(session).await?.into_iter().map(|site| (site.id, site.domain)).collect();
    output.result(
        &serde_json::json!({ "revoked": record.id }),
        &format!("key {} for {} is revoked", record.id, reach(&record, &domains)),
    )
}

async fn store(session: &Session, key: &str, record: &KeyRecord) -> Result<()> {
    control::store(&session.jetstream, key, record).await.map(drop).context("the key could not be stored")
}

/// Asks the query API until it accepts (or refuses) the key. One that is away will read the bucket when it comes back.
async fn wait_until_known(session: &Session, key: &str, accepted: bool) {
    let Ok(client) = http_client() else { return };
    // Where the query API is need not be known.
    if session.run.query_url.is_empty() {
        return;
    }
    let deadline = Instant::now() + KNOWN_WITHIN;
    while Instant::now() < deadline {
        let answer = client.get(format!("{}/api/sites", session.run.query_url)).bearer_auth(key).send().await;
        if answer.is_ok_and(|answer| answer.status().is_success() == accepted) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tracing::warn!("the query API did not answer within 5 s: it will know of the change when it is back");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_make_no_sense_are_refused() {
        let wanted = |domains: &[&str], account: Option<&str>, scopes: &[Scope]| Wanted {
            domains: domains.iter().map(|domain| (*domain).to_owned()).collect(),
            account: account.map(str::to_owned),
            scopes: scopes.to_vec(),
        };
        for good in [
            wanted(&["a"], None, &[Scope::StatsRead]),
            wanted(&["a", "b"], Some("acc"), &[Scope::EventsWrite, Scope::StatsRead]),
            wanted(&[], Some("acc"), &[Scope::SitesProvision]),
            wanted(&[], None, &[Scope::Admin]),
        ] {
            check(&good).unwrap();
        }
        for bad in [
            wanted(&[], None, &[Scope::StatsRead]),
            wanted(&[], Some("acc"), &[Scope::EventsWrite]),
            wanted(&["a"], None, &[Scope::Admin]),
            wanted(&[], Some("acc"), &[Scope::Admin]),
            wanted(&[], None, &[Scope::Admin, Scope::StatsRead]),
        ] {
            assert!(check(&bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn keys_are_listed_by_what_they_reach() {
        let domains = HashMap::from([(1, "new.example".to_owned()), (2, "b.example".to_owned())]);
        let key = |scopes: &[Scope], sites: &[(u32, &str)], account: Option<&str>| {
            line(&KeyRecord::new("k".into(), scopes, sites, account.map(str::to_owned), 1), &domains)
        };
        assert_eq!(key(&[Scope::StatsRead], &[(1, "old.example")], None), "k              stats:read   new.example");
        assert!(key(&[Scope::StatsRead], &[(1, ""), (2, "")], None).ends_with("new.example,b.example"));
        assert!(key(&[Scope::StatsRead], &[(9, "")], None).ends_with("removed site 9"));
        assert!(key(&[Scope::StatsRead], &[], Some("acc_1")).ends_with("every site of acc_1"));
        assert!(key(&[Scope::Admin], &[], None).ends_with("every site"));
    }
}
