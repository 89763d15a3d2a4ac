//! What must hold after all faults: every acknowledged event is stored, each once; answers are what was sent; the ledger balances.

use super::load::SITES;
use super::region::{PARTITIONS, REGION, Region};
use super::sent::{Expected, Id, Sent};
use crate::query::{Row, rows_of};
use crate::weir::client;
use anyhow::{Context as _, Result, ensure};
use chrono::{NaiveDate, NaiveDateTime};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use weir_event::codec;
use weir_reader::stream::{self, PartitionStream};
use weir_reader::{heads, manifests};

/// What was compared.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Checked {
    /// Events acknowledged.
    pub acknowledged: usize,
    /// Events without a good answer.
    pub unclear: usize,
    /// Rows in files.
    pub stored: usize,
    /// Of the unclear ones, how many are stored.
    pub unclear_stored: usize,
    /// Messages' events in the streams with an id: those that were sent again are there more than once.
    pub streamed: u64,
    /// Files read.
    pub parts: usize,
    /// Alarms that stand, by code.
    pub alarms: Vec<String>,
}

/// Seals everything, reads files and streams, asks, and compares. `days` are first and last day of the run, as in `2026-11-22`.
pub async fn check(region: &Region, sent: &Sent, days: &[String; 2]) -> Result<Checked> {
    region.weir(&["flush", "--timeout", "60"]).await.context("what was received cannot be sealed")?;
    let (stored, parts) = stored(region).await?;
    sent.check_stored(&stored).context("in files")?;
    let streamed = streamed(region).await?;
    for id in stored.keys() {
        ensure!(streamed.contains_key(id), "event {id} is in a file and in no stream");
    }
    // Only those that were sent again are there twice; a file has what the stream has.
    for id in streamed.keys() {
        ensure!(stored.contains_key(id), "event {id} is in a stream and in no file");
    }
    let ids: BTreeSet<Id> = stored.keys().copied().collect();
    for (site, domain) in SITES.iter().enumerate() {
        let expected = sent.expected(site, &ids);
        answers(region, domain, days, &expected).await.with_context(|| format!("the answers for {domain}"))?;
        ledger(region, domain, days, expected.pageviews).await?;
    }
    let status = region.weir(&["status"]).await?;
    let alarms = status["partitions"].as_array().into_iter().flatten();
    let alarms = alarms.flat_map(|partition| partition["alarms"].as_array().into_iter().flatten());
    Ok(Checked {
        acknowledged: sent.acknowledged(),
        unclear: sent.unclear(),
        stored: stored.len(),
        unclear_stored: stored.len() - sent.acknowledged(),
        streamed: streamed.values().sum(),
        parts,
        alarms: alarms.map(|alarm| alarm["code"].as_str().unwrap_or_default().to_owned()).collect(),
    })
}

/// How often each event is in the files that the manifests name, and how many files those are.
async fn stored(region: &Region) -> Result<(BTreeMap<Id, u64>, usize)> {
    let jetstream = weir_reader::jetstream(weir_reader::connect(&region.nats()?).await?);
    let store = region.store()?;
    let (mut stored, mut parts) = (BTreeMap::new(), 0);
    for partition in 0..PARTITIONS {
        let Some(entry) = heads::get(&jetstream, REGION, partition).await? else { continue };
        for part in manifests::load(&store, &entry.head).await?.parts {
            let file = store.fetch_part(&part).await?;
            for (id, count) in tokio::task::spawn_blocking(move || ids_of(file.path())).await?? {
                *stored.entry(id).or_default() += count;
            }
            parts += 1;
        }
    }
    Ok((stored, parts))
}

