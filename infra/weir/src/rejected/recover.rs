//! `weir rejected recover`: refused payloads judged again, and what is good now sent once.
//!
//! Each payload gives a batch for each of its sites, from a producer that is named by the stream's creation, the payload's number and the
//! site: sending it again, after a crash or by another operator, is dropped as a duplicate. The payload is removed only after that.

use super::store::{Refusal, Store};
use crate::cli::RecoverOptions;
use crate::output::Output;
use crate::publish::{self, Batch};
use crate::session::Session;
use crate::sites;
use anyhow::{Result, bail};
use futures::StreamExt as _;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use weir_event::domain::normalise_domain;
use weir_event::model::{Event, EventBatch};
use weir_event::rejected::{RecoverError, Rejected, Target};

/// Payloads that are sent at the same time.
const AT_ONCE: usize = 8;

/// The sites as they are now, by domain.
type Sites = BTreeMap<String, Target>;

/// What became of a payload.
#[derive(Debug, Serialize)]
struct Outcome {
    seq: u64,
    /// Events that count now.
    recovered: usize,
    /// Why it, or some of it, could not be sent: then it stays in the list.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// Sends what can be sent, and says what became of each.
pub(crate) async fn recover(session: &Session, options: &RecoverOptions, output: Output) -> Result<()> {
    let store = Store::open(session).await?;
    let sites = known_sites(session).await?;
    let as_site = match &options.as_site {
        Some(domain) => Some(sites::require(session, domain).await?.domain),
        None => None,
    };
    let (chosen, mut outcomes) = choose(&store, options).await?;
    let work = Work { session, store: &store, sites: &sites, as_site: as_site.as_deref() };
    let mut done = futures::stream::iter(chosen).map(|refusal| work.send(refusal)).buffer_unordered(AT_ONCE);
    while let Some(outcome) = done.next().await {
        outcomes.push(outcome);
    }
    drop(done);
    outcomes.sort_by_key(|outcome| outcome.seq);
    report(&outcomes, output)
}

fn report(outcomes: &[Outcome], output: Output) -> Result<()> {
    let events: usize = outcomes.iter().map(|outcome| outcome.recovered).sum();
    let payloads = outcomes.iter().filter(|outcome| outcome.recovered > 0).count();
    let mut lines = vec![format!("{events} events of {payloads} payloads recovered, of {} chosen", outcomes.len())];
    let failed: Vec<&Outcome> = outcomes.iter().filter(|outcome| outcome.error.is_some()).collect();
    lines.extend(failed.iter().map(|outcome| format!("  {}: {}", outcome.seq, outcome.error.as_deref().unwrap_or_default())));
    let value = serde_json::json!({ "chosen": outcomes.len(), "payloads": payloads, "events": events, "failed": failed, "outcomes": outcomes });
    output.result(&value, &lines.join("\n"))?;
    if payloads == 0 && !outcomes.is_empty() {
        bail!("none of {} payloads could be recovered", outcomes.len());
    }
    Ok(())
}

/// The chosen payloads, and an outcome for each that is not there.
async fn choose(store: &Store, options: &RecoverOptions) -> Result<(Vec<Refusal>, Vec<Outcome>)> {
    let (mut chosen, mut missing) = (Vec::new(), Vec::new());
    if options.seqs.is_empty() {
        store.each(|refusal| chosen.extend(super::fits(&refusal, &options.filter).then_some(refusal))).await?;
        return Ok((chosen, missing));
    }
    let mut seqs = options.seqs.clone();
    seqs.sort_unstable();
    seqs.dedup();
    for seq in seqs {
        match store.get(seq).await? {
            Some(refusal) => chosen.push(refusal),
            None => missing.push(Outcome { seq, recovered: 0, error: Some(super::NOT_THERE.to_owned()) }),
        }
    }
    Ok((chosen, missing))
}

async fn known_sites(session: &Session) -> Result<Sites> {
    let sites = sites::all(session).await?;
    Ok(sites.into_iter().map(|site| (site.domain, Target { site_id: site.id, partition: site.partition })).collect())
}

struct Work<'a> {
    session: &'a Session,
    store: &'a Store,
    sites: &'a Sites,
    as_site: Option<&'a str>,
}

