//! Loads a partition as it was committed and makes sure that its stream is still the same one.

use crate::Shared;
use crate::commits::{CommitError, Commits, Committed, Line};
use crate::status::{code, now_ms};
use std::sync::Arc;
use weir_event::subject;
use weir_reader::replays::{self, Phase};
use weir_reader::stream::{self, PartitionStream, StreamState};
use weir_reader::{ReaderError, states};
use weir_rollup::fold::State;
use weir_rollup::manifest::{LogicFrom, Manifest, StreamIdentity};
use weir_rollup::rules::Rules;

/// A partition ready to be folded on.
pub(crate) struct Session {
    pub(crate) commits: Arc<Commits>,
    pub(crate) state: State,
    /// What the rows from here on are made with.
    pub(crate) logic: (LogicFrom, Arc<Rules>),
    pub(crate) stream: PartitionStream,
    pub(crate) sealed_seq: u64,
}

/// How work on a partition ends.
#[derive(Debug)]
pub(crate) enum End {
    /// The aggregator ends.
    Cancelled,
    /// Nothing may be folded as things are. Somebody must act, unless a server only told what was so once: one that comes back behind the
    /// others, or is cut off from them, tells of a shorter stream for a while.
    Stop { code: &'static str, message: String },
    /// Load it again after a pause. With an alarm unless the cause is usual.
    Again { code: Option<&'static str>, message: String },
}

impl From<ReaderError> for End {
    fn from(error: ReaderError) -> Self {
        let message = error.to_string();
        match error {
            ReaderError::Gap { .. } => Self::Stop { code: code::STREAM_GAP, message },
            ReaderError::Rewound { .. } | ReaderError::Recreated { .. } => Self::Stop { code: code::STREAM_MISMATCH, message },
            error if error.is_transient() => Self::Again { code: None, message },
            _ => Self::Again { code: Some(code::LOAD_FAILED), message },
        }
    }
}

/// Reads head, manifest and state, checks the stream, and opens it behind what is sealed.
pub(crate) async fn load(shared: &Arc<Shared>, partition: u32) -> Result<Session, End> {
    let region = &shared.config.region;
    let reach = stream::state(&shared.jetstream, region, partition).await?;
    let committed = Committed::load(shared, &Line::Served, partition).await?.unwrap_or_else(|| {
        let name = subject::events_stream(region, partition);
        Committed::nothing(region, partition, &name, &reach.created)
    });
    let sealed_seq = committed.manifest.sealed_seq;
    let found =
        if sealed_seq > 0 { stream::message_id_at(&shared.jetstream, region, partition, sealed_seq).await? } else { None };
    check_identity(&committed.manifest.stream, sealed_seq, &reach, found.as_deref())?;
    let stream = PartitionStream::open(&shared.jetstream, region, partition, sealed_seq + 1).await?;
    if stream.created() != committed.manifest.stream.created {
        return Err(mismatch(format!("the stream was made anew at {} while it was opened", stream.created())));
    }
    let state = load_state(shared, &committed.manifest).await?;
    let logic = choose_logic(shared, committed.manifest.logic.last()).await?;
    let commits = Arc::new(Commits::new(Arc::clone(shared), Line::Served, partition, committed));
    announce_logic(&commits, &logic.0).await?;
    Ok(Session { commits, state, logic, stream, sealed_seq })
}

/// The logic for new rows: this program's fold, with the rules that an operator pinned, else with its own.
async fn choose_logic(shared: &Shared, last: Option<&LogicFrom>) -> Result<(LogicFrom, Arc<Rules>), End> {
    let promoted = if last.is_none() { promoted_elsewhere(shared).await? } else { None };
    let Some(pinned) = last.or(promoted.as_ref()).filter(|last| last.pinned) else {
        let rules = Arc::clone(shared.rulebook.own());
        return Ok((LogicFrom::new(1, rules.logic()), rules));
    };
    match shared.rulebook.for_logic(&pinned.logic).await {
        Ok(rules) => Ok((LogicFrom { pinned: true, ..LogicFrom::new(1, rules.logic()) }, rules)),
        Err(error) => Err(End::Again { code: Some(code::LOAD_FAILED), message: error.to_string() }),
    }
}

/// The rules that an operator chose for the region before this partition had its first event.
async fn promoted_elsewhere(shared: &Shared) -> Result<Option<LogicFrom>, ReaderError> {
    let record = match replays::get(&shared.jetstream, &shared.config.region).await {
        Ok(entry) => entry.map(|entry| entry.record).filter(|record| record.phase == Phase::Promoted),
        // The bucket is made by the next `weir up`: until then there are no replays.
        Err(ReaderError::StreamMissing { .. }) => None,
        Err(error) => return Err(error),
    };
    Ok(record.and_then(|record| Some(LogicFrom { pinned: record.pinned, ..LogicFrom::new(1, record.logic?) })))
}

/// Commits that the rows from here on are made with this logic, where it is another than before: only then readers that have it too show
/// the live end.
async fn announce_logic(commits: &Commits, logic: &LogicFrom) -> Result<(), End> {
    let announced = commits.commit(now_ms(), |manifest| {
        let entries = manifest.logic.len();
        if manifest.revision > 0 {
            manifest.note_logic(logic.clone());
        }
        manifest.logic.len() != entries
    });
    match announced.await {
        Ok(None) => Ok(()),
        Ok(Some(manifest)) => {
            tracing::info!(partition = manifest.partition, revision = manifest.revision, "the logic is another from here on");
            Ok(())
        }
        Err(error @ CommitError::Unbalanced(_)) => {
            Err(End::Again { code: Some(code::LEDGER_MISMATCH), message: error.to_string() })
        }
        Err(error) => Err(End::Again { code: Some(code::LOAD_FAILED), message: error.to_string() }),
    }
}

async fn load_state(shared: &Shared, manifest: &Manifest) -> Result<State, End> {
    let Some(encoded) = states::load(&shared.store, manifest).await? else { return Ok(State::default()) };
    decode_state(encoded).await.map_err(|message| End::Again { code: Some(code::LOAD_FAILED), message })
}

/// A state from its bytes.
pub(crate) async fn decode_state(encoded: Vec<u8>) -> Result<State, String> {
    let decoded = tokio::task::spawn_blocking(move || State::decode(&encoded)).await;
    decoded.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
}

fn mismatch(message: String) -> End {
    End::Stop { code: code::STREAM_MISMATCH, message }
}

/// Compares the stream with the one that was sealed. `found` is the id of the message at `sealed_seq`, if the stream has that message.
fn check_identity(sealed: &StreamIdentity, sealed_seq: u64, reach: &StreamState, found: Option<&str>) -> Result<(), End> {
    if reach.created != sealed.created {
        return Err(mismatch(format!("stream {} was created {}, the sealed one {}", sealed.name, reach.created, sealed.created)));
    }
    if reach.last_seq < sealed_seq {
        return Err(mismatch(format!("stream {} ends at {}, sealed is {sealed_seq}", sealed.name, reach.last_seq)));
    }
    match found {
        Some(id) if id != sealed.sealed_message_id => Err(mismatch(format!(
            "message {sealed_seq} of stream {} is {id}, sealed was {}",
            sealed.name, sealed.sealed_message_id
        ))),
        // Purged, but nothing after it: opening the stream checks that.
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_stream_is_told_by_its_time_its_end_and_its_message() {
        let sealed = StreamIdentity { name: "S".to_owned(), created: "t1".to_owned(), sealed_message_id: "p-5".to_owned() };
        let reach = |created: &str, last_seq: u64| StreamState {
            first_seq: 1,
            last_seq,
            messages: last_seq,
            bytes: 0,
            created: created.to_owned(),
        };
        for (created, last_seq, found, is_same) in [
            ("t1", 5, Some("p-5"), true),
            ("t1", 9, Some("p-5"), true),
            ("t1", 9, None, true),
            ("t2", 9, Some("p-5"), false),
            ("t1", 4, None, false),
            ("t1", 9, Some("q-5"), false),
            ("t1", 9, Some(""), false),
        ] {
            let result = check_identity(&sealed, 5, &reach(created, last_seq), found);
            assert_eq!(result.is_ok(), is_same, "{created} {last_seq} {found:?}");
            assert!(result.is_ok() || matches!(result, Err(End::Stop { code: code::STREAM_MISMATCH, .. })));
        }
    }
}
