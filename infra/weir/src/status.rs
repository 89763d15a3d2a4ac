//! `weir status`: where each partition stands, with what the edges still hold.

use crate::backlog::{self, EdgeStatus};
use crate::human;
use crate::output::Output;
use crate::session::{Session, http_client, now_ms};
use anyhow::Result;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use weir_event::subject::STATUS_BUCKET;
use weir_reader::history::Reach;
use weir_reader::store::Store;
use weir_reader::stream::StreamState;
use weir_reader::{ReaderError, heads, manifests, stream};
use weir_rollup::manifest::{Head, Manifest, Promotion, PromotionKind};

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
    /// How far raw batches reach back, in the archive and in the stream.
    pub(crate) history: HistoryStatus,
    /// Rows that the aggregator has folded and not yet written; `null` when it has not said.
    pub(crate) rows_pending: Option<u64>,
    /// Logic version of the newest rows in files; `null` when there are none.
    pub(crate) logic: Option<String>,
    /// The last promotion of a replay or the last rollback.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) promotion: Option<PromotionStatus>,
    /// Names of files that are damaged and not read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) damaged: Vec<String>,
    /// What an operator must look at.
    pub(crate) alarms: Value,
}

/// How far a partition's raw batches reach back.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct HistoryStatus {
    /// First sequence from which on nothing is missing: replays begin no earlier.
    pub(crate) first_seq: u64,
    /// When that was stored, RFC 3339; `null` when there is none yet.
    pub(crate) first_time: Option<String>,
    /// When the first message that the stream still has was stored, RFC 3339; `null` when it has none.
    pub(crate) stream_first_time: Option<String>,
    /// Last sequence in the archive; 0 = there is none.
    pub(crate) archived_seq: u64,
    /// Objects of the archive.
    pub(crate) archive_objects: u64,
    /// Their size, bytes.
    pub(crate) archive_bytes: u64,
    /// Events in them.
    pub(crate) archive_events: u64,
}

impl HistoryStatus {
    async fn of(reach: &Reach) -> Result<Self> {
        let time = async |seq: u64| anyhow::Ok(reach.time_of(seq).await?.map(human::moment));
        Ok(Self {
            first_seq: reach.first_seq(),
            first_time: time(reach.first_seq()).await?,
            stream_first_time: time(reach.stream.first_seq).await?,
            archived_seq: reach.archive.last().map_or(0, |object| object.last_seq),
            archive_objects: reach.archive.len() as u64,
            archive_bytes: reach.archive.iter().map(|object| object.bytes).sum(),
            archive_events: reach.archive.iter().map(|object| object.events).sum(),
        })
    }

    fn line(&self) -> Option<String> {
        if self.archive_objects == 0 {
            return None;
        }
        let since = |time: &Option<String>| time.clone().unwrap_or_else(|| "nothing".to_owned());
        Some(format!(
            "  history from {}: archive through {}, {}, {}, {:.1} bytes an event; stream from {}",
            since(&self.first_time),
            human::count(self.archived_seq),
            human::counted(self.archive_objects, "object"),
            human::bytes(self.archive_bytes),
            self.archive_bytes as f64 / self.archive_events.max(1) as f64,
            since(&self.stream_first_time)
        ))
    }
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
        lines.extend(one.history.line());
        lines.extend(one.promotion.as_ref().map(PromotionStatus::line));
        lines.extend(damaged_line(&one.damaged));
        for alarm in one.alarms.as_array().into_iter().flatten() {
            lines.push(format!("  alarm {}: {}", alarm["code"].as_str().unwrap_or("?"), alarm["message"].as_str().unwrap_or("")));
        }
    }
    lines.extend(edges.iter().map(edge_line));
    output.result(&serde_json::json!({ "partitions": partitions, "edges": edges }), &lines.join("\n"))
}

/// That files are damaged; `None` when none is.
pub(crate) fn damaged_line(damaged: &[String]) -> Option<String> {
    let first = damaged.first()?;
    let others = damaged.len() - 1;
    let more = if others == 0 { String::new() } else { format!(" and {others} more") };
    Some(format!("  damaged {first}{more}: not read; `weir repair` rebuilds what is damaged"))
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
        let head = heads::get(&session.jetstream, region, partition).await?.map(|entry| entry.head);
        let said = session.get(STATUS_BUCKET, &format!("aggregator.{region}.{partition}")).await?;
        let said: Value = said.and_then(|entry| serde_json::from_slice(&entry.value?).ok()).unwrap_or_default();
        let mut alarms = said["alarms"].as_array().cloned().unwrap_or_default();
        let (manifest, mut damaged) = match &head {
            Some(head) => match files(&store, head, region, partition).await {
                Ok((manifest, damaged)) => (Some(manifest), damaged),
                // The store is away: everything else can still be told.
                Err(error) => {
                    let message = format!("the manifest cannot be read: {error}");
                    alarms.push(serde_json::json!({ "code": "manifest_unreadable", "message": message, "at_ms": now_ms() }));
                    (None, Vec::new())
                }
            },
            None => (None, Vec::new()),
        };
        let (state, history) = reach(session, partition, manifest.as_ref()).await?;
        damaged.retain(|name| manifest.iter().any(|manifest| manifest.parts.iter().any(|part| part.name == *name)));
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
            history,
            rows_pending: said["rows_pending"].as_u64(),
            logic: manifest.as_ref().and_then(|manifest| Some(manifest.logic.last()?.logic.clone())),
            promotion: manifest.as_ref().and_then(|manifest| manifest.promotion.as_ref().map(PromotionStatus::new)),
            damaged,
            alarms: Value::Array(alarms),
        });
    }
    Ok(all)
}

/// How far the stream reaches, and the history. Of a stream that was made anew the archive says nothing.
async fn reach(session: &Session, partition: u32, manifest: Option<&Manifest>) -> Result<(StreamState, HistoryStatus)> {
    if let Some(manifest) = manifest {
        match Reach::of(&session.jetstream, &session.store()?, manifest).await {
            Ok(reach) => {
                let history = HistoryStatus::of(&reach).await?;
                return Ok((reach.stream, history));
            }
            Err(ReaderError::Recreated { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let state = stream::state(&session.jetstream, &session.run.region, partition).await?;
    let history = HistoryStatus { first_seq: state.first_seq, ..HistoryStatus::default() };
    Ok((state, history))
}

/// The manifest of a head, and the names of damaged files.
async fn files(store: &Store, head: &Head, region: &str, partition: u32) -> Result<(Manifest, Vec<String>), ReaderError> {
    let manifest = manifests::load(store, head).await?;
    Ok((manifest, store.damaged(&format!("parts/{region}-{partition}")).await?))
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
            history: HistoryStatus::default(),
            rows_pending: None,
            logic: None,
            promotion: None,
            damaged: Vec::new(),
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
    fn the_reach_of_history_is_told() {
        assert_eq!(HistoryStatus::default().line(), None);
        let history = HistoryStatus {
            first_seq: 1,
            first_time: Some("2026-01-01T00:00:00.000Z".to_owned()),
            stream_first_time: None,
            archived_seq: 1_234,
            archive_objects: 2,
            archive_bytes: 3_000,
            archive_events: 100,
        };
        let expected = "  history from 2026-01-01T00:00:00.000Z: archive through 1,234, 2 objects, 3.0 kB, 30.0 bytes an event; stream from nothing";
        assert_eq!(history.line().unwrap(), expected);
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