fn ids_of(file: &Path) -> Result<Vec<(Id, u64)>> {
    let config = duckdb::Config::default().access_mode(duckdb::AccessMode::ReadOnly)?;
    let connection = duckdb::Connection::open_with_flags(file, config)?;
    let mut statement = connection.prepare(
        "SELECT CAST(json_extract_string(props, '$.id') AS UBIGINT), count(*)::UBIGINT FROM events WHERE name = 'pageview' GROUP BY 1",
    )?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// How often each event is in the streams.
async fn streamed(region: &Region) -> Result<BTreeMap<Id, u64>> {
    let jetstream = weir_reader::jetstream(weir_reader::connect(&region.nats()?).await?);
    let mut streamed = BTreeMap::new();
    for partition in 0..PARTITIONS {
        let last_seq = stream::state(&jetstream, REGION, partition).await?.last_seq;
        let mut messages = PartitionStream::open(&jetstream, REGION, partition, 1).await?;
        let mut seq = 0;
        while seq < last_seq {
            let message = messages.next().await?;
            seq = message.seq;
            for event in codec::decode(message.schema, &message.payload)?.events {
                let id =
                    event.props.iter().find(|property| property.key == "id").and_then(|property| property.value.parse().ok());
                *streamed.entry(id.with_context(|| format!("an event in message {seq} has no number"))?).or_default() += 1;
            }
        }
    }
    Ok(streamed)
}

async fn answers(region: &Region, domain: &str, days: &[String; 2], expected: &Expected) -> Result<()> {
    let ask = |more: Value| {
        let mut question = json!({"site_id": domain, "date_range": days, "pagination": {"limit": 10_000}});
        crate::query::merge(&mut question, more);
        rows(region, question)
    };
    let metric = |row: &Row, index: usize| row.metrics.get(index).copied().unwrap_or(f64::NAN) as u64;
    let totals = ask(json!({"metrics": ["pageviews", "visitors"]})).await?;
    let totals = totals.first().context("no row")?;
    ensure!(metric(totals, 0) == expected.pageviews, "{} page views instead of {}", metric(totals, 0), expected.pageviews);
    let (least, most) = expected.visitors;
    ensure!((least..=most).contains(&metric(totals, 1)), "{} visitors instead of {least} to {most}", metric(totals, 1));
    let pages = ask(json!({"metrics": ["pageviews"], "dimensions": ["event:page"]})).await?;
    let pages: BTreeMap<String, u64> = pages.iter().map(|row| (row.dimensions.join("|"), metric(row, 0))).collect();
    ensure!(pages == expected.by_page, "by page {pages:?} instead of {:?}", expected.by_page);
    let hours = ask(json!({"metrics": ["pageviews"], "dimensions": ["time:hour"]})).await?;
    let mut found = BTreeMap::new();
    for row in &hours {
        let moment = NaiveDateTime::parse_from_str(&row.dimensions.join("|"), "%Y-%m-%d %H:%M:%S")?.and_utc();
        found.insert(moment.timestamp_millis() as u64, metric(row, 0));
    }
    let hours: BTreeSet<u64> = found.keys().chain(expected.by_hour.keys()).copied().collect();
    for hour in hours {
        let (least, most) = expected.by_hour.get(&hour).copied().unwrap_or_default();
        let count = found.get(&hour).copied().unwrap_or_default();
        ensure!((least..=most).contains(&count), "{count} page views in the hour {hour} instead of {least} to {most}");
    }
    Ok(())
}

async fn rows(region: &Region, question: Value) -> Result<Vec<Row>> {
    let request = client()?.post(format!("{}/api/v2/query", region.query_url())).bearer_auth(region.admin_key()?).json(&question);
    let answer = request.send().await?;
    let status = answer.status();
    let text = answer.text().await?;
    ensure!(status == 200, "{question}: {status} {text}");
    rows_of(&serde_json::from_str(&text)?)
}

async fn ledger(region: &Region, domain: &str, [first, last]: &[String; 2], pageviews: u64) -> Result<()> {
    let url = format!("{}/api/ledger", region.query_url());
    // Its end is the day after.
    let end = NaiveDate::parse_from_str(last, "%Y-%m-%d")?.succ_opt().context("no day after")?.to_string();
    let request = client()?.get(url).query(&[("site_id", domain), ("from", first), ("to", &end)]);
    let ledger: Value = request.bearer_auth(region.admin_key()?).send().await?.json().await?;
    let is_balanced = ledger["balance"]["is_balanced"] == true && ledger["totals"]["accepted"] == pageviews;
    ensure!(
        is_balanced,
        "the ledger of {domain} does not say that {pageviews} events were accepted, or does not balance: {ledger}"
    );
    Ok(())
}