impl Work<'_> {
    async fn send(&self, refusal: Refusal) -> Outcome {
        let seq = refusal.seq;
        match self.try_send(refusal).await {
            Ok((recovered, unknown)) => {
                let error = (!unknown.is_empty()).then(|| format!("no site is known as {}", unknown.join(", ")));
                Outcome { seq, recovered, error }
            }
            Err(error) => Outcome { seq, recovered: 0, error: Some(format!("{error:#}")) },
        }
    }

    /// How many events were sent, and the sites that are still not known.
    async fn try_send(&self, refusal: Refusal) -> Result<(usize, Vec<String>)> {
        let record = refusal.record?;
        let identity = Identity { created: self.store.created(), seq: refusal.seq };
        let batches = batches(&record, &identity, self.sites, self.as_site)?;
        for (partition, batch) in &batches {
            publish::publish(&self.session.jetstream, &self.session.run.region, *partition, batch).await?;
        }
        let unknown = if self.as_site.is_none() { unknown(&record, self.sites) } else { Vec::new() };
        if unknown.is_empty() {
            self.store.delete(refusal.seq).await?;
        }
        Ok((batches.len(), unknown))
    }
}

/// Sites that the payload did not reach and that are still not there.
fn unknown(record: &Rejected, sites: &Sites) -> Vec<String> {
    let is_unknown = |domain: &&String| !normalise_domain(domain).is_some_and(|domain| sites.contains_key(&domain));
    record.domains.iter().filter(is_unknown).cloned().collect()
}

/// What names a payload for ever.
struct Identity {
    created: i128,
    seq: u64,
}

impl Identity {
    /// 16 bytes that stand for it and a purpose.
    fn digest(&self, purpose: &str, number: u32) -> [u8; 16] {
        let mut hasher = Sha256::new();
        hasher.update(purpose);
        hasher.update(self.created.to_be_bytes());
        hasher.update(self.seq.to_be_bytes());
        hasher.update(number.to_be_bytes());
        let mut short = [0; 16];
        short.iter_mut().zip(hasher.finalize()).for_each(|(short, byte)| *short = byte);
        short
    }
}

/// One batch of one event for each site, with its partition. The same payload and sites always give the same bytes.
fn batches(
    record: &Rejected,
    identity: &Identity,
    sites: &Sites,
    as_site: Option<&str>,
) -> Result<Vec<(u32, Batch)>, RecoverError> {
    let id = u128::from_be_bytes(identity.digest("weir recovered event", 0));
    let events = record.recover(|domain| sites.get(domain).copied(), as_site, id)?;
    Ok(events.into_iter().map(|(partition, event)| (partition, batch(record, identity, event))).collect())
}

fn batch(record: &Rejected, identity: &Identity, event: Event) -> Batch {
    Batch::new(&EventBatch {
        producer: identity.digest("weir recovered", event.site_id).to_vec(),
        number: 1,
        formed_ms: record.received_ms,
        oldest_unsent_ms: 0,
        batcher: "recovered".to_owned(),
        events: vec![event],
        controls: Vec::new(),
        refused: Vec::new(),
        tombstones: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(domains: &[&str]) -> Rejected {
        let json = serde_json::json!({
            "version": 1, "received_ms": 1_795_000_000_000_u64, "reason": "not_found", "domains": domains,
            "body": r#"{"n":"pageview","u":"https://a.example/x","d":"a.example,b.example,c.example"}"#, "sender": "00000000000000ff",
        });
        Rejected::parse(json.to_string().as_bytes()).unwrap()
    }

    fn sites(names: &[&str]) -> Sites {
        (1..).zip(names).map(|(id, name)| ((*name).to_owned(), Target { site_id: id, partition: id % 2 })).collect()
    }

    #[test]
    fn the_same_payload_gives_the_same_batches_and_every_site_its_own() {
        let identity = Identity { created: 17, seq: 3 };
        let record = record(&["a.example", "b.example", "c.example"]);
        let one = batches(&record, &identity, &sites(&["a.example"]), None).unwrap();
        let two = batches(&record, &identity, &sites(&["a.example", "b.example"]), None).unwrap();
        assert_eq!((one.len(), two.len()), (1, 2));
        assert_eq!(one[0], two[0], "a site that came later changes nothing for the first");
        assert_ne!(two[0].1.message_id, two[1].1.message_id);
        let other = batches(&record, &Identity { created: 18, seq: 3 }, &sites(&["a.example"]), None).unwrap();
        assert_ne!(one[0].1.message_id, other[0].1.message_id, "another stream");
        let next = batches(&record, &Identity { created: 17, seq: 4 }, &sites(&["a.example"]), None).unwrap();
        assert_ne!(one[0].1.message_id, next[0].1.message_id);
    }

    #[test]
    fn sites_that_are_still_unknown_are_named() {
        assert_eq!(unknown(&record(&["a.example", "c.example"]), &sites(&["a.example"])), ["c.example"]);
        assert_eq!(unknown(&record(&[]), &sites(&[])), [""; 0]);
        assert!(batches(&record(&["c.example"]), &Identity { created: 1, seq: 1 }, &sites(&["a.example"]), None).is_err());
    }
}
