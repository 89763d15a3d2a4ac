//! `weir status`: where each partition stands, with what the edges still hold.

use crate::backlog::{self, EdgeStatus};
use crate::human;
use crate::output::Output;
use crate::session::{Session, http_client};
use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use weir_event::subject::STATUS_BUCKET;
use weir_reader::{heads, manifests, stream};
use weir_rollup::manifest::{Promotion, PromotionKind};

/// One partition.
#[derive(Debug, Serialize)]
pub(crate) struct PartitionStatus {
    pub(crate) region: String,
    pub(crate) partition: u32,
    /// First sequence that the stream still has.
    pub(crate) first_seq: u64,
    /// Last sequence of the stream.
    pub(crate) last_seq: u64,
    /// Last sequence in files.
    pub(crate) sealed_seq: u64,
    /// Messages not yet in files.
    pub(crate) lag: u64,
    /// Files.
    pub(crate) parts: u64,
    /// Commits so far.
    pub(crate) revision: u64,
    /// Everything before this moment is counted, RFC 3339; `null` while the query API cannot tell.
    pub(crate) watermark: Option<String>,
    /// Messages and bytes of the stream.
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
    /// Rows that the aggregator has folded and not yet written; `null` when it has not said.
    pub(crate) rows_pending: Option<u64>,
    /// Logic version of the newest rows in files; `null` when there are none.
    pub(crate) logic: Option<String>,
    /// The last promotion of a replay or the last rollback.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) promotion: Option<PromotionStatus>,
    /// What an operator must look at.
    pub(crate) alarms: Value,
}

/// What exchanged a partition's history.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct PromotionStatus {
    pub(crate) kind: PromotionKind,
    pub(crate) replay_id: String,
    /// When, RFC 3339.
    pub(crate) at: String,
    /// First and last sequence whose rows were exchanged.
    pub(crate) from_seq: u64,
    pub(crate) through_seq: u64,
    /// It can be taken back.
    pub(crate) rollback_offered: bool,
}

impl PromotionStatus {
    fn new(promotion: &Promotion) -> Self {
        Self {
            kind: promotion.kind,
            replay_id: promotion.replay_id.clone(),
            at: human::moment(promotion.at_ms),
            from_seq: promotion.from_seq,
            through_seq: promotion.through_seq,
            rollback_offered: promotion.former.is_some(),
        }
    }

    fn line(&self) -> String {
        let what = match self.kind {
            PromotionKind::Promote => "promoted",
            PromotionKind::Rollback => "rolled back",
        };
        let offered = if self.rollback_offered { ": `weir replay rollback` takes it back" } else { "" };
        let (from, through) = (human::count(self.from_seq), human::count(self.through_seq));
        format!("  replay {} {what} {}, sequences {from} to {through}{offered}", self.replay_id, self.at)
    }
}

/// What the query API says of a partition.
#[derive(Debug, Deserialize)]
struct QueryStatus {
    region: String,
    partition: u32,
    watermark: Option<Value>,
}

/// Prints all partitions and edges.
pub(crate) async fn run(session: &Session, output: Output) -> Result<()> {
    let partitions = collect(session).await?;
    let edges = backlog::of_all(session, &http_client()?).await;
    let mut lines = vec![format!(
        "{:<12} {:>10} {:>10} {:>10} {:>8} {:>6} {:>9}  {:<24}  {}",
        "partition", "first", "last", "sealed", "lag", "parts", "revision", "watermark", "logic"
    )];
    for one in &partitions {
        lines.push(format!(
            "{:<12} {:>10} {:>10} {:>10} {:>8} {:>6} {:>9}  {:<24}  {}",
            format!("{}.{}", one.region, one.partition),
            one.first_seq,
            one.last_seq,
            one.sealed_seq,
            one.lag,
            one.parts,
            one.revision,
            one.watermark.as_deref().unwrap_or("-"),
            one.logic.as_deref().unwrap_or("-")
        ));
        lines.extend(one.promotion.as_ref().map(PromotionStatus::line));
        for alarm in one.alarms.as_array().into_iter().flatten() {
            lines.push(format!("  alarm {}: {}", alarm["code"].as_str().unwrap_or("?"), alarm["message"].as_str().unwrap_or("")));
        }
    }
    lines.extend(edges.iter().map(edge_line));
    output.result(&serde_json::json!({ "partitions": partitions, "edges": edges }), &lines.join("\n"))
}

fn edge_line(edge: &EdgeStatus) -> String {
    let said = match (edge.unsent_events, &edge.error) {
        (Some(0), _) => "everything sent".to_owned(),
        (Some(unsent), _) => format!("{unsent} events not yet sent"),
        (None, error) => error.clone().unwrap_or_default(),
    };
    format!("{:<12} {} {said}", edge.name, edge.url)
}

/// Asks the stream, the head, the aggregator's status and the query API.
pub(crate) async fn collect(session: &Session) -> Result<Vec<PartitionStatus>> {
    let watermarks = query_status(session).await.unwrap_or_default();
    let store = session.store()?;
    let region = &session.run.region;
    let mut all = Vec::new();
    for partition in 0..session.run.partitions {
        let state = stream::state(&session.jetstream, region, partition).await?;
        let head = heads::get(&session.jetstream, region, partition).await?.map(|entry| entry.head);
        let said = session.get(STATUS_BUCKET, &format!("aggregator.{region}.{partition}")).await?;
        let said: Value = said.and_then(|entry| serde_json::from_slice(&entry.value?).ok()).unwrap_or_default();
        let manifest = match &head {
            Some(head) => {
                let loaded = manifests::load(&store, head).await;
                Some(loaded.with_context(|| format!("the manifest of partition {region}.{partition}"))?)
            }
            None => None,
        };
        let sealed_seq = head.as_ref().map_or(0, |head| head.sealed_seq);
        let watermark = watermarks.iter().find(|one| one.region == *region && one.partition == partition);
        all.push(PartitionStatus {
            region: region.clone(),
            partition,
            first_seq: state.first_seq,
            last_seq: state.last_seq,
            sealed_seq,
            lag: state.last_seq.saturating_sub(sealed_seq),
            parts: manifest.as_ref().map_or(0, |manifest| manifest.parts.len() as u64),
            revision: head.as_ref().map_or(0, |head| head.revision),
            watermark: watermark.and_then(|one| one.watermark.as_ref()).and_then(moment),
            messages: state.messages,
            bytes: state.bytes,
            rows_pending: said["rows_pending"].as_u64(),
            logic: manifest.as_ref().and_then(|manifest| Some(manifest.logic.last()?.logic.clone())),
            promotion: manifest.as_ref().and_then(|manifest| manifest.promotion.as_ref().map(PromotionStatus::new)),
            alarms: if said["alarms"].is_array() { said["alarms"].clone() } else { Value::Array(Vec::new()) },
        });
    }
    Ok(all)
}

/// A moment as text, whether it was told as text or as Unix milliseconds.
fn moment(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        other => Some(human::moment(other.as_u64()?)),
    }
}

async fn query_status(session: &Session) -> Result<Vec<QueryStatus>> {
    let url = format!("{}/api/status", session.run.query_url);
    let answer = http_client()?.get(url).bearer_auth(&session.secrets.admin_key).send().await?.error_for_status()?;
    let value: Value = answer.json().await?;
    let list = value.get("partitions").cloned().unwrap_or(value);
    Ok(serde_json::from_value(list)?)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An empty partition.
    pub(crate) fn example() -> PartitionStatus {
        PartitionStatus {
            region: "local".into(),
            partition: 0,
            first_seq: 1,
            last_seq: 0,
            sealed_seq: 0,
            lag: 0,
            parts: 1,
            revision: 1,
            watermark: None,
            messages: 0,
            bytes: 0,
            rows_pending: None,
            logic: None,
            promotion: None,
            alarms: serde_json::json!([]),
        }
    }

    #[test]
    fn moments() {
        assert_eq!(moment(&serde_json::json!(1_000)).unwrap(), "1970-01-01T00:00:01.000Z");
        assert_eq!(moment(&serde_json::json!("x")).unwrap(), "x");
        assert_eq!(moment(&Value::Null), None);
    }

    #[test]
    fn a_promotion_is_told() {
        let mut promotion = PromotionStatus::new(&Promotion {
            replay_id: "ab".to_owned(),
            kind: PromotionKind::Promote,
            at_ms: 1_795_000_000_000,
            revision: 7,
            from_seq: 5,
            through_seq: 1234,
            former: Some(weir_rollup::manifest::ObjectRef { name: "m".to_owned(), checksum: String::new() }),
            state: None,
        });
        let line = "  replay ab promoted 2026-11-18T11:06:40.000Z, sequences 5 to 1,234: `weir replay rollback` takes it back";
        assert_eq!(promotion.line(), line);
        promotion.rollback_offered = false;
        assert!(promotion.line().ends_with("5 to 1,234"));
        let status = PartitionStatus { promotion: Some(promotion), ..example() };
        let json = serde_json::to_value(&status).unwrap();
        assert_eq!((&json["promotion"]["kind"], &json["promotion"]["through_seq"]), (&"promote".into(), &1234.into()));
        assert!(serde_json::to_value(example()).unwrap().get("promotion").is_none());
    }
}
